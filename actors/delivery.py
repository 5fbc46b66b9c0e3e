"""What of a run's work has to wait for its schedule, and what it delivers because the schedule's time has come.

A write towards a direction that is closed is left out; a hint with the reason `scheduled` and the time at which it goes
stands in the inbox instead, so that the record is looked at and planned again then. New records need no hint: they stand
as half bindings until their direction is open. Must not: plan, or write.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from actors.core.errors import TandemError
from actors.core.policy import LinkSpec, StreamSpec
from actors.core.schedule import NEVER, Delivery, Place, deliveries, next_delivery
from actors.core.several import RULE, was_move
from actors.core.types import Action, Hint, Op, Side, other
from actors.messages import Ports
from actors.ports import Clock, Cursor, RunRow, Turn

SCHEDULED = "scheduled"
Came = tuple[str, Side, int]  # stream, the side that is written to, binding


class Gate:
    """Which directions are closed in one run. A command, and a run of any other mode, know no schedule.

    A direction whose time comes while the run is under way is open from then on (else what it holds back would be due,
    and be held back, again and again); but only the next run, which begins after that time, delivers all there is.
    """

    def __init__(
        self,
        spec: LinkSpec,
        cursors: Sequence[Cursor],
        row: RunRow,
        clock: Clock,
        loaded: Collection[str] = (),
        came: set[Came] | None = None,
    ) -> None:
        """`loaded`: the streams whose initial load is complete, as the run goes on. `came`: of what both sides are to be
        told, for which of them the time has come already; kept from run to run."""
        self._came = came if came is not None else set()
        self._clock = clock
        self._loaded = loaded
        self._started = row.started
        self._standing: Mapping[Place, Delivery] = {}
        self.commanded = row.cause == "command"
        if spec.schedules and row.mode == "sync":
            found = deliveries(spec.schedules, delivered(cursors), row.link, row.started)
            self._standing = {(one.stream, one.side): one for one in found}

    def is_closed(self, stream: StreamSpec, side: Side) -> bool:
        """Whether nothing may be written there now. What is written together with a document goes with it."""
        if stream.follows:
            return False
        return self._opens_at(stream.name, side) > self._clock.now()

    def _opens_at(self, stream: str, side: Side) -> float:
        one = self._standing.get((stream, side))
        if one is None or one.is_open or self.commanded:
            return -math.inf
        return -math.inf if one.schedule.load_at_once and stream not in self._loaded else one.goes_at

    def opened(self, stream: StreamSpec, *, all_gone: bool) -> list[tuple[Side, float]]:
        """The sides to which this run delivers all that waited (if it did), with the time to be noted; and those that were
        never delivered to, whose schedule counts from now on."""
        return [
            (one.side, self._started)
            for one in self._standing.values()
            if one.stream == stream.name and (one.is_new or (all_gone and (one.is_open or self.commanded)))
        ]

    def is_open(self, stream: StreamSpec) -> bool:
        """Whether both directions are."""
        return not any(self.is_closed(stream, side) for side in stream.delivery)

    def sift(self, stream: StreamSpec, actions: Sequence[Action]) -> tuple[list[Action], list[Action]]:
        """Those that may go now, and those that wait. What both sides are to be told goes to both or to neither: once the
        time of one has come it waits for that of the other alone, as the two may never be open at once."""
        waiting = {
            i
            for i, one in enumerate(actions)
            if self.is_closed(stream, one.side) and not _decided(stream, one)
        }
        if not waiting:
            return list(actions), []
        both = _of_both_sides(actions)
        came = {i for i in waiting & both.keys() if self._place(actions[i]) in self._came}
        waiting -= {i for i in came if waiting.isdisjoint(both[i])}
        parted = {i for i, others in both.items() if i not in waiting and not waiting.isdisjoint(others)}
        self._came |= {self._place(actions[i]) for i in parted}
        waiting |= parted
        go = [one for i, one in enumerate(actions) if i not in waiting]
        self._came -= {self._place(one) for one in go}
        return go, [actions[i] for i in sorted(waiting)]

    @staticmethod
    def _place(action: Action) -> Came:
        return action.stream, action.side, action.binding

    def hints(self, waiting: Iterable[Action]) -> list[Hint]:
        """What brings the waiting ones back when their time has come."""
        out = []
        for one in waiting:
            own, there = (self._opens_at(one.stream, side) for side in (one.side, other(one.side)))
            goes_at = own if own > self._clock.now() else there
            # What is left behind in another object has no partner: it is looked at itself.
            left = one.rule.startswith(RULE)
            out.append(
                Hint(
                    stream=one.stream,
                    side=one.side if left else other(one.side),
                    id=one.target if left else one.origin,
                    reason=SCHEDULED,
                    not_before=goes_at,
                )
            )
        return out


def _of_both_sides(actions: Sequence[Action]) -> dict[int, set[int]]:
    """Actions that tell of something which others of their record tell of as well, each with those."""
    records: dict[int, list[int]] = {}
    for i, one in enumerate(actions):
        records.setdefault(one.binding, []).append(i)
    return {
        i: others
        for those in records.values()
        for i in those
        if (others := {j for j in those if j != i and actions[j].fields.keys() & actions[i].fields.keys()})
    }


def _decided(stream: StreamSpec, action: Action) -> bool:
    """Whether it makes, or completes, what a person decided to import: that waits for no schedule. (Who moves to another
    object was imported before.)"""
    imports = action.op is Op.CREATE and not was_move(stream, action)
    return action.side in stream.stages and (imports or action.side in stream.once)


def delivered(cursors: Iterable[Cursor]) -> dict[Place, float]:
    """When everything that had waited was last delivered, by stream and side."""
    return {(cursor.stream, cursor.side): cursor.delivered for cursor in cursors}


def due_by_schedule(ports: Ports, turn: Turn, now: float) -> float:
    """The next instant at which something of a link is delivered by its schedule, epoch seconds; `NEVER`: none."""
    try:
        spec = ports.blueprint(turn.row.blueprint, turn.row.settings)
    except TandemError:
        return NEVER
    if not spec.schedules:
        return NEVER
    return next_delivery(spec.schedules, delivered(turn.cursors), turn.row.id, now)
