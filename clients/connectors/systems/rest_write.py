"""Writing to the objects of a declaration: nothing blind, one request per record, and each record's outcome by itself.

Before an update or a delete the record is read again; where it holds anything else than was seen, nothing is written. Where
the system takes If-Match, it refuses by itself what changes in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.client import HttpClient
from clients.connectors.http.nested import copied
from clients.connectors.http.shape import put
from clients.connectors.http.values import as_text
from clients.connectors.http.wire import Answer, Request, at
from clients.connectors.http.writing import each, moved_on, result_of
from clients.connectors.systems.rest_plan import Made, ObjectPlan
from clients.connectors.systems.rest_read import Reader


class Writer:
    """Writes of one account. `within_s`: after so long no further record of a batch is begun."""

    def __init__(
        self,
        client: HttpClient,
        reader: Reader,
        within_s: float,
        check: Callable[[], Awaitable[None]],
        concurrency: int,
    ) -> None:
        self._client = client
        self._reader = reader
        self._within_s = within_s
        self._check = check
        self._concurrency = concurrency

    async def write(
        self, plan: ObjectPlan, writes: Sequence[Write], fields: Sequence[str]
    ) -> list[WriteResult]:
        """One result per write, in order."""
        names = plan.shape.checked(fields)
        plan.shape.checked(name for write in writes for name in write.native)

        async def one(write: Write) -> WriteResult:
            try:
                return await self._one(plan, write, names)
            except BadValue as error:
                return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))

        return await each(
            writes,
            one,
            within_s=self._within_s,
            session_check=self._check,
            concurrency=self._concurrency,
        )

    async def _one(self, plan: ObjectPlan, write: Write, names: Sequence[str]) -> WriteResult:
        if write.op is Op.CREATE:
            return await self._create(plan, write, names)
        row, version = await self._reader.row(plan, write.id)
        if row is None:
            await self._reader.sample(plan, 1)
            return WriteResult(WriteStatus.GONE, write.id)
        held = plan.shape.seen(row, write, version)
        if moved := moved_on(write, held.native):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"changed meanwhile: {moved}")
        if write.op is Op.DELETE:
            return await self._delete(plan, write, held.version)
        return await self._update(plan, write, names, row, held.version)

    # ------------------------------------------------------------------------------------------------------- create

    async def _create(self, plan: ObjectPlan, write: Write, names: Sequence[str]) -> WriteResult:
        made = plan.create
        if made is None:
            return _not_offered(write, plan, "made")
        body = plan.shape.body(write.native)
        if write.id and plan.new_ids:
            put(body, plan.key.write or plan.key.name, write.id)
        if write.tag and plan.tag:
            tag = plan.shape.fields[plan.tag]
            put(body, tag.write or tag.name, write.tag)
        request = _request(made, f"make a record of {plan.name}", {}, body, record=False)
        answer = await self._client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        record = self._stored(plan, made, request, answer, names)
        id_ = record.id if record is not None else self._new_id(made, request, answer) or write.id
        if not id_:
            # Made, and nobody says as what: found by tag or key, as after a reply that was lost.
            return WriteResult(
                WriteStatus.UNKNOWN, error="the answer does not say under which id it was made"
            )
        return WriteResult(WriteStatus.DONE, id_, record)

    def _new_id(self, made: Made, request: Request, answer: Answer) -> str:
        if made.id_from_location:
            return answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        if not made.id_at:
            return ""
        raw = at(self._client.body_of(request, answer), made.id_at)
        return "" if raw is msgspec.UNSET or raw is None or isinstance(raw, dict | list) else as_text(raw)

    # ------------------------------------------------------------------------------------------------------- update

    async def _update(
        self, plan: ObjectPlan, write: Write, names: Sequence[str], row: Any, version: str | None
    ) -> WriteResult:
        made = plan.update
        if made is None:
            return _not_offered(write, plan, "changed")
        if made.whole:
            body = _whole(row, made)
            for name, raw in plan.shape.places(write.native, row):
                put(body, name, raw)
        else:
            body = plan.shape.body(write.native, row)
        if made.with_key:
            put(body, plan.key.write or plan.key.name, at(row, plan.key.read or plan.key.name))
        headers = _precondition(made.if_match, version, plan)
        values = self._reader.id_values(plan, write.id)
        request = _request(
            made, f"change a record of {plan.name}", values, body, record=True, headers=headers
        )
        answer = await self._client.call(request)
        if answer.meaning != "ok":
            return result_of(write, answer)
        record = self._stored(plan, made, request, answer, names)
        return WriteResult(WriteStatus.DONE, write.id, record)

    async def _delete(self, plan: ObjectPlan, write: Write, version: str | None) -> WriteResult:
        removed = plan.delete
        if removed is None:
            return _not_offered(write, plan, "deleted")
        headers = _precondition(removed.if_match, version, plan)
        values = self._reader.id_values(plan, write.id)
        request = removed.ask.request(f"delete a record of {plan.name}", values, record=True)
        request = msgspec.structs.replace(request, headers={**request.headers, **headers})
        return result_of(write, await self._client.call(request))

    # ------------------------------------------------------------------------------------------------------- answers

    def _stored(
        self, plan: ObjectPlan, made: Made, request: Request, answer: Answer, names: Sequence[str]
    ) -> Record | None:
        """The record as the answer shows it; None where it shows none."""
        if made.at is None:
            return None
        body = self._client.body_of(request, answer)
        row = at(body, made.at) if body is not None else msgspec.UNSET
        if not isinstance(row, dict):
            return None
        version = answer.headers.get("etag") if plan.etag else None
        try:
            return plan.shape.record(row, names, version)
        except TandemError:
            return None  # it is written: an answer that can't be made out is no reason to say that it is not


def _request(
    made: Made,
    doing: str,
    values: dict[str, str],
    fields: dict[str, Any],
    *,
    record: bool,
    headers: dict[str, str] | None = None,
) -> Request:
    """The request of a create or an update. `record`: it is about one that is there."""
    for name, raw in made.extra.items():
        put(fields, name, raw)
    body: dict[str, Any] = {}
    if made.wrap:
        put(body, made.wrap, fields)
    else:
        body = fields
    request = made.ask.request(doing, values, record=record)
    if request.json is not msgspec.UNSET and isinstance(request.json, dict):
        body = {**request.json, **body}
    return msgspec.structs.replace(
        request, json=body, writes=True, headers={**request.headers, **(headers or {})}
    )


def _whole(row: Any, made: Made) -> dict[str, Any]:
    """A copy of a record as it was read, without what is computed."""
    whole: dict[str, Any] = copied(row)
    for name in made.drop:
        whole.pop(name, None)
    return whole


def _precondition(if_match: bool, version: str | None, plan: ObjectPlan) -> dict[str, str]:
    if not if_match:
        return {}
    if not version:
        raise TandemError(
            Kind.CONFIG,
            f"a record of {plan.name} came without a version, and can't be written with If-Match",
            scope=Scope.STREAM,
            hint="check `version` of the object",
        )
    return {"If-Match": version}


def _not_offered(write: Write, plan: ObjectPlan, what: str) -> WriteResult:
    return WriteResult(
        WriteStatus.REFUSED,
        write.id,
        error=f"the declaration does not say how a record of {plan.name} is {what}",
    )
