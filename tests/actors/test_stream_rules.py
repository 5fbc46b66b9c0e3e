"""Each rule of a stream as a short play: as written, mirrored, and with the daemon killed at the very writes it is about.

What is not here has its mirror and its crash elsewhere: gates, documents, effects, initial loads, lines, attachments,
several objects, moves, merges, hubs, own values, parents, undo (test_gates.py and so on).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors.core.types import Op
from tests.actors.fields_play import KILLS, Play, Rules, played

Body = Callable[[Play], Awaitable[Any]]
RULES: dict[str, tuple[Rules, Rules, Body, Any]] = {}
PHONE: Rules = {"phone": {"a": "phone", "b": "phone"}}
MARK: Rules = {"mark": {"b": {"state": "gone"}}}
STATE: Rules = {"state": {"b": "state", "owner": "local"}}


def rule(expected: Any, fields: Rules | None = None, **more: Any) -> Callable[[Body], Body]:
    """A play under these entries of the stream, and what it has to return; its name is the rule's."""

    def noted(body: Body) -> Body:
        RULES[body.__name__] = (fields or PHONE, more, body, expected)
        return body

    return noted


async def in_step(play: Play, side: str = "a", **fields: Any) -> None:
    """Ada stands on both sides; from here on it is about the rule."""
    play.create(side, **(fields or {"phone": "1"}))
    await play.quiet()
    play.arm()


@asynccontextmanager
async def apart(play: Play) -> AsyncIterator[None]:
    """What is done on both sides before anybody looks."""
    play.rig.store.set_wish("l", "paused")
    yield
    play.rig.store.set_wish("l", "run")
    await play.quiet()


def phones(play: Play, side: str) -> list[Any]:
    """Of everybody on a side."""
    return sorted((row["phone"] for row in play.rows(side).values()), key=str)


# -------------------------------------------------------------------------------------------------- deletions


@rule((True, {}, []), deletes={"a": "remove"})
async def what_is_deleted_is_removed_once(play: Play) -> Any:
    """T11"""
    await in_step(play)
    play.delete("a")
    await play.quiet()
    done = [one for one in play.protocol() if one.op is Op.DELETE and one.state.value == "confirmed"]
    return len(done) == 1, play.shown("b"), play.reasons()


@rule(({}, {"name": "Ada", "phone": "1", "state": "gone"}, []), PHONE | STATE, deletes={"a": "mark"}, **MARK)
async def what_is_deleted_is_marked(play: Play) -> Any:
    """T11, G3"""
    await in_step(play)
    play.delete("a")
    await play.quiet()
    return play.shown("a"), play.shown("b"), play.reasons()


@rule(({"name": "Ada", "phone": "1"}, 1, 1, []), deletes={"a": "restore"}, creates=["a"])
async def what_is_deleted_is_put_back_once(play: Play) -> Any:
    """G9, W30"""
    await in_step(play)
    play.delete("a")
    await play.quiet()
    return play.shown("a"), len(play.rows("a")), len(play.rows("b")), play.reasons()


@rule(({"name": "Ada", "phone": "2"}, 1, []), deletes={"a": "remove"}, delete_vs_edit="restore")
async def what_is_deleted_here_and_edited_there_is_put_back(play: Play) -> Any:
    await in_step(play)
    async with apart(play):
        play.delete("a")
        play.edit("b", phone="2")
    return play.shown("a"), len(play.rows("b")), play.reasons()


@rule((1, {}, {}, []), deletes={"a": "remove"})
async def what_is_deleted_here_and_edited_there_is_listed_and_goes_on_a_word(play: Play) -> Any:
    await in_step(play)
    async with apart(play):
        play.delete("a")
        play.edit("b", phone="2")
    listed = len(play.parked())
    play.decide("a")
    await play.quiet()
    return listed, play.shown("a"), play.shown("b"), play.reasons()


# ------------------------------------------------------------------------------------------- who meets, who is made


@rule((["1"], ["1", "2"]), creates=["a"])
async def a_new_record_goes_from_the_side_that_may(play: Play) -> Any:
    """W14"""
    play.arm()
    play.create("a", phone="1")
    play.create("b", name="Bob", phone="2")
    await play.quiet()
    return phones(play, "a"), phones(play, "b")


def meets(contact: str, phone_a: Any, phone_b: Any, mail: Any) -> None:
    """Two meet for the first time: what both hold afterwards."""

    async def body(play: Play) -> Any:
        play.arm()
        play.create("a", phone="1")
        play.create("b", phone="2", mail="m")
        await play.quiet()
        a, b = play.shown("a"), play.shown("b")
        return a.get("phone"), b.get("phone"), a.get("mail"), len(play.parked())

    body.__name__ = f"two_that_meet_by_{contact}"
    fields = PHONE | {"mail": {"a": "mail", "b": "mail"}}
    rule((phone_a, phone_b, mail, int(phone_a != phone_b)), fields, first_contact=contact)(body)


meets("b", "2", "2", "m")
meets("fill_empty", "1", "2", "m")
meets("filled_else_a", "1", "1", "m")


@rule((["1"], ["1"], ["2"], ["2"]), PHONE | {"nr": {"a": "nr", "b": "nr"}}, match=[["nr"], ["name"]])
async def the_strongest_key_that_both_have_says_who_is_who(play: Play) -> Any:
    """T3: two of one name on each side, told by their numbers."""
    play.arm()
    for side in ("a", "b"):
        for number in ("1", "2"):
            play.create(side, nr=number, phone=number if side == "a" else None)
    await play.quiet()
    found = {side: {row["nr"]: row["phone"] for row in play.rows(side).values()} for side in ("a", "b")}
    return [found["a"]["1"]], [found["b"]["1"]], [found["a"]["2"]], [found["b"]["2"]]


@rule((1, 1, 1, ["1", "2"]), PHONE | {"code": {"a": "code", "b": "code"}}, clash=[["code"]])
async def who_shares_a_clash_key_alone_is_nobody_s_double(play: Play) -> Any:
    """G24: a person says that they are two, once one of them has another code."""
    await in_step(play, phone="1", code="X")
    play.create("b", name="Bob", phone="2", code="X")
    await play.quiet()
    before = len(play.rows("a")), len(play.rows("b")) - 1, len(play.parked())
    play.edit("b", called="Bob", code="Y")
    await play.quiet()
    return *before, phones(play, "a")


@rule(
    (["1"], ["1", "1"], 1), PHONE | {"code": {"a": "code", "b": "code"}}, match=[["code"]], first_contact="a"
)
async def of_two_that_may_be_it_a_person_says_which(play: Play) -> Any:
    """B11: one here and two there share a code; one is bound, and the other one goes once it has a code of its own."""
    play.create("a", phone="1", code="X")
    ids = [play.create("b", name=name, phone="2", code="X") for name in ("Bob", "Eve")]
    await play.quiet()
    play.arm()
    play.tells_apart("a", ids[0])
    await play.quiet()
    bound = phones(play, "a")
    play.edit("b", called="Eve", code="Y", phone="1")
    await play.quiet()
    return bound, phones(play, "a"), len([one for one in play.rows("b").values() if one["code"] == "X"])


# ------------------------------------------------------------------------------------------------- budgets and plans


@rule((True, ["1", "1"], []), budgets={"deletes": "0"}, deletes={"a": "remove"})
async def what_is_over_budget_waits_for_a_yes_and_then_goes_once(play: Play) -> Any:
    """B1, B8"""
    play.create("a", name="Bob", phone="1")
    play.create("a", name="Eve", phone="1")
    await in_step(play)
    play.delete("a")
    await play.quiet()
    waits = await play.waits_for_a_yes() and len(play.rows("b")) == 3
    await play.approve()
    await play.quiet()
    return waits, phones(play, "b"), play.reasons()


@rule((0, True, 1, 1), initial_creates="plan")
async def who_was_there_before_the_link_is_made_on_a_yes_once(play: Play) -> Any:
    """U23"""
    play.create("a", phone="1")
    await play.quiet()
    before, waits = len(play.rows("b")), await play.waits_for_a_yes()
    play.arm()
    await play.approve()
    await play.quiet()
    return before, waits, len(play.rows("a")), len(play.rows("b"))


@rule((0, 1, "2"), initial_creates="off")
async def who_was_there_before_the_link_goes_once_it_changes(play: Play) -> Any:
    """U23"""
    play.create("a", phone="1")
    await play.quiet()
    before = len(play.rows("b"))
    play.arm()
    play.edit("a", phone="2")
    await play.quiet()
    return before, len(play.rows("b")), play.shown("b")["phone"]


# ---------------------------------------------------------------------------------------------------------- when


@rule(("1", "2", "3"), delivery={"a_to_b": "command"})
async def what_waits_for_a_command_goes_with_it_and_the_other_way_at_once(play: Play) -> Any:
    """S15, T6. Whoever sees that a run was interrupted starts another one."""
    await in_step(play, "b")
    play.edit("a", phone="2")
    await play.quiet()
    before = play.shown("b")["phone"]
    for _ in range(2):
        play.command()
        await play.quiet()
    commanded = play.shown("b")["phone"]
    play.edit("b", phone="3")
    await play.quiet()
    return before, commanded, play.shown("a")["phone"]


# ------------------------------------------------------------------------------------------------- both edited


@rule((1, "3", "3", []), {"phone": {"a": "phone", "b": "phone", "conflict": "ask"}})
async def what_both_changed_goes_by_a_person_s_word(play: Play) -> Any:
    """W10"""
    await in_step(play)
    async with apart(play):
        play.edit("a", phone="2")
        play.edit("b", phone="3")
    listed = len(play.parked())
    play.decide("b")
    await play.quiet()
    return listed, play.shown("a")["phone"], play.shown("b")["phone"], play.reasons()


ADDRESS = {
    name: {"a": name, "b": name, "group": "address", "conflict": "b"} for name in ("street", "zip", "city")
}


@rule(({"street": "S", "zip": "2", "city": "B"},) * 2, ADDRESS)
async def of_two_addresses_one_is_taken_as_a_whole(play: Play) -> Any:
    """REDTEAM 32"""
    await in_step(play, street="S", zip="1", city="A")
    async with apart(play):
        play.edit("a", street="T")
        play.edit("b", zip="2", city="B")
    return tuple({name: play.shown(side)[name] for name in ADDRESS} for side in ("a", "b"))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("mirror", [False, True], ids=["", "mirrored"])
def test_rule_of_a_stream(name: str, mirror: bool) -> None:
    fields, more, body, expected = RULES[name]
    assert played(body, fields, more, mirror=mirror) == expected


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kill", KILLS)
def test_rule_of_a_stream_survives_a_crash_at_the_writes_it_is_about(name: str, kill: str) -> None:
    fields, more, body, expected = RULES[name]
    assert played(body, fields, more, kill=kill, armed=False) == expected
