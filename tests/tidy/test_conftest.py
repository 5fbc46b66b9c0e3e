"""With TANDEM_REQUIRE_ALL=1 (CI) no test is skipped in silence: each skip, of any kind, is a failure with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.tidy import repository

SKIPS = '''"""Every way to skip, beside what must go on working."""
import pytest

@pytest.fixture
def server():
    pytest.skip("no server")

def test_calls_skip():
    pytest.skip("by call")

@pytest.mark.skip(reason="by mark")
def test_is_marked(): ...

def test_needs_a_fixture(server): ...

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    raise AssertionError

def test_passes(free_port):
    assert free_port > 0
'''
MODULE_SKIP = '''"""Skipped as a whole."""
import pytest
pytest.importorskip("no_such_package")
'''


def run(folder: Path, source: str, require_all: str) -> str:
    """Run `source` as a test file under the conftest of this repository; returns what pytest printed."""
    (folder / "test_sample.py").write_text(source)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
    ]
    return subprocess.run(
        [*command, "-c", str(repository.ROOT / "pyproject.toml"), str(folder / "test_sample.py")],
        cwd=repository.ROOT,
        env={**os.environ, "TANDEM_REQUIRE_ALL": require_all},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_every_skip_fails_where_all_is_required(tmp_path: Path) -> None:
    output = run(tmp_path, SKIPS, "1")
    # pytest calls what fails before the test's own code an error.
    assert "1 failed, 1 passed, 1 xfailed, 2 errors" in output
    for reason in ("by call", "by mark", "no server"):
        assert f"but: Skipped: {reason}" in output


def test_a_skipped_module_fails_where_all_is_required(tmp_path: Path) -> None:
    output = run(tmp_path, MODULE_SKIP, "1")
    assert "1 error" in output
    assert "no_such_package" in output


def test_a_skip_stays_a_skip_elsewhere(tmp_path: Path) -> None:
    output = run(tmp_path, SKIPS, "")
    assert "1 passed, 3 skipped, 1 xfailed" in output
