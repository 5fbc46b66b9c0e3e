"""The laws of docs/SYNC.md on generated rules, values and edits, on two dict systems kept in step by the core alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.lenses import Length
from actors.core.plan import Context, Verdict, plan_new, plan_pair
from actors.core.policy import Choice, DeleteEdit, DeletePolicy, FirstContact, Owner, StreamSpec
from actors.core.settle import settle
from actors.core.types import SIDES, Binding, Observation, Op, Side, State, other
from actors.core.values import UNKNOWN, Value, same
from tests.core.pairs import (
    NOW,
    TwoSystems,
    bound,
    gone,
    mirrored_binding,
    mirrored_look,
    mirrored_stream,
    one,
    seen,
    stream,
)

NAMES = ("f", "own_a", "own_b", "mine", "g1", "g2")
values = st.sampled_from([None, "x", "y", "Zz", "long text"])
records = st.fixed_dictionaries(dict.fromkeys(NAMES, values))
sides = st.sampled_from(SIDES)
edits = st.lists(st.tuples(sides, st.sampled_from(NAMES), values), max_size=6)
rules = st.sampled_from([rule for rule in Choice if rule is not Choice.STRICTEST])
firsts = st.sampled_from(FirstContact)


@st.composite
def specs(draw: st.DrawFn, lossy: bool = False) -> StreamSpec:
    """A stream with a free field, an owned one per side, a local one and a group of two."""
    lens = draw(st.sampled_from([None, Length(2)])) if lossy else None
    group_rule, owner = draw(rules), draw(st.sampled_from([Owner.BOTH, Owner.A, Owner.B]))
    return stream(
        one("f", b=lens, conflict=draw(rules)),
        one("own_a", owner=Owner.A),
        one("own_b", owner=Owner.B),
        one("mine", owner=Owner.LOCAL),
        one("g1", group="g", conflict=group_rule, owner=owner),
        one("g2", group="g", conflict=group_rule, owner=owner),
        first_contact=draw(firsts),
        deletes={side: draw(st.sampled_from(DeletePolicy)) for side in SIDES},
        delete_vs_edit=draw(st.sampled_from(DeleteEdit)),
        mark={"a": {"mine": "gone"}, "b": {"mine": "gone"}},
    )


def upper(name: str, value: Value) -> Value:
    """A system that rewrites what it is given."""
    return value.upper() if isinstance(value, str) else value


def short(name: str, value: Value) -> Value:
    """A system that keeps four characters."""
    return value[:4] if isinstance(value, str) else value


makers: st.SearchStrategy[dict[Any, Any]] = st.fixed_dictionaries(
    {}, optional={"a": st.just(upper), "b": st.sampled_from([upper, short])}
)


@st.composite
def worlds(draw: st.DrawFn, lossy: bool = True) -> TwoSystems:
    """Two systems that hold a record each, met for the first time; the systems rewrite what they are given."""
    makes: dict[Any, Any] = draw(makers) if lossy else {}
    world = TwoSystems(draw(specs(lossy=lossy)), {"a": {}, "b": {}}, makes, reply=draw(st.booleans()))
    for side in SIDES:
        for name, value in draw(records).items():
            world.edit(side, name, value)
    return world


def work(world: TwoSystems, done: list[tuple[Side, str, Value]]) -> None:
    """Edits with a round between every two, and rest at the end."""
    for side, name, value in done:
        world.step()
        world.edit(side, name, value)
    world.rest()


def in_step(world: TwoSystems, name: str) -> bool:
    """Whether both sides agree on a field, or a person is asked, or a deviation says why they don't."""
    devs = [held.dev for side in SIDES if (held := world.binding.side(side)) is not None]
    asked = {row.field for row in world.parked}
    unit = next(unit for unit, members in world.spec.units if name in {spec.name for spec in members})
    agree = same(world.holds["a"][name], world.holds["b"][name])
    return agree or unit in asked or any(name in dev for dev in devs)


@given(worlds(), edits)
@settings(max_examples=150)
def test_law_convergence(world: TwoSystems, done: list[tuple[Side, str, Value]]) -> None:
    work(world, done)
    assert [name for name in NAMES if name != "mine" and not in_step(world, name)] == []


@given(worlds(), edits)
@settings(max_examples=150)
def test_law_quiet(world: TwoSystems, done: list[tuple[Side, str, Value]]) -> None:
    work(world, done)
    binding, parked, holds = world.binding, world.parked, {s: dict(world.holds[s]) for s in SIDES}
    again = world.step()
    assert (again.actions, again.items) == ((), ())
    assert (world.binding, world.parked, world.holds) == (binding, parked, holds)


@given(records, records)
@settings(max_examples=50)
def test_law_termination_where_the_reply_says_too_little(a: dict[str, Value], b: dict[str, Value]) -> None:
    spec = stream(*(one(name, first_contact=FirstContact.A) for name in NAMES))
    world = TwoSystems(spec, {"a": a, "b": {n: upper(n, v) for n, v in b.items()}}, {"b": upper}, reply=False)
    assert world.rest() <= 2


@given(worlds(lossy=False), edits)
@settings(max_examples=150)
def test_law_agreement_without_deviations_between_honest_systems(
    world: TwoSystems, done: list[tuple[Side, str, Value]]
) -> None:
    work(world, done)
    # What a side holds for itself is remembered beside its deviations, under names that no field has.
    held = [one for side in SIDES if (one := world.binding.side(side)) is not None]
    assert not [name for one in held for name in one.dev if not name.startswith("*")]
    asked = {row.field for row in world.parked}
    for unit, members in world.spec.units:
        if unit not in asked:
            assert all(world.holds["a"][spec.name] == world.holds["b"][spec.name] for spec in members)
            assert all(world.binding.base[spec.name] == world.holds["a"][spec.name] for spec in members)


@given(worlds(), edits)
@settings(max_examples=150)
def test_law_ownership(world: TwoSystems, done: list[tuple[Side, str, Value]]) -> None:
    work(world, done)
    for action in world.written:
        assert "mine" not in action.fields and "mine" not in action.native
        assert {"a": "own_a", "b": "own_b"}[action.side] not in action.fields


@given(worlds(lossy=False), edits)
@settings(max_examples=150)
def test_law_a_group_is_always_one_sides_group(
    world: TwoSystems, done: list[tuple[Side, str, Value]]
) -> None:
    for side, name, value in [*done, (None, "", None)]:
        were = [tuple(world.holds[s][n] for n in ("g1", "g2")) for s in SIDES]
        world.step()
        assert all(tuple(world.holds[s][n] for n in ("g1", "g2")) in were for s in SIDES)
        if side is not None:
            world.edit(side, name, value)


@given(worlds(), edits, st.lists(st.tuples(sides, st.sampled_from(NAMES)), max_size=4))
@settings(max_examples=150)
def test_law_no_value_disappears_unnamed(
    world: TwoSystems, done: list[tuple[Side, str, Value]], hidden: list[tuple[Side, str]]
) -> None:
    world.hides = {side: frozenset(n for s, n in hidden if s == side) for side in SIDES}
    for side, name, value in [*done, *([(None, "", None)] * 3)]:
        was = {s: dict(world.holds[s]) for s in SIDES}
        verdict = world.step()
        for s in SIDES:
            for n, old in was[s].items():
                if not same(old, world.holds[s][n]):
                    assert named(verdict, s, n, old), (s, n, old)
        if side is not None:
            world.edit(side, name, value)


def named(verdict: Verdict, side: Side, name: str, value: Value) -> bool:
    """Whether the protocol of this plan names the value that was replaced."""
    for action in verdict.actions:
        if action.side == side and name in action.before and same(action.before[name], value):
            return any(decision.field == name for decision in action.decisions)
    return False


@given(worlds(), edits, st.lists(st.tuples(sides, st.sampled_from(NAMES)), min_size=1, max_size=4))
@settings(max_examples=150)
def test_law_unknown_is_no_change_and_is_never_written(
    world: TwoSystems, done: list[tuple[Side, str, Value]], hidden: list[tuple[Side, str]]
) -> None:
    work(world, done)
    world.hides = {side: frozenset(n for s, n in hidden if s == side) for side in SIDES}
    verdict = world.step()
    assert verdict.actions == ()
    assert UNKNOWN not in [value for action in world.written for value in action.fields.values()]


@given(worlds(), edits)
@settings(max_examples=150)
def test_law_a_write_found_later_settles_as_its_reply_would(
    world: TwoSystems, done: list[tuple[Side, str, Value]]
) -> None:
    world.makes = {}
    for side, name, value in done:
        world.step()
        world.edit(side, name, value)
    verdict = plan_pair(
        world.spec, world.binding, world.look("a"), world.look("b"), Context(NOW, parked=world.parked)
    )
    for action in verdict.actions:
        if action.op is Op.UPDATE:
            after = seen(action.side, {**world.holds[action.side], **action.native})
            settled_ = [
                settle(world.spec, verdict.binding, action, after, now=NOW, by_reply=by_reply)
                for by_reply in (True, False)
            ]
            assert settled_[0] == settled_[1]


# ------------------------------------------------------------------------------------------------------ symmetry

looks = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, values)),
    st.just(None),
)


@st.composite
def bindings(draw: st.DrawFn) -> Binding:
    """A full binding in any state, with any base and deviations."""
    base = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, values)))
    devs = [draw(st.fixed_dictionaries({}, optional={"f": values, "g1": values})) for _ in SIDES]
    state = draw(st.sampled_from([State.SETTLED, State.MATCHED, State.TOMBSTONE]))
    contests = draw(st.sampled_from([{}, {"a.f": (99, NOW)}, {"b.f": (99, NOW)}]))
    return bound(base, devs[0], devs[1], state, contests=contests)


def look(side: Side, fields: Mapping[str, Value] | None, modified: float | None) -> Observation:
    return gone(side) if fields is None else seen(side, fields, modified=modified)


stamps = st.sampled_from([None, 100.0, 200.0])


@given(specs(lossy=True), bindings(), looks, looks, stamps, stamps)
@settings(max_examples=400)
def test_law_symmetry(
    spec: StreamSpec,
    binding: Binding,
    a: Mapping[str, Value] | None,
    b: Mapping[str, Value] | None,
    a_at: float | None,
    b_at: float | None,
) -> None:
    at_a, at_b = look("a", a, a_at), look("b", b, b_at)
    plain = plan_pair(spec, binding, at_a, at_b, Context(NOW))
    turned = plan_pair(
        mirrored_stream(spec),
        mirrored_binding(binding),
        mirrored_look(at_b),
        mirrored_look(at_a),
        Context(NOW),
    )
    assert effects(plain) == effects(turned, turn=True)


@given(specs(), sides, st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, values)))
def test_law_symmetry_of_new_records(spec: StreamSpec, side: Side, fields: Mapping[str, Value]) -> None:
    at = seen(side, fields)
    half = msgspec.structs.replace(bound({}, state=State.NEW), **{other(side): None})
    plain = plan_new(spec, half, at, Context(NOW))
    turned = plan_new(mirrored_stream(spec), mirrored_binding(half), mirrored_look(at), Context(NOW))
    assert effects(plain) == effects(turned, turn=True)


def effects(verdict: Verdict, turn: bool = False) -> Any:
    """What a verdict does, without words for people; with `turn`, the sides' names exchanged."""
    binding = mirrored_binding(verdict.binding) if turn else verdict.binding
    return (
        msgspec.structs.replace(binding, note=""),
        sorted(
            (
                other(action.side) if turn else action.side,
                action.op,
                action.target,
                sorted(action.fields.items(), key=repr),
                sorted(action.native.items(), key=repr),
                sorted(action.before.items(), key=repr),
                sorted(action.seen_native.items(), key=repr),
                action.kinds,
            )
            for action in verdict.actions
        ),
        sorted((row.room, row.field) for row in verdict.park),
        len(verdict.items),
        verdict.drop,
    )


@given(specs(), bindings(), looks, looks)
def test_law_no_delete_that_the_policy_forbids(
    spec: StreamSpec,
    binding: Binding,
    a: Mapping[str, Value] | None,
    b: Mapping[str, Value] | None,
) -> None:
    verdict = plan_pair(spec, binding, look("a", a, None), look("b", b, None), Context(NOW))
    for action in verdict.actions:
        if action.op is Op.DELETE:
            assert spec.deletes[other(action.side)] is DeletePolicy.REMOVE
        if action.op is Op.MARK:
            assert spec.deletes[other(action.side)] is DeletePolicy.MARK
        if action.op in (Op.DELETE, Op.MARK):
            assert (a if action.side == "b" else b) is None


@given(specs(), bindings(), looks, looks)
def test_law_a_plan_is_a_function_of_what_it_is_given(
    spec: StreamSpec,
    binding: Binding,
    a: Mapping[str, Value] | None,
    b: Mapping[str, Value] | None,
) -> None:
    plans = [plan_pair(spec, binding, look("a", a, 1.0), look("b", b, 2.0), Context(NOW)) for _ in range(2)]
    assert plans[0] == plans[1]
    assert all(len({action.side for action in plan.actions}) == len(plan.actions) for plan in plans)
