"""LinkActor: the one owner of a link while it holds the lease. At most one run; status is answered during it.

Its work is all in the store: hints, requests, decisions, cursors. Pokes only say "look there". A link at rest gives
up its actor and its lease; a row and a due time are left.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec

from actors import foundation
from actors.access import Sides
from actors.core import lifecycle
from actors.core.errors import Kind, LeaseLost, RulesChanged, TandemError
from actors.core.lifecycle import Facts
from actors.core.policy import LinkSpec
from actors.core.types import Mode, Outcome, Side
from actors.delivery import due_by_schedule
from actors.early import Early
from actors.inflow import Inflow
from actors.messages import (
    CHANGED,
    Cancel,
    Handed,
    Options,
    Ports,
    Rest,
    Status,
)
from actors.modes import ORDINARY, Asked, carried_out
from actors.opening import AskConnection, connections, drain, opened
from actors.ports import Find, Lease, LinkRow, RunRow, Turn
from actors.rehearsing import rules_of
from actors.run import Cancelled, Run, RunResult, facts_after, failed, scope
from actors.runtime.actor import Actor
from actors.runtime.mailbox import Ask
from actors.state import Memory, RunState

PHASE_EVERY_S = 0.5
HINT_STUCK_S = 30.0
FLOW_MAX_S = 1.0  # so long one run goes on taking in what is handed over; then it ends, and is counted


class LinkActor(Actor):
    """Pokes: WORK, CHANGED. Asks: Cancel, Handed, Rest, Status."""

    kind = "link"

    def __init__(
        self,
        link: str,
        ports: Ports,
        options: Options,
        ask: AskConnection,
        memories: dict[str, tuple[Memory, int]],
    ) -> None:
        super().__init__(f"link/{link}")
        self._link = link
        self._ports = ports
        self._options = options
        self._ask = ask
        self._memories = memories
        self._lease: Lease | None = None
        self._memory = Memory(ports.clock.monotonic())
        self._event = anyio.Event()
        self._changed = True  # look once when taking over
        self._poll_at = 0.0
        self._retry_at = 0.0
        self._recover_at = math.inf  # open intents can be resolved then
        self._deliver_at = math.inf  # something goes by its schedule then
        self._deliver_again_at = -math.inf  # not before: a delivery that was cut short stays due
        self._cancel = False
        self._stop = False
        self._letting_go = False
        # A run may stand as running that is not: a former owner's, or one that lost the store.
        self._interrupted = True
        self._run: RunRow | None = None
        self._at_rest = anyio.Event()  # set while no run is under way
        self._at_rest.set()
        self._phase = ""
        self._inflow = Inflow()
        self._early: Early | None = None  # a look ahead of the run that comes next, as the last run looked
        self._looked: tuple[LinkSpec, Sides] | None = None
        self._flowing_until = -math.inf  # so long the run under way takes in what is handed over
        self._state: RunState | None = None  # of the run under way
        self._begun = anyio.Event()  # a run is under way: somebody has to tell of it

    # ------------------------------------------------------------------------------------------------ messages

    async def started(self) -> None:
        try:
            self._lease = await self._ports.store.take_lease(
                self._link, self._options.owner, self._options.lease_ttl_s
            )
        except TandemError as error:
            if error.kind is not Kind.TRANSIENT:
                raise
            self._lease = None  # a store that is away is asked again at the next scan
        if self._lease is None:
            self.mailbox.close()
            return
        # Nobody else held the link since we let go: what we remember of our writes still holds.
        memory, epoch = self._memories.pop(self._link, (self._memory, -1))
        if self._lease.epoch == epoch + 1:
            self._memory = memory
        else:
            self._memory = Memory(self._ports.clock.monotonic())
        self.tasks.start_soon(self._keep_lease)
        self.tasks.start_soon(self._keep_told)
        self.tasks.start_soon(self._loop)

    async def poked(self, key: str) -> None:
        self._changed = self._changed or key == CHANGED
        self.again = self._letting_go and not self._stop  # too late for this life
        try:
            if (ran := self._run) is not None:
                stop = await self._must_stop()
                self._cancel |= stop and ran is self._run
        except TandemError:
            pass  # the next safe point asks again
        except LeaseLost as lost:
            self._lose(lost)
        self._event.set()

    async def _must_stop(self) -> bool:
        """Whether it was paused, turned off or deleted since, by whichever process (a plan may go on under a pause)."""
        row = await self._ports.store.link(self._link)
        if row is not None:
            self._still_mine(row)
        dry = self._run is not None and self._run.looks_only
        return row is None or not (lifecycle.plans if dry else lifecycle.works)(lifecycle.load(row.facts))

    async def _answer(self, ask: Ask[Any]) -> None:
        # Answered when it is settled, not while everybody else waits for the mailbox.
        if not isinstance(ask.message, Handed):
            await super()._answer(ask)
        elif self._takes_hints():
            self._inflow.put(ask)
            self._event.set()
        else:
            ask.answer(False)

    def _takes_hints(self) -> bool:
        """Whether what is handed over is worked on at once: at rest, or in a run that does just that."""
        if self._stop or self._letting_go or self._lease is None:
            return False
        return self._run is None or self._flowing_until > self._ports.clock.monotonic()

    async def stopped(self) -> None:
        self._inflow.refuse()

    async def asked(self, message: Any) -> Any:
        if isinstance(message, Status):
            return {"run": self.run_id, "phase": self._phase}
        if isinstance(message, Cancel):
            meant = self._run is not None and message.run in ("", self._run.id)
            self._cancel = self._cancel or meant
            return meant
        if isinstance(message, Rest):
            return await self._rest(message.timeout_s)
        raise TypeError(f"{self.name} does not know {message!r}")

    async def _rest(self, timeout_s: float) -> bool:
        """Stop at the next safe point. An open intent is a legal resting state, so a deadline is enough."""
        self._stop = True
        self._event.set()
        with anyio.move_on_after(timeout_s):
            await self._at_rest.wait()
        return self._run is None

    @property
    def run_id(self) -> str:
        """The run under way, or ""."""
        return self._run.id if self._run is not None else ""

    # --------------------------------------------------------------------------------------------------- lease

    @property
    def lease(self) -> Lease:
        """The lease as last renewed."""
        if self._lease is None:
            raise LeaseLost
        return self._lease

    def _time_left_s(self) -> float:
        return self.lease.until - self._ports.clock.monotonic()

    async def _keep_lease(self) -> None:
        """Renew well before the end; a store that is away for a moment is asked again, until the lease is over."""
        while True:
            await anyio.sleep(self._options.lease_ttl_s / 3)
            try:
                self._lease = await self._ports.store.renew_lease(self.lease, self._options.lease_ttl_s)
            except TandemError:
                if self._lease is None:  # the work beside this heard of it first
                    return
                if self._time_left_s() <= 0:
                    self._lose()
                    return
            except LeaseLost:
                self._lose()
                return

    def _still_mine(self, row: LinkRow) -> None:
        if row.epoch != self.lease.epoch:
            raise LeaseLost if row.owner else RulesChanged

    def _lose(self, lost: LeaseLost | None = None) -> None:
        said = "link.rules_changed" if isinstance(lost, RulesChanged) else "link.lease_lost"
        self._ports.telemetry.emit(said, link=self._link)
        self._lease = None
        self.mailbox.close()

    # --------------------------------------------------------------------------------------------------- work

    async def _loop(self) -> None:
        """Do what is due, wait for a poke or the next due time; at rest for long enough, let go."""
        idle_since, at_rest = self._ports.clock.monotonic(), False
        while not self._stop:
            noted, at_rest = at_rest, False
            try:
                worked, wait_s = await self._turn()
                idle_since = self._ports.clock.monotonic() if worked else idle_since
                idle_s = self._ports.clock.monotonic() - idle_since
                at_rest = idle_s >= self._options.idle_s and wait_s >= self._options.idle_s
                if at_rest and not noted:
                    await self._note_due()
            except LeaseLost as lost:
                self._lose(lost)
                return
            except TandemError as error:
                self._ports.telemetry.emit("link.store_away", link=self._link, error=error.message)
                self._interrupted = True
                at_rest, wait_s = False, 1.0
            if self._event.is_set():
                self._event = anyio.Event()
                continue
            if at_rest and noted:
                break
            if at_rest:  # look once more: noting the due time may have hidden what was asked for meanwhile
                continue
            with anyio.move_on_after(min(wait_s, self._options.idle_s)):
                await self._event.wait()
            self._event = anyio.Event()
        await self._let_go()

    async def _note_due(self) -> None:
        """At rest: a row and a due time are left."""
        row = await self._ports.store.link(self._link)
        if row is not None:
            due = max(self._retry_at, min(self._poll_at, self._recover_at, self._deliver_at))
            await self._ports.store.set_facts(self.lease, row.facts, due)

    async def _let_go(self) -> None:
        if self._lease is not None:
            lease, self._lease, self._letting_go = self._lease, None, True
            self._inflow.refuse()
            self._memories[self._link] = self._memory, lease.epoch
            with contextlib.suppress(LeaseLost, TandemError):  # then it runs out by itself
                await self._ports.store.release_lease(lease)
        self.mailbox.close()

    async def _turn(self) -> tuple[bool, float]:
        """One decision: run now (and why), or how long nothing is due. Seconds."""
        self._look_ahead()
        return await self._decide(await self._ports.store.turn(self._link))

    def _look_ahead(self) -> None:
        """While the store is asked what there is to do: a look at what was handed over, as the last run looked."""
        self._early = None
        now = self._ports.clock.now()
        due = min(self._poll_at, self._recover_at, self._deliver_at)
        if self._looked is None or self._changed or self._interrupted or not self._retry_at <= now < due:
            return
        self._early = Early.of(*self._looked, self._inflow.waiting)
        if self._early is not None:
            self.tasks.start_soon(self._early.go, self._ports.store, self._link)

    async def _decide(self, turn: Turn | None) -> tuple[bool, float]:
        if turn is None:
            self._stop = True
            return False, 0.0
        self._still_mine(turn.row)
        if self._interrupted:
            await self._ports.store.interrupt_runs(self.lease)
            self._interrupted = False
        facts = lifecycle.load(turn.row.facts)
        now = self._ports.clock.now()
        # A plan only looks: it may be asked for to be read before the link goes on.
        asked_to_plan = turn.asked is not None and turn.asked.looks_only and lifecycle.plans(facts)
        if not lifecycle.works(facts) and not asked_to_plan:
            self._inflow.refuse()
            return False, math.inf
        if turn.asked is not None:
            await self._do(turn, facts, msgspec.structs.replace(turn.asked, started=now), look=True)
            return True, 0.0
        if now < self._retry_at:
            self._inflow.refuse()
            return False, self._retry_at - now
        self._deliver_at = max(due_by_schedule(self._ports, turn, now), self._deliver_again_at)
        due = min(self._poll_at, self._recover_at, self._deliver_at)
        look = self._changed or now >= due
        due = min(due, math.inf if turn.hint_at is None else turn.hint_at)
        if look or due <= now or self._inflow:
            cause = "schedule" if now >= self._deliver_at else "poll" if look else "hint"
            ran = RunRow(id=f"run-{self._ports.clock.token()}", link=self._link, cause=cause, started=now)
            return True, await self._do(turn, facts, ran, look=look)
        return False, max(0.0, due - now)

    async def _do(self, turn: Turn, facts: Facts, ran: RunRow, *, look: bool) -> float:
        """One run, from its start to the facts it leaves. Returns for how long nothing is due, as far as is known."""
        row = turn.row
        dry = (
            ran.mode != Mode.SYNC
        )  # it settles nothing of what it looks at, so what it saw is still to be looked at
        self._changed = self._changed and (dry or not look)
        if look or not self._inflow:
            self._recover_at = math.inf  # open intents are resolved in this run
        if look:  # it may take long, and drains the feeds by itself
            self._inflow.refuse()
        elif self._inflow:
            self._flowing_until = self._ports.clock.monotonic() + FLOW_MAX_S
        self._run, self._cancel, self.busy = ran, False, True
        self._at_rest = anyio.Event()
        emit = self._ports.telemetry.emit
        emit("run.started", link=self._link, run=ran.id, mode=ran.mode, cause=ran.cause)
        try:
            result, state = await self._execute(turn, facts, ran, look)
            self._changed |= result.looks_next
            if result.error is not None or result.outcome is Outcome.CANCELLED or not result.hints:
                self._inflow.refuse()  # what it left undone
            await self._conclude(row, facts, ran, result, state)
            return self._known_calm_s(turn, ran, result, state)
        except BaseException:
            self._inflow.refuse()
            raise
        finally:
            self._flowing_until = -math.inf
            self._run, self._state, self._phase, self.busy = None, None, "", False
            self._at_rest.set()

    def _known_calm_s(self, turn: Turn, ran: RunRow, result: RunResult, state: RunState | None) -> float:
        """After a run of nothing but what was handed over nobody need be asked what is due: it was known before, and what
        the run added is known too. Any poke asks again. After any other run: ask at once (0)."""
        plain = ran.cause == "hint" and state is not None and not state.open and not state.may_be_due
        if not plain or result.error is not None or self._inflow or self._changed:
            return 0.0
        assert state is not None
        before = math.inf if turn.hint_at is None else turn.hint_at
        due = min(before, state.hint_at, self._poll_at, self._recover_at, self._deliver_at)
        return max(0.0, due - self._ports.clock.now())

    async def _execute(
        self, turn: Turn, facts: Facts, ran: RunRow, look: bool
    ) -> tuple[RunResult, RunState | None]:
        row = turn.row
        try:
            other = rules_of(ran) or row
            spec = self._ports.blueprint(other.blueprint, other.settings)
        except TandemError as error:
            return failed(facts, error), None
        state = RunState(
            store=self._ports.store,
            clock=self._ports.clock,
            telemetry=self._ports.telemetry,
            spec=spec,
            row=ran,
            lease=lambda: self.lease,
            memory=self._memory,
            loaded=facts.loaded,
            plans=turn.plans,
            cursors=turn.cursors,
        )
        if turn.hint_at is not None and turn.hint_at <= ran.started:
            state.may_be_due.update(stream.name for stream in spec.streams)
        self._state = state
        self._begun.set()
        if ran.cause not in ("poll", "hint", "schedule"):
            await state.begin()
        try:
            if look and spec.setup.rests_on:
                await foundation.stands(row, spec, connections(row), self._ask)
            sides, finds = await opened(row, self._ports, self._ask, self._time_left_s)
            if look:
                await drain(row, sides, self._ask)
        except TandemError as error:
            return failed(facts, error), state
        self._looked = spec, sides
        streams, at = scope(spec, ran.scope), self._safe_point()

        def found_by(side: Side, name: str) -> Find:
            return finds[side](name)

        if ran.mode not in ORDINARY:
            asked = Asked(
                state, sides, self._options, found_by, at, lambda: drain(row, sides, self._ask), turn
            )
            return await carried_out(asked, streams), state
        inflow = None if look or not self._inflow else self._inflow
        run = Run(state, sides, self._options, found_by, at, turn, inflow, None if look else self._early)
        if look and ran.mode == Mode.SYNC:
            self._poll_at = self._ports.clock.now() + min(spec.poll_s.values())
        return await run.execute(streams, look=look), state

    def _safe_point(self) -> Callable[[str], Awaitable[None]]:
        async def at(phase: str) -> None:
            self._phase = phase
            if self._time_left_s() <= 0:
                raise LeaseLost
            if self._cancel or self._stop:
                raise Cancelled

        return at

    async def _keep_told(self) -> None:
        """Beside the run, which waits for none of it: the history shows its phase, and it hears of a cancellation, a
        pause or the end of its link by another process."""
        while True:
            await self._begun.wait()
            await anyio.sleep(PHASE_EVERY_S)
            state = self._state
            if state is None:
                self._begun = anyio.Event()
                continue
            try:
                if state.begun:
                    cancel = await self._ports.store.update_run(self.lease, state.run, self._phase)
                    self._cancel |= cancel and state is self._state
                stop = await self._must_stop()
                self._cancel |= stop and state is self._state
            except LeaseLost:
                self._lose()
                return
            except TandemError:
                continue  # the store is away: it is asked again, and the run will hear of it by itself

    async def _conclude(
        self, row: LinkRow, facts: Facts, ran: RunRow, result: RunResult, state: RunState | None
    ) -> None:
        now = self._ports.clock.now()
        if state is None and ran.cause == "command":  # it was asked for: it must not stay asked for
            await self._ports.store.begin_run(self.lease, ran)
        if (state is None and ran.cause == "command") or (state is not None and state.begun):
            error = str(result.error) if result.error is not None else result.awaiting
            ended = msgspec.structs.replace(ran, outcome=result.outcome, ended=now, error=error)
            if state is not None:
                await state.end(ended)
            else:
                await self._ports.store.end_run(self.lease, ended)
        after = facts_after(facts, result)
        if after != facts:
            await self._ports.store.set_facts(self.lease, lifecycle.dump(after), row.next_due)
        if result.error is not None:
            wait_s = lifecycle.backoff_s(max(1, after.failures), self._ports.clock.jitter())
            self._retry_at = now + max(wait_s, result.again_s or 0.0)
        else:
            # A due hint that nobody took belongs to a stream that is no more.
            stuck = ran.cause == "hint" and result.hints == 0 and result.again_s is None
            self._retry_at = now + HINT_STUCK_S if stuck else 0.0
        if result.again_s is not None:
            self._recover_at = now + result.again_s
        self._deliver_again_at = max(now + max(1.0, result.again_s or 0.0), *self._memory.again.values(), 0.0)
        self._memory.forget(self._ports.clock.monotonic() - 3600.0)
        self._memory.forget_asked(self._ports.clock.monotonic())
        self._ports.telemetry.emit(
            "run.ended",
            link=self._link,
            run=ran.id,
            cause=ran.cause,
            outcome=result.outcome.value,
            new=state is None or state.begun,
            duration_s=now - ran.started,
            error=str(result.error) if result.error is not None else "",
        )
