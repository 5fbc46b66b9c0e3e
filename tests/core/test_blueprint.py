"""Compiling blueprints from plain data: what every entry becomes, and that each kind of fault is found and named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.core.blueprint import BlueprintError, compile_blueprint, field_versions
from actors.core.lens_laws import law_faults
from actors.core.lenses import Chain, MapValues, Same, Scale, Trim
from actors.core.lenses_text import Join
from actors.core.policy import (
    Budget,
    Choice,
    DeleteEdit,
    DeletePolicy,
    FirstContact,
    LinkSpec,
    Owner,
    StreamSpec,
)
from actors.core.types import Side
from actors.core.values import Value

Document = dict[str, Any]


def document() -> Document:
    """A blueprint that uses every entry."""
    return {
        "blueprint": "erp-crm",
        "version": 3,
        "description": "Customers and orders",
        "a": {"connector": "csv", "poll": "2s"},
        "b": {"connector": "postgres"},
        "breaker": 7,
        "streams": {
            "orders": {
                "kind": "document",
                "a": "AUFTRAG",
                "b": "orders",
                "match": [["number"]],
                "complete_read": "1d",
                "fields": {
                    "number": {"a": "NR", "b": "number"},
                    "customer": {
                        "a": "KUNDE",
                        "b": "customer_id",
                        "reference": "customers",
                        "required": True,
                    },
                },
            },
            "customers": {
                "kind": "master",
                "a": "KUNDEN",
                "b": "customers",
                "match": [["number"], ["name", "zip"]],
                "creates": ["a"],
                "deletes": {"a": "mark", "b": "restore"},
                "delete_vs_edit": "restore",
                "mark": {"b": {"status": "deleted"}},
                "first_contact": "fill_empty",
                "budgets": {
                    "deletes": {"count": 10, "percent": 5},
                    "overwrites": "100 or 20%",
                    "creates": 50,
                },
                "complete_read": "1h",
                "fields": {
                    "number": {"a": "NR", "b": "number", "owner": "a"},
                    "name": {
                        "a": ["VORNAME", "NACHNAME"],
                        "b": "name",
                        "lens_a": {"join": " "},
                        "lens": "trim",
                    },
                    "street": {
                        "a": "STRASSE",
                        "b": "street",
                        "group": "address",
                        "conflict": "newest else a",
                    },
                    "zip": {"a": "PLZ", "b": "zip", "group": "address", "conflict": "newest_else_a"},
                    "price": {
                        "a": "PREIS",
                        "b": "price",
                        "lens_b": {"scale": 2},
                        "owner": "a",
                        "first_contact": "a",
                    },
                    "vat": {"a": "MWST", "b": "vat", "lens_a": ["trim", {"map": {"1": "full", "2": "full"}}]},
                    "tags": {"a": "TAGS", "b": "tags", "lens_a": {"list": ";"}, "set": True},
                    "short": {"a": "KURZ", "b": "short", "lens_b": {"length": 5}, "lossy": True},
                    "notes": {"owner": "local", "b": "notes", "on_create_only": True},
                },
            },
        },
    }


def compiled(change: Callable[[Document], object] = lambda _: None) -> LinkSpec:
    data = document()
    change(data)
    return compile_blueprint(data)


def faults(change: Callable[[Document], object]) -> list[str]:
    with pytest.raises(BlueprintError) as refused:
        compiled(change)
    return [f"{fault.path}: {fault.message}" for fault in refused.value.faults]


def fields(data: Document) -> Document:
    found: Document = data["streams"]["customers"]["fields"]
    return found


def test_the_link_is_compiled() -> None:
    spec = compiled()
    assert (spec.name, spec.version, spec.description) == ("erp-crm", "3", "Customers and orders")
    assert (spec.a_connector, spec.b_connector, spec.breaker) == ("csv", "postgres", 7)
    assert spec.poll_s == {"a": 2.0, "b": 60.0}


def test_the_stream_is_compiled() -> None:
    stream = compiled().stream("customers")
    assert (stream.kind, stream.object("a"), stream.object("b")) == ("master", "KUNDEN", "customers")
    assert stream.match == (("number",), ("name", "zip"))
    assert stream.creates == {"a"}
    assert stream.deletes == {"a": DeletePolicy.MARK, "b": DeletePolicy.RESTORE}
    assert stream.delete_vs_edit is DeleteEdit.RESTORE
    assert stream.mark == {"b": {"status": "deleted"}}
    assert stream.first_contact is FirstContact.FILL_EMPTY
    assert stream.complete_read_s == 3600.0
    assert stream.budgets == {
        "deletes": Budget(10, 5.0, free=10),
        "overwrites": Budget(100, 20.0, free=20),
        "clears": Budget(20, 5.0, free=20),
        "creates": Budget(50, 0.0, free=20),
    }


def test_the_fields_are_compiled() -> None:
    stream = compiled().stream("customers")
    name, price, vat = stream.field("name"), stream.field("price"), stream.field("vat")
    assert name.a is not None
    assert name.a.paths == ("VORNAME", "NACHNAME")
    assert name.a.lens == Chain(Join(2), (Trim(),))
    assert name.b is not None
    assert name.b.lens == Trim()
    assert price.b is not None
    assert price.b.lens == Scale(2)
    assert (price.owner, price.first_contact) == (Owner.A, FirstContact.A)
    assert vat.a is not None
    map_lens = MapValues((("1", "full"), ("2", "full")), "value map of customers.vat on side a")
    assert vat.a.lens == Chain(Trim(), (map_lens,))
    assert stream.field("street").conflict is Choice.NEWEST_ELSE_A
    assert stream.field("tags").as_set
    notes = stream.field("notes")
    assert notes.a is None
    assert notes.b is not None
    assert isinstance(notes.b.lens, Same)
    assert notes.on_create_only


def test_the_defaults_are_careful() -> None:
    stream = compiled().stream("orders")
    assert stream.first_contact is FirstContact.ASK
    assert stream.deletes == {"a": DeletePolicy.IGNORE, "b": DeletePolicy.IGNORE}
    assert stream.delete_vs_edit is DeleteEdit.KEEP
    assert stream.field("number").conflict is Choice.ASK
    assert set(stream.budgets) == {"deletes", "overwrites", "clears"}


def test_parents_come_first_and_referenced_streams_are_parents() -> None:
    spec = compiled()
    assert [stream.name for stream in spec.streams] == ["customers", "orders"]
    assert spec.stream("orders").parents == ("customers",)
    assert spec.stream("customers").parents == ()


def test_optional_references_may_form_a_circle_and_required_ones_decide() -> None:
    def contact(data: Document) -> None:
        data["streams"]["orders"]["fields"]["customer"]["required"] = False
        fields(data)["first_order"] = {"a": "ERSTER", "b": "first_order", "reference": "orders"}
        fields(data)["head_office"] = {"a": "ZENTRALE", "b": "head_office", "reference": "customers"}

    spec = compiled(contact)
    assert [stream.name for stream in spec.streams] == ["orders", "customers"]
    assert spec.stream("customers").parents == ("orders",)

    def required(data: Document) -> None:
        contact(data)
        data["streams"]["orders"]["fields"]["customer"]["required"] = True

    assert [stream.name for stream in compiled(required).streams] == ["customers", "orders"]


FAULTY: dict[str, tuple[Callable[[Document], object], str]] = {
    "unknown key": (
        lambda d: d.update(steams={}),
        "steams: there is no such entry (did you mean streams?); known are blueprint,",
    ),
    "missing key": (lambda d: d.pop("version"), ": `version` is missing"),
    "no mapping": (
        lambda d: d.update(a="csv"),
        'a: "csv" stands where entries like `connector: ...` are needed',
    ),
    "no streams": (lambda d: d.update(streams={}), "streams: a blueprint needs at least one stream"),
    "link name": (lambda d: d.update(blueprint="ERP CRM"), 'blueprint: "ERP CRM" is not a name'),
    "version": (lambda d: d.update(version=True), 'version: "true" is not a text'),
    "breaker": (lambda d: d.update(breaker=0), 'breaker: "0" is not a whole number from 1 to 100000'),
    "no unit": (lambda d: d["a"].update(poll=5), 'a.poll: "5" is not a duration; write the unit'),
    "too short": (lambda d: d["a"].update(poll="1ms"), 'a.poll: "1ms" is not between 0.1s and'),
    "stream name": (lambda d: d["streams"].update({"Kunden": d["streams"]["orders"]}), "streams.Kunden: "),
    "no complete read": (
        lambda d: d["streams"]["orders"].pop("complete_read"),
        "streams.orders: `complete_read` is missing",
    ),
    "document without match": (
        lambda d: d["streams"]["orders"].pop("match"),
        "streams.orders: a document needs a `match` key",
    ),
    "no fields": (
        lambda d: d["streams"]["orders"].update(fields={}, match=[]),
        "streams.orders.fields: a stream needs",
    ),
    "owner": (
        lambda d: fields(d)["price"].update(owner="x"),
        'streams.customers.fields.price.owner: "x" is not one of a, b, both, local',
    ),
    "owner misspelt": (lambda d: fields(d)["price"].update(owner="loca"), "(did you mean local?)"),
    "newest alone": (
        lambda d: fields(d)["price"].update(conflict="newest"),
        "fields.price.conflict: not every change carries a time: say what holds without one, as in newest_else_a,",
    ),
    "one side": (
        lambda d: fields(d)["price"].pop("a"),
        "fields.price: `a` is missing; a field of side b alone needs owner: local",
    ),
    "no side": (lambda d: fields(d).update(x={"owner": "local"}), "fields.x: the field is on neither side"),
    "lens without path": (
        lambda d: fields(d)["notes"].update(lens_a="trim"),
        "notes.lens_a: there is no path on side a",
    ),
    "lossy": (
        lambda d: fields(d)["short"].pop("lossy"),
        "short: a lens of this field does not give back all",
    ),
    "default is lossy": (
        lambda d: fields(d)["vat"].update(lens_b={"default": "full"}),
        "vat: a lens of this field",
    ),
    "paths without join": (
        lambda d: fields(d)["name"].pop("lens_a"),
        "name.a: 2 paths make one field only with a lens `join`",
    ),
    "join of one": (
        lambda d: fields(d)["zip"].update(lens="join"),
        "zip.lens: `join` needs two paths or more",
    ),
    "join not first": (
        lambda d: fields(d)["name"].update(lens_a=["trim", "join"]),
        "`join` has to be the first lens",
    ),
    "path twice": (lambda d: fields(d)["name"].update(a=["NAME", "NAME"]), "name.a: a path stands twice"),
    "match unknown": (
        lambda d: d["streams"]["customers"].update(match=[["nummer"]]),
        'customers.match[0][0]: "nummer" is not a field of this stream (did you mean number?)',
    ),
    "match on one side": (
        lambda d: d["streams"]["customers"].update(match=[["notes"]]),
        'customers.match[0][0]: "notes" is not on both sides',
    ),
    "match no list": (
        lambda d: d["streams"]["customers"].update(match=["number"]),
        'match[0]: "number" is not a match key; each is a list of fields',
    ),
    "group": (
        lambda d: fields(d)["zip"].update(owner="b"),
        'fields.zip: the fields of group "address" are decided as one, but owner is b here and both in street',
    ),
    "group conflict": (
        lambda d: fields(d)["zip"].update(conflict="ask"),
        "but conflict is ask here and newest_else_a",
    ),
    "two writers": (
        lambda d: fields(d)["vat"].update(b="price"),
        'fields.vat: "price" on side b is written by price, vat; one field only',
    ),
    "mark missing": (
        lambda d: d["streams"]["customers"].pop("mark"),
        "customers.deletes.a: `mark: {b: ...}` is missing",
    ),
    "mark unused": (
        lambda d: d["streams"]["customers"].pop("deletes"),
        "customers.mark.b: nothing is marked on side b; deletes: {a: mark} is missing",
    ),
    "mark is a field": (
        lambda d: d["streams"]["customers"].update(mark={"b": {"zip": "-"}}),
        'customers.mark.b.zip: "zip" is also the field zip: the mark would count as an edit',
    ),
    "parent": (
        lambda d: d["streams"]["orders"].update(parents=["custmers"]),
        'orders.parents[0]: there is no stream "custmers" (did you mean customers?)',
    ),
    "reference": (
        lambda d: d["streams"]["orders"]["fields"]["customer"].update(reference="x"),
        'orders.fields.customer.reference: there is no stream "x"',
    ),
    "circle": (
        lambda d: d["streams"]["customers"].update(parents=["orders"]),
        "these streams need each other first: ",
    ),
    "own parent": (
        lambda d: d["streams"]["orders"].update(parents=["orders"]),
        "streams.orders: these streams need each other first: orders -> orders;",
    ),
    "creates": (
        lambda d: d["streams"]["orders"].update(creates=["c"]),
        'orders.creates[0]: "c" is not one of a, b',
    ),
    "budget": (
        lambda d: d["streams"]["orders"].update(budgets={"clears": "many"}),
        'budgets.clears: "many" is not a budget; write 100, 20%, 100 or 20%, or unlimited',
    ),
    "budget unlimited": (
        lambda d: d["streams"]["orders"].update(budgets={"deletes": "unlimited"}),
        "budgets.deletes: deletes can't be unlimited",
    ),
    "budget percent": (
        lambda d: d["streams"]["orders"].update(budgets={"clears": "200%"}),
        '"200%" is not a budget',
    ),
    "budget empty": (
        lambda d: d["streams"]["orders"].update(budgets={"clears": {}}),
        "`count` or `percent` is missing",
    ),
    "lens": (lambda d: fields(d)["zip"].update(lens="trimm"), '"trimm" is not a lens (did you mean trim?)'),
    "lens options": (
        lambda d: fields(d)["zip"].update(lens={"trim": 1}),
        "zip.lens.trim: this lens takes no options",
    ),
    "phone": (
        lambda d: fields(d)["zip"].update(lens={"phone": "XX"}),
        '"XX" is not a country with phone numbers',
    ),
    "date": (
        lambda d: fields(d)["zip"].update(lens={"date": "%d.%m.%y"}),
        '"%d.%m.%y" is not a form for dates',
    ),
    "factor": (
        lambda d: fields(d)["zip"].update(lens={"scale": {"factor": 3}}),
        'dividing by "3" never ends',
    ),
    "map": (lambda d: fields(d)["zip"].update(lens={"map": {}}), "zip.lens.map: a value map is needed"),
    "map twice": (
        lambda d: fields(d)["zip"].update(lens_a={"map": {1: "x", "1": "y"}}),
        '"1" stands twice in the value map',
    ),
    "map lost": (
        lambda d: fields(d)["zip"].update(lens_a=[{"case": "lower"}, {"map": {"D": "DE"}}]),
        'the entry "D" of the value map does not survive the lenses around it',
    ),
    "bool": (
        lambda d: fields(d)["zip"].update(lens={"bool": {True: "J"}}),
        "the words for true and false are missing",
    ),
    "bool same": (
        lambda d: fields(d)["zip"].update(lens={"bool": {True: "J", False: "J"}}),
        "one word can't mean true and false",
    ),
    "number": (
        lambda d: fields(d)["zip"].update(lens={"number": {"decimal": ",", "thousands": ","}}),
        "decimal and thousands can't be the same sign",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_every_fault_is_found_and_named(name: str) -> None:
    change, expected = FAULTY[name]
    assert any(expected in fault for fault in faults(change)), faults(change)


def test_all_faults_are_listed_at_once_with_their_lines() -> None:
    data = document()
    data["breaker"] = "x"
    fields(data)["price"]["owner"] = "x"
    fields(data)["zip"]["lens"] = "y"
    places: dict[tuple[object, ...], tuple[int, int]] = {
        (): (1, 1),
        ("breaker",): (9, 1),
        ("streams", "customers", "fields", "price"): (40, 7),
    }
    with pytest.raises(BlueprintError) as refused:
        compile_blueprint(data, places)
    assert [(fault.line, fault.path) for fault in refused.value.faults] == [
        (1, "streams.customers.fields.zip.lens"),
        (9, "breaker"),
        (40, "streams.customers.fields.price.owner"),
    ]
    assert 'line 40: streams.customers.fields.price.owner: "x" is not one of' in str(refused.value)


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.sampled_from(("a", "x", "join", "1s", "")),
    st.just(Decimal(1)),
)
anything = st.recursive(
    leaves,
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(st.sampled_from(("a", "b", "map", 1)), below, max_size=2)
    ),
)


def paths_of(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, item in items for below in paths_of(item, (*path, key)))]


@given(data=st.data())
def test_whatever_stands_anywhere_it_is_compiled_or_refused_with_faults(data: st.DataObject) -> None:
    broken: Any = copy.deepcopy(document())
    *head, last = data.draw(st.sampled_from(paths_of(broken)[1:]))
    place = broken
    for key in head:
        place = place[key]
    place[last] = data.draw(anything)
    assert compiled_or_faults(broken)


def compiled_or_faults(data: object) -> tuple[object, ...]:
    try:
        return compile_blueprint(data).streams
    except BlueprintError as error:
        return error.faults


def versions(change: Callable[[Document], object] = lambda _: None) -> dict[str, str]:
    return dict(field_versions(compiled(change).stream("customers")))


@pytest.mark.parametrize(
    "change, changed",
    [
        (lambda d: fields(d)["price"].update(lens_b={"scale": 4}), {"price"}),
        (lambda d: fields(d)["vat"]["lens_a"][1]["map"].update({"3": "none"}), {"vat"}),
        (lambda d: fields(d)["zip"].update(a="POSTLEITZAHL"), {"zip"}),
        (lambda d: fields(d)["tags"].update(set=False), {"tags"}),
        (lambda d: fields(d)["zip"].update(lens_a="same"), set()),
        (lambda d: fields(d)["price"].update(owner="b", conflict="ask", first_contact="b"), set()),
        (lambda d: fields(d)["name"].update(required=True, on_create_only=True), set()),
        (lambda d: d["streams"]["customers"].update(first_contact="a", complete_read="2h"), set()),
    ],
)
def test_a_version_changes_with_the_meaning_of_shared_values_only(
    change: Callable[[Document], object], changed: set[str]
) -> None:
    old, new = versions(), versions(change)
    assert {name for name in old if old[name] != new[name]} == changed
    same_stream: tuple[StreamSpec, StreamSpec] = (
        compiled().stream("customers"),
        compiled(change).stream("customers"),
    )
    assert (same_stream[0].map_ver == same_stream[1].map_ver) is (not changed)


words = st.one_of(st.none(), st.text("AB ,;", max_size=6))
records = st.fixed_dictionaries(
    {
        **dict.fromkeys(("NR", "VORNAME", "NACHNAME", "STRASSE", "PLZ", "TAGS", "KURZ"), words),
        "PREIS": st.one_of(st.none(), st.decimals(-99, 99, places=3)),
        "MWST": st.sampled_from(("1", "2", " 1", None, "9")),
    }
)
rows = st.fixed_dictionaries(
    {
        **dict.fromkeys(("number", "name", "street", "zip", "short", "notes"), words),
        "price": st.one_of(st.none(), st.decimals(-99, 99, places=2)),
        "vat": st.sampled_from(("full", None)),
        "tags": st.one_of(st.none(), st.just(("A", "B"))),
    }
)


@given(a=st.lists(records, max_size=3), b=st.lists(rows, max_size=3))
def test_the_laws_hold_for_the_fields_of_a_blueprint(
    a: list[dict[str, Value]], b: list[dict[str, Value]]
) -> None:
    held: list[tuple[Side, dict[str, Value]]] = [("a", record) for record in a]
    held += [("b", row) for row in b]
    assert law_faults(compiled(), {"customers": held}) == ()


def test_a_broken_law_is_named() -> None:
    class Forgetful:
        """Reads everything as one value and writes something else."""

        lossy = False

        def get(self, native: tuple[Value, ...]) -> Value:
            return str(native[0])

        def put(self, old: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
            return (f"{value}!",)

    spec = compiled()
    stream = spec.stream("orders")
    field = stream.fields[0]
    assert field.a is not None
    broken = replace(stream, fields=(replace(field, a=replace(field.a, lens=Forgetful())),))
    found = law_faults(replace(spec, streams=(broken,)), {"orders": [("a", {"NR": "1"})]})
    assert any(
        "orders.number on side a: GetPut: ('1',) reads as '1' and is written back as ('1!',)" in f
        for f in found
    )
    assert any("PutGet: '1' over ('1',) comes back as '1!'" in fault for fault in found)
    assert any("no change, no write" in fault for fault in found)
