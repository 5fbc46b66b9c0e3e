"""Tribe CRM as an emulator: OData that is not all of OData, tokens by client credentials, webhooks with one's own headers.

Options: `client_id`, `client_secret`; `invoices` (`yes`, `no`: the billing module is not there); `dates` (`yes`, `no`:
`CreationDate` and `LastMutationDate` are not there); `missing` (404, or the status of "entity type not found"). Data of
more than 100 rows come in pages. What is confirmed and what is modelled: docs/connectors/tribe.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import Change
from clients.emulators.description import Refused, Row, Table
from clients.emulators.emulator import ENCODER, Emulator, answer, body_of
from clients.emulators.tribe_filter import Filter
from clients.emulators.tribe_tables import IDENTITY, INVOICE, NAVIGATIONS, TRIBE

PAGE_MAX: Final = 100
PATH: Final = re.compile(r"(?P<set>\w+)(?:\((?P<id>[0-9a-fA-F-]{36})\))?")
PARTS: Final = re.compile(r"(\w+)(?:\([^()]*\))?(?:,|$)")
DATES: Final = ("CreationDate", "LastMutationDate")
VERBS: Final = {
    "insert": "EntityCreationMutation",
    "edit": "EntityUpdateMutation",
    "delete": "EntityDeletionMutation",
}


class System(Emulator):
    """The Tribe CRM of one organisation."""

    description = TRIBE

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.client_id = self.options.get("client_id", "tandem")
        self.client_secret = self.options.get("client_secret", "client-secret")
        self._tokens: set[str] = set()
        self.hooks: dict[str, dict[str, Any]] = {}
        self.identity = self.enter(IDENTITY, Name="Our own organisation")

    def routes(self) -> Iterable[web.RouteDef]:
        """Token, OData, webhooks."""
        yield web.post("/oauth2/token", self._token)
        yield web.get("/v1/odata/GetCurrentEmployee()", self._employee)
        yield web.get("/v1/odata/{path}", self._read)
        yield web.post("/v1/odata/{path}", self._create)
        yield web.put("/v1/odata/{path}", self._update)
        yield web.delete("/v1/odata/{path}", self._delete)
        yield web.post("/v1/webhooks", self._hook)

    def enter(self, table: str, **values: Any) -> str:
        """A person enters a row; its id."""
        (key,) = self.person.insert(table, {"ID": str(uuid.uuid4()), **values})
        return str(key)

    # ---------------------------------------------------------------------------------------------------- entry

    def expire(self) -> None:
        """Every token is void."""
        self._tokens.clear()

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        given = (form.get("grant_type"), form.get("client_id"), form.get("client_secret"))
        if given != ("client_credentials", self.client_id, self.client_secret) or "read" not in str(
            form.get("scope")
        ):
            return answer(
                {"error": "invalid_client", "error_description": "Client authentication failed"}, 401
            )
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        said = {"access_token": token, "token_type": "bearer", "expires_in": 86400, "scope": form["scope"]}
        return answer(said)

    def _enter(self, request: web.Request) -> None:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            raise web.HTTPUnauthorized

    def _place(self, request: web.Request) -> tuple[Table, str]:
        self._enter(request)
        found = PATH.fullmatch(request.match_info["path"])
        name = found["set"] if found else ""
        if (
            found is None
            or name not in self.data.tables
            or (name == INVOICE and self.options.get("invoices") == "no")
        ):
            raise Refused("entity type not found", code="NoSet")
        return self.data.table(name), (found["id"] or "").lower()

    async def _employee(self, request: web.Request) -> web.Response:
        self._enter(request)
        return answer(
            {
                "ID": self.identity,
                "_Type": "Relationship.Person.Contact.Employee",
                "Person": {"LastName": "App"},
            }
        )

    # -------------------------------------------------------------------------------------------------- reading

    async def _read(self, request: web.Request) -> web.Response:
        table, id_ = self._place(request)
        query = request.query
        if id_:
            row = self.data.look(table.name, id_)
            if row is None:
                raise web.HTTPNotFound
            return answer(self._shown(table, row, query))
        rows = self.data.shown(table.name)
        if text := query.get("$filter"):
            rows = list(filter(Filter(text, lambda row, path: self._at(table, row, path)).test, rows))
        if order := query.get("$orderby"):
            name, _, down = order.partition(" ")
            self._at(table, {}, name)
            rows = sorted(
                rows, key=lambda row: (row.get(name) is not None, row.get(name)), reverse=down == "desc"
            )
        rows = rows[int(query.get("$skip", "0")) :][: min(int(query.get("$top", PAGE_MAX)), PAGE_MAX)]
        return answer({"value": [self._shown(table, row, query) for row in rows]})

    def _at(self, table: Table, row: Row, path: str) -> Any:
        head, _, tail = path.partition("/")
        target = NAVIGATIONS.get(table.name, {}).get(head)
        if target is not None and tail:
            other = self.data.tables[target].get(row.get(head) or "") or {}
            return self._at(self.data.table(target), other, tail)
        if table.field(path) is None or target is not None or self._is_gone(path):
            raise Refused(f"The property '{path}' does not exist in {table.name}")
        return row.get(path)

    def _is_gone(self, name: str) -> bool:
        return name in DATES and self.options.get("dates") == "no"

    def _shown(self, table: Table, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        """The id, always; the fields of `$select`, or all; what is referred to only where `$expand` names it."""
        links = NAVIGATIONS.get(table.name, {})
        plain = [
            field.name for field in table.fields if field.name not in links and not self._is_gone(field.name)
        ]
        wanted = query["$select"].split(",") if "$select" in query else plain
        for name in wanted:
            self._at(table, row, name)
        found: dict[str, Any] = {"ID": row.get("ID"), "_Type": table.name.replace("_", ".")}
        found |= {name: _written(row[name]) for name in wanted if name in row}
        for name in PARTS.findall(query.get("$expand", "")):
            if name not in links:
                raise Refused(f"The navigation '{name}' does not exist in {table.name}")
            if name in row:
                other = self.data.look(links[name], row[name] or "")
                found[name] = {"ID": other["ID"], "_Name": other.get("Name")} if other else None
        return found

    # -------------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        """A new row; with an `ID` in the body it is an update."""
        table, _ = self._place(request)
        values = self._taken(table, body_of(await request.read()))
        if id_ := values.pop("ID", None):
            return answer(self._shown(table, self._edit(table, str(id_), values), {}))
        row = self.data.insert(table.name, {"ID": str(uuid.uuid4()), **values})
        return answer(self._shown(table, row, {}), 201)

    async def _update(self, request: web.Request) -> web.Response:
        table, id_ = self._place(request)
        values = self._taken(table, body_of(await request.read()))
        values.pop("ID", None)
        return answer(self._shown(table, self._edit(table, id_, values), {}))

    def _edit(self, table: Table, id_: str, values: Mapping[str, Any]) -> Row:
        if id_ not in self.data.tables[table.name]:
            raise web.HTTPNotFound
        return self.data.edit(table.name, id_, values)

    async def _delete(self, request: web.Request) -> web.Response:
        table, id_ = self._place(request)
        if id_ not in self.data.tables[table.name]:
            raise web.HTTPNotFound
        self.data.delete(table.name, id_)
        return web.Response(status=204)

    def _taken(self, table: Table, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise Refused("The body is no object")
        links = NAVIGATIONS.get(table.name, {})
        values: dict[str, Any] = {}
        for name, value in body.items():
            field = table.field(name)
            if field is None or not field.writable:
                raise Refused(
                    f"The property '{name}' does not exist in {table.name}, or can't be written", field=name
                )
            if name in links:
                if value is not None and not (isinstance(value, dict) and value.get("ID")):
                    raise Refused(f"{name} takes an object with an ID", field=name)
                values[name] = value["ID"] if value else None
            elif field.type == "date" and isinstance(value, str):
                values[name] = value[:10]
            else:
                values[name] = value
        return values

    def guard(self, change: Change) -> None:
        """Nobody refers to who is not there, and nobody goes to whom somebody refers."""
        for name, links in NAVIGATIONS.items():
            for field, target in links.items():
                if change.op == "delete" and target == change.table:
                    if any(row.get(field) == change.key for row in self.data.tables[name].values()):
                        raise Refused(f"It is used by {name}")
                elif change.table == name and change.after is not None:
                    value = change.after.get(field)
                    if value and value not in self.data.tables[target]:
                        raise Refused(f"{field}: there is no {target} {value}", field=field)

    def _changed(self, change: Change) -> None:
        if change.op == "edit" and change.after is not None:
            change.after["LastMutationDate"] = self.data.now()
        super()._changed(change)

    # ----------------------------------------------------------------------------------------- hooks and errors

    async def _hook(self, request: web.Request) -> web.Response:
        self._enter(request)
        body = body_of(await request.read())
        id_ = str(uuid.uuid4())
        self.hooks[id_] = {"headers": {}, "secret": secrets.token_hex(16), **body}
        return answer({"id": id_, "secret": self.hooks[id_]["secret"]}, 201)

    def calls_for(self, change: Change) -> Iterable[Call]:
        """Id of the record and what happened; a SHA-512 in a header whose name is modelled, and the user's own headers."""
        dotted = change.table.replace("_", ".")
        for id_, hook in self.hooks.items():
            if hook.get("entityType") == dotted:
                payload = {"type": VERBS[change.op], "entityType": dotted, "entityId": change.key}
                body = ENCODER.encode({"webhookId": id_, "payload": payload})
                digest = hmac.digest(str(hook["secret"]).encode(), body, hashlib.sha512)
                signed = {
                    "X-Signature": base64.b64encode(digest).decode(),
                    "Content-Type": "application/json",
                }
                yield Call("POST", str(hook["url"]), {**signed, **hook["headers"]}, body)

    def refused(self, error: Refused) -> web.Response:
        """Not documented: 400 with words."""
        status = int(self.options.get("missing", "404")) if error.code == "NoSet" else 400
        return answer({"error": {"message": error.reason}}, status)

    def rate_limited(self, seconds: float) -> web.Response:
        """429; whether the header Retry-After comes isn't known."""
        return web.Response(status=429, text="Too many requests")

    def failed(self, status: int) -> web.Response:
        """Not documented: words."""
        return answer({"error": {"message": "Internal error"}}, status)

    def unknown_path(self, status: int) -> web.Response:
        """Without words."""
        return web.Response(status=status)


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
