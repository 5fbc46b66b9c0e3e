"""Ids for new rows: patterns, and the counters that make sure that no id is given out twice.

The counters live in `.tandem-ids.json` in the folder, since an id may be reserved long before its row is written, by a
process that is gone by then. Must not: be called without the folder's lock.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COUNTERS: Final = ".tandem-ids.json"
_PATTERN: Final = re.compile(r"([^{}]*)\{number(?::0?(\d{1,2})d)?\}([^{}]*)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """How ids look: a number of at least `width` digits between two texts; `random`: a UUID instead."""

    before: str = ""
    width: int = 1
    after: str = ""
    random: bool = False

    def show(self, number: int) -> str:
        """The id with this number."""
        return f"{self.before}{number:0{self.width}d}{self.after}"

    def number(self, id_: str) -> int:
        """The number of an id of this pattern; 0 for any other."""
        digits = id_[len(self.before) : len(id_) - len(self.after)]
        if id_.startswith(self.before) and id_.endswith(self.after) and re.fullmatch(r"[0-9]{1,18}", digits):
            return int(digits)
        return 0


class BadCounters(Exception):
    """The counter file cannot be understood."""


def pattern(text: object) -> Pattern | None:
    """The pattern that a setting states; None for "none". Raises ValueError."""
    if text == "none":
        return None
    if text == "uuid":
        return Pattern(random=True)
    if isinstance(text, str) and (found := _PATTERN.fullmatch(text)):
        return Pattern(found[1], int(found[2] or 1), found[3])
    raise ValueError("must be none, uuid, or a text with one {number}, such as K{number:05d}")


def draw(folder: Path, file: str, wanted: Pattern, taken: Iterable[str], count: int) -> list[str]:
    """`count` ids that neither stand in the file nor were ever drawn; remembered on disk before they are returned.

    Raises `BadCounters`, `OSError`.
    """
    if wanted.random:
        return [str(uuid.uuid4()) for _ in range(count)]
    counters = _counters(folder)
    name = f"{file}:{wanted.before}#{wanted.after}"
    last = max(counters.get(name, 0), max(map(wanted.number, taken), default=0))
    _keep(folder, {**counters, name: last + count})
    return [wanted.show(last + step) for step in range(1, count + 1)]


def _counters(folder: Path) -> dict[str, int]:
    try:
        found = json.loads((folder / COUNTERS).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BadCounters(f"{COUNTERS} is damaged: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(last, int) for last in found.values()):
        raise BadCounters(f"{COUNTERS} is damaged: it must hold a number per file")
    return found


def _keep(folder: Path, counters: dict[str, int]) -> None:
    new = folder / f"{COUNTERS}.tmp"
    with new.open("w", encoding="utf-8") as file:
        json.dump(counters, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / COUNTERS)
