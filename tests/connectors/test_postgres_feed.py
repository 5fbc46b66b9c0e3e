"""find: trigger on a real server: nothing touched is missed, other readers and the application's own writes are left alone.

Sources: field guide of failures "cursors and other people's clocks" (late commits, TRUNCATE); row B13.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest

from actors.core.errors import Kind, TandemError
from clients.connectors.systems import postgres
from tests.connectors.pgserver import database_url, postgres_url, shared_database_url

__all__ = ["database_url", "postgres_url", "shared_database_url"]

pytestmark = pytest.mark.anyio

Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def person(database_url: str) -> AsyncIterator[Person]:
    """Somebody else in the same database, with a table of things."""
    # The role may be called tandem: "$user" would make it create tables in our schema.
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "public"})
    await connection.execute("CREATE TABLE things (id int PRIMARY KEY, name text)")
    yield connection
    await connection.close()


async def opened(url: str, **settings: Any) -> postgres.PostgresConnector:
    """Open and drained for the first time, which installs what is missing; nothing is acknowledged."""
    connector = await postgres.connect({"url": url, "objects": {"things": {"find": "trigger"}}, **settings})
    try:
        await connector.drain(1)
    except BaseException:
        await connector.aclose()
        raise
    return connector


@pytest.fixture
async def connector(database_url: str, person: Person) -> AsyncIterator[postgres.PostgresConnector]:
    """A reader of that table."""
    connector = await opened(database_url)
    yield connector
    await connector.aclose()


async def drained(connector: postgres.PostgresConnector) -> list[str]:
    """The ids that were touched, acknowledged."""
    touched = await connector.drain(1000)
    await connector.ack(touched)
    return sorted(item.id for item in touched)


async def wait_for_ever(wakes: AsyncIterator[None]) -> None:
    """Until it raises."""
    with anyio.fail_after(60):
        async for _ in wakes:
            pass


async def test_redteam_16_nothing_is_installed_before_the_account_was_compared(
    database_url: str, person: Person
) -> None:
    """The address may lead to another database: whoever opens, checks and asks for the identity leaves nothing there."""
    there = "SELECT to_regnamespace('tandem') IS NOT NULL, (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)"
    connector = await postgres.connect({"url": database_url, "objects": {"things": {"find": "trigger"}}})
    await connector.check()
    await connector.identity()
    assert tuple(await person.fetchrow(there) or ()) == (False, 0)
    await connector.drain(1)
    assert tuple(await person.fetchrow(there) or ()) == (True, 4)
    await connector.aclose()


async def test_nothing_is_touched_at_first(person: Person, connector: postgres.PostgresConnector) -> None:
    assert await drained(connector) == []


async def test_key_change_touches_both_keys(person: Person, connector: postgres.PostgresConnector) -> None:
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    await drained(connector)
    await person.execute("UPDATE things SET id = 2 WHERE id = 1")
    assert await drained(connector) == ["1", "2"]


async def test_truncate_says_look_at_everything(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    await drained(connector)
    await person.execute("TRUNCATE things")
    assert await drained(connector) == [""]


async def test_statement_that_touches_many_is_one_row_each(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("INSERT INTO things SELECT n, 'x' FROM generate_series(1, 50) AS n")
    await person.execute("UPDATE things SET name = 'y' WHERE id <= 3")
    await person.execute("UPDATE things SET name = 'z' WHERE false")
    assert await person.fetchval("SELECT count(*) FROM tandem.feed_touched") == 53
    touched = await connector.drain(1000)
    assert len(touched) == 50
    assert {item.id for item in touched if len(item.ack.split(",")) == 2} == {"1", "2", "3"}
    await connector.ack(touched)
    assert await person.fetchval("SELECT count(*) FROM tandem.feed_touched") == 0


async def test_upsert_and_merge_are_fed(person: Person, connector: postgres.PostgresConnector) -> None:
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    await drained(connector)
    await person.execute(
        "INSERT INTO things VALUES (1, 'y'), (2, 'y') ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    assert await drained(connector) == ["1", "2"]
    await person.execute(
        "MERGE INTO things t USING (VALUES (1), (3)) AS w(id) ON t.id = w.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (w.id, 'm')"
    )
    assert await drained(connector) == ["1", "3"]


async def test_late_commit_with_a_lower_number(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    late = await asyncpg.connect(database_url)
    async with late.transaction():
        await late.execute("INSERT INTO things VALUES (1, 'late')")
        await person.execute("INSERT INTO things VALUES (2, 'early')")
        assert await drained(connector) == ["2"]
    assert await drained(connector) == ["1"]
    await late.close()


async def test_transaction_with_an_old_snapshot_feeds_a_new_reader(database_url: str, person: Person) -> None:
    """It can't see that a reader was added meanwhile; its writes must reach that reader all the same."""
    old = await asyncpg.connect(database_url)
    async with old.transaction(isolation="repeatable_read"):
        await old.fetchval("SELECT count(*) FROM pg_class")
        connector = await opened(database_url)
        await old.execute("INSERT INTO things VALUES (7, 'old')")
    assert await drained(connector) == ["7"]
    await connector.aclose()
    await old.close()


async def test_two_readers_do_not_take_from_each_other(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    other = await opened(database_url, consumer="the other")
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    assert await drained(connector) == ["1"]
    assert await drained(other) == ["1"]
    await person.execute("INSERT INTO things VALUES (2, 'x')")
    await other.uninstall()
    assert await drained(connector) == ["2"]
    await person.execute("INSERT INTO things VALUES (3, 'x')")
    assert await drained(connector) == ["3"]
    assert await person.fetchval("SELECT count(*) FROM tandem.feed_consumers") == 1
    await other.aclose()


async def test_reader_that_comes_again_finds_what_happened_meanwhile(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    await connector.aclose()
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    again = await opened(database_url)
    assert await drained(again) == ["1"]
    await again.aclose()


async def test_uninstall_leaves_nothing_behind(person: Person, connector: postgres.PostgresConnector) -> None:
    await connector.uninstall()
    assert await person.fetchval("SELECT to_regnamespace('tandem')") is None
    assert await person.fetchval("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0
    await person.execute("INSERT INTO things VALUES (1, 'x')")


async def test_forgotten_reader_costs_nothing_any_more(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    await person.execute("SELECT tandem.forget(name) FROM tandem.feed_consumers")
    await person.execute("INSERT INTO things VALUES (2, 'x')")
    assert await person.fetchval("SELECT count(*) FROM tandem.feed_touched") == 0


@pytest.mark.parametrize(
    "loss",
    [
        "ALTER TABLE things DISABLE TRIGGER USER",
        "DROP TRIGGER tandem_1_update ON things",
        "DROP TABLE things; CREATE TABLE things (id int PRIMARY KEY, name text)",
        "ALTER TABLE things RENAME COLUMN id TO number",
    ],
    ids=["disabled", "dropped", "made anew", "key renamed"],
)
async def test_lost_trigger_comes_back_with_a_look_at_everything(
    database_url: str, person: Person, connector: postgres.PostgresConnector, loss: str
) -> None:
    await person.execute(loss)
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    again = await opened(database_url)
    assert "" in await drained(again)
    await person.execute("UPDATE things SET name = 'y'")
    assert await drained(again) == ["1"]
    await again.aclose()


async def test_renamed_key_does_not_stop_the_application(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("ALTER TABLE things RENAME COLUMN id TO number")
    await person.execute("INSERT INTO things VALUES (1, 'x')")
    assert await drained(connector) == [""]


async def test_object_that_is_none_any_more_loses_its_triggers(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("CREATE TABLE others (id int PRIMARY KEY)")
    name = await person.fetchval("SELECT name FROM tandem.feed_consumers")
    moved = await postgres.connect(
        {"url": database_url, "consumer": name, "objects": {"others": {"find": "trigger"}}}
    )
    await person.execute("INSERT INTO things VALUES (1, 'x'); INSERT INTO others VALUES (5)")
    assert "1" not in await drained(moved)
    await moved.aclose()


async def test_queue_stops_growing(person: Person, connector: postgres.PostgresConnector) -> None:
    await person.execute("SET tandem.queue_max = '10'")
    for number in range(40):
        await person.execute("INSERT INTO things VALUES ($1, 'x')", number)
    assert await person.fetchval("SELECT count(*) FROM tandem.feed_touched") <= 13
    touched = await drained(connector)
    assert "" in touched
    await person.execute("UPDATE things SET name = 'y' WHERE id = 39")
    assert await drained(connector) == ["39"]


async def test_partitioned_table(database_url: str, person: Person) -> None:
    """Writes to a partition by its own name are seen, under the name of the whole table."""
    await person.execute(
        "DROP TABLE things; CREATE TABLE things (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF things FOR VALUES FROM (0) TO (100);"
        "CREATE TABLE high PARTITION OF things FOR VALUES FROM (100) TO (200)"
    )
    connector = await opened(database_url)
    await person.execute("INSERT INTO things VALUES (1, 'x'), (101, 'x'); INSERT INTO low VALUES (2, 'x')")
    assert await drained(connector) == ["1", "101", "2"]
    await person.execute("UPDATE things SET id = 102 WHERE id = 1; DELETE FROM high WHERE id = 101")
    assert await drained(connector) == ["1", "101", "102"]
    await person.execute("TRUNCATE things")
    assert await drained(connector) == [""]
    await connector.aclose()
    again = await opened(database_url)
    assert await drained(again) == []
    await again.aclose()


async def test_view_and_parent_are_refused(database_url: str, person: Person) -> None:
    await person.execute(
        "CREATE VIEW seen AS SELECT * FROM things; CREATE TABLE child (more int) INHERITS (things)"
    )
    for table in ({"table": "seen", "key": "id"}, {"table": "things"}):
        with pytest.raises(TandemError, match="can't watch") as caught:
            await postgres.connect({"url": database_url, "objects": {"x": {**table, "find": "trigger"}}})
        assert caught.value.kind is Kind.CONFIG


async def test_two_phase_commit_still_works(person: Person, connector: postgres.PostgresConnector) -> None:
    """NOTIFY would make PREPARE TRANSACTION fail."""
    if await person.fetchval("SELECT current_setting('max_prepared_transactions')") == "0":
        pytest.skip("the server has max_prepared_transactions = 0")
    await person.execute("BEGIN; INSERT INTO things VALUES (1, 'x'); PREPARE TRANSACTION 'two'")
    assert await drained(connector) == []
    await person.execute("COMMIT PREPARED 'two'")
    assert await drained(connector) == ["1"]


async def test_watch_is_notified(database_url: str, person: Person) -> None:
    """With NOTIFY allowed the wake-up comes at once, and not with the next poll."""
    await person.execute(f"ALTER DATABASE \"{database_url.rsplit('/', 1)[1]}\" SET tandem.notify = 'on'")
    await person.execute("SET tandem.notify = 'on'")
    connector = await opened(database_url)
    wakes = connector.watch()
    await anext(wakes)
    with anyio.fail_after(60):
        await person.execute("INSERT INTO things VALUES (1, 'x')")
        await anext(wakes)
    assert await drained(connector) == ["1"]
    await wakes.aclose()
    await connector.aclose()


async def test_watch_raises_when_the_line_is_lost(
    person: Person, connector: postgres.PostgresConnector
) -> None:
    wakes = connector.watch()
    await anext(wakes)
    await person.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%max_prepared%' "
        "AND application_name = 'tandem'"
    )
    with pytest.raises(TandemError) as caught:
        await wait_for_ever(wakes)
    assert caught.value.kind is Kind.TRANSIENT


async def test_installing_without_rights(database_url: str, person: Person) -> None:
    await person.execute("CREATE ROLE poor LOGIN PASSWORD 'poor'; GRANT SELECT, INSERT ON things TO poor")
    try:
        poor = database_url.replace(database_url.split("://")[1].split("@", maxsplit=1)[0], "poor:poor")
        with pytest.raises(TandemError, match="denied") as caught:
            await opened(poor)
        assert caught.value.kind is Kind.CONFIG
        assert "find: modified" in caught.value.hint
        # Once it is installed, the application's role needs no rights on the queue.
        connector = await opened(database_url)
        await person.execute("SET ROLE poor; INSERT INTO things VALUES (1, 'x'); RESET ROLE")
        assert await drained(connector) == ["1"]
        await connector.aclose()
    finally:
        await person.execute("DROP OWNED BY poor; DROP ROLE poor")
