"""Lines in the body of a record, by a declaration: read as one field, written as the whole list, and never blind."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from actors.core.errors import TandemError
from actors.core.types import Op, Record
from actors.core.values import Value, line_of
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.catalog import open_connector
from clients.connectors.http.wire import dumps, loads
from clients.connectors.systems.rest import RestConnector
from tests.connectors.http_server import Stand, standing

pytestmark = pytest.mark.anyio

DECLARATION = """
name: orders
objects:
  orders:
    path: orders
    key: id
    create: {}
    update: {}
    fields: {id: {writable: false}, number: text}
    lines:
      items:
        read: body.items
        key: KEY
        fields: {article: text, price: {type: decimal, decimals: text}, name: {read: article_info.name, writable: false}}
"""
FIELDS = ("number", "items[].article", "items[].price")


class Orders:
    """A system with one order; `rows` as it stores them."""

    def __init__(self, stand: Stand) -> None:
        self.forgets_ids = False
        self._ids = itertools.count(100)
        self.rows: dict[str, dict[str, Any]] = {
            "o1": {
                "id": "o1",
                "number": "A-1",
                "body": {
                    "items": [
                        {"id": 7, "article": "x", "price": "1.50", "weight": 3},
                        {"id": 8, "article": "y", "price": "2", "weight": 4},
                    ]
                },
            }
        }
        stand.answer = self.handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        id_ = request.path.removeprefix("/orders").strip("/")
        if request.method == "POST":
            row = {"id": "o2", **loads(await request.read())}
            self.rows["o2"] = row
            self._number("o2")
            return _json({**row, "id": None} if self.forgets_ids else row)
        if not id_:
            return _json(list(self.rows.values()))
        if request.method == "PATCH":
            self.rows[id_].update(loads(await request.read()))
            self._number(id_)
        return _json(self.rows[id_]) if id_ in self.rows else _json({}, 404)

    def _number(self, id_: str) -> None:
        """Lines that are new get an id."""
        for item in self.items(id_):
            item.setdefault("id", next(self._ids))

    def items(self, id_: str = "o1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.rows[id_].get("body", {}).get("items", [])
        return found


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=dumps(body), status=status, content_type="application/json")


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


@pytest.fixture
def orders(stand: Stand) -> Orders:
    return Orders(stand)


@pytest.fixture(params=["id", ""], ids=["with ids", "by place"])
async def connector(
    stand: Stand, orders: Orders, request: pytest.FixtureRequest
) -> AsyncIterator[RestConnector]:
    text = DECLARATION.replace("key: KEY", f"key: {request.param}" if request.param else "doc: without ids")
    opened = await open_connector("rest", {"url": stand.url, "declaration": text})
    assert isinstance(opened, RestConnector)
    yield opened
    await opened.aclose()


async def look(connector: RestConnector, id_: str = "o1") -> Record:
    (record,) = await connector.read("orders", [id_], FIELDS)
    return record


async def write(connector: RestConnector, *writes: Write) -> Sequence[WriteResult]:
    return await connector.write("orders", writes, FIELDS)


def cells(value: Value) -> list[dict[str, Any]]:
    """Lines as plain cells, without their ids."""
    assert isinstance(value, tuple)
    return [{name: cell for name, cell in line.cells if name != "@id"} for line in value]  # type: ignore[union-attr]


async def test_lines_are_described_and_read(connector: RestConnector) -> None:
    assert connector.declaration.lines == "nested"
    (described,) = await connector.describe()
    types = {field.name: field.type for field in described.fields}
    assert types["items"] == "lines" and types["items[].price"] == "decimal"
    record = await look(connector)
    assert cells(record.native["items"]) == [
        {"article": "x", "price": Decimal("1.5")},
        {"article": "y", "price": Decimal(2)},
    ]
    page = await connector.scan("orders", "", FIELDS, 10)
    assert page.records == (record,)


async def test_what_was_not_delivered_is_no_empty_list(connector: RestConnector, orders: Orders) -> None:
    orders.rows["o1"]["body"] = {}
    assert "items" not in (await look(connector)).native
    orders.rows["o1"]["body"] = {"items": []}
    assert (await look(connector)).native["items"] == ()


async def test_a_changed_a_new_and_a_missing_line(connector: RestConnector, orders: Orders) -> None:
    seen = (await look(connector)).native["items"]
    assert isinstance(seen, tuple)
    kept = line_of({**dict(seen[0].cells), "price": Decimal("9.99")})  # type: ignore[union-attr]
    wanted = (kept, line_of({"article": "z", "price": Decimal(4)}))
    update = Write(Op.UPDATE, id="o1", native={"items": wanted}, seen={"items": seen})
    (result,) = await write(connector, update)
    assert result.status is WriteStatus.DONE and result.record is not None
    assert cells(result.record.native["items"]) == [
        {"article": "x", "price": Decimal("9.99")},
        {"article": "z", "price": Decimal(4)},
    ]
    first, second = orders.items()
    assert (first["weight"], first["price"]) == (3, "9.99"), "what nobody asked for stays"
    assert {**second, "id": 0} == {"id": 0, "article": "z", "price": "4"}


async def test_a_line_that_changed_meanwhile_moves_the_whole(
    connector: RestConnector, orders: Orders
) -> None:
    seen = (await look(connector)).native["items"]
    orders.items()[1]["price"] = "2.01"
    update = Write(Op.UPDATE, id="o1", native={"items": ()}, seen={"items": seen})
    (result,) = await write(connector, update)
    assert result.status is WriteStatus.MOVED_ON
    assert len(orders.items()) == 2
    orders.items()[1]["price"] = "2.00"
    orders.items().append({"id": 9, "article": "theirs", "price": "1"})
    (result,) = await write(connector, update)
    assert result.status is WriteStatus.MOVED_ON
    assert len(orders.items()) == 3


async def test_a_new_record_with_its_lines(connector: RestConnector, orders: Orders) -> None:
    lines = (line_of({"article": "p", "price": Decimal("0.10")}), line_of({"article": "q", "price": None}))
    (result,) = await write(connector, Write(Op.CREATE, native={"number": "A-2", "items": lines}))
    assert (result.status, result.id) == (WriteStatus.DONE, "o2")
    made = [(item["article"], item["price"]) for item in orders.items("o2")]
    assert made == [("p", "0.1"), ("q", None)]


async def test_an_answer_that_does_not_say_what_was_made_is_no_refusal(
    connector: RestConnector, orders: Orders
) -> None:
    """It was made: whoever said "not done" would have it made twice."""
    orders.forgets_ids = True
    (result,) = await write(connector, Write(Op.CREATE, native={"number": "A-2"}))
    assert result.status is WriteStatus.UNKNOWN
    assert "o2" in orders.rows


async def test_a_cell_that_there_is_not_is_named(connector: RestConnector) -> None:
    with pytest.raises(TandemError, match=r"items\[\]\.colour"):
        await connector.read("orders", ["o1"], ["items[].colour"])
    lines = (line_of({"colour": "red"}),)
    with pytest.raises(TandemError, match="colour"):
        await write(connector, Write(Op.CREATE, native={"items": lines}))
