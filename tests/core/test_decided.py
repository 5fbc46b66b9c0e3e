"""A person's word about a conflict stands while a look shows nothing against it and nothing can be done about it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from actors.core.lenses import MapValues
from actors.core.plan import Context, plan_pair
from actors.core.types import SIDES, Observation, Parked, Room, Side, other
from actors.core.values import UNKNOWN, Seen
from tests.core.pairs import NOW, bound, one, seen, stream

COUNTRIES = MapValues((("D", "DE"), ("A", "AT")))
SPEC = stream(one("number"), one("country", a=COUNTRIES), one("phone"))
BASE = {"number": "1", "country": "DE", "phone": "0"}
BOTH: Mapping[Side, Mapping[str, Seen]] = {
    "a": {**BASE, "phone": "of a", "country": "DE"},
    "b": {**BASE, "phone": "of b", "country": "DE"},
}


def looks(**more: Mapping[str, Seen]) -> tuple[Observation, Observation]:
    """A look at both sides, with other values on some."""
    return seen("a", {**BOTH["a"], **more.get("a", {})}), seen("b", {**BOTH["b"], **more.get("b", {})})


def decided(choose: Side) -> Parked:
    """The conflict about the phone as it is listed, with a person's word."""
    verdict = plan_pair(SPEC, bound(BASE), *looks(), Context(NOW))
    (row,) = verdict.park
    return msgspec.structs.replace(row, decision={"choose": choose})


def words(row: Parked, a: Observation, b: Observation) -> tuple[list[Parked], int]:
    """The conflicts that are listed after a look, and how many writes there are."""
    verdict = plan_pair(SPEC, bound(BASE), a, b, Context(NOW, parked=(row,)))
    return [one for one in verdict.park if one.room is Room.CONFLICT], len(verdict.actions)


@pytest.mark.parametrize("choose", SIDES)
def test_what_can_be_written_is_and_the_word_is_used_up(choose: Side) -> None:
    assert words(decided(choose), *looks()) == ([], 1)


@pytest.mark.parametrize("choose", SIDES)
@pytest.mark.parametrize("side", SIDES)
def test_a_word_outlives_a_look_that_did_not_bring_its_field(choose: Side, side: Side) -> None:
    row = decided(choose)
    assert words(row, *looks(**{side: {"phone": UNKNOWN}})) == ([row], 0)


def test_a_word_outlives_a_look_that_brought_it_from_neither_side() -> None:
    row, nothing = decided("a"), dict[str, Seen](phone=UNKNOWN)
    assert words(row, *looks(a=nothing, b=nothing)) == ([row], 0)


@pytest.mark.parametrize("choose", SIDES)
def test_a_word_outlives_a_record_that_no_lens_can_read(choose: Side) -> None:
    row = decided(choose)
    a, b = looks()
    assert words(row, msgspec.structs.replace(a, problem="no date"), b) == ([row], 0)


@pytest.mark.parametrize("choose", SIDES)
def test_a_word_outlives_another_value_that_can_not_be_written_yet(choose: Side) -> None:
    """Nothing of a record goes to a side that has no word for one of its values."""
    row = decided(choose)
    assert words(row, *looks(b={"country": "XX"})) == ([row], 0)


@pytest.mark.parametrize("side", SIDES)
def test_a_word_is_no_word_once_a_value_moved_on(side: Side) -> None:
    row = decided(side)
    (anew,), writes = words(row, *looks(**{side: {"phone": "moved on"}}))
    assert (anew.decision, anew.fingerprint == row.fingerprint, writes) == (None, False, 0)


@pytest.mark.parametrize("side", SIDES)
def test_nothing_is_left_to_be_said_once_both_agree(side: Side) -> None:
    agreed: dict[str, Mapping[str, Seen]] = {other(side): {"phone": BOTH[side]["phone"]}}
    assert words(decided(side), *looks(**agreed)) == ([], 0)
