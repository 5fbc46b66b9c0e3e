"""Winestro's quirks, one by one, asked over HTTP (the vendor's pages, and the public clients of the interface)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clients.emulators.description import Refused
from clients.emulators.stand import stand
from clients.emulators.winestro import System

pytestmark = pytest.mark.anyio


class Caller:
    """Somebody with a key."""

    def __init__(self, http: aiohttp.ClientSession, account: System) -> None:
        self.http, self.account = http, account
        self.keys = {"UID": "4711", "apiUSER": "tandem", "apiCODE": "geheimer-schluessel", "apiShopID": "1"}

    async def ask(self, action: str, verb: str = "POST", **more: str) -> tuple[int, Any]:
        form = {name: value for name, value in {**self.keys, **more}.items() if value}
        url = f"{self.account.address}/xml/v23.0/wbo-API.php"
        place = {"data": form} if verb == "POST" else {"params": form}
        if verb == "POST":
            url += f"?apiACTION={action}"
        else:
            form["apiACTION"] = action
        async with self.http.request(verb, url, **place) as got:  # type: ignore[arg-type]
            return got.status, await got.json() if got.status != 204 else None


@pytest.fixture
async def account(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("winestro", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def caller(account: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        yield Caller(http, account)


@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_each_call_carries_the_keys(caller: Caller, verb: str) -> None:
    status, said = await caller.ask("getEinstellungen", verb)
    assert (status, said["name"]) == (200, "Weingut 4711")
    caller.keys["apiCODE"] = "falsch"
    assert await caller.ask("getEinstellungen", verb) == (401, {"text": "Der apiCode ist fehlerhaft."})
    caller.keys["apiCODE"] = ""
    status, said = await caller.ask("getEinstellungen", verb)
    assert status == 400
    assert "apiCODE" in said["text"]


async def test_an_article_without_a_price_or_weight_is_not_in_the_shop_s_list(
    caller: Caller, account: System
) -> None:
    assert (await caller.ask("getArtikel"))[0] == 204
    row = {"artikel_nr": "6+2025", "artikel_name": "Kerner & Co", "artikel_preis": "7.5"}
    (key,) = account.person.insert("artikel", row)
    assert (await caller.ask("getArtikel"))[0] == 204
    account.person.edit("artikel", key, artikel_gewicht="1.2", artikel_bestand="12")
    _, found = await caller.ask("getArtikel")
    assert found["item"]["artikel_nr"] == "6%2B2025"
    assert found["item"]["artikel_name"] == "Kerner &amp; Co"
    assert "artikel_bestand" not in found["item"]
    _, found = await caller.ask("getArtikel", bestand="true", artikelnr="6+2025")
    assert found["item"]["artikel_bestand"] == "12"


async def test_one_row_is_an_object_and_emptiness_has_many_forms(caller: Caller, account: System) -> None:
    (group,) = account.person.insert("adressgruppen", {"grp_name": "Händler"})
    _, found = await caller.ask("getAdrGrp")
    empty: dict[str, Any] = {"grp_beschreibung": {}, "grp_geloescht": []}
    assert found == {"item": {"grp_nr": "1", "grp_name": "Händler", **empty}}
    account.person.insert("adressgruppen", {"grp_name": "Private"})
    assert len((await caller.ask("getAdrGrp"))[1]["item"]) == 2
    account.person.insert("kunden", {"adr_nr": "1", "adr_id_gruppe": group}, {"adr_nr": "2"})
    _, found = await caller.ask("getKundenGruppe", id_grp=str(group))
    assert found["item"]["adr_nr"] == "1"


@pytest.mark.parametrize("account, shown", [({"numbers": "comma"}, "1,5"), ({}, "1.5")], indirect=["account"])
async def test_numbers_have_many_forms(caller: Caller, account: System, shown: str) -> None:
    account.person.insert("provisionsempfaenger", {"pe_name": "Lese", "pe_satz": "1.5"})
    _, found = await caller.ask("getStamm", tabelle="provisionsempfaenger")
    assert found["item"]["pe_satz"] == shown


async def test_faults_come_with_200(caller: Caller) -> None:
    for action, more in (
        ("getAlles", {}),
        ("getStamm", {"tabelle": "nichts"}),
        ("setStamm", {"tabelle": "kunden", "id": "77", "feld_adr_ort": "Trier"}),
        ("setStamm", {"tabelle": "kunden", "feld_farbe": "rot"}),
        ("delStamm", {"tabelle": "kunden", "id": "77"}),
    ):
        status, said = await caller.ask(action, **more)
        assert status == 200
        assert said["fehler"]["text"]


async def test_who_is_referred_to_stays(account: System) -> None:
    (customer,) = account.person.insert("kunden", {"adr_nr": "1"})
    account.person.insert("lieferadressen", {"la_id_adr": customer})
    with pytest.raises(Refused):
        account.person.delete("kunden", customer)
    with pytest.raises(Refused):
        account.person.insert("ansprechpartner", {"ap_id_adr": 99})


async def test_changes_are_told_with_the_token(account: System) -> None:
    told: list[tuple[str | None, Any]] = []

    async def listen(request: web.Request) -> web.Response:
        told.append((request.headers.get("X-Winestro-Token"), await request.json()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", listen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    account.options |= {"hook": f"http://127.0.0.1:{runner.addresses[0][1]}/", "hook_token": "abc"}
    (key,) = account.person.insert("kunden", {"adr_nr": "1"})
    account.person.delete("kunden", key)
    await account.calls.settled()
    await runner.cleanup()
    assert told == [
        ("abc", {"tabelle": "kunden", "id": "1", "ereignis": "neu"}),
        ("abc", {"tabelle": "kunden", "id": "1", "ereignis": "geloescht"}),
    ]
