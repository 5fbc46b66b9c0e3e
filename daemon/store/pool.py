"""Connections to PostgreSQL, and the one edge where its errors become ours.

Owns the pool's settings and the translation. Must not hold queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from actors.core.errors import Kind, Scope, TandemError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Pool = Any

KEPT_MAX = 4
WAY_OUT = "check that PostgreSQL runs and can be reached; the work goes on by itself once it answers"
MAKE_ROOM = "make room on the disk of the daemon's own database; the work goes on by itself once there is"
CHECK = "check the database's address, user and password"
NOT_LET_IN = (
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)
# Nothing was committed, or the server went away: worth another try.
AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, cancelled statement
    asyncpg.InsufficientResourcesError,  # too many connections, out of memory
    asyncpg.TransactionRollbackError,  # deadlock, serialisation
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,  # our end of a closed connection or pool
    asyncpg.InternalClientError,  # a session of the pool whose server was killed in mid-answer
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
)
# A daemon that is frozen in a transaction holds its link's row, lease or not: no longer than a lease lasts by default.
FROZEN_AFTER = "15s"
NAMED_BY = 55  # characters, from the end, of an owner: a session's name has room for 63


class Contradicted(Exception):
    """A statement found that what it was told does not hold, and undid itself (it divides by zero then)."""


@contextmanager
def translated() -> Iterator[None]:
    """TRANSIENT where the store could not be reached, BUG where it refused what we sent; TandemError passes."""
    try:
        yield
    except NOT_LET_IN as error:
        raise TandemError(
            Kind.CONFIG, f"the store does not let us in: {error}", scope=Scope.LINK, hint=CHECK
        ) from error
    except asyncpg.DiskFullError as error:
        raise TandemError(
            Kind.TRANSIENT, f"the store's disk is full: {error}", scope=Scope.LINK, hint=MAKE_ROOM
        ) from error
    except AWAY as error:
        said = str(error) or type(error).__name__
        if isinstance(error, ValueError):  # asyncpg could not encode an argument
            raise bug(f"the store can't hold this: {said}") from error
        raise TandemError(
            Kind.TRANSIENT, f"the store can't be reached: {said}", scope=Scope.LINK, hint=WAY_OUT
        ) from error
    except asyncpg.DivisionByZeroError as error:
        raise Contradicted from error
    except asyncpg.PostgresError as error:
        detail = getattr(error, "detail", None)
        raise bug(f"the store refused: {error}{f' ({detail})' if detail else ''}") from error


def bug(message: str) -> TandemError:
    """The error of a transaction that contradicts what is stored; nothing of it was kept."""
    return TandemError(
        Kind.BUG, message, scope=Scope.LINK, hint="nothing was stored; the work is derived again"
    )


class KeptPool(asyncpg.Pool):
    """A pool that keeps a few lines in hand for single statements: taking one out of the pool and handing it back takes
    longer than many a statement. A line that saw any error goes back to the pool, which knows what to do with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept: list[Any] = []

    async def fetch(self, query: str, *args: Any, **_: Any) -> Any:
        """See asyncpg.Pool."""
        return await self._by_kept("fetch", query, args)

    async def fetchrow(self, query: str, *args: Any, **_: Any) -> Any:
        """See asyncpg.Pool."""
        return await self._by_kept("fetchrow", query, args)

    async def fetchval(self, query: str, *args: Any, **_: Any) -> Any:
        """See asyncpg.Pool."""
        return await self._by_kept("fetchval", query, args)

    async def execute(self, query: str, *args: Any, **_: Any) -> Any:
        """See asyncpg.Pool."""
        return await self._by_kept("execute", query, args)

    async def close(self) -> None:
        """See asyncpg.Pool."""
        while self._kept:
            await self.release(self._kept.pop())
        await super().close()

    async def _by_kept(self, method: str, query: str, args: tuple[Any, ...]) -> Any:
        line = await self._line()
        try:
            result = await getattr(line, method)(query, *args)
        except BaseException:
            await self.release(line)
            raise
        if len(self._kept) < KEPT_MAX and not self.is_closing() and _lives(line):
            self._kept.append(line)
        else:
            await self.release(line)
        return result

    async def _line(self) -> Any:
        while self._kept:
            line = self._kept.pop()
            if _lives(line):
                return line
            await self.release(line)
        return await self.acquire()


def _lives(line: Any) -> bool:
    """Whether a line in hand is open; one that was cut meanwhile has been taken back by the pool itself."""
    try:
        return not line.is_closed()
    except asyncpg.InterfaceError:
        return False


async def open_pool(dsn: str, size_max: int = 10, command_timeout_s: float = 60.0, owner: str = "") -> Pool:
    """A pool for the store; close it with `close()`. TRANSIENT when the server can't be reached. `owner`: as which this
    process takes leases; its sessions show by it whose they are (`lease_free`)."""
    with translated():
        return await KeptPool(
            dsn,
            min_size=1,
            max_size=size_max,
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            command_timeout=command_timeout_s,
            reset=_leave_as_is,
            server_settings={
                "application_name": f"tandemd {owner[-NAMED_BY:]}".rstrip(),
                # Queries are short and known; compiling one would take longer than running it.
                "jit": "off",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": FROZEN_AFTER,
            },
        )


async def _leave_as_is(_: Connection) -> None:
    """No round trip to reset a session: nothing here changes one beyond its transaction."""
