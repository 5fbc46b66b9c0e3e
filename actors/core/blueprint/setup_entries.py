"""The tables of the entry `setup`: how links of a blueprint come to stand. Part of entries.py, by which the
loader, the JSON schema and the reference go. What it all means: docs/LINKS.md. Must not: read a blueprint.
"""

from __future__ import annotations

import enum
from typing import Final

from actors.core.blueprint.entries_rules import REFERENCE
from actors.core.blueprint.forms import (
    Duration,
    Either,
    Entries,
    Entry,
    Flag,
    Listing,
    Named,
    Scalar,
    Shared,
    Text,
    Words,
    each,
)
from actors.core.roles import Role
from actors.core.setup import CheckKind, Moment, Severity
from actors.core.types import SIDES

EXPIRES: Final = Duration(60.0, 366 * 86_400.0)
NEEDED: Final = ("none", "required")
IN_MODE_4: Final = ("refuse", "allow")


def _words(kind: type[enum.StrEnum]) -> Words:
    return Words(tuple(member.value for member in kind))


_SIDE: Final = Words(SIDES)
_TEXTS: Final = Listing(Text())
PLACE: Final = (
    Entry("side", _SIDE, "where it stands", required=True, example="side: a"),
    Entry("object", Text(), "the object", required=True, example="object: company"),
    Entry("field", Text(), "the native field", required=True, example="field: country"),
)
_PLACE: Final = Shared("place", Entries(PLACE))
_WANTED: Final = Either((Scalar(), REFERENCE, Entries(PLACE)))
CHECK: Final = (
    Entry("side", _SIDE, "the side that is looked at", required=True, example="side: b"),
    Entry("object", Text(), "the object that is looked at", required=True, example="object: price_groups"),
    Entry(
        "check",
        _words(CheckKind),
        "what has to hold: `empty`, `no_clash`, `some`, `filled`, `unique`",
        required=True,
        example="check: empty",
        rows=("W6", "T17", "S14"),
    ),
    Entry("by", _TEXTS, "the native fields that are compared", example="by: [number]"),
    Entry("against", Text(), "`no_clash`: the object on the other side", example="against: article_groups"),
    Entry(
        "severity",
        _words(Severity),
        "`refuse`: it stops the link; `warn`: a person may go on; `ignore`: it is not asked (where a setting says so)",
        absent="`refuse`",
        example="severity: warn",
        rows=("W28",),
    ),
    Entry(
        "at",
        _words(Moment),
        "when it is asked: `proposal` (and its confirmation, or `links create`), `activation`",
        absent="`proposal` for `empty` and `no_clash`, else `activation`",
        example="at: activation",
    ),
    Entry(
        "sample",
        Named(Scalar(), least=1),
        "how sample data are known; they count as data",
        example="sample: {demo: true}",
        rows=("W23",),
    ),
    Entry(
        "where",
        Named(_WANTED),
        "only records count whose field equals this: a value, `{setting: name}`, or what stands at a place. While the "
        "setting is not chosen, the check is not asked",
        example="where: {code: {setting: journal}}",
        rows=("T10", "S14"),
    ),
    Entry("text", Text(), "what is said instead of the usual words", example="text: set up first"),
    Entry(
        "ways_out",
        _TEXTS,
        "what can be done about it",
        absent="`empty`: remove the records",
        example="ways_out: [delete the price groups]",
    ),
)
SETTING: Final = (
    Entry("doc", Text(), "what it is for", example="doc: the default journal"),
    Entry("choices", _TEXTS, "it is one of these", example="choices: [organisation, person]"),
    Entry(
        "keys",
        _PLACE,
        "it is a map, and each value found there needs an entry",
        example="keys: {side: a, object: vat_groups, field: code}",
        rows=("T1",),
    ),
    Entry(
        "where",
        Named(_WANTED),
        "only the records of `keys` count whose field equals this: a value, `{setting: name}`, or what stands at a place",
        example="where: {country: {side: a, object: company, field: country}}",
        rows=("T1",),
    ),
    Entry(
        "values",
        _PLACE,
        "what is chosen has to be found there",
        example="values: {side: b, object: journals, field: code}",
        rows=("T10",),
    ),
)
SETUP: Final = (
    Entry(
        "kind", Text(), "what roles are counted by", absent="the blueprint's name", example="kind: customers"
    ),
    Entry(
        "roles",
        each(SIDES, _words(Role)),
        "`primary` on one side and `secondary` on the other",
        absent="`peer` on both",
        example="roles: {a: primary, b: secondary}",
        rows=("W6", "W27"),
    ),
    Entry(
        "handshake",
        Flag(),
        "links come about by a proposal and its confirmation only",
        absent="`false`",
        example="handshake: true",
        rows=("W7",),
    ),
    Entry("proposed_by", _SIDE, "the side that may propose", absent="either", example="proposed_by: b"),
    Entry(
        "irreversible",
        Flag(),
        "once established it can't be turned off or deleted",
        absent="`false`",
        example="irreversible: true",
        rows=("W8",),
    ),
    Entry("expires", EXPIRES, "how long a proposal stands", absent="7d", example="expires: 2d", rows=("W7",)),
    Entry(
        "features",
        _TEXTS,
        "what the provider must have enabled for every account involved",
        example="features: [data-sync]",
        rows=("W5", "W32"),
    ),
    Entry(
        "access",
        Words(NEEDED),
        "`required`: the two accounts have to be connected",
        absent="`none`",
        example="access: required",
        rows=("W19",),
    ),
    Entry(
        "in_mode_4",
        Words(IN_MODE_4),
        "`allow`: also where nobody may switch",
        absent="`refuse`",
        example="in_mode_4: allow",
        rows=("W4", "W34"),
    ),
    Entry(
        "custom",
        Flag(),
        "an operator of all tenants may pass what has to be empty",
        absent="`false`",
        example="custom: true",
        rows=("W18",),
    ),
    Entry(
        "checks",
        Listing(Entries(CHECK)),
        "what is looked at before, see below",
        absent="`empty` for the Secondary's objects",
        example="checks: [{side: b, object: price_groups, check: empty}]",
        rows=("W6", "W23", "W28", "T17", "S14"),
    ),
    Entry(
        "settings",
        Named(Entries(SETTING)),
        "what has to be chosen before a link is active, see below",
        example="settings: {journal: {doc: the default journal}}",
        rows=("T1", "T10"),
    ),
    Entry(
        "rests_on",
        Named(_PLACE),
        "values on which the settings rest: when one changes, a person reviews them",
        example="rests_on: {country: {side: a, object: company, field: country}}",
        rows=("T1", "U16"),
    ),
)
