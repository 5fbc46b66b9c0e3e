"""What is outstanding is told or not known, and never guessed (S9)."""

from __future__ import annotations

import pytest

from actors.core.backlog import REPORTS_MAX, Backlog, Report, packed, unpacked

AT = 1_780_000_000.0


@pytest.mark.parametrize(
    "reports, outstanding, until",
    [
        ((), None, None),
        ((Report("1", AT, 0),), 0, AT),
        ((Report("1", AT, 3), Report("2", AT - 60, 0)), 3, AT - 60),
        # One that does not tell, or never reported, leaves the whole unknown.
        ((Report("1", AT, 3), Report("2", AT)), None, AT),
        ((Report("1", AT, 3), Report("2", None, 1)), 4, None),
    ],
)
def test_one_that_does_not_tell_leaves_the_whole_unknown(
    reports: tuple[Report, ...], outstanding: int | None, until: float | None
) -> None:
    backlog = Backlog("receipts", "b", reports)
    assert (backlog.outstanding, backlog.until) == (outstanding, until)
    assert unpacked(packed([backlog])) == [backlog]


def test_in_words() -> None:
    assert Backlog("r", "a").said == "outstanding: not known; reported until: not known"
    told = Backlog("r", "a", (Report("1", AT, 2),)).said
    assert told == "outstanding: 2; reported until: 2026-05-28T20:26:40+00:00"


def test_what_is_kept_is_bounded_and_nothing_is_kept_as_nothing() -> None:
    many = Backlog("r", "a", tuple(Report(str(number)) for number in range(REPORTS_MAX + 5)))
    (kept,) = unpacked(packed([many]))
    assert len(kept.reports) == REPORTS_MAX
    assert (packed([]), unpacked("")) == ("", [])
