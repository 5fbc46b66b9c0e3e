"""How webCRM writes values: times with the server's own offset, the year 0001 for no date, 0 for no number, a placeholder
for nothing chosen. In rows these are all null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from clients.emulators.description import Row, Table
from clients.emulators.webcrm_tables import DROPDOWNS

PLACEHOLDER: Final = "-- vælg --"
NO_DATE: Final = "0001-01-01T01:00:00+01:00"
WINTER: Final = timezone(timedelta(hours=1))
SUMMER: Final = timezone(timedelta(hours=2))


def local(at: datetime) -> datetime:
    """A time in the server's zone (Denmark; the rule of the EU since 1996, taken for all years)."""
    begins, ends = (_last_sunday(at.year, month) for month in (3, 10))
    return at.astimezone(SUMMER if begins <= at < ends else WINTER)


def _last_sunday(year: int, month: int) -> datetime:
    last = date(year, month, 31)
    return datetime(year, month, 31 - (last.weekday() + 1) % 7, 1, tzinfo=UTC)


def shown(table: Table, row: Row) -> dict[str, Any]:
    """A row as an answer holds it."""
    found = {name: _shown(table, name, value) for name, value in row.items()}
    if table.name == "Persons" and "PersonName" in row:
        parts = (row.get(f"Person{part}Name") for part in ("First", "Middle", "Last"))
        found["PersonName"] = " ".join(part for part in parts if part)
    return found


def _shown(table: Table, name: str, value: Any) -> Any:
    field = table.field(name)
    assert field is not None
    if field.type == "instant":
        return NO_DATE if value is None else local(value).replace(microsecond=0).isoformat()
    if value is None and field.type in ("integer", "double"):
        return 0
    if value is None and field.type == "boolean":
        return False
    if value in (None, "") and name in DROPDOWNS:
        return PLACEHOLDER
    return value


def taken(table: Table, body: Mapping[str, Any]) -> Row:
    """A body as a row holds it: nothing of what only the system writes, and null for the ways of saying nothing."""
    row: Row = {}
    for name, value in body.items():
        field = table.field(name)
        if field is None or not field.writable:
            continue
        if field.type == "instant" and isinstance(value, str) and (not value or value.startswith("0001-")):
            row[name] = None
        elif field.type == "instant" and isinstance(value, str):
            row[name] = _instant(value)
        else:
            row[name] = None if name in DROPDOWNS and value == PLACEHOLDER else value
    return row


def _instant(text: str) -> Any:
    """A time; without an offset it is the server's own."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is not None:
        return at
    return at.replace(tzinfo=local(at.replace(tzinfo=WINTER)).tzinfo)
