"""Canonical values as texts, by the kind of their field, and records as lines of texts. Pure.

A line is the text form that COPY speaks: values separated by TAB, `\\N` for null, a backslash before what would be
mistaken. Many records cross as one block of lines where a system can give and take them so (`actors.ports.Rows`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from actors.core.values import BadValue, Value, canonical

NULL: Final = "\\N"


def _instant(text: str) -> Value:
    return canonical(datetime.fromisoformat(text))


def _decimal(text: str) -> Value:
    return canonical(Decimal(text))


def _boolean(text: str) -> Value:
    return text in {"true", "t"}


def _bytes(text: str) -> Value:
    return bytes.fromhex(text.removeprefix("\\x"))


# What a field of each kind (`actors.ports.FieldInfo.type`) makes of a text that is none of its own is up to `read`.
_READERS: Final[Mapping[str, Callable[[str], Value]]] = {
    "boolean": _boolean,
    "integer": int,
    "decimal": _decimal,
    "float": _decimal,
    "date": date.fromisoformat,
    "instant": _instant,
    "bytes": _bytes,
}


def reader(kind: str) -> Callable[[str | None], Value]:
    """The function from a text to the canonical value of a field of that kind; None is null. What has no such form
    (NaN, infinity, years before 1) stays the system's own text."""
    read = _READERS.get(kind)
    if read is None:
        return _own_text

    def value(text: str | None) -> Value:
        if text is None:
            return None
        try:
            return read(text)
        except (ValueError, OverflowError, InvalidOperation):
            return canonical(text)

    return value


def text_of(value: Value) -> str | None:
    """The text that a field of the value's kind reads as `value`; raises BadValue for a list."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        raise BadValue("a list has no text of its own")
    return str(value)


def _own_text(text: str | None) -> Value:
    # Most texts are canonical as they come, and there are many of them.
    if text is None or (text.isascii() and "\r" not in text and "\x00" not in text):
        return text
    return canonical(text)


_ESCAPES: Final = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
_MEANINGS: Final = {letter: char for char, letter in _ESCAPES.items()}
TO_ESCAPE: Final = re.compile(r"[\b\f\n\r\t\v\\]")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def escaped(text: str) -> str:
    """One text as it stands in a line."""
    return TO_ESCAPE.sub(lambda found: "\\" + _ESCAPES.get(found[0], found[0]), text)


def line_of(texts: Iterable[str | None]) -> str:
    """Texts as one line, without its end."""
    return "\t".join(NULL if text is None else escaped(text) for text in texts)


def texts_of(line: str) -> list[str | None]:
    """The inverse of `line_of`."""
    return [None if text == NULL else _meant(text) for text in line.split("\t")]


def ids_of(lines: Sequence[str], block: str) -> list[str]:
    """The first text of each line. `block`: the lines as one."""
    ids = [line.partition("\t")[0] for line in lines]
    if "\\" in block:
        ids = [texts_of(id_)[0] or "" if "\\" in id_ else id_ for id_ in ids]
    return ids


def _meant(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: _MEANINGS.get(found[1], found[1]), text)
