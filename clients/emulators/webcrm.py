"""webCRM's REST API as an emulator: log-in for an hour, lists without an end mark, whole-object updates, no deletes.

Options: `auth_code`; `token_life_s` (3600); `login_failure` (`inside`: 200 with IsError, or `status`: 401); `put`
(`replace`: what isn't sent is emptied, or `merge`); `organisation_reply` (`empty`, `id`, `object`); `payload` of webhooks
(`id`, `object`); `fields`: `all` user-defined fields have been made, or only `standard` ones are there; `race`: every so
many creates one fails the first time, as when ids are drawn at once (0: none).
What is confirmed and what is modelled: docs/connectors/webcrm.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from email import message_from_bytes
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from clients.emulators.calls import Call
from clients.emulators.data import Change
from clients.emulators.description import Key, Refused, Row
from clients.emulators.emulator import ENCODER, Emulator, answer, body_of, paged
from clients.emulators.webcrm_query import Query
from clients.emulators.webcrm_tables import CREATED_BETWEEN, DELETABLE, ENTITIES, NO_REPLY, WEBCRM
from clients.emulators.webcrm_values import shown, taken

SIZE_MAX: Final = 1000
SIZE: Final = 50  # where a list is asked for without one
SINGULAR: Final = {plural: singular for singular, plural in ENTITIES.items()}
EVENTS: Final = {"insert": "Create", "edit": "Update", "delete": "Delete"}
USER_DEFINED: Final = re.compile(r"(?:Custom|Plus|XText|XInt|XDate|XMemo|CheckMark)\d+$")
PATHS: Final = {"QuotationLinesLinkedData": "/QuotationLines/LinkedData"}


class System(Emulator):
    """webCRM."""

    description = WEBCRM

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.auth_code = self.options.get("auth_code", "11111111-2222-3333-4444-555555555555")
        self._tokens: dict[str, float] = {}  # until when each is good
        self._refreshes: set[str] = set()
        self._drawn = 0
        self._creates = 0
        admin = {"UserName": "Administrator", "UserLoginName": "admin", "UserInitials": "ADM"}
        self.data.insert("Users", admin, by="person")
        self._make_fields(self.options.get("fields", "all") == "all")

    def _make_fields(self, user_defined: bool) -> None:
        for entity, plural in ENTITIES.items():
            for field in self.data.table(plural).fields:
                if USER_DEFINED.search(field.name) and not user_defined:
                    continue
                row = {
                    "DbName": field.name,
                    "EntityType": entity,
                    "Label": field.name,
                    "MaxLength": field.size,
                }
                self.data.insert("FieldsMetadata", row, by="person")

    # ---------------------------------------------------------------------------------------------- paths

    def routes(self) -> Iterable[web.RouteDef]:
        """The part of the API that is emulated."""
        yield web.post("/Auth/ApiLogin", self._login)
        yield web.post("/Auth/ApiRefresh", self._refresh)
        yield web.get("/Queries", self._query)
        yield web.get("/FieldsMetadata/{kinds}", self._metadata)
        yield web.get("/FieldsMetadata", self._metadata)
        yield web.get("/Organisations/FindByUpdateDates/{start}/{end}", self._updated_between)
        for table in CREATED_BETWEEN:
            yield web.get(f"/{table}/FindByCreateDates/{{start}}/{{end}}", self._created_between)
        yield web.delete("/QuotationLines/LinkedData", self._wipe)
        for table in ENTITIES.values():
            yield from self._table_routes(table, PATHS.get(table, f"/{table}"))

    def _table_routes(self, table: str, path: str) -> Iterable[web.RouteDef]:
        if table not in PATHS:
            yield web.get(f"{path}/Hooks", self._hooks)
            yield web.post(f"{path}/Hooks", self._add_hook)
            yield web.put(f"{path}/Hooks/{{id}}", self._change_hook)
            yield web.delete(f"{path}/Hooks/{{id}}", self._drop_hook)
        yield web.get(path, self._list)
        yield web.post(path, self._create)
        yield web.patch(path, self._upsert)
        yield web.get(f"{path}/{{id:\\d+}}", self._get)
        yield web.put(f"{path}/{{id:\\d+}}", self._put)
        if table in DELETABLE or table in PATHS:
            yield web.delete(f"{path}/{{id:\\d+}}", self._delete)

    # ---------------------------------------------------------------------------------------------- log-in

    async def _login(self, request: web.Request) -> web.Response:
        given = {**request.query, **_form(await request.read(), request.headers.get("Content-Type", ""))}
        if given.get("authCode") != self.auth_code:
            failure = {"IsError": True, "Error": "invalid_grant", "ErrorDescription": "Invalid authCode"}
            return answer(failure, 401 if self.options.get("login_failure") == "status" else 200)
        return self._token()

    async def _refresh(self, request: web.Request) -> web.Response:
        token = request.headers.get("refreshToken", "")
        if token not in self._refreshes:
            return answer({"IsError": True, "Error": "invalid_grant", "ErrorDescription": ""}, 401)
        self._refreshes.discard(token)
        return self._token()

    def _token(self) -> web.Response:
        life = float(self.options.get("token_life_s", "3600"))
        self._drawn += 1
        access, refresh = f"access-{self._drawn:06d}", f"refresh-{self._drawn:06d}"
        self._tokens[access] = time.monotonic() + life
        self._refreshes.add(refresh)
        return answer(
            {
                "AccessToken": access,
                "RefreshToken": refresh,
                "ExpiresIn": int(life),
                "TokenType": "Bearer",
                "IsError": False,
            }
        )

    def expire(self) -> None:
        """No token is good any more, nor can it be refreshed."""
        self._tokens.clear()
        self._refreshes.clear()

    def _enter(self, request: web.Request) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) <= time.monotonic():
            raise web.HTTPUnauthorized

    # --------------------------------------------------------------------------------------------- reading

    async def _list(self, request: web.Request) -> web.Response:
        self._enter(request)  # other parameters than Page and Size are ignored, and the list comes unfiltered
        return self._page(request, _table(request), self.data.shown(_table(request)))

    async def _get(self, request: web.Request) -> web.Response:
        self._enter(request)
        table = _table(request)
        row = self.data.look(table, _id(request))
        if row is None:
            raise web.HTTPNotFound
        return answer(shown(self.data.table(table), row))

    async def _updated_between(self, request: web.Request) -> web.Response:
        return self._between(request, "OrganisationUpdatedAt")

    async def _created_between(self, request: web.Request) -> web.Response:
        return self._between(request, f"{SINGULAR[_table(request)]}CreatedAt")

    def _between(self, request: web.Request, field: str) -> web.Response:
        self._enter(request)
        start, end = (_time(request.match_info[name]) for name in ("start", "end"))
        rows = self.data.shown(_table(request))
        return self._page(request, _table(request), [row for row in rows if start <= row[field] < end])

    async def _query(self, request: web.Request) -> web.Response:
        self._enter(request)
        query = Query(request.query.get("script", ""))
        if query.table not in ENTITIES:
            raise Refused(f"Invalid object name '{query.table}'")
        table = ENTITIES[query.table]
        page, size = self._asked(request)
        held = self.data.shown(table, query.near)
        answered = paged(query.rows(held, self.data.table(table).key, page * size), page, size)
        rows = [{"RowNumber": n, **shown(self.data.table(table), row)} for n, row in enumerate(answered, 1)]
        return answer(rows)

    def _page(self, request: web.Request, table: str, rows: list[Row]) -> web.Response:
        return answer([shown(self.data.table(table), row) for row in self._page_rows(request, rows)])

    def _page_rows(self, request: web.Request, rows: list[Row]) -> list[Row]:
        return paged(rows, *self._asked(request))

    def _asked(self, request: web.Request) -> tuple[int, int]:
        """Which page, and how many rows of it."""
        asked = {name.lower(): value for name, value in request.query.items()}
        page, size = int(asked.get("page", "1")), int(asked.get("size", str(SIZE)))
        if not 1 <= size <= SIZE_MAX or page < 1:
            raise Refused(f"The field Size must be between 1 and {SIZE_MAX}.")
        return page, size

    async def _metadata(self, request: web.Request) -> web.Response:
        self._enter(request)
        kinds = request.match_info.get("kinds", "All").split(",")
        rows = self.data.shown("FieldsMetadata")
        return answer([row for row in rows if "All" in kinds or row["EntityType"] in kinds])

    # --------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        self._enter(request)
        table = _table(request)
        row = self._made(table, body_of(await request.read()))
        if table not in NO_REPLY:
            return answer(row[self.data.table(table).key])
        kind = self.options.get("organisation_reply", "empty")
        if kind == "object":
            return answer(shown(self.data.table(table), row))
        return answer(row[self.data.table(table).key]) if kind == "id" else web.Response()

    def _made(self, table: str, body: Any) -> Row:
        described = self.data.table(table)
        if not isinstance(body, dict) or described.key not in body:
            raise Refused(f"The {described.key} field is required.", field=described.key)
        values = taken(described, body)
        values.pop(described.key)
        self._creates += 1
        if (race := int(self.options.get("race", "0"))) and self._creates % race == 0:
            raise Refused("Violation of PRIMARY KEY constraint. Cannot insert duplicate key.")
        return self.data.insert(table, values)

    async def _put(self, request: web.Request) -> web.Response:
        self._enter(request)
        self._replaced(_table(request), _id(request), body_of(await request.read()))
        return web.Response()

    def _replaced(self, table: str, id: int, body: Any) -> Row:
        described = self.data.table(table)
        before = self.data.tables[table].get(id)
        if before is None or not isinstance(body, dict):
            raise web.HTTPNotFound
        values = taken(described, body)
        values.pop(described.key, None)
        if table == "Persons":
            values["PersonOrganisationId"] = before["PersonOrganisationId"]  # quietly kept
        if self.options.get("put", "replace") == "replace":
            kept = {field.name for field in described.fields if not field.writable} | {described.key}
            values = {name: values.get(name) for name in before if name not in kept}
        return self.data.edit(table, id, values)

    async def _upsert(self, request: web.Request) -> web.Response:
        """One result per row: its id, or what is wrong with it."""
        self._enter(request)
        table = _table(request)
        bodies = body_of(await request.read())
        if not isinstance(bodies, list):
            raise Refused("An array is expected.")
        return answer([self._upserted(table, body) for body in bodies])

    def _upserted(self, table: str, body: Any) -> str:
        key = self.data.table(table).key
        try:
            id = body.get(key) if isinstance(body, dict) else None
            row = self._replaced(table, id, body) if id else self._made(table, body)
        except Refused as error:
            return f"Error: {error.reason}"
        except web.HTTPNotFound:
            return "Error: Not found"
        return str(row[key])

    async def _delete(self, request: web.Request) -> web.Response:
        self._enter(request)
        if self.data.look(_table(request), _id(request)) is None:
            raise web.HTTPNotFound
        self.data.delete(_table(request), _id(request))
        return web.Response()

    async def _wipe(self, request: web.Request) -> web.Response:
        """Declared by the vendor: without an id the whole catalogue goes."""
        self._enter(request)
        for key in list(self.data.tables["QuotationLinesLinkedData"]):
            self.data.delete("QuotationLinesLinkedData", key)
        return web.Response()

    def guard(self, change: Change) -> None:
        """Of two deliveries with the same number neither can be edited over the API; parents have to be there."""
        row = change.after
        if row is None:
            return
        _check_parent(self, row, "PersonOrganisationId", "Organisations")
        _check_parent(self, row, "DeliveryOrganisationId", "Organisations")
        if change.table != "Deliveries" or change.by != "api" or change.op != "edit":
            return
        number = change.before and change.before["DeliveryNumber"]
        twins = [one for one in self.data.tables["Deliveries"].values() if one["DeliveryNumber"] == number]
        if number and len(twins) > 1 and row["DeliveryNumber"] == number:
            raise Refused("A delivery with the same number exists already.", field="DeliveryNumber")

    # ------------------------------------------------------------------------------------- hooks and errors

    async def _hooks(self, request: web.Request) -> web.Response:
        self._enter(request)
        rows = self.data.shown("Hooks")
        return answer([_hook(row) for row in rows if row["Entity"] == _table(request)])

    async def _add_hook(self, request: web.Request) -> web.Response:
        self._enter(request)
        values = dict(body_of(await request.read()), Entity=_table(request))
        values.pop("Id", None)
        return answer(self.data.insert("Hooks", values)["Id"])

    async def _change_hook(self, request: web.Request) -> web.Response:
        self._enter(request)
        values = dict(body_of(await request.read()))
        values.pop("Id", None)
        self.data.edit("Hooks", _id(request), values)
        return web.Response()

    async def _drop_hook(self, request: web.Request) -> web.Response:
        self._enter(request)
        self.data.delete("Hooks", _id(request))
        return web.Response(status=204)

    def calls_for(self, change: Change) -> Iterable[Call]:
        """One call per hook of that entity and event; no signature."""
        event = EVENTS[change.op]
        for hook in list(self.data.tables["Hooks"].values()):
            if hook["Entity"] == change.table and hook["EventType"] == event and hook["IsEnabled"]:
                body = self._payload(change, event)
                yield Call("POST", hook["TargetUrl"], {"Content-Type": "application/json"}, body)

    def _payload(self, change: Change, event: str) -> bytes:
        if self.options.get("payload") == "object":
            row = change.after or change.before
            assert row is not None
            return ENCODER.encode(shown(self.data.table(change.table), row))
        return ENCODER.encode({"Id": change.key, "Entity": SINGULAR[change.table], "EventType": event})

    def rate_limited(self, seconds: float) -> web.Response:
        """429 with the time to wait in the body, and in no header."""
        return answer({"Message": "API calls quota exceeded.", "RetryAfterSeconds": seconds}, 429)

    def failed(self, status: int) -> web.Response:
        """Plain words."""
        return answer({"Message": "An error has occurred."}, status)

    def refused(self, error: Refused) -> web.Response:
        """400 with a message."""
        return answer(
            {"Message": "The request is invalid.", "ModelState": {error.field: [error.reason]}}, 400
        )

    def unknown_path(self, status: int) -> web.Response:
        """401, 404 and 405 with a message."""
        words = {401: "Authorization has been denied for this request.", 404: "Not found."}
        return answer(
            {"Message": words.get(status, "The requested resource does not support this method.")}, status
        )


def _table(request: web.Request) -> str:
    first, *rest = request.path.strip("/").split("/")
    return f"{first}LinkedData" if rest and rest[0] == "LinkedData" else first


def _id(request: web.Request) -> int:
    return int(request.match_info["id"])


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(unquote(text))
    except ValueError as error:
        raise Refused(f"The value '{text}' is not valid.") from error
    if at.tzinfo is None:
        raise Refused(f"The value '{text}' has no offset.")
    return at


def _form(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a form, in either encoding."""
    if not content_type.startswith("multipart/"):
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    return {
        str(part.get_param("name", header="content-disposition")): str(part.get_payload()).strip()
        for part in parts
    }


def _hook(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "Entity"}


def _check_parent(system: System, row: Row, field: str, table: str) -> None:
    parent: Key | None = row.get(field)
    if parent and parent not in system.data.tables[table]:
        raise Refused(f"{field}: there is no {table} {parent}", field=field)
