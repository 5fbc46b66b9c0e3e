"""Several requests of one call at once, as many as the account allows: looks by id, writes of different records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")
R = TypeVar("R")


async def together(items: Sequence[T], one: Callable[[T], Awaitable[R]], concurrency: int) -> list[R]:
    """`one` of each item, in the order of the items. The first error ends it, and is raised as it is."""
    if concurrency <= 1 or len(items) <= 1:
        return [await one(item) for item in items]
    found: dict[int, R] = {}
    failed: list[Exception] = []

    async def work(todo: Iterable[tuple[int, T]]) -> None:
        for place, item in todo:
            try:
                found[place] = await one(item)
            except Exception as error:
                failed.append(error)
                group.cancel_scope.cancel()
                return

    todo = iter(enumerate(items))  # whoever is free takes the next one
    async with anyio.create_task_group() as group:
        for _ in range(min(concurrency, len(items))):
            group.start_soon(work, todo)
    if failed:
        raise failed[0]
    return [found[place] for place in range(len(items))]
