"""What every servicer works with: the stores, the engine, and how names become things that the caller may see.

Owns the resolving of names per tenant and the audit. What a caller may not see does not exist for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from actors.core.types import Hint
from actors.ports import Clock, Connector, Declaration, Find, Store
from clients.connectors.http.kept import Keeper
from daemon.api import access
from daemon.api.errors import ApiError, Violation, invalid, not_found, precondition
from daemon.health import Health
from daemon.news import News
from daemon.secrets import Signer
from daemon.store.admin import Admin
from daemon.store.admin_life import Life
from daemon.store.admin_names import Names
from daemon.store.kept_tokens import KeptTokens
from daemon.store.rows import ConnectionInfo, LinkInfo, Missing, PlanInfo, RunInfo, TenantRow
from daemon.telemetry import ActionTelemetry
from daemon.wiring import Blueprints

TENANTS_PAGE: Final = 1000


class Engine(Protocol):
    """What the API asks of the engine (actors/root.py)."""

    def wake(self, link: str, poke: str = ...) -> None: ...
    async def call(self, connection: str, method: str, *args: Any) -> Any: ...
    async def finds(self, connection: str, object_name: str) -> Find: ...
    async def declaration(self, connection: str) -> Declaration: ...
    async def cancel(self, link: str, run: str) -> bool: ...
    def states(self) -> list[dict[str, Any]]: ...
    def running(self) -> Mapping[str, str]: ...
    async def drain(self, timeout_s: float) -> int: ...
    async def forget_connection(self, connection: str) -> None: ...


class Desk(msgspec.Struct, frozen=True):
    """Everything that servicers share. `open`: opens an account that is not stored yet; `version`: of the daemon;
    `public_url`: where systems reach its HTTP port."""

    admin: Admin
    names: Names
    life: Life
    signer: Signer
    store: Store
    tokens: KeptTokens
    engine: Engine
    clock: Clock
    telemetry: ActionTelemetry
    news: News
    blueprints: Blueprints
    open: Callable[[str, Mapping[str, Any], Keeper | None], Awaitable[Connector]]
    health: Callable[[], Awaitable[Health]]
    drain: Callable[[float], Awaitable[int]]
    version: str
    started: float
    store_kind: str
    public_url: Callable[[], str]

    # ------------------------------------------------------------------------------------------------- tenants

    def visible(self, tenant: str) -> str:
        """The tenant to look in: the one named, if the caller sees it, else the caller's own ("" = all)."""
        who = access.caller()
        if tenant and not who.sees(tenant):
            raise not_found("tenant", tenant, [who.tenant])
        return tenant or who.tenant

    async def one_tenant(self, tenant: str) -> str:
        """The tenant that something new is for: named, the caller's own, or the only one there is."""
        found = self.visible(tenant)
        rows = () if found else (await self.admin.list_tenants(2)).rows
        if found or len(rows) == 1:
            return found or rows[0].id
        if not rows:
            raise precondition(
                "NO_TENANT", "there is no tenant yet", "create one: tandemctl system create-tenant <id>"
            )
        raise invalid([Violation("tenant", "is required, because there are several")])

    async def tenants(self, size: int, page: str) -> tuple[Sequence[TenantRow], str]:
        """The tenants that the caller sees."""
        own = access.caller().tenant
        if not own:
            listing = await self.admin.list_tenants(size, page)
            return listing.rows, listing.next_page
        return [row async for row in self._all_tenants() if row.id == own], ""

    async def _all_tenants(self) -> Any:
        page = ""
        while True:
            listing = await self.admin.list_tenants(TENANTS_PAGE, page)
            for row in listing.rows:
                yield row
            page = listing.next_page
            if not page:
                return

    # -------------------------------------------------------------------------------------------------- things

    async def link(self, name: str, tenant: str) -> LinkInfo:
        """By id or name, among what the caller sees."""
        where = self.visible(tenant)
        found = await self.names.links_called(name, where)
        if not found:
            raise not_found("link", name, await self.names.link_names(where))
        return found[_only("link", name, [(one.row.id, one.row.tenant) for one in found])]

    async def connection(self, name: str, tenant: str) -> ConnectionInfo:
        """By id or name, among what the caller sees."""
        where = self.visible(tenant)
        found = await self.names.connections_called(name, where)
        if not found:
            raise not_found("connection", name, await self.names.connection_names(where))
        return found[_only("connection", name, [(one.id, one.tenant) for one in found])]

    async def run(self, run: str) -> RunInfo:
        """By id, if the caller sees its tenant."""
        try:
            info = await self.admin.get_run(run)
        except Missing:
            raise _gone("run", run) from None
        if not access.caller().sees(info.tenant, info.partner):
            raise _gone("run", run)
        return info

    async def plan(self, plan: str) -> PlanInfo:
        """By id, if the caller sees its tenant."""
        try:
            info = await self.admin.get_plan(plan)
        except Missing:
            raise _gone("plan", plan) from None
        if not access.caller().sees(info.tenant, info.partner):
            raise _gone("plan", plan)
        return info

    # -------------------------------------------------------------------------------------------------- doings

    async def audit(self, action: str, target: str, tenant: str = "", **detail: Any) -> None:
        """Note who did what to which thing; after it was done."""
        await self.admin.add_audit(access.caller().token, action, target, tenant=tenant, detail=detail)

    async def look_again(self, link: str, hint: Hint) -> None:
        """A record is looked at again soon, whatever its side says of changes."""
        await self.store.add_hints(link, [hint])
        await self.admin.poke_link(link)
        self.engine.wake(link)

    def name_link(self, info: LinkInfo, streams: Sequence[str]) -> None:
        """Its label in metrics, from now on."""
        self.telemetry.name_link(info.row.id, f"{info.row.tenant}/{info.row.name}", tuple(streams))


def _only(what: str, name: str, found: Sequence[tuple[str, str]]) -> int:
    """The place of the one that is meant: the one with that id, else the only one of that name."""
    if found[0][0] == name or len(found) == 1:
        return 0
    tenants = ", ".join(tenant for _, tenant in found)
    raise invalid(
        [Violation("tenant", f"is required: several tenants have a {what} {name!r}: {tenants}")],
        f"several tenants have a {what} {name!r}: {tenants}",
    )


def _gone(what: str, id_: str) -> ApiError:
    error = not_found(what, id_)
    error.hint = f"list those of its link: tandemctl {what}s list <link>"
    return error
