"""Faults in the rules that came last: several objects, clash keys, initial loads, effects, attachments, undo, erasure."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SEVERAL = "tests/actors/test_several.py::"
FOUND = "tests/actors/test_several_found.py::"
AMBIGUOUS = "tests/actors/test_ambiguous.py::"
CONCLUDED = "test_found_by_sim_a_deletion_is_concluded_once_who_shares_a_key_is_said_to_be_another"
DELIVERY = "tests/actors/test_delivery.py::"
LOADS = "tests/actors/test_initial_load.py::"
EFFECTS = "tests/actors/test_effects.py::"
IMAGES = "tests/actors/test_attachments.py::"
CHOSEN = "tests/core/test_blueprint_chosen.py::"
BACK = "tests/actors/test_undoing_several.py::"
UNDO = "tests/core/test_undo.py::"
DECISIONS = "tests/actors/test_decisions.py::"
ERASED = "tests/core/test_erasure.py::"
MET = "tests/core/test_found.py::"

NEWEST = (
    Mutant(
        11,
        "what of a pair is settled later is written where the initial load writes nothing",
        "actors/core/initial.py",
        "    if side in stream.initial_load or not (meets or is_met(binding)):",
        "    if side in stream.initial_load or not meets:",
        ("tests/core/test_initial.py::test_what_is_settled_later_of_a_pair_that_met_is_left_as_it_is_too",),
    ),
    Mutant(
        11,
        "of a pair that met nothing goes any more while a part of it is not settled",
        "actors/core/initial.py",
        "    if not meets:\n",
        "    if False:\n",
        (
            "tests/core/test_initial.py::test_an_edit_of_what_is_settled_goes_though_the_rest_of_the_pair_is_not",
        ),
    ),
    Mutant(
        25,
        "a word about one of two conflicts of a unit is dropped while the other one is open",
        "actors/core/plan.py",
        "    return [row for row in words if row.field in waiting]",
        "    return []",
        (
            f"{DECISIONS}test_of_two_conflicts_of_one_unit_the_first_word_waits_for_the_second",
            "tests/core/test_decided.py::test_a_word_outlives_a_look_that_did_not_bring_its_field",
        ),
    ),
    Mutant(
        25,
        "what is refused takes a word along that it has nothing to do with",
        "actors/conclude.py",
        "    return any(stream.field(name).unit == unit for name in action.fields)",
        "    return True",
        (f"{DECISIONS}test_a_word_whose_direction_is_closed_outlives_what_is_refused_the_other_way",),
    ),
    Mutant(
        19,
        "who stood beside a record that is gone stays there, and it counts as deleted",
        "actors/beside.py",
        "return [(half, moved_to(half)) for half in await _noted(state, stream, lost)]",
        "return [(half, moved_to(half)) for half in await _noted(state, stream, lost) if False]",
        (f"{FOUND}test_found_by_sim_who_stands_beside_is_the_record_once_the_other_one_is_gone",),
    ),
    Mutant(
        19,
        "who stood beside a record that was deleted on both sides stays there, and nobody hears of him",
        "actors/beside.py",
        "    free = [half for those in halves.values() for half in those]",
        "    free = list[Binding]()",
        (
            f"{FOUND}test_found_by_sim_who_stood_beside_a_record_that_was_deleted_on_both_sides_is_told_to_a_person",
        ),
    ),
    Mutant(
        11,
        "a list of a pair that meets is settled before the side that the initial load writes is written",
        "actors/core/plan.py",
        "        if name in merged.writes[there] and name not in both:",
        "        if False and name not in both:",
        ("tests/core/test_initial.py",),
    ),
    Mutant(
        9,
        "who shows a key that is not stored yet is no reason to make nobody with it",
        "actors/untold.py",
        "    return bool(keys) and (UNKNOWN_KEY in keys or",
        "    return False and (UNKNOWN_KEY in keys or",
        ("tests/actors/test_untold.py",),
    ),
    Mutant(
        19,
        "who stands beside a record that gets another id is not known beside that",
        "actors/beside.py",
        'return f"{half.note.removesuffix(record)}{ids[record]}"',
        "return half.note",
        (
            f"{FOUND}test_found_by_sim_who_stands_beside_is_the_record_whichever_id_the_other_one_had_last",
            f"{FOUND}test_who_stands_beside_is_the_record_also_where_we_moved_the_other_one_since",
        ),
    ),
    Mutant(
        19,
        "what our own move kept in the old object is taken for the record once the new one is gone",
        "actors/core/several.py",
        'Held(was.id), f"{KEPT}{record}")',
        'Held(was.id), f"{BESIDE}{record}")',
        (f"{FOUND}test_what_our_move_kept_in_the_old_object_is_not_the_record_again",),
    ),
    Mutant(
        19,
        "a deletion waits for good where everybody who shares a key was said to be another",
        "actors/newcomers.py",
        "        self._moves.leave(without(group, self._apart) for group in unclear)",
        "        self._moves.leave(unclear)",
        (f"{AMBIGUOUS}{CONCLUDED}",),
    ),
    Mutant(
        7,
        "what waits to be put back is forgotten when its record is not to be seen",
        "actors/core/newcomer.py",
        "    if RESTORE not in half.note or seen.side in ctx.reused:",
        "    if True:",
        ("tests/actors/test_put_back.py",),
    ),
    Mutant(
        26,
        "what a command finds too early is left to the next command, and to the one after that",
        "actors/state.py",
        "        if self.gate.commanded and not self.dry:\n            self.memory.asks_again(",
        "        if False:\n            self.memory.asks_again(",
        (f"{DELIVERY}test_a_command_goes_on_for_who_is_new_and_was_found_too_early",),
    ),
    Mutant(
        27,
        "a read of several objects is taken up behind its last page in an object that there is not",
        "actors/several.py",
        "    if number == len(names):",
        "    if False:",
        (f"{FOUND}test_found_by_sim_a_read_that_was_cut_short_behind_its_last_page_is_taken_up_there",),
    ),
    Mutant(
        19,
        "what was edited in the old object is removed with it",
        "actors/core/several.py",
        "    edited = {path: seen.native[path] for path, value in was.items() if not same(seen.native[path], value)}",
        "    edited: dict[str, Value] = {}",
        (f"{SEVERAL}test_what_was_changed_in_the_old_object_after_the_move_is_listed_and_not_removed",),
    ),
    Mutant(
        19,
        "who shares a clash key with a record that is gone is that one, moved",
        "actors/newcomers.py",
        "            elif binds and by_key(",
        "            elif by_key(",
        (f"{AMBIGUOUS}test_found_by_sim_who_shares_a_clash_key_with_one_that_is_gone_is_not_that_one_moved",),
    ),
    Mutant(
        5,
        "a create without an answer is looked up by a clash key",
        "actors/recover.py",
        "enumerate(stream.match) if stream.binds_by(level))",
        "enumerate(stream.match))",
        (f"{AMBIGUOUS}test_found_by_sim_a_create_that_was_not_answered_is_not_looked_up_by_a_clash_key",),
    ),
    Mutant(
        11,
        "where the initial load writes nothing at all nobody is matched",
        "actors/core/initial.py",
        "    if there not in stream.initial_load and stream.initial_load and there in stream.creates:",
        "    if there not in stream.initial_load:",
        (f"{LOADS}test_found_by_sim_where_it_writes_nothing_at_all_records_of_both_sides_meet_all_the_same",),
    ),
    Mutant(
        11,
        "the initial load makes records where it may not",
        "actors/core/initial.py",
        "        return _rests(stream, half, seen)\n    # Where the others rest too",
        "        return half\n    # Where the others rest too",
        (f"{LOADS}test_t15_t16_it_writes_nothing_there_takes_its_values_and_goes_once_something_changes",),
    ),
    Mutant(
        20,
        "a document that was there already has its effects once more",
        "actors/core/effects.py",
        "    if not stream.follows:\n        return half\n",
        "    if True:\n        return half\n",
        (
            f"{EFFECTS}test_a_document_that_was_there_already_has_had_its_effects",
            f"{EFFECTS}test_an_import_makes_the_document_and_its_effect_once_and_what_is_staged_has_none",
        ),
    ),
    Mutant(
        20,
        "a document that was found made after a crash has no effects",
        "actors/recover.py",
        "        told, due = await effects.of_made(state, stream, other(action.side), made)\n",
        "        told, due = await effects.of_made(state, stream, other(action.side), [])\n",
        ("tests/sim/test_mutations_newest.py::test_every_newest_rule_is_drawn_and_kept[effects]",),
    ),
    Mutant(
        1,
        "an image is written that is not the one that was looked at",
        "actors/attached.py",
        "        if content is None or describe(content) != str(told):\n",
        "        if content is None:\n",
        (f"{IMAGES}test_an_image_that_changes_between_look_and_fetch_is_looked_at_again",),
    ),
    Mutant(
        27,
        "an image of any size is fetched",
        "actors/attached.py",
        "        if told.size > SIZE_MAX:\n",
        "        if False:\n",
        (f"{IMAGES}test_what_is_too_large_is_listed_and_nothing_is_fetched",),
    ),
    Mutant(
        26,
        "who refers to a stream that is not active waits for it",
        "actors/core/blueprint/chosen.py",
        '        if isinstance(field, Mapping) and field.get("reference") in off:\n            continue\n',
        "",
        (
            f"{CHOSEN}test_what_is_not_chosen_is_not_there",
            f"{CHOSEN}test_a_field_of_a_line_goes_as_well",
        ),
    ),
    Mutant(
        35,
        "what nobody knows the outcome of leaves the plan, and is never taken back",
        "actors/undoing.py",
        "            if again.reason == UNDER_WAY:\n",
        "            if False:\n",
        ("tests/actors/test_undoing.py::test_a_kill_while_it_is_taken_back_loses_and_doubles_nothing",),
    ),
    Mutant(
        35,
        "a move that was taken back counts as a record that was made again",
        "actors/core/undo.py",
        "    if not _changes(stream, action):\n",
        "    if action.op is not Op.UPDATE:\n",
        (f"{BACK}test_a_move_is_moved_back_with_all_that_the_record_holds_and_stays_there",),
    ),
    Mutant(
        35,
        "what was deleted in one of several objects is made again in no matter which",
        "actors/core/undo.py",
        "return Shown({**write.native, RECORD_OBJECT: stood}, write.shown)",
        "return Shown({**write.native, RECORD_OBJECT: stream.objects_on(done.side)[0]}, write.shown)",
        (f"{BACK}test_what_was_deleted_there_is_made_again_in_its_own_object",),
    ),
    Mutant(
        42,
        "what stood for an erased record in another object is remembered",
        "daemon/store/admin_erasure.py",
        "    while side is not None and ways:\n",
        "    while False and ways:\n",
        (
            "tests/store/test_admin_erasure.py::test_whichever_of_its_places_is_named_all_are_erased_and_nobody_elses",
        ),
    ),
    Mutant(
        35,
        "what was edited since is undone as well",
        "actors/core/undo.py",
        "    if moved := _moved(stream, done, binding, looks, names):\n",
        "    if moved := None:\n",
        (f"{UNDO}test_what_does_not_stand_as_the_run_left_it_is_left",),
    ),
    Mutant(
        35,
        "what was made is deleted though the rules delete nothing there",
        "actors/core/undo.py",
        "    if policy is not DeletePolicy.REMOVE:\n",
        "    if False:\n",
        (
            f"{UNDO}test_what_can_not_be_taken_back_says_why",
            "tests/actors/test_undoing.py::test_what_was_made_is_deleted_only_where_the_rules_let_a_deletion_do_that",
        ),
    ),
    Mutant(
        42,
        "a write is planned on values that were erased",
        "actors/core/erasure.py",
        "    return any(\n        one.reason == ERASED\n",
        "    return not any(\n        one.reason == ERASED\n",
        (f"{ERASED}test_no_write_is_planned_on_what_is_known_as_a_hash_without_a_look",),
    ),
    Mutant(
        42,
        "an erased record is new at the next look",
        "actors/core/erasure.py",
        "    dev = {name: Deviation(erased(value, salt), ERASED) for name, value in kept.items()}\n",
        "    dev: dict[str, Deviation] = {}\n",
        (
            f"{ERASED}test_nobody_is_asked_and_nothing_is_written_until_somebody_edits",
            "tests/actors/test_erasure.py::test_redteam_42_complete_reads_find_nothing_new_and_an_edit_goes_over",
        ),
    ),
    Mutant(
        14,
        "what is contested goes by the conflict rule and not to its owner",
        "actors/core/plan.py",
        "    return {p.field: p.fingerprint for p in every if not p.reason.startswith(CONTESTED)}\n",
        "    return {p.field: p.fingerprint for p in every}\n",
        (f"{MET}test_what_is_contested_and_edited_on_both_sides_stays_its_owners",),
    ),
    Mutant(
        31,
        "what is to be put back is matched with nobody first",
        "actors/newcomers.py",
        "        if await self._conclude(stream, taken):\n",
        "        if await self._conclude(stream, taken) and False:\n",
        (
            "tests/actors/test_gates_keys.py::test_what_is_to_be_put_back_is_not_made_beside_one_that_is_kept_out",
        ),
    ),
)
