"""Requests through a proxy, as the environment says: a small real one, that forwards and refuses like any other."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from actors.core.errors import Kind
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient
from clients.connectors.http.proxy import proxy_for
from clients.connectors.http.wire import HttpError, Request
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio
LIST = Request(doing="list things", path="things")
ADD = Request(doing="add a thing", method="POST", path="things", json={}, record=True)
WHO = "Basic " + base64.b64encode(b"ann:hush-hush").decode()


class Proxy:
    """Passes plain requests on to one server, whatever host they name, and answers CONNECT with `status`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: list[str] = []
        self.status = 407
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, _, rest = head.decode().partition("\r\n")
            method, target, version = first.split(" ")
            self.asked.append(first)
            if method == "CONNECT" or f"Proxy-Authorization: {WHO}" not in rest:
                status = self.status if method == "CONNECT" else 407
                writer.write(
                    f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
                )
            else:
                place = "/" + target.split("/", 3)[3]
                there, back = await asyncio.open_connection("127.0.0.1", self._port)
                rest = rest.replace(f"Proxy-Authorization: {WHO}\r\n", "Connection: close\r\n")
                back.write(f"{method} {place} {version}\r\n{rest}".encode())
                writer.write(await there.read())
                back.close()
            await writer.drain()
        writer.close()


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


@pytest.fixture
async def proxy(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    found = Proxy(int(stand.url.rpartition(":")[2]))
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://ann:hush-hush@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", found.url)
    monkeypatch.setenv("HTTPS_PROXY", found.url)
    yield found
    server.close()
    await server.wait_closed()


async def test_a_host_that_only_the_proxy_knows_is_asked_through_it(stand: Stand, proxy: Proxy) -> None:
    stand.says(200, [1, 2])
    client = HttpClient("shop", "http://shop.example/api", auth=auth.bearer("the-token"))
    assert await client.json(LIST) == [1, 2]
    assert proxy.asked == ["GET http://shop.example/api/things HTTP/1.1"]
    (came,) = stand.came
    assert came.headers["authorization"] == "Bearer the-token"
    assert not [value for value in came.headers.values() if "hush" in value or value == WHO]
    await client.aclose()


@pytest.mark.parametrize("status, kind", [(407, Kind.CONFIG), (502, Kind.TRANSIENT)])
async def test_a_proxy_that_lets_nobody_through_is_named_and_nothing_was_done(
    proxy: Proxy, status: int, kind: Kind
) -> None:
    proxy.status = status
    client = HttpClient("shop", "https://shop.example/api")
    for request in (LIST, ADD):
        with pytest.raises(HttpError, match="the proxy lets nobody through to shop") as caught:
            await client.json(request)
        assert caught.value.kind is kind
        assert "hush" not in f"{caught.value} {caught.value.raw}"
    assert proxy.asked == ["CONNECT shop.example:443 HTTP/1.1"] * 2
    await client.aclose()


async def test_a_proxy_that_is_not_there_is_named_without_its_password(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ann:hush-hush@127.0.0.1:1")
    client = HttpClient("shop", "http://shop.example/api")
    with pytest.raises(HttpError, match="the proxy on the way to shop can't be reached") as caught:
        await client.json(ADD)
    assert caught.value.kind is Kind.TRANSIENT and "hush" not in str(caught.value)
    await client.aclose()


async def test_what_the_environment_excepts_and_this_machine_are_asked_directly(
    stand: Stand, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = HttpClient("shop", stand.url)
    await client.json(LIST)
    assert not proxy.asked
    await client.aclose()
    monkeypatch.setenv("NO_PROXY", "intra.example,.corp.example:8443")
    direct = (
        "http://intra.example/x",
        "https://a.corp.example:8443/",
        "http://[::1]:80/",
        "http://localhost/",
    )
    assert [proxy_for(url) for url in direct] == [None] * 4
    assert proxy_for("http://other.example/") == proxy.url
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(HttpError, match="names for http is none"):
        proxy_for("http://other.example/")
