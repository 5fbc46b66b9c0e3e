"""B1, B8, B9: what a run would do, what is too much to happen without a yes, and what waits for its parent."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from tandem.v1 import common_pb2, plans_pb2
from tandem_client import TandemError
from tests.spec.systems import ORDERS, blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
# Nothing flows before the totals are known, and then four per cent at most.
STRICT = {"count": 0, "percent": 4, "free": 0}


async def loaded(world: World, count: int, **changed: Any) -> None:
    """So many customers on both sides, and nothing left to do."""
    world.erp.save([customer(n) for n in range(1, count + 1)])
    await world.connect(blueprint(**changed))
    await world.in_step()
    await world.quiet()


async def held(world: World, why: str) -> plans_pb2.Plan:
    """The plan that the guard holds, once the totals are known and are its reason."""

    async def found() -> plans_pb2.Plan | None:
        return next((p for p in await world.plans("open") if p.kind == "held" and why in p.reason), None)

    plan = await until(found, f"a held plan because of {why}")
    assert plan is not None
    return plan


# ------------------------------------------------------------------------------------------------------ B1, the plan


async def test_b01_a_dry_run_is_saved_record_by_record_and_field_by_field(world: World) -> None:
    await loaded(world, 3)
    await world.pause()
    await world.at_rest()
    world.erp.edit({"K00001": {"TELEFON": "030 / 777001", "ORT": "Ulm"}})
    world.erp.save([*world.erp.rows(), customer(4)])
    await world.crm.sql("UPDATE customers SET email = 'neu@haus.example' WHERE number = 'K00002'")
    files, rows = world.erp.state(), await world.crm.state()
    assert (await world.sync(dry_run=True)).outcome == "awaiting_approval"
    assert (world.erp.state(), await world.crm.state()) == (files, rows)  # planned, not done
    plan = await world.plan("requested")
    actions = await world.planned(plan)
    assert plan.actions == len(actions) == 3
    found = {(one.op, one.side, one.origin): one for one in actions}
    change = found["update", common_pb2.SIDE_B, "K00001"]
    fields = {one.field: one for one in change.decisions}
    assert set(fields) == {"phone", "city"}
    city = fields["city"]
    assert [v.value.string_value for v in (city.base, city.a, city.b, city.chosen)] == [
        "Köln",
        "Ulm",
        "Köln",
        "Ulm",
    ]
    assert city.rule and change.rule and change.reason
    assert found["create", common_pb2.SIDE_B, "K00004"].state == "planned"
    back = next(one for key, one in found.items() if key[:2] == ("update", common_pb2.SIDE_A))
    assert back.record == "K00002" and [one.field for one in back.decisions] == ["email"]
    await world.resume()
    await world.in_step()


async def test_b01_an_approved_plan_is_carried_out_except_where_a_side_has_moved_on(world: World) -> None:
    await loaded(world, 3)
    await world.pause()
    await world.at_rest()
    world.erp.edit({f"K{n:05d}": {"ORT": "Ulm"} for n in (1, 2, 3)})
    await world.sync(dry_run=True)
    plan = await world.plan("requested")
    assert plan.actions == 3
    world.erp.edit({"K00003": {"ORT": "Bonn"}})  # after the plan was read
    await world.approve(plan)

    async def done() -> bool:
        found = await world.tandem.plans.GetPlan(plans_pb2.GetPlanRequest(plan=plan.id))
        return found.state == "applied"

    await world.resume()
    await world.in_step()
    await until(done, "the plan to be applied", 5)
    assert [row["city"] for row in await world.crm.customers()] == ["Ulm", "Ulm", "Bonn"]
    protocol = [item for run in await world.runs() for item in await world.items(run)]
    third = [item for item in protocol if item.origin == "K00003" and item.op == "update"]
    # The approved action for the third was dropped, by name; what went is what the ERP said last.
    chosen = {
        d.chosen.value.string_value for item in third if item.state == "confirmed" for d in item.decisions
    }
    assert chosen == {"Bonn"}


# --------------------------------------------------------------------------------------------------- B8, the guard


async def test_b08_two_hundred_deletes_wait_for_a_yes_and_exactly_those_are_done(world: World) -> None:
    await loaded(world, 240, deletes={"a": "remove", "b": "ignore"}, budgets={"deletes": STRICT})
    world.erp.save(world.erp.rows()[200:])
    plan = await held(world, "200 deletes")
    assert plan.actions == 200
    await world.at_rest()
    assert await world.crm.value("SELECT count(*) FROM customers") == 240
    run = await world.sync()
    assert run.outcome in ("awaiting_approval", "nothing_new")
    # Somebody takes care of one of them meanwhile: what the plan said of it no longer holds.
    await world.crm.sql("UPDATE customers SET city = 'Ulm' WHERE number = 'K00007'")
    await world.quiet_enough()
    wrong = plans_pb2.ApprovePlanRequest(plan=plan.id, revision=plan.revision + 7)
    with pytest.raises(TandemError) as refused:
        await world.tandem.plans.ApprovePlan(wrong)
    assert refused.value.code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)
    plan = await world.plan("held")
    planned = {one.record for one in await world.planned(plan)}
    kept = await world.crm.value("SELECT id::text FROM customers WHERE number = 'K00007'")
    assert kept not in planned and len(planned) == 199
    await world.approve(plan)
    await until(lambda: world.crm.value("SELECT count(*) = 41 FROM customers"), "199 deletes")
    await world.at_rest()
    left = [row["number"] for row in await world.crm.customers()]
    assert left == ["K00007", *(f"K{n:05d}" for n in range(201, 241))]
    assert len(world.erp.rows()) == 40


async def test_b08_a_truncated_export_deletes_nothing(world: World) -> None:
    await loaded(world, 60, deletes={"a": "remove", "b": "ignore"}, budgets={"deletes": STRICT})
    whole = world.erp.rows()
    world.erp.save(whole[:3])
    await world.plan("held")
    assert await world.crm.value("SELECT count(*) FROM customers") == 60
    # The file as a whole is gone, then empty: an error, never "everything was deleted".
    for wreck in ("missing", "empty"):
        path = world.erp.path()
        if wreck == "missing":
            path.unlink()
        else:
            path.write_bytes(b"")

        async def said() -> bool:
            run = await world.sync()
            return "KUNDEN.csv" in run.error and run.outcome not in ("succeeded", "nothing_new")

        await until(said, f"a run that says that the file is {wreck}")
        assert await world.crm.value("SELECT count(*) FROM customers") == 60
    world.erp.save(whole)

    async def no_plan() -> bool:
        await world.sync()
        return not [plan for plan in await world.plans("open") if plan.actions]

    await until(no_plan, "the plan to be taken back")
    await world.in_step()
    assert await world.crm.writes() == 60


async def test_b08_many_emptied_fields_wait_for_a_yes(world: World) -> None:
    await loaded(world, 60, budgets={"clears": STRICT, "overwrites": "unlimited"})
    world.erp.save([{**row, "TELEFON": ""} if n < 40 else row for n, row in enumerate(world.erp.rows())])

    plan = await held(world, "40 clears")
    assert plan.actions == 40
    await world.at_rest()
    assert await world.crm.value("SELECT count(*) FROM customers WHERE phone IS NULL") == 0
    await world.approve(plan)
    await until(
        lambda: world.crm.value("SELECT count(*) = 40 FROM customers WHERE phone IS NULL"), "40 clears"
    )
    await world.in_step()


# ----------------------------------------------------------------------------------------- B9, waiting for a parent


async def test_b09_an_order_waits_for_its_customer_and_goes_by_itself(world: World) -> None:
    world.erp.save([customer(1)])
    orders = [
        {"AUFTRAGNR": f"B{n:05d}", "KUNDENNR": k, "SUMME": "12,50"} for n, k in ((1, "K00001"), (2, "K00002"))
    ]
    world.erp.save(orders, "AUFTRAEGE", ORDERS)
    await world.connect(blueprint(orders=True))
    (entry,) = await until(lambda: world.parked("waiting"), "the order that waits")
    assert entry.record == "B00002" and "customer" in entry.reason and entry.hint
    await world.quiet()
    link = await world.shown()
    assert [(room.room, room.count) for room in link.rooms if room.count] == [("waiting", 1)]
    assert [row["number"] for row in await world.crm.sql("SELECT number FROM orders")] == ["B00001"]
    world.erp.save([*world.erp.rows(), customer(2)])
    of = "SELECT c.number FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.number = 'B00002'"

    async def arrived() -> bool:
        return bool(await world.crm.value(of) == "K00002")

    await until(arrived, "the order with its customer")

    async def nobody_waits() -> bool:
        return not await world.parked("waiting")

    await until(nobody_waits, "an empty waiting list")
