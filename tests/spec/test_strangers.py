"""B18: two systems that nobody here has seen are linked by YAML files alone. Here a real PocketBase, by `rest`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import connections_pb2, webhooks_pb2
from tandem_client import TandemError
from tests.connectors.pocketbase import PASSWORD, USER, Person, pocketbase_url, unique
from tests.spec.systems import until
from tests.spec.world import World

__all__ = ["pocketbase_url"]

pytestmark = pytest.mark.anyio

BARRELS = (
    {"name": "barrel_no", "type": "text", "max": 20},
    {"name": "litres", "type": "text"},
    {"name": "filled", "type": "date"},
    {"name": "red", "type": "bool"},
    {"name": "smell", "type": "text"},
)
DECLARATION = """
name: cellar
auth:
  kind: log_in
  path: api/collections/_superusers/auth-with-password
  json: {identity: "${user}", password: "${password}"}
  token: token
  place: {Authorization: "{token}"}
literals: {escape: backslash_quote}
objects:
  barrels:
    path: api/collections/COLLECTION/records
    key: id
    new_ids: "[a-z0-9]{15}"
    list:
      at: items
      query: {sort: id}
      paging: {kind: page, size_parameter: perPage, size_max: 200, total: totalItems}
      sorted: by_text
    find: {query: {filter: "{field} = {literal}"}}
    modified:
      field: updated
      sorted: true
      query: {filter: "updated >= {literal}", sort: "updated,id"}
      format: "%Y-%m-%d %H:%M:%S.%3fZ"
    create: {}
    update: {}
    delete: {}
    fields:
      id: text
      barrel_no: text
      litres: {type: decimal, decimals: text, nulls: [""], null_as: ""}
      filled: {type: date, nulls: [""], null_as: ""}
      red: boolean
      updated: {type: instant, writable: false}
"""
TABLE = """
CREATE TABLE keller_bestand (
    nr bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fass text UNIQUE NOT NULL, liter numeric(10, 2), abgefuellt date, rot boolean NOT NULL DEFAULT false
)"""
RULES = """
blueprint: barrels
version: 1
a: {connector: rest, poll: 500ms}
b: {connector: postgres, poll: 500ms}
streams:
  barrels:
    a: barrels
    b: keller_bestand
    match: [[number]]
    creates: [a, b]
    deletes: {a: ignore, b: remove}
    complete_read: 1h
    fields:
      number: {a: barrel_no, b: fass}
      litres: {a: litres, b: liter}
      filled: {a: filled, b: abgefuellt}
      red:    {a: red, b: rot}
"""


class Cellar:
    """The collection, as its own people use it."""

    def __init__(self, person: Person, name: str) -> None:
        self.person = person
        self.name = name
        self.path = f"collections/{name}/records"

    async def barrel(self, number: str) -> dict[str, Any] | None:
        """A barrel by its number."""
        rows = await self.person.records(self.name)
        return next((row for row in rows if row["barrel_no"] == number), None)

    def settings(self, declaration: str = DECLARATION, password: str = PASSWORD) -> dict[str, Any]:
        """Of a connection to it."""
        return {
            "declaration": declaration.replace("COLLECTION", self.name),
            "url": self.person.url,
            "variables": {"user": USER},
            "secrets": {"password": password},
        }


@pytest.fixture
async def cellar(pocketbase_url: str) -> AsyncIterator[Cellar]:
    async with Person(pocketbase_url) as person:
        name = unique("barrels")
        await person.make(name, BARRELS)
        try:
            yield Cellar(person, name)
        finally:
            await person.drop(name)


def line(text: str, words: str) -> int:
    """The number of the line with these words."""
    return text[: text.index(words)].count("\n") + 1


def struct(settings: dict[str, Any]) -> Struct:
    return json_format.ParseDict(settings, Struct())


async def test_b18_pocketbase_and_a_postgresql_table_are_linked_by_yaml_alone(
    world: World, cellar: Cellar
) -> None:
    await world.crm.sql(TABLE)
    await world.crm.sql("INSERT INTO keller_bestand (fass, liter, rot) VALUES ('F-2', 225.5, true)")
    await cellar.person.call(
        "POST", cellar.path, {"barrel_no": "F-1", "litres": "500.25", "filled": "2023-10-31"}
    )
    await world.connect()  # the tenant and both connections; this link has rules of its own
    await world.connection("cellar", "rest", cellar.settings())
    await world.link(RULES, name="barrels", a="cellar")

    # Both are loaded, exact to the last digit.
    row = "SELECT liter, abgefuellt, rot FROM keller_bestand WHERE fass = 'F-1'"
    await until(lambda: world.crm.sql(row), "the barrel in the table")
    (found,) = await world.crm.sql(row)
    assert found == {"liter": Decimal("500.25"), "abgefuellt": date(2023, 10, 31), "rot": False}
    second = await until(lambda: cellar.barrel("F-2"), "the barrel in PocketBase")
    assert second is not None and (second["litres"], second["red"], second["filled"]) == ("225.5", True, "")

    # Edits on both sides, of the same record.
    await cellar.person.call("PATCH", f"{cellar.path}/{second['id']}", {"smell": "of oak", "litres": "200"})
    await world.crm.sql("UPDATE keller_bestand SET abgefuellt = '2024-02-29' WHERE fass = 'F-2'")
    both = "SELECT 1 FROM keller_bestand WHERE fass = 'F-2' AND liter = 200 AND abgefuellt = '2024-02-29'"

    async def agreed() -> bool:
        shown = await cellar.barrel("F-2")
        return bool(await world.crm.sql(both)) and shown is not None and shown["filled"][:10] == "2024-02-29"

    await until(agreed, "both edits on both sides")
    shown = await cellar.barrel("F-2")
    assert shown is not None and shown["smell"] == "of oak", "what is not declared is left alone"

    # New ones on both sides, and a delete.
    await cellar.person.call("POST", cellar.path, {"barrel_no": "F-3", "litres": "1"})
    await world.crm.sql("INSERT INTO keller_bestand (fass, liter) VALUES ('F-4', 0.01)")
    await until(lambda: world.crm.sql("SELECT 1 FROM keller_bestand WHERE fass = 'F-3'"), "F-3 in the table")
    await until(lambda: cellar.barrel("F-4"), "F-4 in PocketBase")
    await world.crm.sql("DELETE FROM keller_bestand WHERE fass = 'F-1'")

    async def gone() -> bool:
        return await cellar.barrel("F-1") is None

    await until(gone, "F-1 gone from PocketBase")
    assert {row["barrel_no"] for row in await cellar.person.records(cellar.name)} == {"F-2", "F-3", "F-4"}


async def test_b18_a_declared_webhook_tells_of_a_change_at_once(world: World, cellar: Cellar) -> None:
    """How a system calls stands in its declaration. Nobody would look for an hour."""
    await world.crm.sql(TABLE)
    await cellar.person.call("POST", cellar.path, {"barrel_no": "F-1", "litres": "1"})
    await world.connect()
    webhook = 'webhook: {signature: token, header: X-Cellar, ids: "json:record.id", events: [changed]}\n'
    await world.connection("cellar", "rest", cellar.settings(DECLARATION + webhook))
    await world.link(RULES.replace("poll: 500ms", "poll: 1h"), name="barrels", a="cellar")
    await until(lambda: world.crm.sql("SELECT 1 FROM keller_bestand WHERE liter = 1"), "the first load")
    request = webhooks_pb2.CreateWebhookRequest(connection="cellar", tenant=world.tenant)
    made = await world.tandem.webhooks.CreateWebhook(request)
    assert (made.signature, made.carried_in, list(made.events)) == ("token", "X-Cellar", ["changed"])
    (address,) = [one.url for one in made.addresses if one.object == "barrels"]

    barrel = await cellar.barrel("F-1")
    assert barrel is not None
    await cellar.person.call("PATCH", f"{cellar.path}/{barrel['id']}", {"litres": "2"})
    body = {"record": {"id": barrel["id"], "litres": "999"}}
    async with aiohttp.ClientSession() as session:
        async with session.post(address, json=body, headers={"X-Cellar": "wrong"}) as answer:
            assert answer.status == 401
        async with session.post(address, json=body, headers={"X-Cellar": made.secret}) as answer:
            assert answer.status == 200, await answer.text()
    await until(lambda: world.crm.sql("SELECT 1 FROM keller_bestand WHERE liter = 2"), "the change")


async def test_b18_a_declaration_is_tried_against_the_live_system_before_it_is_used(
    world: World, cellar: Cellar
) -> None:
    await world.connect()
    for number in range(1, 6):
        await cellar.person.call(
            "POST", cellar.path, {"barrel_no": f"F-{number}", "litres": "1.5", "smell": "oak"}
        )
    before = await cellar.person.records(cellar.name)

    async def probed(declaration: str) -> connections_pb2.ProbeConnectionResponse:
        settings = cellar.settings(declaration)
        text = settings.pop("declaration")
        request = connections_pb2.ProbeConnectionRequest(
            tenant=world.tenant, declaration=text, settings=struct(settings)
        )
        return await world.tandem.connections.ProbeConnection(request)

    good = await probed(DECLARATION)
    assert not good.faults, good.faults
    assert {one.what for one in good.findings if one.state == "works"} >= {
        *("account", "list", "paging", "look", "gone", "find", "modified", "fields")
    }
    assert any("smell (text)" in one.message for one in good.findings)

    wrong = DECLARATION.replace("litres: {type: decimal, decimals: text,", "litres: {type: decimal,")
    wrong = wrong.replace('filter: "updated >= {literal}"', 'since: "{literal}"')
    faults = {one.what: one.message for one in (await probed(wrong)).faults}
    assert "values of litres are no decimal" in faults["fields"]
    assert "not minded" in faults["modified"]
    assert await cellar.person.records(cellar.name) == before, "it only reads"

    # A stored connection can be tried with another declaration; nothing of it changes.
    await world.connection("cellar", "rest", cellar.settings())
    request = connections_pb2.ProbeConnectionRequest(tenant=world.tenant, connection="cellar")
    assert not (await world.tandem.connections.ProbeConnection(request)).faults
    request.declaration = wrong.replace("COLLECTION", cellar.name)
    assert (await world.tandem.connections.ProbeConnection(request)).faults


async def test_b18_a_declaration_with_faults_is_refused_with_every_line(world: World, cellar: Cellar) -> None:
    await world.connect()
    text = DECLARATION.replace("key: id", "key: number").replace("red: boolean", "red: colour")
    with pytest.raises(TandemError) as caught:
        await world.connection("cellar", "rest", cellar.settings(text))
    assert f"line {line(text, 'red: colour')}: objects.barrels.fields.red" in str(caught.value)
    text = DECLARATION.replace("key: id", "key: number")
    with pytest.raises(TandemError) as caught:
        await world.connection("cellar", "rest", cellar.settings(text))
    assert f"line {line(text, 'key: number')}: objects.barrels.key: there is no field" in str(caught.value)
    with pytest.raises(TandemError) as caught:
        await world.connection("cellar", "rest", cellar.settings(password="wrong-and-invented"))
    assert "log in" in str(caught.value) and "wrong-and-invented" not in str(caught.value)
