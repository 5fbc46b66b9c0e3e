"""Articles of SelectLine that are loaded into a CloudKasse. Neither calls anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import aiohttp

from bench.pairs.emulated import Emulated, Rows
from bench.pairs.pair import Pair, at_once, picked
from bench.stand import End

PAGE = 500
AT_ONCE = 2
BEARER = {"Authorization": "Bearer till-token"}
LOG_IN = {"UserName": "tandem", "Password": "geheim", "AppKey": "app-key-1"}
RATE, KEY = 19, 1  # of tax code 3
# Without the preparations nobody is asked who buys at the tills. All articles go up, not those alone that are entered.
SETTINGS: Mapping[str, Any] = {
    "tax_rates": {"default": {"3": RATE}},
    "vat_keys": {"default": {"3": KEY}},
    "till_customer": {"form": "text", "default": "10000"},
    "schedule": {"default": "instant"},
    "articles_select": {"default": "Number"},
}


class SelectlineCloudkasse(Pair):
    """The pair."""

    name = "selectline-cloudkasse"
    blueprint = "selectline-cloudkasse"
    systems = (("selectline", {}), ("cloudkasse", {}))
    beside = 2  # the company and a till
    rules: ClassVar[Mapping[str, Any]] = {"settings": SETTINGS}

    def rows(self, count: int) -> Rows:
        """A till, without which no article goes up, and articles."""
        till = {"Id": 1, "_NUMMER": "1", "_BEZEICHNUNG": "Kasse 1", "_AKTIV": True}
        buyer = {"Number": "10000", "Company": "Barverkauf"}
        articles = [_article(n) for n in range(1, count + 1)]
        return {"XCLOUDKASSEN": [till], "Customers": [buyer], "Articles": articles}

    def ends(self, a: Emulated, b: Emulated) -> tuple[End, End]:
        """Without a limit: the cloud's is not known."""
        user = {"user": LOG_IN["UserName"], "password": LOG_IN["Password"], "app_key": LOG_IN["AppKey"]}
        cloud = {"url": f"{b.address}/v1", "token": "till-token", "requests_per_min": 0, "overlap_s": 0}
        return ("selectline", {"url": a.address, "tenant": "SL_MWAWI", **user}), ("cloudkasse", cloud)

    async def load(self, http: aiohttp.ClientSession, a: Emulated, b: Emulated) -> None:
        """The till, a page for each 500 articles, and one request for each that is made."""

        async def make(row: Mapping[str, Any]) -> None:
            async with http.post(f"{b.address}/v1/articles", json=_at_till(row), headers=BEARER) as answer:
                assert "id" in await answer.json()

        async with http.post(f"{b.address}/v1/tills", json={"number": "1"}, headers=BEARER) as answer:
            assert answer.status == 200
        await at_once(_articles(http, a), make, AT_ONCE)

    async def held(self, a: Emulated, b: Emulated) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Number, name and gross price."""
        rows = [
            {**row, "gross": _gross(Decimal(str(row["Payment.ListPrice"])))}
            for row in await a.rows("Articles")
        ]
        there = [
            {**row, "gross": f"{Decimal(str(row['grossPrice'])):.2f}"} for row in await b.rows("articles")
        ]
        return picked(rows, ("Number", "Name", "gross")), picked(there, ("number", "name", "gross"))


def _article(number: int) -> dict[str, Any]:
    return {
        "Number": f"{100_000 + number}",
        "Name": f"Riesling {number}",
        "EuropeanArticleNumber": f"{4_000_000_000_000 + number}",
        "ArticleGroupNumber": "10",
        "QuantityUnit": "Stk",
        "Payment.ListPrice": f"{number % 90 + 5}.00",
        "Payment.PriceUnitFactor": "1",
        "Payment.SaleTaxCode": "3",
        "IsInactive": False,
    }


def _gross(net: Decimal) -> str:
    return str((net * (100 + RATE) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _at_till(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": row["Number"],
        "name": row["Name"],
        "gtin": row["EuropeanArticleNumber"],
        "group": row["ArticleGroupNumber"],
        "unit": row["QuantityUnit"],
        "grossPrice": _gross(Decimal(str(row["Payment"]["ListPrice"]))),
        "vatKey": KEY,
        "active": not row["IsInactive"],
    }


async def _articles(http: aiohttp.ClientSession, a: Emulated) -> AsyncIterator[Mapping[str, Any]]:
    async with http.post(f"{a.address}/Login", json=LOG_IN) as answer:
        session = {"Authorization": f"LoginId {(await answer.json())['AccessToken']}"}
    last, page = "", {"page": "0", "items": str(PAGE), "orderBy": "Number"}
    while True:
        query = {**page, **({"filter": f"(Number GT '{last}')"} if last else {})}
        async with http.get(f"{a.address}/Articles", params=query, headers=session) as answer:
            rows = await answer.json()
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        last = rows[-1]["Number"]
