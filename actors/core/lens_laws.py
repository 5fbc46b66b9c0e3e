"""The laws of lenses, checked on records: for tests, and for rehearsing a mapping on real data (B16). Pure.

Must not: repair anything, or take a refusal (`LensError`) for a broken law.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from actors.core.policy import FieldSide, FieldSpec, Lens, LensError, LinkSpec
from actors.core.types import SIDES, Side
from actors.core.values import Value, same

Natives = tuple[Value, ...]
# Stream -> native records, each with the side that holds it.
Samples = Mapping[str, Sequence[tuple[Side, Mapping[str, Value]]]]


def law_faults(spec: LinkSpec, samples: Samples) -> tuple[str, ...]:
    """Every law that a field of the link breaks on these records, in words; empty where all hold.

    Each value of a field is put over each native value of it, so the work grows with the square of the samples.
    """
    found: list[str] = []
    for stream in spec.streams:
        records = samples.get(stream.name, ())
        for field in stream.fields:
            for side in SIDES:
                label = f"{stream.name}.{field.name} on side {side}"
                found += [f"{label}: {fault}" for fault in _field_faults(field, side, records)]
    return tuple(found)


def lens_faults(lens: Lens, old: Natives, value: Value, own: bool) -> list[str]:
    """The laws that one `put` breaks. `own`: the value is one that this lens reads, so it has to come back as it is."""
    try:
        written = lens.put(old, value)
    except LensError:
        return []
    try:
        shown = lens.get(written)
        again, settled = lens.put(written, value), lens.put(written, shown)
    except LensError as error:
        return [f"wrote {written} for {value!r} and can't go on from there: {error}"]
    faults = []
    if own and not lens.lossy and not same(shown, value):
        faults.append(f"PutGet: {value!r} over {old} comes back as {shown!r}")
    if again != written or settled != written:
        faults.append(f"no change, no write: {written} for {value!r} becomes {again}, then {settled}")
    return faults


def _field_faults(
    field: FieldSpec, side: Side, records: Sequence[tuple[Side, Mapping[str, Value]]]
) -> list[str]:
    place = field.side(side)
    if place is None or place.lens.one_way:
        return []  # nothing is ever written through it
    natives = list(_natives(place, side, records))
    own = _readable(place.lens, natives)
    theirs = [value for other in SIDES if other != side for value in _values(field, other, records)]
    faults = [fault for native, value in own for fault in _kept(place.lens, native, value)]
    for old in [*natives, (None,) * len(place.paths)]:
        for _, value in own:
            faults += lens_faults(place.lens, old, value, own=True)
        for value in theirs:
            faults += lens_faults(place.lens, old, value, own=False)
    return list(dict.fromkeys(faults))


def _kept(lens: Lens, native: Natives, value: Value) -> list[str]:
    # A null is put only into a new record, where a default may stand in for it.
    if lens.lossy and value is None:
        return []
    put = lens.put(native, value)
    return [] if put == native else [f"GetPut: {native} reads as {value!r} and is written back as {put}"]


def _values(field: FieldSpec, side: Side, records: Sequence[tuple[Side, Mapping[str, Value]]]) -> list[Value]:
    place = field.side(side)
    return (
        [] if place is None else [value for _, value in _readable(place.lens, _natives(place, side, records))]
    )


def _readable(lens: Lens, natives: Iterable[Natives]) -> list[tuple[Natives, Value]]:
    found = []
    for native in natives:
        try:
            found.append((native, lens.get(native)))
        except LensError:
            continue
    return found


def _natives(
    place: FieldSide, side: Side, records: Sequence[tuple[Side, Mapping[str, Value]]]
) -> Iterable[Natives]:
    for held_by, native in records:
        if held_by == side and all(path in native for path in place.paths):
            yield tuple(native[path] for path in place.paths)
