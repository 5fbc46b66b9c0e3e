"""Admin queries that have a stream read again: what they let go of, and what stays."""

from __future__ import annotations

import msgspec
import pytest

from actors.core.errors import LeaseLost
from actors.core.types import Binding, Deviation, Held, Presence, Room, State
from actors.ports import Cursor, Settlement
from daemon.store.admin import Admin
from daemon.store.rows import Missing
from tests.store.pgworld import PgWorld
from tests.store.world import START, create, full, half, hint, leased, park

pytestmark = pytest.mark.anyio
STATES = (State.NEW, State.MATCHED, State.SETTLED, State.TOMBSTONE, State.HELD_BACK, State.GONE)
READ = Cursor("customers", "a", cursor="c1", position="p", generation=7, began=1.0, token="t", completed=2.0)


async def bindings(world: PgWorld, stream: str = "customers") -> list[Binding]:
    return list(await world.store.bindings_in("l1", stream, STATES, 0, 99))


async def filled(world: PgWorld) -> list[Binding]:
    """A settled pair with a deviation, a tombstone, a newcomer, one that is gone; a settled pair of another stream."""
    lease = await leased(world)
    dev = {"name": Deviation("x", "rewritten")}
    pair = msgspec.structs.replace(full("A1", "B1", 5), b=Held("B1", dev=dev, version="v"))
    gone = full("A3", "B3", state=State.GONE)
    gone = msgspec.structs.replace(gone, a=Held("A3", presence=Presence.DELETED))
    tombstone = full("A2", "B2", state=State.TOMBSTONE)
    other = full("O1", "P1", stream="orders")
    made = (pair, tombstone, half("a", "A4"), gone, other)
    first, *_ = await world.store.settle(lease, Settlement("r1", bindings=made))
    orders = msgspec.structs.replace(READ, stream="orders")
    b = msgspec.structs.replace(READ, side="b", cursor="c2")
    parked = park(first, Room.CONFLICT, "name")
    await world.store.settle(lease, Settlement("r1", cursors=(READ, b, orders), park=(parked,)))
    for stream in ("customers", "orders"):
        action = msgspec.structs.replace(create(first), stream=stream)
        await world.store.hold(lease, "held", stream, "too many", [action])
    return await bindings(world)


async def test_b14_a_reset_unsettles_the_pairs_of_one_stream_and_lets_nobody_go(
    world: PgWorld, admin: Admin
) -> None:
    pair, *others = await filled(world)
    assert await admin.reset_stream("l1", "customers") == 1
    now, *rest = await bindings(world)
    assert rest == others and len(others) == 3
    assert (now.state, dict(now.base), now.rev, now.keys) == (State.MATCHED, {}, pair.rev + 1, (5,))
    assert now.a == Held("A1") and now.b == Held("B1", version="v")
    (order,) = await bindings(world, "orders")
    assert order.state is State.SETTLED and order.base == {"name": "O1"}
    found = {(one.stream, one.side): one for one in await world.store.cursors("l1")}
    unread = {"position": "", "began": 0.0, "token": "", "completed": 0.0}
    assert found["customers", "a"] == msgspec.structs.replace(READ, **unread)
    assert found["customers", "b"] == msgspec.structs.replace(READ, side="b", cursor="c2", **unread)
    assert found["orders", "a"] == msgspec.structs.replace(READ, stream="orders")
    states = {plan.row.stream: plan.row.state for plan in (await admin.list_plans("l1", "", "", 9)).rows}
    assert states == {"customers": "superseded", "orders": "open"}


async def test_b14_whoever_is_at_work_during_a_reset_commits_nothing_more(
    world: PgWorld, admin: Admin
) -> None:
    await filled(world)
    lease = await leased(world)
    await admin.reset_stream("l1", "customers")
    with pytest.raises(LeaseLost):
        await world.store.settle(lease, Settlement("r1", hints=(hint("A1"),)))
    again = await world.store.take_lease("l1", "w2", 15.0)
    assert again is not None and again.epoch > lease.epoch + 1  # nobody takes its memory over
    with pytest.raises(Missing):
        await admin.reset_stream("l9", "customers")


async def test_b14_a_decision_counts_for_nothing_after_a_reset(world: PgWorld, admin: Admin) -> None:
    await filled(world)
    (row,) = (await admin.list_parked("l1", "", "conflict", 9)).rows
    await admin.decide(row.row.id, row.row.fingerprint, {"choose": "a"}, "token-1")
    await admin.reset_stream("l1", "orders")
    assert (await admin.get_parked(row.row.id)).row.decision == {"choose": "a"}
    await admin.reset_stream("l1", "customers")
    after = await admin.get_parked(row.row.id)
    assert (after.row.decision, after.by) == (None, "")


async def test_b14_a_backfill_has_both_sides_read_and_stops_nobody(world: PgWorld, admin: Admin) -> None:
    before = await filled(world)
    lease = await leased(world)
    await admin.backfill_stream("l1", "customers")
    due = await world.store.hints("l1", ["customers", "orders"], START, 9)
    assert [(one.stream, one.side, one.id, one.reason) for one in due] == [
        ("customers", "a", "", "backfill"),
        ("customers", "b", "", "backfill"),
    ]
    await world.store.settle(lease, Settlement("r1", acks=(due[0],)))
    assert await bindings(world) == before
    with pytest.raises(Missing):
        await admin.backfill_stream("l9", "customers")


async def test_b14_a_cursor_is_set_in_the_place_of_the_old_one(world: PgWorld, admin: Admin) -> None:
    before = await filled(world)
    lease = await leased(world)
    assert await admin.set_cursor("l1", "customers", "a", "c9") == "c1"
    assert await admin.set_cursor("l1", "new", "b", "c5") == ""
    found = {(one.stream, one.side): one for one in await world.store.cursors("l1")}
    assert found["customers", "a"] == msgspec.structs.replace(READ, cursor="c9")
    assert found["customers", "b"].cursor == "c2"
    assert found["new", "b"] == Cursor("new", "b", cursor="c5")
    with pytest.raises(LeaseLost):  # who is at work would write the old one again
        await world.store.settle(lease, Settlement("r1", cursors=(READ,)))
    assert await bindings(world) == before
    with pytest.raises(Missing):
        await admin.set_cursor("l9", "customers", "a", "c9")


async def test_what_waits_is_counted_by_stream(world: PgWorld, admin: Admin) -> None:
    await filled(world)
    lease = await leased(world)
    rows = (park(77), park(78), msgspec.structs.replace(park(79), stream="orders"))
    await world.store.settle(lease, Settlement("r1", park=rows))
    found = await admin.stream_rooms("l1")
    assert {name: [(one.room, one.count) for one in rooms] for name, rooms in found.items()} == {
        "customers": [("conflict", 1), ("quarantine", 2)],
        "orders": [("quarantine", 1)],
    }
    assert all(one.oldest > 0 for rooms in found.values() for one in rooms)
    assert await admin.stream_rooms("l2") == {}
