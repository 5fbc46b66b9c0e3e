"""The witness finds what it is there for: each fault, planted in a log that is sound without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.chaos.auditor import History, Row, Side
from tests.chaos.recovery import times
from tests.chaos.systems import PEOPLE, TANDEM, Change
from tests.chaos.witness import Item, born, counts, edits, gone, trespasses

Logs = Mapping[Side, Sequence[Change]]


def row(name: str, **fields: str) -> Row:
    plain = {"id": "1", "name": name, "phone": "", "mail": "", "city": "", "level": "", "origin": ""}
    return plain | fields


MADE = row("Ann", phone="1", origin="a of Ann")
EDITED = row("Ann", phone="2", origin="a of Ann")
SOUND: dict[Side, list[Change]] = {
    "a": [
        Change(1, PEOPLE, "INSERT", 1, None, MADE),
        Change(2, PEOPLE, "UPDATE", 1, MADE, EDITED),
    ],
    "b": [
        Change(1, TANDEM, "INSERT", 1, None, row("Ann", phone="1")),
        Change(2, TANDEM, "UPDATE", 1, row("Ann", phone="1"), row("Ann", phone="2")),
        Change(3, PEOPLE, "UPDATE", 1, row("Ann", phone="2"), row("Ann", phone="2", level="b1")),
        Change(4, TANDEM, "UPDATE", 1, row("Ann", phone="2", level="b1"), row("Ann", phone="2")),
    ],
}
ITEMS = [
    Item("b", "create", "1", "confirmed"),
    Item("b", "update", "1", "confirmed"),
    Item("b", "update", "1", "dropped", "did not arrive"),
]
TOTALS: dict[tuple[Side, str], int] = {("b", "create"): 1, ("b", "update"): 1}


def more(side: Side, *changes: Change) -> Logs:
    return {**SOUND, side: [*SOUND[side], *changes]}


def told(logs: Logs) -> list[str]:
    return list(trespasses(logs, History(edits(logs))))


def test_a_sound_log_is_sound() -> None:
    assert told(SOUND) == []
    assert list(counts(SOUND, ITEMS, TOTALS)) == []
    assert born(SOUND) == {"Ann": {"a"}} and gone(SOUND) == {}
    assert [(edit.value, edit.replaced) for edit in edits(SOUND)] == [("1", ""), ("2", "1")]


@pytest.mark.parametrize(
    "logs, words",
    [
        (more("b", Change(5, TANDEM, "INSERT", 2, None, row("Ann"))), "Ann was made 2 times in b"),
        (more("b", Change(5, TANDEM, "DELETE", 1, row("Ann"), None)), "deleted, which the policy forbids"),
        (more("b", Change(5, TANDEM, "INSERT", 2, None, row("Bob", origin="x"))), "nobody's business"),
        (more("a", Change(5, TANDEM, "UPDATE", 1, MADE, row("Ann", phone="1"))), "which nobody asked for"),
        (
            more("a", Change(5, TANDEM, "UPDATE", 1, MADE, {**MADE, "level": "9"})),
            "belongs to the people of a",
        ),
        (
            more(
                "b",
                Change(5, PEOPLE, "UPDATE", 1, row("Ann", phone="2"), row("Ann", phone="3")),
                Change(6, TANDEM, "UPDATE", 1, row("Ann", phone="3"), row("Ann", phone="2")),
            ),
            "'3' was overwritten with '2' by somebody who had not seen it",
        ),
    ],
)
def test_a_write_without_a_right_is_found(logs: Logs, words: str) -> None:
    assert any(words in line for line in told(logs)), told(logs)


@pytest.mark.parametrize(
    "items, words",
    [
        (ITEMS[:2], "the system saw 2, confirmed 1, outcome unknown 0"),
        ([*ITEMS, *ITEMS[1:2] * 2], "the system saw 2, confirmed 3"),
        ([*ITEMS, Item("b", "create", "2", "confirmed")], "the system saw 0, confirmed 1"),
        ([*ITEMS, Item("b", "update", "1", "sent")], "still open at the end"),
        ([replace(ITEMS[0], state="dropped"), *ITEMS[1:]], "the system saw 1, confirmed 0"),
    ],
)
def test_a_count_that_is_not_true_is_found(items: list[Item], words: str) -> None:
    found = list(counts(SOUND, items, TOTALS))
    assert any(words in line for line in found), found


def test_counters_that_are_not_the_sum_of_the_lines_are_found() -> None:
    (line,) = counts(SOUND, ITEMS, TOTALS | {("b", "update"): 2})
    assert line == "counters say 2 times update in b, the protocol 1, the system 1"


def test_a_line_for_a_whole_request_of_creates_covers_as_many_as_the_counters_say() -> None:
    bulk = [Item("b", "create", "", "confirmed"), *ITEMS[1:]]
    assert list(counts(SOUND, bulk, TOTALS)) == []
    for told in (0, 2):
        (line,) = counts(SOUND, bulk, TOTALS | {("b", "create"): told})
        assert line == f"counters say {told} times create in b, the protocol 0, the system 1"


def test_recovery_runs_from_a_mishap_to_the_next_window_that_began_after_it_and_was_settled() -> None:
    settled = [(1.0, 2.0), (3.0, 7.0), (4.0, 5.0)]
    assert times([0.5, 1.5, 9.0], settled) == [1.5, 3.5]
