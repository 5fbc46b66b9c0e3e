"""What takes a write back, on either side; why nothing does; and what the binding is afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.lenses import Same
from actors.core.mapping import NO_REFS
from actors.core.plan import Context, plan_pair
from actors.core.policy import DeletePolicy, FieldSide, FieldSpec, Owner, StreamSpec
from actors.core.settle import both_written, settle
from actors.core.types import SIDES, Action, Binding, Held, Observation, Op, Presence, Side, State, other
from actors.core.undo import UNDO, UNDONE, Undo, combined, done_by, undo
from tests.core.pairs import NOW, bound, gone, one, seen, stream

MIRRORED = pytest.mark.parametrize("here", SIDES)


def wrote(here: Side, op: Op = Op.UPDATE, **more: Any) -> Action:
    """A write of a run to `here`."""
    fields: dict[str, Any] = {"fields": {"f": "new"}, "before": {"f": "old"}} if op is Op.UPDATE else {}
    return Action("customers", here, op, 1, target=f"{here.upper()}1", **(fields | more))


def taken_back(spec: StreamSpec, done: Action, binding: Binding, *looks: Observation) -> Undo:
    return undo(spec, done, binding, {look.side: look for look in looks}, NO_REFS, "r1")


def settled_by(spec: StreamSpec, binding: Binding, action: Action, after: Observation | None) -> Binding:
    return settle(spec, binding, action, after, now=NOW, by_reply=True).binding


def quiet(spec: StreamSpec, binding: Binding, *looks: Observation) -> bool:
    at = {look.side: look for look in looks}
    verdict = plan_pair(spec, binding, at["a"], at["b"], Context(now=NOW))
    return not verdict.actions and not verdict.park


@MIRRORED
def test_an_update_goes_back_and_both_sides_differ_for_a_recorded_reason(here: Side) -> None:
    spec, binding = stream(one()), bound({"f": "new"})
    there = seen(other(here), {"f": "new"})
    action = taken_back(spec, wrote(here), binding, seen(here, {"f": "new"}), there).action
    assert action is not None
    assert (action.op, action.side, dict(action.native), action.rule) == (Op.UPDATE, here, {"f": "old"}, UNDO)
    assert action.seen_native == {"f": "new"}  # the precondition
    assert both_written(action) == frozenset()
    back = seen(here, {"f": "old"})
    after = settled_by(spec, binding, action, back)
    held = after.side(here)
    assert after.base == {"f": "new"} and held is not None and held.dev["f"].reason == UNDONE
    assert quiet(spec, after, back, there)
    edited = plan_pair(spec, after, *_ordered(back, seen(other(here), {"f": "newer"})), Context(now=NOW))
    assert [(one.side, one.fields) for one in edited.actions] == [(here, {"f": "newer"})]


def _ordered(*looks: Observation) -> tuple[Observation, Observation]:
    at = {look.side: look for look in looks}
    return at["a"], at["b"]


@MIRRORED
@pytest.mark.parametrize(
    "mine, theirs, base, said",
    [
        ("mine", "new", "new", "f was edited on {here} since"),
        ("new", "theirs", "new", "f was edited on {there} since"),
        ("newer", "newer", "newer", "f was written again since"),
        ("old", "new", "new", "it stands as it was before, on {here}"),
    ],
)
def test_what_does_not_stand_as_the_run_left_it_is_left(
    here: Side, mine: str, theirs: str, base: str, said: str
) -> None:
    found = taken_back(
        stream(one()),
        wrote(here),
        bound({"f": base}),
        seen(here, {"f": mine}),
        seen(other(here), {"f": theirs}),
    )
    assert found == Undo(said.format(here=here, there=other(here)))


@MIRRORED
@pytest.mark.parametrize(
    "rules, done, said",
    [
        ({"once": frozenset(SIDES)}, {}, "is written once"),
        ({}, {"before": {}}, "what was there before is not known: f"),
        ({}, {"fields": {}, "before": {}, "native": {"on": "x"}}, "there is no field to take back"),
        ({}, {"fields": {}, "before": {}}, "its values were erased"),
    ],
)
def test_what_can_not_be_taken_back_says_why(
    here: Side, rules: Mapping[str, Any], done: Mapping[str, Any], said: str
) -> None:
    write = msgspec.structs.replace(wrote(here), **done)
    binding, now = bound({"f": "new"}), (seen("a", {"f": "new"}), seen("b", {"f": "new"}))
    found = taken_back(stream(one(), **rules), write, binding, *now)
    assert found.action is None and said in found.reason
    missing = taken_back(stream(one()), wrote(here), binding, gone(here), seen(other(here), {"f": "new"}))
    assert missing == Undo(f"the record is gone on {here}")


@MIRRORED
def test_a_field_that_the_rules_no_longer_keep_in_step_is_named_and_the_others_go_back(here: Side) -> None:
    """Found by changing the rules between a run and its undo: `g` stayed as it was, and nobody was told; where the record
    had been deleted, the undo fell over."""
    fields: dict[str, Any] = {"fields": {"f": "new", "g": "newer"}, "before": {"f": "old", "g": "older"}}
    now, binding = {"f": "new"}, bound({"f": "new"})
    left = "the rules do not keep it in step any more: g"
    for spec in (stream(one()), stream(one(), local_on(here, "g"))):
        found = taken_back(spec, wrote(here, **fields), binding, seen(here, now), seen(other(here), now))
        assert found.action is not None and (dict(found.action.native), found.left) == ({"f": "old"}, left)
    gone_field = wrote(here, fields={"g": "newer"}, before={"g": "older"})
    assert taken_back(stream(one()), gone_field, binding, seen(here, now)) == Undo(left)
    made_again = wrote(here, Op.DELETE, fields={}, before={"f": "x", "g": "y"})
    dead = Held(f"{here.upper()}1", presence=Presence.DELETED)
    tombstone = bound({"f": "x"}, state=State.TOMBSTONE).with_side(here, dead)
    again = taken_back(stream(one()), made_again, tombstone, gone(here))
    assert again.action is not None and (dict(again.action.native), again.left) == ({"f": "x"}, left)


def local_on(side: Side, name: str) -> FieldSpec:
    """A field of that side alone."""
    place = FieldSide((name,), Same())
    a, b = (place if at == side else None for at in SIDES)
    return FieldSpec(name, a=a, b=b, owner=Owner.LOCAL)


@MIRRORED
def test_a_create_is_undone_by_a_delete_that_the_rules_allow_and_it_is_not_made_again(here: Side) -> None:
    there, binding = other(here), bound({"f": "x"})
    made = wrote(here, Op.CREATE, fields={"f": "x"})
    now = seen("a", {"f": "x"}), seen("b", {"f": "x"})
    rules = {"deletes": {there: DeletePolicy.REMOVE, here: DeletePolicy.IGNORE}}
    spec = stream(one(), **rules)
    action = taken_back(spec, made, binding, *now).action
    assert action is not None and (action.op, action.side) == (Op.DELETE, here)
    after = settled_by(spec, binding, action, None)
    assert after.state is State.TOMBSTONE
    assert quiet(spec, after, gone(here), seen(there, {"f": "x"}))
    put_back = stream(one(), deletes={there: DeletePolicy.REMOVE, here: DeletePolicy.RESTORE})
    assert "put back" in taken_back(put_back, made, binding, *now).reason
    for policy in (DeletePolicy.IGNORE, DeletePolicy.MARK, DeletePolicy.RESTORE):
        other_rules = stream(one(), deletes={there: policy, here: DeletePolicy.IGNORE})
        assert f"deletes.{there} is {policy.value}" in taken_back(other_rules, made, binding, *now).reason
    changed = taken_back(spec, made, bound({"f": "y"}), seen("a", {"f": "y"}), seen("b", {"f": "y"}))
    assert changed == Undo("f was changed since")


@MIRRORED
def test_a_delete_is_undone_by_making_it_again_and_it_stays(here: Side) -> None:
    there, binding = other(here), bound({"f": "x"}, state=State.TOMBSTONE)
    gone_there = msgspec.structs.replace(
        binding, a=Held("A1", presence=Presence.DELETED), b=Held("B1", presence=Presence.DELETED)
    )
    done = wrote(here, Op.DELETE, before={"f": "x"}, seen_native={"f": "x"})
    spec = stream(one(), deletes=dict.fromkeys(SIDES, DeletePolicy.REMOVE))
    action = taken_back(spec, done, gone_there, gone(here), gone(there)).action
    assert action is not None
    assert (action.op, action.side, dict(action.native)) == (Op.CREATE, here, {"f": "x"})
    made = Observation(here, "new", 0.0, fields={"f": "x"}, native={"f": "x"})
    after = settled_by(spec, gone_there, action, made)
    held = after.side(here)
    assert held is not None and (after.state, held.id) == (State.TOMBSTONE, "new")
    assert quiet(spec, after, made, gone(there))
    again = taken_back(spec, done, gone_there, gone(here), seen(there, {"f": "x"}))
    assert again.action is None and f"there again on {there}" in again.reason


@MIRRORED
def test_several_writes_of_a_run_to_one_record_are_taken_back_together(here: Side) -> None:
    spec = stream(one(), one("g"))
    first = wrote(here, fields={"f": "1"}, before={"f": "0"})
    second = wrote(here, fields={"f": "2", "g": "y"}, before={"f": "1", "g": "x"})
    done = combined(spec, [first, second])
    assert (done.fields, done.before) == ({"f": "2", "g": "y"}, {"f": "0", "g": "x"})
    now = {"f": "2", "g": "y"}
    action = taken_back(spec, done, bound(now), seen("a", now), seen("b", now)).action
    assert action is not None and dict(action.fields) == {"f": "0", "g": "x"}
    made = combined(spec, [wrote(here, Op.CREATE), second])
    assert made.op is Op.CREATE


@MIRRORED
@pytest.mark.parametrize("op", [Op.UPDATE, Op.CREATE, Op.DELETE])
def test_what_was_planned_tells_what_it_takes_back_so_that_it_can_be_derived_once_more(
    here: Side, op: Op
) -> None:
    spec = stream(one(), deletes=dict.fromkeys(SIDES, DeletePolicy.REMOVE))
    now: tuple[Observation, Observation] = seen("a", {"f": "new"}), seen("b", {"f": "new"})
    binding, done = bound({"f": "new"}), wrote(here, op)
    if op is Op.CREATE:
        done = wrote(here, op, fields={"f": "new"})
    if op is Op.DELETE:
        binding, now = msgspec.structs.replace(binding, state=State.TOMBSTONE), (gone("a"), gone("b"))
        done = wrote(here, op, before={"f": "new"}, seen_native={"f": "new"})
    planned = taken_back(spec, done, binding, *now).action
    assert planned is not None
    again = taken_back(spec, done_by(spec, planned), binding, *now).action
    assert again is not None and again.fingerprint == planned.fingerprint
