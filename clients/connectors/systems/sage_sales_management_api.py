"""The API of Sage Sales Management, version 4: log-in, what its answers mean, lists by condition.

Lists are read from the highest id down, each page by a condition on the id: a page number shifts while others edit, and a
proxy that drops the header `Count` would shorten pages unseen. Must not: know what a field means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope
from clients.connectors.http import auth
from clients.connectors.http.client import HttpClient, segment
from clients.connectors.http.dense import ranges
from clients.connectors.http.judge import Judge, Verdict
from clients.connectors.http.pace import Pace
from clients.connectors.http.paging import rows_at
from clients.connectors.http.values import as_text
from clients.connectors.http.wire import Answer, HttpError, Request, Unreadable, at

DEFAULT_COUNT: Final = 50  # rows of a page where nobody asked, or the question was dropped on the way
COUNT_MAX: Final = 1000  # rows that anybody was seen to ask for at once
IDS_MAX: Final = 50  # ids of one condition: an address has its limits
BULK_MAX: Final = {"POST": 200, "PUT": 200, "DELETE": 120}
BULK_PRODUCTS: Final = 100
REQUEST_S: Final = 20.0
BAD_REQUEST: Final = "Bad Request"


class SalesJudge(Judge):
    """400 for nearly everything, with a number in the body where something else is meant."""

    def special(self, request: Request, answer: Answer) -> Verdict | None:
        """900: the system could not reach itself; 901: it did not understand a condition; 910: there is no such resource."""
        if answer.status in (401, 403, 429) or answer.is_html:
            return None
        try:
            number = at(answer.json(), "Code")
        except Unreadable:
            return None
        if number == 900:
            kind = Kind.UNKNOWN if request.is_write else Kind.TRANSIENT
            return Verdict(None, kind, request.scope, self.words(answer))
        if number in (901, 910):
            hint = "check the fields of the stream" if number == 901 else "check the object, and the address"
            return Verdict(None, Kind.CONFIG, Scope.STREAM, self.words(answer), hint)
        return None


def client(settings: Mapping[str, Any], name: str) -> HttpClient:
    """The way out to one account."""
    public, private = settings["public_key"], settings["private_key"]
    log_in = Request(
        doing="log in",
        method="POST",
        path="login",
        json={"username": public, "password": private},
        writes=False,
    )
    return HttpClient(
        name,
        settings["url"],
        judge=SalesJudge(name),
        auth=auth.logged_in(
            log_in,
            places=auth.TokenPlaces(token="token", lives="", refresh=""),  # noqa: S106 - the name of the place
            place={"X-Session-Key": "{token}"},
            secrets=(private,),
        ),
        pace=Pace(name, rate_per_s=float(settings["rate_per_s"]), burst=settings["rate_burst"]),
        deadline_s=REQUEST_S,
    )


class Api:
    """One account's resources."""

    def __init__(self, http: HttpClient, lang: str, page_size: int) -> None:
        self.http = http
        self._lang = lang
        self._page_size = page_size

    async def schema(self, resource: str) -> list[Mapping[str, Any]]:
        """The fields of a resource."""
        path = f"{segment(resource)}/schema"
        request = Request(doing=f"read the schema of {resource}", path=path)
        return list(rows_at("", request.doing)(await self.http.json(request)))

    async def rows(
        self, resource: str, where: str, count: int, order: str = "id", page: int = 0
    ) -> list[dict[str, Any]]:
        """Rows that fulfil a condition ("" all), the highest first."""
        query = {"page": str(page), "order": order, "lang": self._lang, **({"where": where} if where else {})}
        path = "/".join(segment(part) for part in resource.split("/"))
        request = Request(doing=f"list {resource}", path=path, query=query, headers={"Count": str(count)})
        found: list[dict[str, Any]] = rows_at("", request.doing)(await self.http.json(request))
        return found

    async def page(
        self, resource: str, cases: Sequence[str], below: str, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """Rows below an id ("" from the highest) that fulfil one of `cases`, and whether there may be more."""
        count = max(1, min(limit, self._page_size))
        under = [f"id<{int(below)}"] if below else []
        where = " OR ".join(" AND ".join([*filter(None, [case]), *under]) for case in cases)
        rows = await self.rows(resource, where, count)
        # Fewer than asked for, and as many as come unasked: the question may have been dropped on the way.
        more = len(rows) >= min(count, DEFAULT_COUNT)
        return rows[:limit], more

    async def whole(self, resource: str, cases: Sequence[str] = ("",)) -> list[dict[str, Any]]:
        """Every row of a list that fulfils one of `cases`, deleted ones left out."""
        found: list[dict[str, Any]] = []
        below, more = "", True
        while more:
            rows, more = await self.page(resource, cases, below, self._page_size)
            found += [row for row in rows if not is_deleted(row)]
            below = as_text(rows[-1]["id"]) if rows else below
        return found

    async def by_id(self, resource: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Rows by id, deleted ones left out. An id that is none can't be there."""
        wanted = numbers(ids)
        rows = [
            row
            for cases, count in asked("id", wanted)
            for row in await self._all_of(resource, " OR ".join(cases), count)
        ]
        return {as_text(row["id"]): row for row in rows if row["id"] in wanted and not is_deleted(row)}

    async def _all_of(self, resource: str, where: str, count: int) -> list[dict[str, Any]]:
        """All rows of a condition that at most `count` fulfil. Whoever is asked for many may answer with fewer."""
        rows = await self.rows(resource, where, count)
        found = rows
        while len(rows) >= DEFAULT_COUNT and len(found) < count:
            rows = await self.rows(resource, f"{where} AND id<{int(rows[-1]['id'])}", count)
            found = [*found, *rows]
        return found

    async def create(self, resource: str, values: Mapping[str, Any]) -> Answer:
        """One new row."""
        request = Request(
            doing=f"create in {resource}",
            method="POST",
            path=segment(resource),
            json=dict(values),
            scope=Scope.RECORD,
        )
        return await self.http.call(request)

    async def change(self, resource: str, id_: str, values: Mapping[str, Any]) -> Answer:
        """Fields of one row."""
        doing, path = f"change {resource} {id_}", f"{segment(resource)}/{segment(id_)}"
        return await self._told(Request(doing=doing, method="PUT", path=path, json=dict(values), record=True))

    async def delete(self, resource: str, id_: str) -> Answer:
        """Mark one row as deleted."""
        doing, path = f"delete {resource} {id_}", f"{segment(resource)}/{segment(id_)}"
        return await self._told(Request(doing=doing, method="DELETE", path=path, record=True))

    async def _told(self, request: Request) -> Answer:
        """The answer to a write; a page for people in the place of its message says nothing about what took place."""
        answer = await self.http.call(request)
        if answer.meaning == "ok":
            self.http.body_of(request, answer)
        return answer

    async def bulk(
        self, method: str, resource: str, items: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Many at once; the outcome of each by its `guid`. UNKNOWN where the answer does not say."""
        request = Request(
            doing=f"{method} many of {resource}",
            method=method,
            path=f"{segment(resource)}/bulk",
            json=list(items),
        )
        answer = await self.http.ask(request)
        body = self.http.body_of(request, answer)
        if not isinstance(body, list) or not all(isinstance(item, Mapping) for item in body):
            raise HttpError(
                Kind.UNKNOWN,
                f"can't {request.doing}: the answer is no list of outcomes",
                scope=Scope.STREAM,
                raw=self.http.clean(answer.text()),
            )
        return {as_text(item.get("guid")): item for item in body}

    def id_in(self, resource: str, answer: Answer) -> str:
        """The id of a row that was made; UNKNOWN where the answer does not say."""
        request = Request(doing=f"create in {resource}", method="POST", scope=Scope.RECORD)
        body = self.http.body_of(request, answer)
        found = at(body, "id")
        if found is msgspec.UNSET or found is None:
            raise HttpError(
                Kind.UNKNOWN,
                f"can't {request.doing}: the answer has no id",
                scope=Scope.RECORD,
                raw=self.http.clean(answer.text()),
            )
        return as_text(found)


def numbers(ids: Sequence[str]) -> set[int]:
    """Ids as the system has them."""
    return {int(id_) for id_ in ids if id_.isascii() and id_.isdecimal()}


def asked(field: str, wanted: Collection[int]) -> list[tuple[list[str], int]]:
    """Questions for rows whose field holds one of these numbers: the cases of each, and how many numbers it is about."""
    close, alone = ranges(wanted, IDS_MAX, COUNT_MAX)
    found = [([f"{field}>{some[0] - 1} AND {field}<{some[-1] + 1}"], len(some)) for some in close]
    for start in range(0, len(alone), IDS_MAX):
        some_ids = alone[start : start + IDS_MAX]
        found.append(([f"{field}={id_}" for id_ in some_ids], len(some_ids)))
    return found


def bulk_max(method: str, resource: str) -> int:
    """So many items of one bulk call."""
    return min(BULK_MAX[method], BULK_PRODUCTS) if resource == "products" else BULK_MAX[method]


def is_deleted(row: Mapping[str, Any]) -> bool:
    """Rows that were deleted stay, and say so (as a flag, or as 0 and 1)."""
    return row.get("deleted") in (True, 1, "1", "true")
