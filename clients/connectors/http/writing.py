"""A batch of writes carried out one by one, as `Connector.write` promises it: one result per write, in order.

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
) -> list[WriteResult]:
    """Carry out `writes` in order. An error of the account (no token, no line, a limit) stops it: what was not begun is
    NOT_DONE, or the error is raised where nothing was done at all. `within_s`: after so long nothing new is begun, so that
    the engine's deadline never cuts off a batch of which half is known. `session_check` (`Connector.check`): where it
    passes, a refused right is this record's own, and the others go on."""
    results: list[WriteResult] = []
    ends = anyio.current_time() + within_s
    for write in writes:
        if results and anyio.current_time() >= ends:
            break
        try:
            results.append(await one(write))
        except TandemError as error:
            if error.kind is Kind.UNKNOWN:
                # The next ones are other records; but who does not answer is not asked on and on.
                results.append(WriteResult(WriteStatus.UNKNOWN, write.id, error=error.message))
                if error.scope is Scope.CONNECTION:
                    break
                continue
            if error.kind is Kind.AUTH and session_check is not None and await _passes(session_check):
                results.append(WriteResult(WriteStatus.REFUSED, write.id, error=error.message))
                continue
            if error.scope is Scope.RECORD or error.kind is Kind.REJECTED:
                results.append(WriteResult(WriteStatus.REFUSED, write.id, error=str(error)))
                continue
            if not any(result.status in (WriteStatus.DONE, WriteStatus.UNKNOWN) for result in results):
                raise
            break
    rest = [WriteResult(WriteStatus.NOT_DONE, write.id) for write in writes[len(results) :]]
    return [*results, *rest]


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
