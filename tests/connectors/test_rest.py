"""The rest connector passes the contract on a real PocketBase, by a declaration alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from actors.core.values import Value
from clients.connectors.catalog import open_connector
from clients.connectors.systems.rest import RestConnector
from tests.connectors.contract import ConnectorContract, DrawsIds, FindsByField, FindsModified, System
from tests.connectors.pocketbase import PASSWORD, USER, Person, pocketbase_url, unique

__all__ = ["pocketbase_url"]

# PocketBase has no null for texts and days: an empty one is none. Numbers of its own are floats and never null: exact
# ones are texts, and what may be null is JSON.
FIELDS = (
    {"name": "name", "type": "text", "max": 100},
    {"name": "note", "type": "text", "max": 100_000},
    {"name": "amount", "type": "text"},
    {"name": "count", "type": "json"},
    {"name": "active", "type": "json"},
    {"name": "day", "type": "date"},
    {"name": "extra", "type": "text"},
)
DECLARATION = """
name: pocketbase
auth:
  kind: log_in
  path: api/collections/_superusers/auth-with-password
  json: {identity: "${user}", password: "${password}"}
  token: token
  place: {Authorization: "{token}"}
check: {path: api/health}
literals: {escape: backslash_quote}
answers:
  - {status: 400, at: data.id.code, is: validation_pk_invalid, means: exists}
objects:
  people:
    path: api/collections/COLLECTION/records
    key: id
    new_ids: "[a-z0-9]{15}"
    list:
      at: items
      query: {sort: id, skipTotal: 1}
      paging: {kind: page, size_parameter: perPage, size_max: 500}
      sorted: by_text
      after: {filter: "id > {literal}"}
    look:
      many: {query: {filter: "{ids}"}, each: "id = {literal}", join: " || ", most: 50}
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
      name: {nulls: [""], null_as: ""}
      note: {nulls: [""], null_as: ""}
      amount: {type: decimal, decimals: text, nulls: [""], null_as: ""}
      count: integer
      active: boolean
      day: {type: date, nulls: [""], null_as: ""}
      extra: {nulls: [""], null_as: ""}
      updated: {type: instant, writable: false}
"""


def written(values: Mapping[str, Value]) -> dict[str, Any]:
    """Values as somebody types them into PocketBase."""
    texts = ("name", "note", "amount", "day", "extra")
    return {
        name: value
        if name not in texts
        else ""
        if value is None
        else format(value, "f")
        if isinstance(value, Decimal)
        else str(value)
        for name, value in values.items()
    }


def shown(row: Mapping[str, Any]) -> dict[str, Value]:
    """A record of PocketBase as values."""
    return {
        "name": row["name"] or None,
        "note": row["note"] or None,
        "amount": Decimal(row["amount"]) if row["amount"] else None,
        "count": row["count"],
        "active": row["active"],
        "day": date.fromisoformat(row["day"][:10]) if row["day"] else None,
        "extra": row["extra"] or None,
    }


class People(System):
    """A collection of PocketBase, edited by another person."""

    def __init__(self, person: Person, collection: str) -> None:
        self.person = person
        self.collection = collection

    async def open(self) -> RestConnector:
        connector = await open_connector(
            "rest",
            {
                "url": self.person.url,
                "declaration": DECLARATION.replace("COLLECTION", self.collection),
                "variables": {"user": USER},
                "secrets": {"password": PASSWORD},
            },
        )
        assert isinstance(connector, RestConnector)
        return connector

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, row in rows.items():
            await self.person.call(
                "POST", f"collections/{self.collection}/records", {"id": id_, **written(row)}
            )

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        await self.person.call("PATCH", f"collections/{self.collection}/records/{id}", written(changes))

    async def delete(self, id: str) -> None:
        await self.person.call("DELETE", f"collections/{self.collection}/records/{id}")

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {row["id"]: shown(row) for row in await self.person.records(self.collection)}

    def stored(self, field: str, value: Value) -> Value:
        return None if value == "" else value

    def bad_native(self) -> Mapping[str, Value]:
        return {"name": "x" * 101}


class TestContract(DrawsIds, FindsModified, FindsByField, ConnectorContract):
    """Every promise of the declaration."""

    @pytest.fixture
    async def system(self, pocketbase_url: str) -> AsyncIterator[People]:
        async with Person(pocketbase_url) as person:
            collection = unique("people")
            await person.make(collection, FIELDS)
            try:
                yield People(person, collection)
            finally:
                await person.drop(collection)
