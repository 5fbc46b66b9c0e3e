"""The lines in the five rooms: why a record (or one field of it) waits, and the way out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actors.core import match
from actors.core.actions import id_on
from actors.core.merge import Dispute, dispute_of
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Binding, Observation, Parked, Room, Side, other
from actors.core.values import Value, fingerprint, is_blank, lines_of

# The place of a line that says: a create was sent and nobody knows whether it took place.
OUTCOME = "*outcome*"
CONTESTED = "contested: "  # how the reason begins of what was written too often
DELETE = "*delete*"  # the place of a conflict about a record that is gone on one side
DELETE_WORDS = ("keep", "remove", "restore")  # what may be said of that, beside a and b
OWNER = "owner"  # in the detail of a conflict: the side that owns what it is about, where one does


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
        field=DELETE,
        hint="decide: remove it there too, or keep it"
        if read_only
        else "decide: remove it there too, keep it, or restore it",
        detail={
            "base": dict(binding.base),
            left.side: dict(left.fields),
            **({OWNER: gone.side} if read_only else {}),
        },
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
        field=DELETE,
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
    return parked(stream, binding, Room.WAITING, left, reason, hint=hint, field=DELETE, fingerprint=print_)


def contested(
    stream: StreamSpec,
    binding: Binding,
    looks: tuple[Observation, Observation],
    side: Side,
    hot: Sequence[str],
    breaker: int,
    owned: Mapping[str, Side],
) -> Iterable[Parked]:
    """The units that were written too often on one side: listed like any conflict, so that a person's word settles it.
    `owned`: the units that one side owns: only its value can stay."""
    stop = "if something there answers our writes, stop it, or give the field to that side"
    for unit in hot:
        reason = f"{CONTESTED}{unit} was written {breaker} times on side {side} within a day"
        row = disputed(stream, binding, dispute_of(stream, binding, *looks, unit, reason))
        hint, detail = f"decide whose value stays (it is written once more); {stop}", row.detail
        if (owner := owned.get(unit)) is not None:
            hint = f"side {owner} owns it: decide {owner}, and its value is written once more; {stop}"
            detail = {**detail, OWNER: owner}
        yield msgspec.structs.replace(row, hint=hint, detail=detail)


def counts_for_nothing(row: Parked, choose: str) -> tuple[str, str] | None:
    """Why a person's word about a conflict could not be carried out, and the way out; None where it can."""
    owner: Side | None = row.detail.get(OWNER)
    of_deletion = row.field == DELETE
    if choose in DELETE_WORDS and not of_deletion:
        return f"{choose} is said of a record that was deleted on one side", "choose a, b or value"
    if choose == "value" and _of_several(row):
        return f"{row.field or 'the conflict'} is no single value", "choose a or b"
    if owner is None or choose == owner:
        return None
    there = other(owner)
    if of_deletion:
        why = (
            f"side {owner} owns every field and is never written to: what was deleted there can't be put back"
        )
        return (
            (why, f"choose remove: it goes on {there} too; or keep") if choose in ("restore", there) else None
        )
    why = f"{row.field} is owned by side {owner}, and no decision gives it another value than that side's"
    way = (
        f"choose {owner}; or edit it on side {owner}; for the value on side {there} to stay, give the field to that "
        "side in the blueprint (owner), or have edits there left as they are (foreign_edit: report)"
    )
    return why, way


def _of_several(row: Parked) -> bool:
    """Whether a conflict is about a record, about several fields that go together, or about lines."""
    shown = [held for side in SIDES if isinstance(held := row.detail.get(side), Mapping)]
    return any(len(held) != 1 or row.field not in held or any(map(lines_of, held.values())) for held in shown)


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
