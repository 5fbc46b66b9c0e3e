"""Lines of a record in the body of a write: as a whole, in one request (deep insert, deep update). Pure.

Lines that stay carry their key, new ones carry none, and those that are missing go: so the standard has it for a nested list
that is no delta (OData 4.01, 11.4.3.1), and SAP CAP for compositions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actors.core.policy import RECORD_ID
from actors.core.unit_lines import IN_LINES
from actors.core.values import BadValue, Line, Value, lines_of, same
from actors.ports import Write
from clients.connectors.systems.odata_metadata import EntitySet, Lines
from clients.connectors.systems.odata_values import assigned, encoded, key_values


def cells_of(entity_set: EntitySet, writes: Sequence[Write]) -> list[str]:
    """The fields to look at before these writes, so that lines can be compared and numbered: every cell that was seen or is
    to be written, and the one that gives them their order."""
    found: dict[str, None] = {}
    for write in writes:
        for name in {*write.native, *write.seen} & set(entity_set.lines):
            lines = entity_set.lines[name]
            cells = {
                cell for value in (write.native.get(name), write.seen.get(name)) for cell in _cells(value)
            }
            wanted = [*sorted(cells), *filter(None, (lines.order,))] or [lines.set.key[0]]
            found.update(dict.fromkeys(f"{name}{IN_LINES}{cell}" for cell in wanted))
    return list(found)


def as_seen(write: Write, held: Mapping[str, Value]) -> dict[str, Value]:
    """What is held, its lines with no more cells than were seen: so that they can be compared."""
    now = dict(held)
    for name, seen in write.seen.items():
        lines = held.get(name)
        if isinstance(lines, tuple) and any(isinstance(item, Line) for item in lines):
            kept = {RECORD_ID, *_cells(seen)}
            now[name] = tuple(
                line.without(*(cell for cell, _ in line.cells if cell not in kept))
                for line in lines_of(lines)
            )
    return now


def lines_body(lines: Lines, wanted: Value, held: Value) -> list[dict[str, Any]]:
    """The list for the request that leaves a record with the lines `wanted`; `held`: those it has now.

    Raises BadValue for a cell that can't be written."""
    there = {str(line.get(RECORD_ID)): line for line in lines_of(held)}
    found = lines_of(wanted)
    numbers = _numbers(lines, found, there)
    body = []
    for place, line in enumerate(found):
        known = there.get(str(line.get(RECORD_ID)))
        item: dict[str, Any] = {}
        if known is not None:
            values = key_values(lines.set, str(known.get(RECORD_ID)))
            for name, value in zip(lines.set.key, values, strict=True):
                item[name] = encoded(lines.set.properties[name], value)
        for cell, value in line.cells:
            if cell != RECORD_ID and not _is_kept(lines, cell, value, known):
                assigned(item, cell, encoded(lines.set.property(cell, "write"), value))
        if numbers:
            item.setdefault(lines.order, numbers[place])
        body.append(item)
    return body


def _is_kept(lines: Lines, cell: str, value: Value, known: Line | None) -> bool:
    """Whether a cell that can't be written stays as it is, and is simply left out."""
    property_ = lines.set.property(cell, "write")
    if known is not None and cell in lines.set.key:
        return True
    if not property_.computed and not (property_.immutable and known is not None):
        return False
    if known is not None and same(known.get(cell), value):
        return True
    raise BadValue(f"{lines.set.name}{IN_LINES}{cell} can't be written: the service sets it")


def _numbers(lines: Lines, found: Sequence[Line], there: Mapping[str, Line]) -> list[int]:
    """The number of each line in its order: those that have one keep it as long as it fits; new ones stand behind the one
    before, in steps of ten where they are numbered so. Empty where nothing numbers them, or a cell of the rules does."""
    order = lines.set.properties.get(lines.order)
    if (
        order is None
        or order.field_type != "integer"
        or any(lines.order in _cells((line,)) for line in found)
    ):
        return []
    known = [number for line in there.values() if isinstance(number := line.get(lines.order), int)]
    step = 10 if known and all(number % 10 == 0 for number in known) else 1
    numbers: list[int] = []
    last = 0
    for line in found:
        before = there.get(str(line.get(RECORD_ID)))
        number = before.get(lines.order) if before is not None else None
        last = number if isinstance(number, int) and number > last else last + step
        numbers.append(last)
    return numbers


def _cells(value: Value) -> set[str]:
    lines: Iterable[Line] = lines_of(value)
    return {cell for line in lines for cell, _ in line.cells if cell != RECORD_ID}
