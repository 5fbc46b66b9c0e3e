"""The red-team table, its tests and the planted faults agree: what is called closed is shown, what is not says why.

The faults themselves are run by `make mutants`. Must not: judge whether a test notices a fault; running it does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from tests.mutants.catalog import MUTANTS
from tests.mutants.mutant import Mutant, stale
from tests.tidy import repository, spec_status

STATE = re.compile(r"(closed|part|open|decided)\b")
WHY = re.compile(r"\bWhy: \S.{20,}")


class Row(NamedTuple):
    """One scenario. `state` is the word it is called by, `said` the whole cell."""

    number: int
    state: str
    said: str
    tests: tuple[str, ...]


def rows(page: str) -> list[Row]:
    found = []
    for number, between, last in spec_status.ROW.findall(page):
        _, _, said = between.split(" | ")
        word = STATE.match(said)
        tests = [match[1] for match in spec_status.NAMED.finditer(f"{said} {last}") if not match["fails"]]
        found.append(Row(int(number), word[1] if word else "", said, tuple(tests)))
    return found


def faults(found: list[Row], planted: Mapping[int, int]) -> list[str]:
    """What is wrong with the table, given how many faults are planted for each row."""
    out = []
    for row in found:
        there = row.state in ("closed", "part")
        if not row.state:
            out.append(f"{row.number}: the state is one of closed, part, open, decided")
        if there and not row.tests:
            out.append(f"{row.number}: {row.state}, and no test shows it")
        if there and not planted.get(row.number):
            out.append(f"{row.number}: {row.state}, and no fault is planted (tests/mutants)")
        if not there and planted.get(row.number):
            out.append(f"{row.number}: {row.state}, and yet a fault is planted")
        if row.state != "closed" and not WHY.search(row.said):
            out.append(f"{row.number}: {row.state}, and it does not say why (Why: ...)")
        if row.state == "part" and "Open: " not in row.said:
            out.append(f"{row.number}: part, and it does not say what is open")
    return out


def test_what_is_closed_is_shown_and_what_is_not_says_why() -> None:
    planted = {one.scenario: 0 for one in MUTANTS}
    for one in MUTANTS:
        planted[one.scenario] += 1
    found = rows(repository.texts()[spec_status.REDTEAM])
    assert len(found) == spec_status.SCENARIOS
    assert faults(found, planted) == []


@pytest.mark.parametrize(
    "said, planted, wrong",
    [
        ("closed: `test_x`", 1, 0),
        ("closed: `test_x`", 0, 1),
        ("closed", 1, 1),
        ("closed: `test_x` (fails as yet)", 1, 1),
        ("part: `test_x`. Open: gates. Why: there are none, nowhere at all", 1, 0),
        ("part: `test_x`. Open: gates", 1, 1),
        ("part: `test_x`. Why: there are none, nowhere at all", 1, 1),
        ("open. Why: there are no gates to let it in", 0, 0),
        ("open. Why: there are no gates to let it in", 1, 1),
        ("open. Why: so", 0, 1),
        ("nearly done", 0, 2),
    ],
)
def test_a_row_that_claims_too_much_is_found(said: str, planted: int, wrong: int) -> None:
    found = rows(f"| 7 | it is lost | a look | {said} | - |\n")
    assert len(faults(found, {7: planted})) == wrong


def test_every_planted_fault_fits_the_code() -> None:
    assert stale(MUTANTS, repository.ROOT) == []


def test_the_tests_that_must_notice_exist() -> None:
    """By file, and by name in that file or in a contract that it inherits."""
    known = {
        name.rpartition(".")[2]
        for module in repository.modules()
        for name, _ in repository.functions(module.tree)
    }
    wanted = [(one.fault, test) for one in MUTANTS for test in one.tests]
    missing = [
        (fault, test)
        for fault, test in wanted
        if not (repository.ROOT / test.partition("::")[0]).is_file()
        or ("::" in test and test.rpartition("::")[2].partition("[")[0] not in known)
    ]
    assert wanted and missing == []


def test_every_fault_is_told_apart_and_is_one_of_the_product() -> None:
    told = [(one.scenario, one.fault) for one in MUTANTS]
    assert len(told) == len(set(told))
    assert [one.file for one in MUTANTS if not one.file.startswith(repository.PRODUCT)] == []


def test_a_fault_that_no_longer_fits_is_found() -> None:
    text = "tests/mutants/mutant.py"
    once = Mutant(1, "x", text, "class Mutant:", "class Other:", ())
    assert stale((once,), repository.ROOT) == []
    for old in ("no such text anywhere", "self"):
        assert len(stale((Mutant(1, "x", text, old, "", ()),), repository.ROOT)) == 1
    assert len(stale((Mutant(1, "x", "tests/no_such_file.py", "a", "b", ()),), repository.ROOT)) == 1
