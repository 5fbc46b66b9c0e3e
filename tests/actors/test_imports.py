"""When what is staged is made (`imports`): by itself in the run after the one that staged it, or never; and that a person's
word, a refusal and a crash keep their meaning under it (S10, S11, S19). What is on a person's word: test_documents.py."""

from __future__ import annotations

from typing import Any

from actors.core.documents import FAILED
from actors.core.schedule import COMMAND
from actors.core.stream_rules import Imports
from actors.core.types import SIDES, Op, Outcome, Room, Side
from actors.ports import RunRow
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies, field_of
from tests.actors.rig import Rig, loaded, on, until, writes
from tests.actors.test_documents import bring_in, receipts, rig_with, staged


def by_itself(here: Side, there: Side, **rules: Any) -> Rig:
    return rig_with(receipts(here, there, imports=Imports.ALWAYS, **rules))


def runs_that(rig: Rig, op: Op, rule: str = "") -> list[str]:
    """The runs in whose protocol an action of that kind stands."""
    of = rig.link().actions.values()
    return [run for run, action in of if action.op is op and rule in action.rule]


@MIRRORED
def test_what_a_run_staged_the_next_one_imports_each_with_its_own_result(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "R1")
        await until(lambda: rig.names(there) == ["R1"] and not rig.parked())
        await at_rest(rig, 100)
        (first,) = runs_that(rig, Op.NONE, Room.STAGED.value)
        (second,) = runs_that(rig, Op.CREATE)
        ended = {run.id: run.outcome for run in rig.runs()}
        return first != second, ended[first], ended[second], rig.names(there)

    expected: Any = (True, Outcome.SUCCEEDED, Outcome.SUCCEEDED, ["R1"])
    assert on(lambda: by_itself(here, there), body) == expected


@MIRRORED
def test_what_is_on_command_is_staged_by_it_and_imported_without_another_one(here: Side, there: Side) -> None:
    """The step after the run waits for no schedule either; what comes in later waits for the next command."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "R1")
        await at_rest(rig, 100)
        before = rig.names(there), staged(rig)
        rig.store.request_run(RunRow("asked", "l", cause="command"))
        root.wake("l")
        await until(lambda: rig.names(there) == ["R1"] and not rig.parked())
        rig.create(here, "R2")
        await at_rest(rig, 100)
        return before, rig.names(there), rig.parked()

    assert on(lambda: by_itself(here, there, delivery=dict.fromkeys(SIDES, COMMAND)), body) == (
        ([], []),
        ["R1"],
        [],
    )


@MIRRORED
def test_what_is_refused_is_tried_once_and_waits_for_a_person_or_until_it_changes(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.systems[there].faults = Faults(refuse=1.0)
        ids = [rig.create(here, name) for name in ("R1", "R2")]
        await until(lambda: [row.reason.startswith(FAILED) for row in staged(rig)] == [True, True])
        asked = writes(rig, there)
        await at_rest(rig, 100)
        assert writes(rig, there) == asked
        rig.systems[there].faults = Faults()
        await at_rest(rig, 100)
        nothing = rig.names(there)
        rig.edit(here, ids[0], phone="2")  # another receipt than the one that was refused
        await until(lambda: rig.names(there) == ["R1"])
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there) == ["R1", "R2"] and not rig.parked())
        return nothing

    assert on(lambda: by_itself(here, there), body) == []


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_between_staging_and_import_makes_it_once(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await until(lambda: loaded(rig))
        dies(rig, crash)
        rig.create(here, "R1")
        await until(lambda: rig.names(there), timeout_s=600)
        await at_rest(rig, 200)
        return rig.names(there), rig.parked()

    assert on(lambda: by_itself(here, there), body) == (["R1"], [])


@MIRRORED
def test_nothing_is_imported_where_the_rule_says_never_and_what_was_staged_goes_once_it_says_otherwise(
    here: Side, there: Side
) -> None:
    """Nor is a yes carried out that somebody said meanwhile; the line follows its record."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "R1", "1")
        await until(lambda: staged(rig))
        first = staged(rig)[0].reason
        rig.edit(here, id, phone="2")
        await until(lambda: staged(rig)[0].detail["fields"]["phone"] == "2")
        bring_in(rig, staged(rig)[0])
        await at_rest(rig, 100)
        nothing = rig.names(there), [row.room for row in rig.parked()], writes(rig, there)
        rig.change(receipts(here, there, imports=Imports.ALWAYS))
        await until(lambda: rig.names(there) == ["R1"] and not rig.parked())
        return first, nothing, field_of(rig.rows(there), "phone")

    expected: Any = (f"staged: never imported on {there}", ([], [Room.STAGED], 0), ["2"])
    assert on(lambda: rig_with(receipts(here, there, imports=Imports.NEVER)), body) == expected
