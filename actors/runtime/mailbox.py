"""A bounded mailbox: pokes coalesce by key and never block the sender; asks are bounded and answered once."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")


class MailboxFull(Exception):
    """The mailbox holds as many asks as it may; the asker should come again later."""


class MailboxClosed(Exception):
    """The actor is gone, or went before it answered."""


class Ask(Generic[T]):
    """A question with room for one answer. The answer may be an exception. `is_left`: nobody waits for it any more."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.is_left = False
        self._done = anyio.Event()
        self._value: T | None = None
        self._error: BaseException | None = None

    def answer(self, value: T) -> None:
        """Answer; a second answer is ignored."""
        if not self._done.is_set():
            self._value = value
            self._done.set()

    def fail(self, error: BaseException) -> None:
        """Answer with an exception; a second answer is ignored."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    async def wait(self) -> T:
        """The answer, or its exception."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


class Mailbox:
    """One reader, any number of senders of the same event loop.

    Pokes are a set: poking twice before it is read is one poke. Asks are first in, first out, at most `asks_max`.
    Pokes and asks take turns, so that neither starves the other.
    """

    def __init__(self, asks_max: int = 100) -> None:
        self._asks_max = asks_max
        self._pokes: OrderedDict[str, None] = OrderedDict()
        self._asks: deque[Ask[Any]] = deque()
        self._wake = anyio.Event()
        self._closed = False
        self._poke_next = True

    def __len__(self) -> int:
        return len(self._pokes) + len(self._asks)

    def poke(self, key: str) -> None:
        """Leave a poke; never blocks, never fails (a closed mailbox drops it: the work is in the store)."""
        if not self._closed:
            self._pokes[key] = None
            self._wake.set()

    async def ask(self, message: Any) -> Any:
        """Send a question and wait for its answer. Raises `MailboxFull` or `MailboxClosed`."""
        if self._closed:
            raise MailboxClosed
        if len(self._asks) >= self._asks_max:
            raise MailboxFull
        ask: Ask[Any] = Ask(message)
        self._asks.append(ask)
        self._wake.set()
        try:
            return await ask.wait()
        finally:
            ask.is_left = True

    async def receive(self) -> str | Ask[Any]:
        """The next poke (its key) or ask; waits for one. Raises `MailboxClosed` when closed and empty."""
        while not self._pokes and not self._asks:
            if self._closed:
                raise MailboxClosed
            self._wake = anyio.Event()
            await self._wake.wait()
        poke_first = self._pokes and (self._poke_next or not self._asks)
        self._poke_next = not poke_first
        if poke_first:
            return self._pokes.popitem(last=False)[0]
        return self._asks.popleft()

    def close(self) -> None:
        """No more messages; open asks are answered with `MailboxClosed`."""
        self._closed = True
        self._pokes.clear()
        while self._asks:
            self._asks.popleft().fail(MailboxClosed())
        self._wake.set()
