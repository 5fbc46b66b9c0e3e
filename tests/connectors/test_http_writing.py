"""A batch of writes one by one: what is known of each, whatever happens in the middle."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from actors.core.errors import Kind, Scope, TandemError
from actors.core.types import Op
from actors.ports import Write, WriteResult, WriteStatus
from clients.connectors.http.wire import Answer
from clients.connectors.http.writing import each, moved_on, result_of

pytestmark = pytest.mark.anyio

WRITES = [Write(Op.UPDATE, id=str(number)) for number in range(5)]


async def run(
    failures: dict[str, TandemError | WriteStatus],
    within_s: float = 100.0,
    session_lives: bool | None = None,
    concurrency: int = 1,
) -> Sequence[str]:
    """The statuses of a batch in which some writes fail."""

    async def one(write: Write) -> WriteResult:
        failure = failures.get(write.id, WriteStatus.DONE)
        if isinstance(failure, TandemError):
            raise failure
        return WriteResult(failure, write.id)

    async def check() -> None:
        if not session_lives:
            raise TandemError(Kind.AUTH, "ended")

    session_check = None if session_lives is None else check
    results = await each(WRITES, one, within_s=within_s, session_check=session_check, concurrency=concurrency)
    assert [result.id for result in results] == [write.id for write in WRITES]
    return [result.status.value for result in results]


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_all_is_well(concurrency: int) -> None:
    assert await run({}, concurrency=concurrency) == ["done"] * 5


async def test_several_at_once_but_one_record_s_in_order() -> None:
    """Two writes of one record are never under way together; those of others are."""
    under_way: list[str] = []
    most = 0
    both = anyio.Event()

    async def one(write: Write) -> WriteResult:
        nonlocal most
        assert write.id not in under_way
        under_way.append(write.id)
        most = max(most, len(under_way))
        if most > 1:
            both.set()
        await both.wait()
        under_way.remove(write.id)
        return WriteResult(WriteStatus.DONE, write.id)

    writes = [Write(Op.UPDATE, id=id_) for id_ in ("a", "b", "a", "c", "a")]
    with anyio.fail_after(30):
        results = await each(writes, one, within_s=100.0, concurrency=2)
    assert [result.id for result in results] == ["a", "b", "a", "c", "a"]
    assert most == 2


async def test_what_was_under_way_with_an_error_of_the_account_is_told() -> None:
    """With several at once: those that were sent before it have their results, what was not begun is not done."""
    assert await run({"4": TandemError(Kind.TRANSIENT, "no more")}, concurrency=5) == [
        *["done"] * 4,
        "not_done",
    ]
    with pytest.raises(TandemError, match="no more"):
        await run({str(n): TandemError(Kind.TRANSIENT, "no more") for n in range(5)}, concurrency=5)
    assert (await run({"0": TandemError(Kind.UNKNOWN, "silence")}, concurrency=2))[0] == "unknown"


async def test_an_error_that_is_a_bug_is_raised_as_it_is() -> None:
    async def one(write: Write) -> WriteResult:
        raise KeyError(write.id)

    with pytest.raises(KeyError):
        await each(WRITES, one, within_s=100.0, concurrency=3)


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.RATE_LIMITED, Kind.AUTH, Kind.CONFIG])
async def test_an_error_of_the_account_stops_the_batch(kind: Kind) -> None:
    error = TandemError(kind, "no more")
    assert await run({"2": error}) == ["done", "done", "not_done", "not_done", "not_done"]
    with pytest.raises(TandemError, match="no more"):
        await run({"0": error})
    with pytest.raises(TandemError, match="no more"):  # nothing was done before it
        await run({"0": WriteStatus.REFUSED, "1": WriteStatus.MOVED_ON, "2": error})


async def test_an_unknown_outcome_is_this_record_s_own() -> None:
    unknown = TandemError(Kind.UNKNOWN, "500", scope=Scope.STREAM)
    assert await run({"1": unknown}) == ["done", "unknown", "done", "done", "done"]
    silent = TandemError(Kind.UNKNOWN, "no answer")
    assert await run({"0": silent}) == ["unknown", "not_done", "not_done", "not_done", "not_done"]
    # After an unknown one nothing may be raised as surely not done.
    assert await run({"0": unknown, "1": TandemError(Kind.TRANSIENT, "gone")}) == [
        "unknown",
        "not_done",
        "not_done",
        "not_done",
        "not_done",
    ]


async def test_a_refused_record_stops_nobody() -> None:
    refused = TandemError(Kind.REJECTED, "bad", scope=Scope.RECORD)
    assert await run({"1": refused}) == ["done", "refused", "done", "done", "done"]


async def test_a_right_that_is_missing_for_one_record() -> None:
    forbidden = TandemError(Kind.AUTH, "403")
    assert await run({"0": forbidden}, session_lives=True) == ["refused", "done", "done", "done", "done"]
    with pytest.raises(TandemError, match="403"):
        await run({"0": forbidden}, session_lives=False)


async def test_nothing_is_begun_when_the_time_is_over() -> None:
    assert await run({}, within_s=0.0) == ["done", "not_done", "not_done", "not_done", "not_done"]


def test_what_moved_on() -> None:
    write = Write(Op.UPDATE, seen={"a": 1, "b": None, "c": "x"})
    assert moved_on(write, {"a": 1, "b": None, "c": "x"}) == ""
    assert moved_on(write, {"a": 2, "b": None}) == "a, c", (
        "what is not delivered can't be said to be as it was"
    )


def test_results_of_answers() -> None:
    update, create = WRITES[1], Write(Op.CREATE)
    assert result_of(update, Answer(status=404, meaning="gone", words="no")).status is WriteStatus.GONE
    assert result_of(create, Answer(status=404, meaning="gone")).status is WriteStatus.REFUSED
    exists = result_of(create, Answer(status=409, meaning="exists", words="E1"))
    assert (exists.status, exists.error) == (WriteStatus.REFUSED, "exists already: E1")
    assert result_of(update, Answer(status=200)) == WriteResult(WriteStatus.DONE, "1")
