"""Reading rows: by id, in key order, by a field. Owns the list of columns that becomes a `Record`.

Ids are the key's text; one that the key's type can't read is an id that does not exist. Must not write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from actors.core.policy import RECORD_ID
from actors.core.types import Record
from actors.core.values import BadValue, Value, line_of
from actors.ports import Page
from clients.connectors.lines import asked_lines
from clients.connectors.systems.postgres_catalog import ZONED, LineTable, Table
from clients.connectors.systems.postgres_session import Connection, Session
from clients.connectors.systems.postgres_values import decoder, encoded, fill, quoted, selected, typed

READ = "SELECT {wanted} FROM {table} AS t WHERE t.{key} = ANY ($1::text[]::{cast}[]) AND t.{key}::text = ANY ($1::text[])"
# The same for one id: the server plans it once, and not each time.
READ_ONE = "SELECT {wanted} FROM {table} AS t WHERE t.{key} = ($1::text[])[1]::{cast} AND t.{key}::text = ($1::text[])[1]"
SCAN = "SELECT {wanted} FROM {table} AS t WHERE {condition} ORDER BY t.{key} LIMIT $1"
FIND = "SELECT {wanted} FROM {table} AS t WHERE {keyed} AND {condition} ORDER BY t.{key} LIMIT $1"
LINES = (
    "ARRAY(SELECT ARRAY[{texts}] FROM {table} AS l WHERE l.{parent} = {record} ORDER BY l.{order}, l.{key})"
)
# What a single statement says when an id or a value is none of the type's.
UNREADABLE = (asyncpg.DataError, UnicodeError)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which columns a statement delivers (`sql`: id, columns, modified), and how a row of them is a `Record`."""

    sql: str
    names: tuple[str, ...]
    decoders: tuple[Callable[[Any], Value], ...]

    def record(self, row: asyncpg.Record) -> Record:
        """The row as a record; what follows the delivered columns is not looked at."""
        native = {
            name: decode(value)
            for name, decode, value in zip(
                self.names, self.decoders, row[1 : len(self.names) + 1], strict=True
            )
        }
        return Record(row[0], native, modified=row[len(self.names) + 1])


def delivery(table: Table, fields: Sequence[str], time_zone: str) -> Delivery:
    """For a statement in which the table is called `t`. Lines come in the same statement, so that they are of the same
    moment as their record."""
    plain, lines = asked_lines(fields)
    columns = table.chosen(plain)
    below = [(path, table.of(path), cells) for path, cells in lines.items()]
    wanted = [
        selected(table.key),
        *(selected(column) for column in columns),
        *(_lines_of(table, of, cells) for _, of, cells in below),
        _epoch(table, time_zone),
    ]
    return Delivery(
        ", ".join(wanted),
        (*(column.name for column in columns), *lines),
        (*(decoder(column) for column in columns), *(line_decoder(of, cells) for _, of, cells in below)),
    )


def _lines_of(table: Table, of: LineTable, cells: Sequence[str]) -> str:
    """The lines of a row of `t`, as an array of texts for each."""
    texts = [f"l.{quoted(column.name)}::text" for column in (of.table.key, *of.cells(cells))]
    return fill(
        LINES,
        texts=", ".join(texts),
        table=of.table.sql,
        parent=quoted(of.parent.name),
        record=f"t.{quoted(table.key.name)}",
        order=quoted(of.order.name),
        key=quoted(of.table.key.name),
    )


def line_decoder(of: LineTable, cells: Sequence[str]) -> Callable[[Any], Value]:
    """From the texts of each line (its key, then these cells) to lines."""
    decoders = [decoder(column) for column in of.cells(cells)]

    def lines(delivered: Any) -> Value:
        return tuple(
            line_of(
                {
                    RECORD_ID: id_,
                    **{n: decode(text) for n, decode, text in zip(cells, decoders, texts, strict=True)},
                }
            )
            for id_, *texts in delivered or ()
        )

    return lines


def _epoch(table: Table, time_zone: str) -> str:
    """The record's own time stamp in epoch seconds, null where it has none."""
    if table.modified is None:
        return "NULL::float8"
    own = f"t.{quoted(table.modified.name)}"
    instant = own if table.modified.base == ZONED else f"({own}::timestamp AT TIME ZONE '{time_zone}')"
    return f"CASE WHEN isfinite({own}) THEN extract(epoch FROM {instant})::float8 END"


def keyed(table: Table) -> str:
    """The condition that a row has an id: the key is neither null nor an empty text."""
    own = f"t.{quoted(table.key.name)}"
    return f"{own} IS NOT NULL" if table.key.is_typed else f"{own}::text <> ''"


class Looker:
    """Reads of one connection. `time_zone`: of modified columns that carry none."""

    def __init__(self, session: Session, time_zone: str) -> None:
        self._session = session
        self._time_zone = time_zone

    async def read(self, table: Table, ids: Sequence[str], fields: Sequence[str]) -> list[Record]:
        """The records of these ids, in no order; ids that are not there are missing."""
        shape = delivery(table, fields, self._time_zone)
        query = fill(
            READ_ONE if len(ids) == 1 else READ,
            wanted=shape.sql,
            table=table.sql,
            key=quoted(table.key.name),
            cast=table.key.cast,
        )

        async def ask(connection: Connection) -> list[Record]:
            return [shape.record(row) for row in await fetch_readable(connection, query, list(ids))]

        return await self._session.reading(f"read {table.object}", ask) if ids else []

    async def content(self, table: Table, id_: str, column: str) -> bytes | None:
        """What one column of one row holds, where it holds bytes; None where there is no row, or nothing in it."""
        (own,) = table.chosen([column])
        query = fill(
            READ_ONE,
            wanted=f"t.{quoted(own.name)} AS content",
            table=table.sql,
            key=quoted(table.key.name),
            cast=table.key.cast,
        )

        async def ask(connection: Connection) -> bytes | None:
            rows = await fetch_readable(connection, query, [id_])
            return rows[0]["content"] if rows else None

        return await self._session.reading(f"fetch {column} of {table.object}", ask)

    async def scan(self, table: Table, position: str, fields: Sequence[str], limit: int) -> Page:
        """The page behind the key `position`: rows that are there before and after can't be skipped."""
        shape = delivery(table, fields, self._time_zone)
        key = quoted(table.key.name)
        condition = keyed(table)
        if position:
            condition += f" AND t.{key} > {typed(table.key, '$2::text')}"
        query = fill(SCAN, wanted=shape.sql, table=table.sql, key=key, condition=condition)
        values = (limit + 1, position) if position else (limit + 1,)
        rows = await self._session.fetch(f"scan {table.object}", query, *values)
        records = tuple(shape.record(row) for row in rows[:limit])
        return Page(records, records[-1].id if records else position, more=len(rows) > limit)

    async def find_by(
        self, table: Table, field: str, value: Value, fields: Sequence[str], limit: int
    ) -> list[Record]:
        """At most `limit` records whose field equals the value exactly (so that an index on it serves)."""
        shape = delivery(table, fields, self._time_zone)
        (column,) = table.chosen([field])
        own = f"t.{quoted(column.name)}"
        same = f"{own} = {typed(column, '$2::text')}" if column.is_typed else f"{own}::text = $2::text"
        condition = same if value is not None else f"{own} IS NULL AND $2::text IS NULL"
        key = quoted(table.key.name)
        query = fill(
            FIND, wanted=shape.sql, table=table.sql, keyed=keyed(table), condition=condition, key=key
        )

        async def ask(connection: Connection) -> list[Record]:
            try:
                rows = await connection.fetch(query, limit, encoded(column, value))
            except (*UNREADABLE, BadValue):
                return []
            return [shape.record(row) for row in rows]

        return await self._session.reading(f"look up {table.object} by {field}", ask)


async def fetch_readable(connection: Connection, query: str, ids: list[str]) -> list[asyncpg.Record]:
    """The rows of `query` for these ids ($1); an id that the key's type can't read has none."""
    try:
        return await connection.fetch(query, ids)
    except UNREADABLE:
        if len(ids) == 1:
            return []
    half = len(ids) // 2
    return [
        *await fetch_readable(connection, query, ids[:half]),
        *await fetch_readable(connection, query, ids[half:]),
    ]
