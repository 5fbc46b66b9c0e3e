"""Formulas: a small part of CEL (Common Expression Language), for gates, constants and fields that go one way only.

    kind == 'stock' ? text(stock) : '-'            net * (100 + rate) / 100
    status in ['Kunde', 'VIP'] && !(blocked)       size(name) > 0 ? name : default(short, '?')

Names are the native paths; one that is no plain word stands in back quotes: `address.street`. Numbers are exact decimals,
texts stand in single or double quotes. There are no loops, no calls of one's own and nothing outside is reached, so a
formula ends, whatever it says; its length, depth and results are bounded. Compiled once, to nested functions: nothing is
ever handed to `eval`. A formula that can't be answered (a text where a number is needed, a division by zero) is a
`FormulaError` at that record.

Pure. Must not: guess a type, or turn one into another without being asked (`text`, `number`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from functools import lru_cache
from typing import Any, Final

from actors.core.values import Value, canonical, same

LENGTH_MAX: Final = 1000  # characters of a formula
DEPTH_MAX: Final = 30
OPERATORS_MAX: Final = 100
RESULT_MAX: Final = 10_000  # characters of a text, items of a list
PLACES_MAX: Final = 20

Row = Sequence[Value]
Part = Callable[[Row], Any]
Formula = Callable[[Row], Value]

# 34 digits are those of decimal128; a quotient that never ends is cut there, and `round` is what makes it money.
_NUMBERS: Final = Context(prec=34, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|`(?P<path>[^`]+)`"
    r"|'(?P<single>(?:[^'\\]|\\.)*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\""
    r"|(?P<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:()\[\],.]))",
    re.ASCII,
)
_ESCAPES: Final = {"n": "\n", "t": "\t"}
_WORDS: Final[Mapping[str, object]] = {"true": True, "false": False, "null": None}


class FormulaError(ValueError):
    """A formula that can't be read, or that has no answer for a record; the text says why."""


@lru_cache(maxsize=1000)
def compiled(text: str, names: tuple[str, ...]) -> Formula:
    """The formula as a function of the values of `names`, in that order.

    Raises `FormulaError` where it can't be read or uses a name that is not among them.
    """
    if len(text) > LENGTH_MAX:
        raise FormulaError(f"a formula has at most {LENGTH_MAX} characters, this one has {len(text)}")
    reading = _Reading(text, names)
    part = reading.choice(0)
    if reading.sign != "":
        raise FormulaError(f"nothing is expected where {reading.sign!r} stands")

    def formula(row: Row) -> Value:
        try:
            return canonical(_bounded(part(row)))
        except (DecimalException, ValueError) as error:
            if isinstance(error, FormulaError):
                raise
            raise FormulaError("it divides by zero, or its numbers grow beyond all bounds") from error

    return formula


class _Reading:
    """One walk over the text, by descent: each method reads what binds tighter than the one before it."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self._tokens = [*_tokens(text), ("sign", "")]
        self._at = 0
        self._operators = 0
        self._places = {name: place for place, name in enumerate(names)}

    @property
    def sign(self) -> str:
        """The sign that is next; "" at the end, the word itself where something else is."""
        kind, text = self._tokens[self._at]
        return text if kind == "sign" else f" {text}"

    def choice(self, depth: int) -> Part:
        """x ? y : z"""
        if depth > DEPTH_MAX:
            raise FormulaError(f"a formula is nested at most {DEPTH_MAX} deep")
        asked = self._binary(0, depth)
        if not self._took("?"):
            return asked
        then = self.choice(depth + 1)
        self._need(":")
        other = self.choice(depth + 1)
        return lambda row: then(row) if _truth(asked(row)) else other(row)

    def _binary(self, level: int, depth: int) -> Part:
        if level == len(_LEVELS):
            return self._unary(depth)
        left = self._binary(level + 1, depth)
        while (found := self._operator(_LEVELS[level])) is not None:
            left = found(left, self._binary(level + 1, depth))
        return left

    def _operator(
        self, known: Mapping[str, Callable[[Part, Part], Part]]
    ) -> Callable[[Part, Part], Part] | None:
        kind, text = self._tokens[self._at]
        if kind in ("sign", "name") and text in known:
            self._at += 1
            self._operators += 1
            if self._operators > OPERATORS_MAX:
                raise FormulaError(f"a formula has at most {OPERATORS_MAX} operators")
            return known[text]
        return None

    def _unary(self, depth: int) -> Part:
        if depth > DEPTH_MAX:
            raise FormulaError(f"a formula is nested at most {DEPTH_MAX} deep")
        if self._took("!"):
            part = self._unary(depth + 1)
            return lambda row: not _truth(part(row))
        if self._took("-"):
            part = self._unary(depth + 1)
            return lambda row: _NUMBERS.minus(_number(part(row)))
        return self._called(self._single(depth), depth)

    def _called(self, part: Part, depth: int) -> Part:
        while self._took("."):
            kind, name = self._take()
            if kind != "name" or name not in _METHODS:
                raise FormulaError(f"there is no .{name}(); known are {', '.join(_METHODS)}")
            part = self._call(_METHODS[name], name, depth, part)
        return part

    def _single(self, depth: int) -> Part:
        kind, text = self._take()
        if kind == "number":
            number = Decimal(text)
            return lambda row: number
        if kind == "text":
            return lambda row: text
        if kind == "path":
            return self._value(text)
        if kind == "name" and text in _WORDS:
            word = _WORDS[text]
            return lambda row: word
        if kind == "name" and self.sign == "(":
            if text not in _FUNCTIONS:
                raise FormulaError(f"there is no {text}(); known are {', '.join(_FUNCTIONS)}")
            return self._call(_FUNCTIONS[text], text, depth)
        if kind == "name":
            return self._value(text)
        if text == "(":
            part = self.choice(depth + 1)
            self._need(")")
            return part
        if text == "[":
            items = self._parts("]", depth)
            return lambda row: tuple(item(row) for item in items)
        raise FormulaError(f"a value is expected where {text!r} stands" if text else "it ends in the middle")

    def _value(self, name: str) -> Part:
        if name not in self._places:
            raise FormulaError(
                f"it names {name}, which is not among {', '.join(self._places) or 'any paths'}"
            )
        place = self._places[name]
        return lambda row: row[place]

    def _call(self, function: Callable[..., Any], name: str, depth: int, *first: Part) -> Part:
        self._need("(")
        parts = [*first, *self._parts(")", depth)]
        least, most = _COUNTS[name]
        if not least <= len(parts) - len(first) <= most:
            raise FormulaError(f"{name}() takes {least if least == most else f'{least} to {most}'} values")
        return lambda row: _bounded(function(*[part(row) for part in parts]))

    def _parts(self, end: str, depth: int) -> list[Part]:
        parts: list[Part] = []
        while not self._took(end):
            if parts:
                self._need(",")
            parts.append(self.choice(depth + 1))
        return parts

    def _take(self) -> tuple[str, str]:
        found = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return found

    def _took(self, sign: str) -> bool:
        if self._tokens[self._at] != ("sign", sign):
            return False
        self._at += 1
        return True

    def _need(self, sign: str) -> None:
        if not self._took(sign):
            raise FormulaError(f"{sign!r} is missing")


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise FormulaError(f"{text[at : at + 20].strip()!r} can't be read")
        kind = str(match.lastgroup)
        value = match[kind]
        if kind in ("single", "double"):
            kind, value = "text", re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), value)
        found.append((kind, value))
        at = match.end()
    return found


# ---------------------------------------------------------------------------------------------------- operators


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise FormulaError(f"{_said(value)} is not true or false")


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise FormulaError(f"{_said(value)} is not a number")
    return Decimal(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise FormulaError(f"{_said(value)} is not a text")


def _said(value: Any) -> str:
    return "nothing" if value is None else f'"{str(value)[:60]}"'


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return _bounded(left + right)
    return _NUMBERS.add(_number(left), _number(right))


def _in(left: Any, right: Any) -> bool:
    if isinstance(right, str):
        return _text(left) in right
    if isinstance(right, tuple):
        return any(same(left, item) for item in right)
    raise FormulaError(f"{_said(right)} is not a list")


def _compared(left: Any, right: Any) -> int:
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    dates = isinstance(left, date) and isinstance(right, date)
    if dates and isinstance(left, datetime) is isinstance(right, datetime):
        try:
            return int(left > right) - int(left < right)
        except TypeError as error:
            raise FormulaError("a time with a zone can't be compared with one without") from error
    first, second = _number(left), _number(right)
    return (first > second) - (first < second)


def _over(operation: Callable[[Any, Any], Any]) -> Callable[[Part, Part], Part]:
    """Both sides, then the operation."""

    def made(left: Part, right: Part) -> Part:
        return lambda row: operation(left(row), right(row))

    return made


def _numeric(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Part, Part], Part]:
    return _over(lambda left, right: operation(_number(left), _number(right)))


_LEVELS: Final[tuple[Mapping[str, Callable[[Part, Part], Part]], ...]] = (
    {"||": lambda left, right: lambda row: _truth(left(row)) or _truth(right(row))},
    {"&&": lambda left, right: lambda row: _truth(left(row)) and _truth(right(row))},
    {
        "==": _over(same),
        "!=": _over(lambda left, right: not same(left, right)),
        "<": _over(lambda left, right: _compared(left, right) < 0),
        "<=": _over(lambda left, right: _compared(left, right) <= 0),
        ">": _over(lambda left, right: _compared(left, right) > 0),
        ">=": _over(lambda left, right: _compared(left, right) >= 0),
        "in": _over(_in),
    },
    {"+": _over(_plus), "-": _numeric(_NUMBERS.subtract)},
    {"*": _numeric(_NUMBERS.multiply), "/": _numeric(_NUMBERS.divide), "%": _numeric(_NUMBERS.remainder)},
)


# ---------------------------------------------------------------------------------------------------- functions


def _size(value: Any) -> Decimal:
    if isinstance(value, str | tuple):
        return Decimal(len(value))
    raise FormulaError(f"{_said(value)} has no size")


def _round(value: Any, places: Any = 0) -> Decimal:
    count = _number(places)
    if count != count.to_integral_value() or not 0 <= count <= PLACES_MAX:
        raise FormulaError(f"a number is rounded to 0 to {PLACES_MAX} places")
    return _NUMBERS.quantize(_number(value), Decimal(1).scaleb(-int(count)))


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return format(canonical(Decimal(value)), "f")
    if isinstance(value, date):
        return value.isoformat()
    return _text(value)


def _as_number(value: Any) -> Decimal:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,30}(\.\d{1,30})?\s*", value, re.ASCII):
        return Decimal(value.strip())
    return _number(value)


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "size": _size,
    "round": _round,
    "text": _as_text,
    "number": _as_number,
    "default": lambda value, instead: instead if value is None else value,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "trim": lambda value: _text(value).strip(),
}
_METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    "startsWith": lambda value, start: _text(value).startswith(_text(start)),
    "endsWith": lambda value, end: _text(value).endswith(_text(end)),
    "contains": lambda value, part: _text(part) in _text(value),
}
# How many values each takes (a method: beside the one it stands behind).
_COUNTS: Final[Mapping[str, tuple[int, int]]] = {
    **dict.fromkeys((*_FUNCTIONS, *_METHODS), (1, 1)),
    "round": (1, 2),
    "default": (2, 2),
}


def _bounded(value: Any) -> Any:
    if isinstance(value, str | tuple) and len(value) > RESULT_MAX:
        raise FormulaError(f"its result is longer than {RESULT_MAX}")
    return value
