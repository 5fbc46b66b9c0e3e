"""Changes that cross as lines: one request for a page of them, and whatever is no plain case goes the general way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.lenses import Trim
from actors.core.policy import Budget, FieldSide, FieldSpec
from actors.core.types import ActionState, Op, Outcome, Room, State
from actors.ports import Find
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults, ObjectShape
from tests.actors.rig import CUSTOMERS, Rig, customers, fails, field, loaded, on, until, writes
from tests.sim import loop

COUNT = 7
Act = Callable[[Rig], None]
REFUSED = TandemError(Kind.REJECTED, "not all of them", scope=Scope.STREAM)
UNKNOWN = TandemError(Kind.UNKNOWN, "no answer", scope=Scope.STREAM)
BUSY = TandemError(Kind.TRANSIENT, "busy", scope=Scope.CONNECTION)


def rig(*streams: Any, **declared: Any) -> Rig:
    """Seven customers on A; both systems tell of changes by their time, and give and take lines."""
    plain: dict[str, Any] = {"find": (Find.MODIFIED,), "version": "none", "rows": True, "draws_ids": True}
    made = Rig(*streams, poll_s=10.0, **(plain | declared))
    for number in range(COUNT):
        made.create("a", f"n{number}")
    return made


async def at_rest(rig: Rig) -> None:
    """The initial load is over, and both sides know of it."""
    await until(lambda: loaded(rig) and len(rig.names("b")) == COUNT and not rig.link().inbox)
    await anyio.sleep(60)
    rig.requests.clear()


def phones(rig: Rig, side: str) -> list[Any]:
    return sorted(str(row["phone"]) for row in rig.rows(side).values())


def call_all(rig: Rig, side: str = "a", **fields: Any) -> list[str]:
    """A person gives every customer another phone; their ids."""
    ids = list(rig.rows(side))
    for number, id_ in enumerate(ids):
        rig.edit(side, id_, **({"phone": f"{side}{number}"} | fields))
    return ids


def told(rig: Rig, side: str = "a") -> list[str]:
    return [f"{side}{number}" for number in range(COUNT)]


def updates(rig: Rig) -> int:
    return len(rig.asked("a", "update_rows")) + len(rig.asked("b", "update_rows"))


# ---------------------------------------------------------------------------------------------- the plain course


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_page_of_changes_is_written_by_one_request_and_then_it_is_quiet(side: str) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        runs = len(rig.runs())
        call_all(rig, side)
        there = "b" if side == "a" else "a"
        await until(lambda: phones(rig, there) == told(rig, side))
        await anyio.sleep(100)
        looked = len(rig.asked("a", "read")) + len(rig.asked("b", "read"))
        (run,) = rig.runs()[runs:]  # its echo is nothing new
        counted = {
            (s, c.updated) for (at, _, s), c in rig.link().counters.items() if at == run.id and c.updated
        }
        return updates(rig), writes(rig), looked, run.outcome, counted == {(there, COUNT)}

    assert on(rig, body) == (1, 0, 0, Outcome.SUCCEEDED, True)


def test_changes_of_both_sides_cross_each_other() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        ids, others = list(rig.rows("a")), list(rig.rows("b"))
        for number in range(3):
            rig.edit("a", ids[number], phone=f"a{number}")
            rig.edit("b", others[-1 - number], phone=f"b{number}")
        await anyio.sleep(100)
        return phones(rig, "a") == phones(rig, "b"), sorted(phones(rig, "a")), writes(rig)

    assert on(rig, body) == (True, ["1", "a0", "a1", "a2", "b0", "b1", "b2"], 0)


def test_bindings_and_protocol_are_those_of_the_general_way() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        call_all(rig)
        await until(lambda: phones(rig, "b") == told(rig))
        await anyio.sleep(60)
        bound = [
            (b.a and b.a.id, b.b and b.b.dev, b.base, b.keys, b.state, b.note, [*b.contests])
            for b in rig.bindings()
        ]
        lines = [
            (
                x.op,
                x.state,
                x.rule,
                x.fields,
                x.native,
                x.before,
                x.seen_native,
                x.decisions,
                x.kinds,
                x.origin,
            )
            for x in rig.actions()
            if x.op is Op.UPDATE
        ]
        return bound, lines

    as_lines, generally = on(rig, body), on(lambda: rig(rows=False), body)
    assert as_lines == generally and len(as_lines[1]) == COUNT


def test_a_page_is_written_in_parts() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        call_all(rig)
        await until(lambda: phones(rig, "b") == told(rig))
        return updates(rig)

    assert on(rig, body, rows_window=40) == 4  # two records each


# ------------------------------------------------------------------------------------------- what is no plain case


def test_who_was_there_first_is_not_overwritten() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        theirs = next(iter(rig.rows("b")))

        async def somebody() -> None:
            del rig.on["b", "update_rows"]
            rig.edit("b", theirs, phone="theirs")

        rig.on["b", "update_rows"] = somebody
        call_all(rig)
        await until(lambda: ("b", "update_rows") not in rig.on)
        await anyio.sleep(60)
        (row,) = rig.parked()
        held = rig.rows("b")[theirs]["phone"]
        return row.room, held, sorted(phones(rig, "b")) == sorted([*told(rig)[1:], "theirs"])

    assert on(rig, body) == (Room.CONFLICT, "theirs", True)


def test_what_the_other_system_makes_of_it_is_a_deviation_and_comes_not_back() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        shape = rig.systems["b"].objects[CUSTOMERS]
        rig.systems["b"].objects[CUSTOMERS] = ObjectShape(
            shape.fields, shape.key, rewrites={"phone": "truncate:1"}
        )
        call_all(rig)
        await until(lambda: phones(rig, "b") == ["a"] * COUNT)
        await anyio.sleep(100)
        reasons = {d.reason for b in rig.bindings() if b.b for d in b.b.dev.values()}
        return reasons, phones(rig, "a") == told(rig), updates(rig), writes(rig)

    assert on(rig, body) == ({"rewritten"}, True, 1, 0)


def test_a_refusal_is_of_one_record_and_the_others_go_on() -> None:
    """The system refuses the page: each of its records is tried alone."""

    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        rig.on["b", "update_rows"] = fails(REFUSED)
        call_all(rig)
        await until(lambda: phones(rig, "b") == told(rig))
        dropped = [x for x in rig.actions() if x.state is ActionState.DROPPED]
        return len(dropped), {x.error.partition(":")[0] for x in dropped}, {r.outcome for r in rig.runs()}

    assert on(rig, body) == (COUNT, {"the system would not have it among others"}, {Outcome.SUCCEEDED})


def test_a_request_without_an_answer_is_looked_up_and_not_sent_again() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        rig.systems["b"].lie(Faults(lose_reply=1.0), "x")
        call_all(rig)
        await until(lambda: updates(rig) == 1)
        await until(lambda: not [x for x in rig.actions() if x.state is ActionState.SENT], timeout_s=300)
        await anyio.sleep(60)
        states = {x.state for x in rig.actions() if x.op is Op.UPDATE}
        return states, phones(rig, "b") == told(rig), updates(rig), writes(rig)

    assert on(rig, body) == ({ActionState.CONFIRMED}, True, 1, 0)


def test_a_request_that_did_not_leave_is_tried_again() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)

        async def once() -> None:
            del rig.on["b", "update_rows"]
            raise BUSY

        rig.on["b", "update_rows"] = once
        call_all(rig)
        await until(lambda: phones(rig, "b") == told(rig), timeout_s=120)
        return {b.state for b in rig.bindings()}

    assert on(rig, body) == {State.SETTLED}


def test_beyond_its_budget_nothing_goes_without_a_yes() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        call_all(rig)
        await until(lambda: [run for run in rig.runs() if run.outcome is Outcome.AWAITING_APPROVAL])
        return updates(rig), writes(rig), phones(rig, "b")

    few = customers(budgets={"overwrites": Budget(count=3, percent=0.0)})
    assert on(lambda: rig(few), body) == (0, 0, ["1"] * COUNT)


def test_a_new_record_and_one_that_is_parked_are_among_them() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        first = next(iter(rig.rows("a")))
        rig.edit("a", first, phone="one")
        rig.edit("b", next(iter(rig.rows("b"))), phone="two")
        await until(rig.parked)
        await anyio.sleep(30)
        rig.create("a", "n7")
        call_all(rig)
        await until(lambda: "n7" in rig.names("b"))
        await anyio.sleep(30)
        return updates(rig), phones(rig, "b") == sorted(["two", *told(rig)[1:], "a7"])

    assert on(rig, body) == (1, True)


def test_a_precondition_that_is_read_and_not_kept_needs_a_look() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        call_all(rig)
        await until(lambda: phones(rig, "b") == told(rig))
        return updates(rig), bool(rig.asked("b", "read"))

    assert on(lambda: rig(precondition="reread"), body) == (0, True)


def test_a_field_with_a_lens_is_changed_by_its_rules() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await at_rest(rig)
        call_all(rig, phone=" 12 ")
        await until(lambda: phones(rig, "b") == ["12"] * COUNT)
        return updates(rig), writes(rig)

    trimmed = FieldSide(("phone",), Trim())
    spec = customers(fields=(field("name"), FieldSpec("phone", trimmed, trimmed)))
    assert on(lambda: rig(spec), body) == (1, 0)


STEPS = [
    *((method, nth) for method in ("standing", "intend_changes", "settle") for nth in range(1, 7)),
    *((method, nth) for method in ("change_rows", "update_rows") for nth in (1, 2, 3)),
]


@pytest.mark.parametrize("method, nth", STEPS)
def test_a_kill_at_any_step_loses_and_doubles_nothing(method: str, nth: int) -> None:
    """Killed before and after each commit (a step of the store is taken twice) and before each request."""

    async def main() -> Any:
        made = rig()
        async with made.daemon(rows_window=3):
            await at_rest(made)
        call_all(made)
        count, over = 0, anyio.Event()

        async def crash() -> None:
            nonlocal count
            count += 1
            if count == nth:
                over.set()
                await anyio.sleep_forever()

        async def step(name: str) -> None:
            if name == method:
                await crash()

        made.store.step = step
        made.on["b" if method == "update_rows" else "a", method] = crash
        async with made.daemon("d2", rows_window=3):
            with anyio.fail_after(300):
                await over.wait()
        made.on.clear()
        made.store.step = None
        async with made.daemon("d3", rows_window=3):
            await until(lambda: phones(made, "b") == told(made), timeout_s=600)
            await anyio.sleep(300)
            states = {x.state for x in made.actions()}
            return states <= {ActionState.CONFIRMED, ActionState.DROPPED}, phones(made, "a") == told(made)

    assert loop.run(main) == (True, True)
