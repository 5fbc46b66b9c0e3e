"""Writes to Sage Sales Management: each against the row as it is now, many at once where there are many.

A look at all rows of a batch comes directly before its writes (the API has no precondition). Raising is allowed only while
surely nothing was done. Must not: write a row that reads otherwise than it was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import UNKNOWN, BadValue
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.values import as_text
from clients.connectors.http.wire import Answer, HttpError
from clients.connectors.http.writing import moved_on, result_of
from clients.connectors.systems.sage_sales_management_api import BAD_REQUEST, Api, bulk_max
from clients.connectors.systems.sage_sales_management_pictures import PICTURE, Pictures
from clients.connectors.systems.sage_sales_management_schema import Resource, Values, body, record

WITHIN_S: Final = 60.0  # after so long nothing new is begun
_METHODS: Final = {Op.CREATE: "POST", Op.DELETE: "DELETE"}
_DONE: Final = 1  # the code of an item of a bulk call that went through


class Ready(NamedTuple):
    """A write that may go: its place in the batch, its body, and whether the row is read-only."""

    place: int
    write: Write
    values: dict[str, Any]
    closed: bool

    @property
    def pictured(self) -> bool:
        """Whether it brings a picture, or takes one away."""
        return PICTURE in self.write.native


class Records(NamedTuple):
    """What rows become records by: the value lists, and the pictures."""

    values: Values
    pictures: Pictures

    async def of(
        self, resource: Resource, rows: Sequence[Mapping[str, Any]], fields: Sequence[str]
    ) -> list[Record]:
        """Rows as records with the fields asked for."""
        plain = [name for name in fields if name not in resource.attachments]
        found = [await record(resource, self.values, row, plain) for row in rows]
        if len(plain) == len(fields):
            return found
        told = await self.pictures.described([one.id for one in found])
        return [
            msgspec.structs.replace(one, native={**one.native, PICTURE: picture})
            if (picture := told[one.id]) is not UNKNOWN
            else one
            for one in found
        ]


class Writing:
    """All writes to one account. `bulk`: many at once; `unlock`: a read-only mark is taken off and set again."""

    def __init__(self, api: Api, rows: Records, *, bulk: bool, unlock: bool) -> None:
        self._api = api
        self._rows = rows
        self._bulk = bulk
        self._unlock = unlock

    async def write(self, resource: Resource, writes: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order."""
        results: dict[int, WriteResult] = {}
        ready = await self._ready(resource, writes, results)
        ends = anyio.current_time() + WITHIN_S
        groups = deque(self._groups(resource, ready))
        while groups and anyio.current_time() < ends:
            group = groups.popleft()
            try:
                results |= await self._carried_out(resource, group)
            except TandemError as error:
                if error.kind is Kind.REJECTED and len(group) > 1:
                    # The request as a whole was refused, and nothing of it done: whose fault it is shows one by one.
                    groups.extendleft([one] for one in reversed(group))
                elif not self._goes_on(error, group, results):
                    break
        rest = {place: WriteResult(WriteStatus.NOT_DONE, write.id) for place, write in enumerate(writes)}
        return [{**rest, **results}[place] for place in range(len(writes))]

    def _goes_on(self, error: TandemError, group: Sequence[Ready], results: dict[int, WriteResult]) -> bool:
        """Note what an error says of a group; whether the next one is begun. Raises where nothing was done at all."""
        if error.kind in (Kind.UNKNOWN, Kind.REJECTED) or error.scope is Scope.RECORD:
            status = WriteStatus.UNKNOWN if error.kind is Kind.UNKNOWN else WriteStatus.REFUSED
            results |= {one.place: WriteResult(status, one.write.id, error=error.message) for one in group}
            return error.scope is not Scope.CONNECTION
        if not any(one.status in (WriteStatus.DONE, WriteStatus.UNKNOWN) for one in results.values()):
            raise error
        return False

    async def _ready(
        self, resource: Resource, writes: Sequence[Write], results: dict[int, WriteResult]
    ) -> list[Ready]:
        """Those that may go; of the others, what became of them."""
        rows = await self._api.by_id(resource.name, [one.id for one in writes if one.op is not Op.CREATE])
        ready = []
        for place, write in enumerate(writes):
            row = rows.get(write.id, {})
            if write.op is not Op.CREATE:
                if not row:
                    results[place] = WriteResult(WriteStatus.GONE, write.id)
                    continue
                (now,) = await self._rows.of(resource, [row], list(write.seen))
                if moved_on(write, now.native):
                    results[place] = WriteResult(WriteStatus.MOVED_ON, write.id)
                    continue
            try:
                plain = {name: value for name, value in write.native.items() if name != PICTURE}
                values = await body(resource, self._rows.values, plain)
                deletes = _deletes(write, values)
            except BadValue as error:
                results[place] = WriteResult(WriteStatus.REFUSED, write.id, error=str(error))
            else:
                meant = msgspec.structs.replace(write, op=Op.DELETE) if deletes else write
                ready.append(Ready(place, meant, values, self._unlock and bool(row.get("readOnly"))))
        return ready

    def _groups(self, resource: Resource, ready: Sequence[Ready]) -> list[list[Ready]]:
        """What goes in one request: of one kind, as many as the API takes; read-only rows one by one."""
        groups: list[list[Ready]] = []
        open_: dict[str, list[Ready]] = {}
        for one in ready:
            method = _method(one.write)
            group = open_.get(method)
            if one.closed or one.pictured or not self._bulk:
                groups.append([one])
            elif group is None or len(group) >= bulk_max(method, resource.name):
                open_[method] = [one]
                groups.append(open_[method])
            else:
                group.append(one)
        return groups

    async def _carried_out(self, resource: Resource, group: Sequence[Ready]) -> dict[int, WriteResult]:
        if len(group) == 1:
            results = {group[0].place: await self._one(resource, group[0])}
        else:
            results = await self._many(resource, group)
        doubtful = [
            one for one in group if results[one.place].error == BAD_REQUEST and one.write.op is not Op.CREATE
        ]
        if doubtful:
            # The same words for a row that is not there and for a request that it did not like.
            there = await self._api.by_id(resource.name, [one.write.id for one in doubtful])
            for one in doubtful:
                if one.write.id not in there:
                    results[one.place] = WriteResult(WriteStatus.GONE, one.write.id)
        return results

    async def _one(self, resource: Resource, one: Ready) -> WriteResult:
        name, write = resource.name, one.write
        if write.op is Op.CREATE:
            answer = await self._api.create(name, one.values)
            id_ = self._api.id_in(name, answer) if answer.meaning == "ok" else ""
            result = result_of(write, answer)
            if id_ and one.pictured:
                return await self._with_picture(write, id_)
            return WriteResult(result.status, id_, error=result.error)
        values = one.values
        if one.closed:
            opened = await self._api.change(name, write.id, {"readOnly": False})
            if opened.meaning != "ok":
                return result_of(write, opened)
            values = {"readOnly": True, **values}
        if write.op is Op.DELETE:
            return result_of(write, await self._api.delete(name, write.id))
        if one.pictured:
            # First of all: where it is refused, nothing else is changed either.
            refused = await self._rows.pictures.put(write.id, write.attachments.get(PICTURE))
            if refused is not None:
                if one.closed:
                    await self._api.change(name, write.id, {"readOnly": True})
                return result_of(write, refused)
            if not values:
                return WriteResult(WriteStatus.DONE, write.id)
        return result_of(write, await self._change(one, values, name))

    async def _change(self, one: Ready, values: Mapping[str, Any], name: str) -> Answer:
        try:
            return await self._api.change(name, one.write.id, values)
        except HttpError as error:
            if one.pictured:  # the picture is there already
                raise HttpError(Kind.UNKNOWN, error.message, scope=Scope.RECORD, raw=error.raw) from error
            raise

    async def _with_picture(self, write: Write, id_: str) -> WriteResult:
        """A product that was made just now gets its picture. Whatever goes wrong: it is there, and its next look says what
        it lacks."""
        try:
            refused = await self._rows.pictures.put(id_, write.attachments.get(PICTURE))
        except TandemError as error:
            return WriteResult(WriteStatus.UNKNOWN, id_, error=error.message)
        if refused is not None:
            return WriteResult(WriteStatus.UNKNOWN, id_, error=refused.words)
        return WriteResult(WriteStatus.DONE, id_)

    async def _many(self, resource: Resource, group: Sequence[Ready]) -> dict[int, WriteResult]:
        items = [_item(one) for one in group]
        told = await self._api.bulk(_method(group[0].write), resource.name, items)
        return {one.place: _outcome(one, told.get(str(one.place))) for one in group}


def _deletes(write: Write, values: dict[str, Any]) -> bool:
    """Whether a write sets the mark of deletion, which only a deletion can. Not to set it is nothing to be written."""
    marked = values.pop("deleted", False)
    if marked and values:
        raise BadValue("a row is changed or deleted, not both at once")
    return bool(marked) and write.op is not Op.CREATE


def _method(write: Write) -> str:
    return _METHODS.get(write.op, "PUT")


def _item(one: Ready) -> dict[str, Any]:
    item: dict[str, Any] = {"guid": str(one.place)}
    if one.write.op is not Op.CREATE:
        item["id"] = int(one.write.id)
    if one.write.op is not Op.DELETE:
        item["data"] = one.values
    return item


def _outcome(one: Ready, told: Mapping[str, Any] | None) -> WriteResult:
    if told is None:
        return WriteResult(
            WriteStatus.UNKNOWN, one.write.id, error="the answer does not say what became of it"
        )
    words = str(told.get("message") or "refused, without a reason")
    if told.get("code") != _DONE:
        return WriteResult(WriteStatus.REFUSED, one.write.id, error=words)
    if one.write.op is Op.CREATE:
        if told.get("id") is None:
            return WriteResult(WriteStatus.UNKNOWN, error="the answer does not say the id")
        return WriteResult(WriteStatus.DONE, as_text(told["id"]))
    return WriteResult(WriteStatus.DONE, one.write.id)
