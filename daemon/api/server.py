"""The gRPC server: every service behind the layers, standard health and reflection, TLS where it is configured.

Must not: hold what services do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import grpc
import msgspec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from daemon.api import interceptors
from daemon.api.access import Caller, Callers
from daemon.api.accesses import Accesses
from daemon.api.blueprints import Blueprints
from daemon.api.connections import Connections
from daemon.api.desk import Desk
from daemon.api.documents import Documents
from daemon.api.features import Features
from daemon.api.links import Links
from daemon.api.plans import Plans
from daemon.api.proposals import Proposals
from daemon.api.records import Records
from daemon.api.rooms import Ambiguous, Conflicts, Quarantine
from daemon.api.runs import Runs
from daemon.api.settings import Settings
from daemon.api.streams import Streams
from daemon.api.system import System, caller_of
from daemon.api.webhooks import Webhooks
from daemon.health import Watcher
from daemon.metrics import Metrics
from tandem.v1 import (
    accesses_pb2,
    accesses_pb2_grpc,
    blueprints_pb2,
    blueprints_pb2_grpc,
    connections_pb2,
    connections_pb2_grpc,
    documents_pb2,
    documents_pb2_grpc,
    features_pb2,
    features_pb2_grpc,
    links_pb2,
    links_pb2_grpc,
    plans_pb2,
    plans_pb2_grpc,
    proposals_pb2,
    proposals_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    rooms_pb2,
    rooms_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    settings_pb2,
    settings_pb2_grpc,
    streams_pb2,
    streams_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    webhooks_pb2,
    webhooks_pb2_grpc,
)

OVERALL: Final = ""
HEALTH_INTERVAL_S: Final = 1.0
STOP_GRACE_S: Final = 2.0
MESSAGE_SIZE_MAX: Final = 8 * 1024 * 1024
_MODULES: Final = (
    *(accesses_pb2, blueprints_pb2, connections_pb2, documents_pb2, features_pb2, links_pb2, plans_pb2),
    *(proposals_pb2, records_pb2, rooms_pb2, runs_pb2, settings_pb2, streams_pb2, system_pb2, webhooks_pb2),
)
SERVICES: Final = tuple(
    sorted(
        service.full_name for module in _MODULES for service in module.DESCRIPTOR.services_by_name.values()
    )
)


class Limits(msgspec.Struct, frozen=True):
    """Deadlines of unary calls, seconds."""

    default_s: float = 30.0
    longest_s: float = 300.0


class Tls(msgspec.Struct, frozen=True):
    """PEM texts. `client_ca`: callers must show a certificate of this authority."""

    cert: bytes
    key: bytes
    client_ca: bytes | None = None


class ApiServer:
    """The server and its health service."""

    def __init__(self, server: grpc.aio.Server, port: int, health: health_aio.HealthServicer) -> None:
        self._server = server
        self._health = health
        self._known: bool | None = None
        self.port = port

    async def keep_health(self, ready: Callable[[], Awaitable[bool]]) -> None:
        """Tell the standard health service how things are, until cancelled."""
        while True:
            await self.set_ready(await ready())
            await anyio.sleep(HEALTH_INTERVAL_S)

    async def set_ready(self, ready: bool) -> None:
        """SERVING or not, for the daemon and each of its services."""
        if ready == self._known:
            return
        self._known = ready
        status = (
            health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in (OVERALL, *SERVICES):
            await self._health.set(service, status)


@asynccontextmanager
async def serving(
    desk: Desk, watcher: Watcher, metrics: Metrics, address: str, tls: Tls | None, limits: Limits
) -> AsyncIterator[ApiServer]:
    """Serve while the context is open; raises OSError where the address can't be had."""

    async def find(hash_: bytes) -> Caller | None:
        row = await desk.admin.verify_token(hash_)
        return caller_of(row) if row is not None else None

    callers = Callers(find, desk.clock.monotonic)
    layers = (
        interceptors.counted(metrics),
        interceptors.translated(),
        interceptors.within_deadline(limits.default_s, limits.longest_s),
        interceptors.authorised(callers.find),
        interceptors.sound(),
    )
    options = [
        ("grpc.so_reuseport", 0),  # a second daemon on the port must be refused, not share it
        ("grpc.max_receive_message_length", MESSAGE_SIZE_MAX),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
    server = grpc.aio.server(interceptors=[interceptors.Layers(layers)], options=options)
    health = health_aio.HealthServicer()
    _register(server, desk, watcher, health, callers)
    zero(metrics)
    port = _bind(server, address, tls)
    await server.start()
    found = ApiServer(server, port, health)
    try:
        yield found
    finally:
        with anyio.CancelScope(shield=True):
            await found.set_ready(False)
            await health.enter_graceful_shutdown()
            await server.stop(STOP_GRACE_S)


def _bind(server: grpc.aio.Server, address: str, tls: Tls | None) -> int:
    try:
        if tls is None:
            port = server.add_insecure_port(address)
        else:
            credentials = grpc.ssl_server_credentials(
                [(tls.key, tls.cert)],
                root_certificates=tls.client_ca,
                require_client_auth=tls.client_ca is not None,
            )
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise OSError(f"can't listen on {address}: {error}") from error
    if port == 0:
        raise OSError(f"can't listen on {address}")
    return port


def _register(server: grpc.aio.Server, desk: Desk, watcher: Watcher, health: Any, callers: Callers) -> None:
    connections_pb2_grpc.add_ConnectionsServicer_to_server(Connections(desk), server)
    blueprints_pb2_grpc.add_BlueprintsServicer_to_server(Blueprints(desk), server)
    links_pb2_grpc.add_LinksServicer_to_server(Links(desk, watcher), server)
    webhooks_pb2_grpc.add_WebhooksServicer_to_server(Webhooks(desk), server)
    settings_pb2_grpc.add_SettingsServicer_to_server(Settings(desk), server)
    streams_pb2_grpc.add_StreamsServicer_to_server(Streams(desk), server)
    accesses_pb2_grpc.add_AccessesServicer_to_server(Accesses(desk), server)
    proposals_pb2_grpc.add_ProposalsServicer_to_server(Proposals(desk), server)
    features_pb2_grpc.add_FeaturesServicer_to_server(Features(desk), server)
    runs_pb2_grpc.add_RunsServicer_to_server(Runs(desk), server)
    plans_pb2_grpc.add_PlansServicer_to_server(Plans(desk), server)
    records_pb2_grpc.add_RecordsServicer_to_server(Records(desk), server)
    rooms_pb2_grpc.add_ConflictsServicer_to_server(Conflicts(desk), server)
    rooms_pb2_grpc.add_AmbiguousServicer_to_server(Ambiguous(desk), server)
    rooms_pb2_grpc.add_QuarantineServicer_to_server(Quarantine(desk), server)
    documents_pb2_grpc.add_DocumentsServicer_to_server(Documents(desk), server)
    system_pb2_grpc.add_SystemServicer_to_server(System(desk, callers.forget), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)


def zero(metrics: Metrics) -> None:
    """The series of every method exist from the start."""
    for module in _MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                metrics.count("tandem_api_calls_total", (service.name, method.name, "OK"), 0)
