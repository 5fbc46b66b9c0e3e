"""Faults in the rules of streams: moves, gates, what waits, documents, what is put back."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MOVES = "tests/actors/test_moves.py::"
GATES = "tests/actors/test_gates.py::"
KEYS = "tests/actors/test_gates_keys.py::"
DOCUMENTS = "tests/actors/test_documents.py::"
LOST = "tests/actors/test_recover_keys.py::"
REPLACED = "tests/actors/test_replaced.py::"

STREAMS = (
    Mutant(
        12,
        "what is on its way spends nothing",
        "daemon/store/queries/settling.sql",
        "where link = $1 and state in ('sent', 'unconfirmed') and stream = $2",
        "where link = $1 and state = 'none' and stream = $2",
        ("tests/store/test_pg.py::TestSettle::test_the_ledger_counts_what_may_have_been_done",),
    ),
    Mutant(
        29,
        "another record under the same id is one huge edit",
        "actors/core/replaced.py",
        "        if seen.side not in ctx.reused or not seems_another(stream, binding, seen):",
        "        if True:",
        (
            f"{REPLACED}test_redteam_29_nothing_is_written_until_a_person_says_who_it_is_and_then_both_are_right",
        ),
    ),
    Mutant(
        29,
        "a record under a used id is written unlooked",
        "actors/window.py",
        "reused=self._carrier.reused()",
        "",
        (
            "tests/sim/test_found_faults.py::test_a_number_that_is_given_to_another_record_makes_nobody_somebody_else",
        ),
    ),
    Mutant(
        19,
        "a match key that is left does not tell who has moved",
        "actors/core/moved.py",
        "return len(here) == 1 and not there",
        "return False",
        (f"{MOVES}test_redteam_19_a_record_with_a_new_id_is_known_by_a_match_key_that_is_left",),
    ),
    Mutant(
        20,
        "a staged document is made though nobody said so",
        "actors/core/documents.py",
        "    if target not in stream.stages:\n",
        "    if True:\n",
        (f"{DOCUMENTS}test_redteam_20_nothing_is_made_before_somebody_imports_it_and_then_it_is_made_once",),
    ),
    Mutant(
        20,
        "a yes to an import counts for whatever the document shows now",
        "actors/core/documents.py",
        "as_shown = before is not None and before.fingerprint == print_",
        "as_shown = before is not None",
        (
            f"{DOCUMENTS}test_redteam_20_what_changed_since_it_was_staged_is_shown_again_before_it_is_imported",
        ),
    ),
    Mutant(
        20,
        "what was cut while a document was made stays half where it is written once",
        "actors/core/units.py",
        "stands is not None and stands.reason == CUT",
        "False",
        (
            "tests/core/test_units.py::test_what_was_cut_is_completed_where_it_is_written_once_and_later_changes_are_listed",
        ),
    ),
    Mutant(
        20,
        "a decision to import waits for the schedule",
        "actors/newcomers.py",
        "return [half for half in halves if half.key in said_yes]",
        "return []",
        (
            "tests/actors/test_delivery.py::test_a_decision_to_import_waits_for_no_schedule_and_what_nobody_decided_does",
        ),
    ),
    Mutant(
        20,
        "what was made once is changed with its origin",
        "actors/core/plan.py",
        "    if not wanted or seen.side not in stream.once:\n",
        "    if True:\n",
        (
            f"{DOCUMENTS}test_redteam_20_an_invoice_that_is_set_back_edited_and_sent_again_is_listed_and_not_booked_again",
        ),
    ),
    Mutant(
        8,
        "a deletion is forgotten while the record that is left goes on taking part",
        "actors/core/gates.py",
        "is_in is None or is_in is (SHUT not in binding.note)",
        "is_in is None",
        (f"{GATES}test_redteam_08_what_was_deleted_there_is_made_anew_only_when_it_takes_part_anew",),
    ),
    Mutant(
        12,
        "each link of a hub has a whole budget of its own there",
        "actors/core/guard.py",
        "    for side, hub in ledger.hubs.items():\n",
        "    for side, hub in ():\n",
        (
            "tests/core/test_guard.py::test_what_other_links_of_an_account_did_there_counts_there_and_nowhere_else",
            "tests/actors/test_hub_budgets.py::test_what_all_links_of_a_hub_do_there_counts_together_and_the_plan_names_it",
        ),
    ),
    Mutant(
        31,
        "whoever has the key of a record that is kept out is made beside it",
        "actors/newcomers.py",
        "            elif beside := holders(stream, whole, group):\n",
        "            elif beside := None:\n",
        (
            f"{KEYS}test_whoever_has_the_key_of_a_record_that_is_kept_out_waits_for_a_person_and_makes_no_second_one",
        ),
    ),
    Mutant(
        31,
        "a record that is kept out holds its keys though it is one of another role",
        "actors/core/gates.py",
        "    if stream.gates[seen.side].keys is GateKeys.FREE:\n",
        "    if False:\n",
        (f"{KEYS}test_where_the_keys_are_free_a_record_of_another_role_is_no_match",),
    ),
    Mutant(
        45,
        "a record that is put back has lost what only its side knew",
        "actors/core/newcomer.py",
        "Shown({**_own_values(half, side), **write.native}, write.shown)",
        "Shown(write.native, write.shown)",
        ("tests/actors/test_own_values.py::test_redteam_45_what_only_its_side_knew_is_there_again",),
    ),
    Mutant(
        31,
        "what took part before the activation counts as newly taking part",
        "actors/core/gates.py",
        " if note is not None else gate.on is GateOn.EDGE and not loaded",
        " if note is not None else False",
        (f"{GATES}test_redteam_31_what_was_so_before_the_activation_does_not_go_whoever_saves_it_again",),
    ),
    Mutant(
        19,
        "a deletion is concluded before what is new was looked at",
        "actors/window.py",
        "totals_known=window.totals_known, concludes=False",
        "totals_known=window.totals_known, concludes=True",
        (f"{MOVES}test_redteam_19_a_record_with_a_new_number_stays_the_same_record",),
    ),
    Mutant(
        19,
        "what is gone is deleted while it can't be said which of two it is",
        "actors/newcomers.py",
        "        self._moves.leave(without(group, self._apart) for group in groups)\n",
        "",
        (f"{MOVES}test_redteam_19_of_two_new_records_that_may_be_the_one_gone_none_is_guessed",),
    ),
    Mutant(
        26,
        "nobody wakes what waits when its parent has come",
        "actors/run.py",
        "            await wake(state, stream)\n",
        "",
        (
            "tests/actors/test_waiting.py::test_redteam_26_a_pair_that_waits_for_a_parent_goes_on_when_it_comes",
        ),
    ),
    Mutant(
        20,
        "a staged document that is gone leaves without a word",
        "actors/core/newcomer.py",
        "drop=True, items=never_imported(stream, half, seen, ctx.parked)",
        "drop=True",
        (
            f"{DOCUMENTS}test_what_is_gone_before_it_was_imported_is_told_with_what_it_was_and_staged_again_when_it_is_back",
        ),
    ),
    Mutant(
        5,
        "half of a match key tells which record a lost create made",
        "actors/recover.py",
        "found = [one for one in found if _may_hold(one, key)]",
        "pass",
        (f"{LOST}test_a_create_without_a_reply_is_found_by_both_fields_or_made_once_more",),
    ),
    Mutant(
        5,
        "a look-up that may be cut proves that a record is not there",
        "actors/recover.py",
        "if len(key) > 1 and len(seen) > HOLDERS_MAX:",
        "if False:",
        (f"{LOST}test_a_look_up_that_may_be_cut_tells_nothing",),
    ),
)
