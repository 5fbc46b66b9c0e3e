"""Look-ups of bindings in PostgreSQL. What a settlement does to them is in settling.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.core.changes import Standing
from actors.core.gates import KEPT_OUT
from actors.core.plan import RESTORE
from actors.core.types import Binding, Side, State, other
from actors.ports import KeyGroup, Known
from daemon.store.base import Base
from daemon.store.codec import binding, standing
from daemon.store.queries import sql


class Bindings(Base):
    """The part of the Store port that reads bindings."""

    async def bindings(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Sequence[Binding]:
        return await self._bindings(sql("bindings_by_id", side=side), link, stream, list(ids))

    async def known(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Known:
        query = "bindings_known_one" if len(ids) == 1 else "bindings_known"
        rows = await self._fetch(sql(query, side=side), link, stream, list(ids))
        parked = frozenset(row["key"] for row in rows if row["is_parked"])
        return Known([binding(row) for row in rows], parked)

    async def standing(
        self, link: str, stream: str, side: Side, ids: Sequence[str], map_ver: str
    ) -> Mapping[str, Standing]:
        if not ids:
            return {}
        query = sql("bindings_standing", side=side)
        rows = await self._fetch(query, link, stream, list(ids), map_ver)
        return {row[0]: standing(row, other(side)) for row in rows}

    async def bindings_by_key(self, link: str, keys: Sequence[int]) -> Sequence[Binding]:
        return await self._bindings(sql("bindings_by_key"), link, list(keys))

    async def bindings_in(
        self, link: str, stream: str, states: Sequence[str], after: int, limit: int
    ) -> Sequence[Binding]:
        query = sql("bindings_in" if State.SETTLED in states else "bindings_in_unsettled")
        return await self._bindings(query, link, stream, list(states), after, limit)

    async def noted(self, link: str, stream: str, notes: Sequence[str]) -> Sequence[Binding]:
        return await self._bindings(sql("bindings_noted"), link, stream, list(notes))

    async def unseen(
        self, link: str, stream: str, side: Side, generation: int, after: str, limit: int
    ) -> Sequence[Binding]:
        return await self._bindings(sql("bindings_unseen", side=side), link, stream, generation, after, limit)

    async def count_bindings(self, link: str, stream: str, up_to: int) -> int:
        count: int = await self._value(sql("bindings_count"), link, stream, up_to)
        return count

    async def key_groups(
        self, link: str, stream: str, level: int, after: int | None, limit: int
    ) -> Sequence[KeyGroup]:
        rows = await self._fetch(
            sql("key_groups", level=level), link, stream, after, limit, RESTORE, KEPT_OUT
        )
        return [
            KeyGroup(row["hash"], *(tuple(row[name]) for name in ("a", "b", "taken", "put_back", "kept_out")))
            for row in rows
        ]

    async def sharing(
        self, link: str, stream: str, level: int, hashes: Sequence[int], limit: int
    ) -> Sequence[Binding]:
        return await self._bindings(sql("bindings_sharing", level=level), link, stream, list(hashes), limit)

    async def _bindings(self, query: str, *arguments: object) -> list[Binding]:
        return [binding(row) for row in await self._fetch(query, *arguments)]
