"""The Features service: a tenant asks, naming accounts; the provider enables. By account as the system names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clients.connectors.catalog import CATALOG
from daemon.api import access, convert, rules
from daemon.api.desk import Desk
from daemon.api.errors import not_found
from daemon.store.life_rows import FeatureRow
from tandem.v1 import features_pb2 as pb
from tandem.v1 import features_pb2_grpc


class Features(features_pb2_grpc.FeaturesServicer):
    """See proto/tandem/v1/features.proto."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def AskFeature(self, request: pb.AskFeatureRequest, context: Any) -> pb.ListFeaturesResponse:
        tenant = await self._desk.one_tenant(request.tenant)
        _refuse_unknown(request.connector)
        for named in dict.fromkeys(request.identities):
            await self._desk.life.ask_feature((request.connector, named), request.feature, tenant)
        accounts = [f"{request.connector}:{named}" for named in request.identities]
        await self._desk.audit("feature.ask", request.feature, tenant, accounts=accounts)
        return await self._of(request.connector, request.feature, request.identities)

    async def ListFeatures(self, request: pb.ListFeaturesRequest, context: Any) -> pb.ListFeaturesResponse:
        tenant = self._desk.visible(request.tenant)
        size = rules.page_size(request)
        found = await self._desk.life.list_features(tenant, request.only_asked, size, request.page_token)
        own = access.caller().tenant
        return pb.ListFeaturesResponse(
            features=[_shown(row, own) for row in found.rows], next_page_token=found.next_page
        )

    async def EnableFeature(self, request: pb.EnableFeatureRequest, context: Any) -> pb.ListFeaturesResponse:
        return await self._set(request, enabled=True)

    async def DisableFeature(
        self, request: pb.DisableFeatureRequest, context: Any
    ) -> pb.ListFeaturesResponse:
        return await self._set(request, enabled=False)

    async def _set(
        self, request: pb.EnableFeatureRequest | pb.DisableFeatureRequest, *, enabled: bool
    ) -> pb.ListFeaturesResponse:
        _refuse_unknown(request.connector)
        token = access.caller().token
        for named in dict.fromkeys(request.identities):
            await self._desk.life.set_feature((request.connector, named), request.feature, enabled, token)
        action = "feature.enable" if enabled else "feature.disable"
        accounts = [f"{request.connector}:{named}" for named in request.identities]
        await self._desk.audit(action, request.feature, accounts=accounts)
        return await self._of(request.connector, request.feature, request.identities)

    async def _of(self, connector: str, feature: str, identities: Sequence[str]) -> pb.ListFeaturesResponse:
        own = access.caller().tenant
        found = [
            _shown(row, own)
            for named in dict.fromkeys(identities)
            for row in await self._desk.life.features_of((connector, named))
            if row.feature == feature
        ]
        return pb.ListFeaturesResponse(features=found)


def _refuse_unknown(connector: str) -> None:
    if connector not in CATALOG:
        raise not_found("connector", connector, CATALOG)


def _shown(row: FeatureRow, own: str) -> pb.Feature:
    state = "enabled" if row.enabled else "asked" if row.asked else "disabled"
    return pb.Feature(
        feature=row.feature,
        connector=row.connector,
        identity=row.identity,
        state=state,
        asked_by=row.asked_by if own in ("", row.asked_by) else "",
        asked=convert.stamp(row.asked),
        enabled=convert.stamp(row.enabled),
    )
