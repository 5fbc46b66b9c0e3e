"""A folder of CSV files as an ERP drops them: one file per object, whole reads, whole swaps, nothing half.

Reads leave half-written files alone. The writes of a batch go into one swap of the file, directly after it was found
unchanged. Between that last look and the swap lie microseconds in which a program that ignores our lock could write: so
the precondition is a re-read, not atomic. A program that keeps a file open while it is swapped goes on in the old one,
which is why a file that has just changed is left alone for `quiet_s`. Must not: guess what half a file would say.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec

from actors.core.attachments import own_path
from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import ATTACHED
from actors.core.types import Op, Record
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
    WriteStatus,
)
from clients.connectors.files import disk
from clients.connectors.files.folder import watched
from clients.connectors.files.rows import check_fields, record
from clients.connectors.files.text import Table
from clients.connectors.systems.csv_folder import Folder
from clients.connectors.systems.csv_rows import Draft
from clients.connectors.systems.csv_settings import SETTINGS, ObjectSpec, folder_spec

DECLARATION: Final = Declaration(
    name="csv",
    doc="A folder of CSV files, one per kind of record, as many ERP systems export and import them.",
    settings=SETTINGS,
    find=(Find.FULL,),
    # A file may be an excerpt, or the wrong one: a record that is missing from it is a reason to ask, no proof.
    absence="hint",
    ids="may_be_reused",
    precondition="reread",
    reply="record",
    # An open connection declares it where every object says how new ids look (new_id).
    draws_ids=False,
    # Files that stand beside the table, where a column is said to name them.
    attachments=True,
    batch_max=1000,
    concurrency=2,
    # Whatever writes the files may say so (?id=K1), where their times are not seen, as on some network drives.
    webhook=Webhook(ids="query:id"),
)


async def connect(settings: Mapping[str, Any]) -> CsvConnector:
    """A connector for the folder; `settings` as `checked_settings` gives them. Raises CONFIG; nothing is opened yet."""
    return CsvConnector(Folder(folder_spec(settings)))


class CsvConnector:
    """One folder. Keeps the last table of each object, nothing else."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        objects = folder.spec.objects.values()
        draws_ids = bool(objects) and all(spec.new_id is not None for spec in objects)
        self.declaration = msgspec.structs.replace(DECLARATION, draws_ids=draws_ids)

    async def identity(self) -> str:
        """The folder itself, however it is addressed; a copy of it is another one."""
        return await anyio.to_thread.run_sync(self._folder.identity)

    async def check(self) -> None:
        """The folder is there and may be read."""
        await anyio.to_thread.run_sync(disk.check_folder, self._folder.path)

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects with the columns of their files; one that can't be read now says why in its `doc`."""
        await self.check()
        return [await self._described(spec) for spec in (await self._folder.objects()).values()]

    def find(self, object_name: str) -> Find:
        """Files have no memory of what changed: complete reads, skipped while a file is as it was."""
        return Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Rows by key, from the file as it is now."""
        spec, table = await self._look(object_name, fields)
        return await self._records(
            spec, table, [id_ for id_ in dict.fromkeys(ids) if id_ in table.index], fields
        )

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """A page in key order. Each page is of the file as it is then: what stays in the file can't be missed."""
        spec, table = await self._look(object_name, fields)
        start = bisect_right(table.ids, position) if position else 0
        ids = table.ids[start : start + limit]
        records = await self._records(spec, table, ids, fields)
        return Page(tuple(records), ids[-1] if ids else position, start + limit < len(table.ids))

    async def fetch_attachment(self, object_name: str, id: str, field: str) -> bytes | None:
        """The file that the cell of a record names."""
        spec, table = await self._look(object_name, [field])
        if id not in table.index:
            return None
        column = own_path(field)
        cell = table.texts(table.rows[table.index[id]])[column]
        return await anyio.to_thread.run_sync(self._folder.attached(spec).content, column, cell)

    async def look_token(self, object_name: str) -> str:
        """A digest of the file: touching it, or writing the same again, is no change."""
        return await self._folder.digest(await self._folder.object(object_name))

    def watch(self) -> AsyncIterator[None]:
        """Looks at the files' times every second; the first yield covers what happened before."""
        return watched(self._folder.stamps)

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """New ids as `new_id` says; none is ever given out twice."""
        spec = await self._folder.object(object_name)
        if spec.new_id is None:
            raise TandemError(
                Kind.CONFIG,
                f"reserve: object '{object_name}' draws no ids",
                scope=Scope.STREAM,
                hint=f"set objects.{object_name}.new_id, such as K{{number:05d}} or uuid",
            )
        return await self._folder.reserve(spec, spec.new_id, count)

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """All writes in one swap of the file. Where the file never holds still, none is done."""
        spec = await self._folder.object(object_name)
        if not writes:
            return []

        for write in writes:
            self._folder.attached(spec).check(spec.file, [*write.native, *write.seen, *fields])

        def apply(draft: Draft, meant: Sequence[Write]) -> list[WriteResult]:
            for write in meant:
                check_fields(draft.table, spec.file, [*write.native, *write.seen, *fields])
            return [draft.apply(write, fields) for write in meant]

        results = await self._folder.swap(spec, writes, apply)
        return results if results is not None else [_restless(write) for write in writes]

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Not among a file's abilities."""
        raise _cannot("changes")

    async def drain(self, limit: int) -> Sequence[Touched]:
        """Not among a file's abilities."""
        raise _cannot("drain")

    async def ack(self, touched: Sequence[Touched]) -> None:
        """Not among a file's abilities."""
        raise _cannot("ack")

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        """Not among a file's abilities."""
        raise _cannot("find_tagged")

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """Not among a file's abilities."""
        raise _cannot("find_by")

    async def aclose(self) -> None:
        """Nothing is open between two calls."""

    async def _look(self, object_name: str, fields: Sequence[str]) -> tuple[ObjectSpec, Table]:
        spec = await self._folder.object(object_name)
        table = await self._folder.table(spec)
        check_fields(table, spec.file, fields)
        self._folder.attached(spec).check(spec.file, fields)
        return spec, table

    async def _records(
        self, spec: ObjectSpec, table: Table, ids: Sequence[str], fields: Sequence[str]
    ) -> list[Record]:
        found = await anyio.to_thread.run_sync(self._folder.attached(spec).described, table, ids, fields)

        def shown(column: str, cell: str) -> Seen:
            return found[column, cell]

        return [record(table, id_, spec.file, spec.meaning, fields, shown) for id_ in ids]

    async def _described(self, spec: ObjectSpec) -> ObjectInfo:
        try:
            table = await self._folder.table(spec)
        except TandemError as error:
            return ObjectInfo(spec.name, spec.key, doc=f"cannot be read now: {error}")
        fields = tuple(
            FieldInfo(name, spec.meaning.type_of(name), name == table.key, name != table.key)
            for name in table.columns
            if name
        )
        fields += tuple(FieldInfo(f"{name}{ATTACHED}", "attachment") for name in spec.attachments)
        return ObjectInfo(spec.name, table.key, fields, f"the file {spec.file}")


def _restless(write: Write) -> WriteResult:
    status = WriteStatus.NOT_DONE if write.op is Op.CREATE else WriteStatus.MOVED_ON
    return WriteResult(
        status, write.id, error="the file was replaced again and again while it was to be written"
    )


def _cannot(ability: str) -> TandemError:
    return TandemError(Kind.CONFIG, f"{ability}: a CSV folder cannot do this", hint="use complete reads")
