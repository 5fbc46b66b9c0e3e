"""As whom the embedded PostgreSQL runs: an ordinary user, root in a user namespace, root dropping to another user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.store.embedded import EmbeddedError
from daemon.store.pgbin import find_binaries
from daemon.store.pgidentity import RunAs
from tests.store.embedded_tools import (
    as_root,
    child,
    embedded,
    is_running,
    keep_rows,
    kept_rows,
    mode_of,
    owner_of,
    skip_without_user_namespaces,
    until,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def reachable_dir() -> Iterator[Path]:
    """A folder that every user can pass through, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def python_of_everyone(uid: int) -> str | None:
    """An interpreter of this version that an ordinary user can run; the one in use may be in root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            subprocess.run([python, "-c", ""], user=uid, group=uid, extra_groups=[], check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


@as_root
async def test_an_ordinary_user_needs_nothing_special(reachable_dir: Path) -> None:
    uid = pwd.getpwnam("nobody").pw_uid
    python = python_of_everyone(uid)
    if python is None:
        pytest.skip("no interpreter that an ordinary user can run")
    os.chown(reachable_dir, uid, uid)
    with child(reachable_dir, "self", str(uid), python=python) as (daemon_pid, told):
        assert owner_of(told["server_pid"]) == uid
        await keep_rows(told["dsn"])
        os.kill(daemon_pid, signal.SIGKILL)
        await until(lambda: not is_running(told["server_pid"]), 2)
    with child(reachable_dir, "self", str(uid), python=python) as (_, told):
        assert await kept_rows(told["dsn"]) == 100


@as_root
async def test_root_drops_to_another_user_and_copies_what_that_one_cannot_read(reachable_dir: Path) -> None:
    found = find_binaries()
    hidden = reachable_dir / "hidden"
    package = found.bin_dir.parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, hidden / folder.name)
    hidden.chmod(0o700)
    bin_dir = hidden / found.bin_dir.relative_to(package.parent)
    data_dir = reachable_dir / "data"
    async with embedded(data_dir, run_as="user", bin_dir=bin_dir) as server:
        assert server.binaries.bin_dir.is_relative_to(data_dir)
        assert owner_of(server.pid) == pwd.getpwnam("nobody").pw_uid
        await keep_rows(server.dsn)
    async with embedded(data_dir, run_as="user") as server:
        assert not server.binaries.bin_dir.is_relative_to(data_dir)
        assert await kept_rows(server.dsn) == 100


@as_root
async def test_the_files_change_hands_when_the_way_does(reachable_dir: Path) -> None:
    skip_without_user_namespaces()
    data_dir = reachable_dir / "data"
    async with embedded(data_dir, run_as="user") as server:
        await keep_rows(server.dsn)
    async with embedded(data_dir, run_as="userns") as server:
        assert owner_of(server.pid) == 0
        assert await kept_rows(server.dsn) == 100
    async with embedded(data_dir, run_as="user") as server:
        assert await kept_rows(server.dsn) == 100


@as_root
async def test_a_directory_that_the_other_user_cannot_reach_is_refused_and_left_alone(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    os.mkdir(closed, mode=0o700)
    with pytest.raises(EmbeddedError, match="user: can't become user:"):
        await embedded(closed / "data", run_as="user").start()
    assert mode_of(closed) == 0o700


@as_root
@pytest.mark.parametrize("run_as", ["userns", "user"])
async def test_the_server_ends_with_its_daemon_whatever_the_identity(
    reachable_dir: Path, run_as: RunAs
) -> None:
    if run_as == "userns":
        skip_without_user_namespaces()
    with child(reachable_dir / "data", run_as) as (daemon_pid, told):
        assert owner_of(told["server_pid"]) == (0 if run_as == "userns" else pwd.getpwnam("nobody").pw_uid)
        os.kill(daemon_pid, signal.SIGKILL)
        await until(lambda: not is_running(told["server_pid"]), 2)
