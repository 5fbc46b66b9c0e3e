"""W5 to W8, W18 to W20, W23, W27, W28, W32 to W34: accounts that propose, confirm, and stand beside each other, in general
form: databases with passwords, each of a tenant of its own, on a real daemon.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from tandem.v1 import accesses_pb2, connections_pb2, features_pb2, links_pb2, plans_pb2, proposals_pb2
from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import Accounts, accounts, article_sync, customer_sync, row, texts
from tests.spec.names import own_name
from tests.spec.systems import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def made(
    daemon: DaemonProcess, tandem: Tandem, postgres_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Accounts]:
    name = own_name(request, 30)
    async with accounts(daemon, tandem, postgres_url, name) as found:
        yield found


async def test_w07_the_secondary_asks_the_primary_confirms_and_the_load_begins_by_itself(
    made: Accounts,
) -> None:
    primary = await made.account("north", customers=[row(n) for n in range(1, 6)])
    secondary, third = await made.account("south"), await made.account("third")
    await secondary.know(primary)
    with pytest.raises(TandemError) as wrong:
        await secondary.propose(primary, customer_sync(), password="wrong")
    assert wrong.value.reason == "AUTH" and await primary.proposals() == []
    proposal = await secondary.propose(primary, customer_sync())
    assert (proposal.state, proposal.role, proposal.kind) == ("requested", "secondary", "customers")
    assert await secondary.propose(primary, customer_sync()) == proposal  # said twice is said once
    assert [one.id for one in await primary.proposals()] == [proposal.id]
    assert (await primary.proposals())[0].proposer.tenant == secondary.tenant
    assert await primary.customers() and not await secondary.customers()
    # The third account sees nothing and can do nothing, not even with the right credentials.
    assert await third.proposals() == []
    for call in (
        third.confirm(proposal, secondary),
        third.tandem.proposals.DeclineProposal(proposals_pb2.DeclineProposalRequest(proposal=proposal.id)),
        third.tandem.proposals.WithdrawProposal(proposals_pb2.WithdrawProposalRequest(proposal=proposal.id)),
        third.tandem.proposals.GetProposal(proposals_pb2.GetProposalRequest(proposal=proposal.id)),
    ):
        with pytest.raises(TandemError) as refused:
            await call
        assert refused.value.reason == "NOT_FOUND"
    # Who asked can't confirm, and the Primary has to show the Secondary's credentials.
    for by, credentials, reason in (
        (secondary, secondary, "NO_STEP"),
        (primary, primary, "OTHER_ACCOUNT"),
        (primary, third, "OTHER_ACCOUNT"),
    ):
        with pytest.raises(TandemError) as refused:
            await by.confirm(proposal, credentials)
        assert refused.value.reason == reason
    with pytest.raises(TandemError) as refused:
        await primary.confirm(proposal, secondary, password="wrong")
    assert refused.value.reason == "AUTH" and not await secondary.customers()
    done = await primary.confirm(proposal, secondary)
    assert done.state == "confirmed" and done.link
    for side in (primary, secondary):
        assert (await side.settled(done.link)).establishment == "established"
    assert await secondary.customers() == await primary.customers() and len(await primary.customers()) == 5
    assert await primary.confirm(proposal, secondary) == done  # a replay does nothing more
    with pytest.raises(TandemError):
        await third.link(done.link)


async def test_w07_requests_expire_and_crossed_ones_do_no_harm(made: Accounts) -> None:
    one, other = await made.account("one", customers=[row(1)]), await made.account("other")
    await one.know(other)
    mine = customer_sync(checks=[{"side": "b", "object": "customers", "check": "empty", "severity": "warn"}])
    first, second = await one.propose(other, mine), await other.propose(one, mine)
    results: list[str] = []

    async def confirm(by: object, of: object, proposal: proposals_pb2.Proposal) -> None:
        try:
            results.append((await by.confirm(proposal, of)).link)  # type: ignore[attr-defined]
        except TandemError as error:
            results.append(error.reason)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(confirm, other, one, first)
            tasks.start_soon(confirm, one, other, second)
    links = {result for result in results if result.startswith("link-")}
    assert len(links) == 1 and {*results} - links <= {"ROLES", "ALREADY_EXISTS", "RING"}
    found = await made.admin.links.ListLinks(links_pb2.ListLinksRequest(tenant=one.tenant))
    assert [link.id for link in found.links] == list(links)
    late = await made.account("late")
    await late.know(one)
    proposal = await late.propose(one, article_sync(expires="1m"))
    listed = await late.proposals()
    assert [p.id for p in listed if p.proposer.tenant == late.tenant] == [proposal.id]
    assert proposal.expires.seconds - proposal.created.seconds == 60
    await made.expire(proposal)
    assert await late.proposals() == []
    with pytest.raises(TandemError) as refused:
        await one.confirm(proposal, late)
    assert refused.value.reason == "NO_STEP" and "it is expired" in refused.value.message
    again = await late.propose(one, article_sync(expires="1m"))
    assert again.id != proposal.id and again.state == "requested"


async def test_w06_what_is_in_the_way_is_listed_with_counts_and_ways_out_and_once_cleared_it_passes(
    made: Accounts,
) -> None:
    primary = await made.account("north", customers=[row(1)])
    secondary = await made.account(
        "south", customers=[row(8), row(9, demo=True)], price_groups=[{"name": "A"}]
    )
    await secondary.know(primary)
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, customer_sync())
    assert refused.value.reason == "PREFLIGHT"
    assert "customers of" in refused.value.message and "holds 2 records" in refused.value.message
    assert "price_groups" in refused.value.message and "holds 1 record" in refused.value.message
    assert "delete the price groups" in refused.value.hint
    assert await primary.proposals() == []
    await secondary.sql("DELETE FROM customers")
    await secondary.sql("DELETE FROM price_groups")
    proposal = await secondary.propose(primary, customer_sync())
    # It is asked again at confirm.
    await secondary.sql("INSERT INTO price_groups (name) VALUES ('B')")
    with pytest.raises(TandemError) as refused:
        await primary.confirm(proposal, secondary)
    assert refused.value.reason == "PREFLIGHT" and "price_groups" in refused.value.message
    check = proposals_pb2.CheckProposalRequest(proposal=proposal.id)
    found = (await primary.tandem.proposals.CheckProposal(check)).obstacles
    assert [(one.object, one.count, one.severity) for one in found] == [("price_groups", 1, "refuse")]
    await secondary.sql("DELETE FROM price_groups")
    assert (await primary.confirm(proposal, secondary)).state == "confirmed"


async def test_w06_rows_of_an_established_link_with_the_same_primary_do_not_count(made: Accounts) -> None:
    primary = await made.account("north", customers=[row(1), row(2)], articles=[row(7)])
    secondary = await made.account("south")
    await secondary.know(primary)
    await secondary.settled((await secondary.agree(primary, customer_sync())).id)
    # Articles whose set-up asks for no foreign customers: those of the customer sync don't count, another one does.
    checks = [{"side": "b", "object": "customers", "check": "empty"}]
    await secondary.sql("INSERT INTO customers (number, name) VALUES ('X', 'a stranger')")
    link = (await secondary.tandem.links.ListLinks(links_pb2.ListLinksRequest())).links[0]
    await secondary.tandem.links.PauseLink(links_pb2.PauseLinkRequest(link=link.id))
    await secondary.sql("INSERT INTO customers (number, name) VALUES ('Y', 'another')")
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, article_sync(checks=checks), name="articles")
    assert refused.value.reason == "PREFLIGHT"
    await secondary.tandem.links.ResumeLink(links_pb2.ResumeLinkRequest(link=link.id))
    await secondary.quiet(link.id)
    assert len(await secondary.customers()) == 4
    assert (
        await secondary.propose(primary, article_sync(checks=checks), name="articles")
    ).state == "requested"


async def test_w23_sample_data_count_as_data_and_both_ways_out_are_named(made: Accounts) -> None:
    primary = await made.account("north")
    secondary = await made.account("south", customers=[row(1, demo=True), row(2, demo=True)])
    await secondary.know(primary)
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, customer_sync())
    assert "2 of them are sample data, which count as data" in refused.value.message
    for way in ("leave the sample data", "reset the account to factory settings"):
        assert way in refused.value.hint


async def test_w28_with_customers_alone_the_other_data_stay_and_are_warned_of(made: Accounts) -> None:
    primary = await made.account("north", customers=[row(1)], articles=[row(1)])
    secondary = await made.account("south", articles=[row(5), row(6)], article_groups=[{"name": "own"}])
    await secondary.know(primary)
    before = await secondary.state("articles", "article_groups")
    proposal = await secondary.propose(primary, customer_sync())
    assert any("set up first and maintain them afterwards" in text for text in texts(proposal.warnings))
    link = (await primary.confirm(proposal, secondary)).link
    await secondary.settled(link)
    await secondary.quiet(link)
    assert await secondary.customers() == await primary.customers()
    assert await secondary.state("articles", "article_groups") == before


async def test_w08_once_established_it_is_not_undone_nor_are_the_roles_swapped(made: Accounts) -> None:
    primary, secondary = await made.account("north", customers=[row(1)]), await made.account("south")
    await secondary.know(primary)
    link = await secondary.agree(primary, customer_sync())
    assert (link.irreversible, link.a_role, link.b_role) == (True, "primary", "secondary")
    for side in (primary, secondary):
        for call, reason in (
            (side.tandem.links.DeleteLink(links_pb2.DeleteLinkRequest(link=link.id)), "IRREVERSIBLE"),
            (side.tandem.links.DeactivateLink(links_pb2.DeactivateLinkRequest(link=link.id)), "NO_STEP"),
        ):
            with pytest.raises(TandemError) as refused:
                await call
            assert refused.value.reason == reason and "can't be undone" in refused.value.message
    with pytest.raises(TandemError) as refused:  # neither the other way round
        await primary.propose(secondary, customer_sync(), name="turned")
    assert refused.value.reason == "ROLES" and "can't be" in refused.value.message
    with pytest.raises(TandemError):
        await secondary.tandem.connections.DeleteConnection(
            connections_pb2.DeleteConnectionRequest(connection=secondary.connection.id)
        )
    await secondary.tandem.links.PauseLink(
        links_pb2.PauseLinkRequest(link=link.id)
    )  # that is always possible
    assert (await primary.link(link.id)).state == "paused"


async def test_w27_a_secondary_gets_no_second_primary_and_is_none_for_others(made: Accounts) -> None:
    primary, secondary = await made.account("north"), await made.account("south")
    other = await made.account("other")
    for one, two in ((secondary, primary), (secondary, other), (other, secondary), (primary, other)):
        if two.tenant not in await one.accesses():
            await one.know(two)
    await secondary.agree(primary, customer_sync())
    for call, said in (
        (secondary.propose(other, customer_sync()), "has a Primary for customers already"),
        (other.propose(secondary, customer_sync()), "so it can't be a Primary"),
        (primary.propose(other, customer_sync()), "so it can't be a Secondary"),
    ):
        with pytest.raises(TandemError) as refused:
            await call
        assert refused.value.reason == "ROLES" and said in refused.value.message
    # One Primary has many Secondaries, and for articles the roles may be the other way round.
    await other.agree(primary, customer_sync())
    await primary.agree(secondary, article_sync(), name="articles")


async def test_w19_without_a_connection_no_sync_and_no_end_of_it_while_one_stands(made: Accounts) -> None:
    primary, secondary = await made.account("north"), await made.account("south")
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, customer_sync())
    assert refused.value.reason == "NOT_CONNECTED" and "accesses create" in refused.value.hint
    known = await secondary.know(primary)
    await secondary.agree(primary, customer_sync())
    with pytest.raises(TandemError) as refused:
        await secondary.tandem.accesses.DeleteAccess(accesses_pb2.DeleteAccessRequest(access=known.id))
    assert refused.value.reason == "SYNC_STANDS"
    assert (await secondary.accesses())[primary.tenant].synced == ["customers (secondary)"]
    assert (await primary.accesses())[secondary.tenant].synced == ["customers (primary)"]


async def test_w34_mode_4_allows_no_sync_and_does_not_come_under_one(made: Accounts) -> None:
    primary, secondary = await made.account("north"), await made.account("south")
    known = await secondary.know(primary, mode=4)
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, customer_sync())
    assert refused.value.reason == "MODE_4"
    assert (await secondary.propose(primary, customer_sync(in_mode_4="allow"))).state == "requested"
    change = accesses_pb2.UpdateAccessRequest(access=known.id, mode=accesses_pb2.ACCESS_MODE_BOTH)
    await secondary.tandem.accesses.UpdateAccess(change)
    await secondary.agree(primary, customer_sync())
    change = accesses_pb2.UpdateAccessRequest(access=known.id, mode=accesses_pb2.ACCESS_MODE_NOBODY)
    with pytest.raises(TandemError) as refused:
        await secondary.tandem.accesses.UpdateAccess(change)
    assert refused.value.reason == "SYNC_STANDS" and "mode 4" in refused.value.message
    change = accesses_pb2.UpdateAccessRequest(access=known.id, mode=accesses_pb2.ACCESS_MODE_STAFF)
    assert (await secondary.tandem.accesses.UpdateAccess(change)).mode == accesses_pb2.ACCESS_MODE_STAFF


async def test_w05_data_sync_needs_the_providers_word_for_every_account(made: Accounts) -> None:
    primary, secondary = await made.account("north"), await made.account("south")
    await secondary.know(primary)
    numbers = [primary.connection.identity, secondary.connection.identity]
    sync = customer_sync(features=["data-sync"])

    async def enable(identity: str) -> None:
        request = features_pb2.EnableFeatureRequest(
            feature="data-sync", connector="postgres", identities=[identity]
        )
        await made.admin.features.EnableFeature(request)

    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, sync)
    assert refused.value.reason == "FEATURE" and all(number in refused.value.message for number in numbers)
    await enable(numbers[0])
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, sync)
    assert numbers[1] in refused.value.message and numbers[0] not in refused.value.message
    await enable(numbers[1])
    assert (await secondary.propose(primary, sync)).state == "requested"


async def test_w32_a_tenant_asks_naming_all_numbers_and_the_provider_enables_them(made: Accounts) -> None:
    primary, secondary = await made.account("north"), await made.account("south")
    numbers = sorted([primary.connection.identity, secondary.connection.identity])
    feature = f"sync-{secondary.tenant}"[:60]
    await secondary.tandem.features.AskFeature(
        features_pb2.AskFeatureRequest(feature=feature, connector="postgres", identities=numbers)
    )
    asked = features_pb2.ListFeaturesRequest(only_asked=True, page_size=1000)
    found = [
        one for one in (await made.admin.features.ListFeatures(asked)).features if one.feature == feature
    ]
    assert [(one.identity, one.state, one.asked_by) for one in found] == [
        (number, "asked", secondary.tenant) for number in numbers
    ]
    enable = features_pb2.EnableFeatureRequest(feature=feature, connector="postgres", identities=numbers)
    with pytest.raises(TandemError) as refused:  # a tenant can't give it to itself
        await secondary.tandem.features.EnableFeature(enable)
    assert refused.value.code.name == "PERMISSION_DENIED"
    await made.admin.features.EnableFeature(enable)
    shown = (await secondary.tandem.features.ListFeatures(features_pb2.ListFeaturesRequest())).features
    assert [(one.identity, one.state) for one in shown] == [(number, "enabled") for number in numbers]
    waiting = (await made.admin.features.ListFeatures(asked)).features
    assert feature not in {one.feature for one in waiting}


async def test_w20_both_syncs_are_asked_for_confirmed_and_run_apart(made: Accounts) -> None:
    primary = await made.account("north", customers=[row(1)], articles=[row(1), row(2)])
    secondary = await made.account("south")
    await secondary.know(primary)
    untouched = await secondary.state("articles")
    customers = await secondary.agree(primary, customer_sync(), name="customers")
    await secondary.settled(customers.id)
    assert await secondary.state("articles") == untouched
    before = await secondary.state("customers")
    articles = await secondary.agree(primary, article_sync(), name="articles")
    await secondary.settled(articles.id)
    assert await secondary.articles() == await primary.articles()
    assert await secondary.state("customers") == before
    await secondary.tandem.links.PauseLink(links_pb2.PauseLinkRequest(link=articles.id))
    await primary.sql("UPDATE customers SET city = 'Ulm'")

    async def came() -> bool:
        return await secondary.customers() == await primary.customers()

    await until(came, "the customer while articles are paused")


async def test_w18_a_custom_set_up_is_an_operators_with_a_plan_to_be_read_first(made: Accounts) -> None:
    primary = await made.account("north", articles=[row(1, name="ours"), row(2)])
    secondary = await made.account("south", articles=[row(1, name="theirs"), row(9)])
    await secondary.know(primary)
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, article_sync())
    assert refused.value.reason == "PREFLIGHT" and "holds 2 records" in refused.value.message
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, article_sync(), override=True)
    assert refused.value.reason == "OPERATORS_ONLY"
    fixed = {"tandem": made.admin, "tenant": secondary.tenant, "override": True}
    with pytest.raises(TandemError) as refused:
        await secondary.propose(primary, article_sync(custom=False), **fixed)
    assert refused.value.reason == "NO_CUSTOM_SETUP"
    before = await secondary.state("articles")
    proposal = await secondary.propose(primary, article_sync(), **fixed)
    link = await secondary.link((await primary.confirm(proposal, secondary)).link)
    assert link.state == "paused"

    async def planned() -> bool:
        return any(
            run.mode == "plan" and run.outcome == "awaiting_approval" for run in await secondary.runs(link.id)
        )

    await until(planned, "the plan")
    found = await secondary.tandem.plans.ListPlans(plans_pb2.ListPlansRequest(link=link.id))
    actions = [
        action
        for plan in found.plans
        for action in (
            await secondary.tandem.plans.ListPlanActions(plans_pb2.ListPlanActionsRequest(plan=plan.id))
        ).actions
    ]
    assert sorted(action.op for action in actions) == ["create", "update"]
    assert await secondary.state("articles") == before  # it was only read
    await secondary.tandem.links.ResumeLink(links_pb2.ResumeLinkRequest(link=link.id))
    await secondary.settled(link.id)
    assert await secondary.articles() == [("N001", "ours"), ("N002", "Name 2"), ("N009", "Name 9")]
    assert await primary.articles() == [("N001", "ours"), ("N002", "Name 2")]
