"""Tribe's customers with their organisation and its invoice address, suppliers, persons; what is said by a code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.core.types import Op
from actors.core.values import Value
from actors.ports import Connector, Write, WriteStatus
from clients.emulators.data import Change
from clients.emulators.description import Refused
from clients.emulators.faults import Fault
from clients.emulators.stand import stand
from clients.emulators.tribe import System as Tribe
from clients.emulators.tribe_tables import (
    CUSTOMER,
    INVOICE,
    ORGANIZATION,
    PERSON,
    PERSON_CUSTOMER,
    PHASE,
    SUPPLIER,
)
from tests.connectors.test_tribe import opened

pytestmark = pytest.mark.anyio
ADDRESS = "Organization.InvoiceAddress."
WHOLE: dict[str, Value] = {
    "ImportId": "w-1",
    "Organization.Name": "Vin & Co",
    "Organization.DebtorNumber": "C1",
    f"{ADDRESS}Street": "Grote Markt",
    f"{ADDRESS}City": "Gent",
    f"{ADDRESS}Country.Code": "BE",
}


@pytest.fixture
async def crm() -> AsyncIterator[Tribe]:
    async with stand("tribe") as emulator:
        assert isinstance(emulator, Tribe)
        emulator.settle_down()
        yield emulator


@pytest.fixture
async def connector(crm: Tribe) -> AsyncIterator[Connector]:
    made = await opened(crm)
    yield made
    await made.aclose()


async def one(connector: Connector, name: str, write: Write) -> Any:
    (result,) = await connector.write(name, [write], [])
    return result


async def customer(connector: Connector, **more: Value) -> str:
    result = await one(connector, CUSTOMER, Write(Op.CREATE, native={**WHOLE, **more}))
    assert result.status is WriteStatus.DONE
    return str(result.id)


async def look(connector: Connector, id_: str, *names: str) -> dict[str, Value]:
    (record,) = await connector.read(CUSTOMER, [id_], names)
    return dict(record.native)


def organisation(crm: Tribe, id_: str) -> dict[str, Any]:
    return crm.person.row(ORGANIZATION, crm.person.row(CUSTOMER, id_)["Organization"])


async def test_a_customer_is_made_with_its_organisation_and_address_in_one_request(
    crm: Tribe, connector: Connector
) -> None:
    id_ = await customer(connector)
    assert await look(connector, id_, *WHOLE) == WHOLE
    assert crm.counters["POST /v1/odata/{path}"] == 1
    own = next(key for key, row in crm.person.rows(ORGANIZATION).items() if row["VisitingAddress"])
    assert crm.person.row(CUSTOMER, id_)["Relation"] == own
    (found,) = await connector.find_by(CUSTOMER, "Organization.DebtorNumber", "C1", ["ImportId"])
    assert (found.id, found.native) == (id_, {"ImportId": "w-1"})


async def test_who_comes_without_a_number_gets_one_in_his_role(crm: Tribe, connector: Connector) -> None:
    write = Write(Op.CREATE, native={"Organization.Name": "Wijnhandel"})
    made = await one(connector, SUPPLIER, write)
    (record,) = await connector.read(
        SUPPLIER, [made.id], ["Organization.CreditorNumber", "Organization.DebtorNumber", "IsActive"]
    )
    assert record.native == {
        "Organization.CreditorNumber": "10001",
        "Organization.DebtorNumber": None,
        "IsActive": True,
    }
    person = {"Person.FirstName": "Ada", "Person.LastName": "Berg", "Person.DebtorNumber": "C9"}
    made = await one(connector, PERSON_CUSTOMER, Write(Op.CREATE, native=person))
    (record,) = await connector.read(PERSON_CUSTOMER, [made.id], [*person])
    assert record.native == person


async def test_a_change_goes_to_the_record_that_it_belongs_to(crm: Tribe, connector: Connector) -> None:
    id_ = await customer(connector)
    country = crm.enter("Country", Code="NL", Name="Nederland")
    changed: dict[str, Value] = {
        "IsActive": False,
        "Organization.Name": "Vin & Zoon",
        f"{ADDRESS}City": "Breda",
        f"{ADDRESS}Country.Code": "NL",
    }
    seen = await look(connector, id_, *changed)
    result = await one(connector, CUSTOMER, Write(Op.UPDATE, id_, changed, seen))
    assert result.status is WriteStatus.DONE
    assert await look(connector, id_, *changed) == changed
    address = crm.person.row("Address", organisation(crm, id_)["InvoiceAddress"])
    assert (address["Street"], address["Country"]) == ("Grote Markt", country)
    moved = await one(connector, CUSTOMER, Write(Op.UPDATE, id_, {"Organization.Name": "X"}, seen))
    assert moved.status is WriteStatus.MOVED_ON and "Organization.Name" in moved.error


async def test_the_visiting_address_stays_though_it_is_the_invoice_address_too(
    crm: Tribe, connector: Connector
) -> None:
    id_ = await customer(connector)
    company = crm.person.row(CUSTOMER, id_)["Organization"]
    shared = organisation(crm, id_)["InvoiceAddress"]
    crm.person.edit(ORGANIZATION, company, VisitingAddress=shared)
    write = Write(Op.UPDATE, id_, {f"{ADDRESS}City": "Luik"}, {f"{ADDRESS}City": "Gent"})
    assert (await one(connector, CUSTOMER, write)).status is WriteStatus.DONE
    row = organisation(crm, id_)
    assert row["VisitingAddress"] == shared != row["InvoiceAddress"]
    assert crm.person.row("Address", shared)["City"] == "Gent"
    own = crm.person.row("Address", row["InvoiceAddress"])
    assert (own["City"], own["Street"]) == ("Luik", "Grote Markt")
    # Who has none gets one.
    crm.person.edit(ORGANIZATION, company, InvoiceAddress=None)
    assert await look(connector, id_, f"{ADDRESS}City") == {f"{ADDRESS}City": None}
    write = Write(Op.UPDATE, id_, {f"{ADDRESS}City": "Namur"}, {f"{ADDRESS}City": None})
    assert (await one(connector, CUSTOMER, write)).status is WriteStatus.DONE
    assert await look(connector, id_, f"{ADDRESS}City") == {f"{ADDRESS}City": "Namur"}


async def test_where_a_part_is_refused_nothing_is_changed_and_a_lost_reply_is_told(
    crm: Tribe, connector: Connector
) -> None:
    id_ = await customer(connector)

    def no_breda(change: Change) -> None:
        if change.table == "Address" and change.after is not None and change.after["City"] == "Breda":
            raise Refused("no such town")

    crm.data.guards.append(no_breda)
    changed: dict[str, Value] = {"Organization.Name": "Vin & Zoon", f"{ADDRESS}City": "Breda"}
    seen = await look(connector, id_, *changed)
    result = await one(connector, CUSTOMER, Write(Op.UPDATE, id_, changed, seen))
    assert (result.status, "no such town" in result.error) == (WriteStatus.REFUSED, True)
    assert await look(connector, id_, *changed) == seen
    crm.data.guards.remove(no_breda)
    crm.faults.add(Fault("cut", method="PUT", path="Address", done=True))
    result = await one(connector, CUSTOMER, Write(Op.UPDATE, id_, changed, seen))
    assert result.status is WriteStatus.UNKNOWN
    assert await look(connector, id_, *changed) == changed
    gone = {f"{ADDRESS}Country.Code": "XX"}
    result = await one(connector, CUSTOMER, Write(Op.UPDATE, id_, gone, {f"{ADDRESS}Country.Code": "BE"}))
    assert (result.status, "XX" in result.error) == (WriteStatus.REFUSED, True)


async def test_a_phase_is_said_by_its_code(crm: Tribe, connector: Connector) -> None:
    sent, paid = (crm.enter(PHASE, Code=code, Name=code) for code in ("Sent", "Paid"))
    key = crm.enter(INVOICE, Subject="Wine", Phase=sent)
    write = Write(Op.UPDATE, key, {"Phase.Code": "Paid"}, {"Phase.Code": "Sent"})
    assert (await one(connector, INVOICE, write)).status is WriteStatus.DONE
    assert crm.person.row(INVOICE, key)["Phase"] == paid
    (record,) = await connector.find_by(INVOICE, "Phase.Code", "Paid", ["Number"])
    assert record.native == {"Number": crm.person.row(INVOICE, key)["Number"]}


async def test_a_change_of_the_organisation_is_one_of_its_customer(crm: Tribe) -> None:
    connector = await opened(crm, modified="LastMutationDate")
    id_ = await customer(connector)
    cursor = (await connector.changes(CUSTOMER, "", ["Organization.Name"], 10)).cursor
    address = organisation(crm, id_)["InvoiceAddress"]
    crm.person.edit("Address", address, City="Brugge")
    page = await connector.changes(CUSTOMER, cursor, [f"{ADDRESS}City"], 10)
    await connector.aclose()
    assert [(record.id, record.native) for record in page.records] == [(id_, {f"{ADDRESS}City": "Brugge"})]


async def test_the_own_organisation_says_its_country(connector: Connector) -> None:
    name = "Organization.VisitingAddress.Country.Code"
    page = await connector.scan("Relationship_Organization_Identity", "", [name], 10)
    assert [record.native for record in page.records] == [{name: "BE"}]
    infos = {info.name: info for info in await connector.describe()}
    fields = {field.name: field.writable for field in infos[CUSTOMER].fields}
    assert fields["Organization.InvoiceAddress.City"] and PERSON in infos
    assert not any(field.writable for field in infos["Relationship_Organization_Identity"].fields)
