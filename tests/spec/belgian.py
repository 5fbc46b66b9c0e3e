"""Tribe CRM and Winbooks as their users see them, for the tests of the pair: relations and invoices by their numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from clients.emulators.description import Row
from clients.emulators.stand import stand
from clients.emulators.tribe import System as Tribe
from clients.emulators.tribe_tables import (
    CUSTOMER,
    INVOICE,
    LINE,
    ORGANIZATION,
    PERSON,
    PERSON_CUSTOMER,
    PHASE,
    SUPPLIER,
    VAT_GROUP,
)
from clients.emulators.winbooks import System as Winbooks
from clients.emulators.winbooks_documents import Bookkeeper
from daemon import blueprints
from tandem.v1 import links_pb2
from tandem_client import Tandem
from tests.spec.names import own_name
from tests.spec.pair import Pair, struct

BLUEPRINT = "tribe-winbooks"
CHOSEN: Mapping[str, Any] = {
    "journal": "VEN",
    "customers_as": "organisation",
    "vat_codes": {"HIGH": "21", "LOW": "06"},
}
QUICK = {"a": {"poll": "1s"}, "b": {"poll": "1s"}}
RELATIONS = {CUSTOMER: "Organization", SUPPLIER: "Organization", PERSON_CUSTOMER: "Person"}


class Both:
    """The people in front of both systems."""

    def __init__(self, crm: Tribe, books: Winbooks) -> None:
        self.crm, self.books = crm, books
        self.keeper = Bookkeeper(books)
        self.keeper.open_year(2026)
        self.country = crm.settle_down("BE")
        abroad = crm.enter("Country", Code="NL", Name="Nederland")
        for code, where in (("HIGH", self.country), ("LOW", self.country), ("HOOG", abroad)):
            crm.enter(VAT_GROUP, Code=code, Name=code, Country=where)
        self.phases = {code: crm.enter(PHASE, Code=code, Name=code) for code in ("Draft", "Sent", "Paid")}
        self._own = next(key for key, row in crm.person.rows(ORGANIZATION).items() if row["VisitingAddress"])

    # ------------------------------------------------------------------------------------------------ relations

    def customer(self, table: str = CUSTOMER, **values: Any) -> str:
        """A new customer or supplier of Tribe; `Address.` in front of what belongs to his invoice address. His id."""
        address = {n.removeprefix("Address."): v for n, v in values.items() if n.startswith("Address.")}
        about = {n: v for n, v in values.items() if not n.startswith("Address.")}
        if address:
            about["InvoiceAddress"] = self.crm.enter("Address", Country=self.country, **address)
        link = RELATIONS[table]
        party = self.crm.enter(ORGANIZATION if link == "Organization" else PERSON, **about)
        return self.crm.enter(table, Relation=self._own, **{link: party})

    def relation(self, key: str) -> Row:
        """A customer or supplier of Tribe, by his id, with what he is and his invoice address; {} where there is none."""
        for table, link in RELATIONS.items():
            row = self.crm.person.rows(table).get(key)
            if row is not None:
                party = self.crm.person.row(ORGANIZATION if link == "Organization" else PERSON, row[link])
                where = self.crm.person.rows("Address").get(party.get("InvoiceAddress") or "") or {}
                return {
                    **{f"Address.{n}": v for n, v in where.items()},
                    **row,
                    **party,
                    "ID": key,
                    "table": table,
                }
        return {}

    def relations(self, *tables: str) -> list[Row]:
        """All of them."""
        return [
            self.relation(str(key)) for table in tables or RELATIONS for key in self.crm.person.rows(table)
        ]

    def numbered(self, number: str, *tables: str) -> Row:
        """The customer of Tribe with a debtor number; the supplier with a creditor number, where he is asked for."""
        name = "CreditorNumber" if tables == (SUPPLIER,) else "DebtorNumber"
        found = [
            one for one in self.relations(*(tables or (CUSTOMER, PERSON_CUSTOMER))) if one[name] == number
        ]
        return found[0] if len(found) == 1 else {}

    def edit(self, key: str, **values: Any) -> None:
        """Somebody at Tribe changes a relation, what it is, or its invoice address."""
        row = self.relation(key)
        link = RELATIONS[row["table"]]
        own = {n: v for n, v in values.items() if n in ("IsActive",)}
        where = {n.removeprefix("Address."): v for n, v in values.items() if n.startswith("Address.")}
        party = {n: v for n, v in values.items() if n not in own and not n.startswith("Address.")}
        if own:
            self.crm.person.edit(row["table"], key, own)
        if party:
            about = self.crm.person.row(row["table"], key)[link]
            self.crm.person.edit(ORGANIZATION if link == "Organization" else PERSON, about, party)
        if where:
            self.crm.person.edit("Address", row["InvoiceAddress"], where)

    def partners(self, table: str = "Customer") -> dict[str, Row]:
        """Customers or suppliers of Winbooks by code, with third party and address."""
        found = {}
        links = list(self.books.person.rows("Third_Address").values())
        countries = {key: row["Code"] for key, row in self.books.person.rows("Country").items()}
        for key, row in self.books.person.rows(table).items():
            third = self.books.person.row("Third", row["Third_Id"])
            of = [one["Address_Id"] for one in links if one["Third_Id"] == row["Third_Id"]]
            where = self.books.person.row("Address", of[0]) if of else {}
            address = {f"Address.{n}": v for n, v in where.items()}
            address["Address.CountryCode"] = countries.get(str(where.get("Country_Id")))
            found[str(row["Code"])] = {**third, **address, **row, "Id": key}
        return found

    def change(self, code: str, table: str = "Customer", **values: Any) -> None:
        """Somebody at Winbooks changes a customer, his third party or its address."""
        row = self.partners(table)[code]
        where = {n.removeprefix("Address."): v for n, v in values.items() if n.startswith("Address.")}
        own = {n: v for n, v in values.items() if n in ("IsHidden", "IsLocked")}
        third = {n: v for n, v in values.items() if n not in own and not n.startswith("Address.")}
        if where:
            self.books.person.edit("Address", self.keeper.address_of(table, row["Id"]), where)
        if own:
            self.books.person.edit(table, row["Id"], own)
        if third:
            self.books.person.edit("Third", row["Third_Id"], third)

    # ------------------------------------------------------------------------------------------------- invoices

    def invoice(
        self, customer: str, *lines: tuple[str, str, str], phase: str = "Draft", **values: Any
    ) -> str:
        """A new invoice of Tribe, with lines (text, price, VAT group); its id."""
        groups = {row["Code"]: key for key, row in self.crm.person.rows(VAT_GROUP).items()}
        whole = {"Currency": "EUR", "InvoiceDate": date(2026, 3, 31), **values}
        key = self.crm.enter(
            INVOICE, Subject="Wine", Relationship=customer, Phase=self.phases["Draft"], **whole
        )
        for text, price, group in lines:
            self.crm.enter(
                LINE, Activity=key, Description=text, Price=Decimal(price), Quantity=1, VatGroup=groups[group]
            )
        if phase != "Draft":
            self.phase(key, phase)
        return key

    def phase(self, key: str, code: str) -> None:
        """Somebody at Tribe changes the status of an invoice."""
        self.crm.person.edit(INVOICE, key, Phase=self.phases[code])

    def status(self, key: str) -> str:
        """The status of an invoice of Tribe."""
        row = self.crm.person.row(INVOICE, key)
        return next(code for code, id_ in self.phases.items() if id_ == row["Phase"])

    def number(self, key: str) -> int:
        """The number of an invoice of Tribe."""
        return int(self.crm.person.row(INVOICE, key)["Number"])

    def book_by_hand(self, code: str, number: int) -> None:
        """Somebody at Winbooks books an invoice."""
        (journal,) = self.books.person.find("Journal", Code="VEN")
        customer, day = self.partners()[code]["Id"], date(2026, 1, 31)
        key = self.books.enter("GLTransHeader", Journal_Id=journal["Id"], DocNumber=number, BookDate=day)
        self.books.enter("GLTrans", GLTransHeader_Id=key, Customer_Id=customer, LineOrder=0, Amount=1)

    def booked(self) -> dict[int, Row]:
        """Documents in the journal of sales, by number, with code and amounts of the customer, and their lines."""
        codes = {
            key: row["Code"]
            for table in ("VatAccount", "Customer", "Currency", "Journal")
            for key, row in self.books.person.rows(table).items()
        }
        found: dict[int, Row] = {}
        for key, row in self.books.person.rows("GLTransHeader").items():
            if codes.get(row["Journal_Id"]) != "VEN":
                continue
            lines = [
                one for one in self.books.person.rows("GLTrans").values() if one["GLTransHeader_Id"] == key
            ]
            (due,) = [one for one in lines if one["Customer_Id"]]
            sold = [
                (one["Comment"], -one["Amount"], codes[one["Vat_Id"]])
                for one in sorted(lines, key=lambda one: int(one["LineOrder"]))
                if one is not due and not one["VatBaseAmount"]
            ]
            assert row["DocNumber"] not in found, "booked twice"
            found[row["DocNumber"]] = {
                **row,
                "Id": key,
                "customer": codes[due["Customer_Id"]],
                "currency": codes.get(due["Currency_Id"]),
                "total": due["Amount"],
                "sold": sold,
            }
        return found


@pytest.fixture
async def tribe_winbooks(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    async with stand("tribe") as crm, stand("winbooks", getattr(request, "param", {})) as books:
        assert isinstance(crm, Tribe) and isinstance(books, Winbooks)
        yield Both(crm, books)


@pytest.fixture
async def belgian(
    tandem: Tandem, tribe_winbooks: Both, request: pytest.FixtureRequest
) -> AsyncIterator[Pair]:
    crm, books = tribe_winbooks.crm, tribe_winbooks.books
    a = {"url": crm.address, "auth_url": crm.address, "client_id": crm.client_id, "calls_per_minute": 0}
    b = {"url": books.address, "email": books.email, "folder": books.folder, "calls_per_s": 0}
    made = Pair(
        tandem,
        own_name(request),
        ("tribe", {**a, "client_secret": crm.client_secret}),
        ("winbooks", {**b, "exchange_token": books.exchange_token}),
    )
    await made.connect()
    yield made
    await made.leave()


async def made(pair: Pair, rules: Mapping[str, Any] | None = None, **settings: Any) -> links_pb2.Link:
    """The link, being set up. `settings`: of the blueprint, what is otherwise here."""
    request = links_pb2.CreateLinkRequest(
        tenant=pair.tenant, name=pair.name, a="a", b="b", blueprint=blueprints.text(BLUEPRINT)
    )
    shown = await pair.tandem.links.CreateLink(request)
    given = {name: {"default": value} for name, value in settings.items()}
    await pair.change({**QUICK, **({"settings": given} if given else {}), **(rules or {})})
    return shown


async def prepare(pair: Pair, **chosen: Any) -> None:
    """Choose what the set-up asks for."""
    request = links_pb2.PrepareLinkRequest(link=pair.name, tenant=pair.tenant, settings=struct(chosen))
    await pair.tandem.links.PrepareLink(request)


async def activate(pair: Pair, *, go_on: bool = False) -> links_pb2.Link:
    """Make it active."""
    request = links_pb2.ActivateLinkRequest(link=pair.name, tenant=pair.tenant, go_on=go_on)
    return await pair.tandem.links.ActivateLink(request)


async def linked(pair: Pair, rules: Mapping[str, Any] | None = None, **settings: Any) -> None:
    """The link as it is set up, active and at rest. `customers_as`: chosen otherwise."""
    chosen = {**CHOSEN, "customers_as": settings.pop("customers_as", CHOSEN["customers_as"])}
    await made(pair, rules, **settings)
    await prepare(pair, **chosen)
    await activate(pair, go_on=True)
    await pair.quiet()
