"""The Records service: what is known of one record, and another look at it."""

from __future__ import annotations

from typing import Any

from actors.core.types import Hint
from daemon.api import convert
from daemon.api.desk import Desk
from daemon.api.errors import not_found
from daemon.api.explaining import Explaining
from daemon.store.rows import LinkInfo, Missing
from tandem.v1 import records_pb2 as pb
from tandem.v1 import records_pb2_grpc

_OfRecord = pb.GetRecordRequest | pb.ExplainRecordRequest | pb.EraseRecordRequest | pb.RefreshRecordRequest


class Records(records_pb2_grpc.RecordsServicer):
    """See proto/tandem/v1/records.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def GetRecord(self, request: pb.GetRecordRequest, context: Any) -> pb.RecordBinding:
        link = await self._link(request)
        side = convert.side_of(request.side)
        try:
            found = await self._desk.admin.find_binding(link.row.id, request.stream, side, request.id)
        except Missing:
            error = not_found("record", request.id)
            error.hint = f"link {link.row.name} knows no such record of {request.stream} on side {side} (yet)"
            error.metadata |= {"link": link.row.name, "stream": request.stream, "side": side}
            raise error from None
        actions = [item.action for item in found.actions]
        return convert.binding(found.binding, found.parked, actions, link.row.id)

    async def ExplainRecord(self, request: pb.ExplainRecordRequest, context: Any) -> pb.RecordExplanation:
        link = await self._link(request)
        spec = self._desk.blueprints.of(link.row)
        stream = spec.stream(request.stream)
        known = [one.name for one in stream.fields]
        if request.field and request.field not in known:
            raise not_found("field", request.field, known)
        explaining = Explaining(self._desk, link, spec, stream)
        return await explaining.explain(convert.side_of(request.side), request.id, request.field)

    async def EraseRecord(self, request: pb.EraseRecordRequest, context: Any) -> pb.EraseRecordResponse:
        link = await self._link(request)
        stream = self._desk.blueprints.of(link.row).stream(request.stream)
        done = await self._desk.admin.erase(link.row.id, stream, convert.side_of(request.side), request.id)
        self._desk.engine.wake(link.row.id)
        counts = {"actions": done.actions, "planned": done.planned, "parked": done.parked}
        detail = {"stream": stream.name, "binding": done.binding, "note": request.note, **counts}
        await self._desk.audit("record.erase", link.row.id, link.row.tenant, **detail)
        return pb.EraseRecordResponse(binding=done.binding, **counts)

    async def RefreshRecord(self, request: pb.RefreshRecordRequest, context: Any) -> pb.RefreshRecordResponse:
        link = await self._link(request)
        side = convert.side_of(request.side)
        await self._desk.look_again(link.row.id, Hint(request.stream, side, request.id, "asked"))
        detail = {"stream": request.stream, "side": side}
        await self._desk.audit("record.refresh", link.row.id, link.row.tenant, **detail)
        return pb.RefreshRecordResponse()

    async def _link(self, request: _OfRecord) -> LinkInfo:
        """The link, if it has the stream."""
        link = await self._desk.link(request.link, request.tenant)
        spec = self._desk.blueprints.for_engine(link.row.blueprint, link.row.settings)
        known = [stream.name for stream in spec.streams]
        if request.stream not in known:
            raise not_found("stream", request.stream, known)
        return link
