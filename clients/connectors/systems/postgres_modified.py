"""Changes by a modified column: keyset paging by (modified, key) up to a horizon that no late commit can undercut.

A row becomes visible when its transaction commits, but carries the time at which that began, so the cursor never
passes the start of a transaction that still runs, nor the server's own now; it looks again `overlap_s` behind that.
Starts of other roles' transactions are hidden without the right pg_read_all_stats: then the cursor moves to a point
in time once everything that ran at that point has ended, which the locks on virtual transaction ids tell everybody.
While a prepared transaction waits, the cursor stands still. Must not decide what to do with a row seen twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.texts import texts_of
from actors.ports import Page, Rows
from clients.connectors.systems.postgres_catalog import ZONED, Table
from clients.connectors.systems.postgres_look import delivery, keyed
from clients.connectors.systems.postgres_rows import copied, last_id, literal, wanted
from clients.connectors.systems.postgres_session import Connection, Session
from clients.connectors.systems.postgres_values import fill, quoted, typed

HORIZON = """
SELECT clock_timestamp() AS now,
       EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database()) AS is_prepared,
       (SELECT coalesce(array_agg(l.virtualtransaction), '{}')
          FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'virtualxid' AND l.pid <> pg_backend_pid() AND a.xact_start IS NULL
           AND (a.datname IS NULL OR a.datname = current_database())) AS blind,
       (SELECT min(xact_start) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND (datname IS NULL OR datname = current_database())) AS oldest"""
# Rows that are dated later than the server's clock are delivered in every pass and never move the cursor.
CHANGES = """
SELECT {wanted}, t.{modified}::text FROM {table} AS t
 WHERE {keyed} AND t.{modified} >= {low} AND (t.{modified} <= {until} OR t.{modified} > {now}) {behind}
 ORDER BY t.{modified}, t.{key} LIMIT {most}"""
# How far behind a first cursor starts where it can't be told how long others have been running.
BLIND_START = timedelta(days=1)


class Horizon(msgspec.Struct, frozen=True):
    """The server's clock and who else runs. `oldest`: start of the oldest visible transaction. `blind`: the others."""

    now: datetime
    is_prepared: bool
    blind: frozenset[str]
    oldest: datetime | None


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """All that was modified before `settled` was seen. `at`, `blind`: who ran, unseen, at that point in time."""

    settled: datetime
    at: datetime | None = None
    blind: frozenset[str] = frozenset()


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A cursor: the mark, and within a pass the mark that its end will set, its upper bound, the last row's place."""

    mark: Mark
    next: Mark | None = None
    until: datetime | None = None
    modified: str | None = None
    key: str = ""


def started(horizon: Horizon) -> Mark:
    """The mark of somebody who begins to look now."""
    if horizon.is_prepared or horizon.blind:
        return Mark(horizon.now - BLIND_START, horizon.now, horizon.blind)
    return Mark(min(horizon.now, horizon.oldest or horizon.now))


def advanced(mark: Mark, horizon: Horizon) -> Mark:
    """The mark after a pass that began at this horizon; it never goes back."""
    if horizon.is_prepared:
        # What was running, unseen or not, may be among them: nothing can be concluded until they are gone.
        return mark
    oldest = horizon.oldest or horizon.now
    if not horizon.blind:
        return Mark(max(mark.settled, min(horizon.now, oldest)))
    if mark.at is None:
        return Mark(mark.settled, horizon.now, horizon.blind)
    if mark.blind & horizon.blind:
        return mark
    return Mark(max(mark.settled, min(mark.at, oldest)), horizon.now, horizon.blind)


def read_position(cursor: str) -> Position:
    """The cursor as it was given out; raises CONFIG for anything else."""
    try:
        return msgspec.json.decode(cursor, type=Position)
    except msgspec.DecodeError as error:
        raise TandemError(
            Kind.CONFIG,
            f"{cursor!r} is no cursor of a postgres object",
            scope=Scope.STREAM,
            hint="Start a complete read",
        ) from error


class ModifiedLooker:
    """`changes` of one connection."""

    def __init__(self, session: Session, time_zone: str, overlap_s: int) -> None:
        self._session = session
        self._time_zone = time_zone
        self._overlap = timedelta(seconds=overlap_s)

    async def changes(self, table: Table, cursor: str, fields: tuple[str, ...], limit: int) -> Page:
        """A page of what was modified since `cursor` ("" = from now on, no records)."""
        shape = delivery(table, fields, self._time_zone)
        if not cursor:
            return Page((), _written(Position(started(await self._horizon()))), more=False)
        position = await self._begun(read_position(cursor))
        values: list[Any] = []

        def put(value: Any) -> str:
            values.append(value)
            return f"${len(values)}"

        query = self._query(table, shape.sql, position, limit, put)
        rows = await self._session.fetch(f"find changes of {table.object}", query, *values)
        records = tuple(shape.record(row) for row in rows[:limit])
        if len(rows) <= limit:
            return Page(records, _written(Position(position.next or position.mark)), more=False)
        last = rows[limit - 1]
        behind = msgspec.structs.replace(position, modified=last[-1], key=last[0])
        return Page(records, _written(behind), more=True)

    async def change_rows(self, table: Table, cursor: str, fields: tuple[str, ...], limit: int) -> Rows:
        """The same, as lines."""
        if not cursor:
            return Rows("", _written(Position(started(await self._horizon()))), more=False)
        position = await self._begun(read_position(cursor))
        query = self._query(table, wanted(table, table.chosen(fields)), position, limit, _literal)

        async def ask(connection: Connection) -> str:
            return await copied(connection, query)

        block = await self._session.reading(f"find changes of {table.object}", ask)
        # Behind each line stands its time of change: with the key of the last it is the place where the page ends.
        lines = [line.rpartition("\t") for line in block.split("\n")[:-1]]
        block = "".join([line + "\n" for line, _, _ in lines[:limit]])
        if len(lines) <= limit:
            return Rows(block, _written(Position(position.next or position.mark)), more=False)
        modified, key = texts_of(lines[limit - 1][2])[0], last_id(block)
        return Rows(block, _written(msgspec.structs.replace(position, modified=modified, key=key)), more=True)

    async def _begun(self, position: Position) -> Position:
        """The position of a pass: a new one ends at the horizon."""
        if position.until is not None:
            return position
        horizon = await self._horizon()
        return Position(position.mark, advanced(position.mark, horizon), horizon.now)

    async def _horizon(self) -> Horizon:
        (row,) = await self._session.fetch("look at running transactions", HORIZON)
        return Horizon(row["now"], row["is_prepared"], frozenset(row["blind"]), row["oldest"])

    def _query(
        self, table: Table, wanted: str, position: Position, limit: int, put: Callable[[Any], str]
    ) -> str:
        """`put`: how a value stands in the statement."""
        column = table.modified
        assert column is not None
        modified, key = quoted(column.name), quoted(table.key.name)
        low, until = put(position.mark.settled - self._overlap_of(column.base)), put(position.until)
        most, behind = put(limit + 1), ""
        if position.modified is not None:
            at = typed(column, f"{put(position.modified)}::text")
            place = f"({at}, {typed(table.key, f'{put(position.key)}::text')})"
            behind = f"AND (t.{modified}, t.{key}) > {place}"
        return fill(
            CHANGES,
            wanted=wanted,
            table=table.sql,
            modified=modified,
            key=key,
            keyed=keyed(table),
            low=self._local(f"{low}::timestamptz", column.base),
            until=self._local(f"{until}::timestamptz", column.base),
            most=most,
            now=self._local("clock_timestamp()", column.base),
            behind=behind,
        )

    def _local(self, instant: str, base: str) -> str:
        """An instant as a column of type `base` writes it."""
        if base == ZONED:
            return instant
        return f"({instant} AT TIME ZONE '{self._time_zone}')::{base}"

    def _overlap_of(self, base: str) -> timedelta:
        """A day for dates, and an hour where one hour of autumn comes twice."""
        if base == "date":
            return self._overlap + timedelta(days=1)
        return self._overlap + (
            timedelta(hours=1) if base != ZONED and self._time_zone != "UTC" else timedelta(0)
        )


def _literal(value: Any) -> str:
    """A value in a statement that takes no parameters."""
    return str(value) if isinstance(value, int) else literal(str(value))


def _written(position: Position) -> str:
    return msgspec.json.encode(position).decode()
