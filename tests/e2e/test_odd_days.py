"""What people do to their data on an odd day: renamed and reused keys, emptied files, cleared tables, strange letters.

Real files, a real database, a real daemon. Each time: nothing is lost, nothing stands twice, and what can't be decided is
in a list. Must not: test the connectors by themselves (tests/connectors) or the planner (tests/core).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.connectors.pgserver import new_database, postgres_url
from tests.e2e.world import BLUEPRINT, World, person, world_of

__all__ = ["postgres_url"]
pytestmark = pytest.mark.anyio

DELETES = "deletes: {a: ignore, b: ignore}"
PEOPLE = 30


@pytest.fixture
def deletes() -> str:
    """What a delete on either side does on the other; tests parametrize it."""
    return "ignore"


@pytest.fixture
async def world(tmp_path: Path, postgres_url: str, deletes: str) -> AsyncIterator[World]:
    """Thirty people in step."""
    blueprint = BLUEPRINT.replace(DELETES, f"deletes: {{a: {deletes}, b: {deletes}}}")
    async with new_database(postgres_url) as url, world_of(tmp_path, url) as found:
        found.save([person(i, PHONE=f"0{i}", CITY=f"Town {i}") for i in range(1, PEOPLE + 1)])
        found.start()
        await found.connect(blueprint)
        await found.quiet()
        yield found


async def numbers(world: World) -> list[str]:
    """The numbers in the CRM."""
    return sorted(row["number"] for row in await world.sql("SELECT number FROM people"))


async def rooms(world: World) -> dict[str, int]:
    """How many wait in which room."""
    return {room.room: room.count for room in (await world.link()).rooms if room.count}


# ------------------------------------------------------------------------------------------------------- deleting


async def test_an_emptied_file_takes_nothing_along_and_edits_made_meanwhile_stay(world: World) -> None:
    with world.editing() as rows:
        kept = [dict(row) for row in rows]
        rows.clear()
    await world.quiet()
    assert len(await numbers(world)) == PEOPLE
    await world.sql("UPDATE people SET phone = 'of the CRM' WHERE number = 'K010'")
    await world.quiet()
    assert world.rows() == []
    with world.editing() as rows:
        rows.extend(kept)
    await world.quiet()
    assert len(await numbers(world)) == PEOPLE and len(world.rows()) == PEOPLE
    assert next(row for row in world.rows() if row["NR"] == "K010")["PHONE"] == "of the CRM"


@pytest.mark.parametrize("deletes", ["remove"])
async def test_an_emptied_file_waits_for_a_yes_where_deletes_are_carried_out(world: World) -> None:
    with world.editing() as rows:
        kept = [dict(row) for row in rows]
        rows.clear()
    await world.until(world.plans)
    (plan,) = await world.plans()
    assert (plan.kind, plan.actions) == ("held", PEOPLE) and "deletes in people" in plan.reason
    assert len(await numbers(world)) == PEOPLE
    with world.editing() as rows:
        rows.extend(kept)
    await world.quiet()
    assert len(await numbers(world)) == PEOPLE and not await world.plans()


@pytest.mark.parametrize("deletes", ["remove"])
async def test_a_truncated_table_waits_for_a_yes(world: World) -> None:
    await world.sql("TRUNCATE people")
    await world.until(world.plans)
    (plan,) = await world.plans()
    assert plan.actions == PEOPLE and len(world.rows()) == PEOPLE


@pytest.mark.parametrize("deletes", ["remove"])
async def test_a_record_that_is_made_again_after_it_was_deleted_comes_over_again(world: World) -> None:
    with world.editing() as rows:
        gone = rows.pop(3)
    await world.quiet()
    assert gone["NR"] not in await numbers(world)
    with world.editing() as rows:
        rows.append(gone)
    await world.quiet()
    assert gone["NR"] in await numbers(world) or await rooms(world)


@pytest.mark.parametrize("deletes", ["restore"])
async def test_a_row_that_is_to_be_put_back_is_put_back(world: World) -> None:
    with world.editing() as rows:
        gone = rows.pop(3)
    await world.quiet()
    assert gone in world.rows()


# ------------------------------------------------------------------------------------------------------------ keys


async def test_a_renamed_key_is_not_guessed_and_nobody_is_doubled(world: World) -> None:
    with world.editing() as rows:
        rows[0]["NR"] = "K900"
    await world.quiet()
    assert len(await numbers(world)) == PEOPLE
    assert "K900" in await numbers(world) or await rooms(world) == {"ambiguous": 1}


@pytest.mark.parametrize("deletes", ["remove"])
async def test_a_renamed_key_does_not_delete_the_partner(world: World) -> None:
    await world.sql("UPDATE people SET origin = 'known to the CRM alone' WHERE number = 'K001'")
    with world.editing() as rows:
        rows[0]["NR"] = "K900"
    await world.quiet()
    kept = await world.sql("SELECT number FROM people WHERE origin = 'known to the CRM alone'")
    assert len(kept) == 1


async def test_two_rows_that_swap_their_keys_are_both_right_on_both_sides(world: World) -> None:
    with world.editing() as rows:
        rows[1]["NR"], rows[2]["NR"] = rows[2]["NR"], rows[1]["NR"]
    await world.quiet()
    shown = {row["number"]: row["name"] for row in await world.sql("SELECT * FROM people")}
    assert shown["K002"] == "Person 3" and shown["K003"] == "Person 2" and len(shown) == PEOPLE


async def test_a_key_that_somebody_else_gets_means_somebody_else(world: World) -> None:
    with world.editing() as rows:
        del rows[3]
    await world.quiet()
    with world.editing() as rows:
        rows.append(person(4, NAME="Quite another", PHONE="777"))
    await world.quiet()
    (found,) = await world.sql("SELECT name, phone FROM people WHERE number = 'K004'")
    assert (found["name"], found["phone"]) == ("Quite another", "777")


# ---------------------------------------------------------------------------------------------------------- values


ODD = (
    "ünï \u202e \\ ; \" '' x",
    'two\nlines;"quoted"',
    " room before and after ",
    "=SUM(A1)\x01\x7f",
    "\U0001f600\ufeff",
    "x" * 100_000,
    "0001,50",
    "NULL",
)


async def test_any_text_arrives_as_it_is_and_comes_to_rest(world: World) -> None:
    for number, text in enumerate(ODD, 1):
        await world.sql("UPDATE people SET phone = $1 WHERE number = $2", text, f"K{number:03d}")
    await world.quiet()
    shown = {row["NR"]: row["PHONE"] for row in world.rows()}
    assert [shown[f"K{number:03d}"] for number, _ in enumerate(ODD, 1)] == list(ODD)
    with world.editing() as rows:
        for row, text in zip(rows[10:], ODD, strict=False):
            row["PHONE"] = text
    await world.quiet()
    found = await world.sql(
        "SELECT phone FROM people WHERE number > 'K010' ORDER BY number LIMIT $1", len(ODD)
    )
    assert [row["phone"] for row in found] == list(ODD)


async def test_a_required_value_that_is_cleared_waits_and_clears_nothing(world: World) -> None:
    before = world.file.read_bytes()
    await world.sql("UPDATE people SET name = '' WHERE number = 'K007'")
    await world.quiet()
    assert world.file.read_bytes() == before and await rooms(world)


# ---------------------------------------------------------------------------------------------------- while it runs


async def test_paused_in_mid_run_it_stops_soon_and_goes_on_where_it_was(world: World) -> None:
    with world.editing() as rows:
        rows.extend(person(1000 + i, PHONE=str(i)) for i in range(2000))
    await world.pause()
    assert (await world.link()).state == "paused"
    await world.resume()
    await world.quiet()
    assert len(await numbers(world)) == len(set(await numbers(world))) == PEOPLE + 2000
