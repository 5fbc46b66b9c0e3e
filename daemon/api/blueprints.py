"""The Blueprints service: checking rules before anything is made of them."""

from __future__ import annotations

from typing import Any

from actors.core.blueprint import BlueprintError
from daemon import blueprints as builtin
from daemon.api import convert
from daemon.api.desk import Desk
from daemon.api.errors import not_found
from tandem.v1 import blueprints_pb2 as pb
from tandem.v1 import blueprints_pb2_grpc


class Blueprints(blueprints_pb2_grpc.BlueprintsServicer):
    """See proto/tandem/v1/blueprints.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CheckBlueprint(
        self, request: pb.CheckBlueprintRequest, context: Any
    ) -> pb.CheckBlueprintResponse:
        try:
            spec = self._desk.blueprints.load(builtin.given(request.blueprint))
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
