"""The contract of the Store port, part 1: links, leases, inbox, and what a stale lease must not change.

Sentence by sentence what actors/ports/store.py promises, run against every implementation (test_memory.py, test_pg.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from actors.core.errors import Kind, LeaseLost, TandemError
from actors.core.types import Hint, Outcome, Side
from actors.ports import Counters, Cursor, Lease, RunRow, Settlement, Store
from tests.store.world import DELETED, OBJECTS, START, TTL_S, World, create, half, hint, leased, line


class LinkContract:
    """Links, connections, leases."""

    async def test_a_link_shows_what_is_stored(self, world: World) -> None:
        link = await world.store.link("l1")
        assert link is not None
        assert (link.tenant, link.name, link.a_connection, link.b_connection) == ("t1", "shop", "c1", "c2")
        assert (link.blueprint, link.rev, link.epoch, link.owner) == ("streams: []", 0, 0, "")
        assert link.facts["wish"] == "run"
        assert await world.store.link("nobody") is None

    async def test_a_turn_begins_with_all_that_is_known_of_the_link(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        assert await store.turn("nobody") is None
        bare = await store.turn("l1")
        assert bare is not None and bare.row == await store.link("l1")
        assert (bare.asked, bare.hint_at, bare.is_open) == (None, None, False)
        assert (bare.cursors, bare.plans) == ((), frozenset())
        await world.request_run(RunRow("r7", "l1", mode="plan", scope=("customers",)))
        await store.add_hints("l1", [hint("A1", not_before=START + 9)])
        await store.intend(lease, "r1", [create(3)])
        await store.hold(lease, "held", "customers", "too many", [create(4, fingerprint="f4")])
        cursors = (
            Cursor("customers", "a", cursor="c1", looked=3.0),
            Cursor("customers", "b", generation=2, backlog="[]"),
        )
        await store.settle(lease, Settlement("r1", cursors=cursors))
        full = await store.turn("l1")
        assert full is not None and full.asked == await store.queued_run("l1")
        assert full.asked is not None and full.asked.scope == ("customers",)
        assert (full.hint_at, full.is_open) == (START + 9, True)
        assert full.cursors == cursors == tuple(await store.cursors("l1"))
        assert full.plans == {("customers", "held")}

    async def test_a_connection_comes_with_its_secrets_opened(self, world: World) -> None:
        connection = await world.store.connection("c1")
        assert connection is not None
        assert connection.settings == {"host": "db.example", "password": "geheim"}
        assert await world.store.connection("nobody") is None

    async def test_an_identity_is_kept(self, world: World) -> None:
        await world.store.set_identity("c1", "cluster-1/sales")
        connection = await world.store.connection("c1")
        assert connection is not None
        assert connection.identity == "cluster-1/sales"

    async def test_of_two_owners_one_gets_the_lease(self, world: World) -> None:
        won: list[Lease | None] = []

        async def take(owner: str) -> None:
            won.append(await world.store.take_lease("l1", owner, 60.0))

        async with anyio.create_task_group() as group:
            for owner in ("w1", "w2", "w3"):
                group.start_soon(take, owner)
        assert [lease for lease in won if lease] == [next(lease for lease in won if lease)]

    async def test_a_lease_is_free_again_when_released_or_expired(self, world: World) -> None:
        first = await leased(world)
        assert (first.link, first.owner, first.epoch, first.until) == (
            "l1",
            "w1",
            1,
            world.clock.monotonic() + TTL_S,
        )
        assert await world.store.take_lease("l1", "w2", 60.0) is None
        await world.store.release_lease(first)
        second = await leased(world, owner="w2")
        assert second.epoch == 2
        await world.expire("l1")
        assert (await leased(world, owner="w3")).epoch == 3
        link = await world.store.link("l1")
        assert link is not None
        assert (link.owner, link.epoch) == ("w3", 3)

    async def test_the_same_owner_takes_it_again_and_its_former_lease_is_lost(self, world: World) -> None:
        first, again = await leased(world), await leased(world)
        assert again.epoch == first.epoch + 1
        with pytest.raises(LeaseLost):
            await world.store.renew_lease(first, 60.0)
        with pytest.raises(LeaseLost):
            await world.store.settle(first, Settlement("r1", hints=(hint("A1"),)))
        assert await world.store.hints("l1", ["customers"], START, 9) == []
        assert await world.store.take_lease("nobody", "w1", 60.0) is None

    async def test_renewing_moves_the_deadline_and_keeps_the_epoch(self, world: World) -> None:
        lease = await leased(world)
        world.clock.advance(30)
        renewed = await world.store.renew_lease(lease, TTL_S)
        assert (renewed.epoch, renewed.until) == (lease.epoch, lease.until + 30)
        await world.store.set_facts(lease, {}, 0.0)

    async def test_facts_of_the_owner_leave_the_wish_of_a_person_alone(self, world: World) -> None:
        lease = await leased(world)
        await world.set_wish("l1", "paused")
        health = {"state": "degraded", "reasons": ["b: 500 \u0000 \ud800 \u00e9"]}
        await world.set_establishment("l1", "off")
        theirs = {"wish": "run", "establishment": "established"}
        await world.store.set_facts(lease, {"health": health, **theirs}, START + 900)
        await world.store.set_facts(lease, {"loaded": True}, START + 901)
        link = await world.store.link("l1")
        assert link is not None
        assert (link.facts["wish"], link.facts["loaded"], link.next_due) == ("paused", True, START + 901)
        assert link.facts["establishment"] == "off"
        assert link.facts["health"]["state"] == "degraded"

    async def test_the_links_of_a_connection(self, world: World) -> None:
        await world.set_wish("l2", "paused")
        for connection in ("c1", "c2"):
            assert [link.id for link in await world.store.links_of(connection)] == ["l1", "l2"]
        assert await world.store.links_of("nobody") == []

    async def test_due_links(self, world: World) -> None:
        store = world.store
        for link, due in (("l1", START + 10), ("l2", START + 5)):
            lease = await leased(world, link)
            await store.set_facts(lease, {}, due)
            await store.release_lease(lease)
        assert await store.due_links(START + 4, 10) == []
        assert await store.due_links(START + 5, 10) == ["l2"]
        assert await store.due_links(START + 10, 10) == ["l2", "l1"]
        assert await store.due_links(START + 10, 1) == ["l2"]
        await store.add_hints("l1", [hint("A1", not_before=START + 2)])
        assert await store.due_links(START + 1, 10) == []
        assert await store.due_links(START + 2, 10) == ["l1"]
        await world.set_wish("l1", "paused")
        assert await store.due_links(START + 10, 10) == ["l2"]

    @pytest.mark.parametrize("how, plans", [("confirmed", True), ("off", False)])
    async def test_a_link_that_is_not_established_is_never_due(
        self, world: World, how: str, plans: bool
    ) -> None:
        await world.set_establishment("l1", how)
        await world.store.add_hints("l1", [hint("A1")])
        assert await world.store.due_links(START, 10) == ["l2"]
        await world.request_run(RunRow("r1", "l1", mode="sync", started=0.0))
        assert await world.store.due_links(START, 10) == ["l2"]
        await world.request_run(RunRow("r2", "l1", mode="plan", started=0.0))
        assert sorted(await world.store.due_links(START, 10)) == (["l1", "l2"] if plans else ["l2"])

    async def test_a_claim_keeps_other_links_of_the_account_from_the_same_new_record(
        self, world: World
    ) -> None:
        store = world.store
        await store.set_identity("c1", "books")
        await store.set_identity("c2", "crm")
        one, two = await leased(world, "l1"), await leased(world, "l2")
        assert await store.claim(one, "a", "customers", [7, 8], TTL_S) == set()
        assert await store.claim(one, "a", "customers", [7, 9], TTL_S) == set()  # its own is no obstacle
        assert await store.claim(two, "a", "customers", [6, 7, 8, 9], TTL_S) == {7, 8, 9}
        assert await store.claim(two, "b", "customers", [7], TTL_S) == set()  # another account
        assert await store.claim(two, "a", "articles", [7], TTL_S) == set()
        assert await store.claim(one, "a", "customers", [6], TTL_S) == {6}
        assert await store.claim(one, "a", "orders", [1], 0.0) == set()
        assert await store.claim(two, "a", "orders", [1], TTL_S) == set()  # it had run out
        assert await store.claim(one, "a", "orders", [1], TTL_S) == {1}
        assert await store.claim(one, "a", "orders", [], TTL_S) == set()
        await world.expire("l1")
        with pytest.raises(LeaseLost):
            await store.claim(one, "a", "customers", [1], TTL_S)

    async def test_a_leased_link_is_not_due_until_the_lease_expires(self, world: World) -> None:
        await leased(world, "l1")
        await leased(world, "l2")
        assert await world.store.due_links(START, 10) == []
        await world.expire("l2")
        assert await world.store.due_links(START, 10) == ["l2"]


class FenceContract:
    """A method that takes a lease does nothing under one that is lost."""

    async def test_a_stale_lease_changes_nothing_anywhere(self, world: World) -> None:
        store, stale = world.store, await leased(world)
        await prepare(store, stale)
        await world.expire("l1")
        before = await everything(store)
        for name, call in fenced_calls(store, stale).items():
            with pytest.raises(LeaseLost):
                await call()
            assert await everything(store) == before, f"{name} changed something after its lease ran out"
        fresh = await leased(world, owner="w2")
        before = await everything(store)
        for name, call in fenced_calls(store, stale).items():
            with pytest.raises(LeaseLost):
                await call()
            assert await everything(store) == before, f"{name} changed something under another owner"
        await store.set_facts(fresh, {"loaded": True}, 0.0)


async def prepare(store: Store, lease: Lease) -> None:
    """Something of every kind for a stale owner to spoil."""
    await store.begin_run(lease, RunRow("r1", "l1", started=START))
    (key,) = await store.settle(lease, Settlement("r1", bindings=(half("a", "A1"),), hints=(hint("A1"),)))
    await store.intend(lease, "r1", [create(key)])
    await store.hold(lease, "held", "customers", "too many", [create(key, fingerprint="f1")])


async def everything(store: Store) -> list[object]:
    """All that the port shows of link l1."""
    plan = await store.held("l1", "customers", "held")
    return [
        await store.link("l1"),
        await store.cursors("l1"),
        await store.bindings_in("l1", "customers", ["new", "settled"], 0, 100),
        await store.hints("l1", ["customers"], START + 1e6, 100),
        await store.open_actions("l1"),
        await store.queued_run("l1"),
        await store.run_counters("r1"),
        await store.spent("l1", "customers", 0.0, OBJECTS),
        plan,
        await store.held_actions(plan.id, 0, 100) if plan else None,
    ]


def fenced_calls(store: Store, lease: Lease) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every fenced method, called so that it would change something."""
    work = Settlement(
        "r1",
        bindings=(half("b", "B9"),),
        cursors=(Cursor("customers", "a", "9"),),
        hints=(hint("A9"),),
        acks=(hint("A1", seq=10**9),),
        spend={DELETED: 1},
        counters=(Counters("customers", "b", created=1),),
        items=(line(1),),
    )
    return {
        "renew_lease": lambda: store.renew_lease(lease, 60.0),
        "release_lease": lambda: store.release_lease(lease),
        "set_facts": lambda: store.set_facts(lease, {"loaded": True}, 1.0),
        "intend": lambda: store.intend(lease, "r1", [create(1)]),
        "settle": lambda: store.settle(lease, work),
        "begin_run": lambda: store.begin_run(lease, RunRow("r2", "l1", started=0.0)),
        "update_run": lambda: store.update_run(lease, "r1", "writing"),
        "end_run": lambda: store.end_run(lease, RunRow("r1", "l1", outcome=Outcome.FAILED)),
        "hold": lambda: store.hold(lease, "held", "customers", "more", [create(2, fingerprint="f2")]),
        "close_plan": lambda: store.close_plan(lease, "plan-1", "superseded"),
        "release_held": lambda: store.release_held(lease, "customers", "held", range(100)),
    }


class InboxContract:
    """Hints: coalesced per record, read in order, acknowledged only as far as they were read."""

    async def test_hints_come_in_order_when_due_and_stay(self, world: World) -> None:
        store = world.store
        await store.add_hints("l1", [hint("A1"), hint("B1", side="b", not_before=START + 9), hint("A2")])
        await store.add_hints("l1", [Hint("articles", "a", "A1")])
        await store.add_hints("l2", [hint("A1")])
        for _ in range(2):
            due = await store.hints("l1", ["customers"], START, 10)
            assert [(found.side, found.id) for found in due] == [("a", "A1"), ("a", "A2")]
        assert [found.id for found in await store.hints("l1", ["customers"], START + 9, 2)] == ["A1", "B1"]
        assert len(await store.hints("l1", ["customers", "articles"], START + 9, 10)) == 4
        assert await store.hints("l1", [], START + 9, 10) == []

    async def test_adding_again_coalesces_with_a_larger_seq_and_the_smaller_not_before(
        self, world: World
    ) -> None:
        store = world.store
        await store.add_hints(
            "l1", [hint("A1", reason="retry", attempts=3, not_before=START + 60), hint("A2")]
        )
        before = {found.id: found for found in await store.hints("l1", ["customers"], START + 60, 10)}
        await store.add_hints("l1", [hint("A1", not_before=START + 5), hint("A2", not_before=START + 90)])
        after = {found.id: found for found in await store.hints("l1", ["customers"], START + 60, 10)}
        assert after["A1"].not_before == START + 5
        # "changed" says the least: it does not take the place of a retry or a decision
        assert (after["A1"].reason, after["A1"].attempts) == ("retry", 3)
        assert after["A2"].not_before == 0.0
        assert min(found.seq for found in after.values()) > max(found.seq for found in before.values())

    async def test_one_record_twice_in_one_call(self, world: World) -> None:
        await world.store.add_hints(
            "l1", [hint("A1", not_before=START + 5), hint("A2"), hint("A1", reason="webhook")]
        )
        found = await world.store.hints("l1", ["customers"], START + 9, 10)
        assert [(row.id, row.reason, row.not_before) for row in found] == [
            ("A2", "changed", 0.0),
            ("A1", "webhook", 0.0),
        ]

    async def test_a_hint_added_again_between_reading_and_acknowledging_survives(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.add_hints("l1", [hint("A1"), hint("A2")])
        read = tuple(await store.hints("l1", ["customers"], START, 10))
        await store.add_hints("l1", [hint("A1", reason="webhook")])
        await store.settle(lease, Settlement("", acks=read))
        assert [(left.id, left.reason) for left in await store.hints("l1", ["customers"], START, 10)] == [
            ("A1", "webhook")
        ]
        await store.settle(
            lease, Settlement("", acks=tuple(await store.hints("l1", ["customers"], START, 10)))
        )
        assert await store.hints("l1", ["customers"], START, 10) == []

    async def test_a_retry_is_put_back_by_the_settlement_that_acknowledges(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.add_hints("l1", [hint("A1")])
        read = tuple(await store.hints("l1", ["customers"], START, 10))
        later = hint("A1", reason="retry", attempts=1, not_before=START + 30)
        await store.settle(lease, Settlement("", acks=read, hints=(later,)))
        assert await store.next_hint("l1") == START + 30
        (left,) = await store.hints("l1", ["customers"], START + 30, 10)
        assert (left.attempts, left.reason) == (1, "retry")

    async def test_the_next_hint(self, world: World) -> None:
        assert await world.store.next_hint("l1") is None
        await world.store.add_hints(
            "l1", [hint("A1", not_before=START + 8), hint("A2", not_before=START + 7)]
        )
        assert await world.store.next_hint("l1") == START + 7
        assert await world.store.next_hint("l2") is None

    async def test_for_which_ids_a_hint_waits(self, world: World) -> None:
        hints = [hint("A1"), hint("A2", not_before=START + 99), hint("A3", side="b")]
        await world.store.add_hints("l1", hints)
        asked = ["A1", "A2", "A3", "A4"]
        assert set(await world.store.hinted("l1", "customers", "a", asked)) == {"A1", "A2"}
        assert set(await world.store.hinted("l1", "customers", "b", asked)) == {"A3"}
        assert not await world.store.hinted("l2", "customers", "a", asked)
        assert not await world.store.hinted("l1", "customers", "a", [])

    async def test_hints_of_many_writers_at_once(self, world: World) -> None:
        names = [f"A{number}" for number in range(40)]

        async def add(ids: list[str], side: Side) -> None:
            await world.store.add_hints("l1", [hint(id_, side=side) for id_ in ids])

        async with anyio.create_task_group() as group:
            for ids in (names, names[::-1]) * 4:
                group.start_soon(add, ids, "a")
        found = await world.store.hints("l1", ["customers"], START, 100)
        assert sorted(row.id for row in found) == sorted(names)

    async def test_hints_for_a_link_that_is_gone_are_refused(self, world: World) -> None:
        with pytest.raises(TandemError, match="no link nobody") as caught:
            await world.store.add_hints("nobody", [hint("A1")])
        assert caught.value.kind is Kind.CONFIG
        await world.store.add_hints("nobody", [])

    async def test_hints_that_wait_for_one_reason_can_be_hurried(self, world: World) -> None:
        store, night = world.store, START + 9000
        await store.add_hints("l1", [hint("A1", reason="scheduled", not_before=night)])
        await store.add_hints("l1", [hint("A2", reason="scheduled", not_before=float("inf"))])
        await store.add_hints("l1", [hint("A3", reason="look again", not_before=night)])
        await store.add_hints("l1", [Hint("articles", "a", "A1", "scheduled", not_before=night)])
        await store.add_hints("l2", [hint("A1", reason="scheduled", not_before=night)])
        assert await store.hints("l1", ["customers"], START, 9) == []
        await store.hurry("l1", ["customers"], "scheduled")
        assert [one.id for one in await store.hints("l1", ["customers"], START, 9)] == ["A1", "A2"]
        assert await store.hints("l1", ["articles"], START, 9) == []
        assert await store.next_hint("l2") == night

    async def test_a_poke_says_the_least_of_all_hints(self, world: World) -> None:
        store = world.store
        poke, whole = hint("", reason="poked"), hint("", reason="changed")
        for first, then in ((poke, whole), (whole, poke), (poke, poke)):
            await store.add_hints("l1", [first])
            await store.add_hints("l1", [then])
            (found,) = await store.hints("l1", ["customers"], START, 9)
            assert found.reason == ("poked" if first is then else "changed")
            lease = await leased(world)
            await store.settle(lease, Settlement("r1", acks=(found,)))
        await store.add_hints("l1", [whole, poke])
        assert [one.reason for one in await store.hints("l1", ["customers"], START, 9)] == ["changed"]
