"""Tasks that work on one thing: the first error ends them all, and is what the caller sees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def together() -> AsyncIterator[TaskGroup]:
    """A task group whose error is the first one itself, not a group of one."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


@asynccontextmanager
async def abreast(most: int) -> AsyncIterator[Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]]:
    """Begins one piece of work after the other, and waits only while `most` of them are under way; 1: for each. An error
    of whoever hands them out lets those that are under way come to their end."""
    free = anyio.Semaphore(max(1, most))
    stopped: list[Exception] = []

    async def carry_out(work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        finally:
            free.release()

    async with together() as tasks:

        async def begin(work: Callable[[], Awaitable[object]]) -> None:
            await free.acquire()
            if most <= 1:
                await carry_out(work)
            else:
                tasks.start_soon(carry_out, work)

        try:
            yield begin
        except Exception as error:
            stopped.append(error)
    if stopped:
        raise stopped[0]
