"""What WinBooks on Web looks at before it books a document, and what its users do with one: sums, periods, journals, VAT,
payments. What is modelled of that: docs/connectors/winbooks.md.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from clients.emulators.data import Data
from clients.emulators.description import Refused, Row

if TYPE_CHECKING:
    from clients.emulators.winbooks import System

CENT = Decimal("0.01")
VAT_ACCOUNT, SALES_ACCOUNT, CUSTOMERS_ACCOUNT, BANK_ACCOUNT = "451000", "700000", "400000", "550000"
ACCOUNTS = (VAT_ACCOUNT, SALES_ACCOUNT, CUSTOMERS_ACCOUNT, BANK_ACCOUNT)


def check(data: Data, header: Row) -> None:
    """Raises `Refused` where the document can't be booked."""
    lines = [row for row in data.tables["GLTrans"].values() if row["GLTransHeader_Id"] == header["Id"]]
    journal = data.tables["Journal"].get(header["Journal_Id"] or "")
    period = data.tables["BookPeriod"].get(header["BookPeriod_Id"] or "")
    if journal is None or period is None:
        raise Refused("A document needs a journal and a book period")
    if journal["IsLocked"]:
        raise Refused(f"The journal {journal['Code']} is locked")
    day = header["BookDate"]
    if (
        period["IsClosed"]
        or day is None
        or (day.year, day.month) != (period["RelatedYear"], period["RelatedMonth"])
    ):
        raise Refused("The book period is closed, or not that of the date", field="BookPeriod")
    _check_number(data, header, period)
    if not lines:
        raise Refused("A document needs lines")
    if sum((row["Amount"] or Decimal(0) for row in lines), Decimal(0)) != 0:
        raise Refused("The document does not balance", field="Amount")
    _check_vat(data, lines)


def _check_number(data: Data, header: Row, period: Row) -> None:
    for other in data.tables["GLTransHeader"].values():
        year = (data.tables["BookPeriod"].get(other["BookPeriod_Id"] or "") or {}).get("RelatedYear")
        same = (other["Journal_Id"], other["DocNumber"], year)
        if other["Id"] != header["Id"] and same == (
            header["Journal_Id"],
            header["DocNumber"],
            period["RelatedYear"],
        ):
            raise Refused(
                f"The number {header['DocNumber']} exists already in this journal", field="DocNumber"
            )


def _check_vat(data: Data, lines: list[Row]) -> None:
    """What each code comes to is what its rate makes of its base; the customer's line says the sums."""
    customers = [row for row in lines if row["Customer_Id"]]
    for row in customers:
        if data.tables["Customer"][row["Customer_Id"]]["IsLocked"]:
            raise Refused("The customer is locked", field="Customer")
        if None in (row["VatBaseAmount"], row["TurnOverAmount"], row["VatTaxAmount"]):
            raise Refused("VatBaseAmount, TurnOverAmount and VatTaxAmount of the customer's line are missing")
    if any(not row["GLAccount_Id"] for row in lines):
        raise Refused("A line needs an account", field="GLAccount")
    base: dict[str, Decimal] = defaultdict(Decimal)
    vat: dict[str, Decimal] = defaultdict(Decimal)
    for row in lines:
        if not row["Customer_Id"] and row["Vat_Id"]:
            (vat if row["VatBaseAmount"] else base)[row["Vat_Id"]] -= row["Amount"]
    for code, amount in base.items():
        rate = data.tables["VatAccount"][code]["Rate"] or Decimal(0)
        wanted = (amount * rate / 100).quantize(CENT, ROUND_HALF_UP)
        if abs(vat[code] - wanted) > CENT:
            raise Refused(f"The VAT is {vat[code]}, and {wanted} is needed", field="VatTaxAmount")


class Bookkeeper:
    """Whoever keeps the books of a folder."""

    def __init__(self, books: System) -> None:
        self._books = books

    def open_year(self, year: int) -> None:
        """A folder as it comes: journals, accounts, VAT codes, currency, countries, and the months of a year."""
        enter = self._books.enter
        for code, name in (("VEN", "Ventes"), ("ACH", "Achats"), ("BNK", "Banque")):
            enter("Journal", Code=code, Name=name)
        for code in ACCOUNTS:
            enter("GLAccount", Code=code, Name=code)
        for code, rate in (("21", "21"), ("06", "6"), ("00", "0")):
            enter("VatAccount", Code=code, Name=f"{rate} %", Rate=Decimal(rate))
        enter("Currency", Code="EUR", Name="Euro")
        for code in ("BE", "NL", "FR"):
            enter("Country", Code=code, Name=code)
        for month in range(1, 13):
            enter("BookPeriod", RelatedYear=year, RelatedMonth=month, Number=month)

    def partner(self, table: str, code: str, name: str, /, **values: Any) -> str:
        """A customer or supplier with a third party of his own; `Address.` in front of what belongs to his address."""
        address = {n.removeprefix("Address."): v for n, v in values.items() if n.startswith("Address.")}
        own = {n: values[n] for n in values if n in ("IsHidden", "IsLocked")}
        third = {n: v for n, v in values.items() if n not in own and not n.startswith("Address.")}
        code_of = {row["Code"]: key for key, row in self._books.person.rows("Country").items()}
        if country := address.pop("CountryCode", None):
            address["Country_Id"] = code_of[country]
        party = self._books.enter("Third", Code=code, Name=name, **third)
        if address:
            where = self._books.enter("Address", Index=0, IsInvoicing=True, **address)
            self._books.enter("Third_Address", Third_Id=party, Address_Id=where)
        return self._books.enter(table, Code=code, Third_Id=party, **own)

    def address_of(self, table: str, key: str) -> str:
        """The id of the address of a customer or supplier."""
        third = self._books.person.row(table, key)["Third_Id"]
        links = self._books.person.rows("Third_Address").values()
        return next(str(row["Address_Id"]) for row in links if row["Third_Id"] == third)

    def pays(self, header: str) -> None:
        """A customer pays a document: an entry in the bank journal, matched with it."""
        enter, person = self._books.enter, self._books.person
        (due,) = [
            row
            for row in person.rows("GLTrans").values()
            if row["GLTransHeader_Id"] == header and row["Customer_Id"]
        ]
        journal = next(key for key, row in person.rows("Journal").items() if row["Code"] == "BNK")
        document = person.row("GLTransHeader", header)
        paid = enter(
            "GLTransHeader",
            Journal_Id=journal,
            BookPeriod_Id=document["BookPeriod_Id"],
            DocNumber=len(person.rows("GLTransHeader")),
            BookDate=document["BookDate"] or date(2026, 1, 1),
        )
        match = str(uuid.uuid4())
        line = {"GLTransHeader_Id": paid, "GLAccount_Id": due["GLAccount_Id"], "LineOrder": 0}
        enter("GLTrans", **line, Customer_Id=due["Customer_Id"], Amount=-due["Amount"], GLMatch_Id=match)
        person.edit("GLTrans", due["Id"], GLMatch_Id=match)
