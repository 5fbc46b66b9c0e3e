"""What of another stream a record needs before it is made: any record of it, or those that it names (`requires`). Pure.

A record names them by what that stream's records are known by: the first of its match keys that is one field. SPEC S8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Final

from actors.core.policy import LensError, StreamSpec
from actors.core.types import Observation, Side
from actors.core.values import UNKNOWN, BadValue, Line, Value, is_blank, key_hash

_BETWEEN: Final = re.compile(r"[,;\s]+")  # a text may name several
_DIGITS: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")  # what a number is written like


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


def hashes(needed: StreamSpec, side: Side, values: Iterable[Value]) -> Mapping[Value, frozenset[int]]:
    """The hashes by which the record that each value names is found; none for what no record can be called.

    A system may hold a number in one place as a text and in another one as a number, so either is meant by the other.
    """
    key = key_of(needed)
    place = needed.field(key[1]).side(side) if key is not None else None
    if key is None or place is None:
        return dict.fromkeys(values, frozenset())
    out: dict[Value, frozenset[int]] = {}
    for value in values:
        found: set[int] = set()
        for one in _as_written(value):
            with suppress(LensError, BadValue):
                found.add(key_hash(key[0], [place.lens.get((one,))]) or 0)
        out[value] = frozenset(found - {0})
    return out


def _as_written(value: Value) -> tuple[Value, ...]:
    if isinstance(value, str):
        return (value, int(value)) if _DIGITS.fullmatch(value) else (value,)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return (value, f"{value:f}" if value != int(value) else str(int(value)))
    return (value,)
