"""The planner on one pair: the whole table of deletions, new records, refused and contested writes, fresh eyes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.contests import DAY_S
from actors.core.lenses import Length
from actors.core.newcomer import is_to_be_put_back, seen_again
from actors.core.plan import (
    RESTORE,
    Context,
    Verdict,
    differs,
    fresh,
    half_binding,
    newcomer_state,
    plan_new,
    plan_pair,
)
from actors.core.policy import DeleteEdit, DeletePolicy, FieldSpec, FirstContact, Owner, StreamSpec
from actors.core.types import (
    SIDES,
    ActionState,
    Binding,
    Held,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.values import Value
from tests.core.pairs import NOW, bound, gone, mirrored_binding, one, place, seen, stream

MARKS: dict[str, Mapping[str, Value]] = {"a": {"state": "deleted"}, "b": {"state": "deleted"}}

# Deleted on one side, there on the other; the binding was settled and nobody knew of the deletion before.
ONE_GONE = """
policy  | edited | against edit | decision | outcome
ignore  | any    | any          | any      | left
restore | any    | any          | any      | restored
any     | yes    | any          | keep     | kept
any     | yes    | any          | restore  | restored
any     | yes    | any          | left     | restored
mark    | yes    | any          | remove   | marked
remove  | yes    | any          | remove   | removed
any     | yes    | keep         | none     | listed
any     | yes    | restore      | none     | restored
mark    | any    | any          | none     | marked
remove  | any    | any          | none     | removed
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in ONE_GONE.strip().splitlines()[1:]]


def right(*case: str) -> str:
    """The outcome of the first row that fits."""
    return next(row[-1] for row in ROWS if all(w in ("any", is_) for w, is_ in zip(row, case, strict=False)))


def outcome(verdict: Verdict, left: Side) -> str:
    """A verdict in the words of the table; anything that fits no word is told as it is."""
    done = [(action.side, action.op) for action in verdict.actions]
    rooms = [(row.room, row.field) for row in verdict.park]
    tomb = verdict.binding.state is State.TOMBSTONE
    if verdict.binding.state is State.NEW and verdict.binding.side(other(left)) is None and not done:
        return "restored"  # what is left is a newcomer again, to be matched or created
    words: dict[Any, str] = {
        ((left, Op.DELETE), None, False, 0): "removed",
        ((left, Op.MARK), None, False, 0): "marked",
        (None, (Room.CONFLICT, "*delete*"), False, 0): "listed",
        (None, None, True, 1): "left",
        (None, None, True, 0): "kept",
    }
    assert len(done) <= 1 and len(rooms) <= 1
    shape = (done[0] if done else None, rooms[0] if rooms else None, tomb, len(verdict.items))
    return words.get(shape, str(shape))


def rules(policy: str, against_edit: str = "keep") -> StreamSpec:
    return stream(
        one("f"),
        one("state", owner=Owner.LOCAL),
        deletes={"a": DeletePolicy(policy), "b": DeletePolicy(policy)},
        delete_vs_edit=DeleteEdit(against_edit),
        mark=MARKS,
    )


def decided(spec: StreamSpec, looks: Mapping[Side, Observation], choose: str) -> tuple[Parked, ...]:
    """The decision of a person on the deletion as it was listed."""
    listed = msgspec.structs.replace(spec, delete_vs_edit=DeleteEdit.KEEP)
    for policy in ("remove", "mark"):
        both = {side: DeletePolicy(policy) for side in SIDES}
        verdict = plan_pair(
            msgspec.structs.replace(listed, deletes=both),
            bound({"f": "x"}),
            looks["a"],
            looks["b"],
            Context(NOW),
        )
        return tuple(msgspec.structs.replace(row, decision={"choose": choose}) for row in verdict.park)
    return ()


CASES = [
    case
    for case in itertools.product(
        [policy.value for policy in DeletePolicy],
        ["yes", "no"],
        [rule.value for rule in DeleteEdit],
        ["none", "keep", "restore", "remove", "left"],
    )
    if case[1] == "yes" or case[3] == "none"
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_deleted_on_one_side(case: tuple[str, str, str, str], side: Side) -> None:
    policy, edited, against_edit, decision = case
    left = other(side)
    spec = rules(policy, against_edit)
    looks = {side: gone(side), left: seen(left, {"f": "edited" if edited == "yes" else "x", "state": "ok"})}
    choose = left if decision == "left" else decision
    parked = decided(spec, looks, choose) if decision != "none" else ()
    verdict = plan_pair(spec, bound({"f": "x"}), looks["a"], looks["b"], Context(NOW, parked=parked))
    assert outcome(verdict, left) == right(policy, edited, against_edit, decision)
    held = verdict.binding.side(side)
    if outcome(verdict, left) == "restored":
        assert held is None and verdict.binding.side(left) is not None
    else:
        assert held is not None and held.presence is Presence.DELETED


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("policy", [policy.value for policy in DeletePolicy])
def test_a_tombstone_rests_whatever_the_other_side_does(policy: str, side: Side) -> None:
    left = other(side)
    tomb = bound({"f": "x"}, state=State.TOMBSTONE)
    held = {side: Held(side.upper() + "1", presence=Presence.DELETED)}
    tomb = msgspec.structs.replace(tomb, **held)
    looks = {side: gone(side), left: seen(left, {"f": "edited", "state": "ok"})}
    verdict = plan_pair(rules(policy), tomb, looks["a"], looks["b"], Context(NOW))
    if policy == "restore":
        assert outcome(verdict, left) == "restored"
    else:
        assert (verdict.actions, verdict.park, verdict.items) == ((), (), ())
        assert verdict.binding == tomb


@pytest.mark.parametrize("policy", [policy.value for policy in DeletePolicy])
def test_deleted_on_both_sides_is_remembered_and_nothing_is_written(policy: str) -> None:
    verdict = plan_pair(rules(policy), bound({"f": "x"}), gone("a"), gone("b"), Context(NOW))
    assert verdict.binding.state is State.TOMBSTONE
    assert (verdict.actions, verdict.park) == ((), ())


@pytest.mark.parametrize("state", [State.TOMBSTONE, State.SETTLED])
def test_a_record_that_is_back_is_kept_in_step_again(state: State) -> None:
    tomb = bound({"f": "x"}, state=state)
    tomb = msgspec.structs.replace(tomb, a=Held("A1", presence=Presence.DELETED))
    verdict = plan_pair(rules("remove"), tomb, seen("a", {"f": "x"}), seen("b", {"f": "new"}), Context(NOW))
    assert verdict.binding.state is State.SETTLED
    assert [(action.side, action.op, dict(action.fields)) for action in verdict.actions] == [
        ("a", Op.UPDATE, {"f": "new"})
    ]


@pytest.mark.parametrize("back", SIDES)
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("policy", [policy.value for policy in DeletePolicy])
def test_deleted_on_both_sides_and_back_on_one_it_is_put_back_where_the_rule_says_so(
    policy: str, reused: bool, back: Side
) -> None:
    """Seeds 2954, 5101, 6353: while one record was hidden, the other one was deleted, and nobody could put that back. When
    the first was shown again, it stayed alone where the blueprint lets nobody be made of newcomers. (An id that may have
    been given to another record says nothing of the old one.)"""
    gone_on = other(back)
    spec = msgspec.structs.replace(rules(policy), creates=frozenset[Side]())
    tomb = bound({"f": "x"}, state=State.TOMBSTONE)
    both = {
        side: msgspec.structs.replace(held, presence=Presence.DELETED)
        for side in SIDES
        if (held := tomb.side(side)) is not None
    }
    tomb = msgspec.structs.replace(tomb, **both)
    looks = {gone_on: gone(gone_on), back: seen(back, {"f": "now", "state": "ok"})}
    ctx = Context(NOW, reused=frozenset({back}) if reused else frozenset())
    verdict = plan_pair(spec, tomb, looks["a"], looks["b"], ctx)
    assert (verdict.binding.state, verdict.binding.base) == (State.NEW, {})
    made = plan_new(spec, verdict.binding, looks[back], ctx).actions
    restores = policy == "restore" and not reused
    told = [(one.side, one.op, dict(one.fields)) for one in made]
    assert told == ([(gone_on, Op.CREATE, {"f": "now"})] if restores else [])


@pytest.mark.parametrize("presence", [Presence.UNSEEN, Presence.OUT_OF_SCOPE])
@pytest.mark.parametrize("policy", [policy.value for policy in DeletePolicy])
def test_only_a_deletion_is_a_deletion(policy: str, presence: Presence) -> None:
    verdict = plan_pair(
        rules(policy), bound({"f": "x"}), gone("a", presence), seen("b", {"f": "x"}), Context(NOW)
    )
    assert verdict.actions == ()
    assert verdict.binding.state is State.SETTLED


def test_a_mark_that_stands_already_is_not_written_again() -> None:
    look = seen("b", {"f": "x", "state": "deleted"})
    verdict = plan_pair(rules("mark"), bound({"f": "x"}), gone("a"), look, Context(NOW))
    assert (verdict.actions, verdict.binding.state) == ((), State.TOMBSTONE)


def test_a_delete_names_everything_that_goes_with_it_and_what_it_was_seen_as() -> None:
    look = seen("b", {"f": "x", "state": "ok"}, version="7")
    (action,) = plan_pair(rules("remove"), bound({"f": "x"}), gone("a"), look, Context(NOW)).actions
    assert dict(action.before) == {"f": "x", "state": "ok"}
    assert (dict(action.seen_native), action.version) == (dict(look.native), "7")
    assert action.kinds == ("deletes",)


def test_nothing_is_deleted_while_a_field_of_it_is_not_delivered() -> None:
    """It may hold an edit that nobody has seen (found by the simulation)."""
    spec = stream(one("f"), one("g"), deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE})
    binding = bound({"f": "1", "g": "2"})
    verdict = plan_pair(spec, binding, gone("a"), seen("b", {"f": "1"}), Context(NOW))
    assert not verdict.actions and verdict.again_s > 0
    assert [(row.room, row.reason) for row in verdict.park] == [(Room.WAITING, "not delivered: b.g")]
    whole = plan_pair(spec, binding, gone("a"), seen("b", {"f": "1", "g": "2"}), Context(NOW))
    assert [action.op for action in whole.actions] == [Op.DELETE]


@pytest.mark.parametrize(
    "was, now, kinds",
    [
        (("x",), (), ("clears",)),
        (("x",), ("x", "y"), ("overwrites",)),
        ((), ("x",), ()),
        (None, ("x",), ()),
        ("", "x", ("overwrites",)),  # a blank text is a text
        ("x", "", ("overwrites",)),
    ],
)
def test_a_list_that_turns_empty_is_cleared_and_an_empty_one_is_not_overwritten(
    was: Value, now: Value, kinds: tuple[str, ...]
) -> None:
    """The emptied lists of seed 780378 counted as overwritten, of which a link may do a lot."""
    looks = seen("a", {"tags": now}), seen("b", {"tags": was})
    (action,) = plan_pair(stream(one("tags")), bound({"tags": was}), *looks, Context(NOW)).actions
    assert action.kinds == kinds


def test_an_update_carries_what_it_replaces_and_what_it_was_seen_on() -> None:
    spec = stream(one("f"), one("g"))
    looks = seen("a", {"f": "new", "g": None}), seen("b", {"f": "old", "g": "G"}, version="7")
    (action,) = plan_pair(spec, bound({"f": "old", "g": "G"}), *looks, Context(NOW)).actions
    assert (action.side, action.target, action.origin) == ("b", "B1", "A1")
    assert dict(action.fields) == dict(action.native) == {"f": "new", "g": None}
    assert dict(action.before) == dict(action.seen_native) == {"f": "old", "g": "G"}
    assert (action.version, action.kinds) == ("7", ("overwrites", "clears"))
    assert {d.field: (d.base, d.a, d.b, d.chosen) for d in action.decisions} == {
        "f": ("old", "new", "old", "new"),
        "g": ("G", None, "G", None),
    }


# ------------------------------------------------------------------------------------------------ new records

NUMBER = FieldSpec("number", place("no"), place("no"), owner=Owner.B)


def half(look: Observation, spec: StreamSpec) -> Binding:
    return msgspec.structs.replace(half_binding(spec, look, 1), key=1)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("creates", [frozenset[Side](), frozenset[Side]({"a"}), frozenset[Side]({"b"})])
def test_a_new_record_is_created_only_from_the_sides_that_may(side: Side, creates: frozenset[Side]) -> None:
    spec = stream(one("f"), creates=creates)
    look = seen(side, {"f": "x"})
    verdict = plan_new(spec, half(look, spec), look, Context(NOW))
    if side in creates:
        (action,) = verdict.actions
        assert (action.side, action.op, dict(action.fields)) == (other(side), Op.CREATE, {"f": "x"})
        assert action.kinds == ("creates",)
    else:
        assert verdict.actions == ()
        assert verdict.binding.state is State.HELD_BACK
        assert [item.state for item in verdict.items] == [ActionState.PARKED]


def test_what_the_target_owns_is_not_told_to_it_on_create() -> None:
    spec = stream(one("f"), NUMBER)
    look = seen("a", {"f": "x", "number": 5})
    (action,) = plan_new(spec, half(look, spec), look, Context(NOW)).actions
    assert dict(action.fields) == {"f": "x"}
    assert dict(action.native) == {"f": "x"}


def test_a_new_record_waits_for_what_it_needs() -> None:
    spec = stream(one("f", required=True), one("g"))
    cases = (
        ({"f": None, "g": "x"}, "needs f"),
        ({"f": "", "g": "x"}, "needs f"),
        ({"g": "x"}, "not delivered: a.f"),
    )
    for fields, reason in cases:
        look = seen("a", fields)
        verdict = plan_new(spec, half(look, spec), look, Context(NOW))
        assert verdict.actions == ()
        assert [(row.room, row.reason) for row in verdict.park] == [(Room.WAITING, reason)]


def test_nothing_is_written_over_what_was_not_seen() -> None:
    spec = stream(one("f"), one("g"))
    looks = seen("a", {"f": "new", "g": "new"}), seen("b", {"g": "old"})
    verdict = plan_pair(spec, bound({"f": "old", "g": "old"}), *looks, Context(NOW))
    assert [dict(action.fields) for action in verdict.actions] == [{"g": "new"}]
    assert [(row.room, row.reason) for row in verdict.park] == [(Room.WAITING, "not delivered: b.f")]
    assert verdict.again_s > 0


def test_a_newcomer_whose_match_key_is_not_delivered_can_not_be_matched_yet() -> None:
    spec = stream(one("f"), one("g"), match=(("f",), ("g",)))
    looks = seen("a", {"f": "x"}), seen("a", {"f": "x", "g": None})
    assert [newcomer_state(spec, look) for look in looks] == [State.UNSURE, State.NEW]
    assert half_binding(spec, looks[0], 1).state is State.UNSURE
    unreadable = msgspec.structs.replace(looks[0], problem="field g: not a number")
    assert newcomer_state(spec, unreadable) is State.NEW


def test_a_record_that_is_put_back_is_made_of_what_both_sides_had_been_settled_on() -> None:
    policy = {"a": DeletePolicy.IGNORE, "b": DeletePolicy.RESTORE}
    spec = stream(one("f"), one("g"), NUMBER, deletes=policy, creates=frozenset[Side]())
    binding = bound({"f": "x", "g": "whole", "number": 5}, a_dev={"g": "who"})
    left = seen("a", {"f": "new", "g": "who", "number": 5})
    verdict = plan_pair(spec, binding, left, gone("b"), Context(NOW))
    assert (verdict.actions, verdict.binding.state, verdict.binding.note) == ((), State.NEW, RESTORE)
    assert (verdict.binding.b, verdict.binding.key) == (None, binding.key)
    (action,) = plan_new(spec, verdict.binding, left, Context(NOW)).actions
    assert (action.side, action.op) == ("b", Op.CREATE)
    assert dict(action.fields) == {"f": "new", "g": "whole", "number": 5}


def test_a_new_record_that_is_gone_again_leaves_nothing() -> None:
    spec = stream(one("f"))
    verdict = plan_new(spec, half(seen("a", {"f": "x"}), spec), gone("a"), Context(NOW))
    assert verdict.drop and not verdict.actions


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("side", SIDES)
def test_what_is_to_be_put_back_and_gone_itself_waits_unless_its_id_may_be_given_away(
    side: Side, reused: bool
) -> None:
    spec = stream(one("f"))
    ctx = Context(NOW, reused=frozenset({side}) if reused else frozenset())
    waits = msgspec.structs.replace(half(seen(side, {"f": "x"}), spec), note=RESTORE)
    verdict = plan_new(spec, waits, gone(side), ctx)
    assert (verdict.drop, is_to_be_put_back(verdict.binding)) == (reused, not reused)
    again = seen_again(spec, verdict.binding, seen(side, {"f": "y"}))
    assert (again.state, again.note, again.keys) == (State.NEW, RESTORE, waits.keys)


# ------------------------------------------------------------------------------- refused, unreadable, contested


def refused(verdict: Verdict, decision: Mapping[str, Any] | None = None) -> Context:
    """A context in which the system refused what the verdict wanted."""
    (action,) = verdict.actions
    row = Parked(
        "customers",
        Room.QUARANTINE,
        1,
        "price below cost",
        fingerprint=action.fingerprint,
        decision=decision,
    )
    return Context(NOW, parked=(row,))


def test_what_a_system_refused_is_tried_again_only_when_something_changed_or_a_person_says_so() -> None:
    spec = stream(one("f"))
    binding, b = bound({"f": "old"}), seen("b", {"f": "old"})
    first = plan_pair(spec, binding, seen("a", {"f": "new"}), b, Context(NOW))
    again = plan_pair(spec, binding, seen("a", {"f": "new"}), b, refused(first))
    assert again.actions == ()
    assert [row.reason for row in again.park] == ["price below cost"]
    edited = plan_pair(spec, binding, seen("a", {"f": "newer"}), b, refused(first))
    assert len(edited.actions) == 1 and edited.park == ()
    retried = plan_pair(spec, binding, seen("a", {"f": "new"}), b, refused(first, {"choose": "retry"}))
    assert len(retried.actions) == 1


@pytest.mark.parametrize(
    "problem, room",
    [("field f: not a number", Room.QUARANTINE), ("waits: customers C7 is not in step", Room.WAITING)],
)
def test_a_record_that_cannot_be_read_is_parked_and_nothing_is_planned(problem: str, room: Room) -> None:
    for side in SIDES:
        looks = {s: seen(s, {"f": "new"}) for s in SIDES}
        looks[side] = msgspec.structs.replace(looks[side], problem=problem)
        verdict = plan_pair(stream(one("f")), bound({"f": "old"}), looks["a"], looks["b"], Context(NOW))
        assert verdict.actions == ()
        assert [(row.room, row.side) for row in verdict.park] == [(room, side)]
        assert verdict.binding == bound({"f": "old"})


def test_a_field_that_something_keeps_changing_back_goes_to_the_list() -> None:
    spec = stream(one("f"), one("g"))
    looks = seen("a", {"f": "new", "g": "new"}), seen("b", {"f": "back", "g": "old"})
    base = {"f": "back", "g": "old"}
    for count, age_s, listed in ((2, 0.0, False), (3, 0.0, True), (3, DAY_S, False)):
        binding = bound(base, contests={"b.f": (count, NOW - age_s), "a.f": (9, NOW)})
        verdict = plan_pair(spec, binding, *looks, Context(NOW, breaker=3))
        (action,) = verdict.actions
        assert dict(action.fields) == ({"g": "new"} if listed else {"f": "new", "g": "new"})
        assert [row.field for row in verdict.park] == (["f"] if listed else [])


def test_a_value_that_a_side_cannot_show_better_is_settled_without_a_write() -> None:
    spec = stream(one("f", b=Length(4)))
    looks = seen("a", {"f": "Elisabeth"}), seen("b", {"f": "Elis"})
    verdict = plan_pair(spec, bound({"f": "Elis"}), *looks, Context(NOW))
    assert verdict.actions == ()
    assert verdict.binding.base == {"f": "Elisabeth"}
    assert verdict.binding.b is not None and verdict.binding.b.dev["f"].reason == "lossy"
    assert plan_pair(spec, verdict.binding, *looks, Context(NOW)).binding == verdict.binding


@pytest.mark.parametrize("blank", [None, ""])
@pytest.mark.parametrize("side", SIDES)
def test_what_is_required_is_never_emptied_and_takes_its_group_with_it(side: Side, blank: Value) -> None:
    """The other fields go; the emptied one waits, and nothing of it is settled."""
    spec = stream(one("f", required=True, group="u"), one("g", group="u"), one("h"))
    binding = bound({"f": "x", "g": "1", "h": "1"})
    looks = {s: seen(s, {"f": "x", "g": "1", "h": "1"}) for s in SIDES}
    looks[side] = seen(side, {"f": blank, "g": "2", "h": "2"})
    verdict = plan_pair(spec, binding, looks["a"], looks["b"], Context(NOW))
    (action,), (row,) = verdict.actions, verdict.park
    assert (action.side, action.fields) == (other(side), {"h": "2"})
    assert (row.room, row.field, row.side) == (Room.WAITING, "group u", side)
    assert verdict.binding.base == binding.base
    looks[side] = seen(side, {"f": "y", "g": "2", "h": "1"})
    verdict = plan_pair(spec, binding, looks["a"], looks["b"], Context(NOW, parked=(row,)))
    assert verdict.actions[0].fields == {"f": "y", "g": "2"} and not verdict.park


@pytest.mark.parametrize("empty", SIDES)
def test_at_first_contact_what_is_required_is_not_emptied_either(empty: Side) -> None:
    spec = stream(one("f", required=True), first_contact=FirstContact(empty))
    looks = {s: seen(s, {"f": None if s == empty else "x"}) for s in SIDES}
    verdict = plan_pair(spec, bound({}, state=State.MATCHED), looks["a"], looks["b"], Context(NOW))
    assert not verdict.actions and [row.field for row in verdict.park] == ["f"]


# -------------------------------------------------------------------------------------------------- fresh eyes


def test_a_look_asked_for_before_our_own_last_write_proves_nothing() -> None:
    look = msgspec.structs.replace(seen("a", {"f": "x"}), asked=100.0)
    assert fresh(look, None, 5.0)
    assert [fresh(look, wrote, 0.0) for wrote in (99.9, 100.0, 100.1)] == [True, False, False]
    assert [fresh(look, wrote, 5.0) for wrote in (94.9, 95.0, 99.0)] == [True, False, False]


def test_an_echo_shows_nothing_new() -> None:
    spec, binding = stream(one("f")), bound({"f": "x"}, b_dev={"f": "X"})
    assert not differs(spec, binding, seen("a", {"f": "x"}))
    assert not differs(spec, binding, seen("b", {"f": "X"}))
    assert not differs(spec, binding, seen("b", {}))
    assert differs(spec, binding, seen("b", {"f": "x"}))
    assert differs(spec, binding, gone("a"))
    assert differs(spec, bound({"f": "x"}, state=State.MATCHED), seen("a", {"f": "x"}))
    assert mirrored_binding(mirrored_binding(binding)) == binding
