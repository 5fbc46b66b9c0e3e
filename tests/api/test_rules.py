"""Rules of requests: every field of every request has one, and each says what is wrong in words."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from daemon.api import rules
from daemon.api.errors import ApiError
from tandem.v1 import (
    accesses_pb2,
    blueprints_pb2,
    common_pb2,
    connections_pb2,
    documents_pb2,
    features_pb2,
    links_pb2,
    plans_pb2,
    proposals_pb2,
    records_pb2,
    rooms_pb2,
    runs_pb2,
    settings_pb2,
    streams_pb2,
    system_pb2,
    webhooks_pb2,
)

MODULES = (
    *(accesses_pb2, blueprints_pb2, connections_pb2, documents_pb2, features_pb2, links_pb2, plans_pb2),
    *(proposals_pb2, records_pb2, rooms_pb2, runs_pb2, settings_pb2, streams_pb2, system_pb2, webhooks_pb2),
)


def requests() -> dict[str, Any]:
    """Every type of request that a service of ours takes."""
    return {
        method.input_type.name: method.input_type
        for module in MODULES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def faults(request: Any) -> dict[str, str]:
    with pytest.raises(ApiError) as caught:
        rules.check(request)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    return {one.field: one.message for one in caught.value.violations}


def test_every_field_of_every_request_has_a_rule() -> None:
    expected = {name: set(kind.fields_by_name) for name, kind in requests().items()}
    assert {name: set(found) for name, found in rules.RULES.items()} == expected


def test_all_faults_of_a_request_come_at_once() -> None:
    found = faults(links_pb2.CreateLinkRequest(tenant="No Good", name=" x", b="y"))
    assert set(found) == {"tenant", "name", "a", "blueprint"}
    assert found["a"] == "is required"


@pytest.mark.parametrize(
    "request_, field",
    [
        (links_pb2.GetLinkRequest(link="x" * 101), "link"),
        (links_pb2.GetLinkRequest(link="a\nb"), "link"),
        (links_pb2.ListLinksRequest(page_size=-1), "page_size"),
        (links_pb2.ListLinksRequest(page_size=1001), "page_size"),
        (records_pb2.GetRecordRequest(link="l", stream="s", id="1"), "side"),
        (records_pb2.GetRecordRequest(link="l", stream="s", id="1", side=9), "side"),  # type: ignore[arg-type]
        (runs_pb2.StartRunRequest(link="l", scope=77), "scope"),  # type: ignore[arg-type]
        (runs_pb2.StartRunRequest(link="l", streams=[""]), "streams"),
        (runs_pb2.ListRunItemsRequest(run="r", state="nonsense"), "state"),
        (plans_pb2.ApprovePlanRequest(plan="p"), "revision"),
        (rooms_pb2.ResolveConflictRequest(id=1, choose="c"), "choose"),
        (rooms_pb2.ListParkedRequest(link="l", room="kitchen"), "room"),
        (system_pb2.CreateTenantRequest(id="Acme"), "id"),
        (system_pb2.CreateTenantRequest(id="-acme"), "id"),
        (system_pb2.CreateTokenRequest(name="x"), "role"),
        (
            system_pb2.CreateTokenRequest(name="x", role=system_pb2.ROLE_ADMIN, ttl=Duration(seconds=-5)),
            "ttl",
        ),
        (connections_pb2.CreateConnectionRequest(name="a/b", connector="csv"), "name"),
    ],
)
def test_what_is_refused(request_: Any, field: str) -> None:
    assert set(faults(request_)) == {field}


@pytest.mark.parametrize(
    "request_",
    [
        links_pb2.GetLinkRequest(link="orders"),
        links_pb2.ListLinksRequest(),
        records_pb2.GetRecordRequest(link="l", stream="s", id="ü 1/2", side=common_pb2.SIDE_A),
        runs_pb2.StartRunRequest(link="l", streams=["a", "b"], dry_run=True),
        system_pb2.CreateTenantRequest(id="a"),
        system_pb2.DrainRequest(timeout=Duration(seconds=5)),
        connections_pb2.ListConnectorsRequest(),
    ],
)
def test_what_is_sound(request_: Any) -> None:
    rules.check(request_)
    assert rules.RULES[request_.DESCRIPTOR.name] is not None
