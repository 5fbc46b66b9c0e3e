"""Everything that can go wrong in a simulated world, by name, with the chance that a seed draws it.

Each seed has some of them, never all, so that one fault does not drown what another one shows. A test may ask for one
by name (`draw(seed, also={"rollback"})`). What the systems' own `Faults` do is drawn apart (scenario.py).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

PERILS: Final[Mapping[str, float]] = {
    "capacity 1": 0.08,  # window, batch, concurrency, mailbox: one of everything
}


def draw_perils(luck: random.Random) -> frozenset[str]:
    """The perils of one seed: one draw each, in the order of the table, so that a new one at its end shifts none."""
    return frozenset(name for name, chance in PERILS.items() if luck.random() < chance)
