"""The records of a stream in a system, wherever they stand: with several objects an id carries its object's name.

Everybody in the simulation who works on records (people, mishaps, the log) does so through these, so that nobody else
knows that a side may have several objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actors.core.values import Value
from clients.connectors.systems.memory_system import MemorySystem
from tests.sim.laws import OBJECT, Side, StreamLaw

SEPARATOR = ":"


def known_as(law: StreamLaw, side: Side, name: str, id: str) -> str:
    """The id by which a record of the object `name` is known."""
    return f"{name}{SEPARATOR}{id}" if side == law.several else id


def parted(law: StreamLaw, side: Side, id: str) -> tuple[str, str]:
    """The object of a record, and its id there."""
    if side != law.several:
        return law.name, id
    name, _, own = id.partition(SEPARATOR)
    return name, own


def told(law: StreamLaw, side: Side, name: str, fields: Mapping[str, Value]) -> dict[str, Value]:
    """The native values of a record, its object among them where there are several."""
    return {**fields, OBJECT: name} if side == law.several else dict(fields)


def rows(system: MemorySystem, law: StreamLaw, side: Side) -> Iterator[tuple[str, dict[str, Value]]]:
    """Every record that is there: id, native values."""
    for name in law.objects_on(side):
        for id, state in system.rows(name):
            yield known_as(law, side, name, id), told(law, side, name, state.fields or {})


def held(system: MemorySystem, law: StreamLaw, side: Side, id: str) -> dict[str, Value] | None:
    """The native values of a record; None where there is none."""
    name, own = parted(law, side, id)
    state = system.get(name, own)
    return told(law, side, name, state.fields or {}) if state is not None else None


def create(
    system: MemorySystem, law: StreamLaw, side: Side, fields: Mapping[str, Value], who: str, **more: Any
) -> str:
    """Make a record in the object that `fields` names, the first where it names none."""
    name = str(fields.get(OBJECT) or law.objects_on(side)[0])
    return known_as(law, side, name, system.create(name, _own(fields), who, **more))


def edit(
    system: MemorySystem, law: StreamLaw, side: Side, id: str, fields: Mapping[str, Value], who: str
) -> None:
    """Change some fields; the object stays what it is."""
    name, own = parted(law, side, id)
    system.edit(name, own, _own(fields), who)


def delete(system: MemorySystem, law: StreamLaw, side: Side, id: str, who: str) -> None:
    """Delete a record."""
    name, own = parted(law, side, id)
    system.delete(name, own, who)


def _own(fields: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if name != OBJECT}
