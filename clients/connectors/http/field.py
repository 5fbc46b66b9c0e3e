"""One field of an object: where its value stands in a body, and how it is written there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clients.connectors.http.values import Form


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


def put(body: dict[str, Any], path: str, raw: Any) -> None:
    """Put a value at `a.b.c`, with the objects on the way."""
    if "." not in path:  # nearly always
        body[path] = raw
        return
    *heads, last = path.split(".")
    for head in heads:
        inner = body.setdefault(head, {})
        if not isinstance(inner, dict):
            inner = body[head] = {}
        body = inner
    body[last] = raw


def nothing_at(row: Any, name: str) -> bool:
    """Whether a field is null because something on the way to it refers to nobody."""
    for head in name.split(".")[:-1]:
        if not isinstance(row, Mapping) or head not in row:
            return False
        if row[head] is None:
            return True
        row = row[head]
    return False
