"""The odata connector on a real service, beyond the contract: every type, keys of all kinds, races, tokens, refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op
from actors.core.values import Value, same
from actors.ports import Find, Write, WriteStatus
from clients.connectors.definition import checked_settings
from clients.connectors.systems import odata
from clients.connectors.systems.odata_batch import Part
from clients.connectors.systems.odata_service import Reply, Service
from tests.connectors.contract import change, look, mapped, row, scan
from tests.connectors.odata_people import Person, odata_url, people

__all__ = ["odata_url"]
pytestmark = pytest.mark.anyio
CUSTOMER = "00000000-0000-4000-8000-00000000000a"


@asynccontextmanager
async def shop(url: str, **objects: Mapping[str, Any]) -> AsyncIterator[tuple[Person, odata.ODataConnector]]:
    """A person and a connector at the empty shop."""
    async with people(url, {}) as system:
        settings = {**system.settings, "objects": objects}
        connector = await odata.connect(checked_settings(odata.DECLARATION, settings))
        try:
            yield system.person, connector
        finally:
            await connector.aclose()


def before_writes(
    connector: odata.ODataConnector, act: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody acts between the look and the write."""
    many = Service.many

    async def interrupted(self: Service, doing: str, parts: Sequence[Part]) -> list[Reply]:
        if any(part.is_write for part in parts):
            monkeypatch.setattr(Service, "many", many)
            await act()
        return await many(self, doing, parts)

    monkeypatch.setattr(Service, "many", interrupted)


async def test_every_entity_set_is_described(odata_url: str) -> None:
    async with shop(odata_url) as (_, connector):
        described = {one.name: one for one in await connector.describe()}
    assert {"people", "customers", "articles", "orders", "items", "prices", "catalogue"} <= set(described)
    customers = {field.name: field for field in described["customers"].fields}
    assert {
        name: customers[name].type for name in ("ID", "credit", "since", "blocked", "modifiedAt", "tags")
    } == {
        "ID": "text",
        "credit": "decimal",
        "since": "date",
        "blocked": "boolean",
        "modifiedAt": "instant",
        "tags": "list",
    }
    assert not customers["modifiedAt"].writable
    assert customers["modifiedAt"].doc == "Changed On"
    assert described["prices"].key == "article,tariff"
    assert not any(field.writable for field in described["catalogue"].fields)


async def test_every_type_is_written_and_read_exactly(odata_url: str) -> None:
    native: dict[str, Value] = {
        "no": 7,
        "title": 'O\'Hara & "Söhne" 100 % / ?#',
        "price": Decimal("12345678.1234"),
        "weight": Decimal("1.5"),
        "bulk": 9007199254740993,
        "photo": bytes(range(256)),
    }
    async with shop(odata_url, articles={}) as (_, connector):
        (made,) = await connector.write("articles", [Write(Op.CREATE, native=native)], [*native, "createdAt"])
        (record,) = await connector.read("articles", ["7"], [*native, "createdAt"])
    assert made.status is WriteStatus.DONE
    assert made.id == "7"
    for shown in (made.record, record):
        assert shown is not None
        for name, value in native.items():
            assert same(shown.native[name], value), name
    created = record.native["createdAt"]
    assert isinstance(created, datetime)
    assert created.tzinfo is UTC


async def test_lists_and_dates_and_flat_addresses(odata_url: str) -> None:
    native: dict[str, Value] = {
        "ID": CUSTOMER,
        "name": "Adler",
        "tags": ("b", "a"),
        "since": date(2024, 2, 29),
        "address_city": "Ulm",
    }
    async with shop(odata_url, customers={}) as (_, connector):
        (made,) = await connector.write("customers", [Write(Op.CREATE, native=native)], list(native))
        assert made.record is not None
        assert dict(made.record.native) == native
        edit = Write(Op.UPDATE, id=CUSTOMER, native={"tags": ()}, seen={"tags": ("b", "a")})
        (done,) = await connector.write("customers", [edit], ["tags"])
    assert done.record is not None
    assert done.record.native["tags"] == ()


async def test_guids_are_drawn_here_and_compared_by_the_service(odata_url: str) -> None:
    async with shop(odata_url, customers={}) as (_, connector):
        ids = sorted(await connector.reserve("customers", 7))
        writes = [Write(Op.CREATE, id=id_, native={"name": f"C {id_[:4]}"}) for id_ in ids]
        results = await connector.write("customers", writes, ["name"])
        position, seen, more = "", [], True
        while more:
            page = await connector.scan("customers", position, ["name"], 3)
            position, more = page.cursor, page.more
            seen += [record.id for record in page.records]
        assert [result.id for result in results] == ids
        assert seen == ids
        (found,) = await connector.read("customers", [ids[0].upper()], [])
    assert found.id == ids[0]


async def test_keys_of_two_parts(odata_url: str) -> None:
    lists = [("4711", "retail"), ("4711", "O'Neill, x=1"), ("a/b?c", "retail")]
    async with shop(odata_url, prices={}) as (_, connector):
        writes = [
            Write(Op.CREATE, native={"article": article, "tariff": tariff, "price": Decimal("1.50")})
            for article, tariff in lists
        ]
        made = await connector.write("prices", writes, ["article", "tariff", "price"])
        assert [result.status for result in made] == [WriteStatus.DONE] * 3
        page = await connector.scan("prices", "", ["article", "tariff"], 1)
        rest = await connector.scan("prices", page.cursor, ["article", "tariff"], 10)
        met = [
            (record.native["article"], record.native["tariff"]) for record in (*page.records, *rest.records)
        ]
        assert sorted(met) == sorted(lists)
        ids = [result.id for result in made]
        edit = Write(Op.UPDATE, id=ids[1], native={"price": Decimal(2)}, seen={"price": Decimal("1.5")})
        gone = Write(Op.DELETE, id=ids[2], seen={"price": Decimal("1.5")})
        results = await connector.write("prices", [edit, gone], ["price"])
        assert [result.status for result in results] == [WriteStatus.DONE] * 2
        left = {
            record.id: record.native["price"] for record in await connector.read("prices", ids, ["price"])
        }
        assert left == {ids[0]: Decimal("1.5"), ids[1]: Decimal(2)}
        assert await connector.read("prices", ["article='4711'", "nonsense"], []) == []


@pytest.mark.parametrize("path", ["/odata/v4/shop", "/odata/v4/guarded", "/odata/v4/single"])
async def test_an_edit_between_look_and_write_is_not_overwritten(
    odata_url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with people(odata_url, {}, path=path) as system:
        connector = await system.open()
        try:
            await system.insert({system.id(number): row(number) for number in (1, 2, 3)})
            records = [await look(connector, system, number) for number in (1, 2, 3)]

            async def act() -> None:
                await system.edit(system.id(1), {"name": "Theirs"})
                await system.delete(system.id(2))

            before_writes(connector, act, monkeypatch)
            results = await connector.write(
                "people", [change(record, name="Ours") for record in records], ["name"]
            )
            rows = await system.rows()
        finally:
            await connector.aclose()
    assert [result.status for result in results] == [WriteStatus.MOVED_ON, WriteStatus.GONE, WriteStatus.DONE]
    assert {id_: shown["name"] for id_, shown in rows.items()} == {
        system.id(1): "Theirs",
        system.id(3): "Ours",
    }


async def test_a_record_without_etags_is_never_made_by_an_update(
    odata_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PATCH of what is gone makes it anew with many services; `If-Match: *` says that nobody wants that."""
    async with shop(odata_url, remarks={}) as (person, connector):
        await person.make("remarks", [{"id": "R1", "text": "old"}])

        async def act() -> None:
            await person.send("DELETE", "remarks('R1')")

        before_writes(connector, act, monkeypatch)
        edit = Write(Op.UPDATE, id="R1", native={"text": "new"}, seen={"text": "old"})
        (result,) = await connector.write("remarks", [edit], ["text"])
        left = (await person.get("remarks"))["value"]
    assert result.status is WriteStatus.GONE
    assert left == []


async def test_a_token_that_the_service_forgot_is_fetched_again(odata_url: str) -> None:
    async with people(odata_url, {"ids": "client"}, path="/odata/v4/guarded") as system:
        connector = await system.open()
        try:
            for number in (1, 2):
                (id_,) = await connector.reserve("people", 1)
                writes = [Write(Op.CREATE, id=id_, native=mapped(row(number)))]
                (result,) = await connector.write("people", writes, ["name"])
                assert result.status is WriteStatus.DONE
                await system.person.post("/test/forget-tokens")
            assert len(await system.rows()) == 2
        finally:
            await connector.aclose()


async def test_refusals_carry_the_services_words(odata_url: str) -> None:
    async with shop(odata_url, customers={}, catalogue={}, articles={}) as (_, connector):
        (nameless, both) = await connector.write(
            "customers",
            [
                Write(Op.CREATE, native={"email": "x"}),
                Write(Op.CREATE, native={"name": "x", "modifiedBy": "me"}),
            ],
            ["name"],
        )
        (closed,) = await connector.write(
            "catalogue", [Write(Op.CREATE, native={"no": 1, "title": "x"})], ["no"]
        )
        (wrong,) = await connector.write(
            "articles", [Write(Op.CREATE, native={"no": 1, "price": "dear"})], ["no"]
        )
    assert nameless.status is both.status is closed.status is wrong.status is WriteStatus.REFUSED
    assert nameless.error == "name: Provide the missing value."
    assert both.error == "modifiedBy can't be written: the service sets it"
    assert "catalogue takes no create" in closed.error
    assert "price: 'dear' is no number" in wrong.error


async def test_a_create_that_exists_already_is_not_sent(odata_url: str) -> None:
    async with shop(odata_url, articles={}) as (person, connector):
        await person.make("articles", [{"no": 1, "title": "theirs"}])
        (result,) = await connector.write(
            "articles", [Write(Op.CREATE, native={"no": 1, "title": "ours"})], ["title"]
        )
        left = (await person.get("articles?$select=title"))["value"]
    assert result.status is WriteStatus.REFUSED
    assert "exists already" in result.error
    assert [one["title"] for one in left] == ["theirs"]


async def test_a_create_that_loses_a_race_is_not_known(
    odata_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CAP answers 500 to a broken constraint. It may be our own record that stands there: the engine looks."""
    async with shop(odata_url, articles={}) as (person, connector):

        async def act() -> None:
            await person.make("articles", [{"no": 1, "title": "theirs"}])

        before_writes(connector, act, monkeypatch)
        (result,) = await connector.write(
            "articles", [Write(Op.CREATE, native={"no": 1, "title": "ours"})], ["title"]
        )
    assert result.status is WriteStatus.UNKNOWN
    assert result.id == "1"


async def test_a_quiet_system_sends_nothing(odata_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the overlap has passed by the service's clock, what was seen does not come again; what is new does."""
    async with people(odata_url, {"modified": "modifiedAt"}, overlap_s=0) as system:
        connector = await system.open()
        try:
            await system.insert({system.id(number): row(number) for number in (1, 2)})
            start = await connector.changes("people", "", ["name"], 10)
            page, cursor = start, start.cursor
            while page is start or page.records:  # until a second of the service's clock has passed
                page = await connector.changes("people", cursor, ["name"], 10)
                cursor = page.cursor
            await system.edit(system.id(2), {"name": "Edited"})
            page = await connector.changes("people", cursor, ["name"], 10)
        finally:
            await connector.aclose()
    assert [record.native["name"] for record in page.records] == ["Edited"]


async def test_equal_times_that_fill_pages_with_keys_that_nobody_compares(odata_url: str) -> None:
    settings = {"modified": "modifiedAt", "paging": "link"}
    async with people(odata_url, settings, set="paged") as system:
        connector = await system.open()
        try:
            cursor = (await connector.changes("people", "", ["name"], 4)).cursor
            await system.insert({system.id(number): row(number) for number in range(1, 12)})
            met: list[str] = []
            more = True
            while more:
                page = await connector.changes("people", cursor, ["name"], 4)
                cursor, more = page.cursor, page.more
                met += [record.id for record in page.records]
        finally:
            await connector.aclose()
    assert sorted(met) == [system.id(number) for number in range(1, 12)]


@pytest.mark.parametrize(
    "changed, kind, words",
    [
        ({"password": "wrong"}, Kind.AUTH, "401"),
        ({"url": "{url}/odata/v4/nothing"}, Kind.CONFIG, "404"),
        ({"url": "{url}/"}, Kind.CONFIG, "service root"),
        ({"objects": {"people": {"set": "peoples"}}}, Kind.CONFIG, "it has people, paged"),
        ({"objects": {"people": {"modified": "changedAt"}}}, Kind.CONFIG, "there is no field 'changedAt'"),
    ],
    ids=["password", "path", "root", "set", "modified"],
)
async def test_wrong_settings_say_so_when_it_is_opened(
    odata_url: str, changed: dict[str, Any], kind: Kind, words: str
) -> None:
    async with people(odata_url, {}) as system:
        told = {
            name: value.format(url=odata_url) if isinstance(value, str) else value
            for name, value in changed.items()
        }
        system.settings.update(told)
        with pytest.raises(TandemError, match=words) as caught:
            await system.open()
    assert caught.value.kind is kind
    assert "quite secret" not in str(caught.value)


async def test_objects_that_the_settings_leave_out(odata_url: str) -> None:
    async with shop(odata_url, people={"modified": "modifiedAt"}, articles={}) as (_, connector):
        assert (connector.find("people"), connector.find("articles")) == (Find.MODIFIED, Find.FULL)
        with pytest.raises(TandemError, match="they name people, articles"):
            await connector.scan("orders", "", [], 10)
        with pytest.raises(TandemError, match="changes") as caught:
            await connector.changes("articles", "", [], 10)
    assert caught.value.scope is Scope.STREAM


async def test_identity_by_a_path_of_the_service(odata_url: str) -> None:
    async with people(odata_url, {}) as system:
        await system.person.make("remarks", [{"id": "company", "text": "Muster GmbH"}])
        names = []
        for path, account in (("shop", ""), ("shop", "remarks('company')"), ("shop", "remarks?$select=id")):
            system.settings.update(url=f"{odata_url}/odata/v4/{path}", account=account)
            connector = await system.open()
            names.append(await connector.identity())
            await connector.aclose()
    assert len(set(names)) == 3
    assert names[0].endswith("/odata/v4/shop")


async def test_batches_are_as_large_as_the_settings_say(odata_url: str) -> None:
    async with people(odata_url, {}, batch_max=7) as system:
        connector = await system.open()
        try:
            await system.insert({system.id(number): row(number) for number in range(1, 21)})
            records = await scan(connector, system)
            results = await connector.write("people", [change(one, name="All") for one in records], ["name"])
            rows = await system.rows()
        finally:
            await connector.aclose()
    assert [result.status for result in results] == [WriteStatus.DONE] * 20
    assert {shown["name"] for shown in rows.values()} == {"All"}
