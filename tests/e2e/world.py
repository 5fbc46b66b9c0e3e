"""A small real world for tests of the whole: an ERP folder, a CRM database, a tandemd process that can be killed.

Steers the daemon through its API and `tandemctl` alone. Must not: reach into the daemon's state.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import grpc

from tandem.v1 import connections_pb2, links_pb2, plans_pb2, rooms_pb2, runs_pb2, system_pb2
from tests.api.world import Client, struct
from tests.daemon.process import DaemonProcess, environment, eventually, running

TENANT = "acme"
LINK = "people"
HEAD = ("NR", "NAME", "PHONE", "MAIL", "CITY", "ORIGIN")
CRM = """
CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text UNIQUE, name text NOT NULL,
                     phone text, mail text, city text, origin text)
"""
BLUEPRINT = """\
blueprint: people
version: 1
a: {connector: csv, poll: 1s}
b: {connector: postgres, poll: 1s}
streams:
  people:
    kind: master
    a: PEOPLE
    b: people
    match: [[number], [name]]
    creates: [a, b]
    deletes: {a: ignore, b: ignore}
    first_contact: fill_empty
    budgets: {overwrites: unlimited}
    complete_read: 1h
    fields:
      number: {a: NR, b: number, owner: a}
      name: {a: NAME, b: name, required: true}
      phone: {a: PHONE, b: phone}
      mail: {a: MAIL, b: mail}
      city: {a: CITY, b: city, conflict: ask}
"""

Row = dict[str, str]


class World:
    """ERP folder `erp`, CRM at `crm_url`, and a daemon on `data_dir` once `start` was called."""

    def __init__(self, base: Path, crm_url: str) -> None:
        base.chmod(0o755)
        self.erp, self.data_dir, self.crm_url = base / "erp", base / "data", crm_url
        self.find = "trigger"
        self.erp.mkdir()
        self._stack = ExitStack()
        self.daemon: DaemonProcess | None = None

    # ------------------------------------------------------------------------------------------------ the daemon

    def start(self, **settings: str) -> DaemonProcess:
        """Start it and wait until it is ready."""
        self.daemon = self._stack.enter_context(running(self.data_dir, **settings))
        return self.daemon

    def kill(self) -> None:
        """SIGKILL: nobody gets to tidy up."""
        assert self.daemon is not None
        self.daemon.process.kill()
        self.daemon.process.wait()

    def kill_database(self) -> None:
        """SIGKILL to the daemon's own PostgreSQL, where there is one at this moment."""
        with suppress(OSError, ValueError, IndexError):
            os.kill(
                int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL
            )

    def close(self) -> None:
        """End the daemon."""
        self._stack.close()

    def ctl(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """One `tandemctl` command, as an operator types it."""
        assert self.daemon is not None
        env = (
            environment(self.data_dir)
            | {"TANDEM_ADDRESS": self.daemon.grpc, "TANDEM_TENANT": TENANT}
            | environ
        )
        command = [str(Path(sys.executable).with_name("tandemctl")), *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """An admin's client of the daemon as it runs now."""
        assert self.daemon is not None
        async with grpc.aio.insecure_channel(self.daemon.grpc) as channel:
            yield Client(channel, self.daemon.token)

    # -------------------------------------------------------------------------------------------------- the link

    async def connect(self, blueprint: str = BLUEPRINT, *, paused: bool = False) -> None:
        """Tenant, both connections and the link."""
        async with self.client() as admin:
            await admin(admin.system.CreateTenant, system_pb2.CreateTenantRequest(id=TENANT))
            for name, connector, settings in (
                ("erp", "csv", self.erp_settings()),
                ("crm", "postgres", self.crm_settings()),
            ):
                request = connections_pb2.CreateConnectionRequest(
                    tenant=TENANT, name=name, connector=connector, settings=struct(settings)
                )
                await admin(admin.connections.CreateConnection, request)
            await admin(
                admin.links.CreateLink,
                links_pb2.CreateLinkRequest(
                    tenant=TENANT, name=LINK, a="erp", b="crm", blueprint=blueprint, paused=paused
                ),
            )

    def erp_settings(self) -> dict[str, Any]:
        """Settings of the ERP's connection."""
        objects = {"PEOPLE": {"file": "PEOPLE.csv", "key": "NR", "new_id": "T{number:05d}"}}
        return {
            "path": str(self.erp),
            "encoding": "utf-8",
            "separator": ";",
            "quiet_s": 0,
            "objects": objects,
        }

    def crm_settings(self) -> dict[str, Any]:
        """Settings of the CRM's connection."""
        return {"url": self.crm_url, "find": self.find}

    async def link(self) -> links_pb2.Link:
        """The link as the daemon shows it."""
        async with self.client() as admin:
            request = links_pb2.GetLinkRequest(link=LINK, tenant=TENANT)
            shown: links_pb2.Link = await admin(admin.links.GetLink, request)
            return shown

    async def pause(self) -> None:
        """Pause the link and wait until its run has ended."""
        async with self.client() as admin:
            await admin(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=LINK, tenant=TENANT))

        async def at_rest() -> bool:
            return not (await self.link()).run

        await eventually(at_rest, 60)

    async def resume(self) -> None:
        """Let it go on."""
        async with self.client() as admin:
            await admin(admin.links.ResumeLink, links_pb2.ResumeLinkRequest(link=LINK, tenant=TENANT))

    async def run(self, scope_streams: tuple[str, ...] = ()) -> runs_pb2.Run:
        """Start a run, or join the one that is running, and watch it to its end."""
        async with self.client() as admin:
            request = runs_pb2.StartRunRequest(link=LINK, tenant=TENANT, streams=scope_streams)
            started = await admin(admin.runs.StartRun, request)
            messages = await admin.watched(started.run.id)
            last: runs_pb2.Run = messages[-1]
            return last

    async def quiet(self, timeout_s: float = 90.0) -> None:
        """Wait until two fresh runs in a row find nothing new and nothing is on its way."""
        calm = 0
        seen: list[str] = []
        try:
            with anyio.fail_after(timeout_s):
                while calm < 2:
                    try:
                        run, link = await self.run(), await self.link()
                    except grpc.aio.AioRpcError as error:
                        if error.code() is not grpc.StatusCode.UNAVAILABLE:
                            raise
                        seen, calm = [*seen[-5:], str(error.details())], 0
                        await anyio.sleep(0.2)
                        continue
                    seen = [*seen[-5:], f"{run.outcome} {run.error} {link.state} {link.freshness_s}"]
                    settled = link.loaded and not link.freshness_s
                    calm = calm + 1 if run.outcome == "nothing_new" and settled else 0
                    await anyio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not at rest within {timeout_s:g} s: {seen}") from None

    async def conflicts(self) -> list[Any]:
        """Every open conflict."""
        found: list[Any] = []
        request = rooms_pb2.ListConflictsRequest(link=LINK, tenant=TENANT, page_size=500)
        async with self.client() as admin:
            while True:
                page = await admin(admin.conflicts.ListConflicts, request)
                found.extend(page.conflicts)
                if not page.next_page_token:
                    return found
                request.page_token = page.next_page_token

    async def parked(self) -> list[Any]:
        """Every record in quarantine."""
        found: list[Any] = []
        request = rooms_pb2.ListParkedRequest(link=LINK, tenant=TENANT, page_size=500)
        async with self.client() as admin:
            while True:
                page = await admin(admin.quarantine.ListParked, request)
                found.extend(page.parked)
                if not page.next_page_token:
                    return found
                request.page_token = page.next_page_token

    async def plans(self) -> list[Any]:
        """Every open plan."""
        async with self.client() as admin:
            request = plans_pb2.ListPlansRequest(link=LINK, tenant=TENANT)
            plans = (await admin(admin.plans.ListPlans, request)).plans
            return [plan for plan in plans if plan.state == "open"]

    # ---------------------------------------------------------------------------------------------------- the ERP

    @property
    def file(self) -> Path:
        """The ERP's one file."""
        return self.erp / "PEOPLE.csv"

    def rows(self) -> list[Row]:
        """The ERP's rows."""
        with self.file.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def save(self, rows: list[Row]) -> None:
        """Put a new file in the place of the old one, as ERP systems export."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, HEAD, delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        part = self.erp / "PEOPLE.part"
        part.write_bytes(text.getvalue().encode())
        part.replace(self.file)

    @contextmanager
    def editing(self) -> Iterator[list[Row]]:
        """Read, change, replace, alone in the folder: what a well-behaved program does."""
        with (self.erp / ".tandem-lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            rows = self.rows()
            yield rows
            self.save(rows)

    # ---------------------------------------------------------------------------------------------------- the CRM

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of the CRM's own program."""
        connection = await asyncpg.connect(self.crm_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def sql(self, statement: str, *values: Any) -> list[Mapping[str, Any]]:
        """One statement in the CRM."""
        async with self.database() as crm:
            return [dict(row) for row in await crm.fetch(statement, *values)]

    async def until(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """Wait for something that other processes bring about."""
        return await eventually(condition, timeout_s)


def person(number: int, **more: str) -> Row:
    """A row of the ERP."""
    base = {
        "NR": f"K{number:03d}",
        "NAME": f"Person {number}",
        "PHONE": "",
        "MAIL": "",
        "CITY": "",
        "ORIGIN": "",
    }
    return base | more


@asynccontextmanager
async def world_of(base: Path, crm_url: str) -> AsyncIterator[World]:
    """A world with an empty ERP file and an empty CRM table; the daemon is ended with it."""
    world = World(base, crm_url)
    world.save([])
    await world.sql(CRM)
    try:
        yield world
    finally:
        await anyio.to_thread.run_sync(world.close)
