"""The Webhooks service: the address to register at a system, for each object, and when each was last called."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from actors.core.blueprint.compiler import BlueprintError
from actors.core.types import SIDES, Side
from actors.ports import LinkRow, Webhook
from daemon.api import access, convert
from daemon.api.access import Role
from daemon.api.desk import Desk
from daemon.api.errors import not_found, precondition
from daemon.store.rows import CallsRow, ConnectionInfo, Missing, WebhookRow
from daemon.webhooks import PATH
from daemon.wiring import webhook_of
from tandem.v1 import webhooks_pb2 as pb
from tandem.v1 import webhooks_pb2_grpc

PATH_BYTES: Final = 32
SECRET_BYTES: Final = 32


class Webhooks(webhooks_pb2_grpc.WebhooksServicer):
    """See proto/tandem/v1/webhooks.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateWebhook(self, request: pb.CreateWebhookRequest, context: Any) -> pb.Webhook:
        info, declared = await self._calling(request.connection, request.tenant)
        secret = request.secret or secrets.token_urlsafe(SECRET_BYTES)
        row = await self._desk.admin.put_webhook(info.id, secrets.token_urlsafe(PATH_BYTES), secret)
        await self._desk.audit("webhook.create", info.id, info.tenant)
        message = await self._message(info, declared, row)
        if declared.signature != "none":
            message.secret = row.secret
        return message

    async def GetWebhook(self, request: pb.GetWebhookRequest, context: Any) -> pb.Webhook:
        info, declared = await self._calling(request.connection, request.tenant)
        try:
            row = await self._desk.admin.get_webhook(info.id)
        except Missing:
            error = not_found("webhook of connection", info.name)
            error.hint = f"make one: tandemctl webhooks create {info.name}"
            raise error from None
        return await self._message(info, declared, row)

    async def DeleteWebhook(self, request: pb.DeleteWebhookRequest, context: Any) -> pb.DeleteWebhookResponse:
        info = await self._desk.connection(request.connection, request.tenant)
        await self._desk.admin.delete_webhook(info.id)
        await self._desk.audit("webhook.delete", info.id, info.tenant)
        return pb.DeleteWebhookResponse()

    async def _calling(self, connection: str, tenant: str) -> tuple[ConnectionInfo, Webhook]:
        """The connection, if its kind of system calls at all, and how."""
        info = await self._desk.connection(connection, tenant)
        declared = webhook_of(info.connector, info.settings)
        if declared is None:
            said = f"{info.connector} calls nobody"
            raise precondition("NO_WEBHOOK", said, "its changes are found by polls; nothing is missing")
        return info, declared

    async def _message(self, info: ConnectionInfo, declared: Webhook, row: WebhookRow) -> pb.Webhook:
        calls = {one.object: one for one in await self._desk.admin.webhook_calls(info.id)}
        uses = list(self._uses(await self._desk.store.links_of(info.id), info.id))
        objects = sorted({object_name for object_name, _ in uses})
        return pb.Webhook(
            connection=info.id,
            signature=declared.signature,
            carried_in=declared.header or declared.parameter,
            events=declared.events,
            addresses=[
                _address(self._url(row, name), name, calls.get(name), [use for at, use in uses if at == name])
                for name in (*objects, "")
            ],
            created=convert.stamp(row.rotated),
        )

    def _url(self, row: WebhookRow, object_name: str) -> str:
        """The address, which is a secret: "" for whoever may only look."""
        if access.caller().role < Role.ADMIN:
            return ""
        whole = f"{self._desk.public_url()}{PATH}/{row.path}"
        return f"{whole}/{quote(object_name, safe='')}" if object_name else whole

    def _uses(self, links: Sequence[LinkRow], connection: str) -> Iterator[tuple[str, pb.WebhookUse]]:
        for link in links:
            try:
                spec = self._desk.blueprints.of(link)
            except BlueprintError:
                continue
            for side in _sides_of(link, connection):
                for stream in spec.streams:
                    events = stream.triggers.get(side)
                    use = pb.WebhookUse(
                        link=link.name,
                        stream=stream.name,
                        side=convert.side(side),
                        events=events or (),
                        active=events is None or bool(events),
                    )
                    for name in stream.objects_on(side):
                        yield name, use


def _sides_of(link: LinkRow, connection: str) -> list[Side]:
    places = (link.a_connection, link.b_connection)
    return [side for side, one in zip(SIDES, places, strict=True) if one == connection]


def _address(
    url: str, object_name: str, calls: CallsRow | None, uses: Sequence[pb.WebhookUse]
) -> pb.WebhookAddress:
    message = pb.WebhookAddress(object=object_name, url=url, uses=uses)
    if calls is not None:
        message.accepted, message.ignored, message.refused = calls.accepted, calls.ignored, calls.refused
        message.last_trouble = calls.last_trouble
        for field, at in (("last_called", calls.last_called), ("last_accepted", calls.last_accepted)):
            if (stamp := convert.stamp(at)) is not None:
                getattr(message, field).CopyFrom(stamp)
    return message
