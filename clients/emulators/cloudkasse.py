"""An account of a CloudKasse as an emulator, with its tablets: lists in id order, single writes, receipts that only read.

Options: `account` (K-1000), `name`, `token`; `numbers` (`text`, `number`); `pending` (`told`, `silent`: whether the cloud
knows how many receipts are still on a tablet); `busy` (`yes`: a synchronisation runs, all that writes is answered 409).
What only people at a till do are deeds (docs/EMULATORS.md): `sell`, `cancel`, `hand_over`, `report`, `close_day`, `reset`.
All of it is modelled: docs/connectors/cloudkasse.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aiohttp import web

from clients.emulators.cloudkasse_tables import CLOUDKASSE, FIXED, PATHS, RATES, REFERENCES
from clients.emulators.cloudkasse_tablet import Tablets
from clients.emulators.data import Change, Near
from clients.emulators.description import Key, Refused, Row, Table
from clients.emulators.emulator import Emulator, answer, body_of

VERSION: Final = "/v1"
LIMIT: Final = 100
LIMIT_MAX: Final = 500
OWN: Final = ("limit", "after", "ids", "updatedSince")
EXISTS: Final = "KeyExists"
MISSING: Final = "CouldNotFind"


class System(Emulator):
    """One account."""

    description = CLOUDKASSE

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.account = self.options.get("account", "K-1000")
        self.token = self.options.get("token", "till-token")
        self.tablets = Tablets(self.data)
        self.deeds = self.tablets.deeds()
        self._expired = False
        for rate in RATES:
            self.data.insert("vatRates", rate, by="person")

    def routes(self) -> Iterable[web.RouteDef]:
        """The account, lists, single records."""
        yield web.get(f"{VERSION}/account", self._who)
        yield web.get(f"{VERSION}/{{name}}", self._list)
        yield web.post(f"{VERSION}/{{name}}", self._create)
        for method, act in (("GET", self._one), ("PATCH", self._update), ("DELETE", self._delete)):
            yield web.route(method, f"{VERSION}/{{name}}/{{key}}", act)

    # ---------------------------------------------------------------------------------------------------- entry

    def expire(self) -> None:
        """The token was revoked, until `allow`."""
        self._expired = True

    def allow(self) -> None:
        """The token is good again."""
        self._expired = False

    def _enter(self, request: web.Request) -> None:
        if self._expired or request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        if request.method != "GET" and self.options.get("busy") == "yes":
            raise Refused("Es läuft bereits eine Synchronisation.", code="busy")

    async def _who(self, request: web.Request) -> web.Response:
        self._enter(request)
        return answer({"id": self.account, "name": self.options.get("name", f"Kasse {self.account}")})

    def _table(self, request: web.Request) -> Table:
        self._enter(request)
        name = PATHS.get(request.match_info["name"])
        if name is None:
            raise web.HTTPNotFound
        if request.method != "GET" and name in FIXED:
            raise web.HTTPMethodNotAllowed(request.method, ["GET"])
        return self.data.table(name)

    # -------------------------------------------------------------------------------------------------- reading

    async def _list(self, request: web.Request) -> web.Response:
        """By id. `after`: ids behind that one; `updatedSince`: what came to the cloud from then on; `ids`: these, with
        commas; any other parameter is a field and its value."""
        table, asked = self._table(request), request.query
        rows = self.data.shown(table.name, self._near(table, asked))
        if after := asked.get("after"):
            last = self._key(table, after)
            rows = [row for row in rows if row[table.key] > last]
        if since := asked.get("updatedSince"):
            rows = [row for row in rows if row["updatedAt"] >= _instant(since)]
        if ids := asked.get("ids"):
            wanted = ids.split(",")
            rows = [row for row in rows if str(row[table.key]) in wanted]
        for name, text in asked.items():
            if name not in OWN:
                if table.field(name) is None:
                    raise Refused(f"{table.name} hat kein Feld {name}", code="unknown_field", field=name)
                rows = [row for row in rows if _is(row.get(name), text)]
        limit = asked.get("limit", str(LIMIT))
        if not limit.isdecimal() or not 0 < int(limit) <= LIMIT_MAX:
            raise Refused(f"limit: 1 bis {LIMIT_MAX}", code="limit")
        shown = [self._shown(table, row) for row in rows[: int(limit)]]
        return answer({"count": len(rows), "results": shown})

    def _near(self, table: Table, asked: Mapping[str, str]) -> Near | None:
        if ids := asked.get("ids"):
            return Near(table.key, values=[self._key(table, one) for one in ids.split(",")])
        return Near(table.key, least=self._key(table, asked["after"])) if asked.get("after") else None

    async def _one(self, request: web.Request) -> web.Response:
        table = self._table(request)
        row = self.data.look(table.name, self._key(table, request.match_info["key"]))
        if row is None:
            raise self._missing(table, request)
        return answer(self._shown(table, row))

    def _key(self, table: Table, text: str) -> Key:
        if table.field(table.key) is None or not table.draws:
            return text if table.name != "vatRates" else int(text) if text.isdecimal() else -1
        return int(text) if text.isdecimal() else -1

    def _missing(self, table: Table, request: web.Request) -> Refused:
        return Refused(f"{table.name} {request.match_info['key']} gibt es nicht.", code=MISSING)

    def _shown(self, table: Table, row: Row) -> dict[str, Any]:
        silent = table.name == "tills" and self.options.get("pending") == "silent"
        return {
            field.name: None if silent and field.name == "pending" else self._spelt(row[field.name])
            for field in table.fields
            if field.name in row
        }

    def _spelt(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return value if self.options.get("numbers") == "number" else format(value, "f")
        if isinstance(value, list | tuple):
            return [self._spelt(one) for one in value]
        if isinstance(value, dict):
            return {name: self._spelt(one) for name, one in value.items()}
        return value

    # -------------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        table = self._table(request)
        row = self.data.insert(table.name, self._values(table, await request.read()))
        return answer(self._shown(table, row))

    async def _update(self, request: web.Request) -> web.Response:
        table = self._table(request)
        key = self._there(table, request)
        return answer(
            self._shown(table, self.data.edit(table.name, key, self._values(table, await request.read())))
        )

    async def _delete(self, request: web.Request) -> web.Response:
        table = self._table(request)
        self.data.delete(table.name, self._there(table, request))
        return answer({"error": False, "msg": "gelöscht"})

    def _there(self, table: Table, request: web.Request) -> Key:
        key = self._key(table, request.match_info["key"])
        if key not in self.data.tables[table.name]:
            raise self._missing(table, request)
        return key

    def _values(self, table: Table, raw: bytes) -> dict[str, Any]:
        body = body_of(raw)
        if not isinstance(body, dict):
            raise Refused("Ein Objekt wird erwartet.", code="body")
        for name in body:
            field = table.field(name)
            if field is None or not field.writable:
                raise Refused(f"{name} kann nicht geschrieben werden.", code="unknown_field", field=name)
        return body

    def guard(self, change: Change) -> None:
        """Articles only once there is a till; references to what is there; what was sold or used stays; gross prices have
        two places."""
        if change.after is None:
            self._guard_delete(change)
            return
        if change.op == "insert" and change.table == "articles" and not self.data.tables["tills"]:
            raise Refused("Erst muss eine Kasse angelegt sein.", code="no_till")
        for table, field, to in REFERENCES:
            value = change.after.get(field) if change.table == table else None
            if value is not None and value not in self.data.tables[to]:
                raise Refused(f"{field}: {value} gibt es in {to} nicht.", code="reference", field=field)
        for name in ("grossPrice", "gross"):
            value = change.after.get(name)
            if isinstance(value, Decimal) and (value < 0 or value != round(value, 2)):
                raise Refused(f"{name}: {value} ist kein Preis in Cent.", code="price", field=name)

    def _guard_delete(self, change: Change) -> None:
        for table, field, to in REFERENCES:
            if change.table == to and any(
                row[field] == change.key for row in self.data.tables[table].values()
            ):
                raise Refused(f"Wird noch verwendet ({table}).", code="used")
        if change.before is not None and self.tablets.uses(change.table, change.before):
            raise Refused("Steht auf Bons; nur inaktiv setzen.", code="used")

    # ------------------------------------------------------------------------------------------------- wording

    def refused(self, error: Refused) -> web.Response:
        """Each refusal with its code."""
        code = {EXISTS: "exists", MISSING: "not_found", "FieldCannotBeBlank": "blank"}.get(
            error.code, error.code
        )
        status = {"exists": 409, "busy": 409, "not_found": 404, "limit": 400, "body": 400}.get(code, 422)
        return answer(
            {"error": True, "code": code or "invalid", "field": error.field, "msg": error.reason}, status
        )

    def rate_limited(self, seconds: float) -> web.Response:
        """429 with the usual header."""
        body = {"error": True, "code": "rate_limit", "msg": "Zu viele Anfragen"}
        return answer(body, 429, {"Retry-After": f"{seconds:g}"})

    def failed(self, status: int) -> web.Response:
        """Something broke inside."""
        return answer({"error": True, "code": "internal", "msg": "Interner Fehler"}, status)

    def unknown_path(self, status: int) -> web.Response:
        """No such path, not for this verb, or a wrong token."""
        words = {401: "Token ungültig", 404: "Unbekannter Pfad", 405: "Nur lesbar"}.get(status, "Fehler")
        code = {401: "token", 404: "path", 405: "read_only"}.get(status, "error")
        return answer({"error": True, "code": code, "msg": words}, status)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"updatedSince: {text} ist keine Zeit", code="limit") from error
    if found.tzinfo is None:
        raise Refused(f"updatedSince: {text} hat keine Zeitzone", code="limit")
    return found


def _is(value: Any, text: str) -> bool:
    if isinstance(value, Decimal):
        try:
            return value == Decimal(text)
        except InvalidOperation:
            return False
    if isinstance(value, bool):
        return ("true" if value else "false") == text
    return ("" if value is None else str(value)) == text
