"""The probe says what works and what does not: of a shop that keeps its word, and of the same shop when it lies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.ports import Write
from clients.connectors.catalog import open_connector
from clients.connectors.probe import Finding, Report, probe
from clients.connectors.probe_write import probe_writing
from tests.connectors.contract import row
from tests.connectors.http_server import Stand, standing
from tests.connectors.rest_shop import DECLARATION, Shop
from tests.connectors.test_rest_shop import typed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as stand:
        yield stand


async def tried(stand: Stand, declaration: str = DECLARATION, key: str = "the-key", only: str = "") -> Report:
    settings = {"url": stand.url, "declaration": declaration, "secrets": {"key": key}}
    connector = await open_connector("rest", settings)
    try:
        return await probe(connector, only)
    finally:
        await connector.aclose()


def full(stand: Stand, *lies: str) -> Shop:
    """A shop with seven people."""
    shop = Shop(stand)
    for number in range(1, 8):
        shop.put(f"K{number:05d}", {**typed(row(number)), "tag": f"t{number}"})
    shop.lies = set(lies)
    return shop


def faults(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.state == "fails"]


async def test_a_declaration_that_is_true(stand: Stand) -> None:
    shop = full(stand)
    before = {id_: dict(found) for id_, found in shop.rows.items()}
    report = await tried(stand)
    assert faults(report) == []
    assert report.identity == "shop 17"
    works = {one.what for one in report.findings if one.state == "works"}
    assert works >= {"account", "list", "paging", "look", "gone", "find", "modified", "fields"}
    (strange,) = [one for one in report.findings if "not declared" in one.message]
    assert "colour (text)" in strange.message
    assert shop.rows == before
    assert {came.method for came in stand.came} == {"GET"}, "it only reads"


VALUES = {"name": "Made by Tandem", "amount": "1.50", "count": 3, "day": "2026-02-03", "active": True}


async def written(stand: Stand, declaration: str = DECLARATION, **changed: Any) -> dict[str, Finding]:
    """What the writing mode finds, by what was tried (the last word on each)."""
    settings = {"url": stand.url, "declaration": declaration, "secrets": {"key": "the-key"}}
    connector = await open_connector("rest", settings)
    try:
        (info,) = await connector.describe()
        found = await probe_writing(connector, info, {**VALUES, **changed})
    finally:
        await connector.aclose()
    return {one.what: one for one in found}


async def test_one_marked_record_is_made_changed_and_removed(stand: Stand) -> None:
    shop = full(stand)
    before = {id_: dict(found) for id_, found in shop.rows.items()}
    found = await written(stand)
    assert {what: one.state for what, one in found.items()} == dict.fromkeys(
        ("create", "update", "precondition", "delete"), "works"
    )
    assert shop.rows == before
    assert [came.method for came in stand.came if came.method != "GET"] == ["POST", "PUT", "DELETE"]


async def test_what_is_not_marked_is_not_written(stand: Stand) -> None:
    full(stand)
    found = await written(stand, name="Somebody")
    assert found["create"].state == "fails" and "the word 'tandem'" in found["create"].hint
    found = await written(stand, day="tomorrow")
    assert "the values can't be used" in found["create"].message
    assert not stand.came


async def test_what_can_not_be_removed_is_named(stand: Stand) -> None:
    shop = full(stand)
    found = await written(stand, DECLARATION.replace("    delete: {if_match: true}\n", ""))
    (left,) = [id_ for id_, values in shop.rows.items() if values["name"].casefold() == "made by tandem"]
    assert found["delete"].state == "fails" and f"{left} is left" in found["delete"].message
    assert "by hand" in found["delete"].hint


class Blind:
    """A connector that writes whatever it is told, over whatever is there."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, object_name: str, writes: Sequence[Write], fields: Sequence[str]) -> Any:
        bare = [msgspec.structs.replace(one, seen={}, version=None) for one in writes]
        return await self._inner.write(object_name, bare, fields)


async def test_who_writes_blindly_is_told(stand: Stand) -> None:
    shop = full(stand)
    settings = {"url": stand.url, "declaration": DECLARATION, "secrets": {"key": "the-key"}}
    connector = await open_connector("rest", settings)
    (info,) = await connector.describe()
    blind: Any = Blind(connector)
    found = {one.what: one for one in await probe_writing(blind, info, VALUES)}
    await connector.aclose()
    assert found["precondition"].state == "fails" and "would be lost" in found["precondition"].hint
    assert found["delete"].state == "works" and len(shop.rows) == 7


@pytest.mark.parametrize(
    "lie, what, words",
    [
        ("unsorted", "list", "not sorted by id"),
        ("deaf", "modified", "not minded"),
        ("texts", "fields", "of amount are no decimal"),
        ("shy", "fields", "note stands in none of 7 records"),
        ("rude", "gone", "bad request"),
        ("stuck", "paging", "does the system mind the parameter `from`?"),
    ],
)
async def test_what_is_not_true_is_named(stand: Stand, lie: str, what: str, words: str) -> None:
    full(stand, lie)
    found = faults(await tried(stand))
    assert any(one.what == what and words in f"{one.message} {one.hint}" for one in found), found


@pytest.mark.parametrize(
    "said, instead, what, words",
    [
        ("data.rows", "data.lines", "list", "no list at 'data.lines'"),
        ("path: people", "path: peoples", "list", "no such place"),
        ("path: me, at", "path: nobody, at", "account", "no such place"),
        ("at: company.id", "at: company.name", "account", "does not say which account"),
        ("amount: decimal", "amount: boolean", "fields", "`true_words`"),
        ("look: {at: data.record}", "look: {at: data.rows}", "look", "not found by its id"),
        ("record}", "record, query: {x: '1'}}", "", ""),
    ],
)
async def test_a_declaration_that_is_wrong(
    stand: Stand, said: str, instead: str, what: str, words: str
) -> None:
    full(stand)
    assert said in DECLARATION
    found = faults(await tried(stand, DECLARATION.replace(said, instead, 1)))
    if not what:
        assert found == []
        return
    assert any(one.what == what and words in f"{one.message} {one.hint}" for one in found), found


async def test_credentials_that_are_wrong_end_it(stand: Stand) -> None:
    full(stand)
    report = await tried(stand, key="another-key")
    (fault,) = report.findings
    assert (fault.what, fault.state) == ("account", "fails")
    assert "who are you?" in fault.message and "[auth]" in fault.message
    assert "another-key" not in str(report)


async def test_what_the_records_do_not_show_is_open(stand: Stand) -> None:
    Shop(stand)
    report = await tried(stand)
    assert faults(report) == []
    assert {one.what for one in report.findings if one.state == "open"} >= {"list", "modified"}


async def test_an_object_that_there_is_not(stand: Stand) -> None:
    full(stand)
    (fault,) = faults(await tried(stand, only="orders"))
    assert "orders" in fault.message


async def test_every_connector_can_be_tried(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("nr,name\n1,Ann\n2,Bo\n3,Cy\n4,Di\n")
    connector = await open_connector("csv", {"path": str(tmp_path), "quiet_s": 0})
    report = await probe(connector)
    await connector.aclose()
    assert faults(report) == []
    assert {one.what for one in report.findings} >= {"account", "list", "paging", "look", "gone"}
