"""The Conflicts and Quarantine services: what waits for a person, and the person's decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.core import ambiguous, effects
from actors.core.rooms import counts_for_nothing
from actors.core.types import Room, other
from actors.core.values import BadValue, canonical
from daemon.api import access, convert, rules
from daemon.api.desk import Desk
from daemon.api.documents import refuse_closed
from daemon.api.errors import Violation, invalid, not_found, precondition
from daemon.store.rows import Listing, Missing, ParkedInfo
from tandem.v1 import rooms_pb2 as pb
from tandem.v1 import rooms_pb2_grpc


class Rooms:
    """What both services share."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(
        self, request: pb.ListConflictsRequest | pb.ListParkedRequest | pb.ListAmbiguousRequest, room: str
    ) -> Listing[ParkedInfo]:
        """A page of one room of a link."""
        link = await self._desk.link(request.link, request.tenant)
        size = rules.page_size(request)
        return await self._desk.admin.list_parked(link.row.id, "", room, size, request.page_token)

    async def entry(self, what: str, id_: int) -> ParkedInfo:
        """An entry, if the caller sees its tenant."""
        try:
            info = await self._desk.admin.get_parked(id_)
        except Missing:
            raise not_found(what, str(id_)) from None
        if not access.caller().sees(info.tenant, info.partner):
            raise not_found(what, str(id_))
        return info

    async def refuse_closed(self, info: ParkedInfo) -> None:
        """A staged record that its link never imports waits for no word."""
        link = await self._desk.store.link(info.link)
        if link is not None:
            refuse_closed(self._desk.blueprints.of(link), {info.row.stream})

    async def decide(
        self, info: ParkedInfo, decision: Mapping[str, Any], action: str, shown: str = ""
    ) -> pb.Parked:
        """Store the decision for what was `shown` ("": what the entry stands on now); the link's owner carries it out."""
        who = access.caller().token
        found = await self._desk.admin.decide(info.row.id, shown or info.row.fingerprint, decision, who)
        self._desk.engine.wake(info.link)
        choose = str(decision["choose"])
        await self._desk.audit(action, str(info.row.id), info.tenant, link=info.link, choose=choose)
        return convert.parked(found.row, found.link)


class Conflicts(rooms_pb2_grpc.ConflictsServicer):
    """See proto/tandem/v1/rooms.proto."""

    def __init__(self, desk: Desk) -> None:
        self._rooms = Rooms(desk)

    async def ListConflicts(self, request: pb.ListConflictsRequest, context: Any) -> pb.ListConflictsResponse:
        found = await self._rooms.page(request, Room.CONFLICT.value)
        return pb.ListConflictsResponse(
            conflicts=[convert.parked(one.row, one.link) for one in found.rows],
            next_page_token=found.next_page,
        )

    async def ResolveConflict(self, request: pb.ResolveConflictRequest, context: Any) -> pb.Parked:
        info = await self._rooms.entry("conflict", request.id)
        if info.row.room is not Room.CONFLICT:
            raise precondition(
                "NO_CONFLICT",
                f"entry {request.id} is in the room {info.row.room.value}, and no conflict",
                f"try the record again: tandemctl quarantine retry-parked {request.id}",
            )
        decision: dict[str, Any] = {"choose": request.choose}
        if request.choose == "value":
            decision["value"] = _value(request, info)
        elif request.HasField("value"):
            raise invalid([Violation("value", "goes with choose: value alone")])
        if (refused := counts_for_nothing(info.row, request.choose)) is not None:
            raise precondition("COUNTS_FOR_NOTHING", *refused, link=info.link)
        return await self._rooms.decide(info, decision, "conflict.resolve", request.fingerprint)


def _value(request: pb.ResolveConflictRequest, info: ParkedInfo) -> Any:
    if not request.HasField("value"):
        raise invalid([Violation("value", "is required where choose is value")])
    if not info.row.field:
        said = "can't be given: the conflict is about the whole record; choose a or b"
        raise invalid([Violation("value", said)])
    try:
        return canonical(convert.value_of(request.value))
    except BadValue as error:
        raise invalid([Violation("value", str(error))]) from error


class Ambiguous(rooms_pb2_grpc.AmbiguousServicer):
    """See proto/tandem/v1/rooms.proto. SPEC row B11."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rooms = Rooms(desk)

    async def ListAmbiguous(self, request: pb.ListAmbiguousRequest, context: Any) -> pb.ListAmbiguousResponse:
        found = await self._rooms.page(request, Room.AMBIGUOUS.value)
        return pb.ListAmbiguousResponse(
            ambiguous=[convert.parked(one.row, one.link) for one in found.rows],
            next_page_token=found.next_page,
        )

    async def DecideAmbiguous(self, request: pb.DecideAmbiguousRequest, context: Any) -> pb.Parked:
        if bool(request.same) is request.different:
            said = "say either which record it is the same as, or different: true; one of both"
            raise invalid([Violation("same", said)])
        info = await self._rooms.entry("entry", request.id)
        if info.row.room is not Room.AMBIGUOUS:
            raise precondition(
                "NOT_AMBIGUOUS",
                f"entry {request.id} is in the room {info.row.room.value}, and not ambiguous",
                f"list those that are: tandemctl ambiguous list {info.link}",
            )
        decision = {"choose": ambiguous.DIFFERENT}
        if request.same:
            await self._refuse_no_partner(info, request.same)
            decision = {"choose": ambiguous.SAME, "record": request.same}
        return await self._rooms.decide(info, decision, "ambiguous.decide", request.fingerprint)

    async def _refuse_no_partner(self, info: ParkedInfo, record: str) -> None:
        """The record named is one of those shown on the other side, and belongs to nobody."""
        row = info.row
        assert row.side is not None
        there = other(row.side)
        known = row.detail[there]
        if record not in known:
            listed = f"{', '.join(known)}" if known else "none: say different, if it is a record of its own"
            said = f"{record!r} is none of those on side {there} that share the key; there is {listed}"
            raise invalid([Violation("same", said)])
        try:
            found = await self._desk.admin.find_binding(info.link, row.stream, there, record, actions=0)
        except Missing:
            return  # it is gone by now: the group is another one, and everybody is listed again
        bound = found.binding.side(row.side)
        if bound is not None:
            raise precondition(
                "BOUND",
                f"{record} on {there} belongs to {bound.id} on {row.side}",
                f"say different, if {row.record} is a record of its own; else merge the two in their system",
                link=info.link,
            )


class Quarantine(rooms_pb2_grpc.QuarantineServicer):
    """See proto/tandem/v1/rooms.proto."""

    def __init__(self, desk: Desk) -> None:
        self._rooms = Rooms(desk)

    async def ListParked(self, request: pb.ListParkedRequest, context: Any) -> pb.ListParkedResponse:
        found = await self._rooms.page(request, request.room or Room.QUARANTINE.value)
        return pb.ListParkedResponse(
            parked=[convert.parked(one.row, one.link) for one in found.rows], next_page_token=found.next_page
        )

    async def RetryParked(self, request: pb.RetryParkedRequest, context: Any) -> pb.Parked:
        info = await self._rooms.entry("entry", request.id)
        if info.row.room is Room.CONFLICT:
            raise precondition(
                "CONFLICT",
                f"entry {request.id} is a conflict: trying again would find it again",
                f"say whose value stays: tandemctl conflicts resolve {request.id} --choose a",
            )
        if info.row.room is Room.STAGED:
            await self._rooms.refuse_closed(info)
        return await self._rooms.decide(info, {"choose": "retry"}, "parked.retry")

    async def DismissParked(self, request: pb.DismissParkedRequest, context: Any) -> pb.Parked:
        info = await self._rooms.entry("entry", request.id)
        if not effects.may_be_dismissed(info.row):
            said = f"entry {request.id} is in the room {info.row.room.value}, and not given up by a word: {info.row.reason}"
            raise precondition(
                "GOES_BY_ITSELF", said, info.row.hint or "mend what is named, and it goes", link=info.link
            )
        return await self._rooms.decide(info, {"choose": effects.DISMISS}, "parked.dismiss")
