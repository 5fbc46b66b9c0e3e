"""Where a record stands on a side with several objects: its id ("prospects:17"), and the rules of that object. Pure.

On every other side an id is what its system says, and the rules are the stream's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.core.policy import (
    RECORD_OBJECT,
    DeletePolicy,
    LensError,
    ObjectRules,
    Owner,
    StreamSpec,
)
from actors.core.types import SIDES, Binding, Observation, Side, other
from actors.core.values import UNKNOWN, Seen, Value

SEPARATOR = ":"
ID_SIZE_MAX = 2500  # bytes; an index of PostgreSQL takes 2,704, with the names of link and stream
_LACKING = "_lacking"


def can_be_kept(id: str) -> bool:
    """Whether a store can find a record by this id."""
    if id.isascii():
        return len(id) <= ID_SIZE_MAX and "\x00" not in id
    try:
        return len(id.encode()) <= ID_SIZE_MAX and "\x00" not in id
    except UnicodeEncodeError:  # half a surrogate pair
        return False


def qualified(stream: StreamSpec, side: Side, name: str, id: str) -> str:
    """The id by which a record of the object `name` is known; "" stays: it is about the whole object."""
    return f"{name}{SEPARATOR}{id}" if side in stream.objects and id else id


def parted(stream: StreamSpec, side: Side, id: str) -> tuple[str, str]:
    """The object of a record, and its id there."""
    if side not in stream.objects:
        return stream.object(side), id
    name, _, own = id.partition(SEPARATOR)
    return name, own


def by_object(stream: StreamSpec, side: Side, ids: Iterable[str]) -> dict[str, list[str]]:
    """Records by the object that they stand in, under their ids there, each once."""
    out: dict[str, list[str]] = {}
    for one in dict.fromkeys(ids):
        name, own = parted(stream, side, one)
        out.setdefault(name, []).append(own)
    return out


def written_in(stream: StreamSpec, side: Side, id: str, native: Mapping[str, Value]) -> str:
    """The object that a write goes to."""
    said = native.get(RECORD_OBJECT)
    return str(said) if side == stream.several and said is not None else parted(stream, side, id)[0]


def owns(id: str) -> str:
    """The id in its object, of one that carries its object."""
    return id.partition(SEPARATOR)[2]


def begins_in(stream: StreamSpec) -> str | None:
    """The object in which new records are made, where no field of the other side says so (T9)."""
    spec, side = stream.object_field, stream.several
    if spec is None or side is None or spec.owner is not Owner.LOCAL:
        return None
    said = spec.starts_with.get(side, {}).get(RECORD_OBJECT)
    return said if isinstance(said, str) else None


def lacking(stream: StreamSpec, side: Side, name: str) -> tuple[str, ...]:
    """The native paths that other objects of the side have, and this one has not."""
    known: dict[tuple[Side, str], tuple[str, ...]] | None = stream.__dict__.get(_LACKING)
    if known is None:  # worked out once: the rules don't change, and every record asks
        known = stream.__dict__[_LACKING] = _lacking(stream)
    return known.get((side, name), ())


def _lacking(stream: StreamSpec) -> dict[tuple[Side, str], tuple[str, ...]]:
    out: dict[tuple[Side, str], tuple[str, ...]] = {}
    for spec in stream.fields:
        for side in SIDES:
            place = spec.side(side)
            if place is None or not place.within:
                continue
            for name in stream.objects_on(side):
                own = (RECORD_OBJECT, *place.within.get(name, ()))
                strange = (path for path in place.paths if path not in own)
                out[side, name] = tuple(dict.fromkeys((*out.get((side, name), ()), *strange)))
    return out


def rules_in(stream: StreamSpec, name: str | None) -> ObjectRules | None:
    """The rules of one of several objects."""
    every = stream.objects.get(stream.several, ()) if stream.several is not None else ()
    return next((one for one in every if one.name == name), None)


def object_said(stream: StreamSpec, value: Value) -> str | None:
    """The object that a value of the object field means; None where it means none."""
    spec, side = stream.object_field, stream.several
    place = spec.side(side) if spec is not None and side is not None else None
    if place is None or value is None:
        return None
    try:
        said = place.lens.put((None,), value)[0]
    except LensError:
        return None
    return said if isinstance(said, str) and said in stream.objects_on(side or "a") else None


def object_of(stream: StreamSpec, seen: Observation) -> str | None:
    """The one of several objects that a record stands in, or belongs into."""
    if stream.object_field is None:
        return None
    if seen.side == stream.several:
        return parted(stream, seen.side, seen.id)[0]
    if (begins := begins_in(stream)) is not None:
        return begins
    return object_said(stream, seen.fields.get(stream.object_field.name))


def may_create(stream: StreamSpec, seen: Observation) -> bool:
    """Whether this new record leads to one on the other side."""
    if stream.several is None:
        return seen.side in stream.creates
    rules = rules_in(stream, object_of(stream, seen))
    return rules is None or seen.side in rules.creates


def delete_policy(stream: StreamSpec, binding: Binding, side: Side) -> DeletePolicy:
    """What a deletion on `side` does: the object says so where there are several."""
    held = binding.side(stream.several) if stream.several is not None else None
    if stream.several is None or held is None:
        return stream.deletes[side]
    rules = rules_in(stream, parted(stream, stream.several, held.id)[0])
    return rules.deletes[side] if rules is not None else stream.deletes[side]


def mover(stream: StreamSpec, owner: Owner | None, shown: Mapping[Side, Mapping[str, Seen]]) -> Owner | None:
    """The owner of the object field: who may not create in an object moves no record there either, so the edit is put
    back (G22)."""
    spec, side = stream.object_field, stream.several
    if spec is None or side is None:
        return owner
    value = shown[other(side)].get(spec.name, UNKNOWN)
    rules = rules_in(stream, object_said(stream, value)) if value is not UNKNOWN else None
    if rules is not None and other(side) not in rules.creates:
        return Owner(side)
    return owner
