"""Log-ins: one at a time, drawn anew once, never in a loop, and tokens that end, rotate or live in a cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from actors.core.errors import Kind
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.wire import HttpError, Request
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio

LIST = Request(doing="list things", path="things")
LOG_IN = Request(doing="log in", method="POST", path="login", json={"key": "the-key"}, writes=False)
REFRESH = Request(doing="log in", method="POST", path="refresh", writes=False)


class Shop:
    """A system with one session at a time: each log-in ends the one before."""

    def __init__(self, stand: Stand) -> None:
        self.log_ins = 0
        self.refreshes = 0
        self.living: set[str] = set()
        self.answers: dict[str, Any] = {}
        self.refuses_log_in = 0
        stand.answer = self.handle

    def draw(self) -> str:
        token = f"token-{self.log_ins + self.refreshes}"
        self.living = {token}
        return token

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/logout":
            self.living.clear()
            return web.Response(status=204)
        if request.path in ("/login", "/refresh"):
            await anyio.lowlevel.checkpoint()
            if request.path == "/login":
                self.log_ins += 1
                if self.refuses_log_in:
                    return web.json_response({"message": "wrong the-key"}, status=self.refuses_log_in)
            else:
                self.refreshes += 1
                if self.answers.get("refuse"):
                    return web.json_response({"error": "used up"}, status=401)
            token = self.draw()
            answer = web.json_response({"access_token": token, "refresh_token": "refresh-1", **self.answers})
            answer.set_cookie("SID", token)
            return answer
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.cookies.get("SID")
        return web.json_response({"you": shown}, status=200 if shown in self.living else 401)


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


@pytest.fixture
async def shop(stand: Stand) -> Shop:
    return Shop(stand)


async def test_many_at_once_log_in_once(stand: Stand, shop: Shop) -> None:
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN))
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(client.json, LIST)
    assert shop.log_ins == 1
    await client.aclose()


async def test_a_session_that_was_ended_is_begun_again_once(stand: Stand, shop: Shop) -> None:
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN))
    await client.json(LIST)
    shop.living.clear()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(client.json, LIST)
    assert shop.log_ins == 2
    await client.aclose()


async def test_a_token_that_is_never_accepted_is_auth(stand: Stand, shop: Shop) -> None:
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN, place={"X-Wrong": "{token}"}))
    with pytest.raises(HttpError) as caught:
        await client.json(LIST)
    assert caught.value.kind is Kind.AUTH
    assert shop.log_ins == 2
    assert len(stand.came) == 4
    await client.aclose()


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_log_in_that_is_refused(stand: Stand, shop: Shop, status: int) -> None:
    shop.refuses_log_in = status
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN, secrets=("the-key",)))
    with pytest.raises(HttpError) as caught:
        await client.json(LIST)
    assert caught.value.kind is Kind.AUTH
    assert "wrong ***" in caught.value.message
    assert len(stand.came) == 1
    await client.aclose()


async def test_a_log_in_without_a_token_is_auth(stand: Stand) -> None:
    stand.says(200, {"IsError": True})
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN))
    with pytest.raises(HttpError, match="without a token") as caught:
        await client.json(LIST)
    assert caught.value.kind is Kind.AUTH
    stand.says(200, "<html>sign in")
    with pytest.raises(HttpError, match="HTML") as caught:
        await client.json(LIST)
    assert caught.value.kind is Kind.TRANSIENT
    await client.aclose()


async def test_a_token_that_ends_is_renewed_before(stand: Stand, shop: Shop) -> None:
    shop.answers = {"expires_in": "0"}  # a text, as some send it
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN, lambda token: REFRESH))
    await client.json(LIST)
    await client.json(LIST)
    assert (shop.log_ins, shop.refreshes) == (1, 1)
    shop.answers = {"refuse": True}
    await client.json(LIST)
    assert (shop.log_ins, shop.refreshes) == (2, 2), "a refresh token that is used up is followed by a log-in"
    await client.aclose()


async def test_the_session_may_live_in_a_cookie(stand: Stand, shop: Shop) -> None:
    places = auth.TokenPlaces(cookie="SID")
    client = HttpClient(
        "shop", stand.url, auth=auth.logged_in(LOG_IN, places=places, place={"Cookie": "SID={token}"})
    )
    assert (await client.json(LIST)) == {"you": "token-1"}
    await client.aclose()


async def test_whoever_leaves_logs_out(stand: Stand, shop: Shop) -> None:
    log_out = Request(doing="log out", method="POST", path="logout", writes=False)
    client = HttpClient("shop", stand.url, auth=auth.logged_in(LOG_IN, log_out=lambda _: log_out))
    await client.aclose()
    assert not stand.came, "there was no session to end"
    await client.json(LIST)
    await client.aclose()
    await client.aclose()
    assert [came.path for came in stand.came] == ["/login", "/things", "/logout"]


async def test_oauth_client_credentials(stand: Stand, shop: Shop) -> None:
    for in_header in (False, True):
        found = auth.client_credentials("login", "me", "my-secret", scope="read write", in_header=in_header)
        client = HttpClient("shop", stand.url, auth=found)
        await client.json(LIST)
        came = stand.came[-2]
        assert b"grant_type=client_credentials&scope=read+write" in came.body
        assert (b"my-secret" in came.body) is not in_header
        assert came.headers.get("authorization", "").startswith("Basic ") is in_header
        await client.aclose()


async def test_oauth_refresh_token(stand: Stand, shop: Shop) -> None:
    shop.answers = {"refresh_token": "second", "expires_in": 0}
    client = HttpClient("shop", stand.url, auth=auth.refreshed("login", "me", "", "first"))
    await client.json(LIST)
    await client.json(LIST)
    bodies = [came.body for came in stand.came if came.path == "/login"]
    assert b"refresh_token=first" in bodies[0]
    assert b"refresh_token=second" in bodies[1], "a rotated token is the one that counts"
    await client.aclose()
