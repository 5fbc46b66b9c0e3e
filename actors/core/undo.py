"""Undoing what a run wrote: the write that takes one of its writes back, or the reason why there is none. Pure.

Taken back is what stands as the run left it. A record that was edited on either side since, or written by a later run, is
left and named. What the other side holds is not touched, so afterwards the two differ for a recorded reason (*undone*): the
next edit on either side goes over as ever. What was made is deleted only where the rules let a deletion do that; what was
deleted is made again from its before-image, under a new id where the system draws one. A record that was moved to another of
several objects is moved back, by the rules of any move. SPEC B2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from actors.core import several
from actors.core.actions import action_for, id_on
from actors.core.mapping import Refs, Shown, show, show_new
from actors.core.marks import PREFIX
from actors.core.merge import changed_fields, settled
from actors.core.places import delete_policy, parted
from actors.core.policy import RECORD_OBJECT, DeletePolicy, LensError, Owner, StreamSpec
from actors.core.types import (
    SIDES,
    Action,
    Binding,
    Deviation,
    FieldDecision,
    Held,
    Observation,
    Op,
    Presence,
    Side,
    State,
    other,
)
from actors.core.values import UNKNOWN, Seen, Value, same

UNDO: Final = "undo"  # the rule of every such write: what it means for the binding is told by it
UNDONE: Final = "undone"


class Undo(msgspec.Struct, frozen=True):
    """The write that takes one back; without one, `reason` says why. `left`: what of it stays all the same, and why."""

    reason: str = ""
    action: Action | None = None
    left: str = ""


Looks = Mapping[Side, Observation]


def combined(stream: StreamSpec, writes: Sequence[Action]) -> Action:
    """What a run wrote to one side of one record, oldest first, as one write: from what was there before to what it left."""
    first, last = writes[0], writes[-1]
    if not _changes(stream, last):
        return last
    before: dict[str, Value] = {}
    fields: dict[str, Value] = {}
    for one in writes:
        before.update({name: value for name, value in one.before.items() if name not in before})
        fields.update(one.fields)
    if not _changes(stream, first):  # it was made, and changed after
        return msgspec.structs.replace(first, fields=fields) if first.op is Op.CREATE else first
    return msgspec.structs.replace(last, op=Op.UPDATE, fields=fields, before=before)


def _changes(stream: StreamSpec, write: Action) -> bool:
    """Whether a write changed a record that was there; to move it to another object of its side is to change it."""
    return write.op is Op.UPDATE or several.was_move(stream, write)


def done_by(stream: StreamSpec, planned: Action) -> Action:
    """The write that a planned undo takes back, told from the undo alone."""
    if several.was_move(stream, planned):
        return msgspec.structs.replace(
            planned, op=Op.UPDATE, fields=planned.before, before=planned.fields, reason=""
        )
    taken = {Op.DELETE: Op.CREATE, Op.CREATE: Op.DELETE}.get(planned.op, Op.UPDATE)
    if planned.op is Op.UPDATE and not planned.fields:
        taken = Op.MARK
    before = planned.fields if taken is not Op.CREATE else {}
    fields = planned.before if taken is not Op.DELETE else {}
    return msgspec.structs.replace(
        planned, op=taken, fields=fields, before=before, seen_native=planned.native, reason=""
    )


def undo(stream: StreamSpec, done: Action, binding: Binding, looks: Looks, refs: Refs, run: str) -> Undo:
    """Take back one write of `run`. `looks`: fresh ones at the sides the record has."""
    unread = next((seen for seen in looks.values() if seen.problem), None)
    if unread is not None:
        return Undo(f"can't be read on {unread.side}: {unread.problem}")
    try:
        match done.op:
            case Op.UPDATE:
                return _changed(stream, done, binding, looks, refs, run)
            case Op.CREATE:
                return _made(stream, done, binding, looks, run)
            case Op.DELETE:
                return _removed(stream, done, binding, looks, refs, run)
            case _:
                return _marked(stream, done, binding, looks, run)
    except LensError as error:
        return Undo(str(error))


# ------------------------------------------------------------------------------------------------------ one by one


def _changed(stream: StreamSpec, done: Action, binding: Binding, looks: Looks, refs: Refs, run: str) -> Undo:
    side = done.side
    seen = looks.get(side)
    if seen is None or seen.presence is not Presence.PRESENT:
        return Undo(f"the record is gone on {side}")
    if side in stream.once:
        return Undo(f"what is made on {side} is written once")
    if not done.fields and not done.native:
        return Undo("its values were erased")
    if not done.fields:
        return Undo("it put back a mark, or who takes part: there is no field to take back")
    lost = _lost(stream, side, done.fields)
    if len(lost) == len(done.fields):
        return Undo(_no_more(lost))
    names = [
        n for n in done.fields if n not in lost and not same(done.before.get(n, UNKNOWN), done.fields[n])
    ]
    blind = [n for n in names if n not in done.before or stream.field(n).lines is not None]
    if blind or not names:
        return Undo(f"what was there before is not known: {', '.join(blind or done.fields)}")
    if moved := _moved(stream, done, binding, looks, names):
        return Undo(moved)
    names = [n for n in names if not same(seen.fields.get(n, UNKNOWN), done.before[n])]
    if not names:
        return Undo(f"it stands as it was before, on {side}")
    wanted = {n: done.before[n] for n in names}
    write = show(stream, side, seen.native, wanted, refs)
    decisions = tuple(_decision(binding, looks, name, value) for name, value in wanted.items())
    before = {n: seen.fields[n] for n in names}
    if several.wants_move(write):
        back = several.move(stream, binding, seen, UNDO, wanted, write, before, decisions)
        return Undo(action=_told(back, run), left=_no_more(lost))
    return _act(stream, binding, seen, Op.UPDATE, run, wanted, write, before, decisions, left=_no_more(lost))


def _lost(stream: StreamSpec, side: Side, fields: Mapping[str, Value]) -> list[str]:
    """Fields that were written, and that the rules do not keep in step any more."""
    shared = {spec.name for spec, _ in stream.shared(side)}
    return [name for name in fields if name not in shared]


def _no_more(lost: Sequence[str]) -> str:
    return f"the rules do not keep it in step any more: {', '.join(lost)}" if lost else ""


def _moved(stream: StreamSpec, done: Action, binding: Binding, looks: Looks, names: Sequence[str]) -> str:
    """Which of the fields no longer stand as the run left them, and why; "" where all do."""
    for name in names:
        for side in SIDES:
            seen = looks.get(side)
            now = seen.fields.get(name, UNKNOWN) if seen is not None else UNKNOWN
            was = settled(binding, side, name)
            back = side == done.side and same(now, done.before[name])
            if seen is not None and seen.presence is Presence.PRESENT and not same(now, was) and not back:
                return f"{name} was edited on {side} since"
        left = settled(binding, done.side, name), binding.base.get(name, UNKNOWN)
        if not any(same(value, done.fields[name]) for value in left):
            return f"{name} was written again since"
    return ""


def _made(stream: StreamSpec, done: Action, binding: Binding, looks: Looks, run: str) -> Undo:
    side, origin = done.side, other(done.side)
    seen, there = looks.get(side), looks.get(origin)
    if seen is None or seen.presence is not Presence.PRESENT:
        return Undo(f"the record is gone on {side}")
    if side in stream.once:
        return Undo(f"what is made on {side} is never removed there: it is written once")
    policy = delete_policy(stream, binding, origin)
    if policy is not DeletePolicy.REMOVE:
        return Undo(f"the rules let nothing be deleted on {side}: deletes.{origin} is {policy.value}")
    if delete_policy(stream, binding, side) is DeletePolicy.RESTORE:
        return Undo(f"what is deleted on {side} is put back there by the rules")
    if binding.state is not State.SETTLED:
        return Undo(f"the pair is not in step any more: {binding.note or binding.state.value}")
    later = [n for n, v in done.fields.items() if n in binding.base and not same(binding.base[n], v)]
    if later:
        return Undo(f"{', '.join(later)} was changed since")
    for one in (seen, there):
        if one is not None and one.presence is Presence.PRESENT:
            edited = changed_fields(stream, binding, one)
            if edited:
                return Undo(f"{', '.join(edited)} was edited on {one.side} since")
    return _act(stream, binding, seen, Op.DELETE, run, {}, Shown({}, {}), dict(seen.fields), ())


def _removed(stream: StreamSpec, done: Action, binding: Binding, looks: Looks, refs: Refs, run: str) -> Undo:
    side = done.side
    if any(seen.presence is Presence.PRESENT and seen.side == side for seen in looks.values()):
        return Undo(f"it is there on {side}")
    there = looks.get(other(side))
    if there is not None and there.presence is Presence.PRESENT:
        return Undo(f"it is there again on {there.side}: the next run that looks sees to it")
    if binding.state is not State.TOMBSTONE or not done.before:
        return Undo("what it held is not known")
    lost = _lost(stream, side, done.before)
    held = {name: value for name, value in done.before.items() if name not in lost}
    write = _in_its_object(stream, done, show_new(stream, side, held, refs))
    own = {path: value for path, value in done.seen_native.items() if path in _own(stream, side)}
    write = Shown({**{p: v for p, v in own.items() if v is not None}, **write.native}, write.shown)
    decisions = tuple(_decision(binding, looks, name, value) for name, value in held.items())
    left = _no_more([name for name in lost if done.before[name] is not None])
    return _act(stream, binding, None, Op.CREATE, run, held, write, {}, decisions, side=side, left=left)


def _in_its_object(stream: StreamSpec, done: Action, write: Shown) -> Shown:
    """What was deleted in one of several objects is made again in that one."""
    if done.side != stream.several:
        return write
    stood = done.seen_native.get(RECORD_OBJECT) or parted(stream, done.side, done.target)[0]
    return Shown({**write.native, RECORD_OBJECT: stood}, write.shown)


def _own(stream: StreamSpec, side: Side) -> frozenset[str]:
    """The native paths of a side's own fields."""
    places = (spec.side(side) for spec in stream.fields if spec.owner is Owner.LOCAL)
    return frozenset(path for place in places if place is not None for path in place.paths)


def _marked(stream: StreamSpec, done: Action, binding: Binding, looks: Looks, run: str) -> Undo:
    side = done.side
    held, seen = binding.side(side), looks.get(side)
    if held is None or seen is None or seen.presence is not Presence.PRESENT:
        return Undo(f"the record is gone on {side}")
    back = {n.removeprefix(PREFIX): d.value for n, d in held.dev.items() if n.startswith(PREFIX)}
    if not back:
        return Undo("what the mark replaced is not known")
    marks = stream.mark.get(side, {})
    if any(not same(seen.native.get(path, UNKNOWN), marks.get(path, UNKNOWN)) for path in back):
        return Undo(f"the mark was changed on {side} since")
    return _act(stream, binding, seen, Op.UPDATE, run, {}, Shown(back, {}), {}, ())


# -------------------------------------------------------------------------------------------------- the write itself


def _act(
    stream: StreamSpec,
    binding: Binding,
    seen: Observation | None,
    op: Op,
    run: str,
    fields: Mapping[str, Value],
    write: Shown,
    before: Mapping[str, Value],
    decisions: tuple[FieldDecision, ...],
    *,
    side: Side | None = None,
    left: str = "",
) -> Undo:
    where = side or (seen.side if seen is not None else "a")
    origin = id_on(binding, other(where))
    one = action_for(
        stream, binding, where, op, UNDO, fields, write, before, decisions, origin=origin, seen=seen
    )
    return Undo(action=_told(one, run), left=left)


def _told(action: Action, run: str) -> Action:
    return msgspec.structs.replace(action, rule=UNDO, reason=f"{UNDO} of run {run}")


def _decision(binding: Binding, looks: Looks, name: str, value: Value) -> FieldDecision:
    now = {side: looks[side].fields.get(name, UNKNOWN) if side in looks else UNKNOWN for side in SIDES}
    values: dict[str, Seen] = {"base": binding.base.get(name, UNKNOWN), "a": now["a"], "b": now["b"]}
    return FieldDecision(
        name,
        UNDO,
        value,
        unknown=tuple(place for place, one in values.items() if one is UNKNOWN),
        **{place: None if one is UNKNOWN else one for place, one in values.items()},
    )


# ------------------------------------------------------------------------------------------------------- afterwards


def settled_after(
    stream: StreamSpec, before: Binding, after: Binding, action: Action, still_open: Sequence[str]
) -> Binding:
    """The binding after an undo took effect. `before`, `after`: as it was, and as any other such write would leave it."""
    side = action.side
    if not _changes(stream, action):
        note = f"{UNDONE}: made again on {side}" if action.op is Op.CREATE else action.reason
        return msgspec.structs.replace(after, state=State.TOMBSTONE, note=note)
    base = dict(after.base)
    devs: dict[Side, dict[str, Deviation]] = {}
    for one in SIDES:
        held = after.side(one)
        devs[one] = dict(held.dev) if held is not None else {}
    for name, value in action.fields.items():
        if name in still_open:
            continue
        shown = devs[side].pop(name, Deviation(value, UNDONE)).value
        agreed = before.base.get(name, UNKNOWN)
        theirs = before.side(other(side))
        if theirs is not None and name in theirs.dev:
            devs[other(side)][name] = theirs.dev[name]
        base.pop(name, None)
        if agreed is not UNKNOWN:
            base[name] = agreed
        if not same(shown, agreed):
            devs[side][name] = Deviation(shown, UNDONE)
    state = State.TOMBSTONE if before.state is State.TOMBSTONE else after.state
    note = before.note if state is State.TOMBSTONE else after.note
    return msgspec.structs.replace(
        after, base=base, a=_with(after.a, devs["a"]), b=_with(after.b, devs["b"]), state=state, note=note
    )


def _with(held: Held | None, dev: Mapping[str, Deviation]) -> Held | None:
    return msgspec.structs.replace(held, dev=dict(dev)) if held is not None else None
