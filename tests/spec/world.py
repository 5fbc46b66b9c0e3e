"""The world of a spec test: an ERP, a CRM, and a link between them on a real daemon.

Owns the caller's side of the API, and the comparison of both systems without Tandem's help. Must not: reach into the
daemon's state, or know how it does what it does.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import (
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    rooms_pb2,
    runs_pb2,
    system_pb2,
)
from tandem_client import RunHandle, Tandem
from tests.daemon.process import DaemonProcess
from tests.spec.systems import LINK, OBJECTS, Crm, Erp, blueprint, until

CALL_TIMEOUT_S = 60.0


class World:
    """One tenant with its two systems and the link between them, on a daemon."""

    def __init__(self, tandem: Tandem, tenant: str, erp: Erp, crm: Crm) -> None:
        self.tandem = tandem
        self.tenant = tenant
        self.erp = erp
        self.crm = crm

    # --------------------------------------------------------------------------------------------- setting up

    async def connect(
        self,
        text: str = "",
        *,
        find: str = "trigger",
        crm_url: str = "",
        paused: bool = False,
        **settings: Any,
    ) -> links_pb2.Link:
        """Tenant, both connections and the link. `settings`: further ones of the CRM's connection."""
        await self.tandem.system.CreateTenant(system_pb2.CreateTenantRequest(id=self.tenant))
        erp = {"path": str(self.erp.folder), "encoding": "cp1252", "separator": ";", "quiet_s": 0}
        await self.connection("erp", "csv", {**erp, "objects": OBJECTS})
        await self.connection("crm", "postgres", {"url": crm_url or self.crm.url, "find": find, **settings})
        return await self.link(text or blueprint(), paused=paused)

    async def connection(
        self, name: str, connector: str, settings: Mapping[str, Any]
    ) -> connections_pb2.Connection:
        """Create a connection."""
        given = json_format.ParseDict(dict(settings), Struct())
        request = connections_pb2.CreateConnectionRequest(
            tenant=self.tenant, name=name, connector=connector, settings=given
        )
        return await self.tandem.connections.CreateConnection(request)

    async def link(
        self, text: str, *, name: str = LINK, a: str = "erp", paused: bool = False
    ) -> links_pb2.Link:
        """Create the link."""
        request = links_pb2.CreateLinkRequest(
            tenant=self.tenant, name=name, a=a, b="crm", blueprint=text, paused=paused
        )
        return await self.tandem.links.CreateLink(request)

    async def leave(self) -> None:
        """Take the link and its connections away, so that a shared daemon has nothing left to do for this test."""
        listed = await self.tandem.links.ListLinks(links_pb2.ListLinksRequest(tenant=self.tenant))
        for link in listed.links:
            await self.tandem.links.DeleteLink(links_pb2.DeleteLinkRequest(link=link.id))
        found = await self.tandem.connections.ListConnections(
            connections_pb2.ListConnectionsRequest(tenant=self.tenant)
        )
        for one in found.connections:
            await self.tandem.connections.DeleteConnection(
                connections_pb2.DeleteConnectionRequest(connection=one.id)
            )

    # ------------------------------------------------------------------------------------------------ the link

    async def shown(self) -> links_pb2.Link:
        """The link as the daemon shows it."""
        return await self.tandem.links.GetLink(links_pb2.GetLinkRequest(link=LINK, tenant=self.tenant))

    async def pause(self) -> links_pb2.Link:
        """Pause the link."""
        return await self.tandem.links.PauseLink(links_pb2.PauseLinkRequest(link=LINK, tenant=self.tenant))

    async def resume(self) -> links_pb2.Link:
        """Let the link go on."""
        return await self.tandem.links.ResumeLink(links_pb2.ResumeLinkRequest(link=LINK, tenant=self.tenant))

    async def at_rest(self) -> links_pb2.Link:
        """Wait until no run is under way."""

        async def idle() -> links_pb2.Link | None:
            link = await self.shown()
            return None if link.run else link

        link = await until(idle, "the run under way to end")
        assert link is not None
        return link

    async def start(self, *, dry_run: bool = False) -> RunHandle:
        """Start a run."""
        return await self.tandem.start_run(LINK, tenant=self.tenant, dry_run=dry_run)

    async def sync(self, *, dry_run: bool = False) -> runs_pb2.Run:
        """Start a run and wait for its end."""
        with anyio.fail_after(CALL_TIMEOUT_S):
            return await (await self.start(dry_run=dry_run)).done()

    async def ended(self, run: runs_pb2.Run) -> runs_pb2.Run:
        """Watch a run until it has ended; how it ended."""
        with anyio.fail_after(CALL_TIMEOUT_S):
            async for now in self.tandem.runs.WatchRun(runs_pb2.WatchRunRequest(run=run.id)):
                run = now
        return run

    async def quiet(self) -> runs_pb2.Run:
        """Run until a run finds nothing new; that run."""

        async def nothing_new() -> runs_pb2.Run | None:
            run = await self.sync()
            return run if run.outcome == "nothing_new" else None

        run = await until(nothing_new, "a run that finds nothing new")
        assert run is not None
        return run

    async def quiet_enough(self) -> runs_pb2.Run:
        """Run until a run has nothing left to do but what waits for a yes; that run."""

        async def idle() -> runs_pb2.Run | None:
            run = await self.sync()
            return run if run.outcome in ("nothing_new", "awaiting_approval") else None

        run = await until(idle, "a run that finds nothing new")
        assert run is not None
        return run

    async def runs(self) -> list[runs_pb2.Run]:
        """The history, newest first."""
        request = runs_pb2.ListRunsRequest(link=LINK, tenant=self.tenant, page_size=200)
        return list((await self.tandem.runs.ListRuns(request)).runs)

    async def next_run(self, known: Iterable[runs_pb2.Run], text: str = "a run with work") -> runs_pb2.Run:
        """The first run with work that is not among the `known` ones, once it has ended: by command, poll or poke."""
        seen = {run.id for run in known}

        async def ended() -> runs_pb2.Run | None:
            new = [run for run in await self.runs() if run.id not in seen]
            done = [run for run in new if run.outcome not in ("queued", "running", "nothing_new")]
            return done[-1] if done else None

        run = await until(ended, text)
        assert run is not None
        return run

    async def items(self, run: runs_pb2.Run, state: str = "") -> list[common_pb2.Action]:
        """The protocol of a run."""
        request = runs_pb2.ListRunItemsRequest(run=run.id, state=state, page_size=500)
        return list((await self.tandem.runs.ListRunItems(request)).items)

    async def actors(self) -> dict[str, system_pb2.ActorInfo]:
        """The actors of the process that is asked, by name."""
        found = await self.tandem.system.ListActors(system_pb2.ListActorsRequest())
        return {actor.name: actor for actor in found.actors}

    # ------------------------------------------------------------------------------------ what waits for people

    async def parked(self, room: str) -> list[rooms_pb2.Parked]:
        """What waits in a room."""
        request = rooms_pb2.ListParkedRequest(link=LINK, tenant=self.tenant, room=room, page_size=500)
        return list((await self.tandem.quarantine.ListParked(request)).parked)

    async def conflicts(self) -> list[rooms_pb2.Parked]:
        """The open conflicts."""
        request = rooms_pb2.ListConflictsRequest(link=LINK, tenant=self.tenant)
        return list((await self.tandem.conflicts.ListConflicts(request)).conflicts)

    async def plans(self, state: str = "") -> list[plans_pb2.Plan]:
        """The plans, newest first."""
        request = plans_pb2.ListPlansRequest(link=LINK, tenant=self.tenant, state=state)
        return list((await self.tandem.plans.ListPlans(request)).plans)

    async def plan(self, kind: str) -> plans_pb2.Plan:
        """The open plan of a kind, once there is one."""

        async def found() -> plans_pb2.Plan | None:
            return next((plan for plan in await self.plans("open") if plan.kind == kind), None)

        plan = await until(found, f"a plan of kind {kind}")
        assert plan is not None
        return plan

    async def planned(self, plan: plans_pb2.Plan) -> list[common_pb2.Action]:
        """The actions of a plan."""
        request = plans_pb2.ListPlanActionsRequest(plan=plan.id, page_size=500)
        return list((await self.tandem.plans.ListPlanActions(request)).actions)

    async def approve(self, plan: plans_pb2.Plan) -> plans_pb2.Plan:
        """Say yes to a plan as it was read."""
        return await self.tandem.plans.ApprovePlan(
            plans_pb2.ApprovePlanRequest(plan=plan.id, revision=plan.revision)
        )

    # -------------------------------------------------------------------------------------- are they in step?

    async def differences(self) -> list[str]:
        """Every way in which both systems disagree about customers, found without Tandem's help."""
        erp = {row["KUNDENNR"]: _plain_erp(row) for row in self.erp.rows()}
        crm = {row["number"]: _plain_crm(row) for row in await self.crm.customers()}
        doubled = len(self.erp.rows()) - len(erp) + len(await self.crm.customers()) - len(crm)
        out = [f"{doubled} numbers stand twice"] if doubled else []
        for number in sorted({*erp, *crm}, key=str):
            if erp.get(number) != crm.get(number):
                out.append(f"{number}: {erp.get(number)} in the ERP, {crm.get(number)} in the CRM")
        return out

    async def in_step(self, timeout_s: float = 80.0) -> None:
        """Wait until both systems hold the same customers."""

        async def same() -> bool:
            self.left = await self.differences()
            return not self.left

        try:
            await until(same, "both systems to agree", timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; {len(self.left)} differences: {self.left[:5]}") from None


def _plain_erp(row: Mapping[str, str]) -> tuple[str, ...]:
    credit = row["KREDIT"].replace(".", "").replace(",", ".")
    return (row["NAME"], _digits(row["TELEFON"]), row["EMAIL"].lower(), row["ORT"], credit)


def _plain_crm(row: Mapping[str, Any]) -> tuple[str, ...]:
    credit = "" if row["credit"] is None else str(row["credit"])
    return (row["name"], _digits(row["phone"] or ""), row["email"] or "", row["city"] or "", credit)


def _digits(text: str) -> str:
    return "".join(c for c in text.replace("+49", "0") if c.isdigit())


@asynccontextmanager
async def asked(daemon: DaemonProcess, token: str = "") -> AsyncIterator[Tandem]:
    """The client library, with the daemon's first admin token (or that of the first daemon on its database)."""
    async with Tandem(daemon.grpc, token=token or daemon.token, timeout_s=CALL_TIMEOUT_S) as tandem:
        yield tandem


async def page(daemon: DaemonProcess, path: str) -> tuple[int, str]:
    """Status and text of one of the daemon's HTTP pages."""

    def fetch() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{daemon.http}{path}", timeout=20) as response:  # noqa: S310
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await anyio.to_thread.run_sync(fetch)


async def metric(daemon: DaemonProcess, series: str) -> float | None:
    """The value of one series as /metrics shows it now, or None."""
    _, text = await page(daemon, "/metrics")
    found = [line.rpartition(" ")[2] for line in text.splitlines() if line.rpartition(" ")[0] == series]
    return float(found[0]) if found else None
