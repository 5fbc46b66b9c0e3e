"""Answers as text: JSON and YAML with all fields, tables for people.

Owns: what a message looks like. Must not: know any message by name but Google's well-known ones; import rich before a
table is wanted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import click
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from clients.cli import api, facts, text
from clients.cli.shape import NEXT_TOKEN
from clients.cli.target import Target

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_VALUES = frozenset(f"google.protobuf.{name}" for name in ("Value", "Struct", "ListValue"))
# Piped tables are not cut: programs and people with `less -S` want whole lines.
_UNBOUNDED = 10_000


def show(message: Message, target: Target) -> None:
    """Print one answer."""
    if target.output == "json":
        click.echo(json.dumps(plain(message), indent=2, ensure_ascii=False))
    elif target.output == "yaml":
        click.echo(as_yaml(message), nl=False)
    else:
        console(target).print(table(message))


def plain(message: Message) -> dict[str, Any]:
    """Protobuf JSON with the field names of the proto files, unset fields included."""
    found: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def as_yaml(message: Message) -> str:
    import yaml

    return yaml.safe_dump(plain(message), sort_keys=False, allow_unicode=True)


def console(target: Target) -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _UNBOUNDED
    return Console(
        file=sys.stdout, width=width, no_color=not target.color or None, highlight=False, soft_wrap=True
    )


def table(message: Message) -> RenderableType:
    """A list as rows; anything else as names and values, its lists below."""
    from rich.console import Group
    from rich.text import Text

    fields = [field for field in api.type_of(message).fields if field.name != NEXT_TOKEN]
    lists = [field for field in fields if is_rows(field)]
    if len(fields) == 1 and lists:
        return _rows(lists[0], getattr(message, lists[0].name))
    present = [field for field in fields if has_value(message, field)]
    whole = [field for field in present if _holds_rows(field, getattr(message, field.name))]
    single = [field for field in present if field not in lists and field not in whole]
    parts: list[RenderableType] = [_pairs(message, single)] if single else []
    for field in (*whole, *(one for one in lists if one in present)):
        value = getattr(message, field.name)
        shown = table(value) if field in whole else _rows(field, value)
        parts += [Text(f"\n{_title(field)}", style="bold"), shown]
    return Group(*parts) if parts else Text("done" if not fields else "nothing to show")


def _holds_rows(field: FieldDescriptor, value: Any) -> bool:
    """Whether the value is a message with lists of its own, which one line would not hold."""
    if field.is_repeated or not api.is_message(field) or _is_leaf(api.inner(field)):
        return False
    return any(is_rows(one) for one, _ in api.set_fields(value))


def is_rows(field: FieldDescriptor) -> bool:
    """Whether the field is a list of messages with fields of their own."""
    return (
        field.is_repeated
        and api.is_message(field)
        and not api.is_map(field)
        and not _is_leaf(api.inner(field))
    )


def _is_leaf(message: Descriptor) -> bool:
    return message.full_name.startswith("google.protobuf.")


def has_value(message: Message, field: FieldDescriptor) -> bool:
    return any(field is other for other, _ in api.set_fields(message))


def _title(field: FieldDescriptor) -> str:
    return field.name.replace("_", " ")


def _pairs(message: Message, fields: Sequence[FieldDescriptor]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for field in fields:
        grid.add_row(_title(field), Text(_shortened(field, cell(field, getattr(message, field.name)))))
    return grid


def _shortened(field: FieldDescriptor, shown: str) -> str:
    if field.full_name not in facts.SHORTENED:
        return shown
    return f"{len(shown.splitlines())} lines; --output yaml shows them"


def _rows(field: FieldDescriptor, messages: Sequence[Message]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not messages:
        title = _title(field)
        return Text(f"no {title}" if title.endswith("s") else f"nothing {title}")
    # A column that is empty in every row only takes the others' place.
    shown = [
        one
        for one in api.inner(field).fields
        if one.full_name not in facts.ONE_ONLY and any(has_value(row, one) for row in messages)
    ]
    below = [one for one in shown if one.full_name in facts.BELOW]
    if below:
        return _blocks(messages, below)
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for one in shown:
        number = one.cpp_type in _NUMBERS and not one.is_repeated
        # An id is there to be copied.
        whole = one.name == "id"
        found.add_column(_title(one), justify="right" if number else "left", overflow="fold", no_wrap=whole)
    for row in messages:
        found.add_row(*(Text(_row_cell(row, one)) for one in shown))
    return found


def _blocks(messages: Sequence[Message], below: Sequence[FieldDescriptor]) -> RenderableType:
    """A line per message, and its lists as tables below it: they would not fit into a cell."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = []
    for message in messages:
        left_out = {*(field.full_name for field in below), *facts.ONE_ONLY}
        fields = [(one, value) for one, value in api.set_fields(message) if one.full_name not in left_out]
        parts.append(Text(" ".join(pair(one, value) for one, value in fields)))
        lists = [one for one in below if has_value(message, one)]
        parts += [
            Padding(_rows(one, getattr(message, one.name)), (0, 0, 1, 4), expand=False) for one in lists
        ]
    return Group(*parts)


_NUMBERS = frozenset(
    (
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
        FieldDescriptor.CPPTYPE_DOUBLE,
        FieldDescriptor.CPPTYPE_FLOAT,
    )
)


def _row_cell(message: Message, field: FieldDescriptor) -> str:
    if field.has_presence and not message.HasField(field.name):
        return ""
    value = getattr(message, field.name)
    return "\n".join(_one(field, each) for each in value) if is_rows(field) else cell(field, value)


def cell(field: FieldDescriptor, value: Any) -> str:
    """The value of a field, on as few lines as it has itself."""
    if api.is_map(field):
        inner = api.inner(field).fields_by_name["value"]
        return ", ".join(_named(str(key), inner, _one(inner, value[key])) for key in sorted(value))
    if field.is_repeated:
        return ("; " if is_rows(field) else ", ").join(_one(field, each) for each in value)
    return _one(field, value)


def _one(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, Message):
        return compact(value)
    if field.enum_type is not None:
        return _enum(field.enum_type, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{round(value, 3):.10g}"
    return value.hex() if isinstance(value, bytes) else text.printable(str(value))


def _enum(enum: EnumDescriptor, number: int) -> str:
    value = enum.values_by_number.get(number)
    if value is None:
        return str(number)
    return next((short for short, name in api.enum_choices(enum).items() if name == value.name), "")


def compact(message: Message) -> str:
    """A message on one line: `stream=customers side=a created=3`."""
    kind = api.type_of(message)
    if _is_leaf(kind):
        return _well_known(kind.full_name, message)
    fields = api.set_fields(message)
    # A wrapper around a value (and nothing else set) reads as the value.
    if len(fields) == 1 and api.is_message(fields[0][0]) and api.inner(fields[0][0]).full_name in _VALUES:
        return compact(fields[0][1])
    # So does a word about it: (unknown), as (erased).
    if len(fields) == 1 and fields[0][1] is True:
        return f"({_title(fields[0][0])})"
    return " ".join(pair(field, value) for field, value in fields)


def _well_known(name: str, message: Message) -> str:
    plain_value: Any = json_format.MessageToDict(message)
    if name == "google.protobuf.Timestamp":
        return text.moment(str(plain_value))
    if name == "google.protobuf.Duration":
        return text.duration(cast(Duration, message).ToTimedelta())
    if isinstance(plain_value, str):
        return text.printable(plain_value)
    return json.dumps(_whole(plain_value), ensure_ascii=False, sort_keys=True)


def _whole(value: Any) -> Any:
    """Numbers of a Struct are doubles; 17 is shown as 17 all the same."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def pair(field: FieldDescriptor, value: Any) -> str:
    """`name=value`, so that the value ends where it ends."""
    shown = cell(field, value)
    return (
        f"{field.name}=[{shown}]" if is_rows(field) or api.is_map(field) else _named(field.name, field, shown)
    )


def _named(name: str, field: FieldDescriptor, shown: str) -> str:
    nested = api.is_message(field) and not _is_leaf(api.inner(field))
    return f"{name}=[{shown}]" if nested and "=" in shown else f"{name}={text.quoted(shown)}"


def changes(before: Message | None, now: Message) -> Iterable[tuple[FieldDescriptor, Any]]:
    """The fields that are not what they were before; at first, those that are set."""
    was, new = (dict(api.set_fields(message)) if message else {} for message in (before, now))
    for field in api.type_of(now).fields:
        if was.get(field) != new.get(field):
            yield field, getattr(now, field.name)
