"""What the contract suite stands on: the other person at the system, the fixtures, and the few moves that cases share.

Must not: know any particular system. A test module brings a `System` and subclasses the cases (see `contract.py`).
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from actors.core.errors import Kind, TandemError
from actors.core.types import Op, Record
from actors.core.values import Value, same
from actors.ports import Connector, Write, WriteResult, WriteStatus

# The fields that the suite maps. The object has one more, `extra` (text), which is never mapped.
FIELDS = ("name", "note", "amount", "count", "active", "day")
TYPES = {
    "name": "text",
    "note": "text",
    "amount": "decimal",
    "count": "integer",
    "active": "boolean",
    "day": "date",
}
FIELD_TYPES = frozenset(
    {"text", "integer", "decimal", "boolean", "date", "instant", "bytes", "list", "lines"}
)


class System(abc.ABC):
    """The system under test as another person uses it: from outside, never through the connector.

    It offers one object, empty at the start of a test: `key` (text), the fields of `FIELDS` with the types of `TYPES`
    (all but the key may be null), and `extra` (text).
    """

    object_name: str = "people"
    key: str = "id"

    @abc.abstractmethod
    async def open(self) -> Connector:
        """A new connector for this system; who asks for it closes it."""

    @abc.abstractmethod
    async def insert(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        """Add rows by id, all in one go (one transaction where there are any); fields not given are empty."""

    @abc.abstractmethod
    async def edit(self, id: str, changes: Mapping[str, Value]) -> None:
        """Change fields of one row."""

    @abc.abstractmethod
    async def delete(self, id: str) -> None:
        """Remove one row."""

    @abc.abstractmethod
    async def rows(self) -> Mapping[str, Mapping[str, Value]]:
        """Every row by id, all fields with `extra`, without the key; canonical values, read past the connector."""

    def id(self, number: int) -> str:
        """The id of row `number` (1..9999): equal lengths, so that ids sort as their numbers do."""
        return f"K{number:05d}"

    def stored(self, field: str, value: Value) -> Value:
        """What the system makes of a value that is written to it (it may not tell an empty text from null)."""
        return value

    def bad_native(self) -> Mapping[str, Value] | None:
        """Fields that the connector can send and the system refuses for what they hold; None where nothing is refused."""
        return None

    def held_edit(self, id: str, changes: Mapping[str, Value]) -> AbstractAsyncContextManager[None]:
        """An edit made on entry and visible to others on exit (a late commit); without transactions: made on exit."""
        return self._edit_on_exit(id, changes)

    @asynccontextmanager
    async def _edit_on_exit(self, id: str, changes: Mapping[str, Value]) -> AsyncIterator[None]:
        yield
        await self.edit(id, changes)


def row(number: int, **changes: Value) -> dict[str, Value]:
    """A whole row that is recognisable by its number."""
    plain: dict[str, Value] = {
        "name": f"Name {number}",
        "note": f"note {number}",
        "amount": Decimal(number) + Decimal("0.25"),
        "count": number,
        "active": number % 2 == 0,
        "day": date(2024, 1, 1 + number % 28),
        "extra": f"extra {number}",
    }
    return {**plain, **changes}


def mapped(values: Mapping[str, Value]) -> dict[str, Value]:
    """A row without `extra`."""
    return {name: value for name, value in values.items() if name in FIELDS}


def change(record: Record, **changes: Value) -> Write:
    """The update of a record that was looked at."""
    seen = {name: record.native[name] for name in changes}
    return Write(Op.UPDATE, id=record.id, native=changes, seen=seen, version=record.version)


def removal(record: Record) -> Write:
    """The delete of a record that was looked at."""
    return Write(Op.DELETE, id=record.id, seen=record.native, version=record.version)


def check_same(shown: Mapping[str, Value], expected: Mapping[str, Value]) -> None:
    """Equal fields with the same values, types included."""
    assert set(shown) == set(expected)
    wrong = {name: (shown[name], value) for name, value in expected.items() if not same(shown[name], value)}
    assert not wrong, f"(shown, expected): {wrong}"


def check_exact(values: Mapping[str, object]) -> None:
    """No float anywhere: numbers are exact."""
    assert not [name for name, value in values.items() if isinstance(value, float)]


class Case:
    """Base of all groups of cases: the fixtures `connector` and (to be given) `system`, and the waivers.

    `waivers`: name of the case -> why this connector need not pass it; with one of its values in brackets (`case[value]`)
    for that value alone. A waived case is expected to fail, and one that passes is an error, so the list can only shrink.
    """

    pytestmark = pytest.mark.anyio
    waivers: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _waived(self, request: pytest.FixtureRequest) -> None:
        name = getattr(request.node, "originalname", request.node.name)
        if reason := self.waivers.get(name) or self.waivers.get(request.node.name):
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    async def connector(self, system: System) -> AsyncIterator[Connector]:
        opened = await system.open()
        try:
            yield opened
        finally:
            await opened.aclose()


async def look(connector: Connector, system: System, number: int, fields: Sequence[str] = FIELDS) -> Record:
    """A fresh look at row `number`, which must be there."""
    (record,) = await connector.read(system.object_name, [system.id(number)], fields)
    return record


async def write(connector: Connector, system: System, *writes: Write) -> Sequence[WriteResult]:
    """One batch."""
    return await connector.write(system.object_name, writes, FIELDS)


async def write_done(connector: Connector, system: System, *writes: Write) -> Sequence[WriteResult]:
    """One batch in which everything must be done."""
    results = await write(connector, system, *writes)
    assert [result.status for result in results] == [WriteStatus.DONE] * len(writes), results
    return results


async def create(connector: Connector, system: System, native: Mapping[str, Value]) -> Write:
    """A create as the engine sends it: with a reserved id where the system has such."""
    drawn = ""
    if connector.declaration.draws_ids:
        (drawn,) = await connector.reserve(system.object_name, 1)
    return Write(Op.CREATE, id=drawn, native=native)


async def scan(
    connector: Connector,
    system: System,
    limit: int = 100,
    between: Callable[[int], Awaitable[None]] | None = None,
    fields: Sequence[str] = FIELDS,
) -> list[Record]:
    """A complete read; `between(page number)` is awaited after each page."""
    position, records, more, page_number = "", list[Record](), True, 0
    while more:
        page = await connector.scan(system.object_name, position, fields, limit)
        assert len(page.records) <= limit
        records.extend(page.records)
        position, more, page_number = page.cursor, page.more, page_number + 1
        assert page_number < 500, "the scan does not come to an end"
        if between is not None:
            await between(page_number)
    return records


@asynccontextmanager
async def opened(system: System) -> AsyncIterator[Connector]:
    """One more connector for the same system."""
    connector = await system.open()
    try:
        yield connector
    finally:
        await connector.aclose()


async def check_refuses_field(call: Awaitable[Any]) -> None:
    """The call fails as a setting that is wrong, and names the field."""
    with pytest.raises(TandemError) as caught:
        await call
    assert caught.value.kind is Kind.CONFIG
    assert "no_such_field" in str(caught.value)
