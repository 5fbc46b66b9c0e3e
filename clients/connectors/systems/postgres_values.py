"""Between PostgreSQL's values and canonical ones: how a column is selected, compared, written and read back.

Everything crosses as text with explicit casts in both directions: one path for every type there is (enums, domains,
composites, ranges), PostgreSQL's own words where a value does not fit, and the shape that COPY speaks. What has no
canonical form (NaN, infinity, years before 1) is delivered as PostgreSQL's own text and can be written back as it is.
Must not talk to the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from actors.core.attachments import described
from actors.core.policy import ATTACHED
from actors.core.texts import reader, text_of
from actors.core.values import BadValue, Value, canonical

# So that no text, in or out, depends on how the server or the role is set up.
SESSION_FORMATS = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "standard_conforming_strings": "on",
}
# Head, size and digest; nothing of the content crosses.
DESCRIBED = (
    "CASE WHEN {own} IS NOT NULL THEN encode(substring({own} FROM 1 FOR 16), 'hex') || ' ' || octet_length({own}) || ' '"
    " || encode(sha256({own}), 'hex') END"
)
FIELD_TYPES: Mapping[str, str] = {
    "bool": "boolean",
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "oid": "integer",
    "numeric": "decimal",
    "float4": "decimal",
    "float8": "decimal",
    "date": "date",
    "timestamp": "instant",
    "timestamptz": "instant",
    "bytea": "bytes",
}
# Compared by the type's own equality; all others by their text.
TYPED = frozenset({*FIELD_TYPES, "uuid"})


class Column(msgspec.Struct, frozen=True):
    """A column. `base`: the type's name without domains, of an array that of its elements. `cast`: the type, quoted.

    `default`: the expression of its default, as the catalog shows it.
    """

    name: str
    base: str
    cast: str
    is_array: bool = False
    is_enum: bool = False
    required: bool = False
    writable: bool = True
    generated: bool = False
    identity: bool = False
    default: str = ""
    doc: str = ""
    described: str = (
        ""  # the column of which this is not the content but the description (actors/core/attachments.py)
    )

    @property
    def field_type(self) -> str:
        """The type as `FieldInfo` names it."""
        if self.described:
            return "attachment"
        return "list" if self.is_array else FIELD_TYPES.get(self.base, "text")

    @property
    def is_typed(self) -> bool:
        """Whether the type's own equality says what canonical equality says."""
        return self.base in TYPED or self.is_enum


def quoted(*names: str) -> str:
    """Identifiers, quoted and joined by dots; safe for any name."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def fill(template: str, **parts: str) -> str:
    """Put trusted SQL (quoted identifiers, casts, numbers of parameters) into a statement; never values."""
    return template.format(**parts)


def selected(column: Column) -> str:
    """The expression that delivers the column of `t` to `decoded`."""
    if column.described:
        return fill(DESCRIBED, own=f"t.{quoted(column.described)}")
    return f"t.{quoted(column.name)}::text" + ("[]" if column.is_array else "")


def typed(column: Column, text: str) -> str:
    """The text expression `text` as a value of the column's type, without its length (which would cut silently)."""
    return f"{text}::{column.cast}"


def matches(column: Column, text: str, *, is_utf8: bool) -> str:
    """A condition: the column of `t` still holds the value written in the text expression `text`.

    As `actors.core.values.same` has it: line ends and composed letters make no difference.
    """
    if column.described:  # the same content is the same attachment, whatever else is said of it
        digest = f"encode(sha256(t.{quoted(column.described)}), 'hex')"
        return f"{digest} IS NOT DISTINCT FROM split_part({text}, ' ', 3)"
    own = f"t.{quoted(column.name)}"
    if column.is_typed:
        return f"{own} IS NOT DISTINCT FROM {typed(column, text)}"
    wanted = f"{typed(column, text)}::text" if column.is_array else text
    return f"({own}::text IS NOT DISTINCT FROM {wanted} OR {_folded(f'{own}::text', is_utf8)} = {wanted})"


def _folded(text: str, is_utf8: bool) -> str:
    lines = rf"replace(replace({text}, E'\r\n', E'\n'), E'\r', E'\n')"
    return f"normalize({lines})" if is_utf8 else lines


def encoded(column: Column, value: Value) -> str | None:
    """The text that the column's type reads as `value`; raises BadValue for a list where none can be kept."""
    if isinstance(value, tuple):
        if not column.is_array:
            raise BadValue(f"column {column.name} can't keep a list")
        return "{" + ",".join(_element(item) for item in value) + "}"
    return text_of(value)


def _element(item: Any) -> str:
    if isinstance(item, list):
        return "{" + ",".join(_element(inner) for inner in item) + "}"
    text = text_of(item)
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def kind_of(column: Column) -> str:
    """The kind of its values, for `actors.core.texts.reader`."""
    return "list" if column.is_array else _KINDS.get(column.base, "other")


def _described(text: str | None) -> Value:
    if text is None:
        return None
    head, size, digest = text.split(" ")
    return described(bytes.fromhex(head), int(size), digest)


def with_descriptions(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns, and for each that holds bytes one that describes them, which is written by its content."""
    found = dict(columns)
    for column in columns.values():
        if column.base == "bytea" and not column.is_array:
            name = f"{column.name}{ATTACHED}"
            about = {"name": name, "base": "text", "generated": True, "described": column.name, "default": ""}
            found[name] = msgspec.structs.replace(column, **about)
    return found


def decoder(column: Column) -> Callable[[Any], Value]:
    """The function that makes a canonical value of what `selected` delivers."""
    if column.described:
        return _described
    scalar = reader(_KINDS.get(column.base, "other"))
    return (lambda delivered: _list(scalar, delivered)) if column.is_array else scalar


def _list(decode: Callable[[str | None], Value], delivered: list[Any] | None) -> Value:
    if delivered is None:
        return None
    if any(isinstance(item, list) for item in delivered):
        return canonical(_element(delivered))
    return canonical([decode(item) for item in delivered])


_KINDS: Mapping[str, str] = {
    **FIELD_TYPES,
    "float4": "float",
    "float8": "float",
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), "text"),
}
