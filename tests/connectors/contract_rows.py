"""Contract cases for a declaration with `rows`: records read and made as lines, many at once.

Sources: row B18 of the specification (speed near COPY); field guide "sent, outcome not known": all of a request or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.texts import line_of, reader, text_of, texts_of
from actors.core.types import Record
from actors.core.values import Value
from actors.ports import Connector, RowUpdates
from tests.connectors.contract_base import FIELDS, Case, System, check_same, mapped, row, scan


def record(line: str, kinds: dict[str, str]) -> Record:
    """A line as a record."""
    id_, *texts = texts_of(line)
    assert id_ is not None
    return Record(id_, {name: reader(kinds[name])(text) for name, text in zip(FIELDS, texts, strict=True)})


async def kinds_of(connector: Connector, system: System) -> dict[str, str]:
    """The kinds of the mapped fields, from the declared shape."""
    shape = await connector.row_shape(system.object_name, FIELDS)
    assert shape is not None and shape.key == system.key
    assert set(shape.kinds) == set(FIELDS) and shape.nulls <= set(FIELDS)
    return dict(shape.kinds)


async def scanned(connector: Connector, system: System, limit: int) -> list[Record]:
    """A complete read as lines."""
    kinds, position, more, out = await kinds_of(connector, system), "", True, list[Record]()
    while more:
        rows = await connector.scan_rows(system.object_name, position, FIELDS, limit)
        lines = rows.block.split("\n")
        assert lines.pop() == "" and len(lines) <= limit  # each line has its end
        out.extend(record(line, kinds) for line in lines)
        position, more = rows.cursor, rows.more
    return out


async def drawn_lines(connector: Connector, system: System, count: int) -> tuple[list[str], str]:
    """Ids, and a block of that many new rows."""
    ids = list(await connector.reserve(system.object_name, count))
    lines = [
        line_of([id_, *(text_of(mapped(row(number))[name]) for name in FIELDS)])
        for number, id_ in enumerate(ids, 1)
    ]
    return ids, "".join(line + "\n" for line in lines)


class CrossesAsRows(Case):
    """What lines must show, and what becomes of lines that are sent."""

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_lines_show_what_records_show(
        self, system: System, connector: Connector, limit: int
    ) -> None:
        odd = {"name": "tab\tand\\back", "note": 'line\nend, "quoted", \\N', "amount": None, "day": None}
        rows = {1: row(1), 2: row(2, **odd), 3: row(3, name="Zoë", note="", count=None, active=None)}
        await system.insert({system.id(number): values for number, values in rows.items()})
        records = {one.id: one for one in await scan(connector, system)}
        lines = await scanned(connector, system, limit)
        assert [one.id for one in lines] == list(records)
        for one in lines:
            check_same(one.native, records[one.id].native)

    @pytest.mark.parametrize("limit", [2, 100])
    async def test_ids_can_be_read_alone(self, system: System, connector: Connector, limit: int) -> None:
        await system.insert({system.id(number): row(number) for number in range(3)})
        position, more, lines = "", True, list[str]()
        while more:
            rows = await connector.scan_rows(system.object_name, position, (), limit)
            lines += rows.block.splitlines()
            position, more = rows.cursor, rows.more
        assert [texts_of(line) for line in lines] == [[one.id] for one in await scan(connector, system)]

    async def test_an_empty_object_has_no_lines(self, system: System, connector: Connector) -> None:
        assert await scanned(connector, system, 10) == []

    async def test_lines_become_records_and_are_told_back(self, system: System, connector: Connector) -> None:
        ids, block = await drawn_lines(connector, system, 3)
        stored = await connector.create_rows(system.object_name, FIELDS, block)
        rows = await system.rows()
        assert set(rows) == set(ids)
        kinds = await kinds_of(connector, system)
        told = {one.id: one for one in (record(line, kinds) for line in stored.splitlines())}
        for number, id_ in enumerate(ids, 1):
            check_same(mapped(rows[id_]), mapped(row(number)))
            check_same(told[id_].native, mapped(row(number)))

    async def test_all_lines_or_none(self, system: System, connector: Connector) -> None:
        ids, block = await drawn_lines(connector, system, 3)
        await system.insert({ids[1]: row(7)})
        with pytest.raises(TandemError) as caught:
            await connector.create_rows(system.object_name, FIELDS, block)
        assert caught.value.kind is Kind.REJECTED and str(caught.value)
        assert set(await system.rows()) == {ids[1]}

    async def test_a_null_that_is_told_is_a_null(self, system: System, connector: Connector) -> None:
        (id_,) = await connector.reserve(system.object_name, 1)
        shape = await connector.row_shape(system.object_name, FIELDS)
        assert shape is not None and "note" in shape.nulls
        line = line_of([id_, "Ada", *[None] * (len(FIELDS) - 1)])
        await connector.create_rows(system.object_name, FIELDS, line + "\n")
        check_same(mapped((await system.rows())[id_]), {**dict.fromkeys(FIELDS), "name": "Ada"})

    # ------------------------------------------------------------------------------------------------- updates

    async def test_updates_change_their_fields_and_are_told_back(
        self, system: System, connector: Connector
    ) -> None:
        await system.insert({system.id(number): row(number) for number in range(1, 5)})
        odd = 'tab\tand\\back "quoted" \\N'
        updates = [
            updated(system, {1: {"name": odd, "note": None}, 2: {"name": "Zoë", "note": "\\N"}}),
            updated(system, {3: {"amount": Decimal("7.5"), "active": None, "day": date(2026, 11, 26)}}),
        ]
        stored = await connector.update_rows(system.object_name, updates, FIELDS)
        kinds, rows = await kinds_of(connector, system), await system.rows()
        told = {one.id: one for one in (record(line, kinds) for line in stored.splitlines())}
        assert set(told) == {system.id(number) for number in (1, 2, 3)}
        changed: dict[int, dict[str, Value]] = {
            1: {"name": odd, "note": None},
            2: {"name": "Zoë", "note": "\\N"},
            3: {"amount": Decimal("7.5"), "active": None, "day": date(2026, 11, 26)},
            4: {},
        }
        for number, fields in changed.items():
            after = mapped(row(number, **fields))
            check_same(mapped(rows[system.id(number)]), after)
            if number != 4:
                check_same(told[system.id(number)].native, after)

    async def test_who_was_there_first_is_not_overwritten(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2, 3)})
        await system.edit(system.id(1), {"note": "mine"})
        await system.edit(system.id(2), {"name": "of no concern"})
        await system.delete(system.id(3))
        before = await system.rows()
        stored = await connector.update_rows(
            system.object_name, [updated(system, {number: {"note": "ours"} for number in (1, 2, 3)})], FIELDS
        )
        rows = await system.rows()
        assert [line.partition("\t")[0] for line in stored.splitlines()] == [system.id(2)]
        assert set(rows) == set(before) and rows[system.id(1)]["note"] == "mine"
        check_same(rows[system.id(2)], {**before[system.id(2)], "note": "ours"})

    async def test_an_unknown_field_of_updates_is_named(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        some = RowUpdates(("no_such_field",), (), [system.id(1)], [["x"]], [[]])
        with pytest.raises(TandemError, match="no_such_field") as caught:
            await connector.update_rows(system.object_name, [some], FIELDS)
        assert caught.value.kind is Kind.CONFIG
        check_same(mapped((await system.rows())[system.id(1)]), mapped(row(1)))


def updated(system: System, changes: Mapping[int, Mapping[str, Value]]) -> RowUpdates:
    """Changes of the rows of `row`, all of the same fields, as somebody sends them who has seen them as they were."""
    fields = tuple(next(iter(changes.values())))
    return RowUpdates(
        fields,
        fields,
        [system.id(number) for number in changes],
        [[text_of(change[name]) for name in fields] for change in changes.values()],
        [[text_of(row(number)[name]) for name in fields] for number in changes],
    )


class FindsModifiedAsRows(Case):
    """For `rows` with Find.MODIFIED: lines of changes are those of `changes`."""

    async def test_lines_of_changes_start_from_now(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(1): row(1)})
        first = await connector.change_rows(system.object_name, "", FIELDS, 100)
        assert (first.block, first.more) == ("", False) and first.cursor
        await system.edit(system.id(1), {"name": "tab\tand\\back", "note": None})
        found, _ = await change_lines(connector, system, first.cursor, 100)
        check_same(found[system.id(1)].native, mapped(row(1, name="tab\tand\\back", note=None)))

    @pytest.mark.parametrize("limit", [1, 2, 7, 100])
    async def test_every_changed_line_comes_whatever_the_page(
        self, system: System, connector: Connector, limit: int
    ) -> None:
        start = (await connector.changes(system.object_name, "", FIELDS, 100)).cursor
        await system.insert({system.id(number): row(number) for number in range(1, 8)})
        found, cursor = await change_lines(connector, system, start, limit)
        assert set(found) == {system.id(number) for number in range(1, 8)}
        await system.edit(system.id(3), {"name": "Later"})
        found, _ = await change_lines(connector, system, cursor, limit)
        assert found[system.id(3)].native["name"] == "Later"

    async def test_a_late_commit_is_among_the_lines(self, system: System, connector: Connector) -> None:
        await system.insert({system.id(number): row(number) for number in (1, 2)})
        start = (await connector.change_rows(system.object_name, "", FIELDS, 100)).cursor
        async with system.held_edit(system.id(1), {"name": "Late"}):
            await system.edit(system.id(2), {"name": "Early"})
            found, cursor = await change_lines(connector, system, start, 1)
            assert found[system.id(2)].native["name"] == "Early"
        found, _ = await change_lines(connector, system, cursor, 1)
        assert found[system.id(1)].native["name"] == "Late"


async def change_lines(
    connector: Connector, system: System, cursor: str, limit: int
) -> tuple[dict[str, Record], str]:
    """All there is since `cursor`, as last delivered, and the cursor at the end."""
    kinds, found = await kinds_of(connector, system), dict[str, Record]()
    for _ in range(100):
        page = await connector.change_rows(system.object_name, cursor, FIELDS, limit)
        lines = page.block.split("\n")
        assert lines.pop() == "" and len(lines) <= limit
        found.update({one.id: one for one in (record(line, kinds) for line in lines)})
        cursor = page.cursor
        if not page.more:
            return found, cursor
    raise AssertionError("changes do not come to an end")
