"""Sage 50 (France) <-> Sage Sales Management, companies: rows G under the built-in blueprint, on a real daemon, with a real
exchange folder on one side and real HTTP on the other. Contacts, products and invoices: test_pair_sage_goods.py."""

from __future__ import annotations

import pytest

from tests.spec.french import (
    ADMIN,
    CLIENT,
    INSTANT,
    PROSPECT,
    SELLER,
    Both,
    chosen,
    client,
    company,
    contact,
    invoice,
    linked,
    listed,
    waits,
)
from tests.spec.pair import Pair
from tests.spec.systems import until

pytestmark = pytest.mark.anyio


async def test_g01_the_account_code_is_the_identifier_on_both_sides(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("prospects", client("MARTIN"))
    await linked(pair)
    assert set(both.companies()) == {"DUPONT", "MARTIN"}
    both.sales.person.insert("accounts", company("Nouvelle"))
    await pair.see(lambda: both.rows("prospects").keys() - {"MARTIN"}, "the prospect in Sage 50")
    await pair.quiet()
    (code,) = both.rows("prospects").keys() - {"MARTIN"}
    assert both.company(code)["name"] == "Nouvelle"
    # Edited there, it is the same company here.
    both.sage.person.edit("clients", "DUPONT", {"Ville": "Lyon"})
    await pair.see(lambda: both.company("DUPONT")["city"] == "Lyon", "the town")
    assert len(both.companies()) == 3


async def test_g02_customers_are_read_only_and_edits_there_are_put_back(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("prospects", client("MARTIN"))
    await linked(pair)
    assert both.company("DUPONT")["readOnly"] is True
    assert both.company("MARTIN")["readOnly"] is False
    both.edit("DUPONT", readOnly=False, name="Autre", phone="0", postcode="1")
    before = both.rows("clients")

    def put_back() -> bool:
        found = both.company("DUPONT")
        return (found["readOnly"], found["name"], found["phone"], found["postcode"]) == (
            True,
            "Maison Dupont",
            "+33 5 56 00 00 01",
            "33000",
        )

    await pair.see(put_back, "everything put back")
    await pair.quiet()
    assert both.rows("clients") == before


async def test_g02_an_edit_may_be_reported_instead(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    await linked(pair, readonly_edit="report")
    both.edit("DUPONT", readOnly=False, phone="0")
    await pair.see(lambda: both.company("DUPONT")["readOnly"] is True, "the mark")
    await pair.quiet()
    assert both.company("DUPONT")["phone"] == "0"
    assert both.rows("clients")["DUPONT"]["Téléphone"] == "+33 5 56 00 00 01"


async def test_g03_what_sage_deletes_is_marked_and_nothing_is_deleted_in_sage(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"), client("DURAND"))
    both.enter("adresses", contact("A1", "DURAND", "Anne Leroy"), contact("A2", "DURAND", "Paul Blanc"))
    both.enter(
        "articles",
        {"Code": "P1", "Désignation courte": "Stylo"},
        {"Code": "P2", "Désignation courte": "Vase"},
    )
    both.enter("factures", invoice("F1", "DURAND"), invoice("F2", "DURAND"))
    await linked(pair)
    assert set(both.contacts()) == {"Leroy", "Blanc"}
    for table, code in (("clients", "DUPONT"), ("adresses", "A1"), ("articles", "P1"), ("factures", "F1")):
        both.sage.person.delete(table, code)

    def marked() -> bool:
        found = [both.company("DUPONT"), both.shown("products", "P1"), both.shown("sales", "F1")]
        return all(row["deleted"] for row in found) and set(both.contacts()) == {"Blanc"}

    await pair.see(marked, "all four marked as deleted")
    await pair.quiet()
    before = {table: both.rows(table) for table in ("clients", "adresses", "articles", "factures")}
    both.edit("DURAND", readOnly=False)
    both.sales.person.delete("accounts", both.company("DURAND")["id"])
    both.sales.person.delete("contacts", both.contacts()["Blanc"]["id"])
    for table, code in (("products", "P2"), ("sales", "F2")):
        key = both.shown(table, code)["id"]
        both.sales.person.edit(table, key, {"readOnly": False})
        both.sales.person.delete(table, key)
    # The customer comes back; the others stay as they are.
    await pair.see(lambda: "DURAND" in both.companies(), "the customer")
    await pair.quiet()
    assert {table: both.rows(table) for table in before} == before
    assert not both.contacts()
    assert both.shown("products", "P2")["deleted"] and both.shown("sales", "F2")["deleted"]


async def test_g04_a_company_made_with_the_status_client_is_made_in_sage(pair: Pair, both: Both) -> None:
    await linked(pair)
    both.sales.person.insert("accounts", company("Nouvelle", statusId=CLIENT, city="Pau", extId="NOUV"))
    await pair.see(lambda: "NOUV" in both.rows("clients"), "the customer in Sage 50")
    row = both.rows("clients")["NOUV"]
    assert (row["Société"], row["Ville"], row["Nom Représentant"]) == ("Nouvelle", "Pau", "Claire Petit")
    await pair.see(lambda: both.company("NOUV")["readOnly"] is True, "the read-only mark")
    await pair.quiet()
    assert not both.rows("prospects")
    assert len(both.companies()) == 1


async def test_g05_the_administrator_owns_what_nobody_owns_and_only_at_first(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    await linked(pair)
    assert both.company("DUPONT")["salesRepId1"] == ADMIN
    both.sales.data.edit("accounts", both.company("DUPONT")["id"], {"salesRepId1": SELLER}, by="automation")
    both.sales.person.insert("accounts", company("Nouvelle", statusId=CLIENT, extId="NOUV"))
    await pair.see(lambda: "NOUV" in both.rows("clients"), "the customer in Sage 50")
    await pair.quiet()
    both.sage.person.edit("clients", "DUPONT", {"Ville": "Lyon"})
    both.sage.person.edit("clients", "NOUV", {"Ville": "Lyon"})
    await pair.see(lambda: {one["city"] for one in both.companies().values()} == {"Lyon"}, "both towns")
    await pair.quiet()
    assert both.company("DUPONT")["salesRepId1"] == SELLER
    assert both.company("NOUV")["salesRepId1"] == SELLER


async def test_g06_the_full_name_of_the_representative_goes_along(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    await linked(pair)
    both.sales.person.insert(
        "accounts",
        company("Nouvelle", statusId=CLIENT, extId="NOUV"),
        company("Neuve", extId="NEUVE", salesRepId1=ADMIN),
    )
    await pair.see(
        lambda: both.rows("clients").get("NOUV", {}).get("Nom Représentant") == "Claire Petit", "her name"
    )
    await pair.see(lambda: "NEUVE" in both.rows("prospects"), "the prospect in Sage 50")
    await pair.quiet()
    assert both.rows("clients")["DUPONT"]["Nom Représentant"] is None


async def test_g07_prospects_are_made_and_edited_on_either_side(pair: Pair, both: Both) -> None:
    both.enter("prospects", client("MARTIN"))
    await linked(pair)
    both.edit("MARTIN", phone="+33 1 00 00 00 00", city="Nice", name="Martin et fils")
    await pair.see(lambda: both.rows("prospects")["MARTIN"]["Ville"] == "Nice", "the town in Sage 50")
    row = both.rows("prospects")["MARTIN"]
    assert (row["Téléphone"], row["Société"]) == ("+33 1 00 00 00 00", "Martin et fils")
    both.sage.person.edit("prospects", "MARTIN", {"E-mail": "m@example.org"})
    await pair.see(lambda: both.company("MARTIN")["email"] == "m@example.org", "the e-mail")
    both.sales.person.insert("accounts", company("Neuve", extId="NEUVE"))
    both.enter("prospects", client("VIEUX"))
    await pair.see(lambda: "NEUVE" in both.rows("prospects"), "the prospect in Sage 50")
    await pair.see(lambda: "VIEUX" in both.companies(), "the prospect in Sales Management")
    run = await pair.quiet()
    assert run.outcome == "nothing_new"


async def test_g08_a_prospect_who_becomes_a_customer_in_sage_is_the_same_here(pair: Pair, both: Both) -> None:
    both.enter("prospects", client("MARTIN"))
    await linked(pair)
    await pair.change({**INSTANT, "delivery": "command"})
    key = both.company("MARTIN")["id"]
    both.edit("MARTIN", comment="garder", phone="+33 1 11 11 11 11")  # not carried yet
    both.sage.convert("MARTIN")

    async def converted() -> bool:
        await pair.sync()
        return bool(both.company("MARTIN")["readOnly"]) and "MARTIN" in both.rows("clients")

    await until(converted, "the customer in Sales Management")
    await pair.quiet()
    found = both.company("MARTIN")
    assert (found["id"], found["statusId"], found["readOnly"]) == (key, CLIENT, True)
    assert (found["comment"], found["phone"]) == ("garder", "+33 1 11 11 11 11")
    assert both.rows("clients")["MARTIN"]["Téléphone"] == "+33 1 11 11 11 11"
    assert not both.rows("prospects")
    assert not await pair.parked("conflict")


async def test_g08_an_edit_of_both_at_that_moment_follows_the_rule_or_is_listed(
    pair: Pair, both: Both
) -> None:
    both.enter("prospects", client("MARTIN"))
    await linked(pair, conflict="ask")
    await pair.change({**INSTANT, **chosen(conflict="ask"), "delivery": "command"})
    both.edit("MARTIN", phone="ici")
    both.sage.person.edit("prospects", "MARTIN", {"Téléphone": "là"})
    both.sage.convert("MARTIN")

    async def listed_as_conflict() -> bool:
        await pair.sync()
        return [row.field for row in await pair.parked("conflict")] == ["phone"]

    await until(listed_as_conflict, "the conflict")
    assert both.company("MARTIN")["phone"] == "ici"
    assert both.rows("clients")["MARTIN"]["Téléphone"] == "là"


async def test_g09_prospects_are_deleted_in_sage_only(pair: Pair, both: Both) -> None:
    both.enter("prospects", client("MARTIN"), client("MOREAU"))
    await linked(pair)
    both.sage.person.delete("prospects", "MARTIN")
    await pair.see(lambda: set(both.companies()) == {"MOREAU"}, "the prospect to disappear")
    await pair.quiet()
    old = both.company("MOREAU")["id"]
    both.sales.person.delete("accounts", old)
    await pair.see(lambda: set(both.companies()) == {"MOREAU"}, "the prospect to come back")
    await pair.quiet()
    assert both.company("MOREAU")["id"] != old
    assert set(both.rows("prospects")) == {"MOREAU"}


async def test_g10_prospects_and_customers_are_one_table_here_and_two_there(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("prospects", client("MARTIN"))
    await linked(pair)
    assert {code: one["statusId"] for code, one in both.companies().items()} == {
        "DUPONT": CLIENT,
        "MARTIN": PROSPECT,
    }
    both.sales.person.insert(
        "accounts", company("Un", extId="UN"), company("Deux", extId="DEUX", statusId=CLIENT)
    )
    await pair.see(lambda: set(both.rows("prospects")) == {"MARTIN", "UN"}, "the prospects")
    await pair.see(lambda: set(both.rows("clients")) == {"DUPONT", "DEUX"}, "the customers")
    await pair.quiet()
    assert len(both.companies()) == 4


async def test_g11_every_fifteen_minutes_by_itself(pair: Pair, both: Both) -> None:
    both.enter("prospects", client("MARTIN"))
    await linked(pair)
    # As the blueprint says, for every stream and in both directions.
    await pair.change({side: INSTANT[side] for side in ("a", "b")})
    link = await pair.shown()
    assert {one.schedule for one in link.deliveries} == {"every 15m"}
    assert {(one.stream, one.side) for one in link.deliveries} >= {
        ("companies", 1),
        ("companies", 2),
        ("invoices", 2),
    }
    both.edit("MARTIN", city="Nice")
    await until(lambda: waits(pair), "the change to wait for its time")
    assert both.rows("prospects")["MARTIN"]["Ville"] == "Bordeaux"
    # At its time it goes by itself; a shorter interval, so that nobody has to wait for it.
    await pair.change({**INSTANT, "delivery": "every 10s"})
    await pair.see(lambda: both.rows("prospects")["MARTIN"]["Ville"] == "Nice", "the town in Sage 50")


async def test_g13_customers_are_made_in_sage_only_where_the_switch_says_so(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    await linked(pair, customers_made_by=["a"])
    both.sales.person.insert("accounts", company("Nouvelle", statusId=CLIENT, extId="NOUV"))
    await until(
        lambda: listed(pair, "the blueprint lets no record be created from there"), "the company to be listed"
    )
    assert set(both.rows("clients")) == {"DUPONT"}
    assert both.company("NOUV")["deleted"] is False and both.company("NOUV")["statusId"] == CLIENT
    both.edit("DUPONT", readOnly=False, name="Autre")
    await pair.see(lambda: both.company("DUPONT")["name"] == "Maison Dupont", "the name put back")
    await pair.change({**INSTANT, **chosen(customers_made_by=["a", "b"])})
    await pair.see(lambda: "NOUV" in both.rows("clients"), "the customer in Sage 50")


async def test_g22_a_prospect_given_the_status_client_here_follows_the_switch(pair: Pair, both: Both) -> None:
    both.enter("prospects", client("MARTIN"), client("MOREAU"))
    await linked(pair)
    both.edit("MARTIN", statusId=CLIENT)
    await pair.see(lambda: set(both.rows("clients")) == {"MARTIN"}, "the customer in Sage 50")
    await pair.quiet()
    assert set(both.rows("prospects")) == {"MOREAU"}
    assert len(both.companies()) == 2 and both.company("MARTIN")["readOnly"] is True
    await pair.change({**INSTANT, **chosen(customers_made_by=["a"])})
    both.edit("MOREAU", statusId=CLIENT)
    await pair.see(lambda: both.company("MOREAU")["statusId"] == PROSPECT, "the status put back")
    await pair.quiet()
    assert set(both.rows("prospects")) == {"MOREAU"}


async def test_g24_a_code_that_exists_in_sage_is_bound_or_goes_to_a_person(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"), client("DURAND"))
    both.sales.person.insert(
        "accounts",
        company("Maison Dupont", extId="DUPONT", statusId=CLIENT),
        company("Tout autre chose", extId="DURAND", statusId=CLIENT),
    )
    await linked(pair)
    assert len(both.sales.person.rows("accounts")) == 2
    assert both.company("DUPONT")["city"] == "Bordeaux"
    assert len(await pair.parked("ambiguous")) == 2
    assert both.company("DURAND")["name"] == "Tout autre chose" and not both.company("DURAND")["readOnly"]
    assert both.rows("clients")["DURAND"]["Société"] == "Maison Durand"
    assert set(both.rows("clients")) == {"DUPONT", "DURAND"}


async def test_g25_sales_rep_is_written_once_and_never_read_back(pair: Pair, both: Both) -> None:
    await linked(pair)
    both.sales.person.insert("accounts", company("Nouvelle", statusId=CLIENT, extId="NOUV"))
    await pair.see(lambda: "NOUV" in both.rows("clients"), "the customer in Sage 50")
    await pair.quiet()
    first = both.rows("clients")["NOUV"]["Nom Représentant"]
    assert first and first != "Admin Istrateur"
    # Another owner in Sales Management: what Sage 50 was told at the creation stays.
    both.sales.data.edit("accounts", both.company("NOUV")["id"], {"salesRepId1": ADMIN}, by="automation")
    both.sage.person.edit("clients", "NOUV", {"Ville": "Lyon"})
    await pair.see(lambda: both.company("NOUV")["city"] == "Lyon", "the town")
    await pair.quiet()
    assert both.rows("clients")["NOUV"]["Nom Représentant"] == first
    # Another name in Sage 50: it is no owner, and nobody puts it back.
    both.sage.person.edit("clients", "NOUV", {"Nom Représentant": "Quelqu'un d'autre", "Ville": "Metz"})
    await pair.see(lambda: both.company("NOUV")["city"] == "Metz", "the other town")
    await pair.quiet()
    assert both.company("NOUV")["salesRepId1"] == ADMIN
    assert both.rows("clients")["NOUV"]["Nom Représentant"] == "Quelqu'un d'autre"
