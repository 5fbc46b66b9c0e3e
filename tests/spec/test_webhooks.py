"""U1, U13, U21: real calls to a real daemon. What arrives is a reason to look, never data."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import aiohttp
import pytest

from tandem.v1 import settings_pb2, system_pb2, webhooks_pb2
from tandem_client import TandemError
from tests.daemon.process import DaemonProcess, running
from tests.spec.conftest import SETTINGS
from tests.spec.systems import LINK, blueprint, customer, until
from tests.spec.world import World, asked, metric

pytestmark = pytest.mark.anyio
# Nobody finds out by himself: no trigger, and an hour between two polls.
SLOW = {"customers": {"modified": "updated_at", "find": "modified"}}
TOKEN = "X-Tandem-Token"


async def call(
    url: str, data: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, str]:
    """What the answer to a call is."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data or None, headers=headers) as answer,
    ):
        return answer.status, (await answer.text()).strip()


async def slow(world: World, **entries: Any) -> webhooks_pb2.Webhook:
    """Two systems in step that are asked once an hour, and the CRM's webhook."""
    world.erp.save([customer(1), customer(2)])
    await world.connect(blueprint(poll="1h", **entries), find="full", objects=SLOW, overlap_s=0)
    await world.in_step()
    await world.quiet()
    request = webhooks_pb2.CreateWebhookRequest(connection="crm", tenant=world.tenant)
    return await world.tandem.webhooks.CreateWebhook(request)


async def shown(world: World) -> dict[str, webhooks_pb2.WebhookAddress]:
    request = webhooks_pb2.GetWebhookRequest(connection="crm", tenant=world.tenant)
    found = await world.tandem.webhooks.GetWebhook(request)
    assert not found.secret
    return {one.object: one for one in found.addresses}


async def moved(world: World, number: str, town: str) -> str:
    """A person edits a customer of the CRM; the record's id there."""
    rows = await world.crm.sql("UPDATE customers SET city = $2 WHERE number = $1 RETURNING id", number, town)
    return str(rows[0]["id"])


def towns(world: World) -> set[str]:
    return {row["ORT"] for row in world.erp.rows()}


async def test_u01_a_webhook_brings_a_change_over_without_waiting_for_a_poll(world: World) -> None:
    hook = await slow(world)
    (address,) = (one for one in hook.addresses if one.object == "customers")
    genuine = {TOKEN: hook.secret}
    id_ = await moved(world, "K00001", "Ulm")
    assert await call(address.url, json.dumps({"ids": [id_]}).encode(), genuine) == (200, "accepted")
    await world.in_step()
    # Without ids, and with a body that nobody understands: a look for changes.
    for body in (b"", b"<changed/>", b'{"ids": []}'):
        await moved(world, "K00002", f"Ort {len(body)}")
        assert await call(address.url, body, genuine) == (200, "accepted")
        await world.in_step()
    # What is new, and what is gone.
    new = await world.crm.sql("INSERT INTO customers (name, city) VALUES ('Neu', 'Jena') RETURNING id")
    assert (await call(address.url, json.dumps({"ids": [new[0]["id"]]}).encode(), genuine))[0] == 200

    async def arrived() -> bool:
        return "Jena" in towns(world)

    await until(arrived, "a record that was new")


async def test_u01_what_a_webhook_lost_the_next_poll_makes_good(world: World) -> None:
    world.erp.save([customer(1)])
    await world.connect(blueprint(poll="1s"), find="full", objects=SLOW, overlap_s=0)
    await world.in_step()
    await moved(world, "K00001", "Ulm")  # nobody calls
    await world.in_step()
    assert towns(world) == {"Ulm"}


async def test_u13_forged_repeated_disordered_late_and_oversized_calls_do_no_harm(
    world: World, daemon: DaemonProcess
) -> None:
    hook = await slow(world)
    (address,) = (one for one in hook.addresses if one.object == "customers")
    before = await world.crm.state(), world.erp.state()
    lie = json.dumps({"ids": ["1"], "city": "Lügenburg", "data": {"city": "Lügenburg"}}).encode()
    for headers in ({}, {TOKEN: "guess"}, {TOKEN: hook.secret[:-1]}, {TOKEN: ""}):
        assert (await call(address.url, lie, headers))[0] == 401
    genuine = {TOKEN: hook.secret}
    assert (await call(f"{daemon.http}/hooks/{'x' * 43}/customers", lie, genuine))[0] == 404
    assert (await call(address.url, b"x" * 300_000, genuine))[0] == 413
    # A true call with lies in it, again and again, about records that there are, were never, or are somebody else's.
    for body in (lie, lie, b'{"ids": ["999999", "0", "; drop table customers"]}', b'{"ids": "1"}', b"{"):
        assert (await call(address.url, body, genuine))[0] == 200
    await world.quiet()
    assert (await world.crm.state(), world.erp.state()) == before
    # Late and out of order: only what is there now counts.
    id_ = await moved(world, "K00001", "Bonn")
    await moved(world, "K00001", "Ulm")
    for _ in range(3):
        assert (await call(address.url, json.dumps({"ids": [id_]}).encode(), genuine))[0] == 200
    await world.in_step()
    assert "Ulm" in towns(world) and "Bonn" not in towns(world)
    found = (await shown(world))["customers"]
    assert (found.refused, found.accepted) == (4, 8)
    assert found.last_trouble == "no genuine token"


async def test_u13_a_signed_call_and_one_by_get(world: World) -> None:
    await world.tandem.system.CreateTenant(_tenant(world))
    await world.connection(
        "m", "memory", {"name": world.tenant, "objects": {"people": {"fields": {"name": "text"}}}}
    )
    await world.connection(
        "erp", "csv", {"path": str(world.erp.folder), "encoding": "cp1252", "separator": ";"}
    )
    create = webhooks_pb2.CreateWebhookRequest(
        connection="m", tenant=world.tenant, secret="drawn by the system"
    )
    hook = await world.tandem.webhooks.CreateWebhook(create)
    assert (hook.signature, hook.carried_in, hook.secret) == (
        "hmac_sha256",
        "X-Memory-Signature",
        "drawn by the system",
    )
    (address,) = hook.addresses
    body = b'{"object": "people", "ids": ["1"], "event": "changed"}'
    for key, status in (("drawn by the system", 200), ("guess", 401)):
        sign = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        assert (await call(address.url, body, {"X-Memory-Signature": sign}))[0] == status
    open_to_all = await world.tandem.webhooks.CreateWebhook(
        webhooks_pb2.CreateWebhookRequest(connection="erp", tenant=world.tenant)
    )
    assert (open_to_all.signature, open_to_all.secret) == ("none", "")
    assert await call(f"{open_to_all.addresses[0].url}?id=K1", method="GET") == (200, "nothing to do")


def _tenant(world: World) -> system_pb2.CreateTenantRequest:
    return system_pb2.CreateTenantRequest(id=world.tenant)


async def test_u13_what_was_accepted_is_done_though_the_daemon_is_killed(world: World) -> None:
    """A daemon of its own, killed as soon as it has said yes."""
    folder = world.erp.folder.parent
    with running(folder / "data", **SETTINGS) as first:
        async with asked(first) as tandem:
            own = World(tandem, world.tenant, world.erp, world.crm)
            hook = await slow(own)
            address = hook.addresses[0]
            id_ = await moved(own, "K00001", "Ulm")
            assert (await call(address.url, json.dumps({"ids": [id_]}).encode(), {TOKEN: hook.secret}))[
                0
            ] == 200
            first.process.kill()
            first.process.wait()
    with running(folder / "data", **SETTINGS) as second:
        async with asked(second) as tandem:
            await World(tandem, world.tenant, world.erp, world.crm).in_step()


async def test_u21_which_events_trigger_and_when_each_address_was_last_called(
    world: World, daemon: DaemonProcess
) -> None:
    hook = await slow(world, triggers={"b": ["changed", "created"]})
    genuine = {TOKEN: hook.secret}
    addresses = await shown(world)
    assert set(addresses) == {"customers", ""}
    one = addresses["customers"]
    assert not one.HasField("last_called") and one.url.startswith(daemon.http)
    (use,) = one.uses
    assert (use.link, use.stream, use.side, list(use.events), use.active) == (
        LINK,
        "customers",
        2,
        ["changed", "created"],
        True,
    )
    began = time.time()
    id_ = await moved(world, "K00001", "Ulm")

    def about(event: str) -> bytes:
        return json.dumps({"ids": [id_], "event": event}).encode()

    assert await call(one.url, about("viewed"), genuine) == (200, "nothing to do")
    assert "Ulm" not in towns(world)
    request = settings_pb2.ChangeSettingsRequest(
        link=LINK, tenant=world.tenant, settings="streams: {customers: {triggers: {b: [viewed]}}}"
    )
    await world.tandem.settings.ChangeSettings(request)
    assert await call(one.url, about("changed"), genuine) == (200, "nothing to do")
    assert await call(one.url, about("viewed"), genuine) == (200, "accepted")
    await world.in_step()
    one = (await shown(world))["customers"]
    assert (one.accepted, one.ignored, one.refused) == (1, 2, 0)
    assert one.last_called.ToDatetime().timestamp() >= began - 86_400 and one.HasField("last_accepted")
    series = f'tandem_webhook_calls_total{{connection="{world.tenant}/crm",outcome="accepted"}}'
    assert await metric(daemon, series) == 1


async def test_u21_a_new_address_voids_the_old_one(world: World) -> None:
    old = await slow(world)
    again = webhooks_pb2.CreateWebhookRequest(connection="crm", tenant=world.tenant)
    new = await world.tandem.webhooks.CreateWebhook(again)
    assert new.secret != old.secret
    assert (await call(old.addresses[0].url, b"{}", {TOKEN: old.secret}))[0] == 404
    assert (await call(new.addresses[0].url, b"{}", {TOKEN: old.secret}))[0] == 401
    assert (await call(new.addresses[0].url, b"{}", {TOKEN: new.secret}))[0] == 200
    gone = webhooks_pb2.DeleteWebhookRequest(connection="crm", tenant=world.tenant)
    await world.tandem.webhooks.DeleteWebhook(gone)
    assert (await call(new.addresses[0].url, b"{}", {TOKEN: new.secret}))[0] == 404
    with pytest.raises(TandemError, match="webhooks create crm"):
        await shown(world)
