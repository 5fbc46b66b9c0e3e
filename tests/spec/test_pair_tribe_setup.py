"""Tribe CRM <-> Winbooks before and at the activation (rows T3, T17, T21): the built-in blueprint on a real daemon."""

from __future__ import annotations

import pytest

from clients.emulators.tribe_tables import ORGANIZATION, PERSON_CUSTOMER, SUPPLIER
from tandem.v1 import links_pb2
from tandem_client import TandemError
from tests.spec.belgian import CHOSEN, Both, activate, belgian, made, prepare, tribe_winbooks  # noqa: F401 - fixtures
from tests.spec.pair import Pair

pytestmark = pytest.mark.anyio


async def listed(pair: Pair) -> list[str]:
    """What is to be looked at before the activation."""
    asked = links_pb2.ListPreparationsRequest(link=pair.name, tenant=pair.tenant)
    return [one.text for one in (await pair.tandem.links.ListPreparations(asked)).preparations]


async def test_t03_t17_relations_without_a_number_or_with_a_doubled_one_are_listed_and_mended_or_go_to_a_person(
    belgian: Pair,  # noqa: F811
    tribe_winbooks: Both,  # noqa: F811
) -> None:
    both = tribe_winbooks
    for code in ("C1", "C7"):
        both.keeper.partner("Customer", code, f"Firma {code}")
    both.customer(Name="Vin", DebtorNumber="C1")
    twice = [both.customer(Name=name, DebtorNumber="C7") for name in ("Noord", "Zuid")]
    mended = [both.customer(Name=name, DebtorNumber="C6") for name in ("Oost", "West")]
    both.customer(PERSON_CUSTOMER, FirstName="Ada", LastName="Berg", DebtorNumber="C8")
    none = both.customer(SUPPLIER, Name="Cave", CreditorNumber="S1")
    company = both.crm.person.row(SUPPLIER, none)["Organization"]
    both.crm.person.edit(ORGANIZATION, company, CreditorNumber=None)
    assert (await made(belgian)).state == "being_set_up"
    await prepare(belgian, **CHOSEN)
    doubled, lacking = sorted(await listed(belgian), key=lambda text: "lack" in text)
    assert "4 records in Relationship_Organization_CommercialRelationship_Customer" in doubled
    assert all(one in doubled for one in (*twice, *mended)) and "Organization.DebtorNumber" in doubled
    assert "1 record in Relationship_Organization_Supplier" in lacking and none in lacking
    with pytest.raises(TandemError) as refused:
        await activate(belgian)
    assert refused.value.reason == "WARNINGS" and "--go-on" in refused.value.hint
    # One pair of them is mended, with the rest somebody goes on.
    both.edit(mended[1], DebtorNumber="C9")
    doubled, _ = sorted(await listed(belgian), key=lambda text: "lack" in text)
    assert "2 records" in doubled and all(one in doubled for one in twice)
    assert (await activate(belgian, go_on=True)).establishment == "established"
    await belgian.quiet()
    numbers = sorted(str(one["DebtorNumber"]) for one in both.relations())
    assert numbers == ["C1", "C6", "C7", "C7", "C8", "C9", "None"]
    # Two candidates for one customer of Winbooks: nobody is made, nobody is guessed, a person is asked.
    found = await belgian.parked("ambiguous")
    assert {one.record.rpartition(":")[2] for one in found} == {*twice, both.partners()["C7"]["Id"]}
    assert {both.relation(one)["Name"] for one in twice} == {"Noord", "Zuid"}


async def test_t21_a_failed_log_in_leaves_nothing_activated_and_nothing_loaded(
    belgian: Pair,  # noqa: F811
    tribe_winbooks: Both,  # noqa: F811
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co")
    await made(belgian)
    await prepare(belgian, **CHOSEN)
    # The application in Tribe gets another secret before anybody activates.
    secret, both.crm.client_secret = both.crm.client_secret, "another one"
    both.crm.expire()
    with pytest.raises(TandemError) as refused:
        await activate(belgian)
    assert refused.value.reason == "AUTH" and "tribe" in refused.value.message
    link = await belgian.shown()
    assert (link.state, link.establishment) == ("being_set_up", "confirmed")
    assert not both.relations() and sorted(both.partners()) == ["C1"]
    both.crm.client_secret = secret
    assert (await activate(belgian)).establishment == "established"
    await belgian.see(lambda: both.numbered("C1"), "the customer")
