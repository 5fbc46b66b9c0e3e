"""The Settings service. Rules are taken only as a whole and only where they are sound, fit both accounts, and leave the link
what it is; what they mean for records that were settled before is worked out before anything is changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.core import settings as rules
from actors.core.blueprint import BlueprintError
from actors.core.policy import LinkSpec
from actors.core.settings import Changes, Kept, Mappings
from actors.core.types import SIDES, Mode, Side
from actors.ports import LinkRow, Webhook
from actors.rehearsing import Rules
from daemon import blueprints as builtin
from daemon import blueprints_yaml
from daemon.api import access, convert, fitting
from daemon.api import rules as requests
from daemon.api.desk import Desk
from daemon.api.errors import Violation, invalid
from daemon.api.founding import Founder
from daemon.api.preflight import Pair
from daemon.api.runs import ask_for
from daemon.store.rows import LinkInfo, VersionRow
from daemon.wiring import webhook_of
from tandem.v1 import runs_pb2, settings_pb2_grpc
from tandem.v1 import settings_pb2 as pb


class Settings(settings_pb2_grpc.SettingsServicer):
    """See proto/tandem/v1/settings.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def GetSettings(self, request: pb.GetSettingsRequest, context: Any) -> pb.LinkSettings:
        info = await self._desk.link(request.link, request.tenant)
        if request.version and request.version != rules.load(info.row.settings).version:
            return _whole(info, await self._desk.admin.get_version(info.row.id, request.version))
        return _whole(info, await self._holds(info))

    async def ChangeSettings(self, request: pb.ChangeSettingsRequest, context: Any) -> pb.LinkSettings:
        info = await self._desk.link(request.link, request.tenant)
        kept = rules.load(info.row.settings)
        given = request.blueprint if request.HasField("blueprint") else info.row.blueprint
        blueprint = builtin.given(given)
        settings = request.settings if request.HasField("settings") else kept.rules
        was = request.version or kept.version
        return await self._change(info, was, blueprint, settings, request.note, request.check)

    async def ListSettingsVersions(
        self, request: pb.ListSettingsVersionsRequest, context: Any
    ) -> pb.ListSettingsVersionsResponse:
        info = await self._desk.link(request.link, request.tenant)
        size = requests.page_size(request)
        found = await self._desk.admin.list_versions(info.row.id, size, request.page_token)
        rows = found.rows or ((await self._holds(info),) if not request.page_token else ())
        return pb.ListSettingsVersionsResponse(
            versions=[_message(info, row) for row in rows], next_page_token=found.next_page
        )

    async def RevertSettings(self, request: pb.RevertSettingsRequest, context: Any) -> pb.LinkSettings:
        info = await self._desk.link(request.link, request.tenant)
        kept = rules.load(info.row.settings)
        if request.version == kept.version:
            return _whole(info, await self._holds(info))
        old = await self._desk.admin.get_version(info.row.id, request.version)
        note = f"back to version {old.version}"
        return await self._change(info, kept.version, old.blueprint, old.settings, note, check=False)

    async def _holds(self, info: LinkInfo) -> VersionRow:
        """The version that holds now."""
        kept = rules.load(info.row.settings)
        if kept.version > 1:
            return await self._desk.admin.get_version(info.row.id, kept.version)
        return VersionRow(1, info.row.blueprint, kept.rules, "", info.created, "as created")

    async def _webhook(self, row: LinkRow, side: Side) -> Webhook | None:
        """How the system of a side calls."""
        found = await self._desk.store.connection(row.a_connection if side == "a" else row.b_connection)
        return None if found is None else webhook_of(found.connector, found.settings)

    async def RehearseSettings(self, request: pb.RehearseSettingsRequest, context: Any) -> runs_pb2.Run:
        info = await self._desk.link(request.link, request.tenant)
        kept = rules.load(info.row.settings)
        blueprint = request.blueprint if request.HasField("blueprint") else info.row.blueprint
        settings = request.settings if request.HasField("settings") else kept.rules
        old, new, changes = await self._checked(info, blueprint, settings)
        remapped = {**kept.remapped, **dict.fromkeys(changes.reread, self._desk.clock.now())}
        then = Kept(settings, kept.version + 1, _mappings(kept, old, new), remapped)
        subject = Rules(blueprint, {**rules.chosen(info.row.settings), **rules.dump(then)})
        # Streams that are new have no records that are bound; all others are rehearsed where none is to be read again.
        streams = changes.reread or tuple(one.name for one in new.streams if one.name not in changes.added)
        text = msgspec.json.encode(subject).decode()
        run = await ask_for(self._desk, info, Mode.REHEARSE, streams, text)
        return convert.run(run.row)

    async def _checked(
        self, info: LinkInfo, blueprint: str, settings: str
    ) -> tuple[LinkSpec | None, LinkSpec, Changes]:
        """The rules that hold, those that are to hold, and what is otherwise under them; refused where they can't hold."""
        new = _loaded(blueprint, settings, rules.chosen(info.row.settings))
        old = self._known(info)
        changes = Changes() if old is None else rules.changes(old, new)
        if old is not None and (faults := rules.impossible(old, new)):
            raise invalid([Violation(one.path, one.message) for one in faults], str(faults[0]))
        calls = {side: await self._webhook(info.row, side) for side in SIDES}
        if strange := fitting.strange_events(new, calls):
            raise invalid(strange, f"the rules can't be used: {strange[0].field}: {strange[0].message}")
        if old is None or changes.reread or changes.added:
            await self._refuse_unfit(new, info.row)
        return old, new, changes

    async def _change(
        self, info: LinkInfo, was: int, blueprint: str, settings: str, note: str, check: bool
    ) -> pb.LinkSettings:
        row = info.row
        old, new, changes = await self._checked(info, blueprint, settings)
        version = VersionRow(
            was + 1, blueprint, settings, access.caller().token, self._desk.clock.now(), note
        )
        shown = _whole(info, version, changes)
        if check:
            return shown
        known = _mappings(rules.load(row.settings), old, new)
        await self._desk.admin.change_rules(row.id, was, version, known, changes)
        self._desk.name_link(info, [stream.name for stream in new.streams])
        self._desk.engine.wake(row.id)
        await self._desk.audit(
            "settings.change",
            row.id,
            row.tenant,
            version=version.version,
            note=note,
            **{name: value for name, value in msgspec.to_builtins(changes).items() if value},
        )
        return shown

    async def _refuse_unfit(self, spec: LinkSpec, row: LinkRow) -> None:
        """Rules that don't fit the accounts of this link, or take records that another link has."""
        pair: Pair = {
            "a": await self._desk.admin.get_connection(row.a_connection),
            "b": await self._desk.admin.get_connection(row.b_connection),
        }
        await Founder(self._desk, spec, pair, row.name, link=row.id).still_fits()

    def _known(self, info: LinkInfo) -> LinkSpec | None:
        """The rules that hold; None where this version of the daemon can't use them, and anything is better."""
        try:
            return self._desk.blueprints.of(info.row)
        except BlueprintError:
            return None


def _mappings(kept: Kept, old: LinkSpec | None, new: LinkSpec) -> Mappings:
    """Every mapping under which records of the link were settled, and the new one."""
    known: Mappings = kept.mappings
    for spec in (old, new):
        known = rules.remember(known, spec) if spec is not None else known
    return known


def _loaded(blueprint: str, settings: str, chosen: Mapping[str, Any]) -> LinkSpec:
    """The rules with what the link has chosen in its places, as those that hold are read; without it, while something that
    they need is still to be chosen."""
    try:
        with contextlib.suppress(BlueprintError):
            return blueprints_yaml.load(blueprint, settings, chosen)
        return blueprints_yaml.load(blueprint, settings)
    except BlueprintError as error:
        faults = [
            Violation(
                f"{one.text or 'blueprint'}:{one.line}", f"{one.path}: {one.message}".removeprefix(": ")
            )
            for one in error.faults
        ]
        said = f"the rules can't be used ({len(faults)} found): {error.faults[0]}"
        raise invalid(faults, said) from error


def _message(info: LinkInfo, row: VersionRow, changes: Changes | None = None) -> pb.LinkSettings:
    found = changes or Changes()
    return pb.LinkSettings(
        link=info.row.id,
        version=row.version,
        by=row.by,
        at=convert.stamp(row.at),
        note=row.note,
        reread=found.reread,
        added=found.added,
        removed=found.gone,
        retimed=found.retimed,
    )


def _whole(info: LinkInfo, row: VersionRow, changes: Changes | None = None) -> pb.LinkSettings:
    message = _message(info, row, changes)
    message.settings, message.blueprint = row.settings, row.blueprint
    message.effective = blueprints_yaml.effective(row.blueprint, row.settings)
    return message
