"""S15, S17, T6, G11: when a change is delivered. A schedule governs delivery, never looking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tandem.v1 import links_pb2
from tests.spec.systems import blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio


async def cities(world: World) -> set[str]:
    return {row["city"] for row in await world.crm.customers()}


def towns(world: World) -> set[str]:
    return {row["ORT"] for row in world.erp.rows()}


async def waits(world: World, count: int) -> links_pb2.Delivery:
    """The one direction that has a schedule, once so many records wait for it."""

    async def found() -> links_pb2.Delivery | None:
        return next((one for one in (await world.shown()).deliveries if one.waiting == count), None)

    one = await until(found, f"{count} waiting")
    assert one is not None
    return one


async def test_t06_one_way_at_once_and_the_other_at_night_in_the_same_link(world: World) -> None:
    world.erp.save([customer(1), customer(2)])
    zone = ZoneInfo("Europe/Brussels")
    text = blueprint(delivery={"b_to_a": {"at": "nightly", "zone": zone.key}})
    await world.connect(text)
    await world.in_step()
    await world.quiet()
    world.erp.edit({"K00001": {"ORT": "Ulm"}})

    async def at_once() -> bool:
        return "Ulm" in await cities(world)

    await until(at_once, "the change of the ERP at the CRM")
    await world.crm.sql("UPDATE customers SET city = 'Bonn' WHERE number = 'K00002'")
    await world.crm.sql(
        "INSERT INTO customers (name, email, city) VALUES ('Neu', 'neu@haus.example', 'Jena')"
    )
    night = await waits(world, 2)
    assert (night.side, night.schedule, night.stream) == (1, "nightly", "customers")
    goes = night.next.ToDatetime(tzinfo=UTC)
    assert datetime.now(UTC) < goes < datetime.now(UTC) + timedelta(hours=28)
    assert 1 <= goes.astimezone(zone).hour < 4
    assert night.oldest.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)
    link = await world.shown()
    assert link.freshness_s == 0 and not link.reasons  # it is not late
    assert {"Bonn", "Jena"} & towns(world) == set()


async def test_g11_by_itself_again_and_again(world: World) -> None:
    world.erp.save([customer(1)])
    await world.connect(blueprint(delivery={"at": "every 10s", "jitter": "0s"}))
    await world.in_step()
    for town in ("Ulm", "Bonn"):
        world.erp.edit({"K00001": {"ORT": town}})
        await world.in_step()
        assert await cities(world) == {town}


async def test_s15_on_command_alone_while_looking_goes_on(world: World) -> None:
    world.erp.save([customer(1), customer(2)])
    await world.connect(blueprint(poll="500ms", delivery="command"))

    async def looked() -> bool:
        link = await world.shown()
        return all(look.HasField("looked") for look in link.looks) and link.deliveries[1].waiting == 2

    await until(looked, "a look at both sides")
    link = await world.shown()
    assert [one.schedule for one in link.deliveries] == ["command", "command"]
    assert not any(one.HasField("next") for one in link.deliveries)
    assert await world.crm.customers() == []
    run = await world.sync()
    assert (run.outcome, run.cause) == ("succeeded", "command")
    await world.in_step()
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    await waits(world, 1)
    assert "Ulm" not in await cities(world)
    await world.sync()
    await world.in_step()
    assert "Ulm" in await cities(world)


async def test_s17_what_is_handed_over_late_with_an_earlier_time_comes_in_the_next_run(world: World) -> None:
    world.erp.save([customer(1)])
    await world.connect(blueprint(delivery="command"))
    await world.sync()
    await world.in_step()
    await world.crm.sql(
        "INSERT INTO customers (name, email, city, updated_at) VALUES ('Spät', 's@haus.example', 'Jena', $1)",
        datetime.now(UTC) - timedelta(days=30),
    )
    await world.sync()
    assert towns(world) == {"Köln", "Jena"}
