"""What happens to the systems at drawn moments, each under the name of its peril (perils.py)."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import anyio

from clients.connectors.systems.memory_system import MemorySystem
from tests.fakes.store import MemoryStore
from tests.fakes.store_link import LinkState
from tests.sim import objects
from tests.sim.evidence import BACKUP, PERSON, Evidence, Hidden, Span
from tests.sim.laws import SIDES, Side
from tests.sim.life import Life
from tests.sim.operator import LINK, Operator
from tests.sim.scenario import Scenario


class Struck(Protocol):
    """What of a world a mishap can get hold of."""

    scenario: Scenario
    systems: dict[Side, MemorySystem]
    evidence: Evidence
    inner: MemoryStore
    lives: list[Life]
    skews: dict[str, float]
    store_skew_s: float
    turned_back_s: float
    strangers: dict[Side, MemorySystem]
    operator: Operator

    def note(self, text: str) -> None: ...

    def set_back(self, backup: LinkState) -> None: ...


JUMPS_S: Final = (3.0, 30.0, 120.0, 300.0)  # by how much a clock jumps
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
    side, law = luck.choice(SIDES), luck.choice(world.scenario.laws.streams)
    system, stream = world.systems[side], law.name
    ids = [
        id for id, _ in objects.rows(system, law, side) if objects.parted(law, side, id) not in system.hidden
    ]
    if not ids:
        return
    id, began = luck.choice(ids), anyio.current_time()
    world.note(f"{side} {stream}:{id} is hidden {'from every look' if by_id else 'from lists'}")
    at = objects.parted(law, side, id)
    system.hide(*at, by_id=by_id)
    try:
        await anyio.sleep(luck.uniform(5, 120))
    finally:
        system.hidden.pop(at, None)
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
    withheld = {(at, name) for at in stream.objects_on(side)}
    world.systems[side].withheld |= withheld
    try:
        await anyio.sleep(luck.uniform(5, 100))
    finally:
        world.systems[side].withheld -= withheld
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


async def rolled_back(world: Struck, luck: random.Random) -> None:
    """A side is set back to what it was some time ago; no feed tells of it."""
    side, ago_s = luck.choice(SIDES), luck.uniform(5, 90)
    world.note(f"{side} is set back by {ago_s:.0f} s")
    world.systems[side].restore(world.systems[side].now() - ago_s, BACKUP)


async def another_account(world: Struck, luck: random.Random) -> None:
    """The address of a side leads to another account for a while, with other records under the same ids."""
    side = luck.choice(SIDES)
    if not world.inner.connections[side].identity or side in world.strangers:
        return  # not connected yet: it would be taken for the right one, by everybody
    system, right = MemorySystem(f"other {side}", {}, world.systems[side].now), world.systems[side]
    system.add_objects(right.objects)
    for name in right.objects:
        for id, state in right.rows(name):
            texts = {n: f"{v} elsewhere" for n, v in (state.fields or {}).items() if isinstance(v, str)}
            system.create(name, texts, PERSON, id=id)
    system.listeners.append(lambda change: world.evidence.astray.append(f"{side} {change.op} {change.id}"))
    world.note(f"the address of {side} leads to another account")
    world.strangers[side] = system
    for life in list(world.lives):  # whoever has a session keeps it; whoever comes anew is led astray
        life.kill()
    await anyio.sleep(luck.uniform(10, 80))
    del world.strangers[side]
    world.note(f"the address of {side} leads to the right account again")


async def state_rolled_back(world: Struck, luck: random.Random) -> None:
    """The daemon's own database is set back to what it was some time ago, while no daemon runs."""
    backup = world.inner.links[LINK].backup()
    await anyio.sleep(luck.uniform(5, 90))
    for life in list(world.lives):
        life.kill()
    while world.lives:  # noqa: ASYNC110 (on virtual time; nobody says when the last one is gone)
        await anyio.sleep(0.01)
    world.note("the state of the link is set back")
    world.set_back(backup)


async def state_rolled_back_and_noticed(world: Struck, luck: random.Random) -> None:
    """Likewise, and the daemon notices: every link waits until a person has looked at a dry run and has it go on."""
    await state_rolled_back(world, luck)
    world.inner.recover()
    world.operator.pause()
    await anyio.sleep(luck.uniform(5, 60))
    world.operator.ask_for_run("plan")
    await anyio.sleep(luck.uniform(5, 30))
    world.operator.resume()


async def clock_jumps(world: Struck, luck: random.Random) -> None:
    """The wall clock of a daemon's machine, or the time stamps of a system, jump forwards or back."""
    by_s = luck.choice([-1, 1]) * luck.choice(JUMPS_S)
    if luck.random() < 0.3:
        side = luck.choice(SIDES)
        world.note(f"the time stamps of {side} jump by {by_s:+.0f} s")
        world.systems[side].skew_s += by_s
        return
    host = luck.choice(sorted(world.skews))
    world.note(f"the clock of {host} jumps by {by_s:+.0f} s")
    _turned_back(world, -by_s)
    world.skews[host] += by_s


def _turned_back(world: Struck, by_s: float) -> None:
    """What goes by that clock comes so much later (by less than nothing: it went forwards)."""
    if by_s > 0:
        world.turned_back_s += by_s
        world.evidence.turned_back.append((anyio.current_time(), by_s))


async def database_clock_jumps(world: Struck, luck: random.Random) -> None:
    """The clock by which leases are counted jumps forwards (a lease is over before its owner thinks so) or back (one that
    nobody holds lasts on)."""
    by_s = luck.choice([-1, 1]) * luck.choice(JUMPS_S)
    world.note(f"the clock of the database jumps by {by_s:+.0f} s")
    world.store_skew_s += by_s
    _turned_back(world, -by_s)
    world.evidence.jumps.append(anyio.current_time())


MISHAPS: Final[Mapping[str, Mishap]] = {
    "rows hidden from lists": hidden_from_lists,
    "rows hidden": hidden_from_looks,
    "field not delivered": field_withheld,
    "sessions": log_in_refused,
    "rollback": rolled_back,
    "another account": another_account,
    "state rollback": state_rolled_back,
    "state rollback of a feed": state_rolled_back,
    "state rollback noticed": state_rolled_back_and_noticed,
    "clock jumps": clock_jumps,
    "database clock jumps": database_clock_jumps,
}
