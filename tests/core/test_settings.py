"""core/settings.py: settings laid over a blueprint, what a change means, and bindings settled under another mapping."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core import settings
from actors.core.mapping import remapped
from actors.core.plan import Context, differs, plan_pair
from actors.core.policy import FirstContact, LinkSpec
from actors.core.settings import Changes, changes, impossible, overlaid, remember, with_stale
from actors.core.types import Binding, Deviation, Held, Observation, State
from tests.core.blueprint_samples import Document, compiled

CASES: dict[str, tuple[Any, Any, Any]] = {
    "a value": ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
    "a value taken away": ({"a": 1, "b": 2}, {"b": None}, {"a": 1}),
    "a value taken away that is not there": ({"a": 1}, {"b": None}, {"a": 1}),
    "a setting without a value": (
        {"settings": {"x": {"form": "text", "default": "p"}}},
        {"settings": {"x": {"default": None}}},
        {"settings": {"x": {"form": "text", "default": None}}},
    ),
    "something new": ({"a": 1}, {"b": {"c": None, "d": 1}}, {"a": 1, "b": {"d": 1}}),
    "below": ({"s": {"x": {"y": 1, "z": 2}}}, {"s": {"x": {"y": 5}}}, {"s": {"x": {"y": 5, "z": 2}}}),
    "a lens as a whole": (
        {"f": {"a": "A", "lens_a": {"map": {"D": "DE"}}}},
        {"f": {"lens_a": {"map": {"A": None}}}},
        {"f": {"a": "A", "lens_a": {"map": {"A": None}}}},
    ),
    "a list as a whole": ({"match": [["x"], ["y"]]}, {"match": [["z"]]}, {"match": [["z"]]}),
    "nothing": ({"a": 1}, {}, {"a": 1}),
}


@pytest.mark.parametrize("blueprint, ours, wanted", CASES.values(), ids=CASES)
def test_settings_are_laid_over(blueprint: Any, ours: Any, wanted: Any) -> None:
    before = msgspec.json.encode(blueprint)
    assert overlaid(blueprint, ours)[0] == wanted
    assert msgspec.json.encode(blueprint) == before


def test_the_paths_that_come_from_the_settings() -> None:
    _, ours = overlaid({"s": {"x": 1, "y": {"z": 1}}}, {"s": {"y": {"z": [7]}, "w": None}})
    assert ours == {("s", "y", "z"), ("s", "y", "z", 0)}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "lens", "x"]), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_settings_twice_are_settings_once(blueprint: Any, ours: Any) -> None:
    once = overlaid(blueprint, ours)[0]
    assert overlaid(once, ours)[0] == once


# ------------------------------------------------------------------------------------------------------- changes


def changed(change: Any) -> Changes:
    return changes(compiled(), compiled(change))


def customers(data: Document) -> Document:
    found: Document = data["streams"]["customers"]
    return found


def test_nothing_is_otherwise_where_nothing_changed() -> None:
    assert not changed(lambda data: data.update(description="other", version=4))


HEAVY: dict[str, Any] = {
    "a path": lambda data: customers(data)["fields"]["price"].update(a="NETTO"),
    "a lens": lambda data: customers(data)["fields"]["price"].update(lens_b={"scale": 3}),
    "an owner": lambda data: customers(data)["fields"]["price"].update(owner="b"),
    "a field": lambda data: customers(data)["fields"].update(mail={"a": "MAIL", "b": "mail"}),
    "a match": lambda data: customers(data).update(match=[["number"]]),
    "a policy": lambda data: customers(data).update(creates=["a", "b"]),
    "a budget": lambda data: customers(data).update(budgets={"creates": 7}),
}


@pytest.mark.parametrize("change", HEAVY.values(), ids=HEAVY)
def test_what_needs_a_look_at_every_record(change: Any) -> None:
    assert changed(change) == Changes(reread=("customers",))


def test_what_needs_none() -> None:
    assert changed(lambda data: customers(data).update(complete_read="2h")) == Changes()
    assert changed(lambda data: customers(data).update(delivery={"a_to_b": "nightly"})) == Changes(
        retimed=("customers",)
    )


def test_streams_come_and_go() -> None:
    assert changed(lambda data: data["streams"].pop("orders")) == Changes(gone=("orders",))
    back = changes(compiled(lambda data: data["streams"].pop("orders")), compiled())
    assert back == Changes(added=("orders",))


def test_a_link_stays_with_its_systems_and_objects() -> None:
    def other(data: Document) -> None:
        data["a"]["connector"] = "memory"
        customers(data)["b"] = "people"

    found = impossible(compiled(), compiled(other))
    assert [one.path for one in found] == ["a.connector", "streams.customers.b"]
    assert "people" not in found[1].message and "customers" in found[1].message
    assert not impossible(compiled(), compiled(lambda data: data["streams"].pop("orders")))


@pytest.mark.parametrize(
    "name, value",
    [
        ("irreversible", True),
        ("roles", {"a": "secondary", "b": "primary"}),
        ("kind", "articles"),
        ("features", []),
        ("in_mode_4", "refuse"),
    ],
)
def test_what_both_sides_agreed_on_is_not_settled_otherwise_by_one(name: str, value: object) -> None:
    found = impossible(compiled(), compiled(lambda data: data["setup"].update({name: value})))
    assert [fault.path for fault in found] == [f"setup.{name}"]
    assert "both sides agreed on it" in found[0].message
    harmless = compiled(lambda data: data["setup"].update({"expires": "3d", "checks": []}))
    assert not impossible(compiled(), harmless)


# -------------------------------------------------------------------------------------------------- other mappings


def renamed(first_contact: FirstContact = FirstContact.ASK) -> tuple[LinkSpec, LinkSpec]:
    """The rules before and after street got another path on side b, and the other path's stale fields known."""

    def asking(data: Document) -> None:
        for name in ("street", "zip"):
            customers(data)["fields"][name]["conflict"] = "ask"

    def change(data: Document) -> None:
        asking(data)
        customers(data)["fields"]["street"]["b"] = "street_1"
        customers(data)["first_contact"] = first_contact.value

    old = compiled(asking)
    new = compiled(change)
    return old, with_stale(new, remember(remember({}, old), new))


def settled(spec: LinkSpec, **base: Any) -> Binding:
    stream = spec.stream("customers")
    return Binding(
        "customers", 7, State.SETTLED, Held("A1"), Held("B1"), base=base, map_ver=stream.map_ver, rev=3
    )


def test_only_the_fields_with_another_meaning_are_unknown() -> None:
    old, new = renamed()
    stream = new.stream("customers")
    assert stream.stale == {old.stream("customers").map_ver: frozenset({"street"})}
    binding = settled(old, street="Ring 1", zip="1010")
    dev = Deviation("Ring", "rewritten")
    binding = msgspec.structs.replace(binding, b=Held("B1", dev={"street": dev, "zip": dev}))
    after = remapped(stream, binding)
    assert after.base == {"zip": "1010"}
    assert after.b is not None and after.b.dev == {"zip": dev} and after.rev == binding.rev
    assert remapped(stream, settled(new, street="Ring 1")) == settled(new, street="Ring 1")


@pytest.mark.parametrize("means", ["FAX", "FAX2"])
def test_a_field_that_was_switched_off_and_on_keeps_what_was_settled_unless_it_means_something_else(
    means: str,
) -> None:
    def with_fax(path: str) -> LinkSpec:
        return compiled(lambda data: customers(data)["fields"].update(fax={"a": path, "b": "fax"}))

    first, off, again = with_fax("FAX"), compiled(), with_fax(means)
    known = remember(remember(remember({}, first), off), again)
    stream = with_stale(again, known).stream("customers")
    was = settled(off, fax="1", zip="1010")  # by the first rules; settled since without that field
    assert remapped(stream, was).base == ({"fax": "1", "zip": "1010"} if means == "FAX" else {"zip": "1010"})


def test_what_was_settled_under_a_mapping_nobody_knows_is_left() -> None:
    _, new = renamed()
    binding = msgspec.structs.replace(settled(new, street="Ring 1"), map_ver="older than all")
    assert remapped(new.stream("customers"), binding) == binding


def test_mappings_are_forgotten_at_last() -> None:
    def priced(number: int) -> LinkSpec:
        return compiled(lambda data: customers(data)["fields"]["price"].update(a=f"PREIS{number}"))

    known: dict[str, Any] = {}
    for number in range(settings.MAPPINGS_MAX + 5):
        known = remember(known, priced(number))
    spec = priced(settings.MAPPINGS_MAX + 4)
    assert len(known["customers"]) == settings.MAPPINGS_MAX
    assert list(known["customers"])[-1] == spec.stream("customers").map_ver


def looks(street_a: str, street_b: str, zip_b: str = "1010") -> tuple[Observation, Observation]:
    a = Observation("a", "A1", 1.0, fields={"street": street_a, "zip": "1010"})
    return a, Observation("b", "B1", 1.0, fields={"street": street_b, "zip": zip_b})


def test_redteam_17_a_changed_mapping_is_a_first_contact_and_no_conflict_per_record() -> None:
    old, new = renamed(FirstContact.A)
    stream = new.stream("customers")
    binding = remapped(stream, settled(old, street="Ring 1", zip="1010"))
    assert differs(stream, binding, looks("Gasse 2", "Gasse 2")[0])
    agreed = plan_pair(stream, binding, *looks("Gasse 2", "Gasse 2"), Context(0.0))
    assert not agreed.actions and not agreed.park
    assert agreed.binding.base["street"] == "Gasse 2" and agreed.binding.map_ver == stream.map_ver
    # Under the old base both sides would have changed the address: a conflict for every record.
    assert plan_pair(
        stream, settled(old, street="Ring 1", zip="1010"), *looks("Gasse 2", "Weg 3"), Context(0.0)
    ).park
    met = plan_pair(stream, binding, *looks("Gasse 2", "Weg 3"), Context(0.0))
    assert not met.park
    assert [(one.side, one.fields) for one in met.actions] == [("b", {"street": "Gasse 2"})]
