"""webCRM <-> Uniconta: the rows U under the built-in blueprint, on a real daemon, with real HTTP to both emulators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from clients.emulators.stand import stand
from clients.emulators.uniconta import System as Uniconta
from clients.emulators.webcrm import System as Webcrm
from tandem_client import Tandem, TandemError
from tests.spec.danish import NUMBER, add, debtor, debtors, named, organisation
from tests.spec.pair import Pair
from tests.spec.systems import until

pytestmark = pytest.mark.anyio
BLUEPRINT = "webcrm-uniconta"


@pytest.fixture
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[Webcrm]:
    async with stand("webcrm", {"fields": "all", **getattr(request, "param", {})}) as emulator:
        assert isinstance(emulator, Webcrm)
        emulator.person.edit("Users", 1, UserEmail="admin@vin.example")
        yield emulator


@pytest.fixture
async def erp() -> AsyncIterator[Uniconta]:
    async with stand("uniconta") as emulator:
        assert isinstance(emulator, Uniconta)
        yield emulator


@pytest.fixture
async def pair(
    tandem: Tandem, crm: Webcrm, erp: Uniconta, request: pytest.FixtureRequest
) -> AsyncIterator[Pair]:
    tenant = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    a = {"url": crm.address, "auth_code": crm.auth_code, "overlap_s": 0, "fields_s": 1}
    b = {"url": erp.address, "company": 4711, "user": "tandem", "password": "secret", "calls_per_day": 0}
    made = Pair(tandem, tenant, ("webcrm", a), ("uniconta", {**b, "overlap_s": 0, "metadata_s": 1}))
    await made.connect()
    yield made
    await made.leave()


# ------------------------------------------------------------------------------------- organisations and debtors


async def test_u02_u06_who_becomes_kunde_becomes_a_debtor_with_all_eleven_fields(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    one, two = add(crm, organisation(1), organisation(2, OrganisationType="Emne"))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    (made,) = debtors(erp).values()
    expected = debtor(1, Account=made["Account"])
    assert {name: made[name] for name in expected} == expected
    # The number that Uniconta gave is in webCRM.
    await pair.see(
        lambda: crm.person.row("Organisations", one)[NUMBER] == made["Account"], "the debtor number"
    )
    await pair.quiet()
    assert crm.person.row("Organisations", two)[NUMBER] is None
    crm.person.edit("Organisations", two, OrganisationType="Kunde")
    await pair.see(lambda: len(debtors(erp)) == 2, "the second debtor")


async def test_u06_each_field_goes_both_ways(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    (one,) = add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    ((account, made),) = debtors(erp).items()
    there = {
        "OrganisationName": "Vinhuset Sønder",
        "OrganisationVatNumber": "99999999",
        "OrganisationAddress": "Torvet 4",
        "OrganisationPostCode": "6000",
        "OrganisationCity": "Kolding",
        "OrganisationCountry": "Sverige",
        "OrganisationTelephone": "+45 75 00 00 00",
        "OrganisationExtraCustom1": "EUR",
        "OrganisationVatGroup": "U0",
        "OrganisationExtraCustom2": "ny@vinhuset.example",
    }
    here = {
        "Name": "Vinhuset Sønder",
        "CompanyRegNo": "99999999",
        "Address1": "Torvet 4",
        "Address2": None,
        "ZipCode": "6000",
        "City": "Kolding",
        "Country": "Sweden",
        "Phone": "+4575000000",
        "Currency": "EUR",
        "Vat": "U0",
        "InvoiceEmail": "ny@vinhuset.example",
    }
    crm.person.edit("Organisations", one, there)

    def arrived() -> bool:
        found = debtors(erp)[account]
        return all((found[name] or None) == value for name, value in here.items())

    await pair.see(arrived, "all fields in Uniconta")
    await pair.quiet()
    back = debtor(1, Phone="+45 86 99 99 99")
    del back["Account"], back["Group"]
    erp.person.edit("DebtorClient", made["PrimaryKeyId"], back)
    expected = organisation(1, OrganisationTelephone="+4586999999")

    def returned() -> bool:
        found = crm.person.row("Organisations", one)
        return all(found[name] == value for name, value in expected.items())

    await pair.see(returned, "all fields in webCRM")
    run = await pair.quiet()
    assert run.outcome == "nothing_new" and not await pair.parked("conflict")


async def test_u03_u20_the_word_is_put_back_while_the_debtor_exists_and_is_free_afterwards(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    (one,) = add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    crm.person.edit("Organisations", one, OrganisationType="Emne", OrganisationStatus="Aktiv")
    await pair.see(
        lambda: crm.person.row("Organisations", one)["OrganisationType"] == "Kunde", "the word put back"
    )
    assert (
        crm.person.row("Organisations", one)["OrganisationStatus"] == "Aktiv"
    )  # the other of the two is free
    ((_, made),) = debtors(erp).items()
    erp.person.delete("DebtorClient", made["PrimaryKeyId"])
    await pair.backfill("debtors")
    crm.person.edit("Organisations", one, OrganisationType="Emne")
    await pair.quiet()
    await pair.quiet()
    assert crm.person.row("Organisations", one)["OrganisationType"] == "Emne" and not debtors(erp)
    crm.person.edit("Organisations", one, OrganisationType="Kunde")
    await pair.see(lambda: len(debtors(erp)) == 1, "a debtor, for the word was set anew")


async def test_u04_a_debtor_with_activity_stays_and_uniconta_s_refusal_is_shown(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    one, two = add(crm, organisation(1), organisation(2))
    await pair.link(BLUEPRINT, delete_debtor="remove")
    await pair.see(lambda: len(debtors(erp)) == 2, "both debtors")
    await pair.quiet()
    account = named(crm, "Vinhuset Nørre 1")[NUMBER]
    erp.person.insert("DebtorTransClient", {"Account": account, "Amount": 100})
    before = debtors(erp)[account]
    crm.person.delete("Organisations", one)
    crm.person.edit("Organisations", two, OrganisationCity="Ribe")
    await pair.backfill("debtors")
    (parked,) = await pair.waits("quarantine", "CouldNotDeleteRecordThatIsReferred")
    assert parked.stream == "debtors"
    assert debtors(erp)[account] == before

    def rest() -> bool:
        return any(row["City"] == "Ribe" for row in debtors(erp).values())

    await pair.see(rest, "the rest to go on")


async def test_u05_an_incomplete_one_waits_naming_what_is_missing_and_goes_by_itself(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    lacking = {"OrganisationTelephone": None, "OrganisationVatGroup": None, "OrganisationVatNumber": ""}
    one, two = add(crm, organisation(1, **lacking), organisation(2, OrganisationTelephone=None))
    await pair.link(BLUEPRINT)
    await pair.waits("waiting", "phone", 2)
    await pair.waits("waiting", "vat_group")
    await pair.waits("waiting", "cvr")
    assert not debtors(erp)
    crm.person.edit(
        "Organisations",
        one,
        OrganisationTelephone="86 12 01 00",
        OrganisationVatGroup="U25",
        OrganisationVatNumber="12340001",
    )
    await pair.see(lambda: len(debtors(erp)) == 1, "the complete one")
    await pair.change(
        {"a": {"poll": "1s"}, "b": {"poll": "1s"}, "settings": {"need_phone": {"default": False}}}
    )
    await pair.see(lambda: len(debtors(erp)) == 2, "the other, for the phone is optional now")
    assert crm.person.row("Organisations", two)["OrganisationTelephone"] is None


async def test_u07_ean_payment_and_group_are_shown_and_put_back(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    (one,) = add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    ((_, made),) = debtors(erp).items()
    erp.person.edit("DebtorClient", made["PrimaryKeyId"], EAN="5790001", Payment="30 dage", Group="EU")
    fields = ("OrganisationExtraCustom3", "OrganisationExtraCustom4", "OrganisationExtraCustom5")

    def shown() -> bool:
        row = crm.person.row("Organisations", one)
        return [row[name] for name in fields] == ["5790001", "30 dage", "EU"]

    await pair.see(shown, "what Uniconta says")
    await pair.quiet()
    crm.person.edit("Organisations", one, OrganisationExtraCustom3="1", OrganisationExtraCustom5="mine")
    await pair.see(shown, "it to be put back")
    after = erp.person.row("DebtorClient", made["PrimaryKeyId"])
    assert (after["EAN"], after["Group"]) == ("5790001", "EU")


async def test_u23_who_has_a_debtor_already_is_bound_by_number_or_cvr(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    erp.person.insert(
        "DebtorClient", debtor(1), debtor(2, CompanyRegNo="12340002"), debtor(9, CompanyRegNo="777")
    )
    erp.person.insert("DebtorClient", debtor(8, CompanyRegNo="777"))
    add(
        crm,
        organisation(1, **{NUMBER: "10001", "OrganisationVatNumber": "12340001"}),
        organisation(2),
        organisation(3, OrganisationVatNumber="777"),
    )
    await pair.link(BLUEPRINT)
    await pair.see(
        lambda: named(crm, "Vinhuset Nørre 2")[NUMBER] == "10002", "the number of the one found by CVR"
    )
    await pair.quiet()
    assert len(debtors(erp)) == 4
    assert {one.stream for one in await pair.parked("ambiguous")} == {"debtors"}
    assert named(crm, "Vinhuset Nørre 3")[NUMBER] is None


async def test_u24_a_debtor_made_there_makes_nobody_and_one_deleted_there_leaves_the_organisation(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    erp.person.insert("DebtorClient", debtor(5, Account="55"))
    ((_, made),) = ((key, row) for key, row in debtors(erp).items() if key != "55")
    erp.person.delete("DebtorClient", made["PrimaryKeyId"])
    await pair.backfill("debtors")
    assert set(debtors(erp)) == {"55"}
    assert [row["OrganisationName"] for row in crm.person.rows("Organisations").values()] == [
        "Vinhuset Nørre 1"
    ]


async def test_u25_one_entered_with_the_word_becomes_a_debtor(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    await pair.link(BLUEPRINT)
    await pair.quiet()
    add(crm, organisation(7))
    await pair.see(
        lambda: [row["Name"] for row in debtors(erp).values()] == ["Vinhuset Nørre 7"], "the debtor"
    )


# ---------------------------------------------------------------------------------------------- real time


async def test_u01_u13_webhooks_bring_changes_without_a_poll_and_forged_ones_nothing(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    (one,) = add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    ((account, made),) = debtors(erp).items()
    hooks_a, hooks_b = await pair.webhook("a"), await pair.webhook("b")
    await pair.change({"a": {"poll": "1h"}, "b": {"poll": "1h"}})
    await pair.quiet()
    for event in ("Create", "Update"):
        row = {"Entity": "Organisations", "TargetUrl": hooks_a["Organisations"], "EventType": event}
        crm.person.insert("Hooks", row)
    for number, entity in ((50, "DebtorClientUser"), (23, "InvItemClient")):
        erp.person.insert("TableChangeEventClient", {"TableId": number, "Url": hooks_b[entity]})
    # Repeated and out of order, by GET and by POST.
    crm.calls.knobs.copies = 3
    crm.person.edit("Organisations", one, OrganisationCity="Ribe")
    await pair.see(lambda: debtors(erp)[account]["City"] == "Ribe", "a change of webCRM")
    erp.person.edit("DebtorClient", made["PrimaryKeyId"], City="Tønder")
    await pair.see(
        lambda: crm.person.row("Organisations", one)["OrganisationCity"] == "Tønder", "one of Uniconta"
    )
    add(crm, organisation(2))
    await pair.see(lambda: len(debtors(erp)) == 2, "an organisation that was created")
    erp.person.insert(
        "InvItemClient", {"Item": "V1", "Name": "Rødvin", "Group": "Vin", "SalesPrice1": "89.5"}
    )
    await pair.see(lambda: len(crm.person.rows("QuotationLinesLinkedData")) == 1, "an item")
    assert {call.status for call in (*crm.calls.sent, *erp.calls.sent)} == {200}
    assert {call.method for call in erp.calls.sent} == {"GET"}


async def test_u01_what_a_webhook_lost_the_next_poll_makes_good(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    (one,) = add(crm, organisation(1))
    await pair.link(BLUEPRINT)
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    crm.person.edit("Organisations", one, OrganisationCity="Ribe")  # nobody calls
    await pair.see(
        lambda: [row["City"] for row in debtors(erp).values()] == ["Ribe"], "the change, by a poll"
    )


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
    # Who waits goes by himself: with his debtor, and with an address.
    crm.person.edit("Organisations", two, OrganisationType="Kunde")
    crm.person.edit("Persons", 2, PersonEmail="uden@vin.example")
    await pair.see(lambda: len(contacts(erp)) == 3, "those that waited")
    assert contacts(erp)["venter@vin.example"]["DCAccount"] != account


async def test_u22_an_address_that_two_have_goes_to_a_person(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    (one,) = add(crm, organisation(1))
    twin = {"PersonEmail": "info@vin.example", "PersonOrganisationId": one}
    crm.person.insert("Persons", {**twin, "PersonLastName": "A"}, {**twin, "PersonLastName": "B"})
    erp.person.insert("ContactClient", {"Name": "Info", "Email": "info@vin.example"})
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


async def test_u12_u15_fields_of_three_areas_are_mapped_by_id_and_by_name(
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
