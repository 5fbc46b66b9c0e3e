"""The initial load, beside COPY (the limit), the floor script, and sling where it can be had."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench import scripts
from bench.figures import sling
from bench.report import Result
from bench.session import Session, say


async def load_100k(session: Session) -> Sequence[Result]:
    """100,000 rows."""
    return [await _load(session, "load_100k_over_copy", 100_000, runs=3)]


async def load_1m(session: Session) -> Sequence[Result]:
    """1,000,000 rows."""
    return [await _load(session, "load_1m_over_copy", 1_000_000, runs=2)]


async def _load(session: Session, name: str, full: int, runs: int) -> Result:
    """Rounds of COPY, floor, sling and a new daemon with a new link, one after the other; each ratio is within its round."""
    await session.filled(session.options.rows(full))
    other = await sling.prepared(session)
    ratios, floors, slings, seconds, arrived, copies = [], [], [], [], [], []
    for round_ in range(session.options.repeat(runs)):
        copy_s = await scripts.copy_through(session.systems)
        floors.append(await scripts.floor_load(session.systems) / copy_s)
        if other.program:
            slings.append(await sling.load(session.systems, other.program) / copy_s)
        load = await session.fresh_load()
        ratios.append(load.seconds / copy_s)
        copies.append(copy_s)
        seconds.append(load.ended_s)
        arrived.append(load.arrived_s)
        say(
            f"{name} round {round_ + 1}: COPY {copy_s:.2f} s, floor {floors[-1]:.2f} x, run ended after"
            f" {load.ended_s:.2f} s, last row in B after {load.arrived_s:.2f} s: {ratios[-1]:.2f} x"
        )
    stand = await session.loaded(session.rows)
    await stand.quiet()
    beside = f"sling {median(slings):.2f} x" if slings else other.why_not
    notes = (
        f"COPY {median(copies):.2f} s{'' if session.systems.psql else ' (asyncpg, there is no psql)'}; run ended after"
        f" {median(seconds):.2f} s, last row in B after {median(arrived):.2f} s; {beside}"
    )
    return Result(name, tuple(ratios), median(floors), notes)
