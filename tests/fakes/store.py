"""`MemoryStore`: the Store port in memory, deterministic, for the simulation and the engine's tests.

Held to the same contract as the PostgreSQL store (tests/store/contract.py). Numbers are drawn in order, the only
clock is the one passed in, and nothing iterates over sets, so that a seed replays. `step` is called with the name of
the method before and after each transaction: there the simulation switches tasks, kills, or raises (before: the store
is away; after: committed, but the caller never hears of it).
Must not import the daemon.
"""

from __future__ import annotations

from collections.abc import (
    Collection,
    Mapping,
    Sequence,
    Set,
)
from typing import Any

import msgspec

from actors.core import lifecycle
from actors.core.changes import Standing, action_of
from actors.core.errors import Kind, Scope, TandemError
from actors.core.guard import Ledger
from actors.core.types import (
    OPEN_STATES,
    SIDES,
    Action,
    ActionState,
    Binding,
    Hint,
    Op,
    Outcome,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.ports import (
    ChangeIntents,
    ConnectionRow,
    Counters,
    Cursor,
    KeyGroup,
    Known,
    Lease,
    LinkRow,
    PlanRow,
    RunRow,
    Settlement,
    Turn,
)
from tests.fakes.store_ledger import ledger_of
from tests.fakes.store_link import LIVE_PLANS, LinkState, has_due
from tests.fakes.store_rows import MemoryRows

# Facts that the owner of a link reads and never writes.
OF_PEOPLE = ("wish", "recovering", "establishment")
ENDS = ("outcome", "ended", "phase", "error", "backlog")  # what the end of a run tells


class MemoryStore(MemoryRows):
    """The Store port, plus what people do through the API (the methods after `release_held`)."""

    # ------------------------------------------------------------------------------- links, leases, cursors

    async def link(self, link: str) -> LinkRow | None:
        async with self._transaction("link"):
            return self.links[link].row if link in self.links else None

    async def turn(self, link: str) -> Turn | None:
        async with self._transaction("turn"):
            state = self.links.get(link)
            if state is None:
                return None
            runs = state.runs.values()
            live = (plan for plan in state.plans.values() if plan.state in LIVE_PLANS)
            return Turn(
                row=state.row,
                asked=next((run for run in runs if run.outcome is Outcome.RUNNING and not run.started), None),
                hint_at=min((hint.not_before for hint in state.inbox.values()), default=None),
                is_open=any(action.state in OPEN_STATES for _, action in state.actions.values()),
                cursors=tuple(state.cursors[at] for at in sorted(state.cursors)),
                plans=frozenset((plan.stream, plan.kind) for plan in live),
            )

    async def connection(self, connection: str) -> ConnectionRow | None:
        async with self._transaction("connection"):
            return self.connections.get(connection)

    async def set_identity(self, connection: str, identity: str) -> None:
        async with self._transaction("set_identity"):
            if connection in self.connections:
                row = self.connections[connection]
                self.connections[connection] = msgspec.structs.replace(row, identity=identity)

    async def links_of(self, connection: str) -> Sequence[LinkRow]:
        async with self._transaction("links_of"):
            rows = [self.links[link].row for link in sorted(self.links)]
            return [row for row in rows if connection in {row.a_connection, row.b_connection}]

    async def due_links(self, now: float, limit: int) -> Sequence[str]:
        async with self._transaction("due_links"):
            due = [
                state
                for state in self.links.values()
                if (_may_work(state, now) or _plan_asked(state))
                and not (state.row.owner and state.lease_until > self.clock.now())
            ]
            due.sort(key=lambda state: (state.row.next_due, state.row.id))
            return [state.row.id for state in due[:limit]]

    async def take_lease(self, link: str, owner: str, ttl_s: float) -> Lease | None:
        asked = self.clock.monotonic()
        async with self._transaction("take_lease"):
            state = self.links.get(link)
            if state is None:
                return None
            if state.row.owner not in {"", owner} and state.lease_until > self.clock.now():
                return None
            state.row = msgspec.structs.replace(state.row, owner=owner, epoch=state.row.epoch + 1)
            state.lease_until = self.clock.now() + ttl_s
            return Lease(link, owner, state.row.epoch, asked + ttl_s)

    async def renew_lease(self, lease: Lease, ttl_s: float) -> Lease:
        asked = self.clock.monotonic()
        async with self._transaction("renew_lease", lease):
            self.links[lease.link].lease_until = self.clock.now() + ttl_s
            return msgspec.structs.replace(lease, until=asked + ttl_s)

    async def release_lease(self, lease: Lease) -> None:
        async with self._transaction("release_lease", lease):
            state = self.links[lease.link]
            state.row = msgspec.structs.replace(state.row, owner="")
            state.lease_until = 0.0

    async def set_facts(self, lease: Lease, facts: Mapping[str, Any], next_due: float) -> None:
        async with self._transaction("set_facts", lease):
            state = self.links[lease.link]
            of_people = {n: v for n, v in state.row.facts.items() if n in OF_PEOPLE}
            kept = {n: v for n, v in {**state.row.facts, **facts}.items() if n not in OF_PEOPLE}
            kept |= of_people
            state.row = msgspec.structs.replace(state.row, facts=kept, next_due=next_due)

    async def claim(
        self, lease: Lease, side: Side, object_name: str, hashes: Sequence[int], hold_s: float
    ) -> Set[int]:
        async with self._transaction("claim", lease):
            account = self._account(self.links[lease.link].row, side)
            others = (state.row for id_, state in self.links.items() if id_ != lease.link)
            shared = any(account == self._account(row, at) for row in others for at in SIDES)
            if not account[1] or not shared:
                return frozenset()
            now, refused = self.clock.now(), set()
            for hash_ in hashes:
                at = (*account, object_name, hash_)
                holder, expires = self.claims.get(at, ("", 0.0))
                if holder in ("", lease.link) or expires <= now:
                    self.claims[at] = lease.link, now + hold_s
                else:
                    refused.add(hash_)
            return frozenset(refused)

    def _account(self, row: LinkRow, side: Side) -> tuple[str, str]:
        found = self.connections.get(row.a_connection if side == "a" else row.b_connection)
        return (found.connector, found.identity) if found is not None else ("", "")

    async def cursors(self, link: str) -> Sequence[Cursor]:
        async with self._transaction("cursors"):
            cursors = self._state(link).cursors
            return [cursors[at] for at in sorted(cursors)]

    # ---------------------------------------------------------------------------------------------- bindings

    async def bindings(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Sequence[Binding]:
        async with self._transaction("bindings"):
            state = self._state(link)
            keys = {state.places.get((stream, side, id_), 0) for id_ in ids}
            return [state.bindings[key] for key in sorted(keys) if key]

    async def known(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Known:
        async with self._transaction("known"):
            state = self._state(link)
            keys = {state.places.get((stream, side, id_), 0) for id_ in ids}
            parked = frozenset(row.binding for row in state.parked.values() if row.binding in keys)
            return Known([state.bindings[key] for key in sorted(keys) if key], parked)

    async def standing(
        self, link: str, stream: str, side: Side, ids: Sequence[str], map_ver: str
    ) -> Mapping[str, Standing]:
        async with self._transaction("standing"):
            return self._state(link).standing(stream, side, ids, map_ver)

    async def bindings_by_key(self, link: str, keys: Sequence[int]) -> Sequence[Binding]:
        async with self._transaction("bindings_by_key"):
            bindings = self._state(link).bindings
            return [bindings[key] for key in sorted(set(keys)) if key in bindings]

    async def bindings_in(
        self, link: str, stream: str, states: Sequence[str], after: int, limit: int
    ) -> Sequence[Binding]:
        async with self._transaction("bindings_in"):
            found = self._state(link).ordered(stream)
            return [binding for binding in found if binding.state in states and binding.key > after][:limit]

    async def noted(self, link: str, stream: str, notes: Sequence[str]) -> Sequence[Binding]:
        async with self._transaction("noted"):
            return self._state(link).noted(stream, notes)

    async def unseen(
        self, link: str, stream: str, side: Side, generation: int, after: str, limit: int
    ) -> Sequence[Binding]:
        async with self._transaction("unseen"):
            found = self._state(link).unseen(stream, side, generation)
            return [binding for id_, binding in found if id_ > after][:limit]

    async def count_bindings(self, link: str, stream: str, up_to: int) -> int:
        async with self._transaction("count_bindings"):
            return min(up_to, self._state(link).pairs(stream))

    async def key_groups(
        self, link: str, stream: str, level: int, after: int | None, limit: int
    ) -> Sequence[KeyGroup]:
        async with self._transaction("key_groups"):
            groups = self._state(link).key_groups(stream, level)
            return [group for group in groups if after is None or group.hash > after][:limit]

    # ------------------------------------------------------------------------------- inbox, actions, settling

    async def hints(self, link: str, streams: Sequence[str], now: float, limit: int) -> Sequence[Hint]:
        async with self._transaction("hints"):
            inbox = self._state(link).inbox.values()
            due = [hint for hint in inbox if hint.stream in streams and hint.not_before <= now]
            return sorted(due, key=lambda hint: hint.seq)[:limit]

    async def add_hints(self, link: str, hints: Sequence[Hint]) -> None:
        async with self._transaction("add_hints"):
            if hints and link not in self.links:
                raise _no_such("link", link)
            self._state(link).add_hints(hints)

    async def next_hint(self, link: str) -> float | None:
        async with self._transaction("next_hint"):
            return min((hint.not_before for hint in self._state(link).inbox.values()), default=None)

    async def hinted(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Collection[str]:
        async with self._transaction("hinted"):
            return {
                one.id
                for one in self._state(link).inbox.values()
                if (one.stream, one.side) == (stream, side) and one.id in ids
            }

    async def hurry(self, link: str, streams: Sequence[str], reason: str) -> None:
        async with self._transaction("hurry"):
            inbox = self._state(link).inbox
            for place, hint in inbox.items():
                if hint.stream in streams and hint.reason == reason:
                    inbox[place] = msgspec.structs.replace(hint, not_before=0.0)

    async def open_actions(self, link: str) -> Sequence[Action]:
        async with self._transaction("open_actions"):
            actions = self._state(link).actions
            return [actions[id_][1] for id_ in sorted(actions) if actions[id_][1].state in OPEN_STATES]

    async def intend(
        self, lease: Lease, run: str, actions: Sequence[Action], begin: RunRow | None = None
    ) -> Sequence[int]:
        async with self._transaction("intend", lease):
            if begin is not None and actions:
                self._begin(lease.link, begin)
            sent = [msgspec.structs.replace(action, state=ActionState.SENT) for action in actions]
            return self.links[lease.link].intend(run, sent)

    async def intend_changes(
        self, lease: Lease, run: str, intents: ChangeIntents, begin: RunRow | None = None
    ) -> Sequence[int]:
        changes = [action_of(intents.stream, intents.side, one, intents.deadline) for one in intents.changes]
        async with self._transaction("intend_changes", lease):
            if begin is not None and changes:
                self._begin(lease.link, begin)
            return self.links[lease.link].intend(run, changes)

    async def settle(self, lease: Lease, settlement: Settlement) -> Sequence[int]:
        async with self._transaction("settle", lease):
            return self.links[lease.link].settle(settlement, self.clock.now())

    async def parked(self, link: str, bindings: Sequence[int]) -> Sequence[Parked]:
        async with self._transaction("parked"):
            rows = [row for row in self._state(link).parked.values() if row.binding in set(bindings)]
            return sorted(rows, key=lambda row: row.id)

    async def waiting(
        self, link: str, stream: str, after: int, limit: int, room: Room = Room.WAITING
    ) -> Sequence[Parked]:
        async with self._transaction("waiting"):
            rows = (row for row in self._state(link).parked.values() if row.room is room)
            found = sorted(
                (row for row in rows if row.stream == stream and row.id > after), key=lambda r: r.id
            )
            return found[:limit]

    async def spent(
        self, link: str, stream: str, since: float, objects: Mapping[Side, Sequence[str]]
    ) -> Ledger:
        async with self._transaction("spent"):
            return ledger_of(self.links, self.connections, link, stream, since, objects)

    # -------------------------------------------------------------------------------------------------- runs

    async def begin_run(self, lease: Lease, run: RunRow) -> None:
        async with self._transaction("begin_run", lease):
            self._begin(lease.link, run)

    def _begin(self, link: str, run: RunRow) -> None:
        runs = self.links[link].runs
        self._interrupt(runs)
        runs[run.id] = msgspec.structs.replace(run, link=link, counters=())

    async def interrupt_runs(self, lease: Lease) -> None:
        async with self._transaction("interrupt_runs", lease):
            self._interrupt(self.links[lease.link].runs)

    def _interrupt(self, runs: dict[str, RunRow]) -> None:
        for old in [old for old in runs.values() if old.outcome is Outcome.RUNNING and old.started]:
            runs[old.id] = msgspec.structs.replace(
                old, outcome=Outcome.FAILED, error="interrupted", ended=self.clock.now()
            )

    async def queued_run(self, link: str) -> RunRow | None:
        async with self._transaction("queued_run"):
            runs = self._state(link).runs.values()
            return next((run for run in runs if run.outcome is Outcome.RUNNING and not run.started), None)

    async def update_run(self, lease: Lease, run: str, phase: str) -> bool:
        async with self._transaction("update_run", lease):
            state = self.links[lease.link]
            if run in state.runs:
                state.runs[run] = msgspec.structs.replace(state.runs[run], phase=phase)
            return run in state.cancelled

    async def end_run(self, lease: Lease, run: RunRow) -> None:
        async with self._transaction("end_run", lease):
            link = self.links[lease.link]
            runs = link.runs
            if run.id in runs:
                ends = {**{name: getattr(run, name) for name in ENDS}, "waiting": len(link.parked)}
                runs[run.id] = msgspec.structs.replace(runs[run.id], **ends)

    async def run_counters(self, run: str) -> Sequence[Counters]:
        async with self._transaction("run_counters"):
            found = [
                item for state in self.links.values() for item in state.counters.items() if item[0][0] == run
            ]
            return [counters for _, counters in sorted(found)]

    # ------------------------------------------------------------------------------------------------- plans

    async def hold(self, lease: Lease, kind: str, stream: str, reason: str, actions: Sequence[Action]) -> str:
        async with self._transaction("hold", lease):
            planned = [msgspec.structs.replace(action, state=ActionState.PLANNED) for action in actions]
            return self.links[lease.link].hold(kind, stream, reason, planned, self.clock.now())

    async def held(self, link: str, stream: str, kind: str) -> PlanRow | None:
        async with self._transaction("held"):
            return self._state(link).live_plan(stream, kind)

    async def held_actions(self, plan: str, after: int, limit: int) -> Sequence[Action]:
        async with self._transaction("held_actions"):
            held = [row for state in self.links.values() for _, row in state.held.get(plan, {}).values()]
            return sorted((row for row in held if row.id > after), key=lambda row: row.id)[:limit]

    async def approved(self, link: str, stream: str, bindings: Sequence[int]) -> frozenset[str]:
        async with self._transaction("approved"):
            return self._state(link).approved(stream, bindings)

    async def close_plan(self, lease: Lease, plan: str, state: str) -> None:
        async with self._transaction("close_plan", lease):
            self._close_plan(self.links[lease.link], plan, state)

    async def release_held(self, lease: Lease, stream: str, kind: str, bindings: Sequence[int]) -> None:
        async with self._transaction("release_held", lease):
            self.links[lease.link].release(stream, kind, bindings)

    def _close_plan(self, state: LinkState, plan: str, ends: str) -> None:
        if plan in state.plans and state.plans[plan].state in LIVE_PLANS:
            state.plans[plan] = msgspec.structs.replace(state.plans[plan], state=ends)

    # ------------------------------------------------------------------------- what people do through the API

    def add_connection(self, row: ConnectionRow) -> None:
        """A connection, as given."""
        self.connections[row.id] = row

    def add_link(self, row: LinkRow) -> None:
        """A link, as given; its wish is `run` and it is established unless its facts say otherwise."""
        row = msgspec.structs.replace(row, facts={"wish": "run", "establishment": "established", **row.facts})
        self.links[row.id] = LinkState(row, self._numbers)

    def set_wish(self, link: str, wish: str) -> None:
        """run | paused. Whoever has a link go on says that its recovery is over."""
        state = self.links[link]
        facts = {n: v for n, v in state.row.facts.items() if n != "recovering" or wish != "run"}
        state.row = msgspec.structs.replace(state.row, facts={**facts, "wish": wish}, rev=state.row.rev + 1)

    def set_establishment(self, link: str, value: str) -> None:
        """confirmed | established | off."""
        state = self.links[link]
        facts = {**state.row.facts, "establishment": value}
        state.row = msgspec.structs.replace(state.row, facts=facts, rev=state.row.rev + 1)

    def recover(self) -> None:
        """An older state was put back: every link waits, what was settled counts for nothing."""
        for state in self.links.values():
            state.recover()

    def request_run(self, run: RunRow) -> None:
        """Queue a run (outcome RUNNING, started 0) and make its link due."""
        state = self.links[run.link]
        state.runs[run.id] = run
        state.row = msgspec.structs.replace(state.row, next_due=0.0)

    def cancel_run(self, link: str, run: str) -> None:
        """A queued run ends at once; a running one is asked to."""
        state = self.links[link]
        row = state.runs[run]
        state.cancelled.add(run)
        if not row.started and row.outcome is Outcome.RUNNING:
            state.runs[run] = msgspec.structs.replace(row, outcome=Outcome.CANCELLED, ended=self.clock.now())

    def approve_plan(self, link: str, plan: str, rev: int) -> None:
        """A yes to the actions of this revision; each of their records gets a hint "approved"."""
        state = self.links[link]
        row = state.plans[plan]
        ends = "approved" if rev == row.rev else row.state
        state.plans[plan] = msgspec.structs.replace(row, approved_rev=max(row.approved_rev, rev), state=ends)
        said_yes = [action for at, action in state.held[plan].values() if at <= rev]
        for action in sorted(said_yes, key=lambda action: action.id):
            self._hint(state, action.binding, "approved", other(action.side))

    def reject_plan(self, link: str, plan: str) -> None:
        """The plan is closed; what it held is not done, and what it would have deleted is remembered as kept."""
        state = self.links[link]
        if plan not in state.plans or state.plans[plan].state not in LIVE_PLANS:
            return
        for _, action in state.held[plan].values():
            row, gone = state.bindings.get(action.binding), other(action.side)
            held = row.side(gone) if row is not None else None
            if action.op not in (Op.DELETE, Op.MARK) or row is None or row.state is not State.SETTLED:
                continue
            if held is not None and held.presence is Presence.DELETED:
                note = f"deleted on {gone}, kept on {action.side}: a plan was rejected"
                state.bindings[row.key] = msgspec.structs.replace(
                    row, state=State.TOMBSTONE, note=note, rev=row.rev + 1
                )
        self._close_plan(state, plan, "rejected")

    def decide(self, link: str, parked: int, fingerprint: str, decision: Mapping[str, Any]) -> bool:
        """A person's decision on a parked row; False where it stands there with another fingerprint by now."""
        state = self.links[link]
        for at, row in state.parked.items():
            if row.id == parked and row.fingerprint == fingerprint:
                state.parked[at] = msgspec.structs.replace(row, decision=decision)
                state.decided[parked] = fingerprint
                self._hint(state, row.binding, "decided", row.side)
                return True
        return False

    def _hint(self, state: LinkState, binding: int, reason: str, side: Side | None = None) -> None:
        row = state.bindings.get(binding)
        if row is None:
            return
        if side is None or row.side(side) is None:
            side = "a" if row.a is not None else "b"
        held = row.side(side)
        if held is not None:
            state.add_hints([Hint(row.stream, side, held.id, reason)])


def _no_such(what: str, name: str) -> TandemError:
    return TandemError(
        Kind.CONFIG, f"there is no {what} {name}", scope=Scope.LINK, hint=f"create the {what} first"
    )


def _may_work(state: LinkState, now: float) -> bool:
    due = state.row.next_due <= now or has_due(state.inbox, now)
    return lifecycle.works(lifecycle.load(state.row.facts)) and due


def _plan_asked(state: LinkState) -> bool:
    """A plan may be asked for while the link is paused, or being set up."""
    if not lifecycle.plans(lifecycle.load(state.row.facts)):
        return False
    asked = (run for run in state.runs.values() if run.outcome is Outcome.RUNNING and not run.started)
    return any(run.looks_only for run in asked)
