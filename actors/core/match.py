"""Matching over whole key sets: which unbound records are the same. Only 1:1 groups bind; nothing is guessed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from actors.core.policy import StreamSpec
from actors.core.values import UNKNOWN, Fields, key_hash

Verdict = Literal["bind", "ambiguous", "free"]


def keys(stream: StreamSpec, fields: Fields) -> tuple[int, ...]:
    """One hash per match key of the stream, 0 where the record lacks a part of the key."""
    return tuple(
        key_hash(level, [fields.get(name, UNKNOWN) for name in names]) or 0
        for level, names in enumerate(stream.match)
    )


def undelivered(stream: StreamSpec, fields: Fields) -> tuple[str, ...]:
    """Fields of the match keys that were not delivered: without them nobody can say whom this record matches."""
    return tuple(dict.fromkeys(name for names in stream.match for name in names if name not in fields))


def decide(a: Sequence[int], b: Sequence[int], taken: Sequence[int], binds: bool = True) -> Verdict:
    """What becomes of one group of bindings that share a key; `binds`: whether that key alone makes them the same.

    `a`, `b`: half bindings with only that side; `taken`: full bindings and tombstones with the same key. One to one
    and nobody else binds. Half bindings of one side alone are free. Everything else goes to a person.
    """
    if not taken and len(a) == 1 and len(b) == 1:
        return "bind" if binds else "ambiguous"
    if not taken and (not a or not b):
        return "free"
    return "ambiguous"
