"""An intent that covers many creates, and no reply: what of them is there? All were made, or none.

If one is there, the request took place, and one that is missing was deleted since. If none is there after the deadline,
the system's tail and its read lag, nothing took place: the records are newcomers again.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from actors.access import Sides
from actors.bulk import covered, half_again
from actors.core.policy import StreamSpec
from actors.core.settle import settle
from actors.core.types import Action, ActionState, Binding, Hint, Observation, Presence
from actors.lines import revised
from actors.ports import Closed, Counters, Settlement
from actors.state import RunState


async def resolve_rows(state: RunState, sides: Sides, stream: StreamSpec, action: Action) -> bool:
    """Close the intent, if that can be told by now."""
    access, asked = sides[action.side], state.clock.now()
    bindings = await covered(state, action)
    ids = [held.id for binding in bindings if (held := binding.side(action.side)) is not None]
    looks = {one.id: one for one in await access.look(stream, ids, "instant")}
    there = {id_: one for id_, one in looks.items() if one.presence is Presence.PRESENT}
    declared = access.declaration
    if not there:
        if asked <= action.deadline + declared.vendor_tail_s + declared.read_lag_s:
            return False
        await state.settle(
            Settlement(
                run=state.run,
                bindings=tuple(half_again(binding, action.side) for binding in bindings),
                closed=(Closed(action.id, ActionState.DROPPED, error="did not arrive"),),
            )
        )
        return True
    changed, hints = _judged(state, stream, action, bindings, there)
    for id_ in ids:  # until the read lag is over, other looks may still show nothing
        state.memory.wrote(stream.object(action.side), action.side, id_, state.clock.monotonic())
    await state.settle(
        Settlement(
            run=state.run,
            bindings=tuple(changed),
            closed=(Closed(action.id, ActionState.CONFIRMED),),
            hints=tuple(hints),
            spend={(stream.name, action.side, stream.object(action.side), "creates"): len(ids)},
            counters=(Counters(stream=stream.name, side=action.side, created=len(ids)),),
        )
    )
    state.confirmed += len(ids)
    return True


def _judged(
    state: RunState,
    stream: StreamSpec,
    action: Action,
    bindings: list[Binding],
    there: dict[str, Observation],
) -> tuple[list[Binding], list[Hint]]:
    """The bindings of records that show something else than was sent, and hints for those and for the missing."""
    changed: list[Binding] = []
    hints: list[Hint] = []
    for binding in bindings:
        held = binding.side(action.side)
        if held is None:
            continue
        seen = there.get(held.id)
        if seen is None or seen.problem:
            hints.append(Hint(stream.name, action.side, held.id, "look again"))
            continue
        one = msgspec.structs.replace(
            action, binding=binding.key, covers=None, target=held.id, fields=binding.base
        )
        out = settle(stream, binding, one, seen, now=state.clock.now(), by_reply=False)
        if out.open or out.differs:
            unsure = _without(out.binding, [name for name in out.open if binding.base.get(name) is not None])
            changed.append(revised(msgspec.structs.replace(unsure, rev=binding.rev)))
            hints.append(Hint(stream.name, action.side, held.id, "follow-up"))
    return changed, hints


def _without(binding: Binding, fields: Collection[str]) -> Binding:
    """A binding in which these fields are not settled: it was stored as if all were to be shown as it was sent, and what is
    not may be what the system makes of it, so it is first contact that decides, as where one record was made."""
    return msgspec.structs.replace(binding, base={n: v for n, v in binding.base.items() if n not in fields})
