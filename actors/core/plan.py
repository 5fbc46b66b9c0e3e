"""What to do about one pair of records: the planner. A pure function of (binding, A, B, rules, decisions, now).

Order (DESIGN section 4): stale observations were dropped by `fresh`; unknown is no change; a side changed iff it
differs from its own settled value; groups as one; tombstones before creates; merge by owner first, conflict rule
second; contested fields to the list. Matching, budgets and open creates are decided over sets, by the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core import match
from actors.core.actions import action_for, decided_by_origin, id_on, note_line
from actors.core.contests import is_contested
from actors.core.mapping import NO_REFS, Refs, Shown, shared, show
from actors.core.marks import outlived, put_back
from actors.core.merge import DECIDED, Merged, changed_fields, merge
from actors.core.policy import DeleteEdit, DeletePolicy, LensError, Owner, StreamSpec
from actors.core.rooms import (
    OUTCOME,
    bare_units,
    contested,
    delete_print,
    deleted_edited,
    disputed,
    emptied,
    not_delivered,
    unreadable,
    waits,
)
from actors.core.types import (
    SIDES,
    Action,
    ActionState,
    Binding,
    Deviation,
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
from actors.core.values import Value, is_blank, same

UNSEEN_AGAIN_S = 10.0
RESTORE = "deleted on the other side, to be put back"


class Context(msgspec.Struct, frozen=True):
    """What the planner must know besides the pair: wall clock, breaker, what is parked for this binding, references."""

    now: float
    breaker: int = 20
    parked: tuple[Parked, ...] = ()
    refs: Refs = NO_REFS


class Verdict(msgspec.Struct, frozen=True):
    """What is to be done about one pair.

    `binding`: with everything adopted that needs no write (`rev` is left as stored: the window counts it up).
    `actions`: writes, at most one per side. `park`: every reason why the record waits now; rooms not named here are
    left. `items`: protocol lines without a write. `drop`: the half binding is of no use any more. `again_s`: look again
    after so long, though nothing may have changed (0: no need).
    """

    binding: Binding
    actions: tuple[Action, ...] = ()
    park: tuple[Parked, ...] = ()
    items: tuple[Action, ...] = ()
    drop: bool = False
    again_s: float = 0.0


def fresh(seen: Observation, wrote: float | None, read_lag_s: float) -> bool:
    """Fresh eyes: an observation asked for before our own last write (plus the system's lag) proves nothing."""
    return wrote is None or seen.asked > wrote + read_lag_s


def differs(stream: StreamSpec, binding: Binding, seen: Observation) -> bool:
    """Whether a look shows anything new, so that the other side must be looked at before anything is planned."""
    held = binding.side(seen.side)
    if held is None or binding.state is State.MATCHED or seen.problem:
        return True
    if held.presence is not seen.presence:
        return True
    return seen.presence is Presence.PRESENT and bool(changed_fields(stream, binding, seen))


def plan_pair(stream: StreamSpec, binding: Binding, a: Observation, b: Observation, ctx: Context) -> Verdict:
    """Plan a full binding from fresh looks at both sides."""
    assert binding.a is not None and binding.b is not None
    for seen in (a, b):
        if seen.problem:
            return Verdict(binding, park=(unreadable(stream, binding, seen),))
    if {a.presence, b.presence} - {Presence.PRESENT, Presence.DELETED}:
        return Verdict(binding)  # out of scope or not seen is no deletion, and nothing to merge
    if a.presence is Presence.PRESENT and b.presence is Presence.PRESENT:
        return _both_present(stream, _presence(binding, a, b), a, b, ctx)
    if a.presence is not Presence.PRESENT and b.presence is not Presence.PRESENT:
        return Verdict(_tombstone(_presence(binding, a, b), "deleted on both sides"))
    gone, left = (a, b) if a.presence is not Presence.PRESENT else (b, a)
    return _one_gone(stream, binding, gone, left, ctx)


def plan_new(stream: StreamSpec, half: Binding, seen: Observation, ctx: Context) -> Verdict:
    """Plan a half binding that matches nobody: create it on the other side, or say why not."""
    side, target = seen.side, other(seen.side)
    if seen.presence is not Presence.PRESENT:
        return Verdict(half, drop=True)
    if seen.problem:
        return Verdict(half, park=(unreadable(stream, half, seen),))
    unclear = next((row for row in ctx.parked if row.field == OUTCOME), None)
    if unclear is not None and (unclear.decision or {}).get("choose") != "retry":
        return Verdict(half, park=(unclear,))  # it may be there, whatever this record was edited to since
    restore = RESTORE in half.note
    if side not in stream.creates and not restore:
        reason = f"new on {side}, and the blueprint lets no record be created from there"
        item = note_line(stream, half, target, seen.id, "creates", reason, ActionState.PARKED)
        return Verdict(_state(half, State.HELD_BACK, reason), items=(item,))
    wanted = _told(stream, half, seen, restore)
    unknown = [f"{side}.{spec.name}" for spec in shared(stream, side) if spec.name not in seen.fields]
    if unknown:
        park = tuple(not_delivered(stream, half, seen, unknown))
        return Verdict(half, park=park, again_s=UNSEEN_AGAIN_S)
    missing = [
        s.name
        for s in stream.fields
        if s.required and s.owner.value != target and is_blank(seen.fields.get(s.name))
    ]
    if missing:
        return Verdict(half, park=(waits(stream, half, seen, f"needs {', '.join(missing)}"),))
    try:
        write = show(stream, target, {}, {n: v for n, v in wanted.items() if v is not None}, ctx.refs)
    except LensError as error:
        return Verdict(half, park=(waits(stream, half, seen, str(error)),))
    decisions = tuple(decided_by_origin(n, v, side) for n, v in wanted.items())
    action = action_for(
        stream, half, target, Op.CREATE, f"new on {side}", wanted, write, {}, decisions, origin=seen.id
    )
    return _tried(half, (action,), (), ctx)


def adopt_keys(stream: StreamSpec, binding: Binding, fields: Mapping[str, Value]) -> Binding:
    """The binding with its match keys brought up to date from `fields`."""
    return msgspec.structs.replace(binding, keys=match.keys(stream, fields))


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


def newcomer_state(stream: StreamSpec, seen: Observation) -> State:
    """NEW, or UNSURE while a match key is not delivered (what can't be read at all is parked when it is planned)."""
    return State.UNSURE if match.undelivered(stream, seen.fields) and not seen.problem else State.NEW


# ------------------------------------------------------------------------------------------ both sides are there


def _both_present(
    stream: StreamSpec, binding: Binding, a: Observation, b: Observation, ctx: Context
) -> Verdict:
    merged = merge(stream, binding, a, b, _said(ctx.parked))
    adopted = outlived(stream, _adopt(stream, binding, merged, a, b), a, b)
    park = [disputed(stream, binding, dispute) for dispute in merged.disputes]
    park.extend(not_delivered(stream, binding, a, merged.unseen))
    actions: list[Action] = []
    for seen in (a, b):
        wanted = merged.writes[seen.side]
        action: Action | None = None
        try:
            if wanted:
                hot = _contested_units(stream, adopted, seen.side, merged, ctx)
                park.extend(contested(stream, adopted, (a, b), seen.side, hot, ctx.breaker))
                park.extend(emptied(stream, binding, b if seen is a else a, wanted))
                bare = bare_units(stream, wanted)
                wanted = {n: v for n, v in wanted.items() if stream.field(n).unit not in {*hot, *bare}}
                adopted, action = _write(stream, adopted, seen, wanted, merged, ctx)
        except LensError as error:
            park.append(waits(stream, binding, seen, str(error)))
            return Verdict(adopted, park=tuple(park))
        action = put_back(stream, adopted, seen, action)
        if action is not None:
            actions.append(action)
    verdict = _tried(adopted, tuple(actions), tuple(park), ctx)
    return msgspec.structs.replace(verdict, again_s=UNSEEN_AGAIN_S if merged.unseen else 0.0)


def _write(
    stream: StreamSpec,
    binding: Binding,
    seen: Observation,
    wanted: Mapping[str, Value],
    merged: Merged,
    ctx: Context,
) -> tuple[Binding, Action | None]:
    """The update of one side; fields that side can't show better than it does settle as lossy deviations."""
    side = seen.side
    write = show(stream, side, seen.native, wanted, ctx.refs)
    elsewhere = merged.writes[other(side)]
    as_good = [
        n
        for n, v in wanted.items()
        if n not in elsewhere and same(write.shown[n], seen.fields.get(n)) and not same(v, write.shown[n])
    ]
    for name in as_good:
        binding = _settle_field(binding, side, name, wanted[name], Deviation(write.shown[name], "lossy"))
    wanted = {n: v for n, v in wanted.items() if n not in as_good}
    if not wanted:
        return binding, None
    rules = sorted({d.rule for d in merged.decisions if d.field in wanted})
    decisions = tuple(d for d in merged.decisions if d.field in wanted)
    before = {n: seen.fields[n] for n in wanted if n in seen.fields}
    held = binding.side(other(side))
    action = action_for(
        stream,
        binding,
        side,
        Op.UPDATE,
        "; ".join(rules),
        wanted,
        write,
        before,
        decisions,
        origin=held.id if held else "",
        seen=seen,
    )
    return binding, action


def _adopt(stream: StreamSpec, binding: Binding, merged: Merged, a: Observation, b: Observation) -> Binding:
    for name, value in merged.agreed.items():
        binding = _settle_field(binding, None, name, value, None)
    state = State.SETTLED if binding.state in (State.MATCHED, State.TOMBSTONE) else binding.state
    binding = msgspec.structs.replace(binding, state=state, map_ver=stream.map_ver, note="")
    known = {**b.fields, **a.fields, **binding.base}
    return adopt_keys(stream, binding, known)


def _settle_field(
    binding: Binding, side: Side | None, name: str, value: Value, dev: Deviation | None
) -> Binding:
    """Both sides are settled on `value`; `side` (if given) shows it as `dev`."""
    held: dict[Side, Held | None] = {"a": binding.a, "b": binding.b}
    for each in SIDES:
        one = held[each]
        if one is None:
            continue
        devs = {n: d for n, d in one.dev.items() if n != name}
        if each == side and dev is not None:
            devs[name] = dev
        if devs != one.dev:
            held[each] = msgspec.structs.replace(one, dev=devs)
    return msgspec.structs.replace(binding, base={**binding.base, name: value}, a=held["a"], b=held["b"])


# --------------------------------------------------------------------------------------------- one side is gone


def _one_gone(
    stream: StreamSpec, binding: Binding, gone: Observation, left: Observation, ctx: Context
) -> Verdict:
    """Deleted on one side: the policy decides; an edit on the other side since then is never lost with it."""
    side = gone.side
    was = binding.side(side)
    assert was is not None
    known = was.presence is Presence.DELETED
    after = _presence(binding, *((gone, left) if side == "a" else (left, gone)))
    policy = stream.deletes[side]
    edited = bool(changed_fields(stream, binding, left))
    before = binding.side(left.side)
    if binding.state is State.TOMBSTONE and before is not None and before.presence is Presence.DELETED:
        return _back(stream, after, gone, left)
    if binding.state is State.TOMBSTONE and known and policy is not DeletePolicy.RESTORE:
        return Verdict(after)
    if policy is DeletePolicy.IGNORE:
        note = f"deleted on {side}, left on {left.side}"
        item = note_line(stream, binding, left.side, gone.id, "deletes: ignore", note, ActionState.CONFIRMED)
        return Verdict(_tombstone(after, note), items=(item,))
    choice = _chosen(ctx.parked, "*delete*", delete_print(binding, left))
    read_only = all(spec.owner.value == side for spec in shared(stream, side))
    if choice in ("restore", left.side) and read_only:
        choice = None  # not even on a person's word is anything written there
    if edited and policy is not DeletePolicy.RESTORE and choice is None:
        if stream.delete_vs_edit is DeleteEdit.KEEP:
            return Verdict(after, park=(deleted_edited(stream, binding, gone, left, read_only),))
        choice = "restore" if stream.delete_vs_edit is DeleteEdit.RESTORE else "remove"
    if policy is DeletePolicy.RESTORE or choice in ("restore", left.side):
        return _restore(stream, after, gone, left)
    if choice == "keep":
        return Verdict(_tombstone(after, f"deleted on {side}, kept on {left.side}"))
    if policy is DeletePolicy.MARK:
        return _mark(stream, binding, after, left)
    return _remove(stream, binding, after, left, ctx)


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
    return _tried(after, (action,), (), ctx)


def _mark(stream: StreamSpec, binding: Binding, after: Binding, left: Observation) -> Verdict:
    marks = stream.mark.get(left.side, {})
    note = f"deleted on {other(left.side)}, marked on {left.side}"
    if all(same(left.native.get(path), value) for path, value in marks.items()):
        return Verdict(_tombstone(after, note))
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


def _back(stream: StreamSpec, after: Binding, gone: Observation, left: Observation) -> Verdict:
    """Deleted on both sides, and one is back under its id: perhaps another record. It starts anew as a newcomer."""
    half = msgspec.structs.replace(_state(after, State.NEW, ""), base={}, map_ver=stream.map_ver)
    held = Held(id=left.id, version=left.version)
    half = msgspec.structs.replace(
        half, a=held if left.side == "a" else None, b=held if left.side == "b" else None
    )
    reason = f"was deleted on both sides and is back on {left.side}"
    item = note_line(stream, after, left.side, gone.id, "back", reason, ActionState.CONFIRMED)
    return Verdict(adopt_keys(stream, half, left.fields), items=(item,))


def _restore(stream: StreamSpec, after: Binding, gone: Observation, left: Observation) -> Verdict:
    """Put it back: what is left becomes a newcomer again, so that it is matched (somebody may have made the record
    anew there) and created by the one way in which records are created."""
    half = _state(after, State.NEW, RESTORE)
    half = (
        msgspec.structs.replace(half, a=None) if gone.side == "a" else msgspec.structs.replace(half, b=None)
    )
    reason = f"deleted on {gone.side}, to be put back"
    item = note_line(stream, after, gone.side, left.id, "deletes: restore", reason, ActionState.CONFIRMED)
    return Verdict(half, items=(item,))


# ------------------------------------------------------------------------------------------------------ helpers


def stream_has(stream: StreamSpec, name: str, side: Side) -> bool:
    """Whether the stream has a field of that name on `side` that is kept in step."""
    return any(
        s.name == name and s.owner is not Owner.LOCAL and s.side(side) is not None for s in stream.fields
    )


def _told(stream: StreamSpec, half: Binding, seen: Observation, restore: bool) -> dict[str, Value]:
    """What a create tells the other side; for a record that is put back, also what that side itself had decided."""
    held = half.side(seen.side)
    assert held is not None
    target = other(seen.side)
    values = dict(half.base)
    # A group of which a member was edited since is told as it stands there, as a whole.
    moved = {stream.field(name).unit for name in changed_fields(stream, half, seen)} if held.dev else set()
    for name, value in seen.fields.items():
        dev = held.dev.get(name)
        own = dev is None or not same(dev.value, value) or name not in values
        if own or stream.field(name).unit in moved:
            values[name] = value
    return {n: v for n, v in values.items() if (stream_has if restore else _creatable)(stream, n, target)}


def _creatable(stream: StreamSpec, name: str, target: Side) -> bool:
    # What the target owns (a number it draws) is not told to it; it comes back from there.
    return stream_has(stream, name, target) and stream.field(name).owner.value != target


def _presence(binding: Binding, a: Observation, b: Observation) -> Binding:
    assert binding.a is not None and binding.b is not None
    return msgspec.structs.replace(
        binding,
        a=msgspec.structs.replace(binding.a, presence=a.presence, version=a.version),
        b=msgspec.structs.replace(binding.b, presence=b.presence, version=b.version),
    )


def _state(binding: Binding, state: State, note: str) -> Binding:
    return msgspec.structs.replace(binding, state=state, note=note)


def _tombstone(binding: Binding, note: str) -> Binding:
    return _state(binding, State.TOMBSTONE, note)


def _tried(binding: Binding, actions: tuple[Action, ...], park: tuple[Parked, ...], ctx: Context) -> Verdict:
    """Leave out what a system refused before and nothing has changed since: it stays in quarantine."""
    go: list[Action] = []
    kept: list[Parked] = list(park)
    for action in actions:
        refused = next(
            (p for p in ctx.parked if p.room is Room.QUARANTINE and p.fingerprint == action.fingerprint), None
        )
        if refused is None or (refused.decision or {}).get("choose") == "retry":
            go.append(action)
        else:
            kept.append(refused)
    return Verdict(binding, tuple(go), tuple(kept))


def _contested_units(
    stream: StreamSpec, binding: Binding, side: Side, merged: Merged, ctx: Context
) -> list[str]:
    """The units to be written on `side` that are contested; a group with a contested member is, as a whole.

    What a person has decided is not: it is written once more.
    """
    if not binding.contests:
        return []
    decided = {one.field for one in merged.decisions if one.rule.startswith(DECIDED)}
    hot = [
        name
        for name in merged.writes[side]
        if name not in decided and is_contested(binding.contests, side, name, ctx.breaker, ctx.now)
    ]
    return list(dict.fromkeys(stream.field(name).unit for name in hot))


def _said(parked: Sequence[Parked]) -> dict[str, Mapping[str, Any]]:
    return {
        p.field: {**p.decision, "fingerprint": p.fingerprint}
        for p in parked
        if p.room is Room.CONFLICT and p.decision is not None
    }


def _chosen(parked: Sequence[Parked], field: str, print_: str) -> str | None:
    for p in parked:
        if (
            p.room is Room.CONFLICT
            and p.field == field
            and p.fingerprint == print_
            and p.decision is not None
        ):
            return str(p.decision.get("choose"))
    return None
