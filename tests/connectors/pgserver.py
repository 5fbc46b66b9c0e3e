"""A real PostgreSQL for tests: `TANDEM_TEST_DATABASE_URL` where it is set, else a server started for this session.

Owns the throw-away server (TCP on 127.0.0.1, passwords checked by scram, as customers run it; the daemon's own
embedded server listens on a socket without a password, which would hide log-in faults) and the making of empty
databases. Import the fixtures into the test module or conftest that needs them. Must not know any connector.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from daemon.store import pgexec
from daemon.store.pgbin import PostgresBinaries, copy_binaries, find_binaries
from tests.ports import free_port

PASSWORD = "quite secret/@"
PASSWORD_QUOTED = "quite%20secret%2F%40"
START_TIMEOUT_S = 30.0
_URL = pytest.StashKey[str]()
# Two-phase commit is on, because prepared transactions are one of the ways to commit late.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_prepared_transactions": "5",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}


def with_database(url: str, database: str) -> str:
    """The same server and user, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _command(folder: Path, program: Path, *arguments: str) -> list[str]:
    """Runs `program` as an ordinary user (PostgreSQL refuses root), its life tied to this process."""
    identity = "self"
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        identity = f"user:{nobody.pw_uid}:{nobody.pw_gid}"
    starter = [sys.executable, "-I", "-S", pgexec.__file__, str(os.getpid()), identity, str(folder)]
    return [*starter, str(program), *arguments]


def _usable(folder: Path) -> PostgresBinaries:
    """Binaries that the ordinary user can run: the ones found, or a copy of them in `folder`."""
    explicit = os.environ.get("TANDEM_POSTGRES_BIN")
    binaries = find_binaries(Path(explicit) if explicit else None)
    tried = subprocess.run(_command(folder, binaries.postgres, "--version"), capture_output=True, check=False)
    return binaries if tried.returncode == 0 else copy_binaries(binaries, folder)


def _initdb(folder: Path, binaries: PostgresBinaries) -> Path:
    cluster, password_file = folder / "cluster", folder / "password"
    password_file.write_text(PASSWORD, encoding="ascii")
    password_file.chmod(0o644)
    options = (
        "-U",
        "tandem",
        "-A",
        "scram-sha-256",
        "--pwfile",
        str(password_file),
        "-E",
        "UTF8",
        "--locale=C",
    )
    command = _command(folder, binaries.initdb, "-D", str(cluster), "--no-sync", *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return cluster


def _wait_until_ready(server: subprocess.Popen[bytes], cluster: Path) -> None:
    """The server writes its state into the last line of postmaster.pid."""
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up and server.poll() is None:
        with contextlib.suppress(OSError):
            if (cluster / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return
        time.sleep(0.02)
    raise RuntimeError(f"the test server did not start: {(cluster.parent / 'log').read_text()}")


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Start a server of its own; yields the URL of its superuser."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-pg-"))
    folder.chmod(0o777)
    try:
        binaries = _usable(folder)
        cluster, port = _initdb(folder, binaries), free_port()
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        command = _command(folder, binaries.postgres, "-D", str(cluster), "-p", str(port), "-k", "", *options)
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
            try:
                _wait_until_ready(server, cluster)
                yield f"postgresql://tandem:{PASSWORD_QUOTED}@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(timeout=START_TIMEOUT_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """URL of a role that may create databases, on a real server; one for all modules that import this."""
    if _URL not in pytestconfig.stash:
        given = os.environ.get("TANDEM_TEST_DATABASE_URL")
        kept = contextlib.ExitStack()
        pytestconfig.add_cleanup(kept.close)
        pytestconfig.stash[_URL] = given or kept.enter_context(running_server())
    return pytestconfig.stash[_URL]


@pytest.fixture(scope="module")
async def shared_database_url(postgres_url: str) -> AsyncIterator[str]:
    """One database for all tests of a module: making one takes half a second."""
    async with new_database(postgres_url) as url:
        yield url


@pytest.fixture
async def database_url(shared_database_url: str) -> str:
    """The module's database, emptied for this test."""
    connection = await asyncpg.connect(shared_database_url)
    try:
        await connection.execute(EMPTY)
    finally:
        await connection.close()
    return shared_database_url


EMPTY = """
SET client_min_messages = warning;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$
DECLARE name text;
BEGIN
  EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
  FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
  CREATE SCHEMA public;
  GRANT ALL ON SCHEMA public TO PUBLIC;
END $$"""


@contextlib.asynccontextmanager
async def new_database(server_url: str) -> AsyncIterator[str]:
    """The URL of a fresh database; fails where a prepared transaction was left behind in it."""
    name = f"tandem_test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield with_database(server_url, name)
        finally:
            left = await admin.fetch("SELECT gid FROM pg_prepared_xacts WHERE database = $1", name)
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            assert not left, f"prepared transactions were left: {left}"
    finally:
        await admin.close()
