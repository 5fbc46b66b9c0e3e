"""`requires` of a stream: streams of which something has to be in step first, and of which of their records.

Must not: read records; what is said here is asked in needed.py and actors/waiting.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.core.blueprint.entries_rules import ASSIGNED, REQUIRED, WHICH
from actors.core.blueprint.nodes import Node
from actors.core.needed import key_of
from actors.core.policy import StreamSpec
from actors.core.types import SIDES, Side

# Stream -> side -> the native path by which a record there names those that it needs.
Named = Mapping[str, Mapping[Side, str]]


def read_requires(node: Node | None) -> tuple[tuple[str, ...], Named]:
    """`[tills]`, or `{tills: {which: assigned, a: TILLS}}`."""
    if node is None:
        return (), {}
    if not isinstance(node.value, Mapping):
        return tuple(item.text() for item in node.items()), {}
    named: dict[str, Mapping[Side, str]] = {}
    for name, entry in node.entries():
        entries = entry.table(REQUIRED)
        which = entries.get("which")
        if which is None or which.word(WHICH.words, "any") != ASSIGNED:
            continue
        paths: dict[Side, str] = {side: at.text() for side in SIDES if (at := entries.get(side)) is not None}
        if not paths:
            entries.fault("`a` or `b` is missing: where a record says which ones it is assigned to")
        named[name] = paths
    return tuple(name for name, _ in node.entries()), named


def check_requires(stream: StreamSpec, streams: Sequence[StreamSpec], at: Node) -> None:
    """A record can name others only by a key of one field that its side has."""
    of = {one.name: one for one in streams}
    for name, paths in stream.named.items():
        needed = of.get(name)
        key = key_of(needed) if needed is not None else None
        if needed is None:
            continue  # said already
        if key is None:
            at.fault(
                f"{name} has no match key of one field, by which its records could be named", "requires", name
            )
            continue
        for side in paths:
            place = needed.field(key[1]).side(side) if key[1] in {one.name for one in needed.fields} else None
            if place is None or len(place.paths) != 1:
                said = f"{key[1]} of {name} is not one path on side {side}, so nothing there can name its records"
                at.fault(said, "requires", name, side)
