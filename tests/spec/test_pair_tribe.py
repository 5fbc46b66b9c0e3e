"""Tribe CRM <-> Winbooks, relations: rows T under the built-in blueprint, on a real daemon, with real HTTP on both sides.
Invoices and payments: test_pair_tribe_invoices.py."""

from __future__ import annotations

from typing import Any

import pytest

from clients.emulators.tribe_tables import CUSTOMER, IDENTITY, ORGANIZATION, PERSON_CUSTOMER, SUPPLIER
from tandem.v1 import links_pb2, runs_pb2
from tandem_client import TandemError
from tests.spec.belgian import CHOSEN, Both, activate, belgian, linked, made, prepare, tribe_winbooks  # noqa: F401 - fixtures
from tests.spec.pair import Pair
from tests.spec.systems import until

pytestmark = pytest.mark.anyio
# ruff: noqa: F811 - a fixture is an argument

# The seven rows of the table for organisations, the address with its parts: Winbooks, Tribe.
ORGANISATION: dict[str, tuple[str, Any, Any]] = {
    "Name": ("Name", "Vin & Co", "Vin & Co"),
    "WebSite": ("Website", "vin.example", "vin.example"),
    "Address.Address1": ("Address.Street", "Grote Markt", "Grote Markt"),
    "Address.Zip": ("Address.Postalcode", "9000", "9000"),
    "Address.Town": ("Address.City", "Gent", "Gent"),
    "Address.Email": ("EmailAddress", "vin@co.example", "vin@co.example"),
    "Address.PhoneNo": ("PhoneNumber", "+3291234567", "+3291234567"),
    "VatNumber": ("VatNumber", "BE0123456749", "BE0123456749"),
}


def shown(row: dict[str, Any], side: str) -> dict[str, Any]:
    """What one side shows of the seven rows, under Winbooks' names."""
    return {name: row.get(name if side == "b" else pair[0]) for name, pair in ORGANISATION.items()}


WHOLE = {name: there for name, (_, there, _) in ORGANISATION.items()}
REST = {name: value for name, value in WHOLE.items() if name != "Name"}


async def test_t01_t10_it_is_being_set_up_until_the_groups_of_the_country_and_a_journal_are_there(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co")
    assert (await made(belgian)).state == "being_set_up"
    asked = links_pb2.ListPreparationsRequest(link=belgian.name, tenant=belgian.tenant)

    async def lacking() -> str:
        found = await belgian.tandem.links.ListPreparations(asked)
        return "\n".join(one.text for one in found.preparations)

    first = await lacking()
    assert "HIGH, LOW" in first and "HOOG" not in first
    assert "the setting customers_as" in first and "the setting journal" in first
    await prepare(belgian, **{**CHOSEN, "journal": "NOPE", "vat_codes": {"HIGH": "21"}})
    assert "LOW" in (left := await lacking()) and "NOPE" in left
    # A code that Winbooks has not is no link, either.
    await prepare(belgian, **{**CHOSEN, "vat_codes": {**CHOSEN["vat_codes"], "LOW": "60"}})
    assert "names what is not there (LOW: 60)" in await lacking()
    with pytest.raises(TandemError) as refused:
        await activate(belgian)
    assert refused.value.reason == "BEING_SET_UP" and not both.relations()
    await prepare(belgian, **CHOSEN)
    assert (await activate(belgian)).establishment == "established"
    await belgian.see(lambda: both.numbered("C1", CUSTOMER), "the customer")
    # Another country has other groups: it stops until somebody has looked.
    own = both.crm.person.row(ORGANIZATION, both.crm.person.row(IDENTITY, both.crm.identity)["Organization"])
    (abroad,) = both.crm.person.find("Country", Code="NL")
    both.crm.person.edit("Address", own["VisitingAddress"], Country=abroad["ID"])

    async def stopped() -> str:
        link = await belgian.shown()
        return link.reasons[0] if link.state == "misconfigured" else ""

    assert "country was 'BE' and is 'NL'" in await until(stopped, "it to stop")


async def test_t02_t03_t09_t13_t15_t16_t18_the_initial_load_comes_at_once_and_writes_nothing_to_winbooks(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.keeper.partner(
        "Customer", "C1", "Vin & Co", **REST, **{"Address.CountryCode": "BE", "Address.Number": "12"}
    )
    both.keeper.partner("Customer", "C2", "Ada Maria Berg", **{"Address.MobileNo": "+32470000001"})
    both.keeper.partner("Customer", "C3", "Nieuw")
    both.keeper.partner("Supplier", "S1", "Vin & Co")  # the same company, of which nobody entered more
    there = both.customer(Name="Vin", DebtorNumber="C1", Website="old.example")
    person = both.customer(PERSON_CUSTOMER, FirstName="Ada", LastName="Berg", DebtorNumber="C2")
    only = both.customer(Name="Only in Tribe", DebtorNumber="T9")
    # A supplier whose creditor number is the debtor number of somebody else; and one who is both.
    other = both.customer(SUPPLIER, Name="Cave & Fils", CreditorNumber="C3")
    company = both.crm.person.row(CUSTOMER, there)["Organization"]
    both.crm.person.edit(ORGANIZATION, company, CreditorNumber="S1")
    dual = both.crm.enter(
        SUPPLIER, Relation=both.crm.person.row(CUSTOMER, there)["Relation"], Organization=company
    )
    visiting = both.crm.enter("Address", City="Visit")
    both.crm.person.edit(ORGANIZATION, company, VisitingAddress=visiting)
    await made(belgian)
    await prepare(belgian, **CHOSEN)
    await activate(belgian)
    # No command and no night: it comes by itself.
    await belgian.see(lambda: both.numbered("C3", CUSTOMER), "the new customer")
    await belgian.quiet()
    new = both.numbered("C3", CUSTOMER)
    assert (new["table"], new["Name"]) == (CUSTOMER, "Nieuw")
    # A person stays one, and her name is split; nobody stands twice, and nobody is mistaken for another role's.
    ada = both.relation(person)
    names = [ada[name] for name in ("FirstName", "MiddleName", "LastName") if ada[name]]
    assert " ".join(names) == "Ada Maria Berg" and ada["MobilePhoneNumber"] == "+32470000001"
    assert len(both.relations(CUSTOMER, PERSON_CUSTOMER)) == 4 and len(both.relations(SUPPLIER)) == 2
    assert both.relation(other)["Name"] == "Cave & Fils"
    # Each of the seven rows; the address goes to the invoice address only, and Winbooks' values win. What its other role
    # in Winbooks lacks erases none of them.
    row = both.relation(there)
    assert (row["DebtorNumber"], row["CreditorNumber"]) == ("C1", "S1")
    assert shown(row, "a") == WHOLE and row["Address.HouseNumber"] == "12"
    assert row["Address.Country"] == both.country
    assert both.crm.person.row("Address", visiting)["City"] == "Visit"
    assert both.crm.person.row(SUPPLIER, dual)["ImportId"] == both.partners("Supplier")["S1"]["Id"]
    assert (both.crm.person.row(CUSTOMER, there)["ImportId"]) == both.partners()["C1"]["Id"]
    assert shown(both.partners()["C1"], "b") == WHOLE
    # What was overwritten is in the protocol.
    lines = [one for one in await items(belgian) if one.op == "update" and one.stream == "customers"]
    told = {
        (one.field, one.a.value.string_value, one.b.value.string_value)
        for line in lines
        for one in line.decisions
    }
    assert ("website", "old.example", "vin.example") in told
    # Nothing was written to Winbooks; who is only in Tribe goes once he is changed.
    assert not [one for one in both.books.requests if one.startswith(("POST /app/Customer/", "PUT"))]
    both.edit(only, PhoneNumber="+3221112233")
    await belgian.see(lambda: "T9" in both.partners(), "the one that only Tribe had")


async def items(pair: Pair) -> list[Any]:
    """All lines of the protocols."""
    runs = await pair.tandem.runs.ListRuns(
        runs_pb2.ListRunsRequest(link=pair.name, tenant=pair.tenant, page_size=100)
    )
    found: list[Any] = []
    for run in runs.runs:
        request = runs_pb2.ListRunItemsRequest(run=run.id, page_size=500)
        found += (await pair.tandem.runs.ListRunItems(request)).items
    return found


async def test_t04_t05_t09_t13_t22_a_new_one_of_tribe_goes_at_once_and_each_row_goes_both_ways(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    await linked(belgian, customers_as="person")
    values = {pair[0]: pair[2] for pair in ORGANISATION.values()}
    mine = both.customer(**values)
    number = both.relation(mine)["DebtorNumber"]
    await belgian.see(lambda: number in both.partners(), "the customer in Winbooks")
    await belgian.quiet()
    assert shown(both.partners()[number], "b") == WHOLE
    assert both.crm.person.row(CUSTOMER, mine)["ImportId"] == both.partners()[number]["Id"]
    # Back again, all rows; the number is Winbooks' from now on.
    back = {name: f"{value}9"[:40] for name, value in WHOLE.items()}
    both.change(number, **back)
    both.edit(mine, DebtorNumber="777")
    await belgian.quiet()
    await belgian.see(lambda: shown(both.relation(mine), "a") == back, "all rows in Tribe")
    assert both.relation(mine)["DebtorNumber"] == number
    # The five rows of a person: what is new from Winbooks becomes one, as it was chosen.
    mobile = {
        "Address.MobileNo": "+32470000002",
        "Address.Email": "eve@x.example",
        "Address.PhoneNo": "+3220001",
    }
    both.keeper.partner("Customer", "C7", "Eve Van Dale", **mobile)
    both.keeper.partner("Supplier", "S7", "Eve Van Dale")
    await belgian.quiet()
    eve = both.numbered("C7", PERSON_CUSTOMER)
    fields = (
        "FirstName",
        "MiddleName",
        "LastName",
        "MobilePhoneNumber",
        "EmailAddress",
        "PhoneNumber",
        "DebtorNumber",
    )
    assert [eve[name] for name in fields] == [
        "Eve", "Van", "Dale", "+32470000002", "eve@x.example", "+3220001", "C7",
    ]  # fmt: skip
    assert both.numbered("S7", SUPPLIER)["Name"] == "Eve Van Dale"
    both.edit(eve["ID"], FirstName="Eva", MobilePhoneNumber="+32470000003")
    await belgian.see(lambda: both.partners()["C7"]["Name"] == "Eva Van Dale", "the name, joined")
    assert both.partners()["C7"]["Address.MobileNo"] == "+32470000003"
    assert not await belgian.parked("conflict") and (await belgian.quiet()).outcome == "nothing_new"


@pytest.mark.parametrize("tribe_winbooks", [{"codes": "drawn"}], indirect=True)
async def test_t05_where_winbooks_gives_another_number_it_replaces_tribe_s(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    await linked(belgian)
    mine = both.customer(Name="Vin & Co")
    assert both.relation(mine)["DebtorNumber"] == "10001"
    await belgian.see(lambda: both.partners(), "the customer in Winbooks")
    await belgian.quiet()
    await belgian.see(lambda: both.relation(mine)["DebtorNumber"] == "W0001", "Winbooks' number")
    assert list(both.partners()) == ["W0001"]


async def test_t06_tribe_s_changes_go_at_once_and_winbooks_wait_for_the_night(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co", **{"Address.Town": "Gent"})
    await made(belgian)
    await prepare(belgian, **CHOSEN)
    await activate(belgian)
    await belgian.see(lambda: both.numbered("C1", CUSTOMER), "the load")

    async def loaded() -> bool:
        return bool((await belgian.shown()).loaded)

    await until(loaded, "the end of the load")
    mine = both.numbered("C1", CUSTOMER)["ID"]
    both.change("C1", **{"Address.Town": "Luik"})
    both.edit(mine, Website="vin.example")
    await belgian.see(lambda: both.partners()["C1"]["WebSite"] == "vin.example", "Tribe's change")

    async def waiting() -> bool:
        return any(one.waiting and one.schedule == "nightly" for one in (await belgian.shown()).deliveries)

    await until(waiting, "Winbooks' change to wait")
    assert both.relation(mine)["Address.City"] == "Gent"
    await belgian.sync()  # on command it goes
    await belgian.see(lambda: both.relation(mine)["Address.City"] == "Luik", "Winbooks' change")


async def test_t11_t12_t14_t20_t23_nothing_is_deleted_for_the_other_and_who_is_inactive_is_so_on_both(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    for number in range(1, 5):
        both.keeper.partner("Customer", f"C{number}", f"Firma {number}")
    both.keeper.partner("Supplier", "S1", "Cave")
    await linked(belgian)
    keys = {number: both.numbered(f"C{number}", CUSTOMER)["ID"] for number in range(1, 5)}
    both.edit(keys[1], IsActive=False)
    both.change("C2", IsHidden=True)
    both.change("S1", "Supplier", IsHidden=True)
    both.crm.person.delete(CUSTOMER, keys[3])
    both.books.person.delete("Customer", both.partners()["C4"]["Id"])
    for stream in ("customers", "suppliers"):
        await belgian.backfill(stream)
    assert {code: row["IsHidden"] for code, row in both.partners().items()} == {
        "C1": True,
        "C2": True,
        "C3": None,
    }
    assert both.relation(keys[2])["IsActive"] is False and both.numbered("S1", SUPPLIER)["IsActive"] is False
    assert both.relation(keys[3]) == {} and both.relation(keys[4])["Name"] == "Firma 4"
    # Off and on again: every record stays, none is made twice, and who was deleted stays so.
    request = links_pb2.DeactivateLinkRequest(link=belgian.name, tenant=belgian.tenant)
    await belgian.tandem.links.DeactivateLink(request)
    both.edit(keys[1], IsActive=True)
    both.change("C2", IsHidden=False, Name="Firma Twee")
    await activate(belgian, go_on=True)
    await belgian.quiet()
    assert {code: bool(row["IsHidden"]) for code, row in both.partners().items()} == dict.fromkeys(
        ("C1", "C2", "C3"), False
    )
    assert both.relation(keys[2])["IsActive"] is True and both.relation(keys[2])["Name"] == "Firma Twee"
    assert len(both.relations(CUSTOMER)) == 3
