"""The pace of one account: so many requests per second, and none before a system's own "not before" is over.

Counts requests, where the engine's bucket counts calls (a call may be many requests). A wait that is too long for one call
is RATE_LIMITED, so that the account pauses and nobody holds a slot.
"""

from __future__ import annotations

from typing import Final

import anyio

from actors.core.errors import Kind
from clients.connectors.http.wire import HttpError, Request

WAIT_MAX_S: Final = 5.0


class Pace:
    """A token bucket. `rate_per_s` 0: no limit known. `burst`: so many at once."""

    def __init__(self, name: str, rate_per_s: float = 0.0, burst: int = 1) -> None:
        self._name = name
        self._rate_per_s = rate_per_s
        self._burst = max(1, burst)
        self._tokens = float(self._burst)
        self._at: float | None = None
        self._not_before = 0.0

    def pause(self, after_s: float | None) -> None:
        """The system asks for a pause."""
        if after_s is not None:
            self._not_before = max(self._not_before, anyio.current_time() + after_s)

    async def take(self, request: Request) -> None:
        """Wait for a place; RATE_LIMITED where that takes too long. Nothing was sent then."""
        now = anyio.current_time()
        wait_s = max(self._not_before - now, self._due_s(now))
        if wait_s > WAIT_MAX_S:
            self._tokens += 1.0
            raise HttpError(
                Kind.RATE_LIMITED,
                f"can't {request.doing}: {self._name} wants no more requests for {wait_s:.0f} s",
                retry_after_s=wait_s,
            )
        if wait_s > 0:
            await anyio.sleep(wait_s)

    def _due_s(self, now: float) -> float:
        """Take one token, and say in how many seconds it is there."""
        if self._rate_per_s <= 0:
            return 0.0
        grown = 0.0 if self._at is None else (now - self._at) * self._rate_per_s
        self._tokens = min(float(self._burst), self._tokens + grown) - 1.0
        self._at = now
        return max(0.0, -self._tokens / self._rate_per_s)
