"""Records of one object: from the JSON objects of an answer to `Record`, and from native values to the body of a write.

Pure. A field that the answer leaves out is missing from the record (unknown), unless the system is known to leave out nulls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import Value
from actors.ports import FieldInfo, ObjectInfo
from clients.connectors.http.values import Form, as_text, read_value, write_value
from clients.connectors.http.wire import at


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field. `read`, `write`: where its value stands in a body, "" = under the name. A look-up that is read as an object
    and written as an id: read `branch.id`, write `branch`."""

    name: str
    form: Form = Form()
    read: str = ""
    write: str = ""
    required: bool = False
    writable: bool = True
    doc: str = ""


class Shape:
    """The fields of one object. `key`: the field that holds the id. `version`: where the system's own version token stands
    in a body. `missing_is_null`: the system leaves out what is null."""

    def __init__(
        self,
        name: str,
        key: str,
        fields: Iterable[Field],
        *,
        version: str = "",
        modified: str = "",
        missing_is_null: bool = False,
        doc: str = "",
    ) -> None:
        self.name = name
        self.key = key
        self.fields = {field.name: field for field in fields}
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
        return ObjectInfo(self.name, self.key, infos, self._doc)

    def checked(self, names: Iterable[str]) -> tuple[str, ...]:
        """The fields asked for; CONFIG naming those that there are not, and those there are."""
        wanted = tuple(names)
        unknown = [name for name in wanted if name not in self.fields]
        if unknown:
            raise TandemError(
                Kind.CONFIG,
                f"{self.name} has no field {', '.join(unknown)}",
                scope=Scope.STREAM,
                hint=f"it has {', '.join(self.fields)}",
            )
        return wanted

    def id_of(self, row: Any) -> str:
        """The id of a row as a text; CONFIG where it has none, for such a row is no record."""
        field = self.fields[self.key]
        raw = at(row, field.read or field.name)
        if raw is msgspec.UNSET or raw is None or raw == "" or isinstance(raw, dict | list):
            raise TandemError(
                Kind.CONFIG,
                f"a record of {self.name} has no id at '{field.read or field.name}'",
                scope=Scope.STREAM,
                hint="check the key and where the list stands in the body",
            )
        return as_text(raw)

    def record(self, row: Any, names: Sequence[str], version: str | None = None) -> Record:
        """A record with the fields `names`, as far as they were delivered."""
        native: dict[str, Value] = {}
        for name in names:
            field = self.fields[name]
            raw = at(row, field.read or field.name)
            if raw is not msgspec.UNSET:
                native[name] = read_value(raw, field.form)
            elif self.missing_is_null:
                native[name] = None
        return Record(self.id_of(row), native, version or self._version_of(row), self._modified_of(row))

    def body(self, native: Mapping[str, Value]) -> dict[str, Any]:
        """The fields of a write as a JSON object. Raises `BadValue` for what can't be written, CONFIG for unknown fields."""
        found: dict[str, Any] = {}
        for place, raw in self.places(native):
            put(found, place, raw)
        return found

    def places(self, native: Mapping[str, Value]) -> list[tuple[str, Any]]:
        """Where in a body each field of a write goes, and what: for systems that take whole objects only."""
        fields = [self.fields[name] for name in self.checked(native)]
        return [(field.write or field.name, write_value(native[field.name], field.form)) for field in fields]

    def _version_of(self, row: Any) -> str | None:
        raw = at(row, self._version) if self._version else msgspec.UNSET
        return None if raw is msgspec.UNSET or raw is None else as_text(raw)

    def _modified_of(self, row: Any) -> float | None:
        if self._modified is None:
            return None
        raw = at(row, self._modified.read or self._modified.name)
        value = read_value(None if raw is msgspec.UNSET else raw, self._modified.form)
        stamp = getattr(value, "timestamp", None)
        return float(stamp()) if stamp is not None and getattr(value, "tzinfo", None) is not None else None


def put(body: dict[str, Any], path: str, raw: Any) -> None:
    """Put a value at `a.b.c`, with the objects on the way."""
    *heads, last = path.split(".")
    for head in heads:
        inner = body.setdefault(head, {})
        if not isinstance(inner, dict):
            inner = body[head] = {}
        body = inner
    body[last] = raw
