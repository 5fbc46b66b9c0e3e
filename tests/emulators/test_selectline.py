"""SelectLine's quirks, one by one, asked over HTTP (the vendor's Swagger, help pages, and what users report)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from clients.emulators.selectline import System
from clients.emulators.stand import stand

pytestmark = pytest.mark.anyio


class Caller:
    """Somebody with a log-in."""

    def __init__(self, http: aiohttp.ClientSession, erp: System) -> None:
        self.http, self.erp = http, erp
        self.token = ""

    async def login(self, user: str = "tandem", **other: str) -> tuple[int, Any]:
        given = {"UserName": user, "Password": "geheim", "AppKey": "app-key-1", **other}
        status, said = await self.ask("POST", "Login", given)
        self.token = said["AccessToken"] if status == 200 else self.token
        return status, said

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        headers = {"Authorization": f"LoginId {self.token}"}
        url = f"{self.erp.address}/{path}"
        async with self.http.request(method, url, json=body, headers=headers, params=query) as got:
            return got.status, await got.json() if got.content_type == "application/json" else None

    async def keys(self, path: str, key: str = "Number", **query: str) -> list[Any]:
        status, rows = await self.ask("GET", path, **query)
        assert status == 200, rows
        return [row[key] for row in rows]


@pytest.fixture
async def erp(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("selectline", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        emulator.person.insert(
            "Articles", *({"Number": f"{100 + n}", "Name": f"Wein {n}"} for n in range(12))
        )
        yield emulator


@pytest.fixture
async def caller(erp: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        made = Caller(http, erp)
        await made.login()
        yield made


async def test_a_user_has_one_session_and_a_dead_one_is_403(caller: Caller, erp: System) -> None:
    first = caller.token
    await caller.login()
    second, caller.token = caller.token, first
    status, said = await caller.ask("GET", "Users/Current")
    assert (status, said["ResponseCode"]) == (403, "42-003")
    caller.token = second
    assert (await caller.ask("GET", "Users/Current"))[0] == 200
    assert (await caller.ask("POST", "Logout"))[0] == 204
    assert (await caller.ask("POST", "Logout"))[0] == 403
    status, info = await caller.ask("GET", "Info")
    assert status == 200 and info["ServerTimeInUtc"].endswith("Z")


@pytest.mark.parametrize("erp", [{"licences": "1"}], indirect=True)
async def test_a_log_in_is_refused_in_many_ways(caller: Caller, erp: System) -> None:
    assert (await caller.login(Password=""))[0] == 400
    status, said = await caller.login(Password="falsch")
    assert (status, said["StatusCode"], said["ResponseCode"]) == (403, 0, "02-003")
    status, said = await caller.login(AppKey="falsch")
    assert (status, said["ResponseCode"]) == (403, "02-039")
    assert (await caller.login("tandem2"))[0] == 402
    erp.down = True
    assert (await caller.login())[0] == 503


async def test_a_list_is_bare_and_ten_long_unless_asked(caller: Caller, erp: System) -> None:
    assert len(await caller.keys("Articles")) == 10
    assert len(await caller.keys("Articles", items="0")) == 12
    assert await caller.keys("Articles", page="1", items="5", orderBy="Number!") == [
        "106",
        "105",
        "104",
        "103",
        "102",
    ]
    assert await caller.keys("Articles", page="9") == []
    erp.person.edit("Articles", "100", IsInactive=True)
    erp.person.edit("Articles", "101", VariantArticleNumber="100")
    assert len(await caller.keys("Articles", items="0")) == 10
    shown = {"includeInactiveArticles": "true", "includeVariantArticles": "true"}
    assert len(await caller.keys("Articles", items="0", **shown)) == 12
    assert (await caller.ask("GET", "Articles/100"))[0] == 200
    assert (await caller.ask("PUT", "Articles/100", {"Name": "X"}))[0] == 405


@pytest.mark.parametrize(
    "text, found",
    [
        ("Number EQ '103'", ["103"]),
        ("number GE '110' OR Name EW '0'", ["100", "110", "111"]),
        ("(Number LT '104' ANDNOT Name CT '2') AND Number NOTEQ '100'", ["101", "103"]),
        ("Payment.ListPrice GT 4.5", ["105"]),
        ("Payment.ListPrice GT 4.5 ORNOT Number GT '100'", ["100", "105"]),
        ("IsFavorite EQ 1 AND Payment.SaleTaxCode IS NULL", ["107"]),
        ("MetaData.ModificationDate LT '20010101 00:00:00'", []),
        ("Name EQ 'O''Hara'", ["108"]),
    ],
)
async def test_filters(caller: Caller, erp: System, text: str, found: list[str]) -> None:
    erp.person.edit("Articles", "105", {"Payment.ListPrice": Decimal("4.51")})
    erp.person.edit("Articles", "107", IsFavorite=True)
    erp.person.edit("Articles", "108", Name="o'hara")
    assert await caller.keys("Articles", filter=text, orderBy="Number", items="0") == found


@pytest.mark.parametrize(
    "path, text, code",
    [
        ("Articles", "Gibtsnicht EQ '1'", "72-000"),
        ("Articles", "Number IST '1'", "72-000"),
        ("Customers", "BirthDay IS NULL", "05-000"),
        ("ExtraTable/XCLOUDKASSEN", "MetaData.ModificationDate GT '20240101'", "05-000"),
    ],
)
async def test_a_filter_that_is_not_understood_is_a_breakdown(
    caller: Caller, path: str, text: str, code: str
) -> None:
    status, said = await caller.ask("GET", path, filter=text)
    assert (status, said["ResponseCode"]) == (500, code)


async def test_a_query_that_is_too_long_meets_the_web_server(caller: Caller) -> None:
    assert await caller.ask("GET", "Articles", filter=f"Name EQ '{'x' * 2100}'") == (404, None)


async def test_extra_tables_have_their_columns_in_fields(caller: Caller, erp: System) -> None:
    status, made = await caller.ask("POST", "ExtraTable/XCLOUDKASSEN", {"Fields": {"_NUMMER": "1"}})
    assert (status, made) == (201, {"TableName": "XCLOUDKASSEN", "Identifier": 1})
    assert (await caller.ask("POST", "ExtraTable/XCLOUDKASSEN", {"Fields": {"_FARBE": "x"}}))[0] == 400
    assert (await caller.ask("PUT", "ExtraTable/XCLOUDKASSEN/1", {"Fields": {"_AKTIV": True}}))[0] == 204
    _, rows = await caller.ask("GET", "ExtraTable/XCLOUDKASSEN", filter="BearbeitetAm GT '20010101'")
    assert rows[0]["Fields"] == {"Id": 1, "_NUMMER": "1", "_BEZEICHNUNG": None, "_AKTIV": True}
    assert (await caller.ask("GET", "ExtraTable/XCLOUDKASSEN/1"))[0] == 405
    assert (await caller.ask("DELETE", "ExtraTable/XCLOUDKASSEN/1"))[0] == 204
    assert not erp.person.rows("XCLOUDKASSEN")


async def test_a_document_is_made_empty_and_its_positions_move_the_stock(caller: Caller, erp: System) -> None:
    erp.person.edit("Articles", "100", {"IsWarehouseArtikel": True, "Warehouse.Stock": Decimal(10)})
    erp.person.edit("Articles", "100", {"Payment.ListPrice": Decimal(5)})
    status, made = await caller.ask("POST", "Documents", {"KindFlag": "R"})
    assert (status, made) == (201, {"DocumentKey": "R10001", "DocumentKind": "R", "DocumentNumber": "10001"})
    # Without a quantity of its own the position has 1, whatever the stock is told: which is refused then.
    store = {"StoreInformation": [{"ArticleNumber": "100", "Warehouse": "1", "Quantity": 2}]}
    item = {"ArticleNumber": "100", **store}
    assert (await caller.ask("POST", "Documents/R10001/ArticleItem", item))[0] == 400
    status, position = await caller.ask(
        "POST", "Documents/R10001/ArticleItem", {**item, "CalculatedQuantityValue": 2}
    )
    assert status == 201 and erp.person.row("Articles", "100")["Warehouse.Stock"] == 8
    # A negative quantity without a warehouse becomes 1, as users report.
    back = {"ArticleNumber": "100", "CalculatedQuantityValue": -3}
    assert (await caller.ask("POST", "Documents/R10001/ArticleItem", back))[0] == 201
    assert erp.person.row("Articles", "100")["Warehouse.Stock"] == 7
    _, rows = await caller.ask("GET", "Documents/r10001/Positions", orderBy="PositionNumber")
    assert [(row["Quantity"], row["UnitPrice"], row["Name"]) for row in rows] == [
        (2, 5, "Wein 0"),
        (1, 5, "Wein 0"),
    ]
    _, document = await caller.ask("GET", "Documents/R10001")
    assert (document["NetAmount"], document["Number"], "DocumentKey" in document) == (15, "10001", False)
    path = f"Documents/R10001/Positions/{position['PositionIdentifier']}"
    assert (await caller.ask("PUT", path, {"CalculatedQuantityValue": 5}))[0] == 204
    assert erp.person.row("Articles", "100")["Warehouse.Stock"] == 4
    assert (await caller.ask("PUT", "Documents/R10001/Status", {"Value": 6}))[0] == 204  # parked
    assert erp.person.row("Articles", "100")["Warehouse.Stock"] == 10
    assert (await caller.ask("DELETE", path))[0] == 204
    assert (await caller.ask("PUT", "Documents/R10001/Status", {"Value": 0}))[0] == 204
    assert erp.person.row("Articles", "100")["Warehouse.Stock"] == 9
    assert (await caller.ask("DELETE", "Documents/R10001"))[0] == 204
    assert erp.person.row("Articles", "100")["Warehouse.Stock"] == 10
    assert not erp.person.rows("Movements") and not erp.person.rows("Positions")


async def test_what_a_document_refers_to_has_to_be_there(caller: Caller, erp: System) -> None:
    customer = {"KindFlag": "R", "BusinessPartner": {"Address": {"Number": "4711"}}}
    assert (await caller.ask("POST", "Documents", customer))[0] == 400
    assert (await caller.ask("POST", "Documents", {"KindFlag": "X"}))[0] == 500
    await caller.ask("POST", "Documents", {})
    status, said = await caller.ask("POST", "Documents/F10001/ArticleItem", {"ArticleNumber": "nichts"})
    assert (status, said["ResponseCode"]) == (400, "42-036")
    moved = {"Number": "9"}
    assert (await caller.ask("PUT", "Documents/F10001", moved))[0] == 400
    assert (await caller.ask("GET", "Documents/F9"))[0] == 404


async def test_a_customer_s_price_comes_before_the_list_price(caller: Caller, erp: System) -> None:
    erp.person.insert("Customers", {"Number": "1", "Company": "A"})
    erp.person.edit("Articles", "100", {"Payment.ListPrice": Decimal(5)})
    _, prices = await caller.ask("GET", "Articles/100/Sales/Prices/1")
    assert [one["FinalPrice"] for one in prices] == [5]
    own = {"ArticleNumber": "100", "CustomerNumber": "1", "Quantity": 0, "UnitPrice": 4}
    erp.person.insert("Prices", {**own, "DiscountPercent": 25})
    _, prices = await caller.ask("GET", "Articles/100/Sales/Prices/1")
    assert [(one["UnitPrice"], one["FinalPrice"]) for one in prices] == [(4, 3)]
    assert (await caller.ask("GET", "Articles/100/Sales/Prices/2"))[0] == 404
