"""What the daemon is compared with: copying with psql, and plain scripts on asyncpg that keep no state, or hardly any.

They work between the databases c and d, which nobody else writes to. Must not: be slower than somebody who means well
would write them.
"""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime
from typing import Any

import anyio
import anyio.to_thread

from bench.servers import Systems
from bench.tables import COLUMNS

WINDOW = 5_000
STATE = """
CREATE TABLE identity (a_id bigint PRIMARY KEY, b_id bigint NOT NULL UNIQUE);
CREATE TABLE base (a_id bigint PRIMARY KEY, fields jsonb NOT NULL);
"""
_CHANGED = f"SELECT {', '.join(COLUMNS)} FROM customers WHERE updated_at > $1 ORDER BY updated_at, id"
_UPSERT = (
    f"INSERT INTO customers ({', '.join(COLUMNS)}) VALUES ({', '.join(f'${n}' for n, _ in enumerate(COLUMNS, 1))})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS[1:-1])}"
)


async def copy_through(systems: Systems) -> float:
    """The limit: COPY of a to d, binary, through psql; where there is none, the same bytes through asyncpg. Seconds."""
    async with systems.session("d") as d:
        await d.execute("TRUNCATE customers")
    await systems.settle()
    psql = systems.psql
    if psql is None:
        return await _copy_bytes(systems)
    return await anyio.to_thread.run_sync(_copy_psql, psql, systems.url("a"), systems.url("d"))


def _copy_psql(psql: str, source: str, target: str) -> float:
    out = [psql, "-X", "-q", source, "-c", "COPY customers TO STDOUT (FORMAT binary)"]
    into = [psql, "-X", "-q", target, "-c", "COPY customers FROM STDIN (FORMAT binary)"]
    began = time.perf_counter()
    with subprocess.Popen(out, stdout=subprocess.PIPE) as reader:
        subprocess.run(into, stdin=reader.stdout, check=True)
    if reader.returncode:
        raise RuntimeError(f"psql ended with {reader.returncode}")
    return time.perf_counter() - began


async def _copy_bytes(systems: Systems) -> float:
    async with systems.session("a") as a, systems.session("d") as d:
        send, receive = anyio.create_memory_object_stream[bytes](16)
        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                async with send:
                    await a.copy_from_table("customers", output=send.send, format="binary")

            tasks.start_soon(read)
            await d.copy_to_table("customers", source=receive, format="binary")
        return time.perf_counter() - began


async def floor_load(systems: Systems) -> float:
    """The floor: rows of a into d, one identity row and one jsonb base per record into s. No mapping, no merge. Seconds."""
    async with systems.session("a") as a, systems.session("d") as d, systems.session("s") as s:
        await d.execute("TRUNCATE customers")
        await s.execute(f"DROP TABLE IF EXISTS identity, base; {STATE}")
        await systems.settle()
        began = time.perf_counter()
        async with a.transaction():
            cursor = await a.cursor(f"SELECT {', '.join(COLUMNS)} FROM customers ORDER BY id")
            while rows := await cursor.fetch(WINDOW):
                await _floor_window(d, s, rows)
        return time.perf_counter() - began


async def _floor_window(d: Any, s: Any, rows: list[Any]) -> None:
    await d.copy_records_to_table("customers", columns=COLUMNS, records=rows)
    bases = [(row["id"], json.dumps(dict(row), default=str)) for row in rows]
    async with s.transaction():
        await s.copy_records_to_table("identity", records=[(row["id"], row["id"]) for row in rows])
        await s.copy_records_to_table("base", records=bases)


class Script:
    """Keeps c and d in step by their times of change: reads what changed and upserts it on the other side, in process."""

    def __init__(self, c: Any, d: Any, since: datetime) -> None:
        self._c = c
        self._d = d
        self.since = since

    async def one_way(self) -> float:
        """What changed in c, into d. Seconds."""
        began = time.perf_counter()
        self.since = max(self.since, await self._carry(self._c, self._d))
        return time.perf_counter() - began

    async def both_ways(self) -> float:
        """What changed on either side, into the other; both are read before either is written. Seconds."""
        began = time.perf_counter()
        of_c, of_d = await self._c.fetch(_CHANGED, self.since), await self._d.fetch(_CHANGED, self.since)
        await self._d.executemany(_UPSERT, of_c)
        await self._c.executemany(_UPSERT, of_d)
        return time.perf_counter() - began

    async def _carry(self, source: Any, target: Any) -> datetime:
        rows = await source.fetch(_CHANGED, self.since)
        if not rows:
            return self.since
        await target.executemany(_UPSERT, rows)
        latest: datetime = max(row["updated_at"] for row in rows)
        return latest


async def read_both(systems: Systems) -> float:
    """COPY of a and of b, the bytes discarded: what reading costs where nothing is compared. Seconds."""

    async def nowhere(_: bytes) -> None:
        return

    async with systems.session("a") as a, systems.session("b") as b:
        began = time.perf_counter()
        for side in (a, b):
            await side.copy_from_table("customers", output=nowhere)
        return time.perf_counter() - began
