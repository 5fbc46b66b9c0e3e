"""Images come along, by the hash of their content (G16, in its general form): two shops, both in PostgreSQL."""

from __future__ import annotations

import pytest
import yaml

from tandem.v1 import system_pb2
from tests.spec.systems import LINK, Crm, until
from tests.spec.world import World

pytestmark = pytest.mark.anyio
TABLES = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.articles (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text UNIQUE, name text, image bytea)"""
PNG = b"\x89PNG\r\n\x1a\n"


def rules(here: str) -> str:
    """Articles with their images from one side to the other."""
    fields = {
        name: {"a": name, "b": name, "owner": here, **({"attachment": True} if name == "image" else {})}
        for name in ("sku", "name", "image")
    }
    articles = {
        "a": "articles",
        "b": "articles",
        "match": [["sku"]],
        "creates": [here],
        "complete_read": "1h",
        "fields": fields,
    }
    sides = {side: {"connector": "postgres", "poll": "1s"} for side in ("a", "b")}
    return yaml.safe_dump({"blueprint": LINK, "version": 1, **sides, "streams": {"articles": articles}})


@pytest.mark.parametrize("here", ["a", "b"])
async def test_g16_images_come_along_when_they_changed(world: World, crm: Crm, here: str) -> None:
    await world.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=world.tenant))
    for name, schema in (("erp", "one"), ("crm", "two")):
        await crm.script(TABLES.format(schema=schema))
        more = {"url": crm.url, "schema": schema, "find": "trigger", "consumer": f"{schema}-reader"}
        await world.connection(name, "postgres", more)
    mine, theirs = ("one", "two") if here == "a" else ("two", "one")
    await crm.sql(f"INSERT INTO {mine}.articles (sku, name, image) VALUES ('1', 'wine', $1)", PNG + b"first")
    await crm.sql(f"INSERT INTO {mine}.articles (sku, name) VALUES ('2', 'beer')")
    await world.link(rules(here))

    async def shown(**images: bytes | None) -> None:
        async def those() -> bool:
            rows = await crm.sql(f"SELECT sku, image FROM {theirs}.articles")
            return {f"n{row['sku']}": row["image"] for row in rows} == images

        await until(those, f"the images {images}")

    await shown(n1=PNG + b"first", n2=None)
    await crm.sql(f"UPDATE {mine}.articles SET image = $1 WHERE sku = '2'", PNG + b"second")
    await shown(n1=PNG + b"first", n2=PNG + b"second")
    await crm.sql(f"UPDATE {theirs}.articles SET image = NULL WHERE sku = '1'")
    await crm.sql(f"UPDATE {mine}.articles SET image = NULL WHERE sku = '2'")
    await shown(n1=PNG + b"first", n2=None)  # put back, and emptied
    await world.quiet()
    rows = await crm.sql(f"SELECT sku, image FROM {theirs}.articles ORDER BY sku")
    assert [(row["sku"], row["image"]) for row in rows] == [("1", PNG + b"first"), ("2", None)]
