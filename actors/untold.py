"""Match keys that records of a side were seen with, and that are not stored with them yet, because the look came too early,
they have just been edited, or what was planned from the look was not done: nobody is made there who shares one, since he may
be that very record. Decides nothing else; the next look says who is who.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from actors.core import match
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Binding, Observation, Presence, Side, State, other
from actors.core.verdict import newcomer_state

UNKNOWN_KEY = 0  # a key was not delivered: it may be anybody
Shown = dict[tuple[str, Side], dict[str, set[int]]]  # stream, side -> record -> keys


class Newcomer(Protocol):
    """A half binding with the look that it is to be made from."""

    @property
    def binding(self) -> Binding: ...
    @property
    def a(self) -> Observation | None: ...


N = TypeVar("N", bound=Newcomer)


class Untold:
    """Of the streams of one run, and (`kept`) of those before: what is looked at again may be due after the next run."""

    def __init__(self, kept: Shown) -> None:
        self._kept = kept
        self._now: dict[tuple[str, Side], set[int]] = {}

    def note(self, stream: StreamSpec, binding: Binding, seen: Observation) -> None:
        """A look at a record that is known, and is not settled by it in this run."""
        if shown := not_stored(stream, binding, seen):
            self._now.setdefault((stream.name, seen.side), set()).update(shown)

    def keep(self, stream: StreamSpec, binding: Binding, seen: Observation) -> None:
        """The same, until it is looked at once more."""
        keep(self._kept, stream, binding, seen)

    def forget(self, stream: StreamSpec, seen: Observation) -> None:
        """A look that counts: what comes of it is settled, or noted anew."""
        self._kept.get((stream.name, seen.side), {}).pop(seen.id, None)

    def without(self, stream: StreamSpec, pairs: Sequence[N]) -> list[N]:
        """Those newcomers beside whom nobody may stand already."""
        keys = {side: self._shown(stream, side) for side in SIDES}
        return [pair for pair in pairs if not _may_be(pair, keys["b" if pair.a is not None else "a"])]

    def _shown(self, stream: StreamSpec, side: Side) -> set[int]:
        at = stream.name, side
        return self._now.get(at, set()).union(*self._kept.get(at, {}).values())


def _may_be(pair: Newcomer, keys: set[int]) -> bool:
    """Whether somebody on the other side, who shows these keys, may be that very record."""
    return bool(keys) and (UNKNOWN_KEY in keys or any(key in keys for key in pair.binding.keys))


def keep(kept: Shown, stream: StreamSpec, binding: Binding, seen: Observation) -> None:
    """What a look at a record showed that was not settled by it, until it is looked at once more."""
    shown = not_stored(stream, binding, seen)
    records = kept.setdefault((stream.name, seen.side), {})
    records.pop(seen.id, None)
    if shown:
        records[seen.id] = shown


def not_stored(stream: StreamSpec, binding: Binding, seen: Observation) -> set[int]:
    """The match keys that a look at a known record shows, and that are not stored with it."""
    if seen.presence is not Presence.PRESENT or seen.problem or binding.state is State.TOMBSTONE:
        return set()
    shown = {key for key in match.keys(stream, seen.fields) if key} - {*binding.keys}
    if binding.side(other(seen.side)) is None and newcomer_state(stream, seen) is State.UNSURE:
        shown.add(UNKNOWN_KEY)
    return shown
