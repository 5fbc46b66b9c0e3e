"""Undoing a run: first a plan of what takes its writes back, on both sides; then, on a yes, exactly that.

Both look at every record afresh. The plan names what can't be taken back, with the reason, in the run's protocol; what was
said yes to goes only where the same write is derived once more, and what moved on since is named. SPEC B2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import msgspec

from actors.access import Sides, target_refs
from actors.carry import Carrier
from actors.conclude import Pair
from actors.core.mapping import remapped
from actors.core.policy import StreamSpec
from actors.core.several import is_leftover
from actors.core.types import SIDES, Action, ActionState, Binding, Observation, Op, Outcome, Side
from actors.core.undo import UNDO, Undo, combined, done_by, undo
from actors.core.verdict import Verdict
from actors.messages import Options
from actors.ports import Settlement
from actors.recover import Recovery
from actors.state import RunState
from actors.window import Windows

KIND: Final = "undo"
LEFT_BEHIND: Final = "it was left behind by a move, and goes back with that: take back the run that moved it"
UNDER_WAY: Final = "a write of ours is under way, or was a moment ago"
NOT_SETTLED: Final = "nobody knows yet what became of it"
_Looks = dict[Side, dict[str, Observation]]


class Subject(msgspec.Struct, frozen=True):
    """What such a run is about: the run to be undone, or the plan that was said yes to."""

    run: str = ""
    plan: str = ""
    stream: str = ""


class Undoing:
    """One undo. `planned`: writes that take something back; `left`: what was not taken back; `waiting`: what stays in the
    plan, for another yes, since nobody knows yet how it stands, or it was not done."""

    def __init__(
        self, state: RunState, sides: Sides, options: Options, at: Callable[[str], Awaitable[None]]
    ) -> None:
        self._state = state
        self._sides = sides
        self._at = at
        self._window = options.window
        self._carrier = Carrier(state, sides)
        self._windows = Windows(state, sides, self._carrier)
        self._subject = msgspec.json.decode(state.row.subject, type=Subject)
        self._closed: set[str] = set()  # streams whose former plan has given way
        self.planned = self.left = self.waiting = 0

    # --------------------------------------------------------------------------------------------------- plan

    async def plan(self, streams: Sequence[StreamSpec]) -> Outcome:
        """Make a plan for each stream of what would take the run's writes back."""
        state, run = self._state, self._subject.run
        state.open = {one.id: one for one in await state.store.open_actions(state.link)}
        after = -1
        while writes := await state.store.writes_of_run(run, after, self._window):
            after = writes[-1].binding
            for stream in streams:
                mine = [one for one in writes if one.stream == stream.name]
                if mine:
                    await self._at(f"{stream.name}: looking at what run {run} wrote")
                    await self._plan_some(stream, [one for one in mine if one.covers is None])
                    async for made in self._covered(mine):
                        await self._plan_some(stream, made)
            known = {stream.name for stream in (*streams, *state.spec.streams)}
            await self._name_all([one for one in writes if one.stream not in known], "its stream is no more")
        return Outcome.AWAITING_APPROVAL if self.planned else Outcome.NOTHING_NEW

    async def _covered(self, writes: Sequence[Action]) -> AsyncIterator[list[Action]]:
        """The creates that one request made together, each by itself."""
        store, link = self._state.store, self._state.link
        for one in writes:
            after = 0
            while one.covers is not None:
                page = await store.bindings_covered(link, one.stream, one.covers, after, self._window)
                if not page:
                    break
                after = page[-1].key
                changed = [_made(one, binding) for binding in page if binding.rev > 1]
                await self._name_all(changed, "it was settled anew since it was made")
                yield [_made(one, binding) for binding in page if binding.rev == 1]

    async def _plan_some(self, stream: StreamSpec, writes: Sequence[Action]) -> None:
        if not writes:
            return
        state = self._state
        unsure = [one for one in writes if one.state is not ActionState.CONFIRMED]
        await self._name_all(unsure, NOT_SETTLED)
        by_place: dict[tuple[int, Side], list[Action]] = defaultdict(list)
        for one in writes:
            if one.state is ActionState.CONFIRMED:
                by_place[one.binding, one.side].append(one)
        done = [combined(stream, found) for found in by_place.values()]
        actions = []
        for write, _, taken_back in await self._undone(stream, done, self._subject.run):
            if taken_back.action is not None:
                actions.append(taken_back.action)
            if said := taken_back.reason or taken_back.left:
                await self._name_all([write], said)
        if actions:
            await self._give_way(stream)
            self.planned += len(actions)
            await state.hold(KIND, stream.name, f"undo of run {self._subject.run}", actions)

    async def _give_way(self, stream: StreamSpec) -> None:
        """At most one undo of a stream is open: a new one takes its place."""
        if stream.name in self._closed:
            return
        self._closed.add(stream.name)
        former = await self._state.store.held(self._state.link, stream.name, KIND)
        if former is not None:
            await self._state.store.close_plan(self._state.lease, former.id, "superseded")

    async def _undone(
        self, stream: StreamSpec, writes: Sequence[Action], run: str
    ) -> list[tuple[Action, Pair | None, Undo]]:
        """Each write with a fresh look at its record, and what takes it back."""
        state = self._state
        found = await state.store.bindings_by_key(state.link, sorted({one.binding for one in writes}))
        bindings = {binding.key: binding for binding in found}
        looks = await self._look(stream, found)
        # What was there before may refer to other records than what is there now.
        wanted = [Observation(one.side, one.target, 0.0, fields=one.before) for one in writes]
        wanted += [seen for side in SIDES for seen in looks[side].values()]
        refs = await target_refs(state.store, state.link, stream, wanted)
        out: list[tuple[Action, Pair | None, Undo]] = []
        for write in writes:
            if is_leftover(write):
                out.append((write, None, Undo(LEFT_BEHIND)))
                continue
            binding = bindings.get(write.binding)
            if binding is None:
                out.append((write, None, Undo("nothing is known of the record any more")))
                continue
            pair = _pair(binding, looks)
            late = any(self._windows.too_early(stream, seen, binding) for seen in pair.seen)
            if late:
                out.append((write, pair, Undo(UNDER_WAY)))
                continue
            at = {seen.side: seen for seen in pair.seen}
            out.append((write, pair, undo(stream, write, remapped(stream, binding), at, refs, run)))
        return out

    async def _look(self, stream: StreamSpec, bindings: Sequence[Binding]) -> _Looks:
        looks: _Looks = {}
        for side in SIDES:
            ids = [held.id for one in bindings if (held := one.side(side)) is not None]
            seen = await self._sides[side].look(stream, ids, "instant") if ids else []
            looks[side] = {one.id: one for one in seen}
        return looks

    # -------------------------------------------------------------------------------------------------- apply

    async def apply(self, stream: StreamSpec) -> Outcome:
        """Carry out what somebody said yes to, where it is derived once more."""
        state = self._state
        await Recovery(state, self._sides).resolve_all()
        after = 0
        while actions := await state.store.held_actions(self._subject.plan, after, self._window):
            after = actions[-1].id
            await self._at(f"{stream.name}: taking back")
            await self._apply_some(stream, actions)
        if state.errors:
            return Outcome.PARTIAL if state.confirmed else Outcome.FAILED
        if self.waiting and not state.confirmed:
            return Outcome.AWAITING_APPROVAL
        if self.left or self.waiting or state.failed:
            return Outcome.PARTIAL
        return Outcome.SUCCEEDED if state.confirmed else Outcome.NOTHING_NEW

    async def _apply_some(self, stream: StreamSpec, actions: Sequence[Action]) -> None:
        state = self._state
        keys = [one.binding for one in actions]
        said_yes = await state.store.approved(state.link, stream.name, keys)
        actions = [one for one in actions if one.fingerprint in said_yes]
        taken = {(one.binding, one.side): one for one in actions}
        run = _run_of(actions)
        pairs: dict[int, Pair] = {}
        over: set[tuple[int, Side]] = set()
        for done, pair, again in await self._undone(stream, [done_by(stream, one) for one in actions], run):
            planned, now = taken[done.binding, done.side], again.action
            if again.reason == UNDER_WAY:
                continue
            if pair is None or now is None or now.fingerprint != planned.fingerprint:
                over.add((done.binding, done.side))
                await self._name_all([planned], again.reason or "it would be another write by now")
                continue
            before = pairs.get(pair.binding.key)
            earlier = before.verdict.actions if before is not None and before.verdict is not None else ()
            verdict = Verdict(pair.binding, actions=(*earlier, now))
            pairs[pair.binding.key] = msgspec.structs.replace(pair, verdict=verdict)
        if pairs:
            await self._carrier.carry(stream, list(pairs.values()))
            over |= await self._written(list(pairs))
        # A record whose other write is still open stays as a whole: what of it is done is found done.
        still = {key for key, side in taken if (key, side) not in over}
        self.waiting += len(still)
        released = [key for key, _ in taken if key not in still]
        await state.store.release_held(state.lease, stream.name, KIND, released)

    async def _written(self, keys: Sequence[int]) -> set[tuple[int, Side]]:
        """Bindings and sides of which this run has settled its write."""
        writes = await self._state.store.writes_of_run(self._state.run, min(keys) - 1, len(keys))
        return {(one.binding, one.side) for one in writes if one.state is ActionState.CONFIRMED}

    # -------------------------------------------------------------------------------------------------- named

    async def _name_all(self, writes: Sequence[Action], reason: str) -> None:
        """What is not taken back, in the protocol, with the reason."""
        self.left += len(writes)
        lines = tuple(_left(one, reason) for one in writes)
        if lines:
            await self._state.settle(Settlement(self._state.run, items=lines))


def _left(write: Action, reason: str) -> Action:
    return Action(
        stream=write.stream,
        side=write.side,
        op=Op.NONE,
        binding=write.binding,
        rule=UNDO,
        reason=f"left as it is: {reason}",
        target=write.target,
        origin=write.origin,
        state=ActionState.DROPPED,
    )


def _run_of(actions: Sequence[Action]) -> str:
    """The run that planned undos take back, as their reason names it."""
    return actions[0].reason.rpartition(" ")[2] if actions else ""


def _pair(binding: Binding, looks: _Looks) -> Pair:
    a = looks["a"].get(binding.a.id) if binding.a is not None else None
    b = looks["b"].get(binding.b.id) if binding.b is not None else None
    return Pair(binding, a=a, b=b)


def _made(intent: Action, binding: Binding) -> Action:
    """One of the creates that an intent covers."""
    held = binding.side(intent.side)
    return msgspec.structs.replace(
        intent,
        binding=binding.key,
        covers=None,
        target=held.id if held is not None else "",
        fields=binding.base,
    )
