"""Lines and attachments of records in the memory system: shown by their cells and by what they are, written, cut on demand.

Must not: know the engine, or wait.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import msgspec

from actors.core.attachments import describe, own_path
from actors.core.policy import ATTACHED, RECORD_ID
from actors.core.types import Op
from actors.core.values import UNKNOWN, Line, Value, line_of, lines_of, same
from actors.ports import Declaration, FieldInfo, ObjectInfo, Write
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
    return list(_names(tuple(fields)))


@lru_cache(maxsize=512)  # asked for each record that is shown, and the same for all
def _names(fields: tuple[str, ...]) -> tuple[str, ...]:
    plain, lines = asked_lines(fields)
    return tuple(dict.fromkeys(own_path(name) for name in (*plain, *lines)))


def shown(fields: Sequence[str], whole: Mapping[str, Value], told: Sequence[str]) -> dict[str, Value]:
    """The fields `told` of those asked for; of lines the cells asked for, null where a line has no such cell."""
    plain, lines = asked_lines(fields)
    found = {name: _cut(whole[name], lines[name]) for name in lines if name in told}
    for name in plain:
        own = own_path(name)
        if own in told:
            found[name] = _described(whole[own]) if name != own else whole[own]
    return found


def _described(content: Value) -> Value:
    return describe(content) if isinstance(content, bytes) else None


def _cut(value: Value, cells: Sequence[str]) -> Value:
    def one(line: Line) -> Line:
        held = dict(line.cells)
        return line_of({**{cell: held.get(cell) for cell in cells}, RECORD_ID: held[RECORD_ID]})

    return tuple(one(line) for line in lines_of(value)) if isinstance(value, tuple) else value


def moved(held: Mapping[str, Value], seen: Mapping[str, Value]) -> bool:
    """Whether a record no longer holds what was seen of it."""
    return any(not _holds(_shown(held, name), value) for name, value in seen.items())


def _shown(held: Mapping[str, Value], name: str) -> Value:
    own = own_path(name)
    return held.get(name) if own == name else _described(held.get(own))


def _holds(stored: Value, seen: Value) -> bool:
    """Whether a field still holds what was seen; of lines, in the cells that were seen."""
    lines = lines_of(seen)
    if not lines:
        return same(stored, seen)
    there = lines_of(stored)
    return len(there) == len(lines) and all(
        all(same(dict(now.cells).get(name), value) for name, value in was.cells)
        for now, was in zip(there, lines, strict=True)
    )


def written(before: Mapping[str, Value] | None, write: Write) -> dict[str, Value]:
    """The fields to be stored: of a line that stays what was not told stays as well; of an attachment its content."""
    native = {own_path(name): write.attachments.get(name, value) for name, value in write.native.items()}
    found: dict[str, Value] = dict(native)
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


def content(fields: Mapping[str, Value] | None, field: str) -> bytes | None:
    """The content of an attachment of a record."""
    found = (fields or {}).get(own_path(field))
    return found if isinstance(found, bytes) else None


def offered(name: str, key: str, types: Mapping[str, str]) -> ObjectInfo:
    """An object as the system describes it; what holds bytes may be had as an attachment."""
    fields = [FieldInfo(key, "text", required=True), *(FieldInfo(*at) for at in types.items())]
    fields += [
        FieldInfo(f"{path}{ATTACHED}", "attachment") for path, type_ in types.items() if type_ == "bytes"
    ]
    return ObjectInfo(name, key, tuple(fields))
