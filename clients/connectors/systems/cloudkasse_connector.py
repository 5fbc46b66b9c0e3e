"""What CloudKasse's functions do: lists in id order, and changed fields written after a fresh look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from actors.core.backlog import Report
from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult, WriteStatus
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.shape import Shape, having
from clients.connectors.http.sweep import swept, time_of
from clients.connectors.http.values import as_text, write_value
from clients.connectors.http.wire import Answer, HttpError, Request, at
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.cloudkasse_objects import ACTIVE, NUMBER, PENDING, REPORTED, Thing, shape

ROWS_MAX: Final = 500
READ_MAX: Final = 100  # by id, in one request
WRITE_S: Final = 40.0  # of one batch; below the declared deadline


class CloudkasseConnector(HttpConnector):
    """One account. `parameters`: how those of a list are called."""

    def __init__(
        self,
        declaration: Declaration,
        client: HttpClient,
        things: Mapping[str, Thing],
        settings: Mapping[str, Any],
        parameters: Mapping[str, str],
    ) -> None:
        super().__init__(declaration, client)
        self._things = things
        zone = _zone(settings["zone"])
        self._shapes = {name: shape(name, thing, zone) for name, thing in things.items()}
        self._account = settings["account"]
        self._by_time = bool(settings["modified"])
        self._overlap_s = float(settings["overlap_s"])
        self._list_at = settings["list_at"]
        self._called = parameters

    # ------------------------------------------------------------------------------------------------- looking

    async def identity(self) -> str:
        """The account's id, as the cloud says it."""
        body = await self.client.json(self._of_account())
        found = at(body, "id")
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise TandemError(
                Kind.CONFIG,
                "cloudkasse does not say which account this is",
                hint="check the address, and the setting 'account'",
            )
        return f"cloudkasse:{as_text(found)}"

    async def check(self) -> None:
        """The account, with the token."""
        await self.client.json(self._of_account())

    def _of_account(self) -> Request:
        return Request(doing="ask for the account", path=self._account)

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects and their fields."""
        return [one.described() for one in self._shapes.values()]

    def find(self, object_name: str) -> Find:
        """By the time at which the cloud got it, where the object has one."""
        thing = self._things.get(object_name)
        return Find.MODIFIED if self._by_time and thing is not None and thing.modified else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """By id, many at once."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        found: list[Record] = []
        # A comma parts ids; none has one in it.
        wanted = [id_ for id_ in ids if id_ and "," not in id_]
        for start in range(0, len(wanted), READ_MAX):
            some = wanted[start : start + READ_MAX]
            rows, _ = await self._rows(object_name, len(some), ids=",".join(some))
            found += [shape.record(row, names) for row in rows]
        return [one for one in found if one.id in wanted]

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """By id, from the last one met."""
        shape = self._shape(object_name)
        names, most = shape.checked(fields), min(limit, ROWS_MAX)
        rows, _ = await self._rows(object_name, most, after=position)
        records = tuple(shape.record(row, names) for row in rows)
        return Page(records, records[-1].id if records else position, bool(records))

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """A sweep by id over what the cloud got since: a receipt that is handed over late comes by that time, whatever
        the till wrote on it."""
        shape = self._shape(object_name)
        names = shape.checked(fields)
        if self.find(object_name) is not Find.MODIFIED:
            return await super().changes(object_name, cursor, fields, limit)

        async def page(since: datetime, after: str, size: int) -> tuple[Sequence[Record], datetime]:
            text = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
            rows, answer = await self._rows(object_name, size, since=text, after=after)
            return [shape.record(row, names) for row in rows], time_of(answer)

        async def now() -> datetime:
            return time_of(await self.client.ask(self._of_account()))

        return await swept(cursor, min(limit, ROWS_MAX), self._overlap_s, page, now, short_is_end=False)

    async def backlog(self, object_name: str) -> Sequence[Report] | None:
        """Of receipts: what each till reported last. One that is out of use counts while it holds any."""
        tills = self.known(self._things, object_name).handed_over_by
        if not tills:
            return None
        found, position, more = list[Report](), "", True
        while more:
            page = await self.scan(tills, position, (NUMBER, ACTIVE, REPORTED, PENDING), ROWS_MAX)
            position, more = page.cursor, page.more
            found += [
                _report(one) for one in page.records if one.native.get(ACTIVE) or one.native.get(PENDING)
            ]
        return found

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By a field's value."""
        shape = self._shape(object_name)
        names = shape.checked([*fields, field])
        try:
            raw = write_value(value, shape.fields[field].form)
        except BadValue:
            return []
        at_ = shape.fields[field].read or field
        rows, _ = await self._rows(object_name, ROWS_MAX, where={at_: "" if raw is None else as_text(raw)})
        return having([shape.record(row, names) for row in rows], field, value, fields)

    # --------------------------------------------------------------------------------------------- one request

    async def _rows(
        self, name: str, most: int, *, where: Mapping[str, str] | None = None, **asked: str
    ) -> tuple[list[Any], Answer]:
        """At most `most` rows of a list, in id order, and the answer. `asked`: parameters by our names."""
        given = {"limit": str(most), **{one: text for one, text in asked.items() if text}}
        query = {self._called[one]: text for one, text in given.items()} | dict(where or {})
        request = Request(doing=f"read {name}", path=self._things[name].path, query=query)
        answer = await self.client.ask(request)
        rows = at(self.client.body_of(request, answer), self._list_at)
        if not isinstance(rows, list):
            # Neither rows nor a word that there are none: it proves nothing.
            raise HttpError(Kind.TRANSIENT, f"can't {request.doing}: cloudkasse's answer holds no rows")
        shape = self._shapes[name]
        if len(rows) > most or any(shape.id_of(row) == asked.get("after") for row in rows):
            # It would never come to an end.
            raise HttpError(
                Kind.CONFIG,
                f"can't {request.doing}: cloudkasse does not keep to {', '.join(query)}",
                scope=Scope.STREAM,
                hint="check the setting 'parameters'",
            )
        return rows, answer

    def _shape(self, name: str) -> Shape:
        return self.known(self._shapes, name)

    # ------------------------------------------------------------------------------------------------- writing

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Record by record."""
        shape = self._shape(object_name)
        names = shape.checked(fields)

        async def one(write: Write) -> WriteResult:
            try:
                if not self._things[object_name].writable:
                    shape.checked(write.native)
                    raise BadValue(f"{object_name} can only be read")
                if write.op is Op.CREATE:
                    return await self._sent(object_name, shape, names, write)
                return await self._change(object_name, shape, names, write)
            except BadValue as error:
                return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

        return await each(
            writes, one, within_s=WRITE_S, session_check=self.check, concurrency=self.declaration.concurrency
        )

    async def _change(self, name: str, shape: Shape, names: Sequence[str], write: Write) -> WriteResult:
        shape.checked(write.native)
        rows, _ = await self._rows(name, 1, ids=write.id) if "," not in write.id else ([], None)
        row = next((one for one in rows if shape.id_of(one) == write.id), None)
        if row is None:
            return WriteResult(WriteStatus.GONE, write.id)
        if moved := moved_on(write, shape.seen(row, write).native):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            return result_of(write, await self.client.call(self._writing("delete", "DELETE", name, write)))
        return await self._sent(name, shape, names, write)

    async def _sent(self, name: str, shape: Shape, names: Sequence[str], write: Write) -> WriteResult:
        body = shape.body(write.native)
        verb, method = ("create", "POST") if write.op is Op.CREATE else ("update", "PATCH")
        request = self._writing(verb, method, name, write, json=body)
        answer = await self.client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        row = self.client.body_of(request, answer)
        if not isinstance(row, dict) or row.get(shape.key) in (None, ""):
            words = f"cloudkasse did not say what became of {name}"
            raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
        return result_of(write, answer, shape.record(row, names))

    def _writing(self, verb: str, method: str, name: str, write: Write, **more: Any) -> Request:
        path = self._things[name].path
        if write.op is not Op.CREATE:
            path = f"{path}/{segment(write.id)}"
        return Request(
            doing=f"{verb} {name}", method=method, path=path, record=True, scope=Scope.RECORD, **more
        )


def _report(till: Record) -> Report:
    at, count = till.native.get(REPORTED), till.native.get(PENDING)
    return Report(
        of=str(till.native.get(NUMBER) or till.id),
        until=at.timestamp() if isinstance(at, datetime) else None,
        outstanding=count if isinstance(count, int) and not isinstance(count, bool) else None,
    )


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise TandemError(
            Kind.CONFIG, f"there is no time zone {name}", hint="such as Europe/Berlin, in the setting 'zone'"
        ) from error
    return name
