"""Records whose lines are rows of another table: written in one transaction, all of it or nothing.

The record is locked and its lines are; they are compared with what was seen, so that the precondition covers both; then
the record is written as any other (postgres_write), and its lines by steps. Deletions come first and constraints that can
be deferred are, for places that change hands. Must not commit, nor decide what a failure means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from actors.core.errors import TandemError
from actors.core.policy import RECORD_ID
from actors.core.types import Op
from actors.core.values import Value, lines_of, same
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.lines import steps
from clients.connectors.systems.postgres_catalog import LineTable, Table
from clients.connectors.systems.postgres_look import READ_ONE, Delivery, line_decoder
from clients.connectors.systems.postgres_session import Connection
from clients.connectors.systems.postgres_values import encoded, fill, quoted, typed
from clients.connectors.systems.postgres_write import Writer

DEFER = "SET CONSTRAINTS ALL DEFERRED"
LOCK = "SELECT t.{key}::text AS id FROM {table} AS t WHERE t.{key} = {id} AND t.{key}::text = $1::text FOR UPDATE"
LINES = """
SELECT {texts} FROM {table} AS l WHERE l.{parent} = {id} ORDER BY l.{order}, l.{key} FOR UPDATE"""
INSERT = "INSERT INTO {table} ({names}) VALUES ({values})"
CHANGE = "UPDATE {table} AS l SET {sets} WHERE l.{key} = {line} AND l.{parent} = {id}"
DELETE = "DELETE FROM {table} AS l WHERE l.{parent} = {id} AND l.{key}::text = ANY ($2::text[])"
DELETE_ALL = "DELETE FROM {table} AS l WHERE l.{parent} = {id}"


async def write_units(
    writer: Writer, table: Table, writes: Sequence[Write], delivery: Delivery
) -> list[WriteResult]:
    """One by one, each in a transaction of its own. Raises only where nothing was done of any of them."""
    until = writer.until()
    results: list[WriteResult] = []
    for write in writes:
        unit = UnitWrite(table, write)
        try:
            results += await writer.write(table, [unit.record], delivery, unit=unit, until=until)
        except TandemError as error:
            if not results:
                raise
            left = len(writes) - len(results)
            return [*results, *[WriteResult(WriteStatus.NOT_DONE, error=str(error))] * left]
    return results


class UnitWrite:
    """One write of a record with lines. `record`: the same without its lines."""

    def __init__(self, table: Table, write: Write) -> None:
        self._table, self._write = table, write
        self._there: dict[str, Value] = {}
        own = {name: value for name, value in write.native.items() if name not in table.lines}
        seen = {name: value for name, value in write.seen.items() if name not in table.lines}
        self.record = msgspec.structs.replace(write, native=own, seen=seen)

    async def before(self, connection: Connection, record: Write) -> WriteResult | None:
        """Lock, compare, and for a deletion remove the lines. The result where nothing may be written."""
        await connection.execute(DEFER)
        if record.op is Op.CREATE:
            return None
        if not await connection.fetch(self._sql(LOCK), record.id):
            return WriteResult(WriteStatus.GONE, record.id)
        for path in self._concerned():
            of, seen = self._table.of(path), self._write.seen.get(path)
            now = await self._now(connection, of, self._cells(path))
            if path in self._write.seen and not same(now, seen):
                return WriteResult(WriteStatus.MOVED_ON, record.id)
            self._there[path] = now
        if record.op is Op.DELETE:
            for of in self._table.lines.values():
                await connection.execute(self._sql(DELETE_ALL, of), record.id)
        return None

    async def after(self, connection: Connection, delivery: Delivery, result: WriteResult) -> WriteResult:
        """The lines, once the record is written; the record as it is then."""
        if self.record.op is Op.DELETE:
            return result
        for path, wanted in self._write.native.items():
            if path in self._table.lines:
                await self._lines(connection, self._table.of(path), result.id, self._there.get(path), wanted)
        key = self._table.key
        query = fill(
            READ_ONE, wanted=delivery.sql, table=self._table.sql, key=quoted(key.name), cast=key.cast
        )
        rows = await connection.fetch(query, [result.id])
        return msgspec.structs.replace(result, record=delivery.record(rows[0]) if rows else None)

    def _concerned(self) -> list[str]:
        told = (*self._write.seen, *self._write.native)
        return [path for path in self._table.lines if path in told]

    def _cells(self, path: str) -> list[str]:
        """The cells that were seen or are to be written."""
        lines = (*lines_of(self._write.seen.get(path)), *lines_of(self._write.native.get(path)))
        return list(dict.fromkeys(n for line in lines for n, _ in line.cells if n != RECORD_ID))

    async def _now(self, connection: Connection, of: LineTable, cells: Sequence[str]) -> Value:
        texts = [f"l.{quoted(column.name)}::text" for column in (of.table.key, *of.cells(cells))]
        query = self._sql(LINES, of, texts=", ".join(texts), order=quoted(of.order.name))
        rows = await connection.fetch(query, self.record.id)
        return line_decoder(of, cells)([tuple(row) for row in rows])

    async def _lines(
        self, connection: Connection, of: LineTable, record: str, there: Value, wanted: Value
    ) -> None:
        todo = steps(there, wanted)
        if todo.delete:
            await connection.execute(self._sql(DELETE, of), record, list(todo.delete))
        for line, cells in todo.change:
            sets, values = _told(of, cells, first=3)
            pairs = ", ".join(f"{name} = {value}" for name, value in sets)
            query = self._sql(CHANGE, of, sets=pairs, line=typed(of.table.key, "$2::text"))
            await connection.execute(query, record, line, *values)
        new = [cells for _, cells in todo.insert]
        for names, rows in groupby(new, key=tuple):
            sets, _ = _told(of, dict.fromkeys(names), first=2)
            columns = [(quoted(of.parent.name), typed(of.parent, "$1::text")), *sets]
            query = fill(
                INSERT,
                table=of.table.sql,
                names=", ".join(name for name, _ in columns),
                values=", ".join(value for _, value in columns),
            )
            await connection.executemany(query, [(record, *_told(of, cells)[1]) for cells in rows])

    def _sql(self, template: str, of: LineTable | None = None, **parts: str) -> str:
        """A statement about the record ($1: its id) or, with `of`, about its lines."""
        at = self._table if of is None else of.table
        known = self._table.key if of is None else of.parent
        names = {
            "table": at.sql,
            "key": quoted(at.key.name),
            "parent": quoted(known.name),
            "id": typed(known, "$1::text"),
        }
        return fill(template, **{**names, **parts})


def _told(
    of: LineTable, cells: Mapping[str, Value], first: int = 1
) -> tuple[list[tuple[str, str]], list[str | None]]:
    """Cells as (column, parameter as its type) from parameter `first` on, and the parameters. Raises CONFIG, BadValue."""
    columns = of.cells(cells, to_write=True)
    sets = [
        (quoted(column.name), typed(column, f"${first + place}::text"))
        for place, column in enumerate(columns)
    ]
    return sets, [encoded(column, cells[column.name]) for column in columns]
