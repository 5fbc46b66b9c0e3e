"""Text for a terminal: nothing that steers it, values that can be told apart, times and durations that can be read.

Must not: know messages.
"""

from __future__ import annotations

import json
from datetime import timedelta

# Escape sequences in what a system said must not move the cursor or recolour the screen.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """The text with control characters spelled out; line breaks and tabs stay."""
    return text.translate(_CONTROL)


def quoted(text: str) -> str:
    """The text, in quotes where it would run into its neighbours on a line of `key=value`."""
    plain = text and not any(char.isspace() or char in '="[]' for char in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def moment(rfc3339: str) -> str:
    """2026-05-04T12:30:00.25Z -> 2026-05-04 12:30:00Z"""
    return f"{rfc3339[:19].replace('T', ' ')}Z"


def duration(length: timedelta) -> str:
    """1d 2h 3m 4.5s, without the parts that are zero."""
    minutes, seconds = divmod(length.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if count]
    return " ".join([*parts, f"{seconds:.10g}s"] if seconds or not parts else parts)
