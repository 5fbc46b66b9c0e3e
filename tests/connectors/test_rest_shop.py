"""The rest connector passes the contract on a shop that does most things otherwise than PocketBase does: whole objects,
ETags, offsets, unsorted changes, wrappers, errors inside of 200, and ids told by a header.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from typing import Any

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op
from actors.core.values import Value, canonical
from actors.ports import Write, WriteStatus
from clients.connectors.catalog import open_connector
from clients.connectors.systems.rest import RestConnector
from tests.connectors.contract import (
    FIELDS,
    ConnectorContract,
    FindsByField,
    FindsModified,
    FindsTagged,
    System,
    change,
    look,
    row,
    scan,
    write,
)
from tests.connectors.http_server import Stand, let_in, standing
from tests.connectors.rest_shop import DECLARATION, Shop
from tests.connectors.spoiled import SPOILED, bounded, spoils


class People(System):
    """The shop's people, edited past its API."""

    def __init__(self, stand: Stand, shop: Shop) -> None:
        self.url = stand.url
        self.stand = stand
        self.shop = shop

    async def open(self) -> RestConnector:
        settings = {"url": self.url, "declaration": DECLARATION, "secrets": {"key": "the-key"}}
        connector = await open_connector("rest", settings)
        assert isinstance(connector, RestConnector)
        return connector

    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for id_, values in rows.items():
            self.shop.put(id_, typed(values))

    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        self.shop.put(id, typed(changes))

    async def delete(self, id: str) -> None:
        self.shop.remove(id)

    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        await let_in()
        return {id_: shown(found) for id_, found in self.shop.rows.items()}

    def bad_native(self) -> Mapping[str, Value]:
        return {"name": "refused"}


def typed(values: Mapping[str, Value]) -> dict[str, Any]:
    """Values as the shop keeps them."""
    kept: dict[str, Any] = dict(values)
    if isinstance(kept.get("active"), bool):
        kept["active"] = "Y" if kept["active"] else "N"
    if isinstance(kept.get("day"), date):
        kept["day"] = kept["day"].strftime("%d.%m.%Y")
    return kept


def shown(found: Mapping[str, Any]) -> dict[str, Value]:
    """A row of the shop as values."""
    values = {name: canonical(found[name]) for name in (*FIELDS, "extra") if name not in ("active", "day")}
    values["active"] = None if found["active"] is None else found["active"] == "Y"
    day = found["day"]
    values["day"] = datetime.strptime(day, "%d.%m.%Y").date() if day else None  # noqa: DTZ007 - a day
    return values


class TestContract(FindsTagged, FindsModified, FindsByField, ConnectorContract):
    """Every promise of that declaration."""

    @pytest.fixture
    async def system(self) -> AsyncIterator[People]:
        async with standing() as stand:
            yield People(stand, Shop(stand))

    async def test_what_it_promises(self, connector: RestConnector) -> None:
        declared = connector.declaration
        assert (declared.name, declared.precondition, declared.reply) == ("shop", "atomic", "id")
        assert (declared.version, declared.draws_ids, declared.tag) == ("hint", False, True)
        assert await connector.identity() == "shop 17"

    async def test_a_whole_object_keeps_what_nobody_declared(
        self, system: People, connector: RestConnector
    ) -> None:
        """The whole is sent as it was read: a field that is not ours would be emptied otherwise."""
        await system.insert({system.id(1): row(1)})
        await write(connector, system, change(await look(connector, system, 1, ["name"]), name="New"))
        assert system.shop.rows[system.id(1)]["extra"] == "extra 1"

    async def test_what_changes_after_the_look_is_refused_by_the_system(
        self, system: People, connector: RestConnector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the connector's own look and its write: If-Match."""
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1)
        read = connector.reader.row

        async def and_then_somebody_edits(*args: Any) -> Any:
            found = await read(*args)
            await system.edit(system.id(1), {"extra": "theirs"})
            return found

        monkeypatch.setattr(connector.reader, "row", and_then_somebody_edits)
        (result,) = await write(connector, system, change(record, name="Ours"))
        assert result.status is WriteStatus.MOVED_ON
        assert system.shop.rows[system.id(1)]["name"] == "Name 1"

    async def test_a_record_is_not_gone_because_its_path_is(
        self, system: People, connector: RestConnector
    ) -> None:
        """Whoever renames a collection has not deleted its records."""
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1)
        async with standing() as stand:
            stand.says(404, {"why": "no such place"})
            moved = await People(stand, system.shop).open()
            with pytest.raises(TandemError, match="no such place"):
                await moved.read("people", [record.id], FIELDS)
            with pytest.raises(TandemError, match="no such place"):
                await moved.write("people", [Write(Op.DELETE, id=record.id)], FIELDS)
            await moved.aclose()

    @pytest.mark.parametrize("kind", SPOILED)
    async def test_an_answer_that_is_none_fails_the_read_and_leaves_a_write_unknown(
        self, system: People, connector: RestConnector, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bounded(monkeypatch)
        await system.insert({system.id(number): row(number) for number in (1, 2)})
        record, good = await look(connector, system, 1), system.stand.answer
        since = (await connector.changes("people", "", FIELDS, 10)).cursor
        spoils(system.stand, kind)
        for call in (
            lambda: scan(connector, system),
            lambda: connector.read("people", [record.id], FIELDS),
            lambda: connector.changes("people", since, FIELDS, 10),
        ):
            with pytest.raises(TandemError, match="shop") as caught:
                await call()
            assert caught.value.kind is Kind.TRANSIENT
        system.stand.answer = good
        spoils(system.stand, kind, "PUT")
        (result,) = await write(connector, system, change(record, name="Ours"))
        assert result.status is WriteStatus.UNKNOWN
        system.stand.answer = good
        assert len(await scan(connector, system)) == 2

    async def test_fields_and_values_that_nobody_knows_stop_nobody(
        self, system: People, connector: RestConnector
    ) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2)})
        before = {record.id: record.native for record in await scan(connector, system)}
        spoils(system.stand, "odd", zzNew={"deep": [1]}, count="a lot", active="M")
        found = {record.id: record.native for record in await scan(connector, system)}
        assert found == {id_: {**native, "count": "a lot", "active": "M"} for id_, native in before.items()}
