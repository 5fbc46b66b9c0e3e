"""SelectLine Auftrag <-> CloudKasse: how a synchronization is started, how it ends, and what is said of it (rows S1-S6, S12,
S15), on a real daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clients.emulators.faults import Fault
from tandem.v1 import links_pb2, runs_pb2
from tandem_client import Tandem
from tests.spec.names import own_name
from tests.spec.systems import until
from tests.spec.tills import TAX, Tills, shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tills(tandem: Tandem, request: pytest.FixtureRequest) -> AsyncIterator[Tills]:
    """A shop with a till and an article, neither of them up at the till yet."""
    async with shop(tandem, own_name(request)) as made:
        made.new_till("1")
        made.article("100")
        yield made


def refusal(times: int = 1) -> Fault:
    """The till does not take an article."""
    return Fault("error", method="POST", path="/articles", status=422, times=times)


def up(tills: Tills) -> list[str]:
    """The articles at the till."""
    return sorted(row["number"] for row in tills.cloud.person.rows("articles").values())


def whole(tills: Tills) -> list[object]:
    """All that both systems hold."""
    return [
        {name: dict(rows) for name, rows in system.data.tables.items()} for system in (tills.erp, tills.cloud)
    ]


async def history(tills: Tills) -> list[runs_pb2.Run]:
    """The runs of the link, newest first."""
    request = runs_pb2.ListRunsRequest(link=tills.name, tenant=tills.tenant)
    return list((await tills.tandem.runs.ListRuns(request)).runs)


def counted(run: runs_pb2.Run) -> tuple[int, int]:
    """How many articles were made, and how many failed."""
    own = [one for one in run.counters if one.stream == "articles"]
    return sum(one.created for one in own), sum(one.failed for one in own)


async def test_s01_s02_master_data_go_up_receipts_come_down_as_a_start_says(tills: Tills) -> None:
    await tills.go()
    assert (await tills.start(runs_pb2.SCOPE_MASTER)).outcome == "succeeded"
    assert up(tills) == ["100"]
    tills.sell({"article": "100"})
    tills.article("101")
    receipts = len(tills.cloud.person.rows("receipts"))
    assert (await tills.start(runs_pb2.SCOPE_DOCUMENT)).outcome == "succeeded"
    await tills.documents(1)
    assert up(tills) == ["100"]
    tills.sell({"article": "100"})
    assert (await tills.start(runs_pb2.SCOPE_MASTER)).outcome == "succeeded"
    await tills.documents(1)
    assert up(tills) == ["100", "101"]
    tills.article("102")
    assert (await tills.start()).outcome == "succeeded"
    await tills.documents(2)
    assert up(tills) == ["100", "101", "102"]
    # Neither goes the other way: an article that somebody makes at the till stays there, and so does a sale in SelectLine.
    await tills.bring_in()
    await tills.documents(0)
    tills.cloud.person.insert("articles", {"number": "900", "name": "Tagesgericht", "vatKey": 1})
    await tills.quiet()
    assert not tills.erp.person.rows("Articles").get("900")
    assert len(tills.cloud.person.rows("receipts")) == receipts + 1 and len(tills.sales()) == 2


async def test_s03_s15_nothing_goes_without_a_command_and_with_nothing_new_nothing_is_written(
    tills: Tills,
) -> None:
    await tills.go()

    async def waits() -> list[links_pb2.Delivery]:
        return [one for one in (await tills.shown()).deliveries if one.waiting and one.stream == "articles"]

    (found,) = await until(waits, "the article to be seen, and to wait")
    assert (found.schedule, found.HasField("next")) == ("command", False)
    assert not any(tills.cloud.person.rows(name) for name in ("company", "tills", "articles"))
    assert (await tills.start()).outcome == "succeeded" and up(tills) == ["100"]
    before = whole(tills)
    tills.cloud.requests.clear()
    run = await tills.start()
    assert (run.outcome, run.error, await tills.items(run)) == ("nothing_new", "", [])
    assert whole(tills) == before
    assert tills.cloud.requests and {one.partition(" ")[0] for one in tills.cloud.requests} == {"GET"}
    # A schedule is opt-in.
    settings = {name: {"default": value} for name, value in {**TAX, "schedule": "instant"}.items()}
    await tills.change({"a": {"poll": "1s"}, "b": {"poll": "1s"}, "settings": settings})
    tills.article("101")
    await tills.see(lambda: up(tills) == ["100", "101"], "the article, by itself")


async def test_s04_a_second_start_is_answered_with_the_running_one_and_what_it_does(tills: Tills) -> None:
    await tills.go()
    tills.cloud.faults.add(Fault("slow", method="GET", path="/tills", seconds=2, times=-1))
    request = runs_pb2.StartRunRequest(link=tills.name, tenant=tills.tenant)
    asked: list[runs_pb2.StartRunResponse] = []

    async def under_way() -> bool:
        first = await tills.tandem.runs.StartRun(request)
        second = await tills.tandem.runs.StartRun(request)
        asked.extend((first, second))
        return second.already_running and second.run.id == first.run.id and bool(second.run.phase)

    await until(under_way, "the second start to be answered with what the first one does")
    tills.cloud.faults.clear()
    await tills.see(lambda: up(tills) == ["100"], "the article")
    await tills.quiet()
    begun = {one.run.id for one in asked if not one.already_running}
    ended = [run for run in await history(tills) if run.id in {one.run.id for one in asked}]
    assert {run.id for run in ended} >= begun and not [
        run for run in ended if run.outcome in ("queued", "running")
    ]
    assert up(tills) == ["100"]


async def test_s05_s06_three_outcomes_and_a_protocol_with_reason_and_what_to_do(tills: Tills) -> None:
    await tills.go()
    good = await tills.start()
    assert (good.outcome, counted(good)) == ("succeeded", (1, 0))
    for number in ("101", "102"):
        tills.article(number)
    tills.cloud.faults.add(refusal())
    some = await tills.start()
    assert (some.outcome, counted(some), len(up(tills))) == ("partial", (1, 1), 2)
    tills.article("103")
    tills.cloud.faults.add(refusal(times=-1))
    none = await tills.start()
    assert (none.outcome, counted(none), len(up(tills))) == ("failed", (0, 1), 2)
    tills.cloud.faults.clear()
    ids = [run.id for run in await history(tills)]
    assert ids.index(none.id) < ids.index(some.id) < ids.index(good.id)
    items = await tills.items(some)
    (refused,) = [one for one in items if one.state == "refused"]
    (made,) = [one for one in items if one.state == "confirmed" and one.op == "create"]
    assert {refused.origin, made.origin} == {"101", "102"} and refused.stream == "articles"
    assert refused.error == "Interner Fehler" and refused.reason and "retry" in refused.hint
    listed = await tills.parked("quarantine")
    assert {one.record for one in listed} == {refused.origin, "103"} and all(
        "retry" in one.hint for one in listed
    )


async def test_s12_without_a_connection_a_clear_error_at_once_and_the_next_run_carries_on(
    tills: Tills,
) -> None:
    await tills.go()
    assert (await tills.start()).outcome == "succeeded"
    sold = tills.sell({"article": "100"})
    tills.article("101")
    tills.cloud.faults.add(Fault("cut", times=-1))
    run = await tills.start()
    assert run.outcome == "failed" and "cloudkasse can't be reached or broke off" in run.error
    assert not tills.sales()
    tills.cloud.faults.clear()
    await tills.quiet()
    await tills.documents(1)
    await tills.bring_in()
    await tills.documents(0)
    assert up(tills) == ["100", "101"] and list(tills.sales()) == [sold]
