"""Runs of other modes than sync and plan: what each of them does with the parts of a run. SPEC B4, B16."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from actors.access import Sides
from actors.core.policy import StreamSpec
from actors.core.types import Mode, Outcome, Side
from actors.messages import Options
from actors.ports import Find
from actors.rehearsing import Rehearsing
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
        if asked.state.row.mode == Mode.REHEARSE:
            return await _rehearsed(asked, streams)
        return await _verified(asked, streams)
    except Cancelled:
        return RunResult(Outcome.CANCELLED, loaded)


async def _verified(asked: Asked, streams: Sequence[StreamSpec]) -> RunResult:
    verifying = Verifying(
        asked.state, asked.sides, asked.options, asked.finds, asked.at, asked.drain, asked.turn.cursors
    )
    found = await verifying.execute(streams)
    return RunResult(found.outcome, frozenset(asked.state.loaded), found.error, found.text)


async def _rehearsed(asked: Asked, streams: Sequence[StreamSpec]) -> RunResult:
    rehearsing = Rehearsing(asked.state, asked.sides, asked.options, asked.at)
    await rehearsing.execute(streams)
    error = asked.state.errors[0] if asked.state.errors else None
    ended = Outcome.SUCCEEDED if rehearsing.found else Outcome.NOTHING_NEW
    if error is not None:
        ended = Outcome.PARTIAL if rehearsing.found else Outcome.FAILED
    return RunResult(ended, frozenset(asked.state.loaded), error)
