"""Who may enter whom: five modes, two directions, two logins; and what a grant carries and outlives."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.core import permissions
from actors.core.permissions import Access, Directions, Grant, Login, Mode

A, B, C = "con-a", "con-b", "con-c"
# mode, as A chose it -> may enter: (A into B, B into A) for (staff, admin); and who may edit.
TABLE = [
    (Mode.BOTH, (True, True), (True, True), {A}),
    (Mode.OUT, (True, False), (True, False), {A}),
    (Mode.IN, (False, True), (False, True), {B}),
    (Mode.NOBODY, (False, False), (False, False), {A}),
    (Mode.STAFF, (True, True), (False, False), {A}),
]


@pytest.mark.parametrize("mode, staff, admin, editors", TABLE)
def test_five_modes_two_directions_two_logins(
    mode: Mode, staff: tuple[bool, bool], admin: tuple[bool, bool], editors: set[str]
) -> None:
    access = Access("x", A, B, mode)
    for login, allowed in ((Login.STAFF, staff), (Login.ADMIN, admin)):
        for account, may in zip((A, B), allowed, strict=True):
            reason = permissions.refusal(access, account, login)
            assert (reason == "") is may
            if not may:  # the reason names the mode as that account reads it
                assert reason.startswith(f"mode {permissions.seen(access, account).value}: ")
    assert {account for account in (A, B, C) if permissions.may_edit(access, account)} == editors
    assert "not connected" in permissions.refusal(access, C, Login.STAFF)


# directions of mode 5, as A chose them -> may a staff login switch: (A into B, B into A)
WAYS = [(Directions.BOTH, (True, True)), (Directions.OUT, (True, False)), (Directions.IN, (False, True))]


@pytest.mark.parametrize("directions, staff", WAYS)
@pytest.mark.parametrize("chooser, other", [(A, B), (B, A)])
def test_mode_5_may_be_one_way_and_an_admin_login_goes_neither(
    chooser: str, other: str, directions: Directions, staff: tuple[bool, bool]
) -> None:
    access = permissions.chosen(Access("x", A, B, Mode.BOTH), chooser, Mode.STAFF, False, directions)
    for account, may in zip((chooser, other), staff, strict=True):
        assert (permissions.refusal(access, account, Login.STAFF) == "") is may
        assert permissions.refusal(access, account, Login.ADMIN).startswith("mode 5: ")
        if not may:
            assert "only from the other account" in permissions.refusal(access, account, Login.STAFF)
    grant = Grant("g", "x", other, chooser, "token", issued=0.0, expires=60.0)
    assert bool(permissions.grant_refusal(grant, access, 1.0)) is not staff[1]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("directions", list(Directions))
def test_only_mode_5_has_directions(mode: Mode, directions: Directions) -> None:
    access = permissions.chosen(Access("x", A, B, Mode.BOTH), A, mode, False, directions)
    assert permissions.ways(access, A) is (directions if mode is Mode.STAFF else Directions.BOTH)
    again = permissions.chosen(access, A, Mode.BOTH, False)
    assert not permissions.refusal(again, A, Login.STAFF) and not permissions.refusal(again, B, Login.STAFF)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("directions", list(Directions))
def test_an_access_is_shown_right_from_both_sides(mode: Mode, directions: Directions) -> None:
    ours = permissions.chosen(Access("x", A, B, mode), A, mode, False, directions)
    theirs = Access("x", B, A, permissions.seen(ours, B), False, permissions.ways(ours, B))
    for account, login in itertools.product((A, B), Login):
        assert permissions.seen(ours, account) is permissions.seen(theirs, account)
        assert permissions.ways(ours, account) is permissions.ways(theirs, account)
        assert permissions.refusal(ours, account, login) == permissions.refusal(theirs, account, login)


@pytest.mark.parametrize("mode, both_edit", list(itertools.product(Mode, (True, False))))
def test_whoever_chooses_is_the_chooser_from_then_on(mode: Mode, both_edit: bool) -> None:
    access = permissions.chosen(Access("x", A, B, Mode.IN), B, mode, both_edit)
    assert (access.chooser, access.other, permissions.seen(access, B)) == (B, A, mode)
    # In the mode IN the one that chose it has given the pen away, whatever else was said.
    assert permissions.may_edit(access, B) is (mode is not Mode.IN)
    assert permissions.may_edit(access, A) is (mode is Mode.IN or both_edit)
    assert not permissions.may_edit(access, C)


def test_a_grant_outlives_neither_its_time_nor_the_permission_it_rests_on() -> None:
    access = Access("x", A, B, Mode.OUT)
    grant = Grant("g", "x", A, B, "token", issued=100.0, expires=160.0)
    assert [bool(permissions.grant_refusal(grant, access, now)) for now in (99, 100, 159, 160)] == [
        *(True, False, False, True)
    ]
    shut = permissions.chosen(access, A, Mode.NOBODY, False)
    assert "mode 4" in permissions.grant_refusal(grant, shut, 120.0)
    assert "no more" in permissions.grant_refusal(grant, None, 120.0)
    assert "no more" in permissions.grant_refusal(msgspec.structs.replace(grant, into=C), access, 120.0)
    turned = Grant("g", "x", B, A, "token", issued=100.0, expires=160.0)
    assert "mode 3" in permissions.grant_refusal(turned, access, 120.0)


def test_a_grant_has_no_place_for_the_rights_of_an_admin() -> None:
    names = {field.name for field in msgspec.structs.fields(Grant)}
    assert names == {"id", "access", "origin", "into", "by", "issued", "expires", "login"}
    assert Grant("g", "x", A, B, "token", 0, 1).login is Login.STAFF


class Doors(RuleBasedStateMachine):
    """Two accounts choose and choose again, somebody else tries to; grants are asked for and shown, also too late. What may
    be is told by a table of its own: who may switch into whom, worked out when somebody chooses and from nothing else."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.access = Access("x", A, B, Mode.BOTH, both_edit=True)
        self.open = {(account, login) for account in (A, B) for login in Login}
        self.pens = {A, B}
        self.grants: list[Grant] = []

    @rule(
        who=st.sampled_from([A, B, C]),
        mode=st.sampled_from(Mode),
        both=st.booleans(),
        way=st.sampled_from(Directions),
    )
    def choose(self, who: str, mode: Mode, both: bool, way: Directions) -> None:
        assert permissions.may_edit(self.access, who) is (who in self.pens)
        if who not in self.pens:
            return
        self.access = permissions.chosen(self.access, who, mode, both, way)
        mine, theirs = who, B if who == A else A
        out = mode in (Mode.BOTH, Mode.OUT) or (mode is Mode.STAFF and way is not Directions.IN)
        back = mode in (Mode.BOTH, Mode.IN) or (mode is Mode.STAFF and way is not Directions.OUT)
        logins = {Login.STAFF} if mode is Mode.STAFF else set(Login)
        self.open = {(mine, one) for one in logins if out} | {(theirs, one) for one in logins if back}
        self.pens = {theirs} if mode is Mode.IN else {mine, theirs} if both else {mine}

    @rule(who=st.sampled_from([A, B, C]), login=st.sampled_from(Login))
    def enter(self, who: str, login: Login) -> None:
        refused = permissions.refusal(self.access, who, login)
        assert (not refused) is ((who, login) in self.open)
        if not refused:
            into = permissions.partner(self.access, who)
            self.grants.append(Grant("g", "x", who, into, "token", self.now, self.now + 60))

    @rule()
    def later(self) -> None:
        self.now += 25

    @invariant()
    def a_grant_opens_what_its_login_may_enter_now_and_for_a_minute(self) -> None:
        for grant in getattr(self, "grants", ()):
            opens = not permissions.grant_refusal(grant, self.access, self.now)
            assert opens is (self.now < grant.expires and (grant.origin, Login.STAFF) in self.open)

    @invariant()
    def both_see_the_same_access(self) -> None:
        if hasattr(self, "access"):
            turned = {Directions.OUT: Directions.IN, Directions.IN: Directions.OUT}
            way = permissions.ways(self.access, A)
            assert permissions.ways(self.access, B) is turned.get(way, way)


Doors.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
test_doors = Doors.TestCase
