"""What a difference between two records is tied to: each rule, room and recorded reason, on either side; else a defect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.gates import SHUT
from actors.core.merge import DECIDED
from actors.core.plan import Context, half_binding, plan_new, plan_pair
from actors.core.policy import DeletePolicy, FieldSpec, ForeignEdit, LinesSpec, Owner, StreamSpec
from actors.core.stream_rules import Gate, Ineligible
from actors.core.types import (
    SIDES,
    ActionState,
    Binding,
    Observation,
    Parked,
    Room,
    Side,
    State,
    other,
)
from actors.core.verdict import Verdict
from actors.core.verify import WHOLE, Difference, differences, moved
from tests.core.pairs import NOW, bound, gone, one, seen, stream

EXPLAINED, PARKED, PLANNED, DEFECT = (
    ActionState.EXPLAINED,
    ActionState.PARKED,
    ActionState.PLANNED,
    ActionState.DEFECT,
)
MIRRORED = pytest.mark.parametrize("here", SIDES)


def compared(
    spec: StreamSpec, binding: Binding, a: Observation, b: Observation, *parked: Parked
) -> tuple[Difference, ...]:
    verdict = plan_pair(spec, binding, a, b, Context(now=NOW, parked=parked))
    return differences(spec, binding, {"a": a, "b": b}, verdict, parked)


def looks(here: Side, mine: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[Observation, Observation]:
    a, b = (mine, others) if here == "a" else (others, mine)
    return seen("a", a), seen("b", b)


def told(found: tuple[Difference, ...]) -> list[tuple[str, ActionState, str]]:
    return [(one.field, one.state, one.rule) for one in found]


def deviated(here: Side, base: Mapping[str, Any], dev: Mapping[str, Any]) -> Binding:
    return bound(base, a_dev=dev if here == "a" else None, b_dev=dev if here == "b" else None)


@MIRRORED
def test_what_is_equal_is_no_difference(here: Side) -> None:
    assert compared(stream(one()), bound({"f": "x"}), *looks(here, {"f": "x"}, {"f": "x"})) == ()


@MIRRORED
@pytest.mark.parametrize(
    "rules, rule",
    [({"on_create_only": True}, "on_create_only"), ({"owner": Owner.LOCAL}, "local")],
)
def test_a_field_that_is_not_kept_in_step_says_so(here: Side, rules: Mapping[str, Any], rule: str) -> None:
    found = compared(stream(one(**rules)), bound({}), *looks(here, {"f": "x"}, {"f": "y"}))
    assert told(found) == [("f", EXPLAINED, rule)]


@MIRRORED
def test_a_recorded_deviation_explains_it_until_somebody_edits(here: Side) -> None:
    spec, binding = stream(one()), deviated(here, {"f": "x"}, {"f": "X"})
    found = compared(spec, binding, *looks(here, {"f": "X"}, {"f": "x"}))
    assert told(found) == [("f", EXPLAINED, "deviation: rewritten")]
    edited = compared(spec, binding, *looks(here, {"f": "X"}, {"f": "new"}))
    assert told(edited) == [("f", PLANNED, f"changed on {other(here)}")]


@MIRRORED
def test_an_edit_is_work_for_the_next_run_with_the_rule_that_decides_it(here: Side) -> None:
    found = compared(stream(one()), bound({"f": "x"}), *looks(here, {"f": "new"}, {"f": "x"}))
    assert told(found) == [("f", PLANNED, f"changed on {here}")]
    decision = found[0].decision
    assert decision is not None
    assert (decision.base, decision.chosen, getattr(decision, here)) == ("x", "new", "new")
    owned = stream(one(owner=Owner(other(here))))
    back = compared(owned, bound({"f": "x"}), *looks(here, {"f": "new"}, {"f": "x"}))
    assert told(back) == [("f", PLANNED, f"put back: owned by {other(here)}")]


@MIRRORED
def test_a_foreign_edit_that_was_reported_is_a_recorded_reason(here: Side) -> None:
    spec = stream(one(owner=Owner(other(here)), foreign_edit=ForeignEdit.REPORT))
    now = looks(here, {"f": "new"}, {"f": "x"})
    verdict = plan_pair(spec, bound({"f": "x"}), *now, Context(now=NOW))
    assert told(compared(spec, verdict.binding, *now)) == [("f", EXPLAINED, "deviation: reported")]


@MIRRORED
def test_what_stands_in_a_room_names_the_room_and_what_is_to_be_listed_is_planned(here: Side) -> None:
    spec, binding = stream(one()), bound({"f": "x"})
    now = looks(here, {"f": "1"}, {"f": "2"})
    (row,) = plan_pair(spec, binding, *now, Context(now=NOW)).park
    assert told(compared(spec, binding, *now, row)) == [("f", PARKED, "conflict")]
    assert told(compared(spec, binding, *now)) == [("f", PLANNED, "conflict")]
    refused = Parked("customers", Room.QUARANTINE, 1, "too long")
    edited = looks(here, {"f": "1"}, {"f": "x"})
    assert told(compared(spec, binding, *edited, refused)) == [("f", PARKED, "quarantine")]


@MIRRORED
def test_a_field_of_a_record_with_lines_waits_with_whatever_of_it_waits(here: Side) -> None:
    """Found by seeds that change much: the record waits as a whole, and each other field of it was called a defect."""
    lines = msgspec.structs.replace(one("items"), lines=LinesSpec((one("article"),)))
    binding = bound({"f": "x", "g": "1"})
    now = looks(here, {"f": None, "g": "2"}, {"f": "x", "g": "1"})
    plain, whole = stream(one("f", required=True), one("g")), stream(one("f", required=True), one("g"), lines)
    (row,) = plan_pair(whole, binding, *now, Context(now=NOW)).park
    assert told(compared(whole, binding, *now, row)) == [("f", PARKED, "waiting"), ("g", PARKED, "waiting")]
    assert told(compared(whole, binding, *now)) == [("f", PLANNED, "waiting"), ("g", PLANNED, "waiting")]
    edited = f"changed on {here}"
    assert told(compared(plain, binding, *now, row)) == [("f", PARKED, "waiting"), ("g", PLANNED, edited)]


@MIRRORED
def test_what_is_written_once_is_listed_and_not_written(here: Side) -> None:
    spec = stream(one(), once=frozenset({other(here)}))
    found = compared(spec, bound({"f": "x"}), *looks(here, {"f": "new"}, {"f": "x"}))
    assert [(one.state, one.rule) for one in found] == [(PLANNED, "conflict")]
    assert "written once" in found[0].reason


@MIRRORED
def test_a_record_that_does_not_take_part_differs_because_of_its_gate(here: Side) -> None:
    spec = stream(one(), gates={here: Gate("on", ("yes",), then=Ineligible.DETACH)})
    a, b = looks(here, {"f": "new", "on": "no"}, {"f": "x", "on": "yes"})
    assert told(compared(spec, bound({"f": "x"}), a, b)) == [("f", EXPLAINED, "gate")]
    resting = bound({"f": "x"}, state=State.TOMBSTONE, note=f"{SHUT} on {here}")
    assert told(compared(spec, resting, a, b)) == [("f", EXPLAINED, "gate")]


@MIRRORED
def test_what_a_side_does_not_deliver_can_not_be_compared(here: Side) -> None:
    found = compared(stream(one()), bound({"f": "x"}), *looks(here, {"f": "x"}, {}))
    assert told(found) == [("f", EXPLAINED, "not delivered")]


@MIRRORED
def test_a_difference_that_nothing_is_going_to_change_is_a_defect(here: Side) -> None:
    a, b = looks(here, {"f": "x"}, {"f": "y"})
    binding = bound({"f": "x"})
    found = differences(stream(one()), binding, {"a": a, "b": b}, Verdict(binding))
    assert [(one.field, one.state, one.rule) for one in found] == [("f", DEFECT, "")]


@MIRRORED
@pytest.mark.parametrize(
    "policy, state, rule",
    [
        (DeletePolicy.IGNORE, EXPLAINED, "deletes: ignore"),
        (DeletePolicy.REMOVE, PLANNED, "deletes: remove"),
        (DeletePolicy.RESTORE, PLANNED, "deletes: restore"),
    ],
)
def test_a_record_that_is_gone_on_one_side(
    here: Side, policy: DeletePolicy, state: ActionState, rule: str
) -> None:
    spec = stream(one(), deletes=dict.fromkeys(SIDES, policy))
    left = seen(other(here), {"f": "x"})
    a, b = (gone("a"), left) if here == "a" else (left, gone("b"))
    assert told(compared(spec, bound({"f": "x"}), a, b)) == [(WHOLE, state, rule)]
    assert moved(spec, bound({"f": "x"}), {"a": a, "b": b}) == (here,)
    remembered = plan_pair(spec, bound({"f": "x"}), a, b, Context(now=NOW)).binding
    if policy is DeletePolicy.IGNORE:
        assert [(one.state, one.rule) for one in compared(spec, remembered, a, b)] == [(EXPLAINED, "deletes")]


@MIRRORED
def test_a_record_without_a_partner(here: Side) -> None:
    stranger = seen(here, {"f": "x"})
    half = half_binding(stream(one()), stranger, 0)
    may = stream(one(), creates=frozenset(SIDES))
    made = differences(may, half, {here: stranger}, plan_new(may, half, stranger, Context(now=NOW)))
    assert told(made) == [(WHOLE, PLANNED, f"new on {here}")]
    may_not = stream(one(), creates=frozenset({other(here)}))
    held = plan_new(may_not, half, stranger, Context(now=NOW))
    assert told(differences(may_not, half, {here: stranger}, held)) == [(WHOLE, EXPLAINED, "creates")]
    assert moved(may, half, {here: stranger}) == (here,)


def test_a_word_of_a_person_is_a_rule_too() -> None:
    fields: tuple[FieldSpec, ...] = (one(),)
    spec, binding = stream(*fields), bound({"f": "x"})
    a, b = seen("a", {"f": "1"}), seen("b", {"f": "2"})
    (row,) = plan_pair(spec, binding, a, b, Context(now=NOW)).park
    decided = Parked(
        "customers",
        Room.CONFLICT,
        1,
        row.reason,
        field="f",
        fingerprint=row.fingerprint,
        decision={"choose": "a"},
    )
    verdict = plan_pair(spec, binding, a, b, Context(now=NOW, parked=(decided,)))
    assert told(differences(spec, binding, {"a": a, "b": b}, verdict)) == [("f", PLANNED, f"{DECIDED}: a")]


@MIRRORED
def test_who_waits_for_a_record_of_another_stream_is_said_to_wait(here: Side) -> None:
    spec = stream(one(), requires=("tills",))
    alone = seen(here, {"f": "x"})
    half = msgspec.structs.replace(half_binding(spec, alone, 0), key=1)
    row = Parked("customers", Room.WAITING, 1, "tills 9 not in step yet")
    verdict = plan_new(spec, half, alone, Context(now=NOW, parked=(row,)))
    found = differences(spec, half, {here: alone}, verdict, (row,))
    assert [(one.state, one.rule, one.reason) for one in found] == [(PARKED, "waiting", row.reason)]
    assert told(differences(spec, half, {here: alone}, verdict)) == [(WHOLE, PLANNED, f"new on {here}")]
