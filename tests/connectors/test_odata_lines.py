"""Orders with their lines, on a real service: in the body of their order, written as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from actors.core.types import Op
from actors.core.values import Value, canonical, line_of, lines_of
from actors.ports import Write, WriteStatus
from clients.connectors.definition import checked_settings
from clients.connectors.systems import odata
from tests.connectors.contract_lines import A, B, C, Cells, OrderSystem, TakesLines, again, bare, look, saved
from tests.connectors.odata_people import Person, as_json, odata_url, people

__all__ = ["odata_url"]
OWN = ("number", "total")
CELLS = ("article", "quantity", "price", "extra", "pos")


class Orders(OrderSystem):
    """The entity set `orders`, and `items` below it."""

    def __init__(self, person: Person, settings: Mapping[str, Any]) -> None:
        self.person, self.settings = person, settings

    async def open(self) -> odata.ODataConnector:
        objects = {"orders": {"lines": {"items": "pos"}, "modified": "modifiedAt"}}
        return await odata.connect(checked_settings(odata.DECLARATION, {**self.settings, "objects": objects}))

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        lines = [{**as_json(line), "pos": 10 * place} for place, line in enumerate(items, 1)]
        made = await self.person.send(
            "POST", "orders", {"number": number, "total": str(total), "items": lines}
        )
        return str(made["ID"])

    async def edit_line(self, id_: str, place: int, changes: Cells) -> None:
        line = (await self.shown())[id_]["items"][place]
        await self.person.send("PATCH", f"items({line['ID']})", as_json(changes))

    async def add_line(self, id_: str, cells: Cells) -> None:
        await self.person.send("POST", f"orders({id_})/items", {**as_json(cells), "pos": 900})

    async def drop_line(self, id_: str, place: int) -> None:
        line = (await self.shown())[id_]["items"][place]
        await self.person.send("DELETE", f"items({line['ID']})")

    async def shown(self) -> dict[str, Any]:
        found = (await self.person.get("orders?$expand=items($orderby=pos)"))["value"]
        return {order["ID"]: order for order in found}

    async def orders(self) -> Mapping[str, tuple[Cells, Sequence[Cells]]]:
        return {
            id_: (
                {name: value(name, order[name]) for name in OWN},
                [{name: value(name, line[name]) for name in CELLS} for line in order["items"]],
            )
            for id_, order in (await self.shown()).items()
        }


def value(name: str, found: Any) -> Value:
    return canonical(Decimal(found)) if name in ("total", "price") and found is not None else canonical(found)


@pytest.fixture
async def orders(odata_url: str) -> AsyncIterator[Orders]:
    async with people(odata_url, {}) as system:
        yield Orders(system.person, system.settings)


class TestLines(TakesLines):
    """The contract."""


pytestmark = pytest.mark.anyio


async def numbers(orders: Orders) -> list[tuple[Any, Any]]:
    ((_, items),) = (await orders.orders()).values()
    return [(line["article"], line["pos"]) for line in items]


async def test_new_lines_are_numbered_behind_those_that_are_there(orders: Orders) -> None:
    connector = await orders.open()
    one = await orders.insert("1", 10, [A, B])
    record = await look(connector, orders, one)
    a, b = lines_of(record.native["items"])
    await connector.write("orders", [saved(record, a, b, line_of(C))], ["items[].article"])
    assert await numbers(orders) == [("A", 10), ("B", 20), ("C", 30)]
    record = await look(connector, orders, one)
    a, b, c = lines_of(record.native["items"])
    await connector.write("orders", [saved(record, c, again(a, quantity=5), b)], ["items[].article"])
    assert await numbers(orders) == [("C", 30), ("A", 40), ("B", 50)]
    assert bare((await look(connector, orders, one)).native["items"]) == [C, {**A, "quantity": 5}, B]
    await connector.aclose()


async def test_lines_come_with_changes_too(orders: Orders) -> None:
    connector = await orders.open()
    start = await connector.changes("orders", "", ["number", "items[].article"], 10)
    await orders.insert("1", 10, [A, B])
    page = await connector.changes("orders", start.cursor, ["number", "items[].article"], 10)
    await connector.aclose()
    (record,) = page.records
    assert [line["article"] for line in bare(record.native["items"])] == ["A", "B"]


async def test_navigations_that_nobody_owns_are_no_lines(orders: Orders) -> None:
    """Customers have orders, and are not made of them: a deep update would take orders away."""
    connector = await orders.open()
    described = {
        one.name: {field.name: field.type for field in one.fields} for one in await connector.describe()
    }
    await connector.aclose()
    assert described["orders"]["items"] == "lines"
    assert described["orders"]["items[].price"] == "decimal"
    settings = {**orders.settings, "objects": {"customers": {}}}
    connector = await odata.connect(checked_settings(odata.DECLARATION, settings))
    (customers,) = await connector.describe()
    await connector.aclose()
    assert connector.declaration.lines == "none"
    assert not [field.name for field in customers.fields if "orders" in field.name]


async def test_a_cell_that_the_service_sets_is_left_out_where_it_stays(orders: Orders) -> None:
    connector = await orders.open()
    one = await orders.insert("1", 10, [A])
    fields = ["items[].article", "items[].sum"]
    (record,) = await connector.read("orders", [one], fields)
    (line,) = lines_of(record.native["items"])
    assert line.get("sum") == Decimal("2.5")
    for cells, status in (({"article": "A2"}, WriteStatus.DONE), ({"sum": Decimal(9)}, WriteStatus.REFUSED)):
        (record,) = await connector.read("orders", [one], fields)
        (line,) = lines_of(record.native["items"])
        edit = Write(Op.UPDATE, one, {"items": (again(line, **cells),)}, {"items": record.native["items"]})
        (result,) = await connector.write("orders", [edit], fields)
        assert result.status is status, result
    await connector.aclose()
