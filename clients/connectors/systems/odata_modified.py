"""Changes by a property that every change sets to the current time: `$filter=modified ge ...`, `$orderby=modified,key`.

The vendor's clock alone counts. A pass goes from the last change that was seen, less an overlap (a change may carry the time
at which its transaction began, and become visible later), to the end of the list. Once the overlap has passed since that
change was first seen, by the `Date` of the service's answers, it is left out: a quiet system sends nothing.

Cursors hold times as the service writes them, for Python knows microseconds and many services know more.
"""

from __future__ import annotations

import email.utils
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue
from actors.ports import Page
from clients.connectors.http.wire import Answer
from clients.connectors.systems.odata_look import behind, link_of, position_of, record_of, rows_of, selection
from clients.connectors.systems.odata_metadata import EntitySet
from clients.connectors.systems.odata_service import Service
from clients.connectors.systems.odata_values import delivered, escaped

# A change that is dated later than the service's own clock, and more than this, moves no cursor: the clock that dated it is
# wrong, and whatever is dated right would be left out from then on.
AHEAD: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """All up to `at` was seen ("" = nothing yet); `since`: when that was so first, by the service's clock, epoch seconds.
    `is_over`: the overlap has passed since."""

    at: str = ""
    since: float | None = None
    is_over: bool = False


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cursor: the mark, and within a pass its start by the service's clock, the latest change seen, and the place of the
    last record: its time, its id, and (where keys are not compared) the ids of all records of that time."""

    mark: Mark = Mark()
    begun: float | None = None
    latest: str = ""
    time: str = ""
    id: str = ""
    met: tuple[str, ...] = ()

    def text(self) -> str:
        """As the port hands it around."""
        return msgspec.json.encode(self).decode()


class ModifiedLooker:
    """`changes` of one connection, by a modified property."""

    def __init__(self, service: Service, overlap_s: int, size_max: int) -> None:
        self._service = service
        self._overlap = timedelta(seconds=overlap_s)
        self._size_max = size_max

    async def changes(
        self,
        entity_set: EntitySet,
        modified: str,
        cursor: str,
        fields: Sequence[str],
        limit: int,
        *,
        by_key: bool,
    ) -> Page:
        """A page of what changed since the cursor ("" = from now on). `by_key`: equal times are told apart by the key's
        order; else by the ids met so far."""
        if not cursor:
            return Page((), Position(await self._now(entity_set, modified)).text(), more=False)
        position = position_of(cursor, Position)
        top = min(limit, self._size_max)
        rows, onward, answer = await self._rows(entity_set, modified, position, fields, top, by_key)
        fresh = _unmet(entity_set, modified, rows, position)
        if by_key and len(fresh) < len(rows):
            # Behind the place of the last record that record came again: we would never get on.
            raise TandemError(
                Kind.CONFIG,
                f"{entity_set.name}: the service shows {modified} less exactly than it compares it",
                scope=Scope.STREAM,
                hint="set paging: link for this object",
            )
        span = self._overlap + (DAY if entity_set.properties[modified].type == "Edm.Date" else timedelta(0))
        begun = position.begun if position.time else _clock(answer)
        latest = _latest([position.latest, *(time for time, _ in fresh)], begun)
        if not onward and len(rows) < top + len(position.met):
            records = self._records(entity_set, modified, fields, fresh)
            return Page(records, Position(_advanced(position.mark, latest, begun, span)).text(), more=False)
        some = fresh[:top]
        records = self._records(entity_set, modified, fields, some)
        time, last = some[-1][0], records[-1].id
        met: tuple[str, ...] = ()
        if not by_key:
            earlier = position.met if position.time == time else ()
            met = (
                *earlier,
                *(record.id for (at, _), record in zip(some, records, strict=True) if at == time),
            )
        behind = Position(position.mark, begun, latest, time, last, met)
        return Page(records, behind.text(), more=True)

    async def _now(self, entity_set: EntitySet, modified: str) -> Mark:
        """The last change there is. An empty set has none: then all that comes is new."""
        path = (
            f"{escaped(entity_set.name)}?{selection(entity_set, modified)}"
            f"&$filter={escaped(f'{modified} ne null')}&$orderby={escaped(f'{modified} desc')}&$top=1"
        )
        body, answer = await self._service.get(f"find the last change of {entity_set.name}", path)
        times = [_time(entity_set, row, modified) for row in rows_of(body)]
        clock = _clock(answer)
        latest = _latest(times, clock)
        if times and not latest and clock is not None:  # dated in the future: from the service's own now
            latest = datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Mark(latest, clock)

    async def _rows(
        self,
        entity_set: EntitySet,
        modified: str,
        position: Position,
        fields: Sequence[str],
        top: int,
        by_key: bool,
    ) -> tuple[list[Any], bool, Answer]:
        """The rows behind a position, whether there are more, and the answer with the first of them."""
        order = [modified, *(entity_set.key if by_key else ())]
        path = (
            f"{escaped(entity_set.name)}?{selection(entity_set, modified, *fields)}"
            f"&$filter={escaped(self._condition(entity_set, modified, position, by_key))}"
            f"&$orderby={escaped(','.join(order))}&$top={top + len(position.met)}"
        )
        doing = f"find changes of {entity_set.name}"
        body, first = await self._service.get(doing, path)
        rows = rows_of(body)
        # Pages of the service's own may be shorter than the records of one time that are to be left out.
        while len(rows) <= len(position.met) and (link := link_of(body, "nextLink")):
            path = self._service.resolved(path, link)
            body, _ = await self._service.get(doing, path)
            rows += rows_of(body)
        return rows, bool(link_of(body, "nextLink")), first

    def _condition(self, entity_set: EntitySet, modified: str, position: Position, by_key: bool) -> str:
        if position.time and by_key:
            return (
                f"{modified} gt {position.time} or ({modified} eq {position.time} and "
                f"({behind(entity_set, position.id)}))"
            )
        if position.time:
            return f"{modified} ge {position.time}"
        mark = position.mark
        if not mark.at:
            return f"{modified} ne null"
        if mark.is_over:
            return f"{modified} gt {mark.at}"
        return f"{modified} ge {_earlier(mark.at, self._overlap)}"

    def _records(
        self, entity_set: EntitySet, modified: str, fields: Sequence[str], rows: Sequence[tuple[str, Any]]
    ) -> tuple[Record, ...]:
        return tuple(record_of(entity_set, row, fields, modified) for _, row in rows)


def _unmet(
    entity_set: EntitySet, modified: str, rows: Sequence[Any], position: Position
) -> list[tuple[str, Any]]:
    """(time, row) of the rows that were not handed out yet in this pass."""
    met = {position.id, *position.met} if position.time else set()
    timed = ((_time(entity_set, row, modified), row) for row in rows)
    return [
        (time, row)
        for time, row in timed
        if not (time == position.time and record_of(entity_set, row, ()).id in met)
    ]


def _time(entity_set: EntitySet, row: Any, modified: str) -> str:
    there, found = delivered(row, modified) if isinstance(row, dict) else (False, None)
    if there and isinstance(found, str) and found:
        return found
    raise TandemError(
        Kind.CONFIG,
        f"{entity_set.name}: a record came without {modified}, by which changes are found",
        scope=Scope.STREAM,
        hint="name another property in the setting modified, or use find: full",
    )


def _instant(time: str) -> datetime:
    try:
        found = datetime.fromisoformat(time)
    except ValueError as error:
        raise BadValue(f"{time!r} is no time") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _latest(times: Sequence[str], clock: float | None) -> str:
    """The latest of the times that are no mistake by the service's clock; "" where there is none."""
    known = [(_instant(time), time) for time in times if time]
    if clock is not None:
        known = [(at, time) for at, time in known if at <= datetime.fromtimestamp(clock, UTC) + AHEAD]
    return max(known)[1] if known else ""


def _advanced(mark: Mark, latest: str, clock: float | None, span: timedelta) -> Mark:
    """The mark after a pass that began at `clock`; it never goes back."""
    if latest and (not mark.at or _instant(latest) > _instant(mark.at)):
        return Mark(latest, clock)
    if mark.since is None or clock is None:
        return Mark(mark.at, clock if mark.since is None else mark.since, mark.is_over)
    return Mark(mark.at, mark.since, mark.is_over or clock - mark.since > span.total_seconds())


def _earlier(time: str, overlap: timedelta) -> str:
    if len(time) == len("2024-01-31"):
        return (date.fromisoformat(time) - overlap - DAY).isoformat()
    earlier = (_instant(time) - overlap).astimezone(UTC).replace(tzinfo=None)
    return earlier.isoformat(timespec="milliseconds") + "Z"


def _clock(answer: Answer) -> float | None:
    """The service's own clock as of an answer, epoch seconds; None where it does not show it."""
    said = answer.headers.get("date", "")
    try:
        return email.utils.parsedate_to_datetime(said).timestamp() if said else None
    except ValueError:
        return None
