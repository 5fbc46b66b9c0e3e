"""D3, D4, D5: the daemon's faces: gRPC with health, reflection, deadlines, streams; Prometheus; the generated commands."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.struct_pb2 import Struct
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tandem.v1 import connections_pb2, runs_pb2
from tandem_client import Tandem, TandemError
from tandem_client.client import services
from tests.daemon.process import DaemonProcess
from tests.daemon.test_deploy import prometheus, with_prometheus
from tests.spec.systems import LINK, OBJECTS, blueprint, customer, until
from tests.spec.world import World, metric, page

pytestmark = pytest.mark.anyio

# ------------------------------------------------------------------------------------------------------- D3, gRPC


async def test_d03_health_says_serving_for_the_daemon_and_each_service(daemon: DaemonProcess) -> None:
    async with grpc.aio.insecure_channel(daemon.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", *(service.full_name for service in services())):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, name


async def test_d03_reflection_names_every_service_and_method(daemon: DaemonProcess) -> None:
    def reflected() -> dict[str, set[str]]:
        token = (("authorization", f"Bearer {daemon.token}"),)
        with grpc.insecure_channel(daemon.grpc) as plain:
            channel = grpc.intercept_channel(plain, WithMetadata(token))
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            return {
                name: {method.name for method in pool.FindServiceByName(name).methods}
                for name in database.get_services()
                if name.startswith("tandem.")
            }

    found = await anyio.to_thread.run_sync(reflected)
    assert found == {s.full_name: {method.name for method in s.methods} for s in services()}


class WithMetadata(grpc.StreamStreamClientInterceptor):
    """Sends the same metadata with every stream."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return continuation(details._replace(metadata=self._metadata), requests)


async def test_d03_a_call_ends_at_its_deadline_and_at_the_daemons_where_it_names_none(
    daemon: DaemonProcess, world: World
) -> None:
    await world.connect(paused=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls, and never answers
        url = f"postgresql://nobody:secret@127.0.0.1:{silent.getsockname()[1]}/none"
        settings = json_format.ParseDict({"url": url}, Struct())
        request = connections_pb2.CreateConnectionRequest(
            tenant=world.tenant, name="silent", connector="postgres", settings=settings
        )
        with pytest.raises(TandemError) as late:
            await world.tandem.connections.CreateConnection(request, timeout=0.5)
        assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        async with grpc.aio.insecure_channel(daemon.grpc) as channel:
            stub: Any = channel.unary_unary(
                "/tandem.v1.Connections/CreateConnection",
                request_serializer=connections_pb2.CreateConnectionRequest.SerializeToString,
                response_deserializer=connections_pb2.Connection.FromString,
            )
            token = (("authorization", f"Bearer {daemon.token}"),)
            with pytest.raises(grpc.aio.AioRpcError) as cut, anyio.fail_after(60):
                await stub(request, metadata=token)  # no deadline of its own: call_timeout_s
            assert cut.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    found = await world.tandem.connections.ListConnections(
        connections_pb2.ListConnectionsRequest(tenant=world.tenant)
    )
    assert sorted(one.name for one in found.connections) == ["crm", "erp"]  # nothing was stored


async def test_d03_progress_streams_while_the_run_works_and_ends_with_its_outcome(world: World) -> None:
    world.erp.save([customer(n) for n in range(1, 4)])
    await world.connect(blueprint(poll="1h"), find="full")
    await world.in_step()
    await world.quiet()
    await world.crm.sql("UPDATE customers SET city = 'Ulm'")
    seen: list[runs_pb2.Run] = []
    async with world.crm.session() as other, anyio.create_task_group() as tasks:
        lock = other.transaction()
        await lock.start()
        await other.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        handle = await world.start()

        async def watch() -> None:
            async for run in handle:
                seen.append(run)

        tasks.start_soon(watch)

        async def working() -> bool:
            return any("customers" in run.phase for run in seen)

        await until(working, "the stream to say what the run does")
        assert seen[-1].outcome == "running"
        await lock.rollback()
    assert seen[-1].outcome == "succeeded" and len(seen) >= 2
    assert sum(c.updated for c in seen[-1].counters) == 3
    await world.in_step()


# ------------------------------------------------------------------------------------------------- D4, Prometheus


@with_prometheus
async def test_d04_a_real_prometheus_scrapes_it_and_an_alert_fires_on_what_really_happened(
    daemon: DaemonProcess, world: World, home: Path, free_port: int
) -> None:
    await world.crm.sql("ALTER TABLE customers ADD CONSTRAINT no_pub CHECK (name NOT LIKE '%Kneipe%')")
    label = f"{world.tenant}/{LINK}"
    with prometheus(home, daemon, free_port) as server:
        await world.connect()
        parked = f'tandem_parked_records{{link="{label}",room="quarantine"}}'
        await until(lambda: server.query(f"{parked} == 0"), "a scrape with nobody in quarantine")
        firing = f'ALERTS{{alertname="TandemParkedGrowing",alertstate="firing",link="{label}"}}'
        assert await server.query(firing) == []
        world.erp.save([customer(1), *(customer(n, NAME=f"Kneipe {n}") for n in range(2, 152))])
        await until(lambda: server.query(f"{parked} == 150"), "150 refused records to be scraped")
        (alert,) = await until(lambda: server.query(firing), "the alert to fire")
        assert alert["metric"]["severity"] == "ticket" and alert["metric"]["room"] == "quarantine"
        (up,) = await server.query('up{job="tandem"}')
        assert up["value"][1] == "1"
    assert len(await world.parked("quarantine")) == 150
    assert await world.crm.value("SELECT count(*) FROM customers") == 1


async def test_d04_counters_say_what_both_systems_saw(daemon: DaemonProcess, world: World) -> None:
    """The dashboard's figures are true: writes and settled records as counted by the CRM itself."""
    before = await metric(daemon, 'tandem_writes_total{connector="postgres",op="create",status="done"}') or 0
    world.erp.save([customer(n) for n in range(1, 31)])
    await world.connect()
    await world.in_step()
    await world.quiet()
    after = await metric(daemon, 'tandem_writes_total{connector="postgres",op="create",status="done"}') or 0
    assert after - before == await world.crm.writes() == 30
    _, text = await page(daemon, "/metrics")
    dashboard = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "tandem.json").read_text())
    assert dashboard["panels"] and "# TYPE tandem_writes_total counter" in text


# --------------------------------------------------------------------------------------------------- D5, commands


class Commands:
    """`tandemctl` as an operator types it."""

    def __init__(self, daemon: DaemonProcess, tenant: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}
        ours = {"DATA_DIR": str(daemon.data_dir), "ADDRESS": daemon.grpc, "TENANT": tenant}
        self._environment = {**kept, **{f"TANDEM_{name}": value for name, value in ours.items()}}

    async def __call__(self, *words: str) -> Any:
        """One command; its answer as data."""
        done = await self.run("--output", "json", *words)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout or b"null")

    async def run(self, *words: str) -> Any:
        """One command as it is."""
        command = [str(Path(sys.executable).with_name("tandemctl")), *words]
        return await anyio.run_process(command, env=self._environment, check=False)


def command_of(name: str) -> str:
    """ListRunItems -> list-run-items, as far as the words of an RPC go."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).strip("-")


async def test_d05_every_rpc_is_a_command_and_the_commands_alone_run_a_link(
    daemon: DaemonProcess, world: World, home: Path
) -> None:
    ctl = Commands(daemon, world.tenant)
    shown: dict[str, str] = {}

    async def help_of(service: str) -> None:
        shown[service] = (await ctl.run(service, "--help")).stdout.decode()

    async with anyio.create_task_group() as tasks:
        for service in services():
            tasks.start_soon(help_of, command_of(service.name))
    for service in services():
        listed = shown[command_of(service.name)].partition("Commands:")[2]
        commands = re.findall(r"^  ([a-z][a-z-]*)  ", listed, re.MULTILINE)
        verbs = sorted(name.partition("-")[0] for name in commands)
        assert verbs == sorted(command_of(m.name).partition("-")[0] for m in service.methods), service.name

    world.erp.save([customer(1), customer(2)])
    await ctl("system", "create-tenant", world.tenant)
    erp = {
        "path": str(world.erp.folder),
        "encoding": "cp1252",
        "separator": ";",
        "quiet_s": 0,
        "objects": OBJECTS,
    }
    settings: Mapping[str, Mapping[str, Any]] = {"csv": erp, "postgres": {"url": world.crm.url}}
    for name, connector in (("erp", "csv"), ("crm", "postgres")):
        path = home / f"{name}.json"
        path.write_text(json.dumps(settings[connector]))
        await ctl("connections", "create", name, connector, "--settings", f"@{path}")
    rules = home / "rules.yaml"
    rules.write_text(blueprint())
    await ctl("links", "create", LINK, "erp", "crm", f"@{rules}")
    await world.in_step()
    assert (await ctl("links", "get", LINK))["bindings"] in (2, "2")
    done = await ctl.run("links", "get", "no-such-link")
    assert done.returncode != 0 and b"no-such-link" in done.stderr and b"hint" in done.stderr.lower()


async def test_d05_the_library_and_the_commands_say_the_same(
    daemon: DaemonProcess, tandem: Tandem, world: World
) -> None:
    world.erp.save([customer(1)])
    await world.connect()
    await world.in_step()
    run = await world.quiet()
    shown = await Commands(daemon, world.tenant)("runs", "get", run.id)
    assert (shown["id"], shown["outcome"]) == (run.id, "nothing_new")
