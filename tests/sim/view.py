"""What the in-memory store holds, translated into the auditor's plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from actors.core.merge import NOT_FOLLOWED
from actors.core.types import Action, ActionState, Binding, Op, Parked, Room
from actors.core.values import Value
from tests.fakes.store_link import LIVE_PLANS, LinkState
from tests.sim.evidence import Deviation, Named, ParkedRow, StoreView
from tests.sim.laws import SIDES, Side

COUNTED = ("created", "updated", "deleted")
FOUND = "no reply came"  # so begins what the protocol says of a write that was not answered and found done
OVERDUE_S = 60.0
# A look that came within a read lag of a take-over, one more that came within one of what it showed, and one for what waits.
TRIES_MAX = 3
LOOKED_AT = ((Room.WAITING, "*sums*"), (Room.WAITING, "*delete*"))
NEVER_SURE = (ActionState.UNKNOWN, ActionState.UNCONFIRMED, ActionState.SENT, ActionState.DROPPED)


def view(
    link: LinkState, ever_parked: Iterable[Parked], now: float, means: Callable[[str, str, Value], Value]
) -> StoreView:
    """The store as it is at `now`, wall clock. `ever_parked`: every row that was ever put into a room; `means`: what is
    meant by a value of a field of a stream as it is stored."""
    held = [action for plan in link.held.values() for _, action in plan.values()]
    actions = [action for _, action in link.actions.values()]
    return StoreView(
        deviations=[
            replace(one, value=means(one.stream, one.field, one.value))
            for one in deviations(link.bindings.values())
        ],
        parked=[row for parked in link.parked.values() for row in parked_rows(link, parked)],
        pairs={
            (b.stream, b.a.id, b.b.id) for b in link.bindings.values() if b.a is not None and b.b is not None
        },
        named=[
            replace(one, value=means(one.stream, one.field, one.value))
            for one in (*named_by_actions([*actions, *held]), *named_by_rooms(ever_parked))
        ],
        held=[held_row(link, action) for action in live_held(link)],
        counted=counted(link),
        unsure=sum(len(covered(action)) or 1 for action in actions if action.state in NEVER_SURE),
        found=found(actions),
        given_up=Counter((a.stream, a.side, a.target) for a in actions if a.state is ActionState.DROPPED),
        looked_up={(a.stream, a.side, a.target) for a in actions if a.error.startswith(FOUND)},
        made=made(link, actions),
        open_actions=sum(action.state is ActionState.SENT for action in actions),
        live_plans=[(row.stream, row.kind) for row in link.plans.values() if row.state in LIVE_PLANS],
        inbox=len(link.inbox),
        again=Counter((a.stream, a.side, a.target) for a in actions if a.rule.endswith(NOT_FOLLOWED)),
        overdue=sum(
            h.attempts > TRIES_MAX or h.not_before < now - OVERDUE_S
            for h in link.inbox.values()
            if h.id not in looked_at(link)
        ),
    )


def looked_at(link: LinkState) -> set[str]:
    """Records that are looked at now and then, until their sums agree, or nobody refers to them any more."""
    rows = (row for row in link.parked.values() if (row.room, row.field) in LOOKED_AT)
    return {id for row in rows for id in ids_of(link, row.binding).values()}


def deviations(bindings: Iterable[Binding]) -> Iterable[Deviation]:
    """Every recorded deviation."""
    for binding in bindings:
        for side in SIDES:
            held = binding.side(side)
            for name, said in (held.dev if held is not None else {}).items():
                assert held is not None
                of = binding.base.get(name)
                yield Deviation(binding.stream, side, held.id, name, said.value, said.reason, of)


def ids_of(link: LinkState, binding: int) -> dict[Side, str]:
    """The ids behind a binding."""
    row = link.bindings.get(binding)
    sides = {side: row.side(side) if row is not None else None for side in SIDES}
    return {side: held.id for side, held in sides.items() if held is not None}


def parked_rows(link: LinkState, row: Parked) -> Iterable[ParkedRow]:
    """A parked row, and for every other record it names (the members of an ambiguous group) one more."""
    name = row.field.removeprefix("group ")
    yield ParkedRow(row.stream, row.room.value, ids_of(link, row.binding), name, row.reason)
    for member in members(row.detail):
        yield ParkedRow(row.stream, row.room.value, ids_of(link, member), name, row.reason)


def members(detail: Any) -> Iterable[int]:
    """Every binding number in a row's detail."""
    if isinstance(detail, Mapping):
        for value in detail.values():
            yield from members(value)
    elif isinstance(detail, list | tuple):
        for value in detail:
            yield from members(value)
    elif isinstance(detail, int) and not isinstance(detail, bool):
        yield detail


def live_held(link: LinkState) -> Iterable[Action]:
    """Actions that wait for a yes."""
    for plan in link.plans.values():
        if plan.state in LIVE_PLANS and plan.kind == "held":
            yield from (action for _, action in link.held[plan.id].values())


def held_row(link: LinkState, action: Action) -> ParkedRow:
    """A held action: the whole record waits for a yes."""
    return ParkedRow(action.stream, "held", ids_of(link, action.binding), "", action.reason)


def named_by_actions(actions: Iterable[Action]) -> Iterable[Named]:
    """Every value that the protocol names."""
    for action in actions:
        for name, value in action.before.items():
            yield Named(action.stream, name, value)
        for decision in action.decisions:
            for value in (decision.base, decision.a, decision.b, decision.chosen):
                yield Named(action.stream, decision.field, value)


def named_by_rooms(rows: Iterable[Parked]) -> Iterable[Named]:
    """Every value that a room named at any time."""
    for row in rows:
        for values in row.detail.values():
            if isinstance(values, Mapping):
                for name, value in values.items():
                    yield Named(row.stream, str(name), value)


def found(actions: Iterable[Action]) -> dict[tuple[str, Side, str], int]:
    """Writes that were never answered and found done: (stream, side, what) -> count."""
    totals: dict[tuple[str, Side, str], int] = {}
    for action in actions:
        if action.state is ActionState.CONFIRMED and action.error.startswith(FOUND):
            at = action.stream, action.side, f"{action.op.value.rstrip('e')}ed"
            totals[at] = totals.get(at, 0) + 1
    return totals


def made(link: LinkState, actions: Iterable[Action]) -> set[tuple[str, Side, str]]:
    """Records that were made, or were to be, under an id that the daemon has: (stream, side, id)."""
    found: set[tuple[str, Side, str]] = set()
    for action in actions:
        if action.op is Op.CREATE:
            drawn = {ids_of(link, key).get(action.side, "") for key in covered(action)}
            found |= {(action.stream, action.side, id) for id in {action.target, *drawn} - {""}}
    return found


def covered(action: Action) -> range:
    """The bindings of one request for many records."""
    return range(action.covers[0], action.covers[1] + 1) if action.covers is not None else range(0)


def counted(link: LinkState) -> dict[tuple[str, Side, str], int]:
    """What all runs together say was done."""
    totals: dict[tuple[str, Side, str], int] = {}
    for counters in link.counters.values():
        for what in COUNTED:
            at = counters.stream, counters.side, what
            totals[at] = totals.get(at, 0) + getattr(counters, what)
        marked = counters.stream, counters.side, "updated"
        totals[marked] += counters.marked
    return totals
