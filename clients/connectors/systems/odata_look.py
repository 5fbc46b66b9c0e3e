"""Looking at records of an entity set: by id, page by page in key order, by the value of a field.

A complete read goes by key: `$filter=key gt last` shifts for nobody, whatever others insert or delete meanwhile. Where keys
can't be compared (Guids, with some services) it follows the service's own next links, as `paging: link` says or the first
page finds out. `$count` is asked for nowhere: it counts what was there a moment ago.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import RECORD_ID
from actors.core.types import Record
from actors.core.values import BadValue, Line, Value, line_of
from actors.ports import Page
from clients.connectors.http.wire import Answer, HttpError, Unreadable
from clients.connectors.lines import asked_lines
from clients.connectors.systems.odata_batch import Part
from clients.connectors.systems.odata_metadata import EntitySet, Lines
from clients.connectors.systems.odata_service import Reply, Service
from clients.connectors.systems.odata_values import (
    decoded,
    delivered,
    escaped,
    key_predicate,
    key_values,
    literal,
    record_id,
)

# Smallest values of keys that some services can't compare: the first page asks for all above, to find that out.
_FLOORS: Final[Mapping[str, str]] = {"Edm.Guid": "00000000-0000-0000-0000-000000000000"}
LINKS_MAX: Final = 1000  # empty pages that are followed
REQUESTS_MAX: Final = 20  # of one call, to fill a page from the shorter ones of the service

Position = TypeVar("Position", bound=msgspec.Struct)


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """A position of a complete read: behind the record `after`, or at `link`, where `skip` records were handed out."""

    after: str = ""
    link: str = ""
    skip: int = 0

    def text(self) -> str:
        """As the port hands it around."""
        return msgspec.json.encode(self).decode()


def place(position: str) -> Place:
    """A position as it was given out; CONFIG for anything else."""
    try:
        return msgspec.json.decode(position, type=Place) if position else Place()
    except msgspec.MsgspecError as error:
        raise TandemError(
            Kind.CONFIG,
            "this is no position of an odata object",
            scope=Scope.STREAM,
            hint="start a complete read",
        ) from error


def record_of(
    entity_set: EntitySet, body: Any, fields: Sequence[str], modified: str = "", etag: str | None = None
) -> Record:
    """The record of one entity. What was not delivered, or can't be kept (a NUL in a text), is left out: unknown."""
    if not isinstance(body, Mapping):
        raise Unreadable("something else than a record")
    native: dict[str, Value] = {}
    plain, lines = asked_lines(fields)
    for name in plain:
        there, found = delivered(body, name)
        if there:
            try:
                native[name] = decoded(entity_set.properties[name], found)
            except BadValue:
                continue
    for path, cells in lines.items():
        if isinstance(items := body.get(path), list):
            native[path] = tuple(line_in(entity_set.lines[path], item, cells) for item in items)
    try:
        id_ = record_id(entity_set, body)
    except BadValue as error:
        raise Unreadable(str(error)) from error
    version = body.get("@odata.etag", body.get("@etag", etag))
    return Record(id_, native, version if isinstance(version, str) else None, _epoch(body, modified))


def line_in(lines: Lines, item: Any, cells: Sequence[str]) -> Line:
    """A line of a body, by the key of its own."""
    if not isinstance(item, Mapping):
        raise Unreadable("a line that is none")
    found: dict[str, object] = {}
    for cell in cells:
        there, value = delivered(item, cell)
        if there:
            found[cell] = decoded(lines.set.properties[cell], value)
    try:
        return line_of({**found, RECORD_ID: record_id(lines.set, item)})
    except BadValue as error:
        raise Unreadable(str(error)) from error


def _epoch(body: Mapping[str, Any], modified: str) -> float | None:
    there, found = delivered(body, modified) if modified else (False, None)
    if not there or not isinstance(found, str):
        return None
    try:
        at = datetime.fromisoformat(found)
    except ValueError:
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def rows_of(body: Any) -> list[Any]:
    """The records of a page."""
    rows = body.get("value") if isinstance(body, Mapping) else None
    if not isinstance(rows, list):
        raise Unreadable("something else than a list")
    return rows


def link_of(body: Any, name: str) -> str:
    """`@odata.nextLink` and its like, in both spellings; "" where there is none."""
    found = body.get(f"@odata.{name}", body.get(f"@{name}", "")) if isinstance(body, Mapping) else ""
    return found if isinstance(found, str) else ""


def selection(entity_set: EntitySet, *names: str) -> str:
    """`$select` of properties with the key, by their heads: not every service selects within a complex value. `$expand` of
    the lines that are asked for, each with its key and in its order."""
    plain, lines = asked_lines(name for name in names if name)
    wanted = _heads(*entity_set.key, *plain)
    expanded = []
    for path, cells in lines.items():
        order = entity_set.lines[path].order
        options = f"$select={_heads(*entity_set.lines[path].set.key, *cells, *filter(None, (order,)))}"
        ordered = f";$orderby={escaped(order)}" if order else ""
        expanded.append(f"{escaped(path)}({options}{ordered})")
    return f"$select={wanted}" + (f"&$expand={','.join(expanded)}" if expanded else "")


def _heads(*names: str) -> str:
    return ",".join(map(escaped, dict.fromkeys(name.partition("/")[0] for name in names)))


class Looker:
    """Looks of one connection. `modified`: per entity set, the property that says when it changed."""

    def __init__(self, service: Service, size_max: int, batch_max: int) -> None:
        self._service = service
        self._size_max = size_max
        self._batch_max = batch_max
        self._by_link: set[str] = set()  # entity sets whose keys can't be compared

    async def read(
        self, entity_set: EntitySet, ids: Sequence[str], fields: Sequence[str], modified: str = ""
    ) -> list[Record]:
        """Those of the ids that are there."""
        found = await self.looked(entity_set, ids, fields, modified)
        return [record for id_ in ids if (record := found.get(id_)) is not None]

    async def looked(
        self, entity_set: EntitySet, ids: Sequence[str], fields: Sequence[str], modified: str = ""
    ) -> dict[str, Record]:
        """Records by the id that was asked for; those that are gone are missing."""
        asked: dict[str, Part] = {}
        query = selection(entity_set, *fields, modified)
        for id_ in ids:
            try:
                asked[id_] = Part(path=f"{escaped(entity_set.name)}{key_predicate(entity_set, id_)}?{query}")
            except BadValue:
                continue  # no key of this set looks like that, so nothing is there
        doing = f"look at {entity_set.name}"
        found: dict[str, Record] = {}
        names = list(asked)
        for start in range(0, len(names), self._batch_max):
            some = names[start : start + self._batch_max]
            replies = await self._service.many(doing, [asked[id_] for id_ in some])
            for id_, reply in zip(some, replies, strict=True):
                record = self._looked_at(doing, entity_set, reply, fields, modified)
                if record is not None:
                    found[id_] = record
        return found

    def _looked_at(
        self, doing: str, entity_set: EntitySet, reply: Reply, fields: Sequence[str], modified: str
    ) -> Record | None:
        if reply.error is not None:
            raise reply.error
        if reply.meaning == "gone":
            return None
        if reply.meaning != "ok":
            raise HttpError(
                Kind.TRANSIENT,
                f"can't {doing}: {reply.words}",
                scope=Scope.STREAM,
                status=reply.answer.status,
            )
        try:
            body = reply.body()
            return record_of(entity_set, body, fields, modified, reply.answer.headers.get("etag"))
        except Unreadable as error:
            raise HttpError(
                Kind.TRANSIENT,
                f"can't {doing}: odata answered {reply.answer.status} with {error}",
                scope=Scope.STREAM,
                status=reply.answer.status,
            ) from error

    async def scan(
        self,
        entity_set: EntitySet,
        position: str,
        fields: Sequence[str],
        limit: int,
        paging: str,
        modified: str,
    ) -> Page:
        """One page of a complete read."""
        where = place(position)
        by_link = paging == "link" or entity_set.name in self._by_link
        if where.link or (by_link and not where.after):
            return await self._linked(entity_set, where, fields, limit, modified)
        try:
            return await self._keyed(entity_set, where, fields, limit, modified)
        except HttpError as error:
            if paging or where.after or not _floor(entity_set) or error.status not in (400, 501):
                raise
        self._by_link.add(entity_set.name)
        return await self._linked(entity_set, where, fields, limit, modified)

    async def _keyed(
        self, entity_set: EntitySet, where: Place, fields: Sequence[str], limit: int, modified: str
    ) -> Page:
        records: list[Record] = []
        more = True
        for _ in range(REQUESTS_MAX):
            some, more = await self._behind(entity_set, where, fields, limit - len(records), modified)
            records += some
            where = Place(after=records[-1].id) if records else where
            if not more or len(records) >= limit:
                break
        return Page(tuple(records), where.text(), more)

    async def _behind(
        self, entity_set: EntitySet, where: Place, fields: Sequence[str], limit: int, modified: str
    ) -> tuple[list[Record], bool]:
        """The next records in key order, and whether there are more."""
        condition = behind(entity_set, where.after) if where.after else _floor(entity_set)
        top = min(limit, self._size_max)
        path = "&".join(
            filter(
                None,
                (
                    f"{escaped(entity_set.name)}?{selection(entity_set, *fields, modified)}",
                    f"$filter={escaped(condition)}" if condition else "",
                    f"$orderby={escaped(','.join(entity_set.key))}",
                    f"$top={top}",
                ),
            )
        )
        rows, onward = await self._some(f"read {entity_set.name}", path)
        records = _records(entity_set, rows[:top], fields, modified)
        return records, bool(records) and (bool(onward) or len(rows) >= top)

    async def _some(self, doing: str, path: str) -> tuple[list[Any], str]:
        """A page with something on it, or the end: a service may send an empty page with a next link."""
        for _ in range(LINKS_MAX):
            body, answer = await self._service.get(doing, path)
            rows, link = _page(doing, body, answer)
            onward = self._service.resolved(path, link) if link else ""
            if rows or not onward:
                return rows, onward
            path = onward
        raise TandemError(Kind.TRANSIENT, f"can't {doing}: the pages come to no end", scope=Scope.STREAM)

    async def _linked(
        self, entity_set: EntitySet, where: Place, fields: Sequence[str], limit: int, modified: str
    ) -> Page:
        path = where.link or f"{escaped(entity_set.name)}?{selection(entity_set, *fields, modified)}"
        doing, skip, more = f"read {entity_set.name}", where.skip, True
        records: list[Record] = []
        for _ in range(REQUESTS_MAX):
            body, answer = await self._service.get(doing, path, prefer=f"odata.maxpagesize={limit}")
            rows, link = _page(doing, body, answer)
            some = rows[skip : skip + limit - len(records)]
            records += _records(entity_set, some, fields, modified)
            skip += len(some)
            if skip >= len(rows):
                more = bool(link)
                path, skip = (self._service.resolved(path, link), 0) if link else (path, skip)
            if not more or len(records) >= limit:
                break
        return Page(tuple(records), Place(link=path, skip=skip).text(), more)

    async def find_by(
        self, entity_set: EntitySet, field: str, value: Value, fields: Sequence[str], modified: str
    ) -> list[Record]:
        """Records whose field equals the value, at most `batch_max` of the declaration."""
        try:
            condition = f"{field} eq {literal(entity_set.properties[field], value)}"
        except BadValue:
            return []  # no such value can be there
        doing = f"find {entity_set.name} by {field}"
        path = f"{escaped(entity_set.name)}?{selection(entity_set, *fields, modified)}&$filter={escaped(condition)}"
        records: list[Record] = []
        while path and len(records) < self._size_max:
            rows, path = await self._some(doing, path)
            records += _records(entity_set, rows, fields, modified)
        return records[: self._size_max]


def _page(doing: str, body: Any, answer: Answer) -> tuple[list[Any], str]:
    try:
        return rows_of(body), link_of(body, "nextLink")
    except Unreadable as error:
        raise HttpError(
            Kind.TRANSIENT, f"can't {doing}: the answer is {error}", scope=Scope.STREAM, status=answer.status
        ) from error


def _records(
    entity_set: EntitySet, rows: Sequence[Any], fields: Sequence[str], modified: str
) -> list[Record]:
    try:
        return [record_of(entity_set, row, fields, modified) for row in rows]
    except Unreadable as error:
        raise TandemError(
            Kind.TRANSIENT, f"can't read {entity_set.name}: {error}", scope=Scope.STREAM
        ) from error


def _floor(entity_set: EntitySet) -> str:
    """A condition that holds for every record and says whether keys can be compared; "" where nobody doubts it."""
    (first, *_) = entity_set.key
    floor = _FLOORS.get(entity_set.properties[first].type, "")
    return f"{first} ge {floor}" if floor else ""


def behind(entity_set: EntitySet, id_: str) -> str:
    """All records behind one, in key order."""
    literals = [
        literal(entity_set.properties[name], value)
        for name, value in zip(entity_set.key, key_values(entity_set, id_), strict=True)
    ]
    ways = []
    for place_, name in enumerate(entity_set.key):
        equal = [f"{entity_set.key[before]} eq {literals[before]}" for before in range(place_)]
        ways.append(" and ".join([*equal, f"{name} gt {literals[place_]}"]))
    return ways[0] if len(ways) == 1 else " or ".join(f"({way})" for way in ways)


def position_of(cursor: str, kind: type[Position]) -> Position:
    """A cursor as it was given out; CONFIG for anything else."""
    try:
        return msgspec.json.decode(cursor, type=kind)
    except msgspec.MsgspecError as error:
        raise TandemError(
            Kind.CONFIG,
            "this is no cursor of an odata object",
            scope=Scope.STREAM,
            hint="start a complete read",
        ) from error
