"""Records with lines are whole or not at all: what is in doubt holds back the record, and the sums have to agree. Pure.

Must not: read or write lines; that is unit_lines.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from actors.core.actions import action_for, id_on
from actors.core.formula import FormulaError, compiled
from actors.core.lenses import shown
from actors.core.mapping import Shown
from actors.core.owners import may_change
from actors.core.policy import FieldSpec, StreamSpec, Sum
from actors.core.rooms import parked
from actors.core.types import Action, Binding, Observation, Op, Parked, Room, Side, other
from actors.core.unit_lines import is_cut
from actors.core.values import UNKNOWN, Line, Seen, fingerprint, lines_of

CUT = "partly written"  # the reason of a deviation: some steps of a write are done


def odd_sums(stream: StreamSpec, seen: Observation) -> tuple[str, ...]:
    """What does not add up on a side, in words; only of figures that this side may change itself."""
    return tuple(
        said
        for spec in stream.with_lines
        for one in (spec.lines.sums if spec.lines is not None else ())
        if may_change(stream.field(one.field), seen.side) and (said := _odd(spec, one, seen))
    )


def unagreed(stream: StreamSpec, binding: Binding, seen: Observation) -> Parked | None:
    """The line in the waiting room for a record whose sums don't agree."""
    said = odd_sums(stream, seen)
    if not said:
        return None
    hint = (
        "it goes by itself when they agree; if the system counts otherwise, mend the formula in the blueprint"
    )
    print_ = fingerprint([said, dict(seen.fields)])
    return parked(
        stream, binding, Room.WAITING, seen, "; ".join(said), hint=hint, field="*sums*", fingerprint=print_
    )


def whole(
    stream: StreamSpec,
    binding: Binding,
    looks: tuple[Observation, Observation],
    actions: Sequence[Action],
    park: Sequence[Parked],
) -> tuple[list[Action], list[Parked]]:
    """What of a pair's plan may go, and why the rest waits: all of it, or nothing where something is in doubt."""
    rows = list(park)
    written = {action.side: action.fields for action in actions}
    for seen in looks:
        # What is about to be written there is not what it will show; where nothing goes over from it, nothing depends on it.
        if not _touched(stream, written.get(seen.side, ())) and (row := unagreed(stream, binding, seen)):
            rows.append(row)
            actions = [action for action in actions if action.side != other(seen.side)]
    return ([] if park else list(actions)), rows


def is_begun(binding: Binding, side: Side, name: str) -> bool:
    """Whether only a part of a field was written on that side so far."""
    held = binding.side(side)
    stands = held.dev.get(name) if held is not None else None
    return stands is not None and stands.reason == CUT


def cut(spec: FieldSpec, before: Seen, sent: Seen, seen: Observation) -> bool:
    """Whether a field shows part of what was sent, in a system that is written step by step; where the record is kept from
    being worked on until the last step, that one is missing though all lines may stand there."""
    shows = seen.fields.get(spec.name, UNKNOWN)
    if spec.lines is None or sent is UNKNOWN or shows is UNKNOWN:
        return False
    return seen.unfinished or is_cut(before, sent, shows)


def let_go(stream: StreamSpec, binding: Binding, seen: Observation, update: Action | None) -> Action | None:
    """The update of a side together with the lines that were begun there and that stand there all: they are written over
    themselves, by which the side lets the record go. As it is where there is nothing to let go."""
    begun = [
        (spec.name, place.paths[0])
        for spec in stream.with_lines
        if (place := spec.side(seen.side)) is not None and is_begun(binding, seen.side, spec.name)
    ]
    if not seen.unfinished or not begun:
        return update
    stands = {path: seen.native[path] for _, path in begun if path in seen.native}
    if update is not None:
        return msgspec.structs.replace(
            update, native={**stands, **update.native}, seen_native={**stands, **update.seen_native}
        )
    lines = {name: seen.fields[name] for name, _ in begun if name in seen.fields}
    return action_for(
        stream,
        binding,
        seen.side,
        Op.UPDATE,
        CUT,
        lines,
        Shown(stands, lines),
        lines,
        (),
        origin=id_on(binding, other(seen.side)),
        seen=seen,
        reason="all of it stands there, and it was not let go yet",
    )


def _touched(stream: StreamSpec, fields: object) -> bool:
    names = set(fields) if isinstance(fields, dict) else set()
    figures = {one.field for spec in stream.with_lines if spec.lines for one in spec.lines.sums}
    return bool(names & ({spec.name for spec in stream.with_lines} | figures))


def _odd(spec: FieldSpec, one: Sum, seen: Observation) -> str:
    lines, figure = seen.fields.get(spec.name, UNKNOWN), seen.fields.get(one.field, UNKNOWN)
    if lines is UNKNOWN or figure is UNKNOWN:
        return ""  # what was not delivered is said elsewhere
    try:
        total = sum((_amount(one, line) for line in lines_of(lines)), Decimal(0))
    except FormulaError as error:
        return f"the lines of {spec.name} on {seen.side} can't be added up to {one.field}: {error}"
    if not isinstance(figure, int | Decimal) or isinstance(figure, bool):
        return f"{one.field} on {seen.side} is no number, its lines add up to {total}"
    if abs(figure - total) <= one.tolerance:
        return ""
    return f"the lines of {spec.name} on {seen.side} add up to {total}, {one.field} says {figure}"


def _amount(one: Sum, line: Line) -> Decimal:
    cells = [line.get(name) for name in one.names]
    found = compiled(one.formula, one.names)([None if cell is UNKNOWN else cell for cell in cells])
    if found is None:
        return Decimal(0)
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise FormulaError(f"{shown(found)} is not a number")
    return Decimal(found)
