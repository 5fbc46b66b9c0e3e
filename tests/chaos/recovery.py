"""How long a daemon needs to be of use again: from a mishap to the first window that began after it and was settled.

Read from the daemons' logs, which say when a window was settled and how long it took. Must not: judge.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path


def windows(logs: Iterable[Path]) -> list[tuple[float, float]]:
    """(began, settled) of every window in these logs, by wall clock, in order."""
    found = []
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if '"window.settled"' not in line:
                continue
            told = json.loads(line)
            settled = datetime.fromisoformat(told["timestamp"]).timestamp()
            found.append((settled - float(told["duration_s"]), settled))
    return sorted(found)


def times(mishaps: Iterable[float], settled: Sequence[tuple[float, float]]) -> list[float]:
    """Seconds from each mishap to the next window that began after it and was settled; in order of size."""
    began = [one for one, _ in settled]
    found = []
    for at in mishaps:
        place = bisect_left(began, at)
        if place < len(settled):
            found.append(min(end for _, end in settled[place:]) - at)
    return sorted(found)
