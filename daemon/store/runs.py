"""Runs in PostgreSQL: asked for, begun, ended, counted."""

from __future__ import annotations

from collections.abc import Sequence

from actors.core.types import Action, Outcome
from actors.ports import Counters, Lease, RunRow
from daemon.store.base import Base
from daemon.store.codec import Row, action, clean
from daemon.store.queries import sql

UNASKED = frozenset({"poll", "hint"})  # causes of runs that nobody asked for


class Runs(Base):
    """The part of the Store port about runs."""

    async def begin_run(self, lease: Lease, run: RunRow) -> None:
        columns = run_columns(run, asked=self._clock.now())
        await self._as_holder(lease, sql("run_begin"), *columns)

    async def interrupt_runs(self, lease: Lease) -> None:
        async with self._fenced(lease) as connection:
            await connection.execute(sql("runs_interrupt"), lease.link, self._clock.now(), "")

    async def queued_run(self, link: str) -> RunRow | None:
        row = await self._row(sql("run_queued"), link)
        return run_row(row) if row else None

    async def update_run(self, lease: Lease, run: str, phase: str) -> bool:
        rows = await self._as_holder(lease, sql("run_update"), run, clean(phase))
        return bool(rows[0]["cancel"])

    async def end_run(self, lease: Lease, run: RunRow) -> None:
        ends = (
            run.outcome.value,
            run.ended,
            clean(run.phase),
            clean(run.error),
            clean(run.backlog),
        )
        query = sql("run_end_late" if run.cause in UNASKED else "run_end")
        await self._as_holder(lease, query, run.id, *ends)

    async def writes_of_run(self, run: str, after: int, limit: int) -> Sequence[Action]:
        return [action(row) for row in await self._fetch(sql("run_writes"), run, after, limit)]

    async def run_counters(self, run: str) -> Sequence[Counters]:
        return [Counters(**dict(row)) for row in await self._fetch(sql("run_counters"), run)]


def run_columns(run: RunRow, asked: float) -> tuple[object, ...]:
    """The arguments of the queries run_begin and run_insert, behind what names the link."""
    return (
        run.id,
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
        run.subject,
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
        subject=row["subject"],
        backlog=row["backlog"],
    )
