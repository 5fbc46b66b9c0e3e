"""Groups of records that share a match key, as a person is shown them. Plain functions: nothing is asked, nothing stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from actors.core import initial
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Binding, Parked, Room, Side, State, other
from actors.ports import KeyGroup

AMBIGUOUS = "ambiguous"


def without(group: KeyGroup, those: Collection[int]) -> KeyGroup:
    """The group without those that are none of it."""
    if not those:
        return group
    a, b, out = (tuple(k for k in keys if k not in those) for keys in (group.a, group.b, group.kept_out))
    return msgspec.structs.replace(group, a=a, b=b, kept_out=out)


def holders(stream: StreamSpec, whole: KeyGroup, free: KeyGroup) -> KeyGroup | None:
    """The group of newcomers beside whom a record would be made that the gate of its side keeps out and that holds its keys;
    None where there is none. `free`: the newcomers of `whole` that nobody else shares a key with."""
    side: Side = "a" if free.a else "b"
    held = [key for key in (whole.b if side == "a" else whole.a) if key in whole.kept_out]
    makes = side in stream.creates or bool(free.put_back)
    if not held or other(side) not in stream.gates or not makes:
        return None
    a, b = (free.a, tuple(held)) if side == "a" else (tuple(held), free.b)
    return msgspec.structs.replace(free, a=a, b=b, kept_out=tuple(held))


def listed(half: Binding) -> Binding:
    """A member of an unclear group, while it waits for a person."""
    note = half.note if half.note.startswith(AMBIGUOUS) else f"{AMBIGUOUS} {half.note}".strip()
    return msgspec.structs.replace(half, state=State.HELD_BACK, note=note, rev=half.rev + 1)


def is_listed(half: Binding) -> bool:
    return half.state is State.HELD_BACK and half.note.startswith(AMBIGUOUS)


def waiting_for_a_word(gone: Binding) -> Binding:
    """What is gone, while it can't be said which of several new records it is."""
    return msgspec.structs.replace(gone, note=initial.noted(gone, AMBIGUOUS), rev=gone.rev + 1)


def is_waiting(gone: Binding) -> bool:
    return gone.note.startswith(AMBIGUOUS)


def state_again(held: Binding) -> State:
    """Where a member of an unclear group stands once it is matched again."""
    if initial.HELD in held.note:
        return State.HELD_BACK
    return State.GONE if held.state is State.GONE else State.NEW


def lookalikes(sides: Mapping[int, Side], keys: Sequence[int], halves: Sequence[Binding]) -> KeyGroup:
    """What is gone, and several new records any of which may be it, as a group for a person."""
    new = tuple(half.key for half in halves)
    a = new if sides[keys[0]] == "a" else ()
    return KeyGroup(hash=0, a=a, b=() if a else new, taken=tuple(keys))


def beside_put_back(group: KeyGroup) -> KeyGroup:
    """The group as it will be once what is to be put back is there again."""
    back = group.put_back
    return KeyGroup(
        hash=group.hash,
        a=tuple(key for key in group.a if key not in back),
        b=tuple(key for key in group.b if key not in back),
        taken=(*group.taken, *back),
    )


def detail_of(group: KeyGroup, members: Mapping[int, Binding], shared: str) -> dict[str, list[str]]:
    """What a person is shown of a group: the fields that are shared, and who shares them."""
    return {
        "key": shared.split(", "),
        "a": [b.a.id for key in (*group.a, *group.taken) if (b := members[key]).a is not None],
        "b": [b.b.id for key in (*group.b, *group.taken) if (b := members[key]).b is not None],
    }


def row_of(
    stream: StreamSpec, half: Binding, group: KeyGroup, detail: dict[str, list[str]], print_: str
) -> Parked:
    """The entry of one member; `detail`, `print_`: of the group, as it is shown."""
    side: Side = "a" if half.a is not None else "b"
    held, there = half.side(side), other(side)
    assert held is not None
    key = ", ".join(detail["key"])
    shared = ", ".join(f"{', '.join(ids)} on {at}" for at in SIDES if (ids := detail[at]))
    reason = f"several records share {key}: {shared}"
    hint = f"decide which of them it is, or that it is none of them; or make {key} unique in the systems"
    if group.kept_out:
        path = stream.gates[there].path
        reason = f"{', '.join(detail[there])} on {there} has the same {key}, and the gate there ({path}) keeps it out"
        hint = "let that one take part, and they are one; or decide that it is that one, or none of them"
    return Parked(
        stream=stream.name,
        room=Room.AMBIGUOUS,
        binding=half.key,
        side=side,
        record=held.id,
        reason=reason,
        hint=hint,
        detail=detail,
        fingerprint=print_,
    )
