"""A complete read of a side as lines: what reads as it is stored is unchanged; only the rest is looked at one by one.

Nothing is written for an unchanged record, so the read marks nobody as seen. Absence shows in sums over the ids, a few
thousand of them: of those met, and of those that should be there. Where two sums differ, the few ids behind them are looked
at by id. Such a read is quick and is not resumed: after a crash it starts again.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from actors.access import Access
from actors.core.policy import StreamSpec
from actors.core.rows import Looks, kept_paths, looks_for
from actors.core.texts import texts_of
from actors.ports import Rows
from actors.runtime.together import together
from actors.state import RunState

SUMS = 1 << 16
ONE = 1 << 40  # counts beside the sum of hashes: a single id that is missing always shows


class Sums:
    """A set of ids as sums: equal sets, equal sums."""

    def __init__(self) -> None:
        self._sums = [0] * SUMS

    def add(self, ids: Iterable[str], by: int = 1) -> None:
        """Add (or take off) these ids."""
        sums = self._sums
        for id_ in ids:
            hash_ = zlib.crc32(id_.encode())
            sums[hash_ & 0xFFFF] += by * (ONE + hash_)

    def are_zero(self) -> bool:
        return not any(self._sums)

    def unsettled(self, ids: Iterable[str]) -> list[str]:
        """Those of these ids whose sum is not zero."""
        return [id_ for id_ in ids if self._sums[zlib.crc32(id_.encode()) & 0xFFFF]]


class Sweep:
    """One complete read. `at`: a safe point. `between`: what goes first, between two windows; False: start again."""

    def __init__(
        self,
        state: RunState,
        access: Access,
        stream: StreamSpec,
        looks: Looks,
        window: int,
        at: Callable[[str], Awaitable[None]],
        take: Callable[[Sequence[str], bool], Awaitable[None]],
    ) -> None:
        self._state = state
        self._access = access
        self._stream = stream
        self._looks = looks
        self._window = window
        self._at = at
        self._take = take
        self._met = Sums()
        self.unchanged = 0

    async def read(self, between: Callable[[], Awaitable[bool]]) -> bool:
        """Read to the end. False: told to start again."""
        send, receive = anyio.create_memory_object_stream[tuple[Rows, float]](1)
        async with together() as tasks, receive:
            tasks.start_soon(self._pages, send)
            async for rows, took_s in receive:
                await self._at(f"{self._stream.name}: reading side {self._access.side}")
                await self._compare(rows, took_s)
                if rows.more and not await between():
                    tasks.cancel_scope.cancel()
                    return False
        return True

    async def _pages(self, send: MemoryObjectSendStream[tuple[Rows, float]]) -> None:
        async with send:
            position, more = "", True
            while more:
                rows, asked = await self._access.scan_rows(
                    self._stream, position, self._looks.paths, self._window
                )
                await send.send((rows, self._state.clock.monotonic() - asked))
                position, more = rows.cursor, rows.more

    async def _compare(self, rows: Rows, took_s: float) -> None:
        state, side = self._state, self._access.side
        lines = rows.block.split("\n")[:-1]
        read = self._looks.stored(lines, rows.block)
        ids = [line.partition("\t")[0] for line in lines]
        if "\\" in rows.block:
            ids = [texts_of(id_)[0] or "" if "\\" in id_ else id_ for id_ in ids]
        quiet = await state.store.quiet(state.link, self._stream.name, side, ids, self._stream.map_ver)
        changed = [id_ for id_, line in zip(ids, read, strict=True) if line not in quiet]
        self._met.add(ids)
        self.unchanged += len(ids) - len(changed)
        state.telemetry.emit(
            "look.done",
            link=state.link,
            stream=self._stream.name,
            side=side,
            kind="complete",
            records=len(ids),
            duration_s=took_s,
        )
        await self._take(changed, not rows.more)

    async def absent(self) -> None:
        """Look by id at whatever may have been missing."""
        state, side = self._state, self._access.side
        await self._at(f"{self._stream.name}: confirming what was not seen on side {side}")
        async with aclosing(state.store.present(state.link, self._stream.name, side)) as pages:
            async for ids in pages:
                self._met.add(ids, -1)
        if self._met.are_zero():
            return
        async with aclosing(state.store.present(state.link, self._stream.name, side)) as pages:
            suspects = [id_ async for ids in pages for id_ in self._met.unsettled(ids)]
        for start in range(0, len(suspects), self._window):
            some = suspects[start : start + self._window]
            await self._take(some, start + self._window >= len(suspects))


async def looks_of(access: Access, stream: StreamSpec) -> Looks | None:
    """How this side's lines are read; None where a complete read must look at every record."""
    if not (access.declaration.rows and access.declaration.by_id):
        return None
    shape = await access.shape(stream, kept_paths(stream, access.side))
    return looks_for(stream, access.side, shape) if shape is not None else None
