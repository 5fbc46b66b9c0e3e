"""Fields that stand elsewhere in each of several objects of a side (T9): customers that are companies, or persons."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.blueprint.compiler import BlueprintError, compile_blueprint
from actors.core.lens_laws import lens_faults
from actors.core.mapping import observe, paths, show, show_new
from actors.core.policy import StreamSpec
from actors.core.types import Op, Record
from actors.ports import Write
from actors.several import own_write, placed_record

FIELDS: dict[str, Any] = {
    "kind": {
        "a": "@object",
        "owner": "local",
        "lens_a": {"map": {"companies": "company", "people": "person"}},
        "starts_with": {"a": "person"},
    },
    "name": {
        "a": {"companies": "NAME", "people": {"path": ["FIRST", "LAST"], "lens": {"join": " "}}},
        "b": "name",
        "lens": "trim",
    },
    "vat": {"a": {"companies": "VAT", "people": None}, "b": "vat", "lossy": True},
    "city": {"a": "CITY", "b": "city"},
}


def stream(**fields: Any) -> StreamSpec:
    """Companies and people on side a, customers on side b."""
    customers = {"a": {"companies": {}, "people": {}}, "b": "customers", "complete_read": "1h"}
    text = {
        "blueprint": "x",
        "version": 1,
        "a": {"connector": "csv"},
        "b": {"connector": "csv"},
        "streams": {"customers": {**customers, "fields": FIELDS | fields}},
    }
    return compile_blueprint(text).streams[0]


def seen(name: str, id_: str, **native: Any) -> dict[str, Any]:
    """What a record of an object shows."""
    spec = stream()
    record = placed_record(spec, "a", name, Record(id_, native))
    return dict(observe(spec, "a", record, 0.0).fields)


def test_each_object_is_asked_for_its_own_fields_and_shows_nothing_of_the_others() -> None:
    spec = stream()
    assert paths(spec, "a", "companies") == ("NAME", "VAT", "CITY")
    assert paths(spec, "a", "people") == ("FIRST", "LAST", "CITY")
    assert seen("companies", "1", NAME="Vin  & Co", VAT="BE1", CITY="Gent") == {
        "name": "Vin  & Co",
        "vat": "BE1",
        "city": "Gent",
    }
    assert seen("people", "1", FIRST="Ada", LAST="Berg", CITY=None) == {
        "name": "Ada Berg",
        "vat": None,
        "city": None,
    }
    assert "name" not in seen("people", "1", FIRST="Ada", CITY=None)  # not delivered


def test_a_write_goes_to_the_fields_of_the_object_and_a_new_record_into_the_one_it_begins_in() -> None:
    spec = stream()
    told = show_new(spec, "a", {"name": "Ada Berg", "vat": "BE1", "city": "Gent"})
    assert told.native == {"FIRST": "Ada", "LAST": "Berg", "CITY": "Gent"}  # a person has no VAT number there
    there = {"@object": "companies", "NAME": "Old", "VAT": None, "FIRST": None, "LAST": None, "CITY": None}
    told = show(spec, "a", there, {"name": "Vin & Co", "vat": "BE1"})
    assert told.native == {"NAME": "Vin & Co", "VAT": "BE1"}


@pytest.mark.parametrize("name", ["companies", "people"])
def test_the_laws_of_lenses_hold_in_each_object(name: str) -> None:
    place = stream().field("name").a
    assert place is not None
    for old in ((name, None, None, None), (name, "Vin & Co", "Ada", "Berg")):
        assert lens_faults(place.lens, old, "Ada Maria Berg", own=True) == []


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"vat": {"a": {"companies": "VAT"}, "b": "vat", "lossy": True}}, "it says nothing of people"),
        ({"vat": {"a": {"companies": "VAT", "peple": "X"}, "b": "vat"}}, "did you mean people"),
        ({"vat": {"a": {"companies": "VAT", "people": None}, "b": "vat"}}, "lossy: true"),
        ({"vat": {"a": {"companies": "CITY", "people": "CITY"}, "b": "vat"}}, "write it alone"),
        ({"kind": {"a": "@object", "owner": "local"}}, "new ones begin somewhere"),
        ({"kind": {**FIELDS["kind"], "starts_with": {"a": "firm"}}}, "no entry that means"),
        ({"vat": {"a": "VAT", "b": {"companies": "V", "people": "W"}}}, "one object on side b"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BlueprintError) as caught:
        stream(**fields)
    assert words in str(caught.value)


def test_a_write_is_seen_by_its_object_without_the_fields_of_the_others() -> None:
    there = {"@object": "people", "FIRST": "Ada", "LAST": "Berg", "NAME": None, "CITY": "Gent"}
    write = own_write(stream(), "a", Write(Op.UPDATE, "people:7", {"FIRST": "Eva"}, there))
    assert (write.id, write.seen) == ("7", {"FIRST": "Ada", "LAST": "Berg", "CITY": "Gent"})
    new = own_write(stream(), "a", Write(Op.CREATE, native={**there, "@object": "companies", "NAME": "Vin"}))
    assert new.native == {"NAME": "Vin", "CITY": "Gent"}
