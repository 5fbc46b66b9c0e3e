"""A rehearsal through the real actors: what other rules would do is shown, and nothing is done or settled (B16)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.lenses import Same
from actors.core.policy import Budget, FieldSide, FieldSpec, FirstContact, StreamSpec
from actors.core.types import Mode, Op, Outcome, Side
from actors.ports import Find, RunRow
from actors.rehearsing import KIND, REHEARSED, Rules
from actors.root import RootActor
from tests.actors.odds import MIRRORED, at_rest
from tests.actors.rig import Rig, customers, field, loaded, on, until, writes


def moved_phone(here: Side) -> FieldSpec:
    """The phone of one side stands somewhere else."""
    spec = field("phone")
    place = FieldSide(("mobile",), Same())
    return msgspec.structs.replace(spec, **{here: place})


def old_rules() -> StreamSpec:
    spare = field("mobile", owner="local")
    return customers(complete_read_s=1e9, fields=(field("name"), field("phone"), spare))


def new_rules(here: Side, **rules: Any) -> StreamSpec:
    """Under the new mapping `here` wins wherever both sides differ."""
    changed = {
        "fields": (field("name"), moved_phone(here)),
        "map_ver": "2",
        "stale": {"1": frozenset({"phone"})},
    }
    return customers(**({"first_contact": FirstContact(here)} | changed | rules))


async def rehearsed(rig: Rig, root: RootActor, *streams: StreamSpec) -> RunRow:
    rig.rules("new", *streams)
    subject = msgspec.json.encode(Rules("new")).decode()
    rig.store.request_run(RunRow("r", "l", mode=Mode.REHEARSE, subject=subject))
    root.wake("l")
    await until(lambda: rig.link().runs["r"].outcome is not Outcome.RUNNING)
    return rig.link().runs["r"]


def plan_of(rig: Rig) -> Any:
    return next(plan for plan in rig.link().plans.values() if plan.kind == KIND)


@MIRRORED
@pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
def test_another_mapping_shows_its_diff_field_by_field_and_nothing_happens(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for name, mobile in (("N1", "7"), ("N2", "1")):
            rig.create(here, name, "1", mobile=mobile)
        await until(lambda: loaded(rig) and len(rig.names(there)) == 2)
        await at_rest(rig, 60)
        before = writes(rig), rig.bindings()
        run = await rehearsed(rig, root, new_rules(here))
        await at_rest(rig, 60)
        plan = plan_of(rig)
        (action,) = await rig.store.held_actions(plan.id, 0, 10)
        (one,) = action.decisions
        values = one.field, one.chosen, getattr(one, here), getattr(one, there), one.unknown
        same = (writes(rig), rig.bindings()) == before
        return run.outcome, plan.state, (action.op, action.side), values, one.rule, same

    values = "phone", "7", "7", "1", ("base",)
    rule = f"first contact: {here} wins"
    expected = Outcome.SUCCEEDED, REHEARSED, (Op.UPDATE, there), values, rule, True
    assert on(lambda: Rig(old_rules(), find=(find,), poll_s=1e6), body) == expected


@MIRRORED
def test_what_would_be_beyond_the_budgets_says_so_and_what_would_be_listed_is_listed_in_the_protocol(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for number in range(4):
            rig.create(here, f"N{number}", "1", mobile=str(number))
        await until(lambda: loaded(rig) and len(rig.names(there)) == 4)
        await at_rest(rig, 60)
        strict = {"budgets": {"overwrites": Budget(count=2, percent=0)}}
        await rehearsed(rig, root, new_rules(here, **strict))
        reason = plan_of(rig).reason
        asks = new_rules(here, first_contact=FirstContact.ASK)
        rig.link().runs.pop("r")
        run = await rehearsed(rig, root, asks)
        lines = [one.reason for where, one in rig.link().actions.values() if where == "r"]
        return reason, run.outcome, lines, rig.parked()

    reason, outcome, lines, parked = on(lambda: Rig(old_rules(), poll_s=1e6), body)
    assert reason.startswith("rehearsed: 3 overwrites; it would wait as a plan: 3 overwrites in customers")
    assert (outcome, parked) == (Outcome.SUCCEEDED, [])
    assert lines == ["first contact: both sides hold a value"] * 3


def test_rules_that_change_nothing_for_the_records_show_nothing() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create("a", "N1", "1", mobile="1")
        await until(lambda: loaded(rig) and len(rig.names("b")) == 1)
        await at_rest(rig, 60)
        run = await rehearsed(rig, root, new_rules("a"))
        return run.outcome, [plan.kind for plan in rig.link().plans.values()]

    assert on(lambda: Rig(old_rules(), poll_s=1e6), body) == (Outcome.NOTHING_NEW, [])
