"""The inbox in PostgreSQL: hints, coalesced per record, acknowledged only up to the seq that was read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import POKED, Hint, Side
from daemon.store.base import Base
from daemon.store.codec import clean, columns
from daemon.store.pool import Connection
from daemon.store.queries import sql


class Inbox(Base):
    """The part of the Store port about hints."""

    async def hints(self, link: str, streams: Sequence[str], now: float, limit: int) -> Sequence[Hint]:
        return [
            Hint(**dict(row)) for row in await self._fetch(sql("hints_due"), link, list(streams), now, limit)
        ]

    async def add_hints(self, link: str, hints: Sequence[Hint]) -> None:
        if not hints:
            return
        async with self._transaction() as connection:
            await connection.fetchval(sql("inbox_lock"), link)
            # After the lock, which deleting a link takes too: its inbox is not written again.
            if await connection.fetchval(sql("link_exists"), link) is None:
                raise TandemError(
                    Kind.CONFIG, f"there is no link {link}", scope=Scope.LINK, hint="create the link first"
                )
            await put_hints(connection, link, hints, self._clock.now())

    async def next_hint(self, link: str) -> float | None:
        earliest: float | None = await self._value(sql("hint_next"), link)
        return earliest

    async def hinted(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Collection[str]:
        return {row["id"] for row in await self._fetch(sql("hinted"), link, stream, side, list(ids))}

    async def hurry(self, link: str, streams: Sequence[str], reason: str) -> None:
        async with self._transaction() as connection:
            await connection.fetchval(sql("inbox_lock"), link)
            await connection.execute(sql("hints_hurry"), link, list(streams), reason)


async def put_hints(connection: Connection, link: str, hints: Sequence[Hint], now: float) -> None:
    """Upsert hints; the caller holds the inbox lock."""
    rows = [
        (hint.stream, hint.side, hint.id, clean(hint.reason), hint.attempts, hint.not_before)
        for hint in one_each(hints)
    ]
    await connection.execute(sql("hints_add"), link, *columns(rows, 6), now)


async def ack_hints(connection: Connection, link: str, hints: Sequence[Hint]) -> None:
    """Delete what has not been added again since it was read; the caller holds the inbox lock."""
    rows = [(hint.stream, hint.side, hint.id, hint.seq) for hint in hints]
    await connection.execute(sql("hints_ack"), link, *columns(rows, 4))


def one_each(hints: Sequence[Hint]) -> list[Hint]:
    """Coalesced as the table would: an upsert must not meet a row twice. The last place in the order counts."""
    merged: dict[tuple[str, str, str], Hint] = {}
    for hint in hints:
        old = merged.pop((hint.stream, hint.side, hint.id), hint)
        merged[hint.stream, hint.side, hint.id] = Hint(
            stream=hint.stream,
            side=hint.side,
            id=hint.id,
            reason=old.reason if hint.reason == POKED else hint.reason,
            attempts=max(hint.attempts, old.attempts),
            not_before=min(hint.not_before, old.not_before),
        )
    return list(merged.values())
