"""The stand on which the quickstart plays: an ERP folder, a CRM in its own PostgreSQL, and a real `tandemd` between them.

Steers the daemon with `tandemctl`, as an operator would. Must not: reach into the daemon's state.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from daemon.store.embedded import EmbeddedPostgres
from examples.quickstart import data

HERE = Path(__file__).parent
TENANT = "quickstart"
LINK = "erp-crm"
ERP_OBJECTS = {
    "KUNDEN": {"file": "KUNDEN.csv", "key": "KUNDENNR", "new_id": "K{number:05d}"},
    "ARTIKEL": {"file": "ARTIKEL.csv", "key": "ARTIKELNR", "new_id": "A{number:04d}"},
}


class StandError(Exception):
    """The stand could not be brought up; the text says what and where to look."""


class Stand:
    """One quickstart world below `root`. Created on first use; used again as it is afterwards."""

    def __init__(self, root: Path, listen: str = "127.0.0.1:7443", http: str = "127.0.0.1:9464") -> None:
        self.root = root.absolute()
        self.erp = self.root / "erp"
        self.data_dir = self.root / "tandem"
        self.log = self.root / "tandemd.log"
        self._listen, self._http = listen, http
        self._postgres = EmbeddedPostgres(self.root / "crm")
        self.crm_dsn = ""
        self.daemon: subprocess.Popen[bytes] | None = None
        self.ready: Mapping[str, Any] = {}

    # --------------------------------------------------------------------------------------- the two systems

    async def open_systems(self) -> bool:
        """Bring up the ERP folder and the CRM. True when they were made just now."""
        dsn = await self._postgres.start()
        self.crm_dsn = dsn.replace("/tandem?", "/crm?")
        admin = await asyncpg.connect(dsn)
        try:
            new = not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = 'crm'")
            if new:
                await admin.execute("CREATE DATABASE crm")
        finally:
            await admin.close()
        if new:
            world = data.world()
            data.write_erp(self.erp, world)
            await self._fill_crm(world)
        return new

    async def close_systems(self) -> None:
        """Stop the CRM's server."""
        await self._postgres.stop()

    async def _fill_crm(self, world: data.World) -> None:
        crm = await asyncpg.connect(self.crm_dsn)
        try:
            await crm.execute((HERE / "crm.sql").read_text())
            await crm.executemany(
                "INSERT INTO customers (number, name, street, zip, city, country, phone, email, vat_id)"
                " VALUES (nullif($1, ''), $2, $3, $4, $5, 'DE', nullif($6, ''), $7, nullif($8, ''))",
                [(c.number, c.name, c.street, c.zip, c.city, c.phone, c.email, c.vat_id) for c in world.crm],
            )
        finally:
            await crm.close()

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Run a statement in the CRM, as its users' program would."""
        crm = await asyncpg.connect(self.crm_dsn)
        try:
            return list(await crm.fetch(statement, *values))
        finally:
            await crm.close()

    def erp_rows(self, name: str) -> list[dict[str, str]]:
        """The rows of one ERP file."""
        with (self.erp / f"{name}.csv").open(encoding="cp1252", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def save_erp(self, name: str, rows: list[dict[str, str]]) -> None:
        """Write one ERP file as the ERP does: a new file put in the place of the old one."""
        path = self.erp / f"{name}.csv"
        part = path.with_suffix(".part")
        with part.open("w", encoding="cp1252", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";", lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, path)

    # ------------------------------------------------------------------------------------------- the daemon

    async def start_daemon(self, timeout_s: float = 60.0) -> None:
        """Start `tandemd` and wait until it says where it listens."""
        ready = self.data_dir / "ready.json"
        ready.unlink(missing_ok=True)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")},
            "TANDEM_DATA_DIR": str(self.data_dir),
            "TANDEM_LISTEN": self._listen,
            "TANDEM_HTTP_LISTEN": self._http,
        }
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "daemon.serve"],
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_s
        while not ready.exists():
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise StandError(
                    f"tandemd did not come up; its last words are in {self.log}:\n{self._last_words()}"
                )
            await anyio.sleep(0.05)
        self.ready = json.loads(ready.read_text())

    async def stop_daemon(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the daemon: SIGTERM lets it come to rest, SIGKILL does not."""
        if self.daemon is None:
            return
        if self.daemon.poll() is None:
            self.daemon.send_signal(how)
        while self.daemon.poll() is None:
            await anyio.sleep(0.02)
        self.daemon = None

    async def ctl(self, *words: str, check: bool = True) -> Any:
        """One `tandemctl` command; its answer as plain data (the last one where it streams)."""
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")},
            "TANDEM_DATA_DIR": str(self.data_dir),
            "TANDEM_ADDRESS": str(self.ready["grpc"]),
            "TANDEM_TENANT": TENANT,
        }
        command = [str(Path(sys.executable).with_name("tandemctl")), "--output", "json", *words]
        done = await anyio.run_process(command, env=env, check=False)
        if check and done.returncode != 0:
            raise StandError(f"tandemctl {' '.join(words)} said:\n{done.stderr.decode()}")
        return _last_document(done.stdout.decode())

    async def connect(self) -> None:
        """Tenant, the two connections and the link between them, unless they are there already."""
        tenants = await self.ctl("system", "list-tenants")
        if not any(one["id"] == TENANT for one in tenants.get("tenants", ())):
            await self.ctl("system", "create-tenant", TENANT, "--name", "Quickstart")
        there = {one["name"] for one in (await self.ctl("connections", "list")).get("connections", ())}
        if "erp" not in there:
            settings = {"path": str(self.erp), "encoding": "cp1252", "separator": ";", "objects": ERP_OBJECTS}
            await self._create_connection("erp", "csv", settings)
        if "crm" not in there:
            settings = {"url": self.crm_dsn, "find": "trigger"}
            await self._create_connection("crm", "postgres", settings)
        links = (await self.ctl("links", "list")).get("links", ())
        if not any(one["name"] == LINK for one in links):
            blueprint = f"@{HERE / 'erp-crm.yaml'}"
            await self.ctl("links", "create", LINK, "erp", "crm", blueprint)

    async def _create_connection(self, name: str, connector: str, settings: Mapping[str, Any]) -> None:
        path = self.root / f"{name}.json"
        path.write_text(json.dumps(settings, indent=2))
        await self.ctl("connections", "create", name, connector, "--settings", f"@{path}")

    async def link(self) -> Mapping[str, Any]:
        """The link as the daemon shows it."""
        shown: Mapping[str, Any] = await self.ctl("links", "get", LINK)
        return shown

    def _last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _last_document(text: str) -> Any:
    decoder, at = json.JSONDecoder(), 0
    found: Any = {}
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        found, at = decoder.raw_decode(text, at)
    return found
