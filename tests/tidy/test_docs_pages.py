"""Pages of docs/ that can be held to the code: the rows of SPEC.md with their tests, the red-team table, the index of
decisions, and every state that an operator can meet.

Connector pages have a test of their own (test_connector_docs.py).
"""

from __future__ import annotations

import re

from actors.core.errors import Kind
from actors.core.lifecycle import Shown
from actors.core.types import Outcome, Room
from daemon import blueprints_yaml
from daemon import config as configuration
from tests.tidy import repository, spec_status

DECISION = re.compile(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md")
# Tests are named bare, since files move; paths are those under tests.
NAMED_PATH = re.compile(r"`(tests/[\w/]+(?:\.py)?)`")


def test_every_row_of_the_spec_stands_there_once_and_in_order() -> None:
    wanted = [f"{letter}{n}" for letter, count in spec_status.ROWS.items() for n in range(1, count + 1)]
    assert spec_status.rows(repository.texts()[spec_status.SPEC]) == wanted


def test_every_scenario_of_the_red_team_stands_there_once_and_in_order() -> None:
    wanted = [str(n) for n in range(1, spec_status.SCENARIOS + 1)]
    assert spec_status.rows(repository.texts()[spec_status.REDTEAM]) == wanted


def test_the_status_of_every_row_is_what_the_tests_say() -> None:
    stale = [
        f"{path}: {old}"
        for path, page in spec_status.pages().items()
        for old, new in zip(repository.texts()[path].splitlines(), page.splitlines(), strict=True)
        if old != new
    ]
    assert not stale, "run python -m tests.tidy.spec_status for\n" + "\n".join(stale)


def test_every_row_of_a_pair_is_shown_on_the_emulators_of_its_systems() -> None:
    """What the engine can do with tables is one thing; that the built-in rules and connectors of the pair do it, another."""
    wanted = [f"{letter}{n}" for letter in "WSTUG" for n in range(1, spec_status.ROWS[letter] + 1)]
    assert [row for row in wanted if row not in spec_status.on_emulators()] == []


def test_a_row_is_filled_from_the_names_of_its_tests() -> None:
    page = "| D1 | it runs | open |\n| D2 | one at a time | `test_d02_gone` |\n"
    after = "| D1 | it runs | `test_d01_a`, `test_d01_b` |\n| D2 | one at a time | open |\n"
    assert spec_status.filled(page, {"D1": ["test_d01_b", "test_d01_a"]}, "open") == after


def test_a_test_shows_every_row_that_its_name_begins_with() -> None:
    assert spec_status.rows_shown("test_s10_s11_a_kill_makes_each_sale_once") == ["S10", "S11"]
    assert spec_status.rows_shown("test_w07") == ["W7"]
    assert spec_status.rows_shown("test_s10x_nothing") == spec_status.rows_shown("test_kill_s10") == []


def test_every_test_that_a_page_names_exists() -> None:
    known = {
        name.rpartition(".")[2]
        for module in repository.modules()
        for name, _ in repository.functions(module.tree)
    }
    known |= {path.rpartition("/")[2].removesuffix(".py") for path in repository.files()}
    pages = {path: text for path, text in repository.texts().items() if path.endswith(".md")}
    missing = [
        f"{page}: {name}"
        for page, text in pages.items()
        for name in re.findall(r"`(test_\w+)`", text)
        if name not in known
    ]
    missing += [
        f"{page}: {path}"
        for page, text in pages.items()
        for path in NAMED_PATH.findall(text)
        if not (repository.ROOT / path).exists()
    ]
    assert pages and not missing, "\n".join(missing)


def test_a_test_that_fails_as_yet_is_named_as_such() -> None:
    failing = spec_status.fails_as_yet()
    wrong = [
        f"{page}: {match[1]}"
        for page, text in repository.texts().items()
        if page.endswith(".md")
        for match in spec_status.NAMED.finditer(text)
        if (match[1] in failing) != bool(match["fails"])
    ]
    assert not wrong, (
        f"run python -m tests.tidy.spec_status, or mark by hand ({spec_status.FAILS.strip()}): {wrong}"
    )


def test_every_decision_is_dated_and_in_the_index() -> None:
    texts = repository.texts()
    pages = {path: text for path, text in texts.items() if DECISION.fullmatch(path)}
    index = texts["docs/decisions/README.md"]
    undated = [p for p, text in pages.items() if not re.search(r"^\d{4}-\d\d-\d\d\b", text, re.MULTILINE)]
    unlisted = [path for path in pages if f"({path.rpartition('/')[2]})" not in index]
    numbers = sorted(int(match[1]) for path in pages if (match := DECISION.fullmatch(path)))
    assert not undated and not unlisted
    assert numbers == list(range(1, len(numbers) + 1))


def test_operating_says_every_setting_state_room_outcome_and_kind() -> None:
    page = repository.texts()["docs/OPERATING.md"]
    words = (
        *(one.variable for one in configuration.settings()),
        *(one.value for kind in (Shown, Room, Kind) for one in kind),
        *(one.value for one in Outcome if one is not Outcome.RUNNING),
    )
    assert [word for word in words if f"| `{word}` |" not in page] == []


def test_every_blueprint_in_the_docs_loads() -> None:
    found = {
        f"{page}:{text.count(chr(10), 0, match.start()) + 1}": match[1]
        for page, text in repository.texts().items()
        if page.endswith(".md")
        for match in re.finditer(r"^```yaml\n((?:#.*\n)*blueprint:.*?)^```", text, re.MULTILINE | re.DOTALL)
    }
    assert {page.partition(":")[0] for page in found} >= {"README.md", "docs/BLUEPRINTS.md"}
    for text in found.values():
        assert blueprints_yaml.load(text).streams
