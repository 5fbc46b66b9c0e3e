"""An event loop on virtual time: waiting costs nothing, and the same program always runs in the same order.

Must not be used with real I/O: nothing but timers can ever wake it.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import TimerHandle
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, TypeVar

import anyio
import pytest
from anyio._backends._asyncio import CancelScope
from anyio._core import _eventloop

T = TypeVar("T")


class Stuck(RuntimeError):
    """Everything waits and no timer is set: nothing can ever happen again."""


class _Time:
    """Stands where a loop has its selector; nobody ever waits for I/O here."""

    def __init__(self) -> None:
        self.now = 0.0

    def close(self) -> None:
        """Nothing is held."""


def now() -> float:
    """Virtual seconds since the loop began: what `anyio.current_time` says, which asks its way through to it each time."""
    return asyncio.get_running_loop().time()


class _Ordered(dict[Any, None]):
    """What anyio needs of a set, in the order of adding: a set's own order hangs on addresses."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)

    def remove(self, item: Any) -> None:
        del self[item]


@contextmanager
def _ordered_scopes() -> Iterator[None]:
    """Let anyio cancel tasks and inner scopes in the order in which they came."""
    initialise = CancelScope.__init__

    def ordered(self: Any, *positional: Any, **named: Any) -> None:
        initialise(self, *positional, **named)
        self._tasks, self._child_scopes = _Ordered(), _Ordered()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CancelScope, "__init__", ordered)
        yield


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; `time()` starts at 0 and moves only while everybody sleeps."""

    # Of the base, and named in no stub.
    _ready: deque[Any]
    _scheduled: list[Any]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Time()
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._selector.now

    # The same two as the base's, without its checks; a seed goes through them ten thousand times. Their callback goes by the
    # kind of its arguments in the stubs, which is nothing to what comes here.
    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> TimerHandle:
        timer = TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        return timer

    def _run_once(self) -> None:
        """One turn, in the base's order, without its I/O and its checks."""
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)
        if not ready and not self._stopping:
            if not scheduled:
                raise Stuck("every task waits, and no timer is set")
            self._selector.now = max(self._selector.now, scheduled[0]._when)
        due = self._selector.now + self._clock_resolution
        while scheduled and scheduled[0]._when < due:
            ready.append(heapq.heappop(scheduled))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It is dropped when its time comes."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector that would have to be woken."""


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` on a fresh virtual loop and return what it returns."""

    async def known() -> T:
        # anyio asks at each of its calls what it runs on; here it is known.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_eventloop, "current_async_library", lambda: "asyncio")
            return await main()

    with _ordered_scopes():
        return anyio.run(known, backend="asyncio", backend_options={"loop_factory": VirtualLoop})
