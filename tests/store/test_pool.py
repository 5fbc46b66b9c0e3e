"""The edge to PostgreSQL: what a server that is killed does to the sessions of the pool, and how long a frozen daemon may
hold what it locked.
"""

from __future__ import annotations

import asyncpg
import pytest

from actors.core.errors import Kind, TandemError
from actors.messages import Options
from daemon.store.pool import open_pool, translated
from tests.connectors.pgserver import postgres_url

__all__ = ["postgres_url"]


def test_found_by_chaos_a_session_whose_server_was_killed_in_mid_answer_is_a_store_that_is_away() -> None:
    """The pool hands such a session out once more before it notices; the engine ended with the error, and so did tandemd."""
    with pytest.raises(TandemError, match="can't be reached") as raised, translated():
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    assert raised.value.kind is Kind.TRANSIENT


def test_a_full_disk_under_the_store_is_called_that_and_waited_for() -> None:
    """It was called a store that can't be reached, with the advice to check that it runs."""
    with (
        pytest.raises(TandemError, match=r"disk is full: could not extend .*make room") as raised,
        translated(),
    ):
        raise asyncpg.DiskFullError('could not extend file "base/1/2": No space left on device')
    assert raised.value.kind is Kind.TRANSIENT


@pytest.mark.anyio
async def test_found_by_chaos_a_frozen_daemon_holds_its_links_row_no_longer_than_a_lease(
    postgres_url: str,
) -> None:
    """It was a minute: so long nobody could take over the link of a daemon that was stopped within a settlement."""
    pool = await open_pool(postgres_url)
    try:
        query = "SELECT extract(epoch FROM current_setting('idle_in_transaction_session_timeout')::interval)"
        held_s = float(await pool.fetchval(query))
    finally:
        await pool.close()
    assert 0 < held_s <= Options(owner="").lease_ttl_s
