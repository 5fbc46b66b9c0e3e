"""A small server for tests of the HTTP base: answers as a test says, notes what came, and can cut lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.lowlevel
import msgspec
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Came(msgspec.Struct, frozen=True):
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Stand:
    """The server: `url`, what `came`, and `answer`, which a test replaces at any time."""

    def __init__(self) -> None:
        self.url = ""
        self.came: list[Came] = []
        self.answer: Handler = self._nothing

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note it, and answer as the test wants."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append(
            Came(
                request.method,
                request.rel_url.raw_path,
                dict(request.query),
                headers,
                await request.read(),
            )
        )
        return await self.answer(request)

    def says(self, status: int = 200, body: Any = None, **headers: str) -> None:
        """The same answer to everything; bytes and texts as they are, all else as JSON."""
        raw = (
            body
            if isinstance(body, bytes)
            else body.encode()
            if isinstance(body, str)
            else msgspec.json.encode(body)
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(
                status=status, body=raw, headers={"Content-Type": "application/json", **named}
            )

        self.answer = answer


async def let_in() -> None:
    """A request whose sender is gone may still lie in the server's line: it takes effect within a few turns of the loop."""
    for _ in range(100):
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def standing() -> AsyncIterator[Stand]:
    """A stand that listens on a free port of 127.0.0.1."""
    stand = Stand()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{tail:.*}", stand.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stand.url = f"http://{host}:{port}"
    try:
        yield stand
    finally:
        await runner.cleanup()
