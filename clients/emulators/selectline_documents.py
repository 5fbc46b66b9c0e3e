"""Documents of the SelectLine emulator: made empty, filled position by position, and what they do to the stock.

Must not: know how rows are listed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from aiohttp import web

from clients.emulators.data import Change
from clients.emulators.description import Refused, Row, Table
from clients.emulators.emulator import Emulator, answer, body_of
from clients.emulators.selectline_tables import NUMBER

STORING: Final = {"L": -1, "R": -1, "Z": -1, "G": 1, "E": 1}  # document kinds that move stock, and which way
BOOKED_NOT: Final = ("4", "6")  # cancelled, parked
CENT: Final = Decimal("0.01")


class Documents(Emulator):
    """What the emulator does with documents. `kinds`: those that the set-up knows."""

    kinds: str

    def check_kind(self, kind: str) -> None:
        """A kind that the set-up lacks is a breakdown, not a refusal."""
        if kind not in self.kinds:
            raise Refused(f"Der Belegtyp {kind} ist nicht eingerichtet.", code="42-000")

    def next_number(self, table: str) -> str:
        """The next free number."""
        used = [str(row["Number"]) for row in self.data.tables[table].values()]
        return str(max([NUMBER - 1, *(int(one) for one in used if one.isdecimal())]) + 1)

    def make_document(self, values: dict[str, Any]) -> web.Response:
        """A document without positions; an empty body makes one, too."""
        kind = str(values.get("KindFlag") or "F")
        self.check_kind(kind)
        number = str(values.get("Number") or self.next_number("Documents"))
        key = f"{kind}{number}"
        self.data.insert("Documents", {**values, "KindFlag": kind, "Number": number, "DocumentKey": key})
        return answer({"DocumentKey": key, "DocumentKind": kind, "DocumentNumber": number}, 201)

    def positions_of(self, key: str) -> list[Row]:
        """The positions of a document that a read shows, in their order."""
        found = [row for row in self.data.shown("Positions") if row["DocumentKey"] == key]
        return sorted(found, key=lambda row: (row["PositionNumber"] or 0, row["Identifier"]))

    def _rows_of(self, key: str) -> list[Row]:
        return self.person.find("Positions", DocumentKey=key)

    # ----------------------------------------------------------------------------------------------- the paths

    async def _status(self, request: web.Request) -> web.Response:
        row = self._document(request)
        given = body_of(await request.read())
        if not isinstance(given, dict) or "Value" not in given:
            raise Refused("Value fehlt.")
        self.data.edit("Documents", row["DocumentKey"], {"StatusFlag": str(given["Value"])})
        return web.Response(status=204)

    async def _positions(self, request: web.Request) -> web.Response:
        key = str(self._document(request)["DocumentKey"])
        table = self.data.table("Positions")
        rows = self._asked(request, table, self.positions_of(key))
        shown = [self._shown(table, row) for row in rows]
        for one in shown:
            one |= {"DocumentKind": key[0], "DocumentNumber": key[1:]}
            del one["DocumentKey"]
        return answer(shown)

    async def _item(self, request: web.Request) -> web.Response:
        key = str(self._document(request)["DocumentKey"])
        body = body_of(await request.read())
        table = self.data.table("Positions")
        values = self._filled(self._values(table, body))
        stored = body.get("StoreInformation") if isinstance(body, dict) else None
        self._check_store(key, values, stored)
        last = max((row["PositionNumber"] or 0 for row in self._rows_of(key)), default=0)
        identifier = str(uuid.uuid4()).upper()
        place = {"Identifier": identifier, "DocumentKey": key, "PositionNumber": last + 1}
        self.data.insert("Positions", {**values, **place})
        said = {"DocumentKey": key, "DocumentKind": key[0], "DocumentNumber": key[1:]}
        return answer({**said, "PositionIdentifier": identifier}, 201)

    def _filled(self, values: dict[str, Any]) -> dict[str, Any]:
        """What is not sent comes from the article; the quantity is 1 then. What is sent holds, also 0 and ''."""
        article = self._article(values.get("ArticleNumber"))
        drawn = {
            "Name": article["Name"],
            "UnitPrice": article["Payment.ListPrice"],
            "TaxCode": article["Payment.SaleTaxCode"],
            "QuantityUnit": article["QuantityUnit"],
            "IsWarehouseArticle": bool(article["IsWarehouseArtikel"]),
            "CalculatedQuantityValue": Decimal(1),
        }
        given = {name: value for name, value in values.items() if value is not None}
        return {**drawn, **given, "Quantity": given.get("CalculatedQuantityValue", Decimal(1))}

    def _article(self, number: Any) -> Row:
        article = self.data.tables["Articles"].get(number or "")
        if article is None:
            raise Refused(f"Der Artikel {number} ist nicht vorhanden.", field="ArticleNumber")
        return article

    def _check_store(self, key: str, values: Mapping[str, Any], stored: Any) -> None:
        """A document that moves stock wants to know where; a negative quantity without it becomes 1 (as users report)."""
        if key[0] not in STORING or not values["IsWarehouseArticle"]:
            return
        wanted = Decimal(str(values["CalculatedQuantityValue"]))
        given = sum((Decimal(str(one.get("Quantity") or 0)) for one in stored or ()), Decimal(0))
        if stored and given != wanted:
            raise Refused(f"Fehler beim Lagern. Offene Menge: {wanted - given}")
        if not stored and wanted < 0:
            assert isinstance(values, dict)
            values |= {"CalculatedQuantityValue": Decimal(1), "Quantity": Decimal(1)}

    async def _item_update(self, request: web.Request) -> web.Response:
        row, table = self._position(request), self.data.table("Positions")
        values = self._values(table, body_of(await request.read()))
        if "CalculatedQuantityValue" in values:
            values["Quantity"] = values["CalculatedQuantityValue"]
        self.data.edit("Positions", row["Identifier"], values)
        return web.Response(status=204)

    async def _item_delete(self, request: web.Request) -> web.Response:
        self.data.delete("Positions", self._position(request)["Identifier"])
        return web.Response(status=204)

    def _document(self, request: web.Request) -> Row:
        self._enter(request)
        return self._row(self.data.table("Documents"), request.match_info["key"])

    def _position(self, request: web.Request) -> Row:
        key = self._document(request)["DocumentKey"]
        row = self._row(self.data.table("Positions"), request.match_info["position"])
        if row["DocumentKey"] != key:
            raise web.HTTPNotFound
        return row

    # ------------------------------------------------------------------------------------- guards and movements

    def guard(self, change: Change) -> None:
        """References hold."""
        row = change.after
        if change.table == "Positions" and row is not None:
            self._article(row["ArticleNumber"])
        if change.table == "Documents" and row is not None:
            partner = row.get("BusinessPartner.Address.Number")
            if partner and partner not in self.data.tables["Customers"]:
                raise Refused(f"Der Kunde {partner} ist nicht vorhanden.")

    def _changed(self, change: Change) -> None:
        super()._changed(change)
        if change.table == "Positions":
            row = change.after or change.before
            assert row is not None
            self._reckon(str(row["DocumentKey"]))
            self._move(str(change.key), change.after)
        elif change.table == "Documents" and change.op == "delete":
            for row in self._rows_of(str(change.key)):
                self.data.delete("Positions", row["Identifier"], by="automation")
        elif change.table == "Documents" and change.op == "edit":
            for row in self._rows_of(str(change.key)):
                self._move(str(row["Identifier"]), row)

    def _reckon(self, key: str) -> None:
        """The sums of a document."""
        document = self.data.tables["Documents"].get(key)
        if document is None:
            return
        gross = document["PriceKindFlag"] == "B"
        net_sum = gross_sum = Decimal(0)
        for row in self._rows_of(key):
            total = row["TotalPrice"]
            total = _quantity(row) * (row["UnitPrice"] or Decimal(0)) if total is None else total
            factor = 1 + (row["TaxRate"] or Decimal(0)) / 100
            net_sum += total / factor if gross else total
            gross_sum += total if gross else total * factor
        net, whole = _cents(net_sum), _cents(gross_sum)
        sums = {"NetAmount": net, "GrossAmount": whole, "TaxAmount": whole - net}
        if any(document[name] != value for name, value in sums.items()):
            self.data.edit("Documents", key, sums, by="automation")

    def _move(self, position: str, row: Row | None) -> None:
        """The movement of a position is what its document says, whatever it was before."""
        wanted: dict[str, Decimal] = {}
        if row is not None and row.get("IsWarehouseArticle"):
            document = self.data.tables["Documents"].get(row["DocumentKey"])
            moved = _quantity(row) * STORING.get(str(row["DocumentKey"])[0], 0)
            if document is not None and document["StatusFlag"] not in BOOKED_NOT and moved:
                wanted[str(row["ArticleNumber"])] = moved
        held = self.person.find("Movements", Position=position)
        if wanted == {one["ArticleNumber"]: one["Quantity"] for one in held}:
            return
        for one in held:
            self.data.delete("Movements", one["Id"], by="automation")
            self._stock(one["ArticleNumber"], -one["Quantity"])
        for article, quantity in wanted.items():
            values = {"Position": position, "ArticleNumber": article, "Quantity": quantity}
            self.data.insert("Movements", values, by="automation")
            self._stock(article, quantity)

    def _stock(self, article: str, quantity: Decimal) -> None:
        stock = self.data.tables["Articles"][article]["Warehouse.Stock"] or Decimal(0)
        self.data.edit("Articles", article, {"Warehouse.Stock": stock + quantity}, by="automation")

    # What the frame of this emulator gives.

    def _enter(self, request: web.Request) -> None:
        raise NotImplementedError

    def _row(self, table: Table, key: str) -> Row:
        raise NotImplementedError

    def _values(self, table: Table, body: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _asked(self, request: web.Request, table: Table, rows: Any) -> list[Row]:
        raise NotImplementedError

    def _shown(self, table: Table, row: Row) -> dict[str, Any]:
        raise NotImplementedError


def _quantity(row: Row) -> Decimal:
    value: Decimal | None = row["CalculatedQuantityValue"]
    return Decimal(1) if value is None else value


def _cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)
