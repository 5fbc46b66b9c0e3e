"""The contract of connectors that take the lines of a record (`lines` in the declaration), however they take them.

A test module brings an `OrderSystem` and a class: `class TestLines(TakesLines)` with a fixture `orders`; where lines are
only delivered (`read`), an `OrdersToRead` and `ReadsLines`. Must not: know any particular system.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from actors.core.types import Op, Record
from actors.core.values import Line, Value, line_of, lines_of
from actors.ports import Connector, Find, Write, WriteStatus
from tests.connectors.contract_base import Case, check_exact, check_refuses_field, check_same

CELLS = ("article", "quantity", "price")
FIELDS = ("number", "total", *(f"items[].{cell}" for cell in CELLS))
Cells = Mapping[str, Value]


class OrdersToRead(abc.ABC):
    """The system as another person uses it: one object of orders with `number` (text), `total` (decimal) and lines `items`
    with `article` (text, required: null and "refused" are refused), `quantity` (integer), `price` (decimal) and `extra`
    (text, never mapped). Empty at the start of a test; ids of lines are the system's own."""

    object_name: str = "orders"
    describes_cells: bool = True  # the system says which cells its lines have

    @abc.abstractmethod
    async def open(self) -> Connector:
        """A new connector; who asks for it closes it."""

    @abc.abstractmethod
    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        """Add an order with its lines, in order; its id."""


class OrderSystem(OrdersToRead):
    """One whose orders are written, too."""

    @abc.abstractmethod
    async def edit_line(self, id_: str, place: int, changes: Cells) -> None:
        """Change cells of the line at `place` (from 0)."""

    @abc.abstractmethod
    async def add_line(self, id_: str, cells: Cells) -> None:
        """Add a line behind the others."""

    @abc.abstractmethod
    async def drop_line(self, id_: str, place: int) -> None:
        """Remove a line."""

    @abc.abstractmethod
    async def orders(self) -> Mapping[str, tuple[Cells, Sequence[Cells]]]:
        """Every order by id: its fields and its lines with all their cells, read past the connector."""


def cells(article: str, quantity: int = 1, price: str = "2.5", **more: Value) -> dict[str, Value]:
    return {"article": article, "quantity": quantity, "price": Decimal(price), **more}


A, B, C = cells("A"), cells("B", 2), cells("C", 3)


def bare(value: Value) -> list[dict[str, Any]]:
    """Lines without their ids."""
    return [{name: cell for name, cell in line.cells if name != "@id"} for line in lines_of(value)]


def known(value: Value) -> list[Any]:
    """The ids of lines."""
    return [line.get("@id") for line in lines_of(value)]


async def look(connector: Connector, orders: OrdersToRead, id_: str) -> Record:
    (record,) = await connector.read(orders.object_name, [id_], FIELDS)
    return record


def saved(record: Record, *items: Line, **own: Value) -> Write:
    """The order with other lines, as the engine sends it."""
    native: dict[str, Value] = {**own, "items": items}
    return Write(
        Op.UPDATE,
        record.id,
        native,
        {name: record.native[name] for name in native},
        version=record.version,
    )


def again(line: Line, **changes: Value) -> Line:
    """A line that is there, with other cells."""
    return line_of({**dict(line.cells), **changes})


class ReadsLines(Case):
    """Cases for any declared way but `none`."""

    @pytest.fixture
    async def open_connector(self, orders: OrdersToRead) -> AsyncIterator[Connector]:
        connector = await orders.open()
        try:
            yield connector
        finally:
            await connector.aclose()

    async def test_lines_are_declared(self, open_connector: Connector) -> None:
        assert open_connector.declaration.lines != "none"

    async def test_a_look_shows_the_lines_in_their_order(
        self, open_connector: Connector, orders: OrdersToRead
    ) -> None:
        one = await orders.insert("1", 10, [A, B, C])
        two = await orders.insert("2", 0, [])
        await orders.insert("3", 1, [C])
        record = await look(open_connector, orders, one)
        assert bare(record.native["items"]) == [A, B, C]
        assert len(set(known(record.native["items"]))) == 3
        for line in bare(record.native["items"]):
            check_exact(line)
        assert (await look(open_connector, orders, two)).native["items"] == ()
        page = await open_connector.scan(orders.object_name, "", FIELDS, 2)
        rest = await open_connector.scan(orders.object_name, page.cursor, FIELDS, 2)
        scanned = {one.id: one for one in (*page.records, *rest.records)}
        assert len(scanned) == 3
        check_same(scanned[one].native, record.native)

    async def test_only_what_is_asked_for_is_delivered(
        self, open_connector: Connector, orders: OrdersToRead
    ) -> None:
        one = await orders.insert("1", 10, [A])
        (record,) = await open_connector.read(orders.object_name, [one], ["number", "items[].price"])
        assert set(record.native) == {"number", "items"}
        assert bare(record.native["items"]) == [{"price": Decimal("2.5")}]

    async def test_a_cell_that_is_not_there_is_named(
        self, open_connector: Connector, orders: OrdersToRead
    ) -> None:
        one = await orders.insert("1", 10, [A])
        call = open_connector.read(orders.object_name, [one], ["items[].no_such_field"])
        if orders.describes_cells:
            await check_refuses_field(call)
        else:
            (record,) = await call
            assert bare(record.native["items"])[0].get("no_such_field") is None


class TakesLines(ReadsLines):
    """Cases for a declared way in which lines are written."""

    async def write(self, connector: Connector, orders: OrderSystem, write: Write) -> Any:
        (result,) = await connector.write(orders.object_name, [write], FIELDS)
        return result

    async def test_an_order_is_made_with_its_lines(
        self, open_connector: Connector, orders: OrderSystem
    ) -> None:
        drawn = (
            await open_connector.reserve(orders.object_name, 1)
            if open_connector.declaration.draws_ids
            else []
        )
        native: dict[str, Value] = {"number": "1", "total": 10, "items": (line_of(A), line_of(B))}
        write = Write(Op.CREATE, drawn[0] if drawn else "", native)
        result = await self.write(open_connector, orders, write)
        assert result.status is WriteStatus.DONE
        ((id_, (own, items)),) = (await orders.orders()).items()
        assert (id_, own["number"]) == (result.id, "1")
        assert [{name: line[name] for name in CELLS} for line in items] == [A, B]
        shown = await look(open_connector, orders, id_)
        assert bare(shown.native["items"]) == [A, B]
        if result.record is not None:
            check_same(result.record.native, shown.native)

    async def test_lines_are_added_changed_removed_and_moved_and_who_stays_is_who_it_was(
        self, open_connector: Connector, orders: OrderSystem
    ) -> None:
        one = await orders.insert("1", 10, [{**A, "extra": "mine"}, B])
        record = await look(open_connector, orders, one)
        a, b = lines_of(record.native["items"])
        result = await self.write(
            open_connector, orders, saved(record, again(a, quantity=9), b, line_of(C), total=Decimal(20))
        )
        assert result.status is WriteStatus.DONE
        ((own, items),) = (await orders.orders()).values()
        assert own["total"] == 20
        assert [line["article"] for line in items] == ["A", "B", "C"]
        assert (items[0]["quantity"], items[0]["extra"]) == (9, "mine")
        record = await look(open_connector, orders, one)
        a9, b, c = lines_of(record.native["items"])
        result = await self.write(open_connector, orders, saved(record, a9, c))
        assert result.status is WriteStatus.DONE
        ((_, items),) = (await orders.orders()).values()
        assert [line["article"] for line in items] == ["A", "C"]
        assert items[0]["extra"] == "mine"

    @pytest.mark.parametrize("edit", ["change", "add", "drop"])
    async def test_lines_that_are_others_by_now_are_not_overwritten(
        self, open_connector: Connector, orders: OrderSystem, edit: str
    ) -> None:
        one = await orders.insert("1", 10, [A, B])
        record = await look(open_connector, orders, one)
        if edit == "change":
            await orders.edit_line(one, 1, {"quantity": 7})
        elif edit == "add":
            await orders.add_line(one, C)
        else:
            await orders.drop_line(one, 1)
        before = await orders.orders()
        a, b = lines_of(record.native["items"])
        result = await self.write(open_connector, orders, saved(record, again(a, quantity=9), b))
        assert result.status is WriteStatus.MOVED_ON
        assert await orders.orders() == before

    async def test_an_edit_of_what_is_not_mapped_stops_nothing(
        self, open_connector: Connector, orders: OrderSystem
    ) -> None:
        one = await orders.insert("1", 10, [A])
        record = await look(open_connector, orders, one)
        await orders.edit_line(one, 0, {"extra": "theirs"})
        if open_connector.declaration.version == "content":
            record = await look(open_connector, orders, one)
        (a,) = lines_of(record.native["items"])
        result = await self.write(open_connector, orders, saved(record, again(a, quantity=9)))
        assert result.status is WriteStatus.DONE
        ((_, items),) = (await orders.orders()).values()
        assert (items[0]["quantity"], items[0]["extra"]) == (9, "theirs")

    async def test_a_refused_line_leaves_no_half_order(
        self, open_connector: Connector, orders: OrderSystem
    ) -> None:
        bad = line_of(cells("refused"))
        native: dict[str, Value] = {"number": "1", "total": 10, "items": (line_of(A), bad)}
        drawn = (
            await open_connector.reserve(orders.object_name, 1)
            if open_connector.declaration.draws_ids
            else []
        )
        result = await self.write(open_connector, orders, Write(Op.CREATE, drawn[0] if drawn else "", native))
        assert (result.status, bool(result.error)) == (WriteStatus.REFUSED, True)
        assert await orders.orders() == {}
        one = await orders.insert("2", 10, [A, B])
        before = await orders.orders()
        record = await look(open_connector, orders, one)
        (a, _) = lines_of(record.native["items"])
        result = await self.write(
            open_connector, orders, saved(record, again(a, quantity=9), bad, total=Decimal(1))
        )
        assert result.status is WriteStatus.REFUSED
        assert await orders.orders() == before

    async def test_an_order_that_is_gone_is_gone_and_one_is_deleted_with_its_lines(
        self, open_connector: Connector, orders: OrderSystem
    ) -> None:
        one = await orders.insert("1", 10, [A, B])
        record = await look(open_connector, orders, one)
        gone = Write(Op.DELETE, record.id, seen=record.native, version=record.version)
        assert (await self.write(open_connector, orders, gone)).status is WriteStatus.DONE
        assert await orders.orders() == {}
        assert (await self.write(open_connector, orders, saved(record))).status is WriteStatus.GONE


class FeedsLines(TakesLines):
    """Where changes are found by a feed."""

    async def test_a_feed_tells_of_the_order_whose_line_was_touched(
        self, open_connector: Connector, orders: OrderSystem
    ) -> None:
        assert open_connector.find(orders.object_name) is Find.FEED
        one = await orders.insert("1", 10, [A, B])
        await open_connector.ack(await open_connector.drain(100))
        for step in (
            orders.edit_line(one, 0, {"quantity": 7}),
            orders.add_line(one, C),
            orders.drop_line(one, 0),
        ):
            await step
            touched = await open_connector.drain(100)
            assert {(item.object, item.id) for item in touched} == {(orders.object_name, one)}
            await open_connector.ack(touched)
