"""WinBooks on Web's quirks, one by one, asked over HTTP (the vendor's pages and his clients)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import aiohttp
import pytest

from clients.emulators.description import Refused
from clients.emulators.stand import stand
from clients.emulators.winbooks import System
from clients.emulators.winbooks_criteria import place
from clients.emulators.winbooks_tables import NOBODY, type_of

pytestmark = pytest.mark.anyio


class Caller:
    """Somebody with an exchange token."""

    def __init__(self, http: aiohttp.ClientSession, books: System) -> None:
        self.http, self.books = http, books
        self.token = ""
        self.headers: dict[str, str] = {}

    async def draw(self, grant: str, code: str, who: str = "books@example.test") -> tuple[int, Any]:
        headers = {"Authorization": f"Basic {base64.b64encode(who.encode()).decode()}"}
        url, form = f"{self.books.address}/OAuth20/Token", {"grant_type": grant, "code": code}
        async with self.http.post(url, data=form, headers=headers) as got:
            said = await got.json() if got.status == 200 else None
            self.token = said["access_token"] if said else self.token
            return got.status, said

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        url = f"{self.books.address}/app/{path}"
        async with self.http.request(method, url, json=body, headers=sent) as got:
            self.headers = dict(got.headers)
            return got.status, await got.json() if got.content_type == "application/json" else None

    async def find(self, name: str, **criteria: Any) -> list[Any]:
        body = {"EntityType": type_of(name), "Alias": "this", **criteria}
        status, rows = await self.ask("POST", f"{name}s/Folder/DEMO/ExecuteCriteria", body)
        assert status == 200, rows
        found: list[Any] = rows
        return found


@pytest.fixture
async def books(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("winbooks", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        yield emulator


@pytest.fixture
async def caller(books: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        made = Caller(http, books)
        await made.draw("exchange_token", "exchange-token")
        yield made


def customer(books: System, code: str, **values: Any) -> str:
    third = books.enter("Third", Code=code, Name=f"Firma {code}")
    return books.enter("Customer", Code=code, Third_Id=third, **values)


def body(name: str, **values: Any) -> dict[str, Any]:
    return {"$type": type_of(name), **values}


@pytest.mark.parametrize("books", [{}, {"exchange": "once"}], indirect=True, ids=["reusable", "once"])
async def test_tokens_are_drawn_with_the_address_alone_and_rotate(caller: Caller, books: System) -> None:
    status, _ = await caller.draw("exchange_token", "exchange-token", "books@example.test:secret")
    assert status == 401
    status, _ = await caller.draw("exchange_token", "exchange-token")
    assert status == (401 if books.options.get("exchange") == "once" else 200)
    old = books._refresh
    status, said = await caller.draw("refresh_token", old)
    assert status == 200 and said["expires_in"] == "900" and said["refresh_token"] != old
    assert (await caller.draw("refresh_token", old))[0] == 401
    assert (await caller.ask("GET", "Journals/Folder/DEMO"))[0] == 200
    books.expire()
    assert (await caller.ask("GET", "Journals/Folder/DEMO"))[0] == 401


async def test_the_plural_is_naive_and_the_folder_is_in_every_address(caller: Caller, books: System) -> None:
    books.enter("Address", Town="Ribe")
    assert len((await caller.ask("GET", "Addresss/Folder/DEMO"))[1]) == 1
    assert (await caller.ask("GET", "Addresses/Folder/DEMO"))[0] == 404
    assert (await caller.ask("GET", "Addresss/Folder/OTHER"))[0] == 404


async def test_by_code_or_id_and_as_deep_as_asked(caller: Caller, books: System) -> None:
    key = customer(books, "A/Ö 1", LastReminderDate=date(2024, 1, 1))
    for name in ("A%2F%C3%96%201", "a%2F%C3%B6%201", key):
        status, row = await caller.ask("GET", f"Customer/{name}/Folder/DEMO")
        assert status == 200 and row["Id"] == key and "Third" not in row
        assert (row["LastReminderDate"], row["Vat_Id"]) == ("/Date(1704067200000)/", NOBODY)
    _, row = await caller.ask("GET", f"Customer/{key}/Folder/DEMO?maxLevel=2")
    assert row["Third"]["Name"] == "Firma A/Ö 1" and row["Vat"] is None
    assert row["$type"] == "Winbooks.TORM.OM.Customer, Winbooks.TORM.OM"


async def test_criteria_and_the_most_that_counts_only_beside_the_first(caller: Caller, books: System) -> None:
    for number in range(5):
        customer(books, str(number), ConditionalDiscountDays=number)
    order = [{"PropertyName": "Id", "Ascending": True}]
    assert len(await caller.find("Customer", MaxResult=2)) == 5
    first = await caller.find("Customer", Orders=order, FirstResult=0, MaxResult=2)
    after = [{"Operator": 5, "PropertyName": "Id", "Values": [first[-1]["Id"]]}]
    rest = await caller.find("Customer", Orders=order, Conditions=after)
    ids = [row["Id"] for row in [*first, *rest]]
    assert len(set(ids)) == 5 and ids == sorted(ids, key=place)
    more = [{"Operator": 3, "PropertyName": "ConditionalDiscountDays", "Values": [3]}]
    assert len(await caller.find("Customer", Conditions=more)) == 2
    not_more = [{"Operator": 21, "Values": more}]
    assert len(await caller.find("Customer", Conditions=not_more)) == 3
    join = {"AliasName": "third", "Type": type_of("Third"), "LeftProperty": "Third_Id"}
    named = [{"Operator": 0, "PropertyName": "third.Name", "Values": ["firma 3"]}]
    (row,) = await caller.find("Customer", Conditions=named, Association=[join])
    assert row["Code"] == "3"
    wrong = body("Third") | {"EntityType": type_of("Third")}
    assert (await caller.ask("POST", "Customers/Folder/DEMO/ExecuteCriteria", wrong))[0] == 400


async def test_ids_are_ordered_as_the_database_does_it() -> None:
    low, high = "ffffffff-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    assert place(low) < place(high) and low > high


@pytest.mark.parametrize("books", [{"chunk": "2"}], indirect=True)
async def test_large_answers_are_cut_in_the_middle_of_an_object(caller: Caller, books: System) -> None:
    for number in range(3):
        customer(books, str(number), Memo="x")
    _, rows = await caller.ask("GET", "Customers/Folder/DEMO")
    assert len(rows) == 2 and rows[0]["Memo"] == "x" and "Created" in rows[0]
    assert "Created" not in rows[1] and caller.headers["ContinuePath"]
    _, more = await caller.ask("GET", "Customers/Folder/DEMO", ContinuePath=caller.headers["ContinuePath"])
    assert more[0]["Id"] == rows[1]["Id"] and "Created" in more[0]
    assert len({row["Id"] for row in [*rows, *more]}) == 3 and "ContinuePath" not in caller.headers


async def test_nested_objects_are_saved_as_deep_as_is_said(caller: Caller, books: System) -> None:
    third = body("Third", Code="N", Name="Nordvin", TotalLevel=1)
    flat = body("Customer", Code="N", Third=third, TotalLevel=1)
    status, said = await caller.ask("POST", "Customer/N/Folder/DEMO", flat)
    assert status == 400 and "Third" in said["Message"] and not books.person.rows("Third")
    books.enter("VatAccount", Code="21")
    friendly = flat | {"VatCode": "21", "TotalLevel": 2}
    assert (await caller.ask("POST", "Customer/N/Folder/DEMO", friendly))[0] == 400
    status, row = await caller.ask("POST", "Customer/N/Folder/DEMO", friendly | {"TotalLevel": 3})
    assert status == 200 and row["Vat_Id"] != NOBODY
    # An update changes what it says, and passes over what is deeper than it says.
    change = body("Customer", Memo="m", Third=body("Third", Name="Other"))
    assert (await caller.ask("PUT", "Customer/N/Folder/DEMO", change))[0] == 200
    assert books.person.row("Customer", row["Id"])["Memo"] == "m"
    (held,) = books.person.rows("Third").values()
    assert held["Name"] == "Nordvin"


async def test_codes_agree_and_no_third_party_is_left_over(caller: Caller, books: System) -> None:
    third = body("Third", Code="OTHER", Name="x")
    wrong = body("Customer", Code="N", Third=third, TotalLevel=2)
    assert (await caller.ask("POST", "Customer/N/Folder/DEMO", wrong))[0] == 400
    assert not books.person.rows("Third") and not books.person.rows("Customer")
    with pytest.raises(Refused, match="Third"):
        books.enter("Customer", Code="N")


@pytest.mark.parametrize(
    "books", [{}, {"existing": "updated", "missing": "null", "reply": "empty"}], indirect=True
)
async def test_what_is_not_documented_can_be_either_way(caller: Caller, books: System) -> None:
    key = customer(books, "1", Memo="old")
    status, _ = await caller.ask("POST", "Customer/1/Folder/DEMO", body("Customer", Memo="new"))
    took_over = bool(books.options)
    assert (status, books.person.row("Customer", key)["Memo"]) == (
        (200, "new") if took_over else (400, "old")
    )
    status, row = await caller.ask("GET", "Customer/2/Folder/DEMO")
    assert (status, row) == ((200, None) if took_over else (404, None))
    status, row = await caller.ask("PUT", "Customer/1/Folder/DEMO", body("Customer", Memo="x"))
    assert status == 200 and (row is None) is took_over


async def test_lists_are_made_or_updated_and_told_one_by_one(caller: Caller, books: System) -> None:
    key = customer(books, "1")
    third = books.enter("Third", Code="2", Name="Two")
    bodies = [
        body("Customer", Code="1", Memo="changed"),
        body("Customer", Code="2", Third_Id=third),
        body("Customer", Code="3"),
    ]
    status, told = await caller.ask("POST", "Customers/Folder/DEMO", bodies)
    assert (status, told["Method"], told["NumberOfSuccess"], told["NumberOfFail"]) == (
        200,
        "InsertOrUpdateList",
        2,
        1,
    )
    assert told["ListObjectFail"] == [bodies[2]] and "Third" in told["ReasonFail"][0]
    assert books.person.row("Customer", key)["Memo"] == "changed" and len(books.person.rows("Customer")) == 2


async def test_what_is_booked_or_used_stays(caller: Caller, books: System) -> None:
    key = customer(books, "1")
    line = books.enter("GLTrans", Customer_Id=key, LineOrder=0)
    assert (await caller.ask("DELETE", f"Customer/{key}/Folder/DEMO"))[0] == 400
    assert (await caller.ask("DELETE", f"GLTrans/{line}/Folder/DEMO"))[0] == 400
    books.person.delete("GLTrans", line)
    assert (await caller.ask("DELETE", f"Customer/{key}/Folder/DEMO"))[0] == 200
    assert not books.person.rows("Customer") and books.person.rows("Third")


async def test_an_edit_of_the_third_party_is_none_of_the_customer(caller: Caller, books: System) -> None:
    key = customer(books, "1")
    before = books.person.row("Customer", key)["Modified"]
    books.person.edit("Third", books.person.row("Customer", key)["Third_Id"], Name="x")
    assert books.person.row("Customer", key)["Modified"] == before
