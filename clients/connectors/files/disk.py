"""Files of a folder: whole reads, the swap of a file that nobody else touched, the lock, the folder's identity.

Blocking; called from worker threads. Must not: know what is in a file. Raises only `TandemError` and `Unsettled`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from actors.core.errors import Kind, Scope, TandemError

LOCK: Final = ".tandem-lock"
FOLDER_ID: Final = ".tandem-folder-id"
_FULL: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file may not grow so large",
}
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Stamp(NamedTuple):
    """What tells one state of a file from another without reading it. `mtime_ns`: epoch nanoseconds."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class Content(NamedTuple):
    """A whole file as it was at one moment. `digest`: of its bytes."""

    data: bytes
    stamp: Stamp
    digest: str


class Unsettled(Exception):
    """The file changed while it was being read or swapped: look again."""


def stamp_of(path: Path) -> Stamp | None:
    """The state of a file now; None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise failure(error, path, "cannot be read") from error
    return _stamp(found)


def read_whole(path: Path) -> Content:
    """The file, read in one go; `Unsettled` where it changed meanwhile, or another program has it locked."""
    try:
        with path.open("rb") as file:
            _check_unlocked(file.fileno())
            stamp = _stamp(os.fstat(file.fileno()))
            data = file.read()
            after = _stamp(os.fstat(file.fileno()))
    except FileNotFoundError as error:
        raise Unsettled from error
    except OSError as error:
        raise failure(error, path, "cannot be read") from error
    if not stamp == after == stamp_of(path) or stamp.size != len(data):
        raise Unsettled
    return Content(data, stamp, hashlib.blake2b(data, digest_size=16).hexdigest())


def swap(path: Path, old: Content, data: bytes) -> Content:
    """Put `data` in the place of `old` in one step, with its permissions; `Unsettled` where it is not `old` any more.

    The new content is on disk before it takes the name, so that a crash leaves the old file or the new one.
    """
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{target.name}.tandem-tmp")
    try:
        _check_writable(path, target)
        _write_new(new, data, target.stat())
        # The last look, as late as can be: what is swapped is the very file that was read, byte for byte.
        if read_whole(target).digest != old.digest or stamp_of(target) != old.stamp:
            raise Unsettled
        stamp = _stamp(new.stat())
        new.replace(target)
    except OSError as error:
        raise failure(error, path, "cannot be written") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
    sync_folder(target.parent)
    return Content(data, stamp, hashlib.blake2b(data, digest_size=16).hexdigest())


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Whether the folder's lock against other processes of ours could be taken; the system lets go of it on a crash."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise failure(error, folder / LOCK, "cannot be written") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def folder_identity(folder: Path, system: str) -> str:
    """Equal for the same folder through any link or mount, different for a copy of it.

    A drawn id in the folder, beside the folder's inode number: a copied or restored folder carries the file along but has
    another inode. A folder that we may not write into is known by its real path.
    """
    check_folder(folder)
    place = folder / FOLDER_ID
    try:
        if not place.exists():
            _draw_folder_id(folder, place)
        drawn = uuid.UUID(place.read_text("ascii").strip())
        return f"{system}:{drawn}:{folder.stat().st_ino}"
    except ValueError as error:
        raise TandemError(
            Kind.CONFIG, f"{place} is damaged", hint="remove it; the connection must then be confirmed anew"
        ) from error
    except OSError as error:
        if error.errno in _DENIED:
            return f"{system}:{os.path.realpath(folder)}"
        raise failure(error, place, "cannot be written") from error


def check_folder(folder: Path) -> None:
    """CONFIG where the folder is missing, no folder, or may not be read."""
    try:
        is_folder, exists = folder.is_dir(), folder.exists()
    except OSError as error:
        raise failure(error, folder, "cannot be read") from error
    if not is_folder:
        what = "is not a folder" if exists else "does not exist"
        raise TandemError(
            Kind.CONFIG, f"the folder {folder} {what}", hint="correct the setting 'path', or mount it"
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise TandemError(
            Kind.CONFIG, f"the folder {folder} may not be read", hint="give the daemon's user access"
        )


def failure(error: OSError, path: Path, what: str) -> TandemError:
    """What a failed file operation means to the engine; nothing was changed by it."""
    reason = _FULL.get(error.errno or 0)
    if reason is not None:
        message, hint = f"{path} {what}: {reason}", "make room; the file is as it was"
        return TandemError(Kind.TRANSIENT, message, hint=hint)
    if error.errno in _DENIED:
        message = f"{path} {what}: {error.strerror}"
        return TandemError(Kind.CONFIG, message, scope=Scope.STREAM, hint="give the daemon's user access")
    return TandemError(Kind.TRANSIENT, f"{path} {what}: {error.strerror or error}", scope=Scope.STREAM)


def sync_folder(folder: Path) -> None:
    """Make renames in the folder last through a power cut."""
    # Some network file systems cannot sync a folder; the swap has taken place all the same.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stamp(found: os.stat_result) -> Stamp:
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _check_unlocked(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unsettled from error
    except OSError:
        return  # a file system without locks: nobody can have it locked


def _check_writable(path: Path, target: Path) -> None:
    mode = target.stat().st_mode
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(target, os.W_OK):
        raise TandemError(
            Kind.CONFIG,
            f"{path} is write-protected",
            scope=Scope.STREAM,
            hint="allow writing, or make this side read-only",
        )


def _write_new(new: Path, data: bytes, old: os.stat_result) -> None:
    # Left over from a crash, or a trap: never write through what is already there.
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(PermissionError):
                os.fchown(handle, old.st_uid, old.st_gid)
        os.fchmod(handle, stat.S_IMODE(old.st_mode))
        file.flush()
        os.fsync(handle)


def _draw_folder_id(folder: Path, place: Path) -> None:
    new = folder / f"{FOLDER_ID}.{uuid.uuid4().hex}.tmp"
    try:
        new.write_text(f"{uuid.uuid4()}\n", "ascii")
        # A link fails where somebody was faster; then theirs counts.
        with contextlib.suppress(FileExistsError):
            os.link(new, place)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
