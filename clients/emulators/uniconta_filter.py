"""`$filter` of Uniconta's OData feed: eq, ne, gt, ge, lt, le, and, or, brackets; at most 40 alternatives.

Times are written `datetime'2024-01-31T12:00:00'` (OData 2) or plain (OData 4): which one the vendor takes isn't documented.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from clients.emulators.description import Refused, Row

OR_MAX: Final = 40
TOKEN: Final = re.compile(
    r"\s*(?:(?P<time>datetime'[^']*'|\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>\w+)|(?P<sign>[()]))"
)
Test = Callable[[Row], bool]


class Filter:
    """One parsed `$filter`."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._ors = 0
        self.test: Test = self._or()
        if self._place < len(self._tokens):
            raise Refused(f"Syntax error at '{self._tokens[self._place][1]}' in the filter")
        if self._ors >= OR_MAX:
            raise Refused(f"More than {OR_MAX} alternatives in the filter")

    def _or(self) -> Test:
        tests = [self._and()]
        while self._skip("or"):
            self._ors += 1
            tests.append(self._and())
        return lambda row: any(test(row) for test in tests)

    def _and(self) -> Test:
        tests = [self._one()]
        while self._skip("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._skip("("):
            inner = self._or()
            if not self._skip(")"):
                raise Refused("A bracket is missing in the filter")
            return inner
        (_, name), (_, sign), value = self._next(), self._next(), self._next()
        return lambda row: _compare(row.get(name), sign, value)

    def _next(self) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise Refused("The filter ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def _skip(self, word: str) -> bool:
        if self._place < len(self._tokens) and self._tokens[self._place] in (("word", word), ("sign", word)):
            self._place += 1
            return True
        return False


def _tokens(text: str) -> list[tuple[str, str]]:
    place, found = 0, list[tuple[str, str]]()
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        if match is None:
            raise Refused(f"Syntax error at '{text[place : place + 20]}' in the filter")
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind)))
        place = match.end()
    return found


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
