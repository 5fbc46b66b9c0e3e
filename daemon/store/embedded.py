"""The PostgreSQL server that the daemon brings along: started, watched, restarted, stopped as its child.

Owns the server process and its log. The server listens on a unix socket in a folder of mode 0700 and nowhere
else, and ends with the daemon, even when that is killed. Which binaries: pgbin; as which user: pgidentity; the
files: pgcluster. Must not know what the daemon keeps in its database.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import anyio
import anyio.to_thread
import asyncpg
import structlog

from daemon.store.datadir import DataDirLock, EmbeddedError, lock_patiently, make_data_dir, storage_error
from daemon.store.pgbin import PostgresBinaries, find_binaries
from daemon.store.pgcluster import (
    DATABASE,
    PORT,
    ROLE,
    check_major,
    cluster_major,
    hint_for,
    make_cluster,
    make_socket_dir,
    remove_unfinished,
)
from daemon.store.pgidentity import Identity, RunAs, choose_identity, command_as, environment, hand_over
from daemon.store.pgleftover import POLL_S, clear_leftovers, postmaster_status

__all__ = ["EmbeddedError", "EmbeddedPostgres", "PostgresSettings"]

LOG_CHECK_INTERVAL_S = 30.0
RECOVERY_REPORT_INTERVAL_S = 10.0
IMMEDIATE_STOP_TIMEOUT_S = 5.0
LOG_TAIL_SIZE = 2000


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """What may be tuned. Sizes in bytes unless PostgreSQL's own notation ("128MB")."""

    shared_buffers: str = "128MB"
    connections_max: int = 100
    log_size_max: int = 10 * 1024 * 1024
    stop_timeout_s: float = 20.0
    backoff_min_s: float = 0.1
    backoff_max_s: float = 30.0


@dataclass(frozen=True, slots=True)
class _Layout:
    """What `start` found out, and a restart needs again."""

    cluster: Path
    socket_dir: Path
    log: Path
    binaries: PostgresBinaries
    identity: Identity


class EmbeddedPostgres:
    """One PostgreSQL server on `<data_dir>/postgres`; an async context manager that starts and stops it.

    `start` has to be awaited on a thread that lives as long as the server shall (in the daemon, the main one):
    the kernel ends the server when the thread that started it ends. Every failure is an EmbeddedError.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bin_dir: Path | None = None,
        run_as: RunAs = "auto",
        settings: PostgresSettings | None = None,
        lock: DataDirLock | None = None,
    ) -> None:
        """`lock`: the data directory's lock where the caller holds it already; else this object takes it."""
        self._data_dir = data_dir
        self._bin_dir = bin_dir
        self._run_as = run_as
        self._settings = settings or PostgresSettings()
        self._lock = lock
        self._own_lock: DataDirLock | None = None
        self._layout: _Layout | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._restarts = 0
        self._last_error: EmbeddedError | None = None
        self._report = structlog.stdlib.get_logger("tandem.postgres")

    @property
    def dsn(self) -> str:
        """For asyncpg; stays the same over restarts. Only after `start`."""
        # The port is named, or PGPORT in the daemon's environment would win.
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self._known().socket_dir))}&port={PORT}"

    @property
    def pid(self) -> int | None:
        """The server's pid while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def binaries(self) -> PostgresBinaries:
        """The binaries in use. Only after `start`."""
        return self._known().binaries

    @property
    def restarts(self) -> int:
        """How often `keep_running` had to bring the server back."""
        return self._restarts

    @property
    def last_error(self) -> EmbeddedError | None:
        """Why the last restart failed; None while all is well. For the health check."""
        return self._last_error

    async def __aenter__(self) -> EmbeddedPostgres:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> str:
        """Bring the server up (making its files the first time) and return the DSN.

        Waits as long as crash recovery takes: breaking that off would only make it begin again.
        """
        if self._process is not None:
            raise RuntimeError("the embedded PostgreSQL is started already")
        self._stopping = False
        data_dir = make_data_dir(self._data_dir)
        if self._lock is None:
            self._own_lock = await lock_patiently(data_dir)
        try:
            self._layout = await self._prepare(data_dir)
            await self._launch(self._layout)
        except BaseException:
            await self.stop()
            raise
        return self.dsn

    async def stop(self) -> None:
        """End the server (fast: open transactions are rolled back) and give the data directory free."""
        self._stopping = True
        with anyio.CancelScope(shield=True):
            await self._end_process()
        self._leave_temporary_folder()
        if self._own_lock is not None:
            self._own_lock.release()
            self._own_lock = None

    def _leave_temporary_folder(self) -> None:
        if self._layout is not None and self._layout.socket_dir.parent != self._layout.cluster.parent:
            with suppress(OSError):
                self._layout.socket_dir.rmdir()

    async def wait(self) -> int:
        """Wait for the running server to end and return its exit code (negative: the signal)."""
        if self._process is None:
            raise RuntimeError("the embedded PostgreSQL is not started")
        return await _exit_code(self._process)

    async def keep_running(self) -> None:
        """Restart the server whenever it ends, with growing pauses; bound its log; until `stop`."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_log_bounded)
            while True:
                code = await self.wait()
                if self._stopping:
                    break
                self._report.warning("postgres ended, restarting", exit_code=code)
                await self._restart()
            group.cancel_scope.cancel()

    async def _restart(self) -> None:
        pause_s = self._settings.backoff_min_s
        while True:
            await anyio.sleep(pause_s)
            if await self._relaunched():
                return
            pause_s = min(pause_s * 2, self._settings.backoff_max_s)

    async def _relaunched(self) -> bool:
        """Whether there is nothing left to try: the server runs again, or `stop` was called."""
        try:
            await self._launch(self._known())
        except EmbeddedError as error:
            if not self._stopping:
                self._last_error = error
                self._report.error("postgres did not start", error=error.message, hint=error.hint)
            return self._stopping
        self._restarts += 1
        self._last_error = None
        self._report.info("postgres runs again", pid=self.pid)
        return True

    def _known(self) -> _Layout:
        if self._layout is None:
            raise RuntimeError("the embedded PostgreSQL is not started")
        return self._layout

    async def _prepare(self, data_dir: Path) -> _Layout:
        cluster = data_dir / "postgres"
        major = cluster_major(cluster)
        found = await anyio.to_thread.run_sync(lambda: find_binaries(self._bin_dir, major=major))
        check_major(cluster, major, found)
        binaries, identity = await choose_identity(found, data_dir, self._run_as)
        await anyio.to_thread.run_sync(remove_unfinished, cluster)
        if major is None:
            await make_cluster(cluster, binaries, identity)
        await anyio.to_thread.run_sync(hand_over, cluster, identity)
        socket_dir = make_socket_dir(data_dir, identity)
        return _Layout(cluster, socket_dir, data_dir / "postgres.log", binaries, identity)

    async def _launch(self, layout: _Layout) -> None:
        """Start the process and see it accept queries; on any failure no process is left."""
        try:
            # Again on every start: a cleaner of temporary folders may have taken it.
            make_socket_dir(layout.cluster.parent, layout.identity)
            await clear_leftovers(layout.cluster, layout.socket_dir)
            await anyio.to_thread.run_sync(bound_log, layout.log, self._settings.log_size_max)
            process, log_start = self._spawn(layout)
            await self._until_ready(process, layout, log_start)
            await _ensure_database(layout.socket_dir)
        except OSError as error:
            await self._end_process()
            raise storage_error(f"start PostgreSQL on {layout.cluster}", error) from error
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._end_process()
            raise

    def _spawn(self, layout: _Layout) -> tuple[subprocess.Popen[bytes], int]:
        """Start the process on this very thread; returns it and where in the log its words begin."""
        if self._stopping:
            raise EmbeddedError("PostgreSQL is being stopped", "Start the daemon again")
        fd = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            log_start = os.fstat(fd).st_size
            command: list[str | Path] = [
                layout.binaries.postgres,
                "-D",
                layout.cluster,
                *self._options(layout),
            ]
            # A session of its own: Ctrl-C on the terminal is for the daemon, which then stops us in order.
            process = subprocess.Popen(
                command_as(layout.identity, layout.cluster, command),
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                env=environment(),
                start_new_session=True,
            )
        finally:
            os.close(fd)
        self._process = process
        return process, log_start

    def _options(self, layout: _Layout) -> list[str]:
        """On the command line, so that they win over postgresql.conf, where the rest may be tuned."""
        options = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(layout.socket_dir),
            "unix_socket_permissions": "0700",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "shared_buffers": self._settings.shared_buffers,
            "max_connections": str(self._settings.connections_max),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            # The log goes to stderr, which is our file: bound_log keeps it small.
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    async def _until_ready(self, process: subprocess.Popen[bytes], layout: _Layout, log_start: int) -> None:
        report_at = anyio.current_time() + RECOVERY_REPORT_INTERVAL_S
        while postmaster_status(layout.cluster) != (process.pid, "ready"):
            if process.poll() is not None:
                raise _start_failure(layout, process.returncode, log_start)
            if anyio.current_time() >= report_at:
                self._report.warning("postgres is still starting", pid=process.pid, log=str(layout.log))
                report_at += RECOVERY_REPORT_INTERVAL_S
            await anyio.sleep(POLL_S)

    async def _end_process(self) -> None:
        """Fast stop, then immediate stop, then kill; always reaps."""
        process = self._process
        if process is None:
            return
        steps = (
            (signal.SIGINT, self._settings.stop_timeout_s),
            (signal.SIGQUIT, IMMEDIATE_STOP_TIMEOUT_S),
            (signal.SIGKILL, math.inf),
        )
        for number, timeout_s in steps:
            process.send_signal(number)
            with anyio.move_on_after(timeout_s):
                await _exit_code(process)
                break
            self._report.warning("postgres did not stop in time", signal=number.name, timeout_s=timeout_s)
        if self._stopping:
            self._process = None

    async def _keep_log_bounded(self) -> None:
        while True:
            await anyio.sleep(LOG_CHECK_INTERVAL_S)
            try:
                await anyio.to_thread.run_sync(bound_log, self._known().log, self._settings.log_size_max)
            except OSError as error:
                self._report.warning("can't bound the log of postgres", error=str(error))


def bound_log(log: Path, size_max: int) -> None:
    """Move the log's content to `<log>.1` once it is larger than `size_max` bytes.

    Copied and emptied in place, because the server keeps its descriptor (it appends); a line written in
    between may be lost.
    """
    if log.exists() and log.stat().st_size > size_max:
        shutil.copy(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def _start_failure(layout: _Layout, code: int, log_start: int) -> EmbeddedError:
    with layout.log.open("rb") as file:
        file.seek(max(log_start, file.seek(0, os.SEEK_END) - LOG_TAIL_SIZE))
        said = file.read().decode(errors="replace").strip()
    return EmbeddedError(
        f"PostgreSQL {layout.binaries.version} did not start on {layout.cluster} (exit code {code}; "
        f"{layout.log} says: {said})",
        hint_for(said),
    )


async def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Waits in a thread, since not every event loop dependably tells of the end of a process; reaps on the loop's."""
    if process.poll() is None:
        with suppress(ChildProcessError):  # somebody who asked whether it runs has reaped it
            await anyio.to_thread.run_sync(
                os.waitid,
                os.P_PID,
                process.pid,
                os.WEXITED | os.WNOWAIT,
                abandon_on_cancel=True,
                limiter=anyio.CapacityLimiter(1),  # its own: it waits as long as the server lives
            )
    return process.wait()


async def _ensure_database(socket_dir: Path) -> None:
    try:
        connection = await asyncpg.connect(
            host=str(socket_dir), port=PORT, user=ROLE, database="postgres", timeout=30
        )
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
                await connection.execute(f'create database "{DATABASE}"')
        finally:
            await connection.close()
    except (asyncpg.PostgresError, TimeoutError) as error:
        raise EmbeddedError(
            f"PostgreSQL runs, but the database {DATABASE} can't be made or reached: {error}",
            f"See postgres.log; the role {ROLE} has to be a superuser of this server",
        ) from error
