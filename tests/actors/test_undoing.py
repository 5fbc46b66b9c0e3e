"""Undoing a run through the real actors: a plan on both sides, carried out on a yes; what was edited since is named (B2)."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from actors.core.policy import DeletePolicy, Owner
from actors.core.types import ActionState, Mode, Op, Outcome, Side
from actors.core.undo import UNDO, UNDONE
from actors.ports import PlanRow, RunRow
from actors.root import RootActor
from actors.undoing import KIND, Subject
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until, writes

AGAIN = (("x", 1.0), ("y", 300.0), ("z", 300.0))
REMOVE = dict.fromkeys("ab", DeletePolicy.REMOVE)


def rig_with(**rules: Any) -> Rig:
    return Rig(customers(**rules), poll_s=30.0)


async def asked(rig: Rig, root: RootActor, mode: Mode, subject: Subject, stream: str = CUSTOMERS) -> RunRow:
    run = f"{mode.value}{len(rig.runs())}"
    text = msgspec.json.encode(subject).decode()
    rig.store.request_run(RunRow(run, "l", mode=mode, scope=(stream,), subject=text))
    root.wake("l")
    await until(lambda: rig.link().runs[run].outcome is not Outcome.RUNNING, 300.0)
    return rig.link().runs[run]


async def planned(rig: Rig, root: RootActor, run: str, stream: str = CUSTOMERS) -> PlanRow | None:
    """The plan to take a run back."""
    await asked(rig, root, Mode.UNDO, Subject(run=run), stream)
    return await rig.store.held("l", stream, KIND)


async def applied(rig: Rig, root: RootActor, plan: PlanRow, stream: str = CUSTOMERS) -> RunRow:
    """Somebody says yes to all of it."""
    rig.store.approve_plan("l", plan.id, plan.rev)
    return await asked(rig, root, Mode.APPLY, Subject(plan=plan.id, stream=stream), stream)


async def applied_again_and_again(rig: Rig, root: RootActor, plan: PlanRow) -> None:
    """A person has it carried out once more after a crash, at once and later."""
    subject = msgspec.json.encode(Subject(plan=plan.id, stream=CUSTOMERS)).decode()
    for again, rest_s in AGAIN:
        name = f"{plan.id}{again}"
        rig.store.request_run(RunRow(name, "l", mode=Mode.APPLY, scope=(CUSTOMERS,), subject=subject))
        root.wake("l")
        await at_rest(rig, rest_s)
    rig.store.step = None


def run_that(rig: Rig, op: Op, side: Side) -> str:
    """The run that did that last."""
    found = [run for run, one in rig.link().actions.values() if (one.op, one.side) == (op, side)]
    return found[-1]


def left(rig: Rig, mode: Mode = Mode.UNDO) -> list[str]:
    """What the last run of that mode named as not taken back."""
    last = [run.id for run in rig.runs() if run.mode == mode][-1]
    return [
        one.reason
        for run, one in rig.link().actions.values()
        if run == last and one.rule == UNDO and one.op is Op.NONE
    ]


async def in_step(rig: Rig, here: Side, there: Side, *names: str) -> dict[str, str]:
    """Records of `here` with their partners; their ids by name."""
    ids = {name: rig.create(here, name) for name in names}
    await until(lambda: loaded(rig) and len(rig.names(there)) == len(names))
    await at_rest(rig, 60)
    return ids


def phones(rig: Rig, side: Side) -> dict[str, str]:
    return {row["name"]: row["phone"] for row in rig.rows(side).values()}


@MIRRORED
def test_an_update_is_taken_back_on_its_side_alone_and_the_next_edit_goes_over_as_ever(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, here, there, "N1", "N2")
        rig.edit(here, ids["N1"], phone="2")
        await until(lambda: phones(rig, there)["N1"] == "2")
        await at_rest(rig, 60)
        before = writes(rig)
        plan = await planned(rig, root, run_that(rig, Op.UPDATE, there))
        assert plan is not None
        (action,) = await rig.store.held_actions(plan.id, 0, 9)
        shown = (action.op, action.side, dict(action.fields), dict(action.before)), writes(rig) - before
        ended = await applied(rig, root, plan)
        await at_rest(rig, 200)
        now = phones(rig, here)["N1"], phones(rig, there)["N1"]
        devs = [
            dev.reason
            for one in rig.bindings()
            for held in (one.a, one.b)
            if held
            for dev in held.dev.values()
        ]
        quiet = writes(rig) - before
        rig.edit(here, ids["N1"], phone="3")
        await until(lambda: phones(rig, there)["N1"] == "3")
        return shown, ended.outcome, now, devs, quiet, await rig.store.held("l", CUSTOMERS, KIND)

    shown = (Op.UPDATE, there, {"phone": "1"}, {"phone": "2"}), 0
    expected = shown, Outcome.SUCCEEDED, ("2", "1"), [UNDONE], 1, None
    assert on(rig_with, body) == expected


@MIRRORED
def test_records_that_were_edited_since_on_either_side_are_left_and_named(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        names = [f"N{number}" for number in range(4)]
        ids = await in_step(rig, here, there, *names)
        rig.store.set_wish("l", "paused")
        for name in names:
            rig.edit(here, ids[name], phone="2")
        rig.store.set_wish("l", "run")
        root.wake("l")
        await until(lambda: list(phones(rig, there).values()) == ["2"] * 4)
        await at_rest(rig, 60)
        run = run_that(rig, Op.UPDATE, there)
        rig.edit(here, ids["N3"], phone="9")
        await until(lambda: phones(rig, there)["N3"] == "9")
        await at_rest(rig, 60)
        rig.store.set_wish("l", "paused")
        partners = {row["name"]: id for id, row in rig.rows(there).items()}
        rig.edit(there, partners["N1"], phone="7")
        plan = await planned(rig, root, run)
        assert plan is not None
        named = left(rig)
        rig.edit(there, partners["N2"], phone="8")  # after the plan was read
        rig.store.set_wish("l", "run")
        ended = await applied(rig, root, plan)
        at_once = left(rig, Mode.APPLY)
        await at_rest(rig, 60)
        return sorted(named), plan.actions, ended.outcome, at_once, phones(rig, there)

    named = [
        f"left as it is: phone was edited on {there} since",
        "left as it is: phone was written again since",
    ]
    late = [f"left as it is: phone was edited on {there} since"]
    phones_ = {"N0": "1", "N1": "7", "N2": "8", "N3": "9"}
    assert on(rig_with, body) == (named, 2, Outcome.PARTIAL, late, phones_)


@MIRRORED
@pytest.mark.parametrize("policy", DeletePolicy)
def test_what_was_made_is_deleted_only_where_the_rules_let_a_deletion_do_that(
    here: Side, there: Side, policy: DeletePolicy
) -> None:
    marks = {"mark": {there: {"phone": "gone"}}} if policy is DeletePolicy.MARK else {}
    rules = {"deletes": {here: policy, there: DeletePolicy.IGNORE}, **marks}

    async def body(rig: Rig, root: RootActor) -> Any:
        await in_step(rig, here, there, "N1")
        rig.create(here, "N2")
        await until(lambda: len(rig.names(there)) == 2)
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.CREATE, there))
        if plan is None:
            return left(rig), rig.names(there)
        await applied(rig, root, plan)
        await at_rest(rig, 500)  # and it is not made again
        return phones(rig, there), rig.names(here)

    found = on(lambda: rig_with(**rules), body)
    if policy is DeletePolicy.REMOVE:
        assert found == ({"N1": "1"}, ["N1", "N2"])
    else:
        reason = (
            f"left as it is: the rules let nothing be deleted on {there}: deletes.{here} is {policy.value}"
        )
        assert found == ([reason], ["N1", "N2"])


@MIRRORED
def test_what_was_deleted_is_made_again_from_its_before_image_and_stays(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, here, there, "N1", "N2")
        rig.edit(here, ids["N1"], phone="5")
        await until(lambda: phones(rig, there)["N1"] == "5")
        rig.systems[here].delete(CUSTOMERS, ids["N1"], "person")
        await until(lambda: rig.names(there) == ["N2"])
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.DELETE, there))
        assert plan is not None
        ended = await applied(rig, root, plan)
        await at_rest(rig, 500)
        return ended.outcome, phones(rig, there), rig.names(here)

    expected = Outcome.SUCCEEDED, {"N1": "5", "N2": "1"}, ["N2"]
    assert on(lambda: rig_with(deletes=REMOVE), body) == expected


@MIRRORED
def test_a_mark_is_taken_away_and_what_it_replaced_put_back(here: Side, there: Side) -> None:
    fields = (field("name"), field("phone"), field("status", owner=Owner.LOCAL))
    marks: Any = {
        "deletes": dict.fromkeys("ab", DeletePolicy.MARK),
        "mark": {s: {"status": "gone"} for s in "ab"},
    }

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, here, there, "N1")
        partner = next(iter(rig.rows(there)))
        rig.edit(there, partner, status="fine")
        await at_rest(rig, 60)
        rig.systems[here].delete(CUSTOMERS, ids["N1"], "person")
        await until(lambda: rig.rows(there)[partner]["status"] == "gone")
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.MARK, there))
        assert plan is not None
        await applied(rig, root, plan)
        await at_rest(rig, 500)
        return rig.rows(there)[partner]["status"], rig.names(here)

    assert on(lambda: rig_with(fields=fields, **marks), body) == ("fine", [])


@MIRRORED
def test_an_undo_is_undone_like_any_run(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, here, there, "N1")
        rig.edit(here, ids["N1"], phone="2")
        await until(lambda: phones(rig, there)["N1"] == "2")
        await at_rest(rig, 60)
        first = await planned(rig, root, run_that(rig, Op.UPDATE, there))
        assert first is not None
        ended = await applied(rig, root, first)
        await at_rest(rig, 60)
        second = await planned(rig, root, ended.id)
        assert second is not None
        await applied(rig, root, second)
        await at_rest(rig, 60)
        devs = [dev for one in rig.bindings() for held in (one.a, one.b) if held for dev in held.dev.values()]
        return phones(rig, there), phones(rig, here), devs

    assert on(rig_with, body) == ({"N1": "2"}, {"N1": "2"}, [])


@MIRRORED
@CRASHES
def test_a_kill_while_it_is_taken_back_loses_and_doubles_nothing(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, here, there, "N1", "N2", "N3")
        rig.systems[here].delete(CUSTOMERS, ids["N1"], "person")
        rig.edit(here, ids["N2"], phone="2")
        await until(lambda: len(rig.names(there)) == 2 and phones(rig, there)["N2"] == "2")
        await at_rest(rig, 60)
        runs = {run_that(rig, Op.DELETE, there), run_that(rig, Op.UPDATE, there)}
        for run in sorted(runs):
            plan = await planned(rig, root, run)
            assert plan is not None
            rig.store.approve_plan("l", plan.id, plan.rev)
            dies(rig, crash)
            await applied_again_and_again(rig, root, plan)
        unknown = [one for one in rig.actions() if one.state is ActionState.UNKNOWN]
        return phones(rig, there), rig.names(here), unknown

    expected: Any = ({"N1": "1", "N2": "1", "N3": "1"}, ["N2", "N3"], [])
    assert on(lambda: rig_with(deletes=REMOVE), body) == expected


def test_what_the_rules_keep_in_step_no_more_is_named_in_the_plan_of_an_undo() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, "a", "b", "N1")
        rig.edit("a", ids["N1"], phone="2", city="Ulm")
        await until(lambda: phones(rig, "b")["N1"] == "2")
        await at_rest(rig, 60)
        rig.change(customers(map_ver="2"))
        plan = await planned(rig, root, run_that(rig, Op.UPDATE, "b"))
        assert plan is not None
        ended = await applied(rig, root, plan)
        (row,) = rig.rows("b").values()
        return left(rig), ended.outcome, row

    rig = partial(rig_with, fields=(field("name"), field("phone"), field("city")))
    reason = "left as it is: the rules do not keep it in step any more: city"
    assert on(rig, body) == ([reason], Outcome.SUCCEEDED, {"name": "N1", "phone": "1", "city": "Ulm"})


def test_a_yes_to_an_undo_in_a_stream_that_was_switched_off_takes_nothing_back_and_nothing_down() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = await in_step(rig, "a", "b", "N1")
        rig.edit("a", ids["N1"], phone="2")
        await until(lambda: phones(rig, "b")["N1"] == "2")
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.UPDATE, "b"))
        assert plan is not None
        rig.change()
        ended = await applied(rig, root, plan)
        return ended.outcome, ended.error, phones(rig, "b"), rig.said("actor.crashed")

    said = "its stream is no more: nothing was taken back"
    assert on(rig_with, body) == (Outcome.NOTHING_NEW, said, {"N1": "2"}, [])
