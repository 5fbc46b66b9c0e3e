"""The frame of every emulator: the vendor's face over HTTP, faults in front of it, webhooks behind it.

A system's emulator subclasses `Emulator`: it gives a `description` and `routes`, and overrides what its vendor words in
its own way (`rate_limited`, `failed`, `refused`, `unknown_path`) or does by itself (`guard`, `calls_for`, `expire`).
Must not: know any system, or share code with a connector.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, ClassVar, Final

import msgspec
from aiohttp import web

from clients.emulators.calls import Call, Calls
from clients.emulators.data import Change, Data
from clients.emulators.description import Description, Refused
from clients.emulators.faults import Fault, Faults
from clients.emulators.person import Person

REMEMBERED: Final = 20_000
BODY_MAX: Final = 64 * 2**20
ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Automation(msgspec.Struct, frozen=True):
    """A rule of the system's own users: whatever is written to `table` over the API is answered by `set` (constants) and
    `upper` (these fields in capitals)."""

    table: str
    set: dict[str, Any] = {}
    upper: tuple[str, ...] = ()


class Limit(msgspec.Struct, frozen=True):
    """At most `requests` in any `seconds`; 0: no limit."""

    requests: int = 0
    seconds: float = 1.0


class Emulator:
    """One system with its data, its faults and its callers."""

    description: ClassVar[Description]

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.options = dict(options or {})
        self.data = Data(self.description)
        self.person = Person(self.data)
        self.faults = Faults()
        self.calls = Calls()
        self.automations: list[Automation] = []
        self.deeds: Mapping[str, Callable[..., Any]] = {}  # what only people at this system do, by name
        self.limit = Limit()
        self.counters: Counter[str] = Counter()
        self.requests: deque[str] = deque(maxlen=REMEMBERED)  # method, path with query, status
        self.echoed: list[str] = []  # credentials that a page of a proxy repeated
        self.address = ""  # where it can be reached, once it is up
        self.control = ""  # and its control port
        self._recent: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self.data.guards.append(self.guard)
        self.data.listeners.append(self._changed)

    # ------------------------------------------------------------------------- what a system gives or overrides

    def routes(self) -> Iterable[web.RouteDef]:
        """The vendor's paths."""
        return ()

    async def begin(self) -> None:
        """Comes up; `address` is known."""

    async def end(self) -> None:
        """Goes down."""

    def guard(self, change: Change) -> None:
        """Raises `Refused` where the vendor won't have it, whoever asks."""

    def calls_for(self, change: Change) -> Iterable[Call]:
        """The webhooks that a change leads to."""
        return ()

    def expire(self) -> None:
        """Every session and token is void."""

    def place(self, request: web.Request) -> str:
        """What of a request a fault's `path` is looked for in."""
        return request.path

    def rate_limited(self, seconds: float) -> web.Response:
        """The vendor's answer to too many requests."""
        return answer({"error": "too many requests"}, 429, {"Retry-After": f"{seconds:g}"})

    def failed(self, status: int) -> web.Response:
        """The vendor's answer where something broke inside."""
        return answer({"error": "internal error"}, status)

    def refused(self, error: Refused) -> web.Response:
        """The vendor's no."""
        return answer({"error": error.reason, "field": error.field}, 400)

    def unknown_path(self, status: int) -> web.Response:
        """The vendor's answer where there is nothing, or not for this verb."""
        return answer({"error": "not found"}, status)

    # -------------------------------------------------------------------------------------------- the frame's own

    def application(self) -> web.Application:
        """The vendor's face."""
        app = web.Application(middlewares=[self._serve], client_max_size=BODY_MAX)
        app.add_routes(list(self.routes()))
        return app

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await request.read()
        response = await self._with_faults(request, handler)
        self.requests.append(f"{request.method} {request.path_qs} {response.status}")
        if not response.prepared:
            response.headers["Date"] = format_datetime(self.data.now(), usegmt=True)
        return response

    async def _with_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.counters[f"{request.method} {_template(request)}"] += 1
        wait_s = self._over_limit()
        if wait_s:
            return self.rate_limited(wait_s)
        fault = self.faults.meets(request.method, self.place(request))
        if fault is None:
            return await self._handled(request, handler)
        if fault.kind in ("rate_limit", "error"):
            if fault.done:
                await self._handled(request, handler)
            return (
                self.rate_limited(fault.seconds) if fault.kind == "rate_limit" else self.failed(fault.status)
            )
        if fault.kind in ("cut", "late"):
            return await self._cut(request, handler, fault)
        return await self._spoiled(request, handler, fault)

    def _over_limit(self) -> float:
        if not self.limit.requests:
            return 0.0
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - self.limit.seconds:
            self._recent.popleft()
        if len(self._recent) >= self.limit.requests:
            return self._recent[0] + self.limit.seconds - now
        self._recent.append(now)
        return 0.0

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            return self.refused(error)
        except web.HTTPException as error:
            return self.unknown_path(error.status)

    async def _cut(self, request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        if fault.kind == "late":
            self._later(fault.seconds, lambda: self._handled(request, handler))
        else:
            if fault.done:
                await self._handled(request, handler)
            await self._pause(fault.seconds)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=499)

    async def _pause(self, seconds: float) -> None:
        """So long, or until the system is switched off: it doesn't wait for requests whose asker may be dead."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _later(self, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            await act()

        task = asyncio.create_task(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _spoiled(self, request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        if fault.kind == "html":
            if fault.done:
                await self._handled(request, handler)
            # Some proxies show what they were sent: a page like that must never get into a log.
            sent = "".join(f"<p>{value}</p>" for value in request.headers.values())
            self.echoed += [value for name, value in request.headers.items() if _SECRET.search(name)]
            page = f"<!DOCTYPE html><html><body><h1>Service temporarily unavailable</h1>{sent}</body></html>"
            return web.Response(text=page, status=fault.status, content_type="text/html")
        if fault.kind == "expire":
            self.expire()
        elif fault.kind == "slow":
            await self._pause(fault.seconds)
        elif fault.kind == "edit":
            for edit in fault.edits:
                self.person.do(edit)
        response = await self._handled(request, handler)
        if fault.kind in ("malformed", "truncated", "encoded", "odd", "huge"):
            return await broken(request, response, fault)
        return response

    def _changed(self, change: Change) -> None:
        for call in self.calls_for(change):
            self.calls.put(call)
        if change.by != "api" or change.op == "delete":
            return
        for rule in self.automations:
            if rule.table == change.table:
                self._automate(rule, change)

    def _automate(self, rule: Automation, change: Change) -> None:
        assert change.after is not None
        values = dict(rule.set)
        values |= {name: str(change.after[name]).upper() for name in rule.upper if change.after.get(name)}
        if any(change.after.get(name) != value for name, value in values.items()):
            self.data.edit(change.table, change.key, values, by="automation")

    async def close(self) -> None:
        """Let go of what was to happen later, and of whom it lets wait."""
        self._closing.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def broken(request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
    """An answer as a fault of one of these kinds leaves it: malformed, truncated, encoded, huge, odd."""
    whole = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    if fault.kind == "encoded":
        return _again(response, whole.decode().encode("utf-16"))
    if fault.kind == "malformed":
        return _again(response, whole[: len(whole) // 2])
    if fault.kind == "huge":
        return _again(response, b" " * fault.size + whole)
    if fault.kind == "odd":
        return _again(response, ENCODER.encode(_odd(DECODER.decode(whole), fault.values)) if whole else whole)
    cut = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    cut.content_length = max(len(whole), 1)
    await cut.prepare(request)
    await cut.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut


def _odd(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_odd(one, values) for one in value]
    if isinstance(value, dict):
        return {name: _odd(one, values) for name, one in value.items()} | dict(values)
    return value


def _again(response: web.StreamResponse, body: bytes) -> web.Response:
    return web.Response(body=body, status=response.status, content_type=response.content_type)


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else request.path


def answer(value: Any = None, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer; numbers stay exact."""
    return web.Response(
        body=ENCODER.encode(value),
        status=status,
        headers=dict(headers or {}),
        content_type="application/json",
    )


def body_of(raw: bytes) -> Any:
    """A JSON body; `Refused` where it is none."""
    try:
        return DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"the body is no JSON: {error}") from error


_SECRET: Final = re.compile(r"(?i)auth|cookie|key|session|token")
DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)


def paged(rows: Sequence[Any], page: int, size: int) -> list[Any]:
    """One page of a list; pages are counted from 1."""
    return list(rows[(page - 1) * size : page * size])
