"""The initial load in bulk and complete reads as lines, on whole daemons: the same end as the general way has."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import msgspec
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import DeletePolicy, FirstContact, StreamSpec
from actors.core.types import Action, ActionState, Op, Outcome, Room, State
from actors.ports import Find
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults, ObjectShape
from tests.actors.rig import CUSTOMERS, Rig, customers, fails, field, loaded, on, takes, until, writes

ROWS = {"rows": True, "version": "none"}
REFUSED = TandemError(Kind.REJECTED, "no room", scope=Scope.STREAM)


def rig(*streams: StreamSpec, count: int = 7, **declared: Any) -> Rig:
    """Customers n0, n1, ... on A since before anybody looked, nobody on B."""
    abilities: dict[str, Any] = ROWS | {"find": (Find.MODIFIED,)} | declared
    made = Rig(*streams, **abilities)
    for number in range(count):
        made.create("a", f"n{number}")
    for touch in made.systems["a"].touched():
        made.systems["a"].acknowledge(touch.number)
    return made


def names(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


def covering(rig: Rig) -> list[Action]:
    """The actions that cover many creates."""
    return [action for action in rig.actions() if action.covers is not None]


# ---------------------------------------------------------------------------------------------- the plain course


@pytest.mark.parametrize("find", list(Find))
def test_one_side_is_loaded_by_a_request_for_each_window_and_then_it_is_quiet(find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig) and not rig.link().inbox)
        await anyio.sleep(300)
        (run,) = [run for run in rig.runs() if run.outcome is Outcome.SUCCEEDED]
        made = sum(
            c.created for (at, _, side), c in rig.link().counters.items() if (at, side) == (run.id, "b")
        )
        assert {b.state for b in rig.bindings()} == {State.SETTLED}
        assert {action.state for action in rig.actions()} == {ActionState.CONFIRMED}
        return rig.names("b"), len(covering(rig)), len(rig.asked("b", "create_rows")), made, writes(rig)

    assert on(lambda: rig(find=(find,)), body, rows_window=3) == (names(7), 3, 3, 7, 0)


def test_the_bindings_are_those_of_the_general_way() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig) and len(rig.names("b")) == 7 and not rig.link().inbox)
        await anyio.sleep(60)
        return [(b.a and b.a.id, b.b and b.b.dev, b.base, b.keys, b.state, b.map_ver) for b in rig.bindings()]

    assert on(rig, body) == on(partial(rig, rows=False), body)


def test_records_that_stand_on_both_sides_are_matched_as_ever() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        return rig.names("b"), covering(rig)

    def both() -> Rig:
        made = rig()
        made.create("b", "n3")
        return made

    assert on(both, body) == (names(7), [])


def test_what_is_no_plain_case_goes_the_general_way() -> None:
    """A name that is required is missing: that record waits, and the others are made."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["a"].create(CUSTOMERS, {"name": None, "phone": "1"}, "person")
        await until(lambda: loaded(rig))
        (row,) = rig.parked()
        return rig.names("b"), row.room, len(covering(rig))

    spec = customers(fields=(field("name", required=True), field("phone")))
    assert on(lambda: rig(spec), body, rows_window=4) == (names(7), Room.WAITING, 2)


def test_an_edit_during_the_load_arrives_too() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.asked("b", "create_rows"))
        rig.edit("a", next(iter(rig.rows("a"))), phone="new")
        await until(lambda: "new" in [row["phone"] for row in rig.rows("b").values()], timeout_s=120)
        await until(lambda: loaded(rig))
        return rig.names("b")

    slow = {("b", "create_rows"): takes(2)}

    def slow_rig() -> Rig:
        made = rig(find=(Find.FEED,))
        made.on |= slow
        return made

    assert on(slow_rig, body, rows_window=2) == names(7)


def test_a_stranger_who_turns_up_during_the_load_ends_it() -> None:
    """Somebody enters n6 on B while n0 is loaded: the two n6 meet, as they would have before."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: rig.asked("b", "create_rows"))
        rig.create("b", "n6")
        await until(lambda: loaded(rig) and not rig.link().inbox, timeout_s=300)
        await anyio.sleep(60)
        return rig.names("b"), rig.names("a")

    def slow_rig() -> Rig:
        made = rig(find=(Find.FEED,))
        made.on |= {("b", "create_rows"): takes(5)}
        return made

    assert on(slow_rig, body, rows_window=2) == (names(7), names(7))


def shortening(made: Rig) -> Rig:
    """B keeps the first letter of a name."""
    made.systems["b"].add_objects({})
    shape = made.systems["b"].objects[CUSTOMERS]
    made.systems["b"].objects[CUSTOMERS] = ObjectShape(
        shape.fields, shape.key, rewrites={"name": "truncate:1"}
    )
    return made


def test_what_the_other_system_rewrites_is_a_deviation_and_comes_not_back() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig) and not rig.link().inbox)
        await anyio.sleep(200)
        reasons = {d.reason for b in rig.bindings() if b.b for d in b.b.dev.values()}
        return set(rig.names("b")), reasons, rig.names("a"), writes(rig)

    rewriting = on(lambda: shortening(rig(customers(match=()))), body)
    assert rewriting == ({"n"}, {"rewritten"}, names(7), 0)


# -------------------------------------------------------------------------------------------- what may go wrong


@pytest.mark.parametrize("faults", [Faults(lose_reply=1.0), Faults(lose_request=1.0)])
def test_a_request_without_a_reply_is_looked_up_and_nothing_is_made_twice(faults: Faults) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = faults
        await until(lambda: rig.asked("b", "create_rows"))
        await anyio.sleep(0.5)
        rig.systems["b"].faults = Faults()
        await until(lambda: loaded(rig) and len(rig.names("b")) >= 7, timeout_s=600)
        await anyio.sleep(300)
        assert ActionState.SENT not in {action.state for action in rig.actions()}
        return rig.names("b"), rig.names("a")

    assert on(rig, body, rows_window=3) == (names(7), names(7))


def test_found_by_sim_what_was_answered_before_a_load_was_cut_short_is_settled_as_it_was_answered() -> None:
    """The third window can't be read: what the system made of the names of the first two is known from its replies."""

    async def body(rig: Rig, root: RootActor) -> Any:
        async def third_read() -> None:
            if len(rig.asked("a", "scan_rows")) == 3:
                raise TandemError(Kind.TRANSIENT, "no answer", scope=Scope.CONNECTION)

        rig.on["a", "scan_rows"] = third_read
        await until(lambda: loaded(rig) and not rig.link().inbox, timeout_s=600)
        await anyio.sleep(200)
        reasons = {d.reason for b in rig.bindings() if b.b for d in b.b.dev.values()}
        return rig.names("a"), reasons, rig.parked(), writes(rig)

    rewritten = on(lambda: shortening(rig(customers(match=()))), body, rows_window=2)
    assert rewritten == (names(7), {"rewritten"}, [], 0)


async def as_answered(rig: Rig, root: RootActor) -> Any:
    """Whom a shows, and what b is known to show otherwise, once all is loaded and has rested."""
    await until(lambda: loaded(rig) and not rig.link().inbox, timeout_s=600)
    await anyio.sleep(200)
    reasons = {d.reason for b in rig.bindings() if b.b for d in b.b.dev.values()}
    return rig.names("a"), reasons, rig.parked(), writes(rig)


def test_found_by_sim_what_was_answered_while_the_next_window_was_bound_is_settled_as_it_was_answered() -> (
    None
):
    """What the system made of a window is read from the store while the next one is stored (seed 704900)."""

    def slowly() -> Rig:
        made = shortening(rig(customers(match=())))
        asked = made.store.bindings

        async def late(*args: Any) -> Any:
            await anyio.sleep(0.05)
            return await asked(*args)

        made.store.bindings = late  # type: ignore[assignment, method-assign]
        return made

    assert on(slowly, as_answered, rows_window=2) == (names(7), {"rewritten"}, [], 0)


def test_what_was_answered_before_a_window_was_refused_by_the_store_is_settled_as_it_was_answered() -> None:
    """Somebody of it is known already, and what the window before was answered goes along with it: that is not stored, and
    is settled with the next one."""

    def refusing() -> Rig:
        made = shortening(rig(customers(match=())))
        load, calls = made.store.load, list[int]()

        async def once_refused(*args: Any) -> Any:
            calls.append(1)
            if len(calls) == 3:
                await anyio.sleep(1)  # what went before was answered
                raise TandemError(Kind.BUG, "somebody is known already")
            return await load(*args)

        made.store.load = once_refused  # type: ignore[assignment, method-assign]
        return made

    assert on(refusing, as_answered, rows_window=2) == (names(7), {"rewritten"}, [], 0)


def test_found_by_sim_what_a_load_without_a_reply_shows_otherwise_is_nobodys_edit() -> None:
    """As where one record is made and no reply comes: the two values are put to a person, and none is written over."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        await until(lambda: rig.asked("b", "create_rows"))
        await anyio.sleep(0.5)
        rig.systems["b"].faults = Faults()
        await until(lambda: loaded(rig) and len(rig.names("b")) >= 7, timeout_s=600)
        await anyio.sleep(300)
        return rig.names("a"), {(row.room, row.field) for row in rig.parked()}, len(rig.parked())

    spec = customers(match=(), first_contact=FirstContact.ASK)
    unanswered = on(lambda: shortening(rig(spec)), body)
    assert unanswered == (names(7), {(Room.CONFLICT, "name")}, 7)


def test_a_window_that_is_refused_goes_record_by_record() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.on["b", "create_rows"] = fails(REFUSED)
        await until(lambda: loaded(rig), timeout_s=300)
        states = [action.state for action in covering(rig)]
        return rig.names("b"), set(states), {b.state for b in rig.bindings()}

    expected = (names(7), {ActionState.DROPPED}, {State.SETTLED})
    assert on(rig, body, rows_window=3) == expected


METHODS = ("load", "settle", "begin_run", "reserve", "create_rows", "scan_rows")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_anywhere_in_the_load_loses_and_doubles_nothing(method: str, call: int, after: bool) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        calls = 0

        async def crash(name: str) -> None:
            nonlocal calls
            calls += name == method
            if name == method and calls == 2 * call - (not after):  # called before and after
                raise RuntimeError("killed")

        async def crash_request() -> None:
            nonlocal calls
            calls += 1
            if calls == call and not after:
                raise RuntimeError("killed")
            if calls == call and after:
                rig.systems["b"].faults = Faults(lose_reply=1.0)

        if method in ("load", "settle", "begin_run"):
            rig.store.step = crash
        else:
            rig.on["a" if method == "scan_rows" else "b", method] = crash_request
        await until(lambda: calls > 2 * call or loaded(rig), timeout_s=900)
        rig.systems["b"].faults = Faults()
        await until(lambda: loaded(rig), timeout_s=900)
        await anyio.sleep(300)
        states = {action.state for action in rig.actions()}
        return rig.names("a"), rig.names("b"), ActionState.SENT in states

    assert on(rig, body, rows_window=2) == (names(7), names(7), False)


def test_a_record_deleted_before_its_request_was_resolved_is_not_made_again() -> None:
    """The reply is lost, a person removes one of three: the request took place, so that one was deleted."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems["b"].faults = Faults(lose_reply=1.0)
        await until(lambda: len(rig.names("b")) == 3)
        rig.systems["b"].faults = Faults()
        id = next(id for id, row in rig.rows("b").items() if row["name"] == "n1")
        rig.systems["b"].delete(CUSTOMERS, id, "person")
        await until(lambda: loaded(rig), timeout_s=600)
        await anyio.sleep(300)
        return rig.names("b"), rig.names("a")

    assert on(lambda: rig(count=3, find=(Find.FEED,)), body) == (["n0", "n2"], names(3))


# ------------------------------------------------------------------------------------------------ complete reads


def swept(**declared: Any) -> Rig:
    """Complete reads every 30 s, deletions of A carried over."""
    spec = customers(deletes={"a": DeletePolicy.REMOVE, "b": DeletePolicy.IGNORE}, complete_read_s=30.0)
    return rig(spec, absence="hint", poll_s=10.0, **declared)


def test_an_unchanged_record_is_neither_looked_at_nor_written_down() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        await anyio.sleep(100)
        settled, looks = rig.bindings(), len(rig.asked("a", "read")) + len(rig.asked("b", "read"))
        await anyio.sleep(300)
        assert len(rig.asked("a", "scan_rows")) > 20
        return settled == rig.bindings(), len(rig.asked("a", "read")) + len(rig.asked("b", "read")) - looks

    assert on(swept, body, rows_window=3) == (True, 0)


@pytest.mark.parametrize("find", [Find.FULL, Find.MODIFIED])
def test_edits_deletions_and_new_records_are_found_by_a_complete_read(find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        await anyio.sleep(60)
        ids = list(rig.rows("a"))
        rig.systems["a"].delete(CUSTOMERS, ids[2], "person")
        rig.systems["a"].delete(CUSTOMERS, ids[6], "person")
        rig.edit("a", ids[3], phone="new")
        rig.create("a", "n7", "7")
        await until(lambda: len(rig.names("b")) == 6, timeout_s=300)
        await anyio.sleep(120)
        return sorted((row["name"], row["phone"]) for row in rig.rows("b").values())

    expected = [("n0", "1"), ("n1", "1"), ("n3", "new"), ("n4", "1"), ("n5", "1"), ("n7", "7")]
    assert on(lambda: swept(find=(find,)), body, rows_window=3) == expected


def test_a_record_that_lines_left_out_is_looked_at_before_anything_is_concluded() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        rig.systems["a"].faults = Faults(hide_row=0.5)
        await anyio.sleep(400)
        return len(rig.names("a")), len(rig.names("b"))

    assert on(lambda: swept(find=(Find.FULL,)), body, rows_window=3) == (7, 7)


def test_what_was_touched_goes_between_the_windows_of_a_read_as_lines() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        await anyio.sleep(60)
        rig.on["a", "scan_rows"] = takes(5)
        read = len(rig.asked("a", "scan_rows"))
        await until(lambda: len(rig.asked("a", "scan_rows")) > read + 1, timeout_s=300)
        rig.edit("b", next(iter(rig.rows("b"))), phone="new")
        began = anyio.current_time()
        await until(lambda: "new" in [row["phone"] for row in rig.rows("a").values()], timeout_s=300)
        return anyio.current_time() - began < 12

    def mixed() -> Rig:
        made = swept(find=(Find.FEED,))
        made.declared["a"] = msgspec.structs.replace(made.declared["a"], find=(Find.FULL,))
        return made

    assert on(mixed, body, rows_window=1)


def test_no_intent_of_a_load_is_ever_sent_for_a_side_that_shows_late() -> None:
    """A read lag: what we made would look deleted for a while, so each record goes by itself."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig), timeout_s=300)
        return rig.names("b"), covering(rig), {a.op for a in rig.actions()}

    assert on(lambda: rig(read_lag_s=4.0), body) == (names(7), [], {Op.CREATE})
