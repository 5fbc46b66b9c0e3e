"""CloudKasse's connector: the contract on articles, receipts with their lines, and what is only read."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from msgspec.structs import replace

from actors.core.backlog import Report
from actors.core.errors import Kind, TandemError
from actors.core.types import Op, Record
from actors.core.values import Value, lines_of
from actors.ports import Connector, Find, TellsBacklog, Write, WriteResult, WriteStatus
from clients.connectors.catalog import open_connector
from clients.emulators.cloudkasse import System as CloudKasse
from clients.emulators.faults import Edit
from clients.emulators.stand import stand
from tests.connectors.contract import ConnectorContract, FindsByField, FindsModified
from tests.connectors.contract_faults import EmulatedSystem, UnderFaults
from tests.connectors.renamed import Renamed

pytestmark = pytest.mark.anyio
NAMES = {
    "name": "receiptText",
    "note": "description",
    "amount": "deposit",
    "count": "sortIndex",
    "active": "discountable",
    "day": "availableFrom",
    "extra": "group",
}


class Numbered(Renamed):
    """Each new article gets a number: the contract knows none."""

    numbers = itertools.count(1)

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        numbered = [
            replace(one, native={**one.native, "number": f"N{next(self.numbers)}"})
            if one.op is Op.CREATE
            else one
            for one in writes
        ]
        return await super().write(object_name, numbered, fields)


class Articles(EmulatedSystem):
    """Somebody who keeps articles in the cloud."""

    object_name = "articles"
    key = "id"
    read_path = "/articles"
    write_path = "/articles"

    def __init__(self, cloud: CloudKasse) -> None:
        self.cloud = self.emulator = cloud
        cloud.person.insert("tills", {"number": "1"})

    async def open(self) -> Connector:
        return cast(Connector, Numbered(await opened(self.cloud), NAMES, {"name": "An article"}))

    def id(self, number: int) -> str:
        return str(100_000 + number)

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            known = {"id": int(id_), "number": id_, "name": "An article"}
            self.cloud.person.insert("articles", {**known, **_native(values)})

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.cloud.person.edit("articles", int(id), _native(changes))

    async def delete(self, id: str) -> None:
        self.cloud.person.delete("articles", int(id))

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        return {
            str(key): {name: row[native] for name, native in NAMES.items()}
            for key, row in self.cloud.person.rows("articles").items()
        }

    def bad_native(self) -> Mapping[str, Value] | None:
        return {"name": "x" * 81}


def _native(values: Mapping[str, Value]) -> dict[str, Value]:
    return {NAMES[name]: value for name, value in values.items()}


async def opened(cloud: CloudKasse, **settings: Any) -> Connector:
    """A connector for an emulator."""
    given = {"url": f"{cloud.address}/v1", "token": cloud.token, "requests_per_min": 0, "overlap_s": 0}
    return await open_connector("cloudkasse", {**given, **settings})


@pytest.fixture
async def cloud(request: pytest.FixtureRequest) -> AsyncIterator[CloudKasse]:
    async with stand("cloudkasse", getattr(request, "param", {})) as emulator:
        assert isinstance(emulator, CloudKasse)
        yield emulator


class TestContract(FindsModified, FindsByField, UnderFaults, ConnectorContract):
    @pytest.fixture
    async def system(self, cloud: CloudKasse) -> Articles:
        return Articles(cloud)

    async def quick_edit(self, system: EmulatedSystem) -> Edit:
        return Edit("edit", "articles", int(system.id(1)), {"receiptText": "theirs"})

    def method(self, system: EmulatedSystem, what: str) -> str:
        return {"create": "POST", "update": "PATCH", "delete": "DELETE"}[what]


@pytest.fixture
async def connector(cloud: CloudKasse) -> AsyncIterator[Connector]:
    made = await opened(cloud)
    yield made
    await made.aclose()


def with_till(cloud: CloudKasse) -> None:
    """A till with two articles: at 19 % and at 7 %."""
    cloud.person.insert("tills", {"number": "1", "name": "Hofladen"})
    rows = (("100", "Tasse", 1, "11.90"), ("200", "Honig", 2, "5.35"))
    for number, name, key, price in rows:
        row = {"number": number, "name": name, "vatKey": key, "grossPrice": price, "unit": "Stk"}
        cloud.person.insert("articles", row)


HEAD = ("BON_TYP", "BON_STORNO", "UMS_BRUTTO", "Z_NR", "BON_START")
CELLS = ("ART_NR", "MENGE", "STK_BR", "POS_BRUTTO", "POS_NETTO", "PF_RABATT", "UST_SCHLUESSEL")


async def receipt(connector: Connector, id_: str, *fields: str) -> Record:
    """One receipt."""
    (found,) = await connector.read("receipts", [id_], fields)
    return found


def cells(record: Record, name: str, *wanted: str) -> list[tuple[object, ...]]:
    """Those cells of each line."""
    return [tuple(line.get(cell) for cell in wanted) for line in lines_of(record.native[name])]


@pytest.mark.parametrize("cloud", [{"numbers": "text"}, {"numbers": "number"}], indirect=True)
async def test_a_receipt_comes_with_lines_taxes_and_payments(cloud: CloudKasse, connector: Connector) -> None:
    with_till(cloud)
    paid = ({"type": "ECKarte", "amount": "20.00"}, {"type": "Bar", "amount": "8.15"})
    bought = ({"article": "100", "quantity": 2, "discount": "1.00"}, {"article": "200"})
    id_ = cloud.tablets.sell("1", bought, paid, BON_START="2026-07-01T10:00:00")
    cloud.tablets.hand_over("1")
    lines = [f"lines[].{cell}" for cell in CELLS]
    more = ["vat[].UST_SCHLUESSEL", "vat[].BON_UST", "payments[].ZAHLART_TYP", "payments[].BASISWAEH_BETRAG"]
    found = await receipt(connector, id_, *HEAD, *lines, *more)
    head = {name: found.native[name] for name in HEAD}
    assert head == {
        "BON_TYP": "Beleg",
        "BON_STORNO": False,
        "UMS_BRUTTO": Decimal("28.15"),
        "Z_NR": None,
        "BON_START": datetime(2026, 7, 1, 8, tzinfo=UTC),
    }
    assert cells(found, "lines", *CELLS) == [
        ("100", 2, Decimal("11.9"), Decimal("22.8"), Decimal("19.15966"), 1, 1),
        ("200", 1, Decimal("5.35"), Decimal("5.35"), 5, 0, 2),
    ]
    assert cells(found, "vat", "UST_SCHLUESSEL", "BON_UST") == [(1, Decimal("3.64034")), (2, Decimal("0.35"))]
    assert cells(found, "payments", "ZAHLART_TYP", "BASISWAEH_BETRAG") == [
        ("ECKarte", 20),
        ("Bar", Decimal("8.15")),
    ]


async def test_only_what_was_handed_over_is_there_and_late_ones_come_by_their_arrival(
    cloud: CloudKasse, connector: Connector
) -> None:
    with_till(cloud)
    start = (await connector.changes("receipts", "", ["BON_NR"], 10)).cursor
    early = cloud.tablets.sell("1", BON_START="2026-01-01T08:00:00")
    assert not (await connector.scan("receipts", "", ["BON_NR"], 10)).records
    page = await connector.changes("receipts", start, ["BON_NR"], 10)
    assert not page.records
    # Time goes by: what was rung up before comes by the time at which the cloud got it.
    page = await connector.changes("receipts", page.cursor, ["BON_NR"], 10)
    cloud.tablets.hand_over("1")
    page = await connector.changes("receipts", page.cursor, ["BON_NR", "BON_START"], 10)
    assert [one.id for one in page.records] == [early]
    cloud.tablets.close_day("1")
    closed = await receipt(connector, early, "Z_NR")
    assert closed.native == {"Z_NR": 1}


async def test_receipts_and_rates_can_only_be_read(cloud: CloudKasse, connector: Connector) -> None:
    with_till(cloud)
    id_ = cloud.tablets.sell("1", ({"article": "100"},))
    cloud.tablets.hand_over("1")
    before = cloud.person.rows("receipts")
    writes = [
        Write(Op.UPDATE, id=id_, native={"UMS_BRUTTO": Decimal(1)}, seen={"UMS_BRUTTO": Decimal("11.90")}),
        Write(Op.CREATE, native={"BON_ID": "x"}),
        Write(Op.DELETE, id=id_, seen={"UMS_BRUTTO": Decimal("11.90")}),
    ]
    results = await connector.write("receipts", writes, [])
    assert [one.status for one in results] == [WriteStatus.REFUSED] * 3
    assert cloud.person.rows("receipts") == before
    asked = [told for told in cloud.requests if not told.startswith("GET")]
    assert not asked


async def create(connector: Connector, name: str, /, **native: Value) -> WriteResult:
    """One new record."""
    (result,) = await connector.write(name, [Write(Op.CREATE, native=native)], [])
    return result


async def test_articles_wait_for_a_till(cloud: CloudKasse, connector: Connector) -> None:
    early = await create(connector, "articles", number="1", name="Tasse")
    assert early.status is WriteStatus.REFUSED and "Kasse" in early.error
    assert (await create(connector, "tills", number="1", name="Hofladen")).status is WriteStatus.DONE
    assert (await create(connector, "articles", number="1", name="Tasse")).status is WriteStatus.DONE


async def test_who_stands_on_a_receipt_is_not_deleted_and_can_be_switched_off(
    cloud: CloudKasse, connector: Connector
) -> None:
    with_till(cloud)
    (one, other) = cloud.person.insert("staff", {"number": "7"}, {"number": "8"})
    cloud.tablets.sell("1", ({"article": "100"},), BEDIENER_ID="7")
    (used,) = await connector.write("staff", [Write(Op.DELETE, id=str(one), seen={"number": "7"})], [])
    assert used.status is WriteStatus.REFUSED and "Bons" in used.error
    write = Write(Op.UPDATE, id=str(one), native={"active": False}, seen={"active": True})
    (off,) = await connector.write("staff", [write], ["active"])
    assert off.record is not None and off.record.native == {"active": False}
    (gone,) = await connector.write("staff", [Write(Op.DELETE, id=str(other), seen={"number": "8"})], [])
    assert gone.status is WriteStatus.DONE
    (article,) = await connector.find_by("articles", "number", "100", ["name"])
    (sold,) = await connector.write("articles", [Write(Op.DELETE, id=article.id, seen={"name": "Tasse"})], [])
    assert sold.status is WriteStatus.REFUSED


async def test_a_number_that_is_taken_exists_already(cloud: CloudKasse, connector: Connector) -> None:
    with_till(cloud)
    result = await create(connector, "articles", number="100", name="Another")
    assert result.status is WriteStatus.REFUSED and "exists already" in result.error
    half = await create(connector, "articles", number="101", name="Third", grossPrice=Decimal("1.005"))
    assert half.status is WriteStatus.REFUSED and "Cent" in half.error


async def test_a_busy_cloud_is_asked_again_later(cloud: CloudKasse, connector: Connector) -> None:
    cloud.options["busy"] = "yes"
    with pytest.raises(TandemError) as caught:
        await create(connector, "tills", number="1")
    assert caught.value.kind is Kind.TRANSIENT
    assert not cloud.person.rows("tills")


async def test_a_revoked_token_and_a_wrong_path_are_told_apart(cloud: CloudKasse) -> None:
    wrong = await opened(cloud, url=f"{cloud.address}/v2")
    other = await opened(cloud, objects={"staff": {"path": "employees"}})
    for connector, call in ((wrong, wrong.check()), (other, other.scan("staff", "", ["number"], 10))):
        with pytest.raises(TandemError) as caught:
            await call
        assert caught.value.kind is Kind.CONFIG
        await connector.aclose()
    cloud.expire()
    connector = await opened(cloud)
    with pytest.raises(TandemError) as caught:
        await connector.check()
    await connector.aclose()
    assert caught.value.kind is Kind.AUTH and cloud.token not in str(caught.value)


async def test_other_names_are_settings(cloud: CloudKasse) -> None:
    with_till(cloud)
    objects = {"goods": {"path": "articles", "texts": "label", "names": {"label": "name"}, "modified": ""}}
    connector = await opened(cloud, objects=objects)
    page = await connector.scan("goods", "", ["label"], 10)
    assert [one.native["label"] for one in page.records] == ["Tasse", "Honig"]
    assert connector.find("goods") is Find.FULL
    (found,) = await connector.find_by("goods", "label", "Honig", [])
    assert found.id == page.records[1].id
    await connector.aclose()
    with pytest.raises(TandemError, match="path"):
        await opened(cloud, objects={"more": {}})
    with pytest.raises(TandemError, match="time zone"):
        await opened(cloud, zone="Nowhere/At_all")


async def test_each_till_in_use_says_until_when_it_has_reported_and_what_it_holds(
    cloud: CloudKasse, connector: Connector
) -> None:
    with_till(cloud)
    cloud.person.insert("tills", {"number": "2"}, {"number": "old", "active": False})
    cloud.tablets.sell("1")
    cloud.tablets.sell("1")
    cloud.tablets.hand_over("1", at_most=1)
    told = await backlog(connector, "receipts")
    assert [(one.of, one.outstanding) for one in told or ()] == [("1", 1), ("2", None)]
    assert told is not None and told[0].until and told[1].until is None
    assert abs(told[0].until - cloud.data.now().timestamp()) < 60
    # A till that is out of use counts as long as it holds any.
    cloud.tablets.sell("old")
    cloud.tablets.report("old")
    assert [one.of for one in await backlog(connector, "receipts") or ()] == ["1", "2", "old"]
    cloud.options["pending"] = "silent"
    assert [one.outstanding for one in await backlog(connector, "receipts") or ()] == [None, None]
    assert await backlog(connector, "articles") is None


async def backlog(connector: Connector, name: str) -> Sequence[Report] | None:
    """What is known of what the cloud has still to get."""
    return await cast(TellsBacklog, connector).backlog(name)
