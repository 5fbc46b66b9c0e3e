"""Transactions of the store in memory, and the part of it that is about many records at once."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice

from actors.core.errors import LeaseLost
from actors.core.types import OPEN_STATES, Action, ActionState, Binding, Op, Presence, Side
from actors.ports import Clock, ConnectionRow, Lease, Lines, LinkRow, NewRows, Settlement
from tests.fakes.store_link import LinkState, Numbers

Step = Callable[[str], Awaitable[None]]


class MemoryRows:
    """What the rest of the store stands on. `step`: called before and after everything, may fail."""

    def __init__(self, clock: Clock, step: Step | None = None) -> None:
        self.clock = clock
        self.step = step
        self.links: dict[str, LinkState] = {}
        self.connections: dict[str, ConnectionRow] = {}
        self.claims: dict[
            tuple[str, str, str, int], tuple[str, float]
        ] = {}  # account, object, hash -> link, until
        self._numbers = Numbers()

    @asynccontextmanager
    async def _transaction(self, name: str, lease: Lease | None = None) -> AsyncIterator[None]:
        if self.step is not None:
            await self.step(name)
        if lease is not None and not self._holds(lease):
            raise LeaseLost(f"link {lease.link} is no longer held by {lease.owner} at epoch {lease.epoch}")
        yield
        if self.step is not None:
            await self.step(name)

    def _holds(self, lease: Lease) -> bool:
        state = self.links.get(lease.link)
        if state is None or (state.row.owner, state.row.epoch) != (lease.owner, lease.epoch):
            return False
        return state.lease_until > self.clock.now()

    def _state(self, link: str) -> LinkState:
        """The link, or a stand-in without content where there is none."""
        return self.links.get(link) or LinkState(LinkRow(link, "", "", "", "", ""), self._numbers)

    # -------------------------------------------------------------------------------------- many at once

    async def load(self, lease: Lease, settlement: Settlement, rows: NewRows, intent: Action) -> Action:
        async with self._transaction("load", lease):
            state = self.links[lease.link]
            return state.load(settlement, rows, intent, self.clock.now())

    async def writes_of_run(self, run: str, after: int, limit: int) -> Sequence[Action]:
        async with self._transaction("writes_of_run"):
            wrote = {*OPEN_STATES, ActionState.CONFIRMED, ActionState.UNKNOWN}
            found = [
                action
                for state in self.links.values()
                for where, action in state.actions.values()
                if where == run and action.op is not Op.NONE and action.state in wrote
            ]
            keys = sorted({action.binding for action in found if action.binding > after})[:limit]
            return sorted(
                (one for one in found if one.binding in keys), key=lambda one: (one.binding, one.id)
            )

    async def bindings_covered(
        self, link: str, stream: str, covers: tuple[int, int], after: int, limit: int
    ) -> Sequence[Binding]:
        async with self._transaction("bindings_covered"):
            first, last = covers
            found = self._state(link).ordered(stream)
            return [b for b in found if first <= b.key <= last and b.key > after][:limit]

    async def lines_between(
        self,
        link: str,
        stream: str,
        side: Side,
        ends: tuple[str, str],
        limit: int,
        *,
        block: bool,
        map_ver: str,
    ) -> Lines:
        async with self._transaction("lines_between"):
            state = self._state(link)
            ids = sorted(id_ for id_ in state.ids(stream, side) if ends[0] <= id_ <= ends[1])
            ids = [id_ for id_ in ids[:limit] if len(id_) == len(ends[0])]
            return _lines(state.lines(stream, side, ids, map_ver), block)

    async def lines_of(
        self, link: str, stream: str, side: Side, ids: Sequence[str], *, block: bool, map_ver: str
    ) -> Lines:
        async with self._transaction("lines_of"):
            return _lines(self._state(link).lines(stream, side, sorted(set(ids)), map_ver), block)

    async def sharing(
        self, link: str, stream: str, level: int, hashes: Sequence[int], limit: int
    ) -> Sequence[Binding]:
        async with self._transaction("sharing"):
            wanted = set(hashes) - {0}
            found = (
                one for one in self._state(link).ordered(stream) if {*one.keys[level : level + 1]} & wanted
            )
            return list(islice(found, limit))

    async def count_present(self, link: str, stream: str, side: Side) -> int:
        async with self._transaction("count_present"):
            found = [held for b in self._state(link).ordered(stream) if (held := b.side(side)) is not None]
            return sum(held.presence is Presence.PRESENT for held in found)

    async def present(self, link: str, stream: str, side: Side) -> AsyncGenerator[Sequence[str], None]:
        async with self._transaction("present"):
            found = [held for b in self._state(link).ordered(stream) if (held := b.side(side)) is not None]
        yield [held.id for held in found if held.presence is Presence.PRESENT]


def _lines(lines: list[str], block: bool) -> Lines:
    text = "\n".join(lines)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return Lines(len(lines), digest, text if block else "")
