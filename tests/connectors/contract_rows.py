"""Contract cases for a declaration with `rows`: records read and made as lines, many at once.

Sources: row B18 of the specification (speed near COPY); field guide "sent, outcome not known": all of a request or none.
"""

from __future__ import annotations

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.texts import line_of, reader, text_of, texts_of
from actors.core.types import Record
from actors.ports import Connector
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
