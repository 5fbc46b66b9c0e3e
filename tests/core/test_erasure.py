"""Erasing: values go, and the planner goes on from hashes as it did from values."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.assume import assumed
from actors.core.conditions import Condition
from actors.core.conditions import Test as Asks
from actors.core.erasure import ERASED, forget, is_hashed, of_action, of_parked
from actors.core.plan import Context, differs, plan_pair
from actors.core.policy import Owner, OwnerCase
from actors.core.types import SIDES, Action, FieldDecision, Op, Parked, Room, Side, other
from actors.core.values import Erased, decode, encode, erased, same
from tests.core.pairs import NOW, bound, one, seen, stream

SALT = "5a17"
MIRRORED = pytest.mark.parametrize("here", SIDES)


@pytest.mark.parametrize("value", ["x", "", None, True, False, 0, 1, ("a", "b"), ()])
def test_an_erased_value_is_known_again_and_tells_nothing(value: Any) -> None:
    gone = erased(value, SALT)
    assert same(gone, value) and same(value, gone) and same(gone, gone)
    others = [other for other in ("y", "X", None, True, 1, 0, ("a",)) if not same(other, value)]
    assert not any(same(gone, other) for other in others)
    assert decode(encode({"f": gone})) == {"f": gone}
    assert erased(gone, "other") == gone  # it can't be erased twice
    assert not same(erased(value, "other"), gone)  # two records tell nothing about each other


@MIRRORED
def test_nobody_is_asked_and_nothing_is_written_until_somebody_edits(here: Side) -> None:
    spec = stream(one(), one("g"))
    binding = forget(spec, bound({"f": "x", "g": 1}, b_dev={"g": 2}), SALT)
    assert binding.base == {} and is_hashed(binding)
    text = encode(
        {name: dev.value for held in (binding.a, binding.b) if held for name, dev in held.dev.items()}
    )
    assert '"x"' not in text
    a, b = seen("a", {"f": "x", "g": 1}), seen("b", {"f": "x", "g": 2})
    assert not differs(spec, binding, a) and not differs(spec, binding, b)
    verdict = plan_pair(spec, binding, a, b, Context(now=NOW))
    assert (verdict.actions, verdict.park, verdict.binding.base) == ((), (), {})
    new = {"f": "new", "g": 1 if here == "a" else 2}
    edited = seen(here, new)
    assert differs(spec, binding, edited)
    looks = (edited, b) if here == "a" else (a, edited)
    (action,) = plan_pair(spec, binding, *looks, Context(now=NOW)).actions
    assert (action.side, dict(action.fields)) == (other(here), {"f": "new"})


def test_two_edits_of_an_erased_field_are_a_conflict_as_ever() -> None:
    spec = stream(one())
    binding = forget(spec, bound({"f": "x"}), SALT)
    verdict = plan_pair(spec, binding, seen("a", {"f": "1"}), seen("b", {"f": "2"}), Context(now=NOW))
    assert [row.reason for row in verdict.park] == ["changed on both sides"]


def test_a_list_that_is_merged_goes_on() -> None:
    spec = stream(one(as_set=True))
    binding = forget(spec, bound({"f": ("a",)}), SALT)
    looks = seen("a", {"f": ("a", "b")}), seen("b", {"f": ("a", "c")})
    verdict = plan_pair(spec, binding, *looks, Context(now=NOW))
    assert {action.side: action.fields["f"] for action in verdict.actions} == dict.fromkeys(
        SIDES, ("a", "b", "c")
    )


def test_no_write_is_planned_on_what_is_known_as_a_hash_without_a_look() -> None:
    spec = stream(one())
    edited = seen("a", {"f": "new"})
    assert assumed(spec, bound({"f": "x"}), edited) is not None
    assert assumed(spec, forget(spec, bound({"f": "x"}), SALT), edited) is None


def test_what_owners_depend_on_is_settled_anew_and_then_decides_again() -> None:
    case = OwnerCase(Owner.A, (Condition("kind", Asks.IS, ("client",)),))
    spec = stream(one("kind"), one("f", owner_cases=(case,)))
    binding = forget(spec, bound({"kind": "client", "f": "x"}), SALT)
    held = binding.a
    assert held is not None and set(held.dev) == {"f"}
    a, b = seen("a", {"kind": "client", "f": "x"}), seen("b", {"kind": "client", "f": "mine"})
    verdict = plan_pair(spec, binding, a, b, Context(now=NOW))
    assert verdict.binding.base.get("kind") == "client"
    assert [(action.side, dict(action.fields)) for action in verdict.actions] == [("b", {"f": "x"})]


def test_lines_of_the_protocol_and_of_rooms_keep_what_names_nobody() -> None:
    decision = FieldDecision("name", "changed on a", "Grete", base="G", a="Grete", b="G")
    line = Action(
        "customers",
        "b",
        Op.UPDATE,
        7,
        rule="changed on a",
        reason="because of Grete",
        target="B1",
        origin="A1",
        fields={"name": "Grete"},
        before={"name": "G"},
        native={"NAME": "Grete"},
        seen_native={"NAME": "G"},
        decisions=(decision,),
        error="Grete is too long",
        fingerprint="f" * 32,
        kinds=("overwrites",),
        id=3,
    )
    bare = of_action(line)
    assert "Grete" not in repr(bare) and (bare.target, bare.origin) == ("", "")
    assert (bare.id, bare.binding, bare.op, bare.rule) == (3, 7, Op.UPDATE, "changed on a")
    assert (bare.fingerprint, bare.kinds, bare.error) == (line.fingerprint, line.kinds, ERASED)
    assert [(one.field, one.rule) for one in bare.decisions] == [("name", "changed on a")]
    row = Parked(
        "customers",
        Room.CONFLICT,
        7,
        "Grete differs",
        field="name",
        record="A1",
        detail={"a": {"name": "Grete"}},
        fingerprint="x",
        decision={"choose": "value", "value": "Grete"},
    )
    parked = of_parked(row)
    assert "Grete" not in repr(parked) and parked.record == ""
    assert (parked.room, parked.field, parked.fingerprint) == (Room.CONFLICT, "name", "x")


def test_an_erased_value_has_no_other_form() -> None:
    assert erased("x", SALT) == Erased(SALT, erased("x", SALT).digest)
