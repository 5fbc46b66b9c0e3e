"""Tokens that have to outlive the process, sealed, in PostgreSQL: what `clients.connectors.http.kept` asks for.

All daemons on one database renew a token one at a time. Must not: know what a token is good for.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from clients.connectors.http.kept import WAIT_S, Held, Kept
from daemon.store.base import Base
from daemon.store.pool import bug
from daemon.store.queries import sql

TURN_S: Final = WAIT_S  # so long whoever renews may take; whoever died meanwhile loses his turn by it


class KeptTokens(Base):
    """The kept tokens of all connections."""

    def keeper(self, connection: str) -> ConnectionKeeper:
        """For one who opens that connection."""
        return ConnectionKeeper(self, connection, self._clock.token())

    async def free_turns(self) -> None:
        """As `free_leases`: whoever had a turn is known to be dead."""
        await self._execute(sql("kept_release_all"))

    async def forget(self, connection: str, keep: AbstractSet[str]) -> None:
        """Tokens that were drawn with other credentials than these (fingerprints)."""
        kept = [self._secrets.fingerprint(of) for of in keep]
        await self._execute(sql("kept_forget"), connection, kept)

    def sealed(self, connection: str, found: Mapping[str, Kept]) -> list[tuple[bytes, bytes]]:
        """What was drawn before there was a connection, as `create_connection` stores it together with that."""
        return [(self._secrets.fingerprint(of), self._seal(connection, kept)) for of, kept in found.items()]

    def _seal(self, connection: str, kept: Kept) -> bytes:
        return self._secrets.seal(msgspec.to_builtins(kept), _sealed_for(connection))

    async def load(self, connection: str, of: str) -> Held:
        """See `Keeper`."""
        row = await self._row(sql("kept_load"), connection, self._secrets.fingerprint(of))
        if row is None:
            return Held()
        kept = None
        if row["sealed"] is not None:
            opened = self._secrets.open(row["sealed"], _sealed_for(connection))
            kept = msgspec.convert(opened, Kept)
        return Held(kept, row["number"], row["asked"])

    async def begin(self, connection: str, of: str, number: int, holder: str) -> bool:
        """See `Keeper`."""
        arguments = connection, self._secrets.fingerprint(of), number, holder, TURN_S
        return await self._value(sql("kept_begin"), *arguments) is not None

    async def store(self, connection: str, of: str, kept: Kept) -> int:
        """See `Keeper`."""
        arguments = connection, self._secrets.fingerprint(of), self._seal(connection, kept)
        number = await self._value(sql("kept_store"), *arguments)
        if number is None:
            raise bug(f"connection {connection} was deleted while its token was renewed")
        return int(number)

    async def release(self, connection: str, of: str, holder: str) -> None:
        """See `Keeper`."""
        await self._execute(sql("kept_release"), connection, self._secrets.fingerprint(of), holder)


class ConnectionKeeper:
    """The `Keeper` of one connection. `used`: fingerprints of the credentials that were asked for."""

    def __init__(self, tokens: KeptTokens, connection: str, holder: str) -> None:
        self._tokens = tokens
        self._connection = connection
        self._holder = holder
        self.used: set[str] = set()

    async def load(self, of: str) -> Held:
        """See `Keeper`."""
        self.used.add(of)
        return await self._tokens.load(self._connection, of)

    async def begin(self, of: str, number: int) -> bool:
        """See `Keeper`."""
        return await self._tokens.begin(self._connection, of, number, self._holder)

    async def store(self, of: str, kept: Kept) -> int:
        """See `Keeper`."""
        return await self._tokens.store(self._connection, of, kept)

    async def release(self, of: str) -> None:
        """See `Keeper`."""
        await self._tokens.release(self._connection, of, self._holder)


def _sealed_for(connection: str) -> str:
    return f"tokens {connection}"
