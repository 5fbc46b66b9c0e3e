"""S11: what was staged is imported when a person says so, all of it or a selection, once, together with its effects.

The ERP's orders play the receipts, the CRM's table `stock_moves` what a sale does to the stock there.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tandem.v1 import documents_pb2, rooms_pb2
from tandem_client import TandemError
from tests.spec.systems import LINK, MONEY, ORDERS, customer, until
from tests.spec.test_streams import order, with_orders
from tests.spec.world import World

pytestmark = pytest.mark.anyio
STOCK = """
CREATE TABLE stock_moves (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sale_id bigint NOT NULL REFERENCES orders (id), amount numeric(12, 2) NOT NULL CHECK (amount > 0)
)
"""
EFFECTS = {
    "stock": {
        "object": "stock_moves",
        "document": "sale_id",
        "fields": {"amount": {"a": "SUMME", "b": "amount", "lens_a": MONEY}},
    }
}
MOVES = """
SELECT o.number, m.amount FROM stock_moves m JOIN orders o ON o.id = m.sale_id ORDER BY o.number, m.id
"""


async def with_receipts(world: World, count: int) -> Sequence[rooms_pb2.Parked]:
    """So many receipts, all staged."""
    world.erp.save([customer(1)])
    world.erp.save([order(n, total=f"{n},50") for n in range(1, count + 1)], "AUFTRAEGE", ORDERS)
    await world.crm.script(STOCK)
    await world.connect(with_orders({"stages": ["b"], "once": ["b"], "effects": EFFECTS}))
    return await listed(world, count)


async def listed(world: World, count: int) -> Sequence[rooms_pb2.Parked]:
    """The documents that wait, once they are so many."""

    async def these() -> Sequence[rooms_pb2.Parked]:
        request = documents_pb2.ListDocumentsRequest(link=LINK, tenant=world.tenant)
        found = (await world.tandem.documents.ListDocuments(request)).documents
        return found if len(found) == count else []

    async def none() -> bool:
        return not await these() and not await world.parked("staged")

    if not count:
        await until(none, "no document left")
        return []
    return await until(these, f"{count} documents")


async def bring_in(world: World, *ids: int, every: bool = False) -> int:
    request = documents_pb2.ImportDocumentsRequest(link=LINK, tenant=world.tenant, ids=ids, all=every)
    return (await world.tandem.documents.ImportDocuments(request)).count


async def moved(world: World) -> dict[str, Decimal]:
    """The stock movements by sale; none twice."""
    rows = await world.crm.sql(MOVES)
    found = {row["number"]: row["amount"] for row in rows}
    assert len(found) == len(rows)
    return found


async def have_moved(world: World, *numbers: int) -> None:
    async def those() -> bool:
        return sorted(await moved(world)) == [f"B{n:05d}" for n in numbers]

    await until(those, f"the movements of {numbers}")


async def test_s11_a_selection_is_imported_now_and_the_rest_later_each_sale_with_its_movement_once(
    world: World,
) -> None:
    first, second, third = await with_receipts(world, 3)
    await world.quiet()
    assert await world.crm.value("SELECT count(*) FROM orders") == 0 and await moved(world) == {}
    assert await bring_in(world, first.id, third.id) == 2
    await have_moved(world, 1, 3)
    (left,) = await listed(world, 1)
    assert left.record == second.record
    world.erp.save(world.erp.rows("AUFTRAEGE"), "AUFTRAEGE")  # the whole file once more
    world.erp.save([*world.erp.rows("AUFTRAEGE"), order(4, total="4,50")], "AUFTRAEGE")
    await listed(world, 2)
    await world.quiet()
    assert await bring_in(world, every=True) == 2
    await have_moved(world, 1, 2, 3, 4)
    await listed(world, 0)
    await world.quiet()
    assert await moved(world) == {f"B{n:05d}": Decimal(f"{n}.50") for n in (1, 2, 3, 4)}
    assert await world.crm.value("SELECT count(*) FROM orders") == 4


async def test_s11_a_decision_to_import_waits_for_no_schedule_and_what_was_not_decided_does(
    world: World,
) -> None:
    world.erp.save([customer(1)])
    world.erp.save([order(n, total=f"{n},50") for n in (1, 2)], "AUFTRAEGE", ORDERS)
    await world.crm.script(STOCK)
    rules = with_orders({"stages": ["b"], "once": ["b"], "effects": EFFECTS})
    await world.connect(f"{rules}\ndelivery: command\n")
    await world.sync()
    first, _ = await listed(world, 2)
    await bring_in(world, first.id)
    await have_moved(world, 1)
    (left,) = await listed(world, 1)
    # What comes later is not even staged before a run is started.
    world.erp.save([*world.erp.rows("AUFTRAEGE"), order(3, total="3,50")], "AUFTRAEGE")
    await bring_in(world, left.id)
    await have_moved(world, 1, 2)
    await listed(world, 0)
    await world.sync()
    await listed(world, 1)
    assert await world.crm.value("SELECT count(*) FROM orders") == 2


async def test_s11_an_effect_that_is_refused_waits_with_the_reason_and_goes_once_the_system_takes_it(
    world: World,
) -> None:
    await with_receipts(world, 2)
    await world.crm.script("ALTER TABLE stock_moves ADD CONSTRAINT closed CHECK (amount <> 2.50)")
    await bring_in(world, every=True)
    await have_moved(world, 1)

    async def refused() -> Sequence[rooms_pb2.Parked]:
        return [row for row in await world.parked("quarantine") if "closed" in row.reason]

    (row,) = await until(refused, "the reason")
    assert (row.stream, row.record) == ("orders_stock", "B00002")
    assert await world.crm.value("SELECT count(*) FROM orders") == 2  # the sales themselves are made
    await world.crm.script("ALTER TABLE stock_moves DROP CONSTRAINT closed")
    await world.tandem.quarantine.RetryParked(rooms_pb2.RetryParkedRequest(id=row.id))
    await have_moved(world, 1, 2)
    await world.quiet()
    assert len(await moved(world)) == 2


async def test_s11_an_effect_whose_record_is_gone_for_good_is_given_up_on_a_persons_word_and_nothing_else_is(
    world: World,
) -> None:
    await with_receipts(world, 2)
    await world.crm.script("ALTER TABLE stock_moves ADD CONSTRAINT closed CHECK (amount <> 2.50)")
    await bring_in(world, every=True)
    await have_moved(world, 1)

    async def only(room: str, *words: str) -> Sequence[rooms_pb2.Parked]:
        rows = await world.parked(room)
        return [row for row in rows if any(word in row.reason for word in words)]

    (row,) = await until(lambda: only("quarantine", "closed"), "the refusal")
    request = rooms_pb2.DismissParkedRequest(id=row.id)
    with pytest.raises(TandemError, match="not given up by a word"):
        await world.tandem.quarantine.DismissParked(request)
    world.erp.save([order(1, total="1,50")], "AUFTRAEGE")
    (row,) = await until(lambda: only("waiting", "which is gone"), "what waits for it")
    assert "dismiss" in row.hint
    await world.tandem.quarantine.DismissParked(rooms_pb2.DismissParkedRequest(id=row.id))

    async def nobody() -> bool:
        return not await world.parked("waiting")

    await until(nobody, "its end")
    await world.crm.script("ALTER TABLE stock_moves DROP CONSTRAINT closed")
    await world.quiet()
    assert sorted(await moved(world)) == ["B00001"]


async def test_s11_what_can_not_be_imported_is_refused_as_a_whole(world: World) -> None:
    (one,) = await with_receipts(world, 1)
    with pytest.raises(TandemError, match="no staged document 999999"):
        await bring_in(world, one.id, 999999)
    with pytest.raises(TandemError, match="one of both"):
        await bring_in(world, one.id, every=True)
    with pytest.raises(TandemError, match="one of both"):
        await bring_in(world)
    await world.quiet()
    assert await world.crm.value("SELECT count(*) FROM orders") == 0
