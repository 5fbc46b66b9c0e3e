"""Lines of a unit between a side's own form and the shared one: read, told apart, put back in their places. Pure.

A native line holds its cells and, under `RECORD_ID`, what the side itself calls it; a shared line holds the fields of the
blueprint and no id: a system that saves lines by deleting and inserting them changes nothing by that (REDTEAM 18). Which
line is which is told by the `key` of the rules, else by what the lines hold. `write` keeps every line that is still
there, with its id and with whatever else it holds, and says the new list as a whole; the connector finds the steps.

Must not: know streams or systems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from difflib import SequenceMatcher

from actors.core.policy import RECORD_ID, FieldSide, FieldSpec, LensError, LinesSpec
from actors.core.types import Side
from actors.core.values import (
    UNKNOWN,
    BadValue,
    Fields,
    Line,
    Seen,
    Value,
    encode,
    is_blank,
    line_of,
    lines_of,
    same,
)

LINES_MAX = 1000  # of one record: telling them apart takes the square of it
Lines = tuple[Line, ...]
Get = Callable[[FieldSpec, FieldSide, Fields], Seen]
Put = Callable[[FieldSpec, tuple[Value, ...], Value], tuple[Value, ...]]
IN_LINES = "[]."  # between the path of the list and a path within the line, where native fields are asked for


def asked(path: str, spec: LinesSpec, side: Side) -> tuple[str, ...]:
    """The native fields to ask for, so that the lines under `path` can be read."""
    places = (place for one in spec.fields if (place := one.side(side)) is not None)
    within = [part for place in places for part in place.paths]
    within += [spec.position[side]] if side in spec.position else []
    return tuple(dict.fromkeys(f"{path}{IN_LINES}{part}" for part in within if part != RECORD_ID))


def read(spec: LinesSpec, side: Side, native: Value, get: Get) -> Seen:
    """Native lines as shared ones; UNKNOWN where a cell of one was not delivered: a list that was half seen was not seen.

    Raises `LensError` naming the line.
    """
    lines = in_order(spec, side, _lines(native))
    shared: list[Line] = []
    for place, line in enumerate(lines, start=1):
        one = _read_line(spec, side, line, place, get)
        if one is None:
            return UNKNOWN
        shared.append(one)
    if not spec.ordered:
        shared.sort(key=_written_down)
    return tuple(shared)


def in_order(spec: LinesSpec, side: Side, native: Lines) -> Lines:
    """Native lines in the order that the side gives them: by its position, else as delivered."""
    path = spec.position.get(side)
    if path is None:
        return native
    places = [line.get(path) for line in native]
    if any(not isinstance(at, int | Decimal) for at in places):
        return native  # a line without a place stands where it was delivered, and so do the others
    return tuple(
        line
        for _, line in sorted(zip(places, native, strict=True), key=lambda pair: pair[0])  # type: ignore[arg-type,return-value]
    )


def write(spec: LinesSpec, side: Side, old: Value, wanted: Value, get: Get, put: Put) -> Lines:
    """The native lines that show `wanted`, staying as close to `old` as can be: what is the same line keeps its id, its
    place and its other cells. Raises `LensError` naming the line."""
    before, lines = in_order(spec, side, _lines(old)), _lines(wanted)
    shown = [_readable(spec, side, line, get) for line in before]
    if tuple(shown) == lines or (not spec.ordered and _sorted(shown) == _sorted(lines)):
        return _lines(old)
    kept = aligned(spec, shown, lines)
    native: list[Line] = []
    for place, (line, at) in enumerate(zip(lines, kept, strict=True), start=1):
        cells: dict[str, Value] = dict(before[at].cells) if at is not None else {}
        native.append(_write_line(spec, side, cells, line, place, put, is_new=at is None))
    return _placed(spec, side, native) if side in spec.position else tuple(native)


def aligned(spec: LinesSpec, old: Sequence[Line | None], new: Sequence[Line]) -> list[int | None]:
    """For each new line the index of the old one that it is, or None: by key, else equal ones in order, then equal ones
    elsewhere, then the likest of those that are about the same: whose first field is the same. Each old line is taken once.
    """
    kept: list[int | None] = [None] * len(new)
    free = {at for at, line in enumerate(old) if line is not None}
    if spec.key:
        _by_key(spec, old, new, kept, free)
        return kept
    plain = [line if line is not None else at for at, line in enumerate(old)]
    for block in SequenceMatcher(None, plain, list(new), autojunk=False).get_matching_blocks():
        for step in range(block.size):
            kept[block.b + step] = block.a + step
            free.discard(block.a + step)
    about = spec.fields[0].name
    for is_equal in (True, False):
        for place, line in enumerate(new):
            if kept[place] is None:
                alike = [at for at in sorted(free) if _may_be(old[at], line, about, is_equal=is_equal)]
                kept[place] = max(alike, key=lambda at: (_likeness(old[at], line), -at), default=None)
                free.discard(-1 if kept[place] is None else kept[place])
    return kept


def is_cut(before: Seen, sent: Value, seen: Seen) -> bool:
    """Whether `seen` is what is left of a write of `sent` over `before` that was cut: some of its steps are done."""
    if not isinstance(seen, tuple) or not isinstance(sent, tuple) or same(seen, sent):
        return False
    there = list(before if isinstance(before, tuple) else ())
    there += [line for line in sent if line not in there]
    return all(line in there for line in seen)


def told(sent: Value, seen: Seen) -> bool:
    """Whether native lines hold what was sent: the same number, in order, each with the cells that were told. What the
    system gave them besides (their ids, what it works out) does not count."""
    if not isinstance(sent, tuple) or not isinstance(seen, tuple) or len(sent) != len(seen):
        return False
    return all(
        isinstance(was, Line) and isinstance(now, Line) and _holds(was, now)
        for was, now in zip(sent, seen, strict=True)
    )


def is_lines(value: Seen) -> bool:
    """Whether a value is a list of lines (an empty list may be one)."""
    return isinstance(value, tuple) and bool(lines_of(value))


def begun(was: Seen, sent: Value, now: Seen) -> bool:
    """Whether native lines show that a write of `sent` over `was` took place, all of it or some of its steps."""
    if not isinstance(now, tuple) or same(was, now):
        return False
    if told(sent, now):
        return True
    known = (*lines_of(was), *lines_of(sent))
    return all(any(_holds(one, line) for one in known) for line in lines_of(now))


def _holds(was: Line, now: Line) -> bool:
    return all(same(now.get(name), value) for name, value in was.cells if name != RECORD_ID)


def _lines(value: Value) -> Lines:
    lines = lines_of(value)
    if value is not None and (not isinstance(value, tuple) or len(lines) < len(value)):
        raise LensError("these are not lines")
    if len(lines) > LINES_MAX:
        raise LensError(f"it has {len(lines)} lines; {LINES_MAX} can be kept in step")
    return lines


def _read_line(spec: LinesSpec, side: Side, line: Line, place: int, get: Get) -> Line | None:
    native, cells = dict(line.cells), dict[str, Value]()
    for one in spec.fields:
        at = one.side(side)
        if at is None:
            continue
        try:
            value = get(one, at, native)
        except (LensError, BadValue) as error:
            waits = isinstance(error, LensError) and error.waits
            raise LensError(f"line {place}, {one.name}: {error}", waits=waits) from error
        if value is UNKNOWN:
            return None
        if one.required and is_blank(value):
            raise LensError(f"line {place} needs {one.name}", waits=True)
        cells[one.name] = value
    return line_of(cells)


def _readable(spec: LinesSpec, side: Side, line: Line, get: Get) -> Line | None:
    try:
        return _read_line(spec, side, line, 0, get)
    except LensError:
        return None


def _write_line(
    spec: LinesSpec, side: Side, cells: dict[str, Value], line: Line, place: int, put: Put, *, is_new: bool
) -> Line:
    for one in spec.fields:
        at, value = one.side(side), line.get(one.name)
        if at is None or value is UNKNOWN or (is_new and value is None):
            continue
        try:
            told_ = put(one, tuple(cells.get(path) for path in at.paths), value)
        except (LensError, BadValue) as error:
            waits = isinstance(error, LensError) and error.waits
            raise LensError(f"line {place}, {one.name}: {error}", waits=waits) from error
        cells.update(zip(at.paths, told_, strict=True))
    return line_of(cells)


def _placed(spec: LinesSpec, side: Side, native: Sequence[Line]) -> Lines:
    """The lines with their places: kept where they rise already, else given anew."""
    path = spec.position[side]
    places = [line.get(path) for line in native]
    numbers = [at if isinstance(at, int | Decimal) and not isinstance(at, bool) else None for at in places]
    given = _rising(numbers) or list(range(1, len(native) + 1))
    return tuple(line_of({**dict(line.cells), path: at}) for line, at in zip(native, given, strict=True))


def as_made(spec: LinesSpec, side: Side, native: Value) -> Value:
    """Native lines as they stand once they are written: what a new one is not told, it does not hold."""
    if not is_lines(native):
        return native
    paths = [path for one in spec.fields if (at := one.side(side)) is not None for path in at.paths]
    empty: dict[str, Value] = dict.fromkeys(path for path in paths if path != RECORD_ID)
    return tuple(
        line if line.get(RECORD_ID) is not UNKNOWN else line_of({**empty, **dict(line.cells)})
        for line in lines_of(native)
    )


def _rising(places: Sequence[int | Decimal | None]) -> list[int | Decimal] | None:
    """The places with those filled in that are missing at the end; None where that would put lines in another order."""
    given: list[int | Decimal] = []
    for at in places:
        place = at if at is not None else (given[-1] if given else 0) + 1
        if given and place <= given[-1]:
            return None
        given.append(place)
    return given


def _by_key(
    spec: LinesSpec, old: Sequence[Line | None], new: Sequence[Line], kept: list[int | None], free: set[int]
) -> None:
    by_key: dict[tuple[Seen, ...], list[int]] = {}
    for at, line in enumerate(old):
        if line is not None:
            by_key.setdefault(key_of(spec, line), []).append(at)
    for place, line in enumerate(new):
        known = by_key.get(key_of(spec, line))
        if known:
            kept[place] = known.pop(0)
            free.discard(kept[place] or 0)


def key_of(spec: LinesSpec, line: Line) -> tuple[Seen, ...]:
    """What a line is known by."""
    return tuple(line.get(name) for name in spec.key)


def _may_be(old: Line | None, line: Line, about: str, *, is_equal: bool) -> bool:
    if old is None:
        return False
    return old == line if is_equal else same(old.get(about), line.get(about))


def _likeness(old: Line | None, line: Line) -> int:
    """In how many cells they agree."""
    return 0 if old is None else sum(same(old.get(name), value) for name, value in line.cells)


def _written_down(line: Line) -> str:
    return encode({"": (line,)})


def _sorted(lines: Sequence[Line | None]) -> list[str]:
    return sorted("" if line is None else _written_down(line) for line in lines)
