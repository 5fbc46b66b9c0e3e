"""The guard: a free allowance while the whole is unknown, totals once it is known, a ledger across runs."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.core.guard import (
    BUDGET_EXEMPT_WHILE_LOADING,
    Hub,
    Ledger,
    budgeted,
    guard,
    over_text,
    records_asked,
    spend,
)
from actors.core.policy import BUDGET_KINDS, Budget
from actors.core.types import SIDES, Action, Op, Side
from tests.core.pairs import one, stream

OPS = {"deletes": Op.DELETE, "creates": Op.CREATE, "overwrites": Op.UPDATE, "clears": Op.UPDATE}


def wish(number: int, *kinds: str) -> Action:
    """An action that spends those kinds."""
    op = OPS[kinds[0]] if kinds else Op.UPDATE
    return Action("customers", "b", op, binding=number, kinds=kinds, fingerprint=f"p{number}")


def wishes(count: int, kind: str, first: int = 0) -> list[Action]:
    return [wish(number, kind) for number in range(first, first + count)]


def test_a_limit_is_the_larger_of_count_and_per_cent() -> None:
    budget = Budget(count=10, percent=5)
    assert [budget.limit(records) for records in (0, 100, 200, 201, 1000)] == [10, 10, 10, 10, 50]


# wanted, spent, totals known? -> how many go, of a budget of 10 (free: 3)
TABLE = {
    (5, 0, True): 5,
    (10, 0, True): 10,
    (11, 0, True): 0,  # over the limit: the whole kind waits as one plan
    (1, 9, True): 1,
    (1, 10, True): 0,
    (11, 0, False): 3,  # more may come: only the free allowance flows
    (10, 1, False): 2,
    (10, 4, False): 0,
    (5, 10, False): 0,
    (5, 99, False): 0,
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("kind", BUDGET_KINDS)
def test_what_goes_of_one_kind(case: tuple[int, int, bool], kind: str) -> None:
    wanted, spent, known = case
    spec = stream(one(), budgets={kind: Budget(10, 0, free=3)})
    passed = guard(spec, wishes(wanted, kind), Ledger({kind: spent}), records=0, totals_known=known)
    assert len(passed.go) == TABLE[case]
    assert [*passed.go, *passed.held] == wishes(wanted, kind)
    over = known and spent + wanted > 10
    assert dict(passed.over) == ({kind: spent + wanted} if over else {})
    assert bool(over_text(spec, passed, 0, {})) is True


def test_the_free_allowance_is_all_that_flows_before_the_look_is_complete() -> None:
    spec = stream(one(), budgets={"deletes": Budget(2, 50.0, free=5)})
    first = guard(spec, wishes(100, "deletes"), Ledger(), records=1000, totals_known=False)
    assert (len(first.go), len(first.held)) == (5, 95)
    later = guard(spec, wishes(100, "deletes", 100), Ledger({"deletes": 5}), records=1000, totals_known=False)
    assert (len(later.go), len(later.held)) == (0, 100)


def test_other_kinds_flow_on_past_one_that_is_over() -> None:
    spec = stream(one(), budgets={"deletes": Budget(1, 0), "creates": Budget(5, 0)})
    mixed = [*wishes(2, "deletes"), *wishes(3, "creates", 10), wish(20)]
    passed = guard(spec, mixed, Ledger(), records=0, totals_known=True)
    assert [action.kinds for action in passed.go] == [("creates",)] * 3 + [()]
    assert passed.over == {"deletes": 2}


def test_an_action_of_two_kinds_needs_room_in_both() -> None:
    spec = stream(one(), budgets={"overwrites": Budget(9, 0), "clears": Budget(0, 0, free=0)})
    both, single = wish(1, "overwrites", "clears"), wish(2, "overwrites")
    for known in (True, False):
        passed = guard(spec, [both, single], Ledger(), records=0, totals_known=known)
        assert (passed.go, passed.held) == ((single,), (both,))


def test_a_yes_counts_for_exactly_the_actions_it_was_given_to() -> None:
    spec = stream(one(), budgets={"deletes": Budget(1, 0)})
    shown, later = wishes(3, "deletes"), wishes(2, "deletes", 50)
    approved = [action.fingerprint for action in shown]
    passed = guard(
        spec, [*shown, *later], Ledger({"deletes": 1}), records=0, totals_known=True, approved=approved
    )
    assert list(passed.go) == shown
    assert list(passed.held) == later


def test_the_initial_load_needs_no_yes_for_creates_and_overwrites_but_for_deletes() -> None:
    spec = stream(one(), budgets=dict.fromkeys(BUDGET_KINDS, Budget(0, 0, free=0)))
    actions = [wish(n, kind) for n, kind in enumerate(BUDGET_KINDS)]
    passed = guard(spec, actions, Ledger(), records=0, totals_known=True, exempt=BUDGET_EXEMPT_WHILE_LOADING)
    assert {action.kinds[0] for action in passed.go} == {"creates", "overwrites"}
    assert {action.kinds[0] for action in passed.held} == {"deletes", "clears"}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", BUDGET_KINDS)
def test_what_other_links_of_an_account_did_there_counts_there_and_nowhere_else(
    side: Side, known: bool, kind: str
) -> None:
    """Nine of ten are spent in a hub: one more goes there (of what is free), and on the other side all go."""
    spec = stream(one(), budgets={kind: Budget(10, 0, free=10)})
    hub = Hub("HQ", 3, {kind: 9})
    actions = [msgspec.structs.replace(wish(number, kind), side=at) for number in range(3) for at in SIDES]
    passed = guard(spec, actions, Ledger({}, {side: hub}), records=0, totals_known=known)
    there = [action for action in actions if action.side == side]
    assert list(passed.held) == (there if known else there[1:])
    assert passed.over_hub == ({(side, kind): 12} if known else {})
    text = over_text(spec, passed, 0, {side: hub})
    assert ("HQ by its 3 links" in text and f"12 {kind}" in text) is known


def test_a_yes_and_the_initial_load_count_in_a_hub_as_anywhere() -> None:
    spec = stream(one(), budgets={"creates": Budget(1, 0, free=1)})
    ledger = Ledger({}, {"b": Hub("HQ", 2, {"creates": 1})})
    shown = wishes(2, "creates")
    for known in (True, False):
        yes = guard(
            spec, shown, ledger, records=0, totals_known=known, approved=[a.fingerprint for a in shown]
        )
        load = guard(spec, shown, ledger, records=0, totals_known=known, exempt=BUDGET_EXEMPT_WHILE_LOADING)
        assert yes.held == load.held == ()


def test_a_kind_without_a_budget_has_no_limit() -> None:
    passed = guard(stream(one()), wishes(1000, "creates"), Ledger(), records=0, totals_known=True)
    assert len(passed.go) == 1000 and not passed.held


def test_what_is_spent_is_counted_by_stream_side_object_and_kind() -> None:
    spec = stream(one())
    spent = spend(spec, [wish(1, "overwrites", "clears"), wish(2, "overwrites"), wish(3)])
    name = spec.object("b")
    assert spent == {("customers", "b", name, "overwrites"): 2, ("customers", "b", name, "clears"): 1}


limits = st.integers(0, 6)


@given(limits, limits, st.lists(st.integers(0, 8), max_size=6), st.booleans())
def test_many_small_runs_never_spend_more_than_one_large_one(
    count: int, free: int, runs: list[int], last_known: bool
) -> None:
    spec = stream(one(), budgets={"clears": Budget(count, 0, free=free)})
    spent = 0
    for number, wanted in enumerate(runs):
        known = last_known or number % 2 == 0
        passed = guard(
            spec, wishes(wanted, "clears"), Ledger({"clears": spent}), records=0, totals_known=known
        )
        assert len(passed.go) + len(passed.held) == wanted
        spent += len(passed.go)
    assert spent <= count


@given(st.permutations(range(6)), st.integers(0, 6))
def test_totals_decide_alike_in_every_order(order: list[int], count: int) -> None:
    spec = stream(one(), budgets={"deletes": Budget(count, 0)})
    actions = wishes(6, "deletes")
    passed = guard(spec, [actions[n] for n in order], Ledger(), records=0, totals_known=True)
    assert len(passed.go) == (6 if count >= 6 else 0)


def test_every_kind_of_budget_has_its_op() -> None:
    assert set(OPS) == set(BUDGET_KINDS)
    assert list(itertools.chain(*(wish(0, kind).kinds for kind in BUDGET_KINDS))) == list(BUDGET_KINDS)


@example(0, 5e-324, 0, 0, 0, True)
@given(st.integers(0, 50), st.floats(0, 150), limits, st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_counting_no_further_than_asked_decides_the_same(
    count: int, percent: float, free: int, spent: int, records: int, known: bool
) -> None:
    spec = stream(one(), budgets={"deletes": Budget(count, percent, free=free)})
    actions, ledger = wishes(20, "deletes"), Ledger({"deletes": spent})
    asked = records_asked(spec, actions, ledger, totals_known=known)
    bounded = guard(spec, actions, ledger, records=min(records, asked), totals_known=known)
    assert bounded == guard(spec, actions, ledger, records=records, totals_known=known)
    assert asked == 0 or not known or spent + 20 > count


def test_without_a_budget_for_what_is_wanted_nobody_asks_the_ledger() -> None:
    spec = stream(one(), budgets={"deletes": Budget(1, 0)})
    assert not budgeted(spec, wishes(3, "overwrites"))
    assert budgeted(spec, [*wishes(3, "overwrites"), wish(9, "deletes")])
