"""Match keys that records of a side were seen with in this run, and that are not stored with them yet, because the look came
too early or they have just been edited: nobody is made there who shares one, since he may be that very record. Decides
nothing else; the next look says who is who.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.conclude import Pair
from actors.core import match
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Observation, Presence, Side, State, other
from actors.core.verdict import newcomer_state

UNKNOWN_KEY = 0  # a key was not delivered: it may be anybody


class Untold:
    """Of the streams of one run."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, Side], set[int]] = {}

    def note(self, stream: StreamSpec, binding: Binding, seen: Observation) -> None:
        """A look at a record that is known, and is not settled by it."""
        if seen.presence is not Presence.PRESENT or seen.problem or binding.state is State.TOMBSTONE:
            return
        shown = {key for key in match.keys(stream, seen.fields) if key} - {*binding.keys}
        if binding.side(other(seen.side)) is None and newcomer_state(stream, seen) is State.UNSURE:
            shown.add(UNKNOWN_KEY)
        if shown:
            self._keys.setdefault((stream.name, seen.side), set()).update(shown)

    def without(self, stream: StreamSpec, pairs: Sequence[Pair]) -> list[Pair]:
        """Those newcomers beside whom nobody may stand already."""
        return [pair for pair in pairs if not self._may_be_there(stream, pair)]

    def _may_be_there(self, stream: StreamSpec, pair: Pair) -> bool:
        there: Side = "b" if pair.a is not None else "a"
        keys = self._keys.get((stream.name, there), ())
        return bool(keys) and (UNKNOWN_KEY in keys or any(key in keys for key in pair.binding.keys))
