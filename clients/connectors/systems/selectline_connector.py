"""What the functions of SelectLine's connector do: lists read in key order by filters, changed fields written after a fresh
look, documents made empty and filled position by position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.together import together
from clients.connectors.http.units import (
    LinesOf,
    asked,
    described,
    touches_lines,
    with_lines,
    write_with_lines,
)
from clients.connectors.http.wire import HttpError, Request, at
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.lines import Hold
from clients.connectors.systems.selectline_filter import local_time
from clients.connectors.systems.selectline_lists import ROWS_MAX, SHORT, Lists
from clients.connectors.systems.selectline_objects import (
    COLUMN_MODIFIED,
    DOCUMENT,
    DOCUMENTS,
    KIND,
    MODIFIED,
    NUMBER,
    POSITIONS,
    QUANTITY,
    STATUS,
    TENANTS,
    WAREHOUSE,
    Thing,
    shape,
)

LINES_OF: Final = LinesOf(POSITIONS, DOCUMENT, "PositionNumber", numbered=False)
WRITE_S: Final = 40.0  # of one batch; below the declared deadline


class SelectlineConnector(HttpConnector):
    """One tenant."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        things: Mapping[str, Thing],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(declaration, client)
        self._things = things
        self._zone = settings["time_zone"]
        self._entered: Mapping[str, str] = settings["entered"]
        self._shapes = {
            name: shape(name, thing, self._zone, entered=name in self._entered)
            for name, thing in things.items()
        }
        self._url, self._tenant = settings["url"], settings["tenant"]
        self._by_time = settings["modified"] == "metadata"
        self._overlap_s = float(settings["overlap_s"])
        self._units = {name: LINES_OF for name, thing in things.items() if thing.is_document}
        self._lists = Lists(client, things, self._shapes, settings, declaration.concurrency)
        self._warehouse = settings["warehouse"]
        held, free = settings["held"], settings["free"]
        self._hold = None if held == "none" else Hold({STATUS: held}, {STATUS: free})

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """Installation and tenant: a copy of a tenant is another database."""
        await self.check()
        return f"selectline:{self._url.partition('://')[2].rstrip('/')}/{self._tenant}".casefold()

    async def check(self) -> None:
        """The session, and whether the tenant is there."""
        await self._session()
        if not await self.read(TENANTS, [self._tenant], ["Company"]):
            raise TandemError(
                Kind.CONFIG,
                f"selectline has no tenant {self._tenant}",
                hint="the setting 'tenant' is the name of the tenant's database, such as SL_MWAWI",
            )

    async def _session(self) -> None:
        """Whether somebody is logged in: the cheapest question."""
        await self.client.ask(Request(doing="ask who is logged in", path="Users/Current"))

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects; positions are lines of their documents."""
        found = {name: one.described() for name, one in self._shapes.items()}
        return [
            described(one, found[POSITIONS]) if name in self._units else one
            for name, one in found.items()
            if name != POSITIONS
        ]

    def find(self, object_name: str) -> Find:
        """By complete reads, unless the settings say otherwise. What is entered in a list changes without its record."""
        return Find.MODIFIED if self._by_time and object_name not in self._entered else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Some at once by a filter; who is not in the list is asked for by name, where a path can say it."""
        plain, cells = await asked(self._units, self._shape_of, object_name, fields)
        records = await self.records(object_name, ids, plain)
        return await with_lines(self, object_name, self._units, records, plain, cells)

    async def records(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Records without lines."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        return await self._lists.made_of(object_name, await self._lists.looked(object_name, ids), names)

    async def children(self, of: LinesOf, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """The positions of documents."""
        shape = self._shape(of.object)
        names = shape.checked(fields)

        async def one(key: str) -> list[Any]:
            return await self._lists.positions(key)

        found = await together(list(ids), one, self.declaration.concurrency)
        return [shape.record(row, names) for rows in found for row in rows]

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By key in the system's own order, from the last one met, until nothing comes."""
        plain, cells = await asked(self._units, self._shape_of, object_name, fields)
        names = self._shape(object_name).checked(plain)
        if object_name == TENANTS:
            return Page(tuple(await self.records(TENANTS, [self._tenant], names)), self._tenant, False)
        behind, most = self._lists.behind(object_name, position), self._most(limit, cells)
        rows, _ = await self._lists.listed(object_name, [behind], most, position)
        records = await self._lists.made_of(object_name, rows, names)
        last = self._lists.id_of(object_name, rows[-1]) if rows else position
        whole = await with_lines(self, object_name, self._units, records, plain, cells)
        return Page(tuple(whole), last, len(rows) >= min(most, SHORT))

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by key over what was modified since."""
        plain, cells = await asked(self._units, self._shape_of, object_name, fields)
        names = self._shape(object_name).checked(plain)
        if self.find(object_name) is not Find.MODIFIED:
            return await super().changes(object_name, cursor, fields, limit)
        field = COLUMN_MODIFIED if self._things[object_name].table else MODIFIED

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            conditions = [
                f"{field} GE {local_time(since, self._zone)}",
                self._lists.behind(object_name, after),
            ]
            rows, answer = await self._lists.listed(object_name, conditions, size, after)
            return await self._lists.made_of(object_name, rows, names), time_of(answer)

        async def now() -> datetime:
            info = await self.client.json(Request(doing="ask for the time", path="Info"))
            return _time(at(info, "ServerTimeInUtc"))

        found = await swept(cursor, self._most(limit, cells), self._overlap_s, page, now, short_is_end=False)
        whole = await with_lines(self, object_name, self._units, found.records, plain, cells)
        return Page(tuple(whole), found.cursor, found.more)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value; what a filter can't say is looked for in the whole list."""
        plain, cells = await asked(self._units, self._shape_of, object_name, fields)
        names = self._shape(object_name).checked([*plain, field])
        condition = self._lists.equal(object_name, field, value)
        if condition is None:
            return []
        found: list[Record] = []
        position, more = "", True
        while more:
            conditions = [condition, self._lists.behind(object_name, position)]
            rows, _ = await self._lists.listed(object_name, conditions, ROWS_MAX, position)
            position, more = self._lists.id_of(object_name, rows[-1]) if rows else "", len(rows) >= SHORT
            found += having(await self._lists.made_of(object_name, rows, names), field, value, plain)
        if cells is not None:
            return await self.read(object_name, [one.id for one in found], fields)
        return found

    def _most(self, limit: int, cells: Sequence[str] | None) -> int:
        """Records of one page; fewer where the positions of each have to be asked for."""
        return min(limit, ROWS_MAX if cells is None else self.declaration.batch_max)

    def _shape(self, name: str) -> Shape:
        return self.known(self._shapes, name)

    async def _shape_of(self, name: str) -> Shape:
        return self._shape(name)

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Record by record."""
        shape = self._shape(object_name)
        plain, _ = await asked(self._units, self._shape_of, object_name, fields)
        shape.checked(plain)

        async def one(write: Write) -> WriteResult:
            try:
                if touches_lines(write):
                    return await write_with_lines(
                        self, object_name, self._units[object_name], write, fields, self._hold
                    )
                return await self._one(object_name, shape, write)
            except BadValue as error:
                return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

        return await each(
            writes,
            one,
            within_s=WRITE_S,
            session_check=self._session,
            concurrency=self.declaration.concurrency,
        )

    async def one(self, object_name: str, write: Write) -> WriteResult:
        """One write of a record without lines."""
        (result,) = await self.write(object_name, [write], [])
        return result

    async def _one(self, name: str, shape: Shape, write: Write) -> WriteResult:
        if name == POSITIONS:
            return await self._position(shape, write)
        if write.op is Op.CREATE:
            return await self._create(name, shape, write)
        return await self._change(name, shape, write)

    async def _create(self, name: str, shape: Shape, write: Write) -> WriteResult:
        if not self._things[name].made:
            raise BadValue(f"{name} can't be made over this interface")
        values = shape.body({one: value for one, value in write.native.items() if value is not None})
        number = str(values.get(NUMBER) or "")
        if self._things[name].is_document:
            if not values.get(KIND):
                raise BadValue(f"{KIND} is needed")
            number = f"{values[KIND]}{number}" if number else ""
        if number and await self._lists.looked(name, [number]):
            return WriteResult(WriteStatus.REFUSED, error=f"exists already: {name} {number}")
        request = self._writing(f"create {name}", "POST", self._lists.path(name), values)
        return await self._created(write, request, self._things[name].made)

    async def _created(
        self, write: Write, request: Request, place: str, called: Callable[[str], str] = str
    ) -> WriteResult:
        """What became of a create. `place`: where the answer holds the id; `called`: what we call it by."""
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        made = at(self.client.body_of(request, answer), place)
        if isinstance(made, bool) or not isinstance(made, str | int) or made == "":
            words = f"selectline did not say under which id it made it: {request.doing}"
            raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
        return WriteResult(WriteStatus.DONE, called(str(made)))

    async def _change(self, name: str, shape: Shape, write: Write) -> WriteResult:
        shape.checked(write.native)
        rows = await self._lists.looked(name, [write.id])
        if not rows:
            return WriteResult(WriteStatus.GONE, write.id)
        (record,) = await self._lists.made_of(name, rows, shape.checked(write.seen))
        if moved := moved_on(write, record.native):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            if not self._things[name].deletes:
                raise BadValue(f"{name} can't be deleted over this interface")
            return await self._sent(
                write, self._writing(f"delete {name}", "DELETE", self._lists.path(name, write.id))
            )
        values = shape.body(write.native)
        for fixed in (NUMBER, KIND):
            if fixed in values and values.pop(fixed) != at(rows[0], fixed):
                raise BadValue(f"{fixed} of a record that is there stays")
        return await self._sent(
            write, self._writing(f"update {name}", "PUT", self._lists.path(name, write.id), values)
        )

    async def _position(self, shape: Shape, write: Write) -> WriteResult:
        """One position, of a document that was just looked at."""
        if write.op is Op.CREATE:
            return await self._add(shape, write)
        document, _, identifier = write.id.rpartition("/")
        path = f"{self._lists.path(DOCUMENTS, document)}/Positions/{segment(identifier)}"
        if write.op is Op.DELETE:
            return await self._sent(write, self._writing("delete a position", "DELETE", path))
        return await self._sent(
            write, self._writing("update a position", "PUT", path, shape.body(write.native))
        )

    async def _add(self, shape: Shape, write: Write) -> WriteResult:
        """A new position. What is sent holds, also nothing: so what is null is left out, and comes from the article. The
        quantity that counts is that of the position; the stock wants to know the warehouse, too."""
        values = shape.body({one: value for one, value in write.native.items() if value is not None})
        document, quantity = values.pop(DOCUMENT), values.get(QUANTITY)
        warehouse = values.get(WAREHOUSE) or self._warehouse
        if warehouse and quantity is not None:
            store = {
                "ArticleNumber": values.get("ArticleNumber"),
                "Warehouse": warehouse,
                "Quantity": quantity,
            }
            values |= {WAREHOUSE: warehouse, "StoreInformation": [store]}
        elif quantity is not None and quantity < 0:
            raise BadValue("a negative quantity needs a warehouse (it would become 1): set 'warehouse'")
        path = f"{self._lists.path(DOCUMENTS, document)}/ArticleItem"
        request = self._writing("add a position", "POST", path, values)
        return await self._created(write, request, "PositionIdentifier", lambda one: f"{document}/{one}")

    async def _sent(self, write: Write, request: Request) -> WriteResult:
        answer = await self.client.call(request)
        if answer.meaning == "ok":
            self.client.body_of(request, answer)  # raises: what can't be read proves nothing
        return result_of(write, answer)

    def _writing(self, doing: str, method: str, path: str, body: Any = msgspec.UNSET) -> Request:
        return Request(doing=doing, method=method, path=path, json=body, record=True, scope=Scope.RECORD)


def _time(raw: Any) -> datetime:
    try:
        found = datetime.fromisoformat(raw)
    except (TypeError, ValueError) as error:
        raise HttpError(Kind.TRANSIENT, "selectline did not say what time it is (Info)") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
