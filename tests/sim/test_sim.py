"""The real engine over many seeds: whatever systems, store, crashes and people do, the invariants hold.

`TANDEM_SIM_SEEDS` says how many seeds (500), `TANDEM_SIM_WORKERS` in how many processes (2). A failure prints its seed
and what it drew; `python -m tests.sim --seed N --trace` replays it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import anyio
import pytest

from actors.core.policy import LinkSpec
from actors.core.types import Op
from actors.ports import ConnectionRow, RunRow, Settlement, Write
from tests.sim import loop, runner
from tests.sim.blueprint import blueprint
from tests.sim.evidence import Answer, Entry
from tests.sim.life import Dead
from tests.sim.operator import LINK
from tests.sim.perils import GAPS, PERILS
from tests.sim.runner import figures, report
from tests.sim.scenario import draw
from tests.sim.simulation import play, simulate
from tests.sim.world import Outcome, World, without_addresses

SEEDS = int(os.environ.get("TANDEM_SIM_SEEDS", "500"))
WORKERS = int(os.environ.get("TANDEM_SIM_WORKERS", "2"))
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_the_invariants_hold(part: int) -> None:
    told: list[str] = []
    found = figures(range(part, SEEDS, PARTS), WORKERS, told.append)
    print("\n".join(found.lines()))
    assert not found.failed, "\n\n".join(told)


def test_people_write_what_lines_add_up_to_as_their_side_writes_numbers() -> None:
    """Side b writes them as texts there: the simulation itself fell over (seeds 502572, 502723, 503381, 504427)."""
    assert play(draw(504427)).violations == []


def test_people_put_a_record_into_an_object_of_its_own_stream() -> None:
    """Two streams with several objects each, by the same rules: the simulation itself fell over (seed 522496)."""
    assert play(draw(522496)).violations == []


@pytest.mark.parametrize("peril", PERILS)
def test_every_peril_is_drawn_and_survived(peril: str) -> None:
    """Each one at least twice, whatever the seeds of the test above drew."""
    for seed in range(2):
        outcome = play(draw(seed, also={peril}))
        assert peril in outcome.drawn
        assert not outcome.violations, report(outcome)


@pytest.mark.parametrize("gap", GAPS)
def test_a_gap_is_never_drawn_and_can_be_asked_for(gap: str) -> None:
    assert gap not in PERILS
    assert gap in play(draw(0, also={gap})).drawn


def test_a_seed_replays_exactly() -> None:
    first, second = simulate(7), simulate(7)
    assert [without_addresses(line) for line in first.trace] == [
        without_addresses(line) for line in second.trace
    ]
    assert first.violations == second.violations


def test_seeds_differ() -> None:
    assert simulate(1).trace != simulate(2).trace


def test_worlds_are_worth_their_time() -> None:
    """In a good part of the seeds daemons die, writes are refused or lost, and people are asked."""
    traces = ["\n".join(simulate(seed).trace) for seed in range(40)]
    for sign in ("is killed", "'unknown'", "operator decides", "'moved_on'", "reply lost", "operator pauses"):
        assert sum(sign in trace for trace in traces) >= 2, sign


def test_the_engine_is_told_the_same_rules() -> None:
    scenario = draw(3)
    spec: LinkSpec = blueprint(scenario.laws, {})
    for law in scenario.laws.streams:
        told = spec.stream(law.name)
        assert [field.name for field in told.fields] == [field.name for field in law.fields]
        # An owner that is so once a record is bound is a case; until then both are.
        owners = [field.owner_cases[0].owner if field.owner_cases else field.owner for field in told.fields]
        assert [owner.value for owner in owners] == [field.owner for field in law.fields]
        assert [bool(field.owner_cases) for field in told.fields] == [f.once_bound for f in law.fields]
        assert {side for side in ("a", "b") if told.deletes[side].value == "remove"} == law.removes


def test_what_a_daemon_heard_and_did_not_live_to_put_down_counts_as_not_answered() -> None:
    """It dies right after the reply; a daemon that lives has its answers in the evidence."""

    async def main() -> tuple[list[Entry], list[Answer]]:
        world = World(draw(3))

        async def dies(ports: dict[str, Any], owner: str) -> None:
            side = await ports["connect"](ConnectionRow("b", "tenant", "b", "memory"))
            await side.write("customers", [Write(Op.CREATE, native={"ref_b": "ref-1"})], ())
            raise Dead

        world.end_faults()
        await world.live(dies, "d1.1")
        return world.evidence.entries, world.evidence.answers

    entries, answers = loop.run(main)
    assert [(entry.who, entry.op) for entry in entries] == [("d1.1", "create")]
    assert answers == []
    lived = simulate(3).evidence
    assert lived is not None
    assert all(lived.was_answered(entry) for entry in lived.entries if not entry.outside)


@pytest.mark.parametrize("ended, answers", [(False, 1), (True, 0)])
def test_what_a_run_heard_and_did_not_settle_is_settled_by_no_other(ended: bool, answers: int) -> None:
    """The store was away when somebody was looked up for the settlement: the run ends, and the next one settles others."""

    async def main() -> list[Answer]:
        world = World(draw(3))

        async def daemon(ports: dict[str, Any], owner: str) -> None:
            lease = await ports["store"].take_lease(LINK, owner, 60.0)
            side = await ports["connect"](ConnectionRow("b", "tenant", "b", "memory"))
            await side.write("customers", [Write(Op.CREATE, native={"ref_b": "ref-1"})], ())
            if ended:
                ports["telemetry"].emit("run.ended")
            await ports["store"].begin_run(lease, RunRow("r", LINK))
            await ports["store"].settle(lease, Settlement(run="r"))
            raise Dead

        world.end_faults()
        await world.live(daemon, "d1.1")
        return world.evidence.answers

    assert len(loop.run(main)) == answers


def test_a_failing_seed_is_told_with_its_story() -> None:
    outcome = simulate(1)
    told = report(outcome)
    assert "seed 1" in told
    assert "drawn: " in told
    assert "replay: python -m tests.sim --seed 1" in told


def test_a_run_that_somebody_asked_for_is_over_when_the_next_begins_or_the_daemon_dies() -> None:
    """Of a run whose lease was lost no end is told (seed 204004)."""

    async def daemon(ports: dict[str, Any], owner: str) -> None:
        emit = ports["telemetry"].emit
        emit("run.started", cause="command")
        await anyio.sleep(1)
        emit("run.started", cause="command")
        await anyio.sleep(2)
        raise Dead(owner)

    evidence = play(replace(draw(0), daemons=1), daemon).evidence
    assert evidence is not None
    first, second, *_ = evidence.commanded
    assert (first.ended - first.began, second.ended - second.began) == (1, 2)


def test_a_seed_that_falls_over_is_told_of_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def falls(seed: int) -> Outcome:
        if seed == 1:
            raise StopIteration
        return Outcome(seed)

    monkeypatch.setattr(runner, "simulate", falls)
    told: list[str] = []
    found = figures(range(3), 1, told.append)
    assert (found.seeds, found.failed) == (3, [1])
    assert "seed 1" in told[0] and "StopIteration" in told[0]
