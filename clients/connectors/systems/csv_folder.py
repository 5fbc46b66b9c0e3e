"""The tables of a CSV folder: which objects there are, and swaps of their files under the folder's lock.

Blocking work runs in worker threads; cancellation waits for the thread, so that a swap is done or not begun. Must not:
interpret cells.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from actors.core.errors import Kind, Scope, TandemError
from actors.ports import WriteResult
from clients.connectors.files import disk, ids
from clients.connectors.files.disk import Stamp, Unsettled
from clients.connectors.files.folder import Form, TableFolder
from clients.connectors.files.text import Table, rendered
from clients.connectors.systems.csv_rows import Draft
from clients.connectors.systems.csv_settings import FolderSpec, ObjectSpec

_SWAPS_MAX: Final = 5
_HALF_HINT: Final = "Files that never end their last line need the setting last_line: any"


class Folder(TableFolder):
    """One folder under its settings."""

    def __init__(self, spec: FolderSpec) -> None:
        super().__init__("csv", spec.path, spec.quiet_s, _HALF_HINT)
        self.spec = spec
        self._known: dict[str, ObjectSpec] = dict(spec.objects)

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
        return await self.look(self._form(spec))

    async def digest(self, spec: ObjectSpec) -> str:
        """A digest of the file's bytes, read again only when its time, size or inode moved."""
        return await self.digest_of(self._form(spec))

    async def swap(
        self, spec: ObjectSpec, apply: Callable[[Draft], list[WriteResult]]
    ) -> list[WriteResult] | None:
        """Apply writes to the file as it is now and swap it in one step; None where it never held still for that."""
        async with self.lock():
            for _ in range(_SWAPS_MAX):
                stamp = await self.settled(self._form(spec))
                if stamp is None:
                    continue
                try:
                    return await anyio.to_thread.run_sync(self._swap, spec, stamp, apply)
                except Unsettled:
                    continue
        return None

    async def reserve(self, spec: ObjectSpec, wanted: ids.Pattern, count: int) -> list[str]:
        """New ids, remembered on disk before they are given out."""
        async with self.lock():
            table = await self.table(spec)
            return await anyio.to_thread.run_sync(self.draw, spec.file, wanted, table.ids, count)

    async def stamps(self) -> dict[str, Stamp | None]:
        """The state of every object's file."""
        await anyio.to_thread.run_sync(disk.check_folder, self.path)
        found = await self.objects()
        return {
            name: await anyio.to_thread.run_sync(disk.stamp_of, self.path / spec.file)
            for name, spec in found.items()
        }

    def _form(self, spec: ObjectSpec) -> Form:
        return Form(
            spec.name, spec.file, spec.key, self.spec.encoding, self.spec.separator, self.spec.last_line
        )

    def _swap(
        self, spec: ObjectSpec, quiet: Stamp, apply: Callable[[Draft], list[WriteResult]]
    ) -> list[WriteResult]:
        form = self._form(spec)
        content, table = self.read_settled(form, quiet)

        def draw() -> str:
            return self.draw(spec.file, spec.new_id, draft.index, 1)[0] if spec.new_id else ""

        draft = Draft(table, spec.meaning, draw)
        results = apply(draft)
        if draft.changed:
            changed = rendered(table, draft.final_rows())
            self.was_written(form, disk.swap(self.path / spec.file, content, changed))
        return results


def csv_files(folder: Path) -> list[str]:
    """The CSV files of a folder; no hidden, temporary or unfinished ones (.tmp, .part and ~ are other endings)."""
    disk.check_folder(folder)
    try:
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.suffix.lower() == ".csv" and not path.name.startswith((".", "~")) and path.is_file()
        )
    except OSError as error:
        raise disk.failure(error, folder, "cannot be read") from error
