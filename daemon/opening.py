"""What a start needs before anything is built: the database of the configuration, the first token, the ready file.

Every failure is a `StartError`: what went wrong and the way out. Must not: know the engine or the API.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import msgspec

from actors.core.errors import TandemError
from daemon import log
from daemon.api import access
from daemon.config import Config
from daemon.log import redacted_text
from daemon.store.admin import Admin
from daemon.store.admin_names import Names
from daemon.store.datadir import DataDirLock
from daemon.store.embedded import EmbeddedError, EmbeddedPostgres
from daemon.store.migrate import migrate
from daemon.store.pool import Pool, open_pool

TOKEN_FILE: Final = "admin.token"  # noqa: S105 - the name of a file
CLOSE_TIMEOUT_S: Final = 5.0
READY_FILE: Final = "ready.json"
_HINTS: Final[Mapping[str, str]] = {
    "28P01": "check user and password in database_url (TANDEM_DATABASE_URL)",
    "28000": "the server's pg_hba.conf does not let this user in from here",
    "3D000": "create the database first (createdb), or name another one in database_url",
    "42501": "the user of database_url has to own the database (it creates tables there)",
    "53300": "the server has no connections left: raise max_connections or lower database_pool_size",
}
_UNREACHABLE: Final = "check that PostgreSQL runs at the address in database_url (TANDEM_DATABASE_URL)"


class StartError(Exception):
    """The daemon can't start. `message` names the thing, `hint` the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = redacted_text(message)
        self.hint = redacted_text(hint)


@asynccontextmanager
async def data_dir_lock(config: Config) -> AsyncIterator[DataDirLock]:
    """One daemon per data directory, with an external database too: its files are there."""
    lock = DataDirLock(config.data_dir)
    try:
        lock.acquire()
    except EmbeddedError as error:
        raise StartError(error.message, error.hint) from error
    with lock:
        yield lock


@asynccontextmanager
async def embedded_postgres(config: Config, lock: DataDirLock) -> AsyncIterator[EmbeddedPostgres | None]:
    """The daemon's own server, or None where another one is configured."""
    if config.database_url:
        yield None
        return
    server = EmbeddedPostgres(config.data_dir, bin_dir=config.postgres_bin, lock=lock)
    try:
        await server.start()
    except EmbeddedError as error:
        raise StartError(error.message, error.hint) from error
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def database(dsn: str, config: Config, owner: str) -> AsyncIterator[Pool]:
    """A pool on the database, brought to this version's schema; `owner`: see open_pool."""
    where = _place(dsn)
    try:
        pool = await open_pool(dsn, size_max=config.database_pool_size, owner=owner)
    except TandemError as error:
        state = str(getattr(error.__cause__, "sqlstate", "") or "")
        hint = _HINTS.get(state, _UNREACHABLE)
        raise StartError(
            f"can't use the database {where}: {error.__cause__ or error.message}", hint
        ) from error
    except ValueError as error:
        raise StartError(f"can't use the database {where}: {error}", _UNREACHABLE) from error
    try:
        await _migrated(pool, where)
        yield pool
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_TIMEOUT_S):
            await pool.close()
        pool.terminate()


async def _migrated(pool: Pool, where: str) -> None:
    try:
        async with pool.acquire() as connection:
            applied = await migrate(connection)
    except TandemError as error:
        state = str(getattr(error.__cause__, "sqlstate", "") or "")
        raise StartError(f"database {where}: {error.message}", _HINTS.get(state, error.hint)) from error
    if applied:
        log.logger("serve").info("database.migrated", versions=applied, database=where)


def _place(dsn: str) -> str:
    """Which database, without who and how."""
    parts = urlsplit(dsn)
    return f"{parts.hostname or 'local'}{f':{parts.port}' if parts.port else ''}{parts.path}"


async def first_token(admin: Admin, names: Names, data_dir: Path) -> Path | None:
    """Where nobody could administer the daemon, an admin token in `<data_dir>/admin.token` (0600)."""
    if await names.usable_admin_tokens():
        return None
    new = access.new_token()
    row = await admin.create_token("", f"first admin {new.id}", "admin", new.hash, id_=new.id)
    await admin.add_audit("daemon", "token.create", row.id, detail={"name": row.name, "role": "admin"})
    path = data_dir / TOKEN_FILE
    write_private(path, f"{new.text}\n")
    log.logger("serve").info("token.created", id=row.id, file=str(path))
    return path


def write_private(path: Path, text: str) -> None:
    """Written aside with mode 0600 and renamed: nobody reads half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        os.fchmod(fd, 0o600)
        file.write(text)
    aside.replace(path)


def announce(data_dir: Path, facts: Mapping[str, Any], fd: int | None) -> Path:
    """Tell scripts and systemd that the daemon is ready, and where everything is."""
    line = msgspec.json.encode(facts).decode()
    path = data_dir / READY_FILE
    write_private(path, f"{line}\n")
    if fd is not None:
        os.write(fd, f"{line}\n".encode())
    notify("READY=1")
    return path


def notify(state: str) -> None:
    """systemd's notification, where it asked for one (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
