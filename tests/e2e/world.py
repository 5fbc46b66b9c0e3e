"""A small real world for tests of the whole: an ERP folder, a CRM database, a tandemd process that can be killed.

Steers the daemon through its API and `tandemctl` alone. Must not: reach into the daemon's state.
"""

from __future__ import annotations

import csv
import fcntl
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from tests.daemon.process import eventually
from tests.e2e.steering import LINK, TENANT, Steered

__all__ = ["LINK", "TENANT"]
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


class World(Steered):
    """ERP folder `erp`, CRM at `crm_url`, and a daemon on `data_dir` once `start` was called."""

    def __init__(self, base: Path, crm_url: str) -> None:
        super().__init__(base / "data")
        base.chmod(0o755)
        self.erp, self.crm_url = base / "erp", crm_url
        self.find = "trigger"
        self.erp.mkdir()

    # -------------------------------------------------------------------------------------------------- the link

    async def connect(self, blueprint: str = BLUEPRINT, *, paused: bool = False) -> None:
        """Tenant, both connections and the link."""
        sides = (("erp", "csv", self.erp_settings()), ("crm", "postgres", self.crm_settings()))
        await self.connect_as(blueprint, sides, paused=paused)

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

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
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
