"""Brings a database to the schema of this version: migrations/NNNN_name.sql, in order, each in its own transaction.

Several daemons may start at once: they take turns under an advisory lock. A database that is newer than the code is
refused. Must not be used for anything that takes long while the daemon serves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from daemon.store.pool import Connection, translated

FOLDER = Path(__file__).parent / "migrations"
SCHEMA = Path(__file__).parent / "schema.sql"
_LOCK = 7410_0001
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TABLE = """
create table if not exists schema_migrations (
    version integer primary key,
    name text not null,
    applied timestamptz not null default now()
)"""


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema."""

    version: int
    name: str
    text: str


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """All steps, in order; ValueError where their numbers are not 1, 2, 3..."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise ValueError(f"{path.name} should be {len(found) + 1:04}_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text("utf-8")))
    return found


async def migrate(connection: Connection, steps: Sequence[Migration] | None = None) -> list[int]:
    """Apply what is missing; returns the versions applied now. CONFIG when the database is newer than this code."""
    known = migrations() if steps is None else steps
    with translated():
        # Held for the session, not for a transaction: each step has its own.
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        try:
            done = await _current(connection)
            _refuse_newer(done, known)
            missing = [step for step in known if step.version > done]
            for step in missing:
                await _apply(connection, step)
        finally:
            await connection.execute("select pg_advisory_unlock($1)", _LOCK)
    return [step.version for step in missing]


async def _current(connection: Connection) -> int:
    await connection.execute(_TABLE)
    version: int | None = await connection.fetchval("select max(version) from schema_migrations")
    return version or 0


def _refuse_newer(done: int, known: Sequence[Migration]) -> None:
    newest = max((step.version for step in known), default=0)
    if done > newest:
        raise TandemError(
            Kind.CONFIG,
            f"the database has schema version {done}, this tandemd knows only up to {newest}",
            scope=Scope.LINK,
            hint="start the newer tandemd that wrote it, or restore a backup from before the upgrade",
        )


async def _apply(connection: Connection, step: Migration) -> None:
    async with connection.transaction():
        await connection.execute(step.text)
        await connection.execute(
            "insert into schema_migrations (version, name) values ($1, $2)", step.version, step.name
        )
