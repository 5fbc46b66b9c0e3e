"""Sage 50 (France) <-> Sage Sales Management, contacts, products and invoices: rows G under the built-in blueprint, on a
real daemon, with a real exchange folder on one side and real HTTP on the other. Companies: test_pair_sage.py."""

from __future__ import annotations

import pytest

from tandem.v1 import connections_pb2
from tandem_client import TandemError
from tests.spec.french import (
    Both,
    client,
    contact,
    invoice,
    linked,
    made,
    person,
)
from tests.spec.pair import Pair, struct

pytestmark = pytest.mark.anyio


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


async def test_g14_contacts_are_made_and_edited_on_both_sides(pair: Pair, both: Both) -> None:
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


async def test_g15_only_contact_addresses_are_contacts(pair: Pair, both: Both) -> None:
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


async def test_g21_an_address_that_loses_its_mark_is_no_contact_any_more(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("adresses", contact("A1", "DUPONT", "Anne Leroy"))
    await linked(pair)
    key = both.contacts()["Leroy"]["id"]
    both.sage.person.edit("adresses", "A1", {"Adresse de contact": False})
    await pair.see(lambda: both.sales.person.row("contacts", key)["deleted"], "the mark")
    await pair.quiet()
    assert both.rows("adresses")["A1"]["Nom"] == "Anne Leroy"
    # Marked anew it is one again; what was deleted in Sales Management can't be brought back.
    both.sage.person.edit("adresses", "A1", {"Adresse de contact": True})
    await pair.see(lambda: "Leroy" in both.contacts(), "the contact")
    await pair.quiet()
    assert len(both.contacts()) == 1


async def test_g23_contacts_of_a_read_only_customer_stay_editable_on_both_sides(
    pair: Pair, both: Both
) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("adresses", contact("A1", "DUPONT", "Anne Leroy"))
    await linked(pair)
    assert both.company("DUPONT")["readOnly"] is True
    both.sales.person.edit("contacts", both.contacts()["Leroy"]["id"], {"title": "Gérante"})
    await pair.see(lambda: both.rows("adresses")["A1"]["Fonction"] == "Gérante", "the function in Sage 50")
    both.sage.person.edit("adresses", "A1", {"Fonction": "Directrice"})
    await pair.see(
        lambda: both.contacts()["Leroy"]["title"] == "Directrice", "the function in Sales Management"
    )
    await pair.quiet()
    assert both.contacts()["Leroy"]["readOnly"] is False


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


async def test_g16_images_come_along_when_they_changed(pair: Pair, both: Both) -> None:
    one, two = (b"\xff\xd8\xff" + name for name in (b"one", b"two"))
    both.enter("articles", *({"Code": code, "Désignation courte": code} for code in ("P1", "P2")))
    both.sage.hang("articles", "P1", one)
    # An article that names an image which is not exported yet keeps nobody waiting.
    both.enter("articles", {"Code": "P3", "Désignation courte": "P3", "Photo": "P3.jpg"})
    await linked(pair)
    late = both.shown("products", "P3")["id"]
    assert both.sales.files.shown(late) == {} and not await pair.parked("waiting")
    both.sage.hang("articles", "P3", two)
    await pair.see(lambda: list(both.sales.files.shown(late).values()) == [two], "the image that came later")
    key = both.shown("products", "P1")["id"]

    def pictures() -> list[bytes]:
        return list(both.sales.files.shown(key).values())

    assert (pictures(), both.sales.files.shown(both.shown("products", "P2")["id"])) == ([one], {})
    # A seller's own picture stays. One that takes the place of ours is put back, and never reaches Sage 50.
    both.sales.files.hang(key, b"theirs", "Sur la table.jpg")
    (ours,) = (name for name in both.sales.files.shown(key) if name.startswith("Photo:"))
    both.sales.person.delete("documents", int(ours.partition(":")[2]))
    await pair.backfill("products")
    await pair.see(lambda: sorted(pictures()) == [b"theirs", one], "our picture put back")
    before = both.sales.counters["PUT /files/{key}"]
    both.sage.person.edit("articles", "P1", {"Désignation longue": "Un stylo"})
    await pair.see(lambda: both.shown("products", "P1")["description"] == "Un stylo", "the description")
    assert (
        both.sales.counters["PUT /files/{key}"] == before == 3
    )  # it went once, was put back once, and the late one
    both.sage.hang("articles", "P1", two)
    await pair.see(lambda: sorted(pictures()) == [b"theirs", two], "the new picture")
    both.sage.hang("articles", "P1", None)
    await pair.see(lambda: pictures() == [b"theirs"], "no picture of ours")
    await pair.quiet()


async def test_g17_invoices_go_one_way_and_are_read_only(pair: Pair, both: Both) -> None:
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


async def test_g18_an_invoice_that_was_synced_says_so_and_sage_is_unchanged(pair: Pair, both: Both) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("factures", invoice("F1", "DUPONT"))
    before = both.rows("factures")
    await linked(pair)
    assert both.shown("sales", "F1")["Z_statut_synchro"] == "synchronisé"
    key = both.shown("sales", "F1")["id"]
    both.sales.data.edit("sales", key, {"Z_statut_synchro": None}, by="automation")
    await pair.see(
        lambda: both.shown("sales", "F1")["Z_statut_synchro"] == "synchronisé", "the status set again"
    )
    await pair.quiet()
    assert both.rows("factures") == before
    assert not [path for path in both.sage.taken_in if path.startswith("FACTURES")]


async def test_g18_a_mark_at_the_source_is_set_once_where_a_link_asks_for_it(pair: Pair, both: Both) -> None:
    both.sage.takes |= {"factures"}
    takes = {"objects": {"factures": {"import": True}}}
    request = connections_pb2.UpdateConnectionRequest(
        tenant=pair.tenant, connection="a", settings=struct(takes)
    )
    await pair.tandem.connections.UpdateConnection(request)
    both.enter("clients", client("DUPONT"))
    both.enter("factures", invoice("F1", "DUPONT"), invoice("D1", "DUPONT", **{"Type de pièce": "Devis"}))
    before = both.rows("factures")
    await linked(pair, mark_at_source="Transférée")
    await pair.see(lambda: both.rows("factures")["F1"]["Transférée"], "the mark in Sage 50")
    await pair.quiet()
    # Nothing else of it was touched, and the mark is no edit that goes round.
    assert both.rows("factures") == {**before, "F1": {**before["F1"], "Transférée": True}}
    assert len([path for path in both.sage.taken_in if path.startswith("FACTURES")]) == 1
    assert both.shown("sales", "F1")["Z_statut_synchro"] == "synchronisé"


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


@pytest.mark.parametrize("address", ["contacts", ""])
async def test_u21_sales_management_calls_at_the_address_of_an_object_or_of_all(
    pair: Pair, both: Both, address: str
) -> None:
    both.enter("clients", client("DUPONT"))
    both.enter("adresses", contact("A1", "DUPONT", "Anne Leroy"))
    await linked(pair, {"b": {"poll": "1h"}})
    url = (await pair.webhook("b"))[address]
    hook = {"entity": "contact", "action": "update", "name": "tandem", "url": url, "version": "v4"}
    both.sales.person.insert("hooks", hook)
    # No poll is due for an hour, and nobody starts a run.
    both.sales.person.edit("contacts", both.contacts()["Leroy"]["id"], {"title": "Gérante"})
    await pair.see(lambda: both.rows("adresses")["A1"]["Fonction"] == "Gérante", "the function in Sage 50")
    assert both.contacts()["Leroy"]["title"] == "Gérante"
