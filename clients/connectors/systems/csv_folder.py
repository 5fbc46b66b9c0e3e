"""The tables of a folder: which objects there are, whole and settled reads of them, swaps under the folder's lock.

Blocking work runs in worker threads; cancellation waits for the thread, so that a swap is done or not begun. Must not:
interpret cells, or hold more than the last table of each object.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import anyio
import anyio.to_thread

from actors.core.errors import Kind, Scope, TandemError
from actors.ports import WriteResult
from clients.connectors.systems import csv_file, csv_ids
from clients.connectors.systems.csv_file import Content, Stamp, Unsettled
from clients.connectors.systems.csv_rows import Draft
from clients.connectors.systems.csv_settings import FolderSpec, ObjectSpec
from clients.connectors.systems.csv_text import BrokenText, Table, parse, rendered

_LOOKS_MAX: Final = 4
_SWAPS_MAX: Final = 5
_LOCK_WAIT_S: Final = 10.0
# File times move in ticks: a file as young as this may change once more without showing it.
_TICK_S: Final = 1.0


class Held(NamedTuple):
    """What is remembered of a read: its content without the bytes, when it began (epoch seconds), the table if parsed."""

    content: Content
    read_at: float
    table: Table | None = None

    def is_current(self, stamp: Stamp) -> bool:
        """Whether the file must still be as it was read."""
        return self.content.stamp == stamp and self.read_at - stamp.mtime_ns / 1e9 > _TICK_S


class Folder:
    """One folder under its settings."""

    def __init__(self, spec: FolderSpec) -> None:
        self.path = Path(spec.path)
        self.spec = spec
        self._held: dict[str, Held] = {}
        self._quiet: dict[str, Stamp] = {}
        self._known: dict[str, ObjectSpec] = dict(spec.objects)
        self._identity = ""  # of the folder as it was first found

    def identity(self) -> str:
        """The folder itself, however it is addressed. CONFIG where another one has taken its place since. Blocking."""
        found = csv_file.folder_identity(self.path)
        if self._identity and found != self._identity:
            raise TandemError(
                Kind.CONFIG,
                f"the folder {self.path} is another one than before: {found} instead of {self._identity}",
                scope=Scope.CONNECTION,
                hint="put the former folder back (a copy is another account), or make a new connection and link for it",
            )
        self._identity = found
        return found

    async def objects(self) -> dict[str, ObjectSpec]:
        """The objects that there are now: the declared ones, else every CSV file."""
        if self.spec.objects:
            return dict(self.spec.objects)
        files = await anyio.to_thread.run_sync(csv_files, self.path)
        found = {spec.name: spec for spec in map(self.spec.implied, files)}
        self._known.update(found)
        return found

    async def object(self, name: str) -> ObjectSpec:
        """The object called `name`; CONFIG naming the ones there are."""
        if name not in self._known:
            found = await self.objects()
            if name not in found:
                message = f"the folder {self.path} has no object '{name}'"
                hint = f"it has: {', '.join(sorted(found)) or 'no CSV file at all'}"
                raise TandemError(Kind.CONFIG, message, scope=Scope.STREAM, hint=hint)
        return self._known[name]

    async def table(self, spec: ObjectSpec) -> Table:
        """The whole table as it is now; raises where it is broken or being written, never a shorter one."""
        held = await self._read(spec, parsed=True)
        assert held.table is not None
        return held.table

    async def digest(self, spec: ObjectSpec) -> str:
        """A digest of the file's bytes, read again only when its time, size or inode moved."""
        return (await self._read(spec, parsed=False)).content.digest

    async def swap(
        self, spec: ObjectSpec, apply: Callable[[Draft], list[WriteResult]]
    ) -> list[WriteResult] | None:
        """Apply writes to the file as it is now and swap it in one step; None where it never held still for that."""
        async with self.lock():
            for _ in range(_SWAPS_MAX):
                stamp = await self._settled(spec)
                if stamp is None:
                    continue
                try:
                    return await anyio.to_thread.run_sync(self._swap, spec, stamp, apply)
                except Unsettled:
                    continue
        return None

    async def reserve(self, spec: ObjectSpec, wanted: csv_ids.Pattern, count: int) -> list[str]:
        """New ids, remembered on disk before they are given out."""
        async with self.lock():
            table = await self.table(spec)
            return await anyio.to_thread.run_sync(self._draw, spec, wanted, table.ids, count)

    async def stamps(self) -> dict[str, Stamp | None]:
        """The state of every object's file."""
        await anyio.to_thread.run_sync(csv_file.check_folder, self.path)
        found = await self.objects()
        return {
            name: await anyio.to_thread.run_sync(csv_file.stamp_of, self.path / spec.file)
            for name, spec in found.items()
        }

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Alone among all our connections to this folder, in any process."""
        deadline = anyio.current_time() + _LOCK_WAIT_S
        while True:
            with csv_file.locked(self.path) as taken:
                if taken:
                    yield
                    return
            if anyio.current_time() > deadline:
                raise TandemError(
                    Kind.TRANSIENT,
                    f"another process holds the lock of {self.path} for {_LOCK_WAIT_S:g} s",
                    hint=f"see who has {csv_file.LOCK} open",
                )
            await anyio.sleep(0.02)

    async def _read(self, spec: ObjectSpec, parsed: bool) -> Held:
        for _ in range(_LOOKS_MAX):
            stamp = await self._settled(spec)
            if stamp is None:
                continue
            known = self._held.get(spec.name)
            if known is not None and known.is_current(stamp) and (known.table is not None or not parsed):
                return known
            try:
                held = await anyio.to_thread.run_sync(self._read_once, spec, stamp, known, parsed)
            except Unsettled:
                continue
            self._held[spec.name] = held
            return held
        raise TandemError(
            Kind.TRANSIENT,
            f"the file {self.path / spec.file} is being written",
            scope=Scope.STREAM,
            hint="it is read as soon as it holds still",
        )

    def _read_once(self, spec: ObjectSpec, quiet: Stamp, known: Held | None, parsed: bool) -> Held:
        read_at = time.time()
        content = csv_file.read_whole(self.path / spec.file)
        if self._identity:
            self.identity()
        if content.stamp != quiet:
            raise Unsettled
        same = known is not None and known.content.digest == content.digest
        table = known.table if known is not None and same else None
        if parsed and table is None:
            table = self._parse(spec, content)
        return Held(content._replace(data=b""), read_at, table)

    async def _settled(self, spec: ObjectSpec) -> Stamp | None:
        """The file's state once it is quiet; None while it changes. A missing file is an error, not an empty one."""
        path = self.path / spec.file
        stamp = await anyio.to_thread.run_sync(csv_file.stamp_of, path)
        if stamp is None:
            self._missing(spec)
        age_s = time.time() - stamp.mtime_ns / 1e9
        if age_s < self.spec.quiet_s and stamp != self._quiet.get(spec.name):
            await anyio.sleep(self.spec.quiet_s - max(age_s, 0.0))
            if await anyio.to_thread.run_sync(csv_file.stamp_of, path) != stamp:
                return None
        self._quiet[spec.name] = stamp
        return stamp

    def _parse(self, spec: ObjectSpec, content: Content) -> Table:
        try:
            return parse(content.data, self.spec.encoding, self.spec.separator, spec.key, self.spec.last_line)
        except BrokenText as error:
            message = f"{self.path / spec.file}, line {error.line}: the file {error.message}"
            if error.half:
                hint = "it seems to be half-written; write to a .tmp name and rename. Files that never end their last line"
                hint += " need the setting last_line: any"
                raise TandemError(Kind.TRANSIENT, message, scope=Scope.STREAM, hint=hint) from None
            hint = "correct this line; until then nothing of the file is taken"
            raise TandemError(Kind.REJECTED, message, scope=Scope.STREAM, hint=hint) from None

    def _swap(
        self, spec: ObjectSpec, quiet: Stamp, apply: Callable[[Draft], list[WriteResult]]
    ) -> list[WriteResult]:
        path = self.path / spec.file
        content = csv_file.read_whole(path)
        if self._identity:
            self.identity()
        if content.stamp != quiet:
            raise Unsettled
        known = self._held.get(spec.name)
        table = known.table if known is not None and known.content.digest == content.digest else None
        table = table or self._parse(spec, content)

        def draw() -> str:
            return self._draw(spec, spec.new_id, draft.index, 1)[0] if spec.new_id else ""

        draft = Draft(table, spec.meaning, draw)
        results = apply(draft)
        if draft.changed:
            swapped = csv_file.swap(path, content, rendered(table, draft.final_rows()))
            self._quiet[spec.name] = swapped.stamp
        return results

    def _draw(self, spec: ObjectSpec, wanted: csv_ids.Pattern, taken: Iterable[str], count: int) -> list[str]:
        try:
            drawn = csv_ids.draw(self.path, spec.file, wanted, taken, count)
            csv_file.sync_folder(self.path)
            return drawn
        except csv_ids.BadCounters as error:
            hint = f"remove {self.path / csv_ids.COUNTERS}; ids that were reserved and never written may then come again"
            raise TandemError(Kind.CONFIG, str(error), scope=Scope.STREAM, hint=hint) from error
        except OSError as error:
            raise csv_file.failure(error, self.path / csv_ids.COUNTERS, "cannot be written") from error

    def _missing(self, spec: ObjectSpec) -> NoReturn:
        csv_file.check_folder(self.path)
        raise TandemError(
            Kind.TRANSIENT,
            f"the file {self.path / spec.file} is missing",
            scope=Scope.STREAM,
            hint=f"wait for the next export, or correct objects.{spec.name}.file; a missing file is no empty one",
        )


def csv_files(folder: Path) -> list[str]:
    """The CSV files of a folder; no hidden, temporary or unfinished ones (.tmp, .part and ~ are other endings)."""
    csv_file.check_folder(folder)
    try:
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.suffix.lower() == ".csv" and not path.name.startswith((".", "~")) and path.is_file()
        )
    except OSError as error:
        raise csv_file.failure(error, folder, "cannot be read") from error
