"""webCRM <-> Uniconta: what the manual leaves open and a setting decides (rows U10, U12, U15, U20, U23, U24)."""

from __future__ import annotations

from typing import Any

import pytest

from clients.emulators.uniconta import System as Uniconta
from clients.emulators.webcrm import System as Webcrm
from tests.spec.danish import BLUEPRINT, NUMBER, add, crm, debtor, debtors, erp, named, organisation, pair  # noqa: F401 - the fixtures
from tests.spec.pair import Pair

pytestmark = pytest.mark.anyio
# ruff: noqa: F811 - a fixture is an argument


def names(erp: Uniconta) -> set[str]:
    """Whom Uniconta has as debtors."""
    return {row["Name"].removeprefix("Vinhuset Nørre ") for row in debtors(erp).values()}


async def test_u23_who_is_kunde_at_the_start_is_matched_and_a_missing_debtor_is_a_plan(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    erp.person.insert("DebtorClient", debtor(1))
    _, two, _ = add(crm, *(organisation(n) for n in (1, 2, 3)))
    await pair.link(BLUEPRINT, initial_create="plan")
    await pair.see(lambda: named(crm, "Vinhuset Nørre 1")[NUMBER] == "10001", "the one that was there")
    plan = await pair.plan()
    assert (plan.stream, plan.reason) == (
        "debtors",
        "2 records of debtors were there before the link: made on a yes",
    )
    assert {one.op for one in await pair.planned(plan)} == {"create"}
    # Who is edited meanwhile still waits; who gets the word now does not.
    crm.person.edit("Organisations", two, OrganisationCity="Ribe")
    add(crm, organisation(4))
    await pair.see(lambda: names(erp) == {"1", "4"}, "the new one")
    await pair.quiet()
    assert names(erp) == {"1", "4"}
    await pair.approve(await pair.plan())
    await pair.see(lambda: names(erp) == {"1", "2", "3", "4"}, "those of the plan")
    (made,) = erp.person.find("DebtorClient", Name="Vinhuset Nørre 2")
    assert made["City"] == "Ribe"


async def test_u23_or_they_stay_as_they_are_until_somebody_edits_them(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    # Known by the CVR number alone: the number that stands in webCRM is another debtor's.
    erp.person.insert("DebtorClient", debtor(1), debtor(8))
    add(crm, organisation(1, **{NUMBER: "10008"}), organisation(2))
    await pair.link(BLUEPRINT, initial_create="off", match_debtors=["cvr"])
    await pair.see(lambda: named(crm, "Vinhuset Nørre 1")[NUMBER] == "10001", "the one that was there")
    await pair.quiet()
    assert names(erp) == {"1", "8"}
    two = named(crm, "Vinhuset Nørre 2")["OrganisationId"]
    crm.person.edit("Organisations", two, OrganisationCity="Ribe")
    await pair.see(lambda: names(erp) == {"1", "2", "8"}, "the one that was edited")


async def test_u20_a_debtor_that_is_deleted_may_be_made_again(pair: Pair, crm: Webcrm, erp: Uniconta) -> None:
    add(crm, organisation(1))
    await pair.link(BLUEPRINT, debtor_gone="restore")
    await pair.see(lambda: len(debtors(erp)) == 1, "the debtor")
    await pair.quiet()
    ((account, made),) = debtors(erp).items()
    erp.person.edit("DebtorClient", made["PrimaryKeyId"], EAN="5790001")
    await pair.see(
        lambda: named(crm, "Vinhuset Nørre 1")["OrganisationExtraCustom3"] == "5790001", "the EAN number"
    )
    await pair.quiet()
    erp.person.delete("DebtorClient", made["PrimaryKeyId"])
    await pair.backfill("debtors")
    await pair.see(lambda: set(debtors(erp)) == {account}, "the debtor with his number")
    again = debtors(erp)[account]
    assert again["PrimaryKeyId"] != made["PrimaryKeyId"]
    assert (again["Name"], again["EAN"]) == ("Vinhuset Nørre 1", "5790001")


async def test_u10_u24_debtors_and_employees_may_become_organisations_and_users(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    await pair.link(BLUEPRINT, debtors_made_by=["a", "b"], users_made_by=["a", "b"])
    await pair.quiet()
    erp.person.insert("DebtorClient", debtor(5))
    erp.person.insert("EmployeeClient", {"Number": "8", "Name": "Kun her", "Email": "her@vin.example"})
    await pair.see(
        lambda: [row["OrganisationType"] for row in crm.person.rows("Organisations").values()] == ["Kunde"],
        "the organisation, with the word",
    )
    one = named(crm, "Vinhuset Nørre 5")
    assert (one[NUMBER], one["OrganisationVatNumber"]) == ("10005", "12340005")
    await pair.see(lambda: crm.person.find("Users", UserEmail="her@vin.example") != [], "the user")
    await pair.quiet()
    assert len(debtors(erp)) == 1


async def test_u12_u15_lines_have_fields_of_their_own_and_an_order_s_state_comes_back(
    pair: Pair, crm: Webcrm, erp: Uniconta
) -> None:
    erp.make_field("DebtorOrderLineClient", "Parti")
    (one,) = add(crm, organisation(1))
    erp.person.insert("InvItemClient", {"Item": "V1", "Name": "V1", "Group": "Vin"})
    (delivery,) = crm.person.insert("Deliveries", {"DeliveryOrganisationId": one})
    cell = {"QuotationLineData1": "V1", "QuotationLineQuantity": 12, "QuotationLineData5": "L-17"}
    crm.person.insert("QuotationLines", {**cell, "QuotationLineOpportunityId": int(delivery)})
    await pair.link(
        BLUEPRINT,
        own_line_fields={"lot": {"a": "QuotationLineData5", "b": "Parti"}},
        order_status_field="DeliveryCustom2",
    )

    def cells() -> list[dict[str, Any]]:
        entity = "DebtorOrderLineClient"
        return [erp.read_own(entity, key) for key in erp.person.rows(entity)]

    await pair.see(lambda: cells() == [{"Parti": "L-17"}], "the line's own field")
    ((key, _),) = erp.person.rows("DebtorOrderClient").items()
    erp.person.edit("DebtorOrderClient", key, Group="Pakket")
    await pair.see(
        lambda: crm.person.row("Deliveries", delivery)["DeliveryCustom2"] == "Pakket", "how the order stands"
    )
    (line,) = crm.person.rows("QuotationLines")
    crm.person.edit("QuotationLines", line, QuotationLineData5="L-18")
    crm.person.edit("Deliveries", delivery, DeliveryNote="saved")
    await pair.see(lambda: cells() == [{"Parti": "L-18"}], "the later save")
    await pair.quiet()
    assert erp.person.row("DebtorOrderClient", key)["Group"] == "Pakket"
