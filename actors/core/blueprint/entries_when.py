"""Tables of entries: schedules. Taken up by entries.py, which is the whole.

Must not: read a blueprint.
"""

from __future__ import annotations

from typing import Final

from actors.core.blueprint.forms import Duration, Either, Entries, Entry, Shared, Text, Words, each

DAY_S: Final = 86_400.0
EVERY: Final = r"every\s+(\S.*)"
JITTER: Final = Duration(0.0, 7 * DAY_S)

LOADS: Final = ("instant", "scheduled")
SCHEDULE_WORDS: Final = ("instant", "command", "nightly")
_TIMED: Final = Either((Words(SCHEDULE_WORDS), Text(EVERY), Text(r"\S+(\s+\S+){4}")))
SCHEDULE: Final = (
    Entry("at", _TIMED, "the schedule", required=True, example='at: "30 2 * * 1-5"'),
    Entry("zone", Text(), "the time zone it is in", absent="the link's", example="zone: Europe/Copenhagen"),
    Entry(
        "jitter",
        JITTER,
        "instants come up to so much later, each link always by the same part of it",
        absent="the whole interval for `every`, 3h for `nightly`, none for cron",
        example="jitter: 10m",
    ),
    Entry(
        "initial_load",
        Words(LOADS),
        "`instant`: a stream's initial load goes at once, and the schedule governs what comes after it",
        absent="`scheduled`: it waits like any other change",
        example="initial_load: instant",
        rows=("T2", "T6"),
    ),
)
_SCHEDULE: Final = Shared("schedule", Either((_TIMED, Entries(SCHEDULE))))
DIRECTIONS: Final = ("a_to_b", "b_to_a")
DELIVERY: Final = Shared("delivery", Either((_SCHEDULE, each(DIRECTIONS, _SCHEDULE))))
