"""When a direction delivers: from the entry `delivery` of a link or a stream to schedules by the side that is written to.

Must not: know what becomes of them; that is schedule.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from actors.core import schedule
from actors.core.blueprint.entries_when import DIRECTIONS, EVERY, JITTER, LOADS, SCHEDULE
from actors.core.blueprint.nodes import Node, described
from actors.core.schedule import COMMAND, INSTANT, Schedule
from actors.core.types import SIDES, Side

_TO: Final[Mapping[str, Side]] = dict(zip(DIRECTIONS, ("b", "a"), strict=True))
_EVERY: Final = re.compile(EVERY)
_EVERY_S: Final = (10.0, 31 * 86400.0, 3600.0)  # shortest, longest, stand-in for a faulty one


class When(msgspec.Struct, frozen=True):
    """What holds where a stream says nothing: the link's time zone, and its schedules by the side written to."""

    zone: str = "UTC"
    delivery: Mapping[Side, Schedule] = {}


def read_when(zone: Node | None, delivery: Node | None) -> When:
    """The entries `zone` and `delivery` of a link."""
    known = When(_zone(zone) if zone is not None else "UTC")
    return msgspec.structs.replace(known, delivery=read_delivery(delivery, known))


def read_delivery(node: Node | None, link: When) -> Mapping[Side, Schedule]:
    """`delivery`: one schedule for both directions, or one for each."""
    if node is None:
        return link.delivery
    if not isinstance(node.value, Mapping) or "at" in node.value:
        return dict.fromkeys(SIDES, _schedule(node, link))
    entries = node.mapping(DIRECTIONS)
    given = {side: found for name, side in _TO.items() if (found := entries.get(name)) is not None}
    return {**link.delivery, **{side: _schedule(found, link) for side, found in given.items()}}


def _schedule(node: Node, link: When) -> Schedule:
    if not isinstance(node.value, Mapping):
        return _timed(node, link.zone, None)
    entries = node.table(SCHEDULE)
    at, zone, jitter = entries.get("at"), entries.get("zone"), entries.get("jitter")
    jitter_s = jitter.within(JITTER, 0.0) if jitter is not None else None
    where = _zone(zone) if zone is not None else link.zone
    found = _timed(at, where, jitter_s) if at is not None else INSTANT
    load = entries.get("initial_load")
    at_once = load is not None and load.word(LOADS, "scheduled") == "instant"
    return msgspec.structs.replace(found, load_at_once=at_once) if found is not INSTANT else found


def _timed(node: Node, zone: str, jitter_s: float | None) -> Schedule:
    text = " ".join(node.value.split()) if isinstance(node.value, str) else ""
    if text in ("instant", "command"):
        if jitter_s is not None:
            node.fault(f"`{text}` has no instants that a jitter could move")
        return INSTANT if text == "instant" else COMMAND
    if text == "nightly":
        return schedule.cron(
            text, schedule.NIGHTLY, zone, schedule.NIGHTLY_JITTER_S if jitter_s is None else jitter_s
        )
    if found := _EVERY.fullmatch(text):
        length = Node(found[1], node.path, node.faults)
        return schedule.every(text, length.seconds(*_EVERY_S), jitter_s)
    if len(text.split()) > 1:
        try:
            return schedule.cron(text, text, zone, jitter_s or 0.0)
        except ValueError as error:
            node.fault(str(error))
            return INSTANT
    node.fault(
        f"{described(node.value)} is no schedule; write instant, command, nightly, every 15m, or a cron expression "
        "like 30 2 * * *"
    )
    return INSTANT


def _zone(node: Node) -> str:
    zone = node.text()
    if not zone:
        return "UTC"
    try:
        schedule.check_zone(zone)
    except ValueError as error:
        node.fault(str(error))
        return "UTC"
    return zone
