"""`Admin`: what the API needs besides the engine's port, over the same pool. Tokens, audit, figures and the stamp here.

Every method is one transaction, or one and a read after it. Refusals are those of rows.py: Missing, Taken, Refused.
Who may do what is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from daemon.store.admin_erasure import AdminErasure
from daemon.store.admin_links import AdminLinks
from daemon.store.admin_settings import AdminSettings
from daemon.store.admin_streams import AdminStreams
from daemon.store.admin_webhooks import AdminWebhooks
from daemon.store.admin_work import NEWEST, AdminWork
from daemon.store.base import touched
from daemon.store.codec import Row, clean, to_json
from daemon.store.queries import sql
from daemon.store.rows import (
    AuditRow,
    LinkStats,
    Listing,
    Look,
    Missing,
    RoomCount,
    Stamp,
    Taken,
    TokenRow,
    Waiting,
    page_place,
    page_token,
)

RECOVER_TIMEOUT_S = 3600.0  # every binding is written once


class Admin(AdminErasure, AdminLinks, AdminSettings, AdminStreams, AdminWebhooks, AdminWork):
    """Everything the API asks of the store; constructed like `PgStore`."""

    # ------------------------------------------------------------------------------------- tokens and audit

    async def create_token(
        self, tenant: str, name: str, role: str, hash_: bytes, expires: float = 0.0, *, id_: str = ""
    ) -> TokenRow:
        """`hash_`: SHA-256 of the token, which is never stored. `tenant` "" = all; `expires` 0 = never.

        `id_`: the id that the token carries in its text; else one is drawn.
        """
        row = TokenRow(id_ or f"tok-{self._clock.token()}", tenant, name, role, self._clock.now(), expires)
        if tenant:
            await self._known_tenant(tenant)
        arguments = row.id, tenant, name, role, hash_, row.created, expires
        if not await self._execute(sql("token_create"), *arguments):
            raise Taken("token", name)
        return row

    async def list_tokens(self, size: int, page: str = "") -> Listing[TokenRow]:
        """By id, revoked ones too."""
        found = await self._fetch(sql("tokens_list"), *page_place(page, ""), size + 1)
        rows = tuple(map(_token, found[:size]))
        return Listing(rows, page_token(rows[-1].id) if len(found) > size else "")

    async def verify_token(self, hash_: bytes) -> TokenRow | None:
        """The token, unless it is unknown, revoked or expired. Its use is noted once a minute."""
        now = self._clock.now()
        row = await self._row(sql("token_verify"), hash_, now)
        if row is None:
            return None
        if row["last_used"] < now - 60:
            await self._execute(sql("token_used"), row["id"], now)
        return _token(row)

    async def revoke_token(self, token: str) -> TokenRow:
        """From now on it is good for nothing; revoking again changes nothing."""
        await self._execute(sql("token_revoke"), token, self._clock.now())
        row = await self._row(sql("token_get"), token)
        if row is None:
            raise Missing("token", token)
        return _token(row)

    async def add_audit(
        self,
        actor: str,
        action: str,
        target: str,
        *,
        tenant: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Note who did what; `detail` plain data without personal data."""
        who = clean(tenant), clean(actor), clean(action), clean(target)
        await self._execute(sql("audit_add"), self._clock.now(), *who, to_json(detail or {}))

    async def list_audit(self, tenant: str, size: int, page: str = "") -> Listing[AuditRow]:
        """Newest first; tenant "" = all."""
        found = await self._fetch(sql("audit_list"), tenant, *page_place(page, NEWEST), size + 1)
        rows = tuple(
            AuditRow(**{**dict(row), "detail": msgspec.json.decode(row["detail"])}) for row in found[:size]
        )
        return Listing(rows, page_token(rows[-1].id) if len(found) > size else "")

    # --------------------------------------------------------------------------------- figures and the stamp

    async def stats(self, link: str = "") -> list[LinkStats]:
        """Figures per link, or of one; all from one moment."""
        async with self._transaction() as db:
            await db.execute("set transaction isolation level repeatable read, read only")
            links = await db.fetch(sql("stats_links"), link)
            now = self._clock.now()
            inbox = {row["link"]: row for row in await db.fetch(sql("stats_inbox"), link, now)}
            scheduled = _by_link(await db.fetch(sql("stats_scheduled"), link, now))
            rooms = _by_link(await db.fetch(sql("stats_rooms"), link))
            looks = _by_link(await db.fetch(sql("stats_looks"), link))
        return [
            msgspec.structs.replace(
                _stats(row, inbox.get(row["id"]), rooms.get(row["id"], []), looks.get(row["id"], [])),
                scheduled=tuple(Waiting(**fields) for fields in scheduled.get(row["id"], [])),
            )
            for row in links
        ]

    async def free_leases(self) -> int:
        """Take every lease away from owners that are known to be dead; how many. Only for a database that nobody else
        can have open (the daemon's own, under the lock of its data directory): elsewhere leases run out by themselves."""
        return await self._execute(sql("leases_free"))

    async def stamp(self) -> Stamp:
        """Which database this is now, and what was noted of it at the last advance."""
        system, timeline = await self._server()
        row = await self._row(sql("stamp_read"))
        assert row is not None
        return Stamp(system, timeline, **dict(row))

    async def advance_stamp(self, least: int = 0) -> Stamp:
        """Note this database as ours and count up, beyond `least`; the caller keeps the number in its file too."""
        system, timeline = await self._server()
        async with self._transaction() as db:
            # The file must never be ahead of the database.
            await db.execute("set local synchronous_commit = on")
            counter: int = await db.fetchval(sql("stamp_advance"), system, timeline, least)
        return Stamp(system, timeline, system, timeline, counter)

    async def _server(self) -> tuple[str, int]:
        """System identifier and timeline; "" and 0 where they are not told."""
        if not await self._value(sql("stamp_may_ask")):
            return "", 0
        row = await self._row(sql("stamp_server"))
        assert row is not None
        return row["system_identifier"], row["timeline"]

    async def recover(self) -> int:
        """An older state was put back: every link waits for a person, what was settled counts for nothing, bindings and
        tombstones stay, and both sides are read completely. How many links. Nobody may be at work meanwhile."""
        async with self._transaction() as db:
            links = touched(await db.execute(sql("recover_links")))
            await db.execute(sql("recover_bindings"), timeout=RECOVER_TIMEOUT_S)
            for query in ("recover_cursors", "recover_plans", "recover_decisions"):
                await db.execute(sql(query), timeout=RECOVER_TIMEOUT_S)
            await db.execute(sql("recover_runs"), self._clock.now())
        return links


def _token(row: Row) -> TokenRow:
    names = ("id", "name", "role", "created", "expires", "last_used", "revoked")
    return TokenRow(tenant=row["tenant"] or "", **{name: row[name] for name in names})


def _by_link(rows: list[asyncpg.Record]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        fields = dict(row)
        found.setdefault(fields.pop("link"), []).append(fields)
    return found


def _stats(
    row: Row, inbox: Row | None, rooms: list[dict[str, Any]], looks: list[dict[str, Any]]
) -> LinkStats:
    leased = bool(row["owner"]) and row["lease_left_s"] > 0
    return LinkStats(
        link=row["id"],
        tenant=row["tenant"],
        wish=row["wish"],
        owner=row["owner"] if leased else "",
        lease_left_s=row["lease_left_s"] if leased else 0.0,
        open_actions=row["open_actions"],
        unknown_actions=row["unknown_actions"],
        inbox=inbox["size"] if inbox is not None else 0,
        inbox_oldest=inbox["oldest"] if inbox is not None else 0.0,
        running=row["running"],
        rooms=tuple(RoomCount(**fields) for fields in rooms),
        looks=tuple(Look(**fields) for fields in looks),
        open_oldest=row["open_oldest"],
    )
