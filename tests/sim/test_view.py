"""What the auditor is told of the store and of the systems."""

from __future__ import annotations

from actors.core.types import Action, ActionState, Binding, Held, Hint, Op, Parked, Room, State
from actors.ports import LinkRow
from tests.fakes.store_link import LinkState, Numbers
from tests.sim.scenario import draw
from tests.sim.view import view


def test_of_a_request_for_many_records_nobody_is_sure_as_often_as_it_has_records() -> None:
    link = LinkState(LinkRow("sim", "", "", "", "", ""), Numbers())
    one = Action("articles", "b", Op.CREATE, 7, id=1, state=ActionState.SENT)
    many = Action("articles", "b", Op.CREATE, 8, id=2, state=ActionState.SENT, covers=(8, 13))
    done = Action("articles", "b", Op.CREATE, 20, id=3, state=ActionState.CONFIRMED, covers=(20, 29))
    link.actions = {row.id: ("run", row) for row in (one, many, done)}
    assert view(link, (), 0.0, lambda stream, field, value: value).unsure == 7


def test_lists_leave_records_out_where_they_are_drawn_to_and_where_a_side_is_set_back() -> None:
    assert set(draw(2).patchy) == {"b"}
    assert not draw(6).patchy
    assert draw(6, also=["rollback"]).patchy == {"a", "b"}


def test_who_is_referred_to_is_looked_at_until_nobody_does_and_is_not_overdue() -> None:
    link = LinkState(LinkRow("sim", "", "", "", "", ""), Numbers())
    link.bindings = {1: Binding("customers", 1, State.SETTLED, a=Held("A1"), b=Held("B1"))}
    link.inbox = {("customers", "a", "A1"): Hint("customers", "a", "A1", attempts=10)}

    def overdue(room: Room, field: str) -> int:
        link.parked = {(1, room, field): Parked("customers", room, 1, "", field=field)}
        return view(link, (), 0.0, lambda stream, field, value: value).overdue

    assert (overdue(Room.WAITING, "*delete*"), overdue(Room.WAITING, "*sums*")) == (0, 0)
    assert (overdue(Room.WAITING, ""), overdue(Room.CONFLICT, "*delete*")) == (1, 1)
