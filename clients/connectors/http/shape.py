"""Records of one object: from the JSON objects of an answer to `Record`, and from native values to the body of a write.

Pure. A field that the answer leaves out is missing from the record (unknown), unless the system is known to leave out nulls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.unit_lines import IN_LINES
from actors.core.values import BadValue, Value, same
from actors.ports import FieldInfo, ObjectInfo, Write
from clients.connectors.http.field import Field, put
from clients.connectors.http.nested import Nested, cells_of
from clients.connectors.http.values import as_text, reader, write_value
from clients.connectors.http.wire import at, getter
from clients.connectors.lines import asked_lines

__all__ = ["Field", "Nested", "Shape", "having", "put"]


class Shape:
    """The fields of one object. `key`: the field that holds the id. `version`: where the system's own version token stands
    in a body. `missing_is_null`: the system leaves out what is null. `lines`: lists of lines in the record's body."""

    def __init__(
        self,
        name: str,
        key: str,
        fields: Iterable[Field],
        *,
        version: str = "",
        modified: str = "",
        missing_is_null: bool = False,
        lines: Iterable[Nested] = (),
        doc: str = "",
    ) -> None:
        self.name = name
        self.key = key
        self.fields = {field.name: field for field in fields}
        self._readers = {
            name: (getter(field.read or field.name), reader(field.form))
            for name, field in self.fields.items()
        }
        self.lines = {nested.name: nested for nested in lines}
        self._version = version
        self._modified = self.fields.get(modified)
        self.missing_is_null = missing_is_null
        self._doc = doc

    @property
    def has_version(self) -> bool:
        """Whether records carry a version."""
        return bool(self._version)

    def described(self) -> ObjectInfo:
        """As `Connector.describe` wants it."""
        infos = tuple(
            FieldInfo(field.name, field.form.type, field.required, field.writable, field.doc)
            for field in self.fields.values()
        )
        nested = tuple(info for one in self.lines.values() for info in one.described())
        return ObjectInfo(self.name, self.key, (*infos, *nested), self._doc)

    def checked(self, names: Iterable[str]) -> tuple[str, ...]:
        """The fields asked for; CONFIG naming those that there are not, and those there are."""
        wanted = tuple(names)
        unknown = [name for name in wanted if not self._has(name)]
        if unknown:
            raise TandemError(
                Kind.CONFIG,
                f"{self.name} has no field {', '.join(unknown)}",
                scope=Scope.STREAM,
                hint=f"it has {', '.join(self.fields)}",
            )
        return wanted

    def _has(self, name: str) -> bool:
        if name in self.fields or name in self.lines:
            return True
        path, within, cell = name.partition(IN_LINES)
        return bool(within) and path in self.lines and cell in self.lines[path].cells

    def id_of(self, row: Any) -> str:
        """The id of a row as a text; CONFIG where it has none, for such a row is no record."""
        field = self.fields[self.key]
        raw = self._readers[self.key][0](row)
        if raw is msgspec.UNSET or raw is None or raw == "" or isinstance(raw, dict | list):
            raise TandemError(
                Kind.CONFIG,
                f"a record of {self.name} has no id at '{field.read or field.name}'",
                scope=Scope.STREAM,
                hint="check the key and where the list stands in the body",
            )
        return as_text(raw)

    def record(self, row: Any, names: Sequence[str], version: str | None = None) -> Record:
        """A record with the fields `names`, as far as they were delivered. Lines are asked for by their cells."""
        native: dict[str, Value] = {}
        plain, lines = asked_lines(names) if self.lines else (names, {})
        for path, cells in lines.items():
            found = self.lines[path].of(row, cells)
            if found is not None:
                native[path] = found
        for name in [one for one in plain if one not in self.lines] if self.lines else plain:
            get, read = self._readers[name]
            raw = get(row)
            if raw is not msgspec.UNSET:
                native[name] = read(raw)
            elif self.missing_is_null:
                native[name] = None
        return Record(self.id_of(row), native, version or self._version_of(row), self._modified_of(row))

    def seen(self, row: Any, write: Write, version: str | None = None) -> Record:
        """The record as it is now, with all that a write has seen of it: for its precondition."""
        names: list[str] = []
        for name in write.seen:
            if name in self.lines:
                cells = cells_of((write.seen[name], write.native.get(name))) or tuple(self.lines[name].cells)
                names += [f"{name}{IN_LINES}{self.lines[name].checked(cell)}" for cell in cells]
            else:
                names.append(name)
        return self.record(row, names, version)

    def body(self, native: Mapping[str, Value], row: Any = None) -> dict[str, Any]:
        """The fields of a write as a JSON object. `row`: the record as it was just read, for lines that stay. Raises
        `BadValue` for what can't be written, CONFIG for unknown fields."""
        found: dict[str, Any] = {}
        for place, raw in self.places(native, row):
            put(found, place, raw)
        return found

    def places(self, native: Mapping[str, Value], row: Any = None) -> list[tuple[str, Any]]:
        """Where in a body each field of a write goes, and what: for systems that take whole objects only. As `body` it
        refuses fields that can't be written."""
        found: list[tuple[str, Any]] = []
        names = self.checked(native)
        fixed = [name for name in names if name in self.fields and not self.fields[name].writable]
        if fixed:
            raise BadValue(f"{', '.join(fixed)} can't be written")
        for name in names:
            nested = self.lines.get(name)
            if nested is not None:
                found.append((nested.write or nested.read or nested.name, nested.body(native[name], row)))
                continue
            field = self.fields[name]
            found.append((field.write or field.name, write_value(native[name], field.form)))
        return found

    def _version_of(self, row: Any) -> str | None:
        raw = at(row, self._version) if self._version else msgspec.UNSET
        return None if raw is msgspec.UNSET or raw is None else as_text(raw)

    def _modified_of(self, row: Any) -> float | None:
        if self._modified is None:
            return None
        get, read = self._readers[self._modified.name]
        raw = get(row)
        value = read(None if raw is msgspec.UNSET else raw)
        stamp = getattr(value, "timestamp", None)
        return float(stamp()) if stamp is not None and getattr(value, "tzinfo", None) is not None else None


def having(records: Iterable[Record], field: str, value: Value, fields: Sequence[str]) -> list[Record]:
    """Those of the records whose field holds the value, with `fields` alone: for `Connector.find_by`, since systems compare
    more loosely than we do."""
    return [
        msgspec.structs.replace(one, native={name: one.native[name] for name in fields if name in one.native})
        for one in records
        if field in one.native and same(one.native[field], value)
    ]
