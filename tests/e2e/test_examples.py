"""The examples run, and end with both systems in step."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.connectors import pocketbase
from tests.tidy import repository


@pytest.mark.timeout(420)
def test_pocketbase_and_postgresql_are_in_step_at_the_end() -> None:
    pocketbase.required()
    done = subprocess.run(
        [sys.executable, "examples/pocketbase-postgres"],
        cwd=repository.ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Both hold the same" in done.stdout
    assert " things work, 0 do not" in done.stdout
