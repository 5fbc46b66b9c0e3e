"""Many bindings at once: written by COPY under one intent, and compared with what a side was seen to hold.

A window of new bindings *is* its intent: while the action that covers them is open, nothing is planned for any of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import asyncpg
import msgspec

from actors.core.texts import escaped
from actors.core.types import Action, ActionState, Binding, Side, State
from actors.ports import Lease, Lines, NewRows, Settlement
from daemon.store.base import lost
from daemon.store.codec import binding
from daemon.store.pool import Connection, bug, translated
from daemon.store.queries import sql
from daemon.store.settling import Settling, insert_actions, is_plain, plain_arguments

PRESENT_PAGE = 20_000


class Loading(Settling):
    """The part of the Store port about many records at once."""

    async def load(self, lease: Lease, settlement: Settlement, rows: NewRows, intent: Action) -> Action:
        now = self._clock.now()
        async with self._transaction() as connection:
            await self._settle_within(connection, lease, settlement, now)
            covers = await _copy(connection, lease.link, rows)
            sent = msgspec.structs.replace(intent, covers=covers, state=ActionState.SENT)
            (id_,) = await insert_actions(connection, lease.link, settlement.run, [sent], now, None)
            return msgspec.structs.replace(sent, id=id_)

    async def _settle_within(
        self, connection: Connection, lease: Lease, settlement: Settlement, now: float
    ) -> None:
        """Settle as a part of this transaction: one statement where it is plain."""
        holder = lease.link, lease.owner, lease.epoch
        if not is_plain(settlement):
            if await connection.fetchval(sql("fence"), *holder) is None:
                raise lost(lease)
            await self._settle(connection, lease, settlement)
            return
        try:
            is_held = await connection.fetch(
                sql("settle_plainly"), *holder, *plain_arguments(settlement, now)
            )
        except asyncpg.DivisionByZeroError as error:
            raise bug(f"what link {lease.link} settles beside a load is not as it was planned") from error
        if not is_held:
            raise lost(lease)

    async def bindings_covered(
        self, link: str, stream: str, covers: tuple[int, int], after: int, limit: int
    ) -> Sequence[Binding]:
        rows = await self._fetch(sql("bindings_covered"), link, stream, *covers, after, limit)
        return [binding(row) for row in rows]

    async def lines_between(
        self,
        link: str,
        stream: str,
        side: Side,
        ends: tuple[str, str],
        limit: int,
        *,
        block: bool,
        map_ver: str,
    ) -> Lines:
        query = sql("bindings_lines_between", side=side)
        row = await self._row(query, link, stream, *ends, limit, block, map_ver)
        return Lines(*row) if row is not None else Lines(0, "")

    async def lines_of(
        self, link: str, stream: str, side: Side, ids: Sequence[str], *, block: bool, map_ver: str
    ) -> Lines:
        row = await self._row(sql("bindings_lines_of", side=side), link, stream, list(ids), block, map_ver)
        return Lines(*row) if row is not None else Lines(0, "")

    async def count_present(self, link: str, stream: str, side: Side) -> int:
        return int(await self._value(sql("bindings_count_present", side=side), link, stream))

    async def present(self, link: str, stream: str, side: Side) -> AsyncGenerator[Sequence[str], None]:
        query = sql("bindings_present", side=side)
        with translated():
            async with self._pool.acquire() as connection, connection.transaction(readonly=True):
                cursor = await connection.cursor(query, link, stream)
                while rows := await cursor.fetch(PRESENT_PAGE):
                    yield [row[0] for row in rows]


async def _copy(connection: Connection, link: str, rows: NewRows) -> tuple[int, int]:
    """The rows of `bindings`; the first and the last of their keys, between which the link has no others."""
    place = await connection.fetchrow(sql("loading_begins"), link, rows.stream)
    assert place is not None
    first: int = place["key"] + 1
    constant = [str(place["stream_id"]), State.SETTLED.value, "1", rows.map_ver]
    constant += [str(place["a_gen"]), str(place["b_gen"])]
    end = "\t" + "\t".join(map(escaped, constant)) + "\n"
    ids = ("a_id", "b_id") if rows.side == "b" else ("b_id", "a_id")
    names = (*ids, "base", "keys", "stream_id", "state", "rev", "map_ver", "a_gen", "b_gen")
    source = _at_once((end.join(rows.lines) + end).encode())
    await connection.copy_to_table("bindings", source=source, columns=names, format="text")
    last: int = await connection.fetchval(sql("binding_key_last"))
    return first, last


async def _at_once(data: bytes) -> AsyncGenerator[bytes, None]:
    """Not a file: asyncpg would read it in a thread, by a class of its own that keeps it until the collector comes."""
    yield data
