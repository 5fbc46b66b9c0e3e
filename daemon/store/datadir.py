"""The daemon's data directory: making it, and holding it against a second daemon.

Owns `EmbeddedError` (the one exception of the embedded PostgreSQL) and the lock file `<data_dir>/lock`.
Must not know anything about PostgreSQL.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType

import anyio

LOCK_PATIENCE_S = 1.0
LOCK_POLL_S = 0.02


class EmbeddedError(Exception):
    """What went wrong with the data directory or the embedded PostgreSQL, and the way out.

    `message` names the thing (a path, a pid, a version); `hint` says what the operator can do about it.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}. {hint}")
        self.message = message
        self.hint = hint


def storage_error(doing: str, error: OSError) -> EmbeddedError:
    """The EmbeddedError for a file operation that failed; `doing` reads as in "can't <doing>"."""
    hints = {
        errno.ENOSPC: "The disk is full: free some space and start again",
        errno.EDQUOT: "The disk quota is used up: free some space and start again",
        errno.EROFS: "The file system is read-only: choose another data directory",
        errno.EACCES: f"Give uid {os.geteuid()} write access, or choose another data directory",
        errno.EPERM: f"Give uid {os.geteuid()} ownership, or choose another data directory",
        errno.ENOTDIR: "A file is in the way: choose another data directory",
        errno.EEXIST: "A file is in the way: choose another data directory",
    }
    hint = hints.get(error.errno or 0, "Choose another data directory, or repair this one")
    return EmbeddedError(f"can't {doing}: {error.strerror or error}", hint)


def make_data_dir(path: Path) -> Path:
    """Make the data directory (0700 when new) and return its real path; raises EmbeddedError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path.resolve(strict=True)
    except OSError as error:
        raise storage_error(f"make the data directory {path}", error) from error


class DataDirLock:
    """One daemon per data directory: an flock on `<data_dir>/lock`, held from `acquire` to `release`.

    The kernel drops the lock when the process ends, however it ends, so there is no stale lock to clean up.
    The file stays where it is: removing it would let two daemons lock two different files of that name.
    The lock doesn't pass to child processes that exec (the descriptor is close-on-exec).
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "lock"
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def acquire(self) -> None:
        """Take the lock at once, or raise EmbeddedError naming the pid of the daemon that has it."""
        if self.held:
            return
        make_data_dir(self.path.parent)
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_error(f"open the lock file {self.path}", error) from error
        try:
            self._lock(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._taken(fd) from error
        except OSError as error:
            raise storage_error(f"lock {self.path}", error) from error
        # The pid is for people only, so a full disk isn't a reason to refuse here.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)

    def _taken(self, fd: int) -> EmbeddedError:
        pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        return EmbeddedError(
            f"the data directory {self.path.parent} is in use by another daemon (pid {pid})",
            "Stop that one first, or give this one a data directory of its own",
        )

    def release(self) -> None:
        """Give the lock back; nothing happens when it isn't held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> DataDirLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


async def lock_patiently(data_dir: Path) -> DataDirLock:
    """The lock, with a moment's patience: a daemon that was just killed holds it until its memory is freed."""
    lock = DataDirLock(data_dir)
    with anyio.move_on_after(LOCK_PATIENCE_S):
        while True:
            with contextlib.suppress(EmbeddedError):
                lock.acquire()
                return lock
            await anyio.sleep(LOCK_POLL_S)
    lock.acquire()
    return lock
