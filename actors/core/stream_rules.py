"""Rules of a stream about whole records, as data: gates (gates.py, blueprint/gates.py), imports (documents.py), what follows
a merge (gone.py)."""

from __future__ import annotations

import enum
from datetime import date

import msgspec

from actors.core.values import Value


class GateOn(enum.StrEnum):
    """When a record that nobody on the other side knows may go."""

    LEVEL = "level"  # while it fulfils the condition
    EDGE = "edge"  # once it begins to; what fulfilled it before the initial load was complete does not


class Ineligible(enum.StrEnum):
    """What becomes of a pair whose record no longer fulfils the condition."""

    KEEP = "keep"  # it stays in step
    PUT_BACK = "put_back"  # the value is put back
    DEACTIVATE = "deactivate"  # the other side is marked, by the stream's `mark`; the mark goes when it fulfils it again
    DETACH = "detach"  # nothing passes until it fulfils the condition again


class GateKeys(enum.StrEnum):
    """Whether a record that is kept out holds its match keys."""

    HELD = "held"  # who has one of them on the other side makes nobody beside it: a person is asked
    FREE = "free"  # they count for nothing: it is a record of another role


class Gate(msgspec.Struct, frozen=True):
    """Which records of one side take part: those whose native field `path` holds one of `values` (none named: anything
    but nothing). `since`: with `on: edge`, those go as well that took part before and are dated from that day on, by
    the field `dated`."""

    path: str
    values: tuple[Value, ...] = ()
    on: GateOn = GateOn.LEVEL
    then: Ineligible = Ineligible.KEEP
    keys: GateKeys = GateKeys.HELD
    since: date | None = None
    dated: str = ""


class Imports(enum.StrEnum):
    """When a staged record is made."""

    ASK = "ask"  # when a person says so
    ALWAYS = "always"  # by itself, in the run after the one that staged it
    NEVER = "never"  # not at all: it stays staged, whatever anybody says


class Reactivation(enum.StrEnum):
    """What becomes of a field that was false on a side, and is so there no longer: it says whether a record is active."""

    FOLLOW = "follow"  # an edit like any other
    IGNORE = "ignore"  # it stays on that side: only a deactivation crosses


class OnMerge(enum.StrEnum):
    """Gone on one side, and another bound record there has one of its keys: it may have been merged into that."""

    ASK = "ask"  # nothing is done to the partner until a person says what
    KEEP = "keep"  # the partner stays as it is, and is let go
    DELETE = "delete"  # it is a deletion like any other
    FOLLOW = "follow"  # as `delete`, on a yes, and once nothing refers to the partner any more
