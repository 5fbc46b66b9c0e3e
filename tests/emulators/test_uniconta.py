"""Uniconta's quirks, one by one, asked over HTTP (the vendor's pages, his own user interface's source, and callers)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clients.emulators.description import Refused
from clients.emulators.stand import stand
from clients.emulators.uniconta import System

pytestmark = pytest.mark.anyio
DEBTOR = {"Account": "100", "Name": "Nordvin", "Group": "Danmark"}


class Caller:
    """Somebody with a password."""

    def __init__(self, http: aiohttp.ClientSession, erp: System) -> None:
        self.http, self.erp = http, erp
        self.login = aiohttp.encode_basic_auth("004711/tandem", "secret")

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Authorization": self.login}
        url = f"{self.erp.address}{path}"
        async with self.http.request(method, url, json=body, headers=headers, **more) as got:
            text = await got.text()
            return got.status, await got.json() if "json" in got.content_type else text

    async def feed(self, entity: str, **query: str) -> list[dict[str, Any]]:
        status, found = await self.ask("GET", f"/odata/4711/{entity}", params=query)
        assert status == 200, found
        rows: list[dict[str, Any]] = found["value"]
        return rows


@pytest.fixture
async def erp(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("uniconta", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def caller(erp: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        yield Caller(http, erp)


@pytest.mark.parametrize("user", ["4711/tandem", "00815/tandem", "004711/other", ""])
async def test_the_user_s_name_carries_the_company(caller: Caller, user: str) -> None:
    assert (await caller.ask("GET", "/odata/4711/DebtorClient"))[0] == 200
    caller.login = aiohttp.encode_basic_auth(user, "secret")
    assert (await caller.ask("GET", "/odata/4711/DebtorClient"))[0] == 401


async def test_nulls_are_left_out_and_the_two_surfaces_wrap_differently(caller: Caller, erp: System) -> None:
    erp.person.insert("DebtorClient", DEBTOR)
    (row,) = await caller.feed("DebtorClient")
    assert row["Account"] == "100" and row["RowId"] == row["PrimaryKeyId"] and "City" not in row
    _, rows = await caller.ask("GET", "/api/Entities/DebtorClient?Name=Account&Value=100")
    assert rows == [row]
    headers = {"Authorization": caller.login}
    async with caller.http.get(f"{erp.address}/odata/4711/DebtorClient", headers=headers) as got:
        assert got.content_type == "application/atom+xml"


async def test_filters_orders_and_the_most_alternatives(caller: Caller, erp: System) -> None:
    keys = erp.person.insert(
        "DebtorClient", *({**DEBTOR, "Account": str(n), "Name": f"O'{n}"} for n in range(50))
    )
    at = erp.person.row("DebtorClient", keys[0])["UpdatedAt"].strftime("%Y-%m-%dT%H:%M:%S")
    query = {"$filter": f"PrimaryKeyId gt {keys[9]}", "$orderby": "PrimaryKeyId", "$top": "2"}
    assert [row["PrimaryKeyId"] for row in await caller.feed("DebtorClient", **query)] == keys[10:12]
    assert len(await caller.feed("DebtorClient", **{"$filter": "Name eq 'O''7' and Account ne '8'"})) == 1
    for literal in (f"datetime'{at}'", f"{at}Z"):
        assert len(await caller.feed("DebtorClient", **{"$filter": f"UpdatedAt ge {literal}"})) == 50
    many = " or ".join(f"PrimaryKeyId eq {key}" for key in keys)
    status, text = await caller.ask("GET", "/odata/4711/DebtorClient", params={"$filter": many})
    assert status == 200 and "alternatives" in text


async def test_errors_come_as_plain_text_with_200(caller: Caller, erp: System) -> None:
    erp.person.insert("DebtorClient", DEBTOR)
    for body, code in (
        (DEBTOR, "KeyExists"),
        ({"Account": "2"}, "FieldCannotBeBlank"),
        ({}, "ArgumentMissing"),
    ):
        status, text = await caller.ask("POST", "/api/Entities/Insert/DebtorClient", body)
        assert status == 200 and text.startswith(code)
    assert len(erp.person.rows("DebtorClient")) == 1
    _, text = await caller.ask("PUT", "/api/Entities/Update/DebtorClient", {**DEBTOR, "PrimaryKeyId": 99})
    assert text.startswith("CouldNotFind")


async def test_a_debtor_without_a_number_gets_the_next_one(caller: Caller, erp: System) -> None:
    erp.person.insert("DebtorClient", {**DEBTOR, "Account": "10001"})
    _, row = await caller.ask("POST", "/api/Entities/Insert/DebtorClient", {"Name": "Ny", "Group": "Danmark"})
    assert row["Account"] == "10002"


async def test_update_takes_the_whole_object(caller: Caller, erp: System) -> None:
    (key,) = erp.person.insert("DebtorClient", {**DEBTOR, "City": "Aarhus", "EAN": "579"})
    (row,) = await caller.feed("DebtorClient")
    del row["EAN"]
    assert (await caller.ask("PUT", "/api/Entities/Update/DebtorClient", {**row, "City": "Ribe"}))[0] == 200
    kept = erp.person.row("DebtorClient", key)
    assert (kept["City"], kept["EAN"], kept["Account"]) == ("Ribe", None, "100")


async def test_a_debtor_with_activity_stays(caller: Caller, erp: System) -> None:
    (key,) = erp.person.insert("DebtorClient", DEBTOR)
    (posted,) = erp.person.insert("DebtorTransClient", {"Account": "100", "Amount": 10})
    (row,) = await caller.feed("DebtorClient")
    _, text = await caller.ask("DELETE", "/api/Entities/Delete/DebtorClient", row)
    assert text.startswith("CouldNotDeleteRecordThatIsReferred")
    with pytest.raises(Refused, match="activity"):
        erp.person.delete("DebtorClient", key)
    erp.person.delete("DebtorTransClient", posted)
    assert (await caller.ask("DELETE", "/api/Entities/Delete/DebtorClient", row))[0] == 200
    assert not erp.person.rows("DebtorClient")


async def test_orders_need_their_debtor_and_lines_their_order(caller: Caller, erp: System) -> None:
    erp.person.insert("DebtorClient", DEBTOR)
    erp.person.insert("InvItemClient", {"Item": "V1", "Group": "Vin"})
    _, text = await caller.ask("POST", "/api/Entities/Insert/DebtorOrderClient", {"Account": "999"})
    assert text.startswith("AccountIsMissing")
    _, order = await caller.ask("POST", "/api/Entities/Insert/DebtorOrderClient", {"Account": "100"})
    line = {"OrderNumber": order["OrderNumber"], "Item": "V1", "Qty": 3, "Price": 12.5, "DiscountPct": 10}
    _, made = await caller.ask("POST", "/api/Entities/InsertList/DebtorOrderLineClient", [line, line])
    assert [(row["LineNumber"], row["Total"]) for row in made] == [(1, 33.75), (2, 33.75)]
    _, text = await caller.ask(
        "POST", "/api/Entities/InsertList/DebtorOrderLineClient", [line, {**line, "Item": "?"}]
    )
    assert text.startswith("CouldNotFind") and len(erp.person.rows("DebtorOrderLineClient")) == 2
    (order,) = await caller.feed("DebtorOrderClient")
    assert order["OrderTotal"] == 67.5
    await caller.ask("DELETE", "/api/Entities/Delete/DebtorOrderClient", order)
    assert not erp.person.rows("DebtorOrderLineClient")


async def test_countries_are_written_as_number_or_name_and_read_as_name(caller: Caller, erp: System) -> None:
    for n, country in enumerate((57, "Norway")):
        body = {**DEBTOR, "Account": str(n), "Country": country}
        await caller.ask("POST", "/api/Entities/Insert/DebtorClient", body)
    assert [row["Country"] for row in await caller.feed("DebtorClient")] == ["Denmark", "Norway"]


async def test_user_defined_fields_go_by_name_in_an_entity_of_their_own(caller: Caller, erp: System) -> None:
    (key,) = erp.person.insert("DebtorClient", DEBTOR)
    field = erp.make_field("DebtorClient", "Region")
    erp.write_own("DebtorClient", key, Region="Jylland")
    assert "Region" not in (await caller.feed("DebtorClient"))[0]
    (row,) = await caller.feed("DebtorClientUser")
    assert row["Region"] == "Jylland"
    await caller.ask("PUT", "/api/Entities/Update/DebtorClient", {**row, "City": "Ribe"})
    assert erp.read_own("DebtorClient", key) == {"Region": "Jylland"}
    await caller.ask("PUT", "/api/Entities/Update/DebtorClientUser", {**row, "Region": "Fyn"})
    erp.person.edit("UserFields", field, Name="Landsdel")
    (row,) = await caller.feed("DebtorClientUser")
    assert row["Landsdel"] == "Fyn" and "Region" not in row
    _, text = await caller.ask("GET", "/odata/4711/$metadata")
    assert text.count('Name="Landsdel"') == 1


@pytest.mark.parametrize(
    "erp", [{}, {"separator": "?", "verb": "Action"}], ids=["as documented", "as printed"], indirect=True
)
async def test_a_change_url_is_called_by_get_or_post(caller: Caller, erp: System) -> None:
    got: list[tuple[str, str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(
            (request.method, request.query_string, await request.json() if request.can_read_body else None)
        )
        return web.Response()

    app = web.Application()
    app.add_routes([web.route("*", "/h", hook)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/h"
        entity = "/api/Entities/Insert/TableChangeEventClient"
        await caller.ask("POST", entity, {"TableId": 50, "Url": url, "Arguments": "s=1"})
        await caller.ask("POST", entity, {"TableId": 50, "Url": url, "UsePost": True})
        (key,) = erp.person.insert("DebtorClient", DEBTOR)
        await erp.calls.settled()
        (one, two) = got
        assert one[0] == "GET" and one[1].startswith("s=1") and f"RowId={key}" in one[1]
        assert ("Action=Insert" in one[1]) == ("Operation=Insert" not in one[1])
        assert two[0] == "POST" and two[2]["Account"] == "100"
    finally:
        await runner.cleanup()
