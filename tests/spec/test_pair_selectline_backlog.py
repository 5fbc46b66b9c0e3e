"""S9: every receipt that a till has handed to the cloud comes, also before the day's closing; what is still on a tablet is
left, and counted only where the cloud tells. On a real daemon, with both systems asked over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tandem.v1 import common_pb2, runs_pb2, streams_pb2
from tandem_client import Tandem
from tests.spec.names import own_name
from tests.spec.tills import Tills, shop

pytestmark = pytest.mark.anyio
DOCUMENTS = runs_pb2.SCOPE_DOCUMENT


@pytest.fixture
async def tills(tandem: Tandem, request: pytest.FixtureRequest) -> AsyncIterator[Tills]:
    """A shop with two tills that are known to the cloud, and a link that is active."""
    async with shop(tandem, own_name(request)) as made:
        for number in ("1", "2"):
            made.new_till(number)
        made.article("100")
        await made.go()
        await made.start()
        yield made


def told(run: runs_pb2.Run) -> common_pb2.Backlog:
    """What the run says of the receipts."""
    (found,) = run.backlog
    assert (found.stream, found.side) == ("receipts", common_pb2.SIDE_B)
    return found


async def test_s09_what_was_handed_over_comes_before_the_closing_and_what_is_on_the_tablet_is_counted(
    tills: Tills,
) -> None:
    for till in ("1", "2"):
        tills.till.report(till)
    before = tills.cloud.person.find("tills", number="2")[0]["reportedAt"]
    first, second, third = (tills.sell({"article": "100"}, hand_over=False) for _ in range(3))
    tills.sell({"article": "100"}, till="2", hand_over=False)  # and its tablet is offline
    tills.till.hand_over("1", at_most=2)
    run = await tills.start(DOCUMENTS)
    await tills.documents(2)
    found = told(run)
    assert [(one.of, one.outstanding) for one in found.reports] == [("1", 1), ("2", 0)]
    # Till 2 knows more than the cloud: it has reported until then, and nobody claims more.
    assert (found.outstanding, found.until.ToDatetime()) == (1, before.replace(tzinfo=None))
    assert found.said == f"outstanding: 1; reported until: {before.isoformat(timespec='seconds')}"
    assert await streams(tills) == found
    # Late, with times before that run: both come. The day's closing numbers all, and brings nothing a second time.
    tills.till.close_day("1")
    tills.till.close_day("2")
    run = await tills.start(DOCUMENTS)
    await tills.documents(4)
    assert (told(run).outstanding, {one.outstanding for one in told(run).reports}) == (0, {0})
    assert (await tills.start(DOCUMENTS)).outcome == "nothing_new"
    assert await tills.bring_in() == 4
    await tills.quiet()
    assert sorted(tills.sales())[:3] == [first, second, third] and len(tills.sales()) == 4


async def test_s09_where_the_cloud_does_not_tell_the_run_says_not_known(tills: Tills) -> None:
    tills.cloud.options["pending"] = "silent"
    tills.sell({"article": "100"})
    tills.sell({"article": "100"}, hand_over=False)
    run = await tills.start(DOCUMENTS)
    await tills.documents(1)
    found = told(run)
    # The other till has never reported.
    assert found.said == "outstanding: not known; reported until: not known"
    assert not found.HasField("outstanding") and not found.HasField("until")
    one, two = found.reports
    assert one.HasField("until") and not one.HasField("outstanding") and not two.HasField("until")


async def streams(tills: Tills) -> common_pb2.Backlog:
    """What the list of streams says of the receipts."""
    request = streams_pb2.ListStreamsRequest(link=tills.name, tenant=tills.tenant)
    listed = (await tills.tandem.streams.ListStreams(request)).streams
    (cursor,) = (
        one
        for stream in listed
        if stream.stream == "receipts"
        for one in stream.cursors
        if one.HasField("backlog")
    )
    return cursor.backlog
