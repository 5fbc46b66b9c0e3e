"""A refused or failed call ends with what the daemon said, one hint, and the exit status of its kind."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from clients.cli import errors, facts
from clients.cli.api import Api
from tests.cli.conftest import Run
from tests.cli.fakes import FakeDaemon, Refusal, serving

pytestmark = pytest.mark.anyio


def refusing(refusal: Refusal) -> dict[str, Any]:
    def answer(request: Any) -> Any:
        raise refusal

    return {"Links.GetLink": answer}


async def test_the_details_of_the_daemon_are_shown(schema: Api, tandemctl: Run) -> None:
    refusal = Refusal.as_the_daemon(
        grpc.StatusCode.FAILED_PRECONDITION,
        "setting url is missing",
        "CONFIG",
        "set it with connections update",
        link="l1",
    )
    async with serving(FakeDaemon(schema, refusing(refusal))) as daemon:
        result = await tandemctl("--address", daemon.address, "links", "get", "l1")
    assert result.exit_code == 5
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: setting url is missing [CONFIG]",
        "  link: l1",
        "hint: set it with connections update",
    ]


async def test_field_violations_and_links_are_shown(schema: Api, tandemctl: Run) -> None:
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="blueprint:3", description="no such lens"),
            error_details_pb2.BadRequest.FieldViolation(field="a", description="must not be empty"),
        ]
    )
    help_link = error_details_pb2.Help(
        links=[error_details_pb2.Help.Link(description="lenses", url="docs/LENSES.md")]
    )
    refusal = Refusal(grpc.StatusCode.INVALID_ARGUMENT, "2 faults", bad, help_link)
    async with serving(FakeDaemon(schema, refusing(refusal))) as daemon:
        result = await tandemctl("--address", daemon.address, "links", "get", "l1")
    assert result.exit_code == 5
    assert result.stderr.splitlines() == [
        "error: 2 faults [INVALID_ARGUMENT]",
        "  blueprint:3: no such lens",
        "  a: must not be empty",
        "hint: --help after the command shows what it takes; lenses: docs/LENSES.md",
    ]


async def test_errors_for_programs(schema: Api, tandemctl: Run) -> None:
    refusal = Refusal.as_the_daemon(
        grpc.StatusCode.NOT_FOUND, "no link l1", "NO_LINK", "see links list", link="l1"
    )
    async with serving(FakeDaemon(schema, refusing(refusal))) as daemon:
        result = await tandemctl("--address", daemon.address, "-o", "json", "links", "get", "l1")
    assert result.exit_code == 3
    assert json.loads(result.stderr) == {
        "error": "no link l1",
        "code": "NOT_FOUND",
        "reason": "NO_LINK",
        "metadata": {"link": "l1"},
        "violations": [],
        "hint": "see links list",
    }


@pytest.mark.parametrize(
    "code, status",
    [
        (grpc.StatusCode.NOT_FOUND, 3),
        (grpc.StatusCode.UNAUTHENTICATED, 4),
        (grpc.StatusCode.PERMISSION_DENIED, 4),
        (grpc.StatusCode.INVALID_ARGUMENT, 5),
        (grpc.StatusCode.FAILED_PRECONDITION, 5),
        (grpc.StatusCode.ABORTED, 5),
        (grpc.StatusCode.UNAVAILABLE, 6),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 6),
        (grpc.StatusCode.INTERNAL, 70),
        (grpc.StatusCode.DATA_LOSS, 70),
    ],
)
async def test_exit_status_and_a_hint_without_details(
    schema: Api, tandemctl: Run, code: grpc.StatusCode, status: int
) -> None:
    async with serving(FakeDaemon(schema, refusing(Refusal(code, "refused")))) as daemon:
        result = await tandemctl("--address", daemon.address, "links", "get", "l1")
    assert result.exit_code == status
    assert status in facts.EXIT_STATUS
    assert "refused" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")


async def test_nobody_answers(tandemctl: Run, free_port: int) -> None:
    result = await tandemctl("--address", f"127.0.0.1:{free_port}", "links", "list")
    assert result.exit_code == 6
    assert f"no answer from 127.0.0.1:{free_port}" in result.stderr
    assert "hint: is tandemd running there?" in result.stderr


async def test_an_answer_that_comes_too_late(schema: Api, tandemctl: Run, free_port: int) -> None:
    import socket

    # Accepts, and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        result = await tandemctl("--address", address, "--timeout", "200ms", "links", "list")
    assert result.exit_code == 6
    assert "--timeout" in result.stderr or "running there" in result.stderr


async def test_a_method_the_daemon_does_not_know(schema: Api, tandemctl: Run) -> None:
    async with serving(FakeDaemon(schema, {})) as daemon:
        result = await tandemctl("--address", daemon.address, "links", "list")
    assert result.exit_code == 70
    assert "different versions" in result.stderr


def test_every_status_has_a_hint() -> None:
    for code in grpc.StatusCode:
        failure = errors.Failure(code, "m", errors.hint_for(code))
        assert errors.as_text(failure).splitlines()[-1] != "hint: "
