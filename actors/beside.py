"""What stands beside a record in another object of its side, as half bindings remember it by a note (core/several.py): asked
for by that note, and led to the id that the record has by now. Decides nothing about the record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from actors.access import Sides
from actors.core.actions import id_on
from actors.core.newcomer import is_to_be_put_back
from actors.core.plan import fresh
from actors.core.policy import StreamSpec
from actors.core.several import BESIDE, LEFT, is_back, is_left, moved_to
from actors.core.types import Binding, Held, Hint, Presence, Side, State
from actors.state import RunState


async def standing(state: RunState, stream: StreamSpec, lost: Collection[str]) -> list[tuple[Binding, str]]:
    """What stood beside records that are gone, each with the one of `lost`: a stranger, when it is looked at next. So is
    what our own move left in the old object, unless it is removed, or about to be; but not what a rule keeps there."""
    return [(half, moved_to(half)) for half in await _noted(state, stream, lost)]


async def astray(
    state: RunState, sides: Sides, stream: StreamSpec, halves: Iterable[Binding]
) -> dict[int, bool | None]:
    """Of what our moves left behind, those of which the record that we made in the other object is not there (any more: a
    backup, or a person): what was left may be all there is of it. None: a look may not show it yet."""
    side = stream.several
    moved = {half.key: moved_to(half) for half in halves if is_left(half)} if side is not None else {}
    if side is None or not moved:
        return {}
    lag_s, name = sides[side].declaration.read_lag_s, stream.object(side)
    seen = await sides[side].look(stream, list(dict.fromkeys(moved.values())))
    gone = {one.id: one for one in seen if one.presence is not Presence.PRESENT}
    surely = {id: fresh(one, state.memory.last(name, side, id), lag_s) for id, one in gone.items()}
    return {key: surely[record] or None for key, record in moved.items() if record in gone}


async def led(
    state: RunState, stream: StreamSpec, ids: Mapping[str, str], dropped: Collection[int] = ()
) -> tuple[Binding, ...]:
    """What stands beside records that have another id now (`ids`: old -> new), or was left by a move to them: it is told by
    the new one. `dropped`: keys of half bindings that go, since theirs are those very records."""
    stay = [half for half in await _noted(state, stream, ids) if half.key not in dropped]
    return tuple(replace(half, note=_led(half, ids), rev=half.rev + 1) for half in stay)


def _led(half: Binding, ids: Mapping[str, str]) -> str:
    record = moved_to(half)
    return f"{half.note.removesuffix(record)}{ids[record]}"


async def _noted(state: RunState, stream: StreamSpec, ids: Collection[str]) -> list[Binding]:
    """What stands beside these records, or was left by a move to them and is not removed, nor about to be."""
    notes = [f"{said}{id}" for said in (BESIDE, LEFT) for id in ids]
    halves = await state.store.noted(state.link, stream.name, notes) if notes else ()
    return [half for half in halves if not (is_back(half) or state.is_open(half.key))]


async def alone(
    state: RunState,
    stream: StreamSpec,
    bindings: Sequence[Binding],
    dropped: Collection[int],
    others: Sequence[Binding],
) -> tuple[tuple[Binding, ...], tuple[int, ...], tuple[Hint, ...]]:
    """What stood beside records that were deleted, with their partners or without any, is a stranger now, or takes the place
    of one that is to be put back: the bindings, keys of half bindings to be dropped (those that took a place), and hints to
    look at them all. `dropped`: of half bindings whose record is gone. Of those, and of `others`, something is settled here
    already."""
    side = stream.several
    if side is None:
        return tuple(bindings), (), ()
    found = await state.store.bindings_by_key(state.link, sorted(dropped)) if dropped else ()
    gone = {held.id for one in found if (held := one.side(side)) is not None}
    ended = {one.key: held.id for one in bindings if (held := _ended(one, side)) is not None}
    halves: dict[str, list[Binding]] = {}
    concluded = {*dropped, *(one.key for one in (*bindings, *others))}
    for half, record in await standing(state, stream, gone.union(ended.values())):
        if half.key not in concluded:
            halves.setdefault(record, []).append(half)
    out, taken = list[Binding](), set[int]()
    for one in bindings:
        first = next(iter(halves.get(ended.get(one.key, ""), ())), None)
        if first is None or not is_to_be_put_back(one):
            out.append(one)
            continue
        out.append(_instead(one, side, first))
        taken.add(first.key)
    free = [half for those in halves.values() for half in those]
    # Nobody is made there until it is known whom each of them matches.
    out += [
        replace(half, state=State.UNSURE, note="", rev=half.rev + 1) for half in free if half.key not in taken
    ]
    hints = (Hint(stream=stream.name, side=side, id=id_on(half, side), reason="alone") for half in free)
    return tuple(out), tuple(taken), tuple(hints)


def _ended(one: Binding, side: Side) -> Held | None:
    """The record of a tombstone that was deleted."""
    held = one.side(side)
    was_deleted = held is not None and held.presence is Presence.DELETED
    return held if one.state is State.TOMBSTONE and was_deleted else None


def _instead(one: Binding, side: Side, beside: Binding) -> Binding:
    """What was to be put back, and is gone itself, goes on with who stood beside it."""
    held = one.side(side)
    assert held is not None
    return one.with_side(side, replace(held, id=id_on(beside, side), version=None))


def left(stream: StreamSpec, halves: Iterable[Binding]) -> dict[str, str]:
    """The old and the new id of records of which these new half bindings stand for what is in the old object still."""
    side = stream.several
    if side is None:
        return {}
    return {id_on(half, side): record for half in halves if (record := moved_to(half))}
