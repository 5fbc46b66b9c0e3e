"""Receipts of a CloudKasse with their lines, against the contract of connectors that deliver lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar, cast

import pytest

from actors.ports import Connector
from clients.emulators.cloudkasse import System as CloudKasse
from clients.emulators.stand import stand
from tests.connectors.contract_lines import Cells, OrdersToRead, ReadsLines
from tests.connectors.renamed import RenamedLines
from tests.connectors.test_cloudkasse import opened

CELLS = {"article": "ART_NR", "quantity": "MENGE", "price": "STK_BR", "extra": "ARTIKELTEXT"}


class Receipts(OrdersToRead):
    """Receipts in the cloud."""

    object_name = "receipts"
    own: ClassVar[Mapping[str, str]] = {"number": "BON_NOTIZ", "total": "UMS_BRUTTO"}

    def __init__(self, cloud: CloudKasse) -> None:
        self.cloud = cloud

    async def open(self) -> Connector:
        return cast(Connector, RenamedLines(await opened(self.cloud), self.own, CELLS))

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        lines = [{CELLS[name]: cell for name, cell in cells.items()} for cells in items]
        row = {"BON_ID": number, "BON_NOTIZ": number, "UMS_BRUTTO": total, "lines": lines}
        (key,) = self.cloud.person.insert("receipts", {"id": f"1-{number}", **row})
        return str(key)


class TestReceipts(ReadsLines):
    @pytest.fixture
    async def orders(self) -> AsyncIterator[OrdersToRead]:
        async with stand("cloudkasse") as cloud:
            assert isinstance(cloud, CloudKasse)
            yield Receipts(cloud)
