"""B4 and B5: both systems compared afresh, every difference tied to something; and one record explained field by field."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import yaml

from tandem.v1 import common_pb2, links_pb2, records_pb2, runs_pb2
from tandem_client import TandemError
from tests.spec.systems import LINK, blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio


def reporting() -> str:
    """The usual rules, and an edit of the credit in the CRM is only reported."""
    whole = yaml.safe_load(blueprint())
    whole["streams"]["customers"]["fields"]["credit"]["foreign_edit"] = "report"
    return yaml.safe_dump(whole, sort_keys=False)


async def verified(world: World) -> tuple[runs_pb2.Run, list[common_pb2.Action]]:
    """A verification and its findings, once it has ended."""
    asked = links_pb2.VerifyLinkRequest(link=LINK, tenant=world.tenant)
    run = await world.ended(await world.tandem.links.VerifyLink(asked))
    return run, await world.items(run)


def told(items: Sequence[common_pb2.Action]) -> dict[str, tuple[str, str]]:
    """By the ERP's number: what each difference is tied to."""
    return {item.origin: (item.state, item.rule) for item in items}


async def without_a_word(world: World, statement: str) -> None:
    """A change in the CRM that no trigger notices, as a restored table or a careless script makes it."""
    await world.crm.script(f"SET session_replication_role = replica; {statement}")


async def apart(world: World) -> None:
    """Six customers: each differs for another reason, and the sixth does not."""
    world.erp.save([customer(n) for n in range(1, 7)])
    await world.connect(reporting())
    await world.in_step()
    await world.quiet()
    await world.crm.sql("UPDATE customers SET credit = 7 WHERE number = 'K00002'")
    await world.crm.sql("DELETE FROM customers WHERE number = 'K00004'")
    await world.pause()
    await world.at_rest()
    world.erp.edit({"K00003": {"ORT": "Ulm"}})
    await world.crm.sql("UPDATE customers SET city = 'Bonn' WHERE number = 'K00003'")
    await world.resume()

    async def listed() -> bool:
        return bool(await world.conflicts())

    await until(listed, "the conflict")
    await world.quiet()
    await world.pause()
    await world.at_rest()
    world.erp.edit({"K00005": {"ORT": "Ulm"}})
    await without_a_word(world, "UPDATE customers SET city = 'Jena' WHERE number = 'K00001'")


async def test_b04_every_difference_is_tied_to_a_rule_a_room_or_work_or_is_a_defect(world: World) -> None:
    await apart(world)
    files, rows = world.erp.state(), await world.crm.state()
    run, items = await verified(world)
    assert (world.erp.state(), await world.crm.state()) == (files, rows)  # nothing was written
    assert told(items) == {
        "K00001": ("defect", "changed on b"),
        "K00002": ("explained", "deviation: reported"),
        "K00003": ("parked", "conflict"),
        "K00004": ("explained", "deletes"),
        "K00005": ("planned", "changed on a"),
    }
    assert (run.mode, run.outcome, run.error) == ("verify", "partial", "1 defect: 1 in customers")
    counted = [(one.unchanged, one.skipped, one.waiting, one.failed) for one in run.counters]
    assert counted == [(1, 2, 2, 1)]
    defect = await world.items(run, "defect")
    (decision,) = defect[0].decisions
    values = [value.value.string_value for value in (decision.base, decision.a, decision.b)]
    assert (decision.field, values) == ("city", ["Köln", "Köln", "Jena"])
    assert "nothing tells of the change on b" in defect[0].reason and defect[0].hint


async def test_b04_two_systems_in_step_show_no_difference(world: World) -> None:
    world.erp.save([customer(n) for n in range(1, 121)])  # several windows
    await world.connect()
    await world.in_step()
    await world.quiet()
    writes = await world.crm.writes()
    run, items = await verified(world)
    assert (run.outcome, items) == ("nothing_new", [])
    assert [one.unchanged for one in run.counters] == [120]
    assert await world.crm.writes() == writes


async def explained(
    world: World, side: common_pb2.Side.ValueType, id: str, field: str = ""
) -> records_pb2.RecordExplanation:
    request = records_pb2.ExplainRecordRequest(
        link=LINK, tenant=world.tenant, stream="customers", side=side, id=id, field=field
    )
    return await world.tandem.records.ExplainRecord(request)


async def wrote(world: World, run: runs_pb2.Run, number: str) -> bool:
    """Whether a run changed that customer in the CRM."""
    return any((item.op, item.origin) == ("update", number) for item in await world.items(run))


def text(value: common_pb2.FieldValue) -> str:
    return value.value.string_value


async def test_b05_each_field_says_what_both_sides_hold_who_wrote_it_by_which_rule_in_which_run(
    world: World,
) -> None:
    await apart(world)
    world.erp.edit({"K00006": {"ORT": "Ulm"}})
    await world.resume()
    arrived = "SELECT city = 'Ulm' FROM customers WHERE number = 'K00006'"
    await until(lambda: world.crm.value(arrived), "the edit")
    await world.at_rest()
    (writing,) = [run for run in await world.runs() if await wrote(world, run, "K00006")]
    fields = {one.field: one for one in (await explained(world, common_pb2.SIDE_A, "K00006")).fields}
    city = fields["city"]
    assert [text(value) for value in (city.a, city.b, city.base)] == ["Ulm", "Ulm", "Ulm"]
    assert (city.state, city.owner, city.written.rule) == ("in_step", "both", "changed on a")
    assert (city.written.run, city.written.side) == (writing.id, common_pb2.SIDE_B)
    assert (text(city.written.value), text(city.written.before)) == ("Ulm", "Köln")
    assert fields["number"].owner == "a" and fields["intern"].owner == "local"
    assert text(fields["intern"].a) == "bleibt hier" and fields["intern"].b.unknown
    # What was told in the load of everybody together has its run, too.
    assert fields["name"].written.run and fields["name"].written.rule == "new on a"


async def test_b05_a_difference_says_why_it_stands_and_where_the_record_waits(world: World) -> None:
    await apart(world)
    (silent,) = (await explained(world, common_pb2.SIDE_A, "K00001", "city")).fields
    assert [text(value) for value in (silent.a, silent.b, silent.base)] == ["Köln", "Jena", "Köln"]
    assert (silent.state, silent.rule) == ("planned", "changed on b")
    (credit,) = (await explained(world, common_pb2.SIDE_A, "K00002", "credit")).fields
    assert (credit.state, credit.rule, credit.b_deviation) == (
        "explained",
        "deviation: reported",
        "reported",
    )
    there = await world.crm.value("SELECT id::text FROM customers WHERE number = 'K00003'")
    (city,) = (await explained(world, common_pb2.SIDE_B, there, "city")).fields
    assert [text(value) for value in (city.a, city.b, city.base)] == ["Ulm", "Bonn", "Köln"]
    assert (city.state, [one.room for one in city.parked]) == ("parked", ["conflict"])
    gone = await explained(world, common_pb2.SIDE_A, "K00004")
    assert (gone.a_presence, gone.b_presence, gone.state, gone.rule) == (
        "present",
        "deleted",
        "explained",
        "deletes",
    )
    with pytest.raises(TandemError, match="no record"):
        await explained(world, common_pb2.SIDE_A, "K99999")
    with pytest.raises(TandemError, match="phone"):  # the fields that there are
        await explained(world, common_pb2.SIDE_A, "K00001", "fone")
