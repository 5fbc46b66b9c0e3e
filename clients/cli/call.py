"""Calling methods by their path: channel, metadata, deadlines, pages.

Owns: everything that uses `grpc` to call. Must not: print, or know generated stubs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf.message import Message

from clients.cli import api
from clients.cli.api import Method
from clients.cli.errors import LAST_HINT, CallFailed, Failure
from clients.cli.facts import TIMEOUT_S
from clients.cli.shape import NEXT_TOKEN, TOKEN
from clients.cli.target import Target

_OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024), ("grpc.primary_user_agent", "tandemctl"))


@dataclass(frozen=True)
class Caller:
    """Calls methods of one daemon. Raises CallFailed."""

    channel: grpc.Channel
    target: Target

    def unary(self, method: Method, request: Message) -> Message:
        call = self.channel.unary_unary(method.path, _serialize, _parser(method))
        with self._translated():
            response: Message = call(request, timeout=self._deadline_s(request), metadata=self._metadata())
        return response

    def stream(self, method: Method, request: Message) -> Iterator[Message]:
        """The messages as they come; without a deadline."""
        call = self.channel.unary_stream(method.path, _serialize, _parser(method))
        with self._translated():
            yield from call(request, metadata=self._metadata())

    def all_pages(self, method: Method, request: Message) -> Message:
        """One answer made of all pages: lists joined in order, no token left."""
        whole = api.new(method.response)
        while True:
            page = self.unary(method, request)
            whole.MergeFrom(page)
            token = getattr(page, NEXT_TOKEN)
            if not token:
                whole.ClearField(NEXT_TOKEN)
                return whole
            if token == getattr(request, TOKEN):
                fault = Failure(
                    grpc.StatusCode.INTERNAL, "the daemon answered the same page twice", LAST_HINT
                )
                raise CallFailed(fault, self.target.output)
            setattr(request, TOKEN, token)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.target.token}"),) if self.target.token else ()

    def _deadline_s(self, request: Message) -> float:
        """A request that says how long the daemon may take (`timeout`) gets that time on top."""
        field = request.DESCRIPTOR.fields_by_name.get("timeout")
        if field is None or field.message_type is None:
            return self.target.timeout_s
        own_s: float = getattr(request, "timeout").ToTimedelta().total_seconds()  # noqa: B009  # not in Message's type
        return self.target.timeout_s + (own_s or TIMEOUT_S)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise CallFailed.of(error, self.target.address, self.target.output) from error


@contextmanager
def connect(target: Target) -> Iterator[Caller]:
    """Open a channel for the time of the block; nothing is sent before the first call."""
    with _channel(target) as channel:
        yield Caller(channel, target)


def _channel(target: Target) -> grpc.Channel:
    if not target.tls:
        return grpc.insecure_channel(target.address, _OPTIONS)
    credentials = grpc.ssl_channel_credentials(_read(target.ca), _read(target.key), _read(target.cert))
    return grpc.secure_channel(target.address, credentials, _OPTIONS)


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _parser(method: Method) -> Callable[[bytes], Message]:
    def parse(data: bytes) -> Message:
        message = api.new(method.response)
        message.ParseFromString(data)
        return message

    return parse
