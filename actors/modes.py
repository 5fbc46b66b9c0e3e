"""Runs of other modes than sync and plan: what each of them does with the parts of a run. SPEC B2, B4, B16."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from actors.access import Sides
from actors.core.errors import TandemError
from actors.core.policy import StreamSpec
from actors.core.types import Mode, Outcome, Side
from actors.messages import Options
from actors.ports import Find, Turn
from actors.rehearsing import Rehearsing
from actors.run import Cancelled, RunResult
from actors.state import RunState
from actors.undoing import Undoing
from actors.verifying import Verifying

NO_STREAM: Final = "its stream is no more: nothing was taken back"
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
        match Mode(asked.state.row.mode):
            case Mode.REHEARSE:
                return await _rehearsed(asked, streams)
            case Mode.UNDO | Mode.APPLY:
                return await _undone(asked, streams)
            case _:
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


async def _undone(asked: Asked, streams: Sequence[StreamSpec]) -> RunResult:
    state = asked.state
    undoing = Undoing(state, asked.sides, asked.options, asked.at)
    try:
        if state.row.mode == Mode.UNDO:
            ended = await undoing.plan(streams)
        elif not streams:  # switched off since somebody said yes
            return RunResult(Outcome.NOTHING_NEW, frozenset(state.loaded), None, NO_STREAM)
        else:
            ended = await undoing.apply(streams[0])
    except TandemError as error:
        state.cut_short(error)
        ended = Outcome.PARTIAL if state.confirmed else Outcome.FAILED
    counts = (
        (undoing.left, "left as they are"),
        (undoing.waiting, "not settled yet: approve the plan once more"),
    )
    said = "; ".join(f"{count} {text}" for count, text in counts if count)
    error_ = state.errors[0] if state.errors else None
    return RunResult(ended, frozenset(state.loaded), error_, said)
