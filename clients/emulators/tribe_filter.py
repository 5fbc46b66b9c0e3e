"""`$filter` of Tribe CRM: eq, ne, gt, ge, lt, le, and, or, not, brackets, contains, startswith, endswith, paths into what a
row refers to. `in` and `has` are not known there. Ids and times stand without quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from clients.emulators.data import Near
from clients.emulators.description import Refused, Row
from clients.emulators.filtering import Filtering, Test, near

GUID: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TOKEN: Final = re.compile(
    rf"\s*(?:(?P<guid>{GUID})|(?P<time>\d{{4}}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d))?)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[\w/]+)|(?P<sign>[(),]))"
)
FUNCTIONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": lambda held, part: part in held,
    "startswith": lambda held, part: held.startswith(part),
    "endswith": lambda held, part: held.endswith(part),
}
SIGNS: Final = {"eq": "=", "gt": ">", "ge": ">", "lt": "<", "le": "<"}
STAMP: Final = r"(?:\w+/)*(?:LastMutationDate|CreationDate) ge "
# Whatever changed since, itself or what it refers to, behind an id or not.
CHANGED: Final = re.compile(
    rf"\({STAMP}(?P<since>[0-9T:.Z-]+)(?: or {STAMP}(?P=since))*\)(?: and ID gt (?P<after>{GUID}))?"
)
WAYS: Final = re.compile(r"((?:\w+/)*)(LastMutationDate|CreationDate) ge ")
Expansions = Mapping[str, Mapping[str, str]]
Look = Callable[[Row, str], Any]


class Filter(Filtering):
    """One parsed `$filter`. `look`: the value at a path of a row; it refuses paths that there are not."""

    def __init__(self, text: str, look: Look) -> None:
        self._look = look
        self._compared: list[tuple[str, str, Any]] = []
        self._plain = True  # nothing but comparisons
        super().__init__(text, TOKEN)

    def one(self) -> Test:
        """A comparison, a function, `not` of either, or what stands in brackets."""
        if self.skip("not"):
            self._plain = False
            inner = self.one()
            return lambda row: not inner(row)
        if self.skip("("):
            return self.bracketed()
        _, name = self.next()
        if name in FUNCTIONS:
            self._plain = False
            return self._function(name)
        (_, sign), given = self.next(), self.next()
        if sign not in ("eq", "ne", "gt", "ge", "lt", "le"):
            raise Refused(f"The operator '{sign}' is not supported")
        value = _value(*given)
        self._compared.append((name, SIGNS.get(sign, ""), value))
        self._look({}, name)  # refuses what there is not, also where no row is
        return lambda row: _compare(self._look(row, name), sign, value)

    @property
    def near(self) -> Near | None:
        """Where the rows are that it finds. Texts are compared in any case, so that only ids say it."""
        if not self._plain or "ID" not in {name for name, _, _ in self._compared}:
            return None
        return near(self._compared, ors=self.ors, ands=self.ands)

    def _function(self, name: str) -> Test:
        self.need("(")
        _, path = self.next()
        self.need(",")
        part = str(_value(*self.next())).casefold()
        self.need(")")
        self._look({}, path)
        return lambda row: FUNCTIONS[name](str(self._look(row, path) or "").casefold(), part)


def changed_since(text: str) -> tuple[datetime, list[list[str]], str] | None:
    """The time, where all that a filter asks for has changed since then, itself or what it refers to on these ways, behind
    an id or not ("")."""
    found = CHANGED.fullmatch(text)
    if found is None:
        return None
    ways = {way for way, _ in WAYS.findall(text)}
    links = [way.split("/")[:-1] for way in sorted(ways)]
    return datetime.fromisoformat(found["since"]), links, (found["after"] or "").lower()


@lru_cache(maxsize=1000)
def expansions(text: str) -> Expansions:
    """The parts of an `$expand`, each with its own options: `A($select=ID;$expand=B($select=ID)),C`. Don't change them."""
    found: dict[str, dict[str, str]] = {}
    for part in _apart(text, ","):
        name, _, options = part.strip().partition("(")
        pairs = (one.strip().partition("=") for one in _apart(options.removesuffix(")"), ";"))
        found[name] = {key: value for key, _, value in pairs if key}
    return found


def _apart(text: str, sign: str) -> list[str]:
    """Cut at a sign that stands in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise Refused(f"Syntax error in '{text}'")
    return [part for part in parts if part.strip()]


def _value(kind: str, text: str) -> Any:
    if kind == "time":
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    if kind == "number":
        return Decimal(text)
    if kind == "text":
        return text[1:-1].replace("''", "'")
    if kind == "guid":
        return text.lower()
    return {"null": None, "true": True, "false": False}.get(text, text)


def _compare(held: Any, sign: str, value: Any) -> bool:
    if isinstance(held, datetime):
        held = held.astimezone(UTC)
    if sign in ("eq", "ne"):
        same = (
            held.casefold() == value.casefold()
            if isinstance(held, str) and isinstance(value, str)
            else held == value
        )
        return same is (sign == "eq")
    if held is None or value is None:
        return False
    return bool({"gt": held > value, "ge": held >= value, "lt": held < value, "le": held <= value}[sign])
