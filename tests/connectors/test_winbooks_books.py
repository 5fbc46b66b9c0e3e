"""WinBooks: customers with the address of their third party, and invoices that are booked, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from actors.core.types import Op
from actors.core.values import Value, line_of, lines_of
from actors.ports import Connector, Write, WriteStatus
from clients.emulators.faults import Fault
from clients.emulators.stand import stand
from clients.emulators.winbooks import System as Winbooks
from clients.emulators.winbooks_documents import Bookkeeper
from tests.connectors.test_winbooks import opened

pytestmark = pytest.mark.anyio
WHOLE: dict[str, Value] = {
    "Code": "C1",
    "Third.Name": "Vin & Co",
    "Address.Address1": "Grote Markt",
    "Address.Number": "12",
    "Address.Town": "Gent",
    "Address.CountryCode": "BE",
    "Address.Email": "vin@co.example",
}
LINES = ["lines[].VatCode", "lines[].Amount", "lines[].Comment"]
OWN = ["JournalCode", "DocNumber", "BookDate", "CurrencyCode", "TotalAmount", "VatAmount", "IsOpen"]


@pytest.fixture
async def books(request: pytest.FixtureRequest) -> AsyncIterator[Winbooks]:
    async with stand("winbooks", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Winbooks)
        Bookkeeper(emulator).open_year(2026)
        yield emulator


@pytest.fixture
async def connector(books: Winbooks) -> AsyncIterator[Connector]:
    style = books.options.get("addresses", "linked")
    made = await opened(books, addresses=style)
    yield made
    await made.aclose()


async def one(connector: Connector, name: str, write: Write) -> Any:
    (result,) = await connector.write(name, [write], [])
    return result


async def look(connector: Connector, id_: str, *names: str) -> dict[str, Value]:
    (record,) = await connector.read("Customer", [id_], names)
    return dict(record.native)


@pytest.mark.parametrize("books", [{}, {"addresses": "plain"}], indirect=True, ids=["2.5", "2.4"])
async def test_a_customer_comes_with_the_address_of_his_third_party(
    books: Winbooks, connector: Connector
) -> None:
    made = await one(connector, "Customer", Write(Op.CREATE, native=WHOLE))
    assert made.status is WriteStatus.DONE
    assert await look(connector, made.id, *WHOLE) == WHOLE
    assert len(books.person.rows("Address")) == 1
    changed: dict[str, Value] = {"Third.Name": "Vin", "Address.Town": "Luik", "Address.CountryCode": "FR"}
    seen = {name: WHOLE[name] for name in changed}
    done = await one(connector, "Customer", Write(Op.UPDATE, made.id, changed, seen))
    assert done.status is WriteStatus.DONE
    assert await look(connector, made.id, *WHOLE) == {**WHOLE, **changed}
    assert len(books.person.rows("Address")) == 1
    for field in ("Address.Town", "Address.CountryCode"):
        (found,) = await connector.find_by("Customer", field, changed[field], ["Code"])
        assert (found.id, found.native) == (made.id, {"Code": "C1"})
    assert await connector.find_by("Customer", "Address.Town", "Gent", ["Code"]) == []


async def test_who_has_no_address_gets_one_and_a_country_that_is_none_is_refused(
    books: Winbooks, connector: Connector
) -> None:
    key = Bookkeeper(books).partner("Customer", "C2", "Ada Berg")
    assert await look(connector, key, "Address.Town", "Address.PhoneNo") == {
        "Address.Town": None,
        "Address.PhoneNo": None,
    }
    write = Write(Op.UPDATE, key, {"Address.PhoneNo": "+3291234567"}, {"Address.PhoneNo": None})
    assert (await one(connector, "Customer", write)).status is WriteStatus.DONE
    assert await look(connector, key, "Address.PhoneNo") == {"Address.PhoneNo": "+3291234567"}
    write = Write(Op.UPDATE, key, {"Address.CountryCode": "XX"}, {"Address.CountryCode": None})
    result = await one(connector, "Customer", write)
    assert (result.status, "there is no Country XX" in result.error) == (WriteStatus.REFUSED, True)


@pytest.mark.parametrize("books", [{"codes": "drawn"}], indirect=True)
async def test_where_winbooks_numbers_them_itself_its_number_is_read(
    books: Winbooks, connector: Connector
) -> None:
    made = await one(connector, "Customer", Write(Op.CREATE, native=WHOLE))
    assert await look(connector, made.id, "Code", "Address.Town") == {"Code": "W0001", "Address.Town": "Gent"}


def invoice(customer: str, *lines: tuple[str, str], **changed: Value) -> dict[str, Value]:
    whole: dict[str, Value] = {
        "Customer_Id": customer,
        "JournalCode": "VEN",
        "DocNumber": 20260001,
        "BookDate": date(2026, 3, 31),
        "CurrencyCode": "EUR",
        "lines": tuple(line_of({"VatCode": code, "Amount": Decimal(net)}) for code, net in lines),
    }
    return {**whole, **changed}


async def test_an_invoice_is_booked_as_the_vendor_shows_it(books: Winbooks, connector: Connector) -> None:
    key = Bookkeeper(books).partner("Customer", "C1", "Vin & Co")
    native = invoice(key, ("21", "100.05"), ("06", "10"), ("21", "-0.05"), ("00", "5"))
    made = await one(connector, "SalesInvoice", Write(Op.CREATE, native=native))
    assert made.status is WriteStatus.DONE, made.error
    lines = sorted(books.person.rows("GLTrans").values(), key=lambda row: row["LineOrder"])
    codes = {
        key: row["Code"]
        for name in ("VatAccount", "GLAccount")
        for key, row in books.person.rows(name).items()
    }
    shown = [(codes[row["GLAccount_Id"]], codes.get(row["Vat_Id"]), row["Amount"]) for row in lines]
    assert shown == [
        ("400000", None, Decimal("136.60")),
        ("700000", "21", Decimal("-100.05")),
        ("700000", "06", Decimal(-10)),
        ("700000", "21", Decimal("0.05")),
        ("700000", "00", Decimal(-5)),
        ("451000", "21", Decimal("-21.00")),
        ("451000", "06", Decimal("-0.60")),
    ]
    assert (lines[0]["VatBaseAmount"], lines[0]["VatTaxAmount"]) == (Decimal("115.00"), Decimal("21.60"))
    (record,) = await connector.read("SalesInvoice", [made.id], [*OWN, *LINES])
    own = {name: record.native[name] for name in OWN}
    assert own == {
        "JournalCode": "VEN",
        "DocNumber": 20260001,
        "BookDate": date(2026, 3, 31),
        "CurrencyCode": "EUR",
        "TotalAmount": Decimal("136.60"),
        "VatAmount": Decimal("21.60"),
        "IsOpen": True,
    }
    read = [(line.get("VatCode"), line.get("Amount")) for line in lines_of(record.native["lines"])]
    assert read == [
        (code, Decimal(net)) for code, net in (("21", "100.05"), ("06", "10"), ("21", "-0.05"), ("00", "5"))
    ]
    for field, value in (
        ("DocNumber", 20260001),
        ("JournalCode", "VEN"),
        ("Customer_Id", key),
        ("CurrencyCode", "EUR"),
    ):
        (found,) = await connector.find_by("SalesInvoice", field, value, ["DocNumber", "JournalCode"])
        assert (found.id, found.native["JournalCode"]) == (made.id, "VEN")
    Bookkeeper(books).pays(made.id)
    (record,) = await connector.read("SalesInvoice", [made.id], ["IsOpen"])
    assert record.native == {"IsOpen": False}


REFUSED: dict[str, tuple[dict[str, Value], str]] = {
    "no such journal": ({"JournalCode": "XX"}, "there is no Journal XX"),
    "no such VAT code": ({"lines": (line_of({"VatCode": "99", "Amount": 1}),)}, "no VatAccount 99"),
    "no lines": ({"lines": ()}, "without lines"),
    "another currency": ({"CurrencyCode": "USD"}, "the books are kept in EUR"),
    "no period": ({"BookDate": date(2031, 1, 1)}, "no book period for 2031-01"),
    "nobody": ({"Customer_Id": "00000000-0000-4000-8000-000000000001"}, "no such customer"),
}


@pytest.mark.parametrize("changed, words", REFUSED.values(), ids=REFUSED)
async def test_what_can_t_be_booked_is_told_and_nothing_is(
    books: Winbooks, connector: Connector, changed: dict[str, Value], words: str
) -> None:
    key = Bookkeeper(books).partner("Customer", "C1", "Vin & Co")
    native = invoice(key, ("21", "10"), **changed)
    result = await one(connector, "SalesInvoice", Write(Op.CREATE, native=native))
    assert (result.status, words in result.error) == (WriteStatus.REFUSED, True), result.error
    assert not books.person.rows("GLTransHeader") and not books.person.rows("GLTrans")


async def test_a_locked_journal_and_a_number_that_is_there_are_refused_in_winbooks_words(
    books: Winbooks, connector: Connector
) -> None:
    key = Bookkeeper(books).partner("Customer", "C1", "Vin & Co")
    (journal,) = books.person.find("Journal", Code="VEN")
    books.person.edit("Journal", journal["Id"], IsLocked=True)
    write = Write(Op.CREATE, native=invoice(key, ("21", "10")))
    result = await one(connector, "SalesInvoice", write)
    assert (result.status, "locked" in result.error) == (WriteStatus.REFUSED, True)
    books.person.edit("Journal", journal["Id"], IsLocked=False)
    books.faults.add(Fault("cut", method="POST", path="/app/GLTransHeader/", done=True))
    assert (await one(connector, "SalesInvoice", write)).status is WriteStatus.UNKNOWN
    again = await one(connector, "SalesInvoice", write)
    assert (again.status, again.error) == (WriteStatus.REFUSED, "exists already: VEN 20260001")
    assert len(books.person.rows("GLTransHeader")) == 1
    kept = str(*books.person.rows("GLTransHeader"))
    for change in (Write(Op.UPDATE, kept, {"Comment": "x"}, {"Comment": None}), Write(Op.DELETE, kept)):
        assert (await one(connector, "SalesInvoice", change)).status is WriteStatus.REFUSED


@pytest.mark.parametrize("books", [{"reply": "empty"}], indirect=True)
async def test_an_answer_without_an_id_is_found_by_journal_and_number(
    books: Winbooks, connector: Connector
) -> None:
    key = Bookkeeper(books).partner("Customer", "C1", "Vin & Co")
    made = await one(connector, "SalesInvoice", Write(Op.CREATE, native=invoice(key, ("21", "10"))))
    assert made.status is WriteStatus.DONE and made.id in books.person.rows("GLTransHeader")
