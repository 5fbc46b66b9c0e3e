"""WinBooks' connector: the contract on customers with a field of their third parties, and the vendor's own traps."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest
from msgspec.structs import replace

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Find, Write, WriteResult, WriteStatus
from clients.connectors.catalog import open_connector
from clients.connectors.systems.winbooks_criteria import joined
from clients.emulators.faults import Edit, Fault
from clients.emulators.stand import stand
from clients.emulators.winbooks import System as Winbooks
from tests.connectors.contract import ConnectorContract, FindsByField, FindsModified
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
NAMES = {
    "name": "CommodityCode",
    "note": "Memo",
    "amount": "ConditionalDiscountRate",
    "count": "ConditionalDiscountDays",
    "active": "IsLocked",
    "day": "LastReminderDate",
    "extra": "Third.WebSite",
}
OF_THIRD = {**NAMES, "name": "Third.Name", "extra": "CommodityCode"}


class Coded(Renamed):
    """Each new customer gets a code: the contract knows none."""

    numbers = itertools.count(1)

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        coded = [
            replace(one, native={**one.native, "Code": f"N{next(self.numbers)}"})
            if one.op is Op.CREATE
            else one
            for one in writes
        ]
        return await super().write(object_name, coded, fields)


class Customers(EmulatedSystem):
    """Somebody who keeps customers in WinBooks."""

    object_name = "Customer"
    key = "Id"
    read_path = "ExecuteCriteria"
    read_method = ""
    write_path = "^/app/(Customer|Third)/"
    names: Mapping[str, str] = NAMES

    def __init__(self, books: Winbooks) -> None:
        self.books = self.emulator = books

    async def open(self) -> Connector:
        return cast(Connector, Coded(await opened(self.books, modified="Modified"), self.names))

    def id(self, number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012d}"

    def third(self, id_: str) -> str:
        """The third party behind a customer."""
        return str(self.books.person.row("Customer", id_)["Third_Id"])

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            own, of_third = self._split(values)
            code = f"C{id_[-5:]}"
            third = self.books.enter("Third", Code=code, **{"Name": None, **of_third})
            self.books.person.insert("Customer", {"Id": id_, "Code": code, "Third_Id": third, **own})

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        own, of_third = self._split(changes)
        if of_third:
            self.books.person.edit("Third", self.third(id), of_third)
        if own:
            self.books.person.edit("Customer", id, own)

    async def delete(self, id: str) -> None:
        self.books.person.delete("Customer", id)

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        found: dict[str, Mapping[str, Value]] = {}
        for key, row in self.books.person.rows("Customer").items():
            third = self.books.person.row("Third", row["Third_Id"])
            whole = {**row, **{f"Third.{name}": value for name, value in third.items()}}
            found[str(key)] = {name: whole[native] for name, native in self.names.items()}
        return found

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 101}

    def _split(self, values: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
        native = {self.names[name]: value for name, value in values.items()}
        of_third = {name.removeprefix("Third."): value for name, value in native.items() if "." in name}
        return {name: value for name, value in native.items() if "." not in name}, of_third


class Named(Customers):
    """Who goes by the name of the third party."""

    names = OF_THIRD


async def opened(books: Winbooks, **settings: Any) -> Connector:
    """A connector for an emulator."""
    given = {"url": books.address, "email": books.email, "folder": books.folder, "calls_per_s": 0}
    token = books.options.get("exchange_token", "exchange-token")
    return await open_connector("winbooks", {**given, "exchange_token": token, "overlap_s": 0, **settings})


@pytest.fixture
async def books(request: pytest.FixtureRequest) -> AsyncIterator[Winbooks]:
    async with stand("winbooks", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Winbooks)
        yield emulator


class TestContract(FindsModified, FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, books: Winbooks) -> Customers:
        return Customers(books)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "Customer", system.id(1), {"CommodityCode": "theirs"})

    def writes(self, system: EmulatedSystem) -> int:
        asked = (told.split() for told in system.emulator.requests)
        return sum(
            method != "GET" and "ExecuteCriteria" not in path and "OAuth20" not in path
            for method, path, _ in asked
        )


class TestContractOfThirdParties(TestContract):
    """With another server's ways: chunks, empty replies, null for what is not there."""

    @pytest.fixture
    async def system(self, books: Winbooks) -> Customers:
        more = {"chunk": "3", "reply": "empty", "missing": "null", "midnight": "Brussels"}
        books.options |= {**more, "third_touches": "yes"}
        return Named(books)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "Third", cast(Customers, system).third(system.id(1)), {"Name": "theirs"})


@pytest.fixture
async def connector(books: Winbooks) -> AsyncIterator[Connector]:
    made = await opened(books)
    yield made
    await made.aclose()


def customer(books: Winbooks, code: str, **values: Any) -> str:
    """A person enters a customer."""
    third = books.enter("Third", Code=code, Name=f"Firma {code}")
    return books.enter("Customer", Code=code, Third_Id=third, **values)


async def create(connector: Connector, **native: Value) -> WriteResult:
    """One new customer."""
    values = {name.replace("Third_Name", "Third.Name"): value for name, value in native.items()}
    (result,) = await connector.write("Customer", [Write(Op.CREATE, native=values)], [])
    return result


async def test_nothing_is_known_of_a_filter_by_time_so_all_is_read(
    books: Winbooks, connector: Connector
) -> None:
    assert connector.find("Customer") is Find.FULL
    with pytest.raises(TandemError, match="changes"):
        await connector.changes("Customer", "", ["Memo"], 10)


async def test_a_customer_comes_with_his_third_party(books: Winbooks, connector: Connector) -> None:
    result = await create(connector, Code="NORDVIN", Third_Name="Nordvin", Memo="new")
    assert result.status is WriteStatus.DONE
    held = books.person.row("Customer", result.id)
    third = books.person.row("Third", held["Third_Id"])
    assert (held["Code"], held["Memo"], third["Code"], third["Name"]) == (
        "NORDVIN",
        "new",
        "NORDVIN",
        "Nordvin",
    )
    write = Write(Op.UPDATE, id=result.id, native={"Third.Name": "Nord"}, seen={"Third.Name": "Nordvin"})
    (changed,) = await connector.write("Customer", [write], [])
    assert changed.status is WriteStatus.DONE
    assert books.person.row("Third", third["Id"])["Name"] == "Nord"
    assert len(books.person.rows("Third")) == 1


async def test_a_supplier_s_third_party_is_shared_and_not_overwritten(
    books: Winbooks, connector: Connector
) -> None:
    third = books.enter("Third", Code="RIBE", Name="Ribe")
    books.enter("Supplier", Code="RIBE", Third_Id=third)
    refused = await create(connector, Code="RIBE", Third_Name="Somebody else")
    assert refused.status is WriteStatus.REFUSED and "another Name" in refused.error
    result = await create(connector, Code="RIBE", Third_Name="Ribe")
    assert result.status is WriteStatus.DONE
    assert books.person.row("Customer", result.id)["Third_Id"] == third


@pytest.mark.parametrize("books", [{"existing": "updated"}], indirect=True)
async def test_a_code_that_is_there_is_not_taken_over(books: Winbooks, connector: Connector) -> None:
    key = customer(books, "A/Ö 1", Memo="theirs")
    result = await create(connector, Code="A/Ö 1", Memo="ours")
    assert result.status is WriteStatus.REFUSED and "exists already" in result.error
    assert books.person.row("Customer", key)["Memo"] == "theirs"
    nameless = await create(connector, Memo="ours")
    assert nameless.status is WriteStatus.REFUSED and "Code" in nameless.error


async def test_a_code_is_no_id_and_stays(books: Winbooks, connector: Connector) -> None:
    key = customer(books, "100")
    assert not await connector.read("Customer", ["100"], ["Code"])
    write = Write(Op.UPDATE, id=key, native={"Code": "200"}, seen={"Code": "100"})
    (result,) = await connector.write("Customer", [write], [])
    assert result.status is WriteStatus.REFUSED
    assert books.person.row("Customer", key)["Code"] == "100"


@pytest.mark.parametrize("books", [{"reply": "empty"}], indirect=True)
async def test_made_and_not_found_again_is_unknown(books: Winbooks, connector: Connector) -> None:
    await connector.check()
    books.faults.add(Fault("cut", method="GET", path="^/app/Customer/", after=1))
    result = await create(connector, Code="LOST")
    assert result.status is WriteStatus.UNKNOWN
    (found,) = await connector.find_by("Customer", "Code", "LOST", ["Code"])
    assert len(found.id) == 36
    # What has no code can't be found at all.
    (address,) = await connector.write("Address", [Write(Op.CREATE, native={"Town": "Ribe"})], [])
    assert address.status is WriteStatus.UNKNOWN


async def test_a_folder_that_is_gone_deletes_nobody(books: Winbooks, connector: Connector) -> None:
    key = customer(books, "1")
    assert await connector.read("Customer", [key], ["Code"])
    books.folder = "MOVED"
    with pytest.raises(TandemError) as caught:
        await connector.read("Customer", [key], ["Code"])
    assert caught.value.kind is Kind.CONFIG


@pytest.mark.parametrize("midnight", ["UTC", "Brussels"])
async def test_a_day_is_the_same_day_in_winter_and_summer(
    books: Winbooks, connector: Connector, midnight: str
) -> None:
    books.options["midnight"] = midnight
    days = (date(2024, 1, 1), date(2024, 7, 1))
    keys = [customer(books, str(n), LastReminderDate=day) for n, day in enumerate(days)]
    for key, day in zip(keys, days, strict=True):
        (record,) = await connector.read("Customer", [key], ["LastReminderDate"])
        assert record.native == {"LastReminderDate": day}
        write = Write(
            Op.UPDATE,
            id=key,
            native={"LastReminderDate": day.replace(day=31)},
            seen={"LastReminderDate": day},
        )
        (result,) = await connector.write("Customer", [write], [])
        assert result.status is WriteStatus.DONE
        assert books.person.row("Customer", key)["LastReminderDate"] == day.replace(day=31)


async def test_nobody_is_no_reference(books: Winbooks, connector: Connector) -> None:
    vat = books.enter("VatAccount", Code="21", Rate=Decimal(21))
    key = customer(books, "1", Vat_Id=vat)
    write = Write(Op.UPDATE, id=key, native={"Vat_Id": None}, seen={"Vat_Id": vat})
    (result,) = await connector.write("Customer", [write], [])
    assert result.status is WriteStatus.DONE
    (record,) = await connector.read("Customer", [key], ["Vat_Id"])
    assert record.native == {"Vat_Id": None}
    assert books.person.row("Customer", key)["Vat_Id"] is None


async def test_tokens_are_renewed_and_a_lost_one_is_drawn_anew(books: Winbooks, connector: Connector) -> None:
    await connector.check()
    for _ in range(3):
        books.expire()
        await connector.check()
    assert books.exchanges == 1
    books._refresh = ""
    books.expire()
    await connector.check()
    assert books.exchanges == 2
    books.revoke()
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.AUTH and "exchange-token" not in str(caught.value)


@pytest.mark.parametrize("books", [{"chunk": "2"}], indirect=True)
async def test_objects_that_are_cut_in_two_are_put_together(books: Winbooks, connector: Connector) -> None:
    keys = {customer(books, str(n), Memo=f"memo {n}", IsLocked=False) for n in range(7)}
    page = await connector.scan("Customer", "", ["Code", "Memo", "IsLocked", "Third.Name"], 100)
    assert {one.id for one in page.records} == keys
    for one in page.records:
        code = one.native["Code"]
        told = {"Code": code, "Memo": f"memo {code}", "IsLocked": False, "Third.Name": f"Firma {code}"}
        assert one.native == told


def test_a_list_within_an_object_goes_on_in_the_next_chunk() -> None:
    first = [{"Id": "1"}, {"Id": "2", "Lines": [{"Id": "a"}, {"Id": "b", "X": 1}]}]
    more = [{"Id": "2", "Lines": [{"Id": "b", "Y": 2}, {"Id": "c"}]}, {"Id": "3"}]
    lines = [{"Id": "a"}, {"Id": "b", "X": 1, "Y": 2}, {"Id": "c"}]
    assert joined(first, more) == [{"Id": "1"}, {"Id": "2", "Lines": lines}, {"Id": "3"}]


async def test_booked_documents_are_read_and_never_written(books: Winbooks, connector: Connector) -> None:
    header = books.enter("GLTransHeader", DocNumber=7, BookDate=date(2024, 3, 1))
    line = books.enter("GLTrans", GLTransHeader_Id=header, Amount=Decimal("121.00"), LineOrder=0)
    (document,) = await connector.read("GLTransHeader", [header], ["DocNumber", "BookDate"])
    assert document.native == {"DocNumber": 7, "BookDate": date(2024, 3, 1)}
    page = await connector.scan("GLTrans", "", ["GLTransHeader_Id", "Amount"], 10)
    assert [one.native for one in page.records] == [{"GLTransHeader_Id": header, "Amount": Decimal(121)}]
    writes = [
        Write(Op.UPDATE, id=line, native={"Amount": Decimal(1)}, seen={"Amount": Decimal(121)}),
        Write(Op.CREATE, native={"LineOrder": 1}),
        Write(Op.DELETE, id=line, seen={"Amount": Decimal(121)}),
    ]
    results = await connector.write("GLTrans", writes, [])
    assert [one.status for one in results] == [WriteStatus.REFUSED] * 3
    assert books.person.row("GLTrans", line)["Amount"] == 121


@pytest.mark.parametrize("books", [{"errors": "500"}], indirect=True)
async def test_a_refusal_that_looks_like_a_breakdown_is_unknown(
    books: Winbooks, connector: Connector
) -> None:
    result = await create(connector, Code="X" * 11)
    assert result.status is WriteStatus.UNKNOWN


async def test_who_is_used_is_not_deleted(books: Winbooks, connector: Connector) -> None:
    key = customer(books, "1")
    books.enter("GLTrans", Customer_Id=key)
    (result,) = await connector.write("Customer", [Write(Op.DELETE, id=key, seen={"Code": "1"})], [])
    assert result.status is WriteStatus.REFUSED and "used" in result.error
