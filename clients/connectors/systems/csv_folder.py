"""The tables of a CSV folder: which objects there are, and swaps of their files under the folder's lock.

Blocking work runs in worker threads; cancellation waits for the thread, so that a swap is done or not begun. Must not:
interpret cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import ATTACHED
from actors.core.types import Op
from actors.ports import Write, WriteResult
from clients.connectors.files import disk, ids
from clients.connectors.files.attached import Attached, named
from clients.connectors.files.disk import Stamp, Unsettled
from clients.connectors.files.folder import Form, TableFolder
from clients.connectors.files.text import Table, rendered
from clients.connectors.systems.csv_rows import Draft
from clients.connectors.systems.csv_settings import FolderSpec, ObjectSpec

Apply = Callable[[Draft, Sequence[Write]], list[WriteResult]]
_SWAPS_MAX: Final = 5
_HALF_HINT: Final = "Files that never end their last line need the setting last_line: any"


class Folder(TableFolder):
    """One folder under its settings."""

    def __init__(self, spec: FolderSpec) -> None:
        super().__init__("csv", spec.path, spec.quiet_s, _HALF_HINT)
        self.spec = spec
        self._known: dict[str, ObjectSpec] = dict(spec.objects)
        self._attached: dict[str, Attached] = {}

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

    def attached(self, spec: ObjectSpec) -> Attached:
        """The files that cells of the object name."""
        if spec.name not in self._attached:
            self._attached[spec.name] = Attached(self.path, spec.attachments, self.spec.quiet_s)
        return self._attached[spec.name]

    async def digest(self, spec: ObjectSpec) -> str:
        """A digest of the file's bytes, read again only when its time, size or inode moved; with attachments, also of the
        times of the files in their folders."""
        token = await anyio.to_thread.run_sync(self.attached(spec).token)
        return await self.digest_of(self._form(spec)) + token

    async def swap(self, spec: ObjectSpec, writes: Sequence[Write], apply: Apply) -> list[WriteResult] | None:
        """Apply writes to the file as it is now and swap it in one step; None where it never held still for that."""
        async with self.lock():
            for _ in range(_SWAPS_MAX):
                stamp = await self.settled(self._form(spec))
                if stamp is None:
                    continue
                try:
                    return await anyio.to_thread.run_sync(self._swap, spec, stamp, writes, apply)
                except Unsettled:
                    continue
        return None

    async def reserve(self, spec: ObjectSpec, wanted: ids.Pattern, count: int) -> list[str]:
        """New ids, remembered on disk before they are given out."""
        async with self.lock():
            table = await self.table(spec)
            return await anyio.to_thread.run_sync(self.draw, spec.file, wanted, table.ids, count)

    async def stamps(self) -> dict[str, Stamp | None]:
        """The state of every object's file, and of the folders with their attachments."""
        await anyio.to_thread.run_sync(disk.check_folder, self.path)
        found = await self.objects()
        stamps: dict[str, Stamp | None] = {}
        for name, spec in found.items():
            stamps[name] = await anyio.to_thread.run_sync(disk.stamp_of, self.path / spec.file)
            if spec.attachments:
                folders = await anyio.to_thread.run_sync(self.attached(spec).folders)
                stamps |= {f"{name}/{folder}": stamp for folder, stamp in folders.items()}
        return stamps

    def _form(self, spec: ObjectSpec) -> Form:
        return Form(
            spec.name, spec.file, spec.key, self.spec.encoding, self.spec.separator, self.spec.last_line
        )

    def _swap(
        self, spec: ObjectSpec, quiet: Stamp, writes: Sequence[Write], apply: Apply
    ) -> list[WriteResult]:
        form, attached = self._form(spec), self.attached(spec)
        content, table = self.read_settled(form, quiet)

        def draw() -> str:
            return self.draw(spec.file, spec.new_id, draft.index, 1)[0] if spec.new_id else ""

        draft = Draft(table, spec.meaning, draw, attached.shown)
        meant = [_with_files(attached, table, write) for write in writes]
        results = apply(draft, meant)
        if draft.changed:
            changed = rendered(table, draft.final_rows())
            self.was_written(form, disk.swap(self.path / spec.file, content, changed))
        for column in self._tidied(spec):
            _tidy(attached, column, table, draft, meant)
        return results

    def _tidied(self, spec: ObjectSpec) -> list[str]:
        """Columns in whose folder no other object names files: what a row of another table names is not looked for."""
        others = [one for one in self.spec.objects.values() if one.name != spec.name]
        taken = {folder for one in others for folder in one.attachments.values()}
        return [column for column, folder in spec.attachments.items() if folder not in taken]


def _with_files(attached: Attached, table: Table, write: Write) -> Write:
    """A write whose attachments are files by now, named as cells name them."""
    if not any(name.endswith(ATTACHED) for name in write.native):
        return write
    key = write.id or str(write.native.get(table.key) or "")
    return msgspec.structs.replace(
        write, native=attached.placed(key, write.native, write.attachments), attachments={}
    )


def _tidy(attached: Attached, column: str, table: Table, draft: Draft, writes: Iterable[Write]) -> None:
    """Files of ours that nothing names after these writes: those before, and those of writes that were refused."""
    cells = [str(write.native.get(column) or "") for write in writes]
    gone = [table.rows[table.index[write.id]] for write in writes if write.id in table.index]
    touched = [write for write in writes if write.op is Op.DELETE or column in write.native]
    if touched:
        there = [table.texts(row) for row in draft.final_rows() if row.raw.strip()]
        used = {named(texts[one]) for texts in there for one in attached.beside(column)}
        attached.drop(column, [*cells, *(table.texts(row)[column] for row in gone)], used)


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
