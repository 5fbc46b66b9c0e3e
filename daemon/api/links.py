"""The Links service. A link is created only where its blueprint is sound and fits both accounts, and no other link keeps
the same records of the same two accounts in step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from actors.core.blueprint import BlueprintError
from actors.core.policy import LinkSpec
from actors.core.types import SIDES, Side
from actors.ports import LinkRow, ObjectInfo
from daemon.api import access, convert, fitting, rules
from daemon.api.desk import Desk
from daemon.api.errors import ApiError, Violation, exists, invalid, precondition
from daemon.health import LinkView, Watcher
from daemon.store.rows import ConnectionInfo, LinkInfo
from tandem.v1 import links_pb2 as pb
from tandem.v1 import links_pb2_grpc

Pair = Mapping[Side, ConnectionInfo]


class Links(links_pb2_grpc.LinksServicer):
    """See proto/tandem/v1/links.proto."""

    def __init__(self, desk: Desk, watcher: Watcher) -> None:
        self._desk = desk
        self._watcher = watcher
        self._creating = anyio.Lock()

    async def CreateLink(self, request: pb.CreateLinkRequest, context: Any) -> pb.Link:
        tenant = await self._desk.one_tenant(request.tenant)
        spec = self._loaded(request.blueprint)
        pair: Pair = {
            "a": await self._desk.connection(request.a, tenant),
            "b": await self._desk.connection(request.b, tenant),
        }
        _refuse_other_kinds(spec, pair)
        _refuse_one_account(pair)
        await self._refuse_misfit(spec, pair)
        async with self._creating:
            await self._refuse_twice(spec, pair)
            wish = "paused" if request.paused else "run"
            info = await self._desk.admin.create_link(
                tenant, request.name, pair["a"].id, pair["b"].id, request.blueprint, wish=wish
            )
        self._desk.name_link(info, [stream.name for stream in spec.streams])
        self._desk.engine.wake(info.row.id)
        await self._desk.audit(
            "link.create", info.row.id, tenant, name=request.name, a=pair["a"].id, b=pair["b"].id
        )
        return await self._shown(info)

    def _loaded(self, text: str) -> LinkSpec:
        try:
            return self._desk.blueprints.load(text)
        except BlueprintError as error:
            faults = [
                Violation(f"blueprint:{one.line}", _said(one.path, one.message)) for one in error.faults
            ]
            said = f"the blueprint can't be used ({len(faults)} found): {error.faults[0]}"
            raise invalid(faults, said) from error

    async def refuse_unfit(self, spec: LinkSpec, row: LinkRow) -> None:
        """Refuse other rules for a link that stands: they don't fit its accounts, or another link has those records."""
        pair: Pair = {
            "a": await self._desk.admin.get_connection(row.a_connection),
            "b": await self._desk.admin.get_connection(row.b_connection),
        }
        await self._refuse_misfit(spec, pair)
        await self._refuse_twice(spec, pair, but=row.id)

    async def _refuse_misfit(self, spec: LinkSpec, pair: Pair) -> None:
        offers = {side: await self._offer(pair[side]) for side in SIDES}
        lacks = fitting.missing(spec, offers, {side: pair[side].name for side in SIDES})
        if lacks:
            said = "; ".join(one.message for one in lacks[:3])
            hint = "correct the blueprint or the systems; tandemctl connections describe-objects shows what there is"
            raise precondition("BLUEPRINT_DOES_NOT_FIT", f"the blueprint does not fit: {said}", hint, lacks)

    async def _offer(self, connection: ConnectionInfo) -> Sequence[ObjectInfo]:
        found: Sequence[ObjectInfo] = await self._desk.engine.call(connection.id, "describe")
        return found

    async def _refuse_twice(self, spec: LinkSpec, pair: Pair, but: str = "") -> None:
        for other in await self._desk.names.links_between(pair["a"], pair["b"]):
            if other.row.id == but:
                continue
            try:
                theirs = self._desk.blueprints.of(other.row)
            except BlueprintError:
                continue
            place = await self._desk.admin.get_connection(other.row.a_connection)
            mirrored = (place.connector, place.identity) != (pair["a"].connector, pair["a"].identity)
            objects = fitting.overlap(spec, theirs, mirrored)
            if objects is not None:
                raise _linked_already(other, objects)

    async def GetLink(self, request: pb.GetLinkRequest, context: Any) -> pb.Link:
        return await self._shown(await self._desk.link(request.link, request.tenant))

    async def ListLinks(self, request: pb.ListLinksRequest, context: Any) -> pb.ListLinksResponse:
        tenant = self._desk.visible(request.tenant)
        found = await self._desk.admin.list_links(tenant, rules.page_size(request), request.page_token)
        stats = {one.link: one for one in await self._desk.admin.stats()} if found.rows else {}
        views = [self._watcher.view(info, stats.get(info.row.id)) for info in found.rows]
        return pb.ListLinksResponse(
            links=[self._message(view, bindings=0, blueprint=False) for view in views],
            next_page_token=found.next_page,
        )

    async def PauseLink(self, request: pb.PauseLinkRequest, context: Any) -> pb.Link:
        return await self._wish(request, "paused", "link.pause")

    async def ResumeLink(self, request: pb.ResumeLinkRequest, context: Any) -> pb.Link:
        return await self._wish(request, "run", "link.resume")

    async def _wish(
        self, request: pb.PauseLinkRequest | pb.ResumeLinkRequest, wish: str, action: str
    ) -> pb.Link:
        info = await self._desk.link(request.link, request.tenant)
        if info.row.facts.get("wish") != wish:
            info = await self._desk.admin.set_wish(info.row.id, wish)
            await self._desk.audit(action, info.row.id, info.row.tenant)
        self._desk.engine.wake(info.row.id)
        return await self._shown(info)

    async def DeleteLink(self, request: pb.DeleteLinkRequest, context: Any) -> pb.DeleteLinkResponse:
        info = await self._desk.link(request.link, request.tenant)
        await self._desk.admin.delete_link(info.row.id)
        self._desk.engine.wake(info.row.id)
        self._desk.telemetry.forget(info.row.id)
        await self._desk.audit("link.delete", info.row.id, info.row.tenant, name=info.row.name)
        return pb.DeleteLinkResponse()

    # ------------------------------------------------------------------------------------------------ showing

    async def _shown(self, info: LinkInfo) -> pb.Link:
        stats = await self._desk.admin.stats(info.row.id)
        view = self._watcher.view(info, stats[0] if stats else None)
        message = self._message(view, await self._desk.admin.count_settled(info.row.id), blueprint=True)
        if view.spec is not None and view.spec.schedules:
            new = await self._desk.admin.count_new(info.row.id)
            message.deliveries.extend(convert.deliveries(view, new, self._desk.clock.now()))
        return message

    def _message(self, view: LinkView, bindings: int, blueprint: bool) -> pb.Link:
        row, stats = view.info.row, view.stats
        names = [stream.name for stream in view.spec.streams] if view.spec is not None else []
        rooms = [
            pb.RoomCount(room=one.room, count=one.count, oldest=convert.stamp(one.oldest))
            for one in (stats.rooms if stats is not None else ())
        ]
        looks = [convert.look(name, side, *view.looked(name, side)) for name in names for side in SIDES]
        return pb.Link(
            id=row.id,
            tenant=row.tenant,
            name=row.name,
            a=row.a_connection,
            b=row.b_connection,
            state=view.state.value,
            reasons=[f"{name}: {reason.text}" for name, reason in sorted(view.facts.reasons.items())],
            loaded=bool(names) and set(names) <= set(view.facts.loaded),
            run=(stats.running if stats is not None else "") or self._desk.engine.running().get(row.id, ""),
            freshness_s=view.freshness_s,
            looks=looks,
            rooms=rooms,
            bindings=bindings,
            blueprint=row.blueprint if blueprint else "",
            created=convert.stamp(view.info.created),
        )


def _said(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message


def _refuse_other_kinds(spec: LinkSpec, pair: Pair) -> None:
    wanted = {"a": spec.a_connector, "b": spec.b_connector}
    faults = [
        Violation(
            side,
            f"connection {pair[side].name} is of {pair[side].connector}, the blueprint wants {wanted[side]}",
        )
        for side in SIDES
        if pair[side].connector != wanted[side]
    ]
    if faults:
        said = "; ".join(one.message for one in faults)
        raise precondition("OTHER_CONNECTOR", said, "choose other connections, or another blueprint", faults)


def _refuse_one_account(pair: Pair) -> None:
    a, b = pair["a"], pair["b"]
    if a.id == b.id or (a.connector, a.identity) == (b.connector, b.identity):
        raise precondition(
            "ONE_ACCOUNT",
            f"connections {a.name} and {b.name} are the same account ({a.identity})",
            "link two different accounts; within one, every write would be the other side's change",
        )


def _linked_already(other: LinkInfo, objects: tuple[str, str]) -> ApiError:
    seen = access.caller().sees(other.row.tenant)
    name = other.row.name if seen else "of another tenant"
    return exists(
        "link",
        name,
        f"link {name} keeps {objects[0]} and {objects[1]} of these two accounts in step already",
        "use that link, or leave these objects out of the blueprint",
        objects=f"{objects[0]}, {objects[1]}",
    )
