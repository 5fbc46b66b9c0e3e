"""The simulation notices an engine that breaks one of the rules of rules_latest.py: each planted fault is found within a few
seeds that have the rule, by the invariant that it breaks; and each rule is drawn, and kept by the engine as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from actors import conclude, waiting
from actors.core import documents, foreign, gates, merge, plan
from actors.core.policy import StreamSpec
from actors.core.stream_rules import Imports, Reactivation
from actors.core.types import Parked, Side
from tests.sim import rules_latest
from tests.sim.runner import report
from tests.sim.scenario import draw
from tests.sim.simulation import play
from tests.sim.test_mutations import always
from tests.sim.test_mutations_newest import answers

SEEDS = 60


def switched_at_all(self: Any, side: Side) -> bool:
    return self.spec.reactivation is Reactivation.IGNORE


def not_noted(stream: Any, binding: Any, left: Any) -> Any:
    return binding, foreign.left_alone(stream, binding, left)[1]


def on_a_word(stream: StreamSpec, row: Parked, *, just_staged: bool = False) -> bool:
    return stream.imports is not Imports.ALWAYS or "choose" in (row.decision or {})


def at_once(stream: StreamSpec, row: Parked, *, just_staged: bool = False) -> bool:
    return stream.imports is Imports.ALWAYS


async def all_of_them(state: Any, name: Any, side: Any, values: Sequence[Any]) -> Sequence[Any]:
    return values


def again(stream: StreamSpec, row: Parked, *, just_staged: bool = False) -> bool:
    return stream.imports is Imports.ALWAYS and not just_staged


FAULTS: dict[str, tuple[str, Any, str, Any, set[str]]] = {
    "who is active again is so everywhere": (
        "reactivation", merge._View, "_is_again", always(False), {"active again"}
    ),
    "a deactivation stays where it is": (
        "reactivation", merge._View, "_is_again", switched_at_all, {"convergence"}
    ),
    "who is active again is written down at each look": (
        "reactivation", plan, "left_alone", not_noted, {"active again"}
    ),
    "nothing is imported by itself": ("imports", documents, "decided", on_a_word, {"imports"}),
    "what is never imported is": ("imports", documents, "decided", always(True), {"imports"}),
    "it is imported in the run that stages it": ("imports", documents, "decided", at_once, {"staged"}),
    "what was refused is imported by itself once more": ("imports", (documents, conclude), "decided", again, {"staged"}),
    "who is named is not waited for": ("assigned", waiting, "_missing", answers(()), {"requires"}),
    "who is named is waited for for ever": ("assigned", waiting, "_missing", all_of_them, {"requires"}),
    "the day is not looked at": ("since", gates, "goes_all_the_same", always(True), {"gate"}),
    "the day counts for nothing": ("since", gates, "goes_all_the_same", always(False), {"convergence"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_of_a_latest_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, place, attribute, planted, expected = FAULTS[name]
    for one in place if isinstance(place, tuple) else (place,):
        monkeypatch.setattr(one, attribute, planted)
    for seed in range(SEEDS):
        if {found.invariant for found in play(draw(seed, rules={rule})).violations} & expected:
            return
    pytest.fail(f"{SEEDS} seeds saw nothing of it")


@pytest.mark.parametrize("rule", rules_latest.RULES)
def test_every_latest_rule_is_drawn_and_kept(rule: str) -> None:
    drawn: set[str] = set()
    for seed in range(3):
        outcome = play(draw(seed, rules={rule}))
        drawn |= set(outcome.drawn)
        assert not outcome.violations, report(outcome)
    assert drawn & NAMES[rule]


NAMES = {
    "reactivation": {"reactivations ignored"},
    "imports": {"imports: always", "imports: never"},
    "assigned": {"waits for who is named"},
    "since": {"gate since a day"},
}
