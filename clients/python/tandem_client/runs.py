"""A run in the hands of a caller: its progress as it happens, and its end.

Owns: following a run, also over a lost connection. Must not: decide anything about the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import grpc

from tandem.v1 import runs_pb2
from tandem_client.errors import RunFailed, TandemError

if TYPE_CHECKING:
    from tandem.v1.runs_pb2_grpc import RunsAsyncStub

Watch = Callable[[runs_pb2.Run], None]
# How runs end; any other outcome means: not ended yet.
ENDED = frozenset(("succeeded", "partial", "failed", "nothing_new", "cancelled", "awaiting_approval"))
_AS_WISHED = frozenset(("succeeded", "nothing_new"))
_RECONNECTS_MAX = 6
_RECONNECT_FIRST_S = 0.2


class RunHandle:
    """A started run. `async for progress in handle` gives its states until it has ended; `await handle.done()` the last."""

    def __init__(
        self,
        runs: RunsAsyncStub,
        run: runs_pb2.Run,
        *,
        already_running: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self._runs = runs
        self._watch = watch
        self.run = run
        self.already_running = already_running

    @property
    def id(self) -> str:
        return self.run.id

    @property
    def ended(self) -> bool:
        return self.run.outcome in ENDED

    async def __aiter__(self) -> AsyncIterator[runs_pb2.Run]:
        """Each state of the run, the last one included. Raises TandemError when the daemon can't be reached for long."""
        lost = 0
        while not lost or not self.ended:
            fault = TandemError(
                grpc.StatusCode.UNAVAILABLE, f"the stream of run {self.id} ended before the run"
            )
            call = self._runs.WatchRun(runs_pb2.WatchRunRequest(run=self.id))
            try:
                async for run in call:
                    lost = 0
                    self.run = run
                    yield run
            except TandemError as error:
                fault = error
            finally:
                # Whoever stops listening stops the call too; it would live on until the garbage collector came.
                call.cancel()
            lost += 1
            if not self.ended:
                await _before_reconnecting(lost, fault)

    async def done(self, *, check: bool = False) -> runs_pb2.Run:
        """Wait for the end; returns the last state.

        With `check`, RunFailed is raised unless the run succeeded or found nothing new; a dry run and an undo may await
        approval, too.
        """
        async for run in self:
            if self._watch is not None:
                self._watch(run)
        if check and not self._as_wished():
            raise RunFailed(self.run)
        return self.run

    def _as_wished(self) -> bool:
        planned = self.run.mode in ("plan", "undo") and self.run.outcome == "awaiting_approval"
        return planned or self.run.outcome in _AS_WISHED

    async def cancel(self) -> runs_pb2.Run:
        """Ask for a stop at the next safe point; the run has not ended yet when this returns."""
        return await self._runs.CancelRun(runs_pb2.CancelRunRequest(run=self.id))


async def _before_reconnecting(lost: int, fault: TandemError) -> None:
    """A stream that broke off is taken up again (the daemon may be restarting); anything else is raised."""
    if fault.code is not grpc.StatusCode.UNAVAILABLE or lost > _RECONNECTS_MAX:
        raise fault
    await asyncio.sleep(_RECONNECT_FIRST_S * 2 ** (lost - 1))
