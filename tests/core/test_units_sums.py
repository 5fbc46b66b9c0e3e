"""What a side would show once it is written has to add up too: after a conflict each side may be right by itself, and the
lines of one wrong beside the sum of the other."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from actors.core.plan import RESTORE, Context, Verdict, plan_new, plan_pair
from actors.core.policy import Choice, StreamSpec
from actors.core.types import SIDES, Deviation, Room, Side, other
from actors.core.values import Value
from tests.core.orders import TOTAL, line, lines, orders
from tests.core.pairs import NOW, bound, one, seen
from tests.core.test_units import half, looks, order

A, B, C = line("A"), line("B"), line("C")
SUMMED = lines(sums=(TOTAL,))
CTX = Context(NOW)


def by_rule(rule: Choice) -> StreamSpec:
    """Orders of which one side's total stays where both changed it."""
    spec = orders(SUMMED)
    total = msgspec.structs.replace(spec.field("total"), conflict=rule)
    return msgspec.structs.replace(spec, fields=(*spec.fields[:2], total, spec.field("items")))


def outcome(verdict: Verdict) -> tuple[int, list[tuple[Room, str]]]:
    """How many writes there are, and what is listed where."""
    return len(verdict.actions), [(row.room, row.field) for row in verdict.park]


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("same_side", [True, False])
def test_the_lines_of_one_side_never_stand_beside_the_sum_of_the_other(here: Side, same_side: bool) -> None:
    was = order((A,))
    mine, theirs = order((line("A", 5),), 50), order((line("A", 7),), 70)
    pair = looks(here, mine, theirs)
    listed = plan_pair(orders(SUMMED), bound(was), *pair, CTX).park
    assert {row.field for row in listed} == {"items", "total"}
    words = {"items": here, "total": here if same_side else other(here)}
    said = tuple(msgspec.structs.replace(row, decision={"choose": words[row.field]}) for row in listed)
    verdict = plan_pair(orders(SUMMED), bound(was), *pair, Context(NOW, parked=said))
    if same_side:
        (action,) = verdict.actions
        assert (action.side, action.fields) == (other(here), {name: mine[name] for name in words})
        assert verdict.park == ()
        return
    assert verdict.actions == ()
    assert {row.room for row in verdict.park} == {Room.WAITING, Room.CONFLICT}
    reasons = [row.reason for row in verdict.park if row.room is Room.WAITING]
    assert reasons == [f"to be written: the lines of items on {s} add up to 50, total says 70" for s in SIDES]
    # The words stand: another one about either of them lets the record go.
    assert {row.field: row.decision for row in verdict.park if row.room is Room.CONFLICT} == {
        name: {"choose": side} for name, side in words.items()
    }


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("rule", [Choice.A, Choice.B])
def test_merged_lines_beside_the_sum_of_one_side_wait(here: Side, rule: Choice) -> None:
    was = order((A, B))
    mine, theirs = order((line("A", 5), B), 60), order((A, line("B", 7)), 80)
    verdict = plan_pair(by_rule(rule), bound(was), *looks(here, mine, theirs), CTX)
    assert outcome(verdict) == (0, [(Room.WAITING, "*sums*")] * 2)
    assert verdict.again_s > 0
    # Merged they are right where both sides' edits come to the sum that one of them gives.
    right = order((line("A", 5), B), 120 if here == rule.value else 60)
    others = order((A, line("B", 7)), 120 if here != rule.value else 80)
    verdict = plan_pair(by_rule(rule), bound(was), *looks(here, right, others), CTX)
    assert outcome(verdict) == (2, [])


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("reason, goes", [("lossy", True), ("rewritten", True), ("differs", False)])
def test_what_a_side_shows_in_a_way_of_its_own_counts_as_what_was_agreed_on(
    here: Side, reason: str, goes: bool
) -> None:
    """A total of 10.05 is 10 there, since it has no cents: lines that come to 10.05 are right all the same."""
    there, cents = other(here), Decimal("10.05")
    was: dict[str, Value] = {"number": "1", "note": None, "total": cents, "items": (line("A", 1, "10.05"),)}
    binding = bound(was)
    held = binding.side(there)
    assert held is not None
    held = msgspec.structs.replace(held, dev={"total": Deviation(Decimal(10), reason)})
    binding = msgspec.structs.replace(binding, **{there: held})
    now = {**was, "items": (line("C", 1, "10.05"),)}
    verdict = plan_pair(orders(SUMMED), binding, *looks(here, now, {**was, "total": Decimal(10)}), CTX)
    assert outcome(verdict) == ((1, []) if goes else (0, [(Room.WAITING, "*sums*")]))


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("off", [0, 1])
def test_what_both_sides_are_to_be_told_goes_to_both_or_to_neither(here: Side, off: int) -> None:
    """Where the lines of one side do not add up nothing goes from there, and so a list that was merged goes nowhere."""
    spec = orders(SUMMED)
    spec = msgspec.structs.replace(spec, fields=(*spec.fields, one("tags", as_set=True)))
    was = order((A,), tags=("x",))
    mine, theirs = order((A, B), 20 + off, tags=("x", "y")), order((A,), tags=("x", "z"))
    verdict = plan_pair(spec, bound(was), *looks(here, mine, theirs), CTX)
    assert outcome(verdict) == ((0, [(Room.WAITING, "*sums*")]) if off else (2, []))
    assert all(action.fields["tags"] == ("x", "y", "z") for action in verdict.actions)


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("changed, blind", [("items", "total"), ("total", "items")])
def test_what_can_not_be_added_up_since_it_was_not_delivered_waits(
    here: Side, changed: str, blind: str
) -> None:
    """The lines change and not their sum, or the other way round: whether it is right there hangs on what was not shown."""
    there, was = other(here), order((A,), 10 if changed == "items" else 11)
    now = order((C,) if changed == "items" else (A,), 10)
    lacking = {name: value for name, value in was.items() if name != blind}
    verdict = plan_pair(orders(SUMMED), bound(was), *looks(here, now, lacking), CTX)
    assert outcome(verdict) == (0, [(Room.WAITING, "*unseen*")])
    assert verdict.park[0].reason == f"not delivered: {there}.{blind}"
    assert verdict.again_s > 0


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize("both", [False, True])
def test_found_by_sim_what_is_put_back_adds_up(here: Side, both: bool) -> None:
    """Of the one that is left the lines are only shown (agreed on was something else), and the sum is its own."""
    was = order((A, B, C))
    left = half(here)
    held = left.side(here)
    assert held is not None
    devs = {"items": Deviation((A, B), "differs"), **({"total": Deviation(20, "differs")} if both else {})}
    left = msgspec.structs.replace(
        left, **{here: msgspec.structs.replace(held, dev=devs)}, note=RESTORE, base=was
    )
    (action,) = plan_new(orders(SUMMED), left, seen(here, order((A, B))), CTX).actions
    wanted = ((A, B, C), 30) if both else ((A, B), 20)
    assert (action.fields["items"], action.fields["total"]) == wanted
