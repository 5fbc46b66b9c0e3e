"""What the witnesses of both systems say against Tandem: who did what when, and whether its own counts are true. Pure.

The auditor looks at the end; this looks at every single write on the way. Must not: read anything itself, or share code
with the engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.auditor import Edit, History, Row, Side
from tests.chaos.systems import MERGED, OWNED, TANDEM, Change

Logs = Mapping[Side, Sequence[Change]]
OPS = {"INSERT": "create", "UPDATE": "update", "DELETE": "delete"}


@dataclass(frozen=True)
class Item:
    """A line of Tandem's protocol that was a write: on which side, what, on which record, and what became of it."""

    side: Side
    op: str
    id: str
    state: str
    error: str = ""


def edits(logs: Logs) -> Iterator[Edit]:
    """What people wrote, as the auditor wants it. What side b writes in a field of side a's does not count."""
    for side, changes in logs.items():
        for change in changes:
            if change.who == TANDEM or change.is_now is None:
                continue
            for where in (*MERGED, OWNED) if side == "a" else MERGED:
                before = "" if change.was is None else change.was[where]
                if change.is_now[where] != before:
                    yield Edit(change.name, where, change.is_now[where], before)


def born(logs: Logs) -> dict[str, set[Side]]:
    """The sides on which people made somebody."""
    found: dict[str, set[Side]] = {}
    for side, changes in logs.items():
        for change in changes:
            if change.op == "INSERT" and change.who != TANDEM:
                found.setdefault(change.name, set()).add(side)
    return found


def gone(logs: Logs) -> dict[tuple[Side, str], Row]:
    """What a record held when people deleted it."""
    return {
        (side, change.name): change.was
        for side, changes in logs.items()
        for change in changes
        if change.op == "DELETE" and change.who != TANDEM and change.was is not None
    }


def trespasses(logs: Logs, history: History) -> Iterator[str]:
    """Every write of Tandem that it had no right to, and everybody who was ever made twice."""
    for side, changes in logs.items():
        made = Counter(change.name for change in changes if change.op == "INSERT")
        yield from (f"{name} was made {n} times in {side}" for name, n in made.items() if n > 1)
        for change in changes:
            if change.who == TANDEM:
                yield from _unlawful(side, change, history)


def _unlawful(side: Side, change: Change, history: History) -> Iterator[str]:
    where = f"line {change.seq} of {side}: {change.name}"
    if change.is_now is None:
        yield f"{where}: deleted, which the policy forbids"
        return
    was = change.was or {}
    if change.op == "INSERT" and change.is_now["origin"]:
        yield f"{where}: made with a column that is nobody's business"
    if change.op == "UPDATE":
        yield from (
            f"{where}: {name} was {was[name]!r} and is {change.is_now[name]!r}, which nobody asked for"
            for name in ("id", "name", "origin")
            if was[name] != change.is_now[name]
        )
        if side == "a" and was[OWNED] != change.is_now[OWNED]:
            yield f"{where}: {OWNED} belongs to the people of a"
    for name in MERGED:
        before, after = was.get(name, ""), change.is_now[name]
        if before and before != after and before not in history.behind(change.name, name, [after]):
            yield f"{where}, {name}: {before!r} was overwritten with {after!r} by somebody who had not seen it"


def counts(logs: Logs, items: Iterable[Item], totals: Mapping[tuple[Side, str], int]) -> Iterator[str]:
    """Whether Tandem's history is true, record by record.

    A confirmed line is a change that the system saw. A change that no line confirms is one whose outcome Tandem says it
    doesn't know ("did not arrive" was concluded from a later look, when somebody may have written over it).
    `totals`: the counters of the runs, by side and what was done; they are the sum of the confirmed lines. A line without
    an id stands for a whole request of creates: how many, only the counters say; they must be as many as the system saw.
    """
    confirmed: Counter[tuple[Side, str, str]] = Counter()
    doubtful: Counter[tuple[Side, str, str]] = Counter()
    for item in items:
        if item.state == "confirmed":
            confirmed[item.side, item.op, item.id] += 1
        elif item.state == "unknown" or item.error == "did not arrive":
            doubtful[item.side, item.op, item.id] += 1
        elif item.state in ("sent", "unconfirmed"):
            yield f"still open at the end: {item}"
    seen = Counter(
        (side, OPS[change.op], str(change.id))
        for side, changes in logs.items()
        for change in changes
        if change.who == TANDEM
    )
    in_bulk = {(side, op) for side, op, id_ in confirmed if not id_}
    unnamed: Counter[tuple[Side, str]] = Counter()
    for place in sorted(seen.keys() | confirmed.keys()):
        side, op, id_ = place
        if not id_:
            continue
        spare = seen[place] - confirmed[place]
        if spare > 0 and (side, op) in in_bulk:
            unnamed[side, op] += spare
        elif not 0 <= spare <= doubtful[place]:
            yield (
                f"counts of {place}: the system saw {seen[place]}, confirmed {confirmed[place]}, "
                f"outcome unknown {doubtful[place]}"
            )
    for side in logs:
        for op in OPS.values():
            lines = sum(n for (s, o, id_), n in confirmed.items() if (s, o) == (side, op) and id_)
            doubts = sum(n for (s, o, _), n in doubtful.items() if (s, o) == (side, op))
            told = totals.get((side, op), 0)
            at_most = lines + unnamed[side, op]
            if not at_most - (doubts if (side, op) in in_bulk else 0) <= told <= at_most:
                yield f"counters say {told} times {op} in {side}, the protocol {lines}, the system {at_most}"
