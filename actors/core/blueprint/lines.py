"""The lines of a field of a blueprint: from its entry `lines` to a `LinesSpec`, and what it owes the rest of its stream.

Must not: read a field's own entries; that is fields.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from actors.core.blueprint.entries_lines import TOLERANCE
from actors.core.blueprint.forms import Entry
from actors.core.blueprint.nodes import Node, guess
from actors.core.formula import FormulaError, compiled
from actors.core.lenses import Same
from actors.core.policy import RECORD_ID, FieldSpec, LinesSpec, Owner, StreamSpec, Sum
from actors.core.types import SIDES, Side

ReadField = Callable[[str, Node], FieldSpec]


def read_lines(node: Node | None, table: tuple[Entry, ...], read_field: ReadField) -> LinesSpec | None:
    """The entry `lines`. `read_field` reads one field of a line."""
    if node is None:
        return None
    entries = node.table(table)
    fields, key, ordered = entries.get("fields"), entries.get("key"), entries.get("ordered")
    specs = tuple(read_field(name, entry) for name, entry in fields.entries()) if fields else ()
    names = [spec.name for spec in specs]
    keys = tuple(item.text() for item in key.items()) if key else ()
    for place, name in enumerate(keys):
        if name not in names:
            entries.fault(f'"{name}" is not a field of the lines{guess(name, names)}', "key", place)
    spec = LinesSpec(
        fields=specs,
        key=keys,
        ordered=ordered.flag() if ordered else True,
        position=_position(entries.get("position")),
        sums=_sums(entries, names),
    )
    _check_positions(entries, spec)
    return spec


def _position(node: Node | None) -> Mapping[Side, str]:
    if node is None:
        return {}
    given = node.mapping(SIDES)
    return {side: found.text() for side in SIDES if (found := given.get(side)) is not None}


def _sums(entries: Node, names: list[str]) -> tuple[Sum, ...]:
    node, least = entries.get("sums"), entries.get("tolerance")
    off = Decimal(0)
    if least is not None:
        least.number(TOLERANCE.lowest, TOLERANCE.highest, 0)
        given = least.value
        off = Decimal(given) if isinstance(given, int | Decimal) and not isinstance(given, bool) else off
        if node is None:
            least.fault("there is nothing it could be the tolerance of: `sums` is missing")
    found = []
    for name, entry in node.entries() if node is not None else ():
        text = entry.text("0")
        try:
            compiled(text, tuple(names))
        except FormulaError as error:
            entry.fault(f"the formula can't be used: {error}")
            text = "0"
        found.append(Sum(name, text, tuple(names), off))
    return tuple(found)


def _check_positions(entries: Node, spec: LinesSpec) -> None:
    for side, path in spec.position.items():
        if not spec.ordered:
            entries.fault("an order that says nothing has no position", "position", side)
        for one in spec.fields:
            place = one.side(side)
            if place is not None and path in place.paths:
                entries.fault(f'"{path}" is also the field {one.name} of the lines', "position", side)


def check_lines_field(node: Node, spec: FieldSpec) -> None:
    """What a field with lines may not be besides."""
    if spec.lines is None:
        return
    wrong = {
        "owner": spec.owner is Owner.LOCAL or bool(spec.owner_cases),
        "group": bool(spec.group),
        "set": spec.as_set,
        "reference": bool(spec.reference),
        "on_create_only": spec.on_create_only,
    }
    for entry, is_so in wrong.items():
        if is_so:
            node.fault("the lines of a record are kept in step as a whole: this can't be said of them", entry)
    for side in SIDES:
        place = spec.side(side)
        if place is None:
            continue
        if len(place.paths) != 1 or RECORD_ID in place.paths:
            node.fault("one path of a list is needed", side)
        if not isinstance(place.lens, Same):
            node.fault("lenses stand with the fields of the lines", f"lens_{side}")


def check_lines(stream: StreamSpec, at: Node) -> None:
    """What lines owe the other fields of their stream."""
    names = {spec.name for spec in stream.fields}
    for spec in stream.fields:
        if spec.lines is None:
            continue
        for one in spec.lines.sums:
            if one.field not in names or stream.field(one.field).lines is not None:
                where = ("fields", spec.name, "lines", "sums", one.field)
                at.fault(f'"{one.field}" is no plain field of this stream{guess(one.field, names)}', *where)
        for level, key in enumerate(stream.match):
            if spec.name in key:
                at.fault(f"nothing is matched by {spec.name}: it is a list of lines", "match", level)
