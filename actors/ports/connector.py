"""The Connector port: one open access to one account of one system, and the data that passes. Protocols, no code.

All times called `..._s` are seconds.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from actors.core.backlog import Report
from actors.core.rows import RowShape
from actors.core.types import Op, Record
from actors.core.values import Value


class FieldInfo(msgspec.Struct, frozen=True):
    """A field of an object as the system describes it. `type`: text|integer|decimal|boolean|date|instant|bytes|list|lines.

    A field of its lines is called by both names: `items[].price`.
    """

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
    """One setting of a connector. `type`: text|integer|decimal|boolean|path|list|map|document (a text, or the map
    it stands for). Secrets are sealed at rest."""

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


class Webhook(msgspec.Struct, frozen=True):
    """How a system calls when something changed.

    `signature`: `hmac_sha256` or `hmac_sha512` (of the body, with the secret), `sha512` (of the body with the secret behind
    it), `token` (the secret itself) or `none` (the address is all there is to know). It stands in the header `header`,
    else in the query parameter `parameter`, after `prefix`. `object`, `ids`, `event`: where the call says which object,
    which records and what happened, as `json:items.*.id`, `form:id`, `query:id` or `header:X-Topic`; "" = nowhere.
    `events`: those that are known to come. `of_parts`: objects whose records have parts that calls may name instead: these
    are looked at for changes, whatever id is told.
    """

    signature: Literal["none", "token", "hmac_sha256", "hmac_sha512", "sha512"] = "none"
    header: str = ""
    parameter: str = ""
    prefix: str = ""
    object: str = ""
    ids: str = ""
    event: str = ""
    events: tuple[str, ...] = ()
    of_parts: tuple[str, ...] = ()


class Declaration(msgspec.Struct, frozen=True):
    """What a kind of system promises, truthfully; unknown means the careful choice (DESIGN section 9).

    `absence`: what it proves when a record is missing from a complete read. `by_id`: a record can be looked at by its
    id. `draws_ids`: ids can be reserved before a create (`reserve`), so a create whose outcome is unknown is resolved
    by id. `reply`: a write's reply carries the record as stored. `rows`: objects may be read, made and updated as lines,
    many at once. `lines`: how a system takes the lines of a record: `read`: it delivers them, and takes none; `nested` in
    its body, in one request; `rows` of an object of their own, all in one transaction; `steps`: such rows, request by
    request, so that a write may be cut.
    `attachments`: fields may be asked for and written as attachments (a path that ends in `#`). `backlog`: records are
    made elsewhere and reach the system later, and it can be asked what is known of that.
    `read_lag_s`: a read may be this much older than the last write.
    `vendor_tail_s`: a request may take effect this long after its deadline.
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
    rows: bool = False
    lines: Literal["none", "read", "nested", "rows", "steps"] = "none"
    attachments: bool = False
    backlog: bool = False
    read_lag_s: float = 0.0
    vendor_tail_s: float = 0.0
    batch_max: int = 500
    concurrency: int = 4
    rate_per_s: float = 0.0  # 0: no limit known
    rate_burst: int = 1
    deadline_s: float = 30.0  # per request
    webhook: Webhook | None = None  # None: it never calls


class Page(msgspec.Struct, frozen=True):
    """A page of records. `cursor` is where the next call goes on; `more`: there is a next page now.

    `gone`: ids the system itself reports as deleted (proof).
    """

    records: tuple[Record, ...]
    cursor: str
    more: bool
    gone: tuple[str, ...] = ()


class Rows(msgspec.Struct, frozen=True):
    """A page of records as lines (`actors.core.texts`): the id, then the fields asked for. `block`: the lines, each with
    its end. `cursor`, `more`, `gone`: as of `Page`. `unsaid`: records of which no line can say all (a field was not
    delivered)."""

    block: str
    cursor: str
    more: bool
    gone: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


class RowUpdates(msgspec.Struct, frozen=True):
    """Updates of the same fields of many records, each of its own. `values`: per record the texts of the fields
    `written`; `held`: of the fields `seen`, which must still hold them, or that one is not written."""

    written: tuple[str, ...]
    seen: tuple[str, ...]
    ids: Sequence[str]
    values: Sequence[Sequence[str | None]]
    held: Sequence[Sequence[str | None]]


class Write(msgspec.Struct, frozen=True):
    """One write of a batch.

    `native`: the changed native fields (all of them for a create). `seen`: native values of the same fields as last
    seen; where the system still holds other values the write must not happen (`moved_on`). `id`: the target, or the
    reserved id of a create ("" where the system draws it). `tag`: correlation tag, written where the system has one.
    A field of lines is told as a whole: those that are there already carry their `RECORD_ID`, new ones carry none, and
    those that are missing go. `attachments`: the content of those described in `native`, by path.
    """

    op: Op
    id: str = ""
    native: Mapping[str, Value] = {}
    seen: Mapping[str, Value] = {}
    version: str | None = None
    tag: str = ""
    attachments: Mapping[str, bytes] = {}


class WriteStatus(enum.StrEnum):
    """What became of a write."""

    DONE = "done"
    MOVED_ON = "moved_on"  # the precondition failed; nothing was written
    GONE = "gone"  # no such record (delete: it was gone already); nothing was written
    REFUSED = "refused"  # the system's no, in its own words; nothing was written
    NOT_DONE = "not_done"  # surely not arrived; may be tried again
    UNKNOWN = "unknown"  # sent, outcome not known
    PARTLY = (
        "partly"  # `lines: steps` only: begun, refused on the way and not undone; `record` is how it stands
    )


# After these the record was written to: of a create, it is there.
WROTE = frozenset({WriteStatus.DONE, WriteStatus.PARTLY})


class WriteResult(msgspec.Struct, frozen=True):
    """The outcome of one write. `record`: as stored, where the reply carries it. `error`: the system's own words.

    `version`: of the record as this write left it, where a reply without the record tells it (an `ETag` header): a look
    that shows the same version is as good as the reply; one that shows another says that somebody has written since."""

    status: WriteStatus
    id: str = ""
    record: Record | None = None
    error: str = ""
    version: str | None = None


class Touched(msgspec.Struct, frozen=True):
    """A touched key from a feed. `id` "" means: look at the whole object (TRUNCATE, overflow). `ack` is the feed's own.

    `own`: nothing but writes of ours touched it, whose replies said how it stands: whoever wrote needs no look."""

    object: str
    id: str
    ack: str
    own: bool = False


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

    async def row_shape(self, object_name: str, fields: Sequence[str]) -> RowShape | None:
        """How records cross as lines (only where `rows`); None where they can't, for these fields of this object."""
        ...

    async def scan_rows(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Rows:
        """`scan`, as lines, each record once. Without fields: the ids alone."""
        ...

    async def create_rows(self, object_name: str, fields: Sequence[str], block: str) -> str:
        """Make new records of lines (id, fields), all of them or none; returns them as stored, in the same form and in
        any order. REJECTED: the system would not have them all. As of `write`, UNKNOWN: nobody knows."""
        ...

    async def change_rows(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Rows:
        """`changes`, as lines (only where `rows` and Find.MODIFIED)."""
        ...

    async def update_rows(
        self, object_name: str, updates: Sequence[RowUpdates], fields: Sequence[str]
    ) -> str:
        """Update records, each with its precondition; returns those that were written as they are stored, lines in any
        order: a record that is not among them was not written. REJECTED: none was. As of `write`, UNKNOWN: nobody knows
        of any."""
        ...

    async def aclose(self) -> None:
        """Let go of everything; safe to call twice."""
        ...


class TellsBacklog(Protocol):
    """What a connector with `backlog` can do besides."""

    async def backlog(self, object_name: str) -> Sequence[Report] | None:
        """What is known of each who makes records of the object and hands them over later. None: all of its records are
        made in the system itself."""
        ...


class HoldsAttachments(Protocol):
    """What a connector with `attachments` can do besides."""

    async def fetch_attachment(self, object_name: str, id: str, field: str) -> bytes | None:
        """The content of an attachment of a record; `field` ends in `#`. None where there is none."""
        ...
