"""The PostgreSQL store keeps the contract of the Store port, and what only a real server can show: races, plans of
the planner, lost connections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import asyncpg
import pytest

from actors.core.errors import Kind, LeaseLost, Scope, TandemError
from actors.ports import Lease, Settlement
from daemon.store.pg import PgStore
from daemon.store.pool import Pool, open_pool
from daemon.store.queries import sql
from tests.store import contract, contract_work
from tests.store.pgworld import BOX, PgWorld
from tests.store.world import TTL_S, HandClock, half, hint, leased

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(pool: Pool) -> PgWorld:
    world = PgWorld(pool)
    await world.fill()
    return world


class TestLinks(contract.LinkContract):
    pass


class TestFence(contract.FenceContract):
    pass


class TestInbox(contract.InboxContract):
    pass


class TestRuns(contract.RunContract):
    pass


class TestActions(contract.ActionContract):
    pass


class TestBindings(contract_work.BindingContract):
    pass


class TestSettle(contract_work.SettleContract):
    pass


class TestGenerations(contract_work.GenerationContract):
    pass


class TestKeyGroups(contract_work.KeyGroupContract):
    pass


class TestParked(contract_work.ParkedContract):
    pass


class TestPlans(contract_work.PlanContract):
    pass
