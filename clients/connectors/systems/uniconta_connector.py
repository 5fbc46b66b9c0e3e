"""What Uniconta's functions do: the feed read in id order, whole objects written after a fresh look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import anyio

from actors.core.errors import Kind, Scope
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value, same
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.paging import rows_at
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.units import (
    LinesOf,
    asked,
    described,
    read_units,
    split,
    touches_lines,
    with_lines,
    write_with_lines,
)
from clients.connectors.http.values import Type, write_value
from clients.connectors.http.wire import Answer, HttpError, Request
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.uniconta_objects import NUMBERED, Entity, metadata, shape

TOP_MAX: Final = 1000
OR_MAX: Final = 40  # alternatives that a filter takes
UNITS: Final[Mapping[str, LinesOf]] = {
    f"DebtorOrderClient{tail}": LinesOf(f"DebtorOrderLineClient{tail}", "OrderNumber", "LineNumber")
    for tail in ("", "User")
}
WRITE_S: Final = 40.0  # of one batch; below the declared deadline


class UnicontaConnector(HttpConnector):
    """One company."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        entities: Mapping[str, Entity],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(declaration, client)
        self._entities = entities
        self._company = settings["company"]
        self._modified = "" if settings["modified"] == "none" else str(settings["modified"])
        self._overlap_s = float(settings["overlap_s"])
        self._odata_2 = settings["times"] == "datetime"
        self._ask_metadata = settings["metadata"] == "asked"
        self._metadata_s = float(settings["metadata_s"])
        self._shapes: dict[str, Shape] = {}
        self._shapes_until = -1.0
        self._shaping = anyio.Lock()

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """The company's id: Uniconta gives each company one of its own, a copy too."""
        await self.check()
        return f"uniconta:{self._company}"

    async def check(self) -> None:
        """The list of what the feed offers."""
        request = Request(doing="ask what there is", path=f"odata/{self._company}")
        await self.client.json(request)

    async def describe(self) -> Sequence[ObjectInfo]:
        """The entities, with the fields that the company's users made."""
        self._shapes_until = -1.0
        found = {name: (await self._shape(name)).described() for name in self._entities}
        return [
            described(one, found[UNITS[name].object]) if name in UNITS else one for name, one in found.items()
        ]

    def find(self, object_name: str) -> Find:
        """By the time of the last change, unless the settings say that there is none."""
        return Find.MODIFIED if self._modified else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Up to 40 in each request: more alternatives the server doesn't take. Where lines are asked for, they come with
        another one, and the records once more."""
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        return await read_units(self, object_name, UNITS, ids, plain, cells, self.declaration.batch_max)

    async def records(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Records without lines."""
        shape = await self._shape(object_name)
        names = shape.checked(fields)
        wanted = [literal for id_ in ids if (literal := _key(shape, id_))]
        found: list[Record] = []
        for start in range(0, len(wanted), OR_MAX):
            some = wanted[start : start + OR_MAX]
            where = " or ".join(f"{shape.key} eq {literal}" for literal in some)
            records, _ = await self._records(object_name, shape, names, where, len(some))
            found += records
        return found

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id, from the last one met, until nothing comes: a page that is not full may have been cut."""
        shape = await self._shape(object_name)
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        names = shape.checked(plain)
        where = f"{shape.key} gt {_after(shape, position)}"
        # Lines of no more than 40 records can be asked for at once.
        top = min(limit, TOP_MAX if cells is None else self.declaration.batch_max)
        records, _ = await self._records(object_name, shape, names, where, top)
        cursor = records[-1].id if records else position
        return Page(
            tuple(await with_lines(self, object_name, UNITS, records, plain, cells)), cursor, bool(records)
        )

    async def children(self, of: LinesOf, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """The lines of records."""
        shape, rows = await self._shape(of.object), list[Record]()
        names = shape.checked(fields)
        parents = " or ".join(f"{of.parent} eq {int(id_)}" for id_ in ids)
        while True:
            where = f"({parents}) and {shape.key} gt {_after(shape, rows[-1].id if rows else '')}"
            page, _ = await self._records(of.object, shape, names, where, TOP_MAX)
            if not page:
                return rows
            rows += page

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by id over what was updated since."""
        shape = await self._shape(object_name)
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        names = shape.checked(plain)
        if not self._modified:
            return await super().changes(object_name, cursor, fields, limit)
        shape.checked([self._modified])

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            where = f"{self._modified} ge {self._time(since)} and {shape.key} gt {_after(shape, after)}"
            return await self._records(object_name, shape, names, where, size)

        async def now() -> datetime:
            request = Request(doing="ask for the time", path=f"odata/{self._company}")
            return time_of(await self.client.ask(request))

        top = min(limit, TOP_MAX if cells is None else self.declaration.batch_max)
        found = await swept(cursor, top, self._overlap_s, page, now, short_is_end=False)
        whole = await with_lines(self, object_name, UNITS, found.records, plain, cells)
        return Page(tuple(whole), found.cursor, found.more)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value."""
        shape = await self._shape(object_name)
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        names = shape.checked([*plain, field])
        try:
            literal = self._literal(write_value(value, shape.fields[field].form))
        except BadValue:
            return []
        records, _ = await self._records(object_name, shape, names, f"{field} eq {literal}", TOP_MAX)
        found = having(records, field, value, plain)
        if cells is not None:
            return await self.read(object_name, [one.id for one in found], fields)
        return found

    # --------------------------------------------------------------------------------------------- one request

    async def _records(
        self, object_name: str, shape: Shape, names: Sequence[str], where: str, top: int
    ) -> tuple[list[Record], datetime]:
        rows, told = await self._rows(shape, where, top)
        return [self._record(shape, row, names) for row in rows], told

    async def _rows(self, shape: Shape, where: str, top: int) -> tuple[list[Any], datetime]:
        doing = f"read {shape.name}"
        query = {"$filter": where, "$orderby": shape.key, "$top": str(top)}
        request = Request(doing=doing, path=f"odata/{self._company}/{segment(shape.name)}", query=query)
        answer = await self.client.ask(request)
        return rows_at("value", doing)(self.client.body_of(request, answer)), time_of(answer)

    def _record(self, shape: Shape, row: Any, names: Sequence[str]) -> Record:
        """What is null is left out of an answer; but a field that is never empty was not delivered then."""
        record = shape.record(row, names)
        nulls = {
            name: None for name in names if name not in record.native and not shape.fields[name].required
        }
        return Record(record.id, {**record.native, **nulls}, record.version, record.modified)

    def _time(self, at: datetime) -> str:
        text = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"datetime'{text}'" if self._odata_2 else f"{text}Z"

    def _literal(self, raw: Any) -> str:
        if raw is None:
            return "null"
        if isinstance(raw, bool):
            return "true" if raw else "false"
        if isinstance(raw, int | Decimal):
            return format(raw, "f") if isinstance(raw, Decimal) else str(raw)
        if isinstance(raw, date):
            return self._time(datetime(raw.year, raw.month, raw.day, tzinfo=UTC))
        return _quoted(str(raw))

    # ------------------------------------------------------------------------------------------------- fields

    async def _shape(self, name: str) -> Shape:
        """The fields of an entity; which there are is asked for again and again."""
        self.known(self._entities, name)
        async with self._shaping:
            if anyio.current_time() >= self._shapes_until:
                told = await self._told() if self._ask_metadata else {}
                self._shapes = {
                    one: shape(one, entity, self._modified, told.get(one))
                    for one, entity in self._entities.items()
                }
                self._shapes_until = anyio.current_time() + self._metadata_s
        return self._shapes[name]

    async def _told(self) -> dict[str, dict[str, Type]]:
        """What the feed says of its fields; nothing, where it doesn't offer that."""
        request = Request(
            doing="read which fields there are",
            path=f"odata/{self._company}/$metadata",
            headers={"Accept": "application/xml"},
            record=True,
        )
        answer = await self.client.call(request)
        return metadata(answer.text()) if answer.meaning == "ok" else {}

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """One request each, several at once."""
        shape = await self._shape(object_name)
        names = shape.checked(split(fields)[0])

        async def one(write: Write) -> WriteResult:
            if touches_lines(write):
                return await write_with_lines(self, object_name, UNITS[object_name], write, fields)
            if write.op is Op.CREATE:
                return await self._create(object_name, shape, names, write)
            return await self._change(object_name, shape, write)

        return await each(
            writes, one, within_s=WRITE_S, session_check=self.check, concurrency=self.declaration.concurrency
        )

    async def one(self, object_name: str, write: Write) -> WriteResult:
        """One write of a record without lines."""
        (result,) = await self.write(object_name, [write], [])
        return result

    async def _create(self, name: str, shape: Shape, fields: Sequence[str], write: Write) -> WriteResult:
        try:
            body = {field: raw for field, raw in shape.body(write.native).items() if raw is not None}
        except BadValue as error:
            return WriteResult(WriteStatus.REFUSED, error=str(error))
        request = Request(
            doing=f"create {name}",
            method="POST",
            path=f"api/Entities/Insert/{segment(name)}",
            json=body,
            scope=Scope.RECORD,
        )
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = self._body_of(request, answer)
        if isinstance(row, dict) and shape.key in row:
            # An answer that lacks something we wrote says too little: then the engine looks.
            record = self._record(shape, row, fields) if body.keys() <= row.keys() else None
            return WriteResult(WriteStatus.DONE, shape.id_of(row), record)
        # Made, and not told where: whoever asked finds it by its key.
        raise HttpError(
            Kind.UNKNOWN, f"uniconta did not say under which id it made {name}", scope=Scope.RECORD
        )

    async def _change(self, name: str, shape: Shape, write: Write) -> WriteResult:
        literal = _key(shape, write.id)
        shape.checked(write.native)
        rows = (await self._rows(shape, f"{shape.key} eq {literal}", 1))[0] if literal else []
        if not rows:
            return WriteResult(WriteStatus.GONE, write.id)
        now = self._record(shape, rows[0], list(shape.fields)).native
        if moved := moved_on(write, now):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            return await self._sent(f"delete {name}", "DELETE", f"Delete/{segment(name)}", rows[0], write)
        if shape.key in write.native and not same(write.native[shape.key], write.id):
            return WriteResult(
                WriteStatus.REFUSED, write.id, error=f"{shape.key} of a record that is there stays"
            )
        try:
            whole = {**rows[0], **shape.body(write.native)}
        except BadValue as error:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))
        return await self._sent(f"update {name}", "PUT", f"Update/{segment(name)}", whole, write)

    async def _sent(self, doing: str, method: str, path: str, body: Any, write: Write) -> WriteResult:
        request = Request(
            doing=doing,
            method=method,
            path=f"api/Entities/{path}",
            json=body,
            record=True,
            scope=Scope.RECORD,
        )
        answer = await self.client.call(request)
        if answer.meaning == "ok":
            self._body_of(request, answer)  # raises: what can't be read proves nothing
        return result_of(write, answer)

    def _body_of(self, request: Request, answer: Answer) -> Any:
        """The body of a good answer; a word such as `Succes` is none."""
        is_word = answer.body[:1] not in b"{[" and answer.text().strip().isalpha()
        return None if is_word else self.client.body_of(request, answer)


def _key(shape: Shape, id_: str) -> str:
    """An id in a filter; "" for what can be none."""
    if shape.key in NUMBERED:
        return id_ if id_.isdecimal() else ""
    return _quoted(id_) if id_ else ""


def _after(shape: Shape, id_: str) -> str:
    return id_ or "0" if shape.key in NUMBERED else _quoted(id_)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
