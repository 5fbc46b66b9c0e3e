"""The emulated Sage Sales Management: each habit of the vendor's API, asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clients.emulators.description import Refused
from clients.emulators.emulator import Limit
from clients.emulators.sage_sales_management import System
from clients.emulators.stand import stand

pytestmark = pytest.mark.anyio
ACCOUNT = {"name": "Dupont", "branchId": 1, "salesRepId1": 1}


class Api:
    """Somebody who speaks the API."""

    def __init__(self, http: aiohttp.ClientSession, sales: System) -> None:
        self._http = http
        self._base = f"{sales.address}/api/v4"
        self.token = ""

    async def ask(
        self, method: str, path: str, body: Any = None, count: int | None = None, **query: str
    ) -> tuple[int, Any]:
        headers = {"X-Session-Key": self.token, **({"Count": str(count)} if count else {})}
        url = f"{self._base}/{path}"
        async with self._http.request(method, url, json=body, headers=headers, params=query) as got:
            return got.status, await got.json()

    async def ids(self, where: str) -> list[int]:
        status, rows = await self.ask("GET", "accounts", where=where)
        assert status == 200, rows
        return [row["id"] for row in rows]


@pytest.fixture
async def sales(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("sage_sales_management", {"limit": "off", **getattr(request, "param", {})}) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def api(sales: System) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        api = Api(http, sales)
        _, body = await api.ask("POST", "login", {"username": "public", "password": "private"})
        api.token = body["token"]
        yield api


async def test_only_a_living_token_opens(sales: System, api: Api) -> None:
    assert (await api.ask("GET", "accounts"))[0] == 200
    assert (await api.ask("POST", "login", {"username": "public", "password": "wrong"}))[0] == 401
    sales.expire()
    assert (await api.ask("GET", "accounts"))[0] == 401


async def test_a_create_answers_200_with_a_message_and_an_id(api: Api) -> None:
    assert await api.ask("POST", "accounts", ACCOUNT) == (200, {"Message": "entity created", "id": 1})
    status, body = await api.ask("POST", "accounts", {"name": "x"})
    assert (status, body) == (400, {"Message": "branchId cannot be blank"})


async def test_look_ups_are_read_as_objects_and_written_as_numbers(api: Api) -> None:
    await api.ask("POST", "accounts", {**ACCOUNT, "statusId": 2})
    _, row = await api.ask("GET", "accounts/1")
    assert row["statusId"] == {"id": 2, "value": "Client"}
    assert row["salesRepId1"] == {"id": 1, "value": "Admin Istrateur"}
    assert row["typeId"] is None
    assert (await api.ask("PUT", "accounts/1", {"statusId": row["statusId"]}))[0] == 400
    assert (await api.ask("PUT", "accounts/1", {"statusId": 77}))[0] == 400


async def test_an_update_changes_what_is_sent(api: Api) -> None:
    await api.ask("POST", "accounts", {**ACCOUNT, "city": "Lyon"})
    _, before = await api.ask("GET", "accounts/1")
    assert before["dateUpdated"] is None
    assert await api.ask("PUT", "accounts/1", {"name": "Dupond"}) == (
        200,
        {"Message": "entity updated", "id": 1},
    )
    _, after = await api.ask("GET", "accounts/1")
    assert (after["name"], after["city"]) == ("Dupond", "Lyon")
    assert after["dateUpdated"].endswith("Z")


async def test_a_deletion_is_a_mark(api: Api) -> None:
    await api.ask("POST", "accounts", ACCOUNT)
    assert await api.ask("DELETE", "accounts/1") == (200, {"Message": "entity deleted"})
    _, row = await api.ask("GET", "accounts/1")
    assert row["deleted"] is True and row["dateDeleted"]
    assert await api.ids("deleted=false") == []
    assert await api.ids("") == [1]
    for method, body in (("PUT", {"name": "x"}), ("DELETE", None)):
        assert await api.ask(method, "accounts/1", body) == (400, {"Message": "Bad Request"})


async def test_what_is_not_there_is_a_bad_request(api: Api) -> None:
    assert await api.ask("GET", "accounts/77") == (400, {"Message": "Bad Request"})
    assert await api.ask("GET", "nothing") == (400, {"Message": "Resource does not exist", "Code": 910})


async def test_pages_are_counted_from_zero_and_sized_by_a_header(sales: System, api: Api) -> None:
    sales.person.insert("accounts", *[ACCOUNT] * 120)
    assert len((await api.ask("GET", "accounts"))[1]) == 50
    _, rows = await api.ask("GET", "accounts", count=100, page="1", order="id")
    assert [row["id"] for row in rows] == list(range(20, 0, -1))


@pytest.mark.parametrize(
    "where, found",
    [
        ("name='Dupont'", [1]),
        ("name LIKE 'D%'", [1, 3]),
        ("name NOT LIKE 'd%' AND deleted=false", [2]),
        ("id>1 AND id<3", [2]),
        ("id=1 OR id=2 AND name='x'", [1]),
        ("name='D''Or'", [3]),
        ("dateCreated>'2020-01-01T00:00:00Z'", [1, 2, 3]),
        ("dateUpdated>'2020-01-01T00:00:00Z'", []),
    ],
)
async def test_conditions(sales: System, api: Api, where: str, found: list[int]) -> None:
    sales.person.insert("accounts", *[{**ACCOUNT, "name": name} for name in ("Dupont", "Martin", "D'Or")])
    assert await api.ids(where) == found


@pytest.mark.parametrize(
    "where", ["nothing=1", "name", "name=", "name ~ 'x'", "id=1 AND", "dateCreated>'x'", "a b"]
)
async def test_a_wrong_condition_is_error_901(sales: System, api: Api, where: str) -> None:
    sales.person.insert("accounts", ACCOUNT)
    status, body = await api.ask("GET", "accounts", where=where)
    assert (status, body["Code"]) == (400, 901)


async def test_the_schema_names_types_and_look_ups(sales: System, api: Api) -> None:
    _, schema = await api.ask("GET", "accounts/schema")
    fields = {field["name"]: field for field in schema}
    assert fields["statusId"]["table"] == "accountStatuses"
    assert fields["name"]["required"] and fields["name"]["maxLength"] == 200
    assert fields["deleted"]["readOnly"]


async def test_bulk_calls_tell_each_outcome(api: Api) -> None:
    items = [{"guid": "a", "data": ACCOUNT}, {"guid": "b", "data": {"name": "x"}}]
    _, told = await api.ask("POST", "accounts/bulk", items)
    assert [(one["guid"], one["code"], one["id"]) for one in told] == [("a", 1, 1), ("b", 0, None)]
    _, told = await api.ask("PUT", "accounts/bulk", [{"guid": "a", "id": 1, "data": {"name": "y"}}])
    assert told[0]["code"] == 1
    _, told = await api.ask("DELETE", "accounts/bulk", [{"guid": "a", "id": 1}, {"guid": "b", "id": 9}])
    assert [(one["code"], one["message"]) for one in told] == [(1, "entity deleted"), (0, "Bad Request")]
    assert (await api.ask("POST", "products/bulk", [{"guid": "x", "data": {}}] * 101))[0] == 400


async def test_a_read_only_record_is_closed_to_people(sales: System, api: Api) -> None:
    (key,) = sales.person.insert("accounts", {**ACCOUNT, "readOnly": True})
    with pytest.raises(Refused, match="read only"):
        sales.person.edit("accounts", key, {"name": "x"})
    assert (await api.ask("PUT", f"accounts/{key}", {"name": "x"}))[0] == 200
    sales.person.edit("accounts", key, {"readOnly": False, "name": "y"})
    assert sales.person.row("accounts", key)["name"] == "y"


@pytest.mark.parametrize("sales", [{"limit": "plan"}], indirect=True)
async def test_the_plan_has_a_limit(sales: System, api: Api) -> None:
    assert (sales.limit.requests, sales.limit.seconds) == (200, 65.0)
    sales.limit = Limit(3, 65.0)
    statuses = [(await api.ask("GET", "accounts"))[0] for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


async def test_webhooks_are_called_for_what_they_ask_for(sales: System, api: Api) -> None:
    calls: asyncio.Queue[Any] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        calls.put_nowait(await request.json())
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        for action in ("insert", "delete"):
            hook = {"action": action, "entity": "account", "name": "t", "url": url, "version": "v4"}
            status, made = await api.ask("POST", "hooks", hook)
            assert status == 200 and made["secret_key"]
        (key,) = sales.person.insert("accounts", ACCOUNT)
        sales.person.edit("accounts", key, {"name": "x"})
        sales.person.delete("accounts", key)
        sales.person.insert("products", {"model": "no hook"})
        got = [await asyncio.wait_for(calls.get(), 60) for _ in range(2)]
        assert got == [{"entity": "account", "action": one, "id": key} for one in ("insert", "delete")]
        await sales.calls.settled()
        assert calls.empty()
    finally:
        await runner.cleanup()
