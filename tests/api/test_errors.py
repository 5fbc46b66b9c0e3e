"""What callers are told: kind to status, details that programs read, and nothing internal."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from actors.core.errors import Kind, LeaseLost, Scope, TandemError
from daemon.api import errors
from daemon.api.errors import ApiError, Violation

CODES = {
    Kind.CONFIG: "FAILED_PRECONDITION",
    Kind.AUTH: "FAILED_PRECONDITION",
    Kind.TRANSIENT: "UNAVAILABLE",
    Kind.UNKNOWN: "ABORTED",
    Kind.RATE_LIMITED: "RESOURCE_EXHAUSTED",
    Kind.REJECTED: "FAILED_PRECONDITION",
    Kind.UNSAFE: "FAILED_PRECONDITION",
}


def details(error: ApiError, kind: Any) -> Any:
    """The detail of this type in the status as it travels, or None."""
    metadata = dict(errors.status(error).trailing_metadata)
    packed_status = metadata["grpc-status-details-bin"]
    assert isinstance(packed_status, bytes)
    for packed in status_pb2.Status.FromString(packed_status).details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


@pytest.mark.parametrize("kind", CODES)
def test_every_kind_has_its_status_and_reason(kind: Kind) -> None:
    told = errors.told(TandemError(kind, "it happened", hint="do this", scope=Scope.LINK))
    assert told is not None
    assert (told.code.name, told.reason, told.message) == (CODES[kind], kind.value.upper(), "it happened")
    info = details(told, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason, dict(info.metadata)) == (
        "tandem",
        kind.value.upper(),
        {"scope": "link"},
    )
    words = details(told, error_details_pb2.LocalizedMessage)
    assert (words.locale, words.message) == ("en", "do this")


@pytest.mark.parametrize(
    "error", [TandemError(Kind.BUG, "secret inner state"), KeyError("inner"), RuntimeError("x")]
)
def test_what_is_our_own_fault_leaves_as_an_id_alone(error: Exception) -> None:
    assert errors.told(error) is None
    told = errors.internal("abc123")
    assert told.code is grpc.StatusCode.INTERNAL
    assert (
        "abc123" in told.message
        and details(told, error_details_pb2.ErrorInfo).metadata["incident"] == "abc123"
    )


def test_a_wait_is_told_in_a_form_for_programs() -> None:
    told = errors.told(TandemError(Kind.RATE_LIMITED, "slowly", retry_after_s=1.5))
    assert told is not None
    assert details(told, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 1500


def test_a_lost_lease_is_aborted() -> None:
    told = errors.told(LeaseLost("x"))
    assert told is not None and told.code is grpc.StatusCode.ABORTED


def test_not_found_names_what_is_nearby() -> None:
    assert "orders" in errors.not_found("link", "odrers", ["orders", "articles"]).hint
    assert "articles, orders" in errors.not_found("link", "zzz", ["orders", "articles"]).hint
    assert "no link at all" in errors.not_found("link", "zzz").hint


def test_hundreds_of_faults_still_fit_into_a_trailer() -> None:
    faults = [Violation(f"blueprint:{line}", "there is no such field " + "x" * 60) for line in range(500)]
    error = errors.invalid(faults)
    metadata = dict(errors.status(error).trailing_metadata)
    assert len(metadata["grpc-status-details-bin"]) < 5000
    found = details(error, error_details_pb2.BadRequest).field_violations
    assert len(found) > 10
    assert found[0].field == "blueprint:0"
    assert found[-1].description == f"and {500 - len(found) + 1} more"


def test_secrets_in_a_message_are_struck_out() -> None:
    told = errors.told(TandemError(Kind.CONFIG, "can't reach postgresql://ann:hush@db/x", hint="token=hush"))
    assert told is not None
    status = errors.status(told)
    assert (
        "hush" not in status.details
        and b"hush" not in dict(status.trailing_metadata)["grpc-status-details-bin"]
    )
