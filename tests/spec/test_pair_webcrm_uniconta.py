"""webCRM <-> Uniconta: organisations and debtors, in real time (rows U1-U7, U13, U20, U21, U23-U25), on a real daemon."""

from __future__ import annotations

import pytest

from clients.emulators.uniconta import System as Uniconta
from clients.emulators.webcrm import System as Webcrm
from tandem.v1 import webhooks_pb2
from tests.spec.danish import BLUEPRINT, NUMBER, add, crm, debtor, debtors, erp, named, organisation, pair  # noqa: F401 - the fixtures
from tests.spec.pair import Pair
from tests.spec.systems import until

pytestmark = pytest.mark.anyio
# ruff: noqa: F811 - a fixture is an argument

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
    await pair.quiet()
    (report,) = await pair.told("gate: put back")
    assert report.record == str(one) and "OrganisationType" in report.reason
    ((_, made),) = debtors(erp).items()
    erp.person.delete("DebtorClient", made["PrimaryKeyId"])
    await pair.backfill("debtors")
    # The word stands there still; whatever else somebody edits, he is no debtor again.
    crm.person.edit("Organisations", one, OrganisationCity="Ribe")
    await pair.backfill("debtors")
    assert not debtors(erp)
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
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    assert [row["Name"] for row in debtors(erp).values()] == ["Vinhuset Nørre 7"]


# ---------------------------------------------------------------------------------------------- real time


async def test_u01_u13_u21_webhooks_bring_changes_without_a_poll_and_show_when_each_address_was_called(
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
    # Whoever edits before our write was looked at again can't be told from a system that rewrites what it is given.
    await pair.quiet()
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
    # Each address shows whether it was called; those that nobody registered were not.
    organisations = (await addresses(pair, "a"))["Organisations"]
    called = {
        name
        for side in ("a", "b")
        for name, one in (await addresses(pair, side)).items()
        if one.HasField("last_called")
    }
    assert called == {"Organisations", "DebtorClientUser", "InvItemClient"}
    # Which events count is set per link: from now on an update leads to nothing.
    triggers = {"streams": {"debtors": {"triggers": {"a": ["Create"]}}}}
    await pair.change({"a": {"poll": "1h"}, "b": {"poll": "1h"}, **triggers})
    await pair.quiet()
    crm.person.edit("Organisations", one, OrganisationCity="Varde")

    async def ignored() -> bool:
        return (await addresses(pair, "a"))["Organisations"].ignored > organisations.ignored

    await until(ignored, "the call to be counted, and to lead to nothing")
    assert debtors(erp)[account]["City"] == "Tønder"


async def addresses(pair: Pair, connection: str) -> dict[str, webhooks_pb2.WebhookAddress]:
    """What the daemon shows of the addresses of a connection, by object."""
    request = webhooks_pb2.GetWebhookRequest(connection=connection, tenant=pair.tenant)
    return {one.object: one for one in (await pair.tandem.webhooks.GetWebhook(request)).addresses}


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
    assert not crm.calls.sent
