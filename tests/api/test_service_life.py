"""Accesses, proposals, features and preparations over real sockets: what is refused, and that nothing is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tandem.v1 import (
    accesses_pb2,
    accesses_pb2_grpc,
    connections_pb2,
    features_pb2,
    features_pb2_grpc,
    links_pb2,
    proposals_pb2,
    proposals_pb2_grpc,
)
from tests.api.world import BLUEPRINT, Client, csv_settings, folders, struct

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]
CONSENT = BLUEPRINT.replace("streams:", "setup: {handshake: true, proposed_by: b}\nstreams:")


@pytest.fixture
async def other(admin: Client, tmp_path: Path) -> tuple[str, Path]:
    """Another tenant with an account of its own, and its folder."""
    tenant = await admin.tenant()
    a, _ = folders(tmp_path / "other")
    await admin.connection(tenant, "theirs", a)
    return tenant, a


def accesses(client: Client) -> Any:
    return accesses_pb2_grpc.AccessesStub(client.channel)


def proposals(client: Client) -> Any:
    return proposals_pb2_grpc.ProposalsStub(client.channel)


def features(client: Client) -> Any:
    return features_pb2_grpc.FeaturesStub(client.channel)


async def test_a_link_that_needs_consent_is_not_just_made(admin: Client, tenant: str, pair: Pair) -> None:
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=CONSENT)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "HANDSHAKE")
    assert "proposals create" in refused.hint


@pytest.mark.parametrize(
    "fields, code, said",
    [
        ({"mode": 9}, "INVALID_ARGUMENT", "mode"),
        ({"mode": 0}, "INVALID_ARGUMENT", "mode"),
        ({"other": struct({})}, "INVALID_ARGUMENT", "other"),
        ({"connector": "cvs"}, "NOT_FOUND", "cvs"),
        ({"other": struct({"path": "/nowhere/at/all"})}, "FAILED_PRECONDITION", "/nowhere/at/all"),
        ({"other": struct({"pfad": "x"})}, "FAILED_PRECONDITION", "pfad"),
        ({"connection": "nobody"}, "NOT_FOUND", "nobody"),
    ],
)
async def test_an_access_that_is_asked_for_wrongly_is_refused_and_nothing_stays(
    admin: Client,
    tenant: str,
    pair: Pair,
    other: tuple[str, Path],
    fields: dict[str, Any],
    code: str,
    said: str,
) -> None:
    sound: dict[str, Any] = {
        "tenant": tenant,
        "connection": "a",
        "mode": 1,
        "other": struct(csv_settings(other[1])),
    }
    refused = await admin.refused(
        accesses(admin).CreateAccess, accesses_pb2.CreateAccessRequest(**{**sound, **fields})
    )
    assert refused.code == code
    assert said in refused.message or said in dict(refused.violations)
    listed = await admin(accesses(admin).ListAccesses, accesses_pb2.ListAccessesRequest(tenant=tenant))
    assert list(listed.accesses) == []
    made = await admin(accesses(admin).CreateAccess, accesses_pb2.CreateAccessRequest(**sound))
    assert made.other.tenant == other[0]


async def test_a_proposal_is_made_from_the_right_side_by_an_admin_with_known_settings(
    admin: Client, tenant: str, pair: Pair, other: tuple[str, Path]
) -> None:
    sound: dict[str, Any] = {
        "tenant": tenant,
        "name": "x",
        "connection": "b",
        "blueprint": CONSENT,
        "other": struct(csv_settings(other[1])),
    }

    async def refused(by: Client, **fields: Any) -> Any:
        request = proposals_pb2.CreateProposalRequest(**{**sound, **fields})
        return await by.refused(proposals(by).CreateProposal, request)

    assert (await refused(admin, side=1)).reason == "NOT_YOURS_TO_PROPOSE"
    assert (await refused(admin, blueprint="blueprint: x")).code == "INVALID_ARGUMENT"
    assert (await refused(admin, override=True)).reason == "NO_CUSTOM_SETUP"
    assert (await refused(await admin.token("operator", tenant))).code == "PERMISSION_DENIED"
    assert (await refused(await admin.token("admin", other[0]))).code == "NOT_FOUND"
    assert (await refused(admin, other=struct(csv_settings(pair[1])))).reason == "ONE_ACCOUNT"
    made = await admin(proposals(admin).CreateProposal, proposals_pb2.CreateProposalRequest(**sound))
    assert (made.state, made.proposer.name, made.addressee.name) == ("requested", "b", "theirs")
    theirs = await admin.token("admin", other[0])
    for step, reason in (("WithdrawProposal", "NO_STEP"), ("DeclineProposal", "")):
        request = getattr(proposals_pb2, f"{step}Request")(proposal=made.id)
        if reason:
            assert (await theirs.refused(getattr(proposals(theirs), step), request)).reason == reason
        else:
            assert (await theirs(getattr(proposals(theirs), step), request)).state == "declined"
    again = proposals_pb2.ConfirmProposalRequest(proposal=made.id, other=struct(csv_settings(pair[1])))
    ended = await theirs.refused(proposals(theirs).ConfirmProposal, again)
    assert ended.reason == "NO_STEP" and "it is declined" in ended.message


async def test_a_connection_that_something_rests_on_is_not_deleted(
    admin: Client, tenant: str, pair: Pair, other: tuple[str, Path]
) -> None:
    request = accesses_pb2.CreateAccessRequest(
        tenant=tenant,
        connection="a",
        mode=accesses_pb2.ACCESS_MODE_BOTH,
        other=struct(csv_settings(other[1])),
    )
    made = await admin(accesses(admin).CreateAccess, request)
    delete = connections_pb2.DeleteConnectionRequest(connection="a", tenant=tenant)
    refused = await admin.refused(admin.connections.DeleteConnection, delete)
    assert refused.code == "FAILED_PRECONDITION" and made.id in refused.message
    gone = accesses_pb2.DeleteAccessRequest(access=made.id, connection="a")
    await admin(accesses(admin).DeleteAccess, gone)
    await admin(admin.connections.DeleteConnection, delete)


@pytest.mark.parametrize("text", ["", "tdg_", "tdg_x.y", "tdm_a_b", "tdg_" + "A" * 5000, "tdg_\u00e4.\u00e4"])
async def test_what_is_no_grant_opens_nothing(admin: Client, text: str) -> None:
    refused = await admin.refused(accesses(admin).CheckGrant, accesses_pb2.CheckGrantRequest(grant=text))
    assert refused.code in ("PERMISSION_DENIED", "INVALID_ARGUMENT")


async def test_features_are_asked_for_and_enabled_by_those_who_may(admin: Client, tenant: str) -> None:
    mine = await admin.token("admin", tenant)
    for stub, request, code in (
        ("AskFeature", features_pb2.AskFeatureRequest(feature="x", connector="csv"), "INVALID_ARGUMENT"),
        (
            "AskFeature",
            features_pb2.AskFeatureRequest(feature="x", connector="cvs", identities=["1"]),
            "NOT_FOUND",
        ),
        (
            "EnableFeature",
            features_pb2.EnableFeatureRequest(feature="x", connector="csv", identities=["1"]),
            "PERMISSION_DENIED",
        ),
    ):
        assert (await mine.refused(getattr(features(mine), stub), request)).code == code


async def test_what_is_asked_for_is_not_made_up(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant, paused=True)
    assert (link.establishment, link.a_role, link.kind) == ("established", "peer", "people")
    request = links_pb2.PrepareLinkRequest(link=link.id, settings=struct({"journal": "x"}))
    refused = await admin.refused(admin.links.PrepareLink, request)
    assert refused.code == "INVALID_ARGUMENT" and "settings.journal" in dict(refused.violations)
    found = await admin(admin.links.ListPreparations, links_pb2.ListPreparationsRequest(link=link.id))
    assert list(found.preparations) == []
    off = await admin(admin.links.DeactivateLink, links_pb2.DeactivateLinkRequest(link=link.id))
    assert off.state == "off"
    on = await admin(admin.links.ActivateLink, links_pb2.ActivateLinkRequest(link=link.id))
    assert on.state == "paused"  # the pause survived
