"""The virtual loop: costs no time, keeps the order, works with anyio, and says when nothing can happen any more."""

from __future__ import annotations

import anyio
import pytest

from tests.sim import loop


def test_ten_thousand_sleeps_cost_no_time() -> None:
    async def main() -> float:
        async with anyio.create_task_group() as tasks:
            for number in range(10_000):
                tasks.start_soon(anyio.sleep, number * 2.0)
        return anyio.current_time()

    assert loop.run(main) == pytest.approx(
        19_998.0
    )  # five and a half hours: the time limit of a test is long over


def test_the_order_is_the_same_each_time() -> None:
    async def main() -> list[tuple[float, int]]:
        seen: list[tuple[float, int]] = []

        async def worker(number: int) -> None:
            try:
                for step in range(20):
                    await anyio.sleep((number * 7 + step * 3) % 11 / 10)
                    seen.append((round(anyio.current_time(), 6), number))
            finally:
                seen.append((-1.0, number))

        with anyio.move_on_after(7):
            async with anyio.create_task_group() as tasks:
                for number in range(50):
                    tasks.start_soon(worker, number)
        return seen

    first = loop.run(main)
    assert any(at < 0 for at, _ in first)
    assert all(loop.run(main) == first for _ in range(3))


def test_timeouts_and_events_work_on_virtual_time() -> None:
    async def main() -> tuple[bool, float]:
        event = anyio.Event()
        with anyio.move_on_after(30) as scope:
            await event.wait()
        return scope.cancelled_caught, anyio.current_time()

    assert loop.run(main) == (True, 30.0)


def test_a_deadlock_is_an_error_not_a_hang() -> None:
    async def main() -> None:
        await anyio.Event().wait()

    with pytest.raises(loop.Stuck):
        loop.run(main)
