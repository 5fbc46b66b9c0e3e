"""What the store keeps and hands out: data only.

Times are wall clock, epoch seconds, unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.core.changes import Change
from actors.core.guard import Spent
from actors.core.types import SIDES, Action, ActionState, Binding, Hint, Mode, Op, Outcome, Parked, Room, Side


class Lease(msgspec.Struct, frozen=True):
    """The right to work on a link: carried in every commit. `until`: monotonic deadline of this owner, seconds."""

    link: str
    owner: str
    epoch: int
    until: float


class LinkRow(msgspec.Struct, frozen=True):
    """A link as stored. `blueprint`: the YAML text. `facts`: see core/lifecycle (establishment, wish, health). `partner`:
    the tenant of the other side, "" where both are one tenant's. `kind`, `roles`: core/roles. `rests_on`: what its settings
    rest on, as it was when a person looked at them last."""

    id: str
    tenant: str
    name: str
    a_connection: str
    b_connection: str
    blueprint: str
    facts: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}
    rev: int = 0
    epoch: int = 0
    owner: str = ""
    next_due: float = 0.0
    partner: str = ""
    kind: str = ""
    roles: Mapping[str, str] = msgspec.field(default_factory=lambda: dict.fromkeys(SIDES, "peer"))
    rests_on: Mapping[str, str] = {}


class ConnectionRow(msgspec.Struct, frozen=True):
    """A connection as stored; `settings` with secrets opened (never logged, never sent to a client)."""

    id: str
    tenant: str
    name: str
    connector: str
    settings: Mapping[str, Any] = {}
    identity: str = ""
    rev: int = 0


class Cursor(msgspec.Struct, frozen=True):
    """How far one side of a stream was looked at.

    `cursor`: of `changes`. `position`, `generation`, `began`: the running complete read (resumable; "" position and
    began 0 = none is running; `began` wall clock). `token`: look_token of the last complete read. `completed`: wall
    clock of the end of the last complete read, `looked`: of the last successful look of any kind. `delivered`: of the start
    of the last run that delivered *to* this side all that its schedule had held back (0: none yet; core/schedule.py).
    `backlog`: what was outstanding there before that look (core/backlog.py, packed).
    """

    stream: str
    side: Side
    cursor: str = ""
    position: str = ""
    generation: int = 0
    began: float = 0.0
    token: str = ""
    completed: float = 0.0
    looked: float = 0.0
    delivered: float = 0.0
    backlog: str = ""


class KeyGroup(msgspec.Struct, frozen=True):
    """All that share one match key: half bindings of A, of B (of those: to be put back, kept out by a gate), and full ones
    (taken)."""

    hash: int
    a: tuple[int, ...]
    b: tuple[int, ...]
    taken: tuple[int, ...]
    put_back: tuple[int, ...] = ()
    kept_out: tuple[int, ...] = ()


class Closed(msgspec.Struct, frozen=True):
    """The end of an action. `fields`: shared values as stored afterwards, where known; `target`: id drawn by the system."""

    action: int
    state: ActionState
    target: str = ""
    error: str = ""


class Counters(msgspec.Struct, frozen=True):
    """Eight counters of one stream and side (the side written to; unchanged, skipped: the side looked at)."""

    stream: str
    side: Side
    created: int = 0
    updated: int = 0
    deleted: int = 0
    marked: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: int = 0


# The counter that an action of each kind adds to.
COUNTER = {Op.CREATE: "created", Op.UPDATE: "updated", Op.DELETE: "deleted", Op.MARK: "marked"}


class Settlement(msgspec.Struct, frozen=True):
    """Everything one window settles, committed in ONE transaction under the lease, or not at all.

    `bindings`: inserted where key is 0 (side ids unique per link and stream), else replaced where the stored rev is
    `rev - 1`... the struct carries the NEW rev. `dropped`: half bindings to delete (rev must match the stored one).
    `park` replaces the row of the same (binding, room, field) but keeps `since`; `unpark`: (binding, room, field),
    field "*" = all of that room. `acks`: hints deleted where stored seq <= seq. `items`: finished protocol lines.
    `seen`: (stream, side, generation, ids) bindings met by the running complete read and left as they are.
    In `park` and `items` a negative binding -n stands for the n-th of `bindings` (1 = the first), whose key is drawn here.
    """

    run: str
    bindings: tuple[Binding, ...] = ()
    dropped: tuple[int, ...] = ()
    closed: tuple[Closed, ...] = ()
    items: tuple[Action, ...] = ()
    park: tuple[Parked, ...] = ()
    unpark: tuple[tuple[int, Room, str], ...] = ()
    acks: tuple[Hint, ...] = ()
    hints: tuple[Hint, ...] = ()
    cursors: tuple[Cursor, ...] = ()
    seen: tuple[tuple[str, Side, int, tuple[str, ...]], ...] = ()
    spend: Mapping[Spent, int] = {}  # into the 24 h ledger
    counters: tuple[Counters, ...] = ()  # added to the run's
    changes: tuple[
        Change, ...
    ] = ()  # carried out and shown as they were sent: their bindings get base and contests


class Lines(msgspec.Struct, frozen=True):
    """What is kept of some records of one side that are present, bytewise in order of their ids. A line each: the id, TAB,
    and the base where the record is settled, shows no deviation and is parked nowhere, else nothing; a record that reads
    the same is unchanged. An id with LF in it has no line. `count`: how many lines. `digest`: equal for equal lines, 128
    bits wide. `block`: the lines, with LF between them; "" where they were not wanted."""

    count: int
    digest: str
    block: str = ""


class NewRows(msgspec.Struct, frozen=True):
    """New bindings, settled once the request that makes their records was done. `side`: where those are made. `lines`: id
    on the other side, id on `side`, base, match keys (actors/core/rows.py)."""

    stream: str
    side: Side
    lines: Sequence[str]
    map_ver: str


class ChangeIntents(msgspec.Struct, frozen=True):
    """Updates of `side` that are to be sent together. `deadline`: as of `Action`."""

    stream: str
    side: Side
    changes: Sequence[Change]
    deadline: float


WRITING = frozenset({Mode.SYNC, Mode.APPLY})  # the modes in which a run may write


class RunRow(msgspec.Struct, frozen=True):
    """One execution for a link. `mode`: see core/types.py; `subject`: what it is about, where that needs saying, JSON.
    `scope`: stream names, empty = all. `cause`: command, hint, poll, start, recovery, approval. Times are wall clock;
    `ended` 0 while it runs. `phase`: for people. `backlog`: what was outstanding where it looked (core/backlog.py, packed).
    """

    id: str
    link: str
    mode: str = "sync"
    scope: tuple[str, ...] = ()
    cause: str = "command"
    outcome: Outcome = Outcome.RUNNING
    started: float = 0.0
    ended: float = 0.0
    phase: str = ""
    error: str = ""
    waiting: int = 0
    counters: tuple[Counters, ...] = ()
    subject: str = ""
    backlog: str = ""

    @property
    def looks_only(self) -> bool:
        """Whether it writes nothing to either side, and settles nothing."""
        return self.mode not in WRITING


class PlanRow(msgspec.Struct, frozen=True):
    """A plan. `kind`: requested (dry run) | held (over budget). At most one open per link, stream and kind.
    state: open | approved | rejected | applied | superseded. `approved_rev`: the revision a person said yes to."""

    id: str
    link: str
    stream: str
    kind: str
    rev: int = 0
    state: str = "open"
    reason: str = ""
    created: float = 0.0
    actions: int = 0
    approved_rev: int = 0


class Turn(msgspec.Struct, frozen=True):
    """What the owner of a link needs to decide what to do next, and begins a run with.

    `asked`: as `queued_run`; `hint_at`: as `next_hint`; `is_open`: some intent is open; `plans`: (stream, kind) of every
    open or approved plan.
    """

    row: LinkRow
    asked: RunRow | None = None
    hint_at: float | None = None
    is_open: bool = True
    cursors: tuple[Cursor, ...] = ()
    plans: frozenset[tuple[str, str]] = frozenset()


class Known(msgspec.Struct, frozen=True):
    """The bindings of some records, and which of them (by key) have anything parked."""

    bindings: Sequence[Binding]
    parked: frozenset[int] = frozenset()
