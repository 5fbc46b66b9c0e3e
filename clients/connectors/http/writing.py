"""A batch of writes carried out record by record, as `Connector.write` promises it: one result per write, in order.

For systems that take one record per request. A connector brings what one write does; here stands what follows from it for
the others: raising is only allowed while surely nothing was done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op, Record
from actors.core.values import Value, same
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.together import together
from clients.connectors.http.wire import Answer

One = Callable[[Write], Awaitable[WriteResult]]
STATUSES: Mapping[str, WriteStatus] = {
    "ok": WriteStatus.DONE,
    "gone": WriteStatus.GONE,
    "moved_on": WriteStatus.MOVED_ON,
    "exists": WriteStatus.REFUSED,
    "refused": WriteStatus.REFUSED,
}


async def each(
    writes: Sequence[Write],
    one: One,
    *,
    within_s: float,
    session_check: Callable[[], Awaitable[None]] | None = None,
    concurrency: int = 1,
) -> list[WriteResult]:
    """Carry out `writes`, so many at once; those of one record one after the other. An error of the account (no token, no
    line, a limit) stops it: what was not begun is NOT_DONE, or the error is raised where nothing was done at all.
    `within_s`: after so long nothing new is begun, so that the engine's deadline never cuts off a batch of which half is
    known. `session_check` (`Connector.check`): where it passes, a refused right is this record's own, and the others go on.
    """
    batch = _Batch(writes, one, anyio.current_time() + within_s, session_check)
    await together(batch.chains(), batch.carry_out, concurrency)
    return batch.told()


class _Batch:
    """The writes of one call, and what is known of each by now."""

    def __init__(
        self,
        writes: Sequence[Write],
        one: One,
        ends: float,
        session_check: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._writes = writes
        self._one = one
        self._ends = ends
        self._session_check = session_check
        self._results: dict[int, WriteResult] = {}
        self._begun = self._stopped = False
        self._trouble: TandemError | None = None

    def chains(self) -> list[list[int]]:
        """The places of the writes, those of one record together."""
        found: dict[object, list[int]] = {}
        for place, write in enumerate(self._writes):
            found.setdefault(write.id or place, []).append(place)
        return list(found.values())

    async def carry_out(self, chain: Sequence[int]) -> None:
        """One record's writes, unless the batch has come to an end."""
        for place in chain:
            if self._stopped or (self._begun and anyio.current_time() >= self._ends):
                return
            self._begun = True
            result = await self._result(self._writes[place])
            if result is not None:
                self._results[place] = result

    async def _result(self, write: Write) -> WriteResult | None:
        """What became of it; None where it is surely not done, and nothing else is to be tried."""
        try:
            return await self._one(write)
        except TandemError as error:
            if error.kind is Kind.UNKNOWN:
                # The others are other records; but who does not answer is not asked on and on.
                self._stopped = self._stopped or error.scope is Scope.CONNECTION
                return WriteResult(WriteStatus.UNKNOWN, write.id, error=error.message)
            if (
                error.kind is Kind.AUTH
                and self._session_check is not None
                and await _passes(self._session_check)
            ):
                return WriteResult(WriteStatus.REFUSED, write.id, error=error.message)
            if error.scope is Scope.RECORD or error.kind is Kind.REJECTED:
                return WriteResult(WriteStatus.REFUSED, write.id, error=str(error))
            self._stopped = True
            self._trouble = self._trouble or error
            return None

    def told(self) -> list[WriteResult]:
        """The results in order; raises the trouble where surely nothing was done."""
        may_be_done = (WriteStatus.DONE, WriteStatus.UNKNOWN)
        if self._trouble and not any(result.status in may_be_done for result in self._results.values()):
            raise self._trouble
        return [
            self._results.get(place) or WriteResult(WriteStatus.NOT_DONE, write.id)
            for place, write in enumerate(self._writes)
        ]


async def _passes(session_check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await session_check()
    except TandemError:
        return False
    return True


def moved_on(write: Write, now: Mapping[str, Value]) -> str:
    """The names of the fields that no longer hold what was seen, with commas; "" where all do. A field that was not
    delivered is unknown: it can't be said to hold what was seen, so it counts as moved."""
    return ", ".join(
        sorted(name for name, seen in write.seen.items() if name not in now or not same(now[name], seen))
    )


def result_of(write: Write, answer: Answer, record: Record | None = None) -> WriteResult:
    """The result that an answer stands for. Deleting what is gone is GONE, in the engine's words."""
    status = STATUSES[answer.meaning]
    if write.op is Op.CREATE and status in (WriteStatus.GONE, WriteStatus.MOVED_ON):
        status = WriteStatus.REFUSED
    error = "" if status is WriteStatus.DONE else answer.words or f"answered {answer.status}"
    if answer.meaning == "exists":
        error = f"exists already: {answer.words}" if answer.words else "exists already"
    id_ = record.id if record is not None else write.id
    return WriteResult(status, id_, record if status is WriteStatus.DONE else None, error)
