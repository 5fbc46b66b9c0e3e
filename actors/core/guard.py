"""Budgets: how much may happen without a person's yes. Pure; the ledger (24 h, across runs) is passed in.

While more may come, only the free allowance flows; once the look is complete the totals decide. What is over stays
whole: the rest becomes a plan that waits, and a yes is always possible.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import msgspec

from actors.core.policy import INITIAL_CREATES, StreamSpec
from actors.core.types import Action

BEYOND_COUNTING = 2.0**53

# Said yes to by activating the link: what the initial load does in its direction.
BUDGET_EXEMPT_WHILE_LOADING = frozenset({"creates", "overwrites"})


class Passed(msgspec.Struct, frozen=True):
    """`go` may be written now; `held` waits. `over`: kind -> how many that kind would make in all, where over."""

    go: tuple[Action, ...]
    held: tuple[Action, ...]
    over: Mapping[str, int]


def guard(
    stream: StreamSpec,
    actions: Sequence[Action],
    spent: Mapping[str, int],
    *,
    records: int,
    totals_known: bool,
    approved: Collection[str] = (),
    exempt: Collection[str] = (),
) -> Passed:
    """Split actions into those that may go and those that wait.

    `spent`: kind -> done in the last 24 h (or held already). `records`: settled bindings of the stream. `approved`:
    fingerprints somebody said yes to. `exempt`: kinds that the activation of the link said yes to (initial load).
    """
    wanted = _count(actions, approved, exempt)
    blocked: dict[str, int] = {}
    room: dict[str, int] = {}
    for kind, count in wanted.items():
        budget = stream.budgets.get(kind)
        if budget is None:
            continue
        total = spent.get(kind, 0) + count
        limit = budget.limit(records)
        if totals_known and total > limit:
            blocked[kind] = total
        elif not totals_known:
            room[kind] = max(0, min(budget.free, limit) - spent.get(kind, 0))
    go: list[Action] = []
    held: list[Action] = []
    for action in actions:
        asks = [k for k in action.kinds if k not in exempt and action.fingerprint not in approved]
        if any(k in blocked or room.get(k, 1) <= 0 for k in asks):
            held.append(action)
            continue
        for kind in asks:
            if kind in room:
                room[kind] -= 1
        go.append(action)
    return Passed(tuple(go), tuple(held), blocked)


def budgeted(stream: StreamSpec, actions: Sequence[Action]) -> bool:
    """Whether any of these actions spends of a kind that has a budget: if not, the ledger need not be asked."""
    return any(kind in stream.budgets for action in actions for kind in action.kinds)


def records_asked(
    stream: StreamSpec,
    actions: Sequence[Action],
    spent: Mapping[str, int],
    *,
    totals_known: bool,
    exempt: Collection[str] = (),
) -> int:
    """So many bound records are enough to know to decide about these actions: 0 where the plain counts allow it, else
    as many as make the percentage allow it. Nobody has to count a million records to let ten go."""
    most = 0
    for kind, count in _count(actions, (), exempt).items():
        budget = stream.budgets.get(kind)
        if budget is None or budget.percent <= 0:
            continue
        asked = spent.get(kind, 0) + count if totals_known else budget.free
        if asked > budget.count:
            needed = min(asked * 100 / budget.percent, BEYOND_COUNTING)
            most = max(most, math.ceil(needed) + 1)
    return most


def spend(actions: Sequence[Action]) -> dict[str, int]:
    """What these actions add to the ledger: "stream/kind" -> count."""
    out: dict[str, int] = {}
    for action in actions:
        for kind in action.kinds:
            key = f"{action.stream}/{kind}"
            out[key] = out.get(key, 0) + 1
    return out


def over_text(stream: StreamSpec, over: Mapping[str, int], records: int) -> str:
    """Why a plan waits, in words."""
    parts = [
        f"{count} {kind} in {stream.name} within 24 h, allowed are {stream.budgets[kind].limit(records)}"
        for kind, count in sorted(over.items())
        if kind != INITIAL_CREATES
    ]
    if INITIAL_CREATES in over:
        parts.append(
            f"{over[INITIAL_CREATES]} records of {stream.name} were there before the link: made on a yes"
        )
    return "; ".join(parts) or f"{stream.name}: more than goes without a complete look"


def _count(actions: Sequence[Action], approved: Collection[str], exempt: Collection[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for action in actions:
        if action.fingerprint in approved:
            continue
        for kind in action.kinds:
            if kind not in exempt:
                counts[kind] = counts.get(kind, 0) + 1
    return counts
