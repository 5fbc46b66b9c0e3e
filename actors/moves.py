"""What was found gone, once both sides were looked at: moved or renamed if what is new says so, else concluded.

Knows no stream's rules: which record is which says `core/moved.py`, what a deletion does `core/gone.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from actors import effects
from actors.access import Sides
from actors.beside import led
from actors.core import initial, match
from actors.core.actions import id_on, note_line
from actors.core.mapping import remapped
from actors.core.moved import gone_side, moved, told_by, was_told_by
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, ActionState, Binding, Hint, Presence, Side, State
from actors.keygroups import is_waiting
from actors.ports import KeyGroup, Settlement
from actors.sharing import sharing
from actors.state import RunState
from actors.untold import not_stored

PAGE = 1000


class Moves:
    """The bindings of one stream of which a record was found gone. `known` is filled by `begin`, without those that wait for
    a person."""

    def __init__(self, state: RunState, sides: Sides) -> None:
        self._state = state
        self._sides = sides
        self.known: dict[int, Binding] = {}
        self.sides: dict[int, Side] = {}
        self._waiting: set[int] = set()  # for a word on somebody who may be it

    async def begin(self, stream: StreamSpec) -> None:
        """Load them; in a dry run, what this run itself saw."""
        state = self._state
        found = dict(state.gone.get(stream.name, {})) if state.dry else {}
        after = 0
        while page := await state.store.bindings_in(state.link, stream.name, [State.GONE], after, PAGE):
            after = page[-1].key
            whole = (remapped(stream, b) for b in page if not (state.is_open(b.key) or is_waiting(b)))
            found.update({binding.key: binding for binding in whole})
        self.known, self._waiting = found, set()
        self.sides = {key: gone_side(binding) for key, binding in found.items()}

    async def let_in(self, stream: StreamSpec) -> None:
        """Who shares a match key with what is gone on his side, and was left where he is by the initial load, may be that
        record under another id: he is matched like any newcomer, and left again if he is not."""
        state = self._state
        if state.dry or not self.known or not initial.leaves(stream):
            return
        found: dict[int, Binding] = {}
        for level in range(len(stream.match)):
            gone = {key: self.sides[one.key] for one in self.known.values() if (key := one.keys[level])}
            members = await sharing(state, stream, level, gone if stream.binds_by(level) else ())
            for half in (one for those in members.values() for one in those):
                if initial.is_held(half) and half.side(gone[half.keys[level]]) is not None:
                    found[half.key] = initial.matched_anew(half)
        if found:
            await state.settle(Settlement(run=state.run, bindings=tuple(found.values())))

    async def settle(self, stream: StreamSpec, pairs: Sequence[tuple[int, Binding]]) -> list[Binding]:
        """Put new records in the place of what is gone: (key of what is gone, half binding of the new one). They are looked
        at next, as whatever they are now. Returns the bindings as they are then; a dry run only works them out."""
        bindings, items, hints, dropped = [], [], [], []
        ids: dict[Side, dict[str, str]] = {"a": {}, "b": {}}
        for key, half in pairs:
            gone, side = self.known.pop(key), self.sides.pop(key)
            binding = moved(gone, half)
            reason = f"{id_on(gone, side)} on {side} is {id_on(binding, side)} now"
            bindings.append(binding)
            ids[side][id_on(gone, side)] = id_on(binding, side)
            items.append(
                note_line(stream, binding, side, id_on(gone, side), "moved", reason, ActionState.CONFIRMED)
            )
            hints.append(Hint(stream=stream.name, side=side, id=id_on(binding, side), reason="moved"))
            dropped.append(half.key)
        if bindings and not self._state.dry:
            state = self._state
            state.confirmed += len(items)
            state.memory.arrives(stream.name)  # whoever refers to it can go
            beside = await led(state, stream, ids[stream.several]) if stream.several else ()
            for side in SIDES:
                due, given_up, more = await effects.led(state, stream, side, ids[side])
                beside, dropped, hints = (*beside, *due), [*dropped, *given_up], [*hints, *more]
            await state.settle(
                Settlement(
                    run=state.run,
                    bindings=(*bindings, *beside),
                    dropped=tuple(dropped),
                    items=tuple(items),
                    hints=tuple(hints),
                )
            )
        return bindings

    async def by_content(
        self, stream: StreamSpec, spoken_for: Collection[int], blind: Collection[Side]
    ) -> tuple[list[tuple[int, Binding]], list[tuple[list[int], list[Binding]]]]:
        """What is gone and what is new on the same side, told by a key that the partner has by now, else by everything but
        the match keys: one with one; and groups in which it can't be said who is who (keys of what is gone, halves)."""
        sure = await self._by_partners_key(stream, spoken_for)
        told_already = {key for key, _ in sure}
        wanted: dict[tuple[Side, str], list[int]] = {}
        for key, binding in self.known.items():
            told = was_told_by(stream, binding)
            if told is not None and self.sides[key] not in blind and key not in told_already:
                wanted.setdefault((self.sides[key], told), []).append(key)
        if not wanted:
            return sure, []
        spoken_for = {*spoken_for, *(half.key for _, half in sure)}
        found = await self._found(stream, {side for side, _ in wanted}, wanted, spoken_for)
        unclear = []
        for place, halves in found.items():
            if len(halves) == 1 and len(wanted[place]) == 1:
                sure.append((wanted[place][0], halves[0]))
            else:
                unclear.append((wanted[place], halves))
        return sure, unclear

    async def _by_partners_key(
        self, stream: StreamSpec, spoken_for: Collection[int]
    ) -> list[tuple[int, Binding]]:
        """Who is new, with the very match key that the partner of what is gone shows by now, and that is not stored with the
        two yet: somebody edited it, and it moved before that was settled. One with one, and nobody else has that key."""
        state = self._state
        if not self.known or not await state.store.bindings_in(state.link, stream.name, [State.NEW], 0, 1):
            return []
        gone = await self._shown_by_partners(stream)
        sure: dict[int, Binding] = {}
        for level in {level for level, _ in gone}:
            members = await sharing(state, stream, level, [key for at, key in gone if at == level])
            for key, those in members.items():
                lost, (first, *rest) = gone[level, key], those
                is_new = first.state is State.NEW and first.key not in spoken_for
                if is_new and not rest and len(lost) == 1 and first.side(self.sides[lost[0]]) is not None:
                    sure.setdefault(lost[0], first)
        taken = Counter(half.key for half in sure.values())
        return [(key, half) for key, half in sure.items() if taken[half.key] == 1]

    async def _shown_by_partners(self, stream: StreamSpec) -> dict[tuple[int, int], list[int]]:
        """Match keys (level, hash) that partners of what is gone show, and that are not stored with them: what is gone."""
        shown: dict[tuple[int, int], list[int]] = {}
        for side in SIDES:
            there = {id_on(one, side): one for one in self.known.values() if self.sides[one.key] != side}
            for seen in await self._sides[side].look(stream, list(there)) if there else ():
                binding = there[seen.id]
                for level, key in enumerate(match.keys(stream, seen.fields)):
                    if key in not_stored(stream, binding, seen) and stream.binds_by(level):
                        shown.setdefault((level, key), []).append(binding.key)
        return shown

    async def _found(
        self,
        stream: StreamSpec,
        sides: Collection[Side],
        wanted: Mapping[tuple[Side, str], object],
        spoken_for: Collection[int],
    ) -> dict[tuple[Side, str], list[Binding]]:
        state = self._state
        found: dict[tuple[Side, str], list[Binding]] = {}
        after = 0
        while page := await state.store.bindings_in(state.link, stream.name, [State.NEW], after, PAGE):
            after = page[-1].key
            for side in sides:
                mine = {
                    held.id: half
                    for half in page
                    if (held := half.side(side)) is not None and half.key not in spoken_for
                }
                for seen in await self._sides[side].look(stream, list(mine)) if mine else ():
                    if seen.presence is not Presence.PRESENT or seen.problem:
                        continue
                    told = told_by(stream, seen.fields)
                    if told is not None and (side, told) in wanted:
                        found.setdefault((side, told), []).append(mine[seen.id])
        return found

    def may_be(self, group: KeyGroup) -> list[int]:
        """What is gone of a group that holds something new on its side: it may be that."""
        new = {"a": group.a, "b": group.b}
        return [key for key in group.taken if key in self.sides and new[self.sides[key]]]

    def told(
        self, stream: StreamSpec, group: KeyGroup, rest: KeyGroup, members: Mapping[int, Binding]
    ) -> bool:
        """A group of which a person said who is none of it; `rest`: who is left. What is gone of it, and waited for that, is
        concluded now, unless somebody else may be it. Returns whether anything of it is gone."""
        gone = [one for key in group.taken if (one := members[key]).state is State.GONE]
        for one in gone:
            side = gone_side(one)
            if rest.a if side == "a" else rest.b:
                self._waiting.add(one.key)
                continue
            waited = is_waiting(one) and rest != group and one.key not in self._waiting
            if waited and not self._state.is_open(one.key):
                self.known[one.key] = msgspec.structs.replace(
                    remapped(stream, one), note=initial.noted(one, "")
                )
                self.sides[one.key] = side
        return bool(gone)

    def leave(self, unclear: Iterable[KeyGroup]) -> None:
        """Of these groups a person says who is who: what is gone waits."""
        for key in [key for group in unclear for key in self.may_be(group)]:
            del self.known[key], self.sides[key]
