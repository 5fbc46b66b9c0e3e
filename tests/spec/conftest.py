"""What the spec tests share: a daemon for all that leave it alive, one PostgreSQL server for every CRM, a world per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tandem_client import Tandem
from tests.connectors.pgserver import new_database, postgres_url  # noqa: F401 - a fixture
from tests.daemon.process import DaemonProcess, running
from tests.spec.french import both, pair  # noqa: F401 - fixtures
from tests.spec.names import own_name
from tests.spec.systems import SCHEMA, Crm, Erp
from tests.spec.two import Two
from tests.spec.world import World, asked

# Small windows, so that a few hundred records are many windows; calls without a deadline are cut soon.
SETTINGS = {"window": "50", "call_timeout_s": "2"}


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that an ordinary user can reach, too (pytest's own can't be)."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-spec-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def daemon() -> Iterator[DaemonProcess]:
    """The shared daemon, with a PostgreSQL of its own. Tests make a tenant each, and leave it alive."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-spec-"))
    folder.chmod(0o755)
    try:
        with running(folder / "data", **SETTINGS) as process:
            yield process
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def tandem(daemon: DaemonProcess) -> AsyncIterator[Tandem]:
    """The client library, as an administrator of the shared daemon."""
    async with asked(daemon) as client:
        yield client


@pytest.fixture
async def crm(postgres_url: str) -> AsyncIterator[Crm]:  # noqa: F811
    """A CRM of this test's own."""
    async with new_database(postgres_url) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(SCHEMA)
        await connection.close()
        yield Crm(url)


@pytest.fixture
async def two(
    tandem: Tandem,
    postgres_url: str,  # noqa: F811
    home: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Two]:
    """Two empty databases, and a tenant of its own on the shared daemon; not linked yet."""
    name = own_name(request)
    async with new_database(postgres_url) as a, new_database(postgres_url) as b:
        made = Two(tandem, name, Erp(home / "erp"), Crm(a), Crm(b))
        yield made
        await made.leave()


@pytest.fixture
async def store_url(postgres_url: str) -> AsyncIterator[str]:  # noqa: F811
    """An empty database for daemons of this test's own."""
    async with new_database(postgres_url) as url:
        yield url


@pytest.fixture
async def world(tandem: Tandem, crm: Crm, home: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A tenant of its own on the shared daemon; not connected yet."""
    name = own_name(request)
    made = World(tandem, name, Erp(home / "erp"), crm)
    yield made
    await made.leave()
