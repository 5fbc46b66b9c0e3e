"""The postgres connector against a real server at its edges: hostile names, odd types, lost lines, refusals.

Sources: field guide of failures "blind writes", "retried although the write may have happened", "one base can't hold a
pair whose sides store different things"; rows B13, B18.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias

import anyio
import asyncpg
import pytest

from actors.core.types import Op, Record
from actors.core.values import Value, same
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.systems import postgres, postgres_write
from clients.connectors.systems.postgres_write import QUICK_S
from tests.connectors.pgserver import database_url, postgres_url, shared_database_url

__all__ = ["database_url", "postgres_url", "shared_database_url"]

pytestmark = pytest.mark.anyio

Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
HOSTILE = 'we"ird; DROP TABLE "x" -- {0} %s $1 \\ ü'


@pytest.fixture
async def person(database_url: str) -> AsyncIterator[Person]:
    """Somebody else in the same database, with a table of things."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "public"})
    await connection.execute("CREATE TABLE things (id serial PRIMARY KEY, name varchar(10), note text)")
    yield connection
    await connection.close()


@pytest.fixture
async def connector(database_url: str, person: Person) -> AsyncIterator[postgres.PostgresConnector]:
    """A connector for every table there is."""
    connector = await postgres.connect({"url": database_url})
    yield connector
    await connector.aclose()


async def look(connector: postgres.PostgresConnector, table: str, id_: str, *fields: str) -> Record:
    (record,) = await connector.read(table, [id_], fields)
    return record


async def write_one(
    connector: postgres.PostgresConnector, table: str, write: Write, *fields: str
) -> WriteResult:
    (result,) = await connector.write(table, [write], fields)
    return result


async def test_hostile_identifiers(database_url: str, person: Person) -> None:
    name = '"' + HOSTILE.replace('"', '""') + '"'
    await person.execute(
        f'CREATE SCHEMA {name}; CREATE TABLE {name}.{name} ({name} serial PRIMARY KEY, "a{{}}" text)'
    )
    objects = {"odd": {"table": HOSTILE, "find": "trigger"}}
    connector = await postgres.connect({"url": database_url, "schema": HOSTILE, "objects": objects})
    assert await connector.drain(1) == ()
    created = await write_one(connector, "odd", Write(Op.CREATE, native={"a{}": HOSTILE}), "a{}", HOSTILE)
    assert created.record is not None
    assert created.record.native == {"a{}": HOSTILE, HOSTILE: 1}
    update = Write(Op.UPDATE, id="1", native={"a{}": "new"}, seen={"a{}": HOSTILE})
    assert (await write_one(connector, "odd", update)).status is WriteStatus.DONE
    assert [record.native["a{}"] for record in (await connector.scan("odd", "", ["a{}"], 5)).records] == [
        "new"
    ]
    assert {item.id for item in await connector.drain(10)} == {"1"}
    await connector.aclose()
    again = await postgres.connect({"url": database_url, "schema": HOSTILE, "objects": objects})
    assert {item.id for item in await again.drain(10)} == {"1"}
    await again.aclose()


TYPES: list[tuple[str, str, Value]] = [
    ("uuid", "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("numeric(12,4)", "1.5", Decimal("1.5")),
    ("numeric", "'NaN'", "NaN"),
    ("float8", "0.1", Decimal("0.1")),
    ("float4", "1.1", Decimal("1.1")),
    ("float8", "'-Infinity'", "-Infinity"),
    ("bigint", "9007199254740993", 9007199254740993),
    ("date", "'infinity'", "infinity"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    ("timestamptz", "'2024-03-31 02:30:00.123456+02'", datetime(2024, 3, 31, 0, 30, 0, 123456, tzinfo=UTC)),
    ("timestamp", "'2024-03-31 02:30:00'", datetime(2024, 3, 31, 2, 30)),  # noqa: DTZ001
    ("bytea", "'\\x00ff'", b"\x00\xff"),
    ("char(5)", "'ab'", "ab"),
    ("mood", "'so so'", "so so"),
    ("posint", "7", 7),
    ("posint[]", "'{7,8}'", ("7", "8")),
    ("json", '\'{"b": 1,  "a": [2]}\'', '{"b": 1,  "a": [2]}'),
    ("jsonb", '\'{"b": 1, "a": [2]}\'', '{"a": [2], "b": 1}'),
    (
        "text[]",
        "ARRAY['a\"b', 'c,d', NULL, '', 'NULL', 'e\\f', '{}']",
        ('a"b', "c,d", None, "", "NULL", "e\\f", "{}"),
    ),
    ("int[]", "'{{1,2},{3,4}}'", '{{"1","2"},{"3","4"}}'),
    ("numeric[]", "'{1.50,2}'", (Decimal("1.5"), Decimal(2))),
    ("date[]", "'{2024-01-01}'", (date(2024, 1, 1),)),
    ("mood[]", "'{sad}'", ("sad",)),
    ("interval", "'1 day 02:00'", "1 day 02:00:00"),
    ("int4range", "'[1,5)'", "[1,5)"),
    ("point", "'(1,2)'", "(1,2)"),
    ("inet", "'10.0.0.1'", "10.0.0.1/32"),
    ("pair", "ROW(1,'x y')", '(1,"x y")'),
    ("bit(4)", "B'1010'", "1010"),
    ("text", r"E'cafe\u0301\r\nline'", "caf\u00e9\nline"),
]


@pytest.mark.parametrize("sql_type, literal, value", TYPES, ids=lambda part: str(part)[:20])
async def test_type_is_read_written_and_compared(
    database_url: str, person: Person, sql_type: str, literal: str, value: Value
) -> None:
    await person.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'so so'); CREATE TYPE pair AS (n int, t text);"
        "CREATE DOMAIN posint AS int CHECK (value > 0);"
    )
    await person.execute(
        f"CREATE TABLE odd (id int PRIMARY KEY, x {sql_type}); INSERT INTO odd VALUES (1, {literal})"
    )
    connector = await postgres.connect({"url": database_url})
    record = await look(connector, "odd", "1", "x")
    assert same(record.native["x"], value), record.native["x"]
    copy = await write_one(connector, "odd", Write(Op.CREATE, id="2", native={"x": value}), "x")
    assert copy.status is WriteStatus.DONE, copy.error
    assert copy.record is not None
    assert same(copy.record.native["x"], value)
    cleared = Write(Op.UPDATE, id="1", native={"x": None}, seen={"x": value})
    assert (await write_one(connector, "odd", cleared)).status is WriteStatus.DONE
    assert (await write_one(connector, "odd", cleared)).status is WriteStatus.MOVED_ON
    await connector.aclose()


async def test_reply_shows_what_the_database_made_of_it(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute(
        "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.name := upper(NEW.name); NEW.note := coalesce(NEW.note, 'none'); RETURN NEW; END $$;"
        "CREATE TRIGGER loud BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION loud()"
    )
    writes = [Write(Op.CREATE, native={"name": f"n{number}"}) for number in range(30)]
    results = await connector.write("things", writes, ["name", "note"])
    assert [result.record and result.record.native["name"] for result in results] == [
        f"N{n}" for n in range(30)
    ]
    assert all(result.record and result.record.native["note"] == "none" for result in results)
    update = Write(Op.UPDATE, id=results[3].id, native={"name": "x"}, seen={"name": "N3"})
    updated = await write_one(connector, "things", update, "name")
    assert updated.record == Record(results[3].id, {"name": "X"})


async def test_refusal_carries_the_servers_words(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("ALTER TABLE things ADD CONSTRAINT only_nice CHECK (name <> 'bad')")
    bad = await write_one(connector, "things", Write(Op.CREATE, native={"name": "bad"}))
    assert (bad.status, "only_nice" in bad.error) == (WriteStatus.REFUSED, True)
    long = await write_one(connector, "things", Write(Op.CREATE, native={"name": "longer than ten"}))
    assert (long.status, "too long" in long.error) == (WriteStatus.REFUSED, True)
    listed = await write_one(connector, "things", Write(Op.CREATE, native={"name": ("a", "b")}))
    assert (listed.status, "list" in listed.error) == (WriteStatus.REFUSED, True)
    assert await person.fetchval("SELECT count(*) FROM things") == 0


async def test_deferred_constraint_refuses_at_commit(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute(
        "CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1);"
        "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
    )
    writes = [Write(Op.CREATE, id=str(n), native={"parent": 9 if n == 5 else 1}) for n in range(10)]
    results = await connector.write("children", writes, [])
    assert [n for n, result in enumerate(results) if result.status is not WriteStatus.DONE] == [5]
    assert "children_parent_fkey" in results[5].error
    assert await person.fetchval("SELECT count(*) FROM children") == 9


async def test_write_swallowed_by_a_trigger_is_refused(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute(
        "INSERT INTO things (name) VALUES ('a'), ('b');"
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
        "CREATE TRIGGER swallow BEFORE INSERT OR UPDATE OR DELETE ON things FOR EACH ROW EXECUTE FUNCTION swallow()"
    )
    writes = [
        Write(Op.UPDATE, id="1", native={"name": "x"}, seen={"name": "a"}),
        Write(Op.UPDATE, id="2", native={"name": "x"}, seen={"name": "a"}),
        Write(Op.DELETE, id="2", seen={"name": "b"}),
        Write(Op.CREATE, native={"name": "x"}),
    ]
    results = await connector.write("things", writes, [])
    assert [result.status.value for result in results] == ["refused", "moved_on", "refused", "refused"]
    assert "discarded" in results[0].error


async def test_ids_that_no_key_can_be(person: Person, connector: postgres.PostgresConnector) -> None:
    await person.execute("INSERT INTO things (name) VALUES ('a')")
    odd = ["1", "x", "", "99999999999999999999", "01", " 1", "1.0", "\x00"]
    assert [record.id for record in await connector.read("things", odd, ["name"])] == ["1"]
    writes = [Write(Op.DELETE, id=id_, seen={"name": "a"}) for id_ in odd[1:]]
    assert {result.status for result in await connector.write("things", writes, [])} == {WriteStatus.GONE}
    assert await person.fetchval("SELECT count(*) FROM things") == 1


async def test_reserve_by_kind_of_key(database_url: str, person: Person) -> None:
    await person.execute(
        "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text);"
        "CREATE TABLE b (id uuid PRIMARY KEY, x text); CREATE TABLE c (id text PRIMARY KEY, x text);"
    )
    connector = await postgres.connect({"url": database_url})
    assert list(await connector.reserve("things", 2)) == ["1", "2"]
    for table in ("a", "b"):
        (drawn,) = await connector.reserve(table, 1)
        result = await write_one(connector, table, Write(Op.CREATE, id=drawn, native={"x": "y"}), "x")
        assert (result.status, result.id) == (WriteStatus.DONE, drawn)
    assert list(await connector.reserve("c", 1)) == []
    own = await write_one(connector, "c", Write(Op.CREATE, native={"id": "natural", "x": "y"}), "x")
    assert (own.status, own.id) == (WriteStatus.DONE, "natural")
    await connector.aclose()


async def test_idle_lines_that_were_cut_are_replaced(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    for _ in range(3):
        await cut_lines(person)
        assert await connector.read("things", ["0"], ["name"]) == []
        await cut_lines(person)
        result = await write_one(connector, "things", Write(Op.CREATE, native={"name": "x"}))
        assert result.status is WriteStatus.DONE
    assert await person.fetchval("SELECT count(*) FROM things") == 3


async def wait_for(person: Person, condition: str) -> None:
    """Until a line of the connector is in this state, as the server shows it."""
    query = f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'tandem' AND {condition})"
    with anyio.fail_after(60):
        while not await person.fetchval(query):  # noqa: ASYNC110 - another process's state
            await anyio.sleep(0.01)


async def cut_lines(person: Person) -> None:
    await person.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tandem'"
    )


TWO = [Write(Op.UPDATE, id=id_, native={"name": "x"}, seen={"name": "a"}) for id_ in ("1", "2")]


async def test_line_cut_before_commit_is_surely_not_done(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    """The first attempt is cut while it waits for a lock, and so is the second: nothing was written."""
    await person.execute("INSERT INTO things (name) VALUES ('a'), ('a')")
    results: list[WriteResult] = []

    async def write() -> None:
        results.extend(await connector.write("things", TWO, []))

    blocker = await asyncpg.connect(database_url)
    async with blocker.transaction(), anyio.create_task_group() as group:
        await blocker.execute("LOCK public.things")
        group.start_soon(write)
        first = await waiting_line(person)
        await person.execute("SELECT pg_terminate_backend($1)", first)
        second = await waiting_line(person, besides=first)
        await person.execute("SELECT pg_terminate_backend($1)", second)
    assert {result.status for result in results} == {WriteStatus.NOT_DONE}
    assert await person.fetchval("SELECT count(*) FROM things WHERE name = 'a'") == 2
    await blocker.close()


async def test_line_cut_before_commit_is_tried_again(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("INSERT INTO things (name) VALUES ('a'), ('a')")
    results: list[WriteResult] = []

    async def write() -> None:
        results.extend(await connector.write("things", TWO, []))

    blocker = await asyncpg.connect(database_url)
    async with anyio.create_task_group() as group, blocker.transaction():
        await blocker.execute("LOCK public.things")
        group.start_soon(write)
        await person.execute("SELECT pg_terminate_backend($1)", await waiting_line(person))
    assert {result.status for result in results} == {WriteStatus.DONE}
    await blocker.close()


async def test_a_single_update_whose_line_is_cut_is_unknown(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    """It commits itself, so nobody knows how far it came; it is not sent again."""
    await person.execute("INSERT INTO things (name) VALUES ('a')")
    results: list[WriteResult] = []

    async def write() -> None:
        results.append(await write_one(connector, "things", TWO[0]))

    blocker = await asyncpg.connect(database_url)
    async with anyio.create_task_group() as group, blocker.transaction():
        await blocker.execute("LOCK public.things")
        group.start_soon(write)
        await person.execute("SELECT pg_terminate_backend($1)", await waiting_line(person))
    assert [result.status for result in results] == [WriteStatus.UNKNOWN]
    assert await person.fetchval("SELECT name FROM things") == "a"
    await blocker.close()


async def test_a_single_update_that_has_to_wait_is_ended_by_the_server_and_takes_the_long_way(
    database_url: str, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server itself ends what commits itself, well within the vendor's tail: whatever becomes of us meanwhile, nothing
    is written after that."""
    assert postgres.DECLARATION.vendor_tail_s > QUICK_S
    monkeypatch.setattr(postgres, "QUICK_S", 0.2)
    monkeypatch.setattr(postgres_write, "QUICK_S", 0.2)
    await person.execute("INSERT INTO things (name) VALUES ('a')")
    results: list[WriteResult] = []
    connector = await postgres.connect({"url": database_url})

    async def write() -> None:
        results.append(await write_one(connector, "things", TWO[0]))

    blocker = await asyncpg.connect(database_url)
    async with anyio.create_task_group() as group, blocker.transaction():
        await blocker.execute("LOCK public.things")
        group.start_soon(write)
        await waiting_line(person, besides=await waiting_line(person))
    assert [result.status for result in results] == [WriteStatus.DONE]
    assert await person.fetchval("SELECT name FROM things") == "x"
    await blocker.close()
    await connector.aclose()


async def test_a_single_update_with_little_time_left_commits_only_after_a_last_look_at_the_clock(
    database_url: str, person: Person, connector: postgres.PostgresConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the long way, on which nothing is done before COMMIT: a line that is cut may be tried again."""
    monkeypatch.setattr(postgres_write, "QUICK_S", 29.0)
    await person.execute("INSERT INTO things (name) VALUES ('a')")
    results: list[WriteResult] = []

    async def write() -> None:
        with anyio.CancelScope(deadline=anyio.current_time() + 25):
            results.append(await write_one(connector, "things", TWO[0]))

    blocker = await asyncpg.connect(database_url)
    async with anyio.create_task_group() as group, blocker.transaction():
        await blocker.execute("LOCK public.things")
        group.start_soon(write)
        query = "SELECT xact_start < query_start FROM pg_stat_activity WHERE pid = $1"
        began_before = await person.fetchval(query, await waiting_line(person))
        group.cancel_scope.cancel()
    assert began_before
    assert results == []
    assert await person.fetchval("SELECT name FROM things") == "a"
    await blocker.close()


async def waiting_line(person: Person, *, besides: int = 0) -> int:
    """The process that serves a line of the connector, once it waits for a lock."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tandem' AND wait_event_type = 'Lock' AND pid <> $1"
    with anyio.fail_after(60):
        while (pid := await person.fetchval(query, besides)) is None:  # noqa: ASYNC110 - another process's state
            await anyio.sleep(0.01)
    return int(pid)


async def test_line_cut_during_commit_is_unknown(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    results: list[WriteResult] = []

    async def write() -> None:
        results.extend(await connector.write("things", [Write(Op.CREATE, native={"name": "x"})] * 2, []))

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await wait_for(person, "wait_event = 'PgSleep' AND query LIKE 'COMMIT%'")
        await cut_lines(person)
    assert {result.status for result in results} == {WriteStatus.UNKNOWN}


async def test_column_added_while_connected(person: Person, connector: postgres.PostgresConnector) -> None:
    await person.execute("INSERT INTO things (name) VALUES ('a')")
    await look(connector, "things", "1", "name")
    await person.execute("ALTER TABLE things ADD COLUMN more int DEFAULT 5, ALTER COLUMN name TYPE text")
    assert (await look(connector, "things", "1", "name", "more")).native == {"name": "a", "more": 5}


async def test_thousand_writes_at_once(person: Person, connector: postgres.PostgresConnector) -> None:
    creates = [Write(Op.CREATE, native={"name": f"n{n}", "note": "same"}) for n in range(1000)]
    created = await connector.write("things", creates, ["name"])
    assert [result.record and result.record.native["name"] for result in created] == [
        f"n{n}" for n in range(1000)
    ]
    updates = [
        Write(
            Op.UPDATE, id=result.id, native={"note": "new"}, seen={"note": "old" if n % 100 == 0 else "same"}
        )
        for n, result in enumerate(created)
    ]
    updated = await connector.write("things", updates, ["note"])
    assert [n for n, result in enumerate(updated) if result.status is WriteStatus.MOVED_ON] == list(
        range(0, 1000, 100)
    )
    assert await person.fetchval("SELECT count(*) FROM things WHERE note = 'new'") == 990
