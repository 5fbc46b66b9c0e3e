"""The Documents service: what is staged, and a person's decision to import. SPEC S11."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from actors.core.policy import LinkSpec
from actors.core.stream_rules import Imports
from actors.core.types import Room
from daemon.api import access, convert, rules
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid, not_found, precondition
from tandem.v1 import documents_pb2 as pb
from tandem.v1 import documents_pb2_grpc

NAMED_MAX: Final = 20  # ids that the audit names


def closed(spec: LinkSpec) -> Sequence[str]:
    """The streams of which nothing that is staged is ever imported."""
    return [one.name for one in spec.streams if one.stages and one.imports is Imports.NEVER]


def refuse_closed(spec: LinkSpec, named: Collection[str]) -> None:
    """Refuse an import of these streams (none: of all there are) that would import nothing, and say why."""
    none = closed(spec)
    asked = named or [one.name for one in spec.streams if one.stages]
    if found := [name for name in none if name in asked]:
        if not named and len(found) < len(asked):
            return  # the others go
        raise precondition(
            "IMPORTS_NEVER",
            f"this link imports nothing of {', '.join(found)} (imports: never): it stays staged",
            "let the link's settings say ask or always; or enter it by hand",
        )


class Documents(documents_pb2_grpc.DocumentsServicer):
    """See proto/tandem/v1/documents.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Any) -> pb.ListDocumentsResponse:
        link = await self._desk.link(request.link, request.tenant)
        size = rules.page_size(request)
        found = await self._desk.admin.list_parked(
            link.row.id, "", Room.STAGED.value, size, request.page_token
        )
        return pb.ListDocumentsResponse(
            documents=[convert.parked(one.row, one.link) for one in found.rows],
            next_page_token=found.next_page,
        )

    async def ImportDocuments(
        self, request: pb.ImportDocumentsRequest, context: Any
    ) -> pb.ImportDocumentsResponse:
        if bool(request.ids) is request.all:
            raise invalid([Violation("ids", "say which, or all: true; one of both")])
        if request.stream and not request.all:
            raise invalid([Violation("stream", "goes with all: true; numbers say enough")])
        link = await self._desk.link(request.link, request.tenant)
        spec = self._desk.blueprints.of(link.row)
        known = [stream.name for stream in spec.streams]
        if request.stream and request.stream not in known:
            raise not_found("stream", request.stream, known)
        who, ids = access.caller().token, sorted(set(request.ids))
        named = {(await self._desk.admin.get_parked(one)).row.stream for one in ids if closed(spec)}
        refuse_closed(spec, {request.stream} if request.stream else named)
        count = await self._desk.admin.import_staged(link.row.id, request.stream, ids, who, closed(spec))
        self._desk.engine.wake(link.row.id)
        await self._desk.audit(
            "documents.import", link.row.id, link.row.tenant, count=count, ids=ids[:NAMED_MAX]
        )
        return pb.ImportDocumentsResponse(count=count)
