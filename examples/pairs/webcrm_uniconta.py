"""The story of webCRM and Uniconta, as the manual tells it."""

from __future__ import annotations

from typing import Any

from clients.emulators.description import Refused
from clients.emulators.stand import stand
from clients.emulators.uniconta import System as Uniconta
from clients.emulators.webcrm import System as Webcrm
from examples.daemon import StandError
from examples.pairs.stage import Stage

NUMBER = "OrganisationExtraCustom8"
RULES = {"a": {"poll": "1s"}, "b": {"poll": "1s"}}
WHOLE = {
    "OrganisationAddress": "Havnegade 1",
    "OrganisationPostCode": "8000",
    "OrganisationCity": "Aarhus",
    "OrganisationCountry": "Danmark",
    "OrganisationTelephone": "+4586120100",
    "OrganisationExtraCustom1": "DKK",
    "OrganisationVatGroup": "U25",
}


class Both:
    """Both systems, with the people in front of them."""

    def __init__(self, crm: Webcrm, erp: Uniconta) -> None:
        self.crm, self.erp = crm, erp

    def organisation(self, name: str) -> dict[str, Any]:
        """An organisation of webCRM by its name."""
        (found,) = self.crm.person.find("Organisations", OrganisationName=name)
        return found

    def debtor(self, name: str) -> dict[str, Any]:
        """A debtor of Uniconta by his name; {} where there is none."""
        found = self.erp.person.find("DebtorClient", Name=name)
        return found[0] if found else {}

    def catalogue(self) -> dict[str, Any]:
        """The sales price of each item that webCRM's users can choose."""
        head = "QuotationLineLinkedData"
        rows = self.crm.person.rows("QuotationLinesLinkedData").values()
        return {row[f"{head}ItemData1"]: row[f"{head}Price"] for row in rows}

    def differences(self) -> list[str]:
        """Every way in which both disagree, found without Tandem's help."""
        kunder = self.crm.person.find("Organisations", OrganisationType="Kunde")
        left = {row[NUMBER]: (row["OrganisationName"], row["OrganisationCity"]) for row in kunder}
        right = {row["Account"]: (row["Name"], row["City"]) for row in self.erp.person.find("DebtorClient")}
        out = [
            f"{key}: {left.get(key)}, {right.get(key)}"
            for key in {*left, *right}
            if left.get(key) != right.get(key)
        ]
        if len(left) != len(kunder):
            out.append("a debtor number stands twice")
        persons = {row["PersonEmail"]: row["PersonTitle"] for row in self.crm.person.find("Persons")}
        contacts = {row["Email"]: row["Title"] for row in self.erp.person.find("ContactClient")}
        if persons != contacts:
            out.append(f"persons: {persons}, {contacts}")
        prices = {row["Item"]: row["SalesPrice1"] for row in self.erp.person.find("InvItemClient")}
        if self.catalogue() != prices:
            out.append(f"items: {self.catalogue()}, {prices}")
        orders = {
            row["DeliveryErpId"]: row["DeliveryDescription"] for row in self.crm.person.find("Deliveries")
        }
        there = {str(row["OrderNumber"]): row["Remark"] for row in self.erp.person.find("DebtorOrderClient")}
        sold = sorted(
            (row["QuotationLineData1"], row["QuotationLineQuantity"], row["QuotationLinePrice"])
            for row in self.crm.person.find("QuotationLines")
        )
        booked = sorted(
            (row["Item"], row["Qty"], row["Price"]) for row in self.erp.person.find("DebtorOrderLineClient")
        )
        if sold != booked:
            out.append(f"lines: {sold}, {booked}")
        return [*out, *([f"orders: {orders}, {there}"] if orders != there else [])]


async def play(stage: Stage) -> None:
    """From an organisation that becomes "Kunde" to its order."""
    async with stand("webcrm") as crm, stand("uniconta") as erp:
        assert isinstance(crm, Webcrm) and isinstance(erp, Uniconta)
        both = Both(crm, erp)
        await load(stage, both)
        await become(stage, both)
        await edit(stage, both)
        await order(stage, both)
        await stage.ends(both.differences)


async def load(stage: Stage, both: Both) -> None:
    """What is there before, and the link."""
    stage.say("1. webCRM has an organisation that is no customer yet, and a user; Uniconta has two items.")
    both.crm.person.edit("Users", 1, UserName="Ole Krag", UserInitials="OK", UserEmail="ole@vin.example")
    row = {
        "OrganisationName": "Vinhuset Nørre",
        "OrganisationType": "Emne",
        "OrganisationVatNumber": "12345678",
    }
    both.crm.person.insert(
        "Organisations", {**row, **WHOLE, "OrganisationExtraCustom2": "faktura@vin.example"}
    )
    for item, price in (("RØD", "89.50"), ("HVID", "79.95")):
        values = {"Item": item, "Name": item, "Group": "Vin", "CostPrice": "40", "SalesPrice1": price}
        both.erp.person.insert("InvItemClient", values)
    crm = {"url": both.crm.address, "auth_code": both.crm.auth_code, "overlap_s": 1}
    erp = {"url": both.erp.address, "company": 4711, "user": "tandem", "calls_per_day": 0, "overlap_s": 1}
    await stage.connect(("webcrm", crm), ("uniconta", {**erp, "password": both.erp.password}))
    await stage.create_link(RULES)
    await stage.see(
        lambda: len(both.catalogue()) == 2, "Both items can be chosen in webCRM, with their prices."
    )
    await stage.see(
        lambda: (
            [row["Group"] for row in both.erp.person.find("EmployeeClient", Email="ole@vin.example")]
            == ["Sælger"]
        ),
        "The user Ole Krag is an employee of Uniconta, as a seller.",
    )
    if both.debtor("Vinhuset Nørre"):
        raise StandError("an organisation that is no customer became a debtor")


async def become(stage: Stage, both: Both) -> None:
    """Organisations become debtors."""
    stage.say(
        "2. Somebody sets the Type of Vinhuset Nørre to Kunde, and enters Bodega Syd without a phone number."
    )
    here = both.organisation("Vinhuset Nørre")
    both.crm.person.edit("Organisations", here["OrganisationId"], OrganisationType="Kunde")
    lacking = {
        "OrganisationName": "Bodega Syd",
        "OrganisationType": "Kunde",
        "OrganisationVatNumber": "87654321",
    }
    whole = {**WHOLE, **lacking, "OrganisationTelephone": None, "OrganisationExtraCustom2": "syd@vin.example"}
    (syd,) = both.crm.person.insert("Organisations", whole)
    await stage.see(
        lambda: (
            both.organisation("Vinhuset Nørre")[NUMBER]
            == both.debtor("Vinhuset Nørre").get("Account", "none")
        ),
        "Uniconta has the debtor, and the number that it gave him stands in webCRM.",
    )
    for one in await stage.parked("waiting"):
        stage.say(f"   Bodega Syd waits: {one['reason']}.")
    both.crm.person.edit("Organisations", syd, OrganisationTelephone="+4575000000")
    await stage.see(lambda: both.debtor("Bodega Syd"), "With a phone number it goes by itself.")
    stage.say("3. Somebody sets the Type of Vinhuset Nørre back to Emne.")
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    both.crm.person.edit("Organisations", here["OrganisationId"], OrganisationType="Emne")
    await stage.see(
        lambda: both.organisation("Vinhuset Nørre")["OrganisationType"] == "Kunde",
        "It is put back, for the debtor exists.",
    )


async def edit(stage: Stage, both: Both) -> None:
    """Both sides edit; what Uniconta alone may change is put back; what was posted can't be deleted."""
    stage.say("4. The bookkeeper moves Bodega Syd to Kolding and enters its EAN; the seller enters a person.")
    syd = both.organisation("Bodega Syd")["OrganisationId"]
    both.erp.person.edit(
        "DebtorClient", both.debtor("Bodega Syd")["PrimaryKeyId"], City="Kolding", EAN="5790001"
    )
    person = {"PersonFirstName": "Ida", "PersonLastName": "Holm", "PersonEmail": "ida@vin.example"}
    both.crm.person.insert("Persons", {**person, "PersonOrganisationId": syd, "PersonTitle": "Indkøber"})
    await stage.see(
        lambda: both.organisation("Bodega Syd")["OrganisationExtraCustom3"] == "5790001",
        "webCRM shows the EAN.",
    )
    await stage.see(
        lambda: both.organisation("Bodega Syd")["OrganisationCity"] == "Kolding", "And the new town."
    )
    await stage.see(
        lambda: both.erp.person.find("ContactClient", Email="ida@vin.example"),
        "Ida Holm is a contact of the debtor.",
    )
    stage.say("5. Something is posted on Bodega Syd, and the bookkeeper tries to delete the debtor.")
    account = both.debtor("Bodega Syd")["Account"]
    both.erp.person.insert("DebtorTransClient", {"Account": account, "Amount": 100})
    try:
        both.erp.person.delete("DebtorClient", both.debtor("Bodega Syd")["PrimaryKeyId"])
    except Refused as error:
        stage.say(f"   Uniconta says no: {error.reason}.")
    else:
        raise StandError("Uniconta let go of a debtor with activity")


async def order(stage: Stage, both: Both) -> None:
    """A quote, the order that it becomes, and a later save."""
    stage.say(
        "6. The seller makes a quote for Vinhuset Nørre, and then an order of it; a price changes in Uniconta."
    )
    here = both.organisation("Vinhuset Nørre")["OrganisationId"]
    quote = {"OpportunityOrganisationId": here, "OpportunityDescription": "Julevin"}
    both.crm.person.insert("Opportunities", quote)
    (made,) = both.crm.person.insert(
        "Deliveries", {"DeliveryOrganisationId": here, "DeliveryDescription": "Julevin"}
    )
    line = {"QuotationLineOpportunityId": made, "QuotationLineData1": "RØD", "QuotationLineQuantity": 12}
    both.crm.person.insert(
        "QuotationLines", {**line, "QuotationLinePrice": "89.50", "QuotationLineCostPrice": "40"}
    )
    (item,) = both.erp.person.find("InvItemClient", Item="RØD")
    both.erp.person.edit("InvItemClient", item["PrimaryKeyId"], SalesPrice1="99")

    def remarks() -> list[str]:
        return [row["Remark"] for row in both.erp.person.find("DebtorOrderClient")]

    await stage.see(lambda: remarks() == ["Julevin"], "The order is in Uniconta, once; the quote is not.")
    await stage.see(
        lambda: (
            [(row["Item"], row["Qty"]) for row in both.erp.person.find("DebtorOrderLineClient")]
            == [("RØD", 12)]
        ),
        "Its line is there, too: twelve of RØD.",
    )
    await stage.see(lambda: both.catalogue().get("RØD") == 99, "The new price is in webCRM.")
    await stage.daemon.ctl("runs", "start", stage.link, "--watch", check=False)
    both.crm.person.edit("Deliveries", made, DeliveryDescription="Julevin og glas")
    await stage.see(lambda: remarks() == ["Julevin og glas"], "Saved again, it is the same order.")
