"""A short form of `make chaos` and `make storm`: the same acts, the same auditor. TANDEM_CHAOS_SEED repeats the choices."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.chaos.acts import kills, takeovers
from tests.chaos.proxy import slow_line
from tests.chaos.stand import stand_on
from tests.chaos.storm import storm
from tests.connectors.pgserver import postgres_url

__all__ = ["postgres_url"]
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SEED = int(os.environ.get("TANDEM_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
RECORDS, KILLS = 1000, 3


async def test_killed_while_a_thousand_people_are_loaded_and_edited_nothing_is_lost_doubled_or_miscounted(
    postgres_url: str, tmp_path: Path
) -> None:
    async with stand_on(postgres_url, tmp_path / "kills", SEED) as stand:
        ending = await kills(stand, RECORDS, KILLS)
    assert not ending.found, f"seed {SEED}:\n" + "\n".join(ending.found)
    assert (
        ending.records > RECORDS and ending.by_tandem > RECORDS
    )  # people worked all the while, and so did Tandem
    assert sum(stand.mishaps.kills.values()) == KILLS


async def test_a_frozen_owner_that_wakes_up_after_another_has_taken_over_does_no_harm(
    postgres_url: str, tmp_path: Path
) -> None:
    async with stand_on(postgres_url, tmp_path / "takeovers", SEED, is_shared=True) as stand:
        ending = await takeovers(stand, RECORDS // 5, 1)
    assert not ending.found, f"seed {SEED}:\n" + "\n".join(ending.found)
    assert stand.mishaps.takeovers == 1


async def test_a_storm_of_hints_and_a_slow_side_grow_nothing_beyond_its_limit(
    postgres_url: str, tmp_path: Path
) -> None:
    async with (
        stand_on(postgres_url, tmp_path / "storm", SEED) as stand,
        slow_line(stand.systems[1].url) as (line, address),
    ):
        stand.systems[1].address = address
        ending, peaks = await storm(stand, line, 200, 10_000, lasting_s=3.0)
        stand.close()
    assert not ending.found, f"seed {SEED}:\n" + "\n".join(ending.found)
    assert peaks.hints == 10_000 and peaks.inbox > 0
