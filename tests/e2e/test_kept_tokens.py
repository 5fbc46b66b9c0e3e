"""A vendor that takes each token once, and a daemon that is killed: the account stays open, or says what it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from clients.emulators.faults import Fault
from clients.emulators.stand import stand
from clients.emulators.winbooks import System as Winbooks
from tandem.v1 import connections_pb2, system_pb2
from tests.api.world import Refused, struct
from tests.daemon.process import eventually
from tests.e2e.steering import TENANT, Steered

pytestmark = pytest.mark.anyio
TOKEN = "POST /OAuth20/Token"


class World(Steered):
    """A daemon, and a folder of WinBooks whose exchange token is good for one use."""

    def __init__(self, data_dir: Path, books: Winbooks) -> None:
        super().__init__(data_dir)
        self.books = books

    async def create(self) -> None:
        given = {"email": self.books.email, "folder": self.books.folder, "url": self.books.address}
        request = connections_pb2.CreateConnectionRequest(
            tenant=TENANT,
            name="books",
            connector="winbooks",
            settings=struct({**given, "exchange_token": "exchange-token", "calls_per_s": 0}),
        )
        async with self.client() as admin:
            await admin(admin.system.CreateTenant, system_pb2.CreateTenantRequest(id=TENANT))
            await admin(admin.connections.CreateConnection, request)

    async def try_(self) -> Any:
        """The engine's own way into the account: what it says, or how it was refused."""
        request = connections_pb2.TestConnectionRequest(tenant=TENANT, connection="books")
        async with self.client() as admin:
            return await admin(admin.connections.TestConnection, request)

    async def refused(self) -> Refused:
        request = connections_pb2.TestConnectionRequest(tenant=TENANT, connection="books")
        async with self.client() as admin:
            return await admin.refused(admin.connections.TestConnection, request)

    async def again(self) -> None:
        """SIGKILL, and another start."""
        self.kill()
        await anyio.to_thread.run_sync(self.start)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stand("winbooks", {"exchange": "once"}) as books:
        assert isinstance(books, Winbooks)
        world = World(tmp_path / "data", books)
        await anyio.to_thread.run_sync(world.start)
        try:
            await world.create()
            yield world
        finally:
            world.close()


async def test_redteam_24_a_token_that_was_exchanged_outlives_the_daemon(world: World) -> None:
    await world.again()
    assert (await world.try_()).identity
    assert world.books.counters[TOKEN] == 1, "what was drawn when the connection was made is used on"
    world.books.expire()
    assert (await world.try_()).identity
    await world.again()
    world.books.expire()
    assert (await world.try_()).identity
    assert (world.books.counters[TOKEN], world.books.exchanges) == (3, 1)


async def test_redteam_24_killed_before_the_answer_came_it_says_what_is_needed(world: World) -> None:
    world.books.expire()
    world.books.faults.add(Fault("cut", path="/OAuth20/Token", done=True, seconds=60))

    async def exchanged() -> bool:
        return world.books.counters[TOKEN] == 2

    async with anyio.create_task_group() as group:
        group.start_soon(world.refused)
        await eventually(exchanged)
        world.kill()
    await anyio.to_thread.run_sync(world.start)
    refused = await world.refused()
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "AUTH")
    assert "the answer to a renewal was lost" in refused.hint
    world.books.exchange_token = "another"
    change = connections_pb2.UpdateConnectionRequest(
        tenant=TENANT, connection="books", settings=struct({"exchange_token": "another"})
    )
    async with world.client() as admin:
        await admin(admin.connections.UpdateConnection, change)
    await world.again()
    assert (await world.try_()).identity
