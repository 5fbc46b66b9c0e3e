"""A pair of products between two emulators: the initial load beside a plain script, its requests, and one change that a
webhook tells of beside a relay without state.

Both work against emulators of their own kind, started anew and empty on the side that is written to.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import aiohttp
import anyio

from bench.catalog import LIMITED
from bench.pairs import PAIRS
from bench.pairs.emulated import Called, Emulated, Rows, called, emulated
from bench.pairs.pair import Pair, TellingPair
from bench.report import Result
from bench.session import Session, say
from bench.stand import LINK, TENANT, Steered, steered
from tandem.v1 import webhooks_pb2

FULL = 20_000
SLOW = 4_000  # records of the load between systems that take their time
ANSWER_S = 0.02  # and how much of it for an answer
WARM = 5  # the first ones, of which nothing is said
AT_ONCE = 4
RECORDS_PER_S_MIN = 50
TIMEOUT_S = 30.0


async def pair(name: str, session: Session) -> Sequence[Result]:
    """All figures of one pair."""
    measured = _Measured(PAIRS[name](), session)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        for _ in range(session.options.repeat(1)):
            await measured.round(http)
    return measured.results()


class _Measured:
    """Rounds of one pair."""

    def __init__(self, of: Pair, session: Session) -> None:
        self._pair = of
        self._session = session
        self._count = session.options.rows(FULL)
        self._ratios: list[float] = []
        self._slow: list[tuple[float, float]] = []  # seconds, of the daemon and of the script
        self._seconds: list[tuple[float, float]] = []
        self._requests: list[tuple[float, float]] = []
        self._cpu_s: list[tuple[float, float]] = []  # of the daemon without its database, and of the script
        self._mine: list[float] = []
        self._theirs: list[float] = []

    async def round(self, http: aiohttp.ClientSession) -> None:
        """The script, then the daemon, then changes through either in turn."""
        one, folder = self._pair, self._session.folder / f"{self._pair.name}-{len(self._ratios)}"
        (system_a, options_a), (system_b, options_b) = one.systems
        rows = one.rows(self._count)
        async with emulated(http, folder / "a", system_a, rows, options_a) as a:
            async with emulated(http, folder / "script", system_b, one.there, options_b) as b:
                script_s, script_requests, script_cpu_s = await self._script(http, a, b, self._count)
            async with (
                emulated(http, folder / "b", system_b, one.there, options_b) as b,
                steered(folder / "daemon") as stand,
            ):
                took_s, requests, cpu_s = await self._load(stand, a, b, self._count)
                self._ratios.append(took_s / script_s)
                self._seconds.append((took_s, script_s))
                self._requests.append((requests, script_requests))
                self._cpu_s.append((cpu_s, script_cpu_s))
                if isinstance(one, TellingPair):
                    await self._changes(one, http, stand, a, b)
        if one.name not in LIMITED:
            await self._slowly(http, folder)

    async def _slowly(self, http: aiohttp.ClientSession, folder: Path) -> None:
        """The load once more, smaller, between systems that take their time for each answer, as those of vendors do."""
        one, count = self._pair, self._session.options.rows(SLOW)
        (system_a, options_a), (system_b, options_b) = one.systems
        async with _slow(http, folder / "slow-a", system_a, one.rows(count), options_a) as a:
            async with _slow(http, folder / "slow-script", system_b, one.there, options_b) as b:
                script_s, _, _ = await self._script(http, a, b, count)
            async with (
                _slow(http, folder / "slow-b", system_b, one.there, options_b) as b,
                steered(folder / "slow-daemon") as stand,
            ):
                took_s, _, _ = await self._load(stand, a, b, count)
        self._slow.append((took_s, script_s))

    async def _script(
        self, http: aiohttp.ClientSession, a: Emulated, b: Emulated, count: int
    ) -> tuple[float, float, float]:
        before = await a.requests() + await b.requests()
        began, used_s = time.perf_counter(), time.process_time()
        await self._pair.load(http, a, b)
        took_s, used_s = time.perf_counter() - began, time.process_time() - used_s
        requests = await a.requests() + await b.requests() - before
        await self._pair.check(a, b)
        return took_s, requests / count, used_s

    async def _load(self, stand: Steered, a: Emulated, b: Emulated, count: int) -> tuple[float, float, float]:
        """Seconds until the run of the load had ended, requests for each record until the daemon had seen its own writes,
        too, and processor time of the load."""
        await stand.make_link(*self._pair.ends(a, b), self._pair.text())
        before = await a.requests() + await b.requests()
        await anyio.sleep(self._pair.allowance_s * min(1.0, self._session.options.scale))
        used_s = stand.daemon.cpu_s()
        began, ended = await stand.let_go(60 + count / RECORDS_PER_S_MIN)
        used_s = stand.daemon.cpu_s() - used_s
        await stand.run()
        requests = await a.requests() + await b.requests() - before
        await stand.quiet()
        await self._pair.check(a, b)
        await stand.all_bound(count + self._pair.beside)
        return ended - began, requests / count, used_s

    async def _changes(
        self, pair: TellingPair, http: aiohttp.ClientSession, stand: Steered, a: Emulated, b: Emulated
    ) -> None:
        """Changes one by one. The relay has records of its own: what it writes is nobody's business here."""
        count = max(10, int(pair.changes * self._session.options.scale))
        source, target = pair.ways(a, b)
        if pair.without_limit:
            await b.person("POST", "state", {"limit": {"requests": 0}})
            await stand.set_up("b", pair.without_limit)
            await stand.quiet()
        side = "b" if (source is a) is pair.turned else "a"
        request = webhooks_pb2.CreateWebhookRequest(connection=side, tenant=TENANT)
        hook = await stand.tandem.webhooks.CreateWebhook(request)
        url = {one.object: one.url for one in hook.addresses}[pair.hooked]
        async with called() as there, called() as told, anyio.create_task_group() as tasks:
            written = _Written(pair, target, there)
            tasks.start_soon(written.watch)
            for n in range(1, count + WARM + 1):
                await stand.rests()
                await pair.call(source, told.url, "")
                theirs = await self._relayed(pair, http, source, target, told, written, n)
                await pair.call(source, url, hook.secret)
                mine = await written.after(pair.change(source, count + WARM + n, f"Ort {n}"))
                if n > WARM:
                    self._theirs.append(theirs * 1000)
                    self._mine.append(mine * 1000)
            tasks.cancel_scope.cancel()
        shown = await stand.shown()
        say(f"{LINK}: {shown.state}, {len(self._mine)} changes")

    async def _relayed(
        self,
        pair: TellingPair,
        http: aiohttp.ClientSession,
        source: Emulated,
        target: Emulated,
        told: Called,
        written: _Written,
        number: int,
    ) -> float:
        async def change() -> None:
            await pair.change(source, number, f"Ort {number}")
            await told.calls.receive()
            await pair.relay(http, source, target, number)

        return await written.after(change())

    def results(self) -> list[Result]:
        """The figures."""
        name, took = self._pair.name, self._seconds[-1]
        say(f"{name}: load {took[0]:.2f} s, script {took[1]:.2f} s: {median(self._ratios):.2f} x")
        used_ms = [1000 * seconds / self._count for seconds in self._cpu_s[-1]]
        notes = (
            f"{took[0]:.1f} s, script {took[1]:.1f} s, {self._count:,} records;"
            f" of processor time {used_ms[0]:.2f} ms a record, script {used_ms[1]:.2f} ms"
        )
        mine, theirs = zip(*self._requests, strict=True)
        late = [self._late("p50", 0.5), self._late("p99", 0.99)] if self._mine else []
        return [
            Result(f"pair_load_over_script:{name}", tuple(self._ratios), None, notes),
            Result(f"requests_per_record:{name}", mine, median(theirs)),
            *self._slow_results(),
            *late,
        ]

    def _slow_results(self) -> list[Result]:
        if not self._slow:
            return []
        took_s, script_s = self._slow[-1]
        notes = f"{took_s:.1f} s, script {script_s:.1f} s, {self._session.options.rows(SLOW):,} records"
        ratios = tuple(mine / theirs for mine, theirs in self._slow)
        return [Result(f"pair_load_at_20ms_over_script:{self._pair.name}", ratios, None, notes)]

    def _late(self, word: str, part: float) -> Result:
        mine, theirs = _at(self._mine, part), _at(self._theirs, part)
        notes = f"{mine:.1f} ms from the change to the write, {len(self._mine)} changes"
        over = (mine - theirs,)
        return Result(f"webhook_to_write_{word}_ms:{self._pair.name}", over, theirs, notes)


@asynccontextmanager
async def _slow(
    http: aiohttp.ClientSession, folder: Path, system: str, rows: Rows, options: Mapping[str, str]
) -> AsyncIterator[Emulated]:
    async with emulated(http, folder, system, rows, options) as one:
        await one.person("POST", "faults", {"kind": "slow", "seconds": ANSWER_S, "times": -1})
        yield one


class _Written:
    """When the last write to one side took place."""

    def __init__(self, of: TellingPair, target: Emulated, called: Called) -> None:
        self._pair, self._target, self._called = of, target, called
        self._seen = anyio.Event()
        self._at = 0.0

    async def watch(self) -> None:
        """Look, until cancelled."""
        async for at in self._pair.watch(self._target, self._called):
            self._at = at
            self._seen.set()

    async def after(self, change: Awaitable[None]) -> float:
        """Seconds from before a change to the write that follows it."""
        self._seen, began = anyio.Event(), time.perf_counter()
        await change
        with anyio.fail_after(TIMEOUT_S):
            await self._seen.wait()
        return self._at - began


def _at(values: Sequence[float], part: float) -> float:
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]
