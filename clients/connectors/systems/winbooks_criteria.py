"""Criteria of WinBooks on Web, and answers that come in chunks, put together again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from clients.connectors.http.values import EPOCH
from clients.connectors.systems.winbooks_objects import CODE, KEY, THIRD

EQ, GE, GT, IN, ISNULL, EQPROPERTY = 0, 3, 5, 7, 10, 1
_JOINED: Final = "third"


def where(operator: int, name: str, *values: Any, kind: str = "") -> dict[str, Any]:
    """One condition. `kind`: the .NET type of the values, where JSON doesn't say it."""
    types = {"ValueTypes": [kind] * len(values)} if kind else {}
    return {"Operator": operator, "PropertyName": name, "Values": list(values), **types}


def above(id_: str) -> list[dict[str, Any]]:
    """The condition that ids are behind this one in the system's own order; none for ""."""
    return [where(GT, KEY, id_, kind="System.Guid")] if id_ else []


def of_third(field: str) -> str:
    """How criteria call a field: those of the third party by the alias of its join."""
    head, dot, tail = field.partition(".")
    return f"{_JOINED}.{tail}" if dot and head == THIRD else field


def criteria(type_: str, conditions: Sequence[dict[str, Any]], most: int) -> dict[str, Any]:
    """A body: so many at most, by id. `MaxResult` counts only beside `FirstResult`."""
    body: dict[str, Any] = {
        "EntityType": type_,
        "Alias": "this",
        "Conditions": list(conditions),
        "Orders": [{"PropertyName": KEY, "Ascending": True}],
        "FirstResult": 0,
        "MaxResult": most,
    }
    if any(str(one["PropertyName"]).startswith(f"{_JOINED}.") for one in conditions):
        body["Association"] = [
            {
                "AliasName": _JOINED,
                "Type": "Winbooks.TORM.OM.Third, Winbooks.TORM.OM",
                "JoinType": EQPROPERTY,
                "LeftProperty": f"{THIRD}_Id",
                "RightProperty": KEY,
                "OwnerAlias": "this",
            }
        ]
    return body


def literal(at: datetime, style: str) -> str:
    """A time in criteria."""
    if style == "iso":
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"/Date({int((at - EPOCH).total_seconds() * 1000)})/"


def day(at: date, style: str) -> str:
    """A day in criteria."""
    return literal(datetime(at.year, at.month, at.day, tzinfo=UTC), style)


def joined(held: list[Any], more: Sequence[Any]) -> list[Any]:
    """The rows of one more chunk behind those held: the last object may go on as the first one of it."""
    rest = list(more)
    if held and rest and _same(held[-1], rest[0]):
        held = [*held[:-1], merged(held[-1], rest.pop(0))]
    return [*held, *rest]


def merged(held: Any, more: Any) -> Any:
    """One object of two pieces: lists go on, objects are completed, and what only one of them says is taken."""
    if isinstance(held, dict) and isinstance(more, dict):
        both = {name: merged(held[name], more[name]) for name in held.keys() & more.keys()}
        return {**held, **more, **both}
    if isinstance(held, list) and isinstance(more, list):
        return joined(held, more)
    return held if more is None else more


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    name = KEY if one.get(KEY) and other.get(KEY) else CODE
    return bool(one.get(name)) and one.get(name) == other.get(name)
