"""Contract cases of looking: identity, description, reads by id, complete reads while others edit, values, tokens.

Sources: field guide of failures "not delivered is read as empty", "complete read does not prove that a record is
gone", "nothing knows which account is behind a connection"; rows B8, B13, B18 of the specification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.values import Value, canonical, same
from actors.ports import Connector, Find
from tests.connectors.contract_base import (
    FIELD_TYPES,
    FIELDS,
    TYPES,
    Case,
    System,
    check_exact,
    check_refuses_field,
    check_same,
    look,
    mapped,
    opened,
    row,
    scan,
)

ODD_TEXTS = {
    "umlauts": "Jürgen Größe-Çelik",
    "emoji": "😀 emoji 👩‍👩‍👧",
    "quotes": 'quote " and \'single\' and ""two""',
    "separators": "comma, semicolon; tab\there | pipe",
    "lines": "line one\nline two\n\nline four",
    "007": "007",
    "00": "00",
    "phone": "+49 30 1234",
    "formula": "=SUM(A1:A2)",
    "outer blanks": "  outer blanks  ",
    "NULL": "NULL",
    "backslashes": "\\N \\n \\",
    "comma": "1,5",
    "true": "true",
    "combining": "ÅÉ",
    "long": "x" * 20_000,
}


class Looks(Case):
    """What every connector shows, and shows truthfully."""

    async def test_identity_is_stable(self, system: System, connector: Connector) -> None:
        first = await connector.identity()
        assert first
        await system.insert({system.id(1): row(1)})
        async with opened(system) as second:
            assert await second.identity() == first

    async def test_check_passes(self, connector: Connector) -> None:
        assert await connector.check() is None  # type: ignore[func-returns-value]

    async def test_describe_names_object_key_and_fields(self, system: System, connector: Connector) -> None:
        (described,) = [item for item in await connector.describe() if item.name == system.object_name]
        assert described.key == system.key
        types = {field.name: field.type for field in described.fields}
        assert {system.key, "extra", *FIELDS} <= set(types)
        assert set(types.values()) <= FIELD_TYPES
        assert {name: types[name] for name in TYPES} == TYPES

    async def test_find_is_declared(self, system: System, connector: Connector) -> None:
        assert connector.find(system.object_name) in connector.declaration.find

    async def test_scan_of_nothing(self, system: System, connector: Connector) -> None:
        assert await scan(connector, system) == []

    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    async def test_scan_is_complete(self, system: System, connector: Connector, limit: int) -> None:
        expected = {system.id(number): row(number) for number in range(1, 8)}
        await system.insert(expected)
        records = await scan(connector, system, limit)
        assert len(records) == len({record.id for record in records}) == 7
        for record in records:
            check_same(record.native, mapped(expected[record.id]))

    async def test_scan_goes_on_in_another_connection(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 6)})
        first = await connector.scan(system.object_name, "", FIELDS, 2)
        async with opened(system) as second:
            rest = await second.scan(system.object_name, first.cursor, FIELDS, 100)
        ids = sorted(record.id for page in (first, rest) for record in page.records)
        assert ids == [system.id(number) for number in range(1, 6)]

    @pytest.mark.parametrize("limit", [1, 2])
    async def test_scan_while_others_delete(self, system: System, connector: Connector, limit: int) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 11)})
        victims = iter([1, 2, 10])

        async def between(page: int) -> None:
            if (victim := next(victims, None)) is not None:
                await system.delete(system.id(victim))

        found = {record.id for record in await scan(connector, system, limit, between)}
        assert {system.id(number) for number in range(3, 10)} <= found

    @pytest.mark.parametrize("limit", [1, 2])
    async def test_scan_while_others_insert_and_edit(
        self, system: System, connector: Connector, limit: int
    ) -> None:
        before = [system.id(number) for number in range(10, 50, 5)]
        await system.insert({id_: row(number) for number, id_ in enumerate(before)})
        newcomers = iter([5, 12, 17, 33, 60])

        async def between(page: int) -> None:
            if (newcomer := next(newcomers, None)) is not None:
                await system.insert({system.id(newcomer): row(newcomer)})
                await system.edit(before[page % len(before)], {"name": f"Edited {page}"})

        records = await scan(connector, system, limit, between)
        assert set(before) <= {record.id for record in records}

    async def test_read_by_id(self, system: System, connector: Connector) -> None:
        expected = {system.id(number): row(number) for number in range(1, 5)}
        await system.insert(expected)
        wanted = [system.id(3), system.id(99), system.id(1)]
        records = await connector.read(system.object_name, wanted, FIELDS)
        assert {record.id for record in records} == {system.id(1), system.id(3)}
        for record in records:
            check_same(record.native, mapped(expected[record.id]))
        assert await connector.read(system.object_name, [], FIELDS) == type(records)()

    async def test_read_is_fresh(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        await look(connector, system, 1)
        await system.edit(system.id(1), {"name": "Fresh"})
        assert (await look(connector, system, 1)).native["name"] == "Fresh"
        await system.delete(system.id(1))
        assert not await connector.read(system.object_name, [system.id(1)], FIELDS)

    async def test_only_wanted_fields_are_delivered(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        record = await look(connector, system, 1, ["note", system.key])
        check_same(record.native, {"note": "note 1", system.key: system.id(1)})
        (scanned,) = await scan(connector, system, fields=["note"])
        check_same(scanned.native, {"note": "note 1"})

    async def test_unknown_field_is_named(self, system: System, connector: Connector) -> None:
        wanted = ["name", "no_such_field"]
        await system.insert({system.id(1): row(1)})
        await check_refuses_field(connector.scan(system.object_name, "", wanted, 10))
        await check_refuses_field(connector.read(system.object_name, [system.id(1)], wanted))

    async def test_unknown_object_is_named(self, system: System, connector: Connector) -> None:
        with pytest.raises(TandemError) as caught:
            await connector.scan("no_such_object", "", [], 10)
        assert caught.value.kind is Kind.CONFIG
        assert "no_such_object" in str(caught.value)

    @pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
    async def test_odd_text_is_read_as_it_is(self, system: System, connector: Connector, text: str) -> None:
        await system.insert({system.id(1): row(1, note=text), system.id(2): row(2)})
        assert (await look(connector, system, 1)).native["note"] == text
        assert (await look(connector, system, 2)).native["note"] == "note 2"

    async def test_null_empty_and_missing_stay_apart(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1, note=None), system.id(2): row(2, note="")})
        await system.insert({system.id(3): dict.fromkeys(FIELDS)})
        assert (await look(connector, system, 1)).native["note"] is None
        assert (await look(connector, system, 2)).native["note"] == system.stored("note", "")
        check_same((await look(connector, system, 3)).native, dict.fromkeys(FIELDS))
        assert "note" not in (await look(connector, system, 1, ["name"])).native

    @pytest.mark.parametrize(
        "field, value",
        [
            ("amount", Decimal("12345678901234.123456")),
            ("amount", Decimal("-0.000001")),
            ("amount", Decimal(0)),
            ("amount", Decimal(1000)),
            ("count", 2_000_000_000),
            ("count", -1),
            ("active", True),
            ("active", False),
            ("day", date(1900, 2, 28)),
            ("day", date(2024, 2, 29)),
            ("day", date(9999, 12, 31)),
        ],
        ids=str,
    )
    async def test_values_are_exact(
        self, system: System, connector: Connector, field: str, value: Value
    ) -> None:
        await system.insert({system.id(1): row(1, **{field: value})})
        record = await look(connector, system, 1)
        check_exact(record.native)
        assert same(record.native[field], value), record.native[field]
        assert all(same(canonical(item), item) for item in record.native.values())

    async def test_token_tells_of_changes(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 4)})
        tokens = [await connector.look_token(system.object_name)]
        await scan(connector, system)
        assert await connector.look_token(system.object_name) == tokens[0]
        async with opened(system) as second:
            assert await second.look_token(system.object_name) == tokens[0]
        await system.edit(system.id(1), {"name": "Name 9"})
        tokens.append(await connector.look_token(system.object_name))
        await system.insert({system.id(4): row(4)})
        tokens.append(await connector.look_token(system.object_name))
        await system.delete(system.id(2))
        tokens.append(await connector.look_token(system.object_name))
        assert len(set(tokens)) == (4 if tokens[0] else 1), tokens

    async def test_undeclared_abilities_are_refused(self, system: System, connector: Connector) -> None:
        declared, name = connector.declaration, system.object_name
        calls: dict[str, tuple[bool, Callable[[], Awaitable[object]]]] = {
            "changes": (Find.MODIFIED in declared.find, lambda: connector.changes(name, "", FIELDS, 1)),
            "drain": (Find.FEED in declared.find, lambda: connector.drain(1)),
            "reserve": (declared.draws_ids, lambda: connector.reserve(name, 1)),
            "find_tagged": (declared.tag, lambda: connector.find_tagged(name, "t", FIELDS)),
            "find_by": (declared.find_by_field, lambda: connector.find_by(name, "name", "x", FIELDS)),
        }
        for ability, (is_declared, call) in calls.items():
            if not is_declared:
                with pytest.raises(TandemError, match=ability):
                    await call()

    async def test_aclose_twice(self, system: System) -> None:
        connector = await system.open()
        await connector.check()
        await connector.aclose()
        assert await connector.aclose() is None  # type: ignore[func-returns-value]
