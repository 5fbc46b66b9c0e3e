"""docs/ACTORS.md and docs/SYNC.md name the tests that hold them to their word: those exist, and each sentence has one."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy import repository

SENTENCE = re.compile(r"^\d+\. .*$", re.MULTILINE)
REFERENCE = re.compile(r"`((?:[\w/]+/)?test_\w+\.py|[\w/]*contract\w*\.py)::(test_\w+)`")
NOT_KEPT = "*Not kept yet.*"
PAGES = ("docs/ACTORS.md", "docs/SYNC.md")


def catalogue() -> dict[tuple[str, str], bool]:
    """Every test as (file name, name) -> whether it is expected to fail."""
    found = {}
    for module in repository.modules():
        if module.path.startswith("tests/"):
            for name, node in repository.functions(module.tree):
                found[module.path.rsplit("/", 1)[-1], name.rsplit(".", 1)[-1]] = expected_to_fail(node)
    return found


def expected_to_fail(node: repository.Function) -> bool:
    """Whether it carries an xfail mark."""
    calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
    return any(repository.dotted(call.func) == "pytest.mark.xfail" for call in calls)


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    known = catalogue()
    named = [(path.rsplit("/", 1)[-1], name) for path, name in REFERENCE.findall(repository.texts()[page])]
    assert named
    assert [one for one in named if one not in known] == []


def test_every_promise_of_an_actor_names_a_test_and_is_numbered_in_order() -> None:
    sentences = SENTENCE.findall(repository.texts()["docs/ACTORS.md"])
    assert [int(line.split(".")[0]) for line in sentences] == list(range(1, len(sentences) + 1))
    assert [line for line in sentences if not REFERENCE.search(line)] == []


def test_a_promise_that_is_not_kept_says_so() -> None:
    known = catalogue()
    wrong = []
    for line in SENTENCE.findall(repository.texts()["docs/ACTORS.md"]):
        failing = any(known.get((path.rsplit("/", 1)[-1], name)) for path, name in REFERENCE.findall(line))
        if failing is not (NOT_KEPT in line):
            wrong.append(line)
    assert wrong == []


def test_every_law_of_the_sync_page_names_a_test() -> None:
    _, laws = repository.texts()["docs/SYNC.md"].split("## The laws", 1)
    rows = SENTENCE.findall(laws.split("\n## ", 1)[0])
    assert len(rows) == 12
    assert [row for row in rows if not REFERENCE.search(row)] == []
