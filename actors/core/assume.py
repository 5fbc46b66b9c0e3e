"""What a side should still hold: a stand-in for a look at it, where the write itself proves it or does not happen.

A system whose precondition is atomic refuses a write unless the record is as we say. So the commonest plan (one side
changed, the other is told) needs no look at the other side beforehand: it is made from what that side held when last
settled, and the write carries exactly that as its precondition. If somebody has been there, nothing is written
(*moved on*, *gone*), and the record is planned again from a look. Only plans that rest on nothing else may go that
way (`rests_on_precondition`). Pure.
"""

from __future__ import annotations

from collections.abc import Collection

from actors.core.erasure import is_hashed
from actors.core.mapping import native_of
from actors.core.merge import changed_fields, settled
from actors.core.own_values import remembers
from actors.core.plan import Verdict
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Observation, Op, Presence, Side, State, other
from actors.core.values import UNKNOWN, Value


def assumed(stream: StreamSpec, binding: Binding, seen: Observation) -> Observation | None:
    """The other side of `seen` as it was last settled, or None where that is no ground to plan from."""
    side = other(seen.side)
    held, mine = binding.side(side), binding.side(seen.side)
    if (
        held is None
        or mine is None
        or remembers(stream)
        or stream.gates  # where they stand on the other side is not known without a look
        or is_hashed(binding)
        or binding.state is not State.SETTLED
        or binding.map_ver != stream.map_ver
    ):
        return None
    if {seen.presence, held.presence, mine.presence} != {Presence.PRESENT} or seen.problem:
        return None
    fields: dict[str, Value] = {}
    for spec in stream.fields:
        value = settled(binding, side, spec.name)
        if value is not UNKNOWN:
            fields[spec.name] = value
    native = _native(stream, side, fields, set(changed_fields(stream, binding, seen)))
    return Observation(side, held.id, seen.asked, fields=fields, native=native, version=held.version)


def rests_on_precondition(stream: StreamSpec, binding: Binding, verdict: Verdict, side: Side) -> bool:
    """Whether a verdict that was made from an assumed `side` is one write there whose precondition covers all of it:
    nothing adopted, parked or written down that was not seen."""
    if len(verdict.actions) != 1 or verdict.park or verdict.items or verdict.drop or verdict.again_s:
        return False
    (action,) = verdict.actions
    if action.side != side or action.op is not Op.UPDATE or not action.native:
        return False
    if not _places(stream, side, action.fields) <= action.seen_native.keys():
        return False
    now, was = verdict.binding, binding
    return now.base == was.base and all(_dev(now, s) == _dev(was, s) for s in (side, other(side)))


def _native(
    stream: StreamSpec, side: Side, fields: dict[str, Value], changed: Collection[str]
) -> dict[str, Value]:
    """The native values of what may be written: the changed fields, and the groups that they belong to."""
    groups = {spec.group for spec in stream.fields if spec.name in changed and spec.group}
    native: dict[str, Value] = {}
    for spec in stream.fields:
        if (spec.name in changed or spec.group in groups) and spec.name in fields:
            native.update(native_of(spec, side, fields[spec.name]))
    return native


def _places(stream: StreamSpec, side: Side, names: Collection[str]) -> set[str]:
    groups = {spec.group for spec in stream.fields if spec.name in names and spec.group}
    places = (spec.side(side) for spec in stream.fields if spec.name in names or spec.group in groups)
    return {path for place in places if place is not None for path in place.paths}


def _dev(binding: Binding, side: Side) -> object:
    held = binding.side(side)
    return held.dev if held is not None else None
