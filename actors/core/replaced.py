"""A record's id was given to another record (REDTEAM 29): known for what it is, not taken for one huge edit. Pure.

Where a system may give an id again, a record of which every match key and every other value changed between two looks is
perhaps another one. Nobody can tell but a person: nothing is written, and it is listed. If it is another one, the old
record was deleted, and the policy says what that does; the new one is a newcomer.
"""

from __future__ import annotations

import msgspec

from actors.core import match
from actors.core.gone import plan_gone
from actors.core.merge import settled_on
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Observation, Parked, Presence, Room, Side, State, other
from actors.core.values import UNKNOWN, fingerprint, is_blank, same
from actors.core.verdict import REPLACED, Context, Verdict, chosen, presence_of

PLACE = "*replaced*"
AGAIN_S = 1.0


def seems_another(stream: StreamSpec, binding: Binding, seen: Observation) -> bool:
    """Whether no match key and no other value is what it was. Nothing is said of a record that has too little to tell."""
    if binding.state is not State.SETTLED:
        return False
    was = settled_on(binding, seen.side)
    before, now = match.keys(stream, was), match.keys(stream, seen.fields)
    keys = [(old, new) for old, new in zip(before, now, strict=True) if old and new]
    if not keys or any(old == new for old, new in keys):
        return False
    named = {name for names in stream.match for name in names}
    rest = [
        s.name for s in stream.mergeable if s.name not in named and not is_blank(was.get(s.name, UNKNOWN))
    ]
    rest = [name for name in rest if was.get(name, UNKNOWN) is not UNKNOWN]
    return bool(rest) and not any(same(was[name], seen.fields.get(name, UNKNOWN)) for name in rest)


def judged(
    stream: StreamSpec, binding: Binding, a: Observation, b: Observation, ctx: Context
) -> Verdict | None:
    """What follows where a record seems to be another one; None: nothing of the kind, or a person said that it is not."""
    for seen, left in ((a, b), (b, a)):
        if binding.state is State.TOMBSTONE and f"{REPLACED}{seen.side}" in binding.note:
            return _released(binding, a, b, seen.side)
        if seen.side not in ctx.reused or not seems_another(stream, binding, seen):
            continue
        row = _row(stream, binding, seen)
        said = chosen(ctx.parked, PLACE, row.fingerprint)
        if said == other(seen.side):
            return _another(stream, binding, seen, left, ctx)
        if said != seen.side:
            return Verdict(presence_of(binding, a, b), park=(row,))
    return None


def _row(stream: StreamSpec, binding: Binding, seen: Observation) -> Parked:
    was = settled_on(binding, seen.side)
    return Parked(
        stream=stream.name,
        room=Room.CONFLICT,
        binding=binding.key,
        field=PLACE,
        side=seen.side,
        record=seen.id,
        reason=f"everything of {seen.id} on {seen.side} is other than it was: perhaps another record has its id now",
        hint=f"decide {seen.side}: it is the same record, and the edit goes; or {other(seen.side)}: it is another one",
        detail={"base": dict(was), seen.side: dict(seen.fields)},
        fingerprint=fingerprint([PLACE, seen.side, dict(was), dict(seen.fields)]),
    )


def _another(
    stream: StreamSpec, binding: Binding, seen: Observation, left: Observation, ctx: Context
) -> Verdict:
    """The old record is gone; what stands under its id is met as a newcomer once the id is free."""
    gone = Observation(seen.side, seen.id, seen.asked, Presence.DELETED)
    verdict = plan_gone(stream, binding, gone, left, ctx)
    if verdict.park:
        return verdict
    note = f"{REPLACED}{seen.side}"
    actions = tuple(msgspec.structs.replace(one, reason=f"{one.reason}; {note}") for one in verdict.actions)
    after = verdict.binding
    if after.state is State.TOMBSTONE:
        after = msgspec.structs.replace(after, note=f"{after.note}; {note}")
    return msgspec.structs.replace(
        verdict, binding=after, actions=actions, again_s=AGAIN_S, again_side=seen.side
    )


def _released(binding: Binding, a: Observation, b: Observation, side: Side) -> Verdict:
    after = presence_of(binding, a, b)
    after = msgspec.structs.replace(after, a=None) if side == "a" else msgspec.structs.replace(after, b=None)
    return Verdict(after, again_s=AGAIN_S, again_side=side)
