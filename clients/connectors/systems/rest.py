"""The connector `rest`: any JSON REST API by a declaration, and no code. Composes the parts that lie beside it (rest_*.py).

What it promises depends on the declaration: `declared` derives it from the settings, and each open connector carries its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from actors.core.errors import Kind, TandemError
from actors.core.types import Record
from actors.core.values import Value
from actors.ports import Declaration, Find, ObjectInfo, Page, Write, WriteResult
from clients.connectors.http.base import HttpConnector, not_offered
from clients.connectors.http.client import HttpClient
from clients.connectors.http.kept import Keeper
from clients.connectors.http.pace import Pace
from clients.connectors.http.transport import SIZE_MAX
from clients.connectors.http.values import as_text
from clients.connectors.http.wire import at
from clients.connectors.probe import Finding
from clients.connectors.systems import rest_ids
from clients.connectors.systems.rest_auth import strategy
from clients.connectors.systems.rest_judge import RestJudge
from clients.connectors.systems.rest_load import DEADLINE_S, SETTINGS, load
from clients.connectors.systems.rest_modified import ModifiedReader
from clients.connectors.systems.rest_plan import ObjectPlan, Plan
from clients.connectors.systems.rest_probe import Prober
from clients.connectors.systems.rest_read import Reader
from clients.connectors.systems.rest_write import Writer

__all__ = ["DECLARATION", "RestConnector", "connect", "declared"]

DECLARATION = Declaration(
    name="rest",
    doc="Any JSON REST API, by a declaration in YAML.",
    settings=SETTINGS,
)


def declared(settings: Mapping[str, Any]) -> Declaration:
    """What a connection with these settings promises; secrets may be missing. Raises CONFIG with every fault."""
    return load(settings, DECLARATION, strict=False).declaration


def destinations(settings: Mapping[str, Any]) -> Sequence[str]:
    """The addresses that the declaration names: that of the interface, and of the log-in where it has one of its own."""
    plan = load(settings, DECLARATION, strict=False)
    out = plan.auth.get("log_out") or {}
    return plan.url, str(plan.auth.get("path", "")), str(out.get("path", ""))


async def connect(settings: Mapping[str, Any], keeper: Keeper | None = None) -> RestConnector:
    """Compile the declaration; nothing is asked of the system yet. Raises CONFIG with every fault. `keeper`: where tokens
    of OAuth 2 are kept."""
    return RestConnector(load(settings, DECLARATION), keeper)


class RestConnector(HttpConnector):
    """One open access to one account of a declared system. See `actors.ports.Connector`."""

    def __init__(self, plan: Plan, keeper: Keeper | None = None) -> None:
        limits = plan.limits
        deadline_s = limits.get("deadline", DEADLINE_S)
        client = HttpClient(
            plan.declaration.name,
            plan.url,
            auth=strategy(plan.auth, plan.secrets),
            judge=RestJudge(plan.declaration.name, plan.answers, plan.words),
            headers=plan.headers,
            deadline_s=deadline_s,
            concurrency=plan.declaration.concurrency,
            pace=Pace(plan.declaration.name, limits.get("rate_per_s", 0.0), limits.get("burst", 1)),
            size_max=limits.get("size_max", SIZE_MAX),
            authorities=plan.authorities,
            keeper=keeper,
        )
        super().__init__(plan.declaration, client)
        self.plan = plan
        at_once = plan.declaration.concurrency
        self.reader = Reader(client, plan.literals, at_once)
        self._modified = ModifiedReader(client, plan.literals)
        self._writer = Writer(client, self.reader, deadline_s, self.check, at_once)

    async def identity(self) -> str:
        """What the system says of the account, or else the address and the variables."""
        if self.plan.identity is None:
            base = self.client.url("").rstrip("/")
            return f"{base} ({self.plan.account})" if self.plan.account else base
        request = self.plan.identity.request("ask which account this is", writes=False)
        raw = at(await self.client.json(request), self.plan.identity_at)
        if not isinstance(raw, str | int) or isinstance(raw, bool) or raw == "":
            raise TandemError(
                Kind.CONFIG,
                f"{self.client.name} does not say which account this is: nothing stands at '{self.plan.identity_at}'",
                hint="check `identity` of the declaration",
            )
        return f"{self.client.name} {as_text(raw)}"

    async def check(self) -> None:
        """The declared request, or one record of the first object."""
        if self.plan.check is not None:
            await self.client.ask(self.plan.check.request("check the account", writes=False))
        else:
            await self.reader.sample(next(iter(self.plan.objects.values())), 1)

    async def describe(self) -> Sequence[ObjectInfo]:
        """As declared: nobody else says what there is."""
        return [plan.shape.described() for plan in self.plan.objects.values()]

    def find(self, object_name: str) -> Find:
        """By `modified` where it is declared."""
        plan = self.plan.objects.get(object_name)
        return Find.MODIFIED if plan is not None and plan.modified is not None else Find.FULL

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Fresh looks by id."""
        return await self.reader.read(self.object(object_name), ids, fields)

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Records modified since the cursor. Deletes are not seen this way."""
        plan = self.object(object_name)
        if plan.modified is None:
            raise not_offered(object_name, "changes", "say `modified` in the declaration")
        return await self._modified.changes(plan, plan.modified, cursor, fields, limit)

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """One page of a complete read."""
        return await self.reader.scan(self.object(object_name), position, fields, limit)

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """Ids by chance, where the system takes ids of ours; empty where this object's does not."""
        plan = self.object(object_name)
        if not self.declaration.draws_ids:
            raise not_offered(object_name, "reserve")
        return [rest_ids.draw(plan.new_ids) for _ in range(count)] if plan.new_ids else []

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        """By the field that is declared as tag."""
        plan = self.object(object_name)
        if not self.declaration.tag or not plan.tag:
            raise not_offered(object_name, "find_tagged")
        return await self.reader.find_by(plan, plan.tag, tag, fields)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """By the declared search; each record that it finds is compared once more."""
        return await self.reader.find_by(self.object(object_name), field, value, fields)

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """One by one, each with its precondition."""
        return await self._writer.write(self.object(object_name), writes, fields)

    async def probe_object(self, object_name: str, records: int) -> Sequence[Finding]:
        """What single answers show of the declaration (`clients.connectors.probe`)."""
        plan = self.object(object_name)

        async def newer(when: datetime) -> int:
            assert plan.modified is not None
            return await self._modified.newer(plan, plan.modified, when, 1)

        return await Prober(plan, self.reader, newer).findings(records)

    def object(self, name: str) -> ObjectPlan:
        """The plan of an object; CONFIG naming those there are."""
        return self.known(self.plan.objects, name)
