"""Gates: which records take part, and what happens to those that no longer do. Pure.

A record without a partner that may not go rests as a half binding that is held back, with a note that says where the gate
stood when it was last seen. Nobody is matched with it, but it holds its match keys unless the gate says otherwise: nobody is
made beside it (actors/keygroups.py). Of a pair the note of its tombstone says so. SPEC T7, U2, U3, U20, U23, U25, G4, G15,
G21, S16; REDTEAM 8, 31.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from actors.core import initial, match
from actors.core.actions import action_for, id_on, note_line
from actors.core.mapping import Shown
from actors.core.policy import StreamSpec
from actors.core.stream_rules import Gate, GateKeys, GateOn, Ineligible
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
from actors.core.values import UNKNOWN, Value, fingerprint, same
from actors.core.verdict import RESTORE, in_state, newcomer_state, presence_of, tombstone

KEPT_OUT = "gate: "  # how the note of a half binding begins that a gate holds back
SHUT = f"{KEPT_OUT}shut"
BEFORE = f"{KEPT_OUT}open since before the initial load was complete"
# The last value with which a record took part; among a side's deviations (see marks.py), no field is called so.
MEMORY = "*gate*"


def is_open(gate: Gate, seen: Observation) -> bool | None:
    """Whether the record fulfils the condition; None where that was not delivered."""
    value = seen.native.get(gate.path, UNKNOWN)
    if value is UNKNOWN:
        return None
    if not gate.values:
        return value not in (None, "", (), False)
    return any(same(value, one) for one in gate.values)


def admitted(stream: StreamSpec, half: Binding, seen: Observation, note: str | None, loaded: bool) -> Binding:
    """A half binding as the gate of its side lets it be; the very same where nothing is to change. `note`: of the half
    binding that was stored (None: a stranger). `loaded`: the stream's initial load is complete."""
    gate = stream.gates.get(seen.side)
    if gate is None or RESTORE in half.note:
        return half
    is_in = is_open(gate, seen)
    if is_in is None and initial.is_held(half):
        return half  # it rests as it is, and would count as let in anew
    if not is_in:
        # Where that was not delivered nothing says that it is let in anew: what the initial load makes of it stays.
        kept = initial.not_settled(half) if is_in is None else ""
        return _held_back(stream, half, seen, f"{SHUT}; {kept}" if kept else SHUT)
    was_before = note.startswith(BEFORE) if note is not None else gate.on is GateOn.EDGE and not loaded
    if was_before and not goes_all_the_same(gate, seen):
        return _held_back(stream, half, seen, _said_before(gate, seen))
    if note is not None and is_held_back(note):
        state, keys = newcomer_state(stream, seen), match.keys(stream, seen.fields)
        return msgspec.structs.replace(half, state=state, note=initial.not_settled(half), keys=keys)
    return half


def goes_all_the_same(gate: Gate, seen: Observation) -> bool:
    """Whether a record that took part before is dated from the day on from which those go as well; of an instant the day in
    UTC counts. What shows no day does not go."""
    day = seen.fields.get(gate.dated, UNKNOWN)
    if gate.since is None or not isinstance(day, date):
        return False
    return (day.date() if isinstance(day, datetime) else day) >= gate.since


def _said_before(gate: Gate, seen: Observation) -> str:
    """Why a record rests that took part before; where a day lets others go all the same, what it shows of that."""
    if gate.since is None:
        return BEFORE
    day = seen.fields.get(gate.dated, UNKNOWN)
    shown = f"{gate.dated} is {day.isoformat()}" if isinstance(day, date) else f"{gate.dated} shows no day"
    return f"{BEFORE}; {shown}, and it goes from {gate.since.isoformat()} on"


def is_held_back(note: str) -> bool:
    """Whether a gate holds a half binding back."""
    return note.startswith(KEPT_OUT)


def _held_back(stream: StreamSpec, half: Binding, seen: Observation, note: str) -> Binding:
    keys = _held_keys(stream, half, seen)
    if half.note == note and half.keys == keys:
        return half
    return msgspec.structs.replace(half, state=State.HELD_BACK, note=note, keys=keys, base={})


def _held_keys(stream: StreamSpec, half: Binding, seen: Observation) -> tuple[int, ...]:
    """The match keys that a record which is kept out holds: one that was not delivered is what it was."""
    if stream.gates[seen.side].keys is GateKeys.FREE:
        return tuple(0 for _ in stream.match)
    now = match.keys(stream, seen.fields)
    was = half.keys or tuple(0 for _ in now)
    delivered = [all(name in seen.fields for name in names) for names in stream.match]
    return tuple(new if known else old for new, old, known in zip(now, was, delivered, strict=True))


# ------------------------------------------------------------------------------------------------- bound records


def stirs(stream: StreamSpec, binding: Binding, seen: Observation) -> bool:
    """Whether where the gate stands is something new of a bound record, whatever its shared fields show."""
    gate = stream.gates.get(seen.side)
    if gate is None or seen.presence is not Presence.PRESENT:
        return False
    is_in, was_out = is_open(gate, seen), SHUT in binding.note
    if is_in is None:
        return False
    if is_in:
        return was_out or _to_remember(gate, binding, seen) is not None
    return not was_out and (gate.then is not Ineligible.KEEP or binding.state is State.TOMBSTONE)


def left(
    stream: StreamSpec, binding: Binding, looks: tuple[Observation, Observation]
) -> tuple[Side, Gate] | None:
    """The side on which a pair no longer takes part, where that ends its being in step; None: it goes on."""
    for seen in looks:
        gate = stream.gates.get(seen.side)
        if gate is None or gate.then not in (Ineligible.DETACH, Ineligible.DEACTIVATE):
            continue
        is_in = is_open(gate, seen)
        if is_in is False or (is_in is None and SHUT in binding.note):
            return seen.side, gate
    return None


def detached(
    stream: StreamSpec, binding: Binding, looks: tuple[Observation, Observation], side: Side
) -> tuple[Binding, tuple[Action, ...]]:
    """A pair that no longer takes part: its binding rests, and nothing passes."""
    after = presence_of(binding, *looks)
    if SHUT in binding.note:
        return after, ()
    note = f"{SHUT} on {side}"
    reason = f"no longer takes part on {side}: nothing passes until it does again"
    item = note_line(
        stream, binding, other(side), id_on(binding, side), "gate", reason, ActionState.CONFIRMED
    )
    return tombstone(after, note), (item,)


def remembered(stream: StreamSpec, binding: Binding, looks: tuple[Observation, Observation]) -> Binding:
    """The binding with the value by which each record takes part, where it may have to be put back."""
    if not stream.gates:
        return binding
    out = {side: binding.side(side) for side in SIDES}
    for seen in looks:
        gate, held = stream.gates.get(seen.side), out[seen.side]
        if gate is None or held is None:
            continue
        value = _to_remember(gate, binding, seen)
        if value is not None:
            dev = {**held.dev, MEMORY: Deviation(value, "gate")}
            out[seen.side] = msgspec.structs.replace(held, dev=dev)
    if (out["a"], out["b"]) == (binding.a, binding.b):
        return binding
    return msgspec.structs.replace(binding, a=out["a"], b=out["b"])


def put_back(stream: StreamSpec, binding: Binding, seen: Observation, update: Action | None) -> Action | None:
    """The update of a side together with the value by which its record takes part; as it is where that stands."""
    gate = stream.gates.get(seen.side)
    if gate is None or gate.then is not Ineligible.PUT_BACK or is_open(gate, seen) is not False:
        return update
    value = _last(gate, binding.side(seen.side))
    if update is not None:
        return msgspec.structs.replace(
            update,
            native={gate.path: value, **update.native},
            seen_native={gate.path: seen.native[gate.path], **update.seen_native},
        )
    return action_for(
        stream,
        binding,
        seen.side,
        Op.UPDATE,
        "gate: put back",
        {},
        Shown({gate.path: value}, {}),
        {},
        (),
        origin=id_on(binding, other(seen.side)),
        seen=seen,
        reason=f"{gate.path} on {seen.side} says who takes part, and is put back",
    )


def put_back_by(stream: StreamSpec, action: Action) -> tuple[str, ...]:
    """The name under which it is counted that an update put a gate's value back; empty where it did not."""
    gate = stream.gates.get(action.side)
    puts_back = gate is not None and gate.then is Ineligible.PUT_BACK and gate.path in action.native
    return (MEMORY,) if puts_back else ()


def contested(stream: StreamSpec, binding: Binding, seen: Observation, breaker: int) -> Parked:
    """A value that is put back and changed again all day: listed, and left as it is meanwhile."""
    path = stream.gates[seen.side].path
    return Parked(
        stream=stream.name,
        room=Room.CONFLICT,
        binding=binding.key,
        field=MEMORY,
        side=seen.side,
        record=seen.id,
        reason=f"contested: {path} on {seen.side} was put back {breaker} times within a day",
        hint="stop what changes it; it is put back once more on your word, or when the day is over",
        detail={seen.side: {path: seen.native.get(path)}},
        fingerprint=fingerprint([MEMORY, seen.side, seen.native.get(path)]),
    )


def tombstone_at(
    stream: StreamSpec, binding: Binding, remains: Observation
) -> tuple[Binding, tuple[Action, ...]] | None:
    """A tombstone of which one record is there still: it blocks until the gate was seen shut and is open again ("set
    anew"); then what is left is a newcomer. None: nothing new."""
    gate = stream.gates.get(remains.side)
    is_in = is_open(gate, remains) if gate is not None else None
    if is_in is None or is_in is (SHUT not in binding.note):
        return None
    if not is_in:
        return tombstone(binding, f"{binding.note}; {SHUT}"), ()
    held = Held(id=remains.id, version=remains.version)
    half = msgspec.structs.replace(in_state(binding, State.NEW, ""), base={}, map_ver=stream.map_ver)
    half = msgspec.structs.replace(
        half,
        a=held if remains.side == "a" else None,
        b=held if remains.side == "b" else None,
        keys=match.keys(stream, remains.fields),
    )
    reason = f"takes part on {remains.side} anew"
    item = note_line(
        stream, binding, remains.side, remains.id, "gate: set anew", reason, ActionState.CONFIRMED
    )
    return half, (item,)


def _to_remember(gate: Gate, binding: Binding, seen: Observation) -> Value:
    """The value to remember, None where there is nothing new to remember. With one value there is nothing to choose."""
    if gate.then is not Ineligible.PUT_BACK or len(gate.values) == 1 or not is_open(gate, seen):
        return None
    held, value = binding.side(seen.side), seen.native[gate.path]
    known = held.dev[MEMORY].value if held is not None and MEMORY in held.dev else None
    return None if same(known, value) else value


def _last(gate: Gate, held: Held | None) -> Value:
    if held is not None and MEMORY in held.dev:
        return held.dev[MEMORY].value
    return gate.values[0]
