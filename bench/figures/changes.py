"""Runs that find little or nothing: 1 % changed on one side or on both, and nothing changed at all.

Changes are found by the time of change (`find: modified`), on both sides. A run is started by command over gRPC.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench import tables
from bench.report import Result
from bench.scripts import Script
from bench.session import Session, say
from bench.stand import Stand
from bench.tables import WrongResult

FULL = 100_000
# Each change is in the normal form of its field, so that it counts on whichever side it is made.
CHANGE = "UPDATE customers SET phone = '+49' || (3000000000 + id * 100 + $1), credit = credit + 1 WHERE id % 100 = $2"


async def noop_10k(session: Session) -> Sequence[Result]:
    """10,000 rows."""
    return [await _noop(session, "noop_ms_10k", 10_000)]


async def noop_100k(session: Session) -> Sequence[Result]:
    """100,000 rows."""
    return [await _noop(session, "noop_ms_100k", 100_000)]


async def noop_1m(session: Session) -> Sequence[Result]:
    """1,000,000 rows."""
    return [await _noop(session, "noop_ms_1m", 1_000_000)]


async def _noop(session: Session, name: str, full: int) -> Result:
    stand = await session.loaded(session.options.rows(full))
    walls, insides, scripts = [], [], []
    async with session.systems.session("a") as a, session.systems.session("b") as b:
        since = await a.fetchval("SELECT max(updated_at) FROM customers")
        since = max(since, await b.fetchval("SELECT max(updated_at) FROM customers"))
        script = Script(a, b, since)  # it writes nothing: there is nothing after `since`
        before = await _completed(stand)
        for _ in range(session.options.repeat(15)):
            scripts.append(await script.both_ways() * 1000)
            ran = await stand.run()
            if ran.run.outcome != "nothing_new":
                raise WrongResult(f"nothing was changed, but a run ended {ran.run.outcome}")
            walls.append(ran.wall_s * 1000)
            insides.append(ran.inside_s * 1000)
        if await _completed(stand) != before:
            raise WrongResult("a complete read was due in between")
    notes = f"as the caller saw it {median(walls):.1f} ms"
    say(f"{name}: {median(insides):.1f} ms, {notes}; script {median(scripts):.2f} ms")
    return Result(name, tuple(insides), median(scripts), notes)


async def _completed(stand: Stand) -> list[str]:
    return [str(look.completed) for look in (await stand.shown()).looks]


async def delta(session: Session) -> Sequence[Result]:
    """1 % of a changed by one UPDATE; until the run has ended, beside the script."""
    return [await _changed(session, "delta_1pct_over_script", both=False)]


async def both(session: Session) -> Sequence[Result]:
    """1 % changed on either side, other records on each."""
    return [await _changed(session, "both_1pct_over_script", both=True)]


async def _changed(session: Session, name: str, *, both: bool) -> Result:
    stand = await session.loaded(session.options.rows(FULL))
    await _fill_pair(session)
    ratios, seconds, scripts, insides = [], [], [], []
    async with session.systems.session("c") as c, session.systems.session("d") as d:
        script = Script(c, d, await c.fetchval("SELECT clock_timestamp()"))
        for round_ in range(session.options.repeat(7)):
            await _change(session, "a", "c", round_, 1 + 2 * round_)
            if both:
                await _change(session, "b", "d", round_, 2 + 2 * round_)
            script_s = await script.both_ways() if both else await script.one_way()
            script.since = await c.fetchval("SELECT clock_timestamp()")
            ran = await stand.run()
            await stand.check(session.rows)
            await stand.quiet()
            ratios.append(ran.wall_s / script_s)
            seconds.append(ran.wall_s)
            insides.append(ran.inside_s)
            scripts.append(script_s)
        await tables.check_equal(c, d)
    notes = (
        f"{median(seconds) * 1000:.0f} ms as the caller saw it ({median(insides) * 1000:.0f} ms from the run's start to"
        f" its end), script {median(scripts) * 1000:.0f} ms"
    )
    say(f"{name}: {median(ratios):.2f} x; {notes}")
    return Result(name, tuple(ratios), None, notes)


async def _fill_pair(session: Session) -> None:
    """c as a was filled, in normal form, and d equal to it: the script does no mapping."""
    for name in ("c", "d"):
        async with session.systems.session(name) as db:
            await db.execute("TRUNCATE customers")
            await db.execute(tables.FILL, session.rows)
            await db.execute(
                "UPDATE customers SET name = btrim(name), city = btrim(city), country = upper(country)"
            )
            await db.execute("VACUUM ANALYZE customers")
    await session.systems.settle()


async def _change(session: Session, side: str, twin: str, round_: int, residue: int) -> None:
    """The same change to the records of one residue on a side of the link and on its twin of the script."""
    for name in (side, twin):
        async with session.systems.session(name) as db:
            await db.execute(CHANGE, round_, residue % 100)
