"""docs/SPEC.md and tests/spec name each other: a row that is not open names tests that exist there and are expected to pass,
and every test there is one of a row.

That the column is up to date is compared in test_docs_pages.py; this holds the page even where it was written by hand.
"""

from __future__ import annotations

import re

from tests.tidy import repository, spec_status

TEST_OF_A_ROW = re.compile(r"test_([a-z])(\d\d)_[a-z0-9_]+")


def named_tests() -> set[str]:
    """The tests under tests/spec."""
    return {
        node.name
        for module in repository.modules()
        if module.path.startswith("tests/spec/")
        for _, node in repository.functions(module.tree)
        if node.name.startswith("test_")
    }


def test_every_spec_test_names_a_row_that_exists() -> None:
    rows = set(spec_status.rows(repository.texts()[spec_status.SPEC]))
    strays = [
        name
        for name in sorted(named_tests())
        if (match := TEST_OF_A_ROW.fullmatch(name)) is None
        or f"{match[1].upper()}{int(match[2])}" not in rows
    ]
    assert named_tests() and not strays


def test_every_row_that_works_names_tests_that_exist_and_are_expected_to_pass() -> None:
    known = named_tests() - spec_status.fails_as_yet()
    wrong = []
    for name, _, status in spec_status.ROW.findall(repository.texts()[spec_status.SPEC]):
        tests = [match[1] for match in spec_status.NAMED.finditer(status)]
        if status.strip() != spec_status.OPEN and (not tests or not set(tests) <= known):
            wrong.append(f"{name}: {status}")
    assert not wrong, "run python -m tests.tidy.spec_status:\n" + "\n".join(wrong)
