"""The examples do what their README says: each is run as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples.pairs.__main__ import STORIES
from tests.connectors import odata_server, pocketbase

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(400)  # the first start may install packages
def test_odata_and_csv_end_in_step() -> None:
    try:
        odata_server.installed()
    except odata_server.NotInstallable as error:
        pytest.skip(f"no OData server: {error}")
    done = subprocess.run(
        [sys.executable, "examples/odata-csv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Both hold the same five customers" in done.stdout


@pytest.mark.timeout(420)
def test_pocketbase_and_postgresql_end_in_step() -> None:
    pocketbase.required()
    done = subprocess.run(
        [sys.executable, "examples/pocketbase-postgres"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Both hold the same" in done.stdout
    assert " things work, 0 do not" in done.stdout


def test_the_readmes_are_short() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*/README.md")}
    assert texts
    assert not [str(path) for path, text in texts.items() if len(text.splitlines()) > 12]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("pair", STORIES)
def test_the_story_of_a_pair_ends_well(pair: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.pairs", pair],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Both sides hold what they should" in done.stdout
