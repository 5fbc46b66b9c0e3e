"""The layers around every call, on a small server of their own: what leaks, what is cut off, what is counted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import grpc
import pytest
from structlog.testing import capture_logs

from actors.core.errors import Kind, TandemError
from daemon.api import access, interceptors
from daemon.api.access import Caller, Role
from daemon.metrics import Metrics
from tandem.v1 import links_pb2, links_pb2_grpc, plans_pb2, runs_pb2, runs_pb2_grpc
from tests.api.world import Client
from tests.daemon.process import eventually

pytestmark = pytest.mark.anyio
TOKENS = {role: access.new_token() for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)}


class Links(links_pb2_grpc.LinksServicer):
    """Does what the name of the link says."""

    async def GetLink(self, request: links_pb2.GetLinkRequest, context: Any) -> links_pb2.Link:
        if request.link == "bug":
            raise KeyError("inner-state-of-ours")
        if request.link == "our-bug":
            raise TandemError(Kind.BUG, "inner-state-of-ours")
        if request.link == "slow":
            await anyio.sleep_forever()
        return links_pb2.Link(name=access.caller().token)


class Runs(runs_pb2_grpc.RunsServicer):
    """A stream without an end; `ended` is set when it is let go."""

    def __init__(self) -> None:
        self.ended = anyio.Event()

    async def WatchRun(self, request: runs_pb2.WatchRunRequest, context: Any) -> AsyncIterator[runs_pb2.Run]:
        try:
            while True:
                yield runs_pb2.Run(id=request.run, phase=access.caller().token)
                await anyio.sleep(0.001)
        finally:
            self.ended.set()


class World:
    """The server's parts and a client per role."""

    def __init__(self, channel: grpc.aio.Channel, metrics: Metrics, runs: Runs) -> None:
        self.viewer = Client(channel, TOKENS[Role.VIEWER].text)
        self.metrics = metrics
        self.runs = runs

    def calls(self, code: str, method: str = "GetLink") -> float:
        """How many calls ended so."""
        labels = {"code": code, "method": method}
        for family in self.metrics.registry.collect():
            for sample in family.samples:
                if sample.name == "tandem_api_calls_total" and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    async def counted(self, code: str, method: str = "GetLink") -> float:
        """The same, once there is one: an answer leaves before it is counted."""

        async def any_calls() -> float:
            return self.calls(code, method)

        found: float = await eventually(any_calls)
        return found


@asynccontextmanager
async def serving() -> AsyncIterator[World]:
    metrics, runs = Metrics("1"), Runs()  # type: ignore[abstract]
    by_hash = {token.hash: Caller(token.id, role) for role, token in TOKENS.items()}

    async def find(hash_: bytes) -> Caller | None:
        return by_hash.get(hash_)

    layers = (
        interceptors.counted(metrics),
        interceptors.translated(),
        interceptors.within_deadline(0.3, 0.6),
        interceptors.authorised(access.Callers(find, time.monotonic).find),
        interceptors.sound(),
    )
    server = grpc.aio.server(interceptors=[interceptors.Layers(layers)])
    links_pb2_grpc.add_LinksServicer_to_server(Links(), server)  # type: ignore[abstract]
    runs_pb2_grpc.add_RunsServicer_to_server(runs, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield World(channel, metrics, runs)
    finally:
        await server.stop(1)


@pytest.mark.parametrize("name", ["bug", "our-bug"])
async def test_a_fault_of_ours_leaves_as_an_id_that_is_in_the_log(name: str) -> None:
    async with serving() as world:
        with capture_logs() as lines:
            refused = await world.viewer.refused(
                world.viewer.links.GetLink, links_pb2.GetLinkRequest(link=name)
            )
        assert (refused.code, refused.reason) == ("INTERNAL", "BUG")
        assert "inner-state" not in f"{refused.message}{refused.hint}{refused.metadata}"
        (line,) = [line for line in lines if line["event"] == "api.failed"]
        assert line["incident"] == refused.metadata["incident"]
        assert "inner-state-of-ours" in str(line["exc_info"])
        assert await world.counted("INTERNAL") == 1


@pytest.mark.parametrize("asked_s", [None, 30.0])
async def test_a_call_ends_in_time_without_and_with_a_longer_deadline(asked_s: float | None) -> None:
    async with serving() as world:
        with anyio.fail_after(60), pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.viewer.links.GetLink(
                links_pb2.GetLinkRequest(link="slow"), metadata=world.viewer.metadata, timeout=asked_s
            )
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert ("0.3 s" if asked_s is None else "0.6 s") in (caught.value.details() or "")


async def test_a_call_ends_at_its_callers_own_deadline_on_this_end_too() -> None:
    async with serving() as world:
        with anyio.fail_after(60), pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.viewer.links.GetLink(
                links_pb2.GetLinkRequest(link="slow"), metadata=world.viewer.metadata, timeout=0.2
            )
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

        async def counted() -> float:
            # The caller may give up, and say so, a moment before our own clock does.
            return world.calls("DEADLINE_EXCEEDED") + world.calls("CANCELLED")

        assert await eventually(counted) == 1


async def test_the_caller_is_known_to_the_servicer_and_counted() -> None:
    async with serving() as world:
        link = await world.viewer(world.viewer.links.GetLink, links_pb2.GetLinkRequest(link="x"))
        assert link.name == TOKENS[Role.VIEWER].id
        assert await world.counted("OK") == 1


async def test_a_stream_has_no_deadline_and_is_let_go_when_its_caller_goes() -> None:
    async with serving() as world:
        client = world.viewer
        call = client.runs.WatchRun(runs_pb2.WatchRunRequest(run="r1"), metadata=client.metadata)
        seen = 0
        with anyio.fail_after(60):
            async for message in call:
                assert message.phase == TOKENS[Role.VIEWER].id
                seen += 1
                if seen == 50:
                    break
            call.cancel()
            await world.runs.ended.wait()


async def test_a_streams_request_has_to_be_sound_too() -> None:
    async with serving() as world:
        client = world.viewer
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in client.runs.WatchRun(runs_pb2.WatchRunRequest(), metadata=client.metadata):
                pass
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await world.counted("INVALID_ARGUMENT", "WatchRun") == 1


async def test_an_rpc_that_is_not_in_the_table_can_not_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {path: need for path, need in access.NEEDED.items() if not path.endswith("GetLink")}
    monkeypatch.setattr("daemon.api.access.NEEDED", table)
    async with serving() as world:
        client = world.viewer.as_token(TOKENS[Role.ADMIN].text)
        refused = await client.refused(client.links.GetLink, links_pb2.GetLinkRequest(link="x"))
        assert refused.code == "PERMISSION_DENIED"


async def test_a_method_that_is_not_served_is_unimplemented() -> None:
    async with serving() as world:
        refused = await world.viewer.refused(world.viewer.plans.GetPlan, plans_pb2.GetPlanRequest(plan="x"))
        assert refused.code == "UNIMPLEMENTED"
