"""SelectLine Auftrag <-> CloudKasse: master data up, receipts down (rows S1, S2, S7, S8, S10, S11, S13, S14, S16-S19), on a
real daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tandem.v1 import links_pb2, runs_pb2
from tandem_client import Tandem, TandemError
from tests.spec.names import own_name
from tests.spec.tills import Tills, shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tills(tandem: Tandem, request: pytest.FixtureRequest) -> AsyncIterator[Tills]:
    async with shop(tandem, own_name(request)) as made:
        yield made


async def test_s07_company_tills_entered_articles_with_gross_prices_and_entered_employees_go_up(
    tills: Tills,
) -> None:
    erp = tills.erp.person
    address = {"Address.Street": "Hafenstraße", "Address.HouseNumber": "7a", "Address.ZipCode": "24103"}
    erp.edit("Tenants", "SL_MWAWI", {"Company": "Weinhaus Förde", **address, "Address.City": "Kiel"})
    tills.new_till("1")
    tills.article("100", EuropeanArticleNumber="4006381333931", ArticleGroupNumber="WEIN")
    tills.article("101", **{"Payment.ListPrice": Decimal("4.665"), "Payment.SaleTaxCode": "2"})
    tills.article("102", entered=False)
    erp.insert("Employees", {"EmployeeNumber": "7", "FirstName": "Ada", "LastName": "Berg"})
    erp.insert("Employees", {"EmployeeNumber": "8", "FirstName": "Bo", "LastName": "Holm"})
    erp.insert("XCLOUDKASSEMITARBEITER", {"_MITARBEITERNUMMER": "7"})
    before = {name: dict(erp.rows(name)) for name in ("Tenants", "Articles", "Employees", "XCLOUDKASSEN")}
    await tills.go()
    run = await tills.start()
    assert run.outcome == "succeeded"
    cloud = tills.cloud.person
    (company,) = cloud.rows("company").values()
    shown = {name: company[name] for name in ("name", "street", "zip", "city", "country")}
    expected = {"name": "Weinhaus Förde", "street": "Hafenstraße 7a", "zip": "24103", "city": "Kiel"}
    assert shown == {**expected, "country": "DE"}
    assert (tills.at_till("tills", "1")["name"], tills.at_till("tills", "1")["active"]) == ("Kasse 1", True)
    articles = {
        row["number"]: (row["name"], row["grossPrice"], row["vatKey"], row["active"])
        for row in cloud.rows("articles").values()
    }
    # 10.00 and 19 %; 4.665 and 7 % is 4.99155.
    assert articles == {
        "100": ("Artikel 100", Decimal("11.90"), 1, True),
        "101": ("Artikel 101", Decimal("4.99"), 2, True),
    }
    wine = tills.at_till("articles", "100")
    assert (wine["gtin"], wine["group"], wine["unit"]) == ("4006381333931", "WEIN", "Stk")
    staff = [(row["number"], row["firstName"], row["lastName"]) for row in cloud.rows("staff").values()]
    assert staff == [("7", "Ada", "Berg")]
    # Nothing was written to SelectLine, and a second run finds nothing new.
    assert (await tills.start()).outcome == "nothing_new"
    assert {name: dict(erp.rows(name)) for name in before} == before


async def test_s07_s16_what_changes_goes_up_and_what_is_taken_out_stays_at_the_till(tills: Tills) -> None:
    erp, cloud = tills.erp.person, tills.cloud.person
    tills.new_till("1")
    tills.article("100")
    tills.article("101")
    await tills.go()
    await tills.start()
    (entry,) = erp.find("XCLOUDKASSEARTIKEL", _ARTIKELNUMMER="101")
    erp.delete("XCLOUDKASSEARTIKEL", entry["Id"])
    for number in ("100", "101"):
        erp.edit("Articles", number, {"Payment.ListPrice": Decimal(20), "IsInactive": True})
    # Somebody types another name at the till: it is put back.
    cloud.edit("articles", tills.at_till("articles", "100")["id"], name="Hauswein")
    assert (await tills.start()).outcome == "succeeded"
    found = [(row["number"], row["name"], row["grossPrice"], row["active"]) for row in cloud.rows("articles").values()]
    assert sorted(found) == [
        ("100", "Artikel 100", Decimal("23.80"), False),
        ("101", "Artikel 101", Decimal("11.90"), True),
    ]
    erp.insert("XCLOUDKASSEARTIKEL", {"_ARTIKELNUMMER": "101"})
    await tills.start()
    assert tills.at_till("articles", "101")["grossPrice"] == Decimal("23.80")


async def test_s07_all_articles_where_the_setting_says_so_and_a_tax_code_without_a_rate_is_named(
    tills: Tills,
) -> None:
    tills.new_till("1")
    tills.article("100", entered=False)
    tills.article("101", entered=False, **{"Payment.SaleTaxCode": "9"})
    await tills.go(articles_select="Number")
    run = await tills.start()
    assert [row["number"] for row in tills.cloud.person.rows("articles").values()] == ["100"]
    (waits,) = await tills.parked("waiting")
    assert "9" in waits.reason and "tax_rates" in waits.reason, (run.outcome, waits.reason)


async def test_s08_s14_a_start_is_refused_without_a_till_and_articles_wait_until_one_was_synced(
    tills: Tills,
) -> None:
    tills.article("100")
    await tills.created()
    with pytest.raises(TandemError) as refused:
        await tills.start()
    assert refused.value.reason == "NOT_ACTIVE"
    asked = links_pb2.ListPreparationsRequest(link=tills.name, tenant=tills.tenant)
    missing = [one.text for one in (await tills.tandem.links.ListPreparations(asked)).missing]
    assert any("till" in one for one in missing) and any("till_customer" in one for one in missing), missing
    tills.new_till("1")
    await tills.activate()
    # The till can't be written yet: the article waits for it.
    tills.cloud.options["busy"] = "yes"
    assert (await tills.start()).outcome in ("failed", "partial")
    assert not tills.cloud.person.rows("tills") and not tills.cloud.person.rows("articles")
    tills.cloud.options["busy"] = "no"
    await tills.quiet()
    assert tills.at_till("tills", "1") and tills.at_till("articles", "100")
