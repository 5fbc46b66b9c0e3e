"""The in-memory store of the simulation keeps the contract of the Store port; its fault hook is on both sides."""

from __future__ import annotations

import pytest

from actors.core.errors import Kind, TandemError
from actors.ports import Settlement
from tests.store import contract, contract_recovery, contract_rows, contract_runs, contract_work
from tests.store.memory_world import MemoryWorld
from tests.store.world import half, hint, leased

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestLinks(contract.LinkContract):
    pass


class TestFence(contract.FenceContract):
    pass


class TestInbox(contract.InboxContract):
    pass


class TestRuns(contract_runs.RunContract):
    pass


class TestActions(contract_runs.ActionContract):
    pass


class TestBindings(contract_work.BindingContract):
    pass


class TestSettle(contract_work.SettleContract):
    pass


class TestRows(contract_rows.RowsContract):
    pass


class TestGenerations(contract_work.GenerationContract):
    pass


class TestKeyGroups(contract_work.KeyGroupContract):
    pass


class TestParked(contract_runs.ParkedContract):
    pass


class TestPlans(contract_runs.PlanContract):
    pass


class TestRecovery(contract_recovery.RecoveryContract):
    pass


async def test_a_fault_before_leaves_nothing_and_one_after_leaves_all(world: MemoryWorld) -> None:
    lease = await leased(world)
    fails_at = 0
    calls: list[str] = []

    async def step(name: str) -> None:
        calls.append(name)
        if len(calls) == fails_at:
            raise TandemError(Kind.TRANSIENT, "away")

    world.memory.step = step
    for fails_at, kept in ((1, 0), (2, 1)):
        calls.clear()
        with pytest.raises(TandemError, match="away"):
            await world.memory.settle(
                lease, Settlement("r1", bindings=(half("a", "A1"),), hints=(hint("A1"),))
            )
        assert calls == ["settle"] * fails_at
        assert len(world.memory.links["l1"].bindings) == kept
