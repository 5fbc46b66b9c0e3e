"""Changed records as lines: what the other side is to be written, from a line and what the store has of its record. Pure.

The plain case of what the rules say: the binding is settled, nothing deviates, some fields of one side are new, and the
other side is to hold the same if it still holds what it held. `careful` *is* `assumed`, `plan_pair` and `settle`; what is
said without them is held equal to it by tests/core/test_changes.py. What is no plain case (None) goes the general way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec

from actors.core import rows_code
from actors.core.assume import assumed, rests_on_precondition
from actors.core.contests import contests_after, is_contested
from actors.core.mapping import observe
from actors.core.match import keys as match_keys
from actors.core.plan import Context, plan_pair
from actors.core.policy import FieldSpec, Owner, StreamSpec
from actors.core.rows import Looks, RowShape, looks_for, record_of
from actors.core.settle import settle
from actors.core.stream_rules import Reactivation
from actors.core.texts import reader, text_of
from actors.core.types import (
    Action,
    ActionState,
    Binding,
    FieldDecision,
    Held,
    Observation,
    Op,
    Record,
    Side,
    State,
    other,
)
from actors.core.values import BadValue, Value, decode, encode

# A value in JSON without escapes: a text, a word or a number, or one of the objects of `encode`.
_PIECE: Final = r'"[^"]*"|[^,{}"\[\]]+|\{[^{}]*\}'
# Kinds whose text is the inside of what JSON says of a value, and the reverse.
_PLAIN: Final = frozenset({"text", "integer", "decimal", "boolean", "date", "instant"})

Contests = Mapping[str, tuple[int, float]]


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a record stands that is settled, shows no deviation on its side and is parked nowhere. `there`: its id on the
    other side. `is_plain`: nothing but `base` is to be said of either side (and versions, which count for nothing
    where lines do), and it was settled under this mapping."""

    key: int
    rev: int
    there: str
    base: str
    contests: Contests = {}
    is_plain: bool = True


class Change(msgspec.Struct, frozen=True, gc=False):
    """One update of the other side, and what it settles if it is shown as it was sent.

    `fields`, `before`, `native`, `seen`: as of `Action` (`seen`: its seen_native), as JSON texts. `decisions`: field,
    rule, and the values chosen, base, a and b as JSON. `written`, `guarded`: the native fields that are written, and that
    must still be as they were; `values`, `held`: their texts. `base`, `contests`: of the binding afterwards.
    """

    key: int
    rev: int
    origin: str
    target: str
    rule: str
    fields: str
    before: str
    native: str
    seen: str
    decisions: Sequence[tuple[str, str, str]]
    kinds: tuple[str, ...]
    fingerprint: str
    written: tuple[str, ...]
    values: list[str | None]
    guarded: tuple[str, ...]
    held: list[str | None]
    base: str
    contests: Contests


def action_of(stream: str, side: Side, change: Change, deadline: float) -> Action:
    """The same as an intent like any other."""
    decisions = [
        FieldDecision(field, rule, **decode(values))  # type: ignore[arg-type]
        for field, rule, values in change.decisions
    ]
    return Action(
        stream=stream,
        side=side,
        op=Op.UPDATE,
        binding=change.key,
        rule=change.rule,
        reason=change.rule,
        target=change.target,
        fields=decode(change.fields),
        native=decode(change.native),
        before=decode(change.before),
        seen_native=decode(change.seen),
        decisions=tuple(decisions),
        fingerprint=change.fingerprint,
        state=ActionState.SENT,
        deadline=deadline,
        origin=change.origin,
        kinds=change.kinds,
    )


class _Field(msgspec.Struct, frozen=True):
    """A field of which the text says all. `path`: on the side that is written. `label`: the name in JSON."""

    name: str
    label: str
    path: str
    rule: str
    takes_null: bool
    required: bool  # not plain where nothing is filled in
    is_ascii: bool  # a lens that turns letters: plain for those of ASCII


class _Mask(msgspec.Struct, frozen=True):
    """What is the same for all records in which the same fields are new. `fields`, `native`: forms of JSON objects;
    `order`: places of the fields by native name; `decisions`: place, name and rule, in the order of the rules."""

    names: tuple[str, ...]
    fields: tuple[_Field, ...]
    form: str
    native: str
    order: tuple[int, ...]
    written: tuple[str, ...]
    decisions: tuple[tuple[int, str, str], ...]
    rule: str


class Changes:
    """Changes of one side of a stream. `looks`, `back`: how lines of this side, and of the other, are read."""

    def __init__(
        self, stream: StreamSpec, side: Side, shapes: Mapping[Side, RowShape], looks: Mapping[Side, Looks]
    ) -> None:
        self._stream, self._side, self._there = stream, side, other(side)
        self.looks, self.back = looks[side], looks[other(side)]
        self._shapes = shapes
        self._masks: dict[tuple[int, ...], _Mask | None] = {}
        self._first: tuple[float, dict[tuple[str, ...], Contests]] = (
            0.0,
            {},
        )  # counts of a first write, by when
        self._start = f"[{_json(stream.name)},"
        self._middle = f',"{self._there}","{Op.UPDATE.value}",'
        self._end = f",{_json(stream.map_ver)}]"

    def plan(self, line: str, read: str, at: Standing, now: float, breaker: int) -> Change | None:
        """`read`: what `looks` says of the line, and not what the store has. None: no plain case."""
        if not at.is_plain:
            return None
        if "\\" not in read and "\\" not in at.base and read:
            id_, _, base = read.partition("\t")
            made = self._plain(id_, base, at, now, breaker)
            if made is not None:
                return made
        return self.careful(line, at, now, breaker)

    def careful(self, line: str, at: Standing, now: float, breaker: int) -> Change | None:
        """The same by the rules themselves."""
        stream, side, there = self._stream, self._side, self._there
        record = record_of(line, self.looks.paths, self._readers)
        if record is None:
            return None
        binding = self._binding(record.id, at)
        seen = observe(stream, side, record, 0.0)
        ground = assumed(stream, binding, seen)
        if ground is None:
            return None
        a, b = (seen, ground) if side == "a" else (ground, seen)
        verdict = plan_pair(stream, binding, a, b, Context(now=now, breaker=breaker))
        if not rests_on_precondition(stream, binding, verdict, there):
            return None
        (action,) = verdict.actions
        after = Observation(there, at.there, 0.0, fields={**ground.fields, **action.fields})
        out = settle(stream, verdict.binding, action, after, now=now, by_reply=True)
        if (
            out.open
            or out.differs
            or out.not_taken
            or out.binding.keys != binding.keys
            or _deviates(out.binding)
        ):
            return None
        return self._told(record.id, at, action, out.binding)

    def _told(self, id_: str, at: Standing, action: Action, after: Binding) -> Change | None:
        written, guarded = tuple(sorted(action.native)), tuple(sorted(action.seen_native))
        if self._shapes[self._there].key in written:
            return None  # a record that gets another id is no plain case
        try:
            values = [text_of(action.native[path]) for path in written]
            held = [text_of(action.seen_native[path]) for path in guarded]
        except BadValue:
            return None
        return Change(
            at.key,
            at.rev,
            id_,
            at.there,
            action.rule,
            encode(action.fields),
            encode(action.before),
            encode(action.native),
            encode(action.seen_native),
            [(one.field, one.rule, _values(one)) for one in action.decisions],
            action.kinds,
            action.fingerprint,
            written,
            values,
            guarded,
            held,
            encode(after.base),
            after.contests,
        )

    def _binding(self, id_: str, at: Standing) -> Binding:
        """The binding as it is stored, but for match keys that its base doesn't say."""
        base = decode(at.base)
        here, there = Held(id_), Held(at.there)
        return Binding(
            stream=self._stream.name,
            key=at.key,
            state=State.SETTLED,
            a=here if self._side == "a" else there,
            b=there if self._side == "a" else here,
            base=base,
            keys=match_keys(self._stream, base),
            map_ver=self._stream.map_ver,
            rev=at.rev,
            contests=at.contests,
        )

    def shown(self, line: str) -> Record | None:
        """A line of the other side as a record; None where a value can't be kept."""
        kinds = self._shapes[self._there].kinds
        return record_of(
            line, self.back.paths, [reader(kinds.get(path, "other")) for path in self.back.paths]
        )

    @cached_property
    def _readers(self) -> Sequence[Callable[..., Value]]:
        kinds = self._shapes[self._side].kinds
        return [reader(kinds.get(path, "other")) for path in self.looks.paths]

    # ------------------------------------------------------------------------------------------------ plain fields

    def _plain(self, id_: str, base: str, at: Standing, now: float, breaker: int) -> Change | None:
        """Without the rules, where every field that is new is a plain one."""
        was, new = self._pieces(at.base), self._pieces(base)
        if was is None or new is None:
            return None
        before, after = was.groups(), new.groups()
        places = tuple([place for place, piece in enumerate(after) if piece != before[place]])
        if places not in self._masks:
            self._masks[places] = self._mask(places)
        mask = self._masks[places]
        if mask is None:
            return None
        old, told = tuple([before[place] for place in places]), tuple([after[place] for place in places])
        kinds = _kinds(mask, old, told)
        if kinds is None:
            return None
        contests = self._contests(at.contests, mask.names, now, breaker)
        return self._made(id_, base, at, mask, old, told, kinds, contests) if contests else None

    def _contests(self, known: Contests, names: tuple[str, ...], now: float, breaker: int) -> Contests | None:
        """None where a field was written too often."""
        if known:
            if any(is_contested(known, self._there, name, breaker, now) for name in names):
                return None
            return contests_after(known, self._there, names, now)
        if self._first[0] != now:
            self._first = now, {}
        if names not in self._first[1]:
            self._first[1][names] = contests_after({}, self._there, names, now)
        return self._first[1][names]

    def _made(
        self,
        id_: str,
        base: str,
        at: Standing,
        mask: _Mask,
        old: tuple[str, ...],
        new: tuple[str, ...],
        kinds: tuple[str, ...],
        contests: Contests,
    ) -> Change:
        fields, before = mask.form % new, mask.form % old
        native, seen = fields, before
        if mask.native != mask.form:
            native = mask.native % tuple([new[place] for place in mask.order])
            seen = mask.native % tuple([old[place] for place in mask.order])
        printed = f"{self._start}{at.key}{self._middle}{fields},{before}{self._end}"
        a, b = (new, old) if self._side == "a" else (old, new)
        return Change(
            at.key,
            at.rev,
            id_,
            at.there,
            mask.rule,
            fields,
            before,
            native,
            seen,
            [
                (name, rule, f'{{"a":{a[n]},"b":{b[n]},"base":{old[n]},"chosen":{new[n]}}}')
                for n, name, rule in mask.decisions
            ],
            kinds,
            hashlib.blake2b(printed.encode(), digest_size=16).hexdigest(),
            mask.written,
            [_text(new[place]) for place in mask.order],
            mask.written,
            [_text(old[place]) for place in mask.order],
            base,
            contests,
        )

    @cached_property
    def _pieces(self) -> Callable[[str], re.Match[str] | None]:
        """The values of a base in JSON, in order of their names; not for one with escapes."""
        names = sorted(spec.name for spec in rows_code.kept(self._stream))
        parts = ",".join(f"{re.escape(_json(name))}:({_PIECE})" for name in names)
        return re.compile(r"\{" + parts + r"\}").fullmatch

    def _mask(self, places: tuple[int, ...]) -> _Mask | None:
        kept = sorted(spec.name for spec in rows_code.kept(self._stream))
        fields = [self._fields[kept[place]] for place in places if kept[place] in self._fields]
        if not places or len(fields) < len(places):
            return None
        order = sorted(range(len(fields)), key=lambda place: fields[place].path)
        units = [spec.name for _, members in self._stream.units for spec in members]
        by_unit = sorted(range(len(fields)), key=lambda place: units.index(fields[place].name))
        return _Mask(
            tuple(field.name for field in fields),
            tuple(fields),
            _form([field.label for field in fields]),
            _form([_json(fields[place].path) for place in order]),
            tuple(order),
            tuple(fields[place].path for place in order),
            tuple((place, fields[place].name, fields[place].rule) for place in by_unit),
            "; ".join(sorted({field.rule for field in fields})),
        )

    @cached_property
    def _fields(self) -> Mapping[str, _Field]:
        """The plain fields by name: not in a group, no match key, the same text on both sides."""
        stream, key = self._stream, self._shapes[self._there].key
        places = [spec.side(self._there) for spec in rows_code.kept(stream)]
        paths = [path for place in places if place is not None for path in place.paths]
        matched = {name for level in stream.match for name in level}
        found = {}
        for spec in stream.mergeable:
            to = spec.side(self._there)
            if to is None or spec.group or spec.name in matched or len(to.paths) != 1:
                continue
            if paths.count(to.paths[0]) == 1 and to.paths[0] != key and self._is_plain(spec):
                found[spec.name] = self._field(spec)
        return found

    def _is_plain(self, spec: FieldSpec) -> bool:
        at, to = spec.side(self._side), spec.side(self._there)
        assert at is not None and to is not None
        here, there = self._shapes[self._side], self._shapes[self._there]
        if spec.reactivation is Reactivation.IGNORE:
            return False
        if spec.owner_cases or spec.owner.value == self._there or here.kinds.get(at.paths[0]) not in _PLAIN:
            return False
        return rows_code.alike(at, to, here, there) and rows_code.is_text_lens(at.lens)

    def _field(self, spec: FieldSpec) -> _Field:
        to = spec.side(self._there)
        assert to is not None
        rule = f"changed on {self._side}" if spec.owner is Owner.BOTH else f"owned by {self._side}"
        nulls = rows_code.null_is_null(to, self._shapes[self._there])
        turns = rows_code.turns_letters(to.lens)
        return _Field(spec.name, _json(spec.name), to.paths[0], rule, nulls, spec.required, turns)


def changes_for(stream: StreamSpec, side: Side, shapes: Mapping[Side, RowShape]) -> Changes | None:
    """None where a record of this stream says more than its line does. Made once for a stream."""
    shapes_known, made = stream.made.get(side, (None, None))
    if shapes_known != shapes:
        made = _changes_for(stream, side, shapes)
        stream.made[side] = shapes, made
    return made  # type: ignore[no-any-return]


def _changes_for(stream: StreamSpec, side: Side, shapes: Mapping[Side, RowShape]) -> Changes | None:
    looks: dict[Side, Looks] = {}
    for one, shape in shapes.items():
        found = looks_for(stream, one, shape)
        if found is None:
            return None
        looks[one] = found
    return Changes(stream, side, shapes, looks)


def _values(decision: FieldDecision) -> str:
    return encode({"chosen": decision.chosen, "base": decision.base, "a": decision.a, "b": decision.b})


def _deviates(binding: Binding) -> bool:
    return any(held is not None and held.dev for held in (binding.a, binding.b))


def _kinds(mask: _Mask, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...] | None:
    """What of the budget it spends; None where a value is none of the plain ones."""
    overwrites = clears = False
    for field, was, value in zip(mask.fields, old, new, strict=True):
        if field.is_ascii and not (was.isascii() and value.isascii()):
            return None
        if field.required and value in ("null", '""'):
            return None
        if was != "null" != value:
            overwrites = True
        elif not field.takes_null:
            return None
        elif was != "null":
            clears = True
    return (("overwrites",) if overwrites else ()) + (("clears",) if clears else ())


def _form(labels: Sequence[str]) -> str:
    return "{" + ",".join(label.replace("%", "%%") + ":%s" for label in labels) + "}"


def _text(piece: str) -> str | None:
    """The text of a value, from what JSON says of it; without escapes."""
    first = piece[0]
    if first == '"':
        return piece[1:-1]
    if first == "n":
        return None
    return piece[6:-2] if first == "{" else piece


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
