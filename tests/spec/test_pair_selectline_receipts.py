"""S9, S10, S19: whatever a till may ring up comes, or is listed with its reason; and what a restored cloud, a tablet that
was replaced or a daemon that is killed leave of it. On a real daemon, with both systems asked over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from clients.emulators.cloudkasse import System as Cloudkasse
from clients.emulators.faults import Fault
from clients.emulators.selectline import System as Selectline
from clients.emulators.stand import stand
from tandem.v1 import common_pb2, records_pb2, runs_pb2
from tandem_client import Tandem
from tests.daemon.process import running
from tests.spec.names import own_name
from tests.spec.tills import CUSTOMER, Tills, shop
from tests.spec.world import asked

pytestmark = pytest.mark.anyio
DOCUMENTS = runs_pb2.SCOPE_DOCUMENT


@pytest.fixture
async def tills(tandem: Tandem, request: pytest.FixtureRequest) -> AsyncIterator[Tills]:
    """A shop with a till and two articles, at 19 and at 7 per cent; both stand at the till."""
    async with shop(tandem, own_name(request)) as made:
        made.new_till("1")
        made.article("100")
        made.article("200", values={"Payment.SaleTaxCode": "2"})
        await made.go()
        await made.start()
        yield made


async def test_s09_s19_whatever_is_rung_up_comes_or_is_listed_with_its_reason(tills: Tills) -> None:
    rates = tills.sell({"article": "100"}, {"article": "200", "quantity": 2})
    paid = tills.sell({"article": "100"}, payments=[{"type": "Muschelgeld", "amount": "11.90"}])
    voucher = tills.sell(
        {"text": "Gutschein", "type": "MehrzweckgutscheinKauf", "price": 50, "voucher": "G1"}
    )
    tip = tills.sell({"article": "100"}, {"text": "Trinkgeld", "type": "TrinkgeldAN", "price": 2})
    run = await tills.start(DOCUMENTS)
    await tills.documents(2)
    await tills.bring_in()
    await tills.documents(0)
    assert set(tills.sales()) == {rates, paid}
    # 10.00 net at 7 % is 10.70.
    assert tills.positions(rates) == [("100", 1, Decimal("11.90")), ("200", 2, Decimal("21.40"))]
    assert tills.sales()[rates]["GrossAmount"] == Decimal("33.30")
    waiting = {row.record[-1]: row.reason for row in await tills.parked("waiting")}
    assert run.outcome == "partial"
    assert waiting == {
        voucher[-1]: "field lines: line 1 needs article",
        tip[-1]: "field lines: line 2 needs article",
    }


async def test_s10_a_cloud_that_was_restored_and_is_told_all_again_leads_to_no_second_sale(
    tills: Tills,
) -> None:
    backup = tills.cloud.data.backup()
    first, second = (tills.sell({"article": "100"}) for _ in range(2))
    await tills.start(DOCUMENTS)
    (one,) = (row.id for row in await tills.documents(2) if row.record[-1] == first[-1])
    await tills.bring_in(one)
    (left,) = await tills.documents(1)
    tills.cloud.data.restore(backup)
    # What a person had seen is gone: its import makes nothing, and says what it was.
    await tills.bring_in(left.id)
    await tills.documents(0)
    told = [
        item for run in await history(tills) for item in await tills.items(run) if item.state == "dropped"
    ]
    assert [item.origin for item in told] == [left.record]
    assert "gone on b before it was imported on a" in told[0].reason and second in told[0].reason
    assert set(tills.sales()) == {first}
    # The tablet sends all once more: the sale that was made is that sale, and the other one waits again.
    tills.till.hand_over("1", again=True)
    await tills.start(DOCUMENTS)
    await tills.documents(1)
    await tills.bring_in()
    await tills.documents(0)
    await tills.quiet()
    assert set(tills.sales()) == {first, second} and tills.stock("100") == [98]


async def test_s10_a_tablet_that_was_replaced_and_counts_anew_changes_no_sale_and_is_listed(
    tills: Tills,
) -> None:
    sold = tills.sell({"article": "100"})
    await tills.start(DOCUMENTS)
    await tills.documents(1)
    await tills.bring_in()
    await tills.documents(0)
    tills.till.reset("1")
    assert tills.sell({"article": "200", "quantity": 5}) == sold  # another sale under the same number
    await tills.start(DOCUMENTS)
    (listed,) = await tills.parked("conflict")
    assert "written once" in listed.reason and "lines" in listed.reason
    assert tills.positions(sold) == [("100", 1, Decimal("11.90"))] and tills.stock("200") == [100]


async def test_s11_a_sale_that_was_complete_but_not_let_go_is_let_go(tills: Tills) -> None:
    sold = tills.sell({"article": "100"})
    await tills.start(DOCUMENTS)
    await tills.documents(1)
    # The last request of the import is lost: all positions stand there, and the document is parked.
    tills.erp.faults.add(Fault("cut", method="PUT", path="/Documents/"))
    await tills.bring_in()
    await tills.see(lambda: tills.stock("100") == [99], "the stock movement of the sale")
    await tills.documents(0)
    await tills.quiet()
    assert tills.erp.faults.happened == ["cut PUT /Documents/R10001"]
    assert tills.positions(sold) == [("100", 1, Decimal("11.90"))] and len(tills.sales()) == 1


async def test_s18_a_sale_that_was_deleted_after_its_import_is_named_and_not_made_again(tills: Tills) -> None:
    sold = tills.sell({"article": "100"})
    await tills.start(DOCUMENTS)
    await tills.documents(1)
    await tills.bring_in()
    await tills.documents(0)
    (key,) = tills.erp.person.rows("Documents")
    tills.erp.person.delete("Documents", key)
    await tills.backfill("receipts")
    items = [item for run in await history(tills) for item in await tills.items(run)]
    assert [(one.rule, one.record[-1]) for one in items if one.reason == "deleted on a, left on b"] == [
        ("deletes: ignore", sold[-1])
    ]
    request = records_pb2.ExplainRecordRequest(
        link=tills.name, tenant=tills.tenant, stream="receipts", side=common_pb2.SIDE_B, id=sold
    )
    shown = await tills.tandem.records.ExplainRecord(request)
    assert (shown.a_presence, shown.b_presence, shown.reason) == (
        "deleted",
        "present",
        "deleted on a, left on b",
    )
    assert tills.sales() == {}


async def history(tills: Tills) -> Sequence[runs_pb2.Run]:
    """The runs of the link."""
    request = runs_pb2.ListRunsRequest(link=tills.name, tenant=tills.tenant)
    return list((await tills.tandem.runs.ListRuns(request)).runs)


# A create that was on its way when its daemon died is made again only after its deadline, a minute (no doubles).
@pytest.mark.timeout(400)
async def test_s10_s11_a_daemon_that_is_killed_while_it_stages_and_imports_makes_each_sale_once(
    home: Path,
) -> None:
    async with stand("selectline") as erp, stand("cloudkasse") as cloud:
        assert isinstance(erp, Selectline) and isinstance(cloud, Cloudkasse)

        def shop_of(tandem: Tandem) -> Tills:
            return Tills(tandem, "killed", erp, cloud)

        erp.person.insert("Customers", {"Number": CUSTOMER, "Company": "Barverkauf"})
        with running(home / "data") as first:
            async with asked(first) as tandem:
                tills = shop_of(tandem)
                await tills.connect()
                tills.new_till("1")
                tills.article("100")
                await tills.go()
                await tills.start()
                sold = [tills.sell({"article": "100"}, {"article": "100"}) for _ in range(4)]
                cloud.requests.clear()
                await tandem.start_run(tills.name, scope=DOCUMENTS, tenant=tills.tenant)
                await tills.see(
                    lambda: any("/receipts" in one for one in cloud.requests), "a look at receipts"
                )
            first.process.kill()
            first.process.wait()
        with running(home / "data") as second:
            async with asked(second) as tandem:
                tills = shop_of(tandem)
                await tills.start(DOCUMENTS)
                await tills.documents(4)
                assert not tills.sales()
                await tills.bring_in()
                await tills.see(lambda: erp.person.rows("Movements"), "the first position of a sale")
            second.process.kill()
            second.process.wait()
        with running(home / "data") as third:
            async with asked(third) as tandem:
                tills = shop_of(tandem)
                await tills.see(lambda: tills.stock("100") == [92], "all sales", timeout_s=240)
                await tills.documents(0)
                await tills.quiet()
        assert sorted(tills.sales()) == sold and tills.stock("100") == [92]
        assert all(len(tills.positions(one)) == 2 for one in sold) and len(erp.person.rows("Movements")) == 8
