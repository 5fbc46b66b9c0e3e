"""Reading plain data with a word for every fault: typed look-ups that note what is wrong, and where, and go on.

Used for blueprints. Must not: know what a blueprint means; stop at the first fault.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, TypeVar

import msgspec

from actors.core.blueprint.forms import Duration, Entry, names, required
from actors.core.lenses import shown
from actors.core.values import Scalar

Path = tuple[object, ...]
# Line and column of each node, from 1; the node of a mapping's entry stands where its key stands.
Positions = Mapping[Path, tuple[int, int]]
Choices = TypeVar("Choices", bound=enum.StrEnum)

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.ASCII)


class Fault(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong in a blueprint. `line` and `column` from 1, 0 where the text has no such place; `path` as in
    "streams.customers.match". `text`: "settings" where it stands in those of a link."""

    line: int
    column: int
    path: str
    message: str
    text: str = ""

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return ": ".join(filter(None, (f"{self.text} {line}".strip(), self.path, self.message)))


class BlueprintError(ValueError):
    """A blueprint that can't be used; all its faults, in the order of the text."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class Faults:
    """Collects faults and finds their place in the text."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._found: set[Fault] = set()
        self._settings: dict[Path, tuple[str, bool]] = {}

    def add(self, path: Path, message: str) -> None:
        """Note a fault at `path`, or at the nearest node above it that the text holds."""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self._positions), None)
        line, column = self._positions[known] if known is not None else (1, 1)
        self._found.add(Fault(line, column, dotted(path), f"{message}{self._said_by(path, message)}"))

    def comes_from(self, path: Path, setting: str, *, empty: bool) -> None:
        """What stands at `path` is a setting's value: faults there, or for want of it, name the setting."""
        self._settings[path] = (setting, empty)

    def _said_by(self, path: Path, message: str) -> str:
        above = (
            self._settings[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._settings
        )
        if found := next(above, None):
            return f" (the setting {found[0]})" if found[0] not in message else ""
        lacking = sorted(name for at, (name, empty) in self._settings.items() if empty and at[:-1] == path)
        return f" (nothing is said in the setting {', '.join(lacking)})" if lacking else ""

    def check(self) -> None:
        """Raise `BlueprintError` with all that was noted, if anything was."""
        if self._found:
            raise BlueprintError(tuple(sorted(self._found)))


class Node:
    """A value of the document together with its path. The typed look-ups return `fallback` where they note a fault."""

    def __init__(self, value: object, path: Path, faults: Faults) -> None:
        self.value = value
        self.path = path
        self.faults = faults

    def fault(self, message: str, *below: object) -> None:
        """Note a fault here, or at the path `below`."""
        self.faults.add((*self.path, *below), message)

    def mapping(self, known: Iterable[str], required: Iterable[str] = ()) -> Node:
        """This node as a mapping with no keys but `known` and all `required`; an empty one where it is no mapping."""
        if not isinstance(self.value, Mapping):
            self.fault(
                f"{described(self.value)} stands where entries like `{next(iter(known))}: ...` are needed"
            )
            return Node({}, self.path, self.faults)
        names = tuple(known)
        for key in self.value:
            if key not in names:
                self.fault(f"there is no such entry{guess(key, names)}; known are {listed(names)}", key)
        for key in required:
            if self.value.get(key) is None:
                self.fault(f"`{key}` is missing")
        return self

    def table(self, entries: Sequence[Entry]) -> Node:
        """This node as a mapping with the entries of a table."""
        return self.mapping(names(entries), required(entries))

    def get(self, key: str) -> Node | None:
        """The node under `key`, None where it is absent or null."""
        found = self.value.get(key) if isinstance(self.value, Mapping) else None
        return None if found is None else Node(found, (*self.path, key), self.faults)

    def entries(self) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping with free names; names that are no texts are noted and left out."""
        if not isinstance(self.value, Mapping):
            self.fault(f"{described(self.value)} stands where named entries are needed")
            return
        for key, value in self.value.items():
            if isinstance(key, str):
                yield key, Node(value, (*self.path, key), self.faults)
            else:
                self.fault("a name has to be a text", key)

    def items(self) -> Iterator[Node]:
        """The items of a list."""
        if not isinstance(self.value, list):
            self.fault(f"{described(self.value)} stands where a list like [x, y] is needed")
            return
        for index, value in enumerate(self.value):
            yield Node(value, (*self.path, index), self.faults)

    def text(self, fallback: str = "") -> str:
        """A text that is not blank."""
        if isinstance(self.value, str) and self.value.strip():
            return self.value
        self.fault(f"{described(self.value)} is not a text")
        return fallback

    def integer(self, lowest: int, highest: int, fallback: int) -> int:
        """A whole number within bounds."""
        if (
            isinstance(self.value, int)
            and not isinstance(self.value, bool)
            and lowest <= self.value <= highest
        ):
            return self.value
        self.fault(f"{described(self.value)} is not a whole number from {lowest} to {highest}")
        return fallback

    def number(self, lowest: float, highest: float, fallback: float) -> float:
        """A number within bounds."""
        value = None if isinstance(self.value, bool) else self.value
        if isinstance(value, int | Decimal) and lowest <= value <= highest:
            return float(value)
        self.fault(f"{described(self.value)} is not a number from {lowest:g} to {highest:g}")
        return fallback

    def flag(self) -> bool:
        """true or false."""
        if isinstance(self.value, bool):
            return self.value
        self.fault(f"{described(self.value)} is not true or false")
        return False

    def word(self, words: Iterable[str], fallback: str) -> str:
        """One of `words`; blanks and hyphens count as underscores."""
        known = tuple(words)
        given = re.sub(r"[\s-]+", "_", self.value.strip()) if isinstance(self.value, str) else None
        if given in known:
            return str(given)
        self.fault(f"{described(self.value)} is not one of {listed(known)}{guess(given, known)}")
        return fallback

    def choice(self, kind: type[Choices], fallback: Choices) -> Choices:
        """One of the words of an enumeration."""
        return kind(self.word([member.value for member in kind], fallback.value))

    def scalar(self) -> Scalar:
        """A single value of any type."""
        if self.value is None or isinstance(self.value, bool | int | str | Decimal | date):
            return self.value
        self.fault(f"{described(self.value)} stands where a single value is needed")
        return None

    def within(self, form: Duration, fallback: float) -> float:
        """A duration within the bounds of its form."""
        return self.seconds(form.lowest_s, form.highest_s, fallback)

    def seconds(self, lowest_s: float, highest_s: float, fallback: float) -> float:
        """A duration with its unit, as in 500ms, 2s, 15m, 1h, 1d."""
        found = _DURATION.fullmatch(self.value.strip()) if isinstance(self.value, str) else None
        if found is None:
            self.fault(
                f"{described(self.value)} is not a duration; write the unit, as in 500ms, 2s, 15m, 1h or 1d"
            )
            return fallback
        length_s = float(found[1]) * _UNITS_S[found[2]]
        if not lowest_s <= length_s <= highest_s:
            self.fault(f"{described(self.value)} is not between {lowest_s:g}s and {highest_s:g}s")
            return fallback
        return length_s


def dotted(path: Path) -> str:
    """("streams", "customers", "match", 0) as streams.customers.match[0]."""
    text = ""
    for part in path:
        text += (
            f"[{part}]"
            if isinstance(part, int) and not isinstance(part, bool)
            else f".{part}"
            if text
            else str(part)
        )
    return text


def described(value: object) -> str:
    """A value as a fault names it."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return shown(str(value).lower() if isinstance(value, bool) else str(value))


def listed(words: Iterable[str]) -> str:
    """Words with commas."""
    return ", ".join(words)


def guess(word: object, known: Iterable[str]) -> str:
    """ " (did you mean x?)" where a known word is near, else nothing."""
    near = get_close_matches(str(word), list(known), 1)
    return f" (did you mean {near[0]}?)" if near and word is not None else ""
