"""Moves and renames: a record that is gone, and a new one of the same side that is the same record. Pure.

Before a deletion is concluded, what is gone is compared with what is new on its side (REDTEAM 19): by the match keys that
are left, then by everything but the match keys. Only one with one counts; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actors.core import initial
from actors.core.merge import settled_on
from actors.core.policy import StreamSpec
from actors.core.types import Binding, Held, Presence, Side, State
from actors.core.values import UNKNOWN, Fields, fingerprint, is_erased

# So many fields beside the match keys must say who a record is, or nothing is told by them.
TELLING_MIN = 2


def gone_side(binding: Binding) -> Side:
    """The side on which a binding in state `gone` was found gone."""
    assert binding.a is not None
    return "a" if binding.a.presence is Presence.DELETED else "b"


def by_key(a: Sequence[int], b: Sequence[int], taken: Sequence[int], gone: Mapping[int, Side]) -> bool:
    """Whether a group that shares a match key is one record that moved: one new, one gone of its side, nobody else."""
    if len(taken) != 1 or taken[0] not in gone:
        return False
    here, there = (a, b) if gone[taken[0]] == "a" else (b, a)
    return len(here) == 1 and not there


def told_by(stream: StreamSpec, fields: Fields) -> str | None:
    """Everything that a record shows beside its match keys, as a fingerprint; None where that is too little to tell it by,
    was not seen, or was erased."""
    keys = {name for names in stream.match for name in names}
    skipped = stream.object_field  # where it stands is what changed
    names = [spec.name for spec in stream.mergeable if spec.name not in keys and spec is not skipped]
    values = [fields.get(name, UNKNOWN) for name in names]
    if any(value is UNKNOWN or is_erased(value) for value in values):
        return None
    if sum(value not in (None, "", ()) for value in values) < TELLING_MIN:
        return None
    return fingerprint([names, *values])


def was_told_by(stream: StreamSpec, gone: Binding) -> str | None:
    """The same of a record that is gone, by what it held when last settled."""
    side = gone_side(gone)
    return told_by(stream, settled_on(gone, side))


def moved(gone: Binding, new: Binding) -> Binding:
    """The binding of what is gone, with the new record in its place: what was settled stays."""
    side = gone_side(gone)
    was, here = gone.side(side), new.side(side)
    assert was is not None and here is not None
    held = Held(id=here.id, dev=was.dev, version=here.version, seen_gen=here.seen_gen)
    out = msgspec.structs.replace(gone, state=State.SETTLED, note=initial.noted(gone, ""), rev=gone.rev + 1)
    return out.with_side(side, held)
