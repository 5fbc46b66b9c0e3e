"""Taking calls over real HTTP: nobody is told "accepted" before the hint is stored, and what strangers send
does no harm.

The store is the in-memory one; the whole, with real systems behind it, is in tests/spec/test_webhooks.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import POKED, Hint
from actors.messages import WORK
from actors.ports import LinkRow, Webhook
from clients.connectors.webhook import Said
from daemon import http, webhooks
from daemon.metrics import Metrics
from daemon.store.rows import CalledRow
from daemon.webhooks import Bucket, Receiver, hints_of
from daemon.wiring import Blueprints
from tests.core.blueprint_samples import compiled
from tests.fakes.store import MemoryStore
from tests.spec.systems import blueprint

pytestmark = pytest.mark.anyio
DECLARED = Webhook("token", header="X-Token", object="json:object", ids="json:ids.*", event="json:event")
GOOD = {"X-Token": "s"}


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def token(self) -> str:
        return "0"

    def jitter(self) -> float:
        return 0.5


class World:
    """A receiver behind HTTP; `counted`: (object, fate) of every call that is noted, `woken`: pokes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.store.add_link(LinkRow("l1", "t", "l1", "c1", "c2", blueprint=blueprint(orders=True)))
        self.store.add_link(LinkRow("broken", "t", "broken", "c1", "c3", blueprint="kind: other"))
        self.counted: list[tuple[str, str]] = []
        self.woken: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.declared: Webhook | None = DECLARED
        self.url = ""

    async def called(self, path: str) -> CalledRow | None:
        return CalledRow("c1", "t", "csv", "s") if path == "known" else None

    async def declares(self, who: CalledRow) -> Webhook | None:
        return self.declared

    async def count_call(self, connection: str, object_name: str, fate: str, trouble: str = "") -> None:
        self.counted.append((object_name, fate))

    def emit(self, action: str, **fields: Any) -> None:
        self.told.append(fields["outcome"])

    def wake(self, link: str, poke: str) -> None:
        # Nobody is woken, and nobody told, before it is stored.
        assert self.store.links[link].inbox
        self.woken.append((link, poke))

    def inbox(self) -> list[Hint]:
        return sorted(self.store.links["l1"].inbox.values(), key=lambda hint: hint.seq)

    async def post(self, path: str = "known/KUNDEN", data: Any = b"{}", **headers: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session:
            request = session.post(f"{self.url}/hooks/{path}", data=data, headers={**GOOD, **headers})
            async with request as answer:
                return answer.status, (await answer.text()).strip()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with served(World()) as made:
        yield made


@asynccontextmanager
async def served(world: World) -> AsyncIterator[World]:
    receiver = Receiver(world, world.store, Blueprints(), world.clock, world, world.declares, world.wake)

    async def nobody_asks() -> Any:
        raise AssertionError("nobody asks for health")

    app = http.application(Metrics("0"), nobody_asks, lambda: True, lambda: 0, receiver.receive)
    async with http.serving(app, "127.0.0.1", 0) as port:
        world.url = f"http://127.0.0.1:{port}"
        yield world


async def test_ids_become_hints_and_repeated_ones_one(world: World) -> None:
    body = b'{"ids": ["K1", "K2"]}'
    for _ in range(3):
        assert await world.post(data=body) == (200, "accepted")
    assert [(hint.stream, hint.side, hint.id, hint.reason) for hint in world.inbox()] == [
        ("customers", "a", "K1", "changed"),
        ("customers", "a", "K2", "changed"),
    ]
    assert set(world.woken) == {("l1", WORK)}
    assert world.counted == [("KUNDEN", "accepted")] * 3


async def test_what_is_not_understood_is_a_look_for_changes(world: World) -> None:
    for path, body, streams in (
        ("known/KUNDEN", b"<changed/>", ["customers"]),
        ("known", b'{"object": "AUFTRAEGE"}', ["orders"]),
        ("known", b'{"ids": ["K1"]}', ["customers", "orders"]),
    ):
        world.store.links["l1"].inbox.clear()
        assert await world.post(path, body) == (200, "accepted")
        assert sorted((hint.stream, hint.id, hint.reason) for hint in world.inbox()) == [
            (stream, "", POKED) for stream in streams
        ]
        assert world.woken[-1] == ("l1", WORK)


async def test_a_call_by_get(world: World) -> None:
    world.declared = Webhook(ids="query:id")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.url}/hooks/known/KUNDEN?id=K7") as answer,
    ):
        assert answer.status == 200
    assert [hint.id for hint in world.inbox()] == ["K7"]


async def test_forged_ones_are_refused_and_counted(world: World) -> None:
    assert (await world.post(**{"X-Token": "guess"}))[0] == 401
    assert (await world.post("known/NOBODYS", **{"X-Token": ""}))[0] == 401
    assert world.inbox() == [] and world.woken == []
    assert world.counted == [("KUNDEN", "refused"), ("", "refused")]


async def test_an_address_that_there_is_not(world: World) -> None:
    assert (await world.post("guess/KUNDEN"))[0] == 404
    world.declared = None
    assert (await world.post())[0] == 404
    assert world.inbox() == [] and world.counted == []


async def test_nothing_but_get_and_post(world: World) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{world.url}/hooks/known", data=b"{}") as answer,
    ):
        assert answer.status == 405


async def test_what_is_too_large(world: World) -> None:
    assert (await world.post(data=b"x" * (http.BODY_SIZE_MAX + 1)))[0] == 413
    assert world.inbox() == []


async def test_an_object_that_nobody_keeps_in_step(world: World) -> None:
    for name in ("INVOICES", "%2e%2e%2f", "x" * 300):
        assert await world.post(f"known/{name}") == (200, "nothing to do")
    assert world.inbox() == [] and set(world.counted) == {("", "ignored")}


async def test_not_before_it_is_stored(world: World) -> None:
    async def away(name: str) -> None:
        if name == "add_hints":
            raise TandemError(Kind.TRANSIENT, "the store is away")

    world.store.step = away
    assert await world.post(data=b'{"ids": ["K1"]}') == (503, "not now")
    assert world.woken == [] and world.counted == []
    world.store.step = None
    assert (await world.post(data=b'{"ids": ["K1"]}'))[0] == 200


async def test_too_many_calls_are_told_when_to_come_again(world: World) -> None:
    world.clock.at += 3600
    found = [await world.post("guess") for _ in range(int(webhooks.STRANGERS_BURST) + 5)]
    assert [status for status, _ in found][-5:] == [429] * 5
    assert (await world.post())[0] == 429  # nobody has called there before: it may be a guess too
    world.clock.at += 1
    assert (await world.post())[0] == 200
    assert (await world.post("guess"))[0] == 404
    for _ in range(10):
        await world.post("guess")
    assert (await world.post("guess"))[0] == 429
    assert (await world.post())[0] == 200  # an address that there is has its own limit
    assert "limited" in world.told


def test_a_bucket() -> None:
    bucket = Bucket(2.0, 3.0)
    assert [bucket.wait_s(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.wait_s(0.5) == 0.0
    assert bucket.wait_s(0.5) == 0.5
    assert [bucket.wait_s(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


TRIGGERS: list[tuple[Any, Said, list[tuple[str, str]]]] = [
    (None, Said("KUNDEN", ("K1",), "created"), [("customers", "K1")]),
    (["created"], Said("KUNDEN", ("K1",), "created"), [("customers", "K1")]),
    (["created"], Said("KUNDEN", ("K1",), "deleted"), []),
    (["created"], Said("KUNDEN", ("K1",)), [("customers", "K1")]),  # it does not say what happened
    ([], Said("KUNDEN", ("K1",), "created"), []),
    (["created"], Said("", (), "deleted"), [("orders", "")]),
]


@pytest.mark.parametrize("events, one, wanted", TRIGGERS)
def test_which_events_trigger(events: Any, one: Said, wanted: list[tuple[str, str]]) -> None:
    spec = compiled(lambda data: data["streams"]["customers"].update(triggers={"a": events}))
    assert [(hint.stream, hint.id) for hint in hints_of(spec, "a", one)] == wanted
    assert hints_of(spec, "b", Said("KUNDEN", ("K1",))) == []
