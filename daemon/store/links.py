"""Links, connections, leases and cursors in PostgreSQL. Leases go by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import asyncpg
import msgspec

from actors.core.errors import TandemError
from actors.core.types import Side
from actors.ports import ConnectionRow, Cursor, Lease, LinkRow, Turn
from daemon.store.base import Base, lost
from daemon.store.codec import Row, to_json
from daemon.store.queries import sql
from daemon.store.runs import run_row

# Facts that the owner of a link reads and never writes.
OF_PEOPLE = frozenset({"wish", "recovering", "establishment"})
PATIENCE_MS = 3000  # so long the taker of a lease waits for a transaction of the owner before it


class Links(Base):
    """The part of the Store port about links, connections, leases, cursors."""

    async def link(self, link: str) -> LinkRow | None:
        row = await self._row(sql("link_get"), link)
        return link_row(row) if row else None

    async def turn(self, link: str) -> Turn | None:
        row = await self._row(sql("link_turn"), link)
        if row is None:
            return None
        return Turn(
            row=link_row(row),
            asked=run_row(row["asked"]) if row["asked"] is not None else None,
            hint_at=row["hint_at"],
            is_open=row["is_open"],
            cursors=tuple(
                Cursor(**{name: value for name, value in cursor.items() if name != "link"})
                for cursor in row["cursors"]
            ),
            plans=frozenset((stream, kind) for stream, kind in row["plans"]),
        )

    async def connection(self, connection: str) -> ConnectionRow | None:
        row = await self._row(sql("connection_get"), connection)
        if row is None:
            return None
        settings = msgspec.json.decode(row["settings"])
        if row["sealed"] is not None:
            settings |= self._secrets.open(row["sealed"], row["id"])
        plain = {name: row[name] for name in ("id", "tenant", "name", "connector", "identity", "rev")}
        return ConnectionRow(**plain, settings=settings)

    async def set_identity(self, connection: str, identity: str) -> None:
        await self._execute(sql("connection_set_identity"), connection, identity)

    async def links_of(self, connection: str) -> Sequence[LinkRow]:
        return [link_row(row) for row in await self._fetch(sql("links_of"), connection)]

    async def due_links(self, now: float, limit: int) -> Sequence[str]:
        return [row["id"] for row in await self._fetch(sql("links_due"), now, limit)]

    async def take_lease(self, link: str, owner: str, ttl_s: float) -> Lease | None:
        try:
            return await self._take_lease(link, owner, ttl_s)
        except TandemError as error:
            # Whoever had the link is frozen, or its machine is gone, in the midst of a transaction.
            held = isinstance(error.__cause__, asyncpg.LockNotAvailableError)
            if not held or not await self._value(sql("lease_free"), link, owner, PATIENCE_MS):
                raise
        return await self._take_lease(link, owner, ttl_s)

    async def _take_lease(self, link: str, owner: str, ttl_s: float) -> Lease | None:
        # Before the request leaves: our own deadline must not be later than the database's.
        asked = self._clock.monotonic()
        epoch = await self._value(sql("lease_take"), link, owner, ttl_s, str(PATIENCE_MS))
        return Lease(link, owner, epoch, asked + ttl_s) if epoch is not None else None

    async def renew_lease(self, lease: Lease, ttl_s: float) -> Lease:
        asked = self._clock.monotonic()
        await self._as_owner(lease, sql("lease_renew"), ttl_s)
        return msgspec.structs.replace(lease, until=asked + ttl_s)

    async def release_lease(self, lease: Lease) -> None:
        await self._as_owner(lease, sql("lease_release"))

    async def set_facts(self, lease: Lease, facts: Mapping[str, Any], next_due: float) -> None:
        kept = {name: value for name, value in facts.items() if name not in OF_PEOPLE}
        await self._as_owner(lease, sql("link_set_facts"), to_json(kept), next_due)

    async def claim(
        self, lease: Lease, side: Side, object_name: str, hashes: Sequence[int], hold_s: float
    ) -> Set[int]:
        query = sql("claim", side=side)
        rows = await self._as_holder(lease, query, object_name, sorted(set(hashes)), hold_s)
        return frozenset(rows[0]["refused"])

    async def _as_owner(self, lease: Lease, query: str, *arguments: Any) -> None:
        """One statement that checks the lease by itself."""
        if not await self._execute(query, lease.link, lease.owner, lease.epoch, *arguments):
            raise lost(lease)

    async def cursors(self, link: str) -> Sequence[Cursor]:
        return [Cursor(**dict(row)) for row in await self._fetch(sql("cursors_get"), link)]


def link_row(row: Row) -> LinkRow:
    """A row of `links`; what people decide shows among the facts."""
    plain = {
        name: row[name] for name in ("id", "tenant", "name", "a_connection", "b_connection", "blueprint")
    }
    return LinkRow(
        **plain,
        facts={
            **msgspec.json.decode(row["facts"]),
            "wish": row["wish"],
            "establishment": row["establishment"],
        },
        settings=msgspec.json.decode(row["settings"]),
        rev=row["rev"],
        epoch=row["epoch"],
        owner=row["owner"],
        next_due=row["next_due"],
        partner=row["partner"] or "",
        kind=row["kind"],
        roles={"a": row["a_role"], "b": row["b_role"]},
        rests_on=msgspec.json.decode(row["rests_on"]),
    )
