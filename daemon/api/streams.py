"""The Streams service: how far the streams of a link were looked at, and looking from the start again (SPEC row B14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.core.backlog import unpacked
from actors.core.errors import Kind, TandemError
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Side
from actors.ports import Cursor, Find
from daemon.api import convert
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid, not_found, precondition
from daemon.store.rows import LinkInfo, RoomCount
from tandem.v1 import links_pb2, streams_pb2_grpc
from tandem.v1 import streams_pb2 as pb

Named = pb.ResetStreamRequest | pb.BackfillStreamRequest | pb.SetCursorRequest


class Streams(streams_pb2_grpc.StreamsServicer):
    """See proto/tandem/v1/streams.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListStreams(self, request: pb.ListStreamsRequest, context: Any) -> pb.ListStreamsResponse:
        info = await self._desk.link(request.link, request.tenant)
        return pb.ListStreamsResponse(streams=await self._shown(info, self._specs(info)))

    async def ResetStream(self, request: pb.ResetStreamRequest, context: Any) -> pb.Stream:
        info, spec = await self._meant(request)
        pairs = await self._desk.admin.reset_stream(info.row.id, spec.name)
        return await self._done(info, spec, "stream.reset", pairs=pairs)

    async def BackfillStream(self, request: pb.BackfillStreamRequest, context: Any) -> pb.Stream:
        info, spec = await self._meant(request)
        await self._desk.admin.backfill_stream(info.row.id, spec.name)
        return await self._done(info, spec, "stream.backfill")

    async def SetCursor(self, request: pb.SetCursorRequest, context: Any) -> pb.SetCursorResponse:
        info, spec = await self._meant(request)
        side = convert.side_of(request.side)
        await self._refuse_no_cursor(info, spec, side, request.cursor)
        old = await self._desk.admin.set_cursor(info.row.id, spec.name, side, request.cursor)
        shown = await self._done(
            info, spec, "stream.set_cursor", side=side, old_cursor=old, cursor=request.cursor
        )
        return pb.SetCursorResponse(stream=shown, old_cursor=old)

    async def _refuse_no_cursor(self, info: LinkInfo, spec: StreamSpec, side: Side, cursor: str) -> None:
        """A position that the connector can't go on from would stop the stream: it is asked first."""
        name = spec.object(side)
        if side == spec.several:
            raise precondition(
                "NO_CURSOR",
                f"{spec.name} has several objects on side {side}, each with a position of its own",
                f"have it read completely: tandemctl streams backfill {info.row.name} {spec.name}",
                stream=spec.name,
            )
        connection = info.row.a_connection if side == "a" else info.row.b_connection
        if await self._desk.engine.finds(connection, name) is not Find.MODIFIED:
            raise precondition(
                "NO_CURSOR",
                f"changes of {name} on side {side} are not found by a position, so there is none to set",
                f"have it read completely: tandemctl streams backfill {info.row.name} {spec.name}",
                stream=spec.name,
            )
        try:
            await self._desk.engine.call(connection, "changes", name, cursor, (), 1)
        except TandemError as error:
            if error.kind is not Kind.CONFIG:
                raise
            way_out = f"take one that tandemctl streams list {info.row.name} shows, or read everything: streams backfill"
            raise invalid([Violation("cursor", f"{error.message}; {way_out}")]) from error

    async def _done(self, info: LinkInfo, spec: StreamSpec, action: str, **detail: Any) -> pb.Stream:
        self._desk.engine.wake(info.row.id)
        await self._desk.audit(action, info.row.id, info.row.tenant, stream=spec.name, **detail)
        return (await self._shown(info, [spec]))[0]

    async def _meant(self, request: Named) -> tuple[LinkInfo, StreamSpec]:
        """The link and the stream of it."""
        info = await self._desk.link(request.link, request.tenant)
        specs = {spec.name: spec for spec in self._specs(info)}
        if request.stream not in specs:
            raise not_found("stream", request.stream, specs)
        return info, specs[request.stream]

    def _specs(self, info: LinkInfo) -> Sequence[StreamSpec]:
        return self._desk.blueprints.for_engine(info.row.blueprint, info.row.settings).streams

    async def _shown(self, info: LinkInfo, specs: Sequence[StreamSpec]) -> list[pb.Stream]:
        link = info.row.id
        cursors = {(one.stream, one.side): one for one in await self._desk.store.cursors(link)}
        rooms = await self._desk.admin.stream_rooms(link)
        return [
            pb.Stream(
                link=link,
                stream=spec.name,
                cursors=[_cursor(spec, side, cursors.get((spec.name, side))) for side in SIDES],
                rooms=map(_room, rooms.get(spec.name, ())),
            )
            for spec in specs
        ]


def _cursor(spec: StreamSpec, side: Side, known: Cursor | None) -> pb.Cursor:
    found = known or Cursor(stream=spec.name, side=side)
    return pb.Cursor(
        side=convert.side(side),
        object=spec.object(side),
        cursor=found.cursor,
        reading=convert.stamp(found.began),
        completed=convert.stamp(found.completed),
        looked=convert.stamp(found.looked),
        backlog=next(map(convert.backlog, unpacked(found.backlog)), None),
    )


def _room(one: RoomCount) -> links_pb2.RoomCount:
    return links_pb2.RoomCount(room=one.room, count=one.count, oldest=convert.stamp(one.oldest))
