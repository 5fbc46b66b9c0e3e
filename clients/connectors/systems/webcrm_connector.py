"""What webCRM's functions do: queries in id order, and writes of whole objects after a fresh look."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import anyio

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value, same
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.dense import ranges
from clients.connectors.http.paging import rows_at
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.units import (
    LinesOf,
    asked,
    described,
    read_units,
    touches_lines,
    with_lines,
    write_with_lines,
)
from clients.connectors.http.values import write_value
from clients.connectors.http.wire import HttpError, Request
from clients.connectors.http.writing import each, moved_on
from clients.connectors.systems.webcrm_objects import NO_DATE, Thing, shape

SIZE_MAX: Final = 1000
IDS_MAX: Final = 40  # of one query: an address has its limits
UNITS: Final[Mapping[str, LinesOf]] = {
    "Deliveries": LinesOf("QuotationLines", "QuotationLineOpportunityId", "QuotationLineSortOrder")
}
YEAR_ONE: Final = "0001-"
WRITE_S: Final = 40.0  # of one batch; below the declared deadline


class WebcrmConnector(HttpConnector):
    """One account."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        things: Mapping[str, Thing],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(declaration, client)
        self._things = things
        self._account = settings["account"] or ""
        self._overlap_s = float(settings["overlap_s"])
        self._placeholders = tuple(str(text) for text in settings["placeholders"])
        self._check_fields = settings["user_fields"] == "checked"
        self._fields_s = float(settings["fields_s"])
        self._shapes: dict[str, Shape] = {}
        self._shapes_until = -1.0
        self._shaping = anyio.Lock()

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """webCRM does not say which account a token belongs to; its first user, who can't be deleted, does."""
        if self._account:
            return f"webcrm:{self._account}"
        script = "SELECT UserId, UserCreatedAt FROM User ORDER BY UserId"
        rows, _ = await self._rows("tell which account this is", script, 1)
        if not rows:
            raise HttpError(
                Kind.CONFIG,
                "the account shows no users, so it can't be told from others",
                hint="set 'account'",
            )
        said = f"{rows[0].get('UserId')} {rows[0].get('UserCreatedAt')}"
        return f"webcrm:{hashlib.sha256(said.encode()).hexdigest()[:16]}"

    async def check(self) -> None:
        """One row of a list."""
        await self.client.json(Request(doing="ask for users", path="Users", query={"Page": "1", "Size": "1"}))

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects, with the user-defined fields that somebody made."""
        self._shapes_until = -1.0
        found = {name: (await self._shape(name)).described() for name in self._things}
        return [
            described(one, found[UNITS[name].object]) if name in UNITS else one for name, one in found.items()
        ]

    def find(self, object_name: str) -> Find:
        """By the time of the last change, where the object has one."""
        thing = self._things.get(object_name)
        return Find.MODIFIED if thing is not None and thing.modified else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Up to 40 in one query, or all that lie close together; where lines are asked for, they come with another one, and
        the records once more."""
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        return await read_units(self, object_name, UNITS, ids, plain, cells, self.declaration.batch_max)

    async def records(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Records without lines."""
        shape = await self._shape(object_name)
        names, key = shape.checked(fields), shape.key
        wanted = {int(id_) for id_ in ids if id_.isdecimal()}
        close, alone = ranges(wanted, IDS_MAX, SIZE_MAX)
        asked = [(f"{key} >= {some[0]}", len(some)) for some in close]  # in id order: up to its last one
        for start in range(0, len(alone), IDS_MAX):
            some_ids = alone[start : start + IDS_MAX]
            asked.append((f"({' OR '.join(f'{key} = {id_}' for id_ in some_ids)})", len(some_ids)))
        found: list[Record] = []
        for where, size in asked:
            records, _ = await self._records(object_name, shape, names, where, size)
            found += [record for record in records if int(record.id) in wanted]
        return found

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id, from the last one met."""
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        shape = await self._shape(object_name)
        names, size = shape.checked(plain), self._size(limit, cells)
        where = f"{shape.key} >= {int(position or 0) + 1}"
        records, _ = await self._records(object_name, shape, names, where, size)
        cursor, more = records[-1].id if records else position, len(records) == size
        return Page(tuple(await with_lines(self, object_name, UNITS, records, plain, cells)), cursor, more)

    def _size(self, limit: int, cells: Sequence[str] | None) -> int:
        """Lines of no more than 40 records can be asked for at once."""
        return min(limit, SIZE_MAX if cells is None else self.declaration.batch_max)

    async def children(self, of: LinesOf, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """The lines of records."""
        shape, last, rows = await self._shape(of.object), 0, list[Record]()
        names = shape.checked(fields)
        parents = " OR ".join(f"{of.parent} = {int(id_)}" for id_ in ids)
        while True:
            where = f"({parents}) AND {shape.key} >= {last + 1}"
            page, _ = await self._records(of.object, shape, names, where, SIZE_MAX)
            rows += page
            if len(page) < SIZE_MAX:
                return rows
            last = int(page[-1].id)

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by id over what was updated since."""
        thing, shape = self._thing(object_name), await self._shape(object_name)
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        names = shape.checked(plain)
        if not thing.modified:
            return await super().changes(object_name, cursor, fields, limit)

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            literal = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
            where = f"{thing.modified} >= '{literal}' AND {shape.key} >= {int(after or 0) + 1}"
            return await self._records(object_name, shape, names, where, size)

        async def now() -> datetime:
            request = Request(doing="ask for the time", path="Users", query={"Page": "1", "Size": "1"})
            return time_of(await self.client.ask(request))

        found = await swept(cursor, self._size(limit, cells), self._overlap_s, page, now)
        whole = await with_lines(self, object_name, UNITS, found.records, plain, cells)
        return Page(tuple(whole), found.cursor, found.more)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value; the query does not tell letters' cases apart, so what it finds is compared again."""
        shape = await self._shape(object_name)
        plain, cells = await asked(UNITS, self._shape, object_name, fields)
        names = shape.checked([*plain, field])
        try:
            raw = write_value(value, shape.fields[field].form)
        except BadValue:
            return []
        where = f"{field} = {_literal(raw)}"
        records, _ = await self._records(object_name, shape, names, where, SIZE_MAX)
        found = having(records, field, value, plain)
        if cells is not None:
            return await self.read(object_name, [one.id for one in found], fields)
        return found

    # --------------------------------------------------------------------------------------------- one query

    async def _records(
        self, object_name: str, shape: Shape, names: Sequence[str], where: str, size: int
    ) -> tuple[list[Record], datetime]:
        thing = self._thing(object_name)
        columns = dict.fromkeys((thing.key, *names, *((thing.modified,) if thing.modified else ())))
        also = f" AND {thing.where}" if thing.where else ""
        head = f"SELECT {', '.join(columns)} FROM {thing.entity}"  # noqa: S608 - names of ours, literals quoted
        script = f"{head} WHERE {where}{also} ORDER BY {thing.key}"
        rows, told = await self._rows(f"read {object_name}", script, size)
        return [shape.record(_plain(row), names) for row in rows], told

    async def _rows(self, doing: str, script: str, size: int) -> tuple[list[Any], datetime]:
        query = {"script": script, "Page": "1", "Size": str(size)}
        request = Request(doing=doing, path="Queries", query=query)
        answer = await self.client.ask(request)
        return rows_at("", doing)(self.client.body_of(request, answer)), time_of(answer)

    # ------------------------------------------------------------------------------------------------- fields

    def _thing(self, name: str) -> Thing:
        return self.known(self._things, name)

    async def _shape(self, name: str) -> Shape:
        """The fields of an object; which user-defined ones there are is asked for again and again."""
        thing = self._thing(name)
        async with self._shaping:
            if anyio.current_time() >= self._shapes_until:
                made = await self._made() if self._check_fields else None
                self._shapes = {
                    one: shape(one, self._things[one], self._placeholders, made) for one in self._things
                }
                self._shapes_until = anyio.current_time() + self._fields_s
        assert thing is self._things[name]
        return self._shapes[name]

    async def _made(self) -> frozenset[str] | None:
        request = Request(doing="read which fields there are", path="FieldsMetadata/All")
        rows = rows_at("", request.doing)(await self.client.json(request))
        names = frozenset(str(row.get("DbName", "")) for row in rows if isinstance(row, dict))
        # Where these are other names than those of the API, nothing can be told from them.
        return names if "OrganisationName" in names else None

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """New ones in one request, which tells the outcome of each; changes and deletions one by one."""
        shape = await self._shape(object_name)
        creates = [place for place, one in enumerate(writes) if one.op is Op.CREATE]
        if any(map(touches_lines, writes)):
            of = UNITS[object_name]

            async def unit(write: Write) -> WriteResult:
                return await write_with_lines(self, object_name, of, write, fields)

            return await each(
                writes,
                unit,
                within_s=WRITE_S,
                session_check=self.check,
                concurrency=self.declaration.concurrency,
            )
        made = await self._create(object_name, shape, [writes[place] for place in creates])
        results = dict(zip(creates, made, strict=True))
        rest = [one for one in writes if one.op is not Op.CREATE]

        async def one(write: Write) -> WriteResult:
            return await self._change(object_name, shape, write)

        try:
            others = iter(
                await each(
                    rest,
                    one,
                    within_s=WRITE_S,
                    session_check=self.check,
                    concurrency=self.declaration.concurrency,
                )
            )
        except TandemError:
            if not any(result.status is not WriteStatus.REFUSED for result in made):
                raise
            others = iter([WriteResult(WriteStatus.NOT_DONE, one.id) for one in rest])
        return [results[place] if place in results else next(others) for place in range(len(writes))]

    async def one(self, object_name: str, write: Write) -> WriteResult:
        """One write of a record without lines."""
        (result,) = await self.write(object_name, [write], [])
        return result

    async def _create(self, name: str, shape: Shape, writes: Sequence[Write]) -> list[WriteResult]:
        results: list[WriteResult | None] = [None] * len(writes)
        bodies: dict[int, dict[str, Any]] = {}
        for place, write in enumerate(writes):
            try:
                bodies[place] = {**shape.body(write.native), shape.key: 0}
            except (BadValue, TandemError) as error:
                results[place] = WriteResult(WriteStatus.REFUSED, error=str(error))
        for _ in range(2):
            # A second time for those that were refused: ids drawn at once may clash, and a plain retry helps.
            if bodies:
                for place, result in zip(
                    bodies, await self._upsert(name, list(bodies.values())), strict=True
                ):
                    results[place] = result
                bodies = {
                    place: body
                    for place, body in bodies.items()
                    if (again := results[place]) is not None and again.status is WriteStatus.REFUSED
                }
                if len(writes) == 1:
                    break
        return [result or WriteResult(WriteStatus.NOT_DONE) for result in results]

    async def _upsert(self, name: str, bodies: list[dict[str, Any]]) -> list[WriteResult]:
        """One text per row: its id, or what is wrong with it."""
        request = Request(
            doing=f"create {name}",
            method="PATCH",
            path=self._thing(name).path,
            json=bodies,
            scope=Scope.STREAM,
        )
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return [
                WriteResult(WriteStatus.REFUSED, error=answer.words or f"answered {answer.status}")
            ] * len(bodies)
        told = self.client.body_of(request, answer)
        if not isinstance(told, list) or len(told) != len(bodies):
            raise HttpError(
                Kind.UNKNOWN,
                f"can't tell what became of {len(bodies)} new {name}: webcrm said {self.client.clean(answer.text())}",
                scope=Scope.STREAM,
            )
        return [_told(one) for one in told]

    async def _change(self, name: str, shape: Shape, write: Write) -> WriteResult:
        thing = self._thing(name)
        if write.op is Op.DELETE and not thing.deletes:
            words = f"webCRM has no way to delete {name}; mark them instead"
            return WriteResult(WriteStatus.REFUSED, write.id, error=words)
        if not write.id.isdecimal():
            return WriteResult(WriteStatus.GONE, write.id)
        shape.checked(write.native)
        path = f"{thing.path}/{segment(write.id)}"
        look = Request(doing=f"read {name}", path=path, record=True)
        answer = await self.client.call(look)
        if answer.meaning == "gone":
            return WriteResult(WriteStatus.GONE, write.id)
        row = self.client.body_of(look, answer)
        now = shape.record(_plain(row), list(shape.fields)).native
        if moved := moved_on(write, now):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            return await self._sent(
                Request(doing=f"delete {name}", method="DELETE", path=path, record=True), write
            )
        try:
            body = shape.body(write.native)
        except BadValue as error:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))
        if stuck := [
            field
            for field in thing.kept
            if field in write.native and not same(write.native[field], now.get(field))
        ]:
            words = f"webCRM does not change {', '.join(stuck)} of a record that is there"
            return WriteResult(WriteStatus.REFUSED, write.id, error=words)
        whole = {field: value for field, value in row.items() if _is_sent(shape, field)} | body
        return await self._sent(
            Request(doing=f"update {name}", method="PUT", path=path, json=whole, record=True), write
        )

    async def _sent(self, request: Request, write: Write) -> WriteResult:
        answer = await self.client.call(request)
        if answer.meaning == "gone":
            return WriteResult(WriteStatus.GONE, write.id)
        if answer.meaning != "ok":
            return WriteResult(
                WriteStatus.REFUSED, write.id, error=answer.words or f"answered {answer.status}"
            )
        if answer.is_html:
            self.client.body_of(request, answer)  # raises: a page in the place of an answer proves nothing
        return WriteResult(WriteStatus.DONE, write.id)


def _is_sent(shape: Shape, name: str) -> bool:
    """What only webCRM writes is not sent back; what is unknown here is, or it would be emptied."""
    field = shape.fields.get(name)
    return field is None or field.writable or name == shape.key


def _plain(row: Any) -> Any:
    """A row with one way of saying "no date": the year 1 comes with the offset of whatever place."""
    if not isinstance(row, dict):
        return row
    return {
        name: NO_DATE if isinstance(value, str) and value.startswith(YEAR_ONE) else value
        for name, value in row.items()
    }


def _literal(raw: Any) -> str:
    if isinstance(raw, bool):
        return "1" if raw else "0"
    if isinstance(raw, int | Decimal):
        return format(raw, "f") if isinstance(raw, Decimal) else str(raw)
    return "'" + str(raw).replace("'", "''") + "'"


def _told(text: Any) -> WriteResult:
    said = str(text).strip()
    if said.isdecimal() and int(said) > 0:
        return WriteResult(WriteStatus.DONE, said)
    return WriteResult(WriteStatus.REFUSED, error=said or "refused without words")
