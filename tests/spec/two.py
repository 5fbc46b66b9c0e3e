"""Two systems with tables of a test's own, each a PostgreSQL database, under rules of its own: rules in their general form.

Must not: know the daemon beyond its API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import links_pb2, rooms_pb2, system_pb2
from tandem_client import Tandem
from tests.spec.systems import LINK, Crm, Erp, until
from tests.spec.world import World

Row = tuple[Any, ...]


class Two(World):
    """One tenant with two databases, sides a and b, and a link between them."""

    def __init__(self, tandem: Tandem, tenant: str, erp: Erp, a: Crm, b: Crm) -> None:
        super().__init__(tandem, tenant, erp, b)
        self.a = a
        self.b = b

    async def tables(self, **tables: str) -> None:
        """Make tables: `a_customers="number text, name text"`; each has an `id` of its own beside, unless one is told."""
        for place, columns in tables.items():
            side, _, name = place.partition("_")
            key = "" if " PRIMARY KEY" in columns else "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            await getattr(self, side).script(f"CREATE TABLE {name} ({key}{columns});")

    async def under(
        self, streams: Mapping[str, Any], *, chosen: Mapping[str, Any] | None = None, **entries: Any
    ) -> links_pb2.Link:
        """The link between both, under these rules. `entries`: others of the blueprint. `chosen`: its settings."""
        await self.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=self.tenant))
        for name, crm in (("erp", self.a), ("crm", self.b)):
            await self.connection(name, "postgres", {"url": crm.url, "find": "trigger"})
        return await self.relink(streams, chosen=chosen, **entries)

    async def relink(
        self, streams: Mapping[str, Any], *, chosen: Mapping[str, Any] | None = None, **entries: Any
    ) -> links_pb2.Link:
        """The link alone, where both connections are there."""
        request = links_pb2.CreateLinkRequest(
            tenant=self.tenant,
            name=LINK,
            a="erp",
            b="crm",
            blueprint=rules(streams, **entries),
            settings=json_format.ParseDict(dict(chosen or {}), Struct()),
        )
        return await self.tandem.links.CreateLink(request)

    async def choose(self, **settings: Any) -> None:
        """Choose other settings for the link."""
        given = json_format.ParseDict(settings, Struct())
        await self.tandem.links.PrepareLink(
            links_pb2.PrepareLinkRequest(link=LINK, tenant=self.tenant, settings=given)
        )

    async def are(self, side: str, what: str, *expected: Row) -> None:
        """Wait until a query says just this, in this order, and nothing is left to do; `what`: `name FROM t ORDER BY 1`."""
        await self.become(side, what, *expected)
        await self.quiet()
        assert await self.rows(side, what) == list(expected)

    async def become(self, side: str, what: str, *expected: Row) -> None:
        """Wait until a query says just this."""

        async def those() -> bool:
            self.last = await self.rows(side, what)
            return self.last == list(expected)

        try:
            await until(those, f"{what} on {side}")
        except AssertionError:
            raise AssertionError(f"{what} on {side}: {self.last}, and not {expected}") from None

    async def rows(self, side: str, what: str) -> Sequence[Row]:
        """The rows of a query, as texts."""
        crm: Crm = getattr(self, side)
        return [
            tuple(None if v is None else str(v) for v in row.values())
            for row in await crm.sql(f"SELECT {what}")
        ]

    async def state(self, side: str, *tables: str) -> Sequence[Row]:
        """Every row with its place and the transaction that wrote it last: a write of any kind shows in it."""
        return [
            row
            for name in tables
            for row in await self.rows(side, f"xmin::text, ctid::text, * FROM {name} ORDER BY 3")
        ]

    async def resolve(self, row: rooms_pb2.Parked, choose: str) -> None:
        """A person's word on a conflict."""
        await self.tandem.conflicts.ResolveConflict(
            rooms_pb2.ResolveConflictRequest(id=row.id, choose=choose)
        )


def rules(streams: Mapping[str, Any], **entries: Any) -> str:
    """A blueprint with these streams."""
    every = {name: {"complete_read": "1h", **stream} for name, stream in streams.items()}
    side = {"connector": "postgres", "poll": "1s"}
    whole = {"blueprint": LINK, "version": 1, "a": side, "b": side, **entries, "streams": every}
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def alike(*names: str, **rules: Any) -> dict[str, Any]:
    """Fields that are called the same on both sides."""
    return {name: {"a": name, "b": name, **rules} for name in names}
