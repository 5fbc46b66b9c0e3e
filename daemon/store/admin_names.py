"""`Names`: look-ups for the API beside `Admin`: what bears a name, what is nearby, what is linked already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from daemon.store.base import Base
from daemon.store.codec import Row
from daemon.store.links import link_row
from daemon.store.queries import sql
from daemon.store.rows import ConnectionInfo, LinkInfo, TokenRow, connection_info

NEARBY_MAX = 200


class Labelled(msgspec.Struct, frozen=True):
    """A link or connection with its name; `blueprint` "" and no settings for a connection."""

    id: str
    tenant: str
    name: str
    created: float
    blueprint: str = ""
    settings: Mapping[str, Any] = {}


class Names(Base):
    """Constructed like `PgStore`. Tenant "" = all tenants."""

    async def links_called(self, name: str, tenant: str) -> Sequence[LinkInfo]:
        """Links with this id (first) or name."""
        return [_link(row) for row in await self._fetch(sql("links_called"), name, tenant)]

    async def connections_called(self, name: str, tenant: str) -> Sequence[ConnectionInfo]:
        """Connections with this id (first) or name."""
        return [connection_info(row) for row in await self._fetch(sql("connections_called"), name, tenant)]

    async def link_names(self, tenant: str) -> Sequence[str]:
        """Some names of links."""
        return [row["name"] for row in await self._fetch(sql("link_names"), tenant, NEARBY_MAX)]

    async def connection_names(self, tenant: str) -> Sequence[str]:
        """Some names of connections."""
        return [row["name"] for row in await self._fetch(sql("connection_names"), tenant, NEARBY_MAX)]

    async def same_account(
        self, tenant: str, connector: str, identity: str, but: str = ""
    ) -> ConnectionInfo | None:
        """Another connection of the tenant to this very account; `but`: not that one."""
        row = await self._row(sql("same_account"), tenant, connector, identity, but)
        return connection_info(row) if row is not None else None

    async def links_between(self, a: ConnectionInfo, b: ConnectionInfo) -> Sequence[LinkInfo]:
        """Links of any tenant between the accounts of `a` and `b`, either way round."""
        places = a.connector, a.identity, b.connector, b.identity
        return [_link(row) for row in await self._fetch(sql("links_between"), *places)]

    async def all_links(self) -> Sequence[LinkInfo]:
        """Every link, for metrics and health."""
        return [_link(row) for row in await self._fetch(sql("all_links"))]

    async def links_after(self, created: float, id_: str, size: int) -> Sequence[Labelled]:
        """What bears a link's name, in the order in which links were made, after this one."""
        rows = await self._fetch(sql("links_after"), created, id_, size)
        return [Labelled(**{**dict(row), "settings": msgspec.json.decode(row["settings"])}) for row in rows]

    async def connections_after(self, created: float, id_: str, size: int) -> Sequence[Labelled]:
        """The same of connections."""
        return [Labelled(*row) for row in await self._fetch(sql("connections_after"), created, id_, size)]

    async def plans_waiting(self) -> Mapping[str, int]:
        """Link id -> plans that wait for a yes or no."""
        return {row["link"]: row["count"] for row in await self._fetch(sql("plans_waiting"))}

    async def token(self, token: str) -> TokenRow | None:
        """By id, whatever its state."""
        row = await self._row(sql("token_get"), token)
        if row is None:
            return None
        names = ("id", "name", "role", "created", "expires", "last_used", "revoked")
        return TokenRow(tenant=row["tenant"] or "", **{name: row[name] for name in names})

    async def usable_admin_tokens(self) -> int:
        """How many tokens could administer everything now."""
        count: int = await self._value(sql("admin_tokens"), self._clock.now())
        return count

    async def ping(self) -> None:
        """Raises TRANSIENT when the database does not answer."""
        await self._value(sql("ping"))


def _link(row: Row) -> LinkInfo:
    return LinkInfo(link_row(row), row["created"], row["host"])
