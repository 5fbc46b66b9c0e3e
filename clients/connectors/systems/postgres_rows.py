"""Rows as lines, by COPY in both directions: pages of a complete read, and new rows made all at once or not at all.

What was made is read back in the same transaction: a trigger, a default or a column's scale may have made something else
of it. Its own touches are taken out of our queue there, for nobody can have touched a row that nobody sees yet. Must not
update or delete rows of the tables.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress

import anyio
import asyncpg

from actors.core.errors import Kind, Scope, TandemError
from actors.core.rows import RowShape
from actors.core.texts import texts_of
from actors.ports import Rows
from clients.connectors.systems import postgres_errors as errors
from clients.connectors.systems.postgres_catalog import Table
from clients.connectors.systems.postgres_feed import Feed
from clients.connectors.systems.postgres_look import keyed
from clients.connectors.systems.postgres_session import Connection, Session
from clients.connectors.systems.postgres_values import Column, fill, kind_of, quoted, selected, typed
from clients.connectors.systems.postgres_write import CommitLost, abandon, commit

PAGE = "SELECT {wanted} FROM {table} AS t WHERE {condition} ORDER BY t.{key} LIMIT {limit}"
BETWEEN = "SELECT {wanted} FROM {table} AS t WHERE t.{key} BETWEEN {first} AND {last} ORDER BY t.{key}"
THESE = "SELECT {wanted} FROM {table} AS t WHERE t.{key} = ANY ({ids}::text[]::{cast}[])"
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

    def __init__(self, session: Session, feed: Feed | None) -> None:
        self._session = session
        self._feed = feed

    async def scan(self, table: Table, position: str, fields: Sequence[str], limit: int) -> Rows:
        """The page behind the key `position`."""
        condition = keyed(table)
        if position:
            condition += f" AND t.{quoted(table.key.name)} > {typed(table.key, literal(position))}"
        query = fill(
            PAGE,
            wanted=_wanted(table, table.chosen(fields)),
            table=table.sql,
            condition=condition,
            key=quoted(table.key.name),
            limit=str(limit + 1),
        )

        async def ask(connection: Connection) -> str:
            return await _copied(connection, query)

        block = await self._session.reading(f"scan {table.object}", ask)
        more = block.count("\n") > limit
        if more:
            block = block[: block.rindex("\n", 0, -1) + 1]
        return Rows(block, _last_id(block) or position, more)

    async def create(self, table: Table, fields: Sequence[str], block: str) -> str:
        """The lines as rows, in one transaction; how they are stored. Raises REJECTED, TRANSIENT (surely not done) or
        UNKNOWN."""
        doing = f"write {table.object}"
        try:
            return await self._in_transaction(table, fields, block)
        except CommitLost as error:
            raise TandemError(Kind.UNKNOWN, str(error), scope=Scope.STREAM) from error
        except errors.FAILURES as error:
            if errors.is_refusal(error) or isinstance(error, asyncpg.FeatureNotSupportedError):
                raise TandemError(Kind.REJECTED, errors.words(error), scope=Scope.STREAM) from error
            raise errors.translated(error, doing, self._session.secrets) from error

    async def _in_transaction(self, table: Table, fields: Sequence[str], block: str) -> str:
        async with self._session.connection() as connection:
            transaction = connection.transaction()
            try:
                await transaction.start()
                stored = await self._made(connection, table, fields, block)
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
            source=io.BytesIO(block.encode()),
            columns=[table.key.name, *(column.name for column in columns)],
            format="text",
        )
        ids = _ids(block)
        stored = await _copied(connection, _made_rows(table, columns, ids))
        if self._feed is not None:
            await self._feed.forget(connection, table, ids)
        return stored


def _made_rows(table: Table, columns: Sequence[Column], ids: Sequence[str]) -> str:
    """By a range where keys are numbers: cheaper, and rows of others in between do no harm."""
    key = quoted(table.key.name)
    parts = {"wanted": _wanted(table, columns), "table": table.sql, "key": key}
    if table.key.base in _WHOLE_NUMBERS:
        numbers = [int(id_) for id_ in ids]
        first, last = str(min(numbers)), str(max(numbers))
        return fill(BETWEEN, **parts, first=first, last=last)
    given = ",".join('"' + id_.replace("\\", "\\\\").replace('"', '\\"') + '"' for id_ in ids)
    return fill(THESE, **parts, ids=literal("{" + given + "}"), cast=table.key.cast)


def _wanted(table: Table, columns: Sequence[Column]) -> str:
    return ", ".join([selected(table.key), *(selected(column) for column in columns)])


async def _copied(connection: Connection, query: str) -> str:
    parts: list[bytes] = []

    async def take(data: bytes) -> None:
        parts.append(data)

    await connection.copy_from_query(query, output=take, format="text")
    return b"".join(parts).decode()


def _ids(block: str) -> list[str]:
    """What the lines begin with."""
    ids = [line.partition("\t")[0] for line in block.split("\n")[:-1]]
    if "\\" in block:
        ids = [texts_of(id_)[0] or "" for id_ in ids]
    return ids


def _last_id(block: str) -> str:
    """The id of the last line, "" where there is none."""
    last = block[block.rfind("\n", 0, -1) + 1 :]
    return texts_of(last.partition("\t")[0])[0] or "" if last else ""


def literal(text: str) -> str:
    """A text in a statement that takes no parameters (standard_conforming_strings is on in our sessions)."""
    return "'" + text.replace("'", "''") + "'::text"
