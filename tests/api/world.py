"""What the tests of the API work with: stubs of every service, tokens, two folders of CSV files and a blueprint for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tandem.v1 import (
    blueprints_pb2_grpc,
    connections_pb2,
    connections_pb2_grpc,
    links_pb2,
    links_pb2_grpc,
    plans_pb2_grpc,
    records_pb2_grpc,
    rooms_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    settings_pb2_grpc,
    streams_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    webhooks_pb2_grpc,
)
from tests.daemon.process import DaemonProcess

_NUMBERS = count(1)
TIMEOUT_S = 30.0
BLUEPRINT = """\
blueprint: people
version: 1
a: {connector: csv, poll: 1s}
b: {connector: csv, poll: 1s}
streams:
  people:
    kind: master
    a: people
    b: kunden
    complete_read: 1h
    match: [[number]]
    creates: [a]
    first_contact: a
    fields:
      number: {a: nr, b: nr, owner: a}
      name: {a: name, b: name, conflict: ask}
      city: {a: city, b: ort, conflict: ask}
"""


class Client:
    """Stubs that carry one token. Requests are given as messages."""

    def __init__(self, channel: grpc.aio.Channel, token: str = "") -> None:
        self.channel = channel
        self.id = token.split("_")[1] if "_" in token else ""
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self.connections: Any = connections_pb2_grpc.ConnectionsStub(channel)
        self.webhooks: Any = webhooks_pb2_grpc.WebhooksStub(channel)
        self.settings: Any = settings_pb2_grpc.SettingsStub(channel)
        self.streams: Any = streams_pb2_grpc.StreamsStub(channel)
        self.blueprints: Any = blueprints_pb2_grpc.BlueprintsStub(channel)
        self.links: Any = links_pb2_grpc.LinksStub(channel)
        self.runs: Any = runs_pb2_grpc.RunsStub(channel)
        self.plans: Any = plans_pb2_grpc.PlansStub(channel)
        self.records: Any = records_pb2_grpc.RecordsStub(channel)
        self.conflicts: Any = rooms_pb2_grpc.ConflictsStub(channel)
        self.ambiguous: Any = rooms_pb2_grpc.AmbiguousStub(channel)
        self.quarantine: Any = rooms_pb2_grpc.QuarantineStub(channel)
        self.system: Any = system_pb2_grpc.SystemStub(channel)

    async def __call__(self, method: Any, request: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """Call a unary method."""
        return await method(request, metadata=self.metadata, timeout=timeout_s)

    async def refused(self, method: Any, request: Any) -> Refused:
        """Call a unary method that has to fail."""
        try:
            answer = await self(method, request)
        except grpc.aio.AioRpcError as error:
            return Refused(error)
        raise AssertionError(f"it was not refused: {answer}")

    def as_token(self, token: str) -> Client:
        """The same with another token."""
        return Client(self.channel, token)

    # ------------------------------------------------------------------------------------------------ shortcuts

    async def tenant(self) -> str:
        """A fresh tenant."""
        id_ = f"tenant-{next(_NUMBERS)}"
        await self(self.system.CreateTenant, system_pb2.CreateTenantRequest(id=id_))
        return id_

    async def token(self, role: str, tenant: str = "") -> Client:
        """A client with a fresh token of this role."""
        number = system_pb2.Role.Value(f"ROLE_{role.upper()}")
        request = system_pb2.CreateTokenRequest(name=f"t{next(_NUMBERS)}", role=number, tenant=tenant)
        return self.as_token((await self(self.system.CreateToken, request)).token)

    async def connection(self, tenant: str, name: str, folder: Path) -> connections_pb2.Connection:
        """A CSV connection."""
        request = connections_pb2.CreateConnectionRequest(
            tenant=tenant, name=name, connector="csv", settings=struct(csv_settings(folder))
        )
        found: connections_pb2.Connection = await self(self.connections.CreateConnection, request)
        return found

    async def link(self, tenant: str, name: str = "people", **fields: Any) -> links_pb2.Link:
        """A link between connections a and b."""
        request = links_pb2.CreateLinkRequest(
            **{"tenant": tenant, "name": name, "a": "a", "b": "b", "blueprint": BLUEPRINT, **fields}
        )
        found: links_pb2.Link = await self(self.links.CreateLink, request)
        return found

    async def watched(self, run: str) -> list[runs_pb2.Run]:
        """Every message of a run until its end."""
        call = self.runs.WatchRun(
            runs_pb2.WatchRunRequest(run=run), metadata=self.metadata, timeout=TIMEOUT_S
        )
        return [message async for message in call]


class Refused:
    """A refusal and its details."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code().name
        self.message = error.details() or ""
        status: Any = rpc_status.from_call(error)
        self.reason, self.hint = "", ""
        self.metadata: dict[str, str] = {}
        self.violations: list[tuple[str, str]] = []
        for packed in status.details if status is not None else ():
            self._take(packed)

    def _take(self, packed: Any) -> None:
        info, words = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage()
        bad = error_details_pb2.BadRequest()
        if packed.Unpack(info):
            assert info.domain == "tandem"
            self.reason, self.metadata = info.reason, dict(info.metadata)
        elif packed.Unpack(words):
            assert words.locale == "en"
            self.hint = words.message
        elif packed.Unpack(bad):
            self.violations = [(one.field, one.description) for one in bad.field_violations]


@asynccontextmanager
async def client(daemon: DaemonProcess) -> AsyncIterator[Client]:
    """An admin's client."""
    async with grpc.aio.insecure_channel(daemon.grpc) as channel:
        yield Client(channel, daemon.token)


def struct(values: Mapping[str, Any]) -> Struct:
    return json_format.ParseDict(dict(values), Struct())


def csv_settings(folder: Path) -> dict[str, Any]:
    return {"path": str(folder), "quiet_s": 0}


def folders(base: Path, rows: Sequence[tuple[str, str, str]] = (("1", "Ann", "Bonn"),)) -> tuple[Path, Path]:
    """Side a with these people, side b without any."""
    a, b = base / "a", base / "b"
    a.mkdir(parents=True)
    b.mkdir()
    lines = ["nr;name;city", *(";".join(row) for row in rows)]
    (a / "people.csv").write_text("\n".join(lines) + "\n")
    (b / "kunden.csv").write_text("nr;name;ort\n")
    return a, b
