"""Tribe CRM as an emulator: OData that is not all of OData, tokens by client credentials, webhooks with one's own headers.

A customer or supplier without a debtor or creditor number gets the next one. Options: `client_id`, `client_secret`;
`invoices` (`yes`, `no`: the billing module is not there); `dates` (`yes`, `no`:
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
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import Any, Final

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import Change, Near
from clients.emulators.description import Refused, Row, Table
from clients.emulators.emulator import ENCODER, Emulator, answer, body_of
from clients.emulators.tribe_filter import Filter, changed_since, expansions
from clients.emulators.tribe_tables import (
    IDENTITY,
    INVOICE,
    LINE,
    NAVIGATIONS,
    NUMBERS,
    ORGANIZATION,
    TRIBE,
)

PAGE_MAX: Final = 100
PATH: Final = re.compile(r"(?P<set>\w+)(?:\((?P<id>[0-9a-fA-F-]{36})\))?")
DATES: Final = ("CreationDate", "LastMutationDate")
VERBS: Final = {"insert": "CreationMutation", "edit": "UpdateMutation", "delete": "DeletionMutation"}
FIRST_NUMBER: Final = 10_000
FIRST_INVOICE: Final = 20_260_000


class System(Emulator):
    """The Tribe CRM of one organisation."""

    description = TRIBE

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.client_id = self.options.get("client_id", "tandem")
        self.client_secret = self.options.get("client_secret", "client-secret")
        self._tokens: set[str] = set()
        self.hooks: dict[str, dict[str, Any]] = {}
        self.deeds = {"hook": self.hook}
        self._touched: list[tuple[datetime, str, str]] = []  # when, entity set, id
        self._since: tuple[Any, list[str]] = (None, [])  # what was asked for last, and who that was
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

    def settle_down(self, country: str = "BE") -> str:
        """The organisation whose Tribe it is has its visiting address in that country; the country's id."""
        (found,) = [key for key, row in self.person.rows("Country").items() if row["Code"] == country] or [
            self.enter("Country", Code=country, Name=country)
        ]
        address = self.enter("Address", City="Here", Country=found)
        own = self.enter(ORGANIZATION, Name="Our own organisation", VisitingAddress=address)
        self.person.edit(IDENTITY, self.identity, Organization=own)
        return str(found)

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
        text = query.get("$filter")
        chosen = Filter(text, lambda row, path: self._at(table, row, path)) if text else None
        rows = self.data.shown(table.name, self._near(table, text, chosen) if text and chosen else None)
        most = int(query.get("$skip", "0")) + PAGE_MAX
        order = query.get("$orderby")
        if chosen:
            found = filter(chosen.test, rows)
            # They come in the order of ids: behind the page nobody has to be looked at.
            rows = list(islice(found, most)) if order == table.key else list(found)
        if order:
            name, _, down = order.partition(" ")
            self._at(table, {}, name)
            rows = sorted(
                rows, key=lambda row: (row.get(name) is not None, row.get(name)), reverse=down == "desc"
            )
        rows = rows[int(query.get("$skip", "0")) :][: min(int(query.get("$top", PAGE_MAX)), PAGE_MAX)]
        return answer({"value": [self._shown(table, row, query) for row in rows]})

    def _near(self, table: Table, text: str, chosen: Filter) -> Near | None:
        asked = changed_since(text)
        if asked is None:
            return chosen.near
        since, ways, after = asked
        key = (table.name, since, str(ways), len(self._touched))
        if key != self._since[0]:
            self._since = key, self._changed_since(table, since, ways)
        found = self._since[1]
        return Near(table.key, values=found[bisect_right(found, after) :])

    def _changed_since(self, table: Table, since: datetime, ways: Sequence[Sequence[str]]) -> list[str]:
        recent: dict[str, set[str]] = {}
        for at, name, id_ in reversed(self._touched):
            if at < since:
                break
            recent.setdefault(name, set()).add(id_)
        return sorted({id_ for way in ways for id_ in self._leading_to(table.name, way, recent)})

    def _leading_to(self, name: str, way: Sequence[str], recent: Mapping[str, set[str]]) -> set[str]:
        """The ids of those that lead to one of these on that way."""
        if not way:
            return recent.get(name, set())
        targets = NAVIGATIONS[name][way[0]].split("|")
        below = {id_ for target in targets for id_ in self._leading_to(target, way[1:], recent)}
        return {row["ID"] for row in self.data.shown(name, Near(way[0], values=sorted(below)))}

    def _at(self, table: Table, row: Row, path: str) -> Any:
        head, _, tail = path.partition("/")
        target = NAVIGATIONS.get(table.name, {}).get(head)
        if target is not None and tail:
            name, other = self._led_to(target, row.get(head))
            return self._at(self.data.table(name), other or {}, tail)
        if table.field(path) is None or target is not None or self._is_gone(path):
            raise Refused(f"The property '{path}' does not exist in {table.name}")
        return row.get(path)

    def _led_to(self, target: str, id_: Any) -> tuple[str, Row | None]:
        """Where a navigation leads: the set, and the row there."""
        names = target.split("|")
        found = ((name, self.data.look(name, id_)) for name in names if id_)
        return next((one for one in found if one[1] is not None), (names[0], None))

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
        for name, inner in expansions(query.get("$expand", "")).items():
            if name not in links:
                raise Refused(f"The navigation '{name}' does not exist in {table.name}")
            target, other = self._led_to(links[name], row.get(name))
            if other is None:
                self._shown(
                    self.data.table(target), {}, {"$select": "ID", **inner}
                )  # refuses what there is not
            if name in row:
                found[name] = self._below(target, other, inner) if other else None
        return found

    def _below(self, name: str, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        shown = self._shown(self.data.table(name), row, {"$select": "ID", **query})
        del shown["_Type"]
        return {**shown, "_Name": row.get("Name")}

    # -------------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        """A new row; with an `ID` in the body it is an update."""
        table, _ = self._place(request)
        body = body_of(await request.read())
        if isinstance(body, dict) and body.get("ID"):
            values = self._taken(table, body)
            return answer(self._shown(table, self._edit(table, str(values.pop("ID")), values), {}))
        made: list[tuple[str, str]] = []
        try:
            row = self._made(table, body, made)
        except Refused:
            for name, key in reversed(made):
                self.data.delete(name, key)
            raise
        return answer(self._shown(table, row, {}), 201)

    def _made(self, table: Table, body: Any, made: list[tuple[str, str]]) -> Row:
        """A new row, with the new ones that it refers to (`{Organization: {Name: ...}}`)."""
        given = dict(body) if isinstance(body, dict) else body
        for name, target in NAVIGATIONS.get(table.name, {}).items():
            inner = given.get(name) if isinstance(given, dict) else None
            if isinstance(inner, dict) and inner and "ID" not in inner:
                row = self._made(self.data.table(target), inner, made)
                given[name] = {"ID": row["ID"]}
        row = self.data.insert(table.name, {"ID": str(uuid.uuid4()), **self._taken(table, given)})
        made.append((table.name, row["ID"]))
        return self.data.tables[table.name][row["ID"]]

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
                if change.op == "delete" and change.table in target.split("|"):
                    if any(row.get(field) == change.key for row in self.data.tables[name].values()):
                        raise Refused(f"It is used by {name}")
                elif change.table == name and change.after is not None:
                    value = change.after.get(field)
                    if value and self._led_to(target, value)[1] is None:
                        raise Refused(f"{field}: there is no {target} {value}", field=field)

    def _changed(self, change: Change) -> None:
        if change.op == "edit" and change.after is not None:
            change.after["LastMutationDate"] = self.data.now()
        if change.after is not None:
            # Never earlier than the one before, even where somebody turned the clock back.
            at = max(self.data.now(), self._touched[-1][0]) if self._touched else self.data.now()
            self._touched.append((at, change.table, str(change.key)))
        if change.op == "insert" and change.after is not None:
            self._numbered(change.table, change.after)
        if change.table == LINE and change.after is not None:
            self._summed(change.after)
        super()._changed(change)

    def _numbered(self, table: str, row: Row) -> None:
        """What is new has a number: customers and suppliers in their role, invoices, and lines their place."""
        if table in NUMBERS:
            link, field = NUMBERS[table]
            name = NAVIGATIONS[table][link]
            about = self.data.tables[name].get(row[link] or "")
            if about is not None and not about[field]:
                self.data.edit(name, about["ID"], {field: self._next(field)}, by="automation")
        elif table == INVOICE and not row["Number"]:
            row["Number"] = str(FIRST_INVOICE + len(self.data.tables[INVOICE]))
        elif table == LINE and row["SortIndex"] is None:
            row["SortIndex"] = Decimal(len(self.data.tables[LINE]))

    def _next(self, field: str) -> str:
        rows = (
            row
            for name in ("Relation_Organization", "Relation_Person")
            for row in self.data.tables[name].values()
        )
        given = [int(row[field]) for row in rows if str(row.get(field) or "").isdecimal()]
        return str(max([FIRST_NUMBER, *given]) + 1)

    def _summed(self, row: Row) -> None:
        """A line's total: quantity, price, less its discount."""
        quantity, price, less = (row[name] for name in ("Quantity", "Price", "DiscountPercentage"))
        if price is not None:
            total = (1 if quantity is None else quantity) * price * (100 - (less or 0)) / 100
            row["Amount"] = total.quantize(Decimal("0.01"), ROUND_HALF_UP)

    # ----------------------------------------------------------------------------------------- hooks and errors

    async def _hook(self, request: web.Request) -> web.Response:
        self._enter(request)
        body = body_of(await request.read())
        id_ = str(uuid.uuid4())
        self.hooks[id_] = {"headers": {}, "secret": secrets.token_hex(16), **body}
        return answer({"id": id_, "secret": self.hooks[id_]["secret"]}, 201)

    def hook(self, entity: str, url: str, headers: Mapping[str, str]) -> None:
        """A person makes the one webhook of an entity type, in place of those that it has."""
        self.hooks = {id_: one for id_, one in self.hooks.items() if one.get("entityType") != entity}
        made = {"entityType": entity, "url": url, "headers": headers, "secret": secrets.token_hex(16)}
        self.hooks[str(uuid.uuid4())] = made

    def calls_for(self, change: Change) -> Iterable[Call]:
        """Id of the record and what happened; a SHA-512 in a header whose name is modelled, and the user's own headers."""
        dotted = change.table.replace("_", ".")
        for id_, hook in self.hooks.items():
            if hook.get("entityType") == dotted:
                kind, id_field = (
                    ("Relationship", "relationshipId")
                    if dotted.startswith("Relationship.")
                    else ("Entity", "entityId")
                )
                payload = {"type": kind + VERBS[change.op], "entityType": dotted, id_field: change.key}
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
