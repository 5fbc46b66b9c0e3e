"""A seed from beginning to end: under faults (safety), then without (liveness), then judged."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import anyio

from actors.core.schedule import NEVER
from actors.delivery import SCHEDULED
from actors.messages import Options, Ports
from actors.root import RootActor
from tests.sim import loop
from tests.sim.auditor import safety
from tests.sim.auditor_active import safety_latest
from tests.sim.capacity import capacity_1
from tests.sim.evidence import Violation
from tests.sim.mishaps import JUMPS_S, befall
from tests.sim.operator import LINK
from tests.sim.scenario import Scenario, draw
from tests.sim.settled import liveness
from tests.sim.world import Daemon, Outcome, World

# Virtual seconds. Everything must be in step CALM_MAX_S after faults and edits have ended. Nothing has moved for
# STILL_S (longer than a complete read is apart from the next): then it counts as settled, and QUIET_S is the proof.
CALM_MAX_S = 15 * 60.0
ROUND_S = 25.0
SCAN_S = 2.0
STILL_S = 100.0
QUIET_S = 100.0


def simulate(seed: int, daemon: Daemon | None = None) -> Outcome:
    """Run one seed with the real engine, or another daemon (tests of the harness), and judge it."""
    return play(draw(seed), daemon)


def play(scenario: Scenario, daemon: Daemon | None = None) -> Outcome:
    """Run one scenario and judge it."""
    narrow = "capacity 1" in scenario.perils
    with capacity_1() if narrow else nullcontext():
        return played(scenario, daemon or partial(engine, window=1 if narrow else 500))


def played(scenario: Scenario, daemon: Daemon) -> Outcome:
    """Run one scenario and judge it, at whatever capacity the engine has."""
    outcome = Outcome(scenario.seed, drawn=scenario.drawn)

    async def main() -> None:
        world = World(scenario)
        outcome.trace = world.trace
        try:
            await history(world, daemon)
        except loop.Stuck:
            raise
        except Exception as error:
            world.fallen.append(Violation("the daemon fell over", repr(error), anyio.current_time()))
        outcome.rounds = world.rounds
        outcome.evidence = world.judged()
        outcome.violations = [
            *world.fallen,
            *safety(outcome.evidence),
            *safety_latest(outcome.evidence),
        ]
        if not world.fallen:
            outcome.violations += liveness(outcome.evidence)

    loop.run(main)
    return outcome


async def engine(ports: dict[str, Any], owner: str, window: int = 500) -> None:
    """The real one."""
    options = Options(owner=owner, scan_interval_s=SCAN_S, window=window, rows_window=min(3, window))
    await RootActor(Ports(**ports), options).run()


async def history(world: World, daemon: Daemon) -> None:
    """Everything that happens in a world."""
    world.people.fill(world.scenario.records)
    async with anyio.create_task_group() as tasks:
        for number in range(world.scenario.daemons):
            tasks.start_soon(keep_alive, world, daemon, f"d{number + 1}")
        await under_faults(world)
        await in_calm(world)
        tasks.cancel_scope.cancel()


async def keep_alive(world: World, daemon: Daemon, name: str) -> None:
    """Start a daemon, and start it again some time after it died."""
    luck = world.scenario.luck(f"restarts of {name}")
    for life in range(1, 1000):
        await world.live(daemon, f"{name}.{life}")
        await anyio.sleep(luck.choice([0.1, 5.0, 25.0]))


async def under_faults(world: World) -> None:
    """People work, the link is steered, daemons are killed and frozen, everything fails now and then."""
    scenario = world.scenario
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.people.work, scenario.edits, scenario.edits_s)
        tasks.start_soon(world.operator.work, scenario.edits_s)
        for peril in sorted(scenario.perils):
            tasks.start_soon(befall, world, peril)
        for at in scenario.kills:
            tasks.start_soon(strike, world, at, None)
        for at, for_s in scenario.freezes:
            tasks.start_soon(strike, world, at, for_s)
    world.evidence.edits_end = anyio.current_time()


async def strike(world: World, at: float, freeze_s: float | None) -> None:
    """Kill a daemon at that time, or freeze it for a while."""
    await anyio.sleep(at)
    if not world.lives:
        return
    life = world.scenario.luck(f"strike at {at}").choice(world.lives)
    if freeze_s is None:
        life.kill()
    else:
        world.note(f"{life.name} is frozen for {freeze_s:.1f} s")
        life.frozen_until = anyio.current_time() + freeze_s


async def in_calm(world: World) -> None:
    """Nothing fails any more and nobody edits; what is asked is answered; once all has settled, nothing may move."""
    world.end_faults()
    world.operator.resume()
    world.operator.ask_for_run("sync")
    # What a daemon put off by a clock that was set back since is due as much later; so is a lease that nobody holds.
    jumps = {"clock jumps", "database clock jumps"} & world.scenario.perils
    apart_s = max(world.skews.values(), default=0.0) - min(world.skews.values(), default=0.0)
    enough_s = STILL_S + max(world.turned_back_s, apart_s, max(JUMPS_S) if jumps else 0.0)
    ends, still, rounds = anyio.current_time() + CALM_MAX_S + world.turned_back_s, 0.0, 0
    while still < enough_s and anyio.current_time() < ends:
        before = world.movements()
        await anyio.sleep(ROUND_S)
        rounds += 1
        answered = world.operator.decide(1.0) + world.operator.approve()
        # What waits for its schedule moves nothing, and is not settled.
        retried = any(
            hint.attempts > 1 or (hint.reason == SCHEDULED and hint.not_before < NEVER)
            for hint in world.inner.links[LINK].inbox.values()
        )
        if any(law.command for law in world.scenario.laws.streams):
            world.operator.ask_for_run("sync")
        if answered or retried or world.movements() != before:
            still, world.rounds = 0.0, rounds
        else:
            still += ROUND_S
    world.note("quiet from here on")
    world.evidence.quiet_from = anyio.current_time()
    world.operator.ask_for_run("sync")
    await anyio.sleep(QUIET_S)
