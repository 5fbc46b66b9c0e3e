"""What a run writes down: protocol lines, parked rows, hints and requests made from actions. No state, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from actors.core.documents import FAILED, detail_of, staged_print
from actors.core.guard import Spent
from actors.core.policy import StreamSpec
from actors.core.settle import unseen
from actors.core.types import (
    Action,
    ActionState,
    Binding,
    FieldDecision,
    Hint,
    Observation,
    Op,
    Parked,
    Room,
    Side,
    other,
)
from actors.core.units import CUT
from actors.ports import Cursor, Settlement, Write, WriteResult


def shown_already(action: Action) -> bool:
    """An update that the side can't show any better than it does: nothing is sent, the look before stands."""
    return action.op is Op.UPDATE and not action.native


def write_of(action: Action) -> Write:
    return Write(
        op=Op.UPDATE if action.op is Op.MARK else action.op,
        id=action.target,
        native=action.native,
        seen=action.seen_native,
        version=action.version,
        tag=action.tag,
    )


def hint_of(action: Action, record: str, reason: str) -> Hint:
    return Hint(stream=action.stream, side=action.side, id=record, reason=reason)


def released(binding: Binding, side: Side) -> Binding:
    """A tombstone without its id on `side`: that id belongs to another record now."""
    return (
        msgspec.structs.replace(binding, a=None) if side == "a" else msgspec.structs.replace(binding, b=None)
    )


def revised(binding: Binding) -> Binding:
    return msgspec.structs.replace(binding, rev=binding.rev + 1)


def quarantined(action: Action, words: str) -> Parked:
    # A record that was not made is named by the one that people know: what it was to be made from.
    unmade = action.op is Op.CREATE
    return Parked(
        stream=action.stream,
        room=Room.QUARANTINE,
        binding=action.binding,
        side=other(action.side) if unmade else action.side,
        record=action.origin if unmade else action.target or action.origin,
        reason=words or "refused without a word",
        hint="mend the record, or retry it once the system takes it",
        detail={"op": action.op.value, "fields": dict(action.fields)},
        fingerprint=action.fingerprint,
    )


def partly(action: Action, result: WriteResult) -> WriteResult:
    """What is said of a unit of which only a part was written."""
    where = f"{action.stream} {result.id or action.target} on side {action.side}"
    return msgspec.structs.replace(result, error=f"{CUT}: part of {where} stands there; {result.error}")


def not_imported(stream: StreamSpec, action: Action, words: str) -> Parked:
    """A staged record whose import the system refused: it stays staged, with the reason."""
    row = quarantined(action, words)
    return msgspec.structs.replace(
        row,
        room=Room.STAGED,
        reason=f"{FAILED}{row.reason}",
        hint="mend it, or import it again once the system takes it",
        detail=detail_of(action.fields, action.id),
        fingerprint=staged_print(stream, action.side, action.fields, action.id),
    )


def parked_line(row: Parked) -> Action:
    return Action(
        stream=row.stream,
        side=row.side or "a",
        op=Op.NONE,
        binding=row.binding,
        rule=row.room.value,
        reason=row.reason,
        target=row.record,
        state=ActionState.PARKED,
    )


def differs_line(action: Action, after: Observation, names: Sequence[str]) -> Action:
    """The protocol line for fields that show neither what was sent nor what was there before."""
    decisions = []
    for name in names:
        sent, seen = action.fields[name], after.fields.get(name)
        a, b = (seen, sent) if action.side == "a" else (sent, seen)
        decisions.append(FieldDecision(name, "differs after our write", seen, base=sent, a=a, b=b))
    return Action(
        stream=action.stream,
        side=action.side,
        op=Op.NONE,
        binding=action.binding,
        rule="differs after our write",
        reason=f"side {action.side} shows another value than was written: {', '.join(names)}",
        target=after.id,
        origin=action.origin,
        decisions=tuple(decisions),
        state=ActionState.CONFIRMED,
    )


def settles(stream: StreamSpec, action: Action, seen: Observation) -> bool:
    return not seen.problem and not unseen(stream, action, seen)


def one_per_place(rows: Iterable[Parked]) -> Iterable[Parked]:
    return {(row.binding, row.room, row.field): row for row in rows}.values()


def joined(run: str, parts: Sequence[Settlement], cursor: Cursor | None = None) -> Settlement:
    """Several settlements that have no binding in common, as one transaction."""
    spend: dict[Spent, int] = {}
    for one in parts:
        for kind, count in one.spend.items():
            spend[kind] = spend.get(kind, 0) + count
    return Settlement(
        run=run,
        bindings=tuple(binding for one in parts for binding in one.bindings),
        dropped=tuple(key for one in parts for key in one.dropped),
        closed=tuple(closed for one in parts for closed in one.closed),
        items=tuple(item for one in parts for item in one.items),
        park=tuple(row for one in parts for row in one.park),
        hints=tuple(hint for one in parts for hint in one.hints),
        counters=tuple(counters for one in parts for counters in one.counters),
        changes=tuple(change for one in parts for change in one.changes),
        spend=spend,
        cursors=(cursor,) if cursor is not None else (),
    )
