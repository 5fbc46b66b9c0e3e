"""What to do about a pair of which one record is gone: the policy decides, and an edit is never lost with it. Pure."""

from __future__ import annotations

import msgspec

from actors.core import gates, initial, match
from actors.core.actions import action_for, id_on, note_line
from actors.core.mapping import Shown, shared
from actors.core.merge import changed_fields
from actors.core.own_values import kept_for
from actors.core.owners import owner_of, owning_side
from actors.core.places import delete_policy
from actors.core.policy import MERGES, DeleteEdit, DeletePolicy, StreamSpec
from actors.core.rooms import delete_print, deleted_edited, not_delivered, perhaps_merged, still_referred
from actors.core.stream_rules import OnMerge
from actors.core.types import ActionState, Binding, Held, Observation, Op, Presence, Room, State, other
from actors.core.values import same
from actors.core.verdict import (
    REPLACED,
    RESTORE,
    UNSEEN_AGAIN_S,
    Context,
    Verdict,
    chosen,
    in_state,
    presence_of,
    tombstone,
    tried,
)


def plan_gone(
    stream: StreamSpec, binding: Binding, gone: Observation, left: Observation, ctx: Context
) -> Verdict:
    """Deleted on one side: the policy decides; an edit on the other side since then is never lost with it."""
    side = gone.side
    was = binding.side(side)
    assert was is not None
    known = was.presence is Presence.DELETED
    after = presence_of(binding, *((gone, left) if side == "a" else (left, gone)))
    if after.state is State.GONE:
        after = in_state(after, State.SETTLED, initial.noted(after, ""))
    if gates.SHUT in binding.note and binding.state is State.TOMBSTONE and not known:
        return Verdict(tombstone(after, f"{binding.note}; deleted on {side}"))  # nothing passes
    policy = delete_policy(stream, binding, side)
    edited = bool(changed_fields(stream, binding, left))
    before = binding.side(left.side)
    was_gone = before is not None and before.presence is Presence.DELETED
    if binding.state is State.TOMBSTONE and (was_gone or f"{REPLACED}{left.side}" in binding.note):
        is_same = was_gone and left.side not in ctx.reused
        return _back(stream, after, gone, left, restores=policy is DeletePolicy.RESTORE and is_same)
    if binding.state is State.TOMBSTONE and known:
        anew = gates.tombstone_at(stream, after, left)
        if anew is not None:
            return Verdict(anew[0], items=anew[1])
    if binding.state is State.TOMBSTONE and known and policy is not DeletePolicy.RESTORE:
        return Verdict(after)
    if policy is DeletePolicy.IGNORE:
        note = f"deleted on {side}, left on {left.side}"
        item = note_line(stream, binding, left.side, gone.id, "deletes: ignore", note, ActionState.CONFIRMED)
        return Verdict(tombstone(after, note), items=(item,))
    choice = chosen(ctx.parked, "*delete*", delete_print(binding, left))
    if ctx.survivor is not None:
        merged = _merged(stream, after, gone, left, ctx, choice, policy, edited)
        if merged is not None:
            return merged
    owners = (owner_of(spec, binding.base, bound=True) for spec in shared(stream, side))
    read_only = all(owning_side(owner) == side for owner in owners)
    if choice in ("restore", left.side) and read_only:
        choice = None  # not even on a person's word is anything written there
    if edited and policy is not DeletePolicy.RESTORE and choice is None:
        if stream.delete_vs_edit is DeleteEdit.KEEP:
            return Verdict(after, park=(deleted_edited(stream, binding, gone, left, read_only),))
        choice = "restore" if stream.delete_vs_edit is DeleteEdit.RESTORE else "remove"
    if policy is DeletePolicy.RESTORE or choice in ("restore", left.side):
        return _restore(stream, after, gone, left)
    if choice == "keep":
        return Verdict(tombstone(after, f"deleted on {side}, kept on {left.side}"))
    if policy is DeletePolicy.MARK:
        return mark(stream, after, left, f"deleted on {side}, marked on {left.side}")
    return _remove(stream, binding, after, left, ctx)


def _merged(
    stream: StreamSpec,
    after: Binding,
    gone: Observation,
    left: Observation,
    ctx: Context,
    choice: str | None,
    policy: DeletePolicy,
    edited: bool,
) -> Verdict | None:
    """It may have been merged into another record of its side: its partner is neither deleted nor marked, nor is it put
    back, unless the rule or a person says so. None: it is a deletion like any other."""
    assert ctx.survivor is not None
    if choice == "remove":  # merged there too
        return _referred(stream, after, left, ctx) or _remove(stream, after, after, left, ctx)
    if choice not in (None, "keep") or stream.on_merge is OnMerge.DELETE:
        return None
    if stream.on_merge is OnMerge.KEEP or choice == "keep":
        note = f"merged into {ctx.survivor[0]} on {gone.side}, kept on {left.side}"
        item = note_line(stream, after, left.side, gone.id, "on_merge: keep", note, ActionState.CONFIRMED)
        return Verdict(tombstone(after, note), items=(item,))
    known = ctx.referring is not None and not edited and policy is not DeletePolicy.RESTORE
    if stream.on_merge is OnMerge.FOLLOW and known:
        return _followed(stream, after, left, ctx, policy)
    return Verdict(after, park=(perhaps_merged(stream, after, gone, left, ctx.survivor),))


def _followed(
    stream: StreamSpec, after: Binding, left: Observation, ctx: Context, policy: DeletePolicy
) -> Verdict:
    """What was merged there is merged here too: once nothing refers to it any more it goes as any deletion would, but each
    on a yes (it spends of a budget of nothing, core/guard.py)."""
    assert ctx.survivor is not None
    waits = _referred(stream, after, left, ctx)
    if waits is not None:
        return waits
    note = f"merged into {ctx.survivor[0]} on {other(left.side)}"
    if policy is DeletePolicy.MARK:
        found = mark(stream, after, left, f"{note}, marked on {left.side}")
    else:
        found = _remove(stream, after, after, left, ctx)
    rule = "on_merge: follow"
    actions = [
        msgspec.structs.replace(one, rule=rule, reason=note, kinds=(*one.kinds, MERGES))
        for one in found.actions
    ]
    return msgspec.structs.replace(found, actions=tuple(actions))


def _referred(stream: StreamSpec, after: Binding, left: Observation, ctx: Context) -> Verdict | None:
    """Nothing goes while others refer to it, and a person's word stands meanwhile: they are led to the survivor by the rules
    of their own streams, or by hand. None: none of them does, or it is not to be known."""
    if not ctx.referring:
        return None
    assert ctx.survivor is not None
    row = still_referred(stream, after, left, ctx.survivor[0], ctx.referring)
    said = [one for one in ctx.parked if one.room is Room.CONFLICT and one.field == row.field]
    return Verdict(after, park=(row, *said), again_s=UNSEEN_AGAIN_S)


def _remove(stream: StreamSpec, binding: Binding, after: Binding, left: Observation, ctx: Context) -> Verdict:
    """Delete what is left, from a look that brought every shared field: nothing is deleted unseen."""
    unseen = [f"{left.side}.{one.name}" for one in shared(stream, left.side) if one.name not in left.fields]
    if unseen:  # what it holds there may be an edit; a person's word about the record stands meanwhile
        said = [row for row in ctx.parked if row.room is Room.CONFLICT and row.field == "*delete*"]
        park = (*not_delivered(stream, binding, left, unseen), *said)
        return Verdict(after, park=park, again_s=UNSEEN_AGAIN_S)
    reason = f"deleted on {other(left.side)}"
    action = action_for(
        stream,
        after,
        left.side,
        Op.DELETE,
        "deletes: remove",
        {},
        Shown({}, {}),
        dict(left.fields),
        (),
        origin=id_on(after, other(left.side)),
        seen=left,
        reason=reason,
    )
    return tried(after, (action,), (), ctx)


def mark(stream: StreamSpec, after: Binding, left: Observation, note: str) -> Verdict:
    """Mark what is left, once; `note` says why."""
    marks = stream.mark.get(left.side, {})
    if all(same(left.native.get(path), value) for path, value in marks.items()):
        return Verdict(tombstone(after, note))
    write = Shown(native=dict(marks), shown={})
    action = action_for(
        stream,
        after,
        left.side,
        Op.MARK,
        "deletes: mark",
        {},
        write,
        {},
        (),
        origin=id_on(after, other(left.side)),
        seen=left,
        reason=note,
    )
    return Verdict(after, (action,))


def _back(
    stream: StreamSpec, after: Binding, gone: Observation, left: Observation, restores: bool
) -> Verdict:
    """Deleted on both sides, and one is back under its id: perhaps another record. It starts anew as a newcomer.

    `restores`: it is the same record, and what was deleted on the other side is to be put back there; that had to wait
    for somebody to put back.
    """
    half = in_state(after, State.NEW, RESTORE if restores else "")
    half = msgspec.structs.replace(half, base={}, map_ver=stream.map_ver)
    held, was = Held(id=left.id, version=left.version), after.side(gone.side)
    if restores and was is not None:
        held = kept_for(was, held)
    half = msgspec.structs.replace(
        half, a=held if left.side == "a" else None, b=held if left.side == "b" else None
    )
    reason = f"was deleted on both sides and is back on {left.side}"
    item = note_line(stream, after, left.side, gone.id, "back", reason, ActionState.CONFIRMED)
    return Verdict(msgspec.structs.replace(half, keys=match.keys(stream, left.fields)), items=(item,))


def _restore(stream: StreamSpec, after: Binding, gone: Observation, left: Observation) -> Verdict:
    """Put it back: what is left becomes a newcomer again, so that it is matched (somebody may have made the record
    anew there) and created by the one way in which records are created."""
    half = in_state(after, State.NEW, RESTORE)
    was, stays = after.side(gone.side), after.side(left.side)
    assert was is not None and stays is not None
    stays = kept_for(was, stays)
    half = msgspec.structs.replace(
        half, a=None if gone.side == "a" else stays, b=None if gone.side == "b" else stays
    )
    reason = f"deleted on {gone.side}, to be put back"
    item = note_line(stream, after, gone.side, left.id, "deletes: restore", reason, ActionState.CONFIRMED)
    return Verdict(half, items=(item,))
