"""Ids that lie close together, as ranges: one question for many records where a list of ids has its limits.

Pure. Must not: leave out an id, or ask for many that nobody wants.
"""

from __future__ import annotations

from collections.abc import Iterable

WASTE_MAX = 2  # a range holds at most so many times the ids that are wanted


def ranges(ids: Iterable[int], least: int, most: int) -> tuple[list[range], list[int]]:
    """Ranges of at most `most` ids that hold at least `least` wanted ones, and the ids that lie in none of them."""
    found: list[range] = []
    alone: list[int] = []
    run: list[int] = []
    for id_ in (*sorted(set(ids)), None):
        span = 0 if id_ is None or not run else id_ - run[0] + 1
        if run and (id_ is None or span > most or span > WASTE_MAX * (len(run) + 1)):
            if len(run) >= least:
                found.append(range(run[0], run[-1] + 1))
            else:
                alone += run
            run = []
        if id_ is not None:
            run.append(id_)
    return found, alone
