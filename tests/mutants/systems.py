"""Faults where the outside is met: connectors, the API, health."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CSV = "tests/connectors/test_csv.py::TestContract::"
FEED = "tests/connectors/test_postgres_feed.py::"
MODIFIED = "tests/connectors/test_postgres_modified.py::"
FULL = "tests/connectors/test_postgres.py::TestFull::"
RESTORED = "tests/daemon/test_restored.py::"
PLACE = "clients/connectors/systems/"

_KEPT = "clients/connectors/http/kept.py"
_KEPT_TESTS = "tests/connectors/test_http_kept.py::"

SYSTEMS = (
    Mutant(
        scenario=24,
        fault="a token is used before it was kept",
        file=_KEPT,
        old="            self._number = await self._keeper.store(self._of, drawn)\n",
        new="            self._number += 1\n",
        tests=(
            f"{_KEPT_TESTS}test_redteam_24_a_token_is_kept_before_it_is_used_and_not_lost_where_that_fails",
            f"{_KEPT_TESTS}test_redteam_24_a_restart_goes_on_with_what_was_kept",
        ),
    ),
    Mutant(
        scenario=24,
        fault="all who open an account renew its token at once",
        file=_KEPT,
        old="await self._keeper.begin(self._of, held.number):",
        new="True:",
        tests=(f"{_KEPT_TESTS}test_redteam_24_of_many_who_open_the_account_one_renews",),
    ),
    Mutant(
        scenario=24,
        fault="who is cut off while a token is renewed loses the answer",
        file=_KEPT,
        old="anyio.CancelScope(shield=True)",
        new="anyio.CancelScope()",
        tests=(f"{_KEPT_TESTS}test_redteam_24_who_is_cut_off_still_keeps_the_answer",),
    ),
    Mutant(
        3,
        "postgres overwrites what was not seen",
        f"{PLACE}postgres_statements.py",
        'return "(" + " AND ".join(conditions) + ")" if conditions else "true"',
        'return "true"',
        (
            f"{FULL}test_update_after_foreign_edit_moved_on",
            f"{FULL}test_delete_after_foreign_edit_moved_on",
        ),
    ),
    Mutant(
        3,
        "a file that somebody replaced is replaced",
        "clients/connectors/files/disk.py",
        "if read_whole(target).digest != old.digest or stamp_of(target) != old.stamp:",
        "if False:",
        ("tests/connectors/test_csv_files.py::test_an_edit_between_our_read_and_our_swap_is_not_lost",),
    ),
    Mutant(
        5,
        "a line lost while committing is surely not done",
        f"{PLACE}postgres_write.py",
        "unknown = WriteResult(WriteStatus.UNKNOWN, error=str(error))",
        "unknown = WriteResult(WriteStatus.NOT_DONE, error=str(error))",
        ("tests/connectors/test_postgres_edges.py::test_line_cut_during_commit_is_unknown",),
    ),
    Mutant(
        14,
        "the same records are linked twice",
        "daemon/api/founding.py",
        "        await self._refuse_twice()\n        await self._refuse_features()\n",
        "        await self._refuse_features()\n",
        ("tests/api/test_service_links.py::test_the_same_records_are_not_linked_twice_either_way_round",),
    ),
    Mutant(
        16,
        "a link is made from an account to itself",
        "daemon/api/founding.py",
        "        _refuse_one_account(self._pair)\n",
        "",
        ("tests/api/test_service_links.py::test_an_account_is_not_linked_with_itself",),
    ),
    Mutant(
        16,
        "new settings lead to another account",
        "daemon/api/connections.py",
        "if info.identity and identity != info.identity:",
        "if False:",
        ("tests/api/test_service_connections.py::test_new_settings_must_lead_to_the_same_account",),
    ),
    Mutant(
        16,
        "one account is connected twice",
        "daemon/api/connections.py",
        "            await self._refuse_twice(tenant, request.connector, identity, request.name)\n",
        "",
        ("tests/api/test_service_connections.py::test_one_account_is_connected_once_per_tenant",),
    ),
    Mutant(
        16,
        "triggers are made in a database before anybody knows which it is",
        f"{PLACE}postgres.py",
        "await self._feed.check()",
        "await self._feed.install()",
        (f"{FEED}test_redteam_16_nothing_is_installed_before_the_account_was_compared",),
    ),
    Mutant(
        21,
        "a counter that went back is taken for the state that was left",
        "daemon/restored.py",
        "if same and now.counter < kept.counter:",
        "if False:",
        (f"{RESTORED}test_redteam_21_a_backup_put_back_makes_every_link_wait_once",),
    ),
    Mutant(
        21,
        "another server is taken for the one that was left",
        "daemon/restored.py",
        "if now.known_system_identifier and now.system_identifier not in",
        "if False and now.system_identifier not in",
        (f"{RESTORED}test_redteam_21_an_older_state_is_told_from_the_one_that_was_left",),
    ),
    Mutant(
        21,
        "a server that was promoted is taken for the one that was left",
        "daemon/restored.py",
        "if now.known_timeline and now.timeline not in",
        "if False and now.timeline not in",
        (f"{RESTORED}test_redteam_21_an_older_state_is_told_from_the_one_that_was_left",),
    ),
    Mutant(
        21,
        "an older state is noticed and nothing is done about it",
        "daemon/restored.py",
        "links = await self._admin.recover()",
        "links = 0",
        (f"{RESTORED}test_redteam_21_a_backup_put_back_makes_every_link_wait_once",),
    ),
    Mutant(
        21,
        "a database that goes back under a running daemon is counted on from there",
        "daemon/restored.py",
        "        if stamp.counter <= self._kept.counter:\n",
        "        if False:\n",
        (f"{RESTORED}test_a_database_that_goes_back_under_a_running_daemon_ends_it",),
    ),
    Mutant(
        27,
        "one bad record takes its batch along",
        f"{PLACE}postgres_write.py",
        "            if len(places) > 1:\n                await self._halve(batch, shape, places)",
        "            if len(places) > 10**9:\n                await self._halve(batch, shape, places)",
        (f"{FULL}test_one_bad_record_blocks_nobody",),
    ),
    Mutant(
        34,
        "a cursor passes a transaction that still runs",
        f"{PLACE}postgres_modified.py",
        "return Mark(max(mark.settled, min(horizon.now, oldest)))",
        "return Mark(max(mark.settled, horizon.now))",
        (f"{MODIFIED}test_late_commit_that_began_before_the_cursor",),
    ),
    Mutant(
        34,
        "equal times are passed at the end of a page",
        f"{PLACE}postgres_modified.py",
        'behind = f"AND (t.{modified}, t.{key}) > {place}"',
        "behind = f\"AND t.{modified} > {typed(column, '$4::text')} AND $5::text IS NOT NULL\"",
        ("tests/connectors/test_postgres.py::TestModified::test_equal_times",),
    ),
    Mutant(
        34,
        "a date in the future moves the cursor",
        f"{PLACE}postgres_modified.py",
        "        last = rows[limit - 1]\n",
        "        last = rows[limit - 1]\n"
        "        position = Position(Mark(datetime.fromisoformat(last[-1])), None, position.until)\n",
        (f"{MODIFIED}test_future_date_does_not_move_the_cursor",),
    ),
    Mutant(
        34,
        "a feed is acknowledged as a whole",
        f"{PLACE}postgres_feed.py",
        "WHERE consumer = $1 AND seq = ANY ($2::bigint[])",
        "WHERE consumer = $1 AND $2::bigint[] IS NOT NULL",
        ("tests/connectors/test_postgres.py::TestTrigger::test_ack_removes_what_was_drained_only",),
    ),
    Mutant(
        34,
        "an emptied table says nothing",
        f"{PLACE}postgres_feed.py",
        '    "TRUNCATE": "",\n',
        "",
        (f"{FEED}test_truncate_says_look_at_everything",),
    ),
)
