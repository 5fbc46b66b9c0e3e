"""U14: field mapping, value maps, schedules and budgets of a link are changed while it runs; B16 in so far as a changed
mapping is a first contact and no mass conflict, and what would be a mass overwrite waits as a plan.
"""

from __future__ import annotations

import pytest
import yaml

from tandem.v1 import plans_pb2, settings_pb2
from tandem_client import TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.systems import LINK, blueprint, customer, until
from tests.spec.world import World, page

pytestmark = pytest.mark.anyio
CITY_FROM = "streams: {customers: {fields: {city: {a: %s}}}}"


async def settings(world: World, version: int = 0) -> settings_pb2.LinkSettings:
    request = settings_pb2.GetSettingsRequest(link=LINK, tenant=world.tenant, version=version)
    return await world.tandem.settings.GetSettings(request)


async def change(world: World, **fields: object) -> settings_pb2.LinkSettings:
    request = settings_pb2.ChangeSettingsRequest(link=LINK, tenant=world.tenant, **fields)  # type: ignore[arg-type]
    return await world.tandem.settings.ChangeSettings(request)


async def versions(world: World) -> list[settings_pb2.LinkSettings]:
    request = settings_pb2.ListSettingsVersionsRequest(link=LINK, tenant=world.tenant)
    return list((await world.tandem.settings.ListSettingsVersions(request)).versions)


async def cities(world: World) -> list[str]:
    return [row["city"] for row in await world.crm.customers()]


async def test_u14_a_field_mapping_is_changed_without_a_restart_and_changed_back(
    world: World, daemon: DaemonProcess
) -> None:
    world.erp.save([customer(n, INTERN=f"Ort {n}") for n in range(1, 4)])
    first = {"city": {"a": "ORT", "b": "city", "lens": "trim", "first_contact": "a"}}
    text = yaml.safe_load(blueprint())
    text["streams"]["customers"]["fields"] |= first
    del text["streams"]["customers"]["fields"]["intern"]
    await world.connect(yaml.safe_dump(text, sort_keys=False))
    await world.in_step()
    process = daemon.process.pid
    changed = await change(world, settings=CITY_FROM % "INTERN", version=1, note="the town stands in INTERN")
    assert (changed.version, list(changed.reread)) == (2, ["customers"])
    assert yaml.safe_load(changed.effective)["streams"]["customers"]["fields"]["city"]["a"] == "INTERN"

    async def by_the_new_rules() -> bool:
        return await cities(world) == ["Ort 1", "Ort 2", "Ort 3"]

    await until(by_the_new_rules, "every town from the new column")
    assert (
        not await world.conflicts()
    )  # unequal sides met for the first time: the mapping has another meaning
    listed = await versions(world)
    assert [(one.version, one.note) for one in listed] == [
        (2, "the town stands in INTERN"),
        (1, "as created"),
    ]
    back = await world.tandem.settings.RevertSettings(
        settings_pb2.RevertSettingsRequest(link=LINK, tenant=world.tenant, version=1)
    )
    assert (back.version, back.settings, back.note) == (3, "", "back to version 1")

    async def by_the_old_rules() -> bool:
        return await cities(world) == ["Köln"] * 3

    await until(by_the_old_rules, "every town from the old column")
    assert process == daemon.process.pid and daemon.process.poll() is None


async def test_u14_what_can_not_hold_is_refused_as_a_whole_and_named(world: World) -> None:
    world.erp.save([customer(1)])
    await world.connect()
    await world.in_step()
    bad = "streams:\n  customers:\n    fields:\n      city: {lens: shout}\n    budgets: {deletes: lots}\n"
    with pytest.raises(TandemError) as refused:
        await change(world, settings=bad)
    assert refused.value.code.name == "INVALID_ARGUMENT"
    said = dict(refused.value.violations)
    assert set(said) == {"settings:4", "settings:5"}
    assert "shout" in said["settings:4"] and "lots" in said["settings:5"]
    for text, words in (
        ("streams: {customers: {a: AUFTRAEGE}}", "another object needs a stream with a name of its own"),
        ("a: {connector: memory}", "another system needs a link of its own"),
        ("streams: {customers: {fields: {city: {a: NOWHERE}}}}", "does not fit"),
        ("streams: [", "this is no YAML"),
    ):
        with pytest.raises(TandemError, match=words):
            await change(world, settings=text)
    with pytest.raises(TandemError, match="version 1"):
        await change(world, settings="", version=7)
    checked = await change(world, settings="delivery: nightly", check=True)
    assert (list(checked.retimed), list(checked.reread)) == (["customers"], [])
    now = await settings(world)
    assert (now.version, now.settings) == (1, "")
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    await world.in_step()  # nothing of it was taken


async def test_u14_a_change_that_would_overwrite_much_waits_as_a_plan(world: World) -> None:
    world.erp.save([customer(n, INTERN=f"Ort {n}") for n in range(1, 31)])
    text = yaml.safe_load(blueprint())
    del text["streams"]["customers"]["fields"]["intern"]
    text["streams"]["customers"] |= {"first_contact": "a", "budgets": {"overwrites": {"count": 5, "free": 2}}}
    await world.connect(yaml.safe_dump(text, sort_keys=False))
    await world.in_step()
    await world.quiet()  # the load has ended: until then nothing that it overwrites counts
    await change(world, settings=CITY_FROM % "INTERN")
    plan = await world.plan("held")
    assert await cities(world) != [f"Ort {n}" for n in range(1, 31)]
    assert sum(town.startswith("Ort") for town in await cities(world)) <= 5

    async def complete() -> plans_pb2.Plan | None:
        found = await world.plan("held")
        return found if found.actions >= 25 else None

    whole = await until(complete, "the whole plan")
    assert whole is not None and whole.id == plan.id
    await world.approve(whole)

    async def taken_over() -> bool:
        return sorted(await cities(world)) == sorted(f"Ort {n}" for n in range(1, 31))

    await until(taken_over, "what somebody said yes to")


async def test_b16_a_mapping_is_rehearsed_on_the_current_records_before_it_goes_live(world: World) -> None:
    towns = {1: "Köln", 2: "Ort 2", 3: "Ort 3"}
    world.erp.save([customer(n, INTERN=town) for n, town in towns.items()])
    text = yaml.safe_load(blueprint())
    del text["streams"]["customers"]["fields"]["intern"]
    text["streams"]["customers"] |= {"first_contact": "a", "budgets": {"overwrites": 1}}
    await world.connect(yaml.safe_dump(text, sort_keys=False))
    await world.in_step()
    await world.quiet()
    rows, files = await world.crm.state(), world.erp.state()
    asked = settings_pb2.RehearseSettingsRequest(
        link=LINK, tenant=world.tenant, settings=CITY_FROM % "INTERN"
    )
    run = await world.ended(await world.tandem.settings.RehearseSettings(asked))
    assert (run.mode, run.outcome, list(run.streams)) == ("rehearse", "succeeded", ["customers"])
    (plan,) = [one for one in await world.plans() if one.kind == "rehearsal"]
    assert (plan.state, plan.actions) == ("rehearsed", 2)
    assert "2 overwrites" in plan.reason and "would wait as a plan" in plan.reason
    diff = {
        action.origin: [
            (one.field, one.base.unknown, one.a.value.string_value, one.b.value.string_value, one.rule)
            for one in action.decisions
        ]
        for action in await world.planned(plan)
    }
    assert diff == {
        f"K0000{n}": [("city", True, f"Ort {n}", "Köln", "first contact: a wins")] for n in (2, 3)
    }
    with pytest.raises(TandemError, match="what other rules would do"):
        await world.approve(plan)
    await world.quiet()
    assert (await world.crm.state(), world.erp.state()) == (rows, files)  # it was a rehearsal
    assert (await settings(world)).version == 1
    await change(world, settings=CITY_FROM % "INTERN")
    live = await world.plan("held")

    async def both() -> bool:
        return (await world.plan("held")).actions == 2

    await until(both, "what was rehearsed to wait for a yes")
    assert {one.origin for one in await world.planned(live)} == set(diff)


async def test_b16_rules_that_can_not_hold_are_not_rehearsed(world: World) -> None:
    world.erp.save([customer(1)])
    await world.connect()
    await world.in_step()
    wrong = {"settings": CITY_FROM % "NOWHERE"}, {"settings": "streams: {customers: {a: AUFTRAEGE}}"}
    for rules, said in zip(wrong, ("does not fit", "another object needs"), strict=True):
        asked = settings_pb2.RehearseSettingsRequest(link=LINK, tenant=world.tenant, **rules)
        with pytest.raises(TandemError, match=said):
            await world.tandem.settings.RehearseSettings(asked)


async def test_u14_a_schedule_and_a_budget_hold_at_once(world: World) -> None:
    world.erp.save([customer(1)])
    await world.connect(blueprint(delivery="command"))

    async def waits() -> bool:
        return any(one.waiting for one in (await world.shown()).deliveries)

    await until(waits, "the new record to wait")
    changed = await change(world, settings="streams: {customers: {delivery: null}}")
    assert list(changed.retimed) == ["customers"]
    await world.in_step()
    changed = await change(world, settings="streams: {customers: {delivery: null, budgets: {overwrites: 7}}}")
    assert list(changed.reread) == ["customers"]
    assert yaml.safe_load((await settings(world)).effective)["streams"]["customers"]["budgets"] == {
        "overwrites": 7
    }


async def test_u14_the_blueprint_itself_is_changed_in_place(world: World, daemon: DaemonProcess) -> None:
    world.erp.save([customer(1)])
    world.erp.save([{"AUFTRAGNR": "B00001", "KUNDENNR": "K00001", "SUMME": "12,50"}], "AUFTRAEGE")
    await world.connect()
    await world.in_step()
    changed = await change(world, blueprint=blueprint(orders=True))
    assert (list(changed.added), list(changed.removed), list(changed.reread)) == (["orders"], [], [])

    async def ordered() -> bool:
        return [row["number"] for row in await world.crm.sql("SELECT number FROM orders")] == ["B00001"]

    await until(ordered, "the stream that was added")
    gone = await change(world, blueprint=blueprint())
    assert list(gone.removed) == ["orders"]
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    await world.in_step()
    assert await ordered()  # what left the rules stays as it is on both sides
    status, _ = await page(daemon, "/livez")
    assert status == 200
