"""Answers that are none, for connectors whose tests have no emulator: what a server on a stand says is spoiled on its way.

For those that have one, the cases are in contract_faults.py.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from clients.connectors.http.transport import Transport
from clients.emulators.emulator import broken
from clients.emulators.faults import Fault
from tests.connectors.http_server import Stand

SPOILED: Final = ("html", "malformed", "truncated", "encoded", "huge")
SIZE_MAX: Final = 200_000  # of an answer, while `huge` is tried


async def spoil(
    request: web.Request, response: web.StreamResponse, kind: Any, **values: Any
) -> web.StreamResponse:
    """A good answer, spoiled. `values`: of `odd`."""
    if kind == "html":
        page = "<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>"
        return web.Response(text=page, content_type="text/html")
    return await broken(request, response, Fault(kind, size=SIZE_MAX + 100_000, values=values))


def spoils(stand: Stand, kind: Any, method: str = "GET", **values: Any) -> None:
    """Everything that is asked with this verb from now on is answered, and spoiled."""
    answer = stand.answer

    async def spoiled(request: web.Request) -> web.StreamResponse:
        response = await answer(request)
        return await spoil(request, response, kind, **values) if request.method == method else response

    stand.answer = spoiled


def bounded(monkeypatch: Any) -> None:
    """Answers may have `SIZE_MAX` bytes."""
    monkeypatch.setattr(Transport, "_size_max", property(lambda _: SIZE_MAX), raising=False)
