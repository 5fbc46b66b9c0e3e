"""A daemon that answers as told: a real grpc.aio server on 127.0.0.1 that serves any service of a descriptor set.

Owns: remembering what it was asked, and refusing with real error details. Must not: know the commands.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from clients.cli.api import Api, Method

# What a method does with a request (of a dynamic type, hence Any): a message, now or awaited; for a stream an async
# iterator of messages.
Answer = Callable[[Any], Any]


class Refusal(Exception):
    """Raised by an answer: the call ends with this status and these details."""

    def __init__(self, code: grpc.StatusCode, message: str, *details: Message) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    @classmethod
    def as_the_daemon(
        cls, code: grpc.StatusCode, message: str, reason: str, hint: str, **where: str
    ) -> Refusal:
        """With the details that the daemon gives: ErrorInfo and the hint."""
        info = error_details_pb2.ErrorInfo(domain="tandem", reason=reason, metadata=where)
        return cls(code, message, info, error_details_pb2.LocalizedMessage(locale="en", message=hint))


@dataclass(frozen=True)
class Asked:
    """One call as it arrived; `remaining_s` is None where it had no deadline."""

    method: str
    request: Any
    metadata: Mapping[str, str]
    remaining_s: float | None


@dataclass
class FakeDaemon:
    """`answers`: `Service.Method` -> Answer. What is missing is UNIMPLEMENTED."""

    api: Api
    answers: dict[str, Answer]
    asked: list[Asked] = field(default_factory=list)
    address: str = ""

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    @property
    def names(self) -> list[str]:
        return [call.method for call in self.asked]

    def note(self, name: str, request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.asked.append(Asked(name, request, metadata, context.time_remaining()))


@asynccontextmanager
async def serving(
    daemon: FakeDaemon, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[FakeDaemon]:
    """Serve on a free port for the time of the block; sets `daemon.address`."""
    server = grpc.aio.server()
    for service in daemon.api.services:
        handlers = {
            method.name: _handler(daemon, f"{service.name}.{method.name}", method)
            for method in service.methods
            if f"{service.name}.{method.name}" in daemon.answers
        }
        generic = grpc.method_handlers_generic_handler(service.descriptor.full_name, handlers)
        server.add_generic_rpc_handlers((generic,))
    where = "127.0.0.1:0"
    port = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    daemon.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield daemon
    finally:
        await server.stop(grace=None)


def _handler(daemon: FakeDaemon, name: str, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
    async def unary(request: Any, context: Any) -> Any:
        daemon.note(name, request, context)
        try:
            answer = daemon.answers[name](request)
            return await answer if inspect.isawaitable(answer) else answer
        except Refusal as refusal:
            await _abort(context, refusal)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        daemon.note(name, request, context)
        try:
            async for message in daemon.answers[name](request):
                yield message
        except Refusal as refusal:
            await _abort(context, refusal)

    parse = message_factory.GetMessageClass(method.request).FromString
    if method.streams:
        return grpc.unary_stream_rpc_method_handler(stream, parse, _serialize)
    return grpc.unary_unary_rpc_method_handler(unary, parse, _serialize)


async def _abort(context: Any, refusal: Refusal) -> None:
    status = status_pb2.Status(code=refusal.code.value[0], message=refusal.message)
    for detail in refusal.details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort_with_status(rpc_status.to_status(status))


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
