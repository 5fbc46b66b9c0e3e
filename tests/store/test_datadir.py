"""The data directory's lock: one holder at a time, named when it refuses, free again however the holder ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.store.datadir import DataDirLock, EmbeddedError, make_data_dir

REPOSITORY = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from daemon.store.datadir import DataDirLock
DataDirLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = DataDirLock(tmp_path), DataDirLock(tmp_path)
    with first:
        with pytest.raises(EmbeddedError, match=rf"{tmp_path} is in use .*\(pid {os.getpid()}\)") as refused:
            second.acquire()
        assert "data directory of its own" in refused.value.hint
        assert not second.held
    with second:
        assert second.held


def test_kill_9_of_the_holder_frees_the_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(EmbeddedError, match=rf"pid {holder.pid}\b"):
            DataDirLock(tmp_path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with DataDirLock(tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path)
    lock.acquire()
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        lock.release()
        with DataDirLock(tmp_path) as again:
            assert again.held
        sleeper.kill()


def test_a_new_data_directory_is_private_and_one_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    made = make_data_dir(tmp_path / "new" / "data")
    assert made.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"can't make the data directory .*file") as refused:
        make_data_dir(tmp_path / "file" / "data")
    assert "choose another data directory" in refused.value.hint
