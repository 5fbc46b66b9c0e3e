"""The REST API of a SelectLine Auftrag installation as an emulator: one log-in of each user at a time, bare lists with
filters, documents that are made empty and get their positions one by one, stock that these move.

Options: `tenant` (SL_MWAWI), `users` (`tandem,tandem2`: who may log in), `password`, `app_key`; `licences` (0: enough);
`zone` (Europe/Berlin: of times without one); `kinds` (document kinds that the set-up knows). State: `down` (the
SelectLine server can't be reached), `barred` (paths that the user may not call).
What is confirmed and what is modelled: docs/connectors/selectline.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from clients.emulators.description import Field, Refused, Row, Table
from clients.emulators.emulator import answer, body_of
from clients.emulators.selectline_documents import Documents
from clients.emulators.selectline_filter import Filter, place
from clients.emulators.selectline_tables import EXTRA, SELECTLINE

QUERY_MAX: Final = 2048  # what IIS takes of a query string, unless told otherwise
LISTS: Final = (
    "Articles",
    "Customers",
    "Employees",
    "Tenants",
    "PriceGroups",
    "ArticleGroups",
    "DocumentKinds",
)
SWITCHES: Final = {
    "Articles": "includeInactiveArticles",
    "Customers": "includeInactive",
    "Employees": "includeInactive",
}
PLAIN: Final = ("Documents", "Customers")


class System(Documents):
    """One installation with one tenant."""

    description = SELECTLINE

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.users = self.options.get("users", "tandem,tandem2").split(",")
        self.password = self.options.get("password", "geheim")
        self.app_key = self.options.get("app_key", "app-key-1")
        self.zone = ZoneInfo(self.options.get("zone", "Europe/Berlin"))
        self.kinds = self.options.get("kinds", "ABEFGILNPRZ")
        self.down = False
        self.barred: set[str] = set()
        self.logins = 0
        self._tokens: dict[str, str] = {}  # by user
        self.begin_tenant()

    def begin_tenant(self) -> None:
        """There always is a tenant."""
        name = self.options.get("tenant", "SL_MWAWI")
        values = {"Name": name, "Company": "Beispiel GmbH", "Address.CountryId": "D", "TenantCountry": "D"}
        self.person.insert("Tenants", values)

    def routes(self) -> Iterable[web.RouteDef]:
        """Session, lists, documents, extra tables."""
        yield web.post("/Login", self._login)
        yield web.post("/Logout", self._logout)
        yield web.get("/Info", self._info)
        yield web.get("/Users/Current", self._current)
        for name in (*LISTS, "Documents"):
            yield web.get(f"/{{name:{name}}}", self._list)
            yield web.get(f"/{{name:{name}}}/{{key}}", self._one)
        for name in PLAIN:
            yield web.post(f"/{{name:{name}}}", self._create)
            yield web.put(f"/{{name:{name}}}/{{key}}", self._update)
        yield web.delete("/{name:Documents}/{key}", self._delete)
        yield web.put("/Documents/{key}/Status", self._status)
        yield web.get("/Documents/{key}/Positions", self._positions)
        yield web.post("/Documents/{key}/ArticleItem", self._item)
        yield web.put("/Documents/{key}/Positions/{position}", self._item_update)
        yield web.delete("/Documents/{key}/Positions/{position}", self._item_delete)
        yield web.get("/Articles/{key}/Sales/Prices/{customer}", self._prices)
        yield web.get("/ExtraTable/{name}", self._list)
        yield web.post("/ExtraTable/{name}", self._extra_create)
        yield web.put("/ExtraTable/{name}/{key}", self._extra_update)
        yield web.delete("/ExtraTable/{name}/{key}", self._extra_delete)

    # -------------------------------------------------------------------------------------------------- session

    def expire(self) -> None:
        """Every log-in is forgotten."""
        self._tokens.clear()

    async def _login(self, request: web.Request) -> web.Response:
        given = body_of(await request.read())
        if self.down:
            return web.Response(status=503)
        user = str(given.get("UserName", "")).casefold() if isinstance(given, dict) else ""
        if not user or not given.get("Password"):
            return _said(400, "02-001", "Username und Passwort sind erforderlich.")
        if given.get("AppKey") != self.app_key:
            return _said(403, "02-039", "Der AppKey ist ungültig.")
        if user not in self.users or given["Password"] != self.password:
            return answer({**_words("02-003", "Anmeldung abgelehnt."), "StatusCode": 0}, 403)
        licences = int(self.options.get("licences", "0"))
        if licences and user not in self._tokens and len(self._tokens) >= licences:
            return web.Response(status=402)
        self.logins += 1
        self._tokens[user] = secrets.token_hex(16).upper()  # the one before is dead
        return answer({"AccessToken": self._tokens[user], "TokenType": "LoginId"})

    async def _logout(self, request: web.Request) -> web.Response:
        user = self._user(request)
        if user is None:
            return _dead()
        del self._tokens[user]
        return web.Response(status=204)

    async def _current(self, request: web.Request) -> web.Response:
        user = self._user(request)
        return _dead() if user is None else answer({"UserName": user})

    async def _info(self, request: web.Request) -> web.Response:
        now = self.data.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return answer({"Version": "24.4", "IsBackendManagerRunning": not self.down, "ServerTimeInUtc": now})

    def _user(self, request: web.Request) -> str | None:
        given = request.headers.get("Authorization", "")
        return next((user for user, token in self._tokens.items() if given == f"LoginId {token}"), None)

    def _enter(self, request: web.Request) -> None:
        if len(request.rel_url.raw_query_string) > QUERY_MAX:
            raise TooLong
        if self._user(request) is None:
            raise Dead
        if any(request.path.startswith(path) for path in self.barred):
            raise Barred

    # -------------------------------------------------------------------------------------------------- reading

    def _table(self, request: web.Request) -> Table:
        self._enter(request)
        name = request.match_info["name"]
        try:
            return self.data.table(name)
        except KeyError:
            raise web.HTTPNotFound from None

    async def _list(self, request: web.Request) -> web.Response:
        table = self._table(request)
        text = request.query.get("filter")
        chosen = Filter(text, table, lambda name: self._property(table, name), self.zone) if text else None
        rows = self.data.shown(table.name, chosen.near if chosen else None)
        switch = SWITCHES.get(table.name)
        if switch and request.query.get(switch) != "true":
            rows = [row for row in rows if not row.get("IsInactive")]
        if table.name == "Articles" and request.query.get("includeVariantArticles") != "true":
            rows = [row for row in rows if not row.get("VariantArticleNumber")]
        if kind := request.query.get("selectDocumentKindFlag"):
            self.check_kind(kind)
            rows = [row for row in rows if row["KindFlag"] == kind]
        rows = list(filter(chosen.test, rows)) if chosen else rows
        return answer([self._shown(table, row) for row in self._asked(request, table, rows)])

    def _asked(self, request: web.Request, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Sorted, one page."""
        asked = request.query
        found = list(rows)
        for name in reversed([one for one in asked.get("orderBy", "").split("|") if one]):
            field = self._property(table, name.removesuffix("!"))
            found.sort(key=lambda row: place(row.get(field)), reverse=name.endswith("!"))
        page, items = int(asked.get("page", "0")), int(asked.get("items", "10"))
        return found[page * items : (page + 1) * items] if items else found

    def _property(self, table: Table, name: str) -> str:
        """A property by its name, whatever its case. Extra tables are filtered by their columns alone."""
        if table.name in EXTRA:
            if name.casefold() == "bearbeitetam":
                return "MetaData.ModificationDate"
            if name.startswith("MetaData."):
                raise Refused(f'Ungültiger Spaltenname "{name.partition(".")[2]}".', code="05-000")
        found = next((one.name for one in table.fields if one.name.casefold() == name.casefold()), None)
        if found is None:
            raise Refused(f"Die Eigenschaft {name} konnte nicht zugeordnet werden.", code="72-000")
        return found

    async def _one(self, request: web.Request) -> web.Response:
        table = self._table(request)
        return answer(self._shown(table, self._row(table, request.match_info["key"])))

    def _row(self, table: Table, key: str) -> Row:
        wanted = next(
            (one for one in self.data.tables[table.name] if str(one).casefold() == key.casefold()), key
        )
        row = self.data.look(table.name, wanted)
        if row is None:
            raise web.HTTPNotFound
        return row

    async def _prices(self, request: web.Request) -> web.Response:
        self._enter(request)
        article = self._row(self.data.table("Articles"), request.match_info["key"])
        self._row(self.data.table("Customers"), request.match_info["customer"])
        rows = self.person.find(
            "Prices", ArticleNumber=article["Number"], CustomerNumber=request.match_info["customer"]
        )
        factor = article["Payment.PriceUnitFactor"]
        if not rows:
            rows = [{"Quantity": Decimal(0), "UnitPrice": article["Payment.ListPrice"], "DiscountPercent": 0}]
        return answer([{**_priced(row), "PriceUnitFactor": factor} for row in rows])

    def _shown(self, table: Table, row: Row) -> dict[str, Any]:
        """A row with its nested objects; of an extra table its columns under `Fields`."""
        whole: dict[str, Any] = {}
        for field in table.fields:
            if field.name not in row or (table.name == "Documents" and field.name == "DocumentKey"):
                continue
            name = field.name
            if table.name in EXTRA and "." not in name:
                name = f"Fields.{name}"
            _put(whole, name, self._spelt(field, row[field.name]))
        return whole

    def _spelt(self, field: Field, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(self.zone).replace(tzinfo=None).isoformat(timespec="milliseconds")
        if isinstance(value, date):
            return f"{value.isoformat()}T00:00:00"
        return value

    # -------------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        table = self._table(request)
        values = self._values(table, body_of(await request.read()))
        if table.name == "Documents":
            return self.make_document(values)
        number = values.get("Number") or self.next_number("Customers")
        self.data.insert("Customers", {**values, "Number": number})
        return answer({"CustomerNumber": number}, 201)

    async def _update(self, request: web.Request) -> web.Response:
        """Only what is sent changes."""
        table = self._table(request)
        row = self._row(table, request.match_info["key"])
        values = self._values(table, body_of(await request.read()))
        if {"Number", "KindFlag"} & set(values) and table.name == "Documents":
            raise Refused("Belegnummer und Belegtyp bleiben.")
        self.data.edit(table.name, row[table.key], values)
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        table = self._table(request)
        self.data.delete("Documents", self._row(table, request.match_info["key"])["DocumentKey"])
        return web.Response(status=204)

    def _values(self, table: Table, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Refused("Der Body fehlt.")
        found: dict[str, Any] = {}
        for name, value in _flat(body):
            field = table.field(name)
            if field is not None and field.writable and name != "DocumentKey":
                found[name] = value[:10] if field.type == "date" and isinstance(value, str) else value
        return found

    # --------------------------------------------------------------------------------------------- extra tables

    async def _extra_create(self, request: web.Request) -> web.Response:
        table = self._table(request)
        row = self.data.insert(table.name, self._columns(table, body_of(await request.read())))
        return answer({"TableName": table.name, "Identifier": row["Id"]}, 201)

    async def _extra_update(self, request: web.Request) -> web.Response:
        table = self._table(request)
        row = self._row(table, request.match_info["key"])
        self.data.edit(table.name, row["Id"], self._columns(table, body_of(await request.read())))
        return web.Response(status=204)

    async def _extra_delete(self, request: web.Request) -> web.Response:
        table = self._table(request)
        self.data.delete(table.name, self._row(table, request.match_info["key"])["Id"])
        return web.Response(status=204)

    def _columns(self, table: Table, body: Any) -> dict[str, Any]:
        columns = body.get("Fields") if isinstance(body, dict) else None
        if table.name not in EXTRA or not isinstance(columns, dict):
            raise Refused("Nur eigene Tabellen (X...) mit Fields können geschrieben werden.")
        for name in columns:
            if table.field(name) is None:
                raise Refused(f'Ungültiger Spaltenname "{name}".')
        return columns

    # --------------------------------------------------------------------------------------------------- errors

    async def _handled(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            return await super()._handled(request, handler)
        except TooLong:
            page = "<html><head><title>IIS 404.15 - Not Found</title></head></html>"
            return web.Response(text=page, status=404, content_type="text/html")
        except Dead:
            return _dead()
        except Barred:
            return _said(403, "70-002", "Nicht autorisierter Zugriff.")

    def refused(self, error: Refused) -> web.Response:
        """A filter that is not understood is a breakdown; all else is a bad request."""
        if error.code[:2] in ("72", "05", "42"):
            return _said(500, error.code, error.reason)
        return _said(400, "42-036", error.reason)

    def rate_limited(self, seconds: float) -> web.Response:
        """The vendor has no limit: a proxy in front of it may."""
        return web.Response(status=429, headers={"Retry-After": f"{seconds:g}"}, text="Too many requests")

    def failed(self, status: int) -> web.Response:
        """General fault of the server."""
        return _said(status, "42-000", "Zugriffsverletzung bei Adresse 00000000.")

    def unknown_path(self, status: int) -> web.Response:
        """Nothing there."""
        if status == 404:
            return _said(404, "42-004", "Nicht gefunden.")
        return web.Response(status=status)


class TooLong(Exception):
    """The web server doesn't let such a query through."""


class Dead(Exception):
    """The token is not known any more."""


class Barred(Exception):
    """The user may not do that."""


def _dead() -> web.Response:
    return _said(403, "42-003", "Die LoginId ist nicht bekannt.")


def _said(status: int, code: str, message: str) -> web.Response:
    return answer(_words(code, message), status)


def _words(code: str, message: str) -> dict[str, Any]:
    return {
        "StatusCode": "Error",
        "ResponseCode": code,
        "ResponseId": 0,
        "ResponseIdDescription": "Undefined",
        "Message": message,
        "Details": None,
    }


def _priced(row: Row) -> dict[str, Any]:
    price, off = row.get("UnitPrice"), row.get("DiscountPercent") or 0
    final = price * (100 - off) / 100 if price is not None else None
    return {"Quantity": row["Quantity"], "UnitPrice": price, "DiscountPercent": off, "FinalPrice": final}


def _flat(body: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _put(whole: dict[str, Any], path: str, value: Any) -> None:
    *heads, last = path.split(".")
    for head in heads:
        whole = whole.setdefault(head, {})
    whole[last] = value
