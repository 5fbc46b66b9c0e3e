"""The contract's names for a system that has its own: object and fields are renamed, and nothing else is done.

For vendors whose fields can't be called `name` and `note`. Every promise is still the connector's own. `constants`: native
values that go with each create, where the vendor wants a field that the contract doesn't know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from actors.core.types import Op, Record
from actors.core.values import Line, Value, line_of, lines_of
from actors.ports import Connector, Page, Write, WriteResult
from clients.connectors.http.units import LINES


class Renamed:
    """A connector under other names. `names`: the contract's -> the system's."""

    def __init__(
        self, inner: Connector, names: Mapping[str, str], constants: Mapping[str, Value] | None = None
    ) -> None:
        self._inner = inner
        self._to = dict(names)
        self._back = {native: name for name, native in names.items()}
        self._constants = dict(constants or {})
        self.declaration = inner.declaration

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def native_name(self, name: str) -> str:
        """What the system calls a field of the contract's."""
        return self._to.get(name, name)

    def _names(self, fields: Sequence[str]) -> list[str]:
        return [self._to.get(field, field) for field in fields]

    def _record(self, record: Record) -> Record:
        return replace(record, native=self._renamed(record.native, self._back))

    def _page(self, page: Page) -> Page:
        return replace(page, records=tuple(self._record(one) for one in page.records))

    def _renamed(self, values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
        return {names.get(name, name): value for name, value in values.items()}

    async def describe(self) -> Sequence[Any]:
        return [
            replace(
                one,
                fields=tuple(
                    replace(field, name=self._back.get(field.name, field.name)) for field in one.fields
                ),
            )
            for one in await self._inner.describe()
        ]

    async def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> Sequence[Record]:
        found = await self._inner.read(object_name, ids, self._names(fields))
        return [self._record(one) for one in found]

    async def scan(self, object_name: str, position: str, fields: Sequence[str], limit: int) -> Page:
        return self._page(await self._inner.scan(object_name, position, self._names(fields), limit))

    async def changes(self, object_name: str, cursor: str, fields: Sequence[str], limit: int) -> Page:
        return self._page(await self._inner.changes(object_name, cursor, self._names(fields), limit))

    async def find_by(
        self, object_name: str, field: str, value: Value, fields: Sequence[str]
    ) -> Sequence[Record]:
        native = self._to.get(field, field)
        found = await self._inner.find_by(object_name, native, value, self._names(fields))
        return [self._record(one) for one in found]

    async def write(
        self, object_name: str, writes: Sequence[Write], fields: Sequence[str]
    ) -> Sequence[WriteResult]:
        sent = []
        for write in writes:
            native = self._renamed(write.native, self._to)
            if write.op is Op.CREATE:
                native |= self._constants
            sent.append(replace(write, native=native, seen=self._renamed(write.seen, self._to)))
        results = await self._inner.write(object_name, sent, self._names(fields))
        return [
            replace(result, record=self._record(result.record)) if result.record else result
            for result in results
        ]

    async def aclose(self) -> None:
        await self._inner.aclose()


class RenamedLines(Renamed):
    """Orders under other names: `items` for the lines, and names of their cells. `cells`: the contract's -> the system's."""

    def __init__(
        self,
        inner: Connector,
        names: Mapping[str, str],
        cells: Mapping[str, str],
        constants: Mapping[str, Value] | None = None,
    ) -> None:
        super().__init__(inner, {**names, "items": LINES}, constants)
        self._cells_to = dict(cells)
        self._cells_back = {native: name for name, native in cells.items()}

    def _names(self, fields: Sequence[str]) -> list[str]:
        plain = [field for field in fields if not field.startswith("items[].")]
        cells = [field.removeprefix("items[].") for field in fields if field not in plain]
        return [*super()._names(plain), *(f"{LINES}[].{self._cells_to.get(cell, cell)}" for cell in cells)]

    def _renamed(self, values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
        cells = self._cells_back if names is self._back else self._cells_to
        return {
            names.get(name, name): tuple(self._line(line, cells) for line in lines_of(value))
            if name in ("items", LINES)
            else value
            for name, value in values.items()
        }

    @staticmethod
    def _line(line: Line, names: Mapping[str, str]) -> Line:
        return line_of({names.get(name, name): value for name, value in line.cells})
