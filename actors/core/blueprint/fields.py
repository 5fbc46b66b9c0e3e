"""One field of a blueprint: from its entries to a `FieldSpec`.

Must not: compare fields with each other; that is checks.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from actors.core.blueprint.attachments import read_attachment
from actors.core.blueprint.entries import FIELD, IN_OBJECT, NAME, NEWEST
from actors.core.blueprint.entries_lines import line_table, lines_table
from actors.core.blueprint.lens_build import build, join_for_paths
from actors.core.blueprint.lines import check_lines_field, read_lines
from actors.core.blueprint.nodes import Node, described, listed
from actors.core.blueprint.rules import check_one_way, own_id, read_constant, read_owner, read_starts
from actors.core.lenses_objects import ByObject, InObject
from actors.core.policy import RECORD_OBJECT, Choice, FieldSide, FieldSpec, FirstContact, ForeignEdit, Owner
from actors.core.stream_rules import Reactivation
from actors.core.types import SIDES, Side, other

_NAME: Final = re.compile(NAME, re.ASCII)
LINE: Final = line_table(FIELD)
LINES: Final = lines_table(FIELD)


def read_fields(stream: str, node: Node | None) -> tuple[FieldSpec, ...]:
    """The fields of a stream, in the order of the text."""
    found = [] if node is None else [_field(stream, name, entry) for name, entry in node.entries()]
    if node is not None and not found:
        node.fault("a stream needs at least one field")
    return tuple(found)


def check_name(node: Node, name: str) -> None:
    """Note a fault where `name` can't name a stream or a field."""
    if not _NAME.fullmatch(name):
        node.fault(f"{described(name)} is not a name: small letters, digits and _, a letter first")


def flag(node: Node, key: str) -> bool:
    """The flag under `key`, false where it is absent."""
    found = node.get(key)
    return found.flag() if found else False


def _field(stream: str, name: str, entry: Node) -> FieldSpec:
    check_name(entry, name)
    node = entry.table(FIELD)
    sides = {side: _side(f"{stream}.{name}", node, side) for side in SIDES}
    first_contact, group = node.get("first_contact"), node.get("group")
    reference, foreign, within = node.get("reference"), node.get("foreign_edit"), node.get("within")
    again = node.get("reactivation")
    owner, cases = read_owner(node.get("owner"))
    owning, constant = read_constant(node)
    if owning is not None:
        sides[owning], owner = constant, Owner(owning)
    spec = FieldSpec(
        name=name,
        a=sides["a"],
        b=sides["b"],
        owner=owner,
        conflict=_conflict(node.get("conflict")),
        first_contact=first_contact.choice(FirstContact, FirstContact.ASK) if first_contact else None,
        group=group.text() if group else "",
        on_create_only=flag(node, "on_create_only"),
        required=flag(node, "required"),
        as_set=flag(node, "set"),
        reference=reference.text() if reference else "",
        within={"a": tuple(item.text() for item in within.items())} if within else {},
        owner_cases=cases,
        foreign_edit=foreign.choice(ForeignEdit, ForeignEdit.PUT_BACK) if foreign else ForeignEdit.PUT_BACK,
        reactivation=again.choice(Reactivation, Reactivation.FOLLOW) if again else Reactivation.FOLLOW,
    )
    spec = read_attachment(node, spec)
    lines = read_lines(
        node.get("lines"), LINES, lambda inner, below: _line_field(f"{stream}.{name}", inner, below)
    )
    spec = msgspec.structs.replace(spec, lines=lines)
    _check_sides(node, spec)
    _check_lossy(node, spec)
    check_one_way(node, spec)
    check_lines_field(node, spec)
    return msgspec.structs.replace(spec, starts_with=read_starts(node, spec))


def _line_field(label: str, name: str, entry: Node) -> FieldSpec:
    """A field of a line."""
    check_name(entry, name)
    node = entry.table(LINE)
    sides = {side: _side(f"{label}.{name}", node, side) for side in SIDES}
    reference = node.get("reference")
    spec = FieldSpec(
        name=name,
        a=sides["a"],
        b=sides["b"],
        required=flag(node, "required"),
        reference=reference.text() if reference else "",
    )
    for side in SIDES:
        place = spec.side(side)
        if place is None:
            node.fault(f"`{side}` is missing; what one side alone has of a line stays there by itself")
        elif place.lens.one_way:
            node.fault("a field of a line is written as well as read", f"lens_{side}")
    _check_lossy(node, spec)
    return spec


def _side(label: str, node: Node, side: Side) -> FieldSide | None:
    place, own = node.get(side), node.get(f"lens_{side}")
    if place is None:
        if own is not None:
            own.fault(f"there is no path on side {side} for this lens")
        return None
    if isinstance(place.value, Mapping):
        return _in_objects(label, node, place, side)
    paths = _paths(place)
    nodes = [found for found in (own, node.get("lens")) if found is not None]
    lens = own_id(place, paths, build(nodes, paths, f"{label} on side {side}"))
    join_for_paths(place, len(paths), lens)
    return FieldSide(paths, lens)


def _in_objects(label: str, node: Node, place: Node, side: Side) -> FieldSide:
    """Where it stands in each of several objects: `{companies: NAME, people: {path: [FIRST, LAST], lens: join}, x: ~}`."""
    shared = [found for found in (node.get(f"lens_{side}"), node.get("lens")) if found is not None]
    paths: list[str] = [RECORD_OBJECT]
    found: list[InObject] = []
    for name, at in place.entries():
        entries = at.table(IN_OBJECT) if isinstance(at.value, Mapping) else None
        where, lens = (entries.get("path"), entries.get("lens")) if entries else (at, None)
        own = _paths(where) if where is not None and where.value is not None else ()
        made = build([*([lens] if lens else []), *shared], own, f"{label} on side {side} in {name}")
        join_for_paths(at, len(own), made)
        found.append(InObject(name, len(paths), len(own), made))
        paths += own
    if len(set(paths)) < len(paths):
        place.fault("a path stands in two objects; where all call it the same, write it alone")
    within = {one.name: tuple(paths[one.first : one.first + one.count]) for one in found}
    return FieldSide(tuple(paths), ByObject(tuple(found)), within)


def _paths(node: Node) -> tuple[str, ...]:
    paths = [item.text() for item in node.items()] if isinstance(node.value, list) else [node.text()]
    if not paths:
        node.fault("the path is missing")
    if len(set(paths)) < len(paths):
        node.fault("a path stands twice in one field")
    return tuple(paths)


def _conflict(node: Node | None) -> Choice:
    if node is None:
        return Choice.ASK
    if node.value == NEWEST:
        rules = listed(choice.value for choice in Choice if choice.startswith("newest"))
        node.fault(f"not every change carries a time: say what holds without one, as in {rules}")
        return Choice.ASK
    return node.choice(Choice, Choice.ASK)


def _check_sides(node: Node, spec: FieldSpec) -> None:
    missing: list[Side] = [side for side in ("a", "b") if spec.side(side) is None]
    if len(missing) == 2:
        node.fault("the field is on neither side: `a` and `b` are missing")
    elif missing and spec.owner is not Owner.LOCAL:
        (side,) = missing
        node.fault(f"`{side}` is missing; a field of side {other(side)} alone needs owner: local")


def _check_lossy(node: Node, spec: FieldSpec) -> None:
    lossy = any(place is not None and place.lens.lossy for place in (spec.a, spec.b))
    if lossy and not flag(node, "lossy"):
        node.fault("a lens of this field does not give back all it was given; say so with lossy: true")
