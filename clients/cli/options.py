"""Fields of a request -> options and arguments of a command, and their values -> the request.

Owns: which click parameter a field becomes, and putting the request together. Must not: call anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from clients.cli import api, facts, values
from clients.cli.api import Api, Method
from clients.cli.naming import kebab, singular

_NESTED_MAX = 3
_SCALARS: Mapping[int, values.Kind] = {
    FieldDescriptor.CPPTYPE_INT32: click.INT,
    FieldDescriptor.CPPTYPE_INT64: click.INT,
    FieldDescriptor.CPPTYPE_UINT32: click.IntRange(min=0),
    FieldDescriptor.CPPTYPE_UINT64: click.IntRange(min=0),
    FieldDescriptor.CPPTYPE_DOUBLE: click.FLOAT,
    FieldDescriptor.CPPTYPE_FLOAT: click.FLOAT,
    FieldDescriptor.CPPTYPE_BOOL: click.BOOL,
}
_WELL_KNOWN: Mapping[str, values.Kind] = {
    "google.protobuf.Duration": values.Duration(),
    "google.protobuf.Timestamp": values.Timestamp(),
    "google.protobuf.Struct": values.Settings(),
    "google.protobuf.Value": values.Value(),
    "google.protobuf.ListValue": values.Value(),
    "google.protobuf.FieldMask": click.STRING,
}
_WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
_STRUCT = "google.protobuf.Struct"


@dataclass(frozen=True)
class Binding:
    """One click parameter and the field (from the request downwards) that its value goes to."""

    path: tuple[FieldDescriptor, ...]
    parameter: click.Parameter

    @property
    def field(self) -> FieldDescriptor:
        return self.path[-1]


def bindings(schema: Api, method: Method) -> tuple[Binding, ...]:
    """Arguments first, then the options in the order of the proto file."""
    positional = positional_fields(schema, method)
    by_name = method.request.fields_by_name
    arguments = [_argument(schema, method, by_name[name]) for name in positional]
    options = _options(schema, method.request, (), frozenset(positional))
    return (*arguments, *options)


def positional_fields(schema: Api, method: Method) -> tuple[str, ...]:
    """The fields given by position: as `facts` says, else the first one if it names a thing of the API."""
    if method.full_name in facts.POSITIONAL:
        return facts.POSITIONAL[method.full_name]
    things = {"id", *(singular(kebab(service.name)) for service in schema.services)}
    first = next((field for field in method.request.fields if field.name != "tenant"), None)
    if first is None or first.name not in things or first.is_repeated or api.is_message(first):
        return ()
    return (first.name,)


def _argument(schema: Api, method: Method, field: FieldDescriptor) -> Binding:
    required = field.name not in facts.OPTIONAL.get(method.full_name, ())
    from_file = facts.FILES.get(method.full_name) == field.name
    shown = "FILE" if from_file else field.name.upper()
    metavar = shown if required else f"[{shown}]"
    name = _parameter_name((field,))
    doc = schema.comment(field.full_name)
    kind = values.FileText() if from_file else _type(field)
    return Binding((field,), click.Argument([name], type=kind, required=required, metavar=metavar, help=doc))


def _options(
    schema: Api, message: Descriptor, above: tuple[FieldDescriptor, ...], left_out: frozenset[str]
) -> list[Binding]:
    found: list[Binding] = []
    for field in message.fields:
        path = (*above, field)
        if not above and field.name in left_out:
            continue
        if _is_flattened(path):
            found += _options(schema, api.inner(field), path, left_out)
        else:
            found.append(Binding(path, _option(schema, path)))
    return found


def _is_flattened(path: tuple[FieldDescriptor, ...]) -> bool:
    """Whether the field is a message whose fields become options of their own (`--schedule-cron`)."""
    field = path[-1]
    if not api.is_message(field) or field.is_repeated or _is_leaf(api.inner(field)):
        return False
    around = {above.containing_type.full_name for above in path if above.containing_type}
    return len(path) <= _NESTED_MAX and api.inner(field).full_name not in around


def _is_leaf(message: Descriptor) -> bool:
    return message.full_name.startswith("google.protobuf.")


def _option(schema: Api, path: tuple[FieldDescriptor, ...]) -> click.Option:
    field = path[-1]
    flag = "--" + "-".join(part.name.replace("_", "-") for part in path)
    flag = "--field-help" if flag == "--help" else flag
    name, doc = _parameter_name(path), schema.comment(field.full_name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL and not field.is_repeated:
        # Where the absence of the field means something, the flag can also be switched off.
        spelling = f"{flag}/--no-{flag[2:]}" if field.has_presence else flag
        return click.Option([spelling, name], is_flag=True, default=None, help=doc)
    many = field.is_repeated or (api.is_message(field) and api.inner(field).full_name == _STRUCT)
    return click.Option(
        [flag, name], type=_type(field), multiple=many, default=None, help=_with_note(field, doc)
    )


def _with_note(field: FieldDescriptor, doc: str) -> str:
    """Say how the value is written, where the type alone doesn't."""
    if api.is_message(field) and api.inner(field).full_name == _STRUCT:
        return f"{doc} key=value, or @file (YAML or JSON). Repeatable."
    return f"{doc} Repeatable." if field.is_repeated else doc


def _parameter_name(path: tuple[FieldDescriptor, ...]) -> str:
    # Prefixed: `type`, `all` or `help` as a field must not meet click's or our own parameters.
    return "field__" + "__".join(part.name for part in path)


def _type(field: FieldDescriptor) -> values.Kind:
    if api.is_map(field):
        entry = api.inner(field).fields_by_name
        return values.Entry(_type(entry["key"]), _type(entry["value"]))
    if field.enum_type is not None:
        return values.Choice(api.enum_choices(field.enum_type))
    if api.is_message(field):
        return _message_type(api.inner(field))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return values.Bytes()
    return _SCALARS.get(field.cpp_type, values.Text())


def _message_type(message: Descriptor) -> values.Kind:
    if message.full_name in _WRAPPERS:
        return _type(message.fields_by_name["value"])
    return _WELL_KNOWN.get(message.full_name, values.Document())


def request(method: Method, given: Sequence[Binding], parameters: Mapping[str, Any]) -> Message:
    """The request, from what click parsed. Raises click.UsageError where two options exclude each other."""
    from google.protobuf import json_format

    used = [binding for binding in given if parameters[_name(binding)] not in (None, ())]
    _check_oneofs(used)
    document: dict[str, Any] = {}
    for binding in used:
        inner = document
        for part in binding.path[:-1]:
            inner = inner.setdefault(part.name, {})
        inner[binding.field.name] = _plain(binding.field, parameters[_name(binding)])
    message = api.new(method.request)
    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise click.UsageError(str(error)) from error
    return message


def _name(binding: Binding) -> str:
    name = binding.parameter.name
    assert name is not None
    return name


def _plain(field: FieldDescriptor, value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    # A Struct given in parts; a repeated Struct is a list like any other.
    return values.merge(value) if api.is_map(field) or not field.is_repeated else list(value)


def _check_oneofs(used: Sequence[Binding]) -> None:
    chosen: dict[tuple[object, ...], Binding] = {}
    for binding in used:
        for depth, part in enumerate(binding.path):
            if part.containing_oneof is None:
                continue
            key = (*binding.path[:depth], part.containing_oneof.full_name)
            other = chosen.setdefault(key, binding)
            if other.path[depth] is not part:
                flags = " and ".join(_spelled(each) for each in (other, binding))
                raise click.UsageError(f"{flags} exclude each other: give one of them")


def _spelled(binding: Binding) -> str:
    return (
        binding.parameter.opts[0]
        if binding.parameter.param_type_name == "option"
        else binding.field.name.upper()
    )
