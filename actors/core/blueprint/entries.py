"""THE tables of what a blueprint may say: every entry with its form, its meaning and what holds where it is absent.

The loader (the files beside it) takes names, bounds and words from here; the JSON schema (schema.py) and the reference
in docs/BLUEPRINTS.md are made from here. A new rule begins with a line here. Must not: read a blueprint.
"""

from __future__ import annotations

import enum
from typing import Final

from actors.core.blueprint.chosen import WORDS
from actors.core.blueprint.entries_lines import lines_entry
from actors.core.blueprint.entries_objects import LEFT_BEHIND, OBJECTS
from actors.core.blueprint.entries_rules import (
    CLASH,
    CONTACT_FORM,
    CUSTOM,
    FIELD_RULES,
    IMPORTS,
    ON_MERGE,
    OWNER_FORM,
    REFERENCE,
    REQUIRES,
    SETTINGS,
    SINCE,
)
from actors.core.blueprint.entries_when import DAY_S, DELIVERY
from actors.core.blueprint.forms import (
    Duration,
    Either,
    Empty,
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
from actors.core.blueprint.lens_words import LENS
from actors.core.blueprint.setup_entries import SETUP
from actors.core.policy import BUDGET_KINDS, Choice, DeleteEdit, DeletePolicy, FirstContact, InitialCreates
from actors.core.stream_rules import GateKeys, GateOn, Ineligible
from actors.core.types import SIDES

LINK_NAME: Final = r"[a-z][a-z0-9-]{0,62}"
NAME: Final = r"[a-z][a-z0-9_]{0,62}"
BUDGET: Final = r"(\d{1,9})|(?:(\d{1,9})\s+or\s+)?(\d{1,3}(?:\.\d+)?)\s*%"
KINDS: Final = ("master", "document")
UNLIMITED: Final = "unlimited"
NEWEST: Final = "newest"  # understood, and refused with what to write instead

POLL: Final = Duration(0.1, 7 * DAY_S)
COMPLETE_READ: Final = Duration(10.0, 31 * DAY_S)
BREAKER: Final = Whole(1, 100_000)
COUNT: Final = Whole(0, 1_000_000_000)
FREE: Final = Whole(0, 1_000_000)
PERCENT: Final = Number(0, 100)


def words(kind: type[enum.StrEnum]) -> Words:
    """The words of an enumeration."""
    return Words(tuple(member.value for member in kind))


# ----------------------------------------------------------------------------------------------------------- field

_PATHS: Final = Either((Text(), Listing(Text(), least=1)))
IN_OBJECT: Final = (
    Entry("path", _PATHS, "where it stands there", required=True),
    Entry("lens", LENS, "the lens or lenses there, nearer to its native value than those of the field"),
)
_PATH: Final = Shared(
    "path", Either((_PATHS, Named(Either((_PATHS, Entries(IN_OBJECT), Empty(), REFERENCE)))))
)
_PLAIN: Final = (
    Entry(
        "a",
        _PATH,
        "the native path on side a; several with the lenses `join`, `gross`, `formula`: `[FIRST, LAST]`; `@id`: the "
        "record's own id; by object where they differ, see [below](#several-objects-on-one-side)",
        absent="allowed with `owner: local` or `constant` only",
        example="a: STRASSE",
    ),
    Entry("b", _PATH, "the native path on side b", absent="as for `a`", example="b: [first_name, last_name]"),
    Entry("lens", LENS, "the lens or lenses of both sides", absent="`same`", example="lens: trim"),
    Entry(
        "lens_a",
        LENS,
        "lenses of side a; they stand nearer to its native value than `lens`",
        example='lens_a: {number: ","}',
    ),
    Entry("lens_b", LENS, "lenses of side b", example="lens_b: [trim, {map: {D: DE}}]"),
    Entry(
        "owner",
        OWNER_FORM,
        "who may change it: `a`, `b`, `both`, or `local` (never transferred, never overwritten); or under conditions, see "
        "[below](#owners-under-conditions)",
        absent="`both`",
        example="owner: a",
        rows=("W12", "W15", "W16", "U8", "G2"),
    ),
    Entry(
        "conflict",
        words(Choice),
        "both changed it: `a`, `b`, `ask`, `strictest` (a withdrawal wins), `newest_else_a`, `newest_else_b`, "
        "`newest_else_ask` (what holds where no time is known)",
        absent="`ask`",
        example="conflict: newest_else_a",
        rows=("W10", "W13"),
    ),
    Entry(
        "first_contact",
        words(FirstContact),
        "as for the stream, for this field alone",
        absent="the stream's",
        example="first_contact: a",
    ),
    Entry(
        "group",
        Text(),
        "fields with the same group are decided as one (an address); they share `owner`, `conflict`, `first_contact`",
        example="group: address",
    ),
    Entry(
        "on_create_only",
        Flag(),
        "written when a record is made, never again",
        absent="`false`",
        example="on_create_only: true",
        rows=("G5", "G6"),
    ),
    Entry(
        "required",
        Flag(),
        "a new record waits until the field has a value; where it is emptied later, the other side keeps what it has, and "
        "that is listed. Required references may not form a circle",
        absent="`false`",
        example="required: true",
        rows=("U5",),
    ),
    Entry("set", Flag(), "a list whose items are merged one by one", absent="`false`", example="set: true"),
    Entry(
        "reference",
        Text(),
        "the stream whose record this field points at; ids are translated",
        example="reference: customers",
        rows=("W10", "G12"),
    ),
    Entry(
        "within",
        Listing(Text(), least=1),
        "the objects that the record of `reference` has to stand in, where its stream has several; until it does, this one "
        "waits",
        absent="any of them",
        example="within: [customers]",
        rows=("G12",),
    ),
    Entry(
        "lossy",
        Flag(),
        "has to be `true` where a lens does not give back all it was given (`length`, `default`)",
        absent="`false`",
        example="lossy: true",
    ),
    *FIELD_RULES,
)
FIELD: Final = (*_PLAIN, lines_entry(_PLAIN))

# ---------------------------------------------------------------------------------------------------------- stream

BUDGET_ENTRIES: Final = (
    Entry("count", COUNT, "so many"),
    Entry("percent", PERCENT, "so many in a hundred of the bound records; the larger of both counts"),
    Entry(
        "free", FREE, "so many go at once, before the totals are known", absent="20, never more than `count`"
    ),
)
_BUDGET: Final = Shared("budget", Either((COUNT, Text(BUDGET), Exactly(UNLIMITED), Entries(BUDGET_ENTRIES))))
GATE: Final = (
    Entry(
        "path",
        Text(),
        "the native path that says so; it need not be a field",
        required=True,
        example="path: TYPE",
    ),
    Entry("equals", Scalar(), "who takes part: those with this value there", example="equals: Kunde"),
    Entry("in", Listing(Scalar(), least=1), "those with one of these values", example="in: [Kunde, VIP]"),
    Entry("set", Flag(), "`true`: those with anything there but nothing and `false`", example="set: true"),
    Entry(
        "on",
        words(GateOn),
        "a record that is new on the other side goes while it takes part (`level`), or once it begins to (`edge`): not "
        "what took part before the initial load was complete, whoever saves it again",
        absent="`level`",
        example="on: edge",
        rows=("T7", "U2", "U25"),
    ),
    *SINCE,
    Entry(
        "then",
        words(Ineligible),
        "a pair whose record no longer takes part stays in step (`keep`), gets the value put back (`put_back`), is marked "
        "on the other side by `mark` until it takes part again (`deactivate`), or rests, and nothing passes (`detach`)",
        absent="`keep`",
        example="then: put_back",
        rows=("U3", "G21", "S16"),
    ),
    Entry(
        "keys",
        words(GateKeys),
        "a record that is kept out holds its match keys, and who has one of them on the other side makes nobody beside it: "
        "a person is asked (`held`); or they count for nothing, since it is a record of another role (`free`)",
        absent="`held`",
        example="keys: free",
        rows=("U23", "T18", "W4"),
    ),
)

EFFECT: Final = (
    Entry("object", Text(), "the object there that holds them", required=True, example="object: movements"),
    Entry(
        "document",
        Text(),
        "the native path there that holds the id of the document; by it an effect is known, and made once",
        required=True,
        example="document: sale_id",
    ),
    Entry(
        "fields",
        Named(Entries(FIELD), NAME),
        "what else it holds, read from the document's own record; told once",
        required=True,
        example="fields: {pieces: {a: MENGE, b: pieces}}",
    ),
)
STREAM: Final = (
    Entry(
        "kind",
        Words(KINDS),
        "`master` or `document`. A document needs `match`",
        absent="`master`",
        example="kind: document",
    ),
    Entry(
        "a",
        OBJECTS,
        "the object (table, file, entity) on side a; or several of one side, see [below](#several-objects-on-one-side)",
        required=True,
        example="a: KUNDEN",
        rows=("G8", "G10"),
    ),
    Entry("b", OBJECTS, "the object on side b", required=True, example="b: customers"),
    LEFT_BEHIND,
    Entry(
        "active",
        Either((Flag(), Words(WORDS))),
        "whether it is kept in step at all: a setting says so for each link, see [below](#streams-that-a-link-chooses)",
        absent="`true`",
        example="active: {setting: customer_groups}",
        rows=("W4", "W11", "W12"),
    ),
    Entry(
        "parents",
        Listing(Text()),
        "streams whose records have to be in step first; referenced streams are added",
        absent="none",
        example="parents: [customers]",
        rows=("G12",),
    ),
    REQUIRES,
    Entry(
        "match",
        Listing(Either((Text(), Listing(Text(), least=1)))),
        "keys by which records of A and B are known to be the same, strongest first; each is a field, or a list of "
        "fields. Never guessed: more than one candidate goes to the list. A constant may narrow a key that has another "
        "field",
        absent="none",
        example="match: [[number], [name, zip]]",
        rows=("T3", "B11"),
    ),
    CLASH,
    Entry(
        "creates",
        Listing(Words(SIDES)),
        "the sides on which a new record leads to one on the other side",
        absent="`[a, b]`",
        example="creates: [a]",
        rows=("W14",),
    ),
    Entry(
        "deletes",
        each(SIDES, words(DeletePolicy)),
        "what a deletion there does on the other side: `ignore`, `mark`, `remove`, `restore` (put back, with the local "
        "fields of that side as last seen)",
        absent="`ignore`",
        example="deletes: {a: mark, b: restore}",
        rows=("T11", "G3", "G9", "W30"),
    ),
    Entry(
        "delete_vs_edit",
        words(DeleteEdit),
        "deleted on one side, edited on the other: `keep` (and list), `restore`, `remove`",
        absent="`keep`",
        example="delete_vs_edit: restore",
    ),
    ON_MERGE,
    Entry(
        "mark",
        each(SIDES, Named(Scalar())),
        "the native values that mark a record of that side as deleted; needed by `deletes: {a: mark}`",
        example="mark: {b: {status: deleted}}",
        rows=("T11",),
    ),
    Entry(
        "once",
        Listing(Words(SIDES)),
        "the sides on which a record is made and never changed, marked or removed after; where its origin changes later it "
        "is listed",
        absent="`[]`",
        example="once: [b]",
        rows=("T7", "S10"),
    ),
    Entry(
        "stages",
        Listing(Words(SIDES)),
        "the sides on which a record is made only when `imports` says so: it waits in the room `staged`",
        absent="`[]`",
        example="stages: [b]",
        rows=("S10", "S11", "S18", "S19"),
    ),
    IMPORTS,
    Entry(
        "effects",
        Named(Entries(EFFECT), NAME),
        "what is written on that side together with a record that is made there, once: see [Documents](#documents)",
        absent="none",
        example="effects: {stock: {object: movements, document: sale_id, fields: {pieces: {a: MENGE, b: pieces}}}}",
        rows=("S11",),
    ),
    Entry(
        "gate",
        each(SIDES, Entries(GATE)),
        "which records of that side take part, see [below](#gates)",
        absent="all",
        example="gate: {a: {path: TYPE, equals: Kunde, then: put_back}}",
        rows=("T7", "U2", "U3", "U20", "U23", "U24", "U25", "G4", "G15", "G21", "S16"),
    ),
    Entry(
        "first_contact",
        CONTACT_FORM,
        "two records meet for the first time and differ: `a`, `b`, `fill_empty` (a null is filled, two values go to the "
        "list), `filled_else_a`, `filled_else_b` (a null is filled, of two values that side's stays), `ask`; or under "
        "conditions, see [below](#where-two-records-meet)",
        absent="`ask`",
        example="first_contact: fill_empty",
        rows=("T15", "T16"),
    ),
    Entry(
        "initial_load",
        Listing(Words(SIDES)),
        "the sides that the initial load may write to, see [below](#the-initial-load)",
        absent="`[a, b]`",
        example="initial_load: [a]",
        rows=("T15", "T16", "W7"),
    ),
    Entry(
        "initial_creates",
        words(InitialCreates),
        "records that are there when the link begins and that the other side lacks: made (`on`), made once somebody said "
        "yes to the plan (`plan`), or left until they change (`off`)",
        absent="`on`",
        example="initial_creates: plan",
        rows=("U23",),
    ),
    Entry(
        "budgets",
        each(BUDGET_KINDS, _BUDGET),
        "how much may happen in 24 h without a person's yes, per kind, see [below](#budgets)",
        absent="see below",
        example="budgets: {deletes: 10 or 5%, creates: unlimited}",
        rows=("B1", "B8"),
    ),
    Entry(
        "complete_read",
        COMPLETE_READ,
        "everything is compared at least this often; changes are looked for at `poll`",
        required=True,
        example="complete_read: 1h",
        rows=("B13",),
    ),
    Entry(
        "delivery",
        DELIVERY,
        "as for the link, for this stream",
        absent="the link's",
        example="delivery: every 15m",
        rows=("T6", "G11"),
    ),
    Entry(
        "triggers",
        each(SIDES, Listing(Text())),
        "the events of that side's webhook that lead to a look; `[]`: none, changes are found by polls",
        absent="all of them",
        example="triggers: {a: [created, changed]}",
        rows=("U13", "U14", "U21"),
    ),
    Entry("fields", Named(Entries(FIELD), NAME, least=1), "the fields, by name", required=True),
    CUSTOM,
)

# ------------------------------------------------------------------------------------------------------------ link

SIDE: Final = (
    Entry(
        "connector",
        Text(),
        "the kind of system, by the name of its connector",
        required=True,
        example="connector: postgres",
    ),
    Entry("poll", POLL, "how often it is looked at", absent="60s", example="poll: 2s", rows=("U1", "B13")),
)
_SIDE: Final[Form] = Entries(SIDE)
LINK: Final = (
    Entry(
        "blueprint",
        Text(LINK_NAME),
        "name: small letters, digits, `-`",
        required=True,
        example="blueprint: erp-crm",
    ),
    Entry(
        "version",
        Either((Text(), Whole(-(2**53), 2**53))),
        "number or text, for people",
        required=True,
        example="version: 1",
    ),
    Entry("description", Text(), "one line"),
    Entry(
        "a",
        _SIDE,
        "side a: which connector, and how often it is looked at",
        required=True,
        example="a: {connector: csv, poll: 2s}",
    ),
    Entry("b", _SIDE, "side b", required=True, example="b: {connector: postgres}"),
    Entry(
        "breaker",
        BREAKER,
        "so many writes of one field of one record in 24 h, then it is listed as contested",
        absent="20",
        example="breaker: 20",
    ),
    Entry(
        "zone", Text(), "the time zone that schedules are in", absent="UTC", example="zone: Europe/Brussels"
    ),
    Entry(
        "delivery",
        DELIVERY,
        "when changes are delivered, see [below](#when-changes-are-delivered)",
        absent="`instant`",
        example="delivery: {b_to_a: nightly}",
        rows=("S15", "T6", "G11"),
    ),
    Entry(
        "settings",
        SETTINGS,
        "what each link is asked for, see [below](#what-a-link-is-asked-for)",
        absent="none",
        example="settings: {codes: {form: map}}",
        rows=("T1", "T19", "U5", "U12", "U14", "U15"),
    ),
    Entry(
        "setup",
        Entries(SETUP),
        "how links come to stand, see [below](#how-links-come-to-stand)",
        absent="nothing is asked",
        example="setup: {handshake: true}",
        rows=("W5", "W6", "W7", "W8", "T1"),
    ),
    Entry("streams", Named(Entries(STREAM), NAME, least=1), "the kinds of records, by name", required=True),
)
