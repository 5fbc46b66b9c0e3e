"""Customers of a Primary that are loaded into a Secondary, both at Winestro."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from bench.pairs.emulated import Called, Emulated, Rows
from bench.pairs.pair import TellingPair, at_once, picked
from bench.stand import End

PAGE = 1000
AT_ONCE = 1  # the vendor's clients call one after the other
ENTRY = {"apiUSER": "tandem", "apiCODE": "geheimer-schluessel", "apiShopID": "1", "output": "json"}
FIELDS = (
    "adr_nr",
    "adr_nachname",
    "adr_str",
    "adr_str_nr",
    "adr_plz",
    "adr_ort",
    "adr_land",
    "adr_email",
    "adr_festnetz",
)


class WinestroAccounts(TellingPair):
    """The pair."""

    name = "winestro-accounts"
    blueprint = "winestro-accounts-customers"
    systems = (("winestro", {"uid": "4711"}), ("winestro", {"uid": "4712"}))

    def rows(self, count: int) -> Rows:
        """Customers without a price category of their own."""
        return {"kunden": [_customer(n) for n in range(1, count + 1)]}

    def ends(self, a: Emulated, b: Emulated) -> tuple[End, End]:
        """Both by their own key."""
        return _end(a, "4711"), _end(b, "4712")

    async def load(self, http: aiohttp.ClientSession, a: Emulated, b: Emulated) -> None:
        """A call for each 1,000 customers, and one for each that is made."""

        async def make(row: Mapping[str, Any]) -> None:
            values = {f"feld_{name}": row[name] for name in FIELDS}
            told = await _call(http, b, "4712", "setStamm", {"tabelle": "kunden", **values})
            assert told["status"] == "ok"

        await at_once(_customers(http, a), make, AT_ONCE)

    async def held(self, a: Emulated, b: Emulated) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """All that was given."""
        return picked(await a.rows("kunden"), FIELDS), picked(await b.rows("kunden"), FIELDS)

    def ways(self, a: Emulated, b: Emulated) -> tuple[Emulated, Emulated]:
        """From the Primary to the Secondary."""
        return a, b

    async def call(self, source: Emulated, url: str, secret: str) -> None:
        """The one address that an account has."""
        await source.person("POST", "state", {"options": {"hook": url, "hook_token": secret}})

    async def change(self, source: Emulated, number: int, mark: str) -> None:
        """Another city."""
        await source.person("PATCH", f"rows/kunden/{number}", {"adr_ort": mark})

    async def watch(self, target: Emulated, called: Called) -> AsyncIterator[float]:
        """The Secondary's own webhook."""
        await self.call(target, called.url, "")
        async for at, _ in called.calls:
            yield at

    async def relay(
        self, http: aiohttp.ClientSession, source: Emulated, target: Emulated, number: int
    ) -> None:
        """Read here, look there, write the field."""
        read = {"tabelle": "kunden", "id": str(number)}
        row = (await _call(http, source, "4711", "getStamm", read))["item"]
        find = {"tabelle": "kunden", "feld": "adr_nr", "wert": row["adr_nr"]}
        there = (await _call(http, target, "4712", "getStamm", find))["item"]
        write = {"tabelle": "kunden", "id": there["adr_id"], "feld_adr_ort": row["adr_ort"]}
        assert (await _call(http, target, "4712", "setStamm", write))["status"] == "ok"


def _end(one: Emulated, uid: str) -> End:
    settings = {"uid": uid, "user": ENTRY["apiUSER"], "code": ENTRY["apiCODE"]}
    return "winestro", {"url": _url(one), **settings}


def _url(one: Emulated) -> str:
    return f"{one.address}/xml/v23.0/wbo-API.php"


async def _call(
    http: aiohttp.ClientSession, to: Emulated, uid: str, action: str, asked: Mapping[str, str]
) -> Any:
    entry = {**ENTRY, "UID": uid}
    async with http.post(_url(to), params={"apiACTION": action}, data={**entry, **asked}) as answer:
        return await answer.json() if answer.status == 200 else {}


async def _customers(http: aiohttp.ClientSession, a: Emulated) -> AsyncIterator[Mapping[str, Any]]:
    last = "0"
    while True:
        page = {"tabelle": "kunden", "ab": last, "anzahl": str(PAGE)}
        found = (await _call(http, a, "4711", "getStamm", page)).get("item", [])
        rows = [found] if isinstance(found, dict) else found
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        last = rows[-1]["adr_id"]


def _customer(number: int) -> dict[str, Any]:
    return {
        "adr_id": number,
        "adr_nr": f"{10_000 + number}",
        "adr_nachname": f"Winzer {number}",
        "adr_str": "Kellergasse",
        "adr_str_nr": f"{number}",
        "adr_plz": "55116",
        "adr_ort": "Mainz",
        "adr_land": "Deutschland",
        "adr_email": f"winzer{number}@reben.example",
        "adr_festnetz": f"06131 {100_000 + number}",
    }
