"""The objects of a stream: one on each side, or several on one of them, each with what is otherwise for its records.

Must not: read other entries of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from actors.core.blueprint.entries_objects import OBJECT
from actors.core.blueprint.nodes import Node, guess, listed
from actors.core.lenses import written_paths
from actors.core.places import SEPARATOR, begins_in
from actors.core.policy import (
    RECORD_OBJECT,
    DeletePolicy,
    FieldSpec,
    LeftBehind,
    ObjectRules,
    Owner,
    StreamSpec,
)
from actors.core.types import SIDES, Side, other


def object_name(node: Node | None) -> str:
    """The name of a side's object; of several, all their names."""
    if node is None:
        return ""
    if isinstance(node.value, Mapping):
        return " + ".join(name for name, _ in node.entries())
    return node.text()


def read_objects(
    stream: Node, creates: frozenset[Side], deletes: Mapping[str, DeletePolicy]
) -> Mapping[Side, tuple[ObjectRules, ...]]:
    """Several objects, by side. `creates`, `deletes`: the stream's, which hold where an object says nothing."""
    out: dict[Side, tuple[ObjectRules, ...]] = {}
    for side in SIDES:
        node = stream.get(side)
        if node is None or not isinstance(node.value, Mapping):
            continue
        out[side] = tuple(_rules(name, at, creates, deletes) for name, at in node.entries())
        if len(out[side]) < 2:
            node.fault("several objects are two at least; write the name alone")
    return out


def _rules(
    name: str, node: Node, creates: frozenset[Side], deletes: Mapping[str, DeletePolicy]
) -> ObjectRules:
    entries = node.table(OBJECT)
    own, gone = entries.get("creates"), entries.get("deletes")
    if SEPARATOR in name:
        node.fault(
            f'"{SEPARATOR}" stands between an object and the id of a record in it; no name may have it'
        )
    said = gone.mapping(SIDES) if gone else None
    return ObjectRules(
        name,
        read_sides(own) if own else creates,
        {side: read_deletes(gone)[side] if said and said.get(side) else deletes[side] for side in SIDES},
    )


def read_creates(node: Node | None) -> frozenset[Side]:
    """The entry `creates`, or another list of sides that is both where nothing is said."""
    return frozenset(SIDES) if node is None else read_sides(node)


def read_sides(node: Node | None) -> frozenset[Side]:
    """A list of sides."""
    return frozenset(cast("Side", item.word(SIDES, "a")) for item in node.items()) if node else frozenset()


def read_deletes(node: Node | None) -> Mapping[str, DeletePolicy]:
    """The entry `deletes`."""
    given = {side: node.mapping(SIDES).get(side) if node else None for side in SIDES}
    return {
        side: found.choice(DeletePolicy, DeletePolicy.IGNORE) if found else DeletePolicy.IGNORE
        for side, found in given.items()
    }


def check_objects(stream: StreamSpec, at: Node) -> None:
    """What several objects owe the other rules of their stream."""
    if len(stream.objects) > 1:
        at.fault("one side only may have several objects; make a stream of each pair")
        return
    for each in SIDES:
        for field in stream.fields:
            place = field.side(each)
            if place is not None and place.within:
                _check_within(stream, field, each, at)
            elif place is not None and RECORD_OBJECT in place.paths:
                _check_field(stream, field, each, at)
    if stream.several is None:
        return
    side = stream.several
    if stream.object_field is None:
        at.fault(
            f'no field says which object a record stands in: one has to have `{side}: "{RECORD_OBJECT}"`',
            "fields",
        )
    if stream.with_lines:
        at.fault("a record with lines moves to no other object", side)
    if stream.effects:
        at.fault("a record that has effects moves to no other object", side)
    if side in stream.once or side in stream.stages:
        at.fault(f"what is written once, or staged, on {side} moves to no other object", side)
    if stream.left_behind is LeftBehind.MARK and not stream.mark.get(side):
        at.fault(f"`mark: {{{side}: ...}}` is missing: which values mark what was left behind", "left_behind")


def _check_field(stream: StreamSpec, field: FieldSpec, side: Side, at: Node) -> None:
    where = ("fields", field.name)
    place, far = field.side(side), field.side(other(side))
    assert place is not None
    if side != stream.several:
        at.fault(f"there is one object on side {side}; {RECORD_OBJECT} is for several", *where, side)
    elif place.lens.one_way:
        return  # a formula that reads it
    elif field is not stream.object_field:
        at.fault(f"{RECORD_OBJECT} stands alone, in one field", *where, side)
    elif field.owner is Owner.LOCAL:
        if begins_in(stream) not in stream.objects_on(side):
            at.fault(
                f"where the object of a record is local, new ones begin somewhere: `starts_with: {{{side}: ...}}` with one "
                f"of {listed(stream.objects_on(side))}",
                *where,
            )
    elif written_paths(place.lens, place.paths) != place.paths or far is None or not far.paths:
        at.fault("the object of a record is a plain value of the other side", *where)
    elif field.on_create_only or field.group or field.reference or field.as_set:
        at.fault("the object of a record is kept in step, and decided by itself", *where)


def _check_within(stream: StreamSpec, field: FieldSpec, side: Side, at: Node) -> None:
    """A field that stands elsewhere in each object."""
    place, where = field.side(side), ("fields", field.name, side)
    assert place is not None
    names = stream.objects_on(side)
    if side != stream.several:
        at.fault(f"there is one object on side {side}; write its path alone", *where)
        return
    for name in {*place.within} ^ {*names}:
        if name in names:
            at.fault(f"it says nothing of {name}; write `~` where it has no such field", *where)
        else:
            at.fault(f'"{name}" is none of {listed(names)}{guess(name, names)}', *where)
    if begins_in(stream) is None:
        at.fault("a record that moves from one object to another holds the same in both: one path", *where)


def pointing(streams: Sequence[StreamSpec], at: Node) -> tuple[StreamSpec, ...]:
    """The streams, with the objects that each reference may point into."""
    by_name = {stream.name: stream for stream in streams}
    return tuple(_pointing(stream, by_name, at) for stream in streams)


def _pointing(stream: StreamSpec, by_name: Mapping[str, StreamSpec], at: Node) -> StreamSpec:
    below = Node(stream, (*at.path, stream.name), at.faults)
    return msgspec.structs.replace(
        stream, fields=tuple(_points(one, by_name, below) for one in stream.fields)
    )


def _points(field: FieldSpec, by_name: Mapping[str, StreamSpec], at: Node) -> FieldSpec:
    if field.lines is not None:
        of_a_line = tuple(_points(one, by_name, at) for one in field.lines.fields)
        return msgspec.structs.replace(field, lines=msgspec.structs.replace(field.lines, fields=of_a_line))
    where = ("fields", field.name)
    named = by_name.get(field.reference)
    side = named.several if named is not None else None
    asked = next(iter(field.within.values()), ())
    if side is None or named is None:
        if asked:
            at.fault("`within` needs a `reference` to a stream with several objects", *where)
        return field
    names = named.objects_on(side)
    for name in asked:
        if name not in names:
            at.fault(f'"{name}" is none of {listed(names)}{guess(name, names)}', *where, "within")
    return msgspec.structs.replace(field, within={side: asked or names})
