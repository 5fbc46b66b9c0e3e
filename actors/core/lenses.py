"""The named lenses for single values, and what every lens shares: chains, and `put` that writes nothing needlessly.

Lenses over text forms (names, dates, phone numbers, lists) are in lenses_text.py; building them from a blueprint is
blueprint/lens_build.py. Must not: know streams, sides or systems; guess (a value that fits no rule is a `LensError`).

Laws, with `old` the native values before (all None, or (), where the record is new):

- GetPut: `put(old, get(old)) == old`.
- PutGet: `get(put(old, v)) == normal(v)`, unless the lens is lossy. `normal` is the identity for most lenses; the
  normal-form lenses (trim, case, phone, scale) have one spelling for many and write that one.
- No change, no write: where `get(old)` already equals `normal(v)`, `put` returns `old`, however it is spelled.

What a side will show after a write is thus known beforehand: `get(put(old, v))`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from functools import cached_property
from typing import Final, Literal

import msgspec

from actors.core.policy import Lens, LensError
from actors.core.values import UNKNOWN, Scalar, Seen, Value, canonical, same

# Wide enough for every number a business system holds; beyond it a number is refused rather than rounded unseen.
_EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation])
_WIDE: Final = Context(prec=60, traps=[InvalidOperation])
_ROUNDING: Final = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP}


class SingleLens(msgspec.Struct, frozen=True, omit_defaults=True, tag=True, dict=True):
    """A lens over one native value: `read` and `write` are its own, `get` and `put` keep the laws.

    Defaults are left out of a lens's written form, so that an option added later changes no fingerprint.
    """

    @property
    def lossy(self) -> bool:
        """Whether what is written may come back as less."""
        return False

    @property
    def one_way(self) -> bool:
        """Whether it only reads (lenses_one_way.py)."""
        return False

    def read(self, native: Value) -> Value:
        """One native value to the shared value."""
        raise NotImplementedError

    def write(self, old: Value, value: Value) -> Value:
        """The native value that shows `value`; `old` differs from it."""
        raise NotImplementedError

    def normal(self, value: Value) -> Value:
        """The one spelling of a shared value that this lens reads and writes."""
        return value

    @cached_property
    def _nothing(self) -> Seen:
        """What a native null reads as; UNKNOWN where it can't be read. Every new record asks."""
        try:
            return self.read(None)
        except LensError:
            return UNKNOWN

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        return self.read(native[0])

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """See policy.Lens."""
        before = old[0] if old else None
        wanted = self.normal(value)
        is_shown = same(self._nothing, wanted) if before is None else shows(self, before, wanted)
        return (before,) if is_shown else (self.write(before, wanted),)


class Same(SingleLens, frozen=True):
    """The native value is the shared value."""

    def read(self, native: Value) -> Value:
        return native

    def write(self, old: Value, value: Value) -> Value:
        return value


class Chain(msgspec.Struct, frozen=True, tag=True, dict=True):
    """Lenses one after the other, native end first. Only the first may stand over several paths."""

    first: Lens
    rest: tuple[SingleLens, ...]

    @property
    def lossy(self) -> bool:
        """A chain is as lossy as its worst link."""
        return self.first.lossy or any(step.lossy for step in self.rest)

    @property
    def one_way(self) -> bool:
        """What is only read somewhere on the way is only read."""
        return self.first.one_way

    def writes(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """The paths that are written: those of the native end."""
        return written_paths(self.first, paths)

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        value = self.first.get(native)
        for step in self.rest:
            value = step.read(value)
        return value

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """See policy.Lens. Each link sees what the ones before it make of `old`; what can't be read counts as null."""
        befores = self._between_nothing(len(old)) if old.count(None) == len(old) else self._between(old)
        for step, before in zip(reversed(self.rest), reversed(befores), strict=True):
            (value,) = step.put((before,), value)
        return self.first.put(old, value)

    @cached_property
    def _known(self) -> dict[int, list[Value]]:
        return {}

    def _between_nothing(self, parts: int) -> list[Value]:
        """Every new record asks."""
        if parts not in self._known:
            self._known[parts] = self._between((None,) * parts)
        return self._known[parts]

    def _between(self, old: tuple[Value, ...]) -> list[Value]:
        values: list[Value] = []
        try:
            value = self.first.get(old) if old else None
            for step in self.rest:
                values.append(value)
                value = step.read(value)
        except LensError:
            pass
        return values + [None] * (len(self.rest) - len(values))


class MapValues(SingleLens, frozen=True):
    """A value map: pairs of (native, shared). Several natives may mean one shared value: an unchanged one is kept, a
    changed one is written as the first that fits (T1: otherwise an unrelated edit would turn goods into services).

    Natives are found by their text, so `1` also finds "1". A null is itself unless the map says otherwise.
    """

    pairs: tuple[tuple[Scalar, Scalar], ...]
    name: str = "value map"

    @cached_property
    def _shared(self) -> Mapping[str | None, Scalar]:
        return {_key(native): shared for native, shared in self.pairs}

    @cached_property
    def _native(self) -> Mapping[str | None, Scalar]:
        return {_key(shared): native for native, shared in reversed(self.pairs)}

    def read(self, native: Value) -> Value:
        return self._find(self._shared, native, "no entry for")

    def write(self, old: Value, value: Value) -> Value:
        return self._find(self._native, value, "no entry that means")

    def normal(self, value: Value) -> Value:
        # 1 and "1" are one entry, and a null is what a native null means: what will come back, not what was given.
        if _key(value) in self._native:
            return self._shared[_key(self._native[_key(value)])]
        return self._shared.get(None) if value is None or value == "" else value

    def _find(self, table: Mapping[str | None, Scalar], value: Value, lack: str) -> Value:
        key = _key(value)
        if key in table:
            return table[key]
        if value is None or value == "":
            return table.get(None)
        raise LensError(f"the {self.name} has {lack} {shown(value)}", waits=True)


class Empty(SingleLens, frozen=True):
    """Native values that stand for null ("-- choose --", 0). The first is written where null is wanted."""

    stand_ins: tuple[Scalar, ...]

    def read(self, native: Value) -> Value:
        return None if any(same(native, item) for item in self.stand_ins) else native

    def write(self, old: Value, value: Value) -> Value:
        if value is None:
            return self.stand_ins[0]
        if self.read(value) is None:
            raise LensError(f"{shown(value)} stands for null on this side and can't be written as a value")
        return value


class Default(SingleLens, frozen=True):
    """What is written instead of null, for a system that takes none. Shown as it is, so a deviation by declaration.

    `put` over an old null writes the default too: it is asked to write null only for a record that is new.
    """

    value: Scalar

    @property
    def lossy(self) -> bool:
        return True

    def read(self, native: Value) -> Value:
        return native

    def write(self, old: Value, value: Value) -> Value:
        return self.value if value is None else value

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        if value is None:
            return (self.value,)
        return super().put(old, value)


class Trim(SingleLens, frozen=True):
    """Text without outer blanks; a blank text is null. Normal form."""

    def read(self, native: Value) -> Value:
        return (native.strip() or None) if isinstance(native, str) else native

    def write(self, old: Value, value: Value) -> Value:
        return value

    def normal(self, value: Value) -> Value:
        return self.read(value)


_TURNS: Final = {"upper": str.upper, "lower": str.lower, "fold": str.casefold}


class Case(SingleLens, frozen=True):
    """Text in one case. Normal form; a side that spells it otherwise keeps its spelling until the text changes."""

    to: Literal["upper", "lower", "fold"]

    def read(self, native: Value) -> Value:
        if not isinstance(native, str):
            return native
        once = self._turn(native)
        # A few letters reach their last form only at the second time.
        return once if once.isascii() else self._turn(once)

    def write(self, old: Value, value: Value) -> Value:
        return value

    def normal(self, value: Value) -> Value:
        return self.read(value)

    def _turn(self, text: str) -> str:
        return str(canonical(_TURNS[self.to](text)))


class Length(SingleLens, frozen=True):
    """At most `max` characters on this side; the rest is cut. Lossy."""

    max: int

    @property
    def lossy(self) -> bool:
        return True

    def read(self, native: Value) -> Value:
        return native

    def write(self, old: Value, value: Value) -> Value:
        return value[: self.max] if isinstance(value, str) else value

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        # What stands there uncut is longer than we would write, and right.
        return old if old and shows(self, old[0], value) else super().put(old, value)

    def normal(self, value: Value) -> Value:
        return self.write(None, value)


class Scale(SingleLens, frozen=True):
    """Numbers with a fixed count of decimal places on this side; native = shared x `factor`. Normal form: rounded.

    `places` counts on the native side (cents: places 0, factor 100). None: not rounded.
    """

    places: int | None = None
    rounding: Literal["half_even", "half_up"] = "half_even"
    factor: Decimal = Decimal(1)

    def read(self, native: Value) -> Value:
        number = as_number(native)
        return None if number is None else canonical(self._exactly(_EXACT.divide, self._round(number)))

    def write(self, old: Value, value: Value) -> Value:
        number = as_number(value)
        return None if number is None else canonical(self._round(self._exactly(_EXACT.multiply, number)))

    def normal(self, value: Value) -> Value:
        return self.read(self.write(None, value))

    def _exactly(self, operation: Callable[[Decimal, Decimal], Decimal], number: Decimal) -> Decimal:
        try:
            return operation(number, self.factor)
        except (Inexact, InvalidOperation) as error:
            raise LensError(f"{number} has too many digits to be scaled exactly") from error

    def _round(self, number: Decimal) -> Decimal:
        if self.places is None:
            return number
        try:
            return number.quantize(Decimal(1).scaleb(-self.places), _ROUNDING[self.rounding], _WIDE)
        except InvalidOperation as error:
            raise LensError(f"{number} has too many digits to be rounded exactly") from error


def written_paths(lens: Lens, paths: tuple[str, ...]) -> tuple[str, ...]:
    """The paths that a write through the lens may change: all of them, unless it says otherwise."""
    said: Callable[[tuple[str, ...]], tuple[str, ...]] | None = getattr(lens, "writes", None)
    return paths if said is None else said(paths)


def shows(lens: Lens, native: Value, value: Value) -> bool:
    """Whether one native value already reads as `value`; what can't be read shows nothing."""
    try:
        return same(lens.get((native,)), value)
    except LensError:
        return False


def shown(value: Value) -> str:
    """A value as it stands in a message: quoted, and not longer than a line."""
    text = str(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def as_number(value: Value) -> Decimal | None:
    """The number, null for null; texts are refused, with the way out."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise LensError(f"{shown(value)} is not a number; a text is read with the lens `number` first")
    return Decimal(value)


def _key(value: Value) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
