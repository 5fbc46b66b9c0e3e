"""Effects of an import: what is written together with a document on its side, such as a sale's movement of stock. Pure.

An effect is a stream of its own over the documents' object, so each of its records is made once, found again after a crash,
and can be asked for like any other. It rests as a half binding that waits until we have made its document; that is noted in
the very transaction that settles the document. A document that was there already has had its effects. SPEC S11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from actors.core.policy import StreamSpec
from actors.core.rooms import waits as waiting
from actors.core.types import Binding, Held, Hint, Observation, Parked, Room, Side, State, other

UNTOLD: Final = "effect: waits until its document is imported"
GONE: Final = "its record, which is gone: the document was imported, and this was not written with it yet"
DISMISS: Final = "dismiss"  # a person's word: it is gone for good, and what waits for it is given up
IMPORTED: Final = "its document was imported"  # the reason of the hint
DOCUMENT: Final = "document"  # the field by which an effect knows its document


def noted(stream: StreamSpec, half: Binding) -> Binding:
    """A record met for the first time, as it rests; as it is where its stream follows nothing. One that stands on the
    documents' side already keeps its match keys: it may be an effect that we made and forgot (a restored backup)."""
    if not stream.follows:
        return half
    here = any(half.side(side) is not None for side in stream.once)
    keys = half.keys if here else tuple(0 for _ in stream.match)
    return msgspec.structs.replace(half, state=State.HELD_BACK, note=UNTOLD, keys=keys)


def waits(half: Binding) -> bool:
    """Whether it is an effect whose document was not imported."""
    return half.note.startswith(UNTOLD)


def is_due(stream: StreamSpec, half: Binding) -> bool:
    """Whether it is an effect whose document was imported, and which is not told yet."""
    return bool(stream.follows) and not waits(half)


def without_record(stream: StreamSpec, half: Binding, gone: Observation) -> Parked:
    """The line of an effect that is due, and whose record is gone: it may only have been hidden."""
    hint = "it goes by itself when that is back; or say that it is gone for good: dismiss it"
    return msgspec.structs.replace(waiting(stream, half, gone, GONE), hint=hint)


def may_be_dismissed(row: Parked) -> bool:
    """Whether a person can end that an entry waits: nothing else may ever do."""
    return row.room is Room.WAITING and row.reason == GONE


def is_dismissed(parked: Sequence[Parked], row: Parked) -> bool:
    """Whether a person said so of what is still so."""
    said = (one for one in parked if may_be_dismissed(one) and one.fingerprint == row.fingerprint)
    return any((one.decision or {}).get("choose") == DISMISS for one in said)


def told(stream: StreamSpec, side: Side, ids: list[str], known: Mapping[str, Binding]) -> list[Binding]:
    """The half bindings of the effects whose documents were made, as they go now; one that was never met is noted. `known`:
    by id on `side`, where the documents come from."""
    out = []
    for id_ in ids:
        half = known.get(id_)
        if half is None:
            held = Held(id=id_)
            none = tuple(0 for _ in stream.match)
            out.append(
                Binding(
                    stream=stream.name,
                    a=held if side == "a" else None,
                    b=held if side == "b" else None,
                    keys=none,
                    map_ver=stream.map_ver,
                    rev=1,
                )
            )
        elif waits(half):
            out.append(msgspec.structs.replace(half, state=State.NEW, note="", rev=half.rev + 1))
    return out


def led(
    stream: StreamSpec, side: Side, ids: Mapping[str, str], known: Mapping[str, Binding]
) -> tuple[list[Binding], list[int]]:
    """The half bindings of effects that are due, of records that have another id now (`ids`: old -> new), as they go on with
    that; and keys of those that rested under the new ids. `known`: by id on `side`, where the documents come from."""
    out: list[Binding] = []
    dropped: list[int] = []
    for old, new in ids.items():
        half, there = known.get(old), known.get(new)
        if half is None or half.side(other(side)) is not None or not is_due(stream, half):
            continue
        if there is not None and not waits(there):
            continue  # it has an effect of its own
        moved = half.with_side(side, Held(id=new))
        out.append(msgspec.structs.replace(moved, state=State.NEW, rev=half.rev + 1))
        dropped += [there.key] if there is not None else []
    return out, dropped


def hint(stream: StreamSpec, side: Side, id_: str) -> Hint:
    """What brings a run to an effect."""
    return Hint(stream=stream.name, side=side, id=id_, reason=IMPORTED)
