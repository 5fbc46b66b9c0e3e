"""A slow line: everything that is sent through it arrives, `delay_s` later.

Must not: lose, reorder or understand what passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream

CHUNK = 65_536


class SlowLine:
    """Passes every connection on to `host`:`port`; requests take `delay_s` longer than they would."""

    def __init__(self, host: str, port: int) -> None:
        self.delay_s = 0.0
        self._far = host, port

    async def serve(self, near: SocketStream) -> None:
        """One connection, until either end closes it."""
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with near, await anyio.connect_tcp(*self._far) as far, anyio.create_task_group() as both:
                both.start_soon(self._pump, near, far, True)
                await self._pump(far, near, False)
                both.cancel_scope.cancel()

    async def _pump(self, source: SocketStream, sink: SocketStream, is_request: bool) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                chunk = await source.receive(CHUNK)
                if is_request:
                    await anyio.sleep(self.delay_s)
                await sink.send(chunk)
        await sink.aclose()


@asynccontextmanager
async def slow_line(url: str) -> AsyncIterator[tuple[SlowLine, str]]:
    """A slow line to the server of `url`, and the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    line = SlowLine(parts.hostname, parts.port)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, line.serve)
        port = listener.extra(SocketAttribute.local_port)
        user = parts.netloc.rpartition("@")[0]
        yield line, urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
        tasks.cancel_scope.cancel()
