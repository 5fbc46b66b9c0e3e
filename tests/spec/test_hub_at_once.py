"""W21: a change at any account is at all the others at once, also from one outer account over the hub to another outer one.

The hub is a database that has no triggers and is asked once an hour: what reaches the others in time does so because a write
through one link is a hint for the other links of the account.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import yaml

from tandem.v1 import links_pb2
from tests.connectors.pgserver import new_database
from tests.spec.systems import SCHEMA, Crm, blueprint, customer, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
HUB = {"customers": {"modified": "updated_at", "find": "modified"}}


@pytest.fixture
async def branch(postgres_url: str) -> AsyncIterator[Crm]:
    """A second CRM: the other outer account."""
    async with new_database(postgres_url) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(SCHEMA)
        await connection.close()
        yield Crm(url)


def of_hub() -> str:
    """Customers both ways between the hub and the branch."""
    whole = yaml.safe_load(blueprint(poll="1h"))
    whole["blueprint"] = "hub-branch"
    whole["a"]["connector"] = "postgres"
    stream = whole["streams"]["customers"]
    names = ("number", "name", "phone", "email", "city")
    stream |= {"a": "customers", "fields": {name: {"a": name, "b": name} for name in names}}
    return yaml.safe_dump(whole, sort_keys=False)


async def test_w21_from_one_outer_account_over_the_hub_to_another_without_a_timer(
    world: World, branch: Crm
) -> None:
    world.erp.save([customer(1), customer(2)])
    await world.connect(blueprint(poll="1h"), find="full", objects=HUB, overlap_s=0)
    await world.connection("branch", "postgres", {"url": branch.url, "find": "trigger"})
    request = links_pb2.CreateLinkRequest(
        tenant=world.tenant, name="hub-branch", a="crm", b="branch", blueprint=of_hub()
    )
    await world.tandem.links.CreateLink(request)

    async def everywhere(town: str, number: str) -> bool:
        crm = {row["number"]: row["city"] for row in await world.crm.customers()}
        out = {row["number"]: row["city"] for row in await branch.customers()}
        erp = {row["KUNDENNR"]: row["ORT"] for row in world.erp.rows()}
        return crm.get(number) == out.get(number) == erp.get(number) == town

    await until(lambda: everywhere("Köln", "K00002"), "everybody to know everybody")
    world.erp.edit({"K00001": {"ORT": "Ulm"}})
    await until(lambda: everywhere("Ulm", "K00001"), "a change of the ERP at the branch")
    await branch.sql("UPDATE customers SET city = 'Bonn' WHERE number = 'K00002'")
    await until(lambda: everywhere("Bonn", "K00002"), "a change of the branch at the ERP")
    await branch.sql("INSERT INTO customers (name, email, city) VALUES ('Neu', 'neu@haus.example', 'Jena')")
    await until(lambda: everywhere("Jena", "K00003"), "a new customer of the branch at the ERP")
    assert [len(world.erp.rows()), len(await world.crm.customers()), len(await branch.customers())] == [
        3,
        3,
        3,
    ]
