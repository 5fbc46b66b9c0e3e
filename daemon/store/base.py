"""What every part of the PostgreSQL store is made of: reading, transactions, transactions under a lease."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from actors.core.errors import LeaseLost
from actors.ports import Clock, Lease
from daemon.secrets import SecretBox
from daemon.store.pool import Connection, Pool, translated
from daemon.store.queries import sql


class Base:
    """Holds the pool (which belongs to the caller), the clock and the box of secrets."""

    def __init__(self, pool: Pool, clock: Clock, secrets: SecretBox) -> None:
        self._pool = pool
        self._clock = clock
        self._secrets = secrets

    async def _fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        with translated():
            return await self._pool.fetch(query, *arguments)

    async def _row(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        with translated():
            return await self._pool.fetchrow(query, *arguments)

    async def _value(self, query: str, *arguments: Any) -> Any:
        with translated():
            return await self._pool.fetchval(query, *arguments)

    async def _execute(self, query: str, *arguments: Any) -> int:
        """Rows touched."""
        with translated():
            return touched(await self._pool.execute(query, *arguments))

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection

    @asynccontextmanager
    async def _fenced(self, lease: Lease) -> AsyncIterator[Connection]:
        """A transaction that shares the link's row: nobody can take the lease before it has ended."""
        async with self._transaction() as connection:
            if await connection.fetchval(sql("fence"), lease.link, lease.owner, lease.epoch) is None:
                raise lost(lease)
            yield connection

    async def _as_holder(self, lease: Lease, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """One statement that carries its own fence ({fence}) and returns a row wherever the lease is held."""
        rows = await self._fetch(query, lease.link, lease.owner, lease.epoch, *arguments)
        if not rows:
            raise lost(lease)
        return rows


def lost(lease: Lease) -> LeaseLost:
    """The lease is somebody else's, or ran out."""
    return LeaseLost(f"link {lease.link} is no longer held by {lease.owner} at epoch {lease.epoch}")


def touched(status: str) -> int:
    """Rows of a command tag such as "UPDATE 3"."""
    return int(status.rpartition(" ")[2])
