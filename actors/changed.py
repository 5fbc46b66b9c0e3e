"""Changes of one side that cross as lines: what reads as it is stored is unchanged, what is plainly changed is written to
the other side by one request, and everything else goes the general way.

Intents are those of the general way, one for each record, and so is all that becomes of them but for the plain case: shown
as it was sent. The cursor goes with the last transaction of a page. Must not decide what is plain (actors/core/changes.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from actors.access import Sides
from actors.carry import Carrier, Extra
from actors.conclude import Conclusions, Done, Pair
from actors.core.changes import Change, Changes, action_of, changes_for
from actors.core.errors import Kind, TandemError
from actors.core.mapping import NO_REFS
from actors.core.plan import Verdict
from actors.core.policy import StreamSpec
from actors.core.rows import RowShape, is_plain, kept_paths, looks_alone
from actors.core.texts import ids_of
from actors.core.types import SIDES, Action, ActionState, Observation, Op, Presence, Side, other
from actors.ports import (
    ChangeIntents,
    Closed,
    Counters,
    Cursor,
    Rows,
    RowUpdates,
    Settlement,
    WriteResult,
    WriteStatus,
)
from actors.runtime.together import together
from actors.state import RunState
from actors.window import Window, Windows

PARTS = 20  # requests for a page in which everything is changed
ECHOES_MAX = 20_000
DONE = WriteResult(WriteStatus.DONE)
EVERYTHING = ("overwrites", "clears")  # of the budget, that a change may spend
ALONE = "the system would not have it among others"


class _Page:
    """The records of a page, and what they turned out to be: unchanged, plainly changed, or left to the general way."""

    def __init__(self, rows: Rows, asked: float) -> None:
        self.lines = rows.block.split("\n")[:-1]
        self.ids = ids_of(self.lines, rows.block)
        self.plain = is_plain(rows.block)
        self.asked = asked
        self.size = len(self.lines)
        self.unchanged = 0
        self.changed = 0
        self.left: list[str] = [*rows.unsaid]

    def leave(self, ids: Sequence[str]) -> None:
        """These go the general way."""
        self.left += ids


class _Part(msgspec.Struct):
    """Changes of one request: their intents, until when it must be over, what was told, and what became of each (None:
    shown as it was sent, and nothing else of it is new)."""

    changes: Sequence[Change]
    ids: Sequence[int]
    deadline: float
    until: float
    stored: str = ""
    results: list[WriteResult | None] = []


class ChangedLines:
    """Takes pages of changes of one side of a stream, in one run. `window`: records of a page."""

    def __init__(
        self,
        state: RunState,
        sides: Sides,
        stream: StreamSpec,
        side: Side,
        window: int,
        carrier: Carrier,
        windows: Windows,
    ) -> None:
        self._state = state
        self._stream = stream
        self._side, self._there = side, other(side)
        self._sides = sides
        self._from, self._to = sides[side], sides[other(side)]
        self._part = max(1, window // PARTS)
        self._carrier = carrier
        self._windows = windows

    async def take(self, rows: Rows, asked: float, cursor: Cursor, *, all_known: bool) -> None:
        """Settle a page: everything it showed is settled, carried out, or left to the general way."""
        state, began = self._state, self._state.clock.monotonic()
        page = _Page(rows, asked)
        plan = await self._changes()
        if plan is None:
            page.leave(page.ids)
        last = await self._carry(plan, page, all_known) if plan else None
        counters = (Counters(self._stream.name, self._side, unchanged=page.unchanged),)
        extra = Extra(counters=counters if page.unchanged else ())
        is_all = not page.left and not rows.gone
        if is_all:
            extra = msgspec.structs.replace(extra, cursors=(cursor,))
        if last is not None:
            await self._settle(last, asked, extra)
        else:
            settlement = Settlement(run=state.run, cursors=extra.cursors, counters=extra.counters)
            await state.settle(settlement)
        state.telemetry.emit(
            "window.settled",
            link=state.link,
            stream=self._stream.name,
            side=self._side,
            records=page.size - len(page.left) + len(rows.unsaid),
            writes=page.changed,
            duration_s=state.clock.monotonic() - began,
        )
        if not is_all:
            await self._leave(page.left, rows.gone, asked, cursor, all_known)

    async def _leave(
        self, ids: Sequence[str], gone: Sequence[str], asked: float, cursor: Cursor, all_known: bool
    ) -> None:
        seen = await self._from.look(self._stream, ids) if ids else []
        seen += [Observation(self._side, one, asked, Presence.DELETED) for one in gone]
        window = Window(side=self._side, seen=tuple(seen), cursor=cursor, totals_known=all_known)
        await self._windows.take(self._stream, window)

    # ----------------------------------------------------------------------------------------------------- sort

    async def _changes(self) -> Changes | None:
        """None where an object does not cross as lines after all."""
        shapes: dict[Side, RowShape] = {}
        for side in SIDES:
            shape = await self._sides[side].shape(self._stream, kept_paths(self._stream, side))
            if shape is None:
                return None
            shapes[side] = shape
        return changes_for(self._stream, self._side, shapes)

    async def _sorted(
        self, plan: Changes, page: _Page, lines: Sequence[str], ids: Sequence[str]
    ) -> list[Change]:
        """What is plainly changed among these lines of the page."""
        state, stream, out = self._state, self._stream, list[Change]()
        read = plan.looks.stored(lines, page.plain)
        found = await state.store.standing(state.link, stream.name, self._side, ids, stream.map_ver)
        may_write = self._may_write()
        now, breaker = state.clock.now(), state.spec.breaker
        for line, id_, as_stored in zip(lines, ids, read, strict=True):
            at = found.get(id_)
            if at is not None and as_stored == f"{id_}\t{at.base}":
                page.unchanged += 1
                continue
            change = None
            if at is not None and may_write and self._is_fresh(id_, at.key, page.asked):
                change = plan.plan(line, as_stored, at, now, breaker)
            if change is None:
                page.leave([id_])
            else:
                out.append(change)
        return out

    def _new(self, page: _Page) -> tuple[list[str], list[str]]:
        """Lines and ids without the echoes of what we wrote."""
        echoes = self._state.echoes.get((self._stream.name, self._side))
        if not echoes:
            return page.lines, page.ids
        new = [place for place, line in enumerate(page.lines) if echoes.get(page.ids[place]) != line]
        page.unchanged += page.size - len(new)
        return [page.lines[place] for place in new], [page.ids[place] for place in new]

    def _may_write(self) -> bool:
        """Whether it may go now, proves what it rests on, and mostly holds (as of Windows)."""
        atomic = self._to.declaration.precondition == "atomic"
        if self._state.gate.is_closed(self._stream, self._there):
            return False
        return atomic and self._state.memory.trusts(self._stream.object(self._there), self._there)

    def _is_fresh(self, id_: str, binding: int, asked: float) -> bool:
        """Fresh eyes, and no planning while an intent on the record is open (as of Windows)."""
        state, stream, side = self._state, self._stream, self._side
        if state.open and (state.is_open(binding) or state.is_open_id(stream, side, id_)):
            return False
        return asked > state.memory.last(stream.object(side), side, id_)

    async def _may_go(self, kinds: Sequence[tuple[str, ...]], all_known: bool) -> bool:
        stubs = {one: Action(self._stream.name, self._there, Op.UPDATE, 0, kinds=one) for one in {*kinds}}
        actions = [stubs[one] for one in kinds]
        return await self._carrier.may_all_go(self._stream, actions, totals_known=all_known)

    # ---------------------------------------------------------------------------------------------------- carry

    async def _carry(self, plan: Changes, page: _Page, all_known: bool) -> _Part | None:
        """Part by part: planned, intents, a request, and what became of it in one transaction, each step of another part
        at the same time. The last part is given back: what goes with the whole page goes with it."""
        planned_in, planned_out = anyio.create_memory_object_stream[Sequence[Change]](0)
        intended_in, intended_out = anyio.create_memory_object_stream[_Part](0)
        sent_in, sent_out = anyio.create_memory_object_stream[_Part](0)
        last: _Part | None = None
        async with together() as tasks:
            tasks.start_soon(self._plan, plan, page, all_known, planned_in)
            tasks.start_soon(self._intend, planned_out, intended_in)
            tasks.start_soon(self._write, plan, intended_out, sent_in)
            async with sent_out:
                async for part in sent_out:
                    if last is not None:
                        await self._settle(last, page.asked, Extra())
                    last = part
        return last

    async def _plan(
        self, plan: Changes, page: _Page, all_known: bool, send: MemoryObjectSendStream[Sequence[Change]]
    ) -> None:
        """Where the budget allows whatever may come of the page, each part goes as soon as it is planned; else the totals
        of the whole page decide."""
        async with send:
            lines, ids = self._new(page)
            is_small = len(lines) <= self._part
            at_once = not is_small and await self._may_go([EVERYTHING] * len(lines), all_known)
            changes: list[Change] = []
            for place in range(0, len(lines), self._part):
                those = slice(place, place + self._part)
                changes += await self._sorted(plan, page, lines[those], ids[those])
                if at_once and changes:
                    page.changed += len(changes)
                    await send.send(changes)
                    changes = []
            if changes and not await self._may_go([change.kinds for change in changes], all_known):
                page.leave([change.origin for change in changes])
                return
            page.changed += len(changes)
            for place in range(0, len(changes), self._part):
                await send.send(changes[place : place + self._part])

    async def _intend(
        self, receive: MemoryObjectReceiveStream[Sequence[Change]], send: MemoryObjectSendStream[_Part]
    ) -> None:
        state, allowed_s = self._state, self._to.declaration.deadline_s
        async with receive, send:
            async for changes in receive:
                deadline, until = state.clock.now() + allowed_s, state.clock.monotonic() + allowed_s
                ids = await state.intend_changes(
                    ChangeIntents(self._stream.name, self._there, changes, deadline)
                )
                await send.send(_Part(changes, ids, deadline, until))

    async def _write(
        self,
        plan: Changes,
        receive: MemoryObjectReceiveStream[_Part],
        send: MemoryObjectSendStream[_Part],
    ) -> None:
        async with receive, send:
            async for part in receive:
                await self._send(plan, part)
                await send.send(part)

    async def _send(self, plan: Changes, part: _Part) -> None:
        state, stream, there = self._state, self._stream, self._there
        began = state.clock.monotonic()
        try:
            if state.trouble is not None:
                raise state.trouble
            part.stored = await self._to.update_rows(
                stream, _updates(part.changes), plan.back.paths, part.until
            )
        except TandemError as error:
            part.results = self._failed(part.changes, error)
        else:
            part.results = _told(plan, part.changes, part.stored)
        wrote = state.clock.monotonic()
        name = stream.object(there)
        for change in part.changes:
            state.memory.wrote(name, there, change.target, wrote)
        told = [result or DONE for result in part.results]
        state.report_writes(self._to.declaration.name, told, [Op.UPDATE] * len(told), wrote - began)

    async def _settle(self, part: _Part, asked: float, extra: Extra) -> None:
        state, stream, there = self._state, self._stream, self._there
        done, otherwise = Done(), list[tuple[Action, WriteResult]]()
        name, memory = stream.object(there), state.memory
        for change, id_, result in zip(part.changes, part.ids, part.results, strict=True):
            memory.trusted(name, there, result is None or result.status is not WriteStatus.MOVED_ON)
            if result is not None:
                action = action_of(stream.name, there, change, part.deadline)
                otherwise.append((msgspec.structs.replace(action, id=id_), result))
                continue
            done.changes.append(change)
            done.closed.append(Closed(id_, ActionState.CONFIRMED))
            for kind in change.kinds:
                spent = stream.name, there, name, kind
                done.spend[spent] = done.spend.get(spent, 0) + 1
        if done.changes:
            done.add(there, "updated", len(done.changes))
            state.confirmed += len(done.changes)
        if otherwise:
            await self._conclude(otherwise, asked, done)
        await self._carrier.commit(stream, done, extra)
        self._note_echoes(part, done.changes)

    def _note_echoes(self, part: _Part, settled: Sequence[Change]) -> None:
        """A look that comes next shows these lines again: nothing new, as long as nobody settles anything else."""
        stream, state = self._stream, self._state
        there = state.echoes.setdefault((stream.name, self._there), {})
        here = state.echoes.get((stream.name, self._side), {})
        lines = part.stored.split("\n")[:-1]
        shown = dict(zip(ids_of(lines, part.stored), lines, strict=True))
        for change in settled:
            here.pop(change.origin, None)
            there[change.target] = shown[change.target]
        if len(there) > ECHOES_MAX:
            there.clear()

    def _failed(self, changes: Sequence[Change], error: TandemError) -> list[WriteResult | None]:
        state = self._state
        status, said = WriteStatus.NOT_DONE, error.message
        if error.kind is Kind.REJECTED:
            status, said = WriteStatus.MOVED_ON, f"{ALONE}: {error.message}"
        elif error.kind is Kind.UNKNOWN:
            status = WriteStatus.UNKNOWN
        if error.kind is not Kind.REJECTED and error is not state.trouble:
            state.cut_short(error)
            if error.kind is not Kind.UNKNOWN:
                state.trouble = error
        return [WriteResult(status, change.target, error=said) for change in changes]

    async def _conclude(
        self, otherwise: Sequence[tuple[Action, WriteResult]], asked: float, done: Done
    ) -> None:
        """What became of the others, by the rules for writes of the general way."""
        state = self._state
        actions = [action for action, _ in otherwise]
        keys = [action.binding for action in actions]
        found = {one.key: one for one in await state.store.bindings_by_key(state.link, keys)}
        pairs = []
        for action in actions:
            seen = Observation(self._side, action.origin, asked)
            a, b = (seen, None) if self._side == "a" else (None, seen)
            pairs.append(Pair(found[action.binding], a=a, b=b))
        verdicts = [Verdict(pair.binding) for pair in pairs]
        results = {place: result for place, (_, result) in enumerate(otherwise)}
        Conclusions(state, NO_REFS).settle(self._stream, pairs, verdicts, actions, results, done)


def crosses(state: RunState, sides: Sides, stream: StreamSpec) -> bool:
    """Whether changes of this stream may be looked at as lines; whether its objects can be is asked when there are any."""
    if state.dry or stream.name not in state.loaded or not looks_alone(stream):
        return False
    declared = [access.declaration for access in sides.values()]
    return all(d.rows and d.by_id and d.version == "none" and not d.read_lag_s for d in declared)


def _updates(changes: Sequence[Change]) -> list[RowUpdates]:
    """The changes of the same fields together."""
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Change]] = {}
    for change in changes:
        alike.setdefault((change.written, change.guarded), []).append(change)
    return [
        RowUpdates(
            written,
            guarded,
            [change.target for change in some],
            [change.values for change in some],
            [change.held for change in some],
        )
        for (written, guarded), some in alike.items()
    ]


def _told(plan: Changes, changes: Sequence[Change], stored: str) -> list[WriteResult | None]:
    """What became of each. A record that is not told of was not written: it is looked at, and says why."""
    lines = stored.split("\n")[:-1]
    ids = ids_of(lines, stored)
    shown = dict(zip(ids, zip(lines, plan.back.stored(lines, is_plain(stored)), strict=True), strict=True))
    results: list[WriteResult | None] = []
    for change in changes:
        target = change.target
        if target not in shown:
            results.append(WriteResult(WriteStatus.MOVED_ON, target))
            continue
        line, read = shown[target]
        as_sent = read == f"{target}\t{change.base}"
        results.append(None if as_sent else WriteResult(WriteStatus.DONE, target, plan.shown(line)))
    return results
