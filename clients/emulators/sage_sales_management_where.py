"""The `where` of Sage Sales Management's lists: a small part of SQL, as its documentation shows it.

`=`, `>`, `<`, `LIKE`, `NOT LIKE` with `%`, `AND`, `OR` (AND binds first), texts in single quotes. Anything else is the
vendor's error 901.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from clients.emulators.data import Near
from clients.emulators.description import Refused

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*)|(?P<op>[=<>]))"
)


class Where:
    """A condition over rows."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._cases = [self._all_of()]
        while self._takes("OR"):
            self._cases.append(self._all_of())
        if self._place < len(self._tokens):
            raise wrong(f"Incorrect syntax near '{self._tokens[self._place][1]}'")

    @property
    def near(self) -> Near | None:
        """Where the rows are that fulfil it: those of a few ids, or below the highest of them that are named."""
        ids, below = list[Any](), list[Any]()
        for case in self._cases:
            named = {op: value for name, op, value in case if name == "id" and op in ("=", "<")}
            if isinstance(one := named.get("="), Decimal):
                ids.append(one)
            elif isinstance(most := named.get("<"), Decimal):
                below.append(most)
            else:
                return None
        if ids and below:
            return None
        return Near("id", values=ids) if ids else Near("id", most=max(below))

    def test(self, row: Mapping[str, Any]) -> bool:
        """Whether a row fulfils it."""
        return any(all(_holds(row, *part) for part in case) for case in self._cases)

    def _all_of(self) -> list[tuple[str, str, Any]]:
        parts = [self._comparison()]
        while self._takes("AND"):
            parts.append(self._comparison())
        return parts

    def _comparison(self) -> tuple[str, str, Any]:
        kind, name = self._next()
        if kind != "word":
            raise wrong(f"Incorrect syntax near '{name}'")
        if self._takes("NOT"):
            if not self._takes("LIKE"):
                raise wrong("Incorrect syntax near 'NOT'")
            return name, "NOT LIKE", self._value()
        if self._takes("LIKE"):
            return name, "LIKE", self._value()
        kind, op = self._next()
        if kind != "op":
            raise wrong(f"Incorrect syntax near '{op}'")
        return name, op, self._value()

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return Decimal(text)
        if kind == "word" and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        raise wrong(f"Invalid column name '{text}'")

    def _next(self) -> tuple[str, str]:
        if self._place == len(self._tokens):
            raise wrong("Incorrect syntax near the end")
        self._place += 1
        return self._tokens[self._place - 1]

    def _takes(self, word: str) -> bool:
        if self._place < len(self._tokens):
            kind, text = self._tokens[self._place]
            if kind == "word" and text.upper() == word:
                self._place += 1
                return True
        return False


def wrong(reason: str) -> Refused:
    """Error 901."""
    return Refused(reason, code="901")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise wrong(f"Incorrect syntax near '{text[place : place + 10]}'")
        assert match.lastgroup is not None
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


def _holds(row: Mapping[str, Any], name: str, op: str, wanted: Any) -> bool:
    if name not in row:
        raise wrong(f"Invalid column name '{name}'")
    held = row[name]
    if held is None:
        return False
    if "LIKE" in op:
        pattern = "".join(".*" if mark == "%" else re.escape(mark) for mark in str(wanted))
        return bool(re.fullmatch(pattern, str(held), re.IGNORECASE | re.DOTALL)) is (op == "LIKE")
    held, wanted = _comparable(held, wanted)
    if op == "=":
        return bool(held == wanted)
    return bool(held > wanted) if op == ">" else bool(held < wanted)


def _comparable(held: Any, wanted: Any) -> tuple[Any, Any]:
    try:
        if isinstance(held, datetime):
            when = datetime.fromisoformat(wanted)
            return held, when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        if isinstance(held, date):
            return held, date.fromisoformat(wanted[:10])
        if isinstance(held, bool) or isinstance(wanted, bool):
            return bool(held), bool(Decimal(wanted)) if isinstance(wanted, str | Decimal) else wanted
        if isinstance(held, int | Decimal):
            return Decimal(held), Decimal(wanted)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise wrong("Conversion failed") from error
    return str(held), str(wanted)
