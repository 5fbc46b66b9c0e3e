"""A daemon with the link between both databases, steered as a user would: the client library, and nothing else.

Must not: reach into the daemon's state.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from bench import tables
from bench.servers import Daemon, Systems, start_daemon
from bench.tables import WrongResult
from tandem.v1 import connections_pb2, links_pb2, runs_pb2, system_pb2
from tandem_client import Tandem

TENANT, LINK = "bench", "customers"
FINE = frozenset({"succeeded", "nothing_new"})
CALL_TIMEOUT_S = 300.0
End = tuple[str, Mapping[str, object]]  # the connector of a side, and its settings


@dataclass(frozen=True)
class Load:
    """An initial load: until the run had ended, and until the last row was committed in B (seconds)."""

    ended_s: float
    arrived_s: float

    @property
    def seconds(self) -> float:
        """Until both."""
        return max(self.ended_s, self.arrived_s)


@dataclass(frozen=True)
class Ran:
    """A run by command: as its caller saw it, and as its row in the history says (seconds)."""

    wall_s: float
    inside_s: float
    run: runs_pb2.Run


class Steered:
    """A tandemd on a data directory of its own, and one link."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.tandem = Tandem(daemon.address, token=daemon.token, timeout_s=CALL_TIMEOUT_S)

    async def stop(self) -> None:
        """End the daemon."""
        await self.tandem.close()
        await self.daemon.stop()

    async def restart(self) -> None:
        """The daemon anew, on what it has stored."""
        await self.stop()
        self.daemon = await start_daemon(self.daemon.data_dir)
        self.tandem = Tandem(self.daemon.address, token=self.daemon.token, timeout_s=CALL_TIMEOUT_S)

    # ----------------------------------------------------------------------------------------------- the link

    async def make_link(self, a: End, b: End, blueprint: str) -> None:
        """Tenant, both connections and the link, paused."""
        await self.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=TENANT))
        for side, (connector, settings) in (("a", a), ("b", b)):
            request = connections_pb2.CreateConnectionRequest(
                tenant=TENANT, name=side, connector=connector, settings=_struct(settings)
            )
            await self.tandem.connections.CreateConnection(request)
        await self.tandem.links.CreateLink(
            links_pb2.CreateLinkRequest(
                tenant=TENANT, name=LINK, a="a", b="b", blueprint=blueprint, paused=True
            )
        )

    async def set_up(self, side: str, settings: Mapping[str, object]) -> None:
        """Other settings for the connection of a side."""
        request = connections_pb2.UpdateConnectionRequest(
            connection=side, tenant=TENANT, settings=_struct(settings)
        )
        await self.tandem.connections.UpdateConnection(request)

    async def shown(self) -> links_pb2.Link:
        """The link as the daemon shows it."""
        return await self.tandem.links.GetLink(links_pb2.GetLinkRequest(link=LINK, tenant=TENANT))

    async def let_go(self, timeout_s: float) -> tuple[float, float]:
        """Let the paused link go, and wait until the run of the initial load has ended; when that was, both by the clock."""
        began = time.time()
        with anyio.fail_after(timeout_s):
            await self.tandem.links.ResumeLink(links_pb2.ResumeLinkRequest(link=LINK, tenant=TENANT))
            return began, await self._loaded()

    async def _loaded(self) -> float:
        """When the run of the initial load ended, by the daemon's clock."""
        while True:
            run = await self._watched(await self._newest())
            if run.outcome not in FINE:
                raise WrongResult(f"the initial load ended {run.outcome}: {run.error}")
            link = await self.shown()
            if link.loaded and not link.run:
                return _seconds(run.ended)

    async def _newest(self) -> runs_pb2.Run:
        while True:
            request = runs_pb2.ListRunsRequest(link=LINK, tenant=TENANT, page_size=1)
            runs = (await self.tandem.runs.ListRuns(request)).runs
            if runs:
                return runs[0]
            await anyio.sleep(0.02)

    async def _watched(self, run: runs_pb2.Run) -> runs_pb2.Run:
        call = self.tandem.runs.WatchRun(runs_pb2.WatchRunRequest(run=run.id))
        async for seen in call:
            run = seen
        return run

    # --------------------------------------------------------------------------------------------------- runs

    async def run(self) -> Ran:
        """Start a run by command, and wait for its end."""
        began = time.perf_counter()
        run = await (await self.tandem.start_run(LINK, tenant=TENANT)).done()
        wall_s = time.perf_counter() - began
        if run.outcome not in FINE:
            raise WrongResult(f"a run ended {run.outcome}: {run.error}")
        return Ran(wall_s, _seconds(run.ended) - _seconds(run.started), run)

    async def quiet(self) -> None:
        """Run until two runs in a row find nothing new: the daemon has seen its own writes, too."""
        calm = 0
        while calm < 2:
            calm = calm + 1 if (await self.run()).run.outcome == "nothing_new" else 0

    async def rests(self) -> None:
        """Wait until no run is under way: whoever made the last change has looked at it, too."""
        while (await self.shown()).run:
            await anyio.sleep(0.01)

    async def all_bound(self, rows: int) -> None:
        """Each record is bound, and nothing waits."""
        link = await self.shown()
        waiting = {room.room: room.count for room in link.rooms if room.count}
        if link.bindings != rows or waiting:
            raise WrongResult(f"{link.bindings} of {rows} records are bound; in rooms: {waiting}")


class Stand(Steered):
    """With the link between the databases a and b."""

    def __init__(self, systems: Systems, daemon: Daemon) -> None:
        super().__init__(daemon)
        self.systems = systems
        self.resting_bytes = daemon.memory()

    @classmethod
    async def start(cls, systems: Systems, data_dir: Path) -> Stand:
        """A new daemon, with nothing in it."""
        return cls(systems, await start_daemon(data_dir))

    async def connect(self, find: str, blueprint: str = tables.BLUEPRINT) -> None:
        """Tenant, both connections and the link, paused."""
        # Both databases tell the time by the same clock, so nothing has to be looked at twice.
        settings = {"overlap_s": 0, **_found_by(find)}
        a, b = (("postgres", {"url": self.systems.url(side), **settings}) for side in ("a", "b"))
        await self.make_link(a, b, blueprint)

    async def find_by(self, find: str) -> None:
        """Another way to find changes, on both sides; returns when the link is at rest again."""
        for side in ("a", "b"):
            await self.set_up(side, _found_by(find))
        await self.quiet()

    async def load(self, rows: int, timeout_s: float) -> Load:
        """Let the paused link go, and wait until all is in B and the run has ended."""
        began, ended = await self.let_go(timeout_s)
        await self.check(rows)
        async with self.systems.session("b") as b:
            arrived = await tables.last_commit(b)
        return Load(ended - began, arrived - began)

    async def check(self, rows: int) -> None:
        """B is what the rules make of A, each record is bound, and nothing waits."""
        async with self.systems.session("a") as a, self.systems.session("b") as b:
            await tables.check_equal(a, b)
        await self.all_bound(rows)


@asynccontextmanager
async def steered(data_dir: Path) -> AsyncIterator[Steered]:
    """A tandemd on this data directory, as long as it is needed."""
    stand = Steered(await start_daemon(data_dir))
    try:
        yield stand
    finally:
        await stand.stop()


def _found_by(find: str) -> Mapping[str, object]:
    if find != "modified":
        return {"find": find, "objects": {}}
    # What every change sets is named per object.
    return {"find": "full", "objects": {"customers": {"modified": "updated_at", "find": "modified"}}}


def _struct(settings: Mapping[str, object]) -> Struct:
    return json_format.ParseDict(dict(settings), Struct())


def _seconds(stamp: Timestamp) -> float:
    return stamp.seconds + stamp.nanos / 1e9
