"""The HTTP base: what each kind of answer and each kind of failure becomes, and that no secret is ever shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import pytest
from aiohttp import web

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient, checked_base, segment
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.pace import Pace
from clients.connectors.http.wire import Answer, HttpError, Request
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio

READ = Request(doing="read customers", path="customers/7", record=True)
LIST = Request(doing="list customers", path="customers")
WRITE = Request(doing="change customers", path="customers/7", method="PATCH", json={"a": 1}, record=True)
CREATE = Request(doing="make customers", path="customers", method="POST", json={"a": 1})


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


@asynccontextmanager
async def client_of(stand: Stand, **settings: Any) -> AsyncIterator[HttpClient]:
    client = HttpClient("shop", f"{stand.url}/api", **settings)
    try:
        yield client
    finally:
        await client.aclose()


async def failure(client: HttpClient, request: Request) -> HttpError:
    """The error of a call that has to fail."""
    with pytest.raises(HttpError) as caught:
        await client.call(request)
    assert "shop" in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "request_, status, meaning",
    [
        (READ, 404, "gone"),
        (READ, 410, "gone"),
        (WRITE, 404, "gone"),
        (WRITE, 409, "moved_on"),
        (WRITE, 412, "moved_on"),
        (WRITE, 428, "moved_on"),
        (WRITE, 422, "refused"),
        (WRITE, 400, "refused"),
        (CREATE, 409, "refused"),
        (WRITE, 200, "ok"),
        (CREATE, 201, "ok"),
    ],
)
async def test_statuses_that_say_what_became_of_a_record(
    stand: Stand, request_: Request, status: int, meaning: str
) -> None:
    stand.says(status, {"message": "no", "data": {"name": {"message": "is taken"}}})
    async with client_of(stand) as client:
        answer = await client.call(request_)
    assert answer.meaning == meaning
    assert meaning == "ok" or answer.words == "no; name: is taken"


@pytest.mark.parametrize(
    "request_, status, kind, scope",
    [
        (LIST, 404, Kind.CONFIG, Scope.STREAM),
        (CREATE, 404, Kind.CONFIG, Scope.STREAM),
        (LIST, 400, Kind.CONFIG, Scope.STREAM),
        (LIST, 401, Kind.AUTH, Scope.CONNECTION),
        (WRITE, 403, Kind.AUTH, Scope.CONNECTION),
        (WRITE, 405, Kind.CONFIG, Scope.STREAM),
        (LIST, 500, Kind.TRANSIENT, Scope.STREAM),
        (WRITE, 500, Kind.UNKNOWN, Scope.STREAM),
        (LIST, 503, Kind.TRANSIENT, Scope.CONNECTION),
        (WRITE, 504, Kind.UNKNOWN, Scope.CONNECTION),
        (WRITE, 429, Kind.RATE_LIMITED, Scope.CONNECTION),
        (WRITE, 303, Kind.UNKNOWN, Scope.CONNECTION),
        (WRITE, 308, Kind.CONFIG, Scope.CONNECTION),
    ],
)
async def test_statuses_that_are_errors(
    stand: Stand, request_: Request, status: int, kind: Kind, scope: Scope
) -> None:
    stand.says(status, {"error": "because"})
    async with client_of(stand) as client:
        error = await failure(client, request_)
    assert (error.kind, error.scope, error.status) == (kind, scope, status)
    assert str(status) in error.message
    assert len(stand.came) == 1


async def test_a_page_in_the_place_of_404_proves_nothing(stand: Stand) -> None:
    stand.says(404, "<html><title>Not here</title></html>", Content_Type="text/html")
    async with client_of(stand) as client:
        error = await failure(client, READ)
    assert error.kind is Kind.TRANSIENT
    assert "a page titled 'Not here'" in error.message


@pytest.mark.parametrize(
    "header, wait_s", [("700", 700.0), ("Thu, 01 Jan 2026 00:10:00 GMT", 600.0), ("soon", None)]
)
async def test_how_long_a_system_asks_to_wait(stand: Stand, header: str, wait_s: float | None) -> None:
    stand.says(503, {}, Retry_After=header, Date="Thu, 01 Jan 2026 00:00:00 GMT")
    async with client_of(stand) as client:
        error = await failure(client, LIST)
        assert error.retry_after_s == wait_s
        assert error.kind is (Kind.RATE_LIMITED if wait_s else Kind.TRANSIENT)
        if wait_s:
            again = await failure(client, CREATE)  # nothing leaves before that time
            assert again.kind is Kind.RATE_LIMITED
            assert len(stand.came) == 1


@pytest.mark.parametrize(
    "body, headers, why",
    [
        (b'{"a": [1, 2', {}, "no JSON"),
        (b"<!DOCTYPE html><p>maintenance", {"Content_Type": "text/html"}, "HTML"),
        (b'{"a": "\xe4"}', {}, "utf-8"),
        (b"ArgumentMissing", {}, "no JSON"),
        (b"[" * 100_000, {}, "no JSON"),
    ],
    ids=["cut", "page", "encoding", "bare", "deep"],
)
async def test_answers_that_are_none(stand: Stand, body: bytes, headers: dict[str, str], why: str) -> None:
    stand.says(200, body, **headers)
    async with client_of(stand) as client:
        for request, kind in ((LIST, Kind.TRANSIENT), (CREATE, Kind.UNKNOWN)):
            with pytest.raises(HttpError, match=why) as caught:
                await client.json(request)
            assert caught.value.kind is kind
            assert caught.value.raw
            assert len(caught.value.raw) <= 2001
            assert len(caught.value.message) < 600


async def test_a_charset_that_is_named_is_used(stand: Stand) -> None:
    stand.says(200, '{"a": "Größe"}'.encode("cp1252"), Content_Type="application/json; charset=windows-1252")
    async with client_of(stand) as client:
        assert await client.json(LIST) == {"a": "Größe"}


async def test_numbers_are_exact(stand: Stand) -> None:
    stand.says(200, b'{"amount": 12345678901234.123456, "price": 1.10, "id": 123456789012345678901}')
    async with client_of(stand) as client:
        found = await client.json(LIST)
        assert found == {
            "amount": Decimal("12345678901234.123456"),
            "price": Decimal("1.10"),
            "id": 123456789012345678901,
        }
        assert isinstance(found["price"], Decimal)
        await client.call(Request(doing="write", method="POST", json=found))
    assert b"12345678901234.123456" in stand.came[-1].body


async def test_an_answer_that_is_too_large_is_not_read(stand: Stand) -> None:
    stand.says(200, b" " * 3_000_000)
    async with client_of(stand, size_max=1_000_000) as client:
        assert (await failure(client, LIST)).kind is Kind.TRANSIENT
        error = await failure(client, CREATE)
        assert error.kind is Kind.UNKNOWN
        assert "1000000 bytes" in error.message


async def test_an_answer_that_breaks_off(stand: Stand) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"a":')
        assert request.transport is not None
        request.transport.close()
        return response

    stand.answer = breaks
    async with client_of(stand) as client:
        assert (await failure(client, LIST)).kind is Kind.TRANSIENT
        assert (await failure(client, CREATE)).kind is Kind.UNKNOWN


async def test_a_line_that_is_cut_is_never_tried_again(stand: Stand) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if len(stand.came) > 1:
            request.transport.close()
        return web.json_response({})

    stand.answer = cut
    async with client_of(stand) as client:
        await client.call(LIST)  # the line is kept
        replace = Request(doing="replace", method="PUT", path="customers/7", json={}, record=True)
        assert (await failure(client, replace)).kind is Kind.UNKNOWN
    assert len(stand.came) == 2


async def test_no_answer_in_time(stand: Stand) -> None:
    forever = anyio.Event()

    async def waits(request: web.Request) -> web.StreamResponse:
        await forever.wait()
        return web.Response()

    stand.answer = waits
    async with client_of(stand, deadline_s=2.0) as client:
        assert (await failure(client, LIST)).kind is Kind.TRANSIENT
        assert (await failure(client, CREATE)).kind is Kind.UNKNOWN
    forever.set()


async def test_nobody_there_is_surely_not_done() -> None:
    async with standing() as stand:
        pass
    async with client_of(stand) as client:
        assert (await failure(client, CREATE)).kind is Kind.TRANSIENT


async def test_a_host_that_there_is_not() -> None:
    client = HttpClient("shop", "http://nowhere.invalid/")
    assert (await failure(client, CREATE)).kind in (Kind.CONFIG, Kind.TRANSIENT)  # as the name server answers
    await client.aclose()


async def test_a_token_with_a_line_end_is_named_and_never_shown(stand: Stand) -> None:
    async with client_of(stand, auth=auth.bearer("secret-token\n")) as client:
        error = await failure(client, LIST)
    assert (error.kind, error.hint) == (Kind.CONFIG, "look for line ends in tokens and keys")
    assert "secret-token" not in str(error)


async def test_redirects_stay_with_the_host(stand: Stand) -> None:
    async def moves(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/customers":
            raise web.HTTPFound("/api/v2/customers")
        return web.json_response([1])

    stand.answer = moves
    async with client_of(stand, auth=auth.bearer("secret-token")) as client:
        assert await client.json(LIST) == [1]
        stand.says(302, {}, Location="http://other.invalid/customers")
        error = await failure(client, LIST)
        assert error.kind is Kind.CONFIG
        assert "other.invalid" in error.message
        with pytest.raises(TandemError, match="another host"):
            await client.call(Request(doing="list", path="http://other.invalid/next"))
    assert len(stand.came) == 3


class Insider(Judge):
    """A vendor that says no inside of 200."""

    def inside(self, request: Request, answer: Answer) -> Verdict | None:
        body = answer.json()
        if body.get("RetryAfterSeconds"):
            return Verdict(None, Kind.RATE_LIMITED, retry_after_s=float(body["RetryAfterSeconds"]))
        return Verdict("refused", words=body["Err"]) if body.get("Err") else None


async def test_errors_inside_of_200(stand: Stand) -> None:
    stand.says(200, {"Err": "KeyExists"})
    async with client_of(stand, judge=Insider("shop")) as client:
        assert (await client.call(WRITE)).words == "KeyExists"
        with pytest.raises(HttpError, match="KeyExists") as caught:
            await client.ask(WRITE)
        assert (caught.value.kind, caught.value.scope) == (Kind.REJECTED, Scope.RECORD)
        stand.says(200, {"RetryAfterSeconds": 12})
        assert (await failure(client, WRITE)).retry_after_s == 12.0


async def test_the_pace_is_kept(stand: Stand) -> None:
    async with client_of(stand, pace=Pace("shop", rate_per_s=0.001, burst=3)) as client:
        for _ in range(3):
            await client.call(LIST)
        error = await failure(client, LIST)
        assert error.kind is Kind.RATE_LIMITED
        assert error.retry_after_s is not None
        assert 0 < error.retry_after_s <= 1000
    assert len(stand.came) == 3


async def test_no_secret_is_shown(stand: Stand) -> None:
    secret = "s3cr3t-t0ken-value"

    async def echoes(request: web.Request) -> web.StreamResponse:
        body = f'{{"message": "bad {request.headers["X-Key"]}", "password": "hunter22222"}}'
        return web.Response(status=400, text=body, content_type="application/json")

    stand.answer = echoes
    async with client_of(stand, auth=auth.header("X-Key", secret)) as client:
        answer = await client.call(WRITE)
        assert answer.words == "bad ***"
        error = await failure(client, LIST)
    for text in (str(error), error.raw, repr(error)):
        assert secret not in text
        assert "hunter22222" not in text


async def test_paths_and_queries_are_encoded(stand: Stand) -> None:
    async with client_of(stand, auth=auth.query(code="a b")) as client:
        await client.call(Request(doing="read", path=f"things/{segment('a/b ü')}", query={"q": "x y+z"}))
    assert stand.came[0].path == "/api/things/a%2Fb%20%C3%BC"
    assert stand.came[0].query == {"q": "x y+z", "code": "a b"}
    for wrong in ("", ".", ".."):
        with pytest.raises(TandemError):
            segment(wrong)


@pytest.mark.parametrize("url", ["shop", "ftp://shop", "https://", "https://u:p@shop", "https://shop/?a=1"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(TandemError) as caught:
        checked_base("shop", url)
    assert caught.value.kind is Kind.CONFIG
    assert "u:p" not in str(caught.value)


async def test_a_file_store_gets_no_credentials_and_no_other_host_is_asked(stand: Stand) -> None:
    async with client_of(stand, auth=auth.bearer("t0ken")) as client:
        link = f"{stand.url}/files/1?signature=s3cr3t"
        answer = await client.elsewhere(Request(doing="fetch a file", path=link), ())
        assert answer.status == 200
        assert "authorization" not in stand.came[0].headers
        for other in (
            "https://files.example.org/1?signature=s3cr3t",
            "http://127.0.0.1:1/1?signature=s3cr3t",
            "x",
        ):
            with pytest.raises(HttpError) as caught:
                await client.elsewhere(
                    Request(doing="fetch a file", path=other), ("example.com", "127.0.0.1")
                )
            assert (caught.value.kind, "s3cr3t" in str(caught.value)) == (Kind.CONFIG, False)
    assert len(stand.came) == 1


@pytest.mark.parametrize("status, method, kind", [(500, "GET", Kind.TRANSIENT), (503, "PUT", Kind.UNKNOWN)])
async def test_a_file_store_that_fails_is_told_as_any_other(
    stand: Stand, status: int, method: str, kind: Kind
) -> None:
    async def fails(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    stand.answer = fails
    async with client_of(stand) as client:
        link = f"{stand.url}/files/1"
        with pytest.raises(HttpError) as caught:
            await client.elsewhere(Request(doing="a file", method=method, path=link, body=b"x"), ())
    assert caught.value.kind is kind
