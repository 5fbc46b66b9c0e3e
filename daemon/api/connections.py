"""The Connections service: a tenant's access to accounts. What is stored was opened, checked and identified first.

Must not: show a secret, or store settings that were not tried.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from actors.core.errors import Kind, TandemError
from actors.ports import Connector, Declaration, ObjectInfo
from clients.connectors.catalog import CATALOG
from clients.connectors.definition import checked_settings
from clients.connectors.http.kept import InMemory, Keeper, Kept
from clients.connectors.probe import RECORDS, Finding, probe
from clients.connectors.probe_write import probe_writing
from daemon.api import convert, rules
from daemon.api.desk import Desk
from daemon.api.elsewhere import refuse_elsewhere
from daemon.api.errors import Violation, exists, invalid, not_found, precondition
from daemon.store.rows import ConnectionInfo
from tandem.v1 import connections_pb2 as pb
from tandem.v1 import connections_pb2_grpc

CLOSE_TIMEOUT_S = 5.0


class Connections(connections_pb2_grpc.ConnectionsServicer):
    """See proto/tandem/v1/connections.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # Of two creations at once the second sees what the first stored.
        self._creating = anyio.Lock()
        # Tokens that were drawn for connections which were not made in the end.
        self._drawn: OrderedDict[str, Kept] = OrderedDict()

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Any
    ) -> pb.ListConnectorsResponse:
        found = [_declared(name) for name in sorted(CATALOG)]
        return pb.ListConnectorsResponse(
            connectors=[convert.connector(one) for one in found if one is not None]
        )

    async def CreateConnection(self, request: pb.CreateConnectionRequest, context: Any) -> pb.Connection:
        tenant = await self._desk.one_tenant(request.tenant)
        declaration = _known(request.connector)
        settings = _checked(declaration, convert.settings_of(request.settings))
        keeper = InMemory(self._drawn)
        identity = await self._identity(request.connector, settings, keeper)
        async with self._creating:
            await self._refuse_twice(tenant, request.connector, identity, request.name)
            plain, secrets = _parted(declaration, settings)
            new = f"con-{self._desk.clock.token()}"
            kept = self._desk.tokens.sealed(new, keeper.drawn())
            info = await self._desk.admin.create_connection(
                tenant,
                request.name,
                request.connector,
                plain,
                secrets,
                identity,
                id_=new,
                kept=kept,
                own_mark=request.own_mark.strip(),
            )
            keeper.forget()
        await self._desk.admin.set_connection_health(info.id, {"state": "ok"})
        self._desk.telemetry.name_connection(info.id, f"{tenant}/{info.name}")
        await self._desk.audit("connection.create", info.id, tenant, name=info.name, connector=info.connector)
        return _shown(await self._desk.admin.get_connection(info.id))

    async def UpdateConnection(self, request: pb.UpdateConnectionRequest, context: Any) -> pb.Connection:
        info = await self._desk.connection(request.connection, request.tenant)
        declaration = _known(info.connector)
        changes = convert.settings_of(request.settings)
        own_mark = request.own_mark.strip() if request.HasField("own_mark") else None
        if not changes and own_mark is None:
            raise invalid([Violation("settings", "is required: the settings to change, or the own mark")])
        if own_mark is not None and not changes:  # no system's business: nothing is tried
            marked = await self._desk.admin.mark_connection(info.id, own_mark)
            await self._desk.audit("connection.mark", info.id, info.tenant, own_mark=own_mark)
            return _shown(marked)
        before, lost = await self._before(info, declaration, changes)
        settings = _checked(declaration, {**before, **changes})
        refuse_elsewhere(info, before, settings, changes)
        keeper = self._desk.tokens.keeper(info.id)
        identity = await self._identity(info.connector, settings, keeper)
        if info.identity and identity != info.identity:
            raise precondition(
                "OTHER_ACCOUNT",
                f"another account is behind these settings: {identity} instead of {info.identity}",
                "nothing was changed; create a connection of its own for the other account",
                connection=info.name,
            )
        plain, secrets = _parted(declaration, {**dict.fromkeys(changes), **settings})
        changed = await self._desk.admin.update_connection(
            info.id, plain, secrets, anew=lost, own_mark=own_mark
        )
        await self._desk.tokens.forget(info.id, keeper.used)
        await self._desk.admin.set_connection_health(info.id, {"state": "ok"})
        await self._desk.engine.forget_connection(info.id)
        await self._wake_links(info.id)
        said = {} if own_mark is None else {"own_mark": own_mark}
        await self._desk.audit("connection.update", info.id, info.tenant, settings=sorted(changes), **said)
        return _shown(changed)

    async def _before(
        self, info: ConnectionInfo, declaration: Declaration, given: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], bool]:
        """The settings so far, and whether their secrets can't be opened and are all given anew; refused where some
        secret is not: which ones there were is sealed, too."""
        try:
            stored = await self._desk.store.connection(info.id)
        except TandemError as error:
            if error.kind is not Kind.CONFIG:
                raise
            secret = [one.name for one in declaration.settings if one.secret]
            if all(name in given for name in secret):
                return info.settings, True
            raise precondition(
                "SECRETS_NEEDED",
                error.message,
                f"give {', '.join(secret)} in one call (null: there is none), or start with the former key",
                connection=info.name,
            ) from error
        return (stored.settings if stored is not None else info.settings), False

    async def _wake_links(self, connection: str) -> None:
        for link in await self._desk.store.links_of(connection):
            await self._desk.admin.poke_link(link.id)
            self._desk.engine.wake(link.id)

    async def TestConnection(
        self, request: pb.TestConnectionRequest, context: Any
    ) -> pb.TestConnectionResponse:
        info = await self._desk.connection(request.connection, request.tenant)
        began = time.monotonic()
        await self._desk.engine.call(info.id, "check")
        identity = await self._desk.engine.call(info.id, "identity")
        latency_ms = (time.monotonic() - began) * 1000
        found: Sequence[ObjectInfo] = await self._desk.engine.call(info.id, "describe")
        await self._desk.admin.set_connection_health(info.id, {"state": "ok"})
        objects = [one.name for one in found]
        return pb.TestConnectionResponse(identity=identity, objects=objects, latency_ms=latency_ms)

    async def ProbeConnection(
        self, request: pb.ProbeConnectionRequest, context: Any
    ) -> pb.ProbeConnectionResponse:
        connector, settings, keeper = await self._to_probe(request)
        if request.write and not request.object:
            raise invalid([Violation("object", "is required: which object the record is made in")])
        async with self._opened(connector, settings, keeper) as account:
            report = await probe(account, request.object, request.records or RECORDS)
            findings = list(report.findings)
            values = {name: convert.value_of(value) for name, value in request.values.fields.items()}
            objects = await account.describe() if request.write and report.identity else ()
            for one in objects:
                if one.name == request.object:
                    findings += await probe_writing(account, one, values)
        return pb.ProbeConnectionResponse(
            identity=report.identity,
            findings=[_finding(one) for one in findings if one.state != "fails"],
            faults=[_finding(one) for one in findings if one.state == "fails"],
        )

    async def _to_probe(self, request: pb.ProbeConnectionRequest) -> tuple[str, dict[str, Any], Keeper]:
        """The connector and the sound settings to try: those of a connection, with what the request says otherwise; and
        where its tokens are kept."""
        given = convert.settings_of(request.settings)
        if request.declaration:
            given["declaration"] = request.declaration
        if not request.connection:
            await self._desk.one_tenant(request.tenant)  # whoever may not see it may not try it either
            connector = request.connector or "rest"
            return connector, _checked(_known(connector), given), InMemory(self._drawn)
        info = await self._desk.connection(request.connection, request.tenant)
        stored = await self._desk.store.connection(info.id)
        detail = {"settings": sorted(given), "write": request.write}
        await self._desk.audit("connection.probe", info.id, info.tenant, **detail)
        before = stored.settings if stored is not None else info.settings
        settings = dict(before)
        # A map in part: the other secrets of the connection stay.
        for name, value in given.items():
            kept = settings.get(name)
            both = isinstance(kept, Mapping) and isinstance(value, Mapping) and name != "declaration"
            settings[name] = {**(kept or {}), **value} if both else value
        settings = _checked(_known(info.connector), settings)
        refuse_elsewhere(info, before, settings, given)
        return info.connector, settings, self._desk.tokens.keeper(info.id)

    async def GetConnection(self, request: pb.GetConnectionRequest, context: Any) -> pb.Connection:
        return _shown(await self._desk.connection(request.connection, request.tenant))

    async def ListConnections(
        self, request: pb.ListConnectionsRequest, context: Any
    ) -> pb.ListConnectionsResponse:
        tenant = self._desk.visible(request.tenant)
        found = await self._desk.admin.list_connections(tenant, rules.page_size(request), request.page_token)
        return pb.ListConnectionsResponse(
            connections=map(_shown, found.rows), next_page_token=found.next_page
        )

    async def DescribeObjects(
        self, request: pb.DescribeObjectsRequest, context: Any
    ) -> pb.DescribeObjectsResponse:
        info = await self._desk.connection(request.connection, request.tenant)
        found: Sequence[ObjectInfo] = await self._desk.engine.call(info.id, "describe")
        wanted = [one for one in found if request.object in {"", one.name}]
        if not wanted and request.object:
            raise not_found("object", request.object, [one.name for one in found])
        described = [
            convert.described(one, (await self._desk.engine.finds(info.id, one.name)).value) for one in wanted
        ]
        return pb.DescribeObjectsResponse(objects=described)

    async def DeleteConnection(
        self, request: pb.DeleteConnectionRequest, context: Any
    ) -> pb.DeleteConnectionResponse:
        info = await self._desk.connection(request.connection, request.tenant)
        await self._desk.admin.delete_connection(info.id)
        await self._desk.engine.forget_connection(info.id)
        self._desk.telemetry.forget(info.id)
        await self._desk.audit("connection.delete", info.id, info.tenant, name=info.name)
        return pb.DeleteConnectionResponse()

    async def _identity(self, connector: str, settings: Mapping[str, Any], keeper: Keeper) -> str:
        """Which account is behind these settings; raises where it can't be reached with them."""
        async with self._opened(connector, settings, keeper) as account:
            await account.check()
            return await account.identity()

    @asynccontextmanager
    async def _opened(
        self, connector: str, settings: Mapping[str, Any], keeper: Keeper
    ) -> AsyncIterator[Connector]:
        account = await self._desk.open(connector, settings, keeper)
        try:
            yield account
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_TIMEOUT_S):
                await account.aclose()

    async def _refuse_twice(self, tenant: str, connector: str, identity: str, name: str) -> None:
        other = await self._desk.names.same_account(tenant, connector, identity)
        if other is not None:
            raise exists(
                "connection",
                other.name,
                f"connection {other.name} of this tenant is the same account ({identity})",
                f"use connection {other.name}; one account is connected once, or its records would be taken for two",
                refused=name,
            )


def _declared(name: str) -> Declaration | None:
    """None where what the connector needs is not installed."""
    try:
        return CATALOG[name].declaration
    except TandemError:
        return None


def _known(name: str) -> Declaration:
    if name not in CATALOG:
        raise not_found("connector", name, CATALOG)
    return CATALOG[name].declaration


def _checked(declaration: Declaration, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given, once they are sound; defaults are not frozen into what is stored."""
    try:
        checked_settings(declaration, settings)
    except TandemError as error:
        raise invalid([Violation("settings", f"{error.message}; {error.hint}")], error.message) from error
    return {name: value for name, value in settings.items() if value is not None}


def _parted(declaration: Declaration, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is shown, and what is sealed; None of a secret: it is dropped."""
    secret = {one.name for one in declaration.settings if one.secret}
    plain = {
        name: convert.plain(value)
        for name, value in settings.items()
        if name not in secret and value is not None
    }
    return plain, {name: convert.plain(value) for name, value in settings.items() if name in secret}


def _finding(one: Finding) -> pb.Finding:
    return pb.Finding(object=one.object, what=one.what, state=one.state, message=one.message, hint=one.hint)


def _shown(info: ConnectionInfo) -> pb.Connection:
    return pb.Connection(
        id=info.id,
        tenant=info.tenant,
        name=info.name,
        connector=info.connector,
        settings=convert.struct(info.settings),
        identity=info.identity,
        health=str(info.health.get("state", "unknown")),
        health_reason=str(info.health.get("reason", "")),
        created=convert.stamp(info.created),
        own_mark=info.own_mark,
    )
