"""What a system has still to get itself: records that were made elsewhere (on a till's tablet) and not handed over to it.

Nobody guesses: how many there are is what the system tells, or not known, and beside it stands until when whoever makes
them has reported. Pure. SPEC S9.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from actors.core.types import Side

REPORTS_MAX: Final = 100
UNKNOWN: Final = "not known"


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one who makes records for a system. `of`: as people call it. `until`: when it reported last, wall
    clock, epoch seconds. `outstanding`: records it held then and had not handed over. None: not known."""

    of: str
    until: float | None = None
    outstanding: int | None = None


class Backlog(msgspec.Struct, frozen=True):
    """What is outstanding at one side of a stream, as its system told before it was looked at."""

    stream: str
    side: Side
    reports: tuple[Report, ...] = ()

    @property
    def outstanding(self) -> int | None:
        """How many records, all together; None: not known, for somebody at least."""
        told = [one.outstanding for one in self.reports]
        known = [count for count in told if count is not None]
        return sum(known) if known and len(known) == len(told) else None

    @property
    def until(self) -> float | None:
        """Until when everybody has reported; None: not known, for somebody at least."""
        told = [one.until for one in self.reports]
        known = [at for at in told if at is not None]
        return min(known) if known and len(known) == len(told) else None

    @property
    def said(self) -> str:
        """In words."""
        count, until = self.outstanding, self.until
        at = UNKNOWN if until is None else datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
        return f"outstanding: {UNKNOWN if count is None else count}; reported until: {at}"


def packed(backlogs: Sequence[Backlog]) -> str:
    """As a text that is kept; "" for none."""
    bounded = [
        msgspec.structs.replace(one, reports=one.reports[:REPORTS_MAX])
        if len(one.reports) > REPORTS_MAX
        else one
        for one in backlogs
    ]
    return msgspec.json.encode(bounded).decode() if bounded else ""


def unpacked(text: str) -> list[Backlog]:
    """What `packed` made."""
    return msgspec.json.decode(text, type=list[Backlog]) if text else []
