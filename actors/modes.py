"""Runs of other modes than sync and plan: what each of them does with the parts of a run. SPEC B4."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from actors.access import Sides
from actors.core.policy import StreamSpec
from actors.core.types import Mode, Outcome, Side
from actors.messages import Options
from actors.ports import Find
from actors.run import Cancelled, RunResult
from actors.state import RunState
from actors.turn import Turn
from actors.verifying import Verifying

ORDINARY: Final = frozenset({Mode.SYNC, Mode.PLAN})


class Asked(msgspec.Struct, frozen=True):
    """What such a run works with. `at`: a safe point; `drain`: both feeds are moved into the inbox."""

    state: RunState
    sides: Sides
    options: Options
    finds: Callable[[Side, str], Find]
    at: Callable[[str], Awaitable[None]]
    drain: Callable[[], Awaitable[None]]
    turn: Turn


async def carried_out(asked: Asked, streams: Sequence[StreamSpec]) -> RunResult:
    """Do what the mode of the run says."""
    loaded = frozenset(asked.state.loaded)
    try:
        return await _verified(asked, streams)
    except Cancelled:
        return RunResult(Outcome.CANCELLED, loaded)


async def _verified(asked: Asked, streams: Sequence[StreamSpec]) -> RunResult:
    verifying = Verifying(
        asked.state, asked.sides, asked.options, asked.finds, asked.at, asked.drain, asked.turn.cursors
    )
    found = await verifying.execute(streams)
    return RunResult(found.outcome, frozenset(asked.state.loaded), found.error, found.text)
