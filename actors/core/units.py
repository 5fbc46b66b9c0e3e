"""Records with lines are whole or not at all: what is in doubt holds back the record, and the sums have to agree: those that
a side shows, and those that it would show once it is written. Pure.

Must not: read or write lines; that is unit_lines.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.core.actions import action_for, id_on
from actors.core.formula import FormulaError, compiled
from actors.core.lenses import shown
from actors.core.mapping import Shown
from actors.core.owners import may_change, owner_of, owning_side
from actors.core.policy import FieldSpec, StreamSpec, Sum
from actors.core.rooms import not_delivered, parked
from actors.core.types import Action, Binding, Observation, Op, Parked, Room, Side, other
from actors.core.unit_lines import is_cut
from actors.core.values import UNKNOWN, Fields, Line, Seen, fingerprint, lines_of, same

CUT = "partly written"  # the reason of a deviation: some steps of a write are done
OWN_WAY = ("lossy", "rewritten")  # reasons of deviations: a side shows in a way of its own what was agreed on


def odd_sums(stream: StreamSpec, seen: Observation) -> tuple[str, ...]:
    """What does not add up on a side, in words; only of figures that this side may change itself."""
    return tuple(
        said
        for spec in stream.with_lines
        for one in (spec.lines.sums if spec.lines is not None else ())
        if may_change(stream.field(one.field), seen.side) and (said := _odd(spec, one, seen))
    )


def added_up(stream: StreamSpec) -> tuple[frozenset[str], ...]:
    """Each list of lines with the figures that it has to add up to."""
    return tuple(
        frozenset((spec.name, *(one.field for one in spec.lines.sums)))
        for spec in stream.with_lines
        if spec.lines is not None and spec.lines.sums
    )


def unagreed(stream: StreamSpec, binding: Binding, seen: Observation) -> Parked | None:
    """The line in the waiting room for a record whose sums don't agree."""
    return _row(stream, binding, seen, odd_sums(stream, seen))


def whole(
    stream: StreamSpec,
    binding: Binding,
    looks: tuple[Observation, Observation],
    actions: Sequence[Action],
    park: Sequence[Parked],
) -> tuple[list[Action], list[Parked]]:
    """What of a pair's plan may go, and why the rest waits: all of it, or nothing where something is in doubt. `binding`:
    with everything adopted that needs no write."""
    rows, go = list(park), list(actions)
    written: Mapping[Side, Fields] = {action.side: action.fields for action in go}
    for seen in looks:
        # What is about to be written there is not what it will show; where nothing goes over from it, nothing depends on it.
        if not _touched(stream, written.get(seen.side, {})) and (row := unagreed(stream, binding, seen)):
            rows.append(row)
            go = _without(go, other(seen.side))
    written = {action.side: action.fields for action in go}
    for seen in looks if not park else ():
        found = list(_doubtful_then(stream, binding, seen, written))
        go = _without(go, seen.side) if found else go
        rows.extend(found)
    return ([] if park else go), rows


def _without(actions: Sequence[Action], side: Side) -> list[Action]:
    """What is left of a plan without the write of one side; what both sides are to be told goes to both or to neither."""
    late = {name for action in actions if action.side == side for name in action.fields}
    return [action for action in actions if action.side != side and not late & action.fields.keys()]


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
    if not seen.unfinished:
        return update
    begun = [
        (spec.name, place.paths[0])
        for spec in stream.with_lines
        if (place := spec.side(seen.side)) is not None and is_begun(binding, seen.side, spec.name)
    ]
    if not begun:
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


def _row(stream: StreamSpec, binding: Binding, seen: Observation, said: Sequence[str]) -> Parked | None:
    if not said:
        return None
    hint = (
        "it goes by itself when they agree, or decide otherwise where a decision made them differ; if the system counts "
        "otherwise, mend the formula in the blueprint"
    )
    print_ = fingerprint([tuple(said), dict(seen.fields)])
    return parked(
        stream, binding, Room.WAITING, seen, "; ".join(said), hint=hint, field="*sums*", fingerprint=print_
    )


def _touched(stream: StreamSpec, fields: Fields) -> bool:
    return bool(fields.keys() & {spec.name for spec in stream.with_lines}.union(*added_up(stream)))


def _doubtful_then(
    stream: StreamSpec, binding: Binding, seen: Observation, written: Mapping[Side, Fields]
) -> Iterator[Parked]:
    """What will not add up on a side once it is written, and what nobody can say of: after a conflict each side may be right
    by itself, and the lines of one wrong beside the sum of the other. A figure that this side alone may change is worked
    out there: it is judged when it is back."""
    going = written.get(seen.side, {})
    then = {**seen.fields, **_in_its_own_way(binding, seen), **going}
    after = msgspec.structs.replace(seen, fields=then)
    told = [
        (spec, one)
        for spec in stream.with_lines
        for one in (spec.lines.sums if spec.lines is not None else ())
        if going.keys() & {spec.name, one.field} and _is_told(stream, binding, seen.side, one.field, going)
    ]
    needed = {name for spec, one in told for name in (spec.name, one.field)}
    blind = [f"{seen.side}.{name}" for name in sorted(needed - then.keys())]
    yield from not_delivered(stream, binding, seen, blind)
    said = [f"to be written: {found}" for spec, one in told if (found := _odd(spec, one, after))]
    if (row := _row(stream, binding, seen, said)) is not None:
        yield row


def _in_its_own_way(binding: Binding, seen: Observation) -> Fields:
    """The agreed values of what a side shows as it can."""
    held = binding.side(seen.side)
    return {
        name: binding.base[name]
        for name, stands in (held.dev if held is not None else {}).items()
        if stands.reason in OWN_WAY
        and name in binding.base
        and same(stands.value, seen.fields.get(name, UNKNOWN))
    }


def _is_told(stream: StreamSpec, binding: Binding, side: Side, figure: str, going: Fields) -> bool:
    """Whether the figure of this record comes to a side from the other one, or may."""
    spec = stream.field(figure)
    owner = owner_of(spec, binding.base, bound=True, decided=going)
    return spec in stream.mergeable and owner is not None and owning_side(owner) != side


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
