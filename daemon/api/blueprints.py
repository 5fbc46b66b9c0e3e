"""The Blueprints service: checking rules before anything is made of them."""

from __future__ import annotations

from typing import Any

from actors.core.blueprint import BlueprintError
from daemon.api import convert
from daemon.api.desk import Desk
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
            spec = self._desk.blueprints.load(request.blueprint)
        except BlueprintError as error:
            return pb.CheckBlueprintResponse(faults=convert.faults(error))
        return pb.CheckBlueprintResponse(streams=[stream.name for stream in spec.streams])
