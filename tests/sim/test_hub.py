"""A hub of three accounts over many seeds: the invariants hold, and a broken engine is noticed.

`TANDEM_SIM_HUBS` says how many seeds (40).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from actors.core import match
from actors.core.policy import DeletePolicy
from clients.connectors.systems.memory import MemoryConnector
from tests.fakes.store import MemoryStore
from tests.sim import blueprint
from tests.sim.hub import OWN, SYSTEMS, draw_hub, play_hub
from tests.sim.hub_audit import judge
from tests.sim.test_mutations import always

SEEDS = int(os.environ.get("TANDEM_SIM_HUBS", "40"))
PARTS = 4
TRACE_LINES = 40


@pytest.mark.parametrize("part", range(PARTS))
def test_the_invariants_hold_in_a_hub(part: int) -> None:
    for seed in range(part, SEEDS, PARTS):
        outcome = play_hub(draw_hub(seed))
        found = judge(outcome)
        assert not found, "\n".join([f"hub {seed}", *map(str, found), *outcome.trace[-TRACE_LINES:]])


def test_hubs_are_worth_their_time() -> None:
    """What people enter at one secondary comes to the other one, by way of the primary."""
    outcomes = [play_hub(draw_hub(seed)) for seed in range(5)]
    entries = [entry for outcome in outcomes for name in SYSTEMS for entry in outcome.entries[name]]
    assert sum(not entry.outside and entry.op == "create" for entry in entries) > 50
    assert sum(not entry.outside and entry.op == "update" for entry in entries) > 50


@pytest.mark.parametrize("fault", OWN)
def test_every_fault_of_a_hubs_own_is_drawn_and_survived(fault: str) -> None:
    for seed in range(2):
        scenario = draw_hub(seed, also={fault})
        assert fault in scenario.drawn
        outcome = play_hub(scenario)
        assert not judge(outcome), "\n".join(map(str, judge(outcome)))


def test_a_hub_replays_exactly() -> None:
    assert play_hub(draw_hub(3)).trace == play_hub(draw_hub(3)).trace


async def nobody(self: Any, *asked: Any) -> tuple[int, ...]:
    """No claim is ever refused."""
    return ()


FAULTS: dict[str, tuple[Any, str, Any, set[str]]] = {
    "nothing is ever matched": (match, "decide", always("free"), {"no duplicates"}),
    "writes are blind": (MemoryConnector, "_moved_on", always(False), {"no silent loss"}),
    "claims are not kept": (MemoryStore, "claim", nobody, {"no duplicates"}),
    "every deletion is carried": (blueprint, "deletion", always(DeletePolicy.REMOVE), {"deletes"}),
    "no deletion is carried": (blueprint, "deletion", always(DeletePolicy.IGNORE), {"convergence"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_in_a_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, attribute, planted, expected = FAULTS[name]
    monkeypatch.setattr(place, attribute, planted)
    for seed in range(40):
        scenario = draw_hub(seed)
        scenario = replace(scenario, edits=scenario.edits * 3)
        if {violation.invariant for violation in judge(play_hub(scenario))} & expected:
            return
    pytest.fail("60 hubs saw nothing of it")
