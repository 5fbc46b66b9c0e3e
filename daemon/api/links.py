"""The Links service. A link is created only where its blueprint is sound and fits both accounts, and no other link keeps
the same records of the same two accounts in step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.core import lifecycle, preflight
from actors.core import settings as link_settings
from actors.core.blueprint.compiler import BlueprintError
from actors.core.lifecycle import Establishment, NoStep, Step
from actors.core.policy import LinkSpec
from actors.core.preflight import Obstacle
from actors.core.types import SIDES, Mode
from actors.messages import CHANGED
from daemon import blueprints as builtin
from daemon.api import convert, rules
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid, precondition
from daemon.api.founding import Founder, chosen, loaded, obstructed
from daemon.api.preflight import Pair, Preflight
from daemon.api.proofs import logged_in
from daemon.api.runs import ask_for
from daemon.api.versions import Texts, Versions, held
from daemon.health import LinkView, Watcher
from daemon.store.rows import ConnectionInfo, LinkInfo
from tandem.v1 import links_pb2 as pb
from tandem.v1 import links_pb2_grpc, runs_pb2


class Links(links_pb2_grpc.LinksServicer):
    """See proto/tandem/v1/links.proto."""

    def __init__(self, desk: Desk, watcher: Watcher) -> None:
        self._desk = desk
        self._watcher = watcher
        self._versions = Versions(desk)

    async def CreateLink(self, request: pb.CreateLinkRequest, context: Any) -> pb.Link:
        tenant = await self._desk.one_tenant(request.tenant)
        text = builtin.given(request.blueprint)
        spec = loaded(self._desk.blueprints, text)
        pair: Pair = {
            "a": await self._desk.connection(request.a, tenant),
            "b": await self._desk.connection(request.b, tenant),
        }
        if spec.setup.handshake:
            raise precondition(
                "HANDSHAKE",
                f"links of blueprint {spec.name} come about by consent: one side proposes, the other confirms",
                "tandemctl proposals create",
            )
        settings = convert.settings_of(request.settings)
        founder = Founder(self._desk, spec, pair, request.name, text=text, settings=settings)
        await founder.fits()
        await founder.allowed()
        await founder.preflight()
        wish = "paused" if request.paused else "run"
        new, _ = await founder.founding(tenant, wish=wish)
        id_ = await self._desk.life.found(new, founder.check)
        info = await self._desk.admin.get_link(id_)
        self._desk.name_link(info, [stream.name for stream in spec.streams])
        self._desk.engine.wake(info.row.id)
        await self._desk.audit(
            "link.create", info.row.id, tenant, name=request.name, a=pair["a"].id, b=pair["b"].id
        )
        return await self._shown(info)

    async def GetLink(self, request: pb.GetLinkRequest, context: Any) -> pb.Link:
        return await self._shown(await self._desk.link(request.link, request.tenant))

    async def ListLinks(self, request: pb.ListLinksRequest, context: Any) -> pb.ListLinksResponse:
        tenant = self._desk.visible(request.tenant)
        found = await self._desk.admin.list_links(tenant, rules.page_size(request), request.page_token)
        stats = {one.link: one for one in await self._desk.admin.stats()} if found.rows else {}
        views = [self._watcher.view(info, stats.get(info.row.id)) for info in found.rows]
        ids = [_connection(info, side) for info in found.rows for side in SIDES]
        known = await self._desk.life.connections(ids)
        return pb.ListLinksResponse(
            links=[self._message(view, known, bindings=0, blueprint=False) for view in views],
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

    # ---------------------------------------------------------------------------------------- how a link stands

    async def ListPreparations(
        self, request: pb.ListPreparationsRequest, context: Any
    ) -> pb.ListPreparationsResponse:
        info = await self._desk.link(request.link, request.tenant)
        found = await (await self._look(info)).preparations(link_settings.chosen(info.row.settings))
        return pb.ListPreparationsResponse(preparations=map(convert.obstacle, found))

    async def PrepareLink(self, request: pb.PrepareLinkRequest, context: Any) -> pb.Link:
        info = await self._desk.link(request.link, request.tenant)
        settings = convert.settings_of(request.settings)
        if not settings:
            raise invalid([Violation("settings", "is required: the settings to choose")])
        await self._choose(info, chosen(self._spec(info), settings))
        return await self._shown(await self._desk.admin.get_link(info.row.id))

    async def _choose(self, info: LinkInfo, values: Mapping[str, Any]) -> None:
        """A version of the rules like any other; what is chosen already makes none."""
        row, now = info.row, held(info.row)
        if all(name in now.chosen and now.chosen[name] == value for name, value in values.items()):
            return
        was = link_settings.load(row.settings).version
        names = sorted(values)
        texts = Texts(now.blueprint, now.settings, {**now.chosen, **values})
        version, _ = await self._versions.change(info, was, texts, f"chosen: {', '.join(names)}")
        await self._desk.audit("link.prepare", row.id, row.tenant, settings=names, version=version.version)

    async def ActivateLink(self, request: pb.ActivateLinkRequest, context: Any) -> pb.Link:
        info = await self._desk.link(request.link, request.tenant)
        before, after = self._step(info, Step.ACTIVATE)
        if before is not after:
            await self._logged_in(info)
            look = await self._look(info)
            _refuse_unprepared(
                await look.preparations(link_settings.chosen(info.row.settings)), request.go_on, info.row.name
            )
            await self._establish(info, before, after, await look.rests_on(), "link.activate")
        return await self._shown(await self._desk.admin.get_link(info.row.id))

    async def DeactivateLink(self, request: pb.DeactivateLinkRequest, context: Any) -> pb.Link:
        info = await self._desk.link(request.link, request.tenant)
        before, after = self._step(info, Step.DEACTIVATE)
        if before is not after:
            await self._establish(info, before, after, info.row.rests_on, "link.deactivate")
        return await self._shown(await self._desk.admin.get_link(info.row.id))

    async def ReviewLink(self, request: pb.ReviewLinkRequest, context: Any) -> pb.Link:
        info = await self._desk.link(request.link, request.tenant)
        look = await self._look(info)
        _refuse_unprepared(
            await look.preparations(link_settings.chosen(info.row.settings)), True, info.row.name
        )
        rests_on = await look.rests_on()
        await self._desk.life.reviewed(info.row.id, rests_on)
        await self._desk.admin.poke_link(info.row.id)
        self._desk.engine.wake(info.row.id, CHANGED)
        await self._desk.audit("link.review", info.row.id, info.row.tenant, rests_on=sorted(rests_on))
        return await self._shown(await self._desk.admin.get_link(info.row.id))

    def _refuse_undoing(self, info: LinkInfo) -> None:
        """W8: what can't be undone is not deleted either. A blueprint that can't be read any more protects nothing."""
        try:
            irreversible = self._desk.blueprints.of(info.row).setup.irreversible
        except BlueprintError:
            return
        if irreversible and lifecycle.load(info.row.facts).establishment is not Establishment.CONFIRMED:
            raise precondition(
                "IRREVERSIBLE",
                f"link {info.row.name} is established, and its rules say that this can't be undone",
                f"tandemctl links pause {info.row.name} holds it without undoing anything",
                link=info.row.name,
            )

    async def VerifyLink(self, request: pb.VerifyLinkRequest, context: Any) -> runs_pb2.Run:
        info = await self._desk.link(request.link, request.tenant)
        run = await ask_for(self._desk, info, Mode.VERIFY, request.streams)
        return convert.run(run.row)

    async def _look(self, info: LinkInfo) -> Preflight:
        return Preflight(self._desk, self._spec(info), await self._pair(info))

    async def _pair(self, info: LinkInfo) -> Pair:
        return {side: await self._desk.admin.get_connection(_connection(info, side)) for side in SIDES}

    def _spec(self, info: LinkInfo) -> LinkSpec:
        """The rules of a link; while a setting that they need is missing, as they stand without it."""
        try:
            return self._desk.blueprints.of(info.row)
        except BlueprintError:
            return loaded(self._desk.blueprints, info.row.blueprint)

    def _step(self, info: LinkInfo, step: Step) -> tuple[Establishment, Establishment]:
        before = lifecycle.load(info.row.facts).establishment
        try:
            return before, lifecycle.stepped(before, step, irreversible=self._spec(info).setup.irreversible)
        except NoStep as error:
            raise precondition(
                "NO_STEP",
                f"link {info.row.name}: {error}",
                f"tandemctl links pause {info.row.name} holds it without undoing anything",
                link=info.row.name,
            ) from error

    async def _logged_in(self, info: LinkInfo) -> None:
        """Afresh, whatever session is open: a password that was changed is found now."""
        for side in SIDES:
            row = await self._desk.store.connection(_connection(info, side))
            if row is not None:
                await logged_in(self._desk, row.connector, row.settings)

    async def _establish(
        self,
        info: LinkInfo,
        before: Establishment,
        after: Establishment,
        rests_on: Mapping[str, str],
        action: str,
    ) -> None:
        if not await self._desk.life.establish(info.row.id, before, after, rests_on):
            raise precondition("MOVED_ON", f"link {info.row.name} has changed meanwhile", "look at it again")
        self._desk.engine.wake(info.row.id, CHANGED)
        await self._desk.audit(action, info.row.id, info.row.tenant, before=before.value)

    async def DeleteLink(self, request: pb.DeleteLinkRequest, context: Any) -> pb.DeleteLinkResponse:
        info = await self._desk.link(request.link, request.tenant)
        self._refuse_undoing(info)
        await self._desk.admin.delete_link(info.row.id)
        self._desk.engine.wake(info.row.id)
        self._desk.telemetry.forget(info.row.id)
        await self._desk.audit("link.delete", info.row.id, info.row.tenant, name=info.row.name)
        return pb.DeleteLinkResponse()

    # ------------------------------------------------------------------------------------------------ showing

    async def _shown(self, info: LinkInfo) -> pb.Link:
        stats = await self._desk.admin.stats(info.row.id)
        view = self._watcher.view(info, stats[0] if stats else None)
        known = await self._desk.life.connections([_connection(info, side) for side in SIDES])
        count = await self._desk.admin.count_settled(info.row.id)
        message = self._message(view, known, bindings=count, blueprint=True)
        if view.spec is not None and view.spec.schedules:
            new = await self._desk.admin.count_new(info.row.id)
            message.deliveries.extend(convert.deliveries(view, new, self._desk.clock.now()))
        return message

    def _message(
        self, view: LinkView, known: Mapping[str, ConnectionInfo], *, bindings: int, blueprint: bool
    ) -> pb.Link:
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
            a_account=convert.account(known[row.a_connection]) if row.a_connection in known else None,
            b_account=convert.account(known[row.b_connection]) if row.b_connection in known else None,
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
            partner=row.partner,
            establishment=view.facts.establishment.value,
            kind=row.kind,
            a_role=row.roles.get("a", ""),
            b_role=row.roles.get("b", ""),
            irreversible=view.spec is not None and view.spec.setup.irreversible,
            settings=convert.struct(link_settings.chosen(row.settings)),
        )


def _connection(info: LinkInfo, side: str) -> str:
    return info.row.a_connection if side == "a" else info.row.b_connection


def _refuse_unprepared(found: Sequence[Obstacle], go_on: bool, name: str) -> None:
    missing = preflight.refusing(found)
    if missing:
        raise obstructed("BEING_SET_UP", f"link {name} can't be active yet", missing)
    warnings = preflight.warning(found)
    if warnings and not go_on:
        error = obstructed("WARNINGS", f"before link {name} is active", warnings)
        error.hint = f"mend it, or go on as it is: tandemctl links activate {name} --go-on"
        raise error
