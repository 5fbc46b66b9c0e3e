"""A person's word about a conflict stands while a look shows nothing against it and nothing can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest

from actors.core.lenses import MapValues
from actors.core.plan import Context, plan_pair
from actors.core.policy import Owner, StreamSpec
from actors.core.rooms import counts_for_nothing, deleted_edited
from actors.core.types import SIDES, Observation, Parked, Room, Side, other
from actors.core.values import UNKNOWN, Seen
from tests.core.pairs import NOW, bound, gone, one, seen, stream

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


# ------------------------------------------------------------------------------------------- what counts for nothing


def conflict(spec: StreamSpec, hot: str = "", **values: Mapping[str, Seen]) -> Parked:
    """What is listed of a pair that was settled on 0 in every field; `hot`: what was written too often on side b."""
    contests = {f"b.{hot}": (20, NOW)} if hot else {}
    base = {one.name: "0" for one in spec.fields}
    a, b = (seen(side, {**base, **values.get(side, {})}) for side in SIDES)
    (row,) = plan_pair(spec, bound(base, contests=contests), a, b, Context(NOW)).park
    return row


GROUP = stream(one("street", group="address"), one("town", group="address"))
OWNED = stream(one("type", owner=Owner.A), one("phone"))
CONFLICTS: dict[str, tuple[Callable[[], Parked], set[str]]] = {
    "both changed it": (lambda: conflict(OWNED, a={"phone": "1"}, b={"phone": "2"}), {"a", "b", "value"}),
    "both changed a group": (lambda: conflict(GROUP, a={"town": "1"}, b={"street": "2"}), {"a", "b"}),
    "contested, and nobody's": (lambda: conflict(OWNED, "phone", a={"phone": "1"}), {"a", "b", "value"}),
    "contested, and its owner's": (lambda: conflict(OWNED, "type", b={"type": "1"}), {"a"}),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_word_is_refused_exactly_where_it_would_be_carried_out_nowhere(name: str) -> None:
    made, counted = CONFLICTS[name]
    row = made()
    refused = {choose: counts_for_nothing(row, choose) for choose in ("a", "b", "value")}
    assert {choose for choose, why in refused.items() if why is None} == counted
    for choose, why in refused.items():
        if why is not None:
            assert why[0].startswith(row.field) and "choose a" in why[1], choose


@pytest.mark.parametrize(
    "read_only, counted", [(False, {"a", "b", "keep", "remove", "restore"}), (True, {"a", "keep", "remove"})]
)
def test_what_may_be_said_of_a_record_that_was_deleted_here_and_edited_there(
    read_only: bool, counted: set[str]
) -> None:
    row = deleted_edited(OWNED, bound({"type": "0"}), gone("a"), seen("b", {"type": "1"}), read_only)
    every = ("a", "b", "value", "keep", "remove", "restore")
    assert {choose for choose in every if counts_for_nothing(row, choose) is None} == counted
    changed = conflict(OWNED, a={"phone": "1"}, b={"phone": "2"})
    assert all(counts_for_nothing(changed, choose) for choose in ("keep", "remove", "restore"))
