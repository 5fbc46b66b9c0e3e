"""The Blueprints service: checking rules before anything is made of them."""

from __future__ import annotations

from typing import Any

from actors.core.blueprint.compiler import BlueprintError
from actors.core.blueprint.nodes import Faults, guess
from actors.core.policy import LinkSpec
from clients.connectors.catalog import CATALOG
from daemon import blueprints as builtin
from daemon.api import convert
from daemon.api.desk import Desk
from daemon.api.errors import not_found
from daemon.blueprints_yaml import parse
from tandem.v1 import blueprints_pb2 as pb
from tandem.v1 import blueprints_pb2_grpc


class Blueprints(blueprints_pb2_grpc.BlueprintsServicer):
    """See proto/tandem/v1/blueprints.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CheckBlueprint(
        self, request: pb.CheckBlueprintRequest, context: Any
    ) -> pb.CheckBlueprintResponse:
        text = builtin.given(request.blueprint)
        try:
            spec = self._desk.blueprints.load(text)
            _refuse_unknown(text, spec)
        except BlueprintError as error:
            return pb.CheckBlueprintResponse(faults=convert.faults(error))
        return pb.CheckBlueprintResponse(streams=[stream.name for stream in spec.streams])

    async def ListBlueprints(
        self, request: pb.ListBlueprintsRequest, context: Any
    ) -> pb.ListBlueprintsResponse:
        return pb.ListBlueprintsResponse(blueprints=[self._shown(name) for name in builtin.names()])

    async def GetBlueprint(self, request: pb.GetBlueprintRequest, context: Any) -> pb.Blueprint:
        if request.name not in builtin.names():
            raise not_found("blueprint", request.name, builtin.names())
        found = self._shown(request.name)
        found.text = builtin.text(request.name)
        return found

    def _shown(self, name: str) -> pb.Blueprint:
        spec = self._desk.blueprints.load(builtin.text(name))
        return pb.Blueprint(
            name=name,
            description=spec.description,
            version=spec.version,
            a=spec.a_connector,
            b=spec.b_connector,
            streams=[stream.name for stream in spec.streams],
        )


def _refuse_unknown(text: str, spec: LinkSpec) -> None:
    """Raise `BlueprintError` where a side names a connector that this daemon has not: no link could be made of it."""
    faults = Faults(parse(text)[1])
    for side, connector in (("a", spec.a_connector), ("b", spec.b_connector)):
        if connector not in CATALOG:
            said = f"there is no connector {connector!r}{guess(connector, CATALOG)}; known are {', '.join(sorted(CATALOG))}"
            faults.add((side, "connector"), said)
    faults.check()
