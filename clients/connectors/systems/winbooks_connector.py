"""What WinBooks' functions do: criteria read in id order, single objects looked at, changed fields written after that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope
from actors.core.types import Op, Record
from actors.core.unit_lines import IN_LINES
from actors.core.values import BadValue, Value
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.field import nothing_at
from clients.connectors.http.nested import cells_of
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.together import together
from clients.connectors.http.values import write_value
from clients.connectors.http.wire import Answer, HttpError, Request
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.winbooks_address import (
    LINK,
    LIST,
    addresses,
    chosen,
    saved_with,
    with_address,
)
from clients.connectors.systems.winbooks_booking import Booker, Lists, made, nobody, writing
from clients.connectors.systems.winbooks_criteria import (
    EQ,
    GE,
    IN,
    ISNULL,
    above,
    criteria,
    day,
    joined,
    literal,
    merged,
    of_third,
    where,
)
from clients.connectors.systems.winbooks_invoices import as_invoice
from clients.connectors.systems.winbooks_objects import (
    ADDRESS,
    CODE,
    INVOICE,
    KEY,
    NOBODY,
    THIRD,
    Thing,
    shape,
    stored,
    type_of,
)

ROWS_MAX: Final = 500
READ_MAX: Final = 100  # by id, in one request
WRITE_S: Final = 40.0  # of one batch; below the declared deadline
GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


class WinbooksConnector(HttpConnector):
    """One folder."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        things: Mapping[str, Thing],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(declaration, client)
        self._things = things
        self._shapes = {name: shape(name, thing) for name, thing in things.items()}
        self._email, self._folder = settings["email"], settings["folder"]
        self._modified = "" if settings["modified"] == "none" else str(settings["modified"])
        self._overlap_s = float(settings["overlap_s"])
        self._times = settings["times"]
        self._linked = settings["addresses"] == "linked"
        self._lists = Lists(self._rows)
        self._booker = Booker(client, self._lists, self._rows, self._look, settings)

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """Licence and folder: a copy of a folder has a code of its own."""
        await self.check()
        return f"winbooks:{self._email}/{self._folder}".casefold()

    async def check(self) -> None:
        """One journal: every folder has some, and it needs token, folder and criteria."""
        await self._rows("Journal", [], 1)

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects and their fields."""
        return [one.described() for one in self._shapes.values()]

    def find(self, object_name: str) -> Find:
        """By complete reads, unless the settings name the field with the time."""
        return Find.MODIFIED if self._modified else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Many at once by criteria; a single one, and who is not among those, by id."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        wanted = [id_ for id_ in dict.fromkeys(ids) if GUID.fullmatch(id_)]
        found: dict[str, Any] = {}
        for start in range(0, len(wanted) if len(wanted) > 1 else 0, READ_MAX):
            some = wanted[start : start + READ_MAX]
            rows, _ = await self._rows(object_name, _ids(some), len(some), names=names)
            found |= {shape.id_of(row): row for row in rows}

        async def one(id_: str) -> Any:
            return await self._look(object_name, id_, names)

        left = [id_ for id_ in wanted if id_ not in found]
        for id_, row in zip(left, await together(left, one, self.declaration.concurrency), strict=True):
            found[id_] = row
        return await self._records(shape, [found[id_] for id_ in wanted if found[id_] is not None], names)

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id in the system's order, from the last one met, until nothing comes."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        rows, _ = await self._rows(object_name, above(position), min(limit, ROWS_MAX), position, names)
        records = tuple(await self._records(shape, rows, names))
        return Page(records, records[-1].id if records else position, bool(records))

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by id over what was modified since."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        if not self._modified:
            return await super().changes(object_name, cursor, fields, limit)
        shape.checked([self._modified])

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            at = where(GE, self._modified, literal(since, self._times), kind="System.DateTime")
            rows, answer = await self._rows(object_name, [at, *above(after)], size, after, names)
            return await self._records(shape, rows, names), time_of(answer)

        async def now() -> datetime:
            return time_of((await self._rows(object_name, [], 1))[1])

        return await swept(cursor, min(limit, ROWS_MAX), self._overlap_s, page, now, short_is_end=False)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value; a third party's over a join."""
        shape = self._shape(object_name)
        names, kept = shape.checked([*fields, field]), [name.partition(IN_LINES)[0] for name in fields]
        try:
            raw = write_value(value, shape.fields[field].form)
        except BadValue:
            return []
        if isinstance(value, date):
            raw = literal(value, self._times) if isinstance(value, datetime) else day(value, self._times)
        conditions = await self._conditions(object_name, field, None if value is None else raw)
        rows, _ = (
            await self._rows(object_name, conditions, ROWS_MAX, names=names) if conditions else ([], None)
        )
        return having(await self._records(shape, rows, names), field, value, kept)

    # --------------------------------------------------------------------------------------------- one request

    async def _conditions(self, name: str, field: str, raw: Any) -> list[dict[str, Any]]:
        """What finds the records with a field's value; none: it is nowhere. What stands in other objects is looked for
        there first, among their first rows."""
        head, _, tail = field.partition(".")
        if name == INVOICE and field in ("Customer_Id", "CurrencyCode"):
            id_ = raw if field == "Customer_Id" else await self._lists.id_of("Currency", raw)
            lines = await self._holding(
                "GLTrans", f"{field.removesuffix('Code').removesuffix('_Id')}_Id", [id_]
            )
            return _ids(line.get("GLTransHeader_Id") for line in lines)
        if name == INVOICE and field == "JournalCode":
            return [where(EQ, "Journal_Id", await self._lists.id_of("Journal", raw), kind="System.Guid")]
        if head == ADDRESS and self._things[name].address:
            if tail == "CountryCode":
                tail, raw = "Country_Id", await self._lists.id_of("Country", raw)
            found = await self._holding(ADDRESS, tail, [raw])
            if self._linked:
                found = await self._holding(LINK, "Address_Id", [row[KEY] for row in found])
            thirds = [row.get(f"{THIRD}_Id") for row in found]
            return _ids(row[KEY] for row in await self._holding(name, f"{THIRD}_Id", thirds))
        path = of_third(field)
        return [where(ISNULL, path) if raw is None else where(EQ, path, raw)]

    async def _holding(self, name: str, field: str, values: Sequence[Any]) -> list[Any]:
        """The first rows of an object that hold one of these values."""
        if not values:
            return []
        conditions = [where(ISNULL, field)] if values == [None] else [where(IN, field, *values[:ROWS_MAX])]
        return (await self._rows(name, conditions, ROWS_MAX))[0]

    async def _records(self, shape: Shape, rows: Sequence[Any], names: Sequence[str]) -> list[Record]:
        """Records of rows: with the address of their third party, or as the invoice that a document is."""
        thing = self._things[shape.name]
        if thing.booked:
            codes = await self._lists.codes()
            return [shape.record(as_invoice(row, codes), names) for row in rows]
        if not _wants_address(names):
            return [shape.record(row, names) for row in rows]
        countries = await self._lists.countries()
        found: list[Record] = []
        for row in rows:
            whole = with_address(row, countries)
            record = shape.record(whole, names)
            none = {name: None for name in names if name not in record.native and nothing_at(whole, name)}
            found.append(msgspec.structs.replace(record, native={**record.native, **none}))
        return found

    async def _rows(
        self,
        name: str,
        conditions: Sequence[dict[str, Any]],
        most: int,
        after: str = "",
        names: Sequence[str] = (),
    ) -> tuple[list[Any], Answer]:
        """The rows that criteria find, at most `most`, whole, and the first answer. `after`: ids are behind this one."""
        request = Request(
            doing=f"read {name}",
            method="POST",
            path=f"app/{segment(stored(name))}s/Folder/{segment(self._folder)}/ExecuteCriteria",
            query=self._level(name, names),
            json=criteria(type_of(name, self._things[name]), conditions, most),
            writes=False,
        )
        answer = await self.client.ask(request)
        first, rows = answer, self._list(request, answer)
        while answer.headers.get("continuepath"):
            answer = await self._more(request, answer)
            rows = joined(rows, self._list(request, answer))
        if len(rows) > most or any(isinstance(row, dict) and row.get(KEY) == after != "" for row in rows):
            # It would never come to an end.
            raise HttpError(
                Kind.CONFIG,
                f"can't {request.doing}: winbooks does not keep to the criteria (FirstResult, MaxResult, Id)",
                scope=Scope.STREAM,
            )
        return rows, first

    async def _more(self, request: Request, answer: Answer) -> Answer:
        """The same request again, with the word that says where it goes on."""
        path = answer.headers["continuepath"]
        again = msgspec.structs.replace(request, headers={**request.headers, "ContinuePath": path})
        more = await self.client.ask(again)
        if more.headers.get("continuepath") == path:
            raise HttpError(Kind.TRANSIENT, f"can't {request.doing}: winbooks sends the same chunk again")
        return more

    def _list(self, request: Request, answer: Answer) -> list[Any]:
        rows = self.client.body_of(request, answer)
        if not isinstance(rows, list):
            # Neither rows nor a word that there are none: it proves nothing.
            raise HttpError(Kind.TRANSIENT, f"can't {request.doing}: winbooks' answer holds no rows")
        return rows

    async def _look(self, name: str, id_: str, names: Sequence[str] = ()) -> Any:
        """The object with that id, None where there is none. Nothing is known of how WinBooks says that, and a lost folder
        may be answered alike: so the list of the folder has to say it, too."""
        if not GUID.fullmatch(id_):
            return None  # it would be taken for a code
        row = await self._get(name, id_, names)
        if row is not None:
            return row
        rows, _ = await self._rows(name, [where(EQ, KEY, id_, kind="System.Guid")], 2, names=names)
        return next((one for one in rows if self._shapes[name].id_of(one) == id_), None)

    async def _get(self, name: str, place: str, names: Sequence[str] = ()) -> Any:
        """The object with that code or id; None where the answer shows none."""
        request = Request(
            doing=f"read {name}", path=self._path(name, place), query=self._level(name, names), record=True
        )
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return None
        row = self.client.body_of(request, answer)
        while answer.headers.get("continuepath"):
            answer = await self._more(request, answer)
            row = merged(row, self.client.body_of(request, answer))
        return row if isinstance(row, dict) and row.get(KEY) else None

    def _path(self, name: str, place: str = "") -> str:
        middle = f"{segment(place)}/" if place else ""
        return f"app/{segment(stored(name))}/{middle}Folder/{segment(self._folder)}"

    def _level(self, name: str, names: Sequence[str]) -> dict[str, str]:
        """Customer, third party, what leads to its addresses, address; a document and its lines."""
        thing = self._things[name]
        if _wants_address(names):
            return {"maxLevel": str(2 + bool(thing.third) + self._linked)}
        return {"maxLevel": "2" if thing.third or thing.booked else "1"}

    def _shape(self, name: str) -> Shape:
        return self.known(self._shapes, name)

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """One by one: the list that is made or updated would bring back what somebody deleted meanwhile."""
        shape = self._shape(object_name)
        shape.checked(fields)

        async def one(write: Write) -> WriteResult:
            try:
                if write.op is Op.CREATE:
                    return await self._create(object_name, shape, write)
                return await self._change(object_name, shape, write)
            except BadValue as error:
                return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

        return await each(writes, one, within_s=WRITE_S, session_check=self.check)

    async def _create(self, name: str, shape: Shape, write: Write) -> WriteResult:
        values, code = shape.body(write.native), ""
        if self._things[name].booked:
            return await self._booker.book(shape, write, values, self._path(INVOICE))
        if self._things[name].coded:
            code = str(values.get(CODE) or "")
            if not code:
                raise BadValue(f"{CODE} is needed")
            if await self._get(name, code) is not None:
                # What WinBooks does with a code that is there already is not known: it may change that record.
                return WriteResult(WriteStatus.REFUSED, error=f"exists already: {name} {code}")
        if self._things[name].third:
            address = await self._address_body(values.pop(ADDRESS, None))
            values |= await self._third_of(code, values.pop(THIRD, {}), address)
        request = writing(f"create {name}", "POST", self._path(name, code), self._typed(name, values))
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = self.client.body_of(request, answer)
        if not (isinstance(row, dict) and row.get(KEY)):
            row = await made(name, lambda: self._get(name, code) if code else nobody())
        return WriteResult(WriteStatus.DONE, shape.id_of(row))

    async def _third_of(
        self, code: str, wanted: Mapping[str, Any], address: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The third party of a new customer: one of the same code that is there is his, and is not changed by that."""
        there = await self._get(THIRD, code, (f"{ADDRESS}.",) if address else ())
        if there is None:
            new = {**wanted, CODE: code}
            return {THIRD: {**new, LIST: saved_with({}, address, linked=self._linked)} if address else new}
        listed = addresses({THIRD: there}) or []
        own = chosen(listed) or {}
        other = [one for one, raw in wanted.items() if raw is not None and there.get(one) != raw]
        other += [one for one, raw in address.items() if raw is not None and listed and own.get(one) != raw]
        if other:
            words = f"there is a third party {code} already, with another {', '.join(sorted(other))}"
            raise BadValue(words)
        if address and not listed:
            return {THIRD: {KEY: there[KEY], LIST: saved_with({}, address, linked=self._linked)}}
        return {f"{THIRD}_Id": there[KEY]}

    async def _address_body(self, values: Any) -> dict[str, Any]:
        """The fields of an address, its country by its id."""
        found = dict(values or {})
        if "CountryCode" in found:
            code = found.pop("CountryCode")
            found["Country_Id"] = NOBODY if code is None else await self._lists.called("Country", str(code))
        return found

    async def _change(self, name: str, shape: Shape, write: Write) -> WriteResult:
        shape.checked(write.native)
        told = [*write.native, *write.seen]
        row = await self._look(name, write.id, told)
        if row is None:
            return WriteResult(WriteStatus.GONE, write.id)
        plain = [one for one in shape.fields if _wants_address(told) or not _wants_address([one])]
        (record,) = await self._records(shape, [row], [*plain, *_cells(shape, write)])
        now = record.native
        if moved := moved_on(write, now):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            if not self._things[name].writable or self._things[name].booked:
                raise BadValue(f"{name} can't be deleted here")
            return await self._sent(write, writing(f"delete {name}", "DELETE", self._path(name, write.id)))
        if self._things[name].booked:
            raise BadValue("what was booked stays as it is")
        values = shape.body(write.native)
        address = await self._address_body(values.pop(ADDRESS, None))
        if address:
            values.setdefault(THIRD, {})[LIST] = saved_with(row, address, linked=self._linked)
        if CODE in values and values[CODE] != now.get(CODE):
            raise BadValue(f"{CODE} of a record that is there stays")
        if THIRD in values:
            third = row.get(THIRD)
            if not isinstance(third, dict) or not third.get(KEY):
                raise BadValue("its third party was not delivered")
            values[THIRD] = {**values[THIRD], KEY: third[KEY]}
        # By its code, as documented; only what has none by its id.
        place = str(now.get(CODE) or write.id)
        body = self._typed(name, {KEY: write.id, **values})
        return await self._sent(write, writing(f"update {name}", "PUT", self._path(name, place), body))

    async def _sent(self, write: Write, request: Request) -> WriteResult:
        answer = await self.client.call(request)
        if answer.meaning == "ok":
            self.client.body_of(request, answer)  # raises: what can't be read proves nothing
        return result_of(write, answer)

    def _typed(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A body with its type, and how deep it is to be saved: without the right depth what is below is passed over."""
        body: dict[str, Any] = {"$type": type_of(name, self._things[name]), "TotalLevel": 1, **values}
        if THIRD in body:
            body[THIRD] = self._typed(THIRD, body[THIRD])
        below = [*([body[THIRD]] if THIRD in body else []), *(body.get(LIST) or [])]
        body["TotalLevel"] = 1 + max((one["TotalLevel"] for one in below), default=0)
        return body


def _wants_address(names: Iterable[str]) -> bool:
    return any(name.startswith(f"{ADDRESS}.") for name in names)


def _cells(shape: Shape, write: Write) -> list[str]:
    """The cells of lines that a write has seen, or is about."""
    told = {name: cells_of((write.seen.get(name), write.native.get(name))) for name in shape.lines}
    return [f"{name}{IN_LINES}{cell}" for name, cells in told.items() for cell in cells]


def _ids(found: Iterable[Any]) -> list[dict[str, Any]]:
    """The condition that an id is one of these; none where there are none."""
    wanted = list(dict.fromkeys(str(one) for one in found if one))
    return [where(IN, KEY, *wanted[:ROWS_MAX], kind="System.Guid")] if wanted else []
