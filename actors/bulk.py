"""The initial load of a stream whose other side is empty: windows of lines, read, planned, bound and made in a pipeline.

Read and plan -> bind (one transaction: bindings, cursor, the one intent that covers the request) -> make (one request,
all or nothing) -> closed with a later window's transaction. Each step works on its own window, so three are under way at
once and no more. A kill leaves open intents: recovery looks what is there (actors/recover.py). Whatever is no plain case
is left to the general way as a newcomer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from actors.access import Sides
from actors.core.actions import NEW_ON
from actors.core.errors import Kind, TandemError
from actors.core.policy import StreamSpec
from actors.core.rows import Creates, Made, RowShape, creates_for, kept_paths
from actors.core.texts import texts_of
from actors.core.types import SIDES, Action, ActionState, Binding, Hint, Op, Presence, Side, State, other
from actors.lines import joined, revised
from actors.met import Met
from actors.ports import Closed, Counters, Cursor, NewRows, Settlement
from actors.runtime.together import together
from actors.state import RunState

PAGE = 1000
LEVELS = 4  # match keys of a stream by which the store finds a binding
WAITING = (State.NEW, State.UNSURE, State.HELD_BACK, State.MATCHED)


class Planned(msgspec.Struct):
    """A window that was read and planned, and the cursor behind it. `left`: ids that go the general way."""

    lines: Sequence[str]
    left: Sequence[str]
    made: Made
    cursor: Cursor


class Sent(msgspec.Struct):
    """A window that is bound and whose intent is open."""

    planned: Planned
    intent: Action
    until: float


class Bulk:
    """One run's bulk load of one stream, from `origin` to the side that is empty."""

    def __init__(
        self,
        state: RunState,
        sides: Sides,
        stream: StreamSpec,
        origin: Side,
        creates: Creates,
        window: int,
        at: Callable[[str], Awaitable[None]],
        left: Callable[[StreamSpec, Side, Sequence[str], int], Awaitable[None]],
    ) -> None:
        self._state = state
        self._stream = stream
        self._origin = origin
        self._there = other(origin)
        self._from, self._to = sides[origin], sides[self._there]
        self._creates = creates
        self._window = window
        self._at = at
        self._left = left
        self._done: list[Settlement] = []  # what finished windows settle, to go with the next transaction
        self._met: Met | None = None  # keys of everybody who is bound; None: not known
        self.refused = False  # what is left must go the general way

    async def lap(self, cursor: Cursor) -> tuple[Cursor, bool]:
        """Load until the end, a hint that is due, or a refusal. The cursor behind what is bound, and whether the end was
        reached."""
        planned_in, planned_out = anyio.create_memory_object_stream[Planned](0)
        sent_in, sent_out = anyio.create_memory_object_stream[Sent](0)
        lap = _Lap(cursor)
        # Only who begins with nobody knows the keys of all: between two laps others bind, too.
        is_first = not cursor.position and not await self._state.store.count_bindings(
            self._state.link, self._stream.name, 1
        )
        self._met = Met() if is_first else None
        try:
            async with together() as tasks:
                tasks.start_soon(self._read, lap, planned_in)
                tasks.start_soon(self._bind, lap, planned_out, sent_in)
                tasks.start_soon(self._make, sent_out)
        except TandemError as error:  # what was answered before is settled as it was answered
            lap.stopped = error
        if done := self._answered():
            await self._state.settle(joined(self._state.run, done))
            self._committed(done)
        if lap.stopped is not None:
            raise lap.stopped
        return lap.bound, not lap.more and not self.refused

    # -------------------------------------------------------------------------------------------- read and plan

    async def _read(self, lap: _Lap, send: MemoryObjectSendStream[Planned]) -> None:
        async with send:
            while lap.more and not self.refused:
                try:
                    await self._at(f"{self._stream.name}: loading from side {self._origin}")
                except Exception as stopped:  # a person's: what is under way comes to its end first
                    lap.stopped = stopped
                    return
                try:
                    planned, more = await self._planned(lap.cursor)
                except TandemError as error:  # likewise
                    lap.stopped = error
                    return
                if planned is None:
                    self.refused = True
                    return
                try:
                    await send.send(planned)
                except anyio.BrokenResourceError:  # refused: nobody binds any more
                    return
                lap.cursor, lap.more = planned.cursor, more
                due = await self._state.store.next_hint(self._state.link)
                if due is not None and due <= self._state.clock.now():
                    return

    async def _planned(self, cursor: Cursor) -> tuple[Planned | None, bool]:
        """The window behind the cursor, and whether there is more; None: the other side draws its ids itself."""
        began = self._state.clock.monotonic()
        rows, _ = await self._from.scan_rows(self._stream, cursor.position, self._creates.paths, self._window)
        lines = rows.block.split("\n")[:-1]
        ids = await self._to.reserve(self._stream, len(lines)) if self._creates.draws else ()
        if self._creates.draws and len(ids) < len(lines):
            return None, rows.more
        made = self._creates.plan(lines, rows.block, ids)
        cursor = msgspec.structs.replace(cursor, position=rows.cursor, looked=self._state.clock.now())
        self._told(len(lines) + len(rows.unsaid), began)
        return Planned(lines, [*map(_id, made.odd), *rows.unsaid], made, cursor), rows.more

    def _told(self, records: int, began: float) -> None:
        self._state.telemetry.emit(
            "look.done",
            link=self._state.link,
            stream=self._stream.name,
            side=self._origin,
            kind="complete",
            records=records,
            duration_s=self._state.clock.monotonic() - began,
        )

    # ----------------------------------------------------------------------------------------------------- bind

    async def _bind(
        self,
        lap: _Lap,
        receive: MemoryObjectReceiveStream[Planned],
        send: MemoryObjectSendStream[Sent],
    ) -> None:
        async with receive, send:
            async for planned in receive:
                if self.refused:
                    return
                left = [*planned.left, *await self._moved(planned.made)]
                if left:  # noted before the cursor passes them
                    self._met = None  # they are bound the general way
                    await self._left(self._stream, self._origin, left, planned.cursor.generation)
                if (sent := await self._bound(planned)) is not None:
                    await send.send(sent)
                lap.bound = planned.cursor

    async def _moved(self, made: Made) -> list[str]:
        """Leave out those who share a match key with somebody who was loaded before and is gone by now: they may be the
        same, under another id. Their ids, and those of who is gone. (Who is still there is another one with that key.)"""
        keys = [_keys(line) for line in made.bindings]
        state, known = self._state, dict[str, Binding]()
        for level in range(min(LEVELS, len(self._stream.match))):
            hashes: Collection[int] = {key[level] for key in keys} - {0}
            if self._met is not None:
                hashes = self._met.again(hashes)
            args = state.link, self._stream.name, level, sorted(hashes), self._window
            for one in await state.store.sharing(*args) if hashes else ():
                if (held := one.side(self._origin)) is not None and one.side(self._there) is not None:
                    known[held.id] = one
        seen = await self._from.look(self._stream, list(known)) if known else []
        gone = [one.id for one in seen if one.presence is Presence.DELETED]
        if not gone:
            return []
        taken = {pair for id_ in gone for pair in enumerate(known[id_].keys)}
        left = [place for place, key in enumerate(keys) if taken & {p for p in enumerate(key) if p[1]}]
        ids = [_id(made.bindings[place]) for place in left]
        self._keep(made, [place for place in range(len(keys)) if place not in set(left)])
        return [*ids, *gone]

    @staticmethod
    def _keep(made: Made, places: Sequence[int]) -> None:
        """Of what is planned only this."""
        made.targets = [made.targets[place] for place in places]
        made.bindings = [made.bindings[place] for place in places]

    async def _bound(self, planned: Planned) -> Sent | None:
        """Bind a window; who is known already (met by a hint ahead of us) is left out. None: nobody new is in it."""
        try:
            if planned.made.bindings:
                return await self._intend(planned)
        except TandemError as error:
            if error.kind is not Kind.BUG or not await self._leave_out_known(planned):
                raise
            return await self._bound(planned)
        await self._state.settle(Settlement(run=self._state.run, cursors=(planned.cursor,)))
        return None

    async def _leave_out_known(self, planned: Planned) -> int:
        """Take those out who have a binding; how many."""
        made = planned.made
        ids = [_id(line) for line in made.bindings]
        found = await self._state.store.bindings(self._state.link, self._stream.name, self._origin, ids)
        known = {held.id for one in found if (held := one.side(self._origin)) is not None}
        self._keep(made, [place for place, id_ in enumerate(ids) if id_ not in known])
        return len(known)

    async def _intend(self, planned: Planned) -> Sent:
        state, clock = self._state, self._state.clock
        await state.begin()
        allowed_s = self._to.declaration.deadline_s
        intent = Action(
            stream=self._stream.name,
            side=self._there,
            op=Op.CREATE,
            binding=0,
            rule=NEW_ON.format(side=self._origin),
            reason=f"initial load of {len(planned.made.bindings)} records",
            deadline=clock.now() + allowed_s,
            kinds=("creates",),
        )
        until = clock.monotonic() + allowed_s
        rows = NewRows(self._stream.name, self._there, planned.made.bindings, self._stream.map_ver)
        done = self._answered()
        work = joined(state.run, done, planned.cursor)
        state.memory.bound += 1
        state.memory.arrives(self._stream.name)
        try:
            intent = await state.store.load(state.lease, work, rows, intent)
        except TandemError as error:
            if error.kind is Kind.BUG:  # refused whole: what was to go along with it is not stored
                self._done = [*done, *self._done]
            raise
        self._committed(done)
        state.open[intent.id] = intent
        return Sent(planned, intent, until)

    def _answered(self) -> list[Settlement]:
        """What finished windows settle, for one transaction: if nobody knows what became of that, a look will tell."""
        done, self._done = self._done, []
        return done

    def _committed(self, done: Sequence[Settlement]) -> None:
        """What these windows settle is stored: their intents are open no longer."""
        for closed in (closed for one in done for closed in one.closed):
            del self._state.open[closed.action]

    # ----------------------------------------------------------------------------------------------------- make

    async def _make(self, receive: MemoryObjectReceiveStream[Sent]) -> None:
        async with receive:
            async for sent in receive:
                await self._make_one(sent)

    async def _make_one(self, sent: Sent) -> None:
        state, began = self._state, self._state.clock.monotonic()
        made = sent.planned.made
        block = "\n".join(made.targets) + "\n"
        try:
            stored = await self._to.create_rows(self._stream, self._creates.targets, block, sent.until)
        except TandemError as error:
            if error.kind is not Kind.REJECTED:
                state.unknown_outcome = error.kind is Kind.UNKNOWN
                raise
            self.refused = True
            undone = await self._undone(sent, error)
            self._done.append(undone)  # another step may have taken the list meanwhile
            return
        state.telemetry.emit(
            "write.done",
            connector=self._to.declaration.name,
            op=Op.CREATE.value,
            status="done",
            count=len(made.targets),
            duration_s=state.clock.monotonic() - began,
        )
        closed = await self._closed(sent, block, stored)
        self._done.append(closed)  # another step may have taken the list meanwhile

    async def _closed(self, sent: Sent, block: str, stored: str) -> Settlement:
        """Made as they were sent, but for those that say otherwise: each of these is settled by the rules."""
        state, bindings, hints, missing = self._state, list[Binding](), list[Hint](), 0
        if stored != block:
            bindings, hints, missing = await self._otherwise(sent, stored)
        count = len(sent.planned.made.bindings) - missing
        state.confirmed += count
        return Settlement(
            run=state.run,
            bindings=tuple(bindings),
            hints=tuple(hints),
            closed=(Closed(sent.intent.id, ActionState.CONFIRMED),),
            spend={(self._stream.name, self._there, self._stream.object(self._there), "creates"): count},
            counters=(Counters(stream=self._stream.name, side=self._there, created=count),),
        )

    async def _otherwise(self, sent: Sent, stored: str) -> tuple[list[Binding], list[Hint], int]:
        """The bindings of records that are stored otherwise than they were sent, hints for those that nobody can judge
        yet, and how many were swallowed: these are newcomers again, and hear the reason when they are tried alone."""
        shown = {_id(line): line for line in stored.split("\n")[:-1]}
        sent_as = {_id(line): line for line in sent.planned.made.targets}
        changed = [id_ for id_, line in sent_as.items() if shown.get(id_) != line]
        if not changed:  # in another order, or with others' rows in between
            return [], [], 0
        origins = {_id(line): line for line in sent.planned.lines}
        bindings: list[Binding] = []
        hints: list[Hint] = []
        missing = 0
        for binding in await self._state.store.bindings(
            self._state.link, self._stream.name, self._there, changed
        ):
            here, there = binding.side(self._origin), binding.side(self._there)
            assert here is not None and there is not None
            if there.id not in shown:
                missing += 1
                bindings.append(half_again(binding, self._there))
                continue
            out = self._creates.settled(origins[here.id], shown[there.id], self._state.clock.now())
            if out is None or out.open:
                hints.append(Hint(self._stream.name, self._there, there.id, "follow-up"))
            if out is not None and (out.binding.base, _devs(out.binding)) != (binding.base, _devs(binding)):
                bindings.append(_with_outcome(binding, out.binding))
        return bindings, hints, missing

    async def _undone(self, sent: Sent, error: TandemError) -> Settlement:
        """The system would not have all of them: each goes the general way, which finds the one."""
        found = await covered(self._state, sent.intent)
        return Settlement(
            run=self._state.run,
            bindings=tuple(half_again(binding, self._there) for binding in found),
            closed=(Closed(sent.intent.id, ActionState.DROPPED, error=error.message),),
        )


class _Lap:
    """How far the reading and the binding came. `stopped`: by a person."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = self.bound = cursor
        self.more = True
        self.stopped: Exception | None = None


async def creates_of(state: RunState, sides: Sides, stream: StreamSpec, origin: Side) -> Creates | None:
    """How new records of `origin` become lines of the other side; None where a bulk load is not possible: an intent is open,
    or what a line says is not all."""
    if state.waits_for(stream):
        return None
    if any(not s.declaration.by_id or s.declaration.version != "none" for s in sides.values()):
        return None
    if sides[other(origin)].declaration.read_lag_s:  # a late look would show what we made as not there
        return None
    shapes: dict[Side, RowShape] = {}
    for side in SIDES:
        shape = await sides[side].shape(stream, kept_paths(stream, side))
        if shape is None:
            return None
        shapes[side] = shape
    return creates_for(stream, origin, shapes)


async def somebody_waits(state: RunState, stream: StreamSpec, side: Side) -> bool:
    """Whether a record of that side is not bound yet: a new one of the other side may be the same."""
    after = 0
    while True:
        found = await state.store.bindings_in(state.link, stream.name, WAITING, after, PAGE)
        if any(half.side(side) is not None for half in found):
            return True
        if len(found) < PAGE:
            return False
        after = found[-1].key


async def covered(state: RunState, intent: Action) -> list[Binding]:
    """The bindings of a window."""
    assert intent.covers is not None
    out: list[Binding] = []
    while True:
        after = out[-1].key if out else 0
        page = await state.store.bindings_covered(state.link, intent.stream, intent.covers, after, PAGE)
        out.extend(page)
        if len(page) < PAGE:
            return out


def half_again(binding: Binding, there: Side) -> Binding:
    """A binding whose record was not made: its origin is a newcomer as before."""
    half = msgspec.structs.replace(binding, state=State.NEW, base={})
    return revised(
        msgspec.structs.replace(half, b=None) if there == "b" else msgspec.structs.replace(half, a=None)
    )


def _with_outcome(binding: Binding, out: Binding) -> Binding:
    """The stored binding with what a settled one says of base, deviations and keys."""
    held = {side: binding.side(side) for side in SIDES}
    for side in SIDES:
        mine, theirs = held[side], out.side(side)
        assert mine is not None and theirs is not None
        held[side] = msgspec.structs.replace(mine, dev=theirs.dev)
    changed = msgspec.structs.replace(binding, base=out.base, keys=out.keys, a=held["a"], b=held["b"])
    return revised(changed)


def _devs(binding: Binding) -> list[object]:
    return [dict(held.dev) for side in SIDES if (held := binding.side(side)) is not None]


def _id(line: str) -> str:
    return texts_of(line.partition("\t")[0])[0] or ""


def _keys(line: str) -> tuple[int, ...]:
    """The match keys of a line of the store."""
    keys = line.rpartition("\t")[2].strip("{}")
    return tuple(map(int, keys.split(","))) if keys else ()
