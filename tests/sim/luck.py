"""Where the simulation's chance comes from: one source per purpose, each replayed by its seed."""

from __future__ import annotations

import random


def source(*purpose: object) -> random.Random:
    """The source for a purpose; equal words, equal draws."""
    return random.Random("/".join(str(word) for word in purpose))  # noqa: S311 (replayed on purpose)
