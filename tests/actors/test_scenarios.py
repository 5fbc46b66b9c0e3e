"""Scenarios that once broke the design, played on whole daemons; the number in a name is the scenario's."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import msgspec

from actors.core.errors import Kind, TandemError
from actors.core.policy import Budget, DeletePolicy
from actors.core.types import ActionState, Op, Room, State
from actors.ports import Find
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.rig import CUSTOMERS, Rig, customers, fails, loaded, on, takes, until, writes
from tests.sim import loop


def test_redteam_04_what_a_cursor_passed_unsettled_is_in_the_inbox() -> None:
    """B is busy for one record of a window: the cursor moves on, and the record comes again by itself."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(not_done=1.0)
        rig.create("a", "Ada")
        await until(lambda: writes(rig, "b") > 0)
        await anyio.sleep(1)
        waiting = [hint.id for hint in rig.link().inbox.values()]
        rig.systems["b"].faults = Faults()
        await until(lambda: rig.names("b") == ["Ada"], timeout_s=600)
        return len(waiting)

    assert on(lambda: Rig(find=(Find.MODIFIED,), poll_s=5.0), body) == 1


def test_redteam_05_a_create_whose_reply_is_lost_is_not_made_twice() -> None:
    """The record is made, the reply never comes: it is found by its id, and there is one."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"])
        await anyio.sleep(120)
        return rig.names("b"), [action.state for action in rig.actions() if action.op is Op.CREATE]

    abilities: list[dict[str, Any]] = [{}, {"draws_ids": False}, {"draws_ids": False, "tag": False}]
    for declared in abilities:
        assert on(partial(Rig, **declared), body) == (["Ada"], [ActionState.CONFIRMED])


def test_redteam_05_where_nothing_can_tell_a_person_is_asked() -> None:
    """Neither id nor tag nor key: one record at most, and the record is listed as outcome unknown."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        id = rig.create("a", "Ada")
        await until(lambda: rig.parked())
        rig.systems["b"].faults = Faults()
        await anyio.sleep(300)
        rig.edit("a", id, phone="2")
        await anyio.sleep(300)
        reasons = {row.reason.split(":")[0] for row in rig.parked() if row.room is Room.QUARANTINE}
        return rig.names("b"), reasons

    declared: dict[str, Any] = {"draws_ids": False, "tag": False, "find_by_field": False}
    assert on(lambda: Rig(customers(match=()), **declared), body) == (["Ada"], {"outcome unknown"})


def test_redteam_09_our_own_new_record_is_no_stranger() -> None:
    """The webhook of our own create overtakes its reply: no second record is made on A."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(delay_s=5.0, slow=1.0, slow_s=5.0)
        rig.create("a", "Ada")
        for _ in range(40):
            await anyio.sleep(1)
            root.wake("l", "changed")
        rig.systems["b"].faults = Faults()
        await anyio.sleep(120)
        return rig.names("a"), rig.names("b"), len(rig.bindings())

    for draws in (True, False):
        rig_of = partial(Rig, customers(match=()), draws_ids=draws, tag=True)
        assert on(rig_of, body) == (["Ada"], ["Ada"], 1)


def test_redteam_10_a_hint_that_arrives_while_its_record_is_worked_on_is_kept() -> None:
    """Read at t1, edited at t2, settled at t3: the acknowledgement covers what was asked for, not what came since."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox)
        rig.on["b", "write"] = takes(2)
        rig.edit("a", id, phone="t1")
        before = writes(rig, "b")
        await until(lambda: writes(rig, "b") > before)
        rig.edit("a", id, phone="t2")
        await until(lambda: [row["phone"] for row in rig.rows("b").values()] == ["t2"])
        return writes(rig, "a")

    assert on(lambda: Rig(find=(Find.FEED,)), body) == 0


def test_redteam_11_the_window_decides_nothing() -> None:
    """Two share a name on A, one on B: all three are listed, whatever fits into a window."""

    async def body(rig: Rig, root: RootActor) -> Any:
        for side, phone in (("a", "1"), ("a", "2"), ("b", "3")):
            rig.create(side, "Ada", phone)
        await until(lambda: loaded(rig))
        await anyio.sleep(30)
        return writes(rig), sorted(row.room.value for row in rig.parked())

    for window in (1, 2, 100):
        assert on(Rig, body, window=window) == (0, ["ambiguous"] * 3)


def test_redteam_12_what_is_over_the_budget_waits_as_one_plan_and_a_yes_is_enough() -> None:
    """Ten deletes with a budget of two: none beyond it is done; the yes to the plan does exactly those."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"n{number}") for number in range(10)]
        await until(lambda: loaded(rig) and len(rig.names("b")) == 10)
        for id in ids:
            rig.systems["a"].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.link().plans)
        await anyio.sleep(200)
        left = len(rig.names("b"))
        (plan,) = rig.link().plans.values()
        rig.store.approve_plan("l", plan.id, plan.rev)
        root.wake("l")
        await until(lambda: not rig.names("b"))
        return left, plan.actions

    spec = customers(
        deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE},
        budgets={"deletes": Budget(2, 0.0, free=2)},
    )
    left, held = on(lambda: Rig(spec), body)
    assert left >= 8
    assert held == left


def test_the_last_page_of_a_look_is_judged_by_all_of_them_too() -> None:
    """Eight overwrites in pages of two, three are allowed: the last two went, and six waited."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"n{number}") for number in range(8)]
        await until(lambda: loaded(rig) and len(rig.names("b")) == 8)
        for id in ids:
            rig.edit("a", id, phone="9")
        await until(lambda: rig.link().plans)
        await anyio.sleep(200)
        (plan,) = rig.link().plans.values()
        return {row["phone"] for row in rig.rows("b").values()}, plan.actions

    spec = customers(budgets={"overwrites": Budget(3, 0.0, free=0)}, complete_read_s=60.0)
    assert on(lambda: Rig(spec, find=(Find.FULL,)), body, window=2) == ({"1"}, 8)


def test_redteam_12_the_reason_of_a_plan_tells_the_total_however_many_pages_it_has() -> None:
    """Eight deletes held in pages of two: each page is judged by all of them, and so is what the plan says."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"n{number}") for number in range(8)]
        await until(lambda: loaded(rig) and len(rig.names("b")) == 8)
        for id in ids:
            rig.systems["a"].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.link().plans)
        await anyio.sleep(200)
        (plan,) = rig.link().plans.values()
        return writes(rig, "b"), plan.actions, plan.reason.partition(" in ")[0]

    spec = customers(
        deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE},
        budgets={"deletes": Budget(3, 0.0, free=0)},
        complete_read_s=60.0,
    )
    loading_writes = 4  # eight creates, two in a window
    assert on(lambda: Rig(spec, find=(Find.FULL,)), body, window=2) == (loading_writes, 8, "8 deletes")


def test_redteam_13_a_frozen_owner_writes_nothing_after_its_lease() -> None:
    """d1 stands still in the middle of a run, d2 takes over: what d1 still tries is refused, and nothing is doubled."""

    async def main() -> Any:
        rig = Rig(customers(match=()))
        frozen = anyio.Event()

        async def freeze(name: str) -> None:
            if name == "intend" and not frozen.is_set():
                frozen.set()
                await anyio.sleep(40)

        rig.store.step = freeze
        rig.create("a", "Ada")
        async with rig.daemon("d1"):
            await frozen.wait()
            row = rig.link().row
            rig.link().row = msgspec.structs.replace(row, owner="gone")
            rig.link().lease_until = rig.clock.now()
            async with rig.daemon("d2"):
                await anyio.sleep(120)
        return rig.names("b"), rig.names("a")

    assert loop.run(main) == (["Ada"], ["Ada"])


def test_redteam_25_a_person_decides_while_a_run_is_under_way() -> None:
    """A conflict is decided, then A is edited again: the decision was made on other values, and is not carried out."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "1")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox)
        other = next(iter(rig.rows("b")))
        rig.store.set_wish("l", "paused")
        await anyio.sleep(5)
        rig.edit("a", id, phone="a")
        rig.edit("b", other, phone="b")
        rig.store.set_wish("l", "run")
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        rig.edit("a", id, phone="a2")
        decided = rig.store.decide("l", row.id, row.fingerprint, {"choose": "a"})
        root.wake("l")
        await anyio.sleep(120)
        return decided, rig.rows("b")[other]["phone"], [p.detail["a"] for p in rig.parked()]

    assert on(Rig, body) == (True, "b", [{"phone": "a2"}])


def test_redteam_27_one_bad_record_of_a_window_is_parked_and_the_rest_go_on() -> None:
    """B refuses one of three: that one is in quarantine with B's own words, the others are there."""

    async def body(rig: Rig, root: RootActor) -> Any:
        for name, phone in (("Ada", "1"), ("Bob", 7), ("Eve", "1")):
            rig.create("a", name, phone)
        await until(lambda: rig.names("b") == ["Ada", "Eve"])
        await anyio.sleep(30)
        before = writes(rig, "b")
        await anyio.sleep(600)
        rows = [(row.room, row.reason) for row in rig.parked()]
        return rows, writes(rig, "b") - before, rig.link().row.facts["failures"]

    rows, more, failures = on(_mixed, body)
    assert rows == [(Room.QUARANTINE, "phone takes text, not int")]
    assert (more, failures) == (0, 0)


def _mixed() -> Rig:
    """A takes anything for a phone, B texts alone."""
    rig = Rig()
    create = rig.systems["a"].create
    shape = rig.systems["a"].objects[CUSTOMERS]

    def loosely(object_name: str, fields: Any, who: str, **more: Any) -> str:
        kind = "integer" if isinstance(fields["phone"], int) else "text"
        rig.systems["a"].objects[CUSTOMERS] = msgspec.structs.replace(
            shape, fields={"name": "text", "phone": kind}
        )
        return create(object_name, fields, who, **more)

    vars(rig.systems["a"])["create"] = loosely
    return rig


def test_redteam_31_a_record_that_may_not_go_is_not_told_of_in_every_run() -> None:
    """Only B creates: a record of A is told of once, in whichever way it is met again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada")
        await until(lambda: loaded(rig))
        await anyio.sleep(5)
        told = len(rig.actions())
        for _ in range(5):
            rig.edit("a", id, phone="1")
            await anyio.sleep(30)
        return told, len(rig.actions()) - told, rig.names("b")

    spec = customers(creates=frozenset({"b"}))
    assert on(lambda: Rig(spec), body) == (1, 0, [])


def test_redteam_40_a_dead_side_is_never_nothing_new() -> None:
    """B cannot be reached: the run says failed, and freshness is told by the last successful look."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        looked = rig.link().cursors[CUSTOMERS, "b"].looked
        rig.on["b", "*"] = fails(TandemError(Kind.TRANSIENT, "b is away"))
        before = len(rig.said("run.ended"))
        await anyio.sleep(300)
        outcomes = {said["outcome"] for said in rig.said("run.ended")[before:]}
        return outcomes, rig.link().cursors[CUSTOMERS, "b"].looked - looked < 10

    assert on(Rig, body) == ({"failed"}, True)


def test_redteam_05_an_edit_is_no_answer_to_an_unknown_outcome() -> None:
    """The create may have taken place; an edit of the match key on A must not lead to a second record."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        id = rig.create("a", "Ada")
        await until(lambda: rig.parked(), every_s=0.005)  # before the stranger on B is met
        rig.systems["b"].faults = Faults()
        rig.edit("a", id, name="Ada Byron")
        await anyio.sleep(300)
        return len([row for row in rig.rows("b").values() if str(row["name"]).startswith("Ada")])

    declared: dict[str, Any] = {"draws_ids": False, "tag": False, "find_by_field": False}
    assert on(lambda: Rig(**declared), body) == 1


def test_found_by_chaos_the_open_intents_of_a_window_are_looked_at_and_settled_together() -> None:
    """A kill leaves the intents of a window open: one by one they held up the link for seconds, in every run."""
    people = 40

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"Person {n}") for n in range(people)]
        await until(lambda: len(rig.names("b")) == people)
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        for id in ids:
            rig.edit("a", id, phone="2")
        await until(lambda: len(sent(rig)) == people)
        rig.systems["b"].faults = Faults()
        before = len(rig.requests)
        await until(lambda: not sent(rig))
        looks = [ask for ask in rig.requests[before:] if ask[1:3] == ("b", "read")]
        await anyio.sleep(60)
        confirmed = [action for action in rig.actions() if action.state is ActionState.CONFIRMED]
        return len(looks) < 5, len([action for action in confirmed if action.op is Op.UPDATE])

    assert on(lambda: Rig(poll_s=5.0), body) == (True, people)


def sent(rig: Rig) -> list[Any]:
    """Writes whose outcome is not settled."""
    return [action for action in rig.actions() if action.state is ActionState.SENT]


def test_found_by_chaos_a_record_of_ours_that_was_deleted_before_its_reply_was_looked_for_is_not_made_again() -> (
    None
):
    """The create took effect, nobody heard of it, a person deleted the record: the feed told of it, so it was there."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        rig.on["b", "read"] = fails(TandemError(Kind.TRANSIENT, "busy"))
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"])
        (id,) = rig.rows("b")
        rig.systems["b"].delete(CUSTOMERS, id, "person")
        rig.systems["b"].faults = Faults()
        del rig.on["b", "read"]
        await anyio.sleep(600)
        made = [action.state for action in rig.actions() if action.op is Op.CREATE]
        return rig.names("a"), rig.names("b"), made, [b.state for b in rig.bindings()]

    gone: Any = (["Ada"], [], [ActionState.CONFIRMED], [State.TOMBSTONE])
    assert on(lambda: Rig(find=(Find.FEED,)), body) == gone
