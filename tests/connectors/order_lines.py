"""Orders with lines at webCRM and Uniconta, as their own users enter them, for the contract of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from actors.ports import Connector
from clients.emulators.data import Change
from clients.emulators.description import Refused
from tests.connectors.contract_lines import Cells, OrderSystem
from tests.connectors.renamed import RenamedLines
from tests.connectors.test_uniconta import opened as uniconta
from tests.connectors.test_webcrm import opened as webcrm

WEBCRM = {
    "article": "QuotationLineData1",
    "quantity": "QuotationLineQuantity",
    "price": "QuotationLinePrice",
    "extra": "QuotationLineComment",
}
UNICONTA = {"article": "Item", "quantity": "Qty", "price": "Price", "extra": "Note"}


class Orders(OrderSystem):
    """Orders of an emulator. `table`, `lines`: its tables; `parent`: the field of a line that names its order."""

    own: ClassVar[Mapping[str, str]]
    names: ClassVar[Mapping[str, str]]
    table: ClassVar[str]
    lines: ClassVar[str]
    parent: ClassVar[str]
    id_field: ClassVar[str]

    def __init__(self, system: Any) -> None:
        self.system = system

    def _row(self, cells: Cells) -> dict[str, Any]:
        return {self.names[name]: value for name, value in cells.items()}

    def _rows(self, id_: str) -> list[tuple[Any, dict[str, Any]]]:
        found = self.system.person.rows(self.lines)
        return [(key, row) for key, row in sorted(found.items()) if str(row[self.parent]) == id_]

    async def edit_line(self, id_: str, place: int, changes: Cells) -> None:
        self.system.person.edit(self.lines, self._rows(id_)[place][0], self._row(changes))

    async def add_line(self, id_: str, cells: Cells) -> None:
        row = {**self._row(cells), self.parent: int(id_)}
        if self.lines == "DebtorOrderLineClient":
            row["LineNumber"] = len(self._rows(id_)) + 1
        self.system.person.insert(self.lines, row)

    async def drop_line(self, id_: str, place: int) -> None:
        self.system.person.delete(self.lines, self._rows(id_)[place][0])

    async def orders(self) -> Mapping[str, tuple[Cells, Sequence[Cells]]]:
        found = {}
        for row in self.system.person.rows(self.table).values():
            id_ = str(row[self.id_field])
            lines = [
                {name: line[native] for name, native in self.names.items()} for _, line in self._rows(id_)
            ]
            found[id_] = ({name: row[native] for name, native in self.own.items()}, lines)
        return found


class Deliveries(Orders):
    """Deliveries of webCRM."""

    object_name = table = "Deliveries"
    lines, parent, id_field = "QuotationLines", "QuotationLineOpportunityId", "DeliveryId"
    own: ClassVar[Mapping[str, str]] = {"number": "DeliveryNumber", "total": "DeliveryOrderValue"}
    names = WEBCRM

    async def open(self) -> Connector:
        inner = await webcrm(self.system)
        return cast(Connector, RenamedLines(inner, self.own, WEBCRM, {"DeliveryOrganisationId": 1}))

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        row = {"DeliveryNumber": number, "DeliveryOrderValue": total, "DeliveryOrganisationId": 1}
        (key,) = self.system.person.insert("Deliveries", row)
        for cells in items:
            await self.add_line(str(key), cells)
        return str(key)


class DebtorOrders(Orders):
    """Orders of Uniconta."""

    object_name, table = "DebtorOrderClientUser", "DebtorOrderClient"
    lines, parent, id_field = "DebtorOrderLineClient", "OrderNumber", "OrderNumber"
    own: ClassVar[Mapping[str, str]] = {"number": "Requisition", "total": "Weight"}
    names = UNICONTA
    count = 5000

    async def open(self) -> Connector:
        inner = await uniconta(self.system)
        return cast(Connector, RenamedLines(inner, self.own, UNICONTA, {"Account": "1"}))

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        self.count += 1
        row = {"OrderNumber": self.count, "Requisition": number, "Weight": total, "Account": "1"}
        self.system.person.insert("DebtorOrderClient", row)
        for cells in items:
            await self.add_line(str(self.count), cells)
        return str(self.count)


def no_refused(change: Change) -> None:
    """The article "refused" is refused."""
    if change.after is not None and change.after.get("QuotationLineData1") == "refused":
        raise Refused("there is no such article")
