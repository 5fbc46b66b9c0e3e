"""What a caller is told when a call fails: error kinds to gRPC status, with machine-readable details and a hint.

Owns the one translation (DESIGN: error kinds). Nothing internal leaves: what is our own fault is an id that is in the log.
Must not: call anything, or put values of settings into a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

import grpc
import msgspec
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from actors.core.errors import Kind, LeaseLost, TandemError
from actors.runtime.mailbox import MailboxClosed, MailboxFull
from daemon.log import redacted_text
from daemon.store.rows import Missing, Refused, Taken

DOMAIN: Final = "tandem"
# Status details travel in a trailer, of which clients take 8 KB in all, in base64.
DETAILS_SIZE_MAX: Final = 4096
MESSAGE_SIZE_MAX: Final = 1000
NEARBY_MAX: Final = 5

_OF_KIND: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.CONFIG: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.AUTH: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.TRANSIENT: grpc.StatusCode.UNAVAILABLE,
    Kind.UNKNOWN: grpc.StatusCode.ABORTED,
    Kind.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.REJECTED: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.UNSAFE: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.BUG: grpc.StatusCode.INTERNAL,
}
# Where the error brings no hint of its own, and what a client would say of the status would mislead: the daemon is there.
_HINT_OF_KIND: Final[Mapping[Kind, str]] = {
    Kind.TRANSIENT: "the daemon answers, that system doesn't: is its address right, and is it up? Then repeat the command",
}
_OF_REFUSAL: Final[Mapping[type[TandemError], tuple[grpc.StatusCode, str]]] = {
    Missing: (grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
    Taken: (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS"),
    Refused: (grpc.StatusCode.FAILED_PRECONDITION, "REFUSED"),
}


class Violation(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request. `field`: its path, as in "blueprint:12" (line) or "page_size"."""

    field: str
    message: str


class ApiError(Exception):
    """A call that is refused. `reason`: a fixed word for programs; `metadata`: the things it is about."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        hint: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.hint = hint
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


def invalid(violations: Sequence[Violation], message: str = "", hint: str = "") -> ApiError:
    """The request itself is wrong; every fault of it."""
    said = message or "; ".join(f"{one.field}: {one.message}" for one in violations[:3])
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, "INVALID", said, hint=hint, violations=violations)


def not_found(what: str, name: str, nearby: Iterable[str] = ()) -> ApiError:
    """No such thing (that the caller may see); names what exists nearby."""
    known = sorted(set(nearby))
    close = get_close_matches(name, known, n=NEARBY_MAX) or known[:NEARBY_MAX]
    hint = f"there is {', '.join(close)}" if close else f"there is no {what} at all that this token can see"
    return ApiError(
        grpc.StatusCode.NOT_FOUND,
        "NOT_FOUND",
        f"there is no {what} {name!r}",
        hint=hint,
        metadata={what: name},
    )


def exists(what: str, name: str, message: str, hint: str, **metadata: str) -> ApiError:
    """It is there already; names the other one."""
    return ApiError(
        grpc.StatusCode.ALREADY_EXISTS,
        "ALREADY_EXISTS",
        message,
        hint=hint,
        metadata={what: name, **metadata},
    )


def precondition(
    reason: str, message: str, hint: str, violations: Sequence[Violation] = (), **metadata: str
) -> ApiError:
    """Well said, but not possible as things stand."""
    return ApiError(
        grpc.StatusCode.FAILED_PRECONDITION,
        reason,
        message,
        hint=hint,
        metadata=metadata,
        violations=violations,
    )


def told(error: BaseException) -> ApiError | None:
    """What the caller is told of `error`; None where it is our own fault and only an id may leave."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Missing | Taken | Refused):
        code, reason = _OF_REFUSAL[type(error)]
        return ApiError(code, reason, error.message, hint=error.hint)
    if isinstance(error, TandemError):
        return None if error.kind is Kind.BUG else _of(error)
    if isinstance(error, LeaseLost):
        return ApiError(
            grpc.StatusCode.ABORTED,
            "LEASE_LOST",
            "another process took over the link",
            hint="repeat the command",
        )
    if isinstance(error, MailboxFull):
        return ApiError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "BUSY",
            "too many requests wait already",
            hint="repeat it later",
        )
    if isinstance(error, MailboxClosed):
        return ApiError(
            grpc.StatusCode.UNAVAILABLE, "RESTARTING", "the actor is being restarted", hint="repeat it"
        )
    return None


def internal(incident: str) -> ApiError:
    """Our own fault. `incident`: the id under which the log says more."""
    return ApiError(
        grpc.StatusCode.INTERNAL,
        "BUG",
        f"an internal error happened (incident {incident})",
        hint=f"the daemon's log says more about incident {incident}",
        metadata={"incident": incident},
    )


def _of(error: TandemError) -> ApiError:
    return ApiError(
        _OF_KIND[error.kind],
        error.kind.value.upper(),
        error.message,
        hint=error.hint or _HINT_OF_KIND.get(error.kind, ""),
        metadata={"scope": error.scope.value},
        retry_after_s=error.retry_after_s,
    )


def status(error: ApiError) -> grpc.Status:
    """The gRPC status with google.rpc details, small enough for every client."""
    message = redacted_text(error.message)[:MESSAGE_SIZE_MAX]
    details = [
        _packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=_short(error)))
    ]
    if error.hint:
        hint = redacted_text(error.hint)[:MESSAGE_SIZE_MAX]
        details.append(_packed(error_details_pb2.LocalizedMessage(locale="en", message=hint)))
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(error.retry_after_s * 1000))
        details.append(_packed(retry))
    room = DETAILS_SIZE_MAX - len(message.encode()) - sum(one.ByteSize() for one in details)
    if error.violations:
        details.append(_packed(_bad_request(error.violations, room)))
    code = error.code.value[0]
    found: grpc.Status = rpc_status.to_status(status_pb2.Status(code=code, message=message, details=details))
    return found


def _short(error: ApiError) -> dict[str, str]:
    return {key: redacted_text(value)[:200] for key, value in error.metadata.items()}


def _bad_request(violations: Sequence[Violation], room: int) -> error_details_pb2.BadRequest:
    """As many violations as fit; the last one then says how many more there are."""
    bad = error_details_pb2.BadRequest()
    for number, one in enumerate(violations):
        said = redacted_text(one.message)[:MESSAGE_SIZE_MAX]
        if bad.ByteSize() + len(one.field.encode()) + len(said.encode()) + 100 > max(room, 600) and number:
            bad.field_violations.add(field="", description=f"and {len(violations) - number} more")
            break
        bad.field_violations.add(field=one.field, description=said)
    return bad


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
