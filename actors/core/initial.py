"""What an initial load may write: nothing on a side that `initial_load` does not name (T15, T16). Pure.

A record that only the other side has rests as a half binding that is held back, with what it showed; it is matched like any
other, and goes once it shows something else, or another record needs it. Where two records meet and differ, what the rules
say stands, but a side that is not written to keeps what it holds, as a deviation: its next change is an edit, and so is
the other side's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.core.merge import DECIDED, Merged, settled_on
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Observation, Side, State, other
from actors.core.values import Value, same

HELD = "initial load: only here so far"
KEPT = "initial load"  # the reason of a deviation


def held_over(stream: StreamSpec, half: Binding, seen: Observation, *, loaded: bool) -> Binding:
    """A newcomer that the initial load makes nobody from; the very same where it may."""
    if loaded or half.state is not State.NEW or other(seen.side) in stream.initial_load:
        return half
    return msgspec.structs.replace(half, state=at_rest(stream, half), note=HELD, base=dict(seen.fields))


def at_rest(stream: StreamSpec, half: Binding) -> State:
    """As what it waits to be matched. Somebody of a group has to be new for it to be looked at: where nothing at all is
    written, a's are, and rest as soon as nobody was found for them."""
    return State.NEW if not stream.initial_load and half.a is not None else State.HELD_BACK


def unmatched(half: Binding) -> bool:
    """Whether it stays where it is, though it was new for the matching."""
    return HELD in half.note and half.state is State.NEW


def is_held(half: Binding) -> bool:
    """Whether the initial load left it where it is."""
    return HELD in half.note and half.state is State.HELD_BACK


def has_changed(half: Binding, seen: Observation) -> bool:
    """Whether it shows something else than at the initial load; what was not delivered then or now tells nothing."""
    was = settled_on(half, seen.side)
    return any(not same(was[name], value) for name, value in seen.fields.items() if name in was)


def let_go(half: Binding) -> Binding:
    """It is a newcomer like any other from now on."""
    return msgspec.structs.replace(half, state=State.NEW, note="", base={})


def met(half: Binding) -> Binding:
    """The half binding for a pair: what it showed was never agreed on."""
    return msgspec.structs.replace(half, base={}) if HELD in half.note else half


def left_as_it_is(
    stream: StreamSpec, binding: Binding, side: Side, merged: Merged, *, loading: bool
) -> Mapping[str, Value]:
    """What a side is not told where two records meet in the initial load: all but what a person decided."""
    if not loading or binding.state is not State.MATCHED or side in stream.initial_load:
        return {}
    decided = {one.field for one in merged.decisions if one.rule.startswith(DECIDED)}
    return {name: value for name, value in merged.writes[side].items() if name not in decided}
