"""Looking at the objects of a declaration: by id, complete reads, by a field. Changes since a time: rest_modified.py.

What is not there is told apart from what can't be asked: before a record is called gone, the object's list has to answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue, Value, same
from actors.ports import Page
from clients.connectors.http.base import not_offered
from clients.connectors.http.client import HttpClient
from clients.connectors.http.paging import Passed, by_number, by_text, read_page, rows_at
from clients.connectors.http.shape import Shape
from clients.connectors.http.together import together
from clients.connectors.http.values import as_text, write_value
from clients.connectors.http.wire import Answer, HttpError, Request, at
from clients.connectors.systems.rest_plan import Literals, Many, ObjectPlan

PASSED: Mapping[str, Passed] = {"by_number": by_number, "by_text": by_text}
FOUND_MAX = 1000  # records of one search


class Reader:
    """Reads of one account."""

    def __init__(self, client: HttpClient, literals: Literals, concurrency: int) -> None:
        self._client = client
        self._literals = literals
        self._concurrency = concurrency

    # ------------------------------------------------------------------------------------------------------- by id

    async def read(self, plan: ObjectPlan, ids: Sequence[str], fields: Sequence[str]) -> list[Record]:
        """Fresh looks; records that are gone are missing."""
        names = plan.shape.checked(fields)
        if plan.many is not None and len(ids) > 1 and not plan.etag:
            found = await self._read_many(plan, plan.many, ids, names)
        else:

            async def look(id_: str) -> tuple[Any, str | None]:
                return await self.row(plan, id_)

            rows = await together(ids, look, self._concurrency)
            found = [plan.shape.record(row, names, version) for row, version in rows if row is not None]
        if len(found) < len(ids):
            await self._check_list(plan)
        return found

    async def row(self, plan: ObjectPlan, id_: str) -> tuple[Any, str | None]:
        """The record with this id as it stands in the answer, and the version of its header; None where it is gone."""
        request = plan.look.request(f"read {plan.name}", self.id_values(plan, id_), record=True, writes=False)
        answer = await self._client.call(request)
        if answer.meaning == "gone":
            return None, None
        if answer.meaning != "ok":
            raise _unexpected(self._client, request, answer)
        row = at(self._client.body_of(request, answer), plan.look_at)
        if isinstance(row, list):  # a look that is a search
            row = next((one for one in row if plan.shape.id_of(one) == id_), None)
        if row is None or row is msgspec.UNSET:
            return None, None
        return row, answer.headers.get("etag") if plan.etag else None

    async def _read_many(
        self, plan: ObjectPlan, many: Many, ids: Sequence[str], names: Sequence[str]
    ) -> list[Record]:
        found: dict[str, Record] = {}
        wanted = set(ids)
        for start in range(0, len(ids), many.most):
            asked = ids[start : start + many.most]
            each = [_put(many.each, self.id_values(plan, id_)) for id_ in asked]
            request = many.ask.request(f"read {plan.name}", {"ids": many.join.join(each)}, writes=False)
            for row in await self._rows(plan, request):
                record = plan.shape.record(row, names)
                if record.id in wanted:
                    found[record.id] = record
        return [found[id_] for id_ in ids if id_ in found]

    async def _rows(self, plan: ObjectPlan, request: Request) -> list[Any]:
        """All pages of a small list."""
        rows, position, more = list[Any](), "", True
        while more and len(rows) < FOUND_MAX:
            batch = await read_page(
                self._client,
                request,
                plan.paging,
                position,
                FOUND_MAX,
                rows_at(plan.list_at, request.doing),
                plan.shape.id_of,
            )
            rows.extend(batch.rows)
            position, more = batch.position, batch.more
        return rows

    async def _check_list(self, plan: ObjectPlan) -> None:
        """Raises where the object itself can't be read: then a record that was not found proves nothing."""
        await self.sample(plan, 1)

    async def sample(self, plan: ObjectPlan, limit: int) -> list[Any]:
        """The first records of the list, as they stand in the answer."""
        request = plan.list.request(f"list {plan.name}", writes=False)
        rows = rows_at(plan.list_at, request.doing)
        return (await read_page(self._client, request, plan.paging, "", limit, rows, plan.shape.id_of)).rows

    # -------------------------------------------------------------------------------------------------- all of them

    async def scan(self, plan: ObjectPlan, position: str, fields: Sequence[str], limit: int) -> Page:
        """One page of a complete read."""
        names = plan.shape.checked(fields)
        if plan.after is not None:
            return await self._scan_after(plan, plan.after, position, names, limit)
        request = plan.list.request(f"list {plan.name}", writes=False)
        batch = await read_page(
            self._client,
            request,
            plan.paging,
            position,
            limit,
            rows_at(plan.list_at, request.doing),
            plan.shape.id_of,
            PASSED.get(plan.sorted),
        )
        return Page(_records(plan.shape, batch.rows, names), batch.position, batch.more)

    async def _scan_after(
        self, plan: ObjectPlan, after: Mapping[str, str], position: str, names: Sequence[str], limit: int
    ) -> Page:
        """From behind the last id: no page shifts."""
        ask = plan.list
        if position:
            ask = msgspec.structs.replace(ask, query={**ask.query, **after})
        request = ask.request(f"list {plan.name}", self.id_values(plan, position), writes=False)
        rows = rows_at(plan.list_at, request.doing)
        batch = await read_page(self._client, request, plan.paging, "", limit, rows, plan.shape.id_of)
        records = _records(plan.shape, batch.rows, names)
        last = records[-1].id if records else position
        if position and records and PASSED[plan.sorted](records[0].id, position):
            raise TandemError(
                Kind.CONFIG,
                f"the list of {plan.name} does not go on behind the id {position}",
                scope=Scope.STREAM,
                hint="check `after` and `sorted` of its list",
            )
        return Page(records, last, batch.more)

    # ------------------------------------------------------------------------------------------------------ by field

    async def find_by(
        self, plan: ObjectPlan, field: str, value: Value, fields: Sequence[str]
    ) -> list[Record]:
        """Records whose field equals the value; what the system finds beyond that is left out."""
        names = plan.shape.checked((field, *fields))
        if plan.find is None or field not in plan.find_fields:
            raise not_offered(plan.name, "find_by", f"the declaration has no search by {field}")
        try:
            values = self.values(plan, field, value)
        except BadValue:
            return []  # the field can't hold it, so nothing does
        request = plan.find.request(f"find {plan.name}", values, writes=False)
        found = []
        for row in await self._rows(plan, request):
            record = plan.shape.record(row, names)
            if same(record.native.get(field), value):
                kept = {name: record.native[name] for name in fields if name in record.native}
                found.append(msgspec.structs.replace(record, native=kept))
        return found

    # ---------------------------------------------------------------------------------------------------- what is put

    def id_values(self, plan: ObjectPlan, id_: str) -> dict[str, str]:
        """What `{id}` and `{literal}` stand for."""
        return {"id": id_, "value": id_, "literal": self._literals.of(_raw_id(plan, id_))}

    def values(self, plan: ObjectPlan, field: str, value: Value) -> dict[str, str]:
        """What `{field}`, `{literal}` and `{value}` stand for. Raises `BadValue`."""
        asked = plan.shape.fields[field]
        raw = write_value(value, asked.form)
        return {
            "field": asked.read or asked.name,
            "literal": self._literals.of(raw),
            "value": "" if raw is None else as_text(raw),
        }


def _raw_id(plan: ObjectPlan, id_: str) -> Any:
    if plan.key.form.type == "integer" and id_.lstrip("-").isdecimal():
        return int(id_)
    return id_


def _put(text: str, values: Mapping[str, str]) -> str:
    return text.replace("{literal}", values["literal"]).replace("{id}", values["id"])


def _records(shape: Shape, rows: Sequence[Any], names: Sequence[str]) -> tuple[Record, ...]:
    """Each record once."""
    return tuple({record.id: record for record in (shape.record(row, names) for row in rows)}.values())


def _unexpected(client: HttpClient, request: Request, answer: Answer) -> HttpError:
    return HttpError(
        Kind.TRANSIENT,
        f"can't {request.doing}: {client.name} answered {answer.status}: {answer.words or answer.meaning}",
        scope=Scope.STREAM,
        status=answer.status,
    )
