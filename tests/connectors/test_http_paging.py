"""Lists in pages: every way of paging, taken up again from a text, and nothing left out while others edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from actors.core.errors import Kind, TandemError
from clients.connectors.http.client import HttpClient
from clients.connectors.http.paging import (
    Counted,
    Cursor,
    NextLink,
    Paging,
    Whole,
    by_number,
    link_next,
    place,
    read_page,
    rows_at,
)
from clients.connectors.http.wire import HttpError, Request
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio

LIST = Request(doing="list things", path="things")


class Things:
    """A system with a list of numbers, which is paged in each of the usual ways."""

    def __init__(self, stand: Stand, size_max: int = 1000) -> None:
        self.stand = stand
        self.ids = [*range(1, 24)]
        self.size_max = size_max
        stand.answer = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        size = min(int(query.get("size", request.headers.get("Count", "10"))), self.size_max)
        start = int(query.get("offset", query.get("cursor", "0")))
        start = int(query["page"]) * size if "page" in query else start
        rows = [{"id": id_} for id_ in self.ids[start : start + size]]
        after = start + size
        more = after < len(self.ids)
        link = f"{self.stand.url}/things?offset={after}&size={size}"
        headers = {"Link": f'<{self.stand.url}/x>; rel="prev", <{link}>; rel="next"'} if more else {}
        body = {"items": rows, "total": len(self.ids), "next": link if more else None}
        body |= {"meta": {"cursor": str(after) if more else ""}}
        return web.json_response(body, headers=headers)


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


@pytest.fixture
async def client(stand: Stand) -> AsyncIterator[HttpClient]:
    client = HttpClient("shop", stand.url)
    yield client
    await client.aclose()


async def read_all(
    client: HttpClient,
    paging: Paging,
    limit: int,
    between: Callable[[int], None] = lambda page: None,
    passed: Callable[[str, str], bool] | None = by_number,
) -> list[int]:
    """The whole list, page by page, each position through a text."""
    position, more, found, pages = "", True, list[int](), 0
    while more:
        batch = await read_page(
            client,
            LIST,
            paging,
            position,
            limit,
            rows_at("items", "list"),
            lambda row: str(row["id"]),
            passed,
        )
        assert len(batch.rows) <= limit
        found.extend(row["id"] for row in batch.rows)
        position, more, pages = batch.position, batch.more, pages + 1
        assert pages < 100
        between(pages)
    return found


WAYS: dict[str, Paging] = {
    "page": Counted("page", "size", first=0),
    "page and total": Counted("page", "size", first=0, total="total"),
    "page, size in a header": Counted("page", "Count", first=0, size_in_header=True),
    "page, checked": Counted("page", "size", first=0, short_is_end=False),
    "offset": Counted("offset", "size", first=0, by_page=False),
    "offset, checked": Counted("offset", "size", first=0, by_page=False, short_is_end=False),
    "cursor": Cursor("cursor", at="meta.cursor", size_parameter="size"),
    "cursor, size not chosen": Cursor("cursor", at="meta.cursor"),
    "next link": NextLink(at="next", size_parameter="size"),
    "link header": NextLink(size_parameter="size"),
}


@pytest.mark.parametrize("limit", [1, 5, 23, 100])
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_reads_all(stand: Stand, client: HttpClient, way: str, limit: int) -> None:
    Things(stand)
    assert await read_all(client, WAYS[way], limit) == [*range(1, 24)]


async def test_one_answer_holds_all(stand: Stand, client: HttpClient) -> None:
    things = Things(stand)
    things.ids = [1, 2, 3]
    assert await read_all(client, Whole(), 2) == [1, 2, 3]


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("way", ["page", "page and total", "page, checked", "offset", "offset, checked"])
async def test_nothing_is_left_out_while_others_edit(
    stand: Stand, client: HttpClient, way: str, limit: int
) -> None:
    things = Things(stand)

    def edits(page: int) -> None:
        if things.ids and page < 8:
            things.ids.remove(things.ids[0])  # the list shifts to the left
        if page == 3:
            things.ids = things.ids[3:]  # and by more than a page

    found = await read_all(client, WAYS[way], limit, edits)
    assert {*range(12, 24)} <= set(found)
    assert len(found) == len(set(found))

    def inserts(page: int) -> None:
        if page < 5:
            things.ids.insert(0, -page)

    found = await read_all(client, WAYS[way], limit, inserts)
    assert set(things.ids) - {-1, -2, -3, -4} <= set(found)
    assert len(found) == len(set(found))


async def test_pages_that_are_smaller_than_asked_for_are_noticed(stand: Stand, client: HttpClient) -> None:
    """A page number counts pages of the size that was asked for: with smaller ones records would be left out."""
    Things(stand, size_max=4)
    for way in ("page and total", "page, checked"):
        with pytest.raises(HttpError, match="size of a page to 4"):
            await read_all(client, WAYS[way], 10)
    assert await read_all(client, WAYS["offset, checked"], 10) == [*range(1, 24)]


async def test_a_list_that_does_not_come_to_an_end(stand: Stand, client: HttpClient) -> None:
    stand.says(200, {"items": [{"id": 1}], "meta": {"cursor": "again"}})
    with pytest.raises(HttpError, match="does not come to an end"):
        await read_all(client, WAYS["cursor"], 1)


@pytest.mark.parametrize("passed", [by_number, None])
@pytest.mark.parametrize("way", ["page", "offset"])
async def test_a_page_that_never_changes_is_noticed(
    stand: Stand, client: HttpClient, way: str, passed: Callable[[str, str], bool] | None
) -> None:
    async def always_the_first(request: web.Request) -> web.StreamResponse:
        return web.json_response({"items": [{"id": id_ + 1} for id_ in range(int(request.query["size"]))]})

    stand.answer = always_the_first
    with pytest.raises(HttpError, match="same records"):
        await read_all(client, WAYS[way], 3, passed=passed)


@pytest.mark.parametrize("body", [{"other": []}, {"items": "none"}, {}, [], ""])
async def test_an_answer_without_a_list_is_no_empty_list(stand: Stand, client: HttpClient, body: Any) -> None:
    stand.says(200, body)
    with pytest.raises(TandemError, match="no list") as caught:
        await read_all(client, Whole(), 1)
    assert caught.value.kind is Kind.CONFIG


def test_one_object_in_the_place_of_a_list() -> None:
    assert rows_at("item", "list")({"item": {"id": 1}}) == [{"id": 1}]
    assert rows_at("item", "list")({"item": None}) == []
    with pytest.raises(TandemError, match="no list"):
        rows_at("", "list")({"message": "no rights"})


def test_a_position_of_another_version() -> None:
    with pytest.raises(TandemError, match="position"):
        place("{not json")


@pytest.mark.parametrize(
    "header, address",
    [
        ('<http://a/?p=2>; rel="next"', "http://a/?p=2"),
        ('<http://a/1>; rel="prev last", </b?c=1,2>; title="x"; rel=next', "/b?c=1,2"),
        ('<http://a/1>; rel="last"', ""),
        ("", ""),
    ],
)
def test_link_headers(header: str, address: str) -> None:
    assert link_next(header) == address
