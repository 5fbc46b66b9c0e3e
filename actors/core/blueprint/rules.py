"""Rules of a field that are more than a word: owners under conditions, constants, what a new record starts with.

Must not: compare fields with each other; that is checks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.core.blueprint.entries_rules import CASE, CONDITION, CONTACT_CASE, LONE_CASE, LONE_CONTACT
from actors.core.blueprint.forms import Entry
from actors.core.blueprint.nodes import Node
from actors.core.conditions import Condition, Test
from actors.core.lenses_one_way import Constant, OwnId
from actors.core.policy import (
    RECORD_ID,
    RECORD_OBJECT,
    FieldSide,
    FieldSpec,
    FirstContact,
    Lens,
    LensError,
    Owner,
    OwnerCase,
)
from actors.core.types import SIDES, Side, other
from actors.core.values import Value

_CASES_MAX: Final = 10


def read_owner(node: Node | None) -> tuple[Owner, tuple[OwnerCase, ...]]:
    """`owner: b`, or cases with the owner that holds where none of them does, as in
    `owner: [{when: {status: customer}, is: a}, both]` or `owner: {once: bound, is: b, else: both}`."""
    if node is None:
        return Owner.BOTH, ()
    if isinstance(node.value, Mapping):
        last = node.get("else")
        return last.choice(Owner, Owner.BOTH) if last else Owner.BOTH, (_case(node, LONE_CASE),)
    if not isinstance(node.value, list):
        return node.choice(Owner, Owner.BOTH), ()
    items = list(node.items())
    if not items or isinstance(items[-1].value, Mapping):
        node.fault("the last of the owners has no conditions: it holds where nothing else does, as in both")
        return Owner.BOTH, ()
    if len(items) > _CASES_MAX:
        node.fault(f"more than {_CASES_MAX} owners of one field")
    owner = items[-1].choice(Owner, Owner.BOTH)
    return owner, tuple(_case(item, CASE) for item in items[:-1])


def read_first_contact(
    node: Node | None,
) -> tuple[FirstContact, tuple[tuple[FirstContact, tuple[Condition, ...]], ...]]:
    """`first_contact: b`, or cases with what holds where none of them does, as in
    `first_contact: [{when: {customer_number: {filled: true}}, is: filled_else_a}, filled_else_b]`, or
    `{when: ..., is: filled_else_a, else: filled_else_b}`."""
    if node is None:
        return FirstContact.ASK, ()
    if isinstance(node.value, Mapping):
        last = node.get("else")
        return _contact(last), (_contact_case(node, LONE_CONTACT),)
    if not isinstance(node.value, list):
        return _contact(node), ()
    items = list(node.items())
    if not items or isinstance(items[-1].value, Mapping):
        node.fault("the last one has no conditions: it holds where nothing else does, as in ask")
        return FirstContact.ASK, ()
    if len(items) > _CASES_MAX:
        node.fault(f"more than {_CASES_MAX} cases")
    return _contact(items[-1]), tuple(_contact_case(item, CONTACT_CASE) for item in items[:-1])


def _contact_case(node: Node, table: tuple[Entry, ...]) -> tuple[FirstContact, tuple[Condition, ...]]:
    entries = node.table(table)
    when = entries.get("when")
    asked = tuple(_condition(name, one) for name, one in when.entries()) if when else ()
    return _contact(entries.get("is")), asked


def _contact(node: Node | None) -> FirstContact:
    return node.choice(FirstContact, FirstContact.ASK) if node else FirstContact.ASK


def _case(node: Node, table: tuple[Entry, ...]) -> OwnerCase:
    entries = node.table(table)
    owner, when, once = entries.get("is"), entries.get("when"), entries.get("once")
    if when is None and once is None:
        node.fault("`when: {field: value}` or `once: bound` is missing: under which condition")
    if when is not None and when.value == {}:
        when.fault("a condition without a field holds always; name at least one")
    if once is not None:
        once.word(("bound",), "bound")
    return OwnerCase(
        owner=owner.choice(Owner, Owner.BOTH) if owner else Owner.BOTH,
        when=tuple(_condition(name, asked) for name, asked in when.entries()) if when else (),
        once_bound=once is not None,
    )


def _condition(name: str, node: Node) -> Condition:
    """`status: customer`, `status: [customer, vip]`, `status: {not: prospect}`, `number: {filled: true}`."""
    if not isinstance(node.value, Mapping):
        return Condition(name, Test.IS, _values(node))
    entries = node.table(CONDITION)
    unlike, filled = entries.get("not"), entries.get("filled")
    if (unlike is None) is (filled is None):
        node.fault("one of `not: value` and `filled: true` is needed")
    if unlike is not None:
        return Condition(name, Test.NOT, _values(unlike))
    return Condition(name, Test.FILLED if filled is None or filled.flag() else Test.EMPTY)


def _values(node: Node) -> tuple[Value, ...]:
    items = list(node.items()) if isinstance(node.value, list) else [node]
    if not items:
        node.fault("a value is missing")
    return tuple(item.scalar() for item in items)


def read_constant(node: Node) -> tuple[Side | None, FieldSide | None]:
    """The side that a constant stands on (the one without a path) and its place there; None where there is no constant."""
    given = node.get("constant")
    if given is None:
        return None, None
    sides: list[Side] = [side for side in SIDES if node.get(side) is None]
    if len(sides) != 1:
        given.fault("a constant takes the place of one side: exactly one of `a` and `b` is needed beside it")
        return None, None
    if node.get("owner") is not None:
        node.fault("a constant owns its field; there is no other owner", "owner")
    if node.get("reference") is not None:
        node.fault("a constant refers to no record", "reference")
    return sides[0], FieldSide((), Constant(given.scalar()))


def own_id(node: Node, paths: tuple[str, ...], lens: Lens) -> Lens:
    """The lens over `@id`; any other lens as it is."""
    if RECORD_ID not in paths:
        return lens
    if len(paths) > 1:
        node.fault(f"{RECORD_ID} stands alone: it is the record's own id")
    return OwnId()


def read_starts(node: Node, spec: FieldSpec) -> Mapping[str, Mapping[str, Value]]:
    """`starts_with: {b: 7}`: native values that a record which we make on that side begins with."""
    given = node.get("starts_with")
    if given is None:
        return {}
    found: dict[str, Mapping[str, Value]] = {}
    for side in SIDES:
        value, place = given.mapping(SIDES).get(side), spec.side(side)
        if value is None:
            continue
        if place is None or len(place.paths) != 1 or place.lens.one_way:
            value.fault(f"one path on side {side} is needed to start with a value there")
            continue
        found[side] = {place.paths[0]: _start(place, value)}
    told = [side for side in found if spec.owner.value != side or spec.owner_cases]
    if told and spec.owner is not Owner.LOCAL and not spec.on_create_only:
        given.fault(
            f"this field has its value on side {told[0]} from the other side; start a field with owner: {told[0]}, "
            "owner: local or on_create_only: true, or write the lens `default`"
        )
    return found


def _start(place: FieldSide, value: Node) -> Value:
    """The value as it is, but of the object of a record: as the field says it."""
    if place.paths != (RECORD_OBJECT,):
        return value.scalar()
    try:
        return place.lens.put((None,), value.scalar())[0]
    except LensError as error:
        value.fault(str(error))
        return None


def check_one_way(node: Node, spec: FieldSpec) -> None:
    """What is only read belongs to the side where it is read."""
    for side in SIDES:
        place = spec.side(side)
        if place is None or not place.lens.one_way or spec.owner is Owner.LOCAL:
            continue
        far = spec.side(other(side))
        if spec.owner.value != side or spec.owner_cases:
            node.fault(f"side {side} is only read here, never written: owner: {side} has to be said", "owner")
        if far is not None and far.lens.one_way:
            node.fault("both sides are only read: nothing would ever be written")
        if spec.reference and place.paths != (RECORD_ID,):
            node.fault("a reference is an id as it stands; it can't be computed", "reference")
