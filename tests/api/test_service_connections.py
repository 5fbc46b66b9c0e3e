"""Connections over real sockets: tried before they are stored, one per account, secrets never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from clients.emulators.stand import stand
from tandem.v1 import (
    connections_pb2,
    links_pb2,
)
from tests.api.world import Client, csv_settings, struct
from tests.daemon.process import DaemonProcess

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]


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
    request = connections_pb2.CreateConnectionRequest(
        tenant=tenant, name="pg", connector="postgres", settings=struct({"url": daemon.dsn, "find": "full"})
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


async def test_every_change_leaves_who_did_what_in_the_audit_without_secrets(
    admin: Client, tenant: str, pair: Pair, daemon: DaemonProcess
) -> None:
    operator = await admin.token("operator", tenant)
    link = await admin.link(tenant)
    await operator(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=link.id))
    await operator(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=link.id))
    await admin(admin.links.DeleteLink, links_pb2.DeleteLinkRequest(link=link.id))
    database = await asyncpg.connect(daemon.dsn)
    rows = await database.fetch(
        "select actor, action, target, detail from audit where tenant = $1 order by id", tenant
    )
    await database.close()
    expected = ["tenant.create", "connection.create", "connection.create", "token.create"]
    assert [row["action"] for row in rows] == [*expected, "link.create", "link.pause", "link.delete"]
    actors = {row["action"]: row["actor"] for row in rows}
    assert actors["link.pause"] == operator.id != actors["link.delete"] == admin.id
    assert all(row["target"] for row in rows) and "tdm_" not in str(rows)


async def test_secrets_that_are_kept_go_to_no_other_host(admin: Client, tenant: str) -> None:
    connections = admin.connections
    async with stand("webcrm", {"auth_code": "of-this-test"}) as emulator:
        elsewhere = emulator.address.replace("127.0.0.1", "localhost")
        settings = struct({"url": emulator.address, "auth_code": "of-this-test"})
        await admin(
            connections.CreateConnection,
            connections_pb2.CreateConnectionRequest(
                tenant=tenant, name="crm", connector="webcrm", settings=settings
            ),
        )
        asked = emulator.counters.copy()
        moved = connections_pb2.UpdateConnectionRequest(
            connection="crm", tenant=tenant, settings=struct({"url": elsewhere})
        )
        refused = await admin.refused(connections.UpdateConnection, moved)
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "SECRETS_NEEDED")
        assert refused.hint == "give auth_code again, in the same call"
        probed = connections_pb2.ProbeConnectionRequest(
            connection="crm", tenant=tenant, settings=struct({"url": elsewhere})
        )
        assert (await admin.refused(connections.ProbeConnection, probed)).reason == "SECRETS_NEEDED"
        assert emulator.counters == asked, "nothing was sent before it was refused"
        # What leads nowhere else needs none, and whoever knows them may move the connection.
        moved.settings.CopyFrom(struct({"overlap_s": 30}))
        await admin(connections.UpdateConnection, moved)
        moved.settings.CopyFrom(struct({"url": elsewhere, "auth_code": settings["auth_code"]}))
        changed = await admin(connections.UpdateConnection, moved)
        assert changed.settings["url"] == elsewhere


async def test_a_probe_writes_only_where_it_is_told_and_which_object(
    admin: Client, tenant: str, pair: Pair
) -> None:
    probe = admin.connections.ProbeConnection
    before = pair[0].joinpath("people.csv").read_bytes()
    request = connections_pb2.ProbeConnectionRequest(connection="a", tenant=tenant, write=True)
    refused = await admin.refused(probe, request)
    assert (refused.code, refused.violations[0][0]) == ("INVALID_ARGUMENT", "object")
    request.object = "people"
    request.values.update({"nr": "T1", "name": "Tandem"})
    found = await admin(probe, request)
    tried = {one.what: one.state for one in (*found.findings, *found.faults)}
    assert {tried[what] for what in ("create", "update", "precondition", "delete")} == {"works"}
    assert pair[0].joinpath("people.csv").read_bytes() == before
    request.write = False
    assert not {one.what for one in (await admin(probe, request)).findings} & {"create", "delete"}
