"""Which links may stand beside each other: one Primary per kind of sync, and no ring. Pure. Rows W7, W8, W20, W27.

Accounts are named by the systems themselves (connector and account identity), so that connecting an account twice evades
nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from actors.core.types import SIDES, Side, other


class Role(enum.StrEnum):
    """What a side is for a kind of sync. The Primary's records are loaded into the Secondary; peers are equal."""

    PEER = "peer"
    PRIMARY = "primary"
    SECONDARY = "secondary"


class Standing(msgspec.Struct, frozen=True):
    """A link as far as roles go. `accounts`, `roles`: by side. `shares`: (object of a, object of b) of each stream."""

    link: str
    kind: str
    accounts: Mapping[Side, str]
    roles: Mapping[Side, Role]
    shares: tuple[tuple[str, str], ...] = ()

    def account(self, role: Role) -> str:
        """The account that has this role, "" where none has."""
        return next((self.accounts[side] for side in SIDES if self.roles[side] is role), "")


def clash(new: Standing, standing: Iterable[Standing]) -> str:
    """Why `new` may not stand beside the others; "" where it may. Roles count within one kind (W27): an account may be the
    Primary for customers and a Secondary for articles."""
    primary, secondary = new.account(Role.PRIMARY), new.account(Role.SECONDARY)
    if not primary:
        return ""
    for one in standing:
        if one.kind != new.kind:
            continue
        theirs = one.account(Role.PRIMARY), one.account(Role.SECONDARY)
        if theirs == (primary, secondary):
            return f"{secondary} is a Secondary of {primary} for {new.kind} already (link {one.link})"
        if theirs[1] == secondary:
            return f"{secondary} has a Primary for {new.kind} already: {theirs[0]} (link {one.link}); a Secondary has one"
        if theirs[0] == secondary:
            return f"{secondary} is the Primary of {theirs[1]} for {new.kind} (link {one.link}), so it can't be a Secondary"
        if theirs[1] == primary:
            return f"{primary} is a Secondary of {theirs[0]} for {new.kind} (link {one.link}), so it can't be a Primary"
    return ""


Place = tuple[str, str]  # account, object


def ring(new: Standing, standing: Sequence[Standing]) -> tuple[str, ...]:
    """The links over which the records of `new` would go round in a ring, () where they don't: links over the same records
    form a forest, or a value could chase itself (REDTEAM 14)."""
    edges: dict[Place, list[tuple[Place, str]]] = {}
    for one in standing:
        for a, b in _edges(one):
            edges.setdefault(a, []).append((b, one.link))
            edges.setdefault(b, []).append((a, one.link))
    for a, b in _edges(new):
        if (found := _way(edges, a, b)) is not None:
            return tuple(dict.fromkeys(found)) or (new.link,)
        edges.setdefault(a, []).append((b, new.link))
        edges.setdefault(b, []).append((a, new.link))
    return ()


def _edges(one: Standing) -> list[tuple[Place, Place]]:
    a, b = (one.accounts[side] for side in SIDES)
    return [((a, of_a), (b, of_b)) for of_a, of_b in dict.fromkeys(one.shares)]


def _way(edges: Mapping[Place, Sequence[tuple[Place, str]]], start: Place, end: Place) -> list[str] | None:
    """The links on the way from start to end, None where there is no way."""
    ways: dict[Place, list[str]] = {start: []}
    ahead = [start]
    while ahead:
        place = ahead.pop(0)
        if place == end:
            return ways[place]
        for beyond, link in edges.get(place, ()):
            if beyond not in ways:
                ways[beyond] = [*ways[place], link]
                ahead.append(beyond)
    return None


def first_role(roles: Mapping[Side, Role], role: Role) -> Side | None:
    """The side that has the role, None where none has."""
    return next((side for side in SIDES if roles[side] is role), None)


def mirrored(roles: Mapping[Side, Role]) -> Mapping[Side, Role]:
    """The roles with the sides swapped."""
    return {side: roles[other(side)] for side in SIDES}
