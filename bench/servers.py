"""The processes of the bench: one PostgreSQL server that plays both systems, and real tandemd processes.

Must not: know what is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg

from daemon.store.embedded import EmbeddedPostgres, PostgresSettings

REPOSITORY = Path(__file__).resolve().parents[1]
STOP_TIMEOUT_S = 60.0
# Generous, so that neither checkpoints nor a small cache are measured; durability as customers have it.
SERVER_SETTINGS = {
    "max_wal_size": "8GB",
    "min_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    # When the last row was committed is asked of the server afterwards, instead of looking all the while.
    "track_commit_timestamp": "on",
}


class Systems:
    """The PostgreSQL server of both systems, and its databases."""

    def __init__(self, dsn: str, bin_dir: Path, version: str) -> None:
        self._dsn = dsn
        self._bin_dir = bin_dir
        self.version = version

    def url(self, database: str) -> str:
        """Where a database is reached, over the unix socket."""
        return self._dsn.replace("/tandem?", f"/{database}?")

    @property
    def psql(self) -> str | None:
        """The program psql: of these binaries, else of this machine."""
        own = self._bin_dir / "psql"
        return str(own) if own.exists() else shutil.which("psql")

    @asynccontextmanager
    async def session(self, database: str = "tandem") -> AsyncIterator[Any]:
        """A connection to a database."""
        connection = await asyncpg.connect(self.url(database))
        try:
            yield connection
        finally:
            await connection.close()

    async def renew(self, *databases: str) -> None:
        """Make these databases anew and empty."""
        async with self.session() as admin:
            for name in databases:
                await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                await admin.execute(f'CREATE DATABASE "{name}"')

    async def settle(self) -> None:
        """Let nothing that was done before be paid for by what is measured next."""
        async with self.session() as admin:
            await admin.execute("CHECKPOINT")


@asynccontextmanager
async def systems(folder: Path, shared_buffers: str) -> AsyncIterator[Systems]:
    """A server of its own; ended with the context."""
    given = os.environ.get("TANDEM_POSTGRES_BIN")
    server = EmbeddedPostgres(
        folder,
        bin_dir=Path(given) if given else None,
        settings=PostgresSettings(shared_buffers=shared_buffers, stop_timeout_s=STOP_TIMEOUT_S),
    )
    await server.start()
    try:
        found = Systems(server.dsn, server.binaries.bin_dir, server.binaries.version)
        async with found.session() as admin:
            for name, value in SERVER_SETTINGS.items():
                await admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await server.stop()
        await server.start()
        yield found
    finally:
        await server.stop()


class Daemon:
    """A running tandemd, and what the system tells of its process."""

    def __init__(self, process: subprocess.Popen[bytes], ready: Mapping[str, Any], log: Path) -> None:
        self.process = process
        self.address = str(ready["grpc"])
        self.data_dir = Path(str(ready["data_dir"]))
        self.log = log

    @property
    def token(self) -> str:
        """The first admin token."""
        return (self.data_dir / "admin.token").read_text().strip()

    @property
    def database(self) -> str:
        """Its own database, as an operator reaches it (docs/OPERATING.md)."""
        lines = (self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        return f"postgresql://tandem@/tandem?host={lines[4]}&port={lines[3]}"

    def memory(self, word: str = "VmRSS") -> int:
        """Resident bytes of this one process, without its PostgreSQL; `VmHWM` is the most there was."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{word}:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"the system does not tell {word}")

    def cpu_s(self) -> float:
        """Seconds of processor time that it used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def stop(self) -> None:
        """End it in order, or else by force."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        with anyio.move_on_after(STOP_TIMEOUT_S):
            while self.process.poll() is None:
                await anyio.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


async def start_daemon(data_dir: Path) -> Daemon:
    """A tandemd on this data directory, as it is set up where nothing is said, once it is ready."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TANDEM_", "PG"))}
    given = os.environ.get("TANDEM_POSTGRES_BIN")
    env = {
        **kept,
        **({"TANDEM_POSTGRES_BIN": given} if given else {}),
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "proto" / "gen"))),
        "TANDEM_DATA_DIR": str(data_dir),
        "TANDEM_LISTEN": "127.0.0.1:0",
        "TANDEM_HTTP_LISTEN": "127.0.0.1:0",
        "TANDEM_LOG_FORMAT": "json",
    }
    read_fd, write_fd = os.pipe()
    log = data_dir.with_name(f"{data_dir.name}.log")
    command = [sys.executable, "-m", "daemon.serve", "--ready-fd", str(write_fd)]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, env=env, cwd=data_dir.parent, pass_fds=[write_fd], stdout=stream, stderr=stream
        )
    os.close(write_fd)
    with os.fdopen(read_fd) as answer:
        line = await anyio.to_thread.run_sync(answer.readline)  # ends empty when the process does
    if not line:
        process.wait()
        raise RuntimeError(f"tandemd did not start: {log.read_text()[-2000:]}")
    return Daemon(process, json.loads(line), log)
