"""Tribe's invoices with their product lines, against the contract of connectors that take lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import pytest

from actors.ports import Connector
from clients.emulators.data import Change
from clients.emulators.description import Refused
from clients.emulators.stand import stand
from clients.emulators.tribe import System as Tribe
from clients.emulators.tribe_tables import INVOICE, LINE
from tests.connectors.contract_lines import Cells, OrderSystem, TakesLines
from tests.connectors.order_lines import Orders
from tests.connectors.renamed import RenamedLines
from tests.connectors.test_tribe import opened

LINES = {"article": "Description", "quantity": "Quantity", "price": "Price", "extra": "_Note"}


class Invoices(Orders):
    """Invoices of Tribe."""

    object_name = table = INVOICE
    lines, parent, id_field = LINE, "Activity", "ID"
    own: ClassVar[Mapping[str, str]] = {"number": "Subject", "total": "Amount"}
    names = LINES

    async def open(self) -> Connector:
        own = {LINE: {"fields": {"_Note": "text"}}}
        return cast(Connector, RenamedLines(await opened(self.system, objects=own), self.own, LINES))

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        key = self.system.enter(INVOICE, Subject=number, Amount=total)
        for cells in items:
            await self.add_line(str(key), cells)
        return str(key)

    async def add_line(self, id_: str, cells: Cells) -> None:
        self.system.enter(LINE, Activity=id_, **self._row(cells))

    def _rows(self, id_: str) -> list[tuple[Any, dict[str, Any]]]:
        return sorted(super()._rows(id_), key=lambda item: item[1]["SortIndex"])


def refuses(change: Change) -> None:
    """A line says what it is about."""
    if change.table == LINE and change.after is not None and change.after["Description"] in (None, "refused"):
        raise Refused("a line says what it is about")


class TestTribe(TakesLines):
    @pytest.fixture
    async def orders(self) -> AsyncIterator[OrderSystem]:
        async with stand("tribe") as crm:
            assert isinstance(crm, Tribe)
            crm.data.guards.append(refuses)
            yield Invoices(crm)
