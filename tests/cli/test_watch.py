"""Watching a run: what is shown where, and the exit status that its outcome gives."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread
import grpc
import pytest

from clients.cli.api import Api
from tandem.v1 import common_pb2, runs_pb2
from tests.cli.conftest import Run
from tests.cli.fakes import Answer, FakeDaemon, Refusal, serving
from tests.cli.programs import TANDEMCTL, environment

pytestmark = pytest.mark.anyio


def started(already_running: bool = False) -> Answer:
    run = runs_pb2.Run(id="r1", outcome="queued")
    return lambda request: runs_pb2.StartRunResponse(run=run, already_running=already_running)


def progress(*outcomes: str, mode: str = "sync") -> Answer:
    """A stream of one message per outcome, counting what was created."""

    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        for created, outcome in enumerate(outcomes):
            counters = runs_pb2.Counters(stream="customers", side=common_pb2.SIDE_B, created=created)
            yield runs_pb2.Run(id=request.run, mode=mode, outcome=outcome, counters=[counters])

    return watch


async def test_one_line_per_change(schema: Api, tandemctl: Run) -> None:
    answers = {"Runs.WatchRun": progress("queued", "running", "succeeded")}
    async with serving(FakeDaemon(schema, answers)) as daemon:
        result = await tandemctl("--address", daemon.address, "runs", "watch", "r1")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "id=r1 mode=sync outcome=queued counters=[stream=customers side=b]",
        "outcome=running counters=[stream=customers side=b created=1]",
        "outcome=succeeded counters=[stream=customers side=b created=2]",
    ]
    assert daemon.last.remaining_s is None or daemon.last.remaining_s > 10**6, "a stream has no deadline"


@pytest.mark.parametrize(
    "mode, outcome, status",
    [
        ("sync", "succeeded", 0),
        ("sync", "nothing_new", 0),
        ("sync", "partial", 1),
        ("sync", "failed", 1),
        ("sync", "cancelled", 1),
        ("sync", "awaiting_approval", 1),
        ("plan", "awaiting_approval", 0),
        ("undo", "awaiting_approval", 0),
        ("undo", "partial", 1),
        ("sync", "running", 6),
    ],
)
async def test_exit_status_by_outcome(
    schema: Api, tandemctl: Run, mode: str, outcome: str, status: int
) -> None:
    async with serving(FakeDaemon(schema, {"Runs.WatchRun": progress(outcome, mode=mode)})) as daemon:
        result = await tandemctl("--address", daemon.address, "runs", "watch", "r1")
    assert result.exit_code == status
    assert ("hint: " in result.stderr) == (bool(status) or outcome == "awaiting_approval")


async def test_start_and_watch(schema: Api, tandemctl: Run) -> None:
    answers = {
        "Runs.StartRun": started(already_running=True),
        "Runs.WatchRun": progress("running", "partial"),
    }
    async with serving(FakeDaemon(schema, answers)) as daemon:
        result = await tandemctl(
            "--address", daemon.address, "-o", "json", "runs", "start", "erp-crm", "--watch"
        )
    assert result.exit_code == 1
    assert "already running: yes" in result.stderr
    assert [json.loads(line)["outcome"] for line in result.stdout.splitlines()] == ["running", "partial"]
    assert daemon.names == ["Runs.StartRun", "Runs.WatchRun"]
    assert daemon.last.request.run == "r1"


async def test_a_refused_watch_ends_with_its_own_status(schema: Api, tandemctl: Run) -> None:
    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        yield runs_pb2.Run(id="r1", outcome="running")
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "draining")

    async with serving(FakeDaemon(schema, {"Runs.WatchRun": watch})) as daemon:
        result = await tandemctl("--address", daemon.address, "runs", "watch", "r1")
    assert result.exit_code == 6
    assert "outcome=running" in result.stdout
    assert "draining" in result.stderr


async def test_an_interrupt_stops_only_the_watching(schema: Api) -> None:
    async def watch(request: Any) -> AsyncIterator[runs_pb2.Run]:
        yield runs_pb2.Run(id="r1", outcome="running")
        await anyio.sleep_forever()

    async with serving(FakeDaemon(schema, {"Runs.WatchRun": watch})) as daemon:
        command = [*TANDEMCTL, "--address", daemon.address, "runs", "watch", "r1"]
        async with await anyio.open_process(command, env=environment()) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert b"outcome=running" in await process.stdout.receive()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
            assert b"goes on" in await process.stderr.receive()


async def test_an_interrupt_while_waiting_for_an_answer(schema: Api) -> None:
    asked = anyio.Event()

    async def never(request: Any) -> None:
        asked.set()
        await anyio.sleep_forever()

    async with serving(FakeDaemon(schema, {"Runs.GetRun": never})) as daemon:
        command = [*TANDEMCTL, "--address", daemon.address, "runs", "get", "r1"]
        async with await anyio.open_process(command, env=environment()) as process:
            await asked.wait()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130


async def test_live_on_a_terminal(schema: Api) -> None:
    answers = {"Runs.WatchRun": progress("running", "succeeded")}
    async with serving(FakeDaemon(schema, answers)) as daemon:
        command = [*TANDEMCTL, "--address", daemon.address, "runs", "watch", "r1"]
        shown, status = await anyio.to_thread.run_sync(on_a_terminal, command)
    assert status == 0
    assert "succeeded" in shown
    assert "\x1b[" in shown, "the same place is written over"


def on_a_terminal(command: list[str]) -> tuple[str, int]:
    """Run with a pseudo terminal as standard output; all that was written, and the exit status."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, env=environment(TERM="xterm")) as process:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 4096):
                parts.append(part)
        except OSError:
            pass  # How Linux says that the other end is closed.
        finally:
            os.close(ours)
        return b"".join(parts).decode(), process.wait()
