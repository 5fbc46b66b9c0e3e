"""Every rule of a field on real actors: as written, mirrored, and with the daemon killed before, in and after a write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.actors.fields_play import KILLS, Play, Rules, played

Body = Callable[[Play], Awaitable[Any]]
RULES: dict[str, tuple[Rules, Rules, Body, Any]] = {}


def rule(fields: Rules, expected: Any, **more: Any) -> Callable[[Body], Body]:
    """A play under these fields and what it has to return; its name is the rule's."""

    def noted(body: Body) -> Body:
        RULES[body.__name__] = (fields, more, body, expected)
        return body

    return noted


def phone(**rules: Any) -> Rules:
    """A field called phone on both sides."""
    return {"phone": {"a": "phone", "b": "phone"} | rules}


# -------------------------------------------------------------------------------------------- who may change it


@rule(phone(required=True), ({"name": "Ada", "phone": "1"}, ["needs phone"], "2", "2", []))
async def a_required_value_that_is_emptied_waits_and_empties_nothing(play: Play) -> Any:
    """U5, on a change."""
    play.create("a", phone="1")
    await play.quiet()
    play.edit("a", phone=None)
    await play.quiet()
    kept, waits = play.shown("b"), [reason.partition(":")[0] for reason in play.reasons()]
    play.edit("a", phone="2")
    await play.quiet()
    return kept, waits, play.shown("a")["phone"], play.shown("b")["phone"], play.reasons()


@rule(phone(required=True), (["needs phone"], {}, {"name": "Ada", "phone": "1"}, []))
async def a_new_record_without_a_required_value_waits_and_goes_by_itself(play: Play) -> Any:
    """U5, on a create."""
    play.create("a")
    await play.quiet()
    waits, before = play.reasons(), play.shown("b")
    play.edit("a", phone="1")
    await play.quiet()
    return waits, before, play.shown("b"), play.reasons()


@rule(
    {"name": {"a": "name", "b": "name", "owner": {"once": "bound", "is": "a", "else": "both"}}}
    | phone(owner={"once": "bound", "is": "a", "else": "both"}),
    ("1", "1", "1", True),
)
async def made_on_either_side_and_then_owned_by_one(play: Play) -> Any:
    """G2, G4: what B made goes over as it is, and is A's from then on."""
    play.create("b", phone="1")
    await play.quiet()
    told = play.shown("a")["phone"]
    play.edit("b", phone="2")
    await play.quiet()
    reported = "put back: owned by a" in play.rules_said()
    return told, play.shown("a")["phone"], play.shown("b")["phone"], reported


CLIENTS = {"status": {"a": "status", "b": "status", "conflict": "a"}} | phone(
    owner=[{"when": {"status": "client"}, "is": "a"}, "both"]
)


@rule(CLIENTS, ("2", "3", "3", "4", "4", "5"))
async def owned_by_one_side_while_another_field_says_so(play: Play) -> Any:
    """G7, G8: prospects are edited on both sides, clients on one."""
    play.create("a", phone="1", status="prospect")
    await play.quiet()
    play.edit("b", phone="2")
    await play.quiet()
    free = play.shown("a")["phone"]
    # The prospect becomes a client just when B is edited: what was not carried yet is delivered.
    play.edit("a", status="client")
    play.edit("b", phone="3")
    await play.quiet()
    delivered = play.shown("a")["phone"]
    play.edit("b", phone="x")
    await play.quiet()
    put_back = play.shown("b")["phone"]
    play.edit("a", phone="4")
    await play.quiet()
    owned = play.shown("b")["phone"]
    play.edit("a", status="prospect")
    await play.quiet()
    kept = play.shown("b")["phone"]
    play.edit("b", phone="5")
    await play.quiet()
    return free, delivered, put_back, owned, kept, play.shown("a")["phone"]


NUMBER = {
    "number": {
        "a": "number",
        "b": "nr",
        "owner": [{"once": "bound", "when": {"number": {"filled": True}}, "is": "b"}, "both"],
    }
}


@rule(NUMBER, ("P1", "W7", "W7"))
async def a_number_is_proposed_and_then_replaced_by_the_owners(play: Play) -> Any:
    """T5: A's number is provisional until B, which got it, gives another; from then on it is B's."""
    play.create("a", number="P1")
    await play.quiet()
    proposed = play.shown("b")["nr"]
    play.edit("b", nr="W7")
    await play.quiet()
    replaced = play.shown("a")["number"]
    play.edit("a", number="P2")
    await play.quiet()
    return proposed, replaced, play.shown("a")["number"]


NOTE = {"note": {"b": "note", "owner": "local"}}


@rule(NOTE | phone(owner="a", foreign_edit="report"), ("1", "x", 1, "x", "2", "2"))
async def an_edit_on_the_wrong_side_is_reported_and_left(play: Play) -> Any:
    """`readonly_edit: report`: never carried, left where it is, reported once; the owner's next word goes over it."""
    play.create("a", phone="1")
    await play.quiet()
    play.edit("b", phone="x")
    await play.quiet()
    said = play.rules_said().count("edited on b, owned by a: reported and left")
    owner, left = play.shown("a")["phone"], play.shown("b")["phone"]
    play.edit("b", note="n")
    await play.quiet()
    still = play.shown("b")["phone"]
    play.edit("a", phone="2")
    await play.quiet()
    return owner, left, said, still, play.shown("b")["phone"], play.shown("a")["phone"]


# ------------------------------------------------------------------------------------ one side, or one way only


@rule(
    {"mark": {"b": "read_only", "constant": "yes"}, "note": {"b": "note", "owner": "local"}},
    ["yes"] * 4 + [True],
)
async def a_constant_stands_on_every_record_and_is_set_again(play: Play) -> Any:
    """G2: on what comes from A, and on what B made once it is bound."""
    play.create("a")
    play.create("b", name="Bob")
    await play.quiet()
    marks = [play.shown("b", name)["read_only"] for name in ("Ada", "Bob")]
    play.edit("b", read_only=None)
    await play.quiet()
    again = play.shown("b")["read_only"]
    play.edit("b", called="Bob", read_only="no")
    await play.quiet()
    return [*marks, again, play.shown("b", "Bob")["read_only"], "put back: owned by a" in play.rules_said()]


@rule({"invoice": {"a": "@id", "b": "foreign_id", "owner": "a"}}, (True, True, True))
async def the_id_that_one_side_gives_is_written_to_a_field_of_the_other(play: Play) -> Any:
    """T22, G19: for records from either side, and written again if somebody changes it."""
    id = play.create("a")
    play.create("b", name="Bob")
    await play.quiet()
    (bob,) = [at for at, row in play.rows("a").items() if row["name"] == "Bob"]
    shown = play.shown("b")["foreign_id"] == id, play.shown("b", "Bob")["foreign_id"] == bob
    play.edit("b", foreign_id="x")
    await play.quiet()
    return *shown, play.shown("b")["foreign_id"] == id


@rule(
    {"boss": {"b": "boss", "owner": "local", "starts_with": {"b": "admin"}}},
    ("admin", "eve", "eve", None),
)
async def a_new_record_starts_with_a_value_and_keeps_what_people_make_of_it(play: Play) -> Any:
    """G5: only at creation, only by us; never again."""
    play.create("a")
    await play.quiet()
    born = play.shown("b")["boss"]
    play.edit("b", boss="eve")
    await play.quiet()
    kept = play.shown("b")["boss"]
    play.edit("a", name="Ada L.")
    play.create("b", name="Bob")
    await play.quiet()
    return born, kept, play.shown("b", "Ada L.")["boss"], play.shown("b", "Bob").get("boss")


@rule(
    {"boss": {"b": "boss", "owner": "local", "starts_with": {"b": "admin"}}},
    ("eve", "eve", None),
    deletes={"b": "restore"},
    complete_read="1m",
)
async def a_record_that_is_put_back_has_what_people_made_of_it(play: Play) -> Any:
    """G5 with G3, W30: putting back is no creation; not even a value that somebody cleared begins again."""
    play.create("a")
    play.create("a", name="Bob")
    await play.quiet()
    play.edit("b", boss="eve")
    play.edit("b", called="Bob", boss=None)
    await play.quiet()
    kept = play.shown("b")["boss"]
    play.delete("b")
    play.delete("b", called="Bob")
    await play.quiet()
    return kept, play.shown("b").get("boss"), play.shown("b", "Bob").get("boss")


@rule(
    {
        "rep": {
            "a": "sales_rep",
            "b": ["first", "last"],
            "lens_b": "join",
            "owner": "b",
            "on_create_only": True,
        }
    },
    ("Eve Adams", "Eve Adams", "someone", None),
)
async def a_joined_name_is_told_once_and_never_read_back(play: Play) -> Any:
    """G6, G25: written at that creation, never rewritten, never read back."""
    play.create("b", first="Eve", last="Adams")
    play.create("a", name="Bob", sales_rep="other")
    await play.quiet()
    told = play.shown("a")["sales_rep"]
    play.edit("b", first="Mallory")
    await play.quiet()
    kept = play.shown("a")["sales_rep"]
    play.edit("a", sales_rep="someone")
    await play.quiet()
    assert play.shown("b")["first"] == "Mallory"
    return told, kept, play.shown("a")["sales_rep"], play.shown("b", "Bob").get("first")


@rule(
    {
        "stock": {
            "a": ["kind", "stock"],
            "b": "shown",
            "owner": "a",
            "lens_a": {"formula": "kind == 'stock' ? text(stock) : '-'"},
        }
    },
    ("-", "12.5", "0", "0"),
)
async def a_formula_shows_what_another_field_allows(play: Play) -> Any:
    """G16: a dash where stock is not applicable, never 0; an edit there is put back."""
    play.create("a", kind="service", stock=Decimal(3))
    await play.quiet()
    dash = play.shown("b")["shown"]
    play.edit("a", kind="stock", stock=Decimal("12.50"))
    await play.quiet()
    number = play.shown("b")["shown"]
    play.edit("a", stock=Decimal(0))
    await play.quiet()
    zero = play.shown("b")["shown"]
    play.edit("b", shown="99")
    await play.quiet()
    return dash, number, zero, play.shown("b")["shown"]


# ------------------------------------------------------------------------------------------------------- lenses


GROSS = {
    "code": {"a": "tax", "b": "tax"},
    "price": {
        "a": ["net", "tax"],
        "b": "gross",
        "lens_a": {"gross": {"rates": {"1": Decimal("19"), "2": Decimal("5.5")}}},
    },
}


@rule(
    GROSS,
    (Decimal("11.9"), Decimal("10.55"), Decimal("0.0252"), Decimal("0.03"), ["field price: the tax rates"]),
)
async def a_net_price_is_shown_gross_to_the_cent(play: Play) -> Any:
    """S13: and a gross price that is changed gives a net price that reads as it again."""
    play.create("a", net=Decimal(10), tax="1")
    play.create("a", name="Bob", net=Decimal(10), tax="2")
    await play.quiet()
    gross, other_rate = play.shown("b")["gross"], play.shown("b", "Bob")["gross"]
    play.edit("b", gross=Decimal("0.03"))
    await play.quiet()
    net = play.shown("a")["net"]
    play.create("a", name="Eve", net=Decimal(1), tax="9")
    await play.quiet()
    return (
        gross,
        other_rate,
        net.quantize(Decimal("0.0001")),
        play.shown("b")["gross"],
        [reason.partition(" of ")[0] for reason in play.reasons()],
    )


@rule(
    {"person": {"a": "full", "b": ["first", "middle", "last"], "lens_b": "join"}},
    (
        ["Anna Maria", "de", "Vos"],
        "Anna Maria de Wit",
        ["Anna Maria", "de", "Wit"],
        "Anna Wit",
        ["Anna", None, "Wit"],
    ),
)
async def a_name_in_one_field_is_split_and_joined_without_loss(play: Play) -> Any:
    """T9."""
    play.create("b", first="Anna Maria", middle="de", last="Vos")
    await play.quiet()

    def parts() -> list[Any]:
        return [play.shown("b").get(part) for part in ("first", "middle", "last")]

    first = parts()
    play.edit("a", full="Anna Maria de Wit")
    await play.quiet()
    second, joined = parts(), play.shown("a")["full"]
    play.edit("b", first="Anna", middle=None)
    await play.quiet()
    return first, joined, second, play.shown("a")["full"], parts()


@rule(
    {"consent": {"a": "consent", "b": "consent", "conflict": "strictest", "group": "c"}}
    | {"since": {"a": "since", "b": "since", "conflict": "strictest", "group": "c"}},
    ({"consent": False, "since": "a2"}, {"consent": False, "since": "a2"}),
)
async def of_two_words_the_stricter_counts_for_the_whole_group(play: Play) -> Any:
    """W10: a withdrawal wins, with what belongs to it."""
    play.create("a", consent=True, since="1")
    await play.quiet()
    play.edit("a", consent=False, since="a2")
    play.edit("b", since="0")
    await play.quiet()
    return tuple({key: play.shown(side)[key] for key in ("consent", "since")} for side in ("a", "b"))


# --------------------------------------------------------------------------------------------- settings, references


CODES = {"code": {"a": "group", "b": "code", "lens_a": {"map": {"setting": "codes"}}}}
CODES_ASKED = {"codes": {"form": "map", "doc": "VAT group -> code"}}


@rule(
    CODES, (['field code: the setting codes has no entry for "G2"'], ["Ada"], "C2", []), settings=CODES_ASKED
)
async def a_missing_map_entry_holds_back_only_who_needs_it(play: Play) -> Any:
    """T19: it is named, the others go, and the one goes by itself when the entry is there."""
    entries = {"settings": CODES_ASKED}
    play.settings(CODES, entries, {"codes": {"G1": "C1"}})
    play.create("a", group="G1")
    play.create("a", name="Bob", group="G2")
    await play.quiet()
    waits, there = play.reasons(), [row["name"] for row in play.rows("b").values()]
    play.settings(CODES, entries, {"codes": {"G1": "C1", "G2": "C2"}})
    await play.quiet()
    return waits, there, play.shown("b", "Bob")["code"], play.reasons()


OPTIONAL = phone(required={"setting": "needs_phone"})
OPTIONAL_ASKED = {"needs_phone": {"form": "flag", "default": True}}


@rule(OPTIONAL, (["needs phone"], {"name": "Ada"}, []), settings=OPTIONAL_ASKED)
async def a_required_field_is_made_optional_by_a_setting(play: Play) -> Any:
    """U5."""
    play.create("a")
    await play.quiet()
    waits = play.reasons()
    play.settings(OPTIONAL, {"settings": OPTIONAL_ASKED}, {"needs_phone": False})
    await play.quiet()
    return waits, play.shown("b"), play.reasons()


OWN = {"score": {"a": {"setting": "score_id"}, "b": {"setting": "score_name"}}}
OWN_ASKED = {
    "score_id": {"form": "text", "default": "custom7"},
    "score_name": {"form": "text", "default": "SCORE"},
    "more": {"form": "fields", "default": {"tier": {"a": "custom9", "b": "TIER"}}},
}


@rule(
    OWN,
    ({"name": "Ada", "SCORE": "1", "TIER": "gold"}, "silver"),
    settings=OWN_ASKED,
    custom={"setting": "more"},
)
async def fields_of_its_own_are_mapped_per_link(play: Play) -> Any:
    """U12, U15: by id on one side, by name on the other, each named in the link's settings."""
    play.create("a", custom7="1", custom9="gold")
    await play.quiet()
    shown = play.shown("b")
    play.edit("b", TIER="silver")
    await play.quiet()
    return shown, play.shown("a")["custom9"]


PARENTS = {
    "parents": {
        "a": "parents",
        "b": "parents",
        "complete_read": "1h",
        "match": [["name"]],
        "fields": {"name": {"a": "name", "b": "name"}} | phone(required=True),
    }
}
PARENT = {"parent": {"a": "parent", "b": "parent_id", "reference": "parents"}}


@rule(PARENT, (1, {}, True, [], True), streams=PARENTS)
async def a_reference_waits_for_its_record_and_then_goes_by_itself(play: Play) -> Any:
    """W10, G12: a reference is translated through bindings; the child waits for a parent that waits itself."""
    waiting = play.create("a", "parents", name="P")
    other = play.create("a", "parents", name="Q", phone="2")
    play.create("a", parent=waiting)
    await play.quiet()
    waits, before = len([r for r in play.reasons() if r.startswith("field parent")]), play.shown("b")
    play.edit("a", "parents", called="P", phone="1")
    await play.quiet()
    ids = {row["name"]: id for id, row in play.rows("b", "parents").items()}
    translated, reasons = play.shown("b")["parent_id"] == ids["P"], play.reasons()
    play.edit("a", parent=other)
    await play.quiet()
    return waits, before, translated, reasons, play.shown("b")["parent_id"] == ids["Q"]


@rule(PARENT, (True, True), streams=PARENTS, complete_read="1m")
async def a_reference_that_is_changed_to_a_waiting_record_goes_by_itself(play: Play) -> Any:
    """The child is bound already; its new parent is not. It goes with the next complete read of the children."""
    first = play.create("a", "parents", name="Q", phone="2")
    play.create("a", parent=first)
    await play.quiet()
    waiting = play.create("a", "parents", name="P")
    play.edit("a", parent=waiting)
    await play.quiet()
    ids = {row["name"]: id for id, row in play.rows("b", "parents").items()}
    kept = play.shown("b")["parent_id"] == ids["Q"]
    play.edit("a", "parents", called="P", phone="1")
    await play.quiet()
    ids = {row["name"]: id for id, row in play.rows("b", "parents").items()}
    return kept, play.shown("b")["parent_id"] == ids["P"]


TAGS = {"tags": {"a": "tags", "b": "tags", "set": True}}


@rule(TAGS, (("x", "y", "z"), ("x", "z", "zz"), ("x", "z", "zz")))
async def a_list_is_merged_item_by_item(play: Play) -> Any:
    """Removed here, added there, doubled and in another order: each item is on both sides once, or on none."""
    play.create("a", tags=("z", "x", "y", "x"))
    await play.quiet()
    first = play.shown("b")["tags"]
    play.edit("a", tags=("x", "z", "z"))
    play.edit("b", tags=("zz", "y", "x", "z"))
    await play.quiet()
    return first, tuple(sorted(set(play.shown("a")["tags"]))), play.shown("b")["tags"]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("mirror", [False, True], ids=["", "mirrored"])
def test_rule(name: str, mirror: bool) -> None:
    fields, more, body, expected = RULES[name]
    assert played(body, fields, more, mirror=mirror) == expected


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kill", KILLS)
def test_rule_survives_a_crash(name: str, kill: str) -> None:
    fields, more, body, expected = RULES[name]
    assert played(body, fields, more, kill=kill) == expected


def test_redteam_05_a_list_written_on_both_sides_is_not_settled_by_one_write_found_open_later() -> None:
    """One of the two writes was done, the other not: what one side removed does not come back as the other's addition."""
    fields, more, body, expected = RULES["a_list_is_merged_item_by_item"]
    for kill in KILLS:
        assert played(body, fields, more, kill=kill) == expected
