"""webCRM and Uniconta as their users see them, for the tests of the pair: what a whole organisation, debtor, person is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from clients.emulators.description import Row
from clients.emulators.stand import stand
from clients.emulators.uniconta import System as Uniconta
from clients.emulators.webcrm import System as Webcrm
from tandem.v1 import links_pb2
from tandem_client import Tandem
from tests.spec.names import own_name
from tests.spec.pair import Pair

BLUEPRINT = "webcrm-uniconta"
NUMBER = "OrganisationExtraCustom8"


def organisation(number: int, **changed: Any) -> dict[str, Any]:
    """An organisation with all that a debtor needs, that is "Kunde"."""
    whole = {
        "OrganisationName": f"Vinhuset Nørre {number}",
        "OrganisationType": "Kunde",
        "OrganisationVatNumber": f"1234{number:04d}",
        "OrganisationAddress": f"Havnegade {number}\n2. sal",
        "OrganisationPostCode": "8000",
        "OrganisationCity": "Aarhus",
        "OrganisationCountry": "Danmark",
        "OrganisationTelephone": f"86 12 {number:02d} 00",
        "OrganisationExtraCustom1": "DKK",
        "OrganisationVatGroup": "U25",
        "OrganisationExtraCustom2": f"faktura{number}@vinhuset.example",
    }
    return whole | changed


def debtor(number: int, **changed: Any) -> dict[str, Any]:
    """The debtor that belongs to it, as Uniconta holds him."""
    whole = {
        "Account": str(10_000 + number),
        "Name": f"Vinhuset Nørre {number}",
        "CompanyRegNo": f"1234{number:04d}",
        "Address1": f"Havnegade {number}",
        "Address2": "2. sal",
        "ZipCode": "8000",
        "City": "Aarhus",
        "Country": "Denmark",
        "Phone": f"+458612{number:02d}00",
        "Currency": "DKK",
        "Vat": "U25",
        "InvoiceEmail": f"faktura{number}@vinhuset.example",
        "Group": "Danmark",
    }
    return whole | changed


def debtors(erp: Uniconta) -> dict[str, Row]:
    """All debtors by number."""
    return {row["Account"]: row for row in erp.person.rows("DebtorClient").values()}


def named(crm: Webcrm, name: str) -> Row:
    """The organisation of that name."""
    (found,) = crm.person.find("Organisations", OrganisationName=name)
    return found


def add(crm: Webcrm, *rows: dict[str, Any]) -> list[int]:
    """Enter organisations; their ids."""
    return [int(key) for key in crm.person.insert("Organisations", *rows)]


class Danish(Pair):
    """Where nothing else is said, organisations that are "Kunde" before the link are made debtors without a plan to read."""

    async def link(
        self, blueprint: str, *, rules: Mapping[str, Any] | None = None, **settings: Any
    ) -> links_pb2.Link:
        return await super().link(blueprint, rules=rules, **{"initial_create": "on", **settings})


@pytest.fixture
async def crm(request: pytest.FixtureRequest) -> AsyncIterator[Webcrm]:
    async with stand("webcrm", {"fields": "all", **getattr(request, "param", {})}) as emulator:
        assert isinstance(emulator, Webcrm)
        emulator.person.edit("Users", 1, UserEmail="admin@vin.example")
        yield emulator


@pytest.fixture
async def erp() -> AsyncIterator[Uniconta]:
    async with stand("uniconta") as emulator:
        assert isinstance(emulator, Uniconta)
        yield emulator


@pytest.fixture
async def pair(
    tandem: Tandem, crm: Webcrm, erp: Uniconta, request: pytest.FixtureRequest
) -> AsyncIterator[Pair]:
    tenant = own_name(request)
    a = {"url": crm.address, "auth_code": crm.auth_code, "overlap_s": 0, "fields_s": 1}
    b = {"url": erp.address, "company": 4711, "user": "tandem", "password": "secret", "calls_per_day": 0}
    made = Danish(tandem, tenant, ("webcrm", a), ("uniconta", {**b, "overlap_s": 0, "metadata_s": 1}))
    await made.connect()
    yield made
    await made.leave()
