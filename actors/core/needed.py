"""What of another stream a record needs before it is made: any record of it, or those that it names (`requires`). Pure.

A record names them by what that stream's records are known by: the first of its match keys that is one field. SPEC S8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from actors.core.policy import LensError, StreamSpec
from actors.core.types import Observation, Side
from actors.core.values import UNKNOWN, BadValue, Line, Value, is_blank, key_hash

_BETWEEN: Final = re.compile(r"[,;\s]+")  # a text may name several


def key_of(needed: StreamSpec) -> tuple[int, str] | None:
    """The level and the field of the key by which records of this stream are named; None where it has none."""
    found = ((level, names[0]) for level, names in enumerate(needed.match) if len(names) == 1)
    return next((one for one in found if needed.binds_by(one[0])), None)


def named(path: str, seen: Observation) -> tuple[Value, ...] | None:
    """What a record names there, each once; None where that was not delivered."""
    value = seen.native.get(path, UNKNOWN)
    if value is UNKNOWN:
        return None
    if isinstance(value, str):
        value = tuple(_BETWEEN.split(value.strip()))
    items = value if isinstance(value, tuple) else (value,)
    return tuple(dict.fromkeys(one for one in items if not isinstance(one, Line) and not is_blank(one)))


def hashes(needed: StreamSpec, side: Side, values: Iterable[Value]) -> Mapping[Value, int]:
    """The hash by which the record that each value names is found; 0 for what no record can be called."""
    key = key_of(needed)
    place = needed.field(key[1]).side(side) if key is not None else None
    if key is None or place is None:
        return dict.fromkeys(values, 0)
    out: dict[Value, int] = {}
    for value in values:
        try:
            out[value] = key_hash(key[0], [place.lens.get((value,))]) or 0
        except (LensError, BadValue):
            out[value] = 0
    return out
