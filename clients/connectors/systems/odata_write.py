"""A batch of writes: looked at once more, compared with what was seen, and sent with the ETag of that look.

Where a service has ETags nothing can come between look and write (If-Match, 412); where it has none, what lies between
them is one request's time. `PATCH` sends the changed properties alone. A reply without the record is followed by a look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, TandemError
from actors.core.types import Op, Record
from actors.core.values import BadValue, Value
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.wire import Unreadable
from clients.connectors.http.writing import moved_on
from clients.connectors.systems.odata_batch import Part, error_words
from clients.connectors.systems.odata_lines import as_seen, cells_of, lines_body
from clients.connectors.systems.odata_look import Looker, record_of
from clients.connectors.systems.odata_metadata import EntitySet, Property
from clients.connectors.systems.odata_service import Reply, Service
from clients.connectors.systems.odata_values import (
    assigned,
    encoded,
    escaped,
    id_of_address,
    key_predicate,
    key_values,
    literal,
    record_id,
)

# Without it a service may answer with the bare status.
_REPRESENTATION: Final = {"Prefer": "return=representation"}
_STATUSES: Final[Mapping[str, WriteStatus]] = {
    "ok": WriteStatus.DONE,
    "gone": WriteStatus.GONE,
    "moved_on": WriteStatus.MOVED_ON,
    "exists": WriteStatus.REFUSED,
    "refused": WriteStatus.REFUSED,
}


class Writer:
    """Writes of one connection."""

    def __init__(self, service: Service, looker: Looker, batch_max: int) -> None:
        self._service = service
        self._looker = looker
        self._batch_max = batch_max

    async def write(
        self, entity_set: EntitySet, writes: Sequence[Write], fields: Sequence[str], modified: str
    ) -> list[WriteResult]:
        """One result per write, in order. Raises where nothing was done, or nothing is known (UNKNOWN)."""
        for write in writes:
            for name in write.native:
                if name not in entity_set.lines:
                    entity_set.property(name, "write")
        results: list[WriteResult] = []
        for start in range(0, len(writes), self._batch_max):
            some = writes[start : start + self._batch_max]
            try:
                results += await _Batch(self, entity_set, some, fields, modified).carried_out()
            except TandemError as error:
                if not results:
                    raise
                results += _cut_short(error, some)
                break
        rest = [WriteResult(WriteStatus.NOT_DONE, write.id) for write in writes[len(results) :]]
        return [*results, *rest]


class _Batch:
    """One batch of writes, from the look to the results."""

    def __init__(
        self,
        writer: Writer,
        entity_set: EntitySet,
        writes: Sequence[Write],
        fields: Sequence[str],
        modified: str,
    ) -> None:
        self._service, self._looker = writer._service, writer._looker
        self._set = entity_set
        self._writes = writes
        self._fields = fields
        self._modified = modified
        self._doing = f"write {entity_set.name}"
        self._results: list[WriteResult | None] = [None] * len(writes)
        self._ids = [write.id or self._own_id(write) for write in writes]
        self._held: dict[str, Record] = {}

    async def carried_out(self) -> list[WriteResult]:
        """The results, in order."""
        seen = {name for write in self._writes for name in write.seen if name in self._set.properties}
        wanted = [*self._fields, *sorted(seen), *cells_of(self._set, self._writes)]
        looks = list(dict.fromkeys(filter(None, self._ids)))
        self._held = await self._looker.looked(self._set, looks, list(dict.fromkeys(wanted)))
        sent: dict[int, Part] = {}
        created: set[str] = set()
        for place, write in enumerate(self._writes):
            if write.op is Op.CREATE and self._ids[place] in created:
                self._results[place] = WriteResult(WriteStatus.REFUSED, write.id, error="exists already")
                continue
            try:
                self._results[place], part = self._begun(place, write)
            except BadValue as error:
                self._results[place] = WriteResult(WriteStatus.REFUSED, write.id, error=str(error))
                continue
            if part is not None:
                sent[place] = part
                created.update(filter(None, (self._ids[place] if write.op is Op.CREATE else "",)))
        if sent:
            replies = await self._service.many(self._doing, list(sent.values()))
            for place, reply in zip(sent, replies, strict=True):
                self._results[place] = self._result(place, reply)
            await self._look_after(dict(zip(sent, replies, strict=True)))
        return [result for result in self._results if result is not None]

    def _own_id(self, write: Write) -> str:
        """The id of a create that brings its key among its fields, "" where the service draws it."""
        if write.op is not Op.CREATE or any(write.native.get(name) in (None, "") for name in self._set.key):
            return ""
        try:
            body = {name: encoded(self._set.properties[name], write.native[name]) for name in self._set.key}
            return record_id(self._set, body)
        except BadValue:
            return ""

    # ------------------------------------------------------------------------------------------ before it is sent

    def _begun(self, place: int, write: Write) -> tuple[WriteResult | None, Part | None]:
        """The result that is known without asking, or what to send."""
        held = self._held.get(self._ids[place])
        if why := _not_taken(self._set, write):
            return WriteResult(WriteStatus.REFUSED, write.id, error=why), None
        if write.op is Op.CREATE:
            if held is not None:
                return WriteResult(WriteStatus.REFUSED, write.id, error=f"{held.id} exists already"), None
            body = self._body(write, {}, immutable=True)
            if write.id:
                for name, value in zip(self._set.key, key_values(self._set, write.id), strict=True):
                    body[name] = encoded(self._set.properties[name], value)
            return None, Part(
                method="POST", path=escaped(self._set.name), json=body, headers=dict(_REPRESENTATION)
            )
        if held is None:
            return WriteResult(WriteStatus.GONE, write.id), None
        if moved := moved_on(write, as_seen(write, held.native)):
            return WriteResult(WriteStatus.MOVED_ON, write.id, error=f"no longer as seen: {moved}"), None
        headers = {"If-Match": held.version or "*"}
        path = escaped(self._set.name) + key_predicate(self._set, write.id)
        if write.op is Op.DELETE:
            return None, Part(method="DELETE", path=path, headers=headers)
        body = self._body(write, held.native, immutable=False)
        return None, Part(method="PATCH", path=path, json=body, headers={**headers, **_REPRESENTATION})

    def _body(self, write: Write, held: Mapping[str, Value], *, immutable: bool) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in write.native.items():
            if name in self._set.lines:
                body[name] = lines_body(self._set.lines[name], value, held.get(name, ()))
                continue
            property_ = self._set.properties[name]
            if property_.computed or (property_.immutable and not immutable):
                raise BadValue(f"{name} can't be written: {_why(property_)}")
            if not immutable and name in self._set.key:
                raise BadValue(f"{name} can't be written: it is the key")
            if property_.bind is not None:
                navigation, to = property_.bind
                link = None if value is None else f"/{escaped(to)}({escaped(literal(property_, value))})"
                body[f"{navigation}@odata.bind"] = link
                continue
            assigned(body, name, encoded(property_, value))
        return body

    # -------------------------------------------------------------------------------------------------- afterwards

    def _result(self, place: int, reply: Reply) -> WriteResult:
        """What a reply means, as far as it says so itself."""
        write, id_ = self._writes[place], self._ids[place]
        if reply.error is not None:
            return _failed(id_, reply)
        status = _STATUSES[reply.meaning or "refused"]
        if write.op is Op.CREATE and status in (WriteStatus.GONE, WriteStatus.MOVED_ON):
            status = WriteStatus.REFUSED
        if status is not WriteStatus.DONE:
            return WriteResult(status, id_, error=reply.words or f"answered {reply.answer.status}")
        try:
            body = reply.body() if write.op is not Op.DELETE else None
            record = None
            if body is not None:
                etag = reply.answer.headers.get("etag")
                record = record_of(self._set, body, self._fields, self._modified, etag)
        except Unreadable as error:
            # A page in the place of an answer may be a proxy's: nobody knows whether the service ever had the request.
            return WriteResult(WriteStatus.UNKNOWN, id_, error=f"{self._doing}: {error}")
        if record is None and write.op is Op.CREATE and not id_:
            headers = reply.answer.headers
            address = headers.get("odata-entityid") or headers.get("location", "")
            return WriteResult(WriteStatus.DONE, id_of_address(self._set, address))
        return WriteResult(WriteStatus.DONE, record.id if record else id_, record)

    async def _look_after(self, replies: Mapping[int, Reply]) -> None:
        """A look at records whose reply left something open: how it stands now, or whether it was done at all."""
        open_ = [place for place in replies if self._is_open(place)]
        looks = list(dict.fromkeys(self._result_at(place).id for place in open_))
        try:
            now = await self._looker.looked(self._set, looks, self._fields, self._modified)
        except TandemError:
            now = {}  # what is known stays known
            open_ = [place for place in open_ if self._result_at(place).status is WriteStatus.DONE]
        for place in open_:
            result = self._result_at(place)
            record = now.get(result.id)
            if result.status is WriteStatus.DONE:
                self._results[place] = msgspec.structs.replace(result, record=record)
            else:
                self._results[place] = self._resolved(place, record, replies[place])

    def _is_open(self, place: int) -> bool:
        """Whether its result needs a look, and one by id can be had."""
        result, write = self._result_at(place), self._writes[place]
        if not result.id:
            return False
        if result.status is WriteStatus.DONE:
            return write.op is not Op.DELETE and not self._is_whole(result.record)
        return result.status is WriteStatus.MOVED_ON or (
            result.status is WriteStatus.UNKNOWN and bool(result.error)
        )

    def _is_whole(self, record: Record | None) -> bool:
        """Lines are looked at again in any case: replies show them in no order, or not at all."""
        return record is not None and all(name in record.native for name in self._fields)

    def _result_at(self, place: int) -> WriteResult:
        result = self._results[place]
        assert result is not None
        return result

    def _resolved(self, place: int, record: Record | None, reply: Reply) -> WriteResult:
        """An answer of 5xx is no outcome, but a look may be: nothing changed, so nothing was done. And 412 may mean GONE."""
        result, before = self._result_at(place), self._held.get(self._ids[place])
        if result.status is WriteStatus.MOVED_ON:
            return WriteResult(WriteStatus.GONE, result.id) if record is None else result
        untouched = (before is None) == (record is None) and (
            record is None
            or before is None
            or (record.version == before.version and record.version is not None)
        )
        # The service itself came to its end and says why: a broken constraint comes so. Behind a gateway's 502 or 504 it
        # may still be at work.
        if untouched and reply.answer.status == 500 and error_words(reply.answer.body):
            return WriteResult(WriteStatus.REFUSED, result.id, error=result.error)
        return result


def _failed(id_: str, reply: Reply) -> WriteResult:
    """An error of one part."""
    error = reply.error
    assert error is not None
    words = reply.words or str(error)
    if not reply.is_sent:
        return WriteResult(WriteStatus.NOT_DONE, id_, error=words)
    if error.kind is Kind.UNKNOWN:
        return WriteResult(WriteStatus.UNKNOWN, id_, error=words)
    if error.kind in (Kind.TRANSIENT, Kind.RATE_LIMITED):
        return WriteResult(WriteStatus.NOT_DONE, id_, error=words)
    # A right that is missing, a method that is not allowed: this record's own, for the batch went through.
    return WriteResult(WriteStatus.REFUSED, id_, error=words)


def _cut_short(error: TandemError, writes: Sequence[Write]) -> list[WriteResult]:
    """The results of a batch that failed as a whole, behind others that went through."""
    status = WriteStatus.UNKNOWN if error.kind is Kind.UNKNOWN else WriteStatus.NOT_DONE
    return [WriteResult(status, write.id, error=str(error)) for write in writes]


def _why(property_: Property) -> str:
    return "the service sets it" if property_.computed else "it is set once, when the record is made"


def _not_taken(entity_set: EntitySet, write: Write) -> str:
    """Why the service takes no such write, by its own description; "" where it takes them."""
    taken = {Op.CREATE: entity_set.insertable, Op.DELETE: entity_set.deletable}.get(
        write.op, entity_set.updatable
    )
    return "" if taken else f"{entity_set.name} takes no {write.op.value}, says its description"
