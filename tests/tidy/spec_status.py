"""Columns of two pages that follow from the names of tests.

The status in docs/SPEC.md (`test_w07_...` under tests/spec, else `open`), and the last column of docs/decisions/redteam.md
(`test_redteam_05_...` anywhere under tests). `python -m tests.tidy.spec_status` writes them; test_docs_pages.py compares.
A test that is expected to fail shows nothing: it is left out there, and marked here. Must not: judge whether a test passes;
running it does.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping, Sequence

from tests.tidy import repository

SPEC = "docs/SPEC.md"
REDTEAM = "docs/decisions/redteam.md"
OPEN = "open"
FAILS = " (fails as yet)"
# How many rows each letter has: a row can neither get lost nor be added in passing.
ROWS: Mapping[str, int] = {"W": 34, "S": 19, "T": 23, "U": 25, "G": 25, "D": 8, "B": 18}
SCENARIOS = 45
# A row of either table: its name, what stands between, and the column that is filled.
ROW = re.compile(r"^\| ([A-Z]\d+|\d+) \| (.+) \|([^|]*)\|$", re.MULTILINE)
# A test that a page names, with its mark.
NAMED = re.compile(rf"`(test_\w+)`(?P<fails>{re.escape(FAILS)})?")
_SPEC_TEST = re.compile(r"test((?:_[wstugdb]\d\d)+)(?:_|$)")
_REDTEAM_TEST = re.compile(r"test_redteam_(\d\d)_")
# What a module imports that stands on the emulators of a pair, by the letter of the pair's rows.
STANDS: Mapping[str, tuple[str, ...]] = {
    letter: (f"tests.spec.{stage}", *(f"clients.emulators.{system}" for system in systems))
    for letter, stage, systems in (
        ("W", "wine", ("winestro",)),
        ("S", "tills", ("selectline", "cloudkasse")),
        ("T", "belgian", ("tribe", "winbooks")),
        ("U", "danish", ("webcrm", "uniconta")),
        ("G", "french", ("sage50fr", "sage_sales_management")),
    )
}
Tests = Mapping[str, Sequence[str]]


def spec_tests() -> Tests:
    """Row -> names of its tests under tests/spec; a module named after a row stands for the tests it holds."""
    found: dict[str, list[str]] = {}
    for module in repository.modules():
        if not module.path.startswith("tests/spec/"):
            continue
        stem = module.path.rpartition("/")[2].removesuffix(".py")
        tests = [
            bare for bare in _bare_names(module) if bare.startswith("test_") and bare not in fails_as_yet()
        ]
        names = [stem] if rows_shown(stem) and tests else tests
        for name in names:
            for row in rows_shown(name):
                found.setdefault(row, []).append(name)
    return found


def on_emulators() -> frozenset[str]:
    """The rows of which a test on the emulators of their pair tells: over HTTP, with what a vendor refuses."""
    found: set[str] = set()
    for module in repository.modules():
        if not module.path.startswith("tests/spec/test_"):
            continue
        imports = {name for name, _ in repository.imported(module.tree)}
        letters = {
            letter for letter, stands in STANDS.items() if any(name.startswith(stands) for name in imports)
        }
        names = [name for name in _bare_names(module) if name not in fails_as_yet()]
        found |= {row for name in names for row in rows_shown(name) if row[0] in letters}
    return frozenset(found)


def rows_shown(name: str) -> list[str]:
    """The rows that a test of that name shows: S10 and S11 for `test_s10_s11_...`."""
    match = _SPEC_TEST.match(name)
    return [f"{row[0].upper()}{int(row[1:])}" for row in match[1].split("_")[1:]] if match else []


def redteam_tests() -> Tests:
    """Scenario -> names of the tests that are named after it."""
    found: dict[str, list[str]] = {}
    for module in repository.modules():
        if module.path.startswith("tests/"):
            for name in _bare_names(module):
                if match := _REDTEAM_TEST.match(name):
                    found.setdefault(str(int(match[1])), []).append(name)
    return found


def filled(page: str, tests: Tests, nothing: str) -> str:
    """The page with its last column as it should be; `nothing` where a row has no test."""

    def row(match: re.Match[str]) -> str:
        names = ", ".join(map(_shown, sorted(set(tests.get(match[1], ())))))
        return f"| {match[1]} | {match[2]} | {names or nothing} |"

    # Names within the text get their mark, too, or lose it.
    return NAMED.sub(lambda match: _shown(match[1]), ROW.sub(row, page))


def rows(page: str) -> list[str]:
    """The names of the rows, in order."""
    return [match[0] for match in ROW.findall(page)]


def pages() -> dict[str, str]:
    """Both pages as they should be, by path."""
    texts = repository.texts()
    return {
        SPEC: filled(texts[SPEC], spec_tests(), OPEN),
        REDTEAM: filled(texts[REDTEAM], redteam_tests(), "-"),
    }


@functools.cache
def fails_as_yet() -> frozenset[str]:
    """The bare names of tests that are expected to fail."""
    return frozenset(
        node.name
        for module in repository.modules()
        if module.path.startswith("tests/")
        for _, node in repository.functions(module.tree)
        if any("pytest.mark.xfail" in ast.unparse(decorator) for decorator in node.decorator_list)
    )


def _shown(name: str) -> str:
    return f"`{name}`{FAILS if name in fails_as_yet() else ''}"


def _bare_names(module: repository.Module) -> list[str]:
    return [name.rpartition(".")[2] for name, _ in repository.functions(module.tree)]


if __name__ == "__main__":
    for path, page in pages().items():
        (repository.ROOT / path).write_text(page, encoding="utf-8")
