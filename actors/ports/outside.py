"""Clock and Telemetry: the ports without which nothing in the engine knows the time or is heard. Protocols, no code."""

from __future__ import annotations

from typing import Any, Protocol


class Clock(Protocol):
    """Time, passed in so that the simulation can bend it."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def token(self) -> str:
        """A fresh random id of 16 hex digits (random by the same source as the rest, so that a seed replays it)."""
        ...

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        ...


class Telemetry(Protocol):
    """Where the engine reports what it does; becomes metrics and log lines in the daemon."""

    def emit(self, action: str, **fields: Any) -> None:
        """`action` is a stable name like `run.ended`; fields are plain values without personal data."""
        ...
