"""Three-way merge of a value, a field group and a record against what each side held when last settled. Pure.

A side changed if and only if it differs from *its own* settled value (base, or its deviation). Unknown is no change.
A group is changed, merged and settled as a whole. Owner first, conflict rule second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from actors.core.merge_lines import merge_lines
from actors.core.owners import NOTHING, contact_of, owner_of, owning_side
from actors.core.places import mover
from actors.core.policy import Choice, FieldSpec, FirstContact, ForeignEdit, Owner, StreamSpec
from actors.core.stream_rules import Reactivation
from actors.core.types import SIDES, Binding, FieldDecision, Observation, Side, other
from actors.core.values import UNKNOWN, Fields, Seen, Value, as_list, fingerprint, is_empty, lines_of, same

Verb = Literal["quiet", "adopt", "a", "b", "value", "ask", "leave", "unsaid"]
DECIDED = "decided by a person"
NOT_FOLLOWED = "not followed"
CLASHES_MAX = 10  # so many are named
# Rules of first contact by which a null is filled from the other side, and those by which one side's value stays.
FILLS: Final = {FirstContact.FILL_EMPTY, FirstContact.FILLED_ELSE_A, FirstContact.FILLED_ELSE_B}
WINS: Final[Mapping[FirstContact, Side]] = {
    FirstContact.A: "a",
    FirstContact.B: "b",
    FirstContact.FILLED_ELSE_A: "a",
    FirstContact.FILLED_ELSE_B: "b",
}


class Dispute(msgspec.Struct, frozen=True):
    """A unit that no rule decides: listed with base and both values. `field` is the group's or the field's name."""

    field: str
    reason: str
    fingerprint: str
    base: Mapping[str, Value]
    a: Mapping[str, Value]
    b: Mapping[str, Value]


class Merged(msgspec.Struct, frozen=True):
    """What is to become of a record: values agreed on, what each side must be written, what a person must decide."""

    agreed: Mapping[str, Value]  # already held by both sides: settles without a write
    writes: Mapping[Side, Mapping[str, Value]]  # shared values each side is to show
    decisions: tuple[FieldDecision, ...]
    disputes: tuple[Dispute, ...]
    put_back: tuple[str, ...] = ()  # fields that were edited on the side that does not own them
    unseen: tuple[str, ...] = ()  # "side.field" that would be overwritten without having been seen: not now
    left: Mapping[str, tuple[Side, FieldDecision]] = {}  # edits of what the other side owns: they stay there
    owned: Mapping[str, Side] = {}  # of the units that are to be written: those that one side owns, and which


def settled(binding: Binding, side: Side, field: str) -> Seen:
    """What `side` held in `field` when the binding was last settled; UNKNOWN where that is not known."""
    held = binding.side(side)
    if held is not None and field in held.dev:
        return held.dev[field].value
    return binding.base.get(field, UNKNOWN)


def changed_fields(stream: StreamSpec, binding: Binding, seen: Observation) -> tuple[str, ...]:
    """The fields of a look that differ from what that side held when last settled (or were never settled)."""
    shown, was = seen.fields, settled_on(binding, seen.side)
    return tuple(
        spec.name
        for spec in stream.mergeable
        if spec.name in shown and not same(shown[spec.name], was.get(spec.name, UNKNOWN))
    )


def settled_on(binding: Binding, side: Side) -> Fields:
    """All that `side` held when the binding was last settled."""
    held = binding.side(side)
    if held is None or not held.dev:
        return binding.base
    return {**binding.base, **{name: dev.value for name, dev in held.dev.items()}}


def merge(
    stream: StreamSpec,
    binding: Binding,
    a: Observation,
    b: Observation,
    said: Mapping[str, Mapping[str, Any]] | None = None,
    listed: Mapping[str, str] = NOTHING,
) -> Merged:
    """Merge what both sides were seen to hold. `said`: decisions by unit name, {"choose", "value", "fingerprint"}.
    `listed`: fingerprints of the disputes that wait for a person, by unit name."""
    agreed: dict[str, Value] = {}
    writes: dict[Side, dict[str, Value]] = {"a": {}, "b": {}}
    decisions: list[FieldDecision] = []
    disputes: list[Dispute] = []
    put_back: list[str] = []
    unseen: list[str] = []
    left: dict[str, tuple[Side, FieldDecision]] = {}
    owned: dict[str, Side] = {}
    touched = _touched(stream, binding, a) | _touched(stream, binding, b)
    for name, members in stream.units_with(touched):
        view = _View(stream, binding, members, a, b)
        if members[0].owner_cases:
            view.turn(binding, {**agreed, **writes["a"], **writes["b"]}, listed.get(name))
        if members[0] is stream.object_field:
            view.owner = mover(stream, view.owner, view.now)
        if not view.known or view.owner is None:
            continue
        verb, rule, values = view.judge((said or {}).get(name))
        if verb == "quiet":
            continue
        if verb == "ask":
            disputes.append(view.dispute(name, rule))
            continue
        if verb == "leave":
            side: Side = "a" if view.changed("a") else "b"
            left.update({one.field: (side, one) for one in view.decisions(values, rule)})
            continue
        blind = contact_of(stream, view.raw)[1] if verb == "unsaid" else view.unseen(values)
        if blind:
            unseen.extend(blind)
            continue
        view.apply(values, agreed, writes)
        decisions.extend(view.decisions(values, rule))
        owner = owning_side(view.owner)
        if owner is not None:
            owned[name] = owner
        if rule.startswith("put back"):
            put_back.extend(spec.name for spec in members)
    return Merged(
        agreed,
        writes,
        tuple(decisions),
        tuple(disputes),
        tuple(put_back),
        tuple(dict.fromkeys(unseen)),
        left,
        owned,
    )


def dispute_of(
    stream: StreamSpec, binding: Binding, a: Observation, b: Observation, unit: str, reason: str
) -> Dispute:
    """A unit as something for a person to decide, whatever the rules say about it."""
    members = next(members for name, members in stream.units if name == unit)
    return _View(stream, binding, members, a, b).dispute(unit, reason)


def _touched(stream: StreamSpec, binding: Binding, seen: Observation) -> set[str]:
    """The fields of which a side does not show exactly what it held: few of most records, and of the others there is nothing
    to judge."""
    was, now = settled_on(binding, seen.side), seen.fields
    return {
        spec.name
        for spec in stream.mergeable
        if (value := now.get(spec.name, UNKNOWN)) is UNKNOWN or not same(value, was.get(spec.name, UNKNOWN))
    }


class _View:
    """One unit with everything needed to judge it: values now, values when settled, on both sides."""

    def __init__(
        self,
        stream: StreamSpec,
        binding: Binding,
        members: Sequence[FieldSpec],
        a: Observation,
        b: Observation,
    ) -> None:
        self.stream = stream
        self.members = members
        self.spec = members[0]
        self.names = [spec.name for spec in members]
        self.base = {n: binding.base[n] for n in self.names if n in binding.base}
        self.was: dict[Side, dict[str, Seen]] = {
            s: {n: settled(binding, s, n) for n in self.names} for s in SIDES
        }
        self.raw: dict[Side, Observation] = {"a": a, "b": b}
        # Unknown is no change: what was not seen counts as what it was; a group that was half seen was not seen.
        self.now: dict[Side, dict[str, Seen]] = {
            s: dict(self.was[s]) if self._half_seen(s) else {n: self._now(s, n) for n in self.names}
            for s in SIDES
        }
        self.known = all(v is not UNKNOWN for s in SIDES for v in self.now[s].values())
        self.met = all(v is not UNKNOWN for s in SIDES for v in self.was[s].values())
        self.owner: Owner | None = self.spec.owner  # of this record; None: nobody can say yet

    def turn(self, binding: Binding, decided: Fields, listed: str | None) -> None:
        """Whose it is in this record, by conditions on what it is to hold. `listed`: as what it waits for a person."""
        self.owner = owner_of(self.spec, binding.base, bound=True, decided=decided, shown=self.now)
        if listed and self.changed("a") and self.changed("b") and listed == self.fingerprint:
            self.owner = Owner.BOTH  # listed before the rule turned: it is a person's still (G8)

    def _now(self, side: Side, name: str) -> Seen:
        return self.raw[side].fields.get(name, self.was[side][name])

    def _half_seen(self, side: Side) -> bool:
        return any(n not in self.raw[side].fields for n in self.names)

    def unseen(self, values: Fields) -> list[str]:
        """What would have to be overwritten unseen to make both sides show `values`."""
        return [
            f"{s}.{n}"
            for n, value in values.items()
            for s in SIDES
            if self._half_seen(s) and not same(self.now[s][n], value)
        ]

    def values(self, side: Side) -> dict[str, Value]:
        return {n: v for n, v in self.now[side].items() if v is not UNKNOWN}

    def changed(self, side: Side) -> bool:
        return any(not same(self.now[side][n], self.was[side][n]) for n in self.names)

    @property
    def equal(self) -> bool:
        return all(same(self.now["a"][n], self.now["b"][n]) for n in self.names)

    def judge(self, said: Mapping[str, Any] | None) -> tuple[Verb, str, dict[str, Value]]:
        """(verb, rule, the values both sides are to show). A person's word about these very values goes before the rules."""
        in_a, in_b = self.changed("a"), self.changed("b")
        if self.met and not in_a and not in_b:
            return "quiet", "", {}
        decided = None if self.equal else self._decided(said)
        if decided:
            return decided
        if not self.met:
            return self._first_contact()
        if self.equal:
            return "adopt", "both sides agree", self.values("a")
        owner = owning_side(self.owner)
        if owner is not None:
            return self._owned(owner)
        if in_a != in_b:
            side: Side = "a" if in_a else "b"
            if self._is_again(side):
                return "leave", f"active again on {side}: {NOT_FOLLOWED}", self.values(side)
            return side, f"changed on {side}", self.values(side)
        for side in SIDES if self.spec.reactivation is Reactivation.IGNORE else ():
            if self.now[side][self.spec.name] is False:
                return side, f"deactivated on {side}", self.values(side)
        return self._conflict()

    def _is_again(self, side: Side) -> bool:
        """Whether it is active there, and the other side, which is not, does not follow that."""
        here, there = (self.now[one][self.spec.name] for one in (side, other(side)))
        return self.spec.reactivation is Reactivation.IGNORE and there is False and here is not False

    def _owned(self, owner: Side) -> tuple[Verb, str, dict[str, Value]]:
        far = other(owner)
        if not self.changed(far):
            return owner, f"owned by {owner}", self.values(owner)
        if self.spec.foreign_edit is ForeignEdit.REPORT and not self.changed(owner):
            return "leave", f"edited on {far}, owned by {owner}: reported and left", self.values(far)
        return owner, f"put back: owned by {owner}", self.values(owner)

    def _first_contact(self) -> tuple[Verb, str, dict[str, Value]]:
        if self.equal:
            return "adopt", "first contact: both sides agree", self.values("a")
        owner = owning_side(self.owner)
        if owner is not None:
            return owner, f"first contact: owned by {owner}", self.values(owner)
        said, unsaid = contact_of(self.stream, self.raw)
        if unsaid and self.spec.first_contact is None:
            return "unsaid", "", {}
        rule = self.spec.first_contact or said
        if rule in FILLS:
            for empty in SIDES:
                if all(is_empty(v) for v in self.now[empty].values()):
                    return other(empty), "first contact: filled", self.values(other(empty))
        chosen = WINS.get(rule)
        if chosen is not None:
            return chosen, f"first contact: {chosen} wins", self.values(chosen)
        if rule is FirstContact.FILL_EMPTY and self.spec.as_set:
            return "value", "first contact: lists joined", self._united()
        return "ask", "first contact: both sides hold a value", {}

    def _conflict(self) -> tuple[Verb, str, dict[str, Value]]:
        if self.spec.as_set:
            return "value", "lists merged", self._united()
        if self.spec.lines is not None:
            return self._lines_merged()
        rule = self.spec.conflict
        if rule in (Choice.A, Choice.B):
            side: Side = "a" if rule is Choice.A else "b"
            return side, f"conflict: {side} wins", self.values(side)
        if rule is Choice.STRICTEST:
            side = _stricter(self.values("a"), self.values("b"))
            return side, "conflict: the stricter wins", self.values(side)
        if rule is not Choice.ASK:
            newest = self._newest(rule)
            if newest is not None:
                return newest, "conflict: the newer wins", self.values(newest)
        return "ask", "changed on both sides", {}

    def _lines_merged(self) -> tuple[Verb, str, dict[str, Value]]:
        """Both changed the lines: line by line, cell by cell; the conflict rule decides what both changed differently."""
        (name,), rule = self.names, self.spec.conflict
        assert self.spec.lines is not None
        fixed: dict[Choice, Side] = {Choice.A: "a", Choice.B: "b"}
        prefer = fixed.get(rule) if rule in fixed else self._newest(rule) if rule is not Choice.ASK else None
        was, now = ((lines_of(held["a"][name]), lines_of(held["b"][name])) for held in (self.was, self.now))
        merged = merge_lines(self.spec.lines, was, now, prefer)
        if merged.clashes:
            return "ask", f"changed on both sides: {'; '.join(merged.clashes[:CLASHES_MAX])}", {}
        return "value", "lines merged", {name: merged.lines}

    def _newest(self, rule: Choice) -> Side | None:
        a, b = self.raw["a"].modified, self.raw["b"].modified
        # Whole seconds: the coarser of two clocks decides nothing finer than itself.
        if a is not None and b is not None and int(a) != int(b):
            return "a" if a > b else "b"
        fallback: dict[Choice, Side] = {Choice.NEWEST_ELSE_A: "a", Choice.NEWEST_ELSE_B: "b"}
        return fallback.get(rule)

    def _decided(self, said: Mapping[str, Any] | None) -> tuple[Verb, str, dict[str, Value]] | None:
        if not said or said.get("fingerprint") != self.fingerprint:
            return None
        choose = said.get("choose")
        owner = owning_side(self.owner)
        if owner is not None and choose != owner:
            return None  # nobody gives an owned field another value than its owner's
        if choose == "a":
            return "a", f"{DECIDED}: a", self.values("a")
        if choose == "b":
            return "b", f"{DECIDED}: b", self.values("b")
        if choose == "value" and len(self.names) == 1 and self.spec.lines is None:
            return "value", f"{DECIDED}: a value", {self.names[0]: said.get("value")}
        return None

    @property
    def fingerprint(self) -> str:
        return fingerprint([sorted(self.names), self.base, self.values("a"), self.values("b")])

    def _united(self) -> dict[str, Value]:
        name = self.names[0]
        now = {s: set(_items(self.now[s][name])) for s in SIDES}
        # Each side removed what it held when last settled and holds no longer: an item it never held is none of those.
        removed = {item for s in SIDES for item in set(_items(self.was[s][name])) - now[s]}
        return {name: as_list((now["a"] | now["b"]) - removed)}

    def dispute(self, name: str, reason: str) -> Dispute:
        return Dispute(name, reason, self.fingerprint, self.base, self.values("a"), self.values("b"))

    def apply(self, values: Fields, agreed: dict[str, Value], writes: dict[Side, dict[str, Value]]) -> None:
        for name, value in values.items():
            behind = [s for s in SIDES if not same(self.now[s][name], value)]
            for side in behind:
                writes[side][name] = value
            if not behind:
                agreed[name] = value

    def decisions(self, values: Fields, rule: str) -> Iterable[FieldDecision]:
        for name, value in values.items():
            unknown = tuple(
                key
                for key, held in (
                    ("base", self.base),
                    ("a", self.raw["a"].fields),
                    ("b", self.raw["b"].fields),
                )
                if name not in held
            )
            yield FieldDecision(
                field=name,
                rule=rule,
                chosen=value,
                base=self.base.get(name),
                a=self.raw["a"].fields.get(name),
                b=self.raw["b"].fields.get(name),
                unknown=unknown,
            )


def _items(value: Seen) -> tuple[Any, ...]:
    if isinstance(value, tuple):
        return value
    return () if value is None or value is UNKNOWN else (value,)


def _stricter(a: Mapping[str, Value], b: Mapping[str, Value]) -> Side:
    """A withdrawal (False) wins, then null, then the smaller text; the same whichever side is called a."""

    def rank(fields: Mapping[str, Value]) -> list[tuple[int, str, str]]:
        return [
            (0 if v is False else 1 if v is None else 2, type(v).__name__, str(v))
            for _, v in sorted(fields.items())
        ]

    return "a" if rank(a) <= rank(b) else "b"
