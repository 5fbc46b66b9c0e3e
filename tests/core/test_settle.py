"""What a finished write means: every way in which a side can show something else than was sent, by reply or found later."""

from __future__ import annotations

import msgspec
import pytest

from actors.core.contests import DAY_S
from actors.core.lenses import Length
from actors.core.plan import Context, plan_pair
from actors.core.policy import FieldSpec, Lens, Owner, StreamSpec
from actors.core.settle import Settled, resolve, settle
from actors.core.types import Action, Binding, Observation, Op, Presence, State
from actors.core.values import UNKNOWN, Seen, Value
from tests.core.pairs import NOW, bound, gone, one, place, seen, stream


def update(spec: StreamSpec, binding: Binding, before: Value, sent: Value) -> Action:
    """The write of A's `sent` over B's `before`."""
    (action,) = plan_pair(
        spec, binding, seen("a", {"f": sent}), seen("b", {"f": before}), Context(NOW)
    ).actions
    return action


def after(
    shows: Seen, *, by_reply: bool, lens: Lens | None = None, owner: Owner = Owner.BOTH
) -> tuple[Settled, str]:
    """Settle "old" -> "newer" on B, which shows `shows` afterwards; and the reason recorded for B, if any."""
    spec = stream(one("f", b=lens, owner=owner))
    binding = bound({"f": "old"})
    action = update(spec, binding, "old", "newer")
    out = settle(spec, binding, action, seen("b", {"f": shows}), now=NOW, by_reply=by_reply)
    dev = out.binding.b.dev if out.binding.b is not None else {}
    return out, dev["f"].reason if "f" in dev else ""


# What B shows after "newer" was written over "old", and how it is known -> is it settled, and as what?
TABLE: list[tuple[Seen, bool, str, str, str]] = [
    # shows, by the reply?, outcome, recorded reason, listed as differing
    ("newer", True, "settled", "", ""),
    ("newer", False, "settled", "", ""),
    (UNKNOWN, True, "not taken", "", ""),  # not delivered: it can't settle the write
    (UNKNOWN, False, "not taken", "", ""),
    ("old", False, "not taken", "", ""),
    ("old", True, "settled", "rewritten", ""),
    ("NEWER", True, "settled", "rewritten", ""),
    ("NEWER", False, "settled", "differs", "f"),
    (None, True, "settled", "rewritten", ""),
]


@pytest.mark.parametrize("shows, by_reply, right, reason, listed", TABLE)
def test_when_a_write_comes_back_different(
    shows: Seen, by_reply: bool, right: str, reason: str, listed: str
) -> None:
    out, recorded = after(shows, by_reply=by_reply)
    assert recorded == reason
    assert out.differs == ((listed,) if listed else ())
    assert out.not_taken is (right == "not taken")
    assert out.open == (("f",) if right == "not taken" else ())
    assert out.binding.base == ({"f": "old"} if right == "not taken" else {"f": "newer"})


@pytest.mark.parametrize("by_reply", [True, False])
def test_what_the_lens_shows_no_better_is_lossy_however_it_is_learned(by_reply: bool) -> None:
    spec = stream(one("f", b=Length(4)))
    binding = bound({"f": "old"})
    action = update(spec, binding, "old", "newer")
    assert dict(action.native) == {"f": "newe"}
    out = settle(spec, binding, action, seen("b", {"f": "newe"}), now=NOW, by_reply=by_reply)
    assert out.binding.b is not None
    assert {n: (d.value, d.reason) for n, d in out.binding.b.dev.items()} == {"f": ("newe", "lossy")}
    assert (out.open, out.differs) == ((), ())


def test_a_rewritten_value_of_the_sides_own_field_is_what_counts() -> None:
    spec = stream(one("f", owner=Owner.B))
    binding = bound({"f": "old"})
    action = Action(
        "customers", "b", Op.UPDATE, 1, fields={"f": "sent"}, native={"f": "sent"}, before={"f": "old"}
    )
    out = settle(spec, binding, action, seen("b", {"f": "SENT"}), now=NOW, by_reply=True)
    assert "f" not in out.binding.base
    assert out.open == ("f",)


def test_a_field_we_did_not_write_and_that_moved_is_looked_at_again() -> None:
    number = FieldSpec("number", place("no"), place("no"), owner=Owner.B)
    spec = stream(one("f"), number)
    binding = bound({"f": "old", "number": 1})
    (action,) = plan_pair(
        spec,
        binding,
        seen("a", {"f": "new", "number": 1}),
        seen("b", {"f": "old", "number": 1}),
        Context(NOW),
    ).actions
    out = settle(spec, binding, action, seen("b", {"f": "new", "number": 2}), now=NOW, by_reply=True)
    assert out.open == ("number",)
    assert out.binding.base == {"f": "new", "number": 1}


@pytest.mark.parametrize(
    "shows, origin, left",
    [
        ({"number": 7, "group": None}, {"number": 7, "group": None}, ()),
        ({"number": 7, "group": None}, {"number": None, "group": None}, ("number", "group")),
        ({"number": 7, "group": None}, {"number": 7}, ("number", "group")),  # not delivered: nobody knows
        ({"number": 7, "group": None}, None, ("number", "group")),  # it wasn't looked at
    ],
)
def test_what_a_new_record_shows_of_its_own_is_agreed_on_where_its_origin_shows_the_same(
    shows: dict[str, Value], origin: dict[str, Value] | None, left: tuple[str, ...]
) -> None:
    spec = stream(one("f"), one("number", owner=Owner.B), one("group", owner=Owner.B))
    half = msgspec.structs.replace(bound({}, state=State.NEW), b=None)
    action = Action("customers", "b", Op.CREATE, 1, fields={"f": 1}, native={"f": 1})
    there = seen("a", {"f": 1, **origin}) if origin is not None else None
    out = settle(spec, half, action, seen("b", {"f": 1, **shows}), now=NOW, by_reply=True, origin=there)
    assert out.open == left
    assert out.binding.base == ({"f": 1} if left else {"f": 1, **shows})


def test_a_field_of_a_write_that_failed_on_the_other_side_stays_open() -> None:
    spec = stream(one("f"), one("g"))
    binding = bound({"f": 1, "g": 1})
    action = Action("customers", "b", Op.UPDATE, 1, fields={"f": 2, "g": 2}, before={"f": 1, "g": 1})
    out = settle(spec, binding, action, seen("b", {"f": 2, "g": 2}), now=NOW, by_reply=True, skip={"f"})
    assert out.open[0] == "f"
    assert out.binding.base == {"f": 1, "g": 2}


def test_a_create_takes_its_place_with_what_the_system_made_of_it() -> None:
    spec = stream(one("f"), one("g"), match=(("f",),))
    half = msgspec.structs.replace(bound({}, state=State.NEW), b=None)
    action = Action("customers", "b", Op.CREATE, 1, fields={"f": "x", "g": None}, native={"f": "x"})
    reply = Observation("b", "B900", 1.0, fields={"f": "x", "g": "none given"}, version="1")
    out = settle(spec, half, action, reply, now=NOW, by_reply=True).binding
    assert out.b is not None
    assert (out.state, out.b.id, out.b.presence, out.b.version) == (
        State.SETTLED, "B900", Presence.PRESENT, "1"
    )  # fmt: skip
    assert {n: (d.value, d.reason) for n, d in out.b.dev.items()} == {"g": ("none given", "default")}
    assert out.base == {"f": "x", "g": None}
    assert out.keys != (0,)


@pytest.mark.parametrize("op", [Op.DELETE, Op.MARK])
def test_a_deletion_that_was_carried_over_is_remembered(op: Op) -> None:
    spec = stream(one("f"))
    binding = bound({"f": "x"})
    out = settle(spec, binding, Action("customers", "b", op, 1, target="B1"), None, now=NOW, by_reply=True)
    assert out.binding.state is State.TOMBSTONE
    assert out.binding.b is not None
    assert (out.binding.b.presence is Presence.DELETED) is (op is Op.DELETE)


def test_how_often_we_wrote_a_field_is_counted_for_a_day() -> None:
    spec = stream(one("f"))
    binding = bound({"f": "old"}, contests={"b.f": (2, NOW - 10), "b.g": (9, NOW - DAY_S), "a.f": (1, NOW)})
    action = update(spec, binding, "old", "new")
    out = settle(spec, binding, action, seen("b", {"f": "new"}), now=NOW, by_reply=True).binding
    assert out.contests == {"b.f": (3, NOW - 10), "a.f": (1, NOW)}


# ------------------------------------------------------------------------------------- intents found open later


def intent(op: Op) -> Action:
    change = {"f": "newer"} if op in (Op.UPDATE, Op.CREATE) else {}
    native = {"state": "deleted"} if op is Op.MARK else change
    before = {"f": "old"} if op is Op.UPDATE else {}
    return Action("customers", "b", op, 1, fields=change, native=native, before=before, seen_native=before)


def native(value: Value) -> Observation:
    return msgspec.structs.replace(seen("b", {}), native={"state": value})


# What a look at the target shows -> verdict after the deadline, before it, and where the look cannot decide.
RESOLVED: list[tuple[Op, list[Observation], tuple[str, str, str]]] = [
    (Op.UPDATE, [seen("b", {"f": "newer"})], ("done", "done", "done")),
    (Op.UPDATE, [seen("b", {"f": "third"})], ("not_done", "wait", "ask")),  # somebody's edit: to the planner
    (Op.UPDATE, [seen("b", {})], ("not_done", "wait", "ask")),
    (Op.UPDATE, [seen("b", {"f": "old"})], ("not_done", "wait", "ask")),
    (Op.UPDATE, [], ("not_done", "wait", "ask")),
    (Op.CREATE, [seen("b", {"f": "newer"})], ("done", "done", "done")),
    (Op.CREATE, [seen("b", {"f": "third"})], ("done", "done", "done")),
    (Op.CREATE, [], ("not_done", "wait", "ask")),
    (Op.CREATE, [seen("b", {}), seen("b", {})], ("ask", "ask", "ask")),
    (Op.DELETE, [], ("done", "done", "done")),
    (Op.DELETE, [seen("b", {"f": "old"})], ("not_done", "wait", "ask")),
    (Op.MARK, [native("deleted")], ("done", "done", "done")),
    (Op.MARK, [native("ok")], ("not_done", "wait", "ask")),
    (Op.MARK, [], ("not_done", "wait", "ask")),
]


@pytest.mark.parametrize("op, looks, right", RESOLVED)
def test_what_became_of_a_write_whose_reply_never_came(
    op: Op, looks: list[Observation], right: tuple[str, str, str]
) -> None:
    action = intent(op)
    late = resolve(action, looks, now=NOW + 1, sure_after=NOW, decisive=True)
    early = resolve(action, looks, now=NOW, sure_after=NOW, decisive=True)
    blind = resolve(action, looks, now=NOW + 1, sure_after=NOW, decisive=False)
    assert (late, early, blind) == right


def test_a_deletion_is_no_field_to_compare() -> None:
    assert gone("b").fields == {}
