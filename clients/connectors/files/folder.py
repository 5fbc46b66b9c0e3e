"""Tables of a folder: whole and settled reads of its files, one identity, one lock among all connections of ours.

Blocking work runs in worker threads; cancellation waits for the thread. Must not: interpret cells, guess what half a file
would say, or hold more than the last table of each file.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import anyio
import anyio.to_thread

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.files import disk, ids
from clients.connectors.files.disk import Content, Stamp, Unsettled
from clients.connectors.files.text import BrokenText, Table, parse

_LOOKS_MAX: Final = 6
_LOOK_PAUSE_S: Final = 0.02
_POLL_S: Final = 1.0
_LOCK_WAIT_S: Final = 10.0
# File times move in ticks: a file as young as this may change once more without showing it.
_TICK_S: Final = 1.0


class Form(NamedTuple):
    """One table and how its file is written. `name`: of the object; `file`: relative to the folder. The rest as `parse`
    takes it."""

    name: str
    file: str
    key: str = ""
    encoding: str = "auto"
    separator: str = "auto"
    last_line: str = "terminated"
    quotes: bool = True


class Held(NamedTuple):
    """What is remembered of a read: its content without the bytes, when it began (epoch seconds), the table if parsed."""

    content: Content
    read_at: float
    table: Table | None = None

    def is_current(self, stamp: Stamp) -> bool:
        """Whether the file must still be as it was read."""
        return self.content.stamp == stamp and self.read_at - stamp.mtime_ns / 1e9 > _TICK_S


class TableFolder:
    """One folder, which a `system` reads and writes. `quiet_s`: a file changed less than so long ago is looked at twice.
    `half_hint`: what people can do about a file that never ends its last line."""

    def __init__(self, system: str, path: str, quiet_s: float, half_hint: str = "") -> None:
        self.path = Path(path)
        self._system = system
        self._quiet_s = quiet_s
        self._half_hint = half_hint
        self._held: dict[str, Held] = {}
        self._quiet: dict[str, Stamp] = {}
        self._identity = ""  # of the folder as it was first found

    def identity(self) -> str:
        """The folder itself, however it is addressed. CONFIG where another one has taken its place since. Blocking."""
        found = disk.folder_identity(self.path, self._system)
        if self._identity and found != self._identity:
            raise TandemError(
                Kind.CONFIG,
                f"the folder {self.path} is another one than before: {found} instead of {self._identity}",
                scope=Scope.CONNECTION,
                hint="put the former folder back (a copy is another account), or make a new connection and link for it",
            )
        self._identity = found
        return found

    async def look(self, form: Form) -> Table:
        """The whole table as it is now; raises where it is broken or being written, never a shorter one."""
        held = await self._read(form, parsed=True)
        assert held.table is not None
        return held.table

    async def digest_of(self, form: Form) -> str:
        """A digest of the file's bytes, read again only when its time, size or inode moved."""
        return (await self._read(form, parsed=False)).content.digest

    async def settled(self, form: Form) -> Stamp | None:
        """The file's state once it is quiet; None while it changes. A missing file is an error, not an empty one."""
        path = self.path / form.file
        stamp = await anyio.to_thread.run_sync(disk.stamp_of, path)
        if stamp is None:
            self._missing(form)
        age_s = time.time() - stamp.mtime_ns / 1e9
        if age_s < self._quiet_s and stamp != self._quiet.get(form.name):
            await anyio.sleep(self._quiet_s - max(age_s, 0.0))
            if await anyio.to_thread.run_sync(disk.stamp_of, path) != stamp:
                return None
        self._quiet[form.name] = stamp
        return stamp

    def read_settled(self, form: Form, quiet: Stamp) -> tuple[Content, Table]:
        """The file that was found quiet, and its table; `Unsettled` where it is another one now. Blocking."""
        content = self._content(form, quiet)
        known = self._held.get(form.name)
        table = known.table if known is not None and known.content.digest == content.digest else None
        return content, table or self._parse(form, content)

    def was_written(self, form: Form, content: Content) -> None:
        """We have put this content there: it needs no second look."""
        self._quiet[form.name] = content.stamp

    def draw(self, file: str, wanted: ids.Pattern, taken: Iterable[str], count: int) -> list[str]:
        """New ids, remembered on disk before they are given out. Under the lock only. Blocking."""
        try:
            drawn = ids.draw(self.path, file, wanted, taken, count)
            disk.sync_folder(self.path)
            return drawn
        except ids.BadCounters as error:
            hint = f"remove {self.path / ids.COUNTERS}; ids that were reserved and never written may then come again"
            raise TandemError(Kind.CONFIG, str(error), scope=Scope.STREAM, hint=hint) from error
        except OSError as error:
            raise disk.failure(error, self.path / ids.COUNTERS, "cannot be written") from error

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Alone among all our connections to this folder, in any process."""
        deadline = anyio.current_time() + _LOCK_WAIT_S
        while True:
            with disk.locked(self.path) as taken:
                if taken:
                    yield
                    return
            if anyio.current_time() > deadline:
                raise TandemError(
                    Kind.TRANSIENT,
                    f"another process holds the lock of {self.path} for {_LOCK_WAIT_S:g} s",
                    hint=f"see who has {disk.LOCK} open",
                )
            await anyio.sleep(0.02)

    async def _read(self, form: Form, parsed: bool) -> Held:
        for look in range(_LOOKS_MAX):
            if look > 1:  # somebody holds it, or swaps it again and again
                await anyio.sleep(_LOOK_PAUSE_S * 2 ** (look - 2))
            stamp = await self.settled(form)
            if stamp is None:
                continue
            known = self._held.get(form.name)
            if known is not None and known.is_current(stamp) and (known.table is not None or not parsed):
                return known
            try:
                held = await anyio.to_thread.run_sync(self._read_once, form, stamp, known, parsed)
            except Unsettled:
                continue
            self._held[form.name] = held
            return held
        raise TandemError(
            Kind.TRANSIENT,
            f"the file {self.path / form.file} is being written",
            scope=Scope.STREAM,
            hint="it is read as soon as it holds still",
        )

    def _read_once(self, form: Form, quiet: Stamp, known: Held | None, parsed: bool) -> Held:
        read_at = time.time()
        content = self._content(form, quiet)
        same = known is not None and known.content.digest == content.digest
        table = known.table if known is not None and same else None
        if parsed and table is None:
            table = self._parse(form, content)
        return Held(content._replace(data=b""), read_at, table)

    def _content(self, form: Form, quiet: Stamp) -> Content:
        content = disk.read_whole(self.path / form.file)
        if self._identity:
            self.identity()
        if content.stamp != quiet:
            raise Unsettled
        return content

    def _parse(self, form: Form, content: Content) -> Table:
        try:
            return self._parsed(form, content)
        except BrokenText as error:
            message = f"{self.path / form.file}, line {error.line}: the file {error.message}"
            if error.half:
                hint = "it seems to be half-written; write to a .tmp name and rename. " + self._half_hint
                raise TandemError(Kind.TRANSIENT, message, scope=Scope.STREAM, hint=hint.strip()) from None
            hint = "correct this line; until then nothing of the file is taken"
            raise TandemError(Kind.REJECTED, message, scope=Scope.STREAM, hint=hint) from None

    def _parsed(self, form: Form, content: Content) -> Table:
        return parse(content.data, form.encoding, form.separator, form.key, form.last_line, form.quotes)

    def _missing(self, form: Form) -> NoReturn:
        disk.check_folder(self.path)
        raise TandemError(
            Kind.TRANSIENT,
            f"the file {self.path / form.file} is missing",
            scope=Scope.STREAM,
            hint=f"wait for the next export, or correct objects.{form.name}.file; a missing file is no empty one",
        )


async def watched(stamps: Callable[[], Awaitable[Mapping[str, Stamp | None]]]) -> AsyncIterator[None]:
    """Looks at files' times every second; the first yield covers what happened before."""
    known = await stamps()
    yield
    while True:
        await anyio.sleep(_POLL_S)
        now = await stamps()
        if now != known:
            known = now
            yield
