"""Ids that lie close together become ranges; those that don't are asked for one by one, and none is left out."""

from __future__ import annotations

import random

import pytest

from clients.connectors.http.dense import WASTE_MAX, ranges


@pytest.mark.parametrize(
    "ids, found, alone",
    [
        ([], [], []),
        ([7], [], [7]),
        (range(1, 11), [range(1, 11)], []),
        ([3, 1, 2, 2, 5], [range(1, 6)], []),  # one that nobody wants costs less than another question
        ([1, 2, 3, 4, 1_000_000], [range(1, 5)], [1_000_000]),
        ([10, 20, 30, 40, 50], [], [10, 20, 30, 40, 50]),
        (range(1, 25), [range(1, 11), range(11, 21), range(21, 25)], []),  # no range beyond ten
    ],
)
def test_ranges_hold_what_lies_close_together(ids: list[int], found: list[range], alone: list[int]) -> None:
    assert ranges(ids, 4, 10) == (found, alone)


def test_every_id_is_in_one_range_or_alone_and_ranges_waste_little() -> None:
    draw = random.Random(7)  # noqa: S311
    for _ in range(200):
        ids = {draw.randrange(1, draw.choice((50, 500, 5000))) for _ in range(draw.randrange(1, 120))}
        found, alone = ranges(ids, 5, 60)
        inside = [id_ for some in found for id_ in some if id_ in ids]
        assert sorted([*inside, *alone]) == sorted(ids)
        for some in found:
            wanted = sum(id_ in ids for id_ in some)
            assert wanted >= 5 and len(some) <= min(60, WASTE_MAX * wanted)
