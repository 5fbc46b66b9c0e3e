"""How often we wrote a field within a day: what stops a circle of systems that answer every write. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actors.core.types import Side

DAY_S = 86_400.0


def is_contested(
    contests: Mapping[str, tuple[int, float]], side: Side, name: str, breaker: int, now: float
) -> bool:
    """Whether a field was written so often within a day that a person must say whose value stays."""
    count, since = contests.get(f"{side}.{name}", (0, 0.0))
    return count >= breaker and now - since < DAY_S


def contests_after(
    contests: Mapping[str, tuple[int, float]], side: Side, names: Iterable[str], now: float
) -> dict[str, tuple[int, float]]:
    """The count of writes per field of the last day, with one more of each of these."""
    kept = {k: v for k, v in contests.items() if now - v[1] < DAY_S}
    for name in names:
        count, since = kept.get(f"{side}.{name}", (0, now))
        kept[f"{side}.{name}"] = (count + 1, since)
    return kept
