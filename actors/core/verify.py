"""How two records that were read afresh differ, field by field, and what each difference is tied to. Pure.

A difference is *explained* by a rule (a deviation, an owner, a gate, a field that is local or written once), *parked* where
it stands in a room, *planned* where the next run is going to deal with it, or else a *defect*: nothing is recorded that
says why both sides differ. Whether a run is going to deal with it is the planner's word; whether anybody would ever tell
that run of it is not known here (actors/verifying.py asks). SPEC B4, B5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from actors.core import gates
from actors.core.merge import changed_fields
from actors.core.policy import FieldSpec, LensError, Owner, StreamSpec
from actors.core.types import (
    SIDES,
    ActionState,
    Binding,
    FieldDecision,
    Observation,
    Parked,
    Presence,
    Room,
    Side,
    State,
)
from actors.core.values import UNKNOWN, BadValue, Seen, same
from actors.core.verdict import RESTORE, Verdict

WHOLE = ""  # in place of a field: the record is there on one side only
UNSETTLED = frozenset({State.NEW, State.UNSURE, State.MATCHED, State.GONE})


class Difference(msgspec.Struct, frozen=True):
    """One way in which both sides differ. `field`: the shared name, or `WHOLE`. `state`: explained, parked, planned or
    defect; `rule` and `reason` say what it is tied to."""

    field: str
    state: ActionState
    rule: str
    reason: str
    decision: FieldDecision | None = None


def differences(
    stream: StreamSpec,
    binding: Binding,
    looks: Mapping[Side, Observation],
    verdict: Verdict,
    parked: Sequence[Parked] = (),
) -> tuple[Difference, ...]:
    """Every difference of a record. `looks`: of the sides it has; `verdict`: the planner's, from these looks; `parked`: what
    stands in a room of it now."""
    present = [side for side in SIDES if side in looks and looks[side].presence is Presence.PRESENT]
    if not present:
        return ()
    unread = next((looks[side] for side in present if looks[side].problem), None)
    if unread is not None:
        return (_of_rows(WHOLE, parked, verdict, f"{unread.side}: {unread.problem}"),)
    if len(present) < len(SIDES):
        return (_alone(stream, binding, looks, verdict, parked),)
    return tuple(_of_fields(stream, binding, looks, verdict, parked))


def moved(stream: StreamSpec, binding: Binding, looks: Mapping[Side, Observation]) -> tuple[Side, ...]:
    """The sides that show something else than what was settled: what somebody would have to tell us of."""
    out: list[Side] = []
    for side, seen in looks.items():
        held = binding.side(side)
        is_new = not binding.key or held is None or held.presence is not seen.presence
        if is_new or (seen.presence is Presence.PRESENT and changed_fields(stream, binding, seen)):
            out.append(side)
    return tuple(out)


# ----------------------------------------------------------------------------------------------- on one side only


def _alone(
    stream: StreamSpec,
    binding: Binding,
    looks: Mapping[Side, Observation],
    verdict: Verdict,
    parked: Sequence[Parked],
) -> Difference:
    after = verdict.binding
    rests = binding.key and binding.state in (State.TOMBSTONE, State.HELD_BACK)
    # A rule that turned since brings nobody back by itself: no look finds anything new.
    if rests and (
        after.state is binding.state or (after.note == RESTORE and not moved(stream, binding, looks))
    ):
        if parked:
            return _of_rows(WHOLE, parked, verdict, "")
        rule = "gate" if gates.is_held_back(binding.note) or gates.SHUT in binding.note else _rule(binding)
        return Difference(WHOLE, ActionState.EXPLAINED, rule, binding.note or "a deletion is remembered")
    waiting = [row for row in parked if row.room is Room.WAITING and not row.field]
    if waiting and stream.requires and binding.state in UNSETTLED:
        # What it waits for of another stream only a run asks.
        return _of_rows(WHOLE, waiting, verdict, "")
    if verdict.actions:
        one = verdict.actions[0]
        return Difference(WHOLE, ActionState.PLANNED, one.rule, f"to be done: {one.op} on {one.side}")
    if verdict.park or parked:
        return _of_rows(WHOLE, parked, verdict, "")
    if after.state in (State.TOMBSTONE, State.HELD_BACK):
        said = verdict.items[0] if verdict.items else None
        rule = said.rule if said is not None else _rule(after)
        return Difference(WHOLE, ActionState.EXPLAINED, rule, said.reason if said is not None else after.note)
    if verdict.items:
        return Difference(WHOLE, ActionState.PLANNED, verdict.items[0].rule, verdict.items[0].reason)
    if after.state in UNSETTLED:
        return Difference(WHOLE, ActionState.PLANNED, "no partner yet", "it is matched, or made, by a run")
    return Difference(WHOLE, ActionState.DEFECT, "", "there on one side only, and nothing says why")


def _rule(binding: Binding) -> str:
    return "deletes" if binding.state is State.TOMBSTONE else "creates"


# -------------------------------------------------------------------------------------------------- field by field


def _of_fields(
    stream: StreamSpec,
    binding: Binding,
    looks: Mapping[Side, Observation],
    verdict: Verdict,
    parked: Sequence[Parked],
) -> Iterator[Difference]:
    out = gates.left(stream, binding, (looks["a"], looks["b"]))
    for spec in stream.fields:
        if spec.a is None or spec.b is None:
            continue
        now: dict[Side, Seen] = {side: _shown(spec, side, looks[side]) for side in SIDES}
        if same(now["a"], now["b"]):
            continue
        found = _missing(spec, now) or _ruled(spec, binding, now, out is not None)
        found = found or _worked_on(stream, spec, verdict, parked)
        if found is None:
            said = "both sides differ, and no rule, room or recorded deviation says why"
            found = Difference(spec.name, ActionState.DEFECT, "", said)
        yield msgspec.structs.replace(found, decision=_decision(spec, binding, now, found.rule, verdict))


def _shown(spec: FieldSpec, side: Side, seen: Observation) -> Seen:
    """What a side shows of a field; of a local one, which nobody else reads, too."""
    if spec.owner is not Owner.LOCAL:
        return seen.fields.get(spec.name, UNKNOWN)
    place = spec.side(side)
    assert place is not None
    if any(path not in seen.native for path in place.paths):
        return UNKNOWN
    try:
        return place.lens.get(tuple(seen.native[path] for path in place.paths))
    except (LensError, BadValue):
        return UNKNOWN


def _missing(spec: FieldSpec, now: Mapping[Side, Seen]) -> Difference | None:
    for side in SIDES:
        if now[side] is UNKNOWN:
            said = f"side {side} does not deliver it, so it can't be compared"
            return Difference(spec.name, ActionState.EXPLAINED, "not delivered", said)
    return None


def _ruled(spec: FieldSpec, binding: Binding, now: Mapping[Side, Seen], is_out: bool) -> Difference | None:
    """What a rule, or a deviation that was recorded, says about the field for good."""
    if spec.owner is Owner.LOCAL:
        return Difference(spec.name, ActionState.EXPLAINED, "local", "it is each side's own")
    if spec.on_create_only:
        said = "it is told once, when a record is made"
        return Difference(spec.name, ActionState.EXPLAINED, "on_create_only", said)
    if is_out or gates.SHUT in binding.note:
        said = "the record does not take part now"
        return Difference(spec.name, ActionState.EXPLAINED, "gate", said)
    for side in SIDES:
        held = binding.side(side)
        dev = held.dev.get(spec.name) if held is not None else None
        if dev is not None and _as_settled(spec, binding, now):
            said = f"side {side} differs for a recorded reason: {dev.reason}"
            return Difference(spec.name, ActionState.EXPLAINED, f"deviation: {dev.reason}", said)
    return None


def _as_settled(spec: FieldSpec, binding: Binding, now: Mapping[Side, Seen]) -> bool:
    """Whether both sides show what they held when they were settled: nobody has touched the field since."""
    for side in SIDES:
        held = binding.side(side)
        dev = held.dev.get(spec.name) if held is not None else None
        was = dev.value if dev is not None else binding.base.get(spec.name, UNKNOWN)
        if not same(now[side], was):
            return False
    return True


def _worked_on(
    stream: StreamSpec, spec: FieldSpec, verdict: Verdict, parked: Sequence[Parked]
) -> Difference | None:
    """That it waits in a room, alone or with its record; or what a run is going to do about the field."""
    names = (spec.name, spec.unit)
    one = bool(stream.with_lines)  # what of it waits holds back all of it
    rows = [row for row in parked if row.field in names] or [row for row in parked if one or _is_whole(row)]
    if rows:
        return _of_rows(spec.name, rows, verdict, "")
    for action in verdict.actions:
        if spec.name in action.fields:
            rules = (said.rule for said in action.decisions if said.field == spec.name)
            rule = next(rules, action.rule)
            return Difference(spec.name, ActionState.PLANNED, rule, f"to be written on {action.side}: {rule}")
    to_come = [row for row in verdict.park if one or row.field in names or _is_whole(row)]
    return (
        _of_rows(spec.name, (), msgspec.structs.replace(verdict, park=tuple(to_come)), "")
        if to_come
        else None
    )


def _is_whole(row: Parked) -> bool:
    return not row.field or row.field.startswith("*")


def _of_rows(field: str, parked: Sequence[Parked], verdict: Verdict, said: str) -> Difference:
    """It stands in a room; or the next run is going to put it there."""
    if parked:
        row = parked[0]
        return Difference(field, ActionState.PARKED, row.room.value, row.reason)
    row_ = verdict.park[0] if verdict.park else None
    if row_ is None:
        return Difference(field, ActionState.DEFECT, "", said)
    return Difference(
        field, ActionState.PLANNED, row_.room.value, f"to be listed in {row_.room}: {row_.reason}"
    )


def _decision(
    spec: FieldSpec, binding: Binding, now: Mapping[Side, Seen], rule: str, verdict: Verdict
) -> FieldDecision:
    """The difference with the values that both sides show, what was agreed on last, and what a run would make of it."""
    base = binding.base.get(spec.name, UNKNOWN)
    values = {"base": base, "a": now["a"], "b": now["b"]}
    wanted = next((one.fields[spec.name] for one in verdict.actions if spec.name in one.fields), None)
    return FieldDecision(
        field=spec.name,
        rule=rule or "defect",
        chosen=wanted,
        unknown=tuple(name for name, value in values.items() if value is UNKNOWN),
        **{name: None if value is UNKNOWN else value for name, value in values.items()},
    )
