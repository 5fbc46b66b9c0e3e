"""Sage Sales Management beside the contract: look-ups, deletion marks, read-only records, bulk calls, tokens, limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Find, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators import sage_sales_management
from clients.emulators.description import Refused
from clients.emulators.faults import Fault
from clients.emulators.sage_sales_management import System as Sales
from clients.emulators.stand import stand

pytestmark = pytest.mark.anyio
ACCOUNT = {
    "name": "Dupont",
    "branchId": 1,
    "salesRepId1": 1,
    "statusId": 1,
    "countryId": 1,
    "extId": "DUPONT",
}


@pytest.fixture
async def sales(request: pytest.FixtureRequest) -> AsyncIterator[Sales]:
    async with stand("sage_sales_management", {"limit": "off", **getattr(request, "param", {})}) as emulator:
        assert isinstance(emulator, Sales)
        yield emulator


@pytest.fixture
async def connector(sales: Sales) -> AsyncIterator[Connector]:
    opened = await connect(sales)
    yield opened
    await opened.aclose()


async def connect(sales: Sales, **changes: Any) -> Connector:
    settings = {
        "url": f"{sales.address}/api/v4",
        "public_key": "public",
        "private_key": "private",
        "rate_per_s": 0,
    }
    return await open_connector("sage_sales_management", {**settings, **changes})


async def look(connector: Connector, id_: int, *fields: str, table: str = "accounts") -> dict[str, Value]:
    (record,) = await connector.read(table, [str(id_)], fields)
    return dict(record.native)


def change(id_: int, **native: Value) -> Write:
    return Write(Op.UPDATE, id=str(id_), native={name.replace("__", "."): v for name, v in native.items()})


async def test_look_ups_are_shown_in_every_way(sales: Sales, connector: Connector) -> None:
    (key,) = sales.person.insert("accounts", ACCOUNT)
    fields = (
        "statusId",
        "statusId.value",
        "countryId.iso2",
        "salesRepId1.name",
        "salesRepId1.lastName",
        "typeId",
    )
    shown = await look(connector, int(key), *fields)
    assert [shown[name] for name in fields] == ["1", "Prospect", "FR", "Admin", "Istrateur", None]
    assert await look(connector, int(key), "typeId.value") == {"typeId.value": None}


async def test_look_ups_are_written_by_their_id_or_by_what_they_show(
    sales: Sales, connector: Connector
) -> None:
    (key,) = sales.person.insert("accounts", ACCOUNT)
    await connector.write(
        "accounts", [change(int(key), statusId__value="Client", countryId__iso2="BE")], ["id"]
    )
    row = sales.person.row("accounts", key)
    assert (row["statusId"], row["countryId"]) == (2, 2)
    results = await connector.write("accounts", [change(int(key), statusId="1", countryId=None)], ["id"])
    assert results[0].status is WriteStatus.DONE
    row = sales.person.row("accounts", key)
    assert (row["statusId"], row["countryId"]) == (1, None)


async def test_a_look_up_that_is_not_there_is_refused_naming_those_there_are(
    sales: Sales, connector: Connector
) -> None:
    (key,) = sales.person.insert("accounts", ACCOUNT)
    (result,) = await connector.write("accounts", [change(int(key), statusId__value="Kunde")], ["id"])
    assert result.status is WriteStatus.REFUSED
    assert result.error == "accountStatuses has no 'Kunde' (there are: Client, Prospect)"
    # Made since the list was read.
    sales.person.insert("accountStatuses", {"value": "Kunde"})
    (result,) = await connector.write("accounts", [change(int(key), statusId__value="Kunde")], ["id"])
    assert result.status is WriteStatus.DONE


async def test_fields_are_those_of_the_accounts_own_schema(sales: Sales, connector: Connector) -> None:
    (products,) = [item for item in await connector.describe() if item.name == "products"]
    types = {field.name: (field.type, field.required, field.writable) for field in products.fields}
    assert types["model"] == ("text", True, True)
    assert types["stock"] == ("integer", False, True)
    assert types["Z_stock"] == ("text", False, True)
    assert types["dateUpdated"] == ("instant", False, False)
    assert types["familyId.value"] == ("text", False, True)
    sales.data.absent = {("products", "Z_stock")}
    other = await connect(sales)
    with pytest.raises(TandemError, match="no field Z_stock") as caught:
        await other.scan("products", "", ["Z_stock"], 10)
    assert caught.value.kind is Kind.CONFIG
    # A field that was made since is found without a new connection.
    sales.data.absent = set()
    await other.scan("products", "", ["Z_stock"], 10)
    await other.aclose()


async def test_a_long_list_is_not_looked_up_through_a_record(connector: Connector) -> None:
    with pytest.raises(TandemError, match=r"no field accountId\.phone"):
        await connector.scan("contacts", "", ["accountId.phone"], 10)
    await connector.scan("contacts", "", ["accountId", "accountId.value"], 10)


async def test_what_was_deleted_is_gone_and_reported(sales: Sales, connector: Connector) -> None:
    (first, second) = sales.person.insert("accounts", ACCOUNT, {**ACCOUNT, "name": "Martin"})
    cursor = (await connector.changes("accounts", "", ["name"], 10)).cursor
    sales.person.delete("accounts", first)
    assert sales.person.row("accounts", first)["deleted"] is True
    page = await connector.changes("accounts", cursor, ["name"], 10)
    assert page.gone == (str(first),)
    assert not await connector.read("accounts", [str(first)], ["name"])
    assert [one.id for one in (await connector.scan("accounts", "", ["name"], 10)).records] == [str(second)]
    (result,) = await connector.write("accounts", [change(int(first), name="x")], ["name"])
    assert result.status is WriteStatus.GONE


async def test_a_delete_marks(sales: Sales, connector: Connector) -> None:
    (key,) = sales.person.insert("accounts", {**ACCOUNT, "readOnly": True})
    with pytest.raises(Refused, match="read only"):
        sales.person.delete("accounts", key)
    (result,) = await connector.write(
        "accounts", [Write(Op.DELETE, id=str(key), seen={"name": "Dupont"})], []
    )
    assert result.status is WriteStatus.DONE
    row = sales.person.row("accounts", key)
    assert row["deleted"] and row["dateDeleted"] is not None


async def test_setting_the_mark_is_a_deletion(sales: Sales, connector: Connector) -> None:
    (key,) = sales.person.insert("accounts", ACCOUNT)
    assert await look(connector, int(key), "deleted") == {"deleted": False}
    both = Write(Op.UPDATE, id=str(key), native={"deleted": True, "name": "x"})
    (result,) = await connector.write("accounts", [both], [])
    assert (result.status, result.error) == (
        WriteStatus.REFUSED,
        "a row is changed or deleted, not both at once",
    )
    mark = Write(Op.MARK, id=str(key), native={"deleted": True}, seen={"deleted": False})
    (result,) = await connector.write("accounts", [mark], [])
    assert result.status is WriteStatus.DONE
    assert sales.person.row("accounts", key)["deleted"] is True
    (result,) = await connector.write("accounts", [mark], [])
    assert result.status is WriteStatus.GONE


@pytest.mark.parametrize("sales", [{"read_only": "refuse"}], indirect=True)
async def test_a_read_only_record_is_unlocked_for_a_change(sales: Sales, connector: Connector) -> None:
    (key,) = sales.person.insert("accounts", {**ACCOUNT, "readOnly": True})
    (result,) = await connector.write("accounts", [change(int(key), name="x")], [])
    assert (result.status, result.error) == (WriteStatus.REFUSED, "the record is read only")
    unlocking = await connect(sales, read_only="unlock")
    (result,) = await unlocking.write("accounts", [change(int(key), name="x")], [])
    assert result.status is WriteStatus.DONE
    row = sales.person.row("accounts", key)
    assert (row["name"], row["readOnly"]) == ("x", True)
    (result,) = await unlocking.write("accounts", [Write(Op.DELETE, id=str(key))], [])
    assert result.status is WriteStatus.DONE
    await unlocking.aclose()


async def test_many_go_in_one_request_and_one_bad_one_is_told_apart(
    sales: Sales, connector: Connector
) -> None:
    good = {"name": "x", "branchId": "1", "salesRepId1": "1"}
    await connector.scan("accounts", "", list(good), 1)
    before = len(sales.requests)
    writes = [
        Write(Op.CREATE, native=good),
        Write(Op.CREATE, native={"name": "no branch"}),
        Write(Op.CREATE, native=good),
    ]
    results = await connector.write("accounts", writes, [])
    assert [one.status.value for one in results] == ["done", "refused", "done"]
    assert "branchId cannot be blank" in results[1].error
    assert len(sales.requests) == before + 1
    assert {results[0].id, results[2].id} == set(map(str, sales.person.rows("accounts")))


async def test_a_bulk_call_that_is_refused_as_a_whole_goes_one_by_one(
    sales: Sales, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = sales.person.insert("accounts", ACCOUNT, ACCOUNT)
    monkeypatch.setitem(sage_sales_management.BULK_MAX, "PUT", 1)
    results = await connector.write("accounts", [change(int(key), name="x") for key in keys], [])
    assert [one.status.value for one in results] == ["done", "done"]


async def test_products_go_a_hundred_at_once(sales: Sales, connector: Connector) -> None:
    writes = [Write(Op.CREATE, native={"model": f"P{number}"}) for number in range(150)]
    results = await connector.write("products", writes, [])
    assert {one.status for one in results} == {WriteStatus.DONE}
    assert sales.counters["POST /api/v4/products/bulk"] == 2


@pytest.mark.parametrize("sales", [{"count_max": "60"}], indirect=True)
async def test_pages_that_are_shorter_than_asked_for_are_not_the_end(sales: Sales) -> None:
    connector = await connect(sales, page_size=100)
    sales.person.insert("accounts", *[ACCOUNT] * 130)
    found, position, more = set[str](), "", True
    while more:
        page = await connector.scan("accounts", position, ["name"], 100)
        found |= {one.id for one in page.records}
        position, more = page.cursor, page.more
    assert len(found) == 130
    await connector.aclose()


async def test_a_record_that_was_never_changed_is_found_by_the_time_it_was_made(
    sales: Sales, connector: Connector
) -> None:
    cursor = (await connector.changes("accounts", "", ["name"], 10)).cursor
    (key,) = sales.person.insert("accounts", ACCOUNT)
    assert sales.person.row("accounts", key)["dateUpdated"] is None
    page = await connector.changes("accounts", cursor, ["name"], 10)
    assert [one.id for one in page.records] == [str(key)]


async def test_a_poll_without_news_is_one_request(sales: Sales, connector: Connector) -> None:
    sales.person.insert("accounts", *[ACCOUNT] * 3)
    sales.data.skew_s = 60  # what was made before lies behind the overlap
    cursor = (await connector.changes("accounts", "", ["name"], 10)).cursor
    sales.person.insert("accounts", ACCOUNT)
    cursor = (await connector.changes("accounts", cursor, ["name"], 10)).cursor
    before = len(sales.requests)
    page = await connector.changes("accounts", cursor, ["name"], 10)
    assert len(sales.requests) == before + 1
    assert len(page.records) == 1  # the newest comes again, within the overlap


async def test_a_dead_token_is_drawn_anew_once(sales: Sales, connector: Connector) -> None:
    await connector.check()
    sales.expire()
    await connector.check()
    assert sales.counters["POST /api/v4/login"] == 2
    sales.private_key = "another"
    sales.expire()
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.AUTH
    assert "private" not in str(caught.value)


async def test_errors_with_a_number_are_what_they_mean(sales: Sales, connector: Connector) -> None:
    await connector.scan("accounts", "", ["name"], 10)
    with pytest.raises(TandemError, match="no object 'invoices'"):
        await connector.scan("invoices", "", [], 10)
    other = await connect(sales, objects=["invoices"])
    with pytest.raises(TandemError, match="Resource does not exist") as caught:
        await other.scan("invoices", "", [], 10)
    await other.aclose()
    assert (caught.value.kind, caught.value.scope) == (Kind.CONFIG, Scope.STREAM)
    sales.faults.add(
        Fault("error", method="GET", path="/accounts", status=400)
    )  # 900: it could not reach itself
    with pytest.raises(TandemError, match="Connection error") as caught:
        await connector.scan("accounts", "", ["name"], 10)
    assert caught.value.kind is Kind.TRANSIENT


async def test_texts_are_found_to_the_letter(sales: Sales, connector: Connector) -> None:
    names = ("O'Neill", "o'neill", "O''Neill")
    keys = sales.person.insert("accounts", *[{**ACCOUNT, "name": name} for name in names])
    found = await connector.find_by("accounts", "name", "O'Neill", ["name"])
    assert [one.id for one in found] == [str(keys[0])]
    assert len(await connector.find_by("accounts", "statusId.value", "Prospect", ["name"])) == 3
    assert not await connector.find_by("accounts", "statusId.value", "Nobody", ["name"])


async def test_value_lists_are_read_as_a_whole(sales: Sales, connector: Connector) -> None:
    assert connector.find("accountStatuses") is Find.FULL
    assert connector.find("accounts") is Find.MODIFIED
    page = await connector.scan("countries", "", ["value", "iso2"], 10)
    assert {one.native["iso2"] for one in page.records} == {"FR", "BE", "ES", "DE"}


async def test_the_account_is_known_by_its_first_user(sales: Sales, connector: Connector) -> None:
    identity = await connector.identity()
    sales.person.insert("users", {"name": "Nouveau"})
    other = await connect(sales)
    assert await other.identity() == identity
    await other.aclose()
    async with stand("sage_sales_management", {"limit": "off"}) as another:
        assert isinstance(another, Sales)
        another.data.skew_s = -86_400.0
        another.data.tables["users"][1]["dateCreated"] = another.data.now()
        stranger = await connect(another)
        assert await stranger.identity() != identity
        await stranger.aclose()


async def test_settings_have_their_limits(sales: Sales) -> None:
    for changes in ({"page_size": 0}, {"overlap_s": 0}):
        with pytest.raises(TandemError, match="must lie between"):
            await connect(sales, **changes)
