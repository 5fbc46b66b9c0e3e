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
    # of the systems
    "early reads": 0.15,  # an answer takes its time, and shows what was so when it was asked for
    "rows hidden from lists": 0.15,  # a filter: complete reads, changes and searches leave records out for a while
    "rows hidden": 0.1,  # rights: asked for by its id too, the system says there is no such record
    "field not delivered": 0.15,  # a field is missing in all records and replies for a while
    "batches cut": 0.15,  # the answer about a batch breaks off, all of it was done
    "batches in disorder": 0.15,  # writes carried out, and records answered, in another order than asked
    "sessions": 0.15,  # one session at a time, sessions that end, log-ins that are not answered or refused
    "automation": 0.15,  # something in a system answers what a daemon writes there
    "rollback": 0.12,  # a side is set back to an older state, numbers of its changes and all
    "another account": 0.08,  # an address leads to another account, with the same ids
    # of the daemon
    "clock jumps": 0.12,  # a daemon's wall clock, or a system's time stamps
    "two owners": 0.1,  # two daemons, each of them frozen for longer than a lease lasts
    "API at any await": 0.12,  # runs, cancels, pauses, decisions, approvals in the middle of calls
    "state rollback": 0.1,  # the daemon's own database is set back, while no daemon runs
    # of people
    "stale forms": 0.2,  # whole records saved with values that were loaded long before
    "saved unchanged": 0.15,
    "key rename": 0.15,  # the match key of a record is changed
    "merge": 0.15,  # two records become one by hand: values moved over, the other one deleted
    # not a danger: records cross as lines, and B is empty at first
    "lines": 0.3,
    "changes as lines": 0.2,  # looked for by the time of change, and no field is a list
    # drawn later, so that nothing before it is drawn otherwise
    "moves": 0.12,  # a record is gone, and there again under another id
    "database clock jumps": 0.06,  # the one that leases are counted by
    "state rollback noticed": 0.06,  # likewise set back; the daemon sees it, and waits for a person
}

# Faults that the engine does not survive yet, and why: never drawn, only asked for. `test_found_faults.py` shows the harm.
GAPS: Final[Mapping[str, str]] = {
    "id reuse": "the systems here say that ids are never given again, and then it looks like one huge edit of the old one; "
    "where a system says otherwise a person is asked (tests/actors/test_replaced.py)",
    "state rollback of a feed": "where it is not noticed (seconds older, after a kill): a feed does not tell again what was "
    "acknowledged, so until a complete read of that side records made after the backup are made again",
}


def draw_perils(luck: random.Random) -> frozenset[str]:
    """The perils of one seed: one draw each, in the order of the table, so that a new one at its end shifts none."""
    return frozenset(name for name, chance in PERILS.items() if luck.random() < chance)
