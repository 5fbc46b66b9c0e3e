"""Streams over real sockets: how far they were looked at, and what is refused of having them read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.v1 import common_pb2, streams_pb2
from tests.api.world import Client

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]


def cursor(tenant: str, text: str = "") -> streams_pb2.SetCursorRequest:
    return streams_pb2.SetCursorRequest(
        link="people", stream="people", tenant=tenant, side=common_pb2.SIDE_A, cursor=text
    )


async def test_streams_are_listed_with_both_sides(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant, paused=True)
    request = streams_pb2.ListStreamsRequest(link="people", tenant=tenant)
    (stream,) = (await admin(admin.streams.ListStreams, request)).streams
    assert (stream.link, stream.stream, list(stream.rooms)) == (link.id, "people", [])
    assert [(one.side, one.object, one.cursor) for one in stream.cursors] == [
        (common_pb2.SIDE_A, "people", ""),
        (common_pb2.SIDE_B, "kunden", ""),
    ]
    assert not any(one.HasField("completed") or one.HasField("reading") for one in stream.cursors)


async def test_b14_what_can_not_be_read_again_is_refused_with_a_way_out(
    admin: Client, tenant: str, pair: Pair
) -> None:
    await admin.link(tenant, paused=True)
    for method, kind in (
        (admin.streams.ResetStream, streams_pb2.ResetStreamRequest),
        (admin.streams.BackfillStream, streams_pb2.BackfillStreamRequest),
    ):
        refused = await admin.refused(method, kind(link="people", stream="peple", tenant=tenant))
        assert (refused.code, refused.hint) == ("NOT_FOUND", "there is people")
        refused = await admin.refused(method, kind(link="people", tenant=tenant))
        assert refused.violations == [("stream", "is required")]
    refused = await admin.refused(admin.streams.SetCursor, cursor(tenant))
    assert refused.violations == [("cursor", "is required")]
    refused = await admin.refused(admin.streams.SetCursor, cursor(tenant, "1"))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "NO_CURSOR")
    assert "streams backfill people people" in refused.hint


async def test_b14_only_who_may_operate_has_a_stream_read_again(
    admin: Client, tenant: str, pair: Pair
) -> None:
    await admin.link(tenant, paused=True)
    viewer = await admin.token("viewer", tenant)
    reset = streams_pb2.ResetStreamRequest(link="people", stream="people", tenant=tenant)
    refused = await viewer.refused(viewer.streams.ResetStream, reset)
    assert refused.code == "PERMISSION_DENIED"
    operator = await admin.token("operator", tenant)
    assert (await operator(operator.streams.ResetStream, reset)).stream == "people"
    stranger = await admin.token("operator", await admin.tenant())
    refused = await stranger.refused(stranger.streams.ResetStream, reset)
    assert refused.code == "NOT_FOUND"
