"""The merge, exhaustively: every pattern of base, A and B from small alphabets, judged by tables that people can read.

The tables are the oracle: they say what is right in words and know nothing of how `merge` finds it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from actors.core.conditions import Condition
from actors.core.conditions import Test as Asks
from actors.core.merge import Merged, changed_fields, merge
from actors.core.policy import Choice, FieldSpec, FirstContact, Owner
from actors.core.types import SIDES, Side, State, other
from actors.core.values import UNKNOWN, Seen, Value, same
from tests.core.pairs import bound, one, place, seen, stream

# Both sides were settled before. "moved": seen to differ from what that very side held when last settled.
MET = """
owner | A     | B     | now    | outcome
any   | still | still | any    | quiet
any   | any   | any   | equal  | adopt
a     | any   | any   | differ | A
b     | any   | any   | differ | B
both  | moved | still | differ | A
both  | still | moved | differ | B
both  | moved | moved | differ | rule
"""

# Both changed the same field differently. "stamps": whose time stamp is newer, in whole seconds.
CONFLICT = """
rule             | stamps | outcome
a                | any    | A
b                | any    | B
ask              | any    | list
newest_else_a    | A      | A
newest_else_a    | B      | B
newest_else_a    | none   | A
newest_else_b    | A      | A
newest_else_b    | B      | B
newest_else_b    | none   | B
newest_else_ask  | A      | A
newest_else_ask  | B      | B
newest_else_ask  | none   | list
"""

# At least one side was never settled: the two meet for the first time.
FIRST = """
owner | now    | rule          | A      | B      | outcome
any   | equal  | any           | any    | any    | adopt
a     | differ | any           | any    | any    | A
b     | differ | any           | any    | any    | B
both  | differ | a             | any    | any    | A
both  | differ | b             | any    | any    | B
both  | differ | ask           | any    | any    | list
both  | differ | fill_empty    | empty  | any    | B
both  | differ | fill_empty    | any    | empty  | A
both  | differ | fill_empty    | filled | filled | list
both  | differ | filled_else_a | empty  | any    | B
both  | differ | filled_else_a | any    | empty  | A
both  | differ | filled_else_a | filled | filled | A
both  | differ | filled_else_b | empty  | any    | B
both  | differ | filled_else_b | any    | empty  | A
both  | differ | filled_else_b | filled | filled | B
"""


def rows(table: str) -> list[tuple[tuple[str, ...], str]]:
    """A table's rows as (conditions, outcome)."""
    lines = [tuple(cell.strip() for cell in line.split("|")) for line in table.strip().splitlines()[1:]]
    return [(cells[:-1], cells[-1]) for cells in lines]


TABLES = {name: rows(text) for name, text in (("met", MET), ("conflict", CONFLICT), ("first", FIRST))}


def looked_up(table: str, *case: str) -> str:
    """The outcome of the first row that fits."""
    for conditions, outcome in TABLES[table]:
        if all(wanted in ("any", is_) for wanted, is_ in zip(conditions, case, strict=True)):
            return outcome
    raise AssertionError(f"table {table} has no row for {case}")


class Unit:
    """One field or group in one pattern, put into the words of the tables."""

    def __init__(
        self,
        base: Mapping[str, Seen],
        devs: Mapping[Side, Mapping[str, Value]],
        looks: Mapping[Side, Mapping[str, Seen]],
        stamps: str = "none",
    ) -> None:
        self.was = {side: {n: devs[side].get(n, v) for n, v in base.items()} for side in SIDES}
        # What was not seen counts as what it was, and a group that was half seen was not seen.
        whole = {side: UNKNOWN not in looks[side].values() for side in SIDES}
        self.now = {side: dict(looks[side]) if whole[side] else self.was[side] for side in SIDES}
        self.looks, self.stamps = looks, stamps

    def outcome(self, owner: str, conflict: str, first: str) -> str:
        """quiet | adopt | A | B | list | unseen: what is right."""
        found = self._by_tables(owner, conflict, first)
        if found in ("A", "B") and self.overwritten_unseen("b" if found == "A" else "a"):
            return "unseen"
        return found

    def overwritten_unseen(self, loser: Side) -> set[str]:
        """What would be written over although the unit was not seen there now, or not as a whole."""
        if UNKNOWN not in self.looks[loser].values():
            return set()
        return {f"{loser}.{n}" for n, value in self.now["a"].items() if value != self.now["b"][n]}

    def _by_tables(self, owner: str, conflict: str, first: str) -> str:
        if any(value is UNKNOWN for side in SIDES for value in self.now[side].values()):
            return "quiet"  # nothing can be said of a unit of which a part was never seen
        now = "equal" if self.now["a"] == self.now["b"] else "differ"
        if any(value is UNKNOWN for side in SIDES for value in self.was[side].values()):
            return looked_up("first", owner, now, first, self._filled("a"), self._filled("b"))
        found = looked_up("met", owner, self._moved("a"), self._moved("b"), now)
        return looked_up("conflict", conflict, self.stamps) if found == "rule" else found

    def _moved(self, side: Side) -> str:
        return "moved" if self.now[side] != self.was[side] else "still"

    def _filled(self, side: Side) -> str:
        return "empty" if all(value is None for value in self.now[side].values()) else "filled"


def check_outcome(merged: Merged, unit: Unit, outcome: str) -> None:
    """Whether the merge says what the table said, and nothing besides."""
    writes: dict[Side, dict[str, Seen]] = {"a": {}, "b": {}}
    agreed: dict[str, Seen] = {}
    if outcome == "adopt":
        agreed = unit.now["a"]
    elif outcome in ("A", "B"):
        winner: Side = "a" if outcome == "A" else "b"
        loser = other(winner)
        for name, value in unit.now[winner].items():
            if value == unit.now[loser][name]:
                agreed[name] = value
            else:
                writes[loser][name] = value
    assert dict(merged.writes) == writes
    assert dict(merged.agreed) == agreed
    assert bool(merged.unseen) is (outcome == "unseen")
    assert set(merged.unseen) <= unit.overwritten_unseen("a") | unit.overwritten_unseen("b")
    assert len(merged.disputes) == (outcome == "list")
    assert {d.field for d in merged.decisions} == {*agreed, *writes["a"], *writes["b"]}
    for dispute in merged.disputes:
        assert (dict(dispute.a), dict(dispute.b)) == (unit.now["a"], unit.now["b"])
    assert UNKNOWN not in [value for side in SIDES for value in merged.writes[side].values()]


def stamps_of(stamps: str) -> tuple[float | None, float | None]:
    """Time stamps of A and B in which that side is newer; half a second decides nothing."""
    return {"A": (101.0, 100.0), "B": (100.9, 101.0), "none": (100.9, 100.0)}[stamps]


OWNERS = ("a", "b", "both")
FIRSTS = tuple(rule.value for rule in FirstContact)
CONFLICTS = tuple(rule.value for rule in Choice if rule is not Choice.STRICTEST)


def field_patterns() -> Iterator[tuple[Seen, dict[Side, dict[str, Value]], Seen, Seen]]:
    """base, deviations, A, B: absent (unknown), null and values, with and without a deviation on each side."""
    devs: tuple[dict[str, Value], ...] = ({}, {"f": "p"})
    alphabet: tuple[Seen, ...] = (UNKNOWN, None, "x", "p", "n")
    for base, a_dev, b_dev in itertools.product((UNKNOWN, None, "x"), devs, devs):
        for a, b in itertools.product(alphabet, (*alphabet, "m")):
            yield base, {"a": a_dev, "b": b_dev}, a, b


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("conflict", CONFLICTS)
def test_every_pattern_of_one_field_goes_by_the_tables(owner: str, conflict: str) -> None:
    told = owner == "both" and conflict.startswith("newest")
    for first in FIRSTS:
        spec = stream(one(owner=Owner(owner), conflict=Choice(conflict)), first_contact=FirstContact(first))
        for (base, devs, a, b), stamps in itertools.product(
            field_patterns(), ("A", "B", "none") if told else ("none",)
        ):
            unit = Unit({"f": base}, devs, {"a": {"f": a}, "b": {"f": b}}, stamps)
            binding = bound({"f": base}, devs["a"], devs["b"])
            a_at, b_at = stamps_of(stamps)
            merged = merge(
                spec, binding, seen("a", {"f": a}, modified=a_at), seen("b", {"f": b}, modified=b_at)
            )
            check_outcome(merged, unit, unit.outcome(owner, conflict, first))


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("conflict", ["a", "b", "ask"])
@pytest.mark.parametrize("first", FIRSTS)
def test_every_pattern_of_a_group_goes_as_one(owner: str, conflict: str, first: str) -> None:
    rules: dict[str, Any] = {"owner": Owner(owner), "conflict": Choice(conflict), "group": "g"}
    spec = stream(one("g1", **rules), one("g2", **rules), first_contact=FirstContact(first))
    sides = list(itertools.product((UNKNOWN, None, "x", "y"), repeat=2))
    firsts: tuple[Seen, ...] = (UNKNOWN, "x")
    seconds: tuple[Seen, ...] = ("x", None)
    for base1, base2 in itertools.product(firsts, seconds):
        base: dict[str, Seen] = {"g1": base1, "g2": base2}
        for (a1, a2), (b1, b2) in itertools.product(sides, sides):
            looks: dict[Side, dict[str, Seen]] = {"a": {"g1": a1, "g2": a2}, "b": {"g1": b1, "g2": b2}}
            unit = Unit(base, {"a": {}, "b": {}}, looks)
            merged = merge(spec, bound(base), seen("a", looks["a"]), seen("b", looks["b"]))
            check_outcome(merged, unit, unit.outcome(owner, conflict, first))
            after = {side: {**unit.now[side], **merged.writes[side]} for side in SIDES}
            assert all(after[side] in (unit.now["a"], unit.now["b"]) for side in SIDES)


# Is an item in the merged list? By where it was (base) and where it is now (A, B).
ITEM = {
    # base, A, B
    (False, False, False): False,
    (False, True, False): True,  # added on A
    (False, False, True): True,  # added on B
    (False, True, True): True,  # added on both
    (True, True, True): True,  # kept
    (True, False, True): False,  # removed on A
    (True, True, False): False,  # removed on B
    (True, False, False): False,  # removed on both
}


def test_every_pattern_of_a_list_goes_item_by_item() -> None:
    spec = stream(one(as_set=True))
    lists = [tuple(items) for size in range(4) for items in itertools.combinations("pqr", size)]
    for base, a, b in itertools.product(lists, lists, lists):
        merged = merge(spec, bound({"f": base}), seen("a", {"f": a}), seen("b", {"f": b}))
        right = {item for item in "pqr" if ITEM[item in base, item in a, item in b]}
        after = {"a": merged.writes["a"].get("f", a), "b": merged.writes["b"].get("f", b)}
        assert [set(after[side]) for side in SIDES] == [right, right], (base, a, b)  # type: ignore[arg-type]
        assert all(len(set(items)) == len(items) for items in after.values())  # type: ignore[arg-type]


def test_lists_that_meet_are_joined_and_never_cut() -> None:
    spec = stream(one(as_set=True), first_contact=FirstContact.FILL_EMPTY)
    lists = [tuple(items) for size in range(3) for items in itertools.combinations("pqr", size)]
    for a, b in itertools.product(lists, lists):
        merged = merge(spec, bound({}, state=State.MATCHED), seen("a", {"f": a}), seen("b", {"f": b}))
        sides: tuple[tuple[Side, Any], ...] = (("a", a), ("b", b))
        after = [set(merged.writes[side].get("f", has)) for side, has in sides]
        assert after == [{*a, *b}] * 2


# A withdrawal wins, whoever made it: False, then null, then True.
STRICT: tuple[Value, ...] = (False, None, True)


def test_the_stricter_of_two_consents_wins_on_either_side() -> None:
    spec = stream(one(conflict=Choice.STRICTEST))
    for a, b in itertools.permutations(STRICT, 2):
        merged = merge(spec, bound({"f": "never asked"}), seen("a", {"f": a}), seen("b", {"f": b}))
        winner = a if STRICT.index(a) < STRICT.index(b) else b
        assert merged.writes == {
            "a": {"f": winner} if a is not winner else {},
            "b": {"f": winner} if b is not winner else {},
        }


@pytest.mark.parametrize("choose", ["a", "b", "value", "retry"])
@pytest.mark.parametrize("current", [True, False])
def test_a_decision_counts_only_for_what_it_was_made_on(choose: str, current: bool) -> None:
    spec = stream(one())
    looks = seen("a", {"f": "x"}), seen("b", {"f": "y"})
    (listed,) = merge(spec, bound({"f": "base"}), *looks).disputes
    print_ = listed.fingerprint if current else "another"
    merged = merge(
        spec, bound({"f": "base"}), *looks, {"f": {"choose": choose, "value": "z", "fingerprint": print_}}
    )
    wanted = {"a": ({}, {"f": "x"}), "b": ({"f": "y"}, {}), "value": ({"f": "z"}, {"f": "z"})}
    if current and choose in wanted:
        assert (merged.writes["a"], merged.writes["b"]) == wanted[choose]
        assert not merged.disputes
    else:
        assert (merged.writes["a"], merged.writes["b"]) == ({}, {})
        assert [d.fingerprint for d in merged.disputes] == [listed.fingerprint]


@pytest.mark.parametrize("rules", [{"owner": Owner.LOCAL}, {"on_create_only": True}])
def test_fields_that_are_not_kept_in_step_are_never_merged(rules: dict[str, Any]) -> None:
    spec = stream(one(**rules), one("shared"))
    looks = seen("a", {"f": "x", "shared": 1}), seen("b", {"f": "y", "shared": 1})
    merged = merge(spec, bound({"f": "base", "shared": 0}), *looks)
    assert dict(merged.agreed) == {"shared": 1}
    assert not any(merged.writes.values()) and not merged.disputes


def test_a_side_changed_only_against_its_own_settled_value() -> None:
    spec = stream(one())
    binding = bound({"f": "long name"}, b_dev={"f": "long"})
    shows: dict[str, tuple[Side, ...]] = {"long": ("a",), "long name": ("b",), "new": ("a", "b")}
    for value, changed in shows.items():
        assert tuple(s for s in SIDES if changed_fields(spec, binding, seen(s, {"f": value}))) == changed
    assert not any(changed_fields(spec, binding, seen(side, {})) for side in SIDES)
    assert not same("long", "long name")


@pytest.mark.parametrize("mark, winner", [("x", "a"), (None, "b"), (UNKNOWN, None)])
@pytest.mark.parametrize("side", SIDES)
def test_whose_value_stands_where_two_meet_may_depend_on_what_they_show(
    mark: Seen, winner: Side | None, side: Side
) -> None:
    """A local field, which only one side has, says which rule holds; while it is not delivered nobody's value stands."""
    there, nowhere = place("M"), None
    a, b = (there, nowhere) if side == "a" else (nowhere, there)
    local = FieldSpec("mark", a, b, owner=Owner.LOCAL)
    cases = ((FirstContact.A, (Condition("mark", Asks.FILLED),)),)
    spec = stream(one(), local, first_contact=FirstContact.B, contact_cases=cases)
    looks = {one_side: seen(one_side, {"f": one_side}) for one_side in SIDES}
    shown = {} if mark is UNKNOWN else {"M": mark}
    looks[side] = msgspec.structs.replace(looks[side], native={**looks[side].native, **shown})
    merged = merge(spec, bound({}, state=State.MATCHED), looks["a"], looks["b"])
    if winner is None:
        assert (merged.unseen, merged.writes, merged.disputes) == ((f"{side}.mark",), {"a": {}, "b": {}}, ())
    else:
        assert merged.writes == {other(winner): {"f": winner}, winner: {}}
