"""B17: what the daemon remembers of one person is erased; counts and hashes stay, and the link goes on as it did."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from tandem.v1 import common_pb2, records_pb2, streams_pb2
from tandem_client import TandemError
from tests.daemon.process import running
from tests.spec.conftest import SETTINGS
from tests.spec.systems import LINK, Crm, Erp, blueprint, customer, until
from tests.spec.world import World, asked

pytestmark = pytest.mark.anyio
PERSON = ("Grete Musterfrau", "0170 5550101", "grete@privat.example", "Kleinkleckersdorf", "Gretes Ort")
TEXTS = """
select c.table_name, c.column_name from information_schema.columns as c
where c.table_schema = 'public' and c.data_type in ('text', 'jsonb', 'ARRAY') order by 1, 2
"""


async def remembered(url: str) -> list[str]:
    """Every column of the daemon's database in which anything of the person is to be found, however it is written."""
    connection = await asyncpg.connect(url)
    found = []
    try:
        for table, column in await connection.fetch(TEXTS):
            for text in PERSON:
                for piece in (text, text.replace(" ", "").replace("0170", "+49170")):
                    query = f'select count(*) from "{table}" where "{column}"::text like $1'
                    if await connection.fetchval(query, f"%{piece}%"):
                        found.append(f"{table}.{column}: {text}")
    finally:
        await connection.close()
    return sorted(set(found))


async def erase(world: World, id_: str) -> records_pb2.EraseRecordResponse:
    request = records_pb2.EraseRecordRequest(
        link=LINK, tenant=world.tenant, stream="customers", side=common_pb2.SIDE_A, id=id_, note="asked to"
    )
    return await world.tandem.records.EraseRecord(request)


async def test_b17_one_persons_data_is_gone_from_every_table_and_the_link_goes_on(
    crm: Crm, home: Path, store_url: str
) -> None:
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with asked(daemon) as tandem:
            world = World(tandem, "erasure", Erp(home / "erp"), crm)
            name, phone, mail, town, later = PERSON
            person = customer(1, NAME=name, TELEFON=phone, EMAIL=mail, ORT=town)
            world.erp.save([person, customer(2), customer(3)])
            await world.connect(blueprint(deletes={"a": "restore", "b": "restore"}))
            await world.in_step()
            world.erp.edit({"K00001": {"ORT": later}})
            await world.in_step()
            await world.quiet()
            await world.sync(dry_run=True)
            counted = {run.id: [(c.created, c.updated) for c in run.counters] for run in await world.runs()}
            assert {one.split(".")[0] for one in await remembered(store_url)} >= {"bindings", "actions"}
            done = await erase(world, "K00001")
            assert done.actions >= 2
            assert await remembered(store_url) == []  # though both systems hold the person still
            writes = await world.crm.writes()
            whole = streams_pb2.BackfillStreamRequest(link=LINK, tenant=world.tenant, stream="customers")
            await tandem.streams.BackfillStream(whole)  # everybody is looked at, and compared
            await world.quiet()
            assert await world.crm.writes() == writes  # nothing was taken for an edit
            assert await remembered(store_url) == []  # nor remembered anew
            protocol = {run.id: [(c.created, c.updated) for c in run.counters] for run in await world.runs()}
            assert {run: protocol[run] for run in counted} == counted
            await erased_record_works(world)
            await audited(store_url, done.binding)


async def erased_record_works(world: World) -> None:
    """It is neither made again nor asked about; an edit of it goes over; who is unknown is refused."""
    rows = await world.crm.customers()
    assert [row["number"] for row in rows] == ["K00001", "K00002", "K00003"]
    assert not await world.conflicts() and not await world.parked("quarantine")
    world.erp.edit({"K00001": {"ORT": "Ulm"}, "K00002": {"ORT": "Ulm"}})
    await world.in_step()
    await world.crm.sql("UPDATE customers SET phone = '030 / 4711' WHERE number = 'K00001'")
    await world.in_step()
    await world.quiet()
    assert not await world.conflicts()
    await erase(world, "K00001")  # once more: it may be erased as often as somebody asks
    await world.quiet()
    await world.in_step()
    with pytest.raises(TandemError, match="no record"):
        await erase(world, "K99999")


async def audited(url: str, binding: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "select detail::text from audit where action = 'record.erase' order by id"
        )
    finally:
        await connection.close()
    assert (
        len(found) == 2 and f'"binding": {binding}' in found[0]["detail"] and "asked to" in found[0]["detail"]
    )


async def test_b17_a_conflict_of_the_person_stays_a_conflict_without_its_values(
    crm: Crm, home: Path, store_url: str
) -> None:
    with running(home / "data", database_url=store_url, **SETTINGS) as daemon:
        async with asked(daemon) as tandem:
            world = World(tandem, "erasure", Erp(home / "erp"), crm)
            world.erp.save([customer(1, NAME=PERSON[0], ORT="Ulm"), customer(2)])
            await world.connect()
            await world.in_step()
            await world.quiet()
            await world.pause()
            await world.at_rest()
            world.erp.edit({"K00001": {"ORT": PERSON[3]}})
            await world.crm.sql("UPDATE customers SET city = 'Bonn' WHERE number = 'K00001'")
            await world.resume()
            (row,) = await until(world.conflicts, "the conflict")
            await world.pause()
            await world.at_rest()
            assert any("parked" in one for one in await remembered(store_url))
            assert (await erase(world, "K00001")).parked == 1
            assert await remembered(store_url) == []
            (now,) = await world.conflicts()
            assert (now.id, now.field, now.fingerprint) == (row.id, row.field, row.fingerprint)
            assert now.reason.startswith("erased") and not now.record and not now.detail.fields
