"""Two accounts of Winestro.Cloud: customers and articles (rows W6, W10-W17, W22, W23, W29-W31), on a real daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import texts
from tests.spec.names import own_name
from tests.spec.systems import until
from tests.spec.wine import ARTICLES, CUSTOMERS, ELEVEN, Wineries, Winery, two_wineries

pytestmark = pytest.mark.anyio
CONSENT = ("adr_newsletter_aktiv", "adr_werbung_email", "adr_werbung_post", "adr_werbung_telefon")


@pytest.fixture
async def two(
    daemon: DaemonProcess, tandem: Tandem, request: pytest.FixtureRequest
) -> AsyncIterator[Wineries]:
    """Two accounts that are enabled for the synchronization and connected."""
    name = own_name(request, 20)
    async with two_wineries(daemon, tandem, name) as made:
        for winery in (made.primary, made.secondary):
            await winery.enable()
        await made.secondary.know(made.primary)
        yield made


# ---------------------------------------------------------------------------------------------------- customers


def fill(one: Winery) -> None:
    """A Primary with two customers, their addresses and contacts, lists with amounts, groups and a commission."""
    one.person.insert("preiskategorien", {"pk_name": "Handel"}, {"pk_name": "Privat", "pk_sortierung": 2})
    one.person.insert("preise", {"preis_id_kategorie": 2, "preis_artikel_nr": "1", "preis_betrag": "9.90"})
    one.person.insert("adressgruppen", {"grp_name": "Gastronomie"})
    one.person.insert("provisionsempfaenger", {"pe_name": "Vertreter Nord"})
    consent = dict.fromkeys(CONSENT, True)
    ada = {
        "adr_nr": "K1",
        "adr_nachname": "Berg",
        "adr_ort": "Ulm",
        "adr_id_preiskategorie": 2,
        "adr_id_gruppe": 1,
    }
    bob = {"adr_nr": "K2", "adr_firma": "Weinbar & Söhne", "adr_rabatt": "2.5", "adr_id_preiskategorie": 1}
    one.person.insert("kunden", {**ada, **consent, "adr_id_provision": 1}, {**bob, **consent})
    one.person.insert(
        "lieferadressen", {"la_id_adr": 1, "la_str": "Gasse", "la_str_nr": "1", "la_nachname": "Berg"}
    )
    one.person.insert(
        "ansprechpartner", {"ap_id_adr": 2, "ap_nachname": "Holm", "ap_email": "holm@bar.example"}
    )


def lists(one: Winery) -> list[tuple[Any, ...]]:
    """Who has which price category, by its name."""
    names = {row["pk_id"]: row["pk_name"] for row in one.person.rows("preiskategorien").values()}
    return [
        (number, names.get(key)) for number, key in one.table("kunden", "adr_nr", "adr_id_preiskategorie")
    ]


def belong(one: Winery, table: str, head: str, *fields: str) -> list[tuple[Any, ...]]:
    """The rows of a table, with the number of the customer whom they belong to."""
    numbers = {row["adr_id"]: row["adr_nr"] for row in one.person.rows("kunden").values()}
    return sorted((numbers[owner], *rest) for owner, *rest in one.table(table, f"{head}_id_adr", *fields))


async def customers(two: Wineries, **settings: Any) -> tuple[Winery, Winery]:
    fill(two.primary)
    await two.agree(CUSTOMERS, **settings)
    await two.see(lambda: len(two.secondary.table("kunden", "adr_nr")) == 2, "both customers")
    await two.see(lambda: two.secondary.table("ansprechpartner", "ap_nachname"), "the contact")
    await two.see(lambda: two.secondary.table("lieferadressen", "la_str"), "the delivery address")
    await two.quiet()
    return two.primary, two.secondary


async def test_w10_customers_with_all_that_is_theirs_and_the_list_translated_but_no_amount(
    two: Wineries,
) -> None:
    # The Secondary numbers its price categories itself: one was made there, and deleted as the manual asks.
    (old,) = two.secondary.person.insert("preiskategorien", {"pk_name": "alt"})
    two.secondary.person.delete("preiskategorien", old)
    primary, secondary = await customers(two)
    assert lists(secondary) == lists(primary) == [("K1", "Privat"), ("K2", "Handel")]
    assert (
        secondary.customer("K1")["adr_id_preiskategorie"] != primary.customer("K1")["adr_id_preiskategorie"]
    )
    assert secondary.table("preiskategorien", "pk_name", "pk_sortierung") == [("Handel", None), ("Privat", 2)]
    assert secondary.customer("K2")["adr_firma"] == "Weinbar & Söhne"
    assert secondary.customer("K2")["adr_rabatt"] == Decimal("2.5")
    assert belong(secondary, "lieferadressen", "la", "la_str", "la_str_nr") == [("K1", "Gasse", "1")]
    assert belong(secondary, "ansprechpartner", "ap", "ap_nachname", "ap_email") == [
        ("K2", "Holm", "holm@bar.example")
    ]
    assert secondary.table("preise", "preis_betrag") == []
    assert primary.table("preise", "preis_betrag") == [(Decimal("9.90"),)]


async def test_w10_consent_holds_for_all_accounts_and_a_withdrawal_wins(two: Wineries) -> None:
    primary, secondary = await customers(two)
    assert [secondary.customer("K1")[name] for name in CONSENT] == [True] * 4
    secondary.person.edit("kunden", secondary.customer("K1")["adr_id"], adr_werbung_telefon=False)
    await two.see(lambda: primary.customer("K1")["adr_werbung_telefon"] is False, "the withdrawal")
    # Edited in both at once: in one it is taken back, in the other cleared.
    await two.pause()
    primary.person.edit(
        "kunden", primary.customer("K1")["adr_id"], adr_werbung_email=False, adr_werbung_post=None
    )
    secondary.person.edit(
        "kunden", secondary.customer("K1")["adr_id"], adr_werbung_email=None, adr_werbung_post=False
    )
    await two.resume()
    withdrawn = [True, False, False, False]

    def everywhere() -> bool:
        return all(
            [one.customer("K1")[name] for name in CONSENT] == withdrawn for one in (primary, secondary)
        )

    await two.see(everywhere, "all withdrawals in both")
    await two.quiet()
    assert not await two.parked("conflict")


async def test_w11_groups_and_who_is_in_which_stay_unless_they_were_chosen(two: Wineries) -> None:
    primary, secondary = await customers(two)
    assert (
        secondary.table("adressgruppen", "grp_name") == []
        and secondary.customer("K1")["adr_id_gruppe"] is None
    )
    (own,) = secondary.person.insert("adressgruppen", {"grp_name": "Stammkunden"})
    secondary.person.edit("kunden", secondary.customer("K1")["adr_id"], adr_id_gruppe=own, adr_ort="Neu-Ulm")
    await two.see(lambda: primary.customer("K1")["adr_ort"] == "Neu-Ulm", "the town")
    assert primary.customer("K1")["adr_id_gruppe"] == 1
    assert primary.table("adressgruppen", "grp_name") == [("Gastronomie",)]


async def test_w11_groups_and_who_is_in_which_go_where_they_were_chosen(two: Wineries) -> None:
    primary, secondary = await customers(two, customer_groups=True)
    assert secondary.table("adressgruppen", "grp_name") == [("Gastronomie",)]
    (group,) = secondary.person.rows("adressgruppen")
    await two.see(lambda: secondary.customer("K1")["adr_id_gruppe"] == group, "the group of the customer")
    (club,) = secondary.person.insert("adressgruppen", {"grp_name": "Weinclub"})
    secondary.person.edit("kunden", secondary.customer("K2")["adr_id"], adr_id_gruppe=club)

    def there() -> bool:
        names = {key: row["grp_name"] for key, row in primary.person.rows("adressgruppen").items()}
        return names.get(primary.customer("K2")["adr_id_gruppe"]) == "Weinclub"

    await two.see(there, "the new group, and who is in it")


async def test_w12_who_earns_a_commission_stays_each_account_s_own(two: Wineries) -> None:
    primary, secondary = await customers(two)
    assert secondary.customer("K1")["adr_id_provision"] is None
    assert secondary.table("provisionsempfaenger", "pe_name") == []
    secondary.person.insert("provisionsempfaenger", {"pe_name": "A"}, {"pe_name": "B"})
    secondary.person.edit(
        "kunden", secondary.customer("K1")["adr_id"], adr_id_provision=2, adr_note1="from here"
    )
    await two.see(lambda: primary.customer("K1")["adr_note1"] == "from here", "the note")
    primary.person.edit(
        "kunden", primary.customer("K1")["adr_id"], adr_id_provision=None, adr_note2="from there"
    )
    await two.see(lambda: secondary.customer("K1")["adr_note2"] == "from there", "the other note")
    await two.quiet()
    assert secondary.customer("K1")["adr_id_provision"] == 2
    assert primary.customer("K1")["adr_id_provision"] is None


async def test_w13_any_account_makes_edits_and_deletes_and_fields_are_merged_one_by_one(
    two: Wineries,
) -> None:
    primary, secondary = await customers(two)
    await two.pause()
    primary.person.edit("kunden", primary.customer("K1")["adr_id"], adr_vorname="Ada")
    secondary.person.edit("kunden", secondary.customer("K1")["adr_id"], adr_ort="Köln", adr_plz="50667")
    (category,) = secondary.person.insert("preiskategorien", {"pk_name": "Club"})
    new = {"adr_nr": "K3", "adr_nachname": "Sommer", "adr_id_preiskategorie": category}
    (made,) = secondary.person.insert("kunden", new)
    secondary.person.insert("lieferadressen", {"la_id_adr": made, "la_str": "Weg", "la_str_nr": "3"})
    secondary.person.insert("ansprechpartner", {"ap_id_adr": made, "ap_nachname": "Sommer"})
    await two.resume()
    for one in (primary, secondary):

        def merged(one: Winery = one) -> bool:
            ada, sommer = one.customer("K1"), one.customer("K3")
            return bool(sommer) and (ada["adr_vorname"], ada["adr_ort"], ada["adr_plz"]) == (
                "Ada",
                "Köln",
                "50667",
            )

        await two.see(merged, "both edits, and the new customer")
    await two.see(lambda: ("K3", "Club") in lists(primary), "the new price category, and who has it")
    await two.see(lambda: ("K3", "Weg") in belong(primary, "lieferadressen", "la", "la_str"), "the address")
    await two.see(
        lambda: ("K3", "Sommer") in belong(primary, "ansprechpartner", "ap", "ap_nachname"), "the contact"
    )
    # What belongs to a customer, and a price category, are edited at the Secondary and deleted at the Primary.
    (place,) = secondary.person.find("lieferadressen", la_str="Gasse")
    (holm,) = secondary.person.find("ansprechpartner", ap_nachname="Holm")
    (trade,) = secondary.person.find("preiskategorien", pk_name="Handel")
    secondary.person.edit("lieferadressen", place["la_id"], la_str_nr="9")
    secondary.person.edit("ansprechpartner", holm["ap_id"], ap_vorname="Ida")
    secondary.person.edit("preiskategorien", trade["pk_id"], pk_name="Großhandel")
    await two.see(
        lambda: ("Gasse", "9") in primary.table("lieferadressen", "la_str", "la_str_nr"), "the number"
    )
    await two.see(
        lambda: ("Ida", "Holm") in primary.table("ansprechpartner", "ap_vorname", "ap_nachname"), "the name"
    )
    await two.see(lambda: ("K2", "Großhandel") in lists(primary), "the other name of the price category")
    (place,) = primary.person.find("lieferadressen", la_str="Weg")
    primary.person.delete("lieferadressen", place["la_id"])
    await two.see(
        lambda: secondary.table("lieferadressen", "la_str") == [("Gasse",)], "the address to be gone"
    )
    # And a customer is deleted at the Secondary together with the contact whom he has.
    key = secondary.customer("K2")["adr_id"]
    (person,) = secondary.person.find("ansprechpartner", ap_id_adr=key)
    secondary.person.delete("ansprechpartner", person["ap_id"])
    secondary.person.delete("kunden", key)
    await two.see(lambda: not primary.customer("K2"), "the customer to be gone")
    await two.quiet()
    assert lists(primary) == lists(secondary) == [("K1", "Privat"), ("K3", "Club")]
    assert belong(primary, "ansprechpartner", "ap", "ap_nachname") == [("K3", "Sommer")]
    assert not await two.parked("quarantine")


async def test_w22_what_is_deleted_may_be_marked_in_the_other_account(two: Wineries) -> None:
    primary, secondary = await customers(two)
    chosen = {name: {"default": "mark"} for name in ("deleted_at_primary", "deleted_at_secondary")}
    await two.rules({"settings": chosen})
    primary.person.delete("ansprechpartner", 1)
    primary.person.delete("kunden", primary.customer("K2")["adr_id"])
    secondary.person.delete("lieferadressen", next(iter(secondary.person.rows("lieferadressen"))))
    await two.backfill("customers")
    await two.see(lambda: secondary.customer("K2").get("adr_geloescht") is True, "the mark on the customer")
    await two.backfill("delivery_addresses")
    await two.see(lambda: primary.table("lieferadressen", "la_geloescht") == [(True,)], "on the address")
    await two.backfill("contacts")
    await two.see(lambda: secondary.table("ansprechpartner", "ap_geloescht") == [(True,)], "on the contact")
    assert secondary.customer("K1")["adr_geloescht"] is None
    assert not primary.customer("K2"), "who is marked in one account is not made again in the other"


async def test_w13_one_number_given_to_two_customers_at_once_goes_to_a_person(two: Wineries) -> None:
    primary, secondary = await customers(two)
    await two.pause()
    primary.person.insert("kunden", {"adr_nr": "K9", "adr_nachname": "Winter"})
    secondary.person.insert("kunden", {"adr_nr": "K9", "adr_nachname": "Herbst"})
    await two.resume()

    async def listed() -> bool:
        return len(await two.parked("ambiguous")) > 0

    await until(listed, "the number in the list")
    await two.quiet()
    assert primary.customer("K9")["adr_nachname"] == "Winter"
    assert secondary.customer("K9")["adr_nachname"] == "Herbst"


# ----------------------------------------------------------------------------------------------------- articles


def stock_up(one: Winery) -> None:
    """A Primary with two articles in two groups, its own values in all fields that are an account's own."""
    own = {name: values[0] for name, values in ELEVEN.items()}
    one.person.insert(
        "artikelgruppen", {"wg_name": "Rotwein", "wg_nr": "1"}, {"wg_name": "Weißwein", "wg_nr": "2"}
    )
    first = {
        "artikel_nr": "6+2025",
        "artikel_name": "Merlot",
        "artikel_id_warengruppe": 1,
        "artikel_liter": "0.75",
    }
    second = {
        "artikel_nr": "7+2025",
        "artikel_name": "Riesling",
        "artikel_id_warengruppe": 2,
        "artikel_sulfite": True,
    }
    amounts = {"artikel_preis": "9.90", "artikel_bestand": "500"}
    one.person.insert("artikel", {**first, **own, **amounts}, {**second, **own, **amounts})


async def articles(two: Wineries, **settings: Any) -> tuple[Winery, Winery]:
    stock_up(two.primary)
    await two.agree(ARTICLES, **settings)
    await two.see(lambda: len(two.secondary.table("artikel", "artikel_nr")) == 2, "both articles")
    await two.quiet()
    return two.primary, two.secondary


def own(one: Winery, number: str = "6+2025") -> dict[str, Any]:
    """What an account has for itself of an article."""
    found = one.article(number)
    return {name: found[name] for name in (*ELEVEN, "artikel_preis", "artikel_bestand")}


def mine(one: Winery, number: str = "6+2025") -> dict[str, Any]:
    """The Secondary enters its own values, and its own stock and price; what then stands there."""
    values = {name: pair[1] for name, pair in ELEVEN.items()}
    values |= {"artikel_preis": "12.50", "artikel_bestand": "6"}
    one.person.edit("artikel", one.article(number)["artikel_id"], values)
    return own(one, number)


async def test_w15_own_fields_are_neither_transferred_nor_overwritten(two: Wineries) -> None:
    primary, secondary = await articles(two)
    before, here = own(primary), mine(secondary)
    changed = dict.fromkeys(("artikel_lager", "artikel_lieferant", "artikel_fibu_erloeskonto"), "99")
    key = primary.article("6+2025")["artikel_id"]
    primary.person.edit("artikel", key, {**changed, "artikel_name": "Merlot trocken"})
    await two.see(lambda: secondary.article("6+2025")["artikel_name"] == "Merlot trocken", "the name")
    await two.quiet()
    assert own(secondary) == here and own(primary) == before | changed


async def test_w17_stock_and_prices_are_never_synced(two: Wineries) -> None:
    primary, secondary = await articles(two)
    mine(secondary)
    key = primary.article("6+2025")["artikel_id"]
    primary.person.edit(
        "artikel", key, artikel_preis="11", artikel_bestand="450", artikel_name="Merlot trocken"
    )
    primary.person.insert("preiskategorien", {"pk_name": "Handel"})
    primary.person.insert(
        "preise", {"preis_id_kategorie": 1, "preis_artikel_nr": "6+2025", "preis_betrag": "8"}
    )
    await two.see(lambda: secondary.article("6+2025")["artikel_name"] == "Merlot trocken", "the name")
    await two.quiet()
    amounts = ("artikel_preis", "artikel_bestand")
    assert [secondary.article("6+2025")[name] for name in amounts] == [Decimal("12.5"), Decimal(6)]
    assert [primary.article("6+2025")[name] for name in amounts] == [Decimal(11), Decimal(450)]
    assert secondary.table("preise", "preis_betrag") == secondary.table("preiskategorien", "pk_name") == []


async def test_w16_any_other_edit_at_the_secondary_is_put_back(two: Wineries) -> None:
    primary, secondary = await articles(two)
    here = mine(secondary)
    await two.quiet()
    key = secondary.article("6+2025")["artikel_id"]
    secondary.person.edit(
        "artikel", key, artikel_name="Anders", artikel_liter="1", artikel_id_warengruppe=None
    )

    def back() -> bool:
        row = secondary.article("6+2025")
        return (
            row["artikel_name"] == "Merlot"
            and row["artikel_liter"] == Decimal("0.75")
            and bool(row["artikel_id_warengruppe"])
        )

    await two.see(back, "all three put back")
    assert own(secondary) == here and primary.article("6+2025")["artikel_name"] == "Merlot"


async def test_w14_an_article_made_at_the_secondary_is_reported_and_goes_nowhere(two: Wineries) -> None:
    primary, secondary = await articles(two)
    secondary.person.insert("artikel", {"artikel_nr": "S1", "artikel_name": "Glas"})
    secondary.person.insert("artikelgruppen", {"wg_name": "Gläser"})

    async def reported() -> bool:
        lines = await two.protocol("creates")
        return {one.stream for one in lines} == {"articles", "article_groups"}

    await until(reported, "the report of both")
    await two.quiet()
    assert not primary.article("S1") and len(primary.table("artikelgruppen", "wg_name")) == 2
    assert secondary.article("S1")["artikel_name"] == "Glas"


def groups(one: Winery) -> list[tuple[Any, ...]]:
    """Which article is in which group, by name."""
    names = {row["wg_id"]: row["wg_name"] for row in one.person.rows("artikelgruppen").values()}
    return [
        (number, names.get(key))
        for number, key in one.table("artikel", "artikel_nr", "artikel_id_warengruppe")
    ]


async def test_w29_article_groups_and_what_is_in_which_go_with_the_articles(two: Wineries) -> None:
    # The Secondary has a group of its own, which is in nobody's way.
    two.secondary.person.insert("artikelgruppen", {"wg_name": "Gläser", "wg_nr": "99"})
    primary, secondary = await articles(two)
    assert groups(secondary) == groups(primary) == [("6+2025", "Rotwein"), ("7+2025", "Weißwein")]
    (rose,) = primary.person.insert("artikelgruppen", {"wg_name": "Rosé", "wg_nr": "3"})
    primary.person.edit("artikel", primary.article("7+2025")["artikel_id"], artikel_id_warengruppe=rose)
    await two.see(lambda: groups(secondary) == [("6+2025", "Rotwein"), ("7+2025", "Rosé")], "the new group")
    assert ("Gläser",) in secondary.table("artikelgruppen", "wg_name")
    assert ("Gläser",) not in primary.table("artikelgruppen", "wg_name")


async def test_w30_what_is_deleted_at_the_secondary_comes_back_with_its_own_values(two: Wineries) -> None:
    _, secondary = await articles(two)
    here = mine(secondary)
    await two.backfill("articles")
    key = secondary.article("6+2025")["artikel_id"]
    secondary.person.delete("artikel", key)
    await two.see(lambda: secondary.article("6+2025").get("artikel_name") == "Merlot", "the article")
    await two.quiet()
    assert own(secondary) == here and secondary.article("6+2025")["artikel_id"] != key


async def test_w31_a_new_article_begins_with_these_fields_empty(two: Wineries) -> None:
    primary, secondary = await articles(two)
    new = {"artikel_nr": "8+2025", "artikel_name": "Syrah", "artikel_preis": "8", "artikel_bestand": "60"}
    primary.person.insert("artikel", {**new, **{name: values[0] for name, values in ELEVEN.items()}})
    await two.see(lambda: secondary.article("8+2025"), "the new article")
    await two.quiet()
    for number in ("6+2025", "7+2025", "8+2025"):
        assert set(own(secondary, number).values()) == {None}


# ------------------------------------------------------------------------------------------------------- set-up


async def test_w06_w23_what_is_in_the_way_is_named_table_by_table_and_once_cleared_it_passes(
    daemon: DaemonProcess, tandem: Tandem
) -> None:
    async with two_wineries(daemon, tandem, "setup") as two:
        fill(two.primary)
        primary, secondary = two.primary, two.secondary
        with pytest.raises(TandemError) as refused:
            await secondary.propose(primary, CUSTOMERS)
        assert refused.value.reason == "NOT_CONNECTED"
        await secondary.know(primary)
        with pytest.raises(TandemError) as refused:
            await secondary.propose(primary, CUSTOMERS)
        assert refused.value.reason == "FEATURE" and primary.connection.identity in refused.value.message
        for one in (primary, secondary):
            await one.enable()
        # Whatever the sample winery holds counts, in each of the tables.
        inserted: list[tuple[str, dict[str, Any], str]] = [
            ("kunden", {"adr_nr": "M1", "adr_nachname": "Muster"}, "delete the customers"),
            ("lieferadressen", {"la_id_adr": 1, "la_str": "Weg"}, "delete the delivery addresses"),
            ("ansprechpartner", {"ap_id_adr": 1, "ap_nachname": "Muster"}, "delete the contacts"),
            ("preiskategorien", {"pk_name": "Musterpreise"}, "delete the price groups"),
        ]
        for table, values, _ in inserted:
            secondary.person.insert(table, values)
        with pytest.raises(TandemError) as refused:
            await secondary.propose(primary, CUSTOMERS)
        assert refused.value.reason == "PREFLIGHT" and await primary.proposals() == []
        for table, _, way in inserted:
            assert f"{table} of " in refused.value.message and way in refused.value.hint
        assert refused.value.message.count("holds 1 record") == len(inserted)
        for way in ("leave the sample winery", "reset the system to factory settings"):
            assert way in refused.value.hint
        for table, *_ in reversed(inserted):
            secondary.person.delete(table, next(iter(secondary.person.rows(table))))
        secondary.person.insert("artikel", {"artikel_nr": "1", "artikel_name": "Eigener Wein"})
        proposal = await secondary.propose(primary, CUSTOMERS)
        assert any("set up first" in text for text in texts(proposal.warnings))
        two.link = (await primary.confirm(proposal, secondary)).link
        await secondary.settled(two.link)
        await two.see(lambda: len(secondary.table("kunden", "adr_nr")) == 2, "the customers")
        assert secondary.table("artikel", "artikel_name") == [("Eigener Wein",)]
        # Articles of its own are in the way of the article synchronization.
        with pytest.raises(TandemError) as refused:
            await secondary.propose(primary, ARTICLES)
        assert "artikel" in refused.value.message and "delete the articles" in refused.value.hint
