"""Whatever people undo, erase, decide and change: nothing falls over, nobody is made twice, each difference has its reason.

`TANDEM_MEDDLING=n` plays so many seeds of each kind (2 where nothing is said).
"""

from __future__ import annotations

import os

import pytest

from tests.actors.meddling import meddled
from tests.actors.meddling_rules import KINDS

SEEDS = int(os.environ.get("TANDEM_MEDDLING", "2"))


@pytest.mark.timeout(120 + 20 * SEEDS)
@pytest.mark.parametrize("lies", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_people_do_at_once_all_is_well_in_the_end(kind: str, lies: bool) -> None:
    for seed in range(SEEDS):
        found, told = meddled(seed, (kind,), lies)
        assert not found, "\n".join((f"seed {seed}:", *found, *told))


def test_a_seed_replays_exactly() -> None:
    assert meddled(7) == meddled(7)
