"""A folder of WinBooks on Web as an emulator: tokens drawn from an exchange token, objects by code or id, criteria, answers
in chunks, nested objects that are saved as deep as `TotalLevel` says.

Options: `folder` (DEMO), `email`, `exchange_token`; `exchange` (`reusable`, `once`: void after its first use); `missing`
(`404`, `null`: 200 with null, for what is not there); `reply` (`object`, `empty`: what a single write is answered with);
`existing` (`refused`, `updated`: what becomes of a new object whose code is there already); `errors` (400, or another status
of a refusal); `chunk` (0: whole answers, else so many rows, of which the last is cut in two); `midnight` (`UTC`,
`Brussels`: how days are written); `addresses` (`linked`, `plain`: those of a third party up to 2.4); `codes` (`given`,
`drawn`: WinBooks numbers customers and suppliers itself, whatever is said); `third_touches` (`no`, `yes`: an edit of a
third party is one of its customer, too).
What is confirmed and what is modelled: docs/connectors/winbooks.md.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from clients.emulators.data import Change, Near
from clients.emulators.description import Field, Refused, Row, Table
from clients.emulators.emulator import Emulator, answer, body_of
from clients.emulators.winbooks_criteria import DATE, EPOCH, chosen, near, place
from clients.emulators.winbooks_documents import check
from clients.emulators.winbooks_tables import LINKS, LISTS, NOBODY, OLD_ADDRESSES, WINBOOKS, type_of

LIFE_S: Final = 900
PARTNERS: Final = ("Customer", "Supplier")
SAVED_WITH: Final = {"Customer": "Third", "Supplier": "Third", "Third_Address": "Address"}
POSTED: Final = ("GLTransHeader", "GLTrans")


class System(Emulator):
    """One folder."""

    description = WINBOOKS

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.folder = self.options.get("folder", "DEMO")
        self.email = self.options.get("email", "books@example.test")
        self.exchange_token = self.options.get("exchange_token", "exchange-token")
        self.exchanges = 0
        self._access: set[str] = set()  # a program's token lives on where another one draws its own
        self._refresh = ""

    def routes(self) -> Iterable[web.RouteDef]:
        """Token, single objects, collections."""
        folder = "Folder/{folder}"
        yield web.post("/OAuth20/Token", self._token)
        yield web.post(f"/app/{{name}}/{folder}/ExecuteCriteria", self._criteria)
        yield web.get(f"/app/{{name}}/{folder}", self._all)
        yield web.post(f"/app/{{name}}/{folder}", self._posted)
        yield web.get(f"/app/{{name}}/{{code}}/{folder}", self._one)
        yield web.post(f"/app/{{name}}/{{code}}/{folder}", self._create)
        yield web.put(f"/app/{{name}}/{{code}}/{folder}", self._update)
        yield web.delete(f"/app/{{name}}/{{code}}/{folder}", self._delete)

    def enter(self, table: str, **values: Any) -> str:
        """A person enters a row; its id."""
        (key,) = self.person.insert(table, {"Id": str(uuid.uuid4()), **values})
        return str(key)

    # ---------------------------------------------------------------------------------------------------- entry

    def expire(self) -> None:
        """The access token is void; the refresh token lives."""
        self._access.clear()

    def revoke(self) -> None:
        """The user deleted the exchange token in WinBooks: nobody gets in any more."""
        self._access.clear()
        self._refresh = self.exchange_token = ""

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        who = "Basic " + base64.b64encode(self.email.encode()).decode()
        code, grant = str(form.get("code", "")), form.get("grant_type")
        good = {"exchange_token": self.exchange_token, "refresh_token": self._refresh}.get(str(grant), "")
        if request.headers.get("Authorization") != who or not good or code != good:
            raise web.HTTPUnauthorized
        if grant == "exchange_token":
            self.exchanges += 1
            if self.options.get("exchange") == "once":
                self.exchange_token = ""
        access, self._refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._access.add(access)
        said = {"access_token": access, "refresh_token": self._refresh, "token_type": "bearer"}
        return answer({**said, "expires_in": str(LIFE_S), "scope": None})

    def _enter(self, request: web.Request) -> None:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._access:
            raise web.HTTPUnauthorized
        if request.match_info["folder"] != self.folder:
            raise web.HTTPNotFound

    def _table(self, request: web.Request, *, many: bool) -> Table:
        """The object of a path: its name, or its name with an s behind it, whatever English wants."""
        self._enter(request)
        name = request.match_info["name"]
        if many and not name.endswith("s"):
            raise web.HTTPNotFound
        try:
            return self.data.table(name[:-1] if many else name)
        except KeyError:
            raise web.HTTPNotFound from None

    def _row(self, table: Table, code: str) -> Row | None:
        """By code or by id."""
        row = self.data.look(table.name, code.lower())
        if row is not None:
            return row
        rows = self.data.shown(table.name)
        return next((one for one in rows if str(one.get("Code", "")).casefold() == code.casefold()), None)

    # -------------------------------------------------------------------------------------------------- reading

    async def _one(self, request: web.Request) -> web.Response:
        table = self._table(request, many=False)
        row = self._row(table, request.match_info["code"])
        if row is None:
            if self.options.get("missing") == "null":
                return answer(None)
            raise web.HTTPNotFound
        return answer(self._shown(table.name, row, _level(request)))

    async def _all(self, request: web.Request) -> web.Response:
        return self._told(request, self._table(request, many=True), None)

    async def _criteria(self, request: web.Request) -> web.Response:
        table = self._table(request, many=True)
        criteria = body_of(await request.read())
        if not isinstance(criteria, dict) or criteria.get("EntityType") != type_of(table.name):
            raise Refused("The EntityType is missing or another one")
        return self._told(request, table, criteria)

    def _told(self, request: web.Request, table: Table, criteria: Mapping[str, Any] | None) -> web.Response:
        held = self.data.shown(table.name, near(criteria) if criteria else None)
        rows: Sequence[Row] = sorted(held, key=lambda row: place(row["Id"]))
        if criteria is not None:
            aliases = {one["AliasName"]: one for one in criteria.get("Association") or ()}
            rows = chosen(criteria, rows, lambda row, name: self._property(table, aliases, row, name))
        shown = [self._shown(table.name, row, _level(request)) for row in rows]
        return self._in_chunks(request, shown)

    def _property(self, table: Table, aliases: Mapping[str, Any], row: Row, name: str) -> Any:
        alias, _, field = name.rpartition(".")
        if alias in ("", "this"):
            if table.field(field) is None:
                raise Refused(f"could not resolve property: {field} of {table.name}")
            return row.get(field)
        if alias not in aliases:
            raise Refused(f"the alias {alias} is not known")
        joined = next(one for one in WINBOOKS.tables if type_of(one.name) == aliases[alias]["Type"])
        other = self.data.tables[joined.name].get(row.get(str(aliases[alias]["LeftProperty"])) or "")
        return other.get(field) if other else None

    def _in_chunks(self, request: web.Request, rows: list[dict[str, Any]]) -> web.Response:
        """Large answers end in the middle of an object, which the next one goes on with."""
        size = int(self.options.get("chunk", "0"))
        pieces = [piece for row in rows for piece in _halves(row)] if size else rows
        begin = int(request.headers.get("ContinuePath", "0"))
        step = 2 * size - 1 if size else len(pieces) or 1
        more = {"ContinuePath": str(begin + step)} if size and begin + step < len(pieces) else {}
        return answer(_joined(pieces[begin : begin + step]), headers=more)

    def _shown(self, name: str, row: Row, level: int) -> dict[str, Any]:
        table = self.data.table(name)
        found: dict[str, Any] = {"$type": type_of(name)}
        found |= {
            field.name: self._spelt(field, row[field.name]) for field in table.fields if field.name in row
        }
        if level > 1:
            for link, field_name, target in LINKS.get(name, ()):
                other = self.data.look(target, row.get(field_name) or "")
                found[link] = self._shown(target, other, level - 1) if other else None
            if (listed := self._list_of(name)) is not None:
                link, target, parent, order = listed
                listed_at = self.data.shown(target, Near(parent, values=[row["Id"]]))
                below = [one for one in listed_at if one.get(parent) == row["Id"]]
                below.sort(key=lambda one: (one[order] is not None, one[order], one["Created"]))
                found[link] = [self._shown(target, one, level - 1) for one in below]
        return found

    def _list_of(self, name: str) -> tuple[str, str, str, str] | None:
        plain = name == "Third" and self.options.get("addresses") == "plain"
        return OLD_ADDRESSES if plain else LISTS.get(name)

    def _spelt(self, field: Field, value: Any) -> Any:
        if value is None:
            return NOBODY if field.name.endswith("_Id") else None
        if isinstance(value, datetime):
            return f"/Date({(value - EPOCH) // timedelta(milliseconds=1)})/"
        if isinstance(value, date):
            at = datetime.combine(value, time(), self._zone())
            return f"/Date({(at - EPOCH) // timedelta(milliseconds=1)})/"
        return value

    # -------------------------------------------------------------------------------------------------- writing

    async def _create(self, request: web.Request) -> web.Response:
        table = self._table(request, many=False)
        code, body = request.match_info["code"], self._object(table, body_of(await request.read()))
        if body.setdefault("Code", code) != code:
            raise Refused("The code is not that of the address", field="Code")
        if self.options.get("codes") == "drawn" and table.name in PARTNERS:
            body["Code"] = code = f"W{len(self.data.tables[table.name]) + 1:04d}"
            if isinstance(body.get("Third"), dict):
                body["Third"] = {**body["Third"], "Code": code}
        there = self._row(table, code)
        if there is not None and self.options.get("existing") == "updated":
            return self._answered(table, self._save(table, body, there))
        return self._answered(table, self._save(table, body, None))

    async def _posted(self, request: web.Request) -> web.Response:
        """A single object without a code, or a list that is made or updated."""
        many = request.match_info["name"] not in self.data.tables
        table = self._table(request, many=many)
        body = body_of(await request.read())
        if not many:
            return self._answered(table, self._save(table, self._object(table, body), None))
        failed: list[Any] = []
        reasons: list[str] = []
        for one in body if isinstance(body, list) else ():
            try:
                named = self._row(table, str(one.get("Id") or one.get("Code") or ""))
                self._save(table, self._object(table, one), named)
            except Refused as error:
                failed.append(one)
                reasons.append(error.reason)
        said = {"Method": "InsertOrUpdateList", "ObjectType": table.name, "NumberOfFail": len(failed)}
        done = {"NumberOfSuccess": len(body) - len(failed), "ListObjectFail": failed, "ReasonFail": reasons}
        return answer({**said, **done, "ListUrlSuccess": []})

    async def _update(self, request: web.Request) -> web.Response:
        table = self._table(request, many=False)
        row = self._row(table, request.match_info["code"])
        if row is None:
            raise web.HTTPNotFound
        body = self._object(table, body_of(await request.read()))
        return self._answered(table, self._save(table, body, row))

    async def _delete(self, request: web.Request) -> web.Response:
        table = self._table(request, many=False)
        row = self._row(table, request.match_info["code"])
        if row is None:
            raise web.HTTPNotFound
        self.data.delete(table.name, row["Id"])
        return web.Response()

    def _object(self, table: Table, body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or body.get("$type") != type_of(table.name):
            raise Refused("The $type is missing or another one", field="$type")
        return dict(body)

    def _answered(self, table: Table, row: Row) -> web.Response:
        if self.options.get("reply", "object") == "empty":
            return web.Response()
        return answer(self._shown(table.name, row, 1))

    def _save(self, table: Table, body: dict[str, Any], there: Row | None) -> Row:
        """Only what is said changes. A nested object is saved where `TotalLevel` reaches it; else it is passed over."""
        made: list[tuple[str, str]] = []
        try:
            return self._saved(table, body, there, made)
        except Refused:
            for name, id_ in reversed(made):
                self.data.delete(name, id_, by="automation")
            raise

    def _saved(
        self, table: Table, body: dict[str, Any], there: Row | None, made: list[tuple[str, str]]
    ) -> Row:
        values = self._values(table, body)
        link = SAVED_WITH.get(table.name, "")
        # Each friendly code costs a level more.
        needed = 2 + any(f"{one}Code" in body for one, _, _ in LINKS.get(table.name, ()))
        is_deep = int(body.get("TotalLevel") or 1) >= needed
        nested = body.get(link) if is_deep else None
        if isinstance(nested, dict):
            target = self.data.table(link)
            id_ = str(nested.get("Id") or (there or {}).get(f"{link}_Id") or "").lower()
            before = self.data.tables[link].get(id_)
            values[f"{link}_Id"] = self._saved(target, self._object(target, nested), before, made)["Id"]
        if there is not None:
            row = self.data.edit(table.name, there["Id"], values)
        else:
            row = self.data.insert(table.name, {"Id": str(uuid.uuid4()), **values})
            made.append((table.name, row["Id"]))
        listed = self._list_of(table.name)
        for one in body.get(listed[0]) or () if listed is not None and is_deep else ():
            assert listed is not None
            target = self.data.table(listed[1])
            item = {**self._object(target, one), listed[2]: row["Id"]}
            self._saved(target, item, self.data.tables[listed[1]].get(str(one.get("Id") or "").lower()), made)
        if table.name == "GLTransHeader":
            check(self.data, row)
        return row

    def _values(self, table: Table, body: Mapping[str, Any]) -> dict[str, Any]:
        links = {f"{link}Code": (field, target) for link, field, target in LINKS.get(table.name, ())}
        values: dict[str, Any] = {}
        for name, value in body.items():
            field = table.field(name)
            if field is not None and field.writable and name != "Id":
                values[name] = self._taken(field, value)
            elif name in links:
                other = self._row(self.data.table(links[name][1]), str(value))
                if other is None:
                    raise Refused(f"{name} {value} does not exist", field=name)
                values[links[name][0]] = other["Id"]
        return values

    def _zone(self) -> tzinfo:
        return ZoneInfo("Europe/Brussels") if self.options.get("midnight") == "Brussels" else UTC

    def _taken(self, field: Field, value: Any) -> Any:
        if field.name.endswith("_Id"):
            return None if value in (None, NOBODY) else str(value).lower()
        if field.type in ("date", "instant") and isinstance(value, str):
            found = DATE.fullmatch(value)
            if found is None:
                raise Refused(f"{field.name}: {value} is no /Date(...)/", field=field.name)
            at = EPOCH + timedelta(milliseconds=int(found.group(1)))
            return at.astimezone(self._zone()).date() if field.type == "date" else at
        return value

    def guard(self, change: Change) -> None:
        """A customer has the code of his third party; nobody refers to who is not there; what was posted stays."""
        if change.by == "api" and change.table in POSTED and change.op != "insert":
            raise Refused("A booked document can't be changed")
        row = change.after
        if row is None:
            self._check_unused(change)
            return
        for _, name, target in LINKS.get(change.table, ()):
            if row.get(name) and row[name] not in self.data.tables[target]:
                raise Refused(f"{name} {row[name]} does not exist", field=name)
        if change.table in PARTNERS:
            third = self.data.tables["Third"].get(row.get("Third_Id") or "")
            if third is None or third["Code"] != row["Code"]:
                raise Refused(f"The code of the {change.table} is not that of its Third", field="Code")

    def _check_unused(self, change: Change) -> None:
        for name, links in LINKS.items():
            for _, field, target in links:
                rows = self.data.tables[name].values()
                if target == change.table and any(row.get(field) == change.key for row in rows):
                    raise Refused(f"This {change.table} is used by a {name}")

    def _changed(self, change: Change) -> None:
        super()._changed(change)
        if change.table == "Third" and change.op == "edit" and self.options.get("third_touches") == "yes":
            for name in PARTNERS:
                for key, row in list(self.data.tables[name].items()):
                    if row["Third_Id"] == change.key:
                        self.data.edit(name, key, {}, by="automation")

    # --------------------------------------------------------------------------------------------------- errors

    def refused(self, error: Refused) -> web.Response:
        """Not documented: a status and words."""
        return answer({"Message": error.reason}, int(self.options.get("errors", "400")))

    def rate_limited(self, seconds: float) -> web.Response:
        """Not documented: 429."""
        return web.Response(status=429, headers={"Retry-After": f"{seconds:g}"}, text="Too many requests")

    def failed(self, status: int) -> web.Response:
        """Not documented: words."""
        return answer({"Message": "An error has occurred."}, status)

    def unknown_path(self, status: int) -> web.Response:
        """Without words."""
        return web.Response(status=status)


def _level(request: web.Request) -> int:
    return int(request.query.get("maxLevel", "1"))


def _halves(row: dict[str, Any]) -> list[dict[str, Any]]:
    """An object in two pieces; what tells it from others stands in both."""
    names = list(row)
    known: dict[str, Any] = {name: row[name] for name in ("$type", "Id", "Code") if name in row}
    middle = len(names) // 2
    return [
        {**known, **{name: row[name] for name in names[:middle]}},
        {**known, **{name: row[name] for name in names[middle:]}},
    ]


def _joined(pieces: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both pieces of an object within one answer are one object."""
    found: dict[str, dict[str, Any]] = {}
    for piece in pieces:
        found[piece["Id"]] = {**found.get(piece["Id"], {}), **piece}
    return list(found.values())
