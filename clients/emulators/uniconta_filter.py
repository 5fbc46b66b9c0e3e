"""`$filter` of Uniconta's OData feed: eq, ne, gt, ge, lt, le, and, or, brackets; at most 40 alternatives.

Times are written `datetime'2024-01-31T12:00:00'` (OData 2) or plain (OData 4): which one the vendor takes isn't documented.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from clients.emulators.data import Near
from clients.emulators.description import Refused
from clients.emulators.filtering import Filtering, Test, near

OR_MAX: Final = 40
SIGNS: Final = {"eq": "=", "gt": ">", "ge": ">", "lt": "<", "le": "<"}
TOKEN: Final = re.compile(
    r"\s*(?:(?P<time>datetime'[^']*'|\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>\w+)|(?P<sign>[()]))"
)


class Filter(Filtering):
    """One parsed `$filter`."""

    def __init__(self, text: str) -> None:
        self._compared: list[tuple[str, str, Any]] = []
        self.names: set[str] = set()
        super().__init__(text, TOKEN)
        if self.ors >= OR_MAX:
            raise Refused(f"More than {OR_MAX} alternatives in the filter")

    def one(self) -> Test:
        """A comparison, or what stands in brackets."""
        if self.skip("("):
            return self.bracketed()
        (_, name), (_, sign), value = self.next(), self.next(), self.next()
        self.names.add(name)
        if value[0] in ("number", "text"):
            self._compared.append((name, SIGNS.get(sign, ""), _value(None, *value)))
        else:
            self._compared.append((name, "", None))
        return lambda row: _compare(row.get(name), sign, value)

    @property
    def near(self) -> Near | None:
        """Where the rows are that it finds."""
        return near(self._compared, ors=self.ors, ands=self.ands)


def _compare(held: Any, sign: str, given: tuple[str, str]) -> bool:
    value = _value(held, *given)
    if sign in ("eq", "ne"):
        return (held == value) is (sign == "eq")
    if held is None or value is None:
        return False
    tests = {"gt": held > value, "ge": held >= value, "lt": held < value, "le": held <= value}
    if sign not in tests:
        raise Refused(f"'{sign}' is not known in a filter")
    return bool(tests[sign])


def _value(held: Any, kind: str, text: str) -> Any:
    if kind == "time":
        plain = text.removeprefix("datetime'").rstrip("'")
        at = datetime.fromisoformat(plain)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.date() if isinstance(held, date) and not isinstance(held, datetime) else at
    if kind == "number":
        return Decimal(text)
    if kind == "text":
        return text[1:-1].replace("''", "'")
    return {"null": None, "true": True, "false": False}.get(text, text)
