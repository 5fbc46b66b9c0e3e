"""Sage 50 and Sage Sales Management as a test sees them: rows of both, by the account code, the people in front of them, and
the link between them under the built-in blueprint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clients.emulators.description import Row
from clients.emulators.sage50fr import System as Sage
from clients.emulators.sage_sales_management import System as Sales
from clients.emulators.stand import stand
from daemon import blueprints
from tandem.v1 import links_pb2, runs_pb2
from tandem_client import Tandem
from tests.spec.names import own_name
from tests.spec.pair import Pair

BLUEPRINT = "sage50fr-sage-sales-management"

PROSPECT, CLIENT = 1, 2  # statuses of Sales Management
ADMIN, SELLER = 1, 2  # users
FRANCE = 1


def client(code: str, **changes: Any) -> Row:
    """A customer or prospect of Sage 50."""
    plain = {
        "Code": code,
        "Nom": code.title(),
        "Société": f"Maison {code.title()}",
        "Adresse 1": "1 rue des Vignes",
        "Code Postal": "33000",
        "Ville": "Bordeaux",
        "Pays": "France",
        "Téléphone": "+33 5 56 00 00 01",
        "E-mail": f"{code.lower()}@example.org",
    }
    return {**plain, **changes}


def company(name: str, **changes: Any) -> Row:
    """A company of Sales Management, as a seller enters it."""
    plain = {"name": name, "branchId": 1, "salesRepId1": SELLER, "statusId": PROSPECT, "countryId": FRANCE}
    return {**plain, **changes}


class Both:
    """The two systems of one test."""

    def __init__(self, sage: Sage, sales: Sales) -> None:
        self.sage = sage
        self.sales = sales
        self.sales.person.insert("users", {"name": "Claire", "lastName": "Petit"})

    def enter(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Somebody at Sage 50 enters rows."""
        self.sage.person.insert(table, *rows)

    def companies(self, **values: Any) -> dict[str, Row]:
        """Companies of Sales Management that are not deleted, by code."""
        found = self.sales.person.find("accounts", deleted=False, **values)
        return {str(row["extId"]): row for row in found}

    def company(self, code: str) -> Row:
        """The company with a code, deleted or not, the newest of several; an empty row where there is none."""
        found = self.sales.person.find("accounts", extId=code)
        return found[-1] if found else {}

    def edit(self, code: str, **values: Any) -> None:
        """Somebody at Sales Management changes a company."""
        self.sales.person.edit("accounts", self.company(code)["id"], values)

    def shown(self, table: str, code: str) -> Row:
        """A record of another table of Sales Management by its code; an empty row where there is none."""
        found = self.sales.person.find(table, extId=code)
        return found[-1] if found else {}

    def contacts(self) -> dict[str, Row]:
        """Contacts of Sales Management that are not deleted, by their last name."""
        return {row["lastName"]: row for row in self.sales.person.find("contacts", deleted=False)}

    def rows(self, table: str) -> dict[str, Row]:
        """Rows of Sage 50, by code."""
        return self.sage.rows(table)


@pytest.fixture
async def both(home: Path, request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    given = getattr(request, "param", {})
    async with (
        stand("sage50fr", {"folder": str(home / "dossier")}) as sage,
        stand("sage_sales_management", {"limit": "off", **given}) as sales,
    ):
        assert isinstance(sage, Sage) and isinstance(sales, Sales)
        yield Both(sage, sales)


@pytest.fixture
async def pair(tandem: Tandem, both: Both, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    tenant = own_name(request)
    a = {"path": both.sage.address, "quiet_s": 0, "take_in_max_s": 5}
    b = {
        "url": f"{both.sales.address}/api/v4",
        "public_key": "public",
        "private_key": "private",
        "rate_per_s": 0,
    }
    made = Pair(tandem, tenant, ("sage50fr", a), ("sage_sales_management", {**b, "overlap_s": 1}))
    await made.connect()
    yield made
    await made.leave()


async def linked(pair: Pair, rules: dict[str, Any] | None = None, **settings: Any) -> None:
    """The link as it is set up, without its schedule, and at rest."""
    await made(pair, rules, **settings)
    await activated(pair)
    await pair.quiet()


async def made(pair: Pair, rules: dict[str, Any] | None = None, **settings: Any) -> None:
    """The link, being set up."""
    request = links_pb2.CreateLinkRequest(
        tenant=pair.tenant, name=pair.name, a="a", b="b", blueprint=blueprints.text(BLUEPRINT)
    )
    await pair.tandem.links.CreateLink(request)
    await pair.change({**INSTANT, **chosen(**settings), **(rules or {})})


async def activated(pair: Pair) -> None:
    """What every link has to be given is given, and it works."""
    prepare = links_pb2.PrepareLinkRequest(link=pair.name, tenant=pair.tenant)
    prepare.settings.update({"administrator": ADMIN, "branch": 1})  # as tandemctl sends them
    await pair.tandem.links.PrepareLink(prepare)
    await pair.tandem.links.ActivateLink(links_pb2.ActivateLinkRequest(link=pair.name, tenant=pair.tenant))


def contact(code: str, customer: str, name: str, **changes: Any) -> dict[str, Any]:
    """An address of Sage 50, marked as a contact address."""
    return {"Code adresse": code, "Code client": customer, "Adresse de contact": True, "Nom": name, **changes}


def person(account: int, first: str, last: str, **changes: Any) -> dict[str, Any]:
    """A contact of Sales Management."""
    return {"accountId": account, "firstName": first, "lastName": last, "salesRepId": SELLER, **changes}


def invoice(number: str, customer: str, **changes: Any) -> dict[str, Any]:
    """An invoice of Sage 50."""
    plain = {"N° pièce": number, "Type de pièce": "Facture", "Client": customer, "Date Pièce": "2026-01-31"}
    return {**plain, "Total TTC": 120, "Solde Dû": 120, **changes}


INSTANT: dict[str, Any] = {"a": {"poll": "1s"}, "b": {"poll": "1s"}, "delivery": "instant"}


def chosen(**values: Any) -> dict[str, Any]:
    """Settings of the blueprint that are otherwise here."""
    return {"settings": {name: {"default": value} for name, value in values.items()}} if values else {}


async def waits(pair: Pair) -> bool:
    """Whether anything waits for its schedule."""
    return any(one.waiting for one in (await pair.shown()).deliveries)


async def listed(pair: Pair, words: str) -> bool:
    """Whether the protocol of a run names a record that waits for this reason."""
    of = runs_pb2.ListRunsRequest(link=pair.name, tenant=pair.tenant, page_size=100)
    for run in (await pair.tandem.runs.ListRuns(of)).runs:
        request = runs_pb2.ListRunItemsRequest(run=run.id, state="parked", page_size=100)
        items = (await pair.tandem.runs.ListRunItems(request)).items
        if any(words in item.reason for item in items):
            return True
    return False
