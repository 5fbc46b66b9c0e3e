"""Clears what an earlier server left on our files: processes that still run, lock files that don't hold.

Owns the decision whether a process is ours. May only be called while the data directory's lock is held: that
lock is what makes every server found here a left-over. Must not touch a process that isn't a PostgreSQL of this
cluster.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import anyio

PROC = Path("/proc")
POLL_S = 0.02
# Signal and how long (s) it has to take effect before the next one is sent.
ORPHAN_STEPS = ((signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0))
POSTMASTER_STEPS = ((signal.SIGINT, 20.0), *ORPHAN_STEPS)


def postmaster_status(cluster: Path) -> tuple[int | None, str]:
    """Pid and status ("starting", "ready") from postmaster.pid; (None, "") where it is absent or unfinished."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return None, ""


async def clear_leftovers(cluster: Path, socket_dir: Path) -> None:
    """End the servers that still run on the cluster, then remove lock files, whatever pid they name.

    The pid in a lock file may by now be anybody's, and PostgreSQL refuses to start as long as it is alive.
    """
    pid, _ = postmaster_status(cluster)
    if pid is not None and _names(pid, cluster):
        await _end(pid, cluster, POSTMASTER_STEPS)
    # A postmaster that was killed leaves backends that may take a while to notice, and may still write.
    for orphan in _processes_in(cluster):
        await _end(orphan, cluster, ORPHAN_STEPS)
    for file in ((cluster / "postmaster.pid"), *_socket_files(socket_dir)):
        file.unlink(missing_ok=True)


def _socket_files(socket_dir: Path) -> list[Path]:
    return list(socket_dir.glob(".s.PGSQL.*"))


async def _end(pid: int, cluster: Path, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    def is_ours() -> bool:
        return _names(pid, cluster) or _works_in(pid, cluster)

    for number, timeout_s in steps:
        with suppress(ProcessLookupError, PermissionError):
            if is_ours():
                os.kill(pid, number)
        if await _until_gone(is_ours, timeout_s):
            return


async def _until_gone(is_there: Callable[[], bool], timeout_s: float) -> bool:
    with anyio.move_on_after(timeout_s):
        # Nothing tells when a process ends that is not our child.
        while is_there():  # noqa: ASYNC110
            await anyio.sleep(POLL_S)
        return True
    return False


def _names(pid: int, cluster: Path) -> bool:
    """Whether the process was started with our folder as an argument; a zombie has no arguments any more."""
    try:
        return os.fsencode(cluster) in (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _works_in(pid: int, cluster: Path) -> bool:
    """Whether it is a PostgreSQL process whose working folder is the cluster, as that of all of them is."""
    try:
        command = (PROC / str(pid) / "comm").read_bytes().strip()
        return command == b"postgres" and os.readlink(PROC / str(pid) / "cwd") == str(cluster)
    except OSError:
        return False


def _processes_in(cluster: Path) -> list[int]:
    pids = (int(entry) for entry in os.listdir(PROC) if entry.isdigit())
    return [pid for pid in pids if _works_in(pid, cluster)]
