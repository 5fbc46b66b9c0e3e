"""Tribe CRM <-> Winbooks: what a link may choose for its initial load and of who is active again
(rows T3, T12, T15), on a real daemon."""

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


async def test_t12_where_the_setting_says_so_only_deactivating_follows_and_who_is_active_on_one_side_alone_is_no_conflict(
    belgian: Pair, tribe_winbooks: Both
) -> None:
    both = tribe_winbooks
    for number in ("1", "2"):
        both.keeper.partner("Customer", f"C{number}", f"Firma {number}")
    both.keeper.partner("Supplier", "S1", "Cave")
    await linked(belgian, reactivation="ignore")
    keys = {one["DebtorNumber"]: one["ID"] for one in both.relations(CUSTOMER)}
    (cave,) = (one["ID"] for one in both.relations(SUPPLIER))

    def active() -> dict[str, tuple[bool, bool]]:
        """By number: in Tribe, in Winbooks."""
        own = {**keys, "S1": cave}
        there = {**both.partners(), **both.partners("Supplier")}
        return {
            number: (both.relation(key)["IsActive"] is not False, not there[number]["IsHidden"])
            for number, key in own.items()
        }

    both.edit(keys["C1"], IsActive=False)
    both.change("C2", IsHidden=True)
    both.edit(cave, IsActive=False)
    await belgian.quiet()
    assert active() == dict.fromkeys(("C1", "C2", "S1"), (False, False))
    both.edit(keys["C1"], IsActive=True)
    both.change("C2", IsHidden=False)
    both.change("S1", "Supplier", IsHidden=False)
    await belgian.quiet()
    apart = {"C1": (True, False), "C2": (False, True), "S1": (False, True)}
    assert active() == apart and len(await belgian.told("active again on")) == 3
    # Other edits go, and a complete read finds nothing that was not said.
    both.change("C1", Name="Firma Een")
    await belgian.backfill("customers")
    assert both.relation(keys["C1"])["Name"] == "Firma Een"
    assert active() == apart and len(await belgian.told("active again on")) == 3
    assert not await belgian.parked("conflict")
    # Activated on the other side, too, both say the same; and whoever deactivates is followed.
    both.change("C1", IsHidden=False)
    both.edit(keys["C2"], IsActive=True)
    await belgian.quiet()
    both.change("C1", IsHidden=True)
    both.edit(keys["C2"], IsActive=False)
    await belgian.quiet()
    assert active() == {"C1": (False, False), "C2": (False, False), "S1": (False, True)}
