"""The named lenses over text forms: numbers and dates as text, phone numbers, countries, joined names, lists.

Must not: know streams, sides or systems; read the time-zone database (a zone's rules change, a lens's must not).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from typing import Final, Literal

import msgspec

from actors.core.countries import COUNTRIES
from actors.core.lenses import SingleLens, as_number, shown
from actors.core.policy import LensError
from actors.core.values import Value, canonical, same

_DIRECTIVES: Final = {"d": "day", "m": "month", "Y": "year", "H": "hour", "M": "minute", "S": "second"}
_PHONE: Final = re.compile(r"\+?[0-9\s()./\-–]+")
_WORDS_MAX: Final = 40


class NumberText(SingleLens, frozen=True):
    """A number written as text ("1.234,50"), as files hold them. A blank text is null; a real number is taken as is.

    `places`: at least so many decimal places are written (zeros are added, nothing is rounded).
    """

    decimal: str = ","
    thousands: str = ""
    places: int = 0

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        whole = rf"\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+" if self.thousands else r"\d+"
        return re.compile(rf"([+-]?)({whole})(?:{re.escape(self.decimal)}(\d+))?", re.ASCII)

    def read(self, native: Value) -> Value:
        if not isinstance(native, str):
            return as_number(native)
        if not native.strip():
            return None
        found = self._pattern.fullmatch(native.strip())
        if found is None:
            raise LensError(f"{shown(native)} is not a number written with {shown(self.decimal)}")
        sign, whole, fraction = found.groups(default="")
        digits = whole.replace(self.thousands, "") if self.thousands else whole
        return canonical(Decimal(f"{sign}{digits}.{fraction or 0}"))

    def write(self, old: Value, value: Value) -> Value:
        number = as_number(value)
        if number is None:
            return None
        if isinstance(old, int | Decimal):
            return canonical(number)
        whole, _, fraction = format(canonical(number), "f").partition(".")
        fraction = fraction.ljust(self.places, "0")
        return f"{whole}{self.decimal}{fraction}" if fraction else whole


class DateText(SingleLens, frozen=True):
    """A date, or a date with a time, written as text in `format` (%d %m %Y %H %M %S). Blank is null.

    `empty`: the text that stands for no date ("00.00.0000"); the year 0001 always does.
    """

    format: str
    empty: str | None = None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = re.split(r"%([dmYHMS])", self.format)
        pattern = re.escape(parts[0])
        for name, literal in zip(parts[1::2], parts[2::2], strict=True):
            # Without anything between two directives, each has its full width; else a leading zero may lack.
            width = "4" if name == "Y" else "1,2" if literal else "2"
            pattern += rf"(?P<{_DIRECTIVES[name]}>\d{{{width}}}){re.escape(literal)}"
        return re.compile(pattern, re.ASCII)

    def read(self, native: Value) -> Value:
        if native is None or native == self.empty:
            return None
        if not isinstance(native, str):
            raise LensError(f"{shown(native)} is not a text; a date of the system itself needs no format")
        if not native.strip():
            return None
        return self._parse(native.strip())

    def write(self, old: Value, value: Value) -> Value:
        if value is None:
            return self.empty
        if not isinstance(value, date) or isinstance(value, datetime) is not self._timed:
            raise LensError(f"{shown(value)} is not a date {'with' if self._timed else 'without'} a time")
        text = re.sub(r"%([dmYHMS])", lambda found: _padded(value, found[1]), self.format)
        if text == self.empty or self._parse(text) != value:
            raise LensError(f"{shown(value)} can't be written as {shown(self.format)} without loss")
        return text

    @property
    def _timed(self) -> bool:
        return "hour" in self._pattern.groupindex

    def _parse(self, text: str) -> date | None:
        found = self._pattern.fullmatch(text)
        if found is None:
            raise LensError(f"{shown(text)} is not a date in the form {shown(self.format)}")
        numbers = {name: int(digits) for name, digits in found.groupdict().items()}
        try:
            read = datetime(**numbers) if self._timed else date(**numbers)  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError as error:
            raise LensError(f"{shown(text)} is no day of the calendar") from error
        return None if read.year == 1 else read


class Day(SingleLens, frozen=True):
    """A date that the system holds as an instant at midnight, of no zone or of UTC. The year 0001 is null."""

    zone: Literal["none", "utc"] = "none"

    def read(self, native: Value) -> Value:
        if native is None:
            return None
        if not isinstance(native, date):
            raise LensError(f'{shown(native)} is not a date; a text needs its form, as in date: "%d.%m.%Y"')
        if native.year == 1:
            return None
        return native.date() if isinstance(native, datetime) else native

    def write(self, old: Value, value: Value) -> Value:
        if value is None:
            return None
        if isinstance(value, datetime) or not isinstance(value, date) or value.year == 1:
            raise LensError(f"{shown(value)} is not a date that can be kept in step")
        return datetime.combine(value, time(), UTC if self.zone == "utc" else None)


class Phone(SingleLens, frozen=True):
    """A phone number as E.164 ("+49301234"), read with the default country's rules. Normal form.

    A side that writes the same number otherwise keeps its writing. A text that is no number ("ask Anna") stays as it is:
    a note in the wrong place must not park a customer.
    """

    country: str

    def read(self, native: Value) -> Value:
        if not isinstance(native, str):
            return native
        text = native.strip()
        if not _PHONE.fullmatch(text):
            return text or None
        digits = self._international(text)
        return f"+{digits}" if 7 <= len(digits) <= 15 else text

    def write(self, old: Value, value: Value) -> Value:
        return value

    def normal(self, value: Value) -> Value:
        return self.read(value)

    def _international(self, text: str) -> str:
        rules = COUNTRIES[self.country]
        bare = re.sub(r"[^0-9+]", "", text)
        if bare.startswith(("+", "00")):
            # "+49 (0)30": the trunk zero is for people. Where there is none (Italy), a zero belongs to the number.
            spoken = re.sub(r"\(0\)", "", text) if rules.trunk else text
            return re.sub(r"[^0-9]", "", spoken).removeprefix("" if bare.startswith("+") else "00")
        if rules.trunk not in ("", "1") and not bare.startswith(rules.trunk):
            return ""  # without its area code, or a short number such as 110: only a text
        return rules.calling + bare.removeprefix(rules.trunk)


class CountryCode(SingleLens, frozen=True):
    """A country of ISO 3166: `native` form on this side, two letters shared. Blank is null; others are refused."""

    native: Literal["iso2", "iso3", "numeric"]

    @cached_property
    def _by_native(self) -> Mapping[str, str]:
        return {str(getattr(country, self.native)): iso2 for iso2, country in COUNTRIES.items()}

    def read(self, native: Value) -> Value:
        if native is None or native == "":
            return None
        # A number column has lost the leading zeros of "040".
        code = f"{native:03d}" if isinstance(native, int) else str(native).strip().upper()
        if code not in self._by_native:
            raise LensError(f"{shown(native)} is not a country (ISO 3166, {self.native})")
        return self._by_native[code]

    def write(self, old: Value, value: Value) -> Value:
        if value is None:
            return None
        if not isinstance(value, str) or value not in COUNTRIES:
            raise LensError(f"{shown(value)} is not a country (ISO 3166, two letters)")
        code = str(getattr(COUNTRIES[value], self.native))
        # A number column holds "040" as 40; one where only letters fit says so itself.
        return int(code) if isinstance(old, int) and self.native == "numeric" else code

    def normal(self, value: Value) -> Value:
        return (value.strip().upper() or None) if isinstance(value, str) else value


class ListText(SingleLens, frozen=True):
    """A list written as one text with a separator. Blank is null; blanks around an item don't count."""

    separator: str = ";"

    def read(self, native: Value) -> Value:
        if not isinstance(native, str):
            return native
        items = tuple(item.strip() for item in native.split(self.separator.strip() or self.separator))
        return tuple(item for item in items if item) or None

    def write(self, old: Value, value: Value) -> Value:
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            raise LensError(f"{shown(value)} is not a list of texts")
        text = self.separator.join(str(item) for item in value)
        if self.read(text) != value:
            raise LensError(
                f"a list with {shown(self.separator)} or a blank item in it can't be written as one text"
            )
        return text

    def normal(self, value: Value) -> Value:
        return None if value == () else value


class Join(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """Several native texts as one, in order; empty parts are left out (first, middle and last name).

    A changed text is cut so that as few parts as possible change, and those as little as possible: in "Anna Maria |
    de Vos" -> "Anna Maria de Wit" the first part stays. A new text gives each part one word and the spare ones to
    `rest`; with `whole` the first part takes all of it (lines of a company's name), with `lines` they are filled from
    the first on (lines of an address). `empty`: what stands in a part that got no word, where a system wants something
    there ("-"); it is read as nothing.
    """

    parts: int
    separator: str = " "
    rest: Literal["first", "last", "whole", "lines"] = "last"
    empty: str = ""

    @property
    def lossy(self) -> bool:
        """Never: a text that no cut shows goes whole into one part."""
        return False

    @property
    def one_way(self) -> bool:
        """It writes."""
        return False

    def get(self, native: tuple[Value, ...]) -> Value:
        """See policy.Lens."""
        texts = [_text(part) for part in native]
        if all(part is None or part == self.empty != "" for part in texts):
            return None
        return canonical(self.separator.join(part for part in texts if part and part != self.empty))

    def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """See policy.Lens."""
        before = old or (None,) * self.parts
        try:
            if same(self.get(before), value):
                return before
            texts = ["" if part == self.empty else _text(part) or "" for part in before]
        except LensError:
            before, texts = (None,) * self.parts, [""] * self.parts
        if value is None:
            return (None,) * self.parts
        if self.empty and value == self.empty:
            raise LensError(f"{shown(value)} stands for no word at all there")
        return self._cut(before, texts, _text(value) or "")

    def _cut(self, before: tuple[Value, ...], texts: Sequence[str], text: str) -> tuple[Value, ...]:
        words = text.split(self.separator)
        if len(words) <= _WORDS_MAX and all(words):
            counts = _closest(texts, words, self) if any(texts) else _usual(len(words), self)
            pieces = [self.separator.join(piece) for piece in _sliced(words, counts)]
            pairs = zip(pieces, texts, before, strict=True)
            nothing = self.empty or None
            found = tuple(
                old if piece == text_before else piece or nothing for piece, text_before, old in pairs
            )
            if self.empty:
                found = tuple(part or self.empty for part in found)
            if self.get(found) == text:
                return found
        place = self.parts - 1 if self.rest == "last" else 0
        return tuple(text if index == place else self.empty or None for index in range(self.parts))


# What cutting costs, most important first: parts changed, parts filled or emptied, words moved, unlike a new text's cut.
_Cost = tuple[int, int, int, int]


def _closest(texts: Sequence[str], words: Sequence[str], join: Join) -> list[int]:
    """How many words go to each part, so that the parts stay closest to `texts`. Cheapest path, part by part."""
    usual = _usual(len(words), join)
    best: dict[int, tuple[_Cost, list[int]]] = {0: ((0, 0, 0, 0), [])}
    for part, text in enumerate(texts):
        ends = range(len(words) + 1) if part < len(texts) - 1 else [len(words)]
        best = {
            end: min(
                (
                    _plus(cost, _cost(text, words[start:end], usual[part], join.separator)),
                    [*counts, end - start],
                )
                for start, (cost, counts) in best.items()
                if start <= end
            )
            for end in ends
        }
    return best[len(words)][1]


def _cost(text: str, words: Sequence[str], usual: int, separator: str) -> _Cost:
    oddness = abs(len(words) - usual)
    if separator.join(words) == text:
        return (0, 0, 0, oddness)
    had, have = Counter(text.split(separator) if text else ()), Counter(words)
    return (1, int(bool(text) is not bool(words)), (had - have).total() + (have - had).total(), oddness)


def _plus(left: _Cost, right: _Cost) -> _Cost:
    return (left[0] + right[0], left[1] + right[1], left[2] + right[2], left[3] + right[3])


def _usual(words: int, join: Join) -> list[int]:
    """How many words of a new text go to each part: one to each, the spare ones to `rest`, which is also first served."""
    others = 0 if join.rest == "whole" else min(join.parts - 1, words - 1)
    if join.rest == "lines":
        ones = [1] * others + [words - others]
        return ones + [0] * (join.parts - len(ones))
    if join.rest == "last":
        return [1] * others + [0] * (join.parts - 1 - others) + [words - others]
    return [words - others] + [0] * (join.parts - 1 - others) + [1] * others


def _sliced(words: Sequence[str], counts: Sequence[int]) -> list[Sequence[str]]:
    ends = list(accumulate(counts))
    return [words[end - count : end] for end, count in zip(ends, counts, strict=True)]


def _text(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise LensError(f"{shown(value)} is not a text that can be joined")


def _padded(value: date, directive: str) -> str:
    return f"{getattr(value, _DIRECTIVES[directive]):0{4 if directive == 'Y' else 2}d}"
