"""What one run does, on whole daemons: the plain course, dry runs, deletes, crashes, references, true accounts."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from actors.core.lenses import Same
from actors.core.policy import Budget, DeletePolicy, FieldSide, FieldSpec, Owner
from actors.core.types import ActionState, Hint, Op, Outcome, Side, State
from actors.messages import CHANGED
from actors.ports import Find, Lease, RunRow, Settlement, Write, WriteResult, WriteStatus
from actors.root import RootActor
from clients.connectors.systems.memory import MemoryConnector
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import MIRRORED, at_rest
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, takes, until, writes
from tests.sim import loop

# -------------------------------------------------------------------------------------------- the plain course


@pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
def test_records_of_both_sides_meet_and_stay_in_step_and_then_it_is_quiet(find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for name in ("Ada", "Bob"):
            rig.create("a", name)
        rig.create("b", "Bob", "2")
        rig.create("b", "Eve")
        await until(lambda: rig.names("a") == rig.names("b") == ["Ada", "Bob", "Eve"])
        bob = next(id for id, row in rig.rows("b").items() if row["name"] == "Bob")
        rig.edit("b", bob, phone="3")
        await until(lambda: "3" in [row["phone"] for row in rig.rows("a").values()])
        await until(lambda: not rig.link().inbox)
        before = writes(rig)
        await anyio.sleep(600)
        pairs = [sorted((r["name"], r["phone"]) for r in rig.rows(side).values()) for side in ("a", "b")]
        return pairs[0] == pairs[1], writes(rig) - before, {b.state for b in rig.bindings()}

    rig_of = lambda: Rig(find=(find,), poll_s=5.0)  # noqa: E731
    assert on(rig_of, body) == (True, 0, {State.SETTLED})


def test_looks_that_show_nothing_new_leave_no_run_in_the_history() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox)
        await anyio.sleep(5)
        before = len(rig.runs())
        await anyio.sleep(600)
        return len(rig.said("run.started")) > before, len(rig.runs()) - before

    assert on(Rig, body) == (True, 0)


@pytest.mark.parametrize("find", [Find.MODIFIED, Find.FULL])
def test_a_plan_that_waits_leaves_one_run_in_the_history_and_another_one_where_it_changes(find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"n{number}") for number in range(7)]
        await until(lambda: loaded(rig) and len(rig.names("b")) == 7)
        await anyio.sleep(30)
        before = len(rig.runs())
        for id in ids[:4]:
            rig.edit("a", id, phone="9")
        await until(lambda: rig.link().plans)
        await anyio.sleep(600)
        waits = len(rig.runs()) - before
        for id in ids[4:]:
            rig.edit("a", id, phone="9")
        await anyio.sleep(600)
        (plan,) = rig.link().plans.values()
        outcomes = {run.outcome for run in rig.runs()[before:]}
        phones = {row["phone"] for row in rig.rows("b").values()}
        return waits, len(rig.runs()) - before, outcomes, plan.actions, phones

    spec = customers(budgets={"overwrites": Budget(2, 0.0, free=0)}, complete_read_s=60.0)
    assert on(lambda: Rig(spec, find=(find,), poll_s=5.0), body) == (
        1,
        2,
        {Outcome.AWAITING_APPROVAL},
        7,
        {"1"},
    )


def test_what_was_touched_goes_between_the_windows_of_a_complete_read() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create("a", f"n{number:02}") for number in range(20)]
        await until(lambda: len(rig.names("b")) == 20 and loaded(rig) and not root.running())
        rig.on["a", "scan"] = takes(5)
        await rig.store.add_hints("l", [Hint(CUSTOMERS, "a", "")])
        before = len(rig.asked("a", "scan"))
        root.wake("l", CHANGED)
        await until(lambda: len(rig.asked("a", "scan")) == before + 3)
        rig.edit("a", ids[0], phone="9")
        await until(lambda: "9" in [row["phone"] for row in rig.rows("b").values()])
        windows = len(rig.asked("a", "scan")) - before
        await until(lambda: not root.running())
        return windows, len(rig.asked("a", "scan")) - before

    windows, in_all = on(lambda: Rig(poll_s=3600.0), body, window=2)
    assert windows <= 4
    assert in_all >= 10


def test_counts_are_what_the_systems_saw() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        changes: list[tuple[str, str]] = []
        rig.systems["b"].listeners.append(lambda change: changes.append((change.who, change.op)))
        ids = [rig.create("a", f"n{number}") for number in range(5)]
        await until(lambda: len(rig.names("b")) == 5)
        for id in ids[:3]:
            rig.edit("a", id, phone="9")
        await until(lambda: [row["phone"] for row in rig.rows("b").values()].count("9") == 3)
        await until(lambda: not rig.link().inbox)
        await anyio.sleep(5)
        counters = [c for c in rig.link().counters.values() if c.side == "b"]
        told = sum(c.created for c in counters), sum(c.updated for c in counters)
        ours = [op for who, op in changes if who == "daemon"]
        return told, (ours.count("create"), ours.count("update"))

    assert on(Rig, body) == ((5, 3), (5, 3))


def test_a_dry_run_writes_nothing_and_shows_what_it_would_do() -> None:
    async def main() -> Any:
        rig = Rig()
        rig.create("a", "Ada")
        rig.store.request_run(RunRow("dry", "l", mode="plan"))
        async with rig.daemon():
            await until(lambda: rig.link().runs["dry"].ended)
            rig.store.set_wish("l", "paused")
            held = [action for plan in rig.link().held.values() for _, action in plan.values()]
            return rig.link().runs["dry"].outcome, [(a.op, a.side) for a in held], writes(rig)

    assert loop.run(main) == (Outcome.AWAITING_APPROVAL, [(Op.CREATE, "b")], 0)


def test_an_error_of_one_stream_leaves_the_others_be() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("a", "Ada")
        rig.systems["a"].create("articles", {"name": "bolt", "phone": "1"}, "person")
        await until(lambda: rig.rows("b", "articles") and rig.said("run.ended"), timeout_s=300)
        await anyio.sleep(1)
        return rig.link().row.facts["reasons"]["run"]["kind"], len(rig.rows("b", "articles"))

    def rig_of() -> Rig:
        rig = Rig(customers(), customers(name="articles", a_object="articles", b_object="articles"))
        del rig.systems["b"].objects[CUSTOMERS]
        return rig

    assert on(rig_of, body) == ("config", 1)


# ----------------------------------------------------------------------------------------- deletes and absence


def test_a_record_that_a_complete_read_left_out_is_looked_at_before_anything_is_concluded() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for number in range(5):
            rig.create("a", f"n{number}")
        await until(lambda: loaded(rig) and len(rig.names("b")) == 5)
        rig.systems["a"].faults = Faults(hide_row=0.5)
        await anyio.sleep(400)
        return len(rig.names("a")), len(rig.names("b"))

    spec = customers(deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.REMOVE}, complete_read_s=30.0)
    rig_of = lambda: Rig(spec, find=(Find.FULL,), absence="hint", poll_s=10.0)  # noqa: E731
    assert on(rig_of, body) == (5, 5)


def test_a_deletion_is_found_by_a_complete_read_and_carried_over_once() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada")
        rig.create("a", "Bob")
        await until(lambda: loaded(rig) and len(rig.names("b")) == 2)
        rig.systems["a"].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.names("b") == ["Bob"], timeout_s=120)
        await anyio.sleep(200)
        return rig.names("a"), rig.names("b"), sorted(binding.state for binding in rig.bindings())

    spec = customers(deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE}, complete_read_s=30.0)
    rig_of = lambda: Rig(spec, find=(Find.FULL,), absence="hint", poll_s=10.0)  # noqa: E731
    assert on(rig_of, body) == (["Bob"], ["Bob"], [State.SETTLED, State.TOMBSTONE])


# ------------------------------------------------------------------------------------------------- crash anywhere


@pytest.mark.parametrize("method", ["intend", "settle", "hold", "begin_run", "bindings", "add_hints"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_commit_loses_and_doubles_nothing(method: str, after: bool) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        calls = 0

        async def crash(name: str) -> None:
            nonlocal calls
            calls += name == method
            # Called before and after each transaction: odd is before, even is after.
            if name == method and calls in ((4, 10) if after else (3, 9)):
                raise RuntimeError("killed")

        rig.store.step = crash
        id = rig.create("a", "Ada")
        rig.create("b", "Eve")
        await until(lambda: rig.names("a") == rig.names("b") == ["Ada", "Eve"], timeout_s=300)
        rig.edit("a", id, phone="2")
        await until(lambda: "2" in [row["phone"] for row in rig.rows("b").values()], timeout_s=300)
        await anyio.sleep(120)
        states = {action.state for action in rig.actions()}
        return rig.names("a"), rig.names("b"), ActionState.SENT in states

    assert on(lambda: Rig(customers(match=())), body) == (["Ada", "Eve"], ["Ada", "Eve"], False)


# -------------------------------------------------------------------------------------------------- references


def orders() -> Any:
    """A stream whose records refer to customers."""
    ref = FieldSpec(
        "customer",
        FieldSide(("customer",), Same()),
        FieldSide(("customer",), Same()),
        reference=CUSTOMERS,
    )
    return customers(
        name="orders",
        a_object="orders",
        b_object="orders",
        fields=(field("name"), ref, field("phone", owner=Owner.BOTH)),
        parents=(CUSTOMERS,),
    )


def test_a_child_refers_to_its_parent_by_the_other_sides_id() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ada = rig.create("a", "Ada")
        rig.create("a", "O-1", object_name="orders", customer=ada)
        await until(lambda: rig.rows("b", "orders"))
        (order,) = rig.rows("b", "orders").values()
        return order["customer"] in rig.rows("b"), order["customer"] != ada

    assert on(lambda: Rig(customers(), orders()), body) == (True, True)


def test_the_reply_of_a_write_with_a_reference_settles_it_at_once() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        inner, closed = rig.store.settle, list[ActionState]()

        async def settle(lease: Lease, work: Settlement) -> Any:
            closed.extend(one.state for one in work.closed)
            return await inner(lease, work)

        vars(rig.store)["settle"] = settle
        ada = rig.create("a", "Ada")
        rig.create("a", "O-1", object_name="orders", customer=ada)
        await anyio.sleep(60)
        return closed

    assert on(lambda: Rig(customers(), orders()), body) == [ActionState.CONFIRMED] * 2


class Keeps(MemoryConnector):
    """Refuses to delete whom an order refers to."""

    def apply(self, object_name: str, write: Write, asked: float) -> WriteResult:
        referred = {(state.fields or {})["customer"] for _, state in self._system.rows("orders")}
        if write.op is Op.DELETE and write.id in referred:
            return WriteResult(WriteStatus.REFUSED, write.id, error="an order refers to it")
        return super().apply(object_name, write, asked)


@pytest.mark.parametrize("with_order", [True, False])
def test_a_parent_deleted_with_its_child_goes_too_and_one_that_is_kept_is_listed(with_order: bool) -> None:
    """The child's deletion comes after the parent's: what was refused is tried again, but not for ever."""

    def rig_of() -> Rig:
        removes = {"a": DeletePolicy.REMOVE, "b": DeletePolicy.REMOVE}
        rig = Rig(customers(deletes=removes), msgspec.structs.replace(orders(), deletes=removes))
        rig.connector = Keeps
        return rig

    async def body(rig: Rig, root: RootActor) -> Any:
        ada = rig.create("a", "Ada")
        order = rig.create("a", "O-1", object_name="orders", customer=ada)
        await until(lambda: rig.rows("b", "orders"))
        if with_order:
            rig.systems["a"].delete("orders", order, "person")
        rig.systems["a"].delete(CUSTOMERS, ada, "person")
        await until(lambda: not rig.rows("b") or rig.parked(), timeout_s=7200)
        return len(rig.rows("b")), [row.reason for row in rig.parked()]

    assert on(rig_of, body) == ((0, []) if with_order else (1, ["an order refers to it"]))


def test_hints_are_only_reasons_to_look() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        await rig.store.add_hints("l", [Hint(CUSTOMERS, "a", "never-there"), Hint(CUSTOMERS, "b", "neither")])
        root.wake("l")
        await until(lambda: not rig.link().inbox)
        return writes(rig), len(rig.bindings())

    assert on(Rig, body) == (0, 0)


class ByContent(MemoryConnector):
    """A system whose look token says what it holds, as that of a file does: it is the same again when that is."""

    async def look_token(self, object_name: str) -> str:
        await self.request()
        return repr(
            sorted(
                (id, sorted((state.fields or {}).items(), key=str))
                for id, state in self.system.rows(object_name)
            )
        )


@MIRRORED
def test_what_is_edited_again_right_after_it_was_put_back_is_seen_though_all_is_as_it_was_read_before(
    here: Side, there: Side
) -> None:
    """A file holds, byte for byte, what it did when it was read last, before we wrote to it: nobody looked until the next
    complete read was due."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "Ada", "1")
        await until(lambda: rig.names(there) == ["Ada"])
        await at_rest(rig, 60)
        (partner,) = rig.rows(there)
        for _ in range(2):
            rig.edit(there, partner, phone="2")
            await until(lambda: rig.rows(there)[partner]["phone"] == "1")
        return [dict(action.fields) for action in rig.actions() if action.op is Op.UPDATE]

    def made() -> Rig:
        fields = (field("name"), field("phone", owner=Owner(here)))
        rig = Rig(customers(fields=fields, complete_read_s=86_400.0), find=(Find.FULL,), poll_s=10.0)
        rig.connector = ByContent
        return rig

    assert on(made, body) == [{"phone": "1"}, {"phone": "1"}]
