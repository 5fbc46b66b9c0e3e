"""The in-memory system behind the `memory` connector: its records, their past, its change feed, its late effects.

Lives outside any connector, so that it survives whoever opened it. Knows its own records only; must not know links,
streams or the engine, and never awaits: who waits, and which request fails, is `memory.py`'s part.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import msgspec

from actors.core.values import BadValue, Value, canonical
from clients.connectors.systems.memory_lines import LINES, are_lines, with_ids

Rewrite = Callable[[Value, str], Value]


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong, as probabilities in [0, 1] per request, record or hint, and durations in seconds.

    `delay_s`: a request takes up to so long. `slow`: it takes `slow_s` instead. `lose_request`, `lose_reply`, `late`:
    a write never arrives; takes place but is not answered; takes place up to the declared vendor tail after the
    caller gave up. `refuse`, `not_done`: one write of a batch. `transient`, `rate_limit`: a whole request, nothing
    done. `lag`: a read answers from a state up to the declared read lag old. `hide_row`: a complete read leaves out a
    record that one before has shown. `drop_field`: a record is delivered without one of its fields. `hint_...`: the
    feed loses, doubles and delays (up to `hint_late_s`) touched keys, or drains them in disorder. `early`: a read
    answers from the state in which it was asked for, though the answer takes its time. `cut`: the answer about a batch
    breaks off after one of its writes, all were done. `batch_disorder`: a batch is carried out, and a read answered, in
    another order than asked. `part`: with `lines: steps`, a write of a record with lines is cut between two of its steps.
    `session_end`: all sessions end; `login_lost`: a log-in takes place (and ends the session
    before it where only one may live) but is not answered.
    """

    delay_s: float = 0.0
    slow: float = 0.0
    slow_s: float = 45.0
    lose_request: float = 0.0
    lose_reply: float = 0.0
    late: float = 0.0
    refuse: float = 0.0
    not_done: float = 0.0
    transient: float = 0.0
    rate_limit: float = 0.0
    retry_after_s: float = 5.0
    lag: float = 0.0
    hide_row: float = 0.0
    drop_field: float = 0.0
    hint_lost: float = 0.0
    hint_twice: float = 0.0
    hint_late: float = 0.0
    hint_late_s: float = 30.0
    hint_disorder: float = 0.0
    early: float = 0.0
    cut: float = 0.0
    batch_disorder: float = 0.0
    part: float = 0.0
    session_end: float = 0.0
    login_lost: float = 0.0


class ObjectShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of record: its fields (name -> type) and how the system rewrites what it is given.

    `rewrites`: field -> `truncate:N`, `upper`, `lower`, `trim` or `decimals:N`; persons and programs alike.
    """

    fields: Mapping[str, str]
    key: str = "id"
    rewrites: Mapping[str, str] = {}


class Change(msgspec.Struct, frozen=True):
    """One effect, told to the listeners: who asked for it when (`asked`), and what the system made of it (`at`).

    `op`: create, update or delete. `sent`: the fields as they were given; `before`, `after`: the whole record,
    None where there was or is none. Times are wall clock, seconds.
    """

    at: float
    asked: float
    object: str
    id: str
    op: str
    who: str
    sent: Mapping[str, Value]
    before: Mapping[str, Value] | None
    after: Mapping[str, Value] | None


class State(msgspec.Struct, frozen=True):
    """What a record was from `at` on; `fields` None: deleted."""

    at: float
    seq: int
    fields: Mapping[str, Value] | None
    tag: str = ""


class Touch(msgspec.Struct, frozen=True):
    """A touched key in the feed, visible from `visible` on."""

    number: int
    object: str
    id: str
    visible: float


class Refused(Exception):
    """The system's no, in its own words."""


def _truncate(value: Value, argument: str) -> Value:
    return value[: int(argument)] if isinstance(value, str) else value


def _decimals(value: Value, argument: str) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    return canonical(Decimal(value).quantize(Decimal(1).scaleb(-int(argument)), ROUND_HALF_UP))


REWRITES: Final[Mapping[str, Rewrite]] = {
    "truncate": _truncate,
    "decimals": _decimals,
    "upper": lambda value, _: value.upper() if isinstance(value, str) else value,
    "lower": lambda value, _: value.lower() if isinstance(value, str) else value,
    "trim": lambda value, _: value.strip() if isinstance(value, str) else value,
}


TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "text": str,
    "integer": int,
    "decimal": (int, Decimal),
    "boolean": bool,
    "date": date,
    "instant": datetime,
    "bytes": bytes,
    "list": tuple,
    LINES: tuple,
}


def _fits(value: Value, type_name: str) -> bool:
    if isinstance(value, bool) is not (type_name == "boolean"):
        return False
    if type_name in ("list", LINES) and are_lines(value) is not (type_name == LINES):
        return value == ()
    return isinstance(value, TYPES[type_name]) and (type_name != "date" or not isinstance(value, datetime))


class MemorySystem:
    """One in-memory system. `now` gives its wall clock, seconds; `keep_s` how much of the past reads may ask for."""

    def __init__(
        self,
        name: str,
        objects: Mapping[str, ObjectShape],
        now: Callable[[], float],
        *,
        seed: str = "0",
        faults: Faults = Faults(),  # noqa: B008 (frozen)
        keep_s: float = 0.0,
    ) -> None:
        self.name = name
        self.objects: dict[str, ObjectShape] = {}
        self.lie(faults, seed)
        self.listeners: list[Callable[[Change], None]] = []
        self.bells: list[Callable[[], None]] = []
        self.now = now
        self.keep_s = keep_s
        self._past: dict[str, dict[str, list[State]]] = {}
        self._feed: dict[int, Touch] = {}
        self._shown: set[tuple[str, str]] = set()
        self._late: list[tuple[float, int, Callable[[], object]]] = []
        self._bent: float | None = None
        self.hidden: dict[tuple[str, str], bool] = {}
        self.withheld: set[tuple[str, str]] = set()
        self.locked = False
        self.skew_s = 0.0  # how far the time stamps of its records are off
        self._sessions: set[int] = set()
        self._seq = 0
        self._version = 0
        self._drawn = 0
        self.add_objects(objects)

    def add_objects(self, objects: Mapping[str, ObjectShape]) -> None:
        """Objects that are new from now on; one that is there keeps its records. ValueError for an unknown rewrite."""
        for name, shape in objects.items():
            if bad := sorted({rule.partition(":")[0] for rule in shape.rewrites.values()} - set(REWRITES)):
                raise ValueError(f"{name}: unknown rewrite {', '.join(bad)}; there are {', '.join(REWRITES)}")
            if bad := sorted(set(shape.fields.values()) - set(TYPES)):
                raise ValueError(f"{name}: unknown type {', '.join(bad)}; there are {', '.join(TYPES)}")
            self.objects[name] = shape
            self._past.setdefault(name, {})

    def lie(self, faults: Faults, seed: str) -> None:
        """From now on these things go wrong, drawn from the seed."""
        self.faults = faults
        self.luck = random.Random(f"{seed}/{self.name}")  # noqa: S311 (replayed on purpose)

    def happens(self, chance: float) -> bool:
        """Whether it does this time; a chance of 0 draws nothing."""
        return chance > 0.0 and self.luck.random() < chance

    def next_seq(self) -> int:
        """A number larger than all before: of changes, hints and late effects."""
        self._seq += 1
        return self._seq

    def draw_id(self) -> str:
        """An id that was never given before; ids sort in the order they were drawn."""
        self._drawn += 1
        return f"{self.name}-{self._drawn:06d}"

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, object_name: str, id: str, at: float | None = None) -> State | None:
        """The record as it was at `at` (None: now), or None where there was none."""
        self.catch_up()
        return self._alive(self._past[object_name].get(id, ()), at)

    def rows(self, object_name: str, after: str = "", at: float | None = None) -> Iterator[tuple[str, State]]:
        """The records with id > after in the order of their ids, as they were at `at` (None: now)."""
        self.catch_up()
        for id, past in sorted(self._past[object_name].items()):
            if id > after and (state := self._alive(past, at)) is not None:
                yield id, state

    def changed(self, object_name: str, seq: int, at: float | None = None) -> Sequence[tuple[str, State]]:
        """Last states up to `at` with a number > seq, deletions included, in the order of their numbers."""
        self.catch_up()
        last = ((id, self._at(past, at)) for id, past in self._past[object_name].items())
        found = [(id, state) for id, state in last if state is not None and state.seq > seq]
        return sorted(found, key=lambda pair: pair[1].seq)

    def show(self, object_name: str, id: str) -> bool:
        """Note that a complete read shows a record; whether it is for the first time."""
        known = len(self._shown)
        self._shown.add((object_name, id))
        return len(self._shown) > known

    def last_seq(self, object_name: str, at: float | None = None) -> int:
        """The number of the last change of an object up to `at`; 0 where there was none."""
        found = self.changed(object_name, 0, at)
        return found[-1][1].seq if found else 0

    def _alive(self, past: Sequence[State], at: float | None) -> State | None:
        state = self._at(past, at)
        return state if state is not None and state.fields is not None else None

    @staticmethod
    def _at(past: Sequence[State], at: float | None) -> State | None:
        for state in reversed(past):
            if at is None or state.at <= at:
                return state
        return None

    # -- writing ------------------------------------------------------------------------------------------------

    def create(
        self,
        object_name: str,
        fields: Mapping[str, Value],
        who: str,
        *,
        id: str = "",
        tag: str = "",
        asked: float | None = None,
        reuse: bool = False,
    ) -> str:
        """Make a record and return its id. Raises `Refused` for an id that is or (unless `reuse`) was taken, or an
        unknown field."""
        self.catch_up()
        id = id or self.draw_id()
        past = self._past[object_name].get(id)
        if past and not (reuse and past[-1].fields is None):
            raise Refused(f"{id} exists already" if past[-1].fields is not None else f"{id} was used before")
        full = dict.fromkeys(self.objects[object_name].fields) | self._stored(object_name, fields)
        self._commit(object_name, id, "create", who, fields, None, full, tag, asked)
        return id

    def edit(
        self, object_name: str, id: str, fields: Mapping[str, Value], who: str, *, asked: float | None = None
    ) -> None:
        """Change some fields. Raises `Refused` where there is no such record or field."""
        state = self.get(object_name, id)
        if state is None or state.fields is None:
            raise Refused(f"there is no {id}")
        full = {**state.fields, **self._stored(object_name, fields)}
        self._commit(object_name, id, "update", who, fields, state.fields, full, state.tag, asked)

    def delete(self, object_name: str, id: str, who: str, *, asked: float | None = None) -> None:
        """Delete a record. Raises `Refused` where there is none."""
        state = self.get(object_name, id)
        if state is None:
            raise Refused(f"there is no {id}")
        self._commit(object_name, id, "delete", who, {}, state.fields, None, state.tag, asked)

    def restore(self, at: float, who: str) -> None:
        """Set every record back to what it was at `at`, as from a backup. No feed tells of it, and the numbers of
        changes start again from where they were then."""
        self.catch_up()
        numbers = [state.seq for past in self._all_pasts() for state in past if state.at <= at]
        now = self.now()
        for name, records in self._past.items():
            for id, past in list(records.items()):
                was, held = self._at(past, at), past[-1]
                records[id] = [state for state in past if state.at <= at]
                if not records[id]:
                    del records[id]
                before, after = held.fields, was.fields if was is not None else None
                if before != after:
                    self._tell_restored(now, name, id, who, before, after)
        self._version = max(numbers, default=0)

    def _all_pasts(self) -> Iterator[Sequence[State]]:
        for records in self._past.values():
            yield from records.values()

    def _tell_restored(
        self,
        now: float,
        object_name: str,
        id: str,
        who: str,
        before: Mapping[str, Value] | None,
        after: Mapping[str, Value] | None,
    ) -> None:
        op = "delete" if after is None else "create" if before is None else "update"
        sent = {n: v for n, v in (after or {}).items() if before is None or before.get(n) != v}
        for listener in self.listeners:
            listener(Change(now, now, object_name, id, op, who, sent, before, after))

    def later(self, at: float, effect: Callable[[], object]) -> None:
        """Let something take effect at a later time; it does before anybody looks or writes after that time."""
        heapq.heappush(self._late, (at, self.next_seq(), effect))

    def catch_up(self) -> None:
        """Carry out the late effects that are due."""
        if self._bent is not None:
            return
        while self._late and self._late[0][0] <= self.now():
            at, _, effect = heapq.heappop(self._late)
            self._bent = at
            try:
                effect()
            finally:
                self._bent = None

    def _stored(self, object_name: str, fields: Mapping[str, Value]) -> dict[str, Value]:
        shape = self.objects[object_name]
        if unknown := sorted(set(fields) - set(shape.fields)):
            raise Refused(f"{object_name} has no field {', '.join(unknown)}")
        return {name: self._rewritten(shape, name, value) for name, value in fields.items()}

    def _rewritten(self, shape: ObjectShape, name: str, given: Value) -> Value:
        try:
            value = canonical(given)
        except BadValue as error:
            raise Refused(f"{name}: {error}") from error
        if shape.fields[name] == LINES and are_lines(value):
            value = with_ids(value, lambda: f"L{self.draw_id()}")
        if value is not None and not _fits(value, shape.fields[name]):
            raise Refused(f"{name} takes {shape.fields[name]}, not {type(value).__name__}")
        rule, _, argument = shape.rewrites.get(name, "").partition(":")
        return REWRITES[rule](value, argument) if rule else value

    def _commit(
        self,
        object_name: str,
        id: str,
        op: str,
        who: str,
        sent: Mapping[str, Value],
        before: Mapping[str, Value] | None,
        after: Mapping[str, Value] | None,
        tag: str,
        asked: float | None,
    ) -> None:
        at = self.now() if self._bent is None else self._bent
        past = self._past[object_name].setdefault(id, [])
        while len(past) > 1 and past[1].at < at - self.keep_s:
            past.pop(0)
        self._version += 1
        past.append(State(at, self._version, after, tag))
        for wait_s in self._hint_fate():
            number = self.next_seq()
            self._feed[number] = Touch(number, object_name, id, at + wait_s)
        change = Change(
            at, at if asked is None else asked, object_name, id, op, who, dict(sent), before, after
        )
        for listener in self.listeners:
            listener(change)
        for bell in self.bells:
            bell()

    # -- rights and sessions ------------------------------------------------------------------------------------

    def hide(self, object_name: str, id: str, *, by_id: bool) -> None:
        """Rights or a filter hide a record: from lists, and where `by_id` from everybody who asks for it too."""
        self.hidden[object_name, id] = by_id

    def shows(self, object_name: str, id: str, *, by_id: bool) -> bool:
        """Whether rights and filters let a record be seen: in a list, or (`by_id`) by who asks for it."""
        hidden = self.hidden.get((object_name, id))
        return hidden is None or (by_id and not hidden)

    def log_in(self, single: bool) -> int:
        """A new session; where only one may live it ends those before it."""
        if single:
            self._sessions.clear()
        token = self.next_seq()
        self._sessions.add(token)
        return token

    def knows(self, token: int) -> bool:
        """Whether a session lives."""
        return token in self._sessions

    def end_sessions(self) -> None:
        """All sessions end."""
        self._sessions.clear()

    # -- the feed -----------------------------------------------------------------------------------------------

    def _hint_fate(self) -> Sequence[float]:
        """How often a touched key enters the feed, and how long after the change each time."""
        faults = self.faults
        if self.happens(faults.hint_lost):
            return ()
        times = 2 if self.happens(faults.hint_twice) else 1
        return [
            faults.hint_late_s * self.luck.random() if self.happens(faults.hint_late) else 0.0
            for _ in range(times)
        ]

    def touched(self) -> list[Touch]:
        """Visible touched keys that were not acknowledged, oldest first."""
        self.catch_up()
        now = self.now()
        return [touch for touch in self._feed.values() if touch.visible <= now]

    def acknowledge(self, number: int) -> None:
        """Take a touched key out of the feed; one that is not there any more is no error."""
        self._feed.pop(number, None)
