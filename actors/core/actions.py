"""How an action is written down: what it sends, what must still be as seen, what it spends, its fingerprint. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from actors.core.mapping import Shown
from actors.core.policy import StreamSpec
from actors.core.types import Action, ActionState, Binding, FieldDecision, Observation, Op, Room, Side, other
from actors.core.values import Value, fingerprint, is_empty

NEW_ON: Final = "new on {side}"  # the rule by which a record is made


def id_on(binding: Binding, side: Side) -> str:
    held = binding.side(side)
    return held.id if held is not None else ""


def action_for(
    stream: StreamSpec,
    binding: Binding,
    side: Side,
    op: Op,
    rule: str,
    fields: Mapping[str, Value],
    write: Shown,
    before: Mapping[str, Value],
    decisions: tuple[FieldDecision, ...],
    *,
    origin: str,
    seen: Observation | None = None,
    reason: str = "",
) -> Action:
    native = write.native
    guarded: Collection[str] = ()
    if seen is not None:
        guarded = seen.native if op is Op.DELETE else _guarded(stream, side, fields, native)
    return Action(
        stream=stream.name,
        side=side,
        op=op,
        binding=binding.key,
        rule=rule,
        reason=reason or rule,
        target=id_on(binding, side) if op is not Op.CREATE else "",
        fields=fields,
        native=native,
        before=before,
        seen_native={p: seen.native[p] for p in guarded if seen is not None and p in seen.native},
        version=seen.version if seen is not None else None,
        decisions=decisions,
        fingerprint=fingerprint(
            [stream.name, binding.key, side, op.value, dict(fields), dict(before), stream.map_ver]
        ),
        origin=origin,
        kinds=_kinds(op, fields, before),
    )


def _guarded(
    stream: StreamSpec, side: Side, fields: Mapping[str, Value], native: Mapping[str, Value]
) -> set[str]:
    """The native fields that must still be as seen: those written, all that the written fields are made of, and the
    rest of every group they belong to."""
    written = [stream.field(name) for name in fields]
    groups = {spec.group for spec in written if spec.group}
    rest = [spec for spec in stream.fields if spec.group in groups] if groups else []
    members = (spec.side(side) for spec in (*written, *rest))
    return {*native, *(path for place in members if place is not None for path in place.paths)}


def _kinds(op: Op, fields: Mapping[str, Value], before: Mapping[str, Value]) -> tuple[str, ...]:
    if op is Op.CREATE:
        return ("creates",)
    if op in (Op.DELETE, Op.MARK):
        return ("deletes",)
    written_over = [fields[n] for n in fields if not is_empty(before.get(n))]
    kinds = {"clears" if is_empty(value) else "overwrites" for value in written_over}
    return tuple(sorted(kinds, reverse=True))


def note_line(
    stream: StreamSpec, binding: Binding, side: Side, origin: str, rule: str, reason: str, state: ActionState
) -> Action:
    return Action(
        stream=stream.name,
        side=side,
        op=Op.NONE,
        binding=binding.key,
        rule=rule,
        reason=reason,
        origin=origin,
        target=id_on(binding, side),
        state=state,
    )


def way_out(action: Action) -> str:
    """What a person can do about an action that was not done, in words; "" where nothing is to be done (S6)."""
    if action.rule == "undo" and action.state is ActionState.DROPPED:
        return "nothing, if it may stay; else put it right by hand"
    if action.rule == Room.STAGED.value and action.state is ActionState.DROPPED:
        return "enter it by hand if it stands; where it comes back it is staged again"
    if action.state is ActionState.PARKED:
        return _OF_ROOM.get(action.rule, "let the blueprint say that it may, or leave it where it is")
    return _OF_STATE.get(action.state, "")


_OF_STATE: Final = {
    ActionState.REFUSED: "mend the record in its system, and it goes by itself; or retry it: quarantine retry-parked",
    ActionState.UNKNOWN: "look in that system: retry it if it is not there; if it is there twice, remove one",
    ActionState.SENT: "nothing: it is looked for before anything else is done to this record",
    ActionState.UNCONFIRMED: "nothing: the next look at the record settles it",
    ActionState.DROPPED: "nothing: the record is looked at again",
    ActionState.DEFECT: "have it looked at, and the work is derived: records refresh; for many of them: streams backfill",
}
_OF_ROOM: Final = {
    Room.QUARANTINE.value: "mend the record in its system, and it goes by itself; or retry it: quarantine retry-parked",
    Room.WAITING.value: "it goes by itself when what it waits for is there",
    Room.STAGED.value: "import it, where its link leaves that to a person: documents import",
    Room.CONFLICT.value: "say whose value stays: conflicts resolve",
    Room.AMBIGUOUS.value: "say which record it is, or that it is none of them: ambiguous decide",
}


def decided_by_origin(action: Action) -> tuple[FieldDecision, ...]:
    """Of a record that is new: each value as its origin has it. It follows from the rest, so it is not stored."""
    side = other(action.side)
    if action.op is not Op.CREATE or action.rule != NEW_ON.format(side=side):
        return ()
    return tuple(
        FieldDecision(name, action.rule, value, unknown=("base", action.side), **{side: value})
        for name, value in action.fields.items()
    )
