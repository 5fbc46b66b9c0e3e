"""The System service: the daemon's state, its actors, tenants and access tokens. Must not: store or log a token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from daemon.api import access, convert, rules
from daemon.api.access import Caller, Role
from daemon.api.desk import Desk
from daemon.api.errors import not_found, precondition
from daemon.health import Health
from daemon.store.rows import TenantRow, TokenRow
from tandem.v1 import system_pb2 as pb
from tandem.v1 import system_pb2_grpc

DRAIN_TIMEOUT_S: Final = 30.0
_ROLES: Final[Mapping[pb.Role.ValueType, str]] = {
    pb.ROLE_VIEWER: "viewer",
    pb.ROLE_OPERATOR: "operator",
    pb.ROLE_ADMIN: "admin",
}
_NUMBERS: Final = {name: number for number, name in _ROLES.items()}


class System(system_pb2_grpc.SystemServicer):
    """See proto/tandem/v1/system.proto. `revoked` is called when a token was."""

    def __init__(self, desk: Desk, revoked: Callable[[], None]) -> None:
        self._desk = desk
        self._revoked = revoked
        self._shown: tuple[Health | None, dict[str, pb.GetStatusResponse]] = None, {}

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:
        who, health = access.caller(), await self._desk.health()
        # The same picture is the same answer to all who may see the same.
        if self._shown[0] is not health:
            self._shown = health, {}
        answer = self._shown[1].get(who.tenant)
        if answer is None:
            answer = self._shown[1][who.tenant] = self._status(who, health)
        return answer

    def _status(self, who: Caller, health: Health) -> pb.GetStatusResponse:
        reasons = [str(one) for one in health.reasons if _concerns(one.what, one.tenant, who)]
        states: Counter[str] = Counter()
        for tenant, found in health.states.items():
            if who.sees(tenant):
                states.update(found)
        uptime = Duration()
        uptime.FromMilliseconds(int((self._desk.clock.monotonic() - self._desk.started) * 1000))
        return pb.GetStatusResponse(
            version=self._desk.version,
            health="degraded" if reasons else "ok",
            reasons=reasons,
            store=self._desk.store_kind,
            uptime=uptime,
            links=states,
            runs_active=sum(1 for link in health.running if who.sees(health.tenants.get(link, ""))),
            draining=health.draining,
        )

    async def ListActors(self, request: pb.ListActorsRequest, context: Any) -> pb.ListActorsResponse:
        return pb.ListActorsResponse(actors=[pb.ActorInfo(**state) for state in self._desk.engine.states()])

    async def Drain(self, request: pb.DrainRequest, context: Any) -> pb.DrainResponse:
        asked_s = request.timeout.seconds + request.timeout.nanos / 1e9
        await self._desk.audit("daemon.drain", "daemon")
        return pb.DrainResponse(runs_left=await self._desk.drain(asked_s or DRAIN_TIMEOUT_S))

    async def CreateTenant(self, request: pb.CreateTenantRequest, context: Any) -> pb.Tenant:
        row = await self._desk.admin.create_tenant(request.id, request.name or request.id)
        await self._desk.audit("tenant.create", row.id, row.id)
        return _tenant(row)

    async def ListTenants(self, request: pb.ListTenantsRequest, context: Any) -> pb.ListTenantsResponse:
        rows, next_page = await self._desk.tenants(rules.page_size(request), request.page_token)
        return pb.ListTenantsResponse(tenants=map(_tenant, rows), next_page_token=next_page)

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Any) -> pb.CreateTokenResponse:
        tenant = self._desk.visible(request.tenant)
        ttl_s = request.ttl.seconds + request.ttl.nanos / 1e9
        expires = self._desk.clock.now() + ttl_s if ttl_s else 0.0
        new = access.new_token()
        row = await self._desk.admin.create_token(
            tenant, request.name, _ROLES[request.role], new.hash, expires, id_=new.id
        )
        await self._desk.audit("token.create", row.id, tenant, name=row.name, role=row.role)
        return pb.CreateTokenResponse(id=row.id, token=new.text)

    async def ListTokens(self, request: pb.ListTokensRequest, context: Any) -> pb.ListTokensResponse:
        who = access.caller()
        found = await self._desk.admin.list_tokens(rules.page_size(request), request.page_token)
        shown = [_token(row) for row in found.rows if not row.revoked and _manages(who, row)]
        return pb.ListTokensResponse(tokens=shown, next_page_token=found.next_page)

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Any) -> pb.RevokeTokenResponse:
        who = access.caller()
        row = await self._desk.names.token(request.id)
        if row is None or not _manages(who, row):
            raise not_found("token", request.id)
        if row.id == who.token:
            raise precondition(
                "OWN_TOKEN",
                "a token can't revoke itself",
                "use another admin token to revoke this one",
                token=row.id,
            )
        await self._desk.admin.revoke_token(row.id)
        self._revoked()
        await self._desk.audit("token.revoke", row.id, row.tenant, name=row.name)
        return pb.RevokeTokenResponse()


def _manages(who: Caller, row: TokenRow) -> bool:
    """A tenant's admin has to do with that tenant's tokens alone."""
    return not who.tenant or who.tenant == row.tenant


def _concerns(what: str, tenant: str, who: Caller) -> bool:
    """What is wrong with the daemon as a whole is everybody's; the rest is that tenant's."""
    return what in {"store", "engine", "draining"} or who.sees(tenant)


def _tenant(row: TenantRow) -> pb.Tenant:
    return pb.Tenant(id=row.id, name=row.name, created=convert.stamp(row.created))


def _token(row: TokenRow) -> pb.Token:
    return pb.Token(
        id=row.id,
        name=row.name,
        role=_NUMBERS.get(row.role, pb.ROLE_UNSPECIFIED),
        tenant=row.tenant,
        created=convert.stamp(row.created),
        expires=convert.stamp(row.expires),
        last_used=convert.stamp(row.last_used),
    )


def caller_of(row: TokenRow) -> Caller:
    """Who calls with this token."""
    return Caller(row.id, Role[row.role.upper()], row.tenant)
