"""The lines in the five rooms: why a record (or one field of it) waits, and the way out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actors.core import match
from actors.core.actions import id_on
from actors.core.merge import Dispute, dispute_of
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Observation, Parked, Room, Side, other
from actors.core.values import Value, fingerprint, is_blank

# The place of a line that says: a create was sent and nobody knows whether it took place.
OUTCOME = "*outcome*"
CONTESTED = "contested: "  # how the reason begins of what was written too often


def parked(
    stream: StreamSpec, binding: Binding, room: Room, seen: Observation, reason: str, **more: Any
) -> Parked:
    return Parked(
        stream=stream.name,
        room=room,
        binding=binding.key,
        reason=reason,
        side=seen.side,
        record=seen.id,
        **more,
    )


REFERRING_NAMED_MAX = 10
CHAINED = ", which is in "
CHAIN_MAX = 5


def waits(stream: StreamSpec, binding: Binding, seen: Observation, reason: str) -> Parked:
    hint = "it goes by itself when that is there"
    return parked(
        stream, binding, Room.WAITING, seen, reason, hint=hint, fingerprint=fingerprint([dict(seen.fields)])
    )


def not_delivered(
    stream: StreamSpec, binding: Binding, seen: Observation, names: Sequence[str]
) -> Iterable[Parked]:
    """Nothing is written over what was not seen: the record waits until the field is delivered."""
    if names:
        reason = f"not delivered: {', '.join(names)}"
        hint = "it goes by itself when the system delivers the field; if it never does, check its name and rights"
        yield parked(
            stream,
            binding,
            Room.WAITING,
            seen,
            reason,
            hint=hint,
            field="*unseen*",
            fingerprint=fingerprint([reason]),
        )


def unreadable(stream: StreamSpec, binding: Binding, seen: Observation) -> Parked:
    """A record that can't be read into shared values: it waits for a setting or parent, or is in quarantine."""
    waits = seen.problem.startswith("waits: ")
    room = Room.WAITING if waits else Room.QUARANTINE
    hint = (
        "it goes by itself when that is there"
        if waits
        else "mend the value in the system; it goes by itself then"
    )
    return parked(
        stream,
        binding,
        room,
        seen,
        seen.problem.removeprefix("waits: "),
        hint=hint,
        fingerprint=fingerprint([dict(seen.native)]),
    )


def disputed(stream: StreamSpec, binding: Binding, dispute: Dispute) -> Parked:
    return Parked(
        stream=stream.name,
        room=Room.CONFLICT,
        binding=binding.key,
        field=dispute.field,
        record=id_on(binding, "a"),
        reason=dispute.reason,
        hint="decide whose value stays: a, b, or another value",
        detail={"base": dispute.base, "a": dispute.a, "b": dispute.b},
        fingerprint=dispute.fingerprint,
    )


def deleted_edited(
    stream: StreamSpec, binding: Binding, gone: Observation, left: Observation, read_only: bool
) -> Parked:
    """Deleted on one side, edited on the other. `read_only`: nothing is ever written where it was deleted."""
    reason = f"deleted on {gone.side}, edited on {left.side}"
    return parked(
        stream,
        binding,
        Room.CONFLICT,
        left,
        f"{reason}; side {gone.side} is never written to" if read_only else reason,
        field="*delete*",
        hint="decide: remove it there too, or keep it"
        if read_only
        else "decide: remove it there too, keep it, or restore it",
        detail={"base": dict(binding.base), left.side: dict(left.fields)},
        fingerprint=delete_print(binding, left),
    )


def perhaps_merged(
    stream: StreamSpec,
    binding: Binding,
    gone: Observation,
    left: Observation,
    survivor: tuple[str, str],
) -> Parked:
    """Gone on one side, and another record there has one of its keys."""
    into, key = survivor
    return parked(
        stream,
        binding,
        Room.CONFLICT,
        left,
        f"gone on {gone.side}, and {into} there has its {key}: it may have been merged into that",
        field="*delete*",
        hint="decide: keep it (both stay), remove it there too (once it was merged there), or restore what is gone",
        detail={"base": dict(binding.base), left.side: dict(left.fields), "survivor": into},
        fingerprint=delete_print(binding, left),
    )


def still_referred(
    stream: StreamSpec, binding: Binding, left: Observation, survivor: str, referring: Sequence[str]
) -> Parked:
    """Its partner was merged into another record, and others refer to it still."""
    named = ", ".join(referring[:REFERRING_NAMED_MAX]) + (", ..." if referring[REFERRING_NAMED_MAX:] else "")
    reason = f"merged into {survivor} on {other(left.side)}, and still referred to on {left.side}: {named}"
    hint = "it goes by itself when they refer to the other record; mend there those that no rule carries over"
    print_ = fingerprint([reason])
    return parked(
        stream, binding, Room.WAITING, left, reason, hint=hint, field="*delete*", fingerprint=print_
    )


def contested(
    stream: StreamSpec,
    binding: Binding,
    looks: tuple[Observation, Observation],
    side: Side,
    hot: Sequence[str],
    breaker: int,
) -> Iterable[Parked]:
    """The units that were written too often on one side: listed like any conflict, so that a person's word settles it."""
    hint = (
        "decide whose value stays (it is written once more); if something there answers our writes, stop it, or "
        "give the field to that side"
    )
    for unit in hot:
        reason = f"{CONTESTED}{unit} was written {breaker} times on side {side} within a day"
        row = disputed(stream, binding, dispute_of(stream, binding, *looks, unit, reason))
        yield msgspec.structs.replace(row, hint=hint)


def bare_units(stream: StreamSpec, wanted: Mapping[str, Value]) -> list[str]:
    """The fields and groups that would be written without a value that is required."""
    names = _bare(stream, wanted)
    return list(dict.fromkeys(stream.field(name).unit for name in names)) if names else []


def _bare(stream: StreamSpec, wanted: Mapping[str, Value]) -> list[str]:
    return [name for name, value in wanted.items() if is_blank(value) and stream.field(name).required]


def emptied(
    stream: StreamSpec, binding: Binding, seen: Observation, wanted: Mapping[str, Value]
) -> Iterable[Parked]:
    """What is required was emptied on the side that was `seen`, and so the other side keeps what it has."""
    for unit in bare_units(stream, wanted):
        names = ", ".join(name for name in _bare(stream, wanted) if stream.field(name).unit == unit)
        reason = f"needs {names}: empty on {seen.side}, and not emptied on {other(seen.side)}"
        hint = "it goes by itself when the field has a value there, or is edited on the other side"
        print_ = fingerprint([reason, dict(seen.fields)])
        yield parked(stream, binding, Room.WAITING, seen, reason, hint=hint, field=unit, fingerprint=print_)


def unsure(stream: StreamSpec, half: Binding, seen: Observation) -> Parked:
    """The line in the waiting room for a newcomer whose match keys are not delivered."""
    names = ", ".join(f"{seen.side}.{name}" for name in match.undelivered(stream, seen.fields))
    reason = f"not delivered: {names}; until then it can't be matched, and nothing is created on {seen.side}"
    hint = "it goes by itself when the system delivers the field; if it never does, check its name and rights"
    print_ = fingerprint([reason])
    return parked(stream, half, Room.WAITING, seen, reason, hint=hint, field="*unseen*", fingerprint=print_)


def delete_print(binding: Binding, left: Observation) -> str:
    return fingerprint(["delete", binding.key, left.side, dict(left.fields)])


def why_alone(notes: Mapping[int, str], rows: Sequence[Parked]) -> dict[int, str]:
    """Why records without a partner are not in step, for those that refer to them: the room and reason, else the note of
    the half binding. A reason that names another record carries its reason along, so the chain is told to its end."""
    told = {key: f": {note}" for key, note in notes.items() if note}
    for row in rows:
        deep = row.reason.count(CHAINED) >= CHAIN_MAX  # a circle says the same for ever
        told[row.binding] = f", which is in {row.room.value}" + ("" if deep else f": {row.reason}")
    return told
