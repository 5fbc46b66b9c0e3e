"""Both sides of a stream read afresh and completely, record beside record. For runs that look and settle nothing.

Side a is read to its end and each record's partner looked at by id; then side b, where what was met already is passed
over. What was met is kept as one bit per binding, so memory grows by an eighth of a byte per record. Must not: write, or
settle anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import msgspec

from actors.access import Sides
from actors.conclude import Pair
from actors.core.mapping import remapped
from actors.core.plan import half_binding
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Binding, Observation, Presence, Side, other
from actors.state import RunState

BLOCK_BITS: Final = 1 << 16


class Met:
    """A set of bindings' keys, a bit each."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def add(self, key: int) -> None:
        """Put a key into the set."""
        block = self._blocks.setdefault(key // BLOCK_BITS, bytearray(BLOCK_BITS // 8))
        bit = key % BLOCK_BITS
        block[bit // 8] |= 1 << bit % 8

    def __contains__(self, key: int) -> bool:
        block, bit = self._blocks.get(key // BLOCK_BITS), key % BLOCK_BITS
        return block is not None and bool(block[bit // 8] >> bit % 8 & 1)


class Comparing:
    """Reads both sides of a stream. `at`: a safe point, called before each request with what is being done."""

    def __init__(
        self, state: RunState, sides: Sides, window: int, at: Callable[[str], Awaitable[None]]
    ) -> None:
        self._state = state
        self._sides = sides
        self._window = window
        self._at = at

    async def pairs(self, stream: StreamSpec) -> AsyncIterator[list[Pair]]:
        """Windows of records, each once: with a fresh look at every side it has. A record without a binding comes as a
        half binding with the key 0."""
        met = Met()
        for side in SIDES:
            position = ""
            while True:
                await self._at(f"{stream.name}: reading side {side}")
                page, seen = await self._sides[side].scan(stream, position, self._window)
                yield await self._beside(stream, side, seen, met)
                if not page.more:
                    break
                position = page.cursor

    async def again(self, stream: StreamSpec, pairs: Sequence[Pair]) -> list[Pair]:
        """The same records looked at once more, by what is known of them now."""
        out: dict[tuple[Side, str], Pair] = {}
        for side in SIDES:
            ids = [seen.id for pair in pairs if (seen := _lead(pair)) is not None and seen.side == side]
            looks = await self._sides[side].look(stream, ids) if ids else []
            there = [one for one in looks if one.presence is Presence.PRESENT]
            gone = [one for one in looks if one.presence is not Presence.PRESENT]
            for pair in await self._beside(stream, side, there, Met()):
                out[side, seen_id(pair, side)] = pair
            known = await self._known(stream, side, gone)
            partners = await self._partners(stream, side, list(known.values()))
            for left in gone:
                if left.id in known:
                    out[side, left.id] = _paired(known[left.id], left, partners)
        return list(out.values())

    async def _beside(
        self, stream: StreamSpec, side: Side, seen: Sequence[Observation], met: Met
    ) -> list[Pair]:
        known = await self._known(stream, side, seen)
        fresh = [binding for binding in known.values() if binding.key not in met]
        keys = {binding.key for binding in fresh}
        for key in keys:
            met.add(key)
        partners = await self._partners(stream, side, fresh)
        out = []
        for one in {one.id: one for one in seen}.values():
            binding = known.get(one.id)
            if binding is None:
                half = msgspec.structs.replace(half_binding(stream, one, 0), rev=0)
                out.append(_paired(half, one, {}))
            elif binding.key in keys:
                out.append(_paired(binding, one, partners))
        return out

    async def _known(self, stream: StreamSpec, side: Side, seen: Sequence[Observation]) -> dict[str, Binding]:
        if not seen:
            return {}
        found = await self._state.store.bindings(
            self._state.link, stream.name, side, [one.id for one in seen]
        )
        bound = (remapped(stream, one) for one in found)
        return {held.id: one for one in bound if (held := one.side(side)) is not None}

    async def _partners(
        self, stream: StreamSpec, side: Side, bindings: Sequence[Binding]
    ) -> dict[str, Observation]:
        there = other(side)
        ids = [held.id for one in bindings if (held := one.side(there)) is not None]
        looks = await self._sides[there].look(stream, ids, "sweep") if ids else []
        return {one.id: one for one in looks}


def seen_id(pair: Pair, side: Side) -> str:
    """The id of a pair's record on a side that was looked at."""
    seen = pair.a if side == "a" else pair.b
    assert seen is not None
    return seen.id


def _lead(pair: Pair) -> Observation | None:
    return next((seen for seen in pair.seen if seen.presence is Presence.PRESENT), None)


def _paired(binding: Binding, seen: Observation, partners: dict[str, Observation]) -> Pair:
    there = binding.side(other(seen.side))
    partner = partners.get(there.id) if there is not None else None
    return Pair(binding, a=seen, b=partner) if seen.side == "a" else Pair(binding, a=partner, b=seen)
