"""Faults in what blueprints can say (actors/core): rules of fields and streams, marks, schedules."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PLAN = "tests/core/test_plan.py::"
RULES = "tests/actors/test_field_rules.py::"

OF_RULES = (
    Mutant(
        5,
        "one write found open later settles what both sides were written",
        "actors/core/settle.py",
        "        if there not in one.unknown and not same(",
        "        if False and not same(",
        (
            f"{RULES}test_redteam_05_a_list_written_on_both_sides_is_not_settled_by_one_write_found_open_later",
        ),
    ),
    Mutant(
        33,
        "a net price is written with no more places than the gross one has",
        "actors/core/lenses_money.py",
        "canonical(self._rounded(wanted, self.net_places))",
        "canonical(self._rounded(wanted, self.places))",
        ("tests/core/test_lenses_money.py::test_the_laws_hold",),
    ),
    Mutant(
        44,
        "a mark that stands is written again",
        "actors/core/gone.py",
        "if all(same(left.native.get(path), value) for path, value in marks.items()):",
        "if False:",
        (f"{PLAN}test_a_mark_that_stands_already_is_not_written_again",),
    ),
    Mutant(
        44,
        "a schedule counts every instant that was missed",
        "actors/core/schedule.py",
        "return now if due <= now else due",
        "return due",
        ("tests/core/test_schedule.py::test_a_week_that_was_missed_is_caught_up_with_once",),
    ),
)
