"""Lists that come in pages: how the next one is asked for, and how none is left out while others edit.

A `Paging` makes the parameters of a page from a `Place`; `read_page` reads one and says where to go on. Places are texts, so
that a complete read can be taken up again in another process. Lists that are counted (page, offset) shift when somebody
deletes a record that was passed: they are read with an *anchor*, the last record met, and stepped back until it is met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from clients.connectors.http.client import HttpClient
from clients.connectors.http.wire import Answer, HttpError, Request, at

Rows = list[Any]


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a list goes on. `count`: records passed; `size`: of a page, as it was begun; `link`: a link or cursor of the
    system's; `skip`: records of the page there that were handed out already; `anchor`: the last record's id."""

    count: int = 0
    size: int = 0
    link: str = ""
    skip: int = 0
    anchor: str = ""

    def text(self) -> str:
        """As a position of the port."""
        return msgspec.json.encode(self).decode()


def place(text: str) -> Place:
    """A position of the port; "" is the start. Raises CONFIG for one that is none (a connector of another version)."""
    if not text:
        return Place()
    try:
        return msgspec.json.decode(text, type=Place)
    except msgspec.MsgspecError as error:
        raise TandemError(
            Kind.CONFIG, "the position of the list can't be read", scope=Scope.STREAM, hint="reset the stream"
        ) from error


class Paging(Protocol):
    """One way of paging. `size_max`: records of one page."""

    @property
    def size_max(self) -> int:
        """Records of one page."""
        ...

    def asked(self, request: Request, where: Place, size: int) -> Request:
        """The request for the page at `where`."""
        ...

    def next(self, answer: Answer, body: Any, where: Place, got: int, size: int) -> Place | None:
        """The page after that one, of which `got` records came; None at the end."""
        ...


class Counted(msgspec.Struct, frozen=True):
    """Pages by number or by offset. `parameter`: its query parameter (or header, `in_header`); `size_parameter` "": the size
    can't be chosen, and is `size_max`. `first`: the number of the first page. `by_page` False: an offset in records.
    `total`: where the body says how many records there are, "" nowhere (then a short page is the last one).
    `short_is_end` False: a page that is not full is believed to be the last one only after the next one was empty."""

    parameter: str = "page"
    size_parameter: str = "per_page"
    size_max: int = 100
    first: int = 1
    by_page: bool = True
    total: str = ""
    size_in_header: bool = False
    short_is_end: bool = True

    def window(self, start: int, wanted: int) -> tuple[int, int]:
        """Number of the first record, and size, of the request that shows `wanted` records from number `start` on, or as
        many as possible. A page begins at a multiple of its size only: the size is chosen so that one does near `start`."""
        cap = max(1, min(self.size_max, wanted))
        if not self.by_page:
            return start, cap
        if not self.size_parameter:
            return start - start % self.size_max, self.size_max
        size = max(
            range(cap, self.size_max + 1)[:1000], key=lambda size: (min(size - start % size, wanted), -size)
        )
        return start - start % size, size

    def asked(self, request: Request, where: Place, size: int) -> Request:
        """Number and size as query parameters (the size in a header, where it stands there)."""
        number = self.first + where.count // size if self.by_page else self.first + where.count
        sized = {self.size_parameter: str(size)} if self.size_parameter else {}
        query = {**request.query, self.parameter: str(number), **({} if self.size_in_header else sized)}
        headers = {**request.headers, **(sized if self.size_in_header else {})}
        return msgspec.structs.replace(request, query=query, headers=headers)

    def next(self, answer: Answer, body: Any, where: Place, got: int, size: int) -> Place | None:
        """By the total where it is told, else by a page that is not full."""
        passed = where.count + got
        total = at(body, self.total) if self.total else msgspec.UNSET
        if isinstance(total, str) and total.isdecimal():
            total = int(total)
        if isinstance(total, int) and not isinstance(total, bool) and total >= 0:
            ended = passed >= total
            if not ended and self.by_page and 0 < got < size:
                raise _capped(got, size)
        else:
            ended = got < size and self.short_is_end
        return None if ended or not got else msgspec.structs.replace(where, count=passed, size=size)


def _capped(got: int, size: int) -> HttpError:
    """A page number means nothing when pages are smaller than asked for: records would be left out."""
    return HttpError(
        Kind.TRANSIENT,
        f"the system sent a page of {got} records where {size} were asked for, and more follow",
        scope=Scope.STREAM,
        hint=f"set the size of a page to {got}",
    )


class Cursor(msgspec.Struct, frozen=True):
    """The answer holds a cursor for the next page (`at` in the body, or the header `header`). It goes back in `parameter`,
    or in the header `back_header`. `more`: where the body says whether there is more; "" = the cursor alone says it."""

    parameter: str = "cursor"
    at: str = "next_cursor"
    header: str = ""
    back_header: str = ""
    size_parameter: str = ""
    size_max: int = 100
    more: str = ""

    def asked(self, request: Request, where: Place, size: int) -> Request:
        """The cursor where there is one, and the size."""
        query, headers = dict(request.query), dict(request.headers)
        if self.size_parameter:
            query[self.size_parameter] = str(size)
        if where.link and self.back_header:
            headers[self.back_header] = where.link
        elif where.link:
            query[self.parameter] = where.link
        return msgspec.structs.replace(request, query=query, headers=headers)

    def next(self, answer: Answer, body: Any, where: Place, got: int, size: int) -> Place | None:
        """The next cursor; the same one again is no progress, and an error."""
        if self.more and at(body, self.more) is False:
            return None
        found = answer.headers.get(self.header.lower(), "") if self.header else at(body, self.at)
        if found is None or found is msgspec.UNSET or found == "":
            return None
        return _onward(where, str(found), size)


class NextLink(msgspec.Struct, frozen=True):
    """The answer holds the address of the next page: `at` in the body, or the Link header with `rel="next"` (`at` "")."""

    at: str = ""
    size_parameter: str = ""
    size_max: int = 100

    def asked(self, request: Request, where: Place, size: int) -> Request:
        """The link as it came: it carries all that is asked for."""
        if where.link:
            return msgspec.structs.replace(request, path=where.link, query={}, json=msgspec.UNSET)
        query = {**request.query, **({self.size_parameter: str(size)} if self.size_parameter else {})}
        return msgspec.structs.replace(request, query=query)

    def next(self, answer: Answer, body: Any, where: Place, got: int, size: int) -> Place | None:
        """The next link; None where there is none."""
        found = at(body, self.at) if self.at else link_next(answer.headers.get("link", ""))
        return _onward(where, found, size) if isinstance(found, str) and found else None


class Whole(msgspec.Struct, frozen=True):
    """One answer holds all there is."""

    size_max: int = 1_000_000

    def asked(self, request: Request, where: Place, size: int) -> Request:
        """As it is."""
        return request

    def next(self, answer: Answer, body: Any, where: Place, got: int, size: int) -> Place | None:
        """There is no second page."""
        return None


class Batch(msgspec.Struct, frozen=True):
    """Records of a list as the body holds them, and the position after them."""

    rows: Rows
    position: str
    more: bool
    body: Any = None


RowsOf = Callable[[Any], Rows]
IdOf = Callable[[Any], str]
Passed = Callable[[str, str], bool]  # whether an id stands at or before the anchor in the list's own order
STEPS_MAX: Final = 1000


async def read_page(
    client: HttpClient,
    request: Request,
    paging: Paging,
    position: str,
    limit: int,
    rows_of: RowsOf,
    id_of: IdOf,
    passed: Passed | None = None,
) -> Batch:
    """At most `limit` records from `position` on. With `passed` (the list is sorted by id) nothing is left out of a counted
    list, whatever others delete: it is stepped back until the anchor, or a record before it, is met."""
    where = place(position)
    if isinstance(paging, Counted):
        return await _Count(client, request, paging, rows_of, id_of, passed).read(where, limit)
    size = where.size or max(1, min(limit, paging.size_max))
    return await _linked(client, request, paging, where, size, limit, rows_of)


async def _linked(
    client: HttpClient, request: Request, paging: Paging, where: Place, size: int, limit: int, rows_of: RowsOf
) -> Batch:
    answer, body, rows = await _one(client, paging.asked(request, where, size), rows_of)
    onward = paging.next(answer, body, where, len(rows), size)
    kept = rows[where.skip : where.skip + limit]
    if where.skip + len(kept) < len(rows):
        # More than was asked for: the same page once more, from there.
        again = msgspec.structs.replace(where, skip=where.skip + len(kept), size=size)
        return Batch(kept, again.text(), True, body)
    return Batch(kept, onward.text() if onward else "", onward is not None, body)


class _Count:
    """Reading of a counted list. The window of each request begins with the anchor, so that one request shows both that the
    list has not shifted and what comes next."""

    def __init__(
        self,
        client: HttpClient,
        request: Request,
        paging: Counted,
        rows_of: RowsOf,
        id_of: IdOf,
        passed: Passed | None,
    ) -> None:
        self._client = client
        self._request = request
        self._paging = paging
        self._rows_of = rows_of
        self._id_of = id_of
        self._passed = passed

    async def read(self, where: Place, limit: int) -> Batch:
        """At most `limit` records after `where`."""
        # Pages of one record have no room for an anchor.
        anchored = bool(self._passed and where.anchor and where.count) and self._paging.size_max > 1
        start = where.count - 1 if anchored else where.count
        rows, more, body = await self._from(start, limit + 1 if anchored else limit)
        if anchored:
            rows, start, more, body = await self._behind(where.anchor, rows, start, more, body, limit)
        elif where.anchor and rows and self._id_of(rows[:limit][-1]) == where.anchor:
            raise self._stuck()
        kept = rows[:limit]
        after = Place(count=start + len(kept), anchor=self._id_of(kept[-1]) if kept else where.anchor)
        return Batch(kept, after.text(), more or len(kept) < len(rows), body)

    async def _behind(
        self, anchor: str, rows: Rows, start: int, more: bool, body: Any, limit: int
    ) -> tuple[Rows, int, bool, Any]:
        """The rows behind the anchor, and the number of the first. Back while the list has shifted to the left, forward
        while it has to the right."""
        for _ in range(STEPS_MAX):
            known = self._known(rows, anchor)
            first = ""
            if start > 0 and not known:
                start = max(0, start - max(1, limit))
            elif known == len(rows) and more and known > 1:
                first, start = self._id_of(rows[0]), start + known - 1
            else:
                # Nothing behind the anchor: that is the end.
                return rows[known:], start + known, more and known < len(rows), body
            rows, more, body = await self._from(start, limit + 1)
            if first and rows and self._id_of(rows[0]) == first:
                raise self._stuck()
        raise HttpError(
            Kind.TRANSIENT, f"can't {self._request.doing}: the list shifts faster than it is read"
        )

    def _stuck(self) -> HttpError:
        return HttpError(
            Kind.CONFIG,
            f"can't {self._request.doing}: the next page holds the same records as the one before",
            scope=Scope.STREAM,
            hint=f"check the paging: does the system mind the parameter `{self._paging.parameter}`?",
        )

    def _known(self, rows: Rows, anchor: str) -> int:
        """How many of the first rows were met before."""
        assert self._passed is not None
        known = 0
        while known < len(rows) and self._passed(self._id_of(rows[known]), anchor):
            known += 1
        return known

    async def _from(self, start: int, wanted: int) -> tuple[Rows, bool, Any]:
        """The rows from number `start` on, whether there are more behind them, and the body."""
        first, size = self._paging.window(start, wanted)
        where = Place(count=first, size=size)
        answer, body, rows = await _one(
            self._client, self._paging.asked(self._request, where, size), self._rows_of
        )
        onward = self._paging.next(answer, body, where, len(rows), size)
        if onward is not None and self._paging.by_page and len(rows) < size:
            await _check_last(
                self._client, self._request, self._paging, Place(count=first + size, size=size), self._rows_of
            )
            onward = None
        if start - first >= len(rows) and onward is not None:
            # The size can't be chosen, and this page ended before: the next one.
            return await self._from(first + len(rows), wanted)
        return rows[start - first :], onward is not None, body


async def _check_last(
    client: HttpClient, request: Request, paging: Paging, after: Place, rows_of: RowsOf
) -> None:
    """Whether nothing follows a page that is not full."""
    _, _, rows = await _one(client, paging.asked(request, after, after.size), rows_of)
    if rows:
        raise _capped(len(rows), after.size)


async def _one(client: HttpClient, request: Request, rows_of: RowsOf) -> tuple[Answer, Any, Rows]:
    answer = await client.ask(request)
    body = client.body_of(request, answer)
    return answer, body, rows_of(body)


def _onward(where: Place, link: str, size: int) -> Place:
    if link == where.link:
        raise HttpError(
            Kind.TRANSIENT, "the system's next page is the page itself: the list does not come to an end"
        )
    return Place(link=link, size=size)


_LINK: Final = re.compile(r"<([^>]*)>([^<]*)")


def link_next(header: str) -> str:
    """The address with `rel="next"` of a Link header (RFC 8288); "" where there is none."""
    for address, parameters in _LINK.findall(header):
        found = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))", parameters, re.IGNORECASE)
        if found and "next" in (found.group(1) or found.group(2)).lower().split():
            return str(address)
    return ""


def rows_at(path: str, what: str) -> RowsOf:
    """The list at `path` of a body. One object in its place is a list of one (XML turned into JSON); nothing there is an
    error, for an empty list is never taken from an answer that has none."""

    def rows(body: Any) -> Rows:
        found = at(body, path)
        if isinstance(found, list):
            return found
        if found is None and path:
            return []
        if path and isinstance(found, Mapping):
            return [found]
        raise HttpError(
            Kind.CONFIG,
            f"the answer to {what} has no list at '{path or '(the body itself)'}'",
            scope=Scope.STREAM,
            hint="check where the list stands in the body",
        )

    return rows


def by_number(id_: str, anchor: str) -> bool:
    """`Passed` for a list sorted by whole numbers."""
    return int(id_) <= int(anchor)


def by_text(id_: str, anchor: str) -> bool:
    """`Passed` for a list sorted by text, code point by code point."""
    return id_ <= anchor
