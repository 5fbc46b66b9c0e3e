"""What a link at rest costs the daemon: resident memory per link, and processor time while nothing happens.

One link is made and loaded over the API. Its row, with its cursors, is then multiplied in the daemon's database: ten
thousand links made one by one would take long, since each is checked against all others. None of them is due within
the hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg

from bench.report import Result
from bench.session import Session, say
from bench.stand import LINK, Stand
from bench.tables import WrongResult
from tandem.v1 import system_pb2

FULL = 10_000
ROWS = 100
WOKEN, AT_ONCE = 200, 20  # all of them are of the same two accounts, which serve only so many at a time
WARM_S, MEASURED_S = 20.0, 60.0
WAKE_TIMEOUT_S = 300.0
MULTIPLIED = """
WITH one AS (SELECT * FROM links WHERE name = $1),
made AS (
    INSERT INTO links (
        id, tenant, name, a_connection, b_connection, blueprint, settings, facts, wish, host, created, next_due
    )
    SELECT id || '-' || n, tenant, name || '-' || n, a_connection, b_connection, blueprint, settings, facts, wish, host,
        created, extract(epoch FROM now()) + 3600
    FROM one, generate_series(1, $2::integer) AS n
    RETURNING id
)
INSERT INTO cursors (link, stream, side, cursor, position, generation, began, token, completed, looked)
SELECT one.id || '-' || n, stream, side, cursor, position, generation, began, token, completed, looked
FROM one JOIN cursors ON cursors.link = one.id, generate_series(1, $2::integer) AS n
"""


WAKE = "UPDATE links SET next_due = 0 WHERE id IN (SELECT id FROM links ORDER BY id LIMIT $1 OFFSET $2)"
AWAKE = """
SELECT count(*) FROM links
WHERE owner <> '' AND lease_until > clock_timestamp() OR next_due <= extract(epoch FROM now())
"""


async def idle_links(session: Session) -> Sequence[Result]:
    """The daemon with one link, and with ten thousand more; each started anew and left alone. Then some are woken."""
    count = session.options.rows(FULL)
    woken = min(WOKEN, count // 4)
    stand = await session.loaded(min(ROWS, count))
    few_bytes, few_s = await _at_rest(session, stand)
    async with _database(stand) as database:
        await database.execute(MULTIPLIED, LINK, count)
    many_bytes, many_s = await _at_rest(session, stand)
    await _wake(stand, 0, woken)  # what the actors of so many at once take is taken once
    warm_bytes = stand.daemon.memory()
    await _wake(stand, woken, woken)
    woken_bytes = stand.daemon.memory()
    await _all_there(stand, count)
    looked_bytes = stand.daemon.memory()
    each, ran = (many_bytes - few_bytes) / count, (woken_bytes - warm_bytes) / woken
    few, many, warm, looked = (size / 1e6 for size in (few_bytes, many_bytes, warm_bytes, looked_bytes))
    notes = (
        f"{count:,} links: {few:.0f} to {many:.0f} MB; {warm:.0f} MB after {woken:,} were woken, had run and rested again,"
        f" {ran:,.0f} bytes more each for {woken:,} others; {looked:.0f} MB after somebody asked for the status of all;"
        f" processor time per minute at rest {many_s:.2f} s, with one link {few_s:.2f} s"
    )
    say(f"idle: {each:,.0f} bytes a link; {notes}")
    await session.drop_stand()
    return [Result("idle_link_bytes", (each,), None, notes)]


async def _at_rest(session: Session, stand: Stand) -> tuple[int, float]:
    """Start the daemon anew and leave it alone; its memory, and its processor time per minute."""
    await stand.restart()
    scale = min(1.0, session.options.scale * 10)
    await anyio.sleep(WARM_S * scale)
    before_s = stand.daemon.cpu_s()
    await anyio.sleep(MEASURED_S * scale)
    return stand.daemon.memory(), (stand.daemon.cpu_s() - before_s) * 60 / (MEASURED_S * scale)


async def _wake(stand: Stand, first: int, count: int) -> None:
    """Make some of them due, and wait until all are at rest again."""
    async with _database(stand) as database:
        for after in range(first, first + count, AT_ONCE):
            await database.execute(WAKE, AT_ONCE, after)
            await anyio.sleep(2.0)
        with anyio.fail_after(WAKE_TIMEOUT_S):
            while await database.fetchval(AWAKE):
                await anyio.sleep(0.5)


async def _all_there(stand: Stand, count: int) -> None:
    status = await stand.tandem.system.GetStatus(system_pb2.GetStatusRequest())
    if status.links != {"in_step": count + 1}:
        raise WrongResult(f"{count + 1} links in step were to be there: {dict(status.links)}")


@asynccontextmanager
async def _database(stand: Stand) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(stand.daemon.database)
    try:
        yield connection
    finally:
        await connection.close()
