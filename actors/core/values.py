"""Canonical values: what a field can hold, when two values are the same, and how they are written down.

Three states: a value, null (`None`) and *unknown* (`UNKNOWN`: not delivered, not allowed to be seen).
Unknown is never a change, never written, never stored: in a mapping it is simply a missing key.
"""

from __future__ import annotations

import enum
import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec


class Unknown(enum.Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN

DIGITS_MAX = 1000
_AS_IT_IS: Final = frozenset({str, int, bool, type(None)})  # written down in JSON as they are

# A list is a tuple of scalars; nested objects are flattened to paths by the connectors.
Scalar = None | bool | int | str | Decimal | date | datetime | bytes


class Line(msgspec.Struct, frozen=True):
    """One line of a unit: its cells by name, in the order of their names (`line_of`), so that equal lines are equal."""

    cells: tuple[tuple[str, Scalar], ...]

    def get(self, name: str) -> Scalar | Unknown:
        """What stands under `name`; UNKNOWN where nothing was delivered."""
        return next((value for known, value in self.cells if known == name), UNKNOWN)

    def without(self, *names: str) -> Line:
        """The line without these cells."""
        return Line(tuple(cell for cell in self.cells if cell[0] not in names))


Value = Scalar | tuple[Scalar, ...] | tuple[Line, ...]
Seen = Value | Unknown
Fields = Mapping[str, Value]


class Erased(msgspec.Struct, frozen=True):
    """What is left of a value that was erased: it can be compared with another value, and not told. `salt`: of its record,
    so that equal values of two records don't look equal. Only in place of a value that was settled (core/erasure.py)."""

    salt: str
    digest: str


class BadValue(ValueError):
    """A value that no store can hold (a NUL in a text, a number that is not finite, a foreign type)."""


def canonical(value: object) -> Value:
    """The one form of `value` that is compared and stored.

    Text: NFC, line ends `\\n`. Numbers: `int` or finite `Decimal` without trailing zeros. Instants: UTC where a
    zone is given. Lists: tuples. Raises `BadValue` for what cannot be stored, so that the record can be parked.
    """
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, float):
        return _decimal(Decimal(repr(value)))
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo is not None else value
    if isinstance(value, date | bytes):
        return value
    if isinstance(value, list | tuple):
        if any(isinstance(item, Line) for item in value):
            return tuple(_line(item) for item in value)
        return tuple(_scalar(item) for item in value)
    raise BadValue(f"a {type(value).__name__} is not a value that can be kept in step")


def line_of(cells: Mapping[str, object]) -> Line:
    """A line of these cells, in their canonical form. Raises `BadValue`: a cell is a single value."""
    return Line(tuple((name, _scalar(cells[name])) for name in sorted(cells)))


def lines_of(value: Seen) -> tuple[Line, ...]:
    """The lines of a value; none where it is null, unknown or anything else."""
    return tuple(item for item in value if isinstance(item, Line)) if isinstance(value, tuple) else ()


def is_blank(value: Seen) -> bool:
    """Whether there is no value where one is required: null, the empty text, no item of a list."""
    return is_empty(value) or value == ""


def same(left: Seen, right: Seen) -> bool:
    """Whether two canonical values are equal; `True` is not 1, unknown equals nothing but unknown."""
    if left is right:
        return True
    if type(left) is type(right):
        return left == right
    if is_erased(left) or is_erased(right):
        return _same_erased(left, right)
    if left is None or right is None:
        return False
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, datetime) is not isinstance(right, datetime):
        return False
    return left == right


def erased(value: Any, salt: str) -> Any:
    """The value as it is kept after it was erased."""
    if isinstance(value, Erased):
        return value
    text = encode({"": value}).encode()
    return Erased(salt, hashlib.blake2b(text, key=salt.encode(), digest_size=16).hexdigest())


def is_erased(value: Any) -> bool:
    """Whether only a hash is left of it."""
    return isinstance(value, Erased)


def _same_erased(left: Any, right: Any) -> bool:
    gone, value = (left, right) if isinstance(left, Erased) else (right, left)
    return value is not UNKNOWN and bool(erased(value, gone.salt) == gone)


def is_empty(value: Seen) -> bool:
    """Whether there is nothing: null, or a list without items. A blank text is a text, unknown is unknown."""
    return value is None or value == ()


def as_list(items: Iterable[Any]) -> tuple[Any, ...]:
    """A list that stands for a set: each item once, in an order that says nothing."""
    return tuple(sorted(set(items), key=lambda item: (type(item).__name__, str(item))))


def encode(fields: Fields) -> str:
    """Canonical fields as JSON text: sorted keys, equal fields give equal text."""
    return encoded(fields).decode()


def encoded(fields: Fields) -> bytes:
    """The same as UTF-8."""
    plain = {name: value if type(value) in _AS_IT_IS else _plain(value) for name, value in fields.items()}
    return _ENCODER.encode(plain)


def decode(text: str) -> dict[str, Value]:
    """The inverse of `encode`."""
    stored = _DECODER.decode(text)
    return {name: value if type(value) in _AS_IT_IS else _rich(value) for name, value in stored.items()}


def fingerprint(parts: Iterable[object]) -> str:
    """32 hex digits over canonical values, mappings of them and texts; equal content, equal fingerprint."""
    plain = [_hashable(part) for part in parts]
    return hashlib.blake2b(_ENCODER.encode(plain), digest_size=16).hexdigest()


def key_hash(level: int, values: Iterable[Seen]) -> int | None:
    """A signed 64-bit hash of one match key, or None where a part is missing, null or blank.

    `level` (the key's place in the blueprint's list) is part of the hash, so that keys never mix.
    Texts are compared without case and outer blanks.
    """
    parts = [_key_part(value) for value in values]
    if not parts or any(part is None for part in parts):
        return None
    digest = hashlib.blake2b(_ENCODER.encode([level, parts]), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def text_key_hash(level: int) -> Callable[[str | None], int]:
    """`key_hash` of a key of one text that needs no escape in JSON, as a function; 0 where the text is null or blank."""
    start, end = f'[{level},["'.encode(), b'"]]'

    def hashed(text: str | None) -> int:
        folded = text.strip().casefold() if text else ""
        if not folded:
            return 0
        plain = folded if folded.isascii() else unicodedata.normalize("NFC", folded)
        digest = hashlib.blake2b(start + plain.encode() + end, digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    return hashed


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def _text(value: str) -> str:
    if "\x00" in value:
        raise BadValue("the text contains a NUL character")
    if value.isascii() and "\r" not in value:
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadValue("the text contains half a surrogate pair") from error
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))


def _decimal(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise BadValue(f"{value} is not a finite number")
    # normalize() rounds to the context's precision; strip zeros by hand to stay exact.
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) > DIGITS_MAX or abs(exponent) > DIGITS_MAX:
        raise BadValue(f"the number has more than {DIGITS_MAX} digits")
    kept = list(digits)
    while len(kept) > 1 and kept[-1] == 0 and exponent < 0:
        kept.pop()
        exponent += 1
    if exponent > 0:
        kept.extend([0] * exponent)
        exponent = 0
    return Decimal((0 if not any(kept) else sign, tuple(kept), 0 if not any(kept) else exponent))


def _scalar(item: object) -> Scalar:
    value = canonical(item)
    if isinstance(value, tuple):
        raise BadValue("a list within a list is not a value that can be kept in step")
    return value


def _line(item: object) -> Line:
    if not isinstance(item, Line):
        raise BadValue("a list is either of lines or of single values")
    return line_of(dict(item.cells))


def _plain(value: Value) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else {"n": format(value, "f")}
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    if isinstance(value, bytes):
        return {"b": value.hex()}
    if isinstance(value, Erased):
        return {"h": [value.salt, value.digest]}
    return [_plain_line(item) if isinstance(item, Line) else _plain(item) for item in value]


def _plain_line(line: Line) -> Any:
    return {"l": {name: _plain(value) for name, value in line.cells}}


def _rich(value: Any) -> Value:
    if isinstance(value, list):
        return canonical([_rich_line(item["l"]) if _is_line(item) else _rich(item) for item in value])
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]
    ((tag, text),) = value.items()
    if tag == "h":
        gone: Any = Erased(*text)
        return gone  # type: ignore[no-any-return]
    if tag == "n":
        return Decimal(text)
    if tag == "t":
        return datetime.fromisoformat(text)
    if tag == "d":
        return date.fromisoformat(text)
    return bytes.fromhex(text)


def _is_line(item: Any) -> bool:
    return isinstance(item, dict) and "l" in item


def _rich_line(cells: Mapping[str, Any]) -> Line:
    return line_of({name: _rich(value) for name, value in cells.items()})


def _hashable(part: object) -> Any:
    if type(part) is str:
        return _text(part)
    if part is None or type(part) is int:
        return part
    if isinstance(part, dict | Mapping):
        return {name: _hashable(value) for name, value in part.items()}
    if part is UNKNOWN:
        return {"u": 1}
    return _plain(canonical(part))


def _key_part(value: Seen) -> Any:
    if value is UNKNOWN or value is None:
        return None
    if isinstance(value, str):
        folded = unicodedata.normalize("NFC", value.strip().casefold())
        return folded or None
    return _plain(value)
