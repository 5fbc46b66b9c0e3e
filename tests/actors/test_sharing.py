"""Who shares a match key, where more do than one answer of the store holds."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from actors import sharing
from actors.core.types import Binding, Held, State
from actors.state import RunState
from tests.actors.rig import customers


def half(key: int, hash_: int) -> Binding:
    return Binding("customers", key, State.NEW, a=Held(f"A{key}"), keys=(hash_,))


class Store:
    """Answers as a store does: the first ones, in key order."""

    def __init__(self, *stored: Binding) -> None:
        self.stored, self.asked = stored, 0

    async def sharing(
        self, link: str, stream: str, level: int, hashes: Sequence[int], limit: int
    ) -> list[Binding]:
        self.asked += 1
        return [one for one in self.stored if one.keys[level] in hashes][:limit]


@pytest.mark.parametrize("page", [2, 3, 4, 1000])
def test_nobody_seems_to_be_alone_with_a_key_for_the_answer_was_cut_short(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PAGE", page)
    store = Store(half(1, 11), half(2, 12), half(3, 13), half(4, 12), half(5, 14))
    state = cast(RunState, SimpleNamespace(store=store, link="l"))

    async def ask() -> dict[int, list[Binding]]:
        return await sharing.sharing(state, customers(), 0, [11, 12, 13, 14, 15])

    found = anyio.run(ask)
    assert set(found) == {11, 12, 13, 14}
    assert all(len(those) == 1 for key, those in found.items() if key != 12)
    assert len(found[12]) == 2


def test_nothing_is_asked_where_there_is_no_key() -> None:
    store = Store()
    state: Any = SimpleNamespace(store=store, link="l")
    assert (anyio.run(sharing.sharing, state, customers(), 0, ()), store.asked) == ({}, 0)
