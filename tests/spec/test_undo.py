"""B2: what a run wrote is taken back on both sides, as a plan that is read first; what was edited since is named."""

from __future__ import annotations

from typing import Any

import pytest

from tandem.v1 import common_pb2, plans_pb2, runs_pb2
from tandem_client import TandemError
from tests.spec.systems import blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
LEFT = "left as it is: "


async def undo(world: World, run: runs_pb2.Run) -> runs_pb2.Run:
    """The run that plans to take another one back, once it has ended."""
    return await world.ended(await world.tandem.runs.UndoRun(runs_pb2.UndoRunRequest(run=run.id)))


async def carried_out(world: World, plan: plans_pb2.Plan) -> runs_pb2.Run:
    """Say yes, and wait for the run that does it."""
    await world.approve(plan)

    async def applied() -> runs_pb2.Run | None:
        mine = [run for run in await world.runs() if run.mode == "apply"]
        return mine[0] if mine and mine[0].outcome not in ("queued", "running") else None

    run = await until(applied, "the undo to be carried out")
    assert run is not None
    return run


async def by_command(world: World, *numbers: int, **rules: Any) -> None:
    """These customers in step, and nothing goes over but in a run that somebody starts: so one run does it all."""
    world.erp.save([customer(n) for n in numbers])
    await world.connect(blueprint(delivery="command", **rules))
    await world.quiet()
    assert await world.differences() == []


async def cities(world: World) -> dict[str, tuple[str, str]]:
    """The town of each customer, in the ERP and in the CRM."""
    crm = {row["number"]: row["city"] for row in await world.crm.customers()}
    return {row["KUNDENNR"]: (row["ORT"], crm.get(row["KUNDENNR"], "")) for row in world.erp.rows()}


async def test_b02_a_run_is_taken_back_on_both_sides_and_what_was_edited_since_is_left_and_named(
    world: World,
) -> None:
    await by_command(world, 1, 2, 3)
    world.erp.edit({"K00001": {"ORT": "Ulm"}, "K00003": {"ORT": "Ulm"}})
    await world.crm.sql("UPDATE customers SET city = 'Bonn' WHERE number = 'K00002'")
    run = await world.sync()
    assert sum(item.op == "update" for item in await world.items(run, "confirmed")) == 3
    await world.crm.sql("UPDATE customers SET city = 'Jena' WHERE number = 'K00003'")
    await world.quiet()
    rows, files = await world.crm.state(), world.erp.state()
    planning = await undo(world, run)
    assert (planning.mode, planning.outcome) == ("undo", "awaiting_approval")
    assert (await world.crm.state(), world.erp.state()) == (rows, files)
    (named,) = await world.items(planning)
    assert named.reason.startswith(LEFT) and "city" in named.reason and named.hint
    assert "K00003" in (named.record, named.origin)
    plan = await world.plan("undo")
    shown = {
        (one.side, one.decisions[0].chosen.value.string_value, one.rule) for one in await world.planned(plan)
    }
    assert shown == {(common_pb2.SIDE_A, "Köln", "undo"), (common_pb2.SIDE_B, "Köln", "undo")}
    done = await carried_out(world, plan)
    assert done.outcome == "succeeded"
    await world.quiet()  # nothing flows back: both sides differ for a recorded reason
    expected = {"K00001": ("Ulm", "Köln"), "K00002": ("Köln", "Bonn"), "K00003": ("Jena", "Jena")}
    assert await cities(world) == expected
    world.erp.edit({"K00001": {"ORT": "Mainz"}})
    await world.quiet()
    assert (await cities(world))["K00001"] == ("Mainz", "Mainz")  # the next edit goes over as ever


async def test_b02_a_create_is_undone_by_a_delete_where_the_rules_allow_it_and_a_delete_by_making_it_again(
    world: World,
) -> None:
    await by_command(world, 1, 2, deletes={"a": "remove", "b": "ignore"})
    world.erp.save([*world.erp.rows()[1:], customer(3), customer(4)])  # K00001 goes, two come
    run = await world.sync()
    done = sorted(item.op for item in await world.items(run, "confirmed"))
    assert done == ["create", "create", "delete"]
    await world.crm.sql("UPDATE customers SET city = 'Ulm' WHERE number = 'K00004'")
    await world.quiet()
    planning = await undo(world, run)
    plan = await world.plan("undo")
    ops = {(one.op, one.origin) for one in await world.planned(plan)}
    assert ops == {("delete", "K00003"), ("create", "K00001")}
    (named,) = await world.items(planning)
    assert named.origin == "K00004" and "city was changed since" in named.reason
    await carried_out(world, plan)
    await world.quiet()
    assert "K00003" not in [row["number"] for row in await world.crm.customers()]  # and it is not made again
    assert "K00003" in [row["KUNDENNR"] for row in world.erp.rows()]
    (back,) = [row for row in await world.crm.customers() if row["number"] == "K00001"]
    assert (back["city"], back["email"]) == ("Köln", "kontakt1@haus.example")
    assert "K00001" not in [row["KUNDENNR"] for row in world.erp.rows()]


async def test_b02_where_the_rules_let_nothing_be_deleted_the_undo_says_so_and_nothing_is_planned(
    world: World,
) -> None:
    world.erp.save([customer(1)])
    await world.connect()
    await world.in_step()
    await world.quiet()
    loading = [run for run in await world.runs() if await world.items(run, "confirmed")][-1]
    planning = await undo(world, loading)
    assert planning.outcome == "nothing_new" and "1 left as they are" in planning.error
    (named,) = await world.items(planning)
    assert "deletes.a is ignore" in named.reason
    with pytest.raises(TandemError, match="only looked"):
        await undo(world, planning)
