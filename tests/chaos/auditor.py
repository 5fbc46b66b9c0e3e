"""The auditor: compares two systems after everything is over, by what they show and what their users wrote. Pure.

Knows nothing of Tandem but its list of conflicts and what people decided in it. Must not: read anything itself, or share
code with the engine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["a", "b"]
Row = Mapping[str, str]  # values by field; an empty text where there is nothing
SIDES: tuple[Side, Side] = ("a", "b")


@dataclass(frozen=True)
class Edit:
    """Somebody wrote `value` in a field of the person `name`, and saw `replaced` there. No value is written twice."""

    name: str
    field: str
    value: str
    replaced: str


@dataclass
class Evidence:
    """What both systems show and what their users did.

    `fields`: shared, written by people. `owned`: those of them that only one side's people decide on; `edits` names theirs
    alone. `same`: shared, but nobody's to write (numbers that a system draws).
    `born`: the sides on which people made a person. `gone`: what a person's record held when people deleted it there.
    `conflicts`: (name, field) as listed. `decided`: (name, field, value kept, value given up) by whoever decided.
    """

    fields: Sequence[str]
    shown: Mapping[Side, Sequence[Row]]
    born: Mapping[str, Collection[Side]]
    edits: Iterable[Edit]
    conflicts: Collection[tuple[str, str]]
    owned: Collection[str] = ()
    same: Sequence[str] = ()
    gone: Mapping[tuple[Side, str], Row] = field(default_factory=dict)
    decided: Iterable[tuple[str, str, str, str]] = ()


class History:
    """Which value took the place of which, seen by whoever wrote it."""

    def __init__(self, edits: Iterable[Edit], decided: Iterable[tuple[str, str, str, str]] = ()) -> None:
        self._replaced: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for edit in edits:
            self._replaced[edit.name, edit.field][edit.value].add(edit.replaced)
        self._written = {place: frozenset(values) for place, values in self._replaced.items()}
        for name, where, kept, given_up in decided:
            self._replaced[name, where][kept].add(given_up)

    def written(self, name: str, where: str) -> frozenset[str]:
        """Every value that people wrote there."""
        return self._written.get((name, where), frozenset())

    def behind(self, name: str, where: str, values: Iterable[str]) -> set[str]:
        """These values and all that they replaced, step by step."""
        steps = self._replaced.get((name, where), {})
        reached: set[str] = set()
        todo = list(values)
        while todo:
            value = todo.pop()
            if value not in reached:
                reached.add(value)
                todo.extend(steps.get(value, ()))
        return reached


def audit(evidence: Evidence) -> list[str]:
    """Everything that is wrong, in words."""
    history = History(evidence.edits, evidence.decided)
    found = [line for side in SIDES for line in _once(evidence, side)]
    rows = {side: {row["name"]: row for row in evidence.shown[side]} for side in SIDES}
    for name in evidence.born:
        there = {side: rows[side][name] for side in SIDES if name in rows[side]}
        found += _own_columns(evidence, name, there)
        for where in evidence.fields:
            found += _values(evidence, history, name, where, there)
        if len(there) == len(SIDES):
            found += _equal(evidence, name, there["a"], there["b"])
    both = rows["a"].keys() & rows["b"].keys()
    found += [
        f"{name}, {where}: listed, but not a pair" for name, where in evidence.conflicts if name not in both
    ]
    return found


def _once(evidence: Evidence, side: Side) -> Iterable[str]:
    """Everybody stands once on each side, but where people deleted him."""
    counts = Counter(row["name"] for row in evidence.shown[side])
    other: Side = "b" if side == "a" else "a"
    for name, born in evidence.born.items():
        if (side, name) in evidence.gone:
            allowed = {0}
        elif side not in born and (other, name) in evidence.gone:
            allowed = {0, 1}  # it may have been gone before it came over
        else:
            allowed = {1}
        if counts[name] not in allowed:
            yield f"{name} stands {counts[name]} times in {side}"
    yield from (f"{name} in {side} is nobody" for name in counts.keys() - evidence.born.keys())


def _own_columns(evidence: Evidence, name: str, there: Mapping[Side, Row]) -> Iterable[str]:
    """Columns that are nobody's business: as whoever made the record left them."""
    for side, row in there.items():
        wanted = f"{side} of {name}" if side in evidence.born[name] else ""
        if row["origin"] != wanted:
            yield f"{name} in {side}: a column that is nobody's business was touched: {row['origin']!r}"


def _values(
    evidence: Evidence, history: History, name: str, where: str, there: Mapping[Side, Row]
) -> Iterable[str]:
    """Every value that people wrote is shown, or was replaced by somebody who saw it; none comes out of nowhere."""
    written = history.written(name, where)
    shown = {side: row[where] for side, row in there.items()}
    last = [row[where] for side in SIDES if (row := evidence.gone.get((side, name)))]
    is_alone = where in evidence.owned and len(there) < len(
        SIDES
    )  # nobody puts back what is written there then
    for side, value in shown.items():
        if value and value not in written and not is_alone:
            yield f"{name}, {where}: {value!r} in {side} was never written there"
    lost = written - history.behind(name, where, [*shown.values(), *last])
    if lost:
        yield f"{name}, {where}: lost {sorted(lost)}; shown {shown}, deleted with {last}"


def _equal(evidence: Evidence, name: str, a: Row, b: Row) -> Iterable[str]:
    for where in (*evidence.fields, *evidence.same):
        is_listed = (name, where) in evidence.conflicts
        if (a[where] != b[where]) != is_listed:
            yield f"{name}, {where}: {a[where]!r} / {b[where]!r}, {'listed' if is_listed else 'not listed'}"
