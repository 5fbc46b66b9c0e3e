"""Echoes of our own writes in the feed are told from what others did, on a real server (postgres_own.py); lines in hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

from actors.core.types import Op
from actors.ports import Write, WriteStatus
from clients.connectors.systems import postgres
from clients.connectors.systems.postgres_own import OWN_MAX, OwnWrites
from tests.connectors.pgserver import database_url, postgres_url, shared_database_url

__all__ = ["database_url", "postgres_url", "shared_database_url"]

pytestmark = pytest.mark.anyio

Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
FIELDS = ("name", "total")


@pytest.fixture
async def person(database_url: str) -> AsyncIterator[Person]:
    """Somebody else in the same database, with a table of things."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "public"})
    await connection.execute("CREATE TABLE things (id int PRIMARY KEY, name text, total int)")
    await connection.execute("INSERT INTO things SELECT n, 'old', 0 FROM generate_series(1, 5) AS n")
    yield connection
    await connection.close()


@pytest.fixture
async def connector(database_url: str, person: Person) -> AsyncIterator[postgres.PostgresConnector]:
    connector = await postgres.connect({"url": database_url, "objects": {"things": {"find": "trigger"}}})
    await connector.ack(await connector.drain(1000))
    yield connector
    await connector.aclose()


def update(id: str, name: str = "new") -> Write:
    return Write(Op.UPDATE, id, native={"name": name}, seen={"name": "old"})


async def echoes(connector: postgres.PostgresConnector) -> dict[str, bool]:
    """Every touched key, and whether it is nothing but our own."""
    return {item.id: item.own for item in await connector.drain(1000)}


async def test_what_we_wrote_and_nobody_else_touched_is_an_echo(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    created = Write(Op.CREATE, "9", native={"name": "made"})
    gone = Write(Op.DELETE, "3", seen={"name": "old"})
    results = await connector.write("things", [update("1"), update("2"), created, gone], FIELDS)
    assert {result.status for result in results} == {WriteStatus.DONE}
    await person.execute("UPDATE things SET name = 'theirs' WHERE id = 4")
    assert await echoes(connector) == {"1": True, "2": True, "9": True, "3": True, "4": False}
    assert await echoes(connector) == {
        "1": True,
        "2": True,
        "9": True,
        "3": True,
        "4": False,
    }  # until acknowledged


@pytest.mark.parametrize("theirs_first", [False, True])
async def test_what_somebody_touched_as_well_is_none(
    person: Person, connector: postgres.PostgresConnector, theirs_first: bool
) -> None:
    theirs = "UPDATE things SET total = 7 WHERE id = 1"
    if theirs_first:
        await person.execute(theirs)
    await connector.write("things", [update("1")], FIELDS)
    if not theirs_first:
        await person.execute(theirs)
    assert await echoes(connector) == {"1": False}


async def test_what_a_trigger_changed_again_behind_our_reply_is_none(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    """The same transaction, but the reply was made before it: nobody knows yet how the record stands."""
    await person.execute(
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "UPDATE things SET total = total + 1 WHERE id IN (new.id, 5) AND new.total = 0; RETURN NULL; END$$; "
        "CREATE TRIGGER again AFTER UPDATE ON things FOR EACH ROW WHEN (old.name <> new.name) "
        "EXECUTE FUNCTION again()"
    )
    (result,) = await connector.write("things", [update("1")], FIELDS)
    assert result.record is not None and result.record.native["total"] == 0
    assert await person.fetchval("SELECT total FROM things WHERE id = 1") == 1
    assert await echoes(connector) == {"1": False, "5": False}


async def test_another_reader_of_the_account_is_not_spared(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    settings = {"url": database_url, "objects": {"things": {"find": "trigger"}}, "consumer": "other"}
    other = await postgres.connect(settings)
    try:
        assert await echoes(other) == {}  # from here on it is told of everything
        await connector.write("things", [update("1")], FIELDS)
        assert (await echoes(connector), await echoes(other)) == ({"1": True}, {"1": False})
    finally:
        await other.aclose()


async def test_after_a_restart_nobody_remembers(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    await connector.write("things", [update("1")], FIELDS)
    again = await postgres.connect({"url": database_url, "objects": {"things": {"find": "trigger"}}})
    try:
        assert await echoes(again) == {"1": False}
    finally:
        await again.aclose()


async def test_what_did_not_happen_leaves_no_trace(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("UPDATE things SET name = 'theirs' WHERE id = 1")
    (result,) = await connector.write("things", [update("1")], FIELDS)
    assert result.status is WriteStatus.MOVED_ON
    assert await echoes(connector) == {"1": False}


def test_the_memory_of_writes_is_bounded() -> None:
    own = OwnWrites()
    for number in range(3):
        own.note(str(number), 1, map(str, range(OWN_MAX // 2)))
    assert [own.is_echo(number, 1, "7") for number in ("0", "1", "2")] == [False, True, True]
    assert not own.is_echo("1", 2, "7")


async def test_a_line_that_was_cut_while_it_was_kept_in_hand_is_replaced(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    before = await connector.read("things", ["1"], FIELDS)
    await person.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(3):
        assert await connector.read("things", ["1"], FIELDS) == before
    (result,) = await connector.write("things", [update("1")], FIELDS)
    assert result.status is WriteStatus.DONE
