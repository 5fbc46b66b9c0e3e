"""The runner tells a fault that is caught from one that survives, and trusts no test that fails without any fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.runner import run

PRODUCT = "def double(n: int) -> int:\n    return n * 2\n"
TESTS = """
from actors.small import double

def test_of_two():
    assert double(2) == 4

def test_of_three():
    assert double(3) == 6

def test_that_fails():
    assert double(1) == 3
"""
SETTINGS = "[tool.pytest.ini_options]\npythonpath = ['.']\naddopts = ['--import-mode=importlib']\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A product of one function, with tests."""
    for name, text in (
        ("actors/__init__.py", ""),
        ("actors/small.py", PRODUCT),
        ("tests/test_small.py", TESTS),
        ("pyproject.toml", SETTINGS),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def mutant(new: str, *tests: str) -> Mutant:
    return Mutant(
        1, new, "actors/small.py", "n * 2", new, tuple(f"tests/test_small.py::{name}" for name in tests)
    )


def test_each_fault_is_judged_by_its_own_tests(tree: Path) -> None:
    """Squaring is seen by three and not by two: which of both is named decides. Nothing is left behind in the tree."""
    mutants = [
        mutant("n ** 2", "test_of_two"),
        mutant("n * 3", "test_of_two"),
        mutant("n * n", "test_of_three", "test_of_two"),
        mutant("n *", "test_of_two"),
    ]
    verdicts = {one.mutant.new: one for one in run(mutants, tree, 2, lambda _: None)}
    assert {new: one.state for new, one in verdicts.items()} == {
        "n ** 2": "survived",
        "n * 3": "caught",
        "n * n": "caught",
        "n *": "broken",
    }
    assert verdicts["n * n"].by == "test_of_three"
    assert (tree / "actors/small.py").read_text() == PRODUCT


def test_a_test_that_fails_without_any_fault_proves_nothing(tree: Path) -> None:
    with pytest.raises(AssertionError, match="test_that_fails"):
        run([mutant("n * 3", "test_that_fails")], tree, 1, lambda _: None)
