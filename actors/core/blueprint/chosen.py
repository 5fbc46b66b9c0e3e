"""Streams that are chosen at set-up: `active: {setting: groups}`. What is not active leaves the document before it is read.

With a stream go the fields of other streams that refer to it, and its name where others wait for it. A blueprint that is
only checked has all of its streams. Must not: know settings; by now their values stand in their places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.core.blueprint.nodes import Node
from actors.core.blueprint.settings import named_setting

YES: Final = ("yes", "on")
NO: Final = ("no", "off")
WORDS: Final = (*YES, *NO)


def is_off(value: object) -> bool:
    """Whether the entry `active` says that a stream is not kept in step."""
    return value is False or value in NO


def switched_off(document: Node) -> str:
    """The streams of which it is said whether they are active, each with the setting that says so; "" for none."""
    streams = document.get("streams")
    named = streams.value if streams is not None and isinstance(streams.value, Mapping) else {}
    told = []
    for name in named:
        active = Node(named[name], (), document.faults).get("active")
        if active is not None:
            setting = named_setting(active)
            told.append(f"{name} (setting {setting})" if setting else str(name))
    return ", ".join(told)


def without_inactive(data: object) -> object:
    """The document of a link, without what it did not choose."""
    streams = data.get("streams") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(streams, Mapping):
        return data
    off = {name for name, one in streams.items() if isinstance(one, Mapping) and is_off(one.get("active"))}
    if not off:
        return data
    kept = {name: _without(one, off) for name, one in streams.items() if name not in off}
    return {**data, "streams": kept}


def _without(stream: Any, off: set[Any]) -> Any:
    if not isinstance(stream, Mapping):
        return stream
    out = dict(stream)
    for entry in ("parents", "requires"):
        if isinstance(out.get(entry), list):
            out[entry] = [name for name in out[entry] if name not in off]
        elif isinstance(out.get(entry), Mapping):
            out[entry] = {name: one for name, one in out[entry].items() if name not in off}
    if isinstance(out.get("effects"), Mapping):
        out["effects"] = {name: _without(one, off) for name, one in out["effects"].items()}
    return _fewer_fields(out, off)


def _fewer_fields(out: dict[str, Any], off: set[Any]) -> dict[str, Any]:
    """Without the fields that refer to what is off, those of lines included."""
    if not isinstance(out.get("fields"), Mapping):
        return out
    fields: dict[str, Any] = {}
    for name, field in out["fields"].items():
        if isinstance(field, Mapping) and field.get("reference") in off:
            continue
        lines = field.get("lines") if isinstance(field, Mapping) else None
        fields[name] = (
            {**field, "lines": _fewer_fields(dict(lines), off)} if isinstance(lines, Mapping) else field
        )
    return {**out, "fields": fields}
