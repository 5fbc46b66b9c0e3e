"""The budget ledger of `MemoryStore`: sums of what one link spent, and of what all links of an account did. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from actors.core.guard import Hub, Ledger, Spent
from actors.core.types import SIDES, Side

HOUR_S = 3600
Rows = Mapping[tuple[Spent, int], int]  # what, hour -> count


def ledger_of(
    own: Rows,
    stream: str,
    since: float,
    objects: Mapping[Side, Sequence[str]],
    others: Mapping[Side, Sequence[tuple[Rows, Side]]],
    names: Mapping[Side, str],
) -> Ledger:
    """`others`: the ledgers of the other links of the account behind each side, and on which side of theirs it is; `names`:
    what the accounts are called."""
    mine = [(side, kind, n) for (at, side, _, kind), n in _lately(own, since) if at == stream]
    hubs: dict[Side, Hub] = {}
    for side in SIDES:
        there = [
            (kind, n)
            for rows, theirs in others[side]
            for (_, at, name, kind), n in _lately(rows, since)
            if at == theirs and name in objects[side]
        ]
        if there:
            total = _totals([*there, *((kind, n) for at, kind, n in mine if at == side)])
            hubs[side] = Hub(names[side], len(others[side]) + 1, total)
    return Ledger(_totals((kind, n) for _, kind, n in mine), hubs)


def _lately(rows: Rows, since: float) -> list[tuple[Spent, int]]:
    return [(what, n) for (what, hour), n in rows.items() if (hour + 1) * HOUR_S > since]


def _totals(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for kind, n in rows:
        out[kind] = out.get(kind, 0) + n
    return out
