"""SelectLine's connector: the contract on documents, and the vendor's own traps."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar, cast
from zoneinfo import ZoneInfo

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value, line_of, lines_of
from actors.ports import Connector, Find, Write, WriteResult, WriteStatus
from clients.connectors.catalog import open_connector
from clients.connectors.systems.selectline_filter import chunks, joined, local_time
from clients.emulators.faults import Edit, Fault
from clients.emulators.selectline import System as Selectline
from clients.emulators.stand import stand
from tests.connectors.contract import ConnectorContract, FindsByField, FindsModified
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
NAMES = {
    "name": "DisplayName",
    "note": "HeaderText",
    "amount": "DiscountAmount",
    "count": "CashDiscountDays",
    "active": "IsPrinted",
    "day": "DeliveryDate",
    "extra": "FooterText",
}


class Documents(EmulatedSystem):
    """Somebody who keeps documents in SelectLine."""

    object_name = "Documents"
    key = "DocumentKey"
    read_path = "^/Documents"
    write_path = "^/Documents"
    names: ClassVar[Mapping[str, str]] = NAMES
    users = itertools.cycle(f"user{number}" for number in range(10))

    def __init__(self, erp: Selectline) -> None:
        self.erp = self.emulator = erp
        erp.users += [f"user{number}" for number in range(10)]

    async def open(self) -> Connector:
        # A user each: the second log-in of one user ends the first session.
        inner = await opened(self.erp, user=next(self.users), modified="metadata")
        return cast(Connector, Renamed(inner, self.names, {"KindFlag": "R"}))

    def id(self, number: int) -> str:
        return f"R{number:05d}"

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            key = {"DocumentKey": id_, "KindFlag": id_[0], "Number": id_[1:]}
            self.erp.person.insert("Documents", {**key, **self._native(values)})

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.erp.person.edit("Documents", id, self._native(changes))

    async def delete(self, id: str) -> None:
        self.erp.person.delete("Documents", id)

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        found = self.erp.person.rows("Documents")
        return {
            str(key): {name: row[native] for name, native in self.names.items()} for key, row in found.items()
        }

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 81}

    def _native(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {self.names[name]: value for name, value in values.items()}


async def opened(erp: Selectline, **settings: Any) -> Connector:
    """A connector for an emulator."""
    given = {"url": erp.address, "user": erp.users[0], "password": erp.password, "app_key": erp.app_key}
    return await open_connector("selectline", {**given, "tenant": "SL_MWAWI", "overlap_s": 0, **settings})


@pytest.fixture
async def erp(request: pytest.FixtureRequest) -> AsyncIterator[Selectline]:
    async with stand("selectline", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Selectline)
        yield emulator


class TestContract(FindsModified, FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, erp: Selectline) -> Documents:
        return Documents(erp)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "Documents", system.id(1), {"DisplayName": "theirs"})

    def writes(self, system: EmulatedSystem) -> int:
        asked = (told.split() for told in system.emulator.requests)
        return sum(method != "GET" and not path.startswith("/Log") for method, path, _ in asked)


Open = Callable[..., Awaitable[Connector]]


@pytest.fixture
async def opens(erp: Selectline) -> AsyncIterator[Open]:
    """Opens connectors with other settings, and closes them at the end."""
    made: list[Connector] = []

    async def open_one(**settings: Any) -> Connector:
        made.append(await opened(erp, **settings))
        return made[-1]

    yield open_one
    for one in made:
        await one.aclose()


@pytest.fixture
async def connector(opens: Open) -> Connector:
    return await opens()


def article(erp: Selectline, number: str, **values: Any) -> str:
    """A person enters an article that is kept in stock."""
    erp.person.insert(
        "Articles", {"Number": number, "Name": f"Artikel {number}", "IsWarehouseArtikel": True, **values}
    )
    return number


async def one(connector: Connector, object_name: str, write: Write) -> WriteResult:
    """One write."""
    (result,) = await connector.write(object_name, [write], [])
    return result


def sale(*lines: Mapping[str, Value], **native: Value) -> Write:
    """A new sale."""
    made: dict[str, Value] = {"KindFlag": "R", **native, "lines": tuple(line_of(one) for one in lines)}
    return Write(Op.CREATE, native=made)


# ------------------------------------------------------------------------------------------------------ session


async def test_a_second_log_in_ends_the_first_and_it_is_told_who_does_that(
    erp: Selectline, opens: Open
) -> None:
    first, second = await opens(), await opens()
    for turn in (first, second, first):
        await turn.check()
    assert erp.logins == 3
    # Somebody logs in between our log-in and the request after it, again and again.
    erp.faults.add(Fault("expire", path="^/Users/Current", times=2))
    with pytest.raises(TandemError) as caught:
        await first.check()
    assert caught.value.kind is Kind.TRANSIENT and "API user of its own" in str(caught.value.hint)
    await first.aclose()


@pytest.mark.parametrize("erp", [{"licences": "1"}], indirect=True)
async def test_a_licence_is_waited_for_and_given_back(erp: Selectline, opens: Open) -> None:
    first, second = await opens(), await opens(user=erp.users[1])
    await first.check()
    with pytest.raises(TandemError) as caught:
        await second.check()
    assert caught.value.kind is Kind.TRANSIENT and "licence" in str(caught.value.hint)
    await first.aclose()
    await second.check()


@pytest.mark.parametrize("wrong", ["password", "app_key", "user"])
async def test_who_is_not_let_in_is_told_why_and_shows_no_secret(
    erp: Selectline, opens: Open, wrong: str
) -> None:
    stranger = await opens(**{wrong: "falsches-wort"})
    with pytest.raises(TandemError) as caught:
        await stranger.check()
    assert caught.value.kind is Kind.AUTH and "02-0" in str(caught.value)
    assert "falsches-wort" not in str(caught.value)
    erp.down = True
    with pytest.raises(TandemError) as caught:
        await stranger.check()
    assert caught.value.kind is Kind.TRANSIENT


async def test_a_right_that_is_missing_refuses_the_record_and_not_the_account(
    erp: Selectline, connector: Connector
) -> None:
    erp.barred = {"/Customers"}
    refused = await one(connector, "Customers", Write(Op.CREATE, native={"Company": "Nordvin"}))
    assert refused.status is WriteStatus.REFUSED and "70-002" in refused.error
    await connector.check()


async def test_another_tenant_is_another_account(erp: Selectline, opens: Open, connector: Connector) -> None:
    stranger = await opens(tenant="SL_MANDERS", user=erp.users[1])
    with pytest.raises(TandemError) as caught:
        await stranger.check()
    assert caught.value.kind is Kind.CONFIG and "SL_MANDERS" in str(caught.value)
    assert (await connector.identity()).endswith("/sl_mwawi")
    erp.person.edit("Tenants", "SL_MWAWI", {"Address.Street": "Hafenstraße", "Address.HouseNumber": "7"})
    page = await connector.scan("Tenants", "", ["Company", "Address.Street", "Address.HouseNumber"], 10)
    (company,) = page.records
    assert company.id == "SL_MWAWI" and not page.more
    assert company.native["Address.Street"] == "Hafenstraße"


# -------------------------------------------------------------------------------------------------------- lists


async def test_what_a_list_hides_is_asked_for(erp: Selectline, connector: Connector) -> None:
    article(erp, "1", IsInactive=True)
    article(erp, "2", VariantArticleNumber="1")
    erp.person.insert("Employees", {"EmployeeNumber": "9", "LastName": "Fort", "IsInactive": True})
    found = await connector.scan("Articles", "", ["Name"], 10)
    assert [one.id for one in found.records] == ["1", "2"]
    assert [one.id for one in (await connector.scan("Employees", "", ["LastName"], 10)).records] == ["9"]
    # A key is what it is, and not what the database takes for the same.
    article(erp, "a/ö 'x'")
    assert [one.id for one in await connector.read("Articles", ["a/ö 'x'", "A/Ö 'X'"], ["Name"])] == [
        "a/ö 'x'"
    ]


async def test_a_hundred_long_keys_fit_into_what_the_web_server_takes(
    erp: Selectline, connector: Connector
) -> None:
    keys = [f"ÄÖÜ-ÄÖÜ-ÄÖÜ-{number:05d}" for number in range(60)]
    for key in keys:
        article(erp, key)
    assert len(await connector.read("Articles", keys, ["Name"])) == 60
    position, found, more = "", list[str](), True
    while more:
        page = await connector.scan("Articles", position, ["Name"], 25)
        position, more = page.cursor, page.more
        found += [one.id for one in page.records]
    assert found == keys


async def test_a_field_that_can_not_be_filtered_is_a_setting_and_no_breakdown(
    erp: Selectline, opens: Open, connector: Connector
) -> None:
    made = await opens(user=erp.users[1], objects={"Articles": {"fields": {"Barcode": "text"}}})
    with pytest.raises(TandemError) as caught:
        await made.find_by("Articles", "Barcode", "4711", ["Name"])
    assert caught.value.kind is Kind.CONFIG and "72-000" in str(caught.value)
    # IS NULL of a day is broken there: it is not asked.
    erp.person.insert("Customers", {"Number": "1", "Company": "A", "BirthDay": date(1980, 2, 3)})
    erp.person.insert("Customers", {"Number": "2", "Company": "B"})
    assert [one.id for one in await connector.find_by("Customers", "BirthDay", None, ["Company"])] == ["2"]


async def test_extra_tables_are_called_by_columns(erp: Selectline, opens: Open) -> None:
    made = await opens(modified="metadata")
    start = (await made.changes("Tills", "", ["_NUMMER"], 10)).cursor
    result = await one(made, "Tills", Write(Op.CREATE, native={"_NUMMER": "1", "_AKTIV": True}))
    assert erp.person.row("XCLOUDKASSEN", int(result.id))["_NUMMER"] == "1"
    page = await made.changes("Tills", start, ["_NUMMER", "_AKTIV"], 10)
    assert [one.native for one in page.records] == [{"_NUMMER": "1", "_AKTIV": True}]
    change = Write(Op.UPDATE, id=result.id, native={"_AKTIV": False}, seen={"_AKTIV": True})
    assert (await one(made, "Tills", change)).status is WriteStatus.DONE
    assert (await one(made, "Tills", change)).status is WriteStatus.MOVED_ON
    gone = Write(Op.DELETE, id=result.id, seen={"_AKTIV": False})
    assert (await one(made, "Tills", gone)).status is WriteStatus.DONE
    assert not erp.person.rows("XCLOUDKASSEN")


async def test_entered_is_what_stands_in_the_list(erp: Selectline, opens: Open, connector: Connector) -> None:
    for number in ("100", "101"):
        article(erp, number)
    erp.person.insert("XCLOUDKASSEARTIKEL", *({"_ARTIKELNUMMER": f"x{n}"} for n in range(12)))
    erp.person.insert("XCLOUDKASSEARTIKEL", {"_ARTIKELNUMMER": "101"})
    page = await connector.scan("Articles", "", ["Entered"], 10)
    assert {one.id: one.native["Entered"] for one in page.records} == {"100": False, "101": True}
    # What is entered changes without its record: so all is read, whatever the settings say.
    made = await opens(user=erp.users[1], modified="metadata")
    assert (made.find("Articles"), made.find("Customers")) == (Find.FULL, Find.MODIFIED)


async def test_of_a_long_list_those_are_asked_for_that_matter(erp: Selectline, connector: Connector) -> None:
    for number in ("100", "A1", "a2"):
        article(erp, number)
    entered = [
        *(f"x{n:04}" for n in range(1600)),
        "100",
        "a1",
        "a1",
    ]  # in two tills, and written as people write
    erp.person.insert("XCLOUDKASSEARTIKEL", *({"_ARTIKELNUMMER": number} for number in entered))
    erp.requests.clear()
    records = await connector.read("Articles", ["100", "A1", "a2"], ["Entered"])
    assert {one.id: one.native["Entered"] for one in records} == {"100": True, "A1": True, "a2": False}
    # The articles; two pages, by which the list is known to be long; those three.
    assert sum(told.startswith("GET ") for told in erp.requests) == 4


async def test_a_price_is_that_of_one_unit_from_the_list_or_of_a_customer(
    erp: Selectline, opens: Open
) -> None:
    article(erp, "1", **{"Payment.ListPrice": Decimal("12.50"), "Payment.PriceUnitFactor": Decimal(100)})
    article(erp, "2", **{"Payment.ListPrice": Decimal("3.1")})
    article(erp, "3")
    erp.person.insert("Customers", {"Number": "10000", "Company": "Kasse"})
    special = {"ArticleNumber": "2", "CustomerNumber": "10000", "UnitPrice": Decimal(2)}
    erp.person.insert("Prices", {**special, "Quantity": Decimal(10), "DiscountPercent": Decimal(50)})
    erp.person.insert("Prices", {**special, "Quantity": Decimal(0), "DiscountPercent": Decimal(10)})
    prices = {"list": ["0.125", "3.1", None], "customer": ["0.125", "1.8", None]}
    for source, expected in prices.items():
        made = await opens(prices=source, price_customer="10000")
        records = await made.read("Articles", ["1", "2", "3"], ["NetPrice"])
        found = [one.native["NetPrice"] for one in records]
        assert found == [Decimal(one) if one else None for one in expected]
    with pytest.raises(TandemError, match="price_customer"):
        await opens(prices="customer")


@pytest.mark.parametrize("what", ["Articles", "Employees"])
async def test_what_the_interface_only_shows_is_refused(
    erp: Selectline, connector: Connector, what: str
) -> None:
    article(erp, "1")
    erp.person.insert("Employees", {"EmployeeNumber": "1", "LastName": "A"})
    writes = (
        Write(Op.CREATE, native={"Salutation" if what == "Employees" else "Name": "X"}),
        Write(Op.UPDATE, id="1", native={"IsInactive": True}, seen={"IsInactive": None}),
        Write(Op.DELETE, id="1", seen={"IsInactive": None}),
    )
    for write in writes:
        assert (await one(connector, what, write)).status is WriteStatus.REFUSED
    assert len(erp.person.rows(what)) == 1


async def test_a_number_that_is_there_is_not_taken_over_and_stays(
    erp: Selectline, connector: Connector
) -> None:
    erp.person.insert("Customers", {"Number": "10005", "Company": "A"})
    again = await one(connector, "Customers", Write(Op.CREATE, native={"Number": "10005", "Company": "B"}))
    assert again.status is WriteStatus.REFUSED and "exists already" in again.error
    moved = Write(Op.UPDATE, id="10005", native={"Number": "10006"}, seen={"Number": "10005"})
    assert (await one(connector, "Customers", moved)).status is WriteStatus.REFUSED
    drawn = await one(connector, "Customers", Write(Op.CREATE, native={"Company": "C"}))
    assert erp.person.row("Customers", drawn.id)["Company"] == "C"


# ---------------------------------------------------------------------------------------------------- documents


async def test_a_sale_moves_the_stock_once_and_not_before_it_is_complete(
    erp: Selectline, connector: Connector
) -> None:
    article(erp, "1", **{"Warehouse.Stock": Decimal(10)})
    lines: list[dict[str, Value]] = [
        {"ArticleNumber": "1", "CalculatedQuantityValue": Decimal(2), "UnitPrice": Decimal("11.9")},
        {"ArticleNumber": "1", "CalculatedQuantityValue": Decimal("0.5"), "UnitPrice": Decimal("11.9")},
    ]
    erp.faults.add(Fault("cut", method="POST", path="/ArticleItem$", after=1, done=True))
    lost = await one(connector, "Documents", sale(*lines, OurReference="B-1", PriceKindFlag="B"))
    assert lost.status is WriteStatus.UNKNOWN
    assert erp.person.row("Articles", "1")["Warehouse.Stock"] == 10  # parked
    wanted = ["OurReference", "StatusFlag", "lines[].ArticleNumber", "lines[].CalculatedQuantityValue"]
    (found,) = await connector.find_by("Documents", "OurReference", "B-1", wanted)
    assert len(lines_of(found.native["lines"])) == 2 and found.native["StatusFlag"] == "6"
    # Completed by the write of what it shall hold.
    finish = Write(Op.UPDATE, id=found.id, native={"lines": found.native["lines"]}, seen=found.native)
    assert (await one(connector, "Documents", finish)).status is WriteStatus.DONE
    assert erp.person.row("Articles", "1")["Warehouse.Stock"] == Decimal("7.5")
    document = erp.person.row("Documents", found.id)
    assert (document["StatusFlag"], document["GrossAmount"]) == ("0", Decimal("29.75"))


async def test_sales_are_the_documents_that_are_cash_sales(erp: Selectline, connector: Connector) -> None:
    for number in range(12):
        cash = {"Payment.IsCashSale": number in (3, 11), "OurReference": f"B-{number}"}
        erp.person.insert(
            "Documents", {"DocumentKey": f"R{number}", "KindFlag": "R", "Number": f"{number}", **cash}
        )
    page = await connector.scan("Sales", "", ["OurReference", "lines[].ArticleNumber"], 100)
    assert sorted(one.id for one in page.records) == ["R11", "R3"] and page.records[0].native["lines"] == ()
    assert not await connector.find_by("Sales", "OurReference", "B-4", ["OurReference"])
    # Looked at by its id it is there, so that nobody takes it for deleted.
    assert [one.id for one in await connector.read("Sales", ["R4"], ["OurReference"])] == ["R4"]
    made = await one_sale(connector)
    assert erp.person.row("Documents", made)["KindFlag"] == "R"


async def one_sale(connector: Connector) -> str:
    """An empty sale; its id."""
    native: dict[str, Value] = {"KindFlag": "R", "Payment.IsCashSale": True}
    result = await one(connector, "Sales", Write(Op.CREATE, native=native))
    assert result.status is WriteStatus.DONE
    return result.id


async def test_a_return_needs_a_warehouse(erp: Selectline, opens: Open, connector: Connector) -> None:
    article(erp, "1", **{"Warehouse.Stock": Decimal(10)})
    back: dict[str, Value] = {"ArticleNumber": "1", "CalculatedQuantityValue": Decimal(-2)}
    refused = await one(connector, "Documents", sale(back))
    assert refused.status is WriteStatus.REFUSED and "warehouse" in refused.error
    assert not erp.person.rows("Documents")
    made = await opens(user=erp.users[1], warehouse="100")
    assert (await one(made, "Documents", sale(back))).status is WriteStatus.DONE
    assert erp.person.row("Articles", "1")["Warehouse.Stock"] == 12


@pytest.mark.parametrize("erp", [{"kinds": "R"}], indirect=True)
async def test_a_kind_that_is_not_set_up_is_told_as_unknown_and_makes_nothing(
    erp: Selectline, connector: Connector
) -> None:
    result = await one(connector, "Documents", Write(Op.CREATE, native={"KindFlag": "L"}))
    assert result.status is WriteStatus.UNKNOWN and "42-000" in result.error
    assert (await one(connector, "Documents", Write(Op.CREATE, native={}))).status is WriteStatus.REFUSED
    assert not erp.person.rows("Documents")


def test_in_the_hour_that_autumn_has_twice_nothing_is_passed_over() -> None:
    edges = (
        "2024-10-26T23:30",
        "2024-10-27T00:30",
        "2024-10-27T01:30",
        "2024-03-31T00:30",
        "2024-07-01T12:00",
    )
    for utc in edges:
        since = datetime.fromisoformat(utc).replace(tzinfo=UTC)
        told = datetime.strptime(local_time(since, "Europe/Berlin"), "'%Y%m%d %H:%M:%S'")  # noqa: DTZ007
        for minutes in range(0, 240, 10):
            later = since.timestamp() + minutes * 60
            clock = datetime.fromtimestamp(later, ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
            assert told <= clock


def test_conditions_stay_short_and_none_is_lost() -> None:
    conditions = [f"Number EQ 'ÄÖÜ{number}'" for number in range(100)]
    told = chunks(conditions)
    assert " OR ".join(told) == joined("OR", conditions) and len(told) > 1
    assert chunks([]) == []
