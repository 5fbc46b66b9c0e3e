"""What a cell means: text to canonical values and back, as the settings of its object say.

Pure. A cell that does not fit its type is delivered as the text it is, so that the one record is parked with words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from actors.core.values import Line, Scalar, Value, canonical, same

TYPES: Final = ("text", "decimal", "integer", "boolean", "date", "instant", "list")


class BadCell(ValueError):
    """A value that the column cannot hold; the text says why."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """How the cells of one object are read and written.

    `true_words` and `false_words` are pairs by place; the first pair is written where the cell held no other. `empty`:
    what an empty text cell means, "null" or "text". Formats as in `strptime`; no instant format: ISO 8601.
    """

    types: Mapping[str, str]
    decimal: str = ","
    date_format: str = "%Y-%m-%d"
    instant_format: str = ""
    true_words: tuple[str, ...] = ("true", "1")
    false_words: tuple[str, ...] = ("false", "0")
    empty: str = "null"
    list_separator: str = "|"

    def type_of(self, field: str) -> str:
        """The type of a column; text where nothing is said."""
        return self.types.get(field, "text")


def read_cell(text: str, field: str, meaning: Meaning) -> Value:
    """The value of a cell."""
    kind = meaning.type_of(field)
    if text == "" and (kind != "text" or meaning.empty == "null"):
        return None
    if kind == "text":
        return canonical(text)
    try:
        return canonical(_READERS[kind](text.strip(), meaning))
    except ValueError:
        return canonical(text)


def write_cell(value: Value, field: str, old: str, meaning: Meaning) -> str:
    """The text of a cell that shows `value`, in the style of the `old` text; raises `BadCell`."""
    if same(read_cell(old, field, meaning), value):
        return old
    if value is None:
        return ""
    kind = meaning.type_of(field)
    text = _WRITERS[kind](value, old, meaning)
    shown = read_cell(text, field, meaning)
    if not same(shown, value) and not (kind == "text" and value == ""):
        raise BadCell(f"the value cannot be told apart from another one when written as {kind} '{text[:80]}'")
    return text


def _read_decimal(text: str, meaning: Meaning) -> Decimal:
    mark, group = re.escape(meaning.decimal), re.escape("." if meaning.decimal == "," else ",")
    # Grouping only beside a decimal mark: "1.234" alone may be either.
    if not re.fullmatch(
        rf"[+-]?(\d+({mark}\d*)?|{mark}\d+|\d{{1,3}}({group}\d{{3}})+{mark}\d+)", text, re.ASCII
    ):
        raise ValueError(text)
    bare = text.replace("." if meaning.decimal == "," else ",", "")
    return Decimal(bare.replace(meaning.decimal, "."))


def _read_integer(text: str, meaning: Meaning) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def _read_boolean(text: str, meaning: Meaning) -> bool:
    word = text.casefold()
    if word in _folded(meaning.true_words):
        return True
    if word in _folded(meaning.false_words):
        return False
    raise ValueError(text)


def _read_date(text: str, meaning: Meaning) -> date:
    return datetime.strptime(text, meaning.date_format).date()  # noqa: DTZ007 - a day has no zone


def _read_instant(text: str, meaning: Meaning) -> datetime:
    if meaning.instant_format:
        return datetime.strptime(text, meaning.instant_format)  # noqa: DTZ007 - the zone is the file's affair
    return datetime.fromisoformat(text)


def _read_list(text: str, meaning: Meaning) -> tuple[str, ...]:
    return tuple(text.split(meaning.list_separator))


def _write_text(value: Value, old: str, meaning: Meaning) -> str:
    if not isinstance(value, str):
        raise BadCell(f"{value!r} is no text")
    return value


def _write_decimal(value: Value, old: str, meaning: Meaning) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadCell(f"{value!r} is no number")
    whole, _, places = format(Decimal(value), "f").partition(".")
    places = places.ljust(len(old.partition(meaning.decimal)[2]), "0")
    return f"{whole}{meaning.decimal}{places}" if places else whole


def _write_integer(value: Value, old: str, meaning: Meaning) -> str:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadCell(f"{value!r} is no whole number")
    return str(value)


def _write_boolean(value: Value, old: str, meaning: Meaning) -> str:
    if not isinstance(value, bool):
        raise BadCell(f"{value!r} is neither true nor false")
    words, others = meaning.true_words, meaning.false_words
    if not value:
        words, others = others, words
    known = _folded(others)
    place = known.index(old.strip().casefold()) if old.strip().casefold() in known else 0
    return words[place] if place < len(words) else words[0]


def _write_date(value: Value, old: str, meaning: Meaning) -> str:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise BadCell(f"{value!r} is no date")
    return value.strftime(meaning.date_format)


def _write_instant(value: Value, old: str, meaning: Meaning) -> str:
    if not isinstance(value, datetime):
        raise BadCell(f"{value!r} is no instant")
    return value.strftime(meaning.instant_format) if meaning.instant_format else value.isoformat()


def _write_list(value: Value, old: str, meaning: Meaning) -> str:
    if not isinstance(value, tuple):
        raise BadCell(f"{value!r} is no list")
    return meaning.list_separator.join(_item(item, meaning) for item in value)


def _item(item: Scalar | Line, meaning: Meaning) -> str:
    if not isinstance(item, str) or meaning.list_separator in item:
        raise BadCell(f"{item!r} cannot be an item of a list with the separator '{meaning.list_separator}'")
    return item


def _folded(words: tuple[str, ...]) -> list[str]:
    return [word.casefold() for word in words]


_READERS: Final[Mapping[str, Callable[[str, Meaning], object]]] = {
    "decimal": _read_decimal,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "date": _read_date,
    "instant": _read_instant,
    "list": _read_list,
}
_WRITERS: Final[Mapping[str, Callable[[Value, str, Meaning], str]]] = {
    "text": _write_text,
    "decimal": _write_decimal,
    "integer": _write_integer,
    "boolean": _write_boolean,
    "date": _write_date,
    "instant": _write_instant,
    "list": _write_list,
}
