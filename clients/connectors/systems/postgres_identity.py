"""Which database this is, and the drawing of keys before a create. Must not read the tables of the objects."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

from actors.core.errors import Kind, TandemError
from clients.connectors.systems.postgres_catalog import Table
from clients.connectors.systems.postgres_session import Connection, Session
from clients.connectors.systems.postgres_values import fill

SYSTEM = """
SELECT system_identifier::text AS system, (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS id
  FROM pg_control_system()"""
MARK = """
CREATE SCHEMA IF NOT EXISTS tandem;
CREATE TABLE IF NOT EXISTS tandem.feed_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), id text NOT NULL)"""
MARKED = "SELECT id FROM tandem.feed_identity"
IS_MARKED = "SELECT to_regclass('tandem.feed_identity') IS NOT NULL AS there"
SET_MARK = "INSERT INTO tandem.feed_identity (id) VALUES ($1) ON CONFLICT DO NOTHING"

SEQUENCE = "SELECT pg_get_serial_sequence($1, $2) AS name"
# One array: a row for each id costs as much as the record it is for.
NEXT = "SELECT array_agg(nextval($1::text::regclass)::text) AS ids FROM generate_series(1, $2::int)"
DRAW = "SELECT array_agg(({default})::{cast}::text) AS ids FROM generate_series(1, $1::int)"
DRAW_UUID = "SELECT array_agg(gen_random_uuid()::text) AS ids FROM generate_series(1, $1::int)"
# Defaults that give another value each time they are asked for.
_DRAWING = re.compile(r"\bnextval\(|uuid\w*\(")


async def identity(session: Session, schema: str) -> str:
    """System identifier, database and schema; where the first is denied, a mark that is left in the database."""
    try:
        (row,) = await session.fetch("ask for the system's identifier", SYSTEM)
    except TandemError as error:
        if error.kind is not Kind.CONFIG:
            raise
        return f"postgres:{await _mark(session)}:{schema}"
    return f"postgres:{row['system']}:{row['id']}:{schema}"


async def _mark(session: Session) -> str:
    async def ask(connection: Connection) -> str:
        if not await connection.fetchval(IS_MARKED):
            async with connection.transaction():
                await connection.execute(MARK)
                await connection.execute(SET_MARK, uuid.uuid4().hex)
        return str(await connection.fetchval(MARKED))

    try:
        return await session.reading("leave an identifier", ask)
    except TandemError as error:
        if error.kind is not Kind.CONFIG:
            raise
        hint = "GRANT EXECUTE ON FUNCTION pg_control_system() to the role, or CREATE on the database"
        raise TandemError(
            error.kind, f"can't tell which database this is: {error.message}", hint=hint
        ) from error


async def draw_ids(session: Session, table: Table, count: int) -> Sequence[str]:
    """Unused keys from the column's sequence, its own default, or random uuids; none where the key has no such thing."""
    if count < 1:
        return ()
    try:
        return await _drawn(session, table, count)
    except TandemError as error:
        # The right to a sequence may be missing where an insert is allowed all the same (identity columns).
        if error.kind is Kind.CONFIG:
            return ()
        raise


async def _drawn(session: Session, table: Table, count: int) -> Sequence[str]:
    doing, key = f"reserve ids of {table.object}", table.key
    if key.identity:
        (row,) = await session.fetch(doing, SEQUENCE, table.sql, key.name)
        (drawn,) = await session.fetch(doing, NEXT, row["name"], count)
    elif _DRAWING.search(key.default):
        (drawn,) = await session.fetch(doing, fill(DRAW, default=key.default, cast=key.cast), count)
    elif key.base == "uuid" and not key.default:
        (drawn,) = await session.fetch(doing, DRAW_UUID, count)
    else:
        return ()
    return tuple(drawn["ids"])
