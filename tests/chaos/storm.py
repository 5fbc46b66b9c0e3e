"""A storm of hints over few records, while one side answers slowly: what the daemon keeps must not grow with the storm.

Both systems hold the same people. Then programs save all of them over and over, on both sides, mostly unchanged: each
save of a record is a hint. The limits that are asked for at the end follow from the design: an inbox row per record,
side and stream; intents of one window at a time; mailboxes that coalesce; nothing written that was not changed.
"""

from __future__ import annotations

import re
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg

from tests.chaos.acts import Ending, ending_of
from tests.chaos.proxy import SlowLine
from tests.chaos.stand import Stand
from tests.chaos.systems import OWNED, TANDEM, System

WINDOW = 500  # records; the daemon's default
DELAY_S = 0.1  # for every request to side b
LASTING_S = 30.0
CHANGED_EVERY = 10  # of so many saves one changes a value
SAMPLE_S = 0.25
RSS_MAX_MB = 250.0  # what the daemon may take for a million records
MAILBOX_MAX = 16
ATTEMPTS_MAX = (
    10  # so often a record is looked at again before only a complete read does (actors/conclude.py)
)
STATE = """
SELECT (SELECT count(*) FROM inbox) AS inbox, (SELECT coalesce(max(attempts), 0) FROM inbox) AS attempts,
       (SELECT count(*) FROM actions WHERE state IN ('sent', 'unconfirmed')) AS intents"""
QUEUE = "SELECT count(*) FROM tandem.feed_touched"
MAILBOX = re.compile(rb"^tandem_actor_mailbox_messages\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Peaks:
    """The most that was seen of each."""

    inbox: int = 0
    attempts: int = 0
    intents: int = 0
    queue: int = 0
    mailbox: int = 0
    rss_mb: float = 0.0
    rss_before_mb: float = 0.0
    hints: int = 0
    changes: int = 0
    blowing_s: float = 0.0


async def storm(
    stand: Stand, line: SlowLine, records: int, hints: int, lasting_s: float = LASTING_S
) -> tuple[Ending, Peaks]:
    """Load, blow, wait; then the auditor and the limits."""
    for people in stand.people.values():
        await people.move_in(records, records)
    await stand.open()
    await stand.connect()
    await stand.quiet()
    peaks = Peaks(rss_before_mb=_rss_mb(stand, "VmRSS"))
    written = sum([await system.changes_of(TANDEM) for system in stand.systems])
    line.delay_s = DELAY_S
    done = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, stand, peaks, done)
        began = time.monotonic()
        async with anyio.create_task_group() as winds:
            for system in stand.systems:
                winds.start_soon(_blow, system, hints // records // len(stand.systems), peaks, lasting_s)
        peaks.blowing_s = time.monotonic() - began
        ending = await ending_of(stand)
        done.set()
    peaks.rss_mb = _rss_mb(stand, "VmHWM")
    ending.found += _over(peaks, records, ending.by_tandem - written)
    return ending, peaks


async def _blow(system: System, saves: int, peaks: Peaks, lasting_s: float) -> None:
    """One program saves everybody, again and again; now and then something has changed."""
    async with system.session() as session:
        for save in range(saves):
            where = ("phone", "mail")[system.side == "b"]
            value = f"{system.side}{save}"
            changed = f"{where} = '{value}.' || id" if save % CHANGED_EVERY == 0 else f"{where} = {where}"
            status = await session.execute(f"UPDATE people SET {changed}, {OWNED} = {OWNED}")
            touched = int(status.rpartition(" ")[2])
            peaks.hints += touched
            peaks.changes += touched if save % CHANGED_EVERY == 0 else 0
            await anyio.sleep(lasting_s / saves)


async def _watch(stand: Stand, peaks: Peaks, done: anyio.Event) -> None:
    """Look now and then at everything that could grow."""
    assert stand.daemon is not None
    state = await asyncpg.connect(stand.daemon.dsn)
    try:
        while not done.is_set():
            row = await state.fetchrow(STATE)
            assert row is not None
            peaks.inbox = max(peaks.inbox, row["inbox"])
            peaks.attempts = max(peaks.attempts, row["attempts"])
            peaks.intents = max(peaks.intents, row["intents"])
            for system in stand.systems:
                async with system.session() as session:
                    peaks.queue = max(peaks.queue, await session.fetchval(QUEUE))
            page = await anyio.to_thread.run_sync(_metrics, stand.daemon.http)
            peaks.mailbox = max([peaks.mailbox, *(int(float(one)) for one in MAILBOX.findall(page))])
            await anyio.sleep(SAMPLE_S)
    finally:
        await state.close()


def _metrics(address: str) -> bytes:
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as page:  # noqa: S310 -- our own daemon's
        found: bytes = page.read()
        return found


def _rss_mb(stand: Stand, name: str) -> float:
    assert stand.daemon is not None
    status = Path(f"/proc/{stand.daemon.process.pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def _over(peaks: Peaks, records: int, writes: int) -> list[str]:
    """The limits that the design promises and that were not kept."""
    limits: list[tuple[str, float, float]] = [
        (
            "rows in the inbox",
            peaks.inbox,
            2 * records + 2,
        ),  # a row per record and side; one for each whole object
        ("open intents", peaks.intents, 2 * WINDOW),
        ("messages in a mailbox", peaks.mailbox, MAILBOX_MAX),
        ("MB of memory", peaks.rss_mb, RSS_MAX_MB),
        ("looks at one record again", peaks.attempts, ATTEMPTS_MAX),
        ("writes", writes, peaks.changes),
    ]
    return [f"{value:g} {what}, at most {limit:g} allowed" for what, value, limit in limits if value > limit]


def told(peaks: Peaks, ending: Ending) -> dict[str, Any]:
    """The figures of a storm."""
    return {
        "hints": peaks.hints,
        "changes": peaks.changes,
        "queue_rows_max": peaks.queue,
        "inbox_rows_max": peaks.inbox,
        "open_intents_max": peaks.intents,
        "mailbox_max": peaks.mailbox,
        "looks_again_max": peaks.attempts,
        "rss_before_mb": round(peaks.rss_before_mb, 1),
        "rss_max_mb": round(peaks.rss_mb, 1),
        "storm_s": round(peaks.blowing_s, 1),
        "in_step_after_s": round(ending.settling_s, 1),
    }
