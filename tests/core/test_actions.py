"""What a person can do about an action, by how it stands."""

from __future__ import annotations

import pytest

from actors.core.actions import way_out
from actors.core.types import Action, ActionState, Op, Room


def action(state: ActionState, rule: str = "") -> Action:
    return Action("customers", "b", Op.CREATE, 1, state=state, rule=rule)


@pytest.mark.parametrize("state", ActionState)
def test_s06_whatever_was_not_done_has_a_way_out(state: ActionState) -> None:
    needs_none = state in (ActionState.CONFIRMED, ActionState.PLANNED, ActionState.EXPLAINED)
    assert bool(way_out(action(state))) is not needs_none


def test_s06_what_is_parked_has_the_way_out_of_its_room() -> None:
    said = {room: way_out(action(ActionState.PARKED, room.value)) for room in Room}
    assert len(set(said.values())) == len(Room)
    assert "conflicts resolve" in said[Room.CONFLICT] and "ambiguous decide" in said[Room.AMBIGUOUS]
    assert way_out(action(ActionState.PARKED, "creates")) not in {"", *said.values()}
