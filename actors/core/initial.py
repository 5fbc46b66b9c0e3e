"""What an initial load may write: nothing on a side that `initial_load` does not name (T15, T16), and records that a side
lacks as `initial_creates` says (U23). Pure.

A record that only the other side has rests as a half binding that is held back, with what it showed; it is matched like any
other, and goes once it shows something else, or another record needs it. Where two records meet and differ, what the rules
say stands, but a side that is not written to keeps what it holds, as a deviation: its next change is an edit, and so is
the other side's. Where not every field is settled at once (a person is asked, one was not delivered) the pair is noted, and
what is left of it is settled likewise.

Where both sides are left, or newcomers are, they are matched first, and rest then; who has to wait for that, and is edited
meanwhile, is left no longer.

Where newcomers wait for a yes (`plan`) each one is noted, so that it still waits when the load is over, whatever is edited
meanwhile; they spend of a budget of nothing (core/guard.py). Who stops taking part, and takes part anew, is no longer
one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from actors.core.merge import DECIDED, Merged, settled_on
from actors.core.policy import InitialCreates, StreamSpec
from actors.core.types import SIDES, Binding, Observation, Side, State, other
from actors.core.values import Fields, Value, as_list, fingerprint, same

HELD = "initial load: only here so far"
# Of newcomers that are matched first, like any other:
ASKED = "initial load: made on a yes"
LEFT = "initial load: left"
_NOTES: Final = {InitialCreates.PLAN: ASKED, InitialCreates.OFF: LEFT}
# A field that could not be read when its record was left, or refers to another record: a fingerprint of what stood there.
UNREAD = "*unread* "
KEPT = "initial load"  # the reason of a deviation
# The note of a pair, alone, or after what is noted of it while one of its records is gone:
MET = "initial load: met, and not settled in every field"


def held_over(stream: StreamSpec, half: Binding, seen: Observation, *, loaded: bool) -> Binding:
    """A newcomer that the initial load makes nobody from, or not without a yes; the very same where it may."""
    if loaded or half.state is not State.NEW:
        return half
    there = other(seen.side)
    if there not in stream.initial_load and stream.initial_load and there in stream.creates:
        return _rests(stream, half, seen)
    # Where the others rest too (by the load, or as nobody is made from there) neither of two is new, and nobody would look
    # whether they are one.
    note = _NOTES.get(stream.initial_creates) if there in stream.initial_load else LEFT
    if not note or half.note:
        return half
    return msgspec.structs.replace(half, note=_left_as(stream, seen) if note == LEFT else note)


def left(stream: StreamSpec, half: Binding, seen: Observation) -> Binding | None:
    """A newcomer that matched nobody and is left where it is; None: it is not one of those, or shows something else by now
    than when it was met (somebody it may be could not be told for a while)."""
    if LEFT not in half.note:
        return None
    was, now = half.note[half.note.index(LEFT) :], _left_as(stream, seen)
    edited = LEFT not in (was, now) and was != now
    return None if edited else _rests(stream, half, seen)


def _left_as(stream: StreamSpec, seen: Observation) -> str:
    """The note of a newcomer that is to be left: with what stood in it, where all of that was delivered (what is meant by it
    may be known later only, as by a reference)."""
    prints = dict(_prints(stream, seen))
    if len(prints) < len(stream.shared(seen.side)):
        return LEFT
    return f"{LEFT} {fingerprint(list(prints.items()))}"


def not_settled(half: Binding) -> str:
    """Of a note what the initial load makes of a newcomer that is matched first; "" where it makes nothing of him."""
    return next((half.note[half.note.index(note) :] for note in _NOTES.values() if note in half.note), "")


def leaves(stream: StreamSpec) -> bool:
    """Whether the initial load leaves records of the stream where they are."""
    return stream.initial_load != frozenset(SIDES) or stream.initial_creates is InitialCreates.OFF


def _rests(stream: StreamSpec, half: Binding, seen: Observation) -> Binding:
    unread = {
        f"{UNREAD}{name}": one
        for name, one in _prints(stream, seen)
        if name not in seen.fields
        or stream.field(name).reference  # it may be unreadable for its target's sake
    }
    return msgspec.structs.replace(half, state=State.HELD_BACK, note=HELD, base={**seen.fields, **unread})


def _prints(stream: StreamSpec, seen: Observation) -> Iterator[tuple[str, str]]:
    """Fingerprints of what was delivered of each shared field, whether it can be read or not."""
    for spec, place in stream.shared(seen.side):
        if all(path in seen.native for path in place.paths):
            held = (seen.native[path] for path in place.paths)
            sets = (as_list(one) if spec.as_set and isinstance(one, tuple) else one for one in held)
            yield spec.name, fingerprint(list(sets))


def is_held(half: Binding) -> bool:
    """Whether the initial load left it where it is."""
    return HELD in half.note and half.state is State.HELD_BACK


def has_changed(stream: StreamSpec, half: Binding, seen: Observation) -> bool:
    """Whether it shows something else than at the initial load; what was not delivered then or now tells nothing, nor that
    it can be read by now."""
    was = settled_on(half, seen.side)
    if any(not same(was[name], value) for name, value in seen.fields.items() if name in was):
        return True
    odd = seen.problem or any(name.startswith(UNREAD) for name in was)
    return bool(odd) and any(_is_another(was, seen, name, one) for name, one in _prints(stream, seen))


def _is_another(was: Fields, seen: Observation, name: str, print_: str) -> bool:
    """Whether a field that can't be read now, or could not be then, holds something else."""
    if name in was and name in seen.fields:
        return False  # compared already
    known = was.get(f"{UNREAD}{name}")
    return known != print_ if known is not None else name in was


def matched_anew(half: Binding) -> Binding:
    """It may be a record of its side that is gone, under another id: a newcomer that is left if it is not."""
    return msgspec.structs.replace(half, state=State.NEW, note=LEFT, base={}, rev=half.rev + 1)


def let_go(half: Binding) -> Binding:
    """It is a newcomer like any other from now on."""
    return msgspec.structs.replace(half, state=State.NEW, note="", base={})


def met(half: Binding) -> Binding:
    """The half binding for a pair: what it showed was never agreed on."""
    return msgspec.structs.replace(half, base={}) if HELD in half.note else half


def is_met(pair: Binding) -> bool:
    """Whether it met in the initial load, and is not settled in every field."""
    return MET in pair.note


def meeting(stream: StreamSpec, pair: Binding, *, loading: bool) -> Binding:
    """A pair that meets in an initial load that does not write everywhere, and of which something becomes known before what
    was decided about it is stored: noted, so that the rest of it is settled likewise."""
    meets = loading and pair.state is State.MATCHED and stream.initial_load != frozenset(SIDES)
    return msgspec.structs.replace(pair, note=MET) if meets and not is_met(pair) else pair


def noted(pair: Binding, note: str) -> str:
    """The note of a pair of which one record is gone, or gone no longer: what is open of it stays open, should both be there
    again."""
    return "; ".join(one for one in (note, MET) if one) if is_met(pair) and MET not in note else note


def rest(stream: StreamSpec, binding: Binding, base: Fields, *, loading: bool = False) -> str:
    """The note of a pair that meets, or met, in an initial load that does not write everywhere, until all is settled."""
    meets = loading and binding.state is State.MATCHED and stream.initial_load != frozenset(SIDES)
    if not meets and not is_met(binding):
        return ""
    return MET if any(spec.name not in base for spec in stream.mergeable) else ""


def keeps(binding: Binding, side: Side, name: str) -> bool:
    """Whether a side was left as it is beside what is being agreed on for the first time: lists of both, joined."""
    held = binding.side(side)
    said = held.dev.get(name) if held is not None else None
    return said is not None and said.reason == KEPT and name not in binding.base


def left_as_it_is(
    stream: StreamSpec, binding: Binding, side: Side, merged: Merged, *, loading: bool
) -> Mapping[str, Value]:
    """What a side is not told where two records meet in the initial load: all but what a person decided. Of a pair of which
    a part is settled already: what was never settled on both sides. (A number that is given to a record which the load made
    is no such thing: that pair never met.)"""
    meets = loading and binding.state is State.MATCHED
    if side in stream.initial_load or not (meets or is_met(binding)):
        return {}
    told = {one.field for one in merged.decisions if one.rule.startswith(DECIDED)}
    if not meets:
        known = [settled_on(binding, one) for one in SIDES]
        told |= {
            one.name
            for _, members in stream.units
            if all(spec.name in was for spec in members for was in known)
            for one in members
        }
    return {name: value for name, value in merged.writes[side].items() if name not in told}
