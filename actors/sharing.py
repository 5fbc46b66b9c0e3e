"""Who is stored with a match key: all of them, or more than one. Decides nothing, stores nothing."""

from __future__ import annotations

from collections.abc import Collection

from actors.core.policy import StreamSpec
from actors.core.types import Binding
from actors.state import RunState

PAGE = 1000


async def sharing(
    state: RunState, stream: StreamSpec, level: int, hashes: Collection[int]
) -> dict[int, list[Binding]]:
    """By hash those that are stored with it at that level. An answer that was cut short is asked for again in halves, so
    that nobody seems to be alone with a key (of one key that more than a page share, the first page)."""
    members: dict[int, list[Binding]] = {}
    todo = [sorted(hashes)] if hashes else []
    while todo:
        some = todo.pop()
        found = await state.store.sharing(state.link, stream.name, level, some, PAGE)
        if len(found) == PAGE and len(some) > 1:
            middle = len(some) // 2
            todo += [some[:middle], some[middle:]]
            continue
        for one in found:
            members.setdefault(one.keys[level], []).append(one)
    return members
