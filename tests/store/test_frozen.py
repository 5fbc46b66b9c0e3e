"""A daemon that is frozen within a transaction (SIGSTOP, a suspended machine, a cut line) holds the row of its link. Whoever
takes the link over waits for it a moment, and then ends its session.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import asyncpg
import pytest

from actors.core.errors import Kind, TandemError
from daemon.store import links
from daemon.store.pool import Connection, Pool, open_pool
from tests.daemon.process import eventually
from tests.store.pgworld import PgWorld
from tests.store.world import TTL_S

pytestmark = pytest.mark.anyio
OWNER = "a-machine-with-a-name-that-is-too-long-for-the-name-of-a-session:4711:0123abcd"
SESSION = "select {} from pg_stat_activity where application_name like 'tandemd %:4711:0123abcd' and xact_start is not null"
Frozen = Callable[[Connection], Awaitable[object]]


@pytest.fixture
async def world(pool: Pool) -> PgWorld:
    world = PgWorld(pool)
    await world.fill()
    return world


@pytest.fixture
async def frozen(world: PgWorld, database: str) -> AsyncIterator[Pool]:
    """The sessions of an owner whose lease has run out."""
    assert await world.store.take_lease("l1", OWNER, 0.0) is not None
    pool = await open_pool(database, owner=OWNER)
    yield pool
    pool.terminate()


async def copying(session: Connection) -> None:
    """In the midst of a COPY, as in a bulk load: active, says the server, and has no timeout for it."""

    async def source() -> AsyncIterator[bytes]:
        yield b"1\tsett"
        await anyio.sleep_forever()

    names = ("stream_id", "state", "rev", "map_ver", "a_id")
    await session.copy_to_table("bindings", source=source(), columns=names, format="text")


async def between(_: Connection) -> None:
    """Between two statements."""
    await anyio.sleep_forever()


async def hold(pool: Pool, then: Frozen, ended: list[BaseException]) -> None:
    """A transaction of the owner: the row is locked, as by any fence, and then nothing more comes."""
    try:
        async with pool.acquire() as session, session.transaction():
            await session.execute("select 1 from links where id = 'l1' for share")
            await then(session)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        ended.append(error)


@pytest.mark.parametrize("then, state", [(copying, "active"), (between, "idle in transaction")])
async def test_found_by_chaos_whoever_is_frozen_in_mid_transaction_does_not_keep_its_link(
    world: PgWorld, frozen: Pool, then: Frozen, state: str
) -> None:
    ended: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, frozen, then, ended)
        waits = SESSION.format(f"count(*) > 0 and bool_and(state = '{state}' and wait_event = 'ClientRead')")
        await eventually(lambda: world.pool.fetchval(waits))
        lease = await world.store.take_lease("l1", "w2", TTL_S)
        assert lease is not None and lease.epoch == 2
        # Told to end, a session is shown until it has.
        assert await eventually(lambda: world.pool.fetchval(SESSION.format("count(*) = 0")))
        tasks.cancel_scope.cancel()


async def test_an_owner_that_works_on_is_left_alone_and_the_taker_comes_again(
    world: PgWorld, frozen: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its statement is under way: what it holds ends by itself."""
    monkeypatch.setattr(links, "PATIENCE_MS", 50)
    ended: list[BaseException] = []

    async def working(session: Connection) -> None:
        await session.execute("select pg_sleep(600)")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, frozen, working, ended)
        await eventually(lambda: world.pool.fetchval(SESSION.format("bool_or(wait_event = 'PgSleep')")))
        with pytest.raises(TandemError) as caught:
            await world.store.take_lease("l1", "w2", TTL_S)
        assert caught.value.kind is Kind.TRANSIENT
        assert await world.pool.fetchval(SESSION.format("count(*) = 1")) and not ended
        await world.pool.execute(SESSION.format("pg_cancel_backend(pid)"))
        assert await eventually(lambda: world.store.take_lease("l1", "w2", TTL_S))
    assert isinstance(ended[0], asyncpg.QueryCanceledError)
