"""The JSON schema of blueprints, made from the tables that the loader uses (entries.py), so that editors complete
and check the YAML while it is written.

It says what may stand where. What entries owe each other (a `mark` for `deletes: mark`, fields that `match` names) is the
loader's alone: `tandemctl blueprints check` asks it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.core.blueprint.entries import LINK
from actors.core.blueprint.entries_rules import REFERENCE
from actors.core.blueprint.forms import (
    Anything,
    Duration,
    Either,
    Empty,
    Entries,
    Entry,
    Exactly,
    Flag,
    Form,
    Listing,
    Named,
    Number,
    Scalar,
    Shared,
    Sign,
    Text,
    Whole,
    Words,
    required,
)

Schema = dict[str, Any]
_DURATION: Final = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$"
# A null entry counts as absent, as it does for the loader.
_NULL: Final[Schema] = {"type": "null"}


def schema() -> Schema:
    """The schema of a whole blueprint, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tandem blueprint",
        "description": "The rules of one kind of link. Made from the loader's tables: make docs.",
        **table_schema(LINK),
    }


def table_schema(entries: Sequence[Entry], *, asks_settings: bool = True) -> Schema:
    """The schema of a mapping with the entries of one table. `asks_settings`: each may be what a setting says."""
    writer = _Writer(asks_settings)
    whole = writer.entries(entries)
    return {**whole, "$defs": dict(sorted(writer.shared.items()))}


class _Writer:
    """Forms to schemas; what several entries share is kept in `shared`."""

    def __init__(self, asks_settings: bool) -> None:
        self._asks_settings = asks_settings
        self.shared: dict[str, Schema] = {}

    def form(self, form: Form) -> Schema:
        match form:
            case Shared(name=name, of=of):
                if name not in self.shared:
                    self.shared[name] = self.form(of)
                return {"$ref": f"#/$defs/{name}"}
            case Entries(of=entries):
                return self.entries(entries)
            case Named(of=of, pattern=pattern, least=least):
                return self._named(of, pattern, least)
            case Listing(of=of, least=least):
                return {"type": "array", "items": self.form(of), **({"minItems": least} if least else {})}
            case Either(of=of):
                return _either([self.form(one) for one in of])
            case _:
                return _single(form)

    def entries(self, entries: Sequence[Entry]) -> Schema:
        found: Schema = {
            "type": "object",
            "properties": {entry.name: self._entry(entry) for entry in entries},
            "additionalProperties": False,
        }
        needed = required(entries)
        return {**found, "required": list(needed)} if needed else found

    def _entry(self, entry: Entry) -> Schema:
        found = self.form(entry.form)
        if self._asks_settings and entry.form is not REFERENCE and entry.name != "setting":
            found = _either([found, self.form(REFERENCE)])
        if not entry.required:
            found = _either([found, _NULL])
        said = entry.doc + (f" Where nothing is said: {entry.absent}." if entry.absent else "")
        notes: Schema = {"description": said[:1].upper() + said[1:]} if said else {}
        return {**notes, **found}

    def _named(self, of: Form, pattern: str, least: int) -> Schema:
        found: Schema = {"type": "object", "additionalProperties": self.form(of)}
        if pattern:
            found["propertyNames"] = {"pattern": f"^({pattern})$"}
        return {**found, "minProperties": least} if least else found


def _single(form: Form) -> Schema:
    match form:
        case Text(pattern=pattern):
            return {"type": "string", "pattern": f"^({pattern})$" if pattern else r"\S"}
        case Sign():
            return {"type": "string", "minLength": 1}
        case Words(words=words):
            return _words(words)
        case Exactly(value=value):
            return {"const": value}
        case Empty():
            return _NULL
        case Flag():
            return {"type": "boolean"}
        case Whole(lowest=lowest, highest=highest):
            return {"type": "integer", "minimum": lowest, "maximum": highest}
        case Number(lowest=lowest, highest=highest):
            return {"type": "number", "minimum": lowest, "maximum": highest}
        case Duration():
            return {"type": "string", "pattern": _DURATION}
        case Scalar():
            return {"type": ["string", "number", "boolean", "null"]}
        case Anything():
            return {}
    raise TypeError(f"no schema for {form!r}")


def _words(words: Sequence[str]) -> Schema:
    """The words, and those of several parts with blanks or hyphens between them too."""
    plain: Schema = {"enum": list(words)}
    spaced = [re.sub("_", r"[\\s_-]+", word) for word in words if "_" in word]
    return _either([plain, {"type": "string", "pattern": f"^({'|'.join(spaced)})$"}]) if spaced else plain


def _either(schemas: Sequence[Schema]) -> Schema:
    flat = [part for one in schemas for part in (one["anyOf"] if set(one) == {"anyOf"} else [one])]
    consts = [part["const"] for part in flat if set(part) == {"const"}]
    rest = [part for part in flat if set(part) != {"const"}]
    parts = [*([{"enum": consts}] if consts else []), *rest]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def plain(value: object) -> object:
    """A blueprint's data as JSON would hold it: names are texts."""
    if isinstance(value, Mapping):
        return {_name(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def _name(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) or key is None else str(key)
