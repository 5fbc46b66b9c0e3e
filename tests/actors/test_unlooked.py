"""An update whose write proves what it rests on is sent without a look at its target; whoever was there first is not
overwritten (actors/core/assume.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from actors.core.policy import Choice
from actors.core.types import ActionState, Room
from actors.ports import Find
from actors.root import RootActor
from clients.connectors.systems.memory_system import Faults
from tests.actors.rig import CUSTOMERS, Rig, customers, field, loaded, on, until

Act = Callable[[Rig, str], None]


def rig(**declared: Any) -> Rig:
    plain: dict[str, Any] = {"find": (Find.FEED,), "version": "none"}
    fields = (field("name"), field("phone", conflict=Choice.ASK))
    return Rig(customers(fields=fields), **(plain | declared))


async def edited(rig: Rig, at_that_moment: Act | None = None) -> tuple[str, str]:
    """A person edits the phone on A; `at_that_moment` happens on B when our write arrives there."""
    a = rig.create("a", "Ada")
    await until(lambda: loaded(rig) and rig.names("b") == ["Ada"])
    await anyio.sleep(5)
    (b,) = rig.rows("b")

    async def somebody() -> None:
        del rig.on["b", "write"]
        if at_that_moment is not None:
            at_that_moment(rig, b)

    rig.on["b", "write"] = somebody
    rig.requests.clear()
    rig.edit("a", a, phone="2")
    await until(lambda: ("b", "write") not in rig.on)
    await anyio.sleep(20)
    return a, b


def before_the_write(rig: Rig) -> list[str]:
    """What B was asked for records before it was first written."""
    asked = [method for _, where, method, _ in rig.requests if where == "b" and method in ("read", "write")]
    return asked[: asked.index("write")]


def test_an_update_with_an_atomic_precondition_needs_no_look() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await edited(rig)
        return before_the_write(rig), rig.rows("b").popitem()[1]["phone"]

    assert on(rig, body) == ([], "2")


def test_where_the_precondition_is_a_read_before_the_write_the_look_stays() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        await edited(rig)
        return before_the_write(rig), rig.rows("b").popitem()[1]["phone"]

    assert on(lambda: rig(precondition="reread"), body) == (["read"], "2")


def test_an_edit_of_the_same_field_at_that_moment_is_a_conflict_and_nothing_is_lost() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        a, b = await edited(rig, lambda rig, b: rig.edit("b", b, phone="3"))
        states = [action.state for action in rig.actions() if action.error == "moved_on"]
        return rig.rows("a")[a]["phone"], rig.rows("b")[b]["phone"], states, [p.room for p in rig.parked()]

    assert on(rig, body) == ("2", "3", [ActionState.DROPPED], [Room.CONFLICT])


@pytest.mark.parametrize("version", ["none", "content"])
def test_an_edit_of_another_field_at_that_moment_reaches_the_other_side(version: str) -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        a, b = await edited(rig, lambda rig, b: rig.edit("b", b, name="Ada Byron"))
        return rig.rows("a")[a], rig.rows("b")[b]

    both = {"name": "Ada Byron", "phone": "2"}
    assert on(lambda: rig(version=version), body) == (both, both)


def test_an_edit_of_another_field_that_nobody_told_of_is_found_by_the_reply() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        def untold(rig: Rig, b: str) -> None:
            rig.systems["b"].faults = Faults(hint_lost=1.0)
            rig.edit("b", b, name="Ada Byron")

        a, b = await edited(rig, untold)
        return rig.rows("a")[a], rig.rows("b")[b]

    both = {"name": "Ada Byron", "phone": "2"}
    assert on(rig, body) == (both, both)


def test_a_record_that_is_gone_at_that_moment_is_not_made_anew() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        a, _ = await edited(rig, lambda rig, b: rig.systems["b"].delete(CUSTOMERS, b, "person"))
        return rig.rows("a")[a]["phone"], rig.rows("b"), len(rig.actions())

    phone, left, actions = on(rig, body)
    assert (phone, left) == ("2", {})
    assert actions <= 4


def test_where_it_often_fails_the_look_comes_first_again() -> None:
    async def body(rig: Rig, root: RootActor) -> Any:
        a, b = await edited(
            rig, lambda rig, b: rig.edit("b", b, phone="2")
        )  # the same: no conflict, but moved on
        rig.requests.clear()
        rig.edit("a", a, phone="4")
        await until(lambda: rig.rows("b")[b]["phone"] == "4")
        return before_the_write(rig)

    assert on(rig, body) == ["read"]
