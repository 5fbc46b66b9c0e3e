"""The people of the simulation: they work in both systems and steer the link, while the daemon runs.

Every value they give is unlike all others, so that the auditor can tell where a value came from.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import anyio

from actors.core.values import Line, Value, line_of
from clients.connectors.systems.memory_system import MemorySystem
from tests.sim import objects
from tests.sim.evidence import PERSON
from tests.sim.laws import CELLS, MEMO, SIDES, FieldLaw, Laws, Side, StreamLaw, items_of
from tests.sim.rules_more import OUT

SPECIAL = ("lines", "bytes", "place")  # types whose values say more than one thing


class People:
    """All the people at once: one loop that draws what somebody does next."""

    def __init__(
        self,
        laws: Laws,
        systems: dict[Side, MemorySystem],
        luck: random.Random,
        perils: frozenset[str] = frozenset(),
        first: int = 0,
    ) -> None:
        """`first`: their values are numbered from there."""
        self._laws = laws
        self._perils = perils
        self._systems = systems
        self._luck = luck
        self._count = first
        self._freed: list[tuple[StreamLaw, Side, str]] = []
        self._forms: list[tuple[StreamLaw, Side, str, dict[str, Value]]] = []

    async def work(self, edits: int, during_s: float) -> None:
        """So many deeds, spread over so much time."""
        for _ in range(edits):
            await anyio.sleep(self._luck.expovariate(edits / during_s))
            self.one_deed()

    def one_deed(self) -> None:
        """Something somebody does in one of the systems, or in both at the same moment."""
        deeds: list[tuple[Callable[[], None], int]] = [
            (self._new, 4),
            (self._new_on_both, 1),
            (self._edit, 10),
            (self._edit_both_same, 3),
            (self._edit_both_different, 2),
            (self._clear, 1),
            (self._save_unchanged, 12 if "saved unchanged" in self._perils else 1),
            (self._open_form, 10 if "stale forms" in self._perils else 2),
            (self._save_form, 8 if "stale forms" in self._perils else 2),
            (self._delete, 2),
            (self._rename_key, 3 if "key rename" in self._perils else 0),
            (self._merge, 3 if "merge" in self._perils else 0),
            (self._reuse_id, 3 if "id reuse" in self._perils else 0),
            (self._move, 3 if "moves" in self._perils else 0),
            (self._let_in_or_out, 5 if any(law.gates for law in self._laws.streams) else 0),
            (self._edit_more, 2 if any(self._more(law) for law in self._laws.streams) else 0),
            *self._more_deeds(),
        ]
        (deed,) = self._luck.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])
        deed()

    def _more_deeds(self) -> list[tuple[Callable[[], None], int]]:
        """Deeds that only some rules give reason for, each with its weight."""
        return []

    def fill(self, records: int) -> None:
        """Records that are there before the link is."""
        for _ in range(records):
            if "lines" in self._perils:
                stream = self._stream()
                self._create(stream, "a", self._fresh(stream))
            else:
                self._luck.choice([self._new, self._new, self._new_on_both])()
        if "lines" in self._perils:  # since before anybody listened
            for touch in self._systems["a"].touched():
                self._systems["a"].acknowledge(touch.number)

    # -- values -------------------------------------------------------------------------------------------------

    def _value(self, law: FieldLaw) -> Value:
        self._count += 1
        if law.reference:
            return self._any_reference(law.reference)
        if law.type in SPECIAL:
            return self._special(law)
        if law.type == "decimal":
            return Decimal(self._count) + Decimal("0.25")
        if law.type == "list":
            return tuple(f"it{self._count}.{number}" for number in range(self._luck.randint(0, 2)))
        if law.lens == "map":
            return f"co{self._count}"
        return f"{law.name[:2]}{self._count}" + self._luck.choice(["", "", " and a lot more"])

    def _special(self, law: FieldLaw) -> Value:
        if law.type == "lines":
            return tuple(self._some_lines(self._luck.randint(0, 3)))
        if law.type == "bytes":
            return f"photo {self._count}".encode()
        # Two streams may have the very same rules for it, and other objects.
        stream = next(one for one in self._laws.streams if any(own is law for own in one.fields))
        return self._luck.choice(stream.objects_on(law.many or "a"))

    def _some_lines(self, count: int) -> list[Line]:
        """New lines, in shared names; no two lines are ever about the same."""
        lines = []
        for _ in range(count):
            self._count += 1
            lines.append(line_of({CELLS[0]: f"ar{self._count}", CELLS[1]: Decimal(self._count)}))
        return lines

    def _fresh(self, stream: StreamLaw) -> dict[str, Value]:
        """Shared values of a record that nobody knows yet."""
        given = {law.name: self._value(law) for law in stream.fields if self._luck.random() < 0.8}
        self._count += 1
        keys = {name: f"{name}-{self._count}" for name in {stream.ref, stream.key}}
        return given | keys

    def _native(self, stream: StreamLaw, side: Side, values: dict[str, Value]) -> dict[str, Value]:
        return dict(self._said(side, stream.named(name), value) for name, value in values.items())

    def _said(self, side: Side, law: FieldLaw, value: Value) -> tuple[str, Value]:
        """A shared value as it is entered on a side: native name and value."""
        if not law.reference or value is None:
            return law.native(side), law.told(side, value)
        parent = self._laws.by_name[law.reference]
        ref = parent.named(parent.ref).native(side)
        rows = self._rows(parent, side)
        return law.native(side), next((id for id, held in rows if held[ref] == value), None)

    def _any_reference(self, stream: str) -> Value:
        """What a person would call one of the records of a stream, on whichever side."""
        law, side = self._laws.by_name[stream], self._luck.choice(SIDES)
        id = self._some(law, side)
        held = self._held(law, side, id) if id is not None else None
        return held[law.named(law.ref).native(side)] if held is not None else None

    def _editable(self, stream: StreamLaw) -> list[FieldLaw]:
        """What anybody edits by itself: lines, sums and places have deeds of their own."""
        left = (stream.ref, stream.key, *(("sum",) if stream.adds_up else ()))
        return [law for law in stream.fields if law.name not in left and law.type not in ("lines", "place")]

    # -- deeds --------------------------------------------------------------------------------------------------

    def _stream(self) -> StreamLaw:
        return self._luck.choices(self._laws.streams, [3, 1][: len(self._laws.streams)])[0]

    def _some(self, stream: StreamLaw, side: Side) -> str | None:
        ids = [id for id, _ in self._rows(stream, side)]
        return self._luck.choice(ids) if ids else None

    def _rows(self, stream: StreamLaw, side: Side) -> Iterator[tuple[str, dict[str, Value]]]:
        return objects.rows(self._systems[side], stream, side)

    def _held(self, stream: StreamLaw, side: Side, id: str) -> dict[str, Value] | None:
        return objects.held(self._systems[side], stream, side, id)

    def _set(self, stream: StreamLaw, side: Side, id: str, native: Mapping[str, Value]) -> None:
        objects.edit(self._systems[side], stream, side, id, native, PERSON)

    def _end(self, stream: StreamLaw, side: Side, id: str) -> None:
        objects.delete(self._systems[side], stream, side, id, PERSON)

    def _create(self, stream: StreamLaw, side: Side, values: dict[str, Value]) -> None:
        native = {**self._native(stream, side, values), MEMO: f"memo {self._count}"}
        native |= self._beside(stream, side)
        if (gate := stream.gate(side)) is not None:
            native[gate.path] = self._luck.choice([*gate.values, *gate.values, OUT])
        objects.create(self._systems[side], stream, side, native, PERSON)

    def _beside(self, stream: StreamLaw, side: Side) -> dict[str, Value]:
        """What else a new record holds that is shared with nobody."""
        return {}

    def _change(self, stream: StreamLaw, side: Side, id: str, laws: list[FieldLaw]) -> None:
        values = {law.name: self._value(law) for law in laws}
        there = self._held(stream, side, id)
        for law in laws:
            if law.type == "list" and there is not None:  # some items stay, some are new
                held = items_of(there[law.native(side)])
                kept = [item for item in held if self._luck.random() < 0.7]
                values[law.name] = (*kept, *items_of(values[law.name]))
        self._set(stream, side, id, self._native(stream, side, values))

    def _new(self) -> None:
        stream = self._stream()
        self._create(stream, self._luck.choice(SIDES), self._fresh(stream))

    def _new_on_both(self) -> None:
        stream = self._laws.streams[0]
        mine = self._fresh(stream)
        theirs = {**self._fresh(stream), stream.ref: mine[stream.ref], stream.key: mine[stream.key]}
        self._create(stream, "a", mine)
        self._create(stream, "b", theirs)

    def _edit(self) -> None:
        stream, side = self._stream(), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            laws = self._luck.sample(self._editable(stream), self._luck.randint(1, 2))
            self._change(stream, side, id, laws)

    def _clear(self) -> None:
        stream, side = self._stream(), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            law = self._luck.choice(self._editable(stream))
            self._set(stream, side, id, {law.native(side): None})

    def _pair(self) -> dict[Side, str] | None:
        """The two records of one reference."""
        stream = self._laws.streams[0]
        law = next(law for law in stream.fields if law.name == stream.ref)
        refs = {side: {held[law.native(side)]: id for id, held in self._rows(stream, side)} for side in SIDES}
        both = [ref for ref in refs["a"] if ref in refs["b"]]
        if not both:
            return None
        ref = self._luck.choice(both)
        return {side: refs[side][ref] for side in SIDES}

    def _edit_both_same(self) -> None:
        if (pair := self._pair()) is not None:
            laws = self._editable(self._laws.streams[0])
            law = self._luck.choice([law for law in laws if law.owner == "both"] or laws)
            for side in SIDES:
                self._change(self._laws.streams[0], side, pair[side], [law])

    def _edit_both_different(self) -> None:
        if (pair := self._pair()) is not None:
            laws = self._luck.sample(self._editable(self._laws.streams[0]), 2)
            for side, law in zip(SIDES, laws, strict=True):
                self._change(self._laws.streams[0], side, pair[side], [law])

    def _save_unchanged(self) -> None:
        stream, side = self._stream(), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            held = self._held(stream, side, id)
            assert held is not None
            self._set(stream, side, id, held)

    def _open_form(self) -> None:
        """Somebody opens a record, and will save the whole form later, old values and all."""
        stream, side = self._stream(), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            held = self._held(stream, side, id)
            assert held is not None
            law = self._luck.choice(self._editable(stream))
            form = {**held, **self._native(stream, side, {law.name: self._value(law)})}
            self._forms.append((stream, side, id, form))

    def _save_form(self) -> None:
        if not self._forms:
            return
        stream, side, id, form = self._forms.pop(0)
        if self._held(stream, side, id) is not None:
            self._set(stream, side, id, form)

    def _delete(self) -> None:
        stream, side = self._stream(), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            self._end(stream, side, id)
            self._freed.append((stream, side, id))

    def _reuse_id(self) -> None:
        """The number of a record that was deleted is given to a new one."""
        if self._freed:
            stream, side, id = self._freed.pop()
            values = self._native(stream, side, self._fresh(stream))
            if self._held(stream, side, id) is None and side != stream.several:
                objects.create(self._systems[side], stream, side, values, PERSON, id=id, reuse=True)

    def _rename_key(self) -> None:
        """The field by which records of both sides are matched gets another value."""
        stream, side = self._laws.streams[0], self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is not None:
            self._count += 1
            law = next(law for law in stream.fields if law.name == stream.key)
            renamed = {law.native(side): f"{law.name}-{self._count}"}
            self._set(stream, side, id, renamed)

    def _merge(self) -> None:
        """Two records turn out to be one customer: what the one lacks is copied over, perhaps the key too; it goes."""
        stream, side = self._laws.streams[0], self._luck.choice(SIDES)
        ids = [id for id, _ in self._rows(stream, side)]
        if len(ids) < 2:
            return
        stays, goes = self._luck.sample(ids, 2)
        kept, gone = (self._held(stream, side, id) for id in (stays, goes))
        assert kept is not None and gone is not None
        moved = {
            law.native(side): value
            for law in stream.fields
            if law.name != stream.ref
            and (value := gone[law.native(side)]) is not None
            and (kept[law.native(side)] is None or self._takes_over(stream, law) or self._luck.random() < 0.2)
        }
        if moved:
            self._set(stream, side, stays, moved)
        self._end(stream, side, goes)

    @staticmethod
    def _takes_over(stream: StreamLaw, law: FieldLaw) -> bool:
        """Whether who stays has the key of who goes, as far as the rules make anything of it."""
        return stream.on_merge == "follow" and law.name == stream.key

    def _move(self) -> None:
        """A record gets another id, as in a system whose key is edited: it is gone, and there under the new one."""
        stream, side = self._stream(), self._luck.choice(SIDES)
        if (id := self._some(stream, side)) is None:
            return
        there = self._held(stream, side, id)
        assert there is not None
        self._end(stream, side, id)
        self._create_anew(stream, side, there)

    def _create_anew(self, stream: StreamLaw, side: Side, held: Mapping[str, Value]) -> None:
        """A record with all that another one held."""
        filled = {name: value for name, value in held.items() if value is not None}
        objects.create(self._systems[side], stream, side, filled, PERSON)

    def _let_in_or_out(self) -> None:
        """The value by which a record takes part is set, to another one or the same."""
        gated = [(law, side, gate) for law in self._laws.streams for side, gate in law.gates]
        stream, side, gate = self._luck.choice(gated)
        if (id := self._some(stream, side)) is not None:
            value = self._luck.choice([*gate.values, OUT, OUT, None])
            self._set(stream, side, id, {gate.path: value})

    @staticmethod
    def _more(law: StreamLaw) -> list[tuple[Side, str]]:
        """Fields beside the shared ones that somebody may edit."""
        own = [(side, MEMO) for side in SIDES if side in law.own]
        return [*own, *((one.shown, one.name) for one in law.derived), *((s, n) for s, n, _ in law.starts)]

    def _edit_more(self) -> None:
        stream = self._luck.choice([law for law in self._laws.streams if self._more(law)])
        side, name = self._luck.choice(self._more(stream))
        if (id := self._some(stream, side)) is not None:
            self._count += 1
            self._set(stream, side, id, {name: f"mo{self._count}"})
