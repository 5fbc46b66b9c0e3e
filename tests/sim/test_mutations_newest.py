"""The simulation notices an engine that breaks one of the newest rules: each planted fault is found within a few seeds that
have the rule, by the invariant that it breaks; and each rule is drawn, and kept by the engine as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from actors import carry, effects, recover
from actors.access import Access
from actors.core import initial, schedule, several, unit_lines, units
from actors.core.guard import Passed
from actors.core.policy import StreamSpec
from actors.core.verdict import Verdict
from actors.places import Places
from tests.sim import rules_newest
from tests.sim.runner import report
from tests.sim.scenario import draw
from tests.sim.simulation import play
from tests.sim.test_mutations import always

SEEDS = 60
# The first seed that is worth a try, where a fault shows itself seldom.
FIRST = {
    "what a move leaves behind stays": 6,
    "lines that stand there are written again": 14,
    "who stands elsewhere is deleted": 284,  # a person is told of most of them
    "budgets hold nothing": 90,
    "documents that were found made have no effects": 7,
}


def answers(answer: Any) -> Any:
    """A question that is answered the same whatever is asked."""

    async def told(*_: Any, **__: Any) -> Any:
        return answer

    return told


def nothing(stream: Any, half: Any, seen: Any, ctx: Any) -> Verdict:
    return Verdict(half)


def nobody_known(spec: Any, old: Any, new: Any) -> list[None]:
    return [None] * len(new)


def all_goes(stream: Any, actions: Any, *_: Any, **__: Any) -> Passed:
    return Passed(tuple(actions), (), {})


def at_once(kind: Any, place: float, after: float) -> float:
    return after


def as_it_is(stream: Any, half: Any, seen: Any, *, loaded: bool) -> Any:
    return half


# Where other seeds than the first ones have the rule at its worst: a document whose reply was lost.
KEPT = {"effects": (0, 1, 7)}


FAULTS: dict[str, tuple[str, Any, str, Any, set[str]]] = {
    "orders go though they do not add up": ("units", units, "odd_sums", always(()), {"sums"}),
    "what a move leaves behind stays": ("several", several, "plan_left", nothing, {"convergence"}),
    "lines that stand there are written again": (
        "units", unit_lines, "aligned", nobody_known, {"lines twice", "no silent loss", "no invention", "sums"},
    ),
    "who stands elsewhere is deleted": (
        "several", Places, "elsewhere", answers(set()), {"moved", "convergence", "no duplicates"},
    ),
    "a clash key binds": ("clash", StreamSpec, "binds_by", always(True), {"clash"}),
    "the initial load writes anywhere": ("initial_load", initial, "held_over", as_it_is, {"initial load"}),
    "documents have no effects": ("effects", effects, "of_made", answers(((), ())), {"effects"}),
    "documents that were found made have no effects": (
        "effects", recover, "effects", SimpleNamespace(of_made=answers(((), ()))), {"effects"},
    ),
    "attachments are never fetched": (
        "attachment", Access, "fetch_attachment", answers(None), {"convergence", "rest", "quiet"},
    ),
    "nothing waits for a command": ("command", schedule, "next_after", at_once, {"on command"}),
    "budgets hold nothing": ("on_merge", carry, "guard", all_goes, {"budgets"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_of_a_newest_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, place, attribute, planted, expected = FAULTS[name]
    monkeypatch.setattr(place, attribute, planted)
    first = FIRST.get(name, 0)
    for seed in range(first, first + SEEDS):
        if {found.invariant for found in play(draw(seed, rules={rule})).violations} & expected:
            return
    pytest.fail(f"{SEEDS} seeds saw nothing of it")


@pytest.mark.parametrize("rule", rules_newest.RULES)
def test_every_newest_rule_is_drawn_and_kept(rule: str) -> None:
    drawn: set[str] = set()
    for seed in KEPT.get(rule, range(3)):
        outcome = play(draw(seed, rules={rule}))
        drawn |= set(outcome.drawn)
        assert not outcome.violations, report(outcome)
    assert drawn & NAMES[rule]


NAMES = {
    "units": {"units"},
    "several": {"several objects"},
    "clash": {"clash keys"},
    "initial_load": {"initial load"},
    "on_merge": {"merged: keep", "merged: delete"},
    "attachment": {"attachments"},
    "effects": {"effects"},
    "command": {"delivery on command"},
    "by_minute": {"delivery by cron"},
}
