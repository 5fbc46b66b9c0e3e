"""Whatever is wrong with a blueprint is found, named, placed, and listed together with everything else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from tests.core.blueprint_samples import Document, compiled, document, fields


def faults(change: Callable[[Document], object]) -> list[str]:
    with pytest.raises(BlueprintError) as refused:
        compiled(change)
    return [f"{fault.path}: {fault.message}" for fault in refused.value.faults]


def gate(data: Document) -> Document:
    """The gate of the orders."""
    found: Document = data["streams"]["orders"]["gate"]["a"]
    return found


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
        lambda d: d["streams"]["customers"].update(match=[7]),
        'match[0]: "7" is not a match key; each is a field or a list of fields',
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
    "a merge that nothing follows": (
        lambda d: d["streams"]["orders"].update(on_merge="follow"),
        "orders.on_merge: nothing follows a merge: `deletes: {a: mark}` (or remove, or of b) is missing",
    ),
    "once without a key": (
        lambda d: d["streams"]["customers"].update(once=["b"], match=[]),
        "customers.once: needs a `match` key",
    ),
    "once and marked": (
        lambda d: d["streams"]["customers"].update(once=["b"]),
        "customers.deletes.a: what is written once on b is not changed when its origin is deleted",
    ),
    "once and put back": (
        lambda d: d["streams"]["customers"].update(once=["b"], deletes={"b": "restore"}),
        "customers.deletes.b: what was deleted on b would be made there a second time",
    ),
    "once and deactivated": (
        lambda d: (
            d["streams"]["orders"].update(once=["b"], mark={"b": {"gone": "yes"}}),
            gate(d).update(then="deactivate"),
        ),
        "orders.gate.a.then: what is written once on b is not marked",
    ),
    "nothing to import": (
        lambda d: d["streams"]["customers"].update(imports="always"),
        "customers.imports: nothing is staged, so there is nothing to import",
    ),
    "staged where nothing is made": (
        lambda d: d["streams"]["customers"].update(stages=["a"]),
        "customers.stages: nothing is made on a, so nothing is staged: `creates` has to name b",
    ),
    "required stream": (
        lambda d: d["streams"]["orders"].update(requires=["custmers"]),
        'orders.requires[0]: there is no stream "custmers" (did you mean customers?)',
    ),
    "gate without a condition": (
        lambda d: gate(d).pop("in"),
        "orders.gate.a: a gate needs one condition",
    ),
    "gate with two conditions": (
        lambda d: gate(d).update(equals="Sent"),
        "orders.gate.a: a gate needs one condition",
    ),
    "gate that lets nobody in": (
        lambda d: gate(d).update({"in": []}),
        "orders.gate.a.in: no value is named, so nothing would ever take part",
    ),
    "gate that is not set": (
        lambda d: (gate(d).pop("in"), gate(d).update(set=False)),
        "orders.gate.a.set: write `set: true`",
    ),
    "gate with nothing to put back": (
        lambda d: (gate(d).pop("in"), gate(d).update(set=True)),
        "orders.gate.a.then: there is no value to put back",
    ),
    "gate that the other side changes": (
        lambda d: gate(d).update(path="NR"),
        'orders.gate.a.path: "NR" is also the field number, which b may change',
    ),
    "gate without a path": (lambda d: gate(d).pop("path"), "orders.gate.a: `path` is missing"),
    "gate without a mark": (
        lambda d: gate(d).update(then="deactivate"),
        "orders.gate.a.then: `mark: {b: ...}` is missing",
    ),
    "gate then": (
        lambda d: gate(d).update(then="detatch"),
        'orders.gate.a.then: "detatch" is not one of keep, put_back, deactivate, detach (did you mean detach?)',
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


SCHEDULES: dict[str, tuple[Any, str]] = {
    "a word": ("weekly", 'delivery: "weekly" is no schedule; write instant, command, nightly, every 15m,'),
    "no unit": ("every 15", 'delivery: "15" is not a duration; write the unit'),
    "too often": ("every 1s", 'delivery: "1s" is not between 10s and'),
    "no minute": ("61 2 * * *", "delivery: '61 2 * * *' is no cron expression: minute can't be read"),
    "four fields": ("30 2 * *", "it has five fields"),
    "a number": (15, 'delivery: "15" is no schedule'),
    "a direction": ({"to_a": "instant"}, "delivery.to_a: there is no such entry (did you mean"),
    "one direction": ({"a_to_b": "often"}, 'delivery.a_to_b: "often" is no schedule'),
    "a zone": ({"at": "nightly", "zone": "Mars"}, "delivery.zone: there is no time zone 'Mars'"),
    "jitter at once": ({"at": "instant", "jitter": "5m"}, "no instants that a jitter could move"),
    "no schedule": ({"at": None, "zone": "UTC"}, "delivery: `at` is missing"),
}


@pytest.mark.parametrize("value, wanted", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("place", ["link", "stream"])
def test_a_faulty_schedule(value: Any, wanted: str, place: str) -> None:
    def change(whole: Document) -> object:
        return (whole if place == "link" else whole["streams"]["orders"]).update(delivery=value)

    prefix = "" if place == "link" else "streams.orders."
    found = faults(change)
    assert any(prefix + wanted in fault or wanted in fault for fault in found)
    assert all(fault.startswith(f"{prefix}delivery") for fault in found)


def test_a_zone_of_the_link_is_checked() -> None:
    assert faults(lambda d: d.update(zone="Middle/Earth")) == [
        "zone: there is no time zone 'Middle/Earth'; they are named like Europe/Brussels"
    ]
