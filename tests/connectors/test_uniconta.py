"""Uniconta's connector: the contract on contacts with fields of their own, and the vendor's own traps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Find, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.faults import Edit, Fault
from clients.emulators.stand import stand
from clients.emulators.uniconta import System as Uniconta
from tests.connectors.contract import ConnectorContract, FindsByField, FindsModified
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
OWN = {
    "name": "text",
    "note": "text",
    "amount": "decimal",
    "count": "integer",
    "active": "boolean",
    "day": "date",
    "extra": "text",
}


class Contacts(EmulatedSystem):
    """Somebody at Uniconta who keeps contacts in fields that the company made for itself."""

    object_name = "ContactClientUser"
    key = "PrimaryKeyId"
    read_path = r"^/odata/4711/Con"
    write_path = "^/api/Entities"

    def __init__(self, erp: Uniconta) -> None:
        self.erp = self.emulator = erp
        for name, kind in OWN.items():
            erp.make_field("ContactClient", name, kind, size=250 if name == "name" else 0)

    async def open(self) -> Connector:
        inner = await opened(self.erp)
        return cast(Connector, Renamed(inner, {}, {"Name": "Contact"}))

    def table(self) -> str:
        return "ContactClient"

    def id(self, number: int) -> str:
        return str(100_000 + number)

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            self.erp.person.insert("ContactClient", {"PrimaryKeyId": int(id_), "Name": f"Contact {id_}"})
            self.erp.write_own("ContactClient", int(id_), **values)

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.erp.write_own("ContactClient", int(id), **changes)

    async def delete(self, id: str) -> None:
        self.erp.person.delete("ContactClient", int(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {
            str(key): self.erp.read_own("ContactClient", key) for key in self.erp.person.rows("ContactClient")
        }

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 251}


class Debtors(Contacts):
    """Somebody who does so with debtors, whose ids are numbers of his own."""

    object_name = "DebtorClientUser"
    key = "Account"
    read_path = r"^/odata/4711/Deb"

    def __init__(self, erp: Uniconta) -> None:
        self.erp = self.emulator = erp
        for name, kind in OWN.items():
            erp.make_field("DebtorClient", name, kind, size=250 if name == "name" else 0)

    async def open(self) -> Connector:
        inner = await opened(self.erp)
        return cast(Connector, Renamed(inner, {}, {"Name": "Debtor", "Group": "Danmark"}))

    def table(self) -> str:
        return "DebtorClient"

    def id(self, number: int) -> str:
        return f"K{number:05d}"

    def row(self, id: str) -> int:
        """The row behind a debtor's number."""
        (found,) = self.erp.person.find("DebtorClient", Account=id)
        return int(found["PrimaryKeyId"])

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            (key,) = self.erp.person.insert("DebtorClient", {"Account": id_, "Name": "D", "Group": "Danmark"})
            self.erp.write_own("DebtorClient", key, **values)

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.erp.write_own("DebtorClient", self.row(id), **changes)

    async def delete(self, id: str) -> None:
        self.erp.person.delete("DebtorClient", self.row(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        found = self.erp.person.rows("DebtorClient")
        return {row["Account"]: self.erp.read_own("DebtorClient", key) for key, row in found.items()}


async def opened(erp: Uniconta, **settings: Any) -> Connector:
    """A connector for an emulator."""
    quick = {"url": erp.address, "company": 4711, "user": "tandem", "password": "secret", "calls_per_day": 0}
    return await open_connector("uniconta", {**quick, "overlap_s": 0, **settings})


@pytest.fixture
async def erp(request: pytest.FixtureRequest) -> AsyncIterator[Uniconta]:
    async with stand("uniconta", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Uniconta)
        yield emulator


class TestContract(FindsModified, FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, erp: Uniconta) -> Contacts:
        return Contacts(erp)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        # A user-defined field is no column of the table: the edit takes its own way.
        erp, table = cast(Contacts, system).erp, system.table()
        key = int(system.id(1)) if table == "ContactClient" else cast(Debtors, system).row(system.id(1))
        erp.own[table, key][erp.field_id(table, "name")] = "theirs"
        return Edit("edit", table, key, {"Phone": "1"})


class TestContractWithNumbersAsIds(TestContract):
    @pytest.fixture
    async def system(self, erp: Uniconta) -> Contacts:
        return Debtors(erp)

    async def test_rows_that_are_not_shown_are_not_there(
        self, emulated: EmulatedSystem, connector: Connector
    ) -> None:
        system = cast(Debtors, emulated)
        await system.insert({system.id(number): {"name": "x"} for number in (1, 2)})
        system.erp.data.hidden = {("DebtorClient", str(system.row(system.id(1))))}
        page = await connector.scan(system.object_name, "", ["name"], 10)
        assert [record.id for record in page.records] == [system.id(2)]


@pytest.fixture
async def connector(erp: Uniconta) -> AsyncIterator[Connector]:
    made = await opened(erp)
    yield made
    await made.aclose()


DEBTOR = {"Account": "100", "Name": "Nordvin", "Group": "Danmark", "EAN": "5790000000000", "Blocked": False}


async def test_what_is_not_mapped_survives_a_write_of_the_whole_object(
    erp: Uniconta, connector: Connector
) -> None:
    (key,) = erp.person.insert("DebtorClient", {**DEBTOR, "CreditMax": "12.5", "Country": "Denmark"})
    erp.make_field("DebtorClient", "Region")
    erp.write_own("DebtorClient", key, Region="Jylland")
    before = erp.person.row("DebtorClient", key)
    write = Write(Op.UPDATE, id="100", native={"City": "Ribe"}, seen={"City": None})
    (result,) = await connector.write("DebtorClientUser", [write], [])
    assert result.status is WriteStatus.DONE
    after = erp.person.row("DebtorClient", key)
    assert {name for name in after if after[name] != before[name]} <= {"City", "UpdatedAt"}
    assert erp.read_own("DebtorClient", key) == {"Region": "Jylland"}


@pytest.mark.parametrize("erp", [{}, {"errors": "status"}], ids=["text in 200", "400"], indirect=True)
async def test_a_no_is_a_no_whatever_its_form(erp: Uniconta, connector: Connector) -> None:
    erp.person.insert("DebtorClient", DEBTOR)
    erp.person.insert("DebtorTransClient", {"Account": "100", "Amount": 5})
    writes = [
        Write(Op.CREATE, native={"Account": "100", "Name": "Twin", "Group": "Danmark"}),
        Write(Op.CREATE, native={"Account": "101", "Name": "No group"}),
        Write(Op.DELETE, id="100", seen={"Name": "Nordvin"}),
        Write(Op.UPDATE, id="100", native={"Name": None}, seen={"Name": "Nordvin"}),
        Write(Op.CREATE, native={"Account": "102", "Name": "Good", "Group": "Danmark"}),
    ]
    results = await connector.write("DebtorClient", writes, [])
    refused, done = WriteStatus.REFUSED, WriteStatus.DONE
    assert [result.status for result in results] == [refused, refused, refused, refused, done]
    for result, word in zip(
        results, ("Exists", "FieldCannotBeBlank", "Referred", "FieldCannotBeBlank"), strict=False
    ):
        assert word in result.error
    assert {row["Account"] for row in erp.person.rows("DebtorClient").values()} == {"100", "102"}


@pytest.mark.parametrize("erp", [{"insert_reply": "empty"}], indirect=True)
async def test_made_without_being_told_where_is_unknown_and_found_by_its_key(
    erp: Uniconta, connector: Connector
) -> None:
    native = {"Account": "7", "Name": "Ny", "Group": "Danmark"}
    (result,) = await connector.write("DebtorClient", [Write(Op.CREATE, native=native)], [])
    assert result.status is WriteStatus.UNKNOWN
    (found,) = await connector.find_by("DebtorClient", "Account", "7", ["Name"])
    assert found.native == {"Name": "Ny"}


@pytest.mark.parametrize("erp", [{"page_max": "3"}], indirect=True)
async def test_pages_that_are_cut_without_a_word_are_read_to_the_end(
    erp: Uniconta, connector: Connector
) -> None:
    cursor = (await connector.changes("DebtorClient", "", ["Name"], 10)).cursor
    erp.person.insert("DebtorClient", *({**DEBTOR, "Account": str(n)} for n in range(10)))
    for read in ("scan", "changes"):
        found: set[str] = set()
        position, more = ("" if read == "scan" else cursor), True
        while more:
            page = await getattr(connector, read)("DebtorClient", position, ["Name"], 5)
            found |= {record.id for record in page.records}
            position, more = page.cursor, page.more
        assert len(found) == 10


@pytest.mark.parametrize("erp", [{"updated_at": "no"}], indirect=True)
async def test_without_a_time_of_change_everything_is_read(erp: Uniconta) -> None:
    connector = await opened(erp, modified="none")
    assert connector.find("DebtorClient") is Find.FULL
    erp.person.insert("DebtorClient", DEBTOR)
    page = await connector.scan("DebtorClient", "", ["Account"], 10)
    assert [record.native for record in page.records] == [{"Account": "100"}]
    with pytest.raises(TandemError, match="changes"):
        await connector.changes("DebtorClient", "", ["Account"], 10)
    await connector.aclose()


async def test_a_user_defined_field_that_was_renamed_is_named(erp: Uniconta) -> None:
    field = erp.make_field("DebtorClient", "Region")
    connector = await opened(erp, metadata_s=0)
    await connector.scan("DebtorClientUser", "", ["Region"], 10)
    erp.person.edit("UserFields", field, Name="Landsdel")
    with pytest.raises(TandemError, match="Region") as caught:
        await connector.scan("DebtorClientUser", "", ["Region"], 10)
    assert caught.value.kind is Kind.CONFIG
    await connector.aclose()


async def test_a_field_that_is_never_empty_and_not_delivered_is_unknown(
    erp: Uniconta, connector: Connector
) -> None:
    erp.person.insert("DebtorClient", DEBTOR)
    await connector.scan("DebtorClient", "", ["Name"], 10)
    erp.data.absent = {("DebtorClient", "Name")}
    (record,) = await connector.read("DebtorClient", ["100"], ["Account", "Name", "City"])
    assert record.native == {"Account": "100", "City": None}


async def test_a_password_that_was_changed_is_told_and_no_secret_is(
    erp: Uniconta, connector: Connector
) -> None:
    await connector.check()
    erp.expire()
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.AUTH and "secret" not in str(caught.value)
    erp.allow()
    await connector.check()


async def test_the_calls_of_a_day_are_kept(erp: Uniconta) -> None:
    connector = await opened(erp, calls_per_day=10, calls_at_once=4)
    for _ in range(4):
        await connector.check()
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.RATE_LIMITED and (caught.value.retry_after_s or 0) > 3600
    assert len(erp.requests) == 4
    await connector.aclose()


async def test_edits_while_it_is_read_lose_nobody(erp: Uniconta, connector: Connector) -> None:
    keys = erp.person.insert("DebtorClient", *({**DEBTOR, "Account": str(n)} for n in range(9)))
    edits = (Edit("delete", "DebtorClient", keys[0]), Edit("edit", "DebtorClient", keys[8], {"City": "Ribe"}))
    erp.faults.add(Fault("edit", path="/DebtorClient", after=1, edits=edits))
    position, more, found = "", True, set()
    while more:
        page = await connector.scan("DebtorClient", position, ["City"], 2)
        found |= {record.id for record in page.records}
        position, more = page.cursor, page.more
    assert {str(number) for number in range(1, 9)} <= found
