"""What the tests of the embedded PostgreSQL share: a small server, a stand-in daemon to kill, looks at processes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from daemon.store.embedded import EmbeddedPostgres, PostgresSettings
from daemon.store.pgidentity import RunAs

REPOSITORY = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("embedded_child.py")
SMALL = PostgresSettings(shared_buffers="16MB", backoff_max_s=1.0)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user or mount")


def skip_without_user_namespaces() -> None:
    """Many containers forbid them; the daemon then drops to another user, which has tests of its own."""
    tried = subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no user namespaces here: {tried.stderr.decode().strip()}")


def embedded(data_dir: Path, *, run_as: RunAs = "auto", bin_dir: Path | None = None) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, run_as=run_as, bin_dir=bin_dir, settings=SMALL)


async def query(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def keep_rows(dsn: str, count: int = 100) -> None:
    await query(dsn, f"create table kept as select generate_series(1, {count}) as n")


async def kept_rows(dsn: str) -> Any:
    return await query(dsn, "select count(*) from kept")


async def until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    with anyio.fail_after(timeout_s):
        while not condition():  # noqa: ASYNC110 - other processes signal nothing to us
            await anyio.sleep(0.01)


def is_running(pid: int) -> bool:
    """A zombie doesn't count: who reaps orphans here is not our matter."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def owner_of(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@contextmanager
def living_stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(path: Path) -> None:
    """Take what is left of the disk, to the last page."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@contextmanager
def stand_in(
    data_dir: Path, *arguments: str, python: str = sys.executable
) -> Iterator[subprocess.Popen[bytes]]:
    """The stand-in daemon as a process; asked to stop at the end by closing its stdin."""
    paths = os.pathsep.join([str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))])
    process = subprocess.Popen(
        [python, str(CHILD), str(data_dir), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        yield process
    finally:
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


@contextmanager
def child(
    data_dir: Path, *arguments: str, python: str = sys.executable
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The stand-in daemon once it is up: its pid and the line it printed."""
    with stand_in(data_dir, *arguments, python=python) as process:
        assert process.stdout is not None
        yield process.pid, json.loads(process.stdout.readline())
