"""Accounts of Winestro.Cloud: how a synchronization comes about (rows W5, W7, W8, W18-W20, W24, W25, W27, W32), on a real
daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from tandem.v1 import accesses_pb2, features_pb2, links_pb2, plans_pb2, proposals_pb2
from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.names import own_name
from tests.spec.systems import until
from tests.spec.wine import ARTICLES, CUSTOMERS, Cellar, Winery, cellar

pytestmark = pytest.mark.anyio


@pytest.fixture
async def made(
    daemon: DaemonProcess, tandem: Tandem, request: pytest.FixtureRequest
) -> AsyncIterator[Cellar]:
    async with cellar(daemon, tandem, own_name(request, 20)) as found:
        yield found


async def refused(call: Awaitable[Any]) -> TandemError:
    """Why the daemon says no."""
    with pytest.raises(TandemError) as caught:
        await call
    return caught.value


def customers(*numbers: str) -> list[dict[str, Any]]:
    return [{"adr_nr": number, "adr_nachname": f"Name {number}"} for number in numbers]


async def test_w05_w32_a_tenant_asks_for_the_feature_and_nothing_is_set_up_before_the_provider_enabled_it_for_all(
    made: Cellar,
) -> None:
    primary, secondary = await made.account("primary"), await made.account("secondary")
    await secondary.know(primary)
    numbers = sorted(one.connection.identity for one in (primary, secondary))
    assert numbers == sorted(f"winestro:{one.system.uid}" for one in (primary, secondary))
    said = await refused(secondary.propose(primary, CUSTOMERS))
    assert said.reason == "FEATURE" and all(number in said.message for number in numbers)
    assert said.hint.endswith(
        f"features ask data-sync winestro --identities {primary.connection.identity}"
        f" --identities {secondary.connection.identity}"
    )
    await secondary.tandem.features.AskFeature(
        features_pb2.AskFeatureRequest(feature="data-sync", connector="winestro", identities=numbers)
    )
    asked = features_pb2.ListFeaturesRequest(only_asked=True, page_size=1000)
    seen = [
        one for one in (await made.admin.features.ListFeatures(asked)).features if one.identity in numbers
    ]
    assert [(one.identity, one.asked_by) for one in seen] == [
        (number, secondary.tenant) for number in numbers
    ]
    own_word = features_pb2.EnableFeatureRequest(
        feature="data-sync", connector="winestro", identities=[secondary.connection.identity]
    )
    assert (await refused(secondary.tandem.features.EnableFeature(own_word))).code.name == "PERMISSION_DENIED"
    await primary.enable()
    said = await refused(secondary.propose(primary, CUSTOMERS))
    assert secondary.connection.identity in said.message and primary.connection.identity not in said.message
    await secondary.enable()
    assert (await secondary.propose(primary, CUSTOMERS)).state == "requested"


async def asked_for(made: Cellar) -> tuple[Winery, Winery, Winery, proposals_pb2.Proposal]:
    """A Primary with customers and an article, a Secondary that asks for its customers, and a third account."""
    primary = await made.account(
        "primary", kunden=customers("K1", "K2"), artikel=[{"artikel_nr": "6", "artikel_name": "Merlot"}]
    )
    secondary, third = await made.account("secondary"), await made.account("third")
    for one in (primary, secondary, third):
        await one.enable()
    said = await refused(secondary.propose(primary, CUSTOMERS))
    assert said.reason == "NOT_CONNECTED" and "accesses create" in said.hint
    await secondary.know(primary)
    said = await refused(secondary.propose(primary, CUSTOMERS, password="wrong"))
    assert said.reason == "AUTH" and await primary.proposals() == []
    return primary, secondary, third, await secondary.propose(primary, CUSTOMERS)


async def test_w07_w08_w19_w27_the_secondary_asks_the_primary_confirms_and_that_is_for_good(
    made: Cellar,
) -> None:
    primary, secondary, third, proposal = await asked_for(made)
    assert [one.id for one in await primary.proposals()] == [proposal.id] and await third.proposals() == []
    assert (await refused(third.confirm(proposal, secondary))).reason == "NOT_FOUND"
    assert (await refused(secondary.confirm(proposal, secondary))).reason == "NO_STEP"
    assert (await refused(primary.confirm(proposal, third))).reason == "OTHER_ACCOUNT"
    assert (await refused(primary.confirm(proposal, secondary, password="wrong"))).reason == "AUTH"
    assert not secondary.table("kunden", "adr_nr")
    done = await primary.confirm(proposal, secondary)
    link = await secondary.settled(done.link)
    assert (link.establishment, link.a_role, link.b_role) == ("established", "primary", "secondary")
    # The initial load came by itself; neither its articles nor anything of the third account is touched.
    whole = ("kunden", "adr_nr", "adr_nachname")
    assert secondary.table(*whole) == primary.table(*whole) == [("K1", "Name K1"), ("K2", "Name K2")]
    assert not secondary.table("artikel", "artikel_nr") and not third.table(*whole)
    assert await primary.confirm(proposal, secondary) == done
    # It is not undone, nor are the roles swapped, nor does a Secondary serve a second Primary or others.
    for side in (primary, secondary):
        assert (
            "can't be undone"
            in (
                await refused(side.tandem.links.DeleteLink(links_pb2.DeleteLinkRequest(link=link.id)))
            ).message
        )
        off = side.tandem.links.DeactivateLink(links_pb2.DeactivateLinkRequest(link=link.id))
        assert "can't be undone" in (await refused(off)).message
    assert (await refused(primary.propose(secondary, CUSTOMERS, name="turned"))).reason == "ROLES"
    await secondary.know(third)
    said = await refused(secondary.propose(third, CUSTOMERS))
    assert said.reason == "ROLES" and "has a Primary for customers already" in said.message
    said = await refused(third.propose(secondary, CUSTOMERS))
    assert said.reason == "ROLES" and "so it can't be a Primary" in said.message
    access = (await secondary.accesses())[primary.tenant]
    assert access.synced == ["customers (secondary)"]
    end = secondary.tandem.accesses.DeleteAccess(accesses_pb2.DeleteAccessRequest(access=access.id))
    assert (await refused(end)).reason == "SYNC_STANDS"


async def test_w20_w24_w25_both_syncs_are_asked_for_apart_and_entering_waits_for_what_is_outstanding(
    made: Cellar,
) -> None:
    primary, secondary, _, proposal = await asked_for(made)
    for one, own_mark in ((primary, "blue"), (secondary, "the old cellar")):
        await one.mark(own_mark)
    access = (await secondary.accesses())[primary.tenant].id

    async def enter(wait_s: int) -> accesses_pb2.Grant:
        wait = Duration(seconds=wait_s)
        request = accesses_pb2.EnterAccessRequest(access=access, with_sync=True, wait=wait)
        return await secondary.tandem.accesses.EnterAccess(request)

    assert (await refused(enter(1))).reason == "NO_SYNC"
    by_customers = (await primary.confirm(proposal, secondary)).link
    grant = await enter(40)
    # The initial load was waited for.
    assert list(grant.left) == [] and len(secondary.table("kunden", "adr_nr")) == 2
    for shown, one in ((grant.origin, secondary), (grant.into, primary)):
        named = (one.tenant, f"winestro:{one.system.uid}", one.connection.own_mark)
        assert (shown.name, shown.identity, shown.own_mark) == named and shown.own_mark
    kept = dict(secondary.person.rows("kunden"))
    by_articles = await secondary.agree(primary, ARTICLES, name="articles")
    assert (await secondary.settled(by_articles.id)).kind == "articles"
    assert secondary.table("artikel", "artikel_name") == [("Merlot",)]
    assert secondary.person.rows("kunden") == kept
    # One of the two is paused: the other goes on, and who enters is told what is left.
    await primary.tandem.links.PauseLink(links_pb2.PauseLinkRequest(link=by_articles.id))
    primary.person.edit("kunden", primary.customer("K1")["adr_id"], adr_ort="Ulm")
    await secondary.quiet(by_customers)
    assert secondary.customer("K1")["adr_ort"] == "Ulm"
    (left,) = (await enter(1)).left
    assert "does not run" in left


async def test_w18_articles_that_are_there_stop_it_unless_an_operator_sets_it_up_with_a_plan_to_be_read(
    made: Cellar,
) -> None:
    primary = await made.account(
        "primary",
        artikel=[{"artikel_nr": "6", "artikel_name": "Merlot"}, {"artikel_nr": "7", "artikel_name": "Syrah"}],
    )
    theirs = [
        {"artikel_nr": "6", "artikel_name": "Rotwein", "artikel_lager": "Laden"},
        {"artikel_nr": "9", "artikel_name": "Glas"},
    ]
    secondary = await made.account("secondary", artikel=theirs)
    for one in (primary, secondary):
        await one.enable()
    await secondary.know(primary)
    said = await refused(secondary.propose(primary, ARTICLES))
    assert said.reason == "PREFLIGHT" and "artikel" in said.message and "holds 2 records" in said.message
    assert (await refused(secondary.propose(primary, ARTICLES, override=True))).reason == "OPERATORS_ONLY"
    operators: dict[str, Any] = {"tandem": made.admin, "tenant": secondary.tenant, "override": True}
    said = await refused(secondary.propose(primary, CUSTOMERS, **operators))
    assert said.reason == "NO_CUSTOM_SETUP"  # it is there for articles only
    before = secondary.table("artikel", "artikel_nr", "artikel_name")
    proposal = await secondary.propose(primary, ARTICLES, **operators)
    link = await secondary.link((await primary.confirm(proposal, secondary)).link)
    assert link.state == "paused"

    async def planned() -> list[tuple[str, str]]:
        if not [run for run in await secondary.runs(link.id) if run.outcome == "awaiting_approval"]:
            return []
        found = await secondary.tandem.plans.ListPlans(plans_pb2.ListPlansRequest(link=link.id))
        actions = [
            action
            for plan in found.plans
            for action in (
                await secondary.tandem.plans.ListPlanActions(plans_pb2.ListPlanActionsRequest(plan=plan.id))
            ).actions
        ]
        return sorted((action.op, action.origin) for action in actions)

    keys = {row["artikel_nr"]: str(row["artikel_id"]) for row in primary.person.rows("artikel").values()}
    assert await until(planned, "the plan") == [("create", keys["7"]), ("update", keys["6"])]
    assert secondary.table("artikel", "artikel_nr", "artikel_name") == before
    await secondary.tandem.links.ResumeLink(links_pb2.ResumeLinkRequest(link=link.id))
    await secondary.settled(link.id)
    assert secondary.table("artikel", "artikel_nr", "artikel_name") == [
        ("6", "Merlot"), ("7", "Syrah"), ("9", "Glas"),
    ]  # fmt: skip
    assert secondary.article("6")["artikel_lager"] == "Laden" and not primary.article("9")
