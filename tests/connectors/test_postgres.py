"""The postgres connector passes the contract on a real server, in each of its three ways to find changes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import pytest

from actors.core.values import Value, canonical
from clients.connectors.systems import postgres
from tests.connectors.contract import (
    FIELDS,
    ConnectorContract,
    CrossesAsRows,
    DrawsIds,
    Feeds,
    FindsByField,
    FindsModified,
    FindsModifiedAsRows,
    System,
)
from tests.connectors.pgserver import postgres_url, shared_database_url

__all__ = ["postgres_url", "shared_database_url"]

# `modified` is the start of the transaction, as applications have it: it is older than the commit.
PEOPLE = """
CREATE SEQUENCE people_numbers START 50001;
CREATE TABLE people (
  id text PRIMARY KEY DEFAULT 'K' || nextval('people_numbers'),
  name text CHECK (name <> 'refused'),
  note text, amount numeric, count integer, active boolean, day date, extra text,
  modified timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON people (modified, id);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.modified := now(); RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION stamp()"""


class People(System):
    """A table, edited by another person on a connection of her own."""

    def __init__(self, url: str, person: asyncpg.Connection[asyncpg.Record], schema: str, find: str) -> None:
        self.url = url
        self.person = person
        self.schema = schema
        self.settings: dict[str, Any] = {"table": "people", "find": find}
        if find == "modified":
            self.settings["modified"] = "modified"

    async def open(self) -> postgres.PostgresConnector:
        objects = {"people": self.settings}
        connector = await postgres.connect({"url": self.url, "schema": self.schema, "objects": objects})
        if self.settings["find"] == "trigger":
            await connector.drain(
                1
            )  # as the engine does before its first look: from here on nothing is missed
        return connector

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        # asyncpg takes the last day of year 9999 for infinity, so days go as text.
        names = ("name", "note", "amount", "count", "active", "extra")
        records = [
            (id_, str(row["day"]) if row.get("day") else None, *map(row.get, names))
            for id_, row in rows.items()
        ]
        async with self.person.transaction():
            await self.person.executemany(INSERT, records)

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        await edit(self.person, id, changes)

    async def delete(self, id: str) -> None:
        await self.person.execute("DELETE FROM people WHERE id = $1", id)

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        found = await self.person.fetch("SELECT *, day::text AS day_text FROM people")
        plain = [name for name in (*FIELDS, "extra") if name != "day"]
        return {
            row["id"]: {
                "day": date.fromisoformat(row["day_text"]) if row["day_text"] else None,
                **{name: canonical(row[name]) for name in plain},
            }
            for row in found
        }

    def bad_native(self) -> Mapping[str, Value]:
        return {"name": "refused"}

    @asynccontextmanager
    async def held_edit(self, id: str, changes: Mapping[str, Value]) -> AsyncIterator[None]:
        other = await asyncpg.connect(self.url, server_settings={"search_path": self.schema})
        try:
            async with other.transaction():
                await edit(other, id, changes)
                yield
        finally:
            await other.close()


INSERT = """
INSERT INTO people (id, day, name, note, amount, count, active, extra)
VALUES ($1, $2::text::date, $3, $4, $5, $6, $7, $8)"""


async def edit(person: asyncpg.Connection[asyncpg.Record], id_: str, changes: Mapping[str, Value]) -> None:
    """Change fields of one row."""
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(changes, 2))
    await person.execute(f"UPDATE people SET {sets} WHERE id = $1", id_, *changes.values())


async def people(url: str, find: str) -> AsyncIterator[People]:
    """The table, empty, in a schema of its own."""
    schema = f"s_{secrets.token_hex(4)}"
    person = await asyncpg.connect(url, server_settings={"search_path": schema})
    try:
        await person.execute(f"CREATE SCHEMA {schema}; {PEOPLE}")
        yield People(url, person, schema, find)
        await person.execute(f"DROP SCHEMA {schema} CASCADE")
    finally:
        await person.close()


class TestFull(CrossesAsRows, DrawsIds, FindsByField, ConnectorContract):
    """find: full."""

    @pytest.fixture
    async def system(self, shared_database_url: str) -> AsyncIterator[System]:
        async for system in people(shared_database_url, "full"):
            yield system


class TestModified(
    CrossesAsRows, FindsModifiedAsRows, FindsModified, DrawsIds, FindsByField, ConnectorContract
):
    """find: modified."""

    @pytest.fixture
    async def system(self, shared_database_url: str) -> AsyncIterator[System]:
        async for system in people(shared_database_url, "modified"):
            yield system


class TestTrigger(CrossesAsRows, Feeds, DrawsIds, FindsByField, ConnectorContract):
    """find: trigger."""

    @pytest.fixture
    async def system(self, shared_database_url: str) -> AsyncIterator[System]:
        async for system in people(shared_database_url, "trigger"):
            yield system
