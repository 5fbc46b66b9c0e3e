"""Mechanisms against scenarios that others cover for most of the time: here each of them stands alone."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import msgspec
import pytest

from actors.access import Access
from actors.core.errors import Kind, LeaseLost, TandemError
from actors.core.policy import DeletePolicy, FirstContact, LinkSpec, Owner
from actors.core.types import Action, ActionState, Observation, Op
from actors.messages import Drained
from actors.ports import Find, RunRow, Write
from actors.root import RootActor
from actors.state import Memory, RunState
from actors.window import Windows
from clients.connectors.systems.memory import DECLARATION
from clients.connectors.systems.memory_system import Faults
from tests.actors.rig import CUSTOMERS, Rig, customers, fails, field, loaded, on, until, writes
from tests.sim import loop


def test_redteam_01_a_look_older_than_our_write_is_thrown_away_and_made_again() -> None:
    """A reads B ahead: the page that was asked for before our write comes after it, and undoes nothing."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "1")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"])
        await anyio.sleep(30)
        rig.systems["b"].faults = Faults(lag=1.0)
        rig.edit("a", id, phone="2")
        await anyio.sleep(120)
        return [row["phone"] for system in ("a", "b") for row in rig.rows(system).values()]

    rig_of = partial(Rig, read_lag_s=20.0, poll_s=5.0)
    assert on(rig_of, body) == ["2", "2"]


def test_redteam_03_an_edit_between_our_look_and_our_write_stays() -> None:
    """B is edited after it was looked at and before our write arrives: the write does not happen, and the two are merged."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "1")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"] and not rig.link().inbox)
        (theirs,) = rig.rows("b")

        async def edited_first() -> None:
            del rig.on["b", "write"]
            rig.edit("b", theirs, phone="theirs")

        rig.on["b", "write"] = edited_first
        rig.edit("a", id, phone="ours")
        await until(lambda: rig.parked())
        return rig.rows("a")[id]["phone"], rig.rows("b")[theirs]["phone"], dict(rig.parked()[0].detail)

    detail = {"base": {"phone": "1"}, "a": {"phone": "ours"}, "b": {"phone": "theirs"}}
    assert on(Rig, body) == ("ours", "theirs", detail)


def test_redteam_05_an_edit_of_the_match_key_makes_no_second_record_either() -> None:
    """B has the record under a shortened name that nothing matches; the create without a reply is not made again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        shape = rig.systems["b"].objects[CUSTOMERS]
        rig.systems["b"].objects[CUSTOMERS] = msgspec.structs.replace(shape, rewrites={"name": "truncate:3"})
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        id = rig.create("a", "Ada Byron")
        await until(lambda: rig.parked())
        rig.systems["b"].faults = Faults()
        rig.edit("a", id, name="Ada Lovelace")
        await anyio.sleep(300)
        (row,) = rig.parked()
        alone = rig.names("b"), row.reason.partition(":")[0]
        for of_b in list(rig.rows("b")):
            rig.systems["b"].delete(CUSTOMERS, of_b, "person")
        rig.store.decide("l", row.id, row.fingerprint, {"choose": "retry"})
        root.wake("l")
        await anyio.sleep(300)
        return alone, rig.names("b"), rig.parked()

    declared: dict[str, Any] = {"draws_ids": False, "tag": False, "find_by_field": False}
    rig_of = partial(Rig, customers(creates=frozenset({"a"})), **declared)
    assert on(rig_of, body) == ((["Ada"], "outcome unknown"), ["Ada"], [])


def test_redteam_08_a_mark_goes_when_the_record_is_back_and_what_it_replaced_is_there_again() -> None:
    """Deleted on A and marked on B; then the same key is entered on A again: B is as it was, and it is quiet."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"] and not rig.link().inbox)
        (theirs,) = rig.rows("b")
        rig.edit("b", theirs, state="lead")
        await anyio.sleep(30)
        rig.systems["a"].delete(CUSTOMERS, id, "person")
        await until(lambda: rig.rows("b")[theirs]["state"] == "gone")
        await anyio.sleep(30)
        rig.systems["a"]._past[CUSTOMERS].pop(id)
        rig.systems["a"].create(CUSTOMERS, {"name": "Ada", "phone": "2"}, "person", id=id)
        await until(lambda: rig.rows("b")[theirs]["phone"] == "2", timeout_s=600)
        await anyio.sleep(60)
        before = writes(rig)
        await anyio.sleep(600)
        return rig.rows("b")[theirs], writes(rig) - before, rig.parked()

    spec = customers(
        fields=(field("name"), field("phone"), field("state", owner=Owner.LOCAL)),
        deletes={"a": DeletePolicy.MARK, "b": DeletePolicy.IGNORE},
        mark={"b": {"state": "gone"}},
    )
    assert on(partial(Rig, spec), body) == ({"name": "Ada", "phone": "2", "state": "lead"}, 0, [])


def test_redteam_09_while_our_create_can_not_be_looked_up_nobody_is_taken_for_a_stranger() -> None:
    """No reply, no id of ours, and the look-up by tag fails for a while: what is new on B may be ours."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        away = fails(TandemError(Kind.TRANSIENT, "no search today"))
        rig.on["b", "find_tagged"] = away
        rig.create("a", "Ada")
        await until(lambda: rig.names("b") == ["Ada"])
        rig.systems["b"].faults = Faults()
        for _ in range(20):
            await anyio.sleep(10)
            root.wake("l", "changed")
        before = rig.names("a")
        del rig.on["b", "find_tagged"]
        await anyio.sleep(600)
        return before, rig.names("a"), rig.names("b"), len(rig.bindings())

    rig_of = partial(Rig, customers(match=()), draws_ids=False, find_by_field=False)
    assert on(rig_of, body) == (["Ada"], ["Ada"], ["Ada"], 1)


def test_redteam_10_what_was_touched_is_told_to_every_link_of_the_account() -> None:
    """Two links share account a: one acknowledgement takes the key out of the feed, so both must have the hint."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await root.call("a", "check")
        id = rig.create("a", "Ada")
        for link in ("l", "m"):
            rig.store.set_wish(link, "paused")
        await root._ask("a", Drained())
        return [[hint.id for hint in rig.link(link).inbox.values()] == [id] for link in ("l", "m")]

    rig_of = partial(
        Rig, systems=("a", "b", "c"), links={"l": ("a", "b"), "m": ("a", "c")}, find=(Find.FEED,)
    )
    assert on(rig_of, body) == [True, True]


@pytest.mark.parametrize("left_s, until_", [(-1.0, None), (0.4, None), (5.0, 104.75), (60.0, 110.0)])
def test_redteam_13_a_write_is_given_no_longer_than_its_intent_and_the_lease(
    left_s: float, until_: float | None
) -> None:
    """Without time left nothing leaves; else the request must be over before the lease is."""
    asked: list[Any] = []

    class Clock:
        def monotonic(self) -> float:
            return 100.0

    async def ask(call: Any) -> Any:
        asked.append(call)
        return ()

    async def main() -> None:
        nothing: Any = None
        clock: Any = Clock()
        access = Access("b", "l", DECLARATION, ask, nothing, clock, lambda: left_s)
        await access.write(customers(), (Write(Op.DELETE, "1"),), 110.0)

    if until_ is None:
        with pytest.raises(LeaseLost):
            loop.run(main)
    else:
        loop.run(main)
    assert [call.until for call in asked] == ([] if until_ is None else [until_])


def test_redteam_13_what_a_system_does_late_is_waited_for() -> None:
    """The request is still in the vendor's queue when the look-up is made: "not there" counts after its tail only."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["b"].faults = Faults(late=1.0)
        for name in names:
            rig.create("a", name)
        await until(lambda: writes(rig, "b") > 0)
        rig.systems["b"].faults = Faults()
        await anyio.sleep(3600)
        return rig.names("b"), {one.state for one in rig.actions() if one.op is Op.CREATE}

    names = [f"n{number}" for number in range(8)]
    rig_of = partial(Rig, customers(match=()), draws_ids=False, vendor_tail_s=1200.0, deadline_s=5.0)
    assert on(rig_of, body) == (names, {ActionState.CONFIRMED})


def test_redteam_21_what_happened_since_the_backup_is_neither_undone_nor_done_again() -> None:
    """Last night's state is put back: edits and new records of the day stand on both sides, and nobody overwrites them."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create("a", "Ada", "1")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"] and not rig.link().inbox)
        rig.store.set_wish("l", "paused")
        await anyio.sleep(30)
        (theirs,) = rig.rows("b")
        rig.edit("a", id, phone="4")  # edited twice today, synced once
        rig.edit("b", theirs, phone="3")
        for system in ("a", "b"):
            rig.create(system, "Bob", "9")  # made and carried over today
        rig.store.recover()
        before = writes(rig)
        await anyio.sleep(300)
        waiting = writes(rig) - before, len(rig.said("run.started"))
        rig.store.set_wish("l", "run")
        await anyio.sleep(300)
        phones = [rig.rows("a")[id]["phone"], rig.rows("b")[theirs]["phone"]]
        rooms = [(row.room.value, row.field) for row in rig.parked()]
        return waiting[0], writes(rig) - before, phones, rooms, rig.names("a"), rig.names("b")

    rig_of = partial(Rig, customers(first_contact=FirstContact.ASK))
    names = ["Ada", "Bob"]
    assert on(rig_of, body) == (0, 0, ["4", "3"], [("conflict", "phone")], names, names)


def test_redteam_38_a_paused_link_starts_no_run_however_often_it_is_poked() -> None:
    """A pause is a wish: pokes, due times and edits on either side change nothing about it."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("a", "Ada")
        await until(lambda: loaded(rig) and rig.names("b") == ["Ada"])
        rig.store.set_wish("l", "paused")
        root.wake("l")
        await anyio.sleep(5)
        before = len(rig.said("run.started"))
        for number in range(10):
            rig.create("a", f"n{number}")
            root.wake("l", "changed")
            await anyio.sleep(30)
        return len(rig.said("run.started")) - before, rig.names("b")

    assert on(Rig, body, idle_s=1e9) == (0, ["Ada"])


def test_redteam_40_a_look_that_is_cut_short_leaves_no_run_that_succeeded() -> None:
    """B answers, and then no longer, in the middle of a run: what is missing shows in the outcome."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.on["b", "read"] = fails(TandemError(Kind.TRANSIENT, "b is away"))
        rig.on["b", "changes"] = rig.on["b", "scan"] = rig.on["b", "read"]
        before = len(rig.said("run.ended"))
        await anyio.sleep(200)
        return {said["outcome"] for said in rig.said("run.ended")[before:]}

    assert on(partial(Rig, find=(Find.MODIFIED,), poll_s=5.0), body) == {"failed"}


def test_redteam_41_one_outside_record_has_one_past_whatever_the_streams_are_called() -> None:
    """Two streams stand over one object: what one of them wrote, or has under way, makes the other wait."""
    nothing: Any = None
    roles = customers(), customers(name="suppliers"), customers(name="others", b_object="others")
    memory = Memory(0.0)
    state = RunState(
        store=nothing,
        clock=nothing,
        telemetry=nothing,
        spec=LinkSpec("rig", "1", "memory", "memory", roles),
        row=RunRow("r", "l", cause="poll"),
        lease=nothing,
        memory=memory,
        loaded=(),
    )
    side: Any = SimpleNamespace(declaration=DECLARATION)
    windows = Windows(state, {"a": side, "b": side}, nothing)
    look = Observation("b", "B1", asked=5.0)
    assert [windows.too_early(role, look, None) for role in roles] == [False, False, False]
    state.open = {1: Action(CUSTOMERS, "b", Op.UPDATE, 7, target="B1", id=1)}
    assert [windows.too_early(role, look, None) for role in roles] == [True, True, False]
    state.open = {}
    memory.wrote(CUSTOMERS, "b", "B1", 10.0)
    assert [windows.too_early(role, look, None) for role in roles] == [True, True, False]
