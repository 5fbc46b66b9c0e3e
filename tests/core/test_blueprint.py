"""Compiling blueprints from plain data: what every entry becomes, versions, and the laws over a whole blueprint."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.core.blueprint.compiler import field_versions
from actors.core.lens_laws import law_faults
from actors.core.lenses import Chain, MapValues, Same, Scale, Trim
from actors.core.lenses_text import Join
from actors.core.policy import (
    Budget,
    Choice,
    DeleteEdit,
    DeletePolicy,
    FirstContact,
    Owner,
    StreamSpec,
)
from actors.core.types import Side
from actors.core.values import Value
from tests.core.blueprint_samples import Document, compiled, fields


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
        one_way = False

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


def test_delivery_per_direction_and_stream() -> None:
    def change(whole: Document) -> None:
        whole |= {"zone": "Europe/Brussels", "delivery": {"b_to_a": "nightly"}}
        whole["streams"]["orders"]["delivery"] = {
            "a_to_b": {"at": "*/15 6-20 * * *", "zone": "UTC", "jitter": "2m"},
            "b_to_a": "every 15m",
        }

    spec = compiled(change)
    night = spec.schedules["customers", "a"]
    assert (night.kind, night.cron, night.zone, night.jitter_s) == (
        "cron",
        "0 1 * * *",
        "Europe/Brussels",
        10_800,
    )
    assert ("customers", "b") not in spec.schedules
    day, often = spec.schedules["orders", "b"], spec.schedules["orders", "a"]
    assert (day.cron, day.zone, day.jitter_s) == ("*/15 6-20 * * *", "UTC", 120)
    assert (often.kind, often.every_s, often.jitter_s) == ("every", 900, 900)


def test_one_schedule_for_both_directions() -> None:
    spec = compiled(lambda whole: whole.update(delivery="command"))
    assert {place[1] for place in spec.schedules} == {"a", "b"}
    assert {rule.kind for rule in spec.schedules.values()} == {"command"}
    assert not compiled(lambda whole: whole.update(delivery="instant")).schedules
