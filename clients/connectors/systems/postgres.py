"""The connector `postgres`: tables with a key as objects. Composes the parts that lie beside it (postgres_*.py).

Text values cross as text (postgres_values), every write carries its precondition (postgres_write), changes come from
a queue of touched keys (postgres_feed), a modified column (postgres_modified) or complete reads (postgres_look).
Must not contain SQL of its own beyond the cheapest question.

For operators: a reserved id may leave a gap in a sequence. A row whose key is null or an empty text is no record, and a
row whose modified column is null is found by complete reads only. Triggers do not see rows that logical replication
applies, nor partitions that are attached, detached or truncated by themselves: keep the complete read's interval.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import anyio
import msgspec

from actors.core.attachments import own_path
from actors.core.errors import Kind, Scope, TandemError
from actors.core.rows import RowShape
from actors.core.types import Op, Record
from actors.core.values import Value
from actors.ports import Declaration, Find, ObjectInfo, Page, Rows, RowUpdates, Touched, Write, WriteResult
from clients.connectors.lines import asked_lines
from clients.connectors.systems.postgres_catalog import Catalog, Table
from clients.connectors.systems.postgres_feed import Feed
from clients.connectors.systems.postgres_identity import draw_ids, identity
from clients.connectors.systems.postgres_lines import write_units
from clients.connectors.systems.postgres_look import Looker, delivery
from clients.connectors.systems.postgres_modified import ModifiedLooker
from clients.connectors.systems.postgres_own import OwnWrites
from clients.connectors.systems.postgres_rows import RowLines, shape
from clients.connectors.systems.postgres_session import Session
from clients.connectors.systems.postgres_settings import DECLARATION, Settings, parsed
from clients.connectors.systems.postgres_write import QUICK_S, Writer

__all__ = ["DECLARATION", "PostgresConnector", "connect"]


async def connect(settings: Mapping[str, Any]) -> PostgresConnector:
    """Open the database, read its catalog, see whether a feed that an object asks for can be installed. Writes nothing:
    nobody has said yet that this is the right account. The feed is installed when it is first asked for.

    Raises TandemError: AUTH, CONFIG (settings, missing tables, missing rights) or TRANSIENT.
    """
    connector = PostgresConnector(parsed(settings))
    try:
        await connector.prepare()
    except BaseException:
        await connector.aclose()
        raise
    return connector


class PostgresConnector:
    """One open access to the tables of one schema. See `actors.ports.Connector`; use `connect` to make one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = Session(
            settings.url, size_max=DECLARATION.concurrency, deadline_s=DECLARATION.deadline_s
        )
        self._catalog = Catalog(self._session, settings)
        self._looker = Looker(self._session, settings.time_zone)
        self._modified = ModifiedLooker(self._session, settings.time_zone, settings.overlap_s)
        own = OwnWrites()
        self._quick = Session(
            settings.url, size_max=DECLARATION.concurrency, deadline_s=QUICK_S, like=self._session
        )
        self._writer = Writer(self._session, self._quick, own)
        self._feed = (
            Feed(self._session, self._catalog, settings.consumer, own) if self._has(Find.FEED) else None
        )
        self._lines = RowLines(self._session, self._feed, own)
        self.declaration: Declaration = msgspec.structs.replace(
            DECLARATION, find=tuple(find for find in Find if self._has(find))
        )

    def _has(self, find: Find) -> bool:
        objects = self._settings.objects
        return any(item.find is find for item in objects.values()) if objects else self._settings.find is find

    async def prepare(self) -> None:
        """Read the catalog and look at the rights; `connect` has done it."""
        await self._catalog.refresh()
        if self._feed is not None:
            await self._feed.check()

    async def identity(self) -> str:
        """System identifier, database and schema: equal for every address, role and restart."""
        return await identity(self._session, self._settings.schema)

    async def check(self) -> None:
        """Prove address, password, and that every object of the settings is there."""
        await self._catalog.refresh()

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects with their columns as they are now, and the comments on them."""
        await self._catalog.refresh()
        return [table.described() for table in self._catalog.tables]

    def find(self, object_name: str) -> Find:
        """As the settings say."""
        item = self._settings.objects.get(object_name)
        return item.find if item is not None else self._settings.find

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """A fresh look by id; ids that the key's type can't hold are simply not there."""
        return await self._looker.read(await self._table(object_name, fields), ids, fields)

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Rows modified since the cursor; those within the overlap come again. Deletes are not seen this way."""
        return await self._modified.changes(
            await self._modifiable(object_name, fields), cursor, tuple(fields), limit
        )

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """A page in key order."""
        return await self._looker.scan(await self._table(object_name, fields), position, fields, limit)

    async def row_shape(self, object_name: str, fields: Sequence[str]) -> RowShape | None:
        """None for columns that are arrays, and for lines."""
        return None if asked_lines(fields)[1] else shape(await self._table(object_name, fields), fields)

    async def scan_rows(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Rows:
        """A page in key order, as COPY writes it."""
        return await self._lines.scan(await self._table(object_name, fields), position, fields, limit)

    async def create_rows(self, object_name: str, fields: Sequence[str], block: str) -> str:
        """By COPY, in one transaction."""
        return await self._lines.create(await self._table(object_name, fields), fields, block)

    async def change_rows(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Rows:
        """Rows modified since the cursor, as COPY writes them."""
        table = await self._modifiable(object_name, fields)
        return await self._modified.change_rows(table, cursor, tuple(fields), limit)

    async def update_rows(
        self, object_name: str, updates: Sequence[RowUpdates], fields: Sequence[str]
    ) -> str:
        """Set-based, in one transaction."""
        return await self._lines.update(await self._table(object_name, fields), updates, fields)

    async def look_token(self, object_name: str) -> str:
        """None is known: PostgreSQL keeps no mark of a table's last change that is both cheap and exact."""
        await self._table(object_name)
        return ""

    async def drain(self, limit: int) -> Sequence[Touched]:
        """Touched keys of all objects in mode trigger."""
        if self._feed is None:
            raise _undeclared("this connection", "drain", "no object is in mode find: trigger")
        return await self._feed.drain(limit)

    async def ack(self, touched: Sequence[Touched]) -> None:
        """Forget exactly what was drained."""
        if self._feed is None:
            raise _undeclared("this connection", "ack", "no object is in mode find: trigger")
        await self._feed.ack(touched)

    async def watch(self) -> AsyncGenerator[None, None]:
        """Wakes for the feed; without one there is nothing to wait for, and it waits."""
        if self._feed is None:
            await anyio.sleep_forever()
            return
        async with aclosing(self._feed.watch()) as wakes:
            async for _ in wakes:
                yield

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """Ids of the key's sequence or default, or uuids; empty where this object's key can't be drawn."""
        return await draw_ids(self._session, await self._table(object_name), count)

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        """Tables have no place for a tag: creates are resolved by their id."""
        raise _undeclared(object_name, "find_tagged", "look by id, or use find_by")

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """At most `batch_max` records whose field equals the value."""
        table = await self._table(object_name, [field, *fields])
        return await self._looker.find_by(table, field, value, fields, self.declaration.batch_max)

    async def fetch_attachment(self, object_name: str, id: str, field: str) -> bytes | None:
        """The bytes of a column."""
        table = await self._table(object_name, [field])
        return await self._looker.content(table, id, own_path(field))

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Set-based; each row with its precondition, a refused one by itself."""
        table = await self._table(object_name, fields)
        reply = delivery(table, fields, self._settings.time_zone)
        writes = [brought(write) for write in writes]
        if not table.lines:
            return await self._writer.write(table, await self._with_ids(table, writes), reply)
        return await write_units(self._writer, table, writes, reply)

    async def uninstall(self) -> None:
        """Remove this reader's triggers and queue from the database (find: trigger)."""
        if self._feed is not None:
            await self._feed.uninstall()

    async def aclose(self) -> None:
        """Cut all lines; what was not committed is rolled back by the server."""
        if self._feed is not None:
            self._feed.close()
        await self._quick.aclose()
        await self._session.aclose()

    async def _table(self, object_name: str, fields: Sequence[str] = ()) -> Table:
        """The object; the catalog is read again before a field is called missing, for it may be new."""
        table = await self._catalog.table(object_name)
        if table.lacks(fields):
            await self._catalog.refresh()
            table = await self._catalog.table(object_name)
        return table

    async def _modifiable(self, object_name: str, fields: Sequence[str]) -> Table:
        table = await self._table(object_name, fields)
        if table.modified is None:
            raise _undeclared(object_name, "changes", "name its modified column in the setting objects")
        return table

    async def _with_ids(self, table: Table, writes: Sequence[Write]) -> Sequence[Write]:
        """Draw keys for creates that have none, so that one statement can carry out many of them."""
        bare = [
            place
            for place, write in enumerate(writes)
            if write.op is Op.CREATE and not write.id and write.native.get(table.key.name) is None
        ]
        drawn = await draw_ids(self._session, table, len(bare)) if len(bare) > 1 else ()
        given = dict(zip(bare, drawn, strict=True)) if len(drawn) == len(bare) else {}
        return [
            msgspec.structs.replace(write, id=given[place]) if place in given else write
            for place, write in enumerate(writes)
        ]


def brought(write: Write) -> Write:
    """The write with contents in the place of descriptions."""
    if not any(name != own_path(name) for name in write.native):
        return write
    native = {own_path(name): write.attachments.get(name, value) for name, value in write.native.items()}
    return msgspec.structs.replace(write, native=native)


def _undeclared(name: str, ability: str, hint: str) -> TandemError:
    return TandemError(Kind.CONFIG, f"{name}: {ability} is not possible here", scope=Scope.STREAM, hint=hint)
