"""Undoing a run in a stream over several objects: what was made, deleted or moved there goes back (B2, G8, G22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from actors.core.policy import DeletePolicy, LeftBehind, ObjectRules, StreamSpec
from actors.core.types import ActionState, Op, Outcome, Side
from actors.core.undo import UNDONE
from actors.ports import Find
from actors.root import RootActor
from actors.undoing import LEFT_BEHIND
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, on, until, writes
from tests.actors.test_several import BOTH, CLIENTS, PROSPECTS, accounts, person_moves
from tests.actors.test_undoing import applied, applied_again_and_again, left, planned, run_that

REMOVE = dict.fromkeys("ab", DeletePolicy.REMOVE)


def spec_of(one: Side, **rules: Any) -> StreamSpec:
    """Prospects and clients on the other side; a deletion anywhere is one everywhere, and nobody owns anything."""
    many: Side = "b" if one == "a" else "a"
    plain = accounts(one, **rules)
    objects = {many: tuple(ObjectRules(name, BOTH, REMOVE) for name in (PROSPECTS, CLIENTS))}
    fields = tuple(msgspec.structs.replace(field, owner_cases=()) for field in plain.fields)
    return msgspec.structs.replace(plain, objects=objects, fields=fields, deletes=REMOVE)


def rig_with(spec: StreamSpec) -> Rig:
    return Rig(spec, find=(Find.FEED,), poll_s=20.0)


def held(rig: Rig, side: Side, *names: str) -> dict[str, list[tuple[Any, ...]]]:
    """What each object holds: name, phone, and the side's own field."""
    return {
        name: sorted((row["name"], row["phone"], row.get("own")) for row in rig.rows(side, name).values())
        for name in names or (PROSPECTS, CLIENTS)
    }


async def in_step(rig: Rig, here: Side, there: Side) -> tuple[str, str]:
    """Ada, a prospect there and an account here; her ids."""
    id = rig.systems[there].create(PROSPECTS, {"name": "Ada", "phone": "1", "own": "mine"}, "person")
    await until(lambda: len(rig.rows(here)) == 1 and not rig.link().inbox)
    await at_rest(rig, 60)
    return next(iter(rig.rows(here))), id


def devs(rig: Rig) -> list[tuple[str, str]]:
    """Every deviation: field and reason."""
    return [
        (name, dev.reason)
        for one in rig.bindings()
        for at in (one.a, one.b)
        if at
        for name, dev in at.dev.items()
        if not name.startswith("*")
    ]


@MIRRORED
def test_a_move_is_moved_back_with_all_that_the_record_holds_and_stays_there(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await in_step(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS, phone="2")
        await until(lambda: held(rig, there) == {PROSPECTS: [], CLIENTS: [("Ada", "2", "mine")]})
        await at_rest(rig, 60)
        (client,) = rig.rows(there, CLIENTS)
        rig.systems[there].edit(CLIENTS, client, {"own": "later"}, "person")
        await at_rest(rig, 60)
        (run,) = {
            run for run, one in rig.link().actions.values() if one.side == there and one.op is Op.CREATE
        }
        plan = await planned(rig, root, run)
        assert plan is not None and plan.actions == 1
        ended = await applied(rig, root, plan)
        await until(lambda: held(rig, there) == {PROSPECTS: [("Ada", "1", "later")], CLIENTS: []})
        await at_rest(rig, 300)
        before = writes(rig)
        await at_rest(rig, 300)
        quiet = writes(rig) - before
        now = dict(rig.rows(here)[mine]), sorted(devs(rig))
        rig.edit(here, mine, phone="3")  # and the next edits go over as ever
        await until(lambda: held(rig, there) == {PROSPECTS: [("Ada", "3", "later")], CLIENTS: []})
        rig.edit(here, mine, kind=PROSPECTS)
        await at_rest(rig, 60)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: held(rig, there) == {PROSPECTS: [], CLIENTS: [("Ada", "3", "later")]})
        return ended.outcome, quiet, now, rig.parked()

    outcome, quiet, (mine, deviations), parked = on(lambda: rig_with(spec_of(here)), body)
    assert (outcome, quiet, parked) == (Outcome.SUCCEEDED, 0, [])
    assert (mine["kind"], mine["phone"]) == (CLIENTS, "2")
    assert deviations == [("kind", UNDONE), ("phone", UNDONE)]


@MIRRORED
def test_what_a_move_had_left_behind_is_no_deletion_to_be_taken_back(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await in_step(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: not rig.rows(there, PROSPECTS))
        await at_rest(rig, 60)
        run = run_that(rig, Op.DELETE, there)
        plan = await planned(rig, root, run)
        moved = run == run_that(rig, Op.CREATE, there)
        acts = await rig.store.held_actions(plan.id, 0, 9) if plan else ()
        return left(rig), [(one.op, one.native["@object"]) for one in acts], moved

    named, acts, moved = on(lambda: rig_with(spec_of(here)), body)
    assert named == [f"left as it is: {LEFT_BEHIND}"]
    assert acts == ([(Op.CREATE, PROSPECTS)] if moved else [])


@MIRRORED
def test_a_status_that_followed_a_move_there_is_taken_back_here_alone(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, prospect = await in_step(rig, here, there)
        person_moves(rig, there, prospect)
        await until(lambda: rig.rows(here)[mine]["kind"] == CLIENTS)
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.UPDATE, here))
        assert plan is not None
        await applied(rig, root, plan)
        await at_rest(rig, 300)
        return rig.rows(here)[mine]["kind"], held(rig, there), devs(rig), rig.parked()

    found = on(lambda: rig_with(spec_of(here)), body)
    there_now: Mapping[str, Any] = {PROSPECTS: [], CLIENTS: [("Ada", "1", "mine")]}
    assert found == (PROSPECTS, there_now, [("kind", UNDONE)], [])


@MIRRORED
@pytest.mark.parametrize("kind", [PROSPECTS, CLIENTS])
def test_what_was_made_in_either_object_is_removed_and_not_made_again(
    here: Side, there: Side, kind: str
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await in_step(rig, here, there)
        rig.create(here, "Bob", "2", kind=kind)
        await until(lambda: any(row["name"] == "Bob" for row in rig.rows(there, kind).values()))
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.CREATE, there))
        assert plan is not None
        ended = await applied(rig, root, plan)
        await at_rest(rig, 500)
        return ended.outcome, held(rig, there), len(rig.rows(here)), rig.parked()

    there_now: Mapping[str, Any] = {PROSPECTS: [("Ada", "1", "mine")], CLIENTS: []}
    assert on(lambda: rig_with(spec_of(here)), body) == (Outcome.SUCCEEDED, there_now, 2, [])


@MIRRORED
@pytest.mark.parametrize("kind", [PROSPECTS, CLIENTS])
def test_what_was_deleted_there_is_made_again_in_its_own_object(here: Side, there: Side, kind: str) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        fields = {"name": "Eve", "phone": "3", "own": "hers"}
        rig.systems[there].create(kind, fields, "person")
        await until(lambda: rig.rows(here))
        await at_rest(rig, 60)
        rig.systems[here].delete(CUSTOMERS, next(iter(rig.rows(here))), "person")
        await until(lambda: not rig.rows(there, kind))
        await at_rest(rig, 60)
        plan = await planned(rig, root, run_that(rig, Op.DELETE, there))
        assert plan is not None
        ended = await applied(rig, root, plan)
        await at_rest(rig, 500)
        return ended.outcome, held(rig, there, kind), len(rig.rows(here)), rig.parked()

    there_now: Mapping[str, Any] = {kind: [("Eve", "3", "hers")]}
    assert on(lambda: rig_with(spec_of(here)), body) == (Outcome.SUCCEEDED, there_now, 0, [])


@MIRRORED
@CRASHES
@pytest.mark.parametrize("behind", [LeftBehind.REMOVE, LeftBehind.MARK])
def test_a_kill_while_a_move_is_taken_back_loses_and_doubles_nothing(
    here: Side, there: Side, crash: tuple[str, int], behind: LeftBehind
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        mine, _ = await in_step(rig, here, there)
        rig.edit(here, mine, kind=CLIENTS)
        await until(lambda: len(rig.rows(there, CLIENTS)) == 1)
        await at_rest(rig, 60)
        (run,) = {
            run for run, one in rig.link().actions.values() if one.side == there and one.op is Op.CREATE
        }
        plan = await planned(rig, root, run)
        assert plan is not None
        rig.store.approve_plan("l", plan.id, plan.rev)
        dies(rig, crash)
        await applied_again_and_again(rig, root, plan)
        await at_rest(rig, 300)
        unknown = [one for one in rig.actions() if one.state is ActionState.UNKNOWN]
        unmarked = [
            (name, row["own"])
            for name in (PROSPECTS, CLIENTS)
            for row in rig.rows(there, name).values()
            if row["marked"] is None
        ]
        return unmarked, rig.rows(here)[mine]["kind"], unknown, rig.parked()

    spec = spec_of(here, left_behind=behind)
    assert on(lambda: rig_with(spec), body) == ([(PROSPECTS, "mine")], CLIENTS, [], [])
