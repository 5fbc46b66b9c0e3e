"""One real daemon for the tests of the API: a process with its own PostgreSQL, asked over real sockets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.api.world import Client, client, folders
from tests.daemon.process import DaemonProcess, running


@pytest.fixture(scope="session")
def daemon() -> Iterator[DaemonProcess]:
    """Shared: every test makes a tenant of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-api-"))
    folder.chmod(0o755)
    try:
        with running(folder / "data", call_timeout_s="20") as process:
            yield process
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def admin(daemon: DaemonProcess) -> AsyncIterator[Client]:
    """A client that may do everything."""
    async with client(daemon) as found:
        yield found


@pytest.fixture
async def tenant(admin: Client) -> str:
    """A fresh tenant."""
    return await admin.tenant()


@pytest.fixture
async def pair(admin: Client, tenant: str, tmp_path: Path) -> tuple[Path, Path]:
    """Connections a and b of the tenant, and their folders."""
    a, b = folders(tmp_path, [("1", "Ann", "Bonn"), ("2", "Bob", "Ulm")])
    await admin.connection(tenant, "a", a)
    await admin.connection(tenant, "b", b)
    return a, b
