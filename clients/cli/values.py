"""Texts of the command line -> protobuf JSON: one click type per kind of value.

Owns: how durations, times, maps, settings, `@file` and `-` are written. Must not: know fields or messages.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import click

# The types say what a click type converts to; ours convert to protobuf JSON.
Kind: TypeAlias = click.ParamType[Any]
_UNITS_S = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_EXACT_IN_DOUBLE = 2**53


class Text(Kind):
    """Text; `@file` reads it from a file, `-` from standard input, `@@x` is the text `@x`."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._decoded(read(value, lambda message: self.fail(message, param, ctx)), param, ctx)

    def _decoded(self, content: bytes, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            self.fail(f"not UTF-8 text at byte {error.start}", param, ctx)


class FileText(Text):
    """The text of a file, `-` for standard input; `@file` is understood too."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        named = value if value == "-" or value.startswith("@") else f"@{value}"
        content = read(named, lambda message: self.fail(message, param, ctx), hint="")
        return self._decoded(content, param, ctx)


class Bytes(Kind):
    """Bytes, given like Text."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return base64.b64encode(read(value, lambda message: self.fail(message, param, ctx))).decode()


class Choice(click.Choice[str]):
    """One of an enum's short names; becomes the name in the proto."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        super().__init__(list(choices), case_sensitive=False)
        self._names = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._names[super().convert(value, param, ctx)]


class Duration(Kind):
    """30s, 5m, 1h30m, 250ms, 2d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not _DURATION.fullmatch(value):
            self.fail(
                f"{value!r} is not a duration; write it with its unit, like 30s, 5m or 1h30m", param, ctx
            )
        return f"{seconds(value):f}s"


def seconds(duration: str) -> Decimal:
    """Seconds of a text that Duration accepts."""
    parts = (Decimal(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(duration))
    return sum(parts, Decimal(0))


class Timestamp(Kind):
    """ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write it like 2026-05-04T12:30:00Z", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Value(Kind):
    """A JSON value where it reads as one, else text; `@file` and `-` as in Text."""

    name = "value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value.startswith("@") or value == "-":
            return Text().convert(value, param, ctx)
        return scalar(value)


class Document(Kind):
    """A whole message as JSON or YAML text, usually `@file`."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return document(read(value, lambda message: self.fail(message, param, ctx)), self, param, ctx)


class Settings(Kind):
    """key=value, dots lead into nested objects; `@file` (YAML or JSON) gives many at once. Becomes a nested dict."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value.startswith("@") or value == "-":
            content = read(value, lambda message: self.fail(message, param, ctx))
            return document(content, self, param, ctx)
        key, separator, text = value.partition("=")
        if not (separator and all(key.split("."))):
            self.fail(f"{value!r} is neither key=value nor @file", param, ctx)
        # A value of its own may be a file too: --settings private_key=@key.pem
        found = Value().convert(text, param, ctx)
        if isinstance(found, str) and text.startswith("@") and not text.startswith("@@"):
            found = _without_line_end(found)
        for name in reversed(key.split(".")):
            found = {name: found}
        return found


def _without_line_end(text: str) -> str:
    """What a file of one line says: editors and shells end it, and no password or token is meant to end so."""
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line


class Entry(Kind):
    """KEY=VALUE of a map with typed keys and values. Becomes a dict of one."""

    name = "key=value"

    def __init__(self, keys: Kind, values: Kind) -> None:
        self._keys = keys
        self._values = values

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        key, separator, text = value.partition("=")
        if not separator:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return {self._keys.convert(key, param, ctx): self._values.convert(text, param, ctx)}


def read(
    value: str,
    fail: Callable[[str], NoReturn],
    hint: str = "; write @@ for text that starts with @",
) -> bytes:
    """The bytes meant by `value`: a file (`@path`), standard input (`-`), or the text itself."""
    if value == "-":
        return sys.stdin.buffer.read()
    if not value.startswith("@"):
        return value.encode()
    if value.startswith("@@"):
        return value[1:].encode()
    try:
        return Path(value[1:]).read_bytes()
    except OSError as error:
        fail(f"can't read {value[1:]}: {error.strerror}{hint}")


def document(
    content: bytes, kind: Kind, param: click.Parameter | None, ctx: click.Context | None
) -> dict[str, Any]:
    """A YAML or JSON object as JSON values; dates become text."""
    import yaml

    try:
        found = yaml.safe_load(content)
    except yaml.YAMLError as error:
        kind.fail(f"neither YAML nor JSON: {' '.join(str(error).split())}", param, ctx)
    if not isinstance(found, dict):
        kind.fail("must hold an object: keys with values", param, ctx)
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def scalar(text: str) -> Any:
    """JSON where it is JSON, else the text as it stands.

    A number counts as one only where nothing of it would be lost as a double: 0123, 1.10 and long account numbers stay text.
    """
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if isinstance(found, bool) or not isinstance(found, int | float):
        return found
    exact = json.dumps(found) == text and abs(found) <= _EXACT_IN_DOUBLE
    return found if exact else text


def merge(documents: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Nested dicts into one; what comes later wins."""
    merged: dict[str, Any] = {}
    for part in documents:
        for key, value in part.items():
            old = merged.get(key)
            if isinstance(old, dict) and isinstance(value, dict):
                merged[key] = merge((old, value))
            else:
                merged[key] = value
    return merged
