"""The PostgreSQL store keeps the contract of the Store port, and what only a real server can show: races, plans of
the planner, lost connections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest

from actors.core.errors import Kind, LeaseLost, Scope, TandemError
from actors.core.gates import KEPT_OUT
from actors.core.plan import RESTORE
from actors.ports import Lease, Settlement
from daemon.store.pg import PgStore
from daemon.store.pool import Pool, open_pool
from daemon.store.queries import sql
from tests.store import contract, contract_recovery, contract_rows, contract_runs, contract_work
from tests.store.pgworld import BOX, PgWorld
from tests.store.world import TTL_S, HandClock, create, half, hint, leased

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(pool: Pool) -> PgWorld:
    world = PgWorld(pool)
    await world.fill()
    return world


class TestLinks(contract.LinkContract):
    pass


class TestFence(contract.FenceContract):
    pass


class TestInbox(contract.InboxContract):
    pass


class TestRuns(contract_runs.RunContract):
    pass


class TestActions(contract_runs.ActionContract):
    pass


class TestBindings(contract_work.BindingContract):
    pass


class TestSettle(contract_work.SettleContract):
    pass


class TestRows(contract_rows.RowsContract):
    pass


class TestGenerations(contract_work.GenerationContract):
    pass


class TestKeyGroups(contract_work.KeyGroupContract):
    pass


class TestParked(contract_runs.ParkedContract):
    pass


class TestPlans(contract_runs.PlanContract):
    pass


class TestRecovery(contract_recovery.RecoveryContract):
    pass


async def waiting(pool: Pool) -> None:
    """Until somebody waits for a lock; a session that waits sends no event."""
    query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with anyio.fail_after(60):
        while not await pool.fetchval(query):  # noqa: ASYNC110
            await anyio.sleep(0.01)


@pytest.fixture
async def outsider(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A session outside the pool."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_the_taker_waits_for_the_commit_under_way(
    world: PgWorld, outsider: asyncpg.Connection[asyncpg.Record]
) -> None:
    lease = await leased(world, owner="w1")
    taken: list[Lease | None] = []

    async def take() -> None:
        taken.append(await world.store.take_lease("l1", "w1", 60.0))

    async with anyio.create_task_group() as group, outsider.transaction():
        await outsider.fetchval(sql("fence"), lease.link, lease.owner, lease.epoch)
        group.start_soon(take)
        await waiting(world.pool)
        assert taken == []
    assert taken[0] is not None
    assert taken[0].epoch == lease.epoch + 1


async def test_a_connection_lost_in_a_transaction_is_transient_and_leaves_nothing(
    world: PgWorld, outsider: asyncpg.Connection[asyncpg.Record]
) -> None:
    lease = await leased(world)
    caught: list[TandemError] = []

    async def settle() -> None:
        try:
            await world.store.settle(
                lease, Settlement("r1", bindings=(half("a", "A1"),), hints=(hint("A1"),))
            )
        except TandemError as error:
            caught.append(error)

    async with anyio.create_task_group() as group, outsider.transaction():
        await outsider.fetchval(sql("inbox_lock"), "l1")
        group.start_soon(settle)
        await waiting(world.pool)
        await outsider.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where wait_event_type = 'Lock' and datname = current_database()"
        )
    (error,) = caught
    assert (error.kind, error.scope) == (Kind.TRANSIENT, Scope.LINK)
    assert "PostgreSQL" in error.hint
    assert await world.store.bindings("l1", "customers", "a", ["A1"]) == []
    await world.store.settle(lease, Settlement("r1", bindings=(half("a", "A1"),)))


async def test_a_cancelled_settlement_leaves_nothing_and_the_pool_whole(
    world: PgWorld, outsider: asyncpg.Connection[asyncpg.Record]
) -> None:
    lease = await leased(world)
    work = Settlement("r1", bindings=(half("a", "A1"),), hints=(hint("A1"),))
    async with anyio.create_task_group() as group, outsider.transaction():
        await outsider.fetchval(sql("inbox_lock"), "l1")
        group.start_soon(world.store.settle, lease, work)
        await waiting(world.pool)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await outsider.fetchval("select 1")
    assert await world.store.bindings("l1", "customers", "a", ["A1"]) == []
    assert len(await world.store.settle(lease, work)) == 1


async def test_a_store_that_is_not_there(tmp_path_factory: pytest.TempPathFactory, database: str) -> None:
    folder = tmp_path_factory.mktemp("no-server")
    with pytest.raises(TandemError) as away:
        await open_pool(f"postgresql://tandem@/tandem?host={folder}")
    assert (away.value.kind, away.value.scope) == (Kind.TRANSIENT, Scope.LINK)
    with pytest.raises(TandemError) as wrong:
        await open_pool(database.replace("/tandem_shared?", "/no_such_database?"))
    assert wrong.value.kind is Kind.CONFIG
    assert "no_such_database" in wrong.value.message


async def test_a_closed_pool_is_transient(database: str) -> None:
    pool = await open_pool(database)
    await pool.close()
    with pytest.raises(TandemError) as caught:
        await PgStore(pool, HandClock(), BOX).link("l1")
    assert caught.value.kind is Kind.TRANSIENT


async def test_intents_are_flushed_even_where_the_session_does_not_ask_for_it(
    world: PgWorld, database: str
) -> None:
    await world.pool.execute("""
        create function note() returns trigger language plpgsql as $$
            begin
                insert into audit (at, tenant, actor, action, target)
                values (0, '', '', 'synchronous_commit', current_setting('synchronous_commit'));
                return null;
            end
        $$;
        create trigger note after insert on actions for each statement execute function note();
    """)
    try:
        lease = await leased(world)
        pool = await open_pool(database, size_max=1)
        await pool.execute("set synchronous_commit = off")
        await PgStore(pool, world.clock, BOX).intend(lease, "r1", [create(2)])
        assert await pool.fetchval("show synchronous_commit") == "off"
        await pool.close()
        noted = await world.pool.fetch("select target from audit where action = 'synchronous_commit'")
        assert [row["target"] for row in noted] == ["on"]
    finally:
        await world.pool.execute("drop function note cascade")


async def test_matching_by_key_uses_its_indexes(world: PgWorld) -> None:
    await world.pool.execute("""
        with stream as (insert into streams (link, name) values ('l1', 'customers') returning id)
        insert into bindings (stream_id, state, rev, a_id, b_id, base, keys, map_ver)
        select stream.id, 'settled', 1, 'A' || n, 'B' || n, '{}', array[n * 7919], ''
        from stream, generate_series(1, 20000) as n
    """)
    await world.store.settle(
        await leased(world), Settlement("r1", bindings=(half("a", "X", 7919), half("b", "Y", 5)))
    )
    await world.pool.execute("analyze bindings")
    rows = await world.pool.fetch(
        "explain " + sql("key_groups"), "l1", "customers", None, 100, RESTORE, KEPT_OUT
    )
    plan = "\n".join(row[0] for row in rows)
    assert "bindings_new_1" in plan
    assert "bindings_key_1" in plan
    assert "Seq Scan on bindings" not in plan
    many = list(range(0, 7919 * 5000, 7919))
    rows = await world.pool.fetch(
        "explain " + sql("bindings_sharing", level=0), "l1", "customers", many, 5000
    )
    plan = "\n".join(row[0] for row in rows)
    assert "bindings_key_1" in plan
    assert "bindings_pkey" not in plan and "Seq Scan on bindings" not in plan
    (group,) = await world.store.key_groups("l1", "customers", 0, None, 100)
    assert (group.hash, len(group.a), len(group.b), len(group.taken)) == (7919, 1, 0, 1)


async def test_a_lease_ends_by_the_clock_of_the_database(world: PgWorld) -> None:
    lease = await world.store.take_lease("l1", "w1", 0.0)
    assert lease is not None
    with pytest.raises(LeaseLost):
        await world.store.renew_lease(lease, TTL_S)
    assert await world.store.take_lease("l1", "w2", TTL_S) is not None
