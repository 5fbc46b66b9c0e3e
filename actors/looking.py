"""Looks of one run: changes since a cursor, complete reads, the initial load. Decides what is due, and keeps the cursors.

Where records cross as lines it goes by blocks (actors/bulk.py, actors/sweep.py), else by windows of records. Must not plan.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from actors.access import Sides
from actors.bulk import Bulk, creates_of, somebody_waits
from actors.carry import Carrier
from actors.changed import ChangedLines, crosses
from actors.core.backlog import Backlog, packed
from actors.core.policy import InitialCreates, StreamSpec
from actors.core.rows import Creates, Looks, kept_paths
from actors.core.types import SIDES, Observation, Side, other
from actors.messages import Options
from actors.ports import Counters, Cursor, Find, Rows, Settlement
from actors.several import find_of
from actors.state import RunState
from actors.sweep import Sweep, looks_of
from actors.window import Window, Windows, ids

LOOK_NOTED_EVERY_S = 10.0
FEW = 20  # changes behind which one more question is cheaper than to hold them


class Looking:
    """`at`: a safe point. `touched`: works on the hints that have come due, between the windows of a long read."""

    def __init__(
        self,
        state: RunState,
        sides: Sides,
        options: Options,
        finds: Callable[[Side, str], Find],
        windows: Windows,
        carrier: Carrier,
        at: Callable[[str], Awaitable[None]],
        touched: Callable[[], Awaitable[None]],
    ) -> None:
        self._state = state
        self._sides = sides
        self._options = options
        self._finds = finds
        self._windows = windows
        self._carrier = carrier
        self._at = at
        self._touched = touched
        self.cursors: dict[tuple[str, Side], Cursor] = {}

    def _find(self, stream: StreamSpec, side: Side) -> Find:
        return find_of(self._finds, stream, side)

    async def look(self, stream: StreamSpec) -> bool:
        """Look at both sides. True when both looks came to their end."""
        begun: list[Side] = []
        over = {side for side in SIDES if self._find(stream, side) is Find.FEED}
        self._windows.over[stream.name] = set() if self._state.dry else over
        for side in SIDES:
            if await self._begin(stream, side):
                begun.append(side)
            await self._ask_backlog(stream, side)
        if not self._state.dry and stream.name not in self._state.loaded and await self._load(stream):
            return True
        for side in SIDES:
            # What changed since the first look of all began a moment ago is seen by the complete read that follows.
            is_first = side in begun and not self.cursor(stream, side).completed
            if self._find(stream, side) is Find.MODIFIED and not is_first:
                await self._poll(stream, side)
            if not await self._complete_read(stream, side):
                await self._note_look(stream, side)
            if not self._state.dry:
                self._windows.over[stream.name].add(side)
        return True

    def may_ask(self, stream: StreamSpec, side: Side) -> bool:
        """Whether a side that was looked at before can be asked what was touched since, by itself."""
        has_begun = stream.name in self._state.loaded and self.cursor(stream, side).completed > 0.0
        return has_begun and self._find(stream, side) is Find.MODIFIED

    async def ask(self, stream: StreamSpec, side: Side) -> None:
        """What was touched on a side since, and nothing else."""
        await self._poll(stream, side)

    async def _load(self, stream: StreamSpec) -> bool:
        """The initial load in bulk, from a side that was not read yet to one on which nobody is a stranger. True when it
        came to its end: both sides were looked at."""
        for origin in SIDES:
            closed = (
                self._state.gate.is_closed(stream, other(origin))
                or other(origin) not in stream.initial_load
                or stream.initial_creates is not InitialCreates.ON
            )
            if closed or origin not in stream.creates or self.cursor(stream, origin).completed:
                continue
            creates = await creates_of(self._state, self._sides, stream, origin)
            if creates is None or not await self._is_empty(stream, other(origin)):
                continue
            if await somebody_waits(self._state, stream, other(origin)):
                return False
            return await self._bulk(stream, origin, creates)
        return False

    async def _is_empty(self, stream: StreamSpec, side: Side) -> bool:
        """Whether its first complete read found nobody (who is there now was made by us, or is known as a stranger)."""
        access = self._sides[side]
        if self.cursor(stream, side).completed:  # long ago, perhaps: who came since then is a stranger too
            if self._find(stream, side) is Find.MODIFIED:
                await self._poll(stream, side)
            else:
                await self._complete_read(stream, side)
            return True
        rows, _ = await access.scan_rows(stream, "", kept_paths(stream, side), 1)
        return not _records(rows) and await self._complete_read(stream, side)

    async def _bulk(self, stream: StreamSpec, origin: Side, creates: Creates) -> bool:
        """Lap by lap; what is left when it can't go on is read the general way, from where it stands."""
        cursor = await self._begun(stream, origin)
        if cursor is None:
            return False
        window, at = self._options.rows_window, self._at
        bulk = Bulk(self._state, self._sides, stream, origin, creates, window, at, self._strangers)
        while True:
            cursor, is_at_end = await bulk.lap(cursor)
            self.cursors[stream.name, origin] = cursor
            if is_at_end:
                break
            await self._touched()
            whole_again = not self.cursor(stream, origin).began
            if whole_again or bulk.refused or await somebody_waits(self._state, stream, other(origin)):
                return False
        await self._completed(stream, origin, cursor)
        await self._look_at_echoes(stream, other(origin))
        return True

    async def _look_at_echoes(self, stream: StreamSpec, side: Side) -> None:
        """Everything we made was modified since the look at that side began: a complete read tells it from edits much
        sooner than looking at each. It comes next; changes are looked for from now on."""
        if self._find(stream, side) is not Find.MODIFIED:
            return
        page, _ = await self._sides[side].changes(stream, "", 1)
        cursor = msgspec.structs.replace(self.cursor(stream, side), cursor=page.cursor, completed=0.0)
        await self._take(stream, side, (), cursor, all_known=True)
        self._state.left_for_later = True

    async def _strangers(self, stream: StreamSpec, side: Side, ids: Sequence[str], generation: int) -> None:
        """Records that are no plain case: newcomers like any other."""
        seen = await self._sides[side].look(stream, ids)
        window = Window(side=side, seen=tuple(seen), generation=generation, totals_known=False)
        await self._windows.take(stream, window)

    async def _note_look(self, stream: StreamSpec, side: Side) -> None:
        """Nothing to read is a look too (a drained feed, an unchanged token): said now and then, not every time."""
        cursor, now = self.cursor(stream, side), self._state.clock.now()
        if now - cursor.looked >= LOOK_NOTED_EVERY_S:
            await self._take(stream, side, (), msgspec.structs.replace(cursor, looked=now), all_known=True)

    async def _begin(self, stream: StreamSpec, side: Side) -> bool:
        """The first look of all: note where changes start from *before* anything is read. Whether it was that."""
        cursor = self.cursor(stream, side)
        if cursor.cursor or self._find(stream, side) is not Find.MODIFIED:
            return False
        page, _ = await self._sides[side].changes(stream, "", 1)
        await self._keep(stream, side, cursor=page.cursor)
        return True

    async def _ask_backlog(self, stream: StreamSpec, side: Side) -> None:
        """What the system has still to get itself. Asked *before* anything is read: what was reported by then is met."""
        told = await self._sides[side].backlog(stream)
        if told is None:
            return
        backlog = Backlog(stream.name, side, tuple(told))
        self._state.backlogs[stream.name, side] = backlog
        cursor = self.cursor(stream, side)
        if not self._state.dry and cursor.backlog != packed([backlog]):
            await self._take(
                stream, side, (), msgspec.structs.replace(cursor, backlog=packed([backlog])), all_known=True
            )

    async def _poll(self, stream: StreamSpec, side: Side) -> None:
        if crosses(self._state, self._sides, stream):
            await self._poll_lines(stream, side)
            return
        cursor = self.cursor(stream, side).cursor
        while True:
            await self._at(f"{stream.name}: looking for changes on side {side}")
            began = self._state.clock.monotonic()
            onward, more, seen = await self._changed(stream, side, cursor)
            moved = self._moved(stream, side, cursor=onward, looked=self._state.clock.now())
            self._looked(stream, side, "modified", len(seen), began)
            if not seen and onward == cursor:
                return
            await self._take(stream, side, seen, moved, all_known=not more)
            if not more or onward == cursor:
                return
            await self._touched()
            cursor = onward

    async def _changed(
        self, stream: StreamSpec, side: Side, cursor: str
    ) -> tuple[str, bool, Sequence[Observation]]:
        """A page of changes: where to go on, whether there may be more, and what it shows. Behind a few it is asked at once
        whether those were all: then they are decided on as such, and need not be held until it is known."""
        access, window = self._sides[side], self._options.window
        page, seen = await access.changes(stream, cursor, window)
        if not page.more or len(seen) > FEW or page.cursor == cursor:
            return page.cursor, page.more, seen
        rest, others = await access.changes(stream, page.cursor, window)
        both = {one.id: one for one in (*seen, *others)}  # who was met twice, as he was met last
        return rest.cursor, rest.more and rest.cursor != page.cursor, tuple(both.values())

    async def _poll_lines(self, stream: StreamSpec, side: Side) -> None:
        """The same where records cross as lines."""
        state, paths, window = self._state, kept_paths(stream, side), self._options.rows_window
        lines = ChangedLines(state, self._sides, stream, side, window, self._carrier, self._windows)
        cursor = self.cursor(stream, side).cursor
        while True:
            await self._at(f"{stream.name}: looking for changes on side {side}")
            began = state.clock.monotonic()
            rows, asked = await self._sides[side].change_rows(stream, cursor, paths, window)
            moved = self._moved(stream, side, cursor=rows.cursor, looked=state.clock.now())
            self._looked(stream, side, "modified", _records(rows), began)
            if not _records(rows):
                if rows.cursor != cursor:
                    await self._take(stream, side, (), moved, all_known=not rows.more)
            else:
                await lines.take(rows, asked, moved, all_known=not rows.more)
                self.cursors[stream.name, side] = moved
            if not rows.more or rows.cursor == cursor:
                return
            await self._touched()
            cursor = rows.cursor

    async def _complete_read(self, stream: StreamSpec, side: Side) -> bool:
        """A complete read if one is due or under way; resumable, in windows. Then: what was not seen? False: none due."""
        cursor = await self._begun(stream, side)
        if cursor is None:
            return False
        known = stream.name in self._state.loaded and cursor.completed >= stream.remapped
        if not cursor.position and known and not self._state.dry:
            looks = await looks_of(self._sides[side], stream)
            if looks is not None:
                return await self._sweep(stream, side, looks, cursor)
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
            await self._touched()
            if not self.cursor(stream, side).began:  # told to look at the whole object: from the start again
                return await self._complete_read(stream, side)
        await self._unseen(stream, side, cursor.generation)
        await self._completed(stream, side, cursor)
        return True

    async def _begun(self, stream: StreamSpec, side: Side) -> Cursor | None:
        """The cursor of the complete read that is under way or due; None: neither."""
        cursor = self.cursor(stream, side)
        if cursor.began:
            return cursor
        token = await self._due(stream, side, cursor)
        if token is None:
            return None
        return msgspec.structs.replace(
            cursor,
            began=self._state.clock.now(),
            generation=cursor.generation + 1,
            position="",
            token=token,
        )

    async def _completed(self, stream: StreamSpec, side: Side, cursor: Cursor, unchanged: int = 0) -> None:
        self._windows.stirred.add(stream.name)
        now = self._state.clock.now()
        done = msgspec.structs.replace(cursor, began=0.0, position="", completed=now, looked=now)
        counters = (Counters(stream=stream.name, side=side, unchanged=unchanged),) if unchanged else ()
        if not self._state.dry:  # a dry run has shown what it saw, and settled nothing of it
            await self._state.settle(Settlement(run=self._state.run, cursors=(done,), counters=counters))
        self.cursors[stream.name, side] = done

    async def _sweep(self, stream: StreamSpec, side: Side, looks: Looks, cursor: Cursor) -> bool:
        """The complete read of a side whose records cross as lines."""
        access = self._sides[side]

        async def take(ids: Sequence[str], is_last: bool) -> None:
            if ids:
                seen = await access.look(stream, ids, "sweep")
                await self._take(stream, side, seen, None, all_known=is_last)

        async def between() -> bool:
            await self._touched()
            return self.cursor(stream, side).completed == cursor.completed

        window = self._options.rows_window
        while True:
            sweep = Sweep(self._state, access, stream, looks, window, self._at, take, between)
            if await sweep.read():
                break
            # Told to look at the whole object: from the start again.
            cursor = msgspec.structs.replace(cursor, completed=self.cursor(stream, side).completed)
        await self._completed(stream, side, cursor, sweep.unchanged)
        return True

    async def _due(self, stream: StreamSpec, side: Side, cursor: Cursor) -> str | None:
        """The look token to note when a complete read is due, else None. Since we wrote there it says nothing: what was put
        back since is what was read before."""
        full, memory, place = self._find(stream, side) is Find.FULL, self._state.memory, (stream.name, side)
        wrote = memory.writes.get((stream.object(side), side), 0)
        token = await self._sides[side].look_token(stream) if full else ""
        if full and (not token or token != cursor.token or wrote != memory.read.get(place, 0)):
            memory.read[place] = wrote
            return token
        overdue = self._state.clock.now() - cursor.completed >= stream.complete_read_s
        return token if not cursor.completed or overdue else None

    async def _unseen(self, stream: StreamSpec, side: Side, generation: int) -> None:
        """Absence is only a hint: whatever was not met is looked at by id before anything is concluded."""
        if self._sides[side].declaration.absence == "none" or self._state.dry:
            return
        after = ""
        while True:
            await self._at(f"{stream.name}: confirming what was not seen on side {side}")
            missing = await self._state.store.unseen(
                self._state.link, stream.name, side, generation, after, self._options.window
            )
            if not missing:
                return
            those = ids(missing, side)
            after = those[-1]
            seen = await self._sides[side].look(stream, those, "sweep")
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
        # What earlier pages held is decided on with the last one's, after the look: by itself that may be within the budget.
        known = all_known and stream.name not in self._state.spooled
        window = Window(side=side, seen=tuple(seen), cursor=cursor, generation=generation, totals_known=known)
        await self._windows.take(stream, window)
        if cursor is not None:
            self.cursors[stream.name, side] = cursor

    # ------------------------------------------------------------------------------------------------ cursors

    async def delivered(self, stream: StreamSpec, *, all_gone: bool) -> None:
        """All that waited for its schedule has gone: noted, so that it goes again at the next instant only."""
        cursors = []
        for side, at in self._state.gate.opened(stream, all_gone=all_gone):
            cursor = msgspec.structs.replace(self.cursor(stream, side), delivered=at)
            self.cursors[stream.name, side] = cursor
            cursors.append(cursor)
        if cursors:
            await self._state.settle(Settlement(run=self._state.run, cursors=tuple(cursors)))

    def look_at_all(self, stream: StreamSpec, side: Side) -> Cursor:
        """The next look is a complete read from its start."""
        cursor = msgspec.structs.replace(
            self.cursor(stream, side), completed=0.0, token="", began=0.0, position=""
        )
        self.cursors[stream.name, side] = cursor
        return cursor

    def cursor(self, stream: StreamSpec, side: Side) -> Cursor:
        return self.cursors.get((stream.name, side)) or Cursor(stream=stream.name, side=side)

    def _moved(self, stream: StreamSpec, side: Side, *, cursor: str, looked: float) -> Cursor:
        return msgspec.structs.replace(self.cursor(stream, side), cursor=cursor, looked=looked)

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


def _records(rows: Rows) -> int:
    return rows.block.count("\n") + len(rows.gone) + len(rows.unsaid)
