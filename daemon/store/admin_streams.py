"""Streams of a link as people have them read again. None of it deletes a binding, or leads to a write by itself."""

from __future__ import annotations

from typing import Final

from actors.core.types import SIDES, Hint, Side
from daemon.store.base import Base
from daemon.store.codec import clean
from daemon.store.inbox import put_hints
from daemon.store.pool import Connection
from daemon.store.queries import sql
from daemon.store.rows import Missing, RoomCount

BACKFILL: Final = "backfill"  # the reason of hints to read a whole object
RESET_TIMEOUT_S: Final = 3600.0  # every binding of the stream is written once


class AdminStreams(Base):
    """The part of the admin queries about streams. SPEC row B14."""

    async def stream_rooms(self, link: str) -> dict[str, tuple[RoomCount, ...]]:
        """What waits, by stream; streams of which nothing waits are left out."""
        found: dict[str, tuple[RoomCount, ...]] = {}
        for row in await self._fetch(sql("streams_rooms"), link):
            here = RoomCount(row["room"], row["count"], row["oldest"])
            found[row["stream"]] = (*found.get(row["stream"], ()), here)
        return found

    async def reset_stream(self, link: str, stream: str) -> int:
        """What was settled counts for nothing any more, and both sides are to be read. How many pairs are to meet anew.

        All at once, with the lease of whoever works on the link: what it sent is found by its intent, as after a crash.
        """
        async with self._transaction() as db:
            await take_lease(db, link)
            done = await db.execute(sql("stream_unsettle"), link, stream, timeout=RESET_TIMEOUT_S)
            await db.execute(sql("stream_unread"), link, stream)
            await db.execute(sql("stream_undecide"), link, stream)
            await db.execute(sql("rules_plans"), link, [stream])
        return int(done.rpartition(" ")[2])

    async def backfill_stream(self, link: str, stream: str) -> None:
        """Both sides are to be read completely; a run that is under way takes it up between two windows."""
        hints = [Hint(stream=stream, side=side, id="", reason=BACKFILL) for side in SIDES]
        async with self._transaction() as db:
            if await db.execute(sql("link_poke"), link) != "UPDATE 1":
                raise Missing("link", link)
            await db.fetchval(sql("inbox_lock"), link)
            await put_hints(db, link, hints, self._clock.now())

    async def set_cursor(self, link: str, stream: str, side: Side, cursor: str) -> str:
        """From where changes on a side are looked for from now on; the position before ("" = there was none)."""
        async with self._transaction() as db:
            await take_lease(db, link)
            old = await db.fetchval(sql("stream_cursor"), link, stream, side)
            await db.execute(sql("stream_cursor_put"), link, stream, side, clean(cursor))
        return old or ""


async def take_lease(db: Connection, link: str) -> None:
    """Nobody works on the link from here on; whoever takes it up next reads everything anew."""
    if await db.execute(sql("stream_lease"), link) != "UPDATE 1":
        raise Missing("link", link)
