"""An erased record through the real actors: no look remembers it anew, nothing is made again, edits go over (B17)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.erasure import forget, is_hashed
from actors.core.policy import DeletePolicy
from actors.core.types import Side
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import MIRRORED, at_rest
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until, writes


def erase(rig: Rig) -> None:
    """What the store does, to every record."""
    state = rig.link()
    for key, binding in state.bindings.items():
        gone = forget(rig.spec.stream(CUSTOMERS), binding, "5a17")
        state.bindings[key] = msgspec.structs.replace(gone, rev=binding.rev + 1)


@MIRRORED
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
def test_redteam_42_complete_reads_find_nothing_new_and_an_edit_goes_over(
    here: Side, there: Side, find: Find, rows: bool
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, name) for name in ("N1", "N2")]
        await until(lambda: loaded(rig) and len(rig.names(there)) == 2)
        await at_rest(rig, 60)
        erase(rig)
        before = len(rig.actions())
        await at_rest(rig, 700)  # several complete reads
        hashed, calm = [is_hashed(one) for one in rig.bindings()], len(rig.actions()) == before
        rig.edit(here, ids[0], phone="2")
        await until(lambda: {row["phone"] for row in rig.rows(there).values()} == {"1", "2"}, 300.0)
        partner = next(id for id, row in rig.rows(there).items() if row["name"] == "N2")
        rig.edit(there, partner, phone="3")
        await until(lambda: {row["phone"] for row in rig.rows(here).values()} == {"2", "3"}, 300.0)
        return hashed, calm, rig.names(there), rig.parked()

    declared: dict[str, Any] = {"rows": True, "version": "none"} if rows else {}
    spec = customers(complete_read_s=200.0)
    found = on(lambda: Rig(spec, find=(find,), poll_s=20.0, **declared), body)
    assert found == ([True, True], True, ["N1", "N2"], [])


@MIRRORED
def test_a_deletion_of_an_erased_record_is_carried_and_it_is_not_made_again(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, name) for name in ("N1", "N2")]
        await until(lambda: loaded(rig) and len(rig.names(there)) == 2)
        await at_rest(rig, 60)
        erase(rig)
        rig.systems[here].delete(CUSTOMERS, ids[0], "person")
        await until(lambda: rig.names(there) == ["N2"])
        erase(rig)
        wrote = writes(rig)
        await at_rest(rig, 700)
        return rig.names(here), rig.names(there), writes(rig) - wrote, rig.parked()

    spec = customers(complete_read_s=200.0, deletes=dict.fromkeys("ab", DeletePolicy.REMOVE))
    assert on(lambda: Rig(spec, poll_s=20.0), body) == (["N2"], ["N2"], 0, [])


@MIRRORED
def test_an_erased_record_that_is_put_back_is_put_back_from_the_other_side(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, "N1", "7")]
        await until(lambda: loaded(rig) and len(rig.names(there)) == 1)
        await at_rest(rig, 60)
        erase(rig)
        rig.systems[here].delete(CUSTOMERS, ids[0], "person")
        await until(lambda: rig.names(here) == ["N1"], 300.0)
        await at_rest(rig, 300)
        return [row["phone"] for row in rig.rows(here).values()], len(rig.names(there)), rig.parked()

    spec = customers(complete_read_s=200.0, deletes=dict.fromkeys("ab", DeletePolicy.RESTORE))
    assert on(lambda: Rig(spec, poll_s=20.0), body) == (["7"], 1, [])


@MIRRORED
def test_a_record_that_is_told_by_its_fields_is_deleted_after_it_was_erased(here: Side, there: Side) -> None:
    """What is gone is looked for among what is new, by all that it held: where that is known as a hash, by nothing. The link
    fell over at it, again and again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, name, city="Ulm") for name in ("N1", "N2")]
        await until(lambda: loaded(rig) and len(rig.names(there)) == 2)
        await at_rest(rig, 60)
        erase(rig)
        rig.systems[here].delete(CUSTOMERS, ids[0], "person")
        rig.create(here, "N3", city="Bonn")
        await until(lambda: rig.names(there) == ["N2", "N3"])
        return rig.said("actor.crashed"), rig.parked()

    fields = (field("name"), field("phone"), field("city"))
    spec = customers(fields=fields, deletes=dict.fromkeys("ab", DeletePolicy.REMOVE))
    assert on(lambda: Rig(spec, poll_s=20.0), body) == ([], [])
