"""Gates: who takes part, since when, and what becomes of a pair that no longer does (T7, U2, U3, U20, U23, U25, G21)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actors.core.policy import DeletePolicy, Owner, StreamSpec
from actors.core.stream_rules import Gate, GateOn, Ineligible
from actors.core.types import Hint, Room, Side, State
from actors.messages import CHANGED
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies, field_of, told
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until

FINDS = pytest.mark.parametrize("find", [Find.FEED, Find.MODIFIED, Find.FULL])
LEVEL, EDGE = GateOn.LEVEL, GateOn.EDGE


def gated(here: Side, then: Ineligible = Ineligible.KEEP, **gate: Any) -> StreamSpec:
    """Customers; those of `here` take part whose `kind` is Kunde (which the other side does not have)."""
    local = {name: field(name, owner=Owner.LOCAL) for name in ("kind", "marked")}
    rule = Gate("kind", **({"values": ("Kunde",), "then": then} | gate))
    there = "b" if here == "a" else "a"
    return customers(
        fields=(field("name"), field("phone"), *local.values()),
        gates={here: rule},
        creates=frozenset({here}),
        deletes=by_side(here, DeletePolicy.IGNORE, DeletePolicy.IGNORE),
        mark={there: {"marked": "yes"}} if then is Ineligible.DEACTIVATE else {},
    )


def rig_with(spec: StreamSpec, find: Find = Find.FEED) -> Rig:
    return Rig(spec, find=(find,), poll_s=20.0)


async def pair(rig: Rig, here: str, there: str) -> tuple[str, str]:
    """Ada takes part and is in step."""
    id = rig.create(here, "Ada", "1", kind="Kunde")
    await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
    return id, next(iter(rig.rows(there)))


@MIRRORED
@FINDS
def test_only_who_takes_part_goes_and_whoever_begins_to_goes_then(
    here: Side, there: Side, find: Find
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(here, "Ada", kind="Kunde")
        id = rig.create(here, "Bob", kind="Lead")
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig))
        rig.create(here, "Eve", kind="Kunde")
        await until(lambda: rig.names(there) == ["Ada", "Eve"])
        await at_rest(rig, 60)
        before, waits = rig.names(there), rig.parked()
        rig.edit(here, id, kind="Kunde")
        await until(lambda: len(rig.names(there)) == 3)
        await at_rest(rig, 60)
        return before, waits, rig.names(there), rig.names(here)

    everyone = ["Ada", "Bob", "Eve"]
    expected: tuple[list[str], list[Any], list[str], list[str]] = (["Ada", "Eve"], [], everyone, everyone)
    assert on(lambda: rig_with(gated(here), find), body) == expected


@MIRRORED
@FINDS
def test_redteam_31_what_was_so_before_the_activation_does_not_go_whoever_saves_it_again(
    here: Side, there: Side, find: Find
) -> None:
    """An invoice that is Sent goes if it becomes so, or is entered so, from the activation on (T7, U25)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        old = rig.create(here, "old", kind="Kunde")
        draft = rig.create(here, "draft", kind="Lead")
        await until(lambda: loaded(rig))
        await at_rest(rig, 20)
        rig.edit(here, old, phone="2")
        rig.systems[here].edit(CUSTOMERS, old, rig.rows(here)[old], "person")
        await rig.store.add_hints("l", [Hint(CUSTOMERS, here, "")])  # a backfill
        root.wake("l", CHANGED)
        rig.create(here, "entered so", kind="Kunde")
        rig.edit(here, draft, kind="Kunde")
        await until(lambda: len(rig.names(there)) == 2)
        await at_rest(rig)
        before = rig.names(there)
        rig.edit(here, old, kind="Lead")
        await at_rest(rig, 20)
        rig.edit(here, old, kind="Kunde")
        await until(lambda: len(rig.names(there)) == 3)
        return before, len(rig.names(here))

    assert on(lambda: rig_with(gated(here, on=EDGE), find), body) == (["draft", "entered so"], 3)


@MIRRORED
def test_who_begins_to_take_part_and_is_there_already_is_bound_and_not_made_again(
    here: Side, there: Side
) -> None:
    """U23. Whoever does not take part is matched with nobody."""

    async def body(rig: Rig, root: RootActor) -> Any:
        rig.create(there, "Ada", "9")
        id = rig.create(here, "Ada", "1", kind="Lead")
        await until(lambda: loaded(rig))
        await at_rest(rig, 60)
        apart = [row["phone"] for side in (here, there) for row in rig.rows(side).values()]
        rig.edit(here, id, kind="Kunde")
        await until(lambda: [b.state for b in rig.bindings()] == [State.SETTLED])
        await at_rest(rig, 60)
        together = {row["phone"] for side in (here, there) for row in rig.rows(side).values()}
        return apart, len(together), len(rig.names(there)), len(rig.names(here))

    assert on(lambda: rig_with(gated(here)), body) == (["1", "9"], 1, 1, 1)


@MIRRORED
@FINDS
@pytest.mark.parametrize("then", list(Ineligible))
def test_what_becomes_of_a_pair_that_no_longer_takes_part(
    here: Side, there: Side, find: Find, then: Ineligible
) -> None:
    """What passes while the gate is shut, how the other record stands, and what passes when it is open again."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id, partner = await pair(rig, here, there)
        rig.edit(here, id, kind="Lead")
        await at_rest(rig, 60)
        rig.edit(here, id, phone="2")
        await at_rest(rig, 60)
        while_shut = rig.rows(there)[partner]
        kind = rig.rows(here)[id]["kind"]
        rig.edit(here, id, kind="Kunde")
        await until(lambda: rig.rows(there)[partner]["phone"] == "2")
        await at_rest(rig, 60)
        again = rig.rows(there)[partner]
        marks = while_shut.get("marked"), again.get("marked")
        return kind, while_shut["phone"], marks, again["phone"], len(rig.rows(there)), rig.parked()

    expected: dict[Ineligible, tuple[Any, ...]] = {
        Ineligible.KEEP: ("Lead", "2", (None, None)),
        Ineligible.PUT_BACK: ("Kunde", "2", (None, None)),
        Ineligible.DEACTIVATE: ("Lead", "1", ("yes", None)),
        Ineligible.DETACH: ("Lead", "1", (None, None)),
    }
    assert on(lambda: rig_with(gated(here, then), find), body) == (*expected[then], "2", 1, [])


@MIRRORED
def test_the_value_by_which_it_took_part_is_put_back_where_there_are_several(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, _ = await pair(rig, here, there)
        rig.edit(here, id, kind="VIP")
        await at_rest(rig, 60)
        rig.edit(here, id, kind="Lead", phone="3")
        await until(lambda: rig.rows(here)[id]["kind"] == "VIP")
        await at_rest(rig, 60)
        return field_of(rig.rows(there), "phone"), told(rig, "gate: put back")

    spec = gated(here, Ineligible.PUT_BACK, values=("Kunde", "VIP"))
    assert on(lambda: rig_with(spec), body) == (["3"], 1)


@MIRRORED
@FINDS
@pytest.mark.parametrize("then", list(Ineligible))
def test_redteam_08_what_was_deleted_there_is_made_anew_only_when_it_takes_part_anew(
    here: Side, there: Side, find: Find, then: Ineligible
) -> None:
    """U20: the word stays, or is free to change, and makes nothing; set anew it makes one."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id, partner = await pair(rig, here, there)
        rig.systems[there].delete(CUSTOMERS, partner, "person")
        await at_rest(rig, 120)
        rig.edit(here, id, phone="2")
        await at_rest(rig, 120)
        still = rig.names(there)
        rig.edit(here, id, kind="Lead")
        await at_rest(rig, 120)
        free = rig.rows(here)[id]["kind"], rig.names(there)
        rig.edit(here, id, kind="Kunde")
        await until(lambda: rig.names(there) == ["Ada"])
        await at_rest(rig, 120)
        return still, free, field_of(rig.rows(there), "phone"), rig.parked()

    assert on(lambda: rig_with(gated(here, then), find), body) == ([], ("Lead", []), ["2"], [])


@MIRRORED
@pytest.mark.parametrize("then", [Ineligible.DEACTIVATE, Ineligible.DETACH])
def test_a_record_that_took_part_no_longer_takes_nothing_with_it_when_it_is_deleted(
    here: Side, there: Side, then: Ineligible
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, partner = await pair(rig, here, there)
        rig.edit(here, id, kind="Lead")
        await at_rest(rig, 60)
        rig.systems[here].delete(CUSTOMERS, id, "person")
        await at_rest(rig, 120)
        return list(rig.rows(there)) == [partner], rig.parked()

    spec = msgspec.structs.replace(
        gated(here, then), deletes=by_side(here, DeletePolicy.REMOVE, DeletePolicy.IGNORE)
    )
    assert on(lambda: rig_with(spec), body) == (True, [])


@MIRRORED
@CRASHES
@pytest.mark.parametrize("then", [Ineligible.PUT_BACK, Ineligible.DEACTIVATE])
def test_a_daemon_that_is_killed_at_any_commit_finishes_what_a_gate_asks_for(
    here: Side, there: Side, crash: tuple[str, int], then: Ineligible
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id, partner = await pair(rig, here, there)
        dies(rig, crash)
        rig.edit(here, id, kind="Lead")
        await at_rest(rig, 200)
        shut = rig.rows(here)[id]["kind"], rig.rows(there)[partner].get("marked")
        rig.edit(here, id, kind="Kunde", phone="2")
        await at_rest(rig, 200)
        return shut, rig.rows(there), rig.parked()

    def expected(rows: Any) -> bool:
        (row,) = rows.values()
        return row["phone"] == "2" and row.get("marked") is None

    shut, rows, parked = on(lambda: rig_with(gated(here, then)), body)
    assert shut == (("Kunde", None) if then is Ineligible.PUT_BACK else ("Lead", "yes"))
    assert expected(rows) and parked == []


@MIRRORED
def test_whoever_answers_every_putting_back_is_listed_in_the_end(here: Side, there: Side) -> None:
    """REDTEAM 14: a workflow sets the kind back whenever we do."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id, _ = await pair(rig, here, there)

        def answer(change: Any) -> None:
            if change.who == "daemon" and rig.rows(here)[id]["kind"] == "Kunde":
                rig.edit(here, id, kind="Lead")

        rig.systems[here].listeners.append(answer)
        rig.edit(here, id, kind="Lead")
        await until(lambda: rig.parked(), timeout_s=3600)
        count = told(rig, "gate: put back")
        await at_rest(rig, 3600)
        return [row.room for row in rig.parked()], told(rig, "gate: put back") == count

    assert on(lambda: rig_with(gated(here, Ineligible.PUT_BACK)), body) == ([Room.CONFLICT], True)
