"""When a write with an atomic precondition needs no look at its target first (actors/core/assume.py)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.assume import assumed, rests_on_precondition
from actors.core.lenses import Same
from actors.core.lenses_text import Join
from actors.core.plan import Context, Verdict, plan_pair
from actors.core.policy import FieldSide, FieldSpec, Owner, StreamSpec
from actors.core.types import Binding, Deviation, Held, Observation, Op, Presence, State

NOW = Context(now=1000.0)
JOINED = {"FIRST": "Ada", "LAST": "Byron"}


def field(name: str, **rules: Any) -> FieldSpec:
    place = FieldSide((name,), Same())
    return FieldSpec(name, a=place, b=place, **rules)


STREAM = StreamSpec(
    "people",
    "master",
    "people",
    "people",
    fields=(
        FieldSpec("name", a=FieldSide(("name",), Same()), b=FieldSide(("FIRST", "LAST"), Join(2))),
        field("phone"),
        field("street", group="address"),
        field("zip", group="address"),
        field("number", owner=Owner.B),
        field("chief", reference="people"),
    ),
    map_ver="1",
)
BASE = {"name": "Ada Byron", "phone": "1", "street": "S", "zip": "Z", "number": 7, "chief": None}


def bound(**more: Any) -> Binding:
    """A settled binding."""
    plain: dict[str, Any] = {
        "state": State.SETTLED,
        "a": Held("A1"),
        "b": Held("B1", version="v3"),
        "base": BASE,
        "map_ver": "1",
    }
    return Binding("people", **(plain | more))


def seen(**changed: Any) -> Observation:
    """A look at side A."""
    fields = {**BASE, **changed}
    return Observation("a", "A1", 5.0, fields=fields, native=fields)


def planned(binding: Binding, look: Observation) -> tuple[Verdict, bool]:
    """The verdict made without a look at B, and whether it may go."""
    ground = assumed(STREAM, binding, look)
    assert ground is not None
    verdict = plan_pair(STREAM, binding, look, ground, NOW)
    return verdict, rests_on_precondition(STREAM, binding, verdict, "b")


def test_the_plain_update_goes_with_what_it_rests_on_as_its_precondition() -> None:
    verdict, goes = planned(bound(), seen(phone="2"))
    (action,) = verdict.actions
    assert goes
    assert (action.side, action.op, action.target, action.version) == ("b", Op.UPDATE, "B1", "v3")
    assert (action.native, action.seen_native) == ({"phone": "2"}, {"phone": "1"})


def test_all_that_a_written_field_is_made_of_must_be_as_it_was() -> None:
    verdict, goes = planned(bound(), seen(name="Ada Lovelace"))
    assert goes
    assert verdict.actions[0].native == {"LAST": "Lovelace"}
    assert verdict.actions[0].seen_native == JOINED


def test_a_group_must_be_as_it_was_as_a_whole() -> None:
    verdict, goes = planned(bound(), seen(zip="Y"))
    assert goes
    assert verdict.actions[0].seen_native == {"street": "S", "zip": "Z"}


def test_what_the_side_showed_otherwise_is_what_it_should_still_hold() -> None:
    side = Held("B1", dev={"phone": Deviation("+1", "rewritten")})
    verdict, goes = planned(bound(b=side), seen(phone="2"))
    assert goes
    assert verdict.actions[0].seen_native == {"phone": "+1"}


@pytest.mark.parametrize(
    "why, binding, look",
    [
        ("a put-back writes the side that was seen", bound(), seen(number=8)),
        ("nothing to write", bound(), seen()),
        ("only the other side's deviation goes: that is adopted, not written",
         bound(b=Held("B1", dev={"phone": Deviation("2", "rewritten")})), seen(phone="2")),
        ("how B writes a reference is known to nobody without its ids", bound(), seen(chief=4)),
        ("what B held in the field is not known",
         bound(base={n: v for n, v in BASE.items() if n != "phone"}), seen(phone="2")),
    ],
)  # fmt: skip
def test_anything_else_needs_a_look(why: str, binding: Binding, look: Observation) -> None:
    assert not planned(binding, look)[1], why


@pytest.mark.parametrize(
    "binding, look",
    [
        (bound(state=State.MATCHED), seen(phone="2")),
        (bound(state=State.TOMBSTONE), seen(phone="2")),
        (bound(map_ver="0"), seen(phone="2")),
        (bound(b=Held("B1", Presence.DELETED)), seen(phone="2")),
        (bound(a=Held("A1", Presence.OUT_OF_SCOPE)), seen(phone="2")),
        (bound(b=None), seen(phone="2")),
        (bound(), msgspec.structs.replace(seen(), presence=Presence.DELETED)),
        (bound(), msgspec.structs.replace(seen(phone="2"), problem="field phone: is a list")),
    ],
)
def test_where_it_was_not_settled_plainly_there_is_no_ground(binding: Binding, look: Observation) -> None:
    assert assumed(STREAM, binding, look) is None
