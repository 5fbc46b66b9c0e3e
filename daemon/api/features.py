"""The Features service: a tenant asks, naming accounts; the provider enables. By account as the system names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clients.connectors.catalog import CATALOG
from daemon.api import access, convert, rules
from daemon.api.desk import Desk
from daemon.api.errors import not_found
from daemon.store.life_rows import FeatureRow
from daemon.store.rows import ConnectionInfo
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
        return pb.ListFeaturesResponse(
            features=await self._shown(found.rows), next_page_token=found.next_page
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
        found = [
            row
            for named in dict.fromkeys(identities)
            for row in await self._desk.life.features_of((connector, named))
            if row.feature == feature
        ]
        return pb.ListFeaturesResponse(features=await self._shown(found))

    async def _shown(self, rows: Sequence[FeatureRow]) -> list[pb.Feature]:
        """With the accounts by their names, as far as the caller may know them."""
        who = access.caller()
        known = await self._desk.life.accounts_named([(row.connector, row.identity) for row in rows])
        return [
            _message(
                row,
                who.tenant,
                [one for one in known.get((row.connector, row.identity), ()) if who.sees(one.tenant)],
            )
            for row in rows
        ]


def _refuse_unknown(connector: str) -> None:
    if connector not in CATALOG:
        raise not_found("connector", connector, CATALOG)


def _message(row: FeatureRow, own: str, accounts: Sequence[ConnectionInfo]) -> pb.Feature:
    state = "enabled" if row.enabled else "asked" if row.asked else "disabled"
    return pb.Feature(
        feature=row.feature,
        connector=row.connector,
        identity=row.identity,
        state=state,
        asked_by=row.asked_by if own in ("", row.asked_by) else "",
        asked=convert.stamp(row.asked),
        enabled=convert.stamp(row.enabled),
        accounts=map(convert.account, accounts),
    )
