"""From before a change on A until it is to be seen on B: through the link, and through a relay without state.

Both find changes by a trigger. Who waits for B is told by a trigger there, for both in the same way. Changes come one by
one, the daemon's and the relay's in turn.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import anyio
import anyio.to_thread

from bench import tables
from bench.report import Result
from bench.servers import REPOSITORY
from bench.session import Session, say

FULL = 10_000
CHANGES = 300
ROUNDS = 3
TIMEOUT_S = 30.0
WATCHED = """
CREATE OR REPLACE FUNCTION bench_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('bench_told', NEW.number || ' ' || NEW.phone); RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER bench_told AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION bench_told();
"""
TOLD = """
CREATE OR REPLACE FUNCTION bench_relay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('bench_relay', NEW.id::text); RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER bench_relay AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION bench_relay();
"""
CHANGE = "UPDATE customers SET phone = $2 WHERE number = $1"


class Path:
    """One way from a database to another: changes one record and waits until the other side shows it."""

    def __init__(self, source: Any, target: Any) -> None:
        self._source = source
        self._target = target
        self._wanted = ""
        self._seen = anyio.Event()
        self._at = 0.0

    async def open(self) -> None:
        """Listen on the other side."""
        await self._target.add_listener("bench_told", self._told)

    def _told(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        if payload == self._wanted:
            self._at = time.perf_counter()
            self._seen.set()

    async def change(self, number: str, phone: str) -> float:
        """Seconds from before the UPDATE until it was to be seen."""
        self._wanted, self._seen = f"{number} {phone}", anyio.Event()
        began = time.perf_counter()
        await self._source.execute(CHANGE, number, phone)
        with anyio.fail_after(TIMEOUT_S):
            await self._seen.wait()
        return self._at - began


async def changes(session: Session) -> Sequence[Result]:
    """Rounds of sequential changes; p50 and p99 of each round over those of the relay in the same round."""
    stand = await session.loaded(session.options.rows(FULL), find="trigger")
    count = max(20, int(CHANGES * session.options.scale))
    mine, theirs = [], []
    async with _pair(session, "a", "b") as link, _pair(session, "c", "d") as pair, _relay(session):
        for round_ in range(session.options.repeat(ROUNDS)):
            link_s, relay_s = [], []
            for n in range(count + 5):
                number, phone = f"K{1 + n % session.rows:08d}", f"+49{round_ + 1}{n:06d}"
                relay_s.append(await pair.change(number, phone))
                link_s.append(await link.change(number, phone))
            mine.append(link_s[5:])
            theirs.append(relay_s[5:])
            say(
                f"latency p50 {median(mine[-1]) * 1000:.2f} ms, relay {median(theirs[-1]) * 1000:.2f} ms; p99"
                f" {_p99(mine[-1]) * 1000:.2f} and {_p99(theirs[-1]) * 1000:.2f} ms"
            )
    await stand.quiet()
    await stand.check(session.rows)
    return [
        _result("change_latency_p50_over_relay", median, mine, theirs),
        _result("change_latency_p99_over_relay", _p99, mine, theirs),
    ]


def _result(name: str, of: Any, mine: list[list[float]], theirs: list[list[float]]) -> Result:
    ratios = tuple(of(one) / of(other) for one, other in zip(mine, theirs, strict=True))
    all_mine, all_theirs = [s for one in mine for s in one], [s for one in theirs for s in one]
    notes = f"{of(all_mine) * 1000:.2f} ms, relay {of(all_theirs) * 1000:.2f} ms"
    return Result(name, ratios, None, notes)


def _p99(values: Sequence[float]) -> float:
    """The value that one in a hundred is above."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


@asynccontextmanager
async def _pair(session: Session, source: str, target: str) -> AsyncIterator[Path]:
    async with session.systems.session(source) as one, session.systems.session(target) as other:
        await other.execute(WATCHED)
        path = Path(one, other)
        await path.open()
        yield path
        await other.execute("DROP TRIGGER bench_told ON customers")


@asynccontextmanager
async def _relay(session: Session) -> AsyncIterator[None]:
    """The relay, as a process of its own, between c and d."""
    for name in ("c", "d"):
        async with session.systems.session(name) as db:
            await db.execute("TRUNCATE customers")
            await db.execute(tables.FILL, session.rows)
            await db.execute("VACUUM ANALYZE customers")
            if name == "c":
                await db.execute(TOLD)
    command = [sys.executable, "-m", "bench.relay", session.systems.url("c"), session.systems.url("d")]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None
        try:
            await anyio.to_thread.run_sync(relay.stdout.readline)
            yield
        finally:
            relay.terminate()
