"""What WinBooks' functions do: criteria read in id order, single objects looked at, changed fields written after that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
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
from clients.connectors.http.values import write_value
from clients.connectors.http.wire import Answer, HttpError, Request
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.winbooks_criteria import (
    EQ,
    GE,
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
from clients.connectors.systems.winbooks_objects import CODE, KEY, THIRD, Thing, shape, type_of

ROWS_MAX: Final = 500
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
        """One by one, by id."""
        shape = self._shape(object_name)
        names = shape.checked(fields)

        async def one(id_: str) -> Any:
            return await self._look(object_name, id_)

        rows = await together(list(ids), one, self.declaration.concurrency)
        return [shape.record(row, names) for row in rows if row is not None]

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id in the system's order, from the last one met, until nothing comes."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        rows, _ = await self._rows(object_name, above(position), min(limit, ROWS_MAX), position)
        records = tuple(shape.record(row, names) for row in rows)
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
            rows, answer = await self._rows(object_name, [at, *above(after)], size, after)
            return [shape.record(row, names) for row in rows], time_of(answer)

        async def now() -> datetime:
            return time_of((await self._rows(object_name, [], 1))[1])

        return await swept(cursor, min(limit, ROWS_MAX), self._overlap_s, page, now, short_is_end=False)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value; a third party's over a join."""
        shape = self._shape(object_name)
        names = shape.checked([*fields, field])
        try:
            raw = write_value(value, shape.fields[field].form)
        except BadValue:
            return []
        if isinstance(value, date):
            raw = literal(value, self._times) if isinstance(value, datetime) else day(value, self._times)
        name = of_third(field)
        condition = where(ISNULL, name) if value is None else where(EQ, name, raw)
        rows, _ = await self._rows(object_name, [condition], ROWS_MAX)
        return having([shape.record(row, names) for row in rows], field, value, fields)

    # --------------------------------------------------------------------------------------------- one request

    async def _rows(
        self, name: str, conditions: Sequence[dict[str, Any]], most: int, after: str = ""
    ) -> tuple[list[Any], Answer]:
        """The rows that criteria find, at most `most`, whole, and the first answer. `after`: ids are behind this one."""
        request = Request(
            doing=f"read {name}",
            method="POST",
            path=f"app/{segment(name)}s/Folder/{segment(self._folder)}/ExecuteCriteria",
            query=self._level(name),
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

    async def _look(self, name: str, id_: str) -> Any:
        """The object with that id, None where there is none. Nothing is known of how WinBooks says that, and a lost folder
        may be answered alike: so the list of the folder has to say it, too."""
        if not GUID.fullmatch(id_):
            return None  # it would be taken for a code
        row = await self._get(name, id_)
        if row is not None:
            return row
        rows, _ = await self._rows(name, [where(EQ, KEY, id_, kind="System.Guid")], 2)
        return next((one for one in rows if self._shapes[name].id_of(one) == id_), None)

    async def _get(self, name: str, place: str) -> Any:
        """The object with that code or id; None where the answer shows none."""
        request = Request(
            doing=f"read {name}", path=self._path(name, place), query=self._level(name), record=True
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
        return f"app/{segment(name)}/{middle}Folder/{segment(self._folder)}"

    def _level(self, name: str) -> dict[str, str]:
        return {"maxLevel": "2" if self._things[name].third else "1"}

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
        if self._things[name].coded:
            code = str(values.get(CODE) or "")
            if not code:
                raise BadValue(f"{CODE} is needed")
            if await self._get(name, code) is not None:
                # What WinBooks does with a code that is there already is not known: it may change that record.
                return WriteResult(WriteStatus.REFUSED, error=f"exists already: {name} {code}")
        if self._things[name].third:
            values |= await self._third_of(code, values.pop(THIRD, {}))
        request = self._writing(f"create {name}", "POST", self._path(name, code), self._typed(name, values))
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = self.client.body_of(request, answer)
        if not (isinstance(row, dict) and row.get(KEY)):
            row = await self._made(name, code)
        return WriteResult(WriteStatus.DONE, shape.id_of(row))

    async def _made(self, name: str, code: str) -> Any:
        """What was just made, found by its code."""
        try:
            row = await self._get(name, code) if code else None
        except TandemError as error:
            raise HttpError(Kind.UNKNOWN, error.message, scope=error.scope) from error
        if row is None:
            words = f"winbooks did not say under which id it made {name}"
            raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
        return row

    async def _third_of(self, code: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The third party of a new customer: one of the same code that is there is his, and is not changed by that."""
        there = await self._get(THIRD, code)
        if there is None:
            return {THIRD: {**wanted, CODE: code}}
        if other := sorted(
            name for name, raw in wanted.items() if raw is not None and there.get(name) != raw
        ):
            raise BadValue(f"there is a third party {code} already, with another {', '.join(other)}")
        return {f"{THIRD}_Id": there[KEY]}

    async def _change(self, name: str, shape: Shape, write: Write) -> WriteResult:
        shape.checked(write.native)
        row = await self._look(name, write.id)
        if row is None:
            return WriteResult(WriteStatus.GONE, write.id)
        now = shape.record(row, list(shape.fields)).native
        if moved := moved_on(write, now):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            if not self._things[name].writable:
                raise BadValue(f"{name} can't be deleted here")
            return await self._sent(
                write, self._writing(f"delete {name}", "DELETE", self._path(name, write.id))
            )
        values = shape.body(write.native)
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
        return await self._sent(write, self._writing(f"update {name}", "PUT", self._path(name, place), body))

    async def _sent(self, write: Write, request: Request) -> WriteResult:
        answer = await self.client.call(request)
        if answer.meaning == "ok":
            self.client.body_of(request, answer)  # raises: what can't be read proves nothing
        return result_of(write, answer)

    def _typed(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A body with its type, and how deep it is to be saved: without the right depth the third party is passed over."""
        body: dict[str, Any] = {"$type": type_of(name, self._things[name]), "TotalLevel": 1, **values}
        if THIRD in body:
            body["TotalLevel"] = 2
            body[THIRD] = self._typed(THIRD, body[THIRD])
        return body

    def _writing(self, doing: str, method: str, path: str, body: Any = msgspec.UNSET) -> Request:
        return Request(doing=doing, method=method, path=path, json=body, record=True, scope=Scope.RECORD)
