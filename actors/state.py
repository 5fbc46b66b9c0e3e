"""What one run knows while it goes on, and what a link's owner remembers between runs. Plain state, few rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import anyio
import msgspec

from actors.core.backlog import Backlog, packed
from actors.core.errors import TandemError
from actors.core.guard import BUDGET_EXEMPT_WHILE_LOADING, Ledger
from actors.core.policy import LinkSpec, StreamSpec
from actors.core.types import SIDES, Action, Binding, Observation, Op, Parked, Room, Side, other
from actors.delivery import Came, Gate
from actors.ports import (
    ChangeIntents,
    Clock,
    Counters,
    Cursor,
    Lease,
    RunRow,
    Settlement,
    Store,
    Telemetry,
    WriteResult,
)
from actors.untold import Shown

DAY_S = 86_400.0
REMEMBERED_S = 3600.0  # no look in flight is older
MEMORY_MAX = 100_000
COUNT_KEPT_S = 60.0
ASKED_S = 30.0  # so long after the look that it left behind a run that somebody asked for goes on
TRUST_LOST = 10  # one write that was refused outweighs so many looks saved
TRUST_MAX = 1000
HELD_UNTIL_KNOWN = "held until the look is complete and the totals are known"


class Compared(msgspec.Struct, frozen=True):
    """What a complete read as lines found unchanged, window by window: a digest of the lines as they were read, and one of
    what was stored then. Where both are the same again nothing has changed, and nothing needs to be translated to see that.
    `made_for`: how the lines were read; otherwise, and they say nothing. About 60 bytes for each thousand records.
    `present`: so many were present and nobody missing, as long as `Memory.bound` is `bound`."""

    made_for: object = None
    windows: Mapping[bytes, str] = {}
    present: int = 0
    bound: int = -1


class Memory:
    """When this owner last wrote each outside record (monotonic seconds): what makes an older look worthless."""

    def __init__(self, started: float) -> None:
        # After a take-over nobody knows what the last owner wrote: everything asked for before now is stale.
        self._started = started
        self._wrote: dict[tuple[str, Side, str], float] = {}
        self._met: dict[tuple[str, Side, str], float] = {}
        self._news: dict[tuple[str, Side, str], float] = {}
        self._trust: dict[tuple[str, Side], int] = {}
        self.asked: dict[
            tuple[str, Side, str], float
        ] = {}  # records: until when a command goes on for them (monotonic)
        self.put_off: dict[
            tuple[str, Side, str], float
        ] = {}  # records: when they are looked at again (likewise)
        self.again: dict[str, float] = {}  # stream -> when the last of what is tried again is (wall clock)
        self.records: dict[str, tuple[int, int, float]] = {}  # stream -> counted, up to how many, when
        self.compared: dict[tuple[str, Side], Compared] = {}  # of the last complete read as lines
        self.writes: dict[tuple[str, Side], int] = {}  # object -> how often we wrote to one of its records
        self.read: dict[tuple[str, Side], int] = {}  # stream -> how often we had when it was read completely
        self.came: set[Came] = set()  # see delivery.py
        self.untold: Shown = {}  # see untold.py
        self.bound = 0  # transactions that may have changed bindings
        self.arrived: dict[str, int] = {}  # stream -> how often a record of it came to have a partner
        self.woken: dict[
            str, tuple[int, ...]
        ] = {}  # stream -> how often its parents' had, when it was woken last

    def tries_again(self, stream: str, at: float) -> None:
        """Something of the stream is tried again then: until it was, not all that was due has been delivered."""
        self.again[stream] = max(at, self.again.get(stream, 0.0))

    def asks_again(self, stream: str, side: Side, record: str, at: float) -> None:
        """A run that somebody asked for looks at this record again (monotonic): what comes of that was asked for, too."""
        self.asked[stream, side, record] = at + ASKED_S

    def commanded(self, now: float) -> None:
        """A command is given also for what was put off before it: that goes on in its name, too."""
        self.asked |= {place: at + ASKED_S for place, at in self.put_off.items() if at >= now}

    def was_asked(self, action: Action, now: float) -> bool:
        """Whether an action comes of a look that somebody's run left behind."""
        return any(self.asked.get(place, -math.inf) >= now for place in _records_of(action))

    def has_gone(self, action: Action) -> None:
        """What was asked for was done."""
        for place in _records_of(action) if self.asked else ():
            self.asked.pop(place, None)

    def arrives(self, stream: str) -> None:
        """A record came to have a partner: whoever waits for it can go."""
        self.arrived[stream] = self.arrived.get(stream, 0) + 1

    def wrote(self, object_name: str, side: Side, record: str, at: float) -> None:
        """Note a write (or a request whose outcome is not known)."""
        self._wrote[object_name, side, record] = at
        self.writes[object_name, side] = self.writes.get((object_name, side), 0) + 1

    def last(self, object_name: str, side: Side, record: str) -> float:
        """When it was last written, or when this owner took over."""
        return self._wrote.get((object_name, side, record), self._started)

    def met(self, object_name: str, side: Side, record: str, at: float) -> None:
        """Note that a record was seen for the first time, by a look asked for then."""
        self._met[object_name, side, record] = at

    def first_met(self, object_name: str, side: Side, record: str) -> float | None:
        """When it was seen for the first time; None: before this owner's time, or so long ago that it was forgotten."""
        return self._met.get((object_name, side, record))

    def saw_news(self, object_name: str, side: Side, record: str, at: float) -> None:
        """Note that a look asked for then showed something new, which was planned from."""
        self._news[object_name, side, record] = at

    def last_news(self, object_name: str, side: Side, record: str) -> float | None:
        """When it last showed something new; None: not in this owner's time, or forgotten."""
        return self._news.get((object_name, side, record))

    def trusts(self, object_name: str, side: Side) -> bool:
        """Whether the records there were mostly as they were last settled when somebody wrote without looking first."""
        return self._trust.get((object_name, side), 0) >= 0

    def trusted(self, object_name: str, side: Side, held: bool) -> None:
        """A write without a look found the record as it was settled, or not; or a look was had instead of one."""
        trust = self._trust.get((object_name, side), 0) + (1 if held else -TRUST_LOST)
        self._trust[object_name, side] = max(-TRUST_MAX, min(TRUST_MAX, trust))

    def __len__(self) -> int:
        return len(self._wrote) + len(self._met) + len(self._news)

    def forget(self, before: float, over: int = MEMORY_MAX // 2) -> None:
        """Drop what no look in flight can be older than; not worth the while up to `over` of either kind."""
        for known in (self._wrote, self._met, self._news):
            if len(known) > over:
                for key in [key for key, at in known.items() if at < before]:
                    del known[key]

    def forget_asked(self, now: float) -> None:
        """Drop the commands that are over."""
        self.asked = {key: until for key, until in self.asked.items() if until >= now}
        self.put_off = {key: at for key, at in self.put_off.items() if at >= now}


def _records_of(action: Action) -> tuple[tuple[str, Side, str], ...]:
    here, there = (action.side, action.target), (other(action.side), action.origin)
    return (action.stream, *here), (action.stream, *there)


class RunState:
    """One run. `trouble`: why a connection cannot be used any more in this run. `plans`: (stream, kind) that are live."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        telemetry: Telemetry,
        spec: LinkSpec,
        row: RunRow,
        lease: Callable[[], Lease],
        memory: Memory,
        loaded: Collection[str],
        plans: Collection[tuple[str, str]] | None = None,
        cursors: Sequence[Cursor] = (),
    ) -> None:
        self.store = store
        self.clock = clock
        self.telemetry = telemetry
        self.spec = spec
        self.row = row
        self.link = row.link
        self.run = row.id
        self.dry = row.looks_only
        self.memory = memory
        self.loaded = set(loaded)
        self.gate = Gate(spec, cursors, row, clock, self.loaded, memory.came)
        if self.gate.commanded and not self.dry:
            memory.commanded(clock.monotonic())
        self._lease = lease
        self.begun = False
        self._beginning = anyio.Lock()
        self.trouble: TandemError | None = None
        self.errors: list[TandemError] = []
        self.looked_back: dict[int, Observation] = {}
        self.open: dict[int, Action] = {}  # open intents by id: their records must wait
        self.unknown_outcome = False
        self.left_for_later = False  # newcomers that could not be looked at freshly yet
        self.claimed_elsewhere = False  # another link makes some of them
        self.staged: set[int] = set()  # bindings of what this run staged, and the next one imports
        self.confirmed = self.failed = self.waited = self.planned = 0
        self.awaiting: dict[str, str] = {}  # stream -> why a plan waits
        self.gone: dict[str, dict[int, Binding]] = {}  # what a dry run found gone, by stream and key
        self.spooled: set[str] = set()  # streams with actions held until the totals are known
        self.pending: dict[tuple[Side, str], int] = {}  # side, kind -> held actions still to be decided on
        self._parked: dict[int, tuple[Parked, ...]] = {}
        self._counters: tuple[Counters, ...] = ()
        self.hint_at = math.inf  # the earliest of the hints that this run put into the inbox
        self.may_be_due: set[str] = set()  # streams of which the inbox may hold something due
        # Lines that our own writes left, as they were settled, by stream, side and id: what shows them again is an echo.
        self.echoes: dict[tuple[str, Side], dict[str, str]] = {}
        self.backlogs: dict[tuple[str, Side], Backlog] = {}  # what was outstanding where it looked
        self._plans: dict[tuple[str, str], bool] = {}
        if plans is not None:
            every = (spec.name for spec in spec.streams)
            self._plans = {(name, k): (name, k) in plans for name in every for k in ("held", "requested")}

    @property
    def lease(self) -> Lease:
        """The lease as last renewed."""
        return self._lease()

    async def begin(self) -> None:
        """Put the run into the history. Looks that show nothing new never come so far."""
        async with self._beginning:
            if not self.begun:
                await self.store.begin_run(self.lease, self.row)
                self.begun = True

    async def settle(self, settlement: Settlement) -> Sequence[int]:
        """Commit under the lease. What is nothing but counters waits for the next commit of the run."""
        counters = (*self._counters, *settlement.counters)
        if msgspec.structs.replace(settlement, counters=()) == Settlement(run=settlement.run):
            self._counters = counters
            return ()
        settlement, self._counters = msgspec.structs.replace(settlement, counters=counters), ()
        self.memory.bound += bool(settlement.bindings or settlement.dropped)
        if (
            settlement.bindings
            or settlement.items
            or settlement.closed
            or settlement.changes
            or settlement.park
            or settlement.dropped
        ):
            await self.begin()
        elif not self.begun:
            settlement = msgspec.structs.replace(settlement, counters=())
        if settlement.bindings or settlement.dropped or settlement.park:
            self.echoes.clear()  # what is settled there may be another value by now
        for hint in settlement.hints:
            self.may_be_due.add(hint.stream)
            self.hint_at = min(self.hint_at, hint.not_before)
        keys = await self.store.settle(self.lease, settlement)
        for room, count in Counter(row.room for row in settlement.park).items():
            self.telemetry.emit("record.parked", link=self.link, room=room.value, count=count)
        return keys

    async def end(self, row: RunRow) -> None:
        """Close the run in the history, with what was still to be counted."""
        if self._counters:
            rest, self._counters = Settlement(run=self.run, counters=self._counters), ()
            await self.store.settle(self.lease, rest)
        backlog = packed([one for _, one in sorted(self.backlogs.items())])
        await self.store.end_run(self.lease, msgspec.structs.replace(row, backlog=backlog))

    async def intend(self, actions: Sequence[Action]) -> Sequence[int]:
        """Commit intents under the lease, and with the first of them the run."""
        if self.begun:
            return await self.store.intend(self.lease, self.run, actions, None)
        async with self._beginning:
            ids = await self.store.intend(self.lease, self.run, actions, self._unbegun())
            self.begun = True
        return ids

    def _unbegun(self) -> RunRow | None:
        return None if self.begun else self.row

    async def intend_changes(self, intents: ChangeIntents) -> Sequence[int]:
        """The same for changes that cross as lines."""
        ids = await self.store.intend_changes(self.lease, self.run, intents, None if self.begun else self.row)
        self.begun = True
        return ids

    async def hold(self, kind: str, stream: str, reason: str, actions: Sequence[Action]) -> None:
        """Put actions into the open plan of that kind. What waits in it already is nothing new: a poll that finds just that
        leaves no run in the history, however long nobody says yes."""
        waits = None if self.begun else await self.store.held(self.link, stream, kind)
        if waits is None:
            await self.begin()
        await self.store.hold(self.lease, kind, stream, reason, actions)
        if waits is not None:
            now = await self.store.held(self.link, stream, kind)
            if now is None or (now.id, now.rev) != (waits.id, waits.rev):
                await self.begin()

    # ------------------------------------------------------------------------------------------- open intents

    def is_open(self, binding: int) -> bool:
        """Whether an intent on this binding is open."""
        return any(action.concerns(binding) for action in self.open.values())

    def is_open_id(self, stream: StreamSpec, side: Side, record: str) -> bool:
        """Whether an intent on this outside record is open, under whatever binding."""
        return any(
            action.target == record and action.side == side and self._object(action) == stream.object(side)
            for action in self.open.values()
        )

    def waits_for(self, stream: StreamSpec) -> bool:
        """Whether an intent of the stream is open."""
        return any(action.stream == stream.name for action in self.open.values())

    def blind(self, stream: StreamSpec) -> frozenset[Side]:
        """Sides towards which a create is open whose id is not known: a stranger there may be our own record."""
        return frozenset(
            a.side
            for a in self.open.values()
            if a.op is Op.CREATE and not a.target and a.covers is None and a.stream == stream.name
        )

    def _object(self, action: Action) -> str:
        # A stream may have left the blueprint while an intent of it is open.
        return next((s.object(action.side) for s in self.spec.streams if s.name == action.stream), "")

    # ------------------------------------------------------------------------------------------------ budgets

    async def spent(self, stream: StreamSpec) -> Ledger:
        """The ledger of the last 24 h, and what is held and still to be decided on."""
        objects = {side: stream.objects_on(side) for side in SIDES}
        found = await self.store.spent(self.link, stream.name, self.clock.now() - DAY_S, objects)
        if not self.pending:
            return found
        hubs = {
            side: msgspec.structs.replace(hub, spent=self._with_pending(hub.spent, (side,)))
            for side, hub in found.hubs.items()
        }
        return Ledger(self._with_pending(found.spent, SIDES), hubs)

    def _with_pending(self, spent: Mapping[str, int], sides: Sequence[Side]) -> dict[str, int]:
        out = dict(spent)
        for (side, kind), count in self.pending.items():
            if side in sides:
                out[kind] = out.get(kind, 0) + count
        return out

    def pend(self, actions: Sequence[Action], by: int) -> None:
        """Add (or take off) held actions still to be decided on."""
        for action in actions:
            for kind in action.kinds:
                self.pending[action.side, kind] = self.pending.get((action.side, kind), 0) + by

    async def records(self, stream: str, up_to: int) -> int:
        """Settled bindings of the stream, counted no further than `up_to`, and not again within a minute."""
        count, counted_to, at = self.memory.records.get(stream, (0, 0, -math.inf))
        now = self.clock.monotonic()
        enough = counted_to >= up_to or count < counted_to
        if not enough or now - at > COUNT_KEPT_S:
            count = await self.store.count_bindings(self.link, stream, up_to)
            self.memory.records[stream] = count, up_to, now
        return count

    def exempt(self, stream: str) -> Collection[str]:
        """What the activation of the link said yes to: creates and first-contact overwrites of the initial load."""
        return () if stream in self.loaded else BUDGET_EXEMPT_WHILE_LOADING

    def goes_on(self, stream: str, seen: Observation, at: float, *, lags: bool = False) -> None:
        """A record is looked at again (wall clock): where this run was asked for, in its name, if that is soon, or as soon
        as a lagging side allows (`lags`). It is not put off any longer in that name."""
        wait_s, place = at - self.clock.now(), (stream, seen.side, seen.id)
        if not self.spec.schedules or (wait_s > ASKED_S and not lags):
            return
        then = self.clock.monotonic() + wait_s
        if self.gate.commanded and not self.dry:
            self.memory.asks_again(*place, then)
        else:
            self.memory.put_off[place] = then

    def held_over(self, stream: StreamSpec, text: str, *, is_over: bool) -> None:
        """Actions of this stream were held. `is_over`: the totals are known, and beyond a budget."""
        self._plans[stream.name, "held"] = True
        if is_over:
            self.awaiting[stream.name] = text
        else:
            self.spooled.add(stream.name)

    def hold_reason(self, stream: StreamSpec) -> str:
        """Why actions of this stream are held, in words."""
        return self.awaiting.get(stream.name, HELD_UNTIL_KNOWN)

    async def has_plan(self, stream: str, kind: str = "held") -> bool:
        """Whether the stream has a live plan of that kind."""
        if (stream, kind) not in self._plans:
            self._plans[stream, kind] = await self.store.held(self.link, stream, kind) is not None
        return self._plans[stream, kind]

    # -------------------------------------------------------------------------------------------------- rooms

    def note_parked(self, binding: int, rows: tuple[Parked, ...]) -> None:
        """What was parked for a binding before it was planned."""
        self._parked[binding] = rows

    def parked_of(self, binding: int) -> tuple[Parked, ...]:
        """What was parked for a binding before it was planned."""
        return self._parked.pop(binding, ())

    def rooms_of(self, binding: int) -> list[Room]:
        """The rooms a binding stands in."""
        return list(dict.fromkeys(row.room for row in self._parked.pop(binding, ())))

    # ------------------------------------------------------------------------------------------------- reports

    def cut_short(self, error: TandemError) -> None:
        """A side could not be reached, or not to the end."""
        self.errors.append(error)

    def report_writes(
        self, connector: str, results: Iterable[WriteResult], ops: Sequence[Op], took_s: float
    ) -> None:
        """Tell telemetry what became of a batch."""
        counts: dict[tuple[str, str], int] = {}
        for result, op in zip(results, ops, strict=True):
            counts[op.value, result.status.value] = counts.get((op.value, result.status.value), 0) + 1
        for (op_name, status), count in counts.items():
            self.telemetry.emit(
                "write.done", connector=connector, op=op_name, status=status, count=count, duration_s=took_s
            )
