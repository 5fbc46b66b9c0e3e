"""The chain of migrations leaves what schema.sql says, once, whoever starts at the same time, and never backwards."""

from __future__ import annotations

from pathlib import Path

import anyio
import asyncpg
import pytest

from actors.core.errors import Kind, TandemError
from daemon.store.migrate import SCHEMA, Migration, migrate, migrations
from daemon.store.queries import FOLDER, parse, sql

pytestmark = pytest.mark.anyio

CATALOG = """
select 'column' as kind, c.relname || '.' || a.attname as name,
    concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, o.collname,
        pg_get_expr(d.adbin, d.adrelid), a.attnum, c.reloptions::text) as what
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_collation as o on o.oid = a.attcollation
left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
union all
select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
union all
select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'public'::regnamespace
union all
select 'sequence', s.relname, concat_ws(' ', q.seqincrement, q.seqcache, q.seqstart, format_type(q.seqtypid, null),
    d.refobjid::regclass)
from pg_class as s
join pg_sequence as q on q.seqrelid = s.oid
left join pg_depend as d on d.objid = s.oid and d.deptype in ('a', 'i')
union all
select 'routine or trigger', proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace
order by 1, 2
"""


async def catalog(connection: asyncpg.Connection[asyncpg.Record]) -> list[tuple[str, str, str]]:
    rows = [(row["kind"], row["name"], row["what"]) for row in await connection.fetch(CATALOG)]
    return [row for row in rows if "schema_migrations" not in row[1]]


async def test_the_chain_leaves_the_schema(empty_database: str, database: str) -> None:
    by_schema, by_chain = await asyncpg.connect(empty_database), await asyncpg.connect(database)
    await by_schema.execute(SCHEMA.read_text("utf-8"))
    expected = await catalog(by_schema)
    assert len(expected) > 200
    assert await catalog(by_chain) == expected
    await by_schema.close()
    await by_chain.close()


async def test_migrating_again_does_nothing(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    assert await migrate(connection) == [step.version for step in migrations()]
    assert await migrate(connection) == []
    await connection.close()


async def test_daemons_that_start_at_once_take_turns(empty_database: str) -> None:
    applied: list[list[int]] = []

    async def start() -> None:
        connection = await asyncpg.connect(empty_database)
        applied.append(await migrate(connection))
        await connection.close()

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(start)
    assert sorted(applied) == [[], [], [], [step.version for step in migrations()]]


async def test_a_step_that_fails_leaves_the_steps_before_it_and_nothing_of_itself(
    empty_database: str,
) -> None:
    connection = await asyncpg.connect(empty_database)
    steps = [
        Migration(1, "good", "create table good ()"),
        Migration(2, "bad", "create table half_done (); select no_such_column from good"),
    ]
    with pytest.raises(TandemError, match="no_such_column"):
        await migrate(connection, steps)
    assert await connection.fetchval("select to_regclass('half_done')") is None
    mended = [steps[0], Migration(2, "bad", "create table half_done ()")]
    assert await migrate(connection, mended) == [2]
    await connection.close()


async def test_a_database_that_is_newer_is_refused(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    await migrate(connection)
    newest = len(migrations())
    await connection.execute(
        "insert into schema_migrations (version, name) values ($1, 'future')", newest + 1
    )
    with pytest.raises(
        TandemError, match=f"schema version {newest + 1}, this tandemd knows only up to {newest}"
    ) as caught:
        await migrate(connection)
    assert caught.value.kind is Kind.CONFIG
    assert "newer tandemd" in caught.value.hint
    await connection.close()


def test_the_numbers_of_the_steps_have_no_gap(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("select 1")
    (tmp_path / "0003_third.sql").write_text("select 1")
    with pytest.raises(ValueError, match="should be 0002_name"):
        migrations(tmp_path)


async def test_every_query_is_one_that_the_schema_knows(database: str) -> None:
    connection = await asyncpg.connect(database)
    names = [name for path in sorted(FOLDER.glob("*.sql")) for name, _ in parse(path.read_text("utf-8"))]
    assert len(names) == len(set(names)) > 50
    for name in names:
        for side in ("a", "b"):
            await connection.prepare(sql(name, side=side))
    await connection.close()


async def test_bindings_keep_what_they_are_when_their_stream_becomes_a_number(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    await migrate(connection, migrations()[:1])
    await connection.execute("""
        insert into bindings (link, stream, state, rev, a_id, b_id, a_dev, base, keys, map_ver, a_gen)
        select 'l' || n % 2, 'customers', 'settled', n, 'A' || n, 'B' || n, 'dev', '{"name":"x"}', array[n], 'v', 3
        from generate_series(1, 5) as n
    """)
    assert await migrate(connection) == [step.version for step in migrations()[1:]]
    rows = await connection.fetch(sql("bindings_by_id", side="b"), "l1", "customers", ["B1", "B2", "B3"])
    assert [(row["stream"], row["a_id"], row["rev"], row["a_dev"], row["keys"]) for row in rows] == [
        ("customers", "A1", 1, "dev", [1]),
        ("customers", "A3", 3, "dev", [3]),
    ]
    assert await connection.fetchval("select nextval('binding_key')") == 6
    await connection.close()
