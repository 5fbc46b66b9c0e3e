"""The daemon's HTTP side: /metrics, /livez, /readyz and /healthz.

/livez: the process and its engine live (restarting helps where this fails). /readyz: it takes up work. /healthz: nothing is
wrong anywhere, else 503 and what it is. Must not: show values of records or settings; it has no access control.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from daemon.health import Health, samples
from daemon.metrics import Metrics

HANDLER_TIMEOUT_S: Final = 10.0


def application(
    metrics: Metrics,
    health: Callable[[], Awaitable[Health]],
    engine_up: Callable[[], bool],
    restarts: Callable[[], int],
) -> web.Application:
    """The pages. `engine_up` answers without the store; `restarts`: of the daemon's own PostgreSQL."""

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

    app = web.Application()
    app.add_routes(
        [
            web.get("/metrics", show_metrics),
            web.get("/livez", live),
            web.get("/readyz", ready),
            web.get("/healthz", healthy),
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
