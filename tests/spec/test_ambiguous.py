"""B11: a person says over the API which of several records is which; nothing is guessed, nobody is doubled."""

from __future__ import annotations

import pytest

from tandem.v1 import rooms_pb2
from tandem_client import TandemError
from tests.spec.systems import LINK, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
SHARED = "shared@haus.example"


async def listed(world: World) -> dict[str, rooms_pb2.Parked]:
    request = rooms_pb2.ListAmbiguousRequest(link=LINK, tenant=world.tenant)
    found = await world.tandem.ambiguous.ListAmbiguous(request)
    return {one.record: one for one in found.ambiguous}


async def decide(
    world: World, record: str, *, same: str = "", different: bool = False, shown: str = ""
) -> rooms_pb2.Parked:
    id_ = (await listed(world))[record].id
    request = rooms_pb2.DecideAmbiguousRequest(id=id_, same=same, different=different, fingerprint=shown)
    return await world.tandem.ambiguous.DecideAmbiguous(request)


async def refused(
    world: World, record: str, same: str = "", *, shown: str = "", both: bool = False
) -> TandemError:
    with pytest.raises(TandemError) as error:
        await decide(world, record, same=same, different=both, shown=shown)
    return error.value


async def test_b11_a_person_binds_the_one_and_tells_the_other_apart(world: World) -> None:
    world.erp.save([customer(1), customer(2, EMAIL=SHARED)])
    for name in ("Haus Eins", "Haus Zwei"):
        await world.crm.sql("INSERT INTO customers (name, email) VALUES ($1, $2)", name, SHARED)
    await world.connect()
    await until(lambda: listed(world), "the unclear records")
    await world.quiet()
    lines = [item for run in await world.runs() for item in await world.items(run, "parked")]
    assert sorted(item.record for item in lines) == sorted(await listed(world))
    assert all("email" in item.reason and "ambiguous decide" in item.hint for item in lines)
    ids = {row["name"]: str(row["id"]) for row in await world.crm.customers() if row["email"] == SHARED}
    one, two = ids["Haus Eins"], ids["Haus Zwei"]
    assert set(await listed(world)) == {"K00002", one, two}

    for error in (await refused(world, "K00002"), await refused(world, "K00002", two, both=True)):
        assert error.code.name == "INVALID_ARGUMENT" and dict(error.violations).keys() == {"same"}
    assert f"there is {one}, {two}" in str(await refused(world, "K00002", "K00001"))
    assert "look at it again" in (await refused(world, "K00002", two, shown="of yesterday")).hint

    shown = (await listed(world))["K00002"].fingerprint
    assert (await decide(world, "K00002", same=two, shown=shown)).decision == "same"

    async def bound() -> bool:
        return set(await listed(world)) == {one}

    await until(bound, "K00002 to be bound")
    error = await refused(world, one, "K00002")
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "BOUND")
    assert f"belongs to {two}" in str(error)
    assert (await decide(world, one, different=True)).decision == "different"

    async def created() -> bool:
        return not await listed(world) and len(world.erp.rows()) == 3

    await until(created, "Haus Eins in the ERP")
    await world.quiet()
    assert {row["id"]: row["number"] for row in await world.crm.customers()}[int(two)] == "K00002"
    assert await world.crm.value("SELECT count(*) FROM customers") == 3
    assert [row["EMAIL"] for row in world.erp.rows()].count(SHARED) == 2
    assert not await world.parked("ambiguous") and not await world.parked("quarantine")
