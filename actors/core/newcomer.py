"""What to do about a record without a partner: noted, created on the other side, or why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.core import effects, initial, match, own_values, several, units
from actors.core.actions import NEW_ON, action_for, note_line
from actors.core.documents import never_imported, staged
from actors.core.gates import admitted, is_held_back
from actors.core.mapping import Shown, begun, shared, show_new
from actors.core.merge import changed_fields
from actors.core.owners import owner_of, owning_side
from actors.core.places import may_create
from actors.core.policy import INITIAL_CREATES, LensError, StreamSpec
from actors.core.rooms import OUTCOME, not_delivered, unreadable, waits
from actors.core.types import ActionState, Binding, Held, Observation, Op, Presence, Side, State, other
from actors.core.values import Value, is_blank, same
from actors.core.verdict import (
    RESTORE,
    UNSEEN_AGAIN_S,
    Context,
    Verdict,
    in_state,
    newcomer_state,
    tried,
)

NOT_FROM_THERE = "new on {side}, and the blueprint lets no record be created from there"


def may_now(stream: StreamSpec, half: Binding, seen: Observation) -> bool:
    """Whether a record that the blueprint let nobody be made from may go by now: it, or the rules, changed."""
    return half.note == NOT_FROM_THERE.format(side=seen.side) and may_create(stream, seen)


def plan_new(stream: StreamSpec, half: Binding, seen: Observation, ctx: Context) -> Verdict:
    """Plan a half binding that matches nobody: create it on the other side, or say why not."""
    side, target = seen.side, other(seen.side)
    if several.is_left(half):
        return several.plan_left(stream, half, seen, ctx)
    if seen.presence is not Presence.PRESENT:
        return _gone(stream, half, seen, ctx)
    if seen.problem:
        rests = initial.left(stream, half, seen)  # nothing is done about it, and a person need not be told
        return Verdict(rests) if rests is not None else Verdict(half, park=(unreadable(stream, half, seen),))
    unclear = next((row for row in ctx.parked if row.field == OUTCOME), None)
    if unclear is not None and (unclear.decision or {}).get("choose") != "retry":
        return Verdict(half, park=(unclear,))  # it may be there, whatever this record was edited to since
    restore = RESTORE in half.note
    held_back = admitted(stream, half, seen, half.note, loaded=True)
    if held_back != half or is_held_back(half.note):
        # It no longer takes part, or never did; a person may have been shown it.
        return Verdict(held_back, items=never_imported(stream, half, seen, ctx.parked))
    if not may_create(stream, seen) and not restore:
        reason = NOT_FROM_THERE.format(side=side)
        item = note_line(stream, half, target, seen.id, "creates", reason, ActionState.PARKED)
        return Verdict(in_state(half, State.HELD_BACK, reason), items=(item,))
    if (left := initial.left(stream, half, seen)) is not None:
        return Verdict(left)
    if ctx.lacks:
        return Verdict(half, park=(waits(stream, half, seen, "; ".join(ctx.lacks)),))
    half = _with_own_values(stream, half, seen)
    wanted = _told(stream, half, seen, restore)
    unknown = _unseen(stream, half, seen)
    if unknown:
        park = tuple(not_delivered(stream, half, seen, unknown))
        return Verdict(half, park=park, again_s=UNSEEN_AGAIN_S)
    if missing := _missing(stream, seen, wanted):
        return Verdict(half, park=(waits(stream, half, seen, f"needs {', '.join(missing)}"),))
    odd = units.unagreed(stream, half, seen) if stream.with_lines else None
    if odd is not None:
        return Verdict(half, park=(odd,), again_s=UNSEEN_AGAIN_S)
    try:
        write = show_new(stream, target, wanted, ctx.refs)
        # What is made again has what it held for itself; it does not begin once more.
        again = Shown({**_own_values(half, side), **write.native}, write.shown)
        write = several.placed(stream, target, again if restore else begun(stream, target, write))
    except LensError as error:
        return Verdict(half, park=(waits(stream, half, seen, str(error)),))
    line = None if restore else staged(stream, half, seen, wanted, ctx.parked, ctx.just_staged)
    if line is not None:
        return Verdict(half, park=(line,))
    rule = NEW_ON.format(side=side)
    action = action_for(stream, half, target, Op.CREATE, rule, wanted, write, {}, (), origin=seen.id)
    if initial.ASKED in half.note:
        action = msgspec.structs.replace(action, kinds=(*action.kinds, INITIAL_CREATES))
    return tried(half, (action,), (), ctx)


def _missing(stream: StreamSpec, seen: Observation, wanted: Mapping[str, Value]) -> list[str]:
    """Fields that have to be filled, of those that the other side is told: with what it is told, as what is put back may be
    told what was agreed on, whatever its own side shows."""
    empty = [one.name for one in stream.fields if one.required and is_blank(wanted.get(one.name))]
    return [name for name in empty if _is_told(stream, name, seen.fields, other(seen.side))]


def _unseen(stream: StreamSpec, half: Binding, seen: Observation) -> list[str]:
    """Shared fields that were not delivered. An attachment that was never agreed on may still be on its way: it keeps nobody
    waiting, and follows."""
    side = seen.side
    lacks = (spec for spec in shared(stream, side) if spec.name not in seen.fields)
    return [f"{side}.{spec.name}" for spec in lacks if not spec.attachment or spec.name in half.base]


def _gone(stream: StreamSpec, half: Binding, seen: Observation, ctx: Context) -> Verdict:
    """A new record that is gone again leaves nothing; but what was to be put back, or is due with its document, waits: its
    record may only have been hidden."""
    if effects.is_due(stream, half):
        row = effects.without_record(stream, half, seen)
        if not effects.is_dismissed(ctx.parked, row):
            return Verdict(half, park=(row,))
        reason = f"dismissed by a person: {effects.GONE}"
        there = other(seen.side)
        item = note_line(stream, half, there, seen.id, "effects: dismissed", reason, ActionState.CONFIRMED)
        return Verdict(half, drop=True, items=(item,))
    if RESTORE not in half.note or seen.side in ctx.reused:
        return Verdict(half, drop=True, items=never_imported(stream, half, seen, ctx.parked))
    held = half.side(seen.side)
    assert held is not None
    now = msgspec.structs.replace(held, presence=seen.presence)
    half = in_state(half, State.TOMBSTONE, RESTORE)
    half = msgspec.structs.replace(half, keys=tuple(0 for _ in half.keys))
    return Verdict(half.with_side(seen.side, now))


def is_to_be_put_back(half: Binding) -> bool:
    """Whether it stands for a record that was to be put back, and was gone itself: seen again, it goes on as a newcomer."""
    return half.state is State.TOMBSTONE and RESTORE in half.note


def seen_again(stream: StreamSpec, half: Binding, seen: Observation) -> Binding:
    """The newcomer that it is once more."""
    held = half.side(seen.side)
    assert held is not None
    now = msgspec.structs.replace(held, presence=seen.presence, version=seen.version)
    half = in_state(half, newcomer_state(stream, seen), half.note)
    half = msgspec.structs.replace(half, keys=match.keys(stream, seen.fields), rev=half.rev + 1)
    return half.with_side(seen.side, now)


def _with_own_values(stream: StreamSpec, half: Binding, seen: Observation) -> Binding:
    held = half.side(seen.side)
    assert held is not None
    now = own_values.remembered(stream, held, seen)
    return half.with_side(seen.side, now)


def _own_values(half: Binding, side: Side) -> Mapping[str, Value]:
    """What the record that is made again held for itself."""
    held = half.side(side)
    return own_values.to_put_back(held) if held is not None else {}


def half_binding(stream: StreamSpec, seen: Observation, seen_gen: int) -> Binding:
    """A half binding for a record seen for the first time."""
    held = Held(id=seen.id, version=seen.version, seen_gen=seen_gen)
    return Binding(
        stream=stream.name,
        state=newcomer_state(stream, seen),
        a=held if seen.side == "a" else None,
        b=held if seen.side == "b" else None,
        keys=match.keys(stream, seen.fields),
        map_ver=stream.map_ver,
        rev=1,
    )


def _told(stream: StreamSpec, half: Binding, seen: Observation, restore: bool) -> dict[str, Value]:
    """What a create tells the other side; for a record that is put back, also what that side itself had decided."""
    held = half.side(seen.side)
    assert held is not None
    values = {**half.base, **seen.fields} if not held.dev else _with_edits(stream, half, held, seen)
    target = other(seen.side)
    told = stream.kept_on(target)
    return {
        n: v for n, v in values.items() if n in told and (restore or _is_told(stream, n, seen.fields, target))
    }


def _with_edits(stream: StreamSpec, half: Binding, held: Held, seen: Observation) -> dict[str, Value]:
    """What was agreed, and over it what this side has edited since, where it deviated from that."""
    values = dict(half.base)
    # A group of which a member was edited since is told as it stands there, as a whole, and so are lines and what they add
    # up to; so is an attachment: what was agreed is a description, and its content went with the record.
    fresh = [*changed_fields(stream, half, seen), *(spec.name for spec in stream.attached)]
    own = {
        name
        for name, value in seen.fields.items()
        if name not in held.dev
        or not same(held.dev[name].value, value)
        or name not in values
        # What was written in part only was agreed on by nobody: what stands there is all that is left of it.
        or units.is_begun(half, seen.side, name)
    }
    fresh.extend(name for names in units.added_up(stream) if own & names for name in names)
    moved = {stream.field(name).unit for name in fresh}
    for name, value in seen.fields.items():
        if name in own or stream.field(name).unit in moved:
            values[name] = value
    return values


def _is_told(stream: StreamSpec, name: str, fields: Mapping[str, Value], target: Side) -> bool:
    # What the target owns (a number it draws) is not told to it; it comes back from there.
    return owning_side(owner_of(stream.field(name), fields, bound=False)) != target
