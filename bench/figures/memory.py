"""The most memory that the daemon had while it loaded a million rows and read them all again."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import Result
from bench.session import Session

FULL = 1_000_000
MB = 1024 * 1024


async def rss(session: Session) -> Sequence[Result]:
    """The high-water mark of the process since its start; its PostgreSQL is not counted."""
    stand = await session.loaded(session.options.rows(FULL))
    loaded = stand.daemon.memory("VmHWM") / MB
    await session.loaded(session.rows, find="full")
    await stand.run()
    most, now = stand.daemon.memory("VmHWM") / MB, stand.daemon.memory() / MB
    await session.loaded(session.rows, find="modified")
    notes = f"{loaded:.0f} MB after the load and small runs, {now:.0f} MB at rest afterwards"
    return [Result("rss_mb_1m", (most,), stand.resting_bytes / MB, notes)]
