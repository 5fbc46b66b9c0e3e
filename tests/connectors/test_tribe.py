"""Tribe's connector: the contract on organisations with fields of their own, and the vendor's own traps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Find, Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.emulator import Limit
from clients.emulators.faults import Edit
from clients.emulators.stand import stand
from clients.emulators.tribe import System as Tribe
from clients.emulators.tribe_tables import CONTACT, CUSTOMER, ORGANIZATION, PERSON
from tests.connectors.contract import ConnectorContract, FindsByField, FindsModified
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
NAMES = {
    "name": "ChamberOfCommerceNumber",
    "note": "_Remark",
    "amount": "_Margin",
    "count": "NumberOfEmployees",
    "active": "_Active",
    "day": "FoundingDate",
    "extra": "_Extra",
}
OWN = {
    ORGANIZATION: {
        "fields": {"_Remark": "text", "_Extra": "text", "_Margin": "decimal", "_Active": "boolean"}
    }
}


class Organisations(EmulatedSystem):
    """Somebody who keeps organisations in Tribe."""

    object_name = ORGANIZATION
    key = "ID"
    read_path = "^/v1/odata/Relation_Organization"
    write_path = "^/v1/odata/Relation_Organization"

    def __init__(self, crm: Tribe) -> None:
        self.crm = self.emulator = crm

    async def open(self) -> Connector:
        inner = await opened(self.crm, modified="LastMutationDate", objects=OWN)
        return cast(Connector, Renamed(inner, NAMES, {"Name": "Nordvin"}))

    def id(self, number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012d}"

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            self.crm.person.insert(ORGANIZATION, {"ID": id_, "Name": "N", **_native(values)})

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.crm.person.edit(ORGANIZATION, id, _native(changes))

    async def delete(self, id: str) -> None:
        self.crm.person.delete(ORGANIZATION, id)

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {
            str(key): {name: row[native] for name, native in NAMES.items()}
            for key, row in self.crm.person.rows(ORGANIZATION).items()
        }

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 101}


def _native(values: Mapping[str, Value]) -> dict[str, Value]:
    return {NAMES[name]: value for name, value in values.items()}


async def opened(crm: Tribe, **settings: Any) -> Connector:
    """A connector for an emulator."""
    given = {
        "url": crm.address,
        "auth_url": crm.address,
        "client_id": "tandem",
        "client_secret": "client-secret",
    }
    return await open_connector("tribe", {**given, "calls_per_minute": 0, "overlap_s": 0, **settings})


@pytest.fixture
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[Tribe]:
    async with stand("tribe", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, Tribe)
        yield emulator


class TestContract(FindsModified, FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, crm: Tribe) -> Organisations:
        return Organisations(crm)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", ORGANIZATION, system.id(1), {NAMES["name"]: "theirs"})

    def writes(self, system: EmulatedSystem) -> int:
        asked = [told.split() for told in system.emulator.requests]
        return sum(method != "GET" and "oauth2" not in path for method, path, _ in asked)


@pytest.fixture
async def connector(crm: Tribe) -> AsyncIterator[Connector]:
    made = await opened(crm)
    yield made
    await made.aclose()


async def test_whether_there_is_a_time_of_change_is_not_known_so_all_is_read(
    crm: Tribe, connector: Connector
) -> None:
    assert connector.find(PERSON) is Find.FULL
    crm.options["dates"] = "no"
    crm.enter(PERSON, LastName="Traube")
    assert len((await connector.scan(PERSON, "", ["LastName"], 10)).records) == 1
    with pytest.raises(TandemError, match="changes"):
        await connector.changes(PERSON, "", ["LastName"], 10)
    timed = await opened(crm, modified="LastMutationDate")
    with pytest.raises(TandemError) as caught:
        await timed.changes(PERSON, "", ["LastName"], 10)
    await timed.aclose()
    assert caught.value.kind is Kind.CONFIG and "LastMutationDate" in str(caught.value)


async def test_what_was_never_edited_has_no_time_of_change_and_is_found(crm: Tribe) -> None:
    connector = await opened(crm, modified="LastMutationDate")
    cursor = (await connector.changes(PERSON, "", ["LastName"], 10)).cursor
    key = crm.enter(PERSON, LastName="Traube")
    assert crm.person.row(PERSON, key)["LastMutationDate"] is None
    page = await connector.changes(PERSON, cursor, ["LastName"], 10)
    await connector.aclose()
    assert [one.id for one in page.records] == [key]


async def test_references_are_objects_with_an_id_and_nobody_is_null(crm: Tribe, connector: Connector) -> None:
    parent, company = (crm.enter(ORGANIZATION, Name=name) for name in ("Ours", "Nordvin"))
    native: dict[str, Value] = {"Organization": company, "Relation": parent, "PaymentTermInDays": 30}
    (made,) = await connector.write(CUSTOMER, [Write(Op.CREATE, native=native)], [])
    assert made.status is WriteStatus.DONE
    assert {name: crm.person.row(CUSTOMER, made.id)[name] for name in native} == native
    fields = ["Organization", "AccountManager", "PaymentTermInDays"]
    (record,) = await connector.find_by(CUSTOMER, "Organization", company, fields)
    assert record.native == {"Organization": company, "AccountManager": None, "PaymentTermInDays": 30}
    write = Write(Op.UPDATE, id=made.id, native={"Organization": None}, seen={"Organization": company})
    (done,) = await connector.write(CUSTOMER, [write], [])
    assert done.status is WriteStatus.DONE
    (record,) = await connector.read(CUSTOMER, [made.id], ["Organization"])
    assert record.native == {"Organization": None}


@pytest.mark.parametrize(
    "crm", [{"invoices": "no", "missing": status} for status in ("400", "404", "500")], indirect=True
)
async def test_a_module_that_is_not_there_is_no_breakdown(crm: Tribe, connector: Connector) -> None:
    with pytest.raises(TandemError) as caught:
        await connector.scan("Activity_Invoice", "", ["Subject"], 10)
    assert caught.value.kind is Kind.CONFIG and "Billing" in caught.value.hint


async def test_case_does_not_count_there_and_does_here(crm: Tribe, connector: Connector) -> None:
    crm.enter(PERSON, LastName="O'HARA")
    key = crm.enter(PERSON, LastName="O'Hara")
    found = await connector.find_by(PERSON, "LastName", "O'Hara", ["LastName"])
    assert [one.id for one in found] == [key]


async def test_more_than_a_page_is_read_to_the_end(crm: Tribe, connector: Connector) -> None:
    keys = {crm.enter(PERSON, LastName=str(number)) for number in range(250)}
    found, position, more = set[str](), "", True
    while more:
        page = await connector.scan(PERSON, position, ["LastName"], 1000)
        found |= {record.id for record in page.records}
        position, more = page.cursor, page.more
    assert found == keys


async def test_who_is_referred_to_stays(crm: Tribe, connector: Connector) -> None:
    company, person = crm.enter(ORGANIZATION, Name="Nordvin"), crm.enter(PERSON, LastName="Traube")
    crm.enter(CONTACT, Relation=company, Person=person)
    (result,) = await connector.write(PERSON, [Write(Op.DELETE, id=person, seen={"LastName": "Traube"})], [])
    assert result.status is WriteStatus.REFUSED and CONTACT in result.error


async def test_a_token_is_drawn_once_and_anew(crm: Tribe, connector: Connector) -> None:
    await connector.check()
    crm.expire()
    assert await connector.identity() == f"tribe:{crm.identity}"
    assert crm.counters["POST /oauth2/token"] == 2
    crm.client_secret = "another"
    crm.expire()
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.AUTH and "client-secret" not in str(caught.value)


async def test_a_limit_without_a_word_is_a_minute(crm: Tribe, connector: Connector) -> None:
    await connector.check()
    crm.limit = Limit(requests=1, seconds=60)
    await connector.check()
    with pytest.raises(TandemError) as caught:
        await connector.check()
    assert caught.value.kind is Kind.RATE_LIMITED and caught.value.retry_after_s == 60
