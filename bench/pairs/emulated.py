"""An emulator as a process of its own, the person in front of it, and the address that it calls.

Must not: know a system.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
from aiohttp import web
from anyio.streams.memory import MemoryObjectReceiveStream

from bench.servers import REPOSITORY

STOP_S = 30.0
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class Emulated:
    """A running emulator."""

    def __init__(self, http: aiohttp.ClientSession, address: str, control: str, pid: int) -> None:
        self.address = address
        self._http = http
        self._control = control
        self._pid = pid

    async def person(self, method: str, path: str, body: Any = None) -> Any:
        """Something over the control port: rows, counters, switches (docs/EMULATORS.md)."""
        async with self._http.request(method, f"{self._control}/{path}", json=body) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
            return json.loads(text)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table."""
        found: list[dict[str, Any]] = await self.person("GET", f"rows/{table}")
        return found

    async def requests(self) -> int:
        """How many requests it has answered so far."""
        return sum((await self.person("GET", "counters"))["paths"].values())

    def cpu_s(self) -> float:
        """Seconds of processor time that it used so far."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@asynccontextmanager
async def emulated(
    http: aiohttp.ClientSession, folder: Path, system: str, rows: Rows, options: Mapping[str, str]
) -> AsyncIterator[Emulated]:
    """An emulator that holds these rows. `folder`: for its data."""
    folder.mkdir(parents=True)
    data = folder / "rows.json"
    data.write_text(json.dumps(rows))
    words = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    command = [sys.executable, "-m", "clients.emulators", system, "--file", str(data), *words]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = await anyio.to_thread.run_sync(process.stdout.readline)
            address, control = line.rsplit(maxsplit=1)
            yield Emulated(http, address, control, process.pid)
        finally:
            process.terminate()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(process.wait, STOP_S)


class Called:
    """An address of the bench that systems call; `calls` are the times and what was said."""

    def __init__(self, url: str, calls: MemoryObjectReceiveStream[tuple[float, str]]) -> None:
        self.url = url
        self.calls = calls


@asynccontextmanager
async def called() -> AsyncIterator[Called]:
    """Such an address, as long as the block lasts."""
    send, receive = anyio.create_memory_object_stream[tuple[float, str]](10_000)

    async def take(request: web.Request) -> web.Response:
        at, body = time.perf_counter(), await request.text()
        send.send_nowait((at, f"{request.query_string} {body}"))
        return web.Response()

    app = web.Application()
    app.add_routes([web.route("*", "/{tail:.*}", take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield Called(f"http://{host}:{port}", receive)
    finally:
        await runner.cleanup()
