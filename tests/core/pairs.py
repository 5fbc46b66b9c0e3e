"""Pairs of records for the core's tests: small streams, bindings and looks, and an executor over two plain dicts.

The executor does what the engine does with one pair (look, plan, write, settle) without any of its code.
Must not: hold tests, or know how the core decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from actors.core import match
from actors.core.lenses import Same
from actors.core.plan import Context, Verdict, plan_pair
from actors.core.policy import (
    Choice,
    FieldSide,
    FieldSpec,
    FirstContact,
    Lens,
    Owner,
    StreamSpec,
)
from actors.core.settle import settle
from actors.core.types import (
    SIDES,
    Action,
    Binding,
    Deviation,
    Held,
    Observation,
    Op,
    Parked,
    Presence,
    Side,
    State,
    other,
)
from actors.core.values import Seen, Unknown, Value

NOW = 1_700_000_000.0
Store = Callable[[str, Value], Value]  # what a system makes of a native value that it is given


def place(path: str, lens: Lens | None = None) -> FieldSide:
    """One native path."""
    return FieldSide((path,), lens or Same())


def one(name: str = "f", *, a: Lens | None = None, b: Lens | None = None, **rules: Any) -> FieldSpec:
    """A field that is called the same on both sides."""
    return FieldSpec(name=name, a=place(name, a), b=place(name, b), **rules)


def stream(*fields: FieldSpec, **rules: Any) -> StreamSpec:
    """A stream of those fields."""
    return StreamSpec(
        name="customers",
        kind="master",
        a_object="KUNDEN",
        b_object="customers",
        fields=fields,
        map_ver="1",
        **rules,
    )


def known(values: Mapping[str, Seen]) -> dict[str, Value]:
    """Only what is known: in the core an unknown value is a missing key."""
    return {name: value for name, value in values.items() if not isinstance(value, Unknown)}


def bound(
    base: Mapping[str, Seen],
    a_dev: Mapping[str, Value] | None = None,
    b_dev: Mapping[str, Value] | None = None,
    state: State = State.SETTLED,
    **more: Any,
) -> Binding:
    """A1 and B1, settled on `base`, with what each side was recorded to show instead."""
    return Binding(
        stream="customers",
        key=1,
        state=state,
        a=Held("A1", dev=_devs(a_dev or {})),
        b=Held("B1", dev=_devs(b_dev or {})),
        base=known(base),
        map_ver="1",
        rev=1,
        **more,
    )


def _devs(values: Mapping[str, Value]) -> dict[str, Deviation]:
    return {name: Deviation(value, "rewritten") for name, value in values.items()}


def seen(side: Side, values: Mapping[str, Seen], **more: Any) -> Observation:
    """A look at A1 or B1 that showed those values; unknown ones were not delivered."""
    fields = known(values)
    return Observation(side=side, id=side.upper() + "1", asked=0.0, fields=fields, native=fields, **more)


def gone(side: Side, presence: Presence = Presence.DELETED) -> Observation:
    """A look that found A1 or B1 no longer there."""
    return Observation(side=side, id=side.upper() + "1", asked=0.0, presence=presence)


# --------------------------------------------------------------------------------------------------- mirrored


def mirrored_stream(spec: StreamSpec) -> StreamSpec:
    """The same rules with the sides' names exchanged."""
    return msgspec.structs.replace(
        spec,
        a_object=spec.b_object,
        b_object=spec.a_object,
        fields=tuple(_mirrored_field(one) for one in spec.fields),
        creates=frozenset(other(side) for side in spec.creates),
        deletes={"a": spec.deletes["b"], "b": spec.deletes["a"]},
        mark={other(side): marks for side, marks in spec.mark.items()},  # type: ignore[arg-type]
        first_contact=FirstContact(_swapped(spec.first_contact.value)),
    )


def _mirrored_field(spec: FieldSpec) -> FieldSpec:
    first = spec.first_contact
    return msgspec.structs.replace(
        spec,
        a=spec.b,
        b=spec.a,
        owner=Owner(_swapped(spec.owner.value)),
        conflict=Choice(_swapped(spec.conflict.value)),
        first_contact=None if first is None else FirstContact(_swapped(first.value)),
    )


def _swapped(word: str) -> str:
    return {
        "a": "b",
        "b": "a",
        "newest_else_a": "newest_else_b",
        "newest_else_b": "newest_else_a",
        "filled_else_a": "filled_else_b",
        "filled_else_b": "filled_else_a",
    }.get(word, word)


def mirrored_binding(binding: Binding) -> Binding:
    """The same pair with the sides' names exchanged; the records keep their ids."""
    contests = {f"{_swapped(at[0])}{at[1:]}": count for at, count in binding.contests.items()}
    return msgspec.structs.replace(binding, a=binding.b, b=binding.a, contests=contests)


def mirrored_look(look: Observation) -> Observation:
    """The same look, at the other name of that side."""
    return msgspec.structs.replace(look, side=other(look.side))


# --------------------------------------------------------------------------------------------------- executor


@dataclass
class TwoSystems:
    """Two systems with one record each, kept in step by the core alone.

    `makes[side]`: what the system stores when it is given a native value (rewriting, truncating). `reply`: whether a
    write's reply carries the record as stored (else it is looked at afterwards).
    """

    spec: StreamSpec
    holds: dict[Side, dict[str, Value]]
    makes: Mapping[Side, Store] = field(default_factory=dict)
    reply: bool = True
    binding: Binding = field(default_factory=lambda: bound({}, state=State.MATCHED))
    parked: tuple[Parked, ...] = ()
    written: list[Action] = field(default_factory=list)
    refuses: set[Side] = field(default_factory=set)
    hides: dict[Side, frozenset[str]] = field(default_factory=dict)

    def look(self, side: Side) -> Observation:
        """What the side shows now."""
        hidden = self.hides.get(side, frozenset())
        return seen(side, {name: value for name, value in self.holds[side].items() if name not in hidden})

    def edit(self, side: Side, name: str, value: Value) -> None:
        """A person's edit; the system does to it what it does to everything."""
        self.holds[side][name] = self._made(side, name, value)

    def step(self) -> Verdict:
        """One round: look at both sides, plan, write, settle. Returns what was planned."""
        verdict = plan_pair(
            self.spec, self.binding, self.look("a"), self.look("b"), Context(NOW, parked=self.parked)
        )
        self.binding, self.parked = verdict.binding, verdict.park
        refused = {
            name for action in verdict.actions if action.side in self.refuses for name in action.fields
        }
        for action in verdict.actions:
            if action.side in self.refuses:
                continue
            self._write(action)
            self.written.append(action)
            self.binding = settle(
                self.spec,
                self.binding,
                action,
                self.look(action.side),
                now=NOW,
                by_reply=self.reply,
                skip=refused,
            ).binding
        return verdict

    def rest(self, rounds_max: int = 4) -> int:
        """Rounds until nothing is written any more; more than `rounds_max` is a failure to come to rest."""
        for done in range(rounds_max + 1):
            if not self.step().actions:
                return done
        raise AssertionError(f"still writing after {rounds_max} rounds: {self.written[-2:]}")

    def _write(self, action: Action) -> None:
        assert action.op is Op.UPDATE
        for name, value in action.native.items():
            self.holds[action.side][name] = self._made(action.side, name, value)

    def _made(self, side: Side, name: str, value: Value) -> Value:
        return self.makes[side](name, value) if side in self.makes else value


def match_all(records: Mapping[Side, Sequence[tuple[str, tuple[int, ...]]]]) -> tuple[set[Any], set[Any]]:
    """Match whole sets of (id, key hashes) by `match.decide`: the pairs bound, and the members of unclear groups."""
    free: dict[Side, dict[str, tuple[int, ...]]] = {side: dict(records[side]) for side in SIDES}
    pairs: dict[tuple[str, str], tuple[int, ...]] = {}
    unclear: set[tuple[Side, str]] = set()
    levels = max((len(keys) for side in SIDES for _, keys in records[side]), default=0)
    for level in range(levels):
        hashes = {keys[level] for side in SIDES for keys in free[side].values() if keys[level]}
        for hash_ in hashes:
            a, b = ([id for id, keys in free[side].items() if keys[level] == hash_] for side in SIDES)
            taken = [at for at, keys in pairs.items() if keys[level] == hash_]
            verdict = match.decide(range(len(a)), range(len(b)), range(len(taken)))
            if verdict == "bind":
                # The binding carries the keys of side a, as the engine's does until first contact settled it.
                pairs[a[0], b[0]] = free["a"].pop(a[0])
                del free["b"][b[0]]
            elif verdict == "ambiguous":
                unclear.update({("a", id) for id in a} | {("b", id) for id in b})
                for side, ids in (("a", a), ("b", b)):
                    for id in ids:
                        del free[side][id]  # type: ignore[index]
    return set(pairs), unclear
