"""A side's own values (local fields) as last seen: put back with a record that is restored (W30, G3, G9). Pure.

Local fields are never transferred, so no base holds them. Where a deletion on a side is undone (`restore`) they are
remembered with the binding, among that side's deviations; nothing compares them with anything but themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.core.policy import StreamSpec
from actors.core.types import Binding, Deviation, Held, Observation, Presence
from actors.core.values import Value, is_blank, is_erased, same

# No field of a blueprint is called so.
PREFIX = "*local* "
BACK = "*back* "  # of the record that is to be made again, kept with the one that is left


def remembers(stream: StreamSpec) -> bool:
    """Whether some side's own values have to be remembered."""
    return any(stream.own_paths.values())


def stirs(stream: StreamSpec, held: Held, seen: Observation) -> bool:
    """Whether a look shows other values of the side's own than are remembered."""
    if not stream.own_paths[seen.side] or seen.presence is not Presence.PRESENT:
        return False
    return _after(stream, held, seen) != held.dev


def remembered(stream: StreamSpec, held: Held, seen: Observation) -> Held:
    """One side of a binding with its own values as they are seen now."""
    if not stream.own_paths[seen.side]:
        return held
    after = _after(stream, held, seen)
    return held if after == held.dev else msgspec.structs.replace(held, dev=after)


def both_remembered(stream: StreamSpec, binding: Binding, looks: tuple[Observation, Observation]) -> Binding:
    """A pair with the own values of both sides; nothing of it is to be made again."""
    a, b = binding.a, binding.b
    assert a is not None and b is not None
    a, b = remembered(stream, without_back(a), looks[0]), remembered(stream, without_back(b), looks[1])
    if (a, b) == (binding.a, binding.b):
        return binding
    return msgspec.structs.replace(binding, a=a, b=b)


def kept_for(gone: Held, left: Held) -> Held:
    """What is left, with the own values of the record that is gone."""
    kept = {BACK + n.removeprefix(PREFIX): dev for n, dev in gone.dev.items() if n.startswith(PREFIX)}
    return msgspec.structs.replace(left, dev={**left.dev, **kept}) if kept else left


def to_put_back(left: Held) -> Mapping[str, Value]:
    """The native values with which the record that is gone is made again."""
    known = ((n, dev.value) for n, dev in left.dev.items() if n.startswith(BACK))
    return {n.removeprefix(BACK): value for n, value in known if not is_erased(value)}


def without_back(held: Held) -> Held:
    """One side once the other one's record was made again, or was there."""
    if not any(name.startswith(BACK) for name in held.dev):
        return held
    return msgspec.structs.replace(held, dev={n: d for n, d in held.dev.items() if not n.startswith(BACK)})


def _after(stream: StreamSpec, held: Held, seen: Observation) -> Mapping[str, Deviation]:
    """The deviations with every own value that was delivered; an empty one is none."""
    out = dict(held.dev)
    for path in stream.own_paths[seen.side]:
        if path not in seen.native:
            continue
        value, known = seen.native[path], out.get(PREFIX + path)
        if is_blank(value):
            out.pop(PREFIX + path, None)
        elif known is None or not same(known.value, value):
            out[PREFIX + path] = Deviation(value, "local")
    return out
