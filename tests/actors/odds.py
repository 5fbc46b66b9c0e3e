"""What every test of a rule needs: the rule for one side or the other, and a daemon that is killed at some commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from actors.core.types import SIDES, Side
from tests.actors.rig import Rig

MIRRORED = pytest.mark.parametrize("here, there", [("a", "b"), ("b", "a")])
# (the commit it dies at, how many such commits later, before or after the commit took effect)
CRASHES = pytest.mark.parametrize(
    "crash", [(method, nth) for method in ("intend", "settle") for nth in (1, 2, 3, 4, 5, 6)]
)


def by_side(here: Side, mine: Any, others: Any) -> dict[str, Any]:
    """A rule that is `mine` for one side and another one for the other."""
    return {side: mine if side == here else others for side in SIDES}


def dies(rig: Rig, crash: tuple[str, int] | None) -> Callable[[], bool]:
    """From now on: the daemon dies once, at that commit (odd: before it took effect, even: after). Whether it did."""
    calls: dict[str, int] = {}

    async def step(name: str) -> None:
        calls[name] = calls.get(name, 0) + 1
        if crash is not None and name == crash[0] and calls[name] == crash[1]:
            raise RuntimeError("killed")

    rig.store.step = step
    return lambda: crash is None or calls.get(crash[0], 0) >= crash[1]


async def at_rest(rig: Rig, seconds: float = 300.0) -> None:
    """Long enough for every look that is due, and every pause; then nothing may be under way."""
    await anyio.sleep(seconds)


def told(rig: Rig, rule: str) -> int:
    """How many lines of the protocol name the rule."""
    return sum(rule in action.rule for action in rig.actions())


def field_of(rows: Mapping[str, Mapping[str, Any]], name: str) -> list[Any]:
    """One field of all records, in order."""
    return sorted(row[name] for row in rows.values())


def edited_behind(rig: Rig, side: Side, old: str, id: str, new: str) -> None:
    """Somebody edits what our move from one object to another leaves behind, once, before it is removed."""

    async def edited() -> None:
        if rig.rows(side, new) and rig.rows(side, old)[id]["phone"] == "1":
            rig.systems[side].edit(old, id, {"phone": "9"}, "person")

    rig.on[side, "read"] = edited
