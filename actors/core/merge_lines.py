"""Three-way merge of the lines of a unit: line by line, and in a line cell by cell. Pure.

Each side's lines are told apart against what that side itself held when last settled (`unit_lines.aligned`); the two old
lists stand for each other place by place. A line, or a cell, that only one side changed is that side's; where both changed
it differently, or one removed what the other edited, it is the `prefer`red side's, or nobody's: then the clashes are named
and nothing is merged. Swapping the sides gives the same list.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.core.policy import LinesSpec
from actors.core.types import SIDES, Side, other
from actors.core.unit_lines import Lines, aligned, key_of
from actors.core.values import UNKNOWN, Line, encode, line_of, same


class MergedLines(msgspec.Struct, frozen=True):
    """The lines that both sides are to show; `clashes`: what neither rule nor edit decides, in words (then `lines` counts
    for nothing)."""

    lines: Lines
    clashes: tuple[str, ...] = ()


def merge_lines(
    spec: LinesSpec, was: tuple[Lines, Lines], now: tuple[Lines, Lines], prefer: Side | None
) -> MergedLines:
    """`was` and `now`: of a and of b. The two old lists have equally many lines, place by place the same ones."""
    if len(was[0]) != len(was[1]):
        return (
            MergedLines((), ("the two sides were not agreed on their lines",))
            if prefer is None
            else (MergedLines(now[SIDES.index(prefer)]))
        )
    merge = _Merge(spec, was, now, prefer)
    lines = merge.ordered()
    if not spec.ordered:
        lines = tuple(sorted(lines, key=_text))
    return MergedLines(lines, tuple(merge.clashes))


class _Merge:
    """One merge. `kept[s][i]`: which line of side s is the old line i; `new[s]`: indexes of its new lines."""

    def __init__(
        self, spec: LinesSpec, was: tuple[Lines, Lines], now: tuple[Lines, Lines], prefer: Side | None
    ) -> None:
        self.spec, self.prefer = spec, prefer
        self.was: dict[Side, Lines] = {"a": was[0], "b": was[1]}
        self.now: dict[Side, Lines] = {"a": now[0], "b": now[1]}
        self.clashes: list[str] = []
        self.at: dict[Side, list[int | None]] = {s: aligned(spec, self.was[s], self.now[s]) for s in SIDES}
        self.kept = {s: {old: new for new, old in enumerate(self.at[s]) if old is not None} for s in SIDES}
        self.new = {s: [new for new, old in enumerate(self.at[s]) if old is None] for s in SIDES}

    def ordered(self) -> Lines:
        """The merged lines in their order: that of the side that moved lines, new ones behind the line they follow."""
        stay = [old for old in range(len(self.was["a"])) if (line := self._old(old)) is not None]
        lead = self._lead(stay)
        where = self.kept[lead] if lead is not None else {}
        stay.sort(key=lambda old: where.get(old, self._near(where, old)))
        buckets: dict[int, list[list[Line]]] = {}
        for block, anchor in self._blocks(stay):
            buckets.setdefault(anchor, []).append(block)
        found: list[Line] = []
        for anchor in (-1, *stay):
            if anchor >= 0:
                line = self._old(anchor, note=False)
                assert line is not None
                found.append(line)
            for block in sorted(buckets.get(anchor, []), key=lambda lines: [_text(one) for one in lines]):
                found.extend(block)
        return tuple(found)

    def _old(self, old: int, *, note: bool = True) -> Line | None:
        """What becomes of an old line; None where it goes."""
        lines = {s: self._line(s, old) for s in SIDES}
        for side in SIDES:
            left = lines[other(side)]
            if lines[side] is not None:
                continue
            if left is None or left == self.was[other(side)][old]:
                return None
            return lines[self._decide(f"line {old + 1}: removed on {side}, edited on {other(side)}", note)]
        a, b = lines["a"], lines["b"]
        assert a is not None and b is not None
        return self._cells(f"line {old + 1}", (self.was["a"][old], self.was["b"][old]), (a, b), note)

    def _line(self, side: Side, old: int) -> Line | None:
        at = self.kept[side].get(old)
        return None if at is None else self.now[side][at]

    def _cells(
        self, name: str, was: tuple[Line | None, Line | None], now: tuple[Line, Line], note: bool
    ) -> Line:
        cells = {}
        for cell in dict.fromkeys(n for line in now for n, _ in line.cells):
            a, b = (line.get(cell) for line in now)
            in_a, in_b = (
                not same(seen, held.get(cell) if held is not None else UNKNOWN)
                for seen, held in zip((a, b), was, strict=True)
            )
            clash = in_a and in_b and not same(a, b)
            side: Side = self._decide(f"{name}: {cell}", note) if clash else "a" if in_a or not in_b else "b"
            value = a if side == "a" else b
            if value is not UNKNOWN:
                cells[cell] = value
        return line_of(cells)

    def _decide(self, what: str, note: bool = True) -> Side:
        if self.prefer is None and note:
            self.clashes.append(what)
        return self.prefer or "a"

    def _lead(self, stay: Sequence[int]) -> Side | None:
        """The side that put the lines that stay into another order."""
        order = {s: [old for old in self.at[s] if old is not None and old in stay] for s in SIDES}
        moved = [s for s in SIDES if order[s] != sorted(order[s])]
        if len(moved) == 2 and order["a"] != order["b"]:
            return self._decide("both sides moved lines")
        return moved[0] if moved else None

    @staticmethod
    def _near(where: dict[int, int], old: int) -> int:
        before = [where[one] for one in where if one < old]
        return before[-1] if before else old if not where else -1

    def _blocks(self, stay: Sequence[int]) -> list[tuple[list[Line], int]]:
        """New lines as (lines in a row, the old line that they follow or -1); one that both sides made counts once."""
        both = self._twins()
        blocks: list[tuple[list[Line], int]] = []
        for side in SIDES:
            twins = {pair[SIDES.index(side)] for pair in both}
            row: list[Line] = []
            anchor = -1
            for new, old in enumerate(self.at[side]):
                if old is not None and old in stay:
                    blocks, row, anchor = [*blocks, (row, anchor)], [], old
                elif old is None and new not in twins:
                    row.append(self.now[side][new])
            blocks.append((row, anchor))
        for a, b in both:
            anchors = [self._anchor(s, at, stay) for s, at in zip(SIDES, (a, b), strict=True)]
            line = self._cells("a new line", (None, None), (self.now["a"][a], self.now["b"][b]), note=True)
            blocks.append(([line], min(anchors)))
        return [block for block in blocks if block[0]]

    def _anchor(self, side: Side, new: int, stay: Sequence[int]) -> int:
        return next((old for old in reversed(self.at[side][:new]) if old is not None and old in stay), -1)

    def _twins(self) -> list[tuple[int, int]]:
        """New lines that both sides made: by key, else equal ones."""
        free = list(self.new["b"])
        found = []
        for a in self.new["a"]:
            b = next((one for one in free if self._alike(self.now["a"][a], self.now["b"][one])), None)
            if b is not None:
                found.append((a, b))
                free.remove(b)
        return found

    def _alike(self, a: Line, b: Line) -> bool:
        return key_of(self.spec, a) == key_of(self.spec, b) if self.spec.key else a == b


def _text(line: Line) -> str:
    return encode({"": (line,)})
