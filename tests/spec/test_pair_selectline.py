"""SelectLine Auftrag <-> CloudKasse: master data up, receipts down (rows S1, S2, S7, S8, S10, S11, S13, S14, S16-S19), on a
real daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from clients.emulators.faults import Fault
from tandem.v1 import links_pb2, rooms_pb2, runs_pb2
from tandem_client import Tandem, TandemError
from tests.spec.accounts import texts
from tests.spec.names import own_name
from tests.spec.systems import until
from tests.spec.tills import CUSTOMER, TAX, Tills, shop

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tills(tandem: Tandem, request: pytest.FixtureRequest) -> AsyncIterator[Tills]:
    async with shop(tandem, own_name(request)) as made:
        yield made


async def test_s07_s13_company_tills_entered_articles_with_gross_prices_and_entered_employees_go_up(
    tills: Tills,
) -> None:
    erp = tills.erp.person
    address: dict[str, Any] = {
        "Address.Street": "Hafenstraße",
        "Address.HouseNumber": "7a",
        "Address.ZipCode": "24103",
    }
    erp.edit("Tenants", "SL_MWAWI", {"Company": "Weinhaus Förde", **address, "Address.City": "Kiel"})
    tills.new_till("1")
    tills.article("100", values={"EuropeanArticleNumber": "4006381333931", "ArticleGroupNumber": "WEIN"})
    tills.article("101", values={"Payment.ListPrice": Decimal("4.665"), "Payment.SaleTaxCode": "2"})
    tills.article("102", entered=False)
    # Half a cent: 1.50 and 7 % is 1.605.
    tills.article("103", values={"Payment.ListPrice": Decimal("1.50"), "Payment.SaleTaxCode": "2"})
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
        "103": ("Artikel 103", Decimal("1.61"), 2, True),
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
    found = [
        (row["number"], row["name"], row["grossPrice"], row["active"])
        for row in cloud.rows("articles").values()
    ]
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
    tills.article("101", entered=False, values={"Payment.SaleTaxCode": "9"})
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
    missing = texts((await tills.tandem.links.ListPreparations(asked)).preparations)
    assert [one for one in missing if "no till is entered" in one], missing
    assert [one for one in missing if "till_customer" in one] and len(missing) == 2, missing
    tills.new_till("1")
    customer = tills.erp.person.row("Customers", CUSTOMER)
    tills.erp.person.delete("Customers", CUSTOMER)
    with pytest.raises(TandemError) as refused:
        await tills.activate()
    assert (
        refused.value.reason == "BEING_SET_UP"
        and "the customer of the tills is not there" in refused.value.message
    )
    tills.erp.person.insert("Customers", customer)
    await tills.activate()
    # The till can't be written yet: the article waits for it.
    tills.cloud.options["busy"] = "yes"
    assert (await tills.start()).outcome in ("failed", "partial")
    assert not tills.cloud.person.rows("tills") and not tills.cloud.person.rows("articles")
    tills.cloud.options["busy"] = "no"
    await tills.quiet()
    assert tills.at_till("tills", "1") and tills.at_till("articles", "100")


async def test_s08_where_the_setting_says_so_an_article_waits_for_the_tills_that_it_is_assigned_to(
    tills: Tills,
) -> None:
    for number, of in (("100", "2"), ("101", None), ("102", "1, 2"), ("103", "1")):
        tills.article(number, values={"MatchCode": of})
    tills.new_till("1")
    with pytest.raises(TandemError) as refused:
        await tills.created(need_till="assigned")
    assert "requires.tills: `a` or `b` is missing" in refused.value.message
    given = {**TAX, "need_till": "assigned", "article_tills_field": "MatchCode"}
    await tills.change(
        {
            "a": {"poll": "1s"},
            "b": {"poll": "1s"},
            "settings": {name: {"default": value} for name, value in given.items()},
        }
    )
    await tills.activate()
    await tills.start()

    def up() -> list[str]:
        return sorted(row["number"] for row in tills.cloud.person.rows("articles").values())

    assert up() == ["101", "103"]
    waiting = {row.record: row.reason for row in await tills.parked("waiting")}
    assert waiting == {"100": "tills 2 not in step yet", "102": "tills 2 not in step yet"}
    tills.new_till("2")
    await tills.start()
    assert up() == ["100", "101", "102", "103"] and not await tills.parked("waiting")


# --------------------------------------------------------------------------------------------------- receipts


async def selling(tills: Tills, **settings: object) -> None:
    """A shop that sells: a till, three articles, somebody behind the counter; all of it up at the till."""
    tills.new_till("1")
    for number in ("100", "101", "102"):
        tills.article(number)
    tills.erp.person.insert("Employees", {"EmployeeNumber": "7", "FirstName": "Ada", "LastName": "Berg"})
    await tills.go(**settings)
    assert (await tills.start(runs_pb2.SCOPE_MASTER)).outcome == "succeeded"


async def test_s10_s11_receipts_are_staged_and_each_import_makes_the_sale_and_moves_the_stock_once(
    tills: Tills,
) -> None:
    await selling(tills)
    one = tills.sell(
        {"article": "100", "quantity": 2}, {"article": "101", "discount": "1.90"}, BEDIENER_ID="7"
    )
    two = tills.sell({"article": "102", "quantity": "0.5"})
    tills.sell({"article": "100", "quantity": 9}, BON_TYP="AVTraining")
    on_tablet = tills.sell({"article": "101"}, hand_over=False)
    before = {name: dict(tills.erp.person.rows(name)) for name in ("Articles", "Documents", "Movements")}
    # Nothing comes down where master data alone are asked for.
    assert (await tills.start(runs_pb2.SCOPE_MASTER)).outcome == "nothing_new"
    run = await tills.start(runs_pb2.SCOPE_DOCUMENT)
    waiting = await tills.documents(2)
    assert run.outcome == "succeeded", run.outcome
    assert {name: dict(tills.erp.person.rows(name)) for name in before} == before
    # The first one now, the rest later.
    (first,) = (row.id for row in waiting if row.record.endswith("000001"))
    assert await tills.bring_in(first) == 1
    await tills.documents(1)
    sale = tills.sales()[one]
    shown = {
        name: sale[name] for name in ("KindFlag", "StatusFlag", "EmployeeNumber", "DeliveryDocumentNumber")
    }
    assert shown == {"KindFlag": "R", "StatusFlag": "0", "EmployeeNumber": "7", "DeliveryDocumentNumber": "1"}
    assert (sale["GrossAmount"], sale["Payment.IsCashSale"]) == (Decimal("33.80"), True)
    assert sale["BusinessPartner.Address.Number"] == "10000"
    assert tills.positions(one) == [("100", 2, Decimal("23.80")), ("101", 1, Decimal("10.00"))]
    assert tills.stock("100", "101", "102") == [98, 99, 100]
    # The day's closing changes what was imported and what still waits: neither comes twice.
    tills.till.close_day("1")
    await tills.start(runs_pb2.SCOPE_DOCUMENT)
    waiting = await tills.documents(2)  # and the one that was on the tablet
    assert {row.id for row in waiting} & {first} == set()
    assert await tills.bring_in() == 2
    await tills.documents(0)
    assert set(tills.sales()) == {one, two, on_tablet}
    assert tills.stock("100", "101", "102") == [98, 98, Decimal("99.5")]
    assert (await tills.start()).outcome == "nothing_new"
    assert not await tills.parked("conflict")


async def test_s17_s19_a_cancellation_comes_late_and_one_that_can_not_be_imported_waits_with_the_reason(
    tills: Tills,
) -> None:
    await selling(tills)
    sold = tills.sell({"article": "100", "quantity": 3})
    await tills.start()
    await tills.documents(1)
    await tills.bring_in()
    await tills.documents(0)
    assert tills.stock("100") == [97]
    # Cancelled while the tablet is offline; handed over after a later receipt of another till.
    tills.new_till("2")
    await tills.start(runs_pb2.SCOPE_MASTER)
    (original,) = tills.cloud.person.find("tablet", handed=True)
    cancelled = tills.till.cancel(str(original["id"]))
    strange = tills.sell({"text": "Tagesgericht", "price": "9.50", "vatKey": 1, "article": "999"}, till="2")
    await tills.start(runs_pb2.SCOPE_DOCUMENT)
    await tills.documents(1)
    tills.till.hand_over("1")
    await tills.start(runs_pb2.SCOPE_DOCUMENT)
    await tills.documents(2)
    await tills.bring_in()
    (left,) = await tills.documents(1)
    assert "999" in left.reason and left.record.endswith(strange.rpartition("-")[2]), left.reason
    back = str(tills.cloud.person.row("tablet", cancelled)["receipt"]["BON_ID"])
    assert set(tills.sales()) == {sold, back} and tills.stock("100") == [100]
    assert tills.positions(back) == [("100", -3, Decimal("-35.70"))]
    # The article is entered in SelectLine; then it can be imported.
    tills.article("999")
    await tills.bring_in()
    await tills.documents(0)
    assert tills.stock("999") == [99] and len(tills.sales()) == 3


@pytest.mark.parametrize("done", [True, False])
async def test_s11_a_line_that_is_cut_in_the_middle_of_an_import_loses_and_doubles_nothing(
    tills: Tills, done: bool
) -> None:
    await selling(tills)
    sold = tills.sell({"article": "100", "quantity": 2}, {"article": "101"})
    await tills.start()
    await tills.documents(1)
    tills.erp.faults.add(Fault("cut", method="POST", path="/ArticleItem$", done=done))
    await tills.bring_in()
    await tills.see(lambda: tills.erp.person.rows("Documents"), "the document")

    async def whole() -> bool:
        return tills.stock("100", "101") == [98, 99]

    await until(whole, "the whole sale")
    await tills.documents(0)
    assert tills.positions(sold) == [("100", 2, Decimal("23.80")), ("101", 1, Decimal("11.90"))]
    assert tills.sales()[sold]["StatusFlag"] == "0" and len(tills.erp.person.rows("Movements")) == 2


async def test_s11_s19_where_the_setting_says_so_a_run_stages_and_the_next_one_imports_by_itself(
    tills: Tills,
) -> None:
    await selling(tills, import_after_run="always")
    sold = tills.sell({"article": "100"})
    strange = tills.sell({"text": "Tagesgericht", "price": "9.50", "vatKey": 1, "article": "999"})
    run = await tills.start(runs_pb2.SCOPE_DOCUMENT)
    # It ends with staged receipts; the import is a step of its own, with a result of its own.
    assert run.outcome == "succeeded" and {one.rule for one in await tills.items(run)} == {"staged"}
    await tills.see(lambda: list(tills.sales()) == [sold], "the sale, by itself")
    (left,) = await tills.documents(1)
    assert "999" in left.reason and left.record.endswith(strange.rpartition("-")[2]), left.reason
    assert tills.stock("100") == [99]
    request = runs_pb2.ListRunsRequest(link=tills.name, tenant=tills.tenant)

    async def imported() -> list[runs_pb2.Run]:
        runs = (await tills.tandem.runs.ListRuns(request)).runs
        return [one for one in runs if any(n.created for n in one.counters if n.stream == "receipts")]

    (step,) = await until(imported, "the run that imported")
    assert (step.outcome, step.id != run.id) == ("partial", True)
    # What was refused is tried once, and waits for somebody then.
    tills.article("999")
    await tills.quiet()
    assert len(tills.sales()) == 1
    await tills.bring_in()
    await tills.documents(0)
    assert set(tills.sales()) == {sold, strange}


async def test_s11_where_the_setting_says_never_an_import_is_refused_and_what_is_staged_can_go_once_it_is_another_one(
    tills: Tills,
) -> None:
    await selling(tills, import_after_run="never")
    sold = tills.sell({"article": "100"})
    await tills.start(runs_pb2.SCOPE_DOCUMENT)
    (row,) = await tills.documents(1)
    assert row.reason == "staged: never imported on a" and "ask or always" in row.hint
    for ids in ((), (row.id,)):
        with pytest.raises(TandemError) as refused:
            await tills.bring_in(*ids)
        assert refused.value.reason == "IMPORTS_NEVER" and "receipts" in refused.value.message
    retry = rooms_pb2.RetryParkedRequest(id=row.id)
    with pytest.raises(TandemError) as refused:
        await tills.tandem.quarantine.RetryParked(retry)
    assert refused.value.reason == "IMPORTS_NEVER"
    await tills.quiet()
    assert not tills.sales() and tills.stock("100") == [100]
    given = {name: {"default": value} for name, value in {**TAX, "import_after_run": "ask"}.items()}
    await tills.change({"a": {"poll": "1s"}, "b": {"poll": "1s"}, "settings": given})
    assert await tills.bring_in() == 1
    await tills.documents(0)
    assert list(tills.sales()) == [sold] and tills.stock("100") == [99]
