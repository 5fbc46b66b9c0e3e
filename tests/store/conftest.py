"""A real PostgreSQL for the store's tests: one embedded server per session, one migrated database per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from daemon.store.embedded import EmbeddedPostgres, PostgresSettings
from daemon.store.migrate import migrate
from daemon.store.pool import Pool, open_pool

pytest.register_assert_rewrite("tests.store.contract", "tests.store.contract_work")

TEMPLATE = "tandem_template"
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
async def template(server: str) -> str:
    """The name of a migrated, empty database that nobody is connected to."""
    await run(server, f"create database {TEMPLATE}")
    connection = await asyncpg.connect(server, database=TEMPLATE)
    await migrate(connection)
    await connection.close()
    return TEMPLATE


@pytest.fixture
async def database(server: str, template: str) -> AsyncIterator[str]:
    """The DSN of a fresh migrated database."""
    async for dsn in made(server, f"template {template}"):
        yield dsn


@pytest.fixture
async def empty_database(server: str) -> AsyncIterator[str]:
    """The DSN of a fresh database without anything in it."""
    async for dsn in made(server, ""):
        yield dsn


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool as the daemon opens it."""
    pool = await open_pool(database, size_max=8)
    yield pool
    await pool.close()


async def made(server: str, how: str) -> AsyncIterator[str]:
    """A database for the length of a test."""
    name = f"test_{next(_NUMBERS)}"
    await run(server, f"create database {name} {how}")
    yield server.replace("/tandem?", f"/{name}?")
    await run(server, f"drop database {name} with (force)")


async def run(dsn: str, statement: str) -> None:
    """One statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
