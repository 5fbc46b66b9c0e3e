"""What a resource of Sage Sales Management holds: its fields by its own schema, and look-ups in every way they are used.

A look-up is read as `{id, value}` and written as the bare id. Its field is the id, as a text; beside it stand fields of what
it points at, as `statusId.value` (the text that is shown) or `countryId.iso2`, which can be written where they name one row
of a short value list. Pure but for those lists, which are fetched by a function. Must not: know any tenant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import anyio

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Record
from actors.core.values import BadValue, Value, canonical, same
from actors.ports import FieldInfo, ObjectInfo
from clients.connectors.http.shape import Field, Shape
from clients.connectors.http.values import Form, as_text, read_value, write_value

MAIN: Final = ("accounts", "contacts", "products", "sales", "salesorders", "salesordersLines")
# Short lists, which may be held as a whole; fields of an account or a product are not looked up through a contact.
LISTS: Final = (
    "users",
    "accountTypes",
    "accountStatuses",
    "branches",
    "countries",
    "currencies",
    "contactTypes",
    "productCategories",
    "productFamilies",
    "rates",
)
OBJECTS: Final = (*MAIN, *LISTS)
STAMPS: Final = ("dateUpdated", "dateCreated", "dateDeleted")
LISTS_S: Final = 300.0  # so long a value list is believed
_TYPES: Final = {
    "int": "integer",
    "integer": "integer",
    "decimal": "decimal",
    "double": "decimal",
    "float": "decimal",
    "money": "decimal",
    "bool": "boolean",
    "boolean": "boolean",
    "date": "date",
    "datetime": "instant",
}
_FLAGS: Final = Form(type="boolean", true=(True, 1, "1", "true"), false=(False, 0, "0", "false"))

Rows = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]


class Resource:
    """One resource: its shape, and which fields are look-ups (by name: the resource they point at)."""

    def __init__(
        self, name: str, schema: Sequence[Mapping[str, Any]], attachments: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.attachments = attachments
        self.lookups: dict[str, str] = {}
        fields = []
        for told in schema:
            label, kind, table = str(told["name"]), str(told.get("type", "")), told.get("table")
            if table:
                self.lookups[label] = str(table)
            form = _FLAGS if _TYPES.get(kind) == "boolean" else Form(type=_TYPES.get(kind, "text"))  # type: ignore[arg-type]
            if table or label == "id":
                form = Form()
            fields.append(
                Field(
                    name=label,
                    form=form,
                    required=bool(told.get("required")),
                    writable=label == "deleted" or not told.get("readOnly"),
                    doc="true deletes, and can't be taken back"
                    if label == "deleted"
                    else f"a look-up of {table}"
                    if table
                    else "",
                )
            )
        self.shape = Shape(name, "id", fields, modified="dateUpdated")
        self.stamps = [name for name in STAMPS if name in self.shape.fields]
        self.not_deleted = "deleted=false" if "deleted" in self.shape.fields else ""

    def described(self, lists: Mapping[str, Sequence[str]]) -> ObjectInfo:
        """As the port wants it, with what can be asked of each look-up. `lists`: the fields of each short list."""
        plain = self.shape.described()
        parts = tuple(
            FieldInfo(f"{name}.{part}", "text", False, table in LISTS, f"of {table}")
            for name, table in self.lookups.items()
            for part in dict.fromkeys(["value", *lists.get(table, ())])
        )
        attached = tuple(FieldInfo(name, "attachment") for name in self.attachments)
        return ObjectInfo(plain.name, plain.key, (*plain.fields, *parts, *attached), plain.doc)

    def checked(self, names: Sequence[str]) -> None:
        """CONFIG naming the first field that there is not."""
        names = [name for name in names if name not in self.attachments]
        self.shape.checked([name for name in names if "." not in name or name in self.shape.fields])
        for name in names:
            base, _, part = name.partition(".")
            if not part or name in self.shape.fields:
                continue
            table = self.lookups.get(base)
            if table is None or (part not in {"id", "value"} and table not in LISTS):
                raise TandemError(
                    Kind.CONFIG,
                    f"{self.name} has no field {name}",
                    scope=Scope.STREAM,
                    hint=f"look-ups are {', '.join(self.lookups)}; long ones are known by id and value only",
                )

    def unknown(self, names: Sequence[str]) -> bool:
        """Whether a name is not in the schema as it was read: a field may have been made since."""
        known = {*self.shape.fields, *self.attachments}
        return any(name.partition(".")[0] not in known for name in names)


class Values:
    """The short value lists of an account, each held for a while."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._held: dict[str, tuple[float, dict[str, Mapping[str, Any]]]] = {}
        self._asking = anyio.Lock()

    async def of(self, table: str, fresh: bool = False) -> Mapping[str, Mapping[str, Any]]:
        """Rows of a list by id."""
        asked = anyio.current_time()
        async with self._asking:  # whoever asks for the same meanwhile shares the answer
            held = self._held.get(table)
            is_old = held is None or asked - held[0] > LISTS_S or (fresh and held[0] <= asked)
            if held is None or is_old:
                rows = await self._rows(table)
                held = (anyio.current_time(), {as_text(row["id"]): row for row in rows})
                self._held[table] = held
            return held[1]

    async def attribute(self, table: str, id_: str, name: str) -> Value:
        """A field of a row of a list; null where it has none."""
        row = (await self.of(table)).get(id_)
        if row is None:
            row = (await self.of(table, fresh=True)).get(id_, {})
        return read_value(row.get(name), Form())

    async def id_of(self, table: str, name: str, value: Value) -> int:
        """The row that holds this value there; `BadValue` where none or several do."""
        found: list[str] = []
        rows: Mapping[str, Mapping[str, Any]] = {}
        for fresh in (False, True):
            rows = await self.of(table, fresh)
            names = ("value", "description", "name") if name == "value" else (name,)
            found = [
                id_
                for id_, row in rows.items()
                if any(same(read_value(row.get(one), Form()), value) for one in names)
            ]
            if len(found) == 1:
                return int(found[0])
        there = ", ".join(str(row.get(name, "")) for row in rows.values())
        many = "more than one" if found else "no"
        raise BadValue(f"{table} has {many} '{value}' (there are: {there})")


async def record(resource: Resource, values: Values, row: Mapping[str, Any], names: Sequence[str]) -> Record:
    """A record with the fields `names`."""
    flat = {
        name: raw.get("id") if name in resource.lookups and isinstance(raw, Mapping) else raw
        for name, raw in row.items()
    }
    plain = [name for name in names if name in resource.shape.fields]
    found = resource.shape.record(flat, plain)
    native = dict(found.native)
    for name in names:
        if name not in native and name not in plain:
            await _add_part(native, resource, values, row, name)
    return Record(found.id, native, None, found.modified)


async def _add_part(
    native: dict[str, Value], resource: Resource, values: Values, row: Mapping[str, Any], name: str
) -> None:
    base, _, part = name.partition(".")
    if base not in row:
        return
    raw, table = row[base], resource.lookups[base]
    id_ = raw.get("id") if isinstance(raw, Mapping) else raw
    if id_ is None:
        native[name] = None
    elif part == "id":
        native[name] = as_text(id_)
    elif part == "value" and isinstance(raw, Mapping):
        native[name] = read_value(raw.get("value"), Form())
    else:
        native[name] = await values.attribute(table, as_text(id_), part)


async def body(resource: Resource, values: Values, native: Mapping[str, Value]) -> dict[str, Any]:
    """The fields of a write as the API takes them. Raises `BadValue`."""
    found: dict[str, Any] = {}
    for name, given in native.items():
        value = canonical(given)
        base, _, part = name.partition(".")
        if name in resource.shape.fields and name not in resource.lookups:
            found[name] = write_value(value, resource.shape.fields[name].form)
        elif value is None:
            found[base] = None
        elif part in ("", "id"):
            found[base] = write_value(value, Form(type="integer"))
        elif resource.lookups[base] not in LISTS:
            raise BadValue(f"{name} can't be written; write {base}, the id")
        else:
            found[base] = await values.id_of(resource.lookups[base], part, value)
    return found
