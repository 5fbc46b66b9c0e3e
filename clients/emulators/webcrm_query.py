"""The SQL-like text of `GET /Queries`: SELECT ... FROM one table, WHERE with =, >=, <, AND, OR, ORDER BY.

What the vendor's own client and two others were seen to send; joins are not emulated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from clients.emulators.data import Near
from clients.emulators.description import Refused, Row
from clients.emulators.filtering import near

TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*|\*)|(?P<sign>>=|<=|<>|[=<>(),]))"
)
Test = Callable[[Row], bool]


class Query:
    """One parsed query. `columns` empty: all of them."""

    def __init__(self, script: str) -> None:
        self._compared: list[tuple[str, str, Any]] = []
        self._ors = self._ands = 0
        self._tokens = _tokens(script)
        self._place = 0
        self._expect("SELECT")
        self.columns = self._columns()
        self._expect("FROM")
        self.table = self._next()[1]
        self.test: Test = self._or() if self._skip("WHERE") else lambda row: True
        self.order = self._order() if self._skip("ORDER") else ""
        if self._place < len(self._tokens):
            raise Refused(f"Incorrect syntax near '{self._tokens[self._place][1]}'")

    @property
    def near(self) -> Near | None:
        """Where the rows are that it finds."""
        return near(self._compared, ors=self._ors, ands=self._ands)

    def rows(self, rows: Iterable[Row], key: str, most: int) -> list[Row]:
        """The rows that it finds, in order, at most so many. `key`: by which `rows` are in order."""
        fitting = (row for row in rows if self.test(row))
        if self.order in ("", key):
            found = list(islice(fitting, most))
        else:
            found = list(fitting)
            found.sort(key=lambda row: _comparable(row.get(self.order)))
            del found[most:]
        if not self.columns:
            return found
        return [{name: row[name] for name in self.columns if name in row} for row in found]

    def _columns(self) -> list[str]:
        names = [self._next()[1]]
        while self._skip(","):
            names.append(self._next()[1])
        return [] if "*" in names else names

    def _or(self) -> Test:
        tests = [self._and()]
        while self._skip("OR"):
            self._ors += 1
            tests.append(self._and())
        return lambda row: any(test(row) for test in tests)

    def _and(self) -> Test:
        tests = [self._one()]
        while self._skip("AND"):
            self._ands += 1
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._skip("("):
            inner = self._or()
            self._expect(")")
            return inner
        name = self._next()[1]
        sign = self._next()[1]
        kind, text = self._next()
        value = text[1:-1].replace("''", "'") if kind == "text" else text
        # A text is compared without regard to case, so nobody's list of values helps.
        sign_ = sign if sign in ("=", "<>") else sign.removesuffix("=")
        self._compared.append((name, sign_, Decimal(text)) if kind == "number" else (name, "", None))
        return lambda row: _compare(row.get(name), sign, value)

    def _order(self) -> str:
        self._expect("BY")
        name = self._next()[1]
        self._skip("ASC")
        return name

    def _next(self) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise Refused("Incorrect syntax near the end")
        self._place += 1
        return self._tokens[self._place - 1]

    def _skip(self, word: str) -> bool:
        here = self._place < len(self._tokens) and self._tokens[self._place]
        if here and here[0] != "text" and here[1].upper() == word:
            self._place += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise Refused(f"Incorrect syntax: {word} expected")


def _tokens(script: str) -> list[tuple[str, str]]:
    place, found = 0, list[tuple[str, str]]()
    text = script.strip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise Refused(f"Incorrect syntax near '{text[place : place + 20]}'")
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind)))
        place = match.end()
    return found


def _compare(held: Any, sign: str, given: str) -> bool:
    value = _as_held(held, given)
    if held is None or value is None:
        return sign == "=" and held in (None, "") and given == ""
    if sign == "=":
        return bool(held.casefold() == value.casefold() if isinstance(held, str) else held == value)
    if sign == "<>":
        return bool(held != value)
    return bool({">=": held >= value, "<=": held <= value, ">": held > value, "<": held < value}[sign])


def _as_held(held: Any, given: str) -> Any:
    try:
        if isinstance(held, datetime):
            return datetime.fromisoformat(given)
        if isinstance(held, bool):
            return given in ("1", "true", "True")
        if isinstance(held, int | Decimal):
            return Decimal(given)
    except (ValueError, ArithmeticError) as error:
        raise Refused(f"Conversion failed when converting '{given}'") from error
    return given


def _comparable(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None else (True, value)
