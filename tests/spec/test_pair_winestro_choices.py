"""Two accounts of Winestro.Cloud: what a link chooses, a budget, invoices (rows W4, W6, W22, W28, W34), on a real daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tandem.v1 import accesses_pb2, plans_pb2
from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import SIDE_A, texts
from tests.spec.names import own_name
from tests.spec.pair import struct
from tests.spec.systems import until
from tests.spec.wine import ARTICLES, CUSTOMERS, INVOICES, Wineries, two_wineries

pytestmark = pytest.mark.anyio


@pytest.fixture
async def two(
    daemon: DaemonProcess, tandem: Tandem, request: pytest.FixtureRequest
) -> AsyncIterator[Wineries]:
    """Two accounts that are enabled for the synchronization, and not connected yet."""
    async with two_wineries(daemon, tandem, own_name(request, 20)) as made:
        for winery in (made.primary, made.secondary):
            await winery.enable()
        yield made


async def refused(two: Wineries, blueprint: str, **settings: str) -> TandemError:
    """Why the Secondary may not ask."""
    with pytest.raises(TandemError) as caught:
        await two.secondary.propose(two.primary, blueprint, settings=struct(settings))
    return caught.value


async def test_w06_article_groups_are_in_the_way_as_the_link_chose(two: Wineries) -> None:
    await two.secondary.know(two.primary)
    two.primary.person.insert("artikelgruppen", {"wg_name": "Wein", "wg_nr": "1"})
    two.secondary.person.insert("artikelgruppen", {"wg_name": "Glas", "wg_nr": "7"})
    assert "artikelgruppen" in (await refused(two, ARTICLES, article_groups_there="refuse")).message
    two.secondary.person.insert("artikelgruppen", {"wg_name": "Wein", "wg_nr": "8"})
    assert "by wg_name" in (await refused(two, ARTICLES)).message
    chosen = struct({"article_groups_clash": "warn", "article_groups_there": "warn"})
    proposal = await two.secondary.propose(two.primary, ARTICLES, settings=chosen)
    said = texts(proposal.warnings)
    assert any("has to be empty" in text for text in said) and any("by wg_name" in text for text in said)
    await two.primary.confirm(proposal, two.secondary)


async def test_w28_articles_of_its_own_stop_a_secondary_that_chose_so(two: Wineries) -> None:
    await two.secondary.know(two.primary)
    two.secondary.person.insert("artikel", {"artikel_nr": "1", "artikel_name": "Eigener Wein"})
    assert "set up first" in (await refused(two, CUSTOMERS, other_data="refuse")).message
    proposal = await two.secondary.propose(two.primary, CUSTOMERS, settings=struct({"other_data": "ignore"}))
    assert not proposal.warnings


async def test_w34_in_mode_4_a_link_that_chose_so_is_in_step(two: Wineries) -> None:
    known = await two.secondary.know(two.primary, mode=accesses_pb2.ACCESS_MODE_NOBODY)
    assert (await refused(two, CUSTOMERS)).reason == "MODE_4"
    two.primary.person.insert("kunden", {"adr_nr": "K1", "adr_nachname": "Berg"})
    await two.agree(CUSTOMERS, in_mode_4="allow")
    await two.see(lambda: two.secondary.table("kunden", "adr_nr") == [("K1",)], "the customer")
    # The mode may come and go under it.
    for mode in (accesses_pb2.ACCESS_MODE_BOTH, accesses_pb2.ACCESS_MODE_NOBODY):
        change = accesses_pb2.UpdateAccessRequest(access=known.id, mode=mode)
        assert (await two.secondary.tandem.accesses.UpdateAccess(change)).mode == mode


async def test_w22_deletions_travel_under_a_budget_and_what_is_beyond_waits_for_a_yes(two: Wineries) -> None:
    primary, secondary = two.primary, two.secondary
    await secondary.know(primary)
    primary.person.insert("kunden", *({"adr_nr": f"K{n}", "adr_nachname": "Berg"} for n in range(1, 16)))
    await two.agree(CUSTOMERS)
    await two.see(lambda: len(secondary.table("kunden", "adr_nr")) == 15, "all customers")
    await two.pause()
    for key in list(secondary.person.rows("kunden"))[:12]:
        secondary.person.delete("kunden", key)
    await two.resume()

    async def held() -> plans_pb2.Plan | None:
        request = plans_pb2.ListPlansRequest(link=two.link, state="open")
        found = (await secondary.tandem.plans.ListPlans(request)).plans
        left = len(primary.table("kunden", "adr_nr"))
        return found[0] if found and left - found[0].actions == 3 else None

    plan = await until(held, "a plan of all that was not deleted yet")
    assert plan is not None and "deletes in customers" in plan.reason and plan.actions >= 2
    yes = plans_pb2.ApprovePlanRequest(plan=plan.id, revision=plan.revision)
    await secondary.tandem.plans.ApprovePlan(yes)
    await two.see(lambda: len(primary.table("kunden", "adr_nr")) == 3, "those of the plan to be gone")


# ----------------------------------------------------------------------------------------------------- invoices


def invoice(number: str, to: str, gross: str) -> dict[str, Any]:
    return {
        "re_nr": number,
        "re_mandant": to,
        "re_datum": "2026-03-01",
        "re_netto": "100",
        "re_brutto": gross,
    }


async def test_w04_in_mode_4_an_invoice_arrives_as_an_incoming_one_each_way_by_itself(
    daemon: DaemonProcess, tandem: Tandem
) -> None:
    async with two_wineries(daemon, tandem, "invoices") as two:
        a, b = two.primary, two.secondary
        a.person.insert("kunden", {"adr_nr": "K1", "adr_nachname": "Berg"})
        await a.know(b, mode=accesses_pb2.ACCESS_MODE_NOBODY)
        chosen = struct({"number_a": a.system.uid, "number_b": b.system.uid})
        proposal = await a.propose(b, INVOICES, side=SIDE_A, settings=chosen)
        two.link = (await b.confirm(proposal, a)).link
        await two.rules(
            {"settings": {"number_a": {"default": a.system.uid}, "number_b": {"default": b.system.uid}}}
        )
        a.person.insert("rechnungen", invoice("R1", b.system.uid, "119"), invoice("R2", "4799", "5"))
        b.person.insert("rechnungen", invoice("R1", a.system.uid, "80"))
        fields = ("er_nr", "er_mandant", "er_brutto")
        arrived = [("R1", a.system.uid, Decimal(119))]
        await two.see(lambda: b.table("eingangsrechnungen", *fields) == arrived, "the invoice")
        await two.quiet()
        assert b.table("eingangsrechnungen", *fields) == arrived
        assert a.table("eingangsrechnungen", *fields) == [] and b.table("kunden", "adr_nr") == []
        # The other direction is a link of its own.
        turned = struct({"number_a": b.system.uid, "number_b": a.system.uid})
        proposal = await b.propose(a, INVOICES, name="back", side=SIDE_A, settings=turned)
        await a.confirm(proposal, b)
        arrived = [("R1", b.system.uid, Decimal(80))]
        await two.see(lambda: a.table("eingangsrechnungen", *fields) == arrived, "the invoice of the other")
        assert len(b.table("eingangsrechnungen", *fields)) == 1
