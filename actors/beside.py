"""What stands beside a record in another object of its side, as half bindings remember it by a note (core/several.py): asked
for by that note, and led to the id that the record has by now. Decides nothing about the record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from actors.core.actions import id_on
from actors.core.policy import StreamSpec
from actors.core.several import BESIDE, moved_to, stands_beside
from actors.core.types import Binding, Hint, Presence, State, other
from actors.state import RunState


async def standing(state: RunState, stream: StreamSpec, lost: Collection[str]) -> list[tuple[Binding, str]]:
    """What stood beside records that are gone, each with the one of `lost`: a stranger, when it is looked at next. What our
    own move kept in the old object is none of them."""
    halves = (
        await state.store.noted(state.link, stream.name, [f"{BESIDE}{id}" for id in lost]) if lost else ()
    )
    return [(half, stands_beside(half)) for half in halves]


async def led(state: RunState, stream: StreamSpec, ids: Mapping[str, str]) -> tuple[Binding, ...]:
    """What stands beside records that have another id now (`ids`: old -> new): it stands beside those."""
    if not ids:
        return ()
    notes = {f"{BESIDE}{old}": f"{BESIDE}{new}" for old, new in ids.items()}
    halves = await state.store.noted(state.link, stream.name, list(notes))
    return tuple(msgspec.structs.replace(half, note=notes[half.note], rev=half.rev + 1) for half in halves)


async def alone(
    state: RunState, stream: StreamSpec, bindings: Iterable[Binding]
) -> tuple[tuple[int, ...], tuple[Hint, ...]]:
    """What stood beside records that were deleted, and partners with them, is a stranger now: keys of half bindings to be
    dropped, and hints to look at what they stand for."""
    side = stream.several
    if side is None:
        return (), ()
    gone = {
        held.id
        for one in bindings
        if one.state is State.TOMBSTONE and one.side(other(side)) is not None
        if (held := one.side(side)) is not None and held.presence is Presence.DELETED
    }
    halves = [half for half, _ in await standing(state, stream, gone)]
    hints = (Hint(stream=stream.name, side=side, id=id_on(half, side), reason="alone") for half in halves)
    return tuple(half.key for half in halves), tuple(hints)


def left(stream: StreamSpec, halves: Iterable[Binding]) -> dict[str, str]:
    """The old and the new id of records of which these new half bindings stand for what is in the old object still."""
    side = stream.several
    if side is None:
        return {}
    return {id_on(half, side): record for half in halves if (record := moved_to(half))}
