"""One write to Tribe: after a fresh look, the changed fields of the record and of its parts.

A new record is made with its parts in one request. A change of several parts is one request for each; where one of them is
refused, those before it are taken back.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import anyio
import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.shape import Shape, put
from clients.connectors.http.wire import HttpError, Request, at
from clients.connectors.http.writing import moved_on, result_of
from clients.connectors.systems.tribe_objects import ADDRESSES, CODE, KEY, Thing, shape
from clients.connectors.systems.tribe_parts import by_part

GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
Rows = Callable[[str, str, Sequence[str]], Awaitable[tuple[Any, Record | None]]]


class Step(msgspec.Struct, frozen=True):
    """One request of a change, and the one that takes it back."""

    request: Request
    back: Request


class Codes:
    """The ids of what is called by a code, each asked for once. For one batch alone: by the next one a code may be given
    to another."""

    def __init__(self, row: Rows) -> None:
        self._row = row
        self._ids: dict[tuple[str, str], str] = {}
        self._asking = anyio.Lock()

    async def id_of(self, name: str, code: str) -> str:
        """The id; BadValue where nothing is called so."""
        async with self._asking:
            if (name, code) not in self._ids:
                quoted = code.replace("'", "''")
                row, record = await self._row(name, f"{CODE} eq '{quoted}'", [CODE])
                if record is None:
                    raise BadValue(f"there is no {name} with the code {code}")
                self._ids[name, code] = str(row[KEY])
            return self._ids[name, code]


class Writer:
    """Writes of one batch to one organisation's Tribe. `row`: the first row that a filter finds; `own`: the id of the
    organisation."""

    def __init__(
        self, client: HttpClient, things: Mapping[str, Thing], row: Rows, own: Callable[[], Awaitable[str]]
    ) -> None:
        self._client = client
        self._things = things
        self._row = row
        self._own = own
        self._plain = {name: shape(name, things, ()) for name in things}
        self._codes = Codes(row)
        self._changing = anyio.Lock()

    def of_batch(self) -> Writer:
        """The same for another batch."""
        other = copy.copy(self)
        other._codes, other._changing = Codes(self._row), anyio.Lock()
        return other

    async def carry_out(self, shape: Shape, write: Write) -> WriteResult:
        """One write of a record without lines."""
        try:
            if write.op is Op.CREATE:
                return await self._create(shape, write)
            # Two records may share an organisation or an address: what one changes there has to be seen by the other.
            async with self._changing:
                return await self._change(shape, write)
        except BadValue as error:
            return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

    # ------------------------------------------------------------------------------------------------- new ones

    async def _create(self, shape: Shape, write: Write) -> WriteResult:
        thing = self._things[shape.name]
        shape.body(write.native)  # refuses what can't be written
        body: dict[str, Any] = {}
        for way, values in by_part(thing, {n: v for n, v in write.native.items() if v is not None}).items():
            part = await self._body(thing.parts.get(way, shape.name), values)
            for name, raw in part.items():
                put(body, f"{way}.{name}" if way else name, raw)
        if thing.own and thing.own not in body and (own := await self._own()):
            body[thing.own] = {KEY: own}
        request = _writing(f"create {shape.name}", "POST", segment(shape.name), body)
        answer = await self._client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        return WriteResult(
            WriteStatus.DONE, self._made(shape.name, request, self._client.body_of(request, answer))
        )

    def _made(self, name: str, request: Request, row: Any) -> str:
        if not (isinstance(row, dict) and row.get(KEY)):
            words = f"tribe did not say under which id it made {name}"
            raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
        return str(row[KEY])

    async def _body(self, name: str, values: Mapping[str, Value]) -> dict[str, Any]:
        """The fields of one record; to refer to nobody is null, not an object whose id is null."""
        shape, thing = self._plain[name], self._things[name]
        links = thing.links.split()
        coded = {field: value for field, value in values.items() if field.endswith(f".{CODE}")}
        body = shape.body({field: value for field, value in values.items() if field not in coded})
        body = {
            field: None if field in links and isinstance(raw, dict) and raw.get(KEY) is None else raw
            for field, raw in body.items()
        }
        for field, value in coded.items():
            link = field.removesuffix(f".{CODE}")
            body[link] = (
                None if value is None else {KEY: await self._codes.id_of(thing.coded[link], str(value))}
            )
        return body

    # ------------------------------------------------------------------------------------------------- changes

    async def _change(self, shape: Shape, write: Write) -> WriteResult:
        thing = self._things[shape.name]
        names = shape.checked({**write.seen, **write.native})
        if not GUID.fullmatch(write.id):
            return WriteResult(WriteStatus.GONE, write.id)
        parts = by_part(thing, write.native)
        row, now = await self._row(shape.name, f"{KEY} eq {write.id}", [*names, *self._asked(thing, parts)])
        if now is None:
            return WriteResult(WriteStatus.GONE, write.id)
        if moved := moved_on(write, now.native):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"moved on: {moved}")
        if write.op is Op.DELETE:
            if not any(field.writable for field in shape.fields.values()):
                raise BadValue(f"{shape.name} can't be deleted here")
            place = f"{segment(shape.name)}({write.id})"
            return await self._sent(write, _writing(f"delete {shape.name}", "DELETE", place))
        shape.body(write.native)  # refuses what can't be written
        return await self._steps(write, await self._planned(shape, write, parts, row, now))

    def _asked(self, thing: Thing, parts: Mapping[str, Any]) -> list[str]:
        """What else has to be looked at: to which addresses a company leads, and what the one that changes shows."""
        found: list[str] = []
        for way in parts:
            owner, _, link = way.rpartition(".")
            if way and link in ADDRESSES:
                found += [f"{owner}.{other}.{KEY}" for other in ADDRESSES]
                found += [
                    f"{way}.{one.name}"
                    for one in self._plain[thing.parts[way]].fields.values()
                    if not one.read
                ]
        return found

    async def _planned(
        self, shape: Shape, write: Write, parts: dict[str, dict[str, Value]], row: Any, now: Record
    ) -> list[Step]:
        thing = self._things[shape.name]
        bodies: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        made: list[Step] = []
        for way in sorted(parts, key=lambda way: -way.count(".") - bool(way)):  # the innermost first
            name = thing.parts.get(way, shape.name)
            before = {field: now.native.get(f"{way}.{field}" if way else field) for field in parts[way]}
            owner, _, link = way.rpartition(".")
            if way and link in ADDRESSES and _is_none_of_its_own(at(row, owner), link):
                # None there yet, or one that stands at another place, too: it gets one of its own.
                whole = {**self._of_address(way, thing, now), **parts[way]}
                id_ = await self._make(name, whole, made)
                told, was = bodies.setdefault(owner, ({}, {}))
                told[link], was[link] = {KEY: id_}, _reference(at(row, way))
                continue
            told, was = bodies.setdefault(way, ({}, {}))
            told |= await self._body(name, parts[way])
            was |= await self._body(name, before)
        steps = []
        for way, (told, was) in sorted(bodies.items(), key=lambda item: item[0].count(".") + bool(item[0])):
            id_ = write.id if not way else at(row, f"{way}.{KEY}")
            if not isinstance(id_, str):
                raise BadValue(f"its {way} was not delivered")
            name = thing.parts.get(way, shape.name)
            place, doing = f"{segment(name)}({id_})", f"update {name}"
            steps.append(Step(_writing(doing, "PUT", place, told), _writing(doing, "PUT", place, was)))
        return [*made, *steps]

    def _of_address(self, way: str, thing: Thing, now: Record) -> dict[str, Value]:
        """What an address that is shared shows: the new one begins like it."""
        head = f"{way}."
        names = {field.name for field in self._plain[thing.parts[way]].fields.values() if field.writable}
        known = {n.removeprefix(head): v for n, v in now.native.items() if n.startswith(head)}
        return {name: value for name, value in known.items() if name in names and value is not None}

    async def _make(self, name: str, values: Mapping[str, Value], made: list[Step]) -> str:
        """Make a record that a part is to lead to."""
        given = {field: value for field, value in values.items() if value is not None}
        request = _writing(f"create {name}", "POST", segment(name), await self._body(name, given))
        answer = await self._client.call(request)
        if answer.meaning != "ok":
            raise BadValue(answer.words or f"{name}: answered {answer.status}")
        id_ = self._made(name, request, self._client.body_of(request, answer))
        back = _writing(f"delete {name}", "DELETE", f"{segment(name)}({id_})")
        made.append(Step(_NOTHING, back))
        return id_

    async def _steps(self, write: Write, steps: Sequence[Step]) -> WriteResult:
        done: list[Step] = []
        for step in steps:
            if step.request is _NOTHING:
                done.append(step)
                continue
            try:
                result = await self._sent(write, step.request)
            except TandemError as error:
                if done and error.kind is not Kind.UNKNOWN:
                    raise HttpError(Kind.UNKNOWN, f"cut off: {error.message}", scope=error.scope) from error
                raise
            if result.status is not WriteStatus.DONE:
                return await self._taken_back(write, done, result)
            done.append(step)
        return WriteResult(WriteStatus.DONE, write.id)

    async def _taken_back(self, write: Write, done: Sequence[Step], result: WriteResult) -> WriteResult:
        """What was refused, once all that was done before it is as it was."""
        if result.status is WriteStatus.GONE and done:
            result = WriteResult(WriteStatus.REFUSED, write.id, error="a part of it is gone")
        for step in reversed(done):
            told = await self._sent(write, step.back)
            if told.status is not WriteStatus.DONE:
                words = f"{result.error}; and what was written before can't be taken back: {told.error}"
                raise HttpError(Kind.UNKNOWN, words, scope=Scope.RECORD)
        return result

    async def _sent(self, write: Write, request: Request) -> WriteResult:
        answer = await self._client.call(request)
        if answer.meaning == "ok":
            self._client.body_of(request, answer)  # raises: what can't be read proves nothing
        return result_of(write, answer)


def _is_none_of_its_own(owner: Any, link: str) -> bool:
    """Whether a company has no address at that place, or the same one at another place."""
    if not isinstance(owner, Mapping):
        return False
    own = _reference(owner.get(link))
    return own is None or any(_reference(owner.get(other)) == own for other in ADDRESSES if other != link)


def _reference(row: Any) -> dict[str, Any] | None:
    return {KEY: row[KEY]} if isinstance(row, Mapping) and row.get(KEY) else None


def _writing(doing: str, method: str, place: str, body: Any = msgspec.UNSET) -> Request:
    path = f"v1/odata/{place}"
    return Request(doing=doing, method=method, path=path, json=body, record=True, scope=Scope.RECORD)


_NOTHING: Final = _writing("nothing", "GET", "")
