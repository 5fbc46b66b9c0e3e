"""S3 to S6: what a run says of itself is what both systems show: nothing new, one at a time, three outcomes, a protocol."""

from __future__ import annotations

import pytest

from tandem.v1 import runs_pb2
from tests.spec.systems import blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
RULE = "ALTER TABLE customers ADD CONSTRAINT no_pub CHECK (name NOT LIKE '%Kneipe%')"


async def test_s03_with_nothing_new_it_says_so_and_writes_nothing_on_either_side(world: World) -> None:
    world.erp.save([customer(n) for n in range(1, 41)])
    await world.connect(find="full")
    await world.in_step()
    await world.quiet()
    files, rows, writes = world.erp.state(), await world.crm.state(), await world.crm.writes()
    run = await world.sync()
    assert (run.outcome, run.cause, run.error) == ("nothing_new", "command", "")
    assert not any(c.created + c.updated + c.deleted + c.marked + c.failed for c in run.counters)
    assert await world.items(run) == []
    assert (world.erp.state(), await world.crm.state()) == (files, rows)
    assert await world.crm.writes() == writes == 40


async def test_s04_a_second_start_is_answered_with_the_running_one_and_what_it_does(world: World) -> None:
    world.erp.save([customer(n) for n in range(1, 21)])
    await world.connect(blueprint(poll="1h"), find="full")
    await world.in_step()
    await world.quiet()
    await world.crm.sql("UPDATE customers SET city = 'Ulm' WHERE number = 'K00001'")
    async with world.crm.session() as other, other.transaction():
        await other.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")  # the run can't get through
        first = await world.start()

        async def under_way() -> runs_pb2.StartRunResponse | None:
            request = runs_pb2.StartRunRequest(link="erp-crm", tenant=world.tenant)
            answer = await world.tandem.runs.StartRun(request)
            return answer if "customers" in answer.run.phase else None

        second = await until(under_way, "the run to say what it does")
        assert second is not None
        assert second.already_running and second.run.id == first.id
        assert "customers" in second.run.phase
        third = await world.start()
        assert (third.id, third.already_running) == (first.id, True)
    assert (await first.done()).outcome == "succeeded"
    await world.in_step()
    await world.at_rest()
    # Nothing was queued twice: one run by command beside the one that came before.
    runs = await world.runs()
    assert [run.id for run in runs if run.cause == "command"].count(first.id) == 1
    assert not [run for run in runs if run.outcome in ("queued", "running")]


async def test_s05_three_outcomes_follow_from_the_records(world: World) -> None:
    await world.crm.sql(RULE)
    await world.connect()
    await world.quiet()
    known = await world.runs()
    world.erp.save([customer(n) for n in range(1, 4)])
    good = await world.next_run(known)
    assert good.outcome == "succeeded"
    assert sum(c.created for c in good.counters) == 3 and not sum(c.failed for c in good.counters)

    known = await world.runs()
    rows = world.erp.rows()
    world.erp.save([*rows, customer(4), customer(5, NAME="Kneipe")])
    mixed = await world.next_run(known)
    assert mixed.outcome == "partial"
    assert [sum(getattr(c, name) for c in mixed.counters) for name in ("created", "failed")] == [1, 1]

    known = await world.runs()
    rows = world.erp.rows()
    world.erp.save([*rows, customer(6, NAME="Kneipe 6"), customer(7, NAME="Kneipe 7")])
    bad = await world.next_run(known)
    assert bad.outcome == "failed"
    assert [sum(getattr(c, name) for c in bad.counters) for name in ("created", "failed")] == [0, 2]
    names = sorted(row["number"] for row in await world.crm.customers())
    assert names == ["K00001", "K00002", "K00003", "K00004"]


async def test_s06_history_and_a_protocol_with_reason_and_what_to_do(world: World) -> None:
    await world.crm.sql(RULE)
    world.erp.save([customer(1), customer(2, NAME="Kneipe Zum Anker")])
    await world.connect(paused=True)
    assert await world.runs() == []
    await world.resume()
    first = await world.next_run(())
    await world.at_rest()
    known = await world.runs()
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    second = await world.next_run(known)
    history = [run.id for run in await world.runs()]
    assert history.index(second.id) < history.index(first.id)
    for run in (first, second):
        assert run.started.ToSeconds() and run.ended.ToSeconds() >= run.started.ToSeconds() and run.cause
    # Record by record: what was done, and what was refused in the system's own words.
    items = await world.items(first)
    made = [item for item in items if item.state == "confirmed" and item.op == "create"]
    assert [(item.origin, item.stream) for item in made] == [("K00001", "customers")]
    (refused,) = [item for item in items if item.state == "refused"]
    assert refused.origin == "K00002" and refused.op == "create"
    assert "no_pub" in refused.error and refused.rule and refused.reason
    assert "retry" in refused.hint and not any(item.hint for item in made)
    # What to do stands with the record where it waits; the protocol and the list name the same pair.
    (entry,) = await world.parked("quarantine")
    assert entry.binding == refused.binding and entry.record == "K00002" and "retry" in entry.hint
    (changed,) = [item for item in await world.items(second) if item.op == "update"]
    (decided,) = [one for one in changed.decisions if one.field == "city"]
    assert (decided.base.value.string_value, decided.chosen.value.string_value) == ("Köln", "Ulm")
