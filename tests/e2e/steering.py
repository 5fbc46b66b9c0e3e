"""A tandemd process that can be killed, and one link of it, steered as an operator would: API and `tandemctl`.

Must not: know the systems that are linked, or reach into the daemon's state.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import grpc

from tandem.v1 import connections_pb2, links_pb2, plans_pb2, rooms_pb2, runs_pb2, system_pb2
from tests.api.world import Client, struct
from tests.daemon.process import DaemonProcess, environment, eventually, running

TENANT = "acme"
LINK = "people"
PAGE = 500
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # of a daemon that has much to do
ROOMS = ("quarantine", "waiting", "staged", "ambiguous")  # every room but the conflicts'


class Steered:
    """A daemon on `data_dir` once `start` was called, and the link `LINK` in it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._stack = ExitStack()
        self.daemon: DaemonProcess | None = None

    # ------------------------------------------------------------------------------------------------ the daemon

    def start(self, **settings: str) -> DaemonProcess:
        """Start it and wait until it is ready."""
        self.daemon = self._stack.enter_context(running(self.data_dir, **settings))
        return self.daemon

    def kill(self) -> None:
        """SIGKILL: nobody gets to tidy up."""
        assert self.daemon is not None
        self.daemon.process.kill()
        self.daemon.process.wait()

    def kill_database(self) -> None:
        """SIGKILL to the daemon's own PostgreSQL, where there is one at this moment."""
        with suppress(OSError, ValueError, IndexError):
            os.kill(
                int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL
            )

    def close(self) -> None:
        """End the daemon."""
        self._stack.close()

    def ctl(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """One `tandemctl` command, as an operator types it."""
        assert self.daemon is not None
        env = (
            environment(self.data_dir)
            | {"TANDEM_ADDRESS": self.daemon.grpc, "TANDEM_TENANT": TENANT}
            | environ
        )
        command = [str(Path(sys.executable).with_name("tandemctl")), *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    @property
    def token(self) -> str:
        """An admin's token, whichever daemon on this database is asked."""
        return (self.data_dir / "admin.token").read_text().strip()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """An admin's client of the daemon as it runs now."""
        assert self.daemon is not None
        async with grpc.aio.insecure_channel(self.daemon.grpc) as channel:
            yield Client(channel, self.token)

    # -------------------------------------------------------------------------------------------------- the link

    async def connect_as(
        self,
        blueprint: str,
        connections: Sequence[tuple[str, str, Mapping[str, Any]]],
        *,
        paused: bool = False,
    ) -> None:
        """Tenant, connections (name, connector, settings) for the sides a and b, and the link."""
        async with self.client() as admin:
            await admin(admin.system.CreateTenant, system_pb2.CreateTenantRequest(id=TENANT))
            for name, connector, settings in connections:
                request = connections_pb2.CreateConnectionRequest(
                    tenant=TENANT, name=name, connector=connector, settings=struct(settings)
                )
                await admin(admin.connections.CreateConnection, request)
            a, b = (name for name, _, _ in connections)
            await admin(
                admin.links.CreateLink,
                links_pb2.CreateLinkRequest(
                    tenant=TENANT, name=LINK, a=a, b=b, blueprint=blueprint, paused=paused
                ),
            )

    async def link(self) -> links_pb2.Link:
        """The link as the daemon shows it."""
        async with self.client() as admin:
            request = links_pb2.GetLinkRequest(link=LINK, tenant=TENANT)
            shown: links_pb2.Link = await admin(admin.links.GetLink, request)
            return shown

    async def pause(self) -> None:
        """Pause the link and wait until its run has ended."""
        async with self.client() as admin:
            await admin(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=LINK, tenant=TENANT))

        async def at_rest() -> bool:
            return not (await self.link()).run

        await eventually(at_rest, 60)

    async def resume(self) -> None:
        """Let it go on."""
        async with self.client() as admin:
            await admin(admin.links.ResumeLink, links_pb2.ResumeLinkRequest(link=LINK, tenant=TENANT))

    async def run(self, scope_streams: tuple[str, ...] = ()) -> runs_pb2.Run:
        """Start a run, or join the one that is running, and watch it to its end."""
        async with self.client() as admin:
            request = runs_pb2.StartRunRequest(link=LINK, tenant=TENANT, streams=scope_streams)
            started = await admin(admin.runs.StartRun, request)
            messages = await admin.watched(started.run.id)
            last: runs_pb2.Run = messages[-1]
            return last

    async def quiet(self, timeout_s: float = 90.0) -> None:
        """Wait until two fresh runs in a row find nothing new and nothing is on its way."""
        calm = 0
        seen: list[str] = []
        try:
            with anyio.fail_after(timeout_s):
                while calm < 2:
                    try:
                        run, link = await self.run(), await self.link()
                    except grpc.aio.AioRpcError as error:
                        if error.code() not in AGAIN:
                            raise
                        seen, calm = [*seen[-5:], str(error.details())], 0
                        await anyio.sleep(0.2)
                        continue
                    seen = [*seen[-5:], f"{run.outcome} {run.error} {link.state} {link.freshness_s}"]
                    settled = link.loaded and not link.freshness_s
                    calm = calm + 1 if run.outcome == "nothing_new" and settled else 0
                    await anyio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not at rest within {timeout_s:g} s: {seen}") from None

    async def conflicts(self) -> list[Any]:
        """Every open conflict."""

        async def page(admin: Client, token: str) -> Any:
            request = rooms_pb2.ListConflictsRequest(
                link=LINK, tenant=TENANT, page_size=PAGE, page_token=token
            )
            return await admin(admin.conflicts.ListConflicts, request)

        return await self._all(page, "conflicts")

    async def parked(self) -> list[Any]:
        """Every record that waits in another room."""
        found = []
        for room in ROOMS:

            async def page(admin: Client, token: str, room: str = room) -> Any:
                request = rooms_pb2.ListParkedRequest(
                    link=LINK, tenant=TENANT, room=room, page_size=PAGE, page_token=token
                )
                return await admin(admin.quarantine.ListParked, request)

            found += await self._all(page, "parked")
        return found

    async def runs(self) -> list[runs_pb2.Run]:
        """The whole history."""

        async def page(admin: Client, token: str) -> Any:
            request = runs_pb2.ListRunsRequest(link=LINK, tenant=TENANT, page_size=PAGE, page_token=token)
            return await admin(admin.runs.ListRuns, request)

        return await self._all(page, "runs")

    async def items(self, run: str) -> list[Any]:
        """The protocol of one run."""

        async def page(admin: Client, token: str) -> Any:
            request = runs_pb2.ListRunItemsRequest(run=run, page_size=PAGE, page_token=token)
            return await admin(admin.runs.ListRunItems, request)

        return await self._all(page, "items")

    async def _all(self, page: Callable[[Client, str], Awaitable[Any]], name: str) -> list[Any]:
        """Every page of a list."""
        found: list[Any] = []
        token = ""
        async with self.client() as admin:
            while True:
                answer = await page(admin, token)
                found += getattr(answer, name)
                token = answer.next_page_token
                if not token:
                    return found

    async def plans(self) -> list[Any]:
        """Every open plan."""
        async with self.client() as admin:
            request = plans_pb2.ListPlansRequest(link=LINK, tenant=TENANT)
            plans = (await admin(admin.plans.ListPlans, request)).plans
            return [plan for plan in plans if plan.state == "open"]
