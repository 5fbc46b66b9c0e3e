"""Ids that are drawn here before a create: uuids, or so many letters of an alphabet, by chance."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from typing import Final

_PATTERN: Final = re.compile(r"\[([A-Za-z0-9-]+)\]\{(\d{1,2})\}")
_RANGES: Final = {"a-z": string.ascii_lowercase, "A-Z": string.ascii_uppercase, "0-9": string.digits}
_RANDOM_MIN: Final = 60  # bits: fewer, and two of many might be the same


def check_pattern(text: str) -> str:
    """What is wrong with a pattern, "" where nothing is."""
    if text in ("", "uuid"):
        return ""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return f"'{text}' is neither uuid nor like [a-z0-9]{{15}}"
    letters = _alphabet(found[1])
    if len(letters) ** int(found[2]) < 2**_RANDOM_MIN:
        return f"'{text}' gives too few ids: two of them might be the same"
    return ""


def draw(text: str) -> str:
    """One id."""
    if text == "uuid":
        return str(uuid.uuid4())
    found = _PATTERN.fullmatch(text)
    assert found is not None
    letters = _alphabet(found[1])
    return "".join(secrets.choice(letters) for _ in range(int(found[2])))


def _alphabet(text: str) -> str:
    for name, letters in _RANGES.items():
        text = text.replace(name, letters)
    return "".join(sorted(set(text)))
