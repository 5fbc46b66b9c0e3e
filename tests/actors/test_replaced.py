"""An id that is given to another record between two looks makes nobody somebody else (REDTEAM 29)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.core.policy import Budget, DeletePolicy, Owner, StreamSpec
from actors.core.replaced import PLACE
from actors.core.types import Room, Side
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until


def stream(here: Side, policy: DeletePolicy) -> StreamSpec:
    fields = (*map(field, ("name", "phone", "town")), field("marked", owner=Owner.LOCAL))
    mark = by_side(here, {}, {"marked": "yes"}) if policy is DeletePolicy.MARK else {}
    return customers(fields=fields, deletes=by_side(here, policy, DeletePolicy.IGNORE), mark=mark)


def rig_with(
    here: Side, policy: DeletePolicy = DeletePolicy.REMOVE, find: Find = Find.FEED, ids: str = "may_be_reused"
) -> Rig:
    return Rig(stream(here, policy), ids=ids, find=(find,), poll_s=20.0)


async def reused(rig: Rig, here: str, there: str, **bob: Any) -> tuple[str, str]:
    """Ada is deleted, and her number given to Bob. Her id, and that of the other side's Ada."""
    id = rig.create(here, "Ada", "1", town="x")
    await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
    partner = next(iter(rig.rows(there)))
    rig.systems[here].delete(CUSTOMERS, id, "person")
    fields = {"name": "Bob", "phone": "2", "town": "y"} | bob
    rig.systems[here].create(CUSTOMERS, fields, "person", id=id, reuse=True)
    return id, partner


@MIRRORED
@pytest.mark.parametrize("find", [Find.FEED, Find.FULL])
@pytest.mark.parametrize("policy", list(DeletePolicy))
def test_redteam_29_nothing_is_written_until_a_person_says_who_it_is_and_then_both_are_right(
    here: Side, there: Side, find: Find, policy: DeletePolicy
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        _, partner = await reused(rig, here, there)
        await until(lambda: rig.parked())
        await at_rest(rig, 100)
        (row,) = rig.parked()
        listed = row.room, row.field, rig.rows(there)[partner]["name"], len(rig.rows(there))
        rig.store.decide("l", row.id, row.fingerprint, {"choose": there})
        await until(lambda: "Bob" in rig.names(there) and not rig.parked())
        await at_rest(rig, 100)
        ada = rig.rows(there).get(partner)
        return listed, ada and (ada["name"], ada.get("marked")), rig.names(here), rig.names(there)

    both = ["Ada", "Bob"]
    expected = {
        DeletePolicy.IGNORE: (("Ada", None), ["Bob"], both),
        DeletePolicy.MARK: (("Ada", "yes"), ["Bob"], both),
        DeletePolicy.REMOVE: (None, ["Bob"], ["Bob"]),
        DeletePolicy.RESTORE: (("Ada", None), both, both),
    }[policy]
    found = on(lambda: rig_with(here, policy, find), body)
    assert found == ((Room.CONFLICT, PLACE, "Ada", 1), *expected)


@MIRRORED
def test_a_record_that_was_edited_all_over_goes_when_a_person_says_that_it_is_the_same(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        _, partner = await reused(rig, here, there)
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        rig.store.decide("l", row.id, row.fingerprint, {"choose": here})
        await until(lambda: rig.names(there) == ["Bob"] and not rig.parked())
        await at_rest(rig, 60)
        return list(rig.rows(there)) == [partner]

    assert on(lambda: rig_with(here), body)


@MIRRORED
@pytest.mark.parametrize("same", [{"phone": "1"}, {"name": "Ada"}])
def test_a_record_that_kept_anything_is_the_same(here: Side, there: Side, same: dict[str, str]) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        _, partner = await reused(rig, here, there, **same)
        await until(lambda: rig.rows(there)[partner]["town"] == "y")
        await at_rest(rig, 60)
        return rig.parked()

    assert on(lambda: rig_with(here), body) == []


@MIRRORED
def test_where_no_id_is_ever_given_again_it_is_the_same_record(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        _, partner = await reused(rig, here, there)
        await until(lambda: rig.rows(there)[partner]["name"] == "Bob")
        return rig.parked()

    assert on(lambda: rig_with(here, ids="never_reused"), body) == []


@MIRRORED
@CRASHES
@pytest.mark.parametrize("policy", [DeletePolicy.REMOVE, DeletePolicy.MARK])
def test_a_daemon_that_is_killed_at_any_commit_ends_with_both_right(
    here: Side, there: Side, crash: tuple[str, int], policy: DeletePolicy
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await reused(rig, here, there)
        await until(lambda: rig.parked())
        (row,) = rig.parked()
        dies(rig, crash)
        rig.store.decide("l", row.id, row.fingerprint, {"choose": there})
        await until(lambda: "Bob" in rig.names(there), timeout_s=900)
        await at_rest(rig, 200)
        return rig.names(here), rig.names(there), rig.parked()

    expected = ["Bob"] if policy is DeletePolicy.REMOVE else ["Ada", "Bob"]
    assert on(lambda: rig_with(here, policy), body) == (["Bob"], expected, [])


@MIRRORED
def test_redteam_29_what_a_side_that_was_set_back_would_overwrite_waits_for_a_yes(
    here: Side, there: Side
) -> None:
    """Eighteen customers are edited on one side, nine a day, and the other side is told; then that side is set back to what
    it was before, and all of them show as changed back. Nothing is overwritten until somebody has seen that."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, f"n{number}", "1") for number in range(18)]
        await until(lambda: loaded(rig) and len(rig.names(there)) == 18 and not rig.link().inbox)
        await at_rest(rig, 7200)
        before = rig.systems[here].now()
        await anyio.sleep(100)
        for nine in (ids[:9], ids[9:]):
            for id in nine:
                rig.edit(here, id, phone="2")
            await at_rest(rig, 100_000)
        told = phones(rig, there)
        rig.systems[here].restore(before, "a backup")
        await at_rest(rig, 8000)
        held = [plan.state for plan in rig.link().plans.values() if plan.kind == "held"]
        return told, phones(rig, there), len(rig.names(there)), held

    assert on(_backed_up, body) == ({"2"}, {"2"}, 18, ["open"])


def phones(rig: Rig, side: str) -> set[Any]:
    return {row["phone"] for row in rig.rows(side).values()}


def _backed_up() -> Rig:
    fields = tuple(map(field, ("name", "phone", "town")))
    rig = Rig(
        customers(fields=fields, budgets={"overwrites": Budget(10, 5.0, free=0)}),
        find=(Find.FULL,),
        poll_s=3600.0,
    )
    for system in rig.systems.values():
        system.keep_s = float("inf")
    return rig
