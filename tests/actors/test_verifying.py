"""A verification through the real actors: it writes and settles nothing, and tells a lost change from one to come (B4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from actors.core.policy import DeletePolicy
from actors.core.types import SIDES, Action, ActionState, Hint, Mode, Op, Outcome, Side
from actors.ports import Counters, Find, RunRow
from actors.root import RootActor
from tests.actors.odds import MIRRORED, at_rest
from tests.actors.rig import CUSTOMERS, Rig, customers, loaded, on, until, writes

FINDS = pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])


def rig_with(find: Find = Find.FEED, **rules: Any) -> Rig:
    return Rig(customers(**({"complete_read_s": 1e9} | rules)), find=(find,), poll_s=1e6)


async def verified(rig: Rig, root: RootActor, run: str = "v") -> tuple[RunRow, list[Action]]:
    rig.store.request_run(RunRow(run, "l", mode=Mode.VERIFY))
    root.wake("l")
    await until(lambda: rig.link().runs[run].outcome is not Outcome.RUNNING)
    lines = [one for where, one in rig.link().actions.values() if where == run]
    return rig.link().runs[run], lines


def told(lines: Iterable[Action]) -> list[tuple[ActionState, str]]:
    return sorted((line.state, line.rule) for line in lines)


async def two_in_step(rig: Rig, here: Side, there: Side) -> list[str]:
    ids = [rig.create(here, name) for name in ("N1", "N2")]
    await until(lambda: loaded(rig) and len(rig.names(there)) == 2)
    await at_rest(rig, 60)
    return ids


def lose(rig: Rig, system: Side, id: str, **fields: Any) -> None:
    """An edit of which the system tells nobody: its note of it is lost."""
    rig.edit(system, id, **fields)
    forget(rig, system)


def forget(rig: Rig, system: Side) -> None:
    for touch in rig.systems[system].touched():
        rig.systems[system].acknowledge(touch.number)


@MIRRORED
@FINDS
def test_what_is_in_step_shows_no_difference_and_nothing_is_written(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await two_in_step(rig, here, there)
        before = writes(rig), rig.bindings()
        run, lines = await verified(rig, root)
        return run.outcome, lines, (writes(rig), rig.bindings()) == before

    assert on(lambda: rig_with(find), body) == (Outcome.NOTHING_NEW, [], True)


@MIRRORED
@FINDS
def test_an_edit_that_a_run_is_going_to_find_is_planned(here: Side, there: Side, find: Find) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await two_in_step(rig, here, there)
        rig.store.set_wish("l", "paused")
        rig.edit(here, ids[0], phone="2")
        run, lines = await verified(rig, root)
        return run.outcome, told(lines), [line.op for line in lines]

    expected = Outcome.SUCCEEDED, [(ActionState.PLANNED, f"changed on {here}")], [Op.NONE]
    assert on(lambda: rig_with(find), body) == expected


@MIRRORED
def test_an_edit_that_nobody_tells_of_is_a_defect_and_stays_undone(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await two_in_step(rig, here, there)
        lose(rig, here, ids[0], phone="2")
        before = writes(rig)
        run, lines = await verified(rig, root)
        decision = lines[0].decisions[0]
        values = decision.base, decision.chosen, getattr(decision, here), getattr(decision, there)
        counters = await rig.store.run_counters(run.id)
        return (run.outcome, run.error), told(lines), values, counters, writes(rig) - before

    outcome = Outcome.PARTIAL, "1 defect: 1 in customers"
    lines = [(ActionState.DEFECT, f"changed on {here}")]
    counted = [Counters(CUSTOMERS, "a", unchanged=1, failed=1)]
    assert on(rig_with, body) == (outcome, lines, ("1", "2", "2", "1"), counted, 0)


@MIRRORED
def test_a_record_made_or_deleted_without_a_word_is_a_defect(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await two_in_step(rig, here, there)
        rig.create(here, "N3")
        rig.systems[here].delete(CUSTOMERS, ids[0], "person")
        forget(rig, here)
        return told((await verified(rig, root))[1])

    remove = dict.fromkeys("ab", DeletePolicy.REMOVE)
    found = on(lambda: rig_with(deletes=remove), body)
    assert found == [(ActionState.DEFECT, "deletes: remove"), (ActionState.DEFECT, f"new on {here}")]


@MIRRORED
def test_what_waits_in_a_room_or_in_a_plan_is_no_defect(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await two_in_step(rig, here, there)
        partner = next(id for id, row in rig.rows(there).items() if row["name"] == "N1")
        rig.store.set_wish("l", "paused")
        rig.edit(here, ids[0], phone="2")
        rig.edit(there, partner, phone="3")
        rig.store.set_wish("l", "run")
        root.wake("l")
        await until(lambda: rig.parked())
        return (await verified(rig, root))[0].outcome, told((await verified(rig, root, "v2"))[1])

    expected = Outcome.SUCCEEDED, [(ActionState.PARKED, "conflict")]
    assert on(rig_with, body) == expected


def test_a_verification_is_cancelled_at_the_next_safe_point() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await two_in_step(rig, "a", "b")

        async def cancel() -> None:
            rig.store.cancel_run("l", "v")
            await at_rest(rig, 5)

        rig.on["a", "scan"] = cancel
        return (await verified(rig, root))[0].outcome, writes(rig)

    assert on(rig_with, body) == (Outcome.CANCELLED, 1)


@MIRRORED
def test_a_deletion_from_before_the_rule_turned_is_no_defect_and_is_not_put_back(
    here: Side, there: Side
) -> None:
    """Found by rules that change: each complete read passes it by, and each verification said that none would."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await two_in_step(rig, here, there)
        rig.systems[here].delete(CUSTOMERS, ids[0], "person")
        await at_rest(rig, 60)
        rig.change(customers(deletes=dict.fromkeys("ab", DeletePolicy.RESTORE), **often))
        rig.store.links["l"].add_hints([Hint(CUSTOMERS, side, "", reason="rules changed") for side in SIDES])
        await at_rest(rig, 500)
        run, lines = await verified(rig, root)
        return run.outcome, told(lines), rig.names(here), rig.names(there)

    often: dict[str, Any] = {"complete_read_s": 100.0}
    expected = Outcome.SUCCEEDED, [(ActionState.EXPLAINED, "deletes")], ["N2"], ["N1", "N2"]
    assert on(lambda: Rig(customers(**often), poll_s=20.0), body) == expected
