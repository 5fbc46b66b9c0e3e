"""Records of one side that may have been merged: one is gone, and another bound one holds one of its keys (REDTEAM 30).

Asked of the system itself before anything is concluded from a deletion, and who refers to the partner. What is done then
says `core/gone.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.access import Access, Sides
from actors.conclude import Pair
from actors.core.errors import Kind, TandemError
from actors.core.mapping import native_of
from actors.core.merge import settled
from actors.core.places import SEPARATOR, delete_policy, owns
from actors.core.policy import DeletePolicy, FieldSide, FieldSpec, StreamSpec
from actors.core.stream_rules import OnMerge
from actors.core.types import Binding, Observation, Presence, Side, State, other
from actors.core.values import UNKNOWN
from actors.state import RunState


class Merge(msgspec.Struct, frozen=True):
    """`survivor`: the record that took over a match key of the one that is gone, and which key it was. `referring`: records
    beside the one that is left that refer to it; None: not to be known, or of no use."""

    survivor: tuple[str, str]
    referring: tuple[str, ...] | None = None


async def merged(
    state: RunState, sides: Sides, stream: StreamSpec, pairs: Sequence[Pair]
) -> dict[int, Merge]:
    """Those that may have been merged into another record, by key of the binding."""
    found: dict[int, Merge] = {}
    for pair in pairs:
        gone = _gone(pair)
        if gone is None or pair.binding.state is State.TOMBSTONE or stream.on_merge is OnMerge.DELETE:
            continue
        if delete_policy(stream, pair.binding, gone.side) is DeletePolicy.IGNORE:
            continue  # nothing is concluded from it
        if not sides[gone.side].declaration.find_by_field:
            continue
        taken = await _survivor(state, sides, stream, pair.binding, gone)
        if taken is not None:
            held = pair.binding.side(other(gone.side))
            assert held is not None
            referring = await _referring(state, sides[other(gone.side)], stream, held.id)
            found[pair.binding.key] = Merge(taken, referring)
    return found


async def _referring(
    state: RunState, access: Access, stream: StreamSpec, record: str
) -> tuple[str, ...] | None:
    """Who refers to a record on its side, as far as the streams of the link say, whether bound or not; asked of the system
    itself. None where that can't be asked."""
    found: list[str] = []
    for child in state.spec.streams:
        for spec in child.fields:
            place = spec.side(access.side)
            if stream.name not in spec.references or place is None:
                continue
            names = spec.within.get(access.side)
            if names and record.partition(SEPARATOR)[0] not in names:
                continue  # another record may have its id in one of these objects
            if not _is_plain(spec, place) or not access.declaration.find_by_field:
                return None
            (native,) = place.lens.put((None,), owns(record) if names else record)
            try:
                holders = await access.holding(child, place.paths[0], native)
            except TandemError as error:
                if error.kind is not Kind.CONFIG:
                    raise
                return None  # it is searched by other fields only
            found += [f"{child.name} {one.id}" for one in holders if one.presence is Presence.PRESENT]
    return tuple(dict.fromkeys(found))


def _is_plain(spec: FieldSpec, place: FieldSide) -> bool:
    """Whether a reference stands in one native field of its own: not in lines, nor as the record's own id."""
    return spec.lines is None and len(place.paths) == 1 and not place.lens.one_way


def _gone(pair: Pair) -> Observation | None:
    """The look that found its record gone, where the other one is there."""
    if pair.a is None or pair.b is None:
        return None
    gone = [seen for seen in pair.seen if seen.presence is Presence.DELETED]
    return gone[0] if len(gone) == 1 else None


async def _survivor(
    state: RunState, sides: Sides, stream: StreamSpec, binding: Binding, gone: Observation
) -> tuple[str, str] | None:
    for names in stream.match:
        value = settled(binding, gone.side, names[0])
        if len(names) != 1 or value is UNKNOWN or value is None:
            continue
        for path, native in native_of(stream.field(names[0]), gone.side, value).items():
            holders = await sides[gone.side].holding(stream, path, native)
            ids = [one.id for one in holders if one.presence is Presence.PRESENT and one.id != gone.id]
            for known in await state.store.bindings(state.link, stream.name, gone.side, ids):
                if known.key != binding.key and _is_pair(known, gone.side):
                    held = known.side(gone.side)
                    assert held is not None
                    return held.id, names[0]
    return None


def _is_pair(binding: Binding, side: Side) -> bool:
    """Whether a record is bound to a partner: what is new on its side may be the same record, moved."""
    return binding.side(side) is not None and binding.side(other(side)) is not None
