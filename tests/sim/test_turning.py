"""Owners that turn with an edit: they are drawn, they turn, the invariants hold, and a planted fault is found."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core import merge
from tests.sim.evidence import PERSON
from tests.sim.rules_turning import MARKED
from tests.sim.runner import report
from tests.sim.scenario import draw
from tests.sim.simulation import play

SEEDS = 30


def nobody_knows(*asked: Any, **more: Any) -> None:
    """Whose a field is can't be said of any record."""


def test_owners_turn_and_the_invariants_hold() -> None:
    turned = 0
    for seed in range(4):
        outcome = play(draw(seed, rules={"turning"}))
        assert not outcome.violations, report(outcome)
        assert "owners that turn" in outcome.drawn and outcome.evidence is not None
        turned += sum(
            one.who == PERSON and one.op == "update" and not {MARKED, f"{MARKED}_b"}.isdisjoint(one.changed())
            for one in outcome.evidence.entries
        )
    assert turned > 10


def test_it_is_drawn_now_and_then() -> None:
    assert any("owners that turn" in draw(seed).drawn for seed in range(100))


def test_a_planted_fault_of_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "owner_of", nobody_knows)
    played = (play(draw(seed, rules={"turning"})) for seed in range(SEEDS))
    violated = (one for outcome in played for one in outcome.violations)
    assert any(one.invariant == "convergence" and MARKED not in str(one) for one in violated)
