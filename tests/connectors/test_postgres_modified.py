"""find: modified on a real server: the cursor never passes a row that becomes visible later, and always comes to an end.

Source: field guide of failures "cursors and other people's clocks"; row B13. Equal times, edits during paging and the
plain late commit are in the contract.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest

from actors.core.errors import Kind, TandemError
from clients.connectors.systems import postgres
from clients.connectors.systems.postgres_modified import Horizon, Mark, advanced, started
from tests.connectors.pgserver import database_url, postgres_url, shared_database_url

__all__ = ["database_url", "postgres_url", "shared_database_url"]

pytestmark = pytest.mark.anyio

Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def person(database_url: str) -> AsyncIterator[Person]:
    """Somebody else in the same database, with a table of things."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "public"})
    await connection.execute(
        "CREATE TABLE things (id int PRIMARY KEY, name text, at timestamptz DEFAULT now())"
    )
    yield connection
    await connection.close()


async def opened(url: str, **settings: Any) -> postgres.PostgresConnector:
    """Without overlap, so that only the horizon can save a late row."""
    objects = {"things": {"modified": "at"}}
    return await postgres.connect({"url": url, "objects": objects, "overlap_s": 0, **settings})


async def found(connector: postgres.PostgresConnector, cursor: str, limit: int = 10) -> tuple[list[str], str]:
    """All ids up to the end of the pass, and the cursor there."""
    ids: list[str] = []
    for _ in range(50):
        page = await connector.changes("things", cursor, ["name"], limit)
        ids += [record.id for record in page.records]
        cursor = page.cursor
        if not page.more:
            return sorted(ids), cursor
    raise AssertionError("the pass does not end")


async def test_quiet_after_everything_was_seen(database_url: str, person: Person) -> None:
    connector = await opened(database_url)
    _, cursor = await found(connector, "")
    await person.execute("INSERT INTO things (id) VALUES (1), (2)")
    ids, cursor = await found(connector, cursor, limit=1)
    assert ids == ["1", "2"]
    assert (await found(connector, cursor))[0] == []
    await connector.aclose()


async def test_future_date_does_not_move_the_cursor(database_url: str, person: Person) -> None:
    connector = await opened(database_url)
    _, cursor = await found(connector, "")
    await person.execute("INSERT INTO things VALUES (1, 'x', '2999-01-01'), (2, 'x', 'infinity')")
    ids, cursor = await found(connector, cursor, limit=1)
    assert ids == ["1", "2"]
    await person.execute("INSERT INTO things (id) VALUES (3)")
    ids, cursor = await found(connector, cursor, limit=1)
    assert ids == ["1", "2", "3"]
    await person.execute("UPDATE things SET name = 'edited' WHERE id = 1")
    assert "1" in (await found(connector, cursor))[0]
    await connector.aclose()


async def test_rows_that_change_faster_than_they_are_read_do_not_hold_the_pass(
    database_url: str, person: Person
) -> None:
    connector = await opened(database_url)
    _, cursor = await found(connector, "")
    await person.execute("INSERT INTO things (id) SELECT generate_series(1, 6)")
    page = await connector.changes("things", cursor, ["name"], 2)
    for _ in range(3):
        await person.execute("UPDATE things SET at = clock_timestamp()")
        page = await connector.changes("things", page.cursor, ["name"], 2)
    assert not page.more
    assert (await found(connector, page.cursor))[0] == ["1", "2", "3", "4", "5", "6"]
    await connector.aclose()


async def test_prepared_transaction_holds_the_cursor(database_url: str, person: Person) -> None:
    if await person.fetchval("SELECT current_setting('max_prepared_transactions')") == "0":
        pytest.skip("the server has max_prepared_transactions = 0")
    connector = await opened(database_url)
    _, cursor = await found(connector, "")
    await person.execute("BEGIN; INSERT INTO things (id) VALUES (1)")
    _, cursor = await found(connector, cursor)
    await person.execute("PREPARE TRANSACTION 'held'")
    for _ in range(3):
        ids, cursor = await found(connector, cursor)
        assert ids == []
    await person.execute("COMMIT PREPARED 'held'")
    assert (await found(connector, cursor))[0] == ["1"]
    await connector.aclose()


async def test_role_that_may_not_see_other_transactions(database_url: str, person: Person) -> None:
    name = f"blind_{secrets.token_hex(4)}"
    await person.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'blind'; GRANT SELECT ON things TO {name}")
    connector = await opened(
        database_url.replace(database_url.split("://")[1].split("@", maxsplit=1)[0], f"{name}:blind")
    )
    try:
        _, cursor = await found(connector, "")
        async with person.transaction():
            await person.execute("INSERT INTO things (id) VALUES (1)")
            for _ in range(3):
                ids, cursor = await found(connector, cursor)
                assert ids == []
        ids, cursor = await found(connector, cursor)
        assert ids == ["1"]
        _, cursor = await found(connector, cursor)
        assert (await found(connector, cursor))[0] == []
    finally:
        await connector.aclose()
        await person.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


async def test_late_commit_that_began_before_the_cursor(database_url: str, person: Person) -> None:
    """The very first cursor already waits for whoever runs at that moment."""
    connector = await opened(database_url)
    async with person.transaction():
        await person.execute("INSERT INTO things (id) VALUES (1)")
        _, cursor = await found(connector, "")
        _, cursor = await found(connector, cursor)
    assert (await found(connector, cursor))[0] == ["1"]
    await connector.aclose()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/New_York"])
@pytest.mark.parametrize("kind", ["timestamp", "date"])
async def test_times_without_zone(database_url: str, person: Person, zone: str, kind: str) -> None:
    await person.execute(f"ALTER TABLE things ALTER COLUMN at TYPE {kind}")
    with pytest.raises(TandemError, match="time zone") as caught:
        await opened(database_url)
    assert (caught.value.kind, "time_zone" in caught.value.hint) == (Kind.CONFIG, True)
    connector = await opened(database_url, time_zone=zone)
    _, cursor = await found(connector, "")
    await person.execute("INSERT INTO things VALUES (1, 'x', now() AT TIME ZONE $1)", zone)
    ids, cursor = await found(connector, cursor)
    assert ids == ["1"]
    (record,) = await connector.read("things", ["1"], [])
    age = await person.fetchval("SELECT extract(epoch FROM now())::float8 - $1::float8", record.modified)
    assert -1 < age < (86_400 * 2 if kind == "date" else 60)
    await connector.aclose()


async def test_foreign_cursor_and_column_are_refused(database_url: str, person: Person) -> None:
    connector = await opened(database_url)
    with pytest.raises(TandemError, match="no cursor") as caught:
        await connector.changes("things", "2024-01-01", [], 5)
    assert caught.value.kind is Kind.CONFIG
    await connector.aclose()
    with pytest.raises(TandemError, match="no time"):
        await opened(database_url, objects={"things": {"modified": "name"}})


def horizon(minutes: int, *, blind: str = "", oldest: int | None = None, prepared: bool = False) -> Horizon:
    return Horizon(
        NOON + minutes * MINUTE,
        prepared,
        frozenset(blind),
        None if oldest is None else NOON + oldest * MINUTE,
    )


def test_mark_waits_for_everybody_who_ran() -> None:
    mark = advanced(Mark(NOON), horizon(10, blind="ab"))
    assert mark == Mark(NOON, NOON + 10 * MINUTE, frozenset("ab"))
    assert advanced(mark, horizon(20, blind="bc")) == mark
    moved = advanced(mark, horizon(30, blind="cd"))
    assert moved == Mark(NOON + 10 * MINUTE, NOON + 30 * MINUTE, frozenset("cd"))
    assert advanced(moved, horizon(40, blind="cd", prepared=True)) == moved
    assert advanced(moved, horizon(50, oldest=45)) == Mark(NOON + 45 * MINUTE)


def test_mark_never_goes_back() -> None:
    assert advanced(Mark(NOON), horizon(10, oldest=-5)) == Mark(NOON)
    assert advanced(Mark(NOON, NOON - MINUTE, frozenset("a")), horizon(1, blind="b")).settled == NOON


def test_first_mark_is_careful() -> None:
    assert started(horizon(0)) == Mark(NOON)
    assert started(horizon(0, oldest=-5)) == Mark(NOON - 5 * MINUTE)
    assert started(horizon(0, blind="a")).settled == NOON - timedelta(days=1)
    assert started(horizon(0, prepared=True)).settled == NOON - timedelta(days=1)
