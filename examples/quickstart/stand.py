"""The stand on which the quickstart plays: an ERP folder, a CRM in its own PostgreSQL, and a real `tandemd` between them.

Steers the daemon with `tandemctl`, as an operator would. Must not: reach into the daemon's state.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from daemon.store.embedded import EmbeddedPostgres
from examples.daemon import Daemon, StandError
from examples.quickstart import data

__all__ = ["LINK", "Stand", "StandError"]

HERE = Path(__file__).parent
TENANT = "quickstart"
LINK = "erp-crm"
ERP_OBJECTS = {
    "KUNDEN": {"file": "KUNDEN.csv", "key": "KUNDENNR", "new_id": "K{number:05d}"},
    "ARTIKEL": {"file": "ARTIKEL.csv", "key": "ARTIKELNR", "new_id": "A{number:04d}"},
}


class Stand(Daemon):
    """One quickstart world below `root`. Created on first use; used again as it is afterwards."""

    def __init__(self, root: Path, listen: str = "127.0.0.1:7443", http: str = "127.0.0.1:9464") -> None:
        super().__init__(root, TENANT, listen, http)
        self.erp = self.root / "erp"
        self._postgres = EmbeddedPostgres(self.root / "crm")
        self.crm_dsn = ""

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

    # --------------------------------------------------------------------------------------------- the link

    async def connect(self) -> None:
        """Tenant, the two connections and the link between them, unless they are there already."""
        await self.create_tenant("Quickstart")
        there = {one["name"] for one in (await self.ctl("connections", "list")).get("connections", ())}
        if "erp" not in there:
            settings = {"path": str(self.erp), "encoding": "cp1252", "separator": ";", "objects": ERP_OBJECTS}
            await self.create_connection("erp", "csv", settings)
        if "crm" not in there:
            settings = {"url": self.crm_dsn, "find": "trigger"}
            await self.create_connection("crm", "postgres", settings)
        links = (await self.ctl("links", "list")).get("links", ())
        if not any(one["name"] == LINK for one in links):
            blueprint = f"@{HERE / 'erp-crm.yaml'}"
            await self.ctl("links", "create", LINK, "erp", "crm", blueprint)

    async def link(self) -> Mapping[str, Any]:
        """The link as the daemon shows it."""
        return await self.shown(LINK)
