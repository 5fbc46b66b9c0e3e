"""Matching: only 1:1 groups bind, whatever the order of the records; everything else goes to a person."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core import match
from actors.core.match import Verdict
from actors.core.types import Side
from tests.core.pairs import match_all, one, stream

# How many half bindings of A and of B share a key, and how many that are bound (or tombstones) hold it too.
TABLE: dict[tuple[int, int, int], Verdict] = {
    # A, B, taken
    (0, 0, 0): "free",
    (0, 0, 1): "ambiguous",
    (0, 1, 0): "free",
    (0, 2, 0): "free",
    (1, 0, 0): "free",
    (2, 0, 0): "free",
    (1, 1, 0): "bind",
    (1, 2, 0): "ambiguous",
    (2, 1, 0): "ambiguous",
    (2, 2, 0): "ambiguous",
    (0, 1, 1): "ambiguous",
    (1, 0, 1): "ambiguous",
    (1, 1, 1): "ambiguous",
    (1, 2, 2): "ambiguous",
}


@pytest.mark.parametrize("counts", TABLE)
def test_every_size_of_group(counts: tuple[int, int, int]) -> None:
    a, b, taken = counts
    assert match.decide(range(a), range(b), range(taken)) == TABLE[counts]
    assert match.decide(range(b), range(a), range(taken)) == TABLE[counts]
    # By a key that binds nobody one and one go to a person; nothing else is otherwise.
    alone = "ambiguous" if TABLE[counts] == "bind" else TABLE[counts]
    assert match.decide(range(a), range(b), range(taken), binds=False) == alone


def test_a_record_has_one_hash_per_key_and_zero_where_a_part_is_missing() -> None:
    spec = stream(one("number"), one("name"), one("zip"), match=(("number",), ("name", "zip")))
    full = match.keys(spec, {"number": "C1", "name": "Weber", "zip": "80331"})
    assert len(full) == 2 and 0 not in full
    assert match.keys(spec, {"name": "WEBER ", "zip": "80331"}) == (0, full[1])
    assert match.keys(spec, {"number": "C1", "name": "Weber", "zip": None}) == (full[0], 0)
    assert match.keys(spec, {}) == (0, 0)
    assert match.keys(stream(one("number")), {"number": "C1"}) == ()


records = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5)


@given(records, records, st.integers(0, 10**6))
def test_the_order_of_records_decides_nothing(
    a: list[tuple[int, int]], b: list[tuple[int, int]], seed: int
) -> None:
    sides: dict[Side, list[tuple[str, tuple[int, ...]]]] = {
        "a": [(f"A{n}", keys) for n, keys in enumerate(a)],
        "b": [(f"B{n}", keys) for n, keys in enumerate(b)],
    }
    first = match_all(sides)
    luck = random.Random(seed)  # noqa: S311
    for rows in sides.values():
        luck.shuffle(rows)
    assert match_all(sides) == first


@given(records, records)
def test_nobody_is_bound_twice_and_an_unclear_record_not_at_all(
    a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    sides: dict[Side, list[tuple[str, tuple[int, ...]]]] = {
        "a": [(f"A{n}", keys) for n, keys in enumerate(a)],
        "b": [(f"B{n}", keys) for n, keys in enumerate(b)],
    }
    pairs, unclear = match_all(sides)
    members = [("a", left) for left, _ in pairs] + [("b", right) for _, right in pairs]
    assert len(set(members)) == len(members)
    assert unclear.isdisjoint(members)


def test_two_of_one_side_are_unclear_in_every_order() -> None:
    key = (7,)
    for order in itertools.permutations(["A1", "A2"]):
        pairs, unclear = match_all({"a": [(id, key) for id in order], "b": [("B1", key)]})
        assert pairs == set()
        assert unclear == {("a", "A1"), ("a", "A2"), ("b", "B1")}
