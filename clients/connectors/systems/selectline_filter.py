"""Filter expressions of the SelectLine API. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

TEXT_MAX: Final = (
    1400  # characters of an encoded expression: IIS takes a query of 2,048 unless told otherwise
)
_HOUR: Final = timedelta(hours=1)


def literal(value: Any) -> str:
    """A value in an expression: texts in single quotes, flags as 0 and 1, days without marks."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"'{value:%Y%m%d}'"
    return "'" + str(value).replace("'", "''") + "'"


def local_time(at: datetime, zone: str) -> str:
    """A time as the server's clock on the wall shows it; in the hour that autumn has twice the first one, so that nothing
    that came later stands before it."""
    place = ZoneInfo(zone)
    shown = at.astimezone(place).replace(tzinfo=None)
    later = (at + _HOUR).astimezone(place).replace(tzinfo=None) - _HOUR
    return f"'{min(shown, later):%Y%m%d %H:%M:%S}'"


def joined(word: str, parts: Iterable[str]) -> str:
    """Conditions joined by AND or OR."""
    return f" {word} ".join(f"({part})" for part in parts if part)


def chunks(conditions: Iterable[str]) -> list[str]:
    """Conditions joined by OR, in as many expressions as it takes to keep each short enough."""
    found: list[list[str]] = []
    size = TEXT_MAX
    for one in conditions:
        length = len(quote(f"({one}) OR "))
        if size + length > TEXT_MAX:
            found.append([])
            size = 0
        found[-1].append(one)
        size += length
    return [joined("OR", some) for some in found]
