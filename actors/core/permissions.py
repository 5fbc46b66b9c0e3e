"""Who may enter whose account: accesses, their five modes, and what a grant may carry. Pure. Rows W2, W3, W26, W33, W34.

An access is the bond of two accounts, of which each has shown that it can log in to the other. Permissions stand beside
links: they are no states of one. A-B and B-C give no A-C, since nothing here looks further than one access.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import msgspec


class Login(enum.StrEnum):
    """How somebody is logged in where the switch begins. An admin login is never carried over."""

    STAFF = "staff"
    ADMIN = "admin"


class Mode(enum.IntEnum):
    """Who may switch into whom, as seen by the account that chose it."""

    BOTH = 1
    OUT = 2  # only this account into the other
    IN = 3  # only the other account into this one; only the other may edit the access
    NOBODY = 4
    STAFF = 5  # both ways, staff logins only


class Directions(enum.StrEnum):
    """In mode 5: which way, as seen by the account that chose it."""

    BOTH = "both"
    OUT = "out"  # only this account into the other
    IN = "in"  # only the other account into this one


_TURNED: Final = {Mode.OUT: Mode.IN, Mode.IN: Mode.OUT}
_TURNED_WAYS: Final = {Directions.OUT: Directions.IN, Directions.IN: Directions.OUT}
WORDS: Final[Mapping[Mode, str]] = {
    Mode.BOTH: "both accounts may switch into each other",
    Mode.OUT: "only this account may switch into the other",
    Mode.IN: "only the other account may switch into this one",
    Mode.NOBODY: "nobody may switch",
    Mode.STAFF: "only staff logins may switch, never admin logins",
}


class Access(msgspec.Struct, frozen=True):
    """`chooser` chose the mode, `other` is the other account (ids of connections, never "a" and "b": those depend on who
    looks). `both_edit`: the other account may edit it too (in the mode IN nobody but the other may). `directions`: in the
    mode STAFF, as the chooser reads them."""

    id: str
    chooser: str
    other: str
    mode: Mode
    both_edit: bool = False
    directions: Directions = Directions.BOTH


def partner(access: Access, account: str) -> str:
    """The other account of the two, seen from `account`."""
    return access.other if account == access.chooser else access.chooser


def seen(access: Access, account: str) -> Mode:
    """The mode as `account` reads it: 2 and 3 change places for the one that did not choose."""
    return access.mode if account == access.chooser else _TURNED.get(access.mode, access.mode)


def ways(access: Access, account: str) -> Directions:
    """Which way mode 5 lets staff logins switch, as `account` reads it; the other modes say that by themselves."""
    if access.mode is not Mode.STAFF:
        return Directions.BOTH
    turned = account != access.chooser
    return _TURNED_WAYS.get(access.directions, access.directions) if turned else access.directions


def refusal(access: Access, account: str, login: Login) -> str:
    """Why `account`, with this login, may not switch into the other; "" where it may."""
    if account not in (access.chooser, access.other):
        return "the two accounts are not connected"
    mode = seen(access, account)
    if mode in (Mode.IN, Mode.NOBODY) or (mode is Mode.STAFF and login is Login.ADMIN):
        return f"mode {mode.value}: {WORDS[mode]}"
    if ways(access, account) is Directions.IN:
        return f"mode {mode.value}: {WORDS[mode]}, and only from the other account into this one"
    return ""


def may_edit(access: Access, account: str) -> bool:
    """Whether `account` may change the mode or take the access away."""
    if account == access.chooser:
        return access.mode is not Mode.IN
    return account == access.other and (access.mode is Mode.IN or access.both_edit)


def chosen(
    access: Access, account: str, mode: Mode, both_edit: bool, directions: Directions = Directions.BOTH
) -> Access:
    """The access once `account` has chosen a mode, which it says as it sees things: from now on it is the chooser."""
    directions = directions if mode is Mode.STAFF else Directions.BOTH
    return Access(access.id, account, partner(access, account), mode, both_edit, directions)


class Grant(msgspec.Struct, frozen=True):
    """The right to enter `into`, coming from `origin`, for a short time. There is no field for rights beyond those of
    staff: a grant can't carry them. Times are epoch seconds. `by`: the token that asked."""

    id: str
    access: str
    origin: str
    into: str
    by: str
    issued: float
    expires: float
    login: Login = Login.STAFF


def grant_refusal(grant: Grant, access: Access | None, now: float) -> str:
    """Why a grant (whose signature is right) opens nothing; "" where it does. The mode is asked again at the door: a
    grant does not outlive the permission it rests on."""
    if not grant.issued <= now < grant.expires:
        return "it has expired"
    if (
        access is None
        or access.id != grant.access
        or {grant.origin, grant.into}
        != {
            access.chooser,
            access.other,
        }
    ):
        return "the access that it rests on is no more"
    return refusal(access, grant.origin, grant.login)
