"""A complete read of both sides in which nothing has changed: the connections are told to find changes by reading all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench import scripts
from bench.report import Result
from bench.session import Session, say
from bench.tables import WrongResult

FULL = 1_000_000


async def full_read(session: Session) -> Sequence[Result]:
    """`find: full` on both connections makes each run read both sides whole; rows of both per second of the run."""
    stand = await session.loaded(session.options.rows(FULL))
    await session.loaded(session.rows, find="full")
    rates, limits = [], []
    for _ in range(session.options.repeat(3)):
        limits.append(2 * session.rows / await scripts.read_both(session.systems))
        before = (await stand.shown()).looks
        ran = await stand.run()
        after = (await stand.shown()).looks
        if ran.run.outcome != "nothing_new" or any(
            new.completed.ToNanoseconds() <= old.completed.ToNanoseconds()
            for new, old in zip(after, before, strict=True)
        ):
            raise WrongResult(f"not a complete read of both sides without news: {ran.run.outcome}")
        rates.append(2 * session.rows / ran.inside_s)
        say(f"full read: {rates[-1]:,.0f} rows/s")
    await stand.check(session.rows)
    await session.loaded(session.rows, find="modified")
    return [Result("full_read_rows_per_s", tuple(rates), median(limits))]
