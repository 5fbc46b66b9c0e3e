"""A run that verifies: both sides read afresh, every difference tied to a rule, a room or work that is due, or a defect.

What the next run would do is no defect while somebody will tell it of the record: a hint waits, a plan or a schedule holds
it, or the side's next look is going to show it. A change that nothing tells of is found by no run until a complete read: it
is looked at once more, and reported. Nothing is written to either side, and nothing is settled. SPEC B4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from actors.access import Sides
from actors.carry import Carrier
from actors.comparing import Comparing, Met
from actors.conclude import Pair
from actors.core.errors import Scope, TandemError
from actors.core.policy import StreamSpec
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Observation,
    Op,
    Outcome,
    Parked,
    Side,
    State,
    other,
)
from actors.core.verdict import Verdict
from actors.core.verify import UNSETTLED, WHOLE, Difference, differences, moved
from actors.messages import Options
from actors.ports import Counters, Cursor, Find, Settlement
from actors.several import find_of
from actors.state import RunState
from actors.window import Windows

DOUBTS_MAX = 500  # that are looked at once more together

_Looks = dict[Side, Observation]
_Judged = tuple[Pair, tuple[Difference, ...]]
# What a record counts as, the gravest first, and its counter.
_COUNTED = (
    (ActionState.DEFECT, "failed"),
    (ActionState.PARKED, "waiting"),
    (ActionState.PLANNED, "waiting"),
    (ActionState.EXPLAINED, "skipped"),
)


class Verified(msgspec.Struct, frozen=True):
    """What came of it. `text`: how many defects, where."""

    outcome: Outcome
    text: str = ""
    error: TandemError | None = None


class Verifying:
    """One verification. `drain`: both feeds are moved into the inbox. `cursors`: how far both sides were looked at."""

    def __init__(
        self,
        state: RunState,
        sides: Sides,
        options: Options,
        finds: Callable[[Side, str], Find],
        at: Callable[[str], Awaitable[None]],
        drain: Callable[[], Awaitable[None]],
        cursors: Sequence[Cursor],
    ) -> None:
        self._state = state
        self._sides = sides
        self._finds = finds
        self._at = at
        self._drain = drain
        self._carrier = Carrier(state, sides)
        self._windows = Windows(state, sides, self._carrier)
        self._comparing = Comparing(state, sides, options.window, at)
        self._options = options
        self._cursors = {(one.stream, one.side): one for one in cursors}
        self._held = Met()  # bindings of the stream that a plan holds
        self._found: Counter[ActionState] = Counter()
        self._defects: Counter[str] = Counter()

    async def execute(self, streams: Sequence[StreamSpec]) -> Verified:
        """Verify stream by stream; an error that concerns one alone leaves the others be."""
        state = self._state
        state.open = {one.id: one for one in await state.store.open_actions(state.link)}
        for stream in streams:
            try:
                await self._stream(stream)
            except TandemError as error:
                state.cut_short(error)
                if error.scope in (Scope.CONNECTION, Scope.LINK):
                    break
        return self._concluded()

    def _concluded(self) -> Verified:
        error = self._state.errors[0] if self._state.errors else None
        if error is not None:
            return Verified(Outcome.PARTIAL if self._found else Outcome.FAILED, error=error)
        if self._defects:
            said = ", ".join(f"{count} in {stream}" for stream, count in sorted(self._defects.items()))
            total = sum(self._defects.values())
            return Verified(Outcome.PARTIAL, f"{total} defect{'s' if total > 1 else ''}: {said}")
        return Verified(Outcome.SUCCEEDED if self._found else Outcome.NOTHING_NEW)

    async def _stream(self, stream: StreamSpec) -> None:
        self._held = await self._held_of(stream)
        doubts: list[Pair] = []
        async for pairs in self._comparing.pairs(stream):
            doubts.extend(await self._compare(stream, pairs))
            while len(doubts) >= DOUBTS_MAX:
                await self._doubted(stream, doubts[:DOUBTS_MAX])
                del doubts[:DOUBTS_MAX]
        if doubts:
            await self._doubted(stream, doubts)

    async def _held_of(self, stream: StreamSpec) -> Met:
        found = Met()
        store = self._state.store
        for kind in ("held", "requested"):
            plan = await store.held(self._state.link, stream.name, kind)
            after = 0
            while plan is not None and (
                actions := await store.held_actions(plan.id, after, self._options.window)
            ):
                after = actions[-1].id
                for action in actions:
                    found.add(action.binding)
        return found

    # ------------------------------------------------------------------------------------------------ compare

    async def _compare(self, stream: StreamSpec, pairs: Sequence[Pair]) -> list[Pair]:
        """Write down what is sure of one window; returns what has to be looked at once more."""
        doubts: list[_Judged] = []
        sure: list[_Judged] = []
        for pair, found in await self._judge(stream, pairs):
            doubtful = any(
                one.state in (ActionState.PLANNED, ActionState.DEFECT) for one in found
            ) and not self._is_known(pair)
            (doubts if doubtful else sure).append((pair, found))
        await self._write_down(stream, sure)
        return [pair for pair, _ in doubts]

    async def _judge(self, stream: StreamSpec, pairs: Sequence[Pair]) -> list[_Judged]:
        planned = await self._carrier.verdicts(stream, pairs)
        return [
            (pair, self._differences(stream, pair, verdict, rows))
            for pair, (verdict, rows) in zip(pairs, planned, strict=True)
        ]

    def _differences(
        self, stream: StreamSpec, pair: Pair, verdict: Verdict, rows: Sequence[Parked]
    ) -> tuple[Difference, ...]:
        found = differences(stream, pair.binding, _looks(pair), verdict, rows)
        if found and self._state.is_open(pair.binding.key):
            said = "a write of ours is under way, and its outcome is not settled yet"
            return (Difference(WHOLE, ActionState.PLANNED, "open intent", said),)
        return found

    def _is_known(self, pair: Pair) -> bool:
        """Whether work on the record is noted, so that a run comes to it whatever anybody tells."""
        key, binding = pair.binding.key, pair.binding
        return bool(key) and (
            key in self._held
            or self._state.is_open(key)
            or (binding.state in UNSETTLED and None in (binding.a, binding.b))
            or binding.state in (State.MATCHED, State.GONE)
        )

    # ------------------------------------------------------------------------------------------------- doubts

    async def _doubted(self, stream: StreamSpec, pairs: Sequence[Pair]) -> None:
        """Look once more at what a run would have to be told of, and see whether anybody will."""
        await self._at(f"{stream.name}: looking once more at what differs")
        again = await self._comparing.again(stream, pairs)
        await self._drain()
        judged = await self._judge(stream, again)
        noticed = {side: await self._noticed(stream, side, again) for side in SIDES}
        out = []
        for pair, found in judged:
            by = moved(stream, pair.binding, _looks(pair))
            told = self._is_known(pair) or any(
                (seen := _looks(pair)[side]).id in noticed[side]
                or self._windows.too_early(stream, seen, pair.binding)
                for side in by
            )
            out.append((pair, found if told else tuple(_unnoticed(one, by) for one in found)))
        await self._write_down(stream, out)

    async def _noticed(self, stream: StreamSpec, side: Side, pairs: Sequence[Pair]) -> set[str]:
        """Those whose change on that side somebody tells of: a hint, or the side's next look."""
        state = self._state
        ids = {seen.id for pair in pairs if (seen := _looks(pair).get(side)) is not None}
        cursor = self._cursors.get((stream.name, side)) or Cursor(stream.name, side)
        if not ids or not cursor.completed or cursor.began:
            return ids  # a complete read is under way, or due: it meets everybody
        hinted = await state.store.hinted(state.link, stream.name, side, [*sorted(ids), ""])
        if "" in hinted:
            return ids
        find = find_of(self._finds, stream, side)
        token = await self._sides[side].look_token(stream) if find is Find.FULL else cursor.token
        if find is Find.FULL and (not token or token != cursor.token):
            return ids
        found = ids & set(hinted)
        if find is Find.MODIFIED:
            found |= ids & await self._changed(stream, side, cursor.cursor)
        return found

    async def _changed(self, stream: StreamSpec, side: Side, cursor: str) -> set[str]:
        """What the side's next look for changes is going to show."""
        found: set[str] = set()
        while True:
            page, seen = await self._sides[side].changes(stream, cursor, self._options.window)
            found.update(one.id for one in seen)
            if not page.more or page.cursor == cursor:
                return found
            cursor = page.cursor

    # -------------------------------------------------------------------------------------------- written down

    async def _write_down(self, stream: StreamSpec, judged: Sequence[_Judged]) -> None:
        """The differences as lines of the run's protocol, and each record in one of its counters."""
        counts: dict[tuple[Side, str], int] = {}
        items: list[Action] = []
        for pair, found in judged:
            side = pair.seen[0].side
            counter = next((n for s, n in _COUNTED if any(one.state is s for one in found)), "unchanged")
            counts[side, counter] = counts.get((side, counter), 0) + 1
            items.extend(_line(stream, pair, one) for one in found)
            self._found.update(one.state for one in found)
            self._defects[stream.name] += sum(one.state is ActionState.DEFECT for one in found)
        self._defects += Counter()  # drops zeros
        counters = tuple(
            Counters(stream.name, side, **{name: n for (s, name), n in counts.items() if s == side})
            for side in SIDES
            if any(s == side for s, _ in counts)
        )
        await self._state.settle(Settlement(self._state.run, items=tuple(items), counters=counters))


def _looks(pair: Pair) -> _Looks:
    return {seen.side: seen for seen in pair.seen}


def _unnoticed(one: Difference, by: Sequence[Side]) -> Difference:
    if one.state is not ActionState.PLANNED:
        return one
    sides = " and ".join(by) or "neither side"
    reason = (
        f"{one.reason}; but nothing tells of the change on {sides}: no run comes to it before a complete read"
    )
    return msgspec.structs.replace(one, state=ActionState.DEFECT, reason=reason)


def _line(stream: StreamSpec, pair: Pair, one: Difference) -> Action:
    """A difference as a line of the protocol; `side`: the one that lacks the record, or b."""
    lead = pair.seen[0]
    side: Side = other(lead.side) if one.field == WHOLE else "b"
    at = {"a": pair.binding.a, "b": pair.binding.b}
    held, origin = at[side], at[other(side)]
    return Action(
        stream=stream.name,
        side=side,
        op=Op.NONE,
        binding=pair.binding.key,
        rule=one.rule or "defect",
        reason=f"{one.field}: {one.reason}" if one.field else one.reason,
        target=held.id if held is not None else "",
        origin=origin.id if origin is not None else "",
        decisions=(one.decision,) if one.decision is not None else (),
        state=one.state,
    )
