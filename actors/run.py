"""One run of a link: a loop over sources by priority. Never sleeps on an account; ends and says when it goes on.

For each stream, parents first: open intents -> hints -> looks at both sides (feed, modified-since, or one complete
read) -> unbound records (matched, met, created only after both sides were looked at) -> what was held until the totals
were known -> follow-ups of its own writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec

from actors.access import Sides
from actors.carry import Carrier
from actors.conclude import Pair
from actors.core import lifecycle
from actors.core.errors import Kind, Scope, TandemError
from actors.core.lifecycle import Facts, Reason, outcome
from actors.core.policy import LinkSpec, StreamSpec
from actors.core.types import POKED, SIDES, Action, Hint, Observation, Outcome, Side
from actors.delivery import SCHEDULED
from actors.early import Early, Seen, look_up
from actors.inflow import Inflow
from actors.instead import put_back_instead
from actors.looking import Looking
from actors.messages import Options
from actors.newcomers import CLAIMED_AGAIN_S, Newcomers
from actors.ports import Find, Settlement, Turn
from actors.recover import Recovery
from actors.state import HELD_UNTIL_KNOWN, RunState
from actors.waiting import wake
from actors.window import Window, Windows, ids

OWN_HINTS = frozenset({"changed"})  # hints from outside: an echo shows nothing new and is dropped


class Cancelled(Exception):
    """A person asked the run to stop; raised only at safe points."""


class RunResult(msgspec.Struct, frozen=True):
    """How a run ended. `loaded`: streams whose initial load is complete now. `again_s`: go on after so long. `hints`: so
    many were worked on. `looks_next`: both sides are to be looked at, for strangers, or for what can't be asked alone."""

    outcome: Outcome
    loaded: frozenset[str]
    error: TandemError | None = None
    awaiting: str = ""
    again_s: float | None = None
    hints: int = 0
    looks_next: bool = False


class Run:
    """`safe_point` is called between windows with what is being done; it raises `Cancelled` or `LeaseLost`."""

    def __init__(
        self,
        state: RunState,
        sides: Sides,
        options: Options,
        finds: Callable[[Side, str], Find],
        safe_point: Callable[[str], Awaitable[None]],
        turn: Turn,
        inflow: Inflow | None = None,
        early: Early | None = None,
    ) -> None:
        self._state = state
        self._sides = sides
        self._options = options
        self._at = safe_point
        self._carrier = Carrier(state, sides)
        self._windows = Windows(state, sides, self._carrier)
        self._newcomers = Newcomers(state, sides, self._carrier, self._windows, options.window, safe_point)
        self._recovery = Recovery(state, sides)
        self._turn = turn
        self._inflow = inflow
        # What is still open may change what was known, so its look ahead counts for nothing.
        self._early = None if turn.is_open else early
        self._looking = Looking(
            state, sides, options, finds, self._windows, self._carrier, safe_point, self._touched_meanwhile
        )
        self._looking.cursors = {(cursor.stream, cursor.side): cursor for cursor in turn.cursors}
        self._hints_done = 0
        self._looks_next = False
        self._streams: tuple[StreamSpec, ...] = ()
        self._poked: dict[int, Hint] = {}
        self._looked: set[str] = set()  # streams whose look has begun
        self._shown: set[str] = set()  # streams whose hints a dry run has looked at: it acknowledges none

    async def execute(self, streams: Sequence[StreamSpec], *, look: bool) -> RunResult:
        """Work through the streams. `look`: look at both sides too, not only at what hints name."""
        state = self._state
        self._streams = tuple(streams)
        cancelled = False
        try:
            await self._prepare()
            if state.dry:
                await self._forget_plans(streams)
            for stream in streams:
                if state.trouble is not None:
                    break
                await self._stream(stream, look)
        except Cancelled:
            cancelled = True
        return self._result(cancelled)

    def _result(self, cancelled: bool) -> RunResult:
        state = self._state
        awaiting = "; ".join(state.awaiting.values())
        if state.dry and not state.errors and not cancelled:
            ended = Outcome.AWAITING_APPROVAL if state.planned else Outcome.NOTHING_NEW
        else:
            ended = outcome(
                confirmed=state.confirmed,
                failed=state.failed,
                waiting=state.waited + len(state.open),
                held=bool(state.awaiting),
                cut_short=bool(state.errors) or state.unknown_outcome,
                cancelled=cancelled,
            )
        error = state.errors[0] if state.errors else None
        again_s = next((e.retry_after_s for e in state.errors if e.retry_after_s is not None), None)
        if again_s is None and (
            state.open or state.left_for_later or state.staged or state.claimed_elsewhere
        ):
            soon_s = CLAIMED_AGAIN_S if state.claimed_elsewhere else 1.0
            again_s = max(soon_s, *(side.declaration.read_lag_s for side in self._sides.values()))
        return RunResult(
            ended, frozenset(state.loaded), error, awaiting, again_s, self._hints_done, self._looks_next
        )

    async def _prepare(self) -> None:
        await self._at("settling open intents")
        if self._turn.is_open:
            await self._recovery.resolve_all()
        scheduled = [stream.name for stream in self._streams if stream.delivery]
        if self._state.gate.commanded and not self._state.dry and scheduled:
            await self._state.store.hurry(self._state.link, scheduled, SCHEDULED)

    async def _forget_plans(self, streams: Sequence[StreamSpec]) -> None:
        """A plan that was asked for shows what is so now: the last one gives way."""
        for stream in streams:
            plan = await self._state.store.held(self._state.link, stream.name, "requested")
            if plan is not None:
                await self._state.store.close_plan(self._state.lease, plan.id, "superseded")

    async def _stream(self, stream: StreamSpec, look: bool) -> None:
        """One stream; an error that concerns it alone leaves the others be."""
        state = self._state
        errors = len(state.errors)
        try:
            await wake(state, stream)
            await self._hints(stream)
            poked = self._poked_of(stream)
            looked = look and await self._look(stream)
            await self._answer(stream, poked, looked)
            at_rest = True
            for _ in range(self._options.rounds_max):
                if look and looked:
                    await put_back_instead(self._state, stream)
                    at_rest = await self._newcomers.settle(stream)
                await self._spooled(stream)
                if not await self._hints(stream):
                    break
                stirred = stream.name in self._windows.stirred
                poked = self._poked_of(stream)
                again = bool(poked) or (stirred and not looked)
                looked = (look and again and await self._look(stream)) or looked
                if not await self._answer(stream, poked, looked):
                    break
            state.left_for_later |= looked and not at_rest
            # A stranger met by a hint is created only after both sides were looked at, their feeds drained: that comes next.
            self._looks_next |= not look and stream.name in self._windows.stirred
            if look and looked and not state.dry:
                if at_rest and state.trouble is None and not state.waits_for(stream):
                    await self._at_rest(stream, whole=len(state.errors) == errors)
                else:  # a schedule counts from the first look on, whatever is left to be done
                    await self._looking.delivered(stream, all_gone=False)
        except TandemError as error:
            state.cut_short(error)
            if error.scope in (Scope.CONNECTION, Scope.LINK):
                state.trouble = error

    async def _look(self, stream: StreamSpec) -> bool:
        """Look at both sides. What hints show to be gone from here on waits for the next look: it may be new there."""
        self._looked.add(stream.name)
        self._windows.late.pop(stream.name, None)
        return await self._looking.look(stream)

    def _poked_of(self, stream: StreamSpec) -> list[Hint]:
        """Hints of the stream that say only that something changed: a look for changes that begins now answers them."""
        mine = [hint for hint in self._poked.values() if hint.stream == stream.name]
        self._poked = {seq: hint for seq, hint in self._poked.items() if hint.stream != stream.name}
        return [] if self._state.dry else mine

    async def _answer(self, stream: StreamSpec, poked: Sequence[Hint], looked: bool) -> bool:
        """What was looked at is answered. A run of hints alone looks for changes on the sides that told of some, and nowhere
        else; where that can't be asked for, they stay (False), and a run that looks at both sides comes next."""
        if poked and not looked:
            sides = {hint.side for hint in poked}
            if not all(self._looking.may_ask(stream, side) for side in sides):
                self._looks_next = True
                return False
            for side in sorted(sides):
                await self._looking.ask(stream, side)
        if poked:
            await self._state.settle(Settlement(run=self._state.run, acks=tuple(poked)))
        return True

    async def _at_rest(self, stream: StreamSpec, *, whole: bool) -> None:
        """Everything that could be done for the stream now is done. `whole`: and nothing was cut short; what is left to be
        tried again keeps its direction open."""
        if self._state.gate.is_open(stream):
            self._state.loaded.add(stream.name)
        is_tried_again = self._state.memory.again.get(stream.name, 0.0) > self._state.row.started
        await self._looking.delivered(stream, all_gone=whole and not is_tried_again)

    # -------------------------------------------------------------------------------------------------- hints

    async def _hints(self, stream: StreamSpec) -> int:
        """Everything that was handed over, and everything due in the inbox, of this stream. Returns how many hints were
        worked on."""
        state = self._state
        if state.dry and stream.name in self._shown:
            return 0
        self._shown.add(stream.name)
        total = 0
        last_seq, window = -1, self._options.window
        while self._inflow is not None and (handed := self._inflow.take(stream.name, window)):
            await self._at(f"{stream.name}: looking at what was touched")
            total += len(handed)
            await self._all_hinted(stream, handed, all_known=len(handed) < window)
            self._inflow.done(handed)
        # A run that was begun by what was handed over knows whether anything else can be due.
        while self._inflow is None or stream.name in state.may_be_due:
            await self._at(f"{stream.name}: looking at what was touched")
            due = await state.store.hints(state.link, [stream.name], state.clock.now(), window)
            due = [hint for hint in due if hint.seq > last_seq]
            if not due:
                state.may_be_due.discard(stream.name)
                break
            last_seq = due[-1].seq
            total += len(due)
            await self._all_hinted(stream, due, all_known=len(due) < window)
        return total

    async def _all_hinted(self, stream: StreamSpec, hints: Sequence[Hint], *, all_known: bool) -> None:
        self._hints_done += len(hints)
        for side in SIDES:
            mine = [hint for hint in hints if hint.side == side]
            if mine:
                await self._hinted(stream, side, mine, all_known)

    async def _hinted(self, stream: StreamSpec, side: Side, hints: Sequence[Hint], all_known: bool) -> None:
        self._poked |= {hint.seq: hint for hint in hints if not hint.id and hint.reason == POKED}
        hints = [hint for hint in hints if hint.seq not in self._poked or not hint.seq]
        if not hints:
            return
        whole = [hint for hint in hints if not hint.id]
        cursor = self._looking.look_at_all(stream, side) if whole else None
        named = [hint for hint in hints if hint.id]
        seen = await self._seen(stream, side, [hint.id for hint in named]) if named else None
        await self._windows.take(
            stream,
            Window(
                side=side,
                seen=tuple(seen.observations) if seen is not None else (),
                forced=frozenset(hint.id for hint in named if hint.reason not in OWN_HINTS),
                told=frozenset(hint.id for hint in named if hint.reason in OWN_HINTS and not hint.attempts),
                attempts={hint.id: hint.attempts for hint in named},
                acks=tuple(hint for hint in hints if hint.seq),
                cursor=cursor,
                totals_known=all_known,
                known=seen.known if seen is not None else None,
                late=stream.name in self._looked,
            ),
        )

    async def _seen(self, stream: StreamSpec, side: Side, ids: Sequence[str]) -> Seen:
        """A look at these records: the one that was had ahead of the run, if this is the first window and it fits."""
        early, self._early = self._early, None
        if early is not None and early.fits(self._state.spec, stream, side, ids):
            return await early.seen()
        return await look_up(self._sides[side], self._state.store, self._state.link, stream, ids)

    async def _touched_meanwhile(self) -> None:
        """A long read holds nobody up: what was touched goes first, between its windows."""
        if self._state.dry:
            return
        at = await self._state.store.next_hint(self._state.link)
        if at is not None and at <= self._state.clock.now():
            for stream in self._streams:
                await self._hints_alone(stream)

    async def _hints_alone(self, stream: StreamSpec) -> None:
        """The hints of one stream, in between: an error that concerns it alone does not end another's read."""
        try:
            await self._hints(stream)
        except TandemError as error:
            if error.scope in (Scope.CONNECTION, Scope.LINK):
                raise
            self._state.cut_short(error)

    # --------------------------------------------------------------------------------------------------- held

    async def _spooled(self, stream: StreamSpec) -> None:
        """The look is complete and the totals are known: what was held till now is decided on."""
        state = self._state
        if state.dry or not (stream.name in state.spooled or await state.has_plan(stream.name)):
            return
        plan = await state.store.held(state.link, stream.name, "held")
        # A plan left by a run that never came so far is decided on now; one that waits for a yes is not.
        if plan is None or (stream.name not in state.spooled and plan.reason != HELD_UNTIL_KNOWN):
            return
        state.pending = {}
        async for actions in self._held_pages(plan.id):
            state.pend(await self._asking(stream, actions), 1)
        async for actions in self._held_pages(plan.id):
            await self._at(f"{stream.name}: deciding on what was held")
            state.pend(await self._asking(stream, actions), -1)
            # What stays held still counts: every page is judged, and its reason told, by the total of all.
            state.pend(await self._decide(stream, actions), 1)
        state.pending = {}
        state.spooled.discard(stream.name)

    async def _held_pages(self, plan: str) -> AsyncIterator[Sequence[Action]]:
        after = 0
        while actions := await self._state.store.held_actions(plan, after, self._options.window):
            after = actions[-1].id
            yield actions

    async def _asking(self, stream: StreamSpec, actions: Sequence[Action]) -> list[Action]:
        """Those of the held actions that nobody has said yes to."""
        keys = [action.binding for action in actions]
        approved = await self._state.store.approved(self._state.link, stream.name, keys)
        return [action for action in actions if action.fingerprint not in approved]

    async def _decide(self, stream: StreamSpec, actions: Sequence[Action]) -> list[Action]:
        """Plan the records of one page of held actions afresh. Returns what is held still."""
        state = self._state
        bindings = await state.store.bindings_by_key(state.link, sorted({a.binding for a in actions}))
        looks: dict[Side, dict[str, Observation]] = {}
        for side in SIDES:
            wanted = ids(bindings, side)
            looks[side] = {o.id: o for o in await self._sides[side].look(stream, wanted)} if wanted else {}
        pairs = [
            Pair(
                binding,
                a=looks["a"].get(binding.a.id) if binding.a is not None else None,
                b=looks["b"].get(binding.b.id) if binding.b is not None else None,
            )
            for binding in bindings
            if not state.is_open(binding.key)
        ]
        pairs = [p for p in pairs if not any(self._windows.too_early(stream, s, p.binding) for s in p.seen)]
        held = await self._carrier.carry(stream, pairs, totals_known=True)
        decided = {pair.binding.key for pair in pairs}
        return [*held, *(action for action in actions if action.binding not in decided)]


def scope(spec: LinkSpec, names: tuple[str, ...]) -> list[StreamSpec]:
    """The streams that a run is about."""
    return [stream for stream in spec.streams if not names or stream.name in names]


def failed(facts: Facts, error: TandemError) -> RunResult:
    """A run that came to nothing, because of this."""
    return RunResult(Outcome.FAILED, frozenset(facts.loaded), error, again_s=error.retry_after_s)


def facts_after(facts: Facts, result: RunResult) -> Facts:
    """What is true of a link once a run has ended so."""
    after = lifecycle.ended(facts, result.outcome)
    for stream in sorted(result.loaded):
        after = lifecycle.loaded(after, stream)
    if result.error is not None and result.error.kind is not Kind.UNKNOWN:
        return lifecycle.raised(after, "run", Reason(result.error.kind.value, str(result.error)))
    if result.outcome is Outcome.CANCELLED:
        return after
    return lifecycle.cleared(after, "run")
