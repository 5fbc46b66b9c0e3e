"""Who may enter whom: five modes, two directions, two logins; and what a grant carries and outlives."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from actors.core import permissions
from actors.core.permissions import Access, Grant, Login, Mode

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


@pytest.mark.parametrize("mode", list(Mode))
def test_an_access_is_shown_right_from_both_sides(mode: Mode) -> None:
    ours, theirs = Access("x", A, B, mode), Access("x", B, A, permissions.seen(Access("x", A, B, mode), B))
    for account, login in itertools.product((A, B), Login):
        assert permissions.seen(ours, account) is permissions.seen(theirs, account)
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
