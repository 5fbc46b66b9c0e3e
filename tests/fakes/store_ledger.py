"""The budget ledger of `MemoryStore`: sums of what one link spent, and of what all links of an account did. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from actors.core.guard import Hub, Ledger, Spent
from actors.core.types import OPEN_STATES, SIDES, Side
from actors.ports import ConnectionRow
from tests.fakes.store_link import HOUR_S, LinkState

Rows = Mapping[tuple[Spent, int], int]  # what, hour -> count


def ledger_of(
    links: Mapping[str, LinkState],
    connections: Mapping[str, ConnectionRow],
    link: str,
    stream: str,
    since: float,
    objects: Mapping[Side, Sequence[str]],
) -> Ledger:
    """Of one link, and of the accounts behind it where others have spent on the same objects."""
    mine = [(side, kind, n) for (at, side, _, kind), n in _lately(links[link].ledger, since) if at == stream]
    open_ = (action for _, action in links[link].actions.values() if action.state in OPEN_STATES)
    mine += [(action.side, kind, 1) for action in open_ if action.stream == stream for kind in action.kinds]
    hubs: dict[Side, Hub] = {}
    for side in SIDES:
        here = _connection(links[link], side, connections)
        others = [
            (state, at)
            for id_, state in links.items()
            for at in SIDES
            if id_ != link and here is not None and _is_same(here, _connection(state, at, connections))
        ]
        there = [
            (kind, n)
            for state, its in others
            for (_, at, name, kind), n in _lately(state.ledger, since)
            if at == its and name in objects[side]
        ]
        if there and here is not None:
            total = _totals([*there, *((kind, n) for at, kind, n in mine if at == side)])
            hubs[side] = Hub(here.name, len(others) + 1, total)
    return Ledger(_totals((kind, n) for _, kind, n in mine), hubs)


def _connection(
    state: LinkState, side: Side, connections: Mapping[str, ConnectionRow]
) -> ConnectionRow | None:
    return connections.get(state.row.a_connection if side == "a" else state.row.b_connection)


def _is_same(one: ConnectionRow, other: ConnectionRow | None) -> bool:
    """Whether both lead to one account."""
    named = other is not None and bool(one.identity)
    return named and other is not None and (one.connector, one.identity) == (other.connector, other.identity)


def _lately(rows: Rows, since: float) -> list[tuple[Spent, int]]:
    return [(what, n) for (what, hour), n in rows.items() if (hour + 1) * HOUR_S > since]


def _totals(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for kind, n in rows:
        out[kind] = out.get(kind, 0) + n
    return out
