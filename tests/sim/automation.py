"""Something in a system that answers what daemons write there: a workflow, a trigger, a nightly script in a hurry."""

from __future__ import annotations

import random
from decimal import Decimal

from actors.core.values import Value
from clients.connectors.systems.memory_system import Change, MemorySystem, Refused
from tests.sim.evidence import AUTOMATION, OUTSIDE
from tests.sim.laws import FieldLaw, Side, StreamLaw

FIRST = 900_000  # its values are unlike any that people give


class Automation:
    """Answers each write of a daemon to one field by setting the same field, or another one, a little later.

    It never answers people, nor itself, and every answer is a new value: against an owned field it would go on for
    ever if nobody stopped.
    """

    def __init__(self, system: MemorySystem, side: Side, stream: StreamLaw, luck: random.Random) -> None:
        untouched = (stream.ref, stream.key)
        laws = [law for law in stream.fields if law.name not in untouched and law.type in ("text", "decimal")]
        self._system = system
        self._stream = stream
        self._side = side
        self._luck = luck
        self._count = FIRST
        self._watches = luck.choice(laws)
        self._sets = self._watches if luck.random() < 0.5 else luck.choice(laws)
        system.listeners.append(self._changed)

    def __str__(self) -> str:
        return f"on {self._side} {self._stream.name}: {self._watches.name} written -> {self._sets.name} set"

    def _changed(self, change: Change) -> None:
        written = (
            change.object in self._stream.objects_on(self._side)
            and self._watches.native(self._side) in change.sent
        )
        if written and change.who not in OUTSIDE and change.op != "delete":
            self._system.later(
                self._system.now() + self._luck.uniform(0.5, 6.0),
                lambda: self._answer(change.object, change.id),
            )

    def _answer(self, object_name: str, id: str) -> None:
        self._count += 1
        values = {self._sets.native(self._side): self._sets.told(self._side, _value(self._sets, self._count))}
        try:
            self._system.edit(object_name, id, values, AUTOMATION)
        except Refused:
            return  # the record is gone


def _value(law: FieldLaw, number: int) -> Value:
    return Decimal(number) + Decimal("0.25") if law.type == "decimal" else f"au{number}"
