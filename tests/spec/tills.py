"""SelectLine and a CloudKasse for the tests of the pair: emulators that are asked over HTTP, the people in front of both,
and the link between them.

Must not: know the daemon beyond its API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

from clients.emulators.cloudkasse import System as Cloudkasse
from clients.emulators.description import Row
from clients.emulators.selectline import System as Selectline
from clients.emulators.stand import stand
from tandem.v1 import common_pb2, documents_pb2, links_pb2, rooms_pb2, runs_pb2
from tandem_client import Tandem
from tests.spec.pair import Pair
from tests.spec.systems import until

BLUEPRINT: Final = "selectline-cloudkasse"
CUSTOMER: Final = "10000"
TAX: Final = {"tax_rates": {"3": 19, "2": 7}, "vat_keys": {"3": 1, "2": 2}}


class Tills(Pair):
    """A shop: `erp` and `cloud` with the people in front of them, and `till`, what is done at the tills."""

    def __init__(self, tandem: Tandem, tenant: str, erp: Selectline, cloud: Cloudkasse) -> None:
        here = {"url": erp.address, "user": "tandem", "password": erp.password, "app_key": erp.app_key}
        there = {"url": f"{cloud.address}/v1", "token": cloud.token, "requests_per_min": 0}
        a = {**here, "tenant": "SL_MWAWI", "warehouse": "1"}
        super().__init__(tandem, tenant, ("selectline", a), ("cloudkasse", there))
        self.erp, self.cloud = erp, cloud
        self.till = cloud.tablets

    # --------------------------------------------------------------------------------------------- setting up

    async def created(self, **settings: Any) -> links_pb2.Link:
        """The link, being set up: nothing is chosen yet. `settings`: those of the blueprint that are otherwise here."""
        request = links_pb2.CreateLinkRequest(
            tenant=self.tenant, name=self.name, a="a", b="b", blueprint=BLUEPRINT
        )
        link = await self.tandem.links.CreateLink(request)
        given = {name: {"default": value} for name, value in {**TAX, **settings}.items()}
        await self.change({"a": {"poll": "1s"}, "b": {"poll": "1s"}, "settings": given})
        return link

    async def activate(self) -> links_pb2.Link:
        """What the set-up asks for is chosen, and the link goes on."""
        asked = links_pb2.PrepareLinkRequest(link=self.name, tenant=self.tenant)
        asked.settings["till_customer"] = CUSTOMER
        await self.tandem.links.PrepareLink(asked)
        request = links_pb2.ActivateLinkRequest(link=self.name, tenant=self.tenant)
        return await self.tandem.links.ActivateLink(request)

    async def go(self, **settings: Any) -> None:
        """A link that is active."""
        await self.created(**settings)
        await self.activate()

    # ----------------------------------------------------------------------------------------- people in the ERP

    def article(self, number: str, *, entered: bool = True, values: Mapping[str, Any] | None = None) -> None:
        """An article that is kept in stock, at 10.00 net, entered in the settings of the CloudKasse."""
        plain = {"Name": f"Artikel {number}", "IsWarehouseArtikel": True, "QuantityUnit": "Stk"}
        prices = {
            "Payment.ListPrice": Decimal(10),
            "Payment.SaleTaxCode": "3",
            "Warehouse.Stock": Decimal(100),
        }
        self.erp.person.insert("Articles", {"Number": number, **plain, **prices, **(values or {})})
        if entered:
            self.erp.person.insert("XCLOUDKASSEARTIKEL", {"_ARTIKELNUMMER": number})

    def new_till(self, number: str) -> None:
        """A till in the till master data."""
        row = {"_NUMMER": number, "_BEZEICHNUNG": f"Kasse {number}", "_AKTIV": True}
        self.erp.person.insert("XCLOUDKASSEN", row)

    def stock(self, *numbers: str) -> list[Any]:
        """How much of each article is there."""
        return [self.erp.person.row("Articles", number)["Warehouse.Stock"] for number in numbers]

    def sales(self) -> dict[str, Row]:
        """The documents of the ERP, by the receipt that they came from."""
        rows = list(self.erp.person.rows("Documents").values())
        found = {str(row["OurReference"]): row for row in rows}
        assert len(found) == len(rows), "a receipt has two documents"
        return found

    def positions(self, receipt: str) -> list[tuple[Any, ...]]:
        """Article, quantity and total of each position of a sale."""
        rows = self.erp.positions_of(str(self.sales()[receipt]["DocumentKey"]))
        return [(row["ArticleNumber"], row["CalculatedQuantityValue"], row["TotalPrice"]) for row in rows]

    # ---------------------------------------------------------------------------------------------- at the till

    def at_till(self, table: str, number: str) -> Row:
        """A record of the cloud by its number; {} where there is none."""
        found = self.cloud.person.find(table, number=number)
        return found[0] if found else {}

    def sell(self, *lines: dict[str, Any], till: str = "1", hand_over: bool = True, **head: Any) -> str:
        """A receipt, handed over to the cloud; its number on the till (BON_ID)."""
        id_ = self.till.sell(till, lines, **head)
        if hand_over:
            self.till.hand_over(till)
        return str(self.cloud.person.row("tablet", id_)["receipt"]["BON_ID"])

    # -------------------------------------------------------------------------------------------------- runs

    async def start(self, scope: runs_pb2.Scope.ValueType = runs_pb2.SCOPE_ALL) -> runs_pb2.Run:
        """Start a run by command, and see it end. One that was under way already is waited for, and another one started."""

        async def own() -> runs_pb2.Run | None:
            handle = await self.tandem.start_run(self.name, scope=scope, tenant=self.tenant)
            run = await handle.done()
            return None if handle.already_running else run

        run = await until(own, "a run of its own")
        assert run is not None
        return run

    async def documents(self, count: int) -> Sequence[rooms_pb2.Parked]:
        """The receipts that wait for a decision, once they are so many."""

        async def right() -> tuple[Sequence[rooms_pb2.Parked]] | None:
            request = documents_pb2.ListDocumentsRequest(link=self.name, tenant=self.tenant)
            found = (await self.tandem.documents.ListDocuments(request)).documents
            return (found,) if len(found) == count else None

        found = await until(right, f"{count} receipts that wait")
        assert found is not None
        return found[0]

    async def bring_in(self, *ids: int) -> int:
        """Import these, or all; how many that were."""
        request = documents_pb2.ImportDocumentsRequest(
            link=self.name, tenant=self.tenant, ids=ids, all=not ids
        )
        return (await self.tandem.documents.ImportDocuments(request)).count

    async def items(self, run: runs_pb2.Run) -> list[common_pb2.Action]:
        """What a run says record by record."""
        request = runs_pb2.ListRunItemsRequest(run=run.id, page_size=500)
        return list((await self.tandem.runs.ListRunItems(request)).items)


@asynccontextmanager
async def shop(tandem: Tandem, name: str) -> AsyncIterator[Tills]:
    """An ERP with its company, a customer for the tills, one till, and an empty cloud; connected, without a link."""
    async with stand("selectline") as erp, stand("cloudkasse") as cloud:
        assert isinstance(erp, Selectline) and isinstance(cloud, Cloudkasse)
        erp.person.insert("Customers", {"Number": CUSTOMER, "Company": "Barverkauf"})
        made = Tills(tandem, name, erp, cloud)
        await made.connect()
        try:
            yield made
        finally:
            await made.leave()
