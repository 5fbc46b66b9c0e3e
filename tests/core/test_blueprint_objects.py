"""Several objects on one side, as a blueprint says them: what is compiled, and every fault with its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.policy import DeletePolicy, LeftBehind, LinkSpec
from actors.core.types import Side

RULES: dict[str, Any] = {
    "blueprint": "x",
    "version": 1,
    "a": {"connector": "csv"},
    "b": {"connector": "csv"},
    "settings": {"makers": {"form": "list", "default": ["a"]}},
    "streams": {
        "companies": {
            "a": {"prospects": {}, "customers": {"creates": {"setting": "makers"}, "deletes": {"a": "mark"}}},
            "b": "companies",
            "creates": ["b"],
            "deletes": {"b": "restore"},
            "mark": {"b": {"gone": True}},
            "complete_read": "1h",
            "fields": {
                "code": {"a": "code", "b": "code"},
                "kind": {
                    "a": "@object",
                    "b": "status",
                    "lens_b": {"map": {"P": "prospects", "C": "customers"}},
                },
            },
        },
        "contacts": {
            "a": "contacts",
            "b": "contacts",
            "complete_read": "1h",
            "fields": {
                "company": {
                    "a": "company",
                    "b": "company",
                    "reference": "companies",
                    "within": ["customers"],
                },
                "boss": {"a": "boss", "b": "boss", "reference": "companies"},
            },
        },
    },
}
Change = Callable[[dict[str, Any]], object]


def compiled(change: Change = lambda data: None) -> LinkSpec:
    data = copy.deepcopy(RULES)
    change(data)
    return compile_blueprint(data, settings={})


def companies(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["streams"]["companies"]
    return found


def test_what_is_said_of_an_object_goes_before_what_is_said_of_the_stream() -> None:
    stream = compiled().stream("companies")
    prospects, customers = stream.objects["a"]
    assert (prospects.name, sorted(prospects.creates), sorted(customers.creates)) == (
        "prospects",
        ["b"],
        ["a"],
    )
    assert prospects.deletes == {"a": DeletePolicy.IGNORE, "b": DeletePolicy.RESTORE}
    assert customers.deletes == {"a": DeletePolicy.MARK, "b": DeletePolicy.RESTORE}
    assert stream.objects_on("a") == ("prospects", "customers") and stream.objects_on("b") == ("companies",)
    assert (stream.several, stream.object("a"), stream.left_behind) == (
        "a",
        "prospects + customers",
        LeftBehind.REMOVE,
    )
    assert stream.object_field is stream.field("kind")


def test_a_reference_knows_the_objects_it_may_point_into() -> None:
    stream = compiled().stream("contacts")
    within: Side = "a"
    assert stream.field("company").within == {within: ("customers",)}
    assert stream.field("boss").within == {within: ("prospects", "customers")}
    assert compiled(_plain).stream("contacts").field("boss").within == {}


def _plain(data: dict[str, Any]) -> None:
    companies(data).update(a="companies", mark={})
    companies(data)["fields"]["kind"]["a"] = "kind"
    del data["streams"]["contacts"]["fields"]["company"]["within"]


FAULTY: dict[str, tuple[Change, str]] = {
    "both sides": (
        lambda d: companies(d).update(b={"x": {}, "y": {}}),
        "streams.companies: one side only may have several objects",
    ),
    "one alone": (
        lambda d: companies(d).update(a={"prospects": {}}),
        "streams.companies.a: several objects are two at least",
    ),
    "a name with the sign between": (
        lambda d: companies(d)["a"].update({"x:y": {}}),
        'streams.companies.a.x:y: ":" stands between',
    ),
    "an entry that is none": (
        lambda d: companies(d)["a"]["prospects"].update(deletez={}),
        "streams.companies.a.prospects.deletez: there is no such entry (did you mean deletes?)",
    ),
    "no object field": (
        lambda d: companies(d)["fields"].pop("kind"),
        'streams.companies.fields: no field says which object a record stands in: one has to have `a: "@object"`',
    ),
    "an object field on the side with one": (
        lambda d: companies(d)["fields"]["kind"].update(a="kind", b="@object"),
        "streams.companies.fields.kind.b: there is one object on side b",
    ),
    "two object fields": (
        lambda d: companies(d)["fields"].update(again={"a": "@object", "b": "again"}),
        "streams.companies.fields.again.a: @object stands alone, in one field",
    ),
    "an object field in a group": (
        lambda d: companies(d)["fields"]["kind"].update(group="g"),
        "streams.companies.fields.kind: the object of a record is kept in step, and decided by itself",
    ),
    "a constant in its place": (
        lambda d: companies(d)["fields"].update(kind={"a": "@object", "constant": "customers"}),
        "streams.companies.fields.kind: the object of a record is a plain value of the other side",
    ),
    "written once": (
        lambda d: companies(d).update(once=["a"], match=[["code"]], deletes={}, mark={}),
        "streams.companies.a: what is written once, or staged, on a moves to no other object",
    ),
    "marked without a mark": (
        lambda d: companies(d).update(left_behind="mark"),
        "streams.companies.left_behind: `mark: {a: ...}` is missing",
    ),
    "within what is not there": (
        lambda d: d["streams"]["contacts"]["fields"]["company"].update(within=["costumers"]),
        'streams.contacts.fields.company.within: "costumers" is none of prospects, customers (did you mean customers?)',
    ),
    "within without several": (
        lambda d: d["streams"]["contacts"]["fields"].update(
            name={"a": "n", "b": "n", "within": ["customers"]}
        ),
        "streams.contacts.fields.name: `within` needs a `reference` to a stream with several objects",
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_every_fault_is_named_with_its_place(case: str) -> None:
    change, expected = FAULTY[case]
    with pytest.raises(BlueprintError) as refused:
        compiled(change)
    found = [f"{fault.path}: {fault.message}" for fault in refused.value.faults]
    assert any(one.startswith(expected) for one in found), found


def test_keys_that_clash_come_after_those_that_bind() -> None:
    def keys(data: dict[str, Any]) -> None:
        companies(data).update(match=[["code", "kind"]], clash=[["code"]])

    stream = compiled(keys).stream("companies")
    assert stream.match == (("code", "kind"), ("code",))
    assert [stream.binds_by(level) for level in (0, 1)] == [True, False]
    with pytest.raises(BlueprintError) as caught:
        compiled(lambda data: companies(data).update(clash=[["cod"]]))
    assert [fault.path for fault in caught.value.faults] == ["streams.companies.clash[0][0]"]


def test_a_formula_may_read_the_object() -> None:
    closed = {
        "a": "@object",
        "b": "closed",
        "owner": "a",
        "lens_a": {"formula": "`@object` == 'customers'"},
    }
    stream = compiled(lambda data: companies(data)["fields"].update(closed=closed)).stream("companies")
    assert stream.object_field is stream.field("kind")
