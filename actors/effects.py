"""What is due once documents were made: their effects are told, in the transaction that settles the documents."""

from __future__ import annotations

from collections.abc import Sequence

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
