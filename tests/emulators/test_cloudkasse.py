"""What the modelled CloudKasse does, one by one: its lists and refusals over HTTP, and the tablets behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from clients.emulators.cloudkasse import System
from clients.emulators.description import Refused
from clients.emulators.stand import stand

pytestmark = pytest.mark.anyio


class Caller:
    """Somebody with a token."""

    def __init__(self, http: aiohttp.ClientSession, cloud: System) -> None:
        self.http, self.cloud, self.token = http, cloud, "till-token"

    async def ask(self, path: str, verb: str = "GET", body: Any = None, **asked: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.cloud.address}/v1/{path}"
        async with self.http.request(verb, url, params=asked, json=body, headers=headers) as got:
            return got.status, await got.json()

    async def receipts(self, **asked: str) -> list[Any]:
        return list((await self.ask("receipts", **asked))[1]["results"])

    async def till(self) -> Any:
        return (await self.ask("tills/1"))[1]


@pytest.fixture
async def cloud(request: pytest.FixtureRequest) -> AsyncIterator[System]:
    async with stand("cloudkasse", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, System)
        emulator.person.insert("tills", {"number": "K1"})
        row = {"number": "100", "name": "Tasse", "vatKey": 1, "grossPrice": "11.90", "gtin": "400"}
        emulator.person.insert("articles", row)
        yield emulator


@pytest.fixture
async def caller(cloud: System) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        yield Caller(http, cloud)


async def test_refusals_have_a_code(caller: Caller) -> None:
    for path, verb, body, told in (
        ("articles", "POST", {"number": "100", "name": "Twice"}, (409, "exists")),
        ("articles", "POST", {"number": "101"}, (422, "blank")),
        ("articles", "POST", {"number": "101", "name": "A", "vatKey": 9}, (422, "reference")),
        ("articles", "POST", {"number": "101", "name": "A", "grossPrice": "1.005"}, (422, "price")),
        ("articles/1", "PATCH", {"colour": "red"}, (422, "unknown_field")),
        ("tills/1", "PATCH", {"pending": 0}, (422, "unknown_field")),
        ("articles/77", "PATCH", {"name": "A"}, (404, "not_found")),
        ("articles/77", "GET", None, (404, "not_found")),
        ("nothing", "GET", None, (404, "path")),
        ("receipts", "POST", {"BON_ID": "1"}, (405, "read_only")),
        ("articles?limit=0", "GET", None, (400, "limit")),
        ("articles?colour=red", "GET", None, (422, "unknown_field")),
    ):
        status, said = await caller.ask(path, verb, body)
        assert (status, said["code"]) == told, path
    caller.token = "wrong"
    status, said = await caller.ask("account")
    assert (status, said["code"]) == (401, "token")


async def test_a_list_is_asked_for_by_place_time_ids_and_field(caller: Caller, cloud: System) -> None:
    cloud.person.insert("articles", {"number": "101", "name": "Honig"}, {"number": "102", "name": "Wachs"})
    for asked, numbers in (
        ({"limit": "2"}, ["100", "101"]),
        ({"after": "1"}, ["101", "102"]),
        ({"ids": "3,1,77"}, ["100", "102"]),
        ({"name": "Honig"}, ["101"]),
        ({"grossPrice": "11.9"}, ["100"]),
        ({"updatedSince": "2100-01-01T00:00:00Z"}, []),
    ):
        _, said = await caller.ask("articles", **asked)
        assert [row["number"] for row in said["results"]] == numbers, asked


async def test_a_receipt_stays_on_the_tablet_until_it_is_handed_over(caller: Caller, cloud: System) -> None:
    for _ in range(3):
        cloud.tablets.sell("K1", [{"article": "100"}])
    assert await caller.receipts() == []
    assert ((await caller.till())["pending"], (await caller.till())["reportedAt"]) == (None, None)
    assert cloud.tablets.report("K1") == 3
    assert cloud.tablets.hand_over("K1", at_most=2) == 2
    found = await caller.receipts()
    assert [one["BON_NR"] for one in found] == [1, 2]
    assert (await caller.till())["pending"] == 1
    assert cloud.tablets.hand_over("K1") == 1
    assert cloud.tablets.hand_over("K1") == 0
    # Handed over again, what is there stays as it is.
    assert cloud.tablets.hand_over("K1", again=True) == 3
    assert (await caller.receipts())[:2] == found


@pytest.mark.parametrize("cloud", [{"pending": "silent"}], indirect=True)
async def test_a_silent_cloud_does_not_tell_what_is_on_a_tablet(caller: Caller, cloud: System) -> None:
    cloud.tablets.hand_over("K1")
    till = await caller.till()
    assert till["pending"] is None and till["reportedAt"]


async def test_the_day_s_closing_numbers_its_receipts(caller: Caller, cloud: System) -> None:
    cloud.tablets.sell("K1", [{"article": "100"}])
    cloud.tablets.hand_over("K1")
    (open_one,) = await caller.receipts()
    assert (open_one["Z_NR"], open_one["Z_ERSTELLUNG"]) == (None, None)
    cloud.tablets.sell("K1", [{"article": "100"}])
    assert cloud.tablets.close_day("K1") == 1
    closed = await caller.receipts(updatedSince=open_one["updatedAt"])
    assert [one["Z_NR"] for one in closed] == [1, 1]
    assert all(one["Z_ERSTELLUNG"] for one in closed)
    assert closed[0]["uploadedAt"] == open_one["uploadedAt"]


async def test_sums_and_taxes_fit(caller: Caller, cloud: System) -> None:
    cloud.tablets.sell(
        "K1",
        [
            {"article": "100", "quantity": 2, "discount": "1.80"},
            {"text": "Gutschein", "type": "MehrzweckgutscheinKauf", "price": 10, "voucher": "G1"},
            {"text": "Trinkgeld", "type": "TrinkgeldAN", "price": "0.50"},
            {"article": "unknown", "text": "Diverses", "price": "5.35", "vatKey": 2},
        ],
        [
            {"type": "ECKarte", "amount": 30},
            {"type": "Bar", "amount": "7.85", "currency": "CHF", "foreign": 8},
        ],
    )
    cloud.tablets.hand_over("K1")
    (found,) = await caller.receipts()
    whole = Decimal(found["UMS_BRUTTO"])
    assert whole == Decimal("37.85")
    for rows, name in (("lines", "POS_BRUTTO"), ("vat", "BON_BRUTTO"), ("payments", "BASISWAEH_BETRAG")):
        assert sum(Decimal(row[name]) for row in found[rows]) == whole
    for row in found["vat"]:
        assert Decimal(row["BON_NETTO"]) + Decimal(row["BON_UST"]) == Decimal(row["BON_BRUTTO"])
    assert {row["UST_SCHLUESSEL"]: row["BON_NETTO"] for row in found["vat"]} == {
        1: "18.48739",
        5: "10.50000",
        2: "5.00000",
    }
    assert found["lines"][1]["GUTSCHEIN_NR"] == "G1"


async def test_a_cancellation_is_a_receipt_with_the_opposite_amounts(caller: Caller, cloud: System) -> None:
    sold = cloud.tablets.sell("K1", [{"article": "100", "quantity": 2}])
    cloud.tablets.cancel(sold)
    cloud.tablets.hand_over("K1")
    first, second = await caller.receipts()
    assert (second["BON_TYP"], second["BON_STORNO"], second["UMS_BRUTTO"]) == ("Beleg", True, "-23.80")
    assert (second["lines"][0]["MENGE"], second["payments"][0]["BASISWAEH_BETRAG"]) == ("-2", "-23.80")
    assert second["references"][0]["REF_BON_ID"] == first["BON_ID"]
    assert first["BON_STORNO"] is False


async def test_a_price_of_the_till_goes_before_that_of_the_article(caller: Caller, cloud: System) -> None:
    cloud.person.insert("prices", {"articleId": 1, "tillId": 1, "gross": "9.90"})
    cloud.tablets.sell("K1", [{"article": "100"}])
    cloud.tablets.hand_over("K1")
    (found,) = await caller.receipts()
    assert found["UMS_BRUTTO"] == "9.90"


async def test_a_backup_of_the_cloud_leaves_the_tablets(caller: Caller, cloud: System) -> None:
    name = cloud.data.backup()
    cloud.tablets.sell("K1", [{"article": "100"}])
    cloud.tablets.hand_over("K1")
    cloud.data.restore(name)
    assert await caller.receipts() == []
    # The tablet takes it for handed over, until somebody has it send all again.
    assert cloud.tablets.hand_over("K1") == 0
    assert cloud.tablets.hand_over("K1", again=True) == 1
    assert len(await caller.receipts()) == 1


async def test_a_new_tablet_begins_anew_and_takes_the_place_of_old_receipts(
    caller: Caller, cloud: System
) -> None:
    cloud.tablets.sell("K1", [{"article": "100"}])
    cloud.tablets.hand_over("K1")
    cloud.tablets.sell("K1", [{"article": "100"}])
    assert cloud.tablets.reset("K1") == 1
    cloud.tablets.sell("K1", [{"article": "100", "quantity": 3}])
    cloud.tablets.hand_over("K1")
    (found,) = await caller.receipts()
    assert (found["BON_NR"], found["UMS_BRUTTO"]) == (1, "35.70")


async def test_what_stands_on_receipts_stays(cloud: System) -> None:
    cloud.person.insert("staff", {"number": "7"})
    cloud.tablets.sell("K1", [{"article": "100"}], BEDIENER_ID="7")
    for table in ("articles", "staff", "tills"):
        with pytest.raises(Refused, match="Bons"):
            cloud.person.delete(table, 1)


async def test_people_at_the_till_are_reached_by_the_control_port(caller: Caller, cloud: System) -> None:
    async def deed(name: str, **given: Any) -> tuple[int, Any]:
        async with caller.http.post(f"{cloud.control}/deeds/{name}", json=given) as got:
            return got.status, await got.json()

    assert await deed("sell", till="K1", lines=[{"article": "100"}]) == (200, "1-000001")
    assert await deed("hand_over", till="K1") == (200, 1)
    assert len(await caller.receipts()) == 1
    assert (await deed("sell", till="K9"))[0] == 409
    assert (await deed("sell", colour="red"))[0] == 400
    assert (await deed("dance"))[0] == 400
