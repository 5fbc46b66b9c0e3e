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
from actors.core.errors import Scope, TandemError
from actors.core.lifecycle import outcome
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Action, Hint, Observation, Outcome, Side
from actors.inflow import Inflow
from actors.messages import Options
from actors.newcomers import Newcomers
from actors.ports import Cursor, Find
from actors.recover import Recovery
from actors.state import HELD_UNTIL_KNOWN, RunState
from actors.turn import Turn
from actors.window import Window, Windows, ids

LOOK_NOTED_EVERY_S = 10.0
OWN_HINTS = frozenset({"changed"})  # hints from outside: an echo shows nothing new and is dropped


class Cancelled(Exception):
    """A person asked the run to stop; raised only at safe points."""


class RunResult(msgspec.Struct, frozen=True):
    """How a run ended. `loaded`: streams whose initial load is complete now. `again_s`: go on after so long. `hints`: so
    many were worked on."""

    outcome: Outcome
    loaded: frozenset[str]
    error: TandemError | None = None
    awaiting: str = ""
    again_s: float | None = None
    hints: int = 0


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
    ) -> None:
        self._state = state
        self._sides = sides
        self._options = options
        self._finds = finds
        self._at = safe_point
        self._carrier = Carrier(state, sides)
        self._windows = Windows(state, sides, self._carrier)
        self._newcomers = Newcomers(state, sides, self._carrier, self._windows, options.window, safe_point)
        self._recovery = Recovery(state, sides)
        self._turn = turn
        self._inflow = inflow
        self._cursors = {(cursor.stream, cursor.side): cursor for cursor in turn.cursors}
        self._hints_done = 0
        self._streams: tuple[StreamSpec, ...] = ()
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
                waiting=state.waited,
                held=bool(state.awaiting),
                cut_short=bool(state.errors) or state.unknown_outcome,
                cancelled=cancelled,
            )
        error = state.errors[0] if state.errors else None
        again_s = next((e.retry_after_s for e in state.errors if e.retry_after_s is not None), None)
        if again_s is None and (state.open or state.left_for_later):
            again_s = max(1.0, *(side.declaration.read_lag_s for side in self._sides.values()))
        return RunResult(ended, frozenset(state.loaded), error, awaiting, again_s, self._hints_done)

    async def _prepare(self) -> None:
        await self._at("settling open intents")
        if self._turn.is_open:
            await self._recovery.resolve_all()

    async def _forget_plans(self, streams: Sequence[StreamSpec]) -> None:
        """A plan that was asked for shows what is so now: the last one gives way."""
        for stream in streams:
            plan = await self._state.store.held(self._state.link, stream.name, "requested")
            if plan is not None:
                await self._state.store.close_plan(self._state.lease, plan.id, "superseded")

    async def _stream(self, stream: StreamSpec, look: bool) -> None:
        """One stream; an error that concerns it alone leaves the others be."""
        state = self._state
        try:
            await self._hints(stream)
            looked = look and await self._look(stream)
            at_rest = True
            for _ in range(self._options.rounds_max):
                if looked:
                    at_rest = await self._newcomers.settle(stream)
                await self._spooled(stream)
                if not await self._hints(stream):
                    break
                # A stranger met by a hint is created only after both sides were looked at.
                looked = looked or (stream.name in self._windows.stirred and await self._look(stream))
            state.left_for_later |= looked and not at_rest
            if looked and at_rest and not state.dry and state.trouble is None:
                state.loaded.add(stream.name)
        except TandemError as error:
            state.cut_short(error)
            if error.scope in (Scope.CONNECTION, Scope.LINK):
                state.trouble = error

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
        whole = [hint for hint in hints if not hint.id]
        if whole:  # "look at the whole object": the next look is a complete read from its start
            cursor = self._cursor(stream, side)
            self._cursors[stream.name, side] = msgspec.structs.replace(
                cursor, completed=0.0, token="", began=0.0, position=""
            )
        named = [hint for hint in hints if hint.id]
        seen = await self._sides[side].look(stream, [hint.id for hint in named], "instant") if named else []
        await self._windows.take(
            stream,
            Window(
                side=side,
                seen=tuple(seen),
                forced=frozenset(hint.id for hint in named if hint.reason not in OWN_HINTS),
                attempts={hint.id: hint.attempts for hint in named},
                acks=tuple(hint for hint in hints if hint.seq),
                cursor=self._cursors[stream.name, side] if whole else None,
                totals_known=all_known,
            ),
        )

    # -------------------------------------------------------------------------------------------------- looks

    async def _look(self, stream: StreamSpec) -> bool:
        """Look at both sides. True when both looks came to their end."""
        for side in SIDES:
            await self._begin(stream, side)
        for side in SIDES:
            if self._finds(side, stream.object(side)) is Find.MODIFIED:
                await self._poll(stream, side)
            if not await self._complete_read(stream, side):
                await self._note_look(stream, side)
        return True

    async def _note_look(self, stream: StreamSpec, side: Side) -> None:
        """Nothing to read is a look too (a drained feed, an unchanged token): said now and then, not every time."""
        cursor, now = self._cursor(stream, side), self._state.clock.now()
        if now - cursor.looked >= LOOK_NOTED_EVERY_S:
            await self._take(stream, side, (), msgspec.structs.replace(cursor, looked=now), all_known=True)

    async def _begin(self, stream: StreamSpec, side: Side) -> None:
        """The first look of all: note where changes start from *before* anything is read."""
        cursor = self._cursor(stream, side)
        if cursor.cursor or self._finds(side, stream.object(side)) is not Find.MODIFIED:
            return
        page, _ = await self._sides[side].changes(stream, "", 1)
        await self._keep(stream, side, cursor=page.cursor)

    async def _poll(self, stream: StreamSpec, side: Side) -> None:
        cursor = self._cursor(stream, side).cursor
        while True:
            await self._at(f"{stream.name}: looking for changes on side {side}")
            began = self._state.clock.monotonic()
            page, seen = await self._sides[side].changes(stream, cursor, self._options.window)
            moved = self._moved(stream, side, cursor=page.cursor, looked=self._state.clock.now())
            self._looked(stream, side, "modified", len(seen), began)
            if not seen and page.cursor == cursor:
                return
            await self._take(stream, side, seen, moved, all_known=not page.more)
            if not page.more or page.cursor == cursor:
                return
            cursor = page.cursor

    async def _complete_read(self, stream: StreamSpec, side: Side) -> bool:
        """A complete read if one is due or under way; resumable, in windows. Then: what was not seen? False: none due."""
        cursor = self._cursor(stream, side)
        if not cursor.began:
            token = await self._due(stream, side, cursor)
            if token is None:
                return False
            cursor = msgspec.structs.replace(
                cursor,
                began=self._state.clock.now(),
                generation=cursor.generation + 1,
                position="",
                token=token,
            )
        while True:
            await self._at(f"{stream.name}: reading side {side}")
            began = self._state.clock.monotonic()
            page, seen = await self._sides[side].scan(stream, cursor.position, self._options.window)
            self._looked(stream, side, "complete", len(seen), began)
            cursor = msgspec.structs.replace(cursor, position=page.cursor, looked=self._state.clock.now())
            await self._take(
                stream, side, seen, cursor, all_known=not page.more, generation=cursor.generation
            )
            if not page.more:
                break
            await self._touched_meanwhile()
            if not self._cursor(stream, side).began:  # told to look at the whole object: from the start again
                return await self._complete_read(stream, side)
        await self._unseen(stream, side, cursor.generation)
        self._windows.stirred.add(stream.name)
        done = msgspec.structs.replace(cursor, began=0.0, position="", completed=self._state.clock.now())
        await self._take(stream, side, (), done, all_known=True)
        return True

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

    async def _due(self, stream: StreamSpec, side: Side, cursor: Cursor) -> str | None:
        """The look token to note when a complete read is due, else None."""
        full = self._finds(side, stream.object(side)) is Find.FULL
        token = await self._sides[side].look_token(stream) if full else ""
        if full and (not token or token != cursor.token):
            return token
        overdue = self._state.clock.now() - cursor.completed >= stream.complete_read_s
        return token if not cursor.completed or overdue else None

    async def _unseen(self, stream: StreamSpec, side: Side, generation: int) -> None:
        """Absence is only a hint: whatever was not met is looked at by id before anything is concluded."""
        if self._sides[side].declaration.absence == "none" or self._state.dry:
            return
        after = 0
        while True:
            await self._at(f"{stream.name}: confirming what was not seen on side {side}")
            missing = await self._state.store.unseen(
                self._state.link, stream.name, side, generation, after, self._options.window
            )
            if not missing:
                return
            after = missing[-1].key
            seen = await self._sides[side].look(stream, ids(missing, side), "sweep")
            last = len(missing) < self._options.window
            await self._take(stream, side, seen, None, all_known=last, generation=generation)

    async def _take(
        self,
        stream: StreamSpec,
        side: Side,
        seen: Sequence[Observation],
        cursor: Cursor | None,
        *,
        all_known: bool,
        generation: int = 0,
    ) -> None:
        window = Window(
            side=side,
            seen=tuple(seen),
            cursor=cursor,
            generation=generation,
            totals_known=all_known,
        )
        await self._windows.take(stream, window)
        if cursor is not None:
            self._cursors[stream.name, side] = cursor

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

    # ------------------------------------------------------------------------------------------------ cursors

    def _cursor(self, stream: StreamSpec, side: Side) -> Cursor:
        return self._cursors.get((stream.name, side)) or Cursor(stream=stream.name, side=side)

    def _moved(self, stream: StreamSpec, side: Side, *, cursor: str, looked: float) -> Cursor:
        return msgspec.structs.replace(self._cursor(stream, side), cursor=cursor, looked=looked)

    async def _keep(self, stream: StreamSpec, side: Side, *, cursor: str) -> None:
        moved = self._moved(stream, side, cursor=cursor, looked=self._state.clock.now())
        await self._take(stream, side, (), moved, all_known=True)

    def _looked(self, stream: StreamSpec, side: Side, kind: str, records: int, began: float) -> None:
        self._state.telemetry.emit(
            "look.done",
            link=self._state.link,
            stream=stream.name,
            side=side,
            kind=kind,
            records=records,
            duration_s=self._state.clock.monotonic() - began,
        )
