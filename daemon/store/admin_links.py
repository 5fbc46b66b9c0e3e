"""Tenants, connections and links as people manage them through the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core.types import Side
from daemon.store.base import Base, touched
from daemon.store.codec import Row, to_json
from daemon.store.links import link_row
from daemon.store.pool import Connection
from daemon.store.queries import sql
from daemon.store.rows import (
    ConnectionInfo,
    LinkInfo,
    Listing,
    Missing,
    Refused,
    Taken,
    TenantRow,
    connection_info,
    page_place,
    page_token,
)

NEW_COUNTED_MAX = 100_000


class AdminLinks(Base):
    """Tenants, connections, links. Deleting is refused while something else needs the thing."""

    # --------------------------------------------------------------------------------------------- tenants

    async def create_tenant(self, tenant: str, name: str) -> TenantRow:
        """`Taken` when the id or the name is in use."""
        row = TenantRow(tenant, name, self._clock.now())
        if not await self._execute(sql("tenant_create"), *msgspec.structs.astuple(row)):
            raise Taken("tenant", f"{tenant} ({name})")
        return row

    async def list_tenants(self, size: int, page: str = "") -> Listing[TenantRow]:
        """By id."""
        found = await self._fetch(sql("tenants_list"), *page_place(page, ""), size + 1)
        rows = tuple(TenantRow(**dict(row)) for row in found[:size])
        return Listing(rows, page_token(rows[-1].id) if len(found) > size else "")

    # ----------------------------------------------------------------------------------------- connections

    async def create_connection(
        self,
        tenant: str,
        name: str,
        connector: str,
        settings: Mapping[str, Any],
        secrets: Mapping[str, Any],
        identity: str = "",
        *,
        id_: str = "",
        kept: Sequence[tuple[bytes, bytes]] = (),
        own_mark: str = "",
    ) -> ConnectionInfo:
        """`settings` without secrets; `secrets` are sealed. `Taken` when the tenant has one of that name. `kept`: tokens
        that were drawn meanwhile (credentials, sealed for `id_`)."""
        id_ = id_ or f"con-{self._clock.token()}"
        sealed = self._secrets.seal(secrets, id_) if secrets else None
        plain = to_json(settings)
        await self._known_tenant(tenant)
        arguments = id_, tenant, name, connector, plain, sealed, identity, self._clock.now(), own_mark
        async with self._transaction() as db:
            if not touched(await db.execute(sql("connection_create"), *arguments)):
                raise Taken("connection", name)
            for credentials, token in kept:
                await db.execute(sql("kept_store"), id_, credentials, token)
        return await self.get_connection(id_)

    async def _known_tenant(self, tenant: str) -> None:
        if await self._value(sql("tenant_exists"), tenant) is None:
            raise Missing("tenant", tenant)

    async def get_connection(self, connection: str, tenant: str = "") -> ConnectionInfo:
        """By id, or by name within the tenant."""
        row = await self._row(sql("connection_info"), connection, tenant)
        if row is None:
            raise Missing("connection", connection)
        return connection_info(row)

    async def list_connections(self, tenant: str, size: int, page: str = "") -> Listing[ConnectionInfo]:
        """By tenant and name; tenant "" = all."""
        found = await self._fetch(sql("connections_list"), tenant, *page_place(page, "", ""), size + 1)
        rows = tuple(map(connection_info, found[:size]))
        return Listing(rows, page_token(rows[-1].tenant, rows[-1].name) if len(found) > size else "")

    async def mark_connection(self, connection: str, own_mark: str) -> ConnectionInfo:
        """How its tenant tells the account at a glance, "" = by nothing."""
        if not await self._execute(sql("connection_mark"), connection, own_mark):
            raise Missing("connection", connection)
        return await self.get_connection(connection)

    async def update_connection(
        self,
        connection: str,
        settings: Mapping[str, Any],
        secrets: Mapping[str, Any],
        *,
        anew: bool = False,
        own_mark: str | None = None,
    ) -> ConnectionInfo:
        """`settings` replace the former ones; of the secrets only those named here change, and those that are None go.
        `anew`: these are all secrets, and the former ones are not opened (their key may be lost). `own_mark`: None = as it
        is."""
        async with self._transaction() as db:
            row = await db.fetchrow(sql("connection_lock"), connection)
            if row is None:
                raise Missing("connection", connection)
            sealed = row["sealed"]
            if secrets or anew:
                kept = {} if anew or sealed is None else self._secrets.open(sealed, connection)
                left = {name: value for name, value in {**kept, **secrets}.items() if value is not None}
                sealed = self._secrets.seal(left, connection) if left else None
            await db.execute(sql("connection_update"), connection, to_json(settings), sealed, own_mark)
        return await self.get_connection(connection)

    async def set_connection_health(self, connection: str, health: Mapping[str, Any]) -> None:
        """What the daemon last noticed of it; plain data."""
        await self._execute(sql("connection_health"), connection, to_json(health))

    async def delete_connection(self, connection: str) -> None:
        """`Refused` while a link uses it, or an access or an open proposal names it."""
        async with self._transaction() as db:
            row = await db.fetchrow(sql("connection_lock"), connection)
            if row is None:
                raise Missing("connection", connection)
            users = [link["name"] for link in await db.fetch(sql("links_using"), connection)]
            if users:
                raise Refused(
                    f"connection {row['name']} is used by link {', '.join(users)}", "delete the link first"
                )
            await db.execute(sql("proposals_of"), connection, self._clock.now())
            await _refuse_named(db, row["name"], connection)
            await db.execute(sql("connection_delete"), connection)

    # ----------------------------------------------------------------------------------------------- links

    async def create_link(
        self,
        tenant: str,
        name: str,
        a: str,
        b: str,
        blueprint: str,
        *,
        settings: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        wish: str = "run",
        host: str = "local",
    ) -> LinkInfo:
        """`a`, `b`: connection ids of this tenant, which must not be one and the same account."""
        id_ = f"link-{self._clock.token()}"
        plain = {name: value for name, value in (facts or {}).items() if name != "wish"}
        async with self._transaction() as db:
            sides = [await _connection_of(db, tenant, connection) for connection in (a, b)]
            if a == b or (sides[0]["identity"] and sides[0]["identity"] == sides[1]["identity"]):
                raise Refused(
                    f"connections {sides[0]['name']} and {sides[1]['name']} are the same account",
                    "link two different accounts",
                )
            arguments = (
                id_, tenant, name, a, b, blueprint, to_json(settings or {}), to_json(plain), wish, host, self._clock.now(),
            )  # fmt: skip
            if await db.execute(sql("link_create"), *arguments) != "INSERT 0 1":
                raise Taken("link", name)
        return await self.get_link(id_)

    async def get_link(self, link: str, tenant: str = "") -> LinkInfo:
        """By id, or by name within the tenant."""
        row = await self._row(sql("link_info"), link, tenant)
        if row is None:
            raise Missing("link", link)
        return _link(row)

    async def list_links(self, tenant: str, size: int, page: str = "") -> Listing[LinkInfo]:
        """By tenant and name; tenant "" = all."""
        found = await self._fetch(sql("links_list"), tenant, *page_place(page, "", ""), size + 1)
        rows = tuple(map(_link, found[:size]))
        return Listing(rows, page_token(rows[-1].row.tenant, rows[-1].row.name) if len(found) > size else "")

    async def set_wish(self, link: str, wish: str) -> LinkInfo:
        """run | paused; the link is due at once, so that its owner notices."""
        if not await self._execute(sql("link_wish"), link, wish):
            raise Missing("link", link)
        return await self.get_link(link)

    async def poke_link(self, link: str) -> None:
        """Make the link due now."""
        await self._execute(sql("link_poke"), link)

    async def delete_link(self, link: str) -> None:
        """With everything kept of it; whoever holds its lease finds it lost. Nothing is deleted in either system."""
        async with self._transaction() as db:
            if await db.fetchval(sql("link_lock"), link) is None:
                raise Missing("link", link)
            await db.fetchval(sql("inbox_lock"), link)
            await db.execute(sql("link_delete"), link)

    async def count_new(self, link: str) -> Mapping[tuple[str, Side], int]:
        """Records that are to be made on the other side, by stream and that side; counted up to 100,000 in all."""
        rows = await self._fetch(sql("bindings_new"), link, NEW_COUNTED_MAX)
        return {(row["stream"], row["side"]): row["count"] for row in rows}

    async def count_settled(self, link: str) -> int:
        """Settled full bindings over all streams."""
        count: int = await self._value(sql("bindings_settled"), link)
        return count


async def _refuse_named(db: Connection, name: str, connection: str) -> None:
    accesses = [row["id"] for row in await db.fetch(sql("accesses_of"), connection)]
    if accesses:
        raise Refused(
            f"connection {name} stands in access {', '.join(accesses)}", "take the access away first"
        )
    proposals = [row["id"] for row in await db.fetch(sql("proposals_open"), connection)]
    if proposals:
        raise Refused(
            f"proposal {', '.join(proposals)} waits for connection {name}", "decline or withdraw it first"
        )


async def _connection_of(db: Connection, tenant: str, connection: str) -> Row:
    row = await db.fetchrow(sql("connection_lock"), connection)
    if row is None or row["tenant"] != tenant:
        raise Missing("connection", connection)
    return row


def _link(row: Row) -> LinkInfo:
    return LinkInfo(link_row(row), row["created"], row["host"])
