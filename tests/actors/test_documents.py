"""Documents: staged until somebody imports them, made once, and never changed after (S10, S11, S18, S19, T7; REDTEAM 20)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.documents import FAILED, ONCE
from actors.core.policy import DeletePolicy, Owner, StreamSpec
from actors.core.stream_rules import Gate, GateOn
from actors.core.types import ActionState, Outcome, Parked, Room, Side
from actors.ports import Find, RunRow
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies, field_of
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until, writes

FINDS = pytest.mark.parametrize("find", [Find.FEED, Find.FULL])


def receipts(here: Side, there: Side, **rules: Any) -> StreamSpec:
    """Receipts of `here`, made `there` once, when somebody says so; known by their name."""
    fields = (field("name"), field("phone"), field("status", owner=Owner.LOCAL))
    documents = {"kind": "document", "creates": frozenset({here}), "once": frozenset({there})}
    return customers(**({"fields": fields, **documents, "stages": frozenset({there})} | rules))


def rig_with(spec: StreamSpec, find: Find = Find.FEED) -> Rig:
    return Rig(spec, find=(find,), poll_s=20.0)


def staged(rig: Rig) -> list[Parked]:
    return [row for row in rig.parked() if row.room is Room.STAGED]


def bring_in(rig: Rig, row: Parked) -> bool:
    """Somebody imports what they were shown."""
    return rig.store.decide("l", row.id, row.fingerprint, {"choose": "import"})


@MIRRORED
@FINDS
def test_redteam_20_nothing_is_made_before_somebody_imports_it_and_then_it_is_made_once(
    here: Side, there: Side, find: Find
) -> None:
    """R1 and R2 are selected and R3 is not; saved again, and read again, they make no second copy."""

    async def body(rig: Rig, root: RootActor) -> Any:
        ids = [rig.create(here, name) for name in ("R1", "R2", "R3")]
        await until(lambda: len(staged(rig)) == 3)
        await at_rest(rig, 100)
        before = rig.names(there), {run.outcome for run in rig.runs()}
        decided = [bring_in(rig, row) for row in staged(rig) if row.record in ids[:2]]
        await until(lambda: len(rig.names(there)) == 2)
        for id in ids:
            rig.systems[here].edit(CUSTOMERS, id, rig.rows(here)[id], "person")
        await at_rest(rig, 300)
        return before, decided, rig.names(there), [row.record for row in staged(rig)] == ids[2:]

    expected: Any = (([], {Outcome.SUCCEEDED}), [True, True], ["R1", "R2"], True)
    assert on(lambda: rig_with(receipts(here, there), find), body) == expected


@MIRRORED
@FINDS
@pytest.mark.parametrize("anew", [False, True])
def test_redteam_20_a_receipt_whose_key_is_completed_later_is_not_booked_again(
    here: Side, there: Side, find: Find, anew: bool
) -> None:
    """Fetched before the day's closing it has no number of that yet. With the number it has another key, and in some
    systems (`anew`) another id: it is the receipt that was booked, and its change is listed."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "T1--17", "100", status="paid")
        await until(lambda: staged(rig))
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there) == ["T1--17"])
        await at_rest(rig, 100)
        if anew:
            rig.systems[here].delete(CUSTOMERS, id, "the till")
            rig.create(here, "T1-Z9-17", "100", status="paid")
        else:
            rig.edit(here, id, name="T1-Z9-17")
        await at_rest(rig, 300)
        return rig.names(there), staged(rig), [row.field for row in rig.parked()]

    fields = tuple(field(name) for name in ("name", "phone", "status"))
    spec = receipts(here, there, fields=fields)
    assert on(lambda: rig_with(spec, find), body) == (["T1--17"], [], [ONCE])


@MIRRORED
@FINDS
def test_redteam_20_what_changed_since_it_was_staged_is_shown_again_before_it_is_imported(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "R1", "1")
        await until(lambda: staged(rig))
        (old,) = staged(rig)
        rig.edit(here, id, phone="2")
        bring_in(rig, old)  # in the same moment, on what it was shown as
        await until(lambda: staged(rig) and staged(rig)[0].fingerprint != old.fingerprint)
        await at_rest(rig, 60)
        (row,) = staged(rig)
        nothing, again = rig.names(there), bring_in(rig, old)
        bring_in(rig, row)
        await until(lambda: rig.names(there))
        return nothing, again, row.reason.startswith("staged: changed"), field_of(rig.rows(there), "phone")

    assert on(lambda: rig_with(receipts(here, there), find), body) == ([], False, True, ["2"])


@MIRRORED
def test_an_import_that_fails_stays_staged_with_the_reason_and_goes_when_it_is_imported_again(
    here: Side, there: Side
) -> None:
    """S19."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "R1")
        await until(lambda: staged(rig))
        rig.systems[there].faults = Faults(refuse=1.0)
        bring_in(rig, staged(rig)[0])
        await until(lambda: staged(rig) and staged(rig)[0].reason.startswith(FAILED))
        asked = writes(rig, there)
        await at_rest(rig, 100)
        rooms, reason = [row.room for row in rig.parked()], staged(rig)[0].reason
        assert writes(rig, there) == asked  # one yes, one attempt
        bring_in(rig, staged(rig)[0])
        await until(lambda: writes(rig, there) == asked + 1)
        await at_rest(rig, 100)
        assert writes(rig, there) == asked + 1
        rig.systems[there].faults = Faults()
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there) == ["R1"] and not rig.parked())
        return rooms, reason.startswith(FAILED)

    assert on(lambda: rig_with(receipts(here, there)), body) == ([Room.STAGED], True)


@MIRRORED
def test_found_by_sim_what_is_to_be_put_back_where_documents_are_staged_and_is_refused_is_not_asked_for_again(
    here: Side, there: Side
) -> None:
    """It is nobody's import: it goes to quarantine, and on a person's word, as anywhere."""
    deletes = {here: DeletePolicy.IGNORE, there: DeletePolicy.RESTORE}

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "R1")
        await until(lambda: staged(rig))
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there) == ["R1"] and not rig.parked())
        rig.systems[there].faults = Faults(refuse=1.0)
        (made,) = rig.rows(there)
        rig.systems[there].delete(CUSTOMERS, made, "person")
        await until(lambda: rig.parked())
        asked, rooms = writes(rig, there), [row.room for row in rig.parked()]
        await at_rest(rig, 300)
        again = writes(rig, there) - asked
        rig.systems[there].faults = Faults()
        (row,) = rig.parked()
        rig.store.decide("l", row.id, row.fingerprint, {"choose": "retry"})
        await until(lambda: rig.names(there) == ["R1"] and not rig.parked())
        return rooms, again

    assert on(lambda: rig_with(receipts(here, there, deletes=deletes)), body) == ([Room.QUARANTINE], 0)


@MIRRORED
def test_what_is_there_already_is_neither_staged_nor_made_again(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(there, "R1", "1")
        rig.create(here, "R1", "1")
        await until(lambda: loaded(rig) and len(rig.bindings()) == 1)
        await at_rest(rig, 60)
        return rig.names(there), rig.parked()

    assert on(lambda: rig_with(receipts(here, there)), body) == (["R1"], [])


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_at_any_commit_imports_once(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "R1")
        await until(lambda: staged(rig) and loaded(rig))
        dies(rig, crash)
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there), timeout_s=600)
        await at_rest(rig, 200)
        return rig.names(there), rig.parked()

    assert on(lambda: rig_with(receipts(here, there)), body) == (["R1"], [])


@MIRRORED
@FINDS
@pytest.mark.parametrize("said", ["nothing", "import"])
def test_what_is_gone_before_it_was_imported_is_told_with_what_it_was_and_staged_again_when_it_is_back(
    here: Side, there: Side, find: Find, said: str
) -> None:
    """A till's cloud that was restored to an older state: what somebody had seen does not vanish without a word."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "R1", "11.90")
        await until(lambda: staged(rig))
        await at_rest(rig, 60)
        if said == "import":
            bring_in(rig, staged(rig)[0])
        rig.systems[here].delete(CUSTOMERS, id, "the restore")
        await until(lambda: not staged(rig), timeout_s=100)
        await at_rest(rig, 100)
        told = [(one.origin, one.reason) for one in rig.actions() if one.state is ActionState.DROPPED]
        nothing, outcomes = rig.names(there), [run.outcome for run in rig.runs()]
        rig.create(here, "R1", "11.90")
        await until(lambda: staged(rig), timeout_s=100)
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there), timeout_s=100)
        await at_rest(rig, 60)
        words = f"gone on {here} before it was imported on {there}: name R1, phone 11.90"
        return told == [(id, words)], nothing, Outcome.FAILED in outcomes, rig.names(there), rig.parked()

    assert on(lambda: rig_with(receipts(here, there), find), body) == (True, [], True, ["R1"], [])


@MIRRORED
@FINDS
@pytest.mark.parametrize("said", ["nothing", "import"])
def test_what_its_gate_lets_go_before_it_was_imported_is_told_with_what_it_was_and_staged_again_when_it_takes_part(
    here: Side, there: Side, find: Find, said: str
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "R1", "11.90", status="Sale")
        await until(lambda: staged(rig))
        await at_rest(rig, 60)
        if said == "import":
            bring_in(rig, staged(rig)[0])
        rig.edit(here, id, status="Training")
        await until(lambda: not rig.parked(), timeout_s=100)
        await at_rest(rig, 100)
        told = [(one.origin, one.reason) for one in rig.actions() if one.state is ActionState.DROPPED]
        nothing, outcomes = rig.names(there), [run.outcome for run in rig.runs()]
        rig.edit(here, id, status="Sale")
        await until(lambda: staged(rig), timeout_s=100)
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there), timeout_s=100)
        await at_rest(rig, 60)
        words = f"no longer takes part on {here} before it was imported on {there}: name R1, phone 11.90"
        return told == [(id, words)], nothing, Outcome.FAILED in outcomes, rig.names(there), rig.parked()

    spec = receipts(here, there, gates={here: Gate("status", ("Sale",), GateOn.LEVEL)})
    assert on(lambda: rig_with(spec, find), body) == (True, [], True, ["R1"], [])


@MIRRORED
def test_a_dry_run_that_sees_a_gate_let_go_what_is_staged_leaves_that_to_the_next_run(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "R1", status="Sale")
        await until(lambda: staged(rig))
        await at_rest(rig, 60)
        rig.edit(here, id, status="Training")
        rig.store.request_run(RunRow("dry", "l", mode="plan"))
        root.wake("l")
        await until(lambda: rig.link().runs["dry"].ended)
        kept = len(staged(rig))
        await until(lambda: not rig.parked(), timeout_s=200)
        return kept, len([one for one in rig.actions() if one.state is ActionState.DROPPED])

    spec = receipts(here, there, gates={here: Gate("status", ("Sale",), GateOn.LEVEL)})
    assert on(lambda: rig_with(spec, Find.FULL), body) == (1, 1)


# ------------------------------------------------------------------------------------------------------------ once


async def booked(rig: Rig, here: str, there: str) -> tuple[str, str]:
    """An invoice that became Sent after the activation, and its booking."""
    id = rig.create(here, "I1", "1", status="Draft")
    await until(lambda: loaded(rig))
    rig.edit(here, id, status="Sent")
    await until(lambda: rig.names(there) == ["I1"] and not rig.link().inbox)
    return id, next(iter(rig.rows(there)))


def invoices(here: Side, there: Side) -> StreamSpec:
    gate = Gate("status", ("Sent",), GateOn.EDGE)
    return receipts(here, there, stages=frozenset(), gates={here: gate})


@MIRRORED
@FINDS
def test_redteam_20_an_invoice_that_is_set_back_edited_and_sent_again_is_listed_and_not_booked_again(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, booking = await booked(rig, here, there)
        rig.systems[here].edit(CUSTOMERS, id, rig.rows(here)[id], "person")
        rig.edit(here, id, status="Draft", phone="2")
        await at_rest(rig, 100)
        rig.edit(here, id, status="Sent")
        await at_rest(rig, 100)
        (row,) = rig.parked()
        listed = row.room, row.field, rig.rows(there)[booking]["phone"], len(rig.rows(there))
        rig.store.decide("l", row.id, row.fingerprint, {"choose": there})
        await until(lambda: not rig.parked())
        await at_rest(rig, 100)
        quiet = rig.parked(), rig.rows(there)[booking]["phone"], rig.rows(here)[id]["phone"]
        rig.edit(here, id, phone="3")
        await until(lambda: rig.parked())
        return listed, quiet, rig.rows(there)[booking]["phone"]

    expected: Any = ((Room.CONFLICT, ONCE, "1", 1), ([], "1", "2"), "1")
    assert on(lambda: rig_with(invoices(here, there), find), body) == expected


@MIRRORED
@pytest.mark.parametrize("gone", ["origin", "booking"])
def test_what_was_made_once_is_not_made_again_nor_removed_when_either_is_deleted(
    here: Side, there: Side, gone: str
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, booking = await booked(rig, here, there)
        if gone == "origin":
            rig.systems[here].delete(CUSTOMERS, id, "person")
        else:
            rig.systems[there].delete(CUSTOMERS, booking, "person")
            rig.edit(here, id, phone="2")
        await at_rest(rig, 200)
        return len(rig.rows(there)), len(rig.rows(here))

    expected = (1, 0) if gone == "origin" else (0, 1)
    assert on(lambda: rig_with(invoices(here, there)), body) == expected


@MIRRORED
def test_what_the_other_side_gives_back_still_comes(here: Side, there: Side) -> None:
    """A number that is drawn where the document is made (G19, T5): only the side on which it was made is closed."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id, booking = await booked(rig, here, there)
        rig.edit(there, booking, number="B7")
        await until(lambda: rig.rows(here)[id].get("number") == "B7")
        await at_rest(rig, 60)
        return rig.parked()

    fields = (field("name"), field("phone"), field("number"), field("status", owner=Owner.LOCAL))

    def rig() -> Rig:
        gate = Gate("status", ("Sent",), GateOn.EDGE)
        return rig_with(receipts(here, there, fields=fields, stages=frozenset(), gates={here: gate}))

    assert on(rig, body) == []
