"""webCRM <-> Uniconta: persons, users, items, settings and orders (rows U8-U19, U22), on a real daemon."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clients.emulators.uniconta import System as Uniconta
from clients.emulators.webcrm import System as Webcrm
from tandem_client import TandemError
from tests.spec.danish import BLUEPRINT, add, crm, debtors, erp, organisation, pair  # noqa: F401 - the fixtures
from tests.spec.pair import Pair
from tests.spec.systems import until

pytestmark = pytest.mark.anyio
# ruff: noqa: F811 - a fixture is an argument

# ------------------------------------------------------------------------------------- persons, users, items


def contacts(erp: Uniconta) -> dict[str, dict[str, Any]]:
    return {row["Email"]: row for row in erp.person.rows("ContactClient").values()}


async def test_u11_u22_persons_and_contacts_by_e_mail_both_ways(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    one, two = add(crm, organisation(1), organisation(2, OrganisationType="Emne"))
    holm = {"PersonFirstName": "Ida", "PersonLastName": "Holm", "PersonOrganisationId": one}
    crm.person.insert(
        "Persons",
        {**holm, "PersonEmail": "ida@vin.example", "PersonMobilePhone": "20 30 40 50"},
        {"PersonLastName": "Uden", "PersonOrganisationId": one},  # no e-mail
        {"PersonLastName": "Venter", "PersonEmail": "venter@vin.example", "PersonOrganisationId": two},
    )
    await pair.link(BLUEPRINT)
    await pair.see(lambda: set(contacts(erp)) == {"ida@vin.example"}, "the contact")
    made = contacts(erp)["ida@vin.example"]
    (account,) = debtors(erp)
    assert (made["Name"], made["DCAccount"], made["DCType"], made["Mobil"]) == (
        "Ida Holm",
        account,
        "Debtor",
        "+4520304050",
    )
    await pair.waits("waiting", "email")
    await pair.waits("waiting", "organisation")
    # Updated both ways, a changed address included.
    erp.person.edit("ContactClient", made["PrimaryKeyId"], Title="Indkøber", Email="ih@vin.example")
    await pair.see(lambda: crm.person.row("Persons", 1)["PersonEmail"] == "ih@vin.example", "the new address")
    assert crm.person.row("Persons", 1)["PersonTitle"] == "Indkøber"
    await pair.quiet()
    crm.person.edit("Persons", 1, PersonLastName="Holm Juhl")
    await pair.see(lambda: contacts(erp)["ih@vin.example"]["Name"] == "Ida Holm Juhl", "the new name")
    # A contact of a debtor becomes a person, one of a creditor doesn't.
    new = {"Name": "Bo Dahl", "DCAccount": account}
    erp.person.insert("ContactClient", {**new, "Email": "bo@vin.example", "DCType": "Debtor"})
    erp.person.insert("ContactClient", {**new, "Email": "leverandør@vin.example", "DCType": "Creditor"})
    await pair.see(lambda: len(crm.person.rows("Persons")) == 4, "the person")
    (person,) = crm.person.find("Persons", PersonEmail="bo@vin.example")
    assert (person["PersonLastName"], person["PersonOrganisationId"]) == ("Dahl", one)
    # Who waits goes by himself: with his debtor, and with an address.
    crm.person.edit("Organisations", two, OrganisationType="Kunde")
    crm.person.edit("Persons", 2, PersonEmail="uden@vin.example")
    await pair.see(lambda: len(contacts(erp)) == 5, "those that waited")
    assert len(crm.person.rows("Persons")) == 4
    assert contacts(erp)["venter@vin.example"]["DCAccount"] != account


async def test_u22_an_address_that_two_have_goes_to_a_person(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    (one,) = add(crm, organisation(1))
    twin = {"PersonEmail": "info@vin.example", "PersonOrganisationId": one}
    crm.person.insert("Persons", {**twin, "PersonLastName": "A"}, {**twin, "PersonLastName": "B"})
    erp.person.insert("ContactClient", {"Name": "Info", "Email": "info@vin.example", "DCType": "Debtor"})
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    assert {one.stream for one in await pair.parked("ambiguous")} == {"persons"}
    assert len(erp.person.rows("ContactClient")) == 1


async def test_u10_users_become_employees_as_sellers_and_no_employee_a_user(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    crm.person.insert(
        "Users",
        {"UserName": "Ole Krag", "UserInitials": "OK", "UserEmail": "Ole@vin.example", "UserTitle": "Sælger"},
        {"UserName": "Kendt", "UserEmail": "kendt@vin.example"},
        {"UserName": "Uden adresse"},
    )
    erp.person.insert("EmployeeClient", {"Number": "7", "Name": "Kendt", "Email": "kendt@vin.example"})
    erp.person.insert("EmployeeClient", {"Number": "8", "Name": "Kun her", "Email": "her@vin.example"})
    await pair.link(BLUEPRINT)

    def employees() -> dict[str, dict[str, Any]]:
        return {row["Number"]: row for row in erp.person.rows("EmployeeClient").values()}

    await pair.see(lambda: set(employees()) == {"7", "8", "OK", "ADM"}, "the employees")
    made = employees()["OK"]
    assert (made["Name"], made["Email"], made["Group"]) == ("Ole Krag", "ole@vin.example", "Sælger")
    assert employees()["7"]["Group"] is None
    await pair.waits("waiting", "email")
    erp.person.edit("EmployeeClient", made["PrimaryKeyId"], Mobil="40 50 60 70")
    await pair.see(
        lambda: crm.person.row("Users", 2)["UserMobilePhone"] == "+4540506070", "the number in webCRM"
    )
    crm.person.edit("Users", 3, UserTitle="Chef")
    await pair.see(lambda: employees()["7"]["Title"] == "Chef", "the title in Uniconta")
    assert len(crm.person.rows("Users")) == 4


async def test_u08_u17_every_item_once_with_both_prices(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    rows = [
        {"Item": f"V{n}", "Name": f"Vin {n}", "Group": "Vin", "CostPrice": "40.25", "SalesPrice1": "89.5"}
        for n in range(1, 4)
    ]
    keys = erp.person.insert("InvItemClient", *rows)
    await pair.link(BLUEPRINT)

    def catalogue() -> dict[str, tuple[Any, ...]]:
        found = crm.person.rows("QuotationLinesLinkedData").values()
        head = "QuotationLineLinkedData"
        return {
            row[f"{head}ItemData1"]: (row[f"{head}ItemData2"], row[f"{head}CostPrice"], row[f"{head}Price"])
            for row in found
        }

    whole = {f"V{n}": (f"Vin {n}", Decimal("40.25"), Decimal("89.5")) for n in range(1, 4)}
    await pair.see(lambda: catalogue() == whole, "the catalogue")
    erp.person.edit("InvItemClient", keys[0], SalesPrice1="99")
    await pair.see(lambda: catalogue()["V1"][2] == 99, "the new price")
    await pair.quiet()
    crm.person.edit("QuotationLinesLinkedData", 2, QuotationLineLinkedDataPrice="1")
    await pair.see(lambda: catalogue()["V2"] == whole["V2"], "the price to be put back")
    assert erp.person.row("InvItemClient", keys[1])["SalesPrice1"] == Decimal("89.5")
    assert len(crm.person.rows("QuotationLinesLinkedData")) == 3


# ------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize("crm", [{"fields": "standard"}], indirect=True)
async def test_u16_every_mapped_field_has_to_exist_and_who_renames_one_is_told(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    with pytest.raises(TandemError) as refused:
        await pair.link(BLUEPRINT)
    said = f"{refused.value} {refused.value.violations}"
    assert all(f"OrganisationExtraCustom{n}" in said for n in (1, 2, 3, 4, 5, 8))
    for n in (1, 2, 3, 4, 5, 8):
        row = {"DbName": f"OrganisationExtraCustom{n}", "EntityType": "Organisation", "Label": f"Felt {n}"}
        crm.person.insert("FieldsMetadata", row)
    field = erp.make_field("DebtorClient", "Region")
    crm.person.insert("FieldsMetadata", {"DbName": "OrganisationCustom3", "EntityType": "Organisation"})
    (one,) = add(crm, organisation(1, OrganisationCustom3="Jylland"))
    own = {"region": {"a": "OrganisationCustom3", "b": "Region"}}
    await pair.link(BLUEPRINT, own_debtor_fields=own)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    ((account, made),) = debtors(erp).items()
    assert erp.read_own("DebtorClient", made["PrimaryKeyId"]) == {"Region": "Jylland"}
    # What a field is called in webCRM does not matter.
    crm.person.edit("FieldsMetadata", "OrganisationCustom3", Label="Landsdel")
    crm.person.edit("Organisations", one, OrganisationCity="Ribe")
    await pair.see(lambda: debtors(erp)[account]["City"] == "Ribe", "all to go on")
    erp.person.edit("UserFields", field, Name="Landsdel")

    async def named_in_reasons() -> bool:
        link = await pair.shown()
        return any("Region" in reason for reason in link.reasons)

    await until(named_in_reasons, "the field to be named")
    assert (await pair.shown()).state == "misconfigured"
    crm.person.edit("Organisations", one, OrganisationCity="Varde")
    assert (await pair.sync()).outcome == "failed"
    assert debtors(erp)[account]["City"] == "Ribe"


async def test_u15_fields_of_three_areas_are_mapped_by_id_and_by_name(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    for entity, name in (
        ("DebtorClient", "Region"),
        ("EmployeeClient", "Team"),
        ("DebtorOrderClient", "Kampagne"),
    ):
        erp.make_field(entity, name)
    (one,) = add(crm, organisation(1, OrganisationCustom3="Fyn"))
    crm.person.edit("Users", 1, UserCustom2="Nord")
    crm.person.insert("Deliveries", {"DeliveryOrganisationId": one, "DeliveryCustom4": "Jul"})
    await pair.link(
        BLUEPRINT,
        own_debtor_fields={"region": {"a": "OrganisationCustom3", "b": "Region"}},
        own_user_fields={"team": {"a": "UserCustom2", "b": "Team"}},
        own_order_fields={"campaign": {"a": "DeliveryCustom4", "b": "Kampagne", "owner": "a"}},
    )

    def own(entity: str) -> list[dict[str, Any]]:
        return [erp.read_own(entity, key) for key in erp.person.rows(entity)]

    await pair.see(lambda: own("DebtorClient") == [{"Region": "Fyn"}], "the debtor's field")
    await pair.see(lambda: own("EmployeeClient") == [{"Team": "Nord"}], "the employee's")
    await pair.see(lambda: own("DebtorOrderClient") == [{"Kampagne": "Jul"}], "the order's")
    (key,) = erp.person.rows("DebtorClient")
    erp.write_own("DebtorClient", key, Region="Als")
    await pair.see(
        lambda: crm.person.row("Organisations", one)["OrganisationCustom3"] == "Als", "the way back"
    )
    assert not await pair.parked("conflict")


async def test_u14_gate_field_and_word_are_set_while_it_runs(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    add(crm, organisation(1), organisation(2, OrganisationType="Emne", OrganisationStatus="Klient"))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "by the type")
    await pair.quiet()
    quick = {"a": {"poll": "1s"}, "b": {"poll": "1s"}}
    settings = {"gate_field": {"default": "OrganisationStatus"}, "gate_word": {"default": "Klient"}}
    await pair.change({**quick, "settings": settings})
    await pair.see(
        lambda: {row["Name"] for row in debtors(erp).values()} >= {"Vinhuset Nørre 2"}, "by the status"
    )
    assert crm.person.row("Organisations", 2)["OrganisationType"] == "Emne"


# ------------------------------------------------------------------------------------------------- orders


def orders(erp: Uniconta) -> list[dict[str, Any]]:
    return list(erp.person.rows("DebtorOrderClient").values())


async def test_u19_an_order_goes_once_and_each_later_save_to_the_same_one(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    (one,) = add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    row = {"DeliveryOrganisationId": one, "DeliveryNumber": "2024-1", "DeliveryDescription": "Julevin"}
    (delivery,) = crm.person.insert("Deliveries", row)
    await pair.see(lambda: len(orders(erp)) == 1, "the order")
    (order,) = orders(erp)
    (account,) = debtors(erp)
    assert (order["Account"], order["OurRef"], order["Remark"]) == (account, str(delivery), "Julevin")
    await pair.see(
        lambda: crm.person.row("Deliveries", delivery)["DeliveryErpId"] == str(order["OrderNumber"]),
        "the order number in webCRM",
    )
    for text in ("Julevin 2", "Julevin 3"):
        crm.person.edit("Deliveries", delivery, DeliveryDescription=text)
        await pair.see(lambda text=text: orders(erp)[0]["Remark"] == text, "the later save")  # type: ignore[misc]
    assert len(orders(erp)) == 1


async def test_u17_a_quote_does_not_go_and_the_order_that_it_becomes_does(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    (one,) = add(crm, organisation(1))
    crm.person.insert("Opportunities", {"OpportunityOrganisationId": one, "OpportunityDescription": "Tilbud"})
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    assert not orders(erp)
    crm.person.insert("Deliveries", {"DeliveryOrganisationId": one, "DeliveryDescription": "Tilbud"})
    await pair.see(lambda: [row["Remark"] for row in orders(erp)] == ["Tilbud"], "the order")


def lines(erp: Uniconta) -> list[tuple[Any, ...]]:
    """The lines of all orders in Uniconta, in their order."""
    rows = sorted(erp.person.rows("DebtorOrderLineClient").values(), key=lambda row: row["LineNumber"])
    return [(row["Item"], row["Qty"], row["Price"], row["CostPrice"]) for row in rows]


def line(delivery: int, item: str, quantity: int, price: str = "89.5") -> dict[str, Any]:
    """A line of an order as webCRM makes it of an item: with its price and its cost price."""
    return {
        "QuotationLineOpportunityId": delivery,
        "QuotationLineData1": item,
        "QuotationLineQuantity": quantity,
        "QuotationLinePrice": price,
        "QuotationLineCostPrice": "40.25",
    }


async def ordered(pair: Pair, crm: Webcrm, erp: Uniconta) -> int:
    """A debtor, two items, and an order of one line; the delivery's id."""
    (one,) = add(crm, organisation(1))
    for item in ("V1", "V2"):
        erp.person.insert(
            "InvItemClient", {"Item": item, "Name": item, "Group": "Vin", "SalesPrice1": "89.5"}
        )
    (delivery,) = crm.person.insert(
        "Deliveries", {"DeliveryOrganisationId": one, "DeliveryDescription": "Jul"}
    )
    crm.person.insert("QuotationLines", line(int(delivery), "V1", 12))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(lines(erp)) == 1, "the order with its line")
    await pair.quiet()
    return int(delivery)


async def test_u09_u18_lines_go_with_their_order_and_totals_and_margins_agree(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    delivery = await ordered(pair, crm, erp)
    assert lines(erp) == [("V1", 12, Decimal("89.5"), Decimal("40.25"))]
    crm.person.insert("QuotationLines", line(delivery, "V2", 3, "19.95"))
    crm.person.edit("Deliveries", delivery, DeliveryNote="saved")
    await pair.see(lambda: len(lines(erp)) == 2, "the second line")

    def figures(rows: list[tuple[Any, ...]]) -> tuple[Decimal, Decimal]:
        total = sum((quantity * price for quantity, price, _ in rows), Decimal(0))
        return total, total - sum((quantity * cost for quantity, _, cost in rows), Decimal(0))

    here = [
        tuple(row[f"QuotationLine{name}"] for name in ("Quantity", "Price", "CostPrice"))
        for row in crm.person.rows("QuotationLines").values()
    ]
    total, margin = figures(here)
    assert (
        figures([row[1:] for row in lines(erp)]) == (total, margin) == (Decimal("1133.85"), Decimal("530.10"))
    )


async def test_u19_lines_are_added_changed_and_removed_with_each_save(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    delivery = await ordered(pair, crm, erp)
    (first,) = crm.person.rows("QuotationLines")
    (second,) = crm.person.insert("QuotationLines", line(delivery, "V2", 3))
    crm.person.edit("QuotationLines", first, QuotationLineQuantity=6)
    crm.person.edit("Deliveries", delivery, DeliveryNote="saved")
    await pair.see(lambda: [row[:2] for row in lines(erp)] == [("V1", 6), ("V2", 3)], "added and changed")
    await pair.quiet()
    crm.person.delete("QuotationLines", second)
    crm.person.edit("Deliveries", delivery, DeliveryNote="saved again")
    await pair.see(lambda: [row[:2] for row in lines(erp)] == [("V1", 6)], "removed")
    assert len(orders(erp)) == 1
