"""Uniconta as an emulator: the OData feed for reading (A) and the REST-like interface for writing (B).

Options: `company` (4711), `user`, `password`; `insert_reply` (`object`, `empty`: 204); `errors` (`text`: 200 with the name
of the error as plain text, `status`: 400); `page_max` (0: no cap; else reads are cut there without a word); `updated_at`
(`yes`, `no`: rows don't carry it); `separator` of webhooks (`&`, `?`: as in the vendor's printed sample); `verb`
(`Operation`, `Action`: the name under which webhooks say what happened). Surfaces C (JWT) and D (.NET) are not emulated.
What is confirmed and what is modelled: docs/connectors/uniconta.md.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import Change
from clients.emulators.description import Field, Key, Refused, Row, Table, taken
from clients.emulators.emulator import ENCODER, Emulator, answer, body_of
from clients.emulators.uniconta_filter import Filter
from clients.emulators.uniconta_tables import COUNTRIES, TABLE_IDS, UNICONTA

NEVER_WRITTEN: Final = ("DebtorTransClient", "CompanyClient")
INNER: Final = ("UserFields",)
XML_TYPES: Final = {
    "integer": "Edm.Int32",
    "double": "Edm.Double",
    "decimal": "Edm.Decimal",
    "boolean": "Edm.Boolean",
    "date": "Edm.DateTime",
    "instant": "Edm.DateTime",
}


class System(Emulator):
    """Uniconta."""

    description = UNICONTA

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.company = self.options.get("company", "4711")
        self.user = self.options.get("user", "tandem")
        self.password = self.options.get("password", "secret")
        self._blocked = False
        self._orders = 1000
        self._series = {"DebtorClient": 10000, "EmployeeClient": 0}
        self.own: dict[tuple[str, Key], dict[int, Any]] = {}  # user-defined values, by field id and row
        company = {"PrimaryKeyId": int(self.company), "Name": "Emulated company", "Country": "Denmark"}
        self.data.insert("CompanyClient", {**company, "Currency": "DKK"}, by="person")

    def routes(self) -> Iterable[web.RouteDef]:
        """Surfaces A and B."""
        for head in ("/odata/{company:\\d+}", "/odata"):
            yield web.get(head, self._endpoints)
            yield web.get(f"{head}/$metadata", self._metadata)
            yield web.get(f"{head}/{{entity}}", self._feed)
        yield web.post("/api/Entities/Insert/{entity}", self._insert)
        yield web.post("/api/Entities/InsertList/{entity}", self._insert_list)
        yield web.put("/api/Entities/Update/{entity}", self._update)
        yield web.delete("/api/Entities/Delete/{entity}", self._delete)
        yield web.get("/api/Entities/Read/{entity}", self._read)
        yield web.get("/api/Entities/{company:\\d+}/{entity}", self._read)
        yield web.get("/api/Entities/{entity}", self._read)

    # ----------------------------------------------------------------------------------------------- entry

    def expire(self) -> None:
        """The password was changed: nobody gets in until `allow`."""
        self._blocked = True

    def allow(self) -> None:
        """The old password is good again."""
        self._blocked = False

    def _enter(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        try:
            user, _, password = base64.b64decode(given).decode().partition(":")
        except ValueError:
            raise web.HTTPUnauthorized from None
        head, _, name = user.partition("/")
        company = head.removeprefix("00") if head.startswith("00") else ""
        if self._blocked or (company, name, password) != (self.company, self.user, self.password):
            raise web.HTTPUnauthorized
        if request.match_info.get("company", self.company) != self.company:
            raise web.HTTPForbidden

    # ------------------------------------------------------------------- a person's hand on user-defined fields

    def make_field(self, entity: str, name: str, kind: str = "text", size: int = 0) -> Key:
        """A person makes a user-defined field; its id."""
        row = {"Entity": entity, "Name": name, "Type": kind, "Size": size}
        (made,) = self.person.insert("UserFields", row)
        return made

    def write_own(self, entity: str, key: Key, **values: Any) -> None:
        """A person writes user-defined fields of a row."""
        ids = {row["Name"]: row["Id"] for row in self._user_fields(entity)}
        held = self.own.setdefault((entity, key), {})
        held.update({ids[name]: value for name, value in values.items()})
        self.person.edit(entity, key)

    def field_id(self, entity: str, name: str) -> int:
        """The id of a user-defined field."""
        (found,) = (row["Id"] for row in self._user_fields(entity) if row["Name"] == name)
        return int(found)

    def read_own(self, entity: str, key: Key) -> dict[str, Any]:
        """The user-defined fields of a row."""
        held = self.own.get((entity, key), {})
        return {row["Name"]: held.get(row["Id"]) for row in self._user_fields(entity)}

    # ---------------------------------------------------------------------------------------------- reading

    async def _endpoints(self, request: web.Request) -> web.Response:
        self._enter(request)
        names = [table.name for table in UNICONTA.tables if table.name not in INNER]
        return answer({"value": [{"name": name, "kind": "EntitySet", "url": name} for name in names]})

    async def _metadata(self, request: web.Request) -> web.Response:
        """EDMX; user-defined fields are in the entities with "User" behind their names."""
        self._enter(request)
        types = "".join(self._type(table) for table in UNICONTA.tables if table.name not in INNER)
        text = (
            f'<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices>\
<Schema Namespace="Uniconta" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">{types}</Schema>\
</edmx:DataServices></edmx:Edmx>'
        )
        return web.Response(text=text, content_type="application/xml")

    def _type(self, table: Table) -> str:
        plain = "".join(_property(field) for field in self._fields(table))
        own = "".join(_property(Field(row["Name"], row["Type"])) for row in self._user_fields(table.name))
        key = f'<Key><PropertyRef Name="{table.key}"/></Key>'
        return "".join(
            f'<EntityType Name="{table.name}{tail}">{key}{plain}{more}</EntityType>'
            for tail, more in (("", ""), ("User", own))
        )

    def _fields(self, table: Table) -> list[Field]:
        gone = {name for held, name in self.data.absent if held == table.name}
        if self.options.get("updated_at") == "no":
            gone.add("UpdatedAt")
        return [field for field in table.fields if field.name not in gone]

    def _user_fields(self, entity: str) -> list[Row]:
        return [row for row in self.data.tables["UserFields"].values() if row["Entity"] == entity]

    async def _feed(self, request: web.Request) -> web.Response:
        self._enter(request)
        table, with_own = self._entity(request)
        query = request.query
        filter_ = Filter(query["$filter"]) if query.get("$filter") else None
        order, _, down = query.get("$orderby", "").partition(" ")
        rows = self.data.shown(table.name, filter_.near if filter_ else None)
        asked = {*(filter_.names if filter_ else ()), *([order] if order else ())}
        held = asked <= {field.name for field in self._fields(table)}  # else it is worked out first
        if not held:
            rows = [self._whole(table, row, with_own) for row in rows]
        if filter_:
            rows = list(filter(filter_.test, rows))
        if order:
            rows.sort(key=lambda row: (row.get(order) is not None, row.get(order)), reverse=down == "desc")
        rows = rows[int(query.get("$skip", "0")) :]
        rows = rows[: int(query["$top"])] if "$top" in query else rows
        if held:
            rows = [self._whole(table, row, with_own) for row in self._capped(rows)]
        shown = [self._shown(row) for row in self._capped(rows)]
        if "application/json" not in request.headers.get("Accept", ""):
            entries = "".join(f"<entry>{escape(str(row))}</entry>" for row in shown)
            return web.Response(text=f"<feed>{entries}</feed>", content_type="application/atom+xml")
        return answer({"value": shown})

    async def _read(self, request: web.Request) -> web.Response:
        self._enter(request)
        table, with_own = self._entity(request)
        rows = [self._whole(table, row, with_own) for row in self.data.shown(table.name)]
        if name := request.query.get("Name"):
            rows = [row for row in rows if str(row.get(name, "")) == request.query.get("Value", "")]
        return answer([self._shown(row) for row in self._capped(rows)])

    def _capped(self, rows: list[Row]) -> list[Row]:
        most = int(self.options.get("page_max", "0"))
        return rows[:most] if most else rows

    def _entity(self, request: web.Request) -> tuple[Table, bool]:
        name = request.match_info["entity"]
        table = next((one for one in UNICONTA.tables if one.name in (name, name.removesuffix("User"))), None)
        if table is None or table.name in INNER:
            raise web.HTTPNotFound
        return table, name.endswith("User")

    def _whole(self, table: Table, row: Row, with_own: bool) -> Row:
        found = {field.name: row[field.name] for field in self._fields(table) if field.name in row}
        if table.name == "DebtorOrderLineClient":
            found["Total"] = _total(row)
        if table.name == "DebtorOrderClient":
            lines = self.data.tables["DebtorOrderLineClient"].values()
            found["OrderTotal"] = sum(
                (_total(line) for line in lines if line["OrderNumber"] == row["OrderNumber"]), Decimal(0)
            )
        if with_own:
            for field in self._user_fields(table.name):
                found[field["Name"]] = self.own.get((table.name, row["PrimaryKeyId"]), {}).get(field["Id"])
        return found

    def _shown(self, row: Row) -> dict[str, Any]:
        """Nulls are left out; RowId is the same as PrimaryKeyId."""
        shown = {name: _written(value) for name, value in row.items() if value is not None}
        return {**shown, "RowId": row.get("PrimaryKeyId")}

    # ---------------------------------------------------------------------------------------------- writing

    async def _insert(self, request: web.Request) -> web.Response:
        self._enter(request)
        table, with_own = self._entity(request)
        row = self._made(table, with_own, body_of(await request.read()))
        if self.options.get("insert_reply") == "empty":
            return web.Response(status=204)
        return answer(self._shown(self._whole(table, row, with_own)))

    async def _insert_list(self, request: web.Request) -> web.Response:
        """All of them or none."""
        self._enter(request)
        table, with_own = self._entity(request)
        bodies = body_of(await request.read())
        if not isinstance(bodies, list):
            raise Refused("ArgumentMissing", code="ArgumentMissing")
        made: list[Row] = []
        try:
            for body in bodies:
                made.append(self._made(table, with_own, body))
        except Refused:
            for row in reversed(made):
                self.data.delete(table.name, row["PrimaryKeyId"])
            raise
        return answer([self._shown(self._whole(table, row, with_own)) for row in made])

    def _made(self, table: Table, with_own: bool, body: Any) -> Row:
        values, own = self._taken(table, with_own, body)
        for name in ("PrimaryKeyId", "RowId"):
            values.pop(name, None)
        if table.name in self._series:
            key = "Account" if table.name == "DebtorClient" else "Number"
            values[key] = values.get(key) or self._next_number(table.name, key)
        if table.name == "DebtorOrderClient":
            values["OrderNumber"] = values.get("OrderNumber") or self._next_order()
        if table.name == "DebtorOrderLineClient":
            values["LineNumber"] = values.get("LineNumber") or self._next_line(values.get("OrderNumber"))
        row = self.data.insert(table.name, values)
        self.own[table.name, row["PrimaryKeyId"]] = own
        return row

    def _next_number(self, entity: str, key: str) -> str:
        while True:
            self._series[entity] += 1
            if not self._has(entity, key, str(self._series[entity])):
                return str(self._series[entity])

    def _next_order(self) -> int:
        taken = [row["OrderNumber"] or 0 for row in self.data.tables["DebtorOrderClient"].values()]
        self._orders = max([self._orders, *taken]) + 1
        return self._orders

    def _next_line(self, order: Any) -> Decimal:
        lines = self.data.tables["DebtorOrderLineClient"].values()
        return (
            max(
                (row["LineNumber"] or Decimal(0) for row in lines if row["OrderNumber"] == order),
                default=Decimal(0),
            )
            + 1
        )

    def _taken(self, table: Table, with_own: bool, body: Any) -> tuple[Row, dict[int, Any]]:
        if not isinstance(body, dict) or not body:
            raise Refused("ArgumentMissing", code="ArgumentMissing")
        fields = {field.name: field for field in table.fields if field.writable}
        values = {name: _read_in(fields[name], value) for name, value in body.items() if name in fields}
        own: dict[int, Any] = {}
        for row in self._user_fields(table.name) if with_own else ():
            field = Field(row["Name"], row["Type"], size=row["Size"])
            own[row["Id"]] = taken(field, _read_in(field, body.get(field.name)))
        return values, own

    async def _update(self, request: web.Request) -> web.Response:
        """The whole object takes the place of the old one: what is not sent is emptied, whoever wrote it."""
        self._enter(request)
        table, with_own = self._entity(request)
        body = body_of(await request.read())
        values, own = self._taken(table, with_own, body)
        key = self._target(table, body)
        whole = {field.name: values.get(field.name) for field in table.fields if field.writable}
        whole["PrimaryKeyId"] = key
        self.data.edit(table.name, key, whole)
        if with_own:
            self.own[table.name, key] = own
        return answer(self._shown(self._whole(table, self.data.tables[table.name][key], with_own)))

    async def _delete(self, request: web.Request) -> web.Response:
        self._enter(request)
        table, _ = self._entity(request)
        key = self._target(table, body_of(await request.read()))
        self.data.delete(table.name, key)
        if table.name == "DebtorOrderClient":
            self._drop_lines()
        return web.Response()

    def _target(self, table: Table, body: Any) -> int:
        key = body.get("PrimaryKeyId", body.get("RowId")) if isinstance(body, dict) else None
        if key not in self.data.tables[table.name]:
            raise Refused("CouldNotFind", code="CouldNotFind")
        assert isinstance(key, int)
        return key

    def _drop_lines(self) -> None:
        orders = {row["OrderNumber"] for row in self.data.tables["DebtorOrderClient"].values()}
        for key, row in list(self.data.tables["DebtorOrderLineClient"].items()):
            if row["OrderNumber"] not in orders:
                self.data.delete("DebtorOrderLineClient", key)

    def guard(self, change: Change) -> None:
        """What was posted stays; orders need their debtor, lines their order and item."""
        if change.table in NEVER_WRITTEN and change.by == "api":
            raise Refused("NoRights", code="NoRights")
        if change.table == "DebtorClient" and change.op == "delete" and change.before is not None:
            self._check_unused(change.before["Account"])
        row = change.after or {}
        if (
            change.table == "DebtorOrderClient"
            and row
            and not self._has("DebtorClient", "Account", row["Account"])
        ):
            raise Refused("AccountIsMissing", code="AccountIsMissing", field="Account")
        if change.table == "DebtorOrderLineClient" and row:
            if not self._has("DebtorOrderClient", "OrderNumber", row["OrderNumber"]):
                raise Refused("CouldNotFind", code="CouldNotFind", field="OrderNumber")
            if row["Item"] and not self._has("InvItemClient", "Item", row["Item"]):
                raise Refused("CouldNotFind", code="CouldNotFind", field="Item")

    def _has(self, entity: str, field: str, value: Any) -> bool:
        if (field,) in self.data.table(entity).unique and value not in (None, ""):
            return self.data.holder(entity, field, value) is not None
        return any(row[field] == value for row in self.data.tables[entity].values())

    def _check_unused(self, account: str) -> None:
        for entity in ("DebtorTransClient", "DebtorOrderClient"):
            if self._has(entity, "Account", account):
                code = "CouldNotDeleteRecordThatIsReferred"
                raise Refused(f"{code}: there is activity on the account", code=code)

    # ------------------------------------------------------------------------------------- hooks and errors

    def calls_for(self, change: Change) -> Iterable[Call]:
        """A "Change URL" is called by GET with the row's place in the address, or by POST with the row, too."""
        if change.table not in TABLE_IDS:
            return
        number, name, key = TABLE_IDS[change.table]
        row = change.after or change.before
        assert row is not None
        verb = {"insert": "Insert", "edit": "Update", "delete": "Delete"}[change.op]
        said = {"CompanyId": self.company, "Table": name, "RowId": change.key, "Key": row[key]}
        said[self.options.get("verb", "Operation")] = verb
        for event in list(self.data.tables["TableChangeEventClient"].values()):
            if event["TableId"] == number:
                yield self._call(event, change.table, row, said)

    def _call(self, event: Row, entity: str, row: Row, said: Mapping[str, Any]) -> Call:
        separator = self.options.get("separator", "&")
        query = separator.join(f"{name}={quote(str(value), safe='')}" for name, value in said.items())
        extra = f"{event['Arguments']}{separator}" if event["Arguments"] else ""
        url = f"{event['Url']}{separator if '?' in event['Url'] else '?'}{extra}{query}"
        if not event["UsePost"]:
            return Call("GET", url)
        body = ENCODER.encode(self._shown(self._whole(self.data.table(entity), row, False)))
        return Call("POST", url, {"Content-Type": "application/json"}, body)

    def refused(self, error: Refused) -> web.Response:
        """Often 200, with the name of the error as plain text."""
        if self.options.get("errors", "text") == "text":
            return web.Response(
                text=f"{error.code or 'Exception'}{f' {error.reason}' if error.reason else ''}"
            )
        return answer({"Message": error.code or error.reason, "Field": error.field}, 400)

    def rate_limited(self, seconds: float) -> web.Response:
        """Not documented: 429 without a hint."""
        return web.Response(status=429, text="Too many requests")

    def failed(self, status: int) -> web.Response:
        """The name of the error as plain text."""
        return web.Response(status=status, text="Exception")

    def unknown_path(self, status: int) -> web.Response:
        """Without words."""
        return web.Response(status=status)


def _property(field: Field) -> str:
    return f'<Property Name="{field.name}" Type="{XML_TYPES.get(field.type, "Edm.String")}"/>'


def _total(line: Row) -> Decimal:
    """What a line comes to, to the cent."""
    whole = (line["Qty"] or Decimal(0)) * (line["Price"] or Decimal(0))
    return (whole * (1 - (line["DiscountPct"] or Decimal(0)) / 100)).quantize(Decimal("0.01"))


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{value.isoformat()}T00:00:00" if isinstance(value, date) else value


def _read_in(field: Field, value: Any) -> Any:
    if field.name == "Country" and isinstance(value, int):
        if value not in COUNTRIES:
            raise Refused("CouldNotSave", code="CouldNotSave", field="Country")
        return COUNTRIES[value]
    if field.type == "date" and isinstance(value, str):
        return value[:10]
    return value
