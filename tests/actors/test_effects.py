"""Effects of an import: a sale and its movement of stock, once, whatever happens in between (S11)."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from actors.core.effects import DOCUMENT
from actors.core.errors import Kind, Scope, TandemError
from actors.core.lenses import MapValues, Same
from actors.core.lenses_one_way import OwnId
from actors.core.policy import RECORD_ID, FieldSide, FieldSpec, Owner, StreamSpec
from actors.core.types import Outcome, Parked, Room, Side
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, on, until

MOVES = "moves"


def receipts(here: Side, there: Side, **rules: Any) -> tuple[StreamSpec, StreamSpec]:
    """Receipts of `here`, made `there` when somebody says so, each together with a movement of stock."""
    documents: dict[str, Any] = {
        "kind": "document",
        "creates": frozenset({here}),
        "once": frozenset({there}),
        "stages": frozenset({there}),
        "effects": (MOVES,),
        "complete_read_s": 600.0,
    }
    places = {here: FieldSide((RECORD_ID,), OwnId()), there: FieldSide(("sale",), Same())}
    document = FieldSpec(
        DOCUMENT,
        places["a"],
        places["b"],
        owner=Owner(here),
        on_create_only=True,
        required=True,
        reference=CUSTOMERS,
    )
    objects = {
        "a_object": CUSTOMERS if here == "a" else MOVES,
        "b_object": MOVES if here == "a" else CUSTOMERS,
    }
    effect: dict[str, Any] = {
        "name": MOVES,
        "kind": "document",
        "fields": (document, field("phone", owner=Owner(here), on_create_only=True)),
        "match": ((DOCUMENT,),),
        "creates": frozenset({here}),
        "once": frozenset({there}),
        "parents": (CUSTOMERS,),
        "follows": CUSTOMERS,
        "complete_read_s": 600.0,
        **objects,
    }
    return customers(**(documents | rules)), customers(**effect)


def staged(rig: Rig) -> list[Parked]:
    return [row for row in rig.parked() if row.room is Room.STAGED]


def bring_in(rig: Rig, row: Parked) -> bool:
    """Somebody imports what they were shown."""
    return rig.store.decide("l", row.id, row.fingerprint, {"choose": "import"})


def moves(rig: Rig, there: Side) -> list[tuple[str, str]]:
    """The movements, each with the name of its sale."""
    sales = rig.rows(there)
    return sorted((sales[row["sale"]]["name"], row["phone"]) for row in rig.rows(there, MOVES).values())


@MIRRORED
def test_an_import_makes_the_document_and_its_effect_once_and_what_is_staged_has_none(
    here: Side, there: Side
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for number in (1, 2, 3):
            rig.create(here, f"R{number}", str(number))
        await until(lambda: len(staged(rig)) == 3)
        await at_rest(rig, 100)
        before = moves(rig, there), {run.outcome for run in rig.runs()}, len(rig.parked())
        for row in staged(rig)[:2]:
            bring_in(rig, row)
        await until(lambda: len(moves(rig, there)) == 2)
        await at_rest(rig, 700)  # complete reads, too
        first = moves(rig, there)
        bring_in(rig, staged(rig)[0])
        await until(lambda: len(moves(rig, there)) == 3)
        for id in rig.rows(here):
            rig.systems[here].edit(CUSTOMERS, id, rig.rows(here)[id], "person")
        await at_rest(rig, 700)
        return before, first, moves(rig, there), rig.names(there)

    whole = [("R1", "1"), ("R2", "2"), ("R3", "3")]
    expected: Any = ([], {Outcome.SUCCEEDED}, 3), whole[:2], whole, ["R1", "R2", "R3"]
    assert on(lambda: Rig(*receipts(here, there), poll_s=20.0), body) == expected


@MIRRORED
@CRASHES
def test_a_kill_between_the_document_and_its_effect_loses_and_doubles_neither(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        for number in (1, 2):
            rig.create(here, f"R{number}", str(number))
        await until(lambda: len(staged(rig)) == 2)
        await at_rest(rig, 60)
        dead = dies(rig, crash)
        for row in staged(rig):
            bring_in(rig, row)
        await until(lambda: len(moves(rig, there)) == 2, 900.0)
        await at_rest(rig, 300)
        assert dead() or crash[1] > 3
        return moves(rig, there), rig.names(there), rig.parked()

    expected: Any = [("R1", "1"), ("R2", "2")], ["R1", "R2"], []
    assert on(lambda: Rig(*receipts(here, there), poll_s=20.0), body) == expected


@MIRRORED
def test_a_document_that_was_there_already_has_had_its_effects(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "R1", "1")
        rig.create(there, "R1", "1")
        await at_rest(rig, 700)
        return rig.names(there), moves(rig, there), rig.parked()

    assert on(lambda: Rig(*receipts(here, there), poll_s=20.0), body) == (["R1"], [], [])


@MIRRORED
def test_found_by_sim_an_effect_that_waits_is_not_looked_at_again_and_again_while_its_document_is_open(
    here: Side, there: Side
) -> None:
    """The document meets another one, and can't be read: it is looked at in every run. Each time that made the look at what
    waits beside it count as too early, where reads lag (seed 514268)."""
    odd = FieldSide(("kind",), MapValues((("x", "y"),)))
    plain = FieldSide(("kind",), Same())
    kind = FieldSpec("kind", odd if here == "a" else plain, plain if here == "a" else odd)
    documents, effect = receipts(here, there, fields=(field("name"), field("phone"), kind))

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "Ada", "1", kind="odd")
        rig.create(there, "Ada", "2", kind="y")
        await until(lambda: [row.room for row in rig.parked()] == [Room.WAITING])
        await at_rest(rig)
        return [hint for hint in rig.link().inbox.values() if hint.attempts > 2]

    def rig_of() -> Rig:
        rig = Rig(documents, msgspec.structs.replace(effect, complete_read_s=60.0), poll_s=2.0)
        rig.declared[here] = msgspec.structs.replace(rig.declared[here], read_lag_s=4.0)
        return rig

    assert on(rig_of, body) == []


@MIRRORED
def test_found_by_sim_an_effect_that_is_due_goes_with_its_record_that_gets_another_id(
    here: Side, there: Side
) -> None:
    """The sale is made, its movement is not done for a while; meanwhile the sale gets another id where it came from."""

    async def body(rig: Rig, root: RootActor) -> Any:
        busy = True

        async def no_moves() -> None:
            if busy and rig.requests[-1][3][0] == MOVES:
                raise TandemError(Kind.TRANSIENT, "busy", scope=Scope.STREAM)

        rig.on[there, "write"] = no_moves
        id = rig.create(here, "R1", "1")
        await until(lambda: len(staged(rig)) == 1)
        bring_in(rig, staged(rig)[0])
        await until(lambda: rig.names(there) == ["R1"] and rig.asked(there, "write"))
        await anyio.sleep(30)
        rig.systems[here].delete(CUSTOMERS, id, "person")
        rig.create(here, "R1", "1")
        await anyio.sleep(700)
        busy = False
        await until(lambda: len(moves(rig, there)) == 1, 900.0)
        await at_rest(rig, 700)
        return moves(rig, there), rig.names(there), rig.parked()

    expected: Any = [("R1", "1")], ["R1"], []
    assert on(lambda: Rig(*receipts(here, there), poll_s=20.0), body) == expected
