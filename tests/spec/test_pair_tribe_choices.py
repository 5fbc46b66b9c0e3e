"""Tribe CRM <-> Winbooks: what a link may choose for its initial load (rows T3, T15), on a real daemon."""

from __future__ import annotations

import pytest

from clients.emulators.tribe_tables import CUSTOMER, ORGANIZATION, SUPPLIER
from tests.spec.belgian import Both, belgian, linked, tribe_winbooks  # noqa: F401 - fixtures
from tests.spec.pair import Pair

pytestmark = pytest.mark.anyio
# ruff: noqa: F811 - a fixture is an argument


async def test_t15_what_only_tribe_has_goes_along_once_somebody_said_yes_to_the_plan(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.customer(Name="Only in Tribe", DebtorNumber="T9")
    both.keeper.partner("Customer", "C1", "Vin & Co")
    there = both.customer(Name="Vin", DebtorNumber="C1")
    await linked(belgian, initial_load=["a", "b"], initial_create="plan")
    assert set(both.partners()) == {"C1"}
    assert both.relation(there)["Name"] == "Vin & Co"  # who is on both sides is matched, plan or not
    await belgian.approve(await belgian.plan())
    await belgian.see(lambda: set(both.partners()) == {"C1", "T9"}, "the one that only Tribe had")
    await belgian.quiet()
    assert len(both.relations(CUSTOMER)) == 2


async def test_t03_where_numbers_don_t_count_nobody_is_known_by_them(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co")
    mine = both.customer(Name="Somebody else", DebtorNumber="C1")
    await linked(belgian, match_relations=["winbooks_id"])
    await belgian.see(lambda: len(both.relations(CUSTOMER)) == 2, "the customer of Winbooks")
    await belgian.quiet()
    assert both.relation(mine)["Name"] == "Somebody else"


@pytest.mark.parametrize(
    "winner, phones", [("filled_else_a", ["1", "1", "2"]), ("filled_else_b", ["2", "2", "2"])]
)
async def test_t15_t18_who_is_both_overwrites_neither_third_party_with_the_other_one(
    belgian: Pair, tribe_winbooks: Both, winner: str, phones: list[str]
) -> None:
    both = tribe_winbooks
    both.keeper.partner("Customer", "C1", "Vin & Co", **{"Address.PhoneNo": "1"})
    both.keeper.partner(
        "Supplier", "S1", "Vin & Co", **{"Address.PhoneNo": "2", "Address.Email": "s@vin.example"}
    )
    both.keeper.partner("Supplier", "S2", "Cave", **{"Address.PhoneNo": "4"})
    there = both.customer(Name="Vin & Co", DebtorNumber="C1", PhoneNumber="0")
    row = both.crm.person.row(CUSTOMER, there)
    both.crm.person.edit(ORGANIZATION, row["Organization"], CreditorNumber="S1")
    both.crm.enter(SUPPLIER, Relation=row["Relation"], Organization=row["Organization"])
    alone = both.customer(SUPPLIER, Name="Cave", CreditorNumber="S2", PhoneNumber="3")
    await linked(belgian, both_roles_winner=winner)

    def shown() -> list[str]:
        books = (both.partners()["C1"], both.partners("Supplier")["S1"])
        return [both.relation(there)["PhoneNumber"], *(one["Address.PhoneNo"] for one in books)]

    await belgian.see(lambda: shown() == phones, "the phone numbers")
    # What is empty is filled, and of a supplier alone Winbooks' value counts.
    assert (both.relation(there)["EmailAddress"], both.relation(alone)["PhoneNumber"]) == (
        "s@vin.example",
        "4",
    )
    both.change("S1", "Supplier", **{"Address.PhoneNo": "5"})
    await belgian.quiet()
    await belgian.see(lambda: shown() == ["5", "5", "5"], "the new number everywhere")
