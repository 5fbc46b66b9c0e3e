"""Tokens of connections: sealed, renewed in turns, and gone with what they were drawn for."""

from __future__ import annotations

import anyio
import pytest

from clients.connectors.http.kept import Held, Kept
from daemon.store import kept_tokens
from daemon.store.kept_tokens import KeptTokens
from daemon.store.pool import Pool
from tests.store.pgworld import BOX, PgWorld

pytestmark = pytest.mark.anyio
KEPT = Kept("access-token-1", 1000.0, "refresh-token-1")


@pytest.fixture
async def world(pool: Pool) -> PgWorld:
    world = PgWorld(pool)
    await world.fill()
    return world


@pytest.fixture
def tokens(world: PgWorld) -> KeptTokens:
    return KeptTokens(world.pool, world.clock, BOX)


async def test_what_was_kept_is_there_and_sealed(world: PgWorld, tokens: KeptTokens) -> None:
    keeper = tokens.keeper("c1")
    assert await keeper.load("password") == Held()
    assert await keeper.begin("password", 0)
    assert await keeper.load("password") == Held(None, 0, True)
    assert await keeper.store("password", KEPT) == 1
    assert await tokens.keeper("c1").load("password") == Held(KEPT, 1, False)
    assert await keeper.load("another") == Held(), "credentials that were changed begin anew"
    (row,) = await world.pool.fetch("select kept_tokens::text as all, sealed from kept_tokens")
    assert "password" not in row["all"]
    assert b"token-1" not in row["sealed"]


async def test_one_at_a_time_renews_and_who_died_loses_the_turn(
    tokens: KeptTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tokens.keeper("c1"), tokens.keeper("c1")
    won: list[bool] = []

    async def begin(keeper: kept_tokens.ConnectionKeeper) -> None:
        won.append(await keeper.begin("of", 0))

    async with anyio.create_task_group() as group:
        for keeper in (one, other):
            group.start_soon(begin, keeper)
    assert sorted(won) == [False, True]
    await one.release("of")
    await other.release("of")
    monkeypatch.setattr(kept_tokens, "TURN_S", 0.0)
    assert await one.begin("of", 0)
    assert await other.begin("of", 0), "whoever had it is dead by now"
    await other.store("of", KEPT)
    assert not await one.begin("of", 0), "that one was renewed meanwhile"
    monkeypatch.undo()
    assert await one.begin("of", 1)
    assert not await other.begin("of", 1)
    await tokens.free_turns()
    assert await other.begin("of", 1)
    assert (await other.load("of")).asked


async def test_tokens_go_with_their_credentials_and_their_connection(
    world: PgWorld, tokens: KeptTokens
) -> None:
    made = await world.admin.create_connection(
        "t1", "books", "winbooks", {}, {}, id_="con-new", kept=tokens.sealed("con-new", {"old": KEPT})
    )
    keeper = tokens.keeper(made.id)
    assert (await keeper.load("old")).kept == KEPT, "drawn before there was a connection"
    await keeper.store("new", KEPT)
    await tokens.forget(made.id, {"new"})
    assert [await keeper.load(of) for of in ("old", "new")] == [Held(), Held(KEPT, 1)]
    await world.admin.delete_connection(made.id)
    assert await world.pool.fetchval("select count(*) from kept_tokens") == 0
    assert not await keeper.begin("new", 0), "there is nothing to renew it for"
