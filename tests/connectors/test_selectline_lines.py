"""Documents of SelectLine with their positions, against the contract of connectors that take lines."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import pytest

from actors.ports import Connector
from clients.emulators.selectline import System as Selectline
from clients.emulators.stand import stand
from tests.connectors.contract_lines import Cells, OrderSystem, TakesLines
from tests.connectors.order_lines import Orders
from tests.connectors.renamed import RenamedLines
from tests.connectors.test_selectline import opened


class Sales(Orders):
    """Documents of SelectLine."""

    object_name = table = "Documents"
    lines, parent, id_field = "Positions", "DocumentKey", "DocumentKey"
    own: ClassVar[Mapping[str, str]] = {"number": "OurReference", "total": "DiscountAmount"}
    names: ClassVar[Mapping[str, str]] = {
        "article": "ArticleNumber",
        "quantity": "CalculatedQuantityValue",
        "price": "UnitPrice",
        "extra": "Memo",
    }
    numbers = itertools.count(5001)

    async def open(self) -> Connector:
        inner = await opened(self.system)
        return cast(Connector, RenamedLines(inner, self.own, self.names, {"KindFlag": "F"}))

    def _rows(self, id_: str) -> list[tuple[Any, dict[str, Any]]]:
        return [(row["Identifier"], dict(row)) for row in self.system.positions_of(id_)]

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        key = f"F{next(self.numbers)}"
        row = {"DocumentKey": key, "KindFlag": "F", "Number": key[1:]}
        self.system.person.insert("Documents", {**row, "OurReference": number, "DiscountAmount": total})
        for cells in items:
            await self.add_line(key, cells)
        return key

    async def add_line(self, id_: str, cells: Cells) -> None:
        place = len(self._rows(id_)) + 1
        named = {
            "Identifier": f"{id_}-{place}-{next(self.numbers)}",
            "DocumentKey": id_,
            "PositionNumber": place,
        }
        self.system.person.insert("Positions", {**self._row(cells), **named})


class TestSelectline(TakesLines):
    @pytest.fixture
    async def orders(self) -> AsyncIterator[OrderSystem]:
        async with stand("selectline") as erp:
            assert isinstance(erp, Selectline)
            erp.person.insert("Articles", *({"Number": number, "Name": number} for number in "ABC"))
            yield Sales(erp)
