"""An event loop on virtual time: waiting costs nothing, and the same program always runs in the same order.

Must not be used with real I/O: nothing but timers can ever wake it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
import pytest
from anyio._backends._asyncio import CancelScope

T = TypeVar("T")


class Stuck(RuntimeError):
    """Everything waits and no timer is set: nothing can ever happen again."""


class _Time:
    """Stands where a loop has its selector: instead of waiting for I/O it moves the time on."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("every task waits, and no timer is set")
        self.now += max(timeout, 0.0)
        return []

    def close(self) -> None:
        """Nothing is held."""


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

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Time()
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._selector.now

    def _process_events(self, events: list[Any]) -> None:
        """There never are any."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector that would have to be woken."""


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` on a fresh virtual loop and return what it returns."""
    with _ordered_scopes():
        return anyio.run(main, backend="asyncio", backend_options={"loop_factory": VirtualLoop})
