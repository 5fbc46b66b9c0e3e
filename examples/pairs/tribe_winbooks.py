"""The story of Tribe CRM and Winbooks, as the manual tells it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from clients.emulators.description import Row
from clients.emulators.stand import stand
from clients.emulators.tribe import System as Tribe
from clients.emulators.tribe_tables import (
    CUSTOMER,
    IDENTITY,
    INVOICE,
    LINE,
    ORGANIZATION,
    PHASE,
    SUPPLIER,
    VAT_GROUP,
)
from clients.emulators.winbooks import System as Winbooks
from clients.emulators.winbooks_documents import Bookkeeper
from examples.daemon import StandError
from examples.pairs.stage import Stage

RULES: Final = {"a": {"poll": "1s"}, "b": {"poll": "1s"}}
YEAR: Final = 2026


class Both:
    """Both systems, with the people in front of them."""

    def __init__(self, crm: Tribe, books: Winbooks) -> None:
        self.crm, self.books, self.keeper = crm, books, Bookkeeper(books)
        self.keeper.open_year(YEAR)
        country = crm.settle_down("BE")
        for code in ("HIGH", "LOW"):
            crm.enter(VAT_GROUP, Code=code, Name=code, Country=country)
        self.phases = {code: crm.enter(PHASE, Code=code, Name=code) for code in ("Draft", "Sent", "Paid")}
        self.deleted: set[str] = set()  # codes of those who were deleted in Tribe
        self.own = crm.person.row(IDENTITY, crm.identity)["Organization"]

    def company(self, name: str) -> Row:
        """An organisation of Tribe by its name; {} where there is none."""
        found = self.crm.person.find(ORGANIZATION, Name=name)
        return found[0] if found else {}

    def city(self, name: str) -> str:
        """The town of its invoice address."""
        address = self.company(name).get("InvoiceAddress")
        return str(self.crm.person.row("Address", address)["City"]) if address else ""

    def customer(self, name: str, **values: Any) -> str:
        """A new customer of Tribe."""
        company = self.crm.enter(ORGANIZATION, Name=name, **values)
        return self.crm.enter(CUSTOMER, Relation=self.own, Organization=company)

    def active(self, name: str) -> bool | None:
        """Whether a customer of Tribe is active."""
        found = self.crm.person.find(CUSTOMER, Organization=self.company(name).get("ID"))
        return found[0]["IsActive"] if found else None

    def partners(self, table: str = "Customer") -> dict[str, str]:
        """Names of Winbooks' customers or suppliers, by code."""
        rows = self.books.person.rows(table).values()
        return {row["Code"]: self.books.person.row("Third", row["Third_Id"])["Name"] for row in rows}

    def invoice(self, customer: str, *lines: tuple[str, str, str]) -> str:
        """A draft of an invoice in Tribe: (text, price, VAT group)."""
        groups = {row["Code"]: key for key, row in self.crm.person.rows(VAT_GROUP).items()}
        head = {"Relationship": customer, "Phase": self.phases["Draft"], "Currency": "EUR"}
        key = self.crm.enter(INVOICE, Subject="Wine", InvoiceDate=date(YEAR, 3, 31), **head)
        for text, price, group in lines:
            values = {"Description": text, "Price": Decimal(price), "Quantity": 1, "VatGroup": groups[group]}
            self.crm.enter(LINE, Activity=key, **values)
        return key

    def phase(self, key: str, code: str) -> None:
        """Somebody changes the status of an invoice."""
        self.crm.person.edit(INVOICE, key, Phase=self.phases[code])

    def status(self, key: str) -> str:
        """The status of an invoice of Tribe."""
        return next(
            code for code, id_ in self.phases.items() if id_ == self.crm.person.row(INVOICE, key)["Phase"]
        )

    def booked(self) -> dict[int, Decimal]:
        """What is due for each document in the journal of sales."""
        (journal,) = self.books.person.find("Journal", Code="VEN")
        found: dict[int, Decimal] = {}
        for row in self.books.person.find("GLTransHeader", Journal_Id=journal["Id"]):
            if row["DocNumber"] in found:
                raise StandError(f"invoice {row['DocNumber']} was booked twice")
            lines = self.books.person.find("GLTrans", GLTransHeader_Id=row["Id"])
            found[row["DocNumber"]] = sum((one["Amount"] for one in lines if one["Customer_Id"]), Decimal(0))
        return found

    def differences(self) -> list[str]:
        """Every way in which both disagree, found without Tandem's help."""
        out: list[str] = []
        for table, there, field in (
            (CUSTOMER, "Customer", "DebtorNumber"),
            (SUPPLIER, "Supplier", "CreditorNumber"),
        ):
            rows = [
                self.crm.person.row(ORGANIZATION, one["Organization"])
                for one in self.crm.person.rows(table).values()
            ]
            ours = sorted((str(row[field]), row["Name"]) for row in rows)
            theirs = sorted(one for one in self.partners(there).items() if one[0] not in self.deleted)
            if ours != theirs:
                out.append(f"{there}: {ours}, {theirs}")
        sent = {
            int(row["Number"])
            for row in self.crm.person.rows(INVOICE).values()
            if row["Phase"] != self.phases["Draft"]
        }
        if sent != set(self.booked()):
            out.append(f"invoices: {sent}, {self.booked()}")
        return out


async def play(stage: Stage) -> None:
    """From the activation to an invoice that is paid."""
    async with stand("tribe") as crm, stand("winbooks") as books:
        assert isinstance(crm, Tribe) and isinstance(books, Winbooks)
        both = Both(crm, books)
        await load(stage, both)
        await edit(stage, both)
        key = await invoice(stage, both)
        await pay(stage, both, key)
        await stage.ends(both.differences)


async def load(stage: Stage, both: Both) -> None:
    """What is there before, and the activation."""
    stage.say(
        "1. Winbooks has two customers and a supplier; one of the customers is in Tribe, under another name."
    )
    both.keeper.partner("Customer", "C1", "Vin & Co", **{"Address.Town": "Gent", "Address.CountryCode": "BE"})
    both.keeper.partner("Customer", "C2", "Brasserie Nord")
    both.keeper.partner("Supplier", "S1", "Cave du Sud")
    both.customer("Vin et Co", DebtorNumber="C1")
    crm = {"url": both.crm.address, "auth_url": both.crm.address, "client_id": both.crm.client_id}
    books = {"url": both.books.address, "email": both.books.email, "folder": both.books.folder}
    await stage.connect(
        ("tribe", {**crm, "client_secret": both.crm.client_secret}),
        ("winbooks", {**books, "exchange_token": both.books.exchange_token, "calls_per_s": 0}),
    )
    await stage.create_link(
        RULES, journal="VEN", customers_as="organisation", vat_codes={"HIGH": "21", "LOW": "06"}
    )
    await stage.see(
        lambda: both.company("Brasserie Nord"), "The customer that Tribe lacked is there, as an organisation."
    )
    await stage.see(
        lambda: both.city("Vin & Co") == "Gent",
        "The other one is the same record still, with Winbooks' name and address.",
    )
    await stage.see(lambda: both.company("Cave du Sud"), "The supplier is there, too.")
    if len(both.crm.person.rows(CUSTOMER)) != 2:
        raise StandError("a customer stands twice")


async def edit(stage: Stage, both: Both) -> None:
    """Both sides edit; Tribe's changes go at once, Winbooks' at night or on command."""
    stage.say(
        "2. The seller enters a customer; the bookkeeper moves Vin & Co to Luik, and deactivates Brasserie Nord."
    )
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    both.customer("Wijnhuis", PhoneNumber="+3291234567")
    number = both.company("Wijnhuis")["DebtorNumber"]
    await stage.see(
        lambda: both.partners().get(number) == "Wijnhuis",
        f"Wijnhuis is in Winbooks at once, with the number {number}.",
    )
    rows = {row["Code"]: row["Id"] for row in both.books.person.rows("Customer").values()}
    both.books.person.edit("Address", both.keeper.address_of("Customer", rows["C1"]), Town="Luik")
    both.books.person.edit("Customer", rows["C2"], IsHidden=True)
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)  # it would go at night
    await stage.see(
        lambda: both.city("Vin & Co") == "Luik",
        "On command the new town is in Tribe, in the invoice address.",
    )
    await stage.see(lambda: both.active("Brasserie Nord") is False, "And Brasserie Nord is inactive there.")


async def invoice(stage: Stage, both: Both) -> str:
    """An invoice is sent, and saved again."""
    stage.say(
        "3. The seller makes an invoice for Wijnhuis and sets it to Sent; a second one uses a VAT group nobody linked."
    )
    (mine,) = both.crm.person.find(CUSTOMER, Organization=both.company("Wijnhuis")["ID"])
    country = both.crm.person.find("Country", Code="BE")[0]["ID"]
    both.crm.enter(VAT_GROUP, Code="MID", Name="MID", Country=country)
    first = both.invoice(mine["ID"], ("Rood", "100", "HIGH"), ("Brood", "10.05", "LOW"))
    second = both.invoice(mine["ID"], ("Kaas", "5", "MID"))
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    for key in (first, second):
        both.phase(key, "Sent")
    number = int(both.crm.person.row(INVOICE, first)["Number"])
    await stage.see(
        lambda: both.booked() == {number: Decimal("131.65")},
        "It is booked in the journal VEN, with VAT: 131.65 EUR.",
    )

    async def waiting() -> list[str]:
        return [str(one["reason"]) for one in await stage.parked("waiting")]

    for _ in range(50):
        if reasons := await waiting():
            break
    else:
        raise StandError("the second invoice does not wait")
    stage.say(f"   The other one waits: {reasons[0]}.")
    both.crm.person.edit(INVOICE, first, Subject="Wine, once more")
    await stage.daemon.ctl(
        "links", "prepare", stage.link, "--settings", 'vat_codes={"HIGH": "21", "LOW": "06", "MID": "00"}'
    )
    await stage.see(
        lambda: len(both.booked()) == 2,
        "With the group linked it goes by itself; the first, saved again, is booked once.",
    )
    return first


async def pay(stage: Stage, both: Both, key: str) -> None:
    """The customer pays, and somebody cleans up in Tribe."""
    stage.say(
        "4. The customer pays, and the bookkeeper enters it; the seller deletes Brasserie Nord in Tribe."
    )
    number = int(both.crm.person.row(INVOICE, key)["Number"])
    (header,) = both.books.person.find("GLTransHeader", DocNumber=number)
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    both.keeper.pays(header["Id"])
    (gone,) = both.crm.person.find(CUSTOMER, Organization=both.company("Brasserie Nord")["ID"])
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    await stage.see(lambda: both.status(key) == "Paid", "The invoice is paid in Tribe.")
    both.crm.person.delete(CUSTOMER, gone["ID"])
    both.deleted.add("C2")
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    if both.partners().get("C2") != "Brasserie Nord":
        raise StandError("a deletion in Tribe deleted in Winbooks")
    stage.say("   Brasserie Nord is in Winbooks as before, and is not brought back.")
