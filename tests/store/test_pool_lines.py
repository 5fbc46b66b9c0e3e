"""The pool keeps lines in hand for single statements, and lets go of them when something is wrong (daemon/store/pool.py)."""

from __future__ import annotations

from typing import Any

import anyio
import asyncpg
import pytest

from daemon.store.pool import KEPT_MAX, Pool, _lives, open_pool

pytestmark = pytest.mark.anyio

PID = "select pg_backend_pid()"


async def test_one_statement_after_the_other_goes_by_the_same_line(pool: Pool) -> None:
    assert len({await pool.fetchval(PID) for _ in range(5)}) == 1
    row: Any = await pool.fetchrow("select 1 as one")
    assert (row["one"], await pool.execute("select 1")) == (1, "SELECT 1")


async def test_statements_at_once_have_a_line_each_and_few_are_kept(pool: Pool) -> None:
    pids: list[int] = []

    async def one() -> None:
        pids.append(await pool.fetchval(f"{PID} from pg_sleep(0.1)"))

    async with anyio.create_task_group() as tasks:
        for _ in range(KEPT_MAX + 2):
            tasks.start_soon(one)
    assert len(set(pids)) == KEPT_MAX + 2
    assert pool.get_size() - pool.get_idle_size() == KEPT_MAX


async def test_a_line_that_was_cut_is_not_taken_again(pool: Pool) -> None:
    await pool.fetchval(PID)
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)):
        await pool.fetchval("select pg_terminate_backend(pg_backend_pid())")
    assert await pool.fetchval("select 7") == 7


async def test_a_line_that_was_cut_while_it_was_kept_is_replaced(pool: Pool) -> None:
    kept = await pool.fetchval(PID)
    async with pool.acquire() as other:
        await other.execute("select pg_terminate_backend($1)", kept)
    with anyio.fail_after(60):
        while any(map(_lives, pool._kept)):  # type: ignore[attr-defined]  # noqa: ASYNC110 - until it hears of it
            await anyio.sleep(0.01)
    assert await pool.fetchval("select 7") == 7


async def test_a_refused_statement_spoils_nothing(pool: Pool) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await pool.fetchval("select 1 / 0")
    assert await pool.fetchval("select 7") == 7


async def test_closing_waits_for_nobody(database: str) -> None:
    pool = await open_pool(database)
    await pool.fetchval(PID)
    with anyio.fail_after(60):
        await pool.close()
    assert pool.get_size() == 0
