"""What happens to the systems at drawn moments, each under the name of its peril (perils.py)."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import anyio

from clients.connectors.systems.memory_system import MemorySystem
from tests.sim.evidence import Evidence, Hidden, Span
from tests.sim.laws import SIDES, Side
from tests.sim.scenario import Scenario


class Struck(Protocol):
    """What of a world a mishap can get hold of."""

    scenario: Scenario
    systems: dict[Side, MemorySystem]
    evidence: Evidence

    def note(self, text: str) -> None: ...


Mishap = Callable[[Struck, random.Random], Awaitable[None]]


async def befall(world: Struck, peril: str) -> None:
    """Let a peril strike once to three times while people edit; one that has no mishap is no concern of ours."""
    if peril not in MISHAPS:
        return
    luck = world.scenario.luck(f"mishap {peril}")
    async with anyio.create_task_group() as tasks:
        for _ in range(luck.choice([1, 1, 2, 3])):
            tasks.start_soon(_at_some_time, world, MISHAPS[peril], luck.random(), luck.getrandbits(32))


async def _at_some_time(world: Struck, mishap: Mishap, when: float, seed: int) -> None:
    await anyio.sleep(when * world.scenario.edits_s)
    await mishap(world, random.Random(seed))  # noqa: S311 (replayed on purpose)


async def _hidden(world: Struck, luck: random.Random, *, by_id: bool) -> None:
    side, stream = luck.choice(SIDES), luck.choice(world.scenario.laws.streams).name
    system = world.systems[side]
    ids = [id for id, _ in system.rows(stream) if (stream, id) not in system.hidden]
    if not ids:
        return
    id, began = luck.choice(ids), anyio.current_time()
    world.note(f"{side} {stream}:{id} is hidden {'from every look' if by_id else 'from lists'}")
    system.hide(stream, id, by_id=by_id)
    try:
        await anyio.sleep(luck.uniform(5, 120))
    finally:
        system.hidden.pop((stream, id), None)
        world.evidence.hidden.append(Hidden(side, stream, id, by_id, Span(began, anyio.current_time())))
        world.note(f"{side} {stream}:{id} is shown again")


async def hidden_from_lists(world: Struck, luck: random.Random) -> None:
    """A filter leaves a record out of lists, searches and changes; asked for by its id it is there."""
    await _hidden(world, luck, by_id=False)


async def hidden_from_looks(world: Struck, luck: random.Random) -> None:
    """Rights are withdrawn and given back: for a while the system says that there is no such record."""
    await _hidden(world, luck, by_id=True)


async def field_withheld(world: Struck, luck: random.Random) -> None:
    """A field of an object is not delivered for a while, in no record and no reply."""
    side, stream = luck.choice(SIDES), luck.choice(world.scenario.laws.streams)
    name = luck.choice(stream.fields).native(side)
    world.note(f"{side} {stream.name}.{name} is not delivered any more")
    world.systems[side].withheld.add((stream.name, name))
    try:
        await anyio.sleep(luck.uniform(5, 100))
    finally:
        world.systems[side].withheld.discard((stream.name, name))
        world.note(f"{side} {stream.name}.{name} is delivered again")


async def log_in_refused(world: Struck, luck: random.Random) -> None:
    """A system ends all sessions and lets nobody in for a while."""
    side = luck.choice(SIDES)
    world.note(f"{side} lets nobody in")
    world.systems[side].end_sessions()
    world.systems[side].locked = True
    try:
        await anyio.sleep(luck.uniform(5, 60))
    finally:
        world.systems[side].locked = False
        world.note(f"{side} lets people in again")


MISHAPS: Final[Mapping[str, Mishap]] = {
    "rows hidden from lists": hidden_from_lists,
    "rows hidden": hidden_from_looks,
    "field not delivered": field_withheld,
    "sessions": log_in_refused,
}
