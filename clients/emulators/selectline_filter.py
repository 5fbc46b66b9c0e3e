"""The filter expressions of the SelectLine API: `(Number GT '100' AND Payment.ListPrice GE 5) ORNOT Name SW 'A'`.

Texts stand in single quotes (two for one within: modelled), flags are 0 and 1, days '20240131', times '20240131 12:00:00'.
Texts are compared as the database does it, whatever their case. Must not: speak HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from clients.emulators.data import Near
from clients.emulators.description import Refused, Table
from clients.emulators.filtering import Filtering, Test, near

TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<word>[\w.]+)|(?P<sign>[()]))"
)
TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "CT": lambda held, given: given in held,
    "SW": lambda held, given: held.startswith(given),
    "EW": lambda held, given: held.endswith(given),
}
ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "GT": lambda held, given: held > given,
    "GE": lambda held, given: held >= given,
    "LT": lambda held, given: held < given,
    "LE": lambda held, given: held <= given,
}


SIGNS: Final = {"EQ": "=", "GT": ">", "GE": ">", "LT": "<", "LE": "<"}


class Filter(Filtering):
    """One parsed expression about rows of a table. `known`: the properties that may be named; `zone`: of times."""

    def __init__(self, text: str, table: Table, known: Callable[[str], str], zone: tzinfo) -> None:
        self._table, self._known, self._zone = table, known, zone
        self._compared: list[tuple[str, str, Any]] = []
        self._plain = True  # nothing but comparisons, all joined by AND or all by OR
        super().__init__(text, TOKEN)

    @property
    def near(self) -> Near | None:
        """Where the rows are that it finds. Figures alone: of letters the case doesn't matter here, but in the index."""
        key, ors, ands = self._table.key, self.ors, self.ands
        asked = [one for one in self._compared if one[0] == key]
        if not self._plain or any(not str(value).isdecimal() for _, _, value in asked):
            return None
        return near(self._compared, ors=ors, ands=ands) if asked else None

    def alternatives(self) -> Test:
        """What is joined by OR and ORNOT, and by AND and ANDNOT before that."""
        tests = [self._both()]
        while (negated := self.skip("ORNOT")) or self.skip("OR"):
            self.ors += 1
            self._plain &= not negated
            tests.append(_turned(self._both(), negated))
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self.one()]
        while (negated := self.skip("ANDNOT")) or self.skip("AND"):
            self.ands += 1
            self._plain &= not negated
            tests.append(_turned(self.one(), negated))
        return lambda row: all(test(row) for test in tests)

    def one(self) -> Test:
        """A comparison, or what stands in brackets."""
        if self.skip("("):
            return self.bracketed()
        kind, name = self.next()
        if kind != "word":
            raise Refused(f"'{name}' is no property", code="72-000")
        field = self._known(name)
        _, operator = self.next()
        if operator == "IS":
            self.need("NULL")
            held = self._table.field(field)
            if held is not None and held.type in ("date", "instant"):
                raise Refused("Fehler beim Konvertieren in ein Datum.", code="05-000")  # since 22.3
            self._plain = False
            return lambda row: row.get(field) is None
        given = self.next()
        value = self._value(field, *given)
        self._plain &= operator in SIGNS
        self._compared.append((field, SIGNS.get(operator, ""), value))
        test = _test(operator.removeprefix("NOT"), field, value)
        return _turned(test, operator.startswith("NOT"))

    def _value(self, field: str, kind: str, text: str) -> Any:
        described = self._table.field(field)
        sort = described.type if described is not None else "text"
        plain = text[1:-1].replace("''", "'") if kind == "text" else text
        try:
            if sort == "boolean":
                return {"0": False, "1": True}[plain]
            if sort in ("integer", "decimal"):
                return Decimal(plain)
            if sort == "date":
                return datetime.strptime(plain[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day
            if sort == "instant":
                form = "%Y%m%d %H:%M:%S" if " " in plain else "%Y%m%d"
                return datetime.strptime(plain, form).replace(tzinfo=self._zone).astimezone(UTC)
        except (KeyError, ValueError, InvalidOperation) as error:
            raise Refused(f"'{plain}' passt nicht zu {field}.", code="72-000") from error
        return plain


def _turned(test: Test, negated: bool) -> Test:
    return (lambda row: not test(row)) if negated else test


def _test(operator: str, field: str, given: Any) -> Test:
    if operator == "EQ":
        return lambda row: _folded(row.get(field)) == _folded(given)
    if operator in TEXTS:
        compare = TEXTS[operator]
        return lambda row: compare(str(_folded(row.get(field) or "")), str(_folded(given)))
    if operator in ORDERS:
        order = ORDERS[operator]
        return lambda row: row.get(field) is not None and order(_folded(row[field]), _folded(given))
    raise Refused(f"'{operator}' ist kein Operator.", code="72-000")


def _folded(value: Any) -> Any:
    """As the database compares: without case."""
    return value.casefold() if isinstance(value, str) else value


def place(value: Any) -> Any:
    """Where a value stands in a sorted list; nothing first, texts without case."""
    return (value is not None, _folded(value) if not isinstance(value, date) else value.isoformat())
