"""Many bindings at once: written by COPY under one intent, and compared with what a side was seen to hold.

A window of new bindings *is* its intent: while the action that covers them is open, nothing is planned for any of them.
"""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Sequence

import msgspec

from actors.core.texts import escaped
from actors.core.types import Action, ActionState, Binding, Side, State
from actors.ports import Lease, Lines, NewRows, Settlement
from daemon.store.codec import binding
from daemon.store.pool import Connection, translated
from daemon.store.queries import sql
from daemon.store.settling import Settling, insert_actions

PRESENT_PAGE = 20_000


class Loading(Settling):
    """The part of the Store port about many records at once."""

    async def load(self, lease: Lease, settlement: Settlement, rows: NewRows, intent: Action) -> Action:
        async with self._fenced(lease) as connection:
            await connection.execute("set local synchronous_commit = on")
            await self._settle(connection, lease, settlement)
            covers = await _copy(connection, lease.link, rows)
            sent = msgspec.structs.replace(intent, covers=covers, state=ActionState.SENT)
            now = self._clock.now()
            (id_,) = await insert_actions(connection, lease.link, settlement.run, [sent], now, None)
            return msgspec.structs.replace(sent, id=id_)

    async def bindings_covered(
        self, link: str, stream: str, covers: tuple[int, int], after: int, limit: int
    ) -> Sequence[Binding]:
        rows = await self._fetch(sql("bindings_covered"), link, stream, *covers, after, limit)
        return [binding(row) for row in rows]

    async def lines_between(
        self, link: str, stream: str, side: Side, ends: tuple[str, str], limit: int, *, block: bool
    ) -> Lines:
        row = await self._row(sql("bindings_lines_between", side=side), link, stream, *ends, limit, block)
        return Lines(*row) if row is not None else Lines(0, "")

    async def lines_of(self, link: str, stream: str, side: Side, ids: Sequence[str], *, block: bool) -> Lines:
        row = await self._row(sql("bindings_lines_of", side=side), link, stream, list(ids), block)
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
    read = await connection.fetch(sql("cursors_generations"), link, rows.stream)
    generations = {row["side"]: row["generation"] for row in read}
    first: int = await connection.fetchval(sql("binding_key_next")) + 1
    constant = [link, rows.stream, State.SETTLED.value, "1", rows.map_ver]
    constant += [str(generations.get(side, 0)) for side in ("a", "b")]
    end = "\t" + "\t".join(map(escaped, constant)) + "\n"
    ids = ("a_id", "b_id") if rows.side == "b" else ("b_id", "a_id")
    names = (*ids, "base", "keys", "link", "stream", "state", "rev", "map_ver", "a_gen", "b_gen")
    source = io.BytesIO((end.join(rows.lines) + end).encode())
    await connection.copy_to_table("bindings", source=source, columns=names, format="text")
    last: int = await connection.fetchval(sql("binding_key_last"))
    return first, last
