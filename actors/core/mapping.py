"""Between a system's own (native) fields and shared fields, by the lenses of a stream. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from actors.core import unit_lines
from actors.core.places import SEPARATOR, begins_in, lacking, owns, parted
from actors.core.policy import (
    RECORD_ID,
    RECORD_OBJECT,
    FieldSide,
    FieldSpec,
    LensError,
    LinesSpec,
    StreamSpec,
)
from actors.core.types import Binding, Held, Observation, Record, Side
from actors.core.values import UNKNOWN, BadValue, Fields, Seen, Value, as_list, lines_of, same


class Refs(msgspec.Struct, frozen=True):
    """References as known now: `keys[stream, side, id]` is a binding, `ids[stream, side, key]` an id on a side, "" where the
    record is gone there;
    `why[stream, side, id]` what a record waits for that is not in step."""

    keys: Mapping[tuple[str, Side, str], int] = {}
    ids: Mapping[tuple[str, Side, int], str] = {}
    why: Mapping[tuple[str, Side, str], str] = {}


NO_REFS = Refs()


class Shown(msgspec.Struct, frozen=True):
    """A write translated for one side: native changes, and the shared values that side will show afterwards."""

    native: Mapping[str, Value]
    shown: Mapping[str, Value]


def remapped(stream: StreamSpec, binding: Binding) -> Binding:
    """The binding without what was settled under another mapping: that value meant something else, so what both sides
    agreed on is unknown now. Equal sides agree again; unequal ones follow the field's `first_contact` (B16)."""
    stale = stream.stale.get(binding.map_ver)
    if not stale:
        return binding
    base = {name: value for name, value in binding.base.items() if name not in stale}
    return msgspec.structs.replace(
        binding, base=base, a=_without(binding.a, stale), b=_without(binding.b, stale)
    )


def _without(held: Held | None, stale: frozenset[str]) -> Held | None:
    if held is None or not held.dev:
        return held
    return msgspec.structs.replace(
        held, dev={name: dev for name, dev in held.dev.items() if name not in stale}
    )


def paths(stream: StreamSpec, side: Side, name: str = "") -> tuple[str, ...]:
    """The native fields of `side` that the stream reads, each once, in the order of the blueprint. `name`: those of one of
    several objects only."""
    seen: dict[str, None] = {}
    for spec in stream.fields:
        place = spec.side(side)
        if place is not None and spec.lines is not None:
            seen.update(dict.fromkeys(unit_lines.asked(place.paths[0], spec.lines, side)))
        elif place is not None:
            seen.update(dict.fromkeys(place.paths))
    for path in stream.mark.get(side, {}):
        seen.setdefault(path)
    for at in stream.named.values():
        if side in at:
            seen.setdefault(at[side])
    if side in stream.gates:
        seen.setdefault(stream.gates[side].path)
    for path in (RECORD_ID, RECORD_OBJECT, *(lacking(stream, side, name) if name else ())):
        seen.pop(path, None)
    return tuple(seen)


def observe(
    stream: StreamSpec, side: Side, record: Record, asked: float, refs: Refs = NO_REFS
) -> Observation:
    """What `side` was seen to hold, in shared values; a field that cannot be translated becomes the `problem`."""
    fields: dict[str, Value] = {}
    problem = ""
    native = record.native
    if stream.tells_id(side):
        native = {**native, RECORD_ID: parted(stream, side, record.id)[1]}
    for spec, place in stream.shared(side):
        try:
            value = _get(spec, place, side, native, refs)
        except (LensError, BadValue) as error:
            problem = problem or _problem(spec, error)
            continue
        if value is not UNKNOWN:
            fields[spec.name] = value
    return Observation(
        side=side,
        id=record.id,
        asked=asked,
        fields=fields,
        native=record.native,
        version=record.version,
        modified=record.modified,
        problem=problem,
        unfinished=record.unfinished,
    )


def show(stream: StreamSpec, side: Side, native: Fields, wanted: Fields, refs: Refs = NO_REFS) -> Shown:
    """Translate `wanted` (shared values) into native changes on top of `native` (as last seen; {} for a create).

    Raises `LensError` where a value cannot be said on this side.
    """
    changes: dict[str, Value] = {}
    shown: dict[str, Value] = {}
    for name, spec, place in _written(stream, side, wanted):
        paths = place.paths
        old = (native.get(paths[0]),) if len(paths) == 1 else tuple([native.get(path) for path in paths])
        put = _put(spec, side, old, wanted[name], refs)
        shown[name] = _get_value(spec, place, side, put, refs)
        _note_changes(changes, place, old, put)
    return Shown(native=changes, shown=shown)


def show_new(stream: StreamSpec, side: Side, wanted: Fields, refs: Refs = NO_REFS) -> Shown:
    """Translate `wanted` into the native fields of a record to be made on `side`; what it will show is not worked out.
    Raises `LensError`."""
    begins: Fields = (
        {RECORD_OBJECT: begins_in(stream)} if side == stream.several and begins_in(stream) else {}
    )
    native: dict[str, Value] = {}
    for name, spec, place in _written(stream, side, wanted):
        if wanted[name] is None:
            continue
        old = tuple([begins.get(path) for path in place.paths]) if begins else place.nothing
        put = _put(spec, side, old, wanted[name], refs)
        if spec.reference or spec.lines is not None:
            _get_value(spec, place, side, put, refs)  # refused where it would not come back as it was told
        _note_changes(native, place, old, put)
    return Shown(native, {})


def _written(
    stream: StreamSpec, side: Side, wanted: Iterable[str]
) -> Iterator[tuple[str, FieldSpec, FieldSide]]:
    """Those of the fields that are written on `side`: what is only read is not, not even where a record is put back."""
    for name in wanted:
        spec = stream.field(name)
        place = spec.side(side)
        if place is not None and not place.lens.one_way:
            yield name, spec, place


def _note_changes(
    changes: dict[str, Value], place: FieldSide, old: tuple[Value, ...], put: tuple[Value, ...]
) -> None:
    for path, new, was in zip(place.paths, put, old, strict=True):
        if not same(new, was):
            changes[path] = new


def begun(stream: StreamSpec, side: Side, told: Shown) -> Shown:
    """A new record with what it starts with on `side` where nothing else is told (G5)."""
    starts = {path: v for path, v in stream.starts_with[side].items() if told.native.get(path) is None}
    return Shown({**told.native, **starts}, told.shown) if starts else told


def native_of(spec: FieldSpec, side: Side, value: Value) -> Mapping[str, Value]:
    """How `side` writes a shared value of its own accord; {} where nobody can say without a look at the record."""
    place = spec.side(side)
    if place is None or spec.reference or spec.lines is not None or place.lens.one_way:
        return {}  # lines: their ids are the side's own
    try:
        native = place.lens.put((None,) * len(place.paths), value)
        back = _get_value(spec, place, side, native, NO_REFS)
    except (LensError, BadValue):
        return {}
    return dict(zip(place.paths, native, strict=True)) if same(back, value) else {}


def shared(stream: StreamSpec, side: Side) -> Iterable[FieldSpec]:
    """The fields of the stream that `side` has and that are kept in step (not local)."""
    return (spec for spec, _ in stream.shared(side))


def references(stream: StreamSpec, side: Side, records: Iterable[Record]) -> Mapping[str, set[str]]:
    """Which ids of which other streams these records refer to: what `Refs` must know before `observe`."""
    wanted: dict[str, set[str]] = {}
    specs = [spec for spec in shared(stream, side) if spec.references]
    for record in records:
        native = {**record.native, RECORD_ID: record.id} if stream.tells_id(side) else record.native
        for spec in specs:
            _refer(spec, side, native, wanted)
    return wanted


def _refer(spec: FieldSpec, side: Side, native: Fields, wanted: dict[str, set[str]]) -> None:
    place = spec.side(side)
    if place is None:
        return
    value = native.get(place.paths[0])
    if spec.lines is not None:
        for line in lines_of(value):
            for one in spec.lines.fields:
                if one.reference:
                    _refer(one, side, dict(line.cells), wanted)
    elif value is not None:
        wanted.setdefault(spec.reference, set()).update(_candidates(spec, side, str(value)))


def referred(spec: FieldSpec, value: Value) -> Iterable[tuple[str, int]]:
    """The bindings that a shared value points at, each with its stream."""
    if spec.lines is not None:
        for line in lines_of(value):
            for one in spec.lines.fields:
                cell = line.get(one.name)
                if one.reference and isinstance(cell, int):
                    yield one.reference, cell
    elif spec.reference and isinstance(value, int):
        yield spec.reference, value


def _get(spec: FieldSpec, place: FieldSide, side: Side, native: Fields, refs: Refs) -> Seen:
    paths = place.paths
    if spec.lines is not None:
        whole = native.get(paths[0], UNKNOWN)
        return whole if whole is UNKNOWN else _get_lines(spec.lines, side, whole, refs)
    try:
        values = (native[paths[0]],) if len(paths) == 1 else tuple([native[path] for path in paths])
    except KeyError:
        return UNKNOWN
    return _get_value(spec, place, side, values, refs)


def _get_lines(lines: LinesSpec, side: Side, native: Value, refs: Refs) -> Seen:
    return unit_lines.read(lines, side, native, lambda spec, at, cells: _get(spec, at, side, cells, refs))


def _get_value(spec: FieldSpec, place: FieldSide, side: Side, native: tuple[Value, ...], refs: Refs) -> Value:
    if spec.lines is not None:
        seen = _get_lines(spec.lines, side, unit_lines.as_made(spec.lines, side, native[0]), refs)
        if seen is UNKNOWN:
            raise LensError("a line was not delivered as a whole", waits=True)
        return seen
    value = place.lens.get(native)
    if spec.as_set and isinstance(value, tuple):
        value = as_list(value)
    if not spec.reference or value is None:
        return value
    record = str(value) if not isinstance(value, bytes) else value.hex()
    found = [refs.keys.get((spec.reference, side, one)) for one in _candidates(spec, side, record)]
    keys = [key for key in found if key is not None]
    if not keys:
        why = refs.why.get((spec.reference, side, record), "")
        raise LensError(f"{spec.reference} {record} is not in step yet" + why, waits=True)
    if len(keys) > 1:
        raise LensError(f"{spec.reference} {record} stands in several of {', '.join(spec.within[side])}")
    return keys[0]


def _candidates(spec: FieldSpec, side: Side, record: str) -> tuple[str, ...]:
    """The ids that a reference may mean: one, or one in each of several objects."""
    names = spec.within.get(side)
    return tuple(f"{name}{SEPARATOR}{record}" for name in names) if names else (record,)


def _put(spec: FieldSpec, side: Side, old: tuple[Value, ...], value: Value, refs: Refs) -> tuple[Value, ...]:
    place = spec.side(side)
    assert place is not None
    if spec.lines is not None:

        def get(one: FieldSpec, at: FieldSide, cells: Fields) -> Seen:
            return _get(one, at, side, cells, refs)

        def put(one: FieldSpec, before: tuple[Value, ...], cell: Value) -> tuple[Value, ...]:
            return _put(one, side, before, cell, refs)

        return (unit_lines.write(spec.lines, side, old[0], value, get, put),)
    if spec.reference and value is not None:
        assert isinstance(value, int)
        known = refs.ids.get((spec.reference, side, value))
        if known is None:
            raise LensError(f"the {spec.reference} record it refers to is not on side {side} yet", waits=True)
        if not known:
            said = f"the {spec.reference} record it refers to is not on side {side} any more"
            raise LensError(said, waits=True)
        names = spec.within.get(side)
        if names and not known.startswith(tuple(f"{name}{SEPARATOR}" for name in names)):
            raise LensError(f"{spec.reference} {known} is not in {', '.join(names)} yet", waits=True)
        value = owns(known) if names else known
    return place.lens.put(old, value)


def _problem(spec: FieldSpec, error: LensError | BadValue) -> str:
    waits = "waits: " if isinstance(error, LensError) and error.waits else ""
    return f"{waits}field {spec.name}: {error}"
