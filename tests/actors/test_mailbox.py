"""What a mailbox promises (docs/ACTORS.md): pokes coalesce and never block, asks are bounded and always answered."""

from __future__ import annotations

import anyio
import pytest

from actors.runtime.mailbox import Ask, Mailbox, MailboxClosed, MailboxFull
from tests.sim import loop


async def read(box: Mailbox, count: int) -> list[str]:
    """The next messages as texts; asks are answered with themselves."""
    found = []
    for _ in range(count):
        message = await box.receive()
        if isinstance(message, Ask):
            message.answer(message.message)
            found.append(f"?{message.message}")
        else:
            found.append(message)
    return found


def test_pokes_coalesce_by_key_and_never_block() -> None:
    async def main() -> list[str]:
        box = Mailbox(asks_max=1)
        for number in range(100_000):
            box.poke("work" if number % 2 else "changed")
        assert len(box) == 2
        return await read(box, 2)

    assert loop.run(main) == ["changed", "work"]


def test_a_poke_during_its_own_work_is_not_lost() -> None:
    async def main() -> list[str]:
        box = Mailbox()
        box.poke("work")
        first = await read(box, 1)
        box.poke("work")
        return first + await read(box, 1)

    assert loop.run(main) == ["work", "work"]


def test_asks_come_first_in_first_out_and_are_answered_once() -> None:
    async def main() -> list[int]:
        box, answers = Mailbox(), []

        async def ask(number: int) -> None:
            answers.append(await box.ask(number))

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(ask, number)
            await anyio.sleep(0.1)
            assert await read(box, 5) == [f"?{number}" for number in range(5)]
        return answers

    assert loop.run(main) == [0, 1, 2, 3, 4]


def test_a_second_answer_is_ignored() -> None:
    async def main() -> object:
        ask: Ask[int] = Ask("how many?")
        ask.answer(1)
        ask.answer(2)
        ask.fail(ValueError())
        return await ask.wait()

    assert loop.run(main) == 1


def test_asks_are_bounded() -> None:
    async def main() -> None:
        box = Mailbox(asks_max=2)
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(box.ask, "x")
            await anyio.sleep(0.1)
            with pytest.raises(MailboxFull):
                await box.ask("one too many")
            box.poke("still welcome")
            assert len(box) == 3
            await read(box, 3)

    loop.run(main)


def test_pokes_and_asks_take_turns() -> None:
    async def main() -> list[str]:
        box = Mailbox()
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(box.ask, number)
                box.poke(f"p{number}")
            await anyio.sleep(0.1)
            order = await read(box, 6)
        return list(order)

    assert loop.run(main) == ["p0", "?0", "p1", "?1", "p2", "?2"]


def test_a_closed_mailbox_leaves_nobody_waiting() -> None:
    async def main() -> list[str]:
        box, heard = Mailbox(), []

        async def ask() -> None:
            try:
                await box.ask("x")
            except MailboxClosed:
                heard.append("closed")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            await anyio.sleep(0.1)
            box.close()
            box.poke("too late")
            with pytest.raises(MailboxClosed):
                await box.receive()
            with pytest.raises(MailboxClosed):
                await box.ask("too late")
        return heard

    assert loop.run(main) == ["closed", "closed"]


def test_a_reader_that_waits_is_woken_by_a_close() -> None:
    async def main() -> None:
        box = Mailbox()
        async with anyio.create_task_group() as tasks:

            async def reader() -> None:
                with pytest.raises(MailboxClosed):
                    await box.receive()

            tasks.start_soon(reader)
            await anyio.sleep(0.1)
            box.close()
        assert len(box) == 0

    loop.run(main)
