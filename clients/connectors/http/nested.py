"""Lines that stand in the body of their record (docs/CONNECTORS.md, "Lines"): read into one native field, and written back
as the whole list, in which what nobody asked for stays as it is. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.policy import RECORD_ID
from actors.core.unit_lines import IN_LINES
from actors.core.values import Line, Value, line_of, lines_of
from actors.ports import FieldInfo
from clients.connectors.http.field import Field, put
from clients.connectors.http.values import as_text, read_value, write_value
from clients.connectors.http.wire import at


class Nested(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of an object. `name`: of the native field; `read`, `write`: where the list stands in a body ("" = under the
    name). `key`: where a line's own id stands in it; "": it has none, and is called by its place. `cells`: by name."""

    name: str
    cells: Mapping[str, Field]
    read: str = ""
    write: str = ""
    key: str = ""
    doc: str = ""

    def described(self) -> list[FieldInfo]:
        """The list and its cells, as `Connector.describe` names them."""
        cells = [
            FieldInfo(
                f"{self.name}{IN_LINES}{cell.name}", cell.form.type, cell.required, cell.writable, cell.doc
            )
            for cell in self.cells.values()
        ]
        return [FieldInfo(self.name, "lines", doc=self.doc), *cells]

    def of(self, row: Any, cells: Sequence[str]) -> tuple[Line, ...] | None:
        """The lines of a record; None where they were not delivered. No list is no empty list."""
        items = at(row, self.read or self.name)
        if not isinstance(items, list):
            return None
        return tuple(self._line(item, place, cells) for place, item in enumerate(items))

    def _line(self, item: Any, place: int, cells: Sequence[str]) -> Line:
        found: dict[str, object] = {RECORD_ID: self._called(item, place)}
        for name in cells:
            cell = self.cells[name]
            raw = at(item, cell.read or cell.name)
            if raw is not msgspec.UNSET:
                found[name] = read_value(raw, cell.form)
        return line_of(found)

    def _called(self, item: Any, place: int) -> str:
        raw = at(item, self.key) if self.key else place
        if raw is msgspec.UNSET or raw is None or isinstance(raw, dict | list):
            raise TandemError(
                Kind.CONFIG,
                f"a line of {self.name} has no id at '{self.key}'",
                scope=Scope.STREAM,
                hint="leave out the key where lines have none",
            )
        return as_text(raw)

    def body(self, wanted: Value, row: Any = None) -> list[dict[str, Any]]:
        """The list for a request that leaves the record with these lines. `row`: the record as it was just read; a line that
        stays keeps what nobody asked for. Raises `BadValue`."""
        items = at(row, self.read or self.name) if row is not None else []
        there = {
            self._called(item, place): item
            for place, item in enumerate(items if isinstance(items, list) else [])
            if isinstance(item, dict)
        }
        return [self._item(line, there) for line in lines_of(wanted)]

    def _item(self, line: Line, there: Mapping[str, Any]) -> dict[str, Any]:
        item: dict[str, Any] = copied(there.get(str(line.get(RECORD_ID)), {}))
        for name, value in line.cells:
            if name != RECORD_ID:
                cell = self.cells[self.checked(name)]
                put(item, cell.write or cell.name, write_value(value, cell.form))
        return item

    def checked(self, cell: str) -> str:
        """A cell's name; CONFIG naming those there are."""
        if cell not in self.cells:
            raise TandemError(
                Kind.CONFIG,
                f"lines of {self.name} have no {cell}",
                scope=Scope.STREAM,
                hint=f"they have {', '.join(self.cells)}",
            )
        return cell


def cells_of(values: Iterable[Value]) -> tuple[str, ...]:
    """The cells that lines of these values have."""
    names = {name for value in values for line in lines_of(value) for name, _ in line.cells}
    return tuple(sorted(names - {RECORD_ID}))


def copied(value: Any) -> Any:
    """A JSON value that may be changed."""
    if isinstance(value, dict):
        return {name: copied(one) for name, one in value.items()}
    return [copied(one) for one in value] if isinstance(value, list) else value
