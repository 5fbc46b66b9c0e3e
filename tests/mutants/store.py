"""Faults in what the daemon keeps (daemon/store): leases, revisions, inbox, plans, ids. Their tests need PostgreSQL."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PG = "tests/store/test_pg.py::"
SETTINGS = "tests/store/test_admin_settings.py::"
ADMIN = "tests/store/test_admin.py::"
QUERIES = "daemon/store/queries/"

STORE = (
    Mutant(
        4,
        "a settlement does not ask for the lease",
        "daemon/store/base.py",
        '            if await connection.fetchval(sql("fence"), lease.link, lease.owner, lease.epoch) is None:\n'
        "                raise lost(lease)\n",
        "",
        (f"{PG}TestFence::test_a_stale_lease_changes_nothing_anywhere",),
    ),
    Mutant(
        5,
        "intents are not flushed before anything leaves",
        f"{QUERIES}settling.sql",
        "select set_config('synchronous_commit', 'on', true) from fence",
        "select null from fence",
        (f"{PG}test_intents_are_flushed_even_where_the_session_does_not_ask_for_it",),
    ),
    Mutant(
        7,
        "a binding made during a complete read was not met by it",
        f"{QUERIES}bindings.sql",
        "case when b_id is null then 0 else greatest(b_gen, b_met) end",
        "b_gen",
        (f"{PG}TestGenerations::test_bindings_made_after_the_read_began_count_as_met",),
    ),
    Mutant(
        10,
        "a hint is acknowledged although it came again",
        f"{QUERIES}inbox.sql",
        " and inbox.seq <= n.seq",
        "",
        (f"{PG}TestInbox::test_a_hint_added_again_between_reading_and_acknowledging_survives",),
    ),
    Mutant(
        10,
        "a hint that comes again keeps its number",
        f"{QUERIES}inbox.sql",
        "set seq = excluded.seq,\n    --",
        "set seq = inbox.seq,\n    --",
        (
            f"{PG}TestInbox::test_a_hint_added_again_between_reading_and_acknowledging_survives",
            f"{PG}TestInbox::test_adding_again_coalesces_with_a_larger_seq_and_the_smaller_not_before",
        ),
    ),
    Mutant(
        12,
        "the ledger forgets what former runs spent",
        f"{QUERIES}settling.sql",
        "    set used = budget_use.used + excluded.used\n",
        "    set used = excluded.used\n",
        (f"{PG}TestSettle::test_the_ledger_is_a_window_over_hours",),
    ),
    Mutant(
        13,
        "a lease that has not run out is taken away",
        f"{QUERIES}links.sql",
        "and (owner in ('', $2) or lease_until <= clock_timestamp())",
        "and $2 <> ''",
        (f"{PG}TestLinks::test_of_two_owners_one_gets_the_lease",),
    ),
    Mutant(
        13,
        "an owner commits after its lease",
        f"{QUERIES}links.sql",
        "where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()\nfor share",
        "where id = $1 and owner = $2 and epoch = $3\nfor share",
        (
            f"{PG}TestFence::test_a_stale_lease_changes_nothing_anywhere",
            f"{PG}test_a_lease_ends_by_the_clock_of_the_database",
        ),
    ),
    Mutant(
        13,
        "an owner commits under a former epoch",
        f"{QUERIES}links.sql",
        "where id = $1 and owner = $2 and epoch = $3 and lease_until > clock_timestamp()\nfor share",
        "where id = $1 and owner = $2 and $3::bigint > 0 and lease_until > clock_timestamp()\nfor share",
        (f"{PG}TestLinks::test_the_same_owner_takes_it_again_and_its_former_lease_is_lost",),
    ),
    Mutant(
        15,
        "a record is bound twice",
        "daemon/store/migrations/0002_streams.sql",
        "create unique index bindings_b on",
        "create index bindings_b on",
        (f"{PG}TestBindings::test_a_record_is_bound_once_per_link_and_stream",),
    ),
    Mutant(
        16,
        "an account is linked with itself",
        "daemon/store/admin_links.py",
        'if a == b or (sides[0]["identity"] and sides[0]["identity"] == sides[1]["identity"]):',
        "if False:",
        (f"{ADMIN}TestLinks::test_one_account_is_not_linked_with_itself",),
    ),
    Mutant(
        17,
        "nobody looks again at what a changed mapping concerns",
        "daemon/store/admin_settings.py",
        "    hints = _whole(changes.reread)",
        "    hints = _whole(())",
        (
            "tests/store/test_admin_settings.py::test_redteam_17_what_a_changed_mapping_concerns_is_looked_at_again",
        ),
    ),
    Mutant(
        21,
        "what was settled before the backup still counts",
        f"{QUERIES}admin_system.sql",
        "set state = 'matched', base = '{}', a_dev = null, b_dev = null, contests = null, rev = rev + 1",
        "set rev = rev + 1",
        (f"{PG}TestRecovery::test_what_was_settled_has_to_meet_afresh_and_the_rest_is_as_it_was",),
    ),
    Mutant(
        21,
        "links go on by themselves over an older state",
        f"{QUERIES}admin_system.sql",
        "update links set wish = 'paused', rev = rev + 1,",
        "update links set rev = rev + 1,",
        (f"{PG}TestRecovery::test_it_ends_when_a_person_has_the_link_go_on_and_not_before",),
    ),
    Mutant(
        21,
        "the owner of a link ends its recovery",
        "daemon/store/links.py",
        "if name not in OF_PEOPLE}",
        'if name != "wish"}',
        (f"{PG}TestRecovery::test_it_ends_when_a_person_has_the_link_go_on_and_not_before",),
    ),
    Mutant(
        22,
        "a yes covers what came after it",
        f"{QUERIES}runs.sql",
        " and held.rev <= plans.approved_rev",
        "",
        (f"{PG}TestPlans::test_a_yes_covers_what_was_shown_and_is_unchanged_since",),
    ),
    Mutant(
        22,
        "a plan that is recomputed is another one",
        f"{QUERIES}runs.sql",
        "where plan_actions.fingerprint <> excluded.fingerprint or excluded.fingerprint = ''\n",
        "",
        (
            f"{PG}TestPlans::test_a_plan_recomputed_every_tick_can_still_be_approved",
            f"{PG}TestPlans::test_recomputing_replaces_in_place",
        ),
    ),
    Mutant(
        25,
        "a settlement replaces what was changed since it was planned",
        f"{QUERIES}bindings.sql",
        " and bindings.rev = n.rev - 1\n\n-- binding_insert",
        "\n\n-- binding_insert",
        (f"{PG}TestSettle::test_of_two_settlements_planned_on_one_revision_the_second_is_refused",),
    ),
    Mutant(
        25,
        "a change that crossed as a line replaces what was changed since it was planned",
        f"{QUERIES}settling.sql",
        " and bindings.rev = n.rev - 1 and exists (select from fence)\n    returning 1\n), closed",
        " and exists (select from fence)\n    returning 1\n), closed",
        (f"{PG}TestRows::test_a_change_of_a_binding_that_has_moved_on_settles_nothing",),
    ),
    Mutant(
        17,
        "who goes back to a version keeps what was chosen since",
        "daemon/store/admin_settings.py",
        "            if now.chosen is None:\n",
        "            if True:\n",
        (f"{SETTINGS}test_what_was_chosen_is_kept_with_each_version_and_outlives_a_change_of_the_rules",),
    ),
    Mutant(
        25,
        "a decision is stored for a row that has changed",
        "daemon/store/admin_work.py",
        'if row["fingerprint"] != fingerprint:',
        "if False:",
        (f"{ADMIN}TestRoomsAndRecords::test_a_decision_is_bound_to_what_was_seen",),
    ),
    Mutant(
        44,
        "a dry run is joined with a real one",
        f"{QUERIES}admin_work.sql",
        "where link = $1 and mode = $2 and subject = $3 and outcome = 'running'",
        "where link = $1 and $2 <> '' and subject = $3 and outcome = 'running'",
        (f"{ADMIN}TestRuns::test_a_second_request_joins_the_first_of_its_mode",),
    ),
)
