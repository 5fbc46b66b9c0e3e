"""What is to be put back, and got another id before it was: it goes on with the newcomer of its side that has its match key.
Makes nothing: that one is looked at next, as what is to be put back.
"""

from __future__ import annotations

import msgspec

from actors.core import match
from actors.core.actions import id_on, note_line
from actors.core.merge import settled_on
from actors.core.newcomer import NOT_FROM_THERE, is_to_be_put_back
from actors.core.policy import DeleteEdit, DeletePolicy, StreamSpec
from actors.core.types import SIDES, ActionState, Binding, Hint, Room, Side, State, other
from actors.core.verdict import RESTORE
from actors.keygroups import is_listed
from actors.ports import Settlement
from actors.sharing import sharing
from actors.state import RunState


async def put_back_instead(state: RunState, stream: StreamSpec) -> None:
    """Give what waits to be put back, and is gone itself, the place in which its record is now: one with one."""
    restores = DeletePolicy.RESTORE in stream.deletes.values() or stream.delete_vs_edit is DeleteEdit.RESTORE
    if state.dry or not restores:
        return
    noted = await state.store.noted(state.link, stream.name, [RESTORE])
    waiting = [one for one in noted if is_to_be_put_back(one)]
    for level in range(len(stream.match)) if waiting else ():
        wanted: dict[int, list[Binding]] = {}
        for one in waiting if stream.binds_by(level) else ():
            if key := match.keys(stream, settled_on(one, _side(one)))[level]:
                wanted.setdefault(key, []).append(one)
        for key, those in (await sharing(state, stream, level, wanted)).items():
            if len(those) == len(wanted[key]) == 1 and _may_be(wanted[key][0], those[0]):
                waiting.remove(wanted[key][0])
                await _goes_on(state, stream, wanted[key][0], those[0])


def _side(half: Binding) -> Side:
    return next(side for side in SIDES if half.side(side) is not None)


def _may_be(one: Binding, half: Binding) -> bool:
    """Whether it is a newcomer of the same side, for whom nothing else is due."""
    side = _side(one)
    is_half = half.side(side) is not None and half.side(other(side)) is None
    held = half.state is State.HELD_BACK and half.note == NOT_FROM_THERE.format(side=side)
    return is_half and (half.state is State.NEW or held or is_listed(half))


async def _goes_on(state: RunState, stream: StreamSpec, one: Binding, half: Binding) -> None:
    side, now = _side(one), id_on(half, _side(one))
    held = one.side(side)
    assert held is not None
    binding = one.with_side(side, msgspec.structs.replace(held, id=now, version=None))
    reason = f"{held.id} on {side} is {now} now, and is to be put back"
    state.confirmed += 1
    await state.settle(
        Settlement(
            run=state.run,
            bindings=(msgspec.structs.replace(binding, rev=one.rev + 1),),
            dropped=(half.key,),
            items=(note_line(stream, binding, side, held.id, "moved", reason, ActionState.CONFIRMED),),
            unpark=tuple((half.key, room, "*") for room in Room),
            hints=(Hint(stream=stream.name, side=side, id=now, reason="moved"),),
        )
    )
