"""The types that pass between the phases look -> plan -> guard -> write -> settle. Frozen data, no behaviour.

Words as in docs/GLOSSARY.md. `fields` are *shared* names and values unless a name says `native`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from actors.core.values import Value

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")


def other(side: Side) -> Side:
    """The opposite side."""
    return "b" if side == "a" else "a"


class Presence(enum.StrEnum):
    """What is known of a record on one side."""

    PRESENT = "present"
    DELETED = "deleted"
    OUT_OF_SCOPE = "out_of_scope"
    UNSEEN = "unseen"


class Record(msgspec.Struct, frozen=True):
    """One record as a connector delivers it. A field that was not delivered is missing (unknown), not null.

    `version` is the system's own token (ETag, revision) or None; `modified` its own time stamp, epoch seconds. `unfinished`:
    it is kept from being worked on there, as one is that we make step by step until the last of them (lines).
    """

    id: str
    native: Mapping[str, Value]
    version: str | None = None
    modified: float | None = None
    unfinished: bool = False


class Observation(msgspec.Struct, frozen=True):
    """A side was seen to hold a record (or to hold it no longer).

    `asked` is the owner's monotonic time *before* the request left, seconds (fresh eyes). `fields` are shared
    values; `problem` says why the record could not be read into shared values (it is parked, naming this). `unfinished`: as
    in `Record`.
    """

    side: Side
    id: str
    asked: float
    presence: Presence = Presence.PRESENT
    fields: Mapping[str, Value] = {}
    native: Mapping[str, Value] = {}
    version: str | None = None
    modified: float | None = None
    problem: str = ""
    unfinished: bool = False


class Deviation(msgspec.Struct, frozen=True):
    """A side holds `value` where the base says otherwise, for a recorded reason.

    reason: rewritten | lossy | default | accepted | undone | differs (it differs after our write) | reported (foreign.py) |
    marked (marks.py) | initial load (initial.py) | erased (erasure.py).
    """

    value: Value
    reason: str


class Held(msgspec.Struct, frozen=True):
    """What is known of one side of a binding when it was last settled. `seen_gen`: last complete read that saw it."""

    id: str
    presence: Presence = Presence.PRESENT
    dev: Mapping[str, Deviation] = {}
    version: str | None = None
    seen_gen: int = 0


class State(enum.StrEnum):
    """Where a binding stands."""

    NEW = "new"  # half binding: to be matched, then created on the other side
    UNSURE = (
        "unsure"  # half binding whose match keys were not delivered: nothing is created on its side meanwhile
    )
    MATCHED = "matched"  # both sides known, never settled: first contact is due
    SETTLED = "settled"  # both sides known and settled
    GONE = "gone"  # one of its records was found gone: compared with what is new before anything is concluded
    HELD_BACK = "held_back"  # half binding that may not go (refused, excluded, ambiguous): see `note`
    TOMBSTONE = "tombstone"  # a deletion is remembered: never created again by itself


class Binding(msgspec.Struct, frozen=True):
    """A record of A and a record of B known to be the same; half bindings have one side only.

    `base`: what both sides agreed on, shared values; a missing field is unknown, not null. `keys`: one hash per
    match key of the stream (0 where the record has no such key). `map_ver`: under which mapping it was settled.
    `rev`: counts settlements; 0 = not stored yet. `contests`: per "side.field", [how often we wrote, since when].
    `key` is drawn by the store (0 = not stored yet).
    """

    stream: str
    key: int = 0
    state: State = State.NEW
    a: Held | None = None
    b: Held | None = None
    base: Mapping[str, Value] = {}
    keys: tuple[int, ...] = ()
    map_ver: str = ""
    rev: int = 0
    note: str = ""
    contests: Mapping[str, tuple[int, float]] = {}

    def side(self, side: Side) -> Held | None:
        """What is held on `side`, or None for a half binding's other side."""
        return self.a if side == "a" else self.b

    def with_side(self, side: Side, held: Held) -> Binding:
        """The same with `held` on `side`."""
        return msgspec.structs.replace(self, **{side: held})


class Op(enum.StrEnum):
    """What an action does on its side."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MARK = "mark"
    NONE = "none"  # nothing outside: a decision worth a line in the protocol (bound, adopted, parked)


class ActionState(enum.StrEnum):
    """One action through its whole life."""

    PLANNED = "planned"  # in a plan, waits for a yes
    SENT = "sent"  # intent committed; the request may be under way: an open intent
    CONFIRMED = "confirmed"  # the reply's content or a look showed it
    UNCONFIRMED = "unconfirmed"  # accepted without content, not looked at yet
    REFUSED = "refused"  # the system said no
    UNKNOWN = "unknown"  # outcome not known, nothing can decide it: listed for a person
    DROPPED = "dropped"  # not done: the record moved on, or the request surely did not arrive
    PARKED = "parked"  # went to a room instead
    EXPLAINED = "explained"  # found by a verification: both sides differ, and a rule says so
    DEFECT = "defect"  # found by a verification: both sides differ, and nothing says why


OPEN_STATES = frozenset({ActionState.SENT, ActionState.UNCONFIRMED})  # an intent that a look has to settle


class FieldDecision(msgspec.Struct, frozen=True):
    """How one field was decided: what base, A and B held (missing = unknown), what was chosen, by which rule."""

    field: str
    rule: str
    chosen: Value = None
    base: Any = None
    a: Any = None
    b: Any = None
    unknown: tuple[str, ...] = ()  # which of "base", "a", "b" were unknown


class Action(msgspec.Struct, frozen=True):
    """One write on one side, from plan to outcome; also the line in the protocol.

    `fields`: shared values to be seen on `side` afterwards. `native`: the native changes to send. `before`: shared
    values the write replaces. `seen_native`: the native values as last seen, for the precondition.
    `target`: the record's id on `side` ("" for a create whose id the system draws). `tag`: correlation tag.
    """

    stream: str
    side: Side
    op: Op
    binding: int
    rule: str = ""
    reason: str = ""
    target: str = ""
    tag: str = ""
    fields: Mapping[str, Value] = {}
    native: Mapping[str, Value] = {}
    before: Mapping[str, Value] = {}
    seen_native: Mapping[str, Value] = {}
    version: str | None = None
    decisions: tuple[FieldDecision, ...] = ()
    fingerprint: str = ""
    id: int = 0
    state: ActionState = ActionState.PLANNED
    deadline: float = 0.0  # wall clock, epoch seconds: after it the request can no longer be sent
    error: str = ""
    origin: str = ""  # id of the record on the other side, for people
    kinds: tuple[str, ...] = ()  # budget kinds it spends: deletes, creates, overwrites, clears
    covers: tuple[int, int] | None = None  # one request for many creates: keys of its bindings, first to last

    def concerns(self, binding: int) -> bool:
        """Whether it writes that binding's record."""
        return self.binding == binding or (
            self.covers is not None and self.covers[0] <= binding <= self.covers[1]
        )


class Room(enum.StrEnum):
    """The five rooms of parked records."""

    QUARANTINE = "quarantine"
    WAITING = "waiting"
    STAGED = "staged"
    CONFLICT = "conflict"
    AMBIGUOUS = "ambiguous"


class Parked(msgspec.Struct, frozen=True):
    """A record (or one field of it) that waits for something outside the run.

    One row per (binding, room, field). `fingerprint`: what it was parked on; a decision counts only for that.
    `decision`: None, or {"choose": "a"|"b"|"value"|"retry"|"keep"|..., "value": ...} set by a person.
    """

    stream: str
    room: Room
    binding: int
    reason: str
    field: str = ""
    side: Side | None = None
    record: str = ""
    hint: str = ""
    detail: Mapping[str, Any] = {}
    fingerprint: str = ""
    decision: Mapping[str, Any] | None = None
    id: int = 0
    since: float = 0.0


POKED = "poked"


class Hint(msgspec.Struct, frozen=True):
    """ "Something about record X changed": never data, only a reason to look. `seq` 0 = not stored yet.

    `id` "" is about the whole object: it is read completely, or, with the reason `POKED`, looked at for changes. A hint
    with that reason says the least: any other one for the same place takes its place.
    """

    stream: str
    side: Side
    id: str
    reason: str = "changed"
    seq: int = 0
    attempts: int = 0
    not_before: float = 0.0  # wall clock, epoch seconds


class Mode(enum.StrEnum):
    """What a run is for."""

    SYNC = "sync"
    PLAN = "plan"  # what a sync would do, saved as a plan
    VERIFY = "verify"  # both sides compared, every difference explained (actors/verifying.py)
    REHEARSE = "rehearse"  # what other rules would do to the bound records (actors/rehearsing.py)
    UNDO = "undo"  # what would take back what a run wrote, saved as a plan (actors/undoing.py)
    APPLY = "apply"  # an undo that somebody said yes to is carried out


class Outcome(enum.StrEnum):
    """How a run ended; derived from the records, never guessed."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    NOTHING_NEW = "nothing_new"
    CANCELLED = "cancelled"
    AWAITING_APPROVAL = "awaiting_approval"
