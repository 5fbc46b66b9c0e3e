"""Unbound records, once both sides were looked at: matched over whole key sets, met for the first time, or created."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial

import msgspec

from actors.access import Sides
from actors.carry import Carrier
from actors.conclude import Pair
from actors.core import ambiguous, match
from actors.core.actions import id_on, note_line
from actors.core.documents import decided
from actors.core.moved import by_key
from actors.core.policy import INITIAL_CREATES, StreamSpec
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Binding,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.verdict import newcomer_state
from actors.keygroups import (
    AMBIGUOUS,
    beside_put_back,
    detail_of,
    holders,
    is_listed,
    listed,
    lookalikes,
    row_of,
    state_again,
    waiting_for_a_word,
    without,
)
from actors.lines import parked_line
from actors.moves import Moves
from actors.places import Places
from actors.ports import Counters, KeyGroup, Settlement
from actors.runtime.together import abreast
from actors.state import RunState
from actors.window import Windows, kept_note, matched

GROUPS = 1000
# So long a claim on a new record's keys stands: until every link of the account has looked, with a wide margin. Whoever met
# one looks again after `CLAIMED_AGAIN_S`, unless a feed tells sooner of what the other link made.
CLAIMED_S = 900.0
CLAIMED_AGAIN_S = 5.0
AT_ONCE = 2  # windows of new records that are carried out while others are looked at
UNBOUND = (State.NEW, State.UNSURE, State.MATCHED, State.GONE)


class Newcomers:
    """Brings the half bindings of a stream to rest."""

    def __init__(
        self,
        state: RunState,
        sides: Sides,
        carrier: Carrier,
        windows: Windows,
        window: int,
        safe_point: Callable[[str], Awaitable[None]],
    ) -> None:
        self._state = state
        self._at = safe_point
        self._sides = sides
        self._carrier = carrier
        self._windows = windows
        self._window = window
        self._left = False
        self._apart: set[int] = set()  # said to be none of those that share a key with them
        self._new_for_sure: set[int] = set()  # of these: nor any of those that are gone
        self._moves = Moves(state, sides)
        self._places = Places(state, sides)

    async def settle(self, stream: StreamSpec) -> bool:
        """Match, conclude what is gone, meet, create. True when nobody had to be left for later."""
        self._left = False
        self._apart, self._new_for_sure = set(), set()
        stirred = stream.name in self._windows.stirred
        if stirred and not self._state.dry:
            await self._reopen(stream)
        unbound = await self._state.store.bindings_in(self._state.link, stream.name, UNBOUND, 0, 1)
        if not unbound and stream.name not in self._state.gone:
            return True  # the common case, in one question
        await self._moves.begin(stream)
        await self._moves.let_in(stream)
        if self._moves.known and not stirred and not self._state.dry:
            await self._reopen_listed(stream)
        taken = await self._match(stream)
        if await self._conclude(stream, taken):
            await self._moves.begin(stream)
            taken |= await self._match(stream)  # what is to be put back is a newcomer like any other
        await self._meet(stream)
        await self._create(stream, taken)
        return not self._left

    # ------------------------------------------------------------------------------------------------- match

    async def _match(self, stream: StreamSpec) -> set[int]:
        """Bind 1:1 groups, strongest key first; in a dry run only work out what would be bound."""
        spoken_for: set[int] = set()
        for level in range(len(stream.match)):
            after: int | None = None
            while True:
                await self._at(f"{stream.name}: matching records")
                groups = await self._state.store.key_groups(
                    self._state.link, stream.name, level, after, GROUPS
                )
                if not groups:
                    break
                await self._decide(stream, level, groups, spoken_for)
                after = groups[-1].hash
        return spoken_for

    async def _decide(
        self, stream: StreamSpec, level: int, groups: Sequence[KeyGroup], spoken_for: set[int]
    ) -> None:
        bind: list[tuple[int, int]] = []
        move: list[tuple[int, int]] = []
        unclear: list[KeyGroup] = []
        # Who shares a clash key is nobody's for that, wherever either of them stands or went.
        binds = stream.binds_by(level)
        taking_part = [without(group, group.kept_out) for group in groups]
        each = await self._places.one_each(stream, taking_part) if binds else taking_part
        for whole, one in zip(groups, each, strict=True):
            group = without(one, self._apart)
            if not (group.a or group.b) or spoken_for.intersection((*group.a, *group.b)):
                continue
            if any(self._state.is_open(key) for key in (*group.a, *group.b)):
                self._left = True  # it is being made: what became of that says who it is
                continue
            verdict = match.decide(group.a, group.b, group.taken, binds)
            if verdict == "bind":
                bind.append((group.a[0], group.b[0]))
            elif binds and by_key(group.a, group.b, group.taken, self._moves.sides):
                move.append((group.taken[0], (*group.a, *group.b)[0]))
            elif verdict == "ambiguous":
                unclear.append(group)
            elif group.put_back and {*group.a, *group.b} - {*group.put_back}:
                # It has its place on the other side, though it is not back there yet: the rest would be doubles of it.
                unclear.append(beside_put_back(group))
            elif beside := holders(stream, whole, group):
                unclear.append(beside)
        await self._move(stream, move, spoken_for)
        unclear = await self._places.moved_on(stream, unclear) if binds else unclear
        if self._state.dry:
            await self._plan_only(stream, bind, spoken_for)
            spoken_for.update(key for group in unclear for key in (*group.a, *group.b))
        else:
            await self._bind(bind)
            await self._list(stream, ", ".join(stream.match[level]), unclear)
        self._moves.leave(without(group, self._apart) for group in unclear)

    async def _bind(self, pairs: Sequence[tuple[int, int]]) -> None:
        if not pairs:
            return
        state = self._state
        halves = await self._by_key([key for pair in pairs for key in pair])
        bindings = tuple(matched(halves[a], halves[b]) for a, b in pairs if a in halves and b in halves)
        dropped = tuple(b for a, b in pairs if a in halves and b in halves)
        await state.settle(Settlement(run=state.run, bindings=bindings, dropped=dropped))
        for binding in bindings:
            state.memory.arrives(binding.stream)

    async def _plan_only(
        self, stream: StreamSpec, pairs: Sequence[tuple[int, int]], spoken_for: set[int]
    ) -> None:
        halves = await self._by_key([key for pair in pairs for key in pair])
        spoken_for.update(halves)
        await self._carry_both(stream, [matched(halves[a], halves[b]) for a, b in pairs])

    async def _list(self, stream: StreamSpec, shared: str, groups: Sequence[KeyGroup]) -> None:
        """Every member of an unclear group waits for a person, as one item with all its members, unless one has spoken."""
        if not groups:
            return
        state = self._state
        members = await self._by_key([key for g in groups for key in (*g.a, *g.b, *g.taken)])
        rows = await state.store.parked(state.link, [key for g in groups for key in (*g.a, *g.b)])
        known = {(row.binding, row.reason, row.fingerprint) for row in rows}
        same: list[tuple[int, int]] = []
        waiting: dict[Side, int] = {"a": 0, "b": 0}
        items: list[Action] = []
        held: list[Binding] = []
        park: list[Parked] = []
        for group in groups:
            detail = detail_of(group, members, shared)
            print_ = ambiguous.shown(group.hash, detail)
            halves = {key: members[key] for key in (*group.a, *group.b)}
            pairs, apart = ambiguous.told(halves, rows, print_)
            same += pairs
            self._apart |= apart
            for key in halves.keys() - {*group.kept_out, *(key for pair in pairs for key in pair)} - apart:
                row = row_of(stream, halves[key], group, detail, print_)
                is_known = (row.binding, row.reason, row.fingerprint) in known
                if is_known and is_listed(halves[key]):
                    continue
                held.append(listed(halves[key]))
                park.append(row)
                if not is_known:
                    state.waited += 1
                    waiting[row.side or "a"] += 1
                    items.append(parked_line(row))
            rest = without(group, apart)
            if self._moves.told(stream, group, rest, members):
                self._new_for_sure |= apart
            held.extend(waiting_for_a_word(members[key]) for key in self._moves.may_be(rest))
        if held:
            counters = tuple(Counters(stream.name, side, waiting=n) for side, n in waiting.items() if n)
            await state.settle(
                Settlement(
                    run=state.run,
                    bindings=tuple(held),
                    park=tuple(park),
                    items=tuple(items),
                    counters=counters,
                )
            )
        await self._bind_told(stream, [(members[a], members[b]) for a, b in same])

    async def _bind_told(self, stream: StreamSpec, pairs: Sequence[tuple[Binding, Binding]]) -> None:
        """Pairs of half bindings that a person says are the same record."""
        if not pairs:
            return
        state = self._state
        bindings = tuple(matched(a, b) for a, b in pairs)
        items = []
        for binding in bindings:
            reason = f"{id_on(binding, 'a')} on a is {id_on(binding, 'b')} on b: decided by a person"
            items.append(
                note_line(stream, binding, "b", id_on(binding, "a"), "matched", reason, ActionState.CONFIRMED)
            )
            state.memory.arrives(stream.name)
        state.confirmed += len(items)
        await state.settle(
            Settlement(
                run=state.run,
                bindings=bindings,
                dropped=tuple(b.key for _, b in pairs),
                items=tuple(items),
                unpark=tuple((binding.key, Room.AMBIGUOUS, "*") for binding in bindings),
            )
        )

    async def _by_key(self, keys: Iterable[int]) -> dict[int, Binding]:
        found = await self._state.store.bindings_by_key(self._state.link, sorted(set(keys)))
        return {binding.key: binding for binding in found}

    async def _reopen(self, stream: StreamSpec) -> None:
        """Somebody of an unclear group may have changed: all unclear ones are matched again."""
        state = self._state
        after = 0
        while True:
            wait = [State.HELD_BACK, State.GONE]
            held = await state.store.bindings_in(state.link, stream.name, wait, after, GROUPS)
            if not held:
                return
            after = held[-1].key
            again = tuple(
                msgspec.structs.replace(b, state=state_again(b), note=kept_note(b), rev=b.rev + 1)
                for b in held
                if b.note.startswith(AMBIGUOUS)
            )
            if again:
                await state.settle(Settlement(run=state.run, bindings=again))

    async def _reopen_listed(self, stream: StreamSpec) -> None:
        """Something is gone: what is listed as unclear beside it may be the same record under another id."""
        state = self._state
        after = 0
        while rows := await state.store.waiting(state.link, stream.name, after, GROUPS, Room.AMBIGUOUS):
            after = rows[-1].id
            listed = await self._by_key(row.binding for row in rows)
            again = tuple(
                msgspec.structs.replace(b, state=State.NEW, note=kept_note(b), rev=b.rev + 1)
                for b in listed.values()
                if is_listed(b)
            )
            if again:
                await state.settle(Settlement(run=state.run, bindings=again))

    # ----------------------------------------------------------------------------------------- what is gone

    async def _move(self, stream: StreamSpec, pairs: Sequence[tuple[int, int]], spoken_for: set[int]) -> None:
        """Pairs of (what is gone, what is new on its side) that share a key with nobody else."""
        halves = await self._by_key([new for _, new in pairs])
        sure = [(key, halves[new]) for key, new in pairs if key in self._moves.known and new in halves]
        await self._moved(stream, sure, spoken_for)

    async def _moved(
        self, stream: StreamSpec, pairs: Sequence[tuple[int, Binding]], spoken_for: set[int]
    ) -> None:
        found = await self._moves.settle(stream, pairs)
        if found and self._state.dry:
            spoken_for.update(half.key for _, half in pairs)
            await self._carry_both(stream, found)

    async def _conclude(self, stream: StreamSpec, spoken_for: set[int]) -> bool:
        """What is gone and shares no key with anything new: told by everything else, or deleted. Whether anything was."""
        if not self._moves.known:
            return False
        blind = {*self._state.blind(stream), *await self._unsure(stream)}  # sides on which it may turn up yet
        sure, unclear = await self._moves.by_content(stream, spoken_for | self._new_for_sure, blind)
        await self._moved(stream, sure, spoken_for)
        groups = [lookalikes(self._moves.sides, keys, halves) for keys, halves in unclear]
        if self._state.dry:
            spoken_for.update(key for group in groups for key in (*group.a, *group.b))
        else:
            await self._list(stream, "everything but their keys", groups)
        self._moves.leave(without(group, self._apart) for group in groups)
        left = list(self._moves.known.values())
        stands = await self._places.elsewhere(stream, left)
        blind_now, late = self._state.blind(stream), self._windows.late.get(stream.name, ())
        gone = [
            b
            for b in left
            if self._moves.sides[b.key] not in blind and b.key not in stands and b.key not in late
        ]
        self._left = self._left or any(self._moves.sides[b.key] in blind_now or b.key in late for b in left)
        for start in range(0, len(gone), self._window):
            await self._at(f"{stream.name}: concluding what is gone")
            page = gone[start : start + self._window]
            await self._carry_both(stream, page, totals_known=len(gone) < self._window)
        return bool(gone) and not self._state.dry

    # --------------------------------------------------------------------------------------- meet and create

    async def _meet(self, stream: StreamSpec) -> None:
        """First contact of matched pairs."""
        after = 0
        while True:
            await self._at(f"{stream.name}: bringing matched records together")
            pairs = await self._state.store.bindings_in(
                self._state.link, stream.name, [State.MATCHED], after, self._window
            )
            if not pairs:
                return
            # Who is gone by now may have moved, or stand elsewhere: that is compared before it counts as deleted.
            await self._carry_both(
                stream, [p for p in pairs if not self._state.is_open(p.key)], concludes=self._state.dry
            )
            after = pairs[-1].key

    async def _carry_both(
        self,
        stream: StreamSpec,
        bindings: Sequence[Binding],
        *,
        totals_known: bool = True,
        concludes: bool = True,
    ) -> None:
        looks: dict[Side, dict[str, Observation]] = {}
        for side in SIDES:
            ids = [held.id for b in bindings if (held := b.side(side)) is not None]
            looks[side] = {o.id: o for o in await self._sides[side].look(stream, ids)} if ids else {}
        pairs = []
        for binding in bindings:
            assert binding.a is not None and binding.b is not None
            a, b = looks["a"][binding.a.id], looks["b"][binding.b.id]
            if self._windows.too_early(stream, a, binding) or self._windows.too_early(stream, b, binding):
                self._left = True
                continue
            is_odd = a.problem or b.problem  # it waits in its room, and holds up nobody
            if not concludes and not is_odd and {a.presence, b.presence} != {Presence.PRESENT}:
                self._left = True
            pairs.append(Pair(binding, a=a, b=b))
        await self._carrier.carry(stream, pairs, totals_known=totals_known, concludes=concludes)

    async def _unsure(self, stream: StreamSpec) -> set[Side]:
        """Sides with a stranger who can't be matched yet: whatever is created there may be he."""
        found = await self._state.store.bindings_in(self._state.link, stream.name, [State.UNSURE], 0, GROUPS)
        return {side for half in found for side in SIDES if half.side(side) is not None}

    async def _create(self, stream: StreamSpec, spoken_for: set[int]) -> None:
        state, carry = self._state, self._carrier.carry
        # Where no budget counts what an initial load makes, one window is written while the next is looked at and planned.
        counted = state.dry or stream.name in state.loaded or INITIAL_CREATES in stream.budgets
        at_once = 1 if counted else AT_ONCE
        async with abreast(at_once) as begin:
            async for pairs, is_last in self._new(stream, spoken_for):
                await begin(partial(carry, stream, pairs, totals_known=is_last))

    async def _new(self, stream: StreamSpec, spoken_for: set[int]) -> AsyncIterator[tuple[list[Pair], bool]]:
        """Windows of newcomers that may be created now, looked at freshly; and whether nobody comes after."""
        unsure, under_way = await self._unsure(stream), await self._under_way(stream)
        made: set[int] = set()
        after = 0
        while True:
            await self._at(f"{stream.name}: creating what is new")
            halves = await self._state.store.bindings_in(
                self._state.link, stream.name, [State.NEW], after, self._window
            )
            if not halves:
                return
            after = halves[-1].key
            pairs: list[Pair] = []
            for side in SIDES:
                mine = [h for h in halves if h.side(side) is not None and h.key not in spoken_for]
                mine = self._but_those(under_way, mine)
                if self._state.gate.is_closed(stream, other(side)):
                    mine = await self._undelayed(stream, side, mine)
                if side in self._state.blind(stream):
                    self._left = self._left or bool(mine)
                elif other(side) in unsure:
                    continue  # until the stranger there can be matched; the waiting room says whom they wait for
                elif mine:
                    looked = await self._looked(stream, side, mine)
                    ones = await self._places.not_twice(stream, side, looked, made)
                    self._left = self._left or len(ones) < len(looked)
                    pairs.extend(await self._claimed(stream, side, ones))
            sure = self._windows.untold.without(stream, pairs)
            self._left = self._left or len(sure) < len(pairs)
            yield sure, len(halves) < self._window

    async def _decided(self, stream: StreamSpec, there: Side, halves: Sequence[Binding]) -> list[Binding]:
        """Those that a person decided to import: a decision waits for no schedule."""
        if there not in stream.stages or not halves:
            return []
        rows = await self._state.store.parked(self._state.link, [half.key for half in halves])
        said_yes = {row.binding for row in rows if decided(stream, row)}
        return [half for half in halves if half.key in said_yes]

    async def _undelayed(self, stream: StreamSpec, side: Side, halves: Sequence[Binding]) -> list[Binding]:
        """Those that wait for no schedule: somebody's run goes on for them, or a person decided."""
        asked, now = self._state.memory.asked, self._state.clock.monotonic()
        mine = [
            half for half in halves if asked.get((stream.name, side, id_on(half, side)), -math.inf) >= now
        ]
        rest = [half for half in halves if half not in mine] if mine else halves
        return [*mine, *await self._decided(stream, other(side), rest)]

    async def _under_way(self, stream: StreamSpec) -> list[Binding]:
        """Half bindings of which it is not known yet whether their record was made."""
        keys = [
            one.binding for one in self._state.open.values() if one.op is Op.CREATE and one.covers is None
        ]
        found = await self._by_key(keys) if keys else {}
        return [half for half in found.values() if half.stream == stream.name]

    def _but_those(self, under_way: Sequence[Binding], halves: Sequence[Binding]) -> list[Binding]:
        """Without those that share a match key with a record which is being made: it may be that very record, or what was
        made of it, under another id by now. Once the outcome is known they are matched with what was made."""
        taken = {(level, hash_) for half in under_way for level, hash_ in enumerate(half.keys) if hash_}
        known = {half.key for half in under_way}
        kept = [h for h in halves if h.key in known or not taken.intersection(enumerate(h.keys))]
        self._left = self._left or len(kept) < len(halves)
        return kept

    async def _claimed(self, stream: StreamSpec, side: Side, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Those that nobody else makes: where several links share the account, another one may be at the very same record.
        That one comes back as a stranger, is matched, and nothing is made twice."""
        state = self._state
        hashes = {hash_ for pair in pairs for hash_ in pair.binding.keys if hash_}
        if state.dry or side not in stream.creates or not hashes:
            return pairs
        there = other(side)
        refused: set[int] = set()
        for name in stream.objects_on(there):
            refused.update(await state.store.claim(state.lease, there, name, sorted(hashes), CLAIMED_S))
        kept = [pair for pair in pairs if not refused.intersection(pair.binding.keys)]
        state.claimed_elsewhere |= len(kept) < len(pairs)
        return kept

    async def _looked(self, stream: StreamSpec, side: Side, halves: Sequence[Binding]) -> list[Pair]:
        ids = {held.id: half for half in halves if (held := half.side(side)) is not None}
        out: list[Pair] = []
        again: list[Binding] = []
        for seen in await self._sides[side].look(stream, list(ids)):
            half = ids[seen.id]
            self._windows.untold.note(stream, half, seen)
            if self._windows.too_early(stream, seen, half):
                self._left = True
                lag_s = self._sides[side].declaration.read_lag_s
                self._state.goes_on(stream.name, seen, self._state.clock.now() + lag_s, lags=True)
                continue
            readable = seen.presence is Presence.PRESENT and not seen.problem
            keys = match.keys(stream, seen.fields)
            # Its keys have changed since it was noted, or could not be told then: it is matched by the new ones first.
            if readable and keys != half.keys:
                self._left = True
                if newcomer_state(stream, seen) is State.UNSURE:
                    continue  # a key that was not delivered tells nothing
                again.append(msgspec.structs.replace(half, keys=keys, rev=half.rev + 1))
                continue
            out.append(Pair(half, a=seen) if side == "a" else Pair(half, b=seen))
        if again and not self._state.dry:
            await self._state.settle(Settlement(run=self._state.run, bindings=tuple(again)))
        return out
