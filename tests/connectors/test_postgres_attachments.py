"""Columns that hold bytes as attachments, on a real server: the contract of attachments."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

import asyncpg
import pytest

from actors.ports import Connector
from clients.connectors.systems import postgres
from tests.connectors.contract_attachments import Goods, TakesAttachments
from tests.connectors.pgserver import postgres_url, shared_database_url

__all__ = ["postgres_url", "shared_database_url"]

Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Table(Goods):
    """A person at the server."""

    def __init__(self, person: Person, url: str, schema: str) -> None:
        self.person, self.url, self.schema = person, url, schema

    async def open(self) -> Connector:
        return await postgres.connect({"url": self.url, "schema": self.schema})

    async def insert(self, sku: str, content: bytes | None) -> str:
        query = "INSERT INTO goods (sku, image) VALUES ($1, $2) RETURNING id"
        return str(await self.person.fetchval(query, sku, content))

    async def hang(self, id_: str, content: bytes | None) -> None:
        await self.person.execute("UPDATE goods SET image = $1 WHERE id = $2", content, int(id_))

    async def content(self, id_: str) -> bytes | None:
        found: bytes | None = await self.person.fetchval("SELECT image FROM goods WHERE id = $1", int(id_))
        return found

    async def ids(self) -> Sequence[str]:
        return [str(row["id"]) for row in await self.person.fetch("SELECT id FROM goods")]


@pytest.fixture
async def goods(shared_database_url: str) -> AsyncIterator[Table]:
    schema = f"s_{secrets.token_hex(4)}"
    person = await asyncpg.connect(shared_database_url, server_settings={"search_path": schema})
    await person.execute(
        f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.goods "
        "(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text, image bytea)"
    )
    try:
        yield Table(person, shared_database_url, schema)
    finally:
        await person.execute(f"DROP SCHEMA {schema} CASCADE")
        await person.close()


class TestAttachments(TakesAttachments):
    """The contract."""
