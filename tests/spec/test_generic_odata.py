"""Two systems that nobody here has seen: an OData service and a folder of CSV files, linked by a YAML file (row B18)."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tandem.v1 import links_pb2, rooms_pb2, system_pb2
from tests.connectors import odata_server
from tests.connectors.odata_people import Person, odata_url
from tests.spec.systems import until
from tests.spec.world import World

__all__ = ["odata_url"]
pytestmark = pytest.mark.anyio

RULES = """
blueprint: stock
version: 1
a: {connector: odata, poll: 1s}
b: {connector: csv, poll: 1s}
streams:
  articles:
    a: articles
    b: stock
    match: [[number]]
    creates: [a, b]
    complete_read: 1h
    fields:
      number: {a: "no", b: Item, lens_b: {number: "."}}
      title:  {a: title, b: Name, required: true, conflict: a}
      price:  {a: price, b: Price, owner: a, lens_b: {number: {decimal: ",", places: 4}}}
      weight: {a: weight, b: Weight, lens_b: {number: "."}}
      pieces: {a: bulk, b: Pieces, owner: a, lens_b: {number: "."}}
"""


@pytest.fixture
async def shop(odata_url: str) -> AsyncIterator[Person]:
    """Somebody at the empty service."""
    person = Person(odata_url)
    try:
        await person.post("/test/empty")
        yield person
    finally:
        await person.close()


def lines(path: Path) -> dict[str, dict[str, str]]:
    """The file by its key, as its own program reads it."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["Item"]: row for row in csv.DictReader(file)}


async def test_b18_an_odata_service_and_a_csv_folder_are_linked_by_a_yaml_file_alone(
    world: World, shop: Person
) -> None:
    folder = world.erp.folder.parent / "strangers"
    folder.mkdir()
    path = folder / "stock.csv"
    path.write_bytes(b"Item,Name,Price,Weight,Pieces,Shelf\n2,Corkscrew,,0.25,,A7\n")
    await shop.make(
        "articles", [{"no": 1, "title": 'Größe "M"', "price": "12345678.1234", "bulk": "9007199254740993"}]
    )
    await world.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=world.tenant))
    told = {"url": f"{shop.url}/odata/v4/shop", "auth": "basic", "user": odata_server.USER}
    objects = {"articles": {"modified": "modifiedAt"}}
    await world.connection("shop", "odata", {**told, "password": odata_server.PASSWORD, "objects": objects})
    await world.connection(
        "stock", "csv", {"path": str(folder), "quiet_s": 0, "objects": {"stock": {"key": "Item"}}}
    )
    request = links_pb2.CreateLinkRequest(
        tenant=world.tenant, name="stock", a="shop", b="stock", blueprint=RULES
    )
    await world.tandem.links.CreateLink(request)

    async def both() -> Any:
        found = {one["no"]: one for one in (await shop.get("articles"))["value"]}
        return found if {1, 2} <= set(found) and {"1", "2"} <= set(lines(path)) else None

    articles = await until(both, "both articles on both sides")
    assert (articles[2]["title"], Decimal(str(articles[2]["weight"]))) == ("Corkscrew", Decimal("0.25"))
    made = lines(path)["1"]
    assert (made["Name"], made["Price"], made["Pieces"]) == ('Größe "M"', "12345678,1234", "9007199254740993")
    assert lines(path)["2"]["Shelf"] == "A7"

    await shop.send("PATCH", "articles(1)", {"price": "0.5000"})
    await until(lambda: shown(path, "1", "Price", "0,5000"), "the new price in the file")
    path.write_text(
        path.read_text("utf-8")
        .replace("Corkscrew", "Corkscrew, large")
        .replace("2,Corkscrew, large", '2,"Corkscrew, large"'),
        "utf-8",
    )

    async def renamed() -> bool:
        return bool((await shop.get("articles(2)"))["title"] == "Corkscrew, large")

    await until(renamed, "the new name in the service")


async def shown(path: Path, key: str, column: str, text: str) -> bool:
    return lines(path)[key][column] == text


async def test_b18_what_an_odata_service_refuses_waits_with_its_own_words(world: World, shop: Person) -> None:
    folder = world.erp.folder.parent / "strangers"
    folder.mkdir()
    path = folder / "people.csv"
    path.write_bytes(b"id,who,day\n1,refused,2024-02-29\n2,Ada,2024-02-29\n")
    await world.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=world.tenant))
    told = {"url": f"{shop.url}/odata/v4/shop", "auth": "basic", "user": odata_server.USER}
    objects = {"people": {"modified": "modifiedAt", "ids": "client"}}
    await world.connection("shop", "odata", {**told, "password": odata_server.PASSWORD, "objects": objects})
    await world.connection("list", "csv", {"path": str(folder), "quiet_s": 0})
    rules = """
blueprint: people
version: 1
a: {connector: csv, poll: 1s}
b: {connector: odata, poll: 1s}
streams:
  people:
    a: people
    b: people
    match: [[name]]
    creates: [a]
    complete_read: 1h
    fields:
      name: {a: who, b: name}
      day:  {a: day, b: day, lens_a: {date: "%Y-%m-%d"}}
"""
    request = links_pb2.CreateLinkRequest(
        tenant=world.tenant, name="people", a="list", b="shop", blueprint=rules
    )
    await world.tandem.links.CreateLink(request)

    async def parked() -> Any:
        asked = rooms_pb2.ListParkedRequest(link="people", tenant=world.tenant, room="quarantine")
        return list((await world.tandem.quarantine.ListParked(asked)).parked)

    (one,) = await until(parked, "the refused record in the quarantine")
    assert "Enter a value matching the pattern" in one.reason

    async def others() -> Any:
        return [one["name"] for one in (await shop.get("people"))["value"]]

    assert await until(others, "the others in the service") == ["Ada"]
