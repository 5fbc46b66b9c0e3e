"""The API over real sockets: access, tenants, errors with details, connections, links, runs, rooms, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from daemon.api.server import SERVICES
from tandem.v1 import (
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    records_pb2,
    rooms_pb2,
    runs_pb2,
    system_pb2,
)
from tests.api.world import BLUEPRINT, Client, csv_settings, folders, struct
from tests.daemon.process import DaemonProcess, eventually

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]


# ------------------------------------------------------------------------------------------------------ access


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
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(())
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
        system_pb2.CreateTokenRequest(
            name="brief", role=system_pb2.ROLE_VIEWER, ttl=Duration(nanos=1_000_000)
        ),
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


# ------------------------------------------------------------------------------------------------------ errors


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


async def test_a_deadline_of_the_caller_is_kept(admin: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin(admin.system.GetStatus, system_pb2.GetStatusRequest(), timeout_s=0.0001)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


# ------------------------------------------------------------------------------------------------- connections


async def test_connectors_are_listed_with_their_settings(admin: Client) -> None:
    found = await admin(admin.connections.ListConnectors, connections_pb2.ListConnectorsRequest())
    by_name = {one.name: one for one in found.connectors}
    assert {"csv", "memory", "postgres"} <= set(by_name)
    url = next(one for one in by_name["postgres"].settings if one.name == "url")
    assert url.secret and url.doc


async def test_a_connection_is_tried_before_it_is_stored(admin: Client, tenant: str, tmp_path: Path) -> None:
    def request(**settings: Any) -> connections_pb2.CreateConnectionRequest:
        return connections_pb2.CreateConnectionRequest(
            tenant=tenant, name="x", connector="csv", settings=struct(settings)
        )

    create = admin.connections.CreateConnection
    wrong = await admin.refused(create, request(pfad="x"))
    assert (wrong.code, wrong.violations[0][0]) == ("INVALID_ARGUMENT", "settings")
    assert "'path' is required" in wrong.message and "'pfad' is not a setting" in wrong.message
    missing = await admin.refused(create, request(path=str(tmp_path / "nowhere")))
    assert missing.code == "FAILED_PRECONDITION"
    assert "nowhere" in missing.message
    listed = await admin(
        admin.connections.ListConnections, connections_pb2.ListConnectionsRequest(tenant=tenant)
    )
    assert not listed.connections


async def test_an_account_that_can_not_be_reached_is_refused_without_its_password(
    admin: Client, tenant: str, free_port: int
) -> None:
    url = f"postgresql://ann:hush-hush@127.0.0.1:{free_port}/shop"
    request = connections_pb2.CreateConnectionRequest(
        tenant=tenant, name="x", connector="postgres", settings=struct({"url": url})
    )
    refused = await admin.refused(admin.connections.CreateConnection, request)
    assert refused.code in {"UNAVAILABLE", "FAILED_PRECONDITION"}
    assert "hush" not in f"{refused.message} {refused.hint} {refused.violations} {refused.metadata}"


async def test_one_account_is_connected_once_per_tenant(admin: Client, tenant: str, pair: Pair) -> None:
    request = connections_pb2.CreateConnectionRequest(
        tenant=tenant, name="again", connector="csv", settings=struct(csv_settings(pair[0]))
    )
    refused = await admin.refused(admin.connections.CreateConnection, request)
    assert (refused.code, refused.metadata["connection"]) == ("ALREADY_EXISTS", "a")
    assert "use connection a" in refused.hint


async def test_secrets_are_sealed_and_never_shown(admin: Client, tenant: str, daemon: DaemonProcess) -> None:
    # The daemon's own server, as an account: reachable for sure.
    socket = daemon.data_dir / "postgres-socket"
    ready = next(iter(sorted(daemon.data_dir.glob("*/.s.PGSQL.*"))), None)
    host = (ready.parent if ready is not None else socket).as_posix()
    url = f"postgresql://tandem:hush-hush@/tandem?host={host}&port={ready.suffix[1:] if ready else 5432}"
    request = connections_pb2.CreateConnectionRequest(
        tenant=tenant, name="pg", connector="postgres", settings=struct({"url": url, "find": "full"})
    )
    created = await admin(admin.connections.CreateConnection, request)
    assert "url" not in created.settings and "hush" not in str(created)
    assert created.identity and created.health == "ok"
    change = connections_pb2.UpdateConnectionRequest(
        connection="pg", tenant=tenant, settings=struct({"time_zone": "UTC"})
    )
    changed = await admin(admin.connections.UpdateConnection, change)
    assert changed.settings["time_zone"] == "UTC" and "hush" not in str(changed)
    tested = await admin(
        admin.connections.TestConnection,
        connections_pb2.TestConnectionRequest(connection="pg", tenant=tenant),
    )
    assert tested.identity == created.identity
    assert "hush" not in daemon.log.read_text()


async def test_new_settings_must_lead_to_the_same_account(admin: Client, tenant: str, pair: Pair) -> None:
    change = connections_pb2.UpdateConnectionRequest(
        connection="a", tenant=tenant, settings=struct({"path": str(pair[1])})
    )
    refused = await admin.refused(admin.connections.UpdateConnection, change)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "OTHER_ACCOUNT")
    shown = await admin(
        admin.connections.GetConnection, connections_pb2.GetConnectionRequest(connection="a", tenant=tenant)
    )
    assert shown.settings["path"] == str(pair[0])


async def test_objects_are_described_and_pages_follow_each_other(
    admin: Client, tenant: str, pair: Pair, tmp_path: Path
) -> None:
    describe = connections_pb2.DescribeObjectsRequest(connection="a", tenant=tenant, object="people")
    (found,) = (await admin(admin.connections.DescribeObjects, describe)).objects
    assert [one.name for one in found.fields] == ["nr", "name", "city"]
    describe.object = "peple"
    assert "people" in (await admin.refused(admin.connections.DescribeObjects, describe)).hint
    names, token = [], ""
    while True:
        request = connections_pb2.ListConnectionsRequest(tenant=tenant, page_size=1, page_token=token)
        page = await admin(admin.connections.ListConnections, request)
        names += [one.name for one in page.connections]
        token = page.next_page_token
        if not token:
            break
    assert names == ["a", "b"]


async def test_a_connection_in_use_is_not_deleted(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant, paused=True)
    delete = connections_pb2.DeleteConnectionRequest(connection="a", tenant=tenant)
    refused = await admin.refused(admin.connections.DeleteConnection, delete)
    assert refused.code == "FAILED_PRECONDITION" and "people" in refused.message
    await admin(admin.links.DeleteLink, links_pb2.DeleteLinkRequest(link=link.id))
    await admin(admin.connections.DeleteConnection, delete)
    assert (await admin.refused(admin.connections.DeleteConnection, delete)).code == "NOT_FOUND"


# ------------------------------------------------------------------------------------------------------- links


async def test_a_blueprint_is_checked_with_all_its_faults_and_lines(
    admin: Client, tenant: str, pair: Pair
) -> None:
    bad = BLUEPRINT.replace("kind: master", "kind: mastre").replace("owner: a}", "owner: c}")
    found = await admin(admin.links.CheckBlueprint, links_pb2.CheckBlueprintRequest(blueprint=bad))
    assert {one.line for one in found.faults} == {7, 15}
    refused = await admin.refused(
        admin.links.CreateLink,
        links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=bad),
    )
    assert refused.code == "INVALID_ARGUMENT"
    assert {field for field, _ in refused.violations} == {"blueprint:7", "blueprint:15"}
    sound = await admin(admin.links.CheckBlueprint, links_pb2.CheckBlueprintRequest(blueprint=BLUEPRINT))
    assert (list(sound.streams), list(sound.faults)) == (["people"], [])


async def test_a_blueprint_that_does_not_fit_lists_all_that_is_missing(
    admin: Client, tenant: str, pair: Pair
) -> None:
    bad = (
        BLUEPRINT.replace("b: kunden", "b: kunde").replace("a: city", "a: town").replace("a: name", "a: nom")
    )
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=bad)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "BLUEPRINT_DOES_NOT_FIT")
    assert {field for field, _ in refused.violations} == {
        "streams.people.b",
        "streams.people.fields.name.a",
        "streams.people.fields.city.a",
    }
    assert "kunden" in dict(refused.violations)["streams.people.b"]


async def test_connections_must_be_of_the_kinds_that_the_blueprint_names(
    admin: Client, tenant: str, pair: Pair
) -> None:
    other = BLUEPRINT.replace("b: {connector: csv", "b: {connector: memory")
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=other)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.reason, refused.violations[0][0]) == ("OTHER_CONNECTOR", "b")


async def test_an_account_is_not_linked_with_itself(admin: Client, tenant: str, pair: Pair) -> None:
    blueprint = BLUEPRINT.replace("b: kunden", "b: people").replace("b: ort", "b: city")
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="a", blueprint=blueprint)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "ONE_ACCOUNT")


async def test_the_same_records_are_not_linked_twice_either_way_round(
    admin: Client, tenant: str, pair: Pair
) -> None:
    await admin.link(tenant, "first", paused=True)
    turned = """\
blueprint: turned
version: 1
a: {connector: csv}
b: {connector: csv}
streams:
  people:
    kind: master
    a: kunden
    b: people
    complete_read: 1h
    match: [[number]]
    fields: {number: {a: nr, b: nr, owner: b}}
"""
    for a, b, blueprint in (("a", "b", BLUEPRINT), ("b", "a", turned)):
        request = links_pb2.CreateLinkRequest(tenant=tenant, name="second", a=a, b=b, blueprint=blueprint)
        refused = await admin.refused(admin.links.CreateLink, request)
        assert (refused.code, refused.metadata["link"]) == ("ALREADY_EXISTS", "first")


async def test_connections_of_another_tenant_do_not_exist_for_a_link(
    admin: Client, tenant: str, pair: Pair
) -> None:
    other = await admin.tenant()
    request = links_pb2.CreateLinkRequest(tenant=other, name="x", a="a", b="b", blueprint=BLUEPRINT)
    assert (await admin.refused(admin.links.CreateLink, request)).code == "NOT_FOUND"


async def test_pause_survives_and_a_paused_link_starts_no_run(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant, paused=True)
    assert link.state == "paused"
    refused = await admin.refused(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "PAUSED")
    assert "resume people" in refused.hint
    resumed = await admin(admin.links.ResumeLink, links_pb2.ResumeLinkRequest(link=link.id))
    assert resumed.state != "paused"
    assert (await admin(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=link.id))).state == "paused"


# -------------------------------------------------------------------------------------------------- runs, rooms


async def test_a_run_is_watched_to_its_end_and_its_protocol_says_what_was_done(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)

    async def arrived() -> bool:
        return "Bob" in (pair[1] / "kunden.csv").read_text()

    await eventually(arrived)
    started = await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id))
    messages = await admin.watched(started.run.id)
    assert messages[-1].outcome in {"nothing_new", "succeeded"} and messages[-1].ended.seconds
    assert all(one.outcome in {"queued", "running"} for one in messages[:-1])
    runs = await admin(admin.runs.ListRuns, runs_pb2.ListRunsRequest(link=link.id))
    assert started.run.id in [one.id for one in runs.runs]
    items = []
    for run in runs.runs:
        found = await admin(admin.runs.ListRunItems, runs_pb2.ListRunItemsRequest(run=run.id))
        items += [one for one in found.items if one.op == "create"]
    assert {one.origin for one in items} == {"1", "2"} and {one.side for one in items} == {common_pb2.SIDE_B}
    record = records_pb2.GetRecordRequest(link=link.id, stream="people", side=common_pb2.SIDE_A, id="1")
    binding = await admin(admin.records.GetRecord, record)
    assert binding.base["name"].value.string_value == "Ann" and binding.state == "settled"
    shown = await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))
    assert shown.bindings == 2 and shown.loaded
    assert all(look.looked.seconds for look in shown.looks) and len(shown.looks) == 2


async def test_a_second_start_is_answered_with_the_first(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant)
    answers = [await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id)) for _ in range(5)]
    assert any(one.already_running for one in answers)
    for id_ in {one.run.id for one in answers}:
        assert (await admin.watched(id_))[-1].outcome
    runs = (await admin(admin.runs.ListRuns, runs_pb2.ListRunsRequest(link=link.id))).runs
    asked_for = {one.id for one in runs if one.cause == "command"}
    assert asked_for == {one.run.id for one in answers if not one.already_running}


async def test_a_scope_or_stream_that_is_not_there_is_refused(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant)
    for request, field in (
        (runs_pb2.StartRunRequest(link=link.id, streams=["persons"]), "streams"),
        (runs_pb2.StartRunRequest(link=link.id, scope=runs_pb2.SCOPE_DOCUMENT), "scope"),
    ):
        refused = await admin.refused(admin.runs.StartRun, request)
        assert (refused.code, refused.violations[0][0]) == ("INVALID_ARGUMENT", field)
    started = await admin(
        admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id, scope=runs_pb2.SCOPE_MASTER)
    )
    assert list(started.run.streams) in (["people"], [])


async def test_a_dry_run_makes_a_plan_that_can_be_read_and_rejected(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)

    async def settled() -> bool:
        shown = await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))
        return bool(shown.bindings == 2 and shown.loaded)

    await eventually(settled)
    runs = await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id, dry_run=True))
    assert (await admin.watched(runs.run.id))[-1].mode == "plan"
    listed = await admin(admin.plans.ListPlans, plans_pb2.ListPlansRequest(link=link.id))
    for plan in listed.plans:
        shown = await admin(admin.plans.GetPlan, plans_pb2.GetPlanRequest(plan=plan.id))
        assert (shown.id, shown.link) == (plan.id, link.id)
        actions = await admin(admin.plans.ListPlanActions, plans_pb2.ListPlanActionsRequest(plan=plan.id))
        assert len(actions.actions) == shown.actions
        if shown.state == "open":
            refused = await admin.refused(
                admin.plans.ApprovePlan, plans_pb2.ApprovePlanRequest(plan=plan.id, revision=999)
            )
            assert refused.code == "FAILED_PRECONDITION"
            rejected = await admin(admin.plans.RejectPlan, plans_pb2.RejectPlanRequest(plan=plan.id))
            assert rejected.state == "rejected"


async def test_a_conflict_is_listed_with_both_values_and_resolved_by_a_person(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)

    async def settled() -> bool:
        return "Bob" in (pair[1] / "kunden.csv").read_text()

    await eventually(settled)
    await admin(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=link.id))

    async def at_rest() -> bool:
        return not (await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))).run

    await eventually(at_rest)
    for path, town in ((pair[0] / "people.csv", "Kiel"), (pair[1] / "kunden.csv", "Jena")):
        path.write_text(path.read_text().replace("Bonn", town))
    await admin(admin.links.ResumeLink, links_pb2.ResumeLinkRequest(link=link.id))
    list_ = rooms_pb2.ListConflictsRequest(link=link.id)

    async def conflicts() -> Any:
        return (await admin(admin.conflicts.ListConflicts, list_)).conflicts

    (conflict,) = await eventually(conflicts)
    assert (conflict.field, conflict.room) == ("city", "conflict")
    retry = rooms_pb2.RetryParkedRequest(id=conflict.id)
    assert (await admin.refused(admin.quarantine.RetryParked, retry)).reason == "CONFLICT"
    incomplete = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="value")
    assert (await admin.refused(admin.conflicts.ResolveConflict, incomplete)).violations[0][0] == "value"
    decided = await admin(
        admin.conflicts.ResolveConflict, rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="b")
    )
    assert decided.decision == "b"

    async def resolved() -> bool:
        return "Jena" in (pair[0] / "people.csv").read_text() and not await conflicts()

    await eventually(resolved)
    empty = await admin(admin.quarantine.ListParked, rooms_pb2.ListParkedRequest(link=link.id))
    assert not empty.parked


async def test_a_record_that_is_not_known_and_a_stream_that_is_not_there(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant, paused=True)
    record = records_pb2.GetRecordRequest(link=link.id, stream="people", side=common_pb2.SIDE_A, id="none")
    refused = await admin.refused(admin.records.GetRecord, record)
    assert (refused.code, refused.metadata["link"], refused.metadata["record"]) == (
        "NOT_FOUND",
        "people",
        "none",
    )
    record.stream = "peoples"
    assert "people" in (await admin.refused(admin.records.GetRecord, record)).hint
    refresh = records_pb2.RefreshRecordRequest(link=link.id, stream="people", side=common_pb2.SIDE_A, id="1")
    await admin(admin.records.RefreshRecord, refresh)


async def test_cancelling_a_run_that_has_ended_changes_nothing(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)
    started = await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id))
    ended = (await admin.watched(started.run.id))[-1]
    cancelled = await admin(admin.runs.CancelRun, runs_pb2.CancelRunRequest(run=started.run.id))
    assert (cancelled.outcome, cancelled.ended) == (ended.outcome, ended.ended)


async def test_status_and_actors(admin: Client, tenant: str, pair: Pair) -> None:
    await admin.link(tenant, paused=True)
    status = await admin(admin.system.GetStatus, system_pb2.GetStatusRequest())
    assert status.version and status.store == "embedded" and not status.draining
    actors = await admin(admin.system.ListActors, system_pb2.ListActorsRequest())
    assert "root" in [one.name for one in actors.actors]
