"""What is active again on one side alone (`reactivation: ignore`): nothing makes the other side active but its own people,
every deactivation follows, and neither is said twice."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from actors.core.blueprint.compiler import BlueprintError
from actors.core.merge import NOT_FOLLOWED
from actors.core.policy import Choice
from actors.core.stream_rules import Reactivation
from actors.core.types import SIDES, Side, other
from actors.core.values import Value
from tests.core.blueprint_samples import Document, compiled, fields
from tests.core.pairs import TwoSystems, bound, one, stream

VALUES = (False, True, None)  # null is no deactivation
IGNORED = {conflict: stream(one(reactivation=Reactivation.IGNORE, conflict=conflict)) for conflict in Choice}


@pytest.mark.parametrize("conflict", [rule for rule in Choice if not rule.startswith("newest")])
def test_nothing_is_made_active_for_another_side_and_every_deactivation_follows(conflict: Choice) -> None:
    for base, dev_a, dev_b, now_a, now_b in itertools.product(VALUES, repeat=5):
        devs: dict[Side, dict[str, Value]] = {"a": {"f": dev_a}, "b": {"f": dev_b}}
        devs = {side: dev if dev["f"] is not base else {} for side, dev in devs.items()}
        now: dict[Side, Value] = {"a": now_a, "b": now_b}
        was = {side: devs[side].get("f", base) for side in SIDES}
        two = TwoSystems(
            IGNORED[conflict],
            {side: {"f": now[side]} for side in SIDES},
            binding=bound({"f": base}, devs["a"], devs["b"]),
        )
        verdict = two.step()
        sent = {action.side: action.fields["f"] for action in verdict.actions}
        case = f"{base} {was} {now} -> {sent}"
        for side in SIDES:
            if side in sent and now[side] is False:
                raise AssertionError(f"made active: {case}")
            deactivated = now[side] is False and was[side] is not False
            if deactivated and now[other(side)] is not False:
                assert sent == {other(side): False}, case
        # What was planned is all there was to be said of it.
        again = two.step()
        if not verdict.park:
            assert (again.actions, again.items, again.park) == ((), (), ()), case


def deviations(two: TwoSystems) -> dict[Side, tuple[Value, str]]:
    """Which sides are recorded to show something else, what, and why."""
    held = {side: two.binding.side(side) for side in SIDES}
    return {side: (one.dev["f"].value, one.dev["f"].reason) for side, one in held.items() if one and one.dev}


@pytest.mark.parametrize("here", SIDES)
def test_it_is_written_down_once_stays_as_it_is_and_what_comes_later_follows(here: Side) -> None:
    there = other(here)
    two = TwoSystems(IGNORED[Choice.ASK], {side: {"f": True} for side in SIDES}, binding=bound({"f": True}))
    two.edit(here, "f", False)
    two.rest()
    assert two.holds[there]["f"] is False
    two.edit(here, "f", True)
    (line,) = two.step().items
    assert line.rule == f"active again on {here}: {NOT_FOLLOWED}" and line.decisions[0].chosen is True
    assert two.binding.base == {"f": False}
    assert deviations(two) == {here: (True, NOT_FOLLOWED)}
    seen = two.step()
    assert (seen.items, seen.actions, two.holds[there]["f"]) == ((), (), False)
    # Its own deactivation has nobody to tell; then both are activated, each by its people, and agree again.
    two.edit(here, "f", False)
    two.rest()
    assert deviations(two) == {}
    for side in SIDES:
        two.edit(side, "f", True)
        two.rest()
    assert two.binding.base == {"f": True} and deviations(two) == {}
    two.edit(there, "f", False)
    two.rest()
    assert two.holds[here]["f"] is False and len(two.written) == 2


@pytest.mark.parametrize(
    "rules",
    [
        {"owner": "a"},
        {"group": "g"},
        {"set": True},
        {"on_create_only": True},
        {"reference": "orders"},
        {"owner": "local"},
    ],
)
def test_a_field_that_is_not_decided_by_itself_on_both_sides_is_refused(rules: dict[str, Any]) -> None:
    def change(data: Document) -> None:
        fields(data)["active"] = {"a": "AKTIV", "b": "active", "reactivation": "ignore", **rules}

    with pytest.raises(BlueprintError) as refused:
        compiled(change)
    assert "streams.customers.fields.active.reactivation" in {fault.path for fault in refused.value.faults}
