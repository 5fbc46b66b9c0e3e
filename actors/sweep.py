"""A complete read of a side as lines: what reads as it is stored is unchanged; only the rest is looked at one by one.

What is stored is asked for after the lines were read, for as many records: from the first id to the last where that names
them, else id by id. Nothing is written for an unchanged record, so the read marks nobody as seen. Nobody is absent where as
many were met as are present; else the ids are read once more, and absence shows in sums over them, a few thousand: of those
met, and of those that should be there. Where two sums differ, the few ids behind them are looked at by id.

Windows that were found unchanged are remembered as two digests (`state.Compared`): equal again, nothing is compared. Such
a read is quick and is not resumed: after a crash it starts again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import anyio
import anyio.lowlevel
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from actors.access import Access
from actors.core.policy import StreamSpec
from actors.core.rows import Looks, is_plain, kept_paths, looks_for
from actors.core.texts import ids_of
from actors.ports import Lines
from actors.runtime.together import together
from actors.state import Compared, RunState

T = TypeVar("T")
SUMS = 1 << 16
ONE = 1 << 40  # counts beside the sum of hashes: a single id that is missing always shows
SPREAD = 10  # a window ends within about a tenth of where its page does
AT_ONCE = 500  # lines that are translated before others have their turn


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


class _Window(msgspec.Struct, frozen=True):
    """Lines as they were read, `digest` of them, and what the store had of these records after that. `unsaid`: records that
    were met, and that no line can say."""

    block: str
    more: bool
    took_s: float
    unsaid: Sequence[str] = ()
    digest: bytes = b""
    lines: Lines = Lines(0, "")


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
        between: Callable[[], Awaitable[bool]],
    ) -> None:
        self._state = state
        self._access = access
        self._stream = stream
        self._looks = looks
        self._window = window
        self._at = at
        self._take = take
        self._between = between
        self._bound = state.memory.bound
        self._met = 0
        self._before = before = state.memory.compared.get((stream.name, access.side), Compared())
        self._known = before.windows if before.made_for == looks.made_for else {}
        self._unchanged: dict[bytes, str] = {}
        self.unchanged = 0

    async def read(self) -> bool:
        """Read to the end. False: told to start again."""
        side = self._access.side
        async with _ahead(self._count) as present, _ahead(self._windows) as windows:
            async for window in windows:
                await self._at(f"{self._stream.name}: reading side {side}")
                await self._compare(window)
                if window.more and not await self._between():
                    return False
            if self._access.declaration.absence == "none":
                self._remember(-1)
                return True
            # Nobody was bound or let go meanwhile: if they are as many, those who were met are all who are present.
            nobody_missing = await present.receive() == self._met and self._bound == self._state.memory.bound
            self._remember(self._bound if nobody_missing else -1)
        return nobody_missing or await self._absent()

    def _remember(self, bound: int) -> None:
        place = self._stream.name, self._access.side
        compared = Compared(self._looks.made_for, self._unchanged, self._met, bound)
        self._state.memory.compared[place] = compared

    async def _count(self, send: MemoryObjectSendStream[int]) -> None:
        """How many are present."""
        if self._before.bound == self._bound:
            await send.send(self._before.present)
        elif self._access.declaration.absence != "none":
            args = self._state.link, self._stream.name, self._access.side
            await send.send(await self._state.store.count_present(*args))

    async def _windows(self, send: MemoryObjectSendStream[_Window]) -> None:
        async def pages(send: MemoryObjectSendStream[_Window]) -> None:
            await self._pages(self._looks.paths, send)

        rest = ""
        async with _ahead(pages) as read:
            async for page in read:
                block = rest + page.block
                block, rest = _cut(block, self._window // SPREAD) if page.more else (block, "")
                digest = hashlib.blake2b(block.encode(), digest_size=16).digest()
                lines = await self._stored(block, block=digest not in self._known)
                await send.send(_Window(block, page.more, page.took_s, page.unsaid, digest, lines))

    async def _pages(self, paths: Sequence[str], send: MemoryObjectSendStream[_Window]) -> None:
        position, more = "", True
        while more:
            rows, asked = await self._access.scan_rows(self._stream, position, paths, self._window)
            took_s = self._state.clock.monotonic() - asked
            await send.send(_Window(rows.block, rows.more, took_s, rows.unsaid))
            position, more = rows.cursor, rows.more

    async def _stored(self, read: str, *, block: bool) -> Lines:
        """What the store has of the records of these lines."""
        map_ver = self._stream.map_ver
        store, side, count = self._state.store, self._access.side, read.count("\n")
        first, last = read.partition("\t")[0], read[read.rfind("\n", 0, -1) + 1 :].partition("\t")[0]
        # Ids of one length are in bytewise order wherever they are in order at all: numbers, UUIDs, K0001 to K9999. With
        # one digit less there is a tenth as many numbers, which stand among them.
        if len(first) == len(last) and first <= last:
            ends = first, last
            limit = count + count // 4 + 10
            lines = await store.lines_between(
                self._state.link, self._stream.name, side, ends, limit, block=block, map_ver=map_ver
            )
            if lines.count == count:
                return lines
        return await store.lines_of(
            self._state.link, self._stream.name, side, _ids(read), block=block, map_ver=map_ver
        )

    async def _compare(self, window: _Window) -> None:
        block, lines, count = window.block, window.lines, window.block.count("\n")
        changed: list[str] = []
        if lines.count != count or self._known.get(window.digest) != lines.digest:
            if window.digest in self._known:  # that was all that was asked for
                lines = await self._stored(block, block=True)
            changed = await self._translated(block, lines)
        else:
            self._met += count
        if not changed and lines.count == count:
            self._unchanged[window.digest] = lines.digest
        self.unchanged += count - len(changed)
        if window.unsaid:
            known = await self._known_of(window.unsaid)
            self._met += known
            changed += window.unsaid
        self._state.telemetry.emit(
            "look.done",
            link=self._state.link,
            stream=self._stream.name,
            side=self._access.side,
            kind="complete",
            records=count + len(window.unsaid),
            duration_s=window.took_s,
        )
        await self._take(changed, not window.more)

    async def _known_of(self, ids: Sequence[str]) -> int:
        """How many of these the store has."""
        args = self._state.link, self._stream.name, self._access.side, ids
        return (await self._state.store.lines_of(*args, block=False, map_ver=self._stream.map_ver)).count

    async def _translated(self, block: str, lines: Lines) -> list[str]:
        """The ids of those that read otherwise than they are stored; counts those that are known at all."""
        rows, plain, read = block.split("\n")[:-1], is_plain(block), list[str]()
        for start in range(0, len(rows), AT_ONCE):
            read += self._looks.stored(rows[start : start + AT_ONCE], plain)
            await anyio.lowlevel.checkpoint()
        if lines.count == len(rows) and "\n".join(read) == lines.block:
            self._met += len(rows)
            return []
        stored = set(lines.block.split("\n")) - {""}  # that is what a line that can't be read reads as
        known = {line.rpartition("\t")[0] for line in stored}
        ids = _ids(block)
        self._met += sum(id_ in known for id_ in ids)
        return [id_ for id_, line in zip(ids, read, strict=True) if line not in stored]

    async def _absent(self) -> bool:
        """Look by id at whatever may have been missing. False: told to start again."""
        state, side, name = self._state, self._access.side, self._stream.name
        await self._at(f"{name}: confirming what was not seen on side {side}")
        sums = Sums()
        if not await self._meet(sums):
            return False
        async with aclosing(state.store.present(state.link, name, side)) as pages:
            async for ids in pages:
                sums.add(ids, -1)
        if sums.are_zero():
            return True
        async with aclosing(state.store.present(state.link, name, side)) as pages:
            suspects = [id_ async for ids in pages for id_ in sums.unsettled(ids)]
        for start in range(0, len(suspects), self._window):
            some = suspects[start : start + self._window]
            await self._take(some, start + self._window >= len(suspects))
        return True

    async def _meet(self, sums: Sums) -> bool:
        """Read the ids alone."""

        async def pages(send: MemoryObjectSendStream[_Window]) -> None:
            await self._pages((), send)

        async with _ahead(pages) as read:
            async for window in read:
                sums.add(_ids(window.block))
                await self._at(
                    f"{self._stream.name}: confirming what was not seen on side {self._access.side}"
                )
                if window.more and not await self._between():
                    return False
        return True


@asynccontextmanager
async def _ahead(
    work: Callable[[MemoryObjectSendStream[T]], Awaitable[None]],
) -> AsyncIterator[MemoryObjectReceiveStream[T]]:
    """What `work` sends, while it is at the next one already."""
    send, receive = anyio.create_memory_object_stream[T](1)

    async def run() -> None:
        async with send:
            await work(send)

    async with together() as tasks, receive:
        tasks.start_soon(run)
        yield receive
        tasks.cancel_scope.cancel()


def _cut(block: str, spread: int) -> tuple[str, str]:
    """The lines in two parts: up to the last id of a certain kind, one in `spread`, and the rest, not more than half. So
    windows end where they ended in the read before, though somebody came or went in front of them."""
    end = len(block)
    while (start := block.rfind("\n", 0, end - 1) + 1) > len(block) // 2:
        if zlib.crc32(block[start : block.find("\t", start)].encode()) % max(1, spread) == 0:
            return block[:end], block[end:]
        end = start
    return block, ""


def _ids(block: str) -> list[str]:
    return ids_of(block.split("\n")[:-1], block)


async def looks_of(access: Access, stream: StreamSpec) -> Looks | None:
    """How this side's lines are read; None where a complete read must look at every record."""
    if not (access.declaration.rows and access.declaration.by_id):
        return None
    shape = await access.shape(stream, kept_paths(stream, access.side))
    return looks_for(stream, access.side, shape) if shape is not None else None
