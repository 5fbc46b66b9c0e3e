"""Several objects on one side: ids, rules by object, the plan of a move and of what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.assume import assumed, rests_on_precondition
from actors.core.erasure import forget
from actors.core.lenses import MapValues, Same
from actors.core.places import by_object, delete_policy, may_create, parted, qualified, written_in
from actors.core.plan import Context, plan_new, plan_pair
from actors.core.policy import (
    RECORD_OBJECT,
    DeletePolicy,
    FieldSide,
    FieldSpec,
    LeftBehind,
    ObjectRules,
    StreamSpec,
)
from actors.core.rooms import OUTCOME
from actors.core.rows import RowShape, creates_for, looks_for
from actors.core.settle import settle
from actors.core.several import LEFT, is_move, left_behind, stands_in_both
from actors.core.types import (
    SIDES,
    Action,
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
from tests.core.pairs import NOW, one, stream

MIRRORED = pytest.mark.parametrize("many", SIDES)
KINDS = {"Prospect": "prospects", "Client": "clients"}


def accounts(many: Side, made_by: frozenset[Side] = frozenset(SIDES), **rules: Any) -> StreamSpec:
    """`many` has prospects and clients, the other side accounts with a kind."""
    places = {
        many: FieldSide((RECORD_OBJECT,), Same()),
        other(many): FieldSide(("kind",), MapValues(tuple(KINDS.items()))),
    }
    gone: dict[str, DeletePolicy] = {many: DeletePolicy.REMOVE, other(many): DeletePolicy.RESTORE}
    objects = (
        ObjectRules("prospects", frozenset(SIDES), gone),
        ObjectRules("clients", made_by, {**gone, many: DeletePolicy.MARK}),
    )
    kind = FieldSpec("kind", a=places["a"], b=places["b"])
    return stream(one("name"), kind, match=(("name",),), objects={many: objects}, **rules)


def looks(many: Side, kind: str, where: str = "prospects", **more: Any) -> tuple[Observation, Observation]:
    """Ada stands in `where` on `many`, and has that kind on the other side (shared values)."""
    fields = {"name": "Ada", "kind": where} | more
    there = Observation(
        many, f"{where}:1", 0.0, fields=fields, native={"name": "Ada", RECORD_OBJECT: where} | more
    )
    words = {value: key for key, value in KINDS.items()}
    native = {"name": "Ada", "kind": words[kind]}
    here = Observation(other(many), "7", 0.0, fields={"name": "Ada", "kind": kind}, native=native)
    return (there, here) if many == "a" else (here, there)


def bound(many: Side, where: str = "prospects") -> Binding:
    held = {many: Held(f"{where}:1"), other(many): Held("7")}
    return Binding(
        "customers", 1, State.SETTLED, held["a"], held["b"], {"name": "Ada", "kind": where}, (1,), "1", 1
    )


def planned(many: Side, kind: str, spec: StreamSpec, where: str = "prospects") -> list[Action]:
    return list(plan_pair(spec, bound(many, where), *looks(many, kind, where), Context(now=NOW)).actions)


@MIRRORED
def test_an_id_carries_its_object_on_that_side_alone(many: Side) -> None:
    spec = accounts(many)
    assert qualified(spec, many, "clients", "a:b") == "clients:a:b"
    assert parted(spec, many, "clients:a:b") == ("clients", "a:b")
    assert qualified(spec, many, "clients", "") == ""
    assert parted(spec, other(many), "a:b") == (spec.object(other(many)), "a:b")
    assert by_object(spec, many, ["clients:1", "prospects:1", "clients:1", "clients:2"]) == {
        "clients": ["1", "2"],
        "prospects": ["1"],
    }
    assert written_in(spec, many, "prospects:1", {RECORD_OBJECT: "clients"}) == "clients"
    assert written_in(spec, many, "prospects:1", {}) == "prospects"


@MIRRORED
@pytest.mark.parametrize(
    "kind, where, made_by, ends",
    [
        ("clients", "prospects", SIDES, "moved to clients"),
        ("prospects", "clients", SIDES, "moved to prospects"),
        ("prospects", "prospects", SIDES, "nothing"),
        ("clients", "prospects", ("many",), "put back"),
        ("prospects", "clients", ("many",), "moved to prospects"),
    ],
)
def test_what_an_edit_of_the_kind_does(
    many: Side, kind: str, where: str, made_by: tuple[str, ...], ends: str
) -> None:
    spec = accounts(many, frozenset(many if side == "many" else side for side in made_by))  # type: ignore[misc]
    actions = planned(many, kind, spec, where)
    if ends == "nothing":
        assert actions == []
        return
    (action,) = actions
    if ends == "put back":
        assert (action.side, action.op, dict(action.native)) == (other(many), Op.UPDATE, {"kind": "Prospect"})
        assert action.rule == f"put back: owned by {many}"
        return
    there = ends.removeprefix("moved to ")
    assert (action.side, action.op, action.target) == (many, Op.CREATE, "")
    assert dict(action.native) == {"name": "Ada", RECORD_OBJECT: there}
    assert action.kinds == ("overwrites", "deletes")


@MIRRORED
def test_the_mirrored_rules_give_the_mirrored_move(many: Side) -> None:
    here, there = (
        planned(many, "clients", accounts(many)),
        planned(other(many), "clients", accounts(other(many))),
    )
    assert [(one.op, one.native, one.fields, one.kinds) for one in here] == [
        (one.op, one.native, one.fields, one.kinds) for one in there
    ]
    assert [one.side for one in here] == [other(one.side) for one in there]


@MIRRORED
def test_a_move_settles_the_pair_at_its_new_place_and_leaves_a_half_binding(many: Side) -> None:
    spec, pair = accounts(many), bound(many)
    (action,) = planned(many, "clients", spec)
    after = Observation(
        many, "clients:9", 1.0, fields={"name": "Ada", "kind": "clients"}, native=dict(action.native)
    )
    out = settle(spec, pair, action, after, now=NOW, by_reply=True)
    held = out.binding.side(many)
    assert held is not None
    assert (held.id, out.binding.base["kind"], out.open, out.binding.keys != ()) == (
        "clients:9",
        "clients",
        (),
        True,
    )
    half = left_behind(spec, pair, action, "clients:9")
    assert (half.state, half.note, half.side(other(many))) == (State.TOMBSTONE, f"{LEFT}clients:9", None)
    kept = left_behind(msgspec.structs.replace(spec, left_behind=LeftBehind.KEEP), pair, action, "clients:9")
    assert kept.note == "kept in its old object: it moved to clients:9"


def left(many: Side, **rules: Any) -> tuple[StreamSpec, Binding]:
    spec = accounts(many, **rules)
    (action,) = planned(many, "clients", spec)
    half = left_behind(spec, bound(many), action, "clients:9")
    return spec, msgspec.structs.replace(half, key=5)


def old(many: Side, presence: Presence = Presence.PRESENT, **fields: Any) -> Observation:
    native: Mapping[str, Any] = {"name": "Ada", "marked": None, RECORD_OBJECT: "prospects"} | fields
    return Observation(many, "prospects:1", 2.0, presence, fields={"name": native["name"]}, native=native)


@MIRRORED
def test_what_is_left_behind_and_was_erased_is_known_again_and_an_edit_of_it_goes_nowhere(many: Side) -> None:
    spec, half = left(many)
    half = forget(spec, half, "5a17")
    held = half.side(many)
    assert held is not None and "Ada" not in repr(held)
    assert [one.op for one in plan_new(spec, half, old(many), Context(now=NOW)).actions] == [Op.DELETE]
    verdict = plan_new(spec, half, old(many, name="Eve"), Context(now=NOW))
    assert verdict.actions == () and verdict.park[0].detail == {"base": {}, many: {"name": "Eve"}}


@MIRRORED
def test_what_is_left_behind_goes_as_it_was_and_what_was_changed_there_is_a_persons(many: Side) -> None:
    spec, half = left(many)
    assert plan_new(spec, half, old(many, Presence.DELETED), Context(now=NOW)).drop
    (action,) = plan_new(spec, half, old(many), Context(now=NOW)).actions
    assert (action.op, action.target, action.kinds) == (Op.DELETE, "prospects:1", ())
    assert settle(spec, half, action, None, now=NOW, by_reply=True).binding.note == "moved to clients:9"
    edited = old(many, name="Eve")
    verdict = plan_new(spec, half, edited, Context(now=NOW))
    (row,) = verdict.park
    assert (verdict.actions, row.room, "name" in row.reason) == ((), Room.CONFLICT, True)
    for said, op, note in ((other(many), [Op.DELETE], half.note), (many, [], "stands beside clients:9")):
        word = msgspec.structs.replace(row, decision={"choose": said})
        verdict = plan_new(spec, half, edited, Context(now=NOW, parked=(word,)))
        assert ([one.op for one in verdict.actions], verdict.binding.note) == (op, note)
    word = msgspec.structs.replace(row, decision={"choose": other(many)})
    again = plan_new(spec, half, old(many, name="Fay"), Context(now=NOW, parked=(word,)))
    assert (again.actions, len(again.park)) == ((), 1)  # a word about another edit counts for nothing
    unseen = msgspec.structs.replace(edited, native={RECORD_OBJECT: "prospects"})
    assert plan_new(spec, half, unseen, Context(now=NOW)).again_s > 0


@MIRRORED
def test_what_is_left_behind_is_marked_where_that_is_the_rule(many: Side) -> None:
    spec, half = left(many, left_behind=LeftBehind.MARK, mark={many: {"marked": "yes"}})
    (action,) = plan_new(spec, half, old(many), Context(now=NOW)).actions
    assert (action.op, dict(action.native), action.kinds) == (Op.MARK, {"marked": "yes"}, ())
    after = settle(spec, half, action, None, now=NOW, by_reply=True).binding
    assert not after.note.startswith(LEFT)


@MIRRORED
def test_while_nobody_knows_what_became_of_a_move_nothing_is_written_there(many: Side) -> None:
    spec = accounts(many)
    row = Parked("customers", Room.QUARANTINE, 1, "outcome unknown", field=OUTCOME)
    ctx = Context(now=NOW, parked=(row,))
    verdict = plan_pair(spec, bound(many), *looks(many, "clients"), ctx)
    assert (verdict.actions, verdict.park) == ((), (row,))
    again = msgspec.structs.replace(row, decision={"choose": "retry"})
    verdict = plan_pair(spec, bound(many), *looks(many, "clients"), Context(now=NOW, parked=(again,)))
    assert [one.op for one in verdict.actions] == [Op.CREATE]


@MIRRORED
def test_the_object_says_who_creates_and_what_a_deletion_does(many: Side) -> None:
    spec, here = accounts(many, frozenset({many})), other(many)
    halves = {
        kind: Observation(here, "7", 0.0, fields={"name": "Ada", "kind": kind}) for kind in KINDS.values()
    }
    assert [may_create(spec, halves[kind]) for kind in ("prospects", "clients")] == [True, False]
    assert may_create(spec, Observation(many, "clients:1", 0.0, fields={"name": "Ada", "kind": "clients"}))
    assert delete_policy(spec, bound(many, "clients"), many) is DeletePolicy.MARK
    assert delete_policy(spec, bound(many), many) is DeletePolicy.REMOVE
    assert delete_policy(spec, bound(many), here) is DeletePolicy.RESTORE


@MIRRORED
def test_who_stands_in_both_counts_where_the_later_object_is(many: Side) -> None:
    spec = accounts(many)
    new = {where: _half(many, f"{where}:5") for where in KINDS.values()}
    assert stands_in_both(spec, many, bound(many), new["clients"])
    # Found by the simulation (seed 514864): two met, and what the first contact had decided was undone by the later one.
    meets = msgspec.structs.replace(bound(many), state=State.MATCHED, base={})
    assert stands_in_both(spec, many, meets, new["clients"])
    tombstone = msgspec.structs.replace(bound(many), state=State.TOMBSTONE)
    assert not stands_in_both(spec, many, tombstone, new["clients"])
    assert not stands_in_both(spec, many, bound(many, "clients"), new["prospects"])
    assert not stands_in_both(spec, many, bound(many), new["prospects"])


def _half(many: Side, id: str) -> Binding:
    held = Held(id)
    return Binding("customers", 2, State.NEW, held if many == "a" else None, held if many == "b" else None)


@MIRRORED
def test_the_fast_ways_leave_such_a_stream_to_the_rules(many: Side) -> None:
    spec = accounts(many)
    shapes: dict[Side, RowShape] = {side: RowShape("id", {"name": "text", "kind": "text"}) for side in SIDES}
    plain = msgspec.structs.replace(spec, objects={}, fields=(one("name"),))
    for side in SIDES:
        assert looks_for(plain, side, shapes[side]) is not None  # it is the objects that make the difference
        assert looks_for(spec, side, shapes[side]) is None
        assert creates_for(spec, side, shapes) is None
    here = looks(many, "clients")[0 if many == "b" else 1]
    ground = assumed(spec, bound(many), here)
    assert ground is not None
    pair = (ground, here) if many == "a" else (here, ground)
    verdict = plan_pair(spec, bound(many), *pair, Context(now=NOW))
    assert not rests_on_precondition(spec, bound(many), verdict, many)


@MIRRORED
def test_a_create_moves_nothing_where_a_side_has_one_object(many: Side) -> None:
    """Of a plain stream: what was made beside a partner that people gave the record meanwhile left nothing behind."""
    action = Action("customers", many, Op.CREATE, 1, target="1")
    assert not is_move(stream(one("f")), bound(many), action)
    assert is_move(accounts(many), bound(many), action)
    assert not is_move(accounts(many), bound(many), msgspec.structs.replace(action, side=other(many)))
