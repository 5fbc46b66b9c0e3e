"""The connector `odata`: entity sets of an OData service of version 4 as objects. Composes the parts beside it (odata_*.py).

What is there and of which type comes from $metadata (odata_metadata), values cross exactly (odata_values), complete reads
go by key (odata_look), changes are found by a modified property or by delta links (odata_modified, odata_delta), writes are
looked at again and carry an ETag (odata_write), and many requests go as one (odata_batch, odata_service).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.unit_lines import IN_LINES
from actors.core.values import Value
from actors.ports import FieldInfo, Find, ObjectInfo, Page, Write, WriteResult
from clients.connectors.http.base import HttpConnector, not_offered
from clients.connectors.http.client import HttpClient
from clients.connectors.http.kept import Keeper
from clients.connectors.http.wire import Unreadable
from clients.connectors.lines import asked_lines
from clients.connectors.systems.odata_delta import DeltaLooker
from clients.connectors.systems.odata_look import Looker
from clients.connectors.systems.odata_metadata import EntitySet, Property
from clients.connectors.systems.odata_modified import ModifiedLooker
from clients.connectors.systems.odata_service import ODataJudge, Service
from clients.connectors.systems.odata_settings import DECLARATION, FINDS, ObjectSetting, Settings, parsed
from clients.connectors.systems.odata_write import Writer

__all__ = ["DECLARATION", "ODataConnector", "connect"]

REQUEST_S = 20.0  # one request; a call is several


async def connect(settings: Mapping[str, Any], keeper: Keeper | None = None) -> ODataConnector:
    """Open the service and read its $metadata. Raises TandemError: AUTH, CONFIG or TRANSIENT. `keeper`: where tokens of
    OAuth 2 are kept."""
    connector = ODataConnector(parsed(settings), keeper)
    try:
        await connector.check()
    except BaseException:
        await connector.aclose()
        raise
    return connector


class ODataConnector(HttpConnector):
    """One open access to one service. See `actors.ports.Connector`; use `connect` to make one."""

    def __init__(self, settings: Settings, keeper: Keeper | None = None) -> None:
        judge = ODataJudge(DECLARATION.name)
        client = HttpClient(
            DECLARATION.name,
            settings.url,
            auth=settings.auth,
            judge=judge,
            headers=settings.headers,
            deadline_s=REQUEST_S,
            concurrency=DECLARATION.concurrency,
            keeper=keeper,
        )
        finds = {FINDS[said.find] for said in settings.objects.values()} or {Find.FULL}
        declaration = msgspec.structs.replace(
            DECLARATION,
            find=tuple(find for find in Find if find in finds),
            batch_max=settings.batch_max,
        )
        super().__init__(declaration, client)
        self._settings = settings
        self._service = Service(client, judge, settings.batch, settings.parameters)
        self._looker = Looker(self._service, settings.batch_max, settings.batch_max)
        self._modified = ModifiedLooker(self._service, settings.overlap_s, settings.batch_max)
        self._delta = DeltaLooker(self._service)
        self._writer = Writer(self._service, self._looker, settings.batch_max)

    # --------------------------------------------------------------------------------------------- the account

    async def identity(self) -> str:
        """What the setting `account` points at; else host, path and parameters of the address."""
        settings = self._settings
        if settings.account:
            body, _ = await self._service.get("tell the account", settings.account)
            return f"odata:{hashlib.sha256(_stable(body)).hexdigest()[:32]}"
        parts = urlsplit(settings.url)
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
        query = f"?{settings.parameters}" if settings.parameters else ""
        return f"odata:{parts.hostname}{port}{parts.path.rstrip('/')}{query}"

    async def check(self) -> None:
        """Read $metadata anew, and see that every object of the settings is there with its modified property."""
        model = await self._service.model(fresh=True)
        objects = self._settings.objects or {name: ObjectSetting(name) for name in model.sets}
        draws = any(
            said.set in model.sets and _draws(said, model.sets[said.set]) for said in objects.values()
        )
        lined = any(
            said.set in model.sets and narrowed(said, model.sets[said.set]).lines for said in objects.values()
        )
        self.declaration = msgspec.structs.replace(
            self.declaration, draws_ids=draws, lines="nested" if lined else "none"
        )
        for name, said in self._settings.objects.items():
            if said.set not in model.sets:
                raise TandemError(
                    Kind.CONFIG,
                    f"object {name}: the service has no entity set '{said.set}'",
                    hint=f"it has {', '.join(model.sets)}",
                )
            if said.modified:
                model.sets[said.set].property(said.modified)
            narrowed(said, model.sets[said.set])

    async def describe(self) -> Sequence[ObjectInfo]:
        """The entity sets with their properties as they are now."""
        model = await self._service.model(fresh=True)
        objects = self._settings.objects or {name: ObjectSetting(name) for name in model.sets}
        return [
            described(name, narrowed(said, model.sets[said.set]))
            for name, said in objects.items()
            if said.set in model.sets
        ]

    def find(self, object_name: str) -> Find:
        """As the settings say."""
        said = self._settings.objects.get(object_name)
        return FINDS[said.find] if said is not None else Find.FULL

    # --------------------------------------------------------------------------------------------------- looking

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        """A fresh look by id; ids that the key's type can't hold are simply not there."""
        said, entity_set = await self._object(object_name, fields)
        with _reading(object_name):
            return await self._looker.read(entity_set, ids, fields, said.modified)

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        """A page in key order, or in the service's own."""
        said, entity_set = await self._object(object_name, fields)
        with _reading(object_name):
            return await self._looker.scan(entity_set, position, fields, limit, said.paging, said.modified)

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        """Records changed since the cursor; with delta links also what was deleted."""
        said, entity_set = await self._object(object_name, fields)
        with _reading(object_name):
            if said.find == "delta":
                page = await self._delta.changes(entity_set, cursor, fields, limit, said.modified)
                return await self._with_lines(page, entity_set, fields, said.modified)
            if said.find == "modified":
                by_key = said.paging != "link"
                return await self._modified.changes(
                    entity_set, said.modified, cursor, fields, limit, by_key=by_key
                )
        raise not_offered(object_name, "changes", "name its modified property in the setting objects")

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        """At most `batch_max` records whose property equals the value."""
        said, entity_set = await self._object(object_name, [field, *fields])
        with _reading(object_name):
            return await self._looker.find_by(entity_set, field, value, fields, said.modified)

    async def look_token(self, object_name: str) -> str:
        """None is known: OData has no mark of a set's last change that covers deletions."""
        await self._object(object_name)
        return ""

    # --------------------------------------------------------------------------------------------------- writing

    async def reserve(self, object_name: str, count: int) -> Sequence[str]:
        """Guids of our own, where the key takes them; empty where the service draws its keys."""
        said, entity_set = await self._object(object_name)
        if not self.declaration.draws_ids:
            raise not_offered(object_name, "reserve", "say ids: client in the setting objects")
        if not _draws(said, entity_set):
            return ()
        return [str(uuid.uuid4()) for _ in range(count)]

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        """Looked at again and compared, then sent in one batch, each with the ETag of that look."""
        said, entity_set = await self._object(object_name, fields)
        with _reading(object_name):
            return await self._writer.write(entity_set, writes, fields, said.modified)

    async def _object(self, object_name: str, fields: Sequence[str] = ()) -> tuple[ObjectSetting, EntitySet]:
        said = self._settings.object(object_name)
        entity_set = narrowed(said, await self._service.entity_set(said.set, fields))
        for field in fields:
            entity_set.property(field)
        return said, entity_set

    async def _with_lines(
        self, page: Page, entity_set: EntitySet, fields: Sequence[str], modified: str
    ) -> Page:
        """A delta link delivers no lines: they are looked at."""
        if not page.records or not asked_lines(fields)[1]:
            return page
        found = await self._looker.read(entity_set, [record.id for record in page.records], fields, modified)
        return msgspec.structs.replace(page, records=tuple(found))


def narrowed(said: ObjectSetting, entity_set: EntitySet) -> EntitySet:
    """The set with those lines alone that live and die with their parent, or that the settings name; and with the look-ups
    that are written by a link, whatever else is said of them."""
    if unknown := [path for path in said.lines if path not in entity_set.lines]:
        raise TandemError(
            Kind.CONFIG,
            f"{entity_set.name} has no lines '{unknown[0]}'",
            scope=Scope.STREAM,
            hint=f"it has {', '.join(entity_set.lines) or 'none'}",
        )
    kept = {}
    for path, lines in entity_set.lines.items():
        if lines.owned or path in said.lines:
            order = said.lines.get(path, "")
            if order:
                lines.set.property(order)
            kept[path] = msgspec.structs.replace(lines, order=order)
    bound = {
        path: msgspec.structs.replace(entity_set.property(path), bind=bind, computed=False, immutable=False)
        for path, bind in said.binds.items()
    }
    return msgspec.structs.replace(
        entity_set,
        lines=kept,
        properties={**entity_set.properties, **bound} if bound else entity_set.properties,
    )


def _draws(said: ObjectSetting, entity_set: EntitySet) -> bool:
    """Whether we draw the ids: of Guids, where nobody says otherwise."""
    (first, *more) = entity_set.key
    key = entity_set.properties[first]
    by_type = "client" if key.type == "Edm.Guid" else "service"
    return not more and not key.computed and (said.ids or by_type) == "client"


def described(name: str, entity_set: EntitySet) -> ObjectInfo:
    """An entity set as the port describes objects."""
    is_writable = entity_set.insertable or entity_set.updatable
    infos = [_info(found, "", is_writable) for found in entity_set.properties.values()]
    for path, lines in entity_set.lines.items():
        infos.append(FieldInfo(path, "lines", writable=is_writable))
        infos += [_info(found, path + IN_LINES, is_writable) for found in lines.set.properties.values()]
    return ObjectInfo(name, ",".join(entity_set.key), tuple(infos), entity_set.doc)


def _info(found: Property, prefix: str, is_writable: bool) -> FieldInfo:
    return FieldInfo(
        prefix + found.name,
        found.field_type,
        required=not found.nullable and not found.computed and not found.has_default,
        writable=is_writable and not found.computed,
        doc=found.doc,
    )


@contextmanager
def _reading(object_name: str) -> Iterator[None]:
    """An answer that can't be read is the system's trouble, and named so."""
    try:
        yield
    except Unreadable as error:
        raise TandemError(
            Kind.TRANSIENT, f"{object_name}: the service answered with {error}", scope=Scope.STREAM
        ) from error


def _stable(body: Any) -> bytes:
    """A body without what differs from one address to the other: contexts and links."""
    if isinstance(body, Mapping):
        kept = {name: body[name] for name in sorted(body) if not name.startswith("@")}
        return msgspec.json.encode({name: _stable(value).decode() for name, value in kept.items()})
    if isinstance(body, list):
        return msgspec.json.encode([_stable(item).decode() for item in body])
    return msgspec.json.encode(str(body))
