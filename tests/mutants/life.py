"""Faults in how links come to stand and in who may enter whom."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

HANDSHAKE = "tests/core/test_handshake.py::"
ROLES = "tests/core/test_roles.py::"
PERMISSIONS = "tests/core/test_permissions.py::"
LIFE = "tests/core/test_lifecycle.py::"
HUB = "tests/actors/test_hub.py::"

STANDING = (
    Mutant(
        14,
        "links over the same records may close a ring",
        "actors/core/roles.py",
        "        if (found := _way(edges, a, b)) is not None:",
        "        if (found := _way({}, a, b)) is not None:",
        (f"{ROLES}test_redteam_14_links_over_the_same_records_form_a_forest",),
    ),
    Mutant(
        15,
        "what another link makes is made all the same",
        "actors/newcomers.py",
        "kept = [pair for pair in pairs if not refused.intersection(pair.binding.keys)]",
        "kept = list(pairs)",
        (
            f"{HUB}test_redteam_15_the_same_new_customer_entered_at_two_secondaries_stands_at_the_primary_once",
        ),
    ),
    Mutant(
        15,
        "a stranger of whom a feed tells waits for the next poll",
        "actors/run.py",
        "self._looks_next |= not look and stream.name in self._windows.stirred",
        "self._looks_next |= False",
        (f"{HUB}test_a_new_record_at_any_account_reaches_every_other_once_and_at_once",),
    ),
    Mutant(
        16,
        "a second Primary is let in",
        "actors/core/roles.py",
        "        if theirs[1] == secondary:\n",
        "        if False:\n",
        (f"{ROLES}test_one_primary_has_many_secondaries_and_a_secondary_has_one_primary",),
    ),
    Mutant(
        38,
        "a link that is off works on",
        "actors/core/lifecycle.py",
        "return facts.wish is Wish.RUN and facts.establishment is Establishment.ESTABLISHED",
        "return facts.wish is Wish.RUN",
        (f"{LIFE}test_nothing_works_and_nothing_else_is_shown_until_a_link_is_established",),
    ),
    Mutant(
        38,
        "what can't be undone is undone",
        "actors/core/lifecycle.py",
        "if irreversible and step is Step.DEACTIVATE and now is Establishment.ESTABLISHED:",
        "if False:",
        (f"{LIFE}test_only_one_step_is_kept_from_a_link_that_cannot_be_undone",),
    ),
    Mutant(
        38,
        "mode 5 is both ways whatever was chosen",
        "actors/core/permissions.py",
        "    if ways(access, account) is Directions.IN:\n",
        "    if False:\n",
        (f"{PERMISSIONS}test_mode_5_may_be_one_way_and_an_admin_login_goes_neither",),
    ),
    Mutant(
        28,
        "a proposal is confirmed without the proposer's credentials",
        "actors/core/handshake.py",
        "    if proof != proposal.proposer.identity:\n        raise Unproved(proof)\n",
        "",
        (f"{HANDSHAKE}test_a_third_tenant_can_do_nothing_not_even_with_the_right_credentials",),
    ),
    Mutant(
        28,
        "a proposal never expires",
        "actors/core/handshake.py",
        "if proposal.state is Establishment.REQUESTED and now >= proposal.expires:",
        "if False:",
        (f"{HANDSHAKE}test_a_proposal_expires_by_itself_and_for_good",),
    ),
    Mutant(
        38,
        "a grant outlives the permission that it rests on",
        "actors/core/permissions.py",
        "    return refusal(access, grant.origin, grant.login)\n",
        '    return ""\n',
        (f"{PERMISSIONS}test_a_grant_outlives_neither_its_time_nor_the_permission_it_rests_on",),
    ),
    Mutant(
        38,
        "an admin login switches in mode 5",
        "actors/core/permissions.py",
        "or (mode is Mode.STAFF and login is Login.ADMIN):",
        "or False:",
        (f"{PERMISSIONS}test_five_modes_two_directions_two_logins",),
    ),
)
