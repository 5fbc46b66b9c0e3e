"""Tribe CRM <-> Winbooks, invoices and payments (rows T7, T8, T13, T19) under the built-in blueprint; what goes wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from clients.emulators.faults import Fault
from clients.emulators.tribe_tables import INVOICE, LINE, VAT_GROUP
from tandem_client import TandemError
from tests.spec.belgian import CHOSEN, QUICK, Both, activate, belgian, linked, made, prepare, tribe_winbooks  # noqa: F401 - fixtures
from tests.spec.pair import Pair

pytestmark = pytest.mark.anyio
# ruff: noqa: F811 - a fixture is an argument
WINE = (("Rood", "100", "HIGH"), ("Brood", "10.05", "LOW"))
BOOK = "/app/GLTransHeader/"


async def test_t07_t13_t19_an_invoice_that_is_sent_is_booked_once_with_all_four_rows(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co")
    old = both.customer(Name="Vin & Co", DebtorNumber="C1")
    before, draft = both.invoice(old, *WINE, phase="Sent"), both.invoice(old, *WINE)
    both.book_by_hand("C1", both.number(before))
    await linked(belgian)
    new = both.customer(Name="Nieuw")
    mine = both.invoice(new, *WINE)
    group = both.crm.enter(VAT_GROUP, Code="MID", Name="MID", Country=both.country)
    held = both.invoice(old, ("Kaas", "5", "MID"))
    gross = both.invoice(old, *WINE, IsVatIncluded=True)
    for key in (draft, mine, held, gross):
        both.phase(key, "Sent")
    await belgian.see(lambda: len(both.booked()) == 3, "both invoices")
    await belgian.waits("waiting", "MID")
    await belgian.waits("waiting", "amounts_without_vat")
    booked = both.booked()
    assert set(booked) == {both.number(before), both.number(draft), both.number(mine)}
    row = booked[both.number(mine)]
    assert (row["customer"], row["currency"], row["BookDate"]) == (
        both.relation(new)["DebtorNumber"],
        "EUR",
        date(2026, 3, 31),
    )
    assert row["sold"] == [("Rood", Decimal(100), "21"), ("Brood", Decimal("10.05"), "06")]
    assert row["total"] == Decimal("131.65") and row["Comment"] == f"Tribe {both.number(mine)}"
    # Saved again, it is the same one; what was sent before activation is not booked, whoever saves it.
    for key in (mine, before):
        both.crm.person.edit(INVOICE, key, Subject="Again")
    both.phase(mine, "Draft")
    both.phase(mine, "Sent")
    await prepare(belgian, **{**CHOSEN, "vat_codes": {**CHOSEN["vat_codes"], "MID": "00"}})
    await belgian.see(lambda: both.number(held) in both.booked(), "the one whose group is linked now")
    await belgian.quiet()
    assert set(both.booked()) == {both.number(key) for key in (before, draft, mine, held)}
    assert not await belgian.parked("ambiguous")
    # Changed after it was booked: it stays as it is, and that is listed. A group that is unlinked holds back only its own.
    both.crm.person.edit(
        LINE,
        next(k for k, r in both.crm.person.rows(LINE).items() if r["Activity"] == mine),
        Price=Decimal(7),
    )
    await belgian.waits("conflict", "")
    assert both.booked()[both.number(mine)]["sold"][0][1] == 100
    assert group and not await belgian.parked("quarantine")


async def test_t07_invoices_that_were_sent_before_are_booked_from_the_day_on_that_the_setting_names(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co")
    mine = both.customer(Name="Vin & Co", DebtorNumber="C1")
    days = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31))
    old, first, by_hand = (both.invoice(mine, *WINE, phase="Sent", InvoiceDate=day) for day in days)
    draft = both.invoice(mine, *WINE, InvoiceDate=days[1])
    both.book_by_hand("C1", both.number(by_hand))
    with pytest.raises(TandemError) as refused:
        await made(belgian, invoices_since="March")
    assert '"March" is neither activation nor a day' in refused.value.message
    given = {"invoices_since": {"default": "2026-03-01"}}
    await belgian.change({**QUICK, "settings": given})
    await prepare(belgian, **CHOSEN)
    await activate(belgian, go_on=True)
    await belgian.see(lambda: len(both.booked()) == 2, "the invoice of the first day")
    assert both.booked()[both.number(first)]["BookDate"] == days[1]
    # The day is moved back: what is dated from there on follows, and nothing is booked twice.
    given = {"invoices_since": {"default": "2026-02-28"}}
    await belgian.change({**QUICK, "settings": given})
    await belgian.see(lambda: len(both.booked()) == 3, "the one of the day before")
    both.crm.person.edit(INVOICE, first, Subject="Again")
    await belgian.quiet()
    assert set(both.booked()) == {both.number(key) for key in (old, first, by_hand)}
    assert both.status(draft) == "Draft" and not await belgian.parked("ambiguous")


async def test_t08_what_is_paid_in_winbooks_is_paid_in_tribe(belgian: Pair, tribe_winbooks: Both) -> None:
    both = tribe_winbooks
    await linked(belgian)
    mine = both.customer(Name="Vin & Co")
    one, two = (both.invoice(mine, *WINE, phase="Sent") for _ in range(2))
    await belgian.see(lambda: len(both.booked()) == 2, "both invoices")
    await belgian.quiet()
    both.keeper.pays(both.booked()[both.number(one)]["Id"])
    await belgian.quiet()
    await belgian.see(lambda: both.status(one) == "Paid", "the payment")
    assert both.status(two) == "Sent"
    assert (await belgian.quiet()).outcome == "nothing_new" and len(both.booked()) == 2


async def test_t07_a_lost_reply_and_a_locked_journal_book_nothing_twice_and_lose_nothing(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    await linked(belgian)
    mine = both.customer(Name="Vin & Co")
    await belgian.see(lambda: both.partners(), "the customer")
    # In another journal there is a document with the same number: it is another one.
    first = both.invoice(mine, *WINE)
    (bank,) = both.books.person.find("Journal", Code="BNK")
    both.books.enter("GLTransHeader", Journal_Id=bank["Id"], DocNumber=both.number(first))
    both.books.faults.add(Fault("cut", method="POST", path=BOOK, done=True))
    both.phase(first, "Sent")
    await belgian.see(
        lambda: both.booked() and not both.books.faults.waiting, "the posting whose reply is lost"
    )
    await belgian.quiet()
    assert set(both.booked()) == {both.number(first)}
    (journal,) = both.books.person.find("Journal", Code="VEN")
    both.books.person.edit("Journal", journal["Id"], IsLocked=True)
    second = both.invoice(mine, *WINE, phase="Sent")
    await belgian.waits("quarantine", "The journal VEN is locked")
    both.books.person.edit("Journal", journal["Id"], IsLocked=False)
    both.crm.person.edit(INVOICE, second, RelationDescription="again", InvoiceDate=date(2026, 4, 1))
    await belgian.see(lambda: both.number(second) in both.booked(), "the second")
    await belgian.quiet()
    assert set(both.booked()) == {both.number(first), both.number(second)}
