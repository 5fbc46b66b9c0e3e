"""Lines of records in the memory system: given ids, shown by their cells, written over what is there, and cut on demand.

Must not: know the engine, or wait.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from actors.core.policy import RECORD_ID
from actors.core.types import Op
from actors.core.values import UNKNOWN, Line, Value, line_of, lines_of, same
from actors.ports import Declaration, Write
from clients.connectors.lines import asked_lines, steps

LINES = "lines"  # the type of a field that holds them


def with_ids(lines: Value, draw: Callable[[], str]) -> Value:
    """Lines as they are stored: one that has no id yet is given one."""
    return tuple(
        line if line.get(RECORD_ID) is not UNKNOWN else line_of({**dict(line.cells), RECORD_ID: draw()})
        for line in lines_of(lines)
    )


def are_lines(value: Value) -> bool:
    """Whether a value is a list of lines, or an empty list."""
    return isinstance(value, tuple) and len(lines_of(value)) == len(value)


def names(fields: Sequence[str]) -> list[str]:
    """The fields asked for by their own names, each once."""
    plain, lines = asked_lines(fields)
    return list(dict.fromkeys((*plain, *lines)))


def shown(fields: Sequence[str], whole: Mapping[str, Value], told: Sequence[str]) -> dict[str, Value]:
    """The fields `told` of those asked for; of lines the cells asked for, null where a line has no such cell."""
    _, lines = asked_lines(fields)
    return {name: _cut(whole[name], lines[name]) if name in lines else whole[name] for name in told}


def _cut(value: Value, cells: Sequence[str]) -> Value:
    def one(line: Line) -> Line:
        held = dict(line.cells)
        return line_of({**{cell: held.get(cell) for cell in cells}, RECORD_ID: held[RECORD_ID]})

    return tuple(one(line) for line in lines_of(value)) if isinstance(value, tuple) else value


def holds(stored: Value, seen: Value) -> bool:
    """Whether a field still holds what was seen; of lines, in the cells that were seen."""
    lines = lines_of(seen)
    if not lines:
        return same(stored, seen)
    there = lines_of(stored)
    return len(there) == len(lines) and all(
        all(same(dict(now.cells).get(name), value) for name, value in was.cells)
        for now, was in zip(there, lines, strict=True)
    )


def written(before: Mapping[str, Value] | None, native: Mapping[str, Value]) -> dict[str, Value]:
    """The fields to be stored: of a line that stays what was not told stays as well."""
    found = dict(native)
    for name, value in native.items():
        if lines_of(value):
            there = {line.get(RECORD_ID): dict(line.cells) for line in lines_of((before or {}).get(name))}
            found[name] = tuple(
                line_of({**there.get(line.get(RECORD_ID), {}), **dict(line.cells)})
                for line in lines_of(value)
            )
    return found


class Chance(Protocol):
    """What a system draws its faults from."""

    luck: random.Random

    def happens(self, chance: float) -> bool:
        """Whether it does this time."""
        ...


def cut(write: Write, declared: Declaration, chance: float, system: Chance) -> Write | None:
    """What is done of a write that is cut this time; None for one that is carried out whole."""
    if declared.lines != "steps" or not system.happens(chance):
        return None
    return _part_of(write, system.luck)


def _part_of(write: Write, luck: random.Random) -> Write | None:
    """What is done of a write in steps that is cut between two of them; None where there is nothing to cut.

    A create has made the record and some of its lines; an update some of the new lines, and nothing of the rest."""
    name = next((one for one, value in write.native.items() if are_lines(value)), None)
    if name is None or write.op not in (Op.CREATE, Op.UPDATE):
        return None
    wanted = lines_of(write.native[name])
    if write.op is Op.CREATE:
        kept = wanted[: luck.randrange(len(wanted))] if wanted else ()
        return msgspec.structs.replace(write, native={**write.native, name: kept})
    there = lines_of(write.seen.get(name))
    new = [cells for _, cells in steps(there, wanted).insert]
    some = new[: luck.randrange(len(new) + 1)]
    return msgspec.structs.replace(write, native={name: (*there, *(line_of(cells) for cells in some))})
