"""The client library against a real server: token, deadline, retries of reads, errors, and runs followed to their end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest
from google.rpc import error_details_pb2

from clients.cli import api
from clients.cli.api import Api
from tandem.v1 import links_pb2, runs_pb2
from tandem_client import RunFailed, Tandem, TandemError, Tls
from tandem_client.client import services
from tandem_client.connection import service_config
from tests.cli import certificates
from tests.cli.fakes import Answer, FakeDaemon, Refusal, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def schema() -> Api:
    return api.load(api.installed())


def start(request: Any) -> runs_pb2.StartRunResponse:
    mode = "plan" if request.dry_run else "sync"
    return runs_pb2.StartRunResponse(
        run=runs_pb2.Run(id="r1", link=request.link, mode=mode, outcome="queued")
    )


def watched(*outcomes: str, mode: str = "sync") -> Answer:
    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        for outcome in outcomes:
            yield runs_pb2.Run(
                id=request.run, mode=mode, outcome=outcome, error="boom" if outcome == "failed" else ""
            )

    return watch


def refusals(*refused: Refusal, then: Answer) -> Answer:
    """Refuse once with each of these, then answer."""
    left = list(refused)

    def answer(request: Any) -> Any:
        if left:
            raise left.pop(0)
        return then(request)

    return answer


def link(request: Any) -> links_pb2.Link:
    return links_pb2.Link(id=request.link)


async def test_three_lines(schema: Api) -> None:
    answers: dict[str, Answer] = {"Runs.StartRun": start, "Runs.WatchRun": watched("running", "succeeded")}
    async with (
        serving(FakeDaemon(schema, answers)) as daemon,
        Tandem(daemon.address, token="s3cret") as tandem,
    ):
        run = await tandem.start_run("erp-crm", streams=["customers"])
        last = await run.done(check=True)
    assert last.outcome == "succeeded"
    assert run.ended
    assert daemon.names == ["Runs.StartRun", "Runs.WatchRun"]
    assert [call.metadata["authorization"] for call in daemon.asked] == ["Bearer s3cret"] * 2
    assert list(daemon.asked[0].request.streams) == ["customers"]


async def test_progress_and_callback(schema: Api) -> None:
    answers: dict[str, Answer] = {
        "Runs.StartRun": start,
        "Runs.WatchRun": watched("queued", "running", "partial"),
    }
    seen: list[str] = []
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        run = await tandem.start_run("erp-crm", watch=lambda state: seen.append(state.outcome))
        assert [state.outcome async for state in run] == ["queued", "running", "partial"]
        assert (await run.done()).outcome == "partial"
    assert seen == ["queued", "running", "partial"]


@pytest.mark.parametrize(
    "outcome, mode", [("failed", "sync"), ("partial", "sync"), ("awaiting_approval", "sync")]
)
async def test_a_run_that_did_not_end_as_wished(schema: Api, outcome: str, mode: str) -> None:
    answers: dict[str, Answer] = {"Runs.StartRun": start, "Runs.WatchRun": watched(outcome, mode=mode)}
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        run = await tandem.start_run("erp-crm")
        with pytest.raises(RunFailed, match=f"run r1 ended {outcome}") as caught:
            await run.done(check=True)
    assert caught.value.run.outcome == outcome


@pytest.mark.parametrize("mode", ["plan", "undo"])
async def test_a_run_that_only_plans_may_await_approval(schema: Api, mode: str) -> None:
    answers: dict[str, Answer] = {
        "Runs.StartRun": start,
        "Runs.WatchRun": watched("awaiting_approval", mode=mode),
    }
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        run = await tandem.start_run("erp-crm", dry_run=True)
        assert (await run.done(check=True)).mode == mode


async def test_a_lost_stream_is_taken_up_again(schema: Api) -> None:
    """Once it breaks off, once it ends too early: the run goes on, and so does the watching."""
    streams = [["queued", "lost"], ["running"], ["running", "succeeded"]]

    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        for outcome in streams.pop(0):
            if outcome == "lost":
                raise Refusal.as_the_daemon(grpc.StatusCode.UNAVAILABLE, "restarting", "TRANSIENT", "wait")
            yield runs_pb2.Run(id=request.run, outcome=outcome)

    answers: dict[str, Answer] = {"Runs.StartRun": start, "Runs.WatchRun": watch}
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        run = await tandem.start_run("erp-crm")
        seen = [state.outcome async for state in run]
    assert seen == ["queued", "running", "running", "succeeded"]


async def test_another_fault_of_the_stream_is_raised(schema: Api) -> None:
    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        yield runs_pb2.Run(id=request.run, outcome="running")
        raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "token revoked")

    answers: dict[str, Answer] = {"Runs.StartRun": start, "Runs.WatchRun": watch}
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        run = await tandem.start_run("erp-crm")
        with pytest.raises(TandemError, match="token revoked"):
            await run.done()
    assert daemon.names.count("Runs.WatchRun") == 1


async def test_errors_carry_what_the_daemon_said(schema: Api) -> None:
    refusal = Refusal.as_the_daemon(
        grpc.StatusCode.FAILED_PRECONDITION, "42 deletes", "UNSAFE", "approve the plan", link="l1", plan="p1"
    )
    daemon = FakeDaemon(schema, {"Runs.StartRun": refusals(refusal, then=start)})
    async with serving(daemon), Tandem(daemon.address) as tandem:
        with pytest.raises(TandemError) as caught:
            await tandem.start_run("l1")
    error = caught.value
    assert (error.kind, error.reason, error.hint) == ("unsafe", "UNSAFE", "approve the plan")
    assert error.metadata == {"link": "l1", "plan": "p1"}
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert str(error) == "42 deletes (approve the plan)"
    assert isinstance(error.__cause__, grpc.aio.AioRpcError)


async def test_errors_without_details_and_with_violations(schema: Api) -> None:
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="link", description="must not be empty")
        ]
    )
    refused = [
        Refusal(grpc.StatusCode.NOT_FOUND, "no link"),
        Refusal(grpc.StatusCode.INVALID_ARGUMENT, "bad", bad),
    ]
    daemon = FakeDaemon(schema, {"Links.GetLink": refusals(*refused, then=link)})
    async with serving(daemon), Tandem(daemon.address) as tandem:
        with pytest.raises(TandemError) as missing:
            await tandem.links.GetLink(links_pb2.GetLinkRequest(link="l1"))
        with pytest.raises(TandemError) as invalid:
            await tandem.links.GetLink(links_pb2.GetLinkRequest())
    assert (missing.value.kind, missing.value.hint) == ("not_found", "")
    assert invalid.value.violations == (("link", "must not be empty"),)


async def test_reads_are_retried_and_writes_are_not(schema: Api) -> None:
    away = Refusal(grpc.StatusCode.UNAVAILABLE, "starting")
    answers = {
        "Links.GetLink": refusals(away, away, then=link),
        "Links.PauseLink": refusals(away, then=link),
    }
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        assert (await tandem.links.GetLink(links_pb2.GetLinkRequest(link="l1"))).id == "l1"
        with pytest.raises(TandemError, match="starting"):
            await tandem.links.PauseLink(links_pb2.PauseLinkRequest(link="l1"))
    assert daemon.names == ["Links.GetLink"] * 3 + ["Links.PauseLink"]


def test_only_methods_that_look_are_retried() -> None:
    (config,) = json.loads(service_config(services()))["methodConfig"]
    retried = {name["method"] for name in config["name"]}
    assert {"GetLink", "ListRuns", "DescribeObjects", "CheckBlueprint", "WatchRun"} <= retried
    assert not {
        name
        for name in retried
        if name.startswith(("Create", "Start", "Delete", "Approve", "Retry", "Drain"))
    }


async def test_deadlines(schema: Api) -> None:
    answers: dict[str, Answer] = {"Links.GetLink": link, "Runs.WatchRun": watched("succeeded")}
    request = links_pb2.GetLinkRequest(link="l1")
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address, timeout_s=90) as tandem:
        await tandem.links.GetLink(request)
        await tandem.links.GetLink(request, timeout=40)
        async for _ in tandem.runs.WatchRun(runs_pb2.WatchRunRequest(run="r1")):
            pass
    usual_s, own_s, stream_s = (call.remaining_s for call in daemon.asked)
    assert usual_s is not None
    assert 41 < usual_s < 91
    assert own_s is not None
    assert own_s < 41
    assert stream_s is None or stream_s > 10**6


async def test_own_metadata_goes_before_the_token(schema: Api) -> None:
    own = (("authorization", "Bearer other"), ("x-request-id", "7"))
    daemon = FakeDaemon(schema, {"Links.GetLink": link})
    async with serving(daemon), Tandem(daemon.address, token="usual") as tandem:
        await tandem.links.GetLink(links_pb2.GetLinkRequest(link="l1"), metadata=own)
    assert daemon.last.metadata["authorization"] == "Bearer other"
    assert daemon.last.metadata["x-request-id"] == "7"


async def test_nobody_answers(free_port: int) -> None:
    async with Tandem(f"127.0.0.1:{free_port}") as tandem:
        with pytest.raises(TandemError) as caught:
            await tandem.start_run("erp-crm")
    assert caught.value.kind == "unavailable"


def test_every_service_is_an_attribute(schema: Api) -> None:
    assert {service.full_name for service in services()} == {
        service.descriptor.full_name for service in schema.services
    }
    names = {service.name.lower() for service in schema.services}
    assert names <= set(Tandem.__init__.__code__.co_names)


async def test_tls_with_certificates_on_both_sides(schema: Api, tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    tls = Tls(made.ca.read_bytes(), made.client.cert.read_bytes(), made.client.key.read_bytes())
    async with serving(FakeDaemon(schema, {"Links.GetLink": link}), made.server_credentials()) as daemon:
        async with Tandem(daemon.address, token="s3cret", tls=tls) as tandem:
            assert (await tandem.links.GetLink(links_pb2.GetLinkRequest(link="l1"))).id == "l1"
        async with Tandem(daemon.address, tls=Tls(made.ca.read_bytes())) as tandem:
            with pytest.raises(TandemError):
                await tandem.links.PauseLink(links_pb2.PauseLinkRequest(link="l1"))
    assert daemon.last.metadata["authorization"] == "Bearer s3cret"
    assert daemon.names == ["Links.GetLink"]


async def test_whoever_stops_listening_stops_the_call(schema: Api) -> None:
    stopped = anyio.Event()

    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        try:
            yield runs_pb2.Run(id=request.run, outcome="running")
            await anyio.sleep_forever()
        finally:
            stopped.set()

    answers: dict[str, Answer] = {"Runs.StartRun": start, "Runs.WatchRun": watch}
    async with serving(FakeDaemon(schema, answers)) as daemon, Tandem(daemon.address) as tandem:
        run = await tandem.start_run("erp-crm")
        async for state in run:
            assert state.outcome == "running"
            break
        with anyio.fail_after(60):
            await stopped.wait()
    assert not run.ended
