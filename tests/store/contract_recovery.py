"""The contract of a recovery: an older state was put back, and every link waits until a person has it go on."""

from __future__ import annotations

import msgspec
import pytest

from actors.core.types import Deviation, Held, Outcome, Presence, Room, State
from actors.ports import Cursor, RunRow, Settlement
from tests.store.world import START, World, create, full, half, leased, park

DEV = {"name": Deviation("N", "rewritten")}


class RecoveryContract:
    """What was settled counts for nothing any more; what is bound, deleted or under way is still known."""

    async def test_what_was_settled_has_to_meet_afresh_and_the_rest_is_as_it_was(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        settled = msgspec.structs.replace(
            full("A1", "B1", 7), b=Held("B1", dev=DEV), contests={"a.x": (2, 1.0)}
        )
        gone = Held("A3", Presence.DELETED)
        tomb = msgspec.structs.replace(full("A3", "B3"), a=gone, state=State.TOMBSTONE)
        work = Settlement("r1", bindings=(settled, half("a", "A2", 8), tomb))
        keys = list(await store.settle(lease, work))
        before = {one.key: one for one in await store.bindings_by_key("l1", keys)}
        await world.recover()
        met, new, dead = await store.bindings_by_key("l1", keys)
        assert (met.state, dict(met.base), met.rev) == (State.MATCHED, {}, before[keys[0]].rev + 1)
        assert met.a is not None and met.b is not None
        assert (dict(met.a.dev), dict(met.b.dev), dict(met.contests)) == ({}, {}, {})
        assert (met.a.id, met.b.id, met.keys) == ("A1", "B1", (7,))
        assert [new, dead] == [before[key] for key in keys[1:]]

    async def test_both_sides_are_read_completely_again(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        was = Cursor("customers", "a", "c9", "p4", 3, START, "t", START, START)
        await store.settle(lease, Settlement("r1", cursors=(was,)))
        await world.recover()
        (now,) = await store.cursors("l1")
        assert now == msgspec.structs.replace(was, position="", began=0.0, token="", completed=0.0)

    async def test_nothing_is_carried_out_that_was_said_yes_to_before(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        plan = await store.hold(lease, "held", "customers", "many", [create(1, fingerprint="f")])
        await world.approve_plan("l1", plan, 1)
        await store.settle(lease, Settlement("r1", park=(park(5, Room.CONFLICT),)))
        (row,) = await store.parked("l1", [5])
        await world.decide("l1", row.id, "f1", {"choose": "a"})
        await store.begin_run(lease, RunRow("r1", "l1", started=START))
        await world.recover()
        assert await store.approved("l1", "customers", [1]) == frozenset()
        assert await store.held("l1", "customers", "held") is None
        assert [one.decision for one in await store.parked("l1", [5])] == [None]
        ended = await world.run("r1")
        assert (ended.outcome, ended.error) == (Outcome.FAILED, "interrupted")

    async def test_what_was_sent_is_still_to_be_looked_for(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        ids = list(await store.intend(lease, "r1", [create(1)]))
        await world.recover()
        assert [one.id for one in await store.open_actions("l1")] == ids

    @pytest.mark.parametrize("wish", ["run", "paused"])
    async def test_it_ends_when_a_person_has_the_link_go_on_and_not_before(
        self, world: World, wish: str
    ) -> None:
        lease = await leased(world)
        await world.recover()
        await world.store.set_facts(lease, {"recovering": False, "wish": "run"}, START)
        for link in ("l1", "l2"):
            row = await world.store.link(link)
            assert row is not None
            assert (row.facts["wish"], row.facts.get("recovering")) == ("paused", True)
        assert await world.store.due_links(START + 10**6, 9) == []
        await world.set_wish("l1", wish)
        row = await world.store.link("l1")
        assert row is not None
        assert (row.facts["wish"], row.facts.get("recovering", False)) == (wish, wish == "paused")
