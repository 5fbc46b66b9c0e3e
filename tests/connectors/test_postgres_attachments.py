"""Columns that hold bytes as attachments, on a real server: described by the server, fetched and written on their own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest

from actors.core.attachments import describe
from actors.core.types import Op
from actors.ports import Write, WriteStatus
from clients.connectors.systems import postgres
from tests.connectors.pgserver import postgres_url, shared_database_url

__all__ = ["postgres_url", "shared_database_url"]

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n"
FIELDS = ("sku", "image#")
Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def shop(shared_database_url: str) -> AsyncIterator[tuple[Person, postgres.PostgresConnector]]:
    schema = f"s_{secrets.token_hex(4)}"
    person = await asyncpg.connect(shared_database_url, server_settings={"search_path": schema})
    await person.execute(
        f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.articles "
        "(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text, image bytea)"
    )
    connector = await postgres.connect({"url": shared_database_url, "schema": schema})
    try:
        yield person, connector
    finally:
        await connector.aclose()
        await person.execute(f"DROP SCHEMA {schema} CASCADE")
        await person.close()


async def added(person: Person, content: bytes | None) -> str:
    query = "INSERT INTO articles (sku, image) VALUES ('S', $1) RETURNING id"
    return str(await person.fetchval(query, content))


async def test_a_look_describes_and_does_not_deliver(shop: Any) -> None:
    person, connector = shop
    contents = [PNG + b"x" * 100_000, b"", b"%PDF-1.4", None]
    ids = [await added(person, content) for content in contents]
    records = {one.id: one for one in await connector.read("articles", ids, FIELDS)}
    shown = [records[id_].native["image#"] for id_ in ids]
    assert shown == [None if content is None else describe(content) for content in contents]
    page = await connector.scan("articles", "", FIELDS, 10)
    assert [one.native["image#"] for one in page.records] == shown
    fetched = [await connector.fetch_attachment("articles", id_, "image#") for id_ in ids]
    assert fetched == contents
    assert await connector.fetch_attachment("articles", "999", "image#") is None


async def test_it_is_written_by_its_content_over_what_was_seen(shop: Any) -> None:
    person, connector = shop
    id_ = await added(person, PNG + b"one")
    (seen,) = await connector.read("articles", [id_], FIELDS)
    new = PNG + b"two"
    write = Write(Op.UPDATE, id_, {"image#": describe(new)}, dict(seen.native), attachments={"image#": new})
    (result,) = await connector.write("articles", [write], FIELDS)
    assert result.status is WriteStatus.DONE
    assert result.record is not None
    assert result.record.native["image#"] == describe(new)
    assert await person.fetchval("SELECT image FROM articles") == new
    (result,) = await connector.write("articles", [write], FIELDS)  # it shows another one by now
    assert result.status is WriteStatus.MOVED_ON
    seen = result.record or (await connector.read("articles", [id_], FIELDS))[0]
    emptied = Write(Op.UPDATE, id_, {"image#": None}, {"image#": seen.native["image#"]})
    (result,) = await connector.write("articles", [emptied], FIELDS)
    assert result.status is WriteStatus.DONE
    assert await person.fetchval("SELECT image FROM articles") is None
    refill = Write(Op.UPDATE, id_, {"image#": describe(new)}, {"image#": None}, attachments={"image#": new})
    (result,) = await connector.write("articles", [refill], FIELDS)
    assert result.status is WriteStatus.DONE


async def test_a_record_is_made_with_it_and_it_is_offered(shop: Any) -> None:
    person, connector = shop
    (drawn,) = await connector.reserve("articles", 1)
    native = {"sku": "N", "image#": describe(PNG)}
    made = Write(Op.CREATE, drawn, native, attachments={"image#": PNG})
    (result,) = await connector.write("articles", [made], FIELDS)
    assert result.status is WriteStatus.DONE
    assert await person.fetchval("SELECT image FROM articles WHERE sku = 'N'") == PNG
    (info,) = await connector.describe()
    assert {field.name: field.type for field in info.fields}["image#"] == "attachment"
