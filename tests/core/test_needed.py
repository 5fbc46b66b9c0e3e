"""Which records of another stream a record names, and how they are found; what a blueprint says of it, and its faults."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from actors.core import match, needed
from actors.core.blueprint.compiler import BlueprintError
from actors.core.lenses_text import NumberText
from actors.core.mapping import paths
from actors.core.policy import LinkSpec
from actors.core.types import SIDES, Observation, Side
from actors.core.values import Value
from tests.core.blueprint_samples import Document, compiled
from tests.core.pairs import one, stream


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize(
    "held, names",
    [
        ("1", ("1",)),
        (" 1, 2;2 3 ", ("1", "2", "3")),
        ("", ()),
        (None, ()),
        ((), ()),
        (("1", "2", "1"), ("1", "2")),
        (7, (7,)),
    ],
)
def test_a_record_names_one_several_or_none(here: Side, held: Value, names: tuple[Value, ...]) -> None:
    assert needed.named("tills", Observation(here, "X", 0.0, native={"tills": held})) == names
    assert (
        needed.named("tills", Observation(here, "X", 0.0, native={})) is None
    )  # not delivered: nobody knows


@pytest.mark.parametrize("here", SIDES)
def test_who_is_named_is_found_by_the_first_key_of_one_field_as_its_side_writes_it(here: Side) -> None:
    number = one("n", **{here: NumberText()})
    tills = stream(one("name"), number, match=(("name", "n"), ("n",), ("name",)))
    assert needed.key_of(tills) == (1, "n")
    level = match.keys(tills, {"name": "x", "n": 7})[1]
    found = needed.hashes(tills, here, ("7", "no number"))
    assert found == {"7": frozenset({level}), "no number": frozenset()}
    assert needed.key_of(stream(one("name"), match=(("name",),), clashes=1)) is None


@pytest.mark.parametrize("here", SIDES)
@pytest.mark.parametrize(
    "said, held", [("1", 1), (1, "1"), (Decimal("1.000"), "1"), (Decimal("1.5"), "1.5"), ("1", "1"), (1, 1)]
)
def test_a_number_is_meant_whether_it_stands_there_as_a_text_or_as_a_number(
    here: Side, said: Value, held: Value
) -> None:
    tills = stream(one("n"), match=(("n",),))
    assert match.keys(tills, {"n": held})[0] in needed.hashes(tills, here, (said,))[said]
    assert match.keys(tills, {"n": "01"})[0] not in needed.hashes(tills, here, (said,))[said]


def with_requires(requires: Any, **customers: Any) -> LinkSpec:
    def change(data: Document) -> None:
        data["streams"]["orders"]["requires"] = requires
        data["streams"]["customers"].update(customers)

    return compiled(change)


def test_what_is_said_of_a_required_stream() -> None:
    plain = with_requires(["customers"]).stream("orders")
    any_one = with_requires({"customers": {"which": "any", "a": "FILIALE"}}).stream("orders")
    assert (plain.requires, plain.named) == (any_one.requires, any_one.named) == (("customers",), {})
    assigned = with_requires({"customers": {"which": "assigned", "a": "FILIALE"}}).stream("orders")
    assert (assigned.requires, assigned.named) == (("customers",), {"customers": {"a": "FILIALE"}})
    assert "FILIALE" in paths(assigned, "a") and "FILIALE" not in paths(assigned, "b")
    assert "FILIALE" not in paths(any_one, "a")  # nobody asks for it


@pytest.mark.parametrize(
    "requires, customers, said",
    [
        ({"customers": {"which": "assigned"}}, {}, "requires.customers: `a` or `b` is missing"),
        ({"custmers": {"which": "assigned", "a": "X"}}, {}, 'requires[0]: there is no stream "custmers"'),
        (
            {"customers": {"which": "assigned", "a": "X"}},
            {"match": [["number", "name"]]},
            "requires.customers: customers has no match key of one field",
        ),
        (
            {"customers": {"which": "assigned", "a": "X"}},
            {"match": [["name"]]},
            "requires.customers.a: name of customers is not one path on side a",
        ),
    ],
)
def test_what_is_wrong_with_it_is_named(requires: Any, customers: dict[str, Any], said: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        with_requires(requires, **customers)
    assert [
        f.path for f in refused.value.faults if f"{f.path}: {f.message}".startswith(f"streams.orders.{said}")
    ]
