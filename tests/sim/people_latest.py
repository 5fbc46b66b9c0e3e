"""What people do under the rules of rules_latest.py: they switch records off and on, and say what a record waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from actors.core.values import Value
from tests.sim.laws import SIDES, SINCE, FieldLaw, Side, StreamLaw, other
from tests.sim.people_newest import BusyPeople


class LatestPeople(BusyPeople):
    """People, with still more to do where the rules give them more."""

    def _more_deeds(self) -> list[tuple[Callable[[], None], int]]:
        laws = self._laws.streams
        return [
            *super()._more_deeds(),
            (self._switch, 14 if any(one.ignores for law in laws for one in law.fields) else 0),
            (self._switch_pair, 7 if any(one.ignores for one in laws[0].fields) else 0),
            (self._name_others, 5 if any(law.assigned for law in laws) else 0),
            (self._hand_over, 60 if any(one.turns for law in laws for one in law.fields) else 0),
        ]

    def _value(self, law: FieldLaw) -> Value:
        if law.type == "boolean":
            return self._luck.choice([True, True, False, False, None])
        if law.type == "date":
            self._count += 1
            return SINCE + timedelta(days=self._luck.choice([self._count, 0, -self._count]))
        return super()._value(law)

    # -- active or not ------------------------------------------------------------------------------------------

    def _switch(self) -> None:
        """A record is switched on or off on one side; mostly to what it is not."""
        laws = [law for law in self._laws.streams if any(one.ignores for one in law.fields)]
        stream, side = self._luck.choice(laws), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            self._turn(stream, side, id)

    def _turn(self, stream: StreamLaw, side: Side, id: str) -> None:
        held = self._held(stream, side, id)
        assert held is not None
        for law in (one for one in stream.fields if one.ignores):
            turned = held[law.native(side)] is False
            value = turned if self._luck.random() < 0.8 else self._value(law)
            self._set(stream, side, id, {law.native(side): value})

    def _switch_pair(self) -> None:
        """Somebody switches a record on one side at the moment at which somebody else does so on the other one."""
        stream = self._laws.streams[0]
        if (pair := self._pair()) is not None:
            for side in SIDES:
                self._turn(stream, side, pair[side])

    # -- whose it is --------------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Somebody marks a record, or takes the mark away, and somebody edits what has another owner by that."""
        stream = self._luck.choice([law for law in self._laws.streams if any(f.turns for f in law.fields)])
        side = self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is None:
            return
        owned = [one for one in stream.fields if one.turns]
        marked = stream.named(owned[0].turns)
        edits = [marked, self._luck.choice(owned)]
        self._change(stream, side, id, self._luck.sample(edits, self._luck.randint(1, 2)))
        if (
            stream is self._laws.streams[0]
            and self._luck.random() < 0.5
            and (pair := self._pair()) is not None
        ):
            self._change(stream, side, pair[side], [marked])
            self._change(stream, other(side), pair[other(side)], [self._luck.choice(owned)])

    # -- what is named ------------------------------------------------------------------------------------------

    def _beside(self, stream: StreamLaw, side: Side) -> dict[str, Value]:
        return {path: self._names(stream, at) for at, path in stream.assigned if at == side}

    def _names(self, stream: StreamLaw, side: Side) -> Value:
        """Which records of the required stream a record waits for: none, one, two, or one that nobody has ever seen."""
        needed = self._laws.by_name[stream.requires[0]]
        native = needed.named(needed.names).native(side)
        held = [row[native] for _, row in self._rows(needed, side) if row[native] is not None]
        count = min(self._luck.choice([0, 1, 1, 1, 2]), len(held))
        chosen = [str(one) for one in self._luck.sample(held, count)]
        if self._luck.random() < 0.15:
            chosen.append(f"nobody-{self._luck.randrange(9)}")
        return ", ".join(chosen) or None

    def _name_others(self) -> None:
        stream = self._luck.choice([law for law in self._laws.streams if law.assigned])
        side, path = self._luck.choice(stream.assigned)
        if (id := self._some(stream, side)) is not None:
            self._set(stream, side, id, {path: self._names(stream, side)})
