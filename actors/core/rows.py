"""Many records at once: lines of texts planned by one function per stream, made for it once. Pure.

The same rules as `observe`, `plan_new` and `settle`, and nothing but the plain case of them: a record that is looked at
and unchanged, or new and made on the other side just as it is. `careful` *is* those functions; the made function is held
equal to it by tests/core/test_rows.py. A line that is not plain (a value some rule has more to say about) is left to
them, one by one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from actors.core import rows_code
from actors.core.lenses import written_paths
from actors.core.mapping import observe
from actors.core.own_values import remembers
from actors.core.plan import Context, half_binding, plan_new
from actors.core.policy import RECORD_ID, RECORD_OBJECT, FieldSpec, StreamSpec
from actors.core.settle import Settled, settle
from actors.core.texts import line_of, reader, text_of, texts_of
from actors.core.types import Action, Binding, Record, Side, State, other
from actors.core.values import BadValue, Value, encode

# Legal in a text and rare; JSON writes them otherwise than as they are.
_CONTROL: Final = bytes([*range(0x09), *range(0x0B, 0x20)])

# Kinds whose text is the id: a decimal may be spelled otherwise by the system that keeps it.
_IDS: Final = frozenset({"text", "integer"})


class RowShape(msgspec.Struct, frozen=True):
    """How an object's records cross as lines. `key`: the field that is the id. `nulls`: fields in which a written null is
    what no value written is. `kinds`: of each field, as in `FieldInfo.type`, and beside them "float" (may have an
    exponent; a decimal has none) and "other" (a text that only the system understands)."""

    key: str
    kinds: Mapping[str, str]
    nulls: frozenset[str] = frozenset()


class Looks:
    """Lines of one side as what the store has of an unchanged record: its id, TAB, its base. `paths`: the native fields of
    a line, after its id."""

    def __init__(self, stream: StreamSpec, side: Side, shape: RowShape) -> None:
        self.paths = kept_paths(stream, side)
        self.made_for = (stream, side, shape)  # equal: equal lines say the same
        self._stream, self._side = stream, side
        self._readers = [reader(shape.kinds.get(path, "other")) for path in self.paths]
        self._made = rows_code.looks(stream, side, shape.kinds, self.paths)

    def stored(self, lines: Sequence[str], plain: bool) -> list[str]:
        """For every line what the store has of an unchanged record, "" where nobody can say. `plain`: they are part of a
        block that is (`is_plain`)."""
        out: list[str] = []
        self._made(lines, plain, self.careful, out.append)
        return out

    def careful(self, line: str) -> str:
        """The same for one line, by the rules themselves."""
        record = record_of(line, self.paths, self._readers)
        if record is None:
            return ""
        seen = observe(self._stream, self._side, record, 0.0)
        names = [spec.name for spec in rows_code.kept(self._stream)]
        if seen.problem or any(name not in seen.fields for name in names):
            return ""
        return f"{record.id}\t{encode({name: seen.fields[name] for name in names})}"


class Made(msgspec.Struct):
    """New records: `targets` are lines to be made on the other side (id, fields), `bindings` lines of the store (id here,
    id there, base, match keys), place by place; `odd` are the lines left to the general way."""

    targets: list[str]
    bindings: list[str]
    odd: list[str]


class Creates:
    """Lines of new records of one side as lines of the other. `paths`: read, after the id; `targets`: written, likewise.
    `draws`: ids must be drawn, else the key is one of the fields."""

    def __init__(self, stream: StreamSpec, origin: Side, shapes: Mapping[Side, RowShape]) -> None:
        there = other(origin)
        self.paths, written = kept_paths(stream, origin), kept_paths(stream, there)
        self.draws = shapes[there].key not in written
        self.targets = tuple(path for path in written if path != shapes[there].key)
        self._stream, self._origin, self._shape = stream, origin, shapes[there]
        self._readers = [reader(shapes[origin].kinds.get(path, "other")) for path in self.paths]
        self._written = {path: reader(shapes[there].kinds.get(path, "other")) for path in written}
        self._made = rows_code.creates(stream, origin, shapes, self.paths, self.targets)

    def plan(self, lines: Sequence[str], block: str, ids: Sequence[str]) -> Made:
        """`ids`: at least one for each line, where ids are drawn."""
        made = Made([], [], [])
        self._made(lines, is_plain(block), ids, self.careful, made)
        return made

    def careful(self, line: str, new: str) -> tuple[str, str] | None:
        """The target's line and the store's, by the rules themselves; None: not a plain case."""
        record = record_of(line, self.paths, self._readers)
        if record is None:
            return None
        seen = observe(self._stream, self._origin, record, 0.0)
        half = half_binding(self._stream, seen, 0)
        if seen.problem or half.state is not State.NEW:
            return None
        verdict = plan_new(self._stream, half, seen, Context(now=0.0))
        if len(verdict.actions) != 1 or verdict.park or verdict.items or verdict.drop:
            return None
        (action,) = verdict.actions
        native = self._as_made(action)
        if native is None:
            return None
        key = native[self._shape.key] if not self.draws else new
        after = _settled(self._stream, half, action, native, str(key))
        if after is None or key is None:
            return None
        keys = "{" + ",".join(map(str, after.keys)) + "}"
        texts = [text_of(native[path]) for path in self.targets]
        return line_of([str(key), *texts]), line_of([record.id, str(key), encode(after.base), keys])

    def settled(self, line: str, stored: str, now: float) -> Settled | None:
        """What a new record that is stored otherwise than it was sent means for its binding (which has no key here)."""
        record = record_of(line, self.paths, self._readers)
        made = record_of(stored, self.targets, [self._written[path] for path in self.targets])
        if record is None or made is None:
            return None
        if not self.draws:
            key = self._shape.key
            made = msgspec.structs.replace(made, native={**made.native, key: self._written[key](made.id)})
        seen = observe(self._stream, self._origin, record, 0.0)
        verdict = plan_new(self._stream, half_binding(self._stream, seen, 0), seen, Context(now=now))
        after = observe(self._stream, other(self._origin), made, 0.0)
        if len(verdict.actions) != 1 or after.problem:
            return None
        return settle(self._stream, verdict.binding, verdict.actions[0], after, now=now, by_reply=True)

    def _as_made(self, action: Action) -> Mapping[str, Value] | None:
        """The native fields of the new record as the other system will hold them; None where nobody knows before."""
        native: dict[str, Value] = {}
        for path, read in self._written.items():
            value = action.native.get(path)
            if value is None and path not in self._shape.nulls:
                return None
            try:
                native[path] = read(text_of(value))
            except BadValue:
                return None
        return native


def _settled(
    stream: StreamSpec, half: Binding, action: Action, native: Mapping[str, Value], id_: str
) -> Binding | None:
    """The binding after the create, if everything is shown as it was sent."""
    after = observe(stream, action.side, Record(id_, native), 0.0)
    if after.problem:
        return None
    out = settle(stream, half, action, after, now=0.0, by_reply=True)
    held = out.binding.side(action.side)
    if out.open or out.differs or out.not_taken or held is None or held.dev:
        return None
    return out.binding


def looks_for(stream: StreamSpec, side: Side, shape: RowShape) -> Looks | None:
    """None where a record of this stream says more than its line does."""
    return Looks(stream, side, shape) if looks_alone(stream) else None


def looks_alone(stream: StreamSpec) -> bool:
    """Whether a line of a record says all of it: nothing of other streams, of gates, or of the order of its items."""
    kept = rows_code.kept(stream)
    plain = not any(spec.reference or spec.as_set or _more(spec) for spec in kept)
    return (
        bool(kept)
        and plain
        and stream.several is None
        and not stream.gates
        and not stream.once
        and not remembers(stream)
    )


def creates_for(stream: StreamSpec, origin: Side, shapes: Mapping[Side, RowShape]) -> Creates | None:
    """None where new records of this stream can't be made by the lines alone."""
    there = other(origin)
    kept = rows_code.kept(stream)
    written = [path for spec in kept if (place := spec.side(there)) for path in place.paths]
    if (
        origin not in stream.creates
        or not kept
        or stream.several is not None
        or stream.gates
        or stream.requires
        or there in stream.stages
        or stream.effects
        or len(set(written)) < len(written)
        or (shapes[there].key in written and shapes[there].kinds.get(shapes[there].key) not in _IDS)
        or any(spec.reference or spec.as_set or spec.owner.value == there or _more(spec) for spec in kept)
        or any(spec.owner_cases for spec in kept)
        or any(stream.starts_with[there])
        or any(spec.required and spec not in kept for spec in stream.fields)
    ):
        return None
    return Creates(stream, origin, shapes)


def _more(spec: FieldSpec) -> bool:
    """Whether a field is more than native values on both sides that are read and written: a constant, an id, a price,
    lines."""
    places = [place for place in (spec.a, spec.b) if place is not None]
    return (
        spec.lines is not None
        or spec.attachment
        or any(
            not place.paths
            or {RECORD_ID, RECORD_OBJECT} & {*place.paths}
            or written_paths(place.lens, place.paths) != place.paths
            for place in places
        )
    )


def kept_paths(stream: StreamSpec, side: Side) -> tuple[str, ...]:
    """The native fields of `side` that take part: what a line consists of."""
    places = [spec.side(side) for spec in rows_code.kept(stream)]
    paths = (path for place in places if place is not None for path in place.paths if path != RECORD_ID)
    return tuple(dict.fromkeys(paths))


def record_of(line: str, paths: Sequence[str], readers: Sequence[Callable[..., Value]]) -> Record | None:
    """A line as a record; None where a value can't be kept."""
    id_, *texts = texts_of(line)
    try:
        native = {path: read(text) for path, read, text in zip(paths, readers, texts, strict=True)}
    except BadValue:
        return None
    return Record(id_, native) if id_ is not None else None


def is_plain(block: str) -> bool:
    """Whether texts stand in the block as they are compared and stored: composed, without control characters."""
    try:
        data = block.encode("latin-1")  # every letter of it is composed
    except UnicodeEncodeError:
        if not unicodedata.is_normalized("NFC", block):
            return False
        data = block.encode()
    return len(data.translate(None, _CONTROL)) == len(data)
