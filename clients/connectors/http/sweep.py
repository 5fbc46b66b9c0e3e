"""Changes found by their time, for systems that can be asked "modified since T, with an id above N, by id".

One *sweep* reads, in id order, all that was modified since the last one began. An edit while it runs only moves a record's
time forward, so nothing leaves the list while it is read; what changes behind the reader is found by the next sweep, which
begins, by the system's own clock, before this one did. Times are the system's, never ours. SPEC B13.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.ports import Page
from clients.connectors.http.wire import Answer, HttpError


class Sweep(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a sweep stands. `since`: what was modified from then on; `began`: when this one began; `after`: the last id."""

    since: datetime
    began: datetime | None = None
    after: str = ""

    def text(self) -> str:
        """As a cursor of the port."""
        return msgspec.json.encode(self).decode()


# (since, after, size) -> the records with ids above `after`, in id order, and the system's time.
PageOf = Callable[[datetime, str, int], Awaitable[tuple[Sequence[Record], datetime]]]


async def swept(
    cursor: str,
    limit: int,
    overlap_s: float,
    page_of: PageOf,
    now: Callable[[], Awaitable[datetime]],
    *,
    short_is_end: bool = True,
) -> Page:
    """One page of changes. `short_is_end` False: a page that is not full may be cut by the system; only an empty one ends
    the sweep. `overlap_s`: how long before it began the next sweep looks back, for edits that commit late."""
    overlap = timedelta(seconds=overlap_s)
    if not cursor:
        return Page((), Sweep(await now() - overlap).text(), False)
    sweep = _sweep(cursor)
    records, told = await page_of(sweep.since, sweep.after, limit)
    began = sweep.began or told
    if not records or (short_is_end and len(records) < limit):
        return Page(tuple(records), Sweep(max(began - overlap, sweep.since)).text(), False)
    return Page(tuple(records), Sweep(sweep.since, began, records[-1].id).text(), True)


def _sweep(cursor: str) -> Sweep:
    try:
        return msgspec.json.decode(cursor, type=Sweep)
    except msgspec.MsgspecError as error:
        raise TandemError(
            Kind.CONFIG, "the cursor can't be read", scope=Scope.STREAM, hint="reset the stream"
        ) from error


def time_of(answer: Answer) -> datetime:
    """The system's time, from the header Date; it has whole seconds, so it is never ahead."""
    try:
        found = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError as error:
        raise HttpError(
            Kind.CONFIG,
            "the system does not say what time it is (no header Date)",
            scope=Scope.STREAM,
            hint="find changes by complete reads: set the field of the modification time to nothing",
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
