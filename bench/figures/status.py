"""Calls per second of the daemon's status, with 64 at once, over those of a bare grpc.aio echo with the same client.

The call is `GetStatus` of the service System, with a token as any call, and its answer is read; the echo carries an answer
of the same size.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import anyio
import anyio.to_thread
import grpc

from bench.echo import METHOD
from bench.report import Result
from bench.servers import REPOSITORY
from bench.session import Session, say
from tandem.v1 import system_pb2
from tandem_client.connection import open_channel

FULL = 10_000
AT_ONCE = 64
SECONDS = 1.0
STATUS = "/tandem.v1.System/GetStatus"


async def over_echo(session: Session) -> Sequence[Result]:
    """Rounds of a second each, in turn: what else goes on on the machine hits both."""
    stand = await session.loaded(session.options.rows(FULL))
    seconds = max(0.3, SECONDS * min(1.0, session.options.scale * 10))
    ratios, mine, theirs = [], [], []
    answer = await stand.tandem.system.GetStatus(system_pb2.GetStatusRequest())
    async with _calls(stand.daemon.address, stand.daemon.token) as ours, _echo() as port:
        status = ours.unary_unary(
            STATUS,
            request_serializer=system_pb2.GetStatusRequest.SerializeToString,
            response_deserializer=system_pb2.GetStatusResponse.FromString,
        )
        async with _calls(f"127.0.0.1:{port}", stand.daemon.token) as bare:
            echo = bare.unary_unary(
                METHOD,
                request_serializer=system_pb2.GetStatusResponse.SerializeToString,
                response_deserializer=system_pb2.GetStatusResponse.FromString,
            )
            for _ in range(session.options.repeat(15)):
                theirs.append(await _rate(lambda: echo(answer), seconds))
                mine.append(await _rate(lambda: status(system_pb2.GetStatusRequest()), seconds))
                ratios.append(mine[-1] / theirs[-1])
    notes = f"{median(mine):,.0f} calls/s, echo {median(theirs):,.0f} calls/s"
    say(f"status: {median(ratios):.2f} x; {notes}")
    return [Result("grpc_status_over_echo", tuple(ratios), None, notes)]


async def _rate(call: Callable[[], Awaitable[Any]], seconds: float) -> float:
    """Calls per second of this many callers, each of whom calls again when it was answered."""
    done = 0
    until = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await call()
            done += 1

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(caller)
    return done / (time.perf_counter() - began)


@asynccontextmanager
async def _calls(address: str, token: str) -> AsyncIterator[grpc.aio.Channel]:
    """The client library's channel: token, deadline, retries."""
    channel = open_channel(address, services=(), token=token, tls=None, timeout_s=30.0)
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    command = [sys.executable, "-m", "bench.echo"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(await anyio.to_thread.run_sync(server.stdout.readline))
        finally:
            server.terminate()
