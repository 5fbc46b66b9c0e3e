"""The way of every call, in layers: counted, errors translated, within a deadline, by a known caller, a sound request.

One interceptor holds the layers, so that their order is one list. Must not: know any service.
"""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

import anyio
import grpc
import msgspec
from google.protobuf.message import Message

from daemon import log
from daemon.api import access, errors, rules
from daemon.api.access import Caller, Role
from daemon.api.errors import ApiError
from daemon.metrics import Metrics

_OK: Final = "OK"


FindCaller = Callable[[str], Awaitable[Caller | None]]  # by the header `authorization`


class Method(msgspec.Struct, frozen=True):
    """What is called: its path, and the short names of service and method. `streams`: its answer is a stream."""

    path: str
    service: str
    name: str
    streams: bool

    @classmethod
    def of(cls, path: str, streams: bool) -> Method:
        """From the path that gRPC gives."""
        service, _, name = path.strip("/").partition("/")
        return cls(path, service.rpartition(".")[2], name, streams)


class Rpc:
    """One call under way: what every layer may look at. `code` is set by the layer that translates errors."""

    __slots__ = ("caller", "code", "context", "method", "request")

    def __init__(self, method: Method, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.method = method
        self.request = request
        self.context = context
        self.code = _OK
        self.caller: Caller | None = None


Inner = Callable[[Rpc], Awaitable[Any]]
# What is around a call: does its part, and calls what is inside it. A plain coroutine: a context manager a layer would cost
# as much as the rest of a small call.
Layer = Callable[[Inner, Rpc], Awaitable[Any]]


class Layers(grpc.aio.ServerInterceptor):
    """Puts the layers around every handler, the first one outermost."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)
        self._known: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """See grpc.aio.ServerInterceptor; an unknown method has no handler, and grpc answers UNIMPLEMENTED."""
        method = handler_call_details.method
        known = self._known.get(method)
        if known is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            known = self._known[method] = self._wrapped(handler, method)
        return known

    def _wrapped(self, handler: Any, path: str) -> grpc.RpcMethodHandler[Any, Any]:
        coders = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        serve = handler.stream_unary if handler.request_streaming else handler.unary_unary
        stream = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def answer(rpc: Rpc) -> Any:
            return await serve(rpc.request, rpc.context)

        async def answers(rpc: Rpc) -> None:
            await _answer(stream(rpc.request, rpc.context), rpc.context)

        method = Method.of(path, bool(handler.response_streaming))
        around = self._around(answers if method.streams else answer)

        # Not a generator where it streams: one that is left in mid-send would be cleaned up by another task.
        async def one(request: Any, context: Any) -> Any:
            return await around(Rpc(method, request, context))

        if method.streams:
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(one, **coders)
        make_one = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make_one(one, **coders)

    def _around(self, inner: Inner) -> Inner:
        for layer in reversed(self._layers):
            inner = functools.partial(layer, inner)
        return inner


async def _answer(result: Any, context: Any) -> None:
    """A handler may be a generator, or a coroutine that writes to the context by itself (as the health service)."""
    if not hasattr(result, "__aiter__"):
        await result
        return
    async with aclosing(result):
        async for answer in result:
            await context.write(answer)


def counted(metrics: Metrics) -> Layer:
    """Metrics and a log line for every call."""
    lines, debugged = log.logger("api"), log.debugged("api")

    async def layer(inner: Inner, rpc: Rpc) -> Any:
        began = time.monotonic()
        rpc.code = "CANCELLED"
        try:
            answer = await inner(rpc)
            rpc.code = _OK
            return answer
        finally:
            duration_s = time.monotonic() - began
            called = rpc.method.service, rpc.method.name
            metrics.count("tandem_api_calls_total", (*called, rpc.code))
            metrics.observe("tandem_api_call_duration_seconds", called, duration_s)
            if rpc.code != _OK or debugged():
                write = lines.debug if rpc.code == _OK else lines.info
                who = rpc.caller.token if rpc.caller else ""
                write(
                    "api.called",
                    method=rpc.method.path,
                    code=rpc.code,
                    duration_s=round(duration_s, 4),
                    by=who,
                )

    return layer


def translated() -> Layer:
    """Exceptions to status with details; what is our own fault goes to the log under an incident id."""
    lines = log.logger("api")

    async def layer(inner: Inner, rpc: Rpc) -> Any:
        try:
            return await inner(rpc)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            told = errors.told(error)
            if told is None:
                incident = secrets.token_hex(6)
                lines.error("api.failed", incident=incident, method=rpc.method.path, exc_info=error)
                told = errors.internal(incident)
            rpc.code = told.code.name
            await rpc.context.abort_with_status(errors.status(told))
            raise AssertionError("abort raises") from error

    return layer


def within_deadline(default_s: float, longest_s: float) -> Layer:
    """Unary calls end in time, whatever they wait for; a stream ends when its caller goes."""

    async def layer(inner: Inner, rpc: Rpc) -> Any:
        if rpc.method.streams:
            return await inner(rpc)
        # None where the caller gave no deadline, whatever its type says.
        asked_s = cast("float | None", rpc.context.time_remaining())
        if asked_s is not None and asked_s <= longest_s:
            return await _until_its_deadline(inner, rpc)
        limit_s = default_s if asked_s is None else longest_s
        with anyio.move_on_after(limit_s):
            return await inner(rpc)
        raise ApiError(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE",
            f"{rpc.method.name} was not done within {limit_s:.1f} s",
            hint="it may still have happened: look, then repeat it with a longer deadline",
        )

    return layer


async def _until_its_deadline(inner: Inner, rpc: Rpc) -> Any:
    """gRPC keeps the caller's own deadline on both ends, without a timer of ours: it cancels us."""
    try:
        return await inner(rpc)
    except anyio.get_cancelled_exc_class():
        if rpc.context.time_remaining() <= 0:
            rpc.code = grpc.StatusCode.DEADLINE_EXCEEDED.name
        raise


def authorised(find: FindCaller) -> Layer:
    """The caller of the call, if it may; `find` looks the caller up by the header that carries the token."""

    async def layer(inner: Inner, rpc: Rpc) -> Any:
        need = access.NEEDED.get(rpc.method.path)
        if need is not None and need.role is Role.OPEN:
            return await inner(rpc)
        who = await _caller(rpc, find)
        rpc.caller = who
        if need is None or who.role < need.role or (need.global_ and who.tenant):
            raise _denied(rpc.method.name, who, need)
        before = access.enter(who)
        try:
            return await inner(rpc)
        finally:
            access.leave(before)

    return layer


async def _caller(rpc: Rpc, find: FindCaller) -> Caller:
    given = next(
        (value for key, value in rpc.context.invocation_metadata() or () if key == "authorization"), ""
    )
    who = await find(given if isinstance(given, str) else given.decode("ascii", "replace"))
    if who is None:
        said = "the access token is not valid" if given else "the call carries no access token"
        hint = "it goes into the header `authorization` (tandemctl --token-file); the first one is <data_dir>/admin.token"
        raise ApiError(grpc.StatusCode.UNAUTHENTICATED, "NO_TOKEN", said, hint=hint)
    return who


def _denied(name: str, who: Caller, need: access.Need | None) -> ApiError:
    if need is None:
        said, hint = f"{name} can't be called", "it is not in the table of access"
    elif who.role < need.role:
        said = f"{name} needs the role {need.role.name.lower()}, and this token has {who.role.name.lower()}"
        hint = "use a token with a higher role (tandemctl system create-token)"
    else:
        said, hint = (
            f"{name} concerns all tenants, and this token is for {who.tenant}",
            "use a token for all tenants",
        )
    return ApiError(
        grpc.StatusCode.PERMISSION_DENIED, "DENIED", said, hint=hint, metadata={"token": who.token}
    )


def sound() -> Layer:
    """The request keeps the rules."""

    async def layer(inner: Inner, rpc: Rpc) -> Any:
        if isinstance(rpc.request, Message):
            rules.check(rpc.request)
        return await inner(rpc)

    return layer
