"""Sales invoices of WinBooks: what an accounting document says of one, and the document that books one. Pure.

A document (`GLTransHeader`) has a line of the customer with the gross amount, lines of revenue accounts with their VAT codes
and the net amounts, negative, and lines of the VAT account, negative, with their base: as the vendor's example does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec

from actors.core.values import BadValue
from clients.connectors.systems.winbooks_objects import INVOICE, KEY, LINES, NOBODY, OBJECTS, type_of

TRANSACTIONS: Final = "GLTransactions"
CENT: Final = Decimal("0.01")
LISTS: Final = ("Journal", "Currency", "VatAccount", "GLAccount", "Country")


class Codes(msgspec.Struct, frozen=True):
    """What a folder's lists call their records: object -> id -> row."""

    rows: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def code(self, name: str, id_: Any) -> str | None:
        """The code of a record, None for nobody."""
        found = self.rows[name].get(str(id_).lower()) if id_ not in (None, NOBODY) else None
        return str(found["Code"]) if found is not None else None

    def row(self, name: str, code: str) -> Mapping[str, Any] | None:
        """The record with that code; case does not count."""
        rows = self.rows[name].values()
        return next((row for row in rows if str(row["Code"]).casefold() == code.casefold()), None)

    def called(self, name: str, code: str) -> Mapping[str, Any]:
        """The record with that code; BadValue where there is none."""
        found = self.row(name, code)
        if found is None:
            raise BadValue(f"there is no {name} {code}")
        return found


def as_invoice(header: Any, codes: Codes) -> Any:
    """What an accounting document says of an invoice."""
    listed = header.get(TRANSACTIONS) if isinstance(header, Mapping) else None
    if not isinstance(listed, list):
        return header  # its lines were not delivered, so nothing is known of it
    lines = sorted(listed, key=lambda line: line.get("LineOrder") or 0)
    central = [line for line in lines if line.get("Customer_Id") not in (None, NOBODY)]
    revenue = [line for line in lines if line not in central and not _number(line.get("VatBaseAmount"))]
    vat = [line for line in lines if line not in central and line not in revenue]
    total = sum((_number(line.get("Amount")) for line in central), Decimal(0))
    return {
        **header,
        "JournalCode": codes.code("Journal", header.get("Journal_Id")),
        "CurrencyCode": codes.code("Currency", central[0].get("Currency_Id")) if central else None,
        "Customer_Id": central[0].get("Customer_Id") if central else None,
        "TotalAmount": total,
        "VatAmount": -sum((_number(line.get("Amount")) for line in vat), Decimal(0)),
        "NetAmount": -sum((_number(line.get("Amount")) for line in revenue), Decimal(0)),
        # Every line of the customer is matched: it is settled.
        "IsOpen": any(line.get("GLMatch_Id") in (None, NOBODY) for line in central),
        LINES: [
            {
                KEY: line[KEY],
                "VatCode": codes.code("VatAccount", line.get("Vat_Id")),
                "Amount": -_number(line.get("Amount")),
                "Comment": line.get("Comment"),
                "GLAccountCode": codes.code("GLAccount", line.get("GLAccount_Id")),
            }
            for line in revenue
        ],
    }


class Booking(msgspec.Struct, frozen=True):
    """What an invoice is booked with. `accounts`: codes of the accounts for customers, sales and VAT where nobody says
    otherwise; `currency`: the one in which the books are kept."""

    codes: Codes
    customer: Mapping[str, Any]
    period: str
    accounts: tuple[str, str, str]
    currency: str


def document(values: Mapping[str, Any], book: Booking) -> dict[str, Any]:
    """The body that books an invoice, with its lines, in one request. Raises BadValue naming what is missing."""
    codes, currency = book.codes, str(values.get("CurrencyCode") or book.currency)
    if currency.casefold() != book.currency.casefold():
        raise BadValue(
            f"the books are kept in {book.currency}, and nobody said at which rate {currency} is booked"
        )
    lines = [line for line in values.get(LINES) or () if isinstance(line, Mapping)]
    if not lines:
        raise BadValue("an invoice without lines is not booked")
    common = {"Currency_Id": codes.called("Currency", currency)[KEY], "BookPeriod_Id": book.period}
    revenue, net = _revenue(lines, book, common)
    vat, taxes = _taxes(net, book, common)
    base, tax = sum(net.values(), Decimal(0)), sum(taxes.values(), Decimal(0))
    customers, _, _ = book.accounts
    central = {
        **common,
        "Customer_Id": book.customer[KEY],
        "GLAccount_Id": _own(book.customer, "GLAccount2_Id") or codes.called("GLAccount", customers)[KEY],
        "Amount": base + tax,
        "VatBaseAmount": base,
        "TurnOverAmount": base,
        "VatTaxAmount": tax,
    }
    plain = {
        name: values[name] for name in ("DocNumber", "BookDate", "DueDate", "Comment") if values.get(name)
    }
    return {
        "$type": type_of(INVOICE, OBJECTS[INVOICE]),
        "TotalLevel": 2,
        **plain,
        "Journal_Id": codes.called("Journal", str(values.get("JournalCode")))[KEY],
        "BookPeriod_Id": book.period,
        TRANSACTIONS: [
            {"$type": type_of("GLTrans", OBJECTS["GLTrans"]), "TotalLevel": 1, "LineOrder": place, **line}
            for place, line in enumerate([central, *revenue, *vat])
        ],
    }


def _revenue(
    lines: Sequence[Mapping[str, Any]], book: Booking, common: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Decimal]]:
    """The lines of revenue accounts, and what they come to by VAT code."""
    found: list[dict[str, Any]] = []
    net: dict[str, Decimal] = {}
    for line in lines:
        code = str(line.get("VatCode") or "")
        if not code or line.get("Amount") is None:
            raise BadValue("a line needs VatCode and Amount")
        account = line.get("GLAccountCode")
        own = (
            book.codes.called("GLAccount", str(account))[KEY]
            if account
            else _own(book.customer, "GLAccount_Id")
        )
        amount = _number(line["Amount"])
        net[code] = net.get(code, Decimal(0)) + amount
        entry = {
            **common,
            "GLAccount_Id": own or book.codes.called("GLAccount", book.accounts[1])[KEY],
            "Vat_Id": book.codes.called("VatAccount", code)[KEY],
            "Amount": -amount,
        }
        found.append({**entry, "Comment": line["Comment"]} if line.get("Comment") else entry)
    return found, net


def _taxes(
    net: Mapping[str, Decimal], book: Booking, common: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Decimal]]:
    """The lines of the VAT account: one for each code that has a rate, to the cent."""
    found: list[dict[str, Any]] = []
    taxes: dict[str, Decimal] = {}
    for code, base in net.items():
        row = book.codes.called("VatAccount", code)
        if row.get("Rate") is None:
            raise BadValue(f"the VAT code {code} has no rate")
        tax = (base * _number(row["Rate"]) / 100).quantize(CENT, ROUND_HALF_UP)
        taxes[code] = tax
        if tax:
            account = book.codes.called("GLAccount", book.accounts[2])[KEY]
            entry = {
                **common,
                "GLAccount_Id": account,
                "Vat_Id": row[KEY],
                "Amount": -tax,
                "VatBaseAmount": -base,
            }
            found.append(entry)
    return found, taxes


def _own(row: Mapping[str, Any], name: str) -> Any:
    return None if row.get(name) in (None, NOBODY) else row[name]


def _number(raw: Any) -> Decimal:
    return raw if isinstance(raw, Decimal) else Decimal(str(raw or 0))
