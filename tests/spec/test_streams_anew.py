"""B14: reset, backfill and set cursor of a stream, on a running link and on a paused one; none of them deletes anything."""

from __future__ import annotations

from datetime import datetime

import pytest

from tandem.v1 import common_pb2, streams_pb2
from tandem_client import TandemError
from tests.spec.systems import LINK, blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
EITHER_WAY = {"a": "remove", "b": "remove"}
MODIFIED = {"customers": {"modified": "updated_at", "find": "modified"}}


async def stream(world: World) -> streams_pb2.Stream:
    request = streams_pb2.ListStreamsRequest(link=LINK, tenant=world.tenant)
    (found,) = (await world.tandem.streams.ListStreams(request)).streams
    return found


async def reset(world: World) -> streams_pb2.Stream:
    request = streams_pb2.ResetStreamRequest(link=LINK, stream="customers", tenant=world.tenant)
    return await world.tandem.streams.ResetStream(request)


async def set_cursor(world: World, cursor: str) -> streams_pb2.SetCursorResponse:
    request = streams_pb2.SetCursorRequest(
        link=LINK, stream="customers", side=common_pb2.SIDE_B, tenant=world.tenant, cursor=cursor
    )
    return await world.tandem.streams.SetCursor(request)


async def read(world: World) -> list[float]:
    """When each side was read completely last, epoch seconds; 0: one is due."""
    return [one.completed.ToMicroseconds() / 1e6 for one in (await stream(world)).cursors]


async def read_again(world: World, before: list[float]) -> None:
    async def newer() -> bool:
        now = await read(world)
        return all(at > was for at, was in zip(now, before, strict=True))

    await until(newer, "a complete read of both sides")


async def people(world: World) -> dict[int, str]:
    """Everybody in the CRM: id and number."""
    return {row["id"]: row["number"] for row in await world.crm.customers()}


async def test_b14_a_reset_deletes_nothing_and_doubles_nobody_whatever_was_edited_meanwhile(
    world: World,
) -> None:
    world.erp.save([customer(n) for n in range(1, 41)])
    await world.connect(blueprint(deletes=EITHER_WAY, first_contact="a"))
    await world.in_step()
    before = await people(world)
    await world.pause()
    await world.at_rest()
    world.erp.edit({"K00001": {"ORT": "Ulm"}, "K00002": {"ORT": "Bonn"}})
    await world.crm.sql("UPDATE customers SET city = 'Kiel' WHERE number IN ('K00002', 'K00003')")
    world.erp.save([row for row in world.erp.rows() if row["KUNDENNR"] != "K00004"])
    shown = await reset(world)
    assert [one.HasField("completed") for one in shown.cursors] == [False, False]
    await world.resume()
    await read_again(world, [0.0, 0.0])
    await world.quiet()
    assert await people(world) == before
    assert len(world.erp.rows()) == 39
    cities = {row["number"]: row["city"] for row in await world.crm.customers()}
    assert [cities[f"K0000{n}"] for n in range(1, 5)] == ["Ulm", "Bonn", "Köln", "Köln"]
    assert [row["ORT"] for row in world.erp.rows()[:3]] == ["Ulm", "Bonn", "Köln"]
    (
        gone,
    ) = (
        await world.conflicts()
    )  # what it was when it was settled is not known any more: nobody's say but a person's
    assert (gone.field, gone.reason) == ("*delete*", "deleted on a, edited on b")


async def test_b14_a_reset_of_a_running_link_goes_on_amid_edits(world: World) -> None:
    world.erp.save([customer(n) for n in range(1, 201)])
    await world.connect(blueprint(deletes=EITHER_WAY, first_contact="a"))
    await world.in_step()
    before = await people(world)
    for town in ("Ulm", "Bonn", "Jena"):
        world.erp.edit({f"K{n:05d}": {"ORT": town} for n in range(1, 201, 7)})
        await world.start()
        await reset(world)
        await world.crm.sql("UPDATE customers SET city = $1 WHERE id % 5 = 0", f"{town} am See")
    await world.in_step()
    await read_again(world, [0.0, 0.0])
    await world.quiet()
    assert await world.differences() == []
    assert await people(world) == before and len(world.erp.rows()) == 200


async def in_modified_step(world: World) -> None:
    """A handful of customers on both sides; the CRM's changes are found by their time, complete reads are far away."""
    world.erp.save([customer(n) for n in range(1, 6)])
    await world.connect(blueprint(complete_read="7d"), find="full", objects=MODIFIED, overlap_s=0)
    await world.in_step()
    await world.quiet()


async def hidden(world: World, number: str, city: str, at: datetime | None = None) -> None:
    """An edit in the CRM that leaves the time of change as it was, or sets another one."""
    time = "updated_at" if at is None else f"'{at.isoformat()}'"
    await world.crm.script(
        "ALTER TABLE customers DISABLE TRIGGER USER;"
        f"UPDATE customers SET city = '{city}', updated_at = {time} WHERE number = '{number}';"
        "ALTER TABLE customers ENABLE TRIGGER USER;"
    )


async def test_b14_a_backfill_finds_what_no_look_showed_and_keeps_what_was_settled(world: World) -> None:
    await in_modified_step(world)
    was = await read(world)
    await hidden(world, "K00002", "Jena")
    assert (await world.quiet()).outcome == "nothing_new"
    assert await world.differences()
    request = streams_pb2.BackfillStreamRequest(link=LINK, stream="customers", tenant=world.tenant)
    await world.tandem.streams.BackfillStream(request)
    await read_again(world, was)
    await world.in_step()
    assert (
        world.erp.rows()[1]["ORT"] == "Jena"
    )  # the edit of one side; met anew, the ERP's town would have stayed
    assert not await world.conflicts()


async def test_b14_a_cursor_is_set_back_and_changes_are_looked_for_from_there(world: World) -> None:
    await in_modified_step(world)
    early = (await stream(world)).cursors[1].cursor
    await world.crm.sql("UPDATE customers SET city = 'Ulm' WHERE number = 'K00001'")
    at = await world.crm.value("SELECT updated_at FROM customers WHERE number = 'K00001'")
    await world.in_step()
    await world.quiet()
    await hidden(world, "K00002", "Jena", at)
    assert (await world.quiet()).outcome == "nothing_new"
    assert await world.differences()
    with pytest.raises(TandemError, match="is no cursor of a postgres object") as refused:
        await set_cursor(world, "yesterday")
    assert refused.value.code.name == "INVALID_ARGUMENT" and "streams list" in str(refused.value.violations)
    answer = await set_cursor(world, early)
    assert answer.old_cursor not in ("", early)
    await world.in_step()
    assert world.erp.rows()[1]["ORT"] == "Jena"
