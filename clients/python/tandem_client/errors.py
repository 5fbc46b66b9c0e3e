"""What can go wrong, as exceptions: a call that failed, and a run that did not end as wished.

Owns: reading the status and the google.rpc details of a failed call. Must not: call or retry anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tandem.v1 import runs_pb2

# The kinds of errors that the daemon names as the reason; each says what happens next.
DAEMON_KINDS = frozenset(
    ("config", "auth", "transient", "unknown", "rate_limited", "rejected", "unsafe", "bug")
)


@dataclass(frozen=True)
class Details:
    """What the daemon said about a failed call. `violations`: field and what is wrong with it."""

    reason: str = ""
    metadata: Mapping[str, str] | None = None
    hint: str = ""
    violations: tuple[tuple[str, str], ...] = ()


class TandemError(Exception):
    """A call that failed.

    `code`: the gRPC status. `kind`: one of DAEMON_KINDS where the daemon named one, else the status in lower case
    (`not_found`, `unavailable`, ...). `reason`: the daemon's word for it, for programs. `hint`: the way out, for people.
    `metadata`: what it is about (`link`, `record`, ...). `violations`: (field, description) of an invalid request.
    """

    def __init__(self, code: grpc.StatusCode, message: str, details: Details | None = None) -> None:
        found = details or Details()
        super().__init__(f"{message} ({found.hint})" if found.hint else message)
        self.code = code
        self.message = message
        self.reason = found.reason
        self.hint = found.hint
        self.metadata = dict(found.metadata or {})
        self.violations = found.violations

    @property
    def kind(self) -> str:
        named = (self.metadata.get("kind", ""), self.reason)
        return next((name.lower() for name in named if name.lower() in DAEMON_KINDS), self.code.name.lower())

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> TandemError:
        """From the exception that gRPC raises."""
        code = error.code()
        return cls(code, error.details() or code.name.lower(), _details(error))


class RunFailed(Exception):
    """A run that did not end as wished; `run` is its last state."""

    def __init__(self, run: runs_pb2.Run) -> None:
        super().__init__(f"run {run.id} ended {run.outcome}" + (f": {run.error}" if run.error else ""))
        self.run = run


def _details(error: grpc.aio.AioRpcError) -> Details:
    parts = list(_unpacked(error))
    info = next((part for part in parts if isinstance(part, error_details_pb2.ErrorInfo)), None)
    hints = (part.message for part in parts if isinstance(part, error_details_pb2.LocalizedMessage))
    violations = [
        (violation.field, violation.description)
        for part in parts
        if isinstance(part, error_details_pb2.BadRequest)
        for violation in part.field_violations
    ]
    return Details(
        reason=info.reason if info else "",
        metadata=dict(info.metadata) if info else {},
        hint=next(filter(None, hints), ""),
        violations=tuple(violations),
    )


def _unpacked(error: grpc.aio.AioRpcError) -> Iterator[Message]:
    status = _status(error)
    for packed in status.details if status else ():
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.LocalizedMessage,
        ):
            part = kind()
            if packed.Unpack(part):
                yield part


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == rpc_status.GRPC_DETAILS_METADATA_KEY and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return None
