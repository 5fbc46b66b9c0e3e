"""What Tribe's functions do: entity sets read in id order, changed fields written by PUT after a fresh look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value, same
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.paging import rows_at
from clients.connectors.http.shape import Shape
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.values import write_value
from clients.connectors.http.wire import Answer, HttpError, Request
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.tribe_objects import IDENTITY, KEY, Thing, shape

ROWS_MAX: Final = 100
WRITE_S: Final = 40.0  # of one batch; below the declared deadline
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
        self._links = {name: frozenset(thing.links.split()) for name, thing in things.items()}
        self._shapes = {name: shape(name, thing, self._stamps) for name, thing in things.items()}

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
        """The entity sets and their fields."""
        return [one.described() for one in self._shapes.values()]

    def find(self, object_name: str) -> Find:
        """By complete reads, unless the settings name the field with the time."""
        return Find.MODIFIED if self._modified else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Up to 20 in one request, one alternative each: `in` is not known there."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        wanted = [id_ for id_ in ids if GUID.fullmatch(id_)]
        if not wanted:
            return []
        where = " or ".join(f"{KEY} eq {id_}" for id_ in wanted)
        return (await self._records(shape, names, where, len(wanted)))[0]

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id, from the last one met, until nothing comes."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        records, _ = await self._records(shape, names, _above(position), min(limit, ROWS_MAX), position)
        return Page(tuple(records), records[-1].id if records else position, bool(records))

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by id over what was made or changed since: the time of a change may be empty until there is one."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        if not self._modified:
            return await super().changes(object_name, cursor, fields, limit)

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            parts = [" or ".join(f"{name} ge {_time(since)}" for name in self._stamps)]
            where = " and ".join([f"({parts[0]})", *([_above(after)] if after else [])])
            return await self._records(shape, names, where, size, after)

        async def now() -> datetime:
            return (await self._records(shape, (), "", 1))[1]

        return await swept(cursor, min(limit, ROWS_MAX), self._overlap_s, page, now, short_is_end=False)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value."""
        shape = self._shape(object_name)
        names = shape.checked([*fields, field])
        path = f"{field}/{KEY}" if field in self._links[object_name] else field
        try:
            literal = _literal(
                write_value(value, shape.fields[field].form), is_id=path != field or field == KEY
            )
        except BadValue:
            return []
        records, _ = await self._records(shape, names, f"{path} eq {literal}", ROWS_MAX)
        return [
            msgspec.structs.replace(
                one, native={name: one.native[name] for name in fields if name in one.native}
            )
            for one in records
            if field in one.native and same(one.native[field], value)
        ]

    # --------------------------------------------------------------------------------------------- one request

    async def _records(
        self, shape: Shape, names: Sequence[str], where: str, top: int, after: str = ""
    ) -> tuple[list[Record], datetime]:
        rows, answer = await self._rows(shape, names, where, top, after)
        return [self._record(shape, row, names) for row in rows], time_of(answer)

    async def _rows(
        self, shape: Shape, names: Sequence[str], where: str, top: int, after: str = ""
    ) -> tuple[list[Any], Answer]:
        links = self._links[shape.name]
        plain = [KEY, *self._stamps, *(name for name in names if name not in links)]
        query = {"$select": ",".join(dict.fromkeys(plain)), "$orderby": KEY, "$top": str(top)}
        if asked := sorted(links & set(names)):
            query["$expand"] = ",".join(f"{name}($select={KEY})" for name in asked)
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
        """What refers to nobody is delivered as null, and has no id in it."""
        record = shape.record(row, names)
        links = self._links[shape.name]
        nobody = {name: None for name in names if name in links and name in row and row[name] is None}
        return msgspec.structs.replace(record, native={**record.native, **nobody})

    def _shape(self, name: str) -> Shape:
        return self.known(self._shapes, name)

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """One by one."""
        shape = self._shape(object_name)
        shape.checked(fields)

        async def one(write: Write) -> WriteResult:
            try:
                if write.op is Op.CREATE:
                    return await self._create(shape, write)
                return await self._change(shape, write)
            except BadValue as error:
                return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

        return await each(writes, one, within_s=WRITE_S, session_check=self.check)

    async def _create(self, shape: Shape, write: Write) -> WriteResult:
        body = {name: raw for name, raw in self._body(shape, write.native).items() if raw is not None}
        request = _writing(f"create {shape.name}", "POST", segment(shape.name), body)
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = self.client.body_of(request, answer)
        if not (isinstance(row, dict) and row.get(KEY)):
            words = f"tribe did not say under which id it made {shape.name}"
            raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
        return WriteResult(WriteStatus.DONE, shape.id_of(row))

    async def _change(self, shape: Shape, write: Write) -> WriteResult:
        names = shape.checked({**write.seen, **write.native})
        if not GUID.fullmatch(write.id):
            return WriteResult(WriteStatus.GONE, write.id)
        records, _ = await self._records(shape, names, f"{KEY} eq {write.id}", 1)
        if not records:
            return WriteResult(WriteStatus.GONE, write.id)
        if moved := moved_on(write, records[0].native):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        place = f"{segment(shape.name)}({write.id})"
        if write.op is Op.DELETE:
            if not any(field.writable for field in shape.fields.values()):
                raise BadValue(f"{shape.name} can't be deleted here")
            return await self._sent(write, _writing(f"delete {shape.name}", "DELETE", place))
        body = self._body(shape, write.native)
        return await self._sent(write, _writing(f"update {shape.name}", "PUT", place, body))

    async def _sent(self, write: Write, request: Request) -> WriteResult:
        answer = await self.client.call(request)
        if answer.meaning == "ok":
            self.client.body_of(request, answer)  # raises: what can't be read proves nothing
        return result_of(write, answer)

    def _body(self, shape: Shape, native: Mapping[str, Value]) -> dict[str, Any]:
        links = self._links[shape.name]
        # To refer to nobody is null, not an object whose id is null.
        return {
            name: None if name in links and raw[KEY] is None else raw
            for name, raw in shape.body(native).items()
        }


def _writing(doing: str, method: str, place: str, body: Any = msgspec.UNSET) -> Request:
    path = f"v1/odata/{place}"
    return Request(doing=doing, method=method, path=path, json=body, record=True, scope=Scope.RECORD)


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
