"""Faults in the rules of fields: lenses, and what is settled of a field that both sides were written."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RULES = "tests/actors/test_field_rules.py::"

FIELDS = (
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
)
