"""Sage 50 (France) <-> Sage Sales Management: the rows G under the built-in blueprint, on a real daemon, with a real
exchange folder on one side and real HTTP on the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clients.emulators.sage50fr import System as Sage
from clients.emulators.sage_sales_management import System as Sales
from clients.emulators.stand import stand
from daemon import blueprints
from tandem.v1 import links_pb2, runs_pb2
from tandem_client import Tandem, TandemError
from tests.spec.french import ADMIN, CLIENT, PROSPECT, SELLER, Both, client, company
from tests.spec.pair import Pair
from tests.spec.systems import until

pytestmark = pytest.mark.anyio
BLUEPRINT = "sage50fr-sage-sales-management"


@pytest.fixture
async def both(home: Path, request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    given = getattr(request, "param", {})
    async with (
        stand("sage50fr", {"folder": str(home / "dossier")}) as sage,
        stand("sage_sales_management", {"limit": "off", **given}) as sales,
    ):
        assert isinstance(sage, Sage) and isinstance(sales, Sales)
        yield Both(sage, sales)


@pytest.fixture
async def pair(tandem: Tandem, both: Both, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    tenant = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-[]")
    a = {"path": both.sage.address, "quiet_s": 0, "take_in_max_s": 5}
    b = {
        "url": f"{both.sales.address}/api/v4",
        "public_key": "public",
        "private_key": "private",
        "rate_per_s": 0,
    }
    made = Pair(tandem, tenant, ("sage50fr", a), ("sage_sales_management", {**b, "overlap_s": 1}))
    await made.connect()
    yield made
    await made.leave()


async def linked(pair: Pair, rules: dict[str, Any] | None = None, **settings: Any) -> None:
    """The link as it is set up, without its schedule, and at rest."""
    await made(pair, rules, **settings)
    await activated(pair)
    await pair.quiet()


async def made(pair: Pair, rules: dict[str, Any] | None = None, **settings: Any) -> None:
    """The link, being set up."""
    request = links_pb2.CreateLinkRequest(
        tenant=pair.tenant, name=pair.name, a="a", b="b", blueprint=blueprints.text(BLUEPRINT)
    )
    await pair.tandem.links.CreateLink(request)
    await pair.change({**INSTANT, **chosen(**settings), **(rules or {})})


async def activated(pair: Pair) -> None:
    """What every link has to be given is given, and it works."""
    prepare = links_pb2.PrepareLinkRequest(link=pair.name, tenant=pair.tenant)
    prepare.settings.update({"administrator": str(ADMIN), "branch": "1"})
    await pair.tandem.links.PrepareLink(prepare)
    await pair.tandem.links.ActivateLink(links_pb2.ActivateLinkRequest(link=pair.name, tenant=pair.tenant))


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


async def test_g04_g06_a_company_made_with_the_status_client_is_made_in_sage(pair: Pair, both: Both) -> None:
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
    await linked(pair, rules={"delivery": "command"})
    key = both.company("MARTIN")["id"]
    both.edit("MARTIN", comment="garder", phone="+33 1 11 11 11 11")  # not carried yet
    both.sage.convert("MARTIN")
    await pair.quiet()
    found = both.company("MARTIN")
    assert (found["id"], found["statusId"], found["readOnly"]) == (key, CLIENT, True)
    assert (found["comment"], found["phone"]) == ("garder", "+33 1 11 11 11 11")
    assert both.rows("clients")["MARTIN"]["Téléphone"] == "+33 1 11 11 11 11"
    assert not both.rows("prospects")


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
    await linked(pair, rules={"delivery": "every 15m"})
    link = await pair.shown()
    assert {one.schedule for one in link.deliveries} == {"every 15m"}
    both.edit("MARTIN", city="Nice")
    await until(lambda: waits(pair), "the change to wait for its time")
    assert both.rows("prospects")["MARTIN"]["Ville"] == "Bordeaux"
    # At its time it goes by itself; a shorter interval, so that nobody has to wait for it.
    await pair.change({**INSTANT, "delivery": "every 10s"})
    await pair.see(lambda: both.rows("prospects")["MARTIN"]["Ville"] == "Nice", "the town in Sage 50")


async def test_g12_contacts_of_a_prospect_wait_until_he_is_a_customer(pair: Pair, both: Both) -> None:
    both.enter("prospects", client("MARTIN"))
    both.enter("adresses", contact("A1", "MARTIN", "Anne Leroy"))
    await linked(pair)
    account = both.company("MARTIN")["id"]
    both.sales.person.insert("contacts", person(account, "Paul", "Blanc"))
    await pair.quiet()
    assert set(both.contacts()) == {"Blanc"}
    assert set(both.rows("adresses")) == {"A1"}
    assert len(await pair.parked("waiting")) == 2
    both.sage.convert("MARTIN")
    await pair.see(lambda: set(both.contacts()) == {"Leroy", "Blanc"}, "the contact in Sales Management")
    await pair.see(lambda: len(both.rows("adresses")) == 2, "the address in Sage 50")
    await pair.quiet()
    assert not await pair.parked("waiting")


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


async def test_g14_g23_contacts_are_made_and_edited_on_both_sides(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("adresses", contact("A1", "DUPONT", "Anne Leroy"))
    await linked(pair)
    assert both.company("DUPONT")["readOnly"] is True
    assert both.contacts()["Leroy"]["readOnly"] is False
    both.sales.person.edit("contacts", both.contacts()["Leroy"]["id"], {"phone": "+33 6 1"})
    await pair.see(lambda: both.rows("adresses")["A1"]["Téléphone"] == "+33 6 1", "the phone in Sage 50")
    both.sage.person.edit("adresses", "A1", {"E-mail": "leroy@example.org"})
    await pair.see(lambda: both.contacts()["Leroy"]["email"] == "leroy@example.org", "the e-mail")
    both.sales.person.insert("contacts", person(both.company("DUPONT")["id"], "Paul", "Blanc"))
    await pair.see(lambda: len(both.rows("adresses")) == 2, "the address in Sage 50")
    both.enter("adresses", contact("A3", "DUPONT", "Zoé Roux"))
    await pair.see(lambda: "Roux" in both.contacts(), "the contact in Sales Management")
    await pair.quiet()
    assert len(both.contacts()) == 3
    # A deletion in Sales Management stays there, one in Sage 50 is a mark here.
    both.sales.person.delete("contacts", both.contacts()["Roux"]["id"])
    both.sage.person.delete("adresses", "A1")
    await pair.see(lambda: set(both.contacts()) == {"Blanc"}, "both deletions")
    await pair.quiet()
    assert "A3" in both.rows("adresses")


async def test_g15_g21_only_contact_addresses_are_contacts(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter(
        "adresses",
        contact("A1", "DUPONT", "Anne Leroy"),
        contact("A2", "DUPONT", "Entrepôt Nord", **{"Adresse de contact": False}),
    )
    await linked(pair)
    assert set(both.contacts()) == {"Leroy"}
    both.sage.person.edit("adresses", "A2", {"Adresse de contact": True})
    await pair.see(lambda: set(both.contacts()) == {"Leroy", "Nord"}, "the second contact")
    both.sage.person.edit("adresses", "A1", {"Adresse de contact": False})
    await pair.see(lambda: set(both.contacts()) == {"Nord"}, "the first one marked as deleted")
    await pair.quiet()
    assert both.rows("adresses")["A1"]["Adresse de contact"] is False
    assert set(both.rows("adresses")) == {"A1", "A2"}


async def test_g21_a_contact_may_be_kept(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("adresses", contact("A1", "DUPONT", "Anne Leroy"))
    await linked(pair, contact_unmarked="keep")
    both.sage.person.edit("adresses", "A1", {"Adresse de contact": False, "Téléphone": "+33 6 2"})
    await pair.see(lambda: both.contacts()["Leroy"]["phone"] == "+33 6 2", "the phone")
    await pair.quiet()
    assert set(both.contacts()) == {"Leroy"}


async def test_g16_products_go_one_way_with_their_stock(pair: Pair, both: Both) -> None:
    both.enter(
        "articles",
        {
            "Code": "P1",
            "Désignation courte": "Stylo",
            "Suivi stock": True,
            "Stock réel": 12,
            "Prix de vente HT": "1.50",
        },
        {"Code": "S1", "Désignation courte": "Conseil"},
        {"Code": "P2", "Désignation courte": "Vase", "Suivi stock": True, "Article Inutilisé": True},
    )
    await linked(pair)
    pen, advice, vase = (both.shown("products", code) for code in ("P1", "S1", "P2"))
    assert (pen["model"], pen["Z_stock"], pen["stock"], str(pen["price"])) == ("Stylo", "12", 12, "1.5")
    assert (advice["Z_stock"], advice["stock"], advice["notAvailable"]) == ("-", None, False)
    assert (vase["Z_stock"], vase["stock"], vase["notAvailable"]) == ("0", 0, True)
    before = both.rows("articles")
    both.sales.person.edit("products", pen["id"], {"readOnly": False, "model": "Plume", "price": 3})
    both.sales.person.insert("products", {"model": "Ailleurs", "extId": "X"})
    await pair.see(lambda: both.shown("products", "P1")["model"] == "Stylo", "the name put back")
    both.sage.person.edit("articles", "P1", {"Stock réel": 7, "Article Inutilisé": True})
    await pair.see(lambda: both.shown("products", "P1")["Z_stock"] == "7", "the stock")
    assert both.shown("products", "P1")["notAvailable"] is True
    both.sage.person.delete("articles", "P2")
    await pair.see(lambda: both.shown("products", "P2")["deleted"], "the mark")
    await pair.quiet()
    assert set(both.rows("articles")) == {"P1", "S1"} == set(before) - {"P2"}


async def test_g17_g18_g19_invoices_go_one_way_and_are_read_only(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("factures", invoice("F1", "DUPONT"), invoice("D1", "DUPONT", **{"Type de pièce": "Devis"}))
    await linked(pair)
    shown = both.shown("sales", "F1")
    assert shown["accountId"] == both.company("DUPONT")["id"]
    assert (str(shown["total"]), str(shown["date"])) == ("120", "2026-01-31")
    assert (shown["readOnly"], shown["Z_statut_synchro"], shown["Z_numero"]) == (True, "synchronisé", "F1")
    assert not both.shown("sales", "D1")
    before = both.rows("factures")
    both.sales.person.edit("sales", shown["id"], {"readOnly": False, "total": 1, "Z_statut_synchro": None})

    def put_back() -> bool:
        found = both.shown("sales", "F1")
        return (str(found["total"]), found["readOnly"], found["Z_statut_synchro"]) == (
            "120",
            True,
            "synchronisé",
        )

    await pair.see(put_back, "all put back")
    both.sage.person.edit("factures", "F1", {"Total TTC": 240, "Solde Dû": 0})
    await pair.see(lambda: str(both.shown("sales", "F1")["total"]) == "240", "the new total")
    await pair.quiet()
    assert {
        name: both.rows("factures")["F1"][name]
        for name in before["F1"]
        if name not in {"Total TTC", "Solde Dû"}
    } == {name: value for name, value in before["F1"].items() if name not in {"Total TTC", "Solde Dû"}}


@pytest.mark.parametrize("both", [{"fields": "plain"}], indirect=True)
async def test_g19_a_field_that_has_to_be_made_by_hand_is_named(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("factures", invoice("F1", "DUPONT"))
    with pytest.raises(TandemError, match="sales of connection b has no field 'Z_numero'"):
        await made(pair)
    # Somebody makes the fields in Sales Management.
    both.sales.data.absent = set()
    await linked(pair)
    assert both.shown("sales", "F1")["Z_numero"] == "F1"


async def test_g20_a_contact_made_here_is_a_marked_address_there_and_comes_round_as_the_same(
    pair: Pair, both: Both
) -> None:
    both.enter("clients", client("DUPONT"))
    await linked(pair)
    both.sales.person.insert(
        "contacts", person(both.company("DUPONT")["id"], "Paul", "Blanc", email="p@example.org")
    )
    await pair.see(lambda: len(both.rows("adresses")) == 1, "the address in Sage 50")
    run = await pair.quiet()
    (row,) = both.rows("adresses").values()
    assert (row["Adresse de contact"], row["Code client"], row["Nom"]) == (True, "DUPONT", "Paul Blanc")
    assert run.outcome == "nothing_new" and len(both.contacts()) == 1


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
    both.sage.person.edit("clients", "NOUV", {"Nom Représentant": "Admin Istrateur"})
    both.sales.data.edit("accounts", both.company("NOUV")["id"], {"salesRepId1": ADMIN}, by="automation")
    both.sage.person.edit("clients", "NOUV", {"Ville": "Lyon"})
    await pair.see(lambda: both.company("NOUV")["city"] == "Lyon", "the town")
    await pair.quiet()
    assert both.rows("clients")["NOUV"]["Nom Représentant"] == "Admin Istrateur"
    both.sage.person.edit("clients", "NOUV", {"Nom Représentant": "Quelqu'un d'autre"})
    await pair.quiet()
    assert both.company("NOUV")["salesRepId1"] == ADMIN


# ----------------------------------------------------------------------------------------------------- rows


def contact(code: str, customer: str, name: str, **changes: Any) -> dict[str, Any]:
    """An address of Sage 50, marked as a contact address."""
    return {"Code adresse": code, "Code client": customer, "Adresse de contact": True, "Nom": name, **changes}


def person(account: int, first: str, last: str, **changes: Any) -> dict[str, Any]:
    """A contact of Sales Management."""
    return {"accountId": account, "firstName": first, "lastName": last, "salesRepId": SELLER, **changes}


def invoice(number: str, customer: str, **changes: Any) -> dict[str, Any]:
    """An invoice of Sage 50."""
    plain = {"N° pièce": number, "Type de pièce": "Facture", "Client": customer, "Date Pièce": "2026-01-31"}
    return {**plain, "Total TTC": 120, "Solde Dû": 120, **changes}


INSTANT: dict[str, Any] = {"a": {"poll": "1s"}, "b": {"poll": "1s"}, "delivery": "instant"}


def chosen(**values: Any) -> dict[str, Any]:
    """Settings of the blueprint that are otherwise here."""
    return {"settings": {name: {"default": value} for name, value in values.items()}} if values else {}


async def waits(pair: Pair) -> bool:
    """Whether anything waits for its schedule."""
    return any(one.waiting for one in (await pair.shown()).deliveries)


async def listed(pair: Pair, words: str) -> bool:
    """Whether the protocol of a run names a record that waits for this reason."""
    of = runs_pb2.ListRunsRequest(link=pair.name, tenant=pair.tenant, page_size=100)
    for run in (await pair.tandem.runs.ListRuns(of)).runs:
        request = runs_pb2.ListRunItemsRequest(run=run.id, state="parked", page_size=100)
        items = (await pair.tandem.runs.ListRunItems(request)).items
        if any(words in item.reason for item in items):
            return True
    return False
