"""A shop with a JSON REST API of its own ideas, for tests of the connector `rest`: whole objects with ETags, lists that are
counted and can be asked for what changed, answers in wrappers, errors inside of 200, 400 for what is gone.

It lies on demand (`lies`), for tests of the probe.
"""

from __future__ import annotations

import itertools
import time
from decimal import Decimal
from typing import Any

from aiohttp import web

from clients.connectors.http.wire import dumps, loads
from tests.connectors.http_server import Stand

NAMES = ("name", "note", "amount", "count", "active", "day", "extra", "tag")
DECLARATION = """
name: shop
auth: {kind: header, name: X-Key, value: "${key}"}
identity: {path: me, at: company.id}
check: {path: me}
promises: {absence: hint}
answers:
  - {status: 400, at: why, is: no such record, means: gone}
  - {status: 200, at: failed, means: refused}
objects:
  people:
    path: people
    key: id
    tag: tag
    version: ETag
    list:
      at: data.rows
      paging: {kind: offset, parameter: from, size_parameter: most, size_max: 50, checked: true}
      sorted: by_text
    look: {at: data.record}
    find: {query: {"{field}": "{value}"}, fields: [name, note, tag]}
    modified: {field: changed, query: {changed_since: "{value}"}, overlap: 1s}
    create: {wrap: record, at: none, id_from_location: true}
    update: {method: PUT, whole: true, wrap: record, at: data.record, if_match: true, drop: [changed]}
    delete: {if_match: true}
    fields:
      id: {writable: false}
      name: {required: true}
      note: text
      amount: decimal
      count: integer
      active: {type: boolean, true_words: ["Y"], false_words: ["N"]}
      day: {type: date, format: "%d.%m.%Y", read: dates.day}
      extra: text
      tag: text
      changed: {type: instant, format: epoch_ms, writable: false}
"""


class Shop:
    """The data, and the API on a stand. Other people edit past it (`put`, `remove`)."""

    def __init__(self, stand: Stand) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.lies: set[str] = set()
        self._numbers = itertools.count(50_001)
        self._revisions = itertools.count(1)
        self._last = 0
        stand.answer = self.handle

    # ------------------------------------------------------------------------------------------------ other people

    def put(self, id_: str, values: dict[str, Any]) -> None:
        """Change or add a row: plain JSON values."""
        self._last = max(self._last + 1, int(time.time() * 1000))
        before = self.rows.get(id_, dict.fromkeys(NAMES))
        stamps = {"changed": self._last, "revision": next(self._revisions)}
        self.rows[id_] = {**before, **values, **stamps}

    def remove(self, id_: str) -> None:
        """Delete a row."""
        del self.rows[id_]

    # ----------------------------------------------------------------------------------------------------- the API

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        if request.headers.get("X-Key") != "the-key":
            return _json({"why": "who are you?"}, 401)
        head, _, id_ = request.path.strip("/").partition("/")
        if head == "me":
            return _json({"company": {"id": 17}})
        if head != "people":
            return _json({"why": "no such place"}, 404)
        if request.method == "POST":
            return self._create(loads(await request.read())["record"])
        return await self._one(request, id_) if id_ else self._list(request)

    def _list(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        start, most = int(query.pop("from", "0")), int(query.pop("most", "50"))
        since = int(query.pop("changed_since", "0")) if "deaf" not in self.lies else 0
        query.pop("changed_since", None)
        found = [
            (id_, row)
            for id_, row in sorted(self.rows.items(), reverse="unsorted" in self.lies)
            if row["changed"] >= since and all(str(row.get(name)) == text for name, text in query.items())
        ]
        if "stuck" in self.lies:
            start = 0
        return _json({"data": {"rows": [self._shown(*one) for one in found[start : start + most]]}})

    async def _one(self, request: web.Request, id_: str) -> web.StreamResponse:
        row = self.rows.get(id_)
        if row is None:
            return _json({"why": "no such record" if "rude" not in self.lies else "bad request"}, 400)
        etag = f'"{row["revision"]}"'
        if request.method == "GET":
            return _json({"data": {"record": self._shown(id_, row)}}, 200, ETag=etag)
        if request.headers.get("If-Match") != etag:
            return _json({"why": "changed"}, 412)
        if request.method == "DELETE":
            self.remove(id_)
            return web.Response(status=204)
        return self._replace(id_, loads(await request.read())["record"])

    def _replace(self, id_: str, record: dict[str, Any]) -> web.StreamResponse:
        """What is not sent is emptied: the whole object counts."""
        if "changed" in record:
            return _json({"failed": "changed is ours"})
        if refusal := _refusal(record):
            return _json({"failed": refusal})
        self.put(id_, {**dict.fromkeys(NAMES), **_stored(record)})
        return _json(
            {"data": {"record": self._shown(id_, self.rows[id_])}}, ETag=f'"{self.rows[id_]["revision"]}"'
        )

    def _create(self, record: dict[str, Any]) -> web.StreamResponse:
        if refusal := _refusal(record):
            return _json({"failed": refusal})
        id_ = f"K{next(self._numbers)}"
        self.put(id_, _stored(record))
        return _json({}, 201, Location=f"/people/{id_}")

    def _shown(self, id_: str, row: dict[str, Any]) -> dict[str, Any]:
        shown = {"id": id_, **{name: row[name] for name in NAMES if name != "day"}}
        shown |= {"dates": {"day": row["day"]}, "changed": row["changed"], "colour": "red"}
        if "texts" in self.lies:
            shown["amount"] = None if row["amount"] is None else str(row["amount"])
        if "shy" in self.lies:
            del shown["note"]
        return shown


def _refusal(record: dict[str, Any]) -> str:
    if record.get("name") == "refused":
        return "that name is not allowed"
    amount = record.get("amount")
    return "" if amount is None or isinstance(amount, int | Decimal) else "the amount is no number"


def _stored(record: dict[str, Any]) -> dict[str, Any]:
    dates = record.get("dates") or {}
    return {**{name: record[name] for name in NAMES if name in record}, "day": dates.get("day")}


def _json(body: Any, status: int = 200, **headers: str) -> web.Response:
    return web.Response(
        body=dumps(body), status=status, headers={"Content-Type": "application/json", **headers}
    )
