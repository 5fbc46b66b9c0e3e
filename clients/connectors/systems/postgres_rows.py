"""Rows as lines, by COPY in both directions: pages of a complete read, new rows made all at once or not at all, and
updates, each with its precondition.

What was made is read back in the same transaction: a trigger, a default or a column's scale may have made something else
of it. Its own touches are taken out of our queue there, for nobody can have touched a row that nobody sees yet. Must not
delete rows of the tables.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress

import anyio
import asyncpg

from actors.core.errors import Kind, Scope, TandemError
from actors.core.rows import RowShape
from actors.core.texts import TO_ESCAPE, ids_of, line_of, texts_of
from actors.core.types import Op
from actors.ports import Find, Rows, RowUpdates
from clients.connectors.systems import postgres_errors as errors
from clients.connectors.systems.postgres_catalog import Table
from clients.connectors.systems.postgres_feed import Feed
from clients.connectors.systems.postgres_look import keyed
from clients.connectors.systems.postgres_own import TRANSACTION, OwnWrites
from clients.connectors.systems.postgres_session import Connection, Session
from clients.connectors.systems.postgres_statements import Shape
from clients.connectors.systems.postgres_values import Column, fill, kind_of, quoted, selected, typed
from clients.connectors.systems.postgres_write import CommitLost, abandon, commit

PAGE = "SELECT {wanted} FROM {table} AS t WHERE {condition} ORDER BY t.{key} LIMIT {limit}"
BETWEEN = "SELECT {wanted} FROM {table} AS t WHERE t.{key} BETWEEN {first} AND {last} ORDER BY t.{key}"
THESE = "SELECT {wanted} FROM {table} AS t WHERE t.{key} = ANY ({ids}::text[]::{cast}[])"
# "Permission denied": of a row (a policy), or of the table; asked record by record, the server says which.
ROW_SECURITY = "42501"
_WHOLE_NUMBERS = frozenset({"int2", "int4", "int8"})


def shape(table: Table, fields: Sequence[str]) -> RowShape | None:
    """Lists have no place in a line, and a column with a default must be told apart from one that was told null."""
    columns = table.chosen(fields)
    if any(column.is_array for column in (*columns, table.key)):
        return None
    nulls = frozenset(c.name for c in columns if not (c.default or c.generated or c.identity))
    return RowShape(table.key.name, {column.name: kind_of(column) for column in columns}, nulls)


class RowLines:
    """Lines of one connection."""

    def __init__(self, session: Session, feed: Feed | None, own: OwnWrites) -> None:
        self._session = session
        self._feed = feed
        self._own = own

    async def scan(self, table: Table, position: str, fields: Sequence[str], limit: int) -> Rows:
        """The page behind the key `position`."""
        condition = keyed(table)
        if position:
            condition += f" AND t.{quoted(table.key.name)} > {typed(table.key, literal(position))}"
        query = fill(
            PAGE,
            wanted=wanted(table, table.chosen(fields)),
            table=table.sql,
            condition=condition,
            key=quoted(table.key.name),
            limit=str(limit + 1),
        )

        async def ask(connection: Connection) -> str:
            return await copied(connection, query)

        block = await self._session.reading(f"scan {table.object}", ask)
        more = block.count("\n") > limit
        if more:
            block = block[: block.rindex("\n", 0, -1) + 1]
        return Rows(block, last_id(block) or position, more)

    async def create(self, table: Table, fields: Sequence[str], block: str) -> str:
        """The lines as rows, in one transaction; how they are stored. Raises REJECTED, TRANSIENT (surely not done) or
        UNKNOWN."""

        async def make(connection: Connection) -> str:
            return await self._made(connection, table, fields, block)

        return await self._in_transaction(table, make)

    async def update(self, table: Table, updates: Sequence[RowUpdates], fields: Sequence[str]) -> str:
        """All of them in one transaction, a statement for those of the same fields; those that were written, as they are
        stored. Raises as `create` does."""

        async def make(connection: Connection) -> str:
            delivered = wanted(table, table.chosen(fields))
            rows: list[asyncpg.Record] = []
            for some in updates:
                shape = Shape(
                    table,
                    Op.UPDATE,
                    table.chosen(some.written, to_write=True),
                    table.chosen(some.seen),
                    has_id=True,
                )
                values = [[*column] for column in zip(*some.values, strict=True)]
                held = [[*column] for column in zip(*some.held, strict=True)]
                rows += await connection.fetch(shape.statement(delivered), some.ids, *values, *held)
            if table.find is Find.FEED and rows:
                self._own.note(
                    await connection.fetchval(f"SELECT {TRANSACTION}"), table.oid, [row[0] for row in rows]
                )
            return "".join([_line(row[:-1]) + "\n" for row in rows])

        return await self._in_transaction(table, make)

    async def _in_transaction(self, table: Table, make: Callable[[Connection], Awaitable[str]]) -> str:
        try:
            return await self._committed(make)
        except CommitLost as error:
            raise TandemError(Kind.UNKNOWN, str(error), scope=Scope.STREAM) from error
        except errors.FAILURES as error:
            if errors.is_refusal(error) or errors.sqlstate(error) == ROW_SECURITY:
                raise TandemError(Kind.REJECTED, errors.words(error), scope=Scope.STREAM) from error
            raise errors.translated(error, f"write {table.object}", self._session.secrets) from error

    async def _committed(self, make: Callable[[Connection], Awaitable[str]]) -> str:
        async with self._session.connection() as connection:
            transaction = connection.transaction()
            try:
                await transaction.start()
                stored = await make(connection)
            except errors.FAILURES:
                with anyio.CancelScope(shield=True), suppress(*errors.FAILURES):
                    await transaction.rollback()
                raise
            except BaseException:
                await abandon(connection)
                raise
            await commit(connection, transaction)
            return stored

    async def _made(self, connection: Connection, table: Table, fields: Sequence[str], block: str) -> str:
        columns = table.chosen(fields, to_write=True)
        await connection.copy_to_table(
            table.name,
            schema_name=table.schema,
            source=_at_once(block.encode()),
            columns=[table.key.name, *(column.name for column in columns)],
            format="text",
        )
        ids = ids_of(block.split("\n")[:-1], block)
        stored = await copied(connection, _made_rows(table, columns, ids))
        if self._feed is not None:
            await self._feed.forget(connection, table, ids)
        return stored


async def _at_once(data: bytes) -> AsyncGenerator[bytes, None]:
    """Not a file: asyncpg would read it in a thread, by a class of its own that keeps it until the collector comes."""
    yield data


def _made_rows(table: Table, columns: Sequence[Column], ids: Sequence[str]) -> str:
    """By a range where keys are numbers: cheaper, and rows of others in between do no harm."""
    key = quoted(table.key.name)
    parts = {"wanted": wanted(table, columns), "table": table.sql, "key": key}
    if table.key.base in _WHOLE_NUMBERS:
        numbers = [int(id_) for id_ in ids]
        first, last = str(min(numbers)), str(max(numbers))
        return fill(BETWEEN, **parts, first=first, last=last)
    given = ",".join('"' + id_.replace("\\", "\\\\").replace('"', '\\"') + '"' for id_ in ids)
    return fill(THESE, **parts, ids=literal("{" + given + "}"), cast=table.key.cast)


def _line(row: Sequence[str | None]) -> str:
    """A row of texts as a line; no text holds a NUL."""
    texts = [text for text in row if text is not None]
    if len(texts) == len(row):
        joined = "\0".join(texts)
        if TO_ESCAPE.search(joined) is None:
            return joined.replace("\0", "\t")
    return line_of(row)


def wanted(table: Table, columns: Sequence[Column]) -> str:
    return ", ".join([selected(table.key), *(selected(column) for column in columns)])


async def copied(connection: Connection, query: str) -> str:
    parts: list[bytes] = []

    async def take(data: bytes) -> None:
        parts.append(data)

    await connection.copy_from_query(query, output=take, format="text")
    return b"".join(parts).decode()


def last_id(block: str) -> str:
    """The id of the last line, "" where there is none."""
    last = block[block.rfind("\n", 0, -1) + 1 :]
    return texts_of(last.partition("\t")[0])[0] or "" if last else ""


def literal(text: str) -> str:
    """A text in a statement that takes no parameters (standard_conforming_strings is on in our sessions)."""
    return "'" + text.replace("'", "''") + "'::text"
