"""The channel to a daemon: TLS, token, default deadline, retries of reads, errors as TandemError.

Owns: everything that happens around a call. Must not: know what a call means.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from tandem_client.errors import TandemError

# Names of methods that only look: asking twice does no harm.
_READS = ("Get", "List", "Describe", "Check", "Watch")
_RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


@dataclass(frozen=True)
class Tls:
    """PEM bytes. `ca`: whom to trust (None: the system's certificates); `cert` and `key`: who we are, for mutual TLS."""

    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None


def open_channel(
    address: str,
    *,
    services: Iterable[ServiceDescriptor],
    token: str | None,
    tls: Tls | None,
    timeout_s: float,
) -> grpc.aio.Channel:
    """A channel whose calls carry the token and a deadline, retry reads and raise TandemError. Connects when first used."""
    options = (
        ("grpc.service_config", service_config(services)),
        ("grpc.primary_user_agent", "tandem-client"),
        ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    )
    interceptors = [_Unary(token, timeout_s), _Stream(token)]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.cert)
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


def service_config(services: Iterable[ServiceDescriptor]) -> str:
    """gRPC's retry settings: reads alone, when the daemon can't be reached. A write might have been done already."""
    reads = [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if method.name.startswith(_READS)
    ]
    return json.dumps({"methodConfig": [{"name": reads, "retryPolicy": _RETRY_POLICY}]})


def _with_token(details: grpc.aio.ClientCallDetails, token: str | None) -> grpc.aio.Metadata:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if token is not None and metadata.get("authorization") is None:
        metadata.add("authorization", f"Bearer {token}")
    return metadata


def _changed(
    details: grpc.aio.ClientCallDetails, token: str | None, timeout_s: float | None
) -> grpc.aio.ClientCallDetails:
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=timeout_s if details.timeout is None else details.timeout,
        metadata=_with_token(details, token),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str | None, timeout_s: float) -> None:
        self._token = token
        self._timeout_s = timeout_s

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        call = await continuation(_changed(client_call_details, self._token, self._timeout_s), request)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise TandemError.of(error) from error
        return call


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, token: str | None) -> None:
        self._token = token

    async def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        # No deadline: a stream lasts as long as what it shows.
        call = await continuation(_changed(client_call_details, self._token, None), request)
        return _translated(call)


async def _translated(call: Any) -> AsyncIterator[Any]:
    try:
        async for message in call:
            yield message
    except grpc.aio.AioRpcError as error:
        raise TandemError.of(error) from error
