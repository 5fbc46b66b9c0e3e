"""What a link at rest costs the daemon: resident memory per link, and processor time while nothing happens.

One link is made and loaded over the API. Its row, with its cursors, is then multiplied in the daemon's database: ten
thousand links made one by one would take long, since each is checked against all others. None of them is due within
the hour.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import asyncpg

from bench.report import Result
from bench.servers import start_daemon
from bench.session import Session, say
from bench.stand import LINK

FULL = 10_000
ROWS = 100
WARM_S, MEASURED_S = 20.0, 60.0
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


async def idle_links(session: Session) -> Sequence[Result]:
    """The daemon with one link, and with ten thousand more; each started anew and left alone."""
    count = session.options.rows(FULL)
    await session.loaded(min(ROWS, count))
    few_bytes, few_s = await _at_rest(session, 0)
    many_bytes, many_s = await _at_rest(session, count)
    await session.drop_stand()
    each = (many_bytes - few_bytes) / count
    notes = (
        f"{count:,} links; {few_bytes / 1e6:.0f} to {many_bytes / 1e6:.0f} MB; processor time per minute at rest"
        f" {many_s:.2f} s, with one link {few_s:.2f} s"
    )
    say(f"idle: {each:,.0f} bytes a link; {notes}")
    return [Result("idle_link_bytes", (each,), None, notes)]


async def _at_rest(session: Session, more: int) -> tuple[int, float]:
    """Start the daemon on what is there and `more` links; its memory, and its processor time per minute."""
    stand = await session.loaded(session.rows)
    if more:
        connection = await asyncpg.connect(stand.daemon.database)
        await connection.execute(MULTIPLIED, LINK, more)
        await connection.close()
    await stand.daemon.stop()
    stand.daemon = daemon = await start_daemon(stand.daemon.data_dir)
    scale = min(1.0, session.options.scale * 10)
    await anyio.sleep(WARM_S * scale)
    before_s = daemon.cpu_s()
    await anyio.sleep(MEASURED_S * scale)
    return daemon.memory(), (daemon.cpu_s() - before_s) * 60 / (MEASURED_S * scale)
