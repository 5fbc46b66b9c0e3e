"""Several objects on one side for one on the other: customers and prospects there, one table of accounts here. Pure.

On the side with several objects a record's id carries its object ("prospects:17"), and the *object field* (`@object`)
says which one that is. So a record that leaves one object for another is a record that moved, its binding goes on
(core/moved.py), and its object is an edit of a field like any other. The other way round, an edit of that field moves the
record: it is made in the new object, with all that it held, and what is left behind in the old one is then removed (or
marked), as it was seen; what somebody changed there meanwhile is listed. SPEC G8, G10, G13, G22.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.core import match
from actors.core.actions import action_for, id_on
from actors.core.mapping import Shown, paths
from actors.core.places import parted
from actors.core.policy import RECORD_ID, RECORD_OBJECT, LeftBehind, LensError, StreamSpec
from actors.core.rooms import OUTCOME
from actors.core.types import (
    Action,
    Binding,
    Deviation,
    FieldDecision,
    Held,
    Observation,
    Op,
    Parked,
    Presence,
    Room,
    Side,
    State,
    other,
)
from actors.core.values import Value, fingerprint, is_erased, same
from actors.core.verdict import UNSEEN_AGAIN_S, Context, Verdict, chosen, in_state, newcomer_state, tried

# Notes of half bindings that stand for the record in the old object.
LEFT = "left behind: it moved to "
BESIDE = "stands beside "
KEPT = "kept in its old object: it moved to "  # nothing is done about it, whatever becomes of the new one
MOVED = "moved to "
PLACES = (LEFT, BESIDE, KEPT, MOVED)  # every note of a place in which a record stood, or stands as well
# What was seen there when it moved, among the side's deviations (see marks.py).
PREFIX = "*left* "
PLACE = "*left behind*"
RULE = "left behind: "  # and what becomes of it


def placed(stream: StreamSpec, side: Side, write: Shown) -> Shown:
    """A create on `side`, which has to say its object where there are several."""
    if side == stream.several and write.native.get(RECORD_OBJECT) not in stream.objects_on(side):
        assert stream.object_field is not None
        names = ", ".join(stream.objects_on(side))
        raise LensError(f"{stream.object_field.name} says of none of {names} that the record belongs there")
    return write


# ------------------------------------------------------------------------------------------------- moving a record


def is_move(stream: StreamSpec, binding: Binding, action: Action) -> bool:
    """Whether a create makes a record anew that stands in another object of its side."""
    held = binding.side(action.side)
    if action.op is not Op.CREATE or action.side != stream.several or held is None:
        return False
    return held.presence is not Presence.DELETED


def was_move(stream: StreamSpec, action: Action) -> bool:
    """Whether a write made a record in another object than it stood in, told from the write alone."""
    spec = stream.object_field
    made = action.op is Op.CREATE and action.side == stream.several
    return made and spec is not None and spec.name in action.before


def is_leftover(action: Action) -> bool:
    """Whether a write was about what a move had left behind."""
    return action.rule.startswith(RULE)


def wants_move(write: Shown) -> bool:
    """Whether an update says another object."""
    return RECORD_OBJECT in write.native


def not_known(
    stream: StreamSpec, side: Side, wanted: Mapping[str, Value], ctx: Context
) -> tuple[Mapping[str, Value], tuple[Parked, ...]]:
    """What is left to be written on a side: nothing, while nobody knows whether the record was made in its new object
    already, and no person said: once more."""
    row = next((row for row in ctx.parked if row.field == OUTCOME), None)
    moves = side == stream.several and stream.object_field is not None and stream.object_field.name in wanted
    if row is None or not moves or (row.decision or {}).get("choose") == "retry":
        return wanted, ()
    return {}, (row,)


def move(
    stream: StreamSpec,
    binding: Binding,
    seen: Observation,
    rule: str,
    wanted: Mapping[str, Value],
    write: Shown,
    before: Mapping[str, Value],
    decisions: tuple[FieldDecision, ...],
) -> Action:
    """Make the record in its new object, with everything that it holds in the old one. Raises `LensError`."""
    side = seen.side
    placed(stream, side, write)
    kept = _kept(stream, seen)
    native = {**kept, **write.native}
    here, there = parted(stream, side, seen.id)[0], write.native[RECORD_OBJECT]
    action = action_for(
        stream,
        binding,
        side,
        Op.CREATE,
        rule,
        wanted,
        Shown({path: value for path, value in native.items() if value is not None}, write.shown),
        before,
        decisions,
        origin=id_on(binding, other(side)),
        reason=f"moves from {here} to {there}",
    )
    # Paid here for both steps: what is left behind must not wait for a yes of its own.
    kinds = ("overwrites",) if stream.left_behind is LeftBehind.KEEP else ("overwrites", "deletes")
    return msgspec.structs.replace(action, seen_native=kept, kinds=kinds)


def _kept(stream: StreamSpec, seen: Observation) -> dict[str, Value]:
    """The native values that go along; nothing is moved unseen."""
    out: dict[str, Value] = {}
    for path in _carried(stream, seen.side):
        if path not in seen.native:
            raise LensError(
                f"{path} was not delivered on {seen.side}, and nothing is moved unseen", waits=True
            )
        out[path] = seen.native[path]
    return out


def _carried(stream: StreamSpec, side: Side) -> tuple[str, ...]:
    places = [place for spec in stream.fields if (place := spec.side(side)) is not None]
    read = {path for place in places if place.lens.one_way for path in place.paths}
    written = {path for place in places if not place.lens.one_way for path in place.paths}
    left = {RECORD_ID, RECORD_OBJECT, *stream.mark.get(side, {}), *(read - written)}
    return tuple(path for path in paths(stream, side) if path not in left)


# ---------------------------------------------------------------------------------------------- what is left behind


def left_behind(stream: StreamSpec, binding: Binding, action: Action, record: str) -> Binding:
    """A half binding for what stands in the old object still, once the record was made in the new one as `record`."""
    was = binding.side(action.side)
    assert was is not None
    if stream.left_behind is LeftBehind.KEEP:
        return _half(stream, action.side, Held(was.id), f"{KEPT}{record}")
    dev = {PREFIX + path: Deviation(value, "left behind") for path, value in action.seen_native.items()}
    return _half(stream, action.side, Held(was.id, dev=dev), f"{LEFT}{record}")


def beside(stream: StreamSpec, side: Side, id: str, record: str) -> Binding:
    """A half binding for a record that stands in one object while the same stands in another, and that counts."""
    return _half(stream, side, Held(id), f"{BESIDE}{record}")


def _half(stream: StreamSpec, side: Side, held: Held, note: str) -> Binding:
    return Binding(
        stream=stream.name,
        state=State.TOMBSTONE,
        a=held if side == "a" else None,
        b=held if side == "b" else None,
        keys=tuple(0 for _ in stream.match),
        map_ver=stream.map_ver,
        note=note,
        rev=1,
    )


def notes_of(record: str) -> tuple[str, ...]:
    """What stands with half bindings for places in which that record stood, or stands as well."""
    return tuple(f"{said}{record}" for said in PLACES)


def moved_to(half: Binding) -> str:
    """The record that counts in the place of one that was left, or stands beside; "" where it is none of those."""
    said = next((said for said in PLACES if half.note.startswith(said)), None)
    return half.note.removeprefix(said) if said is not None else ""


def is_left(half: Binding) -> bool:
    """Whether something is still to be done about what was left behind."""
    return half.note.startswith(LEFT)


def is_back(half: Binding) -> bool:
    """Whether it stands for what was removed after its record had moved: whatever is seen under that id now is new."""
    held = half.a or half.b
    removed = held is not None and held.presence is not Presence.PRESENT
    return removed and half.note.startswith(PLACES)


def plan_left(stream: StreamSpec, half: Binding, seen: Observation, ctx: Context) -> Verdict:
    """Remove or mark what was left behind, as it was when the record moved; what was changed there since is listed."""
    side = seen.side
    held = half.side(side)
    assert held is not None
    if seen.presence is not Presence.PRESENT:
        return Verdict(half, drop=True)
    record = half.note.removeprefix(LEFT)
    if ctx.astray is None:
        return Verdict(half, again_s=UNSEEN_AGAIN_S)
    if ctx.astray:  # this may be all there is of the record
        return Verdict(in_state(half, State.TOMBSTONE, f"{BESIDE}{record}"))
    was = {n.removeprefix(PREFIX): d.value for n, d in held.dev.items() if n.startswith(PREFIX)}
    if any(path not in seen.native for path in was):
        return Verdict(half, again_s=UNSEEN_AGAIN_S)
    edited = {path: seen.native[path] for path, value in was.items() if not same(seen.native[path], value)}
    if edited:
        row = _edited(stream, half, seen, record, edited, was)
        said = chosen(ctx.parked, PLACE, row.fingerprint)
        if said == side:
            return Verdict(in_state(half, State.TOMBSTONE, f"{BESIDE}{record}"))
        if said != other(side):
            return Verdict(half, park=(row,))
    marks = stream.left_behind is LeftBehind.MARK
    action = action_for(
        stream,
        half,
        side,
        Op.MARK if marks else Op.DELETE,
        f"{RULE}{stream.left_behind.value}",
        {},
        Shown(dict(stream.mark.get(side, {})) if marks else {}, {}),
        dict(seen.fields),
        (),
        origin=record,
        seen=seen,
        reason=f"{MOVED}{record}",
    )
    action = msgspec.structs.replace(action, kinds=())  # the move has paid for it
    return tried(half, (action,), (), ctx)


def _edited(
    stream: StreamSpec,
    half: Binding,
    seen: Observation,
    record: str,
    edited: Mapping[str, Value],
    was: Mapping[str, Value],
) -> Parked:
    side = seen.side
    return Parked(
        stream=stream.name,
        room=Room.CONFLICT,
        binding=half.key,
        field=PLACE,
        side=side,
        record=seen.id,
        reason=f"changed after the record moved to {record}: {', '.join(edited)}",
        hint=f"carry it over by hand; then decide {other(side)}: it goes; or {side}: it stays where it is",
        detail={
            "base": {path: was[path] for path in edited if not is_erased(was[path])},
            side: dict(edited),
        },
        fingerprint=fingerprint([PLACE, side, dict(edited)]),
    )


# ---------------------------------------------------------------------------------------- moved by somebody else


def stands_in_both(stream: StreamSpec, side: Side, bound: Binding, new: Binding) -> bool:
    """Whether a new record is one that is bound, though that is there still: it stands in a later object as well, and the
    later one counts. (Also of two that have not met yet: what the one in the earlier object is told there would be undone
    by the other one.)"""
    was = bound.side(side)
    if was is None or new.side(side) is None or bound.state not in (State.SETTLED, State.MATCHED):
        return False
    return 0 <= place_of(stream, bound) < place_of(stream, new)


def place_of(stream: StreamSpec, binding: Binding) -> int:
    """Which of several objects a record stands in, counted in the order of the blueprint; -1: none."""
    side = stream.several
    held = binding.side(side) if side is not None else None
    names = stream.objects_on(side) if side is not None else ()
    name = parted(stream, side, held.id)[0] if side is not None and held is not None else ""
    return names.index(name) if name in names else -1


def steps_aside(stream: StreamSpec, side: Side, half: Binding, record: str) -> Binding:
    """A newcomer that stands in a later object as well, as `record`: that one counts."""
    held = half.side(side)
    assert held is not None
    stands = beside(stream, side, held.id, record)
    return msgspec.structs.replace(stands, key=half.key, rev=half.rev + 1)


def back_again(stream: StreamSpec, half: Binding, seen: Observation) -> Binding:
    """A record is there again under an id that was left: a newcomer, or moved back."""
    held = Held(seen.id, version=seen.version)
    return msgspec.structs.replace(
        half,
        state=newcomer_state(stream, seen),
        a=held if seen.side == "a" else None,
        b=held if seen.side == "b" else None,
        keys=match.keys(stream, seen.fields),
        note="",
    )


def at_new_place(stream: StreamSpec, bound: Binding, new: Binding) -> Binding:
    """The binding with the new record in the place of the one that stands in the earlier object."""
    side = stream.several
    assert side is not None
    was, now = bound.side(side), new.side(side)
    assert was is not None and now is not None
    held = Held(id=now.id, dev=was.dev, version=now.version, seen_gen=now.seen_gen)
    out = msgspec.structs.replace(bound, rev=bound.rev + 1)
    return out.with_side(side, held)
