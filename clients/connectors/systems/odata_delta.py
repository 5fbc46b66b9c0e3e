"""Changes by delta links, where a service offers them (`Prefer: odata.track-changes`).

The first delta link stands at the end of a complete list; from then on each link yields what changed behind it, deletions
included, and ends in the next link. A link that the service no longer knows (410) is replaced by a new complete list, all of
it handed out: nothing that changed meanwhile is lost. `$select` is left out: a link keeps the selection it was made with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue
from actors.ports import Page
from clients.connectors.http.wire import HttpError, Unreadable
from clients.connectors.systems.odata_look import link_of, position_of, record_of, rows_of
from clients.connectors.systems.odata_metadata import EntitySet
from clients.connectors.systems.odata_service import Service
from clients.connectors.systems.odata_values import delivered, escaped, id_of_address, record_id

TRACK: Final = "odata.track-changes"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where it goes on: a delta link, or a next link within a list. `skip`: items of that page that were handed out."""

    link: str
    skip: int = 0

    def text(self) -> str:
        """As the port hands it around."""
        return msgspec.json.encode(self).decode()


class DeltaLooker:
    """`changes` of one connection, by delta links."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def changes(
        self, entity_set: EntitySet, cursor: str, fields: Sequence[str], limit: int, modified: str
    ) -> Page:
        """A page of what changed since the cursor ("" = from now on), deletions included."""
        if not cursor:
            return Page((), Position(await self._first(entity_set)).text(), more=False)
        position = position_of(cursor, Position)
        try:
            items, onward, is_end = await self._page(entity_set, position.link, limit)
        except HttpError as error:
            if error.status != 410:
                raise
            # Forgotten: everything is handed out once more, and what is gone shows at the next complete read.
            position = Position(escaped(entity_set.name))
            items, onward, is_end = await self._page(entity_set, position.link, limit)
        some = items[position.skip : position.skip + limit]
        records, gone = _sorted_out(entity_set, some, fields, modified)
        if position.skip + limit < len(items):
            there = Position(position.link, position.skip + limit)
            return Page(records, there.text(), more=True, gone=gone)
        return Page(records, Position(onward).text(), more=not is_end, gone=gone)

    async def _first(self, entity_set: EntitySet) -> str:
        """The first delta link: at the end of the list as it is now."""
        link, is_end = escaped(entity_set.name), False
        while not is_end:
            _, link, is_end = await self._page(entity_set, link, 1000)
        return link

    async def _page(self, entity_set: EntitySet, link: str, limit: int) -> tuple[list[Any], str, bool]:
        """The items of a page, the link to go on with, and whether that is a delta link."""
        doing = f"find changes of {entity_set.name}"
        body, _ = await self._service.get(doing, link, prefer=f"{TRACK}, odata.maxpagesize={limit}")
        items = rows_of(body)
        onward, delta = link_of(body, "nextLink"), link_of(body, "deltaLink")
        if onward or delta:
            return items, self._service.resolved(link, onward or delta), not onward
        raise TandemError(
            Kind.CONFIG,
            f"{entity_set.name}: the service tracks no changes (there is no delta link)",
            scope=Scope.STREAM,
            hint="use find: modified with a property, or find: full",
        )


def _sorted_out(
    entity_set: EntitySet, items: Sequence[Any], fields: Sequence[str], modified: str
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Records that were touched, and ids of those that the service says are deleted. Links that came or went are neither."""
    records: dict[str, Record] = {}
    gone: dict[str, None] = {}
    for item in items:
        if not isinstance(item, Mapping):
            raise Unreadable("a change that is none")
        context = str(item.get("@odata.context", item.get("@context", "")))
        if context.endswith(("/$link", "/$deletedLink")):
            continue
        removed = item.get("@removed", item.get("@odata.removed"))
        if removed is None and not context.endswith("/$deletedEntity"):
            record = record_of(entity_set, item, fields, modified)
            records[record.id] = record
            gone.pop(record.id, None)
            continue
        reason = removed.get("reason") if isinstance(removed, Mapping) else item.get("reason")
        # "changed": it left the list, which is no proof that it is gone.
        if reason == "deleted":
            id_ = _id_of(entity_set, item)
            records.pop(id_, None)
            gone[id_] = None
    return tuple(records.values()), tuple(gone)


def _id_of(entity_set: EntitySet, item: Mapping[str, Any]) -> str:
    """The id of a deleted record: from its key, or from its address."""
    if all(delivered(item, name)[0] for name in entity_set.key):
        try:
            return record_id(entity_set, item)
        except BadValue as error:
            raise Unreadable(str(error)) from error
    address = str(item.get("@odata.id", item.get("@id", item.get("id", ""))))
    return id_of_address(entity_set, address)
