"""How links of a blueprint come to stand: roles, consent, what has to be there first. Data, part of a compiled blueprint.

Rows W5 to W8, W18, W19, W23, W27, W28, W34, T1, T10, T17, S14.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from actors.core.roles import Role
from actors.core.types import SIDES, Side

Scalar = str | int | bool


class CheckKind(enum.StrEnum):
    """What is asked of the records of an object."""

    EMPTY = "empty"  # there are none
    NO_CLASH = "no_clash"  # none is named like one on the other side
    SOME = "some"  # there is at least one
    FILLED = "filled"  # the fields are filled in all of them
    UNIQUE = "unique"  # the fields tell them apart


class Severity(enum.StrEnum):
    """What follows where it is not so."""

    REFUSE = "refuse"
    WARN = "warn"
    IGNORE = "ignore"  # it is not asked at all


class Moment(enum.StrEnum):
    """When it is asked: at the proposal and again when that is confirmed (or when a link is created), or at activation."""

    PROPOSAL = "proposal"
    ACTIVATION = "activation"


class Place(msgspec.Struct, frozen=True):
    """Where a value of a system stands: a field of the first record of an object, or of all of them."""

    side: Side
    object: str
    field: str


class Chosen(msgspec.Struct, frozen=True):
    """What the link has chosen for a setting."""

    setting: str


# What a native field has to equal: the value itself, that of another place, or what a setting of the link says.
Wanted = Scalar | Place | Chosen


class Check(msgspec.Struct, frozen=True):
    """One thing that is looked at before a link may work. `by`: native fields. `against`: the object on the other side
    (no_clash). `where`: only records count that show this. `sample`: native field and value by which sample data are known.
    `ways_out`: what a person can do."""

    side: Side
    object: str
    kind: CheckKind
    by: tuple[str, ...] = ()
    against: str = ""
    severity: Severity = Severity.REFUSE
    at: Moment = Moment.PROPOSAL
    sample: tuple[str, Scalar] | None = None
    text: str = ""
    ways_out: tuple[str, ...] = ()
    where: Mapping[str, Wanted] = {}


class Required(msgspec.Struct, frozen=True):
    """A setting of the link that has to be chosen before it is active. `choices` () = any text. `keys`: it is a map, and
    each value found there (of records that show what `where` says) needs an entry.
    `values`: what is chosen has to be found there."""

    name: str
    doc: str = ""
    choices: tuple[str, ...] = ()
    keys: Place | None = None
    values: Place | None = None
    where: Mapping[str, Wanted] = {}


class SetupSpec(msgspec.Struct, frozen=True):
    """The entry `setup` of a blueprint. `kind`: the kind of sync by which roles are counted. `handshake`: links come about
    by a proposal and its confirmation only. `proposed_by`: the side that may propose, None: either. `expires_s`: how long a
    proposal stands. `features`: what the provider must have enabled for every account involved. `access`: the accounts have
    to be connected; `in_mode_4`: also where nobody may switch. `custom`: an operator may override `empty` (W18).
    `rests_on`: name -> a value on which the settings rest; when it changes, a person reviews them (T1).
    """

    kind: str = ""
    roles: Mapping[Side, Role] = msgspec.field(default_factory=lambda: dict.fromkeys(SIDES, Role.PEER))
    handshake: bool = False
    proposed_by: Side | None = None
    irreversible: bool = False
    expires_s: float = 7 * 86400.0
    features: tuple[str, ...] = ()
    access: bool = False
    in_mode_4: bool = False
    custom: bool = False
    checks: tuple[Check, ...] = ()
    settings: tuple[Required, ...] = ()
    rests_on: Mapping[str, Place] = {}

    def at(self, moment: Moment) -> tuple[Check, ...]:
        """The checks that are asked at this moment."""
        return tuple(
            check for check in self.checks if check.at is moment and check.severity is not Severity.IGNORE
        )
