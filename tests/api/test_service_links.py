"""Links over real sockets: a blueprint is sound, fits both accounts, and nothing is linked twice."""

from __future__ import annotations

from pathlib import Path

import anyio
import grpc
import pytest

from tandem.v1 import (
    blueprints_pb2,
    links_pb2,
    runs_pb2,
)
from tests.api.world import BLUEPRINT, Client

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]


async def test_a_blueprint_is_checked_with_all_its_faults_and_lines(
    admin: Client, tenant: str, pair: Pair
) -> None:
    bad = BLUEPRINT.replace("kind: master", "kind: mastre").replace("owner: a}", "owner: c}")
    found = await admin(admin.blueprints.CheckBlueprint, blueprints_pb2.CheckBlueprintRequest(blueprint=bad))
    assert {one.line for one in found.faults} == {7, 15}
    refused = await admin.refused(
        admin.links.CreateLink,
        links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=bad),
    )
    assert refused.code == "INVALID_ARGUMENT"
    assert {field for field, _ in refused.violations} == {"blueprint:7", "blueprint:15"}
    sound = await admin(
        admin.blueprints.CheckBlueprint, blueprints_pb2.CheckBlueprintRequest(blueprint=BLUEPRINT)
    )
    assert (list(sound.streams), list(sound.faults)) == (["people"], [])


async def test_a_blueprint_that_does_not_fit_lists_all_that_is_missing(
    admin: Client, tenant: str, pair: Pair
) -> None:
    bad = (
        BLUEPRINT.replace("b: kunden", "b: kunde").replace("a: city", "a: town").replace("a: name", "a: nom")
    )
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=bad)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "BLUEPRINT_DOES_NOT_FIT")
    assert {field for field, _ in refused.violations} == {
        "streams.people.b",
        "streams.people.fields.name.a",
        "streams.people.fields.city.a",
    }
    assert "kunden" in dict(refused.violations)["streams.people.b"]


async def test_connections_must_be_of_the_kinds_that_the_blueprint_names(
    admin: Client, tenant: str, pair: Pair
) -> None:
    other = BLUEPRINT.replace("b: {connector: csv", "b: {connector: memory")
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="b", blueprint=other)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.reason, refused.violations[0][0]) == ("OTHER_CONNECTOR", "b")


async def test_an_account_is_not_linked_with_itself(admin: Client, tenant: str, pair: Pair) -> None:
    blueprint = BLUEPRINT.replace("b: kunden", "b: people").replace("b: ort", "b: city")
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="x", a="a", b="a", blueprint=blueprint)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "ONE_ACCOUNT")


async def test_the_same_records_are_not_linked_twice_either_way_round(
    admin: Client, tenant: str, pair: Pair
) -> None:
    await admin.link(tenant, "first", paused=True)
    turned = """\
blueprint: turned
version: 1
a: {connector: csv}
b: {connector: csv}
streams:
  people:
    kind: master
    a: kunden
    b: people
    complete_read: 1h
    match: [[number]]
    fields: {number: {a: nr, b: nr, owner: b}}
"""
    for a, b, blueprint in (("a", "b", BLUEPRINT), ("b", "a", turned)):
        request = links_pb2.CreateLinkRequest(tenant=tenant, name="second", a=a, b=b, blueprint=blueprint)
        refused = await admin.refused(admin.links.CreateLink, request)
        assert (refused.code, refused.metadata["link"]) == ("ALREADY_EXISTS", "first")


async def test_of_two_who_link_the_same_records_at_the_same_moment_one_is_refused(
    admin: Client, tenant: str, pair: Pair
) -> None:
    made: list[str] = []
    refused: list[str] = []

    async def create(name: str) -> None:
        request = links_pb2.CreateLinkRequest(
            tenant=tenant, name=name, a="a", b="b", blueprint=BLUEPRINT, paused=True
        )
        try:
            made.append((await admin(admin.links.CreateLink, request)).name)
        except grpc.aio.AioRpcError as error:
            refused.append(error.code().name)

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(create, f"link-{number}")
    assert len(made) == 1
    assert len(refused) == 5 and set(refused) <= {"ALREADY_EXISTS", "FAILED_PRECONDITION"}


async def test_a_ring_is_refused_naming_the_other_links(
    admin: Client, tenant: str, pair: Pair, tmp_path: Path
) -> None:
    third = tmp_path / "third"
    third.mkdir()
    (third / "people.csv").write_text("nr;name;city\n")
    (third / "kunden.csv").write_text("nr;name;ort\n")
    (pair[1] / "people.csv").write_text("nr;name;city\n")
    await admin.connection(tenant, "c", third)
    same = BLUEPRINT.replace("a: people\n    b: kunden", "a: people\n    b: people").replace(
        "b: ort", "b: city"
    )
    await admin.link(tenant, "first", blueprint=same, paused=True)
    await admin.link(tenant, "second", a="b", b="c", blueprint=same, paused=True)
    request = links_pb2.CreateLinkRequest(tenant=tenant, name="third", a="c", b="a", blueprint=same)
    refused = await admin.refused(admin.links.CreateLink, request)
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "RING")
    assert "first" in refused.message and "second" in refused.message
    request = links_pb2.CreateLinkRequest(
        tenant=tenant, name="third", a="a", b="c", blueprint=BLUEPRINT, paused=True
    )
    assert (await admin(admin.links.CreateLink, request)).name == "third"  # other objects: no ring


async def test_connections_of_another_tenant_do_not_exist_for_a_link(
    admin: Client, tenant: str, pair: Pair
) -> None:
    other = await admin.tenant()
    request = links_pb2.CreateLinkRequest(tenant=other, name="x", a="a", b="b", blueprint=BLUEPRINT)
    assert (await admin.refused(admin.links.CreateLink, request)).code == "NOT_FOUND"


async def test_pause_survives_and_a_paused_link_starts_no_run(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant, paused=True)
    assert link.state == "paused"
    refused = await admin.refused(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "PAUSED")
    assert "resume people" in refused.hint
    resumed = await admin(admin.links.ResumeLink, links_pb2.ResumeLinkRequest(link=link.id))
    assert resumed.state != "paused"
    assert (await admin(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=link.id))).state == "paused"
