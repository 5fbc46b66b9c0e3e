"""The pool of connections to one database: opened late, asked again where a line was lost, errors translated.

Owns time-outs and session settings. Every line must lead to the database that the first one led to: an address may be given
to another, or the database be made anew, while we are connected. Must not know tables.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import anyio
import asyncpg
from asyncpg.pool import PoolConnectionProxy

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.systems import postgres_errors as errors
from clients.connectors.systems.postgres_values import SESSION_FORMATS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
T = TypeVar("T")
CONNECT_TIMEOUT_S = 10.0
SPARE_MAX = 2
RELEASE_TIMEOUT_S = 2.0
DATABASE = "SELECT oid::text FROM pg_database WHERE datname = current_database()"
MAY_ASK_SYSTEM = "SELECT has_function_privilege('pg_control_system()', 'execute')"
SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"


class Session:
    """Connections to one database. `deadline_s`: how long one statement may take, on the server and here. `like`: another
    session, whose database it has to be."""

    def __init__(self, url: str, *, size_max: int, deadline_s: float, like: Session | None = None) -> None:
        self.deadline_s = deadline_s
        self.secrets = errors.secrets_in(url)
        self._url = url
        self._size_max = size_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        # Kept in hand: taking a line out of the pool and handing it back takes longer than many a statement.
        self._spare: list[PoolConnectionProxy[asyncpg.Record]] = []
        self._is_closed = False
        self._first = like or self
        self._database = ""  # which one the first line led to

    async def fetch(self, doing: str, query: str, *values: Any) -> Sequence[asyncpg.Record]:
        """A read: asked once more on a fresh line where the first was lost. Raises TandemError naming `doing`."""

        async def ask(connection: Connection) -> Sequence[asyncpg.Record]:
            return await connection.fetch(query, *values)

        return await self.reading(doing, ask)

    async def reading(self, doing: str, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """`ask` with a connection, and again on another one where the line was lost. Only for what may be repeated."""
        try:
            try:
                return await self._once(ask)
            except errors.FAILURES as error:
                if not errors.is_lost(error):
                    raise
            return await self._once(ask)
        except errors.FAILURES as error:
            raise errors.translated(error, doing, self.secrets) from error

    async def _once(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        async with self.connection() as connection:
            return await ask(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection of the pool; raises what asyncpg raises. A line that was lost does not go back to it."""
        pool = await self._opened()
        spare = self._spare.pop() if self._spare else None
        if spare is not None and _lives(spare):
            connection = spare
        else:
            connection = await self._acquired(pool, spare)
        done = False
        try:
            yield connection
            done = _lives(connection) and not connection.is_in_transaction()
        except errors.FAILURES as error:
            if errors.is_lost(error):
                cut(connection)
            raise
        finally:
            if done and len(self._spare) < SPARE_MAX and pool is self._pool:
                self._spare.append(connection)
            else:
                # Cancelled or not, the line is handed back here: asyncpg would go on with it behind our back.
                with anyio.CancelScope(shield=True), suppress(*errors.FAILURES):
                    await pool.release(connection, timeout=RELEASE_TIMEOUT_S)

    async def _acquired(
        self, pool: asyncpg.Pool[asyncpg.Record], dead: PoolConnectionProxy[asyncpg.Record] | None
    ) -> PoolConnectionProxy[asyncpg.Record]:
        if dead is not None:
            with anyio.CancelScope(shield=True), suppress(*errors.FAILURES):
                await pool.release(dead, timeout=RELEASE_TIMEOUT_S)
        try:
            return await pool.acquire(timeout=CONNECT_TIMEOUT_S)
        except ValueError:
            raise self._unreadable() from None
        except OSError as error:
            raise errors.at(error, self._url) from error

    async def dedicated(self) -> asyncpg.Connection[asyncpg.Record]:
        """A connection of its own, for LISTEN; the caller closes it."""
        await self._opened()
        try:
            return await asyncpg.connect(self._url, **self._options())
        except ValueError:
            raise self._unreadable() from None
        except OSError as error:
            raise errors.at(error, self._url) from error

    def _unreadable(self) -> TandemError:
        """What asyncpg says of a URL may quote it, password and all."""
        hint = "It must be postgresql://user:password@host:port/database, special characters as %xx"
        return TandemError(Kind.CONFIG, "the setting url can't be read", hint=hint)

    async def aclose(self) -> None:
        """Close all; safe to call twice. Lines that are in use are cut, for nobody may wait for them."""
        self._is_closed = True
        pool, self._pool, self._spare = self._pool, None, []
        if pool is not None:
            pool.terminate()

    async def _opened(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._is_closed:
            raise TandemError(Kind.BUG, "the postgres connection is closed already")
        if self._pool is None:
            # Without a smallest size nothing is connected here, so nobody can come in between.
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._size_max,
                init=self._recognise,
                reset=_leave_as_is,
                **self._options(),
            )
        return self._pool

    async def _recognise(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Refuse a line that leads to another database than the lines before."""
        database = str(await connection.fetchval(DATABASE))
        if await connection.fetchval(MAY_ASK_SYSTEM):
            database += f" of system {await connection.fetchval(SYSTEM)}"
        before = self._first._database
        if before and database != before:
            raise TandemError(
                Kind.CONFIG,
                f"another database answers at the address: number {database} instead of {before}",
                scope=Scope.CONNECTION,
                hint="set the address back, or make a new connection and link for the other database",
            )
        self._first._database = database

    def _options(self) -> dict[str, Any]:
        milliseconds = str(int(self.deadline_s * 1000))
        session = {
            **SESSION_FORMATS,
            "application_name": "tandem",
            "client_encoding": "UTF8",
            "default_transaction_isolation": "read committed",
            "statement_timeout": milliseconds,
            # A daemon that was frozen within a transaction must not commit when it wakes up.
            "idle_in_transaction_session_timeout": milliseconds,
        }
        # A little later than the server's own, whose answer says more.
        return {
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": self.deadline_s + 2,
            "server_settings": session,
        }


async def _leave_as_is(_: Connection) -> None:
    """No round trip to reset a session: nothing here changes one beyond its transaction."""


def _lives(connection: Connection) -> bool:
    """Whether a line in hand is open; one that was cut meanwhile has been taken back by the pool itself."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False


def cut(connection: Connection) -> None:
    """End the line at once; one that the pool has taken back already is gone anyway."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
