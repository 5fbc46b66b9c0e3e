"""What a person said of records that share a match key: these two are the same, or this one is none of them. Pure.

A word counts for the group as it was shown, and for nothing else. SPEC row B11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.core.types import SIDES, Binding, Parked, Room, Side, State, other
from actors.core.values import fingerprint

SAME = "same"  # the decision that names the record of the other side that this one is
DIFFERENT = "different"  # the decision that this one is none of the others
OPEN = frozenset({State.NEW, State.HELD_BACK})


def shown(hash_: int, detail: Mapping[str, Sequence[str]]) -> str:
    """The fingerprint of a group: what its members share, and who they are."""
    return fingerprint([hash_, *(sorted(detail[side]) for side in SIDES)])


def told(
    halves: Mapping[int, Binding], rows: Sequence[Parked], print_: str
) -> tuple[list[tuple[int, int]], set[int]]:
    """What was decided of a group with these half bindings, by key: pairs (of a, of b), and those told apart.

    `rows`: what is parked for them; `print_`: of the group as it is now. The first word on a record counts.
    """
    pairs: list[tuple[int, int]] = []
    apart: set[int] = set()
    settled: set[int] = set()
    for row in sorted(rows, key=lambda row: row.id):
        said = row.decision or {}
        half = halves.get(row.binding)
        if (
            row.room is not Room.AMBIGUOUS
            or row.fingerprint != print_
            or half is None
            or row.binding in settled
        ):
            continue
        if said.get("choose") == DIFFERENT:
            apart.add(row.binding)
            settled.add(row.binding)
        elif said.get("choose") == SAME:
            side: Side = "a" if half.a is not None else "b"
            partner = _named(halves, other(side), said.get("record"))
            if partner is not None and partner not in settled:
                pairs.append((row.binding, partner) if side == "a" else (partner, row.binding))
                settled |= {row.binding, partner}
    return pairs, apart


def _named(halves: Mapping[int, Binding], side: Side, record: object) -> int | None:
    """The half binding of that record, while it may be bound."""
    for key, half in halves.items():
        held = half.side(side)
        if held is not None and held.id == record and half.state in OPEN:
            return key
    return None
