"""Between native and shared fields: nothing is written needlessly, nothing is lost unseen, references are translated."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.lenses import Length, MapValues, Scale
from actors.core.lenses_text import Join
from actors.core.mapping import Refs, observe, paths, references, show
from actors.core.policy import FieldSide, FieldSpec, LensError, Owner
from actors.core.types import Record
from actors.core.values import Value
from tests.core.pairs import one, place, stream

NAME = FieldSpec("name", FieldSide(("first", "last"), Join(2)), place("full_name"))
VAT = FieldSpec(
    "vat", place("group", MapValues((("G1", "goods"), ("G2", "goods"), ("S", "services")))), place("code")
)
ORDER = FieldSpec("customer", place("cust_no"), place("customer_id"), reference="customers")
SPEC = stream(
    NAME,
    VAT,
    one("memo", owner=Owner.LOCAL),
    FieldSpec("only_b", None, place("shop")),
    one("price", a=Scale(2)),
    mark={"a": {"STATUS": "X"}},
)


def test_each_native_field_is_read_once_marks_included() -> None:
    assert paths(SPEC, "a") == ("first", "last", "group", "memo", "price", "STATUS")
    assert paths(SPEC, "b") == ("full_name", "code", "memo", "shop", "price")


def test_what_was_not_delivered_is_missing_and_null_is_null() -> None:
    seen = observe(SPEC, "a", Record("1", {"first": "Ada", "group": None, "price": None}), 5.0)
    assert "name" not in seen.fields
    assert seen.fields == {"vat": None, "price": None}
    assert (seen.asked, seen.problem) == (5.0, "")


def test_a_local_field_is_never_seen_as_a_shared_one() -> None:
    assert observe(SPEC, "a", Record("1", {"memo": "mine"}), 0.0).fields == {}


def test_a_value_outside_the_map_makes_the_record_wait_and_names_the_field() -> None:
    seen = observe(SPEC, "a", Record("1", {"group": "G9", "price": Decimal("1.00")}), 0.0)
    assert seen.problem.startswith("waits: field vat: ")
    assert seen.fields == {"price": Decimal("1.00")}


def test_several_spellings_of_one_value_are_left_as_they_are() -> None:
    assert show(SPEC, "a", {"group": "G2"}, {"vat": "goods"}).native == {}
    assert show(SPEC, "a", {"group": "S"}, {"vat": "goods"}).native == {"group": "G1"}


def test_only_the_parts_that_change_are_sent() -> None:
    write = show(SPEC, "a", {"first": "Anna Maria", "last": "Weber"}, {"name": "Anna Maria Huber"})
    assert write.native == {"last": "Huber"}
    assert write.shown == {"name": "Anna Maria Huber"}


def test_a_field_that_a_side_does_not_have_is_not_sent_there() -> None:
    assert show(SPEC, "a", {}, {"only_b": "x"}).native == {}
    assert show(SPEC, "b", {}, {"only_b": "x"}).native == {"shop": "x"}


def test_what_a_side_will_show_is_known_before_it_is_written() -> None:
    spec = stream(one("name", b=Length(4)))
    write = show(spec, "b", {"name": "old"}, {"name": "Elisabeth"})
    assert (dict(write.native), dict(write.shown)) == ({"name": "Elis"}, {"name": "Elis"})


texts = st.text("abc", max_size=6)


@given(st.dictionaries(st.sampled_from(["f", "g"]), texts), texts, texts)
def test_after_a_write_the_side_shows_what_was_promised(native: dict[str, Value], f: str, g: str) -> None:
    spec = stream(one("f", a=Length(3)), one("g"))
    write = show(spec, "a", native, {"f": f, "g": g})
    after = observe(spec, "a", Record("1", {**native, **write.native}), 0.0)
    assert {name: after.fields[name] for name in write.shown} == write.shown
    assert show(spec, "a", {**native, **write.native}, {"f": f, "g": g}).native == {}


def test_references_are_told_as_bindings_and_back() -> None:
    spec = stream(ORDER)
    refs = Refs(
        keys={("customers", "a", "C7"): 42, ("customers", "b", "crm-9"): 42},
        ids={("customers", "a", 42): "C7", ("customers", "b", 42): "crm-9"},
    )
    assert references(spec, "a", [Record("1", {"cust_no": "C7"}), Record("2", {"cust_no": None})]) == {
        "customers": {"C7"}
    }
    assert observe(spec, "a", Record("1", {"cust_no": "C7"}), 0.0, refs).fields == {"customer": 42}
    assert show(spec, "b", {}, {"customer": 42}, refs).native == {"customer_id": "crm-9"}
    assert show(spec, "b", {"customer_id": "crm-9"}, {"customer": None}, refs).native == {"customer_id": None}


def test_a_reference_to_a_record_that_is_not_in_step_waits() -> None:
    spec = stream(ORDER)
    assert observe(spec, "a", Record("1", {"cust_no": "C7"}), 0.0).problem.startswith("waits: field customer")
    with pytest.raises(LensError) as raised:
        show(spec, "b", {}, {"customer": 42})
    assert raised.value.waits
