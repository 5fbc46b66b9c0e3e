"""The client: one channel, every service as an attribute, and runs as handles.

Must not: wrap what the stubs already say.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

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
from tandem_client.connection import Tls, open_channel
from tandem_client.runs import RunHandle, Watch

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

_FILES = (
    *(accesses_pb2, blueprints_pb2, connections_pb2, documents_pb2, features_pb2, links_pb2, plans_pb2),
    *(proposals_pb2, records_pb2, rooms_pb2, runs_pb2, settings_pb2, streams_pb2, system_pb2, webhooks_pb2),
)


def services() -> list[ServiceDescriptor]:
    """Every service of the API."""
    return [service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()]


class Tandem:
    """A connection to tandemd, to be used as `async with Tandem(...) as tandem`, created where the event loop runs.

    `address`: host:port, or unix:/path. `token`: sent with every call; without `tls` it travels in the clear.
    `timeout_s`: deadline of each call that names none itself; streams have none. Every call raises TandemError.
    """

    def __init__(
        self, address: str, *, token: str | None = None, tls: Tls | None = None, timeout_s: float = 30.0
    ) -> None:
        self._channel = open_channel(address, services=services(), token=token, tls=tls, timeout_s=timeout_s)
        self.connections = connections_pb2_grpc.ConnectionsStub(self._channel)
        self.blueprints = blueprints_pb2_grpc.BlueprintsStub(self._channel)
        self.links = links_pb2_grpc.LinksStub(self._channel)
        self.accesses = accesses_pb2_grpc.AccessesStub(self._channel)
        self.proposals = proposals_pb2_grpc.ProposalsStub(self._channel)
        self.features = features_pb2_grpc.FeaturesStub(self._channel)
        self.runs = runs_pb2_grpc.RunsStub(self._channel)
        self.plans = plans_pb2_grpc.PlansStub(self._channel)
        self.conflicts = rooms_pb2_grpc.ConflictsStub(self._channel)
        self.ambiguous = rooms_pb2_grpc.AmbiguousStub(self._channel)
        self.documents = documents_pb2_grpc.DocumentsStub(self._channel)
        self.quarantine = rooms_pb2_grpc.QuarantineStub(self._channel)
        self.records = records_pb2_grpc.RecordsStub(self._channel)
        self.settings = settings_pb2_grpc.SettingsStub(self._channel)
        self.streams = streams_pb2_grpc.StreamsStub(self._channel)
        self.webhooks = webhooks_pb2_grpc.WebhooksStub(self._channel)
        self.system = system_pb2_grpc.SystemStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        await self._channel.close()

    async def start_run(
        self,
        link: str,
        *,
        dry_run: bool = False,
        streams: Sequence[str] = (),
        scope: runs_pb2.Scope.ValueType = runs_pb2.SCOPE_UNSPECIFIED,
        tenant: str = "",
        watch: Watch | None = None,
    ) -> RunHandle:
        """Start a run of a link (id or name), or join the one of the same mode that is under way.

        `watch` is called with each state while `done()` waits.
        """
        request = runs_pb2.StartRunRequest(
            link=link, dry_run=dry_run, streams=streams, scope=scope, tenant=tenant
        )
        answer = await self.runs.StartRun(request)
        return RunHandle(self.runs, answer.run, already_running=answer.already_running, watch=watch)
