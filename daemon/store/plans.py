"""Plans in PostgreSQL: at most one live per link, stream and kind, recomputed in place.

A held action carries the plan's revision in which it appeared as it is; a yes to revision r covers what is not younger.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.core.types import Action, ActionState
from actors.ports import Lease, PlanRow
from daemon.store.base import Base
from daemon.store.codec import Row, action, action_columns, clean
from daemon.store.pool import Connection
from daemon.store.queries import sql


class Plans(Base):
    """The part of the Store port about plans."""

    async def hold(self, lease: Lease, kind: str, stream: str, reason: str, actions: Sequence[Action]) -> str:
        last = {(held.binding, held.side, held.op): held for held in actions}
        async with self._fenced(lease) as connection:
            plan, rev = await self._live_plan(connection, lease.link, stream, kind)
            changed = 0
            if last:
                rows = action_columns(list(last.values()))
                changed = await connection.fetchval(sql("plan_actions_put"), plan, rev + 1, *rows)
            await connection.execute(
                sql("plan_changed" if changed else "plan_unchanged"), plan, clean(reason)
            )
            return plan

    async def _live_plan(self, connection: Connection, link: str, stream: str, kind: str) -> tuple[str, int]:
        row = await connection.fetchrow(sql("plan_lock"), link, stream, kind)
        if row is not None:
            return row["id"], row["rev"]
        plan = f"plan-{self._clock.token()}"
        await connection.execute(sql("plan_insert"), plan, link, stream, kind, "", self._clock.now())
        return plan, 0

    async def held(self, link: str, stream: str, kind: str) -> PlanRow | None:
        row = await self._row(sql("plan_live"), link, stream, kind)
        return plan_row(row) if row else None

    async def held_actions(self, plan: str, after: int, limit: int) -> Sequence[Action]:
        rows = await self._fetch(sql("plan_actions"), plan, after, limit)
        return [action(row, ActionState.PLANNED) for row in rows]

    async def approved(self, link: str, stream: str, bindings: Sequence[int]) -> frozenset[str]:
        rows = await self._fetch(sql("plan_approved"), link, stream, list(bindings))
        return frozenset(row["fingerprint"] for row in rows)

    async def close_plan(self, lease: Lease, plan: str, state: str) -> None:
        async with self._fenced(lease) as connection:
            await connection.execute(sql("plan_close"), plan, lease.link, state)

    async def release_held(self, lease: Lease, stream: str, kind: str, bindings: Sequence[int]) -> None:
        async with self._fenced(lease) as connection:
            row = await connection.fetchrow(sql("plan_lock"), lease.link, stream, kind)
            if row is not None:
                await connection.execute(sql("plan_release"), row["id"], list(bindings))
                await connection.execute(sql("plan_released"), row["id"])


def plan_row(row: Row) -> PlanRow:
    """A row of `plans`."""
    names = ("id", "link", "stream", "kind", "rev", "state", "reason", "created", "actions", "approved_rev")
    return PlanRow(**{name: row[name] for name in names})
