"""Moves and renames before deletes: a record that gets another id is neither deleted nor made twice (REDTEAM 19)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.core.policy import DeleteEdit, DeletePolicy, Owner, StreamSpec
from actors.core.types import Op, Room, Side, State
from actors.ports import Find, RunRow
from actors.root import RootActor
from clients.connectors.systems.memory import MemoryConnector
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies, field_of, told
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until
from tests.sim import loop

POLICIES = pytest.mark.parametrize("policy", list(DeletePolicy))


def numbered(here: Side, policy: DeletePolicy, **rules: Any) -> StreamSpec:
    """Customers matched by number, then by name; a deletion `here` does `policy` on the other side."""
    fields = (*map(field, ("number", "name", "phone", "town")), field("marked", owner=Owner.LOCAL))
    deletes = by_side(here, policy, DeletePolicy.IGNORE)
    mark = by_side(here, {}, {"marked": "yes"}) if policy is DeletePolicy.MARK else {}
    plain = {"fields": fields, "match": (("number",),), "deletes": deletes, "mark": mark}
    return customers(**(plain | rules))


def renamed(rig: Rig, here: str, id: str, **changed: Any) -> str:
    """A system where the key is the identity: the record is gone, and stands under another id."""
    fields = dict(rig.rows(here)[id])
    rig.systems[here].delete(CUSTOMERS, id, "person")
    return rig.systems[here].create(CUSTOMERS, fields | changed, "person")


async def kept_in_step(rig: Rig, here: str, there: str, **changed: Any) -> Any:
    """Ada gets a new id (and number); what the other side holds of her, and only it knows, before and after."""
    id = rig.create(here, "Ada", "1", number="K1", town="x")
    rig.create(here, "Bob", "2", number="K2", town="y")
    await until(lambda: rig.names(there) == ["Ada", "Bob"] and loaded(rig) and not rig.link().inbox)
    (partner,) = [id for id, row in rig.rows(there).items() if row["name"] == "Ada"]
    renamed(rig, here, id, **changed)
    return partner


@MIRRORED
@POLICIES
@pytest.mark.parametrize("find", [Find.FEED, Find.FULL])
def test_redteam_19_a_record_with_a_new_number_stays_the_same_record(
    here: Side, there: Side, policy: DeletePolicy, find: Find
) -> None:
    """Everything but the number tells who it is."""

    async def body(rig: Rig, root: RootActor) -> Any:
        partner = await kept_in_step(rig, here, there, number="K900")
        await until(lambda: "K900" in field_of(rig.rows(there), "number"))
        await at_rest(rig)
        shown = rig.rows(there)[partner]["number"], len(rig.rows(there)), len(rig.rows(here))
        return shown, told(rig, "moved"), [b.state for b in rig.bindings()], rig.parked()

    rig_of = lambda: Rig(numbered(here, policy), find=(find,), poll_s=5.0)  # noqa: E731
    assert on(rig_of, body) == (("K900", 2, 2), 1, [State.SETTLED] * 2, [])


@MIRRORED
def test_redteam_19_a_record_with_a_new_id_is_known_by_a_match_key_that_is_left(
    here: Side, there: Side
) -> None:
    """Its phone and town were changed in the same moment: nothing but the number tells who it is."""

    async def body(rig: Rig, root: RootActor) -> Any:
        partner = await kept_in_step(rig, here, there, phone="9", town="z")
        await until(lambda: "9" in field_of(rig.rows(there), "phone"))
        await at_rest(rig)
        return rig.rows(there)[partner]["phone"], len(rig.rows(there)), told(rig, "moved")

    rig_of = lambda: Rig(numbered(here, DeletePolicy.REMOVE))  # noqa: E731
    assert on(rig_of, body) == ("9", 2, 1)


@MIRRORED
def test_a_record_that_is_gone_beside_a_new_one_that_is_another_is_deleted(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        partner = await kept_in_step(rig, here, there, number="K900", name="Eve", phone="7")
        await until(lambda: rig.names(there) == ["Bob", "Eve"])
        await at_rest(rig)
        return partner in rig.rows(there), told(rig, "moved")

    assert on(lambda: Rig(numbered(here, DeletePolicy.REMOVE)), body) == (False, 0)


@MIRRORED
@POLICIES
def test_redteam_19_of_two_new_records_that_may_be_the_one_gone_none_is_guessed(
    here: Side, there: Side, policy: DeletePolicy
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        partner = await kept_in_step(rig, here, there, number="K900")
        rig.create(here, "Ada", "1", number="K901", town="x")
        await until(lambda: rig.parked())
        await at_rest(rig)
        return partner in rig.rows(there), len(rig.rows(there)), [row.room for row in rig.parked()]

    expected = (True, 2, [Room.AMBIGUOUS] * 2)
    assert on(lambda: Rig(numbered(here, policy), poll_s=5.0, find=(Find.FULL,)), body) == expected


@MIRRORED
def test_the_person_mends_one_of_the_two_and_the_other_one_is_it(here: Side, there: Side) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        partner = await kept_in_step(rig, here, there, number="K900")
        double = rig.create(here, "Ada", "1", number="K901", town="x")
        await until(lambda: len(rig.parked()) == 2)
        rig.edit(here, double, name="Eve", phone="5", town="z")
        await until(lambda: len(rig.names(there)) == 3 and not rig.parked())
        await at_rest(rig, 5)
        return rig.rows(there)[partner]["number"], rig.names(there)

    rig_of = lambda: Rig(numbered(here, DeletePolicy.REMOVE), poll_s=5.0, find=(Find.FULL,))  # noqa: E731
    assert on(rig_of, body) == ("K900", ["Ada", "Bob", "Eve"])


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_at_any_commit_of_a_move_deletes_and_doubles_nothing(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "Ada", "1", number="K1", town="x")
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
        (partner,) = rig.rows(there)
        died = dies(rig, crash)
        renamed(rig, here, id, number="K900")
        await until(lambda: field_of(rig.rows(there), "number") == ["K900"], timeout_s=300)
        await at_rest(rig)
        return list(rig.rows(there)) == [partner], len(rig.rows(here)), died() or crash[1] > 2

    rig_of = lambda: Rig(numbered(here, DeletePolicy.REMOVE), poll_s=5.0)  # noqa: E731
    assert on(rig_of, body) == (True, 1, True)


@MIRRORED
def test_a_dry_run_shows_the_move_and_no_deletion(here: Side, there: Side) -> None:
    async def main() -> Any:
        rig = Rig(numbered(here, DeletePolicy.REMOVE), find=(Find.FEED,), poll_s=5.0)
        async with rig.daemon():
            id = rig.create(here, "Ada", "1", number="K1", town="x")
            await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
            rig.store.set_wish("l", "paused")
            await anyio.sleep(5)
            renamed(rig, here, id, number="K900")
            rig.store.request_run(RunRow("dry", "l", mode="plan"))
            await until(lambda: rig.link().runs["dry"].ended)
            held = [action for plan in rig.link().held.values() for _, action in plan.values()]
            return [(action.op, action.side, dict(action.fields)) for action in held]

    assert loop.run(main) == [(Op.UPDATE, there, {"number": "K900"})]


@MIRRORED
def test_redteam_19_a_record_that_moves_just_before_its_first_contact_is_met_where_it_is_now(
    here: Side, there: Side
) -> None:
    """Seed 208486: what was matched, and gone when it was looked at for the first contact, counted as deleted at once."""

    async def body(rig: Rig, root: RootActor) -> Any:
        (id,) = rig.rows(here)

        async def moves() -> None:
            if any(b.state is State.MATCHED for b in rig.bindings()):
                rig.on.pop((here, "read"), None)
                renamed(rig, here, id)

        rig.on[here, "read"] = moves
        await until(lambda: id not in rig.rows(here))
        await until(lambda: [b.state for b in rig.bindings()] == [State.SETTLED])
        await at_rest(rig)
        return len(rig.rows(there)), len(rig.rows(here)), [b.state for b in rig.bindings()], rig.parked()

    def made() -> Rig:
        rig = Rig(numbered(here, DeletePolicy.REMOVE), poll_s=5.0)
        rig.create(here, "Ada", "1", number="K1", town="x")
        rig.create(there, "Ada", "1", number="K1", town="x")
        return rig

    assert on(made, body) == (1, 1, [State.SETTLED], [])


@MIRRORED
def test_found_by_sim_who_moves_behind_the_look_at_his_side_is_not_deleted(here: Side, there: Side) -> None:
    """His partner is edited, so that he is found gone while the other side is looked at; what is new on his own side was
    asked for before that (seed 717946)."""

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "Ada", "1", number="K1", town="x")
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
        await at_rest(rig)
        (partner,) = rig.rows(there)
        armed = [True]

        async def moves() -> None:
            if armed:
                armed.clear()
                renamed(rig, here, id)
                rig.edit(there, partner, phone="9")

        rig.on["b", "changes"] = moves
        await until(lambda: field_of(rig.rows(here), "phone") == ["9"])
        await at_rest(rig)
        return list(rig.rows(there)) == [partner], len(rig.rows(here)), told(rig, "moved"), rig.parked()

    def rig_of() -> Rig:
        spec = numbered(here, DeletePolicy.REMOVE, delete_vs_edit=DeleteEdit.REMOVE)
        return Rig(spec, find=(Find.MODIFIED,), poll_s=20.0, precondition="reread", find_by_field=False)

    assert on(rig_of, body) == (True, 1, 1, [])


@MIRRORED
@pytest.mark.parametrize("word", list(DeleteEdit))
def test_who_is_deleted_while_his_partner_is_edited_is_concluded_where_each_look_is_a_whole_one(
    here: Side, there: Side, word: DeleteEdit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that can't say whether anything changed shows the edited partner in every look, and so asks for him each
    time: he was taken for just gone by each of them, waited for the next one, and the link looked again every second."""

    async def none(self: MemoryConnector, object_name: str) -> str:
        return ""

    monkeypatch.setattr(MemoryConnector, "look_token", none)

    async def body(rig: Rig, root: RootActor) -> Any:
        id = rig.create(here, "Ada", "1", number="K1", town="x")
        await until(lambda: rig.names(there) == ["Ada"] and loaded(rig) and not rig.link().inbox)
        await at_rest(rig)
        (partner,) = rig.rows(there)
        rig.systems[here].delete(CUSTOMERS, id, "person")
        rig.edit(there, partner, phone="9")
        await anyio.sleep(200)
        looks = len(rig.asked("b", "scan"))
        await anyio.sleep(600)
        looks = len(rig.asked("b", "scan")) - looks
        return rig.bindings()[0].state is not State.GONE, looks < 60

    def rig_of() -> Rig:
        spec = numbered(here, DeletePolicy.REMOVE, delete_vs_edit=word)
        return Rig(spec, find=(Find.FULL,), poll_s=20.0)

    assert on(rig_of, body) == (True, True)
