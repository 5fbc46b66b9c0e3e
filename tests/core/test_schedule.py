"""core/schedule.py on tables and on drawn times: cron and time zones, days on which clocks change, jitter, catching up."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core import schedule
from actors.core.schedule import COMMAND, INSTANT, NEVER, Schedule, goes_at, next_after

BRUSSELS = "Europe/Brussels"
DAY_S = 86_400.0


def at(text: str, zone: str = "UTC") -> float:
    """Local time as epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def ticks(rule: Schedule, start: float, count: int, zone: str = BRUSSELS) -> list[str]:
    """The next instants in local time."""
    out = []
    for _ in range(count):
        start = next_after(rule, 0.0, start)
        out.append(datetime.fromtimestamp(start, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return out


def cron(expression: str, zone: str = BRUSSELS, jitter_s: float = 0.0) -> Schedule:
    return schedule.cron(expression, expression, zone, jitter_s)


# The clock of Brussels jumps from 02:00 to 03:00 on 29 March 2026 and from 03:00 back to 02:00 on 25 October 2026.
DAYS: list[tuple[str, str, str, list[str]]] = [
    (
        "an hour that spring leaves out: right after it, once",
        "30 2 * * *",
        "2026-03-28T03:00",
        ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
    ),
    (
        "several in the hour that spring leaves out: still once",
        "10,40 2 * * *",
        "2026-03-28T03:00",
        ["2026-03-29T03:00+02:00", "2026-03-30T02:10+02:00"],
    ),
    (
        "beside the hour that spring leaves out",
        "30 3 * * *",
        "2026-03-28T04:00",
        ["2026-03-29T03:30+02:00", "2026-03-30T03:30+02:00"],
    ),
    (
        "all day long, in spring: real time",
        "*/30 * * * *",
        "2026-03-29T01:00",
        ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"],
    ),
    (
        "an hour that autumn has twice: once",
        "30 2 * * *",
        "2026-10-24T03:00",
        ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
    ),
    (
        "all day long, in autumn: real time",
        "*/30 * * * *",
        "2026-10-25T01:31",
        [
            *("2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"),
            *("2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00", "2026-10-25T03:00+01:00"),
        ],
    ),
    (
        "working days",
        "0 22 * * MON-FRI",
        "2026-01-01T23:00",
        ["2026-01-02T22:00+01:00", "2026-01-05T22:00+01:00"],
    ),
    ("the 29th of February", "0 0 29 2 *", "2026-01-01T00:00", ["2028-02-29T00:00+01:00"]),
]


@pytest.mark.parametrize("story, expression, start, wanted", DAYS, ids=[row[0] for row in DAYS])
def test_cron_in_local_time(story: str, expression: str, start: str, wanted: list[str]) -> None:
    assert ticks(cron(expression), at(start, BRUSSELS), len(wanted)) == wanted


@pytest.mark.parametrize(
    "expression",
    ["61 * * * *", "* * *", "0 0 31 2 *", "@daily", "a b c d e", "* * * * * *", "", "0 0 0 0 0"],
)
def test_what_is_no_cron_expression(expression: str) -> None:
    with pytest.raises(ValueError, match="is no cron expression"):
        cron(expression)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "", "Europe", "x" * 400, "a\0b"]
)
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        cron("0 2 * * *", zone)


def test_jitter_moves_every_instant_of_a_link_by_the_same_part() -> None:
    rule = cron("0 1 * * *", "UTC", jitter_s=3600)
    first = next_after(rule, 0.25, at("2026-05-01T00:00"))
    assert first == at("2026-05-01T01:15")
    assert next_after(rule, 0.25, first) == at("2026-05-02T01:15")
    # Within the jitter, between the tick and our place in it.
    assert next_after(rule, 0.25, at("2026-05-01T01:10")) == at("2026-05-01T01:15")


def test_links_are_spread() -> None:
    places = [schedule.spread(f"link-{n}") for n in range(1000)]
    assert all(0.0 <= place < 1.0 for place in places)
    tenths = [sum(int(place * 10) == n for place in places) for n in range(10)]
    assert min(tenths) > 50


def test_command_never_comes_by_itself_and_instant_always_is() -> None:
    now = at("2026-05-01T00:00")
    assert goes_at(COMMAND, 0.5, 0.0, now) == NEVER
    assert goes_at(COMMAND, 0.5, 1.0, now) == NEVER
    assert goes_at(INSTANT, 0.5, 0.0, now) == now


def test_a_schedule_that_was_never_delivered_by_counts_from_now_on() -> None:
    rule = cron("0 1 * * *", "UTC")
    assert goes_at(rule, 0.0, 0.0, at("2026-05-01T01:00")) == at("2026-05-02T01:00")


def test_a_week_that_was_missed_is_caught_up_with_once() -> None:
    rule = cron("0 1 * * *", "UTC")
    now = at("2026-05-08T09:00")
    assert goes_at(rule, 0.0, at("2026-05-01T01:00"), now) == now
    assert goes_at(rule, 0.0, now, now) == at("2026-05-09T01:00")


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    rule = schedule.every("every 15m", 900)
    now = at("2026-05-08T09:00")
    due = goes_at(rule, 0.0, now + 10 * DAY_S, now)
    assert now < due <= now + 900


RULES = st.one_of(
    st.builds(
        schedule.every, st.just("every"), st.floats(10, 7 * DAY_S), st.one_of(st.none(), st.floats(0, DAY_S))
    ),
    st.builds(
        cron,
        st.sampled_from(
            ["30 2 * * *", "*/15 * * * *", "0 1 * * *", "5 0,12 1 * *", "0 22 * * 1-5", "15 */3 * * *"]
        ),
        st.sampled_from([BRUSSELS, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        st.floats(0, 6 * 3600),
    ),
)
TIMES = st.floats(at("2025-12-01T00:00"), at("2027-01-01T00:00"))


@given(RULES, st.floats(0, 1, exclude_max=True), TIMES)
def test_the_next_instant_is_later_and_every_later_time_before_it_agrees(
    rule: Schedule, place: float, now: float
) -> None:
    due = next_after(rule, place, now)
    assert now < due < NEVER
    between = now + (due - now) / 2
    assert math.isclose(next_after(rule, place, between), due, abs_tol=1e-3) or between >= due
    assert goes_at(rule, place, now, due + 0.001) == due + 0.001
    assert goes_at(rule, place, now, now) == due


@given(RULES, st.floats(0, 1, exclude_max=True), TIMES, st.floats(0, 40 * DAY_S))
def test_whatever_was_missed_opens_once(
    rule: Schedule, place: float, delivered: float, away_s: float
) -> None:
    now = delivered + away_s
    opened = goes_at(rule, place, delivered, now) <= now
    assert opened is (next_after(rule, place, delivered) <= now)
    assert (
        goes_at(rule, place, now, now) > now
    )  # after one delivery it is closed, however long nobody was there


@settings(max_examples=20)
@given(TIMES)
def test_a_nightly_delivery_comes_once_on_every_day_whatever_the_clocks_do(start: float) -> None:
    rule = cron(schedule.NIGHTLY)
    days = []
    for _ in range(400):
        start = next_after(rule, 0.0, start)
        days.append(datetime.fromtimestamp(start, ZoneInfo(BRUSSELS)).date())
    assert days == [days[0] + timedelta(days=n) for n in range(400)]


def oracle(minute: int, hour: int, zone: str) -> Callable[[datetime], datetime]:
    """A daily time on a day, worked out in another way: forward past a gap, the first of two."""

    def on(day: datetime) -> datetime:
        local = day.replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone), fold=0)
        real = local.astimezone(UTC).astimezone(ZoneInfo(zone))
        return real if real.replace(tzinfo=None) == local.replace(tzinfo=None) else real.replace(minute=0)

    return on


@settings(max_examples=20)
@given(st.integers(0, 59), st.integers(0, 23), st.sampled_from([BRUSSELS, "America/New_York", "UTC"]))
def test_a_daily_time_agrees_with_an_oracle_over_a_year(minute: int, hour: int, zone: str) -> None:
    on = oracle(minute, hour, zone)
    rule = cron(f"{minute} {hour} * * *", zone)
    now = at("2026-01-01T00:00", zone) - 1
    for day in range(365):
        now = next_after(rule, 0.0, now)
        wanted = on(datetime(2026, 1, 1) + timedelta(days=day))  # noqa: DTZ001 - the day alone
        assert datetime.fromtimestamp(now, ZoneInfo(zone)) == wanted


def test_deliveries_of_a_link_and_the_next_of_all() -> None:
    night = cron("0 1 * * *", "UTC")
    schedules: dict[schedule.Place, Schedule] = {("customers", "a"): night, ("orders", "b"): COMMAND}
    now = at("2026-05-01T12:00")
    found = {(one.stream, one.side): one for one in schedule.deliveries(schedules, {}, "l", now)}
    assert found["customers", "a"].goes_at == at("2026-05-02T01:00")
    assert found["customers", "a"].is_new and not found["customers", "a"].is_open
    assert found["orders", "b"].goes_at == NEVER
    assert schedule.next_delivery(schedules, {}, "l", now) == at("2026-05-02T01:00")
    late = schedule.deliveries(schedules, {("customers", "a"): now - 2 * DAY_S}, "l", now)
    assert [one.is_open for one in late] == [True, False]
    assert schedule.next_delivery({}, {}, "l", now) == NEVER
