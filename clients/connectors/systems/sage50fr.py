"""Sage 50 (France) through the exchange folder of a dossier: export files are read, import files are written for it to take.

The program has no interface but its text files. A record is as the newest export shows it. What we write takes effect when
the program takes the file in, and is done when an export shows it: until then the outcome is unknown, and nothing more is
written to that record. So no look is older than a write that was reported done. Import files can't delete, and nothing here
does. Must not: guess what half a file would say, or offer a row twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import msgspec

from actors.core.attachments import own_path
from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import ATTACHED
from actors.core.types import Record
from actors.core.values import Seen, Value
from actors.ports import (
    Declaration,
    FieldInfo,
    Find,
    ObjectInfo,
    Page,
    Touched,
    Webhook,
    Write,
    WriteResult,
)
from clients.connectors.files import disk
from clients.connectors.files.disk import Stamp
from clients.connectors.files.folder import watched
from clients.connectors.files.rows import check_fields, record
from clients.connectors.files.text import Table as Rows
from clients.connectors.systems.sage50fr_folder import SageFolder
from clients.connectors.systems.sage50fr_settings import SETTINGS, Table, exchange
from clients.connectors.systems.sage50fr_writing import Writing

DECLARATION: Final = Declaration(
    name="sage50fr",
    doc="Sage 50 (France): the exchange folder of a dossier, with its text exports and imports.",
    settings=SETTINGS,
    find=(Find.FULL,),
    # An export is what somebody chose to export: a record that is missing from it is a reason to ask, no proof.
    absence="hint",
    # A code that was freed is given again by whoever types it.
    ids="may_be_reused",
    precondition="reread",
    reply="record",
    draws_ids=True,
    # Images that the program exports beside the table of articles. They are only read.
    attachments=True,
    missing_means="unknown",
    read_lag_s=0.0,
    # An open connection declares its setting take_in_max_s.
    vendor_tail_s=3600.0,
    batch_max=1000,
    concurrency=2,
    # An open connection gives a call the time that its setting wait_s asks for.
    deadline_s=50.0,
    webhook=Webhook(),
)
_DEADLINE_S: Final = 30.0


async def connect(settings: Mapping[str, Any]) -> SageConnector:
    """A connector for the folder; `settings` as `checked_settings` gives them. Raises CONFIG; nothing is opened yet."""
    return SageConnector(SageFolder(exchange(settings)))


class SageConnector:
    """One exchange folder. Keeps the last table of each object, nothing else."""

    def __init__(self, folder: SageFolder) -> None:
        self._folder = folder
        spec = folder.spec
        self._writing = Writing(folder)
        self.declaration = msgspec.structs.replace(
            DECLARATION, vendor_tail_s=spec.take_in_max_s, deadline_s=_DEADLINE_S + spec.wait_s
        )

    async def identity(self) -> str:
        """The folder itself, however it is addressed; a copy of it is another one."""
        return await anyio.to_thread.run_sync(self._folder.identity)

    async def check(self) -> None:
        """The folder and its two parts are there and may be used."""
        await anyio.to_thread.run_sync(self._folder.check)

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects with the columns of their exports; one that can't be read now says why in its `doc`."""
        await self.check()
        return [await self._described(table) for table in self._folder.spec.tables.values()]

    def find(self, object_name: str) -> Find:
        """Exports have no memory of what changed: complete reads, skipped while a file is as it was."""
        return Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Rows by key, from the newest export."""
        table, rows = await self._look(object_name, fields)
        return await self._records(
            table, rows, [id_ for id_ in dict.fromkeys(ids) if id_ in rows.index], fields
        )

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """A page in key order. Each page is of the export as it is then: what stays in it can't be missed."""
        table, rows = await self._look(object_name, fields)
        start = bisect_right(rows.ids, position) if position else 0
        ids = rows.ids[start : start + limit]
        records = await self._records(table, rows, ids, fields)
        return Page(tuple(records), ids[-1] if ids else position, start + limit < len(rows.ids))

    async def fetch_attachment(self, object_name: str, id: str, field: str) -> bytes | None:
        """The file that the cell of a record names."""
        table, rows = await self._look(object_name, [field])
        if id not in rows.index:
            return None
        column = own_path(field)
        cell = rows.texts(rows.rows[rows.index[id]])[column]
        return await anyio.to_thread.run_sync(self._folder.attached[table.name].content, column, cell)

    async def look_token(self, object_name: str) -> str:
        """A digest of the export, and of the times of the images beside it: an export of what was exported before is no
        change."""
        table = self._folder.table(object_name)
        token = await anyio.to_thread.run_sync(self._folder.attached[table.name].token)
        return await self._folder.digest_of(table.form) + token

    def watch(self) -> AsyncIterator[None]:
        """Looks at the times of the exports every second; the first yield covers what happened before."""
        return watched(self._stamps)

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """New codes as `new_id` says; none is ever given out twice."""
        table = self._folder.table(object_name)
        if table.new_id is None:
            raise TandemError(
                Kind.CONFIG,
                f"reserve: object '{object_name}' draws no codes",
                scope=Scope.STREAM,
                hint=f"set objects.{object_name}.new_id, such as SM{{number:06d}}",
            )
        async with self._folder.lock():
            rows = await self._folder.look(table.form)
            draw = self._folder.draw
            return await anyio.to_thread.run_sync(draw, table.form.file, table.new_id, rows.ids, count)

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Import files, awaited until an export shows them or `wait_s` is over (UNKNOWN)."""
        table = self._folder.table(object_name)
        return await self._writing.write(table, writes, fields) if writes else []

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Not among a folder's abilities."""
        raise _cannot("changes")

    async def drain(self, limit: int) -> Sequence[Touched]:
        """Not among a folder's abilities."""
        raise _cannot("drain")

    async def ack(self, touched: Sequence[Touched]) -> None:
        """Not among a folder's abilities."""
        raise _cannot("ack")

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        """Not among a folder's abilities."""
        raise _cannot("find_tagged")

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """Not among a folder's abilities."""
        raise _cannot("find_by")

    async def aclose(self) -> None:
        """Nothing is open between two calls."""

    async def _look(self, object_name: str, fields: Sequence[str]) -> tuple[Table, Rows]:
        table = self._folder.table(object_name)
        rows = await self._folder.look(table.form)
        check_fields(rows, table.form.file, fields)
        self._folder.attached[table.name].check(table.form.file, fields)
        return table, rows

    async def _records(
        self, table: Table, rows: Rows, ids: Sequence[str], fields: Sequence[str]
    ) -> list[Record]:
        described = self._folder.attached[table.name].described
        found = await anyio.to_thread.run_sync(described, rows, ids, fields)

        def shown(column: str, cell: str) -> Seen:
            return found[column, cell]

        return [record(rows, id_, table.form.file, table.meaning, fields, shown) for id_ in ids]

    async def _stamps(self) -> dict[str, Stamp | None]:
        await anyio.to_thread.run_sync(self._folder.check)
        stamps: dict[str, Stamp | None] = {}
        for name, table in self._folder.spec.tables.items():
            path = self._folder.path / table.form.file
            stamps[name] = await anyio.to_thread.run_sync(disk.stamp_of, path)
            if table.attachments:
                folders = await anyio.to_thread.run_sync(self._folder.attached[name].folders)
                stamps |= {f"{name}/{folder}": stamp for folder, stamp in folders.items()}
        return stamps

    async def _described(self, table: Table) -> ObjectInfo:
        try:
            rows = await self._folder.look(table.form)
        except TandemError as error:
            return ObjectInfo(table.name, table.form.key, doc=f"cannot be read now: {error}")
        fields = tuple(
            FieldInfo(name, table.meaning.type_of(name), name == rows.key, table.takes and name != rows.key)
            for name in rows.columns
            if name
        )
        fields += tuple(
            FieldInfo(f"{name}{ATTACHED}", "attachment", writable=False)
            for name in table.attachments
            if name in rows.columns
        )
        return ObjectInfo(table.name, rows.key, fields, f"the export {Path(table.form.file).name}")


def _cannot(ability: str) -> TandemError:
    return TandemError(
        Kind.CONFIG, f"{ability}: an exchange folder cannot do this", hint="use complete reads"
    )
