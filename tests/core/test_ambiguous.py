"""What a person said of an unclear group: it counts for that group, once, and for whom may still be bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actors.core.ambiguous import shown, told
from actors.core.types import Binding, Held, Parked, Room, State

A1 = Binding("s", key=1, a=Held("a1"), state=State.HELD_BACK)
A2 = Binding("s", key=2, a=Held("a2"), state=State.NEW)
B1 = Binding("s", key=3, b=Held("b1"), state=State.HELD_BACK)
GROUP = {1: A1, 2: A2, 3: B1}


def word(binding: int, id_: int = 1, print_: str = "p", room: Room = Room.AMBIGUOUS, **said: Any) -> Parked:
    decision: Mapping[str, Any] | None = said or None
    return Parked("s", room, binding, "why", fingerprint=print_, decision=decision, id=id_)


def same(binding: int, record: str, **more: Any) -> Parked:
    return word(binding, choose="same", record=record, **more)


def test_a_pair_is_of_a_and_of_b_whoever_was_asked() -> None:
    assert told(GROUP, [same(1, "b1")], "p") == ([(1, 3)], set())
    assert told(GROUP, [same(3, "a2")], "p") == ([(2, 3)], set())
    assert told(GROUP, [word(2, choose="different"), same(1, "b1")], "p") == ([(1, 3)], {2})


def test_no_word_and_a_word_on_something_else_are_none() -> None:
    rows = (
        word(1),
        word(1, choose="retry"),
        same(1, "b1", print_="of yesterday"),
        same(1, "b1", room=Room.QUARANTINE),
        same(1, "a2"),  # of its own side
        same(1, "b9"),
        same(9, "b1"),
    )
    assert [told(GROUP, [row], "p") for row in rows] == [([], set())] * len(rows)


def test_of_words_that_contradict_each_other_the_first_counts() -> None:
    rows = [same(2, "b1", id_=8), same(1, "b1", id_=7)]
    assert told(GROUP, rows, "p") == ([(1, 3)], set())
    assert told(GROUP, [*rows, word(3, 6, choose="different")], "p") == ([], {3})


def test_a_tombstone_is_bound_to_nobody() -> None:
    for state in (State.TOMBSTONE, State.UNSURE):
        group = {**GROUP, 3: msgspec.structs.replace(B1, state=state)}
        assert told(group, [same(1, "b1")], "p") == ([], set())


def test_a_group_is_who_shares_what_in_whatever_order() -> None:
    print_ = shown(7, {"a": ["a1", "a2"], "b": ["b1"]})
    assert print_ == shown(7, {"a": ["a2", "a1"], "b": ["b1"]})
    others = ({"a": ["a1"], "b": ["b1"]}, {"a": ["a1", "a2"], "b": []}, {"a": ["b1"], "b": ["a1", "a2"]})
    assert all(shown(7, other) != print_ for other in others)
    assert shown(8, {"a": ["a1", "a2"], "b": ["b1"]}) != print_
