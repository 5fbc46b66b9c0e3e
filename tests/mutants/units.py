"""Faults in records with lines: half of them written, written twice, told by the wrong thing."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LINES = "tests/core/test_unit_lines.py::"
CORE = "tests/core/test_units.py::"
SUMS = "tests/core/test_units_sums.py::"
ACTORS = "tests/actors/test_units.py::"
STEPS = "tests/connectors/test_lines.py::"

WAITING = "tests/actors/test_waiting.py::"
MERGES = "tests/actors/test_merges.py::"
GONE = "tests/core/test_gone_merged.py::"

UNITS = (
    Mutant(
        18,
        "the lines of one side are written beside the sum of the other",
        "actors/core/units.py",
        '    said = [f"to be written: {found}" for spec, one in told if (found := _odd(spec, one, after))]',
        "    said: list[str] = []",
        (
            f"{SUMS}test_the_lines_of_one_side_never_stand_beside_the_sum_of_the_other",
            f"{SUMS}test_merged_lines_beside_the_sum_of_one_side_wait",
        ),
    ),
    Mutant(
        18,
        "of a list that was merged one side is told, since the other one's lines do not add up",
        "actors/core/units.py",
        "action.side != side and not late & action.fields.keys()]",
        "action.side != side]",
        (f"{SUMS}test_what_both_sides_are_to_be_told_goes_to_both_or_to_neither",),
    ),
    Mutant(
        18,
        "lines are put back as they were agreed on, beside a sum as it stands",
        "actors/core/newcomer.py",
        "    fresh.extend(name for names in units.added_up(stream) if own & names for name in names)\n",
        "",
        (f"{SUMS}test_found_by_sim_what_is_put_back_adds_up",),
    ),
    Mutant(
        30,
        "nobody asks whether a record that is gone was merged",
        "actors/merges.py",
        "        if taken is not None:\n",
        "        if False:\n",
        (f"{MERGES}test_redteam_30_a_merge_deletes_marks_and_brings_back_nobody_and_is_listed",),
    ),
    Mutant(
        30,
        "a merge is a deletion, whatever the rule says",
        "actors/core/gone.py",
        "    if ctx.survivor is not None:\n        merged",
        "    if False:\n        merged",
        (f"{GONE}test_by_rule", f"{MERGES}test_by_rule_the_partner_stays_and_is_let_go"),
    ),
    Mutant(
        30,
        "who was merged goes though others refer to it",
        "actors/core/gone.py",
        "    if not ctx.referring:\n        return None\n",
        "    if True:\n        return None\n",
        (
            f"{GONE}test_by_the_rule_follow",
            f"{MERGES}test_redteam_30_while_something_refers_to_it_nothing_goes_and_what_does_is_named",
        ),
    ),
    Mutant(
        30,
        "who was merged goes without a yes",
        "actors/core/gone.py",
        "kinds=(*one.kinds, MERGES))",
        "kinds=one.kinds)",
        (f"{GONE}test_by_the_rule_follow",),
    ),
    Mutant(
        26,
        "a reference is written onto a record that is gone",
        "actors/core/mapping.py",
        "        if not known:\n",
        "        if False:\n",
        (f"{WAITING}test_nobody_is_told_of_a_record_that_is_gone_there_until_it_is_back",),
    ),
    Mutant(
        18,
        "part of an order's lines counts as what somebody made of it",
        "actors/core/units.py",
        "return seen.unfinished or is_cut(before, sent, shows)",
        "return False",
        (f"{CORE}test_what_was_cut_is_completed_over_what_stands",),
    ),
    Mutant(
        18,
        "a record of which all lines stand is never let go",
        "actors/core/plan.py",
        "        action = units.let_go(stream, binding, seen, action)\n",
        "",
        (f"{CORE}test_what_stands_there_whole_and_was_not_let_go_is_written_over_itself",),
    ),
    Mutant(
        18,
        "what is found of a write that was cut is never completed",
        "actors/recover.py",
        "in_steps=in_steps,",
        "in_steps=False,",
        (f"{ACTORS}test_redteam_18_a_daemon_that_is_killed_while_it_writes_an_order_leaves_one_and_whole",),
    ),
    Mutant(
        18,
        "lines that are there already are written once more",
        "actors/core/unit_lines.py",
        "        cells: dict[str, Value] = dict(before[at].cells) if at is not None else {}\n",
        "        cells: dict[str, Value] = {}\n",
        (
            f"{LINES}test_a_changed_line_keeps_its_id_and_what_else_it_holds",
            f"{CORE}test_what_was_cut_is_completed_over_what_stands",
        ),
    ),
    Mutant(
        18,
        "lines are told by the id that their side gives them",
        "actors/core/unit_lines.py",
        "    native, cells = dict(line.cells), dict[str, Value]()\n",
        "    native, cells = dict(line.cells), dict(line.cells)\n",
        (
            f"{LINES}test_lines_that_a_system_deleted_and_inserted_are_the_same_lines",
            f"{ACTORS}test_redteam_18_lines_that_a_system_deletes_and_inserts_at_each_save_are_the_same_lines",
        ),
    ),
    Mutant(
        18,
        "an order goes though something of it is in doubt",
        "actors/core/units.py",
        "return ([] if park else go), rows",
        "return list(actions), rows",
        (f"{CORE}test_a_conflict_of_one_field_holds_back_the_whole_order",),
    ),
    Mutant(
        18,
        "a new order goes though it does not add up",
        "actors/core/newcomer.py",
        "    if odd is not None:\n",
        "    if False:\n",
        (
            f"{CORE}test_an_order_whose_sums_do_not_agree_is_held_back_and_named",
            f"{ACTORS}test_sums_that_do_not_agree_hold_the_order_back_until_they_do",
        ),
    ),
    Mutant(
        18,
        "lines that were half delivered count as all there are",
        "actors/core/unit_lines.py",
        "        if one is None:\n            return UNKNOWN\n        shared.append(one)\n",
        "        if one is not None:\n            shared.append(one)\n",
        (f"{LINES}test_lines_that_were_half_delivered_were_not_seen",),
    ),
    Mutant(
        18,
        "head and lines of two moments are one order",
        "clients/connectors/lines.py",
        "        if after == before:\n",
        "        if after is not None:\n",
        (f"{STEPS}test_head_and_lines_of_two_moments_are_read_again",),
    ),
    Mutant(
        18,
        "what was done before a refused line stays",
        "clients/connectors/lines.py",
        "            for step in reversed(self.undo):\n                await step()\n",
        "            self.undo.clear()\n",
        (
            f"{STEPS}test_a_refused_step_of_a_create_leaves_nothing",
            f"{STEPS}test_a_refused_step_of_an_update_leaves_everything_as_it_was",
        ),
    ),
)
