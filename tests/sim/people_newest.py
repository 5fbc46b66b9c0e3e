"""What people do under the newest rules: lines, records that change their object, keys that two records share."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from actors.core.values import Line, Value, line_of, lines_of
from tests.sim.laws import CELLS, OBJECT, SIDES, Side, StreamLaw, cell_on, other
from tests.sim.people import People

LINE_ID = "@id"  # what a system calls a line


class BusyPeople(People):
    """People, with more to do where the rules give them more."""

    def _more_deeds(self) -> list[tuple[Callable[[], None], int]]:
        laws = self._laws.streams
        return [
            (self._edit_lines, 9 if any(law.units for law in laws) else 0),
            (self._edit_lines_on_both, 3 if laws[0].units else 0),
            (self._change_place, 6 if any(law.objects for law in laws) else 0),
            (self._share_key, 5 if any(law.clashes for law in laws) else 0),
            (self._merge, 4 if laws[0].on_merge != "ask" else 0),
        ]

    def _fresh(self, stream: StreamLaw) -> dict[str, Value]:
        values = super()._fresh(stream)
        if stream.adds_up and self._luck.random() < 0.9:
            values["sum"] = total(lines_of(values.get("items")), CELLS[1])
        return values

    # -- lines --------------------------------------------------------------------------------------------------

    def _edit_lines(self) -> None:
        """Somebody works on the lines of a record, and mostly on what they add up to as well."""
        stream = self._luck.choice([law for law in self._laws.streams if law.units])
        side: Side = self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            self._save_lines(stream, side, id)

    def _edit_lines_on_both(self) -> None:
        if (pair := self._pair()) is not None:
            for side in SIDES:
                self._save_lines(self._laws.streams[0], side, pair[side])

    def _save_lines(self, stream: StreamLaw, side: Side, id: str) -> None:
        law, held = stream.units, self._held(stream, side, id)
        assert law is not None and held is not None
        lines = list(lines_of(held[law.native(side)]))
        for _ in range(self._luck.choice([1, 1, 2])):
            self._luck.choice([self._add, self._add, self._drop, self._reprice, self._swap, self._anew])(
                side, lines
            )
        saved: dict[str, Value] = {law.native(side): tuple(lines)}
        if stream.adds_up and self._luck.random() < 0.9:
            sum_ = stream.named("sum")
            saved[sum_.native(side)] = sum_.told(side, total(lines, cell_on(side, CELLS[1])))
        self._set(stream, side, id, saved)

    def _add(self, side: Side, lines: list[Line]) -> None:
        (one,) = self._some_lines(1)
        native = line_of({cell_on(side, name): value for name, value in one.cells})
        lines.insert(self._luck.randint(0, len(lines)), native)

    def _drop(self, side: Side, lines: list[Line]) -> None:
        if lines:
            lines.pop(self._luck.randrange(len(lines)))

    def _reprice(self, side: Side, lines: list[Line]) -> None:
        if lines:
            at = self._luck.randrange(len(lines))
            self._count += 1
            amount = {cell_on(side, CELLS[1]): Decimal(self._count) + Decimal("0.25")}
            lines[at] = line_of({**dict(lines[at].cells), **amount})

    def _swap(self, side: Side, lines: list[Line]) -> None:
        if len(lines) > 1:
            lines.append(lines.pop(0))

    def _anew(self, side: Side, lines: list[Line]) -> None:
        """As some systems save: all lines go, and are made again under other ids."""
        lines[:] = [line.without(LINE_ID) for line in lines]

    # -- several objects, keys that two share ---------------------------------------------------------------------

    def _change_place(self) -> None:
        """A record belongs into another object by now: somebody moves it, or says so on the side with one object."""
        stream = self._luck.choice([law for law in self._laws.streams if law.objects])
        side: Side = self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is None:
            return
        place, held = stream.named("place").native(side), self._held(stream, side, id)
        assert held is not None
        names = stream.objects_on(stream.several or "a")
        others = [name for name in names if name != held[place]]
        if side != stream.several:
            self._set(stream, side, id, {place: self._luck.choice(others)})
            return
        if self._luck.random() < 0.8:  # else it stands in both
            self._end(stream, side, id)
        self._create_anew(stream, side, {**held, OBJECT: self._luck.choice(others)})

    def _share_key(self) -> None:
        """A record that is another one gets a key that one on the other side, or its own, has."""
        stream = self._luck.choice([law for law in self._laws.streams if law.clashes])
        side: Side = self._luck.choice(SIDES)
        there: Side = self._luck.choice([side, other(side), other(side)])
        if (id := self._some(stream, there)) is None:
            return
        held, key = self._held(stream, there, id), stream.named(stream.key)
        assert held is not None
        shared = held[key.native(there)]
        mine = self._some(stream, side)
        if mine is not None and self._luck.random() < 0.3:
            self._set(stream, side, mine, {key.native(side): shared})
        else:
            self._create(stream, side, {**self._fresh(stream), stream.key: shared})


def total(lines: list[Line] | tuple[Line, ...], cell: str) -> Decimal:
    """What lines add up to."""
    amounts = (dict(line.cells).get(cell) for line in lines)
    return sum((Decimal(one) for one in amounts if isinstance(one, int | Decimal)), Decimal(0))
