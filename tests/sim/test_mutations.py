"""The simulation notices a broken engine: each planted fault is found within a few seeds, by the invariant it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors import recover, window
from actors.core import gates, match, merge, newcomer, plan, settle
from actors.core.policy import DeletePolicy
from clients.connectors.systems.memory import MemoryConnector
from tests.fakes.store import MemoryStore
from tests.fakes.store_link import LinkState
from tests.sim import blueprint, rules_more
from tests.sim.scenario import draw
from tests.sim.simulation import play

SEEDS = 100


def always(answer: Any) -> Callable[..., Any]:
    """A function that says the same whatever it is asked."""
    return lambda *_, **__: answer


def counted_twice(original: Callable[..., None]) -> Callable[..., None]:
    def add(self: LinkState, run: str, more: Any) -> None:
        original(self, run, more)
        original(self, run, more)

    return add


async def same_for_all(self: Any) -> str:
    return "whoever"


def first_side(self: Any) -> Any:
    return "a", "planted", self.values("a")


def wrong_owner(self: Any, owner: Any) -> Any:
    loser = "b" if owner == "a" else "a"
    return loser, "planted", self.values(loser)


MUTATIONS: dict[str, tuple[Any, str, Any, set[str]]] = {
    "writes are blind": (MemoryConnector, "_moved_on", always(False), {"no silent loss", "ask"}),
    "an open create is sent again": (recover, "resolve", always("not_done"), {"no duplicates"}),
    "a rewriting is not recorded": (settle, "_shows", always("as sent"), {"no invention"}),
    "nothing is ever matched": (match, "decide", always("free"), {"no duplicates"}),
    "a lost lease still commits": (MemoryStore, "_holds", always(True), {"single owner"}),
    "conflicts are decided by nobody": (merge._View, "_conflict", first_side, {"ask", "rule"}),
    "the wrong side owns": (merge._View, "_owned", wrong_owner, {"ownership", "no invention"}),
    "every deletion is carried": (blueprint, "deletion", always(DeletePolicy.REMOVE), {"deletes"}),
    "old looks count": (
        window,
        "fresh",
        always(True),
        {"fresh eyes"},
    ),
    "another account is not noticed": (MemoryConnector, "identity", same_for_all, {"another account"}),
    "the breaker never trips": (plan, "is_contested", always(False), {"termination", "quiet"}),
    "counts lie": (LinkState, "_add_counters", counted_twice(LinkState._add_counters), {"truth"}),
}


# What a mutation needs to show itself, where not every seed has it.
NEEDS = {"another account is not noticed": {"another account"}, "the breaker never trips": {"automation"}}

BUSY = {"writes are blind": 4}  # so much more often people edit: somebody has to do so just before we write


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, attribute, planted, expected = MUTATIONS[name]
    monkeypatch.setattr(place, attribute, planted)
    for seed in range(SEEDS):
        world = draw(seed, also=NEEDS.get(name, ()))
        world = replace(world, edits=world.edits * BUSY.get(name, 1))
        if {violation.invariant for violation in play(world).violations} & expected:
            return
    pytest.fail(f"{SEEDS} seeds saw nothing of it")


def as_told(stream: Any, side: Any, told: Any) -> Any:
    return told


# Faults of rules that few seeds have: these are drawn in each.
MORE: dict[str, tuple[str, Any, str, Any, set[str]]] = {
    "gates let everybody in": ("gate", gates, "is_open", always(True), {"gate"}),
    "nothing is staged": ("staged", newcomer, "staged", always(None), {"staged"}),
    "what is written once is written again": (
        "once",
        plan,
        "_written_once",
        lambda s, b, o, w, c: (b, w, ()),
        {"once"},
    ),
    "nothing begins with anything": ("starts", newcomer, "begun", as_told, {"starts with"}),
    "own values are forgotten": ("own", newcomer, "_own_values", always({"memo": "nobody's"}), {"ownership"}),
}


@pytest.mark.parametrize("name", MORE)
def test_a_planted_fault_of_such_a_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, place, attribute, planted, expected = MORE[name]
    monkeypatch.setattr(rules_more, "SHARE", 1.0)
    monkeypatch.setattr(rules_more, "RULES", {rule: rules_more.RULES[rule]})
    monkeypatch.setattr(place, attribute, planted)
    for seed in range(SEEDS):
        if {violation.invariant for violation in play(draw(seed)).violations} & expected:
            return
    pytest.fail(f"{SEEDS} seeds saw nothing of it")
