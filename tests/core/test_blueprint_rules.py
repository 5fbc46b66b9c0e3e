"""Rules of fields in a blueprint: what they become, and what is wrong with them, named and placed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.conditions import Condition
from actors.core.conditions import Test as Asked
from actors.core.lenses import MapValues
from actors.core.lenses_money import Gross
from actors.core.lenses_one_way import Computed, Constant, OwnId
from actors.core.policy import FirstContact, ForeignEdit, LinkSpec, Owner, OwnerCase
from daemon import blueprints_yaml
from tests.core.blueprint_samples import Document, compiled, document, fields


def with_settings(values: Mapping[str, Any] | None) -> LinkSpec:
    return compile_blueprint(document(), None, values)


SET = {"gate": "type"}


def test_owners_under_conditions_are_compiled() -> None:
    stream = compiled().stream("customers")
    assert stream.field("phone").owner is Owner.BOTH
    assert stream.field("phone").owner_cases == (
        OwnerCase(
            Owner.A,
            (Condition("number", Asked.FILLED), Condition("zip", Asked.NOT, ("0",))),
        ),
        OwnerCase(Owner.B, (), once_bound=True),
    )
    mobile = stream.field("mobile")
    assert mobile.owner is Owner.B
    assert mobile.owner_cases == (OwnerCase(Owner.A, (Condition("zip", Asked.IS, ("1",)),)),)
    assert [name for name, _ in stream.units][-2:] == [
        "phone",
        "mobile",
    ]  # judged when the others are decided


def test_what_is_only_read_is_compiled() -> None:
    stream = compiled().stream("customers")
    mark, id, stock, gross = (stream.field(name) for name in ("mark", "id", "stock", "gross"))
    assert mark.a is not None and (mark.a.paths, mark.a.lens, mark.owner) == ((), Constant(True), Owner.A)
    assert id.a is not None and (id.a.paths, id.a.lens) == (("@id",), OwnId())
    assert id.foreign_edit is ForeignEdit.REPORT
    assert stock.a is not None and isinstance(stock.a.lens, Computed)
    assert stock.a.lens.get((1, 5)) == "5" and stock.a.lens.get((2, 5)) == "-"
    assert gross.a is not None and isinstance(gross.a.lens, Gross)
    assert stream.starts_with == {"a": {}, "b": {"notes": "new"}}


def test_a_field_may_begin_with_a_value_on_the_side_that_owns_it() -> None:
    def change(whole: Document) -> None:
        fields(whole)["tag"] = {"a": "TAG", "b": "tag", "owner": "b", "starts_with": {"b": "new here"}}

    assert compiled(change).stream("customers").starts_with["b"]["tag"] == "new here"


def test_a_link_s_settings_take_their_places() -> None:
    own = {"tier": {"a": "STUFE", "b": "tier"}}
    rates = {"1": 20, "2": 5.5}
    stream = with_settings({**SET, "phone_path": "fon", "rates": rates, "own_fields": own}).stream(
        "customers"
    )
    phone, gross, tier = stream.field("phone").b, stream.field("gross").a, stream.field("tier").a
    assert phone is not None and phone.paths == ("fon",)
    assert gross is not None and isinstance(gross.lens, Gross)
    assert gross.lens.rates == (("1", Decimal(20)), ("2", Decimal("5.5")))  # exact, not as a float is
    assert tier is not None and tier.paths == ("STUFE",)


def test_a_setting_that_is_missing_has_its_default_or_is_named() -> None:
    stream = with_settings(SET).stream("customers")
    assert {"phone", "score"} <= {field.name for field in stream.fields}
    with pytest.raises(
        BlueprintError, match=r"settings\.gate: the link has no setting gate; it has to be set"
    ):
        with_settings({})
    compile_blueprint(document(), None, None)  # only checked: no link is there to have it


def test_what_is_wrong_with_a_setting_s_value_or_for_want_of_one_names_the_setting() -> None:
    data = document()
    data["settings"] |= {
        "imports": {"form": "text", "default": "soon"},
        "tills": {"form": "text", "default": None},
        "needs": {"form": "text", "default": "assigned"},
        "gates": {"default": "x"},
    }
    stream = data["streams"]["customers"]
    stream["imports"] = {"setting": "imports"}
    stream["requires"] = {"customers": {"which": {"setting": "needs"}, "a": {"setting": "tills"}}}
    with pytest.raises(BlueprintError) as refused:
        compile_blueprint(data, None, SET)
    said = {f.path: f.message for f in reversed(refused.value.faults)}
    assert said["streams.customers.imports"].endswith("(the setting imports)")
    assert said["streams.customers.requires.customers"].endswith("(nothing is said in the setting tills)")
    assert any("no setting gates (did you mean gate?)" in f.message for f in refused.value.faults)


def test_a_field_whose_path_is_not_set_is_left_out() -> None:
    data = document()
    data["settings"]["phone_path"]["default"] = None
    assert "phone" not in {
        field.name for field in compile_blueprint(data, None, SET).stream("customers").fields
    }


def test_lines_have_cells_of_the_link_s_own_and_only_those_that_have_a_path() -> None:
    data = document()
    data["settings"]["lot_path"] = {"form": "text", "default": None}
    prices = fields(data)["prices"]["lines"]["fields"]
    prices["unit"]["b"] = {"setting": "lot_path"}
    own = {"grade": {"a": "SORTE", "b": "grade"}}
    spec = compile_blueprint(data, None, {**SET, "own_cells": own}).stream("customers").field("prices")
    assert spec.lines is not None
    names = {field.name for field in spec.lines.fields}
    assert "grade" in names and not names & {"lot", "unit"}


def test_a_mark_may_wait_for_a_link_that_chooses_it() -> None:
    data = document()
    customers = data["streams"]["customers"]
    customers["deletes"] = {"a": {"setting": "gone"}}
    customers["mark"] = {"b": {"deleted": True}}
    data["settings"]["gone"] = {"form": "text", "choices": ["ignore", "mark"], "default": "ignore"}
    for word in ("ignore", "mark"):
        stream = compile_blueprint(data, None, {**SET, "gone": word}).stream("customers")
        assert stream.deletes["a"].value == word
    data["settings"]["gone"]["choices"] = ["ignore", "remove"]
    with pytest.raises(BlueprintError, match="nothing is marked on side b"):
        compile_blueprint(data, None, SET)


def test_match_keys_may_be_a_setting() -> None:
    data = document()
    data["settings"]["known_by"] = {"form": "list", "default": ["number", "name"]}
    data["streams"]["customers"]["match"] = {"setting": "known_by"}
    assert compile_blueprint(data, None, SET).stream("customers").match == (("number",), ("name",))


def test_a_map_that_is_a_setting_may_be_empty_and_names_itself() -> None:
    data = document()
    data["settings"]["codes"] = {"form": "map"}
    fields(data)["zip"]["lens_a"] = {"map": {"setting": "codes"}}
    place = compile_blueprint(data, None, SET).stream("customers").field("zip").a
    assert place is not None and place.lens == MapValues((), "setting codes")


Change = Callable[[Document], object]
FAULTY: dict[str, tuple[Change, str]] = {
    "no last owner": (
        lambda d: fields(d)["zip"].update(owner=[{"once": "bound", "is": "a"}]),
        "fields.zip.owner: the last of the owners has no conditions",
    ),
    "no condition": (
        lambda d: fields(d)["mobile"].update(owner={"is": "a", "else": "b"}),
        "mobile.owner: `when: {field: value}` or `once: bound` is missing",
    ),
    "no else": (
        lambda d: fields(d)["mobile"].update(owner={"once": "bound", "is": "a"}),
        "mobile.owner: `else` is missing",
    ),
    "once": (
        lambda d: fields(d)["mobile"].update(owner={"once": "born", "is": "a", "else": "b"}),
        'mobile.owner.once: "born" is not one of bound',
    ),
    "asked field": (
        lambda d: fields(d)["mobile"].update(owner={"when": {"zipp": "1"}, "is": "a", "else": "b"}),
        'mobile.owner[0].when.zipp: "zipp" is not a field of this stream (did you mean zip?)',
    ),
    "asked local": (
        lambda d: fields(d)["mobile"].update(owner={"when": {"notes": "1"}, "is": "a", "else": "b"}),
        "mobile.owner[0].when.notes: notes is not kept in step",
    ),
    "asked of one that asks": (
        lambda d: fields(d)["mobile"].update(owner={"when": {"phone": "1"}, "is": "a", "else": "b"}),
        "mobile.owner[0].when.phone: the owner of phone depends on a condition itself",
    ),
    "asked of itself": (
        lambda d: fields(d)["mobile"].update(owner={"when": {"mobile": "1"}, "is": "a", "else": "b"}),
        "mobile.owner[0].when.mobile: of its own value a field can only ask whether it is filled",
    ),
    "asked of a list": (
        lambda d: fields(d)["mobile"].update(owner={"when": {"tags": "1"}, "is": "a", "else": "b"}),
        "mobile.owner[0].when.tags: tags is a list; ask for a plain value",
    ),
    "asked both ways": (
        lambda d: fields(d)["mobile"].update(
            owner={"when": {"zip": {"not": "1", "filled": True}}, "is": "a", "else": "b"}
        ),
        "mobile.owner.when.zip: one of `not: value` and `filled: true` is needed",
    ),
    "local under conditions": (
        lambda d: fields(d)["mobile"].update(owner={"when": {"zip": "1"}, "is": "local", "else": "b"}),
        "mobile.owner: a field is local for all records or for none",
    ),
    "group": (
        lambda d: fields(d)["street"].update(owner={"once": "bound", "is": "a", "else": "both"}),
        'fields.zip: the fields of group "address" are decided as one, but not all have the same owners',
    ),
    "constant on both sides": (
        lambda d: fields(d)["mark"].update(a="MARKE"),
        "mark.constant: a constant takes the place of one side",
    ),
    "constant with owner": (
        lambda d: fields(d)["mark"].update(owner="b"),
        "mark.owner: a constant owns its field",
    ),
    "matched by a constant": (
        lambda d: d["streams"]["customers"].update(match=[["mark"]]),
        'match[0][0]: "mark" is not on both sides',
    ),
    "id that is written": (
        lambda d: fields(d)["id"].pop("owner"),
        "id.owner: side a is only read here, never written: owner: a has to be said",
    ),
    "id among others": (
        lambda d: fields(d)["id"].update(a=["@id", "X"]),
        "id.a: @id stands alone",
    ),
    "formula that is written": (
        lambda d: fields(d)["stock"].update(owner="both"),
        "stock.owner: side a is only read here",
    ),
    "formula that can't be read": (
        lambda d: fields(d)["stock"].update(lens_a={"formula": "ART == "}),
        "stock.lens_a.formula: the formula can't be used: it ends in the middle",
    ),
    "formula over another path": (
        lambda d: fields(d)["stock"].update(lens_a={"formula": "PREIS"}),
        "the formula can't be used: it names PREIS, which is not among ART, BESTAND",
    ),
    "formula in second place": (
        lambda d: fields(d)["stock"].update(lens_a=["trim", {"formula": "ART"}]),
        "`formula` and `gross` stand over native values: each has to be the first lens",
    ),
    "both only read": (
        lambda d: fields(d)["stock"].update(lens_b={"formula": "stock"}),
        "stock: both sides are only read: nothing would ever be written",
    ),
    "gross over one path": (
        lambda d: fields(d)["gross"].update(a="NETTO"),
        "`gross` needs two paths, as in [net, tax_code]",
    ),
    "rates": (
        lambda d: fields(d)["gross"].update(lens_a={"gross": {"rates": {"1": "full"}}}),
        'gross.rates.1: "full" is not a number from 0 to 500',
    ),
    "gross that is lossy": (
        lambda d: fields(d)["gross"].update(lens_a={"gross": {"rates": {"1": 20}, "net_places": 2}}),
        "gross: a lens of this field does not give back all",
    ),
    "start of a kept field": (
        lambda d: fields(d)["zip"].update(starts_with={"b": "1"}),
        "zip.starts_with: this field has its value on side b from the other side",
    ),
    "start without a place": (
        lambda d: fields(d)["notes"].update(starts_with={"a": "1"}),
        "notes.starts_with.a: one path on side a is needed",
    ),
    "required and local": (
        lambda d: fields(d)["notes"].update(required=True),
        "notes.required: a local field goes nowhere, so nothing waits for it",
    ),
    "unknown setting": (
        lambda d: fields(d)["zip"].update(a={"setting": "zipp"}),
        'zip.a: there is no setting "zipp"',
    ),
    "setting without a form": (
        lambda d: d["settings"]["gate"].pop("form"),
        "settings.gate: `form` is missing",
    ),
    "default of another form": (
        lambda d: d["settings"]["rates"].update(default="x"),
        "settings.rates.default: a map is needed",
    ),
    "custom by hand": (
        lambda d: d["streams"]["customers"].update(custom={"x": {"a": "x", "b": "x"}}),
        "customers.custom: `custom: {setting: name}` is needed",
    ),
    "custom twice": (
        lambda d: d["settings"]["own_fields"].update(default={"zip": {"a": "x", "b": "y"}}),
        'customers.custom: the setting own_fields has a field "zip", which the blueprint has already',
    ),
    "custom that is wrong": (
        lambda d: d["settings"]["own_fields"].update(default={"score": {"a": "X", "colour": "red"}}),
        "fields.score.colour: there is no such entry",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_named_and_placed(name: str) -> None:
    change, expected = FAULTY[name]
    with pytest.raises(BlueprintError) as refused:
        compiled(change)
    told = [f"{fault.path}: {fault.message}" for fault in refused.value.faults]
    assert any(expected in one for one in told), told


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "form": ({"phone_path": 7}, "the link's setting phone_path: a text is needed"),
    "choice": ({"gate": "colour"}, 'the link\'s setting gate: "colour" is not one of type, status'),
    "nested map": ({"rates": {"1": {"x": 1}}}, "the link's setting rates: a map is needed"),
    "fields": ({"own_fields": {"x": "y"}}, "the link's setting own_fields: a fields is needed"),
    "too many": ({"rates": {str(n): 1 for n in range(10_001)}}, "it has 10001 entries; 10000 is the most"),
    "path twice": (
        {"own_fields": {"x": {"a": "STRASSE", "b": "street"}}},
        '"street" on side b is written by street, x',
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(name: str) -> None:
    values, expected = WRONG[name]
    with pytest.raises(BlueprintError) as refused:
        with_settings({**SET, **values})
    assert any(expected in str(fault) for fault in refused.value.faults), str(refused.value)


def test_faults_have_their_lines() -> None:
    text = """\
blueprint: lines
version: 1
a: {connector: csv}
b: {connector: csv}
settings:
  word: {form: text}
streams:
  things:
    a: THINGS
    b: things
    complete_read: 1h
    fields:
      name:
        a: NAME
        b: name
        owner:
          - {when: {colour: red}, is: a}
          - both
      mark: {b: mark, constant: 1, owner: b}
"""
    with pytest.raises(BlueprintError) as refused:
        blueprints_yaml.load(text, "", {})
    assert [(fault.line, fault.path) for fault in refused.value.faults] == [
        (6, "settings.word"),
        (17, "streams.things.fields.name.owner[0].when.colour"),
        (19, "streams.things.fields.mark.owner"),
    ]


def test_a_first_contact_under_conditions_is_compiled() -> None:
    def change(whole: Document) -> None:
        cases = [{"when": {"notes": {"filled": True}}, "is": "a"}, "filled_else_b"]
        whole["streams"]["customers"]["first_contact"] = cases

    def alone(whole: Document) -> None:
        case = {"when": {"notes": {"filled": True}}, "is": "a", "else": "filled_else_b"}
        whole["streams"]["customers"]["first_contact"] = case

    for stream in (compiled(change).stream("customers"), compiled(alone).stream("customers")):
        assert stream.first_contact is FirstContact.FILLED_ELSE_B
        assert stream.contact_cases == ((FirstContact.A, (Condition("notes", Asked.FILLED),)),)


@pytest.mark.parametrize(
    "cases, said",
    [
        ([{"when": {"nobody": 1}, "is": "a"}, "b"], '"nobody" is not a field of this stream'),
        ([{"when": {"tags": "x"}, "is": "a"}, "b"], "tags is no plain value"),
        ([{"when": {"joined": "x"}, "is": "a"}, "b"], "joined is no plain value"),
        ([{"when": {"number": "x"}, "is": "a"}], "the last one has no conditions"),
        ([{"is": "a"}, "b"], "when"),
        ({"when": {"number": "x"}, "is": "a"}, "else"),
        ([{"when": {"number": "x"}, "is": "newest"}, "b"], "newest"),
    ],
)
def test_a_first_contact_that_asks_for_nothing_it_can_know_is_a_fault(cases: Any, said: str) -> None:
    data = document()
    fields(data)["joined"] = {"a": ["FIRST", "LAST"], "lens_a": "join", "owner": "local"}
    data["streams"]["customers"]["first_contact"] = cases
    with pytest.raises(BlueprintError, match=said):
        compile_blueprint(data, None, SET)
