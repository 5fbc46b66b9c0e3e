"""Records that stand in several objects of one side at once, or in another one than they did: of those that share a match
key, the one in the object named last is the record (actors/core/several.py). Creates nothing, deletes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from actors.access import Sides
from actors.beside import led, left, standing
from actors.conclude import Pair
from actors.core import match
from actors.core.actions import id_on, note_line
from actors.core.mapping import native_of
from actors.core.policy import StreamSpec
from actors.core.several import (
    at_new_place,
    beside,
    place_of,
    stands_in_both,
    steps_aside,
)
from actors.core.types import Action, ActionState, Binding, Hint, Presence, Side, State
from actors.ports import KeyGroup, Settlement
from actors.state import RunState


class Places:
    """For the streams of one run that have several objects on a side."""

    def __init__(self, state: RunState, sides: Sides) -> None:
        self._state = state
        self._sides = sides

    async def one_each(self, stream: StreamSpec, groups: Sequence[KeyGroup]) -> list[KeyGroup]:
        """The groups without those that stand in an earlier object than another of their side: they are left alone."""
        side, state = stream.several, self._state
        if side is None or state.dry:
            return list(groups)
        crowded = [group for group in groups if len(_halves(group, side)) + len(group.taken) > 1]
        members = await self._by_key(
            [key for group in crowded for key in (*_halves(group, side), *group.taken)]
        )
        aside: dict[int, tuple[Binding, str]] = {}
        for group in crowded:
            here = {
                key: members[key]
                for key in (*_halves(group, side), *group.taken)
                if (held := members[key].side(side)) is not None and held.presence is Presence.PRESENT
            }
            last = max((place_of(stream, one) for one in here.values()), default=0)
            there = [one for one in here.values() if place_of(stream, one) == last]
            if len(there) == 1 and there[0].state is not State.GONE:
                earlier = (key for key in _halves(group, side) if key in here and here[key] is not there[0])
                aside.update({key: (here[key], id_on(there[0], side)) for key in earlier})
        await self._step_aside(stream, list(aside.values()))
        return [_without(group, aside) for group in groups]

    async def _step_aside(self, stream: StreamSpec, halves: Sequence[tuple[Binding, str]]) -> None:
        side, state = stream.several, self._state
        if side is None or not halves:
            return
        bindings = tuple(steps_aside(stream, side, half, record) for half, record in halves)
        items = tuple(
            _line(stream, side, half, id_on(half, side), record)
            for half, (_, record) in zip(bindings, halves, strict=True)
        )
        state.confirmed += len(items)
        await state.settle(Settlement(run=state.run, bindings=bindings, items=items))

    async def moved_on(self, stream: StreamSpec, groups: Sequence[KeyGroup]) -> list[KeyGroup]:
        """Bound records that stand in a later object as well are bound there; the groups that are left."""
        side, state = stream.several, self._state
        if side is None or state.dry:
            return list(groups)
        ones = [group for group in groups if len(group.taken) == len((*group.a, *group.b)) == 1]
        members = await self._by_key([key for group in ones for key in (*group.taken, *group.a, *group.b)])
        found: list[tuple[Binding, Binding]] = []
        rest = [group for group in groups if group not in ones]
        for group in ones:
            bound, new = members[group.taken[0]], members[(*group.a, *group.b)[0]]
            if stands_in_both(stream, side, bound, new) and not state.is_open(bound.key):
                found.append((bound, new))
            else:
                rest.append(group)
        await self._rebind(stream, side, found)
        return rest

    async def _rebind(self, stream: StreamSpec, side: Side, pairs: Sequence[tuple[Binding, Binding]]) -> None:
        if not pairs:
            return
        state = self._state
        bindings: list[Binding] = []
        items: list[Action] = []
        hints: list[Hint] = []
        for bound, new in pairs:
            binding = at_new_place(stream, bound, new)
            was, now = id_on(bound, side), id_on(binding, side)
            bindings += [binding, beside(stream, side, was, now)]
            items.append(_line(stream, side, binding, was, now))
            hints.append(Hint(stream=stream.name, side=side, id=now, reason="moved"))
        state.confirmed += len(items)
        state.memory.arrives(stream.name)
        await state.settle(
            Settlement(
                run=state.run,
                bindings=(*bindings, *await led(state, stream, left(stream, bindings))),
                dropped=tuple(new.key for _, new in pairs),
                items=tuple(items),
                hints=tuple(hints),
            )
        )

    async def not_twice(
        self, stream: StreamSpec, side: Side, pairs: Sequence[Pair], seen: set[int]
    ) -> list[Pair]:
        """Of newcomers that share a match key (one that makes two the same) the one in the later object: the rest are told
        from it once it is bound. Who waits for something else comes last: nobody may wait for that unheard of. `seen`:
        keys of those that were let through before."""
        if side != stream.several:
            return list(pairs)
        waiting = await self._waiting([pair.binding.key for pair in pairs])
        out: list[Pair] = []
        for pair in sorted(pairs, key=lambda p: (-place_of(stream, p.binding), p.binding.key in waiting)):
            every = enumerate(pair.binding.keys)
            shared = {hash_ for level, hash_ in every if hash_ and stream.binds_by(level)}
            if shared.isdisjoint(seen):
                seen |= shared
                out.append(pair)
        return out

    async def _waiting(self, keys: Sequence[int]) -> set[int]:
        """Those of which a room says already why they are not made."""
        rows = await self._state.store.parked(self._state.link, keys) if len(keys) > 1 else ()
        return {row.binding for row in rows}

    async def elsewhere(self, stream: StreamSpec, gone: Sequence[Binding]) -> set[int]:
        """Keys of bindings of which the record is gone, and stands in another object: where no look met it yet (asked by a
        match key, by one of its fields), or where it has stood beside all the while. It is looked at next."""
        side, state = stream.several, self._state
        if side is None or state.dry:
            return set()
        lost = {
            held.id: binding
            for binding in gone
            if (held := binding.side(side)) is not None and held.presence is not Presence.PRESENT
        }
        found: set[int] = set()
        hints: list[Hint] = []
        beside: list[int] = []
        if self._sides[side].declaration.find_by_field:
            for binding in lost.values():
                for one in await self._with_its_key(stream, side, binding):
                    found.add(binding.key)
                    hints.append(Hint(stream=stream.name, side=side, id=one, reason="moved"))
        for half, record in await standing(state, stream, lost):
            found.add(lost[record].key)
            beside.append(half.key)
            hints.append(Hint(stream=stream.name, side=side, id=id_on(half, side), reason="moved"))
        if hints:
            await state.settle(Settlement(run=state.run, dropped=tuple(beside), hints=tuple(hints)))
        return found

    async def _with_its_key(self, stream: StreamSpec, side: Side, binding: Binding) -> list[str]:
        """Records of nobody's that nobody has noted yet."""
        for level, names in enumerate(stream.match):
            values = [(name, binding.base.get(name)) for name in names]
            asked = (native_of(stream.field(n), side, v) for n, v in values if v is not None)
            native = next((one for one in asked if len(one) == 1), None)
            if native is None or not binding.keys[level] or not stream.binds_by(level):
                continue
            ((path, wanted),) = native.items()
            found = await self._sides[side].holding(stream, path, wanted)
            # Of a key of several fields the others have to be the same as well.
            whole = len(names) == 1
            ids = [o.id for o in found if whole or match.keys(stream, o.fields)[level] == binding.keys[level]]
            known = await self._state.store.bindings(self._state.link, stream.name, side, ids) if ids else ()
            taken = {held.id for one in known if (held := one.side(side)) is not None}
            return [one for one in ids if one not in taken]
        return []

    async def _by_key(self, keys: Collection[int]) -> dict[int, Binding]:
        found = await self._state.store.bindings_by_key(self._state.link, sorted(set(keys))) if keys else ()
        return {binding.key: binding for binding in found}


def _halves(group: KeyGroup, side: Side) -> tuple[int, ...]:
    return group.a if side == "a" else group.b


def _without(group: KeyGroup, those: Collection[int]) -> KeyGroup:
    if not those:
        return group
    a, b = (tuple(key for key in keys if key not in those) for keys in (group.a, group.b))
    return msgspec.structs.replace(group, a=a, b=b)


def _line(stream: StreamSpec, side: Side, binding: Binding, was: str, now: str) -> Action:
    reason = f"{was} stands on {side} as {now} too, and that counts"
    return note_line(stream, binding, side, was, "moved", reason, ActionState.CONFIRMED)
