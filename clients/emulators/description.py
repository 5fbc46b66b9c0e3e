"""What a system holds, as data: its tables and their fields, and what it refuses for its own sake.

Values in rows are plain: text, int, Decimal, bool, date, datetime (with zone), None. How the vendor writes them is the
emulator's business. Must not: know any system.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

Key = int | str
Row = dict[str, Any]

TYPES: Final[Mapping[str, Any]] = {
    "text": str,
    "integer": int,
    "decimal": Decimal,
    "double": Decimal,  # kept as the nearest IEEE double, as many vendors do
    "boolean": bool,
    "date": date,
    "instant": datetime,
    "any": Any,
}


class Refused(Exception):
    """The system's no, in its own words. `code`: the vendor's name for it, `field`: the field it is about."""

    def __init__(self, reason: str, *, code: str = "", field: str = "") -> None:
        super().__init__(reason)
        self.reason, self.code, self.field = reason, code, field


class Field(msgspec.Struct, frozen=True):
    """One field. `size`: at most so many characters (0: any). `default`: what a new row begins with."""

    name: str
    type: str = "text"
    required: bool = False
    writable: bool = True
    size: int = 0
    choices: tuple[Any, ...] = ()
    default: Any = None


class Table(msgspec.Struct, frozen=True):
    """One kind of row. `key`: the field that tells rows apart; `draws`: the system numbers new rows itself.

    `created`, `modified`: fields that the system stamps with its own clock. `unique`: fields (or groups of them) of
    which no two rows share the value; null and "" don't count. `indexed`: fields by whose values rows are looked for.
    `apart`: it is kept on another device, so no backup of the system holds it.
    """

    name: str
    key: str
    fields: tuple[Field, ...]
    draws: bool = True
    first: int = 1
    created: str = ""
    modified: str = ""
    unique: tuple[tuple[str, ...], ...] = ()
    indexed: tuple[str, ...] = ()
    apart: bool = False
    by_name: Mapping[str, Field] = {}  # made of `fields`

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "by_name", {field.name: field for field in self.fields})

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return self.by_name.get(name)


class Description(msgspec.Struct, frozen=True):
    """One system. `resolution_s`: its times are cut to whole multiples of so many seconds."""

    name: str
    doc: str
    tables: tuple[Table, ...]
    resolution_s: float = 1.0
    unknown_fields: Literal["ignored", "refused"] = "ignored"

    def table(self, name: str) -> Table:
        """The table of that name; KeyError where there is none."""
        found = next((table for table in self.tables if table.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def fields(names: str, kind: str = "text", **same: Any) -> tuple[Field, ...]:
    """Several fields alike; `names` stand between blanks, `Custom1..3` are three."""
    return tuple(Field(name, kind, **same) for part in names.split() for name in _numbered(part))


def _numbered(part: str) -> list[str]:
    stem, _, last = part.partition("..")
    if not last:
        return [part]
    digits = len(stem) - len(stem.rstrip("0123456789"))
    head, first = stem[: len(stem) - digits], int(stem[len(stem) - digits :])
    return [f"{head}{number}" for number in range(first, int(last) + 1)]


def taken(field: Field, value: Any) -> Any:
    """A value as the row keeps it; `Refused` where the field can't hold it."""
    if value is None:
        return None
    try:
        made = msgspec.convert(value, TYPES[field.type], strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise Refused(f"{field.name}: {value!r} is no {field.type}", field=field.name) from error
    if field.type == "double":
        made = Decimal(repr(float(made)))
    if field.size and isinstance(made, str) and len(made) > field.size:
        raise Refused(f"{field.name} is longer than {field.size} characters", field=field.name)
    if field.choices and made not in field.choices:
        raise Refused(f"{field.name}: {value!r} is not one of {list(field.choices)}", field=field.name)
    return made


def checked(table: Table, row: Row) -> Row:
    """A row that the system can keep; `Refused` naming the first field that it can't."""
    for field in table.fields:
        if field.required and row.get(field.name) in (None, ""):
            raise Refused(f"{field.name} cannot be blank", code="FieldCannotBeBlank", field=field.name)
    return row
