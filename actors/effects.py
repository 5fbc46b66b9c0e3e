"""What is due once documents were made: their effects are told, in the transaction that settles the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.core import effects
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Hint, Side
from actors.state import RunState


async def of_made(
    state: RunState, stream: StreamSpec, side: Side, ids: Sequence[str]
) -> tuple[tuple[Binding, ...], tuple[Hint, ...]]:
    """The bindings and hints that go with documents of `stream` that were made from these records of `side`."""
    bindings: list[Binding] = []
    hints: list[Hint] = []
    for name in stream.effects if ids else ():
        effect = state.spec.stream(name)
        found = await state.store.bindings(state.link, name, side, ids)
        known = {held.id: one for one in found if (held := one.side(side)) is not None}
        bindings.extend(effects.told(effect, side, list(ids), known))
        hints.extend(effects.hint(effect, side, id_) for id_ in ids)
    return tuple(bindings), tuple(hints)


async def led(
    state: RunState, stream: StreamSpec, side: Side, ids: Mapping[str, str]
) -> tuple[tuple[Binding, ...], tuple[int, ...], tuple[Hint, ...]]:
    """The effects that are due of records of `side` which have another id now (`ids`: old -> new): they go on with that. The
    bindings, keys of those that give way to them, and hints."""
    bindings: list[Binding] = []
    dropped: list[int] = []
    hints: list[Hint] = []
    for name in stream.effects if ids else ():
        effect = state.spec.stream(name)
        found = await state.store.bindings(state.link, name, side, [*ids, *ids.values()])
        known = {held.id: one for one in found if (held := one.side(side)) is not None}
        moved, gone = effects.led(effect, side, ids, known)
        bindings += moved
        dropped += gone
        hints += (
            effects.hint(effect, side, held.id) for one in moved if (held := one.side(side)) is not None
        )
    return tuple(bindings), tuple(dropped), tuple(hints)
