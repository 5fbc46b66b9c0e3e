"""Tokens that outlive the process: kept before they are used, renewed by one at a time, and never lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from aiohttp import web

from actors.core.errors import Kind, TandemError
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.kept import Held, Kept
from clients.connectors.http.wire import HttpError, Request
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio
Open = Callable[["Place"], HttpClient]
LIST = Request(doing="list things", path="things")


class Vendor:
    """Takes each refresh token once, and the first one too."""

    def __init__(self, stand: Stand) -> None:
        self.refresh, self.access, self.drawn = "first", "", 0
        self.held: anyio.Event | None = None  # an answer is held back until it is set
        self.asked = anyio.Event()
        stand.answer = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/token":
            ok = request.headers.get("Authorization") == f"Bearer {self.access}"
            return web.json_response({}, status=200 if ok else 401)
        form = await request.post()
        if form["refresh_token"] != self.refresh:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.drawn += 1
        self.refresh, self.access = f"refresh-{self.drawn}", f"access-{self.drawn}"
        told = {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 3600}
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        return web.json_response(told)


class Place:
    """A keeper that many share, as the database is; it may be away."""

    def __init__(self) -> None:
        self.held = Held()
        self.turn = False
        self.away = 0
        self.stored: list[str] = []

    async def load(self, of: str) -> Held:
        return self.held

    async def begin(self, of: str, number: int) -> bool:
        if self.turn or number != self.held.number:
            return False
        self.turn, self.held = True, Held(self.held.kept, number, True)
        return True

    async def store(self, of: str, kept: Kept) -> int:
        if self.away:
            self.away -= 1
            raise TandemError(Kind.TRANSIENT, "the store can't be reached")
        self.turn, self.held = False, Held(kept, self.held.number + 1)
        self.stored.append(kept.token)
        return self.held.number

    async def release(self, of: str) -> None:
        self.turn = False


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


@pytest.fixture
async def vendor(stand: Stand) -> Vendor:
    return Vendor(stand)


@pytest.fixture
async def process(stand: Stand) -> AsyncIterator[Open]:
    """Opens the account as another process would."""
    opened: list[HttpClient] = []

    def open_(place: Place) -> HttpClient:
        given = auth.refreshed(f"{stand.url}/token", "me", "", "first")
        opened.append(HttpClient("books", stand.url, auth=given, keeper=place))
        return opened[-1]

    yield open_
    for one in opened:
        await one.aclose()


async def test_redteam_24_a_restart_goes_on_with_what_was_kept(process: Open, vendor: Vendor) -> None:
    place = Place()
    await process(place).json(LIST)
    await process(place).json(LIST)
    assert vendor.drawn == 1, "a token that lives is not drawn again"
    vendor.access = "void"
    await process(place).json(LIST)
    assert (vendor.drawn, place.stored) == (2, ["access-1", "access-2"])


async def test_redteam_24_a_token_is_kept_before_it_is_used_and_not_lost_where_that_fails(
    process: Open, stand: Stand, vendor: Vendor
) -> None:
    place = Place()
    place.away = 1
    one = process(place)
    with pytest.raises(HttpError, match="the store can't be reached") as caught:
        await one.json(LIST)
    assert caught.value.kind is Kind.TRANSIENT
    assert "/things" not in [told.path for told in stand.came], "it was used before it was kept"
    await one.json(LIST)
    assert (vendor.drawn, place.stored) == (1, ["access-1"]), "the same one, for there is no other"


async def test_redteam_24_of_many_who_open_the_account_one_renews(process: Open, vendor: Vendor) -> None:
    place = Place()
    processes = [process(place) for _ in range(3)]
    for _ in range(2):
        vendor.access = "void"
        async with anyio.create_task_group() as group:
            for one in processes:
                group.start_soon(one.json, LIST)
    assert place.stored == ["access-1", "access-2"]


async def test_redteam_24_who_is_cut_off_still_keeps_the_answer(process: Open, vendor: Vendor) -> None:
    place, vendor.held = Place(), anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(process(place).json, LIST)
        await vendor.asked.wait()
        group.cancel_scope.cancel()
        vendor.held.set()
    assert place.stored == ["access-1"]
    await process(place).json(LIST)


async def test_redteam_24_where_an_answer_was_lost_with_the_process_that_is_said(
    process: Open, vendor: Vendor
) -> None:
    place = Place()
    await place.begin("", 0)
    place.turn, vendor.refresh = False, "nobody heard of it"
    with pytest.raises(HttpError, match="the answer to a renewal was lost") as caught:
        await process(place).json(LIST)
    assert caught.value.kind is Kind.AUTH and "new credentials" in caught.value.hint
