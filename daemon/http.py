"""The daemon's HTTP side: /metrics, /livez, /readyz and /healthz; and /hooks, where systems call.

/livez: the process and its engine live (restarting helps where this fails). /readyz: it takes up work. /healthz: nothing is
wrong anywhere, else 503 and what it is. Must not: show values of records or settings; it has no access control.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from clients.connectors.webhook import Call
from daemon.health import Health, samples
from daemon.metrics import Metrics
from daemon.webhooks import PATH, Answer

HANDLER_TIMEOUT_S: Final = 10.0
BODY_SIZE_MAX: Final = 256 * 1024
Receive = Callable[[str, str, Call], Awaitable[Answer]]


def application(
    metrics: Metrics,
    health: Callable[[], Awaitable[Health]],
    engine_up: Callable[[], bool],
    restarts: Callable[[], int],
    receive: Receive,
) -> web.Application:
    """The pages. `engine_up` answers without the store; `restarts`: of the daemon's own PostgreSQL; `receive`: takes a call
    to the address with this secret part, about this object."""

    async def show_metrics(_: web.Request) -> web.Response:
        found = await _timed(health)
        actors = [str(actor["name"]) for actor in found.actors]
        for actor in actors:
            metrics.count("tandem_actor_restarts_total", (actor,), 0)
        metrics.show(samples(found, restarts()))
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(_: web.Request) -> web.Response:
        alive = engine_up()
        return _answer(alive, {"status": "alive" if alive else "dead"})

    async def ready(_: web.Request) -> web.Response:
        found = await _timed(health)
        facts = {"store": found.store_up, "engine": found.engine_up, "draining": found.draining}
        return _answer(found.ready, {"status": "ready" if found.ready else "not ready", **facts})

    async def healthy(_: web.Request) -> web.Response:
        found = await _timed(health)
        return _answer(found.healthy, report(found))

    async def hooked(request: web.Request) -> web.Response:
        return await _hooked(request, receive)

    app = web.Application(client_max_size=BODY_SIZE_MAX)
    app.add_routes(
        [
            web.get("/metrics", show_metrics),
            web.get("/livez", live),
            web.get("/readyz", ready),
            web.get("/healthz", healthy),
            *(
                web.route(method, path, hooked)
                for method in ("GET", "POST")
                for path in (f"{PATH}/{{path}}", f"{PATH}/{{path}}/{{object}}")
            ),
        ]
    )
    return app


def report(health: Health) -> dict[str, Any]:
    """What /healthz says: what is wrong, by kind, and all of it as lines."""
    named: dict[str, list[str]] = {}
    for reason in health.reasons:
        named.setdefault(reason.what, []).append(reason.name or reason.text)
    return {
        "status": "ok" if health.healthy else "degraded",
        "store": health.store_up,
        "engine": health.engine_up,
        "draining": health.draining,
        "dead_actors": named.get("actor", []),
        "degraded_links": sorted(set(named.get("link", []))),
        "stale_sides": named.get("side", []),
        "reasons": [str(reason) for reason in health.reasons],
    }


async def _hooked(request: web.Request, receive: Receive) -> web.Response:
    """One call. Nothing of it is told to the caller but whether it was taken."""
    try:
        with anyio.fail_after(HANDLER_TIMEOUT_S):
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(request.method, headers, request.query_string, body)
            found = await receive(request.match_info["path"], request.match_info.get("object", ""), call)
    except TimeoutError:
        found = Answer(503, "not in time", HANDLER_TIMEOUT_S)
    headers_out = {"Cache-Control": "no-store"}
    if found.retry_after_s:
        headers_out["Retry-After"] = str(math.ceil(found.retry_after_s))
    return web.Response(status=found.status, text=f"{found.text}\n", headers=headers_out)


async def _timed(health: Callable[[], Awaitable[Health]]) -> Health:
    with anyio.fail_after(HANDLER_TIMEOUT_S):
        return await health()


def _answer(good: bool, content: dict[str, Any]) -> web.Response:
    return web.json_response(content, status=200 if good else 503, headers={"Cache-Control": "no-store"})


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the context is open; yields the port in use (`port` 0 takes a free one)."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
