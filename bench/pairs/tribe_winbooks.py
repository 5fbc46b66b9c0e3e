"""Customers of Winbooks that are loaded into Tribe CRM; changes go the other way."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import aiohttp

from bench.pairs.emulated import Called, Emulated, Rows
from bench.pairs.pair import TellingPair, at_once, picked
from bench.stand import End

PAGE = 500
AT_ONCE = 4
EMAIL, TOKEN, FOLDER = "books@example.test", "exchange-token", "DEMO"
CLIENT, SECRET = "tandem", "client-secret"
CUSTOMERS = "Relationship_Organization_CommercialRelationship_Customer"
COMPANY = "Relation_Organization"
OM = "Winbooks.TORM.OM"
OWN, HERE, BELGIUM = (f"{n:08x}-0000-4000-8000-000000000000" for n in (1, 2, 3))
# What the preparations would ask for.
SETTINGS: Mapping[str, Any] = {
    "vat_codes": {"form": "map", "default": {"HIGH": "21"}},
    "customers_as": {"form": "text", "default": "organisation"},
    "journal": {"form": "text", "default": "VEN"},
}


class TribeWinbooks(TellingPair):
    """The pair."""

    name = "tribe-winbooks"
    blueprint = "tribe-winbooks"
    systems = (("winbooks", {}), ("tribe", {}))
    turned = True
    hooked = CUSTOMERS
    rules: ClassVar[Mapping[str, Any]] = {"settings": SETTINGS}
    there: ClassVar[Rows] = {
        "Country": [{"ID": BELGIUM, "Code": "BE", "Name": "België"}],
        "Address": [{"ID": HERE, "City": "Gent", "Country": BELGIUM}],
        COMPANY: [{"ID": OWN, "Name": "Our own organisation", "VisitingAddress": HERE}],
        "Relationship_Organization_Identity": [{"ID": OWN, "Name": "Us", "Organization": OWN}],
    }

    def __init__(self) -> None:
        self._companies: Mapping[str, str] = {}
        self._tokens: dict[str, Mapping[str, str]] = {}

    def rows(self, count: int) -> Rows:
        """Each customer with his third party and its address."""
        every = range(1, count + 1)
        return {
            "Country": [{"Id": BELGIUM, "Code": "BE", "Name": "België"}],
            "Journal": [{"Id": OWN, "Code": "VEN", "Name": "Verkopen"}],
            "Third": [_third(n) for n in every],
            "Address": [_address(n) for n in every],
            "Third_Address": [
                {"Id": _id(4, n), "Third_Id": _id(5, n), "Address_Id": _id(6, n)} for n in every
            ],
            "Customer": [
                {"Id": _id(7, n), "Code": _code(n), "Third_Id": _id(5, n), "IsHidden": False} for n in every
            ],
        }

    def ends(self, a: Emulated, b: Emulated) -> tuple[End, End]:
        """Without limits. Tribe says when something changed, so that a call does not lead to a complete read."""
        crm = {"url": b.address, "auth_url": b.address, "client_id": CLIENT, "client_secret": SECRET}
        asked = {"calls_per_minute": 0, "modified": "LastMutationDate", "overlap_s": 0}
        books = {
            "url": a.address,
            "email": EMAIL,
            "exchange_token": TOKEN,
            "folder": FOLDER,
            "calls_per_s": 0,
        }
        return ("tribe", {**crm, **asked}), ("winbooks", books)

    async def load(self, http: aiohttp.ClientSession, a: Emulated, b: Emulated) -> None:
        """Criteria for each 500 customers, one request for each that is made, with organisation and address."""
        entered = await _tribe(http, b)

        async def make(row: Mapping[str, Any]) -> None:
            url = f"{b.address}/v1/odata/{CUSTOMERS}"
            async with http.post(url, json=_relationship(row), headers=entered) as answer:
                assert "ID" in await answer.json()

        await at_once(_customers(http, a, await _winbooks(http, a)), make, AT_ONCE)

    async def held(self, a: Emulated, b: Emulated) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Code, name, phone."""
        phones = {row["Id"]: row["PhoneNo"] for row in await a.rows("Address")}
        # Each third party has the address of its number.
        left = [(r["Code"], r["Name"], phones[_id(6, int(r["Code"]))]) for r in await a.rows("Third")]
        companies = [row for row in await b.rows(COMPANY) if row["DebtorNumber"]]
        self._companies = {row["DebtorNumber"]: row["ID"] for row in companies}
        return left, picked(companies, ("DebtorNumber", "Name", "PhoneNumber"))

    def ways(self, a: Emulated, b: Emulated) -> tuple[Emulated, Emulated]:
        """From Tribe to Winbooks, which calls nobody."""
        return b, a

    async def call(self, source: Emulated, url: str, secret: str) -> None:
        """The one webhook of organisations."""
        hook = {"entity": COMPANY.replace("_", "."), "url": url, "headers": {"X-Tandem-Token": secret}}
        await source.person("POST", "deeds/hook", hook)

    async def change(self, source: Emulated, number: int, mark: str) -> None:
        """Another website."""
        company = self._companies[_code(number)]
        await source.person("PATCH", f"rows/{COMPANY}/{company}", {"Website": mark})

    async def watch(self, target: Emulated, called: Called) -> AsyncIterator[float]:
        """A third party changes: the emulator says so."""
        count = (await target.person("GET", "changes/Third"))["count"]
        while True:
            seen = (await target.person("GET", f"changes/Third?after={count}"))["count"]
            if seen > count:
                yield time.perf_counter()
            count = seen

    async def relay(
        self, http: aiohttp.ClientSession, source: Emulated, target: Emulated, number: int
    ) -> None:
        """Read here, look there, and send back what changed, with the ids of what it stands in."""
        if not self._tokens:
            self._tokens = {"crm": await _tribe(http, source), "books": await _winbooks(http, target)}
        url = f"{source.address}/v1/odata/{COMPANY}({self._companies[_code(number)]})"
        async with http.get(url, headers=self._tokens["crm"]) as answer:
            row = await answer.json()
        url = f"{target.address}/app/Customer/{row['DebtorNumber']}/Folder/{FOLDER}"
        async with http.get(url, headers=self._tokens["books"]) as answer:
            there = await answer.json()
        third = {**_typed("Third", 1), "Id": there["Third_Id"], "WebSite": row["Website"]}
        body = {**_typed("Customer", 2), "Id": there["Id"], "Third": third}
        async with http.put(url, json=body, headers=self._tokens["books"]) as answer:
            assert "Code" in await answer.json()


def _typed(name: str, level: int) -> dict[str, Any]:
    return {"$type": f"{OM}.{name}, {OM}", "TotalLevel": level}


async def _tribe(http: aiohttp.ClientSession, at: Emulated) -> Mapping[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scope": "read write",
    }
    async with http.post(f"{at.address}/oauth2/token", data=form) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def _winbooks(http: aiohttp.ClientSession, at: Emulated) -> Mapping[str, str]:
    who = {"Authorization": f"Basic {b64encode(EMAIL.encode()).decode()}"}
    form = {"grant_type": "exchange_token", "code": TOKEN}
    async with http.post(f"{at.address}/OAuth20/Token", data=form, headers=who) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def _customers(
    http: aiohttp.ClientSession, a: Emulated, entered: Mapping[str, str]
) -> AsyncIterator[Mapping[str, Any]]:
    url, last = f"{a.address}/app/Customers/Folder/{FOLDER}/ExecuteCriteria?maxLevel=4", ""
    order = [{"PropertyName": "Id", "Ascending": True}]
    while True:
        above = {"Operator": 5, "PropertyName": "Id", "Values": [last], "ValueTypes": ["System.Guid"]}
        asked = {"EntityType": f"{OM}.Customer, {OM}", "Alias": "this", "Conditions": [above] if last else []}
        page = {"Orders": order, "FirstResult": 0, "MaxResult": PAGE}
        async with http.post(url, json={**asked, **page}, headers=entered) as answer:
            rows = await answer.json()
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        last = rows[-1]["Id"]


def _relationship(row: Mapping[str, Any]) -> dict[str, Any]:
    third = row["Third"]
    place = third["Addresses"][0]["Address"]
    address = {
        "Street": place["Address1"],
        "HouseNumber": place["Number"],
        "Postalcode": place["Zip"],
        "City": place["Town"],
        "Country": {"ID": BELGIUM},
    }
    company = {
        "DebtorNumber": row["Code"],
        "Name": third["Name"],
        "Website": third["WebSite"],
        "VatNumber": third["VatNumber"],
        "PhoneNumber": place["PhoneNo"],
        "EmailAddress": place["Email"],
        "InvoiceAddress": address,
    }
    return {"ImportId": row["Id"], "IsActive": True, "Relation": {"ID": OWN}, "Organization": company}


def _id(kind: int, number: int) -> str:
    return f"{number:08x}-0000-4000-800{kind}-{number:012x}"


def _code(number: int) -> str:
    return f"{number:06d}"


def _third(number: int) -> dict[str, Any]:
    return {
        "Id": _id(5, number),
        "Code": _code(number),
        "Name": f"Wijnhuis {number}",
        "VatNumber": f"BE0{400_000_000 + number}",
        "WebSite": f"https://wijnhuis{number}.example",
    }


def _address(number: int) -> dict[str, Any]:
    return {
        "Id": _id(6, number),
        "Address1": "Veldstraat",
        "Number": f"{number}",
        "Zip": "9000",
        "Town": "Gent",
        "PhoneNo": f"+32 9 {1_000_000 + number}",
        "Email": f"post{number}@wijnhuis.example",
        "Country_Id": BELGIUM,
        "IsInvoicing": True,
        "Index": 0,
    }
