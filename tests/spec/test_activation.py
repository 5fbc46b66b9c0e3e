"""T1, T2, T10, T14, T17, T21, S14 in general form: what has to be there before a link works, and what
turning it off leaves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from tandem.v1 import connections_pb2, links_pb2, runs_pb2, settings_pb2
from tandem_client import Tandem, TandemError
from tests.daemon.process import DaemonProcess
from tests.spec.accounts import CUSTOMERS, Account, Accounts, accounts, row, rules, texts
from tests.spec.names import own_name
from tests.spec.systems import until

pytestmark = pytest.mark.anyio
COUNTRY = {"side": "a", "object": "company", "field": "country"}
SETUP: Mapping[str, Any] = {
    "settings": {
        "journal": {
            "doc": "the journal that documents are booked in",
            "values": {"side": "b", "object": "journals", "field": "code"},
        },
        "customer_kind": {"choices": ["organisation", "person"]},
        "vat_codes": {
            "keys": {"side": "a", "object": "vat_groups", "field": "code"},
            "where": {"country": COUNTRY},
        },
    },
    "rests_on": {"country": COUNTRY},
}
CHOSEN = {"journal": "VK", "customer_kind": "person", "vat_codes": {"high": "21", "low": "06"}}
A_ROWS: Mapping[str, Any] = {
    "company": [{"country": "BE"}],
    "vat_groups": [
        {"code": "high", "country": "BE"},
        {"code": "low", "country": "BE"},
        {"code": "hoog", "country": "NL"},
    ],
}
B_ROWS: Mapping[str, Any] = {"journals": [{"code": "VK"}, {"code": "AK"}]}


def blueprint(poll: str = "1s", **setup: Any) -> str:
    """Customers from b to a first, under settings that have to be chosen."""
    return rules({"customers": {**CUSTOMERS, "first_contact": "b"}}, {**SETUP, **setup}, "crm-books", poll)


@pytest.fixture
async def made(
    daemon: DaemonProcess, tandem: Tandem, postgres_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[Accounts]:
    name = own_name(request, 30)
    async with accounts(daemon, tandem, postgres_url, name) as found:
        yield found


async def both(made: Accounts, a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Account, Account]:
    """Two accounts, both connected by the tenant of the first."""
    crm, books = await made.account("crm", **a), await made.account("books", **b)
    settings = json_format.ParseDict({"url": books.url, "find": "trigger", "consumer": "crm"}, Struct())
    await crm.tandem.connections.CreateConnection(
        connections_pb2.CreateConnectionRequest(name="books", connector="postgres", settings=settings)
    )
    return crm, books


async def link(crm: Account, text: str, **settings: Any) -> links_pb2.Link:
    request = links_pb2.CreateLinkRequest(name="crm-books", a=crm.tenant, b="books", blueprint=text)
    request.settings.update(settings)
    return await crm.tandem.links.CreateLink(request)


async def prepare(crm: Account, **settings: Any) -> links_pb2.Link:
    request = links_pb2.PrepareLinkRequest(link="crm-books")
    request.settings.update(settings)
    return await crm.tandem.links.PrepareLink(request)


async def activate(crm: Account, *, go_on: bool = False) -> links_pb2.Link:
    return await crm.tandem.links.ActivateLink(links_pb2.ActivateLinkRequest(link="crm-books", go_on=go_on))


async def missing(crm: Account) -> list[str]:
    request = links_pb2.ListPreparationsRequest(link="crm-books")
    return texts((await crm.tandem.links.ListPreparations(request)).preparations)


async def test_t01_it_is_being_set_up_until_all_is_chosen_and_reviewed_when_the_country_changes(
    made: Accounts,
) -> None:
    crm, books = await both(made, A_ROWS, {**B_ROWS, "customers": [row(1)]})
    shown = await link(crm, blueprint(), journal="VK")
    assert (shown.state, shown.establishment) == ("being_set_up", "confirmed")
    first = await missing(crm)
    assert len(first) == 2 and "customer_kind is not chosen" in first[0] and "high, low" in first[1]
    with pytest.raises(TandemError) as refused:
        await activate(crm)
    assert (
        refused.value.reason == "BEING_SET_UP"
        and "vat_codes lacks an entry for high, low" in refused.value.message
    )
    with pytest.raises(TandemError) as refused:
        await prepare(crm, jurnal="x")
    assert refused.value.reason == "INVALID"
    await prepare(crm, customer_kind="person", vat_codes={"high": "21"})
    assert ["for low" in text for text in await missing(crm)] == [True]
    assert await crm.customers() == []  # nothing moved so far
    await prepare(crm, vat_codes={"high": "21", "low": "06"})
    assert await missing(crm) == []
    assert (await activate(crm)).establishment == "established"
    await crm.settled(shown.id)
    assert await crm.customers() == await books.customers() != []
    # Whoever moves to another country has other groups: it stops, naming both, until somebody has looked.
    await crm.sql("UPDATE company SET country = 'NL'")
    stopped = await crm.settled(shown.id, "misconfigured")
    assert "country was 'BE' and is 'NL'" in stopped.reasons[0]
    await books.sql("UPDATE customers SET city = 'Gent'")
    review = links_pb2.ReviewLinkRequest(link="crm-books")
    with pytest.raises(TandemError) as refused:
        await crm.tandem.links.ReviewLink(review)
    assert "lacks an entry for hoog" in refused.value.message
    await prepare(crm, vat_codes={"hoog": "3"})
    await crm.tandem.links.ReviewLink(review)
    await crm.settled(shown.id)
    assert (await crm.customers())[0][2] == "Gent"


async def test_t01_what_the_rules_are_made_of_is_chosen_in_the_same_way(made: Accounts) -> None:
    crm, books = await both(made, {"customers": [row(1, city="Gent")]}, {})
    name = {"a": {"setting": "place"}, "b": "city"}
    customers = {**CUSTOMERS, "fields": {**CUSTOMERS["fields"], "city": name}}
    text = yaml.safe_load(rules({"customers": customers}, {}, "crm-books", "1s"))
    text["settings"] = {"place": {"form": "text", "doc": "where the town stands"}}
    shown = await link(crm, yaml.safe_dump(text))
    assert shown.state == "being_set_up"
    assert await missing(crm) == ["the setting place (where the town stands) is not chosen"]
    with pytest.raises(TandemError) as refused:
        await activate(crm)
    assert refused.value.reason == "BEING_SET_UP"
    with pytest.raises(TandemError) as refused:
        await prepare(crm, place=7.5)
    assert refused.value.reason == "INVALID" and "a text is needed" in refused.value.message
    await prepare(crm, place="city")
    await activate(crm)
    await crm.settled(shown.id)
    assert await books.customers() == [("N001", "Name 1", "Gent")]
    # Chosen otherwise while it works: checked as any change of the rules.
    for wrong, reason in (("town", "BLUEPRINT_DOES_NOT_FIT"), ("name", "INVALID")):
        with pytest.raises(TandemError) as refused:
            await prepare(crm, place=wrong)
        assert refused.value.reason == reason
    assert (await crm.link(shown.id)).settings["place"] == "city"


async def test_u14_what_was_chosen_at_set_up_has_versions_and_is_gone_back_to(made: Accounts) -> None:
    crm, books = await both(made, {"customers": [row(1, city="G")]}, {})
    city = {"a": "city", "b": "city", "first_contact": "a", "lens_a": {"map": {"setting": "cities"}}}
    customers = {**CUSTOMERS, "fields": {**CUSTOMERS["fields"], "city": city}}
    asked = {"cities": {"keys": {"side": "a", "object": "customers", "field": "city"}}}
    text = yaml.safe_load(rules({"customers": customers}, {"settings": asked}, "crm-books", "1s"))
    text["settings"] = {
        "cities": {"form": "map"},
        "export": {"form": "flag", "default": False, "fixed": True},
    }
    shown = await link(crm, yaml.safe_dump(text))
    settings = crm.tandem.settings

    async def there(name: str) -> None:
        async def said() -> bool:
            return [one[2] for one in await books.customers()] == [name]

        await until(said, f"{name} on the other side")

    await prepare(crm, export=True)
    await prepare(crm, cities={"G": "Gent"})
    await activate(crm)
    await there("Gent")
    await prepare(crm, cities={"G": "Gand"})
    await there("Gand")
    await prepare(crm, cities={"G": "Gand"})  # that makes no version
    listed = await settings.ListSettingsVersions(settings_pb2.ListSettingsVersionsRequest(link=shown.id))
    assert [(one.version, one.note) for one in listed.versions] == [
        (4, "chosen: cities"),
        (3, "chosen: cities"),
        (2, "chosen: export"),
        (1, "as created"),
    ]
    assert all(one.by for one in listed.versions[:3])
    back = await settings.RevertSettings(settings_pb2.RevertSettingsRequest(link=shown.id, version=3))
    assert (back.version, list(back.reread)) == (5, ["customers"])
    assert json_format.MessageToDict(back.chosen) == {"cities": {"G": "Gent"}, "export": True}
    await there("Gent")
    assert json_format.MessageToDict((await crm.link(shown.id)).settings) == json_format.MessageToDict(
        back.chosen
    )
    # A change of the settings beside it leaves what is chosen as it is; and what an active link can't do without stays.
    change = settings_pb2.ChangeSettingsRequest(
        link=shown.id, settings="streams: {customers: {complete_read: 2h}}"
    )
    changed = await settings.ChangeSettings(change)
    assert (changed.version, list(changed.reread), changed.chosen) == (6, [], back.chosen)
    for version, reason, said in ((2, "NOT_CHOSEN", "nothing for cities"), (1, "INVALID", "for good")):
        with pytest.raises(TandemError) as refused:
            await settings.RevertSettings(settings_pb2.RevertSettingsRequest(link=shown.id, version=version))
        assert refused.value.reason == reason and said in refused.value.message
    # Rules that ask for something more wait for that; what they mean for records is known, and will not be once it is there.
    text["settings"]["town"] = {"form": "text"}
    text["streams"]["customers"]["fields"]["city"]["a"] = {"setting": "town"}
    change = settings_pb2.ChangeSettingsRequest(link=shown.id, blueprint=yaml.safe_dump(text), check=True)
    assert list((await settings.ChangeSettings(change)).reread) == ["customers"]
    await there("Gent")


async def test_t02_activation_starts_the_initial_load_at_once_with_progress_to_watch(made: Accounts) -> None:
    crm, books = await both(made, A_ROWS, {**B_ROWS, "customers": [row(n) for n in range(1, 301)]})
    shown = await link(crm, blueprint("1h"))
    await prepare(crm, **CHOSEN)
    assert (await activate(crm)).state in ("loading", "in_step")

    async def load() -> runs_pb2.Run | None:
        return next(iter(await crm.runs(shown.id)), None)

    run = await until(load, "the initial load")
    assert run is not None and run.cause == "poll"
    watched = [one async for one in crm.tandem.runs.WatchRun(runs_pb2.WatchRunRequest(run=run.id))]
    assert watched[-1].outcome == "succeeded"
    assert sum(counted.created for counted in watched[-1].counters) == 300
    assert await crm.customers() == await books.customers()


async def test_t10_a_journal_that_is_missing_or_not_there_is_refused_at_activation(made: Accounts) -> None:
    crm, _ = await both(made, A_ROWS, B_ROWS)
    await link(crm, blueprint(), customer_kind="person", vat_codes={"high": "21", "low": "06"})
    for chosen, said in (
        (None, "journal (the journal that documents are booked in) is not chosen"),
        ("XX", "'XX'"),
    ):
        if chosen is not None:
            await prepare(crm, journal=chosen)
        with pytest.raises(TandemError) as refused:
            await activate(crm)
        assert refused.value.reason == "BEING_SET_UP" and said in refused.value.message
        assert "AK, VK" in refused.value.hint
    await prepare(crm, journal="VK")
    assert (await activate(crm)).establishment == "established"


async def test_t10_s14_a_check_reads_what_the_link_has_chosen(made: Accounts) -> None:
    """The journal that a setting names has to be there; which VAT groups need a code says a setting too."""
    crm, _ = await both(made, A_ROWS, B_ROWS)
    named = {"code": {"setting": "journal"}}
    check = {"side": "b", "object": "journals", "check": "some", "where": named}
    codes = {"keys": SETUP["settings"]["vat_codes"]["keys"], "where": {"country": {"setting": "country"}}}
    text = blueprint(settings={"journal": {}, "country": {}, "vat_codes": codes}, checks=[check], rests_on={})
    await link(crm, text)
    first = await missing(crm)  # what is not chosen is said once, and nothing that follows from it
    assert len(first) == 2 and all("is not chosen" in one for one in first)
    await prepare(crm, journal="XX", country="NL")
    second = await missing(crm)
    assert "lacks an entry for hoog" in second[0]
    assert "no record, where code is 'XX'" in second[1] and len(second) == 2
    with pytest.raises(TandemError) as refused:
        await activate(crm)
    assert refused.value.reason == "BEING_SET_UP" and "--settings journal=" in refused.value.hint
    await prepare(crm, journal="VK", vat_codes={"hoog": "3"})
    assert await missing(crm) == []
    assert (await activate(crm)).establishment == "established"


async def test_t21_a_failed_log_in_leaves_nothing_activated_and_nothing_loaded(
    made: Accounts, postgres_url: str
) -> None:
    crm, books = await both(made, A_ROWS, {**B_ROWS, "customers": [row(1)]})
    role = f"u{abs(hash(crm.tenant)) % 10**9}"
    await books.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'first' SUPERUSER")
    url = books.url.replace("tandem:quite%20secret%2F%40@", f"{role}:first@")
    settings = json_format.ParseDict({"url": url, "find": "full"}, Struct())
    named = connections_pb2.UpdateConnectionRequest(connection="books", settings=settings)
    await crm.tandem.connections.UpdateConnection(named)
    shown = await link(crm, blueprint())
    await prepare(crm, **CHOSEN)
    await books.sql(f"ALTER ROLE {role} PASSWORD 'second'")
    try:
        with pytest.raises(TandemError) as refused:
            await activate(crm)
        assert refused.value.reason == "AUTH"
        assert (await crm.link(shown.id)).establishment == "confirmed"
        assert await crm.runs(shown.id) == [] and await crm.customers() == []
        await books.sql(f"ALTER ROLE {role} PASSWORD 'first'")
        assert (await activate(crm)).establishment == "established"
        await crm.settled(shown.id)
        assert await crm.customers() == await books.customers()
    finally:
        await crm.tandem.links.DeleteLink(links_pb2.DeleteLinkRequest(link=shown.id))
        gone = connections_pb2.DeleteConnectionRequest(connection="books")
        await crm.tandem.connections.DeleteConnection(gone)
        await books.sql(f"DROP ROLE {role}")


async def test_t14_off_leaves_every_record_and_on_again_doubles_nothing(made: Accounts) -> None:
    crm, books = await both(made, A_ROWS, {**B_ROWS, "customers": [row(n) for n in range(1, 6)]})
    shown = await link(crm, blueprint(), **CHOSEN)
    await crm.settled(shown.id)
    off = links_pb2.DeactivateLinkRequest(link="crm-books")
    assert (await crm.tandem.links.DeactivateLink(off)).state == "off"
    assert (await crm.tandem.links.DeactivateLink(off)).state == "off"  # said twice is said once
    before = await crm.state("customers"), await books.state("customers")
    with pytest.raises(TandemError) as refused:
        await crm.tandem.start_run("crm-books")
    assert refused.value.reason == "NOT_ACTIVE"
    await books.sql("UPDATE customers SET city = 'Gent' WHERE number = 'N001'")
    await crm.sql("INSERT INTO customers (number, name) VALUES ('N900', 'new meanwhile')")
    assert await crm.state("customers") != before[0]
    assert [one[2] for one in await crm.customers()] == [None] * 6
    assert (await activate(crm)).establishment == "established"
    await crm.settled(shown.id)
    await crm.quiet(shown.id)
    found = await crm.customers()
    assert found == await books.customers() and len(found) == 6
    assert found[0] == ("N001", "Name 1", "Gent")


async def test_t17_what_has_no_number_or_a_doubled_one_is_listed_before_and_a_person_mends_it_or_goes_on(
    made: Accounts,
) -> None:
    doubled = [row(1), row(1, name="again"), {"number": None, "name": "none"}, row(4)]
    crm, books = await both(made, {**A_ROWS, "customers": doubled}, {**B_ROWS, "customers": [row(4)]})
    checks = [
        {"side": "a", "object": "customers", "check": check, "by": ["number"], "severity": "warn"}
        for check in ("filled", "unique")
    ]
    shown = await link(crm, blueprint(checks=checks), **CHOSEN)
    assert shown.state == "being_set_up"
    found = await missing(crm)
    assert "1 record in customers" in found[0] and "lack number (3)" in found[0]
    assert "2 records in customers" in found[1] and "share number with another (1, 2)" in found[1]
    with pytest.raises(TandemError) as refused:
        await activate(crm)
    assert refused.value.reason == "WARNINGS" and "--go-on" in refused.value.hint
    await crm.sql("UPDATE customers SET number = 'N002' WHERE name = 'again'")
    assert len(await missing(crm)) == 1
    assert (await activate(crm, go_on=True)).establishment == "established"
    await crm.settled(shown.id)
    assert [one[0] for one in await books.customers()].count("N004") == 1


async def test_s14_a_start_is_refused_while_preparations_are_missing_and_nothing_moves(
    made: Accounts,
) -> None:
    crm, books = await both(made, {"customers": [row(1)]}, {})
    checks = [
        {"side": "b", "object": "journals", "check": "some", "ways_out": ["make a journal in the books"]}
    ]
    text = rules({"customers": CUSTOMERS}, {"checks": checks})
    shown = await link(crm, text)
    assert shown.state == "being_set_up"
    with pytest.raises(TandemError) as refused:
        await crm.tandem.start_run("crm-books")
    assert refused.value.reason == "NOT_ACTIVE" and "list-preparations" in refused.value.hint
    assert await missing(crm) == ["journals of books is empty"]
    with pytest.raises(TandemError) as refused:
        await activate(crm)
    assert "make a journal in the books" in refused.value.hint
    assert await books.customers() == [] and await crm.runs(shown.id) == []
    plan = await crm.tandem.start_run("crm-books", dry_run=True)  # it only looks
    assert (await plan.done()).outcome == "awaiting_approval" and await books.customers() == []
    await books.sql("INSERT INTO journals (code) VALUES ('X')")
    await activate(crm)
    await crm.settled(shown.id)
    assert await books.customers() == await crm.customers()
