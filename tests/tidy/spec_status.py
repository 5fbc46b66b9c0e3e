"""The status column of docs/SPEC.md: for each row the tests under tests/spec that are named after it, else `open`.

`python -m tests.tidy.spec_status` writes the column; tests/tidy/test_docs_pages.py compares. Must not: judge whether a test
passes; running it does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.tidy import repository

PAGE = "docs/SPEC.md"
OPEN = "open"
# How many rows each letter has: a row can neither get lost nor be added in passing.
ROWS: Mapping[str, int] = {"W": 34, "S": 19, "T": 23, "U": 25, "G": 25, "D": 8, "B": 18}
ROW = re.compile(r"^\| ([A-Z])(\d+) \| (.+) \| ([^|]+) \|$", re.MULTILINE)
_NAMED = re.compile(r"test_([wstugdb])(\d\d)(_|$)")


def tests_by_row() -> dict[str, list[str]]:
    """Row -> names of its tests under tests/spec; a module named after a row stands for the tests it holds."""
    found: dict[str, list[str]] = {}
    for module in repository.modules():
        if not module.path.startswith("tests/spec/"):
            continue
        stem = module.path.rpartition("/")[2].removesuffix(".py")
        tests = [name for name, _ in repository.functions(module.tree) if "test_" in name]
        names = [stem] if _NAMED.match(stem) and tests else [name.rpartition(".")[2] for name in tests]
        for name in names:
            if match := _NAMED.match(name):
                found.setdefault(f"{match[1].upper()}{int(match[2])}", []).append(name)
    return found


def filled(page: str, tests: Mapping[str, list[str]]) -> str:
    """The page with its status column as it should be."""

    def row(match: re.Match[str]) -> str:
        letter, number, what, _ = match.groups()
        names = tests.get(f"{letter}{number}", [])
        status = ", ".join(f"`{name}`" for name in sorted(names)) or OPEN
        return f"| {letter}{number} | {what} | {status} |"

    return ROW.sub(row, page)


def rows(page: str) -> list[str]:
    """The rows of the page, in order."""
    return [f"{letter}{number}" for letter, number, _, _ in ROW.findall(page)]


if __name__ == "__main__":
    path = repository.ROOT / PAGE
    path.write_text(filled(path.read_text("utf-8"), tests_by_row()), encoding="utf-8")
