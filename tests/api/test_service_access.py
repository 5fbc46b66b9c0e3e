"""Access and errors over real sockets: tokens, roles, tenants, and what is told of a failed call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from daemon.api.server import SERVICES
from tandem.v1 import (
    connections_pb2,
    links_pb2,
    plans_pb2,
    rooms_pb2,
    runs_pb2,
    system_pb2,
    webhooks_pb2,
)
from tests.api.world import Client, folders
from tests.daemon.process import DaemonProcess, eventually

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]


async def test_without_a_valid_token_nothing_is_told(daemon: DaemonProcess, admin: Client) -> None:
    for token in ("", "nonsense", "tdm_0123456789ab_" + "x" * 43):
        refused = await admin.as_token(token).refused(admin.system.GetStatus, system_pb2.GetStatusRequest())
        assert (refused.code, refused.reason) == ("UNAUTHENTICATED", "NO_TOKEN")
        assert "admin.token" in refused.hint


async def test_health_needs_no_token_and_names_every_service(admin: Client) -> None:
    health: Any = health_pb2_grpc.HealthStub(admin.channel)
    for service in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_services_to_those_with_a_token(admin: Client) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(admin.channel)

    async def listed(metadata: Any) -> set[str]:
        ask = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        call = stub.ServerReflectionInfo(ask, metadata=metadata, timeout=10)
        return {one.name async for answer in call for one in answer.list_services_response.service}

    assert set(SERVICES) <= await listed(admin.metadata)
    # Who is refused has sent nothing: a message that is under way then would fail as one of its own.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ServerReflectionInfo(timeout=10).read()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "role, may", [("viewer", "GetStatus"), ("operator", "GetStatus"), ("admin", "GetStatus ListTokens")]
)
async def test_a_role_allows_what_it_says(admin: Client, role: str, may: str) -> None:
    client = await admin.token(role)
    await client(client.system.GetStatus, system_pb2.GetStatusRequest())
    if "ListTokens" in may:
        await client(client.system.ListTokens, system_pb2.ListTokensRequest())
    else:
        refused = await client.refused(client.system.ListTokens, system_pb2.ListTokensRequest())
        assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "DENIED")
        assert "admin" in refused.message and role in refused.message


async def test_a_tenants_token_sees_that_tenant_alone(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant, paused=True)
    other = await admin.tenant()
    stranger = await admin.token("admin", other)
    for method, request in (
        (admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id)),
        (admin.links.GetLink, links_pb2.GetLinkRequest(link=link.name)),
        (admin.links.DeleteLink, links_pb2.DeleteLinkRequest(link=link.id)),
        (admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id)),
        (
            admin.connections.GetConnection,
            connections_pb2.GetConnectionRequest(connection="a", tenant=tenant),
        ),
        (admin.links.ListLinks, links_pb2.ListLinksRequest(tenant=tenant)),
        (
            admin.system.CreateToken,
            system_pb2.CreateTokenRequest(name="x", role=system_pb2.ROLE_VIEWER, tenant=tenant),
        ),
    ):
        assert (await stranger.refused(method, request)).code == "NOT_FOUND"
    assert not (await stranger(admin.links.ListLinks, links_pb2.ListLinksRequest())).links
    tenants = await stranger(admin.system.ListTenants, system_pb2.ListTenantsRequest())
    assert [one.id for one in tenants.tenants] == [other]
    status = await stranger(admin.system.GetStatus, system_pb2.GetStatusRequest())
    assert sum(status.links.values()) == 0
    refused = await stranger.refused(admin.system.ListActors, system_pb2.ListActorsRequest())
    assert refused.code == "PERMISSION_DENIED"
    own = await admin.token("viewer", tenant)
    assert (await own(admin.links.GetLink, links_pb2.GetLinkRequest(link="people"))).id == link.id


async def test_a_token_is_shown_once_and_ends_when_revoked_or_expired(admin: Client, tenant: str) -> None:
    created = await admin(
        admin.system.CreateToken,
        system_pb2.CreateTokenRequest(name="ci", role=system_pb2.ROLE_VIEWER, tenant=tenant),
    )
    assert created.token.startswith(f"tdm_{created.id}_")
    listed = await admin(admin.system.ListTokens, system_pb2.ListTokensRequest(page_size=1000))
    (row,) = [one for one in listed.tokens if one.id == created.id]
    assert (row.name, row.tenant, row.role) == ("ci", tenant, system_pb2.ROLE_VIEWER)
    assert created.token not in str(listed)
    client = admin.as_token(created.token)
    await client(admin.links.ListLinks, links_pb2.ListLinksRequest())
    await admin(admin.system.RevokeToken, system_pb2.RevokeTokenRequest(id=created.id))
    assert (
        await client.refused(admin.links.ListLinks, links_pb2.ListLinksRequest())
    ).code == "UNAUTHENTICATED"
    brief = await admin(
        admin.system.CreateToken,
        system_pb2.CreateTokenRequest(name="brief", role=system_pb2.ROLE_VIEWER, ttl=Duration(nanos=1)),
    )
    refused = await admin.as_token(brief.token).refused(admin.links.ListLinks, links_pb2.ListLinksRequest())
    assert refused.code == "UNAUTHENTICATED"


async def test_a_tenants_admin_manages_that_tenants_tokens_alone(admin: Client, tenant: str) -> None:
    local = await admin.token("admin", tenant)
    mine = await local(
        admin.system.CreateToken, system_pb2.CreateTokenRequest(name="mine", role=system_pb2.ROLE_VIEWER)
    )
    listed = await local(admin.system.ListTokens, system_pb2.ListTokensRequest(page_size=1000))
    assert {one.tenant for one in listed.tokens} == {tenant}
    foreign = await admin(
        admin.system.CreateToken, system_pb2.CreateTokenRequest(name="f", role=system_pb2.ROLE_VIEWER)
    )
    revoke = admin.system.RevokeToken
    assert (await local.refused(revoke, system_pb2.RevokeTokenRequest(id=foreign.id))).code == "NOT_FOUND"
    await local(revoke, system_pb2.RevokeTokenRequest(id=mine.id))


async def test_a_faulty_request_is_refused_with_every_fault(admin: Client) -> None:
    refused = await admin.refused(
        admin.links.CreateLink, links_pb2.CreateLinkRequest(tenant="No!", name=" x")
    )
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "INVALID")
    assert {field for field, _ in refused.violations} == {"tenant", "name", "a", "b", "blueprint"}


async def test_what_is_not_there_is_named_with_what_is_nearby(admin: Client, tenant: str, pair: Pair) -> None:
    await admin.link(tenant, "orders-shop", paused=True)
    refused = await admin.refused(
        admin.links.GetLink, links_pb2.GetLinkRequest(link="order-shop", tenant=tenant)
    )
    assert (refused.code, refused.metadata["link"]) == ("NOT_FOUND", "order-shop")
    assert "orders-shop" in refused.hint
    assert (await admin.refused(admin.runs.GetRun, runs_pb2.GetRunRequest(run="run-1"))).code == "NOT_FOUND"
    assert (await admin.refused(admin.plans.GetPlan, plans_pb2.GetPlanRequest(plan="p"))).code == "NOT_FOUND"
    retry = rooms_pb2.RetryParkedRequest(id=987654321)
    assert (await admin.refused(admin.quarantine.RetryParked, retry)).code == "NOT_FOUND"
    resolve = rooms_pb2.ResolveConflictRequest(id=987654321, choose="a")
    assert (await admin.refused(admin.conflicts.ResolveConflict, resolve)).code == "NOT_FOUND"
    unknown = connections_pb2.GetConnectionRequest(connection="zz", tenant=tenant)
    assert "a, b" in (await admin.refused(admin.connections.GetConnection, unknown)).hint
    create = connections_pb2.CreateConnectionRequest(tenant=tenant, name="x", connector="csw")
    assert "csv" in (await admin.refused(admin.connections.CreateConnection, create)).hint


async def test_a_name_that_several_tenants_have_needs_the_tenant(admin: Client, tmp_path: Path) -> None:
    tenants = [await admin.tenant(), await admin.tenant()]
    for tenant in tenants:
        await admin.connection(tenant, "same-name", folders(tmp_path / tenant)[0])
    request = connections_pb2.GetConnectionRequest(connection="same-name")
    refused = await admin.refused(admin.connections.GetConnection, request)
    assert refused.code == "INVALID_ARGUMENT"
    assert all(tenant in refused.message for tenant in tenants)
    assert refused.violations[0][0] == "tenant"
    request.tenant = tenants[1]
    assert (await admin(admin.connections.GetConnection, request)).tenant == tenants[1]


async def test_a_page_token_of_somewhere_else_is_refused(admin: Client) -> None:
    refused = await admin.refused(admin.links.ListLinks, links_pb2.ListLinksRequest(page_token="garbage!"))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "REFUSED")
    assert "page" in refused.message


async def test_a_deadline_of_the_caller_is_kept_and_its_work_is_let_go(
    daemon: DaemonProcess, admin: Client
) -> None:
    """The call can't be answered: we hold the row it wants to make, and let go of it only when nobody waits any more."""
    session = await asyncpg.connect(daemon.dsn)
    held = session.transaction()
    await held.start()
    await session.execute("insert into tenants (id, name, created) values ('held', 'held', 0)")
    request = system_pb2.CreateTenantRequest(id="held")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin(admin.system.CreateTenant, request, timeout_s=2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    blocked = "select count(*) = 0 from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))"

    async def let_go() -> Any:
        return await session.fetchval(blocked)

    await eventually(let_go)
    await held.rollback()
    await session.close()
    tenants = await admin(admin.system.ListTenants, system_pb2.ListTenantsRequest(page_size=1000))
    assert "held" not in {one.id for one in tenants.tenants}


async def test_an_address_that_is_a_secret_is_shown_to_administrators_alone(
    admin: Client, tenant: str, pair: Pair
) -> None:
    create = webhooks_pb2.CreateWebhookRequest(connection="a", tenant=tenant)
    assert "/hooks/" in (await admin(admin.webhooks.CreateWebhook, create)).addresses[0].url
    for role, shown in (("viewer", False), ("operator", False), ("admin", True)):
        client = await admin.token(role)
        request = webhooks_pb2.GetWebhookRequest(connection="a", tenant=tenant)
        found = await client(client.webhooks.GetWebhook, request)
        assert bool(found.addresses[0].url) is shown and not found.secret
