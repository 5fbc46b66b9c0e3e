"""Changed records as lines: what the other side is to be written, from a line and what the store has of its record. Pure.

The plain case of what the rules say: the binding is settled, nothing deviates, some fields of one side are new, and the
other side is to hold the same if it still holds what it held. `careful` *is* `assumed`, `plan_pair` and `settle`; what is
said without them is held equal to it by tests/core/test_changes.py. What is no plain case (None) goes the general way.
"""

from __future__ import annotations

import hashlib
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

_PIECES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Kinds whose text is the inside of what JSON says of a value, and the reverse.
_PLAIN: Final = frozenset({"text", "integer", "decimal", "boolean", "date", "instant"})

Contests = Mapping[str, tuple[int, float]]


class Standing(msgspec.Struct, frozen=True):
    """How a record stands that is settled, shows no deviation on its side and is parked nowhere. `there`: its id on the
    other side. `is_plain`: nothing but `base` is to be said of either side (and versions, which count for nothing
    where lines do), and it was settled under this mapping."""

    key: int
    rev: int
    there: str
    base: str
    contests: Contests = {}
    is_plain: bool = True


class Change(msgspec.Struct, frozen=True):
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
    """A field of which the text says all. `path`: on the side that is written."""

    name: str
    label: str  # in JSON
    path: str
    rule: str
    takes_null: bool
    is_ascii: bool  # a lens that turns letters: plain for those of ASCII
    is_required: bool  # not plain where nothing is filled in


class _Mask(msgspec.Struct, frozen=True):
    """What is the same for all records in which the same fields are new. `by_path`: places of `fields`, by native field;
    `by_unit`: in the order in which the rules go through them."""

    fields: tuple[_Field, ...]
    by_path: tuple[tuple[int, str], ...]  # place, label of the native field
    by_unit: tuple[int, ...]
    rule: str
    written: tuple[str, ...]


class Changes:
    """Changes of one side of a stream. `looks`, `back`: how lines of this side, and of the other, are read."""

    def __init__(
        self, stream: StreamSpec, side: Side, shapes: Mapping[Side, RowShape], looks: Mapping[Side, Looks]
    ) -> None:
        self._stream, self._side, self._there = stream, side, other(side)
        self.looks, self.back = looks[side], looks[other(side)]
        self._shapes = shapes
        self._masks: dict[tuple[str, ...], _Mask | None] = {}
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
        was, new = _PIECES.decode(at.base), _PIECES.decode(base)
        if was.keys() != new.keys():
            return None
        names = tuple([name for name, piece in new.items() if piece != was[name]])
        if names not in self._masks:
            self._masks[names] = self._mask(names)
        mask = self._masks[names]
        if mask is None:
            return None
        old_json = [str(was[name], "utf-8") for name in names]
        new_json = [str(new[name], "utf-8") for name in names]
        overwrites = clears = False
        for field, old, value in zip(mask.fields, old_json, new_json, strict=True):
            if field.is_ascii and not (old.isascii() and value.isascii()):
                return None
            if field.is_required and rows_code.blank(value):
                return None
            if old == "null" or value == "null":
                if not field.takes_null:
                    return None
                clears = clears or old != "null"
            else:
                overwrites = True
        there = self._there
        if at.contests and any(is_contested(at.contests, there, name, breaker, now) for name in names):
            return None
        kinds = (("overwrites",) if overwrites else ()) + (("clears",) if clears else ())
        return self._made(id_, base, at, mask, names, old_json, new_json, kinds, now)

    def _made(
        self,
        id_: str,
        base: str,
        at: Standing,
        mask: _Mask,
        names: tuple[str, ...],
        old: list[str],
        new: list[str],
        kinds: tuple[str, ...],
        now: float,
    ) -> Change:
        fields = "{" + ",".join([f"{f.label}:{v}" for f, v in zip(mask.fields, new, strict=True)]) + "}"
        before = "{" + ",".join([f"{f.label}:{v}" for f, v in zip(mask.fields, old, strict=True)]) + "}"
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
            "{" + ",".join([f"{label}:{new[place]}" for place, label in mask.by_path]) + "}",
            "{" + ",".join([f"{label}:{old[place]}" for place, label in mask.by_path]) + "}",
            [
                (
                    names[n],
                    mask.fields[n].rule,
                    f'{{"a":{a[n]},"b":{b[n]},"base":{old[n]},"chosen":{new[n]}}}',
                )
                for n in mask.by_unit
            ],
            kinds,
            hashlib.blake2b(printed.encode(), digest_size=16).hexdigest(),
            mask.written,
            [_text(new[place]) for place, _ in mask.by_path],
            mask.written,
            [_text(old[place]) for place, _ in mask.by_path],
            base,
            contests_after(at.contests, self._there, names, now),
        )

    def _mask(self, names: tuple[str, ...]) -> _Mask | None:
        fields = tuple([self._fields[name] for name in names if name in self._fields])
        if not names or len(fields) < len(names):
            return None
        places = sorted(range(len(fields)), key=lambda place: fields[place].path)
        order = [spec.name for _, members in self._stream.units for spec in members]
        return _Mask(
            fields,
            tuple((place, _json(fields[place].path)) for place in places),
            tuple(sorted(range(len(fields)), key=lambda place: order.index(fields[place].name))),
            "; ".join(sorted({field.rule for field in fields})),
            tuple(fields[place].path for place in places),
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
        if spec.owner_cases or spec.owner.value == self._there or here.kinds.get(at.paths[0]) not in _PLAIN:
            return False
        return rows_code.alike(at, to, here, there) and rows_code.is_text_lens(at.lens)

    def _field(self, spec: FieldSpec) -> _Field:
        to = spec.side(self._there)
        assert to is not None
        rule = f"changed on {self._side}" if spec.owner is Owner.BOTH else f"owned by {self._side}"
        nulls = rows_code.null_is_null(to, self._shapes[self._there])
        turns = rows_code.turns_letters(to.lens)
        return _Field(spec.name, _json(spec.name), to.paths[0], rule, nulls, turns, spec.required)


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
