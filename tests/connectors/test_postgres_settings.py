"""Wrong settings, missing rights and what a postgres connection tells of itself, on a real server: each fault has its kind
and a way out, and no password is ever shown.

Source: field guide of failures "nothing knows which account is behind a connection"; rows B8, B18.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op
from actors.ports import Write
from clients.connectors.systems import postgres
from tests.connectors.pgserver import database_url, postgres_url, shared_database_url

__all__ = ["database_url", "postgres_url", "shared_database_url"]

pytestmark = pytest.mark.anyio

Person: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


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


async def test_wrong_password(
    database_url: str, person: Person, connector: postgres.PostgresConnector
) -> None:
    await person.execute("CREATE ROLE gate LOGIN PASSWORD 'right one'")
    try:
        url = with_login(database_url, "gate:wrong%20one%2F")
        if await can_log_in(url):
            pytest.skip("the server asks for no password")
        with pytest.raises(TandemError) as caught:
            await postgres.connect({"url": url})
        assert caught.value.kind is Kind.AUTH
        assert "wrong" not in f"{caught.value} {caught.value.hint}"
    finally:
        await person.execute("DROP ROLE gate")


def with_login(url: str, login: str) -> str:
    return url.replace(url.split("://")[1].split("@", maxsplit=1)[0], login)


async def can_log_in(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except asyncpg.InvalidPasswordError:
        return False
    return True


async def test_no_such_database(database_url: str) -> None:
    with pytest.raises(TandemError, match="nowhere") as caught:
        await postgres.connect({"url": database_url.rsplit("/", 1)[0] + "/nowhere"})
    assert caught.value.kind is Kind.CONFIG


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://u:secret%21word@127.0.0.1:{taken.getsockname()[1]}/d"
        with pytest.raises(TandemError) as caught:
            await postgres.connect({"url": url})
    assert caught.value.kind is Kind.TRANSIENT
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({}, ["url"]),
        ({"url": "mysql://x:hidden@y"}, ["url"]),
        ({"url": "postgresql://x:hidden@h:port/d"}, ["url"]),
        (
            {
                "url": "postgresql://h/d",
                "objects": {"a": {"tabel": "x"}, "b": {"find": "soon"}},
                "overlap_s": -1,
            },
            ["objects.a", "tabel", "objects.b.find", "overlap_s"],
        ),
        ({"url": "postgresql://h/d", "objects": {"a": {"find": "modified"}}}, ["modified"]),
        ({"url": "postgresql://h/d", "time_zone": "x'; DROP"}, ["time_zone"]),
        (
            {
                "url": "postgresql://h/d",
                "find": "trigger",
                "objects": {"a": {"table": "t"}, "b": {"table": "t"}},
            },
            ["one object only"],
        ),
    ],
)
async def test_faulty_settings_are_named_at_once(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(TandemError) as caught:
        await postgres.connect(settings)
    assert caught.value.kind is Kind.CONFIG
    assert [word for word in words if word not in str(caught.value)] == []
    assert "hidden" not in str(caught.value)


async def test_missing_table_names_those_there_are(database_url: str, person: Person) -> None:
    with pytest.raises(TandemError, match="thigns") as caught:
        await postgres.connect({"url": database_url, "objects": {"x": {"table": "thigns"}}})
    assert caught.value.kind is Kind.CONFIG
    assert "things" in caught.value.hint


async def test_keys_that_are_none(database_url: str, person: Person) -> None:
    await person.execute("CREATE TABLE bare (a int, b text)")
    for said, words in (({}, "no primary key"), ({"key": "a"}, "not unique"), ({"key": "z"}, "no column z")):
        with pytest.raises(TandemError, match=words) as caught:
            await postgres.connect({"url": database_url, "objects": {"bare": said}})
        assert caught.value.kind is Kind.CONFIG


async def test_missing_rights_are_named(database_url: str, person: Person) -> None:
    await person.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON things TO reader")
    try:
        connector = await postgres.connect({"url": with_login(database_url, "reader:reader")})
        assert await connector.read("things", ["1"], ["name"]) == []
        with pytest.raises(TandemError, match="denied") as caught:
            await connector.write("things", [Write(Op.CREATE, id="1", native={"name": "x"})] * 3, [])
        assert (caught.value.kind, caught.value.scope) == (Kind.CONFIG, Scope.STREAM)
        assert "GRANT" in caught.value.hint
        await connector.aclose()
    finally:
        await person.execute("DROP OWNED BY reader; DROP ROLE reader")


async def test_row_level_security_refuses_the_record_only(database_url: str, person: Person) -> None:
    await person.execute(
        "CREATE ROLE guest LOGIN PASSWORD 'guest'; GRANT ALL ON things, things_id_seq TO guest;"
        "ALTER TABLE things ENABLE ROW LEVEL SECURITY; CREATE POLICY nice ON things USING (name <> 'secret')"
    )
    try:
        connector = await postgres.connect({"url": with_login(database_url, "guest:guest")})
        writes = [Write(Op.CREATE, native={"name": name}) for name in ("a", "secret", "b")]
        statuses = [result.status.value for result in await connector.write("things", writes, [])]
        assert statuses == ["done", "refused", "done"]
        await connector.aclose()
    finally:
        await person.execute("DROP OWNED BY guest; DROP ROLE guest")


async def test_identity_where_the_systems_own_is_denied(database_url: str, person: Person) -> None:
    own = await postgres.connect({"url": database_url})
    known = await own.identity()
    assert known.startswith("postgres:")
    assert known.endswith(":public")
    await person.execute("CREATE SCHEMA other; CREATE ROLE lowly LOGIN PASSWORD 'lowly'")
    await person.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        lowly = await postgres.connect({"url": with_login(database_url, "lowly:lowly")})
        with pytest.raises(TandemError, match="which database") as caught:
            await lowly.identity()
        assert caught.value.kind is Kind.CONFIG
        await person.execute(f'GRANT CREATE ON DATABASE "{database_url.rsplit("/", 1)[1]}" TO lowly')
        marked = await lowly.identity()
        assert await lowly.identity() == marked != known
        await lowly.aclose()
    finally:
        await person.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
        await person.execute("DROP OWNED BY lowly CASCADE; DROP ROLE lowly")
    await own.aclose()


async def test_description_has_the_comments(person: Person, connector: postgres.PostgresConnector) -> None:
    await person.execute(
        "COMMENT ON TABLE things IS 'All things'; COMMENT ON COLUMN things.name IS 'What it is called';"
        "ALTER TABLE things ADD COLUMN code text NOT NULL, ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED;"
        "CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b))"
    )
    (described,) = await connector.describe()
    fields = {field.name: field for field in described.fields}
    assert (described.name, described.key, described.doc) == ("things", "id", "All things")
    assert fields["name"].doc == "What it is called"
    assert [name for name, field in fields.items() if field.required] == ["code"]
    assert [name for name, field in fields.items() if not field.writable] == ["twice"]
    with pytest.raises(TandemError, match="twice") as caught:
        await connector.write("things", [Write(Op.CREATE, native={"twice": 3})], [])
    assert caught.value.kind is Kind.CONFIG
