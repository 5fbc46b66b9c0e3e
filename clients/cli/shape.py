"""Shapes that methods of any service may have: pages, and answers that can be watched.

Owns: recognising them by their fields. Must not: call, print, or import `grpc`.
"""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from clients.cli import api
from clients.cli.api import Api, Method

TOKEN = "page_token"  # noqa: S105  # the name of a field
NEXT_TOKEN = "next_page_token"  # noqa: S105  # the name of a field


def has_pages(method: Method) -> bool:
    return TOKEN in method.request.fields_by_name and NEXT_TOKEN in method.response.fields_by_name


def next_token(answer: Message) -> str:
    """Where the next page begins; empty on the last one, and for answers without pages."""
    return str(getattr(answer, NEXT_TOKEN, ""))


def watcher(schema: Api, message: Descriptor) -> Method | None:
    """The method that streams messages of this type, asked for by one field: the id."""
    if "id" not in message.fields_by_name:
        return None
    for method in schema.methods():
        if (
            method.streams
            and method.response.full_name == message.full_name
            and len(method.request.fields) == 1
        ):
            return method
    return None


def watched_field(schema: Api, response: Descriptor) -> tuple[Method, str] | None:
    """How to watch what an answer of this type holds: the method, and the answer's field ("" for the answer itself)."""
    own = watcher(schema, response)
    if own is not None:
        return own, ""
    for field in response.fields:
        if api.is_message(field) and not field.is_repeated:
            method = watcher(schema, api.inner(field))
            if method is not None:
                return method, field.name
    return None
