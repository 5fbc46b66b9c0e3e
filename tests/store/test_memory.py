"""The in-memory store of the simulation keeps the contract of the Store port; its fault hook is on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.errors import Kind, TandemError
from actors.ports import RunRow, Settlement, Store
from tests.fakes.store import MemoryStore
from tests.store import contract, contract_recovery, contract_rows, contract_runs, contract_work
from tests.store.world import CONNECTIONS, LINK, HandClock, half, hint, leased

pytestmark = pytest.mark.anyio


class MemoryWorld:
    """World over a MemoryStore."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.memory = MemoryStore(self.clock)
        for connection in CONNECTIONS:
            self.memory.add_connection(connection)
        self.memory.add_link(LINK)
        self.memory.add_link(msgspec.structs.replace(LINK, id="l2", name="second"))

    @property
    def store(self) -> Store:
        return self.memory

    async def expire(self, link: str) -> None:
        self.memory.links[link].lease_until = 0.0

    async def set_wish(self, link: str, wish: str) -> None:
        self.memory.set_wish(link, wish)

    async def set_establishment(self, link: str, value: str) -> None:
        self.memory.set_establishment(link, value)

    async def recover(self) -> None:
        self.memory.recover()

    async def request_run(self, run: RunRow) -> None:
        self.memory.request_run(run)

    async def cancel_run(self, link: str, run: str) -> None:
        self.memory.cancel_run(link, run)

    async def run(self, run: str) -> RunRow:
        return next(state.runs[run] for state in self.memory.links.values() if run in state.runs)

    async def approve_plan(self, link: str, plan: str, rev: int) -> None:
        self.memory.approve_plan(link, plan, rev)

    async def reject_plan(self, link: str, plan: str) -> None:
        self.memory.reject_plan(link, plan)

    async def decide(self, link: str, parked: int, fingerprint: str, decision: Mapping[str, Any]) -> bool:
        return self.memory.decide(link, parked, fingerprint, decision)


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
