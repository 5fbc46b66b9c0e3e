"""A real PostgreSQL for the store's tests: one embedded server per session, one migrated database per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from daemon.store.admin import Admin
from daemon.store.embedded import EmbeddedPostgres, PostgresSettings
from daemon.store.migrate import migrate
from daemon.store.pool import Pool, open_pool
from tests.store.pgworld import PgWorld

pytest.register_assert_rewrite(
    "tests.store.contract",
    "tests.store.contract_recovery",
    "tests.store.contract_runs",
    "tests.store.contract_work",
)

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Short, for the socket's path, and open to the user that the server runs as."""
    path = Path(tempfile.mkdtemp(prefix="tandem-store-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
async def server(server_folder: Path) -> AsyncIterator[str]:
    """The DSN of the server's own database."""
    async with EmbeddedPostgres(server_folder, settings=PostgresSettings(shared_buffers="32MB")) as postgres:
        yield postgres.dsn


@pytest.fixture(scope="session")
async def database(server: str) -> str:
    """The DSN of a migrated database that the tests share, one after the other."""
    await run(server, "create database tandem_shared")
    dsn = server.replace("/tandem?", "/tandem_shared?")
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    await connection.close()
    return dsn


@pytest.fixture
async def empty_database(server: str) -> AsyncIterator[str]:
    """The DSN of a fresh database without anything in it."""
    name = f"test_{next(_NUMBERS)}"
    await run(server, f"create database {name}")
    yield server.replace("/tandem?", f"/{name}?")
    await run(server, f"drop database {name} with (force)")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool as the daemon opens it, on a database whose tables are empty."""
    pool = await open_pool(database, size_max=8)
    await empty(pool)
    yield pool
    await pool.close()


@pytest.fixture
async def world(pool: Pool) -> PgWorld:
    """A store with two links of one tenant, as `PgWorld.fill` makes them; a module may have a world of its own."""
    made = PgWorld(pool)
    await made.fill()
    return made


@pytest.fixture
def admin(world: PgWorld) -> Admin:
    """What the API asks of it."""
    return world.admin


async def empty(pool: Pool) -> None:
    """Deletes instead of a new database or truncate: those sync files, which takes most of a second."""
    tables = await pool.fetch("select relname from pg_stat_user_tables order by relname")
    # What others refer to comes last.
    last = ["links", "connections", "tokens", "tenants"]
    names = [row["relname"] for row in tables if row["relname"] not in {*last, "schema_migrations"}]
    await pool.execute(";".join(f"delete from {name}" for name in [*names, *last]))


async def run(dsn: str, statement: str) -> None:
    """One statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
