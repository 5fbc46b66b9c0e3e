"""Who waits for what: records are woken when what they may wait for has come (SPEC B9, G12, S8, U9; REDTEAM 26).

Records without a partner are tried again in every run that looks; this is for the rest, and for the runs that don't. A
child is woken by what came to have a partner since it was last tried, whichever run that was; the first run of an owner
wakes everybody, so nothing is lost with the process that noticed it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from actors.core import initial, needed
from actors.core.mapping import references
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Hint, Observation, Record, Side, State
from actors.core.values import Value
from actors.ports import Settlement
from actors.state import RunState

PAGE = 500
WOKEN_MAX = 5000  # in one run; the rest is tried by the next complete read
SHARING_MAX = 20  # records that share a key: the pair that is in step is among the first
ARRIVED = "what it may wait for has come"
NEEDED = "another record needs it"


async def wake(state: RunState, stream: StreamSpec) -> None:
    """Put the records of a stream that wait into the inbox, to be looked at next."""
    needs = tuple(dict.fromkeys((*stream.parents, *stream.requires)))
    if not needs or state.dry:
        return
    arrived = tuple(state.memory.arrived.get(name, 0) for name in needs)
    if state.memory.woken.get(stream.name) == arrived:
        return
    after = woken = 0
    while page := await state.store.waiting(state.link, stream.name, after, PAGE):
        after, woken = page[-1].id, woken + len(page)
        bindings = await state.store.bindings_by_key(state.link, sorted({row.binding for row in page}))
        hints = []
        for binding in bindings:
            side = next(side for side in SIDES if binding.side(side) is not None)
            held = binding.side(side)
            assert held is not None
            hints.append(Hint(stream=stream.name, side=side, id=held.id, reason=ARRIVED))
        if hints:
            await state.settle(Settlement(run=state.run, hints=tuple(hints)))
        if woken >= WOKEN_MAX:
            break
    state.memory.woken[stream.name] = arrived


async def let_go_needed(state: RunState, stream: StreamSpec, seen: Sequence[Observation]) -> None:
    """Records that the initial load left where they are, and that these ones refer to: they are needed now (T15)."""
    left = {one.name for one in state.spec.streams if initial.leaves(one)}
    for side in SIDES if seen and left else ():
        records = [Record(one.id, one.native) for one in seen if one.side == side]
        for name, ids in references(stream, side, records).items():
            found = await state.store.bindings(state.link, name, side, sorted(ids)) if name in left else ()
            halves = [half for half in found if initial.is_held(half)]
            if not halves:
                continue
            bindings = [msgspec.structs.replace(initial.let_go(half), rev=half.rev + 1) for half in halves]
            hints = [Hint(name, side, held.id, NEEDED) for half in halves if (held := half.side(side))]
            await state.settle(Settlement(run=state.run, bindings=tuple(bindings), hints=tuple(hints)))


async def lacks(
    state: RunState, stream: StreamSpec, seen: Sequence[Observation]
) -> Mapping[tuple[Side, str], tuple[str, ...]]:
    """What of the streams that it requires is not in step yet, in words, by the side and id of each of these records."""
    none = [name for name in stream.requires if not await state.store.count_bindings(state.link, name, 1)]
    every = (f"no record of {', '.join(none)} is in step yet",) if none else ()
    out = {(one.side, one.id): every for one in seen}
    for name, paths in stream.named.items() if not none else ():
        for side, path in paths.items():
            of = {one.id: needed.named(path, one) for one in seen if one.side == side}
            missing = await _missing(state, name, side, [v for values in of.values() for v in values or ()])
            for id_, values in of.items():
                late = ", ".join(str(value) for value in values or () if value in missing)
                if late or values is None:
                    said = (
                        f"{name} {late} not in step yet"
                        if late
                        else f"{path} not delivered, which names {name}"
                    )
                    out[side, id_] = (*out[side, id_], said)
    return out


async def _missing(state: RunState, name: str, side: Side, values: Sequence[Value]) -> Collection[Value]:
    """Those of the values that name no pair of the stream which is in step."""
    stream = state.spec.stream(name)
    key = needed.key_of(stream) if values else None
    if key is None:
        return values
    wanted = needed.hashes(stream, side, values)
    asked = frozenset().union(*wanted.values())
    found = await state.store.sharing(state.link, name, key[0], sorted(asked), SHARING_MAX * len(asked))
    there = {one.keys[key[0]] for one in found if one.state is State.SETTLED and one.a and one.b}
    return [value for value, hashes in wanted.items() if not hashes & there]
