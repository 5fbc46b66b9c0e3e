"""What Tribe's functions do: entity sets read in id order, changed fields written by PUT after a fresh look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue, Value
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.field import nothing_at
from clients.connectors.http.paging import rows_at
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.units import (
    LinesOf,
    asked,
    described,
    touches_lines,
    with_lines,
    write_with_lines,
)
from clients.connectors.http.values import write_value
from clients.connectors.http.wire import Answer, HttpError, Request, at
from clients.connectors.http.writing import each
from clients.connectors.systems.tribe_objects import IDENTITY, KEY, LINE, Thing, shape
from clients.connectors.systems.tribe_parts import tree
from clients.connectors.systems.tribe_writing import Writer

ROWS_MAX: Final = 100
WRITE_S: Final = 40.0  # of one batch; below the declared deadline
UNITS: Final[Mapping[str, LinesOf]] = {
    "Activity_Invoice": LinesOf(LINE, "Activity", "SortIndex", numbered=False)
}
GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


class TribeConnector(HttpConnector):
    """The Tribe of one organisation."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        things: Mapping[str, Thing],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(declaration, client)
        self._modified = "" if settings["modified"] == "none" else str(settings["modified"])
        self._created = str(settings["created"])
        self._stamps = (self._modified, self._created) if self._modified else ()
        self._overlap_s = float(settings["overlap_s"])
        self._things = things
        self._links = {name: frozenset(thing.links.split()) for name, thing in things.items()}
        self._shapes = {name: shape(name, things, self._stamps) for name in things}
        self._writer = Writer(client, things, self._row, self._own)
        self._known: dict[str, str] = {}  # what does not change while this is open

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """The organisation's own relationship to itself, which every Tribe has."""
        rows, _ = await self._rows(self._shape(IDENTITY), (), "", 1)
        if not rows:
            raise TandemError(
                Kind.CONFIG,
                f"tribe does not say whose it is ({IDENTITY} is empty)",
                hint="check the rights of the application",
            )
        return f"tribe:{self._shape(IDENTITY).id_of(rows[0])}"

    async def check(self) -> None:
        """Who the application is, as the vendor tests a connection."""
        await self.client.json(
            Request(
                doing="test the access", path="v1/odata/GetCurrentEmployee()", query={"$expand": "Person"}
            )
        )

    async def describe(self) -> Sequence[ObjectInfo]:
        """The entity sets and their fields; invoices with their lines."""
        found = {name: one.described() for name, one in self._shapes.items()}
        return [
            described(one, found[UNITS[name].object]) if name in UNITS else one for name, one in found.items()
        ]

    def find(self, object_name: str) -> Find:
        """By complete reads, unless the settings name the field with the time."""
        return Find.MODIFIED if self._modified else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Up to 20 in one request, one alternative each: `in` is not known there. Lines come with another one."""
        plain, cells = await asked(UNITS, self._shaped, object_name, fields)
        found = await self.records(object_name, ids, plain)
        return await with_lines(self, object_name, UNITS, found, plain, cells)

    async def records(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Records without lines."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        wanted = [id_ for id_ in ids if GUID.fullmatch(id_)]
        if not wanted:
            return []
        where = " or ".join(f"{KEY} eq {id_}" for id_ in wanted)
        return (await self._records(shape, names, where, len(wanted)))[0]

    async def children(self, of: LinesOf, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """The lines of records."""
        shape, last, rows = self._shape(of.object), "", list[Record]()
        names = shape.checked(fields)
        parents = " or ".join(f"{of.parent}/{KEY} eq {id_}" for id_ in ids)
        while True:
            where = " and ".join([f"({parents})", *([_above(last)] if last else [])])
            page, _ = await self._records(shape, names, where, ROWS_MAX, last)
            rows += page
            if len(page) < ROWS_MAX:
                return rows
            last = page[-1].id

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id, from the last one met, until nothing comes."""
        plain, cells = await asked(UNITS, self._shaped, object_name, fields)
        shape = self._shape(object_name)
        names = shape.checked(plain)
        size = self._size(limit, cells)
        records, _ = await self._records(shape, names, _above(position), size, position)
        whole = await with_lines(self, object_name, UNITS, records, plain, cells)
        return Page(tuple(whole), records[-1].id if records else position, bool(records))

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by id over what was made or changed since, itself or a part of it: the time of a change may be empty until
        there is one."""
        plain, cells = await asked(UNITS, self._shaped, object_name, fields)
        shape = self._shape(object_name)
        names = shape.checked(plain)
        if not self._modified:
            return await super().changes(object_name, cursor, fields, limit)
        ways = ("", *(f"{way}.".replace(".", "/") for way in self._things[object_name].parts))

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            stamps = [f"{way}{name} ge {_time(since)}" for way in ways for name in self._stamps]
            where = " and ".join([f"({' or '.join(stamps)})", *([_above(after)] if after else [])])
            return await self._records(shape, names, where, size, after)

        async def now() -> datetime:
            return (await self._records(shape, (), "", 1))[1]

        size = self._size(limit, cells)
        found = await swept(cursor, size, self._overlap_s, page, now, short_is_end=False)
        whole = await with_lines(self, object_name, UNITS, found.records, plain, cells)
        return Page(tuple(whole), found.cursor, found.more)

    def _size(self, limit: int, cells: Sequence[str] | None) -> int:
        """Lines of no more than 20 records are asked for at once."""
        return min(limit, ROWS_MAX if cells is None else self.declaration.look_max)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value."""
        plain, cells = await asked(UNITS, self._shaped, object_name, fields)
        shape = self._shape(object_name)
        names = shape.checked([*plain, field])
        is_link = field in self._links[object_name]
        path = f"{field}/{KEY}" if is_link else field.replace(".", "/")
        try:
            literal = _literal(write_value(value, shape.fields[field].form), is_id=is_link or field == KEY)
        except BadValue:
            return []
        records, _ = await self._records(shape, names, f"{path} eq {literal}", ROWS_MAX)
        found = having(records, field, value, plain)
        if cells is not None:
            return await self.read(object_name, [one.id for one in found], fields)
        return found

    # --------------------------------------------------------------------------------------------- one request

    async def _records(
        self, shape: Shape, names: Sequence[str], where: str, top: int, after: str = ""
    ) -> tuple[list[Record], datetime]:
        rows, answer = await self._rows(shape, names, where, top, after)
        return [self._record(shape, row, names) for row in rows], time_of(answer)

    async def _rows(
        self, shape: Shape, names: Sequence[str], where: str, top: int, after: str = ""
    ) -> tuple[list[Any], Answer]:
        asked = tree(self._things[shape.name], [*self._stamps, *names])
        query = {**asked.options(), "$orderby": KEY, "$top": str(top)}
        if where:
            query["$filter"] = where
        request = Request(doing=f"read {shape.name}", path=f"v1/odata/{segment(shape.name)}", query=query)
        answer = await self.client.ask(request)
        rows = rows_at("value", request.doing)(self.client.body_of(request, answer))
        if len(rows) > top or (after and any(shape.id_of(row) == after for row in rows)):
            # It would never come to an end.
            raise HttpError(
                Kind.CONFIG,
                f"can't {request.doing}: tribe does not keep to $filter and $top",
                scope=Scope.STREAM,
            )
        return rows, answer

    def _record(self, shape: Shape, row: Any, names: Sequence[str]) -> Record:
        """What refers to nobody is delivered as null, and has no id and no fields in it."""
        record = shape.record(row, names)
        links = self._links[shape.name]
        nobody: dict[str, Value] = {
            name: None
            for name in names
            if name not in record.native
            and ((name in links and name in row and row[name] is None) or nothing_at(row, name))
        }
        return msgspec.structs.replace(record, native={**record.native, **nobody})

    async def _row(self, name: str, where: str, names: Sequence[str]) -> tuple[Any, Record | None]:
        """The first row that a filter finds, and its record."""
        shape = self._shape(name)
        rows, _ = await self._rows(shape, names, where, 1)
        known = [one for one in names if one in shape.fields]
        return (rows[0], self._record(shape, rows[0], known)) if rows else ({}, None)

    async def _own(self) -> str:
        """The organisation whose Tribe it is; "" where that is not said."""
        if "own" not in self._known:
            row, _ = await self._row(IDENTITY, "", ["Organization"])
            found = at(row, f"Organization.{KEY}")
            self._known["own"] = found if isinstance(found, str) else ""
        return self._known["own"]

    def _shape(self, name: str) -> Shape:
        return self.known(self._shapes, name)

    async def _shaped(self, name: str) -> Shape:
        return self._shape(name)

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """New ones several at once, all others one by one."""
        await asked(UNITS, self._shaped, object_name, fields)
        writer = self._writer.of_batch()

        async def one(write: Write) -> WriteResult:
            if touches_lines(write):
                return await write_with_lines(self, object_name, UNITS[object_name], write, fields)
            return await writer.carry_out(self._shape(object_name), write)

        return await each(
            writes, one, within_s=WRITE_S, session_check=self.check, concurrency=self.declaration.concurrency
        )

    async def one(self, object_name: str, write: Write) -> WriteResult:
        """One write of a record without lines."""
        return await self._writer.of_batch().carry_out(self._shape(object_name), write)


def _above(id_: str) -> str:
    return f"{KEY} gt {id_}" if id_ else ""


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _literal(raw: Any, *, is_id: bool) -> str:
    """A value in a filter; ids and times stand without quotes."""
    if raw is None:
        return "null"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | Decimal):
        return format(raw, "f") if isinstance(raw, Decimal) else str(raw)
    if isinstance(raw, date):
        return raw.isoformat()
    text = str(raw)
    if is_id:
        if not GUID.fullmatch(text):
            raise BadValue(f"{text!r} is no id")
        return text
    return "'" + text.replace("'", "''") + "'"
