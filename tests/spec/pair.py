"""A pair of systems under a built-in blueprint: two emulators, and a link between them on a real daemon.

Owns the caller's side of the API for pairs, and waiting. Must not: reach into the daemon's state, or know a system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
import yaml
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from daemon import blueprints
from tandem.v1 import (
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    rooms_pb2,
    runs_pb2,
    settings_pb2,
    streams_pb2,
    system_pb2,
    webhooks_pb2,
)
from tandem_client import Tandem
from tests.spec.systems import until

T = TypeVar("T")
CALL_TIMEOUT_S = 60.0


class Pair:
    """One tenant, two connections, one link. `a`, `b`: connector and settings of each side."""

    def __init__(
        self, tandem: Tandem, tenant: str, a: tuple[str, Mapping[str, Any]], b: tuple[str, Mapping[str, Any]]
    ) -> None:
        self.tandem = tandem
        self.tenant = tenant
        self.systems = {"a": a, "b": b}
        self.name = "pair"

    # --------------------------------------------------------------------------------------------- setting up

    async def connect(self) -> None:
        """The tenant and both connections, `a` and `b`."""
        await self.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=self.tenant))
        for side, (connector, settings) in self.systems.items():
            request = connections_pb2.CreateConnectionRequest(
                tenant=self.tenant, name=side, connector=connector, settings=struct(settings)
            )
            await self.tandem.connections.CreateConnection(request)

    async def link(
        self, blueprint: str, *, rules: Mapping[str, Any] | None = None, **settings: Any
    ) -> links_pb2.Link:
        """The link under a built-in blueprint, with `rules` laid over it before anything is done. `settings`: those of the
        blueprint that are otherwise here. Looks every second, unless the rules say otherwise."""
        request = links_pb2.CreateLinkRequest(
            tenant=self.tenant, name=self.name, a="a", b="b", blueprint=blueprint, paused=True
        )
        await self.tandem.links.CreateLink(request)
        quick: dict[str, Any] = {"a": {"poll": "1s"}, "b": {"poll": "1s"}}
        given = (
            {"settings": {name: {"default": value} for name, value in settings.items()}} if settings else {}
        )
        await self.change({**quick, **given, **(rules or {})})
        return await self.resume()

    async def change(self, rules: Mapping[str, Any]) -> settings_pb2.LinkSettings:
        """Change the link's settings while it runs."""
        text = yaml.safe_dump(dict(rules), sort_keys=False, allow_unicode=True)
        request = settings_pb2.ChangeSettingsRequest(link=self.name, tenant=self.tenant, settings=text)
        return await self.tandem.settings.ChangeSettings(request)

    async def resume(self) -> links_pb2.Link:
        """Let the link go on."""
        request = links_pb2.ResumeLinkRequest(link=self.name, tenant=self.tenant)
        return await self.tandem.links.ResumeLink(request)

    async def leave(self) -> None:
        """Take the links and connections away, so that a shared daemon has nothing left to do for this test."""
        listed = await self.tandem.links.ListLinks(links_pb2.ListLinksRequest(tenant=self.tenant))
        for link in listed.links:
            await self.tandem.links.DeleteLink(links_pb2.DeleteLinkRequest(link=link.id))
        of = connections_pb2.ListConnectionsRequest(tenant=self.tenant)
        for one in (await self.tandem.connections.ListConnections(of)).connections:
            await self.tandem.connections.DeleteConnection(
                connections_pb2.DeleteConnectionRequest(connection=one.id)
            )

    async def webhook(self, connection: str) -> Mapping[str, str]:
        """The addresses of a connection's webhook, by object."""
        request = webhooks_pb2.CreateWebhookRequest(connection=connection, tenant=self.tenant)
        hook = await self.tandem.webhooks.CreateWebhook(request)
        return {one.object: one.url for one in hook.addresses}

    # ------------------------------------------------------------------------------------------------ the link

    async def shown(self) -> links_pb2.Link:
        """The link as the daemon shows it."""
        request = links_pb2.GetLinkRequest(link=self.name, tenant=self.tenant)
        return await self.tandem.links.GetLink(request)

    async def sync(self) -> runs_pb2.Run:
        """Start a run and wait for its end."""
        with anyio.fail_after(CALL_TIMEOUT_S):
            return await (await self.tandem.start_run(self.name, tenant=self.tenant)).done()

    async def backfill(self, stream: str) -> None:
        """One complete read of both sides, through to its end."""
        request = streams_pb2.BackfillStreamRequest(link=self.name, tenant=self.tenant, stream=stream)
        await self.tandem.streams.BackfillStream(request)
        await self.quiet()

    async def quiet(self) -> runs_pb2.Run:
        """Run until a run finds nothing new; that run."""

        async def nothing_new() -> runs_pb2.Run | None:
            run = await self.sync()
            return run if run.outcome in ("nothing_new", "awaiting_approval") else None

        run = await until(nothing_new, "a run that finds nothing new")
        assert run is not None
        return run

    async def told(self, words: str) -> list[common_pb2.Action]:
        """What the protocols of all runs say under a rule that begins so."""
        of = runs_pb2.ListRunsRequest(link=self.name, tenant=self.tenant, page_size=100)
        found: list[common_pb2.Action] = []
        for run in (await self.tandem.runs.ListRuns(of)).runs:
            request = runs_pb2.ListRunItemsRequest(run=run.id, page_size=500)
            items = (await self.tandem.runs.ListRunItems(request)).items
            found += [item for item in items if item.rule.startswith(words)]
        return found

    async def parked(self, room: str) -> list[rooms_pb2.Parked]:
        """What waits in a room."""
        request = rooms_pb2.ListParkedRequest(link=self.name, tenant=self.tenant, room=room, page_size=500)
        return list((await self.tandem.quarantine.ListParked(request)).parked)

    async def waits(self, room: str, words: str, count: int = 1) -> list[rooms_pb2.Parked]:
        """Wait until so many records in a room say `words`."""

        async def found() -> list[rooms_pb2.Parked]:
            these = [one for one in await self.parked(room) if words in one.reason]
            return these if len(these) == count else []

        return await until(found, f"{count} in {room} that say {words!r}")

    async def plan(self) -> plans_pb2.Plan:
        """The open plan, once there is one."""

        async def found() -> plans_pb2.Plan | None:
            request = plans_pb2.ListPlansRequest(link=self.name, tenant=self.tenant, state="open")
            listed = (await self.tandem.plans.ListPlans(request)).plans
            return listed[0] if listed else None

        plan = await until(found, "a plan")
        assert plan is not None
        return plan

    async def planned(self, plan: plans_pb2.Plan) -> Sequence[common_pb2.Action]:
        """The actions of a plan."""
        request = plans_pb2.ListPlanActionsRequest(plan=plan.id, page_size=500)
        return (await self.tandem.plans.ListPlanActions(request)).actions

    async def approve(self, plan: plans_pb2.Plan) -> None:
        """Say yes to a plan as it was read."""
        request = plans_pb2.ApprovePlanRequest(plan=plan.id, revision=plan.revision)
        await self.tandem.plans.ApprovePlan(request)

    async def see(self, condition: Callable[[], T], what: str, timeout_s: float = 80.0) -> T:
        """Wait until both systems show something; it."""

        async def asked() -> T:
            return condition()

        return await until(asked, what, timeout_s)


def struct(values: Mapping[str, Any]) -> Struct:
    """Settings as the API takes them."""
    return json_format.ParseDict(dict(values), Struct())


def builtin(name: str) -> str:
    """The text of a built-in blueprint."""
    return blueprints.text(name)
