"""What chaos is played on: two systems full of people, one or two tandemd processes between them, and the means to hurt.

Owns the blueprint, the clock of every mishap, and the operator who decides conflicts. Must not: judge.
"""

from __future__ import annotations

import base64
import os
import random
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import grpc

from tandem.v1 import rooms_pb2
from tests.chaos.auditor import Side
from tests.chaos.people import People, everybody
from tests.chaos.systems import TANDEM, System
from tests.chaos.witness import Item
from tests.connectors.pgserver import new_database
from tests.daemon.process import DaemonProcess, running
from tests.e2e.steering import Steered

BLUEPRINT = """\
blueprint: people
version: 1
breaker: 100000
a: {connector: postgres, poll: 1s}
b: {connector: postgres, poll: 1s}
streams:
  people:
    kind: master
    a: people
    b: people
    match: [[name]]
    creates: [a, b]
    deletes: {a: ignore, b: ignore}
    first_contact: fill_empty
    budgets: {overwrites: unlimited, creates: unlimited, clears: 1000000}
    complete_read: 1h
    fields:
      name: {a: name, b: name, required: true}
      phone: {a: phone, b: phone}
      mail: {a: mail, b: mail, conflict: ask}
      city: {a: city, b: city, conflict: ask}
      level: {a: level, b: level, owner: a}
"""
LEASE_TTL_S = "2"
SIDES: Mapping[int, Side] = {1: "a", 2: "b"}  # as the API numbers them
OPERATOR_PAUSE_S = 3.0
OPEN_INTENTS = "SELECT count(*) FROM actions WHERE state IN ('sent', 'unconfirmed')"
REFUSED = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
)  # it is gone, or shows other values by now
SECRET_KEY = base64.b64encode(bytes(32)).decode()  # two daemons on one database have one


@dataclass
class Mishaps:
    """What was done to the daemon, and when (wall clock)."""

    kills: dict[str, int] = field(default_factory=lambda: {"daemon": 0, "database": 0, "both": 0})
    at: list[float] = field(default_factory=list)
    takeovers: int = 0

    def note(self, victim: str) -> None:
        """Something was killed."""
        self.kills[victim] += 1
        self.at.append(time.time())


class Stand(Steered):
    """Systems `a` and `b` and a daemon. `database_url`: of the daemon's state; "" = its own PostgreSQL."""

    def __init__(self, base: Path, systems: tuple[System, System], seed: int, database_url: str = "") -> None:
        base.mkdir(parents=True, exist_ok=True)
        base.chmod(0o755)
        super().__init__(base / "one")
        self.systems = systems
        self.people: dict[Side, People] = everybody(systems, seed)
        self.luck = random.Random(seed)  # noqa: S311 -- moments and choices, no secret
        self.mishaps = Mishaps()
        self.decided: list[tuple[str, str, str, str]] = []
        self.database_url = database_url
        self.lease_ttl_s = LEASE_TTL_S

    @property
    def _settings(self) -> dict[str, str]:
        settings = {"lease_ttl_s": self.lease_ttl_s, "log_level": "debug", "secret_key": SECRET_KEY}
        return settings | ({"database_url": self.database_url} if self.database_url else {})

    async def open(self) -> None:
        """Start the daemon (again)."""
        await anyio.to_thread.run_sync(lambda: self.start(**self._settings))

    async def connect(self) -> None:
        """Tenant, connections and link."""
        sides = tuple((one.side, "postgres", one.settings()) for one in self.systems)
        await self.connect_as(BLUEPRINT, sides)

    # ------------------------------------------------------------------------------------------------- mishaps

    async def hurt(self) -> None:
        """SIGKILL to the daemon, to its PostgreSQL or to both; the daemon is started again."""
        victim = self.luck.choice(("daemon", "daemon", "database", "both"))
        if victim != "daemon":
            self.kill_database()
        if victim == "both":
            await anyio.sleep(self.luck.choice((0.0, 0.0, self.luck.uniform(0, 0.3))))
        self.mishaps.note(victim)
        if victim != "database":
            await anyio.to_thread.run_sync(self.kill)
            await self.open()

    async def writes(self, timeout_s: float) -> None:
        """Wait until Tandem has written something anew, on either side; no longer than that."""
        marks = [await system.last() for system in self.systems]
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for system, mark in zip(self.systems, marks, strict=True):
                if await system.wrote_since(mark, TANDEM):
                    return
            await anyio.sleep(0.05)

    async def second(self) -> DaemonProcess:
        """One more daemon on the same database."""

        def start() -> DaemonProcess:
            folder = self.data_dir.parent / "two"
            return self._stack.enter_context(running(folder, **self._settings))

        return await anyio.to_thread.run_sync(start)

    async def owner(self) -> tuple[str, int]:
        """Who holds the link, and its epoch, as the daemons' database says."""
        row = await self._stored("SELECT owner, epoch FROM links")
        return row["owner"], row["epoch"]

    async def _stored(self, query: str) -> asyncpg.Record:
        """The one row of a query on the daemons' database."""
        assert self.daemon is not None
        connection = await asyncpg.connect(self.database_url or self.daemon.dsn)
        try:
            row = await connection.fetchrow(query)
        finally:
            await connection.close()
        assert row is not None
        return row

    # ------------------------------------------------------------------------------------------------ operator

    async def operator(self, done: anyio.Event) -> None:
        """Decides conflicts now and then, as they are shown; a few are left."""
        while not done.is_set():
            await anyio.sleep(OPERATOR_PAUSE_S)
            with suppress(grpc.aio.AioRpcError, OSError):  # the daemon is away
                for one in await self.conflicts():
                    if self.luck.random() < 0.3 and not one.decision:
                        await self._decide(one, self.luck.choice(tuple(SIDES.values())))

    async def _decide(self, conflict: Any, choose: Side) -> None:
        values = {side: conflict.detail[side][conflict.field] or "" for side in SIDES.values()}
        kept, given_up = values[choose], values["b" if choose == "a" else "a"]
        request = rooms_pb2.ResolveConflictRequest(
            id=conflict.id, choose=choose, fingerprint=conflict.fingerprint
        )
        noted = [(name, conflict.field, kept, given_up) for name in await self._names_of(conflict.record)]
        self.decided += (
            noted  # before it is asked for: the answer may be lost with the daemon, and the decision stand
        )
        try:
            async with self.client() as admin:
                await admin(admin.conflicts.ResolveConflict, request)
        except grpc.aio.AioRpcError as error:
            if error.code() not in REFUSED:
                raise
            self.decided = [one for one in self.decided if one not in noted]

    async def _names_of(self, record: str) -> list[str]:
        async with self.systems[0].session() as session:
            rows = await session.fetch("SELECT name FROM people WHERE id = $1", int(record))
        return [row["name"] for row in rows]

    # ------------------------------------------------------------------------------------------------- history

    async def open_intents(self) -> int:
        """Writes whose outcome is not settled, as the daemons' database says: what metrics say may be seconds old."""
        return int((await self._stored(OPEN_INTENTS))[0])

    async def protocol(self) -> tuple[list[Item], dict[tuple[Side, str], int]]:
        """Every write that Tandem's history names, and the sums of its counters."""
        items: list[Item] = []
        totals: dict[tuple[Side, str], int] = {}
        for run in await self.runs():
            for counter in run.counters:
                for op, number in (
                    ("create", counter.created),
                    ("update", counter.updated),
                    ("delete", counter.deleted + counter.marked),
                ):
                    place = SIDES[counter.side], op
                    totals[place] = totals.get(place, 0) + number
            for one in await self.items(run.id):
                if one.op in ("create", "update", "delete", "mark"):
                    items.append(Item(SIDES[one.side], one.op, one.record, one.state, one.error))
        return items, totals


@asynccontextmanager
async def stand_on(
    server_url: str, base: Path, seed: int, *, is_shared: bool = False
) -> AsyncIterator[Stand]:
    """A stand with empty systems on a server; `is_shared`: the daemons' state is on that server too."""
    async with (
        new_database(server_url) as a,
        new_database(server_url) as b,
        new_database(server_url) as state,
    ):
        systems = System("a", a), System("b", b)
        for system in systems:
            await system.set_up()
        stand = Stand(base, systems, seed, state if is_shared else "")
        try:
            yield stand
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(stand.close)


def metrics(address: str) -> bytes:
    """The page of metrics."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=30) as page:  # noqa: S310 -- our own daemon's
        found: bytes = page.read()
        return found


def freeze(daemon: DaemonProcess) -> None:
    """SIGSTOP: it lives, holds its sessions, and does nothing."""
    os.kill(daemon.process.pid, signal.SIGSTOP)


def thaw(daemon: DaemonProcess) -> None:
    """SIGCONT: it goes on where it was, and does not know how long that is ago."""
    os.kill(daemon.process.pid, signal.SIGCONT)
