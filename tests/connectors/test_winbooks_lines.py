"""Booked invoices of WinBooks with their lines, against the contract of connectors that take lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, cast

import pytest

from actors.core.values import Line, Value, line_of
from actors.ports import Connector
from clients.connectors.systems.winbooks_objects import INVOICE
from clients.emulators.stand import stand
from clients.emulators.winbooks import System as Winbooks
from clients.emulators.winbooks_documents import Bookkeeper
from tests.connectors.contract_lines import Cells, OrderSystem, TakesLines
from tests.connectors.renamed import RenamedLines
from tests.connectors.test_winbooks import opened

pytestmark = pytest.mark.anyio
OWN = {"number": "DocNumber", "total": "TotalAmount"}
CELLS = {"article": "VatCode", "quantity": "GLAccountCode", "price": "Amount", "extra": "Comment"}


class Numbers(RenamedLines):
    """The contract's numbers of documents are texts, and its quantities are codes of accounts."""

    def _renamed(self, values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
        found = super()._renamed(values, names)
        if names is self._to:
            found.pop("TotalAmount", None)  # it is what the lines come to
        number = found.get("DocNumber", found.get("number"))
        if number is not None:
            found["DocNumber" if names is self._to else "number"] = (
                int(str(number)) if names is self._to else str(number)
            )
        return found

    @staticmethod
    def _line(line: Line, names: Mapping[str, str]) -> Line:
        renamed = dict(RenamedLines._line(line, names).cells)
        if isinstance(code := renamed.get("quantity"), str):
            renamed["quantity"] = int(code)
        if (quantity := renamed.get("GLAccountCode")) is not None:
            renamed["GLAccountCode"] = str(quantity)
        return line_of(cast("dict[str, object]", renamed))


class Invoices(OrderSystem):
    """Somebody who books by hand."""

    object_name = INVOICE

    def __init__(self, books: Winbooks) -> None:
        self.books = books
        keeper = Bookkeeper(books)
        keeper.open_year(2026)
        self.customer = keeper.partner("Customer", "C1", "Vin & Co")
        for code in "ABC":
            books.enter("VatAccount", Code=code, Rate=0)
        for number in range(1, 10):
            books.enter("GLAccount", Code=str(number))

    def _id(self, table: str, code: Any) -> str:
        return next(
            str(key) for key, row in self.books.person.rows(table).items() if row["Code"] == str(code)
        )

    async def open(self) -> Connector:
        constants: dict[str, Value] = {
            "Customer_Id": self.customer,
            "JournalCode": "VEN",
            "BookDate": date(2026, 3, 31),
        }
        return cast(Connector, Numbers(await opened(self.books), OWN, CELLS, constants))

    async def insert(self, number: str, total: int, items: Sequence[Cells]) -> str:
        key = self.books.enter("GLTransHeader", Journal_Id=self._id("Journal", "VEN"), DocNumber=int(number))
        due = sum(cells["price"] for cells in items)  # type: ignore[misc]
        self.books.enter("GLTrans", GLTransHeader_Id=key, LineOrder=0, Customer_Id=self.customer, Amount=due)
        for cells in items:
            await self.add_line(key, cells)
        return key

    def _lines(self, id_: str) -> list[dict[str, Any]]:
        rows = self.books.person.rows("GLTrans").values()
        of = [row for row in rows if row["GLTransHeader_Id"] == id_ and not row["Customer_Id"]]
        return sorted(of, key=lambda row: int(row["LineOrder"]))

    def _row(self, cells: Cells) -> dict[str, Any]:
        row: dict[str, Any] = {"Comment": cells.get("extra")} if "extra" in cells else {}
        if "article" in cells:
            row["Vat_Id"] = self._id("VatAccount", cells["article"])
        if "quantity" in cells:
            row["GLAccount_Id"] = self._id("GLAccount", cells["quantity"])
        if "price" in cells:
            row["Amount"] = -cells["price"]  # type: ignore[operator]
        return row

    async def edit_line(self, id_: str, place: int, changes: Cells) -> None:
        self.books.person.edit("GLTrans", self._lines(id_)[place]["Id"], self._row(changes))

    async def add_line(self, id_: str, cells: Cells) -> None:
        order = len(self._lines(id_)) + 1
        self.books.enter("GLTrans", GLTransHeader_Id=id_, LineOrder=order, **self._row(cells))

    async def drop_line(self, id_: str, place: int) -> None:
        self.books.person.delete("GLTrans", self._lines(id_)[place]["Id"])

    async def orders(self) -> Mapping[str, tuple[Cells, Sequence[Cells]]]:
        codes = {
            key: row["Code"]
            for table in ("VatAccount", "GLAccount")
            for key, row in self.books.person.rows(table).items()
        }
        found: dict[str, tuple[Cells, Sequence[Cells]]] = {}
        for key, row in self.books.person.rows("GLTransHeader").items():
            lines = [
                {
                    "article": codes[line["Vat_Id"]],
                    "quantity": int(codes[line["GLAccount_Id"]]),
                    "price": -line["Amount"],
                    "extra": line["Comment"],
                }
                for line in self._lines(str(key))
            ]
            found[str(key)] = ({"number": str(row["DocNumber"])}, lines)
        return found


class TestWinbooks(TakesLines):
    waivers: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            "test_lines_are_added_changed_removed_and_moved_and_who_stays_is_who_it_was",
            "test_an_edit_of_what_is_not_mapped_stops_nothing",
            "test_an_order_that_is_gone_is_gone_and_one_is_deleted_with_its_lines",
        ),
        "what was booked is neither changed nor deleted",
    )

    @pytest.fixture
    async def orders(self) -> AsyncIterator[OrderSystem]:
        async with stand("winbooks") as books:
            assert isinstance(books, Winbooks)
            yield Invoices(books)
