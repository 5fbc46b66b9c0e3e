"""Tables of entries: owners under conditions, constants, settings. Taken up by entries.py, which is the whole.

Must not: read a blueprint.
"""

from __future__ import annotations

from typing import Final

from actors.core.blueprint.forms import (
    Either,
    Entries,
    Entry,
    Exactly,
    Flag,
    Form,
    Listing,
    Named,
    Number,
    Scalar,
    Shared,
    Text,
    Whole,
    Words,
    each,
)
from actors.core.policy import FirstContact, ForeignEdit, Owner
from actors.core.stream_rules import Imports, OnMerge, Reactivation
from actors.core.types import SIDES

SETTING_NAME: Final = r"[a-z][a-z0-9_]{0,62}"
# What may stand wherever a value may: the link's value of that setting.
REFERENCE: Final = Shared("setting", Entries((Entry("setting", Text(SETTING_NAME), "", required=True),)))
SETTING_FORMS: Final = ("text", "number", "flag", "list", "map", "fields")
RATE: Final = Number(0, 500)  # with one more net place than gross ones, every gross price has a net price
GROSS_PLACES: Final = Whole(0, 10)
NET_PLACES: Final = Whole(0, 12)

CLASH: Final = Entry(
    "clash",
    Listing(Listing(Text(), least=1)),
    "keys that no two records share, and that bind nobody all the same: who shares one and no `match` key goes to a "
    "person, and is never made a second time",
    absent="none",
    example="clash: [[code]]",
    rows=("G24",),
)
_OWNERS: Final = Words(tuple(member.value for member in Owner))
_VALUES: Final[Form] = Either((Scalar(), Listing(Scalar(), least=1)))
CONDITION: Final = (
    Entry("not", _VALUES, "none of these values"),
    Entry("filled", Flag(), "whether there is a value"),
)
_CASE: Final = (
    Entry("is", _OWNERS, "who owns it then", required=True),
    Entry("when", Named(Either((_VALUES, Entries(CONDITION))), least=1), "all of these hold"),
    Entry("once", Exactly("bound"), "only while the record has its partner"),
)
CASE: Final = _CASE
LONE_CASE: Final = (*_CASE, Entry("else", _OWNERS, "who owns it otherwise", required=True))
OWNER_FORM: Final = Shared(
    "owner", Either((_OWNERS, Entries(LONE_CASE), Listing(Either((Entries(CASE), _OWNERS)), least=1)))
)

_CONTACTS: Final = Words(tuple(member.value for member in FirstContact))
CONTACT_CASE: Final = (
    Entry("is", _CONTACTS, "what holds then", required=True),
    Entry("when", Named(Either((_VALUES, Entries(CONDITION))), least=1), "all of these hold", required=True),
)
LONE_CONTACT: Final = (*CONTACT_CASE, Entry("else", _CONTACTS, "what holds otherwise", required=True))
CONTACT_FORM: Final = Shared(
    "first_contact",
    Either(
        (
            _CONTACTS,
            Entries(LONE_CONTACT),
            Listing(Either((Entries(CONTACT_CASE), _CONTACTS, REFERENCE)), least=1),
        )
    ),
)

FIELD_RULES: Final = (
    Entry(
        "attachment",
        Flag(),
        "an image or another document: known by the hash of its content, which crosses only when that changes; see "
        "[below](#attachments)",
        absent="`false`",
        example="attachment: true",
        rows=("G16",),
    ),
    Entry(
        "foreign_edit",
        Words(tuple(member.value for member in ForeignEdit)),
        "an edit on the side that does not own the field: `put_back` (the owner's value is written again, the write names "
        "the rule), or `report` (it stays there, is never carried, and is written down once)",
        absent="`put_back`",
        example="foreign_edit: report",
        rows=("W16", "G2", "U7"),
    ),
    Entry(
        "reactivation",
        Words(tuple(member.value for member in Reactivation)),
        "of a field that says whether a record is active: that it is so again, after `false`, is an edit like any other "
        "(`follow`), or stays on its side (`ignore`): see [below](#active-again)",
        absent="`follow`",
        example="reactivation: ignore",
        rows=("T12",),
    ),
    Entry(
        "constant",
        Scalar(),
        "in the place of one side's path: the other side shows this value on every bound record, and it is set again",
        example="constant: true",
        rows=("G2", "U3", "G18"),
    ),
    Entry(
        "starts_with",
        each(SIDES, Scalar()),
        "the native value that a record which we make on that side begins with, where nothing else is told; for "
        "`owner: local`, `on_create_only`, or a field that this side owns",
        example="starts_with: {b: admin}",
        rows=("G5", "W31", "U7"),
    ),
)

ON_MERGE: Final = Entry(
    "on_merge",
    Words(tuple(member.value for member in OnMerge)),
    "gone on one side, and another record there has one of its match keys (two were merged): `ask` a person, `keep` the "
    "partner, `delete`: a deletion like any other, or `follow`: once nothing refers to the partner any more `deletes` says "
    "what becomes of it, each on a yes; see [below](#two-records-that-become-one)",
    absent="`ask`",
    example="on_merge: keep",
)

ACTIVATION: Final = "activation"
SINCE: Final = (
    Entry(
        "since",
        Either((Exactly(ACTIVATION), Text(r"\d{4}-\d{2}-\d{2}"))),
        "with `on: edge`: a day; what took part before the initial load was complete goes as well if it is `dated` from "
        "that day on. `activation`: it does not",
        absent="`activation`",
        example='since: "2026-01-01"',
        rows=("T7",),
    ),
    Entry("dated", Text(), "the field that says of which day a record is", example="dated: date"),
)
ASSIGNED: Final = "assigned"
WHICH: Final = Words(("any", ASSIGNED))
REQUIRED: Final = (
    Entry(
        "which",
        WHICH,
        "`any`: one record of that stream is enough; `assigned`: all those that the record names, any where it names none",
        absent="`any`",
        example="which: assigned",
        rows=("S8",),
    ),
    *(
        Entry(
            side,
            Text(),
            f"the native path on side {side} that names them: one, a list, or a text with commas, by what the first match "
            "key of one field holds there",
            example=f"{side}: TILLS",
        )
        for side in SIDES
    ),
)
REQUIRES: Final = Entry(
    "requires",
    Either((Listing(Text()), Named(Entries(REQUIRED)))),
    "streams of which at least one record has to be in step before anything is made in this one; or, by stream, [which "
    "ones](#what-a-record-waits-for)",
    absent="none",
    example="requires: [tills]",
    rows=("S8",),
)
IMPORTS: Final = Entry(
    "imports",
    Words(tuple(member.value for member in Imports)),
    "when what is staged is made: when a person says so (`ask`), by itself in the run after the one that staged it "
    "(`always`), or not at all (`never`): it stays staged, and an import is refused; see [Documents](#documents)",
    absent="`ask`",
    example="imports: always",
    rows=("S11", "S19"),
)

# A field that is added: its entries are checked where the fields are.
_DETAIL: Final[Form] = Either((_VALUES, Listing(Named(_VALUES)), Named(Either((_VALUES, Named(_VALUES))))))
SETTING: Final = (
    Entry("form", Words(SETTING_FORMS), "what it is", required=True, example="form: map"),
    Entry("doc", Text(), "what it is for, for people", example="doc: VAT group to VAT code"),
    Entry(
        "default",
        Either((_VALUES, Named(Scalar()), Named(Named(_DETAIL)))),
        "what holds where the link has none; `~`: none, and a field whose path it is is left out",
        absent="the link has to have it; a map, and fields, begin empty",
        example="default: Kunde",
    ),
    Entry("choices", Listing(Text(), least=1), "nothing else is taken", example="choices: [type, status]"),
    Entry(
        "fixed",
        Flag(),
        "it is chosen at set-up, and can't be changed once the link is active",
        absent="`false`",
        example="fixed: true",
        rows=("W11",),
    ),
)
SETTINGS: Final[Form] = Named(Entries(SETTING), SETTING_NAME)
CUSTOM: Final = Entry(
    "custom",
    REFERENCE,
    "a setting of form `fields`: what each link adds to the fields",
    example="custom: {setting: own_fields}",
    rows=("U12", "U15"),
)

GROSS: Final = (
    Entry("rates", Named(RATE), "per cent by tax code", required=True),
    Entry("places", GROSS_PLACES, "decimal places of the gross price", absent="2"),
    Entry("net_places", NET_PLACES, "decimal places of the net price that is written", absent="two more"),
    Entry("rounding", Words(("half_up", "half_even")), "how", absent="`half_up`"),
)
