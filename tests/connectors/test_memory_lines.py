"""Orders with nested lines in the memory system, against the contract; and writes that are cut on demand."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
import pytest

from actors.core.types import Op
from actors.core.values import Value, line_of, lines_of
from actors.ports import Connector, Write, WriteStatus
from clients.connectors.systems import memory
from clients.connectors.systems.memory_system import Faults, MemorySystem, ObjectShape, Refused
from tests.connectors.contract_lines import A, B, Cells, FeedsLines, OrderSystem, bare

ORDERS = ObjectShape({"number": "text", "total": "decimal", "items": "lines"})


class Fussy(MemorySystem):
    """A system that refuses one article."""

    def _stored(self, object_name: str, fields: Mapping[str, Value]) -> dict[str, Value]:
        if any(line.get("article") in (None, "refused") for line in lines_of(fields.get("items"))):
            raise Refused("there is no such article")
        return super()._stored(object_name, fields)


class Orders(OrderSystem):
    """Another person at the same memory system."""

    describes_cells = False

    def __init__(self) -> None:
        self.memory = Fussy("orders", {"orders": ORDERS}, time.time)

    async def open(self) -> Connector:
        declared = msgspec.structs.replace(memory.DECLARATION, version="none")
        return memory.MemoryConnector(self.memory, declared)

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        lines = tuple(line_of(one) for one in items)
        return self.memory.create("orders", {"number": number, "total": total, "items": lines}, "person")

    def _lines(self, id_: str) -> list[dict[str, Value]]:
        state = self.memory.get("orders", id_)
        assert state is not None
        return [dict(line.cells) for line in lines_of((state.fields or {})["items"])]

    def _save(self, id_: str, lines: Sequence[Cells]) -> None:
        self.memory.edit("orders", id_, {"items": tuple(line_of(one) for one in lines)}, "person")

    async def edit_line(self, id_: str, place: int, changes: Cells) -> None:
        lines = self._lines(id_)
        lines[place].update(changes)
        self._save(id_, lines)

    async def add_line(self, id_: str, cells: Cells) -> None:
        self._save(id_, [*self._lines(id_), cells])

    async def drop_line(self, id_: str, place: int) -> None:
        lines = self._lines(id_)
        self._save(id_, [*lines[:place], *lines[place + 1 :]])

    async def orders(self) -> Mapping[str, tuple[Cells, Sequence[Cells]]]:
        return {
            id_: (
                {name: value for name, value in (state.fields or {}).items() if name != "items"},
                self._lines(id_),
            )
            for id_, state in self.memory.rows("orders")
        }


class TestLines(FeedsLines):
    @pytest.fixture
    def orders(self) -> Orders:
        return Orders()


@pytest.mark.anyio
@pytest.mark.parametrize("seed", ["1", "2", "3"])
async def test_a_write_that_is_cut_says_nothing_and_did_a_part(seed: str) -> None:
    orders = Orders()
    declared = msgspec.structs.replace(memory.DECLARATION, lines="steps")
    connector = memory.MemoryConnector(orders.memory, declared)
    orders.memory.lie(Faults(part=1.0), seed)
    lines = (line_of(A), line_of(B))
    (result,) = await connector.write(
        "orders", [Write(Op.CREATE, native={"number": "1", "items": lines})], []
    )
    assert result.status is WriteStatus.UNKNOWN
    ((own, items),) = (await orders.orders()).values()
    assert own["number"] == "1"
    assert len(items) < 2
    assert bare(tuple(line_of(one) for one in items)) == [A, B][: len(items)]
