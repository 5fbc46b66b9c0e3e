"""Who waits for news of a link is woken when the engine reports something of it. A missed wake-up costs a poll, no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio


class News:
    """One event per link that somebody waits for."""

    def __init__(self) -> None:
        self._events: dict[str, anyio.Event] = {}

    def heard(self, _: str, fields: Mapping[str, Any]) -> None:
        """Something was reported (daemon/telemetry.py)."""
        event = self._events.pop(str(fields.get("link", "")), None)
        if event is not None:
            event.set()

    async def wait(self, link: str, timeout_s: float) -> None:
        """Until there is news of the link, or the time is over."""
        event = self._events.setdefault(link, anyio.Event())
        with anyio.move_on_after(timeout_s):
            await event.wait()
