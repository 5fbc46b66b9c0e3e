"""webCRM's connector: the contract on quotation lines (the one kind with deletes), and the vendor's own traps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.faults import Edit, Fault
from clients.emulators.stand import stand
from clients.emulators.webcrm import System as Webcrm
from tests.connectors.contract import ConnectorContract, FindsByField, FindsModified, scan
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
NAMES = {
    "name": "QuotationLineData1",
    "note": "QuotationLineMemo",
    "amount": "QuotationLineData5",
    "count": "QuotationLineData6",
    "active": "QuotationLineData7",
    "day": "QuotationLineData8",
    "extra": "QuotationLineComment",
}
OWN = {
    "QuotationLineData5": "decimal",
    "QuotationLineData6": "integer",
    "QuotationLineData7": "boolean",
    "QuotationLineData8": "date",
}


class Lines(EmulatedSystem):
    """Somebody at webCRM who writes lines of quotations; numbers, days and ticks are texts there."""

    object_name = "QuotationLines"
    key = "QuotationLineId"
    read_path = "^/Queries"
    write_path = "^/QuotationLines"

    def __init__(self, crm: Webcrm) -> None:
        self.crm = self.emulator = crm

    async def open(self) -> Connector:
        inner = await opened(self.crm, objects={"QuotationLines": {"fields": OWN}})
        return cast(Connector, Renamed(inner, NAMES, {"QuotationLineOpportunityId": 1}))

    def id(self, number: int) -> str:
        return str(100_000 + number)

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            row = {NAMES[name]: written(value) for name, value in values.items()}
            self.crm.person.insert(
                "QuotationLines", {**row, "QuotationLineId": int(id_), "QuotationLineOpportunityId": 1}
            )

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        values = {NAMES[name]: written(value) for name, value in changes.items()}
        self.crm.person.edit("QuotationLines", int(id), values)

    async def delete(self, id: str) -> None:
        self.crm.person.delete("QuotationLines", int(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        found = self.crm.person.rows("QuotationLines")
        return {
            str(key): {name: meant(name, row[native]) for name, native in NAMES.items()}
            for key, row in found.items()
        }

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 251}


def written(value: Value) -> Any:
    """As a person sees it in a field that is a text."""
    if isinstance(value, bool):
        return "Yes" if value else ""
    return value if value is None or isinstance(value, str) else str(value)


def meant(name: str, text: Any) -> Value:
    """What a text in such a field means."""
    if name in ("name", "note", "extra") or text is None:
        return cast(Value, text)
    if name == "active":
        return bool(text == "Yes")
    if not text:
        return None
    return date.fromisoformat(text) if name == "day" else Decimal(text) if name == "amount" else int(text)


async def opened(crm: Webcrm, **settings: Any) -> Connector:
    """A connector for an emulator."""
    quick = {"url": crm.address, "auth_code": crm.auth_code, "overlap_s": 0, "requests_per_s": 0}
    return await open_connector("webcrm", {**quick, **settings})


@pytest.fixture
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[Webcrm]:
    async with stand("webcrm", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Webcrm)
        yield emulator


class TestContract(FindsModified, FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, crm: Webcrm) -> Lines:
        return Lines(crm)

    def method(self, system: EmulatedSystem, what: str) -> str:
        return {"create": "PATCH", "update": "PUT", "delete": "DELETE"}[what]

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "QuotationLines", int(system.id(1)), {"QuotationLineData1": "theirs"})


async def test_a_token_that_ends_in_the_middle_is_drawn_anew(crm: Webcrm) -> None:
    system = Lines(crm)
    await system.insert({system.id(number): {"name": f"Line {number}"} for number in range(1, 8)})
    connector = await system.open()
    crm.faults.add(Fault("expire", path="^/Queries", after=2))
    assert len(await scan(connector, system, limit=2)) == 7
    assert crm.counters["POST /Auth/ApiLogin"] == 2
    await connector.aclose()


@pytest.mark.parametrize("crm", [{}, {"login_failure": "status"}], ids=["inside 200", "401"], indirect=True)
async def test_a_wrong_code_is_told_whatever_form_the_no_has(crm: Webcrm) -> None:
    connector = await opened(crm, auth_code="wrong-code-of-somebody")
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.AUTH and "wrong-code" not in str(caught.value)
    await connector.aclose()


@pytest.fixture
async def connector(crm: Webcrm) -> AsyncIterator[Connector]:
    made = await opened(crm)
    yield made
    await made.aclose()


async def test_what_is_not_mapped_survives_a_write_of_the_whole_object(
    crm: Webcrm, connector: Connector
) -> None:
    held = {
        "OrganisationName": "Nordvin",
        "OrganisationOwner": 7,
        "OrganisationXDate1": "2024-07-01T00:00:00+02:00",
        "OrganisationType": "Kunde",
        "OrganisationCustom3": "theirs",
    }
    (id_,) = crm.person.insert("Organisations", held)
    before = crm.person.row("Organisations", id_)
    (record,) = await connector.read("Organisations", [str(id_)], ["OrganisationCity", "OrganisationXDate2"])
    assert record.native == {"OrganisationCity": None, "OrganisationXDate2": None}
    write = Write(Op.UPDATE, id=str(id_), native={"OrganisationCity": "Ribe"}, seen=record.native)
    (result,) = await connector.write("Organisations", [write], [])
    assert result.status is WriteStatus.DONE
    after = crm.person.row("Organisations", id_)
    changed = {name for name in after if after[name] != before[name] and after[name]}
    assert changed <= {"OrganisationCity", "OrganisationUpdatedAt"} and after["OrganisationCity"] == "Ribe"
    assert not [name for name in before if before[name] and not after[name]]


async def test_nothing_chosen_no_date_and_no_reference_are_null(crm: Webcrm, connector: Connector) -> None:
    (id_,) = crm.person.insert("Organisations", {"OrganisationName": "Nordvin"})
    names = ["OrganisationType", "OrganisationXDate1", "OrganisationOwner", "OrganisationXInt1"]
    (record,) = await connector.read("Organisations", [str(id_)], names)
    assert record.native == {**dict.fromkeys(names), "OrganisationXInt1": 0}
    for name, value in (("OrganisationType", "Kunde"), ("OrganisationOwner", 5)):
        write = Write(Op.UPDATE, id=str(id_), native={name: value}, seen={name: None})
        back = Write(Op.UPDATE, id=str(id_), native={name: None}, seen={name: value})
        results = await connector.write("Organisations", [write, back], [])
        assert [result.status for result in results] == [WriteStatus.DONE] * 2
    (again,) = await connector.read("Organisations", [str(id_)], names)
    assert again.native == record.native


async def test_what_can_not_be_deleted_or_moved_is_refused_in_words(
    crm: Webcrm, connector: Connector
) -> None:
    one, two = crm.person.insert("Organisations", {"OrganisationName": "A"}, {"OrganisationName": "B"})
    (person,) = crm.person.insert("Persons", {"PersonLastName": "Holm", "PersonOrganisationId": one})
    (gone,) = await connector.write("Organisations", [Write(Op.DELETE, id=str(two))], [])
    assert gone.status is WriteStatus.REFUSED and "no way to delete" in gone.error
    seen = {"PersonOrganisationId": one}
    move = Write(Op.UPDATE, id=str(person), native={"PersonOrganisationId": two}, seen=seen)
    (moved,) = await connector.write("Persons", [move], [])
    assert moved.status is WriteStatus.REFUSED and "PersonOrganisationId" in moved.error
    assert crm.counters["PUT /Persons/{id}"] == 0


async def test_new_ones_go_in_one_request_and_the_bad_one_is_named(crm: Webcrm, connector: Connector) -> None:
    names = [*(f"Firma {n}" for n in range(10)), None, "x" * 201]
    writes = [Write(Op.CREATE, native={"OrganisationName": name}) for name in names]
    results = await connector.write("Organisations", writes, [])
    assert [result.status is WriteStatus.DONE for result in results] == [True] * 10 + [False] * 2
    assert crm.counters["PATCH /Organisations"] == 2  # the second time with the two that were refused
    made = crm.person.rows("Organisations")
    assert [made[int(result.id)]["OrganisationName"] for result in results[:10]] == names[:10]
    assert all("OrganisationName" in result.error for result in results[10:])


@pytest.mark.parametrize("crm", [{"race": "3"}], indirect=True)
async def test_ids_that_were_drawn_at_once_are_drawn_again(crm: Webcrm, connector: Connector) -> None:
    writes = [Write(Op.CREATE, native={"UserName": f"User {n}"}) for n in range(4)]
    results = await connector.write("Users", writes, [])
    assert [result.status for result in results] == [WriteStatus.DONE] * 4
    assert len({result.id for result in results}) == 4 and len(crm.person.rows("Users")) == 5


@pytest.mark.parametrize("crm", [{"fields": "standard"}], indirect=True)
async def test_a_user_defined_field_is_there_once_somebody_made_it(crm: Webcrm) -> None:
    connector = await opened(crm, fields_s=0)
    with pytest.raises(TandemError, match="OrganisationCustom1") as caught:
        await connector.scan("Organisations", "", ["OrganisationCustom1"], 10)
    assert caught.value.kind is Kind.CONFIG
    row = {"DbName": "OrganisationCustom1", "EntityType": "Organisation", "Label": "Debitornummer"}
    crm.person.insert("FieldsMetadata", row)
    await connector.scan("Organisations", "", ["OrganisationCustom1"], 10)
    crm.person.edit("FieldsMetadata", "OrganisationCustom1", Label="Kundenr.")  # renaming changes nothing
    await connector.scan("Organisations", "", ["OrganisationCustom1"], 10)
    await connector.aclose()


async def test_a_field_that_is_not_delivered_is_unknown(crm: Webcrm, connector: Connector) -> None:
    (id_,) = crm.person.insert("Organisations", {"OrganisationName": "A", "OrganisationCity": "Ribe"})
    crm.data.absent = {("Organisations", "OrganisationCity")}
    (record,) = await connector.read("Organisations", [str(id_)], ["OrganisationName", "OrganisationCity"])
    assert record.native == {"OrganisationName": "A"}
    write = Write(
        Op.UPDATE, id=str(id_), native={"OrganisationCity": "Vejle"}, seen={"OrganisationCity": "Ribe"}
    )
    (result,) = await connector.write("Organisations", [write], [])
    assert result.status is WriteStatus.MOVED_ON


async def test_a_clock_that_goes_wrong_loses_no_change(crm: Webcrm, connector: Connector) -> None:
    crm.data.skew_s = -7200
    cursor = (await connector.changes("Persons", "", ["PersonLastName"], 10)).cursor
    crm.person.insert("Persons", *({"PersonLastName": f"P{n}"} for n in range(5)))
    found: set[str] = set()
    more = True
    while more:
        page = await connector.changes("Persons", cursor, ["PersonLastName"], 2)
        found |= {str(record.native["PersonLastName"]) for record in page.records}
        cursor, more = page.cursor, page.more
    assert found == {f"P{n}" for n in range(5)}


async def test_two_accounts_are_not_the_same_one(crm: Webcrm, connector: Connector) -> None:
    assert await connector.identity() == await connector.identity()
    named = await opened(crm, account="4711")
    assert await named.identity() == "webcrm:4711"
    async with stand("webcrm") as other:
        assert isinstance(other, Webcrm)
        other.person.edit("Users", 1, UserName="Somebody else")
        other.data.tables["Users"][1]["UserCreatedAt"] = datetime(2019, 1, 2, tzinfo=UTC)
        stranger = await opened(other)
        assert await stranger.identity() != await connector.identity()
        await stranger.aclose()
    await named.aclose()
