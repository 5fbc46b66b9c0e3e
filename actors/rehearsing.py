"""A run that rehearses other rules: what they would do to the records that are bound now, as a plan that is only read.

Both sides are read afresh and each pair is planned under the rules that the run was asked for; what they would write is a
plan of the kind `rehearsal`, field by field, and what they would list in a room is a line of the protocol. Matching is not
rehearsed: a record without a partner shows as a create where the rules would have it go. Nothing is written to either side,
and nothing is settled. SPEC B16.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from actors.access import Sides
from actors.carry import Carrier
from actors.comparing import Comparing
from actors.conclude import Pair
from actors.core.errors import Scope, TandemError
from actors.core.gates import admitted
from actors.core.guard import Passed, over_text
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Action, Op, Parked, Presence, Side
from actors.core.verdict import Verdict
from actors.lines import parked_line
from actors.messages import Options
from actors.ports import COUNTER, Counters, RunRow, Settlement
from actors.state import RunState

KIND: Final = "rehearsal"
REHEARSED: Final = "rehearsed"  # the state of such a plan: it is read, and never approved
EVERYBODY: Final = 2**53


class Rules(msgspec.Struct, frozen=True):
    """What a rehearsal is about: a blueprint, and settings as the store keeps them."""

    blueprint: str
    settings: dict[str, Any] = {}


def rules_of(run: RunRow) -> Rules | None:
    """The rules that a run is to work under, where they are not those of its link."""
    return msgspec.json.decode(run.subject, type=Rules) if run.mode == "rehearse" and run.subject else None


class Rehearsing:
    """One rehearsal."""

    def __init__(
        self, state: RunState, sides: Sides, options: Options, at: Callable[[str], Awaitable[None]]
    ) -> None:
        self._state = state
        self._carrier = Carrier(state, sides)
        self._comparing = Comparing(state, sides, options.window, at)
        self._kinds: Counter[str] = Counter()  # of the stream in hand
        self.found = 0  # what would be done, or listed, in all

    async def execute(self, streams: Sequence[StreamSpec]) -> None:
        """Rehearse stream by stream; an error that concerns one alone leaves the others be."""
        for stream in streams:
            try:
                await self._stream(stream)
            except TandemError as error:
                self._state.cut_short(error)
                if error.scope in (Scope.CONNECTION, Scope.LINK):
                    return

    async def _stream(self, stream: StreamSpec) -> None:
        state = self._state
        self._kinds = Counter()
        left = await state.store.held(state.link, stream.name, KIND)
        if left is not None:  # of a rehearsal that was interrupted
            await state.store.close_plan(state.lease, left.id, "superseded")
        async for pairs in self._comparing.pairs(stream):
            await self._window(stream, pairs)
        plan = await state.store.held(state.link, stream.name, KIND)
        if plan is not None:
            await state.hold(KIND, stream.name, await self._summed(stream), ())
            await state.store.close_plan(state.lease, plan.id, REHEARSED)

    def _gated(self, stream: StreamSpec, pair: Pair) -> Pair:
        """A record without a partner as the gate of these rules lets it be."""
        seen, half = pair.seen[0], pair.binding
        if None not in (half.a, half.b) or seen.presence is not Presence.PRESENT:
            return pair
        now = admitted(stream, half, seen, half.note if half.key else None, stream.name in self._state.loaded)
        return msgspec.structs.replace(pair, binding=now)

    async def _window(self, stream: StreamSpec, pairs: Sequence[Pair]) -> None:
        state = self._state
        pairs = [self._gated(stream, pair) for pair in pairs]
        counts: Counter[tuple[Side, str]] = Counter()
        actions: list[Action] = []
        items: list[Action] = []
        for pair, (verdict, parked) in zip(pairs, await self._carrier.verdicts(stream, pairs), strict=True):
            todo, listed = _told(pair, verdict, parked)
            actions.extend(todo)
            items.extend(map(parked_line, listed))
            counts.update((one.side, COUNTER[one.op]) for one in todo if one.op is not Op.NONE)
            counts[pair.seen[0].side, "waiting"] += len(listed)
            if not todo and not listed:
                alone = pair.binding.a is None or pair.binding.b is None
                counts[pair.seen[0].side, "skipped" if alone else "unchanged"] += 1
        self._kinds.update(kind for one in actions for kind in one.kinds)
        self.found += len(actions) + len(items)
        if actions:
            await state.hold(KIND, stream.name, "a rehearsal that is under way", actions)
        counters = tuple(
            Counters(stream.name, side, **{name: n for (s, name), n in counts.items() if s == side})
            for side in SIDES
            if any(n for (s, _), n in counts.items() if s == side)
        )
        await state.settle(Settlement(state.run, items=tuple(items), counters=counters))

    async def _summed(self, stream: StreamSpec) -> str:
        """What all of it would come to, beside what is allowed."""
        state = self._state
        said = (
            ", ".join(f"{count} {kind}" for kind, count in sorted(self._kinds.items())) or "nothing counted"
        )
        spent = (await state.spent(stream)).spent
        records = await state.records(stream.name, EVERYBODY)
        totals = {kind: spent.get(kind, 0) + count for kind, count in self._kinds.items()}
        over = {
            kind: total
            for kind, total in totals.items()
            if kind in stream.budgets and total > stream.budgets[kind].limit(records)
        }
        text = over_text(stream, Passed((), (), over), records, {})
        ends = f"it would wait as a plan: {text}" if over else "within the budgets"
        return f"rehearsed: {said}; {ends}"


def _told(pair: Pair, verdict: Verdict, parked: Sequence[Parked]) -> tuple[tuple[Action, ...], list[Parked]]:
    """What the rules would do to a record, and list of it that is not listed now. Who was never met has no place yet."""
    known = {(row.room, row.field) for row in parked}
    actions = verdict.actions if pair.binding.key else ()
    return actions, [row for row in verdict.park if (row.room, row.field) not in known]
