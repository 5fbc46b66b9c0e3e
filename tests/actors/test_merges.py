"""Two records that a person makes one: the partner of the one that is gone is not deleted nor brought back (REDTEAM 30)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.policy import DeletePolicy, OnMerge, Owner, StreamSpec
from actors.core.types import Op, Room, Side, State
from actors.ports import Find
from actors.root import RootActor
from tests.actors.odds import CRASHES, MIRRORED, at_rest, by_side, dies
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until

CONCLUDES = (DeletePolicy.MARK, DeletePolicy.REMOVE, DeletePolicy.RESTORE)
POLICIES = pytest.mark.parametrize("policy", CONCLUDES)


def people(here: Side, policy: DeletePolicy, rule: OnMerge = OnMerge.ASK) -> StreamSpec:
    """Customers matched by mail; a deletion `here` does `policy` on the other side."""
    return customers(
        fields=(field("mail"), field("name"), field("phone"), field("marked", owner=Owner.LOCAL)),
        match=(("mail",),),
        deletes=by_side(here, policy, DeletePolicy.IGNORE),
        mark=by_side(here, {}, {"marked": "yes"}) if policy is DeletePolicy.MARK else {},
        on_merge=rule,
    )


class Play:
    """Ada and a second Ada, in step; then somebody makes them one `here`, who keeps the mail of the second."""

    def __init__(self, rig: Rig, here: Side, there: Side) -> None:
        self.rig, self.here, self.there = rig, here, there
        self.first = self.second = ""

    async def begin(self) -> None:
        rig = self.rig
        self.first = rig.create(self.here, "Ada", "1", mail="ada@one.example")
        self.second = rig.create(self.here, "Ada L.", "2", mail="ada@two.example")
        await until(lambda: len(rig.rows(self.there)) == 2 and loaded(rig) and not rig.link().inbox)
        await at_rest(rig, 30)

    def merge(self) -> None:
        self.rig.edit(self.here, self.first, mail="ada@two.example")
        self.rig.systems[self.here].delete(CUSTOMERS, self.second, "person")

    def phones(self) -> list[Any]:
        return sorted(row["phone"] for row in self.rig.rows(self.there).values())

    def done(self, op: Op) -> int:
        return sum(action.op is op for action in self.rig.actions())


def played(here: Side, there: Side, spec: StreamSpec, body: Any) -> Any:
    async def main(rig: Rig, root: RootActor) -> Any:
        return await body(Play(rig, here, there))

    return on(lambda: Rig(spec, find=(Find.FEED,), poll_s=5.0), main)


@MIRRORED
@POLICIES
def test_redteam_30_a_merge_deletes_marks_and_brings_back_nobody_and_is_listed(
    here: Side, there: Side, policy: DeletePolicy
) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        play.merge()
        await until(lambda: play.rig.parked())
        await at_rest(play.rig)
        (row,) = play.rig.parked()
        mails = sorted(one["mail"] for one in play.rig.rows(there).values())
        marks = [one["marked"] for one in play.rig.rows(there).values()]
        return row, play.phones(), mails, marks, len(play.rig.rows(here)), play.first

    row, phones, mails, marks, here_count, first = played(here, there, people(here, policy), body)
    assert (row.room, row.side) == (Room.CONFLICT, there)
    assert row.reason == f"gone on {here}, and {first} there has its mail: it may have been merged into that"
    assert (phones, marks, here_count) == (["1", "2"], [None, None], 1)
    assert mails == ["ada@two.example"] * 2


@MIRRORED
@POLICIES
@pytest.mark.parametrize("choice", ["keep", "remove", "restore"])
def test_a_person_says_what_becomes_of_the_partner(
    here: Side, there: Side, policy: DeletePolicy, choice: str
) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        play.merge()
        await until(lambda: play.rig.parked())
        await at_rest(play.rig, 30)
        (row,) = play.rig.parked()
        assert play.rig.store.decide("l", row.id, row.fingerprint, {"choose": choice})
        await at_rest(play.rig)
        listed = [one.room for one in play.rig.parked() if one.field == "*delete*"]
        return play.phones(), play.done(Op.MARK), len(play.rig.rows(here)), listed

    phones, marked, left, listed = played(here, there, people(here, policy), body)
    assert listed == []
    assert phones == (["1"] if choice == "remove" else ["1", "2"])
    assert marked == 0
    assert left == 1  # the one put back has a mail that the other one has: a person says who is who


@MIRRORED
@POLICIES
def test_by_rule_the_partner_stays_and_is_let_go(here: Side, there: Side, policy: DeletePolicy) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        play.merge()
        await at_rest(play.rig)
        notes = [one.note for one in play.rig.bindings() if one.state is State.TOMBSTONE]
        return play.phones(), notes, play.rig.parked(), play.first

    phones, notes, parked, first = played(here, there, people(here, policy, OnMerge.KEEP), body)
    assert (phones, parked) == (["1", "2"], [])
    assert notes == [f"merged into {first} on {here}, kept on {there}"]


@MIRRORED
@pytest.mark.parametrize("rule", list(OnMerge))
def test_without_somebody_who_has_its_key_it_was_deleted(here: Side, there: Side, rule: OnMerge) -> None:
    """The mirror of the rule; and with `delete` a merge is one."""

    async def body(play: Play) -> Any:
        await play.begin()
        if rule is OnMerge.DELETE:
            play.merge()
        else:
            play.rig.systems[here].delete(CUSTOMERS, play.second, "person")
        await until(lambda: play.phones() == ["1"], timeout_s=600)
        await at_rest(play.rig, 60)
        return play.rig.parked(), play.done(Op.DELETE)

    assert played(here, there, people(here, DeletePolicy.REMOVE, rule), body) == ([], 1)


@MIRRORED
@CRASHES
def test_a_daemon_that_is_killed_meanwhile_deletes_nobody_either(
    here: Side, there: Side, crash: tuple[str, int]
) -> None:
    async def body(play: Play) -> Any:
        await play.begin()
        dies(play.rig, crash)
        play.merge()
        await until(lambda: play.rig.parked(), timeout_s=7200)
        await at_rest(play.rig)
        return play.phones(), play.done(Op.DELETE), [row.field for row in play.rig.parked()]

    assert played(here, there, people(here, DeletePolicy.REMOVE), body) == (["1", "2"], 0, ["*delete*"])
