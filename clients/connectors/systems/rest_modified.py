"""Changes since a time, for lists that can be asked for it. The time is the system's own; the cursor never passes what could
still come to be dated before it (`overlap`), and leaves out what it has delivered already.

Sorted by that time, each page begins anew at the last time met, so that nothing shifts. Unsorted, a pass reads all pages,
and the cursor moves at its end. A system that ignores the time would deliver everything: what is older is left out. A record
without a time is delivered once: some systems set it at the first change only.
"""

from __future__ import annotations

import email.utils
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.ports import Page
from clients.connectors.http.client import HttpClient
from clients.connectors.http.paging import Place, read_page, rows_at
from clients.connectors.http.values import Form, as_text, read_value, write_value
from clients.connectors.http.wire import at
from clients.connectors.systems.rest_plan import Literals, Modified, ObjectPlan

SEEN_MAX = 5000  # delivered records that a cursor remembers within the overlap


class Since(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cursor. `at`: all before it was seen, microseconds since 1970 (or the number that the system counts). `seen`:
    delivered already though not before it, id -> time (-1: none). Within a pass: `floor`, the cursor at its beginning;
    `page`, its place in an unsorted list; `top`, the latest time that it met."""

    at: int
    seen: dict[str, int] = {}
    floor: int = -1
    page: str = ""
    top: int = 0


class ModifiedReader:
    """`changes` of one account."""

    def __init__(self, client: HttpClient, literals: Literals) -> None:
        self._client = client
        self._literals = literals

    async def changes(
        self, plan: ObjectPlan, modified: Modified, cursor: str, fields: Sequence[str], limit: int
    ) -> Page:
        """A page of what was touched since `cursor` ("" = from now on, no records)."""
        names = plan.shape.checked(fields)
        if not cursor:
            now = await self._now(plan)
            return Page((), _text(Since(now - _overlap(modified))), more=False)
        since = _since(cursor)
        if modified.sorted:
            return await self._sorted(plan, modified, since, names, limit)
        return await self._pass(plan, modified, since, names, limit)

    async def newer(self, plan: ObjectPlan, modified: Modified, when: datetime, limit: int) -> int:
        """How many records of its first page the system calls newer than that."""
        since = int(when.timestamp()) if modified.field.form.type == "integer" else _micros(when)
        rows, _, _ = await self._page(plan, modified, since, "", limit)
        return len(rows)

    async def _now(self, plan: ObjectPlan) -> int:
        """The system's own clock, from the Date of an answer."""
        request = plan.list.request(f"list {plan.name}", writes=False)
        answer = await self._client.ask(plan.paging.asked(request, Place(), 1))
        try:
            when = email.utils.parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            raise TandemError(
                Kind.CONFIG,
                f"{self._client.name} does not say what time it is (no Date header)",
                scope=Scope.STREAM,
                hint="leave out `modified`: changes are found by complete reads",
            ) from None
        return _micros(when if when.tzinfo else when.replace(tzinfo=UTC))

    async def _sorted(
        self, plan: ObjectPlan, modified: Modified, since: Since, names: Sequence[str], limit: int
    ) -> Page:
        """From the cursor's time on. Only where a page holds nothing new (more records of one time than a page takes) the
        next one is asked for."""
        new: list[tuple[int, Record]] = []
        position, more = "", True
        while more and not new:
            size = min(plan.paging.size_max, limit + len(since.seen) + 1)
            rows, position, more = await self._page(plan, modified, since.at, position, size)
            new = self._new(plan, modified, since, rows, names)
        kept = new[:limit]
        found = tuple(record for _, record in kept)
        seen = {**since.seen, **{record.id: when for when, record in kept}}
        top = max([since.top, *(when for when, _ in kept)])
        floor = since.at if since.floor < 0 else since.floor
        if more or len(new) > limit:
            at_ = max([since.at, *(when for when, _ in kept)])
            return Page(
                found, _text(Since(at_, _kept(seen, at_ - _overlap(modified)), floor, top=top)), more=True
            )
        return Page(found, _text(_settled(floor, seen, top, modified)), more=False)

    async def _pass(
        self, plan: ObjectPlan, modified: Modified, since: Since, names: Sequence[str], limit: int
    ) -> Page:
        """One page of a pass over all that is newer, in the list's own order."""
        rows, position, more = await self._page(plan, modified, since.at, since.page, limit)
        new = self._new(plan, modified, since, rows, names)
        found = tuple(record for _, record in new)
        seen = {**since.seen, **{record.id: when for when, record in new}}
        top = max([since.top, *(when for when, _ in new)])
        if more:
            return Page(found, _text(Since(since.at, _bounded(seen), page=position, top=top)), more=True)
        return Page(found, _text(_settled(since.at, seen, top, modified)), more=False)

    def _new(
        self, plan: ObjectPlan, modified: Modified, since: Since, rows: Sequence[Any], names: Sequence[str]
    ) -> list[tuple[int, Record]]:
        """What was not delivered yet, with its time."""
        met = [self._met(plan, modified, row, names) for row in rows]
        return [
            (when, record)
            for when, record in met
            if (when < 0 or when >= since.at) and since.seen.get(record.id) != when
        ]

    async def _page(
        self, plan: ObjectPlan, modified: Modified, since: int, position: str, limit: int
    ) -> tuple[list[Any], str, bool]:
        raw = write_value(_value(since, modified.form), modified.form)
        values = {"literal": self._literals.of(raw), "value": as_text(raw)}
        request = modified.ask.request(f"find changes of {plan.name}", values, writes=False)
        rows_of = rows_at(plan.list_at, request.doing)
        batch = await read_page(
            self._client, request, plan.paging, position, limit, rows_of, plan.shape.id_of
        )
        return batch.rows, batch.position, batch.more

    def _met(
        self, plan: ObjectPlan, modified: Modified, row: Any, names: Sequence[str]
    ) -> tuple[int, Record]:
        """A record and its time, -1 where it has none."""
        raw = at(row, modified.field.read or modified.field.name)
        value = read_value(None if raw is msgspec.UNSET else raw, modified.field.form)
        record = plan.shape.record(row, names)
        if isinstance(value, datetime):
            return _micros(value), record
        return (value if isinstance(value, int) and not isinstance(value, bool) else -1), record


def _settled(floor: int, seen: dict[str, int], top: int, modified: Modified) -> Since:
    """At the end of a pass: an overlap behind the latest time met, and never back."""
    reached = max(floor, top - _overlap(modified))
    return Since(reached, _kept(seen, reached))


def _overlap(modified: Modified) -> int:
    return int(modified.overlap_s * 1_000_000) if modified.field.form.type == "instant" else 0


def _kept(seen: dict[str, int], reached: int) -> dict[str, int]:
    return _bounded({id_: when for id_, when in seen.items() if when >= reached or when < 0})


def _bounded(seen: dict[str, int]) -> dict[str, int]:
    """The latest of them: whoever is forgotten comes once more, which is an echo."""
    if len(seen) <= SEEN_MAX:
        return seen
    return dict(sorted(seen.items(), key=lambda one: one[1])[-SEEN_MAX:])


def _value(since: int, form: Form) -> datetime | int:
    if form.type == "integer":
        return since
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)


def _micros(when: datetime) -> int:
    plain = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (plain - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _text(since: Since) -> str:
    return msgspec.json.encode(since).decode()


def _since(cursor: str) -> Since:
    try:
        return msgspec.json.decode(cursor, type=Since)
    except msgspec.MsgspecError as error:
        raise TandemError(
            Kind.CONFIG, "the cursor can't be read", scope=Scope.STREAM, hint="start a complete read"
        ) from error
