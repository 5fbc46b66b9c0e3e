"""The story of a shop that sells over a CloudKasse and keeps its stock in SelectLine, as the manual tells it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from clients.emulators.cloudkasse import System as Cloudkasse
from clients.emulators.selectline import System as Selectline
from clients.emulators.stand import stand
from examples.daemon import StandError
from examples.pairs.stage import Stage

RULES: Final = {
    "settings": {
        "tax_rates": {"default": {"3": 19, "2": 7}},
        "vat_keys": {"default": {"3": 1, "2": 2}},
    }
}
CUSTOMER: Final = "10000"
RATES: Final = {"3": Decimal("1.19"), "2": Decimal("1.07")}
CENT: Final = Decimal("0.01")
TRIES: Final = 20


class Shop:
    """Both systems, with the people in front of them."""

    def __init__(self, stage: Stage, erp: Selectline, cloud: Cloudkasse) -> None:
        self.stage = stage
        self.erp, self.cloud = erp, cloud
        self.office, self.counter = erp.person, cloud.tablets
        self.counted: dict[str, Decimal] = {}  # the stock before anything was sold

    async def start(self, scope: str, seen: Callable[[], object], what: str) -> None:
        """Start a run by command. One that is under way already is joined, so it is asked for until that is seen."""
        for _ in range(TRIES):
            await self.stage.daemon.ctl("runs", "start", "demo", "--scope", scope, "--watch", check=False)
            if seen():
                self.stage.say(f"   {what}")
                return
        raise StandError(f"after {TRIES} runs there was still not: {what}")

    async def staged(self, count: int) -> list[dict[str, Any]]:
        """The receipts that wait for a decision."""
        found: list[dict[str, Any]] = []
        for _ in range(TRIES):
            found = (await self.stage.daemon.ctl("documents", "list", "demo")).get("documents", [])
            if len(found) == count:
                return found
            await self.stage.daemon.ctl(
                "runs", "start", "demo", "--scope", "document", "--watch", check=False
            )
        raise StandError(f"{len(found)} receipts wait, and not {count}")

    def at_till(self, number: str) -> dict[str, Any]:
        """An article at the till; {} where there is none."""
        found = self.cloud.person.find("articles", number=number)
        return found[0] if found else {}

    def sales(self) -> list[str]:
        """The receipts that are documents in SelectLine."""
        return sorted(str(row["OurReference"]) for row in self.office.rows("Documents").values())

    def stock(self, number: str) -> Decimal:
        """How much is there."""
        found: Decimal = self.office.row("Articles", number)["Warehouse.Stock"]
        return found

    def sold(self) -> list[dict[str, Any]]:
        """The receipts in the cloud that are turnover."""
        return [row for row in self.cloud.person.rows("receipts").values() if row["BON_TYP"] == "Beleg"]

    def differences(self) -> list[str]:
        """Every way in which both disagree, found without Tandem's help."""
        out = []
        for row in self.cloud.person.rows("articles").values():
            article = self.office.row("Articles", row["number"])
            gross = (article["Payment.ListPrice"] * RATES[article["Payment.SaleTaxCode"]]).quantize(CENT)
            if (row["name"], row["grossPrice"]) != (article["Name"], gross):
                out.append(f"article {row['number']}: {row['name']} {row['grossPrice']}, {gross}")
        receipts = self.sold()
        if self.sales() != sorted(str(one["BON_ID"]) for one in receipts):
            out.append(f"sales {self.sales()}, receipts {[one['BON_ID'] for one in receipts]}")
        whole = sum((one["GrossAmount"] for one in self.office.rows("Documents").values()), Decimal(0))
        taken = sum((one["UMS_BRUTTO"] for one in receipts), Decimal(0))
        if whole != taken:
            out.append(f"turnover {whole}, in the till {taken}")
        for number, before in self.counted.items():
            gone = sum(
                (line["MENGE"] for one in receipts for line in one["lines"] if line["ART_NR"] == number),
                Decimal(0),
            )
            if self.stock(number) != before - gone:
                out.append(f"stock of {number}: {self.stock(number)}, {before - gone} by the receipts")
        return out


async def play(stage: Stage) -> None:
    """From the preparations to a cancellation that comes late."""
    async with stand("selectline") as erp, stand("cloudkasse") as cloud:
        assert isinstance(erp, Selectline) and isinstance(cloud, Cloudkasse)
        shop = Shop(stage, erp, cloud)
        await prepare(stage, shop)
        await master_data(stage, shop)
        await receipts(stage, shop)
        await later(stage, shop)
        await stage.ends(shop.differences)


async def prepare(stage: Stage, shop: Shop) -> None:
    """The preparations, of which one is forgotten."""
    stage.say(
        "1. A wine shop enters two of its articles and an employee in the settings of the CloudKasse, and starts."
    )
    address = {"Address.Street": "Hafenstraße", "Address.HouseNumber": "7a", "Address.ZipCode": "24103"}
    shop.office.edit("Tenants", "SL_MWAWI", {"Company": "Weinhaus Förde", **address, "Address.City": "Kiel"})
    shop.office.insert("Customers", {"Number": CUSTOMER, "Company": "Barverkauf"})
    for number, name, price, code in (
        ("100", "Riesling", "8.40", "3"),
        ("101", "Traubensaft", "3.27", "2"),
        ("102", "Weinkühler", "899.00", "3"),
    ):
        prices = {"Payment.ListPrice": price, "Payment.SaleTaxCode": code}
        kept = {"IsWarehouseArtikel": True, "Warehouse.Stock": 60, "QuantityUnit": "Stk"}
        shop.office.insert("Articles", {"Number": number, "Name": name, **prices, **kept})
        shop.counted[number] = Decimal(60)
    shop.office.insert("XCLOUDKASSEARTIKEL", {"_ARTIKELNUMMER": "100"}, {"_ARTIKELNUMMER": "101"})
    shop.office.insert("Employees", {"EmployeeNumber": "7", "FirstName": "Ada", "LastName": "Berg"})
    shop.office.insert("XCLOUDKASSEMITARBEITER", {"_MITARBEITERNUMMER": "7"})
    erp, cloud = shop.erp, shop.cloud
    here = {"url": erp.address, "user": "tandem", "password": erp.password, "app_key": erp.app_key}
    await stage.connect(
        ("selectline", {**here, "tenant": "SL_MWAWI", "warehouse": "1"}),
        ("cloudkasse", {"url": f"{cloud.address}/v1", "token": cloud.token, "requests_per_min": 0}),
    )
    try:
        await stage.create_link(RULES, till_customer=CUSTOMER)
    except StandError as error:
        if "no till is entered" not in str(error):
            raise
        stage.say("   It is refused: no till is entered in the till master data. Nothing moved.")
    else:
        raise StandError("a link without a till was started")
    till = {"_NUMMER": "1", "_BEZEICHNUNG": "Verkaufsraum", "_AKTIV": True}
    shop.office.insert("XCLOUDKASSEN", till)
    await stage.daemon.ctl("links", "activate", "demo")


async def master_data(stage: Stage, shop: Shop) -> None:
    """Master data go up, gross."""
    stage.say("2. The till is entered; master data alone are started.")
    await shop.start(
        "master",
        lambda: shop.at_till("101") and shop.cloud.person.rows("staff") and shop.cloud.person.rows("company"),
        "The till has the company, itself, its two articles and Ada; the wine cooler stays where it is.",
    )
    prices = {number: str(shop.at_till(number)["grossPrice"]) for number in ("100", "101")}
    if prices != {"100": "10.00", "101": "3.50"} or shop.at_till("102"):
        raise StandError(f"at the till: {prices}")
    stage.say("   8.40 net is 10.00 at the till, 3.27 is 3.50.")


async def receipts(stage: Stage, shop: Shop) -> None:
    """Receipts come down, and one of them is imported."""
    stage.say(
        "3. Ada sells: two receipts are in the cloud, a third is still on the tablet, which is offline."
    )
    for lines in (
        ({"article": "100", "quantity": 6},),
        ({"article": "100"}, {"article": "101", "quantity": 2}),
    ):
        shop.counter.sell("1", lines, BEDIENER_ID="7")
    shop.counter.hand_over("1")
    shop.counter.sell("1", ({"article": "101", "quantity": 10},), BEDIENER_ID="7")
    first, _ = await shop.staged(2)
    if shop.sales() or shop.stock("100") != shop.counted["100"]:
        raise StandError("something was imported before anybody said so")
    stage.say("   Two receipts wait; no turnover was made, and no stock moved.")
    stage.say("4. The first one is imported now.")
    await stage.daemon.ctl("documents", "import", "demo", "--ids", str(first["id"]))
    await stage.see(
        lambda: len(shop.sales()) == 1, "It is a cash sale in SelectLine, with its stock movement."
    )


async def later(stage: Stage, shop: Shop) -> None:
    """A price round; the tablet is online again; a cancellation; the rest is imported."""
    stage.say(
        "5. The Riesling gets dearer in SelectLine, and the sale of six bottles is cancelled at the till."
    )
    shop.office.edit("Articles", "100", {"Payment.ListPrice": Decimal("9.24")})
    six = next(str(one["id"]) for one in shop.sold() if one["UMS_BRUTTO"] == Decimal("60.00"))
    shop.counter.cancel(six)
    shop.counter.hand_over("1")
    await shop.start(
        "all", lambda: str(shop.at_till("100")["grossPrice"]) == "11.00", "At the till it costs 11.00 now."
    )
    await shop.staged(3)
    stage.say(
        "6. Three receipts wait: one from before, the late one, and the cancellation. All are imported."
    )
    await stage.daemon.ctl("documents", "import", "demo", "--all")
    await stage.see(
        lambda: len(shop.sales()) == 4, "Four receipts, four documents, each stock movement once."
    )
    shop.counter.close_day("1")
    stage.say("7. The day is closed at the till, which changes every receipt once more.")
