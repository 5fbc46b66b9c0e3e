"""Runs, plans, rooms and records over real sockets, with the real engine behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tandem.v1 import (
    common_pb2,
    connections_pb2,
    links_pb2,
    plans_pb2,
    records_pb2,
    rooms_pb2,
    runs_pb2,
    system_pb2,
)
from tests.api.world import BLUEPRINT, Client
from tests.daemon.process import DaemonProcess, eventually

pytestmark = pytest.mark.anyio
Pair = tuple[Path, Path]


async def test_a_run_is_watched_to_its_end_and_its_protocol_says_what_was_done(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)

    async def arrived() -> bool:
        return "Bob" in (pair[1] / "kunden.csv").read_text()

    await eventually(arrived)
    started = await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id))
    messages = await admin.watched(started.run.id)
    assert messages[-1].outcome in {"nothing_new", "succeeded"} and messages[-1].ended.seconds
    assert all(one.outcome in {"queued", "running"} for one in messages[:-1])
    runs = await admin(admin.runs.ListRuns, runs_pb2.ListRunsRequest(link=link.id))
    assert started.run.id in [one.id for one in runs.runs]
    items = []
    for run in runs.runs:
        found = await admin(admin.runs.ListRunItems, runs_pb2.ListRunItemsRequest(run=run.id))
        items += [one for one in found.items if one.op == "create"]
    assert {one.origin for one in items} == {"1", "2"} and {one.side for one in items} == {common_pb2.SIDE_B}
    record = records_pb2.GetRecordRequest(link=link.id, stream="people", side=common_pb2.SIDE_A, id="1")
    binding = await admin(admin.records.GetRecord, record)
    assert binding.base["name"].value.string_value == "Ann" and binding.state == "settled"
    shown = await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))
    assert shown.bindings == 2 and shown.loaded
    assert all(look.looked.seconds for look in shown.looks) and len(shown.looks) == 2


async def test_a_second_start_is_answered_with_the_first(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant)
    answers = [await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id)) for _ in range(5)]
    assert any(one.already_running for one in answers)
    for id_ in {one.run.id for one in answers}:
        assert (await admin.watched(id_))[-1].outcome
    runs = (await admin(admin.runs.ListRuns, runs_pb2.ListRunsRequest(link=link.id))).runs
    asked_for = {one.id for one in runs if one.cause == "command"}
    assert asked_for == {one.run.id for one in answers if not one.already_running}


async def test_a_scope_or_stream_that_is_not_there_is_refused(admin: Client, tenant: str, pair: Pair) -> None:
    link = await admin.link(tenant)
    for request, field in (
        (runs_pb2.StartRunRequest(link=link.id, streams=["persons"]), "streams"),
        (runs_pb2.StartRunRequest(link=link.id, scope=runs_pb2.SCOPE_DOCUMENT), "scope"),
    ):
        refused = await admin.refused(admin.runs.StartRun, request)
        assert (refused.code, refused.violations[0][0]) == ("INVALID_ARGUMENT", field)
    started = await admin(
        admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id, scope=runs_pb2.SCOPE_MASTER)
    )
    assert list(started.run.streams) in (["people"], [])


async def test_a_dry_run_makes_a_plan_that_can_be_read_and_rejected(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)

    async def settled() -> bool:
        shown = await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))
        return bool(shown.bindings == 2 and shown.loaded)

    await eventually(settled)
    runs = await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id, dry_run=True))
    assert (await admin.watched(runs.run.id))[-1].mode == "plan"
    listed = await admin(admin.plans.ListPlans, plans_pb2.ListPlansRequest(link=link.id))
    for plan in listed.plans:
        shown = await admin(admin.plans.GetPlan, plans_pb2.GetPlanRequest(plan=plan.id))
        assert (shown.id, shown.link) == (plan.id, link.id)
        actions = await admin(admin.plans.ListPlanActions, plans_pb2.ListPlanActionsRequest(plan=plan.id))
        assert len(actions.actions) == shown.actions
        if shown.state == "open":
            refused = await admin.refused(
                admin.plans.ApprovePlan, plans_pb2.ApprovePlanRequest(plan=plan.id, revision=999)
            )
            assert refused.code == "FAILED_PRECONDITION"
            rejected = await admin(admin.plans.RejectPlan, plans_pb2.RejectPlanRequest(plan=plan.id))
            assert rejected.state == "rejected"


async def test_a_conflict_is_listed_with_both_values_and_resolved_by_a_person(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)

    async def settled() -> bool:
        return "Bob" in (pair[1] / "kunden.csv").read_text()

    await eventually(settled)
    await admin(admin.links.PauseLink, links_pb2.PauseLinkRequest(link=link.id))

    async def at_rest() -> bool:
        return not (await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))).run

    await eventually(at_rest)
    for path, town in ((pair[0] / "people.csv", "Kiel"), (pair[1] / "kunden.csv", "Jena")):
        path.write_text(path.read_text().replace("Bonn", town))
    await admin(admin.links.ResumeLink, links_pb2.ResumeLinkRequest(link=link.id))
    list_ = rooms_pb2.ListConflictsRequest(link=link.id)

    async def conflicts() -> Any:
        return (await admin(admin.conflicts.ListConflicts, list_)).conflicts

    (conflict,) = await eventually(conflicts)
    assert (conflict.field, conflict.room) == ("city", "conflict")
    retry = rooms_pb2.RetryParkedRequest(id=conflict.id)
    assert (await admin.refused(admin.quarantine.RetryParked, retry)).reason == "CONFLICT"
    incomplete = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="value")
    assert (await admin.refused(admin.conflicts.ResolveConflict, incomplete)).violations[0][0] == "value"
    both = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="b")
    both.value.string_value = "a third one"
    assert (await admin.refused(admin.conflicts.ResolveConflict, both)).violations[0][0] == "value"
    stale = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="b", fingerprint="of other values")
    refused = await admin.refused(admin.conflicts.ResolveConflict, stale)
    assert (refused.code, "changed meanwhile" in refused.message) == ("FAILED_PRECONDITION", True)
    decided = await admin(
        admin.conflicts.ResolveConflict,
        rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="b", fingerprint=conflict.fingerprint),
    )
    assert decided.decision == "b"

    async def resolved() -> bool:
        return "Jena" in (pair[0] / "people.csv").read_text() and not await conflicts()

    await eventually(resolved)
    empty = await admin(admin.quarantine.ListParked, rooms_pb2.ListParkedRequest(link=link.id))
    assert not empty.parked


async def test_a_word_that_would_count_for_nothing_is_refused_with_the_way_out(
    admin: Client, tenant: str, pair: Pair
) -> None:
    """What side a owns, and b sets back each time."""
    rules = BLUEPRINT.replace("version: 1", "version: 1\nbreaker: 1")
    rules = rules.replace("city: {a: city, b: ort, conflict: ask}", "city: {a: city, b: ort, owner: a}")
    link = await admin.link(tenant, blueprint=rules)
    theirs = pair[1] / "kunden.csv"

    async def settled() -> bool:
        return "Bonn" in theirs.read_text()

    async def conflicts() -> Any:
        list_ = rooms_pb2.ListConflictsRequest(link=link.id)
        return (await admin(admin.conflicts.ListConflicts, list_)).conflicts

    await eventually(settled)
    theirs.write_text(theirs.read_text().replace("Bonn", "Jena"))
    await eventually(settled)
    theirs.write_text(theirs.read_text().replace("Bonn", "Jena"))
    (conflict,) = await eventually(conflicts)
    for choose in ("b", "value", "keep"):
        request = rooms_pb2.ResolveConflictRequest(id=conflict.id, choose=choose)
        if choose == "value":
            request.value.string_value = "Kiel"
        refused = await admin.refused(admin.conflicts.ResolveConflict, request)
        assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "COUNTS_FOR_NOTHING")
        assert "choose a" in refused.hint
    await admin(admin.conflicts.ResolveConflict, rooms_pb2.ResolveConflictRequest(id=conflict.id, choose="a"))
    await eventually(settled)


async def test_a_record_that_is_not_known_and_a_stream_that_is_not_there(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant, paused=True)
    record = records_pb2.GetRecordRequest(link=link.id, stream="people", side=common_pb2.SIDE_A, id="none")
    refused = await admin.refused(admin.records.GetRecord, record)
    assert (refused.code, refused.metadata["link"], refused.metadata["record"]) == (
        "NOT_FOUND",
        "people",
        "none",
    )
    record.stream = "peoples"
    assert "people" in (await admin.refused(admin.records.GetRecord, record)).hint
    refresh = records_pb2.RefreshRecordRequest(link=link.id, stream="people", side=common_pb2.SIDE_A, id="1")
    await admin(admin.records.RefreshRecord, refresh)


async def test_cancelling_a_run_that_has_ended_changes_nothing(
    admin: Client, tenant: str, pair: Pair
) -> None:
    link = await admin.link(tenant)
    started = await admin(admin.runs.StartRun, runs_pb2.StartRunRequest(link=link.id))
    ended = (await admin.watched(started.run.id))[-1]
    cancelled = await admin(admin.runs.CancelRun, runs_pb2.CancelRunRequest(run=started.run.id))
    assert (cancelled.outcome, cancelled.ended) == (ended.outcome, ended.ended)


async def test_status_and_actors(admin: Client, tenant: str, pair: Pair) -> None:
    await admin.link(tenant, paused=True)
    status = await admin(admin.system.GetStatus, system_pb2.GetStatusRequest())
    assert status.version and status.store == "embedded" and not status.draining
    actors = await admin(admin.system.ListActors, system_pb2.ListActorsRequest())
    assert "root" in [one.name for one in actors.actors]


async def test_an_account_that_goes_away_shows_on_its_connection_its_link_and_the_health_page(
    admin: Client, tenant: str, pair: Pair, daemon: DaemonProcess
) -> None:
    link = await admin.link(tenant)

    async def settled() -> bool:
        return bool((await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))).bindings == 2)

    await eventually(settled)
    hidden = pair[1].rename(pair[1].with_name("hidden"))
    get = connections_pb2.GetConnectionRequest(connection="b", tenant=tenant)

    async def health() -> str:
        return str((await admin(admin.connections.GetConnection, get)).health)

    async def paused() -> bool:
        return await health() == "paused"

    await eventually(paused)
    shown = await admin(admin.connections.GetConnection, get)
    assert str(pair[1]) in shown.health_reason

    async def reasons() -> Any:
        return (await admin(admin.links.GetLink, links_pb2.GetLinkRequest(link=link.id))).reasons

    assert await eventually(reasons)

    async def named() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{daemon.http}/healthz") as answer:
            said = await answer.json()
            return answer.status == 503 and f"{tenant}/people" in said["degraded_links"]

    await eventually(named)
    status = await admin(admin.system.GetStatus, system_pb2.GetStatusRequest())
    assert status.health == "degraded" and any(f"{tenant}/people" in one for one in status.reasons)
    hidden.rename(pair[1])
    test = connections_pb2.TestConnectionRequest(connection="b", tenant=tenant)
    await admin(admin.connections.TestConnection, test)
    assert await health() == "ok"
    await admin(admin.links.DeleteLink, links_pb2.DeleteLinkRequest(link=link.id))
