"""A failed call -> what the user reads and the exit status. Every error ends with a hint.

Owns: status to exit status, reading google.rpc details. Must not: call anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

import click
import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from clients.cli import facts, text

_EXIT_STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.NOT_FOUND: 3,
    grpc.StatusCode.UNAUTHENTICATED: 4,
    grpc.StatusCode.PERMISSION_DENIED: 4,
    grpc.StatusCode.INVALID_ARGUMENT: 5,
    grpc.StatusCode.FAILED_PRECONDITION: 5,
    grpc.StatusCode.ALREADY_EXISTS: 5,
    grpc.StatusCode.OUT_OF_RANGE: 5,
    grpc.StatusCode.ABORTED: 5,
    grpc.StatusCode.UNAVAILABLE: 6,
    grpc.StatusCode.DEADLINE_EXCEEDED: 6,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 6,
    grpc.StatusCode.CANCELLED: 6,
}
_HINTS: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.NOT_FOUND: "the matching `list` command shows what there is; --tenant looks in another tenant",
    grpc.StatusCode.UNAUTHENTICATED: "give an access token: --token-file, or the variable TANDEM_TOKEN",
    grpc.StatusCode.PERMISSION_DENIED: "use a token with a higher role, or of the right tenant",
    grpc.StatusCode.INVALID_ARGUMENT: "--help after the command shows what it takes",
    grpc.StatusCode.FAILED_PRECONDITION: "look at the present state with the matching `get` command",
    grpc.StatusCode.ALREADY_EXISTS: "choose another name, or use the one that exists",
    grpc.StatusCode.OUT_OF_RANGE: "--help after the command shows what it takes",
    grpc.StatusCode.ABORTED: "look first whether it has happened all the same, then repeat the command",
    grpc.StatusCode.UNAVAILABLE: "is tandemd running there? --address or TANDEM_ADDRESS names another place",
    grpc.StatusCode.DEADLINE_EXCEEDED: "it may still have happened: look, then repeat with a longer --timeout",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "repeat the command later",
    grpc.StatusCode.CANCELLED: "repeat the command",
    grpc.StatusCode.UNIMPLEMENTED: "this tandemctl and the daemon are of different versions: install the daemon's own",
}
LAST_HINT = "the daemon's log says more"


@dataclass(frozen=True)
class Failure:
    """What a failed call said. `metadata` and `violations` (field, description) come from the details."""

    code: grpc.StatusCode
    message: str
    hint: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class CallFailed(click.ClickException):
    """A call that the daemon refused, or that did not reach it."""

    def __init__(self, failure: Failure, output: str) -> None:
        super().__init__(failure.message)
        self.failure = failure
        # click types it as a constant of the class.
        vars(self)["exit_code"] = _EXIT_STATUS.get(failure.code, facts.INTERNAL)
        self._output = output

    @classmethod
    def of(cls, error: grpc.RpcError, address: str, output: str) -> CallFailed:
        return cls(failure_of(error, address), output)

    def show(self, file: IO[Any] | None = None) -> None:
        shown = as_json(self.failure) if self._output == "json" else as_text(self.failure)
        click.echo(shown, file=file, err=file is None)


def failure_of(error: grpc.RpcError, address: str) -> Failure:
    """Read status and details of a failed call."""
    # grpc promises an RpcError, and gives one that is the finished Call too.
    call = cast(grpc.Call, error)
    code, message = call.code(), call.details() or call.code().name.lower()
    details = list(_details(call))
    info = next((part for part in details if isinstance(part, error_details_pb2.ErrorInfo)), None)
    if code is grpc.StatusCode.UNAVAILABLE and info is None:
        message = f"no answer from {address}: {message}"
    words = [part.message for part in details if isinstance(part, error_details_pb2.LocalizedMessage)]
    return Failure(
        code=code,
        message=message,
        hint=next(filter(None, words), hint_for(code)),
        reason=info.reason if info else "",
        metadata=dict(info.metadata) if info else {},
        violations=tuple(_violations(details)),
        links=tuple(_links(details)),
    )


def hint_for(code: grpc.StatusCode) -> str:
    """The way on where the daemon did not name one."""
    return _HINTS.get(code, LAST_HINT)


def _details(error: grpc.Call) -> Iterable[Message]:
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        # The details contradict the status: somebody else's; the status counts.
        return
    for packed in status.details if status else ():
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.LocalizedMessage,
            error_details_pb2.Help,
        ):
            part = kind()
            if packed.Unpack(part):
                yield part


def _violations(details: Iterable[Message]) -> Iterable[tuple[str, str]]:
    for part in details:
        if isinstance(part, error_details_pb2.BadRequest):
            yield from ((each.field, each.description) for each in part.field_violations)


def _links(details: Iterable[Message]) -> Iterable[tuple[str, str]]:
    for part in details:
        if isinstance(part, error_details_pb2.Help):
            yield from ((each.description, each.url) for each in part.links)


def as_text(failure: Failure) -> str:
    """`error:`, then what the details add, then one `hint:`."""
    name = failure.reason or failure.code.name
    lines = [f"error: {failure.message} [{name}]"]
    said = [f"{where}: {what}" if where else what for where, what in failure.violations]
    # One fault alone is mostly the message itself.
    lines += [f"  {one}" for one in said if len(said) > 1 or one not in failure.message]
    lines += [f"  {key}: {value}" for key, value in sorted(failure.metadata.items())]
    hint = "; ".join([failure.hint, *(": ".join(filter(None, link)) for link in failure.links)])
    return text.printable("\n".join([*lines, f"hint: {hint}"]))


def as_json(failure: Failure) -> str:
    """The same for programs, as one line."""
    violations = [{"field": where, "description": what} for where, what in failure.violations]
    return json.dumps(
        {
            "error": failure.message,
            "code": failure.code.name,
            "reason": failure.reason,
            "metadata": dict(failure.metadata),
            "violations": violations,
            "hint": failure.hint,
        }
    )
