"""What a finished write means for the binding. Pure; the same for a reply, a read-back and an intent found open later.

Per field (REDTEAM "when a write comes back different"): as sent -> settled; the value before -> not taken, derived
again, once; the lens shows no better -> lossy; the reply says so -> rewritten; anything else found later ->
"differs", recorded and listed, not propagated: the next change from there is an edit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from actors.core import initial
from actors.core.contests import DAY_S, contests_after
from actors.core.gates import put_back_by
from actors.core.mapping import NO_REFS, Refs, show
from actors.core.marks import forgotten, remembered
from actors.core.own_values import without_back
from actors.core.owners import owner_of, owning_side
from actors.core.plan import adopt_keys
from actors.core.policy import LensError, StreamSpec
from actors.core.types import (
    Action,
    ActionState,
    Binding,
    Deviation,
    Held,
    Observation,
    Op,
    Presence,
    Side,
    State,
    other,
)
from actors.core.undo import UNDO, settled_after
from actors.core.unit_lines import begun, is_lines
from actors.core.units import CUT, cut
from actors.core.values import UNKNOWN, Seen, Value, same
from actors.core.verdict import REPLACED


class Settled(msgspec.Struct, frozen=True):
    """The binding after a write (`rev` as stored). `open`: fields not settled (not taken, or seen differently): look again.
    `differs`: fields that show something nobody can explain. `not_taken`: nothing of the write is to be seen. `cut`: lines
    of which a part is to be seen: to be completed by the next plan."""

    binding: Binding
    open: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    not_taken: bool = False
    cut: tuple[str, ...] = ()


def settle(
    stream: StreamSpec,
    binding: Binding,
    action: Action,
    after: Observation | None,
    *,
    now: float,
    by_reply: bool,
    skip: Collection[str] = (),
    refs: Refs = NO_REFS,
    touched: bool = False,
    in_steps: bool = False,
    origin: Observation | None = None,
) -> Settled:
    """Settle one action that took effect. `after`: the target as it is now (None: a delete, or marks).

    `by_reply`: `after` is the reply to this very write, so nobody else can have changed it. `skip`: fields that are
    not to be settled, because the same write on the other side was not done. `touched`: somebody else is known to have
    written the record since, so that a value which stood there before may be put back by a person. `in_steps`: the side
    takes lines step by step, and what is seen may be part of this write. `origin`: the other side as it was looked at for
    this write.
    """
    if action.op is Op.DELETE:
        out = Settled(_deleted(binding, action))
    elif action.op is Op.MARK:
        out = Settled(_marked(binding, action))
    else:
        assert after is not None
        base = _placed(stream, binding, action, after)
        parts = _parts(stream, action, after) if in_steps else ()
        out = _fields(stream, base, action, after, now, by_reply, {*skip, *parts}, refs, touched)
        out = _with_parts(out, action, after, parts)
        out = _on_its_way(stream, binding, action, after, _agreed(out, action, after, origin))
    if action.rule == UNDO:
        return msgspec.structs.replace(
            out, binding=settled_after(stream, binding, out.binding, action, out.open)
        )
    return out


Verdict = Literal["done", "not_done", "wait", "ask"]


def resolve(
    action: Action, seen: Sequence[Observation], *, now: float, sure_after: float, decisive: bool
) -> Verdict:
    """What became of an intent whose reply never came, from a look at its target.

    `seen`: the target if it is there (several for a create that was looked for by tag or key). `sure_after`: wall
    clock after which what is not to be seen did not happen (deadline, vendor tail, read lag). `decisive`: the look
    can tell (by id, tag or key); if not, a person must.
    """
    if action.op is Op.CREATE and len(seen) > 1:
        return "ask"
    took_place = not seen if action.op is Op.DELETE else bool(seen) and _found(action, seen[0])
    if action.state is ActionState.UNCONFIRMED and seen:
        # The system said yes: whatever it shows once no look can be older than the write is what became of it.
        return "done" if took_place or now > sure_after or _moved(action, seen[0]) else "wait"
    if took_place:
        return "done"
    if not decisive:
        return "ask"
    return "not_done" if now > sure_after else "wait"


def _found(action: Action, seen: Observation) -> bool:
    """Whether the write is to be seen: some field holds what was sent and did not hold it before.

    A field that holds neither what was sent nor what was there before is somebody's edit, and goes to the planner.
    """
    if action.op is Op.CREATE:
        return True
    return any(_is_there(action, seen, path, sent) for path, sent in action.native.items())


def _is_there(action: Action, seen: Observation, path: str, sent: Value) -> bool:
    now, was = seen.native.get(path, UNKNOWN), action.seen_native.get(path, UNKNOWN)
    if is_lines(sent) or is_lines(now):
        return begun(was, sent, now)
    return same(now, sent) and not same(was, sent)


def _moved(action: Action, seen: Observation) -> bool:
    """Whether some written field no longer holds the value before."""
    return any(not same(seen.fields.get(n, UNKNOWN), action.before.get(n, UNKNOWN)) for n in action.fields)


def touched_since(stream: StreamSpec, binding: Binding, action: Action, seen: Observation) -> bool:
    """Whether a look says that somebody has written the record since an update of ours that the system said yes to: a field
    that we did not write is no longer what was settled."""
    held = binding.side(action.side)
    if action.state is not ActionState.UNCONFIRMED or action.op is not Op.UPDATE or held is None:
        return False
    known = {**binding.base, **held.dev}
    return any(name in known for name in _unsettled(stream, seen, binding.base, held.dev, action))


def _placed(stream: StreamSpec, binding: Binding, action: Action, after: Observation) -> Binding:
    """The target's side of the binding: its id (new for a create), presence and version."""
    held = binding.side(action.side)
    if held is None:
        held = Held(id=after.id)
    elif action.op is Op.CREATE and action.side != stream.several:
        held = Held(id=after.id, seen_gen=held.seen_gen)
    elif (
        action.op is Op.CREATE
    ):  # it moved to another object (several.py): the same record, with all that was settled
        held = msgspec.structs.replace(held, id=after.id)
    held = forgotten(held, action.native)
    held = msgspec.structs.replace(held, presence=Presence.PRESENT, version=after.version)
    placed = binding.with_side(action.side, held)
    origin = placed.side(other(action.side))
    if action.op is Op.CREATE and origin is not None and binding.side(action.side) is None:
        placed = placed.with_side(other(action.side), without_back(origin))
    state = State.SETTLED if action.op is Op.CREATE or binding.state is State.MATCHED else binding.state
    note = initial.MET if initial.is_met(placed) else ""
    return msgspec.structs.replace(placed, state=state, note=note, map_ver=stream.map_ver)


def _fields(
    stream: StreamSpec,
    binding: Binding,
    action: Action,
    after: Observation,
    now: float,
    by_reply: bool,
    skip: Collection[str],
    refs: Refs,
    touched: bool,
) -> Settled:
    side = action.side
    base = dict(binding.base)
    devs = {s: dict(held.dev) if (held := binding.side(s)) is not None else {} for s in ("a", "b")}
    still_open: list[str] = []
    differs: list[str] = []
    doubted = not by_reply and not touched and not _edited_since(stream, binding, action, after, refs)
    for name, value in action.fields.items():
        seen = after.fields.get(name, UNKNOWN)
        if name in skip or (doubted and _to_try_again(binding, action, name, seen, now)):
            shows = "open"
        elif same(seen, value):
            shows = "as sent"
        else:
            shows = _shows(stream, binding, action, name, seen, by_reply, refs)
        if shows in ("open", "edited", "flows back", "doubtful"):
            still_open.append(name)
        if shows == "flows back":
            base.pop(name, None)  # not agreed on: the owner's counts
            devs["a"].pop(name, None)
            devs["b"].pop(name, None)
        if shows in ("open", "flows back", "doubtful"):
            continue
        if not same(base.get(name, UNKNOWN), value) and not initial.keeps(binding, other(side), name):
            devs[other(side)].pop(
                name, None
            )  # the origin held it; where it was the base, it may still deviate
        base[name] = value
        devs[side].pop(name, None)
        if shows not in ("as sent", "edited") and seen is not UNKNOWN:
            devs[side][name] = Deviation(seen, shows)
        if shows == "differs":
            differs.append(name)
    still_open.extend(_unsettled(stream, after, base, devs[side], action))
    out = msgspec.structs.replace(
        binding,
        base=base,
        note=initial.rest(stream, binding, base),
        a=_with_dev(binding.a, devs["a"]),
        b=_with_dev(binding.b, devs["b"]),
        contests=_contests(stream, binding, action, now),
    )
    out = adopt_keys(stream, out, after.fields)
    return Settled(
        out,
        tuple(dict.fromkeys(still_open)),
        tuple(differs),
        not_taken=bool(action.fields) and all(n in still_open for n in action.fields),
    )


def _on_its_way(
    stream: StreamSpec, binding: Binding, action: Action, after: Observation, out: Settled
) -> Settled:
    """Attachments that a new record was made without, since they were not delivered: nothing is what was sent of them, and
    no value of the new record that could win where the two are compared for the first time (also where the reply left them
    out). They stay open."""
    if action.op is not Op.CREATE or binding.side(action.side) is not None:
        return out
    told, known = stream.kept_on(action.side), {*action.fields, *out.binding.base}
    late = [
        spec.name
        for spec in stream.attached
        if spec.name in told and spec.name not in known and after.fields.get(spec.name) is None
        if owning_side(owner_of(spec, action.fields, bound=False)) != action.side
    ]
    base = {**out.binding.base, **dict.fromkeys(late)}
    return msgspec.structs.replace(out, binding=msgspec.structs.replace(out.binding, base=base))


def _parts(stream: StreamSpec, action: Action, after: Observation) -> tuple[str, ...]:
    """The lines that were written in part, or whole in a record that was not let go."""
    return tuple(
        name
        for name, value in action.fields.items()
        if cut(stream.field(name), action.before.get(name, ()), value, after)
    )


def _with_parts(out: Settled, action: Action, after: Observation, parts: Sequence[str]) -> Settled:
    """The part is a deviation of that side, and the base is what it was: none, of a new record, whatever was agreed on
    before it was deleted; and what stood there, where nothing was agreed on yet, or just what was sent (an edit that is put
    back). So the other side has changed, this one has not, and the next plan writes the whole list over the part."""
    binding, there = out.binding, other(action.side)
    for name in parts:
        held, origin = binding.side(action.side), binding.side(there)
        assert held is not None
        dev = {**held.dev, name: Deviation(after.fields[name], CUT)}
        binding = binding.with_side(action.side, msgspec.structs.replace(held, dev=dev))
        if origin is not None:
            devs = {n: stands for n, stands in origin.dev.items() if n != name}
            binding = binding.with_side(there, msgspec.structs.replace(origin, dev=devs))
        was = binding.base.get(name, UNKNOWN)
        if action.op is Op.CREATE or was is UNKNOWN or same(was, action.fields[name]):
            was = () if action.op is Op.CREATE else action.before.get(name, ())
        binding = msgspec.structs.replace(binding, base={**binding.base, name: was})
    return msgspec.structs.replace(out, binding=binding, cut=tuple(parts))


def _agreed(out: Settled, action: Action, after: Observation, origin: Observation | None) -> Settled:
    """Where all that a new record shows of its own accord is what its origin shows, too, both agree, and nobody has to be
    told: what is drawn there may have been entered here before, and nothing is nothing on either side."""
    mine = [name for name in out.open if name not in action.fields]
    if action.op is not Op.CREATE or origin is None or not mine or len(mine) < len(out.open):
        return out
    if not all(same(origin.fields.get(name, UNKNOWN), after.fields[name]) for name in mine):
        return out
    base = {**out.binding.base, **{name: after.fields[name] for name in mine}}
    return msgspec.structs.replace(out, binding=msgspec.structs.replace(out.binding, base=base), open=())


def both_written(action: Action) -> frozenset[str]:
    """The fields of a write that were to be written on the other side too (a merged list, a person's value).

    Whether that was done this write can't tell: settled by it alone, what the other side still held would look like an
    edit there, and an item that was removed would come back.
    """
    if action.op is not Op.UPDATE or action.rule == UNDO:
        return frozenset()
    there = other(action.side)
    return frozenset(
        one.field
        for one in action.decisions
        if there not in one.unknown and not same(one.a if there == "a" else one.b, one.chosen)
    )


def unseen(stream: StreamSpec, action: Action, after: Observation) -> bool:
    """Whether a look or a reply lacks a field that was written: it can't settle the write."""
    shown = _shown_on(stream, action.side)
    return any(name not in after.fields for name in action.fields if name in shown)


def _shown_on(stream: StreamSpec, side: Side) -> frozenset[str]:
    return frozenset(spec.name for spec in stream.fields if spec.side(side) is not None)


def _edited_since(
    stream: StreamSpec, binding: Binding, action: Action, after: Observation, refs: Refs
) -> bool:
    """Whether a look shows, beside what was there before, a written field as neither we nor the system's ways would have
    left it: then somebody may have saved the whole record since, and what was there before may be his."""
    return action.state is not ActionState.SENT and any(
        _shows(stream, binding, action, name, seen, False, refs) == "differs"
        for name, value in action.fields.items()
        if not same(seen := after.fields.get(name, UNKNOWN), value)
        and not same(seen, action.before.get(name, UNKNOWN))
    )


def _to_try_again(binding: Binding, action: Action, name: str, seen: Seen, now: float) -> bool:
    """Whether a look shows the value before, as if nothing had been written: then it is written once more. (Not where
    anything says that somebody has written the record since: his value is not to be overwritten unasked.)

    If we wrote the field before on this day, the system turns our value back, or somebody else does: what is seen is
    settled as what it is, instead of being written until the breaker stops it. Without any reply that can't be said.
    """
    if action.op is Op.CREATE or seen is UNKNOWN or same(seen, action.fields[name]):
        return False
    if not same(seen, action.before.get(name, UNKNOWN)):
        return False
    count, since = binding.contests.get(f"{action.side}.{name}", (0, now))
    return action.state is ActionState.SENT or count == 0 or now - since >= DAY_S


def _shows(
    stream: StreamSpec,
    binding: Binding,
    action: Action,
    name: str,
    seen: Seen,
    by_reply: bool,
    refs: Refs,
) -> str:
    """What the target shows of one written field that it does not show as it was sent.

    as sent (there is nothing to be shown) | open (not delivered, or not taken: not settled) | edited (a value where none
    was sent: the planner decides) | flows back (its owner gave another one) | doubtful (found long after, neither sent nor
    before) | the reason of a deviation: default, lossy, rewritten, differs.
    """
    value = action.fields[name]
    if seen is UNKNOWN:
        return "open" if name in _shown_on(stream, action.side) else "as sent"
    if action.op is Op.CREATE and value is None and not by_reply:
        return "edited"
    owner = owner_of(stream.field(name), binding.base, bound=True, decided=action.fields)
    if owning_side(owner) == action.side:
        return "flows back"
    if action.op is Op.CREATE and value is None:
        return "default"
    try:
        shown = show(stream, action.side, action.seen_native, {name: value}, refs).shown.get(name, UNKNOWN)
    except LensError:
        shown = UNKNOWN
    if same(seen, shown):
        return "lossy"
    if by_reply:
        return "rewritten"
    # No reply ever came: it may be a rewriting, or the edit of a person since. What was agreed on before stands, so
    # that the conflict rule decides between the two values, not the rule of first contact.
    return "doubtful" if action.state is ActionState.SENT and action.id else "differs"


def _unsettled(
    stream: StreamSpec,
    after: Observation,
    base: Mapping[str, Value],
    dev: Mapping[str, Deviation],
    action: Action,
) -> list[str]:
    """Fields we did not write and that show something else than what was settled: number write-back, side effects."""
    names = []
    for spec in stream.fields:
        if spec.name in action.fields or spec.name not in after.fields or spec.on_create_only:
            continue
        if spec.a is None or spec.b is None:
            continue
        was = dev[spec.name].value if spec.name in dev else base.get(spec.name, UNKNOWN)
        if not same(was, after.fields[spec.name]):
            names.append(spec.name)
    return names


def _deleted(binding: Binding, action: Action) -> Binding:
    side = action.side
    held = binding.side(side)
    assert held is not None
    gone = binding.with_side(side, msgspec.structs.replace(held, presence=Presence.DELETED))
    note = f"deleted on {other(side)}, removed on {side}"
    if binding.side(other(side)) is None:  # left behind in another object
        note = action.reason
    if REPLACED in action.reason:
        note = f"{note}; {REPLACED}{other(side)}"
    return msgspec.structs.replace(gone, state=State.TOMBSTONE, note=note)


def _marked(binding: Binding, action: Action) -> Binding:
    side = action.side
    held = binding.side(side)
    assert held is not None
    binding = binding.with_side(side, remembered(held, action))
    note = initial.noted(binding, action.reason or f"deleted on {other(side)}, marked on {side}")
    return msgspec.structs.replace(binding, state=State.TOMBSTONE, note=note)


def _contests(
    stream: StreamSpec, binding: Binding, action: Action, now: float
) -> Mapping[str, tuple[int, float]]:
    if action.op is not Op.UPDATE:
        return binding.contests
    return contests_after(binding.contests, action.side, (*action.fields, *put_back_by(stream, action)), now)


def _with_dev(held: Held | None, dev: Mapping[str, Deviation]) -> Held | None:
    return held if held is None or held.dev == dev else msgspec.structs.replace(held, dev=dev)
