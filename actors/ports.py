"""What the engine needs from outside: Connector, Store, Clock, Telemetry. Protocols and the data they pass; no code.

Implementations: `clients/connectors` and `daemon/store`; in-memory ones for the simulation in `tests/sim`. All
times called `..._s` are seconds; `now()` is wall clock (epoch seconds), `monotonic()` never goes back.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from actors.core.types import Action, ActionState, Binding, Hint, Op, Outcome, Parked, Record, Room, Side
from actors.core.values import Value

# ---------------------------------------------------------------------------------------------- connectors


class FieldInfo(msgspec.Struct, frozen=True):
    """A field of an object as the system describes it. `type`: text|integer|decimal|boolean|date|instant|bytes|list."""

    name: str
    type: str
    required: bool = False
    writable: bool = True
    doc: str = ""


class ObjectInfo(msgspec.Struct, frozen=True):
    """A kind of record in a system: its name, key field, fields."""

    name: str
    key: str
    fields: tuple[FieldInfo, ...] = ()
    doc: str = ""


class Setting(msgspec.Struct, frozen=True):
    """One setting of a connector. `type`: text|integer|decimal|boolean|path|list|map. Secrets are sealed at rest."""

    name: str
    type: str = "text"
    required: bool = False
    default: Any = None
    secret: bool = False
    choices: tuple[str, ...] = ()
    doc: str = ""


class Find(enum.StrEnum):
    """How changes are found."""

    FEED = "feed"  # a change feed or queue of touched keys: hints, drained and acknowledged
    MODIFIED = "modified"  # modified-since with overlap
    FULL = "full"  # complete reads, skipped while `look_token` is unchanged


class Declaration(msgspec.Struct, frozen=True):
    """What a kind of system promises, truthfully; unknown means the careful choice (DESIGN section 9).

    `absence`: what it proves when a record is missing from a complete read. `by_id`: a record can be looked at by its
    id. `draws_ids`: ids can be reserved before a create (`reserve`), so a create whose outcome is unknown is resolved
    by id. `reply`: a write's reply carries the record as stored. `read_lag_s`: a read may be this much older than the
    last write. `vendor_tail_s`: a request may take effect this long after its deadline.
    """

    name: str
    doc: str
    settings: tuple[Setting, ...] = ()
    find: tuple[Find, ...] = (Find.FULL,)
    absence: Literal["proof", "hint", "none"] = "hint"
    by_id: bool = True
    ids: Literal["never_reused", "may_be_reused"] = "may_be_reused"
    version: Literal["content", "hint", "none"] = "none"
    precondition: Literal["atomic", "reread"] = "reread"
    reply: Literal["record", "id"] = "id"
    draws_ids: bool = False
    tag: bool = False
    find_by_field: bool = False
    missing_means: Literal["null", "unknown"] = "unknown"
    session: Literal["shared", "single"] = "shared"
    read_lag_s: float = 0.0
    vendor_tail_s: float = 0.0
    batch_max: int = 500
    concurrency: int = 4
    rate_per_s: float = 0.0  # 0: no limit known
    rate_burst: int = 1
    deadline_s: float = 30.0  # per request


class Page(msgspec.Struct, frozen=True):
    """A page of records. `cursor` is where the next call goes on; `more`: there is a next page now.

    `gone`: ids the system itself reports as deleted (proof).
    """

    records: tuple[Record, ...]
    cursor: str
    more: bool
    gone: tuple[str, ...] = ()


class Write(msgspec.Struct, frozen=True):
    """One write of a batch.

    `native`: the changed native fields (all of them for a create). `seen`: native values of the same fields as last
    seen; where the system still holds other values the write must not happen (`moved_on`). `id`: the target, or the
    reserved id of a create ("" where the system draws it). `tag`: correlation tag, written where the system has one.
    """

    op: Op
    id: str = ""
    native: Mapping[str, Value] = {}
    seen: Mapping[str, Value] = {}
    version: str | None = None
    tag: str = ""


class WriteStatus(enum.StrEnum):
    """What became of a write."""

    DONE = "done"
    MOVED_ON = "moved_on"  # the precondition failed; nothing was written
    GONE = "gone"  # no such record (delete: it was gone already); nothing was written
    REFUSED = "refused"  # the system's no, in its own words; nothing was written
    NOT_DONE = "not_done"  # surely not arrived; may be tried again
    UNKNOWN = "unknown"  # sent, outcome not known


class WriteResult(msgspec.Struct, frozen=True):
    """The outcome of one write. `record`: as stored, where the reply carries it. `error`: the system's own words."""

    status: WriteStatus
    id: str = ""
    record: Record | None = None
    error: str = ""


class Touched(msgspec.Struct, frozen=True):
    """A touched key from a feed. `id` "" means: look at the whole object (TRUNCATE, overflow). `ack` is the feed's own."""

    object: str
    id: str
    ack: str


class Connector(Protocol):
    """One open access to one account of one system. Raises only `TandemError`; cancellation at any await is safe.

    Fields not delivered by the system are missing in `Record.native`. All values are canonical
    (`actors.core.values.canonical`).
    """

    declaration: Declaration

    async def identity(self) -> str:
        """Which account this is, e.g. system id + company; equal for the same account however it is addressed."""
        ...

    async def check(self) -> None:
        """A cheap call that proves address and credentials; raises AUTH, CONFIG or TRANSIENT."""
        ...

    async def describe(self) -> Sequence[ObjectInfo]:
        """The objects and fields that this account offers."""
        ...

    def find(self, object_name: str) -> Find:
        """How changes of this object are found on this connection."""
        ...

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """A fresh look by id, at most `batch_max` ids; records that are gone are missing from the answer."""
        ...

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Find.MODIFIED: records touched since `cursor` ("" = from now on, no records); equal times, late commits safe."""
        ...

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """One page of a complete read in key order, from `position` ("" = the start)."""
        ...

    async def look_token(self, object_name: str) -> str:
        """A token that changes whenever the object's content may have changed, or "" where none is known."""
        ...

    async def drain(self, limit: int) -> Sequence[Touched]:
        """Find.FEED: touched keys not yet acknowledged, oldest first. From the first call on none is missed."""
        ...

    async def ack(self, touched: Sequence[Touched]) -> None:
        """Acknowledge drained keys (after they are stored in the inbox)."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """Yields whenever something may be there to drain or look at; never ends by itself, raises when the line is lost."""
        ...

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """Draw ids for creates (only where `draws_ids`)."""
        ...

    async def find_tagged(self, object_name: str, tag: str, fields: Sequence[str]) -> Sequence[Record]:
        """Records that carry the correlation tag (only where `tag`)."""
        ...

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """Records whose native field equals the value (only where `find_by_field`)."""
        ...

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Carry out at most `batch_max` writes; one result per write, in order. Raising means: surely none was done
        (TRANSIENT, AUTH, CONFIG, RATE_LIMITED) or not known for any (UNKNOWN)."""
        ...

    async def aclose(self) -> None:
        """Let go of everything; safe to call twice."""
        ...


# --------------------------------------------------------------------------------------------------- store


class Lease(msgspec.Struct, frozen=True):
    """The right to work on a link: carried in every commit. `until`: monotonic deadline of this owner, seconds."""

    link: str
    owner: str
    epoch: int
    until: float


class LinkRow(msgspec.Struct, frozen=True):
    """A link as stored. `blueprint`: the YAML text. `facts`: see core/lifecycle (establishment, wish, health)."""

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
    clock of the end of the last complete read, `looked`: of the last successful look of any kind.
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


class KeyGroup(msgspec.Struct, frozen=True):
    """All bindings of a stream that share one match key: half bindings of A, of B, and full ones (taken)."""

    hash: int
    a: tuple[int, ...]
    b: tuple[int, ...]
    taken: tuple[int, ...]


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
    spend: Mapping[str, int] = {}  # "stream/kind" -> count, into the 24 h ledger
    counters: tuple[Counters, ...] = ()  # added to the run's


class RunRow(msgspec.Struct, frozen=True):
    """One execution for a link. `mode`: "sync" | "plan" (dry run). `scope`: stream names, empty = all. `cause`: command,
    hint, poll, start, recovery, approval. Times are wall clock; `ended` 0 while it runs. `phase`: for people."""

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


class Store(Protocol):
    """What the engine keeps. Every method is one transaction. Methods that take a `Lease` raise `LeaseLost` when the
    link's row no longer carries that owner and epoch, or the lease ran out by the store's clock, and then do nothing.
    Raises `TandemError` (TRANSIENT, scope LINK) when the store cannot be reached."""

    async def link(self, link: str) -> LinkRow | None: ...
    async def connection(self, connection: str) -> ConnectionRow | None: ...
    async def set_identity(self, connection: str, identity: str) -> None: ...
    async def links_of(self, connection: str) -> Sequence[LinkRow]:
        """Every link that uses the connection, on either side, whatever its wish."""
        ...

    async def due_links(self, now: float, limit: int) -> Sequence[str]:
        """Links whose wish is run and whose next_due has come, or that have due hints, or of which a plan was asked for
        (that may be under a pause too); not leased."""
        ...

    async def take_lease(self, link: str, owner: str, ttl_s: float) -> Lease | None:
        """Take it only if free or expired (the store's clock); epoch + 1. Taken again by the same owner: epoch + 1 too."""
        ...

    async def renew_lease(self, lease: Lease, ttl_s: float) -> Lease: ...
    async def release_lease(self, lease: Lease) -> None: ...
    async def set_facts(self, lease: Lease, facts: Mapping[str, Any], next_due: float) -> None:
        """Store the facts that the owner keeps (health, loaded, activity) and when the link is due again. The wish
        (run/paused) is kept as a person set it."""
        ...

    async def cursors(self, link: str) -> Sequence[Cursor]: ...
    async def bindings(self, link: str, stream: str, side: Side, ids: Sequence[str]) -> Sequence[Binding]: ...
    async def bindings_by_key(self, link: str, keys: Sequence[int]) -> Sequence[Binding]: ...
    async def bindings_in(
        self, link: str, stream: str, states: Sequence[str], after: int, limit: int
    ) -> Sequence[Binding]:
        """Bindings in one of the states with key > after, in key order."""
        ...

    async def unseen(
        self, link: str, stream: str, side: Side, generation: int, after: int, limit: int
    ) -> Sequence[Binding]:
        """Bindings whose `side` is present and was not met by complete read `generation` or a later touch."""
        ...

    async def count_bindings(self, link: str, stream: str) -> int:
        """How many full bindings are settled."""
        ...

    async def key_groups(
        self, link: str, stream: str, level: int, after: int | None, limit: int
    ) -> Sequence[KeyGroup]:
        """Groups at one match key level that hold a NEW half binding and at least one binding with the other side,
        ordered by hash, hash > after."""
        ...

    async def hints(self, link: str, streams: Sequence[str], now: float, limit: int) -> Sequence[Hint]:
        """Due hints in order of seq; they stay until acknowledged by a settlement."""
        ...

    async def add_hints(self, link: str, hints: Sequence[Hint]) -> None:
        """Upsert per (stream, side, id): a new, larger seq each time; not_before becomes the smaller one."""
        ...

    async def next_hint(self, link: str) -> float | None:
        """When the earliest hint is due (wall clock), or None."""
        ...

    async def open_actions(self, link: str) -> Sequence[Action]: ...
    async def intend(self, lease: Lease, run: str, actions: Sequence[Action]) -> Sequence[int]:
        """Commit intents (state SENT) durably before anything is sent; returns their ids, in order."""
        ...

    async def settle(self, lease: Lease, settlement: Settlement) -> Sequence[int]:
        """Commit a window; returns the keys of its bindings, in order (drawn for new ones)."""
        ...

    async def parked(self, link: str, bindings: Sequence[int]) -> Sequence[Parked]: ...
    async def spent(self, link: str, stream: str, since: float) -> Mapping[str, int]:
        """The ledger: kind -> count since `since`."""
        ...

    async def begin_run(self, lease: Lease, run: RunRow) -> None:
        """Also closes runs of this link that a dead owner left running (outcome FAILED, error "interrupted")."""
        ...

    async def interrupt_runs(self, lease: Lease) -> None:
        """Close runs of this link that stand as running though none is under way: their owner died, or lost the store."""
        ...

    async def queued_run(self, link: str) -> RunRow | None:
        """The oldest run that was asked for (outcome RUNNING, started 0), or None."""
        ...

    async def update_run(self, lease: Lease, run: str, phase: str) -> bool:
        """Note the phase; returns whether a person asked to cancel this run."""
        ...

    async def end_run(self, lease: Lease, run: RunRow) -> None: ...
    async def run_counters(self, run: str) -> Sequence[Counters]: ...
    async def hold(self, lease: Lease, kind: str, stream: str, reason: str, actions: Sequence[Action]) -> str:
        """Put actions into the one open plan of (link, stream, kind), replacing actions of the same (binding, side, op);
        rev + 1 if anything changed; returns the plan's id."""
        ...

    async def held(self, link: str, stream: str, kind: str) -> PlanRow | None:
        """The open or approved plan of that kind, if any."""
        ...

    async def held_actions(self, plan: str, after: int, limit: int) -> Sequence[Action]: ...
    async def approved(self, link: str, stream: str, bindings: Sequence[int]) -> frozenset[str]:
        """Fingerprints of held actions of these bindings to which a yes was said, at the revision it was said to."""
        ...

    async def close_plan(self, lease: Lease, plan: str, state: str) -> None: ...
    async def release_held(self, lease: Lease, stream: str, kind: str, bindings: Sequence[int]) -> None:
        """Take the actions of these bindings out of the plan (done, or no longer derived); an empty plan is applied."""
        ...


# ------------------------------------------------------------------------------------- clock and telemetry


class Clock(Protocol):
    """Time, passed in so that the simulation can bend it."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def token(self) -> str:
        """A fresh random id of 16 hex digits (random by the same source as the rest, so that a seed replays it)."""
        ...

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        ...


class Telemetry(Protocol):
    """Where the engine reports what it does; becomes metrics and log lines in the daemon."""

    def emit(self, action: str, **fields: Any) -> None:
        """`action` is a stable name like `run.ended`; fields are plain values without personal data."""
        ...
