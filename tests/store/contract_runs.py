"""The contract of the Store port, part 3: runs, intents, parked rows, plans."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import (
    Action,
    ActionState,
    FieldDecision,
    Held,
    Op,
    Outcome,
    Parked,
    Presence,
    Room,
    Side,
    State,
)
from actors.ports import Closed, Counters, PlanRow, RunRow, Settlement
from tests.store.contract_work import VALUES, stored
from tests.store.world import START, World, create, full, half, leased, line, park


class RunContract:
    """Runs: asked for, begun, cancelled, ended; counters add up."""

    async def test_the_oldest_run_that_was_asked_for_is_next(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        assert await store.queued_run("l1") is None
        plan = RunRow("r2", "l1", mode="plan", scope=("customers",), cause="command")
        await world.request_run(plan)
        world.clock.advance(1)
        await world.request_run(RunRow("r1", "l1"))
        assert await store.queued_run("l1") == plan
        await store.begin_run(lease, RunRow("r2", "l1", mode="plan", scope=("customers",), started=START + 2))
        queued = await store.queued_run("l1")
        assert queued is not None
        assert queued.id == "r1"

    async def test_a_request_makes_its_link_due(self, world: World) -> None:
        lease = await leased(world)
        await world.store.set_facts(lease, {}, START + 1e6)
        await world.store.release_lease(lease)
        assert "l1" not in await world.store.due_links(START, 10)
        await world.request_run(RunRow("r1", "l1"))
        assert "l1" in await world.store.due_links(START, 10)

    async def test_a_run_of_a_dead_owner_is_closed_by_the_next(self, world: World) -> None:
        store = world.store
        await store.begin_run(await leased(world), RunRow("r1", "l1", started=START))
        await world.expire("l1")
        lease = await leased(world, owner="w2")
        await world.request_run(RunRow("r3", "l1"))
        await store.begin_run(lease, RunRow("r2", "l1", started=START + 5))
        assert (await world.run("r1")).outcome is Outcome.FAILED
        assert (await world.run("r1")).error == "interrupted"
        assert (await world.run("r1")).ended == world.clock.now()
        assert (await world.run("r2")).outcome is Outcome.RUNNING
        queued = await store.queued_run("l1")
        assert queued is not None
        assert queued.id == "r3"

    async def test_a_dead_owners_run_is_closed_even_if_nothing_is_left_to_do(self, world: World) -> None:
        store = world.store
        await store.begin_run(await leased(world), RunRow("r1", "l1", started=START))
        await world.expire("l1")
        lease = await leased(world, owner="w2")
        await world.request_run(RunRow("r2", "l1"))
        await store.interrupt_runs(lease)
        assert ((await world.run("r1")).outcome, (await world.run("r1")).error) == (
            Outcome.FAILED,
            "interrupted",
        )
        queued = await store.queued_run("l1")
        assert queued is not None
        assert queued.id == "r2"

    async def test_a_person_cancels_a_run(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.begin_run(lease, RunRow("r1", "l1", started=START))
        assert await store.update_run(lease, "r1", "reading customers") is False
        await world.cancel_run("l1", "r1")
        assert await store.update_run(lease, "r1", "writing") is True
        assert (await world.run("r1")).phase == "writing"
        await world.request_run(RunRow("r2", "l1"))
        await world.cancel_run("l1", "r2")
        assert await store.queued_run("l1") is None
        assert (await world.run("r2")).outcome is Outcome.CANCELLED

    async def test_the_end_of_a_run_is_kept(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.begin_run(lease, RunRow("r1", "l1", cause="poll", scope=("customers",), started=START))
        await store.settle(
            lease, Settlement("r1", park=(park(5), park(5, field="phone"), park(6, Room.CONFLICT)))
        )
        ended = RunRow("r1", "l1", outcome=Outcome.PARTIAL, ended=START + 9, error="3 refused", backlog="[]")
        await store.end_run(lease, ended)
        row = await world.run("r1")
        assert (row.outcome, row.ended, row.error, row.waiting, row.backlog) == (
            Outcome.PARTIAL,
            START + 9,
            "3 refused",
            3,
            "[]",
        )
        assert (row.cause, row.scope, row.started) == ("poll", ("customers",), START)

    async def test_counters_add_up(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.begin_run(lease, RunRow("r1", "l1", started=START))
        for created in (2, 3):
            more = (
                Counters("customers", "b", created=created, failed=1),
                Counters("customers", "a", unchanged=9),
            )
            await store.settle(
                lease, Settlement("r1", counters=(*more, Counters("customers", "b", waiting=1)))
            )
        assert await store.run_counters("r1") == [
            Counters("customers", "a", unchanged=18),
            Counters("customers", "b", created=5, failed=2, waiting=2),
        ]
        assert await store.run_counters("r2") == []


class ActionContract:
    """Intents and their ends."""

    async def test_intents_are_open_until_closed(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        sent = [
            create(7, target="B7", tag="t-7", deadline=START + 30),
            create(8, side="a", fields={"x": None}),
        ]
        first, second = await store.intend(lease, "r1", sent)
        assert first < second
        found = await store.open_actions("l1")
        assert [(row.id, row.binding, row.side, row.state) for row in found] == [
            (first, 7, "b", ActionState.SENT),
            (second, 8, "a", ActionState.SENT),
        ]
        assert (found[0].target, found[0].tag, found[0].deadline) == ("B7", "t-7", START + 30)
        assert await store.open_actions("l2") == []
        await store.settle(
            lease, Settlement("r1", closed=(Closed(first, ActionState.REFUSED, error="no\u0000 \ud800"),))
        )
        assert [row.id for row in await store.open_actions("l1")] == [second]
        await store.settle(
            lease, Settlement("r1", closed=(Closed(second, ActionState.CONFIRMED, target="A99"),))
        )
        assert await store.open_actions("l1") == []
        assert await store.intend(lease, "r1", []) == []

    async def test_the_writes_of_a_run_come_by_binding_in_pages(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        sent = [create(9), create(7), create(8), create(7, op=Op.UPDATE), create(0, covers=(20, 30))]
        ids = await store.intend(lease, "r1", sent)
        await store.intend(lease, "r2", [create(7)])
        ends = (Closed(ids[0], ActionState.CONFIRMED), Closed(ids[2], ActionState.REFUSED))
        await store.settle(lease, Settlement("r1", closed=ends, items=(line(7),)))
        first = await store.writes_of_run("r1", -1, 2)
        assert [(one.binding, one.op, one.id) for one in first] == [
            (0, Op.CREATE, ids[4]),
            (7, Op.CREATE, ids[1]),
            (7, Op.UPDATE, ids[3]),
        ]
        rest = await store.writes_of_run("r1", 7, 2)
        assert [(one.binding, one.state) for one in rest] == [(9, ActionState.CONFIRMED)]  # 8 was refused
        assert await store.writes_of_run("r1", 9, 2) == []

    async def test_the_first_intents_of_a_run_begin_it(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.begin_run(lease, RunRow("r1", "l1", started=START))
        run = RunRow("r2", "l1", cause="hint", scope=("customers",), started=START + 1)
        await store.intend(lease, "r2", [create(7)], run)
        await store.intend(lease, "r2", [create(8)])
        first, second = [await world.run(name) for name in ("r1", "r2")]
        assert (first.outcome, first.error) == (Outcome.FAILED, "interrupted")
        assert (second.outcome, second.cause, second.scope) == (Outcome.RUNNING, "hint", ("customers",))
        assert second.started == START + 1
        assert len(await store.open_actions("l1")) == 2

    async def test_closing_what_is_not_ours_changes_nothing(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        (foreign,) = await store.intend(await leased(world, "l2"), "r9", [create(1)])
        (ours,) = await store.intend(lease, "r1", [create(1)])
        ends = Closed(ours, ActionState.CONFIRMED), Closed(foreign, ActionState.CONFIRMED)
        with pytest.raises(TandemError) as caught:
            await store.settle(lease, Settlement("r1", closed=ends))
        assert caught.value.kind is Kind.BUG
        assert [row.id for row in await store.open_actions("l1")] == [ours]

    async def test_lines_of_the_protocol_are_not_open(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.settle(
            lease, Settlement("r1", items=(line(1), line(2, ActionState.PARKED)), park=(park(1),))
        )
        assert await store.open_actions("l1") == []


class ParkedContract:
    """Rooms: one row per binding, room and field; decisions count for what they were made on."""

    async def test_everything_of_a_row_comes_back(self, world: World) -> None:
        detail = {"values": VALUES, "nested": {"deep": {"n": Decimal("1.50")}, "list": (1, "2")}, "n": 1.5}
        row = Parked(
            "customers", Room.CONFLICT, 5, "both changed", "phone", "b", "B5", "choose", detail, "f1"
        )
        await world.store.settle(await leased(world), Settlement("r1", park=(row,)))
        (found,) = await world.store.parked("l1", [5, 6])
        assert found == msgspec.structs.replace(row, id=found.id, since=world.clock.now())
        assert await world.store.parked("l2", [5]) == []
        assert await world.store.parked("l1", []) == []

    async def test_parking_again_keeps_since_and_id(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.settle(lease, Settlement("r1", park=(park(5),)))
        (first,) = await store.parked("l1", [5])
        world.clock.advance(60)
        again = park(5, reason="refused\u0000again", fingerprint="f2", record="A5")
        await store.settle(
            lease, Settlement("r1", park=(again, park(5, Room.WAITING), park(5, field="phone")))
        )
        found = await store.parked("l1", [5])
        assert [(row.room, row.field) for row in found] == [
            (Room.QUARANTINE, ""),
            (Room.WAITING, ""),
            (Room.QUARANTINE, "phone"),
        ]
        assert (found[0].id, found[0].since, found[0].fingerprint, found[0].record) == (
            first.id,
            START,
            "f2",
            "A5",
        )
        assert found[1].since == START + 60

    async def test_unparking_one_field_or_a_whole_room(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        rows = [
            park(5, room, field) for room in (Room.CONFLICT, Room.WAITING) for field in ("", "phone", "name")
        ]
        await store.settle(lease, Settlement("r1", park=(*rows, park(6, Room.CONFLICT))))
        await store.settle(lease, Settlement("r1", unpark=((5, Room.CONFLICT, "phone"),)))
        assert len(await store.parked("l1", [5])) == 5
        await store.settle(lease, Settlement("r1", unpark=((5, Room.CONFLICT, "*"),)))
        assert {row.room for row in await store.parked("l1", [5])} == {Room.WAITING}
        assert len(await store.parked("l1", [5, 6])) == 4

    async def test_a_room_rebuilt_in_one_settlement_keeps_what_stays(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        await store.settle(lease, Settlement("r1", park=(park(5, field="name"), park(5, field="phone"))))
        world.clock.advance(60)
        rebuilt = (park(5, field="phone"), park(5, field="city"))
        await store.settle(lease, Settlement("r1", unpark=((5, Room.QUARANTINE, "*"),), park=rebuilt))
        assert [(row.field, row.since) for row in await store.parked("l1", [5])] == [
            ("phone", START),
            ("city", START + 60),
        ]

    async def test_a_decision_counts_for_the_fingerprint_it_was_made_on(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        (key,) = await stored(world, lease, full("A1", "B1"))
        await store.settle(lease, Settlement("r1", park=(park(key, side="b"),)))
        (row,) = await store.parked("l1", [key])
        assert row.decision is None
        choice = {"choose": "value", "value": Decimal("1.5")}
        assert not await world.decide("l1", row.id, "f0", choice)
        assert await world.decide("l1", row.id, "f1", choice)
        assert (await store.parked("l1", [key]))[0].decision == choice
        due = await store.hints("l1", ["customers"], world.clock.now(), 9)
        assert [(found.side, found.id, found.reason) for found in due] == [("b", "B1", "decided")]
        await store.settle(lease, Settlement("r1", park=(park(key, side="b"),)))
        (kept,) = await store.parked("l1", [key])
        assert kept.decision == choice
        moved = msgspec.structs.replace(kept, fingerprint="f2")
        await store.settle(lease, Settlement("r1", park=(moved,)))
        assert (await store.parked("l1", [key]))[0].decision is None


class PlanContract:
    """At most one live plan per link, stream and kind, recomputed in place; a yes covers what was shown."""

    async def held(self, world: World, kind: str = "held") -> PlanRow:
        plan = await world.store.held("l1", "customers", kind)
        assert plan is not None
        return plan

    async def test_held_actions_come_back_whole_in_pages(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        decision = FieldDecision("phone", "b wins", "1", None, Decimal("2.5"), ("x",), ("base",))
        action = Action(
            "customers", "b", Op.UPDATE, 5, "owner a", "too\u0000many", "B5", "tag", VALUES, VALUES, {"x": None}, VALUES,
            "v1", (decision,), "f1", deadline=START, origin="A5", kinds=("overwrites", "clears"),
        )  # fmt: skip
        plan = await store.hold(
            lease, "held", "customers", "over budget", [action, create(6, fingerprint="f2")]
        )
        (first,) = await store.held_actions(plan, 0, 1)
        assert first == msgspec.structs.replace(action, id=first.id, reason=first.reason)
        assert first.reason.startswith("too")
        assert [row.binding for row in await store.held_actions(plan, first.id, 9)] == [6]
        row = await self.held(world)
        assert (row.id, row.rev, row.state, row.reason, row.actions) == (plan, 1, "open", "over budget", 2)
        assert await store.held("l1", "customers", "requested") is None
        assert await store.held_actions("nobody", 0, 9) == []

    async def test_recomputing_replaces_in_place(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        plan = await store.hold(
            lease, "held", "customers", "r", [create(5, fingerprint="f5"), create(6, fingerprint="f6")]
        )
        assert await store.hold(lease, "held", "customers", "r", [create(5, fingerprint="f5")]) == plan
        assert (await self.held(world)).rev == 1
        more = [
            create(6, fingerprint="f6x"),
            create(6, "a", fingerprint="a"),
            create(6, op=Op.DELETE, fingerprint="d"),
        ]
        assert await store.hold(lease, "held", "customers", "why", more) == plan
        row = await self.held(world)
        assert (row.rev, row.actions, row.reason) == (2, 4, "why")
        prints = {held.fingerprint for held in await store.held_actions(plan, 0, 9)}
        assert prints == {"f5", "f6x", "a", "d"}
        other = await store.hold(lease, "requested", "customers", "dry run", [create(5, fingerprint="f5")])
        assert other != plan

    async def test_a_yes_covers_what_was_shown_and_is_unchanged_since(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        five, six, seven = await stored(world, lease, half("a", "A5"), half("a", "A6"), half("a", "A7"))
        plan = await store.hold(
            lease, "held", "customers", "r", [create(five, fingerprint="f5"), create(six, fingerprint="f6")]
        )
        assert await store.approved("l1", "customers", [five, six]) == frozenset()
        await store.hold(
            lease, "held", "customers", "r", [create(six, fingerprint="f6x"), create(seven, fingerprint="f7")]
        )
        await world.approve_plan("l1", plan, 1)
        assert await store.approved("l1", "customers", [five, six, seven]) == {"f5"}
        assert ((await self.held(world)).state, (await self.held(world)).approved_rev) == ("open", 1)
        due = await store.hints("l1", ["customers"], world.clock.now(), 9)
        assert [(row.id, row.reason, row.not_before) for row in due] == [("A5", "approved", 0.0)]
        await world.approve_plan("l1", plan, 2)
        assert await store.approved("l1", "customers", [five, six, seven]) == {"f5", "f6x", "f7"}
        assert await store.approved("l1", "customers", [six]) == {"f6x"}
        assert (await self.held(world)).state == "approved"

    async def test_a_plan_recomputed_every_tick_can_still_be_approved(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        (key,) = await stored(world, lease, half("a", "A5"))
        for tick in range(3):
            again = [create(key, fingerprint="f5"), create(100 + tick, fingerprint=f"t{tick}")]
            plan = await store.hold(lease, "held", "customers", "r", again)
            if tick == 1:
                await world.approve_plan("l1", plan, 2)
        row = await self.held(world)
        assert (row.rev, row.state, row.approved_rev, row.actions) == (3, "open", 2, 4)
        assert await store.approved("l1", "customers", [key, 100, 101, 102]) == {"f5", "t0", "t1"}

    async def test_actions_taken_out_and_the_plan_applied(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        plan = await store.hold(
            lease, "held", "customers", "r", [create(5, fingerprint="f5"), create(6, fingerprint="f6")]
        )
        await store.release_held(lease, "customers", "held", [5, 9])
        assert ((await self.held(world)).actions, (await self.held(world)).rev) == (1, 1)
        await store.release_held(lease, "customers", "requested", [6])
        await store.release_held(lease, "customers", "held", [6])
        assert await store.held("l1", "customers", "held") is None
        assert await store.held_actions(plan, 0, 9) == []
        assert await store.hold(lease, "held", "customers", "r", [create(5, fingerprint="f5")]) != plan

    @pytest.mark.parametrize("gone, kept", [("a", "b"), ("b", "a")])
    async def test_what_a_rejected_plan_would_have_deleted_is_remembered_as_kept(
        self, world: World, gone: Side, kept: Side
    ) -> None:
        store, lease = world.store, await leased(world)
        away = Held(f"{gone.upper()}1", presence=Presence.DELETED)
        bindings = [full("A1", "B1"), full("A2", "B2")]
        changed: dict[str, Held] = {"a": away} if gone == "a" else {"b": away}
        bindings[0] = msgspec.structs.replace(bindings[0], **changed)
        keys = await store.settle(lease, Settlement("r1", bindings=tuple(bindings)))
        delete = [create(key, kept, Op.DELETE, fingerprint=f"f{key}") for key in keys]
        plan = await store.hold(lease, "held", "customers", "too many", delete)
        await world.reject_plan("l1", plan)
        (first,) = await store.bindings("l1", "customers", kept, [f"{kept.upper()}1"])
        assert (first.state, first.rev) == (State.TOMBSTONE, bindings[0].rev + 1)
        assert first.note == f"deleted on {gone}, kept on {kept}: a plan was rejected"
        (second,) = await store.bindings("l1", "customers", kept, [f"{kept.upper()}2"])
        assert second.state is State.SETTLED  # it is there: somebody mended it meanwhile

    async def test_a_closed_plan_says_yes_to_nothing(self, world: World) -> None:
        store, lease = world.store, await leased(world)
        first = await store.hold(lease, "held", "customers", "r", [create(5, fingerprint="f5")])
        await world.approve_plan("l1", first, 1)
        assert await store.approved("l1", "customers", [5]) == {"f5"}
        await store.close_plan(lease, first, "superseded")
        assert await store.approved("l1", "customers", [5]) == frozenset()
        second = await store.hold(lease, "held", "customers", "r", [create(5, fingerprint="f5")])
        assert second != first
        await world.reject_plan("l1", second)
        assert await store.held("l1", "customers", "held") is None
        await store.close_plan(lease, second, "applied")
        third = await store.hold(lease, "held", "customers", "r", [create(5, fingerprint="f5")])
        assert len({first, second, third}) == 3
