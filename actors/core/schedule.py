"""When what is due is delivered: `instant`, `every 15m`, `nightly`, cron, or on `command` alone. Time is passed in. Pure.

A schedule governs delivery, never looking: changes go on being found, and wait until the next instant of delivery. At
such an instant *all* that waits goes, so whatever was missed (a daemon that was down, a run that was cut short) is caught
up with once, however many instants went by.

Cron is in local time with what Debian's cron makes of a change of clocks: what falls into the hour that spring leaves out
comes right after it, what falls into the hour that autumn has twice comes once, and what runs all day (`*` as hour or
minute) follows real time. SPEC S15, T6, G11.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from actors.core.types import Side

Kind = Literal["instant", "command", "every", "cron"]
Place = tuple[str, Side]  # a stream, and the side that is written to

NIGHTLY: Final = "0 1 * * *"
NIGHTLY_JITTER_S: Final = 3 * 3600.0
NEVER: Final = math.inf


class Schedule(msgspec.Struct, frozen=True):
    """`text`: as it was written. `every_s`: for `every`; `cron` and `zone`: for `cron`. `jitter_s`: deliveries come up to so
    much later, each link always by the same part of it, so that many links with one schedule don't start together.
    `load_at_once`: a stream's initial load waits for no schedule (T2, T6)."""

    text: str = "instant"
    kind: Kind = "instant"
    every_s: float = 0.0
    cron: str = ""
    zone: str = "UTC"
    jitter_s: float = 0.0
    load_at_once: bool = False


INSTANT: Final = Schedule()
COMMAND: Final = Schedule("command", "command")


def every(text: str, seconds: float, jitter_s: float | None = None) -> Schedule:
    """Every so many seconds. Where nothing is said of jitter, links are spread over the whole interval."""
    return Schedule(text, "every", every_s=seconds, jitter_s=seconds if jitter_s is None else jitter_s)


def cron(text: str, expression: str, zone: str, jitter_s: float = 0.0) -> Schedule:
    """By a cron expression of five fields. Raises ValueError naming what is wrong with it, or with the zone."""
    if len(expression.split()) != 5:
        raise ValueError(f"{expression!r} is no cron expression: it has five fields, as in 30 2 * * 1-5")
    try:
        next(CronSim(expression, _local(0.0, zone)), None)
    except CronSimError as error:
        said = re.sub(r"^Bad ", "", str(error))
        raise ValueError(f"{expression!r} is no cron expression: {said} can't be read") from error
    return Schedule(text, "cron", cron=expression, zone=zone, jitter_s=jitter_s)


def check_zone(zone: str) -> None:
    """Raises ValueError where there is no time zone of that name."""
    _local(0.0, zone)


def spread(link: str) -> float:
    """The place of a link within any jitter, from 0 to 1: always the same, and another one for every link."""
    return zlib.crc32(link.encode()) / 2**32


def next_after(schedule: Schedule, place: float, after: float) -> float:
    """The first instant of delivery later than `after`, epoch seconds; `NEVER` where it needs a command.

    `place`: the link's, within the jitter. `instant` is always now.
    """
    if schedule.kind == "instant":
        return after
    if schedule.kind == "command":
        return NEVER
    shift_s = schedule.jitter_s * place
    if schedule.kind == "every":
        return (math.floor((after - shift_s) / schedule.every_s) + 1) * schedule.every_s + shift_s
    # Whole seconds: the expression knows no others.
    for tick in CronSim(schedule.cron, _local(math.floor(after - shift_s), schedule.zone)):
        if (at := tick.timestamp() + shift_s) > after:
            return at
    return NEVER


def goes_at(schedule: Schedule, place: float, delivered: float, now: float) -> float:
    """When what waits now goes: `now` where an instant of delivery has come since the last one, else the next one.

    `delivered`: when the last run began that delivered all there was; 0 = there was none, and time counts from now on.
    """
    due = next_after(schedule, place, min(delivered or now, now))
    return now if due <= now else due


def _local(at: float, zone: str) -> datetime:
    if not zone or zone.startswith(("/", ".")):
        raise ValueError(f"{zone!r} is no time zone; they are named like Europe/Brussels")
    try:
        return datetime.fromtimestamp(at, UTC if zone == "UTC" else ZoneInfo(zone))
    except (LookupError, OSError, ValueError) as error:
        raise ValueError(f"there is no time zone {zone!r}; they are named like Europe/Brussels") from error


# ------------------------------------------------------------------------------------------------------- of a link


class Delivery(msgspec.Struct, frozen=True):
    """One direction of one stream that does not deliver at once. `goes_at`: when what waits goes, epoch seconds; `is_open`:
    that is now. `is_new`: nothing was ever delivered, so that the time of this look is where it counts from."""

    stream: str
    side: Side
    schedule: Schedule
    goes_at: float
    is_open: bool
    is_new: bool


def deliveries(
    schedules: Mapping[Place, Schedule], delivered: Mapping[Place, float], link: str, now: float
) -> Iterator[Delivery]:
    """How every direction stands whose schedule is not `instant`. `delivered`: as of `goes_at`, by place."""
    place = spread(link)
    for (stream, side), schedule in schedules.items():
        last = delivered.get((stream, side), 0.0)
        at = goes_at(schedule, place, last, now)
        yield Delivery(stream, side, schedule, at, at <= now, not last)


def next_delivery(
    schedules: Mapping[Place, Schedule], delivered: Mapping[Place, float], link: str, now: float
) -> float:
    """The next instant at which anything of a link is delivered by its schedule; `NEVER` where none is."""
    return min((one.goes_at for one in deliveries(schedules, delivered, link, now)), default=NEVER)
