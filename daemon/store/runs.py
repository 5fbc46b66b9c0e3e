"""Runs in PostgreSQL: asked for, begun, ended, counted."""

from __future__ import annotations

from collections.abc import Sequence

from actors.core.types import Outcome
from actors.ports import Counters, Lease, RunRow
from daemon.store.base import Base
from daemon.store.codec import Row, clean
from daemon.store.queries import sql


class Runs(Base):
    """The part of the Store port about runs."""

    async def begin_run(self, lease: Lease, run: RunRow) -> None:
        now = self._clock.now()
        async with self._fenced(lease) as connection:
            await connection.execute(sql("runs_interrupt"), lease.link, now, run.id)
            await connection.execute(sql("run_begin"), *run_columns(run, lease.link, asked=now))

    async def interrupt_runs(self, lease: Lease) -> None:
        async with self._fenced(lease) as connection:
            await connection.execute(sql("runs_interrupt"), lease.link, self._clock.now(), "")

    async def queued_run(self, link: str) -> RunRow | None:
        row = await self._row(sql("run_queued"), link)
        return run_row(row) if row else None

    async def update_run(self, lease: Lease, run: str, phase: str) -> bool:
        async with self._fenced(lease) as connection:
            return bool(await connection.fetchval(sql("run_update"), run, lease.link, clean(phase)))

    async def end_run(self, lease: Lease, run: RunRow) -> None:
        ends = run.outcome.value, run.ended, clean(run.phase), clean(run.error), run.waiting
        async with self._fenced(lease) as connection:
            await connection.execute(sql("run_end"), run.id, lease.link, *ends)

    async def run_counters(self, run: str) -> Sequence[Counters]:
        return [Counters(**dict(row)) for row in await self._fetch(sql("run_counters"), run)]


def run_columns(run: RunRow, link: str, asked: float) -> tuple[object, ...]:
    """The arguments of the query run_begin."""
    return (
        run.id,
        link,
        run.mode,
        list(run.scope),
        run.cause,
        run.outcome.value,
        asked,
        run.started,
        run.ended,
        clean(run.phase),
        clean(run.error),
        run.waiting,
    )


def run_row(row: Row) -> RunRow:
    """A row of `runs`, without its counters."""
    return RunRow(
        id=row["id"],
        link=row["link"],
        mode=row["mode"],
        scope=tuple(row["scope"]),
        cause=row["cause"],
        outcome=Outcome(row["outcome"]),
        started=row["started"],
        ended=row["ended"],
        phase=row["phase"],
        error=row["error"],
        waiting=row["waiting"],
    )
