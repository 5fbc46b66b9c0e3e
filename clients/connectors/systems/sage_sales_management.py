"""Sage Sales Management (formerly ForceManager), version 4 of its REST API.

Deletion is logical there: a row stays and says `deleted`. Here such a row is gone, and a list of changes reports it. Changes
are found by the rows' own stamps, never by a clock. Fields are those of the resource's own schema, custom ones included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue, Value, canonical, same
from actors.ports import (
    Declaration,
    Find,
    ObjectInfo,
    Page,
    Setting,
    Webhook,
    Write,
    WriteResult,
)
from clients.connectors.http.base import HttpConnector
from clients.connectors.http.client import HttpClient
from clients.connectors.http.values import Form, as_text, write_value
from clients.connectors.systems.sage_sales_management_api import Api, client, is_deleted
from clients.connectors.systems.sage_sales_management_pictures import OBJECT as PRODUCTS
from clients.connectors.systems.sage_sales_management_pictures import PICTURE, Pictures
from clients.connectors.systems.sage_sales_management_pictures import SETTINGS as PICTURE_SETTINGS
from clients.connectors.systems.sage_sales_management_schema import (
    LISTS,
    OBJECTS,
    STAMPS,
    Resource,
    Values,
    body,
)
from clients.connectors.systems.sage_sales_management_writing import Records, Writing

NAME: Final = "sage_sales_management"
SETTINGS: Final = (
    Setting("url", default="https://api.forcemanager.com/api/v4", doc="the address of the API, version 4"),
    Setting("public_key", required=True, doc="the public key (Settings > Integrations > API keys)"),
    Setting("private_key", required=True, secret=True, doc="the private key that belongs to it"),
    Setting("objects", "list", default=[], doc="further resources, beside those that are known"),
    Setting(
        "lang", default="fr", doc="the language of the texts of value lists, such as the status 'Client'"
    ),
    Setting("page_size", "integer", default=200, doc="rows of one page; 1 to 1000"),
    Setting("bulk", "boolean", default=True, doc="write many records with one request"),
    Setting(
        "read_only",
        default="open",
        choices=("open", "unlock"),
        doc="open: the API takes changes of read-only records; unlock: the mark is taken off for a change, and set again",
    ),
    Setting(
        "overlap_s",
        "integer",
        default=5,
        doc="so far a look for changes reaches back: what is stored late carries the time of its beginning",
    ),
    Setting("read_lag_s", "decimal", default="0", doc="a read may show what was there so many seconds ago"),
    Setting(
        "rate_per_s", "decimal", default="2.5", doc="requests per second that the plan allows; 0: no limit"
    ),
    Setting("rate_burst", "integer", default=35, doc="so many requests at once"),
    *PICTURE_SETTINGS,
)
DECLARATION: Final = Declaration(
    name=NAME,
    doc="Sage Sales Management (formerly ForceManager): accounts, contacts, products, sales.",
    settings=SETTINGS,
    find=(Find.MODIFIED, Find.FULL),
    absence="hint",
    # A deleted row stays, so its id is never free again.
    ids="never_reused",
    version="none",
    precondition="reread",
    reply="id",
    find_by_field=True,
    # The picture of a product.
    attachments=True,
    # Nobody has said whether a second log-in ends the first.
    session="single",
    # A request whose line was cut may still take effect.
    vendor_tail_s=10.0,
    batch_max=200,
    look_max=1000,
    concurrency=4,
    rate_per_s=2.5,
    rate_burst=35,
    deadline_s=90.0,
    # What is in a call, and whether it is signed, is not published: any call is a reason to look. It calls an object by
    # another name (`account`), so the address says which one is meant, and one that says none has all of them looked at.
    webhook=Webhook(ids="json:id", event="json:action"),
)
BEGINNING: Final = "1970-01-01T00:00:00Z"


class Cursor(msgspec.Struct, frozen=True):
    """How far a list of changes was read. `since`: the newest stamp that was surely passed; `until`: that of the list
    which is being read, by its first page; `below`: the id at which its next page begins ("" a new list)."""

    since: str
    until: str = ""
    below: str = ""


async def connect(settings: Mapping[str, Any]) -> SalesConnector:
    """A connector for one account; `settings` as `checked_settings` gives them. Raises CONFIG; nothing is opened yet."""
    for name, least, most in (("page_size", 1, 1000), ("overlap_s", 1, 3600)):
        if not least <= settings[name] <= most:
            raise TandemError(Kind.CONFIG, f"{name} must lie between {least} and {most}")
    return SalesConnector(client(settings, NAME), settings)


class SalesConnector(HttpConnector):
    """One account. Holds the schemas and the short value lists, and no record."""

    def __init__(self, http: HttpClient, settings: Mapping[str, Any]) -> None:
        declared = msgspec.structs.replace(
            DECLARATION,
            read_lag_s=float(settings["read_lag_s"]),
            rate_per_s=float(settings["rate_per_s"]),
            rate_burst=settings["rate_burst"],
        )
        super().__init__(declared, http)
        self._api = Api(http, settings["lang"], settings["page_size"])
        self._values = Values(self._api.whole)
        self._pictures = Pictures(self._api, settings)
        self._rows = Records(self._values, self._pictures)
        unlock = settings["read_only"] == "unlock"
        self._writing = Writing(self._api, self._rows, bulk=settings["bulk"], unlock=unlock)
        self._overlap = timedelta(seconds=settings["overlap_s"])
        self._objects = [*OBJECTS, *settings["objects"]]
        self._host = urlsplit(settings["url"]).hostname or ""
        self._resources: dict[str, Resource] = {}
        self._identity = ""

    async def identity(self) -> str:
        """The host, and the account's first user with the time he was made: the API names no account."""
        if not self._identity:
            users = await self._api.whole("users")
            first = min(users, key=lambda row: int(row["id"]), default={})
            self._identity = f"{NAME}:{self._host}:{first.get('id', '')}:{first.get('dateCreated', '')}"
        return self._identity

    async def check(self) -> None:
        """One branch: shows that keys and address are good."""
        await self._api.rows("branches", "", 1)

    def find(self, object_name: str) -> Find:
        """By the rows' stamps; short value lists are read as a whole."""
        return Find.FULL if object_name in LISTS else Find.MODIFIED

    async def describe(self) -> Sequence[ObjectInfo]:
        """Every object with its own fields; one that this account does not offer says why in its `doc`."""
        self._resources.clear()  # somebody may have made a field since
        return [await self._described(name) for name in self._objects]

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """Rows by id, in one list for many."""
        resource = await self._resource(object_name, fields)
        rows = await self._api.by_id(object_name, ids)
        return await self._rows.of(resource, list(rows.values()), fields)

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """A page from the highest id down; `position` is the last id that was passed."""
        resource = await self._resource(object_name, fields)
        rows, more = await self._api.page(object_name, [resource.not_deleted], position, limit)
        there = [row for row in rows if not is_deleted(row)]
        records = await self._rows.of(resource, there, fields)
        return Page(tuple(records), as_text(rows[-1]["id"]) if rows else position, more)

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Rows whose stamps are newer than the cursor's, those that were deleted among them."""
        resource = await self._resource(object_name, fields)
        if not cursor:
            return Page((), _text(Cursor(await self._newest(resource))), False)
        where = _cursor(cursor)
        since = _back(where.since, self._overlap)
        rows, more = await self._api.page(
            object_name, [f"{stamp}>'{since}'" for stamp in resource.stamps], where.below, limit
        )
        until = where.until or max([where.since, *_stamps(rows)])
        records = await self._rows.of(resource, [row for row in rows if not is_deleted(row)], fields)
        gone = tuple(as_text(row["id"]) for row in rows if is_deleted(row))
        onward = Cursor(where.since, until, as_text(rows[-1]["id"])) if more else Cursor(until)
        return Page(tuple(records), _text(onward), more, gone)

    async def fetch_attachment(self, object_name: str, id: str, field: str) -> bytes | None:
        """The picture of a product."""
        await self._resource(object_name, [field])
        return await self._pictures.content(id)

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """Rows whose field holds the value, to the letter."""
        resource = await self._resource(object_name, [*fields, field])
        try:
            ((base, raw),) = (await body(resource, self._values, {field: value})).items()
        except BadValue:
            return []
        if raw is None:
            return []
        found: list[Record] = []
        position, more = "", True
        while more:
            cases = [" AND ".join(filter(None, [f"{base}={_literal(raw)}", resource.not_deleted]))]
            rows, more = await self._api.page(object_name, cases, position, 1000)
            position = as_text(rows[-1]["id"]) if rows else position
            names = list(dict.fromkeys([*fields, field]))
            seen = await self._rows.of(resource, [row for row in rows if not is_deleted(row)], names)
            for one in seen:
                if same(one.native.get(field), canonical(value)):
                    native = {name: one.native[name] for name in fields if name in one.native}
                    found.append(Record(one.id, native, one.version, one.modified))
        return found

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Each against the row as it is now; many of a kind in one request."""
        names = [name for write in writes for name in (*write.native, *write.seen)]
        resource = await self._resource(object_name, [*names, *fields])
        return await self._writing.write(resource, writes) if writes else []

    async def _resource(self, name: str, fields: Sequence[str]) -> Resource:
        if name not in self._objects:
            raise TandemError(
                Kind.CONFIG,
                f"{NAME} has no object '{name}'",
                scope=Scope.STREAM,
                hint=f"it has {', '.join(self._objects)}; others go into the setting 'objects'",
            )
        known = self._resources.get(name)
        if known is None or known.unknown(fields):
            attachments = (PICTURE,) if name == PRODUCTS else ()
            known = self._resources[name] = Resource(name, await self._api.schema(name), attachments)
        known.checked(fields)
        return known

    async def _described(self, name: str) -> ObjectInfo:
        try:
            resource = await self._resource(name, [])
            lists = {table: await self._parts(table) for table in set(resource.lookups.values()) & set(LISTS)}
            return resource.described(lists)
        except TandemError as error:
            if error.scope is Scope.CONNECTION:
                raise
            return ObjectInfo(name, "id", doc=f"not offered by this account: {error.message}")

    async def _parts(self, table: str) -> Sequence[str]:
        """The fields of a short list that say something of a row."""
        try:
            fields = (await self._resource(table, [])).shape.fields
        except TandemError as error:
            if error.scope is Scope.CONNECTION:
                raise
            return ()
        return [name for name in fields if name != "deleted" and not name.startswith(("date", "salesRepId"))]

    async def _newest(self, resource: Resource) -> str:
        """The newest stamp of all rows."""
        rows: list[Mapping[str, Any]] = []
        for stamp in resource.stamps:
            rows += await self._api.rows(resource.name, "", 1, order=stamp)
            if not rows:
                break  # there is none at all
        return max(_stamps(rows), default=BEGINNING)


def _stamps(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All stamps of rows, in one spelling that sorts as they follow each other."""
    return [_spelled(datetime.fromisoformat(row[name])) for row in rows for name in STAMPS if row.get(name)]


def _back(stamp: str, overlap: timedelta) -> str:
    when = datetime.fromisoformat(stamp)
    return stamp if stamp == BEGINNING else _spelled(when - overlap)


def _spelled(when: datetime) -> str:
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def _cursor(text: str) -> Cursor:
    try:
        return msgspec.json.decode(text, type=Cursor)
    except msgspec.MsgspecError as error:
        raise TandemError(
            Kind.CONFIG,
            "the cursor of the changes can't be read",
            scope=Scope.STREAM,
            hint="reset the stream",
        ) from error


def _literal(raw: Any) -> str:
    """A value as a condition wants it."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str):
        return "'" + raw.replace("'", "''") + "'"
    return str(write_value(canonical(raw), Form(type="decimal", decimals="text")))
