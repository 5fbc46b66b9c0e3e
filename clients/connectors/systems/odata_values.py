"""Between OData's values and canonical ones: as JSON, and as literals in addresses. Pure.

Numbers that a float would spoil (Decimal, Int64) cross as texts both ways (IEEE754Compatible), and are read from numbers
too, where a service does not heed that. What has no canonical form (INF, a date of the year 12000) is delivered as
the service wrote it, and can be written back as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote, unquote

from actors.core.values import BadValue, Line, Scalar, Value, canonical
from clients.connectors.systems.odata_metadata import EntitySet, Property

_WHOLE: Final = frozenset({"Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64"})
_FLOATING: Final = frozenset({"Edm.Double", "Edm.Single"})
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PLAIN: Final = re.compile(r"[-\w.:+]+")  # literals without quotes: numbers, dates, guids
_NOT_FINITE: Final = frozenset({"INF", "-INF", "NaN"})


# --------------------------------------------------------------------------------------------------- as JSON


def decoded(property_: Property, found: Any) -> Value:
    """A value of a body as a canonical one; raises BadValue for one that no store can hold."""
    if found is None:
        return None
    if property_.is_list:
        if not isinstance(found, list):
            raise BadValue(f"{property_.name} is no list")
        return canonical([None if item is None else _decoded(property_, item) for item in found])
    return canonical(_decoded(property_, found))


def _decoded(property_: Property, found: Any) -> object:
    read = _READERS.get(property_.type)
    if property_.enum or read is None:
        return found if isinstance(found, str) else str(found)
    try:
        return read(found)
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        return found if isinstance(found, str | int | Decimal) else str(found)


def _whole(found: Any) -> int:
    if isinstance(found, bool):
        raise ValueError(found)
    return int(found)


def _number(found: Any) -> Decimal | str:
    if isinstance(found, bool):
        raise ValueError(found)
    return found if found in _NOT_FINITE else Decimal(str(found))


def _boolean(found: Any) -> bool:
    if not isinstance(found, bool):
        raise ValueError(found)
    return found


def _binary(found: Any) -> bytes:
    """Base64url by the standard, plain base64 by habit; with its filling or without."""
    text = str(found).rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(found) from error


def _guid(found: Any) -> str:
    """In lower case: services don't agree on it, and ids must be equal."""
    return str(found).lower()


_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    **dict.fromkeys(_WHOLE, _whole),
    **dict.fromkeys(("Edm.Decimal", *_FLOATING), _number),
    "Edm.Boolean": _boolean,
    "Edm.Date": date.fromisoformat,
    "Edm.DateTimeOffset": datetime.fromisoformat,
    "Edm.Binary": _binary,
    "Edm.Guid": _guid,
}


def encoded(property_: Property, value: Value) -> Any:
    """A canonical value as JSON of the property's type; raises BadValue where it does not fit."""
    if value is None:
        return None
    if property_.is_list:
        if not isinstance(value, tuple):
            raise BadValue(f"{property_.name} takes a list")
        return [_encoded(property_, item) for item in value if not isinstance(item, Line)]
    if isinstance(value, tuple):
        raise BadValue(f"{property_.name} can't keep a list")
    return _encoded(property_, value)


def _encoded(property_: Property, value: Scalar) -> Any:
    if value is None:
        return None
    if property_.type == "Edm.Boolean":
        if isinstance(value, bool):
            return value
        raise BadValue(f"{property_.name}: {value!r} is neither true nor false")
    if property_.type in _FLOATING:
        number = _exact(property_, value)
        return number if isinstance(number, str) else _as_float(number)
    text = _text(property_, value)
    return int(text) if property_.type in _WHOLE and property_.type != "Edm.Int64" else text


def _as_float(number: Decimal) -> int | Decimal:
    return int(number) if number == number.to_integral_value() else number


def _text(property_: Property, value: Scalar) -> str:
    """A scalar as the text in which it stands in JSON and in literals."""
    if property_.type in _WHOLE:
        number = _exact(property_, value)
        if isinstance(number, str) or number != number.to_integral_value():
            raise BadValue(f"{property_.name}: {value!r} is no whole number")
        return str(int(number))
    if property_.type in ("Edm.Decimal", *_FLOATING):
        number = _exact(property_, value)
        return number if isinstance(number, str) else format(number, "f")
    if isinstance(value, datetime):
        return _instant(property_, value)
    if isinstance(value, date):
        return (
            f"{value.isoformat()}T00:00:00Z" if property_.type == "Edm.DateTimeOffset" else value.isoformat()
        )
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = format(value, "f") if isinstance(value, Decimal) else str(value)
    if property_.type == "Edm.Guid":
        if not _GUID.fullmatch(plain):
            raise BadValue(f"{property_.name}: '{plain}' is no Guid")
        return plain.lower()
    return plain


def _instant(property_: Property, value: datetime) -> str:
    if property_.type == "Edm.Date":
        raise BadValue(f"{property_.name}: {value.isoformat()} is no day")
    at = value.astimezone(UTC) if value.tzinfo is not None else value
    return at.replace(tzinfo=None).isoformat() + "Z"


def _exact(property_: Property, value: Scalar) -> Decimal | str:
    if isinstance(value, str) and value in _NOT_FINITE:
        return value
    if isinstance(value, int | Decimal | str) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise BadValue(f"{property_.name}: {value!r} is no number")


# ----------------------------------------------------------------------------------------- in addresses


def literal(property_: Property, value: Value) -> str:
    """A value as it stands in a filter or a key, not yet escaped for the address."""
    if value is None:
        return "null"
    if isinstance(value, tuple):
        raise BadValue(f"{property_.name}: a list can't be looked for")
    text = _text(property_, value)
    if property_.enum:
        return f"{property_.enum}{_quoted(text)}"
    if property_.type == "Edm.String":
        return _quoted(text)
    if property_.type == "Edm.Duration":
        return f"duration{_quoted(text)}"
    if property_.type == "Edm.Binary":
        return f"binary{_quoted(text)}"
    if not _PLAIN.fullmatch(text):
        raise BadValue(f"{property_.name}: '{text}' is no {property_.type}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def escaped(text: str) -> str:
    """A text as part of an address."""
    return quote(text, safe="")


def assigned(place: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path of a body that is being made (`address/city`)."""
    *heads, last = path.split("/")
    for head in heads:
        place = place.setdefault(head, {})
    place[last] = value


def delivered(body: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Whether a body delivers what stands at a path, and what. A complex value that is null has no inner values."""
    found: Any = body
    for name in path.split("/"):
        if found is None:
            return True, None
        if not isinstance(found, Mapping) or name not in found:
            return False, None
        found = found[name]
    return True, found


# --------------------------------------------------------------------------------------------------- keys


def record_id(entity_set: EntitySet, body: Mapping[str, Any]) -> str:
    """The id of a record: its key as a text; of a key of several parts `name=value` of each, as OData writes it.

    Raises BadValue where the body does not hold it."""
    parts = []
    for name in entity_set.key:
        property_ = entity_set.properties[name]
        there, found = delivered(body, name)
        value = decoded(property_, found) if there else None
        if value is None or isinstance(value, tuple):
            raise BadValue(f"{entity_set.name}: a record came without its key {name}")
        if len(entity_set.key) == 1:
            return _text(property_, value)
        parts.append(f"{name}={escaped(literal(property_, value))}")
    return ",".join(parts)


def key_values(entity_set: EntitySet, id_: str) -> tuple[Value, ...]:
    """The values of a record's key from its id; raises BadValue for what can't be one."""
    if len(entity_set.key) == 1:
        return (_of_text(entity_set.properties[entity_set.key[0]], id_),)
    parts = dict(part.partition("=")[::2] for part in id_.split(","))
    if set(parts) != set(entity_set.key):
        raise BadValue(
            f"{entity_set.name}: '{id_}' is no id; it has the form {'=..., '.join(entity_set.key)}=..."
        )
    return tuple(
        _of_text(entity_set.properties[name], _unquoted(unquote(parts[name]))) for name in entity_set.key
    )


def key_predicate(entity_set: EntitySet, id_: str) -> str:
    """`('K1')`, `(5)`, `(article='1',list='x')`, escaped for the address; raises BadValue for what can't be an id."""
    values = key_values(entity_set, id_)
    literals = [
        escaped(literal(entity_set.properties[name], value))
        for name, value in zip(entity_set.key, values, strict=True)
    ]
    if len(literals) == 1:
        return f"({literals[0]})"
    named = (f"{name}={text}" for name, text in zip(entity_set.key, literals, strict=True))
    return f"({','.join(named)})"


def id_of_address(entity_set: EntitySet, address: str) -> str:
    """The id in the address of a record (`https://.../people('K1')`), or in a bare key; "" where there is none."""
    start = address.rfind("(")
    inner = address[start + 1 : -1] if start >= 0 and address.endswith(")") else address
    if len(entity_set.key) > 1 or not inner:
        return inner
    (name,) = entity_set.key
    property_ = entity_set.properties[name]
    value = _of_text(property_, _unquoted(unquote(inner)))
    return "" if isinstance(value, tuple) else _text(property_, value)


def _of_text(property_: Property, text: str) -> Value:
    if property_.type == "Edm.String" or property_.enum:
        return text
    if not text:
        raise BadValue(f"{property_.name}: an empty text is no {property_.type}")
    return decoded(property_, text)


def _unquoted(text: str) -> str:
    start = text.find("'")
    return text[start + 1 : -1].replace("''", "'") if start >= 0 and text.endswith("'") else text
