"""The Settings service. Rules are taken only as a whole and only where they are sound, fit both accounts, and leave the link
what it is; what they mean for records that were settled before is worked out before anything is changed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.core import settings as rules
from actors.core.settings import Changes, Kept
from actors.core.types import Mode
from actors.rehearsing import Rules
from daemon import blueprints as builtin
from daemon import blueprints_yaml
from daemon.api import convert
from daemon.api import rules as requests
from daemon.api.desk import Desk
from daemon.api.runs import ask_for
from daemon.api.versions import Texts, Versions, mappings
from daemon.store.rows import LinkInfo, VersionRow
from tandem.v1 import runs_pb2, settings_pb2_grpc
from tandem.v1 import settings_pb2 as pb


class Settings(settings_pb2_grpc.SettingsServicer):
    """See proto/tandem/v1/settings.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._versions = Versions(desk)

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
        texts = Texts(blueprint, settings, rules.chosen(info.row.settings))
        return await self._change(info, was, texts, request.note, check=request.check)

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
        chosen = old.chosen if old.chosen is not None else rules.chosen(info.row.settings)
        return await self._change(info, kept.version, Texts(old.blueprint, old.settings, chosen), note)

    async def _holds(self, info: LinkInfo) -> VersionRow:
        """The version that holds now."""
        kept = rules.load(info.row.settings)
        chosen = rules.chosen(info.row.settings)
        if kept.version > 1:
            row = await self._desk.admin.get_version(info.row.id, kept.version)
            return msgspec.structs.replace(row, chosen=chosen)
        return VersionRow(1, info.row.blueprint, kept.rules, "", info.created, "as created", chosen)

    async def RehearseSettings(self, request: pb.RehearseSettingsRequest, context: Any) -> runs_pb2.Run:
        info = await self._desk.link(request.link, request.tenant)
        kept = rules.load(info.row.settings)
        blueprint = request.blueprint if request.HasField("blueprint") else info.row.blueprint
        settings = request.settings if request.HasField("settings") else kept.rules
        chosen = rules.chosen(info.row.settings)
        found = await self._versions.check(info, Texts(blueprint, settings, chosen))
        new, changes = found.new, found.changes
        remapped = {**kept.remapped, **dict.fromkeys(changes.reread, self._desk.clock.now())}
        then = Kept(settings, kept.version + 1, mappings(kept, found.old, new), remapped)
        subject = Rules(blueprint, {**chosen, **rules.dump(then)})
        # Streams that are new have no records that are bound; all others are rehearsed where none is to be read again.
        streams = changes.reread or tuple(one.name for one in new.streams if one.name not in changes.added)
        text = msgspec.json.encode(subject).decode()
        run = await ask_for(self._desk, info, Mode.REHEARSE, streams, text)
        return convert.run(run.row)

    async def _change(
        self, info: LinkInfo, was: int, texts: Texts, note: str, *, check: bool = False
    ) -> pb.LinkSettings:
        version, changes = await self._versions.change(info, was, texts, note, check=check)
        if not check:
            await self._desk.audit(
                "settings.change",
                info.row.id,
                info.row.tenant,
                version=version.version,
                note=note,
                **{name: value for name, value in msgspec.to_builtins(changes).items() if value},
            )
        return _whole(info, version, changes)


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
    if row.chosen is not None:
        message.chosen.CopyFrom(convert.struct(row.chosen))
    message.effective = blueprints_yaml.effective(row.blueprint, row.settings)
    return message
