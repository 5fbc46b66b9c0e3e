"""Values as they stand in JSON, and what they mean: exact numbers, days, instants, flags in every spelling vendors use.

Pure. A value that does not fit its type is delivered as the text it is, so that the one record is parked with words and
nobody else is stopped; one that can't be written raises `BadValue`, and that one write is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from actors.core.values import BadValue, Value, canonical
from clients.connectors.http.wire import dumps

Type = Literal["text", "integer", "decimal", "boolean", "date", "instant", "list"]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DOTNET: Final = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How values of one field are written.

    `format`: of dates and instants: "" ISO 8601, `epoch_s`, `epoch_ms`, `dotnet` (`/Date(ms)/`), or as for strptime (with
    `%3f` for milliseconds). `zone`: of instants that carry none ("" = none is assumed, they stay without), and of days that
    are sent as instants: read as the day there, written as midnight UTC. `decimals`: `number`, `text` ("1.5") or `comma`
    ("1,5"). `true`, `false`: raw values that mean these, the first of each is written. `nulls`: raw values that mean null
    besides null itself ("", 0, "0001-01-01T00:00:00"). `null_as`: what is written for null. `places`: decimals as text are
    written with at least so many.
    """

    type: Type = "text"
    format: str = ""
    zone: str = ""
    decimals: Literal["number", "text", "comma"] = "number"
    true: tuple[Any, ...] = (True,)
    false: tuple[Any, ...] = (False,)
    nulls: tuple[Any, ...] = ()
    null_as: Any = None
    places: int = 0


class Misfit(ValueError):
    """A value that is not of its type."""


def read_value(raw: Any, form: Form) -> Value:
    """What a raw JSON value means."""
    return reader(form)(raw)


def reader(form: Form) -> Callable[[Any], Value]:
    """`read_value` of one form, as a function: what has to be known of it is worked out once."""
    read = _READERS[form.type]
    # A text is equal to texts alone, and nothing else is.
    texts = frozenset(null for null in form.nulls if isinstance(null, str))
    others = tuple(null for null in form.nulls if not isinstance(null, str))

    def value(raw: Any) -> Value:
        if raw is None:
            return None
        if isinstance(raw, str):
            if raw in texts:
                return None
        elif others and any(_equal(raw, null) for null in others):
            return None
        try:
            return canonical(read(raw, form))
        except (Misfit, ValueError, OverflowError, InvalidOperation):
            return canonical(as_text(raw))

    def text(raw: Any) -> Value:
        # What most values of most records are: canonical as it is.
        if type(raw) is str and raw.isascii() and "\r" not in raw and "\x00" not in raw and raw not in texts:
            return raw
        return value(raw)

    return text if form.type == "text" else value


def fits(raw: Any, form: Form) -> bool:
    """Whether a raw value is of its type (null is of every type)."""
    if raw is None or any(_equal(raw, null) for null in form.nulls):
        return True
    try:
        _READERS[form.type](raw, form)
    except (Misfit, ValueError, OverflowError, InvalidOperation):
        return False
    return True


def write_value(value: Value, form: Form) -> Any:
    """The raw value that means `value`; raises `BadValue` where none does."""
    if value is None:
        return form.null_as
    raw = _WRITERS[form.type](value, form)
    if form.nulls and any(_equal(raw, null) for null in form.nulls) and not (raw == "" and value == ""):
        raise BadValue(f"{raw!r} would be read as no value")
    return raw


def as_text(raw: Any) -> str:
    """A raw value as a text: what it is, or its JSON."""
    if isinstance(raw, str):
        return raw
    return dumps(raw).decode()


def _equal(raw: Any, other: Any) -> bool:
    # 0 is not False here, and 0.00 is 0.
    if isinstance(raw, bool) or isinstance(other, bool):
        return raw is other
    return bool(raw == other)


# ------------------------------------------------------------------------------------------------------- reading


def _read_text(raw: Any, form: Form) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | Decimal):
        return format(raw, "f") if isinstance(raw, Decimal) else str(raw)
    raise Misfit(raw)


def _read_decimal(raw: Any, form: Form) -> Decimal:
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        return Decimal(raw)
    if isinstance(raw, str) and form.decimals != "number":
        text = raw.strip()
        if form.decimals == "comma":
            # Grouping only beside a decimal mark: "1.234" alone may be either.
            text = text.replace(".", "").replace(",", ".") if "," in text else text
        if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
            return Decimal(text)
    raise Misfit(raw)


def _read_integer(raw: Any, form: Form) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, Decimal) and raw == raw.to_integral_value():
        return int(raw)
    if isinstance(raw, str) and re.fullmatch(r"[+-]?\d+", raw.strip(), re.ASCII):
        return int(raw)
    raise Misfit(raw)


def _read_boolean(raw: Any, form: Form) -> bool:
    if any(_equal(raw, word) for word in form.true):
        return True
    if any(_equal(raw, word) for word in form.false):
        return False
    raise Misfit(raw)


def _read_date(raw: Any, form: Form) -> date:
    if form.format in ("", "epoch_s", "epoch_ms", "dotnet"):
        if form.format == "" and isinstance(raw, str) and re.match(r"\d{4}-\d\d-\d\d", raw):
            # A day with a time behind it: the day as it is written; a zone must not move it.
            return date.fromisoformat(raw[:10])
        at = _read_instant(raw, form)
        return (at.astimezone(ZoneInfo(form.zone)) if form.zone else at).date()
    if not isinstance(raw, str):
        raise Misfit(raw)
    return datetime.strptime(raw, form.format).date()  # noqa: DTZ007 - a day has no zone


def _read_instant(raw: Any, form: Form) -> datetime:
    if form.format in ("epoch_s", "epoch_ms"):
        number = _read_decimal(raw, Form(type="decimal", decimals="text"))
        micros = int(number * (1_000_000 if form.format == "epoch_s" else 1000))
        return EPOCH + timedelta(microseconds=micros)
    if not isinstance(raw, str):
        raise Misfit(raw)
    if form.format == "dotnet":
        found = _DOTNET.fullmatch(raw)
        if found is None:
            raise Misfit(raw)
        return EPOCH + timedelta(milliseconds=int(found.group(1)))
    when = (
        datetime.strptime(raw, form.format.replace("%3f", "%f"))  # noqa: DTZ007 - the zone is the setting's
        if form.format
        else datetime.fromisoformat(raw.strip())
    )
    return when.replace(tzinfo=ZoneInfo(form.zone)) if when.tzinfo is None and form.zone else when


def _read_list(raw: Any, form: Form) -> tuple[Any, ...]:
    if isinstance(raw, list) and all(
        isinstance(item, str | int | Decimal | bool) or item is None for item in raw
    ):
        return tuple(raw)
    raise Misfit(raw)


# ------------------------------------------------------------------------------------------------------- writing


def _write_text(value: Value, form: Form) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    raise BadValue(f"{value!r} is no text")


def _write_decimal(value: Value, form: Form) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadValue(f"{value!r} is no number")
    if form.decimals == "number":
        return int(value) if value == int(value) else value
    whole, _, places = format(Decimal(value), "f").partition(".")
    places = places.ljust(form.places, "0")
    mark = "," if form.decimals == "comma" else "."
    return f"{whole}{mark}{places}" if places else whole


def _write_integer(value: Value, form: Form) -> Any:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+", value, re.ASCII):
        return int(value)  # the id of another record: ids are texts
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"{value!r} is no whole number")
    return str(value) if form.decimals == "text" else value


def _write_boolean(value: Value, form: Form) -> Any:
    if not isinstance(value, bool):
        raise BadValue(f"{value!r} is neither true nor false")
    return form.true[0] if value else form.false[0]


def _write_date(value: Value, form: Form) -> Any:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise BadValue(f"{value!r} is no date")
    if form.format in ("epoch_s", "epoch_ms", "dotnet"):
        return _write_instant(datetime(value.year, value.month, value.day, tzinfo=UTC), form)
    return value.strftime(form.format) if form.format else value.isoformat()


def _write_instant(value: Value, form: Form) -> Any:
    if not isinstance(value, datetime):
        raise BadValue(f"{value!r} is no instant")
    if form.format in ("epoch_s", "epoch_ms", "dotnet"):
        if value.tzinfo is None:
            raise BadValue(f"{value!r} has no time zone")
        micros = (value - EPOCH) // timedelta(microseconds=1)
        if form.format == "dotnet":
            return f"/Date({micros // 1000})/"
        unit = 1_000_000 if form.format == "epoch_s" else 1000
        return micros // unit if micros % unit == 0 else Decimal(micros) / unit
    if form.zone and value.tzinfo is not None:
        value = value.astimezone(ZoneInfo(form.zone))
    if form.format:
        return value.strftime(form.format.replace("%3f", f"{value.microsecond // 1000:03d}"))
    return value.isoformat().replace("+00:00", "Z")


def _write_list(value: Value, form: Form) -> list[Any]:
    if not isinstance(value, tuple):
        raise BadValue(f"{value!r} is no list")
    return list(value)


_READERS: Final[Mapping[str, Callable[[Any, Form], Any]]] = {
    "text": _read_text,
    "decimal": _read_decimal,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "date": _read_date,
    "instant": _read_instant,
    "list": _read_list,
}
_WRITERS: Final[Mapping[str, Callable[[Value, Form], Any]]] = {
    "text": _write_text,
    "decimal": _write_decimal,
    "integer": _write_integer,
    "boolean": _write_boolean,
    "date": _write_date,
    "instant": _write_instant,
    "list": _write_list,
}
