"""docs/SPEC.md and tests/spec name each other: a row that works has a test that exists and is expected to pass, and every test
there is one of a row.
"""

from __future__ import annotations

import ast
import re

from tests.tidy import repository, spec_status

ROW_OF_TEST = re.compile(r"^test_([a-z])(\d\d)_[a-z0-9_]+$")
NAME = re.compile(r"`(test_\w+)`")


def spec_tests() -> dict[str, ast.AST]:
    """The tests under tests/spec, by name."""
    return {
        name: node
        for module in repository.modules()
        if module.path.startswith("tests/spec/")
        for name, node in repository.functions(module.tree)
        if name.startswith("test_")
    }


def expected_to_fail(node: ast.AST) -> bool:
    """Whether it is marked xfail."""
    decorators = getattr(node, "decorator_list", ())
    return any("xfail" in ast.unparse(one) for one in decorators)


def test_every_spec_test_names_a_row_that_exists() -> None:
    rows = set(spec_status.rows(repository.texts()[spec_status.PAGE]))
    strays = []
    for name in spec_tests():
        match = ROW_OF_TEST.match(name)
        if match is None or f"{match[1].upper()}{int(match[2])}" not in rows:
            strays.append(name)
    assert spec_tests() and not strays


def test_every_row_that_works_names_tests_that_exist_and_one_that_is_expected_to_pass() -> None:
    tests = spec_tests()
    wrong = []
    for letter, number, _, status in spec_status.ROW.findall(repository.texts()[spec_status.PAGE]):
        names = NAME.findall(status)
        if status.strip() == spec_status.OPEN:
            continue
        if not names or not all(name in tests for name in names):
            wrong.append(f"{letter}{number}: {status}")
        elif all(expected_to_fail(tests[name]) for name in names):
            wrong.append(f"{letter}{number}: every test of it is expected to fail; the row is open")
    assert not wrong, "\n".join(wrong)
