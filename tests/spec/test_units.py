"""Orders with their lines, in their general form: one order, whole, in step with each save (U9, U17, U18, U19, T7).

A shop and a ledger, both in PostgreSQL, their lines in tables of their own; the shop's program deletes and inserts all lines
at each save. Each rule with its mirror.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.process import running
from tests.spec.conftest import SETTINGS
from tests.spec.systems import Crm, until
from tests.spec.trade import Trade, rules
from tests.spec.world import World, asked

pytestmark = pytest.mark.anyio
MIRROR = pytest.mark.parametrize("mirror", [False, True])


async def are(trade: Trade, **orders: list[tuple[str, int]]) -> None:
    """Wait until the ledger holds just these orders, and nothing is left to do."""

    async def those() -> bool:
        return await trade.booked() == orders

    await until(those, f"the orders {orders}")


async def waiting(trade: Trade) -> list[str]:
    """Why records wait, once any does."""

    async def some() -> list[str]:
        return sorted(row.reason for row in await trade.world.parked("waiting"))

    return await until(some, "something that waits")


@MIRROR
async def test_u19_each_save_updates_the_same_order_and_never_makes_a_second_one(
    world: World, crm: Crm, mirror: bool
) -> None:
    trade = Trade(world, crm, mirror=mirror)
    await trade.begin()
    await trade.save("1", ("A", 1), ("B", 2), state="draft")
    await trade.save("2", ("C", 3))
    await are(trade, **{"2": [("C", 3)]})  # a draft does not go
    await trade.save("1", ("A", 1), ("B", 2))
    await are(trade, **{"2": [("C", 3)], "1": [("A", 1), ("B", 2)]})
    await crm.script("UPDATE ledger.order_lines SET delivered = 1 WHERE quantity = 2")
    (id_,) = [row["id"] for row in await crm.sql("SELECT id FROM ledger.orders WHERE number = '1'")]
    for lines in (
        [("A", 1), ("B", 2), ("C", 1)],  # added
        [("A", 7), ("B", 2), ("C", 1)],  # changed
        [("C", 1), ("B", 2)],  # removed, moved
    ):
        await trade.save("1", *lines)
        await are(trade, **{"2": [("C", 3)], "1": lines})
    (row,) = await crm.sql("SELECT order_id, delivered, line_no FROM ledger.order_lines WHERE delivered = 1")
    assert row == {
        "order_id": id_,
        "delivered": 1,
        "line_no": 2,
    }  # what the ledger alone knows stays with its line
    await world.quiet()
    before = await crm.sql("SELECT xmin::text, * FROM ledger.order_lines ORDER BY id")
    await trade.save("1", ("C", 1), ("B", 2))  # saved again: other rows in the shop, nothing new
    await world.quiet()
    assert await crm.sql("SELECT xmin::text, * FROM ledger.order_lines ORDER BY id") == before


@MIRROR
async def test_u09_lines_follow_their_order_and_the_sums_agree(world: World, crm: Crm, mirror: bool) -> None:
    trade = Trade(world, crm, mirror=mirror)
    await trade.begin()
    await trade.save("1", ("A", 1), off=1)
    await trade.save("2", ("B", 2))
    await are(trade, **{"2": [("B", 2)]})
    side = "b" if mirror else "a"
    assert await waiting(trade) == [f"the lines of items on {side} add up to 10, total says 11"]
    await trade.save("1", ("A", 1))
    await are(trade, **{"2": [("B", 2)], "1": [("A", 1)]})
    await world.quiet()
    assert await world.parked("waiting") == []
    totals = await crm.sql(
        "SELECT o.total = sum(l.quantity * l.price) AS agrees FROM ledger.orders o JOIN ledger.order_lines l "
        "ON l.order_id = o.id GROUP BY o.id"
    )
    assert [row["agrees"] for row in totals] == [True, True]


@MIRROR
async def test_u18_lines_carry_cost_and_price_so_that_margins_agree(
    world: World, crm: Crm, mirror: bool
) -> None:
    trade = Trade(world, crm, mirror=mirror)
    await trade.begin()
    await trade.save("1", ("A", 3), ("C", 2))
    await are(trade, **{"1": [("A", 3), ("C", 2)]})
    margins = [
        await crm.sql(
            f"SELECT sum(quantity * price) AS turnover, sum(quantity * (price - cost)) AS margin FROM {schema}.order_lines"
        )
        for schema in ("shop", "ledger")
    ]
    assert margins[0] == margins[1]
    assert margins[0][0]["margin"] > 0


@MIRROR
async def test_u17_an_article_is_offered_once_and_a_line_finds_it_on_the_other_side(
    world: World, crm: Crm, mirror: bool
) -> None:
    """What is not an article there yet holds back its order alone, and goes by itself."""
    trade = Trade(world, crm, mirror=mirror)
    await trade.begin()
    await trade.article("D", None)
    await trade.save("quote", ("A", 1), state="quote")
    await trade.save("1", ("A", 1), ("D", 1))
    await trade.save("2", ("A", 2))
    await are(trade, **{"2": [("A", 2)]})
    (id_,) = [row["id"] for row in await crm.sql("SELECT id FROM shop.articles WHERE sku = 'D'")]
    told = f"field items: line 2, article: articles {id_} is not in step yet"

    async def is_told() -> bool:
        return any(reason.startswith(told) for reason in await waiting(trade))

    await until(is_told, told)
    await crm.script("UPDATE shop.articles SET name = 'the fourth' WHERE sku = 'D'")
    await are(trade, **{"2": [("A", 2)], "1": [("A", 1), ("D", 1)]})
    await trade.save("quote", ("A", 1))  # the order that it becomes does
    await are(trade, **{"2": [("A", 2)], "1": [("A", 1), ("D", 1)], "quote": [("A", 1)]})
    assert await crm.value("SELECT count(*) FROM ledger.articles") == 4


@MIRROR
async def test_t07_t19_a_code_without_an_entry_holds_back_only_the_invoice_that_uses_it(
    world: World, crm: Crm, mirror: bool
) -> None:
    trade = Trade(world, crm, mirror=mirror)
    await trade.begin()
    await trade.save("1", ("A", 1), vat="X")
    await trade.save("2", ("B", 1), vat="L")
    await are(trade, **{"2": [("B", 1)]})
    side, path = ("b" if mirror else "a"), "orders.items.vat"
    said = f'field items: line 1, vat: the value map of {path} on side {side} has no entry for "X"'
    assert await waiting(trade) == [said]
    assert [row["vat"] for row in await crm.sql("SELECT vat FROM ledger.order_lines")] == ["12"]
    await trade.save("1", ("A", 1), vat="H")
    await are(trade, **{"2": [("B", 1)], "1": [("A", 1)]})


@MIRROR
async def test_u19_a_daemon_that_is_killed_makes_no_second_order_and_no_half_one(
    world: World, crm: Crm, home: Path, mirror: bool
) -> None:
    """Killed again and again while orders are saved; in the end each is there once, and whole."""
    wanted = {str(at): [("A", at), ("B", 1)] for at in range(1, 13)}
    with running(home / "data", **SETTINGS) as first:
        async with asked(first) as tandem:
            trade = Trade(World(tandem, world.tenant, world.erp, crm), crm, mirror=mirror)
            await trade.begin()
            for number, lines in wanted.items():
                await trade.save(number, *lines)

            async def some() -> bool:
                return await trade.count() > 0

            await until(some, "the first order")
        first.process.kill()
        first.process.wait()
    wanted = {number: [("C", 2), *lines] for number, lines in wanted.items()}
    for number, lines in wanted.items():
        await trade.save(number, *lines)
    with running(home / "data", **SETTINGS) as second:
        async with asked(second) as tandem:
            trade = Trade(World(tandem, world.tenant, world.erp, crm), crm, mirror=mirror)

            async def those() -> bool:
                return await trade.booked() == wanted

            await until(those, "all orders, whole")
            assert await trade.count() == len(wanted)


@MIRROR
async def test_u19_a_ledger_that_edits_lines_too_keeps_its_edits(
    world: World, crm: Crm, mirror: bool
) -> None:
    """Owned by both: line by line, cell by cell."""
    trade = Trade(world, crm, mirror=mirror)
    await trade.begin(rules(mirror, owner="both", sums=None))
    await trade.save("1", ("A", 1), ("B", 1))
    await are(trade, **{"1": [("A", 1), ("B", 1)]})
    await world.quiet()
    await world.pause()
    await crm.script("UPDATE ledger.order_lines SET quantity = 7 WHERE line_no = 2")
    await crm.script("UPDATE shop.order_lines SET quantity = 4 WHERE line_no = 1")
    await world.resume()
    for schema in ("ledger", "shop"):

        async def merged(schema: str = schema) -> bool:
            return await trade.booked(schema) == {"1": [("A", 4), ("B", 7)]}

        await until(merged, f"both edits in the {schema}")
    assert await world.conflicts() == []
