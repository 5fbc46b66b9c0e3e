"""The store contract's world over the in-memory store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actors.ports import RunRow, Store
from tests.fakes.store import MemoryStore
from tests.store.world import CONNECTIONS, LINK, HandClock


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
