"""Decides as which user the PostgreSQL programs run, since they refuse to run as root.

Owns the three ways: `self` (the daemon's own, ordinary user), `userns` (the daemon's user, shown as an ordinary
one inside a user namespace; nothing is copied and files stay the daemon's), and `user` (root drops to `tandem`
or `nobody`; the binaries are copied where that user can read them if need be). Must not add users to the
system, nor change the modes of folders outside the data directory.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread

from daemon.store import pgexec
from daemon.store.datadir import EmbeddedError, storage_error
from daemon.store.pgbin import PostgresBinaries, copy_binaries

RunAs = Literal["auto", "self", "userns", "user"]
Way = Literal["self", "userns", "user"]
UNPRIVILEGED = ("tandem", "nobody")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Identity:
    """How pgexec starts a program (`spec`), and who owns its files as the daemon sees them (`uid`, `gid`)."""

    spec: str
    uid: int
    gid: int


def command_as(identity: Identity, folder: Path, command: Sequence[str | Path]) -> list[str]:
    """The command line that runs `command` in `folder` as `identity`, its life tied to this process."""
    interpreter = [sys.executable, "-I", "-S", pgexec.__file__]
    return [*interpreter, str(os.getpid()), identity.spec, str(folder), *map(str, command)]


def environment() -> dict[str, str]:
    """What PostgreSQL gets of the daemon's environment: no secrets, no PG* settings; messages in English."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


async def run_as_identity(
    identity: Identity, folder: Path, command: Sequence[str | Path]
) -> subprocess.CompletedProcess[bytes]:
    """Run a PostgreSQL program to its end in a session of its own; the caller looks at the exit code."""
    return await anyio.run_process(
        command_as(identity, folder, command), check=False, env=environment(), start_new_session=True
    )


async def choose_identity(
    binaries: PostgresBinaries, data_dir: Path, run_as: RunAs = "auto"
) -> tuple[PostgresBinaries, Identity]:
    """The first way that works here, tried by running the server for its version; raises EmbeddedError.

    The binaries returned are the ones given, or their copy inside the data directory.
    """
    refusals: list[str] = []
    for way in _ways(run_as):
        identity = _identity(way)
        if way == "user":
            _open_to_group(data_dir, identity.gid)
        tried = await _try(binaries, data_dir, identity)
        if tried.returncode not in (0, pgexec.REFUSED) and way == "user":
            binaries = await anyio.to_thread.run_sync(copy_binaries, binaries, data_dir)
            tried = await _try(binaries, data_dir, identity)
        if tried.returncode == 0:
            return binaries, identity
        refusals.append(f"{way}: {tried.stderr.decode(errors='replace').strip()}")
    raise EmbeddedError(
        f"PostgreSQL can't be run by uid {os.geteuid()} ({'; '.join(refusals)})",
        "Run the daemon as an ordinary user that has an entry in the user database and can reach the data "
        "directory, or set TANDEM_DATABASE_URL to a server of your own",
    )


async def _try(
    binaries: PostgresBinaries, data_dir: Path, identity: Identity
) -> subprocess.CompletedProcess[bytes]:
    return await run_as_identity(identity, data_dir, [binaries.postgres, "--version"])


def _ways(run_as: RunAs) -> tuple[Way, ...]:
    if run_as != "auto":
        return (run_as,)
    if os.geteuid() == 0:
        return ("userns", "user")
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        # initdb looks its user up; containers often run under a uid that nobody entered anywhere.
        return ("userns",)
    return ("self",)


def _identity(way: Way) -> Identity:
    if way == "self":
        return Identity("self", os.geteuid(), os.getegid())
    uid, gid = _unprivileged()
    if way == "userns":
        return Identity(f"userns:{uid}:{gid}", os.geteuid(), os.getegid())
    return Identity(f"user:{uid}:{gid}", uid, gid)


def _unprivileged() -> tuple[int, int]:
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise EmbeddedError(
        f"the system has none of the users {', '.join(UNPRIVILEGED)}, and PostgreSQL refuses to run as root",
        "Run the daemon as an ordinary user, or add a system user called `tandem`",
    )


def _open_to_group(data_dir: Path, gid: int) -> None:
    """Let the unprivileged user's group pass through the data directory (not list it)."""
    try:
        os.chown(data_dir, -1, gid)
        data_dir.chmod(data_dir.stat().st_mode & 0o7777 | 0o010)
    except OSError as error:
        raise storage_error(f"open {data_dir} to gid {gid}", error) from error


def hand_over(path: Path, identity: Identity) -> None:
    """Make a folder and all in it the identity's; raises EmbeddedError where that takes root and we aren't.

    The folder itself comes last, so that its owner tells whether an earlier hand-over was completed.
    """
    owner = path.stat().st_uid
    if owner == identity.uid:
        return
    if os.geteuid() != 0:
        raise EmbeddedError(
            f"{path} belongs to uid {owner}, and the daemon runs as uid {identity.uid}",
            f"Run the daemon as uid {owner}, or give it the files with `chown -R`",
        )
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.lchown(os.path.join(folder, name), identity.uid, identity.gid)
    os.lchown(path, identity.uid, identity.gid)
