"""Sage Sales Management as an emulator: version 4 of ForceManager's REST API, with its look-ups, bulk calls and habits.

Options: `public_key`, `private_key`; `token_life_s` (3600); `read_only` (`open`: who comes by the API may change a read-only
record, `refuse`); `limit` (`plan`: 200 requests in 65 s, `off`); `count_max` (1000: rows of a page); `fields` (`all`: the
custom fields are there, `plain`: none is). A person's deletion is logical, as the API's. A document's content goes to a file
store, by its locator; the store refuses whoever brings other credentials along.
What is confirmed and what is modelled: docs/connectors/sage_sales_management.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, ClassVar, Final
from uuid import uuid4

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import By, Change, Data
from clients.emulators.description import Field, Key, Refused, Row, Table
from clients.emulators.emulator import ENCODER, Emulator, Limit, answer, body_of
from clients.emulators.person import Person
from clients.emulators.sage_sales_management_files import FileStore
from clients.emulators.sage_sales_management_tables import CONTACT_TYPES, ENTITIES, LOOKUPS, SSM
from clients.emulators.sage_sales_management_where import Where, wrong

COUNT: Final = 50
BULK_MAX: Final = {"POST": 200, "PUT": 200, "DELETE": 120}
BULK_PRODUCTS: Final = 100
MESSAGES: Final = {"insert": "entity created", "edit": "entity updated", "delete": "entity deleted"}
SCHEMA_TYPES: Final = {
    "text": "string",
    "integer": "int",
    "decimal": "decimal",
    "boolean": "bool",
    "date": "date",
    "instant": "datetime",
}
BEGINNING: Final[Mapping[str, Sequence[Row]]] = {
    "branches": [{"value": "Siège"}],
    "users": [{"name": "Admin", "lastName": "Istrateur", "email": "admin@example.org"}],
    "accountStatuses": [{"value": "Prospect"}, {"value": "Client"}],
    "accountTypes": [{"value": "Entreprise"}, {"value": "Particulier"}],
    "countries": [
        {"value": "France", "iso2": "FR"},
        {"value": "Belgique", "iso2": "BE"},
        {"value": "Espagne", "iso2": "ES"},
        {"value": "Allemagne", "iso2": "DE"},
    ],
}
ADMIN: Final = 1


class SalesPerson(Person):
    """Whoever works in Sales Management. What is read-only can't be touched before the mark is taken off."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._all = data

    def delete(self, table: str, key: Key) -> None:
        """The row stays, marked as deleted."""
        remove(self._all, table, key, "person")


class System(Emulator):
    """Sage Sales Management."""

    description = SSM
    base: ClassVar[str] = "/api/v4"

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.public_key = self.options.get("public_key", "public")
        self.private_key = self.options.get("private_key", "private")
        self.person = SalesPerson(self.data)
        self.files = FileStore(self)
        self._tokens: dict[str, float] = {}  # until when each is good
        if self.options.get("limit", "plan") == "plan":
            self.limit = Limit(200, 65.0)
        if self.options.get("fields") == "plain":
            self.data.absent = {
                (table.name, field.name)
                for table in SSM.tables
                for field in table.fields
                if field.name.startswith("Z_")
            }
        for name, rows in BEGINNING.items():
            self.person.insert(name, *rows)

    def routes(self) -> Iterable[web.RouteDef]:
        """The part of the API that is emulated."""
        base = self.base
        yield web.post(f"{base}/login", self._login)
        yield from self.files.routes()
        yield web.post(f"{base}/products/{{id}}/documents", self._add_picture)
        yield web.get(f"{base}/products/{{id}}/documents", self._pictures)
        for table in self.description.tables:
            path = f"{base}/{table.name}"
            yield web.get(path, self._list)
            yield web.post(path, self._create)
            if table.name != "hooks":
                yield web.get(f"{path}/schema", self._schema)
                yield web.post(f"{path}/bulk", self._bulk)
                yield web.put(f"{path}/bulk", self._bulk)
                yield web.delete(f"{path}/bulk", self._bulk)
                yield web.put(f"{path}/{{id}}", self._change)
            yield web.get(f"{path}/{{id}}", self._one)
            yield web.delete(f"{path}/{{id}}", self._remove)

    # ------------------------------------------------------------------------------------- the vendor's words

    def refused(self, error: Refused) -> web.Response:
        """A refusal: 400, with a number of its own where there is one."""
        numbers = {"Code": int(error.code)} if error.code.isdigit() else {}
        return answer({"Message": error.reason, **numbers}, 400)

    def failed(self, status: int) -> web.Response:
        """Something broke inside."""
        return answer({"Message": "Connection error", "Code": 900}, status)

    def unknown_path(self, status: int) -> web.Response:
        """There is no such resource, or the token is dead."""
        if status == 401:
            return answer({"Message": "Unauthorized"}, 401)
        return answer({"Message": "Resource does not exist", "Code": 910}, 400)

    def rate_limited(self, seconds: float) -> web.Response:
        """Too many requests; how long to wait is not told."""
        return answer({"Message": "Too many requests"}, 429)

    def expire(self) -> None:
        """Every token is dead."""
        self._tokens.clear()

    def guard(self, change: Change) -> None:
        """What the system does to every row, and what it won't have."""
        before, after = change.before, change.after
        if before is None or after is None:
            return
        still = before.get("readOnly") and after.get("readOnly")
        closed = change.by == "person" or (change.by == "api" and self.options.get("read_only") == "refuse")
        if still and closed and _matters(before, after):
            raise Refused("the record is read only")
        if "dateUpdated" in after and after.get("deleted") == before.get("deleted"):
            after["dateUpdated"] = self.data.now()

    def calls_for(self, change: Change) -> Iterable[Call]:
        """The webhooks that fit; what is in them is not published."""
        entity = ENTITIES.get(change.table)
        gone = change.after is not None and change.before is not None and change.after.get("deleted")
        action = "delete" if gone else {"insert": "insert", "edit": "update"}.get(change.op, "delete")
        for hook in self.data.tables["hooks"].values():
            if entity is not None and hook["entity"] == entity and hook["action"] == action:
                body = {"entity": entity, "action": action, "id": change.key}
                yield Call("POST", hook["url"], {"Content-Type": "application/json"}, ENCODER.encode(body))

    # ---------------------------------------------------------------------------------------------- the door

    async def _login(self, request: web.Request) -> web.Response:
        given = body_of(await request.read())
        if (given.get("username"), given.get("password")) != (self.public_key, self.private_key):
            raise web.HTTPUnauthorized
        token = uuid4().hex
        self._tokens[token] = time.monotonic() + float(self.options.get("token_life_s", "3600"))
        return answer({"token": token})

    def _enter(self, request: web.Request) -> Table:
        if self._tokens.get(request.headers.get("X-Session-Key", ""), 0.0) <= time.monotonic():
            raise web.HTTPUnauthorized
        name = request.path.removeprefix(self.base).split("/")[1]
        return self.data.table(name)

    # ---------------------------------------------------------------------------------------------- documents

    async def _add_picture(self, request: web.Request) -> web.Response:
        product, given = self._id(request.match_info["id"]), body_of(await request.read())
        self._there(self._enter(request), product)
        if given.get("folderId") != "-1" or not given.get("name"):
            raise Refused("Bad Request")
        row = self.files.row(product, given["name"], carrousel=given.get("isCarrousel") is True, by="api")
        return answer({"id": str(row["id"]), "locator": row["link"]})

    async def _pictures(self, request: web.Request) -> web.Response:
        self._enter(request)
        return self._listed(request, self.data.table("documents"), self._id(request.match_info["id"]))

    # ---------------------------------------------------------------------------------------------- reading

    async def _list(self, request: web.Request) -> web.Response:
        return self._listed(request, self._enter(request))

    def _listed(self, request: web.Request, table: Table, product: int | None = None) -> web.Response:
        where = Where(request.query["where"]) if request.query.get("where") else None
        rows = self.data.shown(table.name, where.near if where else None)
        count = min(int(request.headers.get("Count", COUNT)), int(self.options.get("count_max", "1000")))
        page = int(request.query.get("page", "0"))
        name = request.query.get("order", "")
        if name and table.field(name) is None:
            raise wrong(f"Invalid column name '{name}'")
        if name == table.key:
            rows.reverse()
        elif name:
            rows.sort(key=lambda row: (row[name] is not None, row[name]), reverse=True)
        if product is not None:
            rows = [row for row in rows if row["productId"] == product]
        fitting = (row for row in rows if where is None or where.test(row))
        some = islice(fitting, page * count, (page + 1) * count)
        return answer([self._shown(table, row) for row in some])

    async def _one(self, request: web.Request) -> web.Response:
        table = self._enter(request)
        row = self.data.look(table.name, self._id(request.match_info["id"]))
        if row is None:
            raise Refused("Bad Request")
        return answer(self._shown(table, row))

    async def _schema(self, request: web.Request) -> web.Response:
        table = self._enter(request)
        return answer([self._described(table, field) for field in self._fields(table)])

    def _described(self, table: Table, field: Field) -> dict[str, Any]:
        lookup = self._lookup(table, field)
        return {
            "name": field.name,
            "type": "list" if lookup else SCHEMA_TYPES[field.type],
            "maxLength": field.size or None,
            "readOnly": not field.writable,
            "required": field.required,
            "table": lookup or None,
        }

    def _fields(self, table: Table) -> list[Field]:
        return [field for field in table.fields if (table.name, field.name) not in self.data.absent]

    def _lookup(self, table: Table, field: Field) -> str:
        if field.type != "integer" or table.name == "documents":  # there the ids stand bare, and -1 is none
            return ""
        return CONTACT_TYPES.get((table.name, field.name)) or LOOKUPS.get(field.name, "")

    def _shown(self, table: Table, row: Row) -> dict[str, Any]:
        return {
            field.name: self._value(table, field, row.get(field.name))
            for field in self._fields(table)
            if field.name in row
        }

    def _value(self, table: Table, field: Field, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, date):
            return f"{value.isoformat()}T00:00:00Z"
        lookup = self._lookup(table, field)
        if value is None or not lookup:
            return value
        row = self.data.tables[lookup].get(value, {})
        names = ("value", "name", "model", "reference")
        text = next((row[name] for name in names if row.get(name)), "")
        if row.get("lastName"):
            text = f"{row['name']} {row['lastName']}"
        return {"id": value, "value": text}

    # ---------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        table = self._enter(request)
        given = body_of(await request.read())
        if table.name == "hooks":
            row = self.data.insert("hooks", {**given, "secret_key": str(uuid4())})
            return answer({"id": row["id"], "secret_key": row["secret_key"], "date_created": None})
        return answer({"Message": MESSAGES["insert"], "id": self._insert(table, given)})

    async def _change(self, request: web.Request) -> web.Response:
        table, key = self._enter(request), self._id(request.match_info["id"])
        self._edit(table, key, body_of(await request.read()))
        return answer({"Message": MESSAGES["edit"], "id": key})

    async def _remove(self, request: web.Request) -> web.Response:
        table, key = self._enter(request), self._id(request.match_info["id"])
        if table.name == "hooks":
            self.data.delete("hooks", key)
        else:
            self._delete(table, key)
        return answer({"Message": MESSAGES["delete"]})

    async def _bulk(self, request: web.Request) -> web.Response:
        table, items = self._enter(request), body_of(await request.read())
        most = BULK_PRODUCTS if table.name == "products" else BULK_MAX[request.method]
        if not isinstance(items, list) or len(items) > most:
            raise Refused(f"a list of at most {most} items is wanted")
        return answer([self._bulk_item(request.method, table, item) for item in items])

    def _bulk_item(self, method: str, table: Table, item: dict[str, Any]) -> dict[str, Any]:
        guid, key = item.get("guid"), item.get("id")
        try:
            if method == "POST":
                key = self._insert(table, item["data"])
            elif method == "PUT":
                self._edit(table, self._id(str(key)), item["data"])
            else:
                self._delete(table, self._id(str(key)))
        except Refused as error:
            return {"code": 0, "guid": guid, "id": key, "message": error.reason}
        op = {"POST": "insert", "PUT": "edit", "DELETE": "delete"}[method]
        return {"code": 1, "guid": guid, "id": key, "message": MESSAGES[op]}

    def _insert(self, table: Table, given: dict[str, Any]) -> Key:
        return int(self.data.insert(table.name, self._written(table, given))[table.key])

    def _edit(self, table: Table, key: int, given: dict[str, Any]) -> None:
        self._there(table, key)
        self.data.edit(table.name, key, self._written(table, given))

    def _delete(self, table: Table, key: int) -> None:
        self._there(table, key)
        remove(self.data, table.name, key, "api")

    def _there(self, table: Table, key: int) -> None:
        row = self.data.tables[table.name].get(key)
        if row is None or row.get("deleted"):
            raise Refused("Bad Request")

    def _written(self, table: Table, given: dict[str, Any]) -> Row:
        """What a body may change; a look-up is a bare number, and points at something."""
        row: Row = {}
        for field in self._fields(table):
            if field.name not in given or not field.writable:
                continue
            value, lookup = given[field.name], self._lookup(table, field)
            if lookup and value is not None:
                if not isinstance(value, int) or isinstance(value, bool):
                    raise Refused(f"{field.name}: an id is expected", field=field.name)
                if value not in self.data.tables[lookup]:
                    raise Refused(f"{field.name}: {value} does not exist", field=field.name)
            row[field.name] = value[:10] if field.type == "date" and isinstance(value, str) else value
        return row

    def _id(self, text: str) -> int:
        if not text.isdigit():
            raise Refused("Bad Request")
        return int(text)


def remove(data: Data, table: str, key: Key, by: By) -> None:
    """A logical deletion; what is read-only is kept."""
    if not data.tables[table][key].get("deleted"):
        data.edit(table, key, {"deleted": True, "dateDeleted": data.now(), "salesRepIdDeleted": ADMIN}, by=by)


def _matters(before: Row, after: Row) -> bool:
    return any(before[name] != value for name, value in after.items() if name != "readOnly")
