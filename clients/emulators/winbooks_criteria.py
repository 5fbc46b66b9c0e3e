"""The criteria of WinBooks on Web: which rows an `ExecuteCriteria` finds, in which order, and how ids are ordered there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from clients.emulators.data import Near
from clients.emulators.description import Refused, Row

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DATE: Final = re.compile(r"/Date\((-?\d+)\)/")
EQ, GE, GT, IN, ISNOTNULL, ISNULL, LE, LT, NOT = 0, 3, 5, 7, 8, 10, 14, 17, 21
Look = Callable[[Row, str], Any]  # a row, the name of a property with its alias -> its value


@lru_cache(maxsize=2**17)
def place(guid: str) -> tuple[str, ...]:
    """Where an id stands among others: as SQL Server orders them, by their last group first."""
    first, second, third, fourth, node = guid.lower().split("-")
    turned = ["".join(reversed(re.findall("..", part))) for part in (third, second, first)]
    return (node, fourth, *turned)


def near(criteria: Mapping[str, Any]) -> Near | None:
    """Where the rows are that a body asks for by their ids; None: anywhere."""
    for one in criteria.get("Conditions") or ():
        if one.get("PropertyName") == "Id" and one.get("Operator") in (EQ, IN):
            return Near("Id", values=[str(id_).lower() for id_ in one.get("Values") or ()])
    return None


def chosen(criteria: Mapping[str, Any], rows: Sequence[Row], look: Look) -> list[Row]:
    """The rows that a body of criteria asks for."""
    found = [row for row in rows if all(_holds(one, row, look) for one in criteria.get("Conditions") or ())]
    for order in reversed(criteria.get("Orders") or ()):
        name = str(order["PropertyName"])
        found.sort(key=lambda row: _rank(name, look(row, name)), reverse=not order.get("Ascending", True))
    if "FirstResult" not in criteria:
        return found  # the most is honoured only where it is said with which to begin
    found = found[int(criteria["FirstResult"]) :]
    return found[: int(criteria["MaxResult"])] if criteria.get("MaxResult") else found


def _rank(name: str, value: Any) -> Any:
    if name.rpartition(".")[2] == "Id":
        return place(value)
    return value is not None, value


def _holds(condition: Mapping[str, Any], row: Row, look: Look) -> bool:
    operator, values = condition.get("Operator"), condition.get("Values") or []
    if operator == NOT:
        return not all(_holds(one, row, look) for one in values)
    name = str(condition.get("PropertyName", ""))
    held = look(row, name)
    if operator in (ISNULL, ISNOTNULL):
        return (held is None) is (operator == ISNULL)
    given = [_value(held, one) for one in values]
    if operator in (EQ, IN):
        return held is not None and any(_same(held, one) for one in given)
    if held is None or len(given) != 1:
        return False
    one, other = (place(held), place(given[0])) if name.rpartition(".")[2] == "Id" else (held, given[0])
    tests = {GT: one > other, GE: one >= other, LT: one < other, LE: one <= other}
    if operator not in tests:
        raise Refused(f"The operator {operator} is not known")
    return bool(tests[operator])


def _same(held: Any, given: Any) -> bool:
    """Texts are compared as the database does: in any case."""
    if isinstance(held, str) and isinstance(given, str):
        return held.casefold() == given.casefold()
    return bool(held == given)


def _value(held: Any, given: Any) -> Any:
    if isinstance(given, str) and (found := DATE.fullmatch(given)):
        at = EPOCH + timedelta(milliseconds=int(found.group(1)))
        return at.date() if isinstance(held, date) and not isinstance(held, datetime) else at
    if isinstance(held, datetime) and isinstance(given, str):
        return datetime.fromisoformat(given)
    if isinstance(held, Decimal) and isinstance(given, int):
        return Decimal(given)
    return given
