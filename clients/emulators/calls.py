"""Webhooks that an emulated system sends, with what goes wrong with them: repeated, out of order, lost.

Must not: know any system; which calls a change leads to is the emulator's business.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

TIMEOUT_S: Final = 20.0
REMEMBERED: Final = 10_000


class Call(msgspec.Struct, frozen=True):
    """One request to whoever wants to know."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Knobs(msgspec.Struct):
    """How calls go wrong. `copies`: each is sent so often. `hold`: so many are kept and then sent in reverse order.
    `lose`: so many are never sent (-1: all)."""

    copies: int = 1
    hold: int = 0
    lose: int = 0


class Sent(msgspec.Struct, frozen=True):
    """A call that was made. `status` 0: nobody answered."""

    method: str
    url: str
    status: int


class Calls:
    """The calls of one system, sent one after the other."""

    def __init__(self) -> None:
        self.knobs = Knobs()
        self.sent: deque[Sent] = deque(maxlen=REMEMBERED)
        self._queue: asyncio.Queue[Call] = asyncio.Queue()
        self._held: list[Call] = []
        self._worker: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start sending."""
        self._worker = asyncio.create_task(self._work())

    async def end(self) -> None:
        """Stop sending; what is queued is lost, as with any system that is switched off."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None

    def put(self, call: Call) -> None:
        """Send a call, with what goes wrong with it."""
        if self.knobs.lose:
            self.knobs.lose -= self.knobs.lose > 0
            return
        calls = [call] * self.knobs.copies
        if self.knobs.hold:
            self._held.extend(calls)
            if len(self._held) < self.knobs.hold:
                return
            calls = list(reversed(self._held))
            self._held.clear()
        for one in calls:
            self._queue.put_nowait(one)

    async def settled(self) -> None:
        """Until all that was queued is sent."""
        await self._queue.join()

    async def _work(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                call = await self._queue.get()
                try:
                    self.sent.append(Sent(call.method, call.url, await _status(session, call)))
                finally:
                    self._queue.task_done()


async def _status(session: aiohttp.ClientSession, call: Call) -> int:
    extra: dict[str, Any] = {"data": call.body} if call.body else {}
    try:
        async with session.request(call.method, call.url, headers=call.headers, **extra) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return 0
