"""Access: every rpc of every service is in the one table of roles, and tokens are what they should be."""

from __future__ import annotations

import importlib.resources

import anyio
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from daemon.api import access
from daemon.api.access import NEEDED, Caller, Callers, Need, Role


def api_methods() -> dict[str, descriptor_pb2.MethodDescriptorProto]:
    """Every method of our API, by the path it is called under."""
    data = importlib.resources.files("tandem.v1").joinpath("descriptors.binpb").read_bytes()
    return {
        f"/{file.package}.{service.name}/{method.name}": method
        for file in descriptor_pb2.FileDescriptorSet.FromString(data).file
        for service in file.service
        for method in service.method
    }


def standard_methods() -> set[str]:
    return {
        f"/{service.full_name}/{method.name}"
        for module in (health_pb2, reflection_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


class Tokens:
    """A store with one token; `asked` counts."""

    def __init__(self) -> None:
        self.token = access.new_token()
        self.valid = True
        self.asked = 0
        self.now = 0.0
        self.header = f"Bearer {self.token.text}"

    async def find(self, hash_: bytes) -> Caller | None:
        self.asked += 1
        return Caller(self.token.id, Role.VIEWER) if self.valid and hash_ == self.token.hash else None

    def callers(self, known_max: int = 1000) -> Callers:
        return Callers(self.find, lambda: self.now, known_max)


@pytest.mark.anyio
async def test_a_token_is_asked_for_once_a_second_and_its_revocation_is_seen_then() -> None:
    tokens = Tokens()
    callers = tokens.callers()
    for _ in range(5):
        assert await callers.find(tokens.header) == Caller(tokens.token.id, Role.VIEWER)
    assert tokens.asked == 1
    tokens.valid = False  # by another process
    tokens.now += access.KNOWN_FOR_S - 0.01
    assert await callers.find(tokens.header) is not None
    tokens.now += 0.01
    assert await callers.find(tokens.header) is None
    assert access.KNOWN_FOR_S <= 1.0


@pytest.mark.anyio
async def test_a_token_that_is_revoked_here_is_forgotten_at_once() -> None:
    tokens = Tokens()
    callers = tokens.callers()
    assert await callers.find(tokens.header) is not None
    tokens.valid = False
    callers.forget()
    assert await callers.find(tokens.header) is None


@pytest.mark.anyio
async def test_what_was_read_before_a_revocation_is_not_kept() -> None:
    tokens = Tokens()
    read, go_on = anyio.Event(), anyio.Event()

    async def slow(hash_: bytes) -> Caller | None:
        found = await tokens.find(hash_)
        read.set()
        await go_on.wait()
        return found

    callers = Callers(slow, lambda: tokens.now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(callers.find, tokens.header)
        await read.wait()
        tokens.valid = False
        callers.forget()
        go_on.set()
    assert await callers.find(tokens.header) is None


@pytest.mark.anyio
async def test_what_is_no_valid_token_is_never_known_and_the_known_ones_are_bounded() -> None:
    tokens = Tokens()
    callers = tokens.callers(known_max=2)
    for header in ("", "Bearer x", f"Basic {tokens.token.text}"):
        assert await callers.find(header) is None
    assert tokens.asked == 0
    other = f"Bearer {access.new_token().text}"
    assert await callers.find(other) is None
    assert await callers.find(other) is None
    assert tokens.asked == 2
    for blanks in range(1, 7):  # one token under several headers
        assert await callers.find(f"Bearer{' ' * blanks}{tokens.token.text}") is not None
        assert len(callers._known) <= 2


def test_every_rpc_is_in_the_table_and_nothing_else_is() -> None:
    assert set(NEEDED) == set(api_methods()) | standard_methods()


def test_only_health_is_open() -> None:
    assert {path for path, need in NEEDED.items() if need.role is Role.OPEN} == {
        path for path in standard_methods() if path.startswith("/grpc.health")
    }


@pytest.mark.parametrize("path", sorted(api_methods()))
def test_looking_needs_a_viewer_and_changing_more(path: str) -> None:
    verb = path.rpartition("/")[2]
    looks = verb.startswith(("Get", "List", "Describe", "Check", "Watch", "Explain")) and verb != "ListTokens"
    assert (NEEDED[path].role is Role.VIEWER) == looks
    if verb.startswith(("Create", "Delete", "Update", "Revoke", "Drain")):
        assert NEEDED[path] in (Need(Role.ADMIN), Need(Role.ADMIN, global_=True))


def test_a_token_is_random_and_only_its_hash_is_kept() -> None:
    first, second = access.new_token(), access.new_token()
    assert first.text != second.text and first.text.startswith(f"tdm_{first.id}_")
    assert first.hash == access.token_hash(first.text)
    assert access.bearer(f"Bearer {first.text}") == first.text
    assert access.bearer(f"bearer  {first.text} ") == first.text


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic tdm_0123_" + "x" * 40, "tdm_0123_" + "x" * 40]
)
def test_other_headers_are_no_token(header: str) -> None:
    assert access.bearer(header) is None


def test_a_tenants_caller_sees_that_tenant_alone() -> None:
    assert Caller("t", Role.VIEWER).sees("acme")
    assert Caller("t", Role.VIEWER, "acme").sees("acme")
    assert not Caller("t", Role.ADMIN, "acme").sees("other")


def test_there_is_no_caller_outside_of_a_call() -> None:
    before = access.enter(Caller("t", Role.VIEWER))
    assert access.caller().token == "t"
    access.leave(before)
    with pytest.raises(LookupError):
        access.caller()
