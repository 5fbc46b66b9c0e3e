"""Tasks of one piece of work: so many at once, the first error counts, and a stop lets what is under way come to its end."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from actors.runtime.together import abreast
from tests.sim import loop


@pytest.mark.parametrize("most, seen", [(1, 1), (2, 2), (3, 3)])
def test_no_more_than_so_many_are_under_way_and_all_come_to_their_end(most: int, seen: int) -> None:
    async def main() -> tuple[int, list[int]]:
        now = most_seen = 0
        done: list[int] = []

        async def work(number: int) -> None:
            nonlocal now, most_seen
            now += 1
            most_seen = max(most_seen, now)
            await anyio.sleep(1)
            now -= 1
            done.append(number)

        async with abreast(most) as begin:
            for number in range(7):
                await begin(partial(work, number))
        return most_seen, done

    assert loop.run(main) == (seen, list(range(7)))


def test_the_error_of_one_ends_the_others_and_is_raised_as_it_is() -> None:
    async def main() -> list[str]:
        done: list[str] = []

        async def fails() -> None:
            await anyio.sleep(1)
            raise KeyError("lost")

        async def lasts() -> None:
            await anyio.sleep(10)
            done.append("lasted")

        async def all_of_them() -> None:
            async with abreast(2) as begin:
                for work in (fails, lasts, lasts):
                    await begin(work)

        with pytest.raises(KeyError, match="lost"):
            await all_of_them()
        return done

    assert loop.run(main) == []


def test_whoever_is_stopped_lets_what_is_under_way_come_to_its_end() -> None:
    async def main() -> list[str]:
        done: list[str] = []

        async def work() -> None:
            await anyio.sleep(5)
            done.append("done")

        async def stopped() -> None:
            async with abreast(2) as begin:
                await begin(work)
                raise ValueError("stop")

        with pytest.raises(ValueError, match="stop"):
            await stopped()
        return done

    assert loop.run(main) == ["done"]
