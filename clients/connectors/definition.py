"""Settings of a connection against what the connector declares: types, choices, defaults, all faults at once.

Must not: know any system, or repeat a value in a message (it may be a secret).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final

from actors.core.errors import Kind, TandemError
from actors.ports import Declaration, Setting


def checked_settings(declaration: Declaration, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared setting with its value or default, typed.

    Raises CONFIG naming every fault: required ones that are missing, unknown ones, wrong types, wrong choices.
    `null` counts as not given. Texts are taken for numbers and booleans where they are such, since settings
    may come from a command line or an environment.
    """
    known = {setting.name: setting for setting in declaration.settings}
    faults = [_unknown(name, known) for name in settings if name not in known]
    checked: dict[str, Any] = {}
    for setting in declaration.settings:
        try:
            checked[setting.name] = _checked(setting, settings.get(setting.name))
        except ValueError as error:
            faults.append(f"'{setting.name}' {error}")
    if faults:
        raise TandemError(
            Kind.CONFIG,
            f"the settings of connector '{declaration.name}' are wrong: {'; '.join(faults)}",
            hint=f"it has these settings: {', '.join(known) or 'none'}",
        )
    return checked


def _checked(setting: Setting, value: Any) -> Any:
    if value is None or value == "":
        if setting.required and setting.default is None:
            raise ValueError(f"is required ({setting.doc})" if setting.doc else "is required")
        value = setting.default
    if value is None:
        return None
    typed = _TYPES[setting.type](value)
    if setting.choices and typed not in setting.choices:
        raise ValueError(f"must be one of {', '.join(setting.choices)}")
    return typed


def _unknown(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"'{name}' is not a setting" + (f"; is '{close[0]}' meant?" if close else "")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise ValueError("must be a text")


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise ValueError("must be a whole number")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise ValueError("must be a number, with a point")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ValueError("must be true or false")


def _path(value: Any) -> str:
    if isinstance(value, str) and "\x00" not in value:
        return value
    raise ValueError("must be a path")


def _list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError("must be a list")


def _map(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return dict(value)
    raise ValueError("must be a map of names to values")


def _document(value: Any) -> str | dict[str, Any]:
    if isinstance(value, str) and "\x00" not in value:
        return value
    return _map(value)


_TYPES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "path": _path,
    "list": _list,
    "map": _map,
    "document": _document,
}
