"""Budgets: how much may happen without a person's yes. Pure; the ledger (24 h, across runs, and across all links of an
account) is passed in.

While more may come, only the free allowance flows; once the look is complete the totals decide. What is over stays
whole: the rest becomes a plan that waits, and a yes is always possible.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import msgspec

from actors.core.places import written_in
from actors.core.policy import INITIAL_CREATES, MERGES, StreamSpec
from actors.core.types import Action, Side

BEYOND_COUNTING = 2.0**53
Spent = tuple[str, Side, str, str]  # a row of the ledger: stream, side, object, kind

_ON_A_YES = (INITIAL_CREATES, MERGES)  # kinds of which not one goes without
# Said yes to by activating the link: what the initial load does in its direction.
BUDGET_EXEMPT_WHILE_LOADING = frozenset({"creates", "overwrites"})


class Hub(msgspec.Struct, frozen=True):
    """An account that several links use: its `name`, how many `links`, and what all of them `spent` on the objects of the
    stream, kind -> count."""

    name: str
    links: int
    spent: Mapping[str, int]


class Ledger(msgspec.Struct, frozen=True):
    """What was done in the last 24 h, or is held already: by this link on both sides (`spent`: kind -> count), and in the
    account of each side that other links use too."""

    spent: Mapping[str, int] = {}
    hubs: Mapping[Side, Hub] = {}


class Passed(msgspec.Struct, frozen=True):
    """`go` may be written now; `held` waits. `over`: kind -> how many that kind would make in all, where over; `over_hub`:
    the same in the account of a side that several links use."""

    go: tuple[Action, ...]
    held: tuple[Action, ...]
    over: Mapping[str, int]
    over_hub: Mapping[tuple[Side, str], int] = {}


class _Count(msgspec.Struct, frozen=True):
    """So many of a kind that count against its budget: of the link, or (`side`) in the account of that side."""

    kind: str
    wanted: int
    spent: int
    side: Side | None = None


def guard(
    stream: StreamSpec,
    actions: Sequence[Action],
    ledger: Ledger,
    *,
    records: int,
    totals_known: bool,
    approved: Collection[str] = (),
    exempt: Collection[str] = (),
) -> Passed:
    """Split actions into those that may go and those that wait.

    `records`: settled bindings of the stream. `approved`: fingerprints somebody said yes to. `exempt`: kinds that the
    activation of the link said yes to (initial load). What the links of a hub do there counts together, against the
    budget of whoever acts.
    """
    blocked: dict[tuple[Side | None, str], int] = {}
    room: dict[tuple[Side | None, str], int] = {}
    for one in _counts(actions, ledger, approved, exempt):
        budget = stream.budgets.get(one.kind)
        if budget is None:
            continue
        total = one.spent + one.wanted
        limit = budget.limit(records)
        if totals_known and total > limit:
            blocked[one.side, one.kind] = total
        elif not totals_known:
            room[one.side, one.kind] = max(0, min(budget.free, limit) - one.spent)
    go: list[Action] = []
    held: list[Action] = []
    for action in actions:
        kinds = [k for k in action.kinds if k not in exempt and action.fingerprint not in approved]
        asks = [(side, kind) for kind in kinds for side in (None, action.side)]
        if any(place in blocked or room.get(place, 1) <= 0 for place in asks):
            held.append(action)
            continue
        for place in asks:
            if place in room:
                room[place] -= 1
        go.append(action)
    over = {kind: total for (side, kind), total in blocked.items() if side is None}
    over_hub = {(side, kind): total for (side, kind), total in blocked.items() if side is not None}
    return Passed(tuple(go), tuple(held), over, over_hub)


def budgeted(stream: StreamSpec, actions: Sequence[Action]) -> bool:
    """Whether any of these actions spends of a kind that has a budget: if not, the ledger need not be asked."""
    return any(kind in stream.budgets for action in actions for kind in action.kinds)


def records_asked(
    stream: StreamSpec,
    actions: Sequence[Action],
    ledger: Ledger,
    *,
    totals_known: bool,
    exempt: Collection[str] = (),
) -> int:
    """So many bound records are enough to know to decide about these actions: 0 where the plain counts allow it, else
    as many as make the percentage allow it. Nobody has to count a million records to let ten go."""
    most = 0
    for one in _counts(actions, ledger, (), exempt):
        budget = stream.budgets.get(one.kind)
        if budget is None or budget.percent <= 0:
            continue
        asked = one.spent + one.wanted if totals_known else budget.free
        if asked > budget.count:
            needed = min(asked * 100 / budget.percent, BEYOND_COUNTING)
            most = max(most, math.ceil(needed) + 1)
    return most


def spend(stream: StreamSpec, actions: Sequence[Action]) -> dict[Spent, int]:
    """What these actions add to the ledger."""
    out: dict[Spent, int] = {}
    for action in actions:
        name = written_in(stream, action.side, action.target, action.native)
        for kind in action.kinds:
            key = action.stream, action.side, name, kind
            out[key] = out.get(key, 0) + 1
    return out


def over_text(stream: StreamSpec, passed: Passed, records: int, hubs: Mapping[Side, Hub]) -> str:
    """Why a plan waits, in words; what is over in a hub names it."""
    parts = [
        f"{count} {kind} in {stream.name} within 24 h, allowed are {stream.budgets[kind].limit(records)}"
        for kind, count in sorted(passed.over.items())
        if kind not in _ON_A_YES
    ]
    if INITIAL_CREATES in passed.over:
        count = passed.over[INITIAL_CREATES]
        parts.append(f"{count} records of {stream.name} were there before the link: made on a yes")
    if MERGES in passed.over:
        parts.append(f"records of {stream.name} were merged on the other side: their partners go on a yes")
    for (side, kind), count in sorted(passed.over_hub.items()):
        if kind in _ON_A_YES:
            continue
        hub, names = hubs[side], ", ".join(stream.objects_on(side))
        parts.append(
            f"{count} {kind} in {names} of {hub.name} by its {hub.links} links together within 24 h, allowed are "
            f"{stream.budgets[kind].limit(records)}"
        )
    return "; ".join(parts) or f"{stream.name}: more than goes without a complete look"


def _counts(
    actions: Sequence[Action], ledger: Ledger, approved: Collection[str], exempt: Collection[str]
) -> list[_Count]:
    out = [
        _Count(kind, count, ledger.spent.get(kind, 0))
        for kind, count in _count(actions, approved, exempt).items()
    ]
    for side, hub in ledger.hubs.items():
        here = [action for action in actions if action.side == side]
        out += [
            _Count(kind, count, hub.spent.get(kind, 0), side)
            for kind, count in _count(here, approved, exempt).items()
        ]
    return out


def _count(actions: Sequence[Action], approved: Collection[str], exempt: Collection[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for action in actions:
        if action.fingerprint in approved:
            continue
        for kind in action.kinds:
            if kind not in exempt:
                counts[kind] = counts.get(kind, 0) + 1
    return counts
