"""The API as the command line sees it: services, methods and comments, read from a descriptor set.

Owns: the pool built from the set, and which comment belongs to which name. Must not: import generated code, or `grpc`
(`--help` has to be fast).
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message

Path = tuple[int, ...]
_Owner = descriptor_pb2.EnumDescriptorProto | descriptor_pb2.ServiceDescriptorProto


@dataclass(frozen=True)
class Method:
    """One rpc: its descriptor and the path it is called under."""

    descriptor: MethodDescriptor
    path: str

    @property
    def name(self) -> str:
        return self.descriptor.name

    @property
    def full_name(self) -> str:
        return self.descriptor.full_name

    @property
    def request(self) -> Descriptor:
        return self.descriptor.input_type

    @property
    def response(self) -> Descriptor:
        return self.descriptor.output_type

    @property
    def streams(self) -> bool:
        return self.descriptor.server_streaming


@dataclass(frozen=True)
class Service:
    """One service and its methods, in the order of the proto file. Methods that take a stream are left out."""

    descriptor: ServiceDescriptor
    methods: tuple[Method, ...]

    @property
    def name(self) -> str:
        return self.descriptor.name


@dataclass(frozen=True)
class Api:
    """All services of a descriptor set; `comments` by full name, enum values as `<enum>.<VALUE>`."""

    services: tuple[Service, ...]
    comments: Mapping[str, str]

    def methods(self) -> Iterator[Method]:
        for service in self.services:
            yield from service.methods

    def comment(self, full_name: str) -> str:
        return self.comments.get(full_name, "")


def load(descriptors: bytes) -> Api:
    """Read a serialised FileDescriptorSet made with imports and source info (proto/generate.py)."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors).file
    # A pool of its own: the set may hold other versions of what this process has imported.
    pool = descriptor_pool.DescriptorPool()
    services: list[Service] = []
    comments: dict[str, str] = {}
    for file in files:
        pool.Add(file)
        comments.update(_comments(file))
    for file in files:
        if not file.name.startswith("google/"):
            names = (".".join(filter(None, (file.package, service.name))) for service in file.service)
            services += [_service(pool.FindServiceByName(name)) for name in names]
    return Api(tuple(services), comments)


def installed() -> bytes:
    """The descriptor set that was generated together with this code."""
    return importlib.resources.files("tandem.v1").joinpath("descriptors.binpb").read_bytes()


def new(descriptor: Descriptor) -> Message:
    """An empty message of this type."""
    return message_factory.GetMessageClass(descriptor)()


def type_of(message: Message) -> Descriptor:
    return cast(Descriptor, message.DESCRIPTOR)


def set_fields(message: Message) -> list[tuple[FieldDescriptor, Any]]:
    """The fields that are set (or not zero), with their values."""
    return cast("list[tuple[FieldDescriptor, Any]]", message.ListFields())


def inner(field: FieldDescriptor) -> Descriptor:
    """The type of a field that holds a message."""
    assert field.message_type is not None
    return field.message_type


def is_message(field: FieldDescriptor) -> bool:
    return field.message_type is not None


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _service(descriptor: ServiceDescriptor) -> Service:
    methods = (
        Method(method, f"/{descriptor.full_name}/{method.name}")
        for method in descriptor.methods
        if not method.client_streaming
    )
    return Service(descriptor, tuple(methods))


def _comments(file: descriptor_pb2.FileDescriptorProto) -> dict[str, str]:
    names = dict(_names(file))
    return {
        names[tuple(location.path)]: " ".join(location.leading_comments.split())
        for location in file.source_code_info.location
        if location.leading_comments and tuple(location.path) in names
    }


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    """Source path -> full name. The numbers are the field numbers of descriptor.proto."""
    for index, message in enumerate(file.message_type):
        yield from _message_names((4, index), file.package, message)
    yield from _members((5,), file.package, file.enum_type, 2, "value")
    yield from _members((6,), file.package, file.service, 2, "method")


def _message_names(
    path: Path, scope: str, message: descriptor_pb2.DescriptorProto
) -> Iterator[tuple[Path, str]]:
    name = _join(scope, message.name)
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), _join(name, field.name)
    for index, nested in enumerate(message.nested_type):
        yield from _message_names((*path, 3, index), name, nested)
    yield from _members((*path, 4), name, message.enum_type, 2, "value")


def _members(
    path: Path,
    scope: str,
    owners: Iterable[_Owner],
    number: int,
    members: str,
) -> Iterator[tuple[Path, str]]:
    for index, owner in enumerate(owners):
        name = _join(scope, owner.name)
        yield (*path, index), name
        for position, member in enumerate(getattr(owner, members)):
            yield (*path, index, number, position), _join(name, member.name)


def _join(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def enum_choices(enum: EnumDescriptor) -> dict[str, str]:
    """Short lower-case name -> name in the proto: SIDE_A -> a. The zero value (unspecified) is what leaving it out means."""
    prefix = "".join(f"_{char}" if char.isupper() else char.upper() for char in enum.name).lstrip("_") + "_"
    return {
        value.name.removeprefix(prefix).lower().replace("_", "-"): value.name
        for value in enum.values
        if value.number
    }
